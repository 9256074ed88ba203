//! The envelope around every response. Owns the rule that the code inside it decides, not the HTTP status.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use sqlflow_lineage::{Lineage, RelationType};

use super::excerpt::excerpt;
use super::lenient::text_of;
use super::{RedactedDebug, Redactor};
use crate::{Error, ErrorKind, Result};

/// The codes of a success: 203 has been observed with complete data and an error text next to it.
pub(super) const SUCCESS: [i64; 2] = [200, 203];

/// The fields of a lineage document that may be next to the code instead of under `data`.
const LINEAGE_FIELDS: [&str; 2] = ["dbobjs", "sqlflow"];

/// The error text of servers whose work queue is full.
const BUSY: &str = "service is busy";
/// The error text of servers that are asked for an export with more relationships than they write.
const TOO_MANY: &str = "too large to export";

/// A JSON type that a response is read into.
pub(crate) trait FromResponse: Sized {
    /// Reads a response to a request that asked for these relation types, if its operation takes any.
    fn parse(text: &[u8], relation_types: Option<Vec<RelationType>>) -> serde_json::Result<Self>;

    /// Removes secrets from the messages of the server, and escapes their control characters.
    fn clean(&mut self, secrets: &Redactor);
}

/// The response of most operations: a code, and data whose shape depends on the operation.
///
/// Data of the expected shape is read whatever the code says: servers send it together with warnings, and some
/// operations together with errors. Fields that are not listed here are in [`other`](Envelope::other).
///
/// ```
/// use sqlflow_client::api::Envelope;
///
/// let body = r#"{"code": 203, "data": [1, 2], "error": "table t is unknown"}"#;
/// let envelope: Envelope<Vec<u32>> = serde_json::from_str(body)?;
/// assert_eq!(envelope.warnings().collect::<Vec<_>>(), ["table t is unknown"]);
/// assert_eq!(envelope.into_data()?, [1, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Envelope<T> {
    /// The code: 200 is a success, 203 a success with warnings, 4xx a fault of the caller, 5xx a fault of the server.
    pub code: i64,
    /// The data of the response.
    pub data: Option<T>,
    /// The error, or the warnings of a success, joined by newlines.
    pub error: Option<String>,
    /// Further details of the error, from newer operations.
    pub message: Option<String>,
    /// The id by which later requests refer to this response.
    pub session_id: Option<String>,
    /// The id of the job that the request was about.
    pub job_id: Option<String>,
    /// All other fields.
    pub other: Map<String, Value>,
    /// `true` if there is a field `data`, even if it is `null` or an empty string.
    pub(crate) mentions_data: bool,
    /// `true` if there is a code. Without one, the HTTP status has decided.
    has_code: bool,
    /// The secrets that `Debug` does not show.
    secrets: Redactor,
}

/// Shows no secret that the client knew when it received the response.
impl<T: fmt::Debug> fmt::Debug for Envelope<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value| RedactedDebug(value, &self.secrets);
        f.debug_struct("Envelope")
            .field("code", &self.code)
            .field("data", &shown(&self.data))
            .field("error", &shown(&self.error))
            .field("message", &shown(&self.message))
            .field("session_id", &shown(&self.session_id))
            .field("job_id", &shown(&self.job_id))
            .field("other", &shown(&self.other))
            .finish_non_exhaustive()
    }
}

impl<T> Envelope<T> {
    /// Returns `true` if the code is that of a success, with or without warnings.
    #[must_use]
    pub fn is_success(&self) -> bool {
        SUCCESS.contains(&self.code)
    }

