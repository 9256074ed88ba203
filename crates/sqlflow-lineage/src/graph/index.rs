//! The relationships of each node; built once for a lineage, for its first question.

use super::super::LineageInner;
use super::super::kinds::{ObjectKind, RelationType};
use super::super::model::{Model, NONE, RawObject};
use super::super::view;
use super::Direction;
use super::ids::Node;
use super::stars::Stars;

/// The relationships of each node: one list of those that lead into it, and one of those that lead out of it.
pub(crate) struct Index {
    into: Adjacency,
    out_of: Adjacency,
    roles: Vec<ObjectRole>,
    /// Each object with its record set, in the order of the objects.
    record_sets: Vec<(u32, u32)>,
    pub(super) stars: Stars,
}

/// The role of an object in questions about the lineage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ObjectRole {
    /// A database stores it.
    Stored,
    /// It is the result of a query that stores nothing, so values end there.
    ResultSet,
    /// Values pass through it.
    Hidden,
}

impl Index {
    pub(crate) fn new(inner: &LineageInner) -> Self {
        let model = &inner.model;
        let mut record_sets: Vec<(u32, u32)> = (0..)
            .zip(&model.columns)
            .filter(|(_, column)| view::is_record_set(model, column))
            .map(|(at, column)| (column.object, at))
            .collect();
        record_sets.sort_unstable();
        let nodes = nodes_of_endpoints(inner);
        let into = Adjacency::new(model, &nodes, Direction::Downstream);
        let out_of = Adjacency::new(model, &nodes, Direction::Upstream);
        drop(nodes);
        let stars = Stars::new(inner, &into, &out_of);
        let role = |(at, object): (u32, &RawObject)| {
            if !view::is_intermediate(model, object) && !view::is_routine(model, object) {
                ObjectRole::Stored
            } else if is_result_of_query(model, object) && is_end_of_flow(inner, at, &into, &out_of) {
                ObjectRole::ResultSet
            } else {
                ObjectRole::Hidden
            }
        };
        let roles = (0..).zip(&model.objects).map(role).collect();
        Self { into, out_of, roles, record_sets, stars }
    }

    #[cfg(feature = "html")]
    pub(crate) fn stars(&self) -> &Stars {
        &self.stars
    }

    pub(super) fn is_stored(&self, object: u32) -> bool {
        self.roles.get(object as usize) == Some(&ObjectRole::Stored)
    }

    pub(crate) fn is_result_set(&self, object: u32) -> bool {
        self.roles.get(object as usize) == Some(&ObjectRole::ResultSet)
    }

    /// Returns the record sets of an object, each with the object. In real documents there is at most one.
    pub(super) fn record_sets_of(&self, object: u32) -> &[(u32, u32)] {
        let from = self.record_sets.partition_point(|record_set| record_set.0 < object);
        let to = self.record_sets.partition_point(|record_set| record_set.0 <= object);
        self.record_sets.get(from..to).unwrap_or_default()
    }

    /// Returns the relationships along which a walk leaves a node.
    pub(super) fn at(&self, model: &Model, node: Node, direction: Direction) -> &[u32] {
        match direction {
            Direction::Upstream => self.into.of(node.index(model)),
            Direction::Downstream => self.out_of.of(node.index(model)),
        }
    }
}

/// Returns `true` if an object can be the result of a query: a select list or a set operation. The results of subqueries
/// with an alias are called `RESULT_OF_…`; those of set operations are too, and their kind tells them apart.
fn is_result_of_query(model: &Model, object: &RawObject) -> bool {
    let name = model.texts.get(object.name);
    match model.texts.get_present(object.kind).map(ObjectKind::from) {
        Some(ObjectKind::SelectUnion) => true,
        Some(ObjectKind::SelectList) => !name.starts_with("RESULT_OF_"),
        None => name.starts_with("RS-"),
        Some(_) => false,
    }
}

