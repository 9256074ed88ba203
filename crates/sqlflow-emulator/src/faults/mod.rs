//! What can go wrong: the faults, and the registry of which requests they befall. Knows neither HTTP nor sockets.

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

pub use text::ParseFaultError;

use kind::{FaultKind, whole_seconds};
pub(super) use registry::{AppliedFault, FaultRegistry};

/// The last second that an HTTP date can tell: the end of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;

/// Something that goes wrong, and the requests it befalls.
///
/// Given to an emulator with [`EmulatorBuilder::fault`](super::EmulatorBuilder::fault) or, while it runs, with
/// [`Emulator::inject`](super::Emulator::inject). Of several faults the first that matches a request and still has a
/// turn befalls it, and no other does. Without [`on`](Self::on) a fault befalls every operation, apart from the kinds
/// that say otherwise below, and never a path that is none; without [`times`](Self::times) it never ends.
///
/// ```
/// use sqlflow_emulator::Fault;
/// use std::time::Duration;
///
/// // The second submit makes its job, but a proxy gives up on it.
/// let timeout = Fault::page(504).handled().on("submitUserJob").skip(1).times(1);
/// assert_eq!(timeout.to_string(), "504,handled,on=submitUserJob,skip=1,times=1");
///
/// // Every twentieth request or so is answered late.
/// let slow = Fault::latency(Duration::from_secs(2)).chance(0.05, 7);
/// assert_eq!("latency=2s,chance=0.05/7".parse::<Fault>(), Ok(slow));
/// ```
///
/// # In text
///
/// A fault is read from text and written as text, for command lines. It begins with what goes wrong, followed by what
/// narrows it down, each after a comma:
///
/// | Text | Made by |
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
/// | `,chance=0.05/42` | [`chance`](Self::chance), the seed after the slash, 0 if there is none |
/// | `,times=3` | [`times`](Self::times) |
/// | `,handled` | [`handled`](Self::handled) |
///
/// A comma or a backslash in a status or a URL has a backslash before it.
///
/// An answer in `summary` mode is no fault: [`max_drawn_relationships`](super::EmulatorBuilder::max_drawn_relationships) brings it about.
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

/// # What goes wrong
impl Fault {
    /// The request is handled at once, and its answer comes this much later. When the emulator stops it comes at once.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// # use std::time::Duration;
    /// let slow = Fault::latency(Duration::from_millis(200));
    /// # assert_eq!(slow.to_string(), "latency=200ms");
    /// ```
    #[must_use]
    pub fn latency(time: Duration) -> Self {
        Self::of(FaultKind::Latency(time))
    }

    /// Nobody listens for this long, from when the fault is given: from the start of the emulator, or from
    /// [`inject`](super::Emulator::inject) on. Connections are refused, and those that are open are closed.
    ///
    /// The port stays reserved on Linux; on other systems another program may take it meanwhile, and the emulator
    /// listens again once it is free. This concerns no request, so that nothing narrows it down: it befalls everyone,
    /// once, and leaves no trace in the record of requests. Of two at a time the one that ends later counts.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// # use std::time::Duration;
    /// let down = Fault::refuse(Duration::from_secs(2));
    /// # assert_eq!(down.to_string(), "refuse=2s");
    /// ```
    #[must_use]
    pub fn refuse(time: Duration) -> Self {
        Self::of(FaultKind::Refuse(time))
    }

    /// The connection is reset after that many bytes of the request's body came, or at its end if it has fewer. The
    /// request is not handled.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// let broken_upload = Fault::reset_after_received(64 * 1024).on("submitUserJob");
    /// # assert_eq!(broken_upload.to_string(), "reset-received=65536,on=submitUserJob");
    /// ```
    #[must_use]
    pub fn reset_after_received(bytes: u64) -> Self {
        Self::of(FaultKind::ResetAfterReceived(bytes))
    }

    /// The request is handled, and the connection is reset after the head and that many bytes of the body of its
    /// answer were sent. The answer has no `Content-Length`, so that it is broken also if its body has fewer bytes.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// let broken_download = Fault::reset_after_sent(1000).on("exportFullLineageAsCsv");
    /// # assert_eq!(broken_download.to_string(), "reset-sent=1000,on=exportFullLineageAsCsv");
    /// ```
    #[must_use]
    pub fn reset_after_sent(bytes: u64) -> Self {
        Self::of(FaultKind::ResetAfterSent(bytes))
    }

    /// The request is read whole and not handled, and the connection is closed without an answer.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// let silence = Fault::close().times(2);
    /// # assert_eq!(silence.to_string(), "close,times=2");
    /// ```
    #[must_use]
    pub fn close() -> Self {
        Self::of(FaultKind::Close)
    }

    /// The request is handled, a submit makes its job, and the connection is closed without an answer. The same as
    /// `Fault::close().handled()`.
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

