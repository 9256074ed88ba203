//! Tests of many watches of one client.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{join_all, poll_fn};
use tokio::runtime::Handle;
use tokio::task::yield_now;
use tokio::time::{Instant, advance, sleep, timeout};

use super::known;
use crate::job::service::LIST_TIMEOUT;
use crate::job::watch::hub::{
    MAX_CONFIRMATIONS, MAX_FAILED_POLLS, MAX_POLLS_IN_FLIGHT, MAX_REST_AFTER_FAILURE, MAX_SEPARATE_WATCHES,
};
use crate::job::watch::{JobSource, ListedJobs, PollHub, Polling, StateStream};
use crate::job::{JobId, JobInfo, JobStatus};
use crate::{Error, ErrorKind, Result};

const SECOND: Duration = Duration::from_secs(1);

/// A server whose jobs change their states by the clock.
#[derive(Clone)]
struct Server(Arc<ServerState>);

struct ServerState {
    settings: Settings,
    start: Instant,
    lists: Mutex<Vec<Instant>>,
    polls: Mutex<Vec<Instant>>,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
}

struct Settings {
    jobs: usize,
    /// The number of jobs in the list that are not watched.
    others: usize,
    /// The status of a job some time after the start, or `None` if it is gone.
    status: fn(usize, Duration) -> Option<&'static str>,
    /// Returns `true` if a job is in the list.
    is_listed: fn(usize) -> bool,
    /// The error of a list request, if it fails.
    failure: fn(usize) -> Option<ErrorKind>,
    /// The error of a poll, if it fails.
    poll_failure: fn(usize) -> Option<ErrorKind>,
    /// The time after which a failed poll may be repeated.
    retry_after: Option<Duration>,
    /// Returns `true` if a list request panics.
    panics: fn(usize) -> bool,
    poll_takes: Duration,
    /// The polls that take longer, and how long.
    slow_polls: std::ops::Range<usize>,
    slow_poll_takes: Duration,
    /// The job whose polls take fifteen seconds.
    slow_job: Option<usize>,
    /// `true` if polls do not end while several are in flight.
    hang_together: bool,
    list_takes: Duration,
    /// The number of pieces in which the list comes.
    pieces: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            jobs: 5,
            others: 0,
            status: |_, age| Some(in_turn(age, [5, 30])),
            is_listed: |_| true,
            failure: |_| None,
            poll_failure: |_| None,
            retry_after: None,
            panics: |_| false,
            poll_takes: Duration::from_millis(20),
            slow_polls: 0..0,
            slow_poll_takes: SECOND,
            slow_job: None,
            hang_together: false,
            list_takes: Duration::from_millis(20),
            pieces: 1,
        }
    }
}

/// The status of a job that begins to run and succeeds after so many seconds.
fn in_turn(age: Duration, [running, success]: [u64; 2]) -> &'static str {
    match age.as_secs() {
        secs if secs < running => "create",
        secs if secs < success => "process",
        _ => "success",
    }
}

/// A request in flight.
struct Request<'a>(&'a AtomicUsize);

impl Drop for Request<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Server {
    fn new(settings: Settings) -> Self {
        Self(Arc::new(ServerState {
            settings,
            start: Instant::now(),
            lists: Mutex::default(),
            polls: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            most_in_flight: AtomicUsize::new(0),
        }))
    }

    fn lists(&self) -> Vec<Instant> {
        self.0.lists.lock().unwrap().clone()
    }

    fn polls(&self) -> Vec<Instant> {
        self.0.polls.lock().unwrap().clone()
    }

    fn in_flight(&self) -> usize {
        self.0.in_flight.load(Ordering::SeqCst)
    }

    fn most_in_flight(&self) -> usize {
        self.0.most_in_flight.load(Ordering::SeqCst)
    }

    fn request(&self) -> Request<'_> {
        let now = self.0.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most_in_flight.fetch_max(now, Ordering::SeqCst);
        Request(&self.0.in_flight)
    }

    fn info(&self, job: usize) -> Option<JobInfo> {
        let status = (self.0.settings.status)(job, self.0.start.elapsed())?;
        Some(info(job, status))
    }

    /// Returns a watch for each job. None of the jobs was submitted by the client.
    fn watches(&self, hub: &Arc<PollHub>) -> Vec<StateStream> {
        (0..self.0.settings.jobs).map(|job| self.watch(hub, job)).collect()
    }

    fn watch(&self, hub: &Arc<PollHub>, job: usize) -> StateStream {
        StateStream::new(self.clone(), Arc::clone(hub), known(id(job), None), Polling::default())
    }
}

