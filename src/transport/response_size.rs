//! The limits of a response that is read into memory: its size, and the time in which it arrives.

use std::time::Duration;

use tokio::time::Instant;

use super::{RequestLimits, failure};
use crate::wire::Operation;
use crate::{Error, ErrorKind};

/// The size of a small response. The largest that servers are known to send is some kilobytes.
pub(super) const MAX_SMALL_BYTES: u64 = 16 << 20;
/// A list has this many times as long to arrive as a small response.
const LIST_TIME_FACTOR: u32 = 5;

/// The operations whose response is a few values: a token, a state, a confirmation.
const SMALL: &[&str] = &[
    "generateToken",
    "generateSecretKey",
    "submitUserJob",
    "submitPersistJob",
    "submitTableAffectSqlJob",
    "submitUserSchema",
    "displayUserJobSummary",
    "deleteUserJob",
    "deleteUserSchema",
    "rerunJob",
    "setJobOnTop",
    "pauseScheduleJob",
    "resumeScheduleJob",
    "updateScheduleJob",
    "updateUserJobGraphCache",
    "generateParquet",
    "testConnection",
    "version",
];

/// The operations whose response grows with the number of jobs, schemas, or syntax errors.
const LISTS: &[&str] = &["displayUserJobsSummary", "listScheduleJobs", "displayUserSchemaSummary", "checkSyntax"];

/// The size of response that an operation is expected to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResponseSize {
    Small,
    List,
    /// A lineage, a file, a text.
    Data,
}

impl ResponseSize {
    pub(super) fn of(operation: &Operation) -> Self {
        if SMALL.contains(&operation.id) {
            Self::Small
        } else if LISTS.contains(&operation.id) {
            Self::List
        } else {
            Self::Data
        }
    }

    /// Returns the number of bytes that may be read into memory, after decompression.
    pub(super) fn max_bytes(self, limits: &RequestLimits) -> u64 {
        match self {
            Self::Small => limits.max_response_bytes.min(MAX_SMALL_BYTES),
            Self::List => limits.max_response_bytes.min(limits.max_list_bytes),
            Self::Data => limits.max_response_bytes,
        }
    }

    /// Returns the time in which the whole response has to arrive, if it is read into memory.
    pub(super) fn deadline(self, limits: &RequestLimits) -> Option<Deadline> {
        match self {
            Self::Small => Deadline::in_time(limits.small_response_timeout),
            Self::List => Deadline::in_time(limits.small_response_timeout.saturating_mul(LIST_TIME_FACTOR)),
            Self::Data => None,
        }
    }

    /// Returns the error for a response that is over its limit.
    pub(super) fn too_large(self, limit: u64) -> Error {
        let text = match self {
            Self::Small if limit == MAX_SMALL_BYTES => format!(
                "the response is over {limit} bytes, which no SQLFlow server sends here: check whether the base URL is \
                 that of a SQLFlow backend, and what is in front of it"
            ),
            Self::List => format!(
                "the list is over the limit of {limit} bytes: raise max_list_bytes and max_response_bytes in the client \
                 builder, or read the list of jobs as a stream"
            ),
            Self::Small | Self::Data => return failure::response_too_large(limit),
        };
        Error::new(ErrorKind::TooLarge, text)
    }
}

/// The time at which a response has to be complete.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    time: Duration,
    end: Instant,
}

impl Deadline {
    /// Returns the deadline that is this far away, or `None` if the clock cannot express it.
    pub(super) fn in_time(time: Duration) -> Option<Self> {
        Instant::now().checked_add(time).map(|end| Self { time, end })
    }

    pub(super) fn end(&self) -> Instant {
        self.end
    }

    /// Returns the time that is left, which is zero after the deadline.
    pub(super) fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// Returns the error for a response that has not arrived in time.
    pub(super) fn missed(&self, received: u64) -> Error {
        let text = format!(
            "the response is too slow: {received} bytes arrived in {:?}; if the line is that slow, raise \
             small_response_timeout in the client builder",
            self.time
        );
        Error::new(ErrorKind::Timeout, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::operations;

    #[test]
    fn every_operation_that_is_small_or_a_list_exists_and_returns_no_file() {
        for id in SMALL.iter().chain(LISTS) {
            let operation = operations::ALL.iter().find(|operation| operation.id == *id);
            assert!(operation.is_some_and(|operation| !operation.returns_file), "{id}");
        }
    }

    #[test]
    fn every_response_with_a_secret_and_every_response_to_a_change_is_small() {
        for operation in operations::ALL {
            let is_change = ["submit", "delete", "update", "pause", "resume", "rerun"];
            if operation.returns_secret || is_change.iter().any(|verb| operation.id.starts_with(verb)) {
                assert_eq!(ResponseSize::of(operation), ResponseSize::Small, "{operation}");
            }
        }
    }
}
