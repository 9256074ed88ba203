//! One request from its form to its response: authentication, retries, timeouts, the code in the envelope, tracing.
//!
//! Every call of the crate goes through [`Transport::send_in`]. The transport knows operations, not jobs.

mod body;
mod failure;
mod json_scan;
mod multipart;
mod page;
mod payload;
mod quota;
mod response;
mod response_size;
mod timer;
mod upload_progress;

use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Poll, ready};
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{ACCEPT_ENCODING, HeaderValue};
use serde::Serialize;
use tracing::Instrument as _;

pub use self::body::ByteStream;
pub(crate) use self::body::ReceivedBytes;
pub(crate) use self::failure::{not_built, response_too_large, retry_after};
pub(crate) use self::payload::Payload;
use self::quota::Quotas;
pub(crate) use self::response::Response;
use self::timer::ExchangeTimer;
use self::upload_progress::SendProgress;
pub(crate) use self::upload_progress::UploadObserver;
pub use self::upload_progress::UploadProgress;
use crate::auth::{Credentials, Identity, TokenCache, needs_account};
use crate::retry::{Attempts, Retries};
use crate::sync::lock;
use crate::wire::{File, MultipartForm, Operation, Redactor, Secret, TokenEnvelope, operations, types};
use crate::{Error, ErrorKind, Result};

/// The part of the response body that an attempt reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyMode {
    /// All of it, into memory: a truncated body is known while the attempt can be retried.
    Buffered,
    /// The first bytes. The caller reads the rest, and retries by itself.
    Stream,
}

impl BodyMode {
    fn of(operation: &Operation) -> Self {
        if operation.returns_file { Self::Stream } else { Self::Buffered }
    }
}

/// The connection to one server: the HTTP client, the token, the limits and the retry policy. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Transport(Arc<TransportInner>);

struct TransportInner {
    http: reqwest::Client,
    base_url: String,
    /// The URLs of the operations that were called, because to parse one takes longer than to copy it.
    urls: Mutex<HashMap<&'static str, Url>>,
    tokens: TokenCache,
    limits: RequestLimits,
    retries: Retries,
    quotas: Quotas,
}

/// The limits on the time and the size of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestLimits {
    /// The time from the last byte sent to the first byte of the response.
    pub(crate) response_timeout: Duration,
    /// The time between two chunks of a response.
    pub(crate) stall_timeout: Duration,
    /// The time from the first to the last byte of a small response.
    pub(crate) small_response_timeout: Duration,
    /// The size of a response that is read into memory.
    pub(crate) max_response_bytes: u64,
    /// The size of a list that is read into memory.
    pub(crate) max_list_bytes: u64,
    /// The size of all files of one upload.
    pub(crate) max_upload_bytes: u64,
    /// `true` if responses come over a TLS library that does not report that a connection was cut.
    pub(crate) has_silent_tls: bool,
}

impl RequestLimits {
    /// Returns the shortest time after which a wait of an exchange may end.
    fn shortest_wait(&self) -> Duration {
        self.response_timeout.min(self.stall_timeout).min(self.small_response_timeout)
    }

    pub(crate) fn check(&self) -> Result<()> {
        let timeouts = [
            (self.response_timeout, "response"),
            (self.stall_timeout, "stall"),
            (self.small_response_timeout, "small response"),
        ];
        for (timeout, name) in timeouts {
            if timeout.is_zero() {
                return Err(Error::invalid(format!(
                    "the {name} timeout is zero, so that every request would fail: set a longer one"
                )));
            }
        }
        Ok(())
    }
}

impl Transport {
    pub(crate) fn new(
        http: reqwest::Client,
        base_url: String,
        tokens: TokenCache,
        limits: RequestLimits,
        retries: Retries,
    ) -> Self {
        let (urls, quotas) = (Mutex::default(), Quotas::default());
        Self(Arc::new(TransportInner { http, base_url, urls, tokens, limits, retries, quotas }))
    }

    pub(crate) fn base_url(&self) -> &str {
        &self.0.base_url
    }

    pub(crate) fn user_id(&self) -> &str {
        self.0.tokens.user_id()
    }

    /// Returns `true` if the client has no account.
    pub(crate) fn is_anonymous(&self) -> bool {
        self.0.tokens.is_anonymous()
    }

    /// Returns a transport for another user, with the same connections, limits, retry policy and retry budget.
    pub(crate) fn with_credentials(&self, credentials: Credentials) -> Self {
        let TransportInner { http, base_url, limits, retries, .. } = &*self.0;
        let tokens = TokenCache::knowing(credentials, Arc::clone(self.0.tokens.known_secrets()));
        Self::new(http.clone(), base_url.clone(), tokens, *limits, retries.clone())
    }

    #[cfg(test)]
    pub(crate) fn budget(&self) -> &crate::retry::RetryBudget {
        &self.0.retries.budget
    }

