//! Following a job: how often its state is asked for, and the stream of its states.

mod driver;
mod followed;
mod seat;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::poll_fn;
use futures_util::stream::{self, BoxStream, Stream, StreamExt as _};
use sync_wrapper::SyncWrapper;
use tokio::task::yield_now;
use tokio::time::Instant;

use self::followed::Follow;
pub(crate) use self::followed::{Followed, Source};
use self::seat::News;
use super::{JobId, JobInfo, JobStatus};
use crate::{Error, ErrorKind, Result};

/// How often a job is asked for its state: at once, soon again, and more and more rarely as it gets older.
///
/// The pause is a tenth of the time the job has been followed, within bounds (200 ms and 15 s by default), and varied
/// at random by a fifth, so that many jobs that were submitted together are not asked for together.
///
/// When more than four jobs of a client are watched, they are asked for together all the same: with one list of the
/// user's jobs, when the first of them wants to ask (which is not varied), and never sooner than four times as long
/// after a list as that list took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Polling {
    shortest: Duration,
    longest: Duration,
    growth: f64,
    jitter: f64,
    patience: Duration,
}

impl Default for Polling {
    fn default() -> Self {
        Self {
            shortest: Duration::from_millis(200),
            longest: Duration::from_secs(15),
            growth: 0.1,
            jitter: 0.2,
            patience: Duration::from_secs(300),
        }
    }
}

impl Polling {
    /// The default.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same pause always.
    #[must_use]
    pub fn every(interval: Duration) -> Self {
        Self { shortest: interval, longest: interval, ..Self::default() }
    }

    /// The first pause, and the shortest. By default 200 ms.
    #[must_use]
    pub fn shortest(mut self, interval: Duration) -> Self {
        self.shortest = interval;
        self
    }

    /// The longest pause. By default 15 s.
    #[must_use]
    pub fn longest(mut self, interval: Duration) -> Self {
        self.longest = interval;
        self
    }

    /// The pause as a part of the time the job has been followed. By default 0.1.
    #[must_use]
    pub fn growth(mut self, part: f64) -> Self {
        self.growth = part;
        self
    }

    /// How much a pause varies, as a part of it, from 0 to 1. By default 0.2.
    #[must_use]
    pub fn jitter(mut self, part: f64) -> Self {
        self.jitter = part;
        self
    }

    /// How long a job is followed while its server cannot be asked. By default 5 minutes; 15 seconds at most while the
    /// server was never reached.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// How long trouble is borne.
    pub(super) fn bears(&self) -> Duration {
        self.patience
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.shortest.is_zero() {
            return Err(Error::invalid("polling: the shortest pause is zero, which would ask without a pause"));
        }
        if self.shortest > self.longest {
            let (shortest, longest) = (self.shortest, self.longest);
            return Err(Error::invalid(format!(
                "polling: the shortest pause ({shortest:?}) is longer than the longest ({longest:?})"
            )));
        }
        if !(self.growth.is_finite() && self.growth >= 0.0) {
            return Err(Error::invalid(format!("polling: growth is {}, which is no part of a time", self.growth)));
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            return Err(Error::invalid(format!("polling: jitter is {}, which is not from 0 to 1", self.jitter)));
        }
        Ok(())
    }

    /// The pause after the job has been followed for `age`; `random` is from 0 to 1.
    fn pause(&self, age: Duration, random: f64) -> Duration {
        let pause = Duration::try_from_secs_f64(age.as_secs_f64() * self.growth).unwrap_or(self.longest);
        let pause = pause.clamp(self.shortest, self.longest);
        let varied = pause.as_secs_f64() * (1.0 + self.jitter * (2.0 * random - 1.0));
        Duration::try_from_secs_f64(varied).unwrap_or(pause)
    }
}

/// One state of a job.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct JobState {
    info: JobInfo,
    followed: Duration,
    trouble: Option<Error>,
}

impl JobState {
    /// The state itself.
    #[must_use]
    pub fn status(&self) -> &JobStatus {
        &self.info.status
    }

    /// The whole description of the job.
    #[must_use]
    pub fn info(&self) -> &JobInfo {
        &self.info
    }

    /// For how long the job has been followed.
    #[must_use]
    pub fn followed(&self) -> Duration {
        self.followed
    }

