//! The code inside the envelope decides, not the HTTP status; a response without an envelope is described in the error.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sqlflow_client::api::types::DisplayUserJobsSummaryRequest;
use sqlflow_client::{Client, Error, ErrorKind, RequestOutcome};
use wiremock::ResponseTemplate;

use crate::TestResult;
use crate::mock::{JOBS, SUMMARY, Server, answer, body, failure, job, page, success};

/// Returns the error of a request for the list of jobs that gets this response.
async fn error_of(answer: ResponseTemplate) -> Error {
    let server = Server::answering(JOBS, answer).await;
    server.client().jobs().await.expect_err("the answer is a failure")
}

/// Returns the count in a list of jobs, whether or not the list has as many.
async fn total(sqlflow: &Client) -> sqlflow_client::Result<Option<i64>> {
    let list = sqlflow.api().display_user_jobs_summary(&DisplayUserJobsSummaryRequest::new()).await?;
    Ok(list.into_data()?.total)
}

#[tokio::test]
async fn code_401_in_http_200_is_an_authentication_error() {
    let error = error_of(failure(401, "Invalid user or token, access deny.")).await;
    assert_eq!((error.kind(), error.code(), error.status()), (ErrorKind::Authentication, Some(401), None));
    assert!(error.to_string().contains("Invalid user or token, access deny."), "{error}");
}

#[tokio::test]
async fn code_400_in_http_200_is_an_error_of_the_caller() {
    let error = error_of(failure(400, "jobId is wrong")).await;
    assert_eq!((error.kind(), error.code()), (ErrorKind::Rejected, Some(400)));
    assert!(error.to_string().contains("jobId is wrong"), "{error}");
}

#[tokio::test]
async fn code_500_in_http_200_is_an_error_of_the_server() {
    let error = error_of(failure(500, "java.lang.NullPointerException")).await;
    assert_eq!((error.kind(), error.code()), (ErrorKind::Server, Some(500)));
    assert!(error.to_string().contains("java.lang.NullPointerException"), "{error}");
}

#[tokio::test]
async fn a_full_work_queue_is_busy_and_not_a_server_failure() {
    let error = error_of(failure(500, "Sorry, the service is busy. Please try again later.")).await;
    assert_eq!((error.kind(), error.code()), (ErrorKind::Busy, Some(500)));
}

#[tokio::test]
async fn a_failing_envelope_names_its_operation() {
    assert_eq!(error_of(failure(500, "no")).await.operation(), Some("displayUserJobsSummary"));
}

#[tokio::test]
async fn a_success_without_data_names_its_operation() {
    assert_eq!(error_of(answer(json!({"code": 200}))).await.operation(), Some("displayUserJobsSummary"));
}

#[tokio::test]
async fn a_failure_of_http_names_its_operation() {
    assert_eq!(error_of(page(502, "")).await.operation(), Some("displayUserJobsSummary"));
}

#[tokio::test]
async fn a_body_that_is_not_json_names_its_operation() {
    assert_eq!(error_of(body("no")).await.operation(), Some("displayUserJobsSummary"));
}

#[tokio::test]
async fn a_failure_without_a_reason_says_so() {
    let error = error_of(answer(json!({"code": 500}))).await;
    assert!(error.to_string().contains("no reason"), "{error}");
}

#[tokio::test]
async fn a_long_error_text_is_truncated() {
    let error = error_of(failure(500, &"long ".repeat(10_000))).await;
    assert!(error.to_string().len() < 2_000, "{}", error.to_string().len());
}

#[tokio::test]
async fn a_code_that_is_text_is_accepted() -> TestResult {
    let server = Server::answering(JOBS, answer(json!({"code": "200", "data": {"total": 7}}))).await;
    assert_eq!(total(&server.client()).await?, Some(7));
    let error = error_of(answer(json!({"code": "400", "error": "no"}))).await;
    assert_eq!((error.kind(), error.code()), (ErrorKind::Rejected, Some(400)));
    Ok(())
}

#[tokio::test]
async fn a_code_203_keeps_data_and_warnings() -> TestResult {
    let partial = json!({"code": 203, "data": {"total": 7}, "error": "a.sql: line 3\nb.sql: line 9"});
    let server = Server::answering(JOBS, answer(partial)).await;
    let client = server.client();
    let envelope = client.api().display_user_jobs_summary(&DisplayUserJobsSummaryRequest::new()).await?.into_inner();
    assert_eq!(envelope.warnings().collect::<Vec<_>>(), ["a.sql: line 3", "b.sql: line 9"]);
    assert_eq!(envelope.into_data()?.total, Some(7));
    Ok(())
}

