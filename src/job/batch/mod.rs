//! Batches: any number of submissions, a few at a time, with a journal from which a later run continues.

mod event;
mod file_names;
mod files;
mod journal;
mod outage;
mod run;
mod work_item;
mod writer;

use std::path::PathBuf;
use std::time::Duration;

use futures_util::stream::{self, Stream};

pub use self::files::ExportFormat;
pub use self::run::BatchRun;

use self::files::{ExportTarget, PartialFiles};
use self::journal::Journal;
use self::work_item::RunContext;
use super::{JobId, Polling, Submit, wait};
use crate::job::JobService;
use crate::{Error, Result};

const IN_FLIGHT: usize = 8;
const MAX_OUTAGE: Duration = Duration::from_secs(600);

/// A batch of submissions: submits any number of jobs, a few at a time, follows each to its end, and exports it. Created
/// by [`Client::batch`](crate::Client::batch).
///
/// Every step that matters is recorded in a journal. If the process is killed at any point, by a crash or a power
/// failure too, and run again with the same journal, it continues where it was:
///
/// - **Nothing is submitted twice.** The name of a job is on disk before its submission is sent. If the journal does
///   not say what became of a submission, the server is asked for a job of that name, and only if there is none is the
///   submission sent again, under the same name.
/// - **Nothing is lost.** Everything that the journal does not record as finished is continued: jobs are attached
///   to, waited for and exported. This includes submissions of earlier runs that a later run is not given.
/// - **Exports are complete or absent.** A file that is missing, or whose length is not the recorded one, is exported
///   again. Nothing else is.
///
/// ```no_run
/// # async fn example(sqlflow: sqlflow_client::Client) -> sqlflow_client::Result<()> {
/// use sqlflow_client::Vendor;
/// use sqlflow_client::job::ExportFormat;
///
/// let schemas = ["sales", "stock", "staff"];
/// let client = sqlflow.clone();
/// let submissions = schemas.into_iter().map(move |schema| {
///     let submit = client.submit(Vendor::Oracle).name(schema);
///     (schema, submit.path(format!("etl/{schema}")))
/// });
/// let batch = sqlflow.batch("nightly.journal").max_in_flight(16);
/// let mut run = batch.export(ExportFormat::Csv, "lineage").run(submissions);
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
/// A key is the name that the caller gives a submission, and by which a later run recognizes it: the same key means the
/// same work, whatever is submitted under it. Work that has changed needs another key, or another journal.
///
/// Files are named after keys. A key of lower-case ASCII letters, digits, `.`, `_` and `-` is the name of its files:
/// `orders-2024` is exported to `orders-2024.csv`. Any other key is a readable part and a hash of the whole key, so that
/// no two keys share a file: `etl/orders.sql` is exported to `etl_orders.sql-v0n5ap56rtee7.csv`, and `Orders` to
/// `Orders-smpvb75nqjd1b.csv`. This includes keys that begin or end with a dot, end with `.full` or with what
/// looks like a hash, are longer than 200 bytes, or are the name of a device on Windows (`nul`, `com1.x`). The names are
/// valid on every platform, and differ on file systems that ignore case or normalize Unicode too. A name depends on the
/// key alone.
///
/// A journal of a version that percent-encoded keys remains valid. The work of keys whose file names have changed is
/// exported once more, under the new names; the old files are left where they are.
///
/// # Failures
/// A submission that is refused, a job that fails, an export that cannot be written: each is a [`BatchOutcome`] with an
/// error, and the others continue. A later run continues according to how the submission ended:
///
/// | it ended with | a later run |
/// |---|---|
/// | all files | checks whether the files exist |
/// | no job: refused, server not reached, invalid input | submits it, under a new name |
/// | [`SubmitUnknown`](crate::ErrorKind::SubmitUnknown), or a failure of the server while submitting, even if a later attempt was refused | finds out whether there is a job, and if not submits it, under the same name |
/// | [`JobFailed`](crate::ErrorKind::JobFailed) | reports it again, unless [`retry_failed`](Batch::retry_failed) is set |
/// | [`JobNotFound`](crate::ErrorKind::JobNotFound) with the id of a job: the job is gone from the server | asks again, and fails as before, unless [`retry_failed`](Batch::retry_failed) is set |
/// | `JobNotFound` without one: there is no job yet, and this run was not given the submission | submits it when it is given |
/// | anything else | continues with the job |
///
/// A submission that was in flight when a run ended early is looked for by its name, for the window of
/// [`Settling`](crate::job::Settling) from the start of the next run, before it is sent again. A server that takes
/// longer than that from the last byte of an upload until the job is listed needs a longer window. With
/// [`send_again(false)`](crate::job::Settling::send_again), nothing depends on the window: a job that is not found then
/// ends as `SubmitUnknown` in every run, until it is found or submitted under another key.
///
/// # The journal
/// The first line contains the server and the user, and each step adds one line of JSON. A journal belongs to one
/// server, one user and one run at a time, and is locked while it runs. If a crash truncated a line, it is the last one
/// and is removed; any other damage is an error. Only its owner may read a journal that a run created. It contains keys, names and ids of jobs, paths of exports,
/// and the messages of jobs that failed, which may quote their SQL; it never contains credentials, or a password of a
/// submission. If it is deleted, all work is new. Names of jobs always get a suffix, whatever the submission says.
///
/// # Errors
/// [`BatchRun`] ends with an error only if the journal cannot be written, or before anything is submitted:
/// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a journal that is used by another process, is damaged, is not a
/// journal, is a pipe or a device, or belongs to another server, user or version, for an invalid setting, and without
/// an account; [`Io`](crate::ErrorKind::Io) for a journal that cannot be opened, read or written, and for a directory
/// that cannot be created.
#[derive(Debug, Clone)]
#[must_use = "does nothing until it is run"]
pub struct Batch {
    service: JobService,
    journal: PathBuf,
    in_flight: usize,
    export_targets: Vec<ExportTarget>,
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
            export_targets: Vec::new(),
            deadline: Some(wait::DEADLINE),
            polling: None,
            max_outage: MAX_OUTAGE,
            retry_failed: false,
        }
    }

    /// Sets the maximum number of submissions in flight, each from its submission to its last export. By default 8.
    pub fn max_in_flight(mut self, jobs: usize) -> Self {
        self.in_flight = jobs;
        self
    }

    /// Exports every job in this format, to `directory/key.extension`. It can be called more than once. The directory is
    /// created if it does not exist.
    ///
    /// Files appear complete or not at all, as with [`Export::to_file`](super::Export::to_file). A partial file that a
    /// killed run left under a temporary name is deleted when that file is exported. Without any export, a submission
    /// is done when its job has ended.
    pub fn export(mut self, format: ExportFormat, directory: impl Into<PathBuf>) -> Self {
        let export_target = ExportTarget { format, directory: directory.into() };
        if !self.export_targets.contains(&export_target) {
            self.export_targets.push(export_target);
        }
        self
    }

    /// Sets the deadline of each job, as [`Wait::deadline`](super::Wait::deadline). By default 24 hours, counted anew in
    /// each run.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Waits for each job for as long as it takes.
    pub fn without_deadline(mut self) -> Self {
        self.deadline = None;
        self
    }

    /// Sets how often to poll the state of a job, in place of the client's setting.
    pub fn polling(mut self, polling: Polling) -> Self {
        self.polling = Some(polling);
        self
    }

    /// Sets the maximum time for which a step (submitting, waiting, one export) is retried while the server cannot be
    /// reached, is busy, or breaks connections, counted from when the client itself first gave up. By default 10
    /// minutes. After that, the submission fails for this run.
    ///
    /// Pauses grow to 30 seconds and vary at random; `Retry-After` is respected. A submission that may have arrived is
    /// looked for before it is sent again; while the server may still be processing it, it is only looked for.
    pub fn max_outage(mut self, max_outage: Duration) -> Self {
        self.max_outage = max_outage;
        self
    }

    /// Sets whether work that failed in an earlier run is submitted again, under a new name: jobs that failed, and jobs
    /// that no longer exist on the server. By default it is not.
    pub fn retry_failed(mut self, retry: bool) -> Self {
        self.retry_failed = retry;
        self
    }

    /// Creates a run of the batch. Nothing happens until the run is polled.
    ///
    /// Submissions are taken one by one as slots become free, so there may be any number of them; an iterator that
    /// blocks blocks the run. The iterator must own what it needs: give it a `Vec<String>` rather than a `&[String]`.
    /// Submissions must come from a client of the same server and user. Jobs are named after their files unless the
    /// submission has a [name](crate::job::Submit::name). Each key takes some hundred bytes of memory. After the last
    /// submission come those that earlier runs left unfinished.
    pub fn run<K, I>(self, submissions: I) -> BatchRun
    where
        K: Into<String>,
        I: IntoIterator<Item = (K, Submit)>,
        I::IntoIter: Send + 'static,
    {
        self.run_stream(stream::iter(submissions))
    }

    /// Creates a run of the batch from a stream of submissions, for submissions that are only known in the course of
    /// time: from a queue, a database cursor, or a walk through a repository. Nothing happens until the run is polled.
    ///
    /// It is like [`run`](Batch::run). The stream is polled when a slot is free, and jobs in flight continue while it
    /// waits. Work that earlier runs left unfinished is continued after the stream has ended; if yours never ends, first
    /// run the batch with no submissions. A submission is recorded in the journal when its turn comes, so acknowledge a
    /// message of a queue when its outcome is there, not earlier.
    ///
    /// ```no_run
    /// # async fn example(sqlflow: sqlflow_client::Client) -> sqlflow_client::Result<()> {
    /// use futures_util::stream;
    /// use sqlflow_client::Vendor;
    ///
    /// let (sender, receiver) = tokio::sync::mpsc::channel::<String>(100);
    /// let client = sqlflow.clone();
    /// let submissions = stream::unfold((receiver, client), |(mut receiver, client)| async {
    ///     let script = receiver.recv().await?;
    ///     let submit = client.submit(Vendor::Oracle).path(&script);
    ///     Some(((script, submit), (receiver, client)))
    /// });
    /// let mut run = sqlflow.batch("queue.journal").run_stream(submissions);
    /// # drop(sender);
    /// while let Some(outcome) = run.try_next().await? {
    ///     match outcome.error() {
    ///         None => println!("{} is done", outcome.key()),
    ///         Some(error) => eprintln!("{} failed: {error}", outcome.key()),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn run_stream<K, S>(self, submissions: S) -> BatchRun
    where
        K: Into<String>,
        S: Stream<Item = (K, Submit)> + Send + 'static,
    {
        BatchRun::new(self, submissions)
    }

    fn check(&self) -> Result<()> {
        if self.in_flight == 0 {
            return Err(Error::invalid("max_in_flight is 0, so that no job could be submitted: allow at least 1"));
        }
        self.polling.map_or(Ok(()), |polling| polling.check())
    }

    fn context(self, journal: Journal, partial_files: PartialFiles) -> RunContext {
        RunContext {
            service: self.service,
            journal,
            partial_files,
            export_targets: self.export_targets,
            deadline: self.deadline,
            polling: self.polling,
            max_outage: self.max_outage,
            retry_failed: self.retry_failed,
        }
    }
}

/// The outcome of one submission in this run.
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
    /// Returns the key that the caller gave the submission.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Returns the name that was chosen for its job, whether or not the server has a job of that name.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns the id of the job, if there is one.
    #[must_use]
    pub fn job_id(&self) -> Option<&JobId> {
        self.job.as_ref()
    }

    /// Returns the exported files that exist, in the order in which they were requested.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Returns the error, if the submission is not done.
    #[must_use]
    pub fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }

    /// Returns the outcome, or its error if the submission is not done, so that `?` stops at the first failure.
    ///
    /// # Errors
    /// The [`error`](BatchOutcome::error) of the outcome.
    pub fn into_result(self) -> Result<Self> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(self),
        }
    }

    /// Returns `true` if the job ended with a result and all exports are written.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.error.is_none()
    }

    /// Returns `true` if an earlier run had already reached this outcome, so that this run only reports it.
    #[must_use]
    pub fn was_done_before(&self) -> bool {
        self.is_resumed
    }
}
