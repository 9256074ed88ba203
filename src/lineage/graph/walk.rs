//! Walking: from a node to the next ones that are shown, through those that are not.

use std::collections::{HashMap, HashSet, VecDeque};

use super::super::intern::Symbol;
use super::super::kinds::{ObjectKind, RelationType};
use super::super::model::{RawEnd, RawRelationship, RelationshipExtra};
use super::super::view::{Column, Object};
use super::super::{Inner, view};
use super::Direction;
use super::ids::{Node, node_of};

/// What a walk follows, and what it stops at.
#[derive(Clone)]
pub(in super::super) struct Rules<'a> {
    pub(in super::super) inner: &'a Inner,
    pub(in super::super) direction: Direction,
    /// The types of relationships that are followed, as symbols of the lineage.
    types: Vec<Symbol>,
    /// Whether the rows of an object count as something its columns depend on.
    follows_rows: bool,
    pub(in super::super) stops: Stops,
    /// Whether steps are told apart by clause, function and effect too. For walks upstream: the target is where a
    /// step begins.
    pub(in super::super) detailed: bool,
}

/// Where a walk stops; everything else is walked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Stops {
    /// At columns of stored objects.
    Columns,
    /// There, and at the record sets of stored objects.
    ColumnsAndRows,
    /// At each step.
    Everywhere,
}

impl Stops {
    /// These, and record sets.
    pub(in super::super) fn and_rows(self) -> Self {
        if self == Self::Columns { Self::ColumnsAndRows } else { self }
    }

    /// These, but for record sets where not everything is shown.
    pub(in super::super) fn without_rows(self) -> Self {
        if self == Self::ColumnsAndRows { Self::Columns } else { self }
    }
}

/// What the steps between two nodes say together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in super::super) struct Label {
    /// The type they share, or the first on the way that is not `fdd`. Absent where no relationship was followed, only
    /// the step between a column and its object's rows.
    pub(in super::super) relation: Symbol,
    /// Whether the way led through the rows of an object.
    pub(in super::super) by_rows: bool,
    /// The effect of the step into the target.
    pub(in super::super) effect: Symbol,
    /// The clause of the step that gave `relation`.
    pub(in super::super) clause: Symbol,
    /// The function closest to the target.
    pub(in super::super) function: Symbol,
}

#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Hop {
    pub(in super::super) to: Node,
    pub(in super::super) label: Label,
}

/// One hop of a walk; `near` is closer to where it began.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Edge {
    pub(in super::super) near: Node,
    pub(in super::super) far: Node,
    pub(in super::super) label: Label,
}

impl<'a> Rules<'a> {
    /// Follows `fdd`, walks through intermediate results.
    pub(in super::super) fn new(inner: &'a Inner, direction: Direction) -> Self {
        let mut rules =
            Self { inner, direction, types: Vec::new(), follows_rows: false, stops: Stops::Columns, detailed: false };
        rules.follow([RelationType::Fdd]);
        rules
    }

    pub(in super::super) fn follow(&mut self, types: impl IntoIterator<Item = RelationType>) {
        let texts = &self.inner.model.texts;
        self.types.clear();
        self.follows_rows = false;
        for kind in types {
            self.follows_rows |= kind == RelationType::Fdr;
            self.types.extend(texts.find(kind.as_str()));
        }
    }

    /// The nodes that come next after one, each as often as ways to it differ in their labels.
    pub(in super::super) fn hops(&self, from: Node) -> Vec<Hop> {
        let mut hops = Vec::new();
        self.walk(from, |hop| hops.push(hop), |_| {});
        hops
    }

    /// The relationships between a node and the ones that come next.
    pub(in super::super) fn each_relationship(&self, from: Node, visit: impl FnMut(u32)) {
        self.walk(from, |_| {}, visit);
    }

    fn walk(&self, from: Node, mut arrive: impl FnMut(Hop), mut pass: impl FnMut(u32)) {
        let mut seen = HashSet::new();
        let mut hidden = vec![(from, Label::default())];
        while let Some((node, label)) = hidden.pop() {
            self.step(node, label, &mut pass, |to, label| {
                if !seen.insert((to, label)) {
                    return;
                }
                if self.shows(to) {
                    arrive(Hop { to, label });
                } else {
                    hidden.push((to, label));
                }
            });
        }
    }

    /// Everything reached from some nodes within a number of hops.
    pub(in super::super) fn explore(&self, starts: impl IntoIterator<Item = Node>, depth: Option<u32>) -> Reach {
        let mut reach = Reach::default();
        let mut depths: HashMap<Node, u32> = HashMap::new();
        let mut todo = VecDeque::new();
        for start in starts {
            if depths.insert(start, 0).is_none() {
                todo.push_back(start);
            }
        }
        let mut reached = HashSet::new();
        while let Some(near) = todo.pop_front() {
            let next = depths.get(&near).map_or(1, |depth| depth.saturating_add(1));
            if depth.is_some_and(|most| next > most) {
                continue;
            }
            for Hop { to: far, label } in self.hops(near) {
                reach.edges.push(Edge { near, far, label });
                if reached.insert(far) {
                    reach.nodes.push(far);
                }
                depths.entry(far).or_insert_with(|| {
                    todo.push_back(far);
                    next
                });
            }
        }
        reach
    }

