//! The rows of the table of relationships: one for each pair of source and target.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::BooleanBuilder;
use arrow_schema::ArrowError;

use crate::graph::{Node, Resolution};
use crate::intern::Symbol;
use crate::kinds::{EffectType, RelationType};
use crate::model::{EndpointExtra, EndpointRole, NONE, RawProcess, RawRelationship, RelationshipExtra};
use crate::names::{NamedRecord, id_form};
use crate::view::{Endpoint, Object, endpoints};

use super::builders::{TextColumn, WordColumn};
use super::records::push_id;
use super::{RowSource, TableInput};

pub(super) struct RelationshipRows<'a> {
    input: TableInput<'a>,
    pairs: Pairs,
    label: WordColumn,
    id: TextColumn,
    kind: WordColumn,
    effect: WordColumn,
    flags: [BooleanBuilder; 2],
    statement_id: WordColumn,
    sides: [SideColumns; 2],
    clause: WordColumn,
    function: WordColumn,
    extras: [WordColumn; 3],
}

/// The fields that few relationships have.
const EXTRAS: [RelationshipExtra; 3] =
    [RelationshipExtra::JoinType, RelationshipExtra::Condition, RelationshipExtra::CallStatement];

/// A relationship, and a source and a target of it, if it has any.
#[derive(Clone, Copy)]
struct Pair {
    relationship: u32,
    source: Option<u32>,
    target: Option<u32>,
}

/// A walk over the pairs of source and target of all relationships, in the order of the document.
///
/// A relationship without sources has one pair for each target, and so on, because no relationship is left out.
#[derive(Default)]
struct Pairs {
    relationship: u32,
    sources: Vec<u32>,
    targets: Vec<u32>,
    next: usize,
}

impl Pairs {
    fn next(&mut self, input: &TableInput<'_>) -> Option<Pair> {
        let model = &input.inner.model;
        let relationship = model.relationships.get(self.relationship as usize)?;
        if self.next == 0 {
            self.sources.clear();
            self.targets.clear();
            let ends = relationship.endpoints;
            for (at, end) in ends.indices().zip(ends.of(&model.endpoints)) {
                match end.role {
                    EndpointRole::Source | EndpointRole::Caller => self.sources.push(at),
                    EndpointRole::Target | EndpointRole::Callee => self.targets.push(at),
                }
            }
        }
        let targets = self.targets.len().max(1);
        let pair = Pair {
            relationship: self.relationship,
            source: self.sources.get(self.next / targets).copied(),
            target: self.targets.get(self.next % targets).copied(),
        };
        self.next += 1;
        if self.next >= self.sources.len().max(1) * targets {
            self.next = 0;
            self.relationship += 1;
        }
        Some(pair)
    }
}

impl<'a> RelationshipRows<'a> {
    pub(super) fn new(input: TableInput<'a>) -> Self {
        Self {
            input,
            pairs: Pairs::default(),
            label: WordColumn::new(),
            id: TextColumn::new(),
            kind: WordColumn::new(),
            effect: WordColumn::new(),
            flags: Default::default(),
            statement_id: WordColumn::new(),
            sides: std::array::from_fn(|_| SideColumns::new()),
            clause: WordColumn::new(),
            function: WordColumn::new(),
            extras: std::array::from_fn(|_| WordColumn::new()),
        }
    }

    fn push_relationship(&mut self, raw: &RawRelationship) {
        let model = &self.input.inner.model;
        self.id.push(model.texts.get(raw.id));
        self.kind.push_symbol(model, raw.kind);
        self.effect.push_symbol(model, raw.effect);
        let kind = model.texts.get(raw.kind);
        let is_foreign_key =
            kind == RelationType::Er.as_str() || model.texts.get(raw.effect) == EffectType::ForeignKey.as_str();
        let carries_values = RelationType::VALUE_FLOWS.iter().any(|it| it.as_str() == kind) && !is_foreign_key;
        let [carries, foreign_key] = &mut self.flags;
        carries.append_value(carries_values);
        foreign_key.append_value(is_foreign_key);
        self.statement_id.push_symbol(model, raw.process_id);
    }

