//! What an answer holds, as flat arenas joined by small numbers.
//!
//! Two thirds of a typical answer are coordinates and most of its strings repeat (as counted over real answers), so
//! a coordinate is twelve bytes here, a string four, and a field that few records have lies in a side table.

use std::collections::BTreeMap;

use super::intern::{Symbol, Texts};
use super::kinds::Mode;

/// An arena that holds as much as a `u32` can count; the text says of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full(pub(super) &'static str);

/// Adds to an arena and answers where.
pub(super) fn push<T>(arena: &mut Vec<T>, item: T, what: &'static str) -> Result<u32, Full> {
    let at = index_of_next(arena, what)?;
    arena.push(item);
    Ok(at)
}

/// The index the next item of an arena will have; `u32::MAX` is never one, so that it can say "none".
pub(super) fn index_of_next<T>(arena: &[T], what: &'static str) -> Result<u32, Full> {
    match u32::try_from(arena.len()) {
        Ok(at) if at != NONE => Ok(at),
        _ => Err(Full(what)),
    }
}

/// The indices of an arena, whose length a `u32` holds.
pub(super) fn indices<T>(arena: &[T]) -> std::ops::Range<u32> {
    0..u32::try_from(arena.len()).unwrap_or(NONE)
}

/// No index.
pub(super) const NONE: u32 = u32::MAX;

/// A run of neighbours in an arena.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) len: u32,
}

impl Span {
    /// From `start` to the end of an arena.
    pub(super) fn since<T>(start: u32, arena: &[T], what: &'static str) -> Result<Self, Full> {
        let end = index_of_next(arena, what)?;
        let len = end.saturating_sub(start);
        Ok(Self { start, len })
    }

    pub(super) fn is_empty(self) -> bool {
        self.len == 0
    }

    /// This span, or `other` where this one is empty.
    pub(super) fn or(self, other: Self) -> Self {
        if self.is_empty() { other } else { self }
    }

    pub(super) fn indices(self) -> std::ops::Range<u32> {
        self.start..self.start.saturating_add(self.len)
    }

    pub(super) fn of<T>(self, arena: &[T]) -> &[T] {
        let range = self.indices();
        arena.get(range.start as usize..range.end as usize).unwrap_or(&[])
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RawCoordinate {
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) hash: Symbol,
}

/// Booleans that may be absent, two bits each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags(u16);

#[derive(Clone, Copy, Debug)]
pub(super) enum Flag {
    UiVisible,
    PrimaryKey,
    ForeignKey,
    UniqueKey,
    IsTarget,
}

impl Flags {
    pub(super) fn set(&mut self, flag: Flag, value: Option<bool>) {
        if let Some(value) = value {
            let bits = 2 | u16::from(value);
            let shift = 2 * flag as u16;
            self.0 = (self.0 & !(3 << shift)) | (bits << shift);
        }
    }

    /// These, and those of `other` where these are absent.
    pub(super) fn or(self, other: Self) -> Self {
        // Every absent pair of bits becomes a mask over the other's pair.
        let present = (self.0 >> 1) & 0x5555;
        let mask = !(present | present << 1);
        Self(self.0 | (other.0 & mask))
    }

    pub(super) fn get(self, flag: Flag) -> Option<bool> {
        let bits = (self.0 >> (2 * flag as u16)) & 3;
        (bits & 2 != 0).then_some(bits & 1 == 1)
    }
}

/// Fields that few records have: who has it, which, and its text.
#[derive(Clone, Debug)]
pub(super) struct Extras<K> {
    entries: Vec<(u32, K, Symbol)>,
}

impl<K> Default for Extras<K> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

impl<K: Copy + PartialEq> Extras<K> {
    pub(super) fn add(&mut self, owner: u32, key: K, value: Symbol) {
        if !value.is_absent() {
            self.entries.push((owner, key, value));
        }
    }

    /// Must come before the first [`Self::get`].
    pub(super) fn settle(&mut self) {
        if !self.entries.is_sorted_by_key(|entry| entry.0) {
            self.entries.sort_by_key(|entry| entry.0);
        }
        self.entries.shrink_to_fit();
    }

    /// Must come before the first [`Self::get`], for which it leaves the first value given of each owner's fields.
    pub(super) fn settle_first(&mut self) {
        self.settle();
        let mut kept: Vec<(u32, K, Symbol)> = Vec::with_capacity(self.entries.len());
        for &entry in &self.entries {
            let is_given = kept.iter().rev().take_while(|it| it.0 == entry.0).any(|it| it.1 == entry.1);
            if !is_given {
                kept.push(entry);
            }
        }
        self.entries = kept;
    }

    /// Before [`Self::settle`]: gives what each owner has to the one in its place.
    pub(super) fn move_owners(&mut self, place: impl Fn(u32) -> u32) {
        for entry in &mut self.entries {
            entry.0 = place(entry.0);
        }
    }

