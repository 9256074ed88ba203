//! The rows of the table of relationships: one for each pair of source and target.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::BooleanBuilder;
use arrow_schema::ArrowError;
use hashbrown::HashMap;

use crate::graph::{Node, Resolution};
use crate::intern::Symbol;
use crate::kinds::{EffectType, RelationType};
use crate::model::{
    EndpointExtra, EndpointRole, Model, RawEndpoint, RawProcess, RawRelationship, RelationshipExtra, last_value,
};
use crate::names::push_own_name;
use crate::view::{Endpoint, Object, endpoints};

use super::builders::{NULL, NumberColumn, TextColumn, TokenMap, WordColumn};
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
    /// The type and the effect of the last relationship, and their flags.
    last_flags: Option<(Symbol, Symbol, [bool; 2])>,
    statement_id: WordColumn,
    sides: [SideColumns; 2],
    clause: WordColumn,
    function: WordColumn,
    extras: [WordColumn; 3],
    /// The place of the fields of the last relationship among those that few relationships have.
    next_extra: usize,
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
            label: WordColumn::of_tokens(),
            id: TextColumn::new(),
            kind: WordColumn::of_tokens(),
            effect: WordColumn::of_tokens(),
            flags: Default::default(),
            last_flags: None,
            statement_id: WordColumn::of_tokens(),
            sides: std::array::from_fn(|_| SideColumns::new()),
            clause: WordColumn::of_tokens(),
            function: WordColumn::of_tokens(),
            extras: std::array::from_fn(|_| WordColumn::of_tokens()),
            next_extra: 0,
        }
    }

    fn push_relationship(&mut self, raw: &RawRelationship) {
        let model = &self.input.inner.model;
        self.id.push(model.texts.get(raw.id));
        self.kind.push_symbol(model, raw.kind);
        self.effect.push_symbol(model, raw.effect);
        // Most relationships are like the one before.
        let flags = match self.last_flags {
            Some((kind, effect, flags)) if kind == raw.kind && effect == raw.effect => flags,
            _ => flags_of(model, raw),
        };
        self.last_flags = Some((raw.kind, raw.effect, flags));
        self.flags.iter_mut().zip(flags).for_each(|(column, flag)| column.append_value(flag));
        self.statement_id.push_symbol(model, raw.process_id);
    }

    /// Adds what is said about the way of the value: by the relationship as a whole, or else by one of its endpoints.
    fn push_details(&mut self, pair: Pair) {
        let model = &self.input.inner.model;
        let ends = || [pair.source, pair.target].into_iter().flatten();
        let clauses = ends().filter_map(|at| model.endpoints.get(at as usize)).map(|end| end.clause);
        let extras = model.relationship_extras.of(pair.relationship, &mut self.next_extra);
        let of_relationship = |key| last_value(extras, key);
        let or = |first, second| model.texts.or(first, second);
        let clause = or(clauses.fold(Symbol::ABSENT, or), of_relationship(RelationshipExtra::Clause));
        self.clause.push_symbol(model, clause);
        let functions = ends().map(|at| model.endpoint_extras.get(at, EndpointExtra::Function));
        let function = functions.fold(of_relationship(RelationshipExtra::Function), or);
        self.function.push_symbol(model, function);
        for (column, key) in self.extras.iter_mut().zip(EXTRAS) {
            column.push_symbol(model, of_relationship(key));
        }
    }
}

