//! Connections that are refused, reset, cut short or silent: the error is the right one, and nothing is sent twice.

use std::time::Duration;

use sqlflow_client::{Credentials, ErrorKind, JobId, Vendor};

use crate::TestResult;
use crate::mock::builder;
use crate::raw_server::{CHUNKED, RawServer, chunk, closed_port, head};

const NO_JOBS: &str = r#"{"code":200,"data":{"total":0,"jobDetails":[]}}"#;

/// A short timeout, for servers that stay silent.
const SOON: Duration = Duration::from_millis(100);
/// The time after which a test counts as hung.
const TOO_LONG: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_refused_connection_names_the_server_and_sent_nothing() -> TestResult {
    let address = format!("127.0.0.1:{}", closed_port().await?);
    let error = builder(&address).build()?.jobs().await.expect_err("nobody listens");
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Connect, Some("displayUserJobsSummary")));
    let text = error.to_string();
    assert!(text.contains(&address) && text.contains("refused") && text.contains("nothing was sent"), "{text}");
    Ok(())
}

#[tokio::test]
async fn a_refused_connection_for_a_token_request_is_reported_as_such() -> TestResult {
    let address = format!("127.0.0.1:{}", closed_port().await?);
    let client = builder(&address).credentials(Credentials::secret_key("ann", "key")).build()?;
    let error = client.jobs().await.expect_err("nobody listens");
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Connect, Some("generateToken")));
    Ok(())
}

#[tokio::test]
async fn a_refused_connection_for_an_upload_says_that_a_retry_is_safe() -> TestResult {
    let client = builder(&format!("127.0.0.1:{}", closed_port().await?)).build()?;
    let error = client.submit(Vendor::Oracle).sql("a.sql", "select 1").await.expect_err("nobody listens");
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Connect, Some("submitUserJob")));
    Ok(())
}

#[tokio::test]
async fn a_connection_closed_without_a_response_is_interrupted() -> TestResult {
    let server = RawServer::writing("").await?;
    let error = server.client().jobs().await.expect_err("it was closed");
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Interrupted, Some("displayUserJobsSummary")));
    Ok(())
}

#[tokio::test]
async fn a_connection_reset_before_the_response_is_interrupted() -> TestResult {
    let server = RawServer::start(|connection| async move {
        // A connection that is closed with unread bytes is reset.
        connection.stream.readable().await
    })
    .await?;
    let error = server.client().jobs().await.expect_err("it was reset");
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    Ok(())
}

fn submits(server: &RawServer) -> usize {
    server.sent().iter().filter(|sent| sent.target.ends_with("submitUserJob")).count()
}

#[tokio::test]
async fn a_submission_whose_response_was_lost_is_not_resent() -> TestResult {
    let server = RawServer::writing("").await?;
    let error = server.client().submit(Vendor::Oracle).sql("a.sql", "select 1").await.expect_err("lost");
    assert_eq!((error.kind(), error.operation()), (ErrorKind::SubmitUnknown, Some("submitUserJob")));
    let name = error.job_name().expect("a name to look for");
    assert!(name.starts_with("a.sql-") && error.to_string().contains(name), "{error}");
    assert_eq!(submits(&server), 1);
    Ok(())
}

#[tokio::test]
async fn a_submission_on_a_connection_that_the_server_has_closed_is_sent_once() -> TestResult {
    // The first response leaves a connection open for reuse, which the server then closes.
    let kept = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{NO_JOBS}", NO_JOBS.len());
    let server = RawServer::start(move |mut connection| {
        let kept = kept.clone();
        async move {
            connection.request().await?;
            connection.send(kept).await?;
            connection.request().await
        }
    })
    .await?;
    let client = server.client();
    client.jobs().await?;
    let error = client.submit(Vendor::Oracle).sql("a.sql", "select 1").await.expect_err("it was closed");
    assert_eq!(error.kind(), ErrorKind::SubmitUnknown);
    assert_eq!(submits(&server), 1);
    Ok(())
}

