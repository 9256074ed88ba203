//! The JSON of an event, in the form of the published schemas.

use std::collections::{BTreeSet, HashSet};
use std::io::{self, Write};

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

use super::OpenLineage;
use super::column_lineage::{DatasetLineage, InputTransformations, Transformation, dataset_lineage};
use super::datasets::{Dataset, Datasets};
use super::events::{EventContent, EventOutputs};
use super::namespace::uri;
use crate::diagram::unresolved_note;
use crate::kinds::ObjectKind;

macro_rules! facet_schema {
    ($version:literal, $name:literal) => {
        concat!("https://openlineage.io/spec/facets/", $version, "/", $name, ".json#/$defs/", $name)
    };
}

const RUN_EVENT: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";
const COLUMN_LINEAGE: &str = facet_schema!("1-2-0", "ColumnLineageDatasetFacet");
const DATA_SOURCE: &str = facet_schema!("1-0-1", "DatasourceDatasetFacet");
const DATASET_TYPE: &str = facet_schema!("1-0-1", "DatasetTypeDatasetFacet");
const ERROR_MESSAGE: &str = facet_schema!("1-0-1", "ErrorMessageRunFacet");
const JOB_TYPE: &str = facet_schema!("2-0-4", "JobTypeJobFacet");
const SCHEMA: &str = facet_schema!("1-2-0", "SchemaDatasetFacet");

#[derive(Serialize)]
struct RunEvent<'e, I: Serialize, O: Serialize> {
    #[serde(rename = "eventTime")]
    time: &'e str,
    #[serde(rename = "eventType")]
    kind: &'static str,
    producer: &'e str,
    #[serde(rename = "schemaURL")]
    schema_url: &'static str,
    run: EventRun<'e>,
    job: EventJob<'e>,
    inputs: I,
    outputs: O,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EventRun<'e> {
    run_id: &'e str,
    #[serde(skip_serializing_if = "RunFacets::is_empty")]
    facets: RunFacets<'e>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RunFacets<'e> {
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<Facet<'e, ErrorMessage>>,
}

impl RunFacets<'_> {
    fn is_empty(&self) -> bool {
        self.error_message.is_none()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorMessage {
    message: String,
    programming_language: &'static str,
}

#[derive(Serialize)]
struct EventJob<'e> {
    namespace: &'e str,
    name: &'e str,
    facets: JobFacets<'e>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JobFacets<'e> {
    job_type: Facet<'e, JobType>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JobType {
    processing_type: &'static str,
    integration: &'static str,
    #[serde(rename = "jobType")]
    kind: &'static str,
}

/// A facet: a part of an event with a schema of its own.
#[derive(Serialize)]
struct Facet<'e, T> {
    #[serde(rename = "_producer")]
    producer: &'e str,
    #[serde(rename = "_schemaURL")]
    schema_url: &'static str,
    #[serde(flatten)]
    content: T,
}

impl<'e, T> Facet<'e, T> {
    fn new(settings: &'e OpenLineage<'_>, schema_url: &'static str, content: T) -> Self {
        Self { producer: &settings.producer, schema_url, content }
    }
}

/// Writes an event. The facets of its datasets are created one by one, as they are written.
pub(super) fn write(
    settings: &OpenLineage<'_>,
    datasets: &Datasets<'_>,
    time: &str,
    content: &EventContent<'_>,
    writer: impl Write,
) -> io::Result<()> {
    let job_type = JobType { processing_type: "BATCH", integration: "SQLFLOW", kind: "JOB" };
    let error_message = if content.has_errors { error_message(settings) } else { None };
    let event = RunEvent {
        time,
        kind: "COMPLETE",
        producer: &settings.producer,
        schema_url: RUN_EVENT,
        run: EventRun { run_id: &content.run_id, facets: RunFacets { error_message } },
        job: EventJob {
            namespace: &settings.job_namespace,
            name: &content.job_name,
            facets: JobFacets { job_type: Facet::new(settings, JOB_TYPE, job_type) },
        },
        inputs: InputList { settings, datasets, indices: &content.inputs },
        outputs: OutputList { settings, datasets, outputs: &content.outputs },
    };
    Ok(serde_json::to_writer(writer, &event)?)
}

