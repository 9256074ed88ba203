//! The operations that export the lineage of a job.

use std::collections::HashMap;
use std::sync::Arc;

use axum::response::Response;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::Service;
use super::analysis::{ColumnIndex, Effect, Endpoint, Lineage, Relationship, RelationshipKind};
use super::envelope::{Envelope, Failure, download};
use super::graphml::{self, GraphmlText};
use super::jobs::Job;
use super::layout::Drawing;
use super::model::{self, LineageModel, column_of, namespace_part};
use super::parameters::Parameters;
use super::routes::{Action, DrawingForm};
use super::selection::{Direction, ExportOptions, LineageView, is_named_like, same, unquoted};
use super::{csv, image};

pub(super) const CSV: &str = "text/csv;charset=utf-8";
const PNG: &str = "image/png";
const GRAPHML: &str = "application/octet-stream";

/// Responds to an export. Writing a large lineage takes a while, so it is done on a thread for blocking work.
pub(super) async fn respond(
    service: &Arc<Service>,
    action: Action,
    form: DrawingForm,
    user: &str,
    parameters: &Parameters,
) -> Result<Response, Failure> {
    let named = (parameters.get("jobId"), parameters.get("sessionId"));
    let job = match named {
        _ if action.is_about_the_latest_job() => service.jobs.latest(user)?,
        (Some(id), _) => service.jobs.find(user, id)?,
        (None, Some(session)) => service.jobs.of_session(user, session)?,
        (None, None) => service.jobs.latest(user)?,
    };
    let request = ExportRequest::read(action, form, &job, parameters, service.settings.relations)?;
    let lineage = Arc::clone(job.finished()?);
    let writing = tokio::task::spawn_blocking(move || request.write(&job, &lineage));
    writing.await.map_err(|error| Failure::internal(format_args!("the export could not be written: {error}")))?
}

/// Returns a whole export of a job with the default options, for the links of the emulator's own page.
pub(super) async fn file(service: &Service, job: Job, action: Action) -> Result<Response, Failure> {
    let request =
        ExportRequest::read(action, DrawingForm::Json, &job, &Parameters::default(), service.settings.relations)?;
    let lineage = Arc::clone(job.finished()?);
    let writing = tokio::task::spawn_blocking(move || request.write(&job, &lineage));
    writing.await.map_err(|error| Failure::internal(format_args!("the export could not be written: {error}")))?
}

/// An export with its options.
struct ExportRequest {
    action: Action,
    form: DrawingForm,
    options: ExportOptions,
    delimiter: u8,
    relation_limit: Option<usize>,
    contain_graphml: bool,
    return_model: bool,
    pattern: Option<regex::Regex>,
    table_column: Option<String>,
}

impl ExportRequest {
    fn read(
        action: Action,
        form: DrawingForm,
        job: &Job,
        parameters: &Parameters,
        relation_limit: Option<usize>,
    ) -> Result<Self, Failure> {
        let options = if matches!(action, Action::ExportCsv | Action::LeftMost | Action::LeftMostCsv) {
            job_options(job, parameters)?
        } else {
            options(parameters, &job.request.options.relation_types)?
        };
        let options = if action.is_table_level() { between_tables(options, parameters)? } else { options };
        let options = for_action(action, options, parameters)?;
        Ok(Self {
            action,
            form,
            options,
            delimiter: csv::delimiter(parameters.get("delimiter"))?,
            relation_limit,
            contain_graphml: parameters.flag("containGraphML", false)?,
            return_model: parameters.flag("isReturnModel", true)?,
            pattern: parameters.get("tableNamePattern").map(pattern).transpose()?,
            table_column: parameters.get("tableColumn").map(str::to_owned),
        })
    }

