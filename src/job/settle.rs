//! Finding out whether a submission whose response was lost has created a job.
//!
//! The API has no idempotency key that would make a repeated submission harmless. Each submission therefore has a job
//! name of its own, and the list of jobs shows whether a job of that name exists.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};

use super::listing::{Listing, ListingHold};
use super::{Job, JobInfo, JobService};
use crate::error::escape_controls;
use crate::wire::{Submitted, operations};
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
/// is lost: the job may take a while to appear. The search ends with the window, whatever the server does. The last
/// listing is requested after three quarters of it, so raise the window for a server that takes longer than a quarter
/// to send its list. The job counts as not created only if at least two listings came, and the last one does not
/// contain it. A listing that is shorter than its own count proves nothing. If the listings do not prove that the job
/// was not created, or if the submission must not be repeated, the error is
/// [`SubmitUnknown`](ErrorKind::SubmitUnknown). Submissions that are settled at the same time share their listings.
///
/// If the list has more than a thousand jobs, the client first asks for the job by its name, which takes less. Once a
/// server has found a job in this way, only the last two lookups are listings: nothing else proves that a job was not
/// created. Lookups by name are not shared.
///
/// # The name
/// The name of a job has at most 60 bytes and ends with a random suffix of ASCII letters and digits. The job is
/// recognized by the suffix, in upper or lower case and with anything before or after it, so that a server may cut the
/// name, change its case or its blanks, escape it, or replace special characters. If the server drops the name, or cuts
/// it before the suffix ends, the job is recognized at the end of the window by its dialect, its file names and its time
/// of creation, if it is the only one to which all three may apply, and no other submission of the client is under way
/// that it could belong to. If the list does not tell whether one of its jobs is that of the submission, the error is
/// [`SubmitUnknown`](ErrorKind::SubmitUnknown). Only the job of a server that does not list it is not found.
/// [`ClientBuilder::server_time_zone`](crate::ClientBuilder::server_time_zone) makes times certain.
///
/// # The time after a submission
/// A server may know a job later than it responds to the submission. Until the window has passed, counted from that
/// response, a state that says that there is no such job is taken as this delay: by [`Watch`](crate::job::Watch),
/// [`Job::wait`], [`Job::info`] and the methods that change the job.
///
/// The vendor does not document how long a server takes to list a job after the last byte of the upload. The default
/// window is an estimate. It is generous, because a second job costs more than half a minute. With
/// [`send_again(false)`](Settling::send_again), no submission depends on it.
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
        Self { window: Duration::from_secs(40), max_lookups: 6, send_again: true }
    }
}

impl Settling {
    /// Creates the default settings.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets for how long the client searches for the job. The default is 40 seconds.
    #[must_use]
    pub fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// Sets how many times the client searches for the job: at the start of the window, after three quarters of it, and
    /// in between. The default is 6; at least 2 and at most 100 are allowed.
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
        if !(MIN_LISTINGS..=100).contains(&self.max_lookups) {
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

    /// Returns the length of the window.
    pub(super) fn window_length(self) -> Duration {
        self.window
    }

    pub(super) fn sends_again(self) -> bool {
        self.send_again
    }

    /// Returns the time of each lookup, counted from the loss of the response, and `true` for the last one. The last one
    /// begins early enough to end in the window.
    fn times(self) -> impl Iterator<Item = (Duration, bool)> {
        let last = self.max_lookups.max(MIN_LISTINGS) - 1;
        (0..=last).map(move |lookup| {
            let part = f64::from(lookup) / f64::from(last);
            (self.window.mul_f64(0.75 * part.powi(2)), lookup == last)
        })
    }

    /// Searches for the job that a submission may have created. Returns `None` only if at least two listings were read,
    /// the last of them requested towards the end of the window, and the job is not in it.
    ///
    /// # Errors
    /// An error if the listings prove neither.
    pub(super) async fn find(
        self,
        service: &JobService,
        submitted: &Submitted,
        hold: &ListingHold,
    ) -> Result<Option<Job>> {
        let end = hold.since.max(Instant::now()) + self.window;
        let last_begin = hold.since + self.times().last().map(|(time, _)| time).unwrap_or_default();
        let (mut needed, mut failure, mut listings) = (hold.since, Some(too_few_listings()), 0);
        let first_listing = self.max_lookups.saturating_sub(MIN_LISTINGS);
        let mut lookups = (0..).zip(self.times()).peekable();
        while let Some((lookup, (time, is_last))) = lookups.next() {
            let begin = hold.since + time;
            sleep_until(begin).await;
            let now = Instant::now();
            if !is_last && now > last_begin {
                continue;
            }
            let is_listing = lookup >= first_listing;
            // Lookups that are late share a list.
            let is_late = lookups.peek().is_some_and(|(_, (next, _))| now > hold.since + *next);
            if !is_listing && !is_late && service.prefers_names(needed) {
                match timeout_at(end.min(now + self.window / 8), service.look_up_name(submitted)).await {
                    Ok(Ok(Some(info))) => return Ok(Some(found(service, submitted, info))),
                    Ok(Ok(None)) if service.finds_names() => continue,
                    _ => {}
                }
            }
            let limit = if is_last { end } else { end.min(Instant::now() + self.window / 4) };
            // Where earlier lookups were by name, both listings have to come.
            let must_come = is_last || (is_listing && service.finds_names());
            let listing = self.look_up(service, if is_last { begin } else { needed }, must_come);
            let listing = timeout_at(limit, listing).await.unwrap_or_else(|_| Err(too_few_listings()));
            let listed = listing.and_then(|listing| {
                (needed, listings) = (listing.after(), listing.number - hold.number);
                service.find_submitted(&listing.index, submitted, is_last)
            });
            match listed {
                Ok(Some(info)) => return Ok(Some(found(service, submitted, info))),
                Ok(None) => failure = None,
                Err(error) => {
                    tracing::warn!(
                        target: "sqlflow_client::submit",
                        %error,
                        name = submitted.name,
                        "cannot search the list of jobs"
                    );
                    // A server that redirects every request, to a sign-in page perhaps, does so until it is configured.
                    if error.is_redirect_to_result() {
                        return Err(error);
                    }
                    failure = Some(error);
                }
            }
        }
        match failure {
            Some(error) => Err(error),
            None if listings < u64::from(MIN_LISTINGS) => Err(too_few_listings()),
            None => Ok(None),
        }
    }

    /// Returns a listing that was requested at `needed` or later. One that must come is retried by the policy of the
    /// client, because no other follows that could take its place.
    async fn look_up(self, service: &JobService, needed: Instant, must_come: bool) -> Result<Listing> {
        let mut attempts = service.transport().attempts();
        loop {
            match service.listing_since(needed, self.window).await {
                Err(error) if must_come => attempts.after(error, &operations::DISPLAY_USER_JOBS_SUMMARY).await?,
                result => return result,
            }
        }
    }
}

/// The number of listings without a job that prove that it was not created.
const MIN_LISTINGS: u32 = 2;

fn found(service: &JobService, submitted: &Submitted, info: JobInfo) -> Job {
    tracing::info!(
        target: "sqlflow_client::submit",
        job = %escape_controls(info.id.as_str()),
        name = submitted.name,
        "the submission whose response was lost created a job"
    );
    Job::submitted(service, info)
}

fn too_few_listings() -> Error {
    Error::new(ErrorKind::Timeout, "the list of jobs could not be read in time, or not often enough")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookups_happen_at_growing_intervals_and_the_last_can_end_in_the_window() {
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
