//! `sqlflow diff`: the changes between two lineages, offline.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::{Serialize, Serializer};
use serde_json::Value;
use sqlflow_client::Lineage;
use sqlflow_client::lineage::{Diff, DiffNote, FullDiff};

use super::inspect::{is_stdin, read};
use crate::arguments::{JsonArguments, OutputArguments, PageArguments};
use crate::exit::{Exit, Failure, Outcome};
use crate::messages::Messages;
use crate::output::{Output, csv_line, page};

const EXAMPLES: &str = "\
Examples:
  sqlflow diff yesterday.json today.json
  sqlflow diff yesterday/ today/ --json | jq .added
  sqlflow export JOB --format json | sqlflow diff yesterday.json -
  sqlflow diff old.json new.json -q; test $? -eq 8 && echo \"it has changed\"

Exit codes:
  0  no change
  7  no change, but a side is not whole (with --strict)
  8  at least one change";

/// Compare two lineages, offline
///
/// Prints the objects, columns and flows of values that only one side has, one
/// change on each line: + for those that only NEW has, - for those that only
/// OLD has, ~ for objects of another kind. Records are compared by name. The
/// columns and flows of an object that was added or removed are counted in its
/// line; --json, --jsonl and --format csv list them.
///
/// A side that is not whole, such as one with errors in its SQL, gives a
/// warning. With -q, nothing is printed: the exit code tells. Output that is
/// asked for by --json, --jsonl, --format or -o is written in any case.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Older lineage: a file, a directory of files, a pattern, or `-`
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// Newer lineage, in the same forms
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// Compare everything: filters, joins and the results inside
    /// statements too
    #[arg(long, help_heading = "Output")]
    all: bool,
    /// Output format [default: text]
    #[arg(long, value_name = "FORMAT", help_heading = "Output", conflicts_with_all = ["json", "jsonl"])]
    format: Option<DiffFormat>,
    #[command(flatten)]
    output: OutputArguments,
    #[command(flatten)]
    json: JsonArguments,
    #[command(flatten)]
    page: PageArguments,
    /// Fail with exit code 7 if no change is found and a side is not whole
    #[arg(long, help_heading = "Output")]
    strict: bool,
}

/// The formats of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DiffFormat {
    /// One change on each line, for people
    Text,
    /// One change on each line, for spreadsheets and databases
    Csv,
    /// A page for a browser, with what changed in colour
    Html,
}

const CSV_HEADER: [&str; 8] = ["change", "record", "kind", "old_kind", "name", "source", "target", "implied"];

/// The changes between two lineages: of what is stored and of flows, or of every record.
enum Comparison<'a> {
    Flows(Box<Diff<'a>>),
    All(FullDiff<'a>),
}

impl<'a> Comparison<'a> {
    fn new(old: &'a Lineage, new: &'a Lineage, all: bool) -> Self {
        if all { Self::All(old.diff_all(new)) } else { Self::Flows(Box::new(old.diff(new))) }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Flows(diff) => diff.is_empty(),
            Self::All(diff) => diff.is_empty(),
        }
    }

    fn notes(&self) -> &[DiffNote] {
        match self {
            Self::Flows(diff) => diff.notes(),
            Self::All(diff) => diff.notes(),
        }
    }

    /// Returns each change as the JSON of its record, with `change` as the first key.
    ///
    /// # Errors
    /// Those of serialization.
    fn records(&self) -> Result<Vec<ChangeRecord>, serde_json::Error> {
        let mut value = serde_json::to_value(self)?;
        let mut records = Vec::new();
        for change in ["removed", "changed", "added"] {
            if let Some(Value::Array(found)) = value.get_mut(change).map(Value::take) {
                records.extend(found.into_iter().map(|record| ChangeRecord { change, record }));
            }
        }
        Ok(records)
    }
}

impl Serialize for Comparison<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Flows(diff) => diff.serialize(serializer),
            Self::All(diff) => diff.serialize(serializer),
        }
    }
}

impl fmt::Display for Comparison<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flows(diff) => diff.fmt(f),
            Self::All(diff) => diff.fmt(f),
        }
    }
}

/// The comparison as one JSON object.
#[derive(Serialize)]
struct DiffObject<'a> {
    different: bool,
    #[serde(flatten)]
    comparison: &'a Comparison<'a>,
}

/// A change as one line of JSON or of CSV.
#[derive(Serialize)]
struct ChangeRecord {
    change: &'static str,
    #[serde(flatten)]
    record: Value,
}

impl ChangeRecord {
    /// Returns the fields in the order of [`CSV_HEADER`].
    fn csv(&self) -> [String; 8] {
        let field = |name: &str| match self.record.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Array(texts)) => texts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; "),
            Some(Value::Bool(flag)) => flag.to_string(),
            _ => String::new(),
        };
        let either = |one: &str, several: &str| Some(field(one)).filter(|it| !it.is_empty()).unwrap_or(field(several));
        [
            self.change.to_owned(),
            field("record"),
            field("kind"),
            field("old_kind"),
            field("name"),
            either("source", "sources"),
            either("target", "targets"),
            field("implied"),
        ]
    }
}

