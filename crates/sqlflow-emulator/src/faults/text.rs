//! Faults as text for command lines: `504,handled,on=submitUserJob,times=1`.

use std::fmt::{self, Display};
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{AppliedFault, Fault, FaultKind};
use crate::{clock, routes};

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
    Word(fn(Fault) -> Result<Fault, ParseFaultError>),
    Value(fn(Fault, &str) -> Result<Fault, ParseFaultError>),
}

/// All kinds of faults. The parser reads from this table, so that a kind that works is also listed.
const KINDS: [(FaultDescription, KindReader); 22] = [
    (
        described("latency", "latency=200ms", "respond this much later"),
        KindReader::Value(|value| Ok(Fault::latency(some_duration("latency", value, "latency=200ms")?))),
    ),
    (
        described("refuse", "refuse=2s", "refuse connections for this time from the start"),
        KindReader::Value(|value| Ok(Fault::refuse(some_duration("refuse", value, "refuse=2s")?))),
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
        KindReader::Value(|value| Ok(Fault::unknown_status(some_text("status", value, "status=archiving")?))),
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
        KindReader::Value(length),
    ),
    (
        described("bomb", "bomb=1000000", "compress a response that unpacks to this many bytes"),
        KindReader::Value(|value| Ok(Fault::bomb(some("bomb", value, "a number of bytes", "bomb=1000000")?))),
    ),
    (
        described("redirect", "redirect=http://127.0.0.1:9/", "redirect the request to this URL"),
        KindReader::Value(|value| Ok(Fault::redirect(some_text("redirect", value, "redirect=http://127.0.0.1:9/")?))),
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
            let advice = match routes::similar_operation(name) {
                Some(similar) => format!("did you mean '{similar}'?"),
                None => "the page at / lists them".to_owned(),
            };
            Err(ParseFaultError::new(format!("'{name}' is not an operation; {advice}")))
        }),
    ),
    (
        described("skip", "skip=2", "not the first requests, as many as this"),
        ConditionReader::Value(|fault, value| Ok(fault.skip(number(value, "a number of requests")?))),
    ),
    (
        described("every", "every=3", "only one in this many requests"),
        ConditionReader::Value(|fault, value| {
            Ok(fault.every(some(
                "every",
                value,
                "a number of requests",
                "every=3 for one in three, or nothing for each",
            )?))
        }),
    ),
    (
        described("chance", "chance=0.05/42", "only this share of the requests, chosen by the seed after the slash"),
        ConditionReader::Value(chance),
    ),
    (
        described("times", "times=3", "at most this many requests"),
        ConditionReader::Value(|fault, value| {
            Ok(fault.times(some("times", value, "a number of requests", "times=3, or no fault for none")?))
        }),
    ),
    (described("handled", "handled", "handle the request before the fault"), ConditionReader::Word(handled)),
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
        let parts = parts(text);
        let Some((kind, conditions)) = parts.split_first() else {
            return Err(ParseFaultError::new("'' is not a fault"));
        };
        let fault = read_kind(kind)?;
        for (position, condition) in conditions.iter().enumerate() {
            refuse_second(condition, &conditions[..position])?;
        }
        conditions.iter().try_fold(fault, |fault, part| add_condition(fault, part))
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

/// Refuses a condition that is there already, since only one of the two could hold. Operations add up.
fn refuse_second(condition: &str, earlier: &[String]) -> Result<(), ParseFaultError> {
    let name = |text: &str| text.split_once('=').map_or(text, |(name, _)| name).to_owned();
    let first = earlier.iter().find(|text| name(text) == name(condition) && name(text) != "on");
    first.map_or(Ok(()), |first| {
        let reason = format!("'{condition}' is a second condition '{}' after '{first}'; write one", name(condition));
        Err(ParseFaultError::new(reason))
    })
}

fn add_condition(fault: Fault, text: &str) -> Result<Fault, ParseFaultError> {
    let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
    let known = CONDITIONS.iter().find(|(description, _)| description.name == name);
    match (known.map(|(_, reader)| reader), value) {
        (Some(_), _) if fault.refusal().is_some() => Err(ParseFaultError::new(format!(
            "'{text}' has no effect on 'refuse', which concerns connections and not single requests; leave it out"
        ))),
        (Some(ConditionReader::Word(add)), None) => add(fault),
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
    let bytes = some("drip", bytes, "a number of bytes", "drip=10/50ms")?;
    Ok(Fault::drip(bytes, some_duration("drip", every, "drip=10/50ms")?))
}

fn length(value: &str) -> Result<Fault, ParseFaultError> {
    match number(value, "a number of bytes with a sign")? {
        0 => Err(ParseFaultError::new(format!("'{value}' does not change the length; write length=+10 or length=-10"))),
        difference => Ok(Fault::content_length(difference)),
    }
}

fn handled(fault: Fault) -> Result<Fault, ParseFaultError> {
    match fault.kind {
        FaultKind::Close
        | FaultKind::Page(_)
        | FaultKind::TooManyRequests(_)
        | FaultKind::TooManyRequestsUntil(_)
        | FaultKind::Busy
        | FaultKind::Redirect(_) => Ok(fault.handled()),
        kind => Err(ParseFaultError::new(format!(
            "'handled' has no effect on '{kind}'; leave it out, or write it after close, busy, an HTTP status or redirect"
        ))),
    }
}

fn chance(fault: Fault, value: &str) -> Result<Fault, ParseFaultError> {
    let (share, seed) = value.split_once('/').unwrap_or((value, "0"));
    let share: f64 = number(share, "a share of requests")?;
    if !(share > 0.0 && share <= 1.0) {
        return Err(ParseFaultError::new(format!(
            "'{share}' is not a share above 0 and up to 1; write chance=0.05/42 for every twentieth request"
        )));
    }
    Ok(fault.chance(share, number(seed, "a seed")?))
}

fn number<T: FromStr>(value: &str, meant: &str) -> Result<T, ParseFaultError> {
    value.parse().map_err(|_| ParseFaultError::new(format!("'{value}' is not {meant}")))
}

/// Reads a number that is at least 1, since the part has no effect with 0.
fn some(part: &str, value: &str, meant: &str, instead: &str) -> Result<u64, ParseFaultError> {
    match number(value, meant)? {
        0 => Err(without_effect(part, value, instead)),
        number => Ok(number),
    }
}

fn some_text<'a>(part: &str, value: &'a str, instead: &str) -> Result<&'a str, ParseFaultError> {
    if value.trim().is_empty() { Err(without_effect(part, value, instead)) } else { Ok(value) }
}

