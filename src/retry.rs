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
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{Error, ErrorKind, Result};

/// Longer than any program runs, and short enough to be reckoned with.
const ENDLESS: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// What a failure tells of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It was not acted on: it did not arrive, not to its end, or was turned away for now.
    Unheard,
    /// It may have been acted on: there is no answer, half of one, or one of a proxy that knows no more.
    Unknown,
    /// It was answered, and would be answered alike again.
    Answered,
}

impl Fate {
    pub(crate) fn of(error: &Error) -> Self {
        match (error.kind(), error.status()) {
            (ErrorKind::Connect, _) if is_untrusted(error) => Self::Answered,
            (ErrorKind::Connect, _) => Self::Unheard,
            // The statuses are those of a gateway, whatever it says beside.
            (ErrorKind::Interrupted | ErrorKind::Timeout, _) | (_, Some(408 | 502..=504 | 520..=527)) => {
                Self::unless_cut_short(error)
            }
            (ErrorKind::Busy, _) => Self::Unheard,
            _ => Self::Answered,
        }
    }

    fn unless_cut_short(error: &Error) -> Self {
        if error.is_request_cut_short() { Self::Unheard } else { Self::Unknown }
    }
}

/// Whether another attempt can do no harm and may do better.
fn may_repeat(fate: Fate, is_repeatable: bool) -> bool {
    match (fate, is_repeatable) {
        (Fate::Unheard, _) => true,
        (Fate::Unknown, is_repeatable) => is_repeatable,
        (Fate::Answered, _) => false,
    }
}

/// A certificate that is not trusted now is not trusted in a second either.
#[cfg(feature = "rustls")]
fn is_untrusted(error: &Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(rustls::Error::InvalidCertificate(_)) = error.downcast_ref() {
            return true;
        }
        // An I/O error shows what it wraps by `get_ref` alone, and that may be another.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    false
}

#[cfg(not(feature = "rustls"))]
fn is_untrusted(_: &Error) -> bool {
    false
}

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
/// Each pause is random, between nothing and a limit that doubles from [`base`](Backoff::base) to
/// [`longest`](Backoff::longest): many clients that fail together do not come back together. Where a server says
/// `Retry-After`, that time is added, unless it is over [`patience`](Backoff::patience): then the call fails with an
/// error that [tells it](Error::retry_after).
#[derive(Debug, Clone, PartialEq)]
pub struct Backoff {
    attempts: u32,
    base: Duration,
    longest: Duration,
    patience: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            attempts: 6,
            base: Duration::from_millis(500),
            longest: Duration::from_secs(20),
            patience: Duration::from_secs(120),
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
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// The longest that the first pause may be. By default 500 ms.
    #[must_use]
    pub fn base(mut self, base: Duration) -> Self {
        self.base = base;
        self
    }

    /// The longest that any pause may be. By default 20 s.
    #[must_use]
    pub fn longest(mut self, longest: Duration) -> Self {
        self.longest = longest;
        self
    }

    /// The longest `Retry-After` that is waited for. By default 2 minutes.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The pause after so many attempts; `random` is from 0 to 1.
    fn pause_at(&self, failed: &Attempt<'_>, random: f64) -> Option<Duration> {
        let asked = failed.error.retry_after().unwrap_or_default();
        if failed.number >= self.attempts || asked > self.patience {
            return None;
        }
        let doubled = 2_u32.saturating_pow(failed.number - 1);
        let limit = self.base.saturating_mul(doubled).min(self.longest).min(ENDLESS);
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
        *self.0.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Pays for an attempt after this failure. Gives what was paid, or none if there is not enough.
    fn pay(&self, error: &Error) -> Option<u32> {
        let price = if error.kind() == ErrorKind::Timeout { Self::PRICE_AFTER_TIMEOUT } else { Self::PRICE };
        let mut left = self.0.left.lock().unwrap_or_else(PoisonError::into_inner);
        *left = left.checked_sub(price)?;
        Some(price)
    }

    fn give(&self, tokens: u32) {
        let mut left = self.0.left.lock().unwrap_or_else(PoisonError::into_inner);
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
        if !may_repeat(Fate::of(error), is_repeatable) {
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

    #[test]
    fn the_rule_holds_row_by_row() {
        use ErrorKind as K;
        // Kind and HTTP status, whether a read is repeated, whether a change is.
        let rows = [
            (K::Connect, None, true, true),
            (K::Busy, None, true, true),
            (K::Busy, Some(429), true, true),
            (K::Busy, Some(503), true, false),
            (K::Interrupted, None, true, false),
            (K::Timeout, None, true, false),
            (K::Timeout, Some(504), true, false),
            (K::Server, Some(502), true, false),
            (K::Rejected, Some(408), true, false),
            (K::Server, None, false, false),
            (K::Server, Some(500), false, false),
            (K::InvalidInput, None, false, false),
            (K::Io, None, false, false),
            (K::Authentication, None, false, false),
            (K::Rejected, Some(404), false, false),
            (K::Protocol, None, false, false),
            (K::TooLarge, Some(413), false, false),
            (K::JobFailed, None, false, false),
            (K::JobNotFound, None, false, false),
            (K::SubmitUnknown, None, false, false),
            (K::Deadline, None, false, false),
        ];
        for (kind, status, read, change) in rows {
            let fate = Fate::of(&of(kind, status));
            assert_eq!((may_repeat(fate, true), may_repeat(fate, false)), (read, change), "{kind} {status:?}");
        }
    }

    #[test]
    fn a_change_whose_request_was_cut_short_is_repeated_unless_it_was_refused() {
        for (kind, repeated) in [
            (ErrorKind::Interrupted, true),
            (ErrorKind::Timeout, true),
            (ErrorKind::TooLarge, false),
            (ErrorKind::Io, false),
        ] {
            let error = of(kind, None).with_request_cut_short();
            assert_eq!(may_repeat(Fate::of(&error), false), repeated, "{kind}");
        }
        assert!(may_repeat(Fate::of(&of(ErrorKind::Server, Some(502)).with_request_cut_short()), false));
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_are_random_below_that() {
        let (backoff, error) = (Backoff::new().attempts(99), of(ErrorKind::Busy, None));
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
        let backoff =
            Backoff { attempts: u32::MAX, base: Duration::MAX, longest: Duration::MAX, patience: Duration::MAX };
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
