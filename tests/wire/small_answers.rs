//! Responses that are small on every server are refused when they are large, before they are held, and when they are
//! slow. Lists have limits of their own.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlflow_client::job::Settling;
use sqlflow_client::{Client, Credentials, Error, ErrorKind, RequestOutcome, Vendor};

use crate::TestResult;
use crate::mock::{Server, no_jobs, success, token};
use crate::raw_server::{CHUNKED, Connection, RawServer, chunk, head};

const LIMIT: usize = 16 << 20;
const NO_JOBS: &str = r#"{"code":200,"data":{"total":0,"jobDetails":[]}}"#;
/// The time after which a test counts as hung.
const TOO_LONG: Duration = Duration::from_secs(30);

/// Returns the errors of every kind of call whose response is small.
async fn every_small_call(server: &RawServer) -> Vec<(&'static str, Error)> {
    let client = server.client();
    let (job, api) = (client.job("j1"), client.api());
    let ann = server.builder().credentials(Credentials::secret_key("ann", "a key")).build().expect("a client");
    vec![
        ("generateToken", ann.jobs().await.expect_err("no token")),
        ("displayUserJobSummary", job.info().await.expect_err("no state")),
        ("deleteUserJob", job.delete().await.expect_err("not deleted")),
        ("rerunJob", job.rerun().await.expect_err("not run again")),
        ("version", api.version().await.expect_err("no version")),
    ]
}

#[tokio::test]
async fn a_small_response_with_a_large_length_is_refused_before_it_arrives() -> TestResult {
    // Nothing follows the head, so that a client that waits for the body gets no further.
    let server = RawServer::start(|mut connection| async move {
        connection.request().await?;
        connection.send(head(1 << 30)).await?;
        connection.hold().await
    })
    .await?;
    for (operation, error) in tokio::time::timeout(TOO_LONG, every_small_call(&server)).await? {
        assert_eq!((error.kind(), error.operation()), (ErrorKind::TooLarge, Some(operation)), "{error}");
        assert!(error.to_string().contains("over 16777216 bytes"), "{error}");
        assert!(!error.is_retryable());
    }
    Ok(())
}

