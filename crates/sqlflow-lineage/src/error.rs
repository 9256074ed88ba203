//! Errors of reading a document and of looking up a name.

use std::fmt;
use std::path::{Path, PathBuf};

/// An error from reading a lineage document.
///
/// Its message says where reading stopped, what was expected and what to do next. It never repeats more than a few words
/// of the document. [`kind`](Self::kind) tells the cases apart.
///
/// ```
/// use sqlflow_lineage::{Lineage, ReadErrorKind};
///
/// let error = Lineage::from_slice(b"{\n  \"dbobjs\": [").unwrap_err();
/// assert_eq!(error.kind(), ReadErrorKind::Truncated);
/// assert_eq!(error.position().map(|position| position.line), Some(2));
///
/// let body = br#"{"code": 401, "error": "invalid token", "data": null}"#;
/// let error = Lineage::from_slice(body).unwrap_err();
/// assert_eq!(error.kind(), ReadErrorKind::Failed);
/// assert_eq!((error.code(), error.message()), (Some(401), Some("invalid token")));
/// ```
pub struct ReadError {
    inner: Box<ReadErrorInner>,
}

struct ReadErrorInner {
    kind: ReadErrorKind,
    detail: String,
    code: Option<i64>,
    message: Option<String>,
    position: Option<TextPosition>,
    path: Option<PathBuf>,
    io: Option<std::io::Error>,
}

/// A position in a document, at which reading stopped. Lines and columns count from 1, columns in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TextPosition {
    /// The number of bytes from the start of the document.
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
    /// The document is empty.
    Empty,
    /// The document is not JSON at all: often it is the HTML page of a proxy, or a CSV file.
    NotJson,
    /// The document ends in the middle of its JSON or of its compressed data, or the reader reports an
    /// [`UnexpectedEof`](std::io::ErrorKind::UnexpectedEof).
    Truncated,
    /// The JSON or the compressed data is malformed, or the reader reports
    /// [`InvalidData`](std::io::ErrorKind::InvalidData).
    Malformed,
    /// The document is followed by a second one, of which [`ReadError::position`] is the beginning.
    SeveralDocuments,
    /// The document is JSON, but holds nothing that belongs to lineage, or holds something else than a list in place of
    /// its relationships.
    NotLineage,
    /// The server's envelope says that the request failed: see [`ReadError::code`] and [`ReadError::message`].
    Failed,
    /// The envelope says success but holds no data.
    NoData,
    /// The document is longer than the limit that was set.
    TooLarge,
    /// The JSON is nested too deeply.
    TooDeep,
    /// The document holds more records of one kind than 32 bits can count.
    TooMany,
    /// The reader or stream that supplies the document failed; its error is the [source] of this one.
    ///
    /// [source]: std::error::Error::source
    Io,
    /// The Tokio runtime shut down while the document was being read from a stream.
    Cancelled,
    /// The thread that read the document from a stream panicked.
    Panicked,
}

/// The message of the server is kept up to this many characters.
const MAX_KEPT: usize = 2000;
/// The message of the server is shown up to this many characters.
const MAX_SHOWN: usize = 300;

impl ReadError {
    pub(super) fn new(kind: ReadErrorKind, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self {
            inner: Box::new(ReadErrorInner {
                kind,
                detail,
                code: None,
                message: None,
                position: None,
                path: None,
                io: None,
            }),
        }
    }

    pub(super) fn at(mut self, position: TextPosition) -> Self {
        self.inner.position = Some(position);
        self
    }

    pub(super) fn with_envelope(mut self, code: Option<i64>, message: Option<&str>) -> Self {
        self.inner.code = code;
        self.inner.message = message.map(|text| shorten(text, MAX_KEPT));
        self
    }

    pub(super) fn in_file(mut self, path: &Path) -> Self {
        self.inner.path = Some(path.to_owned());
        self
    }

    pub(super) fn caused_by(mut self, error: std::io::Error) -> Self {
        self.inner.io = Some(error);
        self
    }

