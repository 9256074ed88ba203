//! Objects: everything that has columns or is a routine.

use std::fmt;

use crate::kinds::ObjectKind;
use crate::model::{Flag, Flags, Model, NONE, ObjectExtra, RawObject, ScopeKind, Section, Span};
use crate::names;

use super::argument::Argument;
use super::column::Column;
use super::coordinate::{Coordinate, coordinates};
use super::present;

/// The prefixes of the names that servers invent for results inside a statement.
const RESULT_PREFIXES: [&str; 6] = ["RS-", "RESULT_OF_", "INSERT-SELECT-", "MERGE-INSERT-", "MERGE-UPDATE-", "CTE-"];

/// Returns `true` if an object is a result inside a statement. The type decides, or the name if there is no type.
pub(crate) fn is_intermediate(model: &Model, object: &RawObject) -> bool {
    if is_routine(model, object) {
        return false;
    }
    if let Some(kind) = model.texts.get_present(object.kind) {
        return ObjectKind::from(kind).is_intermediate();
    }
    let name = model.texts.get(object.name);
    RESULT_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Returns `true` if an object is a routine or a package.
///
/// In a tree, the array that lists the object decides. In a flat document the type does, and a function is a routine if
/// it has arguments.
pub(crate) fn is_routine(model: &Model, object: &RawObject) -> bool {
    match object.section {
        Section::Procedures | Section::Functions | Section::Triggers | Section::Packages => true,
        Section::Flat | Section::Tables | Section::Views | Section::Others => {
            match ObjectKind::from(model.texts.get(object.kind)) {
                ObjectKind::Procedure | ObjectKind::Trigger | ObjectKind::Package => true,
                ObjectKind::Function => !object.arguments.is_empty(),
                _ => false,
            }
        }
    }
}

indexed_view! {
    /// A table, a view, an intermediate result, a routine or a package.
    Object of RawObject in objects
    by |object: &Self| (object.qualified_name(), object.id().to_owned())
}

impl<'a> Object<'a> {
    fn extra(&self, key: ObjectExtra) -> Option<&'a str> {
        present(self.inner, self.inner.model.object_extras.get(self.at, key))
    }

    fn flags(&self) -> Flags {
        self.raw().map_or_else(Flags::default, |raw| raw.flags)
    }

    fn scope(&self, kind: ScopeKind) -> Option<&'a str> {
        let scope = self.raw()?.scope;
        present(self.inner, self.inner.model.scope_name(scope, kind))
    }

    /// Returns the id, which is unique within the document; empty if the document gives none.
    #[must_use]
    pub fn id(&self) -> &'a str {
        self.field(|raw| raw.id).unwrap_or_default()
    }

    /// Returns the name as the server writes it: quotes and qualification may be part of it.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.field(|raw| raw.name).unwrap_or_default()
    }

    /// Returns the name for people.
    #[must_use]
    pub fn display_name(&self) -> Option<&'a str> {
        self.field(|raw| raw.display_name)
    }

    /// Returns `database.schema.object`, without the levels that are unknown or `DEFAULT`.
    ///
    /// A level that both the name and its containers give appears once. If the stored objects of the document belong
    /// to more than one server, the server comes first, unless it is `DEFAULT_SERVER`. An object without a name has the
    /// form of its id, `id:12`. [`Lineage::object`](crate::Lineage::object) takes all of these; where several objects
    /// share one qualified name, [`lookup_name`](Self::lookup_name) tells them apart.
    ///
    /// ```
    /// use sqlflow_lineage::Lineage;
    ///
    /// let lineage: Lineage = r#"{"dbobjs": [
    ///     {"id": "1", "name": "SALES.ORDERS", "type": "table",
    ///      "database": "DEFAULT", "schema": "SALES"}
    /// ]}"#.parse()?;
    /// let orders = lineage.objects().next().expect("there is one");
    /// assert_eq!(orders.qualified_name(), "SALES.ORDERS");
    /// assert_eq!((orders.database(), orders.schema()), (Some("DEFAULT"), Some("SALES")));
    /// # Ok::<(), sqlflow_lineage::ReadError>(())
    /// ```
    #[must_use]
    pub fn qualified_name(&self) -> String {
        self.raw().map(|raw| names::object_name(self.inner, self.at, raw)).unwrap_or_default()
    }

    /// Returns the last identifier of the qualified name, or nothing for an object without a name.
    #[cfg(feature = "html")]
    pub(crate) fn own_name(&self) -> &'a str {
        let parts = self.raw().map(|raw| names::object_parts(&self.inner.model, raw, false)).unwrap_or_default();
        parts.last().map(|part| part.written).unwrap_or_default()
    }

    /// Returns the kind of object.
    #[must_use]
    pub fn kind(&self) -> ObjectKind {
        ObjectKind::from(self.kind_text())
    }

    /// Returns the kind of object as the server spells it; empty if the document gives none.
    #[must_use]
    pub fn kind_text(&self) -> &'a str {
        self.field(|raw| raw.kind).unwrap_or_default()
    }

    /// Returns `true` if the object is a result inside a statement and not something that a database stores.
    ///
    /// The kind decides, or the name (`RS-…`, `RESULT_OF_…`) if the document gives no kind. A function that is a
    /// routine is not intermediate.
    #[must_use]
    pub fn is_intermediate(&self) -> bool {
        self.raw().is_some_and(|raw| is_intermediate(&self.inner.model, raw))
    }

    /// Returns `true` if the object is the result of a query that stores nothing, such as a plain `SELECT`: values flow
    /// into it and nothing comes from it. It is [intermediate](Self::is_intermediate), but values end there, so questions
    /// count it as a target.
    ///
    /// Our reading: documents do not mark such results. A select list or set operation from which no relationship of any
    /// type comes is one, unless its name (`RESULT_OF_…`) says that it is a subquery. Without `fdr` relationships, a
    /// subquery in a condition looks the same.
    #[must_use]
    pub fn is_result_set(&self) -> bool {
        self.inner.index().is_result_set(self.at)
    }

    /// Returns `true` if the object is a procedure, function, trigger or package: code, through which values flow, and
    /// not data.
    ///
    /// A flat document does not tell a function from the result of a call; there a function with arguments is a
    /// routine.
    #[must_use]
    pub fn is_routine(&self) -> bool {
        self.raw().is_some_and(|raw| is_routine(&self.inner.model, raw))
    }

    /// Returns the server that the object belongs to.
    #[must_use]
    pub fn server(&self) -> Option<&'a str> {
        self.scope(ScopeKind::Server)
    }

    /// Returns the database that the object belongs to; `DEFAULT` if the document says so.
    #[must_use]
    pub fn database(&self) -> Option<&'a str> {
        self.scope(ScopeKind::Database)
    }

    /// Returns the schema that the object belongs to; `DEFAULT` if the document says so.
    #[must_use]
    pub fn schema(&self) -> Option<&'a str> {
        self.scope(ScopeKind::Schema)
    }

    /// Returns the package that the object belongs to.
    #[must_use]
    pub fn package(&self) -> Option<Object<'a>> {
        let within = self.raw()?.within;
        (within != NONE).then(|| Object::new(self.inner, within))
    }

    /// Returns the columns.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = Column<'a>> + Clone + use<'a> {
        let (inner, span) = (self.inner, self.raw().map_or_else(Span::default, |raw| raw.columns));
        span.indices().map(move |at| Column::new(inner, at))
    }

    /// Returns the arguments of a routine.
    pub fn arguments(&self) -> impl ExactSizeIterator<Item = Argument<'a>> + Clone + use<'a> {
        let (inner, span) = (self.inner, self.raw().map_or_else(Span::default, |raw| raw.arguments));
        span.indices().map(move |at| Argument::new(inner, at))
    }

    /// Returns the coordinates of the object in the SQL, usually its start and its end.
    pub fn coordinates(&self) -> impl ExactSizeIterator<Item = Coordinate<'a>> + Clone + use<'a> {
        let span = self.raw().map_or_else(Span::default, |raw| raw.coordinates);
        coordinates(self.inner, span)
    }

    /// Returns a finer kind, such as `record` or `cursor`.
    #[must_use]
    pub fn sub_type(&self) -> Option<&'a str> {
        self.extra(ObjectExtra::SubType)
    }

    /// Returns the alias.
    #[must_use]
    pub fn alias(&self) -> Option<&'a str> {
        self.extra(ObjectExtra::Alias)
    }

    /// Returns the hash of the query that the object comes from.
    #[must_use]
    pub fn query_hash_id(&self) -> Option<&'a str> {
        self.extra(ObjectExtra::QueryHashId)
    }

    /// Returns the name of the procedure that the object belongs to.
    #[must_use]
    pub fn procedure_name(&self) -> Option<&'a str> {
        self.extra(ObjectExtra::ProcedureName)
    }

    /// Returns the id of the procedure that the object belongs to.
    #[must_use]
    pub fn procedure_id(&self) -> Option<&'a str> {
        self.extra(ObjectExtra::ProcedureId)
    }

    /// Returns the `uri` field: the address of the data of an external table.
    #[must_use]
    pub fn uri(&self) -> Option<&'a str> {
        self.extra(ObjectExtra::Uri)
    }

    /// Returns the `location` field: the location of the data of an external table.
    #[must_use]
    pub fn location(&self) -> Option<&'a str> {
        self.extra(ObjectExtra::Location)
    }

    /// Returns the format of the files of an external table.
    #[must_use]
    pub fn file_type(&self) -> Option<&'a str> {
        self.extra(ObjectExtra::FileType)
    }

    /// Returns the `parent` field.
    #[must_use]
    pub fn parent(&self) -> Option<&'a str> {
        self.extra(ObjectExtra::Parent)
    }

    /// Returns the `isTarget` field, which is documented but has not been seen in documents.
    #[must_use]
    pub fn is_target(&self) -> Option<bool> {
        self.flags().get(Flag::IsTarget)
    }

    /// Returns `true` if user interfaces show the object, which they do unless the server says otherwise.
    #[must_use]
    pub fn ui_visible(&self) -> bool {
        self.flags().get(Flag::UiVisible).unwrap_or(true)
    }
}

impl fmt::Display for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.qualified_name())
    }
}

impl fmt::Debug for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Object({:?}, id {:?})", self.qualified_name(), self.id())
    }
}
