//! The envelope around every response. Owns the rule that the code inside it decides, not the HTTP status.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;

use serde::de::{DeserializeOwned, Error as _, IgnoredAny, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use sqlflow_lineage::{Lineage, RelationType};

use super::excerpt::{excerpt, shortened};
use super::lenient::{raw_text, text_of};
use super::{RedactedDebug, Redactor};
use crate::{Error, ErrorKind, Result};

/// The codes of a success: 203 has been observed with complete data and an error text next to it.
pub(super) const SUCCESS: [i64; 2] = [200, 203];

/// The fields of a lineage document that may be next to the code instead of under `data`.
const LINEAGE_FIELDS: [&str; 2] = ["dbobjs", "sqlflow"];

/// The fields next to `error` in the failures that the web framework of the server reports by itself.
const FRAMEWORK_FIELDS: [&str; 6] = ["timestamp", STATUS, "path", "trace", "exception", "requestId"];
/// The one of them that is the HTTP status.
const STATUS: &str = "status";

/// The code of a server to which too many calls were made.
const TOO_MANY_CALLS: i64 = 429;
/// The field with the ways to get more calls, by which a used-up quota differs from a short-lived limit.
const UPGRADE: &str = "upgrade";
/// The number of URLs that an error names, and the length of each in characters.
const MAX_URLS: usize = 5;
const MAX_URL: usize = 300;

/// The error text of servers whose work queue is full.
const BUSY: &str = "service is busy";
/// The error text of servers that are asked for an export with more relationships than they write.
const TOO_MANY: &str = "too large to export";

/// A JSON type that a response is read into.
pub(crate) trait FromResponse: Sized {
    /// Reads a response to a request that asked for these relation types, if its operation takes any.
    fn parse(text: &[u8], relation_types: Option<Vec<RelationType>>) -> serde_json::Result<Self>;

    /// Reads a success that has nothing but data, which are these. Returns `None` if that is for `parse`.
    fn of_data(code: i64, data: &str) -> Option<Self> {
        let _ = (code, data);
        None
    }

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
        if self.is_quota_exceeded() { self.quota_exceeded() } else { failure(self.code, self.failure_text()) }
    }

    /// Returns `true` if the response says that a quota is used up: it names plans to which the caller can upgrade.
    fn is_quota_exceeded(&self) -> bool {
        self.code == TOO_MANY_CALLS && self.names_upgrade()
    }

    fn names_upgrade(&self) -> bool {
        self.other.get(UPGRADE).is_some_and(|upgrade| !upgrade.is_null())
    }

    /// Returns the error of a call beyond a quota, which stays used up for the rest of its period. It names every way
    /// to upgrade, however long the text of the server is.
    fn quota_exceeded(&self) -> Error {
        let text = Some(self.failure_text().trim()).filter(|text| !text.is_empty()).unwrap_or("no calls are left");
        let mut ways = Vec::new();
        self.other.get(UPGRADE).into_iter().for_each(|upgrade| add_urls("", upgrade, &mut ways));
        ways.insert(0, excerpt(text));
        let text = format!(
            "the quota of calls is used up: {} (code 429; wait for the next day, or use an account or a \
             self-hosted server)",
            ways.join("; ")
        );
        Error::new(ErrorKind::QuotaExceeded, text).with_code(TOO_MANY_CALLS)
    }

    /// Reads an envelope whose data is not read by its own `Deserialize`. Data that cannot be read is an error only in
    /// a success.
    pub(super) fn read_with<E: fmt::Display>(
        text: &[u8],
        read: impl FnOnce(&RawValue) -> Result<T, E>,
    ) -> serde_json::Result<Self> {
        let raw: RawEnvelope<Borrowed<'_>> = serde_json::from_slice(text)?;
        raw.with_data(|data| read(data.0).map_err(serde_json::Error::custom))
    }

    /// Creates an envelope with nothing but a code.
    fn empty(code: i64) -> Self {
        Self {
            code,
            data: None,
            error: None,
            message: None,
            session_id: None,
            job_id: None,
            other: Map::new(),
            mentions_data: false,
            secrets: Redactor::default(),
        }
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
        let Self { code, error, message, session_id, job_id, other, mentions_data, secrets, .. } = self;
        Envelope { code, data, error, message, session_id, job_id, other, mentions_data, secrets }
    }

    /// Returns the code of an envelope that has none and came with an HTTP status of success: that of a success, unless
    /// it has nothing but a description of an error.
    fn code_without_one(&self) -> i64 {
        let has_error = self.error.as_deref().is_some_and(|text| !text.trim().is_empty());
        let has_data = self.mentions_data || LINEAGE_FIELDS.iter().any(|field| self.other.contains_key(*field));
        match has_error && !has_data {
            true if self.names_upgrade() => TOO_MANY_CALLS,
            true if self.other.keys().all(|field| FRAMEWORK_FIELDS.contains(&field.as_str())) => {
                self.other.get(STATUS).and_then(Value::as_i64).filter(|status| *status >= 400).unwrap_or_default()
            }
            _ => SUCCESS[0],
        }
    }

    /// Returns the description of a failure.
    pub(super) fn failure_text(&self) -> &str {
        self.message.as_deref().or(self.error.as_deref()).unwrap_or_default()
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
        405 | 501 => (ErrorKind::Rejected, "this server does not have the operation"),
        409 => (ErrorKind::Rejected, "try again when the job has ended"),
        429 => (ErrorKind::Busy, "try again later"),
        400..=499 => (ErrorKind::Rejected, "correct the request"),
        _ => (ErrorKind::Server, "the server failed; its log may say why"),
    };
    Error::new(kind, format!("{text} (code {code}; {next})")).with_code(code)
}

