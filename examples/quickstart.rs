//! Submits SQL, follows the job, and prints the flow from column to column.
//!
//! ```text
//! quickstart [--vendor NAME] [PATH…]
//! ```
//! Paths are SQL files, zip archives of them, or directories. By default, the SQL in `examples/sql` is submitted. The
//! server is the one at `SQLFLOW_URL`, with the credentials from the environment, or an emulator if it is not set.

mod server;

use std::collections::BTreeSet;
use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use lexopt::prelude::*;
use sqlflow_client::{Client, Vendor};

use server::Outcome;

struct Arguments {
    vendor: Vendor,
    paths: Vec<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    server::report(match arguments(lexopt::Parser::from_env()) {
        Ok(arguments) => connected(arguments).await,
        Err(error) => Err(error),
    })
}

fn arguments(mut parser: lexopt::Parser) -> Outcome<Arguments> {
    let mut arguments = Arguments { vendor: Vendor::PostgreSql, paths: Vec::new() };
    while let Some(argument) = parser.next()? {
        match argument {
            Long("vendor") => arguments.vendor = parser.value()?.string()?.parse()?,
            Value(path) => arguments.paths.push(path.into()),
            other => return Err(format!("{}\nusage: quickstart [--vendor NAME] [PATH…]", other.unexpected()).into()),
        }
    }
    if arguments.paths.is_empty() {
        arguments.paths.push(server::SQL.into());
    }
    Ok(arguments)
}

async fn connected(arguments: Arguments) -> Outcome {
    let (sqlflow, _emulator) = server::connect().await?;
    run(&sqlflow, arguments, &mut stdout()).await
}

async fn run(sqlflow: &Client, arguments: Arguments, out: &mut impl Write) -> Outcome {
    let job = sqlflow.submit(arguments.vendor).paths(arguments.paths).await?;
    writeln!(out, "job {}", job.id())?;

    let mut states = job.watch();
    while let Some(state) = states.try_next().await? {
        writeln!(out, "  {:>6.1?} {state}", state.followed())?;
    }

    let done = job.wait().await?;
    let lineage = done.lineage().await?;
    // The job and its lineage report the same errors, so duplicates are removed.
    let warnings: BTreeSet<_> = done.warnings().chain(lineage.errors().map(|error| error.message())).collect();
    for warning in warnings {
        writeln!(out, "  warning: {warning}")?;
    }
    for flow in lineage.column_flows() {
        writeln!(out, "{flow}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use sqlflow_client::Credentials;
    use sqlflow_client::emulator::Emulator;

    use super::*;

    #[tokio::test]
    async fn the_states_of_the_job_are_printed_before_the_column_flows() {
        let (sqlflow, _emulator) = server::emulated().await.unwrap();
        let mut out = Vec::new();
        run(&sqlflow, arguments(lexopt::Parser::from_args::<[&str; 0]>([])).unwrap(), &mut out).await.unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(out.starts_with("job ") && out.contains(" create\n") && out.contains(" success\n"), "{out}");
        for flow in [
            "sales.orders.order_id → staging.order_totals.order_id",
            "sales.order_lines.unit_price → staging.order_totals.total",
            "staging.order_totals.total → report.customer_revenue.revenue",
            "report.customer_revenue.revenue → report.best_of_country.best_revenue",
        ] {
            assert!(out.lines().any(|line| line == flow), "{flow} is not in\n{out}");
        }
    }

    #[tokio::test]
    async fn the_column_flows_are_printed_even_if_the_server_draws_only_a_summary() {
        let emulator = Emulator::builder().relation_limit(Some(1)).start().await.unwrap();
        let sqlflow = Client::builder(emulator.url()).credentials(Credentials::on_premise()).build().unwrap();
        let mut out = Vec::new();
        run(&sqlflow, arguments(lexopt::Parser::from_args::<[&str; 0]>([])).unwrap(), &mut out).await.unwrap();
        let out = String::from_utf8(out).unwrap();
        let flow = "staging.order_totals.total → report.customer_revenue.revenue";
        assert!(out.lines().any(|line| line == flow), "{out}");
    }

    #[test]
    fn a_vendor_that_is_no_word_is_refused() {
        let parser = lexopt::Parser::from_args(["--vendor", "oracle 19"]);
        let Err(error) = arguments(parser) else { panic!("the vendor was accepted") };
        assert!(error.to_string().contains("oracle 19"), "{error}");
    }
}