    /// What has a value: who, which, and the last value given.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, K, Symbol)> + '_ {
        self.entries.iter().copied().filter(|&(owner, key, value)| self.get(owner, key) == value)
    }

    /// The last value given, as JSON readers take the last of two equal keys.
    pub(super) fn get(&self, owner: u32, key: K) -> Symbol {
        let from = self.entries.partition_point(|entry| entry.0 < owner);
        self.entries
            .iter()
            .skip(from)
            .take_while(|entry| entry.0 == owner)
            .filter(|entry| entry.1 == key)
            .last()
            .map_or(Symbol::ABSENT, |entry| entry.2)
    }

    /// Forgets what was added since the extras had `len` entries.
    pub(super) fn drain_since(&mut self, len: usize) -> impl Iterator<Item = (K, Symbol)> + '_ {
        let len = len.min(self.entries.len());
        self.entries.drain(len..).map(|entry| (entry.1, entry.2))
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    fn heap_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<(u32, K, Symbol)>()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum ScopeKind {
    Server,
    Database,
    Schema,
}

/// A server, database or schema; the way up is by `parent`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope {
    pub(super) kind: ScopeKind,
    pub(super) name: Symbol,
    pub(super) parent: u32,
    pub(super) vendor: Symbol,
    pub(super) supports_catalogs: Option<bool>,
    pub(super) supports_schemas: Option<bool>,
}

