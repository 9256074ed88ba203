//! Pieces that tasks share: data behind a mutex, and requests that several of them wait for.

use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;

/// Locks a mutex, even after another holder panicked: every critical section of this crate leaves its data consistent.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns what a future returns, or `None` if it panicked.
///
/// A request that several tasks wait for goes through this: a shared future that panicked would take every one of them,
/// and every later one, with it. The panic itself is left out, because its text may contain a secret that is not known
/// yet; the panic hook of the program has printed it.
pub(crate) async fn caught<F: Future>(future: F) -> Option<F::Output> {
    AssertUnwindSafe(future).catch_unwind().await.ok()
}
