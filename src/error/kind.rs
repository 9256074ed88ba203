//! The kinds of errors: one for each thing that a caller can do next.

use std::fmt;

/// The kind of an [`Error`](crate::Error): one for each thing that a caller can do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The input is wrong. Nothing was sent. Correct the argument that the message names.
    InvalidInput,
    /// A local file or directory cannot be read or written. Nothing was sent, or the response was discarded.
    Io,
    /// The user id, secret key or token is missing, wrong or expired.
    Authentication,
    /// The server refuses this request and would refuse it again. Change the request.
    Rejected,
    /// The server is overloaded, or too many requests were made. Try again later;
    /// [`Error::retry_after`](crate::Error::retry_after) says when, if the server said so.
    Busy,
    /// The quota of calls is used up, such as the 50 calls a day without an account. Calling again does not help before
    /// the quota is renewed; the message has the URLs that the server offers. The client remembers it until the time in
    /// `Retry-After`, or for ten minutes (our estimate: the vendor does not say when the day begins): until then, further
    /// calls of the operation fail without a request.
    QuotaExceeded,
    /// The server was not reached (name, connection or TLS). Nothing arrived there, so calling again is safe.
    Connect,
    /// No response came in time. The change that was requested may have been made.
    Timeout,
    /// The connection broke before the response was complete. The change that was requested may have been made.
    Interrupted,
    /// The server, or a proxy in front of it, failed. The change that was requested may have been made.
    Server,
    /// The response is not what the API promises: it is not JSON, it is an HTML page, or the part that matters is
    /// missing. The change that was requested may have been made.
    Protocol,
    /// An upload, a response, or an export that the server refuses to write exceeds a limit.
    TooLarge,
    /// The server has more relationships than it returned: it sent a summary, or left out record sets. The message says
    /// how to get all of them.
    IncompleteLineage,
    /// The job failed. The error text contains the message of the server.
    JobFailed,
    /// The job does not exist or has been deleted.
    JobNotFound,
    /// A job was submitted, and it could not be determined whether the server created it. Do not submit it again
    /// before you know: look for [`Error::job_name`](crate::Error::job_name) with
    /// [`Client::find_job`](crate::Client::find_job). For a batch that was to be added to an existing job,
    /// [`Error::job_id`](crate::Error::job_id) is that job.
    SubmitUnknown,
    /// The deadline of a wait passed. The job is still running; [`Error::job_id`](crate::Error::job_id) identifies
    /// it, so that a program can attach to it again.
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
            Self::QuotaExceeded => "quota used up",
            Self::Connect => "no connection",
            Self::Timeout => "timeout",
            Self::Interrupted => "connection lost",
            Self::Server => "server failure",
            Self::Protocol => "unexpected response",
            Self::TooLarge => "too large",
            Self::IncompleteLineage => "incomplete lineage",
            Self::JobFailed => "job failed",
            Self::JobNotFound => "job not found",
            Self::SubmitUnknown => "outcome of a submission unknown",
            Self::Deadline => "deadline passed",
        })
    }
}
