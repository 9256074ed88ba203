//! Walks from a node to the next nodes that are shown, through the nodes that are not.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::super::LineageInner;
use super::super::intern::Symbol;
use super::super::kinds::{EffectType, ObjectKind, RelationType};
use super::super::model::{RawEndpoint, RawRelationship, RelationshipExtra};
use super::ids::{Node, node_of};
use super::{Direction, Vertex};

/// The relationships that a walk follows, and the nodes that it stops at.
#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "the rules are independent of each other")]
pub(crate) struct WalkRules<'a> {
    pub(crate) inner: &'a LineageInner,
    pub(crate) direction: Direction,
    /// The relation types that are followed, as symbols of the lineage.
    types: Vec<Symbol>,
    /// `true` if the columns of an object depend on its record set.
    follows_record_sets: bool,
    pub(crate) stop_at: StopAt,
    /// `true` if hops that differ only in clause, function or effect are kept apart. Only for walks upstream, in which
    /// the target is the node where a hop begins.
    pub(crate) detailed: bool,
    /// `true` if a walk through an intermediate object or a routine goes from relationships of its columns to those of
    /// the object as a whole, and back.
    pub(crate) joins_levels: bool,
    /// `true` if hops that differ only in their process are kept apart. Like `detailed`, only for walks upstream.
    pub(crate) by_process: bool,
    /// The stored objects that are walked through as if they were results inside a statement.
    pub(crate) hidden: Option<Arc<HashSet<u32>>>,
}

/// The nodes that a walk stops at. It walks through all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopAt {
    /// Stored objects and their columns, except for record sets.
    StoredColumns,
    /// Stored objects and their columns, including record sets.
    StoredColumnsAndRecordSets,
    EveryNode,
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
    /// The type of the first relationship that is not `fdd`, or else `fdd`. Absent if no relationship was followed, but
    /// only the step between a column and the record set of its object.
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
}

/// A way from one node that is shown to the next: one or more steps through nodes that are not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hop {
    pub(crate) to: Node,
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
    pub(crate) near: Node,
    pub(crate) far: Node,
    pub(crate) attributes: HopAttributes,
}

impl<'a> WalkRules<'a> {
    /// Returns rules that follow `fdd` and walk through intermediate results.
    pub(crate) fn new(inner: &'a LineageInner, direction: Direction) -> Self {
        let mut rules = Self {
            inner,
            direction,
            types: Vec::new(),
            follows_record_sets: false,
            stop_at: StopAt::StoredColumns,
            detailed: false,
            joins_levels: true,
            by_process: false,
            hidden: None,
        };
        rules.follow([RelationType::Fdd]);
        rules
    }

    pub(crate) fn follow(&mut self, types: impl IntoIterator<Item = RelationType>) {
        let texts = &self.inner.model.texts;
        self.types.clear();
        self.follows_record_sets = false;
        for kind in types {
            self.follows_record_sets |= kind == RelationType::Fdr;
            self.types.extend(texts.find(kind.as_str()));
        }
    }

    /// Returns the hops from a node. A node is reached by several hops if their attributes differ.
    pub(crate) fn hops(&self, from: Node) -> Vec<Hop> {
        let mut hops = Vec::new();
        self.walk(from, |hop| hops.push(hop), |_| {});
        hops
    }

    /// Visits the relationships between a node and the next nodes.
    pub(crate) fn each_relationship(&self, from: Node, visit: impl FnMut(u32)) {
        self.walk(from, |_| {}, visit);
    }

