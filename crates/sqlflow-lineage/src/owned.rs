//! Owned forms of the views, which outlive their lineage and are its JSON.
//!
//! The JSON of a view is that of its owned form, so a program can write the one and read the other.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

use super::diagram::Edge;
use super::graph::{ColumnFlow, Impact, ObjectFlow, Path, Resolution, Vertex};
use super::kinds::{EffectType, RelationType};
use super::view::write_location;
use super::view::{Column, Coordinate, Diagnostic, Endpoint, Location, Object, Process, Relationship};

/// The kind of a column, among the kinds of objects.
const COLUMN: &str = "column";
/// The kind of an endpoint that is no record of the document.
const UNRESOLVED: &str = "unresolved";
/// The kind of an endpoint that may be one of several records of the document.
const AMBIGUOUS: &str = "ambiguous";
const PROCESS: &str = "process";

/// Serializes views as their owned forms.
macro_rules! serialized_as {
    ($($view:ident as $owned:ident),+ $(,)?) => {
        $(impl Serialize for $view<'_> {
            #[doc = concat!("Serializes the view as its owned form, [`", stringify!($owned), "`].")]
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $owned::from(self).serialize(serializer)
            }
        }

        impl From<$view<'_>> for $owned {
            fn from(view: $view<'_>) -> Self {
                Self::from(&view)
            }
        }

        impl $view<'_> {
            /// Returns a copy that does not borrow the lineage.
            #[must_use]
            pub fn to_owned_form(&self) -> $owned {
                $owned::from(self)
            }
        })+
    };
}

serialized_as! {
    Column as OwnedVertex,
    Object as OwnedVertex,
    Vertex as OwnedVertex,
    Endpoint as OwnedVertex,
    Process as OwnedStatement,
    Coordinate as OwnedCoordinate,
    Location as OwnedLocation,
    Diagnostic as OwnedDiagnostic,
    Relationship as OwnedRelationship,
    ColumnFlow as OwnedColumnFlow,
    ObjectFlow as OwnedObjectFlow,
    Edge as OwnedEdge,
    Impact as OwnedImpact,
}

/// A [`Column`], an [`Object`] or an [`Endpoint`] that does not borrow its lineage. Displayed as its name.
///
/// ```
/// # use sqlflow_lineage::Lineage;
/// # let lineage: Lineage = r#"{"dbobjs": [
/// #     {"id": "1", "name": "ORDERS", "type": "table", "schema": "SALES",
/// #      "columns": [{"id": "2", "name": "TOTAL"}]}]}"#.parse()?;
/// let total = lineage.column("orders", "total")?;
/// let json = serde_json::to_string(&total)?;
/// assert_eq!(json, r#"{"name":"SALES.ORDERS.TOTAL","kind":"column","id":"2"}"#);
/// assert_eq!(total.to_owned_form(), serde_json::from_str(&json)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OwnedVertex {
    /// The qualified name.
    pub name: String,
    /// The kind of object (`table`, `view`, …), `column`, `process`, `unresolved` for an endpoint that is no record of
    /// the document, or `ambiguous` for one that may be several.
    pub kind: String,
    /// The id in the document; empty if it gives none.
    pub id: String,
}

impl fmt::Display for OwnedVertex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

impl From<&Column<'_>> for OwnedVertex {
    fn from(column: &Column<'_>) -> Self {
        Self { name: column.qualified_name(), kind: COLUMN.to_owned(), id: column.id().to_owned() }
    }
}

impl From<&Object<'_>> for OwnedVertex {
    fn from(object: &Object<'_>) -> Self {
        Self { name: object.qualified_name(), kind: object.kind_text().to_owned(), id: object.id().to_owned() }
    }
}

impl From<&Vertex<'_>> for OwnedVertex {
    fn from(vertex: &Vertex<'_>) -> Self {
        match vertex {
            Vertex::Column(column) => column.into(),
            Vertex::Object(object) => object.into(),
        }
    }
}

impl From<&Endpoint<'_>> for OwnedVertex {
    fn from(end: &Endpoint<'_>) -> Self {
        if let Some(column) = end.column() {
            return column.into();
        }
        if let Some(process) = end.process() {
            return Self { name: process.to_string(), kind: PROCESS.to_owned(), id: process.id().to_owned() };
        }
        if let Some(object) = end.object().filter(|_| end.is_resolved()) {
            return object.into();
        }
        let kind = if end.resolution() == Resolution::Ambiguous { AMBIGUOUS } else { UNRESOLVED };
        Self { name: end.written_name(), kind: kind.to_owned(), id: end.id().to_owned() }
    }
}

/// A [`Process`] that does not borrow its lineage.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OwnedStatement {
    /// The name, such as `Query Insert-1`.
    pub name: String,
    /// The kind of statement, such as `sstinsert`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The id in the document; empty if it gives none.
    pub id: String,
    /// The place where the statement begins.
    #[serde(default, skip_serializing_if = "OwnedLocation::is_unknown")]
    pub location: OwnedLocation,
}

