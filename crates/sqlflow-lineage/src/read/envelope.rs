//! The envelope of the server, the four places in which the model can be, the summary, errors and messages.

use serde::de::{DeserializeSeed, Deserializer, MapAccess};

use super::super::coverage::{Coverage, RequestedTypes};
use super::super::kinds::{Mode, RelationType};
use super::super::model::{NONE, RawBusiestTable, RawDiagnostic, RawSummary, push};
use super::builder::{Builder, DataShape, LimitExceeded};
use super::fields::{FieldValue, RecordReader, Shape, fields, read_root};
use super::flow::RelationshipReader;
use super::tree::{ObjectReader, ProcessReader, TreeReader};

/// The seed of a whole document.
pub(super) struct RootSeed<'b>(pub(super) &'b mut Builder);

impl<'de> DeserializeSeed<'de> for RootSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        read_root(self.0, |_| Ok(ContainerReader { depth: 0 }), deserializer)
    }
}

fields!(ContainerField {
    Code = "code",
    Data = "data",
    Error = "error",
    Message = "message",
    Messages = "msg",
    SessionId = "sessionId",
    JobId = "jobId",
    Job = "job",
    Mode = "mode",
    Summary = "summary",
    Sqlflow = "sqlflow",
    Graph = "graph",
    Vendor = "dbvendor" | "dbVendor",
    Dbobjs = "dbobjs",
    Relationships = "relationships" | "relations",
    Processes = "processes",
    Errors = "errors",
    Coverage = "coverage",
});

/// A JSON object that may hold the model: the envelope, its `data`, or `sqlflow`.
///
/// The model can be in each of them, so they are read as one kind of object that may hold another of its kind.
struct ContainerReader {
    depth: u8,
}

impl ContainerReader {
    /// `sqlflow` in `data` in the envelope.
    const MAX_DEPTH: u8 = 2;

    fn nested<'de, A: MapAccess<'de>>(
        &self,
        value: FieldValue<'_, A>,
        builder: &mut Builder,
    ) -> Result<Shape, A::Error> {
        let depth = self.depth + 1;
        if depth > Self::MAX_DEPTH {
            value.unknown(builder)?;
            return Ok(Shape::Other);
        }
        value.record(builder, move |_| Ok(ContainerReader { depth }))
    }
}

impl RecordReader for ContainerReader {
    type Field = ContainerField;

    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        field: ContainerField,
        value: FieldValue<'_, A>,
        builder: &mut Builder,
    ) -> Result<(), A::Error> {
        match field {
            ContainerField::Code if self.depth == 0 => {
                builder.envelope.code = value.number(builder)?;
            }
            ContainerField::Data if self.depth == 0 => {
                builder.envelope.data = match self.nested(value, builder)? {
                    Shape::Null => DataShape::Null,
                    Shape::Expected => DataShape::Object,
                    Shape::Other => DataShape::Other,
                };
            }
            ContainerField::Code | ContainerField::Data => value.unknown(builder)?,
            ContainerField::Sqlflow => {
                if self.nested(value, builder)? == Shape::Expected {
                    builder.envelope.is_lineage = true;
                }
            }
            ContainerField::Error => add_words(&mut value.words(builder)?, |b| &mut b.envelope.error, builder),
            ContainerField::Message => {
                add_words(&mut value.words(builder)?, |b| &mut b.envelope.message, builder);
            }
            ContainerField::SessionId => {
                let id = value.text(builder)?;
                builder.model.session_id = builder.model.texts.or(builder.model.session_id, id);
            }
            ContainerField::JobId => {
                let id = value.text(builder)?;
                builder.model.job_id = builder.model.texts.or(builder.model.job_id, id);
            }
            ContainerField::Job => keep(&mut value.json(builder)?, |b| &mut b.model.job, builder),
            ContainerField::Graph if builder.keeps_graph => {
                let mut graph = value.json(builder)?;
                builder.model.has_graph |= graph.is_some();
                keep(&mut graph, |b| &mut b.model.graph, builder);
            }
            ContainerField::Graph => builder.model.has_graph |= value.skipped(builder)?,
            ContainerField::Vendor => {
                let vendor = value.text(builder)?;
                builder.model.vendor = builder.model.texts.or(vendor, builder.model.vendor);
            }
            ContainerField::Mode => {
                let mode = value.text(builder)?;
                if let Some(mode) = builder.model.texts.get_present(mode) {
                    builder.model.mode = Some(Mode::from(mode));
                    builder.envelope.is_lineage = true;
                }
            }
            _ => model_field(field, value, builder)?,
        }
        Ok(())
    }

    fn close(self, _: &mut Builder) -> Result<(), LimitExceeded> {
        Ok(())
    }
}

/// Reads a field of the model itself.
fn model_field<'de, A: MapAccess<'de>>(
    field: ContainerField,
    value: FieldValue<'_, A>,
    builder: &mut Builder,
) -> Result<(), A::Error> {
    let shape = match field {
        ContainerField::Dbobjs => value.records_or_record(builder, ObjectReader::open_flat, |_| Ok(TreeReader))?,
        ContainerField::Relationships => {
            let shape = value.records(builder, RelationshipReader::open)?;
            builder.envelope.has_unread_relationships |= shape == Shape::Other;
            shape
        }
        ContainerField::Processes => value.records(builder, |_| Ok(ProcessReader::new(NONE)))?,
        ContainerField::Summary => value.record(builder, |_| Ok(SummaryReader::default()))?,
        // It says nothing about the SQL.
        ContainerField::Coverage => {
            value.record(builder, |_| Ok(CoverageReader::default()))?;
            return Ok(());
        }
        // Errors alone do not make a document lineage: the responses of other operations have them too.
        ContainerField::Errors | ContainerField::Messages => {
            value.records(builder, |_| Ok(DiagnosticReader::default()))?;
            return Ok(());
        }
        _ => return value.unknown(builder),
    };
    if shape == Shape::Expected {
        builder.envelope.is_lineage = true;
    }
    Ok(())
}

