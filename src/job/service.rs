//! The services of a client that jobs use: the transport, the settings of polling and settling, and the list of jobs.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::watch::{JobSource, PollHub};
use super::{Job, Polling, Settling, SubmittedTypes};
use crate::api::runtime::ReadResponse as _;
use crate::api::{self, ResponseValue};
use crate::retry::Attempts;
use crate::transport::{BodyMode, Transport};
use crate::wire::{Envelope, EnvelopeData, JobId, JobIndex, JobInfo, JobList, Operation, Redactor, ServerTimeZone};
use crate::wire::{operations, types};
use crate::{Error, ErrorKind, Result};

/// The time allowed for a listing, which may contain 100,000 jobs and arrive over a slow connection.
pub(super) const LIST_TIMEOUT: Duration = Duration::from_secs(300);

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
    time_zone: ServerTimeZone,
    poll_hub: Arc<PollHub>,
}

impl JobService {
    pub(crate) fn new(api: api::Client, polling: Polling, settling: Settling, time_zone: ServerTimeZone) -> Self {
        Self { api, polling, settling, time_zone, poll_hub: Arc::default() }
    }

    /// Returns the services of another user of the same server, which poll separately.
    pub(crate) fn with_api(&self, api: api::Client) -> Self {
        Self::new(api, self.polling, self.settling, self.time_zone.clone())
    }

    /// Returns the description of a job with the time zone of this client.
    pub(super) fn in_time_zone(&self, info: JobInfo) -> JobInfo {
        JobInfo { time_zone: self.time_zone.clone(), ..info }
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
        let (relation_types, secrets) = (SubmittedTypes::Unknown, Redactor::default());
        Job { service: self.clone(), id: id.into(), submitted: None, relation_types, secrets }
    }

    pub(crate) async fn find_job(&self, name: &str) -> Result<Option<Job>> {
        let found = self.find_info(name, self.transport().attempts()).await?;
        Ok(found.map(|info| self.job(info.id.clone()).described_by(&info)))
    }

    pub(crate) async fn jobs(&self) -> Result<JobList> {
        let list = self.request_list::<JobList>(self.transport().attempts()).await?;
        let (mut jobs, warnings) = list.into_data_and_warnings()?;
        jobs.warnings = warnings;
        jobs.jobs = jobs.jobs.into_iter().map(|job| self.in_time_zone(job)).collect();
        Ok(jobs)
    }

    /// Returns the job with this name, the latest one if there are several.
    ///
    /// # Errors
    /// `Protocol` if the listing is incomplete, so that a job that is not in it may exist all the same, and the errors
    /// of every API call.
    pub(super) async fn find_info(&self, name: &str, attempts: Attempts) -> Result<Option<JobInfo>> {
        let list = self.list_index(attempts).await?;
        if let Some(info) = list.named(name) {
            return Ok(Some(self.in_time_zone(info)));
        }
        if list.is_incomplete() {
            let text =
                format!("the list of jobs is shorter than its own count, so the job {name:?} may exist all the same");
            return Err(Error::new(ErrorKind::Protocol, text));
        }
        Ok(None)
    }

    /// Lists the jobs as an index, which can be searched without parsing every job.
    async fn list_index(&self, attempts: Attempts) -> Result<JobIndex> {
        self.request_list::<JobIndex>(attempts).await?.into_data()
    }

    /// Requests the list of all jobs of the user, to be read as `T`.
    async fn request_list<T: EnvelopeData + Send>(&self, attempts: Attempts) -> Result<ResponseValue<Envelope<T>>> {
        let form = types::DisplayUserJobsSummaryRequest::new();
        self.request(&operations::DISPLAY_USER_JOBS_SUMMARY, &form, attempts).await
    }

    /// Sends a request and reads the envelope of its response.
    pub(super) async fn request<T: EnvelopeData + Send>(
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
        JobService::job(self, id).fetch_info(self.transport().single()).await
    }

    async fn list(&self, wanted: &HashSet<JobId>) -> Result<Vec<JobInfo>> {
        let jobs = self.list_index(self.transport().single()).await?.jobs(|header| wanted.contains(&header.id));
        Ok(jobs.into_iter().map(|job| self.in_time_zone(job)).collect())
    }
}
