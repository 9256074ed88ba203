//! Quotas that are used up: a call that the server would refuse is refused here.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use crate::sync::lock;
use crate::wire::Operation;
use crate::{Error, ErrorKind, Result};

/// The time for which a refusal is remembered if the server does not say for how long to wait.
///
/// The vendor documents that a quota is for a day, but not when its day begins. An address that has calls again must
/// not be locked out for long.
const REMEMBERED: Duration = Duration::from_secs(600);

/// The longest time for which a refusal is remembered, whatever the server says.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The operations whose quota the server said is used up.
#[derive(Debug, Default)]
pub(super) struct Quotas(Mutex<HashMap<&'static str, Refusal>>);

#[derive(Debug)]
struct Refusal {
    error: Error,
    until: Instant,
}

impl Quotas {
    /// Refuses a call of an operation whose quota is known to be used up.
    ///
    /// # Errors
    /// `QuotaExceeded`, with what the server said.
    pub(super) fn check(&self, operation: &Operation) -> Result<()> {
        let mut refusals = lock(&self.0);
        let Some(refusal) = refusals.get(operation.id) else { return Ok(()) };
        let left = refusal.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            refusals.remove(operation.id);
            return Ok(());
        }
        let minutes = left.as_secs().div_ceil(60);
        let text = format!("{}; not sent, this client asks again in {minutes} min", refusal.error);
        Err(refusal.error.clone().with_text(text).with_retry_after(Some(left)).with_request_unsent())
    }

    /// Remembers a refusal, if the error is one.
    pub(super) fn note(&self, operation: &'static Operation, error: &Error) {
        if error.kind() != ErrorKind::QuotaExceeded {
            return;
        }
        let remembered = error.retry_after().unwrap_or(REMEMBERED).min(DAY);
        let refusal = Refusal { error: error.clone(), until: Instant::now() + remembered };
        lock(&self.0).insert(operation.id, refusal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::operations::{ANONYMOUS_LINEAGE, CHECK_SYNTAX};

    fn used_up() -> Error {
        Error::new(ErrorKind::QuotaExceeded, "the quota of calls is used up")
    }

    #[tokio::test(start_paused = true)]
    async fn a_used_up_quota_refuses_its_operation_until_the_server_said_or_for_ten_minutes() {
        for (said, seconds) in [(None, 600), (Some(90), 90), (Some(1_000_000), 86_400)] {
            let quotas = Quotas::default();
            quotas.note(&ANONYMOUS_LINEAGE, &Error::new(ErrorKind::Busy, "slow down"));
            assert!(quotas.check(&ANONYMOUS_LINEAGE).is_ok());
            quotas.note(&ANONYMOUS_LINEAGE, &used_up().with_retry_after(said.map(Duration::from_secs)));
            tokio::time::advance(Duration::from_secs(seconds - 1)).await;
            let error = quotas.check(&ANONYMOUS_LINEAGE).unwrap_err();
            assert_eq!((error.kind(), error.retry_after()), (ErrorKind::QuotaExceeded, Some(Duration::from_secs(1))));
            assert!(error.to_string().ends_with("used up; not sent, this client asks again in 1 min"), "{error}");
            assert!(quotas.check(&CHECK_SYNTAX).is_ok());
            tokio::time::advance(Duration::from_secs(1)).await;
            assert!(quotas.check(&ANONYMOUS_LINEAGE).is_ok());
        }
    }
}
