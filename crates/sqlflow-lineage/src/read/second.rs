//! A second document in one file, which must not be taken for text that came after the first.

use super::super::error::{ReadError, ReadErrorKind, TextPosition};
use super::builder::Builder;
use super::envelope::RootSeed;
use super::json::JsonParser;
use super::window::{SliceWindow, pass};

use serde::de::DeserializeSeed;

/// The number of places in the text after a document that are tried. A log that has more of them is a log.
const MAX_ATTEMPTS: usize = 16;

/// Refuses what comes after a document if it holds another one.
///
/// An object right after the document is one, sound or not. After other text, such as an error log, an object that holds
/// lineage is one if it begins a line.
pub(super) fn check(rest: &[u8], end: TextPosition) -> Result<(), ReadError> {
    let text = rest.trim_ascii_start();
    let start = rest.len() - text.len();
    let separated = text.strip_prefix(b",").map_or(text, <[u8]>::trim_ascii_start);
    if separated.first() == Some(&b'{') {
        return Err(several(rest, start + text.len() - separated.len(), end));
    }
    let mut line_starts =
        std::iter::once(0).chain(rest.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1));
    let begins_object = |&at: &usize| rest.get(at..).is_some_and(|line| first_of_line(line) == Some(b'{'));
    let found = line_starts
        .by_ref()
        .filter(begins_object)
        .take(MAX_ATTEMPTS)
        .find(|&at| is_lineage(rest.get(at..).unwrap_or_default()));
    match found {
        Some(at) => Err(several(rest, at, end)),
        None => Ok(()),
    }
}

/// Returns the first byte of a line that is not white space.
fn first_of_line(line: &[u8]) -> Option<u8> {
    line.iter().copied().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r'))
}

fn is_lineage(text: &[u8]) -> bool {
    let mut builder = Builder::default();
    let mut json = JsonParser::new(SliceWindow::new(text));
    RootSeed(&mut builder).deserialize(&mut json).is_ok() && builder.envelope.is_lineage
}

fn several(rest: &[u8], at: usize, end: TextPosition) -> ReadError {
    let mut position = end;
    pass(&mut position, rest.get(..at).unwrap_or_default());
    let detail = "a second document begins after the first one; read each document by itself and merge the lineages";
    ReadError::new(ReadErrorKind::SeveralDocuments, detail).at(position)
}
