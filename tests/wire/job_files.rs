//! The files of a job that are not its lineage: metadata, files of batches, Parquet.

use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::json;
use sqlflow_client::{ErrorKind, JobId};
use wiremock::ResponseTemplate;

use crate::TestResult;
use crate::mock::{Server, answer, body, failure, in_turn, page, success};
use crate::raw_server::{RawServer, head};
use crate::sent::{Fields, fields};

const METADATA: &str = "/sqlflow/job/exportMetadata";
const DATABASE_METADATA: &str = "/sqlflow/job/exportDatabaseMetadata";
const SUB_JOB_FILE: &str = "/sqlflow/job/download/subJobFile";
const GENERATE_PARQUET: &str = "/sqlflow/job/generate/parquet";
const PARQUET: &str = "/sqlflow/job/download/parquet";
const USER: (&str, &str) = ("userId", "gudu|0123456789");
const TOKEN: (&str, &str) = ("token", "token");

/// The bytes of a file that is no text.
const BINARY: &[u8] = b"PAR1\x00\xff\xfe{\x80PAR1";

fn file(bytes: &[u8]) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(bytes, "application/octet-stream")
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect("the directory is there");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

#[tokio::test]
async fn the_metadata_of_a_job_is_written_to_a_file() -> TestResult {
    let metadata = r#"{"createdBy":"sqlflow","servers":[{"name":"db"}]}"#;
    let server = Server::answering(METADATA, file(metadata.as_bytes())).await;
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("metadata.json");
    let length = server.client().job("j1").export_metadata().to_file(&path).await?;
    assert_eq!((length, std::fs::read_to_string(&path)?), (metadata.len() as u64, metadata.to_owned()));
    assert_eq!(names(directory.path()), ["metadata.json"]);
    let sent = server.only().await;
    assert_eq!((sent.method.as_str(), sent.body.len()), ("GET", 0));
    assert_eq!(sent.query(), fields([("jobId", "j1"), USER]), "the operation takes no token");
    Ok(())
}

