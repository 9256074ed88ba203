//! The rows: each fault, how long it lasts, and its effect on a call.

use std::time::{Duration, SystemTime};

use sqlflow_client::ErrorKind;
use sqlflow_client::emulator::Fault;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultKind {
    Gzip,
    Latency,
    Drip,
    SmallBomb,
    UnknownStatus,
    Refuse,
    ResetUpload,
    ResetReceived,
    Close,
    LoseAnswer,
    LoseAnswerLag,
    LoseAnswerCutName,
    LoseAnswerDropName,
    Late,
    Silence,
    Page(u16),
    PageHandled(u16),
    ResetSent(u64),
    Stall(u64),
    LengthOver,
    LengthUnder,
    Truncate,
    Garbage,
    Bomb,
    TooMany(u64),
    TooManyUntilPast,
    Busy,
    Redirect,
    ExpireToken,
    UnreadableJob,
    Vanish,
}

/// The requests that a fault affects: the first one or all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recurrence {
    Once,
    Always,
}

/// The effect of a fault on a call. The promises depend on nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// No effect: the response is valid, even if it is slow, in pieces, compressed, or has an unknown status.
    Harmless,
    /// There is no connection.
    Unreached,
    /// The server turned the request away for now and did not process it.
    RefusedForNow,
    /// The same, with a longer delay than the client accepts.
    RefusedForLong,
    /// The connection broke before the whole request was sent.
    CutShort,
    /// There is no response, or one of a proxy that does not know the outcome. The call fails with this kind of error.
    Lost { kind: ErrorKind, handled: bool },
    /// No response arrived before a timeout of the client or a proxy.
    TooLate { handled: bool },
    /// The response is truncated. It looks complete if HTTP declares it complete.
    Truncated { looks_whole: bool },
    /// The response arrived and cannot be read. The call fails with this kind of error.
    Unreadable(ErrorKind),
    /// The server reports a failure.
    Failure { handled: bool },
    /// The server refused the request for good. The call fails with this kind of error.
    Refused(ErrorKind),
    /// The server refused the token.
    TokenRefused,
    /// The response arrived, and what it says of the job cannot be read.
    UnreadableJob,
    /// The job has been deleted.
    JobDeleted,
}

/// The response timeout of the client, for cells in which no response arrives.
pub(crate) const RESPONSE_TIMEOUT: Duration = Duration::from_millis(300);

/// The size of an upload that exceeds all socket buffers, so that the client cannot have sent all of it when the server
/// stops reading.
pub(crate) const LONG_UPLOAD: usize = 16 << 20;

/// A delay that outlasts the test.
const FOREVER: Duration = Duration::from_secs(3600);

impl FaultKind {
    /// Returns the rows of the table, with `Once` before `Always`.
    pub(crate) fn rows() -> Vec<(Self, Recurrence)> {
        let lasting = [Self::Gzip, Self::Latency, Self::Drip, Self::SmallBomb, Self::UnknownStatus];
        let others = [
            Self::Refuse,
            Self::ResetUpload,
            Self::ResetReceived,
            Self::Close,
            Self::LoseAnswer,
            Self::LoseAnswerLag,
            Self::LoseAnswerCutName,
            Self::LoseAnswerDropName,
            Self::Late,
            Self::Silence,
            Self::Page(502),
            Self::PageHandled(502),
            Self::Page(503),
            Self::PageHandled(503),
            Self::Page(504),
            Self::PageHandled(504),
            Self::Page(500),
            Self::PageHandled(500),
            Self::Page(413),
            Self::TooMany(0),
            Self::TooMany(1),
            Self::TooMany(3600),
            Self::TooManyUntilPast,
            Self::Busy,
            Self::ResetSent(0),
            Self::ResetSent(10),
            Self::Stall(0),
            Self::Stall(10),
            Self::LengthOver,
            Self::LengthUnder,
            Self::Truncate,
            Self::Garbage,
            Self::Bomb,
            Self::Redirect,
            Self::ExpireToken,
            Self::UnreadableJob,
            Self::Vanish,
        ];
        let both = |fault_kind: Self| {
            // Four waits of one second each would show nothing that one does not show.
            let lasts = fault_kind != Self::TooMany(1);
            [Some((fault_kind, Recurrence::Once)), lasts.then_some((fault_kind, Recurrence::Always))]
                .into_iter()
                .flatten()
        };
        lasting
            .map(|fault_kind| (fault_kind, Recurrence::Always))
            .into_iter()
            .chain(others.into_iter().flat_map(both))
            .collect()
    }

