//! The client follows redirects only on the same server.

use sqlflow_client::{Credentials, ErrorKind, JobId, Vendor};
use wiremock::ResponseTemplate;

use crate::TestResult;
use crate::mock::{JOBS, SUBMIT, Server, no_jobs};
use crate::sent::fields;

const PARQUET: &str = "/sqlflow/job/download/parquet";

fn redirect(status: u16, target: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).insert_header("Location", target)
}

#[tokio::test]
async fn a_redirect_to_another_server_is_not_followed_and_named() {
    for status in [301, 302, 303, 307, 308] {
        let other = Server::start().await;
        other.everywhere(no_jobs()).await;
        let target = format!("{}/elsewhere", other.url());
        let server = Server::answering(JOBS, redirect(status, &target)).await;
        let error = server.client().jobs().await.expect_err("it is redirected");
        assert_eq!((error.kind(), error.status()), (ErrorKind::Rejected, Some(status)));
        assert!(error.to_string().contains(&target), "{error}");
        assert!(other.sent().await.is_empty(), "nothing travelled on");
    }
}

#[tokio::test]
async fn a_token_in_a_query_is_not_sent_to_another_server() -> TestResult {
    let other = Server::start().await;
    other.everywhere(no_jobs()).await;
    let target = format!("{}/elsewhere?token=hush-hush", other.url());
    let server = Server::answering(PARQUET, redirect(302, &target)).await;
    let client = server.builder().credentials(Credentials::token("ann", "hush-hush")).build()?;
    let error = client.api().download_parquet("b1", Some(&JobId::new("j1")), None).await.expect_err("it is redirected");
    assert!(error.to_string().contains("/elsewhere") && !format!("{error} {error:?}").contains("hush"), "{error:?}");
    assert!(other.sent().await.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_redirect_that_keeps_the_request_is_followed_on_the_same_server() -> TestResult {
    for status in [307, 308] {
        let server = Server::answering(JOBS, redirect(status, "/moved")).await;
        server.at("/moved", no_jobs()).await;
        server.client().jobs().await?;
        let sent = server.sent().await;
        assert_eq!((sent[1].method.as_str(), sent[1].target.as_str()), ("POST", "/moved"));
        assert_eq!(sent[1].form(), fields([("userId", "gudu|0123456789"), ("token", "token")]));
    }
    Ok(())
}

#[tokio::test]
async fn another_port_is_another_server() {
    // The scheme and the host are the same.
    let other = Server::start().await;
    let server = Server::answering(JOBS, redirect(307, &format!("{}/x", other.url()))).await;
    assert_eq!(server.client().jobs().await.expect_err("it is redirected").kind(), ErrorKind::Rejected);
    assert!(other.sent().await.is_empty());
}

#[tokio::test]
async fn a_chain_of_redirects_ends_where_it_leaves_the_server() {
    let other = Server::start().await;
    let server = Server::answering(JOBS, redirect(307, "/second")).await;
    server.at("/second", redirect(307, &format!("{}/third", other.url()))).await;
    let error = server.client().jobs().await.expect_err("it is redirected");
    assert!(error.to_string().contains("/third"), "{error}");
    assert!(other.sent().await.is_empty());
}

#[tokio::test]
async fn a_circular_redirect_ends() {
    let server = Server::start().await;
    server.everywhere(redirect(307, "/round")).await;
    let error = server.client().jobs().await.expect_err("it is redirected without end");
    assert_eq!(error.kind(), ErrorKind::Rejected);
    assert!(error.to_string().contains("redirects"), "{error}");
    assert!(server.sent().await.len() < 10);
}

#[tokio::test]
async fn a_redirect_without_a_target_is_an_error() {
    let server = Server::answering(JOBS, ResponseTemplate::new(302)).await;
    let error = server.client().jobs().await.expect_err("it is redirected nowhere");
    assert_eq!((error.kind(), error.status()), (ErrorKind::Rejected, Some(302)));
}

#[tokio::test]
async fn a_redirected_upload_fails_with_the_target() -> TestResult {
    // Its body has been consumed by then, so the client cannot send it again; the caller can.
    let server = Server::answering(SUBMIT, redirect(307, "/moved")).await;
    let error = server.client().submit(Vendor::Oracle).sql("a.sql", "select 1").await.expect_err("it is redirected");
    assert_eq!((error.kind(), error.status()), (ErrorKind::Rejected, Some(307)));
    assert!(error.to_string().contains("/moved"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_form_is_not_turned_into_a_request_without_parameters() {
    // HTTP clients turn a POST that gets a 301, 302 or 303 into a GET, which loses the form. The server would then
    // respond to a request that the caller never made.
    for status in [301, 302, 303] {
        let server = Server::answering(JOBS, redirect(status, "/moved")).await;
        server.at("/moved", no_jobs()).await;
        let outcome = server.client().jobs().await;
        let moved = server.sent().await.into_iter().find(|sent| sent.path() == "/moved");
        match moved {
            Some(sent) => assert_eq!(sent.method, "POST", "HTTP {status} lost the form"),
            None => assert_eq!(outcome.expect_err("it was not followed").status(), Some(status)),
        }
    }
}
