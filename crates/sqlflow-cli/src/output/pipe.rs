//! A pipe whose reader may leave.

use std::io::{self, Write};

/// Something that a program may read from. A reader that leaves, such as `head`, has seen enough: what is written from
/// then on is dropped, so that the command goes on and its exit code still tells the truth.
pub(crate) struct Pipe<W> {
    writer: W,
    reader_left: bool,
}

impl<W: Write> Pipe<W> {
    pub(super) fn new(writer: W) -> Self {
        Self { writer, reader_left: false }
    }

    /// Returns `true` if nobody reads any more.
    pub(super) fn reader_left(&self) -> bool {
        self.reader_left
    }

    /// Does something with the writer, unless the reader has left or leaves now; `otherwise` is the result then.
    fn unless_left<T>(&mut self, otherwise: T, action: impl FnOnce(&mut W) -> io::Result<T>) -> io::Result<T> {
        if self.reader_left {
            return Ok(otherwise);
        }
        match action(&mut self.writer) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.reader_left = true;
                Ok(otherwise)
            }
            outcome => outcome,
        }
    }
}

impl<W: Write> Write for Pipe<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.unless_left(bytes.len(), |writer| writer.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.unless_left((), W::flush)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails with an error of this kind.
    struct Failing(io::ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn a_reader_that_leaves_is_no_error() {
        let mut gone = Pipe::new(Failing(io::ErrorKind::BrokenPipe));
        assert!(!gone.reader_left());
        gone.write_all(b"text").unwrap();
        serde_json::to_writer(&mut gone, &[1, 2]).unwrap();
        gone.flush().unwrap();
        assert!(gone.reader_left());
        let mut full = Pipe::new(Failing(io::ErrorKind::StorageFull));
        assert!(full.write_all(b"text").is_err() && full.flush().is_err());
        assert!(!full.reader_left());
    }
}
