//! Following a job: the stream of its states.

mod hub;
mod poll_task;
mod polling;
mod runtime_bound;
mod state;
mod subscriber;
mod subscription;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::poll_fn;
use futures_util::stream::{self, BoxStream, Stream, StreamExt as _};
use sync_wrapper::SyncWrapper;
use tokio::time::Instant;

pub(crate) use self::hub::PollHub;
pub use self::polling::Polling;
use self::runtime_bound::RuntimeBound;
pub(super) use self::runtime_bound::within;
pub use self::state::JobState;
use self::subscriber::PollUpdate;
use self::subscription::Subscription;
use super::lag::Lag;
use super::{FinishedJob, Job, JobId, JobInfo};
use crate::{Error, ErrorKind, Result};

/// The server, as far as watches need it.
pub(crate) trait JobSource: Clone + Send + Sync + 'static {
    /// Returns the state of one job.
    fn job(&self, id: &JobId) -> impl Future<Output = Result<JobInfo>> + Send;

    /// Returns the states of the wanted jobs that are in the list of all jobs.
    fn list(&self, wanted: &HashSet<JobId>) -> impl Future<Output = Result<ListedJobs>> + Send;
}

/// The part of a list of jobs that watches need.
pub(crate) struct ListedJobs {
    /// The wanted jobs.
    pub(crate) jobs: Vec<Arc<JobInfo>>,
    /// The number of all jobs in the list.
    pub(crate) entries: usize,
}

/// A stream of the states of a job as they change, created by [`Job::watch`](super::Job::watch).
///
/// It is a [`Stream`] of results; [`try_next`](Watch::try_next) reads it without the traits of streams. The first state
/// comes at once, each later one when it differs from the one before, and the last one is
/// [final](super::JobStatus::is_final). When polls fail for a while, the last known state comes once more, with the
/// [error of the poll](JobState::poll_error). An error ends the stream: one that a retry cannot help, or one that lasts
/// longer than [`Polling::max_outage`] (15 seconds while the server was never reached). A job that does not exist or has
/// been deleted is [`JobNotFound`](ErrorKind::JobNotFound); right after its submission, the server is
/// [given time](crate::job::Settling) to know it.
///
/// ```
/// # async fn example(job: sqlflow_client::job::Job) -> sqlflow_client::Result<()> {
/// let mut states = job.watch();
/// while let Some(state) = states.try_next().await? {
///     match state.poll_error() {
///         None => println!("{} after {:.1?}", state.status(), state.followed()),
///         Some(error) => eprintln!("cannot poll, retrying: {error}"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// Dropping a watch does nothing to the job.
///
/// # Many jobs
///
/// Up to four watches of a client and its clones poll their own jobs. When there are more, all of them share one
/// request for the list of the user's jobs, unless that is long. However many watches there are, one request is in flight
/// at a time, or four polls. Then
///
/// - the first state of a job that this client has submitted is the one in the response to the submission, without a
///   request;
/// - a watch misses no state that a list has shown, however late it is read;
/// - a job that is missing from the list, or whose entry cannot be read, is polled separately before it counts as
///   deleted, up to sixteen of them after each list;
/// - a list request that fails is a [poll error](JobState::poll_error) of every watch;
/// - a list that the server refuses, or that cannot be read as a whole, is replaced by a poll of each job;
/// - a list with more than a thousand jobs, and more than twenty for each watch, is replaced in the same way, four polls at
///   a time, if the states then come at shorter intervals: most of the list would be read for nothing. A poll that fails
///   then is a poll error of the watches of that job.
///
/// The requests are made by one task of the client, which a watch spawns on the runtime that polls it. The task ends
/// when at most four watches are left, and dropping the last watch cancels a request in flight. A watch that is not
/// polled holds up no other.
///
/// # Several runtimes
///
/// A client and its watches may be used on several Tokio runtimes, and a watch may be moved from one to another. When
/// the runtime of the polling task ends, a watch on another runtime spawns the task again at once, and nothing is lost.
/// When that runtime is kept but no longer driven, as a `current_thread` runtime outside `block_on` is, the task is
/// replaced after a few seconds. Prefer to drop such a runtime: requests on the idle connections that belong to it wait
/// until they time out.
///
/// # The result
///
/// [`finish`](Watch::finish) turns a watch into the [`FinishedJob`], in the middle or after the last state:
///
/// ```
/// # async fn example(job: sqlflow_client::job::Job) -> sqlflow_client::Result<()> {
/// let mut states = job.watch();
/// while let Some(state) = states.try_next().await? {
///     println!("{state}");
/// }
/// let lineage = states.finish().await?.lineage().await?;
/// # Ok(())
/// # }
/// ```
pub struct Watch {
    job: Job,
    states: StateStream,
    /// The final state of the job or the error of the watch, from when it was yielded.
    end: Option<Result<Arc<JobInfo>>>,
}

