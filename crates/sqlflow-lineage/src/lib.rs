//! Reads the data lineage that SQLFlow servers write as JSON, and answers questions about it.
//!
//! A *lineage document* says which columns of which tables and views the values of other columns come from. Servers of
//! different years write it in four layouts (flat arrays, or trees of servers, databases and schemas), in four places of
//! their responses, with fields that come and go. [`Lineage`] reads all of them in one pass into one compact model,
//! [counts what it does not understand](Lineage::unknown_fields), and connects everything by id, never by name.
//!
//! The crate has no HTTP: it reads documents from memory, from files, from a reader or, with the feature `stream`, from an
//! async stream. The crate `sqlflow-client` fetches documents from a server and uses this one to read them.
//!
//! # A first example
//!
//! ```
//! use sqlflow_lineage::Lineage;
//!
//! let document = br#"{"code": 200, "data": {
//!     "dbobjs": [
//!         {"id": "1", "name": "ORDERS", "type": "table",
//!          "columns": [{"id": "2", "name": "TOTAL"}]},
//!         {"id": "3", "name": "RS-1", "type": "select_list",
//!          "columns": [{"id": "4", "name": "TOTAL"}]},
//!         {"id": "5", "name": "REPORT", "type": "view",
//!          "columns": [{"id": "6", "name": "SUM"}]}
//!     ],
//!     "relationships": [
//!         {"id": "7", "type": "fdd", "target": {"id": "4"}, "sources": [{"id": "2"}]},
//!         {"id": "8", "type": "fdd", "target": {"id": "6"}, "sources": [{"id": "4"}]}
//!     ]
//! }}"#;
//! let lineage = Lineage::from_slice(document)?;
//!
//! // Every pair of columns between which a value flows.
//! for flow in lineage.column_flows() {
//!     assert_eq!(flow.to_string(), "ORDERS.TOTAL → REPORT.SUM");
//! }
//!
//! // The origins of one column.
//! let sum = lineage.column("report", "sum")?;
//! let origins: Vec<String> =
//!     sum.upstream().into_iter().map(|column| column.qualified_name()).collect();
//! assert_eq!(origins, ["ORDERS.TOTAL"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where to go next
//!
//! | to | use |
//! |---|---|
//! | read a document | [`Lineage::from_path`], [`Lineage::from_slice`], [`Lineage::from_reader`], `str::parse`, serde; with options: [`Reader`] |
//! | read many files as one lineage | [`Lineage::merge_paths`] |
//! | handle a document that cannot be read | [`ReadError`], [`ReadErrorKind`] |
//! | find an object or a column | [`Lineage::object`], [`Lineage::column`], [`Lineage::find`], [`LookupError`] |
//! | look at everything in the document | [`Lineage::objects`], [`Lineage::columns`], [`Lineage::relationships`], [`Lineage::processes`] |
//! | follow values upstream or downstream | [`Column::upstream`], [`Object::downstream`], … and the [`Trace`] they return |
//! | find out who is affected, or who reads | [`Column::impact`], [`Object::readers`] |
//! | list all flows | [`Lineage::column_flows`], [`Lineage::object_flows`] |
//! | check that nothing is missing | [`Lineage::mode`], [`Lineage::coverage`], [`Lineage::unresolved`], [`Lineage::errors`], [`Lineage::warnings`], [`Lineage::unknown_fields`] |
//! | check that a result is complete | [`Trace::unresolved`], [`Impact::is_complete`], [`Diagram::unresolved`], [`Diff::notes`] |
//! | keep a result, or pass it on as JSON | [`OwnedVertex`], [`OwnedColumnFlow`], [`OwnedImpact`], … |
//! | combine, compare, write documents | [`Lineage::merge`], [`Lineage::diff`], [`Lineage::diff_all`], [`Lineage::write_json`] |
//! | draw a diagram, or export to other tools | [`Diagram`], [`OpenLineage`] |
//! | show a lineage in a browser | `Lineage::page`, with the feature `html` |
//! | query it with SQL: Arrow, Parquet | `Lineage::tables`, with the feature `arrow` |
//!
//! The types of relationships, effects, clauses and objects are open enums ([`RelationType`], [`EffectType`],
//! [`ClauseType`], [`ObjectKind`], [`Mode`]): a word that this version does not know is kept as `Other`.
//!
//! # Intermediate objects
//!
//! In addition to tables and views, a document holds the results that exist only inside a statement: select lists,
//! common table expressions, function results and so on. They are objects too, [intermediate](Object::is_intermediate)
//! ones, such as `RS-1` in the example. [`Column::upstream`] and [`Lineage::column_flows`] walk through them, so that
//! the result names only what a database stores, and the [result sets](Object::is_result_set) of queries that store
//! nothing.
//!
//! # Edges
//!
//! Relationships connect columns, whole tables, or, at table level, tables and the statements between them. Values flow
//! along the types [`fdd`, `fda` and `fdc`](RelationType::VALUE_FLOWS); questions follow others only if asked to.
//! [Foreign keys](Relationship::is_foreign_key) are constraints, along which nothing flows. An endpoint refers to a
//! record by id, or [by name](Endpoint::resolution) if no record has that id.
//!
//! # Features
//!
//! - `gzip` (default): reading documents that are compressed by gzip.
//! - `html`: pages that show a lineage in a browser (`Lineage::page`).
//! - `stream`: reading from an async stream, on a blocking thread of a Tokio runtime.
//! - `petgraph`: lineage diagrams as `petgraph` graphs.
//! - `arrow`: tables for query engines, as Arrow record batches and Parquet files.
//!
//! Types of `petgraph`, of `arrow-array` and `arrow-schema`, and of `parquet` are parts of the interface of these two
//! features. The versions in use are re-exported under the names of the crates, so that a program can name the same
//! ones; a new incompatible version of one of them is an incompatible version of this crate.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod coverage;
mod diagram;
mod diff;
mod equal;
mod error;
#[cfg(test)]
mod fixtures;
mod graph;
mod intern;
mod kinds;
mod merge;
mod model;
mod names;
mod open_enum;
mod openlineage;
mod owned;
#[cfg(feature = "html")]
mod page;
mod read;
#[cfg(feature = "arrow")]
mod tables;
mod view;
mod write;

