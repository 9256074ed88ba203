//! Faults at the level of HTTP: before a request is handled, instead of handling it, and in its response.

use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, UNIX_EPOCH};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header, response};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream, StreamExt as _};
use serde_json::Value;
use tokio::sync::watch;

use super::wire::{CloseMode, ConnectionControl, ConnectionInfo};
use super::{AppliedFault, FaultKind, gzip, whole_seconds};
use crate::envelope::{EnvelopeCode, Failure};
use crate::incoming_body::IncomingBody;
use crate::request_log::ParameterNames;
use crate::{Service, wait_for_stop};

/// The message of the real server when it is overloaded.
const BUSY: &str = "Sorry, the service is busy. Please try again later.";

/// Bytes that are invalid in every text encoding and match no known format.
const GARBAGE: &[u8] = b"\xff\xfe\x00\xc3\x28 <{[,;\"garbage\xf0\x9f\x00\xff";

/// An extension of a request whose job must be deleted before it is handled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DeleteJobFirst;

/// An extension of a response that is not sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SuppressedResponse;

/// A request in the middleware, with everything that a fault needs.
pub(crate) struct InterceptedRequest {
    pub(crate) service: Arc<Service>,
    /// The number of the request in the log.
    pub(crate) number: u64,
    pub(crate) request: Request,
    pub(crate) body: IncomingBody,
    pub(crate) next: Next,
}

impl InterceptedRequest {
    /// Passes the request to its handler and returns the response, with the fault applied.
    pub(crate) async fn respond(self, fault: Option<AppliedFault>) -> Response {
        let service = Arc::clone(&self.service);
        let connection = ConnectionInfo::connection(self.request.extensions());
        let compressible = gzip::accepted(self.request.headers());
        let compressed = service.gzip && compressible;
        let Some(AppliedFault { kind, handled }) = fault else {
            let response = self.next.run(self.request).await;
            return if compressed { compress(response).await } else { response };
        };
        let response = self.handle(&kind, handled, &connection).await;
        let response = alter(&kind, response, &service.stopped).await;
        match kind {
            FaultKind::Bomb(bytes) if compressible => {
                compress_with(response, move |body| gzip::bomb(body, bytes)).await
            }
            kind => {
                let response = if compressed { compress(response).await } else { response };
                transmit(&kind, response, connection, service.stopped.clone()).await
            }
        }
    }

    /// Returns the response of the handler, or the one that replaces it.
    async fn handle(mut self, kind: &FaultKind, handled: bool, connection: &ConnectionControl) -> Response {
        match (replacement(kind), kind) {
            (Some(mut response), _) => {
                if handled {
                    let mut ignored = self.next.run(self.request).await;
                    let names = ignored.extensions_mut().remove::<ParameterNames>().unwrap_or_default();
                    response.extensions_mut().insert(names);
                }
                // Unread bytes would turn the end of the connection into a reset.
                self.body.drain().await;
                if *kind == FaultKind::Close {
                    connection.end(CloseMode::Close);
                }
                response
            }
            (None, FaultKind::ResetAfterReceived(bytes)) => {
                self.body.receive(*bytes).await;
                connection.end(CloseMode::Reset);
                suppressed()
            }
            (None, FaultKind::Late(time)) => {
                self.handle_later(*time).await;
                connection.end(CloseMode::Close);
                suppressed()
            }
            (None, FaultKind::ExpireToken) => {
                self.service.accounts.expire();
                self.next.run(self.request).await
            }
            (None, FaultKind::Vanish) => {
                self.request.extensions_mut().insert(DeleteJobFirst);
                self.next.run(self.request).await
            }
            (None, _) => self.next.run(self.request).await,
        }
    }

