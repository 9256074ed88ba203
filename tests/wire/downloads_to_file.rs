//! A downloaded file is complete or does not exist.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlflow_client::{ErrorKind, JobId};
use tokio::sync::Notify;
use wiremock::ResponseTemplate;

use crate::TestResult;
use crate::mock::{CSV, FULL_JSON, GRAPHML, LINEAGE, Server, body, failure};
use crate::raw_server::{CHUNKED, RawServer, chunk, head};

const ROWS: &str = "source_db,source_schema\nd,s\n";

fn csv() -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(ROWS, "text/csv")
}

/// Returns the names of all entries of a directory.
fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect("the directory is there");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

#[tokio::test]
async fn a_file_holds_the_response_and_its_length_is_returned() -> TestResult {
    let server = Server::answering(CSV, csv()).await;
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("lineage.csv");
    assert_eq!(server.client().job("j1").export_full_lineage_as_csv().to_file(&path).await?, ROWS.len() as u64);
    assert_eq!(std::fs::read_to_string(path)?, ROWS);
    assert_eq!(names(directory.path()), ["lineage.csv"]);
    Ok(())
}

#[tokio::test]
async fn every_format_can_be_exported_to_a_file() -> TestResult {
    let server = Server::answering(CSV, csv()).await;
    server.on(GRAPHML, ResponseTemplate::new(200).set_body_raw("<graphml/>", "application/xml")).await;
    let json = r#"{"code":200,"data":{"dbobjs":[]}}"#;
    server.on(LINEAGE, body(json)).await;
    server.on(FULL_JSON, body(json)).await;
    let directory = tempfile::tempdir()?;
    let path = |name| directory.path().join(name);
    let job = server.client().job("j1");
    job.export_full_lineage_as_csv().to_file(path("a")).await?;
    job.export_lineage_as_graphml().to_file(path("b")).await?;
    job.export_lineage_as_json().to_file(path("c")).await?;
    job.export_full_lineage_as_json().to_file(path("d")).await?;
    for (name, content) in [("a", ROWS), ("b", "<graphml/>"), ("c", json), ("d", json)] {
        assert_eq!(std::fs::read_to_string(path(name))?, content);
    }
    Ok(())
}

#[tokio::test]
async fn a_long_file_arrives_completely() -> TestResult {
    let rows = "source,target\n".repeat(300_000);
    let server = Server::answering(CSV, ResponseTemplate::new(200).set_body_raw(rows.clone(), "text/csv")).await;
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("x.csv");
    server.client().job("j1").export_full_lineage_as_csv().to_file(&path).await?;
    assert!(std::fs::read_to_string(path)? == rows);
    Ok(())
}

#[tokio::test]
async fn an_existing_file_is_replaced_completely() -> TestResult {
    let server = Server::answering(CSV, csv()).await;
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("x.csv");
    std::fs::write(&path, "older and much longer ".repeat(100))?;
    server.client().job("j1").export_full_lineage_as_csv().to_file(&path).await?;
    assert_eq!(std::fs::read_to_string(path)?, ROWS);
    assert_eq!(names(directory.path()), ["x.csv"]);
    Ok(())
}

#[tokio::test]
async fn a_truncated_body_leaves_nothing_behind() -> TestResult {
    let announced = RawServer::writing(format!("{}{ROWS}", head(1000))).await?;
    let chunks = [CHUNKED.as_bytes(), &chunk(ROWS.as_bytes())].concat();
    let chunked = RawServer::writing(chunks).await?;
    for server in [announced, chunked] {
        let directory = tempfile::tempdir()?;
        let export = server.client().job("j1").export_full_lineage_as_csv();
        let error = export.to_file(directory.path().join("x.csv")).await.expect_err("it breaks off");
        assert_eq!(error.kind(), ErrorKind::Interrupted);
        assert_eq!(error.job_id().map(JobId::as_str), Some("j1"));
        assert_eq!(names(directory.path()), [""; 0]);
    }
    Ok(())
}

#[tokio::test]
async fn a_truncated_body_leaves_the_older_file_unchanged() -> TestResult {
    let server = RawServer::writing(format!("{}{ROWS}", head(1000))).await?;
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("x.csv");
    std::fs::write(&path, "older")?;
    server.client().job("j1").export_full_lineage_as_csv().to_file(&path).await.expect_err("it breaks off");
    assert_eq!(std::fs::read_to_string(path)?, "older");
    assert_eq!(names(directory.path()), ["x.csv"]);
    Ok(())
}

