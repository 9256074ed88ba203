//! The kinds of faults, and the operations that each affects by default.

use std::time::Duration;

use axum::http::StatusCode;

/// The kind of a fault.
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
    /// Seconds since 1970, since an HTTP date is no more precise.
    TooManyRequestsUntil(u64),
    Busy,
    ExpireToken,
    UnknownStatus(String),
    UnreadableJob,
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
    /// Returns `true` if the fault can affect an operation.
    pub(super) fn concerns(&self, operation: &str) -> bool {
        let submits = ["submitUserJob", "submitPersistJob"].contains(&operation);
        match self {
            Self::Late(_) => submits,
            Self::ExpireToken => operation != "generateToken",
            Self::UnknownStatus(_) | Self::UnreadableJob => submits || describes_jobs(operation),
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
        "exportLineageAsCsv",
        "generation/sqlflow/upstreamGraph",
        "generation/sqlflow/downstreamGraph",
        "generation/sqlflow/leftMostSourceTableGraph",
        "generation/sqlflow/selectedgraph",
        "generation/sqlflow/selectedgraph/table_level_lineage",
    ]
    .contains(&operation)
}

/// Returns whole seconds, rounded up.
pub(super) fn whole_seconds(time: Duration) -> u64 {
    time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0))
}
