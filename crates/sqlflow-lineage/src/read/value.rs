//! Reading of single values: texts that may be numbers, numbers that may be texts or objects, and any value as JSON.

use std::fmt::{self, Write as _};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::super::intern::Symbol;
use super::builder::{Builder, LimitExceeded};
use super::fields::JsonPath;
use super::json::UNSEEN;

/// The only key of the object that `serde_json` makes of a number with its feature `arbitrary_precision`, which any crate
/// of a build can turn on.
const EXACT_NUMBER: &str = "$serde_json::private::Number";

/// Returns the digits of such a number, or `None` for any other object, whose first value is consumed.
fn exact_number<'de, A: MapAccess<'de>>(builder: &mut Builder, map: &mut A) -> Result<Option<String>, A::Error> {
    match map.next_key::<String>()? {
        Some(key) if key == EXACT_NUMBER => map.next_value::<String>().map(Some),
        Some(_) => {
            map.next_value_seed(Skip::new(builder))?;
            Ok(None)
        }
        None => Ok(None),
    }
}

pub(super) struct TextSeed<'b> {
    pub(super) builder: &'b mut Builder,
    pub(super) path: &'b JsonPath<'b>,
    pub(super) likely: Symbol,
}

impl TextSeed<'_> {
    fn other(self) -> Symbol {
        self.builder.note(self.path);
        Symbol::ABSENT
    }
}

