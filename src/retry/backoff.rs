//! Exponential backoff.

use std::time::Duration;

use super::{Attempt, RetryPolicy};

/// The upper bound of every part of a pause: longer than any program runs, and short enough that sums do not overflow.
const MAX_PAUSE: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// Exponential backoff with full jitter, the default [`RetryPolicy`].
///
/// Each pause is random, between zero and a limit that doubles from [`base_delay`](Backoff::base_delay) up to
/// [`max_delay`](Backoff::max_delay), so that many clients that fail together do not retry together. If the server
/// sends `Retry-After`, that time is added to the pause. If that time is over
/// [`max_retry_after`](Backoff::max_retry_after), the call fails with an error that
/// [contains it](crate::Error::retry_after).
///
/// ```
/// use std::time::Duration;
/// use sqlflow_client::Client;
/// use sqlflow_client::retry::Backoff;
///
/// let backoff = Backoff::new().max_attempts(3).max_delay(Duration::from_secs(5));
/// let sqlflow = Client::builder("localhost:8165").retry(backoff).build()?;
/// # Ok::<(), sqlflow_client::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Backoff {
    max_attempts: u32,
    base_delay: Duration,
    max_delay: Duration,
    max_retry_after: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            max_attempts: 6,
            base_delay: Duration::from_millis(500),
            max_delay: Duration::from_secs(20),
            max_retry_after: Duration::from_secs(120),
        }
    }
}

impl Backoff {
    /// Returns the default policy.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the maximum number of attempts, including the first. The default is 6: together with the other defaults,
    /// the pauses then take 8 seconds on average and 16 at most.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// Sets the maximum length of the first pause. The default is 500 ms.
    #[must_use]
    pub fn base_delay(mut self, delay: Duration) -> Self {
        self.base_delay = delay;
        self
    }

    /// Sets the maximum length of every pause. The default is 20 s.
    #[must_use]
    pub fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    /// Sets the maximum `Retry-After` that the client waits for. The default is 2 minutes.
    #[must_use]
    pub fn max_retry_after(mut self, delay: Duration) -> Self {
        self.max_retry_after = delay;
        self
    }

    /// Returns the pause after a failed attempt. `random` is a number from 0 to 1.
    fn pause_at(&self, failed: &Attempt<'_>, random: f64) -> Option<Duration> {
        let requested = failed.error.retry_after().unwrap_or_default();
        if failed.number >= self.max_attempts || requested > self.max_retry_after {
            return None;
        }
        let doubled = 2_u32.saturating_pow(failed.number.saturating_sub(1));
        let limit = self.base_delay.saturating_mul(doubled).min(self.max_delay).min(MAX_PAUSE);
        Some(requested.min(MAX_PAUSE) + limit.mul_f64(random))
    }
}

impl RetryPolicy for Backoff {
    fn pause(&self, failed: &Attempt<'_>) -> Option<Duration> {
        self.pause_at(failed, fastrand::f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Error, ErrorKind};

    fn failed(error: &Error, number: u32) -> Attempt<'_> {
        Attempt::new(&crate::wire::operations::DELETE_USER_JOB, number, Duration::ZERO, error)
    }

    fn busy() -> Error {
        Error::new(ErrorKind::Busy, "x")
    }

    #[test]
    fn pauses_are_random_below_a_limit_that_doubles_up_to_the_maximum() {
        let (backoff, error) = (Backoff::new().max_attempts(99), busy());
        let limits: Vec<_> = (1..=8).map(|number| backoff.pause_at(&failed(&error, number), 1.0).unwrap()).collect();
        assert_eq!(limits, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0].map(Duration::from_secs_f64));
        assert_eq!(backoff.pause_at(&failed(&error, 3), 0.0), Some(Duration::ZERO));
        assert_eq!(backoff.pause_at(&failed(&error, 98), 1.0), Some(Duration::from_secs(20)));
    }

    #[test]
    fn the_last_attempt_is_followed_by_no_pause() {
        let error = busy();
        assert!(Backoff::new().pause(&failed(&error, 5)).is_some());
        assert_eq!(Backoff::new().pause(&failed(&error, 6)), None);
    }

    #[test]
    fn a_retry_after_is_waited_for_up_to_a_maximum() {
        let backoff = Backoff::new();
        let error = |seconds| busy().with_status(429).with_retry_after(Some(Duration::from_secs(seconds)));
        assert_eq!(backoff.pause_at(&failed(&error(7), 1), 0.0), Some(Duration::from_secs(7)));
        assert_eq!(backoff.pause_at(&failed(&error(7), 1), 1.0), Some(Duration::from_millis(7500)));
        assert_eq!(backoff.pause_at(&failed(&error(3600), 1), 0.0), None);
    }

    #[test]
    fn extreme_settings_and_retry_after_values_do_not_overflow() {
        let error = busy().with_retry_after(Some(Duration::from_secs(u64::MAX)));
        let backoff = Backoff {
            max_attempts: u32::MAX,
            base_delay: Duration::MAX,
            max_delay: Duration::MAX,
            max_retry_after: Duration::MAX,
        };
        assert!(backoff.pause_at(&failed(&error, 1_000_000), 1.0).is_some());
    }
}
