//! `sqlflow jobs`: listing and selecting jobs.

use std::cmp::Reverse;
use std::io::Write as _;
use std::time::{Duration, SystemTime};

use clap::{Args, ValueEnum};
use serde::Serialize;
use sqlflow_client::job::JobInfo;
use sqlflow_client::{JobStatus, Vendor};

use crate::arguments::{JsonArguments, ServerArguments, dialect, dialect_name, duration};
use crate::connect::Connection;
use crate::exit::{Exit, Failure, Outcome};
use crate::messages::Messages;
use crate::output::lineage::one_line;
use crate::output::{Output, Table};
use crate::progress::Progress;

const EXAMPLES: &str = "\
Examples:
  sqlflow jobs --status fail --newer-than 1d
  sqlflow jobs --name 'nightly*' --sort duration --reverse --limit 10
  sqlflow jobs --status running --quiet | xargs -r sqlflow watch";

/// List jobs
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    filter: FilterArguments,
    /// Order of the list
    #[arg(long, value_name = "KEY", default_value = "created")]
    sort: SortKey,
    /// Reverse the order
    #[arg(long)]
    reverse: bool,
    /// List at most this many jobs
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    #[command(flatten)]
    json: JsonArguments,
    #[command(flatten)]
    server: ServerArguments,
}

/// The jobs that are meant.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Filters")]
pub(crate) struct FilterArguments {
    /// Jobs in one of these states: create, process (or running),
    /// success, partial_success, fail, delete
    #[arg(long, value_name = "STATES", value_delimiter = ',', value_parser = status)]
    status: Vec<JobStatus>,
    /// Jobs whose name matches a pattern with * and ?
    #[arg(long, value_name = "PATTERN")]
    name: Option<String>,
    /// Jobs whose SQL has this dialect
    #[arg(long, value_name = "DIALECT", value_parser = dialect)]
    vendor: Option<Vendor>,
    /// Jobs submitted longer ago than this, such as 7d
    #[arg(long, value_name = "TIME", value_parser = duration)]
    older_than: Option<Duration>,
    /// Jobs submitted within this time, such as 12h
    #[arg(long, value_name = "TIME", value_parser = duration)]
    newer_than: Option<Duration>,
}

/// Reads the state of a job, in the words of this command or those of the API.
fn status(text: &str) -> Result<JobStatus, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "created" => Ok(JobStatus::Created),
        "failed" => Ok(JobStatus::Failed),
        "deleted" => Ok(JobStatus::Deleted),
        "partial" => Ok(JobStatus::PartialSuccess),
        word => match JobStatus::from(word) {
            JobStatus::Other(_) => Err("use create, process, success, partial_success, fail or delete".into()),
            known => Ok(known),
        },
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SortKey {
    /// The time of the submission, the latest first
    Created,
    /// The name
    Name,
    /// The state
    Status,
    /// The duration of the last run, the shortest first
    Duration,
}

impl FilterArguments {
    /// Returns `true` if nothing is filtered.
    pub(crate) fn is_empty(&self) -> bool {
        self.status.is_empty()
            && self.name.is_none()
            && self.vendor.is_none()
            && self.older_than.is_none()
            && self.newer_than.is_none()
    }