use std::collections::HashSet;
use std::fmt;
use std::io::Read;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Deserializer};

pub use self::coverage::Coverage;
pub use self::diagram::{Diagram, Edge};
pub use self::diff::{Changes, Diff, DiffNote, DiffNoteKind, DiffSide, FullDiff, KindChange};
pub use self::error::{Candidate, LookupError, ReadError, ReadErrorKind, TextPosition};
pub use self::graph::{ColumnFlow, Impact, ObjectFlow, Path, Paths, Resolution, Trace, Traced, Vertex};
pub use self::kinds::{ClauseType, EffectType, Mode, ObjectKind, RelationType};
pub use self::merge::MergeError;
pub use self::openlineage::{OpenLineage, OpenLineageEvents};
pub use self::owned::{
    OwnedColumnFlow, OwnedCoordinate, OwnedDiagnostic, OwnedEdge, OwnedImpact, OwnedLocation, OwnedObjectFlow,
    OwnedRelationship, OwnedStatement, OwnedVertex,
};
#[cfg(feature = "html")]
pub use self::page::Page;
pub use self::read::Reader;
#[cfg(feature = "arrow")]
pub use self::tables::{TableBatches, TableName, Tables, TablesError};
pub use self::view::{
    Argument, BusiestTable, Column, Coordinate, Diagnostic, Endpoint, EndpointRole, Location, Object, Process,
    Relationship, Server, Summary, Transform,
};

#[cfg(feature = "petgraph")]
#[doc(no_inline)]
pub use petgraph;
#[cfg(feature = "arrow")]
#[doc(no_inline)]
pub use {arrow_array, arrow_schema, parquet};

use self::graph::{FlowWays, Ids, Index, NamedEndpoints};
use self::model::Model;
use self::names::{NameIndex, RepeatedIds};

