//! Faults as text for command lines: `504,handled,on=submitUserJob,times=1`.

use std::fmt::{self, Display};
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{AppliedFault, Fault, FaultKind};
use crate::routes;

/// Examples of all kinds of faults.
const KINDS: &str = "latency=200ms, refuse=2s, reset-received=1000, reset-sent=1000, close, lose-response, late=2s, \
    502 (or another HTTP status), 429=5s, 429-until=2030-01-31T12:00:00Z, busy, expire-token, status=archiving, \
    vanish, truncate=100, garbage, drip=10/50ms, stall=100, length=+10, bomb=1000000, redirect=http://127.0.0.1:9/";
const CONDITIONS: &str = "on=submitUserJob, skip=2, every=3, chance=0.05/42, times=3, handled";

/// An error for a text that is not a [`Fault`]. Its message names the part that is invalid and lists what is valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}; a fault is one of {KINDS}, followed by any of {CONDITIONS}, each after a comma")]
pub struct ParseFaultError {
    reason: String,
}

impl ParseFaultError {
    fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

impl FromStr for Fault {
    type Err = ParseFaultError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = parts(text).into_iter();
        let fault = read_kind(&parts.next().unwrap_or_default())?;
        parts.try_fold(fault, |fault, part| add_condition(fault, &part))
    }
}

/// Splits a text at its commas. A backslash keeps the next character.
fn parts(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let literal = if character == '\\' { characters.next() } else { None };
        match (literal, parts.last_mut()) {
            (None, _) if character == ',' => parts.push(String::new()),
            (_, Some(part)) => part.push(literal.unwrap_or(character)),
            (_, None) => {}
        }
    }
    parts
}

fn read_kind(text: &str) -> Result<Fault, ParseFaultError> {
    let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
    Ok(match (name, value) {
        ("latency", Some(value)) => Fault::latency(duration(value)?),
        ("refuse", Some(value)) => Fault::refuse(duration(value)?),
        ("reset-received", Some(value)) => Fault::reset_after_received(number(value, "a number of bytes")?),
        ("reset-sent", Some(value)) => Fault::reset_after_sent(number(value, "a number of bytes")?),
        ("close", None) => Fault::close(),
        ("lose-response", None) => Fault::lose_response(),
        ("late", Some(value)) => Fault::late(duration(value)?),
        ("429", Some(value)) => Fault::too_many_requests(duration(value)?),
        ("429-until", Some(value)) => Fault::too_many_requests_until(time(value)?),
        ("busy", None) => Fault::busy(),
        ("expire-token", None) => Fault::expire_token(),
        ("status", Some(value)) => Fault::unknown_status(value),
        ("unreadable-job", None) => Fault::unreadable_job(),
        ("vanish", None) => Fault::vanish(),
        ("truncate", Some(value)) => Fault::truncate(number(value, "a number of bytes")?),
        ("garbage", None) => Fault::garbage(),
        ("drip", Some(value)) => drip(value)?,
        ("stall", Some(value)) => Fault::stall_after(number(value, "a number of bytes")?),
        ("length", Some(value)) => Fault::content_length(number(value, "a number of bytes with a sign")?),
        ("bomb", Some(value)) => Fault::bomb(number(value, "a number of bytes")?),
        ("redirect", Some(value)) => Fault::redirect(value),
        (status, None) if status.starts_with(|first: char| first.is_ascii_digit()) => page(status)?,
        _ => return Err(ParseFaultError::new(format!("'{text}' is not a fault"))),
    })
}

fn add_condition(fault: Fault, text: &str) -> Result<Fault, ParseFaultError> {
    match text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value))) {
        ("on", Some(name)) if routes::has_operation(name) => Ok(fault.on(name)),
        ("on", Some(name)) => Err(ParseFaultError::new(format!("'{name}' is not an operation"))),
        ("skip", Some(value)) => Ok(fault.skip(number(value, "a number of requests")?)),
        ("every", Some(value)) => Ok(fault.every(number(value, "a number of requests")?)),
        ("chance", Some(value)) => chance(fault, value),
        ("times", Some(value)) => Ok(fault.times(number(value, "a number of requests")?)),
        ("handled", None) => Ok(fault.handled()),
        _ => Err(ParseFaultError::new(format!("'{text}' is not a condition of a fault"))),
    }
}

