//! Joining the answers of several jobs into one: what is stored by name, what is made up inside statements never.

#[cfg(test)]
mod tests;

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::fmt;

use super::intern::{Symbol, Texts};
use super::kinds::{Mode, ObjectKind};
use super::model::{
    ColumnExtra, EndExtra, Full, Model, NONE, ObjectExtra, RawArgument, RawColumn, RawCoordinate, RawEnd, RawObject,
    RawProcess, RawRelationship, RawTransform, Scope, ScopeKind, Span, index_of_next, push,
};
use super::view::{self, Object};
use super::{Inner, Lineage, names};

/// Lineages that cannot be one: together they hold more of something than 32 bits can count.
#[derive(Clone, PartialEq, Eq)]
pub struct MergeError {
    what: &'static str,
}

impl From<Full> for MergeError {
    fn from(Full(what): Full) -> Self {
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
    /// Joins the answers of several jobs into one, so that a flow through the tables of both is one flow.
    ///
    /// Stored objects (tables, views, …) of one qualified name become one, and so do routines; their columns join by
    /// name. Objects that one answer keeps apart stay apart: the second of a name joins the second. What statements
    /// make up ([`Object::is_intermediate`]) is never joined, nor are processes and relationships. Names are the same
    /// apart from case unless double quotes keep a mixed one, and `DEFAULT` is the same as none; servers do not count.
    ///
    /// The first answer to give a field has it, except that a view wins over a table, and a table over anything else.
    /// Coordinates are those of all answers, one after the other. Ids of the first answer are kept; those of later
    /// ones that are taken become new numbers, wherever they are referred to. An end that leads nowhere still does.
    ///
    /// Errors, warnings and unknown fields are those of all. The mode is `summary` if that of one answer is. What
    /// describes one answer alone (summary, graph, job, code, job and session ids, maker, text after the JSON) is left
    /// out, unless there is but one lineage, which is given back as it is.
    ///
    /// ```
    /// use sqlflow_lineage::Lineage;
    ///
    /// let load: Lineage = r#"{"dbobjs": [
    ///     {"id": "1", "name": "ORDERS", "type": "table", "columns": [{"id": "2", "name": "TOTAL"}]},
    ///     {"id": "3", "name": "SALES", "type": "table", "columns": [{"id": "4", "name": "SUM"}]}
    /// ], "relationships": [{"id": "5", "type": "fdd", "target": {"id": "4"}, "sources": [{"id": "2"}]}]}"#.parse()?;
    /// let show: Lineage = r#"{"dbobjs": [
    ///     {"id": "1", "name": "sales", "type": "table", "columns": [{"id": "2", "name": "sum"}]},
    ///     {"id": "3", "name": "REPORT", "type": "view", "columns": [{"id": "4", "name": "SUM"}]}
    /// ], "relationships": [{"id": "5", "type": "fdd", "target": {"id": "4"}, "sources": [{"id": "2"}]}]}"#.parse()?;
    ///
    /// let both = Lineage::merge([&load, &show])?;
    /// let flows: Vec<String> = both.column_flows().iter().map(ToString::to_string).collect();
    /// assert_eq!(flows, ["ORDERS.TOTAL → SALES.SUM", "SALES.SUM → REPORT.SUM"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// There is more of something than 32 bits can count.
    pub fn merge<L: Borrow<Self>>(lineages: impl IntoIterator<Item = L>) -> Result<Self, MergeError> {
        let mut lineages = lineages.into_iter();
        let Some(first) = lineages.next() else {
            return Ok(Self::from_model(Model::default()));
        };
        let Some(second) = lineages.next() else {
            return Ok(first.borrow().clone());
        };
        let mut merged = Merged::default();
        merged.add(&first.borrow().inner)?;
        drop(first);
        merged.add(&second.borrow().inner)?;
        drop(second);
        for lineage in lineages {
            merged.add(&lineage.borrow().inner)?;
        }
        Ok(Self::from_model(merged.finish()?))
    }
}

/// What a name means to a merge: what it stands in, whether it is a routine's, the name, and which one of that name.
type ObjectKey = (u32, bool, Symbol);
type ScopeKey = (u32, ScopeKind, Symbol, Symbol, Option<bool>, Option<bool>);

/// The answers that were merged so far.
#[derive(Default)]
struct Merged {
    /// Its columns and arguments are in the order they came, and its spans of them are empty, until all are known.
    model: Model,
    scopes: HashMap<ScopeKey, u32>,
    /// The names that keys are made of.
    identities: Texts,
    objects: HashMap<(ObjectKey, u32), u32>,
    columns: HashMap<(u32, Symbol, u32), u32>,
    arguments: HashMap<(u32, Symbol, u32), u32>,
    /// The object of each argument.
    owners: Vec<u32>,
    /// The coordinates that later answers add to objects, columns and arguments.
    more: [Vec<(u32, Span)>; 3],
    /// The ids of all records, and those of references to nothing, which no record may get.
    borne: HashSet<Symbol>,
    dangling: HashSet<Symbol>,
    largest: u64,
}

const OBJECTS: usize = 0;
const COLUMNS: usize = 1;
const ARGUMENTS: usize = 2;

/// Larger numbers are not counted from: a reader may hold ids as floats.
const LARGEST: u64 = 1 << 53;

/// One answer while it is added: what its symbols, ids and indices become.
struct Answer<'i> {
    inner: &'i Inner,
    texts: Vec<Symbol>,
    /// What an id becomes where it is not joined with another.
    ids: HashMap<Symbol, Symbol>,
    /// What the id of each object, column and argument becomes; the first bearer of an id has it.
    object_ids: HashMap<Symbol, Symbol>,
    column_ids: HashMap<Symbol, Symbol>,
    argument_ids: HashMap<Symbol, Symbol>,
    scopes: Vec<u32>,
    objects: Vec<u32>,
    columns: Vec<u32>,
    coordinates: u32,
}

