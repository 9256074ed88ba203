//! Deserializers that accept a field in every spelling that server versions use: `5` or `"5"`, `true` or `"TRUE"`.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::Vendor;

/// Returns the text of a value of any type: `5` counts as `"5"`, and `null` as no text.
pub(crate) fn text_of(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

/// Returns the text of a value like [`text_of`]. A number keeps its digits, and a text that is not valid its spelling.
pub(super) fn raw_text(raw: &RawValue) -> Option<String> {
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'n') => None,
        Some(b'"') => Some(serde_json::from_str(text).unwrap_or_else(|_| text.to_owned())),
        _ => Some(text.to_owned()),
    }
}

/// A JSON value in a place where a scalar is expected.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Flag(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    Other(IgnoredAny),
}

fn scalar<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Scalar>, D::Error> {
    Option::deserialize(deserializer)
}

pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Value::deserialize(deserializer).map(text_of)
}

pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(match scalar(deserializer)? {
        Some(Scalar::Integer(number)) => Some(number),
        #[allow(clippy::cast_possible_truncation, reason = "a count that a server wrote as 3.0")]
        Some(Scalar::Float(number)) => Some(number as i64),
        Some(Scalar::Text(text)) => text.trim().parse().ok(),
        _ => None,
    })
}

pub(super) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    Ok(match scalar(deserializer)? {
        Some(Scalar::Flag(flag)) => Some(flag),
        Some(Scalar::Integer(number)) => Some(number != 0),
        Some(Scalar::Text(text)) => text.trim().to_lowercase().parse().ok(),
        _ => None,
    })
}

pub(super) fn values<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Value>, D::Error> {
    Ok(match Option::<Value>::deserialize(deserializer)? {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(values)) => values,
        Some(other) => vec![other],
    })
}

pub(super) fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    // A null becomes the text "null", so that the other entries keep their positions.
    let text = |value| text_of(value).unwrap_or_else(|| Value::Null.to_string());
    Ok(values(deserializer)?.into_iter().map(text).collect())
}

/// Reads a dialect in any spelling. Only values of servers are read by this: what a program sends stays as it spelled
/// it.
pub(super) fn vendor<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vendor>, D::Error> {
    Ok(text(deserializer)?.and_then(|text| Vendor::deserialize(Value::String(text)).ok()).map(Vendor::recognized))
}
