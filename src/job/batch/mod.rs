//! Batches: any number of submissions, a few at a time, and a journal to go on from after a crash.

mod files;
mod journal;
mod patience;
mod piece;
mod record;
mod run;
mod writer;

use std::path::PathBuf;
use std::time::Duration;

pub use self::files::ExportFormat;
pub use self::run::BatchRun;

use self::files::{Parts, Place};
use self::journal::Journal;
use self::piece::Shared;
use super::{JobId, Polling, Submit, wait};
use crate::job::JobService;
use crate::{Error, Result};

const IN_FLIGHT: usize = 8;
const MAX_OUTAGE: Duration = Duration::from_secs(600);

/// Submits any number of jobs, a few at a time, follows each to its end, and exports it. Made by [`Client::batch`].
///
/// Every step that matters is noted in a journal. Killed at any point, by a crash or a power cut too, and run again
/// with the same journal, it goes on where it was:
///
/// - **Nothing is submitted twice.** The name of a job is on disk before its submission is sent. Where no note tells
///   what became of one, the server is asked for a job of that name, and only if there is none is it sent, under the
///   same name.
/// - **Nothing is lost.** Whatever has no note of its end is taken up again: jobs are attached to, waited for,
///   exported. So are those of earlier runs that a later one is not given.
/// - **Exports are whole or not there.** A file that is missing, or is not as long as was noted, is exported again;
///   nothing else is.
///
/// ```no_run
/// # async fn example(sqlflow: sqlflow_client::Client) -> sqlflow_client::Result<()> {
/// use sqlflow_client::Vendor;
/// use sqlflow_client::job::ExportFormat;
///
/// let schemas = ["sales", "stock", "staff"];
/// let client = sqlflow.clone();
/// let submissions = schemas.into_iter().map(move |schema| {
///     (schema, client.submit(Vendor::Oracle).name(schema).path(format!("etl/{schema}")))
/// });
/// let mut run = sqlflow.batch("nightly.journal").max_in_flight(16).export(ExportFormat::Csv, "lineage").run(submissions);
/// while let Some(outcome) = run.try_next().await? {
///     match outcome.error() {
///         None => println!("{}: {:?}", outcome.key(), outcome.files()),
///         Some(error) => eprintln!("{}: {error}", outcome.key()),
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Keys
/// A key is what the caller calls a piece of work, and by which a later run knows it again: the same key means the same
/// work, whatever is submitted under it. Work that has changed wants another key, or another journal. Files are named
/// after keys. Letters, digits, `.`, `_` and `-` stay as they are, all else is percent-encoded, and so are a dot at the
/// beginning and that of a `.full` at the end; the result may have 200 bytes. No two keys share a file, except where a
/// file system takes `A` for `a`.
///
/// # Failures
/// A submission that is refused, a job that fails, an export that cannot be written: each is a
/// [`BatchOutcome`] with an error, and the others go on. What happens to it in a later run depends on how it ended:
///
/// | it ended with | a later run |
/// |---|---|
/// | all files | looks whether the files are there |
/// | no job: refused, not reached, wrong input | submits it, under a new name |
/// | [`SubmitUnknown`](crate::ErrorKind::SubmitUnknown), a failure of the server at the submit, or a refusal after either | finds out whether there is a job, and submits it if not, under the same name |
/// | [`JobFailed`](crate::ErrorKind::JobFailed) | says so again, unless told to [retry](Batch::retry_failed) |
/// | [`JobNotFound`](crate::ErrorKind::JobNotFound) with the id of a job | asks again, and gives up as before, unless told to [retry](Batch::retry_failed) |
/// | `JobNotFound` without one, as its submission was not given | submits it when it is given |
/// | anything else | goes on with the job |
///
/// What was being submitted when a run ended early is looked for under its name, for the window of
/// [`Settling`](crate::job::Settling) from the start of the next run, before it is sent again. A server that takes
/// longer than that from the last byte of an upload to its list wants a longer window; with
/// [`send_again(false)`](crate::job::Settling::send_again) nothing depends on it: then what is not found ends as
/// `SubmitUnknown` in every run, until it is found or given under another key.
///
/// # The journal
/// One line of JSON for each step, after a first one with the server and the user: a journal is of one server, one user
/// and one run at a time, and locked while it runs. A line that a crash has torn is the last, and is cut off. Any other
/// damage is an error. It holds keys, names and ids of jobs, paths of exports, and what the server said of jobs that
/// failed, which may quote their SQL; never credentials, or a password of a submission. Deleting it makes all work new.
/// Names of jobs always have a suffix, whatever the submission says of its name.
///
/// # Errors
/// [`BatchRun`] ends with an error only when nothing can be noted, or before anything is submitted:
/// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a journal that is in use by another process, damaged, no
/// journal, or of another server, user or version, and for a setting that cannot be;
/// [`Io`](crate::ErrorKind::Io) for one that cannot be opened, read or written, and for a directory that cannot be
/// made.
#[derive(Debug, Clone)]
#[must_use = "does nothing until it is run"]
pub struct Batch {
    service: JobService,
    journal: PathBuf,
    in_flight: usize,
    places: Vec<Place>,
    deadline: Option<Duration>,
    polling: Option<Polling>,
    max_outage: Duration,
    retry_failed: bool,
}