impl Merged {
    fn add(&mut self, inner: &Inner) -> Result<(), MergeError> {
        let source = &inner.model;
        let mut answer = Answer {
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
        self.largest = self.largest.max(largest_id(source));
        self.add_coordinates(&mut answer)?;
        self.add_scopes(&mut answer)?;
        self.add_objects(&mut answer)?;
        self.add_processes(&mut answer)?;
        self.add_extras(&mut answer)?;
        self.add_relationships(&mut answer)?;
        self.add_surroundings(&mut answer)
    }

    fn text(&mut self, answer: &mut Answer<'_>, symbol: Symbol) -> Result<Symbol, Full> {
        let Some(text) = answer.inner.model.texts.get_present(symbol) else {
            return Ok(Symbol::ABSENT);
        };
        match answer.texts.get_mut(symbol.index()) {
            Some(known) if !known.is_absent() => Ok(*known),
            Some(place) => {
                *place = self.model.texts.intern(text)?;
                Ok(*place)
            }
            None => self.model.texts.intern(text),
        }
    }

    /// What the id of a record becomes that is not joined with another: itself if it is free, else a new number.
    fn id(&mut self, answer: &mut Answer<'_>, id: Symbol) -> Result<Symbol, Full> {
        let becomes = self
            .free(answer, id, |merged, symbol| merged.borne.contains(&symbol) || merged.dangling.contains(&symbol))?;
        if !becomes.is_absent() {
            self.borne.insert(becomes);
        }
        Ok(becomes)
    }

    /// What a reference becomes whose record is not joined with another, or that means nothing.
    fn reference_to_itself(&mut self, answer: &mut Answer<'_>, id: Symbol) -> Result<Symbol, Full> {
        let becomes = self.free(answer, id, |merged, symbol| merged.borne.contains(&symbol))?;
        if !becomes.is_absent() && !self.borne.contains(&becomes) {
            self.dangling.insert(becomes);
        }
        Ok(becomes)
    }

    fn free(
        &mut self,
        answer: &mut Answer<'_>,
        id: Symbol,
        is_taken: impl Fn(&Self, Symbol) -> bool,
    ) -> Result<Symbol, Full> {
        let source = &answer.inner.model.texts;
        let Some(text) = source.get_present(id) else {
            return Ok(Symbol::ABSENT);
        };
        if let Some(&known) = answer.ids.get(&id) {
            return Ok(known);
        }
        let becomes = if self.model.texts.find(text).is_some_and(|symbol| is_taken(self, symbol)) {
            let fresh = loop {
                self.largest += 1;
                let fresh = self.largest.to_string();
                let known = self.model.texts.find(&fresh);
                let is_used = |symbol| self.borne.contains(&symbol) || self.dangling.contains(&symbol);
                if source.find(&fresh).is_none() && !known.is_some_and(is_used) {
                    break fresh;
                }
            };
            self.model.texts.intern(&fresh)?
        } else {
            self.model.texts.intern(text)?
        };
        answer.ids.insert(id, becomes);
        Ok(becomes)
    }

    fn add_coordinates(&mut self, answer: &mut Answer<'_>) -> Result<(), Full> {
        let source = &answer.inner.model;
        // Past this no index could be told.
        let end = self.model.coordinates.len() + source.coordinates.len();
        u32::try_from(end).ok().filter(|&end| end != NONE).ok_or(Full("coordinates"))?;
        self.model.coordinates.reserve(source.coordinates.len());
        for &RawCoordinate { x, y, hash } in &source.coordinates {
            let hash = self.text(answer, hash)?;
            self.model.coordinates.push(RawCoordinate { x, y, hash });
        }
        Ok(())
    }

    fn add_scopes(&mut self, answer: &mut Answer<'_>) -> Result<(), Full> {
        let source = &answer.inner.model;
        for scope in &source.scopes {
            let (name, vendor) = (self.text(answer, scope.name)?, self.text(answer, scope.vendor)?);
            let parent = moved(&answer.scopes, scope.parent);
            let key = (parent, scope.kind, name, vendor, scope.supports_catalogs, scope.supports_schemas);
            let at = if let Some(&at) = self.scopes.get(&key) {
                at
            } else {
                let at = push(&mut self.model.scopes, Scope { name, parent, vendor, ..*scope }, "scopes")?;
                self.scopes.insert(key, at);
                at
            };
            answer.scopes.push(at);
        }
        Ok(())
    }

    fn add_objects(&mut self, answer: &mut Answer<'_>) -> Result<(), MergeError> {
        let source = &answer.inner.model;
        let mut counts: HashMap<ObjectKey, u32> = HashMap::new();
        for (at, object) in (0..).zip(&source.objects) {
            let key = self.object_key(answer, at, object)?;
            let nth = key.map(|key| (key, next(counts.entry(key).or_default())));
            let known = nth.and_then(|nth| self.objects.get(&nth).copied());
            let into = if let Some(into) = known {
                self.join_object(answer, into, object)?;
                into
            } else {
                let into = self.add_object(answer, object)?;
                if let Some(nth) = nth {
                    self.objects.insert(nth, into);
                }
                into
            };
            answer.objects.push(into);
            let becomes = self.model.objects.get(into as usize).map_or(Symbol::ABSENT, |object| object.id);
            keep_first(&mut answer.object_ids, object.id, becomes);
            self.add_columns(answer, object, into, nth.is_some())?;
            self.add_arguments(answer, object, into, nth.is_some())?;
        }
        Ok(())
    }

    fn add_extras(&mut self, answer: &mut Answer<'_>) -> Result<(), Full> {
        let source = &answer.inner.model;
        for (at, key, value) in source.object_extras.iter() {
            let value = match key {
                ObjectExtra::ProcedureId => self.reference(answer, value, Meaning::Object)?,
                ObjectExtra::Parent if answer.object_ids.contains_key(&value) => {
                    self.reference(answer, value, Meaning::Object)?
                }
                _ => self.text(answer, value)?,
            };
            self.model.object_extras.add(moved(&answer.objects, at), key, value);
        }
        for (at, ColumnExtra::QualifiedTable, value) in source.column_extras.iter() {
            let value = self.text(answer, value)?;
            self.model.column_extras.add(moved(&answer.columns, at), ColumnExtra::QualifiedTable, value);
        }
        Ok(())
    }

    /// `None` for what never joins: results inside a statement, and what has no name.
    fn object_key(&mut self, answer: &Answer<'_>, at: u32, object: &RawObject) -> Result<Option<ObjectKey>, Full> {
        let view = Object::new(answer.inner, at);
        if view.is_intermediate() || view.name().is_empty() {
            return Ok(None);
        }
        let name = self.identities.intern(&names::identity(&answer.inner.model, object))?;
        Ok(Some((moved(&answer.objects, object.within), view.is_routine(), name)))
    }

    fn add_object(&mut self, answer: &mut Answer<'_>, object: &RawObject) -> Result<u32, Full> {
        let object = RawObject {
            id: self.id(answer, object.id)?,
            name: self.text(answer, object.name)?,
            kind: self.text(answer, object.kind)?,
            display_name: self.text(answer, object.display_name)?,
            scope: moved(&answer.scopes, object.scope),
            within: moved(&answer.objects, object.within),
            columns: Span::default(),
            arguments: Span::default(),
            coordinates: answer.coordinates(object.coordinates),
            ..*object
        };
        push(&mut self.model.objects, object, "objects")
    }

    fn join_object(&mut self, answer: &mut Answer<'_>, into: u32, object: &RawObject) -> Result<(), Full> {
        let kind = self.text(answer, object.kind)?;
        let display_name = self.text(answer, object.display_name)?;
        let Some(&known) = self.model.objects.get(into as usize) else {
            return Ok(());
        };
        let id = if known.id.is_absent() { self.id(answer, object.id)? } else { known.id };
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
            place.display_name = known.display_name.or(display_name);
            place.flags = known.flags.or(object.flags);
            if takes_kind {
                place.kind = kind;
            }
            if takes_kind && !is_routine {
                place.section = object.section;
            }
            if place.scope == NONE {
                place.scope = moved(&answer.scopes, object.scope);
            }
        }
        self.more[OBJECTS].push((into, answer.coordinates(object.coordinates)));
        Ok(())
    }