    pub(crate) fn limits(&self) -> &RequestLimits {
        &self.0.limits
    }

    /// Returns the attempts of a call that is retried by the policy of the client.
    pub(crate) fn attempts(&self) -> Attempts {
        self.0.retries.attempts()
    }

    /// Returns the single attempt of a call that its caller repeats by its own schedule.
    pub(crate) fn single(&self) -> Attempts {
        self.0.retries.single()
    }

    /// Sends a form to an operation whose response is not read by generated code. A GET operation takes it as a query.
    pub(crate) async fn send_form(
        &self,
        operation: &'static Operation,
        form: &impl Serialize,
        mode: BodyMode,
        attempts: &mut Attempts,
    ) -> Result<Box<Response>> {
        self.send_in(operation, self.form(operation, form)?, mode, attempts).await
    }

    /// Sends a JSON body to an operation whose response is not read by generated code.
    pub(crate) async fn send_json(
        &self,
        operation: &'static Operation,
        body: &impl Serialize,
        mode: BodyMode,
        attempts: &mut Attempts,
    ) -> Result<Box<Response>> {
        let request = self.0.http.post(self.url_of(operation)?).json(body).build();
        self.send_in(operation, request.map(Payload::Buffered).map_err(not_built)?, mode, attempts).await
    }

    fn form(&self, operation: &Operation, form: &impl Serialize) -> Result<Payload> {
        if operation.method != "GET" {
            return Payload::form(form);
        }
        let request = self.0.http.get(self.url_of(operation)?).query(form);
        request.build().map(Payload::Buffered).map_err(not_built)
    }

    fn url_of(&self, operation: &Operation) -> Result<Url> {
        let mut urls = lock(&self.0.urls);
        if let Some(url) = urls.get(operation.id) {
            return Ok(url.clone());
        }
        let url = format!("{}{}", self.0.base_url, operation.path);
        let url = Url::parse(&url).map_err(|error| unsendable(&format!("{url} is no URL: {error}")))?;
        urls.insert(operation.id, url.clone());
        Ok(url)
    }

    /// Sends a form with files.
    pub(crate) async fn send_files<F: MultipartForm>(
        &self,
        form: &F,
        files: Vec<File>,
        observer: Option<UploadObserver>,
        attempts: &mut Attempts,
    ) -> Result<Box<Response>> {
        let payload = Payload::with_files(form, files, self.0.limits.max_upload_bytes).await?.observed_by(observer);
        self.send_in(F::OPERATION, payload, BodyMode::of(F::OPERATION), attempts).await
    }

    /// Sends a request, and retries it by the policy of the client.
    pub(crate) async fn send(&self, operation: &'static Operation, payload: Payload) -> Result<Box<Response>> {
        let mut attempts = self.attempts();
        let response = self.send_in(operation, payload, BodyMode::of(operation), &mut attempts).await?;
        attempts.succeeded();
        Ok(response)
    }

    /// Adds the user id and the token to a request, sends it, and reads the response as far as `mode` says. The caller
    /// reports to `attempts` that the call succeeded.
    ///
    /// A token that the server refuses is renewed once. That is safe for every operation: a server that refuses a
    /// request (HTTP 401, or that code in an envelope) has changed nothing.
    pub(crate) async fn send_in(
        &self,
        operation: &'static Operation,
        payload: Payload,
        mode: BodyMode,
        attempts: &mut Attempts,
    ) -> Result<Box<Response>> {
        let span = tracing::debug_span!(target: "sqlflow_client::http", "sqlflow", operation = operation.id);
        // On the heap, because the future of a call is large, and each future around it would be moved with it.
        let sending = Box::pin(async {
            let mut renewed = false;
            self.0.quotas.check(operation)?;
            loop {
                // Nothing is sent without a token.
                let identity = self.identity(operation).await.map_err(Error::with_request_unsent)?;
                let error = match self.attempt(operation, &payload, mode, identity.as_ref()).await {
                    Ok(response) => return Ok(response),
                    Err(error) => error,
                };
                self.0.quotas.note(operation, &error);
                match self.refused_token(&error, identity.as_ref()) {
                    Some(refused) if !renewed => {
                        tracing::debug!(
                            target: "sqlflow_client::auth",
                            "the server refused the token; requesting a new one"
                        );
                        self.0.tokens.forget(refused);
                        renewed = true;
                    }
                    _ => attempts.after(error, operation).await?,
                }
            }
        });
        let result = sending.instrument(span).await;
        result
            .map_err(|error: Error| if error.operation().is_some() { error } else { error.in_operation(operation.id) })
    }

