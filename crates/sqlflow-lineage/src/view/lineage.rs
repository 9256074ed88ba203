//! The content of a lineage: its records, and what the document says about itself.

use crate::kinds::Mode;
use crate::model::{ScopeKind, indices};
use crate::{Lineage, LineageInner};

use super::column::Column;
use super::diagnostic::Diagnostic;
use super::endpoint::Endpoint;
use super::object::Object;
use super::present;
use super::process::Process;
use super::relationship::Relationship;
use super::server::Server;
use super::summary::Summary;

/// The records of the document.
impl Lineage {
    /// Returns all objects (tables, views, intermediate results, procedures, functions, triggers, packages) in the
    /// order of the document.
    #[must_use]
    pub fn objects(&self) -> impl ExactSizeIterator<Item = Object<'_>> + Clone {
        let inner = &*self.inner;
        indices(&inner.model.objects).map(move |at| Object::new(inner, at))
    }

    /// Returns all columns of all objects, in the order of the document.
    #[must_use]
    pub fn columns(&self) -> impl ExactSizeIterator<Item = Column<'_>> + Clone {
        let inner = &*self.inner;
        indices(&inner.model.columns).map(move |at| Column::new(inner, at))
    }

    /// Returns all relationships, in the order of the document.
    #[must_use]
    pub fn relationships(&self) -> impl ExactSizeIterator<Item = Relationship<'_>> + Clone {
        let inner = &*self.inner;
        indices(&inner.model.relationships).map(move |at| Relationship::new(inner, at))
    }

    /// Returns all processes. Servers write a process in up to three places; it appears here once.
    #[must_use]
    pub fn processes(&self) -> impl ExactSizeIterator<Item = Process<'_>> + Clone {
        let inner = &*self.inner;
        indices(&inner.model.processes).map(move |at| Process::new(inner, at))
    }

    /// Returns the servers of a tree document. A flat document has none unless its objects name them.
    pub fn servers(&self) -> impl Iterator<Item = Server<'_>> + Clone {
        let inner = &*self.inner;
        indices(&inner.model.scopes)
            .map(move |at| Server::new(inner, at))
            .filter(|server| server.scope().is_some_and(|scope| scope.kind == ScopeKind::Server))
    }

    /// Returns the object that has an id. An empty id belongs to nothing.
    ///
    /// ```
    /// use sqlflow_lineage::Lineage;
    ///
    /// let lineage: Lineage = r#"{"dbobjs": [
    ///     {"id": "1", "name": "ORDERS", "type": "table",
    ///      "columns": [{"id": "2", "name": "AMOUNT"}]}
    /// ]}"#.parse()?;
    /// assert_eq!(lineage.object_by_id("1").expect("it exists").name(), "ORDERS");
    /// assert!(lineage.object_by_id("2").is_none(), "this is the id of a column");
    /// # Ok::<(), sqlflow_lineage::ReadError>(())
    /// ```
    #[must_use]
    pub fn object_by_id(&self, id: &str) -> Option<Object<'_>> {
        let inner = &*self.inner;
        let at = inner.ids().object(inner.model.texts.find(id)?)?;
        Some(Object::new(inner, at))
    }

    /// Returns the column that has an id.
    #[must_use]
    pub fn column_by_id(&self, id: &str) -> Option<Column<'_>> {
        let inner = &*self.inner;
        let at = inner.ids().column(inner.model.texts.find(id)?)?;
        Some(Column::new(inner, at))
    }

    /// Returns the process that has an id.
    #[must_use]
    pub fn process_by_id(&self, id: &str) -> Option<Process<'_>> {
        let inner = &*self.inner;
        let at = inner.ids().process(inner.model.texts.find(id)?)?;
        Some(Process::new(inner, at))
    }

    /// Returns the ids that several records of the document have, sorted. Engines write none, but people who put documents
    /// together do.
    ///
    /// An endpoint with such an id means the record that its names fit, or it is [unresolved](Self::unresolved).
    /// [`object_by_id`](Self::object_by_id) and the like return the first record.
    #[must_use]
    pub fn duplicate_ids(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        let inner = &*self.inner;
        let mut ids: Vec<&str> = inner.ids().duplicates().iter().map(|&id| inner.model.texts.get(id)).collect();
        ids.sort_unstable();
        ids.into_iter()
    }

    /// Returns the endpoints that mean no record of the document, or several. Usually there are none.
    ///
    /// An endpoint is [resolved](Endpoint::resolution) by its id; if that belongs to nothing, by its `parentId` and column;
    /// and then by its `parentName` and column if that name means exactly one object. Values that flow through an
    /// endpoint that is not resolved are missing from every question about the lineage. Traces, diagrams and impacts list
    /// those that they met, for example [`Trace::unresolved`](crate::Trace::unresolved).
    ///
    /// ```
    /// use sqlflow_lineage::Lineage;
    ///
    /// let lineage: Lineage = r#"{"dbobjs": [
    ///     {"id": "1", "name": "REPORT", "type": "view",
    ///      "columns": [{"id": "2", "name": "TOTAL"}]}
    /// ], "relationships": [
    ///     {"id": "3", "type": "fdd", "target": {"id": "2"},
    ///      "sources": [{"id": "404", "column": "AMOUNT", "parentName": "ORDERS"}]}
    /// ]}"#.parse()?;
    /// let lost = lineage.unresolved().next().expect("one source is missing");
    /// assert_eq!(lost.to_string(), "ORDERS.AMOUNT (not in the document)");
    /// assert_eq!(lost.relationship().id(), "3");
    /// # Ok::<(), sqlflow_lineage::ReadError>(())
    /// ```
    pub fn unresolved(&self) -> impl Iterator<Item = Endpoint<'_>> + Clone {
        self.relationships().flat_map(|relationship| relationship.endpoints()).filter(|end| !end.is_resolved())
    }
}

