//! A dashboard: counts the jobs of a user by their status, without holding the list in memory.

use std::collections::BTreeMap;

use sqlflow_client::{Client, Vendor};

use crate::{Outcome, emulated};

async fn by_status(sqlflow: &Client) -> Outcome<BTreeMap<String, u32>> {
    let (mut counts, mut jobs) = (BTreeMap::new(), sqlflow.jobs().stream());
    while let Some(job) = jobs.try_next().await? {
        *counts.entry(job.status.to_string()).or_default() += 1;
    }
    Ok(counts)
}

#[tokio::test]
async fn finished_and_failed_jobs_are_counted() -> Outcome {
    let (sqlflow, _emulator) = emulated(|it| it).await?;
    for sql in ["create table t as select a from s", "create table u as select b from s", "no sql at all"] {
        let job = sqlflow.submit(Vendor::PostgreSql).sql("a.sql", sql).send().await?;
        // The third one fails, which is what is counted here.
        drop(job.wait().await);
    }
    assert_eq!(by_status(&sqlflow).await?, BTreeMap::from([("fail".to_owned(), 1), ("success".to_owned(), 2)]));
    Ok(())
}
