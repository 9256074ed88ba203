//! An OpenLineage sender: passes the lineage of a job on as one event per line.

use std::io::Write;

use sqlflow_client::{Client, Vendor};

use crate::{Outcome, SQL, emulated};

async fn send(sqlflow: &Client, out: &mut impl Write) -> Outcome {
    let job = sqlflow.submit(Vendor::PostgreSql).path(SQL).for_impact().send().await?;
    let lineage = job.wait().await?.lineage().await?;
    let events = lineage.openlineage().namespace("postgres://db:5432").job_namespace("warehouse").job_name("nightly");
    Ok(events.write(out)?)
}

#[tokio::test]
async fn each_table_that_is_written_is_one_event() -> Outcome {
    let (sqlflow, _emulator) = emulated(|it| it).await?;
    let mut lines = Vec::new();
    send(&sqlflow, &mut lines).await?;
    let lines = String::from_utf8(lines)?;
    assert!(lines.lines().count() > 1 && lines.contains("\"name\":\"report.customer_revenue\""), "{lines}");
    for line in lines.lines() {
        assert_eq!(serde_json::from_str::<serde_json::Value>(line)?["eventType"], "COMPLETE");
    }
    Ok(())
}
