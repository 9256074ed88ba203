//! Trying again: after which failures, how long later, and how often in all.
//!
//! Two things decide, and both must agree. The *rule*, which is fixed, tells whether another attempt can do harm. The
//! *policy*, which can be replaced, tells whether and when another is worth it. Each attempt beyond the first is paid
//! for from the *budget* that all calls of a client share, so that a server in trouble is not asked six times as often
//! as one in health.
//!
//! What becomes of every call under every fault is in the table of `docs/fault-matrix.md`, which a test holds against
//! what really happens.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::sync::lock;
use crate::{Error, ErrorKind, RequestOutcome, Result};

/// Longer than any program runs, and short enough to be reckoned with.
const ENDLESS: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// Decides whether a call that failed is made again, and when: [`Backoff`], unless a client is given
/// [another](crate::ClientBuilder::retry).
///
/// It is asked only where another attempt can do no harm. Which these are is no policy:
///
/// | what happened | reads | what changes something |
/// |---|---|---|
/// | no connection: name, port, TLS | again | again |
/// | turned away: HTTP 429, or *the service is busy* | again | again |
/// | the connection broke before the request was sent to its end | again | again |
/// | the connection broke later, no answer in time, HTTP 408, 502, 503, 504, 520 to 527 | again | never¹ |
/// | an answer that breaks off | again | never¹ |
/// | a certificate that is not trusted, as far as rustls tells², any other answer | never | never |
///
/// ¹ A submit is [settled](crate::job::Settling) instead: the client finds out whether there is a job.
///
/// ² Of the library of the platform it looks like any connection that failed, and is tried again.
///
/// Reads are all operations whose repetition is as good as one: exports, questions, analyses, tokens, and also settings
/// like [`Job::set_on_top`](crate::Job::set_on_top). Submitting, deleting and running again are not
/// ([`Operation::repeatable`](crate::api::Operation::repeatable)).
///
/// ```
/// use std::time::Duration;
/// use sqlflow_client::Client;
/// use sqlflow_client::retry::{Attempt, RetryPolicy};
///
/// /// Three attempts, a second apart.
/// #[derive(Debug)]
/// struct Thrice;
///
/// impl RetryPolicy for Thrice {
///     fn pause(&self, failed: &Attempt<'_>) -> Option<Duration> {
///         (failed.number() < 3).then_some(Duration::from_secs(1))
///     }
/// }
///
/// let sqlflow = Client::builder("localhost:8165").retry(Thrice).build()?;
/// # Ok::<(), sqlflow_client::Error>(())
/// ```
pub trait RetryPolicy: fmt::Debug + Send + Sync {
    /// How long to wait before the next attempt, or none to give up.
    fn pause(&self, failed: &Attempt<'_>) -> Option<Duration>;
}

/// An attempt that failed, for a [`RetryPolicy`] to judge.
#[derive(Debug)]
#[non_exhaustive]
pub struct Attempt<'a> {
    number: u32,
    elapsed: Duration,
    error: &'a Error,
}

impl Attempt<'_> {
    /// Which attempt it was, from 1 on.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// How long ago the first attempt began.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// How it failed. [`Error::retry_after`] is what the server asks for.
    #[must_use]
    pub fn error(&self) -> &Error {
        self.error
    }
}

