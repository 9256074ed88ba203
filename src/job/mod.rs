//! Jobs: submit SQL, follow the job on the server, and export its lineage.
//!
//! ```no_run
//! # async fn example(sqlflow: sqlflow_client::Client) -> sqlflow_client::Result<()> {
//! use std::time::Duration;
//!
//! use sqlflow_client::{JobId, Vendor};
//!
//! // Submit files, directories, and SQL in memory.
//! let submit = sqlflow.submit(Vendor::Oracle).name("nightly").path("etl/");
//! let job = submit.sql("fix.sql", "insert into t select a from s").await?;
//!
//! // Follow the job. The stream yields the current state at once.
//! let mut states = job.watch();
//! while let Some(state) = states.try_next().await? {
//!     println!("{state}");
//! }
//!
//! // Or attach to it after a restart: an id is a string, and attaching sends nothing.
//! let job = sqlflow.job(JobId::new("c359aef4bd9641d697732422debd8055"));
//! let finished = job.wait().deadline(Duration::from_secs(3600)).await?;
//!
//! // Read the lineage as data.
//! for flow in finished.lineage().await?.column_flows() {
//!     println!("{flow}");
//! }
//!
//! // Write an export to disk in constant memory. The file appears complete or not at all.
//! finished.export_full_lineage_as_csv().to_file("lineage.csv").await?;
//! # Ok(())
//! # }
//! ```
//!
//! # The steps
//!
//! | to | call | which returns |
//! |---|---|---|
//! | submit SQL as a job | [`Client::submit`] | [`Submit`], then [`Job`] |
//! | submit a regular job, which grows by batches and may run on a schedule | [`Client::submit_persist`] | [`SubmitPersist`], then [`Job`] |
//! | find the SQL that affects source tables | [`Client::submit_table_affect`] | [`SubmitTableAffect`], then [`Job`] |
//! | attach to a job by its id | [`Client::job`] | [`Job`] |
//! | find a job by its name, or list all | [`Client::find_job`], [`Client::jobs`] | [`Job`], [`JobList`] |
//! | follow the states of a job | [`Job::watch`] | [`Watch`], a stream of [`JobState`] |
//! | wait for the end of a job | [`Job::wait`] | [`Wait`], then [`FinishedJob`] |
//! | read the whole lineage | [`Job::lineage`], [`FinishedJob::lineage`] | [`Lineage`] |
//! | ask what a change would break | [`Submit::for_impact`], then [`FinishedJob::lineage`] | [`Lineage`] |
//! | read the lineage as drawn, or a part of it | [`Job::export_lineage_as_json`] | [`DrawnLineage`] |
//! | read or write other exports | [`Job::export_full_lineage_as_csv`] and similar | [`Export`] |
//! | read what feeds a table, or what it feeds | [`Job::upstream_graph`], [`Job::downstream_graph`] | [`DrawnLineage`] |
//! | find the ultimate sources of a table | [`Job::left_most_sources`] | [`UltimateSources`] |
//! | delete a job, or run it again | [`Job::delete`], [`Job::rerun`] | |
//! | pause or change a schedule | [`Job::pause_schedule`], [`Job::reschedule`] and similar | |
//! | download metadata and the files of batches | [`Job::export_metadata`], [`Job::sub_job_file`] and similar | [`Export`] |
//! | run many submissions so that a crash loses none of them | [`Client::batch`] | [`Batch`], then [`BatchRun`] |
//!
//! Requests are builders: set options, then `.await` them. The API has no call that cancels a running job, so dropping
//! a future or a stream of this module changes nothing on the server.
//!
//! # On an unreliable network
//!
//! - **A submission creates one job.** [`Settling`] describes how the client finds out whether a submission whose
//!   response was lost has created a job.
//! - **Waiting goes on.** A state that cannot be polled is an event and not the end: [`JobState::poll_error`]. A
//!   [deadline](Wait::deadline) covers the whole wait, and its error carries the id of the job, which still runs.
//! - **Many watches share one request**, unless the list of jobs is so long that polls are faster: [`Watch`].
//! - **A lineage is whole, or an error.** Servers draw a limited number of relationships and send a summary if there
//!   are more. [`Job::lineage`] never returns one, and [`DrawnLineage`] says what it is.
//! - **A file is complete or does not exist.** A download that stalls or breaks off is retried: [`Export::to_file`].
//! - **A batch survives its process**: [`Batch`].
//!
//! All other calls are retried according to the [`RetryPolicy`](crate::retry::RetryPolicy).
//!
//! [`Client::submit`]: crate::Client::submit
//! [`Client::submit_persist`]: crate::Client::submit_persist
//! [`Client::submit_table_affect`]: crate::Client::submit_table_affect
//! [`Client::job`]: crate::Client::job
//! [`Client::find_job`]: crate::Client::find_job
//! [`Client::jobs`]: crate::Client::jobs
//! [`Client::batch`]: crate::Client::batch

