//! `sqlflow schedule`: jobs that run again by a schedule.

use std::io::Write as _;

use clap::{Args, Subcommand};
use sqlflow_client::JobId;

use super::job::{ChangedJob, ChangedJobs};
use super::jobs;
use crate::arguments::{JobIdsArguments, JsonArguments, ServerArguments};
use crate::connect::Connection;
use crate::exit::{Exit, Outcome, exit_for};
use crate::messages::Messages;
use crate::output::Output;

const SET_EXAMPLES: &str = "\
Examples:
  sqlflow schedule set 6fa5c6c4d3f24ac68bb0a5b2cbb1ea3e '0 0 3 * * ?'
  sqlflow schedule set 6fa5c6c4d3f24ac68bb0a5b2cbb1ea3e @daily

An expression has the fields second, minute, hour, day of the month, month, and
day of the week.";

/// List, pause, resume or change schedules
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the jobs that run by a schedule
    List(ListArguments),
    /// Pause the schedules of jobs
    Pause(JobIdsArguments),
    /// Resume the schedules of jobs
    Resume(JobIdsArguments),
    /// Change the schedule of a job
    #[command(after_help = SET_EXAMPLES)]
    Set(SetArguments),
}

#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    json: JsonArguments,
    #[command(flatten)]
    server: ServerArguments,
}

#[derive(Debug, Args)]
pub(crate) struct SetArguments {
    /// Id of the job
    #[arg(value_name = "JOB")]
    job: String,
    /// Cron expression with seconds, or a macro such as @daily
    #[arg(value_name = "EXPRESSION")]
    expression: String,
    #[command(flatten)]
    json: JsonArguments,
    #[command(flatten)]
    server: ServerArguments,
}

/// A change of a schedule.
enum Change {
    Pause,
    Resume,
    Set(String),
}

/// # Errors
/// Those of the list and of the output. A schedule that cannot be changed is a part of the result.
pub(crate) async fn run(command: Command, messages: &Messages) -> Outcome {
    match command {
        Command::List(arguments) => {
            let connection = Connection::open(&arguments.server, messages).await?;
            let list = connection.client.scheduled_jobs().await?;
            for warning in &list.warnings {
                messages.warning(warning);
            }
            if !list.unread.is_empty() {
                messages.error(format_args!("{} jobs of the list cannot be read and are left out", list.unread.len()));
            }
            jobs::write(&list.jobs, list.unread.len(), arguments.json, messages)?;
            Ok(jobs::or_unread(Exit::Done, list.unread.len()))
        }
        Command::Pause(arguments) => {
            change(&Change::Pause, arguments.jobs, arguments.json, &arguments.server, messages).await
        }
        Command::Resume(arguments) => {
            change(&Change::Resume, arguments.jobs, arguments.json, &arguments.server, messages).await
        }
        Command::Set(SetArguments { job, expression, json, server }) => {
            change(&Change::Set(expression), vec![job], json, &server, messages).await
        }
    }
}

async fn change(
    change: &Change,
    ids: Vec<String>,
    json: JsonArguments,
    server: &ServerArguments,
    messages: &Messages,
) -> Outcome {
    let connection = Connection::open(server, messages).await?;
    let mut changed = Vec::new();
    for id in ids {
        let job = connection.client.job(JobId::new(id));
        let outcome = match change {
            Change::Pause => job.pause_schedule().await,
            Change::Resume => job.resume_schedule().await,
            Change::Set(expression) => job.reschedule(expression).await,
        };
        let error = outcome.err();
        changed.push(ChangedJob {
            job: job.id().to_string(),
            done: error.is_none(),
            exit: error.as_ref().map_or(Exit::Done, |error| exit_for(error.kind())),
            error: error.map(|error| error.to_string()),
        });
    }
    let mut output = Output::stdout();
    if json.json {
        output.json(&ChangedJobs { dry_run: false, jobs: &changed })?;
    } else if json.jsonl {
        output.json_lines(&changed)?;
    } else {
        let participle = match change {
            Change::Pause => "paused",
            Change::Resume => "resumed",
            Change::Set(_) => "scheduled",
        };
        for job in &changed {
            match &job.error {
                Some(error) => messages.error(error),
                None if messages.is_quiet() => writeln!(output, "{}", job.job)?,
                None => writeln!(output, "{}  {participle}", job.job)?,
            }
        }
    }
    output.finish()?;
    Ok(changed.iter().map(|job| job.exit).find(|exit| *exit != Exit::Done).unwrap_or(Exit::Done))
}