/// Exponential backoff with full jitter, the default [`RetryPolicy`].
///
/// Each pause is random, between nothing and a limit that doubles from [`base_delay`](Backoff::base_delay) to
/// [`max_delay`](Backoff::max_delay): many clients that fail together do not come back together. Where a server says
/// `Retry-After`, that time is added, unless it is over [`max_retry_after`](Backoff::max_retry_after): then the call fails with an
/// error that [tells it](Error::retry_after).
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
    /// The default.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many attempts are made in all, the first included. By default 6, which with the other defaults takes 8
    /// seconds on average and 16 at most, without the calls themselves.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// The longest that the first pause may be. By default 500 ms.
    #[must_use]
    pub fn base_delay(mut self, delay: Duration) -> Self {
        self.base_delay = delay;
        self
    }

    /// The longest that any pause may be. By default 20 s.
    #[must_use]
    pub fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    /// The longest `Retry-After` that is waited for. By default 2 minutes.
    #[must_use]
    pub fn max_retry_after(mut self, delay: Duration) -> Self {
        self.max_retry_after = delay;
        self
    }

    /// The pause after so many attempts; `random` is from 0 to 1.
    fn pause_at(&self, failed: &Attempt<'_>, random: f64) -> Option<Duration> {
        let asked = failed.error.retry_after().unwrap_or_default();
        if failed.number >= self.max_attempts || asked > self.max_retry_after {
            return None;
        }
        let doubled = 2_u32.saturating_pow(failed.number - 1);
        let limit = self.base_delay.saturating_mul(doubled).min(self.max_delay).min(ENDLESS);
        Some(asked.min(ENDLESS) + limit.mul_f64(random))
    }
}

impl RetryPolicy for Backoff {
    fn pause(&self, failed: &Attempt<'_>) -> Option<Duration> {
        self.pause_at(failed, fastrand::f64())
    }
}

/// What further attempts are paid from, shared by all calls of a client, and of several if they are given clones.
///
/// As in the SDKs of AWS: it begins full, with 500 tokens. A further attempt takes 5, one after a timeout 10. An
/// attempt that succeeds gives back what it took, and a call that needs no second attempt gives 1. While it is empty,
/// calls fail at their first failure: a server that fails for all is not asked more often than once for each call.
#[derive(Clone)]
pub struct RetryBudget(Arc<Tokens>);

struct Tokens {
    most: u32,
    left: Mutex<u32>,
}

impl RetryBudget {
    const CAPACITY: u32 = 500;
    const PRICE: u32 = 5;
    const PRICE_AFTER_TIMEOUT: u32 = 10;
    const REWARD: u32 = 1;

    /// A budget of so many tokens.
    #[must_use]
    pub fn new(tokens: u32) -> Self {
        Self(Arc::new(Tokens { most: tokens, left: Mutex::new(tokens) }))
    }

    /// How many tokens are left.
    #[must_use]
    pub fn left(&self) -> u32 {
        *lock(&self.0.left)
    }

    /// Pays for an attempt after this failure. Gives what was paid, or none if there is not enough.
    fn pay(&self, error: &Error) -> Option<u32> {
        let price = if error.kind() == ErrorKind::Timeout { Self::PRICE_AFTER_TIMEOUT } else { Self::PRICE };
        let mut left = lock(&self.0.left);
        *left = left.checked_sub(price)?;
        Some(price)
    }

    fn give(&self, tokens: u32) {
        let mut left = lock(&self.0.left);
        *left = left.saturating_add(tokens).min(self.0.most);
    }
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self::new(Self::CAPACITY)
    }
}

impl fmt::Debug for RetryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryBudget").field("left", &self.left()).field("most", &self.0.most).finish()
    }
}

/// How the calls of one client are repeated.
#[derive(Debug, Clone)]
pub(crate) struct Retries {
    pub(crate) policy: Option<Arc<dyn RetryPolicy>>,
    pub(crate) budget: RetryBudget,
}

impl Default for Retries {
    fn default() -> Self {
        Self { policy: Some(Arc::new(Backoff::default())), budget: RetryBudget::default() }
    }
}

impl Retries {
    /// The attempts of one call.
    pub(crate) fn attempts(&self) -> Attempts {
        Attempts { retries: self.clone(), start: Instant::now(), failed: 0, paid: 0 }
    }

    /// The one attempt of a call that is not repeated, because its caller asks again in its own time.
    pub(crate) fn single(&self) -> Attempts {
        Self { policy: None, budget: self.budget.clone() }.attempts()
    }
}

/// The attempts of one call, from the first to the last.
#[derive(Debug)]
pub(crate) struct Attempts {
    retries: Retries,
    start: Instant,
    failed: u32,
    /// What the attempt under way took from the budget.
    paid: u32,
}

