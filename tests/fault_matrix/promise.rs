//! The promises of the docs for each call that meets a fault, as one function: the tables of `RequestOutcome` and
//! `Settling`, and the docs of `Submit`, `Watch` and `Export`.

use sqlflow_client::ErrorKind;

use crate::calls::{Call, Nature};
use crate::cell::Outcome;
use crate::faults::{Effect, Trouble, Turns};

/// The number of attempts that the client of the matrix makes.
pub(crate) const ATTEMPTS: u32 = 4;

/// A promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Promise {
    pub(crate) outcome: Outcome,
    /// The number of requests of its operation that reach the server, or `None` if that is a matter of time.
    pub(crate) requests: Option<u32>,
    /// `true` if the server executes it. It never does so twice.
    pub(crate) done: bool,
    /// `true` if the client looks into the list of jobs.
    pub(crate) settled: bool,
}

impl Promise {
    fn ok(requests: u32) -> Self {
        Self { outcome: Outcome::Ok, requests: Some(requests), done: true, settled: false }
    }

    fn failed(kind: ErrorKind, requests: u32) -> Self {
        Self { outcome: Outcome::Failed(kind), requests: Some(requests), done: false, settled: false }
    }

    /// A request that was sent, and the server did it or not.
    fn if_done(self, done: bool) -> Self {
        Self { done, ..self }
    }

    /// The list of jobs was asked.
    fn settled(self) -> Self {
        Self { settled: true, ..self }
    }
}

pub(crate) fn promised(call: Call, trouble: Trouble, turns: Turns) -> Promise {
    match (trouble.effect(), turns) {
        // What concerns all calls alike, as the request was certainly not acted on.
        (Effect::Harmless, _) => return without_count(call, Promise::ok(1)),
        (Effect::TokenRefused, Turns::Once) => return without_count(call, Promise::ok(2)),
        (Effect::TokenRefused, Turns::Always) => return Promise::failed(ErrorKind::Authentication, 2),
        (Effect::Refused(kind), _) => return Promise::failed(kind, 1),
        (Effect::Gone, _) => return gone(call),
        _ => {}
    }
    match call.nature() {
        Nature::Watch => watch(trouble.effect(), turns),
        Nature::Read => read(call, trouble.effect(), turns),
        Nature::Change => change(trouble.effect(), turns),
        Nature::Submit => submit(trouble.effect(), turns),
        Nature::BlindSubmit => blind_submit(trouble.effect(), turns),
    }
}

/// Waits ask as often as time makes them.
fn without_count(call: Call, promise: Promise) -> Promise {
    let requests = promise.requests.filter(|_| call.nature() != Nature::Watch);
    Promise { requests, ..promise }
}

/// A list goes on without the job. To all that is about this job alone, it is not there.
fn gone(call: Call) -> Promise {
    match call {
        Call::FindJob | Call::Jobs => Promise { outcome: Outcome::Without, ..Promise::ok(1) },
        // That it is gone was not its doing, and is so all the same.
        Call::Delete => Promise::failed(ErrorKind::JobNotFound, 1).if_done(true),
        _ => Promise::failed(ErrorKind::JobNotFound, 1),
    }
}

/// Not acted on, or not known to be: made again, once if it passes, and until there are no more attempts if it
/// does not.
fn again(kind: ErrorKind, turns: Turns) -> Promise {
    match turns {
        Turns::Once => Promise::ok(2),
        Turns::Always => Promise::failed(kind, ATTEMPTS),
    }
}

fn unreached(turns: Turns) -> Promise {
    match turns {
        Turns::Once => Promise::ok(1),
        Turns::Always => Promise::failed(ErrorKind::Connect, 0),
    }
}

