//! The run of a batch: its work items, how many are in flight, and their outcomes.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, poll_fn};
use futures_util::stream::{BoxStream, Stream, StreamExt as _};
use sync_wrapper::SyncWrapper;

use super::event::{Entries, Entry};
use super::files::PartialFiles;
use super::journal::Journal;
use super::work_item::{RunContext, WorkItem};
use super::{Batch, BatchOutcome, ExportFormat};
use crate::auth::needs_account;
use crate::job::Submit;
use crate::job::listing::ListingHold;
use crate::{Error, Result};

/// A running batch, created by [`Batch::run`].
///
/// It is a [`Stream`] of results, one for each submission, in the order in which they end; use
/// [`try_next`](BatchRun::try_next) if you do not need the traits of streams. It makes progress only while it is
/// polled, so do long work with an outcome in another task. An error ends it, see [`Batch`].
///
/// Dropping it stops the work and unlocks the journal, which may take as long as one write to disk. Jobs on the server
/// continue, and the next run picks them up, as after a crash.
#[must_use = "works while it is polled"]
pub struct BatchRun(SyncWrapper<State>);

type Outcomes = BoxStream<'static, Result<BatchOutcome>>;

enum State {
    Opening(BoxFuture<'static, Result<Outcomes>>),
    Running(Outcomes),
    Ended,
}

impl BatchRun {
    pub(super) fn new<K, S>(batch: Batch, submissions: S) -> Self
    where
        K: Into<String>,
        S: Stream<Item = (K, Submit)> + Send + 'static,
    {
        let opening = async move {
            let in_flight = batch.in_flight;
            let (context, known) = open(batch).await?;
            let context = Arc::new(context);
            let formats = context.export_targets.iter().map(|export_target| export_target.format).collect();
            let given = submissions.map(|(key, submit)| (key.into(), submit)).boxed();
            let unsettled = known.values().filter(|entry| entry.is_submitting()).count();
            let hold = (unsettled > 0).then(|| Arc::new(context.service.hold_listing()));
            let known = known.into_iter().map(|(key, entry)| (key, Some(entry))).collect();
            let tasks = Tasks { given: Some(given), known, formats, unfinished: Vec::new(), hold, unsettled };
            let outcomes = tasks.map(move |task| task.run(&context)).buffer_unordered(in_flight);
            Ok(outcomes.boxed())
        };
        Self(SyncWrapper::new(State::Opening(opening.boxed())))
    }

    /// Returns the outcome of the next submission that ended, or `None` after the last one.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) and [`Io`](crate::ErrorKind::Io), as documented at [`Batch`]. The
    /// run ends with an error. Everything that was recorded until then is kept.
    pub async fn try_next(&mut self) -> Result<Option<BatchOutcome>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await.transpose()
    }
}

impl Stream for BatchRun {
    type Item = Result<BatchOutcome>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let state = self.0.get_mut();
        loop {
            let next = match state {
                State::Opening(opening) => match ready!(opening.poll_unpin(context)) {
                    Ok(outcomes) => {
                        *state = State::Running(outcomes);
                        continue;
                    }
                    Err(error) => Some(Err(error)),
                },
                State::Running(outcomes) => ready!(outcomes.poll_next_unpin(context)),
                State::Ended => None,
            };
            if !matches!(next, Some(Ok(_))) {
                // Dropping the work in flight stops it and unlocks the journal.
                *state = State::Ended;
            }
            return Poll::Ready(next);
        }
    }
}

impl fmt::Debug for BatchRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchRun").finish_non_exhaustive()
    }
}

/// Opens the journal and the directories, before anything is submitted.
async fn open(batch: Batch) -> Result<(RunContext, Entries)> {
    batch.check()?;
    if batch.service.transport().is_anonymous() {
        return Err(needs_account("a batch"));
    }
    let opening = move || {
        let (journal, known) = Journal::open(&batch.journal, &batch.service)?;
        let partial_files = PartialFiles::in_directories(&batch.export_targets)?;
        Ok((batch.context(journal, partial_files), known))
    };
    let opened = tokio::task::spawn_blocking(opening).await;
    opened.map_err(|error| Error::io("opening the journal ended early", &error.into()))?
}