    /// Reads the request, and handles it after a delay.
    async fn handle_later(self, time: Duration) {
        let Self { service, number, request, body, next } = self;
        let Some(body) = body.rest().await else { return };
        let request = request.map(|_| Body::from(body));
        tokio::spawn(async move {
            let handled = async {
                tokio::time::sleep(time).await;
                next.run(request).await
            };
            tokio::select! {
                mut handled = handled => {
                    let names = handled.extensions_mut().remove::<ParameterNames>().unwrap_or_default();
                    service.requests.update(number, |record| record.fields = names.fields);
                }
                () = wait_for_stop(service.stopped.clone()) => {}
            }
        });
    }
}

/// Returns the response of a fault that does not need that of the handler.
fn replacement(kind: &FaultKind) -> Option<Response> {
    match kind {
        FaultKind::Close => Some(suppressed()),
        FaultKind::Page(status) => Some(page(*status)),
        FaultKind::TooManyRequests(wait) => Some(too_many_requests(whole_seconds(*wait).to_string())),
        FaultKind::TooManyRequestsUntil(seconds) => {
            let time = UNIX_EPOCH + Duration::from_secs(*seconds);
            Some(too_many_requests(httpdate::fmt_http_date(time)))
        }
        FaultKind::Busy => Some(Failure::new(500, BUSY).into_response()),
        FaultKind::Redirect(url) => Some(redirect(url)),
        _ => None,
    }
}

fn suppressed() -> Response {
    let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
    response.extensions_mut().insert(SuppressedResponse);
    response
}

/// Creates the page that nginx would send.
fn page(status: StatusCode) -> Response {
    let title = format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or("Unknown"));
    let body = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n\
         <hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    );
    (status, [(header::CONTENT_TYPE, "text/html")], body).into_response()
}

fn too_many_requests(retry_after: String) -> Response {
    let mut response = page(StatusCode::TOO_MANY_REQUESTS);
    let retry_after = HeaderValue::try_from(retry_after).ok();
    response.headers_mut().extend(retry_after.map(|value| (header::RETRY_AFTER, value)));
    response
}

fn redirect(url: &str) -> Response {
    let mut response = page(StatusCode::TEMPORARY_REDIRECT);
    let url: String = url.chars().filter(|character| !character.is_control()).collect();
    let location = HeaderValue::try_from(url).ok();
    response.headers_mut().extend(location.map(|value| (header::LOCATION, value)));
    response
}

/// Applies faults that change a response before it is compressed.
async fn alter(kind: &FaultKind, response: Response, stopped: &watch::Receiver<bool>) -> Response {
    match kind {
        FaultKind::Latency(time) => {
            pause(*time, stopped.clone()).await;
            response
        }
        FaultKind::UnknownStatus(text) => {
            let (head, body) = split(response).await;
            let body = with_status(&body, text).unwrap_or(body);
            Response::from_parts(head, Body::from(body))
        }
        FaultKind::UnreadableJob => {
            let (head, body) = split(response).await;
            let text = String::from_utf8_lossy(&body).replace("\"jobId\":", "\"progress\":1e999,\"jobId\":");
            Response::from_parts(head, Body::from(text))
        }
        FaultKind::Garbage => {
            let (mut head, _) = split(response).await;
            head.extensions.remove::<EnvelopeCode>();
            Response::from_parts(head, Body::from(GARBAGE))
        }
        _ => response,
    }
}

/// Applies faults that change how a response is sent.
async fn transmit(
    kind: &FaultKind,
    response: Response,
    connection: Arc<ConnectionControl>,
    stopped: watch::Receiver<bool>,
) -> Response {
    match *kind {
        FaultKind::Truncate(bytes) => {
            let (head, body) = split(response).await;
            Response::from_parts(head, Body::from(prefix(&body, bytes)))
        }
        FaultKind::ContentLength(difference) => {
            let (mut head, body) = split(response).await;
            let length = (body.len() as u64).saturating_add_signed(difference);
            head.headers.insert(header::CONTENT_LENGTH, length.into());
            Response::from_parts(head, streamed(stream::iter([body]).chain(end_after(connection, CloseMode::Close))))
        }
        FaultKind::Drip(bytes, every) => {
            let (mut head, body) = split(response).await;
            head.headers.insert(header::CONTENT_LENGTH, body.len().into());
            Response::from_parts(head, streamed(drip(body, bytes, every, stopped)))
        }
        FaultKind::Stall(bytes) => {
            let (head, body) = split(response).await;
            let silence = stream::once(async move {
                wait_for_stop(stopped).await;
                connection.end(CloseMode::Close);
                Bytes::new()
            });
            Response::from_parts(head, streamed(stream::iter([prefix(&body, bytes)]).chain(silence)))
        }
        FaultKind::ResetAfterSent(bytes) => {
            let (head, body) = split(response).await;
            let end = end_after(connection, CloseMode::Reset);
            Response::from_parts(head, streamed(stream::iter([prefix(&body, bytes)]).chain(end)))
        }
        _ => response,
    }
}