    fn add_columns(
        &mut self,
        answer: &mut Answer<'_>,
        object: &RawObject,
        into: u32,
        may_join: bool,
    ) -> Result<(), MergeError> {
        let mut counts: HashMap<Symbol, u32> = HashMap::new();
        for (at, column) in object.columns.indices().zip(object.columns.of(&answer.inner.model.columns)) {
            let mut nth = None;
            if may_join {
                let view = super::Column::new(answer.inner, at);
                let name = names::column_identity(view.name());
                // Apart from a column that has its name but is none.
                let key = if view.is_record_set() { "\\recordset" } else { &name };
                let key = self.identities.intern(key)?;
                nth = Some((into, key, next(counts.entry(key).or_default())));
            }
            let to = if let Some(&to) = nth.and_then(|nth| self.columns.get(&nth)) {
                self.join_column(answer, to, column)?;
                to
            } else {
                let column = RawColumn {
                    id: self.id(answer, column.id)?,
                    name: self.text(answer, column.name)?,
                    object: into,
                    data_type: self.text(answer, column.data_type)?,
                    source: self.text(answer, column.source)?,
                    coordinates: answer.coordinates(column.coordinates),
                    flags: column.flags,
                };
                let to = push(&mut self.model.columns, column, "columns")?;
                if let Some(nth) = nth {
                    self.columns.insert(nth, to);
                }
                to
            };
            // The columns of one object after the other, in the order of the arena.
            answer.columns.resize(at as usize, NONE);
            answer.columns.push(to);
            let becomes = self.model.columns.get(to as usize).map_or(Symbol::ABSENT, |column| column.id);
            keep_first(&mut answer.column_ids, column.id, becomes);
        }
        Ok(())
    }

