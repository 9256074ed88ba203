//! One item of work of a batch, from where an earlier run left it to its last export.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::timeout;

use super::event::{Entry, Exported, JournalEvent, Stage};
use super::file_names::file_stem;
use super::files::{ExportTarget, PartialFiles, exists_with_length};
use super::journal::Journal;
use super::outage::OutageRetry;
use super::{BatchOutcome, ExportFormat};
use crate::job::listing::ListingHold;
use crate::job::submit::EarlierSubmission;
use crate::job::{FinishedJob, Job, JobId, JobService, Polling, Submit};
use crate::{Error, ErrorKind, RequestOutcome, Result};

/// The state that all submissions of a run share.
#[derive(Debug)]
pub(super) struct RunContext {
    pub(super) service: JobService,
    pub(super) journal: Journal,
    pub(super) partial_files: PartialFiles,
    pub(super) export_targets: Vec<ExportTarget>,
    pub(super) deadline: Option<Duration>,
    pub(super) polling: Option<Polling>,
    pub(super) max_outage: Duration,
    pub(super) retry_failed: bool,
}

/// One submission, and how far it got.
pub(super) struct WorkItem {
    context: Arc<RunContext>,
    key: String,
    /// `None` for work of an earlier run whose submission this run did not receive.
    submit: Option<Submit>,
    name: Option<String>,
    job: Option<JobId>,
    export_files: Vec<ExportFile>,
    is_resumed: bool,
}

/// A file to export to.
struct ExportFile {
    format: ExportFormat,
    file: PathBuf,
    is_complete: bool,
}

/// The reason for which a submission ends early.
enum StopReason {
    /// The journal cannot be written, which ends the run.
    Journal(Error),
    /// This submission failed. The others continue.
    WorkItem(Error),
}

impl From<Error> for StopReason {
    fn from(error: Error) -> Self {
        Self::WorkItem(error)
    }
}

impl WorkItem {
    pub(super) fn new(context: &Arc<RunContext>, key: String, submit: Option<Submit>) -> Self {
        let context = Arc::clone(context);
        Self { context, key, submit, name: None, job: None, export_files: Vec::new(), is_resumed: false }
    }

    /// Does the work that is left. `hold` keeps the list of jobs for the submissions of earlier runs.
    ///
    /// # Errors
    /// `Io` if the journal cannot be written.
    pub(super) async fn run(mut self, entry: Option<Entry>, hold: Option<Arc<ListingHold>>) -> Result<BatchOutcome> {
        match self.work(entry, hold).await {
            Ok(()) => Ok(self.outcome(None)),
            Err(StopReason::WorkItem(error)) => Ok(self.outcome(Some(error))),
            Err(StopReason::Journal(error)) => Err(error),
        }
    }

    /// Returns the outcome, without doing any work.
    pub(super) fn outcome(self, error: Option<Error>) -> BatchOutcome {
        let there = self.export_files.into_iter().filter(|target| target.is_complete);
        BatchOutcome {
            key: self.key,
            name: self.name,
            job: self.job,
            files: there.map(|target| target.file).collect(),
            error,
            is_resumed: self.is_resumed,
        }
    }

    async fn work(&mut self, entry: Option<Entry>, hold: Option<Arc<ListingHold>>) -> Result<(), StopReason> {
        self.check()?;
        let Some(Entry { name, stage, exported }) = entry else { return self.start().await };
        match stage {
            Stage::Refused => self.start().await,
            Stage::Failed { .. } if self.starts_over() => self.start().await,
            Stage::Failed { job, text } => {
                self.is_resumed = true;
                (self.name, self.job) = (Some(name), Some(job.clone()));
                Err(Error::new(ErrorKind::JobFailed, text).with_job(&job).into())
            }
            Stage::Submitting(at) => {
                self.name = Some(name);
                let job = self.settle(at, hold).await?;
                self.wait_and_export(&job).await
            }
            Stage::Submitted(id) => {
                self.name = Some(name);
                let job = self.attach(id);
                let done = self.wait_and_export(&job).await;
                self.start_over_if_gone(done).await
            }
            Stage::Finished(id) => {
                self.name = Some(name);
                let job = self.attach(id);
                self.find_exported(&exported).await;
                self.is_resumed = self.export_files.iter().all(|target| target.is_complete);
                let done = self.export(&job).await;
                self.start_over_if_gone(done).await
            }
        }
    }

