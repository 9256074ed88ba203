//! Writing a lineage, or the answer to a question about it, in every format.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Write;

use serde::Serialize;
use sqlflow_client::Lineage;
use sqlflow_client::lineage::{
    Diagram, Endpoint, OpenLineage, OwnedColumnFlow, OwnedDiagnostic, OwnedEdge, OwnedImpact, OwnedVertex, Path,
    RelationType, Trace, Traced, Vertex,
};

use super::{Output, Table, page, parquet, report};
use crate::arguments::{
    AnswerArguments, DiagramArguments, Format, JsonArguments, OutputArguments, PageArguments, SelectionArguments,
};
use crate::exit::{Exit, Failure, Outcome};
use crate::messages::Messages;

/// The number of endpoints that a note lists.
const SHOWN_IN_NOTE: usize = 3;

/// The answer that is written, and how.
#[derive(Debug, Clone, Default)]
pub(crate) struct LineageRequest {
    pub(crate) selection: SelectionArguments,
    pub(crate) diagram: DiagramArguments,
    /// The relationships to follow; empty for those that values flow along.
    pub(crate) relation_types: Vec<RelationType>,
    pub(crate) format: Option<Format>,
    pub(crate) json: JsonArguments,
    pub(crate) output: OutputArguments,
    pub(crate) page: PageArguments,
    /// The title of a page, if it is not that of the document.
    pub(crate) title: Option<String>,
    pub(crate) strict: bool,
}

impl LineageRequest {
    pub(crate) fn new(answer: AnswerArguments, relation_types: Vec<RelationType>) -> Self {
        let AnswerArguments { selection, diagram, mut format, output, mut json, page, strict } = answer;
        if selection.impact.is_none() {
            page::prepare(page, json, Format::Html, &mut format, &output);
        }
        let extension = output.output.as_ref().and_then(|path| path.extension()).and_then(|it| it.to_str());
        if format.is_none() && !json.json && !json.jsonl && selection.impact.is_none() {
            // The name of a file tells its format, as long as no flag does.
            format = match extension {
                Some("csv") => Some(Format::Csv),
                Some("graphml") => Some(Format::Graphml),
                Some("dot" | "gv") => Some(Format::Dot),
                Some("mmd" | "mermaid") => Some(Format::Mermaid),
                Some("json") if selection.question().is_none() => Some(Format::Json),
                _ => None,
            };
            json.json = format.is_none() && extension == Some("json");
        }
        Self { selection, diagram, relation_types, format, json, output, page, title: None, strict }
    }
}

/// The question that is put to a lineage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    Upstream,
    Downstream,
    Impact,
}

impl SelectionArguments {
    /// Returns the question, the name that it is about, and whether only the ends of all paths are wanted.
    fn question(&self) -> Option<(Question, &str, bool)> {
        let questions = [
            (Question::Upstream, &self.upstream, false),
            (Question::Downstream, &self.downstream, false),
            (Question::Impact, &self.impact, false),
            (Question::Upstream, &self.sources, true),
            (Question::Downstream, &self.targets, true),
        ];
        questions.into_iter().find_map(|(question, name, ultimate)| Some((question, name.as_deref()?, ultimate)))
    }
}

impl LineageRequest {
    /// Checks that the flags fit each other.
    ///
    /// # Errors
    /// They do not.
    pub(crate) fn check(&self) -> Outcome<()> {
        let question = self.selection.question().map(|(question, ..)| question);
        parquet::check(self)?;
        if self.format != Some(Format::Parquet) {
            Output::check(&self.output)?;
        }
        if (self.json.json || self.json.jsonl) && self.format.is_some() {
            return Err(Failure::usage("--format cannot be used with --json or --jsonl")
                .help("--json prints the result of this command, --format json the document of SQLFlow"));
        }
        if self.format == Some(Format::Json) && question.is_some() {
            return Err(Failure::usage("--format json writes the whole lineage")
                .help("--json prints the answer to a question as JSON"));
        }
        if question == Some(Question::Impact) {
            if self.format.is_some_and(|format| format != Format::Table) {
                return Err(
                    Failure::usage("--impact is a report and no diagram").help("leave out --format, or use --json")
                );
            }
            if self.diagram.intermediates || self.diagram.foreign_keys || self.diagram.by_object {
                return Err(Failure::usage("--impact follows everything that depends on a column")
                    .help("leave out --intermediates, --foreign-keys and --by-object"));
            }
        }
        self.check_page()?;
        let is_whole_record = self.json.json || self.json.jsonl || self.format == Some(Format::Json);
        if is_whole_record && question.is_none() && (self.diagram.intermediates || self.diagram.foreign_keys) {
            return Err(Failure::usage("--intermediates and --foreign-keys need a question or a diagram")
                .help("add --upstream or --downstream, or use --format csv, graphml, dot or mermaid"));
        }
        let draws = matches!(self.format, Some(Format::Csv | Format::Graphml | Format::Dot | Format::Mermaid));
        if self.selection.paths && (draws || self.format == Some(Format::Openlineage)) {
            return Err(Failure::usage("--paths prints lines of text, and --format a diagram")
                .help("leave out one of them: the diagram has all paths"));
        }
        if self.selection.paths && self.json.jsonl {
            return Err(Failure::usage("--jsonl prints columns, and --paths lists of columns").help("use --json"));
        }
        if self.diagram.by_object && !draws {
            return Err(Failure::usage("--by-object needs --format csv, graphml, dot or mermaid"));
        }
        Ok(())
    }

