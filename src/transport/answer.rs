//! What comes back: status and headers, the first bytes looked at, the rest as a stream.

use std::fmt;

use bytes::{Bytes, BytesMut};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde::de::DeserializeOwned;

use super::body::{ByteStream, without_mark};
use super::{Limits, failure};
use crate::api::{Operation, Verdict};
use crate::{Error, ErrorKind, Result, Secret};

/// A failing envelope is short. More than this is an answer.
const LONGEST_ENVELOPE: usize = 256 * 1024;

/// A successful answer, as far as HTTP and authentication go.
#[derive(Debug)]
pub struct Response {
    pub(crate) operation: &'static Operation,
    status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: ByteStream,
    /// The code in the envelope, where the body is a short one.
    pub(crate) verdict: Option<Verdict>,
    /// What the request carried that no error about the answer may repeat.
    pub(crate) secrets: Secrets,
    limit: u64,
}

/// Takes an answer in: a failure of HTTP or of authentication becomes an error, all else is left to the caller.
///
/// What was secret in the request is taken out of a short answer: servers and proxies repeat in their error texts what
/// they were sent, and error texts end up in logs.
pub(super) async fn receive(
    operation: &'static Operation,
    response: reqwest::Response,
    limits: &Limits,
    secrets: Secrets,
) -> Result<Response> {
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = ByteStream::of(response, limits.stall_timeout);
    if status != StatusCode::OK {
        let (first, _) = body.peek(failure::SNIPPET).await;
        return Err(secrets.kept_out_of(failure::of_status(status, &headers, &first)));
    }
    let verdict = verdict(&mut body, &secrets).await;
    if let Some(verdict) = verdict.as_ref().filter(|verdict| verdict.code == 401) {
        verdict.check()?;
    }
    Ok(Response { operation, status, headers, body, verdict, secrets, limit: limits.answer_bytes })
}

/// The verdict of a body that is a short envelope; one that is long or no JSON object is not waited for.
async fn verdict(body: &mut ByteStream, secrets: &Secrets) -> Option<Verdict> {
    let (first, _) = body.peek(1).await;
    if !without_mark(&first).starts_with(b"{") {
        return None;
    }
    let (first, ended) = body.peek(LONGEST_ENVELOPE).await;
    if !ended {
        return None;
    }
    match secrets.removed_from(&String::from_utf8_lossy(&first)) {
        None => Verdict::of(without_mark(&first)),
        Some(cleaned) => {
            let cleaned = Bytes::from(cleaned);
            body.replace_peeked(cleaned.clone());
            Verdict::of(without_mark(&cleaned))
        }
    }
}

/// What a request carried that no error may repeat, in the spellings it may come back in.
#[derive(Clone)]
pub(crate) struct Secrets(Vec<Secret>);

impl Secrets {
    /// Shorter ones are no secrets but words: the literal `token` of servers without accounts is one.
    const SHORTEST: usize = 8;

    pub(super) fn new(secrets: &[Secret]) -> Self {
        let secrets = secrets.iter().map(Secret::expose).filter(|secret| secret.len() >= Self::SHORTEST);
        Self(secrets.flat_map(|secret| [secret.into(), encoded(secret).into()]).collect())
    }

    /// An error that does not repeat them. One whose text did loses its cause too, which is likely to.
    pub(crate) fn kept_out_of(&self, error: Error) -> Error {
        match self.removed_from(&error.to_string()) {
            Some(text) => error.with_text(text),
            None => error,
        }
    }

    /// The text without them, if it has one.
    fn removed_from(&self, text: &str) -> Option<String> {
        let mut found = self.0.iter().map(Secret::expose).filter(|secret| text.contains(secret)).peekable();
        found.peek()?;
        Some(found.fold(text.to_owned(), |text, secret| text.replace(secret, "[REDACTED]")))
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} REDACTED]", self.0.len())
    }
}

/// As a form spells it.
fn encoded(text: &str) -> String {
    let pair = serde_urlencoded::to_string([("", text)]).unwrap_or_default();
    pair.strip_prefix('=').unwrap_or(&pair).to_owned()
}

impl Response {
    /// The body in memory, up to the limit of the client.
    pub(crate) async fn bytes(mut self) -> Result<Bytes> {
        let mut whole = BytesMut::new();
        let operation = self.operation.id;
        while let Some(chunk) = self.body.try_next().await.map_err(|error| error.in_operation(operation))? {
            if (whole.len() + chunk.len()) as u64 > self.limit {
                return Err(self.too_large());
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }

    /// The body as JSON.
    pub(crate) async fn json<T: DeserializeOwned>(self) -> Result<T> {
        let (operation, secrets) = (self.operation, self.secrets.clone());
        let body = self.bytes().await?;
        let text = without_mark(&body);
        serde_json::from_slice(text)
            .map_err(|error| secrets.kept_out_of(failure::of_json(&error, text)).in_operation(operation.id))
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    fn too_large(&self) -> Error {
        let limit = self.limit;
        Error::new(
            ErrorKind::TooLarge,
            format!("the answer is over the limit of {limit} bytes: raise it in the builder, or export to a file"),
        )
        .in_operation(self.operation.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_taken_out_and_a_word_is_left() {
        let secrets = Secrets::new(&["token", "eyJhbGciOi.x&y"].map(Secret::from));
        let text = "no such token: eyJhbGciOi.x&y in a=1&token=eyJhbGciOi.x%26y!";
        assert_eq!(secrets.removed_from(text).unwrap(), "no such token: [REDACTED] in a=1&token=[REDACTED]!");
        assert_eq!(secrets.removed_from("bad token"), None);
    }
}
