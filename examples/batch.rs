//! Submits many scripts, each as a job, with a journal: if it is killed and run again, it continues where it was.
//!
//! ```text
//! batch [--vendor NAME] [--journal FILE] [--out DIRECTORY] [--in-flight JOBS] [PATH…]
//! ```
//! Each path is a script or a directory, and becomes a job. By default, the scripts in `examples/sql` are submitted. The
//! full lineage of each job is written to the directory (`lineage` by default) as JSON and as CSV. If `SQLFLOW_URL` is
//! not set, the example starts an emulator, which ends with the example, and so does the journal.

mod server;

use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lexopt::prelude::*;
use sqlflow_client::job::ExportFormat;
use sqlflow_client::{Client, Vendor};

use server::Outcome;

#[tokio::main]
async fn main() -> ExitCode {
    server::report(run(lexopt::Parser::from_env(), &mut stdout()).await)
}

async fn run(parser: lexopt::Parser, out: &mut impl Write) -> Outcome {
    let mut arguments = Arguments::from(parser)?;
    let (sqlflow, emulator) = server::connect().await?;
    let home = tempfile::tempdir()?;
    if emulator.is_some() {
        arguments.journal = home.path().join("batch.journal");
    }
    submit(&sqlflow, arguments, out).await
}

struct Arguments {
    vendor: Vendor,
    journal: PathBuf,
    directory: PathBuf,
    in_flight: usize,
    scripts: Vec<PathBuf>,
}

impl Arguments {
    fn from(mut parser: lexopt::Parser) -> Outcome<Self> {
        let mut arguments = Self {
            vendor: Vendor::PostgreSql,
            journal: "batch.journal".into(),
            directory: "lineage".into(),
            in_flight: 8,
            scripts: Vec::new(),
        };
        while let Some(argument) = parser.next()? {
            match argument {
                Long("vendor") => arguments.vendor = parser.value()?.string()?.parse()?,
                Long("journal") => arguments.journal = parser.value()?.into(),
                Long("out") => arguments.directory = parser.value()?.into(),
                Long("in-flight") => arguments.in_flight = parser.value()?.parse()?,
                Value(path) => arguments.scripts.push(path.into()),
                other => return Err(other.unexpected().into()),
            }
        }
        if arguments.scripts.is_empty() {
            arguments.scripts = scripts_in(Path::new(server::SQL))?;
        }
        Ok(arguments)
    }
}

fn scripts_in(directory: &Path) -> Outcome<Vec<PathBuf>> {
    let entries = std::fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path()));
    let mut scripts = entries.collect::<Result<Vec<_>, _>>()?;
    scripts.sort();
    Ok(scripts)
}

async fn submit(sqlflow: &Client, arguments: Arguments, out: &mut impl Write) -> Outcome {
    // The path is the key: the same path in a later run is the same job.
    let (client, vendor) = (sqlflow.clone(), arguments.vendor);
    let submissions = arguments
        .scripts
        .into_iter()
        .map(move |path| (path.display().to_string(), client.submit(vendor.clone()).path(path)));
    let batch = sqlflow
        .batch(arguments.journal)
        .max_in_flight(arguments.in_flight)
        .export(ExportFormat::FullJson, &arguments.directory)
        .export(ExportFormat::Csv, &arguments.directory);
    let mut outcomes = batch.run(submissions);
    let mut failed = 0;
    while let Some(outcome) = outcomes.try_next().await? {
        match outcome.error() {
            Some(error) => {
                failed += 1;
                writeln!(out, "{}: {error}", outcome.key())?;
            }
            None if outcome.was_done_before() => writeln!(out, "{}: done before", outcome.key())?,
            None => writeln!(out, "{}: done, {} files", outcome.key(), outcome.files().len())?,
        }
    }
    if failed == 0 {
        Ok(())
    } else {
        Err(format!("{failed} submissions failed: run the example again to continue").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_second_run_finds_all_scripts_done() {
        let home = tempfile::tempdir().unwrap();
        let (sqlflow, emulator) = server::emulated().await.unwrap();
        let arguments = || {
            let (journal, directory) = (home.path().join("journal"), home.path().join("lineage"));
            let list = ["--journal".into(), journal.into_os_string(), "--out".into(), directory.into_os_string()];
            Arguments::from(lexopt::Parser::from_args(list)).unwrap()
        };
        let scripts = arguments().scripts.len();
        for expected in ["done, 2 files", "done before"] {
            let mut out = Vec::new();
            submit(&sqlflow, arguments(), &mut out).await.unwrap();
            let out = String::from_utf8(out).unwrap();
            assert_eq!(out.matches(expected).count(), scripts, "{out}");
            assert_eq!(emulator.jobs().len(), scripts);
        }
    }
}
