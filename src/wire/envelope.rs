//! What answers are wrapped in. Owns the rule that the code inside decides, not the HTTP status.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::lenient::text_of;
use super::{Redactor, excerpt};
use crate::{Error, ErrorKind, Result};

/// The codes of a success: 203 has been seen with complete data and an error text beside it.
pub(super) const SUCCESS: [i64; 2] = [200, 203];

/// The parts of a lineage that may stand beside the code instead of under `data`.
const MODEL: [&str; 2] = ["dbobjs", "sqlflow"];

/// What servers answer when their work queue is full.
const BUSY: &str = "service is busy";
/// What servers answer when an export has more relationships than they write.
const TOO_MANY: &str = "too large to export";

/// JSON that is read from an answer.
pub(crate) trait FromResponse: DeserializeOwned {
    /// Takes secrets out of what the server says of a failure.
    fn clean(&mut self, secrets: &Redactor);
}

/// The answer of most operations: a code, and data of a shape that the operation decides.
///
/// Data is read whatever the code says, as far as it has the expected shape: servers send it beside warnings, and
/// some operations beside errors. Fields that are not listed here are in [`other`](Envelope::other).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Envelope<T> {
    /// 200 is success, 203 success with warnings, 4xx the caller's fault, 5xx the server's.
    pub code: i64,
    /// The answer.
    pub data: Option<T>,
    /// What went wrong, or warnings of a success, joined by newlines.
    pub error: Option<String>,
    /// More about the error, from newer operations.
    pub message: Option<String>,
    /// Names the answer in later questions.
    pub session_id: Option<String>,
    /// The job that was asked about.
    pub job_id: Option<String>,
    /// All other fields.
    pub other: Map<String, Value>,
    /// Whether there is a `data`, be it none or an empty text.
    pub(crate) mentions_data: bool,
}

impl<T> Envelope<T> {
    /// Whether the code is that of a success, with or without warnings.
    #[must_use]
    pub fn is_success(&self) -> bool {
        SUCCESS.contains(&self.code)
    }

    /// The error text beside a success, a line each.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        let text = self.error.as_deref().filter(|_| self.is_success()).unwrap_or_default();
        text.lines().filter(|line| !line.trim().is_empty())
    }

    /// The data of a success.
    ///
    /// # Errors
    /// The failure that the code stands for, or [`Protocol`](ErrorKind::Protocol) for a success without data.
    pub fn into_data(self) -> Result<T> {
        self.check()?;
        let code = self.code;
        self.data.ok_or_else(|| without_data(code))
    }

    /// Whether the code stands for a success.
    ///
    /// # Errors
    /// The failure that the code stands for.
    pub fn check(&self) -> Result<()> {
        if self.is_success() {
            return Ok(());
        }
        Err(failure(self.code, &self.text()))
    }

    /// What it says of a failure. An anonymous call past its limit is told where to get on.
    pub(super) fn text(&self) -> String {
        let text = self.message.as_deref().or(self.error.as_deref()).unwrap_or_default();
        let ways = self.other.get("upgrade").and_then(Value::as_object);
        let urls = ways.into_iter().flatten().filter_map(|(way, at)| Some((way, at.get("url")?.as_str()?)));
        urls.fold(text.to_owned(), |text, (way, url)| format!("{text}; {}: {url}", way.replace('_', " ")))
    }
}

pub(crate) fn without_data(code: i64) -> Error {
    let text = "the answer is a success without data: the server sent an empty envelope";
    Error::new(ErrorKind::Protocol, text).with_code(code)
}

/// The error that a failing envelope stands for.
pub(crate) fn failure(code: i64, text: &str) -> Error {
    let text = if text.trim().is_empty() { "the server gave no reason" } else { text.trim() };
    let text = excerpt(text);
    let (kind, next) = match code {
        _ if text.contains(BUSY) => (ErrorKind::Busy, "try again later"),
        _ if text.contains(TOO_MANY) => {
            (ErrorKind::TooLarge, "narrow the export to a table, or export the full lineage instead")
        }
        401 => (ErrorKind::Authentication, "check user id, secret key and token, and that they belong to this server"),
        429 => (ErrorKind::Busy, "try again later"),
        400..=499 => (ErrorKind::Rejected, "correct the request"),
        _ => (ErrorKind::Server, "the server failed; its log may tell why"),
    };
    Error::new(kind, format!("{text} (code {code}; {next})")).with_code(code)
}

/// The code of an answer and its error text, without the rest.
#[derive(Debug)]
pub(crate) struct EnvelopeHead {
    pub(crate) code: i64,
    text: String,
    /// Whether there is anything beside the code.
    pub(crate) has_data: bool,
}

impl EnvelopeHead {
    /// The head of a body, if it is an envelope.
    pub(crate) fn of(body: &[u8]) -> Option<Self> {
        let envelope: Envelope<IgnoredAny> = serde_json::from_slice(body).ok()?;
        let has_data = envelope.data.is_some() || MODEL.iter().any(|part| envelope.other.contains_key(*part));
        Some(Self { code: envelope.code, text: envelope.text(), has_data })
    }

    /// Whether the server has too much to do for now.
    pub(crate) fn is_busy(&self) -> bool {
        self.check().is_err_and(|error| error.kind() == ErrorKind::Busy)
    }

    /// # Errors
    /// The failure that the code stands for.
    pub(crate) fn check(&self) -> Result<()> {
        if SUCCESS.contains(&self.code) { Ok(()) } else { Err(failure(self.code, &self.text)) }
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Envelope<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EnvelopeVisitor(PhantomData))
    }
}

