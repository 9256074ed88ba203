//! Faults as text for command lines: `504,handled,on=submitUserJob,times=1`.

use std::fmt::{self, Display};
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{AppliedFault, Fault, FaultKind};
use crate::routes;

/// A kind of fault, or a condition, as it is written in the [text form](Fault#text-form) of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FaultDescription {
    /// The word that it begins with, or `STATUS` for an HTTP status.
    pub name: &'static str,
    /// An example, which is valid as it is.
    pub example: &'static str,
    /// The effect, in a few words.
    pub meaning: &'static str,
}

const fn described(name: &'static str, example: &'static str, meaning: &'static str) -> FaultDescription {
    FaultDescription { name, example, meaning }
}

/// The way in which a kind of fault is read.
enum KindReader {
    /// It is a word alone.
    Word(fn() -> Fault),
    /// It has a value after `=`.
    Value(fn(&str) -> Result<Fault, ParseFaultError>),
    /// It is a number.
    Number(fn(&str) -> Result<Fault, ParseFaultError>),
}

/// The way in which a condition is read.
enum ConditionReader {
    Word(fn(Fault) -> Fault),
    Value(fn(Fault, &str) -> Result<Fault, ParseFaultError>),
}

/// All kinds of faults. The parser reads from this table, so that a kind that works is also listed.
const KINDS: [(FaultDescription, KindReader); 22] = [
    (
        described("latency", "latency=200ms", "respond this much later"),
        KindReader::Value(|value| Ok(Fault::latency(duration(value)?))),
    ),
    (
        described("refuse", "refuse=2s", "refuse connections for this time from the start"),
        KindReader::Value(|value| Ok(Fault::refuse(duration(value)?))),
    ),
    (
        described("reset-received", "reset-received=1000", "reset the connection after this many bytes of the request"),
        KindReader::Value(|value| Ok(Fault::reset_after_received(number(value, "a number of bytes")?))),
    ),
    (
        described("reset-sent", "reset-sent=1000", "reset the connection after this many bytes of the response"),
        KindReader::Value(|value| Ok(Fault::reset_after_sent(number(value, "a number of bytes")?))),
    ),
    (described("close", "close", "close the connection and do not handle the request"), KindReader::Word(Fault::close)),
    (
        described("lose-response", "lose-response", "handle the request and close the connection"),
        KindReader::Word(Fault::lose_response),
    ),
    (
        described("late", "late=2s", "close the connection, and handle the submission after this time"),
        KindReader::Value(|value| Ok(Fault::late(duration(value)?))),
    ),
    (described("STATUS", "502", "respond with an HTML page with this HTTP status"), KindReader::Number(page)),
    (
        described("429", "429=5s", "respond with HTTP status 429, and Retry-After in seconds"),
        KindReader::Value(|value| Ok(Fault::too_many_requests(duration(value)?))),
    ),
    (
        described(
            "429-until",
            "429-until=2030-01-31T12:00:00Z",
            "respond with HTTP status 429, and Retry-After as a date",
        ),
        KindReader::Value(|value| Ok(Fault::too_many_requests_until(time(value)?))),
    ),
    (described("busy", "busy", "respond that the service is busy"), KindReader::Word(Fault::busy)),
    (
        described("expire-token", "expire-token", "invalidate all tokens before the request is handled"),
        KindReader::Word(Fault::expire_token),
    ),
    (
        described("status", "status=archiving", "show this text as the status of jobs that have not ended"),
        KindReader::Value(|value| Ok(Fault::unknown_status(value))),
    ),
    (
        described("unreadable-job", "unreadable-job", "add a field that no JSON reader accepts to each job"),
        KindReader::Word(Fault::unreadable_job),
    ),
    (described("vanish", "vanish", "delete the job before the request is handled"), KindReader::Word(Fault::vanish)),
    (
        described("truncate", "truncate=100", "end the response after this many bytes, as if it were complete"),
        KindReader::Value(|value| Ok(Fault::truncate(number(value, "a number of bytes")?))),
    ),
    (described("garbage", "garbage", "replace the response by random bytes"), KindReader::Word(Fault::garbage)),
    (
        described("drip", "drip=10/50ms", "send the response in pieces of this size, with this pause between them"),
        KindReader::Value(drip),
    ),
    (
        described("stall", "stall=100", "send nothing more after this many bytes of the response"),
        KindReader::Value(|value| Ok(Fault::stall_after(number(value, "a number of bytes")?))),
    ),
    (
        described("length", "length=+10", "change the Content-Length of the response by this many bytes"),
        KindReader::Value(|value| Ok(Fault::content_length(number(value, "a number of bytes with a sign")?))),
    ),
    (
        described("bomb", "bomb=1000000", "compress a response that unpacks to this many bytes"),
        KindReader::Value(|value| Ok(Fault::bomb(number(value, "a number of bytes")?))),
    ),
    (
        described("redirect", "redirect=http://127.0.0.1:9/", "redirect the request to this URL"),
        KindReader::Value(|value| Ok(Fault::redirect(value))),
    ),
];