fn page(status: &str) -> Result<Fault, ParseFaultError> {
    match number(status, "an HTTP status")? {
        status @ 200..=599 => Ok(Fault::page(status)),
        _ => Err(ParseFaultError::new(format!("'{status}' is not an HTTP status between 200 and 599"))),
    }
}

fn drip(value: &str) -> Result<Fault, ParseFaultError> {
    let Some((bytes, every)) = value.split_once('/') else {
        return Err(ParseFaultError::new(format!(
            "'{value}' is not a number of bytes and a duration with a slash between them"
        )));
    };
    Ok(Fault::drip(number(bytes, "a number of bytes")?, duration(every)?))
}

fn chance(fault: Fault, value: &str) -> Result<Fault, ParseFaultError> {
    let (share, seed) = value.split_once('/').unwrap_or((value, "0"));
    let share: f64 = number(share, "a share of requests")?;
    if !(0.0..=1.0).contains(&share) {
        return Err(ParseFaultError::new(format!("'{share}' is not a share between 0 and 1")));
    }
    Ok(fault.chance(share, number(seed, "a seed")?))
}

fn number<T: FromStr>(value: &str, meant: &str) -> Result<T, ParseFaultError> {
    value.parse().map_err(|_| ParseFaultError::new(format!("'{value}' is not {meant}")))
}

fn duration(value: &str) -> Result<Duration, ParseFaultError> {
    humantime::parse_duration(value).map_err(|error| {
        ParseFaultError::new(format!("'{value}' is not a duration with a unit, such as 200ms ({error})"))
    })
}

fn time(value: &str) -> Result<SystemTime, ParseFaultError> {
    humantime::parse_rfc3339(value).map_err(|error| {
        ParseFaultError::new(format!("'{value}' is not a time such as 2030-01-31T12:00:00Z ({error})"))
    })
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_fault(f, &self.kind, self.handled)?;
        for operation in &self.operations {
            write!(f, ",on={operation}")?;
        }
        if self.skip > 0 {
            write!(f, ",skip={}", self.skip)?;
        }
        if self.every > 1 {
            write!(f, ",every={}", self.every)?;
        }
        if let Some((share, seed)) = self.chance {
            write!(f, ",chance={share}/{seed}")?;
        }
        self.times.map_or(Ok(()), |times| write!(f, ",times={times}"))
    }
}

/// Writes a fault without the conditions that select requests.
impl Display for AppliedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_fault(f, &self.kind, self.handled)
    }
}

fn write_fault(f: &mut fmt::Formatter<'_>, kind: &FaultKind, handled: bool) -> fmt::Result {
    match kind {
        FaultKind::Close if handled => return f.write_str("lose-response"),
        kind => kind.fmt(f)?,
    }
    f.write_str(if handled { ",handled" } else { "" })
}

impl Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let duration = humantime::format_duration;
        match self {
            Self::Latency(time) => write!(f, "latency={}", duration(*time)),
            Self::Refuse(time) => write!(f, "refuse={}", duration(*time)),
            Self::ResetAfterReceived(bytes) => write!(f, "reset-received={bytes}"),
            Self::ResetAfterSent(bytes) => write!(f, "reset-sent={bytes}"),
            Self::Close => f.write_str("close"),
            Self::Late(time) => write!(f, "late={}", duration(*time)),
            Self::Page(status) => write!(f, "{}", status.as_u16()),
            Self::TooManyRequests(wait) => write!(f, "429={}", duration(*wait)),
            Self::TooManyRequestsUntil(seconds) => {
                let time = UNIX_EPOCH + Duration::from_secs(*seconds);
                write!(f, "429-until={}", humantime::format_rfc3339_seconds(time))
            }
            Self::Busy => f.write_str("busy"),
            Self::ExpireToken => f.write_str("expire-token"),
            Self::UnknownStatus(text) => write!(f, "status={}", escaped(text)),
            Self::UnreadableJob => f.write_str("unreadable-job"),
            Self::Vanish => f.write_str("vanish"),
            Self::Truncate(bytes) => write!(f, "truncate={bytes}"),
            Self::Garbage => f.write_str("garbage"),
            Self::Drip(bytes, every) => write!(f, "drip={bytes}/{}", duration(*every)),
            Self::Stall(bytes) => write!(f, "stall={bytes}"),
            Self::ContentLength(difference) => write!(f, "length={difference:+}"),
            Self::Bomb(bytes) => write!(f, "bomb={bytes}"),
            Self::Redirect(url) => write!(f, "redirect={}", escaped(url)),
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace(',', "\\,")
}