    fn join_column(&mut self, answer: &mut Answer<'_>, to: u32, column: &RawColumn) -> Result<(), Full> {
        let (data_type, source) = (self.text(answer, column.data_type)?, self.text(answer, column.source)?);
        let has_id = self.model.columns.get(to as usize).is_some_and(|known| !known.id.is_absent());
        let id = if has_id { Symbol::ABSENT } else { self.id(answer, column.id)? };
        if let Some(known) = self.model.columns.get_mut(to as usize) {
            known.id = known.id.or(id);
            known.data_type = known.data_type.or(data_type);
            known.source = known.source.or(source);
            known.flags = known.flags.or(column.flags);
        }
        self.more[COLUMNS].push((to, answer.coordinates(column.coordinates)));
        Ok(())
    }

    fn add_arguments(
        &mut self,
        answer: &mut Answer<'_>,
        object: &RawObject,
        into: u32,
        may_join: bool,
    ) -> Result<(), MergeError> {
        let mut counts: HashMap<Symbol, u32> = HashMap::new();
        for argument in object.arguments.of(&answer.inner.model.arguments) {
            let mut nth = None;
            if may_join {
                let name = names::column_identity(answer.inner.model.texts.get(argument.name));
                let key = self.identities.intern(&name)?;
                nth = Some((into, key, next(counts.entry(key).or_default())));
            }
            let mut moved = RawArgument {
                id: Symbol::ABSENT,
                name: self.text(answer, argument.name)?,
                data_type: self.text(answer, argument.data_type)?,
                inout: self.text(answer, argument.inout)?,
                coordinates: answer.coordinates(argument.coordinates),
            };
            let known = nth.and_then(|nth| self.arguments.get(&nth).copied());
            let known_id = known.and_then(|at| self.model.arguments.get(at as usize)).map(|known| known.id);
            if known_id.is_none_or(Symbol::is_absent) {
                moved.id = self.id(answer, argument.id)?;
            }
            let becomes = known_id.unwrap_or_default().or(moved.id);
            keep_first(&mut answer.argument_ids, argument.id, becomes);
            if let Some((at, place)) = known.and_then(|at| Some((at, self.model.arguments.get_mut(at as usize)?))) {
                place.id = becomes;
                place.data_type = place.data_type.or(moved.data_type);
                place.inout = place.inout.or(moved.inout);
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

    /// What a reference becomes: the id of what it means, or an id that means nothing as before.
    fn reference(&mut self, answer: &mut Answer<'_>, id: Symbol, meaning: Meaning) -> Result<Symbol, Full> {
        let (objects, columns, arguments) = (&answer.object_ids, &answer.column_ids, &answer.argument_ids);
        let tables = match meaning {
            Meaning::Any => [columns, objects, arguments],
            Meaning::Object => [objects, columns, arguments],
        };
        let is_process = matches!(meaning, Meaning::Any) && answer.inner.ids().process(id).is_some();
        let known = |table: &&HashMap<Symbol, Symbol>| table.get(&id).copied();
        let found = if is_process { tables.iter().take(2).find_map(known) } else { tables.iter().find_map(known) };
        match found {
            Some(becomes) if !becomes.is_absent() => Ok(becomes),
            _ => self.reference_to_itself(answer, id),
        }
    }

    fn add_processes(&mut self, answer: &mut Answer<'_>) -> Result<(), Full> {
        let source = &answer.inner.model;
        for process in &source.processes {
            let process = RawProcess {
                id: self.id(answer, process.id)?,
                name: self.text(answer, process.name)?,
                kind: self.text(answer, process.kind)?,
                procedure_name: self.text(answer, process.procedure_name)?,
                procedure_id: self.reference(answer, process.procedure_id, Meaning::Object)?,
                query_hash_id: self.text(answer, process.query_hash_id)?,
                scope: moved(&answer.scopes, process.scope),
                coordinates: answer.coordinates(process.coordinates),
                flags: process.flags,
            };
            push(&mut self.model.processes, process, "processes")?;
        }
        Ok(())
    }

    fn add_relationships(&mut self, answer: &mut Answer<'_>) -> Result<(), Full> {
        let source = &answer.inner.model;
        let first_end = index_of_next(&self.model.ends, "ends")?;
        for end in &source.ends {
            let end = RawEnd {
                id: self.reference(answer, end.id, Meaning::Any)?,
                name: self.text(answer, end.name)?,
                parent_id: self.reference(answer, end.parent_id, Meaning::Object)?,
                parent_name: self.text(answer, end.parent_name)?,
                clause: self.text(answer, end.clause)?,
                coordinates: answer.coordinates(end.coordinates),
                role: end.role,
            };
            push(&mut self.model.ends, end, "ends")?;
        }
        for (at, key, value) in source.end_extras.iter() {
            let value = match key {
                EndExtra::TableId => self.reference(answer, value, Meaning::Object)?,
                _ => self.text(answer, value)?,
            };
            self.model.end_extras.add(first_end.saturating_add(at), key, value);
        }
        for transform in &source.transforms {
            let transform = RawTransform {
                end: first_end.saturating_add(transform.end),
                kind: self.text(answer, transform.kind)?,
                code: self.text(answer, transform.code)?,
                coordinates: answer.coordinates(transform.coordinates),
            };
            push(&mut self.model.transforms, transform, "transforms")?;
        }
        let first = index_of_next(&self.model.relationships, "relationships")?;
        for relationship in &source.relationships {
            let relationship = RawRelationship {
                id: self.id(answer, relationship.id)?,
                kind: self.text(answer, relationship.kind)?,
                effect: self.text(answer, relationship.effect)?,
                process_id: self.reference_to_itself(answer, relationship.process_id)?,
                ends: after(first_end, relationship.ends),
            };
            push(&mut self.model.relationships, relationship, "relationships")?;
        }
        for (at, key, value) in source.relationship_extras.iter() {
            let value = self.text(answer, value)?;
            self.model.relationship_extras.add(first.saturating_add(at), key, value);
        }
        Ok(())
    }

    /// What is said about the answer and holds for all of them together.
    fn add_surroundings(&mut self, answer: &mut Answer<'_>) -> Result<(), MergeError> {
        let source = &answer.inner.model;
        for diagnostic in &source.diagnostics {
            let mut diagnostic = *diagnostic;
            diagnostic.message = self.text(answer, diagnostic.message)?;
            diagnostic.kind = self.text(answer, diagnostic.kind)?;
            diagnostic.file = self.text(answer, diagnostic.file)?;
            diagnostic.coordinates = answer.coordinates(diagnostic.coordinates);
            diagnostic.origin_coordinates = answer.coordinates(diagnostic.origin_coordinates);
            push(&mut self.model.diagnostics, diagnostic, "errors")?;
        }
        let vendor = self.text(answer, source.vendor)?;
        let model = &mut self.model;
        model.vendor = model.vendor.or(vendor);
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
            let total = model.unknown.entry(path.clone()).or_default();
            *total = total.saturating_add(*count);
        }
        Ok(())
    }

    /// Puts the columns and arguments of each object beside each other, and the coordinates of each record.
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
        let mut laid = Laid { from: std::mem::take(&mut model.coordinates), to: Vec::new() };
        laid.out(model.objects.iter_mut().map(|it| &mut it.coordinates), objects)?;
        laid.out(model.columns.iter_mut().map(|it| &mut it.coordinates), columns)?;
        laid.out(model.arguments.iter_mut().map(|it| &mut it.coordinates), arguments)?;
        laid.out(model.processes.iter_mut().map(|it| &mut it.coordinates), &mut [])?;
        laid.out(model.ends.iter_mut().map(|it| &mut it.coordinates), &mut [])?;
        laid.out(model.transforms.iter_mut().map(|it| &mut it.coordinates), &mut [])?;
        laid.out(model.diagnostics.iter_mut().map(|it| &mut it.coordinates), &mut [])?;
        laid.out(model.diagnostics.iter_mut().map(|it| &mut it.origin_coordinates), &mut [])?;
        model.coordinates = laid.to;
        model.object_extras.settle_first();
        model.column_extras.settle_first();
        model.settle();
        Ok(self.model)
    }
}

impl Answer<'_> {
    /// Where the coordinates of a span of the answer are now.
    fn coordinates(&self, span: Span) -> Span {
        after(self.coordinates, span)
    }
}

