//! How long a step is tried again while its server cannot be reached or is busy.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{Error, ErrorKind};

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The patience with one step.
#[derive(Debug)]
pub(super) struct Patience {
    limit: Duration,
    failing_since: Option<Instant>,
    tries: u32,
}

impl Patience {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, failing_since: None, tries: 0 }
    }

    /// Whether the step should be tried again. Waits before it says so.
    pub(super) async fn bears(&mut self, error: &Error, key: &str) -> bool {
        if !may_pass(error) {
            return false;
        }
        let since = *self.failing_since.get_or_insert_with(Instant::now);
        let pause = self.pause(fastrand::f64()).max(error.retry_after().unwrap_or_default());
        if since.elapsed().saturating_add(pause) > self.limit {
            return false;
        }
        self.tries += 1;
        tracing::warn!(key, %error, ?pause, "will be tried again");
        sleep(pause).await;
        true
    }

    /// From half of a pause to all of it, by a random number from 0 to 1: what failed together comes back apart.
    fn pause(&self, random: f64) -> Duration {
        let grown = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.tries));
        grown.min(LONGEST_PAUSE).mul_f64(0.5 + random / 2.0)
    }
}

/// Whether trying again may help. What may have arrived is safe to try again where the name of the job settles it.
fn may_pass(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Connect
        | ErrorKind::Busy
        | ErrorKind::Timeout
        | ErrorKind::Interrupted
        | ErrorKind::SubmitUnknown => true,
        // Those of gateways, whose server may be back soon.
        ErrorKind::Server => error.status().is_some_and(|status| matches!(status, 502..=504 | 520..=527)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_to_half_a_minute_until_the_patience_is_over() {
        let start = Instant::now();
        let mut patience = Patience::new(Duration::from_secs(600));
        let lost = Error::new(ErrorKind::Connect, "lost");
        let mut pauses = Vec::new();
        loop {
            let before = Instant::now();
            if !patience.bears(&lost, "k").await {
                break;
            }
            pauses.push(before.elapsed());
        }
        assert!(pauses[0] <= FIRST_PAUSE && pauses[3] > FIRST_PAUSE, "{pauses:?}");
        assert!(pauses.iter().all(|pause| *pause <= LONGEST_PAUSE + Duration::from_millis(1)), "{pauses:?}");
        assert!(pauses.len() > 20, "{pauses:?}");
        let waited = start.elapsed();
        assert!(waited <= Duration::from_secs(600) && waited > Duration::from_secs(560), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_will_not_pass_is_not_waited_for() {
        let start = Instant::now();
        let mut patience = Patience::new(Duration::MAX);
        for kind in [ErrorKind::Rejected, ErrorKind::Authentication, ErrorKind::JobFailed, ErrorKind::Server] {
            assert!(!patience.bears(&Error::new(kind, "no"), "k").await, "{kind}");
        }
        assert!(!Patience::new(Duration::ZERO).bears(&Error::new(ErrorKind::Busy, "no"), "k").await);
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert!(patience.bears(&Error::new(ErrorKind::Server, "gone").with_status(502), "k").await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_says_when_is_heeded() {
        let busy = |seconds| Error::new(ErrorKind::Busy, "busy").with_retry_after(Some(Duration::from_secs(seconds)));
        let start = Instant::now();
        let mut patience = Patience::new(Duration::from_secs(600));
        assert!(patience.bears(&busy(100), "k").await);
        assert!(start.elapsed() >= Duration::from_secs(100));
        assert!(!patience.bears(&busy(u64::MAX), "k").await);
    }
}
