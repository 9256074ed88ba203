//! The entry points to jobs.

use std::path::PathBuf;

use super::Client;
use crate::job::{Batch, Job, JobId, JobList, Submit, SubmitPersist, SubmitTableAffect};
use crate::{Result, Vendor};

impl Client {
    /// Starts a submission of SQL as a job. Add files, then send it.
    pub fn submit(&self, vendor: Vendor) -> Submit {
        Submit::new(self.service.clone(), vendor)
    }

    /// Starts a submission of a batch of a regular job, which grows by batches and may run on a schedule. Add files,
    /// then send it.
    pub fn submit_persist(&self, vendor: Vendor) -> SubmitPersist {
        SubmitPersist::new(self.service.clone(), vendor)
    }

    /// Starts a submission of SQL as a job that finds the SQL that affects source tables. Add files, then send it.
    pub fn submit_table_affect(&self) -> SubmitTableAffect {
        SubmitTableAffect::new(self.service.clone())
    }

    /// Creates a batch of submissions that survives a crash, with `journal` as the file that records its progress.
    ///
    /// The file is created when the batch runs, if it does not exist.
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
    /// Names are compared as they are. After [`SubmitUnknown`](crate::ErrorKind::SubmitUnknown), this finds the job by
    /// the [name in the error](crate::Error::job_name).
    ///
    /// # Errors
    /// [`Protocol`](crate::ErrorKind::Protocol) if the list of jobs is shorter than its own count, so that a job that
    /// is not in it may still exist; otherwise the errors of every API call.
    pub async fn find_job(&self, name: impl AsRef<str>) -> Result<Option<Job>> {
        self.service.find_job(name.as_ref()).await
    }

    /// Lists all jobs of the user, including finished ones.
    ///
    /// # Errors
    /// The errors of every API call.
    pub async fn jobs(&self) -> Result<JobList> {
        self.service.jobs().await
    }
}

impl Job {
    /// Returns the client that the job belongs to.
    #[must_use]
    pub fn client(&self) -> &Client {
        Client::from_service(self.service())
    }
}