/// Statements of the document about itself.
impl Lineage {
    /// Returns the extent of the document, or `None` if it does not give one, like documents without a summary.
    #[must_use]
    pub fn mode(&self) -> Option<&Mode> {
        self.inner.model.mode.as_ref()
    }

    /// Returns `true` if the document is a summary: counts and table names, but **no** columns and relationships,
    /// because there are more than the limit of the server. The full lineage must be requested in another way.
    #[must_use]
    pub fn is_summary(&self) -> bool {
        self.mode() == Some(&Mode::Summary)
    }

    /// Returns the counts that the server gives.
    #[must_use]
    pub fn summary(&self) -> Option<Summary<'_>> {
        let inner = &*self.inner;
        let raw = inner.model.summary.as_ref()?;
        Some(Summary { inner, raw })
    }

    /// Returns the messages of the server about the SQL (`errors` and `msg`).
    #[must_use]
    pub fn errors(&self) -> impl ExactSizeIterator<Item = Diagnostic<'_>> + Clone {
        let inner = &*self.inner;
        inner.model.diagnostics.iter().map(move |raw| Diagnostic { inner, raw })
    }

    /// Returns the lines of the `error` text that a successful response came with. A response with code 203 is a
    /// partial success and explains itself here.
    pub fn warnings(&self) -> impl Iterator<Item = &str> + Clone {
        self.inner.model.warnings.iter().flat_map(|text| text.lines()).map(str::trim).filter(|line| !line.is_empty())
    }

    /// Returns the `code` of the envelope, if there was one: 200, or 203 for a partial success.
    #[must_use]
    pub fn code(&self) -> Option<i64> {
        self.inner.model.code
    }

    /// Returns the vendor of the SQL (`dbvoracle`, …): that of the whole document, or else of its first server.
    #[must_use]
    pub fn vendor(&self) -> Option<&str> {
        present(&self.inner, self.inner.model.vendor)
    }

    /// Returns the id of the job that the lineage belongs to.
    #[must_use]
    pub fn job_id(&self) -> Option<&str> {
        present(&self.inner, self.inner.model.job_id)
    }

    /// Returns the session id of the response.
    #[must_use]
    pub fn session_id(&self) -> Option<&str> {
        present(&self.inner, self.inner.model.session_id)
    }

    /// Returns the program that made the tree of objects (`createdBy`: `sqlflow v1.0.0`).
    #[must_use]
    pub fn created_by(&self) -> Option<&str> {
        present(&self.inner, self.inner.model.created_by)
    }

    /// Returns the label that the document was [read with](crate::Reader::label), such as the path of its file. A merged
    /// lineage has none, but the [locations](crate::Location) of its statements and messages keep theirs.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        present(&self.inner, self.inner.model.label)
    }

    /// Returns `true` if the document has a `graph` section, which describes the layout of a picture of the lineage.
    #[must_use]
    pub fn has_graph(&self) -> bool {
        self.inner.model.has_graph
    }

    /// Returns the `graph` section as compact JSON, if it was [kept](crate::Reader::keep_graph).
    #[must_use]
    pub fn graph_json(&self) -> Option<&str> {
        self.inner.model.graph.as_deref()
    }

    /// Returns the job that some documents carry in addition to the lineage, as compact JSON.
    #[must_use]
    pub fn job_json(&self) -> Option<&str> {
        self.inner.model.job.as_deref()
    }

    /// Returns the text that came after the JSON; some tools append an error log.
    #[must_use]
    pub fn trailing_text(&self) -> Option<&str> {
        self.inner.model.trailing.as_deref()
    }

    /// Returns the fields of the document that were not understood: the path of each, with `[]` for any index of an
    /// array, and the number of its occurrences.
    ///
    /// The list is empty unless the server is newer than this library, or does something that no server has been seen
    /// doing. At most about 1,000 paths are counted separately; the others are counted under `…`.
    ///
    /// ```
    /// use sqlflow_lineage::Lineage;
    ///
    /// let lineage: Lineage = r#"{"dbobjs": [
    ///     {"id": "1", "name": "ORDERS", "type": "table", "owner": "ann"},
    ///     {"id": "2", "name": "LINES", "type": "table", "owner": "bob"}
    /// ]}"#.parse()?;
    /// let unknown: Vec<_> = lineage.unknown_fields().collect();
    /// assert_eq!(unknown, [("dbobjs[].owner", 2)]);
    /// # Ok::<(), sqlflow_lineage::ReadError>(())
    /// ```
    #[must_use]
    pub fn unknown_fields(&self) -> impl ExactSizeIterator<Item = (&str, u64)> + Clone {
        self.inner.model.unknown.iter().map(|(path, count)| (&**path, *count))
    }

    /// Returns the number of bytes of memory that the lineage takes, without the indexes that questions build. It is the
    /// number that the allocator was asked for, give or take a few percent. Clones share the memory.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        // The counters of an `Arc` come before its value.
        2 * size_of::<usize>() + size_of::<LineageInner>() + self.inner.model.heap_bytes()
    }
}
