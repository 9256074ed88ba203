//! Writing: from a model back to the JSON that servers send, in the layout of the newest servers.
//!
//! `layout` decides where each record stands in the tree. This module writes the tree field by field, without an
//! intermediate one, with the keys that `read` knows.

mod layout;
#[cfg(test)]
mod tests;

use std::io::{self, BufWriter, Write};

use serde::ser::{Error as _, Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use self::layout::TreeLayout;
use super::Lineage;
use super::coverage::{Coverage, RequestedTypes};
use super::intern::Symbol;
use super::kinds::{ObjectKind, RelationType};
use super::model::{
    ColumnExtra, EndpointExtra, EndpointRole, Flag, Flags, Model, NONE, ObjectExtra, RawArgument, RawBusiestTable,
    RawColumn, RawCoordinate, RawDiagnostic, RawEndpoint, RawProcess, RawRelationship, RawSummary, RawTransform,
    RelationshipExtra, ScopeKind, Section, Span,
};

/// Serializes like [`Lineage::write_json`], but without the text after the JSON.
///
/// The graph section and the job are written as raw JSON, which only the serializers of `serde_json` can do.
impl Serialize for Lineage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let model = &self.inner.model;
        let layout = TreeLayout::new(model);
        let context = WriteContext { model, layout: &layout };
        JsonObject { context, record: EnvelopeJson }.serialize(serializer)
    }
}

impl Lineage {
    /// Writes the lineage as compact JSON.
    ///
    /// The JSON is a tree of servers, databases and schemas, like that of the newest servers, whatever the layout of the
    /// document that was read. The text is never held whole, and the writer needs no buffer of its own.
    ///
    /// Reading the JSON again gives an equal lineage, in which also the details that equality ignores are the same,
    /// except these:
    ///
    /// - Levels that a flat document does not name get a name: a server `DEFAULT_SERVER`, a database and a schema
    ///   `DEFAULT`. A server that does not say whether it has databases and schemas has both.
    /// - Objects come in the order of the tree. Within a section (`tables`, `views`, …) of a schema their order stays. If
    ///   several objects have the same id, which no server sends, references may then mean another one of them.
    /// - Processes without an id come after those with an id, if they belong to a database or schema.
    /// - Relationships with two targets, or with sources on both sides of a target, which no server sends, have a key
    ///   twice. Other readers may see only the last.
    /// - Labels have no place in the format. The [graph section](Self::graph_json) is written if it was kept.
    /// - What is known about the [requested types](Self::coverage) is written in a field `coverage` that only this library
    ///   reads. Types that servers return unasked are not in it.
    /// - Fields that were [not understood](Self::unknown_fields) were counted, not kept, and are not written.
    ///
    /// The [text after the JSON](Self::trailing_text) follows the JSON on a new line.
    ///
    /// ```
    /// use sqlflow_lineage::Lineage;
    ///
    /// let flat = br#"{"dbobjs": [{"id": "1", "name": "ORDERS", "type": "table"}]}"#;
    /// let lineage = Lineage::from_slice(flat)?;
    /// let mut json = Vec::new();
    /// lineage.write_json(&mut json)?;
    /// assert_eq!(Lineage::from_slice(&json)?, lineage);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of the writer.
    pub fn write_json(&self, writer: impl Write) -> io::Result<()> {
        let mut writer = BufWriter::new(writer);
        serde_json::to_writer(&mut writer, self)?;
        if let Some(text) = self.trailing_text() {
            writer.write_all(b"\n")?;
            writer.write_all(text.as_bytes())?;
        }
        writer.flush()
    }
}

/// The model that is written, and the tree that it is written as.
#[derive(Clone, Copy)]
struct WriteContext<'m> {
    model: &'m Model,
    layout: &'m TreeLayout,
}

/// A record that can be written as a JSON object.
trait WriteFields {
    fn write_fields<M: SerializeMap>(&self, fields: &mut JsonFields<'_, M>) -> Result<(), M::Error>;
}

struct JsonObject<'m, R> {
    context: WriteContext<'m>,
    record: R,
}

