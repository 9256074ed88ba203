//! What a person sees: small borrowed views into the arenas.

use std::fmt;
use std::hash::{Hash, Hasher};

use super::graph::{Node, node_of};
use super::intern::Symbol;
use super::kinds::{ClauseType, EffectType, Mode, ObjectKind, RelationType};
use super::model::{
    ColumnExtra, EndExtra, Flag, Flags, Model, NONE, ObjectExtra, RawArgument, RawBusiestTable, RawColumn,
    RawCoordinate, RawDiagnostic, RawEnd, RawObject, RawProcess, RawRelationship, RawSummary, RawTransform,
    RelationshipExtra, Role, ScopeKind, Section, Span, indices,
};
use super::{Inner, Lineage, names};

/// The prefixes of the names that servers make up for results inside a statement.
const RESULT_PREFIXES: [&str; 6] = ["RS-", "RESULT_OF_", "INSERT-SELECT-", "MERGE-INSERT-", "MERGE-UPDATE-", "CTE-"];

/// Judged by the type; by the name where no type was given.
pub(super) fn is_intermediate(model: &Model, object: &RawObject) -> bool {
    if is_routine(model, object) {
        return false;
    }
    if let Some(kind) = model.texts.get_present(object.kind) {
        return ObjectKind::from(kind).is_intermediate();
    }
    let name = model.texts.get(object.name);
    RESULT_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Judged by the array it stood in; in a flat answer by the type, and a function by whether it has arguments.
pub(super) fn is_routine(model: &Model, object: &RawObject) -> bool {
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

/// Judged by the name and that the server made it up.
pub(super) fn is_record_set(model: &Model, column: &RawColumn) -> bool {
    model.texts.get(column.source).eq_ignore_ascii_case("system")
        && model.texts.get(column.name).eq_ignore_ascii_case("RelationRows")
}

/// Iterators over views hand out one for each index.
macro_rules! views {
    ($inner:expr, $indices:expr, $view:ident) => {{
        let inner = $inner;
        $indices.map(move |at| $view::new(inner, at))
    }};
}

/// A view is the same as another if both show the same record of the same lineage.
macro_rules! same_record {
    ($view:ident) => {
        impl PartialEq for $view<'_> {
            fn eq(&self, other: &Self) -> bool {
                std::ptr::eq(self.inner, other.inner) && self.at == other.at
            }
        }

        impl Eq for $view<'_> {}

        impl Hash for $view<'_> {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.at.hash(state);
            }
        }

        impl<'a> $view<'a> {
            pub(super) fn new(inner: &'a Inner, at: u32) -> Self {
                Self { inner, at }
            }

            #[allow(dead_code)]
            fn text(&self, symbol: Symbol) -> &'a str {
                self.inner.model.texts.get(symbol)
            }

            #[allow(dead_code)]
            fn present(&self, symbol: Symbol) -> Option<&'a str> {
                self.inner.model.texts.get_present(symbol)
            }
        }
    };
}

fn coordinates(inner: &Inner, span: Span) -> impl ExactSizeIterator<Item = Coordinate<'_>> + Clone {
    span.of(&inner.model.coordinates).iter().map(|raw| Coordinate { inner, raw })
}