#[tokio::test]
async fn a_failure_in_place_of_the_file_leaves_the_older_file_unchanged() -> TestResult {
    let server = Server::answering(CSV, failure(500, "no")).await;
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("x.csv");
    std::fs::write(&path, "older")?;
    server.client().job("j1").export_full_lineage_as_csv().to_file(&path).await.expect_err("it failed");
    assert_eq!(std::fs::read_to_string(path)?, "older");
    assert_eq!(names(directory.path()), ["x.csv"]);
    Ok(())
}

#[tokio::test]
async fn a_stalled_body_leaves_nothing_behind() -> TestResult {
    let server = RawServer::start(|mut connection| async move {
        connection.request().await?;
        connection.send(head(1000) + ROWS).await?;
        connection.hold().await
    })
    .await?;
    let directory = tempfile::tempdir()?;
    let client = server.builder().stall_timeout(Duration::from_millis(100)).build()?;
    let export = client.job("j1").export_full_lineage_as_csv();
    let error = export.to_file(directory.path().join("x.csv")).await.expect_err("it stalls");
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert!(error.to_string().contains("stalled"), "{error}");
    assert_eq!(names(directory.path()), [""; 0]);
    Ok(())
}

#[tokio::test]
async fn a_dropped_download_leaves_nothing_behind() -> TestResult {
    let half_sent = Arc::new(Notify::new());
    let tell = Arc::clone(&half_sent);
    let server = RawServer::start(move |mut connection| {
        let tell = Arc::clone(&tell);
        async move {
            connection.request().await?;
            connection.send(head(1000) + ROWS).await?;
            tell.notify_one();
            connection.hold().await
        }
    })
    .await?;
    let directory = tempfile::tempdir()?;
    let download = server.client().job("j1").export_full_lineage_as_csv().to_file(directory.path().join("x.csv"));
    tokio::select! {
        outcome = download => panic!("it cannot end: {outcome:?}"),
        () = half_sent.notified() => {}
    }
    assert_eq!(names(directory.path()), [""; 0]);
    Ok(())
}

#[tokio::test]
async fn a_missing_directory_is_named_before_anything_is_requested() -> TestResult {
    let server = Server::answering(CSV, csv()).await;
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("no-such-directory").join("x.csv");
    let error =
        server.client().job("j1").export_full_lineage_as_csv().to_file(&path).await.expect_err("there is no place");
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    assert!(server.sent().await.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_directory_in_place_of_the_file_is_named_before_anything_is_requested() -> TestResult {
    let server = Server::answering(CSV, csv()).await;
    let directory = tempfile::tempdir()?;
    let error = server
        .client()
        .job("j1")
        .export_full_lineage_as_csv()
        .to_file(directory.path())
        .await
        .expect_err("a directory");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains(&directory.path().display().to_string()), "{error}");
    assert!(server.sent().await.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_path_without_a_file_name_is_invalid() {
    let server = Server::answering(CSV, csv()).await;
    for path in ["", "..", "/"] {
        let error =
            server.client().job("j1").export_full_lineage_as_csv().to_file(path).await.expect_err("no file name");
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{path:?}: {error}");
    }
    assert!(server.sent().await.is_empty());
}

#[tokio::test]
async fn a_file_name_of_255_bytes_is_written_and_replaced() -> TestResult {
    let server = Server::answering(CSV, csv()).await;
    let directory = tempfile::tempdir()?;
    let name = "x".repeat(251) + ".csv";
    for _ in 0..2 {
        server.client().job("j1").export_full_lineage_as_csv().to_file(directory.path().join(&name)).await?;
        assert_eq!(names(directory.path()), [name.as_str()]);
    }
    Ok(())
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_that_leads_nowhere_is_kept_and_its_target_created() -> TestResult {
    let server = Server::answering(CSV, csv()).await;
    let directory = tempfile::tempdir()?;
    let (link, target) = (directory.path().join("latest.csv"), directory.path().join("today.csv"));
    std::os::unix::fs::symlink("today.csv", &link)?;
    server.client().job("j1").export_full_lineage_as_csv().to_file(&link).await?;
    assert!(link.is_symlink() && !target.is_symlink());
    assert_eq!(std::fs::read_to_string(target)?, ROWS);
    Ok(())
}