/// Adds the URLs in a description of the ways to upgrade, each after the name of its way.
fn add_urls(way: &str, description: &Value, found: &mut Vec<String>) {
    match description {
        _ if found.len() == MAX_URLS => {}
        Value::String(url) if url.starts_with("https://") || url.starts_with("http://") => {
            let url = shortened(url, MAX_URL);
            found.push(if way.is_empty() { url } else { format!("{way}: {url}") });
        }
        Value::Array(all) => all.iter().for_each(|one| add_urls(way, one, found)),
        Value::Object(fields) => fields.iter().for_each(|(name, field)| {
            let name = if matches!(name.as_str(), "url" | "link" | "href") { way } else { &name.replace('_', " ") };
            add_urls(name, field, found);
        }),
        _ => {}
    }
}

/// Returns the error of a failure with an HTTP status of its own if its body, which may lack a code, says that a quota is
/// used up.
pub(crate) fn quota_in(status: u16, body: &[u8], secrets: &Redactor) -> Option<Error> {
    let envelope = failed_envelope(body, secrets)?;
    let is_about_calls = status == 429 || envelope.code == TOO_MANY_CALLS;
    (is_about_calls && envelope.names_upgrade()).then(|| envelope.quota_exceeded())
}

/// Reads what an envelope says about a failure, and nothing else of it.
fn failed_envelope(body: &[u8], secrets: &Redactor) -> Option<Envelope<IgnoredAny>> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let mut read =
        RawEnvelope::<Borrowed<'_>>::keeping(&mut deserializer, |key| matches!(key, UPGRADE | STATUS)).ok()?;
    deserializer.end().ok()?;
    // Before a text is cut to an excerpt.
    read.envelope.clean_texts(secrets);
    Some(read.envelope)
}

/// The code and the error text of an envelope, without its data.
#[derive(Debug)]
pub(crate) struct EnvelopeHead {
    pub(crate) code: i64,
    failure: Option<Error>,
    /// `true` if the envelope has data, under `data` or next to the code.
    pub(crate) has_data: bool,
    /// The place of the data of a success that has nothing else.
    data_place: Option<Range<usize>>,
}

