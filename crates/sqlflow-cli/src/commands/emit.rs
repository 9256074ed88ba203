//! `sqlflow emit`: lineage as OpenLineage events, sent to a data catalog.

mod endpoint;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use sqlflow_client::lineage::OpenLineage;
use sqlflow_client::{JobId, Lineage};
use uuid::Uuid;

use self::endpoint::{Endpoint, EndpointArguments, variable};
use super::Resumption;
use super::export::{ended, partial, whole_lineage};
use super::inspect::{is_pattern, is_stdin, read};
use crate::arguments::{JsonArguments, OutputArguments, ServerArguments};
use crate::connect::Connection;
use crate::exit::{Exit, Failure, Outcome};
use crate::messages::Messages;
use crate::output::Output;
use crate::output::lineage::{LineageResult, strictness};
use crate::progress::Progress;
use crate::settings::Settings;

const EXAMPLES: &str = "\
Examples:
  sqlflow emit lineage.json --url http://localhost:5000 --job-name nightly
  sqlflow emit JOB --url https://marquez.example.com --api-key-file key
  sqlflow emit lineage.json --dry-run --namespace postgres://db:5432 | jq .
  sqlflow emit lineage.json --url http://datahub-gms:8080 \\
      --endpoint openapi/openlineage/api/v1/lineage

An API key is read from OPENLINEAGE_API_KEY, a file or a command.";

/// Send lineage to an OpenLineage endpoint
///
/// Sends the run events of a lineage file, or of a job on the server, to
/// Marquez, DataHub or another data catalog: one POST for each event, in order.
/// It stops at the first event that is refused. To send again is harmless if
/// the id of the run is the same, as it is by default for a job.
///
/// --proxy, --no-proxy and --ca-file are for the endpoint too. The other server
/// flags are for a JOB.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[allow(clippy::doc_markdown, reason = "these comments are the text of the help")]
pub(crate) struct Arguments {
    /// Lineage file, directory, pattern or `-`; else the id of a job
    #[arg(value_name = "FILE|JOB")]
    source: PathBuf,
    #[command(flatten)]
    endpoint: EndpointArguments,
    #[command(flatten)]
    events: EventArguments,
    /// Print the events, one on each line, and send nothing
    #[arg(long, help_heading = "Output", conflicts_with_all = ["json", "jsonl"])]
    dry_run: bool,
    #[command(flatten)]
    output: OutputArguments,
    #[command(flatten)]
    json: JsonArguments,
    /// Send nothing, and fail with exit code 7, if the lineage is not
    /// whole
    #[arg(long, help_heading = "Output")]
    strict: bool,
    #[command(flatten)]
    server: ServerArguments,
}

/// The content of the events.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Events")]
#[allow(clippy::doc_markdown, reason = "these comments are the text of the help")]
struct EventArguments {
    /// Namespace of all datasets [default: by vendor and server]
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// Name of the job in the catalog [default: sqlflow-JOB]
    #[arg(long, value_name = "NAME")]
    job_name: Option<String>,
    /// Namespace of the job [default: sqlflow]
    /// [env: OPENLINEAGE_NAMESPACE]
    #[arg(long, value_name = "NAME")]
    job_namespace: Option<String>,
    /// Id of the run, a UUID [default: of the job, else random]
    #[arg(long, value_name = "UUID")]
    run_id: Option<String>,
    /// URI of the program that made the events
    #[arg(long, value_name = "URI")]
    producer: Option<String>,
    /// One event for each statement and each table that it writes
    #[arg(long, conflicts_with = "one_event")]
    per_process: bool,
    /// One event for everything, instead of one for each table
    #[arg(long)]
    one_event: bool,
}

impl EventArguments {
    /// Creates the events of a lineage.
    ///
    /// # Errors
    /// A variable that is not Unicode.
    fn events<'a>(&self, lineage: &'a Lineage, job: Option<&str>, run_id: &str) -> Outcome<OpenLineage<'a>> {
        let mut events = lineage.openlineage().run_id(run_id);
        if let Some(namespace) = &self.namespace {
            events = events.namespace(namespace);
        }
        if let Some(name) = self.job_name.clone().or_else(|| Some(format!("sqlflow-{}", job?))) {
            events = events.job_name(name);
        }
        let job_namespace = match &self.job_namespace {
            Some(namespace) => Some(namespace.clone()),
            None => variable("OPENLINEAGE_NAMESPACE")?,
        };
        if let Some(namespace) = job_namespace {
            events = events.job_namespace(namespace);
        }
        if let Some(uri) = &self.producer {
            events = events.producer(uri);
        }
        Ok(match (self.per_process, self.one_event) {
            (true, _) => events.per_process(),
            (_, true) => events.as_one_event(),
            _ => events,
        })
    }
}

