//! Futures that a program spawns and joins, and the ends of watches and batches.

use futures_util::future::join_all;
use futures_util::stream;
use sqlflow_client::job::ExportFormat;
use sqlflow_client::{Client, ErrorKind, Job, JobStatus, Vendor};

use super::{requests_to, sqlflow};

const SQL: &str = "create view v as select x from t";

/// Compiles only if the futures of the public API can be spawned. It is not called.
#[allow(dead_code, reason = "compiling it is the test")]
fn every_future_can_be_spawned(sqlflow: &Client, job: &Job, finished: &sqlflow_client::job::FinishedJob) {
    fn spawnable<F: Future + Send + 'static>(_: F) {}
    spawnable(job.info());
    spawnable(job.lineage());
    spawnable(job.delete());
    spawnable(job.rerun());
    spawnable(job.set_on_top(true));
    spawnable(job.pause_schedule());
    spawnable(job.resume_schedule());
    spawnable(job.reschedule("0 1 * * *"));
    spawnable(job.wait().send());
    spawnable(job.wait().into_future());
    spawnable(job.watch().finish());
    spawnable(job.export_lineage_as_json().send());
    spawnable(job.export_full_lineage_as_json().send());
    spawnable(job.export_full_lineage_as_csv().send());
    spawnable(job.export_full_lineage_as_csv().stream());
    spawnable(job.export_full_lineage_as_csv().to_file("lineage.csv"));
    spawnable(job.export_lineage_as_graphml().bytes());
    spawnable(finished.lineage());
    spawnable(sqlflow.find_job("nightly"));
    spawnable(sqlflow.jobs().send());
    spawnable(sqlflow.jobs().into_future());
    spawnable(sqlflow.scheduled_jobs());
    spawnable(sqlflow.submit(Vendor::Oracle).send());
    spawnable(sqlflow.submit_persist(Vendor::Oracle).send());
    let mut run = sqlflow.batch("journal").run(Vec::<(String, _)>::new());
    spawnable(async move { run.try_next().await });
    let mut jobs = sqlflow.jobs().stream();
    spawnable(async move { jobs.try_next().await });
    let mut watch = job.watch();
    spawnable(async move { watch.try_next().await });
}

#[tokio::test]
async fn waits_are_joined_and_calls_of_a_job_are_spawned() {
    let (sqlflow, _emulator) = sqlflow().await;
    let submit = sqlflow.submit(Vendor::PostgreSql).sql("a.sql", SQL);
    let jobs: Vec<Job> =
        join_all(vec![submit.clone().send(), submit.send()]).await.into_iter().map(Result::unwrap).collect();
    let finished = join_all(jobs.iter().map(|job| job.wait().send())).await;
    assert!(finished.iter().all(Result::is_ok));
    let lineage = tokio::spawn(jobs[0].lineage()).await.unwrap().unwrap();
    assert_eq!(lineage.column_flows().len(), 1);
    // A wait is cloned to set something else.
    let wait = jobs[1].wait();
    assert_eq!(wait.clone().without_deadline().await.unwrap().id(), wait.await.unwrap().id());
}

#[tokio::test]
async fn a_watch_finishes_from_the_middle_and_after_its_end() {
    let (sqlflow, emulator) = sqlflow().await;
    let job = sqlflow.submit(Vendor::PostgreSql).sql("a.sql", SQL).await.unwrap();
    let mut states = job.watch();
    states.try_next().await.unwrap().unwrap();
    assert_eq!(states.finish().await.unwrap().info().status, JobStatus::Success);
    let mut states = job.watch();
    while states.try_next().await.unwrap().is_some() {}
    let before = emulator.requests().len();
    let finished = states.finish().await.unwrap();
    assert_eq!(emulator.requests().len(), before);
    assert_eq!(finished.lineage().await.unwrap().column_flows().len(), 1);
}

#[tokio::test]
async fn a_watch_that_ended_with_an_error_finishes_with_it() {
    let (sqlflow, _emulator) = sqlflow().await;
    let mut states = sqlflow.job("unknown").watch();
    let ended = states.try_next().await.unwrap_err();
    assert_eq!(ended.kind(), ErrorKind::JobNotFound);
    assert_eq!(states.finish().await.unwrap_err().to_string(), ended.to_string());
}

#[tokio::test]
async fn a_batch_takes_a_stream_of_submissions() {
    let (sqlflow, emulator) = sqlflow().await;
    let directory = tempfile::tempdir().unwrap();
    let client = sqlflow.clone();
    let submissions = stream::unfold(0, move |number| {
        let client = client.clone();
        async move {
            // A stream that is not ready holds nothing up.
            tokio::task::yield_now().await;
            let submit = client.submit(Vendor::PostgreSql).sql("a.sql", SQL);
            (number < 3).then(|| ((number.to_string(), submit), number + 1))
        }
    });
    let batch = sqlflow.batch(directory.path().join("journal")).export("csv".parse().unwrap(), directory.path());
    let mut run = batch.run_stream(submissions);
    let mut keys = Vec::new();
    while let Some(outcome) = run.try_next().await.unwrap() {
        keys.push(outcome.into_result().unwrap().key().to_owned());
    }
    keys.sort();
    assert_eq!(keys, ["0", "1", "2"]);
    assert_eq!(requests_to(&emulator, "submitUserJob"), 3);
    assert!(directory.path().join(format!("0.{}", ExportFormat::Csv)).exists());
}

#[tokio::test]
async fn the_outcome_of_a_failed_submission_is_its_error() {
    let (sqlflow, _emulator) = sqlflow().await;
    let directory = tempfile::tempdir().unwrap();
    let empty = sqlflow.submit(Vendor::PostgreSql);
    let mut run = sqlflow.batch(directory.path().join("journal")).run([("empty", empty)]);
    let error = run.try_next().await.unwrap().unwrap().into_result().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}
