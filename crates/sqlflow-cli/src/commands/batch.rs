//! `sqlflow batch`: many jobs, with a journal from which the next run continues.

mod csv_manifest;
mod directory;
mod manifest;
mod options;
mod outcome;
mod shard;
mod tables;
mod toml_manifest;

use std::collections::HashSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use clap::{Args, ValueEnum};
use futures_util::TryStreamExt as _;
use futures_util::stream::{self, Stream};
use sqlflow_client::job::{BatchOutcome, ExportFormat, Submit};
use sqlflow_client::{Client, ErrorKind, Vendor};

use self::manifest::PlannedJob;
use self::outcome::{BatchReport, JobOutcome, JobState, KnownResult};
use self::shard::Shard;
use super::Resumption;
use crate::arguments::{JsonArguments, ServerArguments, VendorArgument, dialect_name, duration};
use crate::connect::Connection;
use crate::exit::{Exit, Failure, Outcome, exit_for};
use crate::messages::Messages;
use crate::output::{Output, Table};
use crate::progress::Progress;
use crate::settings::{Setting, Settings};

const EXAMPLES: &str = "\
Examples:
  sqlflow batch etl/ --vendor oracle --journal nightly.journal
  sqlflow batch jobs.toml --journal j --export csv --export full-json
  sqlflow batch jobs.csv --journal j --max-in-flight 16 --keep-going
  sqlflow batch etl/ --vendor oracle --journal j --format parquet -o lake
  sqlflow batch jobs.toml --journal j --shard $((JOB_COMPLETION_INDEX + 1))/8

A directory: each folder in it is a job, and the name of the folder is its key.
SQL files directly in the directory are refused.

A manifest in TOML; relative paths start at its folder:

  [defaults]
  vendor = \"oracle\"
  [[job]]
  key = \"orders\"
  paths = [\"etl/orders\", \"etl/views.sql\"]
  relation_types = [\"fdd\", \"fdr\"]

A manifest in CSV, with a header; rows with the same key are one job:

  key,path,vendor
  orders,etl/orders,oracle
  stock,etl/stock.zip,snowflake

Keys of a job in both: name, vendor, relation_types, default_database,
default_schema, sql_source; and, true or false: ignore_functions,
ignore_record_sets, show_constants, show_transforms, count_is_direct,
no_parallel, on_top, follow_links. They mean the same as the flags of
`sqlflow submit`. A value of a job comes before one of [defaults], and that
before a flag.

The journal records every step. If the command is killed and run again, it
continues: nothing is submitted twice, and nothing is lost. The key decides what
was done before, so work that has changed needs another key or another journal.
Each shard has a journal of its own, such as nightly.journal.2-of-8.";

/// Run many jobs so that a crash loses none of them
///
/// Submits each job of a manifest or directory, waits for it and exports its
/// lineage to DIR/KEY.EXTENSION. Prints one line for each job that ends.
///
/// With --format parquet, DIR is one data set for DuckDB, Spark and others: the
/// tables of each job are in DIR/job=KEY, where engines find the column `job`.
/// Tables that are there already are kept.
///
/// The exit code is 3 if a job failed, else that of the first error.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Manifest (.toml or .csv), or a directory whose folders are jobs
    #[arg(value_name = "MANIFEST|DIR")]
    manifest: PathBuf,
    /// File that records every step; run again with it to continue
    #[arg(long, value_name = "FILE")]
    journal: PathBuf,
    #[command(flatten)]
    dialect: VendorArgument,
    /// Directory to export to
    #[arg(short = 'o', long, visible_alias = "output", value_name = "DIR", default_value = "lineage")]
    out: PathBuf,
    /// Format to export; may be given several times [default: full-json]
    #[arg(long, visible_alias = "format", value_name = "FORMAT", value_delimiter = ',')]
    export: Vec<BatchFormat>,
    /// Jobs to run at the same time
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    max_in_flight: u32,
    /// Start further jobs after one has failed
    #[arg(long)]
    keep_going: bool,
    /// Run the I-th of N parts: the key of a job decides its part
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Submit jobs again that failed in an earlier run
    #[arg(long)]
    retry_failed: bool,
    /// Stop waiting for a job after this time; it goes on
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
    /// Retry for this long while the server cannot be reached
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "10m")]
    max_outage: Duration,
    /// List all jobs, also those that are done, and send nothing
    #[arg(long)]
    dry_run: bool,
    /// Fail with exit code 7 if a result is not whole
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    json: JsonArguments,
    #[command(flatten)]
    server: ServerArguments,
}

