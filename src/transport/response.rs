//! A response: its status and headers, its envelope if it is a short one, and its body as a stream or in memory.

use std::mem;

use bytes::{Bytes, BytesMut};
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde::de::IgnoredAny;
use sqlflow_lineage::RelationType;

use super::body::{BodyLimits, ByteStream, skip_bom_and_whitespace};
use super::json_scan::JsonScan;
use super::response_size::{Deadline, ResponseSize};
use super::timer::ExchangeTimer;
use super::{BodyMode, RequestLimits, failure, page};
use crate::wire::{EnvelopeHead, FromResponse, MAX_SNIPPET_INPUT, Operation, Redactor};
use crate::wire::{has_syntax_errors, issued_secrets, operations};
use crate::{Error, ErrorKind, Result};

/// The length up to which a body is held to find the code of its envelope. The code of a longer one is found when it
/// goes by.
const MAX_ENVELOPE_BYTES: usize = 256 * 1024;
/// The length up to which a body is searched for errors in SQL before its status and its code are looked at.
const MAX_SYNTAX_CHECK_BYTES: u64 = 64 << 20;
/// The number of bytes that are read of a response that is known to be a failure, for its reason.
const MAX_FAILURE_BYTES: u64 = 16 << 20;
/// The memory that is allocated for a body because the server announced its length.
const MAX_PREALLOCATED_BYTES: u64 = 1 << 20;

/// A response that is successful as far as HTTP and authentication go.
///
/// It is passed in a box: it is large, and every future that returns it would copy it.
#[derive(Debug)]
pub struct Response {
    pub(crate) operation: &'static Operation,
    status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: ByteStream,
    /// The code in the envelope, if the body is a short envelope.
    pub(crate) head: Option<EnvelopeHead>,
    /// Removes the secrets of the request from errors about the response.
    pub(crate) secrets: Redactor,
    /// The relation types that the request asked for, if its operation takes any.
    relation_types: Option<Vec<RelationType>>,
    /// The number of bytes that are sent over the network, if the server announced it.
    length: Option<u64>,
    /// The number of bytes that may be read into memory.
    limit: u64,
    size: ResponseSize,
}

/// Reads the beginning of a response. A failure that is one for every operation becomes an error; everything else is
/// left to the caller.
pub(super) async fn receive(
    operation: &'static Operation,
    mut response: reqwest::Response,
    mode: BodyMode,
    limits: &RequestLimits,
    timer: ExchangeTimer,
    secrets: Redactor,
) -> Result<Box<Response>> {
    let (status, length) = (response.status(), response.content_length());
    let headers = mem::take(response.headers_mut());
    let (is_success, size) = (is_success(status), ResponseSize::of(operation));
    let limit = size.max_bytes(limits);
    let body_limits = BodyLimits {
        stall_timeout: limits.stall_timeout,
        deadline: match mode {
            // The beginning of a page that says why the request failed.
            _ if !is_success => ResponseSize::Small.deadline(limits),
            BodyMode::Buffered => size.deadline(limits),
            BodyMode::Stream => None,
        },
        doubts_end: operation.returns_file && limits.has_silent_tls,
    };
    let mut body = ByteStream::of(response, &headers, body_limits, timer, &secrets)?;
    // Before anything of the body is waited for.
    if is_success && mode == BodyMode::Buffered && length.is_some_and(|length| length > limit) {
        return Err(size.too_large(limit).in_operation(operation.id));
    }
    let secrets = if operation.returns_secret { secrets.and(&fresh_secrets(&mut body).await) } else { secrets };
    let is_result = is_syntax_check(operation, &mut body, limit).await;
    if !is_success && !is_result {
        let (first, is_whole) = body.peek(MAX_SNIPPET_INPUT).await;
        let text = String::from_utf8_lossy(&first);
        let error = failure::of_status(status, &headers, &text, !is_whole, &secrets);
        return Err(secrets.redact_error(error));
    }
    let head = if is_result { None } else { read_head(&mut body, operation, limits, &secrets).await };
    let status = if is_result { StatusCode::OK } else { status };
    let relation_types = None;
    let response = Response { operation, status, headers, body, head, secrets, relation_types, length, limit, size };
    let response = Box::new(response);
    // The transport has to know failures that another attempt may mend, and the caller of an operation that returns a
    // file does not look for an envelope.
    let is_refused = response.head.as_ref().is_some_and(|head| head.code == 401 || head.is_turned_away());
    if !(is_refused || operation.returns_file) {
        return Ok(response);
    }
    let mut response = response.without_failure().await?;
    if response.head.is_none() && operation.may_be_json {
        response.watch_envelope();
    }
    Ok(response)
}

