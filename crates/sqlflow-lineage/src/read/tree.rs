//! Servers, databases, schemas, objects, columns, arguments and processes, in a tree or in a flat array.

use serde::de::MapAccess;

use super::super::intern::Symbol;
use super::super::model::{
    ColumnExtra, Flag, Flags, NONE, ObjectExtra, RawArgument, RawColumn, RawObject, RawProcess, RawScope, ScopeKind,
    Section, Span, index_of_next, push,
};
use super::builder::{Builder, LimitExceeded};
use super::fields::{FieldValue, JsonPath, RecordReader, fields};

fields!(TreeField {
    CreatedBy = "createdBy",
    Servers = "servers",
    Processes = "processes",
});

/// The field `dbobjs` of a tree document. Its `servers` are missing if the server could not parse anything.
pub(super) struct TreeReader;

impl RecordReader for TreeReader {
    type Field = TreeField;

    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        field: TreeField,
        value: FieldValue<'_, A>,
        builder: &mut Builder,
    ) -> Result<(), A::Error> {
        match field {
            TreeField::CreatedBy => builder.model.created_by = value.text(builder)?,
            TreeField::Servers => {
                value.records(builder, |b| ScopeReader::open(b, ScopeKind::Server, NONE))?;
            }
            TreeField::Processes => {
                value.records(builder, |_| Ok(ProcessReader::new(NONE)))?;
            }
        }
        Ok(())
    }

    fn close(self, _: &mut Builder) -> Result<(), LimitExceeded> {
        Ok(())
    }
}

fields!(ScopeField {
    Name = "name",
    Vendor = "dbVendor" | "dbvendor",
    SupportsCatalogs = "supportsCatalogs",
    SupportsSchemas = "supportsSchemas",
    Databases = "databases",
    Schemas = "schemas",
    Tables = "tables",
    Views = "views",
    Others = "others",
    Procedures = "procedures",
    Functions = "functions",
    Triggers = "triggers",
    Packages = "packages",
    Processes = "processes",
});

/// A server, database or schema. Each of them may hold objects, because the levels differ by vendor.
struct ScopeReader {
    at: u32,
    kind: ScopeKind,
}

impl ScopeReader {
    fn open(builder: &mut Builder, kind: ScopeKind, parent: u32) -> Result<Self, LimitExceeded> {
        let at = builder.open_scope(kind, parent)?;
        Ok(Self { at, kind })
    }

    fn objects<'de, A: MapAccess<'de>>(
        &self,
        section: Section,
        value: FieldValue<'_, A>,
        builder: &mut Builder,
    ) -> Result<(), A::Error> {
        let scope = self.at;
        value.records(builder, |b| ObjectReader::open(b, section, scope, NONE))?;
        Ok(())
    }

    fn scopes<'de, A: MapAccess<'de>>(
        &self,
        kind: ScopeKind,
        value: FieldValue<'_, A>,
        builder: &mut Builder,
    ) -> Result<(), A::Error> {
        // A schema in a schema would make a tree of any depth, and has no known meaning.
        if kind <= self.kind {
            return value.unknown(builder);
        }
        let parent = self.at;
        value.records(builder, |b| ScopeReader::open(b, kind, parent))?;
        Ok(())
    }
}