struct EnvelopeVisitor<T>(PhantomData<T>);

impl<'de, T: DeserializeOwned> Visitor<'de> for EnvelopeVisitor<T> {
    type Value = Envelope<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an envelope: an object with a code")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut code = None;
        // The code may come after the data, and decides what becomes of data that has another shape.
        let mut data: Option<Box<RawValue>> = None;
        let mut envelope = Envelope {
            code: 0,
            data: None,
            error: None,
            message: None,
            session_id: None,
            job_id: None,
            other: Map::new(),
            mentions_data: false,
        };
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "code" => code = Some(map.next_value::<Code>()?.0),
                "data" => {
                    data = map.next_value()?;
                    envelope.mentions_data = true;
                }
                "error" => envelope.error = map.next_value::<Text>()?.0,
                "message" | "msg" => envelope.message = map.next_value::<Text>()?.0,
                "sessionId" => envelope.session_id = map.next_value::<Text>()?.0,
                "jobId" => envelope.job_id = map.next_value::<Text>()?.0,
                _ => {
                    let value = map.next_value()?;
                    envelope.other.insert(key, value);
                }
            }
        }
        envelope.code = code.ok_or_else(|| A::Error::missing_field("code"))?;
        if let Some(raw) = data.filter(|raw| !matches!(raw.get(), "null" | "\"\"")) {
            match serde_json::from_str(raw.get()) {
                Ok(data) => envelope.data = Some(data),
                Err(error) if envelope.is_success() => return Err(A::Error::custom(format_args!("data: {error}"))),
                Err(_) => {}
            }
        }
        Ok(envelope)
    }
}

/// A number, or the text of one.
#[derive(Debug, Clone, Copy)]
struct Code(i64);

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let code = match &value {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        code.map(Code).ok_or_else(|| D::Error::custom("code is neither a whole number nor the text of one"))
    }
}

/// A text, or the JSON of what stands where a text should.
struct Text(Option<String>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(|value| Self(text_of(value)))
    }
}

impl<T: DeserializeOwned> FromResponse for Envelope<T> {
    fn clean(&mut self, secrets: &Redactor) {
        clean(&mut self.error, secrets);
        clean(&mut self.message, secrets);
    }
}

pub(super) fn clean(text: &mut Option<String>, secrets: &Redactor) {
    if let Some(text) = text {
        *text = secrets.redact(text).into_owned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Envelope<Vec<u8>> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_code_may_be_text() {
        assert_eq!(read(r#"{"code":"200"}"#).code, 200);
        assert_eq!(read(r#"{"code":401}"#).code, 401);
        assert!(serde_json::from_str::<Envelope<Vec<u8>>>(r#"{"code":"fine"}"#).is_err());
        assert!(serde_json::from_str::<Envelope<Vec<u8>>>(r#"{"data":[]}"#).is_err());
    }

    #[test]
    fn data_may_come_before_the_code() {
        assert_eq!(read(r#"{"data":[1,2],"code":200}"#).into_data().unwrap(), [1, 2]);
    }

    #[test]
    fn an_empty_text_in_place_of_data_is_no_data() {
        let error = read(r#"{"code":500,"data":"","error":"boom"}"#).into_data().unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Server, Some(500)));
        assert!(error.to_string().contains("boom"), "{error}");
    }

    #[test]
    fn data_of_another_shape_beside_a_failure_does_not_hide_the_failure() {
        let error = read(r#"{"code":400,"data":{"a":1},"error":"no"}"#).into_data().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Rejected);
        assert!(serde_json::from_str::<Envelope<Vec<u8>>>(r#"{"code":200,"data":{"a":1}}"#).is_err());
    }

    #[test]
    fn a_partial_success_keeps_its_data_and_its_warnings() {
        let envelope = read("{\"code\":203,\"data\":[7],\"error\":\"one\\n\\ntwo\"}");
        assert_eq!(envelope.warnings().collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(envelope.into_data().unwrap(), [7]);
    }

    #[test]
    fn an_envelope_without_data_is_a_protocol_error() {
        assert_eq!(read(r#"{"code":200}"#).into_data().unwrap_err().kind(), ErrorKind::Protocol);
        assert_eq!(read(r#"{"code":200,"data":null}"#).into_data().unwrap_err().kind(), ErrorKind::Protocol);
    }

    #[test]
    fn known_messages_decide_what_to_do_next() {
        let kind = |code, text| failure(code, text).kind();
        assert_eq!(kind(500, "Sorry, the service is busy. Please try again later."), ErrorKind::Busy);
        assert_eq!(
            kind(500, "The number of relationships in this task is too large to export this file, please …"),
            ErrorKind::TooLarge
        );
        assert_eq!(kind(401, "Invalid user or token, access deny."), ErrorKind::Authentication);
        assert_eq!(kind(429, "rate_limit_exceeded"), ErrorKind::Busy);
        assert_eq!(kind(404, ""), ErrorKind::Rejected);
        assert_eq!(kind(0, "?"), ErrorKind::Server);
    }

    #[test]
    fn a_long_text_of_a_server_is_cut_at_a_letter() {
        let text = failure(500, &"ü".repeat(5000)).to_string();
        assert!(text.chars().count() < 1100, "{}", text.chars().count());
    }

    #[test]
    fn fields_without_a_name_here_are_kept() {
        let envelope = read(r#"{"code":200,"data":[],"upgrade":{"a":1},"error":null,"sessionId":5}"#);
        assert_eq!(envelope.other["upgrade"]["a"], 1);
        assert_eq!(envelope.session_id.as_deref(), Some("5"));
        assert_eq!(envelope.error, None);
    }
}
