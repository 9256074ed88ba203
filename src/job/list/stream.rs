//! A list of jobs that is parsed while it arrives.
//!
//! Polling the stream receives the body and parses it, so that a program that reads slowly slows the download down, and
//! a stream that nobody polls holds neither a thread nor a task.

use std::borrow::Cow;
use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::poll_fn;
use futures_util::stream::{self, BoxStream, Stream, StreamExt as _, TryStreamExt as _};
use sync_wrapper::SyncWrapper;

use super::filter::JobFilter;
use super::scanner::ListScanner;
use crate::api::runtime::log_warnings;
use crate::job::{JobInfo, JobService};
use crate::transport::{BodyMode, Response, retry_after};
use crate::wire::{Operation, operations, read_job, types};
use crate::{Error, ErrorKind, Result};

const OPERATION: &Operation = &operations::DISPLAY_USER_JOBS_SUMMARY;

/// The jobs of a user, as a stream, from [`ListJobs::stream`](super::ListJobs::stream).
///
/// It is a [`Stream`] of results; [`try_next`](JobStream::try_next) reads it without the traits of streams. The list is
/// parsed while it is read, by the task that reads it, and one job at a time is in memory: a program that reads slowly
/// slows the download down, and must not pause for longer than the server keeps a connection open. To change jobs,
/// collect their ids first, and make the calls after the stream has ended.
///
/// - An entry of the list that is not a job is an error that does not end the stream, [`Protocol`](ErrorKind::Protocol).
/// - A list that breaks off is [`Interrupted`](ErrorKind::Interrupted), and one that is shorter than its own count is
///   `Protocol`, after the jobs that it contains. Such an error ends the stream.
/// - An entry that is longer than 16 MiB is `Protocol` and ends the stream, so that no server can fill the memory.
/// - The code of a response may come after its data, so that a failure may come after jobs, and makes them unreliable.
///
/// The request is retried within the [retry policy](crate::retry::RetryPolicy) of the client. If the body breaks off
/// later, it is up to the caller to list again. Dropping the stream ends the download.
///
/// ```no_run
/// # async fn example(sqlflow: sqlflow_client::Client) -> sqlflow_client::Result<()> {
/// let mut names = Vec::new();
/// let mut jobs = sqlflow.jobs().stream();
/// while let Some(job) = jobs.try_next().await? {
///     names.extend(job.name);
/// }
/// # Ok(())
/// # }
/// ```
pub struct JobStream {
    jobs: SyncWrapper<BoxStream<'static, Result<JobInfo>>>,
    warnings: Arc<OnceLock<Vec<String>>>,
}

impl JobStream {
    pub(super) fn new(service: JobService, filter: JobFilter) -> Self {
        let warnings = Arc::default();
        let known_warnings = Arc::clone(&warnings);
        let opening = async move {
            let response = request(&service).await?;
            Ok::<_, Error>(parsed(response, service, filter, known_warnings))
        };
        Self { jobs: SyncWrapper::new(stream::once(opening).try_flatten().boxed()), warnings }
    }

    /// Returns the next job, or `None` after the last one.
    ///
    /// # Errors
    /// Those of [`JobStream`]; otherwise the [errors of every API call](crate::guide::errors).
    pub async fn try_next(&mut self) -> Result<Option<JobInfo>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await.transpose()
    }

    /// Returns the warnings of the response (code 203), one per line of its error text. They are known when the stream
    /// has ended.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        self.warnings.get().map_or(&[], Vec::as_slice)
    }
}

impl Stream for JobStream {
    type Item = Result<JobInfo>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.jobs.get_mut().poll_next_unpin(context)
    }
}

impl fmt::Debug for JobStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobStream").finish_non_exhaustive()
    }
}

/// Requests the list. A failure that is a whole response is an error of the request.
async fn request(service: &JobService) -> Result<Box<Response>> {
    let form = types::DisplayUserJobsSummaryRequest::new();
    let mut attempts = service.transport().attempts();
    let response = service.transport().send_form(OPERATION, &form, BodyMode::Stream, &mut attempts).await?;
    attempts.succeeded();
    response.without_failure().await.map_err(|error| error.in_operation(OPERATION.id))
}

/// The rest of a list that is being read.
struct ListReader {
    response: Box<Response>,
    /// The bytes that have arrived and were not scanned yet.
    received: Bytes,
    scanner: ListScanner,
    service: JobService,
    filter: JobFilter,
    warnings: Arc<OnceLock<Vec<String>>>,
}

/// Returns the jobs of a response. Polling the stream receives the body and parses what has arrived.
fn parsed(
    response: Box<Response>,
    service: JobService,
    filter: JobFilter,
    warnings: Arc<OnceLock<Vec<String>>>,
) -> impl Stream<Item = Result<JobInfo>> + Send + 'static {
    let (received, scanner) = (Bytes::new(), ListScanner::default());
    let reader = ListReader { response, received, scanner, service, filter, warnings };
    stream::unfold(Some(reader), |reader| async {
        let mut reader = reader?;
        match reader.next().await {
            Ok(Some(item)) => Some((item, Some(reader))),
            Ok(None) => reader.finish().err().map(|error| (Err(error), None)),
            Err(error) => Some((Err(reader.clean(error)), None)),
        }
    })
}

impl ListReader {
    /// Returns the next entry of the list that passes the filter: the job, or the error of an entry that is not one.
    async fn next(&mut self) -> Result<Option<Result<JobInfo>>> {
        loop {
            while let Some(entry) = self.scanner.next_entry(&mut self.received)? {
                let item = self.read(&entry);
                if item.as_ref().map_or(true, |job| self.filter.matches(job)) {
                    return Ok(Some(item));
                }
            }
            match self.response.body.try_next().await? {
                Some(chunk) => self.received = chunk,
                None => return Ok(None),
            }
        }
    }

    /// Reads an entry of the list.
    fn read(&self, entry: &[u8]) -> Result<JobInfo> {
        let text = String::from_utf8_lossy(entry);
        let read = match text {
            Cow::Borrowed(text) => read_job(text).map_err(|error| error.to_string()),
            Cow::Owned(_) => Err("it is not UTF-8".to_owned()),
        };
        let secrets = &self.response.secrets;
        read.map(|job| self.service.in_time_zone(job.cleaned(secrets))).map_err(|fault| {
            let (number, shown) = (self.scanner.listed(), secrets.excerpt(&text));
            let text = format!("entry {number} of the list is not a job ({fault}): {shown}");
            secrets.redact_error(Error::new(ErrorKind::Protocol, text).in_operation(OPERATION.id))
        })
    }

    /// Checks a list that has ended, and notes its warnings.
    fn finish(mut self) -> Result<()> {
        let envelope =
            mem::take(&mut self.scanner).finish(&self.response.secrets).map_err(|error| self.clean(error))?;
        let warnings: Vec<_> = envelope.warnings().map(ToOwned::to_owned).collect();
        log_warnings(OPERATION, warnings.iter().map(String::as_str));
        let _first = self.warnings.set(warnings);
        Ok(())
    }

    /// Completes an error that ends the stream.
    fn clean(&self, error: Error) -> Error {
        let Response { secrets, headers, .. } = &*self.response;
        secrets.redact_error(error.in_operation(OPERATION.id)).with_retry_after(retry_after(headers))
    }
}
