//! The promises of the docs for each call with a fault, as one function: the table of `RetryPolicy`, the table of
//! `Settling`, and the docs of `Submit`, `Watch` and `Export`.

use sqlflow_client::ErrorKind;

use crate::calls::{Call, Nature};
use crate::cell::Outcome;
use crate::faults::{Effect, Trouble, Turns};

/// The maximum number of attempts of a call in the matrix.
pub(crate) const ATTEMPTS: u32 = 4;

/// The promised result of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Promise {
    pub(crate) outcome: Outcome,
    /// The number of requests for its operation that reach the server. `None` if it depends on timing.
    pub(crate) requests: Option<u32>,
    /// `true` if the server carries out the operation. It never does so twice.
    pub(crate) done: bool,
    /// `true` if the client looks for the job in the list of jobs.
    pub(crate) settled: bool,
}

impl Promise {
    fn ok(requests: u32) -> Self {
        Self { outcome: Outcome::Ok, requests: Some(requests), done: true, settled: false }
    }

    fn failed(kind: ErrorKind, requests: u32) -> Self {
        Self { outcome: Outcome::Failed(kind), requests: Some(requests), done: false, settled: false }
    }

    /// Sets whether the server carried out the request that was sent.
    fn if_done(self, done: bool) -> Self {
        Self { done, ..self }
    }

    /// Adds that the client requests the list of jobs.
    fn settled(self) -> Self {
        Self { settled: true, ..self }
    }
}

pub(crate) fn promised(call: Call, trouble: Trouble, turns: Turns) -> Promise {
    match (trouble.effect(), turns) {
        // These effects are the same for all calls, because the server certainly did not act on the request.
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

/// Removes the number of requests from the promise of a wait, where it depends on timing.
fn without_count(call: Call, promise: Promise) -> Promise {
    let requests = promise.requests.filter(|_| call.nature() != Nature::Watch);
    Promise { requests, ..promise }
}

/// Returns the promise for a deleted job. A list succeeds without it; calls about this job alone fail as not found.
fn gone(call: Call) -> Promise {
    match call {
        Call::FindJob | Call::Jobs => Promise { outcome: Outcome::Without, ..Promise::ok(1) },
        // The job has been deleted, though not by this call.
        Call::Delete => Promise::failed(ErrorKind::JobNotFound, 1).if_done(true),
        _ => Promise::failed(ErrorKind::JobNotFound, 1),
    }
}

/// Returns the promise for a request that is retried: it succeeds if the fault passes, and otherwise fails when no
/// attempts are left.
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

/// Returns the promise for a read: the first column of the table of `RetryPolicy`.
fn read(call: Call, effect: Effect, turns: Turns) -> Promise {
    let done = call == Call::SetOnTop;
    match effect {
        Effect::Unreached => unreached(turns),
        Effect::TurnedAway => again(ErrorKind::Busy, turns),
        Effect::TurnedAwayForLong => Promise::failed(ErrorKind::Busy, 1),
        Effect::Lost { kind, handled } => again_or_done(again(kind, turns), done && handled),
        Effect::TooLate { handled } => again_or_done(again(ErrorKind::Timeout, turns), done && handled),
        // Nothing shows that the end is missing: CSV may end anywhere, and a stream is not parsed.
        Effect::BreaksOff { looks_whole: true } if is_unchecked(call) || call == Call::Stream => {
            Promise { outcome: Outcome::Cut, ..Promise::ok(1) }
        }
        // Once a stream has begun, retrying is up to its caller.
        Effect::BreaksOff { .. } if call == Call::Stream => Promise::failed(ErrorKind::Interrupted, 1),
        Effect::BreaksOff { .. } => again_or_done(again(ErrorKind::Interrupted, turns), done),
        // Any bytes are valid CSV.
        Effect::Unreadable(ErrorKind::Protocol) if is_unchecked(call) => {
            Promise { outcome: Outcome::Garbled, ..Promise::ok(1) }
        }
        Effect::Unreadable(kind) => Promise::failed(kind, 1).if_done(done),
        Effect::Failure { handled } => Promise::failed(ErrorKind::Server, 1).if_done(done && handled),
        _ => unreachable!("{effect:?} has the same promise for all calls, or applies to uploads only"),
    }
}

fn again_or_done(promise: Promise, done: bool) -> Promise {
    promise.if_done(promise.done || done)
}

fn is_unchecked(call: Call) -> bool {
    matches!(call, Call::CsvBytes | Call::CsvFile)
}

/// Returns the promise for a wait, which keeps polling until the fault lasts longer than `max_outage`. It ends at once
/// only after errors that polling again cannot resolve.
fn watch(effect: Effect, turns: Turns) -> Promise {
    let passing = |kind| match turns {
        Turns::Once => Promise { requests: None, ..Promise::ok(0) },
        Turns::Always => Promise { requests: None, ..Promise::failed(kind, 0) },
    };
    match effect {
        Effect::Unreached => passing(ErrorKind::Connect),
        Effect::TurnedAway | Effect::TurnedAwayForLong => passing(ErrorKind::Busy),
        // An unreadable response may be, for example, the page of a proxy while the server is down.
        Effect::Lost { kind, .. } | Effect::Unreadable(kind) => passing(kind),
        Effect::TooLate { .. } => passing(ErrorKind::Timeout),
        Effect::BreaksOff { .. } => passing(ErrorKind::Interrupted),
        Effect::Failure { .. } => passing(ErrorKind::Server),
        _ => unreachable!("{effect:?} has the same promise for all calls, or applies to uploads only"),
    }
}

/// Returns the promise for a change: the second column of the table of `RetryPolicy`.
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
        _ => unreachable!("{effect:?} has the same promise for all calls"),
    }
}

/// Returns the promise for a submission: the table of `Settling`.
fn submit(effect: Effect, turns: Turns) -> Promise {
    match effect {
        // The job was made, so the list contains it, and it is not submitted again.
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

/// Returns the promise for a submission without a name to look for: if the outcome is unknown, it fails at once.
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
