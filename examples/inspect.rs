//! Prints the content of a file of SQLFlow lineage, in any of the JSON layouts.
//!
//! ```text
//! inspect FILE                        counts and flows, for people
//! inspect FILE --json                 counts, as one JSON object
//! inspect FILE --rewrite              the lineage as SQLFlow JSON
//! inspect FILE --upstream NAME        everything that feeds an object or column, one name on each line
//! inspect FILE --downstream NAME      everything that an object or column feeds
//! inspect FILE --format FORMAT        the lineage as dot, mermaid, csv, graphml or openlineage
//! ```
//! `-` reads standard input. With both a name and a format, only the selection is written in that format. `--depth N`,
//! `--over fdd,fdr`, `--intermediates` and `--by-object` limit or extend the result like the methods of these names in
//! the library. `--paths` prints the paths to the ultimate sources or targets.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::{error, fmt};

use lexopt::prelude::*;
use serde::Serialize;
use sqlflow_client::Lineage;
use sqlflow_client::lineage::{Diagram, Mode, OpenLineage, RelationType, Trace, Traced, Vertex};

type Result<T = (), E = Box<dyn error::Error>> = std::result::Result<T, E>;

const USAGE: &str = "usage: inspect FILE [--json | --rewrite | --upstream NAME | --downstream NAME] \
                     [--format dot|mermaid|csv|graphml|openlineage] [--depth N] [--over TYPE,…] [--intermediates] \
                     [--by-object] [--paths]";

#[derive(Default)]
struct Arguments {
    file: PathBuf,
    output: OutputKind,
    selection: Option<Selection>,
    format: Option<OutputFormat>,
    depth: Option<u32>,
    over: Option<Vec<RelationType>>,
    intermediates: bool,
    by_object: bool,
    paths: bool,
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
    upstream: bool,
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
            run(&read(&arguments.file)?, &arguments, &mut out)?;
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
    let mut file = None;
    let mut requests = 0;
    while let Some(argument) = parser.next()? {
        match argument {
            Long("json") => (requests, arguments.output) = (requests + 1, OutputKind::Json),
            Long("rewrite") => (requests, arguments.output) = (requests + 1, OutputKind::Rewritten),
            Long(direction @ ("upstream" | "downstream")) => {
                requests += 1;
                let upstream = direction == "upstream";
                arguments.selection = Some(Selection { name: parser.value()?.string()?, upstream });
            }
            Long("format") => arguments.format = Some(parser.value()?.parse()?),
            Long("depth") => arguments.depth = Some(parser.value()?.parse()?),
            Long("over") => {
                let types = parser.value()?.string()?;
                arguments.over = Some(types.split(',').map(|kind| RelationType::from(kind.trim())).collect());
            }
            Long("intermediates") => arguments.intermediates = true,
            Long("by-object") => arguments.by_object = true,
            Long("paths") => arguments.paths = true,
            Short('h') | Long("help") => arguments.output = OutputKind::Usage,
            Value(path) if file.is_none() => file = Some(path.into()),
            other => return Err(format!("{}\n{USAGE}", other.unexpected()).into()),
        }
    }
    if arguments.output == OutputKind::Usage {
        return Ok(arguments);
    }
    arguments.file = file.ok_or(USAGE)?;
    let draws = arguments.format.is_some();
    let selects = arguments.selection.is_some();
    let is_refined = arguments.over.is_some() || arguments.intermediates;
    if requests > 1 || (draws && arguments.output != OutputKind::Text) {
        return Err(misuse(
            "use only one of --json, --rewrite, --upstream and --downstream; --format excludes the first two",
        ));
    }
    if (arguments.paths || arguments.depth.is_some()) && !selects {
        return Err(misuse("--depth and --paths need --upstream or --downstream"));
    }
    if is_refined && !selects && !draws {
        return Err(misuse("--over and --intermediates need --upstream, --downstream or --format"));
    }
    if arguments.by_object && !draws {
        return Err(misuse("--by-object needs --format"));
    }
    Ok(arguments)
}

