//! The policy that decides whether and when a call is retried.

use std::fmt;
use std::time::Duration;

use crate::Error;

/// Decides whether a call that failed is retried, and when.
///
/// The default is [`Backoff`](super::Backoff); [`ClientBuilder::retry`](crate::ClientBuilder::retry) sets
/// another policy.
///
/// The client asks the policy only after failures that are [retryable](Error::is_retryable), and only if a retry cannot
/// do harm. That is no matter of policy: the table of [`RequestOutcome`](crate::RequestOutcome) says after which
/// failures a *read* and a *change* are retried.
///
/// A read is an operation that is [repeatable](crate::api::Operation::repeatable): exports, lineage queries, analyses,
/// requests for tokens, and also settings such as [`Job::set_on_top`](crate::Job::set_on_top). Submitting a job,
/// deleting it and running it again are changes.
///
/// ```
/// use std::time::Duration;
/// use sqlflow_client::Client;
/// use sqlflow_client::retry::{Attempt, RetryPolicy};
///
/// /// Makes three attempts, a second apart.
/// #[derive(Debug)]
/// struct ThreeAttempts;
///
/// impl RetryPolicy for ThreeAttempts {
///     fn pause(&self, failed: &Attempt<'_>) -> Option<Duration> {
///         (failed.number() < 3).then_some(Duration::from_secs(1))
///     }
/// }
///
/// let sqlflow = Client::builder("localhost:8165").retry(ThreeAttempts).build()?;
/// # Ok::<(), sqlflow_client::Error>(())
/// ```
pub trait RetryPolicy: fmt::Debug + Send + Sync {
    /// Returns the pause before the next attempt, or `None` to give up.
    fn pause(&self, failed: &Attempt<'_>) -> Option<Duration>;
}

/// A failed attempt, which a [`RetryPolicy`] judges.
#[derive(Debug)]
#[non_exhaustive]
pub struct Attempt<'a> {
    pub(super) number: u32,
    pub(super) elapsed: Duration,
    pub(super) error: &'a Error,
}

impl Attempt<'_> {
    /// Returns the number of the attempt, counted from 1.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Returns the time since the start of the first attempt.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Returns the error of the attempt. [`Error::retry_after`] is the pause that the server asks for.
    #[must_use]
    pub fn error(&self) -> &Error {
        self.error
    }
}