    /// Requests the jobs that match.
    ///
    /// # Errors
    /// Those of the list.
    pub(crate) async fn jobs(&self, connection: &Connection, messages: &Messages) -> Outcome<FoundJobs> {
        let mut list = connection.client.jobs();
        if !self.status.is_empty() {
            list = list.status(self.status.clone());
        }
        if let Some(pattern) = &self.name {
            list = list.name_matching(pattern);
        }
        if let Some(vendor) = &self.vendor {
            list = list.vendor(vendor.clone());
        }
        let now = SystemTime::now();
        let ago = |time: Duration| {
            now.checked_sub(time)
                .ok_or_else(|| Failure::usage(format!("{} is too long ago", humantime::format_duration(time))))
        };
        let (before, after) = (self.older_than.map(ago).transpose()?, self.newer_than.map(ago).transpose()?);
        let progress = Progress::start(messages, "listing jobs");
        let jobs = list.send().await;
        drop(progress);
        let jobs = jobs?;
        for warning in &jobs.warnings {
            messages.warning(warning);
        }
        let mut found = FoundJobs { jobs: jobs.jobs, unread: jobs.unread.len() };
        if found.unread > 0 {
            messages.error(format_args!("{} jobs of the list cannot be read and are left out", found.unread));
        }
        if before.is_none() && after.is_none() {
            return Ok(found);
        }
        if connection.settings.server_time_zone.is_none() && connection.emulator.is_none() {
            messages.note("ages are computed as if the times of the server were UTC: see --server-time-zone");
        }
        // The time of a job that cannot be read is neither old nor new.
        let without_time = found.jobs.iter().filter(|job| job.created_at().is_none()).count();
        if without_time > 0 {
            messages.error(format_args!("the age of {without_time} jobs cannot be read, and they are left out"));
            found.unread += without_time;
        }
        found.jobs.retain(|job| {
            job.created_at().is_some_and(|created| {
                before.is_none_or(|before| created < before) && after.is_none_or(|after| created >= after)
            })
        });
        Ok(found)
    }
}

/// The jobs that a filter selects.
#[derive(Debug)]
pub(crate) struct FoundJobs {
    pub(crate) jobs: Vec<JobInfo>,
    /// The number of jobs of which the server told too little to decide.
    pub(crate) unread: usize,
}

/// Returns the exit code of a command that could not decide about some jobs.
pub(crate) fn or_unread(exit: Exit, unread: usize) -> Exit {
    if exit == Exit::Done && unread > 0 { Exit::Error } else { exit }
}

/// A job as JSON.
#[derive(Debug, Serialize)]
pub(crate) struct JobObject {
    pub(crate) job: String,
    name: Option<String>,
    status: String,
    vendor: Option<String>,
    /// The time of the submission in UTC, if the server gives a time that can be read.
    created: Option<String>,
    last_run: Option<String>,
    duration_ms: Option<i64>,
    files: Vec<String>,
    error: Option<String>,
    user: Option<String>,
    relation_types: Option<String>,
    on_top: Option<bool>,
    persistent: Option<bool>,
    scheduled: Option<bool>,
}

impl From<&JobInfo> for JobObject {
    fn from(info: &JobInfo) -> Self {
        let time = |time: Option<SystemTime>| time.map(|time| humantime::format_rfc3339_seconds(time).to_string());
        Self {
            job: info.id.to_string(),
            name: info.name.clone(),
            status: info.status.to_string(),
            vendor: info.db_vendor.as_ref().map(|vendor| dialect_name(vendor).to_owned()),
            created: time(info.created_at()),
            last_run: time(info.last_executed_at()),
            duration_ms: info.execute_time_millis,
            files: info.file_names.clone(),
            error: info.error_message.clone(),
            user: info.user_email.clone().or_else(|| info.user_id.clone()),
            relation_types: info.show_relation_type.clone(),
            on_top: info.on_top,
            persistent: info.persist,
            scheduled: info.schedulable,
        }
    }
}

/// Jobs as one JSON object.
#[derive(Debug, Serialize)]
pub(crate) struct JobsObject {
    pub(crate) jobs: Vec<JobObject>,
    /// The number of jobs that are left out because the server told too little of them.
    pub(crate) unread: usize,
}