/// Returns `true` if the server found errors in the SQL, or if flows could not be followed.
pub(super) fn has_errors(settings: &OpenLineage<'_>) -> bool {
    error_message(settings).is_some()
}

/// Returns the errors in the SQL, and the number of flows that could not be followed, one on each line. The server still
/// understood the rest, so the run is complete.
fn error_message<'e>(settings: &'e OpenLineage<'_>) -> Option<Facet<'e, ErrorMessage>> {
    let model = &settings.inner().model;
    let mut message = String::new();
    for diagnostic in &model.diagnostics {
        let kind = model.texts.get_present(diagnostic.kind);
        // The errors are `SyntaxError` and `AnalyzeError`; other kinds are hints.
        if kind.is_none_or(|kind| kind.ends_with("Error")) {
            if !message.is_empty() {
                message.push('\n');
            }
            message.push_str(model.texts.get(diagnostic.message));
        }
    }
    if let Some(note) = unresolved_note(settings.unresolved().len()) {
        if !message.is_empty() {
            message.push('\n');
        }
        message.push_str(&note);
    }
    let content = ErrorMessage { message, programming_language: "SQL" };
    (!content.message.is_empty()).then(|| Facet::new(settings, ERROR_MESSAGE, content))
}

struct InputList<'e, 'a> {
    settings: &'e OpenLineage<'a>,
    datasets: &'e Datasets<'a>,
    indices: &'e [usize],
}

impl Serialize for InputList<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let datasets = self.indices.iter().filter_map(|&index| self.datasets.get(index));
        serializer.collect_seq(datasets.map(|dataset| dataset_item(self.settings, dataset, None)))
    }
}

struct OutputList<'e, 'a> {
    settings: &'e OpenLineage<'a>,
    datasets: &'e Datasets<'a>,
    outputs: &'e EventOutputs<'a>,
}

impl<'a> OutputList<'_, 'a> {
    fn serialize_item<S: SerializeSeq>(
        &self,
        list: &mut S,
        dataset: &Dataset<'a>,
        lineage: &DatasetLineage<'a>,
    ) -> Result<(), S::Error> {
        let column_lineage = column_lineage(self.settings, self.datasets, lineage);
        list.serialize_element(&dataset_item(self.settings, dataset, column_lineage))
    }
}

impl Serialize for OutputList<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        match self.outputs {
            EventOutputs::None => {}
            EventOutputs::One(index, lineage) => {
                if let Some(dataset) = self.datasets.get(*index) {
                    self.serialize_item(&mut list, dataset, lineage)?;
                }
            }
            EventOutputs::All => {
                for dataset in self.datasets.outputs.iter().filter_map(|&index| self.datasets.get(index)) {
                    self.serialize_item(&mut list, dataset, &dataset_lineage(self.datasets, dataset))?;
                }
            }
        }
        list.end()
    }
}

fn dataset_item<'e, 'a>(
    settings: &'e OpenLineage<'a>,
    dataset: &'e Dataset<'a>,
    column_lineage: Option<Facet<'e, ColumnLineage<'e, 'a>>>,
) -> DatasetItem<'e, 'a> {
    let facets = DatasetFacets {
        schema: schema(settings, dataset),
        dataset_type: dataset_type(settings, dataset),
        data_source: data_source(settings, dataset),
        column_lineage,
    };
    DatasetItem { namespace: &dataset.namespace, name: &dataset.name, facets }
}

#[derive(Serialize)]
struct DatasetItem<'e, 'a> {
    namespace: &'e str,
    name: &'e str,
    facets: DatasetFacets<'e, 'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DatasetFacets<'e, 'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<Facet<'e, DatasetSchema<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dataset_type: Option<Facet<'e, DatasetType>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_source: Option<Facet<'e, DataSource<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column_lineage: Option<Facet<'e, ColumnLineage<'e, 'a>>>,
}

