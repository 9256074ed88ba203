//! The record of one watch in the hub: its queue of updates, and the time of its next poll.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::{KnownJob, Polling};
use crate::job::lag::Lag;
use crate::job::{JobId, JobInfo, JobStatus};
use crate::{Error, Result};

/// The result of a poll that a watch has not seen yet.
pub(super) struct PollUpdate {
    pub(super) at: Instant,
    /// `true` for the state in the response to the submission, which is no result of a poll.
    pub(super) is_of_submission: bool,
    pub(super) result: Result<Arc<JobInfo>>,
}

/// One watch, as the hub knows it.
pub(super) struct Subscriber {
    id: JobId,
    polling: Polling,
    since: Instant,
    /// The number of the last request that was made before the watch subscribed.
    last_request_before: u64,
    /// The number of the last poll of its job that the poll task made.
    last_poll: u64,
    /// The state in the response to the submission, until a newer one is known.
    submitted: Option<Arc<JobInfo>>,
    /// The time in which the server may not know the job yet.
    lag: Option<Lag>,
    last_status: Option<JobStatus>,
    /// `true` if the last poll failed.
    has_failed: bool,
    /// `true` if the last update is queued or delivered.
    is_over: bool,
    updates: VecDeque<PollUpdate>,
    /// The time of the next poll, if the watch polls for itself.
    next_poll: Instant,
    notify: Arc<Notify>,
}

impl Subscriber {
    pub(super) fn new(job: KnownJob, polling: Polling, now: Instant, last_request_before: u64) -> Self {
        let KnownJob { id, submitted, lag } = job;
        // A regular job is submitted again and again: a final state may be the end of an earlier run.
        let submitted = submitted.filter(|info| !info.status.is_final() && info.status != JobStatus::default());
        Self {
            id,
            polling,
            since: now,
            last_request_before,
            last_poll: 0,
            submitted,
            lag,
            last_status: None,
            has_failed: false,
            is_over: false,
            updates: VecDeque::new(),
            next_poll: now,
            notify: Arc::default(),
        }
    }

    pub(super) fn id(&self) -> &JobId {
        &self.id
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Returns what wakes the watch.
    pub(super) fn notify(&self) -> &Arc<Notify> {
        &self.notify
    }

    /// Returns `true` if a first state can be delivered without a request.
    pub(super) fn has_first_state(&self) -> bool {
        self.submitted.is_some()
    }

    /// Returns `true` if the response to a request counts for this watch. One that was requested before the watch
    /// subscribed may be outdated.
    pub(super) fn accepts(&self, request: u64) -> bool {
        self.last_request_before < request && !self.is_over
    }

    pub(super) fn last_poll(&self) -> u64 {
        self.last_poll
    }

    pub(super) fn set_last_poll(&mut self, request: u64) {
        self.last_poll = request;
    }

    pub(super) fn next_poll(&self) -> Instant {
        self.next_poll
    }

    /// Returns the time at which the watch wants the list that follows one of the time `last`.
    pub(super) fn next_list(&self, last: Instant) -> Instant {
        self.poll_after(last, 0.5)
    }

    fn poll_after(&self, last: Instant, random: f64) -> Instant {
        /// Longer than any program runs, and short enough to be added to an instant.
        const MAX_PAUSE: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
        let pause = self.polling.pause(last.saturating_duration_since(self.since), random);
        last + pause.min(MAX_PAUSE)
    }

    /// Queues the state in the response to the submission, unless a newer one is known.
    pub(super) fn queue_first_state(&mut self, now: Instant) {
        if let Some(submitted) = self.submitted.take() {
            self.next_poll = self.poll_after(now, fastrand::f64());
            self.queue_submitted(now, submitted);
        }
    }

    fn queue_submitted(&mut self, at: Instant, submitted: Arc<JobInfo>) {
        self.last_status = Some(submitted.status.clone());
        self.updates.push_back(PollUpdate { at, is_of_submission: true, result: Ok(submitted) });
    }

    pub(super) fn next_update(&mut self) -> Option<PollUpdate> {
        self.updates.pop_front()
    }

    /// Queues the response to the watch's own request, unless a list has shown something new in the meantime.
    pub(super) fn queue_own(&mut self, result: Result<&Arc<JobInfo>, &Error>) {
        if self.updates.is_empty() {
            self.queue(Instant::now(), result);
        }
    }

    /// Queues the result of a poll if the watch has to see it, and returns `true` if so. An error is always queued,
    /// because the outage may have become too long for the watch.
    pub(super) fn queue(&mut self, at: Instant, result: Result<&Arc<JobInfo>, &Error>) -> bool {
        let retry_after = result.err().and_then(Error::retry_after).unwrap_or_default().min(self.polling.max_outage);
        self.next_poll = self.poll_after(at, fastrand::f64()).max(at.checked_add(retry_after).unwrap_or(at));
        let submitted = self.submitted.take();
        match result {
            Ok(info) => {
                let is_new = self.has_failed || self.last_status.as_ref() != Some(&info.status);
                self.has_failed = false;
                if is_new {
                    self.is_over = info.status.is_final();
                    self.last_status = Some(info.status.clone());
                    let result = Ok(Arc::clone(info));
                    self.updates.push_back(PollUpdate { at, is_of_submission: false, result });
                }
                is_new
            }
            // The response to the submission knows more.
            Err(error) if self.lag.as_ref().is_some_and(|lag| lag.explains(error, at)) => {
                submitted.map(|submitted| self.queue_submitted(at, submitted)).is_some()
            }
            Err(error) => {
                self.has_failed = true;
                self.is_over = !error.is_transient_for_polling();
                self.collapse_errors();
                let result = Err(error.clone().with_job(&self.id));
                self.updates.push_back(PollUpdate { at, is_of_submission: false, result });
                true
            }
        }
    }

    /// Makes room for another error at the end of the queue: the first and the last of an outage are enough.
    fn collapse_errors(&mut self) {
        if self.updates.iter().rev().take(2).filter(|update| update.result.is_err()).count() == 2 {
            self.updates.pop_back();
        }
    }
}
