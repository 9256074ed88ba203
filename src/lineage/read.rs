//! Reading: from bytes to a [`Model`](super::model::Model) in one pass, with nothing in between.
//!
//! `source` feeds the JSON parser from a reader, `stream` from pieces that come one by one; `builder` is what every
//! part writes into, `record` the machinery that reads JSON objects field by field, `value` the shapes a single value
//! comes in. The rest knows the format: `envelope` what surrounds the model, `tree` what has names, `flow` what joins
//! them.

mod builder;
mod coordinates;
mod envelope;
mod flow;
mod record;
mod source;
mod stream;
#[cfg(test)]
mod tests;
mod tree;
mod value;

use std::io::Read;

use serde::de::{DeserializeSeed, Deserializer};
use serde_json::error::Category;

use self::builder::{Builder, Fault};
use self::envelope::Root;
use self::source::{Source, Stop};
use super::Lineage;
use super::error::{Place, ReadError, ReadErrorKind, shorten};

/// How far a snippet of the body in an error reaches.
const SNIPPET: usize = 60;

/// Options for reading an answer; made by [`Lineage::reader`].
///
/// ```
/// use sqlflow_client::lineage::Lineage;
///
/// let body = br#"{"code": 200, "data": {"dbobjs": [], "relationships": []}}"#;
/// let lineage = Lineage::reader().max_bytes(1 << 20).read_slice(body)?;
/// assert_eq!(lineage.objects().len(), 0);
/// # Ok::<(), sqlflow_client::lineage::ReadError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reader {
    max_bytes: u64,
}

impl Default for Reader {
    fn default() -> Self {
        Self { max_bytes: Self::MAX_BYTES }
    }
}

impl Reader {
    /// The limit on the size of a body that holds unless another one is set: 4 GiB.
    pub const MAX_BYTES: u64 = u32::MAX as u64;

    /// The options that hold unless others are set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Refuses a body of more than `bytes` bytes, text after the JSON included.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Reads an answer that is in memory.
    ///
    /// # Errors
    ///
    /// See [`ReadErrorKind`]: the body is no JSON, is cut off, holds no lineage, is an envelope that says the
    /// request failed, or is past a limit.
    pub fn read_slice(&self, body: &[u8]) -> Result<Lineage, ReadError> {
        if body.len() as u64 > self.max_bytes {
            return Err(too_large(self.max_bytes));
        }
        let start = first_of_json(body)?;
        let json = body.get(start..).unwrap_or_default();
        // Checked once here, the parser need not check each string by itself, which took a fifth of all its time. A
        // body that is no UTF-8 may still be lineage up to the text after it: that is read piece by piece.
        let Ok(text) = std::str::from_utf8(json) else {
            return self.read(body);
        };
        let mut builder = Builder::default();
        let mut parser = serde_json::Deserializer::from_str(text);
        if let Err(error) = Root(&mut builder).deserialize(&mut parser) {
            let mut place = slice_place(json, &error);
            let near = snippet(json, place.offset);
            place.offset += start as u64;
            return Err(parse_error(&builder, &error, place, &near));
        }
        if let Err(error) = parser.end() {
            let after = slice_place(json, &error).offset;
            let rest = usize::try_from(after).ok().and_then(|at| json.get(at..));
            builder.trailing(rest.unwrap_or_default());
        }
        builder.finish()
    }

    /// Reads an answer from a reader, which needs no buffer of its own. The body is never held whole.
    ///
    /// # Errors
    ///
    /// As [`read_slice`](Self::read_slice), and [`ReadErrorKind::Io`] if the reader fails.
    pub fn read(&self, reader: impl Read) -> Result<Lineage, ReadError> {
        let mut source = Source::new(reader, self.max_bytes);
        let mut builder = Builder::default();
        let start = source.skip_to_json().map_err(|stop| stopped(stop, self.max_bytes))?;
        check_start(start, source.seen())?;
        let parsed = {
            let mut parser = serde_json::Deserializer::from_reader(&mut source);
            Root(&mut builder).deserialize(&mut parser)
        };
        if let Err(error) = parsed {
            if let Some(stop) = source.take_stop() {
                return Err(stopped(stop, self.max_bytes));
            }
            let near = snippet_text(source.seen());
            let place = Place { offset: source.offset(), line: error.line() as u64, column: error.column() as u64 };
            return Err(parse_error(&builder, &error, place, &near));
        }
        let rest = source.rest().map_err(|stop| stopped(stop, self.max_bytes))?;
        builder.trailing(&rest);
        builder.finish()
    }
}

/// Reads from any serde format that describes itself.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Lineage, D::Error> {
    let mut builder = Builder::default();
    Root(&mut builder).deserialize(deserializer)?;
    builder.finish().map_err(serde::de::Error::custom)
}

