//! A multipart form whose files are read while it is sent, each from when the turn of the one before comes.
//!
//! `reqwest` has multipart forms too, but each part of one is a stream around the parts before it: the stack would limit
//! the number of files.

use std::fs::File as DiskFile;
use std::future::ready;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::task::Poll;
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, Stream, StreamExt as _, TryStreamExt as _};
use reqwest::Body;
use tokio::task::{JoinHandle, spawn_blocking};

use super::upload_progress::SendProgress;
use crate::wire::{File, FileContent, open_regular_file};
use crate::{Error, ErrorKind, Result};

/// The number of bytes of a file that are read at once.
const READ_BYTES: usize = 512 * 1024;
/// The number of bytes that are given to the connection at once. Each chunk that it takes shows that the upload makes
/// progress, so a slow connection must take one in less time than that of a stall.
const CHUNK_BYTES: usize = 64 * 1024;
/// The number of files that are open: the one that is sent, and the next one, whose beginning is read meanwhile.
const OPEN_FILES: usize = 2;

/// Returns the lengths of files.
///
/// # Errors
/// `TooLarge` when their sum is over the limit, and `Io` for a file that cannot be read.
pub(super) async fn lengths(files: &[File], limit: u64) -> Result<Vec<u64>> {
    let mut lengths = Vec::with_capacity(files.len());
    for file in files {
        lengths.push(file.len().await?);
    }
    let total: u64 = lengths.iter().sum();
    if total <= limit {
        return Ok(lengths);
    }
    let text = format!(
        "the files have {total} bytes in total, over the upload limit of {limit}: submit fewer at once, or zip them"
    );
    Err(Error::new(ErrorKind::TooLarge, text))
}

/// A form to which fields are added, and then the files.
pub(super) struct Multipart {
    boundary: String,
    fields: Vec<u8>,
}

impl Multipart {
    pub(super) fn new() -> Self {
        // Content that contains the boundary would end its part. Nobody can know these 256 bits beforehand.
        let boundary = format!("{:032x}{:032x}", fastrand::u128(..), fastrand::u128(..));
        Self { boundary, fields: Vec::new() }
    }

    pub(super) fn content_type(&self) -> String {
        format!("multipart/form-data; boundary={}", self.boundary)
    }

    pub(super) fn add_field(&mut self, name: &str, value: &str) {
        let head = format!("--{}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n", self.boundary);
        for text in [&head, value, "\r\n"] {
            self.fields.extend_from_slice(text.as_bytes());
        }
    }

    /// Returns the length of the form and its bytes, with files of the given lengths.
    pub(super) fn with_files(
        self,
        field: &'static str,
        files: impl IntoIterator<Item = (File, u64)>,
        progress: &SendProgress,
    ) -> (u64, Body) {
        let (length, chunks) = self.chunks(field, files, progress);
        (length, Body::wrap_stream(chunks))
    }

    fn chunks(
        self,
        field: &'static str,
        files: impl IntoIterator<Item = (File, u64)>,
        progress: &SendProgress,
    ) -> (u64, BoxStream<'static, io::Result<Bytes>>) {
        let part = |(file, length): (File, u64)| (self.file_head(field, file.name()), file, length);
        let files: Vec<_> = files.into_iter().map(part).collect();
        let end = format!("--{}--\r\n", self.boundary);
        let with_parts = |sum, (head, _, length): &(String, _, u64)| sum + head.len() as u64 + length + 2;
        let length = files.iter().fold((self.fields.len() + end.len()) as u64, with_parts);
        let (progress, count) = (progress.clone(), files.len());
        let parts = stream::iter(files).enumerate().map(move |(index, (head, file, length))| {
            let content = with_end_check(content(file, length, &progress), progress.clone(), index + 1 == count);
            ready(once(head).chain(content).chain(once("\r\n")))
        });
        let parts = parts.buffered(OPEN_FILES).flatten();
        (length, once(self.fields).chain(parts).chain(once(end)).boxed())
    }

    fn file_head(&self, field: &str, name: &str) -> String {
        // Browsers escape line breaks in the same way. One would end the header that contains the name.
        let name = name.replace('\r', "%0D").replace('\n', "%0A").replace('\\', "\\\\").replace('"', "\\\"");
        let boundary = &self.boundary;
        format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\n\r\n")
    }
}

fn once(bytes: impl Into<Bytes>) -> impl Stream<Item = io::Result<Bytes>> {
    stream::once(ready(Ok(bytes.into())))
}

/// Returns the bytes of a file. The reading of one on disk begins at once.
fn content(file: File, length: u64, progress: &SendProgress) -> BoxStream<'static, io::Result<Bytes>> {
    let progress = progress.clone();
    let path: PathBuf = match file.content() {
        FileContent::Memory(bytes) => {
            let chunks = in_chunks(bytes.clone());
            return chunks.inspect(move |chunk: &io::Result<Bytes>| record(&progress, chunk)).boxed();
        }
        FileContent::Disk(path) => path.clone(),
        FileContent::Temporary(file) => file.path().to_owned(),
    };
    // A temporary file must not be deleted while it is read.
    read_chunks(path, length, progress).inspect(move |_| _ = &file).boxed()
}