/// The rows of `RetryPolicy`, first column.
fn read(call: Call, effect: Effect, turns: Turns) -> Promise {
    let done = call == Call::SetOnTop;
    match effect {
        Effect::Unreached => unreached(turns),
        Effect::TurnedAway => again(ErrorKind::Busy, turns),
        Effect::TurnedAwayForLong => Promise::failed(ErrorKind::Busy, 1),
        Effect::Lost { kind, handled } => again_or_done(again(kind, turns), done && handled),
        Effect::TooLate { handled } => again_or_done(again(ErrorKind::Timeout, turns), done && handled),
        // Nothing tells that the end is missing: a table may end anywhere, and a stream is not looked into.
        Effect::BreaksOff { looks_whole: true } if is_unchecked(call) || call == Call::Stream => {
            Promise { outcome: Outcome::Cut, ..Promise::ok(1) }
        }
        // A stream that has begun is its caller's to ask for again.
        Effect::BreaksOff { .. } if call == Call::Stream => Promise::failed(ErrorKind::Interrupted, 1),
        Effect::BreaksOff { .. } => again_or_done(again(ErrorKind::Interrupted, turns), done),
        // Any bytes are a table.
        Effect::Unreadable(ErrorKind::Protocol) if is_unchecked(call) => {
            Promise { outcome: Outcome::Garbled, ..Promise::ok(1) }
        }
        Effect::Unreadable(kind) => Promise::failed(kind, 1).if_done(done),
        Effect::Failure { handled } => Promise::failed(ErrorKind::Server, 1).if_done(done && handled),
        _ => unreachable!("{effect:?} is promised for all calls in the same way, or applies only to uploads"),
    }
}

fn again_or_done(promise: Promise, done: bool) -> Promise {
    promise.if_done(promise.done || done)
}

fn is_unchecked(call: Call) -> bool {
    matches!(call, Call::CsvBytes | Call::CsvFile)
}

/// Asks again in its own time, until trouble outlasts its patience. Only what asking again cannot mend ends it at once.
fn watch(effect: Effect, turns: Turns) -> Promise {
    let passing = |kind| match turns {
        Turns::Once => Promise { requests: None, ..Promise::ok(0) },
        Turns::Always => Promise { requests: None, ..Promise::failed(kind, 0) },
    };
    match effect {
        Effect::Unreached => passing(ErrorKind::Connect),
        Effect::TurnedAway | Effect::TurnedAwayForLong => passing(ErrorKind::Busy),
        // What cannot be read is a page, say, that stands in for the server for a while.
        Effect::Lost { kind, .. } | Effect::Unreadable(kind) => passing(kind),
        Effect::TooLate { .. } => passing(ErrorKind::Timeout),
        Effect::BreaksOff { .. } => passing(ErrorKind::Interrupted),
        Effect::Failure { .. } => passing(ErrorKind::Server),
        _ => unreachable!("{effect:?} is promised for all calls in the same way, or applies only to uploads"),
    }
}

/// The rows of `RetryPolicy`, second column.
fn change(effect: Effect, turns: Turns) -> Promise {
    match effect {
        Effect::Unreached => unreached(turns),
        Effect::TurnedAway => again(ErrorKind::Busy, turns),
        Effect::TurnedAwayForLong => Promise::failed(ErrorKind::Busy, 1),
        Effect::CutShort => again(ErrorKind::Interrupted, turns),
        Effect::Lost { kind, handled } => Promise::failed(kind, 1).if_done(handled),
        Effect::TooLate { handled } => Promise::failed(ErrorKind::Timeout, 1).if_done(handled),
        Effect::BreaksOff { .. } => Promise::failed(ErrorKind::Interrupted, 1).if_done(true),
        Effect::Unreadable(kind) => Promise::failed(kind, 1).if_done(true),
        Effect::Failure { handled } => Promise::failed(ErrorKind::Server, 1).if_done(handled),
        _ => unreachable!("{effect:?} is promised alike for all calls"),
    }
}

/// The rows of `Settling`.
fn submit(effect: Effect, turns: Turns) -> Promise {
    match effect {
        // It was made, so the list has it, and it is not sent again.
        Effect::Lost { handled: true, .. }
        | Effect::TooLate { handled: true }
        | Effect::BreaksOff { .. }
        | Effect::Unreadable(_)
        | Effect::Failure { handled: true } => Promise::ok(1).settled(),
        Effect::Lost { handled: false, .. } => again(ErrorKind::SubmitUnknown, turns).settled(),
        Effect::TooLate { handled: false } => Promise::failed(ErrorKind::SubmitUnknown, 1).settled(),
        Effect::Failure { handled: false } => Promise::failed(ErrorKind::Server, 1).settled(),
        _ => change(effect, turns),
    }
}

/// Without a name to look for, whatever leaves it open ends it at once.
fn blind_submit(effect: Effect, turns: Turns) -> Promise {
    let unknown = Promise::failed(ErrorKind::SubmitUnknown, 1);
    match effect {
        Effect::Lost { handled, .. } | Effect::TooLate { handled } | Effect::Failure { handled } => {
            unknown.if_done(handled)
        }
        Effect::BreaksOff { .. } | Effect::Unreadable(_) => unknown.if_done(true),
        _ => change(effect, turns),
    }
}
