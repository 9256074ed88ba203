//! Which relationships meet at a node; built once for a lineage, on the first question.

use super::super::model::{Model, Role};
use super::Direction;
use super::ids::{Ids, Node, node_of};

/// The relationships at each node, one list for those it is a target of and one for those it is a source of.
pub(in super::super) struct Index {
    into: Adjacency,
    out_of: Adjacency,
}

impl Index {
    pub(in super::super) fn new(model: &Model, ids: &Ids) -> Self {
        Self { into: Adjacency::new(model, ids, Role::Target), out_of: Adjacency::new(model, ids, Role::Source) }
    }

    /// The relationships that lead on from a node.
    pub(super) fn at(&self, model: &Model, node: Node, direction: Direction) -> &[u32] {
        match direction {
            Direction::Upstream => self.into.of(node.index(model)),
            Direction::Downstream => self.out_of.of(node.index(model)),
        }
    }
}

/// For each node the relationships where it has one role, as one array with a start for each node.
struct Adjacency {
    starts: Vec<u32>,
    relationships: Vec<u32>,
}

impl Adjacency {
    fn new(model: &Model, ids: &Ids, role: Role) -> Self {
        let nodes = model.columns.len() + model.objects.len();
        let mut starts = vec![0_u32; nodes + 1];
        each_node(model, ids, role, |node, _| {
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
        each_node(model, ids, role, |node, relationship| {
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

fn each_node(model: &Model, ids: &Ids, role: Role, mut visit: impl FnMut(usize, u32)) {
    for (at, relationship) in (0..).zip(&model.relationships) {
        let ends = relationship.ends;
        for (end_at, end) in ends.indices().zip(ends.of(&model.ends)) {
            if end.role == role
                && let Some(node) = node_of(model, ids, end_at, end)
            {
                visit(node.index(model), at);
            }
        }
    }
}
