//! Writing a file behind the download that fills it, so that the next chunks arrive while the last ones are written.

use std::fs::File;
use std::io::{self, IoSlice, Write as _};
use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::{JoinHandle, spawn_blocking};

/// The number of bytes that are written at once, if they come fast enough.
const BATCH_BYTES: usize = 1 << 20;
/// The number of bytes that may wait for the write before them.
const MAX_WAITING_BYTES: usize = 4 << 20;
/// The number of bytes after which those before them are sent to the disk, so that not all of them are left to the end.
const BYTES_PER_SYNC: u64 = 64 << 20;
/// The number of chunks that are given to the system at once.
const MAX_SLICES: usize = 256;

/// A file that is written on the threads for blocking work, one batch of chunks after the other.
pub(super) struct WriteBehind {
    file: Arc<File>,
    waiting: Vec<Bytes>,
    waiting_bytes: usize,
    writing: Option<JoinHandle<io::Result<()>>>,
    syncing: Option<JoinHandle<io::Result<()>>>,
    /// The number of bytes since the last sync.
    unsynced: u64,
}

impl WriteBehind {
    pub(super) fn new(file: File) -> Self {
        let file = Arc::new(file);
        Self { file, waiting: Vec::new(), waiting_bytes: 0, writing: None, syncing: None, unsynced: 0 }
    }

    /// Appends a chunk, and waits if too many wait before it.
    ///
    /// # Errors
    /// The error of an earlier write. Nothing may be appended after it.
    pub(super) async fn append(&mut self, chunk: Bytes) -> io::Result<()> {
        self.waiting_bytes += chunk.len();
        self.waiting.push(chunk);
        let (slices, bytes) = (self.waiting.len(), self.waiting_bytes);
        let is_batch = bytes >= BATCH_BYTES || slices >= MAX_SLICES;
        let must_wait = bytes >= MAX_WAITING_BYTES || slices >= 4 * MAX_SLICES;
        let is_busy = self.writing.as_ref().is_some_and(|writing| !writing.is_finished());
        if must_wait || is_batch && !is_busy { self.write_waiting().await } else { Ok(()) }
    }

    /// Waits until everything is written. Nothing is written later, whether it succeeds or not.
    pub(super) async fn finish(mut self) -> io::Result<()> {
        let written = match self.write_waiting().await {
            Ok(()) => ended(self.writing.take()).await,
            failed => failed,
        };
        // What the end of the download waits for is a sync of its own, which reports the errors of this one.
        let _ = ended(self.syncing.take()).await;
        written
    }

    /// Begins to write what waits, after the end of the write before it.
    async fn write_waiting(&mut self) -> io::Result<()> {
        ended(self.writing.take()).await?;
        let (file, batch) = (Arc::clone(&self.file), mem::take(&mut self.waiting));
        self.unsynced += self.waiting_bytes as u64;
        self.waiting_bytes = 0;
        self.writing = Some(spawn_blocking(move || write_all(&file, &batch)));
        if self.unsynced >= BYTES_PER_SYNC && self.syncing.as_ref().is_none_or(JoinHandle::is_finished) {
            self.unsynced = 0;
            let file = Arc::clone(&self.file);
            self.syncing = Some(spawn_blocking(move || file.sync_data()));
        }
        Ok(())
    }
}

async fn ended(task: Option<JoinHandle<io::Result<()>>>) -> io::Result<()> {
    match task {
        None => Ok(()),
        Some(task) => task.await.unwrap_or_else(|error| Err(error.into())),
    }
}

/// Writes chunks as if they were one.
fn write_all(mut file: &File, chunks: &[Bytes]) -> io::Result<()> {
    for chunks in chunks.chunks(MAX_SLICES) {
        let mut slices: Vec<_> =
            chunks.iter().filter(|chunk| !chunk.is_empty()).map(|chunk| IoSlice::new(chunk)).collect();
        let mut slices = slices.as_mut_slice();
        while !slices.is_empty() {
            match file.write_vectored(slices) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => IoSlice::advance_slices(&mut slices, written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn chunks_of_every_size_are_written_in_their_order() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let mut writer = WriteBehind::new(File::create(&path).unwrap());
        let mut expected = Vec::new();
        for (number, size) in [0, 1, 1000, 0, 1 << 20, 3, 5 << 20, 70_000].into_iter().cycle().take(40).enumerate() {
            let chunk = vec![u8::try_from(number).unwrap(); size];
            expected.extend_from_slice(&chunk);
            writer.append(chunk.into()).await.unwrap();
        }
        for _ in 0..10_000 {
            expected.push(7);
            writer.append(Bytes::from_static(&[7])).await.unwrap();
        }
        writer.finish().await.unwrap();
        assert!(std::fs::read(&path).unwrap() == expected);
    }

    #[tokio::test]
    async fn a_write_that_fails_is_an_error_at_the_latest_at_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, "").unwrap();
        let mut writer = WriteBehind::new(File::open(&path).unwrap());
        writer.append(Bytes::from_static(b"a file that is open for reading only")).await.unwrap();
        assert!(writer.finish().await.is_err());
        let mut writer = WriteBehind::new(File::open(&path).unwrap());
        let mut failed = false;
        for _ in 0..20 {
            failed |= writer.append(vec![0; 1 << 20].into()).await.is_err();
        }
        assert!(failed);
    }
}
