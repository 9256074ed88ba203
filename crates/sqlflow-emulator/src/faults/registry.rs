//! The faults of an emulator, and the selection of the one that applies to a request.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Fault;
use super::kind::FaultKind;

/// A fault that applies to a request.
#[derive(Debug)]
pub(crate) struct AppliedFault {
    pub(super) kind: FaultKind,
    pub(super) handled: bool,
}

/// A fault that can still apply to a request.
#[derive(Debug)]
pub(crate) struct ActiveFault {
    pub(crate) fault: Fault,
    /// The number of requests that it matched so far.
    pub(crate) matched: u64,
}

/// The active faults, in the order in which they are tried.
#[derive(Default)]
pub(crate) struct FaultRegistry {
    active: Mutex<Vec<RegisteredFault>>,
}

struct RegisteredFault {
    fault: Fault,
    rng: Option<(f64, fastrand::Rng)>,
    matched: u64,
}

impl FaultRegistry {
    pub(crate) fn add(&self, fault: Fault) {
        let rng = fault.chance.map(|(share, seed)| (share, fastrand::Rng::with_seed(seed)));
        self.lock().push(RegisteredFault { fault, rng, matched: 0 });
    }

    /// Returns the faults that can still apply to a request, in the order in which they are tried.
    pub(crate) fn active(&self) -> Vec<ActiveFault> {
        let active = self.lock();
        let left = active.iter().filter(|registered| registered.fault.times != Some(0));
        left.map(|registered| ActiveFault { fault: registered.fault.clone(), matched: registered.matched }).collect()
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    /// Selects the fault that applies to a new request, and counts it as applied, whatever the outcome of the
    /// request.
    pub(crate) fn take_for(&self, operation: &str) -> Option<AppliedFault> {
        let mut active = self.lock();
        active.retain(|registered| registered.fault.times != Some(0));
        let due =
            active.iter_mut().find_map(|registered| registered.is_due(operation).then_some(&mut registered.fault))?;
        if let Some(times) = &mut due.times {
            *times -= 1;
        }
        Some(AppliedFault { kind: due.kind.clone(), handled: due.handled })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<RegisteredFault>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for FaultRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.lock().iter().map(|registered| &registered.fault)).finish()
    }
}

impl RegisteredFault {
    /// Counts a request if it matches, and returns `true` if the fault applies to it.
    fn is_due(&mut self, operation: &str) -> bool {
        if !self.fault.matches(operation) {
            return false;
        }
        self.matched += 1;
        let turn = self
            .matched
            .checked_sub(self.fault.skip)
            .is_some_and(|matched| matched > 0 && matched % self.fault.every == 0);
        turn && self.rng.as_mut().is_none_or(|(share, rng)| rng.f64() < *share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the numbers of those requests for one operation, counted from 1, to which a fault applies.
    fn hits(faults: Vec<Fault>, requests: u32) -> Vec<u32> {
        let registry = FaultRegistry::default();
        for fault in faults {
            registry.add(fault);
        }
        (1..=requests).filter(|_| registry.take_for("submitUserJob").is_some()).collect()
    }

    #[test]
    fn conditions_select_requests() {
        assert_eq!(hits(vec![Fault::busy()], 3), [1, 2, 3]);
        assert_eq!(hits(vec![Fault::busy().on("rerunJob")], 3), [0; 0]);
        assert_eq!(hits(vec![Fault::busy().on("rerunJob").on("submitUserJob").times(1)], 3), [1]);
        assert_eq!(hits(vec![Fault::busy().skip(1).every(3)], 10), [4, 7, 10]);
        assert_eq!(hits(vec![Fault::busy().every(0).times(2)], 10), [1, 2]);
        assert_eq!(hits(vec![Fault::busy().times(0)], 3), [0; 0]);
        assert_eq!(hits(vec![Fault::expire_token().times(1), Fault::close().skip(1).times(1)], 9), [1, 3]);
    }

    #[test]
    fn the_seed_determines_the_choice_of_requests() {
        let first = hits(vec![Fault::busy().chance(0.25, 7)], 1000);
        assert_eq!(first, hits(vec![Fault::busy().chance(0.25, 7)], 1000));
        assert_ne!(first, hits(vec![Fault::busy().chance(0.25, 8)], 1000));
        assert!((200..300).contains(&first.len()), "{}", first.len());
        assert_eq!(hits(vec![Fault::busy().chance(0.0, 7)], 100), [0; 0]);
        assert_eq!(hits(vec![Fault::busy().chance(1.0, 7)], 100).len(), 100);
    }

    #[test]
    fn the_first_fault_that_is_due_applies() {
        let registry = FaultRegistry::default();
        registry.add(Fault::page(502).times(1));
        registry.add(Fault::close().on("rerunJob"));
        registry.add(Fault::lose_response());
        let applied: Vec<_> =
            (0..3).filter_map(|_| registry.take_for("submitUserJob")).map(|fault| fault.to_string()).collect();
        assert_eq!(applied, ["502", "lose-response", "lose-response"]);
    }
}