    fn write(&self, job: &Job, lineage: &Lineage) -> Result<Response, Failure> {
        match self.action {
            Action::ExportFullJson => {
                let view = LineageView::of(lineage, &self.options);
                Ok(envelope(job, lineage, LineageModel::of(&view)).respond())
            }
            Action::ExportCsv => {
                let view = LineageView::of(lineage, &self.options);
                download(CSV, &file_name(job, "csv"), |out| csv::write(&view, self.delimiter, out))
            }
            Action::ExportGraphml => {
                let view = LineageView::of(lineage, &self.options);
                if model::exceeds(&view, self.relation_limit) {
                    return Err(too_many_relationships());
                }
                let drawing = Drawing::of(&view, &self.options);
                download(GRAPHML, &file_name(job, "graphml"), |out| {
                    graphml::write(&drawing, out).map_err(Failure::internal)
                })
            }
            Action::LeftMost => {
                let pairs = self.left_most(&LineageView::of(lineage, &self.options));
                Ok(envelope(job, lineage, LeftMostSources { lineage, pairs: &pairs }).respond())
            }
            Action::LeftMostCsv => {
                let pairs = self.left_most(&LineageView::of(lineage, &self.options));
                download(CSV, &file_name(job, "csv"), |out| csv::write_pairs(lineage, &pairs, self.delimiter, out))
            }
            Action::Calls => {
                let view = LineageView::of(lineage, &self.options);
                let drawing = Drawing::of(&view, &self.options);
                let drawn = DrawnLineage::of(&view, DrawingMode::Global, Some(&drawing));
                Ok(envelope(job, lineage, drawn).with_warnings(&call_warnings(lineage), true).respond())
            }
            _ => self.drawn(job, lineage),
        }
    }

    fn drawn(&self, job: &Job, lineage: &Lineage) -> Result<Response, Failure> {
        let (view, mode) = self.drawable(lineage);
        if self.form == DrawingForm::Image {
            if mode == DrawingMode::Summary {
                return Err(too_many_relationships());
            }
            return image_of(&view, &self.options);
        }
        let drawing = (mode != DrawingMode::Summary).then(|| Drawing::of(&view, &self.options));
        let mut drawn = DrawnLineage::of(&view, mode, drawing.as_ref());
        drawn.graphml = drawing.as_ref().filter(|_| self.contain_graphml).map(GraphmlText);
        if !self.return_model {
            drawn.sqlflow = None;
        }
        Ok(envelope(job, lineage, drawn).respond())
    }

    /// Returns the part of a lineage to draw. If it has too many relationships, record sets are left out first.
    fn drawable<'a>(&self, lineage: &'a Lineage) -> (LineageView<'a>, DrawingMode) {
        if self.action.draws_ultimate_sources() {
            return (self.left_most_view(lineage), DrawingMode::Global);
        }
        let view = LineageView::of(lineage, &self.options);
        if !model::exceeds(&view, self.relation_limit) {
            return (view, DrawingMode::Global);
        }
        let options = ExportOptions { ignore_record_set: true, ..self.options.clone() };
        let reduced = LineageView::of(lineage, &options);
        if model::exceeds(&reduced, self.relation_limit) {
            (view, DrawingMode::Summary)
        } else {
            (reduced, DrawingMode::IgnoreRecordSet)
        }
    }

    /// Returns pairs of an ultimate source and a target, for the requested targets.
    fn left_most(&self, view: &LineageView<'_>) -> Vec<(ColumnIndex, ColumnIndex)> {
        let mut sources: HashMap<ColumnIndex, Vec<ColumnIndex>> = HashMap::new();
        for relationship in view.relationships.iter().filter(|relationship| moves_data(relationship)) {
            let column = sources.entry(relationship.target.column).or_default();
            column.extend(relationship.sources.iter().map(|source| source.column));
        }
        let mut targets: Vec<ColumnIndex> =
            sources.keys().copied().filter(|column| self.is_target(view.lineage, *column)).collect();
        targets.sort_unstable();
        let pairs = targets
            .into_iter()
            .flat_map(|target| ultimate(&sources, target).into_iter().map(move |source| (source, target)));
        pairs.collect()
    }

    /// Returns a view in which the ultimate sources of each target are its sources.
    fn left_most_view<'a>(&self, lineage: &'a Lineage) -> LineageView<'a> {
        // Tables can only be merged when no column has to be followed any more.
        let by_column = ExportOptions { table_to_table: false, ..self.options.clone() };
        let view = LineageView::of(lineage, &by_column);
        let mut last_steps: HashMap<ColumnIndex, &Relationship> = HashMap::new();
        let mut ends: HashMap<ColumnIndex, Endpoint> = HashMap::new();
        for relationship in view.relationships.iter().filter(|relationship| moves_data(relationship)) {
            last_steps.entry(relationship.target.column).or_insert(relationship);
            for source in &relationship.sources {
                ends.entry(source.column).or_insert(*source);
            }
        }
        let pairs = self.left_most(&view);
        let shortened = pairs.chunk_by(|a, b| a.1 == b.1).filter_map(|of_target| {
            let last = last_steps.get(&of_target[0].1)?;
            let sources = of_target.iter().filter_map(|(source, _)| ends.get(source).copied()).collect();
            Some(Relationship { sources, function: None, join: None, ..(*last).clone() })
        });
        let shortened = shortened.collect();
        view.with_relationships(shortened, &self.options)
    }

    fn is_target(&self, lineage: &Lineage, index: ColumnIndex) -> bool {
        let (object, column) = column_of(lineage, index);
        self.pattern.as_ref().is_none_or(|pattern| is_named_like(object, pattern))
            && self.table_column.as_deref().is_none_or(|name| same(name, &column.name))
    }
}

