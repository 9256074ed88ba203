//! Lineage as SQLFlow's JSON model in the servers-tree layout, and its summary.
//!
//! Models of a hundred megabytes are ordinary, so they are serialised straight from the lineage, without a tree of
//! JSON values in between.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Display;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::{Value, json};

use super::analysis::{
    Column, ColumnIndex, Diagnostic, Endpoint, Lineage, Namespace, Object, ObjectIndex, ObjectKind, Process,
    SourceRange, UNNAMED, Vendor,
};
use super::selection::{LineageView, Step, StepEnds};

/// The name of the server that no statement named.
const SERVER: &str = "DEFAULT_SERVER";

/// The maximum number of tables that the summary names.
const MOST_RELATED: usize = 10;

/// The model: `{dbvendor, dbobjs, relationships, processes, errors}`.
#[derive(Debug, Clone, Copy)]
pub(super) struct LineageModel<'a> {
    view: &'a LineageView<'a>,
    /// `true` to leave out columns, relationships and processes.
    outline: bool,
}

impl<'a> LineageModel<'a> {
    pub(super) fn of(view: &'a LineageView<'a>) -> Self {
        Self { view, outline: false }
    }

    /// Creates the model of a lineage with too many relationships: tables without columns, and nothing else.
    pub(super) fn outline(view: &'a LineageView<'a>) -> Self {
        Self { view, outline: true }
    }

    fn processes(self) -> Vec<&'a Process> {
        if self.outline { Vec::new() } else { processes(self.view) }
    }
}

impl Serialize for LineageModel<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let lineage = self.view.lineage;
        let processes = self.processes();
        let mut model = serializer.serialize_map(None)?;
        model.serialize_entry("dbvendor", &lineage.vendor)?;
        model.serialize_entry("dbobjs", &DatabaseObjects { model: *self, processes: &processes })?;
        if !self.outline {
            let relationships = || self.view.steps().map(|step| RelationshipEntry { view: self.view, step });
            model.serialize_entry("relationships", &LazySequence(relationships))?;
            model.serialize_entry(
                "processes",
                &LazySequence(|| processes.iter().map(|process| ProcessEntry(process))),
            )?;
        }
        model.serialize_entry("errors", &LazySequence(|| lineage.diagnostics.iter().map(DiagnosticEntry)))?;
        model.end()
    }
}

/// Returns the processes of the selected part of a lineage.
fn processes<'a>(view: &LineageView<'a>) -> Vec<&'a Process> {
    let used: HashSet<usize> = view.relationships.iter().filter_map(|relationship| relationship.process).collect();
    let processes = view.lineage.processes.iter().enumerate();
    processes.filter(|(index, _)| !view.selected || used.contains(index)).map(|(_, process)| process).collect()
}

/// An array whose items are created while it is written.
pub(super) struct LazySequence<F>(pub(super) F);

impl<F: Fn() -> I, I: Iterator<Item: Serialize>> Serialize for LazySequence<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

/// A value that is written as a JSON string.
struct AsString<T>(T);

impl<T: Display> Serialize for AsString<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Returns counts, and the tables with the most relationships.
pub(super) fn summary(view: &LineageView<'_>) -> Value {
    let tables = || view.objects().filter(|(_, object)| object.kind == ObjectKind::Table);
    let views = || view.objects().filter(|(_, object)| object.kind == ObjectKind::View);
    let columns =
        tables().chain(views()).flat_map(|(_, object)| &object.columns).filter(|column| !column.is_relation_rows());
    let stored = || view.objects().filter(|(_, object)| object.kind.is_stored()).map(|(_, object)| &object.namespace);
    let databases: HashSet<_> = stored().filter_map(|namespace| namespace.database.as_ref()).collect();
    let schemas: HashSet<_> = stored()
        .filter(|namespace| namespace.schema.is_some())
        .map(|namespace| (&namespace.database, &namespace.schema))
        .collect();
    json!({
        "schema": schemas.len(),
        "database": databases.len(),
        "table": tables().count(),
        "view": views().count(),
        "column": columns.count(),
        "process": processes(view).len(),
        "relationship": view.steps().count(),
        "mostRelationTables": most_related(view),
    })
}