    /// Returns the warnings of a success, which are the lines of its error text. There are none for a failure.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        let text = self.error.as_deref().filter(|_| self.is_success()).unwrap_or_default();
        text.lines().filter(|line| !line.trim().is_empty())
    }

    /// Returns the data of a success.
    ///
    /// # Errors
    /// Returns the failure that the code stands for, or [`Protocol`](ErrorKind::Protocol) for a success without data.
    pub fn into_data(self) -> Result<T> {
        self.check()?;
        let code = self.code;
        self.data.ok_or_else(|| without_data(code))
    }

    /// Checks that the code stands for a success.
    ///
    /// # Errors
    /// Returns the failure that the code stands for.
    pub fn check(&self) -> Result<()> {
        if self.is_success() {
            return Ok(());
        }
        Err(self.failure())
    }

    /// Returns the failure that the code stands for.
    fn failure(&self) -> Error {
        if self.is_quota_exceeded() {
            quota_exceeded(&self.failure_text())
        } else {
            failure(self.code, &self.failure_text())
        }
    }

    /// Returns `true` if the response says that a quota is used up: it names plans to which the caller can upgrade.
    fn is_quota_exceeded(&self) -> bool {
        self.code == 429 && self.other.contains_key("upgrade")
    }

    /// Removes secrets from the messages of the server, and escapes their control characters.
    pub(crate) fn clean_texts(&mut self, secrets: &Redactor) {
        clean(&mut self.error, secrets);
        clean(&mut self.message, secrets);
        self.secrets = self.secrets.and(secrets);
        if !self.is_success() {
            // The fields of a failure describe it. Those of a success may be its data.
            secrets.clean_fields(&mut self.other);
        }
    }

    /// Returns the same envelope with other data.
    fn with_data<U>(self, data: Option<U>) -> Envelope<U> {
        let Self { code, error, message, session_id, job_id, other, mentions_data, has_code, secrets, .. } = self;
        Envelope { code, data, error, message, session_id, job_id, other, mentions_data, has_code, secrets }
    }

    /// Returns the code of an envelope that has none and came with an HTTP status of success: that of a success, unless
    /// it has nothing but an error text.
    fn code_without_one(&self) -> i64 {
        let has_error = self.error.as_deref().is_some_and(|text| !text.trim().is_empty());
        if has_error && !self.mentions_data && self.other.is_empty() { 0 } else { SUCCESS[0] }
    }

    /// Returns the description of a failure, with the URLs at which an anonymous caller over the limit can upgrade.
    pub(super) fn failure_text(&self) -> String {
        let text = self.message.as_deref().or(self.error.as_deref()).unwrap_or_default();
        let upgrades = self.other.get("upgrade").and_then(Value::as_object);
        let urls = upgrades.into_iter().flatten().filter_map(|(plan, entry)| Some((plan, entry.get("url")?.as_str()?)));
        urls.fold(text.to_owned(), |text, (plan, url)| format!("{text}; {}: {url}", plan.replace('_', " ")))
    }
}

/// Returns the error of a success that came without data.
pub(crate) fn without_data(code: i64) -> Error {
    let text = "the response is a success without data: the server sent an empty envelope";
    Error::new(ErrorKind::Protocol, text).with_code(code)
}

/// Returns the error that the code and the text of a failure stand for.
pub(crate) fn failure(code: i64, text: &str) -> Error {
    let text = if text.trim().is_empty() { "the server gave no reason" } else { text.trim() };
    let text = excerpt(text);
    let (kind, next) = match code {
        _ if text.contains(BUSY) => (ErrorKind::Busy, "try again later"),
        _ if text.contains(TOO_MANY) => {
            (ErrorKind::TooLarge, "narrow the export to a table, or export the full lineage instead")
        }
        401 => {
            (ErrorKind::Authentication, "check that user id, secret key and token are right and belong to this server")
        }
        429 => (ErrorKind::Busy, "try again later"),
        400..=499 => (ErrorKind::Rejected, "correct the request"),
        _ => (ErrorKind::Server, "the server failed; its log may say why"),
    };
    Error::new(kind, format!("{text} (code {code}; {next})")).with_code(code)
}

/// Returns the error of a call beyond a quota, which stays used up for the rest of its period.
fn quota_exceeded(text: &str) -> Error {
    let text = if text.trim().is_empty() { "no calls are left" } else { text.trim() };
    let text = format!(
        "the quota of calls is used up: {} (code 429; wait for the next day, or use an account or a self-hosted server)",
        excerpt(text)
    );
    Error::new(ErrorKind::QuotaExceeded, text).with_code(429)
}

/// Returns the error of HTTP status 429 if its body, which may lack a code, says that a quota is used up.
pub(crate) fn quota_in(body: &[u8], secrets: &Redactor) -> Option<Error> {
    let mut envelope: Envelope<IgnoredAny> = serde_json::from_slice(body).ok()?;
    envelope.clean_texts(secrets);
    envelope.other.contains_key("upgrade").then(|| quota_exceeded(&envelope.failure_text()))
}

