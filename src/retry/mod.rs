//! Retries: after which failures, after which pause, and how often.
//!
//! A failed call is retried if two conditions hold. First, a retry must not be able to do harm; that is fixed, and the
//! table of [`RequestOutcome`](crate::RequestOutcome) shows it. Second, the *policy* must consider a retry worthwhile;
//! it also chooses the pause, and a client can be given another one ([`RetryPolicy`]). Each retry is paid for from the
//! *budget* that all calls of a client share ([`RetryBudget`]), so that a server in trouble does not get six times as
//! many requests as a healthy one.
//!
//! Polls are outside the policy and the budget: a wait or a watch that cannot get the state of a job asks again when its
//! [schedule](crate::job::Polling) says so.
//!
//! The table in `docs/fault-matrix.md` shows the result of every call under every fault. A test compares it with the
//! actual behaviour.

mod attempts;
mod backoff;
mod budget;
mod policy;

pub(crate) use self::attempts::{Attempts, Retries};
pub use self::backoff::Backoff;
pub use self::budget::RetryBudget;
pub use self::policy::{Attempt, RetryPolicy};