    /// The request is read whole, the connection is closed without an answer, and the request is handled only this much
    /// later: a job that is still on its way while its caller is already looking for it.
    ///
    /// Without [`on`](Self::on) it befalls `submitUserJob` and `submitPersistJob`. Whether the caller may do what it
    /// asked for is decided later too. A request that is still on its way when the emulator stops is never handled. It
    /// is kept in memory wait_for_stop then.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// # use std::time::Duration;
    /// let on_its_way = Fault::late(Duration::from_secs(2)).times(1);
    /// # assert_eq!(on_its_way.to_string(), "late=2s,times=1");
    /// ```
    #[must_use]
    pub fn late(time: Duration) -> Self {
        Self::of(FaultKind::Late(time))
    }

    /// The request is read whole and not handled, and the answer is an HTML page with this HTTP status, as a proxy
    /// writes it. A number below 200 or above 599, which no answer has, is taken for 502.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// let restarting = Fault::page(503).times(3);
    /// # assert_eq!(restarting.to_string(), "503,times=3");
    /// ```
    #[must_use]
    pub fn page(status: u16) -> Self {
        let status = StatusCode::from_u16(status).ok().filter(|status| (200..600).contains(&status.as_u16()));
        Self::of(FaultKind::Page(status.unwrap_or(StatusCode::BAD_GATEWAY)))
    }

    /// The request is read whole and not handled, and the answer has HTTP status 429 and a `Retry-After` of so many
    /// seconds, rounded up.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// # use std::time::Duration;
    /// let slow_down = Fault::too_many_requests(Duration::from_secs(5)).times(1);
    /// # assert_eq!(slow_down.to_string(), "429=5s,times=1");
    /// ```
    #[must_use]
    pub fn too_many_requests(wait: Duration) -> Self {
        Self::of(FaultKind::TooManyRequests(wait))
    }

    /// The same as [`too_many_requests`](Self::too_many_requests) with an HTTP date as `Retry-After`, rounded up to a
    /// whole second between the years 1970 and 9999.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// # use std::time::{Duration, SystemTime};
    /// let slow_down = Fault::too_many_requests_until(SystemTime::now() + Duration::from_secs(5)).times(1);
    /// ```
    #[must_use]
    pub fn too_many_requests_until(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::of(FaultKind::TooManyRequestsUntil(whole_seconds(since).min(LAST_SECOND)))
    }

    /// The request is read whole and not handled, and the answer says that the service is busy, with code 500 in an
    /// envelope under HTTP status 200.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// let busy = Fault::busy().times(1);
    /// # assert_eq!(busy.to_string(), "busy,times=1");
    /// ```
    #[must_use]
    pub fn busy() -> Self {
        Self::of(FaultKind::Busy)
    }

    /// Every token issued so far stops being valid right before the request is looked at, so that one with a token gets
    /// code 401. Tokens issued afterwards are good.
    ///
    /// Without [`on`](Self::on) it befalls every operation but `generateToken`. The literal token `token` of the
    /// on-premise user was never issued and stays good.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// let expired = Fault::expire_token().on("displayUserJobSummary").times(1);
    /// # assert_eq!(expired.to_string(), "expire-token,on=displayUserJobSummary,times=1");
    /// ```
    #[must_use]
    pub fn expire_token() -> Self {
        Self::of(FaultKind::ExpireToken)
    }

    /// Jobs in the answer that have status `create` or `running` have this text for a status instead. Their final
    /// statuses stay, so that jobs come to an end, and so do the jobs themselves, as
    /// [`jobs`](super::Emulator::jobs) gives them.
    ///
    /// Without [`on`](Self::on) it befalls the operations whose answers describe jobs.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// let newer_server = Fault::unknown_status("archiving");
    /// # assert_eq!(newer_server.to_string(), "status=archiving");
    /// ```
    #[must_use]
    pub fn unknown_status(text: impl Into<String>) -> Self {
        Self::of(FaultKind::UnknownStatus(text.into()))
    }

    /// The job that the request is about is deleted before the request is handled: the one of its `jobId`, else the
    /// user's latest of its `jobName`. For `displayUserJobsSummary`, which names none, it is the user's latest job.
    ///
    /// Without [`on`](Self::on) it befalls the operations on jobs that are there, which is none that submits.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// let gone = Fault::vanish().on("exportFullLineageAsJson").times(1);
    /// # assert_eq!(gone.to_string(), "vanish,on=exportFullLineageAsJson,times=1");
    /// ```
    #[must_use]
    pub fn vanish() -> Self {
        Self::of(FaultKind::Vanish)
    }

