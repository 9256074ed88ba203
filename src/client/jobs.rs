//! The entry points to jobs.

use std::path::PathBuf;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::Client;
use crate::job::{Batch, Job, JobId, JobList, ListJobs, Submit, SubmitPersist, SubmitTableAffect};
use crate::{Result, Vendor};

impl Client {
    /// Starts a submission of SQL as a job. Add files, then send it.
    pub fn submit(&self, vendor: Vendor) -> Submit {
        Submit::new(self.service.clone(), vendor)
    }

    /// Starts a submission of a batch of a regular job: a job that grows by batches of files and may run on a schedule.
    /// Add files, then send it.
    pub fn submit_persist(&self, vendor: Vendor) -> SubmitPersist {
        SubmitPersist::new(self.service.clone(), vendor)
    }

    /// Starts a submission of SQL as a job that finds the SQL that affects source tables. Add files, then send it.
    pub fn submit_table_affect(&self) -> SubmitTableAffect {
        SubmitTableAffect::new(self.service.clone())
    }

    /// Creates a batch of submissions that survives a crash, with `journal` as the file that records its progress.
    ///
    /// The file and its directory are created when the batch runs, if they do not exist.
    pub fn batch(&self, journal: impl Into<PathBuf>) -> Batch {
        Batch::new(self.service.clone(), journal.into())
    }

    /// Attaches to a job by its id.
    ///
    /// Attaching sends nothing. If the job does not exist, the first call about it fails with
    /// [`JobNotFound`](crate::ErrorKind::JobNotFound).
    pub fn job(&self, id: impl Into<JobId>) -> Job {
        self.service.job(id)
    }

    /// Returns the job with this name: the latest one if there are several, or `None` if there is no such job (yet).
    ///
    /// Give the whole name. One that a submission chose is also found by its suffix, because servers change names. After [`SubmitUnknown`](crate::ErrorKind::SubmitUnknown), this finds the job by
    /// the [name in the error](crate::Error::job_name).
    ///
    /// # Errors
    /// [`Protocol`](crate::ErrorKind::Protocol) if the job may exist although no job of that name is listed: the list
    /// is shorter than its own count, or the server does not keep names; otherwise the
    /// [errors of every API call](crate::guide::errors).
    pub fn find_job(&self, name: impl AsRef<str>) -> BoxFuture<'static, Result<Option<Job>>> {
        let (service, name) = (self.service.clone(), name.as_ref().to_owned());
        async move { service.find_job(&name).await }.boxed()
    }

    /// Lists all jobs of the user, including finished ones. Await it, or set filters first, or read it as a
    /// [stream](ListJobs::stream).
    ///
    /// ```no_run
    /// # async fn example(sqlflow: sqlflow_client::Client) -> sqlflow_client::Result<()> {
    /// use sqlflow_client::JobStatus;
    ///
    /// let failed = sqlflow.jobs().status([JobStatus::Failed]).name_matching("night*").await?;
    /// for job in failed.jobs {
    ///     println!("{}: {}", job.id, job.error_message.unwrap_or_default());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Protocol`](crate::ErrorKind::Protocol) if the list is shorter than its own count, so that jobs are missing;
    /// otherwise the [errors of every API call](crate::guide::errors).
    pub fn jobs(&self) -> ListJobs {
        ListJobs::new(self.service.clone())
    }

    /// Lists the jobs that run on a schedule, including those whose schedule is paused.
    ///
    /// ```no_run
    /// # async fn example(sqlflow: sqlflow_client::Client) -> sqlflow_client::Result<()> {
    /// for job in sqlflow.scheduled_jobs().await?.jobs {
    ///     println!("{}: paused {:?}", job.id, job.cancel_schedule);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Protocol`](crate::ErrorKind::Protocol) if the list is shorter than its own count, so that jobs are missing;
    /// otherwise the [errors of every API call](crate::guide::errors).
    pub fn scheduled_jobs(&self) -> impl Future<Output = Result<JobList>> + Send + use<> {
        let service = self.service.clone();
        async move { service.scheduled_jobs().await }
    }
}

impl Job {
    /// Returns the client that the job belongs to.
    #[must_use]
    pub fn client(&self) -> &Client {
        Client::from_service(self.service())
    }
}
