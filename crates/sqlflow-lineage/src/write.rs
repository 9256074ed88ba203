//! Writing: from a model back to the JSON that servers send, in the layout of the newest ones.
//!
//! `places` decides where in the tree everything stands; what is here writes it, field by field, with nothing in
//! between. The keys are those that `read` knows.

mod places;
#[cfg(test)]
mod tests;

use std::io::{self, BufWriter, Write};

use serde::ser::{Error as _, Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use self::places::Places;
use super::Lineage;
use super::intern::Symbol;
use super::kinds::ObjectKind;
use super::model::{
    ColumnExtra, EndExtra, Flag, Flags, Model, NONE, ObjectExtra, RawArgument, RawBusiestTable, RawColumn,
    RawCoordinate, RawDiagnostic, RawEnd, RawProcess, RawRelationship, RawSummary, RawTransform, RelationshipExtra,
    Role, ScopeKind, Section, Span,
};

/// Written as [`Lineage::write_json`] does, but for the text after the JSON, which has no place in it.
///
/// The graph section and the job are written as the JSON they are, which the serializers of `serde_json` alone can do.
impl Serialize for Lineage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let model = &self.inner.model;
        let places = Places::new(model);
        let answer = Answer { model, places: &places };
        Written { answer, record: Envelope }.serialize(serializer)
    }
}

impl Lineage {
    /// Writes the lineage as compact JSON: a tree of servers, databases and schemas, as the newest servers do, whatever
    /// the layout it came in. The text is never held whole, and the writer needs no buffer of its own.
    ///
    /// Read again it is equal, and so is what equality leaves out. These are what changes:
    ///
    /// - What a flat answer does not name gets a name: a server `DEFAULT_SERVER`, a database and a schema `DEFAULT`.
    ///   A server that does not say whether it has databases and schemas has both.
    /// - Objects come in the order of the tree, which within a section (`tables`, `views`, …) of a schema is theirs. If
    ///   several have one id, as no server sends them, another one may be the first, which is the one it means.
    /// - Processes without an id come after those with one, if they stand in a database or schema.
    /// - Relationships with two targets, or with sources on both sides of a target, as no server sends them, have a key
    ///   twice, of which other readers may see the last alone.
    /// - Fields that were [not understood](Self::unknown_fields) were counted, not kept, and are not written.
    ///
    /// [Text after the JSON](Self::trailing_text) comes after the JSON, on a line of its own.
    ///
    /// ```
    /// use sqlflow_lineage::Lineage;
    ///
    /// let flat = br#"{"dbobjs": [{"id": "1", "name": "ORDERS", "type": "table"}], "relationships": []}"#;
    /// let lineage = Lineage::from_slice(flat)?;
    /// let mut json = Vec::new();
    /// lineage.write_json(&mut json)?;
    /// assert_eq!(Lineage::from_slice(&json)?, lineage);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of the writer.
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

/// What is written, and where it stands.
#[derive(Clone, Copy)]
struct Answer<'m> {
    model: &'m Model,
    places: &'m Places,
}

/// What is written as a JSON object.
trait Record {
    fn write<M: SerializeMap>(&self, fields: &mut Fields<'_, M>) -> Result<(), M::Error>;
}

struct Written<'m, R> {
    answer: Answer<'m>,
    record: R,
}

impl<R: Record> Serialize for Written<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = Fields { answer: self.answer, map: serializer.serialize_map(None)? };
        self.record.write(&mut fields)?;
        fields.map.end()
    }
}

/// An array of JSON objects.
struct List<'m, I> {
    answer: Answer<'m>,
    records: I,
}

impl<I: Iterator<Item: Record> + Clone> Serialize for List<'_, I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.records.clone().map(|record| Written { answer: self.answer, record }))
    }
}

/// The fields of a JSON object. What is absent is not written.
struct Fields<'m, M> {
    answer: Answer<'m>,
    map: M,
}

impl<'m, M: SerializeMap> Fields<'m, M> {
    fn model(&self) -> &'m Model {
        self.answer.model
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

    fn record(&mut self, key: &'static str, record: impl Record) -> Result<(), M::Error> {
        let answer = self.answer;
        self.field(key, &Written { answer, record })
    }

    /// An array, also if it is empty.
    fn records(&mut self, key: &'static str, records: impl Iterator<Item: Record> + Clone) -> Result<(), M::Error> {
        let answer = self.answer;
        self.field(key, &List { answer, records })
    }

