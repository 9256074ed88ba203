//! Retries: the calls and failures that are retried, the number of attempts, and the delay between them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use serde_json::json;
use sqlflow_client::retry::{Attempt, Backoff, RetryBudget, RetryPolicy};
use sqlflow_client::{Client, ClientBuilder, Credentials, Error, ErrorKind, Vendor};
use wiremock::ResponseTemplate;

use crate::TestResult;
use crate::mock::{
    CSV, GENERATE_TOKEN, JOBS, SUBMIT, SUMMARY, Server, answer, body, failure, in_turn, no_jobs, page, state, token,
};
use crate::raw_server::{CHUNKED, RawServer, chunk, head};

const NO_JOBS: &str = r#"{"code":200,"data":{"total":0,"jobDetails":[]}}"#;

fn hurried(builder: ClientBuilder) -> Client {
    builder.retry(Backoff::new().base_delay(Duration::from_millis(1))).build().expect("a client of a mock")
}

fn busy() -> ResponseTemplate {
    failure(500, "service is busy, please try later")
}

/// Returns failures that another attempt may resolve.
fn passing() -> [ResponseTemplate; 9] {
    [
        page(502, "<html>Bad Gateway</html>"),
        page(503, "<html>Service Unavailable</html>"),
        page(504, "<html>Gateway Timeout</html>"),
        page(408, "<html>Request Timeout</html>"),
        page(429, ""),
        ResponseTemplate::new(504).set_body_json(json!({"code": 504, "message": "The upstream server is timing out"})),
        ResponseTemplate::new(408).set_body_json(json!({"code": 408, "message": "Request timed out"})),
        busy(),
        body(&NO_JOBS[..20]),
    ]
}

#[tokio::test]
async fn a_read_that_failed_temporarily_is_retried() {
    for (row, failed) in passing().into_iter().enumerate() {
        let server = Server::answering(JOBS, in_turn([failed.clone(), failed, no_jobs()])).await;
        hurried(server.builder()).jobs().await.unwrap_or_else(|error| panic!("{row}: {error}"));
        assert_eq!(server.sent().await.len(), 3, "{row}");
    }
}

#[tokio::test]
async fn a_read_whose_connection_broke_is_retried() -> TestResult {
    let announced = format!("{}{}", head(NO_JOBS.len()), &NO_JOBS[..20]);
    let chunked = [CHUNKED.as_bytes(), &chunk(&NO_JOBS.as_bytes()[..20])].concat();
    for broken in [Vec::new(), b"HTTP/1.1 2".to_vec(), announced.into_bytes(), chunked] {
        let (broken, connections) = (Arc::<[u8]>::from(broken), Arc::new(AtomicUsize::new(0)));
        let server = RawServer::start(move |mut connection| {
            let (broken, number) = (Arc::clone(&broken), connections.fetch_add(1, Ordering::SeqCst));
            async move {
                connection.request().await?;
                match number {
                    0 | 1 => connection.send(&broken).await,
                    _ => connection.send(head(NO_JOBS.len()) + NO_JOBS).await,
                }
            }
        })
        .await?;
        hurried(server.builder()).jobs().await?;
        assert_eq!(server.sent().len(), 3);
    }
    Ok(())
}