/// The next thing to do for a key.
enum Task {
    Given { key: String, submit: Box<Submit>, entry: Option<Entry>, hold: Option<Arc<ListingHold>> },
    Duplicate { key: String },
    Unfinished { key: String, entry: Entry, hold: Option<Arc<ListingHold>> },
}

impl Task {
    fn run(self, context: &Arc<RunContext>) -> BoxFuture<'static, Result<BatchOutcome>> {
        match self {
            Self::Given { key, submit, entry, hold } => {
                WorkItem::new(context, key, Some(*submit)).run(entry, hold).boxed()
            }
            Self::Unfinished { key, entry, hold } => WorkItem::new(context, key, None).run(Some(entry), hold).boxed(),
            Self::Duplicate { key } => {
                let text = format!("the key {key:?} was given twice in one run: use one key for each submission");
                let outcome = WorkItem::new(context, key, None).outcome(Some(Error::invalid(text)));
                std::future::ready(Ok(outcome)).boxed()
            }
        }
    }
}

/// The submissions that are given, and then the keys that earlier runs left unfinished.
struct Tasks {
    /// The submissions that are given, until they end.
    given: Option<BoxStream<'static, (String, Submit)>>,
    /// Every key of the journal and of this run. `None` for a key that this run has received.
    known: HashMap<String, Option<Entry>>,
    formats: Vec<ExportFormat>,
    unfinished: Vec<(String, Entry)>,
    /// Keeps the list of jobs, in which the submissions that earlier runs left unsettled are searched for.
    hold: Option<Arc<ListingHold>>,
    /// The number of these submissions that have not begun.
    unsettled: usize,
}

impl Stream for Tasks {
    type Item = Task;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Task>> {
        if let Some(given) = &mut self.given {
            if let Some((key, submit)) = ready!(given.poll_next_unpin(context)) {
                return Poll::Ready(Some(self.given(key, Box::new(submit))));
            }
            self.given = None;
            self.unfinished = self.take_unfinished();
        }
        let Some((key, entry)) = self.unfinished.pop() else { return Poll::Ready(None) };
        let hold = self.hold_for(Some(&entry));
        Poll::Ready(Some(Task::Unfinished { key, entry, hold }))
    }
}

impl Tasks {
    fn given(&mut self, key: String, submit: Box<Submit>) -> Task {
        match self.known.get_mut(&key) {
            Some(None) => Task::Duplicate { key },
            Some(entry) => {
                let entry = entry.take();
                let hold = self.hold_for(entry.as_ref());
                Task::Given { key, submit, entry, hold }
            }
            None => {
                self.known.insert(key.clone(), None);
                Task::Given { key, submit, entry: None, hold: None }
            }
        }
    }

    /// Returns the hold for a submission that is unsettled. The last of them gets the last one, so that the list is kept
    /// no longer than it is needed.
    fn hold_for(&mut self, entry: Option<&Entry>) -> Option<Arc<ListingHold>> {
        if !entry.is_some_and(Entry::is_submitting) {
            return None;
        }
        self.unsettled = self.unsettled.saturating_sub(1);
        if self.unsettled == 0 { self.hold.take() } else { self.hold.clone() }
    }

    fn take_unfinished(&mut self) -> Vec<(String, Entry)> {
        let known = std::mem::take(&mut self.known).into_iter();
        let known = known.filter_map(|(key, entry)| Some((key, entry?)));
        let mut undone: Vec<_> = known.filter(|(_, entry)| entry.is_unfinished(&self.formats)).collect();
        // In descending order, because they are popped from the end.
        undone.sort_by(|(one, _), (other, _)| other.cmp(one));
        undone
    }
}