    /// Adds what is said about the way of the value: by the relationship as a whole, or else by one of its endpoints.
    fn push_details(&mut self, pair: Pair) {
        let model = &self.input.inner.model;
        let ends = || [pair.source, pair.target].into_iter().flatten();
        let clauses = ends().filter_map(|at| model.endpoints.get(at as usize)).map(|end| end.clause);
        let of_relationship = |key| model.relationship_extras.get(pair.relationship, key);
        let clause = clauses.fold(Symbol::ABSENT, Symbol::or).or(of_relationship(RelationshipExtra::Clause));
        self.clause.push_symbol(model, clause);
        let functions = ends().map(|at| model.endpoint_extras.get(at, EndpointExtra::Function));
        let function = functions.fold(of_relationship(RelationshipExtra::Function), Symbol::or);
        self.function.push_symbol(model, function);
        for (column, key) in self.extras.iter_mut().zip(EXTRAS) {
            column.push_symbol(model, of_relationship(key));
        }
    }
}

impl RowSource for RelationshipRows<'_> {
    fn add_row(&mut self) -> bool {
        let Some(pair) = self.pairs.next(&self.input) else {
            return false;
        };
        let inner = self.input.inner;
        if let Some(raw) = inner.model.relationships.get(pair.relationship as usize) {
            self.input.push_label(&mut self.label);
            self.push_relationship(raw);
            for (side, end) in self.sides.iter_mut().zip([pair.source, pair.target]) {
                side.push(&self.input, pair.relationship, end);
            }
            self.push_details(pair);
        }
        true
    }

    fn rows(&self) -> usize {
        self.label.len()
    }

    fn bytes(&self) -> usize {
        let extras = self.extras.iter().map(WordColumn::bytes).sum::<usize>();
        self.id.bytes() + self.sides.iter().map(SideColumns::bytes).sum::<usize>() + self.function.bytes() + extras
    }

    fn finish(&mut self) -> Result<Vec<ArrayRef>, ArrowError> {
        let mut columns = vec![self.label.finish()?, self.id.finish(), self.kind.finish()?, self.effect.finish()?];
        columns.extend(self.flags.iter_mut().map(|flag| Arc::new(flag.finish()) as ArrayRef));
        columns.push(self.statement_id.finish()?);
        for side in &mut self.sides {
            columns.extend(side.finish()?);
        }
        columns.extend([self.clause.finish()?, self.function.finish()?]);
        for extra in &mut self.extras {
            columns.push(extra.finish()?);
        }
        Ok(columns)
    }
}

/// One side of a relationship.
struct SideColumns {
    key: WordColumn,
    kind: WordColumn,
    object: WordColumn,
    /// The qualified names of objects, which are no column of the table.
    object_names: WordColumn,
    id: WordColumn,
    name: WordColumn,
    resolution: WordColumn,
}

/// The tokens of the words of this program.
const COLUMN: u32 = 0;
const OBJECT: u32 = 1;
const STATEMENT: u32 = 2;

impl SideColumns {
    fn new() -> Self {
        Self {
            key: WordColumn::new(),
            kind: WordColumn::new(),
            object: WordColumn::new(),
            object_names: WordColumn::new(),
            id: WordColumn::new(),
            name: WordColumn::new(),
            resolution: WordColumn::new(),
        }
    }

    fn push(&mut self, input: &TableInput<'_>, relationship: u32, end: Option<u32>) {
        let inner = input.inner;
        let Some((at, raw)) = end.and_then(|at| Some((at, inner.model.endpoints.get(at as usize)?))) else {
            for column in self.all() {
                column.push_null();
            }
            return;
        };
        push_id(&mut self.id, input, raw.id);
        match inner.node_of(at, raw) {
            Some(node) => self.push_node(input, node),
            None => self.push_unresolved(input, relationship, at),
        }
        let (token, word) = resolution_word(inner.resolution_of(at, raw));
        self.resolution.push(token, |buffer| buffer.push_str(word));
    }

