//! Diagrams as graphs of the `petgraph` crate, for its algorithms.

use std::collections::HashMap;

use petgraph::graph::{DiGraph, NodeIndex};

use super::{Diagram, Edge};
use crate::Vertex;

impl<'a> Diagram<'a> {
    /// Returns the diagram as a [`petgraph`] graph whose edges lead from source to target.
    ///
    /// Each column that is shown is a node. An object is a node if the diagram is [by object](Self::by_object), if no
    /// column of it is shown, or if an edge joins it as a whole.
    ///
    /// ```
    /// use petgraph::algo::is_cyclic_directed;
    /// # use sqlflow_lineage::Lineage;
    /// # let lineage: Lineage = r#"{"dbobjs": [
    /// #     {"id": "1", "name": "ORDERS", "type": "table", "columns": [{"id": "2", "name": "TOTAL"}]},
    /// #     {"id": "3", "name": "REPORT", "type": "view", "columns": [{"id": "4", "name": "SUM"}]}],
    /// #   "relationships": [{"id": "5", "type": "fdd", "target": {"id": "4"}, "sources": [{"id": "2"}]}]}"#.parse()?;
    ///
    /// let graph = lineage.diagram().by_object().to_petgraph();
    /// assert_eq!((graph.node_count(), graph.edge_count()), (2, 1));
    /// assert!(!is_cyclic_directed(&graph));
    /// # Ok::<(), sqlflow_lineage::ReadError>(())
    /// ```
    #[must_use]
    pub fn to_petgraph(&self) -> DiGraph<Vertex<'a>, Edge<'a>> {
        let content = self.content();
        let mut graph = DiGraph::with_capacity(0, content.edges.len());
        let mut nodes: HashMap<Vertex<'a>, NodeIndex> = HashMap::new();
        for shown in &content.objects {
            if shown.columns.is_empty() {
                let vertex = Vertex::Object(shown.object);
                nodes.insert(vertex, graph.add_node(vertex));
            }
            for column in &shown.columns {
                let vertex = Vertex::Column(*column);
                nodes.insert(vertex, graph.add_node(vertex));
            }
        }
        for edge in content.edges {
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
    fn petgraph_algorithms_run_on_a_diagram() {
        let lineage = read(LAYOUT_C1);
        let graph = lineage.diagram().with_intermediates().to_petgraph();
        let node = |name: &str| {
            graph.node_indices().find(|&at| graph[at].qualified_name() == name).unwrap_or_else(|| panic!("no {name}"))
        };
        let (amount, total) = (node("sales.orders.amount"), node("sales.report.total"));
        assert!(has_path_connecting(&graph, amount, total, None));
        let order = toposort(&graph, None).unwrap();
        let position = |at| order.iter().position(|&one| one == at);
        assert!(position(amount) < position(total));
    }

    #[test]
    fn objects_are_nodes_in_a_diagram_by_object() {
        let lineage = read(LAYOUT_C1);
        let graph = lineage.diagram().by_object().to_petgraph();
        assert!(graph.node_weights().all(|vertex| matches!(vertex, Vertex::Object(_))));
        assert_eq!((graph.node_count(), graph.edge_count()), (3, 2));
    }
}
