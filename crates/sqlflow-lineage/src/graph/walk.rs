//! Walking: from a node to the next ones that are shown, through those that are not.

use std::collections::{HashMap, HashSet, VecDeque};

use super::super::LineageInner;
use super::super::intern::Symbol;
use super::super::kinds::{ObjectKind, RelationType};
use super::super::model::{RawEndpoint, RawRelationship, RelationshipExtra};
use super::ids::{Node, node_of};
use super::{Direction, Vertex};

/// What a walk follows, and what it stops at.
#[derive(Clone)]
pub(crate) struct Rules<'a> {
    pub(crate) inner: &'a LineageInner,
    pub(crate) direction: Direction,
    /// The types of relationships that are followed, as symbols of the lineage.
    types: Vec<Symbol>,
    /// Whether the rows of an object count as something its columns depend on.
    follows_rows: bool,
    pub(crate) stops: Stops,
    /// Whether steps are told apart by clause, function and effect too. For walks upstream: the target is where a
    /// step begins.
    pub(crate) detailed: bool,
    /// Whether what is in between joins relationships of its columns with those of it as a whole.
    pub(crate) joins_levels: bool,
}

/// Where a walk stops; everything else is walked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stops {
    /// At columns of stored objects.
    Columns,
    /// There, and at the record sets of stored objects.
    ColumnsAndRows,
    /// At each step.
    Everywhere,
}

impl Stops {
    /// These, and record sets.
    pub(crate) fn and_rows(self) -> Self {
        if self == Self::Columns { Self::ColumnsAndRows } else { self }
    }

    /// These, but for record sets where not everything is shown.
    pub(crate) fn without_rows(self) -> Self {
        if self == Self::ColumnsAndRows { Self::Columns } else { self }
    }
}

/// What the steps between two nodes say together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Label {
    /// The type they share, or the first on the way that is not `fdd`. Absent where no relationship was followed, only
    /// the step between a column and its object's rows.
    pub(crate) relation: Symbol,
    /// Whether the way led through the rows of an object.
    pub(crate) by_rows: bool,
    /// The effect of the step into the target.
    pub(crate) effect: Symbol,
    /// The clause of the step that gave `relation`.
    pub(crate) clause: Symbol,
    /// The function closest to the target.
    pub(crate) function: Symbol,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Hop {
    pub(crate) to: Node,
    pub(crate) label: Label,
}

/// One step of a walk.
#[derive(Clone, Copy)]
enum Step<'m> {
    /// Along a relationship, to one of its ends.
    Relationship { at: u32, relationship: &'m RawRelationship, end: &'m RawEndpoint },
    /// Between a column and the rows of its object.
    Rows,
}

/// One hop of a walk; `near` is closer to where it began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edge {
    pub(crate) near: Node,
    pub(crate) far: Node,
    pub(crate) label: Label,
}

impl<'a> Rules<'a> {
    /// Follows `fdd`, walks through intermediate results.
    pub(crate) fn new(inner: &'a LineageInner, direction: Direction) -> Self {
        let mut rules = Self {
            inner,
            direction,
            types: Vec::new(),
            follows_rows: false,
            stops: Stops::Columns,
            detailed: false,
            joins_levels: true,
        };
        rules.follow([RelationType::Fdd]);
        rules
    }

    pub(crate) fn follow(&mut self, types: impl IntoIterator<Item = RelationType>) {
        let texts = &self.inner.model.texts;
        self.types.clear();
        self.follows_rows = false;
        for kind in types {
            self.follows_rows |= kind == RelationType::Fdr;
            self.types.extend(texts.find(kind.as_str()));
        }
    }

    /// The nodes that come next after one, each as often as ways to it differ in their labels.
    pub(crate) fn hops(&self, from: Node) -> Vec<Hop> {
        let mut hops = Vec::new();
        self.walk(from, |hop| hops.push(hop), |_| {});
        hops
    }

    /// The relationships between a node and the ones that come next.
    pub(crate) fn each_relationship(&self, from: Node, visit: impl FnMut(u32)) {
        self.walk(from, |_| {}, visit);
    }