    /// Why the state could not be asked for, if it could not: it is then the one last known.
    #[must_use]
    pub fn trouble(&self) -> Option<&Error> {
        self.trouble.as_ref()
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.trouble {
            None => self.info.status.fmt(f),
            Some(trouble) => write!(f, "{} (not confirmed: {trouble})", self.info.status),
        }
    }
}

/// The states of a job as they change, made by [`Job::watch`](super::Job::watch).
///
/// A [`Stream`] of results; [`try_next`](Watch::try_next) serves without its traits. The first state comes at once,
/// each later one when it differs, and the last is [final](JobStatus::is_final). When the server cannot be asked for a
/// while, the last known state comes again with its [trouble](JobState::trouble). An error ends the stream: one that
/// asking again cannot mend, or trouble that outlasts [`Polling::patience`] (15 seconds while the server was never
/// reached). A job that is not there, or not any more,
/// is [`JobNotFound`](ErrorKind::JobNotFound).
///
/// # Many jobs
///
/// Up to four watches of a client and its clones ask for their jobs themselves. When there are more, all of them share
/// one request for the list of the user's jobs: one at a time, however many they are. Then
///
/// - the first state of a job that this client has submitted is the one it had then, without asking;
/// - a watch misses no state that a list has shown, however late it is read;
/// - a job that the list leaves out is asked for alone, up to sixteen of them after a list, before it counts as gone;
/// - a list that fails is trouble to every watch.
///
/// The requests are made by the watches that are being polled: one that is not holds up no other, and when all are
/// dropped nothing is left behind.
///
/// Dropping it does nothing to the job.
pub struct Watch(SyncWrapper<BoxStream<'static, Result<JobState>>>);

impl Watch {
    /// Follows a job among those that are `followed`. `submitted` is what its server told when it took it, if this
    /// client submitted it.
    pub(super) fn new(
        source: impl Source,
        followed: Arc<Followed>,
        id: JobId,
        submitted: Option<JobInfo>,
        polling: Polling,
    ) -> Self {
        let seen = submitted.is_some();
        let known = submitted.unwrap_or_else(|| JobInfo { id, ..JobInfo::default() });
        let first = Follower { source, followed, polling, known, seen, reached: seen, seat: None, troubled: None };
        let states = stream::unfold(Some(first), |follower| async { follower?.next().await });
        Self(SyncWrapper::new(states.boxed()))
    }

    /// The next state, or none after a final one.
    ///
    /// # Errors
    /// See [`Watch`].
    pub async fn try_next(&mut self) -> Result<Option<JobState>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await.transpose()
    }
}

impl Stream for Watch {
    type Item = Result<JobState>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.get_mut().poll_next_unpin(context)
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

struct Follower<S> {
    source: S,
    followed: Arc<Followed>,
    polling: Polling,
    known: JobInfo,
    /// Whether the job was ever there.
    seen: bool,
    /// Whether the server was ever reached.
    reached: bool,
    /// Its seat among the followed, from when it is first polled.
    seat: Option<Follow>,
    /// Since when the server cannot be asked.
    troubled: Option<Instant>,
}

impl<S: Source> Follower<S> {
    /// The next state, and the follower unless that was the last.
    async fn next(mut self) -> Option<(Result<JobState>, Option<Self>)> {
        loop {
            let News { at, told } = self.news().await;
            match told {
                Ok(info) => {
                    (self.seen, self.reached, self.known, self.troubled) = (true, true, *info, None);
                    return Some(self.state(at, None));
                }
                Err(error) if !error.is_transient_for_polling() => return Some((Err(self.explained(error)), None)),
                Err(error) => {
                    let is_news = self.troubled.is_none();
                    let since = *self.troubled.get_or_insert(at);
                    self.reached |= !matches!(error.kind(), ErrorKind::Connect | ErrorKind::Protocol);
                    let patience =
                        if self.reached { self.polling.patience } else { self.polling.patience.min(FIRST_CONTACT) };
                    if at - since >= patience {
                        return Some((Err(error), None));
                    }
                    if is_news {
                        return Some(self.state(at, Some(error)));
                    }
                }
            }
        }
    }

    async fn news(&mut self) -> News {
        let mut is_new = false;
        let seat = self.seat.get_or_insert_with(|| {
            is_new = true;
            let submitted = self.seen.then(|| self.known.clone());
            self.followed.follow(self.known.id.clone(), submitted, self.polling)
        });
        if is_new {
            // Watches that begin together take their seats together: they know that they are many before one asks.
            yield_now().await;
        }
        seat.news(&self.source).await
    }