/// The first bearer of an id has it; what bears none is not what a reference without one means.
fn keep_first(ids: &mut HashMap<Symbol, Symbol>, id: Symbol, becomes: Symbol) {
    if !id.is_absent() {
        ids.entry(id).or_insert(becomes);
    }
}

/// What a reference may mean first: an end anything, a parent or a table an object.
#[derive(Clone, Copy)]
enum Meaning {
    Any,
    Object,
}

/// The largest number among the ids of an answer.
fn largest_id(model: &Model) -> u64 {
    let objects = model.objects.iter().map(|object| object.id);
    let columns = model.columns.iter().map(|column| column.id);
    let arguments = model.arguments.iter().map(|argument| argument.id);
    let processes = model.processes.iter().map(|process| process.id);
    let relationships = model.relationships.iter().map(|relationship| relationship.id);
    let ids = objects.chain(columns).chain(arguments).chain(processes).chain(relationships);
    ids.map(|id| number_of(model.texts.get(id))).max().unwrap_or_default()
}

fn number_of(id: &str) -> u64 {
    id.parse().ok().filter(|&number| number < LARGEST).unwrap_or_default()
}

/// The number of one more of a kind.
fn next(count: &mut u32) -> u32 {
    let nth = *count;
    *count += 1;
    nth
}