    fn walk(&self, from: Node, mut arrive: impl FnMut(Hop), mut pass: impl FnMut(u32)) {
        let mut seen = HashSet::new();
        let mut hidden = vec![(from, Label::default())];
        while let Some((node, label)) = hidden.pop() {
            let mut enter = |at| {
                pass(at);
                true
            };
            self.step(node, &mut enter, &mut |to, step| {
                let label = self.after(label, node, step);
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

    /// What is reached from some nodes within a number of hops, each node once, the nearest first; what is reached
    /// without following a relationship, between a column and its object's rows, only if `rows_count`.
    ///
    /// Costs no more than there is to walk over, whatever shares what, as it does not tell one hop from another.
    pub(crate) fn reach(
        &self,
        starts: impl IntoIterator<Item = Node>,
        depth: Option<u32>,
        rows_count: bool,
    ) -> Vec<Node> {
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        let mut walked = HashSet::new();
        let mut near: Vec<(Node, bool)> = starts.into_iter().map(|start| (start, rows_count)).collect();
        let mut hops = 0;
        while !near.is_empty() && depth.is_none_or(|most| hops < most) {
            let mut next = Vec::new();
            while let Some((node, counts)) = near.pop() {
                // Whichever way a relationship is come to, it leads to the same.
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

    /// Every hop within a number of hops from some nodes.
    pub(crate) fn explore(&self, starts: impl IntoIterator<Item = Node>, depth: Option<u32>) -> Vec<Edge> {
        let mut edges = Vec::new();
        let mut depths: HashMap<Node, u32> = HashMap::new();
        let mut todo = VecDeque::new();
        for start in starts {
            if depths.insert(start, 0).is_none() {
                todo.push_back(start);
            }
        }
        while let Some(near) = todo.pop_front() {
            let next = depths.get(&near).map_or(1, |depth| depth.saturating_add(1));
            if depth.is_some_and(|most| next > most) {
                continue;
            }
            for Hop { to: far, label } in self.hops(near) {
                edges.push(Edge { near, far, label });
                depths.entry(far).or_insert_with(|| {
                    todo.push_back(far);
                    next
                });
            }
        }
        edges
    }

    /// The hops within a number of hops from a vertex, each as source and target.
    pub(crate) fn flows(&self, from: Vertex<'_>, depth: Option<u32>) -> HashSet<(Node, Node)> {
        let flow = |edge: Edge| match self.direction {
            Direction::Upstream => (edge.far, edge.near),
            Direction::Downstream => (edge.near, edge.far),
        };
        self.explore(from.nodes(), depth).into_iter().map(flow).collect()
    }

    /// Whether a walk stops at a node.
    pub(crate) fn shows(&self, node: Node) -> bool {
        if self.stops == Stops::Everywhere {
            return true;
        }
        let Some(object) = self.object_of(node) else {
            return false;
        };
        let index = self.inner.index();
        let is_hidden_record_set = || match node {
            Node::Column(at) => self.stops == Stops::Columns && index.rows_of(object).contains(&(object, at)),
            Node::Object(_) => false,
        };
        index.is_stored(object) && !is_hidden_record_set()
    }

    pub(crate) fn object_of(&self, node: Node) -> Option<u32> {
        match node {
            Node::Object(at) => Some(at),
            Node::Column(at) => self.inner.model.columns.get(at as usize).map(|column| column.object),
        }
    }

    /// Every step that leads on from a node. `enter` tells which relationships are to be followed.
    fn step(&self, node: Node, enter: &mut impl FnMut(u32) -> bool, visit: &mut impl FnMut(Node, Step<'a>)) {
        self.step_along_relationships(node, enter, visit);
        self.step_between_column_and_rows(node, visit);
        let in_between = self.object_of(node).filter(|&object| self.joins_levels && !is_stored(self.inner, object));
        match (node, in_between) {
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
            let ends = relationship.endpoints;
            for (end_at, end) in ends.indices().zip(ends.of(&model.endpoints)) {
                if self.direction.goes_to(end.role)
                    && let Some(next) = node_of(model, inner.ids(), end_at, end)
                {
                    visit(next, Step::Relationship { at, relationship, end });
                }
            }
        }
    }

    /// The values of a column come in the rows of its object, so that whatever decides the rows decides them too.
    fn step_between_column_and_rows(&self, node: Node, visit: &mut impl FnMut(Node, Step<'a>)) {
        let Node::Column(at) = node else {
            return;
        };
        let Some(object) = self.object_of(node).filter(|_| self.follows_rows) else {
            return;
        };
        let rows = self.inner.index().rows_of(object);
        let is_rows = rows.contains(&(object, at));
        match self.direction {
            Direction::Upstream if !is_rows => {
                for &(_, rows) in rows {
                    visit(Node::Column(rows), Step::Rows);
                }
            }
            Direction::Downstream if is_rows => {
                let columns = self.inner.model.columns_of(object);
                let values = columns.filter(|&column| !rows.contains(&(object, column)));
                values.for_each(|column| visit(Node::Column(column), Step::Rows));
            }
            _ => {}
        }
    }

    /// What a way says after one step more.
    fn after(&self, label: Label, near: Node, step: Step<'_>) -> Label {
        let Step::Relationship { at, relationship, end: source } = step else {
            return Label { by_rows: true, ..label };
        };
        let mut after = label;
        let is_plain = |relation: Symbol| self.inner.model.texts.get(relation) == RelationType::Fdd.as_str();
        let decides = label.relation.is_absent() || is_plain(label.relation);
        if decides {
            after.relation = relationship.kind;
        }
        if self.detailed {
            after.effect = label.effect.or(relationship.effect);
            after.clause = if decides { source.clause } else { label.clause };
            after.function = label.function.or(self.function(at, self.object_of(near)));
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

/// Whether an object is something a database stores: neither a result nor a routine.
pub(crate) fn is_stored(inner: &LineageInner, object: u32) -> bool {
    inner.index().is_stored(object)
}

/// The nodes of an object: its columns, and itself for relationships between whole tables.
pub(crate) fn nodes_of_object(inner: &LineageInner, object: u32) -> impl Iterator<Item = Node> + '_ {
    inner.model.columns_of(object).map(Node::Column).chain(std::iter::once(Node::Object(object)))
}