    fn state(self, at: Instant, trouble: Option<Error>) -> (Result<JobState>, Option<Self>) {
        let info = self.known.clone();
        let is_last = trouble.is_none() && info.status.is_final();
        let followed = self.seat.as_ref().map(|seat| seat.age(at)).unwrap_or_default();
        (Ok(JobState { info, followed, trouble }), (!is_last).then_some(self))
    }

    /// A job that was there is gone. One that never was has another reason.
    fn explained(&self, error: Error) -> Error {
        if error.kind() != ErrorKind::JobNotFound || !self.seen {
            return error;
        }
        let id = &self.known.id;
        error.with_text(format!("job {id} is gone: it was there and the server does not know it any more (deleted?)"))
    }
}

/// A caller with a wrong URL should not wait for long. A server that was never reached may be starting, though.
const FIRST_CONTACT: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Mutex;

    use serde_json::json;

    use super::*;

    /// A server with one job, which answers like this.
    struct Server<F>(Arc<F>);

    impl<F> Clone for Server<F> {
        fn clone(&self) -> Self {
            Self(Arc::clone(&self.0))
        }
    }

    impl<F, A> Source for Server<F>
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Result<JobInfo>> + Send,
    {
        async fn ask(&self, _: &JobId) -> Result<JobInfo> {
            (self.0)().await
        }

        async fn list(&self, _: &HashSet<JobId>) -> Result<Vec<JobInfo>> {
            panic!("one job is asked for alone")
        }
    }

    fn follow<F, A>(ask: F, submitted: Option<JobInfo>, polling: Polling) -> Watch
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Result<JobInfo>> + Send,
    {
        Watch::new(Server(Arc::new(ask)), Arc::default(), JobId::new("1"), submitted, polling)
    }

    fn info(status: &str) -> JobInfo {
        serde_json::from_value(json!({"jobId": "1", "status": status})).unwrap()
    }

    fn lost() -> Result<JobInfo> {
        Err(Error::new(ErrorKind::Interrupted, "lost"))
    }

    /// Follows a job that answers with these, the last of them for ever. Tells when it was asked.
    fn watch(answers: Vec<Result<JobInfo>>, polling: Polling) -> (Watch, Arc<Mutex<Vec<Instant>>>) {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let times = Arc::clone(&asked);
        let ask = move || {
            let mut times = times.lock().unwrap();
            let answer = answers[times.len().min(answers.len() - 1)].clone();
            times.push(Instant::now());
            async { answer }
        };
        (follow(ask, None, polling), asked)
    }

