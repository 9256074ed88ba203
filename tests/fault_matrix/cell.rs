//! One cell: a call with a fault, and its result as the caller and the server saw it.

use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use sqlflow_client::emulator::{Emulator, Fault};
use sqlflow_client::job::{Polling, Settling};
use sqlflow_client::retry::{Attempt, Backoff, RetryPolicy};
use sqlflow_client::{Client, Credentials, Error, ErrorKind, JobId};

use crate::calls::{self, Call, CallOutput, FILE, OLDER, Upload};
use crate::faults::{FaultKind, LONG_UPLOAD, RESPONSE_TIMEOUT, Recurrence};
use crate::promise::{ATTEMPTS, Promise};

/// The result of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallOutcome {
    /// The expected value.
    Ok,
    /// A list without the job.
    Without,
    /// The beginning of the expected value.
    Cut,
    /// A value other than the expected one.
    Garbled,
    Failed(ErrorKind),
}

/// The result of a call and its traces on the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Observation {
    pub(crate) outcome: CallOutcome,
    /// The number of requests for the operation of the call that reached the server.
    pub(crate) requests: usize,
    /// The number of times that the server carried out the operation.
    pub(crate) done: u64,
    /// The number of requests for a token.
    tokens: usize,
    /// The number of requests for the list of jobs.
    lists: usize,
    /// Everything else that must not happen.
    violations: Vec<String>,
}

/// The connections of all measured clients. If each client had its own, it would read the certificates of the platform
/// again, which takes longer than the cell. Since every cell has its own server, the first call still finds no open
/// connection.
static MEASURED: LazyLock<reqwest::Client> = LazyLock::new(connections);
/// The connections for the calls that are not measured.
static UNMEASURED: LazyLock<reqwest::Client> = LazyLock::new(connections);

fn connections() -> reqwest::Client {
    // It fails if the other client has installed it already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    reqwest::Client::new()
}

/// A call with a fault.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell {
    pub(crate) call: Call,
    pub(crate) fault_kind: FaultKind,
    pub(crate) recurrence: Recurrence,
}

