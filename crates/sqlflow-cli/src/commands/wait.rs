//! `sqlflow wait`: blocking until jobs have ended.

use std::io::Write as _;
use std::time::Duration;

use clap::Args;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use serde::Serialize;
use sqlflow_client::job::{FinishedJob, JobState};
use sqlflow_client::{Error, Job, JobId, JobStatus};

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
  sqlflow jobs --status running --quiet | xargs sqlflow wait";

/// Wait until jobs have ended
///
/// Prints the id and the state of each job when it ends. The exit code is that
/// of the first of these that applies: 3 if a job failed, 4 if the time limit
/// passed, 0.
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
            async move { ended(&job, followed(&job, arguments.timeout, &line).await, arguments.strict) }
        })
        .collect();
    let mut output = Output::stdout();
    let mut all = Vec::new();
    while let Some(ended) = waits.next().await {
        if arguments.jobs.json.jsonl {
            output.json_line(&ended)?;
        } else if !arguments.jobs.json.json {
            let status = ended.status.as_deref().unwrap_or("unknown");
            writeln!(output, "{}  {status}", ended.job)?;
            if let Some(error) = &ended.error {
                messages.error(error);
            }
        }
        output.flush()?;
        all.push(ended);
    }
    if arguments.jobs.json.json {
        output.json(&EndedJobs { jobs: &all })?;
    }
    output.finish()?;
    Ok(worst(&all))
}

/// The result of the command as one JSON object.
#[derive(Debug, Serialize)]
pub(crate) struct EndedJobs<'a> {
    pub(crate) jobs: &'a [EndedJob],
}

/// Returns the exit code for several jobs: that of a failure before that of a job that still runs.
pub(crate) fn worst(ended: &[EndedJob]) -> Exit {
    let rank = |exit: Exit| match exit {
        Exit::Done => 0,
        Exit::Incomplete => 1,
        Exit::StillRunning => 2,
        _ => 3,
    };
    ended.iter().map(|ended| ended.exit).max_by_key(|exit| rank(*exit)).unwrap_or(Exit::Done)
}

/// Describes the end of a wait.
fn ended(job: &Job, outcome: Outcome<FinishedJob>, strict: bool) -> EndedJob {
    let id = job.id().to_string();
    match outcome {
        Ok(finished) => EndedJob {
            job: id,
            status: Some(finished.info().status.to_string()),
            error: finished.info().error_message.as_ref().map(one_line),
            exit: if strict && finished.is_partial() { Exit::Incomplete } else { Exit::Done },
        },
        Err(failure) => EndedJob {
            job: id,
            status: match failure.exit {
                Exit::JobFailed => Some(JobStatus::Failed.to_string()),
                Exit::StillRunning => Some(JobStatus::Running.to_string()),
                _ => None,
            },
            exit: failure.exit,
            error: Some(failure.message),
        },
    }
}

/// Waits for a job, and shows its progress.
///
/// # Errors
/// The job failed, or the time limit passed.
pub(crate) async fn follow(job: &Job, timeout: Option<Duration>, messages: &Messages) -> Outcome<FinishedJob> {
    let progress = Progress::start(messages, format!("job {}", job.id()));
    let finished = followed(job, timeout, &progress).await;
    drop(progress);
    finished
}

async fn followed(job: &Job, timeout: Option<Duration>, progress: &Progress) -> Outcome<FinishedJob> {
    let mut states = job.watch();
    let mut last = None;
    let watching = async {
        while let Some(state) = states.try_next().await? {
            progress.say(described(job.id(), &state));
            last = Some(state);
        }
        Ok::<(), Error>(())
    };
    let in_time = match timeout {
        None => watching.await.map(|()| true)?,
        Some(timeout) => match tokio::time::timeout(timeout, watching).await {
            Ok(ended) => ended.map(|()| true)?,
            Err(_) => false,
        },
    };
    match timeout {
        Some(timeout) if !in_time => Err(still_running(job.id(), timeout, last.as_ref())),
        _ => Ok(states.finish().await?),
    }
}

fn still_running(id: &JobId, timeout: Duration, last: Option<&JobState>) -> Failure {
    let seen = last.map_or_else(|| "its state could not be polled".to_owned(), |state| format!("last seen: {state}"));
    let timeout = humantime::format_duration(timeout);
    Failure::new(Exit::StillRunning, format!("job {id} is still running after {timeout} ({seen})"))
        .help(format!("it goes on: sqlflow wait {id}"))
}

/// Returns a line about a job.
pub(crate) fn described(id: &JobId, state: &JobState) -> String {
    match state.poll_error() {
        None => format!("job {id}: {}", state.status()),
        Some(error) => format!("job {id}: {}; retrying: {error}", state.status()),
    }
}
