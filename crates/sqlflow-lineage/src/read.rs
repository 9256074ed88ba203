//! Reading: from bytes to a [`Model`](super::model::Model) in one pass, without an intermediate tree.
//!
//! `encoding` decodes documents that are not UTF-8, and `window` supplies the text from memory or a reader, `stream` from an async stream, and `json` parses it. `fields`
//! reads JSON objects field by field, `value` reads single values, and `builder` holds the model under construction. The
//! other modules know the format: `envelope` the surroundings of the model, `tree` the records that have names, `flow`
//! the relationships between them, `coordinates` the positions in the SQL.

mod builder;
mod coordinates;
mod encoding;
mod envelope;
mod fields;
mod flow;
mod json;
mod paths;
mod second;

#[cfg(feature = "stream")]
mod stream;
#[cfg(test)]
mod tests;
mod tree;
mod value;
mod window;

use std::io::{self, Read};

use serde::de::{DeserializeSeed, Deserializer};

use self::builder::{Builder, LimitExceeded};
use self::encoding::{Encoding, Utf16Reader};
use self::envelope::RootSeed;
use self::json::{JsonError, JsonErrorKind, JsonParser};
use self::window::{ReaderWindow, SliceWindow, StopReason, Window};
use super::Lineage;
use super::coverage::RequestedTypes;
use super::error::{ReadError, ReadErrorKind, shorten};
use super::kinds::RelationType;

/// The number of characters of the document that an error shows.
const SNIPPET: usize = 60;

/// Options for reading a document; [`Lineage::reader`] creates them.
///
/// ```
/// use sqlflow_lineage::{Lineage, ReadErrorKind};
///
/// let document = br#"{"code": 200, "data": {"dbobjs": [], "relationships": []}}"#;
/// let lineage = Lineage::reader().max_bytes(1 << 20).read_slice(document)?;
/// assert_eq!(lineage.objects().len(), 0);
///
/// let error = Lineage::reader().max_bytes(10).read_slice(document).unwrap_err();
/// assert_eq!(error.kind(), ReadErrorKind::TooLarge);
/// # Ok::<(), sqlflow_lineage::ReadError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    max_bytes: u64,
    requested: Option<Vec<RelationType>>,
    keeps_graph: bool,
    label: Option<String>,
}

impl Default for Reader {
    fn default() -> Self {
        Self { max_bytes: Self::MAX_BYTES, requested: None, keeps_graph: false, label: None }
    }
}

impl Reader {
    /// The default limit on the size of a document: 4 GiB.
    pub const MAX_BYTES: u64 = u32::MAX as u64;

    /// Creates the default options.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the maximum size of a document as UTF-8, including text after the JSON. A longer one is an error of the kind
    /// [`TooLarge`](ReadErrorKind::TooLarge), however small it is when it is compressed.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets the relation types that were requested from the server, which the document itself does not tell. They decide
    /// the [coverage](Lineage::coverage) of the lineage.
    #[must_use]
    pub fn requested_types<R: Into<RelationType>>(mut self, types: impl IntoIterator<Item = R>) -> Self {
        self.requested = Some(types.into_iter().map(Into::into).collect());
        self
    }

    /// Keeps the `graph` section, which describes the layout of a picture and can be nearly half of a document. Otherwise
    /// only [its presence](Lineage::has_graph) is remembered.
    #[must_use]
    pub fn keep_graph(mut self) -> Self {
        self.keeps_graph = true;
        self
    }

    /// Sets a label for the document, such as the name of its file, which the [locations](crate::Location) of its
    /// statements and messages show. It stays with them when lineages are [merged](Lineage::merge).
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Reads a document that is in memory: UTF-8 or UTF-16, with or without a byte order mark, or compressed by gzip.
    ///
    /// # Errors
    ///
    /// See [`ReadErrorKind`]: the document is not JSON, is truncated, holds no lineage, is an envelope that says the
    /// request failed, or exceeds a limit.
    pub fn read_slice(&self, document: &[u8]) -> Result<Lineage, ReadError> {
        if Encoding::of(document) != Encoding::Utf8 {
            return self.read(document);
        }
        if document.len() as u64 > self.max_bytes {
            return Err(too_large(self.max_bytes));
        }
        self.read_window(SliceWindow::new(document))
    }

