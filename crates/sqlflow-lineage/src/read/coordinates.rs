//! Places in the SQL: `[{"x":1,"y":8,"hashCode":"0"}, …]`, `[[1,8,"0"], …]`, or the text `"[1,8,0],[1,13,0]"`.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::super::intern::Symbol;
use super::super::model::{RawCoordinate, Span, index_of_next, push};
use super::builder::{Builder, Fault};
use super::record::{Path, Record, Value, fields, read_fields};
use super::value::Skip;

fields!(CoordinateField {
    X = "x",
    Y = "y",
    HashCode = "hashCode",
});

/// A number that is not there, as servers write it.
const NOWHERE: i32 = -1;

struct Coordinate(RawCoordinate);

impl Coordinate {
    fn new() -> Self {
        Self(RawCoordinate { x: NOWHERE, y: NOWHERE, hash: Symbol::ABSENT })
    }
}

impl Record for Coordinate {
    type Field = CoordinateField;

    #[inline]
    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        field: CoordinateField,
        value: Value<'_, A>,
        builder: &mut Builder,
    ) -> Result<(), A::Error> {
        match field {
            CoordinateField::X => self.0.x = value.position(builder)?.unwrap_or(NOWHERE),
            CoordinateField::Y => self.0.y = value.position(builder)?.unwrap_or(NOWHERE),
            CoordinateField::HashCode => self.0.hash = value.hash(builder)?,
        }
        Ok(())
    }

    fn close(self, builder: &mut Builder) -> Result<(), Fault> {
        push(&mut builder.model.coordinates, self.0, "coordinates")?;
        Ok(())
    }
}

/// Reads a list of coordinates straight into their arena.
pub(super) struct CoordinatesSeed<'b> {
    builder: &'b mut Builder,
    path: &'b Path<'b>,
}

impl<'b> CoordinatesSeed<'b> {
    pub(super) fn new(builder: &'b mut Builder, path: &'b Path<'b>) -> Self {
        Self { builder, path }
    }

    fn other(self) -> Span {
        self.builder.note(self.path);
        Span::default()
    }

    fn read<E, F>(self, read: F) -> Result<Span, E>
    where
        E: serde::de::Error,
        F: FnOnce(&mut Builder, &Path<'_>) -> Result<(), E>,
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
        deserializer.deserialize_any(self)
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
                // A list of three bare numbers would be one coordinate without brackets around it; none was seen.
                if matches!(part, Part::Scalar(_)) {
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

fn read_coordinate<'de, A: MapAccess<'de>>(
    builder: &mut Builder,
    path: &Path<'_>,
    map: &mut A,
) -> Result<(), A::Error> {
    let mut coordinate = Coordinate::new();
    read_fields(&mut coordinate, builder, path, map)?;
    coordinate.close(builder).map_err(|fault| builder.fail(fault))
}

fn add<E: serde::de::Error>(builder: &mut Builder, x: i32, y: i32, hash: &str) -> Result<(), E> {
    let hash = if hash.is_empty() { Symbol::ABSENT } else { builder.intern(hash)? };
    push(&mut builder.model.coordinates, RawCoordinate { x, y, hash }, "coordinates")
        .map(drop)
        .map_err(|full| builder.fail(full))
}

/// The `[x,y,hash]` groups of a text; `None` for what is none.
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

/// What one element of a list was.
enum Part {
    Scalar(Symbol),
    Read,
}

struct ElementSeed<'b> {
    builder: &'b mut Builder,
    path: &'b Path<'b>,
    depth: u8,
}

/// Lists in lists are taken apart to this depth; none deeper was seen than one.
const DEEPEST: u8 = 4;

impl<'de> DeserializeSeed<'de> for ElementSeed<'_> {
    type Value = Part;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Part, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl ElementSeed<'_> {
    fn scalar<E: serde::de::Error>(self, text: &str) -> Result<Part, E> {
        self.builder.intern(text).map(Part::Scalar)
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
    type Value = Part;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a coordinate")
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Part, A::Error> {
        read_coordinate(self.builder, self.path, &mut map)?;
        Ok(Part::Read)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Part, A::Error> {
        if self.depth >= DEEPEST {
            Skip::new(self.builder).visit_seq(seq)?;
            self.builder.note(self.path);
            return Ok(Part::Read);
        }
        let mut parts = Vec::new();
        while let Some(part) =
            seq.next_element_seed(ElementSeed { builder: self.builder, path: self.path, depth: self.depth + 1 })?
        {
            // One more than a coordinate has is enough to tell that it is none.
            if let Part::Scalar(part) = part
                && parts.len() <= 3
            {
                parts.push(part);
            }
        }
        self.finish_list(&parts)?;
        Ok(Part::Read)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Part, E> {
        self.scalar(text)
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Part, E> {
        self.scalar(&number.to_string())
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Part, E> {
        self.scalar(&number.to_string())
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Part, E> {
        self.scalar(&number.to_string())
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Part, E> {
        self.scalar(&value.to_string())
    }

    fn visit_unit<E>(self) -> Result<Part, E> {
        Ok(Part::Read)
    }

    fn visit_none<E>(self) -> Result<Part, E> {
        Ok(Part::Read)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Part, D::Error> {
        self.deserialize(deserializer)
    }
}
