//! `sqlflow analyze`: direct analysis, without a job.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;

use clap::Args;
use sqlflow_client::Lineage;
use sqlflow_client::lineage::RelationType;

use super::lineage::default_format;
use super::submit::stdin;
use crate::arguments::{AnswerArguments, ServerArguments, VendorArgument, relation_type};
use crate::connect::Connection;
use crate::exit::{Exit, Failure, Outcome};
use crate::messages::Messages;
use crate::output::Output;
use crate::output::lineage::{LineageRequest, LineageResult, one_line, strictness, write};
use crate::output::report::sql_errors;
use crate::progress::Progress;
use crate::sql_text;

const EXAMPLES: &str = "\
Examples:
  sqlflow analyze load.sql --vendor snowflake
  echo 'insert into t select a from s' | sqlflow analyze --vendor oracle
  sqlflow analyze load.sql --vendor oracle --upstream t.a --json";

/// Print the lineage of one script without creating a job
///
/// The script is a file or standard input. Directories and zip files need a
/// job: see `sqlflow lineage`. The lineage is printed as a table on a terminal
/// and as CSV otherwise.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// SQL file; standard input without it or with `-`
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    #[command(flatten)]
    dialect: VendorArgument,
    /// Relationships to analyze, such as fdd,fdr
    #[arg(long, value_name = "TYPES", value_delimiter = ',', value_parser = relation_type)]
    relation_types: Vec<RelationType>,
    #[command(flatten)]
    answer: AnswerArguments,
    #[command(flatten)]
    server: ServerArguments,
}

/// # Errors
/// Those of the analysis and of the output.
pub(crate) async fn run(arguments: Arguments, messages: &Messages) -> Outcome {
    let request = LineageRequest::new(arguments.answer, arguments.relation_types);
    request.check()?;
    let (name, sql) = match &arguments.path {
        Some(path) if path.as_os_str() != "-" => {
            if path.is_dir() {
                return Err(Failure::usage(format!("{}: it is a directory", path.display()))
                    .help("a directory needs a job: use sqlflow lineage"));
            }
            (path.display().to_string(), sql_text::read(path)?)
        }
        None if io::stdin().is_terminal() => {
            return Err(Failure::usage("there is no SQL").help("give a file, or `-` to type SQL and Ctrl-D"));
        }
        _ => ("standard input".to_owned(), sql_text::decode("standard input", stdin()?)?),
    };
    sql_text::check_not_empty(name, &sql)?;
    let connection = Connection::open(&arguments.server, messages).await?;
    let vendor = connection.settings.vendor(arguments.dialect.vendor.as_ref(), messages)?;
    let mut analysis = connection.client.analyze(vendor).sql(sql);
    if request.needs_dependencies() && request.relation_types.is_empty() {
        analysis = analysis.for_impact();
    }
    if !request.relation_types.is_empty() {
        analysis = analysis.relation_types(request.relation_types.iter().cloned());
    }
    let progress = Progress::start(messages, "analyzing");
    if request.is_document() {
        let document = analysis.bytes().await;
        drop(progress);
        let document = document?;
        let lineage = Lineage::from_slice(&document)?;
        check_any(&lineage)?;
        let mut output = Output::open(&request.output)?;
        output.write_all(&document)?;
        output.finish()?;
        let exit = strictness(result(&lineage), messages);
        return Ok(if request.strict { exit } else { Exit::Done });
    }
    let lineage = analysis.lineage().await;
    drop(progress);
    let lineage = lineage?;
    check_any(&lineage)?;
    write(result(&lineage), &request, default_format, messages)
}

/// Checks that anything of the SQL was analyzed.
///
/// # Errors
/// The server found errors, and nothing else.
fn check_any(lineage: &Lineage) -> Outcome<()> {
    match sql_errors(lineage).next() {
        Some(error) if lineage.objects().len() == 0 => {
            Err(Failure::new(Exit::JobFailed, format!("the SQL cannot be analyzed: {}", one_line(&error))))
        }
        _ => Ok(()),
    }
}

fn result(lineage: &Lineage) -> LineageResult<'_> {
    LineageResult { lineage, job: None, reasons: &[] }
}
