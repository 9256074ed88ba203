//! The vertices of the graph: columns and objects.

use std::fmt;

use super::super::LineageInner;
use super::super::view::{Column, Object};
use super::Node;
use super::walk::nodes_of_object;

/// A vertex of the graph: a column or an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

impl fmt::Display for Vertex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Column(column) => column.fmt(f),
            Self::Object(object) => object.fmt(f),
        }
    }
}
