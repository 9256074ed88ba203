//! Walks from a node to the next nodes that are shown, through the nodes that are not.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::super::LineageInner;
use super::super::intern::Symbol;
use super::super::kinds::{EffectType, ObjectKind, RelationType};
use super::super::model::{RawEndpoint, RawRelationship, RelationshipExtra};
use super::super::view::Column;
use super::ids::Node;
use super::resolve::PossibleMeanings;
use super::stars::NameNumber;
use super::{Direction, Vertex};

/// The relationships that a walk follows, and the nodes that it stops at.
#[derive(Clone)]
pub(crate) struct WalkRules<'a> {
    pub(crate) inner: &'a LineageInner,
    pub(crate) direction: Direction,
    /// The relation types that are followed, as symbols of the lineage, each with `true` if values flow along it.
    types: Vec<(Symbol, bool)>,
    symbols: RuleSymbols,
    pub(crate) foreign_keys: ForeignKeys,
    /// `true` if the columns of an object depend on its record set.
    follows_record_sets: bool,
    pub(crate) stop_at: StopAt,
    /// Nodes at which the walk stops in any case.
    pub(crate) starts: HashSet<Node>,
    /// The attributes in which hops differ that are kept apart. More than the relation only for walks upstream, in which
    /// the target is the node where a hop begins.
    pub(crate) detail: HopDetail,
    /// `true` if a walk through an intermediate object or a routine goes from relationships of its columns to those of
    /// the object as a whole, and back.
    pub(crate) joins_levels: bool,
    /// The stored objects that are walked through as if they were results inside a statement.
    pub(crate) hidden: Option<Arc<HashSet<u32>>>,
}

/// The symbols that a lineage has for words that every step is compared with.
#[derive(Clone, Copy)]
struct RuleSymbols {
    /// The effect of a foreign key that is reported as a flow.
    foreign_key: Option<Symbol>,
    /// The relation type of other foreign keys.
    er: Option<Symbol>,
    /// The kind of an object that is a function.
    function: Option<Symbol>,
}

/// The nodes that a walk stops at. It walks through all others, and always through processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopAt {
    /// Stored objects, result sets and their columns, except for record sets.
    StoredColumns,
    /// Stored objects, result sets and their columns, including record sets.
    StoredColumnsAndRecordSets,
    EveryNode,
}

/// The attributes that a walk collects. The more it collects, the more often it walks over the same nodes: a result that
/// hundreds of functions read is walked over once for each of them if functions are collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum HopDetail {
    /// The relation type.
    Relation,
    /// The effect too.
    Effect,
    /// All attributes.
    Everything,
}

/// The treatment of foreign keys that a document reports as flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ForeignKeys {
    Skipped,
    Followed,
}

impl StopAt {
    pub(crate) fn with_record_sets(self) -> Self {
        if self == Self::StoredColumns { Self::StoredColumnsAndRecordSets } else { self }
    }

    /// Returns the same nodes without record sets, unless they are all nodes.
    pub(crate) fn without_record_sets(self) -> Self {
        if self == Self::StoredColumnsAndRecordSets { Self::StoredColumns } else { self }
    }
}

/// The attributes of a hop, combined from its steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct HopAttributes {
    /// The type of the first relationship along which no value flows, or else that of the first one. Absent if no
    /// relationship was followed, but only the step between a column and the record set of its object.
    pub(crate) relation: Symbol,
    /// `true` if a step led between a column and the record set of its object.
    pub(crate) through_record_set: bool,
    /// The effect of the relationship that leads into the target.
    pub(crate) effect: Symbol,
    /// The clause of the relationship that `relation` comes from.
    pub(crate) clause: Symbol,
    /// The function closest to the target.
    pub(crate) function: Symbol,
    /// The id of the process closest to the target.
    pub(crate) process: Symbol,
    /// `true` if a foreign key was followed.
    pub(crate) foreign_key: bool,
}

/// A node in a walk, with the name of the value that passes through it if the node is a star.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) node: Node,
    pub(super) name: Option<NameNumber>,
}

impl From<Node> for Position {
    fn from(node: Node) -> Self {
        Self { node, name: None }
    }
}

