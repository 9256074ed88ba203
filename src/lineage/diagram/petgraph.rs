//! As a graph of the `petgraph` crate, for its algorithms.

use std::collections::HashMap;

use petgraph::graph::{DiGraph, NodeIndex};

use super::{Diagram, Edge};
use crate::lineage::Vertex;

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
