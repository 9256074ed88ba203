//! The counts that a document comes with.

use std::fmt;

use crate::LineageInner;
use crate::model::{RawBusiestTable, RawSummary};

use super::present;

/// The counts that the server gives.
///
/// The server counts in its own way: its number of tables or relationships may differ from what the document holds.
#[derive(Clone, Copy)]
pub struct Summary<'a> {
    pub(super) inner: &'a LineageInner,
    pub(super) raw: &'a RawSummary,
}

impl<'a> Summary<'a> {
    /// Returns the number of schemas.
    #[must_use]
    pub fn schemas(&self) -> Option<i64> {
        self.raw.schemas
    }

    /// Returns the number of databases.
    #[must_use]
    pub fn databases(&self) -> Option<i64> {
        self.raw.databases
    }

    /// Returns the number of tables.
    #[must_use]
    pub fn tables(&self) -> Option<i64> {
        self.raw.tables
    }

    /// Returns the number of views.
    #[must_use]
    pub fn views(&self) -> Option<i64> {
        self.raw.views
    }

    /// Returns the number of columns.
    #[must_use]
    pub fn columns(&self) -> Option<i64> {
        self.raw.columns
    }

    /// Returns the number of processes.
    #[must_use]
    pub fn processes(&self) -> Option<i64> {
        self.raw.processes
    }

    /// Returns the number of relationships.
    #[must_use]
    pub fn relationships(&self) -> Option<i64> {
        self.raw.relationships
    }

    /// Returns the tables with the most relationships (`mostRelationTables`).
    #[must_use]
    pub fn busiest_tables(&self) -> impl ExactSizeIterator<Item = BusiestTable<'a>> + Clone + use<'a> {
        let inner = self.inner;
        self.raw.busiest.iter().map(move |raw| BusiestTable { inner, raw })
    }
}

impl fmt::Debug for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Summary")
            .field("tables", &self.tables())
            .field("columns", &self.columns())
            .field("relationships", &self.relationships())
            .finish_non_exhaustive()
    }
}

/// A table that the summary names because it has many relationships.
#[derive(Clone, Copy)]
pub struct BusiestTable<'a> {
    inner: &'a LineageInner,
    raw: &'a RawBusiestTable,
}

impl<'a> BusiestTable<'a> {
    /// Returns the name of the table.
    #[must_use]
    pub fn table(&self) -> &'a str {
        self.inner.model.texts.get(self.raw.table)
    }

    /// Returns the schema of the table.
    #[must_use]
    pub fn schema(&self) -> Option<&'a str> {
        present(self.inner, self.raw.schema)
    }

    /// Returns the database of the table.
    #[must_use]
    pub fn database(&self) -> Option<&'a str> {
        present(self.inner, self.raw.database)
    }
}

impl fmt::Debug for BusiestTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BusiestTable({:?})", self.table())
    }
}
