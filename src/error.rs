//! The error of this crate, and the one classification of what may be retried.

mod controls;
mod kind;
mod outcome;

use std::error::Error as StdError;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use self::controls::{escape_controls, escape_controls_except};
pub use self::kind::ErrorKind;
pub use self::outcome::RequestOutcome;

/// The result of most calls of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The error of a call.
///
/// [`kind`](Error::kind) says what to do about it; the message says what failed, on which input, and what to do next.
/// Errors of other crates are in [`source`](StdError::source). An error never contains a whole body, nor the query of
/// a URL, nor a secret that the client knows. `Display` writes one line: the control characters in texts of servers,
/// line breaks among them, are escaped (`\n`, `\u{1b}`), so that they cannot act on a terminal or forge a line of a log.
/// [`JobInfo::error_message`](crate::job::JobInfo::error_message) keeps the lines of a message. An error is cheap to clone, since many tasks may wait for one response.
///
/// ```no_run
/// use sqlflow_client::{Client, ErrorKind, JobId};
///
/// # async fn example(sqlflow: Client) -> sqlflow_client::Result<()> {
/// match sqlflow.job(JobId::new("c359aef4")).wait().await {
///     Ok(done) => println!("{}", done.info().status),
///     Err(error) => match error.kind() {
///         ErrorKind::JobFailed => eprintln!("correct the SQL: {error}"),
///         ErrorKind::Deadline => eprintln!("still running: {:?}", error.job_id()),
///         ErrorKind::Authentication => eprintln!("check SQLFLOW_SECRET_KEY: {error}"),
///         _ if error.is_retryable() => eprintln!("try again later: {error}"),
///         _ => return Err(error),
///     },
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, thiserror::Error)]
#[error(transparent)]
pub struct Error(Arc<ErrorDetails>);

#[derive(Debug, Clone)]
struct ErrorDetails {
    kind: ErrorKind,
    message: String,
    operation: Option<&'static str>,
    status: Option<u16>,
    code: Option<i64>,
    retry_after: Option<Duration>,
    /// The id of a job, as text: the type of ids is above this module.
    job_id: Option<String>,
    job_name: Option<String>,
    attempts: u32,
    /// The time that all attempts took together.
    elapsed: Duration,
    reached: Option<RequestStage>,
    /// The outcome of the request, where the kind alone does not determine it.
    outcome: Option<RequestOutcome>,
    /// `true` if a retry cannot succeed, although the kind suggests so.
    is_permanent: bool,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl fmt::Display for ErrorDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape_controls(&self.message))?;
        if self.attempts > 1 && !self.elapsed.is_zero() {
            write!(f, " (tried {} times in {:.1?})", self.attempts, self.elapsed)?;
        }
        Ok(())
    }
}

/// Written by hand, so that the source is the error itself and not the `Arc` around it: callers downcast to types they
/// know.
impl StdError for ErrorDetails {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// The stage that a failed request had reached, where it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RequestStage {
    /// The request was not sent to its end.
    RequestUnsent,
    /// The response had begun.
    Response,
}

impl Error {
    /// Returns the kind, which says what to do about the error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the id of the API operation that failed, as in `swagger.yaml`.
    #[must_use]
    pub fn operation(&self) -> Option<&str> {
        self.0.operation
    }

    /// Returns the HTTP status, if it was not that of a success.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// Returns the code inside the envelope. Servers send HTTP 200 even for failures; this code is what they mean.
    #[must_use]
    pub fn code(&self) -> Option<i64> {
        self.0.code
    }

    /// Returns how long the server asks to wait before the next call.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Returns the name of the job that was submitted, if it is unknown whether the server created the job.
    #[must_use]
    pub fn job_name(&self) -> Option<&str> {
        self.0.job_name.as_deref()
    }

