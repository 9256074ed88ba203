//! The hub that all watches of a client share.
//!
//! Every watch subscribes when it is first polled. While there are few, each polls its own job. When there are more, one
//! [task](super::poll_task) requests the list of jobs for all of them and puts the updates into their queues. Where the
//! list is long and rounds of polls bring news sooner, it polls each job instead, a few at a time. A watch that needs the
//! task and finds none spawns it on its own runtime. The task ends when few watches are left, or when its runtime ends;
//! then it is for the watches that wait to spawn it again. If its runtime is kept but no longer driven, a watch on another
//! runtime notices that the task does not answer, and replaces it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Id;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::poll_task::TaskStart;
use super::runtime_bound::current_runtime;
use super::subscriber::{PollUpdate, Subscriber};
use super::subscription::Subscription;
use super::{JobSource, KnownJob, ListedJobs, Polling};
use crate::job::listing::LONG_LIST;
use crate::job::service::LIST_TIMEOUT;
use crate::job::{JobId, JobInfo};
use crate::sync::lock;
use crate::{Error, ErrorKind, Result};

/// The number of watches up to which each polls for itself.
pub(super) const MAX_SEPARATE_WATCHES: usize = 4;

/// The number of jobs missing from a list that are confirmed by polls before the next list.
pub(super) const MAX_CONFIRMATIONS: usize = 16;

/// A long list is replaced by polls only if it has more than so many entries for each job that is watched.
pub(super) const MIN_ENTRIES_PER_JOB: usize = 20;

/// The number of polls of a round that are in flight at most: no more than the watches that poll for themselves have.
pub(super) const MAX_POLLS_IN_FLIGHT: usize = MAX_SEPARATE_WATCHES;

/// The polls end after so many failures in a row.
pub(super) const MAX_FAILED_POLLS: usize = 3;

/// The pause after a list, as a multiple of the time that the list took.
const REST_AFTER_LIST: u32 = 4;

/// The same after a round.
const REST_AFTER_ROUND: u32 = 1;

/// A failure that took long says little about how long a list takes, and watches must not wait longer than an outage
/// may last for them.
pub(super) const MAX_REST_AFTER_FAILURE: Duration = Duration::from_secs(60);

/// A list waits this long for watches that began to poll for themselves before there were many. It does not wait
/// forever, because such a watch may not be polled any more.
const SINGLE_REQUEST_GRACE: Duration = Duration::from_secs(1);

/// The time after which a poll task that does not answer is replaced.
const MAX_SILENCE: Duration = Duration::from_secs(2);

/// The hub of a client and its clones.
#[derive(Default)]
pub(crate) struct PollHub(Mutex<HubState>);

#[derive(Default)]
pub(super) struct HubState {
    subscribers: HashMap<u64, Subscriber>,
    /// The number of subscriptions ever made.
    subscriptions: u64,
    task: Option<RunningTask>,
    /// The number of poll tasks ever started.
    tasks: u64,
    /// The number of requests that poll tasks have made. A response counts for the watches that subscribed before the
    /// request: for later ones it may be outdated.
    requests: u64,
    /// The time at which the last list or round began.
    last_list: Option<Instant>,
    /// The time at which a watch wants the next list or round.
    due: Option<Instant>,
    /// The time before which neither begins.
    rest_until: Option<Instant>,
    /// The watches whose own request is in flight, with the time at which it began.
    single_requests: HashMap<u64, Instant>,
    /// The cost of the last list, unless it failed.
    list_cost: Option<ListCost>,
    poll_pace: PollPace,
    /// The jobs that are polled before the next list: those that the last one lacks, or all of them in a round.
    to_poll: VecDeque<JobId>,
    /// `true` if the job to poll is in the list, and polled only to see how long that takes.
    is_sample: bool,
    /// The number of polls that have failed in a row.
    failed_polls: usize,
    /// The round: the polls of all jobs in place of a list.
    round: Option<Round>,
    /// The watches to wake as soon as the lock is released.
    to_wake: Vec<Arc<Notify>>,
}

/// The poll task that counts. There may be others that are about to end.
struct RunningTask {
    number: u64,
    runtime: Option<Id>,
    /// Wakes the task; ends it when dropped.
    changes: watch::Sender<()>,
    /// The time at which a watch on another runtime has woken the task to see whether it still runs.
    probed: Option<Instant>,
}

/// The cost of a list.
#[derive(Clone, Copy)]
struct ListCost {
    entries: usize,
    took: Duration,
}

