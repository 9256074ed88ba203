//! Durations: `90s`, `5m`, `7d`.

use std::time::Duration;

/// Reads a duration, such as `90s`, `5m` or `1h 30m`; a bare number is a number of seconds.
///
/// # Errors
/// Text that is no duration.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(Duration::from_secs(seconds));
    }
    humantime::parse_duration(text).map_err(|error| format!("{error}: write 90s, 5m, 2h or 7d"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units_or_are_seconds() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("7d"), Ok(Duration::from_secs(7 * 24 * 3600)));
        assert!(duration("soon").unwrap_err().contains("write 90s"));
    }
}