impl Lineage {
    /// All objects: tables, views, intermediate results, procedures, functions, triggers, packages; in the order of
    /// the answer.
    #[must_use]
    pub fn objects(&self) -> impl ExactSizeIterator<Item = Object<'_>> + Clone {
        views!(&*self.inner, indices(&self.inner.model.objects), Object)
    }

    /// All columns of all objects, in the order of the answer.
    #[must_use]
    pub fn columns(&self) -> impl ExactSizeIterator<Item = Column<'_>> + Clone {
        views!(&*self.inner, indices(&self.inner.model.columns), Column)
    }

    /// All relationships, in the order of the answer.
    #[must_use]
    pub fn relationships(&self) -> impl ExactSizeIterator<Item = Relationship<'_>> + Clone {
        views!(&*self.inner, indices(&self.inner.model.relationships), Relationship)
    }

    /// All processes. Servers write one in up to three places; it is here once.
    #[must_use]
    pub fn processes(&self) -> impl ExactSizeIterator<Item = Process<'_>> + Clone {
        views!(&*self.inner, indices(&self.inner.model.processes), Process)
    }

    /// The object with an id.
    #[must_use]
    pub fn object_by_id(&self, id: &str) -> Option<Object<'_>> {
        let inner = &*self.inner;
        let at = inner.ids().object(inner.model.texts.find(id)?)?;
        Some(Object::new(inner, at))
    }

    /// The column with an id.
    #[must_use]
    pub fn column_by_id(&self, id: &str) -> Option<Column<'_>> {
        let inner = &*self.inner;
        let at = inner.ids().column(inner.model.texts.find(id)?)?;
        Some(Column::new(inner, at))
    }

    /// The process with an id.
    #[must_use]
    pub fn process_by_id(&self, id: &str) -> Option<Process<'_>> {
        let inner = &*self.inner;
        let at = inner.ids().process(inner.model.texts.find(id)?)?;
        Some(Process::new(inner, at))
    }

    /// The ends of relationships whose id is that of nothing in the answer. None is usual.
    pub fn unresolved(&self) -> impl Iterator<Item = Endpoint<'_>> + Clone {
        self.relationships().flat_map(|relationship| relationship.ends()).filter(|end| !end.is_resolved())
    }

    /// How much the answer holds. `None` if it does not say, as answers without a summary do.
    #[must_use]
    pub fn mode(&self) -> Option<&Mode> {
        self.inner.model.mode.as_ref()
    }

    /// Whether the answer is a summary: counts and table names, but **no** columns and relationships, because there
    /// were more than the server's limit. The full lineage has to be asked for in another way.
    #[must_use]
    pub fn is_summary(&self) -> bool {
        self.mode() == Some(&Mode::Summary)
    }

    /// The counts that the server gave.
    #[must_use]
    pub fn summary(&self) -> Option<Summary<'_>> {
        let inner = &*self.inner;
        let raw = inner.model.summary.as_ref()?;
        Some(Summary { inner, raw })
    }

    /// What the server found wrong with the SQL (`errors` and `msg`).
    #[must_use]
    pub fn errors(&self) -> impl ExactSizeIterator<Item = Diagnostic<'_>> + Clone {
        let inner = &*self.inner;
        inner.model.diagnostics.iter().map(move |raw| Diagnostic { inner, raw })
    }

    /// The `error` text that a successful answer came with, line by line. An answer of code 203 is only partly
    /// successful, and says here why.
    pub fn warnings(&self) -> impl Iterator<Item = &str> + Clone {
        self.inner.model.warnings.iter().flat_map(|text| text.lines()).map(str::trim).filter(|line| !line.is_empty())
    }

    /// The `code` of the envelope, if there was one: 200, or 203 for a partial success.
    #[must_use]
    pub fn code(&self) -> Option<i64> {
        self.inner.model.code
    }

    /// The vendor of the SQL (`dbvoracle`, …), of the model or else of its first server.
    #[must_use]
    pub fn vendor(&self) -> Option<&str> {
        self.present(self.inner.model.vendor)
    }

    /// The id of the job that was answered for.
    #[must_use]
    pub fn job_id(&self) -> Option<&str> {
        self.present(self.inner.model.job_id)
    }

    /// The session id of the answer.
    #[must_use]
    pub fn session_id(&self) -> Option<&str> {
        self.present(self.inner.model.session_id)
    }

    /// What made the tree of objects (`createdBy`: `sqlflow v1.0.0`).
    #[must_use]
    pub fn created_by(&self) -> Option<&str> {
        self.present(self.inner.model.created_by)
    }

    /// The servers of a tree answer. A flat one has none unless its objects name them.
    pub fn servers(&self) -> impl Iterator<Item = Server<'_>> + Clone {
        views!(&*self.inner, indices(&self.inner.model.scopes), Server)
            .filter(|server| server.raw().is_some_and(|scope| scope.kind == ScopeKind::Server))
    }

    /// The `graph` section, which tells how a picture of the lineage is laid out, as compact JSON.
    #[must_use]
    pub fn graph_json(&self) -> Option<&str> {
        self.inner.model.graph.as_deref()
    }

    /// The job that some answers carry beside the lineage, as compact JSON.
    #[must_use]
    pub fn job_json(&self) -> Option<&str> {
        self.inner.model.job.as_deref()
    }

    /// Text that came after the JSON; some tools append an error log.
    #[must_use]
    pub fn trailing_text(&self) -> Option<&str> {
        self.inner.model.trailing.as_deref()
    }

    /// The fields of the answer that were not understood: their path, with `[]` for any index of an array, and how
    /// often they came. Empty unless the server is newer than this library, or does what none was seen doing.
    ///
    /// At most about 1,000 paths are told apart; the others are counted under `…`.
    #[must_use]
    pub fn unknown_fields(&self) -> impl ExactSizeIterator<Item = (&str, u64)> + Clone {
        self.inner.model.unknown.iter().map(|(path, count)| (path.as_str(), *count))
    }

    /// About how many bytes of memory the model takes, the indexes for questions left out.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.inner.model.heap_bytes()
    }

    fn present(&self, symbol: Symbol) -> Option<&str> {
        self.inner.model.texts.get_present(symbol)
    }
}

/// A database server, or what stands for one (`DEFAULT_SERVER`).
#[derive(Clone, Copy)]
pub struct Server<'a> {
    inner: &'a Inner,
    at: u32,
}

same_record!(Server);

impl<'a> Server<'a> {
    fn raw(&self) -> Option<&'a super::model::Scope> {
        self.inner.model.scopes.get(self.at as usize)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.raw().map_or("", |raw| self.text(raw.name))
    }

    /// The vendor of its SQL (`dbvoracle`, …).
    #[must_use]
    pub fn vendor(&self) -> Option<&'a str> {
        self.present(self.raw()?.vendor)
    }

    /// Whether it has databases.
    #[must_use]
    pub fn supports_catalogs(&self) -> Option<bool> {
        self.raw()?.supports_catalogs
    }

    /// Whether it has schemas.
    #[must_use]
    pub fn supports_schemas(&self) -> Option<bool> {
        self.raw()?.supports_schemas
    }
}