/// The code and the error text of an envelope, without its data.
#[derive(Debug)]
pub(crate) struct EnvelopeHead {
    pub(crate) code: i64,
    failure: Option<Error>,
    /// `true` if the envelope has data, under `data` or next to the code.
    pub(crate) has_data: bool,
}

impl EnvelopeHead {
    /// Reads the head of a body. Returns `None` if the body is not an envelope with a code: what has none may be data
    /// of any kind.
    pub(crate) fn of(body: &[u8], secrets: &Redactor) -> Option<Self> {
        let mut envelope: Envelope<IgnoredAny> = serde_json::from_slice(body).ok()?;
        if !envelope.has_code {
            return None;
        }
        // Before a text is cut to an excerpt.
        envelope.clean_texts(secrets);
        let has_data =
            envelope.data.is_some() || LINEAGE_FIELDS.iter().any(|field| envelope.other.contains_key(*field));
        Some(Self { code: envelope.code, failure: envelope.check().err(), has_data })
    }

    /// Returns `true` if the server is overloaded.
    pub(crate) fn is_busy(&self) -> bool {
        self.check().is_err_and(|error| error.kind() == ErrorKind::Busy)
    }

    /// Checks that the code stands for a success.
    ///
    /// # Errors
    /// Returns the failure that the code stands for.
    pub(crate) fn check(&self) -> Result<()> {
        self.failure.clone().map_or(Ok(()), Err)
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
        f.write_str("an envelope: an object with the field `code`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut code = None;
        // The code may come after the data, and it decides whether data of an unexpected shape is an error.
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
            has_code: true,
            secrets: Redactor::default(),
        };
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "code" => code = Some(map.next_value::<LenientCode>()?.0),
                "data" => {
                    data = map.next_value()?;
                    envelope.mentions_data = true;
                }
                "error" => envelope.error = map.next_value::<LenientText>()?.0,
                "message" | "msg" => envelope.message = map.next_value::<LenientText>()?.0,
                "sessionId" => envelope.session_id = map.next_value::<LenientText>()?.0,
                "jobId" => envelope.job_id = map.next_value::<LenientText>()?.0,
                _ => {
                    let value = map.next_value()?;
                    envelope.other.insert(key, value);
                }
            }
        }
        envelope.has_code = code.is_some();
        envelope.code = code.unwrap_or_else(|| envelope.code_without_one());
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

/// A code, which servers write as a number or as a string.
#[derive(Debug, Clone, Copy)]
struct LenientCode(i64);

impl<'de> Deserialize<'de> for LenientCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let code = match &value {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        code.map(LenientCode)
            .ok_or_else(|| D::Error::custom("the code is neither an integer nor a string that contains one"))
    }
}

/// A text, or the JSON of another value in its place.
struct LenientText(Option<String>);

impl<'de> Deserialize<'de> for LenientText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(|value| Self(text_of(value)))
    }
}

/// The data of the envelope of an operation.
pub(crate) trait EnvelopeData: DeserializeOwned {
    /// Reads an envelope with this data. `relation_types` is as in [`FromResponse::parse`].
    fn parse_envelope(text: &[u8], relation_types: Option<Vec<RelationType>>) -> serde_json::Result<Envelope<Self>> {
        let _ = relation_types;
        serde_json::from_slice(text)
    }

    /// Removes secrets from the messages in the data, and escapes their control characters. Whatever identifies
    /// something stays as the server sent it.
    fn clean(&mut self, secrets: &Redactor) {
        let _ = secrets;
    }
}

impl EnvelopeData for Value {}

/// A lineage is told the relation types that were requested, which its document does not say.
impl EnvelopeData for Lineage {
    fn parse_envelope(text: &[u8], relation_types: Option<Vec<RelationType>>) -> serde_json::Result<Envelope<Self>> {
        let Some(relation_types) = relation_types else { return serde_json::from_slice(text) };
        let reader = Lineage::reader().requested_types(relation_types);
        let envelope: Envelope<Box<RawValue>> = serde_json::from_slice(text)?;
        let read = envelope.data.as_ref().map(|raw| reader.read_slice(raw.get().as_bytes())).transpose();
        let data = match read {
            Err(error) if envelope.is_success() => {
                return Err(serde_json::Error::custom(format_args!("data: {error}")));
            }
            read => read.unwrap_or_default(),
        };
        Ok(envelope.with_data(data))
    }
}