fn most_related(view: &LineageView<'_>) -> Vec<Value> {
    let mut counts: HashMap<ObjectIndex, usize> = HashMap::new();
    for relationship in &view.relationships {
        let ends = std::iter::once(&relationship.target).chain(&relationship.sources);
        let tables: HashSet<ObjectIndex> = ends.map(|end| end.column.object).collect();
        for table in tables {
            *counts.entry(table).or_default() += 1;
        }
    }
    let mut tables: Vec<_> =
        counts.into_iter().filter(|(index, _)| view.lineage.object(*index).kind.is_stored()).collect();
    tables.sort_by_key(|(index, count)| (std::cmp::Reverse(*count), *index));
    let described = tables.into_iter().take(MOST_RELATED).map(|(index, _)| {
        let object = view.lineage.object(index);
        match &object.namespace.schema {
            Some(schema) => json!({ "table": object.name, "schema": schema }),
            None => json!({ "table": object.name }),
        }
    });
    described.collect()
}

/// The objects of one schema, or of one database without schemas.
#[derive(Default)]
struct ObjectLists<'a> {
    tables: Vec<&'a Object>,
    views: Vec<&'a Object>,
    others: Vec<&'a Object>,
    processes: &'a [&'a Process],
}

impl<'a> ObjectLists<'a> {
    fn add(&mut self, object: &'a Object) {
        let array = match object.kind {
            ObjectKind::Table => &mut self.tables,
            ObjectKind::View => &mut self.views,
            _ => &mut self.others,
        };
        array.push(object);
    }

    /// Writes the arrays into their parent. Empty arrays are left out.
    fn write<M: SerializeMap>(&self, holder: &mut M, columns: bool) -> Result<(), M::Error> {
        for (name, objects) in [("tables", &self.tables), ("views", &self.views), ("others", &self.others)] {
            if !objects.is_empty() {
                holder.serialize_entry(
                    name,
                    &LazySequence(|| objects.iter().map(|object| ObjectEntry { object, columns })),
                )?;
            }
        }
        if !self.processes.is_empty() {
            holder.serialize_entry(
                "processes",
                &LazySequence(|| self.processes.iter().map(|process| ProcessEntry(process))),
            )?;
        }
        Ok(())
    }
}

type Schemas<'a> = BTreeMap<&'a str, ObjectLists<'a>>;
type Databases<'a> = BTreeMap<&'a str, Schemas<'a>>;

/// The `dbobjs` of a model.
struct DatabaseObjects<'a> {
    model: LineageModel<'a>,
    processes: &'a [&'a Process],
}

impl<'a> DatabaseObjects<'a> {
    fn servers(&self) -> BTreeMap<&'a str, Databases<'a>> {
        let mut servers: BTreeMap<&str, Databases<'_>> = BTreeMap::new();
        let mut lists_of = |namespace: &'a Namespace, fill: &mut dyn FnMut(&mut ObjectLists<'a>)| {
            let server = namespace.server.as_deref().unwrap_or(SERVER);
            let databases = servers.entry(server).or_default();
            let schemas = databases.entry(namespace_part(namespace.database.as_ref())).or_default();
            fill(schemas.entry(namespace_part(namespace.schema.as_ref())).or_default());
        };
        for (_, object) in self.model.view.objects() {
            lists_of(&object.namespace, &mut |lists| lists.add(object));
        }
        if !self.processes.is_empty() {
            lists_of(&UNNAMED_NAMESPACE, &mut |lists| lists.processes = self.processes);
        }
        servers
    }
}

/// The namespace of objects that no statement qualifies.
static UNNAMED_NAMESPACE: Namespace = Namespace { server: None, database: None, schema: None };

impl Serialize for DatabaseObjects<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let vendor = self.model.view.lineage.vendor.as_str();
        let supports_schemas = Vendor::find(vendor).is_none_or(Vendor::supports_schemas);
        let servers = self.servers();
        let mut written = serializer.serialize_map(None)?;
        written.serialize_entry("createdBy", concat!("sqlflow emulator ", env!("CARGO_PKG_VERSION")))?;
        // A server omits the array if it understood nothing.
        if !servers.is_empty() {
            let columns = !self.model.outline;
            let servers = || {
                servers.iter().map(|(name, databases)| ServerEntry {
                    name,
                    vendor,
                    supports_schemas,
                    databases,
                    columns,
                })
            };
            written.serialize_entry("servers", &LazySequence(servers))?;
        }
        written.end()
    }
}

struct ServerEntry<'a> {
    name: &'a str,
    vendor: &'a str,
    supports_schemas: bool,
    databases: &'a Databases<'a>,
    columns: bool,
}

impl Serialize for ServerEntry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (supports_schemas, columns) = (self.supports_schemas, self.columns);
        let databases =
            || self.databases.iter().map(|(name, schemas)| DatabaseEntry { name, schemas, supports_schemas, columns });
        let mut server = serializer.serialize_map(None)?;
        server.serialize_entry("name", self.name)?;
        server.serialize_entry("dbVendor", self.vendor)?;
        server.serialize_entry("supportsCatalogs", &true)?;
        server.serialize_entry("supportsSchemas", &supports_schemas)?;
        server.serialize_entry("databases", &LazySequence(databases))?;
        server.end()
    }
}