impl<R: WriteFields> Serialize for JsonObject<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = JsonFields { context: self.context, map: serializer.serialize_map(None)? };
        self.record.write_fields(&mut fields)?;
        fields.map.end()
    }
}

/// An array of JSON objects.
struct JsonArray<'m, I> {
    context: WriteContext<'m>,
    records: I,
}

impl<I: Iterator<Item: WriteFields> + Clone> Serialize for JsonArray<'_, I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.records.clone().map(|record| JsonObject { context: self.context, record }))
    }
}

/// The fields of a JSON object that is being written. Absent values are not written.
struct JsonFields<'m, M> {
    context: WriteContext<'m>,
    map: M,
}

impl<'m, M: SerializeMap> JsonFields<'m, M> {
    fn model(&self) -> &'m Model {
        self.context.model
    }

    fn field(&mut self, key: &'static str, value: &(impl Serialize + ?Sized)) -> Result<(), M::Error> {
        self.map.serialize_entry(key, value)
    }

    fn present(&mut self, key: &'static str, value: Option<impl Serialize>) -> Result<(), M::Error> {
        value.map_or(Ok(()), |value| self.field(key, &value))
    }

    fn text(&mut self, key: &'static str, text: Symbol) -> Result<(), M::Error> {
        let text = self.model().texts.get_present(text);
        self.present(key, text)
    }

    fn flag(&mut self, key: &'static str, flags: Flags, flag: Flag) -> Result<(), M::Error> {
        self.present(key, flags.get(flag))
    }

    fn record(&mut self, key: &'static str, record: impl WriteFields) -> Result<(), M::Error> {
        let context = self.context;
        self.field(key, &JsonObject { context, record })
    }

    /// Writes an array, even if it is empty.
    fn records(
        &mut self,
        key: &'static str,
        records: impl Iterator<Item: WriteFields> + Clone,
    ) -> Result<(), M::Error> {
        let context = self.context;
        self.field(key, &JsonArray { context, records })
    }

    fn records_if_any(
        &mut self,
        key: &'static str,
        records: impl Iterator<Item: WriteFields> + Clone,
    ) -> Result<(), M::Error> {
        if records.clone().next().is_none() {
            return Ok(());
        }
        self.records(key, records)
    }

    fn coordinates(&mut self, key: &'static str, span: Span) -> Result<(), M::Error> {
        let model = self.model();
        self.records(key, span.of(&model.coordinates).iter())
    }

    fn coordinates_if_any(&mut self, key: &'static str, span: Span) -> Result<(), M::Error> {
        let model = self.model();
        self.records_if_any(key, span.of(&model.coordinates).iter())
    }

    /// Writes JSON that was kept as text.
    fn json(&mut self, key: &'static str, json: Option<&str>) -> Result<(), M::Error> {
        let raw: Option<&RawValue> = json.map(serde_json::from_str).transpose().map_err(M::Error::custom)?;
        self.present(key, raw)
    }
}

impl<R: WriteFields> WriteFields for &R {
    fn write_fields<M: SerializeMap>(&self, fields: &mut JsonFields<'_, M>) -> Result<(), M::Error> {
        R::write_fields(self, fields)
    }
}

/// The document itself, in the envelope of the server if it came in one.
struct EnvelopeJson;

impl WriteFields for EnvelopeJson {
    fn write_fields<M: SerializeMap>(&self, fields: &mut JsonFields<'_, M>) -> Result<(), M::Error> {
        let model = fields.model();
        let is_enveloped = model.code.is_some()
            || model.warnings.is_some()
            || model.job.is_some()
            || !model.job_id.is_absent()
            || !model.session_id.is_absent();
        if !is_enveloped {
            return DataJson.write_fields(fields);
        }
        fields.present("code", model.code)?;
        fields.text("jobId", model.job_id)?;
        fields.record("data", DataJson)?;
        fields.present("error", model.warnings.as_deref())?;
        fields.text("sessionId", model.session_id)?;
        fields.json("job", model.job.as_deref())
    }
}

/// The model, with its mode, summary and graph.
struct DataJson;