    /// Describes the fault in the table.
    pub(crate) fn label(self) -> String {
        match self {
            Self::Gzip => "responses are compressed".into(),
            Self::Latency => "the response is slow".into(),
            Self::Drip => "the response arrives slowly in small pieces".into(),
            Self::SmallBomb => "the response decompresses to 1 MB".into(),
            Self::UnknownStatus => "the job has an unknown status".into(),
            Self::Refuse => "connection refused".into(),
            Self::ResetUpload => "reset during the upload".into(),
            Self::ResetReceived => "reset before the response".into(),
            Self::Close => "closed without a response, not processed".into(),
            Self::LoseAnswer => "closed without a response, processed".into(),
            Self::LoseAnswerLag => "the same, and the job is listed 100 ms later".into(),
            Self::LoseAnswerCutName => "the same, and the list cuts the name after 60 characters".into(),
            Self::LoseAnswerDropName => "the same, and the list has no names".into(),
            Self::Late => "closed without a response, processed a little later".into(),
            Self::Silence => "no response before the timeout, processed".into(),
            Self::Page(status) => format!("HTTP {status}, not processed"),
            Self::PageHandled(status) => format!("HTTP {status}, processed"),
            Self::ResetSent(0) => "reset after the response headers".into(),
            Self::ResetSent(_) => "reset within the response body".into(),
            Self::Stall(0) => "the response stalls after its headers".into(),
            Self::Stall(_) => "the response stalls".into(),
            Self::LengthOver => "the response is shorter than its `Content-Length`".into(),
            Self::LengthUnder => "the response is longer than its `Content-Length`".into(),
            Self::Truncate => "the response is truncated and declared complete".into(),
            Self::Garbage => "the response is garbage".into(),
            Self::Bomb => "the response decompresses to 100 MB of spaces".into(),
            Self::TooMany(seconds) => format!("HTTP 429, retry after {seconds} s"),
            Self::TooManyUntilPast => "HTTP 429, retry after a date in the past".into(),
            Self::Busy => "*the service is busy*".into(),
            Self::Redirect => "redirected to another host".into(),
            Self::ExpireToken => "the token has expired".into(),
            Self::UnreadableJob => "the job in the response cannot be read".into(),
            Self::Vanish => "the job is deleted".into(),
        }
    }

    /// Returns the fault in the notation of the emulator.
    pub(crate) fn code(self) -> String {
        match self {
            Self::Gzip => "gzip".into(),
            Self::Refuse => "refuse".into(),
            Self::Redirect => "redirect".into(),
            Self::LoseAnswerLag => "lose-response` with `EmulatorBuilder::lag".into(),
            Self::LoseAnswerCutName | Self::LoseAnswerDropName => {
                "lose-response` with `EmulatorBuilder::max_job_name_length".into()
            }
            _ => self.fault("").map(|fault| fault.to_string()).unwrap_or_default(),
        }
    }

