//! The jobs of one client that are watched, and the one list request they share.
//!
//! Every watch has a seat. While few seats are taken, each watch asks for its own job. When there are more, all of them
//! wait for one [tick](Followed::tick): it sleeps until the list of jobs is due, asks for it, and puts what is new into
//! the seats. No task is spawned for that. Every watch that waits polls the tick, so that one that is not polled holds
//! up nobody; and when the last that waits is dropped, so is the tick, with the request it may have made.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout, timeout_at};

use super::Polling;
use super::driver::Driver;
use super::seat::{News, Seat, Turn};
use crate::job::service::LONGEST_LIST;
use crate::job::{JobId, JobInfo};
use crate::{Error, ErrorKind, Result};

/// So many watches ask for themselves.
const FEW: usize = 4;

/// How many jobs that a list leaves out are asked for, one by one, before the next list.
const MOST_CONFIRMED: usize = 16;

/// A state is a small answer: a server that does not give it in this time is asked again instead.
const LONGEST_ASK: Duration = Duration::from_secs(60);

/// A server rests for this many times as long as its last list took.
const REST: u32 = 4;

/// A failure that took long tells little of how long a list takes, and watches are not to wait past their patience.
const LONGEST_REST_AFTER_FAILURE: Duration = Duration::from_secs(60);

/// So long a list waits for the answers of watches that asked for themselves before there were many. Not for ever: such
/// a watch may not be polled any more.
const GRACE: Duration = Duration::from_secs(1);

/// Whom states are asked of.
pub(crate) trait Source: Clone + Send + Sync + 'static {
    /// The state of one job.
    fn ask(&self, id: &JobId) -> impl Future<Output = Result<JobInfo>> + Send;

    /// The states of these jobs, as far as the list of all has them.
    fn list(&self, wanted: &HashSet<JobId>) -> impl Future<Output = Result<Vec<JobInfo>>> + Send;
}

/// The watched jobs of a client and its clones.
#[derive(Default)]
pub(crate) struct Followed {
    book: Mutex<Book>,
    /// Told when there are many watches now, when the list is due sooner, and when a watch has its own answer.
    changed: Notify,
    driver: Arc<Driver>,
}

#[derive(Default)]
struct Book {
    seats: HashMap<u64, Seat>,
    /// How many seats were ever taken.
    taken: u64,
    /// How many questions were asked by ticks. What one tells counts for the seats that were taken before it was asked:
    /// for later ones it may be old.
    questions: u64,
    tick: Option<WeakShared<BoxFuture<'static, ()>>>,
    /// When the last list was asked for.
    listed: Option<Instant>,
    /// When a watch wants the next list.
    due: Option<Instant>,
    /// The next list is not asked for before.
    rest: Option<Instant>,
    /// The watches that ask for themselves just now, and since when.
    alone: HashMap<u64, Instant>,
    /// Jobs that the last list left out and that are asked for next.
    unlisted: VecDeque<JobId>,
}

/// A seat that is taken. Dropping it leaves it.
pub(super) struct Follow {
    followed: Arc<Followed>,
    key: u64,
    id: JobId,
    since: Instant,
}

impl Follow {
    /// For how long the seat had been taken at a time.
    pub(super) fn age(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.since)
    }

    /// What is told next that was not told last. May be dropped while it waits: nothing is lost.
    pub(super) async fn news(&self, source: &impl Source) -> News {
        loop {
            let changed = self.followed.changed.notified();
            match self.turn() {
                Turn::Hear(news) => return news,
                Turn::Wait => self.followed.tick(source).await,
                Turn::Pause(until) => {
                    // It passes, or something changes: the next turn tells.
                    let _ = timeout_at(until, changed).await;
                }
                Turn::Ask => self.ask_alone(source).await,
            }
        }
    }

    fn turn(&self) -> Turn {
        // A seat is in the book until it is left.
        self.followed.book().turn(self.key).unwrap_or(Turn::Wait)
    }

    async fn ask_alone(&self, source: &impl Source) {
        let _asking = Asking(self);
        let told = ask(source, &self.id).await;
        if let Some(seat) = self.followed.book().seats.get_mut(&self.key) {
            seat.answer(told.as_ref());
        }
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        let mut book = self.followed.book();
        book.seats.remove(&self.key);
        if book.seats.is_empty() {
            book.due = None;
            book.unlisted.clear();
            drop(book);
            self.followed.driver.forget();
        }
    }
}

