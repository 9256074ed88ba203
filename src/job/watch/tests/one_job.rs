//! Tests of a watch that polls its own job.

use std::collections::HashSet;
use std::sync::Mutex;

use serde_json::json;

use super::super::*;
use super::known;

/// A server with one job, and the function that responds to a poll.
struct Server<F>(Arc<F>);

impl<F> Clone for Server<F> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<F, A> JobSource for Server<F>
where
    F: Fn() -> A + Send + Sync + 'static,
    A: Future<Output = Result<JobInfo>> + Send,
{
    async fn job(&self, _: &JobId) -> Result<JobInfo> {
        (self.0)().await
    }

    async fn list(&self, _: &HashSet<JobId>) -> Result<ListedJobs> {
        panic!("one job is polled without a list")
    }
}

fn follow<F, A>(respond: F, submitted: Option<JobInfo>, polling: Polling) -> StateStream
where
    F: Fn() -> A + Send + Sync + 'static,
    A: Future<Output = Result<JobInfo>> + Send,
{
    StateStream::new(Server(Arc::new(respond)), Arc::default(), known(JobId::new("1"), submitted), polling)
}

fn info(status: &str) -> JobInfo {
    serde_json::from_value(json!({"jobId": "1", "status": status})).unwrap()
}

fn lost() -> Result<JobInfo> {
    Err(Error::new(ErrorKind::Interrupted, "lost"))
}

/// Watches a job whose polls have these results, the last of them for ever. Returns the times of the polls too.
fn watch(results: Vec<Result<JobInfo>>, polling: Polling) -> (StateStream, Arc<Mutex<Vec<Instant>>>) {
    let polled = Arc::new(Mutex::new(Vec::new()));
    let times = Arc::clone(&polled);
    let respond = move || {
        let mut times = times.lock().unwrap();
        let result = results[times.len().min(results.len() - 1)].clone();
        times.push(Instant::now());
        async { result }
    };
    (follow(respond, None, polling), polled)
}

async fn seen(mut watch: StateStream) -> Vec<String> {
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
    let states = ["create", "create", "process", "process", "odd", "success"];
    let (watch, polled) = watch(states.iter().map(|status| Ok(info(status))).collect(), Polling::default());
    let start = Instant::now();
    assert_eq!(seen(watch).await, ["create", "process", "odd", "success"]);
    let polled = polled.lock().unwrap();
    assert_eq!(polled[0], start);
    assert_eq!(polled.len(), states.len());
}

#[tokio::test(start_paused = true)]
async fn a_job_is_polled_soon_and_then_more_and_more_rarely() {
    let mut results = vec![Ok(info("process")); 200];
    results.push(Ok(info("success")));
    let (watch, polled) = watch(results, Polling::default().jitter(0.0));
    seen(watch).await;
    let polled = polled.lock().unwrap();
    let pauses: Vec<_> = polled.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(pauses[0], Duration::from_millis(200));
    assert!(pauses.is_sorted());
    assert_eq!(pauses.last(), Some(&Duration::from_secs(15)));
}

#[tokio::test(start_paused = true)]
async fn a_lost_response_is_reported_and_does_not_end_the_watch() {
    let results = vec![Ok(info("process")), lost(), lost(), Ok(info("process")), Ok(info("success"))];
    let (watch, _) = watch(results, Polling::default());
    assert_eq!(seen(watch).await, ["process", "process (not confirmed: lost)", "process", "success"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_is_polled_again() {
    let polled = Mutex::new(0);
    let respond = move || {
        let mut polled = polled.lock().unwrap();
        *polled += 1;
        let nth = *polled;
        async move {
            match nth {
                1 => Ok(info("process")),
                2 => std::future::pending().await,
                _ => Ok(info("success")),
            }
        }
    };
    let hung = follow(respond, Some(info("create")), Polling::default());
    let unconfirmed = "process (not confirmed: the server did not send the state of the job within 60s)";
    assert_eq!(seen(hung).await, ["process", unconfirmed, "success"]);
}

#[tokio::test(start_paused = true)]
async fn an_outage_that_lasts_too_long_ends_the_watch() {
    let (watch, polled) = watch(vec![Ok(info("process")), lost()], Polling::default());
    let seen = seen(watch).await;
    assert_eq!(seen, ["process", "process (not confirmed: lost)", "error: lost"]);
    let polled = polled.lock().unwrap();
    let outage = *polled.last().unwrap() - polled[1];
    assert!((300..330).contains(&outage.as_secs()), "{outage:?}");
}

#[tokio::test(start_paused = true)]
async fn an_error_that_a_retry_cannot_help_ends_the_watch_at_once() {
    let refused = Err(Error::new(ErrorKind::Authentication, "no"));
    let (watch, polled) = watch(vec![Ok(info("process")), refused], Polling::default());
    assert_eq!(seen(watch).await, ["process", "error: no"]);
    assert_eq!(polled.lock().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_was_never_reached_ends_the_watch_soon() {
    let unreachable = Err(Error::new(ErrorKind::Connect, "nobody there"));
    let (watch, polled) = watch(vec![unreachable], Polling::default());
    assert_eq!(seen(watch).await, ["unknown (not confirmed: nobody there)", "error: nobody there"]);
    let polled = polled.lock().unwrap();
    assert!(*polled.last().unwrap() - polled[0] < Duration::from_secs(20), "{polled:?}");
}

#[tokio::test(start_paused = true)]
async fn a_page_that_stands_in_for_the_server_for_a_while_does_not_end_the_watch() {
    let page = Err(Error::new(ErrorKind::Protocol, "a page"));
    let (watch, _) = watch(vec![Ok(info("process")), page.clone(), page, Ok(info("success"))], Polling::default());
    assert_eq!(seen(watch).await, ["process", "process (not confirmed: a page)", "success"]);
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_the_server_asks_for_is_kept() {
    let busy = Err(Error::new(ErrorKind::Busy, "later").with_retry_after(Some(Duration::from_secs(40))));
    let (watch, polled) = watch(vec![Ok(info("process")), busy, Ok(info("success"))], Polling::default());
    assert_eq!(seen(watch).await, ["process", "process (not confirmed: later)", "success"]);
    let polled = polled.lock().unwrap();
    assert_eq!(polled[2] - polled[1], Duration::from_secs(40));
}

#[tokio::test(start_paused = true)]
async fn a_watch_of_an_attached_job_survives_a_lost_first_response() {
    let (watch, _) = watch(vec![lost(), Ok(info("process")), Ok(info("success"))], Polling::default());
    assert_eq!(seen(watch).await, ["unknown (not confirmed: lost)", "process", "success"]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_of_a_submitted_job_survives_a_lost_first_response() {
    let results = Mutex::new(vec![Ok(info("success")), lost()]);
    let respond = move || {
        let result = results.lock().unwrap().pop().unwrap();
        async { result }
    };
    let watch = follow(respond, Some(info("create")), Polling::default());
    assert_eq!(seen(watch).await, ["create (not confirmed: lost)", "success"]);
}
