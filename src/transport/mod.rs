//! One request from its form to its answer: authentication, attempts, timeouts, the code in the envelope, tracing.
//!
//! Every call of the crate goes through [`Transport::send_in`]. It knows operations, not jobs.

mod body;
mod failure;
mod payload;
mod response;

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{ACCEPT_ENCODING, HeaderValue};
use serde::Serialize;
use tokio::time::timeout_at;
use tracing::Instrument as _;

pub use self::body::ByteStream;
pub(crate) use self::body::ReceivedBytes;
pub(crate) use self::failure::{not_built, over_limit, retry_after};
pub(crate) use self::payload::Payload;
use self::payload::UploadProgress;
pub(crate) use self::response::Response;
use crate::auth::{Identity, TokenCache};
use crate::retry::{Attempts, Retries};
use crate::wire::{File, MultipartForm, Operation, Redactor, Secret, TokenEnvelope, operations, types};
use crate::{Error, ErrorKind, Result};

/// How much of an answer belongs to the attempt that is made at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyMode {
    /// All of it, in memory: one that breaks off is known while there can be another attempt.
    Whole,
    /// Its first bytes. The caller reads on, and asks again itself.
    Stream,
}

impl BodyMode {
    fn of(operation: &Operation) -> Self {
        if operation.answers_with_file { Self::Stream } else { Self::Whole }
    }
}

/// The way to one server. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Transport(Arc<TransportInner>);

struct TransportInner {
    http: reqwest::Client,
    base_url: String,
    tokens: TokenCache,
    limits: Limits,
    retries: Retries,
}

/// How long and how much a request may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// From the last byte sent to the first of the answer.
    pub(crate) response_timeout: Duration,
    /// Between two pieces of an answer.
    pub(crate) stall_timeout: Duration,
    /// Bytes of an answer that is read into memory.
    pub(crate) max_response_bytes: u64,
    /// Bytes of all files of one upload.
    pub(crate) max_upload_bytes: u64,
}

