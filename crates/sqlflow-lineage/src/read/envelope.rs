//! What surrounds the model: the server's envelope, the four places the model sits in, the summary, errors and
//! messages.

use serde::de::{DeserializeSeed, Deserializer, MapAccess};

use super::super::kinds::Mode;
use super::super::model::{NONE, RawBusiestTable, RawDiagnostic, RawSummary, push};
use super::builder::{Builder, Data, Fault};
use super::flow::Relationship;
use super::record::{Record, Shape, Value, fields, read_root};
use super::tree::{Object, Process, Tree};

/// The seed of a whole answer.
pub(super) struct Root<'b>(pub(super) &'b mut Builder);

impl<'de> DeserializeSeed<'de> for Root<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        read_root(self.0, |_| Ok(Frame { depth: 0 }), deserializer)
    }
}

fields!(FrameField {
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
});

/// An object the model may sit in: the envelope, its `data`, or `sqlflow`. As the model is found in each of them, they
/// are read as one kind of object that may hold another.
struct Frame {
    depth: u8,
}

impl Frame {
    /// `sqlflow` in `data` in the envelope.
    const DEEPEST: u8 = 2;

    fn nested<'de, A: MapAccess<'de>>(&self, value: Value<'_, A>, builder: &mut Builder) -> Result<Shape, A::Error> {
        let depth = self.depth + 1;
        if depth > Self::DEEPEST {
            value.unknown(builder)?;
            return Ok(Shape::Other);
        }
        value.record(builder, move |_| Ok(Frame { depth }))
    }
}

impl Record for Frame {
    type Field = FrameField;

    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        field: FrameField,
        value: Value<'_, A>,
        builder: &mut Builder,
    ) -> Result<(), A::Error> {
        match field {
            FrameField::Code if self.depth == 0 => {
                builder.envelope.code = value.number(builder)?;
            }
            FrameField::Data if self.depth == 0 => {
                builder.envelope.data = match self.nested(value, builder)? {
                    Shape::Null => Data::Null,
                    Shape::Expected => Data::Object,
                    Shape::Other => Data::Other,
                };
            }
            FrameField::Code | FrameField::Data => value.unknown(builder)?,
            FrameField::Sqlflow => {
                if self.nested(value, builder)? == Shape::Expected {
                    builder.envelope.is_lineage = true;
                }
            }
            FrameField::Error => add_words(&mut value.words(builder)?, |b| &mut b.envelope.error, builder),
            FrameField::Message => {
                add_words(&mut value.words(builder)?, |b| &mut b.envelope.message, builder);
            }
            FrameField::SessionId => {
                let id = value.text(builder)?;
                builder.model.session_id = builder.model.session_id.or(id);
            }
            FrameField::JobId => {
                let id = value.text(builder)?;
                builder.model.job_id = builder.model.job_id.or(id);
            }
            FrameField::Job => keep(&mut value.json(builder)?, |b| &mut b.model.job, builder),
            FrameField::Graph => keep(&mut value.json(builder)?, |b| &mut b.model.graph, builder),
            FrameField::Vendor => {
                let vendor = value.text(builder)?;
                builder.model.vendor = vendor.or(builder.model.vendor);
            }
            FrameField::Mode => {
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

    fn close(self, _: &mut Builder) -> Result<(), Fault> {
        Ok(())
    }
}

/// The parts of the model itself.
fn model_field<'de, A: MapAccess<'de>>(
    field: FrameField,
    value: Value<'_, A>,
    builder: &mut Builder,
) -> Result<(), A::Error> {
    let shape = match field {
        FrameField::Dbobjs => value.records_or_record(builder, Object::open_flat, |_| Ok(Tree))?,
        FrameField::Relationships => value.records(builder, Relationship::open)?,
        FrameField::Processes => value.records(builder, |_| Ok(Process::new(NONE)))?,
        FrameField::Summary => value.record(builder, |_| Ok(Summary::default()))?,
        // Errors alone do not make an answer lineage: other operations have them too.
        FrameField::Errors | FrameField::Messages => {
            value.records(builder, |_| Ok(Diagnostic::default()))?;
            return Ok(());
        }
        _ => return value.unknown(builder),
    };
    if shape == Shape::Expected {
        builder.envelope.is_lineage = true;
    }
    Ok(())
}

/// Keeps the first of what may be found in several places.
fn keep(found: &mut Option<String>, place: impl FnOnce(&mut Builder) -> &mut Option<String>, builder: &mut Builder) {
    let place = place(builder);
    if place.is_none() {
        *place = found.take();
    }
}

/// Adds a line to words that may be found in several places.
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
struct Summary(RawSummary);

impl Record for Summary {
    type Field = SummaryField;

    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        field: SummaryField,
        value: Value<'_, A>,
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
                value.records(builder, |_| Ok(BusiestTable::default()))?;
                summary.busiest = std::mem::take(&mut builder.busiest);
            }
        }
        Ok(())
    }

    fn close(self, builder: &mut Builder) -> Result<(), Fault> {
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
struct BusiestTable(RawBusiestTable);

impl Record for BusiestTable {
    type Field = BusiestTableField;

    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        field: BusiestTableField,
        value: Value<'_, A>,
        builder: &mut Builder,
    ) -> Result<(), A::Error> {
        match field {
            BusiestTableField::Database => self.0.database = value.text(builder)?,
            BusiestTableField::Schema => self.0.schema = value.text(builder)?,
            BusiestTableField::Table => self.0.table = value.text(builder)?,
        }
        Ok(())
    }

    fn close(self, builder: &mut Builder) -> Result<(), Fault> {
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
struct Diagnostic(RawDiagnostic);

impl Record for Diagnostic {
    type Field = DiagnosticField;

    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        field: DiagnosticField,
        value: Value<'_, A>,
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

    fn close(self, builder: &mut Builder) -> Result<(), Fault> {
        push(&mut builder.model.diagnostics, self.0, "errors")?;
        Ok(())
    }
}
