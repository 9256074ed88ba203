//! Data lineage as the servers answer it, read into one model that a person can ask questions of.
//!
//! Servers of different years send lineage in four layouts (flat arrays, trees of servers, databases and schemas),
//! in four places of their answers, with fields that come and go. [`Lineage`] reads all of them in one pass, keeps
//! what it does not understand [countable](Lineage::unknown_fields), and joins everything by id, never by name.
//!
//! ```
//! use sqlflow_lineage::Lineage;
//!
//! let body = br#"{"code": 200, "data": {
//!     "dbobjs": [
//!         {"id": "1", "name": "ORDERS", "type": "table", "columns": [{"id": "2", "name": "TOTAL"}]},
//!         {"id": "3", "name": "RS-1", "type": "select_list", "columns": [{"id": "4", "name": "TOTAL"}]},
//!         {"id": "5", "name": "REPORT", "type": "view", "columns": [{"id": "6", "name": "SUM"}]}
//!     ],
//!     "relationships": [
//!         {"id": "7", "type": "fdd", "target": {"id": "4"}, "sources": [{"id": "2"}]},
//!         {"id": "8", "type": "fdd", "target": {"id": "6"}, "sources": [{"id": "4"}]}
//!     ]
//! }}"#;
//! let lineage = Lineage::from_slice(body)?;
//! for flow in lineage.column_flows() {
//!     assert_eq!(flow.to_string(), "ORDERS.TOTAL → REPORT.SUM");
//! }
//! let sum = lineage.column("report", "sum")?;
//! let sources: Vec<String> = sum.upstream().into_iter().map(|column| column.qualified_name()).collect();
//! assert_eq!(sources, ["ORDERS.TOTAL"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is where
//!
//! | part | owns |
//! |---|---|
//! | [`Lineage`] and its views [`Object`], [`Column`], [`Relationship`], [`Endpoint`], [`Process`], … | what an answer says |
//! | [`Column::upstream`], [`Object::downstream`], … giving a [`Trace`]; [`Column::impact`], [`Object::readers`] | questions |
//! | [`Lineage::column_flows`], [`Lineage::object_flows`] | every pair between which a value flows |
//! | [`Diagram`], [`OpenLineage`] | pictures, and exchange with other tools |
//! | [`Lineage::merge`], [`Lineage::diff`], [`Lineage::write_json`] | several answers as one, compared, written back |
//! | [`Reader`] | reading, with limits |
//! | [`ReadError`], [`LookupError`] | why a body cannot be read, why a name means nothing or too much |
//! | [`ObjectKind`], [`RelationType`], [`EffectType`], [`ClauseType`], [`Mode`] | the open sets of words |
//!
//! This module knows nothing of HTTP, jobs or files, and never asks the network.
//!
//! # Two kinds of objects
//!
//! Beside tables and views an answer holds what stands between them inside a statement: select lists, common table
//! expressions, function results, and so on. They are objects too, [intermediate](Object::is_intermediate) ones.
//! [`Column::upstream`] and [`Lineage::column_flows`] walk through them.

#![cfg_attr(docsrs, feature(doc_cfg))]

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
mod read;
mod view;
mod write;

use std::fmt;
use std::io::Read;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Deserializer};

pub use self::diagram::{Diagram, Edge};
pub use self::diff::{Changes, Diff};
pub use self::error::{Candidate, LookupError, Place, ReadError, ReadErrorKind};
pub use self::graph::{ColumnFlow, Impact, ObjectFlow, Path, Paths, Trace, Traced, Vertex};
pub use self::kinds::{ClauseType, EffectType, Mode, ObjectKind, RelationType};
pub use self::merge::MergeError;
pub use self::openlineage::OpenLineage;
pub use self::read::Reader;
pub use self::view::{
    Argument, BusiestTable, Column, Coordinate, Diagnostic, Endpoint, EndpointRole, Object, Process, Relationship,
    Server, Summary, Transform,
};

use self::graph::{Ids, Index};
use self::model::Model;
use self::names::Names;

/// One answer's lineage. Cheap to clone: clones share what was read.
///
/// Two lineages are equal if they say the same about the SQL, whichever layout they came in: the same objects,
/// columns, arguments, processes and relationships, with the same ids and places. An object's database and schema
/// count however they were given (by where it stands in a tree, by its own fields, or by a qualified name), and
/// `DEFAULT` is the same as none. Left out is what describes the answer and not the SQL: the envelope, mode, summary,
/// errors, vendor, graph section, names of servers, what a user interface shows or hides, the types of processes
/// (flat answers have none), the order of records, the spelling of the record set column and of `system`, and the
/// names that relationships repeat of ends whose ids resolve.
#[derive(Clone)]
pub struct Lineage {
    inner: Arc<Inner>,
}

struct Inner {
    model: Model,
    ids: OnceLock<Ids>,
    index: OnceLock<Index>,
    names: OnceLock<Names>,
}

impl Inner {
    fn ids(&self) -> &Ids {
        self.ids.get_or_init(|| Ids::new(&self.model))
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| Index::new(&self.model, self.ids()))
    }

    fn names(&self) -> &Names {
        self.names.get_or_init(|| Names::new(&self.model))
    }
}

impl Lineage {
    fn from_model(model: Model) -> Self {
        Self { inner: Arc::new(Inner { model, ids: OnceLock::new(), index: OnceLock::new(), names: OnceLock::new() }) }
    }

    /// Reads an answer that is in memory, in any of the layouts, with or without the server's envelope.
    ///
    /// # Errors
    ///
    /// See [`ReadErrorKind`].
    pub fn from_slice(body: &[u8]) -> Result<Self, ReadError> {
        Reader::new().read_slice(body)
    }

    /// Reads an answer from a reader, which needs no buffer of its own. The body is never held whole.
    ///
    /// # Errors
    ///
    /// See [`ReadErrorKind`].
    pub fn from_reader(reader: impl Read) -> Result<Self, ReadError> {
        Reader::new().read(reader)
    }

    /// Options for reading, such as a limit on the size.
    #[must_use]
    pub fn reader() -> Reader {
        Reader::new()
    }
}

impl FromStr for Lineage {
    type Err = ReadError;

    fn from_str(body: &str) -> Result<Self, ReadError> {
        Self::from_slice(body.as_bytes())
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
