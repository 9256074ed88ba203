//! Tokens are requested when needed, shared by many tasks, renewed, and never requested from servers that issue none.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join_all;
use serde_json::{Value, json};
use sqlflow_client::retry::{Attempt, RetryPolicy};
use sqlflow_client::{Client, Credentials, Error, ErrorKind, RequestOutcome, UserSecret, Vendor};
use wiremock::{Request, ResponseTemplate};

use crate::TestResult;
use crate::mock::{
    CSV, GENERATE_TOKEN, JOBS, SUBMIT, SUMMARY, Server, answer, body, failure, in_turn, no_jobs, page, state, token,
};
use crate::sent::{Fields, fields};

/// Creates a token with these claims.
fn jwt(claims: Value) -> String {
    let encode = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.signature", encode(json!({"alg": "HS256"})), encode(claims))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs()
}

/// Returns the tokens in the requests for an operation.
async fn tokens_sent(server: &Server, operation: &str) -> Vec<String> {
    let sent = server.sent_to(operation).await;
    sent.iter().map(|sent| sent.field("token").unwrap_or_default()).collect()
}

/// Starts a server that issues these tokens in order, and accepts any token.
async fn server_giving<const N: usize>(tokens: [&str; N]) -> Server {
    let server = Server::answering(GENERATE_TOKEN, in_turn(tokens.map(token))).await;
    server.on(JOBS, no_jobs()).await;
    server
}

/// Refuses one token, accepts all others.
fn refusing(expired: &'static str) -> impl Fn(&Request) -> ResponseTemplate + Send + Sync {
    move |request: &Request| {
        let form: Fields = serde_urlencoded::from_bytes(&request.body).expect("a form");
        if form.contains(&("token".to_owned(), expired.to_owned())) {
            failure(401, "Invalid user or token, access deny.")
        } else {
            no_jobs()
        }
    }
}

#[tokio::test]
async fn a_token_request_has_the_user_id_and_secret_key_in_its_body() -> TestResult {
    let server = server_giving(["t1"]).await;
    server.client_with_secret_key().jobs().await?;
    let sent = server.sent_to(GENERATE_TOKEN).await;
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].method.as_str(), sent[0].query()), ("POST", Fields::new()));
    assert_eq!(sent[0].form(), fields([("userId", "auth0|ann"), ("secretKey", "the secret key")]));
    Ok(())
}

#[tokio::test]
async fn the_form_contains_the_token_and_the_user_id_but_not_the_secret_key() -> TestResult {
    let server = server_giving(["t&1"]).await;
    server.client_with_secret_key().jobs().await?;
    let sent = server.sent_to(JOBS).await;
    assert_eq!(sent[0].form(), fields([("userId", "auth0|ann"), ("token", "t&1")]));
    assert_eq!(sent[0].query(), Fields::new());
    assert_eq!((sent[0].header("authorization"), sent[0].header("cookie")), (None, None));
    Ok(())
}

#[tokio::test]
async fn one_token_request_serves_many_concurrent_tasks() {
    let server = server_giving(["t1", "t2"]).await;
    let client = server.client_with_secret_key();
    let answers = join_all((0..50).map(|_| client.jobs().send())).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(server.sent_to(GENERATE_TOKEN).await.len(), 1);
    assert_eq!(tokens_sent(&server, JOBS).await, vec!["t1"; 50]);
}

#[tokio::test]
async fn a_clone_of_the_client_uses_the_same_token() -> TestResult {
    let server = server_giving(["t1", "t2"]).await;
    let client = server.client_with_secret_key();
    client.clone().jobs().await?;
    client.jobs().await?;
    assert_eq!(server.sent_to(GENERATE_TOKEN).await.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_token_response_with_a_numeric_code_is_accepted_too() -> TestResult {
    let server = Server::answering(GENERATE_TOKEN, answer(json!({"code": 200, "token": "t1"}))).await;
    server.on(JOBS, no_jobs()).await;
    server.client_with_secret_key().jobs().await?;
    assert_eq!(tokens_sent(&server, JOBS).await, ["t1"]);
    Ok(())
}

#[tokio::test]
async fn a_wrong_secret_key_fails_once_with_authentication() {
    let refused = answer(json!({"code": "401", "error": "Invalid user or token, access deny."}));
    let server = Server::answering(GENERATE_TOKEN, refused).await;
    let error = server.client_with_secret_key().jobs().await.expect_err("the key is wrong");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Authentication, Some(401)));
    assert_eq!(error.operation(), Some("generateToken"));
    assert!(error.to_string().contains("secret key"), "{error}");
    assert_eq!(server.sent().await.len(), 1, "neither the token nor the jobs were asked for again");
}

