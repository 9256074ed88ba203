//! The budget that limits the retries of all calls of a client.

use std::fmt;
use std::sync::{Arc, Mutex};

use crate::sync::lock;
use crate::{Error, ErrorKind};

/// A token bucket that limits retries across all calls of a client, or of several clients that are given clones of it.
///
/// It works as in the SDKs of AWS. The bucket starts full, with 500 tokens. A retry takes 5 tokens, or 10 after a
/// timeout. A retry that succeeds returns the tokens that it took, and a call that needs no retry adds 1. While too few
/// tokens are left, calls are not retried, so that a server that fails for everybody gets no more than one
/// request per call.
///
/// ```
/// use sqlflow_client::Client;
/// use sqlflow_client::retry::RetryBudget;
///
/// let budget = RetryBudget::new(100);
/// let first = Client::builder("localhost:8165").retry_budget(budget.clone()).build()?;
/// let second = Client::builder("localhost:8165").retry_budget(budget.clone()).build()?;
/// assert_eq!(budget.left(), 100);
/// # Ok::<(), sqlflow_client::Error>(())
/// ```
#[derive(Clone)]
pub struct RetryBudget(Arc<TokenBucket>);

struct TokenBucket {
    capacity: u32,
    left: Mutex<u32>,
}

impl RetryBudget {
    const DEFAULT_CAPACITY: u32 = 500;
    const PRICE: u32 = 5;
    const PRICE_AFTER_TIMEOUT: u32 = 10;
    pub(super) const REWARD: u32 = 1;

    /// Creates a full budget with a number of tokens, which is also its maximum.
    #[must_use]
    pub fn new(tokens: u32) -> Self {
        Self(Arc::new(TokenBucket { capacity: tokens, left: Mutex::new(tokens) }))
    }

    /// Returns the number of tokens that are left.
    #[must_use]
    pub fn left(&self) -> u32 {
        *lock(&self.0.left)
    }

    /// Returns `true` if `other` is a clone of this budget.
    #[cfg(test)]
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Withdraws the price of a retry after a failure. Returns the price, or `None` if too few tokens are left.
    pub(super) fn withdraw(&self, error: &Error) -> Option<u32> {
        let price = if error.kind() == ErrorKind::Timeout { Self::PRICE_AFTER_TIMEOUT } else { Self::PRICE };
        let mut left = lock(&self.0.left);
        *left = left.checked_sub(price)?;
        Some(price)
    }

    /// Adds tokens, up to the capacity.
    pub(super) fn deposit(&self, tokens: u32) {
        let mut left = lock(&self.0.left);
        *left = left.saturating_add(tokens).min(self.0.capacity);
    }
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self::new(Self::DEFAULT_CAPACITY)
    }
}

impl fmt::Debug for RetryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryBudget").field("left", &self.left()).field("capacity", &self.0.capacity).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Retries;
    use super::*;
    use crate::wire::operations::DISPLAY_USER_JOBS_SUMMARY;

    #[tokio::test(start_paused = true)]
    async fn a_spent_budget_ends_retries_of_all_calls_until_calls_succeed() {
        let retries = Retries { budget: RetryBudget::new(10), ..Retries::default() };
        let (mut one, mut other) = (retries.attempts(), retries.attempts());
        let lost = || Error::new(ErrorKind::Interrupted, "x");
        one.after(lost(), &DISPLAY_USER_JOBS_SUMMARY).await.unwrap();
        one.after(lost(), &DISPLAY_USER_JOBS_SUMMARY).await.unwrap();
        let error = other.after(lost(), &DISPLAY_USER_JOBS_SUMMARY).await.unwrap_err();
        assert_eq!((error.attempts(), retries.budget.left()), (1, 0));
        one.succeeded();
        assert_eq!(retries.budget.left(), 5);
        retries.attempts().succeeded();
        assert_eq!(retries.budget.left(), 6);
        (0..99).for_each(|_| retries.attempts().succeeded());
        assert_eq!(retries.budget.left(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_retry_after_a_timeout_costs_twice_as_much() {
        let retries = Retries::default();
        retries.attempts().after(Error::new(ErrorKind::Timeout, "x"), &DISPLAY_USER_JOBS_SUMMARY).await.unwrap();
        assert_eq!(retries.budget.left(), 490);
    }
}
