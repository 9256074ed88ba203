//! The content of a document as flat arenas whose records refer to each other by index.
//!
//! In real documents, two thirds of the text are coordinates, and most strings repeat. Therefore a coordinate takes
//! twelve bytes here, a string takes four, and a field that few records have lies in a side table.

mod arena;
mod extras;
mod flags;

pub(super) use self::arena::{ArenaFull, NONE, Span, growth, index_of_next, indices, push};
pub(super) use self::extras::Extras;
#[cfg(feature = "arrow")]
pub(super) use self::extras::last_value;
pub(super) use self::flags::{Flag, Flags};
use std::collections::HashSet;

use super::coverage::RequestedTypes;
use super::intern::{Symbol, Texts};
use super::kinds::Mode;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RawCoordinate {
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) hash: Symbol,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum ScopeKind {
    Server,
    Database,
    Schema,
}

/// A server, database or schema; `parent` is the scope that it belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawScope {
    pub(super) kind: ScopeKind,
    pub(super) name: Symbol,
    pub(super) parent: u32,
    pub(super) vendor: Symbol,
    pub(super) supports_catalogs: Option<bool>,
    pub(super) supports_schemas: Option<bool>,
}

/// The array of the tree that listed an object; flat documents have only one array.
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
    /// The package that the object belongs to.
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
    /// The label of its document, if that was merged.
    pub(super) label: Symbol,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RawRelationship {
    pub(super) id: Symbol,
    pub(super) kind: Symbol,
    pub(super) effect: Symbol,
    pub(super) process_id: Symbol,
    pub(super) endpoints: Span,
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
    CallStatement,
}

