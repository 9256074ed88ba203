//! Text for the parser, from memory or from any reader: never more at hand than it works on, counted and limited.

use std::io::{self, Read};
use std::str::Utf8Error;

use super::super::error::TextPosition;

/// How much is asked of a reader at once.
const BUFFER: usize = 64 * 1024;
/// How much of what was parsed stays at hand, to show where an error is.
const CONTEXT: usize = 256;

/// A part of a body that can move forward.
pub(super) trait Window {
    fn text(&self) -> &str;

    /// Makes the text go on, and may forget what lies before `from`: answers how many bytes were forgotten, or `None`
    /// if there is no more.
    fn advance(&mut self, from: usize) -> Option<usize>;

    /// Why there was no more, if not because the body ended.
    fn take_stop(&mut self) -> Option<Stop>;

    /// The bytes behind the text that are at hand and are no text.
    fn pending(&self) -> &[u8];

    /// Everything from a position in the text to the body's end.
    fn rest(&mut self, from: usize) -> Result<Vec<u8>, Stop>;

    /// Where in the body a position in the text is.
    fn position(&self, at: usize) -> TextPosition;
}

/// Why a window gave no more before the body's end.
#[derive(Debug)]
pub(super) enum Stop {
    TooLarge,
    NotText,
    Io(io::Error),
}

/// A body in memory.
pub(super) struct Whole<'b> {
    body: &'b [u8],
    /// As much of it as is UTF-8: text of any encoding may come after the JSON.
    text: &'b str,
    /// Whether it ends at bytes that are no UTF-8, and not just in the middle of a character.
    is_broken: bool,
}

impl<'b> Whole<'b> {
    pub(super) fn new(body: &'b [u8]) -> Self {
        match std::str::from_utf8(body) {
            Ok(text) => Self { body, text, is_broken: false },
            Err(error) => Self { body, text: valid_text(body, error), is_broken: error.error_len().is_some() },
        }
    }
}

impl Window for Whole<'_> {
    fn text(&self) -> &str {
        self.text
    }

    fn advance(&mut self, _: usize) -> Option<usize> {
        None
    }

    fn take_stop(&mut self) -> Option<Stop> {
        self.is_broken.then_some(Stop::NotText)
    }

    fn pending(&self) -> &[u8] {
        self.body.get(self.text.len()..).unwrap_or_default()
    }

    fn rest(&mut self, from: usize) -> Result<Vec<u8>, Stop> {
        Ok(self.body.get(from..).unwrap_or_default().to_vec())
    }

    fn position(&self, at: usize) -> TextPosition {
        let mut position = START;
        pass(&mut position, self.body.get(..at).unwrap_or_default());
        position
    }
}

/// The bytes up to the first that is no UTF-8.
fn valid_text(bytes: &[u8], error: Utf8Error) -> &str {
    let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
    std::str::from_utf8(valid).unwrap_or_default()
}

const START: TextPosition = TextPosition { offset: 0, line: 1, column: 1 };

/// Moves a position behind some bytes.
fn pass(position: &mut TextPosition, bytes: &[u8]) {
    position.offset += bytes.len() as u64;
    // In chunks that a byte can count, which is what makes it fast.
    let count = |chunk: &[u8]| chunk.iter().map(|byte| u8::from(*byte == b'\n')).sum::<u8>();
    let lines: u64 = bytes.chunks(255).map(|chunk| u64::from(count(chunk))).sum();
    if lines == 0 {
        position.column += bytes.len() as u64;
    } else {
        position.line += lines;
        position.column = 1 + bytes.iter().rev().take_while(|byte| **byte != b'\n').count() as u64;
    }
}

/// A body from a reader.
pub(super) struct Source<R> {
    reader: R,
    text: String,
    /// Where the text begins in the body.
    start: TextPosition,
    buffer: Vec<u8>,
    /// How many bytes at the start of the buffer were read but are no text yet: a character that is not whole, or
    /// bytes that are no UTF-8.
    pending: usize,
    taken: u64,
    limit: u64,
    stop: Option<Stop>,
}

impl<R: Read> Source<R> {
    pub(super) fn new(reader: R, limit: u64) -> Self {
        Self {
            reader,
            text: String::new(),
            start: START,
            buffer: vec![0; BUFFER],
            pending: 0,
            taken: 0,
            limit,
            stop: None,
        }
    }

    /// Reads into the buffer behind what is pending; answers how much came.
    fn read(&mut self, pending: usize) -> Result<usize, Stop> {
        let got = loop {
            let room = self.buffer.get_mut(pending..).unwrap_or_default();
            match self.reader.read(room) {
                Ok(got) => break got.min(room.len()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Stop::Io(error)),
            }
        };
        self.taken += got as u64;
        if self.taken > self.limit {
            return Err(Stop::TooLarge);
        }
        Ok(got)
    }

    /// Makes text of the first bytes of the buffer, as far as they are text.
    fn take_text(&mut self, len: usize) {
        let bytes = self.buffer.get(..len).unwrap_or_default();
        let valid = match std::str::from_utf8(bytes) {
            Ok(text) => {
                self.text.push_str(text);
                len
            }
            Err(error) => {
                // Otherwise a character is not whole, and goes on with what comes next.
                if error.error_len().is_some() {
                    self.stop = Some(Stop::NotText);
                }
                self.text.push_str(valid_text(bytes, error));
                error.valid_up_to()
            }
        };
        self.buffer.copy_within(valid..len, 0);
        self.pending = len - valid;
    }
}

impl<R: Read> Window for Source<R> {
    fn text(&self) -> &str {
        &self.text
    }

    fn advance(&mut self, from: usize) -> Option<usize> {
        let before = self.text.len();
        while self.text.len() == before {
            if self.stop.is_some() {
                return None;
            }
            match self.read(self.pending) {
                Ok(0) => return None,
                Ok(got) => self.take_text(self.pending + got),
                Err(stop) => self.stop = Some(stop),
            }
        }
        let mut forgotten = from.min(before).saturating_sub(CONTEXT);
        while !self.text.is_char_boundary(forgotten) {
            forgotten -= 1;
        }
        pass(&mut self.start, self.text.as_bytes().get(..forgotten).unwrap_or_default());
        self.text.drain(..forgotten);
        Some(forgotten)
    }

    fn take_stop(&mut self) -> Option<Stop> {
        self.stop.take()
    }

    fn pending(&self) -> &[u8] {
        self.buffer.get(..self.pending).unwrap_or_default()
    }

    fn rest(&mut self, from: usize) -> Result<Vec<u8>, Stop> {
        let mut rest = self.text.as_bytes().get(from..).unwrap_or_default().to_vec();
        rest.extend_from_slice(self.pending());
        loop {
            let got = self.read(0)?;
            match self.buffer.get(..got) {
                Some(bytes) if got > 0 => rest.extend_from_slice(bytes),
                _ => return Ok(rest),
            }
        }
    }

    fn position(&self, at: usize) -> TextPosition {
        let mut position = self.start;
        pass(&mut position, self.text.as_bytes().get(..at).unwrap_or_default());
        position
    }
}
