//! Uploads over the limit are refused before anything is sent.

use std::fs::File;

use sqlflow_client::api::File as Upload;
use sqlflow_client::api::types::GenerateSqlflowRequest;
use sqlflow_client::{Client, ErrorKind, Vendor};

use crate::TestResult;
use crate::mock::{SUBMIT, Server, builder, state};

const DEFAULT: u64 = 200_000_000;

fn limited(server: &Server, bytes: u64) -> Client {
    server.builder().max_upload_bytes(bytes).build().expect("a client")
}

#[tokio::test]
async fn a_file_a_byte_over_the_default_is_refused_and_nothing_is_sent() -> TestResult {
    let server = Server::answering(SUBMIT, state("create")).await;
    let home = tempfile::tempdir()?;
    let path = home.path().join("huge.sql");
    // The file is sparse, so it takes no space on the disk.
    File::create(&path)?.set_len(DEFAULT + 1)?;
    let error = server.client_with_secret_key().submit(Vendor::Oracle).file(&path).await.expect_err("too large");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("200000001") && error.to_string().contains("200000000"), "{error}");
    assert!(server.sent().await.is_empty(), "not even a token was asked for");
    Ok(())
}

#[tokio::test]
async fn files_are_counted_together() {
    let server = Server::answering(SUBMIT, state("create")).await;
    let submit = limited(&server, 15).submit(Vendor::Oracle).sql("a.sql", "12345678").sql("b.sql", "12345678");
    assert_eq!(submit.await.expect_err("16 bytes").kind(), ErrorKind::TooLarge);
    assert!(server.sent().await.is_empty());
}

#[tokio::test]
async fn files_of_exactly_the_limit_are_sent() -> TestResult {
    let server = Server::answering(SUBMIT, state("create")).await;
    limited(&server, 16).submit(Vendor::Oracle).sql("a.sql", "12345678").sql("b.sql", "12345678").await?;
    assert_eq!(server.sent().await.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_directory_over_the_limit_even_as_a_zip_is_refused_by_name() -> TestResult {
    let server = Server::answering(SUBMIT, state("create")).await;
    let home = tempfile::tempdir()?;
    // The content cannot be compressed: multiples of a large prime, in groups of eight bytes.
    let noise: Vec<u8> = (1..20_000_u64).flat_map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes()).collect();
    std::fs::write(home.path().join("a.sql"), noise)?;
    let error = limited(&server, 1_000).submit(Vendor::Oracle).path(home.path()).await.expect_err("too large");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains(&home.path().display().to_string()), "{error}");
    assert!(server.sent().await.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_directory_that_fits_as_a_zip_is_sent() -> TestResult {
    let server = Server::answering(SUBMIT, state("create")).await;
    let home = tempfile::tempdir()?;
    std::fs::write(home.path().join("a.sql"), "select 1 from dual;\n".repeat(1_000))?;
    limited(&server, 2_000).submit(Vendor::Oracle).path(home.path()).await?;
    assert_eq!(server.sent().await.len(), 1);
    Ok(())
}

#[tokio::test]
async fn the_limit_applies_to_uploads_of_the_generated_client() {
    let server = Server::start().await;
    let form = GenerateSqlflowRequest::new(Vendor::Oracle);
    let client = limited(&server, 3);
    let error = client.api().upload(&form, [Upload::new("a.sql", "1234")]).await.expect_err("too large");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(server.sent().await.is_empty());
}

#[tokio::test]
async fn the_limit_can_be_raised() -> TestResult {
    // Nothing listens there, so only the client itself can refuse the upload.
    let home = tempfile::tempdir()?;
    let path = home.path().join("huge.sql");
    File::create(&path)?.set_len(DEFAULT + 1)?;
    let port = crate::raw_server::closed_port().await?;
    let client = builder(&format!("127.0.0.1:{port}")).max_upload_bytes(DEFAULT + 1).build()?;
    assert_eq!(client.submit(Vendor::Oracle).file(path).await.expect_err("closed").kind(), ErrorKind::Connect);
    Ok(())
}
