//! Faults: their constructors and the conditions that select requests. `kind` lists the kinds, `registry` selects the
//! fault for a request, `text` parses and writes faults, `http`, `gzip` and `wire` apply them.

pub(super) mod gzip;
pub(super) mod http;
mod kind;
mod registry;
mod text;
pub(super) mod wire;

#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::StatusCode;

pub use text::{FaultDescription, ParseFaultError};

use kind::{FaultKind, whole_seconds};
pub(super) use registry::{AppliedFault, FaultRegistry};

/// The last second of the year 9999, which is the last that an HTTP date can express.
const LAST_SECOND: u64 = 253_402_300_799;

/// Something that goes wrong, and the requests that it applies to.
///
/// Add a fault to an emulator with [`EmulatorBuilder::fault`](super::EmulatorBuilder::fault) or, while it runs, with
/// [`Emulator::inject`](super::Emulator::inject), or over HTTP [from other languages](super#from-other-languages). At
/// most one fault applies to a request: the first one that matches it and is due. Without [`on`](Self::on) a fault matches every operation, except for the kinds whose documentation
/// says otherwise, and never a path that is not an operation. Without [`times`](Self::times) it applies without end.
///
/// ```
/// use sqlflow_emulator::Fault;
/// use std::time::Duration;
///
/// // The second submission creates its job, but a proxy times out.
/// let timeout = Fault::page(504).handled().on("submitUserJob").skip(1).times(1);
/// assert_eq!(timeout.to_string(), "504,handled,on=submitUserJob,skip=1,times=1");
///
/// // About every twentieth response is delayed.
/// let slow = Fault::latency(Duration::from_secs(2)).chance(0.05, 7);
/// assert_eq!("latency=2s,chance=0.05/7".parse::<Fault>(), Ok(slow));
/// ```
///
/// # Text form
///
/// For command lines, a fault can be parsed from text and is displayed as text: its kind, followed by conditions, each
/// after a comma. [`kinds`](Self::kinds) and [`conditions`](Self::conditions) list them for programs.
///
/// | Text | Constructor or condition |
/// |---|---|
/// | `latency=200ms` | [`latency`](Self::latency) |
/// | `refuse=2s` | [`refuse`](Self::refuse) |
/// | `reset-received=1000` | [`reset_after_received`](Self::reset_after_received) |
/// | `reset-sent=1000` | [`reset_after_sent`](Self::reset_after_sent) |
/// | `close` | [`close`](Self::close) |
/// | `lose-response` | [`lose_response`](Self::lose_response) |
/// | `late=2s` | [`late`](Self::late) |
/// | `502`, `503`, `504`, `413`… | [`page`](Self::page) |
/// | `429=5s` | [`too_many_requests`](Self::too_many_requests) |
/// | `429-until=2030-01-31T12:00:00Z` | [`too_many_requests_until`](Self::too_many_requests_until) |
/// | `busy` | [`busy`](Self::busy) |
/// | `expire-token` | [`expire_token`](Self::expire_token) |
/// | `status=archiving` | [`unknown_status`](Self::unknown_status) |
/// | `unreadable-job` | [`unreadable_job`](Self::unreadable_job) |
/// | `vanish` | [`vanish`](Self::vanish) |
/// | `truncate=100` | [`truncate`](Self::truncate) |
/// | `garbage` | [`garbage`](Self::garbage) |
/// | `drip=10/50ms` | [`drip`](Self::drip) |
/// | `stall=100` | [`stall_after`](Self::stall_after) |
/// | `length=+10` | [`content_length`](Self::content_length) |
/// | `bomb=1000000` | [`bomb`](Self::bomb) |
/// | `redirect=http://127.0.0.1:9/` | [`redirect`](Self::redirect) |
/// | `,on=submitUserJob` | [`on`](Self::on) |
/// | `,skip=2` | [`skip`](Self::skip) |
/// | `,every=3` | [`every`](Self::every) |
/// | `,chance=0.05/42` | [`chance`](Self::chance) with the seed after the slash, which defaults to 0 |
/// | `,times=3` | [`times`](Self::times) |
/// | `,handled` | [`handled`](Self::handled) |
///
/// In a status or a URL, a comma and a backslash are escaped with a backslash.
///
/// Text without an effect is an error that says what to write instead: a number or a duration of 0 with which nothing
/// would happen, an empty status or URL, a condition that does not concern the kind or is there twice (except `on`), and
/// a duration of more than a year. The methods below take such values as their documentation says.
///
/// A response in `summary` mode is not a fault; see
/// [`relation_limit`](super::EmulatorBuilder::relation_limit).
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    kind: FaultKind,
    handled: bool,
    operations: Vec<String>,
    skip: u64,
    every: u64,
    chance: Option<(f64, u64)>,
    times: Option<u64>,
}

