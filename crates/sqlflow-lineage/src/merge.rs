//! Merging of several lineages into one: stored objects are joined by name, results inside statements never are.

mod ids;
mod join;
mod reorder;
#[cfg(test)]
mod tests;

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use self::ids::{ReferenceKind, keep_first, largest_id};
use self::join::{JoinTable, JoinedByInput};
use self::reorder::{CoordinateMover, grouped, in_order, inverse, moved, spread};
use super::graph::{Node, Resolution};
use super::intern::{Symbol, Texts};
use super::kinds::{Mode, ObjectKind};
use super::model::{
    ArenaFull, ColumnExtra, EndpointExtra, Model, NONE, ObjectExtra, RawArgument, RawColumn, RawCoordinate,
    RawEndpoint, RawObject, RawProcess, RawRelationship, RawScope, RawTransform, ScopeKind, Span, index_of_next, push,
};
use super::view::{self, Object};
use super::{Lineage, LineageInner, names};

/// An error from merging lineages that together hold more records of one kind than 32 bits can count.
#[derive(Clone, PartialEq, Eq)]
pub struct MergeError {
    what: &'static str,
}

impl From<ArenaFull> for MergeError {
    fn from(ArenaFull(what): ArenaFull) -> Self {
        Self { what }
    }
}

impl fmt::Display for MergeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the lineages together hold more {} than 32 bits can count; merge fewer at once", self.what)
    }
}

impl fmt::Debug for MergeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MergeError({:?})", self.what)
    }
}

impl std::error::Error for MergeError {}

impl Lineage {
    /// Merges the lineages of several jobs into one, so that a flow through a table of both is one flow.
    ///
    /// Stored objects (tables, views, …) with the same qualified name become one, and so do routines; their columns are
    /// joined by name. Objects that one lineage keeps apart stay apart: the second object of a name is joined with the
    /// second. Results inside statements ([`Object::is_intermediate`]), processes and relationships are never joined.
    /// Names are the same apart from case unless double quotes keep a mixed one, and `DEFAULT` is the same as none.
    ///
    /// Objects of different servers are never joined. An object of which the document gives no server, or only
    /// `DEFAULT_SERVER`, is joined with one of any server, unless several servers have objects of its name; it gets the
    /// server and the spelling of the name from the other one.
    ///
    /// The first lineage that has a field decides its value, except that a view wins over a table, and a table over any
    /// other kind. The coordinates of all lineages are kept, one after the other. The ids of the first lineage are kept;
    /// ids of later ones that are taken become new numbers, wherever they are referred to. An endpoint whose id belongs to
    /// nothing gets the id of the record that its names mean; one that is [unresolved](Self::unresolved) can be resolved
    /// by its names if another lineage has the record.
    ///
    /// The errors, warnings and unknown fields of all lineages are kept. The mode is `summary` if one lineage is a summary,
    /// or else `ignoreRecordSet` if one lineage lacks its record sets. The [coverage](Self::coverage) of each relation type is
    /// the worst of all lineages.
    /// The [labels](Self::label) of the lineages stay with their statements and messages, so that they can be
    /// [located](crate::Process::location).
    ///
    /// Parts that describe only one document (summary, graph, job, code, job id, session id, creator, text after the
    /// JSON) are dropped. A single lineage is returned as it is.
    ///
    /// ```
    /// use sqlflow_lineage::Lineage;
    ///
    /// let load: Lineage = r#"{"dbobjs": [
    ///     {"id": "1", "name": "ORDERS", "type": "table",
    ///      "columns": [{"id": "2", "name": "TOTAL"}]},
    ///     {"id": "3", "name": "SALES", "type": "table",
    ///      "columns": [{"id": "4", "name": "SUM"}]}
    /// ], "relationships": [
    ///     {"id": "5", "type": "fdd", "target": {"id": "4"}, "sources": [{"id": "2"}]}
    /// ]}"#.parse()?;
    /// let show: Lineage = r#"{"dbobjs": [
    ///     {"id": "1", "name": "sales", "type": "table",
    ///      "columns": [{"id": "2", "name": "sum"}]},
    ///     {"id": "3", "name": "REPORT", "type": "view",
    ///      "columns": [{"id": "4", "name": "SUM"}]}
    /// ], "relationships": [
    ///     {"id": "5", "type": "fdd", "target": {"id": "4"}, "sources": [{"id": "2"}]}
    /// ]}"#.parse()?;
    ///
    /// let both = Lineage::merge([&load, &show])?;
    /// let flows: Vec<String> = both.column_flows().iter().map(ToString::to_string).collect();
    /// assert_eq!(flows, ["ORDERS.TOTAL → SALES.SUM", "SALES.SUM → REPORT.SUM"]);
    ///
    /// let report = both.column("report", "sum")?;
    /// let origins = report.upstream();
    /// assert!(origins.into_iter().any(|origin| origin.qualified_name() == "ORDERS.TOTAL"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`MergeError`] if the lineages together hold more records of one kind than 32 bits can count.
    pub fn merge<L: Borrow<Self>>(lineages: impl IntoIterator<Item = L>) -> Result<Self, MergeError> {
        let mut lineages = lineages.into_iter();
        let Some(first) = lineages.next() else {
            return Ok(Self::from_model(Model::default()));
        };
        let Some(second) = lineages.next() else {
            return Ok(first.borrow().clone());
        };
        let mut merger = Merger::default();
        merger.add(&first.borrow().inner)?;
        drop(first);
        merger.add(&second.borrow().inner)?;
        drop(second);
        for lineage in lineages {
            merger.add(&lineage.borrow().inner)?;
        }
        Ok(Self::from_model(merger.finish()?))
    }
}