impl fmt::Debug for Server<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({:?})", self.name())
    }
}

/// A place in the SQL.
#[derive(Clone, Copy)]
pub struct Coordinate<'a> {
    inner: &'a Inner,
    raw: &'a RawCoordinate,
}

impl<'a> Coordinate<'a> {
    /// The line, from 1; −1 where the server does not know.
    #[must_use]
    pub fn line(&self) -> i32 {
        self.raw.x
    }

    /// The column, from 1; −1 where the server does not know.
    #[must_use]
    pub fn column(&self) -> i32 {
        self.raw.y
    }

    /// Tells which of several scripts is meant: `0`, a small number or 32 hexadecimal digits. Absent in the
    /// coordinates of original places.
    #[must_use]
    pub fn hash_code(&self) -> Option<&'a str> {
        self.inner.model.texts.get_present(self.raw.hash)
    }
}

impl PartialEq for Coordinate<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.line(), self.column(), self.hash_code()) == (other.line(), other.column(), other.hash_code())
    }
}

impl Eq for Coordinate<'_> {}

impl fmt::Debug for Coordinate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line(), self.column())?;
        match self.hash_code() {
            Some(hash) => write!(f, "#{hash}"),
            None => Ok(()),
        }
    }
}

/// A table, a view, an intermediate result, a routine or a package.
#[derive(Clone, Copy)]
pub struct Object<'a> {
    pub(super) inner: &'a Inner,
    pub(super) at: u32,
}

same_record!(Object);

impl<'a> Object<'a> {
    fn raw(&self) -> Option<&'a RawObject> {
        self.inner.model.objects.get(self.at as usize)
    }

    fn field(&self, field: impl FnOnce(&RawObject) -> Symbol) -> Option<&'a str> {
        self.present(field(self.raw()?))
    }

    fn extra(&self, key: ObjectExtra) -> Option<&'a str> {
        self.present(self.inner.model.object_extras.get(self.at, key))
    }

    fn flags(&self) -> Flags {
        self.raw().map_or_else(Flags::default, |raw| raw.flags)
    }

    fn scope(&self, kind: ScopeKind) -> Option<&'a str> {
        let scope = self.raw()?.scope;
        self.present(self.inner.model.scope_name(scope, kind))
    }

    /// Its id, unique within the answer; empty if it was not given.
    #[must_use]
    pub fn id(&self) -> &'a str {
        self.field(|raw| raw.id).unwrap_or_default()
    }

    /// Its name as the server wrote it: quotes and qualification may be part of it.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.field(|raw| raw.name).unwrap_or_default()
    }

    /// The name for people.
    #[must_use]
    pub fn display_name(&self) -> Option<&'a str> {
        self.field(|raw| raw.display_name)
    }

    /// `database.schema.object`, leaving out what is not known or `DEFAULT`, and saying once what both the name and
    /// its containers say.
    #[must_use]
    pub fn qualified_name(&self) -> String {
        self.raw().map(|raw| names::object_name(&self.inner.model, raw)).unwrap_or_default()
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> ObjectKind {
        ObjectKind::from(self.kind_text())
    }

    /// What it is, as the server spelled it; empty if it was not given.
    #[must_use]
    pub fn kind_text(&self) -> &'a str {
        self.field(|raw| raw.kind).unwrap_or_default()
    }

    /// Whether this is a result inside a statement and not something a database stores: by its kind, or where none
    /// was given by its name (`RS-…`, `RESULT_OF_…`). A function that is a routine is none.
    #[must_use]
    pub fn is_intermediate(&self) -> bool {
        self.raw().is_some_and(|raw| is_intermediate(&self.inner.model, raw))
    }

    /// Whether this is a procedure, function, trigger or package: code, through which values flow, and not data.
    ///
    /// A flat answer does not tell a function from a call's result; there a function with arguments is a routine.
    #[must_use]
    pub fn is_routine(&self) -> bool {
        self.raw().is_some_and(|raw| is_routine(&self.inner.model, raw))
    }

    /// The server it stands in.
    #[must_use]
    pub fn server(&self) -> Option<&'a str> {
        self.scope(ScopeKind::Server)
    }

    /// The database it stands in, `DEFAULT` if the answer says so.
    #[must_use]
    pub fn database(&self) -> Option<&'a str> {
        self.scope(ScopeKind::Database)
    }

    /// The schema it stands in, `DEFAULT` if the answer says so.
    #[must_use]
    pub fn schema(&self) -> Option<&'a str> {
        self.scope(ScopeKind::Schema)
    }

    /// The package it stands in.
    #[must_use]
    pub fn package(&self) -> Option<Object<'a>> {
        let within = self.raw()?.within;
        (within != NONE).then(|| Object::new(self.inner, within))
    }

    /// Its columns.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = Column<'a>> + Clone + use<'a> {
        let span = self.raw().map_or_else(Span::default, |raw| raw.columns);
        views!(self.inner, span.indices(), Column)
    }

    /// The arguments of a routine.
    pub fn arguments(&self) -> impl ExactSizeIterator<Item = Argument<'a>> + Clone + use<'a> {
        let span = self.raw().map_or_else(Span::default, |raw| raw.arguments);
        views!(self.inner, span.indices(), Argument)
    }

    /// Where it stands in the SQL, usually its start and end.
    pub fn coordinates(&self) -> impl ExactSizeIterator<Item = Coordinate<'a>> + Clone + use<'a> {
        let span = self.raw().map_or_else(Span::default, |raw| raw.coordinates);
        coordinates(self.inner, span)
    }

    /// A finer kind, such as `record` or `cursor`.
    #[must_use]
    pub fn sub_type(&self) -> Option<&'a str> {
        self.extra(ObjectExtra::SubType)
    }

    /// Its alias.
    #[must_use]
    pub fn alias(&self) -> Option<&'a str> {
        self.extra(ObjectExtra::Alias)
    }

    /// The hash of the query it comes from.
    #[must_use]
    pub fn query_hash_id(&self) -> Option<&'a str> {
        self.extra(ObjectExtra::QueryHashId)
    }

    /// The procedure it belongs to.
    #[must_use]
    pub fn procedure_name(&self) -> Option<&'a str> {
        self.extra(ObjectExtra::ProcedureName)
    }

    /// The id of the procedure it belongs to.
    #[must_use]
    pub fn procedure_id(&self) -> Option<&'a str> {
        self.extra(ObjectExtra::ProcedureId)
    }

    /// Where the data of an external table is.
    #[must_use]
    pub fn uri(&self) -> Option<&'a str> {
        self.extra(ObjectExtra::Uri)
    }

    /// Where the data of an external table is.
    #[must_use]
    pub fn location(&self) -> Option<&'a str> {
        self.extra(ObjectExtra::Location)
    }

    /// The format of the files of an external table.
    #[must_use]
    pub fn file_type(&self) -> Option<&'a str> {
        self.extra(ObjectExtra::FileType)
    }

    /// The `parent` field.
    #[must_use]
    pub fn parent(&self) -> Option<&'a str> {
        self.extra(ObjectExtra::Parent)
    }

    /// The `isTarget` field, which is documented but was not seen.
    #[must_use]
    pub fn is_target(&self) -> Option<bool> {
        self.flags().get(Flag::IsTarget)
    }

    /// Whether user interfaces show it; they do unless the server says otherwise.
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

