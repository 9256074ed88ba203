//! The handle of one watch to the hub.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, timeout, timeout_at};

use super::hub::{NextStep, PollHub};
use super::subscriber::PollUpdate;
use super::{JobSource, poll_task};
use crate::job::JobId;

/// The interval at which a watch checks a poll task that runs on another runtime.
pub(super) const SUPERVISION_INTERVAL: Duration = Duration::from_secs(1);

/// The subscription of one watch. Dropping it unsubscribes.
pub(super) struct Subscription<S> {
    pub(super) hub: Arc<PollHub>,
    pub(super) source: S,
    pub(super) key: u64,
    pub(super) id: JobId,
    pub(super) since: Instant,
    pub(super) notify: Arc<Notify>,
}

impl<S: JobSource> Subscription<S> {
    /// Returns the first update. Watches that begin together subscribe together, so that they know that they are many
    /// before one of them polls.
    pub(super) async fn first_update(self: Arc<Self>) -> PollUpdate {
        yield_now().await;
        self.next_update().await
    }

    /// Returns the next update. Nothing is lost when the future is dropped.
    pub(super) async fn next_update(self: Arc<Self>) -> PollUpdate {
        loop {
            let step = self.hub.change(|state| state.next_step(self.key));
            match step {
                NextStep::Deliver(update) => return update,
                NextStep::Wait => self.notify.notified().await,
                NextStep::WaitForOtherRuntime => {
                    // Either there is an update, or the task has to be checked: the next step is right in both cases.
                    let _ = timeout(SUPERVISION_INTERVAL, self.notify.notified()).await;
                }
                NextStep::StartTask(start) => {
                    poll_task::spawn(&self.hub, self.source.clone(), start, self.key);
                    self.notify.notified().await;
                }
                NextStep::PauseUntil(until) => {
                    let _ = timeout_at(until, self.notify.notified()).await;
                }
                // On the heap, because it is large, and few of many watches poll for themselves.
                NextStep::Poll => Box::pin(self.poll()).await,
            }
        }
    }

    /// Requests the state of the job for this watch alone.
    async fn poll(&self) {
        let _request = SingleRequest(self);
        let result = poll_task::request_job(&self.source, &self.id).await;
        self.hub.change(|state| state.queue_own(self.key, result.as_ref()));
    }
}

impl<S> Subscription<S> {
    /// Returns the time that had passed since the subscription at a later time.
    pub(super) fn age(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.since)
    }
}

impl<S> Drop for Subscription<S> {
    fn drop(&mut self) {
        self.hub.change(|state| state.unsubscribe(self.key));
    }
}

/// A request of a watch for its job alone, for as long as it is in flight.
struct SingleRequest<'a, S>(&'a Subscription<S>);

impl<S> Drop for SingleRequest<'_, S> {
    fn drop(&mut self) {
        self.0.hub.change(|state| state.end_single_request(self.0.key));
    }
}
