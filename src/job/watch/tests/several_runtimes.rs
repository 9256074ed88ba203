//! Tests of watches that share a client and run on several runtimes.
//!
//! The clock is real, since a paused one belongs to one runtime. Nothing waits for a time to pass: a test waits for an
//! event, and [`TOO_LONG`] turns a hang into a failure.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::sleep;

use super::known;
use crate::Result;
use crate::job::watch::{JobSource, ListedJobs, PollHub, Polling, StateStream};
use crate::job::{JobId, JobInfo};

const TOO_LONG: Duration = Duration::from_secs(20);

/// Longer than any test.
const HOUR: Duration = Duration::from_secs(3600);

const POLLING: Duration = Duration::from_millis(200);

/// A server whose jobs run until the test ends them. Each request waits for a timer of the runtime that makes it.
#[derive(Clone)]
struct Server(Arc<ServerState>);

struct ServerState {
    have_ended: AtomicBool,
    first_request_takes: Duration,
    requests: AtomicUsize,
    in_flight: AtomicUsize,
    events: Mutex<mpsc::Sender<Event>>,
}

#[derive(Debug, PartialEq, Eq)]
enum Event {
    Requested,
    Responded,
}

/// Counts a request for as long as it is in flight.
struct InFlight<'a>(&'a AtomicUsize);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Server {
    fn new(first_request_takes: Duration) -> (Self, mpsc::Receiver<Event>) {
        let (events, received) = mpsc::channel();
        let server = ServerState {
            have_ended: AtomicBool::new(false),
            first_request_takes,
            requests: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            events: Mutex::new(events),
        };
        (Self(Arc::new(server)), received)
    }

    fn end_jobs(&self) {
        self.0.have_ended.store(true, Ordering::SeqCst);
    }

    fn in_flight(&self) -> usize {
        self.0.in_flight.load(Ordering::SeqCst)
    }

    fn watch(&self, hub: &Arc<PollHub>, job: usize) -> StateStream {
        let job = known(JobId::new(job.to_string()), None);
        StateStream::new(self.clone(), Arc::clone(hub), job, Polling::every(POLLING))
    }

    fn watches(&self, hub: &Arc<PollHub>, jobs: std::ops::Range<usize>) -> Vec<StateStream> {
        jobs.map(|job| self.watch(hub, job)).collect()
    }

    async fn request(&self) {
        self.0.in_flight.fetch_add(1, Ordering::SeqCst);
        let _in_flight = InFlight(&self.0.in_flight);
        self.event(Event::Requested);
        let is_first = self.0.requests.fetch_add(1, Ordering::SeqCst) == 0;
        sleep(if is_first { self.0.first_request_takes } else { Duration::from_millis(1) }).await;
        self.event(Event::Responded);
    }

    /// Sends an event. Nobody may be waiting for it any more.
    fn event(&self, event: Event) {
        let _ = self.0.events.lock().unwrap().send(event);
    }

    fn info(&self, id: &JobId) -> JobInfo {
        let status = if self.0.have_ended.load(Ordering::SeqCst) { "success" } else { "process" };
        JobInfo { status: status.into(), ..JobInfo::of(id.clone()) }
    }
}

impl JobSource for Server {
    async fn job(&self, id: &JobId) -> Result<JobInfo> {
        self.request().await;
        Ok(self.info(id))
    }

