//! The lines of a journal, and the state of each key that they add up to.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::ExportFormat;
use crate::JobId;
use crate::job::JobService;

/// The beginning of every journal, so that no other file is mistaken for one.
pub(super) const BEGINNING: &[u8] = br#"{"journal":"sqlflow-client","#;
const JOURNAL: &str = "sqlflow-client";
const VERSION: u32 = 1;

/// The first line: the server and the user that the jobs belong to.
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
                "has version {version}, but this client reads version {VERSION}: continue with a client of the release that wrote it"
            ));
        }
        for (name, ours, theirs) in [("server", &self.server, server), ("user", &self.user, user)] {
            if ours != theirs {
                return Some(format!(
                    "belongs to the {name} {theirs}, but this client uses {ours}: use a client of that {name}, or \
                     another journal"
                ));
            }
        }
        None
    }
}

/// Every other line: an event of a key, with its time in seconds since 1970.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct JournalLine {
    key: String,
    #[serde(flatten)]
    event: JournalEvent,
    #[serde(default)]
    at: u64,
}

/// A step in the work of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum JournalEvent {
    /// The submission is about to be sent under this name.
    Submitting { name: String },
    /// The server accepted the submission.
    Submitted { job: JobId },
    /// The server certainly did not accept the submission.
    Refused { kind: String },
    /// The job ended with a result.
    Finished { status: String },
    /// The job ended without a result. It is not submitted again unless the caller asks for it.
    Failed { kind: String, text: String },
    /// A file is complete.
    Exported { format: ExportFormat, file: String, bytes: u64 },
}

impl JournalLine {
    pub(super) fn now(key: &str, event: JournalEvent) -> Self {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Self { key: key.to_owned(), event, at }
    }
}

/// Returns a header or another line as the bytes of one line of JSON.
pub(super) fn to_json_line(line: &impl Serialize) -> serde_json::Result<Vec<u8>> {
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
    /// The submission may or may not have been sent, and was not sent before this time, in seconds since 1970.
    Submitting(u64),
    Refused,
    Submitted(JobId),
    Finished(JobId),
    Failed {
        job: JobId,
        text: String,
    },
}

/// A file that was exported completely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exported {
    pub(super) format: ExportFormat,
    pub(super) file: String,
    pub(super) bytes: u64,
}

impl Entry {
    /// Applies a line of the journal to the entries.
    ///
    /// # Errors
    /// The reason for which the line cannot follow the ones before it.
    pub(super) fn apply(entries: &mut Entries, line: JournalLine) -> Result<(), &'static str> {
        let JournalLine { key, event, at } = line;
        if let JournalEvent::Submitting { name } = event {
            // A new job replaces everything that is known of an older one with the same key.
            entries.insert(key, Self { name, stage: Stage::Submitting(at), exported: Vec::new() });
            return Ok(());
        }
        entries.get_mut(&key).ok_or("its key was never submitted")?.advance(event)
    }

    fn advance(&mut self, event: JournalEvent) -> Result<(), &'static str> {
        let job = match &self.stage {
            Stage::Submitted(job) | Stage::Finished(job) => Some(job.clone()),
            Stage::Submitting(_) | Stage::Refused | Stage::Failed { .. } => None,
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
            (JournalEvent::Submitting { .. }, _) => return Err("it records a submission twice"),
            (JournalEvent::Refused { .. }, Some(_)) => return Err("it records that an accepted job was refused"),
            (JournalEvent::Finished { .. } | JournalEvent::Failed { .. } | JournalEvent::Exported { .. }, None) => {
                return Err("it records a step of a job that was not accepted");
            }
        };
        Ok(())
    }

    /// Returns `true` if it is unknown whether the submission was sent.
    pub(super) fn is_submitting(&self) -> bool {
        matches!(self.stage, Stage::Submitting(_))
    }

    /// Returns `true` if a run that does not receive this key again has to finish it.
    pub(super) fn is_unfinished(&self, formats: &[ExportFormat]) -> bool {
        match self.stage {
            Stage::Submitting(_) | Stage::Submitted(_) => true,
            Stage::Finished(_) => formats.iter().any(|format| !self.has(*format)),
            Stage::Refused | Stage::Failed { .. } => false,
        }
    }

    /// Returns `true` if the job was ever exported in this format.
    pub(super) fn has(&self, format: ExportFormat) -> bool {
        self.exported.iter().any(|exported| exported.format == format)
    }
}
