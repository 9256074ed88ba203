//! Reading a JSON object field by field, in whatever order its keys come.
//!
//! Nothing that a server sends in a known place is an error: a value of a shape that is not known there is counted
//! as not understood, like a field that is not known at all.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::super::intern::Symbol;
use super::super::model::Span;
use super::builder::{Builder, Fault};
use super::coordinates::CoordinatesSeed;
use super::value::{FlagSeed, JsonText, NumberSeed, Skip, TextSeed};

/// Where in the JSON the reader is: a list on the stack, turned into text only when there is something to note.
#[derive(Clone, Copy)]
pub(super) struct Path<'p> {
    parent: Option<&'p Path<'p>>,
    step: &'p str,
}

/// The step into an array.
const ELEMENT: &str = "[]";

/// How much of an unknown field's name goes into a path.
const LONGEST_STEP: usize = 100;

impl Path<'_> {
    pub(super) const ROOT: Path<'static> = Path { parent: None, step: "" };

    pub(super) fn then<'p>(&'p self, step: &'p str) -> Path<'p> {
        Path { parent: Some(self), step }
    }

    pub(super) fn element(&self) -> Path<'_> {
        self.then(ELEMENT)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(parent) = self.parent else {
            return Ok(());
        };
        parent.fmt(f)?;
        if self.step != ELEMENT && parent.parent.is_some() {
            f.write_str(".")?;
        }
        let end = self.step.char_indices().nth(LONGEST_STEP).map_or(self.step.len(), |(at, _)| at);
        f.write_str(self.step.get(..end).unwrap_or_default())
    }
}

/// The fields one kind of JSON object may have.
pub(super) trait Field: Copy {
    fn parse(name: &str) -> Option<Self>;
    fn name(self) -> &'static str;
}

macro_rules! fields {
    ($name:ident { $( $variant:ident = $text:literal $(| $alias:literal)* ),+ $(,)? }) => {
        #[derive(Clone, Copy)]
        pub(super) enum $name { $( $variant ),+ }

        impl $crate::read::record::Field for $name {
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

/// A JSON object while it is read.
pub(super) trait Record: Sized {
    type Field: Field;

    /// Reads the value of one field.
    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        field: Self::Field,
        value: Value<'_, A>,
        builder: &mut Builder,
    ) -> Result<(), A::Error>;

    /// Puts what was read into the model, once every field is known.
    fn close(self, builder: &mut Builder) -> Result<(), Fault>;
}

/// The value of a field that has not been read yet. Every method reads it, so it is read exactly once.
pub(super) struct Value<'v, A> {
    map: &'v mut A,
    path: &'v Path<'v>,
}

impl<'de, A: MapAccess<'de>> Value<'_, A> {
    /// A text, a number or a boolean, as text. Absent if `null`.
    pub(super) fn text(self, builder: &mut Builder) -> Result<Symbol, A::Error> {
        self.text_like(builder, Symbol::ABSENT)
    }

    /// As [`Self::text`], where the text is likely to be `likely`.
    pub(super) fn text_like(self, builder: &mut Builder, likely: Symbol) -> Result<Symbol, A::Error> {
        let Self { map, path } = self;
        map.next_value_seed(TextSeed { builder, path, likely })
    }

    /// A hash code of a coordinate.
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

    /// A line or column; one that no file has is counted as not understood.
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

    /// Anything, as compact JSON. `None` if `null`.
    pub(super) fn json(self, builder: &mut Builder) -> Result<Option<String>, A::Error> {
        let Self { map, .. } = self;
        let mut out = String::new();
        map.next_value_seed(JsonText::new(builder, &mut out))?;
        Ok((out != "null").then_some(out))
    }

    /// As [`Self::json`], but a text is given as itself.
    pub(super) fn words(self, builder: &mut Builder) -> Result<Option<String>, A::Error> {
        let json = self.json(builder)?;
        Ok(json.and_then(|json| {
            let text = serde_json::from_str::<String>(&json).unwrap_or(json);
            (!text.trim().is_empty()).then_some(text)
        }))
    }

    /// One JSON object; answers whether there was one.
    pub(super) fn record<R: Record>(
        self,
        builder: &mut Builder,
        open: impl FnMut(&mut Builder) -> Result<R, Fault>,
    ) -> Result<Shape, A::Error> {
        let Self { map, path } = self;
        map.next_value_seed(RecordSeed { builder, path, open, kind: PhantomData })
    }

    /// An array of JSON objects of one kind.
    pub(super) fn records<R: Record>(
        self,
        builder: &mut Builder,
        open: impl FnMut(&mut Builder) -> Result<R, Fault>,
    ) -> Result<Shape, A::Error> {
        let Self { map, path } = self;
        map.next_value_seed(ListSeed { builder, path, open, kind: PhantomData })
    }

    /// An array of JSON objects of one kind, or one JSON object of another.
    pub(super) fn records_or_record<L: Record, R: Record>(
        self,
        builder: &mut Builder,
        each: impl FnMut(&mut Builder) -> Result<L, Fault>,
        one: impl FnMut(&mut Builder) -> Result<R, Fault>,
    ) -> Result<Shape, A::Error> {
        let Self { map, path } = self;
        map.next_value_seed(EitherSeed { builder, path, each, one, kinds: PhantomData })
    }

    /// Counts the field as not understood.
    pub(super) fn unknown(self, builder: &mut Builder) -> Result<(), A::Error> {
        builder.note(self.path);
        self.map.next_value_seed(Skip::new(builder))
    }
}