impl ListCost {
    /// Returns the duration of a round that comes at the same intervals as such a list, with the rests in between.
    fn equal_round(self) -> Duration {
        self.took.saturating_mul(1 + REST_AFTER_LIST) / (1 + REST_AFTER_ROUND)
    }
}

/// The time that a round takes for each job.
#[derive(Clone, Copy, Default)]
struct PollPace {
    /// As the last round, or else a poll since the last list, has shown. `None` if polls have to be tried first.
    measured: Option<Duration>,
    /// As it was in the last round, and less with each list since: a slow round says more than one fast poll, but not
    /// for ever.
    remembered: Duration,
}

impl PollPace {
    fn of_round(self, jobs: usize) -> Option<Duration> {
        Some(self.measured?.max(self.remembered).saturating_mul(u32::try_from(jobs).unwrap_or(u32::MAX)))
    }

    fn poll_took(&mut self, time: Duration) {
        self.measured = Some(time / u32::try_from(MAX_POLLS_IN_FLIGHT).unwrap_or(1));
    }

    fn round_took(&mut self, time: Duration, polls: u32) {
        self.remembered = time / polls.max(1);
        self.measured = Some(self.remembered);
    }

    fn list_ended(&mut self) {
        (self.measured, self.remembered) = (None, self.remembered * 3 / 4);
    }
}

/// The polls of all jobs in place of a list.
struct Round {
    start: Instant,
    /// The time at which a list would have come sooner.
    deadline: Instant,
    /// The number of polls that have ended.
    polls: u32,
    /// The failure that ends it.
    failure: Option<Error>,
}

/// The next thing a watch has to do.
pub(super) enum NextStep {
    Deliver(PollUpdate),
    /// Wait for the poll task, which runs on the same runtime.
    Wait,
    /// Wait for the poll task, which runs on another runtime, and check it from time to time.
    WaitForOtherRuntime,
    StartTask(TaskStart),
    PauseUntil(Instant),
    /// Request the state of the job.
    Poll,
}

/// The next thing the poll task has to do.
pub(super) enum NextRequest {
    List(u64, HashSet<JobId>),
    Job(u64, JobId),
    /// Wait for one of the polls in flight, or until this time.
    AwaitPoll(Option<Instant>),
    /// Drop the polls in flight.
    DropPolls,
    NotBefore(Instant),
    /// End.
    None,
}

impl PollHub {
    /// Subscribes a watch.
    pub(super) fn subscribe<S: JobSource>(
        self: &Arc<Self>,
        source: S,
        job: KnownJob,
        polling: Polling,
    ) -> Subscription<S> {
        let (since, id) = (Instant::now(), job.id.clone());
        let (key, notify) = self.change(|state| {
            let subscriber = Subscriber::new(job, polling, since, state.requests);
            let notify = Arc::clone(subscriber.notify());
            (state.subscribe(subscriber, since), notify)
        });
        Subscription { hub: Arc::clone(self), source, key, id, since, notify }
    }

    /// Changes the state, and then wakes the watches that the change concerns. They are woken without the lock, because
    /// a waker may drop what it wakes, and with it a subscription.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut HubState) -> T) -> T {
        let mut state = lock(&self.0);
        let result = change(&mut state);
        let to_wake = std::mem::take(&mut state.to_wake);
        drop(state);
        for notify in to_wake {
            notify.notify_one();
        }
        result
    }

    #[cfg(test)]
    pub(super) fn subscribers(&self) -> usize {
        self.change(|state| state.subscribers.len())
    }
}

/// The part of the watches.
impl HubState {
    fn subscribe(&mut self, subscriber: Subscriber, now: Instant) -> u64 {
        let wanted = self.first_list_for(&subscriber, now);
        self.due = Some(self.due.map_or(wanted, |due| due.min(wanted)));
        let key = self.subscriptions;
        self.subscriptions += 1;
        self.subscribers.insert(key, subscriber);
        if self.subscribers.len() == MAX_SEPARATE_WATCHES + 1 {
            self.wake_all_except(Some(key));
        }
        self.notify_task();
        key
    }

    /// Returns the time at which a new watch wants the list. If it has no state yet, an earlier list would have been
    /// welcome too.
    fn first_list_for(&self, subscriber: &Subscriber, now: Instant) -> Instant {
        let last = if subscriber.has_first_state() { Some(now) } else { self.last_list };
        last.map_or(now, |last| subscriber.next_list(last))
    }

    pub(super) fn unsubscribe(&mut self, key: u64) {
        self.subscribers.remove(&key);
        if self.subscribers.is_empty() {
            self.task = None;
            self.due = None;
            self.to_poll.clear();
            self.round = None;
        } else if self.subscribers.len() == MAX_SEPARATE_WATCHES {
            self.notify_task();
        }
    }