impl WriteFields for DataJson {
    fn write_fields<M: SerializeMap>(&self, fields: &mut JsonFields<'_, M>) -> Result<(), M::Error> {
        let model = fields.model();
        if model.mode.is_none() && model.summary.is_none() && model.graph.is_none() {
            return SqlflowJson.write_fields(fields);
        }
        fields.present("mode", model.mode.as_ref().map(super::Mode::as_str))?;
        if let Some(summary) = &model.summary {
            fields.record("summary", summary)?;
        }
        fields.record("sqlflow", SqlflowJson)?;
        fields.json("graph", model.graph.as_deref())
    }
}

struct SqlflowJson;

impl WriteFields for SqlflowJson {
    fn write_fields<M: SerializeMap>(&self, fields: &mut JsonFields<'_, M>) -> Result<(), M::Error> {
        let model = fields.model();
        fields.text("dbvendor", model.vendor)?;
        if let Some(told) = RequestedTypes::told(model) {
            fields.record("coverage", CoverageJson(told))?;
        }
        // They come before the tree, which repeats some of them, because the first occurrence decides the order.
        let layout = fields.context.layout;
        let first =
            model.processes.iter().filter(|process| has_id(model, process) || layout.base(process.scope) == NONE);
        fields.records_if_any("processes", first)?;
        fields.record("dbobjs", TreeJson)?;
        fields.records("relationships", (0..).zip(&model.relationships).map(RelationshipJson))?;
        fields.records_if_any("errors", model.diagnostics.iter())
    }
}

fn has_id(model: &Model, process: &RawProcess) -> bool {
    !model.texts.non_empty(process.id).is_absent()
}

/// The types that were requested, which documents of servers do not tell.
struct CoverageJson([(RelationType, Coverage); 4]);

impl WriteFields for CoverageJson {
    fn write_fields<M: SerializeMap>(&self, fields: &mut JsonFields<'_, M>) -> Result<(), M::Error> {
        self.0
            .iter()
            .try_for_each(|(relation, coverage)| fields.map.serialize_entry(relation.as_str(), coverage.word()))
    }
}

impl WriteFields for RawSummary {
    fn write_fields<M: SerializeMap>(&self, fields: &mut JsonFields<'_, M>) -> Result<(), M::Error> {
        fields.present("schema", self.schemas)?;
        fields.present("database", self.databases)?;
        fields.present("table", self.tables)?;
        fields.present("view", self.views)?;
        fields.present("column", self.columns)?;
        fields.present("process", self.processes)?;
        fields.present("relationship", self.relationships)?;
        fields.records_if_any("mostRelationTables", self.busiest.iter())
    }
}

impl WriteFields for RawBusiestTable {
    fn write_fields<M: SerializeMap>(&self, fields: &mut JsonFields<'_, M>) -> Result<(), M::Error> {
        fields.text("database", self.database)?;
        fields.text("schema", self.schema)?;
        fields.text("table", self.table)
    }
}

impl WriteFields for RawDiagnostic {
    fn write_fields<M: SerializeMap>(&self, fields: &mut JsonFields<'_, M>) -> Result<(), M::Error> {
        fields.text("errorMessage", self.message)?;
        fields.text("errorType", self.kind)?;
        fields.present("occurrencesNumber", self.occurrences)?;
        fields.text("file", self.file)?;
        fields.coordinates_if_any("coordinates", self.coordinates)?;
        fields.coordinates_if_any("originCoordinates", self.origin_coordinates)
    }
}

impl WriteFields for RawCoordinate {
    fn write_fields<M: SerializeMap>(&self, fields: &mut JsonFields<'_, M>) -> Result<(), M::Error> {
        fields.field("x", &self.x)?;
        fields.field("y", &self.y)?;
        fields.text("hashCode", self.hash)
    }
}

struct TreeJson;

impl WriteFields for TreeJson {
    fn write_fields<M: SerializeMap>(&self, fields: &mut JsonFields<'_, M>) -> Result<(), M::Error> {
        fields.text("createdBy", fields.model().created_by)?;
        let servers = fields.context.layout.servers().map(ScopeJson);
        fields.records_if_any("servers", servers)
    }
}