/// # Kinds of faults
impl Fault {
    /// Handles the request at once and delays the response by this time. If the emulator stops, the response is sent
    /// at once.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// # use std::time::Duration;
    /// let slow = Fault::latency(Duration::from_millis(200));
    /// # assert_eq!(slow.to_string(), "latency=200ms");
    /// ```
    #[must_use]
    pub fn latency(time: Duration) -> Self {
        Self::with_kind(FaultKind::Latency(time))
    }

    /// Refuses connections for this time, beginning with the start of the emulator or the call of
    /// [`inject`](super::Emulator::inject). Open connections are closed.
    ///
    /// The port stays reserved on Linux. On other systems another program may take it meanwhile; the emulator then
    /// listens again once the port is free. This fault does not concern single requests: conditions have no effect on
    /// it, it applies once, and it leaves no trace in the record of requests. If there are two at a time, the one
    /// that ends later counts.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// # use std::time::Duration;
    /// let down = Fault::refuse(Duration::from_secs(2));
    /// # assert_eq!(down.to_string(), "refuse=2s");
    /// ```
    #[must_use]
    pub fn refuse(time: Duration) -> Self {
        Self::with_kind(FaultKind::Refuse(time))
    }

    /// Resets the connection after this many bytes of the request body were received, or at its end if it is shorter.
    /// The request is not handled.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// let broken_upload = Fault::reset_after_received(64 * 1024).on("submitUserJob");
    /// # assert_eq!(broken_upload.to_string(), "reset-received=65536,on=submitUserJob");
    /// ```
    #[must_use]
    pub fn reset_after_received(bytes: u64) -> Self {
        Self::with_kind(FaultKind::ResetAfterReceived(bytes))
    }

    /// Handles the request, and resets the connection after the head and this many bytes of the response body were
    /// sent. The response has no `Content-Length`, so it is incomplete even if its body is shorter.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// let broken_download = Fault::reset_after_sent(1000).on("exportFullLineageAsCsv");
    /// # assert_eq!(broken_download.to_string(), "reset-sent=1000,on=exportFullLineageAsCsv");
    /// ```
    #[must_use]
    pub fn reset_after_sent(bytes: u64) -> Self {
        Self::with_kind(FaultKind::ResetAfterSent(bytes))
    }

    /// Reads the whole request, does not handle it, and closes the connection without a response.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// let silence = Fault::close().times(2);
    /// # assert_eq!(silence.to_string(), "close,times=2");
    /// ```
    #[must_use]
    pub fn close() -> Self {
        Self::with_kind(FaultKind::Close)
    }

    /// Handles the request, so that a submission creates its job, and closes the connection without a response. The
    /// same as `Fault::close().handled()`.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// let lost = Fault::lose_response().on("submitUserJob").times(1);
    /// # assert_eq!(lost, "close,handled,on=submitUserJob,times=1".parse().unwrap());
    /// ```
    #[must_use]
    pub fn lose_response() -> Self {
        Self::close().handled()
    }

