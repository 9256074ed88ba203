//! Watching a job and waiting for its end.

use std::time::Duration;

use serde_json::json;
use sqlflow_client::job::{JobStatus, Polling};
use sqlflow_client::{ErrorKind, JobId, Vendor};
use wiremock::ResponseTemplate;

use crate::TestResult;
use crate::mock::{SUBMIT, SUMMARY, Server, failure, in_turn, page, state, success};
use crate::raw_server::RawServer;

/// A duration that exceeds any test and stands for *never*.
const FOREVER: Duration = Duration::from_secs(3600);

/// The time after which a test counts as hung.
const TOO_LONG: Duration = Duration::from_secs(10);

async fn server<const N: usize>(answers: [ResponseTemplate; N]) -> Server {
    Server::answering(SUMMARY, in_turn(answers)).await
}

/// Returns the statuses that a watch yields, as text, up to its end.
async fn watched(server: &Server) -> sqlflow_client::Result<Vec<String>> {
    let mut states = server.client().job("j1").watch();
    let mut seen = Vec::new();
    let watching = async {
        while let Some(state) = states.try_next().await? {
            seen.push(state.to_string());
        }
        Ok::<_, sqlflow_client::Error>(())
    };
    tokio::time::timeout(TOO_LONG, watching).await.expect("the watch ends")?;
    Ok(seen)
}