fn in_chunks(bytes: Bytes) -> impl Stream<Item = io::Result<Bytes>> {
    let starts = (0..bytes.len()).step_by(CHUNK_BYTES);
    stream::iter(starts.map(move |start| Ok(bytes.slice(start..bytes.len().min(start + CHUNK_BYTES)))))
}

/// Records a chunk, or the activity of the one that could not be read.
fn record(progress: &SendProgress, chunk: &io::Result<Bytes>) {
    progress.record_chunk(chunk.as_ref().map_or(0, Bytes::len));
}

/// Adds a check to the end of a file: the end of the last file marks the request as sent, because a server cannot act
/// on a form that ends earlier; and it fails if the request was abandoned, so that such a form never gets complete.
fn with_end_check(
    chunks: impl Stream<Item = io::Result<Bytes>>,
    progress: SendProgress,
    is_last: bool,
) -> impl Stream<Item = io::Result<Bytes>> {
    chunks.chain(stream::poll_fn(move |_| {
        let may_end = !is_last || progress.finish();
        Poll::Ready((!may_end).then(|| Err(io::Error::other("the request was abandoned"))))
    }))
}

/// Opens a file and reads it up to the announced length: a file that grows while it is sent is cut off there, and one that
/// has another length, changes between its first and its second part, or shrinks is an error. The error is recorded in
/// `progress`, because it would otherwise look like a network failure.
fn read_chunks(path: PathBuf, length: u64, progress: SendProgress) -> impl Stream<Item = io::Result<Bytes>> {
    progress.record_activity();
    let activity = progress.clone();
    stream::try_unfold(ReadAhead::opening(path.clone(), length), ReadAhead::next_part)
        .map_ok(in_chunks)
        .try_flatten()
        .inspect(move |chunk| record(&activity, chunk))
        .inspect_err(move |error| progress.set_file_error(Error::unreadable(&path, error)))
}

/// A file of which the next part is read while the one before is sent. No thread waits for the connection.
struct ReadAhead {
    missing: u64,
    /// The reading of the next part, unless nothing is missing.
    reading: Option<JoinHandle<io::Result<Part>>>,
}

/// A part of a file, and the file, of which the next part can be read.
struct Part {
    bytes: Vec<u8>,
    file: DiskFile,
    /// The state of the file when the first part was read, before its turn. The second part must be of the same.
    first_state: Option<FileState>,
}

/// The length of a file and the time of its last change.
type FileState = (u64, Option<SystemTime>);

fn state(file: &DiskFile) -> io::Result<FileState> {
    let metadata = file.metadata()?;
    Ok((metadata.len(), metadata.modified().ok()))
}

impl Part {
    /// Opens a file and reads its first part.
    fn first(path: &Path, length: u64) -> io::Result<Self> {
        let file = open_regular_file(path)?;
        let state = state(&file)?;
        if state.0 != length {
            let text = format!("its size changed from {length} to {} bytes after the upload had begun", state.0);
            return Err(io::Error::other(text));
        }
        Ok(Self { first_state: Some(state), ..Self::read(file, length)? })
    }

    /// Reads the part after this one.
    fn next(self, missing: u64) -> io::Result<Self> {
        // One that became shorter is noticed where its end is missing.
        let is_changed = |first| state(&self.file).is_ok_and(|now| now != first && now.0 >= first.0);
        if self.first_state.is_some_and(is_changed) {
            return Err(io::Error::other("it was changed after the upload had begun"));
        }
        Self::read(self.file, missing)
    }

    /// Reads a part of a file that still has so many bytes.
    fn read(mut file: DiskFile, missing: u64) -> io::Result<Self> {
        let length = usize::try_from(missing).map_or(READ_BYTES, |missing| missing.min(READ_BYTES));
        let mut bytes = Vec::with_capacity(length);
        (&mut file).take(length as u64).read_to_end(&mut bytes)?;
        if bytes.len() < length {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it became shorter while it was sent"));
        }
        Ok(Self { bytes, file, first_state: None })
    }
}

impl ReadAhead {
    fn opening(path: PathBuf, length: u64) -> Self {
        Self { missing: length, reading: Some(spawn_blocking(move || Part::first(&path, length))) }
    }

