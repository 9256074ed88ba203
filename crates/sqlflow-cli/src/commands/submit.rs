//! `sqlflow submit`: submitting without waiting.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use clap::Args;
use serde::Serialize;
use sqlflow_client::job::{Database, UploadProgress};
use sqlflow_client::{Client, Job, JobId, Secret, Vendor};

use super::Resumption;
use crate::arguments::{DatabaseArguments, InputArguments, JobArguments, JsonArguments, ServerArguments};
use crate::connect::{Connection, database_password};
use crate::exit::{Exit, Failure, Outcome};
use crate::messages::Messages;
use crate::output::Output;
use crate::progress::Progress;

const EXAMPLES: &str = "\
Examples:
  id=$(sqlflow submit etl/ --vendor oracle)
  sqlflow wait \"$id\" && sqlflow export \"$id\" -o lineage.csv
  sqlflow submit etl/ --vendor oracle --cron '0 0 3 * * ?'
  sqlflow submit --vendor oracle --db-host db --db-account scott \\
      --db-password-file password --db-extract SALES/ORDERS";

/// Submit SQL as a job, and print the id of the job
///
/// The job is submitted once, even if the response of the server is lost.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    input: InputArguments,
    #[command(flatten)]
    json: JsonArguments,
    #[command(flatten)]
    server: ServerArguments,
    #[command(flatten)]
    job: JobArguments,
    #[command(flatten)]
    persistent: PersistentArguments,
    #[command(flatten)]
    database: DatabaseArguments,
}

/// The SQL of a submission.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sources<'a> {
    pub(crate) input: &'a InputArguments,
    pub(crate) database: &'a DatabaseArguments,
}

/// The options of a job that stays on the server, to run by a schedule or to be extended.
#[derive(Debug, Args)]
#[command(next_help_heading = "Persistent jobs")]
struct PersistentArguments {
    /// Run again by a schedule: a cron expression with seconds
    #[arg(long, value_name = "EXPRESSION")]
    cron: Option<String>,
    /// Create a job that later batches extend
    #[arg(long)]
    persist: bool,
    /// Add the files to this job as one more batch
    #[arg(long, value_name = "JOB")]
    batch_of: Option<String>,
    /// Further settings, as the server understands them
    #[arg(long, value_name = "TEXT")]
    extra: Option<String>,
}

impl PersistentArguments {
    fn is_used(&self) -> bool {
        self.persist || self.cron.is_some() || self.batch_of.is_some() || self.extra.is_some()
    }
}

/// The result of the command.
#[derive(Debug, Serialize)]
struct SubmittedJob<'a> {
    job: &'a str,
}

/// # Errors
/// Those of the submission.
pub(crate) async fn run(arguments: Arguments, messages: &Messages, resumption: &Resumption) -> Outcome {
    let Arguments { input, database, job, persistent, json, server } = arguments;
    let connection = Connection::open(&server, messages).await?;
    let vendor = connection.settings.vendor(input.dialect.vendor.as_ref(), messages)?;
    let sources = Sources { input: &input, database: &database };
    let submitted = if persistent.is_used() {
        persistent_submission(&connection.client, vendor, sources, &job, persistent, messages).await?
    } else {
        submission(&connection.client, vendor, sources, &job, messages, resumption).await?
    };
    let mut output = Output::stdout();
    let result = SubmittedJob { job: submitted.id().as_str() };
    if json.json {
        output.json(&result)?;
    } else if json.jsonl {
        output.json_line(&result)?;
    } else {
        writeln!(output, "{}", submitted.id())?;
    }
    output.finish()?;
    Ok(Exit::Done)
}

/// Sets what all kinds of submissions have. Their builders share no trait.
macro_rules! with_sources {
    ($builder:expr, $sources:expr, $job:expr) => {{
        let (Sources { input, database: source }, job): (Sources<'_>, &JobArguments) = ($sources, $job);
        let mut builder = $builder.follow_links(input.follow_links).on_top(job.on_top);
        for path in &input.paths {
            builder =
                if path.as_os_str() == "-" { builder.sql(&input.stdin_name, stdin()?) } else { builder.path(path) };
        }
        if let Some(name) = &job.name {
            builder = builder.name(name);
        }
        if job.exact_name {
            builder = builder.without_suffix();
        }
        if let Some(database) = database(source)? {
            builder = builder.database(database);
        }
        if let Some(source) = &job.sql_source {
            builder = builder.sql_source(source.as_str());
        }
        if let Some(database) = &job.default_database {
            builder = builder.default_database(database);
        }
        if let Some(schema) = &job.default_schema {
            builder = builder.default_schema(schema);
        }
        builder
    }};
}

/// Submits SQL, and returns the job.
///
/// # Errors
/// There is nothing to submit, or the submission fails.
pub(crate) async fn submission(
    client: &Client,
    vendor: Vendor,
    sources: Sources<'_>,
    job: &JobArguments,
    messages: &Messages,
    resumption: &Resumption,
) -> Outcome<Job> {
    check(sources)?;
    let mut builder = with_sources!(client.submit(vendor), sources, job);
    let extract = sources.database;
    for (names, set) in [
        (&extract.db_extract, sqlflow_client::job::Submit::extracted_dbs_schemas as fn(_, Vec<String>) -> _),
        (&extract.db_exclude, sqlflow_client::job::Submit::excluded_dbs_schemas),
        (&extract.db_procedures, sqlflow_client::job::Submit::extracted_stored_procedures),
        (&extract.db_views, sqlflow_client::job::Submit::extracted_views),
    ] {
        if !names.is_empty() {
            builder = set(builder, names.clone());
        }
    }
    if job.for_impact {
        builder = builder.for_impact();
    }
    if !job.relation_types.is_empty() {
        builder = builder.relation_types(job.relation_types.iter().cloned());
    }
    // What is not asked for is left to the server.
    if job.ignore_functions {
        builder = builder.ignore_function(true);
    }
    if job.ignore_record_sets {
        builder = builder.ignore_record_set(true);
    }
    if job.show_constants {
        builder = builder.show_constant_table(true);
    }
    if job.show_transforms {
        builder = builder.show_transform(true);
    }
    if job.count_is_direct {
        builder = builder.treat_arguments_in_count_function_as_direct_dataflow(true);
    }
    if job.no_parallel {
        builder = builder.parallel(false);
    }
    if let Some(columns) = job.csv_columns {
        builder = builder.csv_format(columns);
    }
    if let Some(character) = job.csv_enclosing {
        builder = builder.object_code_enclose_char(character);
    }
    if let Some(character) = job.csv_escape {
        builder = builder.object_code_escape_char(character);
    }
    if !job.exact_name {
        let name = builder.choose_name()?;
        resumption.set(format!("the job may have been created; look for it: sqlflow jobs --name '{name}'"));
    }
    let progress = Arc::new(Progress::start(messages, "submitting"));
    let submitted = builder.on_progress(shown_on(&progress)).send().await;
    drop(progress);
    resumption.clear();
    Ok(submitted?)
}

/// Returns a function that shows the progress of an upload.
fn shown_on(progress: &Arc<Progress>) -> impl Fn(&UploadProgress) + Send + Sync + 'static {
    let progress = Arc::clone(progress);
    move |upload| progress.bytes(upload.sent(), Some(upload.total()))
}

