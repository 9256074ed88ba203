//! Direct analysis: checks a script, and shows its lineage without a job.

use sqlflow_client::{Client, Vendor};

use crate::{Outcome, emulated};

async fn explain(sqlflow: &Client, sql: &str) -> Outcome<Vec<String>> {
    let check = sqlflow.check_syntax(Vendor::PostgreSql, sql).await?;
    if !check.is_ok() {
        return Ok(check.errors.iter().map(ToString::to_string).collect());
    }
    let lineage = sqlflow.analyze(Vendor::PostgreSql).sql(sql).send().await?;
    Ok(lineage.column_flows().iter().map(ToString::to_string).collect())
}

#[tokio::test]
async fn flows_are_shown_and_errors_have_their_place() -> Outcome {
    let (sqlflow, emulator) = emulated(|it| it).await?;
    assert_eq!(explain(&sqlflow, "create table t as select a from s").await?, ["s.a → t.a"]);
    let errors = explain(&sqlflow, "select a from s;\nselec a from s").await?;
    assert!(errors[0].starts_with("2:"), "{errors:?}");
    assert!(emulator.jobs().is_empty());
    Ok(())
}