/// The key by which objects are joined: the package, `true` for a routine, and the name.
type ObjectKey = (u32, bool, Symbol);
type ScopeKey = (u32, ScopeKind, Symbol, Symbol, Option<bool>, Option<bool>);

/// The lineage that the inputs so far were merged into.
#[derive(Default)]
struct Merger {
    /// The columns and arguments are in the order in which they came, and the spans of them are empty, until all inputs
    /// are added.
    model: Model,
    scopes: HashMap<ScopeKey, u32>,
    /// The names that are parts of keys.
    identities: Texts,
    objects: JoinTable,
    columns: HashMap<(u32, Symbol, u32), u32>,
    arguments: HashMap<(u32, Symbol, u32), u32>,
    /// The object of each argument.
    owners: Vec<u32>,
    /// The coordinates that later inputs add to objects, columns and arguments.
    more: [Vec<(u32, Span)>; 3],
    /// The ids of all records.
    used_ids: HashSet<Symbol>,
    /// The ids of references to nothing, which no record may get.
    unresolved_ids: HashSet<Symbol>,
    /// The largest number among the ids so far.
    largest_id: u64,
    /// The paths of the fields that were not understood, and the number of their occurrences.
    unknown: BTreeMap<Box<str>, u64>,
}

const OBJECTS: usize = 0;
const COLUMNS: usize = 1;
const ARGUMENTS: usize = 2;

/// A lineage that is being added, with the new values of its symbols, ids and indices.
struct MergeInput<'i> {
    inner: &'i LineageInner,
    texts: Vec<Symbol>,
    /// The new ids of records that are not joined with another.
    ids: HashMap<Symbol, Symbol>,
    /// The new ids of objects, columns and arguments; of several records with one id, that of the first.
    object_ids: HashMap<Symbol, Symbol>,
    column_ids: HashMap<Symbol, Symbol>,
    argument_ids: HashMap<Symbol, Symbol>,
    scopes: Vec<u32>,
    objects: Vec<u32>,
    columns: Vec<u32>,
    coordinates: u32,
}

impl Merger {
    fn add(&mut self, inner: &LineageInner) -> Result<(), MergeError> {
        let source = &inner.model;
        let mut input = MergeInput {
            inner,
            texts: vec![Symbol::ABSENT; source.texts.len()],
            ids: HashMap::new(),
            object_ids: HashMap::new(),
            column_ids: HashMap::new(),
            argument_ids: HashMap::new(),
            scopes: Vec::with_capacity(source.scopes.len()),
            objects: Vec::with_capacity(source.objects.len()),
            columns: Vec::with_capacity(source.columns.len()),
            coordinates: index_of_next(&self.model.coordinates, "coordinates")?,
        };
        self.largest_id = self.largest_id.max(largest_id(source));
        self.add_coordinates(&mut input)?;
        self.add_scopes(&mut input)?;
        self.add_objects(&mut input)?;
        self.add_processes(&mut input)?;
        self.add_extras(&mut input)?;
        self.add_relationships(&mut input)?;
        self.add_surroundings(&mut input)
    }