#[cfg(test)]
mod tests {
    use super::super::LAST_SECOND;
    use super::*;

    #[test]
    fn a_displayed_fault_parses_to_the_same_fault() {
        let moment = SystemTime::now() + Duration::from_millis(1500);
        let faults = [
            Fault::latency(Duration::from_micros(1_500_200)).times(3),
            Fault::refuse(Duration::from_secs(90)),
            Fault::reset_after_received(0).skip(2),
            Fault::reset_after_sent(u64::MAX),
            Fault::close().every(5),
            Fault::lose_response().on("submitUserJob").times(1),
            Fault::late(Duration::from_millis(1)),
            Fault::page(502).chance(0.05, 42),
            Fault::page(429).handled(),
            Fault::too_many_requests(Duration::ZERO).handled(),
            Fault::too_many_requests_until(moment),
            Fault::too_many_requests_until(moment + Duration::from_secs(LAST_SECOND)),
            Fault::busy().on("displayUserJobSummary").on("generation/sqlflow/graph"),
            Fault::expire_token(),
            Fault::unknown_status(r"a\b,c = d, times=3"),
            Fault::unknown_status(""),
            Fault::vanish(),
            Fault::truncate(1),
            Fault::garbage(),
            Fault::drip(0, Duration::from_millis(50)),
            Fault::stall_after(100),
            Fault::content_length(10),
            Fault::content_length(i64::MIN),
            Fault::bomb(1_000_000),
            Fault::redirect("http://[::1]:9/a?b=1,2&c=%2C@x*3+4")
                .skip(1)
                .every(2)
                .chance(1.0, u64::MAX)
                .times(0)
                .handled(),
        ];
        for fault in faults {
            assert_eq!(fault.to_string().parse(), Ok(fault.clone()), "{fault}");
        }
    }

    #[test]
    fn an_error_names_the_invalid_part() {
        for (text, named) in [
            ("", "''"),
            ("explode", "'explode'"),
            ("latency", "'latency'"),
            ("latency=5", "'5'"),
            ("close=1", "'close=1'"),
            ("99", "'99'"),
            ("700", "'700'"),
            ("5o2", "'5o2'"),
            ("429-until=tomorrow", "'tomorrow'"),
            ("drip=10", "'10'"),
            ("truncate=-1", "'-1'"),
            ("502,tmies=3", "'tmies=3'"),
            ("502,on=submit", "'submit'"),
            ("502,chance=5", "'5'"),
            ("502,chance=NaN", "'NaN'"),
            ("502,", "''"),
        ] {
            let message = text.parse::<Fault>().unwrap_err().to_string();
            assert!(message.starts_with(named), "{message}");
            assert!(message.contains("lose-response") && message.contains("times=3"), "{message}");
        }
    }

    #[test]
    fn each_example_in_the_error_message_parses() {
        let message = "nothing".parse::<Fault>().unwrap_err().to_string();
        let (_, listed) = message.split_once("a fault is one of ").unwrap();
        let (faults, settings) = listed.split_once(", followed by any of ").unwrap();
        for fault in faults.replace(" (or another HTTP status)", "").split(", ") {
            assert_eq!(fault.parse::<Fault>().map(|fault| fault.to_string()).as_deref(), Ok(fault));
        }
        for limit in settings.split(", ").take_while(|limit| !limit.starts_with("each ")) {
            assert!(format!("close,{limit}").parse::<Fault>().is_ok(), "{limit}");
        }
    }
}