/// A way from one node that is shown to the next: one or more steps through nodes that are not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hop {
    pub(crate) to: Node,
    pub(super) position: Position,
    pub(crate) attributes: HopAttributes,
}

/// One step of a walk.
#[derive(Clone, Copy)]
enum Step<'m> {
    /// A step along a relationship, to one of its endpoints.
    Relationship { at: u32, relationship: &'m RawRelationship, end: &'m RawEndpoint },
    /// A step between a column and the record set of its object.
    RecordSet,
}

/// A hop with both of its nodes; `near` is closer to the start of the walk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExploredHop {
    pub(crate) near: Position,
    pub(crate) far: Position,
    pub(crate) attributes: HopAttributes,
}

/// The steps that a walk has taken. One of these is filled for every column of the lineage, and most walks take so few
/// steps that comparing them is faster than hashing them.
#[derive(Default)]
struct Seen {
    few: Vec<(Position, HopAttributes)>,
    many: hashbrown::HashSet<(Position, HopAttributes)>,
}

impl Seen {
    const FEW: usize = 8;

    /// Adds a step. Returns `false` if it was taken before.
    fn insert(&mut self, step: (Position, HopAttributes)) -> bool {
        if self.many.is_empty() {
            if self.few.contains(&step) {
                return false;
            }
            if self.few.len() < Self::FEW {
                self.few.push(step);
                return true;
            }
            self.many.extend(self.few.drain(..));
        }
        self.many.insert(step)
    }
}

impl<'a> WalkRules<'a> {
    /// Returns rules that follow values and walk through intermediate results.
    pub(crate) fn new(inner: &'a LineageInner, direction: Direction) -> Self {
        let texts = &inner.model.texts;
        let symbols = RuleSymbols {
            foreign_key: texts.find(EffectType::ForeignKey.as_str()),
            er: texts.find(RelationType::Er.as_str()),
            function: texts.find(ObjectKind::Function.as_str()),
        };
        let mut rules = Self {
            inner,
            direction,
            types: Vec::new(),
            symbols,
            foreign_keys: ForeignKeys::Skipped,
            follows_record_sets: false,
            stop_at: StopAt::StoredColumns,
            starts: HashSet::new(),
            detail: HopDetail::Relation,
            joins_levels: true,
            hidden: None,
        };
        rules.follow(RelationType::VALUE_FLOWS);
        rules
    }

    pub(crate) fn follow(&mut self, types: impl IntoIterator<Item = RelationType>) {
        let texts = &self.inner.model.texts;
        self.types.clear();
        self.follows_record_sets = false;
        for kind in types {
            self.follows_record_sets |= kind == RelationType::Fdr;
            self.types.extend(texts.find(kind.as_str()).map(|symbol| (symbol, kind.carries_values())));
        }
    }

    /// Returns `true` for a relationship that is followed if it carries values, `false` for one that is followed
    /// although it does not, and `None` for one that is not followed.
    fn follows(&self, relationship: &RawRelationship) -> Option<bool> {
        let (_, carries_values) = self.types.iter().find(|(kind, _)| *kind == relationship.kind)?;
        let is_followed = self.foreign_keys == ForeignKeys::Followed || !self.is_foreign_key(relationship);
        is_followed.then_some(*carries_values)
    }

    /// Returns `true` if a relationship is a foreign key although its type is that of a flow.
    fn is_foreign_key(&self, relationship: &RawRelationship) -> bool {
        Some(relationship.effect) == self.symbols.foreign_key && Some(relationship.kind) != self.symbols.er
    }

    /// Returns the hops from a node. A node is reached by several hops if their attributes differ.
    pub(crate) fn hops(&self, from: Node) -> Vec<Hop> {
        self.hops_from(from.into(), true)
    }

    /// Returns the hops from a position; `is_start` is `true` if nothing was walked before.
    fn hops_from(&self, from: Position, is_start: bool) -> Vec<Hop> {
        let mut hops = Vec::new();
        self.walk(from, is_start, |hop| hops.push(hop), |_| {});
        hops
    }