    fn text(&mut self, input: &mut MergeInput<'_>, symbol: Symbol) -> Result<Symbol, ArenaFull> {
        let Some(text) = input.inner.model.texts.get_present(symbol) else {
            return Ok(Symbol::ABSENT);
        };
        match input.texts.get_mut(symbol.index()) {
            Some(known) if !known.is_absent() => Ok(*known),
            Some(place) => {
                *place = self.model.texts.intern(text)?;
                Ok(*place)
            }
            None => self.model.texts.intern(text),
        }
    }

    fn add_coordinates(&mut self, input: &mut MergeInput<'_>) -> Result<(), ArenaFull> {
        let source = &input.inner.model;
        // A larger arena would need larger indices.
        let end = self.model.coordinates.len() + source.coordinates.len();
        u32::try_from(end).ok().filter(|&end| end != NONE).ok_or(ArenaFull("coordinates"))?;
        self.model.coordinates.reserve(source.coordinates.len());
        for &RawCoordinate { x, y, hash } in &source.coordinates {
            let hash = self.text(input, hash)?;
            self.model.coordinates.push(RawCoordinate { x, y, hash });
        }
        Ok(())
    }

    fn add_scopes(&mut self, input: &mut MergeInput<'_>) -> Result<(), ArenaFull> {
        let source = &input.inner.model;
        for scope in &source.scopes {
            let (name, vendor) = (self.text(input, scope.name)?, self.text(input, scope.vendor)?);
            let parent = moved(&input.scopes, scope.parent);
            let key = (parent, scope.kind, name, vendor, scope.supports_catalogs, scope.supports_schemas);
            let at = if let Some(&at) = self.scopes.get(&key) {
                at
            } else {
                let at = push(&mut self.model.scopes, RawScope { name, parent, vendor, ..*scope }, "scopes")?;
                self.scopes.insert(key, at);
                at
            };
            input.scopes.push(at);
        }
        Ok(())
    }

    fn add_objects(&mut self, input: &mut MergeInput<'_>) -> Result<(), MergeError> {
        let source = &input.inner.model;
        let mut joined = JoinedByInput::default();
        for (at, object) in (0..).zip(&source.objects) {
            let key = self.object_key(input, at, object)?;
            let server = names::named_server(source, object).map(str::to_lowercase);
            let server = server.map_or(Ok(Symbol::ABSENT), |server| self.identities.intern(&server))?;
            let known = key.and_then(|key| self.objects.find(key, server, &mut joined));
            let into = if let Some(into) = known {
                self.join_object(input, into, object)?;
                into
            } else {
                let into = self.add_object(input, object)?;
                if let Some(key) = key {
                    self.objects.add(key, server, into, &mut joined);
                }
                into
            };
            input.objects.push(into);
            let becomes = self.model.objects.get(into as usize).map_or(Symbol::ABSENT, |object| object.id);
            keep_first(&mut input.object_ids, source.texts.non_empty(object.id), becomes);
            self.add_columns(input, object, into, key.is_some())?;
            self.add_arguments(input, object, into, key.is_some())?;
        }
        Ok(())
    }

    fn add_extras(&mut self, input: &mut MergeInput<'_>) -> Result<(), ArenaFull> {
        let source = &input.inner.model;
        for (at, key, value) in source.object_extras.iter() {
            let value = match key {
                ObjectExtra::ProcedureId => self.reference(input, value, ReferenceKind::Object)?,
                ObjectExtra::Parent if input.object_ids.contains_key(&value) => {
                    self.reference(input, value, ReferenceKind::Object)?
                }
                _ => self.text(input, value)?,
            };
            self.model.object_extras.add(moved(&input.objects, at), key, value);
        }
        for (at, ColumnExtra::QualifiedTable, value) in source.column_extras.iter() {
            let value = self.text(input, value)?;
            self.model.column_extras.add(moved(&input.columns, at), ColumnExtra::QualifiedTable, value);
        }
        Ok(())
    }

