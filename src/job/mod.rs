//! The life of a job, from files to exports.
//!
//! ```no_run
//! # async fn example(sqlflow: sqlflow_client::Client) -> sqlflow_client::Result<()> {
//! //! use sqlflow_client::{JobId, Vendor};
//!
//! // Submit files, directories, SQL in memory.
//! let job = sqlflow.submit(Vendor::Oracle).name("nightly").path("etl/").sql("fix.sql", "insert …").await?;
//!
//! // Follow it. The first state comes at once.
//! let mut states = job.watch();
//! while let Some(state) = states.try_next().await? {
//!     println!("{state}");
//! }
//!
//! // Or pick it up again after a restart: an id is a text, and attaching asks nothing.
//! let job = sqlflow.job(JobId::new("c359aef4bd9641d697732422debd8055"));
//! let done = job.wait().deadline(Duration::from_secs(3600)).await?;
//!
//! // To disk, in constant memory, whole or not at all.
//! done.job().export_full_lineage_as_csv().to_file("lineage.csv").await?;
//! # Ok(())
//! # }
//! ```
//!
//! Nothing cancels a job that runs, so dropping a future or a stream of this module changes nothing on the server.
//!
//! # What holds on a bad network
//!
//! - **One submit makes one job.** How a submit whose answer was lost is settled: [`Settling`].
//! - **Waiting goes on.** A state that cannot be asked for is an event: [`JobState::poll_error`]. A
//!   [deadline](Wait::deadline) covers all of a wait, and its error carries the id of the job, which still runs.
//! - **Many watches are one request**, however many they are: [`Watch`].
//! - **A file is whole or not there.** What stalls or breaks off is asked for again: [`Export::to_file`].
//! - **A batch outlives its process**: [`Batch`].
//!
//! All other calls are repeated by the rule of [`RetryPolicy`](crate::retry::RetryPolicy).

mod batch;
mod download;
mod export;
mod inputs;
mod service;
mod settle;
mod submit;
mod wait;
mod watch;

use std::fmt;
use std::sync::Arc;

pub use self::batch::{Batch, BatchOutcome, BatchRun, ExportFormat};
pub use self::download::Progress;
pub use self::export::{
    Export, ExportForm, ExportFullLineageAsCsv, ExportFullLineageAsJson, ExportLineageAsGraphml, ExportLineageAsJson,
};
pub(crate) use self::service::JobService;
pub use self::settle::Settling;
pub use self::submit::{Submit, SubmitPersist};
pub use self::wait::{FinishedJob, Wait};
pub use self::watch::{JobState, Polling, Watch};
use crate::lineage::Lineage;
use crate::retry::Attempts;
pub use crate::wire::{JobId, JobInfo, JobList, JobLookup, JobStatus};
use crate::wire::{Redactor, operations, types, without_data};
use crate::{Error, ErrorKind, Result, Secret};

/// One job of a server.
///
/// Made by submitting, or by [`Client::job`] from an id. Cheap to clone, and nothing but a handle: dropping it changes
/// nothing on the server.
#[derive(Clone)]
pub struct Job {
    service: JobService,
    id: JobId,
    /// What the server told when it took the job.
    submitted: Option<JobInfo>,
    /// What was submitted with it that no error may repeat: a failed job's message may.
    secrets: Redactor,
}

impl Job {
    pub(crate) fn service(&self) -> &JobService {
        &self.service
    }

    fn submitted(service: JobService, info: JobInfo, password: Option<Secret>) -> Self {
        Self { service, id: info.id.clone(), submitted: Some(info), secrets: Redactor::new(password) }
    }

    /// Its id: a plain text, to be stored and picked up again.
    #[must_use]
    pub fn id(&self) -> &JobId {
        &self.id
    }

    /// What the server tells of it now.
    ///
    /// # Errors
    /// [`JobNotFound`](ErrorKind::JobNotFound) if the server knows no such job; else as every call of the API.
    pub async fn info(&self) -> Result<JobInfo> {
        self.ask(self.service.transport().attempts()).await
    }

    async fn ask(&self, attempts: Attempts) -> Result<JobInfo> {
        let form = types::DisplayUserJobSummaryRequest { job_id: Some(self.id.checked()?), job_name: None };
        let asking = self.service.asked::<JobLookup>(&operations::DISPLAY_USER_JOB_SUMMARY, &form, attempts);
        let answer = self.about(asking.await)?;
        self.about(answer.check())?;
        let answer = answer.into_inner();
        if !answer.mentions_data {
            return self.about(Err(without_data(answer.code)));
        }
        let warnings = answer.warnings().map(ToOwned::to_owned).collect();
        let jobs = answer.data.map(|summary| summary.jobs).unwrap_or_default();
        let found = jobs.into_iter().find(|job| job.id == self.id);
        found.map(|job| JobInfo { warnings, ..job }).ok_or_else(|| self.not_there())
    }

