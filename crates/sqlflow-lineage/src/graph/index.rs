//! Which relationships meet at a node; built once for a lineage, on the first question.

use super::super::model::Model;
use super::super::view;
use super::Direction;
use super::ids::{Ids, Node, node_of};

/// The relationships at each node, one list for those it is a target of and one for those it is a source of.
pub(crate) struct Index {
    into: Adjacency,
    out_of: Adjacency,
    /// For each object whether a database stores it.
    stored: Vec<bool>,
    /// The record sets, each with its object, in the order of objects.
    rows: Vec<(u32, u32)>,
}

impl Index {
    pub(crate) fn new(model: &Model, ids: &Ids) -> Self {
        let is_stored = |object| !view::is_intermediate(model, object) && !view::is_routine(model, object);
        let mut rows: Vec<(u32, u32)> = (0..)
            .zip(&model.columns)
            .filter(|(_, column)| view::is_record_set(model, column))
            .map(|(at, column)| (column.object, at))
            .collect();
        rows.sort_unstable();
        Self {
            into: Adjacency::new(model, ids, Direction::Downstream),
            out_of: Adjacency::new(model, ids, Direction::Upstream),
            stored: model.objects.iter().map(is_stored).collect(),
            rows,
        }
    }

    pub(super) fn is_stored(&self, object: u32) -> bool {
        self.stored.get(object as usize).copied().unwrap_or(false)
    }

    /// The record sets of an object, of which there is one at most in real answers, each with the object.
    pub(super) fn rows_of(&self, object: u32) -> &[(u32, u32)] {
        let from = self.rows.partition_point(|rows| rows.0 < object);
        let to = self.rows.partition_point(|rows| rows.0 <= object);
        self.rows.get(from..to).unwrap_or_default()
    }

    /// The relationships that lead on from a node.
    pub(super) fn at(&self, model: &Model, node: Node, direction: Direction) -> &[u32] {
        match direction {
            Direction::Upstream => self.into.of(node.index(model)),
            Direction::Downstream => self.out_of.of(node.index(model)),
        }
    }
}

/// For each node the relationships that it is an end of, in one role, as one array with a start for each node.
struct Adjacency {
    starts: Vec<u32>,
    relationships: Vec<u32>,
}

impl Adjacency {
    /// For the ends that a walk goes to in a direction.
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
        // Filled from behind, so that every start ends where its list begins.
        each_node(model, ids, ends, |node, relationship| {
            if let Some(start) = starts.get_mut(node) {
                *start = start.saturating_sub(1);
                if let Some(place) = relationships.get_mut(*start as usize) {
                    *place = relationship;
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
