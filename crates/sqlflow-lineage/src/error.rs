//! What can go wrong when an answer is read, or a name is looked up.

use std::fmt;

/// Why a body could not be read as lineage.
///
/// Its text says where reading stopped, what was expected and what to do next, and never repeats more than a few
/// words of the body. Ask [`kind`](Self::kind) to tell the cases apart.
pub struct ReadError {
    inner: Box<Inner>,
}

struct Inner {
    kind: ReadErrorKind,
    detail: String,
    code: Option<i64>,
    message: Option<String>,
    place: Option<Place>,
    io: Option<std::io::Error>,
}

/// Where in a body reading stopped. Lines and columns count from 1, columns in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// Bytes from the start of the body.
    pub offset: u64,
    /// The line.
    pub line: u64,
    /// The byte in that line.
    pub column: u64,
}

/// The cases of [`ReadError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReadErrorKind {
    /// The body is empty.
    Empty,
    /// The body is not JSON at all: often a proxy's HTML page, or a CSV.
    NotJson,
    /// The body ends in the middle of its JSON.
    Truncated,
    /// The JSON is malformed.
    Malformed,
    /// The body is JSON, but holds nothing that belongs to lineage.
    NotLineage,
    /// The server's envelope says that the request failed: see [`ReadError::code`] and [`ReadError::message`].
    Failed,
    /// The envelope says success but holds no data.
    NoData,
    /// The body is longer than the limit that was set.
    TooLarge,
    /// The JSON is nested too deeply.
    TooDeep,
    /// There is more of something than can be counted in 32 bits.
    TooMany,
    /// The reader that was given failed; it is the error's source.
    Io,
    /// The Tokio runtime shut down while the document was being read from a stream.
    Cancelled,
    /// The thread that read the document from a stream panicked.
    Panicked,
}

/// The server's own words are kept up to this many characters, and shown up to [`SHOWN`].
const KEPT: usize = 2000;
const SHOWN: usize = 300;

impl ReadError {
    pub(super) fn new(kind: ReadErrorKind, detail: impl Into<String>) -> Self {
        Self {
            inner: Box::new(Inner { kind, detail: detail.into(), code: None, message: None, place: None, io: None }),
        }
    }

    pub(super) fn at(mut self, place: Place) -> Self {
        self.inner.place = Some(place);
        self
    }

    pub(super) fn answered(mut self, code: Option<i64>, message: Option<&str>) -> Self {
        self.inner.code = code;
        self.inner.message = message.map(|text| shorten(text, KEPT));
        self
    }

    pub(super) fn caused_by(mut self, error: std::io::Error) -> Self {
        self.inner.io = Some(error);
        self
    }

    /// Which case this is.
    #[must_use]
    pub fn kind(&self) -> ReadErrorKind {
        self.inner.kind
    }

    /// The `code` of the server's envelope, where there was one.
    #[must_use]
    pub fn code(&self) -> Option<i64> {
        self.inner.code
    }

    /// The server's own words (`error`, or else `message`), cut after 2,000 characters.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.inner.message.as_deref()
    }

    /// Where reading stopped, for a body that could not be read to its end.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        self.inner.place
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.inner;
        f.write_str(&inner.detail)?;
        if let Some(place) = inner.place {
            write!(f, " (byte {}, line {}, column {})", place.offset, place.line, place.column)?;
        }
        if let Some(message) = &inner.message {
            write!(f, ": {}", shorten(message, SHOWN))?;
        }
        Ok(())
    }
}

impl fmt::Debug for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadError")
            .field("kind", &self.inner.kind)
            .field("detail", &self.to_string())
            .finish_non_exhaustive()
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.inner.io.as_ref().map(|error| error as &(dyn std::error::Error + 'static))
    }
}

/// At most `most` characters of a text, with control characters made visible.
pub(super) fn shorten(text: &str, most: usize) -> String {
    let mut short = String::new();
    let mut left = text.trim().chars();
    for c in left.by_ref().take(most) {
        if c == '\n' || c == '\t' {
            short.push(' ');
        } else if !c.is_control() {
            short.push(c);
        }
    }
    if left.next().is_some() {
        short.push('…');
    }
    short
}

/// An object or column that a name could mean.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Candidate {
    /// The qualified name.
    pub name: String,
    /// The kind of object (`table`, `view`, …).
    pub kind: String,
    /// The id, which tells candidates of one name apart.
    pub id: String,
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, kind, id } = self;
        write!(f, "{} ({kind}, id {id})", shorten(name, 100))
    }
}

/// Why a name means no object or column, or more than one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// No object has this name.
    #[error("no object is named `{}`{}{}", shorten(.name, 100), offered(.similar), advice(*.in_summary))]
    #[non_exhaustive]
    ObjectNotFound {
        /// The name that was looked up.
        name: String,
        /// Qualified names close to it, the closest first; empty where there are none.
        similar: Vec<String>,
        /// Whether the answer is a summary, which may leave objects out, and leaves out all columns.
        in_summary: bool,
    },
    /// Several objects have this name: add the schema or database, quote it, or ask by id.
    #[error("{} could be {}: add the schema or database, or ask by id", shorten(.name, 100), listed(.candidates))]
    #[non_exhaustive]
    AmbiguousObject {
        /// The name that was looked up.
        name: String,
        /// What it could mean.
        candidates: Vec<Candidate>,
    },
    /// The object has no column of this name.
    #[error("{object} has no column {}{}", shorten(.name, 100), offered(.similar))]
    #[non_exhaustive]
    ColumnNotFound {
        /// The qualified name of the object.
        object: String,
        /// The name that was looked up.
        name: String,
        /// Column names close to it, the closest first; empty where there are none.
        similar: Vec<String>,
    },
    /// The object has several columns of this name: quote it, or ask by id.
    #[error("{object} has several columns {}: {}; quote the name, or ask by id", shorten(.name, 100), listed(.candidates))]
    #[non_exhaustive]
    AmbiguousColumn {
        /// The qualified name of the object.
        object: String,
        /// The name that was looked up.
        name: String,
        /// What it could mean.
        candidates: Vec<Candidate>,
    },
}

impl LookupError {
    /// What an ambiguous name could mean; empty if it means nothing.
    #[must_use]
    pub fn candidates(&self) -> &[Candidate] {
        match self {
            Self::AmbiguousObject { candidates, .. } | Self::AmbiguousColumn { candidates, .. } => candidates,
            Self::ObjectNotFound { .. } | Self::ColumnNotFound { .. } => &[],
        }
    }
}

/// How many names an error shows.
const LISTED: usize = 8;

fn listed(candidates: &[Candidate]) -> String {
    let mut names: Vec<String> = candidates.iter().take(LISTED).map(ToString::to_string).collect();
    if candidates.len() > LISTED {
        names.push(format!("{} more", candidates.len() - LISTED));
    }
    names.join(", ")
}

fn offered(names: &[String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    let names: Vec<String> = names.iter().take(LISTED).map(|name| shorten(name, 100)).collect();
    format!("; there is {}", names.join(", "))
}

fn advice(in_summary: bool) -> &'static str {
    if in_summary { "; the answer is a summary: ask the server for the full lineage" } else { "" }
}