    fn not_there(&self) -> Error {
        Error::new(ErrorKind::JobNotFound, unknown_to_server(&self.id)).with_job(&self.id)
    }

    /// Follows it: a stream of its states, the first at once.
    ///
    /// Any number of jobs may be followed at the same time: more than four of a client share one request for the list
    /// of jobs, as [`Watch`] explains.
    #[must_use = "asks when it is polled"]
    pub fn watch(&self) -> Watch {
        self.states(self.service.polling())
    }

    /// Waits for its end. Await it, or set a deadline first.
    ///
    /// # Errors
    /// [`JobFailed`](ErrorKind::JobFailed), [`JobNotFound`](ErrorKind::JobNotFound) or
    /// [`Deadline`](ErrorKind::Deadline), each with the id; else what ends a [`Watch`].
    pub fn wait(&self) -> Wait {
        Wait::new(self.clone())
    }

    /// Its lineage as drawn, with the server's default options.
    ///
    /// The answer is read while it comes and never held whole, on a thread of the runtime's pool for blocking work.
    ///
    /// # Errors
    /// As [`Export::lineage`].
    pub async fn lineage(&self) -> Result<Lineage> {
        self.export_lineage_as_json().await
    }

    /// Exports its lineage as drawn: JSON, read into a [`Lineage`] or taken as it is.
    pub fn export_lineage_as_json(&self) -> ExportLineageAsJson {
        Export::new(self.clone(), types::ExportLineageAsJsonRequest::new())
    }

    /// Exports its full lineage as JSON. It is not cut down to a summary when it is large.
    pub fn export_full_lineage_as_json(&self) -> ExportFullLineageAsJson {
        Export::new(self.clone(), types::ExportFullLineageAsJsonRequest::new())
    }

    /// Exports its full lineage as CSV.
    pub fn export_full_lineage_as_csv(&self) -> ExportFullLineageAsCsv {
        Export::new(self.clone(), types::ExportFullLineageAsCsvRequest::new())
    }

    /// Exports its lineage as GraphML for yEd.
    pub fn export_lineage_as_graphml(&self) -> ExportLineageAsGraphml {
        Export::new(self.clone(), types::ExportLineageAsGraphmlRequest::new())
    }

    /// Deletes it on the server.
    ///
    /// # Errors
    /// As [`info`](Job::info).
    pub async fn delete(&self) -> Result<()> {
        let form = types::DeleteUserJobRequest { job_id: Some(self.id.checked()?) };
        self.about(self.service.api().delete_user_job(&form).await.and_then(|answer| answer.check()))
    }

    /// Runs it again. Its state starts over, so follow it anew.
    ///
    /// # Errors
    /// As [`info`](Job::info).
    pub async fn rerun(&self) -> Result<()> {
        let form = types::RerunJobRequest { job_id: Some(self.id.checked()?), job_name: None };
        self.about(self.service.api().rerun_job(&form).await.and_then(|answer| answer.check()))
    }

    /// Keeps it at the top of the user's list, or lets it sink.
    ///
    /// # Errors
    /// As [`info`](Job::info).
    pub async fn set_on_top(&self, on_top: bool) -> Result<()> {
        let form = types::SetJobOnTopRequest::new(self.id.checked()?, on_top);
        self.about(self.service.api().set_job_on_top(&form).await.and_then(|answer| answer.check()))
    }

    fn about<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| about(&self.id, error))
    }

    fn states(&self, polling: Polling) -> Watch {
        let hub = Arc::clone(self.service.poll_hub());
        Watch::new(self.service.clone(), hub, self.id.clone(), self.submitted.clone(), polling)
    }
}

/// An error of a call that is about this job alone. Code 404 in its envelope means the job; HTTP status 404 the path.
fn about(id: &JobId, error: Error) -> Error {
    if (error.code(), error.status()) == (Some(404), None) {
        return error.into_job_not_found(id, unknown_to_server(id));
    }
    error.with_job(id)
}

fn unknown_to_server(id: &JobId) -> String {
    format!("the server knows no job {id}: it may have been deleted, or belong to another user")
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("id", &self.id).field("server", &self.service.base_url()).finish_non_exhaustive()
    }
}
