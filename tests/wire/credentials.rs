//! Secrets from a provider, clients of several users on the same connections, and clients without an account.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use sqlflow_client::{Client, Credentials, ErrorKind, SecretFuture, SecretProvider, UserSecret, Vendor};
use wiremock::{Request, ResponseTemplate};

use crate::TestResult;
use crate::mock::{GENERATE_TOKEN, JOBS, Server, answer, failure, in_turn, no_jobs, token};
use crate::raw_server::{RawServer, head};
use crate::sent::Fields;

/// A provider that returns these secrets in order, and the last one from then on.
#[derive(Debug, Clone, Default)]
struct Vault {
    secrets: Arc<Mutex<VecDeque<UserSecret>>>,
    asked: Arc<AtomicUsize>,
}

impl Vault {
    fn of(secrets: impl IntoIterator<Item = UserSecret>) -> Self {
        Self { secrets: Arc::new(Mutex::new(secrets.into_iter().collect())), asked: Arc::default() }
    }

    fn of_tokens<const N: usize>(tokens: [&str; N]) -> Self {
        Self::of(tokens.map(|token| UserSecret::Token(token.into())))
    }

    fn of_keys<const N: usize>(keys: [&str; N]) -> Self {
        Self::of(keys.map(|key| UserSecret::SecretKey(key.into())))
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn client(&self, server: &Server) -> Client {
        let credentials = Credentials::provider("auth0|ann", self.clone());
        server.builder().credentials(credentials).build().expect("a client of a mock")
    }
}

impl SecretProvider for Vault {
    fn secret(&self) -> SecretFuture<'_> {
        Box::pin(async {
            self.asked.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            let mut secrets = self.secrets.lock().expect("no test panics in here");
            let next = if secrets.len() > 1 { secrets.pop_front() } else { secrets.front().cloned() };
            next.ok_or_else(|| "the vault is sealed".into())
        })
    }
}

/// Returns the values of a field in the requests for an operation.
async fn values(server: &Server, operation: &str, field: &str) -> Vec<String> {
    let sent = server.sent_to(operation).await;
    sent.iter().map(|sent| sent.field(field).unwrap_or_default()).collect()
}

/// Refuses requests with one token, and repeats the token in the message.
fn refusing(refused: &'static str) -> impl Fn(&Request) -> ResponseTemplate + Send + Sync {
    move |request: &Request| {
        let form: Fields = serde_urlencoded::from_bytes(&request.body).expect("a form");
        if form.contains(&("token".to_owned(), refused.to_owned())) {
            failure(401, &format!("the token {refused} is not valid"))
        } else {
            no_jobs()
        }
    }
}

#[tokio::test]
async fn a_provided_token_is_sent_and_kept_without_a_request_for_a_token() -> TestResult {
    let (server, vault) = (Server::answering(JOBS, no_jobs()).await, Vault::of_tokens(["first", "second"]));
    let client = vault.client(&server);
    client.jobs().await?;
    client.jobs().await?;
    assert_eq!(values(&server, JOBS, "token").await, ["first", "first"]);
    assert_eq!(values(&server, JOBS, "userId").await, ["auth0|ann", "auth0|ann"]);
    assert_eq!((vault.asked(), server.sent_to(GENERATE_TOKEN).await.len()), (1, 0));
    Ok(())
}

#[tokio::test]
async fn a_provided_token_that_the_server_refuses_is_replaced_once() -> TestResult {
    let (server, vault) = (Server::answering(JOBS, refusing("first")).await, Vault::of_tokens(["first", "second"]));
    vault.client(&server).jobs().await?;
    assert_eq!((values(&server, JOBS, "token").await, vault.asked()), (vec!["first".into(), "second".into()], 2));

    let (server, vault) = (Server::answering(JOBS, refusing("first")).await, Vault::of_tokens(["first"]));
    let error = vault.client(&server).jobs().await.expect_err("it is refused twice");
    assert_eq!((error.kind(), vault.asked()), (ErrorKind::Authentication, 2));
    Ok(())
}