    pub(super) fn next_step(&mut self, key: u64) -> NextStep {
        let (are_many, now) = (self.are_many(), Instant::now());
        // There always is one: it is removed only when the subscription is dropped.
        let Some(subscriber) = self.subscribers.get_mut(&key) else { return NextStep::Wait };
        if are_many {
            subscriber.queue_first_state(now);
        }
        match (subscriber.next_update(), subscriber.next_poll()) {
            (Some(update), _) => NextStep::Deliver(update),
            (None, _) if are_many => self.wait_for_task(now),
            (None, next_poll) if next_poll > now => NextStep::PauseUntil(next_poll),
            (None, _) => {
                self.single_requests.insert(key, now);
                NextStep::Poll
            }
        }
    }

    fn wait_for_task(&mut self, now: Instant) -> NextStep {
        let runtime = current_runtime();
        if let Some(task) = &mut self.task {
            if task.runtime == runtime {
                return NextStep::Wait;
            }
            if task.responds(now) {
                return NextStep::WaitForOtherRuntime;
            }
            // The watches on the runtime of the task that is replaced have to check the new one.
            self.wake_all_except(None);
        }
        // A round that an earlier task began is as old as the end of that task.
        if self.round.take().is_some() {
            self.to_poll.clear();
        }
        let (sender, changes) = watch::channel(());
        self.tasks += 1;
        self.task = Some(RunningTask { number: self.tasks, runtime, changes: sender, probed: None });
        NextStep::StartTask(TaskStart { task: self.tasks, changes })
    }

    /// Queues the response to the own request of a watch.
    pub(super) fn queue_own(&mut self, key: u64, result: Result<&Arc<JobInfo>, &Error>) {
        if let Some(subscriber) = self.subscribers.get_mut(&key) {
            subscriber.queue_own(result);
        }
    }

    pub(super) fn end_single_request(&mut self, key: u64) {
        self.single_requests.remove(&key);
        self.notify_task();
    }
}

/// The part of the poll task.
impl HubState {
    /// Returns what the task has to do next, with so many polls in flight.
    pub(super) fn next_request(&mut self, task: u64, in_flight: usize) -> NextRequest {
        let has_work = self.are_many() && self.active().next().is_some();
        if !(has_work && self.is_current(task)) {
            return NextRequest::None;
        }
        let (now, deadline) = (Instant::now(), self.poll_deadline());
        if deadline.is_some_and(|deadline| now >= deadline) {
            self.to_poll.clear();
            self.is_sample = false;
            if in_flight > 0 {
                return NextRequest::DropPolls;
            }
        }
        let limit = if self.round.is_some() { MAX_POLLS_IN_FLIGHT } else { 1 };
        if in_flight < limit
            && let Some((request, id)) = self.next_to_poll()
        {
            return NextRequest::Job(request, id);
        }
        if in_flight > 0 {
            return NextRequest::AwaitPoll(deadline);
        }
        self.end_round();
        let graces = self.single_requests.values().map(|since| *since + SINGLE_REQUEST_GRACE);
        match graces.chain(self.due).chain(self.rest_until).max() {
            Some(due) if due > now => NextRequest::NotBefore(due),
            _ => self.begin_round().map_or_else(|| self.begin_list(), |(request, id)| NextRequest::Job(request, id)),
        }
    }

    /// Returns the time at which the polls in flight are dropped for a list, which tells about their jobs, too.
    fn poll_deadline(&self) -> Option<Instant> {
        match &self.round {
            Some(round) if round.failure.is_some() => Some(round.start),
            Some(round) => Some(round.deadline),
            None if self.is_sample => self.due.max(self.rest_until),
            None => None,
        }
    }

    fn begin_list(&mut self) -> NextRequest {
        NextRequest::List(self.next_request_number(), self.active().map(|it| it.id().clone()).collect())
    }

    /// Begins to poll every job in place of a list, and returns the first, if that brings news sooner.
    fn begin_round(&mut self) -> Option<(u64, JobId)> {
        let (jobs, start) = (self.active().count(), Instant::now());
        let list = self.list_cost.filter(|_| self.is_list_long(jobs))?;
        if self.poll_pace.of_round(jobs)? >= list.equal_round() {
            return None;
        }
        let deadline = start.checked_add(list.equal_round())?;
        self.round = Some(Round { start, deadline, polls: 0, failure: None });
        self.is_sample = false;
        self.set_to_poll(self.last_polls().collect(), usize::MAX);
        self.next_to_poll()
    }