impl Limits {
    pub(crate) fn check(&self) -> Result<()> {
        for (timeout, name) in [(self.response_timeout, "answer"), (self.stall_timeout, "stall")] {
            if timeout.is_zero() {
                return Err(Error::invalid(format!("the {name} timeout is zero, in which nothing can happen")));
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
        limits: Limits,
        retries: Retries,
    ) -> Self {
        Self(Arc::new(TransportInner { http, base_url, tokens, limits, retries }))
    }

    pub(crate) fn base_url(&self) -> &str {
        &self.0.base_url
    }

    pub(crate) fn user_id(&self) -> &str {
        self.0.tokens.user_id()
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// What this client proves itself with, and no text may repeat.
    pub(crate) fn secrets(&self) -> Redactor {
        Redactor::new(self.0.tokens.secrets())
    }

    /// The attempts of a call that is repeated as the client is told to.
    pub(crate) fn attempts(&self) -> Attempts {
        self.0.retries.attempts()
    }

    /// The one attempt of a call whose caller asks again in its own time.
    pub(crate) fn single(&self) -> Attempts {
        self.0.retries.single()
    }

    /// Sends a form to an operation whose answer is not read by generated code.
    pub(crate) async fn send_form(
        &self,
        operation: &'static Operation,
        form: &impl Serialize,
        mode: BodyMode,
        attempts: &mut Attempts,
    ) -> Result<Response> {
        self.send_in(operation, self.form(operation, form)?, mode, attempts).await
    }

    fn form(&self, operation: &Operation, form: &impl Serialize) -> Result<Payload> {
        let request = self.0.http.post(self.url_of(operation)).form(form).build();
        request.map(Payload::Buffered).map_err(not_built)
    }

    fn url_of(&self, operation: &Operation) -> String {
        format!("{}{}", self.0.base_url, operation.path)
    }

    /// Sends a form with files.
    pub(crate) async fn send_files<F: MultipartForm>(
        &self,
        form: &F,
        files: Vec<File>,
        attempts: &mut Attempts,
    ) -> Result<Response> {
        let payload = Payload::with_files(form, files, self.0.limits.max_upload_bytes).await?;
        self.send_in(F::OPERATION, payload, BodyMode::of(F::OPERATION), attempts).await
    }

    /// Sends a request, and again as the client is told to.
    pub(crate) async fn send(&self, operation: &'static Operation, payload: Payload) -> Result<Response> {
        let mut attempts = self.attempts();
        let response = self.send_in(operation, payload, BodyMode::of(operation), &mut attempts).await?;
        attempts.succeeded();
        Ok(response)
    }

    /// Sends a request, with who is asking, and brings its answer as far as its caller wants it. That the call
    /// succeeded is the caller's to say.
    ///
    /// A token that the server refuses is renewed once: a refusal (HTTP 401, or that code in an envelope) is certain to
    /// have changed nothing.
    pub(crate) async fn send_in(
        &self,
        operation: &'static Operation,
        payload: Payload,
        mode: BodyMode,
        attempts: &mut Attempts,
    ) -> Result<Response> {
        let span = tracing::debug_span!("sqlflow", operation = operation.id);
        let sending = async {
            let mut renewed = false;
            loop {
                // Without a token nothing is sent.
                let identity = self.identity(operation).await.map_err(Error::with_request_unsent)?;
                let error = match self.attempt(operation, &payload, mode, identity.as_ref()).await {
                    Ok(response) => return Ok(response),
                    Err(error) => error,
                };
                match self.renewable(&error, identity.as_ref()) {
                    Some(refused) if !renewed => {
                        tracing::debug!("the token was refused; asking for a new one");
                        self.0.tokens.forget(refused);
                        renewed = true;
                    }
                    _ => attempts.after(error, operation.repeatable).await?,
                }
            }
        };
        let answer = sending.instrument(span).await;
        answer
            .map_err(|error: Error| if error.operation().is_some() { error } else { error.in_operation(operation.id) })
    }

    fn renewable<'a>(&self, error: &Error, identity: Option<&'a Identity>) -> Option<&'a Secret> {
        let token = identity?.token.as_ref()?;
        // A gateway that failed says nothing of tokens, whatever code stands beside its status.
        let is_refusal = error.kind() == ErrorKind::Authentication && matches!(error.status(), None | Some(401));
        (is_refusal && self.0.tokens.renews()).then_some(token)
    }

    async fn identity(&self, operation: &Operation) -> Result<Option<Identity>> {
        if !operation.user_id {
            return Ok(None);
        }
        let token = if operation.token { Some(self.token().await?) } else { None };
        Ok(Some(Identity { user_id: self.0.tokens.user_id().to_owned(), token }))
    }

    async fn token(&self) -> Result<Secret> {
        let asking = self.clone();
        self.0.tokens.token(|user_id, secret_key| asking.generate_token(user_id, secret_key)).await
    }

    async fn generate_token(self, user_id: String, secret_key: Secret) -> Result<Secret> {
        let form = types::GenerateTokenRequest::new(secret_key, user_id);
        // Not through `send`: the compiler cannot see that an operation without a token does not come back here.
        let operation = &operations::GENERATE_TOKEN;
        let asking = async {
            let (payload, mut attempts) = (self.form(operation, &form)?, self.attempts());
            let response = loop {
                match self.attempt(operation, &payload, BodyMode::Whole, None).await {
                    Ok(response) => break response,
                    Err(error) => attempts.after(error, operation.repeatable).await?,
                }
            };
            attempts.succeeded();
            response.json::<TokenEnvelope>().await?.into_token()
        };
        asking.await.map_err(|error| error.in_operation(operation.id))
    }

    async fn attempt(
        &self,
        operation: &'static Operation,
        payload: &Payload,
        mode: BodyMode,
        identity: Option<&Identity>,
    ) -> Result<Response> {
        let progress = payload.progress();
        let mut request = payload.request(&self.0.http, &self.url_of(operation), identity, &progress).await?;
        // Not reqwest's own: what an answer unpacks to is watched here.
        request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        let answer = self.exchange(operation, request, Redactor::new(payload.secrets(identity)), mode, &progress).await;
        answer.map_err(|error| {
            let is_cut_short = !error.is_within_response() && progress.abandon();
            if is_cut_short { error.with_request_unsent() } else { error }
        })
    }

    async fn exchange(
        &self,
        operation: &'static Operation,
        request: reqwest::Request,
        secrets: Redactor,
        mode: BodyMode,
        progress: &UploadProgress,
    ) -> Result<Response> {
        let started = tokio::time::Instant::now();
        let sent = self.patiently(self.0.http.execute(request), progress).await?;
        let response = sent
            .map_err(|error| progress.failure().unwrap_or_else(|| failure::of_connection(error, &self.0.base_url)))?;
        tracing::debug!(status = response.status().as_u16(), after = ?started.elapsed(), "answered");
        let is_answer = response.status() == StatusCode::OK;
        let received = async {
            let response = response::receive(operation, response, &self.0.limits, secrets).await?;
            if mode == BodyMode::Whole { response.whole().await } else { Ok(response) }
        };
        received.await.map_err(|error| if is_answer { error.within_response() } else { error })
    }

    /// Waits for an answer as long as the request moves, and the answer timeout from when it last did.
    async fn patiently<T>(&self, answer: impl Future<Output = T>, progress: &UploadProgress) -> Result<T> {
        let patience = self.0.limits.response_timeout;
        let mut answer = pin!(answer);
        loop {
            let moved = progress.last();
            // A time too far off to be told is as good as none.
            let Some(end) = moved.checked_add(patience) else { return Ok(answer.await) };
            if let Ok(answer) = timeout_at(end, &mut answer).await {
                return Ok(answer);
            }
            if progress.last() == moved {
                return Err(failure::no_answer(patience));
            }
        }
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

/// The error of a request that does not suit its operation; a fault of this crate, never of its user.
fn unsuited(what: &str) -> Error {
    Error::invalid(format!("the request cannot be sent: {what}"))
}