/// Ends the connection where a body would continue. The server flushes whenever it has to wait for the rest of a
/// body.
fn end_after(connection: Arc<ConnectionControl>, mode: CloseMode) -> impl Stream<Item = Bytes> + Send {
    stream::poll_fn(move |_| {
        connection.end_when_flushed(mode);
        Poll::Pending
    })
}

async fn pause(time: Duration, stopped: watch::Receiver<bool>) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        () = wait_for_stop(stopped) => {}
    }
}

/// Splits a response into its head and its body. Removes the `Content-Length`, since the body will change.
async fn split(response: Response) -> (response::Parts, Bytes) {
    let (mut head, body) = response.into_parts();
    head.headers.remove(header::CONTENT_LENGTH);
    // The bodies of handlers are in memory, where nothing can fail.
    (head, to_bytes(body, usize::MAX).await.unwrap_or_default())
}

fn prefix(body: &Bytes, bytes: u64) -> Bytes {
    body.slice(..usize::try_from(bytes).map_or(body.len(), |bytes| bytes.min(body.len())))
}

/// Creates a body whose length is not known in advance.
fn streamed(pieces: impl Stream<Item = Bytes> + Send + 'static) -> Body {
    Body::from_stream(pieces.map(Ok::<_, std::convert::Infallible>))
}

fn drip(body: Bytes, bytes: u64, every: Duration, stopped: watch::Receiver<bool>) -> impl Stream<Item = Bytes> + Send {
    let begun = false;
    stream::unfold((body, begun, stopped), move |(mut body, begun, stopped)| async move {
        if body.is_empty() {
            return None;
        }
        if begun {
            pause(every, stopped.clone()).await;
        }
        let piece = prefix(&body, bytes);
        let rest = body.split_off(piece.len());
        Some((piece, (rest, true, stopped)))
    })
}

async fn compress(response: Response) -> Response {
    compress_with(response, gzip::compress).await
}

/// Compresses the body of a response, off the threads that serve requests. The response is unchanged if that fails.
async fn compress_with(
    response: Response,
    pack: impl FnOnce(&[u8]) -> std::io::Result<Vec<u8>> + Send + 'static,
) -> Response {
    if response.extensions().get::<SuppressedResponse>().is_some() {
        return response;
    }
    let (mut head, body) = split(response).await;
    let content = body.clone();
    match tokio::task::spawn_blocking(move || pack(&content)).await {
        Ok(Ok(packed)) => {
            head.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            Response::from_parts(head, Body::from(packed))
        }
        _ => Response::from_parts(head, Body::from(body)),
    }
}

/// Replaces the status of jobs that have not ended, unless the body is not JSON.
fn with_status(body: &[u8], text: &str) -> Option<Bytes> {
    let mut envelope: Value = serde_json::from_slice(body).ok()?;
    let data = envelope.get_mut("data")?;
    replace_status(data, text);
    for job in data.get_mut("jobDetails").and_then(Value::as_array_mut).into_iter().flatten() {
        replace_status(job, text);
    }
    Some(envelope.to_string().into())
}

fn replace_status(job: &mut Value, text: &str) {
    if let Some(status) = job.get_mut("status").filter(|status| *status == "create" || *status == "process") {
        *status = text.into();
    }
}