    /// Reads the whole request, closes the connection without a response, and handles the request only after this
    /// time. This simulates a job that is created while its caller is already looking for it.
    ///
    /// Without [`on`](Self::on) it matches `submitUserJob` and `submitPersistJob`. The credentials of the caller are
    /// checked later too. The request is kept in memory until then, and is never handled if the emulator stops
    /// before.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// # use std::time::Duration;
    /// let delayed = Fault::late(Duration::from_secs(2)).times(1);
    /// # assert_eq!(delayed.to_string(), "late=2s,times=1");
    /// ```
    #[must_use]
    pub fn late(time: Duration) -> Self {
        Self::with_kind(FaultKind::Late(time))
    }

    /// Reads the whole request, does not handle it, and responds with an HTML page with this HTTP status, as a proxy
    /// would. A number below 200 or above 599 is not a status of a response and is replaced by 502.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// let restarting = Fault::page(503).times(3);
    /// # assert_eq!(restarting.to_string(), "503,times=3");
    /// ```
    #[must_use]
    pub fn page(status: u16) -> Self {
        let status = StatusCode::from_u16(status).ok().filter(|status| (200..600).contains(&status.as_u16()));
        Self::with_kind(FaultKind::Page(status.unwrap_or(StatusCode::BAD_GATEWAY)))
    }

    /// Reads the whole request, does not handle it, and responds with HTTP status 429 and a `Retry-After` of this
    /// many seconds, rounded up.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// # use std::time::Duration;
    /// let slow_down = Fault::too_many_requests(Duration::from_secs(5)).times(1);
    /// # assert_eq!(slow_down.to_string(), "429=5s,times=1");
    /// ```
    #[must_use]
    pub fn too_many_requests(wait: Duration) -> Self {
        Self::with_kind(FaultKind::TooManyRequests(wait))
    }

    /// Like [`too_many_requests`](Self::too_many_requests), with an HTTP date in `Retry-After`. The time is rounded
    /// up to a whole second, and limited to the years 1970 to 9999.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// # use std::time::{Duration, SystemTime};
    /// let until = SystemTime::now() + Duration::from_secs(5);
    /// let slow_down = Fault::too_many_requests_until(until).times(1);
    /// ```
    #[must_use]
    pub fn too_many_requests_until(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::with_kind(FaultKind::TooManyRequestsUntil(whole_seconds(since).min(LAST_SECOND)))
    }

    /// Reads the whole request, does not handle it, and responds that the service is busy, with code 500 in an
    /// envelope and HTTP status 200.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// let busy = Fault::busy().times(1);
    /// # assert_eq!(busy.to_string(), "busy,times=1");
    /// ```
    #[must_use]
    pub fn busy() -> Self {
        Self::with_kind(FaultKind::Busy)
    }

    /// Invalidates every token issued so far right before the request is handled, so that a request with a token gets
    /// code 401. Tokens that are issued afterwards are valid.
    ///
    /// Without [`on`](Self::on) it matches every operation except `generateToken`. The literal token `token` of the
    /// on-premise user was never issued and stays valid.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// let expired = Fault::expire_token().on("displayUserJobSummary").times(1);
    /// # assert_eq!(expired.to_string(), "expire-token,on=displayUserJobSummary,times=1");
    /// ```
    #[must_use]
    pub fn expire_token() -> Self {
        Self::with_kind(FaultKind::ExpireToken)
    }

    /// Replaces the statuses `create` and `process` of the jobs in the response by this text. The jobs themselves, as
    /// returned by [`jobs`](super::Emulator::jobs), and final statuses do not change, so callers still see jobs end.
    ///
    /// Without [`on`](Self::on) it matches the operations whose responses describe jobs.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// let newer_server = Fault::unknown_status("archiving");
    /// # assert_eq!(newer_server.to_string(), "status=archiving");
    /// ```
    #[must_use]
    pub fn unknown_status(text: impl Into<String>) -> Self {
        Self::with_kind(FaultKind::UnknownStatus(text.into()))
    }