    /// Returns the fault for the emulator. `elsewhere` is a URL on another host.
    pub(crate) fn fault(self, elsewhere: &str) -> Option<Fault> {
        Some(match self {
            Self::Gzip => return None,
            Self::Latency => Fault::latency(Duration::from_millis(20)),
            Self::Drip => Fault::drip(100, Duration::from_millis(1)),
            Self::SmallBomb => Fault::bomb(1_000_000),
            Self::UnknownStatus => Fault::unknown_status("archiving"),
            Self::Refuse => Fault::refuse(FOREVER),
            Self::ResetUpload => Fault::reset_after_received(1000),
            Self::ResetReceived => Fault::reset_after_received(0),
            Self::Close => Fault::close(),
            Self::LoseAnswer | Self::LoseAnswerLag | Self::LoseAnswerCutName | Self::LoseAnswerDropName => {
                Fault::lose_response()
            }
            Self::Late => Fault::late(Duration::from_millis(20)),
            Self::Silence => Fault::latency(FOREVER),
            Self::Page(status) => Fault::page(status),
            Self::PageHandled(status) => Fault::page(status).handled(),
            Self::ResetSent(bytes) => Fault::reset_after_sent(bytes),
            Self::Stall(bytes) => Fault::stall_after(bytes),
            Self::LengthOver => Fault::content_length(10),
            Self::LengthUnder => Fault::content_length(-10),
            Self::Truncate => Fault::truncate(10),
            Self::Garbage => Fault::garbage(),
            Self::Bomb => Fault::bomb(100_000_000),
            Self::TooMany(seconds) => Fault::too_many_requests(Duration::from_secs(seconds)),
            Self::TooManyUntilPast => Fault::too_many_requests_until(SystemTime::UNIX_EPOCH),
            Self::Busy => Fault::busy(),
            Self::Redirect => Fault::redirect(elsewhere),
            Self::ExpireToken => Fault::expire_token(),
            Self::UnreadableJob => Fault::unreadable_job(),
            Self::Vanish => Fault::vanish(),
        })
    }

    pub(crate) fn effect(self) -> Effect {
        let lost = |kind, handled| Effect::Lost { kind, handled };
        match self {
            Self::Gzip | Self::Latency | Self::Drip | Self::SmallBomb | Self::UnknownStatus => Effect::Harmless,
            Self::Refuse => Effect::Unreached,
            Self::ResetUpload => Effect::CutShort,
            Self::ResetReceived | Self::Close => lost(ErrorKind::Interrupted, false),
            Self::LoseAnswer
            | Self::LoseAnswerLag
            | Self::LoseAnswerCutName
            | Self::LoseAnswerDropName
            | Self::Late => lost(ErrorKind::Interrupted, true),
            Self::UnreadableJob => Effect::UnreadableJob,
            Self::Silence | Self::PageHandled(504) => Effect::TooLate { handled: true },
            Self::Page(504) => Effect::TooLate { handled: false },
            Self::Page(500) => Effect::Failure { handled: false },
            Self::PageHandled(500) => Effect::Failure { handled: true },
            Self::Page(413) => Effect::Refused(ErrorKind::TooLarge),
            Self::Page(503) => lost(ErrorKind::Busy, false),
            Self::PageHandled(503) => lost(ErrorKind::Busy, true),
            Self::Page(_) => lost(ErrorKind::Server, false),
            Self::PageHandled(_) => lost(ErrorKind::Server, true),
            Self::ResetSent(_) | Self::Stall(_) | Self::LengthOver => Effect::Truncated { looks_whole: false },
            Self::LengthUnder | Self::Truncate => Effect::Truncated { looks_whole: true },
            Self::Garbage => Effect::Unreadable(ErrorKind::Protocol),
            Self::Bomb => Effect::Unreadable(ErrorKind::TooLarge),
            Self::TooMany(3600) => Effect::RefusedForLong,
            Self::TooMany(_) | Self::TooManyUntilPast | Self::Busy => Effect::RefusedForNow,
            Self::Redirect => Effect::Refused(ErrorKind::Rejected),
            Self::ExpireToken => Effect::TokenRefused,
            Self::Vanish => Effect::JobDeleted,
        }
    }
}
