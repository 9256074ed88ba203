//! Endpoints of relationships.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use crate::LineageInner;
use crate::graph::{Node, Resolution};
use crate::intern::Symbol;
use crate::kinds::ClauseType;
use crate::model::{EndpointExtra, EndpointRole, RawEndpoint, Span};

use super::column::Column;
use super::coordinate::{Coordinate, coordinates};
use super::object::Object;
use super::present;
use super::process::Process;
use super::relationship::Relationship;
use super::transform::Transform;

/// An endpoint of a relationship.
///
/// It refers to a column, an object or a process by its [`id`](Self::id). The names that it repeats often differ from the
/// names of that record in case or qualification, so they count only [where the id belongs to nothing](Self::resolution).
#[derive(Clone, Copy)]
pub struct Endpoint<'a> {
    pub(super) inner: &'a LineageInner,
    pub(super) at: u32,
    pub(super) relationship: u32,
}

/// Returns the endpoints of some relationships, given as the indices of both.
pub(crate) fn endpoints(inner: &LineageInner, pairs: impl IntoIterator<Item = (u32, u32)>) -> Vec<Endpoint<'_>> {
    pairs.into_iter().map(|(relationship, at)| Endpoint { inner, at, relationship }).collect()
}

impl PartialEq for Endpoint<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.inner, other.inner) && self.at == other.at
    }
}

impl Eq for Endpoint<'_> {}

impl PartialOrd for Endpoint<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Endpoints are in the order of the document.
impl Ord for Endpoint<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let same_lineage = std::ptr::from_ref(self.inner).cmp(&std::ptr::from_ref(other.inner));
        self.at.cmp(&other.at).then(same_lineage)
    }
}

impl Hash for Endpoint<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.at.hash(state);
    }
}