    /// Checks that the flags fit a page, which answers all questions and has switches for the rest.
    fn check_page(&self) -> Outcome<()> {
        page::check(self.page, self.is_page(), &self.output)?;
        let is_diagram = self.diagram.intermediates || self.diagram.foreign_keys || self.diagram.by_object;
        if self.is_page() && (is_diagram || self.selection.paths || self.selection.depth.is_some()) {
            return Err(Failure::usage("--format html writes the whole lineage").help(
                "leave out --paths, --depth, --intermediates, --foreign-keys and --by-object: the page has switches for \
                 them",
            ));
        }
        Ok(())
    }

    /// Returns `true` if more is needed than the flows of values: a question about impact needs filters and joins, a page
    /// has switches for them, and tables are asked questions of all kinds.
    pub(crate) fn needs_dependencies(&self) -> bool {
        self.selection.impact.is_some() || matches!(self.format, Some(Format::Html | Format::Parquet))
    }

    /// Returns `true` if the result is a page.
    pub(crate) fn is_page(&self) -> bool {
        self.format == Some(Format::Html)
    }

    /// Returns the name that the question is about.
    pub(super) fn asked_name(&self) -> Option<&str> {
        self.selection.question().map(|(_, name, _)| name)
    }

    /// Returns `true` if there is a question, so that not everything is printed.
    pub(crate) fn has_question(&self) -> bool {
        self.selection.question().is_some()
    }

    /// Returns `true` if the document of SQLFlow is wanted as it is.
    pub(crate) fn is_document(&self) -> bool {
        self.format == Some(Format::Json)
    }
}

/// The lineage that is written, and what is known about its job.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LineageResult<'a> {
    pub(crate) lineage: &'a Lineage,
    pub(crate) job: Option<&'a str>,
    /// The reasons why it may be less than the whole, each a sentence.
    pub(crate) reasons: &'a [String],
}

/// The result of a command as one JSON object.
#[derive(Debug, Serialize)]
struct LineageObject<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<&'a str>,
    complete: bool,
    reasons: &'a [String],
    flows: Vec<OwnedColumnFlow>,
    /// All edges that were asked for, if these are others than the flows of values between columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    edges: Option<Vec<OwnedEdge>>,
    errors: Vec<OwnedDiagnostic>,
    warnings: Vec<&'a str>,
    unresolved: Vec<OwnedVertex>,
}

/// The answer to a question as one JSON object.
#[derive(Debug, Serialize)]
struct AnswerObject<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<&'a str>,
    question: &'static str,
    of: String,
    complete: bool,
    reasons: &'a [String],
    found: Vec<OwnedVertex>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paths: Option<Vec<Vec<OwnedVertex>>>,
    unresolved: Vec<OwnedVertex>,
}

/// Returns the reasons why a lineage may be less than the whole that it does not hold itself.
fn outer_reasons(result: LineageResult<'_>, messages: &Messages) -> Vec<String> {
    let mut reasons = result.reasons.to_vec();
    match messages.left_out() {
        0 => {}
        1 => reasons.push("1 file was left out of the submission".to_owned()),
        count => reasons.push(format!("{count} files were left out of the submission")),
    }
    reasons
}

