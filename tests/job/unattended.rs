//! Situations in scripts that run unattended: deadlines, expired tokens, dropped futures.

use std::time::Duration;

use sqlflow_client::{Client, ErrorKind, Vendor};

use super::{configured, requests_to, sqlflow};

const SQL: &str = "create view v as select a from t";

#[tokio::test]
async fn a_job_continues_after_the_deadline_of_a_wait() {
    let (sqlflow, _emulator) = configured(|builder| builder.time_in_process(Duration::from_millis(600))).await;
    let job = sqlflow.submit(Vendor::PostgreSql).sql("a.sql", SQL).await.unwrap();
    let error = job.wait().deadline(Duration::from_millis(20)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Deadline);
    assert!(error.to_string().contains("still running"), "{error}");
    let again = sqlflow.job(error.job_id().unwrap().clone());
    assert!(again.wait().await.unwrap().info().status.has_result());
}

#[tokio::test]
async fn a_dropped_watch_does_not_affect_the_job() {
    let (sqlflow, emulator) = sqlflow().await;
    let job = sqlflow.submit(Vendor::PostgreSql).sql("a.sql", SQL).await.unwrap();
    let mut watch = job.watch();
    watch.try_next().await.unwrap();
    drop(watch);
    drop(job.wait().into_future());
    job.wait().await.unwrap();
    assert_eq!(emulator.jobs().len(), 1);
}

#[tokio::test]
async fn a_token_that_expires_during_a_wait_is_renewed() {
    let lifetime = Duration::from_secs(1);
    let (sqlflow, emulator) =
        configured(|builder| builder.token_lifetime(lifetime).time_in_process(Duration::from_millis(1200))).await;
    let job = sqlflow.submit(Vendor::PostgreSql).sql("a.sql", SQL).await.unwrap();
    job.wait().await.unwrap();
    assert!(requests_to(&emulator, "generateToken") >= 2);
}

#[tokio::test]
async fn many_tasks_share_one_token() {
    let (sqlflow, emulator) = sqlflow().await;
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let sqlflow = sqlflow.clone();
            tokio::spawn(async move { sqlflow.jobs().await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(requests_to(&emulator, "generateToken"), 1);
}

#[tokio::test]
async fn the_environment_sets_the_server_and_the_credentials() {
    const USER: &str = "of the environment";
    if std::env::var("SQLFLOW_USER_ID").as_deref() == Ok(USER) {
        // This is the child process that was started below.
        Client::from_env().unwrap().jobs().await.unwrap();
        return;
    }
    let (_, emulator) = configured(|builder| builder.account(USER, "its key")).await;
    let mut same_test = std::process::Command::new(std::env::current_exe().unwrap());
    same_test.args(["--exact", "unattended::the_environment_sets_the_server_and_the_credentials"]).envs([
        ("SQLFLOW_URL", emulator.url().as_str()),
        ("SQLFLOW_USER_ID", USER),
        ("SQLFLOW_SECRET_KEY", "its key"),
    ]);
    let output = tokio::task::spawn_blocking(move || same_test.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(requests_to(&emulator, "displayUserJobsSummary"), 1);
}
