//! Waiting for the end of a job.

use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::export::{ExportFullLineageAsCsv, ExportFullLineageAsJson, ExportLineageAsGraphml, ExportLineageAsJson};
use super::files::{ExportDatabaseMetadata, ExportMetadata};
use super::queries::{DownstreamGraph, LeftMostSources, UpstreamGraph};
use super::watch::within;
use super::{Job, JobId, JobInfo, JobState, JobStatus, Polling};
use crate::lineage::Lineage;
use crate::{Error, ErrorKind, Result};

/// A wait for the end of a job, from [`Job::wait`].
///
/// Await it. Dropping it does not affect the job.
///
/// ```no_run
/// # async fn example(job: sqlflow_client::Job) -> sqlflow_client::Result<()> {
/// use std::time::Duration;
///
/// use sqlflow_client::ErrorKind;
///
/// match job.wait().deadline(Duration::from_secs(3600)).await {
///     Ok(finished) => println!("finished: {}", finished.info().status),
///     Err(error) if error.kind() == ErrorKind::Deadline => println!("still running"),
///     Err(error) => return Err(error),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a wait begins when it is awaited"]
pub struct Wait {
    job: Job,
    polling: Polling,
    deadline: Option<Duration>,
}

/// The default deadline: long enough for the SQL of a data warehouse, and short enough that a stuck script is noticed
/// on the next day.
pub(super) const DEADLINE: Duration = Duration::from_secs(24 * 60 * 60);

impl Wait {
    pub(super) fn new(job: Job) -> Self {
        let polling = job.service().polling();
        Self { job, polling, deadline: Some(DEADLINE) }
    }

    /// Sets the deadline for the whole wait, whatever happens in the meantime. The default is 24 hours.
    ///
    /// When it passes, the error is [`Deadline`](ErrorKind::Deadline). The job still runs, and
    /// [`Error::job_id`](crate::Error::job_id) is the id to attach to it again.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Waits without a deadline, for as long as the job can be polled: see [`Polling::max_outage`].
    pub fn without_deadline(mut self) -> Self {
        self.deadline = None;
        self
    }

    /// Sets the polling intervals of this wait, instead of those of the client.
    pub fn polling(mut self, polling: Polling) -> Self {
        self.polling = polling;
        self
    }

    /// Waits. This is the same as to await it, as a future that can be spawned, or joined with others:
    ///
    /// ```no_run
    /// # async fn example(jobs: Vec<sqlflow_client::Job>) -> sqlflow_client::Result<()> {
    /// use futures_util::future::try_join_all;
    ///
    /// let finished = try_join_all(jobs.iter().map(|job| job.wait().send())).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The errors of [`Job::wait`].
    pub async fn send(self) -> Result<FinishedJob> {
        // Boxed, because the future is large.
        self.run().boxed().await
    }

    async fn run(self) -> Result<FinishedJob> {
        self.polling.check()?;
        let Some(deadline) = self.deadline else { return finish(self.job, self.polling, &mut None).await };
        let id = self.job.id().clone();
        let mut last = None;
        let ended = within(deadline, finish(self.job, self.polling, &mut last)).await;
        ended.unwrap_or_else(|| Err(deadline_passed(&id, deadline, last.as_ref())))
    }
}

fn deadline_passed(id: &JobId, deadline: Duration, last: Option<&JobState>) -> Error {
    let seen = match last {
        None => "as far as is known: its state could not be polled".to_owned(),
        Some(state) => format!("last seen: {}", state.status()),
    };
    let text = format!("job {id} is still running after {deadline:?} ({seen}); attach to it again with Client::job");
    let error = Error::new(ErrorKind::Deadline, text).with_job(id);
    match last.and_then(JobState::poll_error) {
        Some(poll_error) => error.caused_by(poll_error.clone()),
        None => error,
    }
}

async fn finish(job: Job, polling: Polling, last: &mut Option<JobState>) -> Result<FinishedJob> {
    let mut states = job.states(polling);
    while let Some(state) = states.try_next().await? {
        *last = Some(state);
    }
    states.finish().await
}

impl IntoFuture for Wait {
    type Output = Result<FinishedJob>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        self.run().boxed()
    }
}

/// A job that finished with a complete or partial result.
#[derive(Clone)]
pub struct FinishedJob {
    job: Job,
    info: Arc<JobInfo>,
}

