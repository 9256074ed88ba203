//! A lineage as a directory of Parquet files.

use std::path::Path;

use sqlflow_client::Lineage;
use sqlflow_client::lineage::{Tables, TablesError};

use super::lineage::{LineageRequest, LineageResult, unresolved_note};
use crate::arguments::Format;
use crate::exit::{Exit, Failure, Outcome};
use crate::messages::Messages;

/// The help for everything that is refused because it is not the name of a directory.
const WRITE_DIRECTORY: &str =
    "write --format parquet -o DIR, and the tables are DIR/flows.parquet, DIR/columns.parquet, …";

/// Checks that the flags fit the format, and that the directory may be written to, before anything is sent.
///
/// # Errors
/// They do not, or the directory holds something else.
pub(crate) fn check(request: &LineageRequest) -> Outcome<()> {
    let path = request.output.output.as_deref();
    let is_parquet_file =
        path.is_some_and(|path| path.extension().is_some_and(|it| it.eq_ignore_ascii_case("parquet")));
    let is_parquet = request.format == Some(Format::Parquet);
    if is_parquet_file && (is_parquet || request.format.is_none()) {
        let path = path.unwrap_or(Path::new("")).display();
        return Err(Failure::usage(format!("{path} is the name of one file, and the tables of a lineage are several"))
            .help(WRITE_DIRECTORY));
    }
    if !is_parquet {
        return Ok(());
    }
    if request.has_question() {
        return Err(Failure::usage("--format parquet writes the whole lineage, and no answer to a question")
            .help("leave out --upstream, --downstream, --impact, --sources and --targets, and ask in SQL"));
    }
    let diagram = &request.diagram;
    if diagram.intermediates || diagram.foreign_keys || diagram.by_object {
        return Err(Failure::usage("--format parquet always writes the whole lineage")
            .help("leave out --intermediates, --foreign-keys and --by-object, and filter in SQL"));
    }
    match path {
        None => Err(Failure::usage("--format parquet needs a directory to write to").help(WRITE_DIRECTORY)),
        Some(path) if path.as_os_str() == "-" => {
            Err(Failure::usage("--format parquet writes several files, and not to standard output")
                .help(WRITE_DIRECTORY))
        }
        Some(path) => {
            Tables::check_parquet_directory(path).map_err(|error| Failure { exit: Exit::Usage, ..failed(&error) })
        }
    }
}

/// Writes the tables of a lineage, with the reasons for which it may not be whole that it does not hold itself.
///
/// # Errors
/// The directory holds something else, or cannot be written.
pub(crate) fn write(
    result: LineageResult<'_>,
    request: &LineageRequest,
    outer: &[String],
    messages: &Messages,
) -> Outcome {
    let path = request.output.output.as_deref().unwrap_or(Path::new(""));
    write_directory(result.lineage, &label_of(result, path), outer, path)?;
    let unresolved: Vec<_> = result.lineage.unresolved().collect();
    let note = unresolved_note(&unresolved);
    if let Some(note) = &note {
        messages.warning(format_args!("{note}; the table `notes` lists all of them"));
    }
    let is_whole = note.is_none() && result.reasons.is_empty();
    Ok(if request.strict && !is_whole { Exit::Incomplete } else { Exit::Done })
}

/// Returns the label of the job: the one that the name of the directory tells, as engines read it, or else that of the
/// lineage. One that was merged, or read from standard input, has none, and gets the name of the directory.
fn label_of(result: LineageResult<'_>, path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if let Some(partition) = name.strip_prefix("job=").filter(|label| !label.is_empty()) {
        return partition.to_owned();
    }
    let of_file = result.lineage.label().filter(|label| *label != "-");
    result.job.or(result.lineage.job_id()).or(of_file).map_or(name, str::to_owned)
}

/// Writes the tables of a lineage with this label and these reasons.
///
/// # Errors
/// The directory holds something else, or cannot be written.
pub(crate) fn write_directory(lineage: &Lineage, label: &str, reasons: &[String], path: &Path) -> Outcome<()> {
    let tables = reasons.iter().fold(lineage.tables().job(label), Tables::reason);
    tables.write_parquet_directory(path).map_err(|error| failed(&error))
}

/// Returns the failure of writing tables.
pub(crate) fn failed(error: &TablesError) -> Failure {
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        message = format!("{message}: {error}");
        cause = error.source();
    }
    match error {
        TablesError::NotTables { .. } => Failure::usage(message),
        _ => Failure::error(message),
    }
}
