//! A server that keeps jobs and tells of them in strange ways, with every byte under control.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};
use sqlflow_client::job::Settling;
use sqlflow_client::retry::Backoff;
use sqlflow_client::{Client, ClientBuilder};

use crate::raw_server::{Connection, RawServer, head};
use crate::sent::SentRequest;

/// The ways in which a server is strange.
#[derive(Clone)]
pub(crate) struct Settings {
    /// The response to the first submission, as a whole. Without it, the connection is closed after the request.
    pub(crate) first_response: Option<fn(&Job) -> String>,
    /// The name that the list shows.
    pub(crate) listed_name: fn(&str) -> Value,
    /// The time after a submission in which the server does not know the job.
    pub(crate) lag: Duration,
    /// The response for a job that the server does not know, as a whole.
    pub(crate) unknown: fn() -> String,
    /// The entry of a job in the list and, alone, as its state.
    pub(crate) entry: fn(&Job) -> (String, String),
    /// The response to a request for the list, if it is not the list, by the number of requests before.
    pub(crate) list: fn(usize) -> List,
}

/// The response to a request for the list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum List {
    Jobs,
    Response(String),
    /// Silence until the client gives up.
    None,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            first_response: Some(Job::response),
            listed_name: |name| name.into(),
            lag: Duration::ZERO,
            unknown: || ok(&json!({"code": 200, "data": {"total": 0, "jobDetails": []}})),
            entry: |job| (job.json().to_string(), job.json().to_string()),
            list: |_| List::Jobs,
        }
    }
}

/// A job of the server.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) id: String,
    /// The name as it was submitted.
    pub(crate) name: String,
    pub(crate) listed_name: Value,
    vendor: String,
    files: Vec<String>,
    created: SystemTime,
    since: Instant,
}

impl Job {
    pub(crate) fn json(&self) -> Value {
        json!({"jobId": self.id, "jobName": self.listed_name, "dbVendor": self.vendor, "fileNames": self.files,
            "createTime": humantime::format_rfc3339_seconds(self.created).to_string().replace('T', " ").replace('Z', ""),
            "status": "success"})
    }

    pub(crate) fn response(&self) -> String {
        ok(&json!({"code": 200, "data": {"jobId": self.id, "jobName": self.name, "status": "create"}}))
    }
}

/// Returns a complete response with HTTP 200.
pub(crate) fn ok(body: &Value) -> String {
    with_body(&body.to_string())
}

fn with_body(body: &str) -> String {
    format!("{}{body}", head(body.len()))
}

/// Returns a complete response with a status and an empty body.
pub(crate) fn status(line: &str) -> String {
    format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n")
}

pub(crate) struct StrangeServer {
    server: RawServer,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    settings: Mutex<Settings>,
    jobs: Mutex<Vec<Job>>,
    lists: Mutex<usize>,
}

impl StrangeServer {
    pub(crate) async fn start(settings: Settings) -> io::Result<Self> {
        let state = Arc::new(State { settings: Mutex::new(settings), ..State::default() });
        let shared = Arc::clone(&state);
        let server = RawServer::start(move |connection| handle(connection, Arc::clone(&shared))).await?;
        Ok(Self { server, state })
    }

    /// Behaves in another way from now on.
    pub(crate) fn become_another(&self, settings: Settings) {
        *locked(&self.state.settings) = settings;
    }

    pub(crate) fn jobs(&self) -> Vec<Job> {
        locked(&self.state.jobs).clone()
    }

    /// Returns the number of requests for the list.
    pub(crate) fn lists(&self) -> usize {
        *locked(&self.state.lists)
    }

    /// Adds a job of somebody else.
    pub(crate) fn add(&self, listed_name: Value) {
        let mut jobs = locked(&self.state.jobs);
        let id = format!("other{}", jobs.len());
        jobs.push(Job {
            id,
            name: "other".to_owned(),
            listed_name,
            vendor: "dbvoracle".to_owned(),
            files: vec!["z.sql".to_owned()],
            created: SystemTime::now(),
            since: Instant::now(),
        });
    }

    /// Returns the builder of a client whose settling window is long enough for a loaded machine.
    pub(crate) fn builder(&self) -> ClientBuilder {
        let settling = Settling::new().window(Duration::from_secs(2)).max_lookups(3);
        self.server.builder().settling(settling).retry(Backoff::new().base_delay(Duration::from_millis(1)))
    }

    pub(crate) fn client(&self) -> Client {
        self.builder().build().expect("a client of a raw server")
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test panics in here")
}

async fn handle(mut connection: Connection, state: Arc<State>) -> io::Result<()> {
    loop {
        let request = connection.next_request().await?;
        let settings = locked(&state.settings).clone();
        let response = match request.path().rsplit('/').next() {
            Some("submitUserJob") => {
                let (job, is_first) = state.submit(&request, &settings);
                match settings.first_response {
                    Some(first) if is_first => Some(first(&job)),
                    None if is_first => return Ok(()),
                    _ => Some(job.response()),
                }
            }
            Some("displayUserJobsSummary") => state.list(&settings),
            Some("displayUserJobSummary") => {
                let id = request.field("jobId").unwrap_or_default();
                Some(state.known(&settings).find(|job| job.id == id).map_or_else(settings.unknown, |job| {
                    with_body(&format!(r#"{{"code": 200, "data": {}}}"#, (settings.entry)(&job).1))
                }))
            }
            _ => Some(ok(&json!({"code": 200, "data": null}))),
        };
        match response {
            Some(response) => connection.send(response).await?,
            None => return connection.hold().await,
        }
    }
}

impl State {
    fn submit(&self, request: &SentRequest, settings: &Settings) -> (Job, bool) {
        let (fields, files) = (request.fields(), request.files());
        let field = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let name = field("jobName").unwrap_or_default();
        let mut jobs = locked(&self.jobs);
        let number = jobs.iter().filter(|job| job.id.starts_with('j')).count();
        let job = Job {
            id: format!("j{number}"),
            listed_name: (settings.listed_name)(&name),
            name,
            vendor: field("dbvendor").unwrap_or_default(),
            files: files.into_iter().filter_map(|file| file.file_name).collect(),
            created: SystemTime::now(),
            since: Instant::now(),
        };
        jobs.push(job.clone());
        (job, number == 0)
    }

    fn known(&self, settings: &Settings) -> impl Iterator<Item = Job> + use<> {
        let lag = settings.lag;
        let jobs = locked(&self.jobs).clone();
        jobs.into_iter().filter(move |job| job.since.elapsed() >= lag)
    }

    fn list(&self, settings: &Settings) -> Option<String> {
        let mut lists = locked(&self.lists);
        *lists += 1;
        match (settings.list)(*lists - 1) {
            List::None => None,
            List::Response(response) => Some(response),
            List::Jobs => {
                let entries: Vec<_> = self.known(settings).map(|job| (settings.entry)(&job).0).collect();
                let (count, entries) = (entries.len(), entries.join(","));
                Some(with_body(&format!(r#"{{"code": 200, "data": {{"total": {count}, "jobDetails": [{entries}]}}}}"#)))
            }
        }
    }
}
