//! Plan.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Fault;
use super::kind::Kind;

/// What is to befall a request.
#[derive(Debug)]
pub(crate) struct Blow {
    pub(super) kind: Kind,
    pub(super) handled: bool,
}

/// The faults that are still to come, in the order in which they are tried.
#[derive(Default)]
pub(crate) struct Plan {
    waiting: Mutex<Vec<Waiting>>,
}

struct Waiting {
    fault: Fault,
    dice: Option<(f64, fastrand::Rng)>,
    met: u64,
}

impl Plan {
    pub(crate) fn add(&self, fault: Fault) {
        let dice = fault.chance.map(|(share, seed)| (share, fastrand::Rng::with_seed(seed)));
        self.lock().push(Waiting { fault, dice, met: 0 });
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    /// What befalls a request that arrives now. It is one turn of a fault, whatever becomes of the request.
    pub(crate) fn strike(&self, operation: &str) -> Option<Blow> {
        let mut waiting = self.lock();
        waiting.retain(|one| one.fault.times != Some(0));
        let struck = waiting.iter_mut().find_map(|one| one.meets(operation).then_some(&mut one.fault))?;
        if let Some(times) = &mut struck.times {
            *times -= 1;
        }
        Some(Blow { kind: struck.kind.clone(), handled: struck.handled })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.lock().iter().map(|one| &one.fault)).finish()
    }
}

impl Waiting {
    /// Counts a request if it matches, and tells whether it is this one's turn.
    fn meets(&mut self, operation: &str) -> bool {
        if !self.fault.matches(operation) {
            return false;
        }
        self.met += 1;
        let turn = self.met.checked_sub(self.fault.skip).is_some_and(|met| met > 0 && met % self.fault.every == 0);
        turn && self.dice.as_mut().is_none_or(|(share, dice)| dice.f64() < *share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of so many requests for one operation are struck, counted from 1.
    fn struck(faults: Vec<Fault>, requests: u32) -> Vec<u32> {
        let plan = Plan::default();
        for fault in faults {
            plan.add(fault);
        }
        (1..=requests).filter(|_| plan.strike("submitUserJob").is_some()).collect()
    }

    #[test]
    fn a_fault_takes_its_turns() {
        assert_eq!(struck(vec![Fault::busy()], 3), [1, 2, 3]);
        assert_eq!(struck(vec![Fault::busy().on("rerunJob")], 3), [0; 0]);
        assert_eq!(struck(vec![Fault::busy().on("rerunJob").on("submitUserJob").times(1)], 3), [1]);
        assert_eq!(struck(vec![Fault::busy().skip(1).every(3)], 10), [4, 7, 10]);
        assert_eq!(struck(vec![Fault::busy().every(0).times(2)], 10), [1, 2]);
        assert_eq!(struck(vec![Fault::busy().times(0)], 3), [0; 0]);
        assert_eq!(struck(vec![Fault::expire_token().times(1), Fault::close().skip(1).times(1)], 9), [1, 3]);
    }

    #[test]
    fn chance_follows_from_the_seed() {
        let first = struck(vec![Fault::busy().chance(0.25, 7)], 1000);
        assert_eq!(first, struck(vec![Fault::busy().chance(0.25, 7)], 1000));
        assert_ne!(first, struck(vec![Fault::busy().chance(0.25, 8)], 1000));
        assert!((200..300).contains(&first.len()), "{}", first.len());
        assert_eq!(struck(vec![Fault::busy().chance(0.0, 7)], 100), [0; 0]);
        assert_eq!(struck(vec![Fault::busy().chance(1.0, 7)], 100).len(), 100);
    }

    #[test]
    fn the_first_fault_that_has_a_turn_strikes() {
        let plan = Plan::default();
        plan.add(Fault::page(502).times(1));
        plan.add(Fault::close().on("rerunJob"));
        plan.add(Fault::lose_answer());
        let struck: Vec<_> = (0..3).filter_map(|_| plan.strike("submitUserJob")).map(|blow| blow.to_string()).collect();
        assert_eq!(struck, ["502", "lose-answer", "lose-answer"]);
    }
}
