//! The states of a job.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};
use sqlflow_lineage::open_enum;

use super::lenient::text;
use crate::error::escape_controls;

open_enum! {
    /// The state of a job.
    ///
    /// No list of states is published, so the set is open: a state that is not listed here is
    /// [`Other`](JobStatus::Other), and the job counts as *still running*.
    pub enum JobStatus {
        /// Any other state, as the server spells it; empty if the server names none. The job still runs.
        Other(String);
        /// The job is accepted and has not begun.
        Created = "create",
        /// The job is running. The word `running` is read as the same.
        Running = "process",
        /// The job is finished.
        Success = "success",
        /// The job is finished, with errors in part of the SQL.
        PartialSuccess = "partial_success",
        /// The job ended without a result; [`JobInfo::error_message`](super::JobInfo::error_message) gives the reason.
        Failed = "fail",
        /// The job is deleted.
        Deleted = "delete",
    }
    impl Serialize;
}

impl JobStatus {
    /// Returns `true` if the state will not change any more.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Success | Self::PartialSuccess | Self::Failed | Self::Deleted)
    }

    /// Returns `true` if there is a result to export, whole or in part.
    #[must_use]
    pub fn has_result(&self) -> bool {
        matches!(self, Self::Success | Self::PartialSuccess)
    }
}

/// Reads a known state in any case, and any other as it is spelled.
impl From<&str> for JobStatus {
    fn from(text: &str) -> Self {
        if let Some(known) = Self::known(text) {
            return known;
        }
        if text.eq_ignore_ascii_case("running") {
            return Self::Running;
        }
        let known = Self::KNOWN.iter().find(|known| known.as_str().eq_ignore_ascii_case(text));
        known.cloned().unwrap_or_else(|| Self::Other(text.to_owned()))
    }
}

impl FromStr for JobStatus {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.into())
    }
}

impl Default for JobStatus {
    fn default() -> Self {
        Self::Other(String::new())
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_str() {
            "" => f.pad("unknown"),
            text => f.pad(&escape_controls(text)),
        }
    }
}

impl<'de> Deserialize<'de> for JobStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(text(deserializer)?.as_deref().map_or_else(Self::default, Self::from))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_known_status_is_known_in_any_case() {
        assert_eq!(JobStatus::from("SUCCESS"), JobStatus::Success);
        assert_eq!(JobStatus::from("Partial_Success"), JobStatus::PartialSuccess);
        assert_eq!(JobStatus::from("Process"), JobStatus::Running);
    }

    #[test]
    fn running_is_read_as_process() {
        assert_eq!(JobStatus::from("Running"), JobStatus::Running);
        assert_eq!(JobStatus::Running.to_string(), "process");
    }

    #[test]
    fn every_known_status_survives_the_way_to_json_and_back() {
        for text in ["create", "process", "success", "partial_success", "fail", "delete", "queued"] {
            let status: JobStatus = serde_json::from_value(json!(text)).unwrap();
            assert_eq!(serde_json::to_value(&status).unwrap(), json!(text));
        }
    }
}