    /// Returns the key of an object, or `None` if it is never joined: a result inside a statement, or an object without a
    /// name.
    fn object_key(
        &mut self,
        input: &MergeInput<'_>,
        at: u32,
        object: &RawObject,
    ) -> Result<Option<ObjectKey>, ArenaFull> {
        let view = Object::new(input.inner, at);
        if view.is_intermediate() || view.name().is_empty() {
            return Ok(None);
        }
        let name = self.identities.intern(&names::identity(&input.inner.model, object))?;
        Ok(Some((moved(&input.objects, object.within), view.is_routine(), name)))
    }

    fn add_object(&mut self, input: &mut MergeInput<'_>, object: &RawObject) -> Result<u32, ArenaFull> {
        let object = RawObject {
            id: self.id(input, object.id)?,
            name: self.object_name(input, object)?,
            kind: self.text(input, object.kind)?,
            display_name: self.text(input, object.display_name)?,
            scope: moved(&input.scopes, object.scope),
            within: moved(&input.objects, object.within),
            columns: Span::default(),
            arguments: Span::default(),
            coordinates: input.coordinates(object.coordinates),
            ..*object
        };
        push(&mut self.model.objects, object, "objects")
    }

    /// Returns the name of an object in a spelling that has the same meaning in the dialect of the merged lineage.
    fn object_name(&mut self, input: &mut MergeInput<'_>, object: &RawObject) -> Result<Symbol, ArenaFull> {
        let source = &input.inner.model;
        let vendor = self.model.texts.get_present(self.model.vendor);
        let vendor = vendor.or_else(|| source.texts.get_present(source.vendor));
        match names::name_for_vendor(source, object, vendor) {
            Some(name) => self.model.texts.intern(&name),
            None => self.text(input, object.name),
        }
    }

    fn join_object(&mut self, input: &mut MergeInput<'_>, into: u32, object: &RawObject) -> Result<(), ArenaFull> {
        let kind = self.text(input, object.kind)?;
        let display_name = self.text(input, object.display_name)?;
        let Some(&known) = self.model.objects.get(into as usize) else {
            return Ok(());
        };
        // The scope and the name of an object are two parts of one qualified name.
        let named_server = |model: &Model, object: &RawObject| names::named_server(model, object).is_some();
        let takes_location = !named_server(&self.model, &known) && named_server(&input.inner.model, object);
        let (scope, name) = (moved(&input.scopes, object.scope), self.object_name(input, object)?);
        let id = if known.id.is_absent() { self.id(input, object.id)? } else { known.id };
        let is_routine = view::is_routine(&self.model, &known);
        let rank = |kind: Symbol| match self.model.texts.get_present(kind).map(ObjectKind::from) {
            Some(ObjectKind::View) => 3,
            Some(ObjectKind::Table) => 2,
            Some(_) => 1,
            None => 0,
        };
        let takes_kind = if is_routine { known.kind.is_absent() } else { rank(kind) > rank(known.kind) };
        if let Some(place) = self.model.objects.get_mut(into as usize) {
            place.id = id;
            place.display_name = self.model.texts.or(known.display_name, display_name);
            place.flags = known.flags.or(object.flags);
            if takes_kind {
                place.kind = kind;
            }
            if takes_kind && !is_routine {
                place.section = object.section;
            }
            if takes_location {
                place.scope = scope;
                place.name = name;
            } else if place.scope == NONE {
                place.scope = scope;
            }
        }
        self.more[OBJECTS].push((into, input.coordinates(object.coordinates)));
        Ok(())
    }