/// All conditions.
const CONDITIONS: [(FaultDescription, ConditionReader); 6] = [
    (
        described("on", "on=submitUserJob", "only requests for this operation; may be given several times"),
        ConditionReader::Value(|fault, name| {
            if routes::has_operation(name) {
                return Ok(fault.on(name));
            }
            Err(ParseFaultError::new(format!("'{name}' is not an operation")))
        }),
    ),
    (
        described("skip", "skip=2", "not the first requests, as many as this"),
        ConditionReader::Value(|fault, value| Ok(fault.skip(number(value, "a number of requests")?))),
    ),
    (
        described("every", "every=3", "only one in this many requests"),
        ConditionReader::Value(|fault, value| Ok(fault.every(number(value, "a number of requests")?))),
    ),
    (
        described("chance", "chance=0.05/42", "only this share of the requests, chosen by the seed after the slash"),
        ConditionReader::Value(chance),
    ),
    (
        described("times", "times=3", "at most this many requests"),
        ConditionReader::Value(|fault, value| Ok(fault.times(number(value, "a number of requests")?))),
    ),
    (described("handled", "handled", "handle the request before the fault"), ConditionReader::Word(Fault::handled)),
];

/// # Text form
impl Fault {
    /// Returns a description of each kind of fault that can be parsed from text.
    ///
    /// ```
    /// use sqlflow_emulator::Fault;
    ///
    /// for kind in Fault::kinds() {
    ///     assert!(kind.example.parse::<Fault>().is_ok());
    /// }
    /// ```
    #[must_use]
    pub fn kinds() -> impl ExactSizeIterator<Item = FaultDescription> {
        KINDS.iter().map(|(description, _)| *description)
    }

    /// Returns a description of each condition that may follow the kind of a fault in text.
    #[must_use]
    pub fn conditions() -> impl ExactSizeIterator<Item = FaultDescription> {
        CONDITIONS.iter().map(|(description, _)| *description)
    }
}

/// An error for a text that is not a [`Fault`]. Its message names the part that is invalid and lists what is valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{reason}; a fault is one of {kinds}, followed by any of {conditions}, each after a comma",
    kinds = examples(Fault::kinds()),
    conditions = examples(Fault::conditions())
)]
pub struct ParseFaultError {
    reason: String,
}

/// Returns the examples in a list.
fn examples(descriptions: impl Iterator<Item = FaultDescription>) -> String {
    let example = |described: FaultDescription| match described.name {
        "STATUS" => format!("{} (or another HTTP status)", described.example),
        _ => described.example.to_owned(),
    };
    descriptions.map(example).collect::<Vec<_>>().join(", ")
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
    for (description, reader) in &KINDS {
        match (reader, value) {
            (KindReader::Word(fault), None) if description.name == name => return Ok(fault()),
            (KindReader::Value(read), Some(value)) if description.name == name => return read(value),
            (KindReader::Number(read), None) if name.starts_with(|first: char| first.is_ascii_digit()) => {
                return read(name);
            }
            _ => {}
        }
    }
    Err(ParseFaultError::new(format!("'{text}' is not a fault")))
}

fn add_condition(fault: Fault, text: &str) -> Result<Fault, ParseFaultError> {
    let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
    let known = CONDITIONS.iter().find(|(description, _)| description.name == name);
    match (known.map(|(_, reader)| reader), value) {
        (Some(ConditionReader::Word(add)), None) => Ok(add(fault)),
        (Some(ConditionReader::Value(add)), Some(value)) => add(fault, value),
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
    fn each_example_parses_and_is_documented() {
        let (documentation, readme) = (include_str!("mod.rs"), include_str!("../../README.md"));
        for described in Fault::kinds().chain(Fault::conditions()) {
            assert!(readme.contains(&format!("`{}`", described.example)), "{}", described.example);
        }
        for kind in Fault::kinds() {
            let parsed = kind.example.parse::<Fault>().map(|fault| fault.to_string());
            assert_eq!(parsed.as_deref(), Ok(kind.example));
            assert!(documentation.contains(&format!("/// | `{}`", kind.example)), "{}", kind.example);
        }
        for condition in Fault::conditions() {
            assert!(format!("close,{}", condition.example).parse::<Fault>().is_ok(), "{}", condition.example);
            assert!(documentation.contains(&format!("/// | `,{}`", condition.example)), "{}", condition.example);
        }
        assert!("nothing".parse::<Fault>().unwrap_err().to_string().contains(", unreadable-job, vanish, "));
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
