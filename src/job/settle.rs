//! Finding out what became of a submit whose answer was lost.
//!
//! The API knows no key that makes a repeated submit harmless, so each submit has a name of its own, and the list of
//! jobs tells whether there is a job of that name.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::Job;
use crate::{Client, Error, ErrorKind, Result};

/// How the outcome of a submit is found out whose answer was lost.
///
/// A submit is never blindly repeated. What can happen to it, and what the client does:
///
/// | the submit | is there a job? | then |
/// |---|---|---|
/// | did not arrive, or was turned away (*busy*, HTTP 429), or was not sent to its end | no | it is sent again, whole |
/// | was refused | no | the error tells why |
/// | was sent, and the connection broke before an answer, or a proxy answered 502 or 503 | open | the list is asked; if the job is not there at the end of the window, it is sent again |
/// | was sent, and there was no answer in time, HTTP 504, or one that cannot be read | open, the server may still be at it | the list is asked; it is never sent again |
/// | was answered with a failure of the server | open | the list is asked; if there is no job, the error tells of the failure |
///
/// The list of jobs is asked for the name several times, more and more rarely, in a window that begins when the answer
/// was lost: a job may still be on its way. If the list cannot be asked at the end of the window, or the submit must not
/// be sent again, the error is [`SubmitUnknown`](ErrorKind::SubmitUnknown).
///
/// The vendor does not say how long a server takes from the last byte of an upload to the list. The window is our reading:
/// generous, as a second job costs more than half a minute. Without [`send_again`](Settling::send_again) nothing depends
/// on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settling {
    window: Duration,
    asks: u32,
    send_again: bool,
}

impl Default for Settling {
    fn default() -> Self {
        Self { window: Duration::from_secs(30), asks: 6, send_again: true }
    }
}

impl Settling {
    /// The default.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// For how long the job is looked for. By default 30 seconds.
    #[must_use]
    pub fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// How often it is looked for in that time: at once, at the end, and between. By default 6 times, at least 2.
    #[must_use]
    pub fn asks(mut self, asks: u32) -> Self {
        self.asks = asks;
        self
    }

    /// Whether a submit is sent again that made no job in that time, although its last byte was sent. By default true.
    #[must_use]
    pub fn send_again(mut self, again: bool) -> Self {
        self.send_again = again;
        self
    }

    pub(crate) fn check(self) -> Result<()> {
        /// Nobody waits longer for an answer to a submit, and times up to here can be reckoned with.
        const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
        if self.window > LONGEST {
            return Err(Error::invalid("settling: the window is longer than a day"));
        }
        if self.asks < 2 {
            return Err(Error::invalid("settling: a job that is on its way is looked for at least twice"));
        }
        Ok(())
    }

    pub(super) fn sends_again(self) -> bool {
        self.send_again
    }

    /// How long after the answer was lost each ask is.
    fn times(self) -> impl Iterator<Item = Duration> {
        let last = f64::from(self.asks.max(2) - 1);
        (0..self.asks.max(2)).map(move |ask| self.window.mul_f64((f64::from(ask) / last).powi(2)))
    }

    /// Looks for the job that a submit may have made.
    ///
    /// # Errors
    /// Those of the list, when it cannot be asked at the end of the window.
    pub(super) async fn find(self, client: &Client, name: &str) -> Result<Option<Job>> {
        let lost = Instant::now();
        let mut end = Ok(None);
        for time in self.times() {
            sleep_until(lost + time).await;
            end = client.find_job(name).await;
            match &end {
                Ok(Some(job)) => {
                    tracing::info!(job = %job.id(), name, "the submit whose answer was lost made a job");
                    return end;
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, name, "the list of jobs could not be asked"),
            }
        }
        end
    }
}

/// What follows when a submit failed and there is no job of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The error is the answer: there is no job and will be none.
    Report,
    /// The list has to be asked; then the error is the answer.
    AskThenReport,
    /// The list has to be asked; then it may be sent again.
    AskThenSend,
    /// The list has to be asked; then nobody knows.
    AskThenGiveUp,
}

impl Next {
    pub(super) fn after(error: &Error) -> Self {
        match (error.kind(), error.status()) {
            _ if error.is_request_cut_short() => Self::Report,
            // Of a gateway, whatever it says beside: it waited for the server, or for one that it did not reach.
            (_, Some(408 | 504 | 522 | 524)) => Self::AskThenGiveUp,
            (_, Some(502 | 503 | 520..=527)) => Self::AskThenSend,
            (ErrorKind::Interrupted, _) if !error.is_within_answer() => Self::AskThenSend,
            // There is an answer, and nothing of it is known.
            (ErrorKind::TooLarge, _) if error.is_within_answer() && error.code().is_none() => Self::AskThenGiveUp,
            (ErrorKind::Interrupted | ErrorKind::Timeout | ErrorKind::Protocol, _) => Self::AskThenGiveUp,
            // An answer that is too large, where an upload that is too large would have been refused.
            (ErrorKind::TooLarge, _) if error.is_within_answer() => Self::AskThenGiveUp,
            (ErrorKind::Server, _) => Self::AskThenReport,
            _ => Self::Report,
        }
    }
}

/// Whether there is a job could not be found out.
pub(super) fn unknown(name: &str, why: Error) -> Error {
    let text = format!(
        "it is not known whether the job {name:?} was made; look for it with Client::find_job before submitting again: \
         {why}"
    );
    why.into_submit_unknown(name, text)
}

/// A name that no other job has.
pub(super) fn unique(name: &str) -> String {
    const LETTERS: &[u8] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let suffix: String = (0..SUFFIX).map(|_| char::from(LETTERS[fastrand::usize(..LETTERS.len())])).collect();
    format!("{name}-{suffix}")
}

/// How long the unique part of a name is: 50 bits, so that a million jobs of one name have one chance in 2000 that two of
/// them are alike.
const SUFFIX: usize = 10;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_job_is_looked_for_at_once_and_at_the_end_and_more_rarely_between() {
        let times: Vec<_> = Settling::new().times().map(|time| time.as_secs_f64()).collect();
        assert_eq!(times, [0.0, 1.2, 4.8, 10.8, 19.2, 30.0]);
    }

    #[test]
    fn names_are_never_the_same() {
        let names: HashSet<_> = (0..10_000).map(|_| unique("nightly")).collect();
        assert_eq!(names.len(), 10_000);
        assert!(names.iter().all(|name| name.len() == "nightly-".len() + SUFFIX && name.starts_with("nightly-")));
    }

    #[test]
    fn looking_once_and_looking_for_ever_are_refused() {
        let refused = |settling| Client::builder("localhost").settling(settling).build().unwrap_err().to_string();
        assert!(refused(Settling::new().asks(1)).contains("at least twice"));
        assert!(refused(Settling::new().window(Duration::MAX)).contains("longer than a day"));
    }
}