/// A server, database or schema.
#[derive(Clone, Copy)]
struct ScopeJson(u32);

impl WriteFields for ScopeJson {
    fn write_fields<M: SerializeMap>(&self, fields: &mut JsonFields<'_, M>) -> Result<(), M::Error> {
        let WriteContext { model, layout } = fields.context;
        let at = self.0;
        fields.present("name", layout.name(model, at as usize))?;
        let scope = model.scopes.get(at as usize);
        let vendor = scope.map(|scope| scope.vendor);
        if layout.kind(at) == Some(ScopeKind::Server) {
            fields.text("dbVendor", vendor.unwrap_or(model.vendor))?;
            let (catalogs, schemas) = layout.supports(model, at);
            fields.field("supportsCatalogs", &catalogs)?;
            fields.field("supportsSchemas", &schemas)?;
        } else {
            fields.text("dbVendor", vendor.unwrap_or_default())?;
            fields.present("supportsCatalogs", scope.and_then(|scope| scope.supports_catalogs))?;
            fields.present("supportsSchemas", scope.and_then(|scope| scope.supports_schemas))?;
        }
        fields.records_if_any("databases", layout.children(at, ScopeKind::Database).map(ScopeJson))?;
        fields.records_if_any("schemas", layout.children(at, ScopeKind::Schema).map(ScopeJson))?;
        for (section, key) in SECTIONS {
            let objects = layout.objects(at).filter(|&object| section_of(model, object) == section);
            fields.records_if_any(key, objects.map(ObjectJson))?;
        }
        let processes = layout.processes(at).filter_map(|at| model.processes.get(at as usize));
        // The processes with an id were written before in their order, so the others follow them here too.
        let (again, once) = (processes.clone(), processes);
        let again = again.filter(|process| has_id(model, process));
        let once = once.filter(|process| !has_id(model, process));
        fields.records_if_any("processes", again.chain(once))
    }
}

const SECTIONS: [(Section, &str); 7] = [
    (Section::Tables, "tables"),
    (Section::Views, "views"),
    (Section::Others, "others"),
    (Section::Procedures, "procedures"),
    (Section::Functions, "functions"),
    (Section::Triggers, "triggers"),
    (Section::Packages, "packages"),
];

/// Returns the array of the tree that an object is written in: the one it came in, or the one for its kind.
///
/// A function of a flat document that is only the result of a call must not become a routine through its array.
fn section_of(model: &Model, at: u32) -> Section {
    let Some(object) = model.objects.get(at as usize) else {
        return Section::Others;
    };
    match object.section {
        Section::Flat => match ObjectKind::from(model.texts.get(object.kind)) {
            ObjectKind::Table => Section::Tables,
            ObjectKind::View => Section::Views,
            ObjectKind::Procedure => Section::Procedures,
            ObjectKind::Trigger => Section::Triggers,
            ObjectKind::Package => Section::Packages,
            ObjectKind::Function if !object.arguments.is_empty() => Section::Functions,
            _ => Section::Others,
        },
        section => section,
    }
}

#[derive(Clone, Copy)]
struct ObjectJson(u32);

impl WriteFields for ObjectJson {
    fn write_fields<M: SerializeMap>(&self, fields: &mut JsonFields<'_, M>) -> Result<(), M::Error> {
        let WriteContext { model, layout } = fields.context;
        let at = self.0;
        let Some(object) = model.objects.get(at as usize) else {
            return Ok(());
        };
        fields.text("id", object.id)?;
        fields.text("name", object.name)?;
        fields.text("displayName", object.display_name)?;
        fields.text("type", object.kind)?;
        for (key, own) in ["server", "database", "schema"].into_iter().zip(layout.location_fields(model, at)) {
            fields.present(key, own.map(|own| own.text(model)))?;
        }
        for (key, extra) in OBJECT_EXTRAS {
            fields.text(key, model.object_extras.get(at, extra))?;
        }
        fields.flag("uiVisible", object.flags, Flag::UiVisible)?;
        fields.flag("isTarget", object.flags, Flag::IsTarget)?;
        let columns = object.columns.indices().zip(object.columns.of(&model.columns)).map(ColumnJson);
        if matches!(section_of(model, at), Section::Tables | Section::Views | Section::Others) {
            fields.records("columns", columns)?;
        } else {
            fields.records_if_any("columns", columns)?;
        }
        fields.records_if_any("arguments", object.arguments.of(&model.arguments).iter())?;
        for (section, key) in [(Section::Procedures, "procedures"), (Section::Functions, "functions")] {
            let routines = layout.routines(at).filter(|&routine| section_of(model, routine) == section);
            fields.records_if_any(key, routines.map(ObjectJson))?;
        }
        fields.coordinates("coordinates", object.coordinates)
    }
}