struct DatabaseEntry<'a> {
    name: &'a str,
    schemas: &'a Schemas<'a>,
    supports_schemas: bool,
    columns: bool,
}

impl Serialize for DatabaseEntry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let columns = self.columns;
        let mut database = serializer.serialize_map(None)?;
        database.serialize_entry("name", self.name)?;
        if self.supports_schemas {
            let schemas = || self.schemas.iter().map(|(name, lists)| SchemaEntry { name, lists, columns });
            database.serialize_entry("schemas", &LazySequence(schemas))?;
        } else {
            // Without schemas every object belongs to the unnamed one.
            self.schemas.values().try_for_each(|lists| lists.write(&mut database, columns))?;
        }
        database.end()
    }
}

struct SchemaEntry<'a> {
    name: &'a str,
    lists: &'a ObjectLists<'a>,
    columns: bool,
}

impl Serialize for SchemaEntry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut schema = serializer.serialize_map(None)?;
        schema.serialize_entry("name", self.name)?;
        self.lists.write(&mut schema, self.columns)?;
        schema.end()
    }
}

struct ObjectEntry<'a> {
    object: &'a Object,
    columns: bool,
}

impl Serialize for ObjectEntry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let object = self.object;
        let mut entry = serializer.serialize_map(None)?;
        entry.serialize_entry("id", &AsString(object.id))?;
        entry.serialize_entry("name", &object.name)?;
        entry.serialize_entry("displayName", &object.display_name)?;
        entry.serialize_entry("type", object.kind.name())?;
        if self.columns {
            entry.serialize_entry("columns", &LazySequence(|| object.columns.iter().map(ColumnEntry)))?;
        }
        entry.serialize_entry("coordinates", &LazySequence(|| object.at.iter().flat_map(coordinates)))?;
        entry.end()
    }
}

struct ColumnEntry<'a>(&'a Column);

impl Serialize for ColumnEntry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let column = self.0;
        let mut entry = serializer.serialize_map(None)?;
        entry.serialize_entry("id", &AsString(column.id))?;
        entry.serialize_entry("name", &column.name)?;
        if let Some(data_type) = &column.data_type {
            entry.serialize_entry("dataType", data_type)?;
        }
        // Flags are written only when they are set.
        for (name, set) in [("primaryKey", column.primary_key), ("foreignKey", column.foreign_key)] {
            if set {
                entry.serialize_entry(name, &true)?;
            }
        }
        entry.serialize_entry("coordinates", &coordinates(&column.at))?;
        if column.is_relation_rows() {
            entry.serialize_entry("source", "system")?;
            entry.serialize_entry("uiVisible", &false)?;
        }
        entry.end()
    }
}

struct ProcessEntry<'a>(&'a Process);

impl Serialize for ProcessEntry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let process = self.0;
        let mut entry = serializer.serialize_map(None)?;
        entry.serialize_entry("id", &AsString(process.id))?;
        entry.serialize_entry("name", &process.name)?;
        entry.serialize_entry("procedureName", process.routine.as_deref().unwrap_or("batchQueries"))?;
        entry.serialize_entry("queryHashId", &process.query_hash)?;
        entry.serialize_entry("type", process.kind)?;
        entry.serialize_entry("coordinates", &coordinates(&process.at))?;
        entry.serialize_entry("uiVisible", &false)?;
        entry.end()
    }
}

struct RelationshipEntry<'a> {
    view: &'a LineageView<'a>,
    step: Step<'a>,
}

impl Serialize for RelationshipEntry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { view, step: Step { id, relationship, ends } } = self;
        let column_end = |endpoint, names| EndpointEntry { view, end: WrittenEnd::Column(endpoint), names };
        let process_end = |process, names| EndpointEntry { view, end: WrittenEnd::Process(process), names };
        let target = match ends {
            StepEnds::IntoProcess(process) => process_end(*process, TARGET_NAMES),
            _ => column_end(&relationship.target, TARGET_NAMES),
        };
        let sources: Vec<EndpointEntry<'_>> = match ends {
            StepEnds::OutOfProcess(process) => vec![process_end(*process, SOURCE_NAMES)],
            _ => relationship.sources.iter().map(|source| column_end(source, SOURCE_NAMES)).collect(),
        };
        let mut entry = serializer.serialize_map(None)?;
        entry.serialize_entry("id", &AsString(id))?;
        entry.serialize_entry("type", relationship.kind.name())?;
        entry.serialize_entry("effectType", relationship.effect.name())?;
        if let Some(function) = &relationship.function {
            entry.serialize_entry("function", function)?;
        }
        if let Some(join) = &relationship.join {
            entry.serialize_entry("joinType", join.kind)?;
            entry.serialize_entry("condition", &join.condition)?;
            entry.serialize_entry("clause", "joinCondition")?;
        }
        entry.serialize_entry("target", &target)?;
        entry.serialize_entry("sources", &sources)?;
        if let Some(process) = relationship.process.and_then(|process| view.lineage.processes.get(process)) {
            entry.serialize_entry("processId", &AsString(process.id))?;
            entry.serialize_entry("processType", process.kind)?;
        }
        entry.end()
    }
}

