//! Checks the syntax of SQL files, for CI: prints `file:line:column: message` for each error, and exits with 1.
//!
//! ```text
//! check_syntax [--vendor NAME] [FILE...]
//! ```
//! Without a file, the SQL in `examples/sql` is checked.

mod server;

use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use lexopt::prelude::*;
use server::Outcome;
use sqlflow_client::{Client, Vendor};

#[tokio::main]
async fn main() -> ExitCode {
    match connected(lexopt::Parser::from_env()).await {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => server::report(Err(error)),
    }
}

/// Returns the number of errors in all files.
async fn connected(mut parser: lexopt::Parser) -> Outcome<usize> {
    let (mut vendor, mut files) = (Vendor::PostgreSql, Vec::new());
    while let Some(argument) = parser.next()? {
        match argument {
            Long("vendor") => vendor = parser.value()?.parse()?,
            Value(path) => files.push(PathBuf::from(path)),
            other => return Err(other.unexpected().into()),
        }
    }
    if files.is_empty() {
        files = std::fs::read_dir(server::SQL)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    }
    let (sqlflow, _emulator) = server::connect().await?;
    run(&sqlflow, &vendor, &files, &mut stdout()).await
}

async fn run(sqlflow: &Client, vendor: &Vendor, files: &[PathBuf], out: &mut impl Write) -> Outcome<usize> {
    let mut count = 0;
    for file in files {
        let sql = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let check = sqlflow.check_syntax(vendor.clone(), sql).await?;
        for error in &check.errors {
            writeln!(out, "{}:{error}", file.display())?;
        }
        count += check.errors.len();
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_error_is_printed_with_its_file_and_its_position() {
        let (sqlflow, _emulator) = server::emulated().await.unwrap();
        let home = tempfile::tempdir().unwrap();
        let files = ["good.sql", "bad.sql"].map(|name| home.path().join(name));
        std::fs::write(&files[0], "select 1;").unwrap();
        std::fs::write(&files[1], "select 1;\nselekt 2;").unwrap();
        let mut out = Vec::new();
        let count = run(&sqlflow, &Vendor::PostgreSql, &files, &mut out).await.unwrap();
        let out = String::from_utf8(out).unwrap();
        assert_eq!((count, out.lines().count()), (1, 1), "{out}");
        assert!(out.contains("bad.sql:2:1: "), "{out}");
    }
}
