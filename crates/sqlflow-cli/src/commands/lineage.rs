//! `sqlflow lineage`: the main job.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use sqlflow_client::job::FinishedJob;
use sqlflow_client::lineage::RelationType;

use super::Resumption;
use super::export::{partial, save_document, whole_lineage};
use super::inspect::is_stdin;
use super::submit::{Sources, submission};
use super::wait::follow;
use crate::arguments::{
    AnswerArguments, DatabaseArguments, Format, InputArguments, JobArguments, ServerArguments, duration,
};
use crate::connect::Connection;
use crate::exit::{Exit, Outcome};
use crate::messages::Messages;
use crate::output::Output;
use crate::output::lineage::{LineageRequest, LineageResult, strictness, write};

const EXAMPLES: &str = "\
Examples:
  sqlflow lineage etl/ --vendor oracle
  sqlflow lineage etl.zip --vendor mssql --format csv -o lineage.csv
  sqlflow lineage etl/ --vendor oracle --impact sales.orders.status
  cat load.sql | sqlflow lineage - --vendor snowflake --json";

/// Submit SQL, follow the job, and print its whole lineage
///
/// The lineage is whole, or the command fails. It is printed as a table on a
/// terminal and as CSV otherwise.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    input: InputArguments,
    /// Stop waiting after this time; the job goes on
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
    #[command(flatten)]
    answer: AnswerArguments,
    #[command(flatten)]
    server: ServerArguments,
    #[command(flatten)]
    job: JobArguments,
    #[command(flatten)]
    database: DatabaseArguments,
}

/// # Errors
/// Those of the submission, the job and its export.
pub(crate) async fn run(arguments: Arguments, messages: &Messages, resumption: &Resumption) -> Outcome {
    let Arguments { input, timeout, answer, server, mut job, database } = arguments;
    let mut request = LineageRequest::new(answer, job.relation_types.clone());
    request.title = title(&input.paths);
    request.check()?;
    job.for_impact |= request.needs_dependencies() && job.relation_types.is_empty();
    let connection = Connection::open(&server, messages).await?;
    let vendor = connection.settings.vendor(input.dialect.vendor.as_ref(), messages)?;
    let submitted = submission(
        &connection.client,
        vendor,
        Sources { input: &input, database: &database },
        &job,
        messages,
        resumption,
    )
    .await?;
    resumption.jobs([submitted.id()]);
    let finished = follow(&submitted, timeout, messages).await?;
    let requested = if job.for_impact { RelationType::DEPENDENCIES.to_vec() } else { job.relation_types };
    let outcome = print(&finished, &requested, &request, messages).await;
    resumption.clear();
    outcome
}

/// Returns the names of the files and directories that were submitted, without the folders that they are in.
fn title(paths: &[PathBuf]) -> Option<String> {
    let files = paths.iter().filter_map(|path| path.file_name().filter(|_| !is_stdin(path)));
    let names: Vec<_> = files.map(|name| name.to_string_lossy().into_owned()).collect();
    match names.as_slice() {
        [] => None,
        few if few.len() <= 3 => Some(few.join(", ")),
        [first, rest @ ..] => Some(format!("{first} and {} more", rest.len())),
    }
}

/// Prints the lineage of a job that has ended with a result and was submitted with these types, as far as they are known.
///
/// # Errors
/// Those of the export and of the output.
pub(crate) async fn print(
    finished: &FinishedJob,
    requested: &[RelationType],
    request: &LineageRequest,
    messages: &Messages,
) -> Outcome {
    let reasons = partial(finished, messages);
    if request.is_document() {
        finished.warnings().for_each(|warning| messages.warning(warning));
        save_document(finished, requested, &request.output, messages).await?;
        if !request.strict {
            return Ok(Exit::Done);
        }
    }
    let lineage = whole_lineage(finished.job(), messages).await?;
    // Servers report the errors of a lineage as warnings of its job too.
    let is_new = |warning: &&str| !lineage.errors().any(|error| error.message() == *warning);
    finished.warnings().filter(is_new).for_each(|warning| messages.warning(warning));
    let result = LineageResult { lineage: &lineage, job: Some(finished.id().as_str()), reasons: &reasons };
    if request.is_document() {
        return Ok(strictness(result, messages));
    }
    write(result, request, default_format, messages)
}

/// Returns the format of a lineage if none is given.
pub(crate) fn default_format(output: &Output) -> Format {
    if output.is_terminal() { Format::Table } else { Format::Csv }
}