#[tokio::test]
async fn a_watch_yields_the_first_state_at_once() -> TestResult {
    let server = server([state("process")]).await;
    let client = server.builder().polling(Polling::every(FOREVER)).build()?;
    let mut states = client.job("j1").watch();
    let first = states.try_next().await?.ok_or("a state")?;
    assert_eq!(first.status(), &JobStatus::Running);
    assert_eq!(server.sent().await.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_watch_sends_nothing_before_it_is_polled() {
    let server = server([state("process")]).await;
    let _states = server.client().job("j1").watch();
    assert!(server.sent().await.is_empty());
}

#[tokio::test]
async fn a_watch_yields_each_state_once_and_ends_after_the_last() -> TestResult {
    let answers = [state("create"), state("create"), state("process"), state("process"), state("success")];
    let server = server(answers).await;
    assert_eq!(watched(&server).await?, ["create", "process", "success"]);
    assert_eq!(server.sent().await.len(), 5, "nothing is asked after the last state");
    Ok(())
}

#[tokio::test]
async fn a_watch_can_be_used_as_a_stream() -> TestResult {
    let server = server([state("process"), state("success")]).await;
    let states: Vec<_> = futures_util::TryStreamExt::try_collect(server.client().job("j1").watch()).await?;
    assert_eq!(states.len(), 2);
    Ok(())
}

#[tokio::test]
async fn both_forms_of_a_response_can_alternate() -> TestResult {
    let wrapped = success(json!({"total": 1, "jobDetails": [{"jobId": "j1", "status": "success"}]}));
    assert_eq!(watched(&server([state("create"), wrapped]).await).await?, ["create", "success"]);
    Ok(())
}

#[tokio::test]
async fn an_unknown_status_is_still_running_and_kept_as_its_text() -> TestResult {
    let server = server([state("queued"), state("waiting_for_slot"), state("SUCCESS?"), state("success")]).await;
    assert_eq!(watched(&server).await?, ["queued", "waiting_for_slot", "SUCCESS?", "success"]);
    Ok(())
}

#[tokio::test]
async fn a_job_without_a_status_is_still_running() -> TestResult {
    let silent = success(json!({"jobId": "j1"}));
    let null = success(json!({"jobId": "j1", "status": null}));
    let done = server([silent, null, state("success")]).await.client().job("j1").wait().await?;
    assert_eq!(done.info().status, JobStatus::Success);
    Ok(())
}

#[tokio::test]
async fn create_and_running_do_not_end_a_wait() -> TestResult {
    let server = server([state("create"), state("process"), state("success")]).await;
    server.client().job("j1").wait().await?;
    assert_eq!(server.sent().await.len(), 3);
    Ok(())
}

#[tokio::test]
async fn success_ends_a_wait() -> TestResult {
    let server = server([state("success")]).await;
    let done = server.client().job("j1").wait().await?;
    assert_eq!((done.id().as_str(), done.is_partial(), done.warnings().count()), ("j1", false, 0));
    Ok(())
}

#[tokio::test]
async fn partial_success_ends_a_wait_with_its_warnings() -> TestResult {
    let data = json!({"jobId": "j1", "status": "partial_success", "errorMessage": "a.sql: line 3\nb.sql: line 9"});
    let server = server([success(data)]).await;
    let done = server.client().job("j1").wait().await?;
    assert!(done.is_partial());
    assert_eq!(done.warnings().collect::<Vec<_>>(), ["a.sql: line 3", "b.sql: line 9"]);
    Ok(())
}

#[tokio::test]
async fn fail_ends_a_wait_with_the_message_of_the_job() {
    let data = json!({"jobId": "j1", "status": "fail", "errorMessage": "cannot parse etl.sql"});
    let server = server([state("process"), success(data)]).await;
    let error = server.client().job("j1").wait().await.expect_err("it failed");
    assert_eq!(error.kind(), ErrorKind::JobFailed);
    assert_eq!(error.job_id().map(JobId::as_str), Some("j1"));
    assert!(error.to_string().contains("j1 failed: cannot parse etl.sql"), "{error}");
}

#[tokio::test]
async fn fail_without_a_message_says_so() {
    let server = server([state("fail")]).await;
    let error = server.client().job("j1").wait().await.expect_err("it failed");
    assert!(error.to_string().contains("no reason"), "{error}");
}

#[tokio::test]
async fn fail_is_the_last_state_of_a_watch_and_not_an_error() -> TestResult {
    assert_eq!(watched(&server([state("process"), state("fail")]).await).await?, ["process", "fail"]);
    Ok(())
}

#[tokio::test]
async fn delete_ends_a_wait_as_not_found() {
    let server = server([state("process"), state("delete")]).await;
    let error = server.client().job("j1").wait().await.expect_err("it was deleted");
    assert_eq!(error.kind(), ErrorKind::JobNotFound);
    assert_eq!(error.job_id().map(JobId::as_str), Some("j1"));
    assert!(error.to_string().contains("deleted"), "{error}");
}

#[tokio::test]
async fn a_job_that_disappears_ends_a_wait_as_not_found() {
    let server = server([state("process"), success(json!({"total": 0, "jobDetails": []}))]).await;
    let error = server.client().job("j1").wait().await.expect_err("it vanished");
    assert_eq!(error.kind(), ErrorKind::JobNotFound);
    assert_eq!(error.job_id().map(JobId::as_str), Some("j1"));
}

#[tokio::test]
async fn the_error_of_a_deadline_names_the_job_and_says_that_it_still_runs() -> TestResult {
    let server = server([state("process")]).await;
    let job = server.client().job("j1");
    let error = job.wait().deadline(Duration::from_millis(50)).await.expect_err("it does not end");
    assert_eq!(error.kind(), ErrorKind::Deadline);
    let id = error.job_id().ok_or("an id")?;
    let text = error.to_string();
    assert!(text.contains("j1") && text.contains("still running") && text.contains("last seen: process"), "{text}");
    // The ID in the error is enough to continue with the job.
    server.client().job(id.clone()).info().await?;
    Ok(())
}

#[tokio::test]
async fn a_deadline_passes_while_the_server_is_silent() -> TestResult {
    let server = RawServer::start(|mut connection| async move {
        connection.request().await?;
        connection.hold().await
    })
    .await?;
    let wait = server.client().job("j1").wait().deadline(Duration::from_millis(50));
    let error = wait.await.expect_err("no answer");
    assert_eq!(error.kind(), ErrorKind::Deadline);
    assert_eq!(error.job_id().map(JobId::as_str), Some("j1"));
    Ok(())
}

#[tokio::test]
async fn a_failed_poll_does_not_end_a_wait() -> TestResult {
    let busy = failure(500, "Sorry, the service is busy. Please try again later.");
    for trouble in [page(502, "<html>"), page(504, ""), page(503, ""), page(429, ""), failure(500, "no"), busy] {
        let server = server([state("process"), trouble, state("success")]).await;
        server.client().job("j1").wait().await?;
        assert_eq!(server.sent().await.len(), 3);
    }
    Ok(())
}

#[tokio::test]
async fn a_watch_reports_a_failed_poll_with_the_last_known_state() -> TestResult {
    let server = server([state("process"), page(502, "<html>"), state("process"), state("success")]).await;
    let mut states = server.client().job("j1").watch();
    states.try_next().await?;
    let troubled = states.try_next().await?.ok_or("a state")?;
    assert_eq!(troubled.status(), &JobStatus::Running);
    assert_eq!(troubled.poll_error().map(sqlflow_client::Error::status), Some(Some(502)));
    let recovered = states.try_next().await?.ok_or("a state")?;
    assert!(recovered.poll_error().is_none());
    Ok(())
}

#[tokio::test]
async fn a_lost_connection_does_not_end_a_wait() -> TestResult {
    let turn = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let server = RawServer::start(move |mut connection| {
        let turn = std::sync::Arc::clone(&turn);
        async move {
            connection.request().await?;
            let status = match turn.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
                0 => "process",
                1 => return Ok(()),
                _ => "success",
            };
            let body = format!(r#"{{"code":200,"data":{{"jobId":"j1","status":"{status}"}}}}"#);
            let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
            connection.send(head + &body).await
        }
    })
    .await?;
    server.client().job("j1").wait().await?;
    assert_eq!(server.sent().len(), 3);
    Ok(())
}

#[tokio::test]
async fn a_failed_first_poll_does_not_end_the_wait_for_a_new_job() -> TestResult {
    let server = server([page(502, "<html>"), state("success")]).await;
    server.on(SUBMIT, state("create")).await;
    let job = server.client().submit(Vendor::Oracle).sql("a.sql", "select 1").await?;
    job.wait().await?;
    Ok(())
}

#[tokio::test]
async fn failures_over_the_maximum_outage_end_a_wait_with_the_last_failure() -> TestResult {
    let server = server([state("process"), page(502, "<html>")]).await;
    let polling = Polling::every(Duration::from_millis(1)).max_outage(Duration::from_millis(20));
    let client = server.builder().polling(polling).build()?;
    let error = client.job("j1").wait().await.expect_err("it does not pass");
    assert_eq!((error.kind(), error.status()), (ErrorKind::Server, Some(502)));
    assert!(server.sent().await.len() > 2);
    Ok(())
}

#[tokio::test]
async fn a_refusal_ends_a_wait_at_once() {
    for refusal in [failure(401, "no"), failure(400, "no"), page(404, "")] {
        let server = server([state("process"), refusal, state("success")]).await;
        let error = server.client().job("j1").wait().await.expect_err("refused");
        assert!(matches!(error.kind(), ErrorKind::Authentication | ErrorKind::Rejected), "{error:?}");
        assert_eq!(server.sent().await.len(), 2);
    }
}

#[tokio::test]
async fn dropping_a_wait_sends_nothing() -> TestResult {
    let server = server([state("process")]).await;
    let wait = server.client().job("j1").wait().polling(Polling::every(FOREVER));
    let waiting = tokio::spawn(async move { wait.await.map(drop) });
    while server.sent().await.is_empty() {
        tokio::task::yield_now().await;
    }
    waiting.abort();
    assert!(waiting.await.expect_err("it was dropped").is_cancelled());
    assert_eq!(server.sent().await.len(), 1);
    Ok(())
}

#[tokio::test]
async fn two_watches_of_one_job_are_independent() -> TestResult {
    let server = server([state("success")]).await;
    let job = server.client().job("j1");
    let (mut one, mut other) = (job.watch(), job.watch());
    assert!(one.try_next().await?.is_some() && other.try_next().await?.is_some());
    assert!(one.try_next().await?.is_none() && other.try_next().await?.is_none());
    Ok(())
}