impl FinishedJob {
    /// Creates the result of a job that has ended.
    ///
    /// # Errors
    /// `JobFailed` or `JobNotFound` for a job that ended without a result.
    pub(super) fn new(job: Job, info: Arc<JobInfo>) -> Result<Self> {
        let id = job.id().clone();
        let reason = info.error_message.as_deref().filter(|text| !text.trim().is_empty());
        match info.status {
            JobStatus::Failed => {
                // What was received is without secrets, except for those of a submission that the client has forgotten.
                let reason = job.secrets.excerpt(reason.unwrap_or("the server gave no reason"));
                let text = format!("job {id} failed: {reason}");
                Err(Error::new(ErrorKind::JobFailed, text).with_job(&id))
            }
            JobStatus::Deleted => {
                Err(Error::new(ErrorKind::JobNotFound, format!("job {id} was deleted")).with_job(&id))
            }
            _ => Ok(Self { job: job.described_by(&info), info }),
        }
    }

    /// Returns the id of the job.
    #[must_use]
    pub fn id(&self) -> &JobId {
        self.job.id()
    }

    /// Returns the job, for everything that a [`Job`] can do.
    #[must_use]
    pub fn job(&self) -> &Job {
        &self.job
    }

    /// Returns the job as the server describes it.
    #[must_use]
    pub fn info(&self) -> &JobInfo {
        &self.info
    }

    /// Returns `true` if the server could not analyze part of the SQL; [`warnings`](FinishedJob::warnings) says which.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.info.status == JobStatus::PartialSuccess
    }

    /// Returns the messages of the server about a successful job, one per line.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        let text = self.info.error_message.as_deref().unwrap_or_default();
        let warnings = self.info.warnings.iter().map(String::as_str);
        text.lines().filter(|line| !line.trim().is_empty()).chain(warnings)
    }

    /// Reads the whole lineage: every relationship, or an error. See [`Job::lineage`].
    ///
    /// The relation types are those that the job was submitted with: as this client submitted it, or else as the server
    /// [describes](JobInfo::show_relation_type) it, or else the default of the server, which is `fdd`.
    ///
    /// # Errors
    /// The errors of [`Job::lineage`].
    pub fn lineage(&self) -> impl Future<Output = Result<Lineage>> + Send + use<> {
        self.job.lineage()
    }

    /// Starts an export of the lineage as drawn, which servers may cut, like [`Job::export_lineage_as_json`].
    pub fn export_lineage_as_json(&self) -> ExportLineageAsJson {
        self.job.export_lineage_as_json()
    }

    /// Starts an export of the full lineage as JSON, like [`Job::export_full_lineage_as_json`].
    pub fn export_full_lineage_as_json(&self) -> ExportFullLineageAsJson {
        self.job.export_full_lineage_as_json()
    }

    /// Starts an export of the full lineage as CSV, like [`Job::export_full_lineage_as_csv`].
    pub fn export_full_lineage_as_csv(&self) -> ExportFullLineageAsCsv {
        self.job.export_full_lineage_as_csv()
    }

    /// Starts an export of the lineage as drawn, as GraphML, like [`Job::export_lineage_as_graphml`].
    pub fn export_lineage_as_graphml(&self) -> ExportLineageAsGraphml {
        self.job.export_lineage_as_graphml()
    }

    /// Starts a query for everything that feeds a table, like [`Job::upstream_graph`].
    pub fn upstream_graph(&self, table: impl AsRef<str>) -> UpstreamGraph {
        self.job.upstream_graph(table)
    }

    /// Starts a query for everything that a table feeds, like [`Job::downstream_graph`].
    pub fn downstream_graph(&self, table: impl AsRef<str>) -> DownstreamGraph {
        self.job.downstream_graph(table)
    }

    /// Starts a query for the ultimate sources of a table, like [`Job::left_most_sources`].
    pub fn left_most_sources(&self, table: impl AsRef<str>) -> LeftMostSources {
        self.job.left_most_sources(table)
    }

    /// Starts a download of the metadata, like [`Job::export_metadata`].
    pub fn export_metadata(&self) -> ExportMetadata {
        self.job.export_metadata()
    }

    /// Starts a download of the database metadata that the job read, like [`Job::export_database_metadata`].
    pub fn export_database_metadata(&self) -> ExportDatabaseMetadata {
        self.job.export_database_metadata()
    }
}

impl fmt::Debug for FinishedJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FinishedJob").field("id", self.id()).field("status", &self.info.status).finish_non_exhaustive()
    }
}
