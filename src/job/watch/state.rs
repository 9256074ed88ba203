//! One state of a job that is watched.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::Error;
use crate::job::{JobInfo, JobStatus};
use crate::wire::{EnvelopeData as _, Redactor};

/// One state of a job, as a [`Watch`](super::Watch) yields it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct JobState {
    pub(super) info: Arc<JobInfo>,
    pub(super) followed: Duration,
    pub(super) poll_error: Option<Error>,
}

impl JobState {
    /// Removes the secrets of the submission from the messages of the server.
    pub(super) fn forget_secrets(&mut self, secrets: &Redactor) {
        if secrets.is_empty() {
            return;
        }
        Arc::make_mut(&mut self.info).clean(secrets);
        self.poll_error = self.poll_error.take().map(|error| secrets.redact_error(error));
    }

    /// Returns the status of the job.
    #[must_use]
    pub fn status(&self) -> &JobStatus {
        &self.info.status
    }

    /// Returns the complete description of the job.
    #[must_use]
    pub fn info(&self) -> &JobInfo {
        &self.info
    }

    /// Returns the time for which the job has been followed.
    #[must_use]
    pub fn followed(&self) -> Duration {
        self.followed
    }

    /// Returns the error of the poll, if it failed. The state is then the last known one.
    #[must_use]
    pub fn poll_error(&self) -> Option<&Error> {
        self.poll_error.as_ref()
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.poll_error {
            None => self.info.status.fmt(f),
            Some(error) => write!(f, "{} (not confirmed: {error})", self.info.status),
        }
    }
}