/// The formats that a batch exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum BatchFormat {
    /// The whole lineage as JSON, KEY.full.json
    FullJson,
    /// The whole lineage as CSV, KEY.csv
    Csv,
    /// The lineage as drawn, KEY.json; a summary if it is large
    Json,
    /// The lineage as drawn, for yEd, KEY.graphml
    Graphml,
    /// Tables for query engines, job=KEY/flows.parquet and others
    Parquet,
}

impl BatchFormat {
    /// Returns the format of a file that the server makes; the tables are made here.
    fn of_server(self) -> Option<ExportFormat> {
        match self {
            Self::Json => Some(ExportFormat::Json),
            Self::FullJson => Some(ExportFormat::FullJson),
            Self::Csv => Some(ExportFormat::Csv),
            Self::Graphml => Some(ExportFormat::Graphml),
            Self::Parquet => None,
        }
    }
}

/// # Errors
/// A manifest that is wrong, a journal that cannot be used, output that cannot be written. Jobs that fail are a part of
/// the result.
pub(crate) async fn run(arguments: Arguments, messages: &Messages, resumption: &Resumption) -> Outcome {
    let planned = manifest::read(&arguments.manifest, messages)?;
    let total = planned.len();
    let planned: Vec<_> =
        planned.into_iter().filter(|job| arguments.shard.is_none_or(|shard| shard.contains(&job.key))).collect();
    if arguments.export.contains(&BatchFormat::Parquet) {
        planned.iter().try_for_each(|job| tables::check(&job.key))?;
    }
    if let Some(shard) = arguments.shard {
        messages.note(format_args!("shard {shard} has {} of {total} jobs", planned.len()));
    }
    if arguments.dry_run {
        let settings = Settings::collect(&arguments.server)?;
        let jobs = with_dialects(planned, &settings, arguments.dialect.vendor.as_ref(), messages)?;
        print_plan(&jobs, &arguments)?;
        return Ok(Exit::Done);
    }
    let connection = Connection::open(&arguments.server, messages).await?;
    if let Some(Setting { value: true, origin }) = &connection.settings.anonymous {
        return Err(Failure::usage(format!("a batch needs an account, and there is none ({origin})"))
            .help("pass --user-id and a secret key, or choose another --profile"));
    }
    let jobs = with_dialects(planned, &connection.settings, arguments.dialect.vendor.as_ref(), messages)?;
    // The jobs of the embedded server end with it, so a journal of them would mislead the next run.
    let temporary = match &connection.emulator {
        Some(_) => Some(tempfile::tempdir().map_err(|error| Failure::io("a directory for the journal", &error))?),
        None => None,
    };
    let journal = match &temporary {
        Some(directory) => directory.path().join("emulated.journal"),
        None => journal_path(&arguments.journal, arguments.shard),
    };
    if temporary.is_some() {
        messages.note("no journal is kept, because the jobs end with the emulator");
    } else {
        resumption.set(format!(
            "jobs on the server go on; run the same command again to continue from {}",
            journal.display()
        ));
    }
    // A server that is away from the start is probably a wrong address, so nobody wants to wait for its return.
    if let Err(error) = connection.client.api().version().await
        && error.kind() == ErrorKind::Connect
    {
        return Err(error.into());
    }
    let is_kept = temporary.is_none();
    Run { arguments: &arguments, client: &connection.client, journal, is_kept, messages }.all(jobs).await
}

/// Returns the journal of a shard, or of the whole batch.
fn journal_path(journal: &Path, shard: Option<Shard>) -> PathBuf {
    let Some(shard) = shard else { return journal.to_owned() };
    let mut name = journal.as_os_str().to_owned();
    name.push(format!(".{}-of-{}", shard.index(), shard.count()));
    name.into()
}

/// Returns each job with its dialect.
///
/// # Errors
/// A job for which no place names one.
fn with_dialects(
    planned: Vec<PlannedJob>,
    settings: &Settings,
    flag: Option<&Vendor>,
    messages: &Messages,
) -> Outcome<Vec<(PlannedJob, Vendor)>> {
    let needs_one = planned.iter().any(|job| job.options.vendor.is_none());
    let fallback = if needs_one { settings.vendor(flag, messages).ok() } else { None };
    let with_dialect = |job: PlannedJob| match job.options.vendor.clone().or_else(|| fallback.clone()) {
        Some(vendor) => Ok((job, vendor)),
        None => Err(Failure::usage(format!("{}: job '{}': the dialect of the SQL is not known", job.place, job.key))
            .help("pass --vendor, such as --vendor oracle, or set `vendor` for the job or, in TOML, in [defaults]")),
    };
    planned.into_iter().map(with_dialect).collect()
}

