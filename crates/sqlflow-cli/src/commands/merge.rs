//! `sqlflow merge`: several lineage files as one, offline.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use sqlflow_client::Lineage;
use sqlflow_client::lineage::RelationType;

use super::inspect::{expanded, is_stdin, read_files};
use crate::arguments::{Format, JsonArguments, OutputArguments, PageArguments, relation_type};
use crate::exit::{Exit, Outcome};
use crate::messages::Messages;
use crate::output::lineage::{LineageRequest, LineageResult, strictness, write};
use crate::output::report::LineageCounts;
use crate::output::{Output, page};

const EXAMPLES: &str = "\
Examples:
  sqlflow merge orders.json reports.json -o all.json
  sqlflow merge exports/ -o all.json
  sqlflow merge 'exports/*.json.gz' --format graphml -o all.graphml
  sqlflow merge exports/ --jsonl | jq -r .statements[].location.label";

/// Combine lineage files into one, offline
///
/// Tables, views and routines of one name become one, so that a flow through
/// several files is one flow. Results inside statements are never joined. Ids
/// that several files use get new numbers. Statements and errors are labelled
/// with their file, which --jsonl and messages show; SQLFlow JSON has no place
/// for it.
///
/// The files of a directory or a pattern do not include the file of -o.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Lineage files, directories of them, or patterns; `-` reads
    /// standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Relationships that the files were requested with
    #[arg(long, value_name = "TYPES", value_delimiter = ',', value_parser = relation_type)]
    requested_types: Vec<RelationType>,
    /// Output format [default: json]
    #[arg(long, value_name = "FORMAT", help_heading = "Output")]
    format: Option<Format>,
    #[command(flatten)]
    output: OutputArguments,
    /// Print counts as one JSON object instead of the lineage
    #[arg(long, help_heading = "Output")]
    json: bool,
    /// Print the flows as JSON lines, one object on each
    #[arg(long, help_heading = "Output", conflicts_with = "json")]
    jsonl: bool,
    #[command(flatten)]
    page: PageArguments,
    /// Fail with exit code 7 if the lineage is not whole
    #[arg(long, help_heading = "Output")]
    strict: bool,
}

/// # Errors
/// A file that cannot be read, output that cannot be written.
pub(crate) fn run(arguments: Arguments, messages: &Messages) -> Outcome {
    let JsonArguments { json, jsonl } = JsonArguments { json: arguments.json, jsonl: arguments.jsonl };
    let mut request = LineageRequest {
        format: arguments.format,
        json: JsonArguments { json, jsonl },
        output: arguments.output,
        page: arguments.page,
        strict: arguments.strict,
        ..LineageRequest::default()
    };
    page::prepare(request.page, request.json, Format::Html, &mut request.format, &request.output);
    request.check()?;
    let files = inputs(&arguments.files, request.output.output.as_deref(), messages)?;
    let mut vendors = BTreeSet::new();
    let lineage = read_files(&files, &arguments.requested_types, |lineage| {
        vendors.extend(lineage.vendor().map(str::to_owned));
    })?;
    if let (Some(kept), 2..) = (lineage.vendor(), vendors.len()) {
        let vendors: Vec<_> = vendors.iter().map(String::as_str).collect();
        messages.warning(format_args!(
            "the files are of several vendors ({}): the result says {kept}, as the first file does, and objects of one \
             name are one object",
            vendors.join(", ")
        ));
    }
    let result = LineageResult { lineage: &lineage, job: lineage.job_id(), reasons: &[] };
    warn_of_duplicates(&lineage, messages);
    if json {
        let mut output = Output::open(&request.output)?;
        output.json(&LineageCounts::of(&lineage))?;
        output.finish()?;
        return Ok(if request.strict { strictness(result, messages) } else { Exit::Done });
    }
    write(result, &request, |_| Format::Json, messages)
}

/// Returns the files to merge. A directory or a pattern does not stand for the file of an earlier merge.
fn inputs(paths: &[PathBuf], output: Option<&Path>, messages: &Messages) -> Outcome<Vec<PathBuf>> {
    let written = output.filter(|path| !is_stdin(path)).and_then(|path| path.canonicalize().ok());
    let is_written = |path: &Path| written.is_some() && path.canonicalize().ok() == written;
    let mut files = Vec::new();
    for path in paths {
        if path.is_file() && is_written(path) {
            messages.note(format_args!("{} is one of the inputs, and is replaced by the result", path.display()));
            files.push(path.clone());
            continue;
        }
        let found = expanded(std::slice::from_ref(path))?;
        files.extend(found.into_iter().filter(|file| !is_written(file)));
    }
    Ok(files)
}

fn warn_of_duplicates(lineage: &Lineage, messages: &Messages) {
    let mut duplicates = lineage.duplicate_ids();
    if let Some(first) = duplicates.next() {
        let count = duplicates.len() + 1;
        messages.warning(format_args!(
            "{count} id{} to several records within a file, such as {first}: a relationship may mean any of them",
            if count == 1 { " belongs" } else { "s belong" }
        ));
    }
}