/// What a value turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Null,
    Expected,
    /// Something else, which was noted and skipped.
    Other,
}

enum Key<F> {
    Known(F),
    Unknown(Box<str>),
}

struct KeySeed<F>(PhantomData<F>);

impl<'de, F: Field> DeserializeSeed<'de> for KeySeed<F> {
    type Value = Key<F>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key<F>, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl<F: Field> Visitor<'_> for KeySeed<F> {
    type Value = Key<F>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    #[inline]
    fn visit_str<E>(self, name: &str) -> Result<Key<F>, E> {
        Ok(F::parse(name).map_or_else(|| Key::Unknown(name.into()), Key::Known))
    }
}

/// Reads all fields of an object into a record.
#[inline]
pub(super) fn read_fields<'de, R: Record, A: MapAccess<'de>>(
    record: &mut R,
    builder: &mut Builder,
    path: &Path<'_>,
    map: &mut A,
) -> Result<(), A::Error> {
    while let Some(key) = map.next_key_seed(KeySeed::<R::Field>(PhantomData))? {
        match key {
            Key::Known(field) => {
                let path = &path.then(field.name());
                record.read(field, Value { map, path }, builder)?;
            }
            Key::Unknown(name) => {
                builder.note(&path.then(&name));
                map.next_value_seed(Skip::new(builder))?;
            }
        }
    }
    Ok(())
}

fn read_record<'de, R: Record, A: MapAccess<'de>>(
    open: &mut impl FnMut(&mut Builder) -> Result<R, Fault>,
    builder: &mut Builder,
    path: &Path<'_>,
    mut map: A,
) -> Result<(), A::Error> {
    let mut record = open(builder).map_err(|fault| builder.fail::<A::Error>(fault))?;
    read_fields(&mut record, builder, path, &mut map)?;
    record.close(builder).map_err(|fault| builder.fail::<A::Error>(fault))
}

/// The visits of values whose shape is not known in some place: each is noted and counts as [`Shape::Other`].
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
    path: &'b Path<'b>,
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
    R: Record,
    F: FnMut(&mut Builder) -> Result<R, Fault>,
{
    type Value = Shape;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Shape, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, R, F> Visitor<'de> for RecordSeed<'_, R, F>
where
    R: Record,
    F: FnMut(&mut Builder) -> Result<R, Fault>,
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
    path: &'b Path<'b>,
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
    R: Record,
    F: FnMut(&mut Builder) -> Result<R, Fault>,
{
    type Value = Shape;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Shape, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, R, F> Visitor<'de> for ListSeed<'_, R, F>
where
    R: Record,
    F: FnMut(&mut Builder) -> Result<R, Fault>,
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
    path: &'b Path<'b>,
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
    L: Record,
    R: Record,
    F: FnMut(&mut Builder) -> Result<L, Fault>,
    G: FnMut(&mut Builder) -> Result<R, Fault>,
{
    type Value = Shape;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Shape, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, L, R, F, G> Visitor<'de> for EitherSeed<'_, L, R, F, G>
where
    L: Record,
    R: Record,
    F: FnMut(&mut Builder) -> Result<L, Fault>,
    G: FnMut(&mut Builder) -> Result<R, Fault>,
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

/// Reads the whole answer, which must be one JSON object.
pub(super) fn read_root<'de, R, D>(
    builder: &mut Builder,
    open: impl FnMut(&mut Builder) -> Result<R, Fault>,
    deserializer: D,
) -> Result<(), D::Error>
where
    R: Record,
    D: Deserializer<'de>,
{
    let seed = RecordSeed { builder, path: &Path::ROOT, open, kind: PhantomData };
    match seed.deserialize(deserializer)? {
        Shape::Expected => Ok(()),
        Shape::Null | Shape::Other => Err(D::Error::custom("expected a JSON object that holds lineage")),
    }
}
