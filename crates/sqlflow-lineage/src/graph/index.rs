//! The relationships of each node; built once for a lineage, for its first question.

use super::super::model::Model;
use super::super::view;
use super::Direction;
use super::ids::{Ids, Node, node_of};

/// The relationships of each node: one list of those that lead into it, and one of those that lead out of it.
pub(crate) struct Index {
    into: Adjacency,
    out_of: Adjacency,
    /// For each object, `true` if a database stores it.
    stored: Vec<bool>,
    /// Each object with its record set, in the order of the objects.
    record_sets: Vec<(u32, u32)>,
}

impl Index {
    pub(crate) fn new(model: &Model, ids: &Ids) -> Self {
        let is_stored = |object| !view::is_intermediate(model, object) && !view::is_routine(model, object);
        let mut record_sets: Vec<(u32, u32)> = (0..)
            .zip(&model.columns)
            .filter(|(_, column)| view::is_record_set(model, column))
            .map(|(at, column)| (column.object, at))
            .collect();
        record_sets.sort_unstable();
        Self {
            into: Adjacency::new(model, ids, Direction::Downstream),
            out_of: Adjacency::new(model, ids, Direction::Upstream),
            stored: model.objects.iter().map(is_stored).collect(),
            record_sets,
        }
    }

    pub(super) fn is_stored(&self, object: u32) -> bool {
        self.stored.get(object as usize).copied().unwrap_or(false)
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

/// The relationships of each node in one direction, as one array with a start for each node.
struct Adjacency {
    starts: Vec<u32>,
    relationships: Vec<u32>,
}

impl Adjacency {
    /// Collects the endpoints that a walk in a direction goes to.
    fn new(model: &Model, ids: &Ids, ends: Direction) -> Self {
        let nodes = model.columns.len() + model.objects.len();
        let mut starts = vec![0_u32; nodes + 1];
        each_node(model, ids, ends, |node, _| {
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
        each_node(model, ids, ends, |node, relationship| {
            if let Some(start) = starts.get_mut(node) {
                *start = start.saturating_sub(1);
                if let Some(slot) = relationships.get_mut(*start as usize) {
                    *slot = relationship;
                }
            }
        });
        Self { starts, relationships }
    }

    fn of(&self, node: usize) -> &[u32] {
        let range = (self.starts.get(node), self.starts.get(node + 1));
        let (Some(&start), Some(&end)) = range else {
            return &[];
        };
        self.relationships.get(start as usize..end as usize).unwrap_or_default()
    }
}

fn each_node(model: &Model, ids: &Ids, direction: Direction, mut visit: impl FnMut(usize, u32)) {
    for (at, relationship) in (0..).zip(&model.relationships) {
        let ends = relationship.endpoints;
        for (end_at, end) in ends.indices().zip(ends.of(&model.endpoints)) {
            if direction.goes_to(end.role)
                && let Some(node) = node_of(model, ids, end_at, end)
            {
                visit(node.index(model), at);
            }
        }
    }
}