#[tokio::test]
async fn a_rotated_secret_key_is_used_for_the_next_token() -> TestResult {
    let server = Server::answering(GENERATE_TOKEN, in_turn([token("t1"), token("t2")])).await;
    server.on(JOBS, refusing("t1")).await;
    let vault = Vault::of_keys(["old key", "new key"]);
    vault.client(&server).jobs().await?;
    assert_eq!(values(&server, GENERATE_TOKEN, "secretKey").await, ["old key", "new key"]);
    assert_eq!(values(&server, JOBS, "token").await, ["t1", "t2"]);
    Ok(())
}

#[tokio::test]
async fn the_next_call_asks_anew_after_the_server_refused_a_secret_key() -> TestResult {
    let refusal = answer(json!({"code": "401", "error": "no such key: old key"}));
    let server = Server::answering(GENERATE_TOKEN, in_turn([refusal, token("t1")])).await;
    server.on(JOBS, no_jobs()).await;
    let vault = Vault::of_keys(["old key", "new key"]);
    let client = vault.client(&server);
    let error = client.jobs().await.expect_err("the key is refused");
    assert_eq!((error.kind(), vault.asked()), (ErrorKind::Authentication, 1), "{error}");
    assert!(!format!("{error} {error:?}").contains("old key"), "{error:?}");
    client.jobs().await?;
    assert_eq!(values(&server, GENERATE_TOKEN, "secretKey").await, ["old key", "new key"]);
    Ok(())
}

#[tokio::test]
async fn fifty_tasks_that_need_a_token_ask_the_provider_once() {
    let (server, vault) = (Server::answering(JOBS, no_jobs()).await, Vault::of_tokens(["first", "second"]));
    let client = vault.client(&server);
    let calls = (0..50).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.jobs().await.map(drop) })
    });
    for result in join_all(calls.collect::<Vec<_>>()).await {
        result.expect("no task panics").expect("the token is accepted");
    }
    assert_eq!(vault.asked(), 1);
}

#[tokio::test]
async fn the_error_of_a_provider_is_the_source_and_nothing_is_sent() -> TestResult {
    let (server, vault) = (Server::answering(JOBS, no_jobs()).await, Vault::default());
    let error = vault.client(&server).jobs().await.expect_err("the vault is empty");
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert_eq!(error.to_string(), "cannot get the secret of user auth0|ann: the vault is sealed");
    assert_eq!(std::error::Error::source(&error).expect("it has a source").to_string(), "the vault is sealed");
    assert!(!error.is_retryable() && server.sent().await.is_empty());

    let credentials = Credentials::from_fn("ann", || async { Err(io::Error::other("disk on fire")) });
    let error = server.builder().credentials(credentials).build()?.jobs().await.expect_err("there is no secret");
    assert!(std::error::Error::source(&error).is_some_and(<dyn std::error::Error>::is::<io::Error>), "{error:?}");

    let error = Vault::of_tokens([""]).client(&server).jobs().await.expect_err("the token is empty");
    assert!(error.to_string().contains("empty"), "{error}");
    assert!(server.sent().await.is_empty());
    Ok(())
}