    async fn list(&self, wanted: &HashSet<JobId>) -> Result<ListedJobs> {
        self.request().await;
        let jobs = wanted.iter().map(|id| Arc::new(self.info(id))).collect();
        Ok(ListedJobs { jobs, entries: wanted.len() })
    }
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Waits for something that another thread sends.
fn next<T>(receiver: &mpsc::Receiver<T>) -> T {
    receiver.recv_timeout(TOO_LONG).expect("the other thread neither hangs nor panics")
}

fn wait_for(events: &mpsc::Receiver<Event>, awaited: &Event) {
    while next(events) != *awaited {}
}

/// Reads a watch to its end, and returns its last state.
async fn last_state(mut watch: StateStream) -> String {
    let mut last = String::new();
    while let Some(state) = watch.try_next().await.unwrap() {
        last = state.to_string();
    }
    last
}

/// Polls a watch until it waits for a response.
async fn begin(watch: &mut StateStream) {
    for _ in 0..3 {
        assert!(watch.try_next().now_or_never().is_none(), "nothing is known yet");
        yield_now().await;
    }
}

/// Watches that a thread reads to their ends on its own `current_thread` runtime.
struct Reader {
    waiting: mpsc::Receiver<()>,
    last_states: mpsc::Receiver<Vec<String>>,
}

impl Reader {
    fn start(watches: Vec<StateStream>) -> Self {
        let (waiting, is_waiting) = mpsc::channel();
        let (results, last_states) = mpsc::channel();
        thread::spawn(move || {
            let reading = join_all(watches.into_iter().map(last_state));
            let all_wait = async {
                for _ in 0..3 {
                    yield_now().await;
                }
                let _ = waiting.send(());
            };
            let (last_states, ()) = current_thread().block_on(async { tokio::join!(reading, all_wait) });
            let _ = results.send(last_states);
        });
        Self { waiting: is_waiting, last_states }
    }

    fn until_waiting(self) -> Self {
        next(&self.waiting);
        self
    }

    fn all_succeed(self) {
        let last_states = next(&self.last_states);
        assert!(last_states.iter().all(|last| last == "success"), "{last_states:?}");
    }
}

/// A `current_thread` runtime on a thread of its own, which reads watches until it is told to stop.
struct OtherRuntime {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Runtime>,
}

impl OtherRuntime {
    fn start(watches: Vec<StateStream>) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::spawn(move || {
            let runtime = current_thread();
            for watch in watches {
                runtime.spawn(last_state(watch));
            }
            let _ = runtime.block_on(stopped);
            runtime
        });
        Self { stop, thread }
    }

    /// Stops driving the runtime, and returns it.
    fn stop(self) -> Runtime {
        self.stop.send(()).unwrap();
        self.thread.join().unwrap()
    }
}

#[test]
fn a_runtime_that_ends_during_a_list_request_holds_up_no_watch_of_another() {
    let (server, events) = Server::new(HOUR);
    let hub = Arc::default();
    let first = OtherRuntime::start(server.watches(&hub, 0..5));
    wait_for(&events, &Event::Requested);
    let second = Reader::start(server.watches(&hub, 5..10)).until_waiting();
    drop(first.stop());
    wait_for(&events, &Event::Responded);
    server.end_jobs();
    second.all_succeed();
    assert_eq!((server.in_flight(), Arc::strong_count(&hub)), (0, 1));
}

#[test]
fn a_runtime_that_ends_between_two_lists_holds_up_no_watch_of_another() {
    let (server, events) = Server::new(Duration::ZERO);
    let hub = Arc::default();
    let first = OtherRuntime::start(server.watches(&hub, 0..5));
    wait_for(&events, &Event::Responded);
    let second = Reader::start(server.watches(&hub, 5..10)).until_waiting();
    drop(first.stop());
    wait_for(&events, &Event::Responded);
    server.end_jobs();
    second.all_succeed();
}

#[test]
fn a_runtime_that_is_kept_and_not_driven_holds_up_no_watch_of_another() {
    for first_request_takes in [HOUR, Duration::ZERO] {
        let (server, events) = Server::new(first_request_takes);
        let hub = Arc::default();
        let first = OtherRuntime::start(server.watches(&hub, 0..5));
        wait_for(&events, &Event::Requested);
        let second = Reader::start(server.watches(&hub, 5..10)).until_waiting();
        let kept = first.stop();
        wait_for(&events, &Event::Responded);
        server.end_jobs();
        second.all_succeed();
        drop(kept);
    }
}

