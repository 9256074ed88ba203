//! The proxy of the environment or the builder is used, or the client is not built. It is never bypassed silently.
//!
//! The environment of a process cannot be changed safely while tests run in it, so each case runs in a child process,
//! which runs this test again.

use std::process::Command;

use sqlflow_client::{Client, ErrorKind};

use crate::TestResult;
use crate::mock::{Server, no_jobs, page};
use crate::raw_server::RawServer;

const THIS_TEST: &str = "proxies::the_proxy_of_the_environment_is_used_or_an_error";
const BASE_URL: &str = "PROXY_TEST_BASE_URL";
const BUILT: &str = "built and sent: ";
const REFUSED: &str = "not built: ";

/// Every variable that could affect a child.
const VARIABLES: [&str; 9] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
    "REQUEST_METHOD",
];

/// Builds a client in a child process with these variables, and makes a call. Returns the lines that it prints.
async fn in_environment(base_url: &str, variables: &[(&str, &str)]) -> Result<String, Box<dyn std::error::Error>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--exact", THIS_TEST, "--nocapture"]).env(BASE_URL, base_url);
    for name in VARIABLES {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied());
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    let text = String::from_utf8(output.stdout)?;
    Ok(text.lines().filter(|line| line.contains(BUILT) || line.contains(REFUSED)).collect())
}

/// Builds a client in the environment of this process, makes a call, and prints what happens.
async fn report(base_url: &str) {
    match Client::builder(base_url).without_retries().build() {
        Err(error) => println!("\n{REFUSED}{:?} {error} {error:?}", error.kind()),
        Ok(client) => {
            println!("\n{BUILT}{:?}", client.jobs().await.map(|list| list.total).map_err(|it| it.to_string()));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_proxy_of_the_environment_is_used_or_an_error() -> TestResult {
    if let Ok(base_url) = std::env::var(BASE_URL) {
        report(&base_url).await;
        return Ok(());
    }
    let server = Server::start().await;
    server.everywhere(no_jobs()).await;
    let proxy = Server::start().await;
    proxy.everywhere(page(407, "<p>by the proxy</p>")).await;
    let at_proxy = format!("ann:hush%2Fhush@127.0.0.1:{}", proxy.port());
    let url = server.url();

    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        for scheme in ["htp://", "ftp://", "tcp://", "://"] {
            let said = in_environment(&url, &[(name, &format!("{scheme}{at_proxy}"))]).await?;
            assert!(said.contains(REFUSED) && said.contains("InvalidInput") && said.contains(name), "{scheme}: {said}");
            assert!(said.contains("http, https") && !said.contains("hush"), "{scheme}: {said}");
        }
        let said = in_environment(&url, &[(name, &format!("http://{at_proxy}"))]).await?;
        assert!(said.contains("by the proxy") && !said.contains("hush"), "{name}: {said}");
    }
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        let said = in_environment("https://sqlflow.invalid", &[(name, "ftp://ann:hush@p:1")]).await?;
        assert!(said.contains(REFUSED) && said.contains(name) && !said.contains("hush"), "{said}");
    }
    assert!(server.sent().await.is_empty(), "something was sent directly");

    let both = [("HTTP_PROXY", "ftp://p"), ("NO_PROXY", "localhost,127.0.0.1")];
    assert!(in_environment(&url, &both).await?.contains("Ok("), "the host is to be connected directly");
    let lower = [("http_proxy", at_proxy.as_str()), ("no_proxy", "127.0.0.1")];
    assert!(in_environment(&url, &lower).await?.contains("Ok("), "the host is to be connected directly");
    let empty = [("HTTP_PROXY", ""), ("http_proxy", at_proxy.as_str())];
    assert!(in_environment(&url, &empty).await?.contains("by the proxy"), "an empty variable hides another");
    assert!(in_environment(&url, &[]).await?.contains("Ok("));
    assert_eq!(server.sent().await.len(), 3);
    Ok(())
}

#[tokio::test]
async fn a_proxy_that_cannot_be_used_is_an_error_of_the_builder() -> TestResult {
    let server = Server::start().await;
    server.everywhere(no_jobs()).await;
    for (proxy, named) in [
        ("htp://ann:hush@127.0.0.1:1", "htp"),
        ("ftp://ann:hush@127.0.0.1:1", "ftp"),
        ("tcp://ann:hush@127.0.0.1:1", "tcp"),
        ("http://ann:hush@", "host"),
        ("ann:hush@127.0.0.1:port", "port"),
        ("", "empty"),
    ] {
        let error = Client::builder(server.url()).proxy(proxy).build().expect_err("it cannot be used");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let text = format!("{error} {error:?}");
        assert!(text.contains("the proxy URL") && text.contains("http, https") && text.contains(named), "{text}");
        assert!(!text.contains("hush"), "{text}");
    }
    Ok(())
}

#[cfg(feature = "socks")]
#[tokio::test]
async fn a_socks_proxy_is_asked_if_it_is_built_in() -> TestResult {
    // The answer refuses the connection.
    let proxy = RawServer::start(|mut connection| async move {
        let mut greeting = [0; 3];
        tokio::io::AsyncReadExt::read_exact(&mut connection.stream, &mut greeting).await?;
        connection.send([5, 0xff]).await
    })
    .await?;
    let url = proxy.url().replace("http://", "socks5h://");
    let client = Client::builder("http://127.0.0.1:9").proxy(url).without_retries().build()?;
    assert_eq!(client.jobs().await.expect_err("it is refused").kind(), ErrorKind::Connect);
    Ok(())
}

#[tokio::test]
async fn a_tunnel_that_a_proxy_refuses_shows_no_credentials() -> TestResult {
    let refused = "HTTP/1.1 407 no hush Basic YW5uOmh1c2gtaHVzaA==\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let proxy = RawServer::start(move |mut connection| async move {
        connection.head().await?;
        connection.send(refused).await
    })
    .await?;
    let url = proxy.url().replace("http://", "http://ann:hush-hush@");
    let client = Client::builder("https://sqlflow.invalid").proxy(url).without_retries().build()?;
    let error = client.jobs().await.expect_err("the proxy refuses");
    let text = format!("{error} {error:?}");
    assert!(!text.contains("hush") && !text.contains("YW5u"), "{text}");
    Ok(())
}
