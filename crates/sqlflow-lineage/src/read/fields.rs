//! Reading of JSON objects field by field, in whatever order their keys come.
//!
//! No value of a known field is an error: a value of an unexpected shape is counted as not understood, like an unknown
//! field.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::super::intern::Symbol;
use super::super::model::Span;
use super::builder::{Builder, LimitExceeded};
use super::coordinates::CoordinatesSeed;
use super::value::{FlagSeed, JsonText, NumberSeed, Skip, TextSeed};

/// The path of the value that is being read: a list on the stack, which becomes text only if there is something to note.
#[derive(Clone, Copy)]
pub(super) struct JsonPath<'p> {
    parent: Option<&'p JsonPath<'p>>,
    step: &'p str,
}

/// The step into an array.
const ELEMENT: &str = "[]";

/// The number of characters of the name of an unknown field that go into a path.
const MAX_STEP_LENGTH: usize = 100;

impl JsonPath<'_> {
    pub(super) const ROOT: JsonPath<'static> = JsonPath { parent: None, step: "" };

    pub(super) fn then<'p>(&'p self, step: &'p str) -> JsonPath<'p> {
        JsonPath { parent: Some(self), step }
    }

    pub(super) fn element(&self) -> JsonPath<'_> {
        self.then(ELEMENT)
    }
}

impl fmt::Display for JsonPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(parent) = self.parent else {
            return Ok(());
        };
        parent.fmt(f)?;
        if self.step != ELEMENT && parent.parent.is_some() {
            f.write_str(".")?;
        }
        let end = self.step.char_indices().nth(MAX_STEP_LENGTH).map_or(self.step.len(), |(at, _)| at);
        f.write_str(self.step.get(..end).unwrap_or_default())
    }
}

/// The fields that one kind of JSON object may have.
pub(super) trait FieldName: Copy {
    fn parse(name: &str) -> Option<Self>;
    fn name(self) -> &'static str;
}

macro_rules! fields {
    ($name:ident { $( $variant:ident = $text:literal $(| $alias:literal)* ),+ $(,)? }) => {
        #[derive(Clone, Copy)]
        pub(super) enum $name { $( $variant ),+ }

        impl $crate::read::fields::FieldName for $name {
            fn parse(name: &str) -> Option<Self> {
                match name {
                    $( $text $(| $alias)* => Some(Self::$variant), )+
                    _ => None,
                }
            }

            fn name(self) -> &'static str {
                match self {
                    $( Self::$variant => $text, )+
                }
            }
        }
    };
}
pub(super) use fields;

/// A record that is being read from a JSON object.
pub(super) trait RecordReader: Sized {
    type Field: FieldName;

    /// Reads the value of one field.
    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        field: Self::Field,
        value: FieldValue<'_, A>,
        builder: &mut Builder,
    ) -> Result<(), A::Error>;

    /// Adds the record to the model, once every field is known.
    fn close(self, builder: &mut Builder) -> Result<(), LimitExceeded>;
}

/// The value of a field that has not been read yet. Every method consumes it, so it is read exactly once.
pub(super) struct FieldValue<'v, A> {
    map: &'v mut A,
    path: &'v JsonPath<'v>,
}

