//! Coordinates in the SQL: `[{"x":1,"y":8,"hashCode":"0"}, …]`, `[[1,8,"0"], …]`, or the text `"[1,8,0],[1,13,0]"`.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::super::intern::Symbol;
use super::super::model::{RawCoordinate, Span, index_of_next, push};
use super::builder::{Builder, LimitExceeded};
use super::fields::{FieldValue, JsonPath, RecordReader, fields, read_fields};
use super::json::COORDINATES;
use super::value::Skip;

fields!(CoordinateField {
    X = "x",
    Y = "y",
    HashCode = "hashCode",
});

/// The number that servers write if they do not know a line or column.
const NOWHERE: i32 = -1;

struct CoordinateReader(RawCoordinate);

impl CoordinateReader {
    fn new() -> Self {
        Self(RawCoordinate { x: NOWHERE, y: NOWHERE, hash: Symbol::ABSENT })
    }
}

impl RecordReader for CoordinateReader {
    type Field = CoordinateField;

    #[inline]
    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        field: CoordinateField,
        value: FieldValue<'_, A>,
        builder: &mut Builder,
    ) -> Result<(), A::Error> {
        match field {
            CoordinateField::X => self.0.x = value.position(builder)?.unwrap_or(NOWHERE),
            CoordinateField::Y => self.0.y = value.position(builder)?.unwrap_or(NOWHERE),
            CoordinateField::HashCode => self.0.hash = value.hash(builder)?,
        }
        Ok(())
    }

    fn close(self, builder: &mut Builder) -> Result<(), LimitExceeded> {
        push(&mut builder.model.coordinates, self.0, "coordinates")?;
        Ok(())
    }
}

/// Reads a list of coordinates straight into their arena.
pub(super) struct CoordinatesSeed<'b> {
    builder: &'b mut Builder,
    path: &'b JsonPath<'b>,
}

impl<'b> CoordinatesSeed<'b> {
    pub(super) fn new(builder: &'b mut Builder, path: &'b JsonPath<'b>) -> Self {
        Self { builder, path }
    }

    fn other(self) -> Span {
        self.builder.note(self.path);
        Span::default()
    }

    fn read<E, F>(self, read: F) -> Result<Span, E>
    where
        E: serde::de::Error,
        F: FnOnce(&mut Builder, &JsonPath<'_>) -> Result<(), E>,
    {
        let Self { builder, path } = self;
        let start = index_of_next(&builder.model.coordinates, "coordinates").map_err(|full| builder.fail::<E>(full))?;
        read(builder, path)?;
        Span::since(start, &builder.model.coordinates, "coordinates").map_err(|full| builder.fail(full))
    }
}

impl<'de> DeserializeSeed<'de> for CoordinatesSeed<'_> {
    type Value = Span;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Span, D::Error> {
        deserializer.deserialize_newtype_struct(COORDINATES, self)
    }
}

