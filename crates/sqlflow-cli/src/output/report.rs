//! The content of a lineage and its gaps: a report for people, counts for programs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, Write};

use serde::Serialize;
use sqlflow_client::Lineage;
use sqlflow_client::lineage::{Coverage, Diagnostic, Mode, RelationType};

use super::lineage::one_line;

/// The number of endpoints that the report lists.
const SHOWN: usize = 10;

/// The counts of a lineage.
#[derive(Debug, Serialize)]
pub(crate) struct LineageCounts<'a> {
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
    pub(crate) fn of(lineage: &'a Lineage) -> Self {
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

/// Returns the errors that the server found in the SQL, without hints.
pub(crate) fn sql_errors(lineage: &Lineage) -> impl Iterator<Item = Diagnostic<'_>> {
    lineage.errors().filter(Diagnostic::is_error)
}

/// Writes counts, limits and all flows.
///
/// # Errors
/// Those of the writer.
pub(crate) fn write(lineage: &Lineage, out: &mut impl Write) -> io::Result<()> {
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
fn write_section<T: fmt::Display>(
    out: &mut impl Write,
    heading: &str,
    items: impl IntoIterator<Item = T>,
) -> io::Result<()> {
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

/// Says how a lineage gets relationships that it lacks, or how it is known that it has them.
pub(crate) const HOW_TO_COVER: &str = "`sqlflow export JOB --relation-types fdd,fdr,frd,join` gets all of them; with \
                                       --requested-types, `inspect` and `merge` are told what a file was requested with";

/// Returns the types among some that a lineage may lack, as sentences.
pub(crate) fn not_covered(lineage: &Lineage, types: &[RelationType]) -> Vec<String> {
    let with = |coverage| {
        let on_request = types.iter().filter(|kind| RelationType::DEPENDENCIES.contains(kind));
        let types = on_request.filter(move |kind| lineage.coverage(kind) == coverage);
        types.map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    let mut sentences = Vec::new();
    let (not_requested, unknown) = (with(Coverage::NotRequested), with(Coverage::Unknown));
    if !not_requested.is_empty() {
        sentences.push(format!("relationships of type {not_requested} were not requested"));
    }
    if !unknown.is_empty() {
        sentences.push(format!("{unknown} relationships may be missing; no file says whether they were requested"));
    }
    sentences
}

/// Returns everything that the lineage may lack, in sentences.
fn limits(lineage: &Lineage) -> Vec<String> {
    let mut limits: Vec<String> = cut(lineage).into_iter().map(str::to_owned).collect();
    limits.extend(not_covered(lineage, &RelationType::DEPENDENCIES));
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

/// Returns a sentence that says so, if the server left out a part of the lineage.
pub(crate) fn cut(lineage: &Lineage) -> Option<&'static str> {
    match lineage.mode() {
        Some(Mode::Summary) => Some("this is a summary: the server omitted columns and relationships"),
        Some(Mode::IgnoreRecordSet) => Some("the server omitted record sets, and with them filters and joins"),
        _ => None,
    }
}

/// Returns counts in the form ` (table 5, view 1)`, the highest count first.
fn listed<T: fmt::Display>(counts: &BTreeMap<T, usize>) -> String {
    let mut counts: Vec<_> = counts.iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let parts: Vec<String> = counts.iter().map(|(what, count)| format!("{what} {count}")).collect();
    if parts.is_empty() { String::new() } else { format!("  ({})", parts.join(", ")) }
}
