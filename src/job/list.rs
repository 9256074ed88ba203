//! Lists of jobs: filters, and the list as a whole or as a stream.

mod filter;
mod scanner;
mod stream;

use std::fmt;
use std::future::IntoFuture;
use std::time::SystemTime;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use self::filter::JobFilter;
pub use self::stream::JobStream;
use super::{JobList, JobService, JobStatus};
use crate::{Result, Vendor};

/// A request for the list of the user's jobs, from [`Client::jobs`](crate::Client::jobs).
///
/// Await it for a [`JobList`], or read it as a [`stream`](ListJobs::stream), which holds a few jobs at a time.
///
/// The API has no filters, so that the server always sends every job, and the client applies the filters. A job has to
/// pass all of them. [`JobList::total`] and the other counts are those of the server, for all its jobs.
///
/// ```no_run
/// # async fn example(sqlflow: sqlflow_client::Client) -> sqlflow_client::Result<()> {
/// use std::time::{Duration, SystemTime};
/// use sqlflow_client::{JobStatus, Vendor};
///
/// let yesterday = SystemTime::now() - Duration::from_secs(24 * 60 * 60);
/// let list = sqlflow
///     .jobs()
///     .status([JobStatus::Failed, JobStatus::PartialSuccess])
///     .vendor(Vendor::Oracle)
///     .created_after(yesterday)
///     .await?;
/// println!("{} of {:?} jobs", list.jobs.len(), list.total);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a list is requested when it is awaited"]
pub struct ListJobs {
    service: JobService,
    filter: JobFilter,
}

impl ListJobs {
    pub(crate) fn new(service: JobService) -> Self {
        Self { service, filter: JobFilter::default() }
    }

    /// Lists only jobs with one of these statuses. A later call replaces an earlier one.
    pub fn status(mut self, statuses: impl IntoIterator<Item = JobStatus>) -> Self {
        self.filter.statuses = Some(statuses.into_iter().collect());
        self
    }

    /// Lists only jobs whose name matches a pattern, in which `*` stands for any text and `?` for one character. Upper
    /// and lower case are the same. A job without a name does not match.
    ///
    /// Names have a suffix unless they were submitted [without](super::Submit::without_suffix), so that jobs submitted
    /// as `nightly` are found by `nightly*`.
    pub fn name_matching(mut self, pattern: impl AsRef<str>) -> Self {
        self.filter.set_name_pattern(pattern.as_ref());
        self
    }

    /// Lists only jobs whose SQL has this dialect, in whatever spelling: `oracle`, `dbvoracle` and [`Vendor::Oracle`]
    /// are the same.
    pub fn vendor(mut self, vendor: Vendor) -> Self {
        self.filter.vendor = Some(vendor);
        self
    }

    /// Lists only jobs that were submitted at this time or later.
    ///
    /// The time of a job is [`JobInfo::created_at`](super::JobInfo::created_at), which depends on the
    /// [time zone](crate::ClientBuilder::server_time_zone) of the server, and is in whole seconds. A job without a
    /// readable time does not match.
    pub fn created_after(mut self, time: SystemTime) -> Self {
        self.filter.created_after = Some(time);
        self
    }

    /// Lists only jobs that were submitted before this time, with the times of
    /// [`created_after`](ListJobs::created_after). A job without a readable time does not match.
    pub fn created_before(mut self, time: SystemTime) -> Self {
        self.filter.created_before = Some(time);
        self
    }

    /// Requests the list. This is the same as to await it.
    ///
    /// # Errors
    /// [`Protocol`](crate::ErrorKind::Protocol) for a list that is shorter than its own count, as in [`JobStream`];
    /// otherwise the [errors of every API call](crate::guide::errors).
    pub async fn send(self) -> Result<JobList> {
        let mut list = self.service.jobs().await?;
        list.jobs.retain(|job| self.filter.matches(job));
        Ok(list)
    }

    /// Returns the jobs as a stream, which parses the list while it arrives. Nothing is sent before it is polled.
    ///
    /// ```no_run
    /// # async fn example(sqlflow: sqlflow_client::Client) -> sqlflow_client::Result<()> {
    /// let mut jobs = sqlflow.jobs().name_matching("nightly*").stream();
    /// while let Some(job) = jobs.try_next().await? {
    ///     println!("{} {}", job.id, job.status);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use = "a stream requests the list when it is polled"]
    pub fn stream(self) -> JobStream {
        JobStream::new(self.service, self.filter)
    }
}

impl IntoFuture for ListJobs {
    type Output = Result<JobList>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        self.send().boxed()
    }
}

impl fmt::Debug for ListJobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListJobs").field("filter", &self.filter).finish_non_exhaustive()
    }
}
