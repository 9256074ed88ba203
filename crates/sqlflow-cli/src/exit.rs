//! Exit codes, and the error that carries one.

use std::fmt;
use std::io;
use std::process::ExitCode;

use sqlflow_client::lineage::{LookupError, ReadError, ReadErrorKind};
use sqlflow_client::{Error, ErrorKind};

use crate::messages::Messages;

/// The outcome of a command: the exit code of what was done, or the error that ended it.
pub(crate) type Outcome<T = Exit> = Result<T, Failure>;

/// The exit codes, which `sqlflow --help` documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Everything was done.
    Done = 0,
    /// Any other error.
    Error = 1,
    /// The arguments or the configuration are wrong.
    Usage = 2,
    /// The job failed on the server.
    JobFailed = 3,
    /// The time limit passed, and the job is still running.
    StillRunning = 4,
    /// The credentials are missing or refused.
    Authentication = 5,
    /// The server cannot be reached.
    Unreachable = 6,
    /// The result is less than the whole, and `--strict` was given.
    Incomplete = 7,
    /// A difference (`diff`) or an error in SQL (`check`) was found.
    Found = 8,
    /// Ctrl-C was pressed.
    Interrupted = 130,
    /// The program was told to end by SIGTERM, or by Windows.
    Terminated = 143,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The error that ends a command.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) message: String,
    /// The next thing to do, if the message does not say it.
    pub(crate) help: Option<String>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), help: None }
    }

    /// Creates the error for arguments that do not fit each other or what they name.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    pub(crate) fn error(message: impl Into<String>) -> Self {
        Self::new(Exit::Error, message)
    }

    /// Adds the next thing to do.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Puts the name of what failed before the message.
    pub(crate) fn about(mut self, subject: impl fmt::Display) -> Self {
        self.message = format!("{subject}: {}", self.message);
        self
    }

    /// Creates the error of reading or writing what `subject` names.
    pub(crate) fn io(subject: impl fmt::Display, error: &io::Error) -> Self {
        Self::error(format!("{subject}: {error}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Returns the exit code for an error of the library.
pub(crate) fn exit_for(kind: ErrorKind) -> Exit {
    match kind {
        ErrorKind::InvalidInput => Exit::Usage,
        ErrorKind::Authentication => Exit::Authentication,
        ErrorKind::Connect => Exit::Unreachable,
        ErrorKind::JobFailed => Exit::JobFailed,
        ErrorKind::Deadline => Exit::StillRunning,
        ErrorKind::IncompleteLineage => Exit::Incomplete,
        _ => Exit::Error,
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let mut failure = Self::new(exit_for(error.kind()), error.to_string());
        failure.help = match error.kind() {
            ErrorKind::Authentication => {
                Some("`sqlflow config show` says which credentials are used, and `sqlflow doctor` checks them".into())
            }
            ErrorKind::Connect => Some("`sqlflow doctor` checks the way to the server".into()),
            ErrorKind::Deadline => error.job_id().map(|id| format!("the job goes on: sqlflow wait {id}")),
            ErrorKind::SubmitUnknown => error
                .job_name()
                .map(|name| format!("look for the job before you submit again: sqlflow jobs --name '{name}'")),
            _ => None,
        };
        failure
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        let exit = if error.kind() == ReadErrorKind::Io { Exit::Usage } else { Exit::Error };
        Self::new(exit, error.to_string())
    }
}

impl From<LookupError> for Failure {
    fn from(error: LookupError) -> Self {
        Self::usage(error.to_string())
    }
}

/// An error of writing the output, which is the only thing that commands write without naming it.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::error(format!("cannot write the output: {error}"))
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        io::Error::from(error).into()
    }
}

/// Reports the error of a command, and returns the exit code.
pub(crate) fn code(outcome: Outcome, messages: &Messages) -> Exit {
    match outcome {
        Ok(exit) => exit,
        Err(failure) => {
            messages.failure(&failure);
            failure.exit
        }
    }
}
