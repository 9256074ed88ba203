//! A test of a program against a server that fails: the response to the first submission is lost.

use std::time::Duration;

use sqlflow_client::emulator::Fault;
use sqlflow_client::{Client, JobId, Vendor};

use crate::{Outcome, emulated};

/// The program under test.
async fn program(sqlflow: &Client) -> Outcome<JobId> {
    let job = sqlflow.submit(Vendor::PostgreSql).sql("a.sql", "create table t as select a from s").send().await?;
    Ok(job.wait().deadline(Duration::from_secs(60)).await?.id().clone())
}

#[tokio::test]
async fn a_lost_response_makes_no_second_job() -> Outcome {
    let lost = Fault::lose_response().on("submitUserJob").times(1);
    let (sqlflow, emulator) = emulated(|it| it.fault(lost)).await?;
    let id = program(&sqlflow).await?;
    let jobs = emulator.jobs();
    assert_eq!(jobs.iter().map(|job| job.id.as_str()).collect::<Vec<_>>(), [id.as_str()]);
    Ok(())
}