/// The result as one JSON object.
#[derive(Debug, Serialize)]
struct EmitObject<'a> {
    endpoint: &'a str,
    run_id: &'a str,
    /// The number of events of the lineage.
    events: usize,
    sent: usize,
    failed: usize,
    /// The number of events after the one that failed.
    unsent: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

/// The result of one event as a line of JSON.
#[derive(Debug, Serialize)]
struct EventLine<'a> {
    /// The number of the event, counted from 1.
    event: usize,
    sent: bool,
    /// The status of the last response, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

/// # Errors
/// A lineage that cannot be read, an endpoint that cannot be reached or refuses an event.
pub(crate) async fn run(arguments: Arguments, messages: &Messages, resumption: &Resumption) -> Outcome {
    let endpoint =
        if arguments.dry_run { None } else { Some(Endpoint::open(&arguments.endpoint, &arguments.server, messages)?) };
    let Source { lineage, job, reasons } = source(&arguments.source, &arguments.server, messages).await?;
    let result = LineageResult { lineage: &lineage, job: job.as_deref(), reasons: &reasons };
    if strictness(result, messages) == Exit::Incomplete && arguments.strict {
        return Err(Failure::new(Exit::Incomplete, "the lineage is not whole, so nothing was sent")
            .help("leave out --strict to send what there is"));
    }
    let run_id = RunId::new(arguments.events.run_id.clone(), job.as_deref());
    let events = arguments.events.events(&lineage, job.as_deref(), run_id.text())?;
    let refused = |error: &std::io::Error| {
        Failure::usage(format!("cannot make the events: {error}"))
            .help("--run-id takes a UUID such as 0197c0de-0000-7000-8000-000000000000, and --producer a URI")
    };
    match endpoint {
        None => {
            events.clone().events().map_err(|error| refused(&error))?;
            let mut output = Output::open(&arguments.output)?;
            events.write(&mut output)?;
            output.finish()?;
            Ok(Exit::Done)
        }
        Some(endpoint) => {
            let total = events.clone().events().map_err(|error| refused(&error))?.count();
            let output = Output::open(&arguments.output)?;
            let sending = Sending { endpoint: &endpoint, run_id: &run_id, total, format: arguments.json };
            let outcome = sending.send(events, output, messages, resumption).await;
            resumption.clear();
            outcome
        }
    }
}

/// The id of a run, and where it comes from.
enum RunId {
    /// From an argument or a job: the next run of this command has the same.
    Kept(String),
    Random(String),
}

impl RunId {
    fn new(given: Option<String>, job: Option<&str>) -> Self {
        // The id of a job is a UUID without hyphens.
        let of_job = || job.filter(|id| id.len() == 32).and_then(|id| Uuid::try_parse(id).ok());
        match given.or_else(|| of_job().map(|id| id.to_string())) {
            Some(id) => Self::Kept(id),
            None => Self::Random(Uuid::new_v4().to_string()),
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Kept(id) | Self::Random(id) => id,
        }
    }
}

/// A lineage to send.
struct Source {
    lineage: Lineage,
    job: Option<String>,
    /// The reasons why it may be less than the whole.
    reasons: Vec<String>,
}

/// Reads a file, or the lineage of a job if there is no such file.
async fn source(source: &Path, server: &ServerArguments, messages: &Messages) -> Outcome<Source> {
    let name = source.to_string_lossy();
    let looks_like_path = name.contains(['/', '\\']) || name.ends_with(".json") || name.ends_with(".json.gz");
    if is_stdin(source) || source.exists() || is_pattern(source) || looks_like_path {
        let lineage = read(&[source.to_owned()], &[])?;
        let job = lineage.job_id().map(str::to_owned);
        return Ok(Source { lineage, job, reasons: Vec::new() });
    }
    if !server.emulator && Settings::collect(server)?.server.is_none() {
        return Err(Failure::usage(format!("there is no file '{name}', and no server to look for a job of this id"))
            .help("check the path; for a job, pass --server URL, set SQLFLOW_URL or choose a --profile"));
    }
    let connection = Connection::open(server, messages).await?;
    let job = connection.client.job(JobId::new(name.into_owned()));
    let finished = ended(&job).await?;
    let reasons = partial(&finished, messages);
    let lineage = whole_lineage(&job, messages).await?;
    Ok(Source { lineage, job: Some(job.id().as_str().to_owned()), reasons })
}

