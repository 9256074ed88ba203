//! Sending a submission, and resolving it when its response is lost.

use std::time::SystemTime;

use super::inputs::Inputs;
use super::{Job, JobId, JobInfo, JobService};
use crate::api::runtime::ReadResponse;
use crate::api::{Envelope, File, FileForm};
use crate::retry::Attempts;
use crate::transport::UploadObserver;
use crate::wire::{RelationTypes, Submitted, job_name};
use crate::{Error, ErrorKind, RequestOutcome, Result, Secret, Vendor};

/// A form with its files, on its way to becoming a job.
pub(super) struct Submission<F> {
    pub(super) service: JobService,
    pub(super) form: F,
    pub(super) password: Option<Secret>,
    /// The relation types in the form.
    pub(super) relation_types: Option<RelationTypes>,
    pub(super) name: String,
    pub(super) vendor: Option<Vendor>,
    pub(super) target: SubmissionTarget,
}

impl<F: FileForm<Response = Envelope<JobInfo>>> Submission<F> {
    /// Sends the submission until it is known whether there is a job, or until that cannot be found out.
    pub(super) async fn run(self, inputs: Inputs) -> Result<Job> {
        let limit = self.service.transport().limits().max_upload_bytes;
        let observer = inputs.observer();
        let files = inputs.into_files(limit).await?;
        let mut attempts = self.service.transport().attempts();
        tracing::debug!(target: "sqlflow_client::submit", name = self.name, files = files.len(), "submitting");
        let submitted = Submitted {
            name: self.name.clone(),
            vendor: self.vendor.clone(),
            files: Some(files.iter().map(|file| file.name().to_owned()).collect()),
            since: Some(SystemTime::now()),
        };
        let _pending = self.service.pend(&submitted);
        loop {
            let error = match self.send(&files, observer.clone(), &mut attempts).await {
                Ok(job) => {
                    attempts.succeeded();
                    return Ok(job);
                }
                Err(error) => error,
            };
            let next = AfterFailure::of(&error);
            if next == AfterFailure::Fail {
                return Err(error);
            }
            tracing::warn!(
                target: "sqlflow_client::submit",
                %error,
                name = self.name,
                "it is unknown whether the submission created a job"
            );
            if let Some(job) = self.settle(next, &error, &submitted).await? {
                attempts.succeeded();
                return Ok(job);
            }
            attempts.after_settling(error, F::OPERATION).await.map_err(|error| self.unknown(error))?;
        }
    }

    async fn send(&self, files: &[File], observer: Option<UploadObserver>, attempts: &mut Attempts) -> Result<Job> {
        let transport = self.service.transport();
        let response = transport.send_files(&self.form, files.to_vec(), observer, attempts).await?;
        let envelope = <F::Response as ReadResponse>::read(response).await?;
        let (info, warnings) = envelope.into_data_and_warnings()?;
        if info.id.as_str().trim().is_empty() {
            let text = "the response to the submission has an empty job id";
            return Err(Error::new(ErrorKind::Protocol, text).within_response());
        }
        self.service.take_job(&info.id);
        Ok(self.job(Job::submitted(&self.service, self.service.in_time_zone(JobInfo { warnings, ..info }))))
    }

    fn job(&self, job: Job) -> Job {
        job.with_submission(self.relation_types.clone(), self.password.clone())
    }

    /// Finds out whether a submission that failed with `error` created a job. Returns `None` if it did not and may be
    /// sent again.
    async fn settle(&self, next: AfterFailure, error: &Error, submitted: &Submitted) -> Result<Option<Job>> {
        let unknown = || self.unknown(error.clone());
        if self.target != SubmissionTarget::UniqueName {
            return Err(unknown());
        }
        let (settling, hold) = (self.service.settling(), self.service.hold_listing());
        let found = settling.find(&self.service, submitted, &hold).await.map_err(|_| unknown())?;
        match (found, next) {
            (Some(job), _) => Ok(Some(self.job(job))),
            (None, AfterFailure::SearchThenSendAgain) if settling.sends_again() => Ok(None),
            (None, AfterFailure::SearchThenFail) => Err(error.clone()),
            (None, _) => Err(unknown()),
        }
    }

    fn unknown(&self, why: Error) -> Error {
        self.target.unknown(&self.name, why)
    }
}

/// The job that a submission is to create or to extend. It decides whether a search can resolve the submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SubmissionTarget {
    /// A new job whose name no other job has.
    UniqueName,
    /// A new job whose name other jobs may have.
    SharedName,
    /// An existing job, to which a batch is added.
    ExistingJob(JobId),
}

impl SubmissionTarget {
    /// Returns the target of a submission to the job of this id, or to a new one.
    pub(super) fn of(job: Option<&JobId>, has_suffix: bool) -> Self {
        match job {
            Some(id) => Self::ExistingJob(id.clone()),
            None if has_suffix => Self::UniqueName,
            None => Self::SharedName,
        }
    }

    /// Returns the name to submit under.
    pub(super) fn name(&self, name: String) -> String {
        if *self == Self::UniqueName { job_name::unique_name(&name) } else { name }
    }

    /// Returns the error that says that the outcome of a submission is unknown because of the failure `why`.
    pub(super) fn unknown(&self, name: &str, why: Error) -> Error {
        match self {
            Self::UniqueName => {
                let text = format!(
                    "it is unknown whether the server created the job {name:?}; look for it with Client::find_job \
                     before submitting again: {why}"
                );
                why.into_submit_unknown(text).with_job_name(name)
            }
            Self::SharedName => {
                let text = format!(
                    "it is unknown whether the server created the job {name:?}, and other jobs may have that name; \
                     compare the creation times of those in Client::jobs before submitting again: {why}"
                );
                why.into_submit_unknown(text).with_job_name(name)
            }
            Self::ExistingJob(id) => {
                let text = format!("it is unknown whether job {id} has this batch; only its lineage shows that: {why}");
                why.into_submit_unknown(text).with_job(id)
            }
        }
    }
}

/// The reaction to a failed submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AfterFailure {
    /// Fail with the error: there is no job, and there will be none.
    Fail,
    /// Search for the job; if it is not there, fail with the error.
    SearchThenFail,
    /// Search for the job; if it is not there, the submission may be sent again.
    SearchThenSendAgain,
    /// Search for the job; if it is not there, the outcome is unknown.
    SearchThenGiveUp,
}

impl AfterFailure {
    fn of(error: &Error) -> Self {
        match error.request_outcome() {
            RequestOutcome::NotExecuted | RequestOutcome::Executed => Self::Fail,
            RequestOutcome::Unanswered => Self::SearchThenSendAgain,
            RequestOutcome::Incomplete | RequestOutcome::Unreadable => Self::SearchThenGiveUp,
            RequestOutcome::ServerFailed => Self::SearchThenFail,
        }
    }
}
