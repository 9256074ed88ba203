//! The vertices of the graph: columns and objects.

use std::fmt;

use super::super::LineageInner;
use super::super::view::{Column, Object};
use super::Node;
use super::walk::nodes_of_object;

/// A vertex of the graph: a column or an object.
///
/// There is no third kind and there will be none, so that a `match` needs no arm for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Vertex<'a> {
    /// A column.
    Column(Column<'a>),
    /// An object as a whole.
    Object(Object<'a>),
}

impl<'a> Vertex<'a> {
    /// Returns the vertex of a node, which a process is not.
    pub(crate) fn new(inner: &'a LineageInner, node: Node) -> Option<Self> {
        match node {
            Node::Column(at) => Some(Self::Column(Column::new(inner, at))),
            Node::Object(at) => Some(Self::Object(Object::new(inner, at))),
            Node::Process(_) => None,
        }
    }

    /// Returns the object, or the object that the column belongs to.
    #[must_use]
    pub fn object(&self) -> Object<'a> {
        match self {
            Self::Column(column) => column.object(),
            Self::Object(object) => *object,
        }
    }

    /// Returns the column, or `None` for an object as a whole.
    #[must_use]
    pub fn column(&self) -> Option<Column<'a>> {
        match self {
            Self::Column(column) => Some(*column),
            Self::Object(_) => None,
        }
    }

    /// Returns the qualified name of the column or object.
    #[must_use]
    pub fn qualified_name(&self) -> String {
        self.to_string()
    }

    /// Returns the nodes at which a walk from this vertex begins.
    pub(crate) fn nodes(self) -> Vec<Node> {
        match self {
            Self::Column(column) => vec![Node::Column(column.at)],
            Self::Object(object) => nodes_of_object(object.inner, object.at).collect(),
        }
    }

    pub(crate) fn inner(self) -> &'a LineageInner {
        match self {
            Self::Column(column) => column.inner,
            Self::Object(object) => object.inner,
        }
    }

    pub(crate) fn id(&self) -> &'a str {
        match self {
            Self::Column(column) => column.id(),
            Self::Object(object) => object.id(),
        }
    }
}

impl<'a> From<Column<'a>> for Vertex<'a> {
    fn from(column: Column<'a>) -> Self {
        Self::Column(column)
    }
}

impl<'a> From<Object<'a>> for Vertex<'a> {
    fn from(object: Object<'a>) -> Self {
        Self::Object(object)
    }
}

/// Returns the vertex itself as the error if it is an object.
impl<'a> TryFrom<Vertex<'a>> for Column<'a> {
    type Error = Vertex<'a>;

    fn try_from(vertex: Vertex<'a>) -> Result<Self, Vertex<'a>> {
        vertex.column().ok_or(vertex)
    }
}

/// Returns the vertex itself as the error if it is a column.
impl<'a> TryFrom<Vertex<'a>> for Object<'a> {
    type Error = Vertex<'a>;

    fn try_from(vertex: Vertex<'a>) -> Result<Self, Vertex<'a>> {
        match vertex {
            Vertex::Object(object) => Ok(object),
            Vertex::Column(_) => Err(vertex),
        }
    }
}

impl fmt::Display for Vertex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Column(column) => column.fmt(f),
            Self::Object(object) => object.fmt(f),
        }
    }
}
