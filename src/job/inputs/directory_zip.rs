//! Packing a directory into a temporary zip file, one member at a time and in chunks, so that the length of the upload is
//! known and memory use stays low.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::Packing;
use super::members::{Member, members};
use crate::wire::{TemporaryFile, open_regular_file};
use crate::{Error, ErrorKind, Result};

/// The number of bytes that are read at once, and after which the packing ends if the submission was dropped.
const CHUNK_BYTES: usize = 64 * 1024;

/// A directory to pack.
pub(super) struct DirectoryZip<'a> {
    pub(super) directory: &'a Path,
    pub(super) packing: &'a Packing<'a>,
}

impl DirectoryZip<'_> {
    /// Packs everything below the directory.
    pub(super) fn create(&self) -> Result<TemporaryFile> {
        let members = members(self.directory, self.packing)?;
        if members.is_empty() {
            return Err(Error::invalid(format!("{} contains no files to submit", self.directory.display())));
        }
        let (temporary, file) = TemporaryFile::create().map_err(|error| self.failed(self.directory, &error))?;
        let mut zip = ZipWriter::new(LimitedFile { file, written: 0, limit: self.packing.limit });
        for member in &members {
            self.add(&mut zip, member).map_err(|error| self.failed(&member.path, &error))?;
        }
        zip.finish().map_err(|error| self.failed(self.directory, &error.into()))?;
        Ok(temporary)
    }

    fn add(&self, zip: &mut ZipWriter<LimitedFile>, member: &Member) -> io::Result<()> {
        let mut file = open_regular_file(&member.path)?;
        let is_huge = file.metadata()?.len() >= u64::from(u32::MAX);
        zip.start_file(&member.name, SimpleFileOptions::default().large_file(is_huge))?;
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            self.packing.check_cancelled()?;
            match file.read(&mut chunk) {
                Ok(0) => return Ok(()),
                Ok(length) => zip.write_all(&chunk[..length])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn failed(&self, path: &Path, error: &io::Error) -> Error {
        if error.kind() != io::ErrorKind::FileTooLarge {
            return Error::io(format_args!("cannot zip {}", path.display()), error);
        }
        let text = format!(
            "{} is over the upload limit of {} bytes even as a zip file: submit parts of it",
            self.directory.display(),
            self.packing.limit
        );
        Error::new(ErrorKind::TooLarge, text)
    }
}

/// A temporary file that stops at the upload limit, so that a zip file that cannot be sent does not fill the disk.
///
/// The write that exceeds the limit fails. Later ones are ignored, because `ZipWriter` writes again when it is dropped.
struct LimitedFile {
    file: fs::File,
    written: u64,
    limit: u64,
}

impl io::Write for LimitedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.written > self.limit {
            return Ok(bytes.len());
        }
        let written = self.file.write(bytes)?;
        self.written += written as u64;
        if self.written > self.limit { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(written) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl io::Seek for LimitedFile {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::{Duration, Instant};

    use tokio_util::sync::CancellationToken;

    use super::*;

    #[test]
    fn packing_ends_within_100_milliseconds_after_the_submission_was_dropped() {
        let home = tempfile::tempdir().unwrap();
        // The file is sparse. To pack all of it would take an hour.
        fs::File::create(home.path().join("zeros.sql")).unwrap().set_len(1 << 42).unwrap();
        let mut fastest = Duration::MAX;
        for _ in 0..5 {
            let cancellation = CancellationToken::new();
            let packing = Packing { limit: u64::MAX, follows_links: false, cancellation: &cancellation };
            let (ended, wait) = mpsc::channel();
            thread::scope(|scope| {
                let packing = &packing;
                let directory = home.path();
                scope.spawn(move || ended.send(DirectoryZip { directory, packing }.create().is_err()).unwrap());
                assert!(wait.recv_timeout(Duration::from_millis(50)).is_err(), "it ended too early");
                let dropped = Instant::now();
                cancellation.cancel();
                assert!(wait.recv_timeout(Duration::from_secs(60)).unwrap());
                fastest = fastest.min(dropped.elapsed());
            });
        }
        // The fastest of some, because other processes may delay each.
        assert!(fastest < Duration::from_millis(100), "{fastest:?}");
    }
}