    /// The request is handled, and the body of its answer ends after that many bytes although HTTP says that it is
    /// whole. With [`gzip`](super::EmulatorBuilder::gzip) it is the compressed bytes that count.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// let half = Fault::truncate(100).on("exportLineageAsJson");
    /// # assert_eq!(half.to_string(), "truncate=100,on=exportLineageAsJson");
    /// ```
    #[must_use]
    pub fn truncate(bytes: u64) -> Self {
        Self::of(FaultKind::Truncate(bytes))
    }

    /// The request is handled, and in place of the body of its answer there are bytes that are neither JSON nor CSV nor
    /// XML nor text, under the same headers.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// let nonsense = Fault::garbage().times(1);
    /// # assert_eq!(nonsense.to_string(), "garbage,times=1");
    /// ```
    #[must_use]
    pub fn garbage() -> Self {
        Self::of(FaultKind::Garbage)
    }

    /// The request is handled, and the body of its answer comes in pieces of so many bytes, at least one, with this
    /// pause between any two. When the emulator stops the rest comes at once.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// # use std::time::Duration;
    /// let slow_line = Fault::drip(10, Duration::from_millis(50));
    /// # assert_eq!(slow_line.to_string(), "drip=10/50ms");
    /// ```
    #[must_use]
    pub fn drip(bytes: u64, every: Duration) -> Self {
        Self::of(FaultKind::Drip(bytes.max(1), every))
    }

    /// The request is handled, and after the head and that many bytes of the body of its answer nothing more comes,
    /// wait_for_stop the caller goes away or the emulator stops, which closes the connection. The answer has no
    /// `Content-Length`, so that it never ends also if its body has fewer bytes.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// let stalled = Fault::stall_after(100).times(1);
    /// # assert_eq!(stalled.to_string(), "stall=100,times=1");
    /// ```
    #[must_use]
    pub fn stall_after(bytes: u64) -> Self {
        Self::of(FaultKind::Stall(bytes))
    }

    /// The request is handled, and the `Content-Length` of its answer is off by so many bytes, though not below 0. If
    /// it is too large the connection is closed before that much has come; if it is too small the body ends early.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// let too_long = Fault::content_length(10);
    /// # assert_eq!(too_long.to_string(), "length=+10");
    /// ```
    #[must_use]
    pub fn content_length(difference: i64) -> Self {
        Self::of(FaultKind::ContentLength(difference))
    }

    /// The request is handled, and its answer is compressed and followed by as many spaces, compressed as well, as it
    /// takes to unpack to so many bytes: about a thousand times what is sent. Callers that do not accept gzip get the
    /// answer as it is.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// let bomb = Fault::bomb(1024 * 1024 * 1024).on("exportLineageAsJson");
    /// # assert_eq!(bomb.to_string(), "bomb=1073741824,on=exportLineageAsJson");
    /// ```
    #[must_use]
    pub fn bomb(bytes: u64) -> Self {
        Self::of(FaultKind::Bomb(bytes))
    }

    /// The request is read whole and not handled, and the answer sends the caller to this URL, with HTTP status 307.
    /// Characters that no header may have are left out.
    ///
    /// ```
    /// # use sqlflow_emulator::Fault;
    /// let elsewhere = Fault::redirect("http://127.0.0.1:9/");
    /// # assert_eq!(elsewhere.to_string(), "redirect=http://127.0.0.1:9/");
    /// ```
    #[must_use]
    pub fn redirect(url: impl Into<String>) -> Self {
        Self::of(FaultKind::Redirect(url.into()))
    }

    fn of(kind: FaultKind) -> Self {
        Self { kind, handled: false, operations: Vec::new(), skip: 0, every: 1, chance: None, times: None }
    }
}

/// # Which requests it befalls
impl Fault {
    /// Only requests for this operation, called as in
    /// [`RequestRecord::operation`](super::RequestRecord::operation). Called more than once: for any of these. With a
    /// name that no operation has, it befalls none; [as text](#impl-FromStr-for-Fault) such a name is refused.
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

    /// Lets so many matching requests pass first.
    ///
    /// A request that an earlier fault befell counts for none after that one.
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

    /// Only one in so many of the matching requests that were not skipped: with 3 the third, the sixth and so on. 0 is
    /// taken for 1, which is each of them.
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

    /// Only this share of the requests it would befall, between 0 and 1. Which ones, looks random and follows from the
    /// seed: the same seed makes the same choice each time.
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

    /// Befalls so many requests and then none ever again.
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

    /// The request is handled all the same, and its answer is thrown away for that of the fault: a gateway that gives
    /// up on a submit after its job was made.
    ///
    /// Makes a difference to [`page`](Self::page), [`too_many_requests`](Self::too_many_requests),
    /// [`too_many_requests_until`](Self::too_many_requests_until), [`busy`](Self::busy), [`close`](Self::close) and
    /// [`redirect`](Self::redirect). The others say themselves whether the request is handled.
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

    /// For how long nobody is to listen, if that is the fault.
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