    /// Adds a field to each job in the response that JSON readers refuse: a number that is too large for any type. The
    /// response is valid JSON otherwise.
    ///
    /// Without [`on`](Self::on) it matches the operations whose responses describe jobs.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// let unreadable = Fault::unreadable_job().on("displayUserJobsSummary");
    /// # assert_eq!(unreadable.to_string(), "unreadable-job,on=displayUserJobsSummary");
    /// ```
    #[must_use]
    pub fn unreadable_job() -> Self {
        Self::with_kind(FaultKind::UnreadableJob)
    }

    /// Deletes the job that the request is about before the request is handled: the job with the `jobId`, or the
    /// user's latest job with the `jobName`. `displayUserJobsSummary` names no job, so there it is the user's latest.
    ///
    /// Without [`on`](Self::on) it matches the operations on existing jobs, and thus no submission.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// let gone = Fault::vanish().on("exportFullLineageAsJson").times(1);
    /// # assert_eq!(gone.to_string(), "vanish,on=exportFullLineageAsJson,times=1");
    /// ```
    #[must_use]
    pub fn vanish() -> Self {
        Self::with_kind(FaultKind::Vanish)
    }

    /// Handles the request, and ends the response body after this many bytes although HTTP says that it is complete.
    /// With [`gzip`](super::EmulatorBuilder::gzip) the compressed bytes are counted.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// let half = Fault::truncate(100).on("exportLineageAsJson");
    /// # assert_eq!(half.to_string(), "truncate=100,on=exportLineageAsJson");
    /// ```
    #[must_use]
    pub fn truncate(bytes: u64) -> Self {
        Self::with_kind(FaultKind::Truncate(bytes))
    }

    /// Handles the request, and replaces the response body by bytes that are neither JSON nor CSV nor XML nor text.
    /// The headers stay the same.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// let nonsense = Fault::garbage().times(1);
    /// # assert_eq!(nonsense.to_string(), "garbage,times=1");
    /// ```
    #[must_use]
    pub fn garbage() -> Self {
        Self::with_kind(FaultKind::Garbage)
    }

    /// Handles the request, and sends the response body in pieces of this many bytes, at least one, with this pause
    /// between them. If the emulator stops, the rest is sent at once.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// # use std::time::Duration;
    /// let slow_line = Fault::drip(10, Duration::from_millis(50));
    /// # assert_eq!(slow_line.to_string(), "drip=10/50ms");
    /// ```
    #[must_use]
    pub fn drip(bytes: u64, every: Duration) -> Self {
        Self::with_kind(FaultKind::Drip(bytes.max(1), every))
    }

    /// Handles the request, and sends nothing more after the head and this many bytes of the response body. The
    /// connection stays open until the caller closes it or the emulator stops. The response has no `Content-Length`,
    /// so it never ends even if its body is shorter.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// let stalled = Fault::stall_after(100).times(1);
    /// # assert_eq!(stalled.to_string(), "stall=100,times=1");
    /// ```
    #[must_use]
    pub fn stall_after(bytes: u64) -> Self {
        Self::with_kind(FaultKind::Stall(bytes))
    }

    /// Handles the request, and changes the `Content-Length` of the response by this many bytes, but not below 0. If
    /// the length is too large, the connection is closed before so many bytes were sent; if it is too small, the body
    /// ends early.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// let too_long = Fault::content_length(10);
    /// # assert_eq!(too_long.to_string(), "length=+10");
    /// ```
    #[must_use]
    pub fn content_length(difference: i64) -> Self {
        Self::with_kind(FaultKind::ContentLength(difference))
    }

    /// Handles the request, compresses the response, and appends compressed spaces until it unpacks to this many
    /// bytes: about a thousand times what is sent. Callers that do not accept gzip get the unchanged response.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// let bomb = Fault::bomb(1024 * 1024 * 1024).on("exportLineageAsJson");
    /// # assert_eq!(bomb.to_string(), "bomb=1073741824,on=exportLineageAsJson");
    /// ```
    #[must_use]
    pub fn bomb(bytes: u64) -> Self {
        Self::with_kind(FaultKind::Bomb(bytes))
    }

