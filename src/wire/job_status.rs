//! The states of a job.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::lenient::text;

/// The state of a job.
///
/// No list of states is published, so the set is open: a state that is not listed here is
/// [`Other`](JobStatus::Other), and *still running*.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JobStatus {
    /// `create`: taken, not begun.
    Created,
    /// `running`: the server is analysing the SQL. Not every server reports this state.
    Running,
    /// `success`: finished.
    Success,
    /// `partial_success`: finished, with errors in part of the SQL.
    PartialSuccess,
    /// `fail`: ended without a result; [`JobInfo::error_message`] tells why.
    Failed,
    /// `delete`: deleted.
    Deleted,
    /// Any other state, as the server spells it; empty when it names none. The job still runs.
    Other(String),
}

impl JobStatus {
    /// The state as the API spells it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Created => "create",
            Self::Running => "running",
            Self::Success => "success",
            Self::PartialSuccess => "partial_success",
            Self::Failed => "fail",
            Self::Deleted => "delete",
            Self::Other(text) => text,
        }
    }

    /// Whether nothing will change any more.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Success | Self::PartialSuccess | Self::Failed | Self::Deleted)
    }

    /// Whether there is a result to export, whole or in part.
    #[must_use]
    pub fn has_result(&self) -> bool {
        matches!(self, Self::Success | Self::PartialSuccess)
    }
}

impl From<&str> for JobStatus {
    fn from(text: &str) -> Self {
        let known = [Self::Created, Self::Running, Self::Success, Self::PartialSuccess, Self::Failed, Self::Deleted];
        let found = known.into_iter().find(|status| status.as_str().eq_ignore_ascii_case(text));
        found.unwrap_or_else(|| Self::Other(text.to_owned()))
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
            text => f.pad(text),
        }
    }
}

impl Serialize for JobStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
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
    }

    #[test]
    fn every_known_status_survives_the_way_to_json_and_back() {
        for text in ["create", "running", "success", "partial_success", "fail", "delete", "queued"] {
            let status: JobStatus = serde_json::from_value(json!(text)).unwrap();
            assert_eq!(serde_json::to_value(&status).unwrap(), json!(text));
        }
    }
}
