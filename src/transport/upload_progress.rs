//! The progress of sending one request: its last activity, and the end of its last file.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use crate::Error;
use crate::sync::lock;

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
pub(super) struct UploadProgress {
    start: Instant,
    shared: Arc<Shared>,
}

struct Shared {
    /// The time of the last activity, in milliseconds after the start.
    last_activity_millis: AtomicU64,
    state: Mutex<UploadState>,
    /// The error of a file that could not be read to its end.
    file_error: Mutex<Option<Error>>,
}

impl UploadProgress {
    /// Creates the progress of an attempt that begins now. A request without files counts as sent at once.
    pub(super) fn new(has_files: bool) -> Self {
        let state = if has_files { UploadState::Sending } else { UploadState::Sent };
        let shared =
            Shared { last_activity_millis: AtomicU64::new(0), state: Mutex::new(state), file_error: Mutex::new(None) };
        Self { start: Instant::now(), shared: Arc::new(shared) }
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
    use super::UploadProgress;

    #[test]
    fn an_upload_ends_either_sent_or_abandoned() {
        let sent = UploadProgress::new(true);
        assert!(sent.finish() && !sent.abandon() && sent.finish());
        let abandoned = UploadProgress::new(true);
        assert!(abandoned.abandon() && !abandoned.finish() && abandoned.abandon());
        assert!(!UploadProgress::new(false).abandon(), "a request without files counts as sent");
    }
}
