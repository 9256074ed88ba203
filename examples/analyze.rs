//! Analyzes one SQL file, or standard input, without a job, and answers questions about it.
//!
//! ```text
//! analyze [--vendor NAME] [--column TABLE.COLUMN] [FILE]
//! ```
//! It prints all flows between columns or, with a column, where its values come from and what depends on it.

mod server;

use std::io::{Read as _, Write, stdin, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use lexopt::prelude::*;
use server::Outcome;
use sqlflow_client::{Client, Vendor};

struct Arguments {
    vendor: Vendor,
    column: Option<String>,
    file: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    server::report(connected(lexopt::Parser::from_env()).await)
}

async fn connected(mut parser: lexopt::Parser) -> Outcome {
    let mut arguments = Arguments { vendor: Vendor::PostgreSql, column: None, file: None };
    while let Some(argument) = parser.next()? {
        match argument {
            Long("vendor") => arguments.vendor = parser.value()?.parse()?,
            Long("column") => arguments.column = Some(parser.value()?.string()?),
            Value(path) => arguments.file = Some(path.into()),
            other => return Err(other.unexpected().into()),
        }
    }
    let (sqlflow, _emulator) = server::connect().await?;
    run(&sqlflow, arguments, &mut stdout()).await
}

async fn run(sqlflow: &Client, arguments: Arguments, out: &mut impl Write) -> Outcome {
    let analysis = sqlflow.analyze(arguments.vendor).for_impact();
    let analysis = match arguments.file {
        Some(path) => analysis.path(path),
        None => analysis.sql(std::io::read_to_string(stdin().take(1 << 20))?),
    };
    let lineage = analysis.await?;
    let Some((table, column)) = arguments.column.as_deref().and_then(|name| name.rsplit_once('.')) else {
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
            let arguments =
                Arguments { vendor: Vendor::PostgreSql, column: column.map(str::to_owned), file: Some(file.clone()) };
            let mut out = Vec::new();
            run(&sqlflow, arguments, &mut out).await.unwrap();
            let out = String::from_utf8(out).unwrap();
            assert!(out.contains(expected), "{out}");
        }
    }
}