/// Returns `true` if values flow. A foreign key is written as a flow, but moves no data.
fn moves_data(relationship: &Relationship) -> bool {
    relationship.kind == RelationshipKind::Fdd && relationship.effect != Effect::ForeignKey
}

/// Responds with an image. There is no place for messages, so what was not read is only in the other exports.
pub(super) fn image_of(view: &LineageView<'_>, options: &ExportOptions) -> Result<Response, Failure> {
    let drawing = Drawing::of(view, options);
    download(PNG, "lineage.png", |out| image::write(&drawing, out))
}

/// Returns the sources of a column that have no source themselves.
fn ultimate(sources: &HashMap<ColumnIndex, Vec<ColumnIndex>>, target: ColumnIndex) -> Vec<ColumnIndex> {
    let mut seen = std::collections::BTreeSet::from([target]);
    let mut waiting = vec![target];
    let mut found = Vec::new();
    while let Some(column) = waiting.pop() {
        match sources.get(&column) {
            Some(next) => waiting.extend(next.iter().copied().filter(|column| seen.insert(*column))),
            None => found.push(column),
        }
    }
    found.sort_unstable();
    found
}

/// Pairs of an ultimate source and a target, written as one object for each target.
struct LeftMostSources<'a> {
    lineage: &'a Lineage,
    pairs: &'a [(ColumnIndex, ColumnIndex)],
}

impl Serialize for LeftMostSources<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let describe = |index| {
            let (object, column) = column_of(self.lineage, index);
            json!({
                "database": unquoted(namespace_part(object.namespace.database.as_ref())),
                "schema": unquoted(namespace_part(object.namespace.schema.as_ref())),
                "table": unquoted(&object.name),
                "column": unquoted(&column.name),
            })
        };
        serializer.collect_seq(self.pairs.chunk_by(|a, b| a.1 == b.1).map(|of_target| {
            let sources: Vec<Value> = of_target.iter().map(|(source, _)| describe(*source)).collect();
            json!({ "target": describe(of_target[0].1), "leftMostSources": sources })
        }))
    }
}

/// The `mode` of a drawn lineage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DrawingMode {
    Global,
    IgnoreRecordSet,
    Summary,
}

impl DrawingMode {
    fn name(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::IgnoreRecordSet => "ignoreRecordSet",
            Self::Summary => "summary",
        }
    }
}

/// A lineage as drawn, or an outline of it in a summary.
#[derive(Serialize)]
pub(super) struct DrawnLineage<'a> {
    mode: &'static str,
    summary: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    sqlflow: Option<LineageModel<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    graph: Option<&'a Drawing<'a>>,
    #[serde(rename = "graphML", skip_serializing_if = "Option::is_none")]
    graphml: Option<GraphmlText<'a>>,
}

impl<'a> DrawnLineage<'a> {
    pub(super) fn of(view: &'a LineageView<'a>, mode: DrawingMode, drawing: Option<&'a Drawing<'a>>) -> Self {
        let sqlflow = match mode {
            DrawingMode::Summary => LineageModel::outline(view),
            _ => LineageModel::of(view),
        };
        Self { mode: mode.name(), summary: model::summary(view), sqlflow: Some(sqlflow), graph: drawing, graphml: None }
    }
}

fn envelope<T: Serialize>(job: &Job, lineage: &Lineage, data: T) -> Envelope<T> {
    Envelope::new(data)
        .with("jobId", job.id.as_str())
        .with("sessionId", job.session.as_str())
        .with_warnings(&lineage.messages(), lineage.is_incomplete())
}

fn file_name(job: &Job, extension: &str) -> String {
    format!("lineage_{}.{extension}", job.id)
}