impl<'de, A: MapAccess<'de>> FieldValue<'_, A> {
    /// Reads a text, a number or a boolean, as text. `null` is absent.
    pub(super) fn text(self, builder: &mut Builder) -> Result<Symbol, A::Error> {
        self.text_like(builder, Symbol::ABSENT)
    }

    /// Reads like [`Self::text`], and is faster if the text is `likely`.
    pub(super) fn text_like(self, builder: &mut Builder, likely: Symbol) -> Result<Symbol, A::Error> {
        let Self { map, path } = self;
        map.next_value_seed(TextSeed { builder, path, likely })
    }

    /// Reads the hash code of a coordinate.
    pub(super) fn hash(self, builder: &mut Builder) -> Result<Symbol, A::Error> {
        let Self { map, path } = self;
        let likely = builder.last_hash;
        let hash = map.next_value_seed(TextSeed { builder, path, likely })?;
        builder.last_hash = hash;
        Ok(hash)
    }

    pub(super) fn number(self, builder: &mut Builder) -> Result<Option<i64>, A::Error> {
        let Self { map, path } = self;
        map.next_value_seed(NumberSeed { builder, path })
    }

    /// Reads a line or column. One that no file has is counted as not understood.
    #[inline]
    pub(super) fn position(self, builder: &mut Builder) -> Result<Option<i32>, A::Error> {
        let Self { map, path } = self;
        let number = map.next_value_seed(NumberSeed { builder, path })?;
        let position = number.and_then(|number| i32::try_from(number).ok());
        if number.is_some() && position.is_none() {
            builder.note(path);
        }
        Ok(position)
    }

    pub(super) fn flag(self, builder: &mut Builder) -> Result<Option<bool>, A::Error> {
        let Self { map, path } = self;
        map.next_value_seed(FlagSeed { builder, path })
    }

    pub(super) fn coordinates(self, builder: &mut Builder) -> Result<Span, A::Error> {
        let Self { map, path } = self;
        map.next_value_seed(CoordinatesSeed::new(builder, path))
    }

    /// Reads any value as compact JSON. `null` is `None`.
    pub(super) fn json(self, builder: &mut Builder) -> Result<Option<String>, A::Error> {
        let Self { map, .. } = self;
        let mut out = String::new();
        map.next_value_seed(JsonText::new(builder, &mut out))?;
        Ok((out != "null").then_some(out))
    }

    /// Reads like [`Self::json`], but returns a text as itself.
    pub(super) fn words(self, builder: &mut Builder) -> Result<Option<String>, A::Error> {
        let json = self.json(builder)?;
        Ok(json.and_then(|json| {
            let text = serde_json::from_str::<String>(&json).unwrap_or(json);
            (!text.trim().is_empty()).then_some(text)
        }))
    }

    /// Reads one JSON object and returns the shape of the value.
    pub(super) fn record<R: RecordReader>(
        self,
        builder: &mut Builder,
        open: impl FnMut(&mut Builder) -> Result<R, LimitExceeded>,
    ) -> Result<Shape, A::Error> {
        let Self { map, path } = self;
        map.next_value_seed(RecordSeed { builder, path, open, kind: PhantomData })
    }

    /// Reads an array of JSON objects of one kind.
    pub(super) fn records<R: RecordReader>(
        self,
        builder: &mut Builder,
        open: impl FnMut(&mut Builder) -> Result<R, LimitExceeded>,
    ) -> Result<Shape, A::Error> {
        let Self { map, path } = self;
        map.next_value_seed(ListSeed { builder, path, open, kind: PhantomData })
    }

    /// Reads an array of JSON objects of one kind, or one JSON object of another kind.
    pub(super) fn records_or_record<L: RecordReader, R: RecordReader>(
        self,
        builder: &mut Builder,
        each: impl FnMut(&mut Builder) -> Result<L, LimitExceeded>,
        one: impl FnMut(&mut Builder) -> Result<R, LimitExceeded>,
    ) -> Result<Shape, A::Error> {
        let Self { map, path } = self;
        map.next_value_seed(EitherSeed { builder, path, each, one, kinds: PhantomData })
    }

    /// Counts the field as not understood.
    pub(super) fn unknown(self, builder: &mut Builder) -> Result<(), A::Error> {
        builder.note(self.path);
        self.skipped(builder).map(drop)
    }

    /// Skips a value that is understood and not kept, and returns `true` unless it is null.
    pub(super) fn skipped(self, builder: &mut Builder) -> Result<bool, A::Error> {
        self.map.next_value_seed(Skip::new(builder))
    }
}

/// The shape of a value, after it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Null,
    Expected,
    /// Another shape, which was noted and skipped.
    Other,
}

enum FieldKey<F> {
    Known(F),
    Unknown(Box<str>),
}

struct KeySeed<F>(PhantomData<F>);

impl<'de, F: FieldName> DeserializeSeed<'de> for KeySeed<F> {
    type Value = FieldKey<F>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<FieldKey<F>, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl<F: FieldName> Visitor<'_> for KeySeed<F> {
    type Value = FieldKey<F>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    #[inline]
    fn visit_str<E>(self, name: &str) -> Result<FieldKey<F>, E> {
        Ok(F::parse(name).map_or_else(|| FieldKey::Unknown(name.into()), FieldKey::Known))
    }
}

/// Reads all fields of an object into a record.
#[inline]
pub(super) fn read_fields<'de, R: RecordReader, A: MapAccess<'de>>(
    record: &mut R,
    builder: &mut Builder,
    path: &JsonPath<'_>,
    map: &mut A,
) -> Result<(), A::Error> {
    while let Some(key) = map.next_key_seed(KeySeed::<R::Field>(PhantomData))? {
        match key {
            FieldKey::Known(field) => {
                let path = &path.then(field.name());
                record.read(field, FieldValue { map, path }, builder)?;
            }
            FieldKey::Unknown(name) => {
                builder.note(&path.then(&name));
                map.next_value_seed(Skip::new(builder))?;
            }
        }
    }
    Ok(())
}

fn read_record<'de, R: RecordReader, A: MapAccess<'de>>(
    open: &mut impl FnMut(&mut Builder) -> Result<R, LimitExceeded>,
    builder: &mut Builder,
    path: &JsonPath<'_>,
    mut map: A,
) -> Result<(), A::Error> {
    let mut record = open(builder).map_err(|fault| builder.fail::<A::Error>(fault))?;
    read_fields(&mut record, builder, path, &mut map)?;
    record.close(builder).map_err(|fault| builder.fail::<A::Error>(fault))
}