    fn end_round(&mut self) {
        let Some(Round { start, deadline, polls, failure }) = self.round.take() else { return };
        if let Some(failure) = failure {
            self.rest_after_failure(start, &failure);
        } else {
            // The time in which the program did not drive its runtime is not that of the server.
            let took = start.elapsed().min(deadline - start);
            self.poll_pace.round_took(took, polls);
            self.rest_after(start, took.saturating_mul(REST_AFTER_ROUND));
        }
    }

    /// Returns `true` if little of the last list would be about so many jobs.
    fn is_list_long(&self, jobs: usize) -> bool {
        let entries = self.list_cost.map_or(0, |list| list.entries);
        entries > LONG_LIST && entries / MIN_ENTRIES_PER_JOB > jobs
    }

    /// Returns the next job to be polled that is still watched.
    fn next_to_poll(&mut self) -> Option<(u64, JobId)> {
        loop {
            let id = self.to_poll.pop_front()?;
            let request = self.next_request_number();
            let mut is_watched = false;
            for subscriber in self.subscribers.values_mut().filter(|it| *it.id() == id && !it.is_over()) {
                subscriber.set_last_poll(request);
                is_watched = true;
            }
            if is_watched {
                return Some((request, id));
            }
        }
    }

    fn next_request_number(&mut self) -> u64 {
        self.requests += 1;
        self.requests
    }

    pub(super) fn list_ended(&mut self, task: u64, request: u64, start: Instant, result: Result<&ListedJobs, &Error>) {
        if !self.is_current(task) {
            return;
        }
        let now = Instant::now();
        self.list_cost = result.ok().map(|list| ListCost { entries: list.entries, took: now - start });
        self.poll_pace.list_ended();
        self.failed_polls = 0;
        let failure = result.err();
        // A server that does not give a list may still give the state of each job.
        let is_refused = failure.is_some_and(refuses_list);
        let result = if is_refused { Ok(&[] as &[Arc<JobInfo>]) } else { result.map(|list| list.jobs.as_slice()) };
        // The first job of an id counts, as it does where one job is requested.
        let jobs = result.map(|jobs| jobs.iter().rev().map(|job| (&job.id, job)).collect::<HashMap<_, _>>());
        let mut missing = Vec::new();
        for (key, subscriber) in self.subscribers.iter_mut().filter(|(_, it)| it.accepts(request)) {
            let result = match &jobs {
                Err(error) => Some(Err(*error)),
                Ok(jobs) => jobs.get(subscriber.id()).map(|info| Ok(*info)),
            };
            let Some(result) = result else {
                missing.push((subscriber.last_poll(), *key));
                continue;
            };
            if subscriber.queue(now, result) {
                self.to_wake.push(Arc::clone(subscriber.notify()));
            }
        }
        self.is_sample = missing.is_empty() && self.is_list_long(self.active().count());
        if self.is_sample {
            missing.extend(self.last_polls().min());
        }
        self.set_to_poll(missing, if is_refused { usize::MAX } else { MAX_CONFIRMATIONS });
        match failure {
            None => self.rest_after(start, (now - start).saturating_mul(REST_AFTER_LIST)),
            Some(error) => self.rest_after_failure(start, error),
        }
    }

    /// Sets the time of the next list or round: not before a rest.
    fn rest_after(&mut self, start: Instant, rest: Duration) {
        let rest = rest.min(LIST_TIMEOUT * REST_AFTER_LIST);
        self.set_next_list(start, Instant::now().checked_add(rest));
    }

    fn rest_after_failure(&mut self, start: Instant, error: &Error) {
        let now = Instant::now();
        let rest = (now - start).saturating_mul(REST_AFTER_LIST).min(MAX_REST_AFTER_FAILURE);
        let retry_after = error.retry_after().unwrap_or_default().min(LIST_TIMEOUT);
        self.set_next_list(start, now.checked_add(rest.max(retry_after)));
    }

    fn set_next_list(&mut self, last: Instant, rest_until: Option<Instant>) {
        (self.last_list, self.rest_until) = (Some(last), rest_until);
        self.due = self.active().map(|it| it.next_list(last)).min();
    }

    /// Chooses the jobs to be polled: those that have waited longest for it, and the oldest watches of these first.
    fn set_to_poll(&mut self, mut waiting: Vec<(u64, u64)>, limit: usize) {
        waiting.sort_unstable();
        let mut chosen = HashSet::new();
        let ids = waiting.iter().filter_map(|(_, key)| self.subscribers.get(key)).map(Subscriber::id);
        self.to_poll = ids.filter(|id| chosen.insert(*id)).take(limit).cloned().collect();
    }