#[tokio::test]
async fn a_code_203_is_a_success_of_the_typed_calls() -> TestResult {
    let server = Server::answering(SUMMARY, answer(json!({"code": 203, "data": job("success"), "error": "w"}))).await;
    assert_eq!(server.client().job("j1").info().await?.id.as_str(), "j1");
    Ok(())
}

#[tokio::test]
async fn a_code_that_comes_after_the_data_decides() -> TestResult {
    let server = Server::answering(JOBS, body(r#"{"data":{"total":7},"code":200}"#)).await;
    assert_eq!(total(&server.client()).await?, Some(7));
    let error = error_of(body(r#"{"data":{"total":7},"error":"no","code":500}"#)).await;
    assert_eq!(error.kind(), ErrorKind::Server);
    Ok(())
}

#[tokio::test]
async fn a_failure_with_unexpected_data_keeps_its_kind() {
    let error = error_of(answer(json!({"code": 400, "data": [1, 2], "error": "no"}))).await;
    assert_eq!((error.kind(), error.code()), (ErrorKind::Rejected, Some(400)));
}

#[tokio::test]
async fn a_success_whose_data_is_an_empty_text_has_no_data() {
    let error = error_of(success(json!(""))).await;
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.to_string().contains("without data"), "{error}");
}

#[tokio::test]
async fn a_failure_whose_data_is_an_empty_text_keeps_its_kind() {
    let error = error_of(answer(json!({"code": 500, "data": "", "error": "boom"}))).await;
    assert_eq!(error.kind(), ErrorKind::Server);
    assert!(error.to_string().contains("boom"), "{error}");
}

#[tokio::test]
async fn a_success_without_data_is_an_error() {
    for envelope in [json!({"code": 200}), json!({"code": 200, "data": null})] {
        let error = error_of(answer(envelope)).await;
        assert_eq!((error.kind(), error.code()), (ErrorKind::Protocol, Some(200)));
        assert!(error.to_string().contains("without data"), "{error}");
    }
}

#[tokio::test]
async fn a_success_with_unexpected_data_is_an_error_that_names_the_expected_type() {
    let error = error_of(success(json!({"jobDetails": {"jobName": "no list"}}))).await;
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.to_string().contains("expected a sequence"), "{error}");
}

#[tokio::test]
async fn an_envelope_with_nothing_but_an_error_is_a_failure() {
    let error = error_of(answer(json!({"error": "the disk is full"}))).await;
    assert_eq!(error.kind(), ErrorKind::Server);
    assert!(error.to_string().contains("the disk is full"), "{error}");
}

#[tokio::test]
async fn an_envelope_without_a_code_and_without_data_is_a_protocol_error() {
    assert_eq!(error_of(answer(json!({}))).await.kind(), ErrorKind::Protocol);
}

#[tokio::test]
async fn json_that_is_not_an_object_is_not_an_envelope() {
    for text in ["[]", "null", "7", "\"text\""] {
        assert_eq!(error_of(body(text)).await.kind(), ErrorKind::Protocol, "{text}");
    }
}

#[tokio::test]
async fn a_body_that_is_not_json_is_quoted_in_the_error() {
    let error = error_of(body(format!("Whitelabel Error {}", "x".repeat(5_000)))).await;
    assert_eq!(error.kind(), ErrorKind::Protocol);
    let text = error.to_string();
    assert!(text.contains("is not JSON") && text.contains("Whitelabel Error"), "{text}");
    assert!(text.len() < 500, "{}", text.len());
}

#[tokio::test]
async fn an_empty_body_is_an_error() {
    let error = error_of(body("")).await;
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.to_string().contains("empty"), "{error}");
}

#[tokio::test]
async fn truncated_json_is_an_error_with_its_length() {
    let error = error_of(body(r#"{"code":200,"data":{"total":7,"jobDet"#)).await;
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert!(error.to_string().contains("truncated after 37 bytes"), "{error}");
}

#[tokio::test]
async fn a_byte_order_mark_before_the_json_is_ignored() -> TestResult {
    let server = Server::answering(JOBS, body("\u{feff}{\"code\":200,\"data\":{\"total\":7}}")).await;
    assert_eq!(total(&server.client()).await?, Some(7));
    let refused = error_of(body("\u{feff}{\"code\":401,\"error\":\"no\"}")).await;
    assert_eq!(refused.kind(), ErrorKind::Authentication);
    Ok(())
}

#[tokio::test]
async fn json_with_another_content_type_is_read() -> TestResult {
    let disguised = ResponseTemplate::new(200).set_body_raw(r#"{"code":200,"data":{"total":7}}"#, "text/html");
    let server = Server::answering(JOBS, disguised).await;
    assert_eq!(total(&server.client()).await?, Some(7));
    Ok(())
}

#[tokio::test]
async fn a_gzipped_response_is_decompressed() -> TestResult {
    // {"code":200,"data":{"total":7}}
    let packed = STANDARD.decode("H4sIAAAAAAACA6tWSs5PSVWyMjIw0FFKSSxJVLKqVirJL0nMUbIyr60FAIKWljsfAAAA")?;
    let packed = ResponseTemplate::new(200).set_body_bytes(packed).insert_header("Content-Encoding", "gzip");
    let server = Server::answering(JOBS, packed).await;
    assert_eq!(total(&server.client()).await?, Some(7));
    Ok(())
}

#[tokio::test]
async fn a_login_page_with_http_200_is_reported_as_a_page() {
    let error = error_of(page(200, "<!DOCTYPE html><html><head><title>Sign in</title></head></html>")).await;
    assert_eq!(error.kind(), ErrorKind::Protocol);
    let text = error.to_string();
    assert!(text.contains("page") && text.contains("Sign in") && !text.contains("<title>"), "{text}");
}

#[tokio::test]
async fn html_with_status_502_becomes_a_server_error_with_a_short_snippet() {
    let html = format!("<html><head><title>502 Bad Gateway</title></head><body>{}</body></html>", "nginx ".repeat(999));
    let error = error_of(page(502, &html)).await;
    assert_eq!((error.kind(), error.status(), error.code()), (ErrorKind::Server, Some(502), None));
    let text = error.to_string();
    assert!(text.contains("502 Bad Gateway nginx") && !text.contains('<'), "{text}");
    assert!(text.len() < 500, "{}", text.len());
}

#[tokio::test]
async fn html_with_status_504_becomes_a_timeout() {
    let error = error_of(page(504, "<html><h1>504 Gateway Time-out</h1></html>")).await;
    assert_eq!((error.kind(), error.status()), (ErrorKind::Timeout, Some(504)));
}

#[tokio::test]
async fn html_with_status_413_becomes_too_large() {
    let error = error_of(page(413, "<html><h1>413 Request Entity Too Large</h1></html>")).await;
    assert_eq!((error.kind(), error.status()), (ErrorKind::TooLarge, Some(413)));
}

#[tokio::test]
async fn html_with_status_503_becomes_busy() {
    let error = error_of(page(503, "<html>Service Unavailable</html>").insert_header("Retry-After", "120")).await;
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::Busy, Some(Duration::from_secs(120))));
}

#[tokio::test]
async fn a_missing_path_points_to_the_base_url() {
    let server = Server::start().await;
    let error = server.client().jobs().await.expect_err("nothing is there");
    assert_eq!((error.kind(), error.status()), (ErrorKind::Rejected, Some(404)));
    assert!(error.to_string().contains("base URL"), "{error}");
}

fn rate_limited() -> ResponseTemplate {
    ResponseTemplate::new(429).set_body_json(json!({
        "code": 429, "error": "rate_limit_exceeded", "message": "50 calls a day are free",
        "upgrade": {"personal_key": {"url": "https://example.com/key"}},
    }))
}

#[tokio::test]
async fn http_429_that_offers_an_upgrade_is_a_used_up_quota_and_carries_the_message() {
    let error = error_of(rate_limited()).await;
    assert_eq!((error.kind(), error.status(), error.code()), (ErrorKind::QuotaExceeded, Some(429), Some(429)));
    assert!(error.to_string().contains("50 calls a day are free"), "{error}");
    assert_eq!(error.retry_after(), None);
}

#[tokio::test]
async fn retry_after_in_seconds_is_kept() {
    let error = error_of(rate_limited().insert_header("Retry-After", "90")).await;
    assert_eq!(error.retry_after(), Some(Duration::from_secs(90)));
}

#[tokio::test]
async fn retry_after_as_a_date_is_counted_from_now() {
    let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(3600));
    let error = error_of(rate_limited().insert_header("Retry-After", date.as_str())).await;
    let wait = error.retry_after().expect("a date is a time to wait").as_secs();
    assert!((3500..=3600).contains(&wait), "{wait}");
}

#[tokio::test]
async fn a_bad_status_with_an_envelope_is_classified_by_the_envelope() {
    let error =
        error_of(ResponseTemplate::new(500).set_body_json(json!({"code": 400, "error": "wrong dbvendor"}))).await;
    assert_eq!((error.kind(), error.status(), error.code()), (ErrorKind::Rejected, Some(500), Some(400)));
}

#[tokio::test]
async fn a_bad_status_with_a_successful_envelope_is_classified_by_the_status() {
    let error = error_of(ResponseTemplate::new(500).set_body_json(json!({"code": 200, "data": {}}))).await;
    assert_eq!((error.kind(), error.status()), (ErrorKind::Server, Some(500)));
}

#[tokio::test]
async fn a_bad_status_with_framework_json_is_classified_by_the_status() {
    let spring = json!({"timestamp": "2026-01-01", "status": 500, "error": "Internal Server Error", "path": "/x"});
    let error = error_of(ResponseTemplate::new(500).set_body_json(spring)).await;
    assert_eq!((error.kind(), error.status(), error.code()), (ErrorKind::Server, Some(500), None));
    assert!(error.to_string().contains("Internal Server Error"), "{error}");
}

#[tokio::test]
async fn unknown_fields_of_an_envelope_are_kept() -> TestResult {
    let newer = json!({"code": 200, "data": {"total": 1}, "quota": {"left": 4}, "sessionId": "s1"});
    let server = Server::answering(JOBS, answer(newer)).await;
    let client = server.client();
    let envelope = client.api().display_user_jobs_summary(&DisplayUserJobsSummaryRequest::new()).await?.into_inner();
    assert_eq!(envelope.other["quota"]["left"], 4);
    assert_eq!(envelope.session_id.as_deref(), Some("s1"));
    Ok(())
}

/// `{"code":200,"data":{"total":7}}` with 100,000 spaces before its end, gzipped.
const BLANKS: &str = "H4sIAAAAAAACA+3BsQnAIBAAwFXC1ykkTcBtnpguYGMn7u4aKe5uxtPbG/Uq5YyWI6POGH3kF/VeBwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAPBbawN5cxVxv4YBAA==";

#[tokio::test]
async fn a_response_over_the_limit_is_refused_after_decompression() -> TestResult {
    let packed = STANDARD.decode(BLANKS)?;
    assert!(packed.len() < 1000);
    let packed = ResponseTemplate::new(200).set_body_bytes(packed).insert_header("Content-Encoding", "gzip");
    let server = Server::answering(JOBS, packed).await;
    let error = server.builder().max_response_bytes(50_000).build()?.jobs().await.expect_err("over the limit");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("50000 bytes"), "{error}");
    assert_eq!(total(&server.builder().max_response_bytes(200_000).build()?).await?, Some(7));
    Ok(())
}

