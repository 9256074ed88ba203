//! Finding out what became of a submit whose answer was lost.
//!
//! The API knows no key that makes a repeated submit harmless, so each submit has a name of its own, and the list of
//! jobs tells whether there is a job of that name.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use super::JobService;
use super::service::LONGEST_LIST;
use super::{Job, JobId};
use crate::{Error, ErrorKind, RequestOutcome, Result};

/// How the outcome of a submit is found out whose answer was lost.
///
/// A submit is never blindly repeated. What can happen to it, and what the client does:
///
/// | the submit | is there a job? | then |
/// |---|---|---|
/// | did not arrive, or was turned away (*busy*, HTTP 429), or was not sent to its end | no | it is sent again, whole |
/// | was refused | no | the error tells why |
/// | was sent, and the connection broke before an answer, or a proxy answered 502, 503, or 520 to 527 but for the next row | open | the list is asked; if the job is not there at the end of the window, it is sent again |
/// | was sent, and there was no answer in time, HTTP 408, 504, 522 or 524, or an answer that cannot be read | open, the server may still be at it | the list is asked; it is never sent again |
/// | was answered with a failure of the server | open | the list is asked; if there is no job, the error tells of the failure |
///
/// When the attempts of the client run out, the last submit that was sent and not answered ends as `SubmitUnknown` too.
///
/// The list of jobs is asked for the name several times, more and more rarely, in a window that begins when the answer
/// was lost: a job may still be on its way. If two lists at least, the last of them at the end of the window, do not
/// tell that there is none, or if the submit must not be sent again, the error is
/// [`SubmitUnknown`](ErrorKind::SubmitUnknown). A list that is not whole by its own count tells nothing.
///
/// The vendor does not say how long a server takes from the last byte of an upload to the list. The window is our
/// reading: generous, as a second job costs more than half a minute. Without [`send_again`](Settling::send_again)
/// nothing depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settling {
    window: Duration,
    lookups: u32,
    send_again: bool,
}

impl Default for Settling {
    fn default() -> Self {
        Self { window: Duration::from_secs(30), lookups: 6, send_again: true }
    }
}

impl Settling {
    /// The default.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// For how long the job is looked for, and longer as far as the last list takes. By default 30 seconds.
    #[must_use]
    pub fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// How often it is looked for in that time: at once, at the end, and between. By default 6 times, at least 2.
    #[must_use]
    pub fn max_lookups(mut self, lookups: u32) -> Self {
        self.lookups = lookups;
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
        if !(2..=100).contains(&self.lookups) {
            return Err(Error::invalid(
                "settling: a job that is on its way is looked for at least twice, and 100 times at most",
            ));
        }
        if self.window.is_zero() {
            return Err(Error::invalid("settling: in no time a job that is on its way cannot be found"));
        }
        Ok(())
    }

    pub(super) fn sends_again(self) -> bool {
        self.send_again
    }

    /// How long after the answer was lost each ask is, and whether it is the last.
    fn times(self) -> impl Iterator<Item = (Duration, bool)> {
        let last = self.lookups.max(2) - 1;
        (0..=last).map(move |ask| {
            let part = f64::from(ask) / f64::from(last);
            (self.window.mul_f64(part.powi(2)), ask == last)
        })
    }

    /// Looks for the job that a submit may have made. None is told on the word of two lists at least, the last of them
    /// at the end of the window.
    ///
    /// # Errors
    /// When that cannot be told.
    pub(super) async fn find(self, service: &JobService, name: &str) -> Result<Option<Job>> {
        let begun = Instant::now();
        let (mut absences, mut trouble) = (0, None);
        for (time, is_last) in self.times() {
            sleep_until(begun + time).await;
            // In between it is looked for once: there is another time.
            let transport = service.transport();
            let attempts = if is_last { transport.attempts() } else { transport.single() };
            let look = service.look_for(name, attempts);
            let told = timeout(LONGEST_LIST, look).await.unwrap_or_else(|_| Err(not_told()));
            match told {
                Ok(Some(info)) => {
                    tracing::info!(job = %info.id, name, "the submit whose answer was lost made a job");
                    return Ok(Some(Job::submitted(service.clone(), info, None)));
                }
                Ok(None) => {
                    absences += 1;
                    trouble = None;
                }
                Err(error) => {
                    tracing::warn!(%error, name, "the list of jobs could not be asked");
                    trouble = Some(error);
                }
            }
        }
        match trouble {
            Some(error) => Err(error),
            None if absences < 2 => Err(not_told()),
            None => Ok(None),
        }
    }
}