    /// Returns the token of the request if the server refused it and a new one can be requested.
    fn refused_token<'a>(&self, error: &Error, identity: Option<&'a Identity<'_>>) -> Option<&'a Secret> {
        let token = identity?.token.as_ref()?;
        // A gateway that failed says nothing about tokens, whatever code is in the body.
        let is_refusal = error.kind() == ErrorKind::Authentication && matches!(error.status(), None | Some(401));
        (is_refusal && self.0.tokens.renews()).then_some(token)
    }

    async fn identity(&self, operation: &Operation) -> Result<Option<Identity<'_>>> {
        if !operation.user_id {
            return Ok(None);
        }
        if self.is_anonymous() {
            return Err(needs_account(operation));
        }
        let token = if operation.token { Some(self.token().await?) } else { None };
        Ok(Some(Identity { user_id: self.0.tokens.user_id(), token }))
    }

    async fn token(&self) -> Result<Secret> {
        let transport = self.clone();
        self.0.tokens.token(move |user_id, secret_key| transport.generate_token(user_id, secret_key)).await
    }

    async fn generate_token(self, user_id: String, secret_key: Secret) -> Result<Secret> {
        let form = types::GenerateTokenRequest::new(secret_key, user_id);
        // Not through `send`: the compiler cannot see that an operation without a token does not get here again.
        let operation = &operations::GENERATE_TOKEN;
        let requesting = async {
            let (payload, mut attempts) = (self.form(operation, &form)?, self.attempts());
            let response = loop {
                match self.attempt(operation, &payload, BodyMode::Buffered, None).await {
                    Ok(response) => break response,
                    Err(error) => attempts.after(error, operation).await?,
                }
            };
            attempts.succeeded();
            let token = response.json::<TokenEnvelope>().await?.into_token()?;
            self.0.tokens.known_secrets().remember([token.clone()]);
            Ok(token)
        };
        requesting.await.map_err(|error: Error| error.in_operation(operation.id))
    }

    async fn attempt(
        &self,
        operation: &'static Operation,
        payload: &Payload,
        mode: BodyMode,
        identity: Option<&Identity<'_>>,
    ) -> Result<Box<Response>> {
        let progress = payload.progress();
        let mut request = payload.request(&self.0.http, self.url_of(operation)?, identity, &progress).await?;
        // Set here and not by reqwest, because `ByteStream` decompresses the body and watches its size.
        request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        let secrets = self.0.tokens.known_secrets().remember(payload.secrets(identity));
        let response = self.exchange(operation, request, secrets, mode, &progress).await.map_err(|error| {
            let is_unsent = !error.is_within_response() && progress.abandon();
            if is_unsent { error.with_request_unsent() } else { error }
        })?;
        Ok(response.for_relation_types(payload.relation_types(operation)))
    }

    async fn exchange(
        &self,
        operation: &'static Operation,
        request: reqwest::Request,
        secrets: Redactor,
        mode: BodyMode,
        progress: &SendProgress,
    ) -> Result<Box<Response>> {
        let mut timer = ExchangeTimer::new(self.0.limits.shortest_wait());
        let result = self.with_response_timeout(self.0.http.execute(request), progress, &mut timer).await?;
        let response = result.map_err(|error| {
            let failed = || secrets.redact_error(failure::of_connection(error, &self.0.base_url));
            progress.take_file_error().unwrap_or_else(failed)
        })?;
        tracing::debug!(
            target: "sqlflow_client::http",
            status = response.status().as_u16(),
            after = ?progress.elapsed(),
            "the server responded"
        );
        let is_ok = response::is_success(response.status());
        let received = async {
            let response = response::receive(operation, response, mode, &self.0.limits, timer, secrets).await?;
            if mode == BodyMode::Buffered { response.buffered().await } else { Ok(response) }
        };
        received.await.map_err(|error| if is_ok { error.within_response() } else { error })
    }

    /// Waits for a response while the upload makes progress, and for the response timeout after its last progress.
    async fn with_response_timeout<T>(
        &self,
        response: impl Future<Output = T>,
        progress: &SendProgress,
        timer: &mut ExchangeTimer,
    ) -> Result<T> {
        let timeout = self.0.limits.response_timeout;
        let mut response = pin!(response);
        poll_fn(|context| {
            if let Poll::Ready(response) = response.as_mut().poll(context) {
                return Poll::Ready(Ok(response));
            }
            // A timeout too long for the clock to express is no timeout.
            ready!(timer.poll_end(context, || progress.last_activity().checked_add(timeout)));
            Poll::Ready(Err(failure::response_timed_out(timeout)))
        })
        .await
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("base_url", &self.0.base_url)
            .field("credentials", &self.0.tokens)
            .field("limits", &self.0.limits)
            .finish_non_exhaustive()
    }
}

/// Returns the error for a request that does not fit its operation, which is a fault of this crate, not of its user.
fn unsendable(cause: &str) -> Error {
    Error::invalid(format!("cannot send the request: {cause}"))
}
