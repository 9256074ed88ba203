//! The thread that writes a journal: all queued lines are written to disk together, and then each caller is notified.

use std::fs::File;
use std::io::{self, Write as _};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use crate::{Error, Result};

/// A file to which bytes are appended durably.
pub(super) trait Durable: Send + 'static {
    /// Appends the bytes, and returns when they would survive a power failure.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
}

impl Durable for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)?;
        self.sync_data()
    }
}

/// A writer that keeps the file open and locked until it is dropped.
#[derive(Debug)]
pub(super) struct Writer {
    lines: Option<Sender<QueuedWrite>>,
    thread: Option<JoinHandle<()>>,
}

/// A line to write, and the channel that reports its result.
struct QueuedWrite {
    line: Vec<u8>,
    written: oneshot::Sender<Result<()>>,
}

impl Writer {
    /// Starts the thread. Errors refer to the file by `name`.
    pub(super) fn start(file: impl Durable, name: String) -> Result<Self> {
        let (lines, waiting) = channel();
        let thread = thread::Builder::new()
            .name("sqlflow-journal".to_owned())
            .spawn(move || write_groups(file, &name, &waiting))
            .map_err(|error| Error::io("cannot start the thread that writes the journal", &error))?;
        Ok(Self { lines: Some(lines), thread: Some(thread) })
    }

    /// Appends a line, and returns when it is on disk. The line is written even if the future is dropped before that.
    ///
    /// # Errors
    /// `Io` if the line or an earlier one could not be written.
    pub(super) async fn append(&self, line: Vec<u8>) -> Result<()> {
        let (written, response) = oneshot::channel();
        let sent = self.lines.as_ref().is_some_and(|lines| lines.send(QueuedWrite { line, written }).is_ok());
        let ended = || Error::io("cannot write the journal", &io::Error::other("the thread that writes it has ended"));
        if sent { response.await.map_err(|_| ended())? } else { Err(ended()) }
    }
}

/// Waits for the thread, for at most the duration of one write, so that the lock is free afterwards.
impl Drop for Writer {
    fn drop(&mut self) {
        self.lines = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has closed the file too.
            let _ended = thread.join();
        }
    }
}

fn write_groups(mut file: impl Durable, name: &str, waiting: &Receiver<QueuedWrite>) {
    let mut outcome = Ok(());
    while let Ok(first) = waiting.recv() {
        let group: Vec<_> = std::iter::once(first).chain(waiting.try_iter()).collect();
        if outcome.is_ok() {
            let bytes: Vec<u8> = group.iter().flat_map(|waiting| &waiting.line).copied().collect();
            // After a failed sync the contents of the disk are unknown, so nothing more is written.
            outcome = file.append(&bytes).map_err(|error| Error::io(format_args!("cannot write {name}"), &error));
        }
        for waiting in group {
            // A caller that was dropped does not need the result.
            let _dropped = waiting.written.send(outcome.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use futures_util::future::join_all;

    use super::*;
    use crate::ErrorKind;

    /// A disk that records each write, and completes it when the test sends its result.
    struct Disk {
        writes: Arc<Mutex<Vec<String>>>,
        go: Receiver<io::Result<()>>,
    }

    impl Durable for Disk {
        fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
            self.writes.lock().unwrap().push(String::from_utf8(bytes.to_vec()).unwrap());
            self.go.recv().unwrap()
        }
    }

    #[tokio::test]
    async fn lines_queued_during_a_sync_share_the_next_one_in_order() {
        let (go, wait) = channel();
        let writes = Arc::new(Mutex::new(Vec::new()));
        let journal = Writer::start(Disk { writes: Arc::clone(&writes), go: wait }, "j".into()).unwrap();
        let lines = (0..64).map(|line| journal.append(format!("{line}\n").into_bytes()));
        let release = async {
            while writes.lock().unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
            // The first line is being synced, and the others are queued by now.
            go.send(Ok(())).unwrap();
            go.send(Ok(())).unwrap();
        };
        let (written, ()) = tokio::join!(join_all(lines), release);
        assert!(written.iter().all(Result::is_ok));
        let writes = writes.lock().unwrap().clone();
        assert!(writes.len() <= 2, "{writes:?}");
        let expected: Vec<_> = (0..64).map(|line| format!("{line}\n")).collect();
        assert_eq!(writes.concat(), expected.concat());
    }

    #[tokio::test]
    async fn after_a_failed_write_nothing_more_is_written() {
        let (go, wait) = channel();
        let writes = Arc::new(Mutex::new(Vec::new()));
        let journal = Writer::start(Disk { writes: Arc::clone(&writes), go: wait }, "a.journal".into()).unwrap();
        go.send(Err(io::Error::other("disk on fire"))).unwrap();
        go.send(Ok(())).unwrap();
        for line in ["1\n", "2\n"] {
            let error = journal.append(line.into()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Io);
            assert!(error.to_string().contains("a.journal") && error.to_string().contains("on fire"), "{error}");
        }
        assert_eq!(*writes.lock().unwrap(), ["1\n"]);
    }
}
