//! Finding out whether a submission whose response was lost has created a job.
//!
//! The API has no idempotency key that would make a repeated submission harmless. Each submission therefore has a job
//! name of its own, and the list of jobs shows whether a job of that name exists.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use super::Job;
use super::JobService;
use super::service::LIST_TIMEOUT;
use crate::error::escape_controls;
use crate::{Error, ErrorKind, Result};

/// Configures how the client finds out whether a submission whose response was lost has created a job.
///
/// A submission is never repeated blindly: the client first searches the list of jobs for the name of the job. What it
/// does after a failure depends on the [`RequestOutcome`](crate::RequestOutcome), whose table says which failures have
/// which outcome:
///
/// | outcome | job | what the client does |
/// |---|---|---|
/// | [`NotExecuted`], and [retryable](Error::is_retryable) | was not created | submits again, with all files |
/// | [`NotExecuted`], and not retryable | was not created | fails |
/// | [`Unanswered`] | may exist | searches; if the job is not there at the end of the window, submits again |
/// | [`Incomplete`] or [`Unreadable`] | may exist, or may still be created | searches; never submits again |
/// | [`ServerFailed`] | may exist | searches; if the job is not there, fails with the failure of the server |
///
/// When the attempts of the client run out, the last submission that was sent and got no response also ends as
/// [`SubmitUnknown`](ErrorKind::SubmitUnknown).
///
/// # The search
/// The client searches the list of jobs several times, at growing intervals, in a window that begins when the response
/// is lost: the job may take a while to appear. The job counts as not created only if at least two listings do not
/// contain it, the last of them made at the end of the window. A listing that is shorter than its own count proves
/// nothing. If the listings do not prove that the job was not created, or if the submission must not be repeated, the
/// error is [`SubmitUnknown`](ErrorKind::SubmitUnknown).
///
/// The vendor does not document how long a server takes to list a job after the last byte of the upload. The default
/// window is an estimate. It is generous, because a second job costs more than half a minute. With
/// [`send_again(false)`](Settling::send_again), nothing depends on it.
///
/// ```
/// use std::time::Duration;
///
/// use sqlflow_client::Client;
/// use sqlflow_client::job::Settling;
///
/// // For a server that may take minutes to list a job.
/// let settling = Settling::new().window(Duration::from_secs(300)).max_lookups(10);
/// let sqlflow = Client::builder("localhost:8165").settling(settling).build()?;
/// # Ok::<(), sqlflow_client::Error>(())
/// ```
///
/// [`NotExecuted`]: crate::RequestOutcome::NotExecuted
/// [`Unanswered`]: crate::RequestOutcome::Unanswered
/// [`Incomplete`]: crate::RequestOutcome::Incomplete
/// [`Unreadable`]: crate::RequestOutcome::Unreadable
/// [`ServerFailed`]: crate::RequestOutcome::ServerFailed
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settling {
    window: Duration,
    max_lookups: u32,
    send_again: bool,
}

impl Default for Settling {
    fn default() -> Self {
        Self { window: Duration::from_secs(30), max_lookups: 6, send_again: true }
    }
}

impl Settling {
    /// Creates the default settings.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets for how long the client searches for the job. The last listing may take longer. The default is 30 seconds.
    #[must_use]
    pub fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// Sets how many times the list of jobs is searched: at the start of the window, at its end, and in between. The
    /// default is 6; at least 2 and at most 100 are allowed.
    #[must_use]
    pub fn max_lookups(mut self, lookups: u32) -> Self {
        self.max_lookups = lookups;
        self
    }

    /// Sets whether a submission is sent again that was sent to its last byte but created no job within the window. The
    /// default is `true`.
    #[must_use]
    pub fn send_again(mut self, again: bool) -> Self {
        self.send_again = again;
        self
    }

    pub(crate) fn check(self) -> Result<()> {
        /// No caller waits longer for a response to a submission, and arithmetic with times up to here cannot overflow.
        const MAX_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);
        if self.window > MAX_WINDOW {
            return Err(Error::invalid("the settling window is longer than a day: choose a shorter one"));
        }
        if !(2..=100).contains(&self.max_lookups) {
            return Err(Error::invalid(format!(
                "the number of settling lookups is {}: choose at least 2 and at most 100",
                self.max_lookups
            )));
        }
        if self.window.is_zero() {
            return Err(Error::invalid("the settling window is zero: choose a time in which a job can be found"));
        }
        Ok(())
    }

    pub(super) fn sends_again(self) -> bool {
        self.send_again
    }

    /// Returns the time of each lookup, counted from the loss of the response, and `true` for the last one.
    fn times(self) -> impl Iterator<Item = (Duration, bool)> {
        let last = self.max_lookups.max(2) - 1;
        (0..=last).map(move |lookup| {
            let part = f64::from(lookup) / f64::from(last);
            (self.window.mul_f64(part.powi(2)), lookup == last)
        })
    }

    /// Searches for the job that a submission may have created. Returns `None` only if at least two listings, the last
    /// of them made at the end of the window, do not contain it.
    ///
    /// # Errors
    /// An error if the listings prove neither.
    pub(super) async fn find(self, service: &JobService, name: &str) -> Result<Option<Job>> {
        let begun = Instant::now();
        let (mut absences, mut failure) = (0, None);
        for (time, is_last) in self.times() {
            sleep_until(begun + time).await;
            // Before the last lookup a single attempt will do, because another lookup follows.
            let transport = service.transport();
            let attempts = if is_last { transport.attempts() } else { transport.single() };
            let lookup = service.find_info(name, attempts);
            match timeout(LIST_TIMEOUT, lookup).await.unwrap_or_else(|_| Err(too_few_listings())) {
                Ok(Some(info)) => {
                    tracing::info!(
                        target: "sqlflow_client::submit",
                        job = %escape_controls(info.id.as_str()),
                        name,
                        "the submission whose response was lost created a job"
                    );
                    return Ok(Some(Job::submitted(service, info)));
                }
                Ok(None) => {
                    absences += 1;
                    failure = None;
                }
                Err(error) => {
                    tracing::warn!(target: "sqlflow_client::submit", %error, name, "cannot search the list of jobs");
                    failure = Some(error);
                }
            }
        }
        match failure {
            Some(error) => Err(error),
            None if absences < 2 => Err(too_few_listings()),
            None => Ok(None),
        }
    }
}

fn too_few_listings() -> Error {
    Error::new(ErrorKind::Timeout, "the list of jobs could not be read in time, or not often enough")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookups_happen_at_both_ends_of_the_window_and_at_growing_intervals_in_between() {
        let times: Vec<_> = Settling::new().times().map(|(time, _)| time.as_secs_f64()).collect();
        assert_eq!(times, [0.0, 1.2, 4.8, 10.8, 19.2, 30.0]);
    }

    #[test]
    fn too_few_lookups_and_windows_that_are_zero_or_endless_are_refused() {
        let refused =
            |settling| crate::Client::builder("localhost").settling(settling).build().unwrap_err().to_string();
        assert!(refused(Settling::new().max_lookups(1)).contains("at least 2"));
        assert!(refused(Settling::new().window(Duration::ZERO)).contains("window is zero"));
        assert!(refused(Settling::new().window(Duration::MAX)).contains("longer than a day"));
    }
}