#[tokio::test]
async fn a_truncated_body_is_interrupted() -> TestResult {
    let announced = format!("{}{}", head(NO_JOBS.len()), &NO_JOBS[..20]);
    let chunked = [CHUNKED.as_bytes(), &chunk(&NO_JOBS.as_bytes()[..20])].concat();
    for answer in [announced.into_bytes(), chunked] {
        let server = RawServer::writing(answer).await?;
        let error = server.client().jobs().await.expect_err("it was cut short");
        assert_eq!((error.kind(), error.operation()), (ErrorKind::Interrupted, Some("displayUserJobsSummary")));
        assert!(error.to_string().contains("truncated"), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn valid_json_shorter_than_its_content_length_is_interrupted() -> TestResult {
    let server = RawServer::writing(format!("{}{NO_JOBS}", head(NO_JOBS.len() + 1))).await?;
    assert_eq!(server.client().jobs().await.expect_err("it was cut short").kind(), ErrorKind::Interrupted);
    Ok(())
}

#[tokio::test]
async fn truncated_bytes_of_an_export_name_the_operation() -> TestResult {
    let server = RawServer::writing(head(1000) + "source_db\n").await?;
    let error = server.client().job("j1").export_full_lineage_as_csv().await.expect_err("it was cut short");
    assert_eq!(error.operation(), Some("exportFullLineageAsCsv"));
    Ok(())
}

#[tokio::test]
async fn a_truncated_stream_yields_one_error_and_then_ends() -> TestResult {
    let server = RawServer::writing(head(1000) + "source_db\n").await?;
    let mut stream = server.client().job("j1").export_full_lineage_as_csv().stream().await?;
    let mut received = Vec::new();
    let error = loop {
        match stream.try_next().await {
            Ok(Some(piece)) => received.extend_from_slice(&piece),
            Ok(None) => panic!("an answer that broke off looks whole"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert_eq!(received, b"source_db\n");
    assert!(stream.try_next().await?.is_none());
    Ok(())
}

#[tokio::test]
async fn a_truncated_lineage_is_interrupted() -> TestResult {
    let server = RawServer::writing(head(1000) + r#"{"code":200,"data":{"dbobjs":["#).await?;
    let error = server.client().job("j1").export_full_lineage_as_json().await.expect_err("it was cut short");
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Interrupted, Some("exportFullLineageAsJson")));
    Ok(())
}

#[tokio::test]
async fn a_lineage_truncated_after_its_first_chunks_is_interrupted() -> TestResult {
    let objects = r#"{"id":"1","name":"T","type":"table"},"#.repeat(10_000);
    let start = format!(r#"{{"code":200,"data":{{"dbobjs":[{objects}"#);
    let server = RawServer::writing(head(10_000_000) + &start).await?;
    let error = server.client().job("j1").export_full_lineage_as_json().await.expect_err("it was cut short");
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Interrupted, Some("exportFullLineageAsJson")));
    Ok(())
}

#[tokio::test]
async fn a_response_that_is_not_http_is_reported() -> TestResult {
    let server = RawServer::writing("SSH-2.0-OpenSSH_9.6\r\n").await?;
    let error = server.client().jobs().await.expect_err("no HTTP");
    assert!(matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::Protocol), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn a_server_that_never_responds_is_a_timeout() -> TestResult {
    let server = RawServer::start(|mut connection| async move {
        connection.request().await?;
        connection.hold().await
    })
    .await?;
    let error = server.builder().response_timeout(SOON).build()?.jobs().await.expect_err("no answer");
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Timeout, Some("displayUserJobsSummary")));
    assert!(error.to_string().contains("100ms"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_body_that_stalls_ends_after_the_stall_timeout() -> TestResult {
    for begun in ["", "{", &NO_JOBS[..20]] {
        let start = head(NO_JOBS.len()) + begun;
        let server = RawServer::start(move |mut connection| {
            let start = start.clone();
            async move {
                connection.request().await?;
                connection.send(start).await?;
                connection.hold().await
            }
        })
        .await?;
        let client = server.builder().stall_timeout(SOON).build()?;
        let error = tokio::time::timeout(TOO_LONG, client.jobs()).await?.expect_err("it stalls");
        assert_eq!((error.kind(), error.operation()), (ErrorKind::Interrupted, Some("displayUserJobsSummary")));
        assert!(error.to_string().contains(&format!("100ms after {} bytes", begun.len())), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn stalled_bytes_of_an_export_are_interrupted_and_name_the_job() -> TestResult {
    let server = RawServer::start(|mut connection| async move {
        connection.request().await?;
        connection.send(head(1000) + "source_db\n").await?;
        connection.hold().await
    })
    .await?;
    let job = server.builder().stall_timeout(SOON).build()?.job("j1");
    let error = job.export_full_lineage_as_csv().await.expect_err("it stalls");
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert_eq!(error.job_id().map(JobId::as_str), Some("j1"));
    Ok(())
}

#[tokio::test]
async fn a_stalled_page_of_a_proxy_keeps_its_kind_of_failure() -> TestResult {
    let server = RawServer::start(|mut connection| async move {
        connection.request().await?;
        connection.send("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 1000\r\n\r\n<html>").await?;
        connection.hold().await
    })
    .await?;
    let error = server.builder().stall_timeout(SOON).build()?.jobs().await.expect_err("bad gateway");
    assert_eq!((error.kind(), error.status()), (ErrorKind::Server, Some(502)));
    Ok(())
}

#[tokio::test]
async fn a_slow_steady_body_may_take_longer_than_the_stall_timeout() -> TestResult {
    let server = RawServer::start(|mut connection| async move {
        connection.request().await?;
        connection.send(CHUNKED).await?;
        for piece in NO_JOBS.as_bytes().chunks(NO_JOBS.len() / 8) {
            tokio::time::sleep(Duration::from_millis(50)).await;
            connection.send(chunk(piece)).await?;
        }
        connection.send(chunk(b"")).await
    })
    .await?;
    let client = server.builder().stall_timeout(Duration::from_millis(300)).build()?;
    assert_eq!(client.jobs().await?.total, Some(0));
    Ok(())
}

#[tokio::test]
async fn a_body_that_arrives_byte_by_byte_is_read() -> TestResult {
    let server = RawServer::start(|mut connection| async move {
        connection.stream.set_nodelay(true)?;
        connection.request().await?;
        for byte in (head(NO_JOBS.len()) + NO_JOBS).bytes() {
            connection.send([byte]).await?;
        }
        Ok(())
    })
    .await?;
    assert_eq!(server.client().jobs().await?.total, Some(0));
    Ok(())
}