impl<T: EnvelopeData> FromResponse for Envelope<T> {
    fn parse(text: &[u8], relation_types: Option<Vec<RelationType>>) -> serde_json::Result<Self> {
        T::parse_envelope(text, relation_types)
    }

    fn clean(&mut self, secrets: &Redactor) {
        self.clean_texts(secrets);
        if let Some(data) = &mut self.data {
            data.clean(secrets);
        }
    }
}

/// Cleans a text, if there is one.
pub(super) fn clean(text: &mut Option<String>, secrets: &Redactor) {
    if let Some(text) = text {
        secrets.clean(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Envelope<Vec<u8>> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_code_may_be_a_string() {
        assert_eq!(read(r#"{"code":"200"}"#).code, 200);
        assert_eq!(read(r#"{"code":401}"#).code, 401);
        assert!(serde_json::from_str::<Envelope<Vec<u8>>>(r#"{"code":"fine"}"#).is_err());
    }

    #[test]
    fn an_envelope_without_a_code_is_a_success_unless_it_has_only_an_error() {
        assert_eq!(read(r#"{"data":[1]}"#).into_data().unwrap(), [1]);
        assert_eq!(read(r#"{"data":[1],"error":"t is unknown"}"#).warnings().collect::<Vec<_>>(), ["t is unknown"]);
        assert!(read("{}").check().is_ok());
        let error = read(r#"{"error":"boom"}"#).check().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server);
        assert!(error.to_string().contains("boom"), "{error}");
        assert!(EnvelopeHead::of(br#"{"data":[1]}"#, &Redactor::default()).is_none(), "it may be any JSON");
    }

    #[test]
    fn a_used_up_quota_is_a_kind_of_its_own_and_names_the_way_out() {
        let body = r#"{"code":429,"error":"rate_limit_exceeded","message":"50 a day","upgrade":{"personal_key":{"url":"https://k"}}}"#;
        for error in [
            read(body).check().unwrap_err(),
            EnvelopeHead::of(body.as_bytes(), &Redactor::default()).unwrap().check().unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::QuotaExceeded);
            assert!(!error.is_retryable());
            let text = error.to_string();
            assert!(text.contains("50 a day") && text.contains("personal key: https://k"), "{text}");
        }
        assert_eq!(read(r#"{"code":429,"error":"slow down"}"#).check().unwrap_err().kind(), ErrorKind::Busy);
        assert_eq!(
            quota_in(br#"{"error":"x","upgrade":{}}"#, &Redactor::default()).unwrap().kind(),
            ErrorKind::QuotaExceeded
        );
        assert!(quota_in(br#"{"error":"x"}"#, &Redactor::default()).is_none());
    }

    #[test]
    fn data_may_come_before_the_code() {
        assert_eq!(read(r#"{"data":[1,2],"code":200}"#).into_data().unwrap(), [1, 2]);
    }

    #[test]
    fn an_empty_string_in_place_of_data_counts_as_no_data() {
        let error = read(r#"{"code":500,"data":"","error":"boom"}"#).into_data().unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Server, Some(500)));
        assert!(error.to_string().contains("boom"), "{error}");
    }

    #[test]
    fn data_of_an_unexpected_shape_does_not_hide_a_failure() {
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
    fn known_error_texts_and_codes_decide_the_kind() {
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
    fn a_long_text_of_a_server_is_truncated_between_characters() {
        let text = failure(500, &"ü".repeat(5000)).to_string();
        assert!(text.chars().count() < 1100, "{}", text.chars().count());
    }

    #[test]
    fn unknown_fields_are_kept() {
        let envelope = read(r#"{"code":200,"data":[],"upgrade":{"a":1},"error":null,"sessionId":5}"#);
        assert_eq!(envelope.other["upgrade"]["a"], 1);
        assert_eq!(envelope.session_id.as_deref(), Some("5"));
        assert_eq!(envelope.error, None);
    }
}
