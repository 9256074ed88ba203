//! Prints the content of a file of SQLFlow lineage, in any of the JSON layouts.
//!
//! ```text
//! inspect FILE                        counts and flows, for people
//! inspect FILE --json                 counts, as one JSON object
//! inspect FILE --rewrite              the lineage as SQLFlow JSON
//! inspect FILE --upstream NAME        everything that feeds an object or column, one name on each line
//! inspect FILE --downstream NAME      everything that an object or column feeds
//! inspect FILE --impact NAME          everything that depends on a column, for people
//! inspect FILE --format FORMAT        the lineage as dot, mermaid, csv, graphml or openlineage
//! ```
//! `-` reads standard input. Several files are merged into one lineage. A name is that of an object, `object.column`, or
//! `id:12` for the record with an id. With both a name and a format, only the selection is written in that format.
//! `--depth N`, `--over fdd,fdr`, `--intermediates`, `--foreign-keys` and `--by-object` limit or extend the result like
//! the methods of these names in the library. `--paths` prints the paths to the ultimate sources or targets.
//!
//! Edges that could not be followed are counted on standard error.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::{error, fmt};

use lexopt::prelude::*;
use serde::Serialize;
use sqlflow_client::Lineage;
use sqlflow_client::lineage::{Coverage, Diagram, Endpoint, Mode, OpenLineage, RelationType, Trace, Traced, Vertex};

type Result<T = (), E = Box<dyn error::Error>> = std::result::Result<T, E>;

/// The number of endpoints that the report lists.
const SHOWN: usize = 10;
/// The number of endpoints that a note lists.
const SHOWN_IN_NOTE: usize = 3;

const USAGE: &str = "usage: inspect FILE… [--json | --rewrite | --upstream NAME | --downstream NAME | --impact NAME] \
                     [--format dot|mermaid|csv|graphml|openlineage] [--depth N] [--over TYPE,…] [--intermediates] \
                     [--foreign-keys] [--by-object] [--paths]";

#[derive(Default)]
struct Arguments {
    files: Vec<PathBuf>,
    output: OutputKind,
    selection: Option<Selection>,
    format: Option<OutputFormat>,
    depth: Option<u32>,
    over: Option<Vec<RelationType>>,
    shown: ShownEdges,
    paths: bool,
}

/// The edges that are shown in addition to the usual ones, and the level at which they are shown.
#[derive(Clone, Copy, Default)]
struct ShownEdges {
    intermediates: bool,
    foreign_keys: bool,
    by_object: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum OutputKind {
    #[default]
    Text,
    Json,
    Rewritten,
    Usage,
}

struct Selection {
    name: String,
    question: Question,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Question {
    Upstream,
    Downstream,
    Impact,
}

#[derive(Clone, Copy)]
enum OutputFormat {
    Dot,
    Mermaid,
    Csv,
    GraphMl,
    OpenLineage,
}

impl std::str::FromStr for OutputFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "dot" => Self::Dot,
            "mermaid" => Self::Mermaid,
            "csv" => Self::Csv,
            "graphml" => Self::GraphMl,
            "openlineage" => Self::OpenLineage,
            _ => return Err(format!("unknown format {text}: expected dot, mermaid, csv, graphml or openlineage")),
        })
    }
}

