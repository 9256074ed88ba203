//! `sqlflow job`: showing and changing jobs.

use std::io::{self, IsTerminal as _, Write as _};

use clap::{Args, Subcommand};
use futures_util::stream::{self, StreamExt as _};
use serde::Serialize;
use sqlflow_client::job::JobInfo;
use sqlflow_client::{Client, Error, Job, JobId};

use super::jobs::{FilterArguments, JobObject, JobsObject, or_unread};
use super::wait::worst;
use crate::arguments::{JobIdsArguments, JsonArguments, ServerArguments};
use crate::connect::Connection;
use crate::exit::{Exit, Failure, Outcome, exit_for};
use crate::messages::Messages;
use crate::output::Output;
use crate::output::lineage::one_line;
use crate::progress::Progress;

const DELETE_EXAMPLES: &str = "\
Examples:
  sqlflow job delete 6fa5c6c4d3f24ac68bb0a5b2cbb1ea3e
  sqlflow job delete --older-than 30d --status success --dry-run
  sqlflow job delete --older-than 30d --status success --yes";

/// The number of jobs that are changed at a time.
const AT_ONCE: usize = 4;

/// Show, delete, rerun or prioritize jobs
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show everything that the server says about jobs
    Show(JobIdsArguments),
    /// Delete jobs and their results
    #[command(after_help = DELETE_EXAMPLES)]
    Delete(ChangeArguments),
    /// Run jobs again
    Rerun(ChangeArguments),
    /// Put jobs at the top of the list
    Top(TopArguments),
}

/// The jobs to change.
#[derive(Debug, Args)]
pub(crate) struct ChangeArguments {
    /// Ids of the jobs; without them, those that the filters select
    #[arg(value_name = "JOB")]
    jobs: Vec<String>,
    #[command(flatten)]
    filter: FilterArguments,
    /// Do not ask for confirmation
    #[arg(short, long)]
    yes: bool,
    /// Only print the jobs that would be changed
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    json: JsonArguments,
    #[command(flatten)]
    server: ServerArguments,
}

#[derive(Debug, Args)]
pub(crate) struct TopArguments {
    /// Take the jobs from the top again
    #[arg(long)]
    off: bool,
    #[command(flatten)]
    change: ChangeArguments,
}

/// A change of jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Delete,
    Rerun,
    OnTop(bool),
}

impl Change {
    /// Returns the verb and its participle.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Delete => ("delete", "deleted"),
            Self::Rerun => ("rerun", "started again"),
            Self::OnTop(true) => ("put on top", "on top"),
            Self::OnTop(false) => ("take from the top", "not on top"),
        }
    }

    async fn apply(self, job: &Job) -> Result<(), Error> {
        match self {
            Self::Delete => job.delete().await,
            Self::Rerun => job.rerun().await,
            Self::OnTop(on_top) => job.set_on_top(on_top).await,
        }
    }
}

/// The outcome for one job.
#[derive(Debug, Serialize)]
pub(crate) struct ChangedJob {
    pub(crate) job: String,
    /// `false` if it was only planned, or failed.
    pub(crate) done: bool,
    pub(crate) error: Option<String>,
    #[serde(skip)]
    pub(crate) exit: Exit,
}

/// The result of a change as one JSON object.
#[derive(Debug, Serialize)]
pub(crate) struct ChangedJobs<'a> {
    pub(crate) dry_run: bool,
    pub(crate) jobs: &'a [ChangedJob],
}

/// # Errors
/// The jobs cannot be selected, or nothing is confirmed. A job that cannot be changed is a part of the result.
pub(crate) async fn run(command: Command, messages: &Messages) -> Outcome {
    match command {
        Command::Show(arguments) => show(arguments, messages).await,
        Command::Delete(arguments) => change(Change::Delete, arguments, messages).await,
        Command::Rerun(arguments) => change(Change::Rerun, arguments, messages).await,
        Command::Top(arguments) => change(Change::OnTop(!arguments.off), arguments.change, messages).await,
    }
}

async fn show(arguments: JobIdsArguments, messages: &Messages) -> Outcome {
    let connection = Connection::open(&arguments.server, messages).await?;
    let mut output = Output::stdout();
    let (mut all, mut exit) = (Vec::new(), Exit::Done);
    for id in &arguments.jobs {
        let info = match connection.client.job(JobId::new(id)).info().await {
            Ok(info) => info,
            Err(error) => {
                messages.error(&error);
                exit = worst([exit, exit_for(error.kind())].into_iter());
                continue;
            }
        };
        if arguments.json.json {
            all.push(JobObject::from(&info));
        } else if arguments.json.jsonl {
            output.json_line(&JobObject::from(&info))?;
        } else {
            describe(&info, &mut output)?;
        }
    }
    if arguments.json.json {
        output.json(&JobsObject { jobs: all, unread: 0 })?;
    }
    output.finish()?;
    Ok(exit)
}