/// Which array of the tree an object stood in; flat answers do not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Flat,
    Tables,
    Views,
    Others,
    Procedures,
    Functions,
    Triggers,
    Packages,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct RawObject {
    pub(super) id: Symbol,
    pub(super) name: Symbol,
    pub(super) kind: Symbol,
    pub(super) display_name: Symbol,
    pub(super) scope: u32,
    /// The package an object stands in.
    pub(super) within: u32,
    pub(super) columns: Span,
    pub(super) arguments: Span,
    pub(super) coordinates: Span,
    pub(super) flags: Flags,
    pub(super) section: Section,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ObjectExtra {
    SubType,
    Alias,
    QueryHashId,
    ProcedureName,
    ProcedureId,
    Uri,
    Location,
    FileType,
    Parent,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RawColumn {
    pub(super) id: Symbol,
    pub(super) name: Symbol,
    pub(super) object: u32,
    pub(super) data_type: Symbol,
    pub(super) source: Symbol,
    pub(super) coordinates: Span,
    pub(super) flags: Flags,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnExtra {
    QualifiedTable,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RawArgument {
    pub(super) id: Symbol,
    pub(super) name: Symbol,
    pub(super) data_type: Symbol,
    pub(super) inout: Symbol,
    pub(super) coordinates: Span,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct RawProcess {
    pub(super) id: Symbol,
    pub(super) name: Symbol,
    pub(super) kind: Symbol,
    pub(super) procedure_name: Symbol,
    pub(super) procedure_id: Symbol,
    pub(super) query_hash_id: Symbol,
    pub(super) scope: u32,
    pub(super) coordinates: Span,
    pub(super) flags: Flags,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RawRelationship {
    pub(super) id: Symbol,
    pub(super) kind: Symbol,
    pub(super) effect: Symbol,
    pub(super) process_id: Symbol,
    pub(super) ends: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RelationshipExtra {
    ProcessType,
    Function,
    TimestampMin,
    TimestampMax,
    JoinType,
    Clause,
    Condition,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Target,
    Source,
    Caller,
    Callee,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct RawEnd {
    pub(super) id: Symbol,
    /// `column`, or `name` for the ends of a call.
    pub(super) name: Symbol,
    pub(super) parent_id: Symbol,
    pub(super) parent_name: Symbol,
    pub(super) clause: Symbol,
    pub(super) coordinates: Span,
    pub(super) role: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndExtra {
    TableId,
    TableName,
    ColumnType,
    Function,
    Kind,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RawTransform {
    pub(super) end: u32,
    pub(super) kind: Symbol,
    pub(super) code: Symbol,
    pub(super) coordinates: Span,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RawDiagnostic {
    pub(super) message: Symbol,
    pub(super) kind: Symbol,
    pub(super) file: Symbol,
    pub(super) occurrences: Option<i64>,
    pub(super) coordinates: Span,
    pub(super) origin_coordinates: Span,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RawBusiestTable {
    pub(super) database: Symbol,
    pub(super) schema: Symbol,
    pub(super) table: Symbol,
}

#[derive(Clone, Debug, Default)]
pub(super) struct RawSummary {
    pub(super) schemas: Option<i64>,
    pub(super) databases: Option<i64>,
    pub(super) tables: Option<i64>,
    pub(super) views: Option<i64>,
    pub(super) columns: Option<i64>,
    pub(super) processes: Option<i64>,
    pub(super) relationships: Option<i64>,
    pub(super) busiest: Vec<RawBusiestTable>,
}

#[derive(Clone, Default)]
pub(super) struct Model {
    pub(super) texts: Texts,
    pub(super) coordinates: Vec<RawCoordinate>,
    pub(super) scopes: Vec<Scope>,
    pub(super) objects: Vec<RawObject>,
    pub(super) object_extras: Extras<ObjectExtra>,
    pub(super) columns: Vec<RawColumn>,
    pub(super) column_extras: Extras<ColumnExtra>,
    pub(super) arguments: Vec<RawArgument>,
    pub(super) processes: Vec<RawProcess>,
    pub(super) relationships: Vec<RawRelationship>,
    pub(super) relationship_extras: Extras<RelationshipExtra>,
    pub(super) ends: Vec<RawEnd>,
    pub(super) end_extras: Extras<EndExtra>,
    pub(super) transforms: Vec<RawTransform>,
    pub(super) diagnostics: Vec<RawDiagnostic>,
    pub(super) summary: Option<RawSummary>,
    pub(super) mode: Option<Mode>,
    pub(super) vendor: Symbol,
    pub(super) created_by: Symbol,
    pub(super) job_id: Symbol,
    pub(super) session_id: Symbol,
    pub(super) code: Option<i64>,
    pub(super) warnings: Option<String>,
    pub(super) graph: Option<String>,
    pub(super) job: Option<String>,
    pub(super) trailing: Option<String>,
    pub(super) unknown: BTreeMap<String, u64>,
}

impl Model {
    /// Orders the side tables and gives back what growing arenas took too much of.
    pub(super) fn settle(&mut self) {
        self.texts.shrink();
        self.coordinates.shrink_to_fit();
        self.scopes.shrink_to_fit();
        self.objects.shrink_to_fit();
        self.object_extras.settle();
        self.columns.shrink_to_fit();
        self.column_extras.settle();
        self.arguments.shrink_to_fit();
        self.processes.shrink_to_fit();
        self.relationships.shrink_to_fit();
        self.relationship_extras.settle();
        self.ends.shrink_to_fit();
        self.end_extras.settle();
        self.transforms.shrink_to_fit();
        self.diagnostics.shrink_to_fit();
    }

    /// The indices of an object's columns.
    pub(super) fn columns_of(&self, object: u32) -> std::ops::Range<u32> {
        self.objects.get(object as usize).map_or(0..0, |object| object.columns.indices())
    }

    /// The name of the scope of one kind at or above `scope`.
    pub(super) fn scope_name(&self, scope: u32, kind: ScopeKind) -> Symbol {
        self.scope(scope, kind).map_or(Symbol::ABSENT, |found| found.name)
    }

    pub(super) fn scope(&self, scope: u32, kind: ScopeKind) -> Option<&Scope> {
        let mut at = self.scopes.get(scope as usize)?;
        while at.kind != kind {
            at = self.scopes.get(at.parent as usize)?;
        }
        Some(at)
    }

    pub(super) fn heap_bytes(&self) -> usize {
        fn arena<T>(items: &Vec<T>) -> usize {
            items.capacity() * size_of::<T>()
        }
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::capacity);
        self.texts.heap_bytes()
            + arena(&self.coordinates)
            + arena(&self.scopes)
            + arena(&self.objects)
            + self.object_extras.heap_bytes()
            + arena(&self.columns)
            + self.column_extras.heap_bytes()
            + arena(&self.arguments)
            + arena(&self.processes)
            + arena(&self.relationships)
            + self.relationship_extras.heap_bytes()
            + arena(&self.ends)
            + self.end_extras.heap_bytes()
            + arena(&self.transforms)
            + arena(&self.diagnostics)
            + text(&self.warnings)
            + text(&self.graph)
            + text(&self.job)
            + text(&self.trailing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coordinate_takes_twelve_bytes_and_an_end_thirty_two() {
        assert_eq!(size_of::<RawCoordinate>(), 12);
        assert_eq!(size_of::<RawEnd>(), 32);
    }

    #[test]
    fn a_flag_tells_false_from_absent() {
        let mut flags = Flags::default();
        flags.set(Flag::UiVisible, Some(false));
        flags.set(Flag::IsTarget, Some(true));
        flags.set(Flag::PrimaryKey, None);
        assert_eq!(flags.get(Flag::UiVisible), Some(false));
        assert_eq!(flags.get(Flag::IsTarget), Some(true));
        assert_eq!(flags.get(Flag::PrimaryKey), None);
    }

    #[test]
    fn a_span_outside_its_arena_is_empty() {
        let span = Span { start: u32::MAX, len: 7 };
        assert!(span.of(&[1, 2, 3]).is_empty());
    }
}