/// A column of an object.
#[derive(Clone, Copy)]
pub struct Column<'a> {
    pub(super) inner: &'a Inner,
    pub(super) at: u32,
}

same_record!(Column);

impl<'a> Column<'a> {
    fn raw(&self) -> Option<&'a RawColumn> {
        self.inner.model.columns.get(self.at as usize)
    }

    fn field(&self, field: impl FnOnce(&RawColumn) -> Symbol) -> Option<&'a str> {
        self.present(field(self.raw()?))
    }

    fn flag(&self, flag: Flag) -> Option<bool> {
        self.raw()?.flags.get(flag)
    }

    /// Its id, unique within the answer; empty if it was not given.
    #[must_use]
    pub fn id(&self) -> &'a str {
        self.field(|raw| raw.id).unwrap_or_default()
    }

    /// Its name as the server wrote it: with quotes, or `*`, a number, or several lines of SQL.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.field(|raw| raw.name).unwrap_or_default()
    }

    /// `database.schema.object.column`; see [`Object::qualified_name`].
    #[must_use]
    pub fn qualified_name(&self) -> String {
        let mut name = self.object().qualified_name();
        name.push('.');
        name.push_str(self.name());
        name
    }

    /// The object it is a column of.
    #[must_use]
    pub fn object(&self) -> Object<'a> {
        Object::new(self.inner, self.raw().map_or(NONE, |raw| raw.object))
    }

    /// Its type in the database.
    #[must_use]
    pub fn data_type(&self) -> Option<&'a str> {
        self.field(|raw| raw.data_type)
    }

    /// `system` (or `SYSTEM`) for columns that the server made up.
    #[must_use]
    pub fn source(&self) -> Option<&'a str> {
        self.field(|raw| raw.source)
    }

    /// Whether the server made it up; user interfaces hide such columns.
    #[must_use]
    pub fn is_system(&self) -> bool {
        self.source().is_some_and(|source| source.eq_ignore_ascii_case("system"))
    }

    /// Whether it stands for its object's record set: a column `RelationRows` that the server made up.
    #[must_use]
    pub fn is_record_set(&self) -> bool {
        self.raw().is_some_and(|raw| is_record_set(&self.inner.model, raw))
    }

    /// Whether user interfaces show it; they do unless the server says otherwise.
    #[must_use]
    pub fn ui_visible(&self) -> bool {
        self.flag(Flag::UiVisible).unwrap_or(true)
    }

    /// Whether it is part of the primary key, as far as the server knows.
    #[must_use]
    pub fn is_primary_key(&self) -> bool {
        self.flag(Flag::PrimaryKey).unwrap_or(false)
    }

    /// Whether it is part of a foreign key, as far as the server knows.
    #[must_use]
    pub fn is_foreign_key(&self) -> bool {
        self.flag(Flag::ForeignKey).unwrap_or(false)
    }

    /// Whether it is part of a unique key, as far as the server knows.
    #[must_use]
    pub fn is_unique_key(&self) -> bool {
        self.flag(Flag::UniqueKey).unwrap_or(false)
    }

    /// The `qualifiedTable` field.
    #[must_use]
    pub fn qualified_table(&self) -> Option<&'a str> {
        let extras = &self.inner.model.column_extras;
        self.present(extras.get(self.at, ColumnExtra::QualifiedTable))
    }

    /// Where it stands in the SQL, usually its start and end.
    pub fn coordinates(&self) -> impl ExactSizeIterator<Item = Coordinate<'a>> + Clone + use<'a> {
        let span = self.raw().map_or_else(Span::default, |raw| raw.coordinates);
        coordinates(self.inner, span)
    }
}