    fn push_node(&mut self, input: &TableInput<'_>, node: Node) {
        let inner = input.inner;
        // The token of a node is different from those of all other nodes.
        let token = u32::try_from(node.index(&inner.model)).unwrap_or(NONE);
        let (kind_token, kind) = match node {
            Node::Column(at) => {
                let raw = inner.model.columns.get(at as usize);
                let object = raw.map_or(NONE, |column| column.object);
                let (object_key, object_name) = self.push_object(input, object);
                let object_key = self.object.text(object_key);
                self.key.push(token, |key| {
                    key.push_str(object_key);
                    input.keys.write_column_after_object(inner, at, key);
                });
                let object_name = self.object_names.text(object_name);
                self.name.push(token, |name| {
                    name.push_str(object_name);
                    name.push('.');
                    match raw.map_or("", |column| inner.model.texts.get(column.name)) {
                        "" => name.push_str(&id_form(inner, NamedRecord::Column(at))),
                        own => name.push_str(own),
                    }
                });
                (COLUMN, "column")
            }
            Node::Object(at) => {
                let (object_key, object_name) = self.push_object(input, at);
                let object_key = self.object.text(object_key);
                self.key.push(token, |key| key.push_str(object_key));
                let object_name = self.object_names.text(object_name);
                self.name.push(token, |name| name.push_str(object_name));
                (OBJECT, "object")
            }
            Node::Process(at) => {
                self.object.push_null();
                self.key.push(token, |key| input.keys.write_statement(inner, at, key));
                let name = inner.model.processes.get(at as usize).map(|process: &RawProcess| process.name);
                self.name.push(token, |text| text.push_str(inner.model.texts.get(name.unwrap_or_default())));
                (STATEMENT, "statement")
            }
        };
        self.kind.push(kind_token, |buffer| buffer.push_str(kind));
    }

    /// Adds an object. Returns the numbers of its key and of its qualified name.
    fn push_object(&mut self, input: &TableInput<'_>, at: u32) -> (i32, i32) {
        let inner = input.inner;
        let key = self.object.number(at, |key| input.keys.write_object(inner, at, key));
        self.object.push_number(key);
        let name = self.object_names.number(at, |name| name.push_str(&Object::new(inner, at).qualified_name()));
        (key, name)
    }

    /// Adds the names that an endpoint gives that belongs to no record, or to several.
    fn push_unresolved(&mut self, input: &TableInput<'_>, relationship: u32, at: u32) {
        for column in [&mut self.key, &mut self.kind, &mut self.object] {
            column.push_null();
        }
        let written = endpoints(input.inner, [(relationship, at)]).first().map(Endpoint::written_name);
        self.name.push_text(written.as_deref());
    }

    fn all(&mut self) -> [&mut WordColumn; 6] {
        [&mut self.key, &mut self.kind, &mut self.object, &mut self.id, &mut self.name, &mut self.resolution]
    }

    fn bytes(&self) -> usize {
        self.key.bytes() + self.object.bytes() + self.id.bytes() + self.name.bytes()
    }

    fn finish(&mut self) -> Result<[ArrayRef; 6], ArrowError> {
        let Self { key, kind, object, object_names, id, name, resolution } = self;
        object_names.clear();
        Ok([key.finish()?, kind.finish()?, object.finish()?, id.finish()?, name.finish()?, resolution.finish()?])
    }
}

fn resolution_word(resolution: Resolution) -> (u32, &'static str) {
    match resolution {
        Resolution::Id => (0, "id"),
        Resolution::ParentId => (1, "parent_id"),
        Resolution::ParentName => (2, "parent_name"),
        Resolution::Ambiguous => (3, "ambiguous"),
        Resolution::Unknown => (4, "unknown"),
    }
}