    async fn seen(mut watch: Watch) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            match watch.try_next().await {
                Ok(Some(state)) => seen.push(state.to_string()),
                Ok(None) => return seen,
                Err(error) => {
                    seen.push(format!("error: {error}"));
                    assert!(watch.try_next().await.unwrap().is_none(), "an error is the end");
                    return seen;
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_state_comes_at_once_and_each_later_one_when_it_differs() {
        let states = ["create", "create", "running", "running", "odd", "success"];
        let (watch, asked) = watch(states.iter().map(|status| Ok(info(status))).collect(), Polling::default());
        let start = Instant::now();
        assert_eq!(seen(watch).await, ["create", "running", "odd", "success"]);
        let asked = asked.lock().unwrap();
        assert_eq!(asked[0], start);
        assert_eq!(asked.len(), states.len());
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_is_asked_for_soon_and_then_more_and_more_rarely() {
        let mut answers = vec![Ok(info("running")); 200];
        answers.push(Ok(info("success")));
        let (watch, asked) = watch(answers, Polling::default().jitter(0.0));
        seen(watch).await;
        let asked = asked.lock().unwrap();
        let pauses: Vec<_> = asked.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(pauses[0], Duration::from_millis(200));
        assert!(pauses.is_sorted());
        assert_eq!(pauses.last(), Some(&Duration::from_secs(15)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_answer_is_told_and_does_not_end_the_watch() {
        let answers = vec![Ok(info("running")), lost(), lost(), Ok(info("running")), Ok(info("success"))];
        let (watch, _) = watch(answers, Polling::default());
        assert_eq!(seen(watch).await, ["running", "running (not confirmed: lost)", "running", "success"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_hangs_is_asked_again() {
        let asked = Mutex::new(0);
        let ask = move || {
            let mut asked = asked.lock().unwrap();
            *asked += 1;
            let nth = *asked;
            async move {
                match nth {
                    1 => Ok(info("running")),
                    2 => std::future::pending().await,
                    _ => Ok(info("success")),
                }
            }
        };
        let hung = follow(ask, Some(info("create")), Polling::default());
        let trouble = "running (not confirmed: the state was not told in a minute)";
        assert_eq!(seen(hung).await, ["running", trouble, "success"]);
    }

    #[tokio::test(start_paused = true)]
    async fn trouble_that_outlasts_the_patience_ends_the_watch() {
        let (watch, asked) = watch(vec![Ok(info("running")), lost()], Polling::default());
        let seen = seen(watch).await;
        assert_eq!(seen, ["running", "running (not confirmed: lost)", "error: lost"]);
        let asked = asked.lock().unwrap();
        let troubled = *asked.last().unwrap() - asked[1];
        assert!((300..330).contains(&troubled.as_secs()), "{troubled:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_that_asking_again_cannot_mend_ends_the_watch_at_once() {
        let refused = Err(Error::new(ErrorKind::Authentication, "no"));
        let (watch, asked) = watch(vec![Ok(info("running")), refused], Polling::default());
        assert_eq!(seen(watch).await, ["running", "error: no"]);
        assert_eq!(asked.lock().unwrap().len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_was_never_reached_is_an_error_soon() {
        let unreachable = Err(Error::new(ErrorKind::Connect, "nobody there"));
        let (watch, asked) = watch(vec![unreachable], Polling::default());
        assert_eq!(seen(watch).await, ["unknown (not confirmed: nobody there)", "error: nobody there"]);
        let asked = asked.lock().unwrap();
        assert!(*asked.last().unwrap() - asked[0] < Duration::from_secs(20), "{asked:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_that_stands_in_for_the_server_for_a_while_does_not_end_the_watch() {
        let page = Err(Error::new(ErrorKind::Protocol, "a page"));
        let (watch, _) = watch(vec![Ok(info("running")), page.clone(), page, Ok(info("success"))], Polling::default());
        assert_eq!(seen(watch).await, ["running", "running (not confirmed: a page)", "success"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_asks_for_time_is_given_it() {
        let busy = Err(Error::new(ErrorKind::Busy, "later").with_retry_after(Some(Duration::from_secs(40))));
        let (watch, asked) = watch(vec![Ok(info("running")), busy, Ok(info("success"))], Polling::default());
        assert_eq!(seen(watch).await, ["running", "running (not confirmed: later)", "success"]);
        let asked = asked.lock().unwrap();
        assert_eq!(asked[2] - asked[1], Duration::from_secs(40));
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_that_is_attached_to_survives_a_lost_first_answer() {
        let (watch, _) = watch(vec![lost(), Ok(info("running")), Ok(info("success"))], Polling::default());
        assert_eq!(seen(watch).await, ["unknown (not confirmed: lost)", "running", "success"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_that_was_just_submitted_survives_a_lost_first_answer() {
        let answers = Mutex::new(vec![Ok(info("success")), lost()]);
        let ask = move || {
            let answer = answers.lock().unwrap().pop().unwrap();
            async { answer }
        };
        let watch = follow(ask, Some(info("create")), Polling::default());
        assert_eq!(seen(watch).await, ["create (not confirmed: lost)", "success"]);
    }

    #[test]
    fn a_pause_varies_within_its_jitter() {
        let polling = Polling::default();
        let age = Duration::from_secs(100);
        assert_eq!(polling.pause(age, 0.0), Duration::from_secs(8));
        assert_eq!(polling.pause(age, 0.5), Duration::from_secs(10));
        assert_eq!(polling.pause(age, 1.0), Duration::from_secs(12));
        assert_eq!(Polling::every(Duration::MAX).pause(age, 1.0), Duration::MAX);
        assert_eq!(polling.growth(f64::MAX).jitter(0.0).pause(age, 0.0), Duration::from_secs(15));
    }

    #[test]
    fn settings_that_make_no_sense_are_refused_by_name() {
        let second = Duration::from_secs(1);
        for (polling, named) in [
            (Polling::every(Duration::ZERO), "zero"),
            (Polling::new().shortest(second * 20), "longer than the longest"),
            (Polling::new().growth(-1.0), "growth"),
            (Polling::new().growth(f64::NAN), "growth"),
            (Polling::new().jitter(1.5), "jitter"),
        ] {
            let error = polling.check().unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
        assert!(Polling::every(second).check().is_ok());
    }
}