impl fmt::Display for Column<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.qualified_name())
    }
}

impl fmt::Debug for Column<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Column({:?}, id {:?})", self.qualified_name(), self.id())
    }
}

/// An argument of a routine.
#[derive(Clone, Copy)]
pub struct Argument<'a> {
    inner: &'a Inner,
    at: u32,
}

same_record!(Argument);

impl<'a> Argument<'a> {
    fn raw(&self) -> Option<&'a RawArgument> {
        self.inner.model.arguments.get(self.at as usize)
    }

    /// Its id, unique within the answer; empty if it was not given.
    #[must_use]
    pub fn id(&self) -> &'a str {
        self.raw().map_or("", |raw| self.text(raw.id))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.raw().map_or("", |raw| self.text(raw.name))
    }

    /// Its type in the database.
    #[must_use]
    pub fn data_type(&self) -> Option<&'a str> {
        self.present(self.raw()?.data_type)
    }

    /// Which way it is passed: `in`, `out` or both, as the server spelled it.
    #[must_use]
    pub fn inout(&self) -> Option<&'a str> {
        self.present(self.raw()?.inout)
    }

    /// Where it stands in the SQL.
    pub fn coordinates(&self) -> impl ExactSizeIterator<Item = Coordinate<'a>> + Clone + use<'a> {
        let span = self.raw().map_or_else(Span::default, |raw| raw.coordinates);
        coordinates(self.inner, span)
    }
}

impl fmt::Debug for Argument<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Argument({:?}, id {:?})", self.name(), self.id())
    }
}

/// A statement that makes relationships.
#[derive(Clone, Copy)]
pub struct Process<'a> {
    inner: &'a Inner,
    at: u32,
}

same_record!(Process);

impl<'a> Process<'a> {
    fn raw(&self) -> Option<&'a RawProcess> {
        self.inner.model.processes.get(self.at as usize)
    }

    fn field(&self, field: impl FnOnce(&RawProcess) -> Symbol) -> Option<&'a str> {
        self.present(field(self.raw()?))
    }

    /// Its id, unique within the answer; empty if it was not given.
    #[must_use]
    pub fn id(&self) -> &'a str {
        self.field(|raw| raw.id).unwrap_or_default()
    }

    /// Its name, such as `Query Insert-1`.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.field(|raw| raw.name).unwrap_or_default()
    }

    /// The kind of statement, such as `sstinsert`. Not given by flat answers.
    #[must_use]
    pub fn kind(&self) -> Option<&'a str> {
        self.field(|raw| raw.kind)
    }

    /// The procedure it stands in, or `batchQueries`.
    #[must_use]
    pub fn procedure_name(&self) -> Option<&'a str> {
        self.field(|raw| raw.procedure_name)
    }

    /// The id of the procedure it stands in.
    #[must_use]
    pub fn procedure_id(&self) -> Option<&'a str> {
        self.field(|raw| raw.procedure_id)
    }

    /// The hash of its query.
    #[must_use]
    pub fn query_hash_id(&self) -> Option<&'a str> {
        self.field(|raw| raw.query_hash_id)
    }

    /// The database it stands in, if it was written in one.
    #[must_use]
    pub fn database(&self) -> Option<&'a str> {
        let scope = self.raw()?.scope;
        self.present(self.inner.model.scope_name(scope, ScopeKind::Database))
    }

    /// The schema it stands in, if it was written in one.
    #[must_use]
    pub fn schema(&self) -> Option<&'a str> {
        let scope = self.raw()?.scope;
        self.present(self.inner.model.scope_name(scope, ScopeKind::Schema))
    }

    /// Whether user interfaces show it; they do unless the server says otherwise.
    #[must_use]
    pub fn ui_visible(&self) -> bool {
        self.raw().and_then(|raw| raw.flags.get(Flag::UiVisible)).unwrap_or(true)
    }

    /// Where it stands in the SQL, usually its start and end.
    pub fn coordinates(&self) -> impl ExactSizeIterator<Item = Coordinate<'a>> + Clone + use<'a> {
        let span = self.raw().map_or_else(Span::default, |raw| raw.coordinates);
        coordinates(self.inner, span)
    }
}

impl fmt::Debug for Process<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Process({:?}, id {:?})", self.name(), self.id())
    }
}

/// What some ends have to do with another: a value flows, a join compares, a routine calls.
#[derive(Clone, Copy)]
pub struct Relationship<'a> {
    inner: &'a Inner,
    at: u32,
}