    /// Reads a document from a reader, which needs no buffer of its own. The document is never held whole. Its encoding is
    /// recognised as by [`read_slice`](Self::read_slice).
    ///
    /// # Errors
    ///
    /// The errors of [`read_slice`](Self::read_slice), and [`ReadErrorKind::Io`] if the reader fails.
    pub fn read(&self, reader: impl Read) -> Result<Lineage, ReadError> {
        let (head, reader) = encoding::peek(reader).map_err(|error| self.stopped(StopReason::Io(error)))?;
        match Encoding::of(&head) {
            #[cfg(feature = "gzip")]
            Encoding::Gzip => self.read_compressed(reader),
            #[cfg(not(feature = "gzip"))]
            Encoding::Gzip => Err(ReadError::new(
                ReadErrorKind::NotJson,
                "the document is compressed by gzip; decompress it, or build sqlflow-lineage with its feature `gzip`",
            )),
            encoding => self.read_text(reader, encoding),
        }
    }

    #[cfg(feature = "gzip")]
    fn read_compressed(&self, reader: impl Read) -> Result<Lineage, ReadError> {
        let decoder = flate2::read::MultiGzDecoder::new(reader);
        let (head, text) = encoding::peek(decoder).map_err(|error| self.stopped(StopReason::Io(error)))?;
        self.read_text(text, Encoding::of(&head))
    }

    fn read_text(&self, reader: impl Read, encoding: Encoding) -> Result<Lineage, ReadError> {
        match encoding {
            Encoding::Utf16(order) => {
                self.read_window(ReaderWindow::new(Utf16Reader::new(reader, order), self.max_bytes))
            }
            Encoding::Utf8 | Encoding::Gzip => self.read_window(ReaderWindow::new(reader, self.max_bytes)),
        }
    }

    fn read_window(&self, window: impl Window) -> Result<Lineage, ReadError> {
        let mut json = JsonParser::new(window);
        self.check_start(&mut json)?;
        let mut builder = Builder::default();
        builder.keeps_graph = self.keeps_graph;
        if let Err(error) = RootSeed(&mut builder).deserialize(&mut json) {
            return Err(self.parse_error(&builder, &mut json, error));
        }
        let (at, end) = (json.at(), json.position());
        let rest = json.window().rest(at).map_err(|stop| self.stopped(stop))?;
        second::check(&rest, end)?;
        builder.trailing(&rest);
        if let Some(label) = &self.label {
            builder.label(label)?;
        }
        if let Some(types) = &self.requested {
            builder.model.requested = RequestedTypes::Known(types.clone());
        }
        builder.finish()
    }

    /// Refuses a document that does not begin with a JSON object before it is parsed, with a more helpful error.
    fn check_start(&self, json: &mut JsonParser<impl Window>) -> Result<(), ReadError> {
        json.skip_mark();
        let first = json.peek();
        if first == Some(b'{') {
            return Ok(());
        }
        let mut head = head_of(json.around().1).to_vec();
        head.extend_from_slice(head_of(json.window().pending()));
        if head.is_empty()
            && let Some(stop) = json.window().take_stop()
        {
            return Err(self.stopped(stop));
        }
        Err(wrong_start(&head))
    }

