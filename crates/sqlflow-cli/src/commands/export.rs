//! `sqlflow export`: the lineage of a job that has ended.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use futures_util::StreamExt as _;
use sqlflow_client::job::{Export, ExportForm, FinishedJob, JobInfo, Progress as Received};
use sqlflow_client::lineage::RelationType;
use sqlflow_client::{Error, Job, JobId, Lineage};

use super::lineage::{default_format, print};
use crate::arguments::{AnswerArguments, FollowedArguments, Format, OutputArguments, ServerArguments};
use crate::connect::Connection;
use crate::exit::{Exit, Failure, Outcome};
use crate::messages::Messages;
use crate::output::Output;
use crate::output::lineage::{LineageRequest, LineageResult, write};
use crate::progress::Progress;

const EXAMPLES: &str = "\
Examples:
  sqlflow export JOB -o lineage.csv --format csv
  sqlflow export JOB --format json | jq .data
  sqlflow export JOB --select db.schema.orders.total
  sqlflow export JOB --raw graphml -o lineage.graphml";

/// Export the whole lineage of a job that has ended
///
/// It is printed as a table on a terminal and as CSV otherwise.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Id of the job
    #[arg(value_name = "JOB")]
    job: String,
    /// Only what involves this part: [[database.]schema.]table[.column]
    #[arg(long, value_name = "NAME", help_heading = "Output")]
    select: Option<String>,
    /// Relationships between tables instead of columns
    #[arg(long, help_heading = "Output")]
    table_level: bool,
    #[command(flatten)]
    followed: FollowedArguments,
    /// Write the file that the server makes, as it arrives
    #[arg(
        long,
        value_name = "KIND",
        help_heading = "Output",
        conflicts_with_all = [
            "format", "json", "jsonl", "question", "select", "strict", "table_level", "intermediates", "foreign_keys",
            "by_object",
        ]
    )]
    raw: Option<RawExport>,
    #[command(flatten)]
    answer: AnswerArguments,
    #[command(flatten)]
    server: ServerArguments,
}

/// The files that a server makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RawExport {
    /// The whole lineage as JSON
    Json,
    /// The whole lineage as CSV
    Csv,
    /// The lineage as drawn, for yEd
    Graphml,
    /// The lineage as drawn, as JSON; a summary if it is large
    Drawn,
    /// The metadata of the job
    Metadata,
}

/// # Errors
/// Those of the export and of the output.
pub(crate) async fn run(arguments: Arguments, messages: &Messages) -> Outcome {
    let request = LineageRequest::new(arguments.answer, arguments.followed.relation_types);
    request.check()?;
    let connection = Connection::open(&arguments.server, messages).await?;
    let finished = ended(&connection.client.job(JobId::new(arguments.job))).await?;
    let types = request.relation_types.clone();
    if let Some(kind) = arguments.raw {
        if !types.is_empty() && kind != RawExport::Json {
            return Err(Failure::usage("--relation-types can be used with --raw json only")
                .help("leave out --raw, or use --format csv"));
        }
        partial(&finished, messages);
        raw(&finished, kind, &request, messages).await?;
        return Ok(Exit::Done);
    }
    if request.format == Some(Format::Openlineage) && !types.is_empty() {
        return Err(Failure::usage("--format openlineage has all relation types of the job")
            .help("leave out --relation-types, or use --format csv"));
    }
    if arguments.select.is_some() || arguments.table_level {
        return part(&finished, arguments.select.as_deref(), arguments.table_level, &request, messages).await;
    }
    if !types.is_empty() && !request.is_document() {
        return whole_of_types(&finished, &request, messages).await;
    }
    print(&finished, &types, &request, messages).await
}

/// Returns the reasons why the lineage of a job is not whole before it is looked at, and warns of them.
pub(crate) fn partial(finished: &FinishedJob, messages: &Messages) -> Vec<String> {
    if !finished.is_partial() {
        return Vec::new();
    }
    let reason = format!("the job {} succeeded in part only", finished.id());
    messages.warning(&reason);
    vec![reason]
}