impl Batch {
    pub(crate) fn new(service: JobService, journal: PathBuf) -> Self {
        Self {
            service,
            journal,
            in_flight: IN_FLIGHT,
            places: Vec::new(),
            deadline: Some(wait::DEADLINE),
            polling: None,
            max_outage: MAX_OUTAGE,
            retry_failed: false,
        }
    }

    /// How many pieces of work are under way at once, each from its submission to its last export. By default 8.
    pub fn max_in_flight(mut self, jobs: usize) -> Self {
        self.in_flight = jobs;
        self
    }

    /// Exports every job in this format, to `directory/key.extension`. May be called more than once. The directory is
    /// made if it is not there.
    ///
    /// Files appear whole or not at all, as with [`Export::to_file`](super::Export::to_file). What a killed run has
    /// left of a file under a temporary name is deleted when that file is exported. Without any export a piece of work
    /// ends with its job.
    pub fn export(mut self, format: ExportFormat, directory: impl Into<PathBuf>) -> Self {
        let place = Place { format, directory: directory.into() };
        if !self.places.contains(&place) {
            self.places.push(place);
        }
        self
    }

    /// How long to wait for each job, as [`Wait::deadline`](super::Wait::deadline). By default 24 hours, in each run
    /// anew.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Waits for each job for as long as it takes.
    pub fn without_deadline(mut self) -> Self {
        self.deadline = None;
        self
    }

    /// How often to ask for the state of a job, in place of the client's setting.
    pub fn polling(mut self, polling: Polling) -> Self {
        self.polling = Some(polling);
        self
    }

    /// How long a step (submitting, waiting, one export) is tried again while the server cannot be reached, is busy, or
    /// breaks off, counted from when the client itself first gave up. By default 10 minutes. Then the piece of work is
    /// given up for this run.
    ///
    /// Pauses grow to 30 seconds and vary at random; a server that says how long to wait is heeded. A submission of
    /// which nobody knows whether it arrived is looked for before it is sent again, and one that the server may still
    /// be at is only looked for.
    pub fn max_outage(mut self, max_outage: Duration) -> Self {
        self.max_outage = max_outage;
        self
    }

    /// Whether what failed in an earlier run is submitted anew, under a new name: jobs that ended as failed, and jobs
    /// that the server no longer knows. By default not.
    pub fn retry_failed(mut self, retry: bool) -> Self {
        self.retry_failed = retry;
        self
    }

    /// Runs it, while the result is polled: nothing has happened yet when this returns.
    ///
    /// Submissions are taken one by one, as there is room for them, so there may be any number; an iterator that
    /// blocks blocks the run. They have to come from a client of the same server and user. Of each key
    /// some hundred bytes are kept in memory. After the last of them comes what earlier runs have left undone.
    pub fn run<K, I>(self, submissions: I) -> BatchRun
    where
        K: Into<String>,
        I: IntoIterator<Item = (K, Submit)>,
        I::IntoIter: Send + 'static,
    {
        BatchRun::new(self, submissions.into_iter())
    }

    fn check(&self) -> Result<()> {
        if self.in_flight == 0 {
            return Err(Error::invalid("no job may be in flight, so nothing would ever be done: allow at least 1"));
        }
        self.polling.map_or(Ok(()), |polling| polling.check())
    }

    fn shared(self, journal: Journal, parts: Parts) -> Shared {
        Shared {
            service: self.service,
            journal,
            parts,
            places: self.places,
            deadline: self.deadline,
            polling: self.polling,
            max_outage: self.max_outage,
            retry_failed: self.retry_failed,
        }
    }
}

/// What became of a piece of work in this run.
#[derive(Debug, Clone)]
#[must_use = "it may have failed"]
pub struct BatchOutcome {
    key: String,
    name: Option<String>,
    job: Option<JobId>,
    files: Vec<PathBuf>,
    error: Option<Error>,
    is_resumed: bool,
}

impl BatchOutcome {
    /// What the caller calls it.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The name that was chosen for its job, whether or not there is one of that name on the server.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The id of its job, if it has one.
    #[must_use]
    pub fn job_id(&self) -> Option<&JobId> {
        self.job.as_ref()
    }

    /// The exports that are there, in the order they were asked for.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Why it is not done, if it is not.
    #[must_use]
    pub fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }

    /// Whether the job ended with a result, and all exports are there.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.error.is_none()
    }

    /// Whether an earlier run had brought it to this end, so that nothing was left to do.
    #[must_use]
    pub fn resumed(&self) -> bool {
        self.is_resumed
    }
}