/// Prints the jobs that would run.
fn print_plan(jobs: &[(PlannedJob, Vendor)], arguments: &Arguments) -> Outcome<()> {
    let mut output = Output::stdout();
    let planned = jobs.iter().map(|(job, vendor)| JobOutcome::planned(job, vendor));
    if arguments.json.jsonl {
        output.json_lines(planned)?;
    } else if arguments.json.json {
        let journal = journal_path(&arguments.journal, arguments.shard);
        output.json(&BatchReport::new(Some(&journal), arguments.shard, planned.collect()))?;
    } else {
        let mut table = Table::new(["KEY", "DIALECT", "PATHS"]);
        for (job, vendor) in jobs {
            let paths: Vec<_> = job.paths.iter().map(|path| path.display().to_string()).collect();
            table.row([job.key.clone(), dialect_name(vendor).to_owned(), paths.join(", ")]);
        }
        if !table.is_empty() {
            write!(output, "{table}")?;
        }
    }
    output.finish()
}

/// A run of a batch.
struct Run<'a> {
    arguments: &'a Arguments,
    client: &'a Client,
    journal: PathBuf,
    /// The journal is there for a later run.
    is_kept: bool,
    messages: &'a Messages,
}

/// Decides whether a further job is started.
#[derive(Debug, Clone, Default)]
struct Gate {
    is_closed: Arc<AtomicBool>,
    started: Arc<AtomicUsize>,
}

impl Gate {
    /// Returns the submissions as a stream that gives no more of them once the gate is closed.
    ///
    /// It then does not end, because a batch continues the work of earlier runs after the last submission.
    fn stream(&self, submissions: Vec<(String, Submit)>) -> impl Stream<Item = (String, Submit)> + Send + use<> {
        stream::unfold((self.clone(), submissions.into_iter()), |(gate, mut submissions)| async move {
            if gate.is_closed.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
            let next = submissions.next()?;
            gate.started.fetch_add(1, Ordering::Relaxed);
            Some((next, (gate, submissions)))
        })
    }

    fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
    }

    /// Returns `true` if the gate is closed and nothing that was started is still running.
    fn is_through(&self, ended: usize) -> bool {
        self.is_closed.load(Ordering::Relaxed) && self.started.load(Ordering::Relaxed) == ended
    }
}

/// A job that has ended.
struct EndedJob {
    outcome: JobOutcome,
    /// It failed in this run, so no further job is started, unless `--keep-going` is given.
    stops: bool,
}