mod batch;
mod cron;
pub(crate) mod download;
mod drawn;
mod export;
mod files;
mod inputs;
mod lag;
mod list;
mod listing;
pub(crate) mod options;
mod queries;
mod schedule;
mod service;
mod settle;
mod source;
mod submission;
mod submit;
mod wait;
mod watch;

use std::fmt;
use std::sync::Arc;

use tokio::time::{Instant, sleep_until};

pub use self::batch::{Batch, BatchOutcome, BatchRun, ExportFormat};
pub use self::download::Progress;
pub use self::drawn::DrawnLineage;
pub(crate) use self::export::ExportSyntax;
pub use self::export::{
    Export, ExportForm, ExportFullLineageAsCsv, ExportFullLineageAsJson, ExportLineageAsGraphml, ExportLineageAsJson,
};
pub use self::files::{ExportDatabaseMetadata, ExportMetadata, Parquet, SubJobFile};
pub use self::list::{JobStream, ListJobs};

use self::lag::Lag;
pub use self::queries::{
    DownstreamGraph, DownstreamGraphImage, LeftMostSources, LeftMostSourcesAsCsv, SourceColumn, UltimateSources,
    UpstreamGraph, UpstreamGraphImage,
};
pub(crate) use self::service::JobService;
pub use self::settle::Settling;
pub use self::source::{CsvFormat, Database, SqlSource};
pub use self::submit::{Submit, SubmitPersist, SubmitTableAffect};
pub use self::wait::{FinishedJob, Wait};
pub use self::watch::{JobState, Polling, Watch};
use self::watch::{KnownJob, StateStream};
use crate::lineage::Lineage;
use crate::retry::Attempts;
pub use crate::transport::UploadProgress;
use crate::wire::{EnvelopeData as _, Redactor, RelationTypes, operations, relation_types, types, without_data};
pub use crate::wire::{JobId, JobInfo, JobList, JobLookup, JobStatus};
use crate::{Error, ErrorKind, Result, Secret};

/// A handle for a job on the server.
///
/// Returned by a submission, or by [`Client::job`](crate::Client::job) for an id. It is cheap to clone, and dropping it
/// changes nothing on the server.
#[derive(Clone)]
pub struct Job {
    service: JobService,
    id: JobId,
    /// The response of the server to the submission, if the job was submitted through this handle.
    submitted: Option<Arc<JobInfo>>,
    relation_types: SubmittedTypes,
    /// The time in which the server may not know the job yet, if it was submitted through this handle, or lately.
    lag: Option<Lag>,
    /// Removes the secrets of the submission from errors: the message of a failed job may repeat them.
    secrets: Redactor,
}

/// The relation types that a job was submitted with, as far as its handle knows.
#[derive(Debug, Clone)]
enum SubmittedTypes {
    /// The handle was made of an id alone.
    Unknown,
    /// The submission named no types.
    ServerDefault,
    /// The submission named these types.
    Named(RelationTypes),
}

impl Job {
    pub(crate) fn service(&self) -> &JobService {
        &self.service
    }

