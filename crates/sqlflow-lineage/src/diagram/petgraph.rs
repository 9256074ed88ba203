//! As a graph of the `petgraph` crate, for its algorithms.

use std::collections::HashMap;

use petgraph::graph::{DiGraph, NodeIndex};

use super::{Diagram, Edge};
use crate::Vertex;

impl<'a> Diagram<'a> {
    /// The diagram as a [`petgraph`] graph: edges lead from source to target.
    ///
    /// Every vertex that is shown is a node: the columns, and the objects
    /// [by object](Self::by_object) or where they have no column or are joined as a whole.
    #[must_use]
    pub fn to_petgraph(&self) -> DiGraph<Vertex<'a>, Edge<'a>> {
        let drawing = self.draw();
        let mut graph = DiGraph::with_capacity(0, drawing.edges.len());
        let mut nodes: HashMap<Vertex<'a>, NodeIndex> = HashMap::new();
        for drawn in &drawing.objects {
            if drawn.columns.is_empty() {
                let vertex = Vertex::Object(drawn.object);
                nodes.insert(vertex, graph.add_node(vertex));
            }
            for column in &drawn.columns {
                let vertex = Vertex::Column(*column);
                nodes.insert(vertex, graph.add_node(vertex));
            }
        }
        for edge in drawing.edges {
            let source = *nodes.entry(edge.source).or_insert_with(|| graph.add_node(edge.source));
            let target = *nodes.entry(edge.target).or_insert_with(|| graph.add_node(edge.target));
            graph.add_edge(source, target, edge);
        }
        graph
    }
}

#[cfg(test)]
mod tests {
    use petgraph::algo::{has_path_connecting, toposort};

    use crate::Vertex;
    use crate::fixtures::{LAYOUT_C1, read};

    #[test]
    fn algorithms_of_petgraph_run_on_a_diagram() {
        let lineage = read(LAYOUT_C1);
        let graph = lineage.diagram().with_intermediates().to_petgraph();
        let node = |name: &str| {
            graph.node_indices().find(|&at| graph[at].qualified_name() == name).unwrap_or_else(|| panic!("no {name}"))
        };
        let (amount, total) = (node("sales.orders.amount"), node("sales.report.total"));
        assert!(has_path_connecting(&graph, amount, total, None));
        let order = toposort(&graph, None).unwrap();
        let place = |at| order.iter().position(|&one| one == at);
        assert!(place(amount) < place(total));
    }

    #[test]
    fn objects_are_nodes_where_columns_are_not_shown() {
        let lineage = read(LAYOUT_C1);
        let graph = lineage.diagram().by_object().to_petgraph();
        assert!(graph.node_weights().all(|vertex| matches!(vertex, Vertex::Object(_))));
        assert_eq!((graph.node_count(), graph.edge_count()), (3, 2));
    }
}
