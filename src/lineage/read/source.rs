//! Bytes for the parser from any reader: buffered, counted, limited, and with the last few at hand for an error.

use std::io::{self, Read};

const BUFFER: usize = 64 * 1024;

/// Why a source gave no more bytes before its end.
#[derive(Debug)]
pub(super) enum Stop {
    TooLarge,
    Io(io::Error),
}

pub(super) struct Source<R> {
    reader: R,
    buffer: Vec<u8>,
    at: usize,
    end: usize,
    /// Bytes of the body that were in buffers before this one.
    before: u64,
    limit: u64,
    stop: Option<Stop>,
}

impl<R: Read> Source<R> {
    pub(super) fn new(reader: R, limit: u64) -> Self {
        Self { reader, buffer: vec![0; BUFFER], at: 0, end: 0, before: 0, limit, stop: None }
    }

    /// Bytes given out so far.
    pub(super) fn offset(&self) -> u64 {
        self.before + self.at as u64
    }

    /// The last bytes given out, or before the first one what comes next.
    pub(super) fn seen(&self) -> &[u8] {
        let range = if self.offset() == 0 || self.at == 0 { self.at..self.end } else { 0..self.at };
        self.buffer.get(range).unwrap_or_default()
    }

    pub(super) fn take_stop(&mut self) -> Option<Stop> {
        self.stop.take()
    }

    /// Skips a byte order mark and white space; answers the byte that comes next, which is not consumed.
    pub(super) fn skip_to_json(&mut self) -> Result<Option<u8>, Stop> {
        const MARK: [u8; 3] = [0xef, 0xbb, 0xbf];
        loop {
            match self.peek()? {
                Some(byte) if byte.is_ascii_whitespace() => self.at += 1,
                Some(byte) if self.offset() < 3 && MARK.get(self.at) == Some(&byte) => self.at += 1,
                next => return Ok(next),
            }
        }
    }

    /// Everything that was not given out yet.
    pub(super) fn rest(&mut self) -> Result<Vec<u8>, Stop> {
        let mut rest = Vec::new();
        while self.peek()?.is_some() {
            rest.extend_from_slice(self.buffer.get(self.at..self.end).unwrap_or_default());
            self.at = self.end;
        }
        Ok(rest)
    }

    fn peek(&mut self) -> Result<Option<u8>, Stop> {
        if self.at == self.end {
            self.fill()?;
        }
        Ok(self.buffer.get(self.at..self.end).and_then(|left| left.first()).copied())
    }

    #[cold]
    fn fill(&mut self) -> Result<(), Stop> {
        let got = loop {
            match self.reader.read(&mut self.buffer) {
                Ok(got) => break got.min(self.buffer.len()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Stop::Io(error)),
            }
        };
        if got == 0 {
            // The buffer stays as it is: an error about a body that ended shows what came last.
            return Ok(());
        }
        self.before += self.end as u64;
        self.at = 0;
        self.end = got;
        if self.before + got as u64 > self.limit {
            return Err(Stop::TooLarge);
        }
        Ok(())
    }
}

impl<R: Read> Read for Source<R> {
    // The parser asks for one byte at a time.
    #[inline]
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.end
            && let Err(stop) = self.fill()
        {
            self.stop = Some(stop);
            return Err(io::Error::other("the body could not be read to its end"));
        }
        let left = self.buffer.get(self.at..self.end).unwrap_or_default();
        let n = left.len().min(out.len());
        if let (Some(to), Some(from)) = (out.get_mut(..n), left.get(..n)) {
            to.copy_from_slice(from);
        }
        self.at += n;
        Ok(n)
    }
}
