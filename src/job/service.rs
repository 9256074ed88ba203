//! What jobs need of a client: the transport, the settings of polling and settling, and the questions about all jobs.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::watch::{JobSource, PollHub};
use super::{Job, Polling, Settling};
use crate::api::runtime::ReadResponse as _;
use crate::api::{self, ResponseValue};
use crate::retry::Attempts;
use crate::transport::{BodyMode, Transport};
use crate::wire::{Envelope, JobId, JobIndex, JobInfo, JobList, Operation, Redactor, operations, types};
use crate::{Error, ErrorKind, Result};

/// How long a list of jobs is waited for: it may hold 100,000 and come over a slow line.
pub(super) const LONGEST_LIST: Duration = Duration::from_secs(300);

impl fmt::Debug for JobService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobService").field("transport", self.transport()).finish_non_exhaustive()
    }
}

/// The services of one client that jobs use. Cheap to clone; clones share everything.
#[derive(Clone)]
pub(crate) struct JobService {
    api: api::Client,
    polling: Polling,
    settling: Settling,
    poll_hub: Arc<PollHub>,
}

impl JobService {
    pub(crate) fn new(api: api::Client, polling: Polling, settling: Settling) -> Self {
        Self { api, polling, settling, poll_hub: Arc::default() }
    }

    pub(crate) fn api(&self) -> &api::Client {
        &self.api
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.api.inner
    }

    pub(crate) fn base_url(&self) -> &str {
        self.transport().base_url()
    }

    pub(crate) fn polling(&self) -> Polling {
        self.polling
    }

    pub(crate) fn settling(&self) -> Settling {
        self.settling
    }

    pub(crate) fn poll_hub(&self) -> &Arc<PollHub> {
        &self.poll_hub
    }

    pub(crate) fn job(&self, id: impl Into<JobId>) -> Job {
        Job { service: self.clone(), id: id.into(), submitted: None, secrets: Redactor::default() }
    }

    pub(crate) async fn find_job(&self, name: &str) -> Result<Option<Job>> {
        Ok(self.look_for(name, self.transport().attempts()).await?.map(|info| self.job(info.id)))
    }

    pub(crate) async fn jobs(&self) -> Result<JobList> {
        let form = types::DisplayUserJobsSummaryRequest::new();
        let attempts = self.transport().attempts();
        let response = self.asked::<JobList>(&operations::DISPLAY_USER_JOBS_SUMMARY, &form, attempts).await?;
        let (mut jobs, warnings) = response.into_data_and_warnings()?;
        jobs.warnings = warnings;
        Ok(jobs)
    }

    /// The job of that name, the latest if there are several.
    ///
    /// # Errors
    /// Also when the list is not whole, so that a job that is not in it may be there all the same.
    pub(super) async fn look_for(&self, name: &str, attempts: Attempts) -> Result<Option<JobInfo>> {
        let list = self.index(attempts).await?;
        if let Some(info) = list.named(name) {
            return Ok(Some(info));
        }
        if list.is_incomplete() {
            let text =
                format!("the list of jobs is not whole by its own count, so that {name:?} may be there all the same");
            return Err(Error::new(ErrorKind::Protocol, text));
        }
        Ok(None)
    }

    async fn index(&self, attempts: Attempts) -> Result<JobIndex> {
        let form = types::DisplayUserJobsSummaryRequest::new();
        let answer = self.asked::<JobIndex>(&operations::DISPLAY_USER_JOBS_SUMMARY, &form, attempts).await?;
        answer.into_data()
    }

    pub(super) async fn asked<T: DeserializeOwned + Send>(
        &self,
        operation: &'static Operation,
        form: &impl Serialize,
        mut attempts: Attempts,
    ) -> Result<ResponseValue<Envelope<T>>> {
        let response = self.transport().send_form(operation, form, BodyMode::Buffered, &mut attempts).await?;
        attempts.succeeded();
        Envelope::<T>::read(response).await
    }
}

/// The two requests that watches make. Each is one attempt, because a watch polls again in its own time and reports a
/// failure at once.
impl JobSource for JobService {
    async fn job(&self, id: &JobId) -> Result<JobInfo> {
        JobService::job(self, id).ask(self.transport().single()).await
    }

    async fn list(&self, wanted: &HashSet<JobId>) -> Result<Vec<JobInfo>> {
        Ok(self.index(self.transport().single()).await?.jobs(|header| wanted.contains(&header.id)))
    }
}