    /// Checks the key and the submission, and determines the files to export.
    fn check(&mut self) -> Result<()> {
        let name = file_stem(&self.key)?;
        let target = |export_target: &ExportTarget| ExportFile {
            format: export_target.format,
            file: export_target.file(&name),
            is_complete: false,
        };
        self.export_files = self.context.export_targets.iter().map(target).collect();
        let Some(submit) = &self.submit else { return Ok(()) };
        let identity = |service: &JobService| (service.base_url().to_owned(), service.transport().user_id().to_owned());
        if identity(submit.service()) == identity(&self.context.service) {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "the submission {:?} belongs to another server or user than its batch: create both from the same client",
            self.key
        )))
    }

    /// Finds the files that an earlier run wrote. For work whose submission is not given again, files in another
    /// directory count too.
    async fn find_exported(&mut self, exported: &[Exported]) {
        for target in &mut self.export_files {
            let is_known = |known: &&Exported| known.file == target.file.to_string_lossy();
            let elsewhere = |known: &&Exported| self.submit.is_none() && known.format == target.format;
            let known = exported.iter().filter(is_known).chain(exported.iter().filter(elsewhere));
            for known in known.map(|known| (PathBuf::from(&known.file), known.bytes)).collect::<Vec<_>>() {
                if exists_with_length(&known.0, known.1).await {
                    (target.file, target.is_complete) = (known.0, true);
                    break;
                }
            }
        }
    }

    fn starts_over(&self) -> bool {
        self.context.retry_failed && self.submit.is_some()
    }

    /// Submits the work again if the job of an earlier run no longer exists and the caller asked for retries.
    async fn start_over_if_gone(&mut self, done: Result<(), StopReason>) -> Result<(), StopReason> {
        match done {
            Err(StopReason::WorkItem(error)) if is_gone(&error) && self.starts_over() => self.start().await,
            done => done,
        }
    }

    /// Does all the work, under a new name.
    async fn start(&mut self) -> Result<(), StopReason> {
        let Some(mut submit) = self.submit.clone() else { return Err(self.submission_needed().into()) };
        let name = submit.choose_name()?;
        (self.name, self.job) = (Some(name.clone()), None);
        self.export_files.iter_mut().for_each(|target| target.is_complete = false);
        self.record(JournalEvent::Submitting { name: name.clone() }).await?;
        let job = self.submit(submit, name, None).await?;
        self.wait_and_export(&job).await
    }

    /// Returns the job that an earlier run may have submitted, or submits it.
    async fn settle(&mut self, at: u64, hold: Option<Arc<ListingHold>>) -> Result<Job, StopReason> {
        let name = self.name.clone().unwrap_or_default();
        let since = UNIX_EPOCH.checked_add(Duration::from_secs(at));
        let hold = hold.unwrap_or_else(|| Arc::new(self.context.service.hold_listing()));
        if let Some(submit) = self.submit.clone() {
            return self.submit(submit, name, Some(EarlierSubmission { since, hold })).await;
        }
        let mut retry = OutageRetry::new(self.context.max_outage);
        loop {
            match self.find_job(&name, &hold).await {
                Ok(Some(job)) => return self.submitted(job).await,
                Ok(None) => return Err(self.submission_needed().into()),
                Err(error) if !retry.waits_after(&error, &self.key).await => return Err(error.into()),
                Err(_) => {}
            }
        }
    }

    /// Returns the job of a name, if it is in a list that was requested after the beginning of the hold.
    async fn find_job(&self, name: &str, hold: &ListingHold) -> Result<Option<Job>> {
        let service = &self.context.service;
        let listing = service.listing_since(hold.since, service.settling().window_length()).await?;
        service.find_listed(&listing.index, name)
    }

    fn submission_needed(&self) -> Error {
        let name = self.name.as_deref().unwrap_or_default();
        let text = format!(
            "an earlier run was about to submit {:?} as {name:?}, and the server has no job of that name: give its \
             submission again to run it",
            self.key
        );
        Error::new(ErrorKind::JobNotFound, text).with_job_name(name)
    }

    async fn submit(
        &mut self,
        submit: Submit,
        name: String,
        mut earlier: Option<EarlierSubmission>,
    ) -> Result<Job, StopReason> {
        let mut retry = OutageRetry::new(self.context.max_outage);
        let since = earlier.as_ref().map_or_else(|| Some(SystemTime::now()), |earlier| earlier.since);
        let mut may_exist = earlier.is_some();
        let error = loop {
            match submit.clone().run_as(name.clone(), earlier.take()).await {
                Ok(job) => return self.submitted(job).await,
                Err(error) if may_be_in_progress(&error) => return self.watch_for_job(&submit, &name, error).await,
                Err(error) => {
                    may_exist |= !certainly_created_no_job(&error);
                    if !retry.waits_after(&error, &self.key).await {
                        break error;
                    }
                    let hold = || Arc::new(self.context.service.hold_listing());
                    earlier = may_exist.then(|| EarlierSubmission { since, hold: hold() });
                }
            }
        };
        if !may_exist {
            // The text is left out, because the message of a server may repeat the request.
            self.record(JournalEvent::Refused { kind: format!("{:?}", error.kind()) }).await?;
        }
        Err(error.into())
    }

    /// Looks for a job that the server may still be creating. This run does not submit it again.
    async fn watch_for_job(&mut self, submit: &Submit, name: &str, error: Error) -> Result<Job, StopReason> {
        let mut retry = OutageRetry::new(self.context.max_outage);
        while retry.waits_after(&error, &self.key).await {
            match self.find_job(name, &self.context.service.hold_listing()).await {
                Ok(Some(job)) => return self.submitted(submit.attached_to(job.id().clone())).await,
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(target: "sqlflow_client::batch", key = self.key, %error, "cannot list the jobs");
                }
            }
        }
        Err(error.into())
    }

    async fn submitted(&mut self, job: Job) -> Result<Job, StopReason> {
        self.job = Some(job.id().clone());
        self.record(JournalEvent::Submitted { job: job.id().clone() }).await?;
        Ok(job)
    }

    fn attach(&mut self, id: JobId) -> Job {
        self.job = Some(id.clone());
        match &self.submit {
            Some(submit) => submit.attached_to(id),
            None => self.context.service.job(id).of_late(),
        }
    }

    async fn wait_and_export(&mut self, job: &Job) -> Result<(), StopReason> {
        match self.wait(job).await {
            Ok(done) => {
                let status = done.info().status.to_string();
                self.record(JournalEvent::Finished { status }).await?;
                self.export(job).await
            }
            Err(error) => {
                if error.kind() == ErrorKind::JobFailed {
                    let text = self.failure_text(&error, job.id());
                    self.record(JournalEvent::Failed { kind: format!("{:?}", error.kind()), text }).await?;
                }
                Err(error.into())
            }
        }
    }

    /// Returns the text that the journal records of a failure. A server may repeat a password, which only a submission
    /// knows.
    fn failure_text(&self, error: &Error, id: &JobId) -> String {
        match self.submit {
            Some(_) => error.to_string(),
            None => format!("job {id} failed in an earlier run; the server tells why"),
        }
    }

    async fn wait(&self, job: &Job) -> Result<FinishedJob> {
        let Some(deadline) = self.context.deadline else { return self.wait_on(job).await };
        timeout(deadline, self.wait_on(job)).await.unwrap_or_else(|_| {
            let id = job.id();
            let text =
                format!("job {id} did not end within {deadline:?} and may still be running: run the batch again");
            Err(Error::new(ErrorKind::Deadline, text).with_job(id))
        })
    }

    async fn wait_on(&self, job: &Job) -> Result<FinishedJob> {
        let polling = self.context.polling.unwrap_or_else(|| self.context.service.polling());
        let mut retry = OutageRetry::new(self.context.max_outage).for_step_that_tolerates(polling.max_outage);
        loop {
            match job.wait().polling(polling).without_deadline().await {
                Err(error) if retry.waits_after(&error, &self.key).await => {}
                ended => return ended,
            }
        }
    }

    /// Exports the files that do not exist yet.
    async fn export(&mut self, job: &Job) -> Result<(), StopReason> {
        for index in 0..self.export_files.len() {
            let ExportFile { format, file, is_complete } = &self.export_files[index];
            if *is_complete {
                continue;
            }
            let bytes = self.write(job, *format, file).await?;
            let (format, file) = (*format, file.to_string_lossy().into_owned());
            self.record(JournalEvent::Exported { format, file, bytes }).await?;
            self.export_files[index].is_complete = true;
        }
        Ok(())
    }

    async fn write(&self, job: &Job, format: ExportFormat, file: &Path) -> Result<u64> {
        self.context.partial_files.delete(file).await;
        let mut retry = OutageRetry::new(self.context.max_outage);
        loop {
            match format.write(job, file).await {
                Err(error) if retry.waits_after(&error, &self.key).await => {}
                written => return written,
            }
        }
    }

    async fn record(&self, event: JournalEvent) -> Result<(), StopReason> {
        self.context.journal.record(&self.key, event).await.map_err(StopReason::Journal)
    }
}

