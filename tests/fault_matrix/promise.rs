//! The promises of the docs for each call with a fault, as one function: the table of `RetryPolicy`, the table of
//! `Settling`, and the docs of `Submit`, `Watch` and `Export`.

use sqlflow_client::ErrorKind;

use crate::calls::{Call, CallClass};
use crate::cell::CallOutcome;
use crate::faults::{Effect, FaultKind, Recurrence};

/// The maximum number of attempts of a call in the matrix.
pub(crate) const ATTEMPTS: u32 = 4;

/// The promised result of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Promise {
    pub(crate) outcome: CallOutcome,
    /// The number of requests for its operation that reach the server. `None` if it depends on timing.
    pub(crate) requests: Option<u32>,
    /// `true` if the server carries out the operation. It never does so twice.
    pub(crate) done: bool,
    /// `true` if the client looks for the job in the list of jobs.
    pub(crate) settled: bool,
}

impl Promise {
    fn ok(requests: u32) -> Self {
        Self { outcome: CallOutcome::Ok, requests: Some(requests), done: true, settled: false }
    }

    fn failed(kind: ErrorKind, requests: u32) -> Self {
        Self { outcome: CallOutcome::Failed(kind), requests: Some(requests), done: false, settled: false }
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

pub(crate) fn promised(call: Call, fault_kind: FaultKind, recurrence: Recurrence) -> Promise {
    match (fault_kind.effect(), recurrence) {
        // These effects are the same for all calls, because the server certainly did not act on the request.
        (Effect::Harmless, _) => return without_count(call, Promise::ok(1)),
        (Effect::TokenRefused, Recurrence::Once) => return without_count(call, Promise::ok(2)),
        (Effect::TokenRefused, Recurrence::Always) => return Promise::failed(ErrorKind::Authentication, 2),
        (Effect::Refused(kind), _) => return Promise::failed(kind, 1),
        (Effect::JobDeleted, _) => return gone(call),
        (Effect::UnreadableJob, _) if call == Call::FindJob => return Promise::ok(1),
        (Effect::UnreadableJob, _) if call == Call::Jobs => {
            return Promise { outcome: CallOutcome::Without, ..Promise::ok(1) };
        }
        _ => {}
    }
    let effect = match fault_kind.effect() {
        Effect::UnreadableJob => Effect::Unreadable(ErrorKind::Protocol),
        effect => effect,
    };
    match call.class() {
        CallClass::Watch => watch(effect, recurrence),
        CallClass::Read => read(call, effect, recurrence),
        CallClass::Change => change(effect, recurrence),
        CallClass::Submit => submit(effect, recurrence),
        CallClass::BlindSubmit => blind_submit(effect, recurrence),
    }
}

/// Removes the number of requests from the promise of a wait, where it depends on timing.
fn without_count(call: Call, promise: Promise) -> Promise {
    let requests = promise.requests.filter(|_| call.class() != CallClass::Watch);
    Promise { requests, ..promise }
}

/// Returns the promise for a deleted job. A list succeeds without it; calls about this job alone fail as not found.
fn gone(call: Call) -> Promise {
    match call {
        Call::FindJob | Call::Jobs => Promise { outcome: CallOutcome::Without, ..Promise::ok(1) },
        // The job has been deleted, though not by this call.
        Call::Delete => Promise::failed(ErrorKind::JobNotFound, 1).if_done(true),
        _ => Promise::failed(ErrorKind::JobNotFound, 1),
    }
}

/// Returns the promise for a request that is retried: it succeeds if the fault passes, and otherwise fails when no
/// attempts are left.
fn again(kind: ErrorKind, recurrence: Recurrence) -> Promise {
    match recurrence {
        Recurrence::Once => Promise::ok(2),
        Recurrence::Always => Promise::failed(kind, ATTEMPTS),
    }
}

fn unreached(recurrence: Recurrence) -> Promise {
    match recurrence {
        Recurrence::Once => Promise::ok(1),
        Recurrence::Always => Promise::failed(ErrorKind::Connect, 0),
    }
}

/// Returns the promise for a read: the first column of the table of `RetryPolicy`.
fn read(call: Call, effect: Effect, recurrence: Recurrence) -> Promise {
    let done = call == Call::SetOnTop;
    match effect {
        Effect::Unreached => unreached(recurrence),
        Effect::RefusedForNow => again(ErrorKind::Busy, recurrence),
        Effect::RefusedForLong => Promise::failed(ErrorKind::Busy, 1),
        Effect::Lost { kind, handled } => again_or_done(again(kind, recurrence), done && handled),
        Effect::TooLate { handled } => again_or_done(again(ErrorKind::Timeout, recurrence), done && handled),
        // Nothing shows that the end is missing: CSV may end anywhere, and a stream is not parsed.
        Effect::Truncated { looks_whole: true } if is_unchecked(call) || call == Call::Stream => {
            Promise { outcome: CallOutcome::Cut, ..Promise::ok(1) }
        }
        // Once a stream has begun, retrying is up to its caller.
        Effect::Truncated { .. } if call == Call::Stream => Promise::failed(ErrorKind::Interrupted, 1),
        Effect::Truncated { .. } => again_or_done(again(ErrorKind::Interrupted, recurrence), done),
        // Any bytes are valid CSV.
        Effect::Unreadable(ErrorKind::Protocol) if is_unchecked(call) => {
            Promise { outcome: CallOutcome::Garbled, ..Promise::ok(1) }
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
fn watch(effect: Effect, recurrence: Recurrence) -> Promise {
    let passing = |kind| match recurrence {
        Recurrence::Once => Promise { requests: None, ..Promise::ok(0) },
        Recurrence::Always => Promise { requests: None, ..Promise::failed(kind, 0) },
    };
    match effect {
        Effect::Unreached => passing(ErrorKind::Connect),
        Effect::RefusedForNow | Effect::RefusedForLong => passing(ErrorKind::Busy),
        // An unreadable response may be, for example, the page of a proxy while the server is down.
        Effect::Lost { kind, .. } | Effect::Unreadable(kind) => passing(kind),
        Effect::TooLate { .. } => passing(ErrorKind::Timeout),
        Effect::Truncated { .. } => passing(ErrorKind::Interrupted),
        Effect::Failure { .. } => passing(ErrorKind::Server),
        _ => unreachable!("{effect:?} has the same promise for all calls, or applies to uploads only"),
    }
}

/// Returns the promise for a change: the second column of the table of `RetryPolicy`.
fn change(effect: Effect, recurrence: Recurrence) -> Promise {
    match effect {
        Effect::Unreached => unreached(recurrence),
        Effect::RefusedForNow => again(ErrorKind::Busy, recurrence),
        Effect::RefusedForLong => Promise::failed(ErrorKind::Busy, 1),
        Effect::CutShort => again(ErrorKind::Interrupted, recurrence),
        Effect::Lost { kind, handled } => Promise::failed(kind, 1).if_done(handled),
        Effect::TooLate { handled } => Promise::failed(ErrorKind::Timeout, 1).if_done(handled),
        Effect::Truncated { .. } => Promise::failed(ErrorKind::Interrupted, 1).if_done(true),
        Effect::Unreadable(kind) => Promise::failed(kind, 1).if_done(true),
        Effect::Failure { handled } => Promise::failed(ErrorKind::Server, 1).if_done(handled),
        _ => unreachable!("{effect:?} has the same promise for all calls"),
    }
}

/// Returns the promise for a submission: the table of `Settling`.
fn submit(effect: Effect, recurrence: Recurrence) -> Promise {
    match effect {
        // The job was made, so the list contains it, and it is not submitted again.
        Effect::Lost { handled: true, .. }
        | Effect::TooLate { handled: true }
        | Effect::Truncated { .. }
        | Effect::Unreadable(_)
        | Effect::Failure { handled: true } => Promise::ok(1).settled(),
        Effect::Lost { handled: false, .. } => again(ErrorKind::SubmitUnknown, recurrence).settled(),
        Effect::TooLate { handled: false } => Promise::failed(ErrorKind::SubmitUnknown, 1).settled(),
        Effect::Failure { handled: false } => Promise::failed(ErrorKind::Server, 1).settled(),
        _ => change(effect, recurrence),
    }
}

/// Returns the promise for a submission without a name to look for: if the outcome is unknown, it fails at once.
fn blind_submit(effect: Effect, recurrence: Recurrence) -> Promise {
    let unknown = Promise::failed(ErrorKind::SubmitUnknown, 1);
    match effect {
        Effect::Lost { handled, .. } | Effect::TooLate { handled } | Effect::Failure { handled } => {
            unknown.if_done(handled)
        }
        Effect::Truncated { .. } | Effect::Unreadable(_) => unknown.if_done(true),
        _ => change(effect, recurrence),
    }
}