impl Attempts {
    /// Waits until it is time for another attempt.
    ///
    /// # Errors
    /// The failure, when there will be none.
    pub(crate) async fn after(&mut self, error: Error, is_repeatable: bool) -> Result<()> {
        self.failed += 1;
        let Some(pause) = self.pause(&error, is_repeatable) else {
            return Err(error.after(self.failed, self.start.elapsed()));
        };
        tracing::warn!(attempt = self.failed, ?pause, %error, "trying again");
        sleep(pause).await;
        Ok(())
    }

    /// Which attempt is under way, from 1 on.
    pub(crate) fn number(&self) -> u32 {
        self.failed + 1
    }

    /// The same for a change that is known to have changed nothing. Its failure was counted when it was made.
    ///
    /// # Errors
    /// The failure, when there will be no other attempt.
    pub(crate) async fn after_settling(&mut self, error: Error) -> Result<()> {
        self.failed = self.failed.saturating_sub(1);
        self.after(error, true).await
    }

    fn pause(&mut self, error: &Error, is_repeatable: bool) -> Option<Duration> {
        let is_harmless = is_repeatable || error.request_outcome() == RequestOutcome::NotExecuted;
        if !(error.is_retryable() && is_harmless) {
            return None;
        }
        let failed = Attempt { number: self.failed, elapsed: self.start.elapsed(), error };
        let pause = self.retries.policy.as_ref()?.pause(&failed)?;
        let Some(paid) = self.retries.budget.pay(error) else {
            tracing::warn!(%error, "not tried again: the retry budget of the client is spent");
            return None;
        };
        self.paid = paid;
        Some(pause)
    }

    /// The attempt under way succeeded.
    pub(crate) fn succeeded(&mut self) {
        let earned = if self.paid > 0 { self.paid } else { RetryBudget::REWARD };
        self.paid = 0;
        self.retries.budget.give(earned);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(error: &Error, number: u32) -> Attempt<'_> {
        Attempt { number, elapsed: Duration::ZERO, error }
    }

