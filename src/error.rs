//! What can go wrong, told apart by what a caller does next.

use std::error::Error as StdError;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::job::JobId;
use crate::lineage::{LookupError, MergeError, ReadError, ReadErrorKind};

/// The result of most calls of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed.
///
/// [`kind`](Error::kind) says what to do about it; the text says what failed, on which input, and what to do next.
/// Causes of other crates are in [`source`](StdError::source). Whole bodies are never kept, URLs never with their
/// query. An error is cheap to clone: many tasks may wait for one answer.
#[derive(Clone, thiserror::Error)]
#[error(transparent)]
pub struct Error(Arc<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    operation: Option<&'static str>,
    status: Option<u16>,
    code: Option<i64>,
    retry_after: Option<Duration>,
    job: Option<JobId>,
    job_name: Option<String>,
    attempts: u32,
    /// How long the attempts took together.
    elapsed: Duration,
    reached: Option<Reached>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl fmt::Display for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        f.write_str(&self.tries())
    }
}

/// By hand, so that the cause is what it is and not the `Arc` around it: callers look for types they know.
impl StdError for Inner {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl Inner {
    fn tries(&self) -> String {
        match self.attempts {
            _ if self.elapsed.is_zero() => String::new(),
            0 | 1 => String::new(),
            attempts => format!(" (tried {attempts} times in {:.1?})", self.elapsed),
        }
    }
}

/// How far a call came that failed, where that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    /// The request was not sent to its end.
    Request,
    /// The answer had begun.
    Answer,
}

/// What an [`Error`] asks of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The input is wrong: correct the argument that the text names. Nothing was sent.
    InvalidInput,
    /// A local file or directory cannot be read or written. Nothing was sent, or what came is not kept.
    Io,
    /// User id, secret key or token are missing, wrong or expired.
    Authentication,
    /// The server refuses this request, and will again: change it.
    Rejected,
    /// The server has too much to do, or too many calls were made: try later.
    /// [`Error::retry_after`] says when, if the server did.
    Busy,
    /// The server was not reached (name, connection, TLS). Nothing arrived there, so calling again is safe.
    Connect,
    /// No answer in time. What the call was to change may have changed.
    Timeout,
    /// The connection broke on the way, or the answer is cut off. What the call was to change may have changed.
    Interrupted,
    /// The server, or a proxy before it, failed. What the call was to change may have changed.
    Server,
    /// The answer is not what the API promises: not JSON, a page, or without the part that matters. What the call was
    /// to change may have changed.
    Protocol,
    /// Something is over a limit: an upload, an answer, or an export that the server refuses to write.
    TooLarge,
    /// The job ended as failed; its message is in the text.
    JobFailed,
    /// The job is not there (any more).
    JobNotFound,
    /// A job was submitted, and whether it was made could not be found out. It must not be submitted again before that
    /// is known: [`Error::job_name`] is the name to look for, with [`Client::find_job`](crate::Client::find_job). Of a
    /// batch that was to be added to a job, [`Error::job_id`] is the job.
    SubmitUnknown,
    /// The deadline of a wait passed. The job still runs: [`Error::job_id`] attaches to it again.
    Deadline,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::InvalidInput => "invalid input",
            Self::Io => "local file",
            Self::Authentication => "authentication",
            Self::Rejected => "rejected by the server",
            Self::Busy => "server busy",
            Self::Connect => "no connection",
            Self::Timeout => "timeout",
            Self::Interrupted => "connection lost",
            Self::Server => "server failure",
            Self::Protocol => "answer not understood",
            Self::TooLarge => "too large",
            Self::JobFailed => "job failed",
            Self::JobNotFound => "job not found",
            Self::SubmitUnknown => "outcome of a submit unknown",
            Self::Deadline => "deadline passed",
        })
    }
}

impl Error {
    /// What to do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The operation of the API that failed, by its id in `swagger.yaml`.
    #[must_use]
    pub fn operation(&self) -> Option<&str> {
        self.0.operation
    }

    /// The HTTP status, where it was not 200.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// The code inside the envelope. Servers answer HTTP 200 even for failures; this is what they mean.
    #[must_use]
    pub fn code(&self) -> Option<i64> {
        self.0.code
    }

    /// How long the server asks to wait before the next call.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The job that the error is about.
    #[must_use]
    pub fn job_id(&self) -> Option<&JobId> {
        self.0.job.as_ref()
    }

    /// The name of the job that was submitted, where it is not known whether that became a job.
    #[must_use]
    pub fn job_name(&self) -> Option<&str> {
        self.0.job_name.as_deref()
    }

