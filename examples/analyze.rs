//! Analyzes one SQL file, or standard input (`-`), without a job, and answers questions about it.
//!
//! ```text
//! analyze [--vendor NAME] [--column TABLE.COLUMN] [FILE]
//! ```
//! Prints all flows between columns or, with a column, the sources of its values and everything that depends on it.

mod server;

use std::io::{Write, read_to_string, stdin, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use lexopt::prelude::*;
use server::Outcome;
use sqlflow_client::Vendor;
use sqlflow_client::analysis::Analyze;

#[tokio::main]
async fn main() -> ExitCode {
    server::report(connected(lexopt::Parser::from_env()).await)
}

async fn connected(mut parser: lexopt::Parser) -> Outcome {
    let mut file = PathBuf::from(server::SQL).join("3_report.sql");
    let (mut vendor, mut column) = (Vendor::PostgreSql, None);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("vendor") => vendor = parser.value()?.parse()?,
            Long("column") => column = Some(parser.value()?.string()?),
            Value(path) => file = path.into(),
            other => return Err(other.unexpected().into()),
        }
    }
    let (sqlflow, _emulator) = server::connect().await?;
    run(sqlflow.analyze(vendor), file, column, &mut stdout()).await
}

async fn run(analysis: Analyze, file: PathBuf, column: Option<String>, out: &mut impl Write) -> Outcome {
    let is_stdin = file.as_os_str() == "-";
    let analysis = if is_stdin { analysis.sql(read_to_string(stdin())?) } else { analysis.path(file) };
    let lineage = analysis.for_impact().await?;
    let Some((table, column)) = column.as_deref().and_then(|name| name.rsplit_once('.')) else {
        for flow in lineage.column_flows() {
            writeln!(out, "{flow}")?;
        }
        return Ok(());
    };
    let column = lineage.column(table, column)?;
    for source in column.upstream().ultimate().to_vec() {
        writeln!(out, "comes from {}", source.qualified_name())?;
    }
    writeln!(out, "{}", column.impact())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_analyzed_and_its_columns_are_explained() {
        let (sqlflow, _emulator) = server::emulated().await.unwrap();
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("etl.sql");
        std::fs::write(&file, "create table o (total int); create view r as select total as amount from o;").unwrap();
        for (column, expected) in [(None, "o.total → r.amount"), (Some("r.amount"), "comes from o.total")] {
            let column = column.map(str::to_owned);
            let mut out = Vec::new();
            run(sqlflow.analyze(Vendor::PostgreSql), file.clone(), column, &mut out).await.unwrap();
            let out = String::from_utf8(out).unwrap();
            assert!(out.contains(expected), "{out}");
        }
    }
}
