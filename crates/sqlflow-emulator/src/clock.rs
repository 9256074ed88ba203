//! Wall-clock time as the protocol writes it. Owns no timers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

/// A year as `1y` is read, a quarter of a day longer than 365 days. Longer durations are taken for mistakes.
pub(super) const YEAR: Duration = Duration::from_secs(365 * SECONDS_PER_DAY + SECONDS_PER_DAY / 4);

/// Returns whole seconds since 1970.
pub(super) fn seconds_since_epoch(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}

/// Returns milliseconds since 1970.
pub(super) fn millis_since_epoch(time: SystemTime) -> u128 {
    time.duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis())
}

/// Returns the number of the UTC day since 1970.
pub(super) fn day(time: SystemTime) -> u64 {
    seconds_since_epoch(time) / SECONDS_PER_DAY
}

/// Formats a time as `YYYY-MM-DD HH:MM:SS` in UTC and without a zone, as job objects carry it.
pub(super) fn timestamp(time: SystemTime) -> String {
    let seconds = seconds_since_epoch(time);
    let (year, month, day) = civil_date(seconds / SECONDS_PER_DAY);
    let of_day = seconds % SECONDS_PER_DAY;
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// Formats a duration as `0min 1sec`, as job objects carry it.
pub(super) fn execute_time(elapsed: Duration) -> String {
    format!("{}min {}sec", elapsed.as_secs() / 60, elapsed.as_secs() % 60)
}

/// Returns year, month and day of a day counted from 1970-01-01. Counts in eras of 400 years that begin in March, so
/// that the leap day is the last day of a year.
fn civil_date(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_without_a_zone() {
        let written = |seconds| timestamp(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(written(0), "1970-01-01 00:00:00");
        assert_eq!(written(951_782_400), "2000-02-29 00:00:00");
        assert_eq!(written(1_664_880_304), "2022-10-04 10:45:04");
        assert_eq!(written(4_107_542_399), "2100-02-28 23:59:59");
        assert_eq!(written(4_107_542_400), "2100-03-01 00:00:00");
    }

    #[test]
    fn a_duration_is_written_in_minutes_and_seconds() {
        assert_eq!(execute_time(Duration::from_millis(1900)), "0min 1sec");
        assert_eq!(execute_time(Duration::from_secs(130)), "2min 10sec");
    }
}