#[tokio::test]
async fn a_wrong_secret_key_fails_many_concurrent_tasks_with_one_request() {
    let server = Server::answering(GENERATE_TOKEN, answer(json!({"code": "401"}))).await;
    let client = server.client_with_secret_key();
    let answers = join_all((0..20).map(|_| client.jobs().send())).await;
    assert!(answers.iter().all(|answer| matches!(answer, Err(error) if error.kind() == ErrorKind::Authentication)));
    assert_eq!(server.sent().await.len(), 1);
}

#[tokio::test]
async fn a_failed_request_for_a_token_is_not_remembered() -> TestResult {
    let server = Server::answering(GENERATE_TOKEN, in_turn([page(502, "<html>"), token("t1")])).await;
    server.on(JOBS, no_jobs()).await;
    let client = server.client_with_secret_key();
    let error = client.jobs().await.expect_err("the proxy failed");
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Server, Some("generateToken")));
    client.jobs().await?;
    Ok(())
}

#[tokio::test]
async fn a_success_without_a_token_is_an_error() {
    for answered in [json!({"code": "200"}), json!({"code": "200", "token": ""})] {
        let server = Server::answering(GENERATE_TOKEN, answer(answered)).await;
        let error = server.client_with_secret_key().jobs().await.expect_err("there is no token");
        assert_eq!((error.kind(), error.operation()), (ErrorKind::Protocol, Some("generateToken")));
    }
}

#[tokio::test]
async fn the_error_of_a_truncated_token_response_does_not_show_the_token() {
    let server = Server::answering(GENERATE_TOKEN, body(r#"{"code":"200","token":"hush-hush"#)).await;
    let error = server.client_with_secret_key().jobs().await.expect_err("the answer is cut off");
    assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
}

#[tokio::test]
async fn a_token_that_expires_in_flight_is_renewed_once_and_the_call_retried() -> TestResult {
    let server = Server::answering(GENERATE_TOKEN, in_turn([token("t1"), token("t2")])).await;
    server.on(JOBS, refusing("t1")).await;
    server.client_with_secret_key().jobs().await?;
    assert_eq!(tokens_sent(&server, JOBS).await, ["t1", "t2"]);
    assert_eq!(server.sent_to(GENERATE_TOKEN).await.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_token_that_expires_for_many_tasks_is_renewed_once() {
    let server = Server::answering(GENERATE_TOKEN, in_turn([token("t1"), token("t2"), token("t3")])).await;
    server.on(JOBS, refusing("t1")).await;
    let client = server.client_with_secret_key();
    let answers = join_all((0..20).map(|_| client.jobs().send())).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(server.sent_to(GENERATE_TOKEN).await.len(), 2);
}

#[tokio::test]
async fn a_second_401_is_returned_as_the_error() {
    let server = Server::answering(GENERATE_TOKEN, in_turn([token("t1"), token("t2"), token("t3")])).await;
    server.on(JOBS, failure(401, "Invalid user or token, access deny.")).await;
    let error = server.client_with_secret_key().jobs().await.expect_err("refused twice");
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Authentication, Some("displayUserJobsSummary")));
    assert_eq!(tokens_sent(&server, JOBS).await, ["t1", "t2"]);
}

#[tokio::test]
async fn a_refused_renewal_is_returned_as_the_error() {
    let answers = in_turn([token("t1"), answer(json!({"code": "401", "error": "secret key revoked"}))]);
    let server = Server::answering(GENERATE_TOKEN, answers).await;
    server.on(JOBS, refusing("t1")).await;
    let error = server.client_with_secret_key().jobs().await.expect_err("the key was revoked");
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Authentication, Some("generateToken")));
    assert_eq!(server.sent_to(JOBS).await.len(), 1);
}

#[tokio::test]
async fn an_upload_whose_token_expired_is_resent_completely() -> TestResult {
    let server = Server::answering(GENERATE_TOKEN, in_turn([token("t1"), token("t2")])).await;
    server.on(SUBMIT, in_turn([failure(401, "expired"), state("create")])).await;
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("a.sql");
    std::fs::write(&path, "select 1 from a")?;
    server.client_with_secret_key().submit(Vendor::Oracle).file(path).await?;
    let sent = server.sent_to(SUBMIT).await;
    assert_eq!(sent.len(), 2);
    for (sent, token) in sent.iter().zip(["t1", "t2"]) {
        assert!(sent.fields().contains(&("token".to_owned(), token.to_owned())));
        assert_eq!(sent.files()[0].content, b"select 1 from a");
    }
    Ok(())
}