impl RecordReader for ScopeReader {
    type Field = ScopeField;

    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        field: ScopeField,
        value: FieldValue<'_, A>,
        builder: &mut Builder,
    ) -> Result<(), A::Error> {
        match field {
            ScopeField::Name => {
                let name = value.text(builder)?;
                self.update(builder, |scope| scope.name = name);
            }
            ScopeField::Vendor => {
                let vendor = value.text(builder)?;
                self.update(builder, |scope| scope.vendor = vendor);
                builder.model.vendor = builder.model.texts.or(builder.model.vendor, vendor);
            }
            ScopeField::SupportsCatalogs => {
                let supports = value.flag(builder)?;
                self.update(builder, |scope| scope.supports_catalogs = supports);
            }
            ScopeField::SupportsSchemas => {
                let supports = value.flag(builder)?;
                self.update(builder, |scope| scope.supports_schemas = supports);
            }
            ScopeField::Databases => self.scopes(ScopeKind::Database, value, builder)?,
            ScopeField::Schemas => self.scopes(ScopeKind::Schema, value, builder)?,
            ScopeField::Tables => self.objects(Section::Tables, value, builder)?,
            ScopeField::Views => self.objects(Section::Views, value, builder)?,
            ScopeField::Others => self.objects(Section::Others, value, builder)?,
            ScopeField::Procedures => self.objects(Section::Procedures, value, builder)?,
            ScopeField::Functions => self.objects(Section::Functions, value, builder)?,
            ScopeField::Triggers => self.objects(Section::Triggers, value, builder)?,
            ScopeField::Packages => self.objects(Section::Packages, value, builder)?,
            ScopeField::Processes => {
                let scope = self.at;
                value.records(builder, |_| Ok(ProcessReader::new(scope)))?;
            }
        }
        Ok(())
    }

    fn close(self, _: &mut Builder) -> Result<(), LimitExceeded> {
        Ok(())
    }
}

impl ScopeReader {
    fn update(&self, builder: &mut Builder, change: impl FnOnce(&mut RawScope)) {
        if let Some(scope) = builder.model.scopes.get_mut(self.at as usize) {
            change(scope);
        }
    }
}

fields!(ObjectField {
    Id = "id",
    Name = "name",
    DisplayName = "displayName",
    Kind = "type",
    Columns = "columns",
    Coordinates = "coordinates" | "coordinate",
    Arguments = "arguments",
    Server = "server",
    Database = "database",
    Schema = "schema",
    UiVisible = "uiVisible",
    IsTarget = "isTarget",
    SubType = "subType",
    Alias = "alias",
    QueryHashId = "queryHashId",
    ProcedureName = "procedureName",
    ProcedureId = "procedureId",
    Uri = "uri",
    Location = "location",
    FileType = "fileType",
    Parent = "parent",
    Procedures = "procedures",
    Functions = "functions",
});

/// The `type` that marks an entry of a flat document as a process.
const PROCESS: &str = "process";

/// A table, view, intermediate result, routine or package; in a flat document also an entry that turns out to be a
/// process.
pub(super) struct ObjectReader {
    at: u32,
    raw: RawObject,
    server: Symbol,
    database: Symbol,
    schema: Symbol,
    extras_from: usize,
}

impl ObjectReader {
    pub(super) fn open_flat(builder: &mut Builder) -> Result<Self, LimitExceeded> {
        Self::open(builder, Section::Flat, NONE, NONE)
    }

    /// Adds the object at once, because its columns refer to it before its own fields are known.
    fn open(builder: &mut Builder, section: Section, scope: u32, within: u32) -> Result<Self, LimitExceeded> {
        let raw = RawObject {
            id: Symbol::ABSENT,
            name: Symbol::ABSENT,
            kind: Symbol::ABSENT,
            display_name: Symbol::ABSENT,
            scope,
            within,
            columns: Span::default(),
            arguments: Span::default(),
            coordinates: Span::default(),
            flags: Flags::default(),
            section,
        };
        Ok(Self {
            at: push(&mut builder.model.objects, raw, "objects")?,
            raw,
            server: Symbol::ABSENT,
            database: Symbol::ABSENT,
            schema: Symbol::ABSENT,
            extras_from: builder.model.object_extras.len(),
        })
    }

    fn extra<'de, A: MapAccess<'de>>(
        &self,
        key: ObjectExtra,
        value: FieldValue<'_, A>,
        builder: &mut Builder,
    ) -> Result<(), A::Error> {
        let text = value.text(builder)?;
        builder.model.object_extras.add(self.at, key, text);
        Ok(())
    }

