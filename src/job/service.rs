//! The services of a client that jobs use: the transport, the settings of polling and settling, and the list of jobs.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::listing::{Listing, ListingHold, Listings, PendingSubmission};
use super::watch::{JobSource, ListedJobs, PollHub};
use super::{Job, Polling, Settling, SubmittedTypes};
use crate::api::runtime::ReadResponse as _;
use crate::api::{self, ResponseValue};
use crate::retry::Attempts;
use crate::transport::{BodyMode, Transport};
use crate::wire::{Envelope, EnvelopeData, Found, JobId, JobIndex, JobInfo, JobList, JobLookup, Operation, Redactor};
use crate::wire::{ServerTimeZone, Submitted, operations, types};
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
pub(crate) struct JobService(Arc<Services>);

struct Services {
    api: api::Client,
    polling: Polling,
    settling: Settling,
    time_zone: ServerTimeZone,
    poll_hub: Arc<PollHub>,
    listings: Arc<Listings>,
}

impl JobService {
    pub(crate) fn new(api: api::Client, polling: Polling, settling: Settling, time_zone: ServerTimeZone) -> Self {
        let (poll_hub, listings) = Default::default();
        Self(Arc::new(Services { api, polling, settling, time_zone, poll_hub, listings }))
    }

    /// Returns the services of another user of the same server, which poll separately.
    pub(crate) fn with_api(&self, api: api::Client) -> Self {
        Self::new(api, self.0.polling, self.0.settling, self.0.time_zone.clone())
    }

    /// Returns the description of a job with the time zone of this client.
    pub(super) fn in_time_zone(&self, mut info: JobInfo) -> JobInfo {
        self.set_time_zone(&mut info);
        info
    }

    /// Gives a description the time zone of this client.
    pub(super) fn set_time_zone(&self, info: &mut JobInfo) {
        info.time_zone = self.0.time_zone.clone();
    }

    pub(crate) fn api(&self) -> &api::Client {
        &self.0.api
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.0.api.inner
    }

    pub(crate) fn base_url(&self) -> &str {
        self.transport().base_url()
    }

    pub(crate) fn polling(&self) -> Polling {
        self.0.polling
    }

    pub(crate) fn settling(&self) -> Settling {
        self.0.settling
    }

    pub(crate) fn poll_hub(&self) -> &Arc<PollHub> {
        &self.0.poll_hub
    }

    pub(crate) fn job(&self, id: impl Into<JobId>) -> Job {
        let (relation_types, secrets) = (SubmittedTypes::Unknown, Redactor::default());
        Job { service: self.clone(), id: id.into(), submitted: None, relation_types, lag: None, secrets }
    }

    pub(crate) async fn find_job(&self, name: &str) -> Result<Option<Job>> {
        let list = self.list_index(self.transport().attempts()).await?;
        self.find_listed(&list, name)
    }

    pub(crate) async fn jobs(&self) -> Result<JobList> {
        let list = self.request_list::<JobList>(self.transport().attempts()).await?;
        let (mut jobs, warnings) = list.into_data_and_warnings()?;
        jobs.check().map_err(|error| error.in_operation(operations::DISPLAY_USER_JOBS_SUMMARY.id))?;
        jobs.warnings = warnings;
        jobs.jobs = jobs.jobs.into_iter().map(|job| self.in_time_zone(job)).collect();
        Ok(jobs)
    }

    /// Keeps the list of jobs for searches, from now on.
    pub(super) fn hold_listing(&self) -> ListingHold {
        self.0.listings.hold()
    }

    /// Returns a list that was requested at `since` or later. Searches share lists, of which at most 32 are requested in
    /// a settling window.
    pub(super) async fn listing_since(&self, since: Instant, window: Duration) -> Result<Listing> {
        let request = || {
            let service = self.clone();
            async move { service.list_index(service.transport().single()).await }
        };
        self.0.listings.requested_since(since, window / 32, request).await
    }