impl EnvelopeHead {
    /// Reads the head of a body. Returns `None` if the body is not an envelope with a code: what has none may be data
    /// of any kind.
    pub(crate) fn of(body: &[u8], secrets: &Redactor) -> Option<Self> {
        // A text that is not UTF-8 must not hide the code next to it.
        let body = std::str::from_utf8(body).map_or_else(|_| String::from_utf8_lossy(body), Cow::Borrowed);
        let head: RawHead = serde_json::from_str(&body).ok()?;
        let envelope = || failed_envelope(body.as_bytes(), secrets);
        let Some(code) = head.code else {
            let may_be_failure = head.names_upgrade || head.error.is_some() && !head.has_other;
            let envelope = envelope().filter(|envelope| may_be_failure && !envelope.is_success())?;
            let failure = envelope.failure();
            let failure = if envelope.is_quota_exceeded() { failure } else { failure.without_code() };
            let (code, failure) = (envelope.code, Some(failure));
            return Some(Self { code, failure, has_data: head.has_data, data_place: None });
        };
        let failure = (!SUCCESS.contains(&code)).then(|| {
            envelope().map_or_else(|| failure(code, &secrets.redact(&head.failure_text())), |it| it.failure())
        });
        let data = head.data.filter(|_| failure.is_none() && head.has_data && head.beside_code == 1);
        let data_place = match (&body, data) {
            (Cow::Borrowed(body), Some(data)) => {
                let start = data.get().as_ptr().addr() - body.as_ptr().addr();
                Some(start..start + data.get().len())
            }
            _ => None,
        };
        Some(Self { code, failure, has_data: head.has_data, data_place })
    }

    /// Returns the data in a body that this is the head of, if it is a success that has nothing else.
    pub(crate) fn only_data<'a>(&self, body: &'a [u8]) -> Option<&'a str> {
        std::str::from_utf8(body.get(self.data_place.clone()?)?).ok()
    }

    /// Returns `true` if the server turned the request away, because it is overloaded or a quota is used up.
    pub(crate) fn is_turned_away(&self) -> bool {
        self.check().is_err_and(|error| matches!(error.kind(), ErrorKind::Busy | ErrorKind::QuotaExceeded))
    }

    /// Checks that the code stands for a success.
    ///
    /// # Errors
    /// Returns the failure that the code stands for.
    pub(crate) fn check(&self) -> Result<()> {
        self.failure.clone().map_or(Ok(()), Err)
    }
}

/// The fields of an envelope that tell a success from a failure, without copies of their texts.
#[derive(Default)]
struct RawHead<'a> {
    code: Option<i64>,
    error: Option<&'a RawValue>,
    message: Option<&'a RawValue>,
    data: Option<&'a RawValue>,
    has_data: bool,
    /// The number of fields besides the code.
    beside_code: usize,
    names_upgrade: bool,
    /// `true` if there are fields that no failure has.
    has_other: bool,
}

impl RawHead<'_> {
    /// Returns the description of a failure whose envelope cannot be read as a whole.
    fn failure_text(&self) -> String {
        let text = self.message.or(self.error).map(RawValue::get).unwrap_or_default();
        // Unlike a text, bytes may contain half of a character.
        let bytes = serde_json::Deserializer::from_str(text).deserialize_byte_buf(BytesVisitor);
        bytes.map_or_else(|_| text.to_owned(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl<'de> Deserialize<'de> for RawHead<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RawHeadVisitor)
    }
}

struct RawHeadVisitor;

impl<'de> Visitor<'de> for RawHeadVisitor {
    type Value = RawHead<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawHead<'de>, A::Error> {
        let mut head = RawHead::default();
        while let Some(key) = map.next_key::<RawKey>()? {
            head.beside_code += usize::from(!matches!(key, RawKey::Code));
            match key {
                RawKey::Code => head.code = Some(map.next_value::<LenientCode>()?.0),
                RawKey::Data => {
                    let data: &RawValue = map.next_value()?;
                    head.has_data |= !is_empty(data);
                    head.data = Some(data);
                }
                RawKey::LineageField => {
                    head.has_data = true;
                    map.next_value::<IgnoredAny>()?;
                }
                RawKey::Upgrade => {
                    head.names_upgrade = true;
                    map.next_value::<IgnoredAny>()?;
                }
                RawKey::Error => head.error = map.next_value()?,
                RawKey::Message => head.message = map.next_value()?,
                RawKey::Framework => drop(map.next_value::<IgnoredAny>()?),
                RawKey::Other => {
                    head.has_other = true;
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(head)
    }
}

/// The key of a field, as far as it matters.
enum RawKey {
    Code,
    Data,
    LineageField,
    Upgrade,
    Error,
    Message,
    Framework,
    Other,
}

impl<'de> Deserialize<'de> for RawKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_identifier(RawKeyVisitor)
    }
}