    /// Returns the number of attempts that were made: 1 for a call that was not retried. It is 0 for a failure that
    /// needed no request, and for one that the envelope of a response reports.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Arc::new(ErrorDetails {
            kind,
            message: message.into(),
            operation: None,
            status: None,
            code: None,
            retry_after: None,
            job_id: None,
            job_name: None,
            attempts: 0,
            elapsed: Duration::ZERO,
            reached: None,
            outcome: None,
            is_permanent: false,
            source: None,
        }))
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    /// Creates the error of a failed file operation. The message contains the reason, and the error has no source,
    /// because a path without the reason helps nobody.
    pub(crate) fn io(what: impl fmt::Display, error: &std::io::Error) -> Self {
        Self::new(ErrorKind::Io, format!("{what}: {error}"))
    }

    pub(crate) fn caused_by(self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.with(|details| details.source = Some(Arc::new(source)))
    }

    /// Sets a source of any type.
    pub(crate) fn caused_by_box(self, source: Box<dyn StdError + Send + Sync>) -> Self {
        self.with(|details| details.source = Some(Arc::from(source)))
    }

    pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> Self {
        Self::io(format_args!("cannot read {}", path.display()), error)
    }

    /// Replaces the message, and drops the source, which may repeat what the old message said.
    pub(crate) fn with_text(self, text: String) -> Self {
        self.with(|details| {
            details.message = text;
            details.source = None;
        })
    }

    /// Returns the message as it was written, with its control characters.
    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    pub(crate) fn in_operation(self, id: &'static str) -> Self {
        self.with(|details| details.operation = Some(id))
    }

    pub(crate) fn with_status(self, status: u16) -> Self {
        self.with(|details| details.status = Some(status))
    }

    pub(crate) fn with_code(self, code: i64) -> Self {
        self.with(|details| details.code = Some(code))
    }

    /// Removes the code of a failure whose envelope has none.
    pub(crate) fn without_code(self) -> Self {
        self.with(|details| details.code = None)
    }

    pub(crate) fn with_retry_after(self, delay: Option<Duration>) -> Self {
        self.with(|details| details.retry_after = delay)
    }

    pub(crate) fn with_job(self, id: &(impl AsRef<str> + ?Sized)) -> Self {
        self.with(|details| details.job_id = Some(id.as_ref().to_owned()))
    }

    pub(crate) fn with_job_name(self, name: &str) -> Self {
        self.with(|details| details.job_name = Some(name.to_owned()))
    }

    /// Turns this failure into the error that says that the outcome of a submission is unknown because of it.
    pub(crate) fn into_submit_unknown(self, text: String) -> Self {
        let outcome = self.request_outcome();
        let unknown = self.clone().with(|details| {
            details.kind = ErrorKind::SubmitUnknown;
            details.message = text;
            details.outcome = Some(outcome);
            // The text contains it already.
            details.elapsed = Duration::ZERO;
        });
        unknown.caused_by(self)
    }

    /// Turns this failure into the error that says that the job does not exist.
    pub(crate) fn into_job_not_found(self, id: &(impl AsRef<str> + ?Sized), text: String) -> Self {
        let not_found = self.clone().with(|details| {
            details.kind = ErrorKind::JobNotFound;
            details.message = text;
        });
        not_found.with_job(id).caused_by(self)
    }

    /// Notes the attempts of a call that failed. More than one are mentioned in the message.
    pub(crate) fn after(self, attempts: u32, elapsed: Duration) -> Self {
        self.with(|details| {
            details.attempts = attempts;
            details.elapsed = elapsed;
        })
    }

    /// Notes that the request was not sent to its end, so that the server cannot have executed it.
    pub(crate) fn with_request_unsent(self) -> Self {
        self.with(|details| details.reached = Some(RequestStage::RequestUnsent))
    }

    /// Notes that the response had begun, so that the server has executed the request.
    pub(crate) fn within_response(self) -> Self {
        self.with(|details| details.reached = Some(RequestStage::Response))
    }

    /// Notes that a retry cannot succeed.
    pub(crate) fn permanent(self) -> Self {
        self.with(|details| details.is_permanent = true)
    }

    /// Returns `true` if the server does not have the operation. The HTTP status says so for a path that does not exist
    /// (404) or does not take the method (405), and so does a code that cannot be about the data of a request (405,
    /// 501). Code 404 with HTTP 200 is about the data: a job that does not exist.
    pub(crate) fn is_missing_operation(&self) -> bool {
        matches!(self.status(), Some(404 | 405 | 501))
            || self.status().is_none() && matches!(self.code(), Some(405 | 501))
    }

    fn is_request_unsent(&self) -> bool {
        self.0.reached == Some(RequestStage::RequestUnsent)
    }

    pub(crate) fn is_within_response(&self) -> bool {
        self.0.reached == Some(RequestStage::Response)
    }

    /// Returns the id of the job that the error is about, as text.
    pub(crate) fn job_id_text(&self) -> Option<&String> {
        self.0.job_id.as_ref()
    }

    fn with(mut self, change: impl FnOnce(&mut ErrorDetails)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

/// Creates an error of a kind without further details, for tests of retry policies and mocks of this client.
///
/// ```
/// use sqlflow_client::{Error, ErrorKind};
///
/// let error = Error::from(ErrorKind::Busy);
/// assert!(error.is_retryable());
/// assert_eq!(error.to_string(), "server busy");
/// ```
impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self::new(kind, kind.to_string())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let details = &*self.0;
        let mut debug = f.debug_struct("Error");
        debug.field("kind", &details.kind).field("message", &details.message);
        if let Some(operation) = details.operation {
            debug.field("operation", &operation);
        }
        if let Some(status) = details.status {
            debug.field("status", &status);
        }
        if let Some(code) = details.code {
            debug.field("code", &code);
        }
        if let Some(job) = &details.job_id {
            debug.field("job", job);
        }
        if let Some(name) = &details.job_name {
            debug.field("job_name", name);
        }
        if let Some(source) = &details.source {
            debug.field("source", source);
        }
        debug.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_can_be_downcast_to_its_own_type() {
        let error = Error::invalid("x").caused_by(std::io::Error::other("y"));
        assert!(StdError::source(&error).unwrap().is::<std::io::Error>());
    }

    #[test]
    fn changing_a_clone_does_not_change_the_original() {
        let one = Error::invalid("x");
        let other = one.clone().with_code(5);
        assert_eq!((one.code(), other.code()), (None, Some(5)));
    }
}