/// The lineage of one document. It is cheap to clone: clones share the model.
///
/// # Reading
///
/// ```
/// use sqlflow_lineage::Lineage;
///
/// let document = r#"{"dbobjs": [{"id": "1", "name": "ORDERS", "type": "table"}]}"#;
/// let lineage: Lineage = document.parse()?;
/// assert_eq!(lineage, Lineage::from_slice(document.as_bytes())?);
/// assert_eq!(lineage, Lineage::from_reader(document.as_bytes())?);
/// # Ok::<(), sqlflow_lineage::ReadError>(())
/// ```
///
/// # Equality
///
/// Two lineages are equal if they say the same about the SQL, whatever their layout: the same objects, columns,
/// arguments, processes and relationships, with the same ids and coordinates. The database and schema of an object
/// count in whatever way the document gives them (by the place of the object in a tree, by its own fields, or by a
/// qualified name), and `DEFAULT` is the same as none.
///
/// Parts that describe the document and not the SQL do not count: the label, the envelope, mode, summary, errors, vendor, graph
/// section, names of servers, what a user interface shows or hides, the types of processes (flat documents have none),
/// the order of records, the spelling of the record set column and of `system`, and the names that relationships repeat
/// for endpoints whose ids resolve.
#[derive(Clone)]
pub struct Lineage {
    inner: Arc<LineageInner>,
}

/// The model of a lineage, and the indexes that are built when a question needs them first.
struct LineageInner {
    model: Model,
    ids: OnceLock<Ids>,
    named_endpoints: OnceLock<NamedEndpoints>,
    index: OnceLock<Index>,
    flow_ways: OnceLock<FlowWays>,
    names: OnceLock<NameIndex>,
    temporary_tables: OnceLock<Option<Arc<HashSet<u32>>>>,
    repeated_ids: OnceLock<RepeatedIds>,
    shows_servers: OnceLock<bool>,
}

impl LineageInner {
    fn ids(&self) -> &Ids {
        self.ids.get_or_init(|| Ids::new(&self.model))
    }

    fn named_endpoints(&self) -> &NamedEndpoints {
        self.named_endpoints.get_or_init(|| NamedEndpoints::new(&self.model, self.ids()))
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| Index::new(self))
    }

    fn names(&self) -> &NameIndex {
        self.names.get_or_init(|| NameIndex::new(&self.model))
    }

    fn repeated_ids(&self) -> &RepeatedIds {
        self.repeated_ids.get_or_init(|| RepeatedIds::new(&self.model))
    }

    /// Returns `true` if qualified names begin with the server.
    fn shows_servers(&self) -> bool {
        *self.shows_servers.get_or_init(|| names::has_several_servers(&self.model))
    }
}

impl Lineage {
    fn from_model(model: Model) -> Self {
        Self {
            inner: Arc::new(LineageInner {
                model,
                ids: OnceLock::new(),
                named_endpoints: OnceLock::new(),
                index: OnceLock::new(),
                flow_ways: OnceLock::new(),
                names: OnceLock::new(),
                temporary_tables: OnceLock::new(),
                repeated_ids: OnceLock::new(),
                shows_servers: OnceLock::new(),
            }),
        }
    }

    /// Reads a document that is in memory, in any of the layouts, with or without the envelope of the server.
    ///
    /// # Errors
    ///
    /// See [`ReadErrorKind`].
    pub fn from_slice(document: &[u8]) -> Result<Self, ReadError> {
        Reader::new().read_slice(document)
    }

    /// Reads a document from a reader, which needs no buffer of its own. The document is never held whole.
    ///
    /// ```no_run
    /// use std::fs::File;
    ///
    /// use sqlflow_lineage::Lineage;
    ///
    /// let lineage = Lineage::from_reader(File::open("lineage.json")?)?;
    /// println!("{} objects", lineage.objects().len());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// See [`ReadErrorKind`].
    pub fn from_reader(reader: impl Read) -> Result<Self, ReadError> {
        Reader::new().read(reader)
    }

    /// Returns options for reading, such as a limit on the size.
    #[must_use]
    pub fn reader() -> Reader {
        Reader::new()
    }
}

impl FromStr for Lineage {
    type Err = ReadError;

    fn from_str(document: &str) -> Result<Self, ReadError> {
        Self::from_slice(document.as_bytes())
    }
}

impl<'de> Deserialize<'de> for Lineage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read::deserialize(deserializer)
    }
}

impl fmt::Debug for Lineage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let model = &self.inner.model;
        f.debug_struct("Lineage")
            .field("objects", &model.objects.len())
            .field("columns", &model.columns.len())
            .field("processes", &model.processes.len())
            .field("relationships", &model.relationships.len())
            .finish_non_exhaustive()
    }
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExamples;