#[tokio::test]
async fn the_database_metadata_of_a_job_is_requested_with_credentials_in_the_body() -> TestResult {
    let server = Server::answering(DATABASE_METADATA, file(br#"{"tables":[]}"#)).await;
    let job = server.client().job("j1");
    assert_eq!(job.export_database_metadata().await?, r#"{"tables":[]}"#);
    assert_eq!(job.export_database_metadata().query_source(true).send().await?, r#"{"tables":[]}"#);
    let sent = server.sent().await;
    assert_eq!((sent[0].method.as_str(), sent[0].query()), ("POST", Fields::new()));
    assert_eq!(sent[0].form(), fields([USER, TOKEN, ("jobId", "j1")]));
    assert_eq!(sent[1].form(), fields([USER, TOKEN, ("jobId", "j1"), ("displayQuerySource", "true")]));
    Ok(())
}

#[tokio::test]
async fn a_file_of_a_batch_is_requested_by_its_name() -> TestResult {
    let server = Server::answering(SUB_JOB_FILE, file(b"select 1 -- \xe4")).await;
    let bytes = server.client().job("j 1").sub_job_file("7", "a & b/ä.sql").await?;
    assert_eq!(&bytes[..], b"select 1 -- \xe4");
    let sent = server.only().await;
    assert_eq!((sent.method.as_str(), sent.body.len()), ("GET", 0));
    let expected = [("jobId", "j 1"), ("batchId", "7"), ("fileName", "a & b/ä.sql"), USER, TOKEN];
    assert_eq!(sent.query(), fields(expected));
    Ok(())
}

#[tokio::test]
async fn a_parquet_file_is_generated_and_then_downloaded() -> TestResult {
    let server = Server::answering(GENERATE_PARQUET, answer(json!({"code": 200}))).await;
    server.on(PARQUET, file(BINARY)).await;
    let job = server.client().job("j1");
    job.generate_parquet("7").await?;
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("lineage.parquet");
    let last = Arc::new(Mutex::new(0));
    let seen = Arc::clone(&last);
    let download = job.parquet("7").on_progress(move |progress| *seen.lock().unwrap() = progress.received());
    assert_eq!(download.to_file(&path).await?, BINARY.len() as u64);
    assert_eq!(std::fs::read(&path)?, BINARY);
    assert_eq!(*last.lock().unwrap(), BINARY.len() as u64);
    let sent = server.sent().await;
    assert_eq!(sent[0].form(), fields([USER, TOKEN, ("jobId", "j1"), ("batchId", "7")]));
    assert_eq!(sent[1].query(), fields([("jobId", "j1"), ("batchId", "7"), USER, TOKEN]));
    Ok(())
}

#[tokio::test]
async fn a_parquet_file_that_may_have_been_generated_is_not_generated_again() {
    let server = Server::answering(GENERATE_PARQUET, page(502, "<html>bad gateway</html>")).await;
    let client = server.builder().retry(sqlflow_client::retry::Backoff::new()).build().unwrap();
    let error = client.job("j1").generate_parquet("7").await.expect_err("it failed");
    assert_eq!((error.operation(), error.job_id().map(JobId::as_str)), (Some("generateParquet"), Some("j1")));
    assert_eq!(server.sent().await.len(), 1);
}

#[tokio::test]
async fn a_download_of_a_file_is_retried_from_the_start() -> TestResult {
    let server = Server::answering(PARQUET, in_turn([page(503, "<html>busy</html>"), file(BINARY)])).await;
    let backoff = sqlflow_client::retry::Backoff::new().base_delay(std::time::Duration::from_millis(1));
    let client = server.builder().retry(backoff).build()?;
    assert_eq!(&client.job("j1").parquet("7").bytes().await?[..], BINARY);
    assert_eq!(server.sent().await.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_failure_in_place_of_a_file_is_an_error_and_leaves_nothing_behind() -> TestResult {
    for (response, kind) in [
        (failure(500, "no metadata"), ErrorKind::Server),
        (failure(404, "no such job"), ErrorKind::JobNotFound),
        (failure(401, "access deny"), ErrorKind::Authentication),
        (answer(json!({"code": 200})), ErrorKind::Protocol),
        (success(json!({"tables": []})), ErrorKind::Protocol),
        (page(200, "<!doctype html><html>login</html>"), ErrorKind::Protocol),
    ] {
        let server = Server::start().await;
        server.everywhere(response).await;
        let job = server.client().job("j1");
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("x");
        let errors = [
            job.export_metadata().to_file(&path).await.expect_err("it failed"),
            job.export_database_metadata().to_file(&path).await.expect_err("it failed"),
            job.sub_job_file("1", "a.sql").to_file(&path).await.expect_err("it failed"),
            job.parquet("1").to_file(&path).await.expect_err("it failed"),
        ];
        for error in errors {
            assert_eq!(error.kind(), kind, "{error}");
            assert_eq!(error.job_id().map(JobId::as_str), Some("j1"));
        }
        assert_eq!(names(directory.path()), [""; 0]);
    }
    Ok(())
}

#[tokio::test]
async fn a_file_that_is_json_is_returned_unchanged() -> TestResult {
    let large = format!(r#"{{"tables":["{}"]}}"#, "t".repeat(300_000));
    for text in [r#"{"tables":[]}"#.to_owned(), "[1]".to_owned(), large] {
        let server = Server::start().await;
        server.everywhere(body(text.clone())).await;
        let job = server.client().job("j1");
        assert!(job.export_metadata().await? == text);
        assert!(job.sub_job_file("1", "a.json").await? == text);
    }
    Ok(())
}

#[tokio::test]
async fn a_file_that_breaks_off_leaves_the_older_file_unchanged() -> TestResult {
    let server = RawServer::writing(format!("{}PAR1", head(1000))).await?;
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("x.parquet");
    std::fs::write(&path, "older")?;
    let error = server.client().job("j1").parquet("1").to_file(&path).await.expect_err("it breaks off");
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert_eq!(std::fs::read_to_string(&path)?, "older");
    assert_eq!(names(directory.path()), ["x.parquet"]);
    Ok(())
}

#[tokio::test]
async fn an_empty_batch_id_or_file_name_is_named_before_anything_is_sent() {
    let server = Server::start().await;
    let job = server.client().job("j1");
    for (error, option) in [
        (job.sub_job_file(" ", "a.sql").bytes().await.expect_err("no batch"), "batch_id"),
        (job.sub_job_file("1", "").bytes().await.expect_err("no file"), "file_name"),
        (job.parquet("").bytes().await.expect_err("no batch"), "batch_id"),
        (job.generate_parquet("").await.expect_err("no batch"), "batch_id"),
        (server.client().job("").export_metadata().bytes().await.expect_err("no job"), "job id"),
        (server.client().job("").generate_parquet("1").await.expect_err("no job"), "job id"),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(option), "{option}: {error}");
    }
    assert!(server.sent().await.is_empty());
}

#[tokio::test]
async fn downloads_can_be_spawned() -> TestResult {
    let server = Server::answering(PARQUET, file(BINARY)).await;
    server.on(GENERATE_PARQUET, answer(json!({"code": 200}))).await;
    let job = server.client().job("j1");
    tokio::spawn(job.generate_parquet("7")).await??;
    assert_eq!(tokio::spawn(job.parquet("7").bytes()).await??.len(), BINARY.len());
    Ok(())
}

#[tokio::test]
async fn a_failure_is_never_stored_as_a_file() -> TestResult {
    let spring = r#"{"timestamp":"2026-11-26T10:00:00Z","status":500,"error":"Internal Server Error","path":"/x"}"#;
    let bodies = ["", spring, r#"{"error":"boom"}"#, r#"{"code":500,"error":"boo"#, "Internal error"];
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("x");
    for body in bodies {
        let server = Server::answering(PARQUET, file(body.as_bytes())).await;
        let error = server.client().job("j1").parquet("1").to_file(&path).await.expect_err(body);
        assert!(matches!(error.kind(), ErrorKind::Protocol | ErrorKind::Server | ErrorKind::Interrupted), "{error}");
    }
    for body in [spring, r#"{"error":"boom"}"#] {
        let server = Server::answering(METADATA, file(body.as_bytes())).await;
        server.on(SUB_JOB_FILE, file(body.as_bytes())).await;
        let job = server.client().job("j1");
        for error in [
            job.export_metadata().to_file(&path).await.expect_err(body),
            job.sub_job_file("1", "a.json").to_file(&path).await.expect_err(body),
        ] {
            assert_eq!(error.kind(), ErrorKind::Server, "{error}");
            assert!(error.to_string().contains("boom") || error.to_string().contains("Internal Server"), "{error}");
        }
    }
    assert!(names(directory.path()).is_empty());
    Ok(())
}