fn some_duration(part: &str, value: &str, instead: &str) -> Result<Duration, ParseFaultError> {
    match duration(value)? {
        Duration::ZERO => Err(without_effect(part, value, instead)),
        time => Ok(time),
    }
}

fn without_effect(part: &str, value: &str, instead: &str) -> ParseFaultError {
    ParseFaultError::new(format!("'{value}' as the value of '{part}' has no effect; write {instead}"))
}

fn duration(value: &str) -> Result<Duration, ParseFaultError> {
    let time = humantime::parse_duration(value).map_err(|error| {
        ParseFaultError::new(format!("'{value}' is not a duration with a unit, such as 200ms ({error})"))
    })?;
    if time > clock::YEAR {
        return Err(ParseFaultError::new(format!("'{value}' is longer than a year; write a year (1y) or less")));
    }
    Ok(time)
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
                .times(1)
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
    fn a_fault_without_effect_is_an_error_that_says_what_to_write() {
        for (text, named, instead) in [
            ("502,every=0", "'0' as the value of 'every'", "write every=3"),
            ("502,times=0", "'0' as the value of 'times'", "write times=3"),
            ("502,chance=0", "'0' is not a share above 0", "write chance=0.05/42"),
            ("status=", "'' as the value of 'status'", "write status=archiving"),
            ("status= ", "' ' as the value of 'status'", "write status=archiving"),
            ("redirect=", "'' as the value of 'redirect'", "write redirect=http://127.0.0.1:9/"),
            ("refuse=0s", "'0s' as the value of 'refuse'", "write refuse=2s"),
            ("latency=0ms", "'0ms' as the value of 'latency'", "write latency=200ms"),
            ("drip=0/0ms", "'0' as the value of 'drip'", "write drip=10/50ms"),
            ("drip=10/0ms", "'0ms' as the value of 'drip'", "write drip=10/50ms"),
            ("length=+0", "'+0'", "write length=+10"),
            ("bomb=0", "'0' as the value of 'bomb'", "write bomb=1000000"),
            ("refuse=2s,times=1", "'times=1' has no effect on 'refuse'", "leave it out"),
            ("stall=1,handled", "'handled' has no effect on 'stall=1'", "leave it out"),
        ] {
            let message = text.parse::<Fault>().unwrap_err().to_string();
            let (reason, _) = message.split_once("; a fault is one of ").unwrap();
            assert!(reason.starts_with(named) && reason.contains(instead), "{text}: {reason}");
        }
        for text in ["429=0s", "late=0s", "truncate=0", "stall=0", "reset-sent=0", "502,every=1", "502,chance=1"] {
            assert!(text.parse::<Fault>().is_ok(), "{text}");
        }
    }

    #[test]
    fn a_condition_may_be_there_once_and_operations_several_times() {
        for (text, second, first) in [
            ("502,times=1,times=2", "'times=2'", "after 'times=1'"),
            ("502,skip=1,on=submitUserJob,skip=1", "'skip=1'", "after 'skip=1'"),
            ("502,every=2,every=3", "'every=3'", "after 'every=2'"),
            ("502,chance=0.1,chance=0.2/7", "'chance=0.2/7'", "after 'chance=0.1'"),
            ("502,handled,handled", "'handled'", "after 'handled'"),
        ] {
            let message = text.parse::<Fault>().unwrap_err().to_string();
            assert!(message.starts_with(second) && message.contains(first), "{message}");
            assert!(message.contains("write one"), "{message}");
        }
        assert!("busy,on=submitUserJob,on=submitPersistJob".parse::<Fault>().is_ok());
        assert!("lose-response,handled".parse::<Fault>().is_ok());
    }

    #[test]
    fn a_duration_beyond_a_year_is_an_error() {
        for kind in ["latency=", "refuse=", "late=", "429=", "drip=1/"] {
            for absurd in ["1y 1s", "400days", "5000years"] {
                let message = format!("{kind}{absurd}").parse::<Fault>().unwrap_err().to_string();
                assert!(message.starts_with(&format!("'{absurd}' is longer than a year")), "{message}");
            }
            assert!(format!("{kind}1y").parse::<Fault>().is_ok(), "{kind}");
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
    fn an_operation_that_is_misspelt_has_a_suggestion() {
        for name in ["SubmitUserJob", "job/submitUserJob", "/sqlflow/job/submituserjob"] {
            let error = format!("502,on={name}").parse::<Fault>().unwrap_err().to_string();
            assert!(error.contains("did you mean 'submitUserJob'?"), "{error}");
        }
        let error = "502,on=frob".parse::<Fault>().unwrap_err().to_string();
        assert!(error.contains("'frob' is not an operation; the page at / lists them"), "{error}");
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