/// Returns the secrets that the server issues with a response, whatever else it says: the client does not know them yet.
async fn fresh_secrets(body: &mut ByteStream) -> Redactor {
    let (first, _) = body.peek(MAX_ENVELOPE_BYTES).await;
    Redactor::new(issued_secrets(&String::from_utf8_lossy(&first)))
}

/// Returns `true` for the statuses of a success: 200, and 201, which the vendor's file declares next to it.
pub(super) fn is_success(status: StatusCode) -> bool {
    matches!(status, StatusCode::OK | StatusCode::CREATED)
}

/// Returns `true` if the response says what is wrong with the SQL of a syntax check. That is the result of the check,
/// whatever the status and the code next to it.
async fn is_syntax_check(operation: &Operation, body: &mut ByteStream, limit: u64) -> bool {
    if operation.id != operations::CHECK_SYNTAX.id {
        return false;
    }
    let (first, _) = body.peek(1).await;
    if !skip_bom_and_whitespace(&first).starts_with(b"{") {
        return false;
    }
    let (text, has_ended) = body.peek(usize::try_from(limit.min(MAX_SYNTAX_CHECK_BYTES)).unwrap_or(usize::MAX)).await;
    has_ended && has_syntax_errors(skip_bom_and_whitespace(&text))
}

/// Reads the head of a body that is a short envelope, or one that begins as a failure. A body that is long, or not a
/// JSON object, is not read further than it takes to find out.
async fn read_head(
    body: &mut ByteStream,
    operation: &Operation,
    limits: &RequestLimits,
    secrets: &Redactor,
) -> Option<EnvelopeHead> {
    let (first, _) = body.peek(1).await;
    if !skip_bom_and_whitespace(&first).starts_with(b"{") {
        return None;
    }
    let (first, ended) = body.peek(MAX_ENVELOPE_BYTES).await;
    if ended {
        return EnvelopeHead::of(skip_bom_and_whitespace(&first), secrets);
    }
    let mut scan = JsonScan::default();
    scan.update(&first);
    let is_failure = |head: &EnvelopeHead| head.check().is_err();
    let begun = scan.head(secrets).filter(is_failure);
    let is_in_place_of_a_file = operation.returns_file && !operation.may_be_json;
    if begun.is_none() && !is_in_place_of_a_file {
        return None;
    }
    // The body is of no use to anyone, except for the reason of the failure, which may come at its end.
    let mut length = 0;
    let deadline = Deadline::in_time(limits.small_response_timeout);
    let _ = body.try_next().await;
    while !scan.is_closed() && length < MAX_FAILURE_BYTES && !deadline.is_some_and(|end| end.left().is_zero()) {
        let Ok(Some(chunk)) = body.try_next().await else { break };
        scan.update(&chunk);
        length += chunk.len() as u64;
    }
    let whole = if scan.is_closed() { scan.head(secrets).filter(is_failure) } else { None };
    if whole.is_none() && begun.is_none() {
        // An object in the place of a file is reported as such.
        body.unread(first);
    }
    whole.or(begun)
}

impl Response {
    /// Returns the response, or an error if its body reports a failure: an envelope with an error code, an HTML page,
    /// or JSON from an operation that returns a file.
    pub(crate) async fn without_failure(mut self: Box<Self>) -> Result<Box<Self>> {
        if let Some(head) = &self.head {
            head.check().map_err(|error| {
                let error = error.with_retry_after(failure::retry_after(&self.headers));
                self.secrets.redact_error(error)
            })?;
        }
        let is_declared = self.headers.get(CONTENT_TYPE).is_some_and(|kind| is_html(kind.as_bytes()));
        let may_follow_text = self.operation.returns_file && !self.operation.may_be_json;
        if self.body.is_page(is_declared, may_follow_text).await {
            return Err(page::error());
        }
        let beginning = self.body.beginning().await;
        let is_object = beginning.strip_prefix('{').is_some_and(|rest| rest.trim_start().starts_with(['"', '}']));
        let is_the_file = self.head.is_none() && self.operation.may_be_json;
        if is_object && self.operation.returns_file && !is_the_file {
            let error =
                Error::new(ErrorKind::Protocol, "the response is JSON without an error in it, but a file was expected");
            return Err(self.head.iter().fold(error, |error, head| error.with_code(head.code)));
        }
        Ok(self)
    }