    /// Handles the response to a poll of one job: one that the list lacks, because the list is truncated or older than
    /// the job, or one of a round, or a sample. A sample that fails is no news about its job, which the list has shown.
    pub(super) fn poll_ended(
        &mut self,
        task: u64,
        request: u64,
        start: Instant,
        id: &JobId,
        result: Result<&Arc<JobInfo>, &Error>,
    ) {
        if !self.is_current(task) {
            return;
        }
        let now = Instant::now();
        if let Some(round) = &mut self.round {
            round.polls += 1;
        }
        // A response that cannot be read concerns this job alone.
        let is_outage = |error: &&Error| error.is_transient_for_polling() && error.kind() != ErrorKind::Protocol;
        let is_failed_sample = std::mem::take(&mut self.is_sample) && result.is_err();
        if let Some(error) = result.err().filter(is_outage) {
            self.poll_failed(now, error);
        } else if !is_failed_sample {
            self.failed_polls = 0;
            if self.round.is_none() {
                self.poll_pace.poll_took(now - start);
            }
        }
        if is_failed_sample {
            return;
        }
        for subscriber in self.subscribers.values_mut().filter(|it| it.id() == id && it.accepts(request)) {
            if subscriber.queue(now, result) {
                self.to_wake.push(Arc::clone(subscriber.notify()));
            }
        }
    }

    /// Ends the polls until the next list, which tells every watch of an outage. Single failures end nothing.
    fn poll_failed(&mut self, now: Instant, error: &Error) {
        self.failed_polls += 1;
        let is_down = matches!(error.kind(), ErrorKind::Connect | ErrorKind::Timeout);
        let pause = error.retry_after().unwrap_or_default().min(LIST_TIMEOUT);
        if self.failed_polls < MAX_FAILED_POLLS && !is_down && pause.is_zero() {
            return;
        }
        self.to_poll.clear();
        self.poll_pace.measured = None;
        if let Some(round) = &mut self.round {
            // Of several, the one that asks for the longest pause.
            if round.failure.as_ref().is_none_or(|known| known.retry_after() < error.retry_after()) {
                round.failure = Some(error.clone());
            }
        } else {
            self.rest_until = self.rest_until.max(now.checked_add(pause));
        }
    }

    pub(super) fn task_responded(&mut self, task: u64) {
        if let Some(running) = self.task.as_mut().filter(|running| running.number == task) {
            running.probed = None;
        }
    }

    /// Wakes the watches that wait for a task that is no more, except one that has just failed to spawn it.
    pub(super) fn task_ended(&mut self, task: u64, spawner: Option<u64>) {
        if self.is_current(task) {
            self.task = None;
            self.wake_all_except(spawner);
        }
    }

    fn is_current(&self, task: u64) -> bool {
        self.task.as_ref().is_some_and(|running| running.number == task)
    }
}

impl HubState {
    fn are_many(&self) -> bool {
        self.subscribers.len() > MAX_SEPARATE_WATCHES
    }

    fn active(&self) -> impl Iterator<Item = &Subscriber> {
        self.subscribers.values().filter(|subscriber| !subscriber.is_over())
    }

    /// Returns the number of the last poll and the key of each active watch.
    fn last_polls(&self) -> impl Iterator<Item = (u64, u64)> {
        let active = self.subscribers.iter().filter(|(_, subscriber)| !subscriber.is_over());
        active.map(|(key, subscriber)| (subscriber.last_poll(), *key))
    }

    fn notify_task(&self) {
        if let Some(task) = &self.task {
            task.changes.send_replace(());
        }
    }

    fn wake_all_except(&mut self, key: Option<u64>) {
        let others = self.subscribers.iter().filter(|(other, _)| Some(**other) != key);
        self.to_wake.extend(others.map(|(_, subscriber)| Arc::clone(subscriber.notify())));
    }
}

/// Returns `true` if the error concerns the list, and not the connection or the user.
fn refuses_list(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Rejected | ErrorKind::TooLarge | ErrorKind::JobNotFound | ErrorKind::Protocol)
        && !error.is_retryable()
}

impl RunningTask {
    /// Returns `true` unless the task has not run for long although it was woken. Wakes it for the next time.
    fn responds(&mut self, now: Instant) -> bool {
        let Some(since) = self.probed else {
            self.probed = Some(now);
            self.changes.send_replace(());
            return true;
        };
        now.saturating_duration_since(since) < MAX_SILENCE
    }
}