impl<'de> DeserializeSeed<'de> for TextSeed<'_> {
    type Value = Symbol;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Symbol, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for TextSeed<'_> {
    type Value = Symbol;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    #[inline]
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Symbol, E> {
        let likely = self.likely;
        if !likely.is_absent() && self.builder.model.texts.get(likely) == text {
            return Ok(likely);
        }
        self.builder.intern(text)
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Symbol, E> {
        self.builder.intern(&number.to_string())
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Symbol, E> {
        self.builder.intern(&number.to_string())
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Symbol, E> {
        self.builder.intern(&number.to_string())
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Symbol, E> {
        self.builder.intern(if value { "true" } else { "false" })
    }

    fn visit_unit<E>(self) -> Result<Symbol, E> {
        Ok(Symbol::ABSENT)
    }

    fn visit_none<E>(self) -> Result<Symbol, E> {
        Ok(Symbol::ABSENT)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Symbol, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Symbol, A::Error> {
        Skip::new(self.builder).visit_seq(seq)?;
        Ok(self.other())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Symbol, A::Error> {
        if let Some(digits) = exact_number(self.builder, &mut map)? {
            return self.builder.intern(&digits);
        }
        Skip::new(self.builder).visit_map(map)?;
        Ok(self.other())
    }
}

pub(super) struct NumberSeed<'b> {
    pub(super) builder: &'b mut Builder,
    pub(super) path: &'b JsonPath<'b>,
}

impl NumberSeed<'_> {
    fn other(self) -> Option<i64> {
        self.builder.note(self.path);
        None
    }

    fn digits(self, text: &str) -> Option<i64> {
        match text.trim().parse() {
            Ok(number) => Some(number),
            Err(_) => self.float(text.trim().parse().unwrap_or(f64::NAN)),
        }
    }

    /// Accepts a float if it is a whole number that a float holds exactly.
    fn float(self, number: f64) -> Option<i64> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if number.fract() == 0.0 && number.abs() <= EXACT {
            #[allow(clippy::cast_possible_truncation)]
            return Some(number as i64);
        }
        self.other()
    }
}

impl<'de> DeserializeSeed<'de> for NumberSeed<'_> {
    type Value = Option<i64>;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<i64>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NumberSeed<'_> {
    type Value = Option<i64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_i64<E>(self, number: i64) -> Result<Option<i64>, E> {
        Ok(Some(number))
    }

    #[inline]
    fn visit_u64<E>(self, number: u64) -> Result<Option<i64>, E> {
        match i64::try_from(number) {
            Ok(number) => Ok(Some(number)),
            Err(_) => Ok(self.other()),
        }
    }

    fn visit_f64<E>(self, number: f64) -> Result<Option<i64>, E> {
        Ok(self.float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Option<i64>, E> {
        Ok(self.digits(text))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Option<i64>, E> {
        Ok(self.other())
    }

    fn visit_unit<E>(self) -> Result<Option<i64>, E> {
        Ok(None)
    }

    fn visit_none<E>(self) -> Result<Option<i64>, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<i64>, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Option<i64>, A::Error> {
        Skip::new(self.builder).visit_seq(seq)?;
        Ok(self.other())
    }

    /// Accepts `{"infinite":false,"naN":false}`, which stands for a number that the server could not write.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<i64>, A::Error> {
        let mut is_unwritten = true;
        while let Some(key) = map.next_key::<String>()? {
            if key == EXACT_NUMBER {
                let digits = map.next_value::<String>()?;
                return Ok(self.digits(&digits));
            }
            is_unwritten &= matches!(key.as_str(), "infinite" | "naN");
            map.next_value_seed(Skip::new(self.builder))?;
        }
        if is_unwritten { Ok(None) } else { Ok(self.other()) }
    }
}

pub(super) struct FlagSeed<'b> {
    pub(super) builder: &'b mut Builder,
    pub(super) path: &'b JsonPath<'b>,
}

impl FlagSeed<'_> {
    fn other(self) -> Option<bool> {
        self.builder.note(self.path);
        None
    }
}

impl<'de> DeserializeSeed<'de> for FlagSeed<'_> {
    type Value = Option<bool>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<bool>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for FlagSeed<'_> {
    type Value = Option<bool>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true or false")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Option<bool>, E> {
        Ok(Some(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Option<bool>, E> {
        match text {
            "true" => Ok(Some(true)),
            "false" => Ok(Some(false)),
            _ => Ok(self.other()),
        }
    }

    fn visit_i64<E>(self, _: i64) -> Result<Option<bool>, E> {
        Ok(self.other())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Option<bool>, E> {
        Ok(self.other())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Option<bool>, E> {
        Ok(self.other())
    }

    fn visit_unit<E>(self) -> Result<Option<bool>, E> {
        Ok(None)
    }

    fn visit_none<E>(self) -> Result<Option<bool>, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<bool>, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Option<bool>, A::Error> {
        Skip::new(self.builder).visit_seq(seq)?;
        Ok(self.other())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Option<bool>, A::Error> {
        Skip::new(self.builder).visit_map(map)?;
        Ok(self.other())
    }
}

/// Reads any value without keeping it, and returns `true` unless it is null. Unlike `IgnoredAny` of serde it limits the
/// depth.
pub(super) struct Skip<'b> {
    builder: &'b mut Builder,
    depth: u8,
}

impl<'b> Skip<'b> {
    pub(super) fn new(builder: &'b mut Builder) -> Self {
        Self { builder, depth: 0 }
    }

    fn inner(&mut self) -> Skip<'_> {
        Skip { builder: self.builder, depth: self.depth + 1 }
    }
}

impl<'de> DeserializeSeed<'de> for Skip<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        if self.depth >= MAX_DEPTH {
            return Err(self.builder.fail(LimitExceeded::TooDeep));
        }
        deserializer.deserialize_newtype_struct(UNSEEN, self)
    }
}

impl<'de> Visitor<'de> for Skip<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<bool, E> {
        Ok(true)
    }

    fn visit_i64<E>(self, _: i64) -> Result<bool, E> {
        Ok(true)
    }

    fn visit_u64<E>(self, _: u64) -> Result<bool, E> {
        Ok(true)
    }

    fn visit_f64<E>(self, _: f64) -> Result<bool, E> {
        Ok(true)
    }

    fn visit_str<E>(self, _: &str) -> Result<bool, E> {
        Ok(true)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_none<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<bool, A::Error> {
        while seq.next_element_seed(self.inner())?.is_some() {}
        Ok(true)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<bool, A::Error> {
        while map.next_key::<IgnoredAny>()?.is_some() {
            map.next_value_seed(self.inner())?;
        }
        Ok(true)
    }
}

/// Writes any value as compact JSON.
pub(super) struct JsonText<'b> {
    builder: &'b mut Builder,
    out: &'b mut String,
    depth: u8,
}

/// JSON parsers limit the depth themselves; other formats that serde reads may not.
const MAX_DEPTH: u8 = 128;

/// The depth to which JSON is kept. It is smaller because the JSON may be written at a deeper level than it was read.
const MAX_KEPT_DEPTH: u8 = 100;

impl<'b> JsonText<'b> {
    pub(super) fn new(builder: &'b mut Builder, out: &'b mut String) -> Self {
        Self { builder, out, depth: 0 }
    }

    fn inner(&mut self) -> JsonText<'_> {
        JsonText { builder: self.builder, out: self.out, depth: self.depth + 1 }
    }

    fn display(self, value: impl fmt::Display) {
        // Writing to a `String` never fails.
        let _ = write!(self.out, "{value}");
    }

    fn quoted<E: serde::de::Error>(&mut self, text: &str) -> Result<(), E> {
        let json = serde_json::to_string(text).map_err(E::custom)?;
        self.out.push_str(&json);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for JsonText<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.depth >= MAX_KEPT_DEPTH {
            return Err(self.builder.fail(LimitExceeded::TooDeep));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for JsonText<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.display(value);
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.display(value);
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.display(value);
        Ok(())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        let json = serde_json::to_string(&value).map_err(E::custom)?;
        self.out.push_str(&json);
        Ok(())
    }

    fn visit_str<E: serde::de::Error>(mut self, text: &str) -> Result<(), E> {
        self.quoted(text)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.display("null");
        Ok(())
    }

    fn visit_none<E>(self) -> Result<(), E> {
        self.display("null");
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        self.out.push('[');
        let start = self.out.len();
        loop {
            let before = self.out.len();
            if before > start {
                self.out.push(',');
            }
            if seq.next_element_seed(self.inner())?.is_none() {
                self.out.truncate(before);
                break;
            }
        }
        self.out.push(']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let start = self.out.len();
        self.out.push('{');
        while let Some(key) = map.next_key::<String>()? {
            let is_first = self.out.len() == start + 1;
            if is_first && key == EXACT_NUMBER {
                let digits = map.next_value::<String>()?;
                if serde_json::from_str::<serde_json::Number>(&digits).is_ok() {
                    self.out.truncate(start);
                    self.out.push_str(&digits);
                    return Ok(());
                }
                self.quoted(&key)?;
                self.out.push(':');
                self.quoted(&digits)?;
                continue;
            }
            if !is_first {
                self.out.push(',');
            }
            self.quoted(&key)?;
            self.out.push(':');
            map.next_value_seed(self.inner())?;
        }
        self.out.push('}');
        Ok(())
    }
}
