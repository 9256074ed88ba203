//! Resumes a job after the program that submitted it has ended: the id of the job is kept in a file.
//!
//! ```text
//! resume [FILE]
//! ```
//! If the file (`job.json` by default) does not exist, the example submits a job, saves its id, and ends before the job
//! does, as a program that is killed would. The next run finds the id, attaches to the job and waits for its end. If
//! the example uses an emulator, which ends with the program, it does both in one run.

mod server;

use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use sqlflow_client::{Client, ErrorKind, JobId, Vendor};

use server::Outcome;

#[tokio::main]
async fn main() -> ExitCode {
    let file = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("job.json"), PathBuf::from);
    server::report(run(&file, &mut stdout()).await)
}

async fn run(file: &Path, out: &mut impl Write) -> Outcome {
    let (sqlflow, emulator) = server::connect().await?;
    if file.exists() {
        return resume(&sqlflow, file, out).await;
    }
    submit(&sqlflow, file, out).await?;
    if emulator.is_some() { resume(&sqlflow, file, out).await } else { Ok(()) }
}

/// Submits a job, saves its id, and does not wait for its end.
async fn submit(sqlflow: &Client, file: &Path, out: &mut impl Write) -> Outcome {
    let job = sqlflow.submit(Vendor::PostgreSql).path(server::SQL).await?;
    std::fs::write(file, serde_json::to_string(job.id())?)?;
    match job.wait().deadline(Duration::from_millis(1)).await {
        Ok(_) => writeln!(out, "job {} is done already", job.id())?,
        Err(error) if error.kind() == ErrorKind::Deadline => writeln!(out, "{error}")?,
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Attaches to the job whose id was saved, and waits for its end.
async fn resume(sqlflow: &Client, file: &Path, out: &mut impl Write) -> Outcome {
    let id: JobId = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    let done = sqlflow.job(id).wait().await?;
    let lineage = done.lineage().await?;
    writeln!(
        out,
        "job {} ended as {}: {} relationships",
        done.id(),
        done.info().status,
        lineage.relationships().len()
    )?;
    std::fs::remove_file(file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_job_is_resumed_by_its_id() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("job.json");
        let (sqlflow, _emulator) = server::emulated().await.unwrap();
        let mut out = Vec::new();
        submit(&sqlflow, &file, &mut out).await.unwrap();
        resume(&sqlflow, &file, &mut out).await.unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(out.contains("is still running") && out.contains("ended as success"), "{out}");
        assert!(!file.exists());
    }
}
