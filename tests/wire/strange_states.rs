//! A job that the server has accepted exists, even while the server does not know it yet.

use std::time::Duration;

use futures_util::future::try_join_all;
use serde_json::json;
use sqlflow_client::job::Settling;
use sqlflow_client::{ErrorKind, JobId, Vendor};

use crate::TestResult;
use crate::strange_server::{Settings, StrangeServer, ok, status};

/// The responses of servers about a job that they do not know.
const UNKNOWN: [fn() -> String; 9] = [
    || ok(&json!({"code": 200, "data": {"total": 0, "jobDetails": []}})),
    || ok(&json!({"code": 200, "data": {"total": 0, "jobDetails": null}})),
    || ok(&json!({"code": 200, "data": null})),
    || ok(&json!({"code": 200, "data": []})),
    || ok(&json!({"code": 200})),
    || ok(&json!({"code": 404, "error": "no such job"})),
    || ok(&json!({"code": 400, "error": "no such job"})),
    || status("404 Not Found"),
    || status("400 Bad Request"),
];

fn lagging(milliseconds: u64, unknown: fn() -> String) -> Settings {
    Settings { lag: Duration::from_millis(milliseconds), unknown, ..Settings::default() }
}

#[tokio::test]
async fn a_wait_right_after_a_submission_outlasts_the_lag_of_the_server() -> TestResult {
    for unknown in UNKNOWN {
        let server = StrangeServer::start(lagging(60, unknown)).await?;
        let job = server.client().submit(Vendor::Oracle).sql("a.sql", "select 1").await?;
        let finished = job.wait().await.map_err(|error| format!("{error} after {}", unknown()))?;
        assert_eq!(finished.id(), job.id());
    }
    Ok(())
}

#[tokio::test]
async fn every_question_about_a_new_job_outlasts_the_lag_of_the_server() -> TestResult {
    for unknown in UNKNOWN {
        let server = StrangeServer::start(lagging(60, unknown)).await?;
        let job = server.client().submit(Vendor::Oracle).sql("a.sql", "select 1").await?;
        let info = job.info().await.map_err(|error| format!("{error} after {}", unknown()))?;
        assert_eq!(info.id, *job.id());
    }
    Ok(())
}

#[tokio::test]
async fn many_watches_outlast_the_lag_of_the_list_and_of_the_states() -> TestResult {
    for unknown in UNKNOWN {
        let server = StrangeServer::start(lagging(60, unknown)).await?;
        let client = server.client();
        let jobs = (0..7).map(|index| client.submit(Vendor::Oracle).sql(format!("{index}.sql"), "select 1").send());
        let jobs = try_join_all(jobs).await?;
        let finished = try_join_all(jobs.iter().map(|job| job.wait().send())).await;
        assert_eq!(finished.map_err(|error| format!("{error} after {}", unknown()))?.len(), 7);
    }
    Ok(())
}

#[tokio::test]
async fn a_job_that_the_server_still_does_not_know_after_the_window_is_gone() -> TestResult {
    let server = StrangeServer::start(lagging(3_600_000, UNKNOWN[0])).await?;
    let settling = Settling::new().window(Duration::from_millis(50));
    let client = server.builder().settling(settling).build()?;
    let job = client.submit(Vendor::Oracle).sql("a.sql", "select 1").await?;
    let error = job.wait().await.expect_err("it never comes");
    assert_eq!(error.kind(), ErrorKind::JobNotFound);
    assert!(error.to_string().contains("accepted it"), "{error}");
    Ok(())
}

#[tokio::test]
async fn an_id_that_was_not_just_submitted_gets_no_time() -> TestResult {
    let server = StrangeServer::start(lagging(3_600_000, UNKNOWN[0])).await?;
    let client = server.builder().settling(Settling::new().window(Duration::from_secs(3600))).build()?;
    let job = client.job(JobId::new("j9"));
    assert_eq!(job.wait().await.expect_err("there is none").kind(), ErrorKind::JobNotFound);
    assert_eq!(job.info().await.expect_err("there is none").kind(), ErrorKind::JobNotFound);
    Ok(())
}

#[tokio::test]
async fn a_job_that_was_deleted_gets_no_time() -> TestResult {
    let server = StrangeServer::start(Settings::default()).await?;
    let client = server.builder().settling(Settling::new().window(Duration::from_secs(3600))).build()?;
    let job = client.submit(Vendor::Oracle).sql("a.sql", "select 1").await?;
    job.delete().await?;
    server.become_another(lagging(3_600_000, UNKNOWN[0]));
    assert_eq!(job.info().await.expect_err("it was deleted").kind(), ErrorKind::JobNotFound);
    Ok(())
}
