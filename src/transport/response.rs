//! What comes back: status and headers, the first bytes looked at, the rest as a stream.

use bytes::{Bytes, BytesMut};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde::de::IgnoredAny;

use super::body::{ByteStream, without_mark};
use super::{Limits, failure};
use crate::wire::{EnvelopeHead, FromResponse, MAX_SNIPPET_INPUT, Operation, Redactor};
use crate::{Error, ErrorKind, Result};

/// A failing envelope is short. More than this is an answer.
const LONGEST_ENVELOPE: usize = 256 * 1024;
/// As much is set aside for an answer on the word of the server alone.
const LARGEST_RESERVE: u64 = 1 << 20;

/// A successful answer, as far as HTTP and authentication go.
#[derive(Debug)]
pub struct Response {
    pub(crate) operation: &'static Operation,
    status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: ByteStream,
    /// The code in the envelope, where the body is a short one.
    pub(crate) head: Option<EnvelopeHead>,
    /// What the request carried that no error about the answer may repeat.
    pub(crate) secrets: Redactor,
    /// Its length, if it is known.
    length: Option<u64>,
    limit: u64,
}

/// Takes an answer in: what is a failure whatever the operation becomes an error, all else is left to the caller.
pub(super) async fn receive(
    operation: &'static Operation,
    response: reqwest::Response,
    limits: &Limits,
    secrets: Redactor,
) -> Result<Response> {
    let (status, headers) = (response.status(), response.headers().clone());
    let length = response.content_length();
    let mut body = ByteStream::of(response, limits.stall_timeout)?;
    if status != StatusCode::OK {
        let (first, _) = body.peek(MAX_SNIPPET_INPUT).await;
        let text = String::from_utf8_lossy(&first);
        let error = failure::of_status(status, &headers, &secrets.redact(&text));
        return Err(secrets.redact_error(error));
    }
    let head = head(&mut body).await;
    let response =
        Response { operation, status, headers, body, head, secrets, length, limit: limits.max_response_bytes };
    // What another attempt may mend is the transport's to know; a file has no envelope for its caller to look into.
    let is_refused = response.head.as_ref().is_some_and(|head| head.code == 401 || head.is_busy());
    if is_refused || operation.answers_with_file { response.without_failure().await } else { Ok(response) }
}

/// The head of a body that is a short envelope; one that is long or no JSON object is not waited for.
async fn head(body: &mut ByteStream) -> Option<EnvelopeHead> {
    let (first, _) = body.peek(1).await;
    if !without_mark(&first).starts_with(b"{") {
        return None;
    }
    let (first, ended) = body.peek(LONGEST_ENVELOPE).await;
    if ended { EnvelopeHead::of(without_mark(&first)) } else { None }
}

impl Response {
    /// The answer, unless a failure came in its place: an envelope that says so, or a page.
    pub(crate) async fn without_failure(mut self) -> Result<Self> {
        if let Some(head) = &self.head {
            head.check().map_err(|error| {
                let error = error.with_retry_after(failure::retry_after(&self.headers));
                self.secrets.redact_error(error)
            })?;
        }
        let beginning = self.body.beginning().await;
        if beginning.starts_with('<') && ["<html", "<!doctype html"].iter().any(|page| beginning.contains(page)) {
            let text = "a page came in place of the answer: is it the base URL of a SQLFlow backend, or is there a \
                        login before it?";
            return Err(Error::new(ErrorKind::Protocol, text));
        }
        let is_object = beginning.strip_prefix('{').is_some_and(|rest| rest.trim_start().starts_with(['"', '}']));
        if is_object && self.operation.answers_with_file {
            let error = Error::new(ErrorKind::Protocol, "JSON came in place of the file, and no error in it");
            return Err(self.head.iter().fold(error, |error, head| error.with_code(head.code)));
        }
        Ok(self)
    }

    /// The body in memory, up to the limit of the client.
    pub(crate) async fn bytes(mut self) -> Result<Bytes> {
        self.read().await
    }

    async fn read(&mut self) -> Result<Bytes> {
        if let Some(whole) = self.body.take_whole() {
            return if whole.len() as u64 > self.limit { Err(self.too_large()) } else { Ok(whole) };
        }
        let operation = self.operation.id;
        let expected = self.length.unwrap_or_default().min(self.limit).min(LARGEST_RESERVE);
        let mut whole = BytesMut::with_capacity(usize::try_from(expected).unwrap_or_default());
        while let Some(chunk) = self.body.try_next().await.map_err(|error| error.in_operation(operation))? {
            if (whole.len() + chunk.len()) as u64 > self.limit {
                return Err(self.too_large());
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }

    /// The same answer with its body here: one that breaks off is known while there can be another attempt.
    pub(super) async fn whole(mut self) -> Result<Self> {
        let body = self.read().await?;
        let text = without_mark(&body);
        if self.head.is_none() && text.starts_with(b"{") {
            let read = serde_json::from_slice::<IgnoredAny>(text);
            if read.is_err_and(|error| error.is_eof()) {
                return Err(failure::cut_off(body.len()));
            }
        }
        self.body.put_back(body);
        Ok(self)
    }

    /// The body as JSON.
    pub(crate) async fn json<T: FromResponse>(self) -> Result<T> {
        let (operation, secrets) = (self.operation, self.secrets.clone());
        let body = self.bytes().await?;
        let text = without_mark(&body);
        let mut answer: T = serde_json::from_slice(text).map_err(|error| {
            let error = if operation.answers_with_secret {
                failure::of_secret_json(&error)
            } else {
                failure::of_json(&error, &secrets.redact(&String::from_utf8_lossy(text)))
            };
            secrets.redact_error(error).in_operation(operation.id).within_response()
        })?;
        answer.clean(&secrets);
        Ok(answer)
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// How many bytes are to come over the network, if that is known.
    pub(crate) fn length(&self) -> Option<u64> {
        self.length
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    fn too_large(&self) -> Error {
        failure::over_limit(self.limit).in_operation(self.operation.id)
    }
}
