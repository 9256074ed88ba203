//! The middleware that every request passes through, and the log of the requests that reached the server.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::Response;

use super::Service;
use super::envelope::EnvelopeCode;
use super::faults::http::{InterceptedRequest, SuppressedResponse};
use super::incoming_body::{IncomingBody, ReceivedBytes};

/// The maximum number of requests in the log. The oldest are dropped first.
const CAPACITY: usize = 100_000;

/// One request that reached the emulator. Contains the names of its fields, never their values.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestRecord {
    /// The HTTP method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The media type of the body, without parameters such as the boundary.
    pub content_type: Option<String>,
    /// The operation, named after the end of its path: `submitUserJob`, `generateToken`, `generation/sqlflow/graph`.
    /// `None` for a path that is not an operation.
    pub operation: Option<&'static str>,
    /// The names of all parameters and file parts, in the order in which they were sent. Empty while the body is
    /// being received, and if it could not be read.
    pub fields: Vec<String>,
    /// The number of bytes of the body that have been received, before any decoding. Bytes that the server did not
    /// read are not counted.
    pub body_bytes: u64,
    /// The [`Fault`](super::Fault) that was applied to the request, as text and without the conditions that selected
    /// the request: `504`, `504,handled`, `lose-response`.
    pub fault: Option<String>,
    /// The HTTP status of the response. `None` while there is no response, if the caller closed the connection
    /// before, or if a fault suppressed the response.
    pub status: Option<u16>,
    /// The `code` in the envelope of the response, if it has an envelope.
    pub code: Option<u16>,
    /// The time at which the request arrived.
    pub time: SystemTime,
}

/// The names of the parameters of a request, attached to the response for the log.
#[derive(Debug, Clone, Default)]
pub(super) struct ParameterNames {
    pub(super) fields: Vec<String>,
}

/// The log of all requests.
#[derive(Default)]
pub(super) struct RequestLog {
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    forgotten: u64,
    records: VecDeque<(RequestRecord, ReceivedBytes)>,
}

impl RequestLog {
    pub(super) fn snapshot(&self) -> Vec<RequestRecord> {
        let current = |(record, received): &(RequestRecord, ReceivedBytes)| RequestRecord {
            body_bytes: received.bytes(),
            ..record.clone()
        };
        self.lock().records.iter().map(current).collect()
    }

    /// Forgets all requests so far.
    pub(super) fn clear(&self) {
        let mut entries = self.lock();
        entries.forgotten += entries.records.len() as u64;
        entries.records.clear();
    }

    fn open(&self, record: RequestRecord, received: ReceivedBytes) -> u64 {
        let mut entries = self.lock();
        if entries.records.len() == CAPACITY {
            entries.records.pop_front();
            entries.forgotten += 1;
        }
        entries.records.push_back((record, received));
        entries.forgotten + entries.records.len() as u64 - 1
    }

    pub(super) fn update(&self, number: u64, change: impl FnOnce(&mut RequestRecord)) {
        let mut entries = self.lock();
        let index = number.checked_sub(entries.forgotten).and_then(|index| usize::try_from(index).ok());
        if let Some((record, _)) = index.and_then(|index| entries.records.get_mut(index)) {
            change(record);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for RequestLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestLog").field("length", &self.lock().records.len()).finish_non_exhaustive()
    }
}

/// Logs a request, applies a fault to it, and passes it to its handler.
pub(super) async fn record_request(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    // Neither faults nor counts of requests are about the paths that control them.
    if super::control::is_own_path(request.uri().path()) {
        return super::control::respond(&service, request).await;
    }
    let mut record = new_record(&request);
    let fault = record.operation.and_then(|operation| service.faults.take_for(operation));
    record.fault = fault.as_ref().map(ToString::to_string);
    let received = ReceivedBytes::default();
    let number = service.requests.open(record, received.clone());
    let (request, body) = IncomingBody::of(request, received);
    let intercepted = InterceptedRequest { service: Arc::clone(&service), number, request, body, next };
    let mut response = intercepted.respond(fault).await;
    let names = response.extensions_mut().remove::<ParameterNames>();
    let code = response.extensions_mut().remove::<EnvelopeCode>();
    let sent = response.extensions_mut().remove::<SuppressedResponse>().is_none();
    service.requests.update(number, |record| {
        record.status = sent.then(|| response.status().as_u16());
        record.code = code.map(|EnvelopeCode(code)| code);
        // A request that is handled later gets its parameter names later.
        record.fields = names.map_or_else(|| std::mem::take(&mut record.fields), |names| names.fields);
        tracing::debug!(
            method = record.method,
            path = record.path,
            status = record.status,
            code = record.code,
            fault = record.fault,
            "request"
        );
    });
    response
}

fn new_record(request: &Request) -> RequestRecord {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    RequestRecord {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        content_type: content_type.map(super::parameters::media_type),
        operation: super::routes::operation_name(request.uri().path()),
        fields: Vec::new(),
        body_bytes: 0,
        fault: None,
        status: None,
        code: None,
        time: SystemTime::now(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(path: &str) -> RequestRecord {
        RequestRecord {
            method: "POST".into(),
            path: path.into(),
            content_type: None,
            operation: None,
            fields: Vec::new(),
            body_bytes: 0,
            fault: None,
            status: None,
            code: None,
            time: SystemTime::UNIX_EPOCH,
        }
    }

    fn open(log: &RequestLog, path: &str) -> u64 {
        log.open(record(path), ReceivedBytes::default())
    }

    #[test]
    fn a_response_is_recorded_for_its_own_request() {
        let log = RequestLog::default();
        let first = open(&log, "/a");
        let second = open(&log, "/b");
        log.update(second, |record| record.status = Some(200));
        log.update(first, |record| record.status = Some(404));
        let statuses: Vec<_> = log.snapshot().into_iter().map(|record| (record.path, record.status)).collect();
        assert_eq!(statuses, [("/a".to_owned(), Some(404)), ("/b".to_owned(), Some(200))]);
    }

    #[test]
    fn the_oldest_requests_are_dropped_first() {
        let log = RequestLog::default();
        let forgotten = open(&log, "/first");
        for _ in 0..CAPACITY {
            open(&log, "/later");
        }
        log.update(forgotten, |record| record.status = Some(200));
        let kept = log.snapshot();
        assert_eq!(kept.len(), CAPACITY);
        assert!(kept.iter().all(|record| record.path == "/later" && record.status.is_none()));
    }
}