#[tokio::test]
async fn a_read_whose_connection_was_reset_is_retried() -> TestResult {
    let connections = Arc::new(AtomicUsize::new(0));
    let server = RawServer::start(move |mut connection| {
        let number = connections.fetch_add(1, Ordering::SeqCst);
        async move {
            if number == 0 {
                // A connection that is closed with unread bytes is reset.
                return connection.stream.readable().await;
            }
            connection.request().await?;
            connection.send(head(NO_JOBS.len()) + NO_JOBS).await
        }
    })
    .await?;
    hurried(server.builder()).jobs().await?;
    assert_eq!(server.sent().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_permanent_failure_is_returned_at_once() {
    for (row, failed) in [
        page(500, "<html>Internal Server Error</html>"),
        page(400, ""),
        page(403, ""),
        page(404, ""),
        page(401, ""),
        failure(400, "no"),
        failure(401, "Invalid user or token, access deny."),
        failure(500, "no"),
        body("no json"),
        body(""),
        page(200, "<html>Sign in</html>"),
        answer(json!({"error": "no"})),
    ]
    .into_iter()
    .enumerate()
    {
        let server = Server::answering(JOBS, failed).await;
        let client = hurried(server.builder().credentials(Credentials::token("ann", "ready-made")));
        let error = client.jobs().await.expect_err("it failed");
        assert_eq!(server.sent().await.len(), 1, "{row}: {error}");
        assert!(error.attempts() <= 1 && !error.to_string().contains("tried"), "{row}: {error}");
    }
}

#[tokio::test]
async fn the_error_of_a_call_that_keeps_failing_holds_the_number_of_attempts() {
    for (row, failed) in passing().into_iter().enumerate() {
        let server = Server::answering(JOBS, failed).await;
        let error = hurried(server.builder()).jobs().await.expect_err("it always fails");
        assert_eq!((error.attempts(), server.sent().await.len()), (6, 6), "{row}: {error}");
        assert!(error.to_string().contains("(tried 6 times in "), "{row}: {error}");
    }
}

#[tokio::test]
async fn a_client_without_retries_makes_each_call_once() {
    for failed in passing() {
        let server = Server::answering(JOBS, failed).await;
        let error = server.client().jobs().await.expect_err("it fails");
        assert_eq!((error.attempts(), server.sent().await.len()), (1, 1), "{error}");
    }
}

#[tokio::test]
async fn a_change_that_the_server_may_have_received_is_not_retried() {
    for (failed, sent) in [
        (page(502, ""), 1),
        (page(503, ""), 1),
        (page(504, ""), 1),
        (page(500, ""), 1),
        (page(429, ""), 6),
        (busy(), 6),
    ] {
        let server = Server::start().await;
        server.everywhere(failed).await;
        let client = hurried(server.builder());
        client.job("j1").delete().await.expect_err("it fails");
        assert_eq!(server.sent().await.len(), sent);
        client.job("j1").rerun().await.expect_err("it fails");
        assert_eq!(server.sent().await.len(), 2 * sent);
    }
}

#[tokio::test]
async fn an_idempotent_change_is_retried() -> TestResult {
    let server = Server::start().await;
    server.everywhere(in_turn([page(502, ""), page(504, ""), state("success")])).await;
    hurried(server.builder()).job("j1").set_on_top(true).await?;
    assert_eq!(server.sent().await.len(), 3);
    Ok(())
}

#[tokio::test]
async fn a_token_request_is_retried_after_a_temporary_failure() -> TestResult {
    let server = Server::answering(GENERATE_TOKEN, in_turn([page(502, ""), busy(), token("t1")])).await;
    server.on(JOBS, no_jobs()).await;
    let client = hurried(server.builder().credentials(Credentials::secret_key("ann", "key")));
    client.jobs().await?;
    assert_eq!((server.sent_to(GENERATE_TOKEN).await.len(), server.sent_to(JOBS).await.len()), (3, 1));
    Ok(())
}

#[tokio::test]
async fn a_wrong_secret_key_is_tried_once_for_all_waiting_tasks() {
    let refused = answer(json!({"code": "401", "error": "Invalid user or token, access deny."}));
    let server = Server::answering(GENERATE_TOKEN, refused).await;
    let client = hurried(server.builder().credentials(Credentials::secret_key("ann", "wrong")));
    let error = client.jobs().await.expect_err("the key is wrong");
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Authentication, 1));
    assert_eq!(server.sent().await.len(), 1);
}

/// The number of an attempt, the kind of its failure, and the delay that the server requested.
type Asked = (u32, ErrorKind, Option<Duration>);

/// A policy that retries without delays up to a number of attempts, and records the failures.
#[derive(Debug, Clone)]
struct RecordingPolicy {
    attempts: u32,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl RecordingPolicy {
    fn new(attempts: u32) -> Self {
        Self { attempts, asked: Arc::default() }
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no test panics in here").clone()
    }
}

impl RetryPolicy for RecordingPolicy {
    fn pause(&self, failed: &Attempt<'_>) -> Option<Duration> {
        let asked = (failed.number(), failed.error().kind(), failed.error().retry_after());
        self.asked.lock().expect("no test panics in here").push(asked);
        (failed.number() < self.attempts).then_some(Duration::ZERO)
    }
}

#[tokio::test]
async fn a_custom_policy_is_consulted_after_each_attempt_until_it_stops() {
    let answers = in_turn([page(502, ""), busy(), page(504, ""), page(503, "")]);
    let server = Server::answering(JOBS, answers).await;
    let policy = RecordingPolicy::new(4);
    let client = server.builder().retry(policy.clone()).build().expect("a client");
    let error = client.jobs().await.expect_err("it always fails");
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Busy, 4));
    let asked = [ErrorKind::Server, ErrorKind::Busy, ErrorKind::Timeout, ErrorKind::Busy];
    assert_eq!(policy.asked(), (1..).zip(asked).map(|(number, kind)| (number, kind, None)).collect::<Vec<_>>());
    // The next call starts again with the first attempt.
    client.jobs().await.expect_err("it still fails");
    assert_eq!(policy.asked()[4].0, 1);
}

#[tokio::test]
async fn a_policy_is_not_consulted_where_another_attempt_is_harmful_or_useless() {
    let server = Server::answering(SUMMARY, failure(500, "no")).await;
    server.on("/sqlflow/job/deleteUserJob", page(502, "")).await;
    let policy = RecordingPolicy::new(9);
    let job = server.builder().retry(policy.clone()).build().expect("a client").job("j1");
    job.info().await.expect_err("it fails");
    job.delete().await.expect_err("it fails");
    assert_eq!(policy.asked(), []);
}