/// The role of an endpoint in its relationship.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndpointRole {
    /// The endpoint that the relationship is about.
    Target,
    /// An endpoint that the relationship comes from.
    Source,
    /// The routine that calls.
    Caller,
    /// A routine that is called.
    Callee,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct RawEndpoint {
    pub(super) id: Symbol,
    /// The field `column`, or `name` if the relationship is a call.
    pub(super) name: Symbol,
    pub(super) parent_id: Symbol,
    pub(super) parent_name: Symbol,
    pub(super) clause: Symbol,
    pub(super) coordinates: Span,
    pub(super) role: EndpointRole,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndpointExtra {
    TableId,
    TableName,
    ColumnType,
    Function,
    Kind,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RawTransform {
    pub(super) endpoint: u32,
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
    /// The label of its document, if that was merged.
    pub(super) label: Symbol,
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
    pub(super) scopes: Vec<RawScope>,
    pub(super) objects: Vec<RawObject>,
    pub(super) object_extras: Extras<ObjectExtra>,
    pub(super) columns: Vec<RawColumn>,
    pub(super) column_extras: Extras<ColumnExtra>,
    pub(super) arguments: Vec<RawArgument>,
    pub(super) processes: Vec<RawProcess>,
    pub(super) relationships: Vec<RawRelationship>,
    pub(super) relationship_extras: Extras<RelationshipExtra>,
    /// The coordinates of calls, by relationship.
    pub(super) call_coordinates: Vec<(u32, Span)>,
    pub(super) endpoints: Vec<RawEndpoint>,
    pub(super) endpoint_extras: Extras<EndpointExtra>,
    pub(super) transforms: Vec<RawTransform>,
    pub(super) diagnostics: Vec<RawDiagnostic>,
    pub(super) summary: Option<RawSummary>,
    pub(super) mode: Option<Mode>,
    /// The relation types that were requested from the server.
    pub(super) requested: RequestedTypes,
    pub(super) vendor: Symbol,
    /// The label of the document. A merged lineage has none, but its processes and diagnostics keep theirs.
    pub(super) label: Symbol,
    pub(super) created_by: Symbol,
    pub(super) job_id: Symbol,
    pub(super) session_id: Symbol,
    pub(super) code: Option<i64>,
    pub(super) warnings: Option<String>,
    /// `true` if the document has a graph section, kept or not.
    pub(super) has_graph: bool,
    pub(super) graph: Option<String>,
    pub(super) job: Option<String>,
    pub(super) trailing: Option<String>,
    /// The paths of the fields that were not understood, in order, and the number of their occurrences.
    pub(super) unknown: Vec<(Box<str>, u64)>,
}

impl Model {
    /// Sorts the side tables and releases the memory that growing arenas reserved and did not use.
    pub(super) fn settle(&mut self) {
        self.texts.shrink();
        self.scopes.shrink_to_fit();
        self.objects.shrink_to_fit();
        self.object_extras.settle();
        self.columns.shrink_to_fit();
        self.column_extras.settle();
        self.arguments.shrink_to_fit();
        self.processes.shrink_to_fit();
        self.relationships.shrink_to_fit();
        self.relationship_extras.settle();
        self.call_coordinates.shrink_to_fit();
        self.endpoints.shrink_to_fit();
        self.endpoint_extras.settle();
        self.transforms.shrink_to_fit();
        self.diagnostics.shrink_to_fit();
        self.unknown.shrink_to_fit();
        if let Some(summary) = &mut self.summary {
            summary.busiest.shrink_to_fit();
        }
        for text in [&mut self.warnings, &mut self.graph, &mut self.job, &mut self.trailing].into_iter().flatten() {
            text.shrink_to_fit();
        }
        // The largest arena comes last, because both copies of it may exist for a moment.
        self.coordinates.shrink_to_fit();
    }

    /// Returns the indices of the columns of an object.
    pub(super) fn columns_of(&self, object: u32) -> std::ops::Range<u32> {
        self.objects.get(object as usize).map_or(0..0, |object| object.columns.indices())
    }

    /// Returns the number of warnings that do not repeat a message about the SQL, as many servers do.
    pub(super) fn count_of_own_warnings(&self) -> usize {
        let Some(warnings) = &self.warnings else {
            return 0;
        };
        let messages: HashSet<&str> = self.diagnostics.iter().map(|one| self.texts.get(one.message).trim()).collect();
        warnings.lines().map(str::trim).filter(|line| !line.is_empty() && !messages.contains(line)).count()
    }

    /// Returns the coordinates of a call.
    pub(super) fn call_coordinates_of(&self, relationship: u32) -> Span {
        let found = self.call_coordinates.binary_search_by_key(&relationship, |(at, _)| *at);
        found.ok().and_then(|at| self.call_coordinates.get(at)).map(|(_, span)| *span).unwrap_or_default()
    }

    /// Returns the name of the scope of one kind at or above `scope`.
    pub(super) fn scope_name(&self, scope: u32, kind: ScopeKind) -> Symbol {
        self.scope(scope, kind).map_or(Symbol::ABSENT, |found| found.name)
    }

    /// Returns the scope of one kind at or above `scope`.
    pub(super) fn scope(&self, scope: u32, kind: ScopeKind) -> Option<&RawScope> {
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
            + arena(&self.call_coordinates)
            + arena(&self.endpoints)
            + self.endpoint_extras.heap_bytes()
            + arena(&self.transforms)
            + arena(&self.diagnostics)
            + text(&self.warnings)
            + text(&self.graph)
            + text(&self.job)
            + text(&self.trailing)
            + arena(&self.unknown)
            + self.unknown.iter().map(|(path, _)| path.len()).sum::<usize>()
            + self.summary.as_ref().map_or(0, |summary| arena(&summary.busiest))
            + match &self.mode {
                Some(Mode::Other(word)) => word.capacity(),
                _ => 0,
            }
            + self.requested.heap_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coordinate_takes_twelve_bytes_and_an_endpoint_thirty_two() {
        assert_eq!(size_of::<RawCoordinate>(), 12);
        assert_eq!(size_of::<RawEndpoint>(), 32);
    }
}