/// That a watch asks for itself.
struct Asking<'a>(&'a Follow);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let followed = &self.0.followed;
        let mut book = followed.book();
        book.alone.remove(&self.0.key);
        let waited_for = book.is_crowded();
        drop(book);
        if waited_for {
            followed.changed.notify_waiters();
        }
    }
}

impl Followed {
    /// Takes a seat for a watch. `known` is what its server told when it took the job, if this client submitted it.
    pub(super) fn follow(self: &Arc<Self>, id: JobId, known: Option<JobInfo>, polling: Polling) -> Follow {
        let since = Instant::now();
        let mut book = self.book();
        let seat = Seat::new(id.clone(), known, polling, since, book.questions);
        let wanted = book.wanted_by(&seat, since);
        let sooner = book.due.is_none_or(|due| wanted < due);
        if sooner {
            book.due = Some(wanted);
        }
        let key = book.taken;
        book.taken += 1;
        book.seats.insert(key, seat);
        let concerns_others = book.is_crowded() && (sooner || book.seats.len() == FEW + 1);
        drop(book);
        if concerns_others {
            self.changed.notify_waiters();
        }
        Follow { followed: Arc::clone(self), key, id, since }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there may be news, with all other watches that wait.
    async fn tick(self: &Arc<Self>, source: &impl Source) {
        let tick = self.current_tick(source);
        self.driver.polled(tick).await;
    }

    fn current_tick<S: Source>(self: &Arc<Self>, source: &S) -> Shared<BoxFuture<'static, ()>> {
        let mut book = self.book();
        let under_way = book.tick.as_ref().and_then(WeakShared::upgrade).filter(|tick| tick.peek().is_none());
        under_way.unwrap_or_else(|| {
            let (followed, source) = (Arc::clone(self), source.clone());
            let tick = async move { followed.ask(&source).await }.boxed().shared();
            book.tick = tick.downgrade();
            tick
        })
    }

    /// Asks for the jobs that the last list left out, or else for the next list: what was in the one is heard before
    /// the other is waited for.
    async fn ask(&self, source: &impl Source) {
        let listed_whole = self.book().unlisted.is_empty();
        if listed_whole {
            self.list(source).await;
        } else {
            self.confirm(source).await;
        }
    }

    async fn list(&self, source: &impl Source) {
        let question = self.until_due().await;
        let start = Instant::now();
        let wanted = self.book().watched();
        let told = self.driver.driven(timeout(LONGEST_LIST, source.list(&wanted))).await;
        let told = told.unwrap_or_else(|_| Err(Error::new(ErrorKind::Timeout, "no list of jobs came in five minutes")));
        match &told {
            Ok(jobs) => tracing::debug!(jobs = jobs.len(), took = ?start.elapsed(), "listed the jobs that are watched"),
            Err(error) => tracing::warn!(%error, "the states of jobs could not be asked for"),
        }
        // The first of an id, as where one job is asked for.
        let told = told.as_ref().map(|jobs| jobs.iter().rev().map(|job| (job.id.as_str(), job)).collect());
        self.book().listed(question, start, &told);
    }

    /// Waits until the list is to be asked for. Gives the number of that question.
    async fn until_due(&self) -> u64 {
        loop {
            let changed = self.changed.notified();
            let next = self.book().next_list();
            match next {
                Ok(question) => return question,
                Err(due) => {
                    // It passes, or something changes: the book tells.
                    let _ = timeout_at(due, changed).await;
                }
            }
        }
    }

    /// Asks for jobs that are not in the list, one after the other: it may be cut off, or older than they are. A server
    /// in trouble is left alone until the next list.
    async fn confirm(&self, source: &impl Source) {
        loop {
            let Some((question, id)) = self.book().next_unlisted() else { return };
            let told = self.driver.driven(ask(source, &id)).await;
            let mut book = self.book();
            if told.as_ref().is_err_and(Error::is_transient_for_polling) {
                book.unlisted.clear();
            }
            book.confirmed(question, &id, told.as_ref());
        }
    }
}

