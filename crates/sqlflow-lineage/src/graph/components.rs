//! Which nodes lie on a cycle together, and which of those groups nothing leads out of.

/// The strongly connected components of a graph, by Tarjan's algorithm, with a stack of its own, so that a long chain
/// needs no deep recursion.
pub(super) struct Components<'g> {
    next: &'g [Vec<usize>],
    /// The component of each node.
    of: Vec<usize>,
}

impl<'g> Components<'g> {
    /// `next` gives for each node the nodes an edge leads to.
    pub(super) fn new(next: &'g [Vec<usize>]) -> Self {
        Self { next, of: components(next.len(), next) }
    }

    /// For each node, whether its component has no edge to another one: where a walk along the edges cannot but end.
    pub(super) fn ends(&self) -> Vec<bool> {
        let mut is_end = vec![true; self.of.len()];
        for (node, targets) in self.next.iter().enumerate() {
            if targets.iter().any(|&to| self.of[to] != self.of[node]) {
                is_end[self.of[node]] = false;
            }
        }
        self.of.iter().map(|&at| is_end[at]).collect()
    }

    /// Whether some node can be come back to.
    pub(super) fn has_cycles(&self) -> bool {
        let mut sizes = vec![0; self.of.len()];
        for &at in &self.of {
            sizes[at] += 1;
        }
        let feeds_itself = self.next.iter().enumerate().any(|(node, targets)| targets.contains(&node));
        feeds_itself || sizes.iter().any(|&size| size > 1)
    }
}

/// Not visited yet, or in no component yet.
const NONE: usize = usize::MAX;

/// A node on the way down, and how many of its edges were taken.
struct Frame {
    node: usize,
    taken: usize,
}

fn components(count: usize, next: &[Vec<usize>]) -> Vec<usize> {
    let mut component = vec![NONE; count];
    let mut order = vec![NONE; count];
    let mut lowest = vec![NONE; count];
    let mut open = Vec::new();
    let (mut visited, mut found) = (0, 0);
    for root in 0..count {
        if order[root] != NONE {
            continue;
        }
        let mut way = vec![Frame { node: root, taken: 0 }];
        while let Some(Frame { node, taken }) = way.last_mut() {
            let node = *node;
            if *taken == 0 && order[node] == NONE {
                order[node] = visited;
                lowest[node] = visited;
                visited += 1;
                open.push(node);
            }
            if let Some(&to) = next[node].get(*taken) {
                *taken += 1;
                if order[to] == NONE {
                    way.push(Frame { node: to, taken: 0 });
                } else if component[to] == NONE {
                    lowest[node] = lowest[node].min(order[to]);
                }
                continue;
            }
            way.pop();
            if let Some(above) = way.last() {
                lowest[above.node] = lowest[above.node].min(lowest[node]);
            }
            if lowest[node] == order[node] {
                while let Some(member) = open.pop() {
                    component[member] = found;
                    if member == node {
                        break;
                    }
                }
                found += 1;
            }
        }
    }
    component
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_ends_at_its_last_node() {
        assert_eq!(Components::new(&[vec![1], vec![2], vec![]]).ends(), [false, false, true]);
    }

    #[test]
    fn a_cycle_that_nothing_leads_out_of_is_an_end_as_a_whole() {
        assert_eq!(Components::new(&[vec![1], vec![2], vec![1], vec![]]).ends(), [false, true, true, true]);
    }

    #[test]
    fn a_cycle_with_a_way_out_is_no_end() {
        assert_eq!(Components::new(&[vec![1], vec![0, 2], vec![2, 3], vec![]]).ends(), [false, false, false, true]);
    }

    #[test]
    fn a_chain_of_a_million_nodes_needs_no_deep_stack() {
        let next: Vec<Vec<usize>> = (1..=1_000_000).map(|to| if to < 1_000_000 { vec![to] } else { vec![] }).collect();
        let ends = Components::new(&next).ends();
        assert_eq!(ends.iter().filter(|end| **end).count(), 1);
    }
}
