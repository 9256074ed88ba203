//! Delete, rerun, set on top: the requests that they send, and their results.

use serde_json::json;
use sqlflow_client::{Error, ErrorKind, JobId};
use wiremock::ResponseTemplate;

use crate::TestResult;
use crate::mock::{Server, answer, failure, page};
use crate::sent::{SentRequest, fields};

const USER: (&str, &str) = ("userId", "gudu|0123456789");
const TOKEN: (&str, &str) = ("token", "token");
const DELETE: &str = "/sqlflow/job/deleteUserJob";
const RERUN: &str = "/sqlflow/job/rerunJob";
const ON_TOP: &str = "/sqlflow/job/setJobOnTop";

/// Starts a server that reports success for one operation in the shortest possible form.
async fn agreeing(operation: &str) -> Server {
    Server::answering(operation, answer(json!({"code": 200}))).await
}

#[tokio::test]
async fn delete_sends_the_job() -> TestResult {
    let server = agreeing(DELETE).await;
    server.client().job("j1").delete().await?;
    assert_eq!(server.only().await.form(), fields([USER, TOKEN, ("jobId", "j1")]));
    Ok(())
}

#[tokio::test]
async fn rerun_sends_the_job() -> TestResult {
    let server = agreeing(RERUN).await;
    server.client().job("j1").rerun().await?;
    assert_eq!(server.only().await.form(), fields([USER, TOKEN, ("jobId", "j1")]));
    Ok(())
}

#[tokio::test]
async fn set_on_top_sends_the_job_and_the_new_value() -> TestResult {
    let server = agreeing(ON_TOP).await;
    let job = server.client().job("j1");
    job.set_on_top(true).await?;
    job.set_on_top(false).await?;
    let sent: Vec<_> = server.sent().await.iter().map(SentRequest::form).collect();
    let expected = |on_top| fields([USER, TOKEN, ("jobId", "j1"), ("onTop", on_top)]);
    assert_eq!(sent, [expected("true"), expected("false")]);
    Ok(())
}

#[tokio::test]
async fn a_success_may_contain_any_data() -> TestResult {
    for data in [json!(null), json!(""), json!("deleted"), json!({"jobId": "j1"}), json!(true)] {
        let server = Server::answering(DELETE, answer(json!({"code": 200, "data": data}))).await;
        server.client().job("j1").delete().await?;
    }
    Ok(())
}

/// Returns the errors of all three calls when they get this response.
async fn errors(answer: ResponseTemplate) -> [Error; 3] {
    let server = Server::start().await;
    server.everywhere(answer).await;
    let job = server.client().job("j1");
    [
        job.delete().await.expect_err("delete fails"),
        job.rerun().await.expect_err("rerun fails"),
        job.set_on_top(true).await.expect_err("set on top fails"),
    ]
}

const OPERATIONS: [&str; 3] = ["deleteUserJob", "rerunJob", "setJobOnTop"];

fn named_job(error: &Error) -> Option<&str> {
    error.job_id().map(JobId::as_str)
}

#[tokio::test]
async fn a_failure_names_the_job() {
    for error in errors(failure(400, "no such job")).await {
        assert_eq!((error.kind(), named_job(&error)), (ErrorKind::Rejected, Some("j1")), "{error:?}");
    }
}

#[tokio::test]
async fn a_missing_job_is_reported_as_not_found() {
    for (error, operation) in errors(failure(404, "no such job")).await.iter().zip(OPERATIONS) {
        assert_eq!((error.kind(), error.code(), named_job(error)), (ErrorKind::JobNotFound, Some(404), Some("j1")));
        assert_eq!(error.operation(), Some(operation));
    }
    for error in errors(page(404, "")).await {
        assert_eq!((error.kind(), error.status()), (ErrorKind::Rejected, Some(404)), "{error:?}");
    }
}

#[tokio::test]
async fn a_failure_names_the_operation() {
    let errors = errors(failure(400, "no such job")).await;
    assert_eq!(errors.each_ref().map(|error| error.operation().unwrap_or_default()), OPERATIONS);
}

#[tokio::test]
async fn a_failure_of_http_names_the_job() {
    for error in errors(page(502, "<html>")).await {
        assert_eq!((error.kind(), named_job(&error)), (ErrorKind::Server, Some("j1")), "{error:?}");
    }
}

#[tokio::test]
async fn a_failure_of_http_names_the_operation() {
    let errors = errors(page(502, "<html>")).await;
    assert_eq!(errors.each_ref().map(|error| error.operation().unwrap_or_default()), OPERATIONS);
}