    /// Reads the whole request, does not handle it, and redirects the caller to this URL with HTTP status 307.
    /// Characters that are invalid in a header are left out.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// let elsewhere = Fault::redirect("http://127.0.0.1:9/");
    /// # assert_eq!(elsewhere.to_string(), "redirect=http://127.0.0.1:9/");
    /// ```
    #[must_use]
    pub fn redirect(url: impl Into<String>) -> Self {
        Self::with_kind(FaultKind::Redirect(url.into()))
    }

    fn with_kind(kind: FaultKind) -> Self {
        Self { kind, handled: false, operations: Vec::new(), skip: 0, every: 1, chance: None, times: None }
    }
}

/// # Conditions
impl Fault {
    /// Matches only requests for this operation, named as in
    /// [`RequestRecord::operation`](super::RequestRecord::operation). Further calls add operations. A name that is
    /// not an operation matches no request; [in text form](#impl-FromStr-for-Fault) it is an error.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// let submits = Fault::busy().on("submitUserJob").on("submitPersistJob");
    /// # assert_eq!(submits.to_string(), "busy,on=submitUserJob,on=submitPersistJob");
    /// ```
    #[must_use]
    pub fn on(mut self, operation: impl Into<String>) -> Self {
        self.operations.push(operation.into());
        self
    }

    /// Skips this many matching requests first.
    ///
    /// A request to which an earlier fault was applied is not counted by later faults.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// let third = Fault::page(502).skip(2).times(1);
    /// # assert_eq!(third.to_string(), "502,skip=2,times=1");
    /// ```
    #[must_use]
    pub fn skip(mut self, requests: u64) -> Self {
        self.skip = requests;
        self
    }

    /// Applies to only one in this many matching requests after the skipped ones: with 3 to the third, the sixth and
    /// so on. 0 is replaced by 1, which means each of them.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// let now_and_then = Fault::page(502).every(3);
    /// # assert_eq!(now_and_then.to_string(), "502,every=3");
    /// ```
    #[must_use]
    pub fn every(mut self, requests: u64) -> Self {
        self.every = requests.max(1);
        self
    }

    /// Applies to only this share of the requests, between 0 and 1. The choice looks random and is determined by the
    /// seed: the same seed makes the same choices every time.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// let unreliable = Fault::close().chance(0.05, 42);
    /// # assert_eq!(unreliable.to_string(), "close,chance=0.05/42");
    /// ```
    #[must_use]
    pub fn chance(mut self, share: f64, seed: u64) -> Self {
        self.chance = Some((share, seed));
        self
    }

    /// Applies to at most this many requests.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// let once = Fault::page(503).times(1);
    /// # assert_eq!(once.to_string(), "503,times=1");
    /// ```
    #[must_use]
    pub fn times(mut self, requests: u64) -> Self {
        self.times = Some(requests);
        self
    }

    /// Handles the request before responding with the fault, and discards the response of the handler. This simulates
    /// a gateway that times out after a submission has created its job.
    ///
    /// It affects [`page`](Self::page), [`too_many_requests`](Self::too_many_requests),
    /// [`too_many_requests_until`](Self::too_many_requests_until), [`busy`](Self::busy), [`close`](Self::close) and
    /// [`redirect`](Self::redirect). The documentation of the other faults says whether they handle the request.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// let gateway_timeout = Fault::page(504).handled().on("submitUserJob");
    /// # assert_eq!(gateway_timeout.to_string(), "504,handled,on=submitUserJob");
    /// ```
    #[must_use]
    pub fn handled(mut self) -> Self {
        self.handled = true;
        self
    }

    /// Returns the time for which connections are refused, if that is the fault.
    pub(super) fn refusal(&self) -> Option<Duration> {
        match self.kind {
            FaultKind::Refuse(time) => Some(time),
            _ => None,
        }
    }

    fn matches(&self, operation: &str) -> bool {
        if self.operations.is_empty() {
            self.kind.concerns(operation)
        } else {
            self.operations.iter().any(|named| named == operation)
        }
    }
}
