//! Kinds.

use std::time::Duration;

use axum::http::StatusCode;

/// What goes wrong.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum FaultKind {
    Latency(Duration),
    Refuse(Duration),
    ResetAfterReceived(u64),
    ResetAfterSent(u64),
    Close,
    Late(Duration),
    Page(StatusCode),
    TooManyRequests(Duration),
    /// Seconds since 1970, as more cannot be told in an HTTP date.
    TooManyRequestsUntil(u64),
    Busy,
    ExpireToken,
    UnknownStatus(String),
    Vanish,
    Truncate(u64),
    Garbage,
    Drip(u64, Duration),
    Stall(u64),
    ContentLength(i64),
    Bomb(u64),
    Redirect(String),
}

impl FaultKind {
    /// Whether it has something to act on in an operation.
    pub(super) fn concerns(&self, operation: &str) -> bool {
        let submits = ["submitUserJob", "submitPersistJob"].contains(&operation);
        match self {
            Self::Late(_) => submits,
            Self::ExpireToken => operation != "generateToken",
            Self::UnknownStatus(_) => submits || describes_jobs(operation),
            Self::Vanish => describes_jobs(operation) || exports_a_job(operation) || operation == "deleteUserJob",
            _ => true,
        }
    }
}

fn describes_jobs(operation: &str) -> bool {
    [
        "displayUserJobSummary",
        "displayUserJobsSummary",
        "rerunJob",
        "setJobOnTop",
        "listScheduleJobs",
        "pauseScheduleJob",
        "resumeScheduleJob",
        "updateScheduleJob",
    ]
    .contains(&operation)
}

fn exports_a_job(operation: &str) -> bool {
    [
        "exportLineageAsJson",
        "exportFullLineageAsJson",
        "exportFullLineageAsCsv",
        "exportLineageAsGraphml",
        "displayUserJobGraph",
        "leftMostSourceTable",
        "leftMostSourceTableAsCsv",
    ]
    .contains(&operation)
}

/// Seconds, rounded up.
pub(super) fn whole_seconds(time: Duration) -> u64 {
    time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0))
}
