//! The rows: what goes wrong, for how long, and what that does to a call.

use std::time::{Duration, SystemTime};

use sqlflow_client::ErrorKind;
use sqlflow_client::emulator::Fault;

/// A fault of the emulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
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
    Vanish,
}

/// For how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turns {
    Once,
    Always,
}

/// The effect of a fault on a call, which is all that the promises speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// None: the answer is sound, though late, in pieces, packed, or with a status that is new.
    Harmless,
    /// No connection.
    Unreached,
    /// The request was turned away for now, and not acted on.
    TurnedAway,
    /// The same, for longer than the client waits.
    TurnedAwayForLong,
    /// The connection broke before the request was sent to its end.
    CutShort,
    /// There is no answer, or that of a proxy which knows no more: this kind of error.
    Lost { kind: ErrorKind, handled: bool },
    /// There was no answer in time, by the clock of the client or of a proxy.
    TooLate { handled: bool },
    /// The answer breaks off. One that looks whole does so although its server calls it whole.
    BreaksOff { looks_whole: bool },
    /// The answer came and is nothing that can be read: this kind of error.
    Unreadable(ErrorKind),
    /// The server says that it failed.
    Failure { handled: bool },
    /// The request was refused for good: this kind of error.
    Refused(ErrorKind),
    /// The token was refused.
    TokenRefused,
    /// The job is gone.
    Gone,
}

/// The time for which the client waits for a response that never comes.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_millis(300);

/// More than connections hold on their way, so that the client cannot have sent all of it when the server stops
/// reading.
pub(crate) const LONG_UPLOAD: usize = 16 << 20;

/// Long after the end of the test.
const AGES: Duration = Duration::from_secs(3600);

impl Trouble {
    /// The rows of the table, with once before always.
    pub(crate) fn rows() -> Vec<(Self, Turns)> {
        let lasting = [Self::Gzip, Self::Latency, Self::Drip, Self::SmallBomb, Self::UnknownStatus];
        let others = [
            Self::Refuse,
            Self::ResetUpload,
            Self::ResetReceived,
            Self::Close,
            Self::LoseAnswer,
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
            Self::Vanish,
        ];
        let both = |trouble: Self| {
            // Four waits of a second each would tell nothing that one does not.
            let lasts = trouble != Self::TooMany(1);
            [Some((trouble, Turns::Once)), lasts.then_some((trouble, Turns::Always))].into_iter().flatten()
        };
        lasting.map(|trouble| (trouble, Turns::Always)).into_iter().chain(others.into_iter().flat_map(both)).collect()
    }

    /// In words.
    pub(crate) fn words(self) -> String {
        match self {
            Self::Gzip => "answers are compressed".into(),
            Self::Latency => "the answer is slow".into(),
            Self::Drip => "the answer drips".into(),
            Self::SmallBomb => "the answer unpacks to 1 MB".into(),
            Self::UnknownStatus => "the job has a status that is new".into(),
            Self::Refuse => "nobody listens".into(),
            Self::ResetUpload => "reset in the middle of the upload".into(),
            Self::ResetReceived => "reset before an answer".into(),
            Self::Close => "closed without an answer, nothing done".into(),
            Self::LoseAnswer => "closed without an answer, all done".into(),
            Self::Late => "closed without an answer, done a little later".into(),
            Self::Silence => "no answer in time, all done".into(),
            Self::Page(status) => format!("HTTP {status}, nothing done"),
            Self::PageHandled(status) => format!("HTTP {status}, all done"),
            Self::ResetSent(0) => "reset after the head of the answer".into(),
            Self::ResetSent(_) => "reset within the answer".into(),
            Self::Stall(0) => "the answer stalls after its head".into(),
            Self::Stall(_) => "the answer stalls".into(),
            Self::LengthOver => "the answer is shorter than announced".into(),
            Self::LengthUnder => "the answer is announced shorter than it is".into(),
            Self::Truncate => "the answer is cut and called whole".into(),
            Self::Garbage => "the answer is garbage".into(),
            Self::Bomb => "the answer unpacks to 100 MB of blanks".into(),
            Self::TooMany(seconds) => format!("HTTP 429, again after {seconds} s"),
            Self::TooManyUntilPast => "HTTP 429, again after a date in the past".into(),
            Self::Busy => "*the service is busy*".into(),
            Self::Redirect => "redirected to another host".into(),
            Self::ExpireToken => "the token has expired".into(),
            Self::Vanish => "the job is deleted".into(),
        }
    }

    /// As the emulator spells it.
    pub(crate) fn code(self) -> String {
        match self {
            Self::Gzip => "gzip".into(),
            Self::Refuse => "refuse".into(),
            Self::Redirect => "redirect".into(),
            _ => self.fault("").map(|fault| fault.to_string()).unwrap_or_default(),
        }
    }

    /// The fault of the emulator. `elsewhere` is a URL that belongs to somebody else.
    pub(crate) fn fault(self, elsewhere: &str) -> Option<Fault> {
        Some(match self {
            Self::Gzip => return None,
            Self::Latency => Fault::latency(Duration::from_millis(20)),
            Self::Drip => Fault::drip(100, Duration::from_millis(1)),
            Self::SmallBomb => Fault::bomb(1_000_000),
            Self::UnknownStatus => Fault::unknown_status("archiving"),
            Self::Refuse => Fault::refuse(AGES),
            Self::ResetUpload => Fault::reset_after_received(1000),
            Self::ResetReceived => Fault::reset_after_received(0),
            Self::Close => Fault::close(),
            Self::LoseAnswer => Fault::lose_response(),
            Self::Late => Fault::late(Duration::from_millis(20)),
            Self::Silence => Fault::latency(AGES),
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
            Self::LoseAnswer | Self::Late => lost(ErrorKind::Interrupted, true),
            Self::Silence | Self::PageHandled(504) => Effect::TooLate { handled: true },
            Self::Page(504) => Effect::TooLate { handled: false },
            Self::Page(500) => Effect::Failure { handled: false },
            Self::PageHandled(500) => Effect::Failure { handled: true },
            Self::Page(413) => Effect::Refused(ErrorKind::TooLarge),
            Self::Page(503) => lost(ErrorKind::Busy, false),
            Self::PageHandled(503) => lost(ErrorKind::Busy, true),
            Self::Page(_) => lost(ErrorKind::Server, false),
            Self::PageHandled(_) => lost(ErrorKind::Server, true),
            Self::ResetSent(_) | Self::Stall(_) | Self::LengthOver => Effect::BreaksOff { looks_whole: false },
            Self::LengthUnder | Self::Truncate => Effect::BreaksOff { looks_whole: true },
            Self::Garbage => Effect::Unreadable(ErrorKind::Protocol),
            Self::Bomb => Effect::Unreadable(ErrorKind::TooLarge),
            Self::TooMany(3600) => Effect::TurnedAwayForLong,
            Self::TooMany(_) | Self::TooManyUntilPast | Self::Busy => Effect::TurnedAway,
            Self::Redirect => Effect::Refused(ErrorKind::Rejected),
            Self::ExpireToken => Effect::TokenRefused,
            Self::Vanish => Effect::Gone,
        }
    }
}