fn describe(info: &JobInfo, output: &mut Output) -> io::Result<()> {
    let object = JobObject::from(info);
    let text = serde_json::to_value(&object).unwrap_or_default();
    for (key, value) in text.as_object().into_iter().flatten() {
        let value = match value {
            serde_json::Value::Null => continue,
            serde_json::Value::String(text) => one_line(text),
            serde_json::Value::Array(items) => {
                items.iter().filter_map(serde_json::Value::as_str).collect::<Vec<_>>().join(", ")
            }
            other => other.to_string(),
        };
        writeln!(output, "{:<15} {value}", key.replace('_', " "))?;
    }
    writeln!(output)
}

/// Changes the jobs that are named or selected.
async fn change(change: Change, arguments: ChangeArguments, messages: &Messages) -> Outcome {
    if arguments.jobs.is_empty() && arguments.filter.is_empty() {
        return Err(
            Failure::usage("no job is given").help("give ids, or select jobs by --status, --name, --older-than")
        );
    }
    if !arguments.jobs.is_empty() && !arguments.filter.is_empty() {
        return Err(Failure::usage("ids and filters cannot be used together"));
    }
    let connection = Connection::open(&arguments.server, messages).await?;
    let is_selected = arguments.jobs.is_empty();
    let mut unread = 0;
    let jobs: Vec<(JobId, Option<String>)> = if is_selected {
        let found = arguments.filter.jobs(&connection, messages).await?;
        unread = found.unread;
        found.jobs.into_iter().map(|info| (info.id, info.name)).collect()
    } else {
        arguments.jobs.iter().map(|id| (JobId::new(id), None)).collect()
    };
    let (verb, _) = change.words();
    if jobs.is_empty() {
        messages.note("no job matches");
    }
    if arguments.dry_run {
        let planned: Vec<_> = jobs.iter().map(|(id, _)| changed(id, false, None)).collect();
        return report(change, &planned, true, arguments.json, messages).map(|exit| or_unread(exit, unread));
    }
    let needs_confirmation = is_selected || change == Change::Delete;
    if needs_confirmation && !arguments.yes && !jobs.is_empty() {
        confirm(verb, &jobs)?;
    }
    let changed = apply(change, &connection.client, &jobs, messages).await;
    report(change, &changed, false, arguments.json, messages).map(|exit| or_unread(exit, unread))
}

fn changed(id: &JobId, done: bool, error: Option<&Error>) -> ChangedJob {
    let exit = error.map_or(Exit::Done, |error| exit_for(error.kind()));
    ChangedJob { job: id.to_string(), done, error: error.map(ToString::to_string), exit }
}

async fn apply(
    change: Change,
    client: &Client,
    jobs: &[(JobId, Option<String>)],
    messages: &Messages,
) -> Vec<ChangedJob> {
    let progress = Progress::of(messages, jobs.len() as u64, change.words().1);
    let one = |(id, _): &(JobId, Option<String>)| {
        let (job, progress) = (client.job(id.clone()), &progress);
        async move {
            let outcome = change.apply(&job).await;
            progress.advance();
            changed(job.id(), outcome.is_ok(), outcome.err().as_ref())
        }
    };
    let futures: Vec<_> = jobs.iter().map(one).collect();
    stream::iter(futures).buffered(AT_ONCE).collect().await
}

/// Asks for confirmation on the terminal.
///
/// # Errors
/// The answer is no, or nobody is there to answer.
fn confirm(verb: &str, jobs: &[(JobId, Option<String>)]) -> Outcome<()> {
    let count = if jobs.len() == 1 { "1 job".to_owned() } else { format!("{} jobs", jobs.len()) };
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Failure::usage(format!("to {verb} {count} needs a confirmation"))
            .help("pass --yes, or --dry-run to see the jobs"));
    }
    let mut stderr = io::stderr().lock();
    for (id, name) in jobs.iter().take(10) {
        writeln!(stderr, "  {id}  {}", name.as_ref().map(one_line).unwrap_or_default())?;
    }
    if jobs.len() > 10 {
        writeln!(stderr, "  and {} more", jobs.len() - 10)?;
    }
    write!(stderr, "{verb} {count}? [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(|error| Failure::io("the terminal", &error))?;
    if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
        Ok(())
    } else {
        Err(Failure::error("nothing was changed"))
    }
}

fn report(change: Change, jobs: &[ChangedJob], dry_run: bool, json: JsonArguments, messages: &Messages) -> Outcome {
    let mut output = Output::stdout();
    if json.json {
        output.json(&ChangedJobs { dry_run, jobs })?;
    } else if json.jsonl {
        output.json_lines(jobs)?;
    } else {
        let (verb, participle) = change.words();
        for job in jobs {
            match &job.error {
                Some(error) => messages.error(error),
                None if messages.is_quiet() => writeln!(output, "{}", job.job)?,
                None if dry_run => writeln!(output, "{}  would {verb}", job.job)?,
                None => writeln!(output, "{}  {participle}", job.job)?,
            }
        }
    }
    output.finish()?;
    Ok(jobs.iter().map(|job| job.exit).find(|exit| *exit != Exit::Done).unwrap_or(Exit::Done))
}