    fn parse_error(&self, builder: &Builder, json: &mut JsonParser<impl Window>, error: JsonError) -> ReadError {
        match (builder.fault(), error.into_kind()) {
            (Some(LimitExceeded::TooMany(what)), _) => ReadError::new(
                ReadErrorKind::TooMany,
                format!("the document holds more {what} than 32 bits can count; request the lineage in parts"),
            ),
            (Some(LimitExceeded::TooDeep), _) | (None, JsonErrorKind::TooDeep) => {
                ReadError::new(ReadErrorKind::TooDeep, "the JSON is nested too deeply to be lineage")
            }
            (None, JsonErrorKind::End) => match json.window().take_stop() {
                None => ReadError::new(
                    ReadErrorKind::Truncated,
                    format!("the JSON is truncated after `{}`; request the document again", near(json)),
                ),
                Some(StopReason::NotUtf8) => malformed("it is neither UTF-8 nor UTF-16", json),
                Some(stop) => return self.stopped(stop),
            },
            (None, JsonErrorKind::Syntax(reason)) => malformed(reason, json),
            (None, JsonErrorKind::Refused(reason)) => malformed(&reason, json),
        }
        .at(json.position())
    }

    fn stopped(&self, stop: StopReason) -> ReadError {
        match stop {
            StopReason::TooLarge => too_large(self.max_bytes),
            StopReason::NotUtf8 => wrong_start(&[]),
            StopReason::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                ReadError::new(ReadErrorKind::Truncated, format!("the document is truncated: {error}; get it again"))
                    .caused_by(error)
            }
            StopReason::Io(error) if is_damage(&error) => {
                ReadError::new(ReadErrorKind::Malformed, format!("the document is damaged: {error}; get it again"))
                    .caused_by(error)
            }
            StopReason::Io(error) => {
                ReadError::new(ReadErrorKind::Io, format!("cannot read the document to its end: {error}"))
                    .caused_by(error)
            }
        }
    }
}

/// Returns `true` for the errors of a decompressor about its data.
fn is_damage(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)
}

/// Reads a document from any self-describing serde format.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Lineage, D::Error> {
    let mut builder = Builder::default();
    RootSeed(&mut builder).deserialize(deserializer)?;
    builder.finish().map_err(serde::de::Error::custom)
}

/// Returns the error for a document whose beginning shows that it is not lineage.
fn wrong_start(document: &[u8]) -> ReadError {
    let head = shorten(&String::from_utf8_lossy(head_of(document)), SNIPPET);
    match document.first() {
        None => ReadError::new(ReadErrorKind::Empty, "the document is empty; request it again"),
        Some(b'[' | b'"' | b'0'..=b'9' | b'-') => ReadError::new(
            ReadErrorKind::NotLineage,
            format!(
                "expected a JSON object that holds lineage, found `{head}`; check that it is the response of a lineage \
                 operation"
            ),
        ),
        Some(_) => ReadError::new(
            ReadErrorKind::NotJson,
            format!(
                "expected lineage as JSON, found text that starts with `{head}`; the page of a proxy and an export in \
                 another format look like this"
            ),
        ),
    }
}

/// Returns as many bytes of a document as an error may show.
fn head_of(document: &[u8]) -> &[u8] {
    document.get(..SNIPPET * 4).unwrap_or(document)
}

fn too_large(limit: u64) -> ReadError {
    ReadError::new(
        ReadErrorKind::TooLarge,
        format!("the document is longer than the limit of {limit} bytes; raise it with `Reader::max_bytes`"),
    )
}

fn malformed(reason: &str, json: &JsonParser<impl Window>) -> ReadError {
    let reason = shorten(reason, 100);
    ReadError::new(ReadErrorKind::Malformed, format!("the JSON is malformed: {reason}, near `{}`", near(json)))
}

/// Returns the few characters up to the position of the parser.
fn near(json: &JsonParser<impl Window>) -> String {
    let (before, after) = json.around();
    let from = before.len().saturating_sub(SNIPPET);
    let mut near = before.get(from..).unwrap_or_default().to_vec();
    near.extend(after.first());
    let near = String::from_utf8_lossy(&near);
    shorten(near.trim_matches('\u{fffd}'), SNIPPET)
}