    async fn next_part(self) -> io::Result<Option<(Bytes, Self)>> {
        let Some(reading) = self.reading else { return Ok(None) };
        let mut part = reading.await??;
        let bytes = std::mem::take(&mut part.bytes);
        let missing = self.missing - bytes.len() as u64;
        let reading = (missing > 0).then(|| spawn_blocking(move || part.next(missing)));
        Ok(Some((bytes.into(), Self { missing, reading })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a test with one thread for files, which are thus read one after the other.
    fn with_one_thread_for_files(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap().block_on(test);
    }

    #[test]
    fn an_error_names_the_file_that_is_changed_after_its_beginning_was_read() {
        with_one_thread_for_files(async {
            let home = tempfile::tempdir().unwrap();
            let paths = ["first.sql", "second.sql"].map(|name| home.path().join(name));
            let length = 2 * READ_BYTES;
            for path in &paths {
                std::fs::write(path, vec![b'-'; length]).unwrap();
            }
            let files = paths.each_ref().map(|path| (File::open(path).unwrap(), length as u64));
            let progress = SendProgress::new(true);
            let (_, mut chunks) = Multipart::new().chunks("sqlfiles", files, &progress);
            while chunks.next().await.unwrap().unwrap() != vec![b'-'; CHUNK_BYTES] {}
            spawn_blocking(|| ()).await.unwrap();
            std::fs::write(&paths[1], vec![b'+'; length]).unwrap();
            let later = SystemTime::now() + std::time::Duration::from_secs(60);
            std::fs::File::options().write(true).open(&paths[1]).unwrap().set_modified(later).unwrap();
            let rest: Vec<_> = chunks.collect().await;
            assert_eq!(rest.iter().filter(|chunk| chunk.is_err()).count(), 1);
            let error = progress.take_file_error().unwrap().to_string();
            assert!(error.contains("second.sql") && error.contains("changed"), "{error}");
        });
    }

    #[test]
    fn the_beginning_of_the_next_file_is_read_while_one_is_sent() {
        with_one_thread_for_files(async {
            let home = tempfile::tempdir().unwrap();
            let paths = [0, 1, 2].map(|number| home.path().join(format!("{number}.sql")));
            for path in &paths {
                std::fs::write(path, "select 1").unwrap();
            }
            let files = paths.each_ref().map(|path| (File::open(path).unwrap(), 8));
            let progress = SendProgress::new(true);
            let (_, mut chunks) = Multipart::new().chunks("sqlfiles", files, &progress);
            let mut sent = Vec::new();
            while !sent.ends_with(b"select 1") {
                sent.extend(chunks.next().await.unwrap().unwrap());
            }
            spawn_blocking(|| ()).await.unwrap();
            for path in &paths {
                std::fs::remove_file(path).unwrap();
            }
            let rest: Vec<_> = chunks.collect().await;
            let second = rest.iter().flatten().filter(|chunk| **chunk == b"select 1"[..]).count();
            assert_eq!(second, 1, "{rest:?}");
            assert!(progress.take_file_error().unwrap().to_string().contains("2.sql"), "{rest:?}");
        });
    }

    #[tokio::test]
    async fn an_error_names_the_file_that_became_shorter_while_it_was_sent() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("etl.sql");
        // The second part may have been read when the file is cut, but not the third.
        std::fs::write(&path, vec![b' '; 3 * READ_BYTES]).unwrap();
        let progress = SendProgress::new(true);
        let mut chunks = Box::pin(read_chunks(path.clone(), 3 * READ_BYTES as u64, progress.clone()));
        assert!(chunks.next().await.unwrap().is_ok());
        std::fs::File::options().write(true).open(&path).unwrap().set_len(1).unwrap();
        let rest: Vec<_> = chunks.collect().await;
        assert!(rest.last().unwrap().is_err());
        let error = progress.take_file_error().unwrap();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().contains("etl.sql") && error.to_string().contains("shorter"), "{error}");
    }

    #[tokio::test]
    async fn an_error_names_the_file_whose_size_changed_before_its_turn() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("etl.sql");
        std::fs::write(&path, "select 1").unwrap();
        for announced in [7, 9] {
            let progress = SendProgress::new(true);
            let chunks: Vec<_> = read_chunks(path.clone(), announced, progress.clone()).collect().await;
            assert!(chunks.len() == 1 && chunks[0].is_err());
            let error = progress.take_file_error().unwrap().to_string();
            assert!(error.contains("etl.sql") && error.contains(&format!("from {announced} to 8 bytes")), "{error}");
        }
    }

    #[tokio::test]
    async fn a_file_that_grows_while_it_is_sent_is_cut_off_at_its_announced_length() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("etl.sql");
        std::fs::write(&path, vec![b' '; 3 * READ_BYTES - 1]).unwrap();
        let announced = 3 * READ_BYTES - 1;
        let mut chunks = Box::pin(read_chunks(path.clone(), announced as u64, SendProgress::new(true)));
        // Its turn has come when the second part is sent.
        let mut sent = 0;
        while sent <= READ_BYTES {
            sent += chunks.next().await.unwrap().unwrap().len();
        }
        std::fs::File::options().write(true).open(&path).unwrap().set_len(5 * READ_BYTES as u64).unwrap();
        let rest: Vec<_> = chunks.map(Result::unwrap).collect().await;
        assert_eq!(sent + rest.concat().len(), announced);
    }
}