same_record!(Relationship);

impl<'a> Relationship<'a> {
    fn raw(&self) -> Option<&'a RawRelationship> {
        self.inner.model.relationships.get(self.at as usize)
    }

    fn field(&self, field: impl FnOnce(&RawRelationship) -> Symbol) -> Option<&'a str> {
        self.present(field(self.raw()?))
    }

    fn extra(&self, key: RelationshipExtra) -> Option<&'a str> {
        self.present(self.inner.model.relationship_extras.get(self.at, key))
    }

    fn with_role(&self, role: EndpointRole) -> impl Iterator<Item = Endpoint<'a>> + Clone + use<'a> {
        self.ends().filter(move |end| end.role() == role)
    }

    /// Its id; empty if it was not given.
    #[must_use]
    pub fn id(&self) -> &'a str {
        self.field(|raw| raw.id).unwrap_or_default()
    }

    /// What it says about its ends.
    #[must_use]
    pub fn relation_type(&self) -> RelationType {
        RelationType::from(self.type_text())
    }

    /// What it says about its ends, as the server spelled it; empty if it was not given.
    #[must_use]
    pub fn type_text(&self) -> &'a str {
        self.field(|raw| raw.kind).unwrap_or_default()
    }

    /// The kind of statement or expression that made it.
    #[must_use]
    pub fn effect_type(&self) -> Option<EffectType> {
        self.effect_text().map(EffectType::from)
    }

    /// The kind of statement or expression that made it, as the server spelled it.
    #[must_use]
    pub fn effect_text(&self) -> Option<&'a str> {
        self.field(|raw| raw.effect)
    }

    /// The end it is about. A `call` has none.
    #[must_use]
    pub fn target(&self) -> Option<Endpoint<'a>> {
        self.with_role(EndpointRole::Target).next()
    }

    /// The ends it comes from; there may be none.
    pub fn sources(&self) -> impl Iterator<Item = Endpoint<'a>> + Clone + use<'a> {
        self.with_role(EndpointRole::Source)
    }

    /// The routine that calls, of a `call`.
    #[must_use]
    pub fn caller(&self) -> Option<Endpoint<'a>> {
        self.with_role(EndpointRole::Caller).next()
    }

    /// The routines that are called, of a `call`.
    pub fn callees(&self) -> impl Iterator<Item = Endpoint<'a>> + Clone + use<'a> {
        self.with_role(EndpointRole::Callee)
    }

    /// All ends, whatever their role, in the order of the answer.
    pub fn ends(&self) -> impl ExactSizeIterator<Item = Endpoint<'a>> + Clone + use<'a> {
        let (inner, relationship) = (self.inner, self.at);
        let span = self.raw().map_or_else(Span::default, |raw| raw.ends);
        span.indices().map(move |at| Endpoint { inner, at, relationship })
    }

    /// The id of the process that makes it.
    #[must_use]
    pub fn process_id(&self) -> Option<&'a str> {
        self.field(|raw| raw.process_id)
    }

    /// The process that makes it, if the answer has it.
    #[must_use]
    pub fn process(&self) -> Option<Process<'a>> {
        let at = self.inner.ids().process(self.raw()?.process_id)?;
        Some(Process::new(self.inner, at))
    }

    /// The kind of the process that makes it.
    #[must_use]
    pub fn process_type(&self) -> Option<&'a str> {
        self.extra(RelationshipExtra::ProcessType)
    }

    /// The function it goes through.
    #[must_use]
    pub fn function(&self) -> Option<&'a str> {
        self.extra(RelationshipExtra::Function)
    }

    /// The `timestampMin` field, which is documented but was not seen.
    #[must_use]
    pub fn timestamp_min(&self) -> Option<&'a str> {
        self.extra(RelationshipExtra::TimestampMin)
    }

    /// The `timestampMax` field, which is documented but was not seen.
    #[must_use]
    pub fn timestamp_max(&self) -> Option<&'a str> {
        self.extra(RelationshipExtra::TimestampMax)
    }

    /// The kind of join, of a `join`.
    #[must_use]
    pub fn join_type(&self) -> Option<&'a str> {
        self.extra(RelationshipExtra::JoinType)
    }

    /// The clause a `join` stands in.
    #[must_use]
    pub fn clause(&self) -> Option<&'a str> {
        self.extra(RelationshipExtra::Clause)
    }

    /// The condition of a `join`.
    #[must_use]
    pub fn condition(&self) -> Option<&'a str> {
        self.extra(RelationshipExtra::Condition)
    }
}

impl fmt::Debug for Relationship<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Relationship({:?}, id {:?}, {} ends)", self.type_text(), self.id(), self.ends().len())
    }
}

/// What an end is to its relationship.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndpointRole {
    /// The end the relationship is about.
    Target,
    /// An end it comes from.
    Source,
    /// The routine that calls.
    Caller,
    /// A routine that is called.
    Callee,
}

/// An end of a relationship. It means a column or an object by its [`id`](Self::id); the names it repeats often
/// differ from theirs in case or qualification.
#[derive(Clone, Copy)]
pub struct Endpoint<'a> {
    inner: &'a Inner,
    at: u32,
    relationship: u32,
}