/// The sending of all events of a lineage.
struct Sending<'a> {
    endpoint: &'a Endpoint,
    run_id: &'a RunId,
    total: usize,
    format: JsonArguments,
}

impl Sending<'_> {
    async fn send(
        &self,
        events: OpenLineage<'_>,
        mut output: Output,
        messages: &Messages,
        resumption: &Resumption,
    ) -> Outcome {
        let progress = Progress::of(messages, self.total as u64, "events");
        let mut sent = 0;
        let mut failure = None;
        for event in events.events()? {
            resumption.set(format!("{}: {}", accepted(sent), self.again(sent)));
            let (attempts, outcome) = self.endpoint.post(&event).await;
            if self.format.jsonl {
                let (status, error) = match &outcome {
                    Ok(status) => (Some(*status), None),
                    Err(refusal) => (refusal.status, Some(refusal.failure.message.as_str())),
                };
                output.json_line(&EventLine { event: sent + 1, sent: error.is_none(), status, attempts, error })?;
                // A reader sees each event when it is sent.
                output.flush()?;
            }
            match outcome {
                Ok(_) => sent += 1,
                Err(refusal) => {
                    failure = Some(refusal.failure);
                    break;
                }
            }
            progress.advance();
        }
        drop(progress);
        if self.format.json {
            output.json(&EmitObject {
                endpoint: self.endpoint.shown(),
                run_id: self.run_id.text(),
                events: self.total,
                sent,
                failed: usize::from(failure.is_some()),
                unsent: self.total - sent - usize::from(failure.is_some()),
                error: failure.as_ref().map(|failure| failure.message.as_str()),
            })?;
        }
        if failure.is_none() && !self.format.json && !self.format.jsonl {
            if messages.is_quiet() {
                writeln!(output, "{}", self.run_id.text())?;
            } else {
                let endpoint = self.endpoint.shown();
                writeln!(output, "sent {} to {endpoint}, run {}", counted(sent), self.run_id.text())?;
            }
        }
        output.finish()?;
        match failure {
            None => Ok(Exit::Done),
            Some(failure) => Err(self.stopped(sent, failure)),
        }
    }

    /// Says how far the sending came, and how to go on.
    fn stopped(&self, sent: usize, mut failure: Failure) -> Failure {
        let event = sent + 1;
        failure.message = format!("event {event} of {} was not accepted: {}", self.total, failure.message);
        let reason = failure.help.take().map(|help| format!("{help}; then ")).unwrap_or_default();
        failure.help(format!("{}: {reason}{}", accepted(sent), self.again(sent)))
    }

    /// Says how to send all events again, in the same run.
    fn again(&self, sent: usize) -> String {
        match self.run_id {
            RunId::Random(id) if sent > 0 => format!("run the command again with --run-id {id}"),
            _ => "run the same command again".to_owned(),
        }
    }
}

/// Says how many events were accepted before the sending stopped.
fn accepted(sent: usize) -> String {
    match sent {
        0 => "no event was accepted".to_owned(),
        1 => "1 event was accepted; sending it again is harmless".to_owned(),
        sent => format!("{sent} events were accepted; sending them again is harmless"),
    }
}

fn counted(events: usize) -> String {
    if events == 1 { "1 event".to_owned() } else { format!("{events} events") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_run_of_a_job_has_the_id_of_the_job() {
        let RunId::Kept(id) = RunId::new(None, Some("939FDBBAF52b45139b86c0761d6036b0")) else {
            panic!("the id is random");
        };
        assert_eq!(id, "939fdbba-f52b-4513-9b86-c0761d6036b0");
        assert!(matches!(RunId::new(None, Some("1")), RunId::Random(_)));
        assert!(matches!(RunId::new(None, None), RunId::Random(id) if id.len() == 36));
        assert!(matches!(RunId::new(Some("x".into()), Some("1")), RunId::Kept(id) if id == "x"));
    }
}