    fn add_columns(
        &mut self,
        input: &mut MergeInput<'_>,
        object: &RawObject,
        into: u32,
        may_join: bool,
    ) -> Result<(), MergeError> {
        let mut counts: HashMap<Symbol, u32> = HashMap::new();
        for (at, column) in object.columns.indices().zip(object.columns.of(&input.inner.model.columns)) {
            let mut nth = None;
            if may_join {
                let view = super::Column::new(input.inner, at);
                let name = names::column_identity(view.name());
                // The key differs from that of a column that has the same name but is no record set.
                let key = if view.is_record_set() { "\\recordset" } else { &name };
                let key = self.identities.intern(key)?;
                nth = Some((into, key, next(counts.entry(key).or_default())));
            }
            let to = if let Some(&to) = nth.and_then(|nth| self.columns.get(&nth)) {
                self.join_column(input, to, column)?;
                to
            } else {
                let column = RawColumn {
                    id: self.id(input, column.id)?,
                    name: self.text(input, column.name)?,
                    object: into,
                    data_type: self.text(input, column.data_type)?,
                    source: self.text(input, column.source)?,
                    coordinates: input.coordinates(column.coordinates),
                    flags: column.flags,
                };
                let to = push(&mut self.model.columns, column, "columns")?;
                if let Some(nth) = nth {
                    self.columns.insert(nth, to);
                }
                to
            };
            // Objects come in the order of their columns in the arena.
            input.columns.resize(at as usize, NONE);
            input.columns.push(to);
            let becomes = self.model.columns.get(to as usize).map_or(Symbol::ABSENT, |column| column.id);
            keep_first(&mut input.column_ids, input.inner.model.texts.non_empty(column.id), becomes);
        }
        Ok(())
    }

    fn join_column(&mut self, input: &mut MergeInput<'_>, to: u32, column: &RawColumn) -> Result<(), ArenaFull> {
        let (data_type, source) = (self.text(input, column.data_type)?, self.text(input, column.source)?);
        let has_id = self.model.columns.get(to as usize).is_some_and(|known| !known.id.is_absent());
        let id = if has_id { Symbol::ABSENT } else { self.id(input, column.id)? };
        let Model { columns, texts, .. } = &mut self.model;
        if let Some(known) = columns.get_mut(to as usize) {
            known.id = texts.or(known.id, id);
            known.data_type = texts.or(known.data_type, data_type);
            known.source = texts.or(known.source, source);
            known.flags = known.flags.or(column.flags);
        }
        self.more[COLUMNS].push((to, input.coordinates(column.coordinates)));
        Ok(())
    }

    fn add_arguments(
        &mut self,
        input: &mut MergeInput<'_>,
        object: &RawObject,
        into: u32,
        may_join: bool,
    ) -> Result<(), MergeError> {
        let mut counts: HashMap<Symbol, u32> = HashMap::new();
        for argument in object.arguments.of(&input.inner.model.arguments) {
            let mut nth = None;
            if may_join {
                let name = names::column_identity(input.inner.model.texts.get(argument.name));
                let key = self.identities.intern(&name)?;
                nth = Some((into, key, next(counts.entry(key).or_default())));
            }
            let mut moved = RawArgument {
                id: Symbol::ABSENT,
                name: self.text(input, argument.name)?,
                data_type: self.text(input, argument.data_type)?,
                inout: self.text(input, argument.inout)?,
                coordinates: input.coordinates(argument.coordinates),
            };
            let known = nth.and_then(|nth| self.arguments.get(&nth).copied());
            let known_id = known.and_then(|at| self.model.arguments.get(at as usize)).map(|known| known.id);
            if known_id.is_none_or(Symbol::is_absent) {
                moved.id = self.id(input, argument.id)?;
            }
            let becomes = self.model.texts.or(known_id.unwrap_or_default(), moved.id);
            keep_first(&mut input.argument_ids, input.inner.model.texts.non_empty(argument.id), becomes);
            let Model { arguments, texts, .. } = &mut self.model;
            if let Some((at, place)) = known.and_then(|at| Some((at, arguments.get_mut(at as usize)?))) {
                place.id = becomes;
                place.data_type = texts.or(place.data_type, moved.data_type);
                place.inout = texts.or(place.inout, moved.inout);
                self.more[ARGUMENTS].push((at, moved.coordinates));
                continue;
            }
            let at = push(&mut self.model.arguments, moved, "arguments")?;
            self.owners.push(into);
            if let Some(nth) = nth {
                self.arguments.insert(nth, at);
            }
        }
        Ok(())
    }

