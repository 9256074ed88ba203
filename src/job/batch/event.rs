//! The lines of a journal, and the state of each key that they add up to.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::ExportFormat;
use crate::JobId;
use crate::job::JobService;

/// The beginning of every journal, so that no other file is taken for one.
pub(super) const BEGINNING: &[u8] = br#"{"journal":"sqlflow-client","#;
const JOURNAL: &str = "sqlflow-client";
const VERSION: u32 = 1;

/// The first line: whose jobs these are.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header {
    journal: String,
    version: u32,
    #[serde(default)]
    server: String,
    #[serde(default)]
    user: String,
}

impl Header {
    pub(super) fn of(service: &JobService) -> Self {
        Self {
            journal: JOURNAL.to_owned(),
            version: VERSION,
            server: service.base_url().to_owned(),
            user: service.transport().user_id().to_owned(),
        }
    }

    /// Returns the reason for which a batch with this header cannot continue a journal with another.
    pub(super) fn refuses(&self, other: &Self) -> Option<String> {
        let Self { version, server, user, .. } = other;
        if *version != VERSION {
            return Some(format!(
                "is of version {version}, and this client knows version {VERSION}: go on with the client that wrote it"
            ));
        }
        for (name, ours, theirs) in [("server", &self.server, server), ("user", &self.user, user)] {
            if ours != theirs {
                return Some(format!(
                    "is of the {name} {theirs}, and this client has {ours}: use a client of that {name}, or another \
                     journal"
                ));
            }
        }
        None
    }
}

/// Every other line: what happened to a key, and when in seconds since 1970.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct JournalLine {
    key: String,
    #[serde(flatten)]
    event: JournalEvent,
    #[serde(default)]
    at: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum JournalEvent {
    /// Is about to be sent under this name.
    Submitting { name: String },
    /// The server has taken it.
    Submitted { job: JobId },
    /// It was certainly not taken.
    Refused { kind: String },
    /// The job ended with a result.
    Finished { status: String },
    /// The job ended without one, and will not be sent again by itself.
    Failed { kind: String, text: String },
    /// A file is there, whole.
    Exported { format: ExportFormat, file: String, bytes: u64 },
}

impl JournalLine {
    pub(super) fn now(key: &str, event: JournalEvent) -> Self {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Self { key: key.to_owned(), event, at }
    }
}

/// A header or another line, as it is written.
pub(super) fn written(line: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    Ok(text)
}

/// The entries of all keys.
pub(super) type Entries = HashMap<String, Entry>;

/// The entry of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// The name of its job.
    pub(super) name: String,
    pub(super) stage: Stage,
    pub(super) exported: Vec<Exported>,
}

/// The stage that a key has reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    /// It may have been sent or not.
    Submitting,
    Refused,
    Submitted(JobId),
    Finished(JobId),
    Failed {
        job: JobId,
        text: String,
    },
}

/// A file that was there, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exported {
    pub(super) format: ExportFormat,
    pub(super) file: String,
    pub(super) bytes: u64,
}

impl Entry {
    /// Adds a line to what is known.
    ///
    /// # Errors
    /// Tells what the line cannot follow.
    pub(super) fn heed(entries: &mut Entries, line: JournalLine) -> Result<(), &'static str> {
        let JournalLine { key, event, .. } = line;
        if let JournalEvent::Submitting { name } = event {
            // A new job: what is known of an older one of this key no longer counts.
            entries.insert(key, Self { name, stage: Stage::Submitting, exported: Vec::new() });
            return Ok(());
        }
        entries.get_mut(&key).ok_or("it tells of a key that was never submitted")?.go_on(event)
    }

    fn go_on(&mut self, event: JournalEvent) -> Result<(), &'static str> {
        let job = match &self.stage {
            Stage::Submitted(job) | Stage::Finished(job) => Some(job.clone()),
            Stage::Submitting | Stage::Refused | Stage::Failed { .. } => None,
        };
        self.stage = match (event, job) {
            (JournalEvent::Submitted { job }, _) => Stage::Submitted(job),
            (JournalEvent::Refused { .. }, None) => Stage::Refused,
            (JournalEvent::Finished { .. }, Some(job)) => Stage::Finished(job),
            (JournalEvent::Failed { text, .. }, Some(job)) => Stage::Failed { job, text },
            (JournalEvent::Exported { format, file, bytes }, Some(job)) => {
                self.exported.retain(|known| known.file != file);
                self.exported.push(Exported { format, file, bytes });
                Stage::Finished(job)
            }
            (JournalEvent::Submitting { .. }, _) => return Err("it tells of a submission twice"),
            (JournalEvent::Refused { .. }, Some(_)) => return Err("it tells that a job was refused which was taken"),
            (JournalEvent::Finished { .. } | JournalEvent::Failed { .. } | JournalEvent::Exported { .. }, None) => {
                return Err("it tells of a job that was not taken");
            }
        };
        Ok(())
    }

    /// Returns `true` if a run that is not given this key has to finish it.
    pub(super) fn is_unfinished(&self, formats: &[ExportFormat]) -> bool {
        match self.stage {
            Stage::Submitting | Stage::Submitted(_) => true,
            Stage::Finished(_) => formats.iter().any(|format| !self.has(*format)),
            Stage::Refused | Stage::Failed { .. } => false,
        }
    }

    /// Returns `true` if it was ever exported in this format.
    pub(super) fn has(&self, format: ExportFormat) -> bool {
        self.exported.iter().any(|exported| exported.format == format)
    }
}
