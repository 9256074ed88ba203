//! The policy that decides whether and when a call is retried.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::Error;
use crate::wire::Operation;

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
/// Polls are outside the policy: [`Job::wait`](crate::Job::wait) and [`Job::watch`](crate::Job::watch) ask for the state
/// of a job once and, after a failure, ask again when their [schedule](crate::job::Polling) says so. A policy would only
/// delay that, and a watch reports each failure at once.
///
/// A policy that panics gives up: the call fails with the error of its last attempt, and its text says that the policy
/// panicked.
///
/// ```
/// use std::time::Duration;
/// use sqlflow_client::{Client, Error, ErrorKind};
/// use sqlflow_client::api::operations;
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
///
/// // A policy is tested without a server.
/// let error = Error::from(ErrorKind::Busy);
/// let third = Attempt::new(&operations::SUBMIT_USER_JOB, 3, Duration::from_secs(2), &error);
/// assert_eq!(ThreeAttempts.pause(&third), None);
/// # Ok::<(), sqlflow_client::Error>(())
/// ```
pub trait RetryPolicy: fmt::Debug + Send + Sync {
    /// Returns the pause before the next attempt, or `None` to give up.
    fn pause(&self, failed: &Attempt<'_>) -> Option<Duration>;
}

impl<P: RetryPolicy + ?Sized> RetryPolicy for Arc<P> {
    fn pause(&self, failed: &Attempt<'_>) -> Option<Duration> {
        (**self).pause(failed)
    }
}

impl<P: RetryPolicy + ?Sized> RetryPolicy for Box<P> {
    fn pause(&self, failed: &Attempt<'_>) -> Option<Duration> {
        (**self).pause(failed)
    }
}

/// A failed attempt, which a [`RetryPolicy`] judges.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Attempt<'a> {
    pub(super) operation: &'static Operation,
    pub(super) number: u32,
    pub(super) elapsed: Duration,
    pub(super) error: &'a Error,
}

impl<'a> Attempt<'a> {
    /// Creates a failed attempt, for a test of a policy: its operation, its number, counted from 1, the time since the
    /// start of the first attempt, and its error.
    #[must_use]
    pub fn new(operation: &'static Operation, number: u32, elapsed: Duration, error: &'a Error) -> Self {
        Self { operation, number, elapsed, error }
    }

    /// Returns the operation that was called.
    #[must_use]
    pub fn operation(&self) -> &'static Operation {
        self.operation
    }

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
