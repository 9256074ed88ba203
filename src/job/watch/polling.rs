//! The options for how often a job is polled.

use std::time::Duration;

use crate::{Error, Result};

/// The intervals at which a job is polled.
///
/// A job is polled at once, again soon afterwards, and more and more rarely as it gets older. The pause between two
/// polls is 4 % of the time for which the job has been followed, within bounds (200 ms and 15 s by default). It varies at
/// random by a fifth, so that many jobs that were submitted together are not polled together. The end of a job is thus
/// noticed at most 250 ms late, or late by 5 % of the age of the job, and the time in which the server responds. A job of
/// a minute is polled about 90 times, and one of an hour about 350 times.
///
/// When more than four jobs of a client are watched, they are polled together nevertheless, with one list of the user's
/// jobs. The list is requested as soon as one of the watches is due, without a random variation, but never before four
/// times the duration of the last list request has passed since that request ended. If the list has more than a thousand
/// jobs and few of them are watched, the state of each is requested instead, four at a time, as long as the states then
/// come sooner.
///
/// ```
/// use std::time::Duration;
/// use sqlflow_client::job::Polling;
///
/// // For long jobs on a busy server: poll every 2 to 60 seconds, and survive a restart of the server.
/// let polling = Polling::new()
///     .min_interval(Duration::from_secs(2))
///     .max_interval(Duration::from_secs(60))
///     .max_outage(Duration::from_secs(1800));
/// # let _ = sqlflow_client::Client::builder("h").polling(polling);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Polling {
    min_interval: Duration,
    max_interval: Duration,
    growth: f64,
    jitter: f64,
    pub(in crate::job) max_outage: Duration,
}

impl Default for Polling {
    fn default() -> Self {
        Self {
            min_interval: Duration::from_millis(200),
            max_interval: Duration::from_secs(15),
            growth: 0.04,
            jitter: 0.2,
            max_outage: Duration::from_secs(300),
        }
    }
}

impl Polling {
    /// Returns the default intervals.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns intervals that are always the same, apart from the [jitter](Polling::jitter).
    #[must_use]
    pub fn every(interval: Duration) -> Self {
        Self { min_interval: interval, max_interval: interval, ..Self::default() }
    }

    /// Sets the shortest pause, which is also the first. By default 200 ms.
    #[must_use]
    pub fn min_interval(mut self, interval: Duration) -> Self {
        self.min_interval = interval;
        self
    }

    /// Sets the longest pause. By default 15 s.
    #[must_use]
    pub fn max_interval(mut self, interval: Duration) -> Self {
        self.max_interval = interval;
        self
    }

    /// Sets the pause as a fraction of the time for which the job has been followed. By default 0.04.
    #[must_use]
    pub fn growth(mut self, fraction: f64) -> Self {
        self.growth = fraction;
        self
    }

    /// Sets the fraction, from 0 to 1, by which a pause varies at random in both directions. By default 0.2.
    #[must_use]
    pub fn jitter(mut self, fraction: f64) -> Self {
        self.jitter = fraction;
        self
    }

    /// Sets the time for which polls may go on failing before a watch ends with the error. By default 5 minutes.
    ///
    /// It counts from the first of the failed polls; a poll that succeeds ends the outage. While the server was never
    /// reached, at most 15 seconds are allowed, so that a wrong URL shows soon.
    #[must_use]
    pub fn max_outage(mut self, outage: Duration) -> Self {
        self.max_outage = outage;
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.min_interval.is_zero() {
            return Err(Error::invalid("polling: min_interval is zero, which would poll without a pause"));
        }
        if self.min_interval > self.max_interval {
            let (min, max) = (self.min_interval, self.max_interval);
            return Err(Error::invalid(format!(
                "polling: min_interval ({min:?}) is longer than max_interval ({max:?})"
            )));
        }
        if !(self.growth.is_finite() && self.growth >= 0.0) {
            return Err(Error::invalid(format!("polling: growth is {}, which is not a fraction", self.growth)));
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            return Err(Error::invalid(format!("polling: jitter is {}, which is not from 0 to 1", self.jitter)));
        }
        Ok(())
    }

    /// Returns the pause after the job has been followed for `age`. `random` is from 0 to 1.
    pub(in crate::job) fn pause(&self, age: Duration, random: f64) -> Duration {
        let pause = Duration::try_from_secs_f64(age.as_secs_f64() * self.growth).unwrap_or(self.max_interval);
        let pause = pause.clamp(self.min_interval, self.max_interval);
        let varied = pause.as_secs_f64() * (1.0 + self.jitter * (2.0 * random - 1.0));
        Duration::try_from_secs_f64(varied).unwrap_or(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_job_is_noticed_within_a_twentieth_of_its_age() {
        let polling = Polling::default();
        for age in (0..4000).map(Duration::from_secs) {
            let latest = (age / 20).max(Duration::from_millis(250));
            assert!(polling.pause(age, 1.0) <= latest, "{age:?}");
        }
    }

    #[test]
    fn the_number_of_polls_grows_with_the_logarithm_of_the_age() {
        let polls = |age: u64| {
            let (mut at, mut polls) = (Duration::ZERO, 1);
            while at < Duration::from_secs(age) {
                at += Polling::default().pause(at, 0.5);
                polls += 1;
            }
            polls
        };
        let twice_as_old = [10, 20, 40, 80, 160].map(|age| polls(2 * age) - polls(age));
        assert!(twice_as_old.iter().all(|more| (16..=19).contains(more)), "{twice_as_old:?}");
        assert_eq!([60, 3600].map(polls), [90, 352]);
    }

    #[test]
    fn a_pause_varies_within_its_jitter() {
        let polling = Polling::default();
        let age = Duration::from_secs(100);
        assert_eq!(polling.pause(age, 0.0), Duration::from_millis(3200));
        assert_eq!(polling.pause(age, 0.5), Duration::from_secs(4));
        assert_eq!(polling.pause(age, 1.0), Duration::from_millis(4800));
        assert_eq!(Polling::every(Duration::MAX).pause(age, 1.0), Duration::MAX);
        assert_eq!(polling.growth(f64::MAX).jitter(0.0).pause(age, 0.0), Duration::from_secs(15));
    }

    #[test]
    fn options_that_make_no_sense_are_refused_by_name() {
        let second = Duration::from_secs(1);
        for (polling, named) in [
            (Polling::every(Duration::ZERO), "zero"),
            (Polling::new().min_interval(second * 20), "longer than max_interval"),
            (Polling::new().growth(-1.0), "growth"),
            (Polling::new().growth(f64::NAN), "growth"),
            (Polling::new().jitter(1.5), "jitter"),
        ] {
            let error = polling.check().unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
        assert!(Polling::every(second).check().is_ok());
    }
}