#[derive(Serialize)]
struct DatasetSchema<'a> {
    fields: Vec<SchemaField<'a>>,
}

#[derive(Serialize)]
struct SchemaField<'a> {
    name: String,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    data_type: Option<&'a str>,
}

/// Returns the columns of a dataset, each once. `*` stands for other columns and is not one itself.
fn schema<'e, 'a>(settings: &'e OpenLineage<'a>, dataset: &Dataset<'a>) -> Option<Facet<'e, DatasetSchema<'a>>> {
    let mut seen = HashSet::new();
    let fields: Vec<SchemaField<'a>> = dataset
        .columns()
        .filter(|(name, _)| name != "*" && seen.insert(name.clone()))
        .map(|(name, column)| SchemaField { name, data_type: column.data_type() })
        .collect();
    (!fields.is_empty()).then(|| Facet::new(settings, SCHEMA, DatasetSchema { fields }))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DatasetType {
    dataset_type: &'static str,
}

fn dataset_type<'e>(settings: &'e OpenLineage<'_>, dataset: &Dataset<'_>) -> Option<Facet<'e, DatasetType>> {
    let dataset_type = match dataset.objects.first()?.kind() {
        ObjectKind::Table => "TABLE",
        ObjectKind::View => "VIEW",
        _ => return None,
    };
    Some(Facet::new(settings, DATASET_TYPE, DatasetType { dataset_type }))
}

#[derive(Serialize)]
struct DataSource<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<String>,
}

fn data_source<'e, 'a>(settings: &'e OpenLineage<'a>, dataset: &Dataset<'a>) -> Option<Facet<'e, DataSource<'a>>> {
    let name = dataset.server()?;
    Some(Facet::new(settings, DATA_SOURCE, DataSource { name, uri: uri(dataset.vendor, name) }))
}

#[derive(Serialize)]
struct ColumnLineage<'e, 'a> {
    fields: LineageFields<'e, 'a>,
    #[serde(skip_serializing_if = "InputFields::is_empty")]
    dataset: InputFields<'e, 'a>,
}

fn column_lineage<'e, 'a>(
    settings: &'e OpenLineage<'a>,
    datasets: &'e Datasets<'a>,
    lineage: &'e DatasetLineage<'a>,
) -> Option<Facet<'e, ColumnLineage<'e, 'a>>> {
    if lineage.fields.is_empty() && lineage.rows.is_empty() {
        return None;
    }
    let content = ColumnLineage {
        fields: LineageFields { datasets, fields: &lineage.fields },
        dataset: InputFields { datasets, inputs: &lineage.rows },
    };
    Some(Facet::new(settings, COLUMN_LINEAGE, content))
}

/// A JSON object whose members are in the order of the columns.
struct LineageFields<'e, 'a> {
    datasets: &'e Datasets<'a>,
    fields: &'e [(String, InputTransformations<'a>)],
}

impl Serialize for LineageFields<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let datasets = self.datasets;
        let field = |inputs| LineageField { input_fields: InputFields { datasets, inputs } };
        serializer.collect_map(self.fields.iter().map(|(name, inputs)| (name, field(inputs))))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LineageField<'e, 'a> {
    input_fields: InputFields<'e, 'a>,
}

struct InputFields<'e, 'a> {
    datasets: &'e Datasets<'a>,
    inputs: &'e InputTransformations<'a>,
}

impl InputFields<'_, '_> {
    fn is_empty(&self) -> bool {
        self.inputs.is_empty()
    }
}

impl Serialize for InputFields<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.inputs.iter().filter_map(|((dataset, field), transformations)| {
            let Dataset { namespace, name, .. } = self.datasets.get(*dataset)?;
            Some(InputField { namespace, name, field, transformations })
        }))
    }
}

#[derive(Serialize)]
struct InputField<'e, 'a> {
    namespace: &'e str,
    name: &'e str,
    field: &'e str,
    transformations: &'e BTreeSet<Transformation<'a>>,
}
