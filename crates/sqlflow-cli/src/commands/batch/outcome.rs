//! The outcomes of the jobs of a batch: as lines, as JSON, and as an exit code.

use std::path::{Path, PathBuf};

use serde::Serialize;
use sqlflow_client::job::BatchOutcome;
use sqlflow_client::{Client, ErrorKind, JobStatus, Lineage, Vendor};

use super::exit_for;
use super::manifest::PlannedJob;
use super::shard::Shard;
use crate::arguments::dialect_name;
use crate::exit::{Exit, Failure};
use crate::output::lineage::one_line;
use crate::output::report;

/// The width of the column with the keys, unless a key is longer.
pub(super) const MAX_KEY_WIDTH: usize = 32;

/// The width of the longest state, `done before`.
const STATE_WIDTH: usize = 11;

/// The state of a job at the end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum JobState {
    Done,
    DoneBefore,
    Failed,
    /// A job failed, and no further one was started.
    NotStarted,
    /// It would run, without `--dry-run`.
    Planned,
}

/// The outcome of a job, which is also a line of `--jsonl`.
#[derive(Debug, Serialize)]
pub(super) struct JobOutcome {
    pub(super) key: String,
    pub(super) state: JobState,
    /// The id of the job, if there is one.
    job: Option<String>,
    /// The name of the job on the server, if one was chosen.
    name: Option<String>,
    files: Vec<String>,
    pub(super) error: Option<String>,
    /// The reasons why the result is less than the whole.
    pub(super) limits: Vec<String>,
    /// The dialect and the paths of a job that is planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    vendor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paths: Option<Vec<String>>,
    /// An earlier run had already reached this outcome.
    #[serde(skip)]
    pub(super) was_before: bool,
    #[serde(skip)]
    pub(super) exit: Exit,
}

impl JobOutcome {
    fn new(key: String, state: JobState) -> Self {
        Self {
            key,
            state,
            job: None,
            name: None,
            files: Vec::new(),
            error: None,
            limits: Vec::new(),
            vendor: None,
            paths: None,
            was_before: false,
            exit: Exit::Done,
        }
    }

    pub(super) fn of(outcome: &BatchOutcome) -> Self {
        let state = match (outcome.error(), outcome.was_done_before()) {
            (Some(_), _) => JobState::Failed,
            (None, true) => JobState::DoneBefore,
            (None, false) => JobState::Done,
        };
        Self {
            job: outcome.job_id().map(ToString::to_string),
            name: outcome.name().map(str::to_owned),
            files: outcome.files().iter().map(|file| file.display().to_string()).collect(),
            error: outcome.error().map(one_line),
            was_before: outcome.was_done_before(),
            exit: outcome.error().map_or(Exit::Done, |error| match error.kind() {
                // The manifest was read by then, so the fault is in the SQL of one job.
                ErrorKind::InvalidInput => Exit::Error,
                kind => exit_for(kind),
            }),
            ..Self::new(outcome.key().to_owned(), state)
        }
    }

    pub(super) fn not_started(key: String) -> Self {
        Self::new(key, JobState::NotStarted)
    }

    pub(super) fn planned(job: &PlannedJob, vendor: &Vendor) -> Self {
        Self {
            vendor: Some(dialect_name(vendor).to_owned()),
            paths: Some(job.paths.iter().map(|path| path.display().to_string()).collect()),
            ..Self::new(job.key.clone(), JobState::Planned)
        }
    }

    /// Adds a directory that was written after the job had ended.
    pub(super) fn add_file(&mut self, path: &Path) {
        self.files.push(path.display().to_string());
    }

    /// Makes this the outcome of a job whose tables cannot be written.
    pub(super) fn fail(&mut self, failure: &Failure) {
        self.state = JobState::Failed;
        self.error = Some(match &failure.help {
            Some(help) => one_line(&format_args!("{failure} ({help})")),
            None => one_line(failure),
        });
        self.exit = failure.exit;
        self.was_before = false;
    }

    /// Returns the id of the job, if there is one.
    pub(super) fn id(&self) -> Option<&str> {
        self.job.as_deref()
    }

    /// Returns the line for people: the key, the state, and the files.
    pub(super) fn line(&self, width: usize) -> String {
        let state = match self.state {
            JobState::Done => "done",
            JobState::DoneBefore => "done before",
            JobState::Failed => "failed",
            JobState::NotStarted => "not started",
            JobState::Planned => "planned",
        };
        let files = self.files.join("  ");
        format!("{:width$}  {state:STATE_WIDTH$}  {files}", self.key).trim_end().to_owned()
    }
}

/// The result of the command as one JSON object.
#[derive(Debug, Serialize)]
pub(super) struct BatchReport {
    /// `null` for the journal of an emulator, which is not kept.
    journal: Option<String>,
    shard: Option<String>,
    total: usize,
    done: usize,
    failed: usize,
    pub(super) jobs: Vec<JobOutcome>,
}