struct RawKeyVisitor;

impl Visitor<'_> for RawKeyVisitor {
    type Value = RawKey;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<RawKey, E> {
        Ok(match key {
            "code" => RawKey::Code,
            "data" => RawKey::Data,
            UPGRADE => RawKey::Upgrade,
            "error" => RawKey::Error,
            "message" | "msg" => RawKey::Message,
            key if LINEAGE_FIELDS.contains(&key) => RawKey::LineageField,
            key if FRAMEWORK_FIELDS.contains(&key) => RawKey::Framework,
            _ => RawKey::Other,
        })
    }
}

/// Reads the bytes of a JSON string.
struct BytesVisitor;

impl Visitor<'_> for BytesVisitor {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Envelope<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = RawEnvelope::<Box<RawValue>>::deserialize(deserializer)?;
        read.with_data(|raw| serde_json::from_str(raw.get())).map_err(D::Error::custom)
    }
}

/// An envelope whose data is still JSON. The code may come after the data, and it decides whether data of an unexpected
/// shape is an error.
pub(super) struct RawEnvelope<R> {
    pub(super) envelope: Envelope<IgnoredAny>,
    data: Option<R>,
    /// `true` if the envelope has more than one field `data`.
    is_ambiguous: bool,
}

impl<'de, R: AsRef<RawValue> + Deserialize<'de>> RawEnvelope<R> {
    /// Reads an envelope, and keeps those of its other fields that are wanted.
    pub(super) fn keeping<D: Deserializer<'de>>(
        deserializer: D,
        is_wanted: fn(&str) -> bool,
    ) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RawEnvelopeVisitor { is_wanted, data: PhantomData })
    }

    /// Reads the data.
    fn with_data<T>(self, read: impl FnOnce(R) -> serde_json::Result<T>) -> serde_json::Result<Envelope<T>> {
        let Self { envelope, data, is_ambiguous } = self;
        if is_ambiguous && envelope.is_success() {
            return Err(serde_json::Error::duplicate_field("data"));
        }
        let data = match data.filter(|raw| !is_empty(raw.as_ref())).map(read) {
            Some(Err(error)) if envelope.is_success() => {
                return Err(serde_json::Error::custom(format_args!("data: {error}")));
            }
            data => data.and_then(serde_json::Result::ok),
        };
        Ok(envelope.with_data(data))
    }
}

impl<'de, R: AsRef<RawValue> + Deserialize<'de>> Deserialize<'de> for RawEnvelope<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::keeping(deserializer, |_| true)
    }
}

/// JSON that is part of the text that it is read from, so that it is not copied.
#[derive(Deserialize)]
#[serde(transparent)]
struct Borrowed<'a>(#[serde(borrow)] &'a RawValue);

impl AsRef<RawValue> for Borrowed<'_> {
    fn as_ref(&self) -> &RawValue {
        self.0
    }
}

/// Returns `true` for the values with which servers fill the place of data that they do not have.
fn is_empty(data: &RawValue) -> bool {
    matches!(data.get(), "null" | "\"\"")
}

struct RawEnvelopeVisitor<R> {
    is_wanted: fn(&str) -> bool,
    data: PhantomData<R>,
}