    fn records_if_any(
        &mut self,
        key: &'static str,
        records: impl Iterator<Item: Record> + Clone,
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

    /// JSON that was kept as it was.
    fn json(&mut self, key: &'static str, json: Option<&str>) -> Result<(), M::Error> {
        let raw: Option<&RawValue> = json.map(serde_json::from_str).transpose().map_err(M::Error::custom)?;
        self.present(key, raw)
    }
}

impl<R: Record> Record for &R {
    fn write<M: SerializeMap>(&self, fields: &mut Fields<'_, M>) -> Result<(), M::Error> {
        R::write(self, fields)
    }
}

/// The answer itself, in the server's envelope if it came in one.
struct Envelope;

impl Record for Envelope {
    fn write<M: SerializeMap>(&self, fields: &mut Fields<'_, M>) -> Result<(), M::Error> {
        let model = fields.model();
        let is_enveloped = model.code.is_some()
            || model.warnings.is_some()
            || model.job.is_some()
            || !model.job_id.is_absent()
            || !model.session_id.is_absent();
        if !is_enveloped {
            return Data.write(fields);
        }
        fields.present("code", model.code)?;
        fields.text("jobId", model.job_id)?;
        fields.record("data", Data)?;
        fields.present("error", model.warnings.as_deref())?;
        fields.text("sessionId", model.session_id)?;
        fields.json("job", model.job.as_deref())
    }
}

/// The model, and beside it what describes it.
struct Data;

impl Record for Data {
    fn write<M: SerializeMap>(&self, fields: &mut Fields<'_, M>) -> Result<(), M::Error> {
        let model = fields.model();
        if model.mode.is_none() && model.summary.is_none() && model.graph.is_none() {
            return Sqlflow.write(fields);
        }
        fields.present("mode", model.mode.as_ref().map(super::Mode::as_str))?;
        if let Some(summary) = &model.summary {
            fields.record("summary", summary)?;
        }
        fields.record("sqlflow", Sqlflow)?;
        fields.json("graph", model.graph.as_deref())
    }
}

struct Sqlflow;

impl Record for Sqlflow {
    fn write<M: SerializeMap>(&self, fields: &mut Fields<'_, M>) -> Result<(), M::Error> {
        let model = fields.model();
        fields.text("dbvendor", model.vendor)?;
        // Before the tree, which repeats some of them: the first of two gives the order.
        let places = fields.answer.places;
        let first =
            model.processes.iter().filter(|process| !process.id.is_absent() || places.base(process.scope) == NONE);
        fields.records_if_any("processes", first)?;
        fields.record("dbobjs", Tree)?;
        fields.records("relationships", (0..).zip(&model.relationships).map(Relationship))?;
        fields.records_if_any("errors", model.diagnostics.iter())
    }
}

impl Record for RawSummary {
    fn write<M: SerializeMap>(&self, fields: &mut Fields<'_, M>) -> Result<(), M::Error> {
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

impl Record for RawBusiestTable {
    fn write<M: SerializeMap>(&self, fields: &mut Fields<'_, M>) -> Result<(), M::Error> {
        fields.text("database", self.database)?;
        fields.text("schema", self.schema)?;
        fields.text("table", self.table)
    }
}

impl Record for RawDiagnostic {
    fn write<M: SerializeMap>(&self, fields: &mut Fields<'_, M>) -> Result<(), M::Error> {
        fields.text("errorMessage", self.message)?;
        fields.text("errorType", self.kind)?;
        fields.present("occurrencesNumber", self.occurrences)?;
        fields.text("file", self.file)?;
        fields.coordinates_if_any("coordinates", self.coordinates)?;
        fields.coordinates_if_any("originCoordinates", self.origin_coordinates)
    }
}

impl Record for RawCoordinate {
    fn write<M: SerializeMap>(&self, fields: &mut Fields<'_, M>) -> Result<(), M::Error> {
        fields.field("x", &self.x)?;
        fields.field("y", &self.y)?;
        fields.text("hashCode", self.hash)
    }
}

struct Tree;

impl Record for Tree {
    fn write<M: SerializeMap>(&self, fields: &mut Fields<'_, M>) -> Result<(), M::Error> {
        fields.text("createdBy", fields.model().created_by)?;
        let servers = fields.answer.places.servers().map(Scope);
        fields.records_if_any("servers", servers)
    }
}

/// A server, database or schema.
#[derive(Clone, Copy)]
struct Scope(u32);

impl Record for Scope {
    fn write<M: SerializeMap>(&self, fields: &mut Fields<'_, M>) -> Result<(), M::Error> {
        let Answer { model, places } = fields.answer;
        let at = self.0;
        fields.present("name", places.name(model, at as usize))?;
        let scope = model.scopes.get(at as usize);
        let vendor = scope.map(|scope| scope.vendor);
        if places.kind(at) == Some(ScopeKind::Server) {
            fields.text("dbVendor", vendor.unwrap_or(model.vendor))?;
            let (catalogs, schemas) = places.supports(model, at);
            fields.field("supportsCatalogs", &catalogs)?;
            fields.field("supportsSchemas", &schemas)?;
        } else {
            fields.text("dbVendor", vendor.unwrap_or_default())?;
            fields.present("supportsCatalogs", scope.and_then(|scope| scope.supports_catalogs))?;
            fields.present("supportsSchemas", scope.and_then(|scope| scope.supports_schemas))?;
        }
        fields.records_if_any("databases", places.children(at, ScopeKind::Database).map(Scope))?;
        fields.records_if_any("schemas", places.children(at, ScopeKind::Schema).map(Scope))?;
        for (section, key) in SECTIONS {
            let objects = places.objects(at).filter(|&object| section_of(model, object) == section);
            fields.records_if_any(key, objects.map(Object))?;
        }
        let processes = places.processes(at).filter_map(|at| model.processes.get(at as usize));
        // Those with an id were written before, and keep their order; so come the others after them.
        let (again, once) = (processes.clone(), processes);
        let again = again.filter(|process| !process.id.is_absent());
        let once = once.filter(|process| process.id.is_absent());
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

/// The array of the tree that an object is written in: the one it came in, or that of its kind. A function of a flat
/// answer that is none but a call's result must not become a routine by its array.
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
struct Object(u32);

impl Record for Object {
    fn write<M: SerializeMap>(&self, fields: &mut Fields<'_, M>) -> Result<(), M::Error> {
        let Answer { model, places } = fields.answer;
        let at = self.0;
        let Some(object) = model.objects.get(at as usize) else {
            return Ok(());
        };
        fields.text("id", object.id)?;
        fields.text("name", object.name)?;
        fields.text("displayName", object.display_name)?;
        fields.text("type", object.kind)?;
        for (key, own) in ["server", "database", "schema"].into_iter().zip(places.own_fields(model, at)) {
            fields.present(key, own.map(|own| own.text(model)))?;
        }
        for (key, extra) in OBJECT_EXTRAS {
            fields.text(key, model.object_extras.get(at, extra))?;
        }
        fields.flag("uiVisible", object.flags, Flag::UiVisible)?;
        fields.flag("isTarget", object.flags, Flag::IsTarget)?;
        let columns = object.columns.indices().zip(object.columns.of(&model.columns)).map(Column);
        if matches!(section_of(model, at), Section::Tables | Section::Views | Section::Others) {
            fields.records("columns", columns)?;
        } else {
            fields.records_if_any("columns", columns)?;
        }
        fields.records_if_any("arguments", object.arguments.of(&model.arguments).iter())?;
        for (section, key) in [(Section::Procedures, "procedures"), (Section::Functions, "functions")] {
            let routines = places.routines(at).filter(|&routine| section_of(model, routine) == section);
            fields.records_if_any(key, routines.map(Object))?;
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

struct Column<'m>((u32, &'m RawColumn));

impl Record for Column<'_> {
    fn write<M: SerializeMap>(&self, fields: &mut Fields<'_, M>) -> Result<(), M::Error> {
        let (at, column) = self.0;
        fields.text("id", column.id)?;
        fields.text("name", column.name)?;
        fields.text("dataType", column.data_type)?;
        fields.text("source", column.source)?;
        fields.text("qualifiedTable", fields.model().column_extras.get(at, ColumnExtra::QualifiedTable))?;
        fields.flag("uiVisible", column.flags, Flag::UiVisible)?;
        fields.flag("primaryKey", column.flags, Flag::PrimaryKey)?;
        fields.flag("foreignKey", column.flags, Flag::ForeignKey)?;
        // As servers spell it.
        fields.flag("unqiueKey", column.flags, Flag::UniqueKey)?;
        fields.coordinates("coordinates", column.coordinates)
    }
}

impl Record for RawArgument {
    fn write<M: SerializeMap>(&self, fields: &mut Fields<'_, M>) -> Result<(), M::Error> {
        fields.text("id", self.id)?;
        fields.text("name", self.name)?;
        fields.text("dataType", self.data_type)?;
        fields.text("inout", self.inout)?;
        fields.coordinates("coordinates", self.coordinates)
    }
}

impl Record for RawProcess {
    fn write<M: SerializeMap>(&self, fields: &mut Fields<'_, M>) -> Result<(), M::Error> {
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

struct Relationship<'m>((u32, &'m RawRelationship));

impl Record for Relationship<'_> {
    fn write<M: SerializeMap>(&self, fields: &mut Fields<'_, M>) -> Result<(), M::Error> {
        let (at, relationship) = self.0;
        let model = fields.model();
        fields.text("id", relationship.id)?;
        fields.text("type", relationship.kind)?;
        fields.text("effectType", relationship.effect)?;
        fields.text("processId", relationship.process_id)?;
        for (key, extra) in RELATIONSHIP_EXTRAS {
            fields.text(key, model.relationship_extras.get(at, extra))?;
        }
        let ends = relationship.ends.of(&model.ends);
        let mut left = relationship.ends.indices().zip(ends).map(End);
        for run in ends.chunk_by(|a, b| a.role == b.role && !is_single(a.role)) {
            let ends = left.clone().take(run.len());
            match run.first().map(|end| end.role) {
                Some(Role::Target) => each(fields, "target", ends)?,
                Some(Role::Caller) => each(fields, "caller", ends)?,
                Some(Role::Source) => fields.records("sources", ends)?,
                Some(Role::Callee) => fields.records("callees", ends)?,
                None => {}
            }
            left.by_ref().take(run.len()).for_each(drop);
        }
        let has = |role: Role| ends.iter().any(|end| end.role == role);
        if has(Role::Target) && !has(Role::Source) {
            fields.records("sources", std::iter::empty::<End<'_>>())?;
        }
        Ok(())
    }
}

/// Whether there is but one end of a role, which is written as itself and not in an array.
fn is_single(role: Role) -> bool {
    matches!(role, Role::Target | Role::Caller)
}

fn each<'m, M: SerializeMap>(
    fields: &mut Fields<'_, M>,
    key: &'static str,
    ends: impl Iterator<Item = End<'m>>,
) -> Result<(), M::Error> {
    for end in ends {
        fields.record(key, end)?;
    }
    Ok(())
}

const RELATIONSHIP_EXTRAS: [(&str, RelationshipExtra); 7] = [
    ("processType", RelationshipExtra::ProcessType),
    ("function", RelationshipExtra::Function),
    ("timestampMin", RelationshipExtra::TimestampMin),
    ("timestampMax", RelationshipExtra::TimestampMax),
    ("joinType", RelationshipExtra::JoinType),
    ("clause", RelationshipExtra::Clause),
    ("condition", RelationshipExtra::Condition),
];

struct End<'m>((u32, &'m RawEnd));

impl Record for End<'_> {
    fn write<M: SerializeMap>(&self, fields: &mut Fields<'_, M>) -> Result<(), M::Error> {
        let (at, end) = self.0;
        let extra = |key| fields.answer.model.end_extras.get(at, key);
        let [table_id, table_name, column_type, function, kind] =
            [EndExtra::TableId, EndExtra::TableName, EndExtra::ColumnType, EndExtra::Function, EndExtra::Kind]
                .map(extra);
        let (id_key, name_key) = match end.role {
            Role::Target => ("targetId", "targetName"),
            Role::Source | Role::Caller | Role::Callee => ("sourceId", "sourceName"),
        };
        let name = if matches!(end.role, Role::Caller | Role::Callee) { "name" } else { "column" };
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
    let from = model.transforms.partition_point(|transform| transform.end < end);
    let to = model.transforms.partition_point(|transform| transform.end <= end);
    model.transforms.get(from..to).unwrap_or_default()
}

impl Record for RawTransform {
    fn write<M: SerializeMap>(&self, fields: &mut Fields<'_, M>) -> Result<(), M::Error> {
        fields.text("type", self.kind)?;
        fields.text("code", self.code)?;
        fields.coordinates_if_any("coordinates", self.coordinates)
    }
}