    /// Whether a walk stops at a node.
    pub(in super::super) fn shows(&self, node: Node) -> bool {
        if self.stops == Stops::Everywhere {
            return true;
        }
        let Some(object) = self.object_of(node) else {
            return false;
        };
        let is_hidden_record_set = || match node {
            Node::Column(at) => self.stops == Stops::Columns && Column::new(self.inner, at).is_record_set(),
            Node::Object(_) => false,
        };
        is_stored(self.inner, object) && !is_hidden_record_set()
    }

    pub(in super::super) fn object_of(&self, node: Node) -> Option<u32> {
        match node {
            Node::Object(at) => Some(at),
            Node::Column(at) => self.inner.model.columns.get(at as usize).map(|column| column.object),
        }
    }

    fn step(&self, node: Node, label: Label, pass: &mut impl FnMut(u32), mut visit: impl FnMut(Node, Label)) {
        let (inner, model) = (self.inner, &self.inner.model);
        let goes_to = self.direction.goes_to();
        for &at in inner.index().at(model, node, self.direction) {
            let Some(relationship) = model.relationships.get(at as usize) else {
                continue;
            };
            if !self.types.contains(&relationship.kind) {
                continue;
            }
            pass(at);
            let ends = relationship.ends;
            for (end_at, end) in ends.indices().zip(ends.of(&model.ends)) {
                if end.role == goes_to
                    && let Some(next) = node_of(model, inner.ids(), end_at, end)
                {
                    visit(next, self.after(label, at, relationship, || self.object_of(node), end));
                }
            }
        }
        if self.follows_rows
            && let Node::Column(at) = node
        {
            self.step_between_column_and_rows(Column::new(inner, at), label, &mut visit);
        }
    }

    /// The values of a column come in the rows of its object, so that whatever decides the rows decides them too.
    fn step_between_column_and_rows(&self, column: Column<'_>, label: Label, visit: &mut impl FnMut(Node, Label)) {
        let label = Label { by_rows: true, ..label };
        let is_rows = column.is_record_set();
        let wants_rows = self.direction == Direction::Upstream;
        if is_rows == wants_rows {
            return;
        }
        for other in column.object().columns() {
            if other.is_record_set() == wants_rows {
                visit(Node::Column(other.at), label);
            }
        }
    }

    /// What a way says after one step more.
    fn after(
        &self,
        label: Label,
        at: u32,
        relationship: &RawRelationship,
        target: impl FnOnce() -> Option<u32>,
        source: &RawEnd,
    ) -> Label {
        let mut after = label;
        let is_plain = |relation: Symbol| self.inner.model.texts.get(relation) == RelationType::Fdd.as_str();
        let decides = label.relation.is_absent() || is_plain(label.relation);
        if decides {
            after.relation = relationship.kind;
        }
        if self.detailed {
            after.effect = label.effect.or(relationship.effect);
            after.clause = if decides { source.clause } else { label.clause };
            after.function = label.function.or(self.function(at, target()));
        }
        after
    }

    /// The function that a step goes through: as the relationship says, or by the object its target is in.
    fn function(&self, relationship: u32, target: Option<u32>) -> Symbol {
        let model = &self.inner.model;
        let named = model.relationship_extras.get(relationship, RelationshipExtra::Function);
        let target = target.and_then(|at| model.objects.get(at as usize));
        let is_function = |kind: Symbol| ObjectKind::from(model.texts.get(kind)) == ObjectKind::Function;
        named.or(target.filter(|object| is_function(object.kind)).map_or(Symbol::ABSENT, |object| object.name))
    }
}

/// What a walk found: nodes in the order they were reached, the nearest first, and every hop between them.
#[derive(Debug, Default)]
pub(in super::super) struct Reach {
    pub(in super::super) nodes: Vec<Node>,
    pub(in super::super) edges: Vec<Edge>,
}

/// Whether an object is something a database stores: neither a result nor a routine.
pub(in super::super) fn is_stored(inner: &Inner, object: u32) -> bool {
    inner.model.objects.get(object as usize).is_some_and(|raw| {
        let object = Object::new(inner, object);
        !view::is_intermediate(&inner.model, raw) && !object.is_routine()
    })
}

/// The nodes of an object: its columns, and itself for relationships between whole tables.
pub(in super::super) fn nodes_of_object(inner: &Inner, object: u32) -> impl Iterator<Item = Node> + '_ {
    let columns = inner.model.objects.get(object as usize).map_or(0..0, |object| object.columns.indices());
    columns.map(Node::Column).chain(std::iter::once(Node::Object(object)))
}