/// # Errors
/// A side that cannot be read, output that cannot be written.
pub(crate) fn run(mut arguments: Arguments, messages: &Messages) -> Outcome {
    page::prepare(arguments.page, arguments.json, DiffFormat::Html, &mut arguments.format, &arguments.output);
    let is_page = arguments.format == Some(DiffFormat::Html);
    page::check(arguments.page, is_page, &arguments.output)?;
    if is_page && arguments.all {
        return Err(Failure::usage("a page shows what is stored, and the flows of values").help("leave out --all"));
    }
    if is_stdin(&arguments.old) && is_stdin(&arguments.new) {
        return Err(Failure::usage("OLD and NEW are both `-`, and standard input can be read once only"));
    }
    let old = read(&[arguments.old], &[])?;
    let new = read(&[arguments.new], &[])?;
    let comparison = Comparison::new(&old, &new, arguments.all);
    for note in comparison.notes() {
        messages.warning(note);
    }
    if arguments.all
        && let Some(difference) = other_types(&old, &new)
    {
        messages.warning(difference);
    }
    let is_asked_for =
        arguments.json.json || arguments.json.jsonl || arguments.format.is_some() || arguments.output.output.is_some();
    if is_asked_for || !messages.is_quiet() {
        page::place(arguments.page, &mut arguments.output)?;
        write(&comparison, arguments.format, arguments.json, Output::open(&arguments.output)?, messages)?;
        page::open(arguments.page, &arguments.output, messages);
    }
    if comparison.is_empty() && std::io::IsTerminal::is_terminal(&std::io::stdout()) {
        messages.note("no difference");
    }
    Ok(match (comparison.is_empty(), comparison.notes().is_empty()) {
        (false, _) => Exit::Found,
        (true, false) if arguments.strict => Exit::Incomplete,
        (true, _) => Exit::Done,
    })
}

fn write(
    comparison: &Comparison<'_>,
    format: Option<DiffFormat>,
    json: JsonArguments,
    mut output: Output,
    messages: &Messages,
) -> Outcome<()> {
    if json.json {
        output.json(&DiffObject { different: !comparison.is_empty(), comparison })?;
    } else if json.jsonl {
        output.json_lines(comparison.records()?)?;
    } else if format == Some(DiffFormat::Csv) {
        write!(output, "{}", csv_line(&CSV_HEADER))?;
        for record in comparison.records()? {
            write!(output, "{}", csv_line(&record.csv()))?;
        }
    } else if let (Some(DiffFormat::Html), Comparison::Flows(diff)) = (format, comparison) {
        page::write_page(&diff.page(), &mut output)?;
    } else {
        write_text(comparison, &mut output, messages)?;
    }
    output.finish()
}

const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[31m";
const YELLOW: &str = "\x1b[33m";
const RESET: &str = "\x1b[0m";

fn write_text(comparison: &Comparison<'_>, output: &mut Output, messages: &Messages) -> Outcome<()> {
    let is_coloured = output.is_coloured();
    let text = comparison.to_string();
    // The notes are on standard error already. Every change begins with its sign.
    for line in text.lines().filter(|line| !line.starts_with("note: ")) {
        match line.chars().next().filter(|_| is_coloured) {
            Some('+') => writeln!(output, "{GREEN}{line}{RESET}")?,
            Some('-') => writeln!(output, "{RED}{line}{RESET}")?,
            Some('~') => writeln!(output, "{YELLOW}{line}{RESET}")?,
            _ => writeln!(output, "{line}")?,
        }
    }
    if comparison.is_empty() && output.is_terminal() {
        messages.note("both sides have the same objects, columns and flows");
    }
    Ok(())
}

/// Returns a sentence about the types of relationships that only one side has, if there are any. The sides were
/// probably requested with different types.
fn other_types(old: &Lineage, new: &Lineage) -> Option<String> {
    let types = |lineage| -> BTreeSet<&str> {
        Lineage::relationships(lineage).map(|relationship| relationship.type_text()).collect()
    };
    let (old, new) = (types(old), types(new));
    // A side without relationships shows no types that it was requested with.
    if old.is_empty() || new.is_empty() {
        return None;
    }
    let only = |side: &str, types: Vec<&&str>| match types.as_slice() {
        [] => None,
        types => {
            let types: Vec<_> = types.iter().map(|kind| **kind).collect();
            Some(format!("only the {side} lineage has relationships of type {}", types.join(", ")))
        }
    };
    let found = [only("old", old.difference(&new).collect()), only("new", new.difference(&old).collect())];
    let found: Vec<_> = found.into_iter().flatten().collect();
    (!found.is_empty()).then(|| format!("{}: were both requested with the same relation types?", found.join(", and ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lineage(types: &[&str]) -> Lineage {
        let relationships: Vec<_> = types
            .iter()
            .enumerate()
            .map(|(id, kind)| serde_json::json!({"id": id.to_string(), "type": kind, "target": {}, "sources": []}))
            .collect();
        serde_json::json!({"dbobjs": [], "relationships": relationships}).to_string().parse().unwrap()
    }

    #[test]
    fn types_that_one_side_lacks_are_named() {
        let (few, many) = (lineage(&["fdd"]), lineage(&["fdd", "fdr", "join"]));
        assert_eq!(other_types(&few, &few), None);
        assert_eq!(other_types(&lineage(&[]), &many), None);
        let warning = other_types(&few, &many).unwrap();
        assert!(warning.starts_with("only the new lineage has relationships of type fdr, join: "), "{warning}");
    }
}