    /// Returns the case of the error.
    #[must_use]
    pub fn kind(&self) -> ReadErrorKind {
        self.inner.kind
    }

    /// Returns the `code` of the server's envelope, if there was one.
    #[must_use]
    pub fn code(&self) -> Option<i64> {
        self.inner.code
    }

    /// Returns the message of the server (`error`, or else `message`), truncated after 2,000 characters.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.inner.message.as_deref()
    }

    /// Returns the path of the file, if the document was read by its path.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.inner.path.as_deref()
    }

    /// Returns the position at which reading stopped, if the document could not be read to its end.
    #[must_use]
    pub fn position(&self) -> Option<TextPosition> {
        self.inner.position
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.inner;
        if let Some(path) = &inner.path {
            write!(f, "cannot read {}: ", path.display())?;
        }
        f.write_str(&inner.detail)?;
        if let Some(position) = inner.position {
            write!(f, " (byte {}, line {}, column {})", position.offset, position.line, position.column)?;
        }
        if let Some(message) = &inner.message {
            write!(f, ": {}", shorten(message, MAX_SHOWN))?;
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

/// Returns at most `max` characters of a text, on one line and without control characters.
pub(super) fn shorten(text: &str, max: usize) -> String {
    let mut short = String::new();
    let mut left = text.trim().chars();
    for c in left.by_ref().take(max) {
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
///
/// Displayed with its kind, and if its qualified name does not find it, with the name that does:
/// `RS-1 (select_list): write id:12`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Candidate {
    /// The qualified name, which several candidates may share.
    pub name: String,
    /// The name to write instead: the same lookup finds exactly this candidate with it.
    pub lookup_name: String,
    /// The kind of object (`table`, `view`, …), or `column`.
    pub kind: String,
    /// The id.
    pub id: String,
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, lookup_name, kind, .. } = self;
        let kind = if kind.is_empty() { "object" } else { kind };
        write!(f, "{} ({})", shorten(name, MAX_NAME), shorten(kind, MAX_NAME))?;
        if lookup_name == name { Ok(()) } else { write!(f, ": write {}", shorten(lookup_name, MAX_LOOKUP_NAME)) }
    }
}

/// An error from looking up a name that means no object or column, or more than one.
///
/// ```
/// use sqlflow_lineage::{Lineage, LookupError};
///
/// let lineage: Lineage = r#"{"dbobjs": [
///     {"id": "1", "name": "ORDERS", "type": "table", "schema": "SALES"},
///     {"id": "2", "name": "ORDERS", "type": "table", "schema": "STAGE"}
/// ]}"#.parse()?;
///
/// let error = lineage.object("ordrs").unwrap_err();
/// match error {
///     LookupError::ObjectNotFound { similar, .. } => {
///         assert_eq!(similar, ["SALES.ORDERS", "STAGE.ORDERS"]);
///     }
///     other => panic!("{other}"),
/// }
///
/// // Each candidate has a name that finds it.
/// let error = lineage.object("orders").unwrap_err();
/// for candidate in error.candidates() {
///     assert_eq!(lineage.object(&candidate.lookup_name)?.id(), candidate.id);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// No object has this name.
    #[error(
        "no object is named `{}`{}{}",
        shorten(.name, MAX_NAME),
        suggested(.similar),
        reasons("objects", *.in_summary, *.errors, *.warnings)
    )]
    #[non_exhaustive]
    ObjectNotFound {
        /// The name that was looked up.
        name: String,
        /// The qualified names that are similar to it, the closest first; empty if there are none.
        similar: Vec<String>,
        /// `true` if the document is a summary, which may leave out objects and leaves out all columns.
        in_summary: bool,
        /// The number of errors in the document ([`Lineage::errors`](crate::Lineage::errors)). A server leaves out what
        /// it cannot parse.
        errors: usize,
        /// The number of warnings in the document ([`Lineage::warnings`](crate::Lineage::warnings)), which explain a
        /// partial success.
        warnings: usize,
    },
    /// Several objects have this name. Use the name of the one that is meant instead.
    #[error("`{}` could mean {}", shorten(.name, MAX_NAME), listed(.candidates, *.count))]
    #[non_exhaustive]
    AmbiguousObject {
        /// The name that was looked up.
        name: String,
        /// The number of objects and columns that it could mean.
        count: usize,
        /// The objects and columns that it could mean; the first 32 if there are more.
        candidates: Vec<Candidate>,
    },
    /// The object has no column of this name.
    #[error(
        "{} has no column named `{}`{}{}",
        shorten(.object, MAX_NAME),
        shorten(.name, MAX_NAME),
        suggested(.similar),
        reasons("columns", *.in_summary, *.errors, *.warnings)
    )]
    #[non_exhaustive]
    ColumnNotFound {
        /// The qualified name of the object.
        object: String,
        /// The name that was looked up.
        name: String,
        /// The column names that are similar to it, the closest first; empty if there are none.
        similar: Vec<String>,
        /// `true` if the document is a summary, which leaves out all columns.
        in_summary: bool,
        /// The number of errors in the document ([`Lineage::errors`](crate::Lineage::errors)). A server leaves out what
        /// it cannot parse.
        errors: usize,
        /// The number of warnings in the document ([`Lineage::warnings`](crate::Lineage::warnings)), which explain a
        /// partial success.
        warnings: usize,
    },
    /// The object has several columns of this name. Use the name of the one that is meant instead.
    #[error(
        "{} has several columns named `{}`: {}",
        shorten(.object, MAX_NAME),
        shorten(.name, MAX_NAME),
        listed(.candidates, *.count)
    )]
    #[non_exhaustive]
    AmbiguousColumn {
        /// The qualified name of the object.
        object: String,
        /// The name that was looked up.
        name: String,
        /// The number of columns that it could mean.
        count: usize,
        /// The columns that it could mean; the first 32 if there are more.
        candidates: Vec<Candidate>,
    },
}