/// Returns `true` if values flow into an object and nothing comes from it, except what stays in it: an order by one of its
/// own columns, or a recursion.
fn is_end_of_flow(inner: &LineageInner, object: u32, into: &Adjacency, out_of: &Adjacency) -> bool {
    let model = &inner.model;
    let is_within = |node: Option<Node>| match node {
        Some(Node::Column(at)) => model.columns.get(at as usize).is_some_and(|column| column.object == object),
        Some(Node::Object(at)) => at == object,
        Some(Node::Process(_)) | None => false,
    };
    let stays = |&at: &u32| {
        model.relationships.get(at as usize).is_some_and(|relationship| {
            let ends = relationship.endpoints;
            let mut ends = ends.indices().zip(ends.of(&model.endpoints));
            ends.all(|(at, end)| !Direction::Downstream.goes_to(end.role) || is_within(inner.node_of(at, end)))
        })
    };
    let nodes = || model.columns_of(object).map(Node::Column).chain([Node::Object(object)]);
    let is_value_from_elsewhere = |&at: &u32| {
        model.relationships.get(at as usize).is_some_and(|relationship| {
            let ends = relationship.endpoints;
            let mut ends = ends.indices().zip(ends.of(&model.endpoints));
            RelationType::from(model.texts.get(relationship.kind)).carries_values()
                && ends.any(|(at, end)| Direction::Upstream.goes_to(end.role) && !is_within(inner.node_of(at, end)))
        })
    };
    let has_value = |node: Node| into.of(node.index(model)).iter().any(is_value_from_elsewhere);
    nodes().all(|node| out_of.of(node.index(model)).iter().all(stays)) && nodes().any(has_value)
}

/// The relationships of each node in one direction, as one array with a start for each node.
pub(super) struct Adjacency {
    starts: Vec<u32>,
    relationships: Vec<u32>,
}

impl Adjacency {
    /// Collects the endpoints that a walk in a direction goes to; `nodes` are those of all endpoints.
    fn new(model: &Model, nodes: &[u32], ends: Direction) -> Self {
        let mut starts = vec![0_u32; Node::count(model) + 1];
        each_node(model, nodes, ends, |node, _| {
            if let Some(count) = starts.get_mut(node) {
                *count += 1;
            }
        });
        let mut total = 0;
        for start in &mut starts {
            total += *start;
            *start = total;
        }
        let mut relationships = vec![0; total as usize];
        // Each list is filled from its end, so that `starts` holds the beginnings when all are filled.
        each_node(model, nodes, ends, |node, relationship| {
            if let Some(start) = starts.get_mut(node) {
                *start = start.saturating_sub(1);
                if let Some(slot) = relationships.get_mut(*start as usize) {
                    *slot = relationship;
                }
            }
        });
        Self { starts, relationships }
    }

    pub(super) fn of(&self, node: usize) -> &[u32] {
        let range = (self.starts.get(node), self.starts.get(node + 1));
        let (Some(&start), Some(&end)) = range else {
            return &[];
        };
        self.relationships.get(start as usize..end as usize).unwrap_or_default()
    }
}

/// Returns the number of the node of each endpoint, or [`NONE`].
fn nodes_of_endpoints(inner: &LineageInner) -> Vec<u32> {
    let model = &inner.model;
    let number = |node: Node| u32::try_from(node.index(model)).unwrap_or(NONE);
    (0..).zip(&model.endpoints).map(|(at, end)| inner.node_of(at, end).map_or(NONE, number)).collect()
}

fn each_node(model: &Model, nodes: &[u32], direction: Direction, mut visit: impl FnMut(usize, u32)) {
    for (at, relationship) in (0..).zip(&model.relationships) {
        let ends = relationship.endpoints;
        for (end, &node) in ends.of(&model.endpoints).iter().zip(ends.of(nodes)) {
            if direction.goes_to(end.role) && node != NONE {
                visit(node as usize, at);
            }
        }
    }
}
