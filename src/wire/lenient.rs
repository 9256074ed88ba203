//! Deserializers that accept a field in every spelling that server versions use: `5` or `"5"`, `true` or `"TRUE"`.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Number, Value};

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
enum Scalar {
    Null,
    Flag(bool),
    Integer(i64),
    /// A number that is no integer of 64 bits.
    Number(Number),
    Text(String),
    /// An array or an object.
    Other(Value),
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any valid JSON value")
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Null)
    }

    fn visit_none<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Scalar, D::Error> {
        Scalar::deserialize(deserializer)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Scalar, E> {
        Ok(Scalar::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
        Ok(Scalar::Integer(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
        Ok(i64::try_from(number).map_or_else(|_| Scalar::Number(number.into()), Scalar::Integer))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Scalar, E> {
        Ok(Number::from_f64(number).map_or(Scalar::Null, Scalar::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Scalar, E> {
        Ok(Scalar::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, values: A) -> Result<Scalar, A::Error> {
        Value::deserialize(SeqAccessDeserializer::new(values)).map(Scalar::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Scalar, A::Error> {
        Value::deserialize(MapAccessDeserializer::new(fields)).map(Scalar::Other)
    }
}

pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Scalar::deserialize(deserializer)? {
        Scalar::Null => None,
        Scalar::Flag(flag) => Some(flag.to_string()),
        Scalar::Integer(number) => Some(number.to_string()),
        Scalar::Number(number) => Some(number.to_string()),
        Scalar::Text(text) => Some(text),
        Scalar::Other(value) => text_of(value),
    })
}

pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(match Scalar::deserialize(deserializer)? {
        Scalar::Integer(number) => Some(number),
        #[allow(clippy::cast_possible_truncation, reason = "a count that a server wrote as 3.0")]
        Scalar::Number(number) => number.as_f64().map(|number| number as i64),
        Scalar::Text(text) => text.trim().parse().ok(),
        Scalar::Null | Scalar::Flag(_) | Scalar::Other(_) => None,
    })
}

pub(super) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    Ok(match Scalar::deserialize(deserializer)? {
        Scalar::Flag(flag) => Some(flag),
        Scalar::Integer(number) => Some(number != 0),
        Scalar::Text(text) => text.trim().to_lowercase().parse().ok(),
        Scalar::Null | Scalar::Number(_) | Scalar::Other(_) => None,
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

/// Defines types that are read by the functions of this module.
macro_rules! readers {
    ($($(#[$meta:meta])* $name:ident($type:ty) = $read:ident;)*) => {
        $(
            $(#[$meta])*
            pub(super) struct $name(pub(super) $type);

            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    $read(deserializer).map(Self)
                }
            }
        )*
    };
}

readers! {
    /// A value that [`text`] reads.
    Text(Option<String>) = text;
    /// A value that [`texts`] reads.
    Texts(Vec<String>) = texts;
    /// A value that [`number`] reads.
    Integer(Option<i64>) = number;
    /// A value that [`flag`] reads.
    Flag(Option<bool>) = flag;
    /// A value that [`values`] reads.
    Values(Vec<Value>) = values;
    /// A value that [`vendor`] reads.
    Dialect(Option<Vendor>) = vendor;
}
