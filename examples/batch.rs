//! Runs the lineage of several scripts as a batch with a journal: run again after a crash, it continues where it was.
//!
//! The command `sqlflow batch` does this for manifests and directories; this example shows the calls in a program of your
//! own. Without `SQLFLOW_URL` it runs on an emulator.

mod server;

use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use sqlflow_client::job::ExportFormat;
use sqlflow_client::{Client, Vendor};

use server::Outcome;

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = async {
        let (sqlflow, _emulator) = server::connect().await?;
        let home = tempfile::tempdir()?;
        submit(&sqlflow, &scripts()?, home.path(), &mut stdout()).await
    };
    server::report(outcome.await)
}

fn scripts() -> std::io::Result<Vec<PathBuf>> {
    std::fs::read_dir(server::SQL)?.map(|entry| Ok(entry?.path())).collect()
}

/// Submits each script as a job, and writes its lineage and the journal to a directory.
async fn submit(sqlflow: &Client, scripts: &[PathBuf], home: &Path, out: &mut impl Write) -> Outcome {
    // The path is the key: the same path in a later run is the same job.
    let submissions: Vec<_> = scripts
        .iter()
        .map(|path| (path.display().to_string(), sqlflow.submit(Vendor::PostgreSql).path(path)))
        .collect();
    let batch = sqlflow.batch(home.join("batch.journal")).max_in_flight(8).export(ExportFormat::Csv, home);
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
    if failed == 0 { Ok(()) } else { Err(format!("{failed} submissions failed").into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_second_run_finds_all_scripts_done() {
        let home = tempfile::tempdir().unwrap();
        let (sqlflow, emulator) = server::emulated().await.unwrap();
        let scripts = scripts().unwrap();
        for expected in ["done, 1 files", "done before"] {
            let mut out = Vec::new();
            submit(&sqlflow, &scripts, home.path(), &mut out).await.unwrap();
            let out = String::from_utf8(out).unwrap();
            assert_eq!(out.matches(expected).count(), scripts.len(), "{out}");
            assert_eq!(emulator.jobs().len(), scripts.len());
        }
    }
}