/// Returns `true` if a relationship carries values, and `true` if it is a foreign key.
fn flags_of(model: &Model, raw: &RawRelationship) -> [bool; 2] {
    let kind = model.texts.get(raw.kind);
    let is_foreign_key =
        kind == RelationType::Er.as_str() || model.texts.get(raw.effect) == EffectType::ForeignKey.as_str();
    let carries_values = RelationType::VALUE_FLOWS.iter().any(|it| it.as_str() == kind) && !is_foreign_key;
    [carries_values, is_foreign_key]
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
        let mut columns = vec![self.label.finish()?, self.id.finish()?, self.kind.finish()?, self.effect.finish()?];
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
///
/// Nearly all endpoints give the id of a record, which decides what a row says about them. So the columns have one entry
/// for each such id, and one for each other endpoint.
struct SideColumns {
    rows: NumberColumn,
    /// The entry of each id that alone says which record is meant.
    ids: TokenMap,
    /// The numbers of nodes that other ids or names may mean too.
    others: HashMap<Node, NodeNumbers>,
    key: WordColumn,
    kind: WordColumn,
    object: WordColumn,
    id: WordColumn,
    name: WordColumn,
    resolution: WordColumn,
    /// The qualified names of objects, which are no column of the table.
    object_names: WordColumn,
}

/// The numbers of the texts of a node.
#[derive(Clone, Copy)]
struct NodeNumbers {
    key: i32,
    kind: i32,
    object: i32,
    name: i32,
}

/// The tokens of the words of this program.
const COLUMN: u32 = 0;
const OBJECT: u32 = 1;
const STATEMENT: u32 = 2;

impl SideColumns {
    fn new() -> Self {
        Self {
            rows: NumberColumn::default(),
            ids: TokenMap::default(),
            others: HashMap::new(),
            key: WordColumn::of_tokens(),
            kind: WordColumn::of_tokens(),
            object: WordColumn::of_tokens(),
            id: WordColumn::of_tokens(),
            name: WordColumn::new(),
            resolution: WordColumn::of_tokens(),
            object_names: WordColumn::of_tokens(),
        }
    }

    fn push(&mut self, input: &TableInput<'_>, relationship: u32, end: Option<u32>) {
        let model = &input.inner.model;
        let Some((at, raw)) = end.and_then(|at| Some((at, model.endpoints.get(at as usize)?))) else {
            self.rows.push(NULL);
            return;
        };
        let known = self.ids.get(raw.id.token());
        let entry = known.unwrap_or_else(|| self.push_entry(input, relationship, at, raw));
        self.rows.push(entry);
    }

    /// Adds an entry for an endpoint. Returns its number.
    fn push_entry(&mut self, input: &TableInput<'_>, relationship: u32, at: u32, raw: &RawEndpoint) -> i32 {
        let inner = input.inner;
        let entry = i32::try_from(self.id.len()).unwrap_or(i32::MAX);
        push_id(&mut self.id, input, raw.id);
        let of_id = inner.ids().node_of_id(raw.id);
        let (node, resolution) =
            of_id.map_or_else(|| inner.node_and_resolution_of(at, raw), |node| (Some(node), Resolution::Id));
        if let Some(node) = node {
            let numbers = self.known_numbers_of(&inner.model, node).unwrap_or_else(|| self.numbers_of(input, node));
            // Endpoints nearly always give the id of a column, by which `ids` finds it.
            if of_id.is_none() || !matches!(node, Node::Column(_)) {
                self.others.insert(node, numbers);
            }
            self.push_numbers(numbers);
        } else {
            let written = endpoints(inner, [(relationship, at)]).first().map(Endpoint::written_name);
            let name = self.name.number_of(written.as_deref().unwrap_or_default());
            self.push_numbers(NodeNumbers { key: NULL, kind: NULL, object: NULL, name });
        }
        if of_id.is_some() {
            self.ids.insert(raw.id.token(), entry);
        }
        let (token, word) = resolution_word(resolution);
        self.resolution.push(token, |buffer| buffer.push_str(word));
        entry
    }

    fn push_numbers(&mut self, numbers: NodeNumbers) {
        self.key.push_number(numbers.key);
        self.kind.push_number(numbers.kind);
        self.object.push_number(numbers.object);
        self.name.push_number(numbers.name);
    }

    /// Returns the numbers of a node that the batch has already.
    fn known_numbers_of(&self, model: &Model, node: Node) -> Option<NodeNumbers> {
        let column = match node {
            Node::Column(at) => model.columns.get(at as usize),
            Node::Object(_) | Node::Process(_) => None,
        };
        if let Some(entry) = column.and_then(|column| self.ids.get(column.id.token())) {
            let Self { key, kind, object, name, .. } = self;
            let [key, kind, object, name] = [key, kind, object, name].map(|column| column.number_at(entry));
            return Some(NodeNumbers { key, kind, object, name });
        }
        self.others.get(&node).copied()
    }

    /// Returns the numbers of a node that is new in the batch.
    fn numbers_of(&mut self, input: &TableInput<'_>, node: Node) -> NodeNumbers {
        let inner = input.inner;
        match node {
            Node::Column(at) => {
                let column = inner.model.columns.get(at as usize).copied().unwrap_or_default();
                let (object, object_name) = self.numbers_of_object(input, column.object);
                let (object_key, object_name) = (self.object.text(object), self.object_names.text(object_name));
                let key = self.key.number_of_new(|key| {
                    key.push_str(object_key);
                    input.keys.write_column_after_object(inner, at, key);
                });
                let name = self.name.number_of_new(|name| {
                    name.push_str(object_name);
                    push_own_name(inner, at, &column, name);
                });
                NodeNumbers { key, kind: self.number_of_kind(COLUMN, "column"), object, name }
            }
            Node::Object(at) => {
                let (object, object_name) = self.numbers_of_object(input, at);
                let (object_key, object_name) = (self.object.text(object), self.object_names.text(object_name));
                let key = self.key.number_of_new(|key| key.push_str(object_key));
                let name = self.name.number_of_new(|name| name.push_str(object_name));
                NodeNumbers { key, kind: self.number_of_kind(OBJECT, "object"), object, name }
            }
            Node::Process(at) => {
                let key = self.key.number_of_new(|key| input.keys.write_statement(inner, at, key));
                let name = inner.model.processes.get(at as usize).map(|process: &RawProcess| process.name);
                let name =
                    self.name.number_of_new(|text| text.push_str(inner.model.texts.get(name.unwrap_or_default())));
                NodeNumbers { key, kind: self.number_of_kind(STATEMENT, "statement"), object: NULL, name }
            }
        }
    }

    fn number_of_kind(&mut self, token: u32, word: &str) -> i32 {
        self.kind.number(token, |buffer| buffer.push_str(word))
    }

    /// Returns the numbers of the key and of the qualified name of an object.
    fn numbers_of_object(&mut self, input: &TableInput<'_>, at: u32) -> (i32, i32) {
        let inner = input.inner;
        let key = self.object.number(at, |key| input.keys.write_object(inner, at, key));
        let name = self.object_names.number(at, |name| name.push_str(&Object::new(inner, at).qualified_name()));
        (key, name)
    }

    fn bytes(&self) -> usize {
        self.key.bytes() + self.object.bytes() + self.id.bytes() + self.name.bytes()
    }

    fn finish(&mut self) -> Result<[ArrayRef; 6], ArrowError> {
        self.ids.clear();
        self.others.clear();
        self.object_names.clear();
        let rows = self.rows.finish()?;
        let Self { key, kind, object, id, name, resolution, .. } = self;
        Ok([
            key.finish_for(&rows)?,
            kind.finish_for(&rows)?,
            object.finish_for(&rows)?,
            id.finish_for(&rows)?,
            name.finish_for(&rows)?,
            resolution.finish_for(&rows)?,
        ])
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