impl<'de, R: AsRef<RawValue> + Deserialize<'de>> Visitor<'de> for RawEnvelopeVisitor<R> {
    type Value = RawEnvelope<R>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an envelope: an object with the field `code`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut code, mut data) = (None, None::<R>);
        let mut is_ambiguous = false;
        let mut envelope = Envelope::empty(0);
        while let Some(key) = map.next_key()? {
            match key {
                EnvelopeKey::Code => code = Some(map.next_value::<LenientCode>()?.0),
                EnvelopeKey::Data => {
                    is_ambiguous |= envelope.mentions_data;
                    data = map.next_value()?;
                    envelope.mentions_data = true;
                }
                EnvelopeKey::Error => envelope.error = map.next_value::<LenientText>()?.0,
                EnvelopeKey::Message => envelope.message = map.next_value::<LenientText>()?.0,
                EnvelopeKey::SessionId => envelope.session_id = map.next_value::<LenientText>()?.0,
                EnvelopeKey::JobId => envelope.job_id = raw_text(&map.next_value::<Box<RawValue>>()?),
                EnvelopeKey::Other(key) if (self.is_wanted)(&key) => {
                    let value = map.next_value()?;
                    envelope.other.insert(key, value);
                }
                EnvelopeKey::Other(_) => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        envelope.code = code.unwrap_or_else(|| envelope.code_without_one());
        if envelope.code == TOO_MANY_CALLS && !envelope.names_upgrade() {
            let data = data.as_ref().map(|data| data.as_ref().get());
            let nested = data.and_then(|data| serde_json::from_str::<Map<String, Value>>(data).ok());
            let upgrade = nested.and_then(|mut data| data.remove(UPGRADE));
            envelope.other.extend(upgrade.map(|upgrade| (UPGRADE.to_owned(), upgrade)));
        }
        Ok(RawEnvelope { envelope, data, is_ambiguous })
    }
}

/// The key of a field of an envelope.
enum EnvelopeKey {
    Code,
    Data,
    Error,
    Message,
    SessionId,
    JobId,
    Other(String),
}

impl<'de> Deserialize<'de> for EnvelopeKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_identifier(EnvelopeKeyVisitor)
    }
}

struct EnvelopeKeyVisitor;

impl Visitor<'_> for EnvelopeKeyVisitor {
    type Value = EnvelopeKey;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<EnvelopeKey, E> {
        Ok(match key {
            "code" => EnvelopeKey::Code,
            "data" => EnvelopeKey::Data,
            "error" => EnvelopeKey::Error,
            "message" | "msg" => EnvelopeKey::Message,
            "sessionId" => EnvelopeKey::SessionId,
            "jobId" => EnvelopeKey::JobId,
            _ => EnvelopeKey::Other(key.to_owned()),
        })
    }
}

/// A code, which servers write as a number or as a string.
#[derive(Debug, Clone, Copy)]
struct LenientCode(i64);

impl<'de> Deserialize<'de> for LenientCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LenientCodeVisitor)
    }
}

struct LenientCodeVisitor;

impl Visitor<'_> for LenientCodeVisitor {
    type Value = LenientCode;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a code: an integer, or a string that contains one")
    }

    fn visit_i64<E>(self, code: i64) -> Result<LenientCode, E> {
        Ok(LenientCode(code))
    }

    fn visit_u64<E: serde::de::Error>(self, code: u64) -> Result<LenientCode, E> {
        i64::try_from(code).map(LenientCode).map_err(|_| E::custom("the code is too large"))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<LenientCode, E> {
        text.trim().parse().map(LenientCode).map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
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
        let raw: RawEnvelope<Borrowed<'_>> = serde_json::from_slice(text)?;
        raw.with_data(|data| serde_json::from_str(data.0.get()))
    }

    /// Reads the data of an envelope that has nothing else. Returns `None` if that is for `parse_envelope`, which then
    /// reports what is wrong with it.
    fn of_data(data: &str) -> Option<Self> {
        let _ = data;
        None
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
        let raw: RawEnvelope<Borrowed<'_>> = serde_json::from_slice(text)?;
        let Some(relation_types) = relation_types else {
            return raw.with_data(|data| serde_json::from_str(data.0.get()));
        };
        let reader = Lineage::reader().requested_types(relation_types);
        raw.with_data(|data| reader.read_slice(data.0.get().as_bytes()).map_err(serde_json::Error::custom))
    }
}