fn main() -> ExitCode {
    let mut out = BufWriter::new(io::stdout().lock());
    let done = arguments(lexopt::Parser::from_env()).and_then(|arguments| {
        if arguments.output == OutputKind::Usage {
            writeln!(out, "{USAGE}")?;
        } else {
            run(&read(&arguments.files)?, &arguments, &mut out, &mut io::stderr().lock())?;
        }
        Ok(out.flush()?)
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // A reader such as `head` has closed the pipe, which is not a failure.
        Err(error) if is_broken_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &(dyn error::Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn arguments(mut parser: lexopt::Parser) -> Result<Arguments> {
    let mut arguments = Arguments::default();
    let mut requests = 0;
    while let Some(argument) = parser.next()? {
        match argument {
            Long("json") => (requests, arguments.output) = (requests + 1, OutputKind::Json),
            Long("rewrite") => (requests, arguments.output) = (requests + 1, OutputKind::Rewritten),
            Long(question @ ("upstream" | "downstream" | "impact")) => {
                requests += 1;
                let question = match question {
                    "upstream" => Question::Upstream,
                    "downstream" => Question::Downstream,
                    _ => Question::Impact,
                };
                arguments.selection = Some(Selection { name: parser.value()?.string()?, question });
            }
            Long("format") => arguments.format = Some(parser.value()?.parse()?),
            Long("depth") => arguments.depth = Some(parser.value()?.parse()?),
            Long("over") => {
                let types = parser.value()?.string()?;
                arguments.over = Some(types.split(',').map(|kind| RelationType::from(kind.trim())).collect());
            }
            Long("intermediates") => arguments.shown.intermediates = true,
            Long("foreign-keys") => arguments.shown.foreign_keys = true,
            Long("by-object") => arguments.shown.by_object = true,
            Long("paths") => arguments.paths = true,
            Short('h') | Long("help") => arguments.output = OutputKind::Usage,
            Value(path) => arguments.files.push(path.into()),
            other => return Err(format!("{}\n{USAGE}", other.unexpected()).into()),
        }
    }
    if arguments.output == OutputKind::Usage {
        return Ok(arguments);
    }
    if arguments.files.is_empty() {
        return Err(USAGE.into());
    }
    let draws = arguments.format.is_some();
    let selects = arguments.selection.is_some();
    let is_impact = matches!(&arguments.selection, Some(selection) if selection.question == Question::Impact);
    let is_refined = arguments.over.is_some() || arguments.shown.intermediates || arguments.shown.foreign_keys;
    if requests > 1 || (draws && arguments.output != OutputKind::Text) {
        return Err(misuse(
            "use only one of --json, --rewrite, --upstream, --downstream and --impact; --format excludes the first two",
        ));
    }
    if is_impact && (draws || is_refined || arguments.paths || arguments.depth.is_some()) {
        return Err(misuse("--impact takes no other options"));
    }
    if (arguments.paths || arguments.depth.is_some()) && !selects {
        return Err(misuse("--depth and --paths need --upstream or --downstream"));
    }
    if is_refined && !selects && !draws {
        return Err(misuse("--over, --intermediates and --foreign-keys need --upstream, --downstream or --format"));
    }
    if arguments.shown.by_object && !draws {
        return Err(misuse("--by-object needs --format"));
    }
    Ok(arguments)
}

fn misuse(problem: &str) -> Box<dyn error::Error> {
    format!("{problem}\n{USAGE}").into()
}

fn read(files: &[PathBuf]) -> Result<Lineage> {
    let read = |file: &PathBuf| match file.to_str() {
        Some("-") => Lineage::reader().label("-").read(io::stdin().lock()),
        _ => Lineage::from_path(file),
    };
    let lineages: Vec<Lineage> = files.iter().map(read).collect::<Result<_, _>>()?;
    Ok(Lineage::merge(lineages)?)
}

fn run(lineage: &Lineage, arguments: &Arguments, out: &mut impl Write, notes: &mut impl Write) -> Result {
    if let Some(Selection { name, question }) = &arguments.selection {
        return match (lineage.find(name)?, question) {
            (Vertex::Column(column), Question::Upstream) => write_trace(column.upstream(), arguments, out, notes),
            (Vertex::Column(column), Question::Downstream) => write_trace(column.downstream(), arguments, out, notes),
            (Vertex::Object(object), Question::Upstream) => write_trace(object.upstream(), arguments, out, notes),
            (Vertex::Object(object), Question::Downstream) => write_trace(object.downstream(), arguments, out, notes),
            (Vertex::Column(column), Question::Impact) => Ok(write!(out, "{}", column.impact())?),
            (Vertex::Object(object), Question::Impact) => Err(format!(
                "{object} is an object; --impact needs a column: {object}.COLUMN; --downstream takes objects"
            )
            .into()),
        };
    }
    match (arguments.format, arguments.output) {
        (Some(format), _) => {
            let diagram = with_options(lineage.diagram(), arguments);
            write_in_format(format, &diagram, &lineage.openlineage(), out)?;
            note_unresolved(&diagram.unresolved(), notes)?;
        }
        (None, OutputKind::Json) => {
            serde_json::to_writer_pretty(&mut *out, &LineageCounts::of(lineage))?;
            writeln!(out)?;
        }
        (None, OutputKind::Rewritten) => lineage.write_json(out)?,
        (None, OutputKind::Text | OutputKind::Usage) => describe(lineage, out)?,
    }
    Ok(())
}

/// Says that a result lacks edges that the document has.
fn note_unresolved(ends: &[Endpoint<'_>], notes: &mut impl Write) -> io::Result<()> {
    if ends.is_empty() {
        return Ok(());
    }
    let shown: Vec<String> = ends.iter().take(SHOWN_IN_NOTE).map(ToString::to_string).collect();
    let more = if ends.len() > SHOWN_IN_NOTE { ", …" } else { "" };
    let edges = if ends.len() == 1 { "1 edge".to_owned() } else { format!("{} edges", ends.len()) };
    writeln!(notes, "note: {edges} could not be followed: {}{more}", shown.join(", "))
}

fn write_trace<'a, T: Traced<'a>>(
    mut trace: Trace<'a, T>,
    arguments: &Arguments,
    out: &mut impl Write,
    notes: &mut impl Write,
) -> Result {
    if let Some(depth) = arguments.depth {
        trace = trace.depth(depth);
    }
    if let Some(types) = &arguments.over {
        trace = trace.over(types);
    }
    if arguments.shown.intermediates {
        trace = trace.with_intermediates();
    }
    if arguments.shown.foreign_keys {
        trace = trace.with_foreign_keys();
    }
    note_unresolved(&trace.unresolved(), notes)?;
    match arguments.format {
        Some(format) => write_in_format(format, &with_options(trace.diagram(), arguments), &trace.openlineage(), out)?,
        None if arguments.paths => {
            for path in trace.paths() {
                writeln!(out, "{}", one_line(&path))?;
            }
        }
        None => {
            // Many intermediate results have the same name.
            let names: BTreeSet<String> = trace.into_iter().map(|found| one_line(&found)).collect();
            if names.is_empty() {
                writeln!(
                    notes,
                    "note: no value flows there; counts, filters and constants are other relationships: try --over \
                     fdd,fdr or --intermediates"
                )?;
            }
            for name in names {
                writeln!(out, "{name}")?;
            }
        }
    }
    Ok(())
}

/// Returns a name on one line. The name of a column can be several lines of SQL.
fn one_line(name: &impl fmt::Display) -> String {
    let name = name.to_string();
    if name.contains(['\n', '\r']) { name.split_whitespace().collect::<Vec<_>>().join(" ") } else { name }
}

fn with_options<'a>(mut diagram: Diagram<'a>, arguments: &Arguments) -> Diagram<'a> {
    if let Some(types) = &arguments.over {
        diagram = diagram.over(types);
    }
    if arguments.shown.intermediates {
        diagram = diagram.with_intermediates();
    }
    if arguments.shown.foreign_keys {
        diagram = diagram.with_foreign_keys();
    }
    if arguments.shown.by_object { diagram.by_object() } else { diagram }
}

fn write_in_format(
    format: OutputFormat,
    diagram: &Diagram<'_>,
    event: &OpenLineage<'_>,
    out: &mut impl Write,
) -> io::Result<()> {
    match format {
        OutputFormat::Dot => diagram.write_dot(out),
        OutputFormat::Mermaid => diagram.write_mermaid(out),
        OutputFormat::Csv => diagram.write_csv(out),
        OutputFormat::GraphMl => diagram.write_graphml(out),
        OutputFormat::OpenLineage => event.write(out),
    }
}

/// The counts that `--json` prints.
#[derive(Serialize)]
struct LineageCounts<'a> {
    mode: Option<&'a str>,
    objects: usize,
    columns: usize,
    processes: usize,
    relationships: usize,
    relationships_by_type: BTreeMap<&'a str, usize>,
    unresolved: usize,
    unknown_fields: BTreeMap<&'a str, u64>,
    errors: usize,
}

impl<'a> LineageCounts<'a> {
    fn of(lineage: &'a Lineage) -> Self {
        Self {
            mode: lineage.mode().map(Mode::as_str),
            objects: count_ids(lineage.objects().map(|object| object.id())),
            columns: lineage.columns().len(),
            processes: count_ids(lineage.processes().map(|process| process.id())),
            relationships: lineage.relationships().len(),
            relationships_by_type: counted(lineage.relationships().map(|relationship| relationship.type_text())),
            unresolved: lineage.unresolved().count(),
            unknown_fields: lineage.unknown_fields().collect(),
            errors: lineage.errors().len(),
        }
    }
}

fn count_ids<'a>(ids: impl Iterator<Item = &'a str>) -> usize {
    ids.filter(|id| !id.is_empty()).collect::<BTreeSet<_>>().len()
}

fn counted<T: Ord>(items: impl Iterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for item in items {
        *counts.entry(item).or_default() += 1;
    }
    counts
}

fn describe(lineage: &Lineage, out: &mut impl Write) -> Result {
    let counts = LineageCounts::of(lineage);
    let kinds = counted(lineage.objects().map(|object| object.kind_text()));
    writeln!(out, "vendor         {}", lineage.vendor().unwrap_or("not given"))?;
    writeln!(out, "mode           {}", counts.mode.unwrap_or("not given"))?;
    writeln!(out, "objects        {}{}", counts.objects, listed(&kinds))?;
    writeln!(out, "columns        {}", counts.columns)?;
    writeln!(out, "processes      {}", counts.processes)?;
    writeln!(out, "relationships  {}{}", counts.relationships, listed(&counts.relationships_by_type))?;
    for (name, count) in [("errors", counts.errors), ("warnings", lineage.warnings().count())] {
        if count > 0 {
            writeln!(out, "{name:<14} {count}")?;
        }
    }
    for error in lineage.errors() {
        writeln!(out, "  {}", one_line(&error))?;
    }
    // Servers report many errors a second time as warnings.
    let is_new = |warning: &&str| !lineage.errors().any(|error| error.message() == *warning);
    for warning in lineage.warnings().filter(is_new) {
        writeln!(out, "  {}", one_line(&warning))?;
    }
    write_section(out, "not known", limits(lineage))?;
    let (flows, keys): (Vec<_>, Vec<_>) =
        lineage.all_column_flows().into_iter().partition(|flow| !flow.is_foreign_key());
    let (into_results, flows): (Vec<_>, Vec<_>) =
        flows.into_iter().partition(|flow| flow.target.object().is_result_set());
    write_section(out, "flows of values", flows)?;
    write_section(out, "flows of values into the results of queries", into_results)?;
    write_section(out, "foreign keys", keys)?;
    if lineage.column_flows().is_empty() {
        write_section(out, "flows of values between tables", lineage.object_flows())?;
    }
    let trailer = lineage.trailing_text().unwrap_or_default();
    write_section(out, "text after the JSON", trailer.lines())
}

/// Writes a heading and the items under it, each on one line and each line once.
fn write_section<T: fmt::Display>(out: &mut impl Write, heading: &str, items: impl IntoIterator<Item = T>) -> Result {
    let mut seen = BTreeSet::new();
    let lines = items.into_iter().map(|item| one_line(&item)).filter(|line| seen.insert(line.clone()));
    for (at, line) in lines.enumerate() {
        if at == 0 {
            writeln!(out, "\n{heading}")?;
        }
        writeln!(out, "  {line}")?;
    }
    Ok(())
}

/// Returns everything that the lineage may lack, in sentences.
fn limits(lineage: &Lineage) -> Vec<String> {
    let mut limits = Vec::new();
    match lineage.mode() {
        Some(Mode::Summary) => {
            limits.push("this is a summary: the server omitted columns and relationships".to_owned());
        }
        Some(Mode::IgnoreRecordSet) => {
            limits.push("the server omitted record sets, and with them filters and joins".to_owned());
        }
        _ => {}
    }
    let missing = |coverage| {
        let types = RelationType::DEPENDENCIES.into_iter().filter(move |kind| lineage.coverage(kind) == coverage);
        types.map(|kind| kind.to_string()).collect::<Vec<_>>().join(", ")
    };
    let (not_requested, unknown) = (missing(Coverage::NotRequested), missing(Coverage::Unknown));
    if !not_requested.is_empty() {
        limits.push(format!("relationships of type {not_requested} were not requested"));
    }
    if !unknown.is_empty() {
        limits.push(format!("{unknown} relationships may be missing; no file says whether they were requested"));
    }
    let unresolved: Vec<_> = lineage.unresolved().collect();
    match unresolved.len() {
        0 => {}
        1 => limits.push("1 endpoint of a relationship could not be followed:".to_owned()),
        count => limits.push(format!("{count} endpoints of relationships could not be followed:")),
    }
    limits.extend(
        unresolved.iter().take(SHOWN).map(|end| format!("  {end}, in relationship {}", end.relationship().id())),
    );
    if unresolved.len() > SHOWN {
        limits.push(format!("  and {} more", unresolved.len() - SHOWN));
    }
    let duplicates: Vec<&str> = lineage.duplicate_ids().collect();
    if !duplicates.is_empty() {
        limits.push(format!("{} ids belong to several records, such as {}", duplicates.len(), duplicates[0]));
    }
    limits
        .extend(lineage.unknown_fields().map(|(path, count)| format!("the field {path} is not understood, {count}×")));
    limits
}

/// Returns counts in the form ` (table 5, view 1)`, the highest count first.
fn listed<T: fmt::Display>(counts: &BTreeMap<T, usize>) -> String {
    let mut counts: Vec<_> = counts.iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let parts: Vec<String> = counts.iter().map(|(what, count)| format!("{what} {count}")).collect();
    if parts.is_empty() { String::new() } else { format!("  ({})", parts.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inspect(fixture: &str, options: &[&str]) -> String {
        inspect_with_notes(fixture, options).0
    }

    /// Returns what is printed, and the notes on standard error.
    fn inspect_with_notes(fixture: &str, options: &[&str]) -> (String, String) {
        let file = format!("{}/crates/sqlflow-lineage/tests/fixtures/lineage/{fixture}", env!("CARGO_MANIFEST_DIR"));
        let parser = lexopt::Parser::from_args([&[file.as_str()], options].concat());
        let arguments = arguments(parser).unwrap();
        let (mut out, mut notes) = (Vec::new(), Vec::new());
        run(&read(&arguments.files).unwrap(), &arguments, &mut out, &mut notes).unwrap();
        (String::from_utf8(out).unwrap(), String::from_utf8(notes).unwrap())
    }

    #[test]
    fn counts_are_one_json_object() {
        let counts: serde_json::Value = serde_json::from_str(&inspect("layout_c1.json", &["--json"])).unwrap();
        let expected = serde_json::json!({
            "mode": null, "objects": 5, "columns": 11, "processes": 1, "relationships": 7,
            "relationships_by_type": {"fdd": 5, "fdr": 1, "join": 1},
            "unresolved": 0, "unknown_fields": {}, "errors": 1,
        });
        assert_eq!(counts, expected);
    }

    #[test]
    fn a_rewritten_lineage_has_the_same_counts() {
        for fixture in ["layout_a.json", "layout_b.json", "layout_c2.json", "routines.json", "summary.json"] {
            let rewritten: Lineage = inspect(fixture, &["--rewrite"]).parse().unwrap();
            let counts = serde_json::to_value(LineageCounts::of(&rewritten)).unwrap();
            let before: serde_json::Value = serde_json::from_str(&inspect(fixture, &["--json"])).unwrap();
            assert_eq!(counts, before, "{fixture}");
        }
    }

    #[test]
    fn upstream_and_downstream_print_one_name_on_each_line() {
        let file = "layout_c1.json";
        assert_eq!(inspect(file, &["--upstream", "report"]), "sales.customers\nsales.orders\n");
        assert_eq!(inspect(file, &["--upstream", "sales.report.total"]), "sales.orders.amount\n");
        assert_eq!(inspect(file, &["--downstream", "orders.amount"]), "sales.report.total\n");
        let both = ["--downstream", "orders.amount", "--over", "fdd,fdr"];
        assert_eq!(inspect(file, &both), "sales.report.region\nsales.report.total\n");
        let paths = ["--upstream", "report.total", "--paths", "--intermediates"];
        assert_eq!(
            inspect(file, &paths),
            "sales.orders.amount → sales.sum.sum → sales.INSERT-SELECT-1.sum(o.amount) → sales.report.total\n"
        );
    }

    #[test]
    fn every_format_writes_the_whole_lineage_or_a_selection() {
        for (format, beginning) in [
            ("dot", "digraph"),
            ("mermaid", "flowchart"),
            ("csv", "source_db,"),
            ("graphml", "<?xml"),
            ("openlineage", "{"),
        ] {
            let all = inspect("layout_c1.json", &["--format", format]);
            let some = inspect("layout_c1.json", &["--format", format, "--upstream", "report.total"]);
            assert!(all.starts_with(beginning) && some.starts_with(beginning), "{format}: {all}\n{some}");
            assert!(all.contains("customers") && !some.contains("customers"), "{format}: {some}");
        }
    }

    #[test]
    fn options_without_effect_are_refused() {
        for options in [
            ["--json", "--rewrite"].as_slice(),
            &["--json", "--upstream", "a"],
            &["--upstream", "a", "--downstream", "a"],
            &["--rewrite", "--format", "dot"],
            &["--depth", "2"],
            &["--paths", "--format", "dot"],
            &["--by-object"],
            &["--foreign-keys"],
            &["--impact", "a.b", "--depth", "2"],
            &["--impact", "a.b", "--upstream", "a"],
            &["--format", "pdf"],
        ] {
            assert!(arguments(lexopt::Parser::from_args([&["a.json"], options].concat())).is_err(), "{options:?}");
        }
    }

    #[test]
    fn the_text_lists_counts_and_flows() {
        let text = inspect("layout_c1.json", &[]);
        assert!(text.contains("relationships  7  (fdd 5, fdr 1, join 1)"), "{text}");
        assert!(text.contains("\nflows of values\n  sales.customers.region → sales.report.region\n"), "{text}");
        assert!(text.contains("frd relationships may be missing; no file says"), "{text}");
    }

    #[test]
    fn every_answer_counts_the_edges_that_could_not_be_followed() {
        let text = inspect("../stitched.json", &[]);
        assert!(text.contains("1 endpoint of a relationship could not be followed:\n"), "{text}");
        assert!(text.contains("    RATES.FX (not in the document), in relationship 10\n"), "{text}");
        assert!(text.contains("\ntext after the JSON\n  Error log: a.sql was skipped\n"), "{text}");
        assert!(text.contains("\nflows of values into the results of queries\n  ORDERS.ID → RS-1.ID\n"), "{text}");
        assert!(text.contains("\nforeign keys\n  CUSTOMERS.ID → ORDERS.ID\n"), "{text}");
        for format in ["dot", "mermaid", "csv", "graphml", "openlineage"] {
            let (_, notes) = inspect_with_notes("../stitched.json", &["--format", format]);
            assert_eq!(notes.matches("1 edge could not be followed").count(), 1, "{format}: {notes}");
        }
        let (found, notes) = inspect_with_notes("../stitched.json", &["--upstream", "report.total"]);
        assert_eq!(found, "ORDERS.TOTAL\n");
        assert!(notes.contains("1 edge could not be followed"), "{notes}");
        let (_, notes) = inspect_with_notes("../stitched.json", &["--upstream", "RS-1"]);
        assert_eq!(notes, "", "this answer is complete");
        let (found, notes) = inspect_with_notes("../stitched.json", &["--upstream", "customers.id"]);
        assert!(found.is_empty() && notes.contains("no value flows there"), "{notes}");
    }

    #[test]
    fn the_impact_of_a_column_is_a_report_that_says_what_is_not_known() {
        let impact = inspect("../stitched.json", &["--impact", "orders.total"]);
        assert!(impact.starts_with("impact of ORDERS.TOTAL\ncolumns (1)\n  REPORT.TOTAL\n"), "{impact}");
        assert!(impact.contains("incomplete: the document does not tell whether fdr, frd, join"), "{impact}");
    }
}