impl BatchReport {
    pub(super) fn new(journal: Option<&PathBuf>, shard: Option<Shard>, jobs: Vec<JobOutcome>) -> Self {
        let count = |states: &[JobState]| jobs.iter().filter(|job| states.contains(&job.state)).count();
        Self {
            journal: journal.map(|journal| journal.display().to_string()),
            shard: shard.map(|shard| shard.to_string()),
            total: jobs.len(),
            done: count(&[JobState::Done, JobState::DoneBefore]),
            failed: count(&[JobState::Failed]),
            jobs,
        }
    }

    /// Returns a sentence about how many jobs ended in which way.
    pub(super) fn summary(&self) -> String {
        let states = [
            (JobState::Done, "done"),
            (JobState::DoneBefore, "done before"),
            (JobState::Failed, "failed"),
            (JobState::NotStarted, "not started"),
        ];
        if self.total == 0 {
            return "no jobs".to_owned();
        }
        let counts = states.into_iter().filter_map(|(state, text)| {
            let count = self.jobs.iter().filter(|job| job.state == state).count();
            (count > 0).then(|| format!("{count} {text}"))
        });
        let noun = if self.total == 1 { "job" } else { "jobs" };
        format!("{} {noun}: {}", self.total, counts.collect::<Vec<_>>().join(", "))
    }
}

/// Returns the exit code for all jobs: that of failed jobs, else that of the first error, else that of results that are
/// not whole.
pub(super) fn exit(ended: &[JobOutcome]) -> Exit {
    let failures = || ended.iter().filter(|job| job.state == JobState::Failed);
    if failures().any(|job| job.exit == Exit::JobFailed) {
        return Exit::JobFailed;
    }
    let incomplete = ended.iter().find(|job| job.exit == Exit::Incomplete);
    failures().next().or(incomplete).map_or(Exit::Done, |job| job.exit)
}

/// The facts about a job that were learned while its tables were written.
pub(super) struct KnownResult {
    pub(super) lineage: Lineage,
    /// The reason why the job is less than the whole, by its state.
    pub(super) limit: Option<String>,
}

/// Returns the reason why the result of a job is less than the whole, by its state. Asks the server for it.
pub(super) async fn limit_of_state(client: &Client, outcome: &BatchOutcome) -> Option<String> {
    match client.job(outcome.job_id()?.clone()).info().await {
        Ok(info) if info.status == JobStatus::PartialSuccess => {
            let errors = info.error_message.as_ref().map(one_line).unwrap_or_default();
            Some(format!("the job succeeded in part only: {errors}"))
        }
        Ok(_) => None,
        Err(error) => Some(format!("the state of the job is not known: {error}")),
    }
}

/// Returns the reasons why the result of a job is less than the whole. The lineage of a job without JSON is requested only
/// if `strict`, unless it is known already.
pub(super) async fn limits(
    client: &Client,
    outcome: &BatchOutcome,
    known: Option<&KnownResult>,
    strict: bool,
) -> Vec<String> {
    let mut limits: Vec<_> = match known {
        Some(known) => known.limit.clone().into_iter().collect(),
        None => limit_of_state(client, outcome).await.into_iter().collect(),
    };
    let documents = outcome.files().iter().filter(|file| file.extension().is_some_and(|extension| extension == "json"));
    let mut is_read = false;
    for file in documents {
        is_read = true;
        match Lineage::reader().read_path(file) {
            Ok(lineage) => limits.extend(losses(&lineage).map(|loss| format!("{}: {loss}", file.display()))),
            Err(error) => limits.push(error.to_string()),
        }
    }
    if let (Some(known), false) = (known, is_read) {
        is_read = true;
        limits.extend(losses(&known.lineage));
    }
    // CSV and GraphML do not say what they lack.
    if let (true, false, Some(id)) = (strict, is_read, outcome.job_id()) {
        match client.job(id.clone()).lineage().await {
            Ok(lineage) => limits.extend(losses(&lineage)),
            Err(error) => limits.push(format!("the lineage of the job cannot be checked: {error}")),
        }
    }
    limits
}

/// Returns sentences about what a lineage lacks.
fn losses(lineage: &Lineage) -> impl Iterator<Item = String> {
    let unresolved = lineage.unresolved().count();
    let unresolved = (unresolved > 0).then(|| format!("{unresolved} endpoints of relationships could not be followed"));
    let cut = report::cut(lineage).map(str::to_owned);
    report::sql_errors(lineage).map(|error| one_line(&error)).chain(cut).chain(unresolved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_in_the_sql_are_losses_and_hints_are_not() {
        let lineage = serde_json::json!({"dbobjs": [], "relationships": [], "errors": [
            {"errorMessage": "no such table", "errorType": "AnalyzeError"},
            {"errorMessage": "a hint", "errorType": "SyntaxHint"},
        ]});
        let lineage: Lineage = lineage.to_string().parse().unwrap();
        assert_eq!(losses(&lineage).collect::<Vec<_>>(), ["AnalyzeError: no such table"]);
    }
}
