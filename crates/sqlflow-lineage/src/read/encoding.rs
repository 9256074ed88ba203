//! The encodings in which people have documents: UTF-8, UTF-16 as some shells write it, and gzip around either.

use std::io::{self, Cursor, Read};

/// The number of bytes from which an encoding is recognised.
const HEAD: usize = 4;

/// A byte that occurs in no UTF-8 text. It takes the place of what is not UTF-16, so that the parser refuses both in the
/// same way.
const NOT_TEXT: u8 = 0xff;

/// The encoding of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// UTF-8, or something that is no text.
    Utf8,
    Utf16(ByteOrder),
    Gzip,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByteOrder {
    Little,
    Big,
}

impl Encoding {
    /// Recognises the encoding of a document that begins with some bytes: by a mark, or because JSON begins with an ASCII
    /// character, which UTF-16 writes with a zero.
    pub(super) fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0xff, 0xfe, ..] | [1..=0x7f, 0, ..] => Self::Utf16(ByteOrder::Little),
            [0xfe, 0xff, ..] | [0, 1..=0x7f, ..] => Self::Utf16(ByteOrder::Big),
            _ => Self::Utf8,
        }
    }
}

/// Returns the first bytes of a reader, and a reader that yields them again.
pub(super) fn peek<R: Read>(mut reader: R) -> io::Result<(Vec<u8>, impl Read)> {
    let mut head = Vec::with_capacity(HEAD);
    let mut byte = [0];
    while head.len() < HEAD {
        match reader.read(&mut byte) {
            Ok(0) => break,
            Ok(_) => head.extend(byte),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok((head.clone(), Cursor::new(head).chain(reader)))
}

/// The UTF-8 of a reader whose bytes are UTF-16.
pub(super) struct Utf16Reader<R> {
    reader: R,
    order: ByteOrder,
    /// The bytes that were read and not decoded yet: half a code unit, or a code unit that begins a pair.
    pending: Vec<u8>,
    /// The text that was decoded and not passed on yet.
    text: Vec<u8>,
    taken: usize,
    has_ended: bool,
}

impl<R: Read> Utf16Reader<R> {
    const BUFFER: usize = 16 * 1024;

    pub(super) fn new(reader: R, order: ByteOrder) -> Self {
        Self { reader, order, pending: Vec::new(), text: Vec::new(), taken: 0, has_ended: false }
    }

    /// Reads and decodes more text. There is none if the document has ended.
    fn advance(&mut self) -> io::Result<()> {
        self.text.clear();
        self.taken = 0;
        while self.text.is_empty() && !self.has_ended {
            let kept = self.pending.len();
            self.pending.resize(kept + Self::BUFFER, 0);
            let got = match self.reader.read(self.pending.get_mut(kept..).unwrap_or_default()) {
                Ok(got) => got,
                Err(error) => {
                    self.pending.truncate(kept);
                    return Err(error);
                }
            };
            self.pending.truncate(kept + got);
            self.has_ended = got == 0;
            self.decode();
        }
        Ok(())
    }

    /// Decodes all pending bytes but the incomplete character at their end, unless the document has ended.
    fn decode(&mut self) {
        let unit = |bytes: &[u8]| match (bytes, self.order) {
            (&[first, second], ByteOrder::Little) => u16::from_le_bytes([first, second]),
            (&[first, second], ByteOrder::Big) => u16::from_be_bytes([first, second]),
            _ => 0,
        };
        let mut units: Vec<u16> = self.pending.chunks_exact(2).map(unit).collect();
        if !self.has_ended && units.last().is_some_and(|last| (0xd800..0xdc00).contains(last)) {
            units.pop();
        }
        let mut utf8 = [0; 4];
        for character in char::decode_utf16(units.iter().copied()) {
            match character {
                Ok(character) => self.text.extend_from_slice(character.encode_utf8(&mut utf8).as_bytes()),
                Err(_) => self.text.push(NOT_TEXT),
            }
        }
        self.pending.drain(..units.len() * 2);
        if self.has_ended && !self.pending.is_empty() {
            self.pending.clear();
            self.text.push(NOT_TEXT);
        }
    }
}

impl<R: Read> Read for Utf16Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.text.len() {
            self.advance()?;
        }
        let left = self.text.get(self.taken..).unwrap_or_default();
        let count = left.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), left.get(..count)) {
            to.copy_from_slice(from);
        }
        self.taken += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8], order: ByteOrder) -> Vec<u8> {
        // One byte at a time, so that characters are cut everywhere.
        struct Slowly<'b>(&'b [u8]);
        impl Read for Slowly<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let count = self.0.len().min(buffer.len()).min(1);
                buffer[..count].copy_from_slice(&self.0[..count]);
                self.0 = &self.0[count..];
                Ok(count)
            }
        }
        let mut text = Vec::new();
        Utf16Reader::new(Slowly(bytes), order).read_to_end(&mut text).unwrap();
        text
    }

    #[test]
    fn utf16_of_both_byte_orders_becomes_utf8() {
        let text = "a → 🙂 é";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(decoded(&little, ByteOrder::Little), text.as_bytes());
        assert_eq!(decoded(&big, ByteOrder::Big), text.as_bytes());
    }

    #[test]
    fn what_is_not_utf16_is_no_text() {
        assert_eq!(decoded(&[0x3d, 0xd8, b'a', 0], ByteOrder::Little), [NOT_TEXT, b'a']);
        assert_eq!(decoded(&[b'a', 0, 0x3d], ByteOrder::Little), [b'a', NOT_TEXT]);
        assert_eq!(decoded(&[0x3d, 0xd8], ByteOrder::Little), [NOT_TEXT]);
    }

    #[test]
    fn an_encoding_is_recognised_by_its_first_bytes() {
        for (head, encoding) in [
            (b"{\"co".as_slice(), Encoding::Utf8),
            (b"\xef\xbb\xbf{", Encoding::Utf8),
            (b"", Encoding::Utf8),
            (b"{", Encoding::Utf8),
            (b"\0\0\0\0", Encoding::Utf8),
            (b"\xff\xfe{\0", Encoding::Utf16(ByteOrder::Little)),
            (b"{\0\"\0", Encoding::Utf16(ByteOrder::Little)),
            (b"\xfe\xff\0{", Encoding::Utf16(ByteOrder::Big)),
            (b"\0\n\0{", Encoding::Utf16(ByteOrder::Big)),
            (b"\x1f\x8b\x08\0", Encoding::Gzip),
        ] {
            assert_eq!(Encoding::of(head), encoding, "{head:?}");
        }
    }
}
