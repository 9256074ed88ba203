//! Every form of a base URL leads to the right path.
//!
//! Mock servers do not use the ports of real servers; where the port or the host matters, the mock acts as a proxy.

use sqlflow_client::Client;

use crate::TestResult;
use crate::mock::{JOBS, Server, builder, no_jobs};
use crate::raw_server::RawServer;

/// Sends a request to a base URL, in which `HOST` stands for the mock, and returns the requested path.
async fn asked(base_url: &str) -> Result<String, Box<dyn std::error::Error>> {
    let server = Server::start().await;
    server.everywhere(no_jobs()).await;
    let base_url = base_url.replace("HOST", &format!("127.0.0.1:{}", server.port()));
    builder(&base_url).build()?.jobs().await?;
    Ok(server.only().await.path().to_owned())
}

/// Sends a request to a base URL through a proxy, and returns the whole requested URL.
async fn asked_of_proxy(base_url: &str) -> Result<String, Box<dyn std::error::Error>> {
    let body = r#"{"code":200,"data":{"total":0}}"#;
    let proxy = RawServer::writing(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())).await?;
    Client::builder(base_url).proxy(proxy.url()).build()?.jobs().await?;
    Ok(proxy.sent().remove(0).target)
}

#[tokio::test]
async fn a_bare_host_with_a_port_is_taken_for_a_version_6_server() -> TestResult {
    assert_eq!(asked("HOST").await?, format!("/api/gspLive_backend{JOBS}"));
    Ok(())
}

#[tokio::test]
async fn a_scheme_and_a_host_are_enough() -> TestResult {
    assert_eq!(asked("http://HOST").await?, format!("/api/gspLive_backend{JOBS}"));
    Ok(())
}

#[tokio::test]
async fn a_name_in_place_of_an_address_is_enough() -> TestResult {
    let server = Server::start().await;
    server.everywhere(no_jobs()).await;
    builder(&format!("localhost:{}", server.port())).build()?.jobs().await?;
    assert_eq!(server.only().await.path(), format!("/api/gspLive_backend{JOBS}"));
    Ok(())
}

#[tokio::test]
async fn any_number_of_trailing_slashes_is_ignored() -> TestResult {
    for base_url in ["HOST/", "http://HOST///", "http://HOST/api/gspLive_backend/", "HOST/api/gspLive_backend////"] {
        assert_eq!(asked(base_url).await?, format!("/api/gspLive_backend{JOBS}"), "{base_url}");
    }
    Ok(())
}

#[tokio::test]
async fn a_full_base_url_of_version_6_is_used_unchanged() -> TestResult {
    assert_eq!(asked("http://HOST/api/gspLive_backend").await?, format!("/api/gspLive_backend{JOBS}"));
    Ok(())
}

#[tokio::test]
async fn a_full_base_url_of_version_5_is_used_unchanged() -> TestResult {
    assert_eq!(asked("http://HOST/gspLive_backend").await?, format!("/gspLive_backend{JOBS}"));
    assert_eq!(asked("HOST/gspLive_backend/").await?, format!("/gspLive_backend{JOBS}"));
    Ok(())
}

#[tokio::test]
async fn a_path_that_ends_at_api_is_completed() -> TestResult {
    assert_eq!(asked("http://HOST/api/").await?, format!("/api/gspLive_backend{JOBS}"));
    Ok(())
}

#[tokio::test]
async fn a_path_behind_a_proxy_is_kept() -> TestResult {
    assert_eq!(
        asked("http://HOST/tools/sqlflow/gspLive_backend").await?,
        format!("/tools/sqlflow/gspLive_backend{JOBS}")
    );
    Ok(())
}

#[tokio::test]
async fn port_8165_is_taken_for_a_version_6_server_over_plain_http() -> TestResult {
    assert_eq!(asked_of_proxy("sqlflow:8165").await?, format!("http://sqlflow:8165/api/gspLive_backend{JOBS}"));
    Ok(())
}

#[tokio::test]
async fn port_8081_is_taken_for_a_version_5_server_over_plain_http() -> TestResult {
    assert_eq!(asked_of_proxy("sqlflow:8081").await?, format!("http://sqlflow:8081/gspLive_backend{JOBS}"));
    Ok(())
}

#[tokio::test]
async fn a_version_5_server_behind_nginx_is_reached_at_the_path_of_its_url() -> TestResult {
    let asked = asked_of_proxy("http://sqlflow:8081/api/gspLive_backend").await?;
    assert_eq!(asked, format!("http://sqlflow:8081/api/gspLive_backend{JOBS}"));
    Ok(())
}

#[tokio::test]
async fn the_cloud_is_reached_at_its_own_path() -> TestResult {
    let cloud = "http://api.gudusoft.com";
    assert_eq!(asked_of_proxy(cloud).await?, format!("{cloud}/gspLive_backend{JOBS}"));
    for path in ["/gspLive_backend", "/api/gspLive_backend"] {
        assert_eq!(asked_of_proxy(&format!("{cloud}{path}/")).await?, format!("{cloud}{path}{JOBS}"));
    }
    Ok(())
}

#[test]
fn a_bare_host_is_reached_over_https() -> TestResult {
    assert_eq!(builder("sqlflow.example.com").build()?.base_url(), "https://sqlflow.example.com/api/gspLive_backend");
    assert_eq!(builder("api.gudusoft.com").build()?.base_url(), "https://api.gudusoft.com/gspLive_backend");
    Ok(())
}