    /// Visits the relationships between a node and the next nodes.
    pub(crate) fn each_relationship(&self, from: Node, visit: impl FnMut(u32)) {
        self.walk(from.into(), true, |_| {}, visit);
    }

    fn walk(&self, from: Position, is_start: bool, mut arrive: impl FnMut(Hop), mut pass: impl FnMut(u32)) {
        let mut seen = Seen::default();
        let mut next = Some((from, HopAttributes::default()));
        let mut hidden = Vec::new();
        let mut is_start = is_start;
        while let Some((near, attributes)) = next.take().or_else(|| hidden.pop()) {
            let mut enter = |_, at| {
                pass(at);
                true
            };
            let mut visit = |to: Position, step: Step<'a>| {
                let attributes = self.extend(attributes, near.node, to.node, step);
                if !seen.insert((to, attributes)) {
                    return;
                }
                if self.shows(to.node) {
                    arrive(Hop { to: to.node, position: to, attributes });
                } else {
                    hidden.push((to, attributes));
                }
            };
            self.step(near, is_start, &mut enter, &mut visit, &mut |_, _| {});
            is_start = false;
        }
    }

    /// Returns the nodes that are reached within a number of hops, each once, the nearest first. A node that is reached
    /// without following a relationship, between a column and its record set, is included only if
    /// `include_record_set_steps` is `true`.
    ///
    /// The cost is proportional to the nodes and relationships walked over, because hops are not kept apart.
    pub(crate) fn reach(
        &self,
        starts: impl IntoIterator<Item = Node>,
        depth: Option<u32>,
        include_record_set_steps: bool,
    ) -> Vec<Node> {
        self.reach_positions(starts, depth, include_record_set_steps, |_, _| {}).0
    }

    /// Does the same as [`reach`](Self::reach), and passes every relationship that leads to an endpoint which cannot be
    /// resolved, with that endpoint, to `lose`. Returns also all nodes that were walked over.
    pub(crate) fn reach_and_lose(
        &self,
        starts: impl IntoIterator<Item = Node>,
        depth: Option<u32>,
        include_record_set_steps: bool,
        lose: impl FnMut(u32, u32),
    ) -> (Vec<Node>, HashSet<Node>) {
        let starts: Vec<Node> = starts.into_iter().collect();
        let (found, seen) = self.reach_positions(starts.iter().copied(), depth, include_record_set_steps, lose);
        let walked_over = starts.into_iter().chain(seen.into_iter().map(|(position, _)| position.node)).collect();
        (found, walked_over)
    }

    /// Returns the nodes that are reached, and all positions that were walked over after the starts, each with `true` if a
    /// relationship led there.
    fn reach_positions(
        &self,
        starts: impl IntoIterator<Item = Node>,
        depth: Option<u32>,
        include_record_set_steps: bool,
        mut lose: impl FnMut(u32, u32),
    ) -> (Vec<Node>, HashSet<(Position, bool)>) {
        let mut found = Vec::new();
        let mut is_found = HashSet::new();
        let mut seen = HashSet::new();
        let mut walked = HashSet::new();
        let mut near: Vec<(Position, bool)> =
            starts.into_iter().map(|start| (start.into(), include_record_set_steps)).collect();
        let mut hops = 0;
        while !near.is_empty() && depth.is_none_or(|max| hops < max) {
            let mut next = Vec::new();
            while let Some((position, counts)) = near.pop() {
                // A relationship leads to the same nodes wherever it is entered, so it is followed once for each name.
                let mut enter = |from: Position, at| walked.insert((at, from.name, self.star_of(from.node)));
                let mut visit = |to: Position, step: Step<'a>| {
                    let counts = counts || matches!(step, Step::Relationship { .. });
                    if !seen.insert((to, counts)) {
                        return;
                    }
                    if !self.shows(to.node) {
                        near.push((to, counts));
                        return;
                    }
                    if counts && is_found.insert(to.node) {
                        found.push(to.node);
                    }
                    next.push((to, counts));
                };
                self.step(position, false, &mut enter, &mut visit, &mut lose);
            }
            near = next;
            hops += 1;
        }
        (found, seen)
    }

    /// Returns a node if it is a star or next to one: a relationship leads to different nodes from there.
    fn star_of(&self, node: Node) -> Option<Node> {
        self.inner.index().stars.concerns(node).then_some(node)
    }

    /// Returns every hop within a number of hops from some nodes.
    pub(crate) fn explore(&self, starts: impl IntoIterator<Item = Node>, depth: Option<u32>) -> Vec<ExploredHop> {
        let mut explored = Vec::new();
        let mut depths: HashMap<Position, u32> = HashMap::new();
        let mut todo = VecDeque::new();
        for start in starts.into_iter().map(Position::from) {
            if depths.insert(start, 0).is_none() {
                todo.push_back(start);
            }
        }
        while let Some(near) = todo.pop_front() {
            let so_far = depths.get(&near).copied().unwrap_or_default();
            if depth.is_some_and(|max| so_far >= max) {
                continue;
            }
            for Hop { position: far, attributes, .. } in self.hops_from(near, so_far == 0) {
                explored.push(ExploredHop { near, far, attributes });
                depths.entry(far).or_insert_with(|| {
                    todo.push_back(far);
                    so_far.saturating_add(1)
                });
            }
        }
        explored
    }

    /// Returns the hops within a number of hops from a vertex, each as source and target.
    pub(crate) fn flows(&self, from: Vertex<'_>, depth: Option<u32>) -> HashSet<(Node, Node)> {
        let flow = |hop: ExploredHop| match self.direction {
            Direction::Upstream => (hop.far.node, hop.near.node),
            Direction::Downstream => (hop.near.node, hop.far.node),
        };
        self.explore(from.nodes(), depth).into_iter().map(flow).collect()
    }

    /// Returns every endpoint of the document that cannot be resolved, of the relationships that this walk follows.
    pub(crate) fn unresolved(&self) -> Vec<(u32, u32)> {
        let model = &self.inner.model;
        let mut unresolved = Vec::new();
        for (at, relationship) in (0..).zip(&model.relationships) {
            if self.follows(relationship).is_none() {
                continue;
            }
            let ends = relationship.endpoints;
            for (end_at, end) in ends.indices().zip(ends.of(&model.endpoints)) {
                if self.inner.node_of(end_at, end).is_none() {
                    unresolved.push((at, end_at));
                }
            }
        }
        unresolved
    }

    /// Returns the endpoints that cannot be resolved, of the relationships that lead out of what this walk reaches from a
    /// vertex, or that may do so: pairs of relationship and endpoint, each once.
    pub(crate) fn unresolved_from(&self, from: Vertex<'_>, depth: Option<u32>) -> Vec<(u32, u32)> {
        let mut unresolved = Vec::new();
        let lose = |relationship, end| unresolved.push((relationship, end));
        let (_, walked_over) = self.reach_and_lose(from.nodes(), depth, true, lose);
        unresolved.extend(self.ambiguous_at(&walked_over));
        unresolved.sort_unstable();
        unresolved.dedup();
        unresolved
    }

    /// Returns the endpoints that may mean one of these nodes, of relationships that this walk would then follow from there.
    pub(crate) fn ambiguous_at(&self, nodes: &HashSet<Node>) -> Vec<(u32, u32)> {
        let (inner, model) = (self.inner, &self.inner.model);
        let mut meanings = None;
        let mut found = Vec::new();
        for at in inner.named_endpoints().ambiguous() {
            let next = model.relationships.partition_point(|relationship| relationship.endpoints.indices().start <= at);
            let Some(relationship_at) = next.checked_sub(1) else {
                continue;
            };
            let (relationship, end) = (model.relationships.get(relationship_at), model.endpoints.get(at as usize));
            if let (Some(relationship), Some(end), Ok(relationship_at)) =
                (relationship, end, relationship_at.try_into())
                && !self.direction.goes_to(end.role)
                && self.follows(relationship).is_some()
                && meanings.get_or_insert_with(|| PossibleMeanings::new(model, nodes)).include(model, at, end)
            {
                found.push((relationship_at, at));
            }
        }
        found
    }

    /// Returns `true` if a walk stops at a node.
    pub(crate) fn shows(&self, node: Node) -> bool {
        let Some(object) = self.object_of(node) else {
            return false;
        };
        if self.stop_at == StopAt::EveryNode {
            return true;
        }
        let is_hidden_record_set = || match node {
            Node::Column(at) => self.stop_at == StopAt::StoredColumns && Column::new(self.inner, at).is_record_set(),
            Node::Object(_) | Node::Process(_) => false,
        };
        let ends_there = self.ends_at(object) || self.starts.contains(&node);
        ends_there && !is_hidden_record_set()
    }

    /// Returns `true` if walks end at an object: it is a result set, or stored and not hidden.
    fn ends_at(&self, object: u32) -> bool {
        self.keeps(object) || self.inner.index().is_result_set(object)
    }

    /// Returns `true` if an object is stored and not hidden.
    pub(crate) fn keeps(&self, object: u32) -> bool {
        is_stored(self.inner, object) && !self.hides(object)
    }

    fn hides(&self, object: u32) -> bool {
        self.hidden.as_ref().is_some_and(|hidden| hidden.contains(&object))
    }

    pub(crate) fn object_of(&self, node: Node) -> Option<u32> {
        match node {
            Node::Object(at) => Some(at),
            Node::Column(at) => self.inner.model.columns.get(at as usize).map(|column| column.object),
            Node::Process(_) => None,
        }
    }

    /// Visits every step from a position. `enter` gets a relationship with the position that it is entered from, and
    /// returns `true` if it is to be followed; `lose` gets the endpoints that cannot be resolved.
    ///
    /// A walk that begins at an object begins at its columns too, so at its start it does not go on to them.
    fn step(
        &self,
        near: Position,
        is_start: bool,
        enter: &mut impl FnMut(Position, u32) -> bool,
        visit: &mut impl FnMut(Position, Step<'a>),
        lose: &mut impl FnMut(u32, u32),
    ) {
        self.step_along_relationships(near, enter, visit, lose);
        self.step_between_column_and_record_set(near.node, visit);
        let is_passed = |&object: &u32| self.joins_levels && !self.ends_at(object);
        let intermediate = self.object_of(near.node).filter(is_passed);
        match (near.node, intermediate) {
            (Node::Column(_), Some(object)) => {
                self.step_along_relationships(Node::Object(object).into(), enter, visit, lose);
            }
            (Node::Object(_), Some(object)) if !is_start => {
                let columns = self.inner.model.columns_of(object);
                columns.for_each(|at| self.step_along_relationships(Node::Column(at).into(), enter, visit, lose));
            }
            _ => {}
        }
    }

    fn step_along_relationships(
        &self,
        near: Position,
        enter: &mut impl FnMut(Position, u32) -> bool,
        visit: &mut impl FnMut(Position, Step<'a>),
        lose: &mut impl FnMut(u32, u32),
    ) {
        let (inner, model) = (self.inner, &self.inner.model);
        for &at in inner.index().at(model, near.node, self.direction) {
            let Some(relationship) = model.relationships.get(at as usize) else {
                continue;
            };
            let Some(carries_values) = self.follows(relationship) else {
                continue;
            };
            if !enter(near, at) {
                continue;
            }
            let only_compares = self.hidden.is_some() && self.only_compares(relationship);
            let ends = relationship.endpoints;
            for (end_at, end) in ends.indices().zip(ends.of(&model.endpoints)) {
                if !self.direction.goes_to(end.role) {
                    continue;
                }
                let Some(next) = inner.node_of(end_at, end) else {
                    lose(at, end_at);
                    continue;
                };
                let target = if self.direction == Direction::Upstream { near.node } else { next };
                if only_compares && self.object_of(target).is_some_and(|object| self.hides(object)) {
                    continue;
                }
                if let Some(position) = self.next_position(near, next, carries_values) {
                    visit(position, Step::Relationship { at, relationship, end });
                }
            }
        }
    }

    /// Returns `true` if a relationship into a stored column compares it and writes nothing.
    fn only_compares(&self, relationship: &RawRelationship) -> bool {
        self.inner.model.texts.get(relationship.kind) == RelationType::Join.as_str()
    }

    /// Returns the position in the next node, or `None` if the value of this one does not go there.
    fn next_position(&self, near: Position, next: Node, carries_values: bool) -> Option<Position> {
        let stars = &self.inner.index().stars;
        if !carries_values || stars.is_empty() {
            return Some(next.into());
        }
        match self.direction {
            Direction::Upstream => stars.upstream(near, next),
            Direction::Downstream => stars.downstream(near, next),
        }
    }

    /// Visits the steps between a column and the record set of its object. What decides the rows of an object also
    /// decides which values its columns have.
    fn step_between_column_and_record_set(&self, node: Node, visit: &mut impl FnMut(Position, Step<'a>)) {
        let Node::Column(at) = node else {
            return;
        };
        let Some(object) = self.object_of(node).filter(|_| self.follows_record_sets) else {
            return;
        };
        let record_sets = self.inner.index().record_sets_of(object);
        let is_record_set = record_sets.contains(&(object, at));
        match self.direction {
            Direction::Upstream if !is_record_set => {
                for &(_, record_set) in record_sets {
                    visit(Node::Column(record_set).into(), Step::RecordSet);
                }
            }
            Direction::Downstream if is_record_set => {
                let columns = self.inner.model.columns_of(object);
                let values = columns.filter(|&column| !record_sets.contains(&(object, column)));
                values.for_each(|column| visit(Node::Column(column).into(), Step::RecordSet));
            }
            _ => {}
        }
    }

    /// Returns the attributes of a hop that is extended by one step.
    fn extend(&self, attributes: HopAttributes, near: Node, far: Node, step: Step<'_>) -> HopAttributes {
        let Step::Relationship { at, relationship, end: source } = step else {
            return HopAttributes { through_record_set: true, ..attributes };
        };
        let mut extended = attributes;
        let carries_values = |kind: Symbol| self.types.iter().any(|&(followed, values)| followed == kind && values);
        let decides = attributes.relation.is_absent() || carries_values(attributes.relation);
        if attributes.relation.is_absent() || (decides && !carries_values(relationship.kind)) {
            extended.relation = relationship.kind;
        }
        extended.foreign_key |= self.foreign_keys == ForeignKeys::Followed && self.is_foreign_key(relationship);
        let texts = &self.inner.model.texts;
        if self.detail >= HopDetail::Effect {
            extended.effect = texts.or(attributes.effect, texts.non_empty(relationship.effect));
        }
        if self.detail == HopDetail::Everything {
            extended.clause = if decides { texts.non_empty(source.clause) } else { attributes.clause };
            extended.function = texts.or(attributes.function, self.function(at, self.object_of(near)));
            let process = texts.or(relationship.process_id, self.process_id(far));
            extended.process = texts.or(attributes.process, texts.non_empty(process));
        }
        extended
    }

    fn process_id(&self, node: Node) -> Symbol {
        match node {
            Node::Process(at) => {
                self.inner.model.processes.get(at as usize).map_or(Symbol::ABSENT, |process| process.id)
            }
            Node::Column(_) | Node::Object(_) => Symbol::ABSENT,
        }
    }

    /// Returns the function that a step goes through: the one that the relationship names, or the object of its target.
    fn function(&self, relationship: u32, target: Option<u32>) -> Symbol {
        let model = &self.inner.model;
        let named = model.relationship_extras.get(relationship, RelationshipExtra::Function);
        let target = target.and_then(|at| model.objects.get(at as usize));
        let function = target.filter(|object| Some(object.kind) == self.symbols.function);
        let function = function.map_or(Symbol::ABSENT, |object| object.name);
        model.texts.non_empty(model.texts.or(named, function))
    }
}

/// Returns `true` if a database stores an object: it is neither an intermediate result nor a routine.
pub(crate) fn is_stored(inner: &LineageInner, object: u32) -> bool {
    inner.index().is_stored(object)
}

/// Returns the nodes of an object: its columns, and the object itself for relationships between whole tables.
pub(crate) fn nodes_of_object(inner: &LineageInner, object: u32) -> impl Iterator<Item = Node> + '_ {
    inner.model.columns_of(object).map(Node::Column).chain(std::iter::once(Node::Object(object)))
}