impl Cell {
    pub(crate) async fn observe(self) -> Observation {
        let emulator = Arc::new(self.emulator().await);
        let other = Client::builder(emulator.url()).http_client(UNMEASURED.clone()).credentials(self.credentials());
        let other = other.polling(Polling::every(Duration::from_millis(5))).build().expect("a client");
        let job = self.prepared(&other).await;
        let homes = [tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory")];
        let [there, here] = homes.each_ref().map(tempfile::TempDir::path);
        let truth = if self.call.takes_lineage() {
            self.call.make(&other, &job, Upload::small(), there).await.expect("the truth")
        } else {
            CallOutput::Nothing
        };
        if self.call == Call::CsvFile {
            std::fs::write(here.join(FILE), OLDER).expect("a file to replace");
        }
        let upload = match self.fault_kind {
            FaultKind::ResetUpload => Upload::long(LONG_UPLOAD),
            _ => Upload::small(),
        };

        let elsewhere = TcpListener::bind("127.0.0.1:0").expect("a port");
        elsewhere.set_nonblocking(true).expect("not blocking");
        self.inject(&emulator, &elsewhere);
        let before = emulator.requests().len();
        let output = self.call.make(&self.client(&emulator), &job, upload, here).await;
        let done = self.times_done(&emulator).await;
        let requests = emulator.requests().split_off(before);
        let count = |operation| requests.iter().filter(|request| request.operation == Some(operation)).count();
        let mut observation = Observation {
            outcome: self.outcome(&output, &truth, &emulator),
            requests: count(self.call.operation()),
            done,
            tokens: count("generateToken"),
            lists: count("displayUserJobsSummary"),
            violations: Vec::new(),
        };
        if self.call == Call::SetOnTop {
            // The emulator does not record this, so it has to be queried.
            emulator.clear_faults();
            let info = other.job(job).info().await;
            observation.done = u64::from(info.is_ok_and(|info| info.on_top == Some(true)));
        }
        let violations = [
            elsewhere.accept().is_ok().then(|| "a request went to another host".to_owned()),
            self.wrong_files(here, &output),
            output.as_ref().err().and_then(|error| wrong_error(self.call, error)),
        ];
        observation.violations.extend(violations.into_iter().flatten());
        observation
    }

    async fn emulator(self) -> Emulator {
        let running = match self.call {
            Call::Wait => Duration::from_millis(100),
            // The test needs a job that has not ended.
            Call::FindJob | Call::Jobs | Call::Info | Call::SetOnTop => Duration::from_secs(3600),
            _ => Duration::from_millis(1),
        };
        let builder = Emulator::builder().time_in_create(Duration::from_millis(1)).time_in_process(running);
        let builder = match self.fault_kind {
            FaultKind::LoseAnswerLag => builder.lag(Duration::from_millis(100)),
            FaultKind::LoseAnswerCutName => builder.max_job_name_length(60),
            FaultKind::LoseAnswerDropName => builder.max_job_name_length(0),
            _ => builder,
        };
        builder.gzip(self.fault_kind == FaultKind::Gzip).start().await.expect("an emulator")
    }

    /// Returns credentials. If connections are refused, requesting a token would fail before the call itself.
    fn credentials(self) -> Credentials {
        if self.needs_no_token() { Credentials::on_premise() } else { Credentials::secret_key("ann", "any key") }
    }

    fn needs_no_token(self) -> bool {
        self.fault_kind == FaultKind::Refuse && self.call != Call::Token
    }

    /// Makes the job that exists before the call, if the call needs one.
    async fn prepared(self, client: &Client) -> JobId {
        if !self.call.needs_a_job() {
            return JobId::new("none");
        }
        let job = calls::prepare(client).await.expect("a job");
        if self.call.needs_an_ended_job() {
            job.wait().await.expect("a job that ends");
        }
        job.id().clone()
    }

    fn inject(self, emulator: &Emulator, elsewhere: &TcpListener) {
        let elsewhere = format!("http://{}/", elsewhere.local_addr().expect("an address"));
        let fault = match (self.fault_kind, self.call, self.recurrence) {
            // A wait consults no retry policy, which would otherwise end the fault.
            (FaultKind::Refuse, Call::Wait, Recurrence::Once) => Some(Fault::refuse(Duration::from_millis(30))),
            _ => self.fault_kind.fault(&elsewhere),
        };
        let Some(fault) = fault else { return };
        let fault = fault.on(self.call.operation());
        emulator.inject(if self.recurrence == Recurrence::Once { fault.times(1) } else { fault });
    }

    /// Creates a client that has sent nothing yet and retries quickly. Timeouts are short only in cells that need them
    /// to expire: in all others, a slow machine must not make them expire.
    fn client(self, emulator: &Arc<Emulator>) -> Client {
        let polling = Polling::every(Duration::from_millis(5)).max_outage(Duration::from_millis(400));
        let window = Duration::from_millis(if self.fault_kind == FaultKind::Late { 3000 } else { 2000 });
        let builder = Client::builder(emulator.url())
            .credentials(self.credentials())
            .polling(polling)
            .settling(Settling::new().window(window).max_lookups(3));
        let backoff = Backoff::new().max_attempts(ATTEMPTS).base_delay(Duration::from_millis(1));
        let backoff = backoff.max_delay(Duration::from_millis(5)).max_retry_after(Duration::from_secs(10));
        let builder = match (self.fault_kind, self.recurrence) {
            (FaultKind::Refuse, Recurrence::Once) => builder.retry(RestoringPolicy(Arc::clone(emulator))),
            _ => builder.retry(backoff),
        };
        let builder = match self.fault_kind {
            // Only the client's own HTTP client decides about redirects.
            FaultKind::Redirect => builder,
            _ => builder.http_client(MEASURED.clone()),
        };
        let builder = match self.fault_kind {
            FaultKind::Silence => builder.response_timeout(RESPONSE_TIMEOUT),
            FaultKind::Stall(_) => builder.stall_timeout(Duration::from_millis(200)),
            _ => builder,
        };
        builder.build().expect("a client")
    }

    /// Returns the number of times that the server carried out the operation.
    async fn times_done(self, emulator: &Emulator) -> u64 {
        let times = || {
            let jobs = emulator.jobs();
            match self.call {
                Call::BatchOf | Call::Rerun => jobs.first().map_or(0, |job| job.runs - 1),
                Call::Delete => 1 - jobs.len() as u64,
                call if call.makes_a_job() => jobs.len() as u64,
                _ => 0,
            }
        };
        if self.fault_kind == FaultKind::Late && self.call.changes() {
            for _ in 0..100 {
                if times() > 0 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            // A second execution may still be under way.
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
        times()
    }

    fn outcome(self, output: &Result<CallOutput, Error>, truth: &CallOutput, emulator: &Emulator) -> CallOutcome {
        match (output, truth) {
            (Err(error), _) => CallOutcome::Failed(error.kind()),
            (Ok(CallOutput::Job(id)), _) if !emulator.jobs().iter().any(|job| job.id == id.as_str()) => {
                CallOutcome::Garbled
            }
            (Ok(CallOutput::Listed(false)), _) => CallOutcome::Without,
            (Ok(CallOutput::Lineage(output)), CallOutput::Lineage(truth)) if output != truth => CallOutcome::Garbled,
            (Ok(CallOutput::Bytes(output)), CallOutput::Bytes(truth)) => {
                // A response that decompresses to more than expected ends with spaces.
                let output = if self.fault_kind == FaultKind::SmallBomb { output.trim_ascii_end() } else { output };
                let truth = if self.fault_kind == FaultKind::SmallBomb { truth.trim_ascii_end() } else { truth };
                match (output == truth, truth.starts_with(output)) {
                    (true, _) => CallOutcome::Ok,
                    (false, true) => CallOutcome::Cut,
                    (false, false) => CallOutcome::Garbled,
                }
            }
            _ => CallOutcome::Ok,
        }
    }

    /// Checks that the file is complete or unchanged, and that no other file is left.
    fn wrong_files(self, home: &Path, output: &Result<CallOutput, Error>) -> Option<String> {
        let entries = std::fs::read_dir(home).expect("a directory");
        let names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name()).collect();
        let expected = match self.call {
            Call::CsvFile => 1,
            Call::FullJsonFile => usize::from(output.is_ok()),
            _ => 0,
        };
        if names.len() != expected || names.iter().any(|name| name != FILE) {
            return Some(format!("{names:?} are left"));
        }
        let is_old = expected == 1 && std::fs::read(home.join(FILE)).expect("a file") == OLDER.as_bytes();
        let should_be = self.call == Call::CsvFile && output.is_err();
        (is_old != should_be).then(|| format!("the file that was there was {}kept", if is_old { "" } else { "not " }))
    }

    /// Returns the number of tokens that the client should request: one, and another if the first is refused.
    fn tokens_promised(self, requests: usize) -> usize {
        match (self.call, self.fault_kind) {
            (Call::Token, _) => requests,
            _ if self.needs_no_token() => 0,
            (_, FaultKind::ExpireToken) => 2,
            _ => 1,
        }
    }

    /// Returns a description of the broken promise, if it was broken.
    pub(crate) fn broken(self, promise: Promise, observed: &Observation) -> Option<String> {
        let asks_lists = matches!(self.call, Call::FindJob | Call::Jobs | Call::Token);
        let kept = observed.outcome == promise.outcome
            && promise.requests.is_none_or(|requests| requests as usize == observed.requests)
            && observed.done == u64::from(promise.done && self.call.changes())
            && observed.tokens == self.tokens_promised(observed.requests)
            && (asks_lists || promise.settled == (observed.lists > 0))
            && observed.violations.is_empty();
        let Self { call, fault_kind, recurrence } = self;
        (!kept).then(|| {
            format!("{call:?} × {fault_kind:?} {recurrence:?}:\n  promised {promise:?}\n  observed {observed:?}")
        })
    }
}

/// Checks that an error reports the number of attempts and, if the outcome of a submission is unknown, the name to look
/// for. A batch that was to be added to a job has no name of its own.
fn wrong_error(call: Call, error: &Error) -> Option<String> {
    if error.attempts() > ATTEMPTS {
        return Some(format!("it tells of {} attempts", error.attempts()));
    }
    let is_unknown = error.kind() == ErrorKind::SubmitUnknown && call != Call::BatchOf;
    (is_unknown != error.job_name().is_some()).then(|| format!("it names the job {:?}", error.job_name()))
}

/// A retry policy that makes the server accept connections after the first failure.
#[derive(Debug)]
struct RestoringPolicy(Arc<Emulator>);

impl RetryPolicy for RestoringPolicy {
    fn pause(&self, failed: &Attempt<'_>) -> Option<Duration> {
        self.0.clear_faults();
        (failed.number() < ATTEMPTS).then_some(Duration::from_millis(1))
    }
}
