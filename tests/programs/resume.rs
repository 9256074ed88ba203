//! Resuming after an interruption: the id of the job is all that has to survive.

use sqlflow_client::{Client, JobId, Vendor};

use crate::{Outcome, emulated};

/// Submits a job, stores its id, and is interrupted while it follows the job.
async fn interrupted(sqlflow: &Client) -> Outcome<String> {
    let job = sqlflow.submit(Vendor::PostgreSql).sql("a.sql", "create table t as select a from s").send().await?;
    let mut states = job.watch();
    states.try_next().await?;
    Ok(job.id().to_string())
}

async fn resumed(sqlflow: &Client, stored: &str) -> Outcome<usize> {
    let mut states = sqlflow.job(JobId::new(stored)).watch();
    while let Some(state) = states.try_next().await? {
        println!("{state}");
    }
    Ok(states.finish().await?.lineage().await?.column_flows().len())
}

#[tokio::test]
async fn the_job_is_followed_to_its_end_by_its_id() -> Outcome {
    let (sqlflow, _emulator) = emulated(|it| it).await?;
    let stored = interrupted(&sqlflow).await?;
    assert_eq!(resumed(&sqlflow, &stored).await?, 1);
    Ok(())
}