/// Keeps the first of several values that may be in several places.
fn keep(found: &mut Option<String>, place: impl FnOnce(&mut Builder) -> &mut Option<String>, builder: &mut Builder) {
    let place = place(builder);
    if place.is_none() {
        *place = found.take();
    }
}

/// Appends a line to a message that may be in several places.
fn add_words(
    found: &mut Option<String>,
    place: impl FnOnce(&mut Builder) -> &mut Option<String>,
    builder: &mut Builder,
) {
    let place = place(builder);
    match (place.as_mut(), found.take()) {
        (Some(words), Some(more)) => {
            words.push('\n');
            words.push_str(&more);
        }
        (None, more) => *place = more,
        (Some(_), None) => {}
    }
}

fields!(CoverageField {
    Fdd = "fdd",
    Fdr = "fdr",
    Frd = "frd",
    Join = "join",
});

/// The types that were requested, as a document that this library wrote tells them.
#[derive(Default)]
struct CoverageReader(Vec<(RelationType, Coverage)>);

impl RecordReader for CoverageReader {
    type Field = CoverageField;

    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        field: CoverageField,
        value: FieldValue<'_, A>,
        builder: &mut Builder,
    ) -> Result<(), A::Error> {
        let relation = match field {
            CoverageField::Fdd => RelationType::Fdd,
            CoverageField::Fdr => RelationType::Fdr,
            CoverageField::Frd => RelationType::Frd,
            CoverageField::Join => RelationType::Join,
        };
        let word = value.words(builder)?.unwrap_or_default();
        self.0.push((relation, Coverage::of_word(&word)));
        Ok(())
    }

    fn close(self, builder: &mut Builder) -> Result<(), LimitExceeded> {
        builder.model.requested = RequestedTypes::of_document(&self.0);
        Ok(())
    }
}

fields!(SummaryField {
    Schema = "schema",
    Database = "database",
    Table = "table",
    View = "view",
    Column = "column",
    Process = "process",
    Relationship = "relationship" | "relation",
    Busiest = "mostRelationTables",
});

#[derive(Default)]
struct SummaryReader(RawSummary);

impl RecordReader for SummaryReader {
    type Field = SummaryField;

    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        field: SummaryField,
        value: FieldValue<'_, A>,
        builder: &mut Builder,
    ) -> Result<(), A::Error> {
        let summary = &mut self.0;
        match field {
            SummaryField::Schema => summary.schemas = value.number(builder)?,
            SummaryField::Database => summary.databases = value.number(builder)?,
            SummaryField::Table => summary.tables = value.number(builder)?,
            SummaryField::View => summary.views = value.number(builder)?,
            SummaryField::Column => summary.columns = value.number(builder)?,
            SummaryField::Process => summary.processes = value.number(builder)?,
            SummaryField::Relationship => summary.relationships = value.number(builder)?,
            SummaryField::Busiest => {
                builder.busiest.clear();
                value.records(builder, |_| Ok(BusiestTableReader::default()))?;
                summary.busiest = std::mem::take(&mut builder.busiest);
            }
        }
        Ok(())
    }

    fn close(self, builder: &mut Builder) -> Result<(), LimitExceeded> {
        builder.model.summary = Some(self.0);
        Ok(())
    }
}

fields!(BusiestTableField {
    Database = "database",
    Schema = "schema",
    Table = "table",
});

#[derive(Default)]
struct BusiestTableReader(RawBusiestTable);

impl RecordReader for BusiestTableReader {
    type Field = BusiestTableField;

    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        field: BusiestTableField,
        value: FieldValue<'_, A>,
        builder: &mut Builder,
    ) -> Result<(), A::Error> {
        match field {
            BusiestTableField::Database => self.0.database = value.text(builder)?,
            BusiestTableField::Schema => self.0.schema = value.text(builder)?,
            BusiestTableField::Table => self.0.table = value.text(builder)?,
        }
        Ok(())
    }

    fn close(self, builder: &mut Builder) -> Result<(), LimitExceeded> {
        builder.busiest.push(self.0);
        Ok(())
    }
}

fields!(DiagnosticField {
    Message = "errorMessage",
    Kind = "errorType",
    Occurrences = "occurrencesNumber",
    File = "file",
    Coordinates = "coordinates" | "coordinate",
    OriginCoordinates = "originCoordinates" | "originCoordinate",
});

#[derive(Default)]
struct DiagnosticReader(RawDiagnostic);

impl RecordReader for DiagnosticReader {
    type Field = DiagnosticField;

    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        field: DiagnosticField,
        value: FieldValue<'_, A>,
        builder: &mut Builder,
    ) -> Result<(), A::Error> {
        let diagnostic = &mut self.0;
        match field {
            DiagnosticField::Message => diagnostic.message = value.text(builder)?,
            DiagnosticField::Kind => diagnostic.kind = value.text(builder)?,
            DiagnosticField::Occurrences => diagnostic.occurrences = value.number(builder)?,
            DiagnosticField::File => diagnostic.file = value.text(builder)?,
            DiagnosticField::Coordinates => {
                diagnostic.coordinates = value.coordinates(builder)?.or(diagnostic.coordinates);
            }
            DiagnosticField::OriginCoordinates => {
                diagnostic.origin_coordinates = value.coordinates(builder)?;
            }
        }
        Ok(())
    }

    fn close(self, builder: &mut Builder) -> Result<(), LimitExceeded> {
        push(&mut builder.model.diagnostics, self.0, "errors")?;
        Ok(())
    }
}