/// Returns the reasons why a lineage may be less than the whole, and warns of the errors in its SQL.
fn all_reasons(result: LineageResult<'_>, messages: &Messages) -> Vec<String> {
    let mut reasons = outer_reasons(result, messages);
    if let Some(cut) = report::cut(result.lineage) {
        messages.warning(cut);
        reasons.push(cut.to_owned());
    }
    for error in report::sql_errors(result.lineage) {
        messages.warning(one_line(&error));
        reasons.push(one_line(&error));
    }
    reasons
}

/// Returns the exit code for a lineage under `--strict`, and says what it lacks.
pub(crate) fn strictness(result: LineageResult<'_>, messages: &Messages) -> Exit {
    let reasons = all_reasons(result, messages);
    let unresolved: Vec<_> = result.lineage.unresolved().collect();
    if let Some(note) = unresolved_note(&unresolved) {
        messages.warning(note);
        return Exit::Incomplete;
    }
    if reasons.is_empty() { Exit::Done } else { Exit::Incomplete }
}

/// Writes a lineage as requested; `default` is the format if none is given.
///
/// # Errors
/// A name that does not exist, or output that cannot be written.
pub(crate) fn write(
    result: LineageResult<'_>,
    request: &LineageRequest,
    default: impl FnOnce(&Output) -> Format,
    messages: &Messages,
) -> Outcome {
    let mut reasons = all_reasons(result, messages);
    for reason in report::not_covered(result.lineage, &request.relation_types) {
        messages.warning(&reason);
        reasons.push(reason);
    }
    let outer = outer_reasons(result, messages);
    let result = LineageResult { reasons: &reasons, ..result };
    if request.format == Some(Format::Parquet) {
        return parquet::write(result, request, &outer, messages);
    }
    let mut file = request.output.clone();
    page::place(request.page, &mut file)?;
    let mut output = Output::open(&file)?;
    let unresolved = if request.is_page() {
        page::write(result.lineage, request, &outer, &mut output)?;
        unresolved_note(&result.lineage.unresolved().collect::<Vec<_>>())
    } else if let Some(question) = request.selection.question() {
        answer(result, request, question, &mut output, messages)?
    } else {
        let format = request.format.unwrap_or_else(|| default(&output));
        whole(result, request, format, &mut output)?
    };
    // The report of an impact ends with what it lacks.
    let is_shown = request.selection.impact.is_some() && !request.json.json && !request.json.jsonl;
    let is_shown = is_shown && output.is_terminal();
    output.finish()?;
    if let Some(note) = unresolved.as_ref().filter(|_| !is_shown) {
        messages.warning(note);
    }
    page::open(request.page, &file, messages);
    let is_whole = unresolved.is_none() && reasons.is_empty();
    Ok(if request.strict && !is_whole { Exit::Incomplete } else { Exit::Done })
}

/// Writes everything. Returns a sentence about the edges that could not be followed, if there are any.
fn whole(
    result: LineageResult<'_>,
    request: &LineageRequest,
    format: Format,
    output: &mut Output,
) -> Outcome<Option<String>> {
    let lineage = result.lineage;
    let diagram = with_options(lineage.diagram(), request);
    let unresolved = diagram.unresolved();
    let flows = || lineage.column_flows().iter().map(OwnedColumnFlow::from).collect::<Vec<_>>();
    if request.json.json {
        let flows = flows();
        output.json(&LineageObject {
            job: result.job,
            complete: unresolved.is_empty() && result.reasons.is_empty(),
            reasons: result.reasons,
            edges: asked_edges(&flows, &diagram, request),
            flows,
            errors: lineage.errors().map(|error| OwnedDiagnostic::from(&error)).collect(),
            warnings: lineage.warnings().collect(),
            unresolved: owned(&unresolved),
        })?;
    } else if request.json.jsonl {
        let flows = flows();
        match asked_edges(&flows, &diagram, request) {
            Some(edges) => output.json_lines(edges)?,
            None => output.json_lines(flows)?,
        }
    } else {
        match format {
            Format::Table => write_table(&diagram, output)?,
            Format::Json => lineage.write_json(&mut *output)?,
            _ => write_diagram(format, &diagram, &lineage.openlineage(), output)?,
        }
    }
    Ok(unresolved_note(&unresolved))
}