/// Returns the job if it has ended with a result.
///
/// # Errors
/// It has not ended, or failed.
pub(crate) async fn ended(job: &Job) -> Outcome<FinishedJob> {
    let info = job.info().await?;
    if !info.status.is_final() {
        return Err(Failure::new(Exit::StillRunning, format!("job {} has not ended: {}", job.id(), info.status))
            .help(format!("wait for it first: sqlflow wait {}", job.id())));
    }
    Ok(job.wait().send().await?)
}

/// Writes the whole lineage of the types that the request names, which may be others than those of the submission.
async fn whole_of_types(finished: &FinishedJob, request: &LineageRequest, messages: &Messages) -> Outcome {
    let (job, reasons) = (finished.job(), partial(finished, messages));
    let export = job.export_full_lineage_as_json().relation_types(request.relation_types.iter().cloned());
    let (export, progress) = with_progress(export, messages);
    let lineage = export.lineage().await;
    drop(progress);
    let lineage = lineage?;
    let result = LineageResult { lineage: &lineage, job: Some(job.id().as_str()), reasons: &reasons };
    write(result, request, default_format, messages)
}

/// Writes a part of the lineage that the server selects.
async fn part(
    finished: &FinishedJob,
    select: Option<&str>,
    table_level: bool,
    request: &LineageRequest,
    messages: &Messages,
) -> Outcome {
    let job = finished.job();
    let mut export = job.export_lineage_as_json();
    if !request.relation_types.is_empty() {
        export = export.relation_types(request.relation_types.iter().cloned());
    }
    if table_level {
        export = export.table_to_table(true);
    }
    if let Some(name) = select {
        let parts = name_parts(name)?;
        // Only a name of four parts has a column: one of two or three may be that of a table.
        let (column, table) = match parts.as_slice() {
            [database, schema, table, column] => (Some(column), [Some(database), Some(schema), Some(table)]),
            table => {
                let mut parts = table.iter().rev();
                let (last, schema) = (parts.next(), parts.next());
                (None, [parts.next(), schema, last])
            }
        };
        let [database, schema, table] = table.map(|part| part.filter(|part| !part.is_empty()));
        if let Some(database) = database {
            export = export.database(database);
        }
        if let Some(schema) = schema {
            export = export.schema(schema);
        }
        if let Some(table) = table {
            export = export.table(table);
        }
        if let Some(column) = column {
            export = export.column(column);
        }
    }
    let (export, progress) = with_progress(export, messages);
    let drawn = export.send().await;
    drop(progress);
    let drawn = drawn?;
    let mut reasons = partial(finished, messages);
    if !drawn.is_whole() {
        let cut = "the server drew only a part of this; select less, or export without --select".to_owned();
        messages.warning(&cut);
        reasons.push(cut);
    }
    let lineage = drawn.as_drawn();
    if let Some(name) = select.filter(|_| lineage.objects().len() == 0) {
        return Err(Failure::usage(format!("the lineage has nothing of the name '{name}'"))
            .help("`sqlflow export JOB` without --select shows the names"));
    }
    write(LineageResult { lineage, job: Some(job.id().as_str()), reasons: &reasons }, request, default_format, messages)
}

/// Splits a name at the dots that are not in quotes.
fn name_parts(name: &str) -> Outcome<Vec<String>> {
    let mut parts = vec![String::new()];
    let mut quote = None;
    for character in name.chars() {
        match (quote, character) {
            (None, '.') => {
                parts.push(String::new());
                continue;
            }
            (None, '"' | '`') => quote = Some(character),
            (None, '[') => quote = Some(']'),
            (Some(end), _) if character == end => quote = None,
            _ => {}
        }
        parts.last_mut().expect("there is always one").push(character);
    }
    let has_table = parts.iter().rev().take(if parts.len() == 4 { 2 } else { 1 }).all(|part| !part.is_empty());
    if parts.len() > 4 || !has_table {
        return Err(Failure::usage(format!("'{name}' is no name of a table or column")).help(
            "write table, schema.table, database.schema.table, or ..table.column with or without the first two",
        ));
    }
    Ok(parts)
}

/// Reads the whole lineage of a job.
///
/// # Errors
/// Those of the export.
pub(crate) async fn whole_lineage(job: &Job, messages: &Messages) -> Outcome<Lineage> {
    let progress = Progress::start(messages, "reading the lineage");
    let lineage = job.lineage().await;
    drop(progress);
    Ok(lineage?)
}