impl JobSource for Server {
    async fn job(&self, id: &JobId) -> Result<JobInfo> {
        let _request = self.request();
        let nth = {
            let mut polls = self.0.polls.lock().unwrap();
            polls.push(Instant::now());
            polls.len()
        };
        let Settings { poll_takes, slow_polls, slow_poll_takes, poll_failure, retry_after, .. } = &self.0.settings;
        let job: usize = id.as_str().parse().unwrap();
        sleep(match slow_polls.contains(&nth) {
            _ if self.0.settings.slow_job == Some(job) => SECOND * 15,
            _ if self.0.settings.hang_together && self.in_flight() > 1 => SECOND * 3600,
            true => *slow_poll_takes,
            false => *poll_takes,
        })
        .await;
        if let Some(kind) = poll_failure(nth) {
            return Err(Error::new(kind, "no state").with_retry_after(*retry_after));
        }
        self.info(job).ok_or_else(|| Error::new(ErrorKind::JobNotFound, "the server knows no such job"))
    }

    async fn list(&self, _: &HashSet<JobId>) -> Result<ListedJobs> {
        let _request = self.request();
        let nth = {
            let mut lists = self.0.lists.lock().unwrap();
            lists.push(Instant::now());
            lists.len()
        };
        // The states at the time of the request.
        let Settings { jobs, is_listed, failure, panics, list_takes, pieces, .. } = self.0.settings;
        let listed: Vec<_> =
            (0..jobs).filter(|job| is_listed(*job)).filter_map(|job| self.info(job)).map(Arc::new).collect();
        assert!(!panics(nth), "as the test wants it");
        for _ in 0..pieces {
            sleep(list_takes / pieces).await;
        }
        failure(nth).map_or_else(
            || Ok(ListedJobs { entries: listed.len() + self.0.settings.others, jobs: listed }),
            |kind| Err(Error::new(kind, "no list")),
        )
    }
}

fn id(job: usize) -> JobId {
    JobId::new(job.to_string())
}

fn info(job: usize, status: &str) -> JobInfo {
    JobInfo { status: status.into(), ..JobInfo::of(id(job)) }
}

/// Reads a watch to its end.
async fn seen(mut watch: StateStream) -> Vec<String> {
    let mut seen = Vec::new();
    loop {
        match watch.try_next().await {
            Ok(Some(state)) => seen.push(state.to_string()),
            Ok(None) => return seen,
            Err(error) => {
                seen.push(format!("{}: {error}", error.kind()));
                return seen;
            }
        }
    }
}

/// Polls a watch once.
fn poll_once(watch: &mut StateStream) {
    assert!(watch.try_next().now_or_never().is_none(), "it waits");
}

