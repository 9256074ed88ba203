//! Waiting for many jobs at the same time.

use std::time::Duration;

use futures_util::future::try_join_all;
use sqlflow_client::job::JobStatus;
use sqlflow_client::{ErrorKind, Vendor};

use super::{configured, requests_to, sqlflow};

const SQL: &str = "create view v as select a from t";

#[tokio::test]
async fn fifty_jobs_are_waited_for_with_few_requests() {
    let (sqlflow, emulator) = configured(|builder| builder.time_in_process(Duration::from_millis(500))).await;
    let submits = (0..50).map(|_| sqlflow.submit(Vendor::PostgreSql).sql("a.sql", SQL).into_future());
    let jobs = try_join_all(submits).await.unwrap();
    // Each wait has its own clone of the job, as separate tasks would.
    let waits = jobs.iter().map(|job| sqlflow.clone().job(job.id().clone()).wait().into_future());
    let done = try_join_all(waits).await.unwrap();
    assert!(done.iter().zip(&jobs).all(|(done, job)| done.id() == job.id()));
    assert!(done.iter().all(|done| done.info().status == JobStatus::Success));
    let (lists, asks) =
        (requests_to(&emulator, "displayUserJobsSummary"), requests_to(&emulator, "displayUserJobSummary"));
    assert!((2..200).contains(&lists), "{lists}");
    assert!(asks <= 20, "{asks}");
}

#[tokio::test]
async fn a_job_deleted_while_many_are_watched_is_not_found_and_the_others_continue() {
    let (sqlflow, _emulator) = configured(|builder| builder.time_in_process(Duration::from_millis(300))).await;
    let submits = (0..10).map(|_| sqlflow.submit(Vendor::PostgreSql).sql("a.sql", SQL).into_future());
    let jobs = try_join_all(submits).await.unwrap();
    let (deleted, others) = jobs.split_first().unwrap();
    let waits = try_join_all(others.iter().map(|job| job.wait().into_future()));
    let (error, others, ()) = tokio::join!(deleted.wait().into_future(), waits, async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        deleted.delete().await.unwrap();
    });
    let error = error.unwrap_err();
    assert_eq!((error.kind(), error.job_id()), (ErrorKind::JobNotFound, Some(deleted.id())));
    assert!(error.to_string().contains("is gone"), "{error}");
    assert_eq!(others.unwrap().len(), 9);
}

#[tokio::test]
async fn a_few_jobs_are_polled_one_by_one() {
    let (sqlflow, emulator) = sqlflow().await;
    let submits = (0..4).map(|_| sqlflow.submit(Vendor::PostgreSql).sql("a.sql", SQL).into_future());
    let jobs = try_join_all(submits).await.unwrap();
    try_join_all(jobs.iter().map(|job| job.wait().into_future())).await.unwrap();
    assert_eq!(requests_to(&emulator, "displayUserJobsSummary"), 0);
}