#[test]
fn a_runtime_that_is_kept_and_not_driven_goes_on_with_its_watches_when_it_is_driven_again() {
    let (server, events) = Server::new(HOUR);
    let hub = Arc::default();
    let watches = server.watches(&hub, 0..5);
    let runtime = current_thread();
    let reading = watches.into_iter().map(|watch| runtime.spawn(last_state(watch)));
    let reading: Vec<_> = reading.collect();
    runtime.block_on(async {
        while events.try_recv() != Ok(Event::Requested) {
            yield_now().await;
        }
    });
    let other = Reader::start(server.watches(&hub, 5..10)).until_waiting();
    wait_for(&events, &Event::Responded);
    server.end_jobs();
    other.all_succeed();
    let (results, received) = mpsc::channel();
    thread::spawn(move || {
        for last in runtime.block_on(join_all(reading)) {
            results.send(last.unwrap()).unwrap();
        }
    });
    for _ in 0..5 {
        assert_eq!(next(&received), "success");
    }
}

#[test]
fn a_runtime_that_is_shut_down_in_the_background_holds_up_no_watch_of_another() {
    for first_request_takes in [HOUR, Duration::ZERO] {
        let (server, events) = Server::new(first_request_takes);
        let hub = Arc::default();
        let first = multi_thread();
        for watch in server.watches(&hub, 0..50) {
            first.spawn(last_state(watch));
        }
        wait_for(&events, &Event::Requested);
        let second = Reader::start(server.watches(&hub, 50..100)).until_waiting();
        first.shutdown_background();
        wait_for(&events, &Event::Responded);
        server.end_jobs();
        second.all_succeed();
    }
}

#[test]
fn watches_go_on_when_the_runtime_that_polled_for_them_ends_while_nobody_waits() {
    for first_request_takes in [HOUR, Duration::ZERO] {
        let (server, events) = Server::new(first_request_takes);
        let hub = Arc::default();
        let mut watches = server.watches(&hub, 0..10);
        let first = current_thread();
        first.block_on(async {
            join_all(watches.iter_mut().map(begin)).await;
        });
        wait_for(&events, &Event::Requested);
        drop(first);
        server.end_jobs();
        Reader::start(watches).all_succeed();
    }
}

#[test]
fn a_watch_that_polls_for_itself_goes_on_when_its_runtime_ends() {
    // In the middle of a request, and in the pause after one.
    for first_request_takes in [HOUR, Duration::ZERO] {
        let (server, events) = Server::new(first_request_takes);
        let hub = Arc::default();
        let mut watch = server.watch(&hub, 0);
        let first = current_thread();
        first.block_on(async {
            if first_request_takes.is_zero() {
                watch.try_next().await.unwrap();
                assert!(watch.try_next().now_or_never().is_none());
            } else {
                begin(&mut watch).await;
            }
        });
        wait_for(&events, &Event::Requested);
        drop(first);
        server.end_jobs();
        Reader::start(vec![watch]).all_succeed();
        assert_eq!((server.in_flight(), Arc::strong_count(&hub)), (0, 1));
    }
}

#[test]
fn a_watch_that_is_created_on_a_runtime_that_has_ended_works_on_another() {
    let (server, _events) = Server::new(Duration::ZERO);
    let hub = Arc::default();
    let watches = current_thread().block_on(async { server.watches(&hub, 0..5) });
    server.end_jobs();
    Reader::start(watches).all_succeed();
}

#[test]
fn watches_on_runtimes_that_come_and_go_miss_nothing() {
    let (server, events) = Server::new(Duration::ZERO);
    let hub = Arc::default();
    let lasting = Reader::start(server.watches(&hub, 0..20)).until_waiting();
    for first_job in [20, 40, 60, 80, 100] {
        let passing = OtherRuntime::start(server.watches(&hub, first_job..first_job + 20));
        wait_for(&events, &Event::Responded);
        drop(passing.stop());
    }
    server.end_jobs();
    lasting.all_succeed();
}

#[test]
fn a_runtime_that_ends_with_the_last_watches_leaves_no_request_and_new_watches_work() {
    let (server, events) = Server::new(HOUR);
    let hub = Arc::default();
    let first = OtherRuntime::start(server.watches(&hub, 0..5));
    wait_for(&events, &Event::Requested);
    drop(first.stop());
    assert_eq!((server.in_flight(), Arc::strong_count(&hub)), (0, 1));
    server.end_jobs();
    Reader::start(server.watches(&hub, 0..5)).all_succeed();
}
