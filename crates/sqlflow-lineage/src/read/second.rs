//! A second document in one file, which must not be taken for text that came after the first.

use std::borrow::Cow;

use super::super::error::{ReadError, ReadErrorKind, TextPosition};
use super::builder::Builder;
use super::envelope::RootSeed;
use super::json::{JsonError, JsonErrorKind, JsonParser};
use super::window::{SliceWindow, pass};

use serde::de::DeserializeSeed;

/// The number of times that the text after a document may be parsed. A log of JSON is parsed once, because what was
/// parsed is skipped; only text that was made to be parsed again and again takes more.
const MAX_PASSES: usize = 4;
/// The least that an attempt to parse counts, in bytes.
const MIN_ATTEMPT: usize = 64;

/// Refuses what comes after a document if it holds another one.
///
/// An object right after the document is one, sound or not. After other text, such as an error log, an object that holds
/// lineage is one if it begins a line, even if it is truncated.
pub(super) fn check(rest: &[u8], end: TextPosition) -> Result<(), ReadError> {
    let whole = as_text(rest);
    // The text is kept without the white space around it, and must be judged in the same way when it is read again.
    let text = whole.trim();
    let skipped = whole.len() - whole.trim_start().len();
    let begin = text.len() - text.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ',' || is_mark(c)).len();
    if text.get(begin..).is_some_and(|text| text.starts_with('{')) {
        return Err(several(rest, skipped + begin, end));
    }
    match lineage_in(text) {
        Some(at) => Err(several(rest, skipped + at, end)),
        None => Ok(()),
    }
}

/// Returns `true` for what tools write before a document or between two: the byte order mark of a file that was appended,
/// the separator of JSON text sequences, and zeros.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{feff}' | '\u{1e}' | '\0')
}

/// Returns text of the same length, with question marks for what is not UTF-8: a log can be in any encoding.
fn as_text(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.into();
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '?'));
    }
    text.into()
}

/// Returns the place of the first object with lineage that begins a line, perhaps after the bracket of an array.
fn lineage_in(text: &str) -> Option<usize> {
    let mut budget = text.len().saturating_mul(MAX_PASSES).saturating_add(MIN_ATTEMPT);
    let mut line = 0;
    while let Some(rest) = text.get(line..) {
        let object = rest.trim_start_matches(|c: char| matches!(c, ' ' | '\t' | '\r' | '[' | ',' | ';') || is_mark(c));
        let at = text.len() - object.len();
        let mut next = at;
        if object.starts_with('{') {
            let attempt = Attempt::new(object);
            if attempt.holds_lineage {
                return Some(at);
            }
            budget = budget.checked_sub(attempt.parsed.max(MIN_ATTEMPT))?;
            next += if attempt.is_whole { attempt.parsed } else { 0 };
        }
        line = next + text.get(next..)?.find('\n')? + 1;
    }
    None
}

/// The part that was read of an object which may be a document.
struct Attempt {
    holds_lineage: bool,
    /// `true` if it is sound JSON.
    is_whole: bool,
    /// The number of bytes that were parsed.
    parsed: usize,
}

impl Attempt {
    fn new(text: &str) -> Self {
        let mut builder = Builder::default();
        let mut json = JsonParser::new(SliceWindow::of_text(text));
        let result = RootSeed(&mut builder).deserialize(&mut json).map_err(JsonError::into_kind);
        let is_sound = matches!(result, Ok(()) | Err(JsonErrorKind::End));
        let model = &builder.model;
        // Lines of a log can have fields such as `mode` too.
        let has_records = !model.objects.is_empty()
            || !model.relationships.is_empty()
            || !model.processes.is_empty()
            || !model.scopes.is_empty()
            || model.summary.is_some();
        Self { holds_lineage: is_sound && has_records, is_whole: result.is_ok(), parsed: json.at() }
    }
}

fn several(rest: &[u8], at: usize, end: TextPosition) -> ReadError {
    let mut position = end;
    pass(&mut position, rest.get(..at).unwrap_or_default());
    let detail = "a second document begins after the first one; read each document by itself and merge the lineages";
    ReadError::new(ReadErrorKind::SeveralDocuments, detail).at(position)
}
