//! Impact analysis: says what a change of a column would break.

use sqlflow_client::{Client, Vendor};

use crate::{Outcome, SQL, emulated};

async fn impact(sqlflow: &Client, table: &str, column: &str) -> Outcome<String> {
    let job = sqlflow.submit(Vendor::PostgreSql).path(SQL).for_impact().send().await?;
    let lineage = job.wait().await?.lineage().await?;
    Ok(lineage.column(table, column)?.impact().to_string())
}

#[tokio::test]
async fn a_report_depends_on_the_totals() -> Outcome {
    let (sqlflow, _emulator) = emulated(|it| it).await?;
    let impact = impact(&sqlflow, "staging.order_totals", "total").await?;
    assert!(impact.contains("report.customer_revenue"), "{impact}");
    Ok(())
}