const OBJECT_EXTRAS: [(&str, ObjectExtra); 9] = [
    ("subType", ObjectExtra::SubType),
    ("alias", ObjectExtra::Alias),
    ("queryHashId", ObjectExtra::QueryHashId),
    ("procedureName", ObjectExtra::ProcedureName),
    ("procedureId", ObjectExtra::ProcedureId),
    ("uri", ObjectExtra::Uri),
    ("location", ObjectExtra::Location),
    ("fileType", ObjectExtra::FileType),
    ("parent", ObjectExtra::Parent),
];

struct ColumnJson<'m>((u32, &'m RawColumn));

impl WriteFields for ColumnJson<'_> {
    fn write_fields<M: SerializeMap>(&self, fields: &mut JsonFields<'_, M>) -> Result<(), M::Error> {
        let (at, column) = self.0;
        fields.text("id", column.id)?;
        fields.text("name", column.name)?;
        fields.text("dataType", column.data_type)?;
        fields.text("source", column.source)?;
        fields.text("qualifiedTable", fields.model().column_extras.get(at, ColumnExtra::QualifiedTable))?;
        fields.flag("uiVisible", column.flags, Flag::UiVisible)?;
        fields.flag("primaryKey", column.flags, Flag::PrimaryKey)?;
        fields.flag("foreignKey", column.flags, Flag::ForeignKey)?;
        // Servers spell it so.
        fields.flag("unqiueKey", column.flags, Flag::UniqueKey)?;
        fields.coordinates("coordinates", column.coordinates)
    }
}

impl WriteFields for RawArgument {
    fn write_fields<M: SerializeMap>(&self, fields: &mut JsonFields<'_, M>) -> Result<(), M::Error> {
        fields.text("id", self.id)?;
        fields.text("name", self.name)?;
        fields.text("dataType", self.data_type)?;
        fields.text("inout", self.inout)?;
        fields.coordinates("coordinates", self.coordinates)
    }
}

impl WriteFields for RawProcess {
    fn write_fields<M: SerializeMap>(&self, fields: &mut JsonFields<'_, M>) -> Result<(), M::Error> {
        fields.text("id", self.id)?;
        fields.text("name", self.name)?;
        fields.text("type", self.kind)?;
        fields.text("procedureId", self.procedure_id)?;
        fields.text("procedureName", self.procedure_name)?;
        fields.text("queryHashId", self.query_hash_id)?;
        fields.flag("uiVisible", self.flags, Flag::UiVisible)?;
        fields.coordinates_if_any("coordinates", self.coordinates)
    }
}

struct RelationshipJson<'m>((u32, &'m RawRelationship));

impl WriteFields for RelationshipJson<'_> {
    fn write_fields<M: SerializeMap>(&self, fields: &mut JsonFields<'_, M>) -> Result<(), M::Error> {
        let (at, relationship) = self.0;
        let model = fields.model();
        fields.text("id", relationship.id)?;
        fields.text("type", relationship.kind)?;
        fields.text("effectType", relationship.effect)?;
        fields.text("processId", relationship.process_id)?;
        for (key, extra) in RELATIONSHIP_EXTRAS {
            fields.text(key, model.relationship_extras.get(at, extra))?;
        }
        fields.coordinates_if_any("callCoordinate", model.call_coordinates_of(at))?;
        let ends = relationship.endpoints.of(&model.endpoints);
        let mut left = relationship.endpoints.indices().zip(ends).map(EndpointJson);
        for run in ends.chunk_by(|a, b| a.role == b.role && !is_single(a.role)) {
            let ends = left.clone().take(run.len());
            match run.first().map(|end| end.role) {
                Some(EndpointRole::Target) => each(fields, "target", ends)?,
                Some(EndpointRole::Caller) => each(fields, "caller", ends)?,
                Some(EndpointRole::Source) => fields.records("sources", ends)?,
                Some(EndpointRole::Callee) => fields.records("callees", ends)?,
                None => {}
            }
            left.by_ref().take(run.len()).for_each(drop);
        }
        let has = |role: EndpointRole| ends.iter().any(|end| end.role == role);
        if has(EndpointRole::Target) && !has(EndpointRole::Source) {
            fields.records("sources", std::iter::empty::<EndpointJson<'_>>())?;
        }
        Ok(())
    }
}