    /// Creates the handle for a job that this client has just submitted.
    fn submitted(service: &JobService, info: JobInfo) -> Self {
        let job = service.job(info.id.clone()).described_by(&info).of_late();
        Self { submitted: Some(Arc::new(info)), ..job }
    }

    /// Allows the server a settling window, from now on, in which it does not know the job.
    fn of_late(self) -> Self {
        let lag = Some(Lag::of(self.service.settling().window_length()));
        Self { lag, ..self }
    }

    /// Makes a call, and repeats it while the server may not know the job yet.
    async fn past_lag<T, F: Future<Output = Result<T>>>(&self, call: impl Fn() -> F) -> Result<T> {
        let lag = self.lag.as_ref().map(|lag| (lag, Instant::now()));
        loop {
            let result = call().await;
            let (Err(error), Some((lag, begun))) = (&result, lag) else { return result };
            let pause = self.service.polling().pause(begun.elapsed(), fastrand::f64());
            let next = Instant::now() + pause;
            if !lag.explains(error, next) {
                return result;
            }
            tracing::debug!(
                target: "sqlflow_client::watch",
                job = %self.id,
                %error,
                "the server does not know the job yet"
            );
            sleep_until(next).await;
        }
    }

    /// Adds the facts about the submission that the server does not repeat.
    fn with_submission(self, relation_types: Option<RelationTypes>, password: Option<Secret>) -> Self {
        let relation_types = relation_types.map_or(self.relation_types, SubmittedTypes::Named);
        Self { relation_types, secrets: Redactor::new(password), ..self }
    }

    /// Adds what the job object of the server says, where this handle does not know better.
    fn described_by(mut self, info: &JobInfo) -> Self {
        if !matches!(self.relation_types, SubmittedTypes::Named(_)) {
            self.relation_types = named_types(info).map_or(SubmittedTypes::ServerDefault, SubmittedTypes::Named);
        }
        self
    }

    /// Returns the relation types that the job was submitted with, or `None` for the default of the server. If this
    /// handle was made of an id alone, the server is asked.
    async fn submitted_types(&self) -> Result<Option<RelationTypes>> {
        match &self.relation_types {
            SubmittedTypes::Named(list) => Ok(Some(list.clone())),
            SubmittedTypes::ServerDefault => Ok(None),
            SubmittedTypes::Unknown => match self.info().await {
                Ok(info) => Ok(named_types(&info)),
                Err(error) if error.is_missing_operation() => Ok(None),
                Err(error) => Err(error),
            },
        }
    }

    /// Returns the id: plain text that a program can store, to attach to the job later with
    /// [`Client::job`](crate::Client::job).
    #[must_use]
    pub fn id(&self) -> &JobId {
        &self.id
    }

    /// Returns the job as the server describes it now.
    ///
    /// # Errors
    /// [`JobNotFound`](ErrorKind::JobNotFound) if the server does not know the job; otherwise the
    /// [errors of every API call](crate::guide::errors).
    pub fn info(&self) -> impl Future<Output = Result<JobInfo>> + Send + use<> {
        let job = self.clone();
        // On the heap, because it is large, and a runtime moves a future several times before it runs.
        Box::pin(async move {
            let info = job.past_lag(|| job.fetch_info(job.service.transport().attempts())).await;
            info.map(|info| *info)
        })
    }

    /// Requests the description of the job, in a box, because to move it by value would be much of the cost of a call.
    async fn fetch_info(&self, attempts: Attempts) -> Result<Box<JobInfo>> {
        let form = types::DisplayUserJobSummaryRequest { job_id: Some(self.id.checked()?), job_name: None };
        let response = self.service.request::<JobLookup>(&operations::DISPLAY_USER_JOB_SUMMARY, &form, attempts).await;
        let envelope = self.in_context(response)?;
        self.in_context(envelope.check())?;
        let envelope = envelope.into_inner();
        if !envelope.mentions_data {
            return self.in_context(Err(without_data(envelope.code)));
        }
        let warnings = envelope.warnings().map(ToOwned::to_owned).collect();
        let mut jobs = envelope.data.map(|summary| summary.jobs).unwrap_or_default();
        let place = jobs.iter().position(|job| job.id == self.id).ok_or_else(|| self.not_found())?;
        let mut info = Box::new(jobs.swap_remove(place));
        info.warnings = warnings;
        self.service.set_time_zone(&mut info);
        // The secrets of the client are removed already.
        if !self.secrets.is_empty() {
            info.clean(&self.secrets);
        }
        Ok(info)
    }

