//! Which nodes lie on a cycle together, and which of those groups nothing leads out of.

/// For each node of a graph, whether its strongly connected component has no edge to another one: where a walk along
/// the edges cannot but end.
///
/// `next` gives the nodes an edge leads to. Nodes are numbers below `count`. By Tarjan's algorithm, with a stack of
/// its own, so that a long chain needs no deep recursion.
pub(super) fn ends_of(count: usize, next: &[Vec<usize>]) -> Vec<bool> {
    let component = components(count, next);
    let mut is_end = vec![true; count];
    for (node, targets) in next.iter().enumerate() {
        if targets.iter().any(|&to| component.get(to) != component.get(node))
            && let Some(end) = component.get(node).and_then(|&at| is_end.get_mut(at))
        {
            *end = false;
        }
    }
    component.iter().map(|&at| is_end.get(at).copied().unwrap_or(false)).collect()
}

/// Whether some node of a graph can be come back to.
pub(super) fn has_cycles(count: usize, next: &[Vec<usize>]) -> bool {
    let component = components(count, next);
    let mut sizes = vec![0; count];
    for &at in &component {
        sizes[at] += 1;
    }
    let feeds_itself = next.iter().enumerate().any(|(node, targets)| targets.contains(&node));
    feeds_itself || sizes.iter().any(|&size| size > 1)
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
        assert_eq!(ends_of(3, &[vec![1], vec![2], vec![]]), [false, false, true]);
    }

    #[test]
    fn a_cycle_that_nothing_leads_out_of_is_an_end_as_a_whole() {
        assert_eq!(ends_of(4, &[vec![1], vec![2], vec![1], vec![]]), [false, true, true, true]);
    }

    #[test]
    fn a_cycle_with_a_way_out_is_no_end() {
        assert_eq!(ends_of(4, &[vec![1], vec![0, 2], vec![2, 3], vec![]]), [false, false, false, true]);
    }

    #[test]
    fn a_chain_of_a_million_nodes_needs_no_deep_stack() {
        let next: Vec<Vec<usize>> = (1..=1_000_000).map(|to| if to < 1_000_000 { vec![to] } else { vec![] }).collect();
        let ends = ends_of(next.len(), &next);
        assert_eq!(ends.iter().filter(|end| **end).count(), 1);
    }
}