impl<'a> Endpoint<'a> {
    fn raw(&self) -> Option<&'a RawEndpoint> {
        self.inner.model.endpoints.get(self.at as usize)
    }

    fn field(&self, field: impl FnOnce(&RawEndpoint) -> Symbol) -> Option<&'a str> {
        present(self.inner, field(self.raw()?))
    }

    fn extra(&self, key: EndpointExtra) -> Option<&'a str> {
        present(self.inner, self.inner.model.endpoint_extras.get(self.at, key))
    }

    pub(crate) fn node(&self) -> Option<Node> {
        self.inner.node_of(self.at, self.raw()?)
    }

    /// Returns the role of the endpoint in its relationship.
    #[must_use]
    pub fn role(&self) -> EndpointRole {
        self.raw().map_or(EndpointRole::Target, |raw| raw.role)
    }

    /// Returns the relationship that the endpoint belongs to.
    #[must_use]
    pub fn relationship(&self) -> Relationship<'a> {
        Relationship::new(self.inner, self.relationship)
    }

    /// Returns the id of the column or object that the endpoint refers to; empty if the document gives none.
    #[must_use]
    pub fn id(&self) -> &'a str {
        self.field(|raw| raw.id).unwrap_or_default()
    }

    /// Returns the name that the endpoint repeats: of a column, or of a routine if the relationship is a `call`.
    #[must_use]
    pub fn name(&self) -> Option<&'a str> {
        self.field(|raw| raw.name)
    }

    /// Returns the `parentId` field: the id of the object that the column belongs to.
    #[must_use]
    pub fn parent_id(&self) -> Option<&'a str> {
        self.field(|raw| raw.parent_id)
    }

    /// Returns the `parentName` field: the name of the object that the column belongs to.
    #[must_use]
    pub fn parent_name(&self) -> Option<&'a str> {
        self.field(|raw| raw.parent_name)
    }

    /// Returns the id of the table, if the relationship connects whole tables.
    #[must_use]
    pub fn table_id(&self) -> Option<&'a str> {
        self.extra(EndpointExtra::TableId)
    }

    /// Returns the name of the table, if the relationship connects whole tables.
    #[must_use]
    pub fn table_name(&self) -> Option<&'a str> {
        self.extra(EndpointExtra::TableName)
    }

    /// Returns the column that the endpoint refers to.
    #[must_use]
    pub fn column(&self) -> Option<Column<'a>> {
        match self.node()? {
            Node::Column(at) => Some(Column::new(self.inner, at)),
            Node::Object(_) | Node::Process(_) => None,
        }
    }

    /// Returns the process that the endpoint refers to. At table level, values flow from tables into processes, and from
    /// processes into tables.
    #[must_use]
    pub fn process(&self) -> Option<Process<'a>> {
        match self.node()? {
            Node::Process(at) => Some(Process::new(self.inner, at)),
            Node::Column(_) | Node::Object(_) => None,
        }
    }

    /// Returns the object that the endpoint refers to, or the object of the column that it refers to. For an endpoint that
    /// is not resolved, it is the object of its `parentId`, if there is one.
    #[must_use]
    pub fn object(&self) -> Option<Object<'a>> {
        match self.node() {
            Some(Node::Column(at)) => Some(Column::new(self.inner, at).object()),
            Some(Node::Object(at)) => Some(Object::new(self.inner, at)),
            Some(Node::Process(_)) => None,
            None => {
                let at = self.inner.ids().object(self.raw()?.parent_id)?;
                Some(Object::new(self.inner, at))
            }
        }
    }

    /// Returns `true` if the endpoint is connected with a record of the document; see [`resolution`](Self::resolution).
    #[must_use]
    pub fn is_resolved(&self) -> bool {
        self.resolution().is_resolved()
    }

    /// Returns the way in which the endpoint is connected with a record of the document: by its id, or where that belongs
    /// to nothing, by the names that it gives.
    ///
    /// ```
    /// use sqlflow_lineage::{Lineage, Resolution};
    ///
    /// let lineage: Lineage = r#"{"dbobjs": [
    ///     {"id": "1", "name": "ORDERS", "type": "table", "columns": [{"id": "2", "name": "AMOUNT"}]},
    ///     {"id": "3", "name": "REPORT", "type": "view", "columns": [{"id": "4", "name": "TOTAL"}]}
    /// ], "relationships": [
    ///     {"id": "5", "type": "fdd", "target": {"id": "4"},
    ///      "sources": [{"id": "404", "column": "AMOUNT", "parentName": "ORDERS"}]}
    /// ]}"#.parse()?;
    /// let relationship = lineage.relationships().next().expect("there is one");
    /// let source = relationship.sources().next().expect("there is one");
    /// assert_eq!(source.resolution(), Resolution::ParentName);
    /// assert_eq!(lineage.column_flows()[0].to_string(), "ORDERS.AMOUNT → REPORT.TOTAL");
    /// # Ok::<(), sqlflow_lineage::ReadError>(())
    /// ```
    #[must_use]
    pub fn resolution(&self) -> Resolution {
        self.raw().map_or(Resolution::Unknown, |raw| self.inner.resolution_of(self.at, raw))
    }

    /// Returns the name that the endpoint gives to the object it is part of.
    pub(crate) fn written_parent(&self) -> Option<&'a str> {
        [self.parent_name(), self.table_name()].into_iter().flatten().find(|name| !name.is_empty())
    }

    /// Returns the name that the endpoint gives to the column or routine that it means.
    pub(crate) fn written_own_name(&self) -> Option<&'a str> {
        self.name().filter(|name| !name.is_empty())
    }

    /// Returns the names that the endpoint gives, or else its id.
    pub(crate) fn written_name(&self) -> String {
        let names: Vec<&str> = self.written_parent().into_iter().chain(self.written_own_name()).collect();
        if names.is_empty() { format!("id:{}", self.id()) } else { names.join(".") }
    }

    /// Returns the clause as the server spells it.
    #[cfg(feature = "html")]
    pub(crate) fn clause_text(&self) -> Option<&'a str> {
        self.field(|raw| raw.clause)
    }

    /// Returns the clause of the statement that the endpoint stands in.
    #[must_use]
    pub fn clause_type(&self) -> Option<ClauseType> {
        self.field(|raw| raw.clause).map(ClauseType::from)
    }

    /// Returns the `columnType` field, which is documented but has not been seen in documents.
    #[must_use]
    pub fn column_type(&self) -> Option<&'a str> {
        self.extra(EndpointExtra::ColumnType)
    }

    /// Returns the function that the value goes through.
    #[must_use]
    pub fn function(&self) -> Option<&'a str> {
        self.extra(EndpointExtra::Function)
    }

    /// Returns the `type` field: the kind of a caller or callee.
    #[must_use]
    pub fn kind(&self) -> Option<&'a str> {
        self.extra(EndpointExtra::Kind)
    }

    /// Returns the transformations of the value on its way from or to this endpoint.
    #[must_use]
    pub fn transforms(&self) -> impl ExactSizeIterator<Item = Transform<'a>> + Clone + use<'a> {
        let (inner, at) = (self.inner, self.at);
        let transforms = &inner.model.transforms;
        // Endpoints are read one after the other, so their transforms are sorted by endpoint.
        let from = transforms.partition_point(|transform| transform.endpoint < at);
        let to = transforms.partition_point(|transform| transform.endpoint <= at);
        transforms.get(from..to).unwrap_or_default().iter().map(move |raw| Transform { inner, raw })
    }

    /// Returns the coordinates of the endpoint in the SQL, usually its start and its end.
    pub fn coordinates(&self) -> impl ExactSizeIterator<Item = Coordinate<'a>> + Clone + use<'a> {
        let span = self.raw().map_or_else(Span::default, |raw| raw.coordinates);
        coordinates(self.inner, span)
    }
}

/// Written as the qualified name of the column, object or process, or as the names that an endpoint gives that cannot be
/// resolved: `ORDERS.AMOUNT (not in the document)`.
impl fmt::Display for Endpoint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.node() {
            Some(Node::Column(at)) => fmt::Display::fmt(&Column::new(self.inner, at), f),
            Some(Node::Object(at)) => fmt::Display::fmt(&Object::new(self.inner, at), f),
            Some(Node::Process(at)) => fmt::Display::fmt(&Process::new(self.inner, at), f),
            None => {
                f.write_str(&self.written_name())?;
                f.write_str(match self.resolution() {
                    Resolution::Ambiguous => " (ambiguous in the document)",
                    _ => " (not in the document)",
                })
            }
        }
    }
}

impl fmt::Debug for Endpoint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({:?}, id {:?})", self.role(), self.id())
    }
}
