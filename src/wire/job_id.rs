//! The id that a server gives to a job.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use ref_cast::{RefCastCustom, ref_cast_custom};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{Error, Result};

/// The id of a job: a plain text that a program can store, to attach to the job later. A call with an empty id fails
/// before anything is sent.
///
/// ```
/// # use sqlflow_client::job::JobId;
/// let id = JobId::new("c359aef4bd9641d697732422debd8055");
/// let stored = serde_json::to_string(&id)?;
/// assert_eq!(serde_json::from_str::<JobId>(&stored)?, id);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, RefCastCustom, Serialize)]
#[serde(transparent)]
#[repr(transparent)]
pub struct JobId(String);

impl JobId {
    /// Creates an id from the text that a server returned earlier. No request is sent, neither here nor when a
    /// [`Job`](crate::Job) is attached to the id.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// Reads an id from its JSON: a string, or a number, which keeps the digits that the server wrote.
    pub(super) fn from_json(text: &str) -> Option<Self> {
        let is_number = text.starts_with(|first: char| first.is_ascii_digit() || first == '-');
        if is_number { Some(text.into()) } else { serde_json::from_str(text).ok() }
    }

    #[ref_cast_custom]
    fn from_string(id: &String) -> &Self;

    /// Returns the text of the id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the id as it is sent. Servers treat an empty one as the latest job of the user, so it is an error.
    pub(crate) fn checked(&self) -> Result<Self> {
        if self.0.trim().is_empty() {
            return Err(Error::invalid(
                "the job id is empty, which servers treat as the latest job: give the id of a job",
            ));
        }
        Ok(self.clone())
    }
}

impl Error {
    /// Returns the id of the job that the error is about.
    #[must_use]
    pub fn job_id(&self) -> Option<&JobId> {
        self.job_id_text().map(JobId::from_string)
    }
}

/// Accepts an integer too, which some servers write.
impl<'de> Deserialize<'de> for JobId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct JobIdVisitor;

        impl Visitor<'_> for JobIdVisitor {
            type Value = JobId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a job id, which is a string or an integer")
            }

            fn visit_str<E>(self, id: &str) -> Result<JobId, E> {
                Ok(id.into())
            }

            fn visit_string<E>(self, id: String) -> Result<JobId, E> {
                Ok(id.into())
            }

            fn visit_u64<E>(self, id: u64) -> Result<JobId, E> {
                Ok(JobId(id.to_string()))
            }

            fn visit_i64<E>(self, id: i64) -> Result<JobId, E> {
                Ok(JobId(id.to_string()))
            }
        }

        deserializer.deserialize_any(JobIdVisitor)
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl From<String> for JobId {
    fn from(id: String) -> Self {
        Self(id)
    }
}

impl From<&JobId> for JobId {
    fn from(id: &JobId) -> Self {
        id.clone()
    }
}

impl From<JobId> for String {
    fn from(id: JobId) -> Self {
        id.0
    }
}

impl FromStr for JobId {
    type Err = Infallible;

    fn from_str(id: &str) -> Result<Self, Infallible> {
        Ok(id.into())
    }
}

impl From<&str> for JobId {
    fn from(id: &str) -> Self {
        Self(id.to_owned())
    }
}

impl AsRef<str> for JobId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}