/// Returns `true` if a relationship has only one endpoint of a role, which is written without an array.
fn is_single(role: EndpointRole) -> bool {
    matches!(role, EndpointRole::Target | EndpointRole::Caller)
}

fn each<'m, M: SerializeMap>(
    fields: &mut JsonFields<'_, M>,
    key: &'static str,
    ends: impl Iterator<Item = EndpointJson<'m>>,
) -> Result<(), M::Error> {
    for end in ends {
        fields.record(key, end)?;
    }
    Ok(())
}

const RELATIONSHIP_EXTRAS: [(&str, RelationshipExtra); 8] = [
    ("processType", RelationshipExtra::ProcessType),
    ("function", RelationshipExtra::Function),
    ("timestampMin", RelationshipExtra::TimestampMin),
    ("timestampMax", RelationshipExtra::TimestampMax),
    ("joinType", RelationshipExtra::JoinType),
    ("clause", RelationshipExtra::Clause),
    ("condition", RelationshipExtra::Condition),
    ("callStmt", RelationshipExtra::CallStatement),
];

struct EndpointJson<'m>((u32, &'m RawEndpoint));

impl WriteFields for EndpointJson<'_> {
    fn write_fields<M: SerializeMap>(&self, fields: &mut JsonFields<'_, M>) -> Result<(), M::Error> {
        let (at, end) = self.0;
        let extra = |key| fields.context.model.endpoint_extras.get(at, key);
        let [table_id, table_name, column_type, function, kind] = [
            EndpointExtra::TableId,
            EndpointExtra::TableName,
            EndpointExtra::ColumnType,
            EndpointExtra::Function,
            EndpointExtra::Kind,
        ]
        .map(extra);
        let (id_key, name_key) = match end.role {
            EndpointRole::Target => ("targetId", "targetName"),
            EndpointRole::Source | EndpointRole::Caller | EndpointRole::Callee => ("sourceId", "sourceName"),
        };
        let name = if matches!(end.role, EndpointRole::Caller | EndpointRole::Callee) { "name" } else { "column" };
        fields.text("id", end.id)?;
        fields.text(name, end.name)?;
        fields.text("type", kind)?;
        fields.text("parentId", end.parent_id)?;
        fields.text("parentName", end.parent_name)?;
        fields.text(id_key, table_id)?;
        fields.text(name_key, table_name)?;
        fields.text("columnType", column_type)?;
        fields.text("clauseType", end.clause)?;
        fields.text("function", function)?;
        let transforms = transforms_of(fields.model(), at);
        fields.records_if_any("transforms", transforms.iter())?;
        fields.coordinates("coordinates", end.coordinates)
    }
}

fn transforms_of(model: &Model, end: u32) -> &[RawTransform] {
    let from = model.transforms.partition_point(|transform| transform.endpoint < end);
    let to = model.transforms.partition_point(|transform| transform.endpoint <= end);
    model.transforms.get(from..to).unwrap_or_default()
}

impl WriteFields for RawTransform {
    fn write_fields<M: SerializeMap>(&self, fields: &mut JsonFields<'_, M>) -> Result<(), M::Error> {
        fields.text("type", self.kind)?;
        fields.text("code", self.code)?;
        fields.coordinates_if_any("coordinates", self.coordinates)
    }
}
