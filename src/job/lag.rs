//! The time after a submission in which a server may not know the job yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::{Error, ErrorKind};

/// The lag that a server is allowed for one job: a database that is read from a replica shows the job later than the
/// response to its submission. Clones share everything.
#[derive(Debug, Clone)]
pub(super) struct Lag {
    until: Instant,
    is_deleted: Arc<AtomicBool>,
}

impl Lag {
    /// Begins now, and lasts for a settling window.
    pub(super) fn of(window: Duration) -> Self {
        Self { until: Instant::now() + window, is_deleted: Arc::default() }
    }

    /// Notes that the job was deleted, so that the server is right not to know it.
    pub(super) fn end(&self) {
        self.is_deleted.store(true, Ordering::Relaxed);
    }

    /// Returns `true` if an error at this time may only say that the server does not know the job yet.
    pub(super) fn explains(&self, error: &Error, at: Instant) -> bool {
        at < self.until && !self.is_deleted.load(Ordering::Relaxed) && says_no_such_job(error)
    }
}

/// Returns `true` if a server may mean with this error that the job does not exist.
fn says_no_such_job(error: &Error) -> bool {
    let number = error.status().map(i64::from).or(error.code());
    match error.kind() {
        ErrorKind::JobNotFound => true,
        ErrorKind::Rejected => matches!(number, Some(400 | 404)),
        // A success without data.
        ErrorKind::Protocol => error.status().is_none() && error.code().is_some(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_a_job_that_is_said_not_to_exist_may_be_late_and_only_in_the_window() {
        let lag = Lag::of(Duration::from_secs(30));
        let error = |kind| Error::new(kind, "x");
        let rows = [
            (error(ErrorKind::JobNotFound), true),
            (error(ErrorKind::Rejected).with_status(404), true),
            (error(ErrorKind::Rejected).with_code(400), true),
            (error(ErrorKind::Protocol).with_code(200), true),
            (error(ErrorKind::Rejected).with_status(403), false),
            (error(ErrorKind::Protocol), false),
            (error(ErrorKind::Authentication).with_code(401), false),
            (error(ErrorKind::JobFailed), false),
        ];
        for (error, is_lag) in &rows {
            assert_eq!(lag.explains(error, Instant::now()), *is_lag, "{error:?}");
        }
        let lost = &rows[0].0;
        assert!(!lag.explains(lost, Instant::now() + Duration::from_secs(30)));
        lag.end();
        assert!(!lag.explains(lost, Instant::now()));
    }
}