fn too_many_relationships() -> Failure {
    Failure::new(
        500,
        "The number of relationships in this task is too large to export this file, please check data lineage on SQLFlow platform.",
    )
}

/// Reads the options from the parameters of a request.
pub(super) fn options(parameters: &Parameters, relation_types: &str) -> Result<ExportOptions, Failure> {
    let text = |name: &str| parameters.get(name).map(|value| value.trim().to_owned());
    Ok(ExportOptions {
        relation_types: parameters.relation_types(relation_types)?,
        simple: parameters.flag("simpleOutput", false)?,
        ignore_record_set: parameters.flag("ignoreRecordSet", false)?,
        ignore_function: parameters.flag("ignoreFunction", false)?,
        show_constants: parameters.flag("showConstantTable", false)?,
        count_arguments_direct: parameters.flag("treatArgumentsInCountFunctionAsDirectDataflow", false)?,
        table_to_table: parameters.flag("tableToTable", false)?,
        ignore_self_lineage: false,
        link_only: parameters.flag("showLinkOnly", true)?,
        hide_columns: parameters.flag("hideColumn", false)?,
        database: text("database"),
        schema: text("schema"),
        table: text("table"),
        column: text("column"),
        ..ExportOptions::default()
    })
}

/// Changes options to those of an operation that is always between tables.
pub(super) fn between_tables(options: ExportOptions, parameters: &Parameters) -> Result<ExportOptions, Failure> {
    let ignore_self_lineage = parameters.flag("ignoreSelfLineage", true)?;
    Ok(ExportOptions { table_to_table: true, ignore_self_lineage, ..options })
}

/// Adds what only some operations have: a direction, or the level of the result.
fn for_action(action: Action, options: ExportOptions, parameters: &Parameters) -> Result<ExportOptions, Failure> {
    let direction = match action {
        Action::Upstream => Direction::Upstream,
        Action::Downstream => Direction::Downstream,
        Action::Calls => return Ok(of_calls(options)),
        Action::Selected | Action::LeftMostGraph | Action::LatestJobLeftMost => {
            let table_to_table = !parameters.flag("columnLevel", true)?;
            // Between an ultimate source and its target there is nothing to draw.
            let simple = options.simple || action.draws_ultimate_sources();
            return Ok(ExportOptions { simple, table_to_table, ..options });
        }
        _ => return Ok(options),
    };
    let distance = parameters.get("distance").map(|text| {
        let number = text.trim().parse().ok().filter(|distance| *distance > 0);
        number.ok_or_else(|| Failure::new(400, format!("The parameter 'distance' is not a number of steps: '{text}'.")))
    });
    Ok(ExportOptions {
        direction,
        distance: distance.transpose()?,
        table_pattern: parameters.get("tableNamePattern").map(pattern).transpose()?,
        column: parameters.get("tableColumn").map(|name| name.trim().to_owned()),
        ..options
    })
}

/// Changes options to those of a graph of calls: no relationships but those between routines.
pub(super) fn of_calls(options: ExportOptions) -> ExportOptions {
    ExportOptions { relation_types: "call".into(), ..options }
}

/// Returns the messages of a graph of calls, which lacks all of them.
pub(super) fn call_warnings(lineage: &Lineage) -> Vec<String> {
    let mut messages = lineage.messages();
    messages.push(
        "The SQLFlow emulator does not read which routine calls which, so 'relationships' has no calls. 'processes' \
         names the routine that contains each statement."
            .into(),
    );
    messages
}

/// Returns the options that a job was submitted with, for exports that have hardly any options.
fn job_options(job: &Job, parameters: &Parameters) -> Result<ExportOptions, Failure> {
    let asked = &job.request.options;
    Ok(ExportOptions {
        relation_types: asked.relation_types.clone(),
        ignore_record_set: asked.ignore_record_set,
        ignore_function: asked.ignore_function,
        show_constants: asked.show_constant_table,
        count_arguments_direct: asked.count_arguments_direct,
        table_to_table: parameters.flag("tableToTable", false)?,
        ..ExportOptions::default()
    })
}

/// Builds a pattern that matches a whole table name, ignoring case.
fn pattern(text: &str) -> Result<regex::Regex, Failure> {
    let built = regex::RegexBuilder::new(&format!("^(?:{text})$")).case_insensitive(true).size_limit(1 << 20).build();
    built.map_err(|_| {
        Failure::new(400, format!("The parameter 'tableNamePattern' is not a regular expression: '{text}'."))
    })
}
