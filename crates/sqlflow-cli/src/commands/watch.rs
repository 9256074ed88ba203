//! `sqlflow watch`: the states of jobs as they change.

use std::io::Write as _;

use clap::Args;
use futures_util::stream::{self, StreamExt as _};
use serde::Serialize;
use sqlflow_client::job::JobState;
use sqlflow_client::{Error, JobId, JobStatus};

use super::Resumption;
use super::wait::{described, known, worst};
use crate::arguments::JobIdsArguments;
use crate::connect::Connection;
use crate::exit::{Exit, Failure, Outcome, exit_for};
use crate::messages::Messages;
use crate::output::Output;
use crate::progress::Lines;

const EXAMPLES: &str = "\
Examples:
  sqlflow watch 6fa5c6c4d3f24ac68bb0a5b2cbb1ea3e
  sqlflow watch $(sqlflow jobs --status running --quiet) --jsonl";

/// Show the states of jobs as they change, until all have ended
///
/// On a terminal each job has a line that changes. Otherwise each change is a
/// line: the id, the state, and the time since the start.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    jobs: JobIdsArguments,
}

/// A change of the state of a job.
#[derive(Debug, Clone, Serialize)]
struct Change {
    job: String,
    /// The state, or `null` if the job cannot be watched any more.
    status: Option<String>,
    /// `true` for the last change of this job.
    ended: bool,
    seconds: f64,
    error: Option<String>,
}

/// All changes as one JSON object.
#[derive(Debug, Serialize)]
struct Changes {
    changes: Vec<Change>,
}

/// # Errors
/// The client cannot be created, or the output cannot be written.
pub(crate) async fn run(arguments: Arguments, messages: &Messages, resumption: &Resumption) -> Outcome {
    let Arguments { jobs } = arguments;
    let connection = Connection::open(&jobs.server, messages).await?;
    let ids: Vec<JobId> = jobs.jobs.iter().map(JobId::new).collect();
    resumption.jobs(&ids);
    let lines = Lines::start(messages);
    let all: Vec<_> = ids.iter().map(|id| lines.line(id.to_string())).collect();
    let watches = ids
        .iter()
        .enumerate()
        .map(|(at, id)| connection.client.job(id.clone()).watch().map(move |state| (at, state)).boxed());
    let mut changes_of_all = stream::select_all(watches);
    let mut output = Output::stdout();
    let is_text = !jobs.json.json && !jobs.json.jsonl;
    let mut exit = Exit::Done;
    let mut seen = Vec::new();
    while let Some((at, state)) = changes_of_all.next().await {
        let (change, outcome) = described_change(&ids[at], &state);
        exit = worst([exit, outcome].into_iter());
        if let Ok(state) = &state {
            all[at].say(described(&ids[at], state));
        }
        if jobs.json.jsonl {
            output.json_line(&change)?;
        } else if is_text && (!messages.shows_progress() || change.ended) {
            let status = change.status.as_deref().unwrap_or("unknown");
            all[at].suspend(|| match messages.is_quiet() {
                true if change.ended => writeln!(output, "{}", change.job),
                true => Ok(()),
                false => writeln!(output, "{}  {status}  {:.1}s", change.job, change.seconds),
            })?;
            if let Some(error) = &change.error {
                all[at].suspend(|| messages.error(error));
            }
        }
        output.flush()?;
        // A watch whose reader leaves, such as `head`, is over; the jobs go on.
        if output.reader_left() {
            break;
        }
        if jobs.json.json {
            seen.push(change);
        }
    }
    if jobs.json.json {
        output.json(&Changes { changes: seen })?;
    }
    output.finish()?;
    Ok(exit)
}

fn described_change(id: &JobId, state: &Result<JobState, Error>) -> (Change, Exit) {
    match state {
        Ok(state) => {
            let exit = if *state.status() == JobStatus::Failed { Exit::JobFailed } else { Exit::Done };
            let error = match state.poll_error() {
                Some(error) => Some(format!("cannot poll, retrying: {error}")),
                None => state.info().error_message.clone(),
            };
            let change = Change {
                job: id.to_string(),
                status: known(state).map(ToString::to_string),
                ended: state.status().is_final(),
                seconds: state.followed().as_secs_f64(),
                error,
            };
            (change, exit)
        }
        Err(error) => {
            let failure = Failure::from(error.clone());
            let change =
                Change { job: id.to_string(), status: None, ended: true, seconds: 0.0, error: Some(failure.message) };
            (change, exit_for(error.kind()))
        }
    }
}