    fn columns<'de, A: MapAccess<'de>>(
        &mut self,
        value: FieldValue<'_, A>,
        builder: &mut Builder,
    ) -> Result<(), A::Error> {
        if !self.raw.columns.is_empty() {
            // The key occurs twice, but the columns of one object must be neighbours.
            return value.unknown(builder);
        }
        let start = index_of_next(&builder.model.columns, "columns").map_err(|full| builder.fail::<A::Error>(full))?;
        let object = self.at;
        value.records(builder, |b| ColumnReader::open(b, object))?;
        self.raw.columns =
            Span::since(start, &builder.model.columns, "columns").map_err(|full| builder.fail::<A::Error>(full))?;
        Ok(())
    }

    fn arguments<'de, A: MapAccess<'de>>(
        &mut self,
        value: FieldValue<'_, A>,
        builder: &mut Builder,
    ) -> Result<(), A::Error> {
        if !self.raw.arguments.is_empty() {
            return value.unknown(builder);
        }
        let start =
            index_of_next(&builder.model.arguments, "arguments").map_err(|full| builder.fail::<A::Error>(full))?;
        value.records(builder, |_| Ok(ArgumentReader::default()))?;
        self.raw.arguments =
            Span::since(start, &builder.model.arguments, "arguments").map_err(|full| builder.fail::<A::Error>(full))?;
        Ok(())
    }

    /// Reads the routines of a package. A package in a package has no known meaning.
    fn routines<'de, A: MapAccess<'de>>(
        &self,
        section: Section,
        value: FieldValue<'_, A>,
        builder: &mut Builder,
    ) -> Result<(), A::Error> {
        if self.raw.within != NONE {
            return value.unknown(builder);
        }
        let (scope, within) = (self.raw.scope, self.at);
        value.records(builder, |b| ObjectReader::open(b, section, scope, within))?;
        Ok(())
    }

    fn is_process(&self, builder: &Builder) -> bool {
        self.raw.section == Section::Flat
            && builder.model.texts.get(self.raw.kind) == PROCESS
            && self.raw.columns.is_empty()
            && self.raw.arguments.is_empty()
            // No routine of it was added after it.
            && builder.model.objects.len() == self.at as usize + 1
    }

    /// Finds the scope of an object that names it in its own fields.
    fn settle_scope(&mut self, builder: &mut Builder) -> Result<(), LimitExceeded> {
        let server = builder.named_scope(self.raw.scope, ScopeKind::Server, self.server)?;
        let database = builder.named_scope(server, ScopeKind::Database, self.database)?;
        self.raw.scope = builder.named_scope(database, ScopeKind::Schema, self.schema)?;
        Ok(())
    }

    fn has_other_display_name(&self) -> bool {
        !self.raw.display_name.is_absent() && self.raw.display_name != self.raw.name
    }

    fn into_process(self, builder: &mut Builder) -> Result<(), LimitExceeded> {
        builder.model.objects.pop();
        let mut process = ProcessReader::new(self.raw.scope).0;
        process.id = self.raw.id;
        process.name = self.raw.name;
        process.coordinates = self.raw.coordinates;
        process.flags = self.raw.flags;
        let mut has_more = self.raw.flags.get(Flag::IsTarget).is_some() || self.has_other_display_name();
        for (key, value) in builder.model.object_extras.drain_since(self.extras_from) {
            match key {
                ObjectExtra::QueryHashId => process.query_hash_id = value,
                ObjectExtra::ProcedureName => process.procedure_name = value,
                ObjectExtra::ProcedureId => process.procedure_id = value,
                _ => has_more = true,
            }
        }
        if has_more {
            builder.note(&JsonPath::ROOT.then("dbobjs").element().then("(fields of a process that only objects have)"));
        }
        builder.add_process(process)?;
        Ok(())
    }
}