#[tokio::test]
async fn a_token_that_is_refused_for_a_csv_export_is_renewed() -> TestResult {
    let server = Server::answering(GENERATE_TOKEN, in_turn([token("t1"), token("t2")])).await;
    let csv = ResponseTemplate::new(200).set_body_raw("a,b\n", "text/csv");
    server.on(CSV, in_turn([failure(401, "expired"), csv])).await;
    assert_eq!(server.client_with_secret_key().job("j1").export_full_lineage_as_csv().await?, "a,b\n");
    Ok(())
}

#[tokio::test]
async fn a_token_that_expires_during_a_wait_does_not_end_it() -> TestResult {
    let server = Server::answering(GENERATE_TOKEN, in_turn([token("t1"), token("t2")])).await;
    server.on(SUMMARY, in_turn([state("process"), failure(401, "expired"), state("success")])).await;
    server.client_with_secret_key().job("j1").wait().await?;
    assert_eq!(tokens_sent(&server, SUMMARY).await, ["t1", "t1", "t2"]);
    Ok(())
}

#[tokio::test]
async fn a_real_http_401_renews_the_token_too() -> TestResult {
    let server = Server::answering(GENERATE_TOKEN, in_turn([token("t1"), token("t2")])).await;
    server.on(JOBS, in_turn([page(401, "Unauthorized"), no_jobs()])).await;
    server.client_with_secret_key().jobs().await?;
    assert_eq!(tokens_sent(&server, JOBS).await, ["t1", "t2"]);
    Ok(())
}

#[tokio::test]
async fn no_other_failure_causes_a_retry() {
    for answered in [failure(500, "no"), failure(403, "no"), page(403, "no"), page(502, ""), page(503, "")] {
        let server = server_giving(["t1"]).await;
        server.on(SUMMARY, answered).await;
        server.client_with_secret_key().job("j1").info().await.expect_err("it failed");
        assert_eq!(server.sent_to(SUMMARY).await.len(), 1);
    }
}

#[tokio::test]
async fn a_given_token_is_sent_unchanged() -> TestResult {
    let server = server_giving(["t1"]).await;
    let client = server.builder().credentials(Credentials::token("ann", "ready-made")).build()?;
    client.jobs().await?;
    assert_eq!(server.only().await.form(), fields([("userId", "ann"), ("token", "ready-made")]));
    Ok(())
}

#[tokio::test]
async fn a_given_token_is_never_renewed() -> TestResult {
    let server = Server::answering(GENERATE_TOKEN, token("t1")).await;
    server.on(JOBS, failure(401, "expired")).await;
    let expired = jwt(json!({"iat": 0, "exp": 1}));
    let client = server.builder().credentials(Credentials::token("ann", expired)).build()?;
    let error = client.jobs().await.expect_err("the token is refused");
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert_eq!(server.sent().await.len(), 1);
    Ok(())
}

#[tokio::test]
async fn on_premise_credentials_send_the_literal_token_without_a_token_request() -> TestResult {
    let server = server_giving(["t1"]).await;
    server.client().jobs().await?;
    let sent = server.only().await;
    assert_eq!(sent.form(), fields([("userId", "gudu|0123456789"), ("token", "token")]));
    Ok(())
}

#[tokio::test]
async fn an_expired_token_is_renewed_before_it_is_used() -> TestResult {
    // It was valid for a microsecond.
    let expired = jwt(json!({"iat": 0.0, "exp": 0.000_001}));
    let server = server_giving([&expired, "t2"]).await;
    let client = server.client_with_secret_key();
    client.jobs().await?;
    client.jobs().await?;
    assert_eq!(tokens_sent(&server, JOBS).await, [expired.as_str(), "t2"]);
    Ok(())
}

#[tokio::test]
async fn a_token_is_kept_until_it_expires() -> TestResult {
    let long = jwt(json!({"iat": now(), "exp": now() + 86_400}));
    let server = server_giving([&long, "t2"]).await;
    let client = server.client_with_secret_key();
    client.jobs().await?;
    client.jobs().await?;
    assert_eq!(tokens_sent(&server, JOBS).await, [long.as_str(), long.as_str()]);
    Ok(())
}

#[tokio::test]
async fn a_token_that_expired_only_by_the_local_clock_is_used_until_it_is_refused() -> TestResult {
    // It does not contain the time of issue, and the local clock may be wrong.
    let ended = jwt(json!({"exp": now() - 60}));
    let server = server_giving([&ended, "t2"]).await;
    let client = server.client_with_secret_key();
    client.jobs().await?;
    client.jobs().await?;
    assert_eq!(tokens_sent(&server, JOBS).await, [ended.clone(), ended]);
    Ok(())
}