    fn walk(&self, from: Node, mut arrive: impl FnMut(Hop), mut pass: impl FnMut(u32)) {
        let mut seen = HashSet::new();
        let mut hidden = vec![(from, HopAttributes::default())];
        while let Some((node, attributes)) = hidden.pop() {
            let mut enter = |at| {
                pass(at);
                true
            };
            self.step(node, &mut enter, &mut |to, step| {
                let attributes = self.extend(attributes, node, step);
                if !seen.insert((to, attributes)) {
                    return;
                }
                if self.shows(to) {
                    arrive(Hop { to, attributes });
                } else {
                    hidden.push((to, attributes));
                }
            });
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
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        let mut walked = HashSet::new();
        let mut near: Vec<(Node, bool)> = starts.into_iter().map(|start| (start, include_record_set_steps)).collect();
        let mut hops = 0;
        while !near.is_empty() && depth.is_none_or(|max| hops < max) {
            let mut next = Vec::new();
            while let Some((node, counts)) = near.pop() {
                // A relationship leads to the same nodes wherever it is entered, so it is followed once.
                let mut enter = |at| walked.insert(at);
                self.step(node, &mut enter, &mut |to, step| {
                    let counts = counts || matches!(step, Step::Relationship { .. });
                    if !seen.insert((to, counts)) {
                        return;
                    }
                    if !self.shows(to) {
                        near.push((to, counts));
                        return;
                    }
                    if counts {
                        found.push(to);
                    }
                    next.push((to, counts));
                });
            }
            near = next;
            hops += 1;
        }
        found
    }

    /// Returns every hop within a number of hops from some nodes.
    pub(crate) fn explore(&self, starts: impl IntoIterator<Item = Node>, depth: Option<u32>) -> Vec<ExploredHop> {
        let mut explored = Vec::new();
        let mut depths: HashMap<Node, u32> = HashMap::new();
        let mut todo = VecDeque::new();
        for start in starts {
            if depths.insert(start, 0).is_none() {
                todo.push_back(start);
            }
        }
        while let Some(near) = todo.pop_front() {
            let next = depths.get(&near).map_or(1, |depth| depth.saturating_add(1));
            if depth.is_some_and(|max| next > max) {
                continue;
            }
            for Hop { to: far, attributes } in self.hops(near) {
                explored.push(ExploredHop { near, far, attributes });
                depths.entry(far).or_insert_with(|| {
                    todo.push_back(far);
                    next
                });
            }
        }
        explored
    }

    /// Returns the hops within a number of hops from a vertex, each as source and target.
    pub(crate) fn flows(&self, from: Vertex<'_>, depth: Option<u32>) -> HashSet<(Node, Node)> {
        let flow = |hop: ExploredHop| match self.direction {
            Direction::Upstream => (hop.far, hop.near),
            Direction::Downstream => (hop.near, hop.far),
        };
        self.explore(from.nodes(), depth).into_iter().map(flow).collect()
    }

    /// Returns `true` if a walk stops at a node.
    pub(crate) fn shows(&self, node: Node) -> bool {
        if self.stop_at == StopAt::EveryNode {
            return true;
        }
        let Some(object) = self.object_of(node) else {
            return false;
        };
        let index = self.inner.index();
        let is_hidden_record_set = || match node {
            Node::Column(at) => {
                self.stop_at == StopAt::StoredColumns && index.record_sets_of(object).contains(&(object, at))
            }
            Node::Object(_) => false,
        };
        self.keeps(object) && !is_hidden_record_set()
    }

    /// Returns `true` if an object is stored and not walked through.
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
        }
    }

    /// Visits every step from a node. `enter` returns `true` for the relationships to follow.
    fn step(&self, node: Node, enter: &mut impl FnMut(u32) -> bool, visit: &mut impl FnMut(Node, Step<'a>)) {
        self.step_along_relationships(node, enter, visit);
        self.step_between_column_and_record_set(node, visit);
        let intermediate = self.object_of(node).filter(|&object| self.joins_levels && !self.keeps(object));
        match (node, intermediate) {
            (Node::Column(_), Some(object)) => self.step_along_relationships(Node::Object(object), enter, visit),
            (Node::Object(_), Some(object)) => {
                let columns = self.inner.model.columns_of(object);
                columns.for_each(|at| self.step_along_relationships(Node::Column(at), enter, visit));
            }
            (_, None) => {}
        }
    }

    fn step_along_relationships(
        &self,
        node: Node,
        enter: &mut impl FnMut(u32) -> bool,
        visit: &mut impl FnMut(Node, Step<'a>),
    ) {
        let (inner, model) = (self.inner, &self.inner.model);
        for &at in inner.index().at(model, node, self.direction) {
            let Some(relationship) = model.relationships.get(at as usize) else {
                continue;
            };
            if !self.types.contains(&relationship.kind) || !enter(at) {
                continue;
            }
            let only_compares = self.hidden.is_some() && self.only_compares(relationship);
            let ends = relationship.endpoints;
            for (end_at, end) in ends.indices().zip(ends.of(&model.endpoints)) {
                if self.direction.goes_to(end.role)
                    && let Some(next) = node_of(model, inner.ids(), end_at, end)
                {
                    let target = if self.direction == Direction::Upstream { node } else { next };
                    if only_compares && self.object_of(target).is_some_and(|object| self.hides(object)) {
                        continue;
                    }
                    visit(next, Step::Relationship { at, relationship, end });
                }
            }
        }
    }

    /// Returns `true` if a relationship into a stored column compares it and writes nothing: a join or a foreign key.
    fn only_compares(&self, relationship: &RawRelationship) -> bool {
        let texts = &self.inner.model.texts;
        texts.get(relationship.kind) == RelationType::Join.as_str()
            || texts.get(relationship.effect) == EffectType::ForeignKey.as_str()
    }

    /// Visits the steps between a column and the record set of its object. What decides the rows of an object also
    /// decides which values its columns have.
    fn step_between_column_and_record_set(&self, node: Node, visit: &mut impl FnMut(Node, Step<'a>)) {
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
                    visit(Node::Column(record_set), Step::RecordSet);
                }
            }
            Direction::Downstream if is_record_set => {
                let columns = self.inner.model.columns_of(object);
                let values = columns.filter(|&column| !record_sets.contains(&(object, column)));
                values.for_each(|column| visit(Node::Column(column), Step::RecordSet));
            }
            _ => {}
        }
    }

    /// Returns the attributes of a hop that is extended by one step.
    fn extend(&self, attributes: HopAttributes, near: Node, step: Step<'_>) -> HopAttributes {
        let Step::Relationship { at, relationship, end: source } = step else {
            return HopAttributes { through_record_set: true, ..attributes };
        };
        let mut extended = attributes;
        let is_fdd = |relation: Symbol| self.inner.model.texts.get(relation) == RelationType::Fdd.as_str();
        let decides = attributes.relation.is_absent() || is_fdd(attributes.relation);
        if decides {
            extended.relation = relationship.kind;
        }
        if self.detailed {
            extended.effect = attributes.effect.or(relationship.effect);
            extended.clause = if decides { source.clause } else { attributes.clause };
            extended.function = attributes.function.or(self.function(at, self.object_of(near)));
        }
        if self.by_process {
            extended.process = attributes.process.or(relationship.process_id);
        }
        extended
    }

    /// Returns the function that a step goes through: the one that the relationship names, or the object of its target.
    fn function(&self, relationship: u32, target: Option<u32>) -> Symbol {
        let model = &self.inner.model;
        let named = model.relationship_extras.get(relationship, RelationshipExtra::Function);
        let target = target.and_then(|at| model.objects.get(at as usize));
        let is_function = |kind: Symbol| ObjectKind::from(model.texts.get(kind)) == ObjectKind::Function;
        named.or(target.filter(|object| is_function(object.kind)).map_or(Symbol::ABSENT, |object| object.name))
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