/// Asks for the state of one job.
async fn ask(source: &impl Source, id: &JobId) -> Result<JobInfo> {
    let told = timeout(LONGEST_ASK, source.ask(id)).await;
    let told = told.unwrap_or_else(|_| Err(Error::new(ErrorKind::Timeout, "the state was not told in a minute")));
    if let Err(error) = &told
        && error.is_transient_for_polling()
    {
        tracing::warn!(%error, "the state of a job could not be asked for");
    }
    told
}

impl Book {
    fn watched(&self) -> HashSet<JobId> {
        self.seats.values().filter(|seat| !seat.is_over()).map(|seat| seat.id().clone()).collect()
    }

    fn is_crowded(&self) -> bool {
        self.seats.len() > FEW
    }

    /// When a watch that comes now wants the list. One that knows nothing yet could have done with an earlier one.
    fn wanted_by(&self, seat: &Seat, now: Instant) -> Instant {
        let last = if seat.knows_something() { Some(now) } else { self.listed };
        last.map_or(now, |last| seat.next_list(last))
    }

    /// Counts the question for the list if it is to be asked now; else tells when.
    fn next_list(&mut self) -> Result<u64, Instant> {
        let graces = self.alone.values().map(|since| *since + GRACE);
        match graces.chain(self.due).chain(self.rest).max() {
            Some(due) if due > Instant::now() => Err(due),
            _ => Ok(self.question()),
        }
    }

    fn question(&mut self) -> u64 {
        self.questions += 1;
        self.questions
    }

    fn listed(&mut self, question: u64, start: Instant, told: &Result<HashMap<&str, &JobInfo>, &Error>) {
        let now = Instant::now();
        let rest = (now - start).saturating_mul(REST);
        let rest = match told {
            Ok(_) => rest,
            Err(error) => {
                let asked = error.retry_after().unwrap_or_default().min(LONGEST_LIST);
                rest.min(LONGEST_REST_AFTER_FAILURE).max(asked)
            }
        };
        (self.listed, self.rest) = (Some(start), now.checked_add(rest));
        let mut absent = Vec::new();
        for (key, seat) in self.seats.iter_mut().filter(|(_, seat)| seat.hears(question)) {
            match told {
                Err(error) => seat.tell(now, Err(error)),
                Ok(jobs) => match jobs.get(seat.id().as_str()) {
                    Some(info) => seat.tell(now, Ok(info)),
                    None => absent.push((seat.last_confirmed(), *key)),
                },
            }
        }
        self.note_unlisted(absent);
        self.due = self.seats.values().filter(|seat| !seat.is_over()).map(|seat| seat.next_list(start)).min();
    }

    /// Notes whom to ask for one by one: those that were not for the longest time, the oldest of them first.
    fn note_unlisted(&mut self, mut absent: Vec<(u64, u64)>) {
        absent.sort_unstable();
        let mut noted = HashSet::new();
        let ids = absent.iter().filter_map(|(_, key)| self.seats.get(key)).map(Seat::id);
        self.unlisted = ids.filter(|id| noted.insert(*id)).take(MOST_CONFIRMED).cloned().collect();
    }

    /// The next of them that is still watched.
    fn next_unlisted(&mut self) -> Option<(u64, JobId)> {
        loop {
            let id = self.unlisted.pop_front()?;
            let question = self.question();
            let mut watched = false;
            for seat in self.seats.values_mut().filter(|seat| *seat.id() == id && !seat.is_over()) {
                seat.confirm(question);
                watched = true;
            }
            if watched {
                return Some((question, id));
            }
        }
    }

    fn confirmed(&mut self, question: u64, id: &JobId, told: Result<&JobInfo, &Error>) {
        let now = Instant::now();
        for seat in self.seats.values_mut().filter(|seat| seat.id() == id && seat.hears(question)) {
            seat.tell(now, told);
        }
    }

    /// What the watch at a seat does next.
    fn turn(&mut self, key: u64) -> Option<Turn> {
        let (crowded, now) = (self.is_crowded(), Instant::now());
        let turn = self.seats.get_mut(&key)?.turn(crowded, now);
        if matches!(turn, Turn::Ask) {
            self.alone.insert(key, now);
        }
        Some(turn)
    }
}