impl Run<'_> {
    async fn all(&self, jobs: Vec<(PlannedJob, Vendor)>) -> Outcome {
        let Self { arguments, client, messages, .. } = *self;
        let keys: Vec<String> = jobs.iter().map(|(job, _)| job.key.clone()).collect();
        let width = keys.iter().map(|key| key.chars().count()).max().unwrap_or(0).min(outcome::MAX_KEY_WIDTH);
        let submissions = jobs.into_iter().map(|(job, vendor)| (job.key.clone(), job.submission(client, vendor)));
        let gate = Gate::default();
        let run = self.batch().run_stream(gate.stream(submissions.collect()));
        // Tables are written while other jobs go on.
        let run = run.map_ok(|outcome| async { Ok(self.ended(outcome).await) });
        let mut run = std::pin::pin!(run.try_buffer_unordered(arguments.max_in_flight as usize));
        let progress = Progress::of(messages, keys.len() as u64, "jobs");
        let mut output = Output::stdout();
        let mut ended: Vec<JobOutcome> = Vec::new();
        while !gate.is_through(ended.len()) {
            let Some(EndedJob { outcome: ended_job, stops }) = run.try_next().await? else { break };
            // A failure of an earlier run is reported again, and would otherwise keep all later runs from going on.
            if stops && !arguments.keep_going {
                gate.close();
            }
            progress.suspend(|| self.print(&ended_job, width, &mut output))?;
            progress.advance();
            ended.push(ended_job);
        }
        drop(progress);
        let exit = outcome::exit(&ended);
        let known: HashSet<&str> = ended.iter().map(|job| job.key.as_str()).collect();
        let skipped: Vec<_> = keys.into_iter().filter(|key| !known.contains(key.as_str())).collect();
        for key in skipped {
            let skipped = JobOutcome::not_started(key);
            self.print(&skipped, width, &mut output)?;
            ended.push(skipped);
        }
        let report = BatchReport::new(self.is_kept.then_some(&self.journal), arguments.shard, ended);
        if arguments.json.json {
            output.json(&report)?;
        }
        output.finish()?;
        self.summarize(&report);
        Ok(exit)
    }

    fn batch(&self) -> sqlflow_client::job::Batch {
        let arguments = self.arguments;
        let mut batch = self.client.batch(&self.journal).max_in_flight(arguments.max_in_flight as usize);
        batch = batch.retry_failed(arguments.retry_failed).max_outage(arguments.max_outage);
        if let Some(timeout) = arguments.timeout {
            batch = batch.deadline(timeout);
        }
        let formats: &[_] = if arguments.export.is_empty() { &[BatchFormat::FullJson] } else { &arguments.export };
        let of_server = formats.iter().filter_map(|format| format.of_server());
        of_server.fold(batch, |batch, format| batch.export(format, &arguments.out))
    }

    fn writes_tables(&self) -> bool {
        self.arguments.export.contains(&BatchFormat::Parquet)
    }

    /// Returns the outcome of a job that has ended, after its tables were written.
    async fn ended(&self, outcome: BatchOutcome) -> EndedJob {
        let stops = outcome.error().is_some() && !outcome.was_done_before();
        let mut ended = JobOutcome::of(&outcome);
        let mut known = None;
        if self.writes_tables() && outcome.is_done() {
            match tables::write(self.client, &outcome, &self.arguments.out).await {
                Ok(written) => {
                    ended.add_file(&written.directory);
                    known = written.known;
                }
                Err(failure) => {
                    ended.fail(&failure);
                    return EndedJob { outcome: ended, stops: true };
                }
            }
        }
        self.add_limits(&mut ended, &outcome, known.as_ref()).await;
        EndedJob { outcome: ended, stops }
    }

    async fn add_limits(&self, ended: &mut JobOutcome, outcome: &BatchOutcome, known: Option<&KnownResult>) {
        let strict = self.arguments.strict;
        // What an earlier run has reported is looked at again only if the exit code depends on it.
        if outcome.is_done() && (strict || !outcome.was_done_before()) {
            ended.limits = outcome::limits(self.client, outcome, known, strict).await;
            if strict && !ended.limits.is_empty() {
                ended.exit = Exit::Incomplete;
            }
        }
    }

    /// Prints the outcome of a job on a line.
    fn print(&self, job: &JobOutcome, width: usize, output: &mut Output) -> Outcome<()> {
        let json = self.arguments.json;
        if json.jsonl {
            output.json_line(job)?;
        } else if json.json {
            // All of them follow in one object.
        } else if !self.messages.is_quiet() {
            writeln!(output, "{}", job.line(width))?;
        } else if let Some(id) = job.id() {
            writeln!(output, "{id}")?;
        }
        output.flush()?;
        for limit in &job.limits {
            self.messages.warning(format_args!("{}: {limit}", job.key));
        }
        if let (Some(error), false) = (&job.error, json.json || json.jsonl) {
            self.messages.error(format_args!("{}: {error}", job.key));
        }
        Ok(())
    }

    /// Says how many jobs ended in which way, and what to do about the others.
    fn summarize(&self, report: &BatchReport) {
        self.messages.note(report.summary());
        let failed_before = report.jobs.iter().any(|job| job.state == JobState::Failed && job.was_before);
        if failed_before && !self.arguments.retry_failed {
            self.messages.note("--retry-failed submits jobs again that failed in an earlier run");
        }
        if report.jobs.iter().any(|job| job.state == JobState::NotStarted) {
            self.messages.note("run the same command again to go on; with --keep-going it does not stop at a failure");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shard_has_a_journal_of_its_own() {
        let journal = Path::new("runs/nightly.journal");
        assert_eq!(journal_path(journal, None), journal);
        let shard = "2/8".parse().ok();
        assert_eq!(journal_path(journal, shard), Path::new("runs/nightly.journal.2-of-8"));
    }
}
