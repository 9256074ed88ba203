//! The command line: commands, flags and help. Flags that several commands have are defined once, here.

mod dialect;
mod relation_types;
mod selection;
mod server;
mod submission;
mod suggestion;
mod time;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use self::dialect::{VendorArgument, dialect, dialect_name};
pub(crate) use self::relation_types::relation_type;
pub(crate) use self::selection::{AnswerArguments, DiagramArguments, FollowedArguments, SelectionArguments};
pub(crate) use self::server::ServerArguments;
pub(crate) use self::submission::{DatabaseArguments, InputArguments, JobArguments};
pub(crate) use self::suggestion::similar;
pub(crate) use self::time::duration;
use crate::commands;

const EXAMPLES: &str = "\
Examples:
  sqlflow lineage etl/ --vendor oracle
  sqlflow lineage etl/ --vendor oracle --upstream sales.report.total
  sqlflow lineage etl/ --emulator --format csv -o lineage.csv
  sqlflow inspect lineage.json --format dot | dot -Tsvg > lineage.svg

Exit codes:
    0  done
    1  any other error
    2  wrong arguments or configuration, or a name that nothing has
    3  the job, or a direct analysis, failed
    4  the job is still running: the time limit passed, or it has no result yet
    5  the credentials are missing or refused
    6  the server cannot be reached
    7  the result is not whole, with --strict
    8  something was found: changes (diff), errors in SQL (check)
  130  interrupted by Ctrl-C; 143 by SIGTERM

Environment: SQLFLOW_URL, SQLFLOW_USER_ID, SQLFLOW_SECRET_KEY, SQLFLOW_TOKEN,
SQLFLOW_VENDOR, SQLFLOW_PROFILE. `sqlflow config --help` explains profiles.";

/// Data lineage of SQL scripts: which column feeds which
///
/// SQLFlow reads SQL scripts in two dozen dialects. This command submits them,
/// follows the job, and prints, exports and queries their lineage.
#[derive(Debug, Parser)]
#[command(name = "sqlflow", version, max_term_width = 80, after_help = EXAMPLES)]
#[command(arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: GlobalArguments,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The flags of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArguments {
    /// Print less: no notes and no progress, ids alone
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Log to standard error; -vv and -vvv log more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Use of colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
    /// Format of the log and of messages on standard error
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// The commands. Each is described by the comment of its arguments.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Lineage(commands::lineage::Arguments),
    Analyze(commands::analyze::Arguments),
    Submit(commands::submit::Arguments),
    Watch(commands::watch::Arguments),
    Wait(commands::wait::Arguments),
    Export(commands::export::Arguments),
    Jobs(commands::jobs::Arguments),
    #[command(subcommand)]
    Job(commands::job::Command),
    #[command(subcommand)]
    Schedule(commands::schedule::Command),
    Batch(commands::batch::Arguments),
    Check(commands::check::Arguments),
    Inspect(commands::inspect::Arguments),
    Diff(commands::diff::Arguments),
    Merge(commands::merge::Arguments),
    Emit(commands::emit::Arguments),
    Doctor(commands::doctor::Arguments),
    Emulator(commands::emulator::Arguments),
    #[command(subcommand)]
    Config(commands::config::Command),
    Completions(commands::completions::Arguments),
    Man(commands::man::Arguments),
}

/// The jobs that a command is about, and the form of its result.
#[derive(Debug, Clone, Args)]
pub(crate) struct JobIdsArguments {
    /// Ids of the jobs
    #[arg(value_name = "JOB", required = true)]
    pub(crate) jobs: Vec<String>,
    #[command(flatten)]
    pub(crate) json: JsonArguments,
    #[command(flatten)]
    pub(crate) server: ServerArguments,
}

/// Machine-readable output.
#[derive(Debug, Clone, Copy, Default, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct JsonArguments {
    /// Print the result as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// Print the result as JSON lines, one object on each
    #[arg(long, conflicts_with = "json")]
    pub(crate) jsonl: bool,
}

/// The file that the result is written to.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArguments {
    /// Write to a file, which appears complete or not at all
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// The use of a page that is written.
#[derive(Debug, Clone, Copy, Default, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct PageArguments {
    /// Write a page (--format html) and open it in the browser; without -o,
    /// in the folder for temporary files
    #[arg(long, conflicts_with_all = ["json", "jsonl"])]
    pub(crate) open: bool,
}

/// The format of a lineage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns and what feeds them, for people
    Table,
    /// The lineage as SQLFlow JSON
    Json,
    /// One flow on each line, for spreadsheets and databases
    Csv,
    /// A diagram for yEd
    Graphml,
    /// A diagram for Graphviz
    Dot,
    /// A diagram for Markdown
    Mermaid,
    /// OpenLineage run events, one on each line
    Openlineage,
    /// A page for a browser
    Html,
    /// Tables for query engines: Parquet files in the directory of -o
    Parquet,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn help_fits_80_columns() {
        fn check(command: &mut clap::Command) {
            let help = command.render_long_help().to_string();
            for line in help.lines() {
                assert!(line.chars().count() <= 80, "{}: {line}", command.get_name());
            }
            command.get_subcommands_mut().for_each(check);
        }
        let mut command = Arguments::command();
        command.build();
        check(&mut command);
    }
}