/// The names of the fields of a target and of a source in a relationship between tables.
const TARGET_NAMES: [&str; 2] = ["targetId", "targetName"];
const SOURCE_NAMES: [&str; 2] = ["sourceId", "sourceName"];

/// One end of a relationship, with the names of its fields in a relationship between tables.
struct EndpointEntry<'a> {
    view: &'a LineageView<'a>,
    end: WrittenEnd<'a>,
    names: [&'static str; 2],
}

/// The thing that one end of a relationship is.
enum WrittenEnd<'a> {
    Column(&'a Endpoint),
    Process(&'a Process),
}

impl Serialize for EndpointEntry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let [id, name] = self.names;
        let mut entry = serializer.serialize_map(None)?;
        let endpoint = match self.end {
            WrittenEnd::Column(endpoint) => endpoint,
            WrittenEnd::Process(process) => {
                entry.serialize_entry("id", &AsString(process.id))?;
                entry.serialize_entry(id, &AsString(process.id))?;
                entry.serialize_entry(name, &process.name)?;
                entry.serialize_entry("coordinates", &coordinates(&process.at))?;
                return entry.end();
            }
        };
        let (object, column) = column_of(self.view.lineage, endpoint.column);
        if self.view.table_level {
            entry.serialize_entry("id", &AsString(object.id))?;
            entry.serialize_entry(id, &AsString(object.id))?;
            entry.serialize_entry(name, &object.normal_name)?;
        } else {
            entry.serialize_entry("id", &AsString(column.id))?;
            entry.serialize_entry("column", &column.normal_name)?;
            entry.serialize_entry("parentId", &AsString(object.id))?;
            entry.serialize_entry("parentName", &object.normal_name)?;
        }
        entry.serialize_entry("coordinates", &coordinates(&endpoint.at))?;
        if let Some(clause) = endpoint.clause {
            entry.serialize_entry("clauseType", clause.name())?;
        }
        entry.end()
    }
}

struct DiagnosticEntry<'a>(&'a Diagnostic);

impl Serialize for DiagnosticEntry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let diagnostic = self.0;
        let mut entry = serializer.serialize_map(None)?;
        entry.serialize_entry("errorMessage", &diagnostic.message)?;
        entry.serialize_entry("errorType", diagnostic.kind.name())?;
        entry.serialize_entry("coordinates", &LazySequence(|| diagnostic.at.iter().flat_map(coordinates)))?;
        if let Some(at) = diagnostic.at {
            let origin = [at.start, at.end].map(|(line, column)| BTreeMap::from([("x", line), ("y", column)]));
            entry.serialize_entry("originCoordinates", &origin)?;
        }
        if !diagnostic.file.is_empty() {
            entry.serialize_entry("file", &diagnostic.file)?;
        }
        entry.end()
    }
}

/// A line and a column of a script.
#[derive(Serialize)]
struct Coordinate {
    x: u64,
    y: u64,
    #[serde(rename = "hashCode")]
    script: AsString<usize>,
}

/// Returns the start and end of a range, with the number of its script.
fn coordinates(range: &SourceRange) -> [Coordinate; 2] {
    [range.start, range.end].map(|(x, y)| Coordinate { x, y, script: AsString(range.script) })
}

/// Returns `true` if a lineage has too many relationships to be drawn.
pub(super) fn exceeds(view: &LineageView<'_>, limit: Option<usize>) -> bool {
    limit.is_some_and(|limit| view.steps().nth(limit).is_some())
}

/// Returns the name of a database or schema, or a placeholder if it has none.
pub(super) fn namespace_part(part: Option<&String>) -> &str {
    part.map_or(UNNAMED, String::as_str)
}

/// Returns a column and its object.
pub(super) fn column_of(lineage: &Lineage, index: ColumnIndex) -> (&Object, &Column) {
    (lineage.object(index.object), lineage.column(index))
}