fn misuse(problem: &str) -> Box<dyn error::Error> {
    format!("{problem}\n{USAGE}").into()
}

fn read(file: &PathBuf) -> Result<Lineage> {
    let lineage = if file.as_os_str() == "-" {
        Lineage::from_reader(io::stdin().lock())
    } else {
        Lineage::from_reader(File::open(file).map_err(|error| format!("cannot open {}: {error}", file.display()))?)
    };
    lineage.map_err(|error| format!("cannot read {}: {error}", file.display()).into())
}

fn run(lineage: &Lineage, arguments: &Arguments, out: &mut impl Write) -> Result {
    if let Some(Selection { name, upstream }) = &arguments.selection {
        return match (lineage.find(name)?, upstream) {
            (Vertex::Column(column), true) => write_trace(column.upstream(), arguments, out),
            (Vertex::Column(column), false) => write_trace(column.downstream(), arguments, out),
            (Vertex::Object(object), true) => write_trace(object.upstream(), arguments, out),
            (Vertex::Object(object), false) => write_trace(object.downstream(), arguments, out),
        };
    }
    match (arguments.format, arguments.output) {
        (Some(format), _) => {
            write_in_format(format, &with_options(lineage.diagram(), arguments), &lineage.openlineage(), out)?;
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

fn write_trace<'a, T: Traced<'a>>(mut trace: Trace<'a, T>, arguments: &Arguments, out: &mut impl Write) -> Result {
    if let Some(depth) = arguments.depth {
        trace = trace.depth(depth);
    }
    if let Some(types) = &arguments.over {
        trace = trace.over(types.iter().cloned());
    }
    if arguments.intermediates {
        trace = trace.with_intermediates();
    }
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
        diagram = diagram.over(types.iter().cloned());
    }
    if arguments.intermediates {
        diagram = diagram.with_intermediates();
    }
    if arguments.by_object { diagram.by_object() } else { diagram }
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
    for (name, count) in [("unresolved", counts.unresolved), ("errors", counts.errors)] {
        if count > 0 {
            writeln!(out, "{name:<14} {count}")?;
        }
    }
    if lineage.is_summary() {
        writeln!(out, "\nThis is a summary: the server omitted columns and relationships.")?;
    }
    for error in lineage.errors() {
        writeln!(out, "  {}", error.message().trim())?;
    }
    if !counts.unknown_fields.is_empty() {
        writeln!(out, "\nunknown fields")?;
        for (path, count) in &counts.unknown_fields {
            writeln!(out, "  {path}  {count}×")?;
        }
    }
    let flows = lineage.column_flows();
    if !flows.is_empty() {
        writeln!(out, "\nflows of values")?;
        for flow in flows {
            writeln!(out, "  {}", one_line(&flow))?;
        }
    }
    Ok(())
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
        let file = format!("{}/crates/sqlflow-lineage/tests/fixtures/lineage/{fixture}", env!("CARGO_MANIFEST_DIR"));
        let parser = lexopt::Parser::from_args([&[file.as_str()], options].concat());
        let arguments = arguments(parser).unwrap();
        let mut out = Vec::new();
        run(&read(&arguments.file).unwrap(), &arguments, &mut out).unwrap();
        String::from_utf8(out).unwrap()
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
            &["--format", "pdf"],
        ] {
            assert!(arguments(lexopt::Parser::from_args([&["a.json"], options].concat())).is_err(), "{options:?}");
        }
    }

    #[test]
    fn the_text_lists_counts_and_flows() {
        let text = inspect("layout_c1.json", &[]);
        assert!(text.contains("relationships  7  (fdd 5, fdr 1, join 1)"), "{text}");
        assert!(text.contains("sales.orders.amount → sales.report.total"), "{text}");
    }
}
