//! One request from its form to its answer: authentication, attempts, timeouts, the code in the envelope, tracing.
//!
//! Every call of the crate goes through [`Transport::send`]. It knows operations, not jobs.

mod answer;
mod body;
pub(crate) mod failure;
mod payload;
pub(crate) mod secrets;

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::time::timeout_at;
use tracing::Instrument as _;

pub(crate) use self::answer::{FromAnswer, Response};
pub use self::body::ByteStream;
pub(crate) use self::payload::Payload;
use self::payload::Progress;
use self::secrets::Secrets;
use crate::api::runtime::Form;
use crate::api::{File, Operation, TokenEnvelope, operations, types};
use crate::credentials::{Identity, Keyring, Secret};
use crate::{Error, ErrorKind, Result};

/// The way to one server. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Transport(Arc<Way>);

struct Way {
    http: reqwest::Client,
    base_url: String,
    keyring: Keyring,
    limits: Limits,
}

/// How long and how much a request may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// From the last byte sent to the first of the answer.
    pub(crate) answer_timeout: Duration,
    /// Between two pieces of an answer.
    pub(crate) stall_timeout: Duration,
    /// Bytes of an answer that is read into memory.
    pub(crate) answer_bytes: u64,
    /// Bytes of all files of one upload.
    pub(crate) upload_bytes: u64,
}

impl Limits {
    pub(crate) fn check(&self) -> Result<()> {
        for (timeout, name) in [(self.answer_timeout, "answer"), (self.stall_timeout, "stall")] {
            if timeout.is_zero() {
                return Err(Error::invalid(format!("the {name} timeout is zero, in which nothing can happen")));
            }
        }
        Ok(())
    }
}

impl Transport {
    pub(crate) fn new(http: reqwest::Client, base_url: String, keyring: Keyring, limits: Limits) -> Self {
        Self(Arc::new(Way { http, base_url, keyring, limits }))
    }

    pub(crate) fn base_url(&self) -> &str {
        &self.0.base_url
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Sends a form to an operation whose answer is not read by generated code.
    pub(crate) async fn send_form(&self, operation: &'static Operation, form: &impl Serialize) -> Result<Response> {
        self.send(operation, self.form(operation, form)?).await
    }

    fn form(&self, operation: &Operation, form: &impl Serialize) -> Result<Payload> {
        let request = self.0.http.post(self.url_of(operation)).form(form).build();
        request.map(Payload::Buffered).map_err(crate::api::runtime::not_built)
    }

    fn url_of(&self, operation: &Operation) -> String {
        format!("{}{}", self.0.base_url, operation.path)
    }

    /// Sends a form with files.
    pub(crate) async fn send_files<F: Form>(&self, form: &F, files: Vec<File>) -> Result<Response> {
        let payload = Payload::with_files(form, files, self.0.limits.upload_bytes).await?;
        self.send(F::OPERATION, payload).await
    }

    /// Sends a request, with who is asking, and brings its answer as far as its first bytes.
    ///
    /// A token that the server refuses is renewed once: a refusal (HTTP 401, or that code in an envelope) is certain to
    /// have changed nothing.
    pub(crate) async fn send(&self, operation: &'static Operation, payload: Payload) -> Result<Response> {
        let span = tracing::debug_span!("sqlflow", operation = operation.id);
        let sending = async {
            let identity = self.identity(operation).await?;
            let answer = self.attempt(operation, &payload, identity.as_ref()).await;
            let Some(refused) = self.renewable(&answer, identity.as_ref()) else { return answer };
            tracing::debug!("the token was refused; asking for a new one");
            self.0.keyring.forget(refused).await;
            let identity = self.identity(operation).await?;
            self.attempt(operation, &payload, identity.as_ref()).await
        };
        let answer = sending.instrument(span).await;
        answer.map_err(|error| if error.operation().is_some() { error } else { error.in_operation(operation.id) })
    }

    fn renewable<'a>(&self, answer: &Result<Response>, identity: Option<&'a Identity>) -> Option<&'a Secret> {
        let refused = matches!(answer, Err(error) if error.kind() == ErrorKind::Authentication);
        let token = identity?.token.as_ref()?;
        (refused && self.0.keyring.renews()).then_some(token)
    }

    async fn identity(&self, operation: &Operation) -> Result<Option<Identity>> {
        if !operation.user_id {
            return Ok(None);
        }
        let token = if operation.token { Some(self.token().await?) } else { None };
        Ok(Some(Identity { user_id: self.0.keyring.user_id().to_owned(), token }))
    }

    async fn token(&self) -> Result<Secret> {
        self.0.keyring.token(|user_id, secret_key| self.generate_token(user_id, secret_key)).await
    }

    async fn generate_token(&self, user_id: String, secret_key: Secret) -> Result<Secret> {
        let form = types::GenerateTokenRequest::new(secret_key, user_id);
        // Not through `send`: the compiler cannot see that an operation without a token does not come back here.
        let operation = &operations::GENERATE_TOKEN;
        let asking = async {
            let response = self.attempt(operation, &self.form(operation, &form)?, None).await?;
            response.json::<TokenEnvelope>().await?.into_token()
        };
        asking.await.map_err(|error| error.in_operation(operation.id))
    }

    async fn attempt(
        &self,
        operation: &'static Operation,
        payload: &Payload,
        identity: Option<&Identity>,
    ) -> Result<Response> {
        let progress = Progress::start();
        let request = payload.request(&self.0.http, &self.url_of(operation), identity, &progress).await?;
        let started = tokio::time::Instant::now();
        let sent = self.patiently(self.0.http.execute(request), &progress).await?;
        let response = sent
            .map_err(|error| progress.failure().unwrap_or_else(|| failure::of_connection(error, &self.0.base_url)))?;
        tracing::debug!(status = response.status().as_u16(), after = ?started.elapsed(), "answered");
        let secrets = Secrets::new(payload.secrets(identity));
        answer::receive(operation, response, &self.0.limits, secrets).await
    }

    /// Waits for an answer as long as the request moves, and the answer timeout from when it last did.
    async fn patiently<T>(&self, answer: impl Future<Output = T>, progress: &Progress) -> Result<T> {
        let patience = self.0.limits.answer_timeout;
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
            .field("credentials", &self.0.keyring)
            .field("limits", &self.0.limits)
            .finish_non_exhaustive()
    }
}

/// The error of a request that does not suit its operation; a fault of this crate, never of its user.
fn unsuited(what: &str) -> Error {
    Error::invalid(format!("the request cannot be sent: {what}"))
}
