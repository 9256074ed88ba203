//! Tests of watches.

use std::sync::Arc;

use super::KnownJob;
use crate::job::{JobId, JobInfo};

mod many_jobs;
mod one_job;
mod several_runtimes;

fn known(id: JobId, submitted: Option<JobInfo>) -> KnownJob {
    KnownJob { id, submitted: submitted.map(Arc::new), lag: None }
}