/// Written like the [`Process`]: its name, or else its id, and its location if that is known.
impl fmt::Display for OwnedStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() {
            write!(f, "id:{}", self.id)?;
        } else {
            f.write_str(&self.name)?;
        }
        let location = self.location.to_string();
        if location.is_empty() { Ok(()) } else { write!(f, " at {location}") }
    }
}

/// A [`Location`] that does not borrow its lineage.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OwnedLocation {
    /// The file of SQL, if the server names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The label of the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The line, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The column in the line, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// The code that tells which of several scripts is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
}

impl OwnedLocation {
    fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for OwnedLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, label, line, column, script } = self;
        write_location(f, file.as_deref(), label.as_deref(), script.as_deref(), *line, *column)
    }
}

impl From<&Location<'_>> for OwnedLocation {
    fn from(location: &Location<'_>) -> Self {
        Self {
            file: location.file().map(str::to_owned),
            label: location.label().map(str::to_owned),
            line: location.line(),
            column: location.column(),
            script: location.script().map(str::to_owned),
        }
    }
}

impl From<&Process<'_>> for OwnedStatement {
    fn from(process: &Process<'_>) -> Self {
        Self {
            name: process.name().to_owned(),
            kind: process.kind().map(str::to_owned),
            id: process.id().to_owned(),
            location: process.location().into(),
        }
    }
}

/// A [`Coordinate`] that does not borrow its lineage.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OwnedCoordinate {
    /// The line, counted from 1; −1 if the server does not know it.
    pub line: i32,
    /// The column, counted from 1; −1 if the server does not know it.
    pub column: i32,
    /// The code that tells which of several scripts is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash_code: Option<String>,
}

impl From<&Coordinate<'_>> for OwnedCoordinate {
    fn from(coordinate: &Coordinate<'_>) -> Self {
        let hash_code = coordinate.hash_code().map(str::to_owned);
        Self { line: coordinate.line(), column: coordinate.column(), hash_code }
    }
}

/// A [`Diagnostic`] that does not borrow its lineage. Displayed as its message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OwnedDiagnostic {
    /// The text of the message.
    pub message: String,
    /// The kind: `SyntaxHint`, `SyntaxError`, `AnalyzeError`, `LinkOrphanColumn`, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The place that the message is about.
    #[serde(default, skip_serializing_if = "OwnedLocation::is_unknown")]
    pub location: OwnedLocation,
    /// The number of occurrences, if the server counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurrences: Option<i64>,
}

impl fmt::Display for OwnedDiagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.message)
    }
}

impl From<&Diagnostic<'_>> for OwnedDiagnostic {
    fn from(diagnostic: &Diagnostic<'_>) -> Self {
        Self {
            message: diagnostic.message().to_owned(),
            kind: diagnostic.kind().map(str::to_owned),
            location: diagnostic.location().into(),
            occurrences: diagnostic.occurrences(),
        }
    }
}

/// A [`Relationship`] that does not borrow its lineage.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OwnedRelationship {
    /// The id in the document; empty if it gives none.
    pub id: String,
    /// The type.
    #[serde(rename = "type")]
    pub relation_type: RelationType,
    /// The kind of statement or expression that made the relationship.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<EffectType>,
    /// The sources, or the caller of a call.
    pub sources: Vec<OwnedVertex>,
    /// The target, or the callees of a call.
    pub targets: Vec<OwnedVertex>,
    /// The statement that made the relationship, if the document names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<OwnedStatement>,
}

impl From<&Relationship<'_>> for OwnedRelationship {
    fn from(relationship: &Relationship<'_>) -> Self {
        let sources = relationship.sources().chain(relationship.caller());
        let targets = relationship.target().into_iter().chain(relationship.callees());
        Self {
            id: relationship.id().to_owned(),
            relation_type: relationship.relation_type(),
            effect: relationship.effect_type(),
            sources: sources.map(OwnedVertex::from).collect(),
            targets: targets.map(OwnedVertex::from).collect(),
            statement: relationship.process().map(OwnedStatement::from),
        }
    }
}

