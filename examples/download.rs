//! Downloads every export of a job, each to a file that appears complete or not at all.
//!
//! ```text
//! download [--job ID] [--out DIRECTORY]
//! ```
//! Without a job, the SQL in `examples/sql` is submitted first.

mod server;

use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use lexopt::prelude::*;
use sqlflow_client::{Client, JobId, Vendor};

use server::Outcome;

struct Arguments {
    job: Option<JobId>,
    out: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    server::report(match arguments(lexopt::Parser::from_env()) {
        Ok(arguments) => connected(arguments).await,
        Err(error) => Err(error),
    })
}

fn arguments(mut parser: lexopt::Parser) -> Outcome<Arguments> {
    let mut arguments = Arguments { job: None, out: PathBuf::from(".") };
    while let Some(argument) = parser.next()? {
        match argument {
            Long("job") => arguments.job = Some(JobId::new(parser.value()?.string()?)),
            Long("out") => arguments.out = parser.value()?.into(),
            other => return Err(format!("{}\nusage: download [--job ID] [--out DIRECTORY]", other.unexpected()).into()),
        }
    }
    Ok(arguments)
}

async fn connected(arguments: Arguments) -> Outcome {
    let (sqlflow, _emulator) = server::connect().await?;
    run(&sqlflow, arguments, &mut stdout()).await
}

async fn run(sqlflow: &Client, arguments: Arguments, out: &mut impl Write) -> Outcome {
    let job = match arguments.job {
        Some(id) => sqlflow.job(id),
        None => sqlflow.submit(Vendor::PostgreSql).path(server::SQL).await?,
    };
    let done = job.wait().await?;
    let job = done.job();
    std::fs::create_dir_all(&arguments.out)?;

    let path = |name: &str| arguments.out.join(name);
    let lengths = [
        ("lineage.json", job.export_lineage_as_json().simple_output(true).to_file(path("lineage.json")).await?),
        ("full.json", job.export_full_lineage_as_json().to_file(path("full.json")).await?),
        ("lineage.csv", job.export_full_lineage_as_csv().to_file(path("lineage.csv")).await?),
        ("lineage.graphml", job.export_lineage_as_graphml().to_file(path("lineage.graphml")).await?),
    ];
    for (name, length) in lengths {
        writeln!(out, "{length:>8} bytes {}", path(name).display())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_export_is_written_to_a_file() {
        let home = tempfile::tempdir().unwrap();
        let (sqlflow, _emulator) = server::emulated().await.unwrap();
        let mut out = Vec::new();
        run(&sqlflow, Arguments { job: None, out: home.path().join("new") }, &mut out).await.unwrap();
        let read = |name: &str| std::fs::read_to_string(home.path().join("new").join(name)).unwrap();
        sqlflow_client::Lineage::from_slice(read("lineage.json").as_bytes()).unwrap();
        sqlflow_client::Lineage::from_slice(read("full.json").as_bytes()).unwrap();
        assert!(read("lineage.csv").starts_with("source_db,source_schema,source_table,source_column,target_db,"));
        assert!(read("lineage.graphml").contains("<graphml"));
        assert_eq!(String::from_utf8(out).unwrap().lines().count(), 4);
    }
}