impl RecordReader for ObjectReader {
    type Field = ObjectField;

    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        field: ObjectField,
        value: FieldValue<'_, A>,
        builder: &mut Builder,
    ) -> Result<(), A::Error> {
        use ObjectExtra as Extra;
        match field {
            ObjectField::Id => self.raw.id = value.text(builder)?,
            ObjectField::Name => self.raw.name = value.text(builder)?,
            ObjectField::DisplayName => self.raw.display_name = value.text(builder)?,
            ObjectField::Kind => self.raw.kind = value.text(builder)?,
            ObjectField::Columns => self.columns(value, builder)?,
            ObjectField::Arguments => self.arguments(value, builder)?,
            ObjectField::Coordinates => {
                self.raw.coordinates = value.coordinates(builder)?.or(self.raw.coordinates);
            }
            ObjectField::Server => self.server = value.text(builder)?,
            ObjectField::Database => self.database = value.text(builder)?,
            ObjectField::Schema => self.schema = value.text(builder)?,
            ObjectField::UiVisible => {
                let visible = value.flag(builder)?;
                self.raw.flags.set(Flag::UiVisible, visible);
            }
            ObjectField::IsTarget => {
                let is_target = value.flag(builder)?;
                self.raw.flags.set(Flag::IsTarget, is_target);
            }
            ObjectField::SubType => self.extra(Extra::SubType, value, builder)?,
            ObjectField::Alias => self.extra(Extra::Alias, value, builder)?,
            ObjectField::QueryHashId => self.extra(Extra::QueryHashId, value, builder)?,
            ObjectField::ProcedureName => self.extra(Extra::ProcedureName, value, builder)?,
            ObjectField::ProcedureId => self.extra(Extra::ProcedureId, value, builder)?,
            ObjectField::Uri => self.extra(Extra::Uri, value, builder)?,
            ObjectField::Location => self.extra(Extra::Location, value, builder)?,
            ObjectField::FileType => self.extra(Extra::FileType, value, builder)?,
            ObjectField::Parent => self.extra(Extra::Parent, value, builder)?,
            ObjectField::Procedures => self.routines(Section::Procedures, value, builder)?,
            ObjectField::Functions => self.routines(Section::Functions, value, builder)?,
        }
        Ok(())
    }

    fn close(mut self, builder: &mut Builder) -> Result<(), LimitExceeded> {
        self.settle_scope(builder)?;
        if self.is_process(builder) {
            return self.into_process(builder);
        }
        if let Some(place) = builder.model.objects.get_mut(self.at as usize) {
            *place = self.raw;
        }
        Ok(())
    }
}

fields!(ColumnField {
    Id = "id",
    Name = "name",
    Coordinates = "coordinates" | "coordinate",
    DataType = "dataType" | "datatype",
    Source = "source",
    UiVisible = "uiVisible",
    PrimaryKey = "primaryKey",
    ForeignKey = "foreignKey",
    // Servers use the first spelling.
    UniqueKey = "unqiueKey" | "uniqueKey",
    QualifiedTable = "qualifiedTable",
});

struct ColumnReader {
    /// The index that the record will have.
    at: u32,
    raw: RawColumn,
}

impl ColumnReader {
    fn open(builder: &mut Builder, object: u32) -> Result<Self, LimitExceeded> {
        Ok(Self {
            at: index_of_next(&builder.model.columns, "columns")?,
            raw: RawColumn { object, ..RawColumn::default() },
        })
    }

    fn flag<'de, A: MapAccess<'de>>(
        &mut self,
        flag: Flag,
        value: FieldValue<'_, A>,
        builder: &mut Builder,
    ) -> Result<(), A::Error> {
        let set = value.flag(builder)?;
        self.raw.flags.set(flag, set);
        Ok(())
    }
}

