//! The text of a document as a window that moves forward, from memory or from a reader with a limit on the size.

use std::io::{self, Read};
use std::str::Utf8Error;

use super::super::error::TextPosition;

/// The number of bytes that are requested from a reader at once.
const BUFFER: usize = 64 * 1024;
/// The number of parsed bytes that stay in the window, to show the context of an error.
const CONTEXT: usize = 256;

/// A part of a document that can move forward.
pub(super) trait Window {
    fn text(&self) -> &str;

    /// Extends the text, and may drop what lies before `from`. Returns the number of bytes that were dropped, or `None`
    /// if there is no more text.
    fn advance(&mut self, from: usize) -> Option<usize>;

    /// Returns the reason why there is no more text, unless the document ended.
    fn take_stop(&mut self) -> Option<StopReason>;

    /// Returns the bytes after the text that are in the window and are not UTF-8.
    fn pending(&self) -> &[u8];

    /// Returns everything from an index in the text to the end of the document.
    fn rest(&mut self, from: usize) -> Result<Vec<u8>, StopReason>;

    /// Returns the position in the document of an index in the text.
    fn position(&self, at: usize) -> TextPosition;
}

/// The reason why a window has no more text, although the document did not end.
#[derive(Debug)]
pub(super) enum StopReason {
    TooLarge,
    NotUtf8,
    Io(io::Error),
}

/// A document in memory.
pub(super) struct SliceWindow<'b> {
    document: &'b [u8],
    /// The beginning of the document that is UTF-8: text of any encoding may come after the JSON.
    text: &'b str,
    /// `true` if the text ends at bytes that are not UTF-8, and not just in the middle of a character.
    is_broken: bool,
}

impl<'b> SliceWindow<'b> {
    /// Creates a window over text that need not be checked.
    pub(super) fn of_text(text: &'b str) -> Self {
        Self { document: text.as_bytes(), text, is_broken: false }
    }

    pub(super) fn new(document: &'b [u8]) -> Self {
        match std::str::from_utf8(document) {
            Ok(text) => Self { document, text, is_broken: false },
            Err(error) => Self { document, text: valid_text(document, error), is_broken: error.error_len().is_some() },
        }
    }
}

impl Window for SliceWindow<'_> {
    fn text(&self) -> &str {
        self.text
    }

    fn advance(&mut self, _: usize) -> Option<usize> {
        None
    }

    fn take_stop(&mut self) -> Option<StopReason> {
        self.is_broken.then_some(StopReason::NotUtf8)
    }

    fn pending(&self) -> &[u8] {
        self.document.get(self.text.len()..).unwrap_or_default()
    }

    fn rest(&mut self, from: usize) -> Result<Vec<u8>, StopReason> {
        Ok(self.document.get(from..).unwrap_or_default().to_vec())
    }

    fn position(&self, at: usize) -> TextPosition {
        let mut position = START;
        pass(&mut position, self.document.get(..at).unwrap_or_default());
        position
    }
}

/// Returns the bytes up to the first that is not UTF-8.
fn valid_text(bytes: &[u8], error: Utf8Error) -> &str {
    let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
    std::str::from_utf8(valid).unwrap_or_default()
}

const START: TextPosition = TextPosition { offset: 0, line: 1, column: 1 };

/// Moves a position past some bytes.
pub(super) fn pass(position: &mut TextPosition, bytes: &[u8]) {
    position.offset += bytes.len() as u64;
    // The chunks are so short that a byte can count their lines, which makes this fast.
    let count = |chunk: &[u8]| chunk.iter().map(|byte| u8::from(*byte == b'\n')).sum::<u8>();
    let lines: u64 = bytes.chunks(255).map(|chunk| u64::from(count(chunk))).sum();
    if lines == 0 {
        position.column += bytes.len() as u64;
    } else {
        position.line += lines;
        position.column = 1 + bytes.iter().rev().take_while(|byte| **byte != b'\n').count() as u64;
    }
}

/// A document from a reader.
pub(super) struct ReaderWindow<R> {
    reader: R,
    text: String,
    /// The position of the text in the document.
    start: TextPosition,
    buffer: Vec<u8>,
    /// The number of bytes at the start of the buffer that were read but are not in the text: an incomplete character,
    /// or bytes that are not UTF-8.
    pending: usize,
    taken: u64,
    limit: u64,
    stop: Option<StopReason>,
}

impl<R: Read> ReaderWindow<R> {
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

    /// Reads into the buffer after the pending bytes and returns the number of bytes read.
    fn read(&mut self, pending: usize) -> Result<usize, StopReason> {
        let got = loop {
            let room = self.buffer.get_mut(pending..).unwrap_or_default();
            match self.reader.read(room) {
                Ok(got) => break got.min(room.len()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(StopReason::Io(error)),
            }
        };
        self.taken += got as u64;
        if self.taken > self.limit {
            return Err(StopReason::TooLarge);
        }
        Ok(got)
    }

    /// Moves the first bytes of the buffer to the text, as far as they are UTF-8.
    fn take_text(&mut self, len: usize) {
        let bytes = self.buffer.get(..len).unwrap_or_default();
        let valid = match std::str::from_utf8(bytes) {
            Ok(text) => {
                self.text.push_str(text);
                len
            }
            Err(error) => {
                // Otherwise a character is incomplete, and the next bytes complete it.
                if error.error_len().is_some() {
                    self.stop = Some(StopReason::NotUtf8);
                }
                self.text.push_str(valid_text(bytes, error));
                error.valid_up_to()
            }
        };
        self.buffer.copy_within(valid..len, 0);
        self.pending = len - valid;
    }
}

impl<R: Read> Window for ReaderWindow<R> {
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

    fn take_stop(&mut self) -> Option<StopReason> {
        self.stop.take()
    }

    fn pending(&self) -> &[u8] {
        self.buffer.get(..self.pending).unwrap_or_default()
    }

    fn rest(&mut self, from: usize) -> Result<Vec<u8>, StopReason> {
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
