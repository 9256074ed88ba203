//! The schedules of jobs: the requests that are sent, and their results.

use serde_json::json;
use sqlflow_client::{ErrorKind, Vendor};

use crate::TestResult;
use crate::mock::{SUBMIT_PERSIST, Server, answer, failure, state, success};
use crate::sent::fields;

const USER: (&str, &str) = ("userId", "gudu|0123456789");
const TOKEN: (&str, &str) = ("token", "token");
const LIST: &str = "/sqlflow/job/listScheduleJobs";
const PAUSE: &str = "/sqlflow/job/pauseScheduleJob";
const RESUME: &str = "/sqlflow/job/resumeScheduleJob";
const UPDATE: &str = "/sqlflow/job/updateScheduleJob";

#[tokio::test]
async fn scheduled_jobs_are_listed_in_every_shape() -> TestResult {
    let job = json!({"jobId": "j1", "schedulable": true});
    for data in [json!({"total": 1, "jobDetails": [job]}), json!([job]), job.clone()] {
        let server = Server::answering(LIST, success(data)).await;
        let list = server.client().scheduled_jobs().await?;
        assert_eq!((list.jobs.len(), list.jobs[0].schedulable), (1, Some(true)));
        assert_eq!(server.only().await.form(), fields([USER, TOKEN]));
    }
    for none in [json!(null), json!([]), json!({"total": 0, "jobDetails": null})] {
        let server = Server::answering(LIST, success(none)).await;
        assert!(server.client().scheduled_jobs().await?.jobs.is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn a_failure_to_list_schedules_names_the_operation() {
    for response in [failure(500, "boom"), answer(json!({"code": 200}))] {
        let server = Server::answering(LIST, response).await;
        let error = server.client().scheduled_jobs().await.unwrap_err();
        assert_eq!(error.operation(), Some("listScheduleJobs"), "{error}");
    }
}

#[tokio::test]
async fn a_schedule_is_paused_resumed_and_changed() -> TestResult {
    let server = Server::start().await;
    for operation in [PAUSE, RESUME, UPDATE] {
        server.on(operation, answer(json!({"code": 200}))).await;
    }
    let job = server.client().job("j1");
    job.pause_schedule().await?;
    job.resume_schedule().await?;
    job.reschedule("0 1 * * *").await?;
    let sent = server.sent().await;
    assert_eq!(sent[0].form(), fields([USER, TOKEN, ("jobId", "j1")]));
    assert_eq!(sent[1].form(), fields([USER, TOKEN, ("jobId", "j1")]));
    let mut update = sent[2].form();
    let mut expected = fields([USER, TOKEN, ("jobId", "j1"), ("cronExpression", "0 1 * * *")]);
    update.sort();
    expected.sort();
    assert_eq!(update, expected);
    Ok(())
}

#[tokio::test]
async fn an_unknown_job_is_not_found_by_its_schedule() {
    let server = Server::answering(PAUSE, failure(404, "no such job")).await;
    let job = server.client().job("j1");
    let error = job.pause_schedule().await.unwrap_err();
    assert_eq!((error.kind(), error.job_id()), (ErrorKind::JobNotFound, Some(job.id())));
}

#[tokio::test]
async fn a_cron_expression_that_no_server_accepts_is_not_sent() {
    let server = Server::answering(SUBMIT_PERSIST, state("create")).await;
    let sqlflow = server.client();
    let error = sqlflow.job("j1").reschedule("0 25 * * *").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("cron_expression"), "{error}");
    let submit = sqlflow.submit_persist(Vendor::Oracle).sql("a.sql", "select 1").schedulable(true);
    let error = submit.cron_expression("0 1 * *").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("4 fields"), "{error}");
    assert!(server.sent().await.is_empty());
}