    fn not_found(&self) -> Error {
        Error::new(ErrorKind::JobNotFound, not_found_text(&self.id)).with_job(&self.id)
    }

    /// Follows the job: returns a stream of its states, which yields the current one at once.
    ///
    /// A program can follow any number of jobs at the same time. If a client follows more than four, they share one
    /// request for the list of jobs, as [`Watch`] explains.
    #[must_use = "a watch polls the server when it is polled itself"]
    pub fn watch(&self) -> Watch {
        self.states(self.service.polling())
    }

    /// Waits for the end of the job. Await it, or set a deadline first.
    ///
    /// # Errors
    /// [`JobFailed`](ErrorKind::JobFailed), [`JobNotFound`](ErrorKind::JobNotFound) or
    /// [`Deadline`](ErrorKind::Deadline), each with the id of the job; otherwise the errors that end a [`Watch`].
    pub fn wait(&self) -> Wait {
        Wait::new(self.clone())
    }

    /// Reads the whole lineage: every relationship, or an error. The job must have ended: [`wait`](Job::wait) for it
    /// first.
    ///
    /// This is the [full export](Job::export_full_lineage_as_json). Where a server does not have that operation, it is
    /// the [drawn one](Job::export_lineage_as_json), unless the server cuts that to a summary, or leaves out record sets.
    ///
    /// The relation types are those that the job was submitted with: as this client submitted it, or else as the server
    /// [describes](JobInfo::show_relation_type) it, or else the default of the server, which is values that flow
    /// (`fdd`). A handle that was made of an id alone requests the description first. [`Lineage::coverage`] tells which
    /// types the lineage can hold, and [`Submit::for_impact`] requests all that questions about impact need.
    ///
    /// The response is parsed while it arrives and is never completely in memory. Parsing runs on the thread pool of
    /// the runtime for blocking work.
    ///
    /// ```no_run
    /// # async fn example(job: sqlflow_client::Job) -> sqlflow_client::Result<()> {
    /// for flow in job.lineage().await?.column_flows() {
    ///     println!("{flow}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`IncompleteLineage`](ErrorKind::IncompleteLineage) if the server returns less than all relationships; the
    /// message says what to do. Otherwise the errors of [`info`](Job::info) and of [`Export::lineage`].
    pub fn lineage(&self) -> impl Future<Output = Result<Lineage>> + Send + use<> {
        let job = self.clone();
        async move { job.whole_lineage().await }
    }

    async fn whole_lineage(&self) -> Result<Lineage> {
        let relation_types = self.submitted_types().await?;
        let full = self.export_full_lineage_as_json().relation_type_list(relation_types.clone());
        let missing = match full.lineage().await {
            Err(error) if error.is_missing_operation() => error,
            outcome => return outcome,
        };
        tracing::debug!(
            target: "sqlflow_client::lineage",
            %missing,
            "the server has no full export; requesting the drawn lineage instead"
        );
        let drawn = self.export_lineage_as_json().relation_type_list(relation_types);
        match drawn.lineage_in_place_of_the_full().await {
            // A server without either is no SQLFlow server, and the first error says that as well.
            Err(error) if error.is_missing_operation() => Err(missing),
            outcome => outcome,
        }
    }