/// # Errors
/// Those of the list and of the output.
pub(crate) async fn run(arguments: Arguments, messages: &Messages) -> Outcome {
    let connection = Connection::open(&arguments.server, messages).await?;
    let FoundJobs { mut jobs, unread } = arguments.filter.jobs(&connection, messages).await?;
    match arguments.sort {
        SortKey::Created => jobs.sort_by_key(|job| Reverse(job.created_at())),
        SortKey::Name => jobs.sort_by(|one, other| one.name.cmp(&other.name)),
        SortKey::Status => jobs.sort_by_key(|job| job.status.to_string()),
        SortKey::Duration => jobs.sort_by_key(|job| job.execute_time_millis),
    }
    if arguments.reverse {
        jobs.reverse();
    }
    let left_out = arguments.limit.map_or(0, |limit| jobs.len().saturating_sub(limit));
    jobs.truncate(jobs.len() - left_out);
    write(&jobs, unread, arguments.json, messages)?;
    if left_out > 0 {
        messages.note(format_args!("{left_out} more jobs are left out by --limit"));
    }
    Ok(or_unread(Exit::Done, unread))
}

/// Writes a list of jobs.
///
/// # Errors
/// The output cannot be written.
pub(crate) fn write(jobs: &[JobInfo], unread: usize, json: JsonArguments, messages: &Messages) -> Outcome<()> {
    let mut output = Output::stdout();
    if json.json {
        output.json(&JobsObject { jobs: jobs.iter().map(JobObject::from).collect(), unread })?;
    } else if json.jsonl {
        output.json_lines(jobs.iter().map(JobObject::from))?;
    } else if messages.is_quiet() {
        for job in jobs {
            writeln!(output, "{}", job.id)?;
        }
    } else if jobs.is_empty() {
        messages.note("no job matches");
    } else {
        let mut table = Table::new(["JOB", "NAME", "STATUS", "DIALECT", "SUBMITTED", "TOOK"]).keep_first();
        for job in jobs {
            table.row([
                job.id.to_string(),
                job.name.as_ref().map(one_line).unwrap_or_default(),
                job.status.to_string(),
                job.db_vendor.as_ref().map_or("", dialect_name).to_owned(),
                job.created_at().map(ago).or_else(|| job.create_time.clone()).unwrap_or_default(),
                job.execute_time_millis.map(took).unwrap_or_default(),
            ]);
        }
        write!(output, "{table}")?;
    }
    output.finish()
}

/// Returns the time since `time` in its largest unit: `5m ago`.
fn ago(time: SystemTime) -> String {
    let Ok(since) = SystemTime::now().duration_since(time) else { return "just now".to_owned() };
    let seconds = since.as_secs();
    match seconds {
        0 => "just now".to_owned(),
        1..60 => format!("{seconds}s ago"),
        60..3600 => format!("{}m ago", seconds / 60),
        3600..86_400 => format!("{}h ago", seconds / 3600),
        _ => format!("{}d ago", seconds / 86_400),
    }
}

/// Returns a number of milliseconds in the units of people: `1.5s`, `2m 3s`.
fn took(milliseconds: i64) -> String {
    let Ok(milliseconds) = u64::try_from(milliseconds) else { return String::new() };
    match milliseconds {
        0..1000 => format!("{milliseconds}ms"),
        1000..60_000 => format!("{}.{}s", milliseconds / 1000, milliseconds % 1000 / 100),
        _ => humantime::format_duration(Duration::from_secs(milliseconds / 1000)).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_named_in_the_words_of_people_and_of_the_api() {
        for (word, state) in [
            ("running", JobStatus::Running),
            ("process", JobStatus::Running),
            ("failed", JobStatus::Failed),
            ("FAIL", JobStatus::Failed),
            ("create", JobStatus::Created),
            ("partial_success", JobStatus::PartialSuccess),
        ] {
            assert_eq!(status(word), Ok(state), "{word}");
        }
        assert!(status("done").is_err());
    }

    #[test]
    fn durations_are_humane() {
        assert_eq!([took(20), took(1540), took(125_000)], ["20ms", "1.5s", "2m 5s"]);
        assert_eq!(ago(SystemTime::now() - Duration::from_secs(3 * 86_400 + 7)), "3d ago");
    }
}