    /// How often the call was tried before it was given up: 1 for a call that was not repeated. It is 0 for a
    /// failure that no request was made for, and for one that the envelope of an answer tells.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Arc::new(Inner {
            kind,
            message: message.into(),
            operation: None,
            status: None,
            code: None,
            retry_after: None,
            job: None,
            job_name: None,
            attempts: 0,
            elapsed: Duration::ZERO,
            reached: None,
            source: None,
        }))
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    /// The cause stands in the text, not in the chain: a path without its reason helps nobody.
    pub(crate) fn io(what: impl fmt::Display, error: &std::io::Error) -> Self {
        Self::new(ErrorKind::Io, format!("{what}: {error}"))
    }

    pub(crate) fn caused_by(self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.with(|inner| inner.source = Some(Arc::new(source)))
    }

    pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> Self {
        Self::io(format_args!("cannot read {}", path.display()), error)
    }

    /// The same error with another text, and without a cause that may tell what the first text told.
    pub(crate) fn with_text(self, text: String) -> Self {
        self.with(|inner| {
            inner.message = text;
            inner.source = None;
        })
    }

    pub(crate) fn in_operation(self, id: &'static str) -> Self {
        self.with(|inner| inner.operation = Some(id))
    }

    pub(crate) fn with_status(self, status: u16) -> Self {
        self.with(|inner| inner.status = Some(status))
    }

    pub(crate) fn with_code(self, code: i64) -> Self {
        self.with(|inner| inner.code = Some(code))
    }

    pub(crate) fn with_retry_after(self, delay: Option<Duration>) -> Self {
        self.with(|inner| inner.retry_after = delay)
    }

    pub(crate) fn with_job(self, id: &JobId) -> Self {
        self.with(|inner| inner.job = Some(id.clone()))
    }

    pub(crate) fn with_job_name(self, name: &str) -> Self {
        self.with(|inner| inner.job_name = Some(name.to_owned()))
    }

    /// What this failure leaves open: whether a submit arrived.
    pub(crate) fn into_submit_unknown(self, text: String) -> Self {
        let unknown = self.clone().with(|inner| {
            inner.kind = ErrorKind::SubmitUnknown;
            inner.message = text;
            // Told in the text already.
            inner.elapsed = Duration::ZERO;
        });
        unknown.caused_by(self)
    }

    /// What this failure means of a job that was asked about.
    pub(crate) fn into_job_not_found(self, id: &JobId, text: String) -> Self {
        let not_found = self.clone().with(|inner| {
            inner.kind = ErrorKind::JobNotFound;
            inner.message = text;
            inner.job = Some(id.clone());
        });
        not_found.caused_by(self)
    }

    /// The error of a call that was given up after so many attempts. More than one stand in its text.
    pub(crate) fn after(self, attempts: u32, elapsed: Duration) -> Self {
        self.with(|inner| {
            inner.attempts = attempts;
            inner.elapsed = elapsed;
        })
    }

    pub(crate) fn with_request_cut_short(self) -> Self {
        self.with(|inner| inner.reached = Some(Reached::Request))
    }

    pub(crate) fn within_answer(self) -> Self {
        self.with(|inner| inner.reached = Some(Reached::Answer))
    }

    /// Whether the request is known not to have been sent to its end, so that it cannot have been acted on.
    pub(crate) fn is_request_cut_short(&self) -> bool {
        self.0.reached == Some(Reached::Request)
    }

    /// Whether the answer had begun, so that the request has been acted on.
    pub(crate) fn is_within_answer(&self) -> bool {
        self.0.reached == Some(Reached::Answer)
    }

    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

/// A lineage that cannot be read.
impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        let kind = match error.kind() {
            ReadErrorKind::Failed => {
                return crate::api::failure(error.code().unwrap_or_default(), error.message().unwrap_or_default());
            }
            ReadErrorKind::Truncated => ErrorKind::Interrupted,
            ReadErrorKind::TooLarge => ErrorKind::TooLarge,
            ReadErrorKind::Io => ErrorKind::Io,
            _ => ErrorKind::Protocol,
        };
        Self::new(kind, format!("the lineage cannot be read: {error}")).caused_by(error)
    }
}

/// A name that means nothing in a lineage, or too much.
impl From<LookupError> for Error {
    fn from(error: LookupError) -> Self {
        Self::new(ErrorKind::InvalidInput, error.to_string()).caused_by(error)
    }
}

/// Lineages that are too much for one.
impl From<MergeError> for Error {
    fn from(error: MergeError) -> Self {
        Self::new(ErrorKind::TooLarge, error.to_string()).caused_by(error)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Error");
        debug.field("kind", &self.0.kind).field("message", &self.0.message);
        let inner = &*self.0;
        if let Some(operation) = inner.operation {
            debug.field("operation", &operation);
        }
        if let Some(status) = inner.status {
            debug.field("status", &status);
        }
        if let Some(code) = inner.code {
            debug.field("code", &code);
        }
        if let Some(job) = &inner.job {
            debug.field("job", job);
        }
        if let Some(name) = &inner.job_name {
            debug.field("job_name", name);
        }
        if let Some(source) = &inner.source {
            debug.field("source", source);
        }
        debug.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Lineage;

    #[test]
    fn what_a_lineage_refuses_passes_through_a_question_mark() {
        fn ask(body: &str, object: &str) -> Result<String> {
            let lineage = Lineage::from_slice(body.as_bytes())?;
            Ok(lineage.column(object, "A")?.qualified_name())
        }
        let body =
            r#"{"dbobjs":[{"id":"1","name":"T","type":"table","columns":[{"id":"2","name":"A"}]}],"relationships":[]}"#;
        assert_eq!(ask(body, "t").unwrap(), "T.A");
        assert_eq!(ask(body, "u").unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(ask(&body[..40], "t").unwrap_err().kind(), ErrorKind::Interrupted);
        assert_eq!(ask(r#"{"code":401,"error":"no"}"#, "t").unwrap_err().kind(), ErrorKind::Authentication);
        assert_eq!(ask("no json", "t").unwrap_err().kind(), ErrorKind::Protocol);
    }

    #[test]
    fn the_cause_can_be_asked_what_it_is() {
        let error = Error::invalid("x").caused_by(std::io::Error::other("y"));
        assert!(StdError::source(&error).unwrap().is::<std::io::Error>());
    }

    #[test]
    fn a_clone_that_is_told_more_leaves_the_other_as_it_was() {
        let one = Error::invalid("x");
        let other = one.clone().with_code(5);
        assert_eq!((one.code(), other.code()), (None, Some(5)));
    }
}