/// Checks that neither a subscription nor the poll task is left. The task ends as soon as it runs.
async fn assert_nothing_left(hub: &Arc<PollHub>) {
    for _ in 0..3 {
        yield_now().await;
    }
    let tasks = Handle::current().metrics().num_alive_tasks();
    assert_eq!((hub.subscribers(), tasks, Arc::strong_count(hub)), (0, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn four_jobs_are_polled_one_by_one() {
    let server = Server::new(Settings { jobs: 4, ..Settings::default() });
    let hub: Arc<PollHub> = Arc::default();
    for seen in join_all(server.watches(&hub).into_iter().map(seen)).await {
        assert_eq!(seen, ["create", "process", "success"]);
    }
    assert!(server.lists().is_empty());
    assert!(server.polls().len() > 12);
    assert_nothing_left(&hub).await;
}

#[tokio::test(start_paused = true)]
async fn five_jobs_share_each_list_request() {
    let server = Server::new(Settings::default());
    let hub: Arc<PollHub> = Arc::default();
    for seen in join_all(server.watches(&hub).into_iter().map(seen)).await {
        assert_eq!(seen, ["create", "process", "success"]);
    }
    assert!(server.polls().is_empty());
    let lists = server.lists();
    let pauses: Vec<_> = lists.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.iter().all(|pause| *pause >= Duration::from_millis(200)), "{pauses:?}");
    assert!(pauses.is_sorted() && lists.len() < 80, "{pauses:?}");
    assert_nothing_left(&hub).await;
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_watches_see_every_state_with_one_request_at_a_time() {
    let status = |job, age| {
        let late = job as u64 % 50;
        Some(in_turn(age, [20 + late, 40 + late]))
    };
    let server = Server::new(Settings { jobs: 10_000, status, ..Settings::default() });
    let hub: Arc<PollHub> = Arc::default();
    let tasks: Vec<_> = server.watches(&hub).into_iter().map(|watch| tokio::spawn(seen(watch))).collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), ["create", "process", "success"]);
    }
    assert_eq!(server.most_in_flight(), 1.max(server.polls().len()));
    assert!(server.polls().len() <= MAX_SEPARATE_WATCHES, "before there were many");
    let (lists, pause) = (server.lists(), Duration::from_millis(200));
    assert!(lists.windows(2).all(|pair| pair[1] - pair[0] >= pause));
    assert!(lists.len() < 110, "{}", lists.len());
    assert_nothing_left(&hub).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn watches_on_many_threads_all_end() {
    let status = |job, age: Duration| {
        let steps = age.as_millis() / (20 + job as u128 % 30);
        Some(["create", "process", "success"][usize::try_from(steps.min(2)).unwrap()])
    };
    let list_takes = Duration::from_millis(1);
    let server = Server::new(Settings { jobs: 500, status, list_takes, poll_takes: list_takes, ..Settings::default() });
    let hub: Arc<PollHub> = Arc::default();
    let polling = Polling::every(Duration::from_millis(1));
    let watch = |job| StateStream::new(server.clone(), Arc::clone(&hub), known(id(job), None), polling);
    let tasks: Vec<_> = (0..500).map(|job| tokio::spawn(seen(watch(job)))).collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().last().map(String::as_str), Some("success"));
    }
    let ended = async {
        while Handle::current().metrics().num_alive_tasks() > 0 {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(SECOND * 10, ended).await.expect("the poll task ends");
    assert_nothing_left(&hub).await;
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_read_late_misses_no_listed_state() {
    let server = Server::new(Settings { jobs: 8, ..Settings::default() });
    let hub: Arc<PollHub> = Arc::default();
    let mut watches = server.watches(&hub);
    let mut late = watches.pop().unwrap();
    watches.iter_mut().for_each(poll_once);
    poll_once(&mut late);
    join_all(watches.into_iter().map(seen)).await;
    let before = (server.lists().len(), server.polls().len());
    assert_eq!(seen(late).await, ["create", "process", "success"]);
    assert_eq!((server.lists().len(), server.polls().len()), before, "all states are queued");
}

#[tokio::test(start_paused = true)]
async fn a_submitted_job_has_its_first_state_at_once_and_without_a_request() {
    let server = Server::new(Settings { jobs: 10, ..Settings::default() });
    let hub: Arc<PollHub> = Arc::default();
    let submitted = |job, status| {
        let job = known(id(job), Some(info(job, status)));
        StateStream::new(server.clone(), Arc::clone(&hub), job, Polling::default())
    };
    let mut others = server.watches(&hub);
    others.iter_mut().for_each(poll_once);
    let mut watch = submitted(3, "create");
    let first = watch.try_next().await.unwrap().unwrap();
    assert!(server.lists().is_empty() && server.polls().is_empty());
    assert_eq!((first.status(), first.followed()), (&JobStatus::Created, Duration::ZERO));
    assert_eq!(seen(watch).await, ["process", "success"]);
    // A new run of a regular job: the final state of an earlier run, or none at all, is not its first state.
    poll_once(&mut submitted(4, "success"));
    poll_once(&mut submitted(4, ""));
}

#[tokio::test(start_paused = true)]
async fn a_new_watch_without_a_state_brings_the_list_forward() {
    let server = Server::new(Settings { jobs: 6, status: |_, _| Some("process"), ..Settings::default() });
    let hub: Arc<PollHub> = Arc::default();
    let mut watches = server.watches(&hub);
    let new = watches.pop().unwrap();
    let others = tokio::spawn(join_all(watches.into_iter().map(seen)));
    sleep(SECOND * 300).await;
    let start = Instant::now();
    let mut new = new;
    assert_eq!(new.try_next().await.unwrap().unwrap().status(), &JobStatus::Running);
    assert!(start.elapsed() < SECOND / 2, "{:?}", start.elapsed());
    others.abort();
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_older_than_the_watch_does_not_count() {
    // The last job is listed as ended, and then run again.
    let status = |job, age| Some(if job == 6 && age < SECOND { "success" } else { in_turn(age, [0, 30]) });
    let server = Server::new(Settings { jobs: 7, status, list_takes: SECOND * 2, ..Settings::default() });
    let hub: Arc<PollHub> = Arc::default();
    let mut watches = server.watches(&hub);
    let anew = watches.pop().unwrap();
    let others = tokio::spawn(join_all(watches.into_iter().map(seen)));
    sleep(SECOND * 3 / 2).await;
    assert_eq!((server.lists().len(), server.in_flight()), (1, 1));
    assert_eq!(seen(anew).await, ["process", "success"]);
    others.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_list_in_many_pieces_wakes_no_watch_before_it_is_complete() {
    let settings =
        Settings { jobs: 100, status: |_, _| Some("success"), list_takes: SECOND, pieces: 500, ..Settings::default() };
    let server = Server::new(settings);
    let hub = Arc::default();
    let polls = Arc::new(AtomicUsize::new(0));
    let watched = |watch| {
        let (polls, mut watched) = (Arc::clone(&polls), Box::pin(seen(watch)));
        poll_fn(move |context| {
            polls.fetch_add(1, Ordering::SeqCst);
            watched.poll_unpin(context)
        })
    };
    let tasks: Vec<_> = server.watches(&hub).into_iter().map(|watch| tokio::spawn(watched(watch))).collect();
    sleep(SECOND / 10).await;
    let before = polls.load(Ordering::SeqCst);
    sleep(SECOND * 8 / 10).await;
    assert_eq!((server.in_flight(), polls.load(Ordering::SeqCst)), (1, before));
    for task in tasks {
        assert_eq!(task.await.unwrap(), ["success"]);
    }
    assert_eq!(polls.load(Ordering::SeqCst), before + 100, "one poll of each watch");
}

#[tokio::test(start_paused = true)]
async fn a_slow_list_is_requested_rarely() {
    let server = Server::new(Settings { list_takes: SECOND * 10, ..Settings::default() });
    join_all(server.watches(&Arc::default()).into_iter().map(seen)).await;
    let lists = server.lists();
    assert!(lists.windows(2).all(|pair| pair[1] - pair[0] >= SECOND * 50), "{lists:?}");
}

/// A server with a long list of jobs, of which a few are watched.
fn long_list() -> Settings {
    Settings { jobs: 6, others: 1_000, list_takes: SECOND * 2, ..Settings::default() }
}

#[tokio::test(start_paused = true)]
async fn a_long_list_is_replaced_by_polls_of_the_few_jobs_that_are_watched() {
    let server = Server::new(long_list());
    for seen in join_all(server.watches(&Arc::default()).into_iter().map(seen)).await {
        assert_eq!(seen, ["create", "process", "success"]);
    }
    assert_eq!(server.lists().len(), 1, "from which it is known that the list is long");
    assert!(server.most_in_flight() <= MAX_SEPARATE_WATCHES, "when few are left");
    assert!(server.0.start.elapsed() < SECOND * 33, "{:?}", server.0.start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_long_list_stays_where_polls_would_come_more_rarely() {
    let server = Server::new(Settings { poll_takes: SECOND * 4, ..long_list() });
    for seen in join_all(server.watches(&Arc::default()).into_iter().map(seen)).await {
        assert_eq!(seen, ["create", "process", "success"]);
    }
    let (lists, polls) = (server.lists().len(), server.polls().len());
    assert!(lists > 3 && polls <= lists, "{polls} polls next to {lists} lists show how long polls take");
}

#[tokio::test(start_paused = true)]
async fn polls_that_replace_a_long_list_are_in_flight_four_at_a_time() {
    let poll_takes = SECOND / 10;
    let server = Server::new(Settings { jobs: 40, poll_takes, ..long_list() });
    for seen in join_all(server.watches(&Arc::default()).into_iter().map(seen)).await {
        assert_eq!(seen, ["create", "process", "success"]);
    }
    assert_eq!(server.lists().len(), 1);
    assert_eq!(server.most_in_flight(), 4);
    // Ten times four polls take a second.
    let polls = server.polls();
    let first = polls.iter().position(|at| *at > polls[0] + poll_takes).expect("a poll of the first round");
    assert!(polls[first + 39] - polls[first] <= SECOND, "{polls:?}");
}

#[tokio::test(start_paused = true)]
async fn polls_that_replace_a_long_list_go_on_after_single_failures() {
    let poll_failure = |nth: usize| nth.is_multiple_of(7).then_some(ErrorKind::Server);
    let server = Server::new(Settings { poll_failure, ..long_list() });
    for seen in join_all(server.watches(&Arc::default()).into_iter().map(seen)).await {
        assert_eq!(seen.last().map(String::as_str), Some("success"));
    }
    assert_eq!(server.lists().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_only_shows_how_long_polls_take_ends_no_watch() {
    let poll_failure = |nth| (nth < 3).then_some(ErrorKind::Rejected);
    let server = Server::new(Settings { poll_failure, ..long_list() });
    for seen in join_all(server.watches(&Arc::default()).into_iter().map(seen)).await {
        assert_eq!(seen, ["create", "process", "success"]);
    }
    assert_eq!(server.lists().len(), 3, "until a poll succeeds");
}

#[tokio::test(start_paused = true)]
async fn polls_replace_a_long_list_as_long_as_they_come_at_shorter_intervals() {
    // Six polls take three seconds and rest for three, a list takes two and rests for eight.
    let server = Server::new(Settings { poll_takes: SECOND * 3 / 2, ..long_list() });
    for seen in join_all(server.watches(&Arc::default()).into_iter().map(seen)).await {
        assert_eq!(seen, ["create", "process", "success"]);
    }
    assert_eq!(server.lists().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn polls_that_have_become_slow_give_way_to_a_list() {
    let server = Server::new(Settings { jobs: 40, slow_polls: 50..200, ..long_list() });
    for seen in join_all(server.watches(&Arc::default()).into_iter().map(seen)).await {
        assert_eq!(seen, ["create", "process", "success"]);
    }
    let (lists, polls) = (server.lists(), server.polls());
    assert!(lists.len() > 1, "{lists:?}");
    // A round of slow polls would take ten seconds. It is given up after five.
    let first_slow = polls[49];
    let slow = polls.iter().filter(|at| (first_slow..lists[1]).contains(at)).count();
    assert!(slow <= 24, "{slow} slow polls before the list");
}

#[tokio::test(start_paused = true)]
async fn one_job_whose_polls_are_slow_makes_no_other_wait() {
    // The poll of one job in forty is slow, in every round.
    let status = |_, age| Some(in_turn(age, [5, 300]));
    let server = Server::new(Settings { jobs: 40, status, slow_job: Some(7), ..long_list() });
    for seen in join_all(server.watches(&Arc::default()).into_iter().map(seen)).await {
        assert_eq!(seen, ["create", "process", "success"]);
    }
    assert!(server.lists().len() > 5, "{:?}", server.lists());
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_hangs_does_not_hold_up_the_list() {
    let server = Server::new(Settings { slow_polls: 10..13, slow_poll_takes: SECOND * 3600, ..long_list() });
    for seen in join_all(server.watches(&Arc::default()).into_iter().map(seen)).await {
        assert_eq!(seen, ["create", "process", "success"]);
    }
    assert!(server.lists().len() > 1);
    assert!(server.0.start.elapsed() < SECOND * 45, "{:?}", server.0.start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_only_shows_how_long_polls_take_does_not_hold_up_the_list() {
    let server = Server::new(Settings { slow_polls: 1..3, slow_poll_takes: SECOND * 3600, ..long_list() });
    for seen in join_all(server.watches(&Arc::default()).into_iter().map(seen)).await {
        assert_eq!(seen, ["create", "process", "success"]);
    }
    assert_eq!(server.lists().len(), 3, "until a poll succeeds");
}

#[tokio::test(start_paused = true)]
async fn the_time_that_the_server_asks_for_is_kept_with_several_polls_in_flight() {
    // Of four polls that fail together, each asks for a pause.
    let poll_failure = |nth: usize| (nth > 20).then_some(ErrorKind::Server);
    let retry_after = Some(SECOND * 100);
    let status = |_, age| Some(in_turn(age, [5, 300]));
    let server = Server::new(Settings { status, poll_failure, retry_after, ..long_list() });
    join_all(server.watches(&Arc::default()).into_iter().map(seen)).await;
    let (lists, polls) = (server.lists(), server.polls());
    let failed = polls[20];
    let next = lists.iter().chain(&polls).filter(|at| **at > failed + SECOND).min().expect("a later request");
    assert!(*next - failed >= SECOND * 100, "{:?}", *next - failed);
}

#[tokio::test(start_paused = true)]
async fn the_pause_that_the_response_to_a_single_poll_asks_for_is_kept() {
    let poll_failure = |nth: usize| (nth == 1).then_some(ErrorKind::Server);
    let status = |_, age| Some(in_turn(age, [5, 300]));
    let server = Server::new(Settings { status, poll_failure, retry_after: Some(SECOND * 100), ..long_list() });
    join_all(server.watches(&Arc::default()).into_iter().map(seen)).await;
    let pause = server.lists()[1] - server.polls()[0];
    assert!(pause >= SECOND * 100, "{pause:?}");
}

#[tokio::test(start_paused = true)]
async fn polls_that_are_fast_alone_and_hang_together_are_rarely_tried() {
    let status = |_, age| Some(in_turn(age, [5, 300]));
    let server = Server::new(Settings { jobs: 40, status, hang_together: true, ..long_list() });
    for seen in join_all(server.watches(&Arc::default()).into_iter().map(seen)).await {
        assert_eq!(seen, ["create", "process", "success"]);
    }
    // A list and its rest take ten seconds.
    assert!(server.lists().len() > 22, "{:?}", server.lists());
}

#[tokio::test(start_paused = true)]
async fn a_runtime_that_was_not_driven_for_long_makes_no_watch_wait_as_long_again() {
    let status = |_, age| Some(in_turn(age, [5, 10_000]));
    let server = Server::new(Settings { jobs: 40, status, ..long_list() });
    let hub: Arc<PollHub> = Arc::default();
    let tasks: Vec<_> = server.watches(&hub).into_iter().map(|watch| tokio::spawn(seen(watch))).collect();
    while server.polls().len() < 50 || server.in_flight() < MAX_POLLS_IN_FLIGHT {
        sleep(Duration::from_millis(1)).await;
    }
    advance(SECOND * 600).await;
    let (driven_again, polls) = (Instant::now(), server.polls().len());
    while server.polls().len() == polls {
        sleep(SECOND).await;
    }
    assert!(driven_again.elapsed() < SECOND * 60, "{:?}", driven_again.elapsed());
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(start_paused = true)]
async fn watches_dropped_during_a_round_leave_no_subscription_task_or_request() {
    let server = Server::new(Settings { jobs: 20, status: |_, _| Some("process"), ..long_list() });
    let hub: Arc<PollHub> = Arc::default();
    let tasks: Vec<_> = server.watches(&hub).into_iter().map(|watch| tokio::spawn(seen(watch))).collect();
    while server.polls().len() < 30 || server.in_flight() < MAX_POLLS_IN_FLIGHT {
        sleep(Duration::from_millis(1)).await;
    }
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    for task in tasks {
        assert!(task.await.unwrap_err().is_cancelled());
    }
    assert_nothing_left(&hub).await;
    assert_eq!(server.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn watches_begun_long_after_polls_that_replaced_a_list_do_not_wait_for_them() {
    // Those that are polled first end, so that four are left in the middle of a round.
    let status = |job, age| Some(if (1..10).contains(&job) { in_turn(age, [1, 10]) } else { "process" });
    let server = Server::new(Settings { status, jobs: 14, ..long_list() });
    let hub: Arc<PollHub> = Arc::default();
    let mut watches = server.watches(&hub);
    let mut new = watches.pop().unwrap();
    let others: Vec<_> = watches.into_iter().map(|watch| tokio::spawn(seen(watch))).collect();
    sleep(SECOND * 3600).await;
    assert_eq!(hub.subscribers(), MAX_SEPARATE_WATCHES, "one job has ended");
    let start = Instant::now();
    assert_eq!(new.try_next().await.unwrap().unwrap().status(), &JobStatus::Running);
    assert!(start.elapsed() < SECOND * 20, "{:?}", start.elapsed());
    others.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(start_paused = true)]
async fn an_outage_ends_the_polls_that_replace_a_long_list() {
    let poll_failure = |nth: usize| (nth > 20).then_some(ErrorKind::Server);
    let server = Server::new(Settings { jobs: 40, poll_failure, ..long_list() });
    for seen in join_all(server.watches(&Arc::default()).into_iter().map(seen)).await {
        assert_eq!(seen.last().map(String::as_str), Some("success"));
    }
    let (lists, polls) = (server.lists(), server.polls());
    let most = 20 + MAX_FAILED_POLLS + MAX_POLLS_IN_FLIGHT + lists.len();
    assert!(lists.len() > 2 && polls.len() < most, "{polls:?} {lists:?}");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_vanishes_ends_its_watch_alone() {
    let status = |job, age| (job != 3 || age < SECOND * 10).then(|| in_turn(age, [5, 30]));
    let server = Server::new(Settings { jobs: 20, status, ..Settings::default() });
    let all = join_all(server.watches(&Arc::default()).into_iter().map(seen)).await;
    for (job, seen) in all.iter().enumerate() {
        let last = if job == 3 {
            "job not found: job 3 is gone: the server knew it before and no longer does (deleted?)"
        } else {
            "success"
        };
        assert_eq!(*seen, ["create", "process", last]);
    }
    assert_eq!((server.most_in_flight(), server.polls().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_never_existed_is_reported_as_unknown() {
    let server =
        Server::new(Settings { jobs: 6, status: |job, _| (job != 5).then_some("success"), ..Settings::default() });
    let all = join_all(server.watches(&Arc::default()).into_iter().map(seen)).await;
    assert_eq!(all[5], ["job not found: the server knows no such job"]);
    assert_eq!(all[4], ["success"]);
}

#[tokio::test(start_paused = true)]
async fn jobs_missing_from_the_lists_are_polled_sixteen_after_each() {
    let server = Server::new(Settings { jobs: 100, is_listed: |job| job < 50, ..Settings::default() });
    let hub = Arc::default();
    let tasks: Vec<_> = server.watches(&hub).into_iter().map(|watch| tokio::spawn(seen(watch))).collect();
    while server.lists().len() < 3 {
        sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(server.most_in_flight(), 1, "while there are many");
    for task in tasks {
        assert_eq!(task.await.unwrap().last().map(String::as_str), Some("success"));
    }
    let (lists, polls) = (server.lists(), server.polls());
    for pair in lists.windows(2) {
        let between = polls.iter().filter(|at| (pair[0]..pair[1]).contains(at)).count();
        assert!(between <= MAX_CONFIRMATIONS, "{between}");
    }
    assert!(server.most_in_flight() <= MAX_SEPARATE_WATCHES, "when few are left");
}

#[tokio::test(start_paused = true)]
async fn single_failures_do_not_end_the_polls_of_jobs_missing_from_a_list() {
    let poll_failure = |nth: usize| nth.is_multiple_of(7).then_some(ErrorKind::Server);
    let server = Server::new(Settings { jobs: 100, is_listed: |job| job < 50, poll_failure, ..Settings::default() });
    for seen in join_all(server.watches(&Arc::default()).into_iter().map(seen)).await {
        assert_eq!(seen.last().map(String::as_str), Some("success"));
    }
    let (lists, polls) = (server.lists(), server.polls());
    let after_first = polls.iter().filter(|at| (lists[0]..lists[1]).contains(at)).count();
    assert_eq!(after_first, MAX_CONFIRMATIONS);
    assert!(server.most_in_flight() <= MAX_SEPARATE_WATCHES, "when few are left");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_fails_is_reported_to_every_watch_and_ends_none() {
    let failure = |nth| (3..9).contains(&nth).then_some(ErrorKind::Server);
    let server = Server::new(Settings { jobs: 6, failure, ..Settings::default() });
    for seen in join_all(server.watches(&Arc::default()).into_iter().map(seen)).await {
        assert_eq!(seen, ["create", "create (not confirmed: no list)", "create", "process", "success"]);
    }
}

#[tokio::test(start_paused = true)]
async fn lists_that_fail_for_longer_than_the_max_outage_of_a_watch_end_that_watch() {
    let failure = |nth| (nth > 2).then_some(ErrorKind::Interrupted);
    let server = Server::new(Settings { jobs: 6, failure, ..Settings::default() });
    let hub: Arc<PollHub> = Arc::default();
    let brief = Polling::default().max_outage(SECOND * 20);
    let brief = StateStream::new(server.clone(), Arc::clone(&hub), known(id(0), None), brief);
    let others = join_all(server.watches(&hub).into_iter().map(seen));
    let start = Instant::now();
    let (first, others) = tokio::join!(async { (seen(brief).await, start.elapsed()) }, others);
    let expected = ["create", "create (not confirmed: no list)", "connection lost: no list"];
    assert_eq!(first.0, expected);
    assert!((20..40).contains(&first.1.as_secs()), "{:?}", first.1);
    assert!(start.elapsed() > SECOND * 300);
    assert!(others.iter().all(|seen| *seen == expected));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_refused_ends_every_watch() {
    let failure = |nth| (nth > 1).then_some(ErrorKind::Authentication);
    let server = Server::new(Settings { jobs: 6, failure, ..Settings::default() });
    let hub: Arc<PollHub> = Arc::default();
    for seen in join_all(server.watches(&hub).into_iter().map(seen)).await {
        assert_eq!(seen, ["create", "authentication: no list"]);
    }
    assert_eq!((server.lists().len(), hub.subscribers()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_was_never_reached_ends_every_watch_soon() {
    let server = Server::new(Settings { jobs: 20, failure: |_| Some(ErrorKind::Connect), ..Settings::default() });
    let all = join_all(server.watches(&Arc::default()).into_iter().map(seen)).await;
    let expected = ["unknown (not confirmed: no list)", "no connection: no list"];
    assert!(all.iter().all(|seen| *seen == expected), "{all:?}");
    let lists = server.lists();
    assert!(*lists.last().unwrap() - lists[0] < Duration::from_secs(20), "{lists:?}");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_hangs_is_requested_again() {
    let server = Server::new(Settings { jobs: 6, list_takes: SECOND * 3600, ..Settings::default() });
    let all = join_all(server.watches(&Arc::default()).into_iter().map(seen)).await;
    assert_eq!(all[5][0], "unknown (not confirmed: the server did not send the list of jobs within 300s)");
    assert!(server.lists()[1] - server.lists()[0] <= LIST_TIMEOUT + MAX_REST_AFTER_FAILURE);
}

#[tokio::test(start_paused = true)]
async fn watches_dropped_during_a_request_leave_no_subscription_task_or_request() {
    let server = Server::new(Settings { jobs: 50, list_takes: SECOND * 10, ..Settings::default() });
    let hub: Arc<PollHub> = Arc::default();
    let tasks: Vec<_> = server.watches(&hub).into_iter().map(|watch| tokio::spawn(seen(watch))).collect();
    sleep(SECOND * 5).await;
    assert_eq!((server.in_flight(), server.lists().len()), (1, 1));
    let (last, others) = tasks.split_last().unwrap();
    others.iter().for_each(tokio::task::JoinHandle::abort);
    sleep(SECOND).await;
    assert_eq!((server.in_flight(), hub.subscribers()), (1, 1), "one still waits");
    last.abort();
    sleep(SECOND).await;
    assert_eq!((server.in_flight(), hub.subscribers()), (0, 0));
    assert_nothing_left(&hub).await;
    assert_eq!(Arc::strong_count(&server.0), 1);
    // New watches work as if there had been none before.
    let all = join_all(server.watches(&hub).into_iter().map(seen)).await;
    assert!(all.iter().all(|seen| seen.last().unwrap() == "success"));
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_kept_and_not_polled_holds_up_no_other() {
    let server = Server::new(Settings { jobs: 10, poll_takes: SECOND * 30, list_takes: SECOND, ..Settings::default() });
    let hub: Arc<PollHub> = Arc::default();
    let mut watches = server.watches(&hub);
    // Three are left while their own requests are in flight, and one while the list is.
    let last = watches.pop();
    let mut kept: Vec<_> = watches.drain(..3).chain(last).collect();
    for _ in 0..2 {
        kept[..3].iter_mut().for_each(poll_once);
    }
    assert_eq!(server.in_flight(), 3);
    let others: Vec<_> = watches.into_iter().map(|watch| tokio::spawn(seen(watch))).collect();
    while server.lists().is_empty() {
        sleep(SECOND / 10).await;
    }
    poll_once(&mut kept[3]);
    for other in others {
        assert_eq!(other.await.unwrap(), ["create", "process", "success"]);
    }
    assert!(server.0.start.elapsed() < SECOND * 50, "{:?}", server.0.start.elapsed());
    drop(kept);
    assert_eq!((server.in_flight(), hub.subscribers()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn when_few_are_left_they_poll_for_themselves_again() {
    let status = |job, age| Some(in_turn(age, if job < 8 { [2, 10] } else { [2, 200] }));
    let server = Server::new(Settings { jobs: 10, status, ..Settings::default() });
    for seen in join_all(server.watches(&Arc::default()).into_iter().map(seen)).await {
        assert_eq!(seen, ["create", "process", "success"]);
    }
    let last_list = *server.lists().last().unwrap();
    assert!(last_list - server.0.start < SECOND * 20);
    assert!(server.polls().iter().filter(|at| **at > last_list).count() > 10);
}

#[tokio::test(start_paused = true)]
async fn a_list_request_that_panics_is_an_outage() {
    let server = Server::new(Settings { jobs: 6, panics: |nth| nth == 2, ..Settings::default() });
    let hub = Arc::default();
    for seen in join_all(server.watches(&hub).into_iter().map(seen)).await {
        let unconfirmed = "create (not confirmed: the request for the states of jobs panicked)";
        assert_eq!(seen, ["create", unconfirmed, "create", "process", "success"]);
    }
    assert_nothing_left(&hub).await;
}