impl<'de> Visitor<'de> for CoordinatesSeed<'_> {
    type Value = Span;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("coordinates")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Span, A::Error> {
        self.read(|builder, path| {
            let path = &path.element();
            while let Some(part) = seq.next_element_seed(ElementSeed { builder, path, depth: 0 })? {
                // A list of three bare numbers would be one coordinate without brackets around it; no server has been seen
                // writing that.
                if matches!(part, ListElement::Scalar(_)) {
                    builder.note(path);
                }
            }
            Ok(())
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Span, A::Error> {
        self.read(|builder, path| read_coordinate(builder, path, &mut map))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Span, E> {
        self.read(|builder, path| {
            for part in written_coordinates(text) {
                match part {
                    Some((x, y, hash)) => add(builder, x, y, hash)?,
                    None => builder.note(path),
                }
            }
            Ok(())
        })
    }

    fn visit_unit<E>(self) -> Result<Span, E> {
        Ok(Span::default())
    }

    fn visit_none<E>(self) -> Result<Span, E> {
        Ok(Span::default())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Span, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Span, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Span, E> {
        Ok(self.other())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Span, E> {
        Ok(self.other())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Span, E> {
        Ok(self.other())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Span, E> {
        Ok(self.other())
    }
}

#[inline]
fn read_coordinate<'de, A: MapAccess<'de>>(
    builder: &mut Builder,
    path: &JsonPath<'_>,
    map: &mut A,
) -> Result<(), A::Error> {
    let mut coordinate = CoordinateReader::new();
    read_fields(&mut coordinate, builder, path, map)?;
    coordinate.close(builder).map_err(|fault| builder.fail(fault))
}

fn add<E: serde::de::Error>(builder: &mut Builder, x: i32, y: i32, hash: &str) -> Result<(), E> {
    let hash = if hash.is_empty() { Symbol::ABSENT } else { builder.intern(hash)? };
    push(&mut builder.model.coordinates, RawCoordinate { x, y, hash }, "coordinates")
        .map(drop)
        .map_err(|full| builder.fail(full))
}

/// Returns the `[x,y,hash]` groups of a text; `None` for a group that is malformed.
fn written_coordinates(text: &str) -> impl Iterator<Item = Option<(i32, i32, &str)>> {
    text.split(']')
        .map(|group| group.trim_matches(|c: char| c == ',' || c == '[' || c.is_whitespace()))
        .filter(|group| !group.is_empty())
        .map(written_coordinate)
}

fn written_coordinate(group: &str) -> Option<(i32, i32, &str)> {
    let mut parts = group.splitn(3, ',');
    let x = parts.next()?.trim().parse().ok()?;
    let y = parts.next()?.trim().parse().ok()?;
    let hash = parts.next().unwrap_or_default();
    Some((x, y, hash.trim_matches(|c: char| c == '"' || c.is_whitespace())))
}

/// An element of a list, after it was read.
enum ListElement {
    /// A scalar, which may be a part of a coordinate.
    Scalar(Symbol),
    /// Anything else, which is already in the model.
    Read,
}

struct ElementSeed<'b> {
    builder: &'b mut Builder,
    path: &'b JsonPath<'b>,
    depth: u8,
}

/// Lists in lists are read to this depth; no server has been seen writing more than one level.
const MAX_DEPTH: u8 = 4;

impl<'de> DeserializeSeed<'de> for ElementSeed<'_> {
    type Value = ListElement;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<ListElement, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl ElementSeed<'_> {
    fn scalar<E: serde::de::Error>(self, text: &str) -> Result<ListElement, E> {
        self.builder.intern(text).map(ListElement::Scalar)
    }

    fn finish_list<E: serde::de::Error>(self, parts: &[Symbol]) -> Result<(), E> {
        if parts.is_empty() {
            return Ok(());
        }
        let texts = &self.builder.model.texts;
        let number = |at: usize| {
            let text = parts.get(at).map(|&part| texts.get(part))?;
            text.trim().parse::<i32>().ok()
        };
        let (Some(x), Some(y), true) = (number(0), number(1), parts.len() <= 3) else {
            self.builder.note(self.path);
            return Ok(());
        };
        let hash = parts.get(2).copied().unwrap_or_default();
        push(&mut self.builder.model.coordinates, RawCoordinate { x, y, hash }, "coordinates")
            .map(drop)
            .map_err(|full| self.builder.fail(full))
    }
}

impl<'de> Visitor<'de> for ElementSeed<'_> {
    type Value = ListElement;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a coordinate")
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ListElement, A::Error> {
        read_coordinate(self.builder, self.path, &mut map)?;
        Ok(ListElement::Read)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<ListElement, A::Error> {
        if self.depth >= MAX_DEPTH {
            Skip::new(self.builder).visit_seq(seq)?;
            self.builder.note(self.path);
            return Ok(ListElement::Read);
        }
        let mut parts = Vec::new();
        while let Some(part) =
            seq.next_element_seed(ElementSeed { builder: self.builder, path: self.path, depth: self.depth + 1 })?
        {
            // One part more than a coordinate has is enough to see that the list is no coordinate.
            if let ListElement::Scalar(part) = part
                && parts.len() <= 3
            {
                parts.push(part);
            }
        }
        self.finish_list(&parts)?;
        Ok(ListElement::Read)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<ListElement, E> {
        self.scalar(text)
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<ListElement, E> {
        self.scalar(&number.to_string())
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<ListElement, E> {
        self.scalar(&number.to_string())
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<ListElement, E> {
        self.scalar(&number.to_string())
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<ListElement, E> {
        self.scalar(&value.to_string())
    }

    fn visit_unit<E>(self) -> Result<ListElement, E> {
        Ok(ListElement::Read)
    }

    fn visit_none<E>(self) -> Result<ListElement, E> {
        Ok(ListElement::Read)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<ListElement, D::Error> {
        self.deserialize(deserializer)
    }
}
