//! `sqlflow wait`: blocking until jobs have ended.

use std::io::Write as _;
use std::time::Duration;

use clap::Args;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use serde::Serialize;
use sqlflow_client::job::{FinishedJob, JobState};
use sqlflow_client::{Job, JobId, JobStatus};

use super::Resumption;
use crate::arguments::{JobIdsArguments, duration};
use crate::connect::Connection;
use crate::exit::{Exit, Failure, Outcome};
use crate::messages::Messages;
use crate::output::Output;
use crate::output::lineage::one_line;
use crate::progress::{Lines, Progress};

const EXAMPLES: &str = "\
Examples:
  sqlflow wait 6fa5c6c4d3f24ac68bb0a5b2cbb1ea3e --timeout 2h
  sqlflow jobs --status running --quiet | xargs -r sqlflow wait";

/// Wait until jobs have ended
///
/// Prints the id and the state of each job when it ends. The exit code is that
/// of the first of these that applies: 3 if a job failed, or that of another
/// error; 4 if the time limit passed; 7 if a job succeeded in part only, with
/// --strict; 0.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    jobs: JobIdsArguments,
    /// Stop waiting after this time; the jobs go on
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
    /// Fail with exit code 7 if a job succeeded in part only
    #[arg(long)]
    strict: bool,
}

/// The end of a wait for one job.
#[derive(Debug, Serialize)]
pub(crate) struct EndedJob {
    pub(crate) job: String,
    /// The state of the job, or `null` if it is not known.
    pub(crate) status: Option<String>,
    /// The reason of a failure, or the errors of a partial success.
    pub(crate) error: Option<String>,
    #[serde(skip)]
    pub(crate) exit: Exit,
}

/// # Errors
/// The client cannot be created, or the output cannot be written. Jobs that fail are a part of the result.
pub(crate) async fn run(arguments: Arguments, messages: &Messages, resumption: &Resumption) -> Outcome {
    let connection = Connection::open(&arguments.jobs.server, messages).await?;
    let ids: Vec<JobId> = arguments.jobs.jobs.iter().map(JobId::new).collect();
    resumption.jobs(&ids);
    let lines = Lines::start(messages);
    let mut waits: FuturesUnordered<_> = ids
        .iter()
        .map(|id| {
            let (job, line) = (connection.client.job(id.clone()), lines.line(id.to_string()));
            async move { ended(&job, followed(&job, arguments.timeout, &line, messages).await, arguments.strict) }
        })
        .collect();
    let mut output = Output::stdout();
    let mut all = Vec::new();
    while let Some(ended) = waits.next().await {
        if arguments.jobs.json.jsonl {
            output.json_line(&ended)?;
        } else if !arguments.jobs.json.json {
            let status = ended.status.as_deref().unwrap_or("unknown");
            if messages.is_quiet() {
                writeln!(output, "{}", ended.job)?;
            } else {
                writeln!(output, "{}  {status}", ended.job)?;
            }
            match (&ended.error, ended.exit) {
                (None, _) => {}
                (Some(error), Exit::Done | Exit::Incomplete) => {
                    messages.warning(format_args!("job {}: {error}", ended.job));
                }
                (Some(error), _) => messages.error(error),
            }
        }
        output.flush()?;
        all.push(ended);
    }
    if arguments.jobs.json.json {
        output.json(&EndedJobs { jobs: &all })?;
    }
    output.finish()?;
    Ok(worst(all.iter().map(|ended| ended.exit)))
}

/// The result of the command as one JSON object.
#[derive(Debug, Serialize)]
pub(crate) struct EndedJobs<'a> {
    pub(crate) jobs: &'a [EndedJob],
}

/// Returns the exit code for several jobs: that of a failure before that of a job that still runs.
pub(crate) fn worst(exits: impl Iterator<Item = Exit>) -> Exit {
    let rank = |exit: Exit| match exit {
        Exit::Done => 0,
        Exit::Incomplete => 1,
        Exit::StillRunning => 2,
        _ => 3,
    };
    exits.max_by_key(|exit| rank(*exit)).unwrap_or(Exit::Done)
}

/// Describes the end of a wait.
fn ended(job: &Job, outcome: Result<FinishedJob, Stopped>, strict: bool) -> EndedJob {
    let id = job.id().to_string();
    match outcome {
        Ok(finished) => EndedJob {
            job: id,
            status: Some(finished.info().status.to_string()),
            error: finished.info().error_message.as_ref().map(one_line),
            exit: if strict && finished.is_partial() { Exit::Incomplete } else { Exit::Done },
        },
        Err(Stopped { failure, status }) => EndedJob {
            job: id,
            status: status.map(|status| status.to_string()),
            exit: failure.exit,
            error: Some(failure.message),
        },
    }
}

/// The end of a wait without a result.
struct Stopped {
    failure: Failure,
    /// The last state of the job that was seen.
    status: Option<JobStatus>,
}

/// Waits for a job, and shows its progress.
///
/// # Errors
/// The job failed, or the time limit passed.
pub(crate) async fn follow(job: &Job, timeout: Option<Duration>, messages: &Messages) -> Outcome<FinishedJob> {
    let progress = Progress::start(messages, format!("job {}", job.id()));
    let finished = followed(job, timeout, &progress, messages).await;
    drop(progress);
    finished.map_err(|stopped| stopped.failure)
}

async fn followed(
    job: &Job,
    timeout: Option<Duration>,
    progress: &Progress,
    messages: &Messages,
) -> Result<FinishedJob, Stopped> {
    let mut watch = job.watch();
    let mut last: Option<JobState> = None;
    let watching = async {
        while let Some(state) = watch.try_next().await? {
            progress.say(described(job.id(), &state));
            // Without progress, an outage would look like a job that takes long.
            if state.poll_error().is_some() && !messages.shows_progress() {
                messages.warning(described(job.id(), &state));
            }
            last = Some(state);
        }
        watch.finish().await
    };
    let outcome = match timeout {
        None => Some(watching.await),
        Some(timeout) => tokio::time::timeout(timeout, watching).await.ok(),
    };
    let status = last.as_ref().and_then(known).cloned();
    match (outcome, timeout) {
        (Some(Ok(finished)), _) => Ok(finished),
        (Some(Err(error)), _) => Err(Stopped { failure: error.into(), status }),
        (None, timeout) => {
            let failure = still_running(job.id(), timeout.unwrap_or_default(), last.as_ref());
            Err(Stopped { failure, status })
        }
    }
}

fn still_running(id: &JobId, timeout: Duration, last: Option<&JobState>) -> Failure {
    let timeout = humantime::format_duration(timeout);
    let message = match last {
        Some(state) if known(state).is_some() => {
            format!("job {id} is still running after {timeout} (last seen: {state})")
        }
        Some(state) => match state.poll_error() {
            Some(error) => format!("the state of job {id} is not known after {timeout}: {error}"),
            None => format!("the state of job {id} is not known after {timeout}"),
        },
        None => format!("the state of job {id} is not known after {timeout}: the server has not responded"),
    };
    Failure::new(Exit::StillRunning, message).help(format!("it may go on: sqlflow wait {id}"))
}

/// Returns the status of a job, if a server has told one.
pub(crate) fn known(state: &JobState) -> Option<&JobStatus> {
    Some(state.status()).filter(|status| !status.as_str().is_empty())
}

/// Returns a line about a job.
pub(crate) fn described(id: &JobId, state: &JobState) -> String {
    match state.poll_error() {
        None => format!("job {id}: {}", state.status()),
        Some(error) => format!("job {id}: {}; retrying: {error}", state.status()),
    }
}
