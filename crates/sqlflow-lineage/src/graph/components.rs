//! Cycles: groups of nodes that reach each other, and the groups that no edge leaves.

/// The strongly connected components of a graph, found by Tarjan's algorithm. It keeps its own stack, because recursion
/// along a long chain would overflow that of the thread.
pub(super) struct Components<'g> {
    next: &'g [Vec<usize>],
    /// The component of each node.
    component_of: Vec<usize>,
}

impl<'g> Components<'g> {
    /// Finds the components of a graph. `next` holds, for each node, the nodes that its edges lead to.
    pub(super) fn new(next: &'g [Vec<usize>]) -> Self {
        Self { next, component_of: components(next.len(), next) }
    }

    /// Returns, for each node, `true` if no edge leaves its component. A walk along the edges can only end there.
    pub(super) fn sinks(&self) -> Vec<bool> {
        let mut is_sink = vec![true; self.component_of.len()];
        for (node, targets) in self.next.iter().enumerate() {
            if targets.iter().any(|&to| self.component_of[to] != self.component_of[node]) {
                is_sink[self.component_of[node]] = false;
            }
        }
        self.component_of.iter().map(|&at| is_sink[at]).collect()
    }

    /// Returns `true` if some node can be reached from itself.
    pub(super) fn has_cycles(&self) -> bool {
        let mut sizes = vec![0; self.component_of.len()];
        for &at in &self.component_of {
            sizes[at] += 1;
        }
        let feeds_itself = self.next.iter().enumerate().any(|(node, targets)| targets.contains(&node));
        feeds_itself || sizes.iter().any(|&size| size > 1)
    }
}

/// The number of a node that has not been visited, or that has no component yet.
const NONE: usize = usize::MAX;

/// A node of the depth-first search, and the number of its edges that were followed.
struct SearchFrame {
    node: usize,
    followed: usize,
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
        let mut stack = vec![SearchFrame { node: root, followed: 0 }];
        while let Some(SearchFrame { node, followed }) = stack.last_mut() {
            let node = *node;
            if *followed == 0 && order[node] == NONE {
                order[node] = visited;
                lowest[node] = visited;
                visited += 1;
                open.push(node);
            }
            if let Some(&to) = next[node].get(*followed) {
                *followed += 1;
                if order[to] == NONE {
                    stack.push(SearchFrame { node: to, followed: 0 });
                } else if component[to] == NONE {
                    lowest[node] = lowest[node].min(order[to]);
                }
                continue;
            }
            stack.pop();
            if let Some(above) = stack.last() {
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
    fn the_last_node_of_a_chain_is_its_sink() {
        assert_eq!(Components::new(&[vec![1], vec![2], vec![]]).sinks(), [false, false, true]);
    }

    #[test]
    fn a_cycle_that_no_edge_leaves_is_a_sink_as_a_whole() {
        assert_eq!(Components::new(&[vec![1], vec![2], vec![1], vec![]]).sinks(), [false, true, true, true]);
    }

    #[test]
    fn a_cycle_that_an_edge_leaves_is_no_sink() {
        assert_eq!(Components::new(&[vec![1], vec![0, 2], vec![2, 3], vec![]]).sinks(), [false, false, false, true]);
    }

    #[test]
    fn a_chain_of_a_million_nodes_does_not_overflow_the_stack() {
        let next: Vec<Vec<usize>> = (1..=1_000_000).map(|to| if to < 1_000_000 { vec![to] } else { vec![] }).collect();
        let sinks = Components::new(&next).sinks();
        assert_eq!(sinks.iter().filter(|is_sink| **is_sink).count(), 1);
    }
}