async fn persistent_submission(
    client: &Client,
    vendor: Vendor,
    sources: Sources<'_>,
    job: &JobArguments,
    persistent: PersistentArguments,
    messages: &Messages,
) -> Outcome<Job> {
    check(sources)?;
    check_persistent(sources.database, job)?;
    let mut builder = with_sources!(client.submit_persist(vendor), sources, job);
    if let Some(expression) = persistent.cron {
        builder = builder.cron_expression(expression).schedulable(true);
    }
    if let Some(id) = persistent.batch_of {
        builder = builder.batch_of(JobId::new(id));
    }
    if let Some(extra) = persistent.extra {
        builder = builder.extra(extra);
    }
    let progress = Arc::new(Progress::start(messages, "submitting"));
    let submitted = builder.on_progress(shown_on(&progress)).send().await;
    drop(progress);
    Ok(submitted?)
}

/// Checks that no option is given that the server does not take for a persistent job.
///
/// # Errors
/// One is, and the message names it.
fn check_persistent(database: &DatabaseArguments, job: &JobArguments) -> Outcome<()> {
    let given = [
        ("--relation-types", !job.relation_types.is_empty()),
        ("--for-impact", job.for_impact),
        ("--ignore-functions", job.ignore_functions),
        ("--ignore-record-sets", job.ignore_record_sets),
        ("--show-constants", job.show_constants),
        ("--show-transforms", job.show_transforms),
        ("--count-is-direct", job.count_is_direct),
        ("--no-parallel", job.no_parallel),
        ("--csv-columns", job.csv_columns.is_some()),
        ("--csv-enclosing", job.csv_enclosing.is_some()),
        ("--csv-escape", job.csv_escape.is_some()),
        ("--db-extract", !database.db_extract.is_empty()),
        ("--db-exclude", !database.db_exclude.is_empty()),
        ("--db-procedures", !database.db_procedures.is_empty()),
        ("--db-views", !database.db_views.is_empty()),
    ];
    let refused: Vec<_> = given.into_iter().filter(|(_, is_given)| *is_given).map(|(flag, _)| flag).collect();
    if refused.is_empty() {
        return Ok(());
    }
    Err(Failure::usage(format!("a persistent job has no {}", refused.join(", ")))
        .help("leave that out, or leave out --persist, --cron, --batch-of and --extra"))
}

/// Checks that there is SQL, and that each path exists.
///
/// # Errors
/// There is none, or one does not.
fn check(Sources { input, database }: Sources<'_>) -> Outcome<()> {
    if input.paths.is_empty() && database.db_host.is_none() {
        return Err(Failure::usage("there is no SQL to submit")
            .help("give a file, a directory, a zip file, `-` for standard input, or --db-host"));
    }
    if input.paths.iter().filter(|path| path.as_os_str() == "-").count() > 1 {
        return Err(Failure::usage("standard input is given twice"));
    }
    for path in input.paths.iter().filter(|path| path.as_os_str() != "-") {
        if let Err(error) = std::fs::metadata(path) {
            return Err(Failure::usage(format!("{}: {error}", path.display())));
        }
    }
    Ok(())
}

/// Reads the SQL on standard input.
///
/// # Errors
/// It cannot be read, or there is none.
pub(crate) fn stdin() -> Outcome<Vec<u8>> {
    let mut sql = Vec::new();
    std::io::stdin().lock().read_to_end(&mut sql).map_err(|error| Failure::io("standard input", &error))?;
    if sql.iter().all(u8::is_ascii_whitespace) {
        return Err(Failure::usage("standard input: there is no SQL"));
    }
    Ok(sql)
}

fn database(arguments: &DatabaseArguments) -> Outcome<Option<Database>> {
    let Some(host) = &arguments.db_host else { return Ok(None) };
    let mut database = Database::new(host);
    if let Some(port) = arguments.db_port {
        database = database.port(port);
    }
    if let Some(account) = &arguments.db_account {
        database = database.account(account);
    }
    if let Some(name) = &arguments.db_name {
        database = database.name(name);
    }
    let password: Option<Secret> = database_password(arguments)?;
    Ok(Some(match password {
        Some(password) => database.password(password),
        None => database,
    }))
}