    /// Looks up the job of a submission by its name. Returns `None` if the job is not found, which proves nothing: the
    /// server may not know it yet, or may have changed its name.
    ///
    /// # Errors
    /// A failure that says nothing about the job.
    pub(super) async fn look_up_name(&self, submitted: &Submitted) -> Result<Option<JobInfo>> {
        let form = types::DisplayUserJobSummaryRequest { job_id: None, job_name: Some(submitted.name.clone()) };
        let attempts = self.transport().single();
        let response = self.request::<JobLookup>(&operations::DISPLAY_USER_JOB_SUMMARY, &form, attempts).await;
        let jobs = match response.and_then(ResponseValue::into_data) {
            Ok(lookup) => lookup.jobs,
            Err(error) if error.is_retryable() || error.is_redirect_to_result() => return Err(error),
            Err(_) => return Ok(None),
        };
        let is_ours = |job: &JobInfo| job.name.as_deref().is_some_and(|name| submitted.is_named(name));
        let found = jobs.into_iter().find(|job| is_ours(job) && !job.id.as_str().trim().is_empty());
        Ok(found.map(|info| {
            self.0.listings.found_name();
            self.take_job(&info.id);
            self.in_time_zone(info)
        }))
    }

    /// Returns `true` if to list the jobs, as they were at `since` or later, takes more than to look up a name.
    pub(super) fn prefers_names(&self, since: Instant) -> bool {
        self.0.listings.would_be_long(since)
    }

    /// Returns `true` if the server has found a job by its name.
    pub(super) fn finds_names(&self) -> bool {
        self.0.listings.finds_names()
    }

    /// Notes that a job is that of a submission of this client.
    pub(super) fn take_job(&self, id: &JobId) {
        self.0.listings.take(id);
    }

    /// Notes a submission whose outcome is not known yet.
    pub(super) fn pend(&self, submitted: &Submitted) -> PendingSubmission {
        self.0.listings.pend(submitted)
    }

    /// Searches a list for the job of a submission. One that lost its name is found in the last list only: until then,
    /// another may appear that it is mistaken for.
    ///
    /// # Errors
    /// `Protocol` if the list does not tell whether the job exists.
    pub(super) fn find_submitted(
        &self,
        list: &JobIndex,
        submitted: &Submitted,
        is_last: bool,
    ) -> Result<Option<JobInfo>> {
        let zoned = |info| self.in_time_zone(info);
        let unclear = |text| Err(Error::new(ErrorKind::Protocol, text));
        match list.search(submitted, zoned, |id| self.0.listings.is_taken(id)) {
            Found::Job(info) => {
                self.take_job(&info.id);
                Ok(Some(*info))
            }
            Found::Nameless(_) if !is_last || self.0.listings.has_rival(submitted) => {
                unclear("the list has a job without a name, which may be that of another submission".to_owned())
            }
            Found::Nameless(info) if self.0.listings.take(&info.id) => Ok(Some(*info)),
            Found::Nameless(_) => unclear("the list has one job for several submissions".to_owned()),
            Found::Nothing => Ok(None),
            Found::Unclear(text) => unclear(text),
        }
    }

    /// Searches a list for the job with a name, the latest one if there are several.
    ///
    /// # Errors
    /// `Protocol` if the list does not tell whether the job exists.
    pub(super) fn find_listed(&self, list: &JobIndex, name: &str) -> Result<Option<Job>> {
        let submitted = Submitted { name: name.to_owned(), vendor: None, files: None, since: None };
        let found = self.find_submitted(list, &submitted, true)?;
        Ok(found.map(|info| self.job(info.id.clone()).described_by(&info)))
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
        JobService::job(self, id).fetch_info(self.transport().single()).await.map(|info| *info)
    }

    async fn list(&self, wanted: &HashSet<JobId>) -> Result<ListedJobs> {
        let list = self.list_index(self.transport().single()).await?;
        let jobs = list.jobs(wanted).map(|job| Arc::new(self.in_time_zone(job))).collect();
        Ok(ListedJobs { jobs, entries: list.len() })
    }
}