/// Writes a body in chunks for as long as the client reads it, and counts its bytes.
async fn endless(mut connection: Connection, beginning: &[u8], sent: Arc<AtomicUsize>) -> io::Result<()> {
    const PIECE: usize = 1 << 16;
    connection.request().await?;
    connection.send(CHUNKED).await?;
    connection.send(chunk(beginning)).await?;
    loop {
        connection.send(chunk(&vec![b' '; PIECE])).await?;
        sent.fetch_add(PIECE, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_small_response_without_a_length_is_refused_when_it_has_become_large() -> TestResult {
    for beginning in [&b"{"[..], br#"{"code":200,"data":{"jobId":"j1"#, b"[", b" "] {
        let sent = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&sent);
        let server = RawServer::start(move |connection| endless(connection, beginning, Arc::clone(&counted))).await?;
        let errors = tokio::time::timeout(TOO_LONG, every_small_call(&server)).await?;
        let calls = errors.len();
        for (operation, error) in errors {
            assert_eq!((error.kind(), error.operation()), (ErrorKind::TooLarge, Some(operation)), "{error}");
        }
        // What is beyond the limit is in the buffers of the connections.
        let sent = sent.load(Ordering::SeqCst);
        assert!(sent < calls * 2 * LIMIT, "{sent} bytes for {calls} calls");
    }
    Ok(())
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let stored = |part: &[u8], is_last: bool| {
        let length = u16::try_from(part.len()).expect("stored blocks are short");
        [&[u8::from(is_last)][..], &length.to_le_bytes(), &(!length).to_le_bytes(), part].concat()
    };
    let parts: Vec<_> = body.chunks(60_000).collect();
    let blocks = parts.iter().enumerate().map(|(place, part)| stored(part, place + 1 == parts.len()));
    [b"\x1f\x8b\x08\0\0\0\0\0\0\xff".to_vec(), blocks.collect::<Vec<_>>().concat()].concat()
}

#[tokio::test]
async fn a_compressed_small_response_is_refused_when_it_has_become_large() -> TestResult {
    let body = gzip(&[&b"{\"code\":200,"[..], &vec![b' '; LIMIT + 1]].concat());
    let head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n";
    let server = RawServer::writing([head.as_bytes(), &chunk(&body), &chunk(b"")].concat()).await?;
    for (operation, error) in every_small_call(&server).await {
        assert_eq!((error.kind(), error.operation()), (ErrorKind::TooLarge, Some(operation)), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn a_small_response_below_the_limit_is_read() -> TestResult {
    let server = Server::start().await;
    let blanks = " ".repeat(LIMIT - 1000);
    let body = format!(r#"{{"code":200,"data":{{"jobId":"j1","status":"success"}}{blanks}}}"#);
    server.everywhere(crate::mock::body(body)).await;
    assert_eq!(server.client().job("j1").info().await?.id.as_str(), "j1");
    Ok(())
}

fn is_submit(request: &[u8]) -> bool {
    request.windows(13).any(|window| window == b"submitUserJob")
}

/// Answers a submission in a way of its own, and every other request with an empty list.
async fn server_of_submissions<F, H>(answer: F) -> io::Result<RawServer>
where
    F: Fn(Connection) -> H + Clone + Send + Sync + 'static,
    H: Future<Output = io::Result<()>> + Send + 'static,
{
    RawServer::start(move |mut connection| {
        let answer = answer.clone();
        async move {
            let request = connection.head().await?;
            if is_submit(&request) {
                return answer(connection).await;
            }
            connection.send(format!("{}{NO_JOBS}", head(NO_JOBS.len()))).await
        }
    })
    .await
}

#[tokio::test]
async fn a_submission_with_a_large_response_is_looked_for_and_not_sent_again() -> TestResult {
    let submissions = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&submissions);
    let server = server_of_submissions(move |mut connection| {
        let counted = Arc::clone(&counted);
        async move {
            counted.fetch_add(1, Ordering::SeqCst);
            connection.send(head(1 << 30)).await?;
            connection.hold().await
        }
    })
    .await?;
    let error = server.client().submit(Vendor::Oracle).sql("a.sql", "select 1").await.expect_err("it is unknown");
    assert_eq!((error.kind(), submissions.load(Ordering::SeqCst)), (ErrorKind::SubmitUnknown, 1), "{error}");
    assert_eq!(error.request_outcome(), RequestOutcome::Unreadable);
    Ok(())
}

/// Writes a body byte by byte, each long before the stall timeout.
async fn drip(connection: &mut Connection, head: &str) -> io::Result<()> {
    connection.stream.set_nodelay(true)?;
    connection.send(head).await?;
    loop {
        tokio::time::sleep(Duration::from_millis(20)).await;
        connection.send(" ").await?;
    }
}

fn impatient(server: &RawServer) -> sqlflow_client::ClientBuilder {
    server.builder().small_response_timeout(Duration::from_millis(200)).stall_timeout(TOO_LONG)
}

async fn dripping(head: String) -> io::Result<RawServer> {
    RawServer::start(move |mut connection| {
        let head = head.clone();
        async move {
            connection.request().await?;
            drip(&mut connection, &head).await
        }
    })
    .await
}

#[tokio::test]
async fn a_small_response_that_drips_is_a_timeout() -> TestResult {
    for begun in ["", "{", r#"{"code":200,"#, "["] {
        let server = dripping(head(1000) + begun).await?;
        let client = impatient(&server).build()?;
        let error = tokio::time::timeout(TOO_LONG, client.job("j1").info()).await?.expect_err("it drips");
        assert_eq!((error.kind(), error.operation()), (ErrorKind::Timeout, Some("displayUserJobSummary")), "{error}");
        assert_eq!(error.request_outcome(), RequestOutcome::Incomplete);
        assert!(error.to_string().contains("small_response_timeout"), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn a_token_that_drips_holds_no_task_for_long() -> TestResult {
    let server = dripping(head(1000)).await?;
    let client = impatient(&server).credentials(Credentials::secret_key("ann", "a key")).build()?;
    let calls = (0..4).map(|_| client.job("j1").info());
    let calls = tokio::time::timeout(TOO_LONG, futures_util::future::join_all(calls)).await?;
    for call in calls {
        let error = call.expect_err("there is no token");
        assert_eq!((error.kind(), error.operation()), (ErrorKind::Timeout, Some("generateToken")), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn a_submission_whose_response_drips_is_looked_for_and_not_sent_again() -> TestResult {
    let submissions = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&submissions);
    let server = server_of_submissions(move |mut connection| {
        let counted = Arc::clone(&counted);
        async move {
            counted.fetch_add(1, Ordering::SeqCst);
            drip(&mut connection, &head(1000)).await
        }
    })
    .await?;
    let client =
        impatient(&server).settling(Settling::new().window(Duration::from_millis(50)).max_lookups(2)).build()?;
    let submit = client.submit(Vendor::Oracle).sql("a.sql", "select 1");
    let error = tokio::time::timeout(TOO_LONG, submit.send()).await?.expect_err("it is unknown");
    assert_eq!((error.kind(), submissions.load(Ordering::SeqCst)), (ErrorKind::SubmitUnknown, 1), "{error}");
    assert_eq!(error.request_outcome(), RequestOutcome::Incomplete);
    Ok(())
}

#[tokio::test]
async fn an_upload_may_take_longer_than_a_small_response() -> TestResult {
    // The server reads the upload more slowly than a response may arrive.
    let server = RawServer::start(|mut connection| async move {
        let request = connection.head().await?;
        if !is_submit(&request) {
            return connection.send(format!("{}{NO_JOBS}", head(NO_JOBS.len()))).await;
        }
        tokio::time::sleep(Duration::from_millis(600)).await;
        let answer = r#"{"code":200,"data":{"jobId":"j1","jobName":"a","status":"create"}}"#;
        connection.send(format!("{}{answer}", head(answer.len()))).await
    })
    .await?;
    let job = impatient(&server).build()?.submit(Vendor::Oracle).sql("a.sql", "select 1").await?;
    assert_eq!(job.id().as_str(), "j1");
    Ok(())
}

#[tokio::test]
async fn a_page_that_drips_keeps_its_kind_of_failure_for_every_operation() -> TestResult {
    let server = dripping("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 1000\r\n\r\n<html>".to_owned()).await?;
    let client = impatient(&server).build()?;
    let job = client.job("j1");
    for error in [
        tokio::time::timeout(TOO_LONG, job.info()).await?.expect_err("bad gateway"),
        tokio::time::timeout(TOO_LONG, job.export_full_lineage_as_csv().bytes()).await?.expect_err("bad gateway"),
        tokio::time::timeout(TOO_LONG, job.export_full_lineage_as_json().send()).await?.expect_err("bad gateway"),
    ] {
        assert_eq!((error.kind(), error.status()), (ErrorKind::Server, Some(502)), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn an_export_may_take_longer_than_a_small_response() -> TestResult {
    let server = RawServer::start(|mut connection| async move {
        connection.request().await?;
        connection.send(CHUNKED).await?;
        for _ in 0..8 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            connection.send(chunk(b"a,b\n")).await?;
        }
        connection.send(chunk(b"")).await
    })
    .await?;
    let csv = impatient(&server).build()?.job("j1").export_full_lineage_as_csv().bytes().await?;
    assert_eq!(csv.len(), 32);
    Ok(())
}

/// Returns the body of a list of jobs that has about this length.
fn list(bytes: usize) -> String {
    let job = r#"{"jobId":"j1","jobName":"nightly","status":"success"}"#;
    let jobs = vec![job; bytes.div_ceil(job.len())];
    format!(r#"{{"code":200,"data":{{"total":{},"jobDetails":[{}]}}}}"#, jobs.len(), jobs.join(","))
}

#[tokio::test]
async fn a_list_has_a_limit_of_its_own_and_a_stream_of_jobs_has_none() -> TestResult {
    const MAX: u64 = 100_000;
    let server = Server::start().await;
    server.everywhere(crate::mock::body(list(200_000))).await;
    let client = server.builder().max_list_bytes(MAX).build()?;
    for error in [
        client.jobs().await.expect_err("it is over the limit"),
        client.find_job("nightly").await.map(|_| ()).expect_err("it is over the limit"),
    ] {
        assert_eq!((error.kind(), error.operation()), (ErrorKind::TooLarge, Some("displayUserJobsSummary")));
        assert!(error.to_string().contains("max_list_bytes"), "{error}");
    }
    let (mut jobs, mut count) = (client.jobs().stream(), 0);
    while jobs.try_next().await?.is_some() {
        count += 1;
    }
    assert!(count > 3_000, "{count}");
    assert!(server.client().jobs().await?.jobs.len() > 3_000);
    // A small response is not a list, and a list is not a small response.
    server_with_large_list().await
}

async fn server_with_large_list() -> TestResult {
    let server = Server::start().await;
    server.everywhere(crate::mock::body(list(LIMIT + 1000))).await;
    assert!(server.client().jobs().await?.jobs.len() > 100_000);
    Ok(())
}

#[tokio::test]
async fn a_list_with_a_large_length_is_refused_before_it_arrives() -> TestResult {
    let server = RawServer::start(|mut connection| async move {
        connection.request().await?;
        connection.send(head(1 << 30)).await?;
        connection.hold().await
    })
    .await?;
    let error = tokio::time::timeout(TOO_LONG, server.client().jobs().send()).await?.expect_err("it is over the limit");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    Ok(())
}

#[tokio::test]
async fn a_list_that_drips_is_a_timeout() -> TestResult {
    let server = dripping(head(1000)).await?;
    let client: Client = impatient(&server).build()?;
    let error = tokio::time::timeout(TOO_LONG, client.jobs().send()).await?.expect_err("it drips");
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Timeout, Some("displayUserJobsSummary")), "{error}");
    Ok(())
}

#[tokio::test]
async fn an_ordinary_server_notices_no_limit() -> TestResult {
    let server = Server::start().await;
    server.on(crate::mock::GENERATE_TOKEN, token("t1")).await;
    server.on(crate::mock::JOBS, no_jobs()).await;
    server.on(crate::mock::SUMMARY, success(crate::mock::job("success"))).await;
    let client = server.client_with_secret_key();
    assert_eq!(client.jobs().await?.total, Some(0));
    assert_eq!(client.job("j1").info().await?.id.as_str(), "j1");
    Ok(())
}