#[tokio::test]
async fn a_policy_receives_the_retry_delay_of_the_server_from_seconds_and_from_a_date() -> TestResult {
    let at = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(60));
    let too_many = |after: &str| page(429, "").insert_header("Retry-After", after);
    let server = Server::answering(JOBS, in_turn([too_many("7"), too_many(&at), too_many("soon"), no_jobs()])).await;
    let policy = RecordingPolicy::new(9);
    server.builder().retry(policy.clone()).build()?.jobs().await?;
    let waits: Vec<_> = policy.asked().into_iter().map(|(_, _, wait)| wait).collect();
    assert_eq!((waits[0], waits[2]), (Some(Duration::from_secs(7)), None));
    let wait = waits[1].expect("a time from now on");
    assert!(wait > Duration::from_secs(30) && wait <= Duration::from_secs(60), "{wait:?}");
    Ok(())
}

#[tokio::test]
async fn the_client_waits_for_the_retry_delay_of_the_server() -> TestResult {
    let too_many = page(429, "").insert_header("Retry-After", "1");
    let server = Server::answering(JOBS, in_turn([too_many, no_jobs()])).await;
    let started = Instant::now();
    hurried(server.builder()).jobs().await?;
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
    Ok(())
}

#[tokio::test]
async fn a_retry_delay_over_the_maximum_ends_the_call_with_that_delay() {
    let too_many = page(429, "").insert_header("Retry-After", "3600");
    let server = Server::answering(JOBS, too_many).await;
    let error = hurried(server.builder()).jobs().await.expect_err("it is too long");
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::Busy, Some(Duration::from_secs(3600))));
    assert_eq!(server.sent().await.len(), 1);
}

#[tokio::test]
async fn an_exhausted_budget_ends_retries_for_all_clients_that_share_it() -> TestResult {
    let server = Server::answering(JOBS, page(502, "")).await;
    server.on(SUMMARY, state("process")).await;
    let budget = RetryBudget::new(10);
    let client = || hurried(server.builder().retry_budget(budget.clone()));
    let (one, other) = (client(), client());
    assert_eq!(one.jobs().await.expect_err("it fails").attempts(), 3);
    assert_eq!(budget.left(), 0);
    assert_eq!(other.jobs().await.expect_err("it fails").attempts(), 1);
    assert_eq!(one.jobs().await.expect_err("it fails").attempts(), 1);
    assert_eq!(server.sent().await.len(), 5);
    // Successful calls refill the budget.
    for _ in 0..5 {
        other.job("j1").info().await?;
    }
    assert_eq!(one.jobs().await.expect_err("it fails").attempts(), 2);
    Ok(())
}

#[tokio::test]
async fn an_upload_is_not_resent_after_a_gateway_timeout_in_json_either() {
    for (status, said) in [
        (504, json!({"code": 504, "message": "The upstream server is timing out"})),
        (408, json!({"code": 408, "message": "Request timed out"})),
        (504, json!({"message": "The upstream server is timing out"})),
    ] {
        let server = Server::answering(SUBMIT, ResponseTemplate::new(status).set_body_json(&said)).await;
        server.on(JOBS, no_jobs()).await;
        let submit = hurried(server.builder()).submit(Vendor::Oracle).sql("a.sql", "select 1");
        let error = submit.await.expect_err("nobody knows");
        assert_eq!(error.kind(), ErrorKind::SubmitUnknown, "{said}: {error}");
        assert_eq!((server.sent_to(SUBMIT).await.len(), server.sent_to(JOBS).await.len()), (1, 2), "{said}");
    }
}

#[tokio::test]
async fn a_submission_whose_response_is_over_the_limit_is_looked_for() {
    let server = Server::answering(SUBMIT, state("create")).await;
    let client = hurried(server.builder().max_response_bytes(10));
    let error = client.submit(Vendor::Oracle).sql("a.sql", "select 1").await.expect_err("the job was made");
    assert_eq!(error.kind(), ErrorKind::SubmitUnknown, "{error}");
    assert!(error.job_name().is_some_and(|name| name.starts_with("a.sql-")), "{error:?}");
    assert_eq!(server.sent_to(SUBMIT).await.len(), 1);
}

#[tokio::test]
async fn a_page_of_a_megabyte_is_quoted_in_a_few_words() {
    let text = "a page that says a great deal ".repeat(40_000);
    let html = format!("<!doctype html><html><head><title>x</title></head><body>{text}</body></html>");
    for (status, said) in [(200, &html), (502, &html), (404, &html), (500, &text), (200, &text)] {
        let server = Server::start().await;
        server.everywhere(page(status, said)).await;
        let client = server.client();
        let job = client.job("j1");
        let errors: [Error; 6] = [
            client.jobs().await.expect_err("a page"),
            job.info().await.expect_err("a page"),
            job.lineage().await.expect_err("a page"),
            job.export_lineage_as_graphml().bytes().await.expect_err("a page"),
            job.wait().deadline(Duration::from_millis(50)).await.expect_err("a page"),
            client.submit(Vendor::Oracle).sql("a.sql", "select 1").await.expect_err("a page"),
        ];
        for error in errors {
            let chain = format!("{error:?}");
            assert!(error.to_string().len() < 1024 && chain.len() < 4096, "{status}: {error} {}", chain.len());
        }
    }
    let server = Server::answering(CSV, page(502, &html)).await;
    assert!(server.client().job("j1").export_full_lineage_as_csv().await.expect_err("a page").to_string().len() < 1024);
}