#[tokio::test]
async fn no_error_shows_a_secret_that_the_provider_returned() -> TestResult {
    let vault = Vault::of_tokens(["first-token", "second-token", "third-token"]);
    // The message about the second token is about the first, which was in flight before.
    let says_first = || failure(401, "the token first-token is not valid");
    let server = Server::answering(JOBS, in_turn([says_first(), says_first(), no_jobs()])).await;
    let client = vault.client(&server);
    let error = client.jobs().await.expect_err("it is refused twice");
    assert!(error.to_string().contains("[REDACTED]"), "{error}");
    assert!(!format!("{error} {error:?} {client:?}").contains("first-token"), "{error:?}");

    let told = Arc::new(AtomicUsize::new(0));
    let credentials = Credentials::from_fn("ann", move || {
        let is_first = told.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            let secret = UserSecret::Token("first-token".into());
            if is_first { Ok(secret) } else { Err("the lease of first-token has ended") }
        }
    });
    let server = Server::answering(JOBS, refusing("first-token")).await;
    let error = server.builder().credentials(credentials).build()?.jobs().await.expect_err("the lease has ended");
    assert!(error.to_string().contains("the lease of [REDACTED]"), "{error}");
    assert!(!format!("{error:?}").contains("first-token"), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn a_function_provides_secrets_and_debug_output_shows_none() -> TestResult {
    let server = Server::answering(JOBS, no_jobs()).await;
    let secret = String::from("hush-hush");
    let credentials = Credentials::from_fn("ann", move || {
        let secret = UserSecret::Token(secret.as_str().into());
        async { Ok::<_, io::Error>(secret) }
    });
    let client = server.builder().credentials(credentials.clone()).build()?;
    client.jobs().await?;
    assert_eq!(values(&server, JOBS, "token").await, ["hush-hush"]);
    let shown = format!("{credentials:?} {client:?} {:?}", UserSecret::SecretKey("hush".into()));
    assert!(shown.contains("ann") && !shown.contains("hush"), "{shown}");
    Ok(())
}

#[tokio::test]
async fn clients_of_several_users_share_connections_and_mix_up_no_tokens() -> TestResult {
    const BODY: &str = r#"{"code":200,"data":{"total":0,"jobDetails":[]}}"#;
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let server = RawServer::start(move |mut connection| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move {
            loop {
                connection.request().await?;
                connection.send(format!("{}{BODY}", head(BODY.len()))).await?;
            }
        }
    })
    .await?;
    let client = server.builder().credentials(Credentials::token("ann", "token-of-ann")).build()?;
    let bob = client.with_credentials(Credentials::token("bob", "token-of-bob"))?;
    let vault = Vault::of_tokens(["token-of-eve"]);
    let eve = bob.with_credentials(Credentials::provider("eve", vault))?;
    for _ in 0..3 {
        for client in [&client, &bob, &eve] {
            client.jobs().await?;
        }
    }
    let users: Vec<_> = server.sent().iter().map(|sent| (sent.field("userId"), sent.field("token"))).collect();
    assert_eq!(users.len(), 9);
    for (user, token) in &users {
        assert_eq!(*token, user.as_ref().map(|user| format!("token-of-{user}")), "{users:?}");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1, "the connections are not shared");
    Ok(())
}

#[tokio::test]
async fn an_on_premise_user_is_sent_with_the_literal_token() -> TestResult {
    let server = Server::answering(JOBS, no_jobs()).await;
    server.builder().credentials(Credentials::on_premise_as("etl")).build()?.jobs().await?;
    assert_eq!(server.only().await.form(), crate::sent::fields([("userId", "etl"), ("token", "token")]));
    Ok(())
}

#[tokio::test]
async fn an_anonymous_client_sends_nothing_that_needs_an_account() -> TestResult {
    let server = Server::answering(JOBS, no_jobs()).await;
    let client = server.builder().credentials(Credentials::anonymous()).build()?;
    let error = client.submit(Vendor::Oracle).sql("a.sql", "select 1").await.expect_err("it needs an account");
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (
            ErrorKind::InvalidInput,
            "submitUserJob needs an account, and this client is anonymous: set Credentials in the client builder"
        )
    );
    for error in [
        client.jobs().await.expect_err("it needs an account"),
        client.job("j1").wait().await.expect_err("it needs an account"),
        client.job("j1").lineage().await.expect_err("it needs an account"),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        assert!(error.to_string().contains("needs an account"), "{error}");
    }
    assert!(server.sent().await.is_empty());
    client.with_credentials(Credentials::token("ann", "t"))?.jobs().await?;
    assert_eq!(server.sent().await.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_provider_that_hangs_blocks_no_call_while_the_token_is_valid() -> TestResult {
    let server = Server::answering(JOBS, no_jobs()).await;
    let (asked, first) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counted, started) = (Arc::clone(&asked), Arc::clone(&first));
    let credentials = Credentials::from_fn("ann", move || {
        let is_first = counted.fetch_add(1, Ordering::SeqCst) == 0;
        let started = Arc::clone(&started);
        async move {
            started.fetch_add(1, Ordering::SeqCst);
            if !is_first {
                std::future::pending::<()>().await;
            }
            Ok::<_, io::Error>(UserSecret::Token("opaque".into()))
        }
    });
    let client = server.builder().credentials(credentials).build()?;
    for _ in 0..3 {
        tokio::time::timeout(Duration::from_secs(5), client.jobs()).await??;
    }
    assert_eq!((asked.load(Ordering::SeqCst), first.load(Ordering::SeqCst)), (1, 1));
    Ok(())
}