impl Watch {
    pub(super) fn new(job: Job, states: StateStream) -> Self {
        Self { job, states, end: None }
    }

    /// Returns the next state, or `None` after a final one.
    ///
    /// # Errors
    /// See [`Watch`].
    pub async fn try_next(&mut self) -> Result<Option<JobState>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await.transpose()
    }

    /// Follows the job to its end and returns the result, without a deadline. If the end has already been yielded, the
    /// result is returned at once, and no request is sent.
    ///
    /// # Errors
    /// [`JobFailed`](ErrorKind::JobFailed) if the job failed, and [`JobNotFound`](ErrorKind::JobNotFound) if it was
    /// deleted; otherwise the error that ends the watch, or that ended it before.
    pub async fn finish(mut self) -> Result<FinishedJob> {
        while self.try_next().await?.is_some() {}
        let id = self.job.id().clone();
        // The last case is unreachable: the stream ends only after a final state or an error.
        let ended_early = || {
            Err(Error::new(ErrorKind::Protocol, format!("the states of job {id} ended before the job did"))
                .with_job(&id))
        };
        let info = self.end.unwrap_or_else(ended_early)?;
        FinishedJob::new(self.job, info)
    }
}

impl Stream for Watch {
    type Item = Result<JobState>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut next = ready!(self.states.poll_next_unpin(context));
        if let Some(Ok(state)) = &mut next {
            state.forget_secrets(&self.job.secrets);
        }
        match &next {
            Some(Ok(state)) if state.poll_error().is_none() && state.status().is_final() => {
                self.end = Some(Ok(Arc::clone(&state.info)));
            }
            Some(Err(error)) => self.end = Some(Err(error.clone())),
            _ => {}
        }
        Poll::Ready(next)
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("job", &self.job).finish_non_exhaustive()
    }
}

/// A job to watch, and what is known about it.
#[derive(Clone)]
pub(super) struct KnownJob {
    pub(super) id: JobId,
    /// The state in the response to the submission, if this client submitted the job.
    pub(super) submitted: Option<Arc<JobInfo>>,
    /// The time in which the server may not know the job yet.
    pub(super) lag: Option<Lag>,
}

/// The stream of the states of one job, for a watch.
pub(super) struct StateStream(SyncWrapper<BoxStream<'static, Result<JobState>>>);

impl StateStream {
    /// Creates a stream that polls with the others of the hub.
    pub(super) fn new(source: impl JobSource, hub: Arc<PollHub>, job: KnownJob, polling: Polling) -> Self {
        let mut follower = Follower::new(source, hub, job, polling);
        Self(SyncWrapper::new(stream::poll_fn(move |context| follower.poll_next(context)).boxed()))
    }

    #[cfg(test)]
    async fn try_next(&mut self) -> Result<Option<JobState>> {
        self.next().await.transpose()
    }
}

impl Stream for StateStream {
    type Item = Result<JobState>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.get_mut().poll_next_unpin(context)
    }
}

/// The most that the server has shown of itself and of the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Contact {
    None,
    /// The server responded.
    Reached,
    /// The server accepted the submission.
    Accepted,
    /// A poll returned the job.
    Polled,
}