/// Writes the document of SQLFlow with the whole lineage as it arrives: with the types that were requested, or else those
/// that the job was submitted with.
///
/// # Errors
/// Those of the export and of the output.
pub(crate) async fn save_document(
    finished: &FinishedJob,
    requested: &[RelationType],
    output: &OutputArguments,
    messages: &Messages,
) -> Outcome<()> {
    let job = finished.job();
    let mut export = job.export_full_lineage_as_json();
    let types = if requested.is_empty() { submitted_types(finished.info()) } else { requested.to_vec() };
    if !types.is_empty() {
        export = export.relation_types(types);
    }
    match save(export, output, messages).await? {
        // Servers of version 5 have only the lineage as drawn, which the library checks to be whole.
        Err(error) if is_missing(&error) => {
            let lineage = whole_lineage(job, messages).await?;
            let mut output = Output::open(output)?;
            lineage.write_json(&mut output)?;
            output.finish()
        }
        outcome => Ok(outcome?),
    }
}

/// Returns the types that a job was submitted with, if the server tells them.
fn submitted_types(info: &JobInfo) -> Vec<RelationType> {
    let list = info.show_relation_type.as_deref().unwrap_or_default();
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(RelationType::from).collect()
}

/// Returns `true` if the server does not have the operation.
fn is_missing(error: &Error) -> bool {
    let codes = [error.status().map(i64::from), error.code()];
    codes.into_iter().flatten().any(|code| matches!(code, 404 | 405 | 501))
}

async fn raw(finished: &FinishedJob, kind: RawExport, request: &LineageRequest, messages: &Messages) -> Outcome<()> {
    let (job, output) = (finished.job(), &request.output);
    match kind {
        RawExport::Json => save_document(finished, &request.relation_types, output, messages).await,
        RawExport::Csv => Ok(save(job.export_full_lineage_as_csv(), output, messages).await??),
        RawExport::Graphml => Ok(save(job.export_lineage_as_graphml(), output, messages).await??),
        RawExport::Drawn => Ok(save(job.export_lineage_as_json(), output, messages).await??),
        RawExport::Metadata => Ok(save(job.export_metadata(), output, messages).await??),
    }
}

fn with_progress<F: ExportForm>(export: Export<F>, messages: &Messages) -> (Export<F>, Arc<Progress>) {
    let progress = Arc::new(Progress::start(messages, "downloading"));
    let shown = Arc::clone(&progress);
    (export.on_progress(move |received: &Received| shown.bytes(received.received(), received.total())), progress)
}

/// Writes an export as it arrives. The error of the export itself is the inner one, because a caller may know another
/// export to try.
async fn save<F: ExportForm>(
    export: Export<F>,
    output: &OutputArguments,
    messages: &Messages,
) -> Outcome<Result<(), Error>> {
    let (export, _progress) = with_progress(export, messages);
    let is_file = |path: &Path| path.as_os_str() != "-" && std::fs::metadata(path).is_ok_and(|found| found.is_file());
    if let Some(path) = &output.output
        && path.as_os_str() != "-"
        && (is_file(path) || !path.exists())
    {
        return Ok(export.to_file(path).await.map(|_| ()));
    }
    let mut bytes = match export.stream().await {
        Ok(bytes) => bytes,
        Err(error) => return Ok(Err(error)),
    };
    let mut output = Output::open(output)?;
    while let Some(chunk) = bytes.next().await {
        output.write_all(&chunk?)?;
        if output.reader_left() {
            break;
        }
    }
    output.finish().map(Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_at_dots_outside_of_quotes() {
        assert_eq!(name_parts("db.s.\"a.b\".c").unwrap(), ["db", "s", "\"a.b\"", "c"]);
        assert_eq!(name_parts("[a.b].t").unwrap(), ["[a.b]", "t"]);
        assert_eq!(name_parts("..orders.total").unwrap(), ["", "", "orders", "total"]);
        for name in ["", "a.", "a.b.c.d.e", "a.b..c", "a.b.c."] {
            assert!(name_parts(name).is_err(), "{name}");
        }
    }
}