impl LookupError {
    /// Returns the objects or columns that an ambiguous name could mean, at most 32; empty if the name means nothing.
    #[must_use]
    pub fn candidates(&self) -> &[Candidate] {
        match self {
            Self::AmbiguousObject { candidates, .. } | Self::AmbiguousColumn { candidates, .. } => candidates,
            Self::ObjectNotFound { .. } | Self::ColumnNotFound { .. } => &[],
        }
    }
}

/// The number of names that an error shows.
const MAX_LISTED: usize = 8;
/// The number of characters of a name that an error shows.
const MAX_NAME: usize = 100;
/// The number of characters that an error shows of a name to write. All but hostile ids are shorter.
const MAX_LOOKUP_NAME: usize = 300;

fn listed(candidates: &[Candidate], count: usize) -> String {
    let mut names: Vec<String> = candidates.iter().take(MAX_LISTED).map(ToString::to_string).collect();
    if count > names.len() {
        names.push(format!("{} more", count - names.len()));
    }
    names.join(", ")
}

fn suggested(names: &[String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    let names: Vec<String> = names.iter().take(MAX_LISTED).map(|name| shorten(name, MAX_NAME)).collect();
    format!("; did you mean {}?", names.join(", "))
}

/// Returns the reasons that the document gives for missing records.
fn reasons(records: &str, in_summary: bool, errors: usize, warnings: usize) -> String {
    let counted = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    let (errors_text, warnings_text) = (counted(errors, "error"), counted(warnings, "warning"));
    let problems = match (errors, warnings) {
        (0, 0) => None,
        (_, 0) => Some(errors_text),
        (0, _) => Some(warnings_text),
        (_, _) => Some(format!("{errors_text} and {warnings_text}")),
    };
    let summary = in_summary.then(|| "the document is a summary: request the full lineage".to_owned());
    let problems = problems.map(|problems| format!("the document has {problems}, so {records} may be missing"));
    let reasons: Vec<String> = summary.into_iter().chain(problems).collect();
    if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join("; ")) }
}