#[tokio::test]
async fn a_token_with_a_time_of_issue_is_valid_even_if_the_local_clock_is_wrong_by_years() -> TestResult {
    let past = jwt(json!({"iat": 1_000_000, "exp": 1_086_400}));
    let server = server_giving([&past, "t2"]).await;
    let client = server.client_with_secret_key();
    client.jobs().await?;
    client.jobs().await?;
    assert_eq!(server.sent_to(GENERATE_TOKEN).await.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_token_that_never_expires_is_kept() -> TestResult {
    for endless in [jwt(json!({"iat": 5})), jwt(json!({})), "no.jwt.at-all".to_owned(), "opaque".to_owned()] {
        let server = server_giving([&endless, "t2"]).await;
        let client = server.client_with_secret_key();
        client.jobs().await?;
        client.jobs().await?;
        assert_eq!(server.sent_to(GENERATE_TOKEN).await.len(), 1, "{endless}");
    }
    Ok(())
}

#[tokio::test]
async fn a_token_that_expires_during_the_life_of_the_client_is_renewed() -> TestResult {
    let short = jwt(json!({"iat": 100.0, "exp": 100.2}));
    let server = server_giving([&short, "t2"]).await;
    let client = server.client_with_secret_key();
    client.jobs().await?;
    let renewed = async {
        while server.sent_to(GENERATE_TOKEN).await.len() < 2 {
            client.jobs().await.expect("both tokens are taken");
        }
    };
    tokio::time::timeout(Duration::from_secs(5), renewed).await?;
    assert_eq!(tokens_sent(&server, JOBS).await.last().map(String::as_str), Some("t2"));
    Ok(())
}

#[tokio::test]
async fn the_next_call_requests_the_token_after_a_dropped_call() -> TestResult {
    let server = server_giving(["t1"]).await;
    let client = server.client_with_secret_key();
    // It is polled once: far enough to queue for the token, not far enough to obtain it.
    assert!(futures_util::FutureExt::now_or_never(client.jobs().send()).is_none());
    client.jobs().await?;
    assert_eq!(tokens_sent(&server, JOBS).await, ["t1"]);
    Ok(())
}

/// A policy that panics.
#[derive(Debug)]
struct Panicking;

impl RetryPolicy for Panicking {
    fn pause(&self, _: &Attempt<'_>) -> Option<Duration> {
        panic!("the policy panics")
    }
}

/// Makes some calls at the same time, each in a task of its own as in a program. Returns their errors.
async fn errors_of_calls(sqlflow: &Client, count: usize) -> Vec<Error> {
    let calls = (0..count).map(|_| {
        let jobs = sqlflow.jobs();
        tokio::spawn(async move { jobs.await })
    });
    let ended = tokio::time::timeout(Duration::from_secs(60), join_all(calls)).await.expect("no call hangs");
    ended.into_iter().filter_map(|call| call.expect("no call panics").err()).collect()
}

#[tokio::test]
async fn a_provider_that_panics_fails_every_call_that_waits_for_it_and_the_next_call_asks_again() -> TestResult {
    for panics_at_once in [true, false] {
        let server = Server::answering(JOBS, no_jobs()).await;
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let provider = move || {
            let is_first = counted.fetch_add(1, Ordering::SeqCst) == 0;
            assert!(!(is_first && panics_at_once), "the provider panics at once");
            async move {
                tokio::task::yield_now().await;
                assert!(!is_first, "the provider panics later");
                Ok::<_, std::io::Error>(UserSecret::Token("good-token".into()))
            }
        };
        let sqlflow = server.builder().credentials(Credentials::from_fn("ann", provider)).build()?;
        let errors = errors_of_calls(&sqlflow, 3).await;
        assert!(!errors.is_empty());
        for error in &errors {
            assert_eq!(error.kind(), ErrorKind::Authentication);
            let text = error.to_string();
            assert!(text.contains("user ann") && text.contains("its provider panicked"), "{text}");
            assert_eq!(error.request_outcome(), RequestOutcome::NotExecuted);
        }
        sqlflow.jobs().await?;
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }
    Ok(())
}

#[tokio::test]
async fn a_retry_policy_that_panics_fails_the_calls_that_wait_for_the_token_and_no_later_ones() -> TestResult {
    let answers = in_turn([ResponseTemplate::new(503), token("t1")]);
    let server = Server::answering(GENERATE_TOKEN, answers).await;
    server.on(JOBS, no_jobs()).await;
    let builder = server.builder().retry(Panicking);
    let sqlflow = builder.credentials(Credentials::secret_key("ann", "the secret key")).build()?;
    let errors = errors_of_calls(&sqlflow, 1).await;
    assert_eq!(errors.len(), 1);
    assert_eq!((errors[0].kind(), errors[0].status()), (ErrorKind::Busy, Some(503)));
    assert!(errors[0].to_string().contains("the retry policy panicked"), "{}", errors[0]);
    sqlflow.jobs().await?;
    Ok(())
}