    fn add_processes(&mut self, input: &mut MergeInput<'_>) -> Result<(), ArenaFull> {
        let source = &input.inner.model;
        for process in &source.processes {
            let process = RawProcess {
                id: self.id(input, process.id)?,
                name: self.text(input, process.name)?,
                kind: self.text(input, process.kind)?,
                procedure_name: self.text(input, process.procedure_name)?,
                procedure_id: self.reference(input, process.procedure_id, ReferenceKind::Object)?,
                query_hash_id: self.text(input, process.query_hash_id)?,
                scope: moved(&input.scopes, process.scope),
                coordinates: input.coordinates(process.coordinates),
                flags: process.flags,
                label: self.text(input, source.texts.or(process.label, source.label))?,
            };
            push(&mut self.model.processes, process, "processes")?;
        }
        Ok(())
    }

    fn add_relationships(&mut self, input: &mut MergeInput<'_>) -> Result<(), ArenaFull> {
        let source = &input.inner.model;
        let first_endpoint = index_of_next(&self.model.endpoints, "endpoints")?;
        for (at, end) in (0..).zip(&source.endpoints) {
            let end = RawEndpoint {
                id: self.id_of_endpoint(input, at, end)?,
                name: self.text(input, end.name)?,
                parent_id: self.reference(input, end.parent_id, ReferenceKind::Object)?,
                parent_name: self.text(input, end.parent_name)?,
                clause: self.text(input, end.clause)?,
                coordinates: input.coordinates(end.coordinates),
                role: end.role,
            };
            push(&mut self.model.endpoints, end, "endpoints")?;
        }
        for (at, key, value) in source.endpoint_extras.iter() {
            let value = match key {
                EndpointExtra::TableId => self.reference(input, value, ReferenceKind::Object)?,
                _ => self.text(input, value)?,
            };
            self.model.endpoint_extras.add(first_endpoint.saturating_add(at), key, value);
        }
        for transform in &source.transforms {
            let transform = RawTransform {
                endpoint: first_endpoint.saturating_add(transform.endpoint),
                kind: self.text(input, transform.kind)?,
                code: self.text(input, transform.code)?,
                coordinates: input.coordinates(transform.coordinates),
            };
            push(&mut self.model.transforms, transform, "transforms")?;
        }
        let first = index_of_next(&self.model.relationships, "relationships")?;
        for relationship in &source.relationships {
            let relationship = RawRelationship {
                id: self.id(input, relationship.id)?,
                kind: self.text(input, relationship.kind)?,
                effect: self.text(input, relationship.effect)?,
                process_id: self.reference_to_itself(input, relationship.process_id)?,
                endpoints: after(first_endpoint, relationship.endpoints),
            };
            push(&mut self.model.relationships, relationship, "relationships")?;
        }
        for (at, key, value) in source.relationship_extras.iter() {
            let value = self.text(input, value)?;
            self.model.relationship_extras.add(first.saturating_add(at), key, value);
        }
        for &(at, span) in &source.call_coordinates {
            self.model.call_coordinates.push((first.saturating_add(at), input.coordinates(span)));
        }
        Ok(())
    }

    /// Returns the new id of an endpoint. One that is resolved by names gets the id of its record, because the names may
    /// mean several records after the merge.
    fn id_of_endpoint(&mut self, input: &mut MergeInput<'_>, at: u32, end: &RawEndpoint) -> Result<Symbol, ArenaFull> {
        let inner = input.inner;
        if inner.resolution_of(at, end) != Resolution::Id {
            let record = match inner.node_of(at, end) {
                Some(Node::Column(column)) => {
                    self.model.columns.get(moved(&input.columns, column) as usize).map(|column| column.id)
                }
                Some(Node::Object(object)) => {
                    self.model.objects.get(moved(&input.objects, object) as usize).map(|object| object.id)
                }
                Some(Node::Process(_)) | None => None,
            };
            if let Some(id) = record.filter(|id| !id.is_absent()) {
                return Ok(id);
            }
        }
        self.reference(input, end.id, ReferenceKind::Any)
    }