#[tokio::test]
async fn a_used_up_quota_is_final_whatever_the_status_and_the_spelling() {
    let ways = json!({"personal_key": {"url": "https://k"}});
    let quota = json!({"code": 429, "error": "rate_limit_exceeded", "message": "50 a day", "upgrade": ways});
    let without_code = json!({"error": "rate_limit_exceeded", "upgrade": "https://k"});
    let with_mark = format!("\u{feff}{quota}");
    let mut responses = vec![answer(quota.clone()), answer(without_code.clone()), body(with_mark.clone())];
    for status in [403, 429, 500, 503, 504] {
        let response = ResponseTemplate::new(status);
        responses.push(response.clone().set_body_json(&quota));
        responses.push(response.clone().set_body_json(&without_code));
        responses.push(response.set_body_raw(with_mark.clone(), "application/json"));
    }
    for response in responses {
        let server = Server::start().await;
        server.everywhere(response).await;
        // With the default retry policy.
        let builder = Client::builder(server.url()).without_proxy();
        let sqlflow = builder.build().expect("a client");
        let error = sqlflow.jobs().await.expect_err("there are no calls left");
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::QuotaExceeded, false), "{error}");
        assert_eq!(error.request_outcome(), RequestOutcome::NotExecuted);
        assert!(error.to_string().contains("https://k"), "{error}");
        assert_eq!(server.sent().await.len(), 1);
    }
}
