//! The place of one watch among those of its client: what it was told, what it has still to hear, when it asks.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::Polling;
use crate::job::{JobId, JobInfo, JobStatus};
use crate::{Error, Result};

/// What is told of a job, and when it was.
pub(super) struct News {
    pub(super) at: Instant,
    pub(super) told: Result<Box<JobInfo>>,
}

/// What a watch does next.
pub(super) enum Turn {
    /// It hears the news.
    Hear(News),
    /// It waits for the list with the others.
    Wait,
    /// It asks for itself, but not before.
    Pause(Instant),
    /// It asks for itself.
    Ask,
}

/// The seat of one watch.
pub(super) struct Seat {
    id: JobId,
    polling: Polling,
    since: Instant,
    /// How many questions had been asked when it was taken.
    taken_at: u64,
    /// The last question about its job alone.
    confirmed: u64,
    /// What was known when it was taken, until something is told.
    known: Option<Box<JobInfo>>,
    /// The last status that was told.
    last: Option<JobStatus>,
    /// Whether trouble was told since.
    troubled: bool,
    /// Whether there is nothing more to tell.
    over: bool,
    news: VecDeque<News>,
    /// When the watch asks next, if it asks for itself.
    next: Instant,
}

impl Seat {
    pub(super) fn new(id: JobId, known: Option<JobInfo>, polling: Polling, now: Instant, taken_at: u64) -> Self {
        // A regular job is submitted over and over: how it ended may be how it ended before.
        let known = known.filter(|info| !info.status.is_final() && info.status != JobStatus::default());
        Self {
            id,
            polling,
            since: now,
            taken_at,
            confirmed: 0,
            known: known.map(Box::new),
            last: None,
            troubled: false,
            over: false,
            news: VecDeque::new(),
            next: now,
        }
    }

    pub(super) fn id(&self) -> &JobId {
        &self.id
    }

    pub(super) fn knows_something(&self) -> bool {
        self.known.is_some()
    }

    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// Whether the answer to a question counts for this seat.
    pub(super) fn hears(&self, question: u64) -> bool {
        self.taken_at < question && !self.over
    }

    pub(super) fn last_confirmed(&self) -> u64 {
        self.confirmed
    }

    pub(super) fn confirm(&mut self, question: u64) {
        self.confirmed = question;
    }

    /// When the watch wants the list that follows one of this time.
    pub(super) fn next_list(&self, last: Instant) -> Instant {
        self.after(last, 0.5)
    }

    fn after(&self, last: Instant, random: f64) -> Instant {
        /// Longer than any program runs, and short enough to be added.
        const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
        let pause = self.polling.pause(last.saturating_duration_since(self.since), random);
        last + pause.min(LONGEST)
    }

    pub(super) fn turn(&mut self, crowded: bool, now: Instant) -> Turn {
        if crowded && let Some(known) = self.known.take() {
            self.tell(now, Ok(&known));
        }
        match self.news.pop_front() {
            Some(news) => Turn::Hear(news),
            None if crowded => Turn::Wait,
            None if self.next > now => Turn::Pause(self.next),
            None => Turn::Ask,
        }
    }

    /// The answer to the question of the watch itself. What a list told in the meantime counts in its place.
    pub(super) fn answer(&mut self, told: Result<&JobInfo, &Error>) {
        if self.news.is_empty() {
            self.tell(Instant::now(), told);
        }
    }

    /// Keeps what is told for the watch to hear, if it is news. Trouble always is: it may outlast the patience of the
    /// watch.
    pub(super) fn tell(&mut self, at: Instant, told: Result<&JobInfo, &Error>) {
        let asked = told.err().and_then(Error::retry_after).unwrap_or_default().min(self.polling.patience);
        self.next = self.after(at, fastrand::f64()).max(at.checked_add(asked).unwrap_or(at));
        self.known = None;
        match told {
            Ok(info) => {
                let is_news = self.troubled || self.last.as_ref() != Some(&info.status);
                self.troubled = false;
                if is_news {
                    self.over = info.status.is_final();
                    self.last = Some(info.status.clone());
                    self.news.push_back(News { at, told: Ok(Box::new(info.clone())) });
                }
            }
            Err(error) => {
                self.troubled = true;
                self.over = !error.is_transient_for_polling();
                self.forget_lasting_trouble();
                self.news.push_back(News { at, told: Err(error.clone().with_job(&self.id)) });
            }
        }
    }

    /// Of trouble that was not heard of yet, the beginning and the end are enough.
    fn forget_lasting_trouble(&mut self) {
        if self.news.iter().rev().take(2).filter(|news| news.told.is_err()).count() == 2 {
            self.news.pop_back();
        }
    }
}