impl<T: EnvelopeData> FromResponse for Envelope<T> {
    fn parse(text: &[u8], relation_types: Option<Vec<RelationType>>) -> serde_json::Result<Self> {
        T::parse_envelope(text, relation_types)
    }

    fn of_data(code: i64, data: &str) -> Option<Self> {
        Some(Self { data: Some(T::of_data(data)?), mentions_data: true, ..Self::empty(code) })
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
    fn the_data_of_a_success_that_has_nothing_else_are_found_by_its_head() {
        let data = |body: &str| {
            let head = EnvelopeHead::of(body.as_bytes(), &Redactor::default())?;
            head.only_data(body.as_bytes()).map(ToOwned::to_owned)
        };
        assert_eq!(data(r#"{"code":200,"data":{"a": "é"}}"#).as_deref(), Some(r#"{"a": "é"}"#));
        assert_eq!(data(r#" { "data" : [1] , "code" : "203" } "#).as_deref(), Some("[1]"));
        for other in [
            r#"{"code":200,"data":1,"error":""}"#,
            r#"{"code":200,"data":1,"sessionId":"s"}"#,
            r#"{"code":200,"data":1,"data":2}"#,
            r#"{"code":200,"data":null}"#,
            r#"{"code":200,"data":""}"#,
            r#"{"code":200}"#,
            r#"{"code":500,"data":1}"#,
            r#"{"data":1}"#,
        ] {
            assert_eq!(data(other), None, "{other}");
        }
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
            quota_in(429, br#"{"error":"x","upgrade":{}}"#, &Redactor::default()).unwrap().kind(),
            ErrorKind::QuotaExceeded
        );
        assert!(quota_in(429, br#"{"error":"x"}"#, &Redactor::default()).is_none());
        assert!(quota_in(400, br#"{"code":400,"error":"x","upgrade":{}}"#, &Redactor::default()).is_none());
    }

    #[test]
    fn a_used_up_quota_is_known_without_a_code_too() {
        for body in [
            r#"{"error":"e","upgrade":{"url":"https://k"}}"#,
            r#"{"code":429,"error":"e","data":{"upgrade":{"personal_key":{"url":"https://k"}}}}"#,
        ] {
            let head = EnvelopeHead::of(body.as_bytes(), &Redactor::default()).unwrap();
            for error in [
                read(body).check().unwrap_err(),
                head.check().unwrap_err(),
                quota_in(503, body.as_bytes(), &Redactor::default()).unwrap(),
            ] {
                assert_eq!((error.kind(), error.code()), (ErrorKind::QuotaExceeded, Some(429)), "{body}");
                assert!(error.to_string().contains("https://k"), "{error}");
            }
        }
        assert!(read(r#"{"error":"a warning","upgrade":{},"data":[1]}"#).check().is_ok());
    }

    #[test]
    fn every_way_to_upgrade_is_named_however_the_server_writes_it_and_however_long_its_text_is() {
        for (upgrade, named) in [
            (r#""https://k""#, "; https://k ("),
            (r#"{"url":"https://k"}"#, "; https://k ("),
            (r#"{"personal_key":"https://k"}"#, "; personal key: https://k ("),
            (r#"{"plans":[{"self_hosted":{"href":"https://k","text":"no"}}]}"#, "; self hosted: https://k ("),
            (r#"["https://a","https://k"]"#, "; https://a; https://k ("),
        ] {
            for text in ["short".to_owned(), "long ".repeat(1000)] {
                let body = format!(r#"{{"code":429,"message":"{text}","upgrade":{upgrade}}}"#);
                let error = read(&body).check().unwrap_err().to_string();
                assert!(error.contains(named) && error.len() < 2000, "{error}");
            }
        }
        let many =
            format!(r#"{{"code":429,"upgrade":["https://{}"{}]}}"#, "x".repeat(9000), r#","https://k""#.repeat(99));
        assert!(read(&many).check().unwrap_err().to_string().len() < 1000);
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