/// A [`ColumnFlow`] that does not borrow its lineage. Displayed as `source → target`.
///
/// ```
/// # use sqlflow_lineage::Lineage;
/// # let lineage: Lineage = r#"{"dbobjs": [
/// #     {"id": "1", "name": "ORDERS", "type": "table", "columns": [{"id": "2", "name": "TOTAL"}]},
/// #     {"id": "3", "name": "REPORT", "type": "view", "columns": [{"id": "4", "name": "SUM"}]}],
/// #   "relationships": [{"id": "5", "type": "fdd", "effectType": "create_view",
/// #     "target": {"id": "4"}, "sources": [{"id": "2"}]}]}"#.parse()?;
/// let json = serde_json::to_value(lineage.column_flows())?;
/// assert_eq!(json[0]["source"]["name"], "ORDERS.TOTAL");
/// assert_eq!(json[0]["effects"][0], "create_view");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OwnedColumnFlow {
    /// The column that the value comes from.
    pub source: OwnedVertex,
    /// The column that the value flows into.
    pub target: OwnedVertex,
    /// The effects of the relationships that lead into the target.
    pub effects: Vec<EffectType>,
    /// The statements by which the value flows, if the document names them.
    pub statements: Vec<OwnedStatement>,
    /// The functions and expressions that the value goes through.
    pub functions: Vec<String>,
    /// `true` if the flow is only a foreign key, along which no value flows.
    pub is_foreign_key: bool,
}

impl fmt::Display for OwnedColumnFlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {}", self.source, self.target)
    }
}

impl From<&ColumnFlow<'_>> for OwnedColumnFlow {
    fn from(flow: &ColumnFlow<'_>) -> Self {
        Self {
            source: flow.source.into(),
            target: flow.target.into(),
            effects: flow.effects(),
            statements: flow.statements().into_iter().map(OwnedStatement::from).collect(),
            functions: flow.functions().into_iter().map(str::to_owned).collect(),
            is_foreign_key: flow.is_foreign_key(),
        }
    }
}

/// An [`ObjectFlow`] that does not borrow its lineage. Displayed as `source → target`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OwnedObjectFlow {
    /// The object that the values come from.
    pub source: OwnedVertex,
    /// The object that the values flow into.
    pub target: OwnedVertex,
}

impl fmt::Display for OwnedObjectFlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {}", self.source, self.target)
    }
}

impl From<&ObjectFlow<'_>> for OwnedObjectFlow {
    fn from(flow: &ObjectFlow<'_>) -> Self {
        Self { source: flow.source.into(), target: flow.target.into() }
    }
}

/// An [`Edge`] that does not borrow its lineage.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OwnedEdge {
    /// The column or object that the flow comes from.
    pub source: OwnedVertex,
    /// The column or object that the flow leads to.
    pub target: OwnedVertex,
    /// The type of the relationships along the way; see [`Edge::relation`].
    pub relation: RelationType,
    /// The effect of the relationship that leads into the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<EffectType>,
}

impl From<&Edge<'_>> for OwnedEdge {
    fn from(edge: &Edge<'_>) -> Self {
        Self {
            source: edge.source.into(),
            target: edge.target.into(),
            relation: edge.relation.clone(),
            effect: edge.effect.clone(),
        }
    }
}

/// An [`Impact`] that does not borrow its lineage.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OwnedImpact {
    /// The column that is asked about.
    pub column: OwnedVertex,
    /// `true` if the lineage knows everything that depends on the column; see [`Impact::is_complete`].
    pub is_complete: bool,
    /// The columns whose values come from the column.
    pub columns: Vec<OwnedVertex>,
    /// The objects that depend on the column.
    pub objects: Vec<OwnedVertex>,
    /// The statements that read the column directly.
    pub statements: Vec<OwnedStatement>,
    /// The statements that write the column, which do not depend on its values.
    #[serde(default)]
    pub writers: Vec<OwnedStatement>,
    /// The relationships that have the column as an endpoint, without foreign keys.
    pub relationships: Vec<OwnedRelationship>,
    /// The foreign keys that have the column as an endpoint.
    pub foreign_keys: Vec<OwnedRelationship>,
    /// The endpoints that the lists above would lead to, but that cannot be resolved.
    pub unresolved: Vec<OwnedVertex>,
    /// The types of relationships of which the lineage may lack some or all.
    pub uncertain_types: Vec<RelationType>,
    /// The reasons why something may be missing, each a sentence for people.
    pub reasons: Vec<String>,
}

impl From<&Impact<'_>> for OwnedImpact {
    fn from(impact: &Impact<'_>) -> Self {
        Self {
            column: impact.column.into(),
            is_complete: impact.is_complete(),
            columns: impact.columns.iter().map(OwnedVertex::from).collect(),
            objects: impact.objects.iter().map(OwnedVertex::from).collect(),
            statements: impact.statements.iter().map(OwnedStatement::from).collect(),
            writers: impact.writers.iter().map(OwnedStatement::from).collect(),
            relationships: impact.relationships.iter().map(OwnedRelationship::from).collect(),
            foreign_keys: impact.foreign_keys.iter().map(OwnedRelationship::from).collect(),
            unresolved: impact.unresolved.iter().map(OwnedVertex::from).collect(),
            uncertain_types: impact.uncertain_types.clone(),
            reasons: impact.reasons().to_vec(),
        }
    }
}

/// Serializes the path as an array of its steps, from the source to the target.
impl<T: Serialize> Serialize for Path<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_slice().serialize(serializer)
    }
}
