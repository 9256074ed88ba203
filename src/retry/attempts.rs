//! The attempts of one call.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Attempt, Backoff, RetryBudget, RetryPolicy};
use crate::wire::Operation;
use crate::{Error, RequestOutcome, Result};

/// The settings for retries that all calls of a client share.
#[derive(Debug, Clone)]
pub(crate) struct Retries {
    /// The policy, or `None` if calls are not retried.
    pub(crate) policy: Option<Arc<dyn RetryPolicy>>,
    pub(crate) budget: RetryBudget,
}

impl Default for Retries {
    fn default() -> Self {
        Self { policy: Some(Arc::new(Backoff::default())), budget: RetryBudget::default() }
    }
}

impl Retries {
    /// Starts the attempts of a call.
    pub(crate) fn attempts(&self) -> Attempts {
        Attempts { retries: self.clone(), start: Instant::now(), failed: 0, price: 0 }
    }

    /// Starts the only attempt of a call whose caller decides itself when to repeat it.
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
    /// The number of tokens that the current attempt took from the budget.
    price: u32,
}

/// The decision about the next attempt.
enum Pause {
    For(Duration),
    GivenUp,
    PolicyPanicked,
}

impl Attempts {
    /// Waits until the next attempt is due.
    ///
    /// # Errors
    /// Returns the failure if there is no further attempt.
    pub(crate) async fn after(&mut self, error: Error, operation: &'static Operation) -> Result<()> {
        self.retry(error, operation, operation.repeatable).await
    }

    async fn retry(&mut self, error: Error, operation: &'static Operation, is_repeatable: bool) -> Result<()> {
        self.failed += 1;
        let pause = match self.pause(&error, operation, is_repeatable) {
            Pause::For(pause) => pause,
            Pause::GivenUp => return Err(error.after(self.failed, self.start.elapsed())),
            Pause::PolicyPanicked => {
                let text = format!("{error}; not retried, because the retry policy panicked");
                return Err(error.with_text(text).after(self.failed, self.start.elapsed()));
            }
        };
        tracing::warn!(
            target: "sqlflow_client::retry",
            operation = operation.id,
            attempt = self.failed,
            ?pause,
            %error,
            "retrying after a failed attempt"
        );
        sleep(pause).await;
        Ok(())
    }

    /// Returns the number of the current attempt, counted from 1.
    pub(crate) fn number(&self) -> u32 {
        self.failed + 1
    }

    /// Waits for the next attempt at a change that is known to have had no effect. Its failure is counted already.
    ///
    /// # Errors
    /// Returns the failure if there is no further attempt.
    pub(crate) async fn after_settling(&mut self, error: Error, operation: &'static Operation) -> Result<()> {
        self.failed = self.failed.saturating_sub(1);
        self.retry(error, operation, true).await
    }

    /// Returns the pause before the next attempt, if there is one.
    fn pause(&mut self, error: &Error, operation: &'static Operation, is_repeatable: bool) -> Pause {
        let is_harmless = is_repeatable || error.request_outcome() == RequestOutcome::NotExecuted;
        if !(error.is_retryable() && is_harmless) {
            return Pause::GivenUp;
        }
        let failed = Attempt::new(operation, self.failed, self.start.elapsed(), error);
        let Some(policy) = &self.retries.policy else { return Pause::GivenUp };
        // Other calls may wait for this one, for its token or its lookup, and must not break with it.
        let pause = match catch_unwind(AssertUnwindSafe(|| policy.pause(&failed))) {
            Ok(Some(pause)) => pause,
            Ok(None) => return Pause::GivenUp,
            Err(_) => return Pause::PolicyPanicked,
        };
        let Some(price) = self.retries.budget.withdraw(error) else {
            tracing::warn!(
                target: "sqlflow_client::retry",
                operation = operation.id,
                %error,
                "not retrying: the retry budget of the client is spent"
            );
            return Pause::GivenUp;
        };
        self.price = price;
        Pause::For(pause)
    }

    /// Notes that the current attempt succeeded.
    pub(crate) fn succeeded(&mut self) {
        let earned = if self.price > 0 { self.price } else { RetryBudget::REWARD };
        self.price = 0;
        self.retries.budget.deposit(earned);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use crate::wire::operations::{DELETE_USER_JOB, DISPLAY_USER_JOBS_SUMMARY};

    fn failure(kind: ErrorKind, status: Option<u16>) -> Error {
        let error = Error::new(kind, "x");
        status.into_iter().fold(error, Error::with_status)
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_retried_only_if_it_was_not_executed() {
        // The error, and whether a read and a change are retried after it.
        let rows = [
            (failure(ErrorKind::Connect, None), true, true),
            (failure(ErrorKind::Busy, None), true, true),
            (failure(ErrorKind::Busy, Some(429)), true, true),
            (failure(ErrorKind::Busy, Some(503)), true, false),
            (failure(ErrorKind::Interrupted, None), true, false),
            (failure(ErrorKind::Timeout, None), true, false),
            (failure(ErrorKind::Timeout, Some(504)), true, false),
            (failure(ErrorKind::Server, Some(502)), true, false),
            (failure(ErrorKind::Rejected, Some(408)), true, false),
            (failure(ErrorKind::Interrupted, None).with_request_unsent(), true, true),
            (failure(ErrorKind::Timeout, None).with_request_unsent(), true, true),
            (failure(ErrorKind::Server, Some(502)).with_request_unsent(), true, true),
            (failure(ErrorKind::TooLarge, None).with_request_unsent(), false, false),
            (failure(ErrorKind::Io, None).with_request_unsent(), false, false),
            (failure(ErrorKind::Server, None), false, false),
            (failure(ErrorKind::Server, Some(500)), false, false),
            (failure(ErrorKind::InvalidInput, None), false, false),
            (failure(ErrorKind::Io, None), false, false),
            (failure(ErrorKind::Authentication, None), false, false),
            (failure(ErrorKind::Rejected, Some(404)), false, false),
            (failure(ErrorKind::Protocol, None), false, false),
            (failure(ErrorKind::TooLarge, Some(413)), false, false),
            (failure(ErrorKind::JobFailed, None), false, false),
            (failure(ErrorKind::JobNotFound, None), false, false),
            (failure(ErrorKind::SubmitUnknown, None), false, false),
            (failure(ErrorKind::Deadline, None), false, false),
        ];
        for (error, read, change) in rows {
            let is_retried =
                async |operation| Retries::default().attempts().after(error.clone(), operation).await.is_ok();
            let retried = (is_retried(&DISPLAY_USER_JOBS_SUMMARY).await, is_retried(&DELETE_USER_JOB).await);
            assert_eq!(retried, (read, change), "{error:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_error_states_the_number_and_the_time_of_the_attempts() {
        let retries = Retries::default();
        let mut attempts = retries.attempts();
        let error = loop {
            if let Err(error) = attempts.after(failure(ErrorKind::Busy, None), &DELETE_USER_JOB).await {
                break error;
            }
        };
        assert_eq!(error.attempts(), 6);
        assert!(error.to_string().starts_with("x (tried 6 times in "), "{error}");
        let error = retries.single().after(failure(ErrorKind::Busy, None), &DELETE_USER_JOB).await.unwrap_err();
        assert_eq!((error.to_string().as_str(), error.attempts()), ("x", 1));
    }
}