/// The state of a watch. Makes job states and the final error from the updates of its subscription.
struct Follower<S: JobSource> {
    source: S,
    hub: Arc<PollHub>,
    polling: Polling,
    job: KnownJob,
    /// The last known description of the job.
    known: Option<Arc<JobInfo>>,
    contact: Contact,
    /// The time of the first of the polls that have failed in a row.
    failing_since: Option<Instant>,
    is_over: bool,
    next_update: RuntimeBound<PollUpdate>,
    /// The subscription, from the first poll of the watch until it is over.
    subscription: Option<Arc<Subscription<S>>>,
}

impl<S: JobSource> Follower<S> {
    fn new(source: S, hub: Arc<PollHub>, job: KnownJob, polling: Polling) -> Self {
        let contact = if job.submitted.is_some() { Contact::Accepted } else { Contact::None };
        Self {
            source,
            hub,
            polling,
            known: job.submitted.clone(),
            job,
            contact,
            failing_since: None,
            is_over: false,
            next_update: RuntimeBound::new(),
            subscription: None,
        }
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<JobState>>> {
        while !self.is_over {
            let update = ready!(self.poll_update(context));
            if let Some(item) = self.item(update) {
                return Poll::Ready(Some(item));
            }
        }
        Poll::Ready(None)
    }

    fn poll_update(&mut self, context: &mut Context<'_>) -> Poll<PollUpdate> {
        let is_first = self.subscription.is_none();
        let subscription = self
            .subscription
            .get_or_insert_with(|| Arc::new(self.hub.subscribe(self.source.clone(), self.job.clone(), self.polling)));
        self.next_update.poll(context, || {
            let subscription = Arc::clone(subscription);
            if is_first { subscription.first_update().boxed() } else { subscription.next_update().boxed() }
        })
    }

    /// Returns the item that the stream yields for an update, if any.
    fn item(&mut self, update: PollUpdate) -> Option<Result<JobState>> {
        let PollUpdate { at, is_of_submission, result } = update;
        match result {
            Ok(info) => {
                let contact = if is_of_submission { Contact::Accepted } else { Contact::Polled };
                (self.contact, self.failing_since) = (self.contact.max(contact), None);
                let is_final = info.status.is_final();
                self.known = Some(info);
                let state = self.state(at, None);
                if is_final {
                    self.end();
                }
                Some(Ok(state))
            }
            Err(error) if !error.is_transient_for_polling() => {
                self.end();
                Some(Err(self.explain(error)))
            }
            Err(error) => {
                let is_first = self.failing_since.is_none();
                let since = *self.failing_since.get_or_insert(at);
                if !matches!(error.kind(), ErrorKind::Connect | ErrorKind::Protocol) {
                    self.contact = self.contact.max(Contact::Reached);
                }
                let max_outage = self.polling.max_outage;
                let max_outage =
                    if self.contact >= Contact::Reached { max_outage } else { max_outage.min(MAX_FIRST_CONTACT) };
                if at - since >= max_outage {
                    self.end();
                    return Some(Err(error));
                }
                is_first.then(|| Ok(self.state(at, Some(error))))
            }
        }
    }

    fn state(&self, at: Instant, poll_error: Option<Error>) -> JobState {
        let followed = self.subscription.as_ref().map(|subscription| subscription.age(at)).unwrap_or_default();
        let unknown = || Arc::new(JobInfo::of(self.job.id.clone()));
        JobState { info: self.known.clone().unwrap_or_else(unknown), followed, poll_error }
    }

    fn end(&mut self) {
        self.is_over = true;
        self.subscription = None;
    }

    /// Explains that a job that has existed is gone. The error for one that never did says so already.
    fn explain(&self, error: Error) -> Error {
        if error.kind() != ErrorKind::JobNotFound || self.contact < Contact::Accepted {
            return error;
        }
        let id = &self.job.id;
        let text = if self.contact == Contact::Polled {
            format!("job {id} is gone: the server knew it before and no longer does (deleted?)")
        } else {
            format!("job {id} is gone: the server accepted it and did not know it afterwards (deleted?)")
        };
        error.with_text(text)
    }
}

/// The longest outage of a server that was never reached. A caller with a wrong URL must not wait for long, but a server
/// may still be starting.
const MAX_FIRST_CONTACT: Duration = Duration::from_secs(15);
