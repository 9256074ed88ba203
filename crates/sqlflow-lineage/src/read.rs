//! Reading: from bytes to a [`Model`](super::model::Model) in one pass, with nothing in between.
//!
//! `json` is the parser, `source` what feeds it from memory or a reader, `stream` from pieces that come one by one;
//! `builder` is what every part writes into, `record` the machinery that reads JSON objects field by field, `value` the
//! shapes a single value comes in. The rest knows the format: `envelope` what surrounds the model, `tree` what has
//! names, `flow` what joins them.

mod builder;
mod coordinates;
mod envelope;
mod flow;
mod json;
mod record;
mod source;
#[cfg(feature = "stream")]
mod stream;
#[cfg(test)]
mod tests;
mod tree;
mod value;

use std::io::Read;

use serde::de::{DeserializeSeed, Deserializer};

use self::builder::{Builder, Fault};
use self::envelope::Root;
use self::json::{Json, Problem};
use self::source::{Source, Stop, Whole, Window};
use super::Lineage;
use super::error::{ReadError, ReadErrorKind, shorten};

/// How far a snippet of the body in an error reaches.
const SNIPPET: usize = 60;

/// Options for reading an answer; made by [`Lineage::reader`].
///
/// ```
/// use sqlflow_lineage::Lineage;
///
/// let body = br#"{"code": 200, "data": {"dbobjs": [], "relationships": []}}"#;
/// let lineage = Lineage::reader().max_bytes(1 << 20).read_slice(body)?;
/// assert_eq!(lineage.objects().len(), 0);
/// # Ok::<(), sqlflow_lineage::ReadError>(())
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
        self.read_window(Whole::new(body))
    }

    /// Reads an answer from a reader, which needs no buffer of its own. The body is never held whole.
    ///
    /// # Errors
    ///
    /// As [`read_slice`](Self::read_slice), and [`ReadErrorKind::Io`] if the reader fails.
    pub fn read(&self, reader: impl Read) -> Result<Lineage, ReadError> {
        self.read_window(Source::new(reader, self.max_bytes))
    }

    fn read_window(self, window: impl Window) -> Result<Lineage, ReadError> {
        let mut json = Json::new(window);
        self.check_start(&mut json)?;
        let mut builder = Builder::default();
        if let Err(error) = Root(&mut builder).deserialize(&mut json) {
            return Err(self.parse_error(&builder, &mut json, error));
        }
        let at = json.at();
        let rest = json.window().rest(at).map_err(|stop| self.stopped(stop))?;
        builder.trailing(&rest);
        builder.finish()
    }

    /// A body that does not begin as a JSON object is refused before it is parsed, in words that help more.
    fn check_start(self, json: &mut Json<impl Window>) -> Result<(), ReadError> {
        json.pass_mark();
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

    fn parse_error(self, builder: &Builder, json: &mut Json<impl Window>, error: json::Error) -> ReadError {
        match (builder.fault(), error.into_problem()) {
            (Some(Fault::Full(what)), _) => ReadError::new(
                ReadErrorKind::TooMany,
                format!("the answer holds more {what} than 32 bits can count; ask for less at once"),
            ),
            (Some(Fault::TooDeep), _) | (None, Problem::TooDeep) => {
                ReadError::new(ReadErrorKind::TooDeep, "the JSON is nested deeper than any lineage is; refused")
            }
            (None, Problem::End) => match json.window().take_stop() {
                None => ReadError::new(
                    ReadErrorKind::Truncated,
                    format!(
                        "the JSON ends in the middle, after `{}`: the answer was cut off, ask for it again",
                        near(json)
                    ),
                ),
                Some(Stop::NotText) => malformed("it is no UTF-8", json),
                Some(stop) => return self.stopped(stop),
            },
            (None, Problem::Syntax(reason)) => malformed(reason, json),
            (None, Problem::Refused(reason)) => malformed(&reason, json),
        }
        .at(json.position())
    }

    fn stopped(self, stop: Stop) -> ReadError {
        match stop {
            Stop::TooLarge => too_large(self.max_bytes),
            Stop::NotText => wrong_start(&[]),
            Stop::Io(error) => {
                ReadError::new(ReadErrorKind::Io, format!("the body could not be read to its end: {error}"))
                    .caused_by(error)
            }
        }
    }
}

/// Reads from any serde format that describes itself.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Lineage, D::Error> {
    let mut builder = Builder::default();
    Root(&mut builder).deserialize(deserializer)?;
    builder.finish().map_err(serde::de::Error::custom)
}

/// Why a body that begins so is no lineage.
fn wrong_start(body: &[u8]) -> ReadError {
    let head = shorten(&String::from_utf8_lossy(head_of(body)), SNIPPET);
    match body.first() {
        None => ReadError::new(
            ReadErrorKind::Empty,
            "the body is empty where lineage JSON was expected; ask the server again",
        ),
        Some(b'[' | b'"' | b'0'..=b'9' | b'-') => ReadError::new(
            ReadErrorKind::NotLineage,
            format!(
                "expected a JSON object that holds lineage, found `{head}`; is this the answer of another operation?"
            ),
        ),
        Some(_) => ReadError::new(
            ReadErrorKind::NotJson,
            format!(
                "expected lineage as JSON, found text that starts with `{head}`; a proxy's page or an export in \
                 another format looks like this"
            ),
        ),
    }
}

/// Enough of a body for a snippet of it.
fn head_of(body: &[u8]) -> &[u8] {
    body.get(..SNIPPET * 4).unwrap_or(body)
}

fn too_large(limit: u64) -> ReadError {
    ReadError::new(
        ReadErrorKind::TooLarge,
        format!("the body is longer than the limit of {limit} bytes; raise it with `Reader::max_bytes`"),
    )
}

fn malformed(reason: &str, json: &Json<impl Window>) -> ReadError {
    let reason = shorten(reason, 100);
    ReadError::new(ReadErrorKind::Malformed, format!("the JSON is malformed: {reason}, near `{}`", near(json)))
}

/// The few characters up to where the parser is.
fn near(json: &Json<impl Window>) -> String {
    let (before, after) = json.around();
    let from = before.len().saturating_sub(SNIPPET);
    let mut near = before.get(from..).unwrap_or_default().to_vec();
    near.extend(after.first());
    let near = String::from_utf8_lossy(&near);
    shorten(near.trim_matches('\u{fffd}'), SNIPPET)
}
