//! Access to data behind a mutex.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex, even after another holder panicked: every critical section of this crate leaves its data consistent.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