fn after(first: u32, span: Span) -> Span {
    Span { start: span.start.saturating_add(first), ..span }
}

fn moved(places: &[u32], at: u32) -> u32 {
    places.get(at as usize).copied().unwrap_or(NONE)
}

fn mode_rank(mode: Option<&Mode>) -> u8 {
    match mode {
        Some(Mode::Summary) => 3,
        Some(Mode::Global) => 2,
        Some(Mode::Other(_)) => 1,
        None => 0,
    }
}

/// The members of each group one after the other, in order.
fn grouped(groups: &[u32]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..).zip(groups).map(|(at, _)| at).collect();
    order.sort_by_key(|&at| groups.get(at as usize));
    order
}

/// Where each one is in an order.
fn inverse(order: &[u32]) -> Vec<u32> {
    let mut places = vec![NONE; order.len()];
    for (place, &from) in (0..).zip(order) {
        if let Some(to) = places.get_mut(from as usize) {
            *to = place;
        }
    }
    places
}

fn in_order<T: Copy>(items: &[T], order: &[u32]) -> Vec<T> {
    order.iter().filter_map(|&at| items.get(at as usize).copied()).collect()
}

/// Gives each object the span of what is its own.
fn spread(objects: &mut [RawObject], owners: &[u32], order: &[u32], span: impl Fn(&mut RawObject) -> &mut Span) {
    for (place, &from) in (0..).zip(order) {
        let owner = owners.get(from as usize).and_then(|&owner| objects.get_mut(owner as usize));
        if let Some(span) = owner.map(&span) {
            if span.is_empty() {
                span.start = place;
            }
            span.len += 1;
        }
    }
}

/// Coordinates on their way into the order of the records they are of.
struct Laid {
    from: Vec<RawCoordinate>,
    to: Vec<RawCoordinate>,
}

impl Laid {
    /// Moves the coordinates of some records, and what is to come after them of each.
    fn out<'s>(&mut self, spans: impl Iterator<Item = &'s mut Span>, more: &mut [(u32, Span)]) -> Result<(), Full> {
        more.sort_by_key(|(at, _)| *at);
        let mut more = more.iter().peekable();
        for (at, span) in (0..).zip(spans) {
            let start = index_of_next(&self.to, "coordinates")?;
            self.to.extend_from_slice(span.of(&self.from));
            while let Some((_, span)) = more.next_if(|(owner, _)| *owner <= at) {
                self.to.extend_from_slice(span.of(&self.from));
            }
            *span = Span::since(start, &self.to, "coordinates")?;
        }
        Ok(())
    }
}
