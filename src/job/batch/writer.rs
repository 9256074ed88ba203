//! The thread that writes a journal: all lines that wait go to disk together, and each is answered when it is there.

use std::fs::File;
use std::io::{self, Write as _};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use crate::{Error, Result};

/// A file to which bytes are added, durably.
pub(super) trait Durable: Send + 'static {
    /// Returns when the bytes would outlast a power cut.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
}

impl Durable for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)?;
        self.sync_data()
    }
}

/// Writes to a file that it holds open, and with it the lock, until it is dropped.
#[derive(Debug)]
pub(super) struct Writer {
    lines: Option<Sender<QueuedWrite>>,
    thread: Option<JoinHandle<()>>,
}

struct QueuedWrite {
    line: Vec<u8>,
    written: oneshot::Sender<Result<()>>,
}

impl Writer {
    /// `name` is what errors call the file.
    pub(super) fn start(file: impl Durable, name: String) -> Result<Self> {
        let (lines, waiting) = channel();
        let thread = thread::Builder::new()
            .name("sqlflow-journal".to_owned())
            .spawn(move || write_what_waits(file, &name, &waiting))
            .map_err(|error| Error::io("cannot start the thread that writes the journal", &error))?;
        Ok(Self { lines: Some(lines), thread: Some(thread) })
    }

    /// Returns when the line is on disk. It is written too when this is dropped before.
    ///
    /// # Errors
    /// Once a line could not be written, for that one and for every later one.
    pub(super) async fn append(&self, line: Vec<u8>) -> Result<()> {
        let (written, answer) = oneshot::channel();
        let sent = self.lines.as_ref().is_some_and(|lines| lines.send(QueuedWrite { line, written }).is_ok());
        let ended = || Error::io("the journal", &io::Error::other("the thread that writes it has ended"));
        if sent { answer.await.map_err(|_| ended())? } else { Err(ended()) }
    }
}

/// Waits for the thread, for as long as one write takes: after that the lock is free.
impl Drop for Writer {
    fn drop(&mut self) {
        self.lines = None;
        if let Some(thread) = self.thread.take() {
            // One that panicked has let go of the file too.
            let _ended = thread.join();
        }
    }
}

fn write_what_waits(mut file: impl Durable, name: &str, waiting: &Receiver<QueuedWrite>) {
    let mut outcome = Ok(());
    while let Ok(first) = waiting.recv() {
        let group: Vec<_> = std::iter::once(first).chain(waiting.try_iter()).collect();
        if outcome.is_ok() {
            let bytes: Vec<u8> = group.iter().flat_map(|waiting| &waiting.line).copied().collect();
            // After a failed sync nobody knows what is on disk, so this is the end.
            outcome = file.append(&bytes).map_err(|error| Error::io(format_args!("cannot write {name}"), &error));
        }
        for waiting in group {
            // One that was dropped does not want to know.
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

    /// Keeps what is written at once, each time when it is told to, until it fails.
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
    async fn lines_that_come_while_one_is_synced_share_the_next_sync_in_their_order() {
        let (go, wait) = channel();
        let writes = Arc::new(Mutex::new(Vec::new()));
        let journal = Writer::start(Disk { writes: Arc::clone(&writes), go: wait }, "j".into()).unwrap();
        let lines = (0..64).map(|line| journal.append(format!("{line}\n").into_bytes()));
        let release = async {
            while writes.lock().unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
            // The first is being synced, and by now the others wait.
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
    async fn after_one_line_that_failed_nothing_more_is_written() {
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
