//! The progress of sending one request: its last activity, the bytes of its files, and the end of the last one.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use crate::Error;
use crate::sync::lock;

/// The progress of an upload, passed to the function of [`Submit::on_progress`](crate::job::Submit::on_progress) each time
/// a chunk of a file is given to the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UploadProgress {
    attempt: u64,
    sent: u64,
    total: u64,
}

impl UploadProgress {
    /// Returns the number of the attempt, starting at 1. Each attempt sends the files from the start.
    #[must_use]
    pub fn attempt(&self) -> u64 {
        self.attempt
    }

    /// Returns the number of bytes of the files that this attempt has sent.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Returns the number of bytes of all files as they are sent: a directory is sent as a zip file.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }
}

impl fmt::Display for UploadProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} bytes", self.sent, self.total)
    }
}

/// A function that receives the progress of an upload.
type UploadCallback = Arc<dyn Fn(&UploadProgress) + Send + Sync>;

/// The function of a caller who wants to know the progress of an upload, through all its attempts.
#[derive(Clone)]
pub struct UploadObserver {
    callback: UploadCallback,
    attempts: Arc<AtomicU64>,
}

impl UploadObserver {
    pub(crate) fn new(callback: impl Fn(&UploadProgress) + Send + Sync + 'static) -> Self {
        Self { callback: Arc::new(callback), attempts: Arc::default() }
    }
}

impl fmt::Debug for UploadObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadObserver").finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum UploadState {
    /// The end of the last file has not been given to the connection.
    Sending,
    /// The whole request has been given to the connection, so that the server may act on it.
    Sent,
    /// The end of the last file will never be given to the connection.
    Abandoned,
}

/// The progress of one attempt to send a request. Clones share it: the body reports it while the transport waits.
#[derive(Clone)]
pub(super) struct SendProgress {
    start: Instant,
    shared: Arc<Shared>,
}

struct Shared {
    /// The time of the last activity, in milliseconds after the start.
    last_activity_millis: AtomicU64,
    state: Mutex<UploadState>,
    /// The error of a file that could not be read to its end.
    file_error: Mutex<Option<Error>>,
    /// The caller who wants to know, and the number of this attempt.
    observer: Option<(UploadCallback, u64)>,
    sent: AtomicU64,
    total: AtomicU64,
}

impl SendProgress {
    /// Creates the progress of an attempt that begins now. A request without files counts as sent at once.
    pub(super) fn new(has_files: bool) -> Self {
        Self::observed(has_files, None)
    }

    /// Creates the progress of an attempt that begins now, of which the observer is told.
    pub(super) fn observed(has_files: bool, observer: Option<&UploadObserver>) -> Self {
        let state = if has_files { UploadState::Sending } else { UploadState::Sent };
        let observer = observer.map(|observer| {
            let attempt = observer.attempts.fetch_add(1, Ordering::Relaxed) + 1;
            (Arc::clone(&observer.callback), attempt)
        });
        let shared = Shared {
            last_activity_millis: AtomicU64::new(0),
            state: Mutex::new(state),
            file_error: Mutex::new(None),
            observer,
            sent: AtomicU64::new(0),
            total: AtomicU64::new(0),
        };
        Self { start: Instant::now(), shared: Arc::new(shared) }
    }

    /// Sets the number of bytes of all files.
    pub(super) fn set_total(&self, bytes: u64) {
        self.shared.total.store(bytes, Ordering::Relaxed);
    }

    /// Records that a chunk of a file is given to the connection.
    pub(super) fn record_chunk(&self, bytes: usize) {
        self.record_activity();
        let Some((callback, attempt)) = &self.shared.observer else { return };
        let bytes = bytes as u64;
        let sent = self.shared.sent.fetch_add(bytes, Ordering::Relaxed) + bytes;
        callback(&UploadProgress { attempt: *attempt, sent, total: self.shared.total.load(Ordering::Relaxed) });
    }

    /// Marks the request as sent. Returns `false` if it was abandoned before, so that its end must not be sent.
    pub(super) fn finish(&self) -> bool {
        self.advance_to(UploadState::Sent)
    }

    /// Abandons the request, and returns `true` if its end was not sent. From then on it never will be, even if the
    /// connection is still reading the body.
    pub(super) fn abandon(&self) -> bool {
        self.advance_to(UploadState::Abandoned)
    }

    /// Ends the sending in this state, and returns `true` unless it has already ended in the other one.
    fn advance_to(&self, end: UploadState) -> bool {
        let mut state = lock(&self.shared.state);
        if *state == UploadState::Sending {
            *state = end;
        }
        *state == end
    }

    pub(super) fn record_activity(&self) {
        let millis = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.shared.last_activity_millis.store(millis, Ordering::Relaxed);
    }

    /// Returns the time since the attempt began.
    pub(super) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    pub(super) fn last_activity(&self) -> Instant {
        self.start + Duration::from_millis(self.shared.last_activity_millis.load(Ordering::Relaxed))
    }

    pub(super) fn set_file_error(&self, error: Error) {
        *lock(&self.shared.file_error) = Some(error);
    }

    /// Takes the error of the file because of which the request could not be sent, if there is one.
    pub(super) fn take_file_error(&self) -> Option<Error> {
        lock(&self.shared.file_error).take()
    }
}

#[cfg(test)]
mod tests {
    use super::SendProgress;

    #[test]
    fn an_upload_ends_either_sent_or_abandoned() {
        let sent = SendProgress::new(true);
        assert!(sent.finish() && !sent.abandon() && sent.finish());
        let abandoned = SendProgress::new(true);
        assert!(abandoned.abandon() && !abandoned.finish() && abandoned.abandon());
        assert!(!SendProgress::new(false).abandon(), "a request without files counts as sent");
    }
}