/// Returns `true` if a job no longer exists. The vendor does not publish the code for that; 404 can hardly mean
/// anything else.
fn is_gone(error: &Error) -> bool {
    error.kind() == ErrorKind::JobNotFound || error.code() == Some(404)
}

/// Returns `true` if a submission may have arrived at a server that is merely slow.
fn may_be_in_progress(error: &Error) -> bool {
    error.kind() == ErrorKind::SubmitUnknown
        && matches!(error.request_outcome(), RequestOutcome::Incomplete | RequestOutcome::Unreadable)
}

/// Returns `true` if a submission that was sent once certainly created no job.
fn certainly_created_no_job(error: &Error) -> bool {
    error.kind() != ErrorKind::SubmitUnknown && error.request_outcome() == RequestOutcome::NotExecuted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_submission_in_progress_is_distinguished_from_one_that_was_interrupted() {
        let unknown = |cause| Error::new(cause, "lost").into_submit_unknown("?".to_owned());
        assert!(may_be_in_progress(&unknown(ErrorKind::Timeout)));
        assert!(may_be_in_progress(&unknown(ErrorKind::Protocol)));
        assert!(!may_be_in_progress(&unknown(ErrorKind::Interrupted)));
        assert!(!may_be_in_progress(&unknown(ErrorKind::Connect)));
        assert!(!may_be_in_progress(&Error::new(ErrorKind::SubmitUnknown, "?")));
        assert!(!may_be_in_progress(&Error::new(ErrorKind::Timeout, "slow")));
    }

    #[test]
    fn only_a_submission_that_certainly_created_no_job_is_recorded_as_refused() {
        for kind in [ErrorKind::SubmitUnknown, ErrorKind::Timeout, ErrorKind::Interrupted, ErrorKind::Server] {
            assert!(!certainly_created_no_job(&Error::new(kind, "?")), "{kind}");
        }
        assert!(certainly_created_no_job(&Error::new(ErrorKind::Rejected, "no")));
    }
}