/// Where the JSON begins, after white space and a byte order mark.
fn first_of_json(body: &[u8]) -> Result<usize, ReadError> {
    const MARK: &[u8] = b"\xef\xbb\xbf";
    let mark = if body.starts_with(MARK) { MARK.len() } else { 0 };
    let text = body.get(mark..).unwrap_or_default();
    let space = text.iter().take_while(|b| b.is_ascii_whitespace()).count();
    let start = mark + space;
    let seen = body.get(start..).unwrap_or_default();
    check_start(seen.first().copied(), seen)?;
    Ok(start)
}

/// A body that does not begin as a JSON object is refused before the parser sees it, in words that help more.
fn check_start(first: Option<u8>, seen: &[u8]) -> Result<(), ReadError> {
    let head = || shorten(&String::from_utf8_lossy(head_of(seen)), SNIPPET);
    match first {
        Some(b'{') => Ok(()),
        None => Err(ReadError::new(
            ReadErrorKind::Empty,
            "the body is empty where lineage JSON was expected; ask the server again",
        )),
        Some(b'[' | b'"' | b'0'..=b'9' | b'-') => Err(ReadError::new(
            ReadErrorKind::NotLineage,
            format!(
                "expected a JSON object that holds lineage, found `{}`; is this the answer of another operation?",
                head()
            ),
        )),
        Some(_) => Err(ReadError::new(
            ReadErrorKind::NotJson,
            format!(
                "expected lineage as JSON, found text that starts with `{}`; a proxy's page or an export in \
                 another format looks like this",
                head()
            ),
        )),
    }
}

fn head_of(seen: &[u8]) -> &[u8] {
    seen.get(..SNIPPET * 4).unwrap_or(seen)
}

fn too_large(limit: u64) -> ReadError {
    ReadError::new(
        ReadErrorKind::TooLarge,
        format!("the body is longer than the limit of {limit} bytes; raise it with `Reader::max_bytes`"),
    )
}

fn stopped(stop: Stop, limit: u64) -> ReadError {
    match stop {
        Stop::TooLarge => too_large(limit),
        Stop::Io(error) => ReadError::new(ReadErrorKind::Io, format!("the body could not be read to its end: {error}"))
            .caused_by(error),
    }
}

fn parse_error(builder: &Builder, error: &serde_json::Error, place: Place, near: &str) -> ReadError {
    match builder.fault() {
        Some(Fault::Full(what)) => {
            return ReadError::new(
                ReadErrorKind::TooMany,
                format!("the answer holds more {what} than 32 bits can count; ask for less at once"),
            )
            .at(place);
        }
        Some(Fault::TooDeep) => return too_deep(place),
        None => {}
    }
    let text = error.to_string();
    let reason = text.split(" at line ").next().unwrap_or(&text);
    if reason.starts_with("recursion limit exceeded") {
        return too_deep(place);
    }
    if error.classify() == Category::Eof {
        return ReadError::new(
            ReadErrorKind::Truncated,
            format!("the JSON ends in the middle, after `{near}`: the answer was cut off, ask for it again"),
        )
        .at(place);
    }
    ReadError::new(ReadErrorKind::Malformed, format!("the JSON is malformed: {}, near `{near}`", shorten(reason, 100)))
        .at(place)
}

fn too_deep(place: Place) -> ReadError {
    ReadError::new(ReadErrorKind::TooDeep, "the JSON is nested deeper than any lineage is; refused").at(place)
}

/// The parser counts lines and columns; a byte offset follows from them.
fn slice_place(json: &[u8], error: &serde_json::Error) -> Place {
    if error.classify() == Category::Eof {
        return Place { offset: json.len() as u64, line: error.line() as u64, column: error.column() as u64 };
    }
    let line_start = match error.line().checked_sub(2) {
        None => 0,
        Some(before) => {
            json.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(before).map_or(json.len(), |(at, _)| at + 1)
        }
    };
    let offset = (line_start + error.column().saturating_sub(1)).min(json.len());
    Place { offset: offset as u64, line: error.line() as u64, column: error.column() as u64 }
}

/// The few characters before a place.
fn snippet(json: &[u8], offset: u64) -> String {
    let end = usize::try_from(offset.saturating_add(1)).unwrap_or(usize::MAX);
    snippet_text(json.get(..end.min(json.len())).unwrap_or(json))
}

fn snippet_text(seen: &[u8]) -> String {
    let from = seen.len().saturating_sub(SNIPPET);
    let tail = String::from_utf8_lossy(seen.get(from..).unwrap_or_default());
    shorten(tail.trim_start_matches('\u{fffd}'), SNIPPET)
}
