//! Numbers for the vertices of a diagram, from which each format makes its identifiers.

use std::collections::HashMap;

use super::DiagramContent;
use crate::Vertex;

/// The number of a vertex in a diagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum VertexNumber {
    Object(usize),
    /// The number of the object, and the number of the column among the columns that are shown of it.
    Column(usize, usize),
}

impl VertexNumber {
    pub(super) fn object(self) -> usize {
        match self {
            Self::Object(object) | Self::Column(object, _) => object,
        }
    }
}

/// Returns the number of each vertex.
pub(super) fn vertex_numbers<'a>(content: &DiagramContent<'a>) -> HashMap<Vertex<'a>, VertexNumber> {
    let mut numbers = HashMap::new();
    for (at, shown) in content.objects.iter().enumerate() {
        numbers.insert(Vertex::Object(shown.object), VertexNumber::Object(at));
        let columns = shown.columns.iter().enumerate();
        numbers.extend(columns.map(|(number, column)| (Vertex::Column(*column), VertexNumber::Column(at, number))));
    }
    numbers
}
