//! Retries of a step while its server cannot be reached or is busy.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{Error, ErrorKind};

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// The retries of one step during an outage of the server.
#[derive(Debug)]
pub(super) struct OutageRetry {
    limit: Duration,
    /// The time after which a step that runs without a failure is no longer in the same outage.
    healthy_after: Duration,
    failing_since: Option<Instant>,
    last: Option<Instant>,
    tries: u32,
}

impl OutageRetry {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, healthy_after: Duration::MAX, failing_since: None, last: None, tries: 0 }
    }

    /// Adapts the retries to a step that tolerates an outage of this length by itself before it fails: if it ran for
    /// longer than that, the server was available in between.
    pub(super) fn for_step_that_tolerates(self, by_itself: Duration) -> Self {
        Self { healthy_after: by_itself.saturating_add(MAX_PAUSE), ..self }
    }

    /// Waits for the next try, and returns `true` if the step should be tried again.
    pub(super) async fn waits_after(&mut self, error: &Error, key: &str) -> bool {
        if !may_succeed_later(error) {
            return false;
        }
        if self.last.is_some_and(|last| last.elapsed() > self.healthy_after) {
            (self.failing_since, self.tries) = (None, 0);
        }
        let since = *self.failing_since.get_or_insert_with(Instant::now);
        let pause = self.pause(fastrand::f64()).max(error.retry_after().unwrap_or_default());
        if since.elapsed().saturating_add(pause) > self.limit {
            return false;
        }
        self.tries += 1;
        tracing::warn!(target: "sqlflow_client::batch", key, %error, ?pause, "the step is retried after a pause");
        sleep(pause).await;
        self.last = Some(Instant::now());
        true
    }

    /// Returns a pause between half of the full pause and all of it, by a random number from 0 to 1, so that steps that
    /// failed together do not come back together.
    fn pause(&self, random: f64) -> Duration {
        let grown = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.tries));
        grown.min(MAX_PAUSE).mul_f64(0.5 + random / 2.0)
    }
}

/// Returns `true` if the step may succeed later. A submission whose outcome is unknown is safe to repeat, since the
/// name of its job is known.
fn may_succeed_later(error: &Error) -> bool {
    error.is_retryable() || error.kind() == ErrorKind::SubmitUnknown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_outage_that_ended_long_ago_does_not_count() {
        let lost = Error::new(ErrorKind::Interrupted, "lost");
        let mut retry = OutageRetry::new(Duration::from_secs(60)).for_step_that_tolerates(Duration::from_secs(300));
        for _ in 0..3 {
            assert!(retry.waits_after(&lost, "k").await);
            tokio::time::advance(Duration::from_secs(3600)).await;
        }
        while retry.waits_after(&lost, "k").await {}
        // An outage as long as the step tolerates by itself does not start the count anew.
        tokio::time::advance(Duration::from_secs(320)).await;
        assert!(!retry.waits_after(&lost, "k").await);
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_to_half_a_minute_until_the_maximum_outage() {
        let start = Instant::now();
        let mut retry = OutageRetry::new(Duration::from_secs(600));
        let lost = Error::new(ErrorKind::Connect, "lost");
        let mut pauses = Vec::new();
        loop {
            let before = Instant::now();
            if !retry.waits_after(&lost, "k").await {
                break;
            }
            pauses.push(before.elapsed());
        }
        assert!(pauses[0] <= FIRST_PAUSE && pauses[3] > FIRST_PAUSE, "{pauses:?}");
        assert!(pauses.iter().all(|pause| *pause <= MAX_PAUSE + Duration::from_millis(1)), "{pauses:?}");
        assert!(pauses.len() > 20, "{pauses:?}");
        let waited = start.elapsed();
        assert!(waited <= Duration::from_secs(600) && waited > Duration::from_secs(560), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_permanent_error_is_not_retried() {
        let start = Instant::now();
        let mut retry = OutageRetry::new(Duration::MAX);
        for kind in [ErrorKind::Rejected, ErrorKind::Authentication, ErrorKind::JobFailed, ErrorKind::Server] {
            assert!(!retry.waits_after(&Error::new(kind, "no"), "k").await, "{kind}");
        }
        assert!(!OutageRetry::new(Duration::ZERO).waits_after(&Error::new(ErrorKind::Busy, "no"), "k").await);
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert!(retry.waits_after(&Error::new(ErrorKind::Server, "gone").with_status(502), "k").await);
    }

    #[tokio::test(start_paused = true)]
    async fn the_retry_after_of_the_server_is_respected() {
        let busy = |seconds| Error::new(ErrorKind::Busy, "busy").with_retry_after(Some(Duration::from_secs(seconds)));
        let start = Instant::now();
        let mut retry = OutageRetry::new(Duration::from_secs(600));
        assert!(retry.waits_after(&busy(100), "k").await);
        assert!(start.elapsed() >= Duration::from_secs(100));
        assert!(!retry.waits_after(&busy(u64::MAX), "k").await);
    }
}