/// Returns the edges of a diagram, if the flags ask for others than the flows of values between columns, or if there are
/// only edges between tables.
fn asked_edges(flows: &[OwnedColumnFlow], diagram: &Diagram<'_>, request: &LineageRequest) -> Option<Vec<OwnedEdge>> {
    let is_asked = !request.relation_types.is_empty();
    if !is_asked && !flows.is_empty() {
        return None;
    }
    let edges: Vec<_> = diagram.edges().iter().map(OwnedEdge::from).collect();
    (is_asked || !edges.is_empty()).then_some(edges)
}

fn write_table(diagram: &Diagram<'_>, output: &mut Output) -> Outcome<()> {
    let mut table = Table::new(["SOURCE", "TARGET", "BY"]);
    for edge in diagram.edges() {
        let effect = edge.effect.as_ref().map(|effect| effect.as_str().replace('_', " "));
        let by = match (effect, edge.relation.carries_values()) {
            (Some(effect), true) => effect,
            (Some(effect), false) => format!("{effect} ({})", edge.relation),
            (None, true) => String::new(),
            (None, false) => edge.relation.to_string(),
        };
        table.row([one_line(&edge.source), one_line(&edge.target), by]);
    }
    if table.is_empty() {
        return Ok(writeln!(output, "no values flow between the tables")?);
    }
    Ok(write!(output, "{table}")?)
}

/// Writes the answer to a question. Returns a sentence about what could not be followed, if there is any.
fn answer(
    result: LineageResult<'_>,
    request: &LineageRequest,
    (question, name, ultimate): (Question, &str, bool),
    output: &mut Output,
    messages: &Messages,
) -> Outcome<Option<String>> {
    let vertex = result.lineage.find(name)?;
    match (vertex, question) {
        (Vertex::Column(column), Question::Impact) => {
            let impact = column.impact();
            if request.json.json {
                output.json(&OwnedImpact::from(&impact))?;
            } else if request.json.jsonl {
                let owned = OwnedImpact::from(&impact);
                output.json_lines(owned.columns.into_iter().chain(owned.objects))?;
            } else {
                write!(output, "{impact}")?;
            }
            if !impact.uncertain_types.is_empty() {
                messages.note(report::HOW_TO_COVER);
            }
            Ok((!impact.is_complete()).then(|| format!("the impact is not complete: {}", impact.reasons().join("; "))))
        }
        (Vertex::Object(object), Question::Impact) => {
            Err(Failure::usage(format!("{object} is an object; --impact needs a column"))
                .help(format!("write {object}.COLUMN, or use --downstream, which takes objects")))
        }
        (Vertex::Column(column), Question::Upstream) => {
            Trail { result, request, question: named(question, ultimate), of: &column, ultimate }.write(
                column.upstream(),
                output,
                messages,
            )
        }
        (Vertex::Column(column), Question::Downstream) => {
            Trail { result, request, question: named(question, ultimate), of: &column, ultimate }.write(
                column.downstream(),
                output,
                messages,
            )
        }
        (Vertex::Object(object), Question::Upstream) => {
            Trail { result, request, question: named(question, ultimate), of: &object, ultimate }.write(
                object.upstream(),
                output,
                messages,
            )
        }
        (Vertex::Object(object), Question::Downstream) => {
            Trail { result, request, question: named(question, ultimate), of: &object, ultimate }.write(
                object.downstream(),
                output,
                messages,
            )
        }
    }
}

/// Returns the name of a question, which is that of its flag.
fn named(question: Question, ultimate: bool) -> &'static str {
    match (question, ultimate) {
        (Question::Upstream, false) => "upstream",
        (Question::Upstream, true) => "sources",
        (Question::Downstream, false) => "downstream",
        (Question::Downstream, true) => "targets",
        (Question::Impact, _) => "impact",
    }
}

/// A question that is answered by following relationships.
struct Trail<'a, V> {
    result: LineageResult<'a>,
    request: &'a LineageRequest,
    question: &'static str,
    of: &'a V,
    ultimate: bool,
}