impl RecordReader for ColumnReader {
    type Field = ColumnField;

    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        field: ColumnField,
        value: FieldValue<'_, A>,
        builder: &mut Builder,
    ) -> Result<(), A::Error> {
        match field {
            ColumnField::Id => self.raw.id = value.text(builder)?,
            ColumnField::Name => self.raw.name = value.text(builder)?,
            ColumnField::Coordinates => {
                self.raw.coordinates = value.coordinates(builder)?.or(self.raw.coordinates);
            }
            ColumnField::DataType => {
                let data_type = value.text(builder)?;
                self.raw.data_type = builder.model.texts.or(data_type, self.raw.data_type);
            }
            ColumnField::Source => self.raw.source = value.text(builder)?,
            ColumnField::UiVisible => self.flag(Flag::UiVisible, value, builder)?,
            ColumnField::PrimaryKey => self.flag(Flag::PrimaryKey, value, builder)?,
            ColumnField::ForeignKey => self.flag(Flag::ForeignKey, value, builder)?,
            ColumnField::UniqueKey => self.flag(Flag::UniqueKey, value, builder)?,
            ColumnField::QualifiedTable => {
                let text = value.text(builder)?;
                let extras = &mut builder.model.column_extras;
                extras.add(self.at, ColumnExtra::QualifiedTable, text);
            }
        }
        Ok(())
    }

    fn close(self, builder: &mut Builder) -> Result<(), LimitExceeded> {
        push(&mut builder.model.columns, self.raw, "columns")?;
        Ok(())
    }
}

fields!(ArgumentField {
    Id = "id",
    Name = "name",
    DataType = "dataType" | "datatype",
    Inout = "inout",
    Coordinates = "coordinates" | "coordinate",
});

#[derive(Default)]
struct ArgumentReader(RawArgument);

impl RecordReader for ArgumentReader {
    type Field = ArgumentField;

    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        field: ArgumentField,
        value: FieldValue<'_, A>,
        builder: &mut Builder,
    ) -> Result<(), A::Error> {
        match field {
            ArgumentField::Id => self.0.id = value.text(builder)?,
            ArgumentField::Name => self.0.name = value.text(builder)?,
            ArgumentField::DataType => self.0.data_type = value.text(builder)?,
            ArgumentField::Inout => self.0.inout = value.text(builder)?,
            ArgumentField::Coordinates => {
                self.0.coordinates = value.coordinates(builder)?.or(self.0.coordinates);
            }
        }
        Ok(())
    }

    fn close(self, builder: &mut Builder) -> Result<(), LimitExceeded> {
        push(&mut builder.model.arguments, self.0, "arguments")?;
        Ok(())
    }
}

fields!(ProcessField {
    Id = "id",
    Name = "name",
    Kind = "type",
    ProcedureName = "procedureName",
    ProcedureId = "procedureId",
    QueryHashId = "queryHashId",
    Coordinates = "coordinates" | "coordinate",
    UiVisible = "uiVisible",
});

/// A statement that makes relationships.
pub(super) struct ProcessReader(RawProcess);

impl ProcessReader {
    pub(super) fn new(scope: u32) -> Self {
        Self(RawProcess {
            id: Symbol::ABSENT,
            name: Symbol::ABSENT,
            kind: Symbol::ABSENT,
            procedure_name: Symbol::ABSENT,
            procedure_id: Symbol::ABSENT,
            query_hash_id: Symbol::ABSENT,
            scope,
            coordinates: Span::default(),
            flags: Flags::default(),
            label: Symbol::ABSENT,
        })
    }
}

impl RecordReader for ProcessReader {
    type Field = ProcessField;

    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        field: ProcessField,
        value: FieldValue<'_, A>,
        builder: &mut Builder,
    ) -> Result<(), A::Error> {
        match field {
            ProcessField::Id => self.0.id = value.text(builder)?,
            ProcessField::Name => self.0.name = value.text(builder)?,
            ProcessField::Kind => self.0.kind = value.text(builder)?,
            ProcessField::ProcedureName => self.0.procedure_name = value.text(builder)?,
            ProcessField::ProcedureId => self.0.procedure_id = value.text(builder)?,
            ProcessField::QueryHashId => self.0.query_hash_id = value.text(builder)?,
            ProcessField::Coordinates => {
                self.0.coordinates = value.coordinates(builder)?.or(self.0.coordinates);
            }
            ProcessField::UiVisible => {
                let visible = value.flag(builder)?;
                self.0.flags.set(Flag::UiVisible, visible);
            }
        }
        Ok(())
    }

    fn close(self, builder: &mut Builder) -> Result<(), LimitExceeded> {
        builder.add_process(self.0)?;
        Ok(())
    }
}
