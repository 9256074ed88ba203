//! The time zone of a server, which reads its times as instants.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::TimeZone;

use crate::{Error, Result};

/// The zone in which a server writes its times. Servers do not state it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ServerTimeZone {
    zone: TimeZone,
    /// `true` unless the caller named the zone.
    is_assumed: bool,
}

impl Default for ServerTimeZone {
    fn default() -> Self {
        Self { zone: TimeZone::UTC, is_assumed: true }
    }
}

impl ServerTimeZone {
    /// Reads a zone by its IANA name, or by an offset such as `+08:00`.
    ///
    /// # Errors
    /// `InvalidInput` if there is no such zone.
    pub(crate) fn named(name: &str) -> Result<Self> {
        let zone = DateTimeParser::new().parse_time_zone(name.trim());
        let fault = match zone {
            Ok(zone) if zone.is_unknown() => "it stands for an unknown one".to_owned(),
            Ok(zone) => return Ok(Self { zone, is_assumed: false }),
            Err(error) => error.to_string(),
        };
        Err(Error::invalid(format!(
            "server_time_zone {name:?} is not a time zone ({fault}): give a name that the system knows, such as \
             Asia/Shanghai, or an offset, such as +08:00"
        )))
    }

    /// Returns `true` if the caller named no zone, so that the server may be in any.
    pub(crate) fn is_assumed(&self) -> bool {
        self.is_assumed
    }

    /// Returns the instant that a time of the server stands for, or `None` if the text is not a time. A time that clocks
    /// show twice is the earlier instant; one that clocks skip is moved forward by the gap.
    pub(crate) fn instant(&self, text: &str) -> Option<SystemTime> {
        let text = text.trim();
        // A date alone would be read as its midnight.
        if !text.contains(':') {
            return None;
        }
        if let Ok(instant) = text.parse::<Timestamp>() {
            // The text states an offset.
            return system_time(instant);
        }
        let local: DateTime = text.parse().ok()?;
        system_time(self.zone.to_timestamp(local).ok()?)
    }
}

/// Converts an instant, or returns `None` if the clock of the platform cannot express it.
fn system_time(instant: Timestamp) -> Option<SystemTime> {
    let since = instant.as_duration();
    if since.is_negative() {
        UNIX_EPOCH.checked_sub(since.unsigned_abs())
    } else {
        UNIX_EPOCH.checked_add(since.unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ErrorKind;

    fn seconds(zone: &str, text: &str) -> Option<u64> {
        let instant = ServerTimeZone::named(zone).unwrap().instant(text)?;
        Some(instant.duration_since(UNIX_EPOCH).unwrap().as_secs())
    }

    #[test]
    fn a_time_is_read_in_the_zone_of_the_server() {
        let utc = seconds("UTC", "2022-10-04 10:45:05").unwrap();
        assert_eq!(utc, 1_664_880_305);
        assert_eq!(
            ServerTimeZone::default().instant("2022-10-04 10:45:05"),
            Some(UNIX_EPOCH + Duration::from_secs(utc))
        );
        for zone in ["Asia/Shanghai", "+08:00", " +08 "] {
            assert_eq!(seconds(zone, "2022-10-04 10:45:05"), Some(utc - 8 * 3600), "{zone}");
        }
        assert_eq!(seconds("-03:30", "2022-10-04 10:45:05.25"), Some(utc + 3 * 3600 + 1800));
    }

    #[test]
    fn daylight_saving_time_counts() {
        let hour = 3600;
        let winter = seconds("Europe/Berlin", "2026-01-15 12:00:00");
        assert_eq!(winter, seconds("UTC", "2026-01-15 11:00:00"));
        assert_eq!(seconds("Europe/Berlin", "2026-07-15 12:00:00"), seconds("UTC", "2026-07-15 10:00:00"));
        // Clocks show 02:30 twice on this day: the first one is meant.
        assert_eq!(seconds("Europe/Berlin", "2026-10-25 02:30:00"), seconds("UTC", "2026-10-25 00:30:00"));
        // Clocks skip 02:30 on this day: it is 03:30.
        let skipped = seconds("Europe/Berlin", "2026-03-29 02:30:00");
        assert_eq!(skipped, seconds("UTC", "2026-03-29 01:30:00"));
        assert_eq!(skipped.map(|at| at + hour), seconds("Europe/Berlin", "2026-03-29 04:30:00"));
    }

    #[test]
    fn a_time_with_an_offset_of_its_own_needs_no_zone() {
        let utc = seconds("UTC", "2022-10-04 10:45:05");
        assert_eq!(seconds("Asia/Shanghai", "2022-10-04T10:45:05Z"), utc);
        assert_eq!(seconds("Asia/Shanghai", "2022-10-04 12:45:05+02:00"), utc);
    }

    #[test]
    fn text_that_is_not_a_time_is_none() {
        for text in [
            "",
            "yesterday",
            "2022-13-40 10:45:05",
            "0min 1sec",
            "2022-10-04 25:00:00",
            "1664880305000",
            "2022-10-04",
            "20221004",
        ] {
            assert_eq!(seconds("UTC", text), None, "{text}");
        }
    }

    #[test]
    fn a_zone_that_does_not_exist_is_invalid_input() {
        for name in ["", "Asia/Atlantis", "+99:00", "0 8", "Etc/Unknown"] {
            let error = ServerTimeZone::named(name).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains("server_time_zone"), "{error}");
        }
    }
}