    /// Lets a failure that the body turns out to be become an error of its stream.
    pub(crate) fn watch_envelope(&mut self) {
        self.body.watch_envelope(self.operation, self.secrets.clone());
    }

    /// Adds the relation types that the request asked for, if its operation takes any.
    pub(super) fn for_relation_types(mut self: Box<Self>, relation_types: Option<Vec<RelationType>>) -> Box<Self> {
        self.relation_types = relation_types;
        self
    }

    /// Returns the relation types that the request asked for, or `None` if its operation takes none.
    pub(crate) fn relation_types(&self) -> Option<&[RelationType]> {
        self.relation_types.as_deref()
    }

    /// Reads the body into memory, up to the limit of the client.
    async fn read_body(&mut self) -> Result<Bytes> {
        if let Some(body) = self.body.take_buffered() {
            return if body.len() as u64 > self.limit { Err(self.too_large()) } else { Ok(body) };
        }
        let operation = self.operation.id;
        let expected = self.length.unwrap_or_default().min(self.limit).min(MAX_PREALLOCATED_BYTES);
        let mut body = BytesMut::with_capacity(usize::try_from(expected).unwrap_or_default());
        while let Some(chunk) = self.body.try_next().await.map_err(|error| error.in_operation(operation))? {
            if (body.len() + chunk.len()) as u64 > self.limit {
                return Err(self.too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    /// Reads the body into memory and checks that its JSON is complete, so that a truncated response is known while it
    /// can be retried.
    pub(super) async fn buffered(mut self: Box<Self>) -> Result<Box<Self>> {
        let body = self.read_body().await?;
        let text = skip_bom_and_whitespace(&body);
        if self.head.is_none() && text.starts_with(b"{") {
            let read = serde_json::from_slice::<IgnoredAny>(text);
            if read.is_err_and(|error| error.is_eof()) {
                return Err(failure::truncated_json(body.len()));
            }
        }
        self.body.unread(body);
        Ok(self)
    }

    /// Reads the body as JSON.
    pub(crate) async fn json<T: FromResponse>(mut self: Box<Self>) -> Result<T> {
        let body = self.read_body().await?;
        let Self { operation, secrets, relation_types, head, .. } = *self;
        let text = skip_bom_and_whitespace(&body);
        // Most small responses, whose envelope is not read a second time then.
        let data = head.and_then(|head| T::of_data(head.code, head.only_data(text)?));
        let mut value = data.map_or_else(|| T::parse(text, relation_types), Ok).map_err(|error| {
            let error = if operation.returns_secret {
                failure::of_secret_json(&error)
            } else {
                failure::of_json(&error, text, &secrets)
            };
            secrets.redact_error(error).in_operation(operation.id).within_response()
        })?;
        value.clean(&secrets);
        Ok(value)
    }

    /// Returns the first words of the body, without the secrets of the client.
    pub(crate) async fn snippet(&mut self) -> String {
        let (first, is_whole) = self.body.peek(MAX_SNIPPET_INPUT).await;
        self.secrets.snippet(&String::from_utf8_lossy(skip_bom_and_whitespace(&first)), !is_whole)
    }

    /// Returns the status for generated code, which knows 200 as the only success.
    pub(crate) fn status(&self) -> StatusCode {
        if is_success(self.status) { StatusCode::OK } else { self.status }
    }

    /// Returns the number of bytes that are sent over the network, if the server announced it.
    pub(crate) fn length(&self) -> Option<u64> {
        self.length
    }

    /// Returns the number of bytes that may be read into memory.
    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    fn too_large(&self) -> Error {
        self.size.too_large(self.limit).in_operation(self.operation.id)
    }
}

/// Returns `true` for the content types of HTML pages.
fn is_html(content_type: &[u8]) -> bool {
    let content_type = content_type.to_ascii_lowercase();
    [&b"text/html"[..], b"application/xhtml"].iter().any(|html| content_type.starts_with(html))
}