    fn of(kind: ErrorKind, status: Option<u16>) -> Error {
        let error = Error::new(kind, "x");
        status.into_iter().fold(error, Error::with_status)
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_repeated_only_if_it_was_not_executed() {
        // The error, whether a read is repeated, whether a change is.
        let rows = [
            (of(ErrorKind::Connect, None), true, true),
            (of(ErrorKind::Busy, None), true, true),
            (of(ErrorKind::Busy, Some(429)), true, true),
            (of(ErrorKind::Busy, Some(503)), true, false),
            (of(ErrorKind::Interrupted, None), true, false),
            (of(ErrorKind::Timeout, None), true, false),
            (of(ErrorKind::Timeout, Some(504)), true, false),
            (of(ErrorKind::Server, Some(502)), true, false),
            (of(ErrorKind::Rejected, Some(408)), true, false),
            (of(ErrorKind::Interrupted, None).with_request_unsent(), true, true),
            (of(ErrorKind::Timeout, None).with_request_unsent(), true, true),
            (of(ErrorKind::Server, Some(502)).with_request_unsent(), true, true),
            (of(ErrorKind::TooLarge, None).with_request_unsent(), false, false),
            (of(ErrorKind::Io, None).with_request_unsent(), false, false),
            (of(ErrorKind::Server, None), false, false),
            (of(ErrorKind::Server, Some(500)), false, false),
            (of(ErrorKind::InvalidInput, None), false, false),
            (of(ErrorKind::Io, None), false, false),
            (of(ErrorKind::Authentication, None), false, false),
            (of(ErrorKind::Rejected, Some(404)), false, false),
            (of(ErrorKind::Protocol, None), false, false),
            (of(ErrorKind::TooLarge, Some(413)), false, false),
            (of(ErrorKind::JobFailed, None), false, false),
            (of(ErrorKind::JobNotFound, None), false, false),
            (of(ErrorKind::SubmitUnknown, None), false, false),
            (of(ErrorKind::Deadline, None), false, false),
        ];
        for (error, read, change) in rows {
            let repeated =
                async |is_repeatable| Retries::default().attempts().after(error.clone(), is_repeatable).await.is_ok();
            assert_eq!((repeated(true).await, repeated(false).await), (read, change), "{error:?}");
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_are_random_below_that() {
        let (backoff, error) = (Backoff::new().max_attempts(99), of(ErrorKind::Busy, None));
        let limits: Vec<_> = (1..=8).map(|number| backoff.pause_at(&failed(&error, number), 1.0).unwrap()).collect();
        assert_eq!(limits, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0].map(Duration::from_secs_f64));
        assert_eq!(backoff.pause_at(&failed(&error, 3), 0.0), Some(Duration::ZERO));
        assert_eq!(backoff.pause_at(&failed(&error, 98), 1.0), Some(Duration::from_secs(20)));
    }

    #[test]
    fn attempts_come_to_an_end() {
        let error = of(ErrorKind::Busy, None);
        assert!(Backoff::new().pause(&failed(&error, 5)).is_some());
        assert_eq!(Backoff::new().pause(&failed(&error, 6)), None);
    }

    #[test]
    fn what_the_server_asks_for_is_waited_for_within_reason() {
        let backoff = Backoff::new();
        let error = |seconds| of(ErrorKind::Busy, Some(429)).with_retry_after(Some(Duration::from_secs(seconds)));
        assert_eq!(backoff.pause_at(&failed(&error(7), 1), 0.0), Some(Duration::from_secs(7)));
        assert_eq!(backoff.pause_at(&failed(&error(7), 1), 1.0), Some(Duration::from_millis(7500)));
        assert_eq!(backoff.pause_at(&failed(&error(3600), 1), 0.0), None);
    }

    #[test]
    fn settings_and_servers_without_measure_are_borne() {
        let error = of(ErrorKind::Busy, None).with_retry_after(Some(Duration::from_secs(u64::MAX)));
        let backoff = Backoff {
            max_attempts: u32::MAX,
            base_delay: Duration::MAX,
            max_delay: Duration::MAX,
            max_retry_after: Duration::MAX,
        };
        assert!(backoff.pause_at(&failed(&error, 1_000_000), 1.0).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_spent_budget_ends_repetition_for_all_calls_until_calls_succeed() {
        let retries = Retries { budget: RetryBudget::new(10), ..Retries::default() };
        let (mut one, mut other) = (retries.attempts(), retries.attempts());
        let lost = || of(ErrorKind::Interrupted, None);
        one.after(lost(), true).await.unwrap();
        one.after(lost(), true).await.unwrap();
        let error = other.after(lost(), true).await.unwrap_err();
        assert_eq!((error.attempts(), retries.budget.left()), (1, 0));
        one.succeeded();
        assert_eq!(retries.budget.left(), 5);
        retries.attempts().succeeded();
        assert_eq!(retries.budget.left(), 6);
        (0..99).for_each(|_| retries.attempts().succeeded());
        assert_eq!(retries.budget.left(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_after_a_timeout_costs_twice_as_much() {
        let retries = Retries::default();
        retries.attempts().after(of(ErrorKind::Timeout, None), true).await.unwrap();
        assert_eq!(retries.budget.left(), 490);
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_error_says_how_often_and_how_long_it_was_tried() {
        let retries = Retries::default();
        let mut attempts = retries.attempts();
        let error = loop {
            if let Err(error) = attempts.after(of(ErrorKind::Busy, None), true).await {
                break error;
            }
        };
        assert_eq!(error.attempts(), 6);
        assert!(error.to_string().starts_with("x (tried 6 times in "), "{error}");
        let error = retries.single().after(of(ErrorKind::Busy, None), true).await.unwrap_err();
        assert_eq!((error.to_string().as_str(), error.attempts()), ("x", 1));
    }
}
