//! Waiting for jobs of several ages on a paused clock: the number of requests, and the time until an end is noticed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::server::{envelope, head, state};
use super::{Outcome, sdk};

/// The real time that requests are given after each step of the clock.
const REAL_TIME: Duration = Duration::from_micros(500);
const MIN_STEP: Duration = Duration::from_millis(5);
const MAX_STEP: Duration = Duration::from_millis(500);
/// The part of the time so far by which the clock advances in one step, within these bounds.
const STEP: f64 = 0.002;

/// Waits for this many jobs of each age. Each has a client of its own, so that none is polled together with others.
/// Returns a line of JSON for each age.
pub(crate) fn notice(jobs: &str, ages: &[&str]) -> Outcome {
    let jobs: usize = jobs.parse()?;
    let ages = ages.iter().map(|age| age.parse()).collect::<Result<Vec<u64>, _>>()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?;
    runtime.block_on(async {
        let server = Server { start: Instant::now(), requests: Arc::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        tokio::spawn(server.clone().accept_all(listener));
        let mut waits = Vec::new();
        for &age in &ages {
            for number in 0..jobs {
                let (id, start) = (format!("{age}-{number}"), server.start);
                let wait = sdk(&url)?.job(id.as_str()).wait();
                let ended = async move { wait.await.map(|_| start.elapsed().saturating_sub(Duration::from_secs(age))) };
                waits.push((age, id, tokio::spawn(ended)));
            }
        }
        advance_until(|| waits.iter().all(|(_, _, wait)| wait.is_finished())).await?;
        let mut late: HashMap<u64, Vec<f64>> = HashMap::new();
        let mut requests: HashMap<u64, Vec<usize>> = HashMap::new();
        for (age, id, wait) in waits {
            late.entry(age).or_default().push(wait.await??.as_secs_f64());
            let count = server.requests.lock().expect("nothing panics in here").get(&id).copied().unwrap_or(0);
            requests.entry(age).or_default().push(count);
        }
        let line =
            |age: &u64| serde_json::json!({"age": age, "late": late[age], "requests": requests[age]}).to_string();
        Ok(ages.iter().map(line).collect::<Vec<_>>().join("\n"))
    })
}

/// Advances the clock until something is done, and lets requests happen in between.
///
/// The clock of the runtime would advance by itself while a request is on its way. It does not while a blocking thread
/// works.
async fn advance_until(is_done: impl Fn() -> bool) -> Result<(), tokio::task::JoinError> {
    let (guard, end) = std::sync::mpsc::channel::<()>();
    let holding = tokio::task::spawn_blocking(move || end.recv().is_err());
    let start = Instant::now();
    while !is_done() {
        let step = start.elapsed().mul_f64(STEP).clamp(MIN_STEP, MAX_STEP);
        tokio::time::advance(step).await;
        tokio::task::spawn_blocking(|| std::thread::sleep(REAL_TIME)).await?;
    }
    drop(guard);
    holding.await.map(drop)
}

/// A server whose jobs have the age at which they end in their ids.
#[derive(Clone)]
struct Server {
    start: Instant,
    /// The number of requests for each job.
    requests: Arc<Mutex<HashMap<String, usize>>>,
}

impl Server {
    async fn accept_all(self, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(self.clone().answer_all(stream));
        }
    }

    async fn answer_all(self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let (mut line, mut length) = (String::new(), 0);
            while stream.read_line(&mut line).await? > 2 {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().map_err(std::io::Error::other)?;
                }
                line.clear();
            }
            if line.is_empty() {
                return Ok(());
            }
            let mut form = vec![0; length];
            stream.read_exact(&mut form).await?;
            let id = form_urlencoded::parse(&form).find(|(name, _)| name == "jobId");
            let id = id.map(|(_, id)| id.into_owned()).unwrap_or_default();
            let age: u64 = id.split_once('-').and_then(|(age, _)| age.parse().ok()).unwrap_or(0);
            let has_ended = self.start.elapsed() >= Duration::from_secs(age);
            let body = envelope(&state(&id, if has_ended { "success" } else { "process" }));
            *self.requests.lock().expect("nothing panics in here").entry(id).or_default() += 1;
            stream.write_all(format!("{}{body}", head(body.len() as u64)).as_bytes()).await?;
        }
    }
}