impl PartialEq for Endpoint<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.inner, other.inner) && self.at == other.at
    }
}

impl Eq for Endpoint<'_> {}

impl<'a> Endpoint<'a> {
    fn raw(&self) -> Option<&'a RawEnd> {
        self.inner.model.ends.get(self.at as usize)
    }

    fn field(&self, field: impl FnOnce(&RawEnd) -> Symbol) -> Option<&'a str> {
        let symbol = field(self.raw()?);
        self.inner.model.texts.get_present(symbol)
    }

    fn extra(&self, key: EndExtra) -> Option<&'a str> {
        let symbol = self.inner.model.end_extras.get(self.at, key);
        self.inner.model.texts.get_present(symbol)
    }

    fn node(&self) -> Option<Node> {
        node_of(&self.inner.model, self.inner.ids(), self.at, self.raw()?)
    }

    /// What it is to its relationship.
    #[must_use]
    pub fn role(&self) -> EndpointRole {
        match self.raw().map(|raw| raw.role) {
            Some(Role::Source) => EndpointRole::Source,
            Some(Role::Caller) => EndpointRole::Caller,
            Some(Role::Callee) => EndpointRole::Callee,
            Some(Role::Target) | None => EndpointRole::Target,
        }
    }

    /// The relationship it is an end of.
    #[must_use]
    pub fn relationship(&self) -> Relationship<'a> {
        Relationship::new(self.inner, self.relationship)
    }

    /// The id of what it means; empty if it was not given.
    #[must_use]
    pub fn id(&self) -> &'a str {
        self.field(|raw| raw.id).unwrap_or_default()
    }

    /// The name it gives: a column's, or a routine's for the ends of a `call`.
    #[must_use]
    pub fn name(&self) -> Option<&'a str> {
        self.field(|raw| raw.name)
    }

    /// The id of the object it says its column is of.
    #[must_use]
    pub fn parent_id(&self) -> Option<&'a str> {
        self.field(|raw| raw.parent_id)
    }

    /// The name of the object it says its column is of.
    #[must_use]
    pub fn parent_name(&self) -> Option<&'a str> {
        self.field(|raw| raw.parent_name)
    }

    /// The table's id, of a relationship between whole tables.
    #[must_use]
    pub fn table_id(&self) -> Option<&'a str> {
        self.extra(EndExtra::TableId)
    }

    /// The table's name, of a relationship between whole tables.
    #[must_use]
    pub fn table_name(&self) -> Option<&'a str> {
        self.extra(EndExtra::TableName)
    }

    /// The column it means.
    #[must_use]
    pub fn column(&self) -> Option<Column<'a>> {
        match self.node()? {
            Node::Column(at) => Some(Column::new(self.inner, at)),
            Node::Object(_) => None,
        }
    }

    /// The object it means, or that the column it means is of.
    #[must_use]
    pub fn object(&self) -> Option<Object<'a>> {
        match self.node() {
            Some(Node::Column(at)) => Some(Column::new(self.inner, at).object()),
            Some(Node::Object(at)) => Some(Object::new(self.inner, at)),
            None => {
                let at = self.inner.ids().object(self.raw()?.parent_id)?;
                Some(Object::new(self.inner, at))
            }
        }
    }

    /// Whether its id is that of something in the answer; an end without an id is, if its table's is.
    #[must_use]
    pub fn is_resolved(&self) -> bool {
        self.raw().is_some_and(|raw| self.inner.ids().is_known(raw.id) || (raw.id.is_absent() && self.node().is_some()))
    }

    /// Where in its statement it stands.
    #[must_use]
    pub fn clause_type(&self) -> Option<ClauseType> {
        self.field(|raw| raw.clause).map(ClauseType::from)
    }

    /// The `columnType` field, which is documented but was not seen.
    #[must_use]
    pub fn column_type(&self) -> Option<&'a str> {
        self.extra(EndExtra::ColumnType)
    }

    /// The function it goes through.
    #[must_use]
    pub fn function(&self) -> Option<&'a str> {
        self.extra(EndExtra::Function)
    }

    /// The `type` field: what a caller or callee is.
    #[must_use]
    pub fn kind(&self) -> Option<&'a str> {
        self.extra(EndExtra::Kind)
    }

    /// What happens to the value on its way.
    #[must_use]
    pub fn transforms(&self) -> impl ExactSizeIterator<Item = Transform<'a>> + Clone + use<'a> {
        let (inner, at) = (self.inner, self.at);
        let transforms = &inner.model.transforms;
        // Ends are read one after the other, and so are their transforms.
        let from = transforms.partition_point(|transform| transform.end < at);
        let to = transforms.partition_point(|transform| transform.end <= at);
        transforms.get(from..to).unwrap_or_default().iter().map(move |raw| Transform { inner, raw })
    }

    /// Where it stands in the SQL, usually its start and end.
    pub fn coordinates(&self) -> impl ExactSizeIterator<Item = Coordinate<'a>> + Clone + use<'a> {
        let span = self.raw().map_or_else(Span::default, |raw| raw.coordinates);
        coordinates(self.inner, span)
    }
}