fn not_told() -> Error {
    Error::new(ErrorKind::Timeout, "the list of jobs could not be asked in time, or not often enough")
}

/// What follows when a submit failed and there is no job of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextStep {
    /// The error is the answer: there is no job and will be none.
    Report,
    /// The list has to be asked; then the error is the answer.
    AskThenReport,
    /// The list has to be asked; then it may be sent again.
    AskThenSend,
    /// The list has to be asked; then nobody knows.
    AskThenGiveUp,
}

impl NextStep {
    pub(super) fn after(error: &Error) -> Self {
        match error.request_outcome() {
            RequestOutcome::NotExecuted | RequestOutcome::Executed => Self::Report,
            RequestOutcome::Unanswered => Self::AskThenSend,
            RequestOutcome::Incomplete | RequestOutcome::Unreadable => Self::AskThenGiveUp,
            RequestOutcome::ServerFailed => Self::AskThenReport,
        }
    }
}

/// Whether there is a job could not be found out.
pub(super) fn unknown(name: &str, why: Error) -> Error {
    let text = format!(
        "it is not known whether the job {name:?} was made; look for it with Client::find_job before submitting again: \
         {why}"
    );
    why.into_submit_unknown(text).with_job_name(name)
}

/// The same where jobs of that name may have been there before.
pub(super) fn unknown_among_others(name: &str, why: Error) -> Error {
    let text = format!(
        "it is not known whether the job {name:?} was made, and others may have that name: compare when those in \
         Client::jobs were made before submitting again: {why}"
    );
    why.into_submit_unknown(text).with_job_name(name)
}

/// The same of a batch that was to be added to a job.
pub(super) fn batch_unknown(id: &JobId, why: Error) -> Error {
    let text = format!("it is not known whether job {id} has this batch, and nothing but its lineage tells: {why}");
    why.into_submit_unknown(text).with_job(id)
}

/// A name that no other job has. What comes before its suffix is cut where servers might cut it.
pub(super) fn unique(name: &str) -> String {
    const LETTERS: &[u8] = b"0123456789abcdefghjkmnpqrstvwxyz";
    const LONGEST: usize = 80;
    let suffix: String = (0..SUFFIX).map(|_| char::from(LETTERS[fastrand::usize(..LETTERS.len())])).collect();
    let name: String =
        name.trim().chars().take(LONGEST).map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    format!("{name}-{suffix}")
}

/// How long the unique part of a name is: 50 bits, so that a million jobs of one name have one chance in 2000 that two
/// of them are alike.
const SUFFIX: usize = 10;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_job_is_looked_for_at_once_and_at_the_end_and_more_rarely_between() {
        let times: Vec<_> = Settling::new().times().map(|(time, _)| time.as_secs_f64()).collect();
        assert_eq!(times, [0.0, 1.2, 4.8, 10.8, 19.2, 30.0]);
    }

    #[test]
    fn names_are_never_the_same() {
        let names: HashSet<_> = (0..10_000).map(|_| unique("nightly")).collect();
        assert_eq!(names.len(), 10_000);
        assert!(names.iter().all(|name| name.len() == "nightly-".len() + SUFFIX && name.starts_with("nightly-")));
    }

    #[test]
    fn a_long_name_keeps_its_suffix_where_servers_do_not_cut() {
        let name = unique(&"ä\n".repeat(500));
        assert_eq!(name.chars().count(), 80 + 1 + SUFFIX);
        assert!(!name.contains('\n'));
    }

    #[test]
    fn looking_once_and_looking_for_ever_are_refused() {
        let refused =
            |settling| crate::Client::builder("localhost").settling(settling).build().unwrap_err().to_string();
        assert!(refused(Settling::new().max_lookups(1)).contains("at least twice"));
        assert!(refused(Settling::new().window(Duration::ZERO)).contains("in no time"));
        assert!(refused(Settling::new().window(Duration::MAX)).contains("longer than a day"));
    }
}