    /// Starts an export of the lineage as drawn, as JSON that is read into a [`DrawnLineage`] or returned unchanged.
    ///
    /// Servers cut it to a summary if it has more than 1,000 relationships (by default). [`lineage`](Job::lineage) is
    /// always whole.
    pub fn export_lineage_as_json(&self) -> ExportLineageAsJson {
        Export::new(self.clone(), types::ExportLineageAsJsonRequest::new())
    }

    /// Starts an export of the full lineage as JSON. It is never cut to a summary.
    pub fn export_full_lineage_as_json(&self) -> ExportFullLineageAsJson {
        Export::new(self.clone(), types::ExportFullLineageAsJsonRequest::new())
    }

    /// Starts an export of the full lineage as CSV.
    pub fn export_full_lineage_as_csv(&self) -> ExportFullLineageAsCsv {
        Export::new(self.clone(), types::ExportFullLineageAsCsvRequest::new())
    }

    /// Starts an export of the lineage as drawn, as GraphML for the editor yEd.
    pub fn export_lineage_as_graphml(&self) -> ExportLineageAsGraphml {
        Export::new(self.clone(), types::ExportLineageAsGraphmlRequest::new())
    }

    /// Deletes the job on the server.
    ///
    /// # Errors
    /// The errors of [`info`](Job::info).
    pub fn delete(&self) -> impl Future<Output = Result<()>> + Send + use<> {
        let job = self.clone();
        async move {
            let form = types::DeleteUserJobRequest { job_id: Some(job.id.checked()?) };
            let delete = async || job.service.api().delete_user_job(&form).await?.check();
            job.past_lag(async || job.in_context(delete().await)).await?;
            job.lag.iter().for_each(Lag::end);
            Ok(())
        }
    }

    /// Runs the job again. Its state starts over, so watch or wait for it again.
    ///
    /// # Errors
    /// The errors of [`info`](Job::info).
    pub fn rerun(&self) -> impl Future<Output = Result<()>> + Send + use<> {
        let job = self.clone();
        async move {
            let form = types::RerunJobRequest { job_id: Some(job.id.checked()?), job_name: None };
            let rerun = async || job.service.api().rerun_job(&form).await?.check();
            job.past_lag(async || job.in_context(rerun().await)).await
        }
    }

    /// Sets whether the job is kept at the top of the user's list.
    ///
    /// # Errors
    /// The errors of [`info`](Job::info).
    pub fn set_on_top(&self, on_top: bool) -> impl Future<Output = Result<()>> + Send + use<> {
        let job = self.clone();
        async move {
            let form = types::SetJobOnTopRequest::new(job.id.checked()?, on_top);
            let set = async || job.service.api().set_job_on_top(&form).await?.check();
            job.past_lag(async || job.in_context(set().await)).await
        }
    }

    fn in_context<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| with_job(&self.id, error))
    }

    fn states(&self, polling: Polling) -> Watch {
        let hub = Arc::clone(self.service.poll_hub());
        let known = KnownJob { id: self.id.clone(), submitted: self.submitted.clone(), lag: self.lag.clone() };
        let states = StateStream::new(self.service.clone(), hub, known, polling);
        Watch::new(self.clone(), states)
    }
}

/// Returns the relation types that the server says a job was submitted with.
fn named_types(info: &JobInfo) -> Option<RelationTypes> {
    let list = info.show_relation_type.as_deref().filter(|list| !list.trim().is_empty())?;
    Some(relation_types(Some(list))).filter(|types| !types.is_empty()).map(Into::into)
}

/// Adds the job to the error of a call that concerns this job only. Code 404 in the envelope then means that the job
/// does not exist, whereas HTTP status 404 means the path.
fn with_job(id: &JobId, error: Error) -> Error {
    if (error.code(), error.status()) == (Some(404), None) {
        return error.into_job_not_found(id, not_found_text(id));
    }
    error.with_job(id)
}

fn not_found_text(id: &JobId) -> String {
    format!("the server does not know job {id}: it may have been deleted, or belong to another user")
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("id", &self.id).field("server", &self.service.base_url()).finish_non_exhaustive()
    }
}