impl fmt::Debug for Endpoint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({:?}, id {:?})", self.role(), self.id())
    }
}

/// What happens to a value on its way, where the server was asked to show it.
#[derive(Clone, Copy)]
pub struct Transform<'a> {
    inner: &'a Inner,
    raw: &'a RawTransform,
}

impl<'a> Transform<'a> {
    /// The kind of transformation.
    #[must_use]
    pub fn kind(&self) -> Option<&'a str> {
        self.inner.model.texts.get_present(self.raw.kind)
    }

    /// The SQL of it.
    #[must_use]
    pub fn code(&self) -> Option<&'a str> {
        self.inner.model.texts.get_present(self.raw.code)
    }

    /// Where it stands in the SQL.
    #[must_use]
    pub fn coordinates(&self) -> impl ExactSizeIterator<Item = Coordinate<'a>> + Clone + use<'a> {
        coordinates(self.inner, self.raw.coordinates)
    }
}

impl fmt::Debug for Transform<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Transform({:?})", self.kind().unwrap_or_default())
    }
}

/// Something that the server found wrong with the SQL, or wants to be known.
#[derive(Clone, Copy)]
pub struct Diagnostic<'a> {
    inner: &'a Inner,
    raw: &'a RawDiagnostic,
}

impl<'a> Diagnostic<'a> {
    fn present(&self, symbol: Symbol) -> Option<&'a str> {
        self.inner.model.texts.get_present(symbol)
    }

    /// What is wrong.
    #[must_use]
    pub fn message(&self) -> &'a str {
        self.present(self.raw.message).unwrap_or_default()
    }

    /// The kind: `SyntaxHint`, `SyntaxError`, `AnalyzeError`, `LinkOrphanColumn`, ….
    #[must_use]
    pub fn kind(&self) -> Option<&'a str> {
        self.present(self.raw.kind)
    }

    /// How often it came, where the server counts.
    #[must_use]
    pub fn occurrences(&self) -> Option<i64> {
        self.raw.occurrences
    }

    /// The file it is in.
    #[must_use]
    pub fn file(&self) -> Option<&'a str> {
        self.present(self.raw.file)
    }

    /// Where in the SQL it is.
    #[must_use]
    pub fn coordinates(&self) -> impl ExactSizeIterator<Item = Coordinate<'a>> + Clone + use<'a> {
        coordinates(self.inner, self.raw.coordinates)
    }

    /// Where it is in the SQL as it was sent, before the server prepared it.
    #[must_use]
    pub fn origin_coordinates(&self) -> impl ExactSizeIterator<Item = Coordinate<'a>> + Clone + use<'a> {
        coordinates(self.inner, self.raw.origin_coordinates)
    }
}

impl fmt::Display for Diagnostic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(kind) = self.kind() {
            write!(f, "{kind}: ")?;
        }
        f.write_str(self.message())?;
        match self.file() {
            Some(file) => write!(f, " ({file})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Diagnostic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = super::error::shorten(self.message(), 80);
        write!(f, "Diagnostic({:?}, {message:?})", self.kind().unwrap_or_default())
    }
}

/// The counts that the server gave. They are its own: what it counts as a table or a relationship may differ from what
/// the answer holds.
#[derive(Clone, Copy)]
pub struct Summary<'a> {
    inner: &'a Inner,
    raw: &'a RawSummary,
}

impl<'a> Summary<'a> {
    /// Schemas.
    #[must_use]
    pub fn schemas(&self) -> Option<i64> {
        self.raw.schemas
    }

    /// Databases.
    #[must_use]
    pub fn databases(&self) -> Option<i64> {
        self.raw.databases
    }

    /// Tables.
    #[must_use]
    pub fn tables(&self) -> Option<i64> {
        self.raw.tables
    }

    /// Views.
    #[must_use]
    pub fn views(&self) -> Option<i64> {
        self.raw.views
    }

    /// Columns.
    #[must_use]
    pub fn columns(&self) -> Option<i64> {
        self.raw.columns
    }

    /// Processes.
    #[must_use]
    pub fn processes(&self) -> Option<i64> {
        self.raw.processes
    }

    /// Relationships.
    #[must_use]
    pub fn relationships(&self) -> Option<i64> {
        self.raw.relationships
    }

    /// The tables with the most relationships (`mostRelationTables`).
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

/// A table that the summary names for its many relationships.
#[derive(Clone, Copy)]
pub struct BusiestTable<'a> {
    inner: &'a Inner,
    raw: &'a RawBusiestTable,
}

impl<'a> BusiestTable<'a> {
    /// Its name.
    #[must_use]
    pub fn table(&self) -> &'a str {
        self.inner.model.texts.get(self.raw.table)
    }

    /// Its schema.
    #[must_use]
    pub fn schema(&self) -> Option<&'a str> {
        self.inner.model.texts.get_present(self.raw.schema)
    }

    /// Its database.
    #[must_use]
    pub fn database(&self) -> Option<&'a str> {
        self.inner.model.texts.get_present(self.raw.database)
    }
}

impl fmt::Debug for BusiestTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BusiestTable({:?})", self.table())
    }
}
