//! Uploads: file names, multipart parts, and lengths.

use std::io::{Cursor, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlflow_client::job::{Database, JobStatus};
use sqlflow_client::{ErrorKind, Vendor};
use tokio::io::AsyncReadExt as _;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use crate::TestResult;
use crate::mock::{SUBMIT, Server, answer, failure, state};
use crate::raw_server::{Connection, RawServer};
use crate::sent::SentPart;

async fn server() -> Server {
    Server::answering(SUBMIT, state("create")).await
}

fn write(directory: &Path, name: &str, content: impl AsRef<[u8]>) -> std::io::Result<PathBuf> {
    let path = directory.join(name);
    std::fs::create_dir_all(path.parent().unwrap_or(directory))?;
    std::fs::write(&path, content)?;
    Ok(path)
}

fn file(name: &str, content: &str) -> SentPart {
    SentPart { name: "sqlfiles".to_owned(), file_name: Some(name.to_owned()), content: content.into() }
}

/// Returns the names and contents of the entries of a zip.
fn members(zip: &[u8]) -> zip::result::ZipResult<Vec<(String, String)>> {
    let mut archive = ZipArchive::new(Cursor::new(zip))?;
    let mut members = Vec::new();
    for index in 0..archive.len() {
        let mut member = archive.by_index(index)?;
        let mut content = String::new();
        member.read_to_string(&mut content)?;
        members.push((member.name()?.to_string(), content));
    }
    Ok(members)
}

#[tokio::test]
async fn several_files_arrive_as_several_parts_with_the_same_name_in_order() -> TestResult {
    let server = server().await;
    let home = tempfile::tempdir()?;
    let path = write(home.path(), "b.sql", "select 2")?;
    let submit = server.client().submit(Vendor::Oracle).sql("z.sql", "select 1").file(path).sql("a.sql", "select 3");
    submit.await?;
    let files = server.only().await.files();
    assert_eq!(files, [file("z.sql", "select 1"), file("b.sql", "select 2"), file("a.sql", "select 3")]);
    Ok(())
}

#[tokio::test]
async fn file_names_with_spaces_quotes_and_umlauts_arrive_unchanged() -> TestResult {
    let server = server().await;
    let home = tempfile::tempdir()?;
    let names = ["two words.sql", "say \"hi\".sql", "größe.sql", "表.sql", "a;b=c.sql", "100%.sql", "it's.sql"];
    let mut submit = server.client().submit(Vendor::Oracle).name("n");
    for (index, name) in names.into_iter().enumerate() {
        submit = if index % 2 == 0 { submit.file(write(home.path(), name, "1")?) } else { submit.sql(name, "1") };
    }
    submit.await?;
    let arrived: Vec<_> = server.only().await.files().into_iter().filter_map(|file| file.file_name).collect();
    assert_eq!(arrived, names);
    Ok(())
}

#[tokio::test]
async fn a_file_name_with_a_line_break_cannot_add_a_header_to_its_part() -> TestResult {
    let server = server().await;
    server.client().submit(Vendor::Oracle).name("n").sql("a\r\nX-Evil: yes\n.sql", "select 1").await?;
    let sent = server.only().await;
    let body = String::from_utf8(sent.body)?;
    assert!(!body.lines().any(|line| line.starts_with("X-Evil")), "{body}");
    Ok(())
}

#[tokio::test]
async fn the_bytes_of_a_file_arrive_unchanged() -> TestResult {
    let server = server().await;
    let home = tempfile::tempdir()?;
    // The bytes are neither text nor anything that looks like the end of a part.
    let content: Vec<u8> = (0..=255).chain(*b"\r\n--\r\n--x--\r\n").cycle().take(300_000).collect();
    let path = write(home.path(), "odd.sql", &content)?;
    server.client().submit(Vendor::Oracle).file(path).sql("m.sql", content.clone()).await?;
    let files = server.only().await.files();
    assert!(files[0].content == content && files[1].content == content);
    Ok(())
}

#[tokio::test]
async fn an_upload_has_a_content_length() -> TestResult {
    let server = server().await;
    let home = tempfile::tempdir()?;
    let path = write(home.path(), "a.sql", "select 1 ".repeat(50_000))?;
    let directory = home.path().join("etl");
    write(&directory, "b.sql", "select 2")?;
    server.client().submit(Vendor::Oracle).file(path).sql("m.sql", "select 3").path(directory).await?;
    let sent = server.only().await;
    assert_eq!(sent.header("content-length"), Some(sent.body.len().to_string().as_str()));
    assert_eq!(sent.header("transfer-encoding"), None);
    Ok(())
}

#[tokio::test]
async fn a_directory_arrives_as_one_zip_with_its_paths() -> TestResult {
    let server = server().await;
    let home = tempfile::tempdir()?;
    let etl = home.path().join("etl");
    write(&etl, "b.sql", "select 2")?;
    write(&etl, "views/ä.sql", "select 1")?;
    server.client().submit(Vendor::Oracle).path(&etl).await?;
    let sent = server.only().await;
    let is_named = |(name, value): &(String, String)| name == "jobName" && value.starts_with("etl-");
    assert!(sent.fields().iter().any(is_named));
    let files = sent.files();
    assert_eq!(files.len(), 1);
    assert_eq!((files[0].name.as_str(), files[0].file_name.as_deref()), ("sqlfiles", Some("etl.zip")));
    let expected = [("b.sql", "select 2"), ("views/ä.sql", "select 1")];
    assert_eq!(members(&files[0].content)?, expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
    Ok(())
}

#[tokio::test]
async fn an_existing_zip_arrives_byte_for_byte() -> TestResult {
    let server = server().await;
    let home = tempfile::tempdir()?;
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("a.sql", SimpleFileOptions::default())?;
    zip.write_all(b"select 1")?;
    let bytes = zip.finish()?.into_inner();
    let path = write(home.path(), "ready.zip", &bytes)?;
    server.client().submit(Vendor::Oracle).zip(path).await?;
    let files = server.only().await.files();
    assert_eq!(files[0].file_name.as_deref(), Some("ready.zip"));
    assert_eq!(files[0].content, bytes);
    Ok(())
}

#[tokio::test]
async fn an_empty_file_arrives_as_an_empty_part() -> TestResult {
    let server = server().await;
    let home = tempfile::tempdir()?;
    server.client().submit(Vendor::Oracle).file(write(home.path(), "empty.sql", "")?).await?;
    assert_eq!(server.only().await.files(), [file("empty.sql", "")]);
    Ok(())
}

#[tokio::test]
async fn a_job_that_reads_a_database_needs_no_file() -> TestResult {
    let server = server().await;
    server.client().submit(Vendor::Oracle).name("n").database(Database::new("db.example.com")).await?;
    let sent = server.only().await;
    assert_eq!(sent.files(), []);
    assert!(sent.fields().contains(&("hostname".to_owned(), "db.example.com".to_owned())));
    Ok(())
}

#[tokio::test]
async fn the_response_to_a_submission_is_the_job() -> TestResult {
    let server = server().await;
    let job = server.client().submit(Vendor::Oracle).sql("a.sql", "select 1").await?;
    assert_eq!(job.id().as_str(), "j1");
    Ok(())
}

#[tokio::test]
async fn a_partially_successful_submission_is_a_job() -> TestResult {
    let partial = answer(serde_json::json!({"code": 203, "data": {"jobId": "j1"}, "error": "one file skipped"}));
    let server = Server::answering(SUBMIT, partial).await;
    assert_eq!(server.client().submit(Vendor::Oracle).sql("a.sql", "select 1").await?.id().as_str(), "j1");
    Ok(())
}

#[tokio::test]
async fn a_submission_is_sent_once_and_then_watched() -> TestResult {
    let server = server().await;
    server.on(crate::mock::SUMMARY, state("success")).await;
    let done = server.client().submit(Vendor::Oracle).sql("a.sql", "select 1").await?.wait().await?;
    assert_eq!(done.info().status, JobStatus::Success);
    assert_eq!(server.sent_to(SUBMIT).await.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_failed_submission_names_its_operation() {
    let server = Server::answering(SUBMIT, failure(500, "no")).await;
    let error = server.client().submit(Vendor::Oracle).sql("a.sql", "select 1").await.expect_err("it failed");
    assert_eq!(error.operation(), Some("submitUserJob"));
}

#[tokio::test]
async fn a_full_work_queue_refuses_a_submission_as_busy_without_a_retry() {
    let server = Server::answering(SUBMIT, failure(500, "Sorry, the service is busy. Please try again later.")).await;
    let error = server.client().submit(Vendor::Oracle).sql("a.sql", "select 1").await.expect_err("busy");
    assert_eq!(error.kind(), ErrorKind::Busy);
    assert_eq!(server.sent().await.len(), 1);
}

#[tokio::test]
async fn a_response_to_a_submission_without_a_job_is_an_error() {
    for data in [serde_json::json!(null), serde_json::json!(""), serde_json::json!({"status": "create"})] {
        let server = Server::answering(SUBMIT, crate::mock::success(data)).await;
        let error = server.client().submit(Vendor::Oracle).sql("a.sql", "select 1").await.expect_err("no job");
        assert_eq!((error.kind(), error.operation()), (ErrorKind::SubmitUnknown, Some("submitUserJob")), "{error}");
    }
}

#[tokio::test]
async fn the_response_of_a_proxy_that_refuses_an_upload_early_is_read() -> TestResult {
    // This is what nginx does over its client_max_body_size: it responds at once, and continues to read for a while.
    let server = RawServer::start(|mut connection| async move {
        connection.head().await?;
        let html = "<html>413 Request Entity Too Large</html>";
        let head = format!("HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", html.len());
        connection.send(head + html).await?;
        connection.hold().await
    })
    .await?;
    let home = tempfile::tempdir()?;
    let path = write(home.path(), "large.sql", vec![b' '; 20_000_000])?;
    let error = server.client().submit(Vendor::Oracle).file(path).await.expect_err("refused");
    assert_eq!((error.kind(), error.status()), (ErrorKind::TooLarge, Some(413)));
    Ok(())
}

/// Reads most of an upload slowly, so that it takes longer than [`RESPONSE_TIMEOUT`], then accepts it.
async fn read_slowly(mut connection: Connection) -> std::io::Result<()> {
    const PIECE: usize = 1 << 20;
    connection.head().await?;
    let mut piece = vec![0; PIECE];
    // The rest is left to the code that closes the connection: the bytes that came with the head are not counted.
    for number in 0..SLOW / PIECE - 2 {
        if number < (SLOW - BUFFERED) / PIECE {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        connection.stream.read_exact(&mut piece).await?;
    }
    let body = r#"{"code":200,"data":{"jobId":"j1","status":"create"}}"#;
    connection.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())).await?;
    connection.hold().await
}

const SLOW: usize = 32 << 20;
/// A size that exceeds the buffers of a connection. Buffered bytes count as sent, so they are read at once: on a busy
/// machine the pauses between the reads would add up to the timeout.
const BUFFERED: usize = 8 << 20;
/// Half of the time that the upload takes.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(250);

#[tokio::test]
async fn sending_a_file_may_take_longer_than_the_response_timeout() -> TestResult {
    let server = RawServer::start(read_slowly).await?;
    let home = tempfile::tempdir()?;
    let path = write(home.path(), "large.sql", vec![b' '; SLOW])?;
    let client = server.builder().response_timeout(RESPONSE_TIMEOUT).build()?;
    client.submit(Vendor::Oracle).file(path).await?;
    Ok(())
}

#[tokio::test]
async fn sending_sql_from_memory_may_take_longer_than_the_response_timeout() -> TestResult {
    // The timeout starts with the last byte sent, wherever the bytes come from.
    let server = RawServer::start(read_slowly).await?;
    let client = server.builder().response_timeout(RESPONSE_TIMEOUT).build()?;
    client.submit(Vendor::Oracle).sql("large.sql", vec![b' '; SLOW]).await?;
    Ok(())
}