    /// Adds the properties of the document that hold for all inputs together.
    fn add_surroundings(&mut self, input: &mut MergeInput<'_>) -> Result<(), MergeError> {
        let source = &input.inner.model;
        for diagnostic in &source.diagnostics {
            let mut diagnostic = *diagnostic;
            diagnostic.message = self.text(input, diagnostic.message)?;
            diagnostic.kind = self.text(input, diagnostic.kind)?;
            diagnostic.file = self.text(input, diagnostic.file)?;
            diagnostic.coordinates = input.coordinates(diagnostic.coordinates);
            diagnostic.origin_coordinates = input.coordinates(diagnostic.origin_coordinates);
            diagnostic.label = self.text(input, source.texts.or(diagnostic.label, source.label))?;
            push(&mut self.model.diagnostics, diagnostic, "errors")?;
        }
        let vendor = self.text(input, source.vendor)?;
        self.model.requested.add_part(source);
        let model = &mut self.model;
        model.vendor = model.texts.or(model.vendor, vendor);
        if mode_rank(source.mode.as_ref()) > mode_rank(model.mode.as_ref()) {
            model.mode.clone_from(&source.mode);
        }
        if let Some(more) = &source.warnings {
            let warnings = model.warnings.get_or_insert_default();
            if !warnings.is_empty() {
                warnings.push('\n');
            }
            warnings.push_str(more);
        }
        for (path, count) in &source.unknown {
            let total = self.unknown.entry(path.clone()).or_default();
            *total = total.saturating_add(*count);
        }
        Ok(())
    }

    /// Makes the columns and arguments of each object, and the coordinates of each record, neighbours.
    fn finish(mut self) -> Result<Model, MergeError> {
        let model = &mut self.model;
        let owners: Vec<u32> = model.columns.iter().map(|column| column.object).collect();
        let order = grouped(&owners);
        let places = inverse(&order);
        model.columns = in_order(&model.columns, &order);
        model.column_extras.move_owners(|at| moved(&places, at));
        for (at, _) in &mut self.more[COLUMNS] {
            *at = moved(&places, *at);
        }
        spread(&mut model.objects, &owners, &order, |object| &mut object.columns);
        let order = grouped(&self.owners);
        let places = inverse(&order);
        model.arguments = in_order(&model.arguments, &order);
        for (at, _) in &mut self.more[ARGUMENTS] {
            *at = moved(&places, *at);
        }
        spread(&mut model.objects, &self.owners, &order, |object| &mut object.arguments);
        let [objects, columns, arguments] = &mut self.more;
        let mut mover = CoordinateMover { from: std::mem::take(&mut model.coordinates), to: Vec::new() };
        mover.move_all(model.objects.iter_mut().map(|it| &mut it.coordinates), objects)?;
        mover.move_all(model.columns.iter_mut().map(|it| &mut it.coordinates), columns)?;
        mover.move_all(model.arguments.iter_mut().map(|it| &mut it.coordinates), arguments)?;
        mover.move_all(model.processes.iter_mut().map(|it| &mut it.coordinates), &mut [])?;
        mover.move_all(model.call_coordinates.iter_mut().map(|(_, span)| span), &mut [])?;
        mover.move_all(model.endpoints.iter_mut().map(|it| &mut it.coordinates), &mut [])?;
        mover.move_all(model.transforms.iter_mut().map(|it| &mut it.coordinates), &mut [])?;
        mover.move_all(model.diagnostics.iter_mut().map(|it| &mut it.coordinates), &mut [])?;
        mover.move_all(model.diagnostics.iter_mut().map(|it| &mut it.origin_coordinates), &mut [])?;
        model.coordinates = mover.to;
        model.object_extras.settle_first();
        model.column_extras.settle_first();
        model.unknown = self.unknown.into_iter().collect();
        model.settle();
        Ok(self.model)
    }
}

impl MergeInput<'_> {
    /// Returns the new span of coordinates.
    fn coordinates(&self, span: Span) -> Span {
        after(self.coordinates, span)
    }
}

/// Returns the number of one more of a kind.
fn next(count: &mut u32) -> u32 {
    let nth = *count;
    *count += 1;
    nth
}

fn after(first: u32, span: Span) -> Span {
    Span { start: span.start.saturating_add(first), ..span }
}

fn mode_rank(mode: Option<&Mode>) -> u8 {
    match mode {
        Some(Mode::Summary) => 4,
        Some(Mode::IgnoreRecordSet) => 3,
        Some(Mode::Global) => 2,
        Some(Mode::Other(_)) => 1,
        None => 0,
    }
}
