//! Many scripts, each a job of its own, with a journal: killed at any moment and run again, it goes on where it was.
//!
//! ```text
//! batch [--vendor NAME] [--journal FILE] [--out DIRECTORY] [--in-flight JOBS] [PATH…]
//! ```
//! Each path is a script or a directory, and becomes a job; by default those in `examples/sql`. The full lineage of
//! each goes to the directory (`lineage` by default) as JSON and as CSV. Without `SQLFLOW_URL` it runs on an emulator
//! of its own, which ends with it, and so does its journal.

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
    let mut order = Order::from(parser)?;
    let (sqlflow, emulator) = server::connect().await?;
    let home = tempfile::tempdir()?;
    if emulator.is_some() {
        order.journal = home.path().join("batch.journal");
    }
    submit(&sqlflow, order, out).await
}

struct Order {
    vendor: Vendor,
    journal: PathBuf,
    directory: PathBuf,
    in_flight: usize,
    scripts: Vec<PathBuf>,
}

impl Order {
    fn from(mut parser: lexopt::Parser) -> Outcome<Self> {
        let mut order = Self {
            vendor: Vendor::PostgreSql,
            journal: "batch.journal".into(),
            directory: "lineage".into(),
            in_flight: 8,
            scripts: Vec::new(),
        };
        while let Some(argument) = parser.next()? {
            match argument {
                Long("vendor") => order.vendor = parser.value()?.string()?.parse()?,
                Long("journal") => order.journal = parser.value()?.into(),
                Long("out") => order.directory = parser.value()?.into(),
                Long("in-flight") => order.in_flight = parser.value()?.parse()?,
                Value(path) => order.scripts.push(path.into()),
                other => return Err(other.unexpected().into()),
            }
        }
        if order.scripts.is_empty() {
            order.scripts = scripts_in(Path::new(server::SQL))?;
        }
        Ok(order)
    }
}

fn scripts_in(directory: &Path) -> Outcome<Vec<PathBuf>> {
    let entries = std::fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path()));
    let mut scripts = entries.collect::<Result<Vec<_>, _>>()?;
    scripts.sort();
    Ok(scripts)
}

async fn submit(sqlflow: &Client, order: Order, out: &mut impl Write) -> Outcome {
    // The path stands for the work: the same path in a later run is the same job.
    let (client, vendor) = (sqlflow.clone(), order.vendor);
    let submissions = order
        .scripts
        .into_iter()
        .map(move |path| (path.display().to_string(), client.submit(vendor.clone()).path(path)));
    let batch = sqlflow
        .batch(order.journal)
        .max_in_flight(order.in_flight)
        .export(ExportFormat::FullJson, &order.directory)
        .export(ExportFormat::Csv, &order.directory);
    let mut outcomes = batch.run(submissions);
    let mut failed = 0;
    while let Some(outcome) = outcomes.try_next().await? {
        match outcome.error() {
            Some(error) => {
                failed += 1;
                writeln!(out, "{}: {error}", outcome.key())?;
            }
            None if outcome.resumed() => writeln!(out, "{}: done before", outcome.key())?,
            None => writeln!(out, "{}: done, {} files", outcome.key(), outcome.files().len())?,
        }
    }
    if failed == 0 { Ok(()) } else { Err(format!("{failed} failed; run it again to go on").into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_second_run_finds_all_done() {
        let home = tempfile::tempdir().unwrap();
        let (sqlflow, emulator) = server::emulated().await.unwrap();
        let order = || {
            let (journal, directory) = (home.path().join("journal"), home.path().join("lineage"));
            let arguments = ["--journal".into(), journal.into_os_string(), "--out".into(), directory.into_os_string()];
            Order::from(lexopt::Parser::from_args(arguments)).unwrap()
        };
        let scripts = order().scripts.len();
        for expected in ["done, 2 files", "done before"] {
            let mut out = Vec::new();
            submit(&sqlflow, order(), &mut out).await.unwrap();
            let out = String::from_utf8(out).unwrap();
            assert_eq!(out.matches(expected).count(), scripts, "{out}");
            assert_eq!(emulator.jobs().len(), scripts);
        }
    }
}