/// Defines the visits of values of an unexpected shape: each is noted and counts as [`Shape::Other`].
macro_rules! note_scalars {
    () => {
        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok(self.other())
        }

        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok(self.other())
        }

        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok(self.other())
        }

        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok(self.other())
        }

        fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
            Ok(self.other())
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Shape::Null)
        }

        fn visit_none<E>(self) -> Result<Self::Value, E> {
            Ok(Shape::Null)
        }

        fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
            deserializer.deserialize_any(self)
        }
    };
}

struct RecordSeed<'b, R, F> {
    builder: &'b mut Builder,
    path: &'b JsonPath<'b>,
    open: F,
    kind: PhantomData<R>,
}

impl<R, F> RecordSeed<'_, R, F> {
    fn other(self) -> Shape {
        self.builder.note(self.path);
        Shape::Other
    }
}

impl<'de, R, F> DeserializeSeed<'de> for RecordSeed<'_, R, F>
where
    R: RecordReader,
    F: FnMut(&mut Builder) -> Result<R, LimitExceeded>,
{
    type Value = Shape;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Shape, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, R, F> Visitor<'de> for RecordSeed<'_, R, F>
where
    R: RecordReader,
    F: FnMut(&mut Builder) -> Result<R, LimitExceeded>,
{
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    note_scalars!();

    fn visit_map<A: MapAccess<'de>>(mut self, map: A) -> Result<Shape, A::Error> {
        read_record(&mut self.open, self.builder, self.path, map)?;
        Ok(Shape::Expected)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Shape, A::Error> {
        Skip::new(self.builder).visit_seq(seq)?;
        Ok(self.other())
    }
}

struct ListSeed<'b, R, F> {
    builder: &'b mut Builder,
    path: &'b JsonPath<'b>,
    open: F,
    kind: PhantomData<R>,
}

impl<R, F> ListSeed<'_, R, F> {
    fn other(self) -> Shape {
        self.builder.note(self.path);
        Shape::Other
    }
}

impl<'de, R, F> DeserializeSeed<'de> for ListSeed<'_, R, F>
where
    R: RecordReader,
    F: FnMut(&mut Builder) -> Result<R, LimitExceeded>,
{
    type Value = Shape;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Shape, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, R, F> Visitor<'de> for ListSeed<'_, R, F>
where
    R: RecordReader,
    F: FnMut(&mut Builder) -> Result<R, LimitExceeded>,
{
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    note_scalars!();

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Shape, A::Error> {
        let path = &self.path.element();
        while seq
            .next_element_seed(RecordSeed { builder: self.builder, path, open: &mut self.open, kind: PhantomData })?
            .is_some()
        {}
        Ok(Shape::Expected)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Shape, A::Error> {
        Skip::new(self.builder).visit_map(map)?;
        Ok(self.other())
    }
}

struct EitherSeed<'b, L, R, F, G> {
    builder: &'b mut Builder,
    path: &'b JsonPath<'b>,
    each: F,
    one: G,
    kinds: PhantomData<(L, R)>,
}

impl<L, R, F, G> EitherSeed<'_, L, R, F, G> {
    fn other(self) -> Shape {
        self.builder.note(self.path);
        Shape::Other
    }
}

impl<'de, L, R, F, G> DeserializeSeed<'de> for EitherSeed<'_, L, R, F, G>
where
    L: RecordReader,
    R: RecordReader,
    F: FnMut(&mut Builder) -> Result<L, LimitExceeded>,
    G: FnMut(&mut Builder) -> Result<R, LimitExceeded>,
{
    type Value = Shape;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Shape, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, L, R, F, G> Visitor<'de> for EitherSeed<'_, L, R, F, G>
where
    L: RecordReader,
    R: RecordReader,
    F: FnMut(&mut Builder) -> Result<L, LimitExceeded>,
    G: FnMut(&mut Builder) -> Result<R, LimitExceeded>,
{
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array or a JSON object")
    }

    note_scalars!();

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Shape, A::Error> {
        ListSeed { builder: self.builder, path: self.path, open: self.each, kind: PhantomData }.visit_seq(seq)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, map: A) -> Result<Shape, A::Error> {
        read_record(&mut self.one, self.builder, self.path, map)?;
        Ok(Shape::Expected)
    }
}

/// Reads the whole document, which must be one JSON object.
pub(super) fn read_root<'de, R, D>(
    builder: &mut Builder,
    open: impl FnMut(&mut Builder) -> Result<R, LimitExceeded>,
    deserializer: D,
) -> Result<(), D::Error>
where
    R: RecordReader,
    D: Deserializer<'de>,
{
    let seed = RecordSeed { builder, path: &JsonPath::ROOT, open, kind: PhantomData };
    match seed.deserialize(deserializer)? {
        Shape::Expected => Ok(()),
        Shape::Null | Shape::Other => Err(D::Error::custom("expected a JSON object that holds lineage")),
    }
}