impl<V: fmt::Display> Trail<'_, V> {
    fn write<'a, T>(&self, mut trace: Trace<'a, T>, output: &mut Output, messages: &Messages) -> Outcome<Option<String>>
    where
        T: Traced<'a> + Serialize,
        OwnedVertex: for<'b> From<&'b T>,
    {
        let request = self.request;
        if let Some(depth) = request.selection.depth {
            trace = trace.depth(depth);
        }
        if !request.relation_types.is_empty() {
            trace = trace.over(&request.relation_types);
        }
        if request.diagram.intermediates {
            trace = trace.with_intermediates();
        }
        if request.diagram.foreign_keys {
            trace = trace.with_foreign_keys();
        }
        if self.ultimate {
            trace = trace.ultimate();
        }
        let unresolved = trace.unresolved();
        let note = unresolved_note(&unresolved);
        if request.json.json {
            let steps = |path: Path<T>| path.steps().iter().map(OwnedVertex::from).collect();
            output.json(&AnswerObject {
                job: self.result.job,
                question: self.question,
                of: self.of.to_string(),
                complete: unresolved.is_empty() && self.result.reasons.is_empty(),
                reasons: self.result.reasons,
                found: trace.to_vec().iter().map(OwnedVertex::from).collect(),
                paths: request.selection.paths.then(|| trace.paths().map(steps).collect()),
                unresolved: owned(&unresolved),
            })?;
            return Ok(note);
        }
        if request.json.jsonl {
            output.json_lines(trace.to_vec().iter().map(OwnedVertex::from))?;
            return Ok(note);
        }
        match request.format {
            Some(format) if format != Format::Table => {
                let diagram = with_options(trace.diagram(), request);
                write_diagram(format, &diagram, &trace.openlineage(), output)?;
            }
            _ if request.selection.paths => {
                for path in trace.paths() {
                    writeln!(output, "{}", one_line(&path))?;
                }
            }
            _ => {
                // Many intermediate results have the same name.
                let names: BTreeSet<String> = trace.into_iter().map(|found| one_line(&found)).collect();
                if names.is_empty() {
                    messages.note(if request.relation_types.is_empty() {
                        "no value flows there; counts, filters and constants are other relationships: try \
                         --relation-types fdd,fdr or --intermediates"
                    } else {
                        "no relationship of these types leads there"
                    });
                }
                for name in names {
                    writeln!(output, "{name}")?;
                }
            }
        }
        Ok(note)
    }
}

fn owned(ends: &[Endpoint<'_>]) -> Vec<OwnedVertex> {
    ends.iter().map(OwnedVertex::from).collect()
}

/// Says that a result lacks edges that the document has.
pub(crate) fn unresolved_note(ends: &[Endpoint<'_>]) -> Option<String> {
    let shown: Vec<String> = ends.iter().take(SHOWN_IN_NOTE).map(ToString::to_string).collect();
    let more = if ends.len() > SHOWN_IN_NOTE { ", …" } else { "" };
    match ends.len() {
        0 => None,
        1 => Some(format!("1 edge could not be followed: {}", shown.join(", "))),
        count => Some(format!("{count} edges could not be followed: {}{more}", shown.join(", "))),
    }
}

/// Returns a text on one line: a name of a column can be several lines of SQL. Other control characters are escaped,
/// because names and messages come from scripts and servers, and a terminal would obey them.
pub(crate) fn one_line(text: &impl fmt::Display) -> String {
    let text = text.to_string();
    let text = if text.contains(['\n', '\r']) { text.split_whitespace().collect::<Vec<_>>().join(" ") } else { text };
    without_controls(&text)
}

/// Escapes control characters, but for the line feed and the tab.
pub(crate) fn without_controls(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() && !matches!(character, '\n' | '\t') {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    escaped
}

fn with_options<'a>(mut diagram: Diagram<'a>, request: &LineageRequest) -> Diagram<'a> {
    if !request.relation_types.is_empty() {
        diagram = diagram.over(&request.relation_types);
    }
    if request.diagram.intermediates {
        diagram = diagram.with_intermediates();
    }
    if request.diagram.foreign_keys {
        diagram = diagram.with_foreign_keys();
    }
    if request.diagram.by_object { diagram.by_object() } else { diagram }
}

fn write_diagram(format: Format, diagram: &Diagram<'_>, event: &OpenLineage<'_>, output: &mut Output) -> Outcome<()> {
    match format {
        Format::Dot => diagram.write_dot(output)?,
        Format::Mermaid => diagram.write_mermaid(output)?,
        Format::Csv => diagram.write_csv(output)?,
        Format::Graphml => diagram.write_graphml(output)?,
        Format::Openlineage => event.write(output)?,
        Format::Table | Format::Json | Format::Html | Format::Parquet => {}
    }
    Ok(())
}
