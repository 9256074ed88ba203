//! The task that polls for all watches of a client while there are many.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::select;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use super::hub::{NextRequest, PollHub};
use super::{JobSource, ListedJobs};
use crate::job::service::LIST_TIMEOUT;
use crate::job::{JobId, JobInfo};
use crate::{Error, ErrorKind, Result};

/// The state of one job is a small response: a server that does not send it within this time is asked again.
const MAX_JOB_TIME: Duration = Duration::from_secs(60);

/// A poll task that is to be spawned. The hub counts it as running already.
pub(super) struct TaskStart {
    pub(super) task: u64,
    /// Changes whenever the task has to look at the hub. Closed when the task has to end.
    pub(super) changes: watch::Receiver<()>,
}

/// Spawns the poll task on the current runtime, for the watch of the key `spawner`.
pub(super) fn spawn(hub: &Arc<PollHub>, source: impl JobSource, start: TaskStart, spawner: u64) {
    let TaskStart { task, changes } = start;
    let mut guard = TaskGuard { hub: Arc::clone(hub), task, waiting_spawner: Some(spawner) };
    tokio::spawn(async move {
        guard.waiting_spawner = None;
        let polling = pin!(poll(&guard.hub, &source, task, changes.clone()));
        let answering = pin!(answer_probes(&guard.hub, task, changes));
        // The first ends when no watch needs the task, the second when the hub has closed it.
        select(polling, answering).await;
    });
}

/// Reports the end of a poll task to the hub, even if the task is dropped because its runtime ends.
struct TaskGuard {
    hub: Arc<PollHub>,
    task: u64,
    /// The watch that spawned the task, until the task runs. If the task is dropped before that, the runtime is shutting
    /// down, and the watch must not try the same again.
    waiting_spawner: Option<u64>,
}

impl Drop for TaskGuard {
    fn drop(&mut self) {
        self.hub.change(|state| state.task_ended(self.task, self.waiting_spawner));
    }
}

/// Makes requests until the hub needs no more of them.
async fn poll(hub: &PollHub, source: &impl JobSource, task: u64, mut changes: watch::Receiver<()>) {
    let mut polls = FuturesUnordered::new();
    loop {
        let next = hub.change(|state| state.next_request(task, polls.len()));
        match next {
            NextRequest::NotBefore(due) => {
                // Either it is time, or the hub has changed: it is asked again in both cases.
                let _ = timeout_at(due, changes.changed()).await;
            }
            NextRequest::List(request, wanted) => {
                let start = Instant::now();
                let result = unless_it_panics(request_list(source, &wanted)).await;
                hub.change(|state| state.list_ended(task, request, start, result.as_ref()));
            }
            NextRequest::Job(request, id) => polls.push(async move {
                let start = Instant::now();
                let result = unless_it_panics(request_job(source, &id)).await;
                hub.change(|state| state.poll_ended(task, request, start, &id, result.as_ref()));
            }),
            NextRequest::AwaitPoll(until) => {
                let poll_or_change = async {
                    select(polls.next(), pin!(changes.changed())).await;
                };
                // In each case, the hub is asked again.
                match until {
                    Some(until) => drop(timeout_at(until, poll_or_change).await),
                    None => poll_or_change.await,
                }
            }
            NextRequest::DropPolls => {
                // Those that have ended meanwhile count.
                while polls.next().now_or_never().flatten().is_some() {}
                polls.clear();
            }
            NextRequest::None => return,
        }
    }
}

/// Shows to the watches on other runtimes that this one is still driven.
async fn answer_probes(hub: &PollHub, task: u64, mut changes: watch::Receiver<()>) {
    while changes.changed().await.is_ok() {
        hub.change(|state| state.task_responded(task));
    }
}

async fn request_list(source: &impl JobSource, wanted: &HashSet<JobId>) -> Result<ListedJobs> {
    let start = Instant::now();
    let result = limited(LIST_TIMEOUT, "list of jobs", source.list(wanted)).await;
    match &result {
        Ok(ListedJobs { jobs, entries }) => {
            tracing::debug!(
                target: "sqlflow_client::watch",
                jobs = jobs.len(),
                entries,
                took = ?start.elapsed(),
                "listed the watched jobs"
            );
        }
        Err(error) => tracing::warn!(target: "sqlflow_client::watch", %error, "cannot list the watched jobs"),
    }
    result
}

/// Requests the state of one job.
pub(super) async fn request_job(source: &impl JobSource, id: &JobId) -> Result<Arc<JobInfo>> {
    let result = limited(MAX_JOB_TIME, "state of the job", source.job(id)).await;
    if let Err(error) = &result
        && error.is_transient_for_polling()
    {
        tracing::warn!(target: "sqlflow_client::watch", %error, "cannot get the state of a job");
    }
    result.map(Arc::new)
}

async fn limited<T>(limit: Duration, requested: &str, request: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(limit, request).await.unwrap_or_else(|_| {
        let message = format!("the server did not send the {requested} within {limit:?}");
        Err(Error::new(ErrorKind::Timeout, message))
    })
}

/// Makes an error of a panic. A task that ended with it would be spawned again at once, and panic again.
async fn unless_it_panics<T>(request: impl Future<Output = Result<T>>) -> Result<T> {
    let result = AssertUnwindSafe(request).catch_unwind().await;
    result.unwrap_or_else(|_| Err(Error::new(ErrorKind::Interrupted, "the request for the states of jobs panicked")))
}
