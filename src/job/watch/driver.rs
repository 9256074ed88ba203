//! Who goes on with a request that many wait for.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::poll_fn;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// How long a request stands still when the task that drives it does not go on: it may never be polled again.
const RELIEF: Duration = Duration::from_millis(250);

/// The task that polled last, which is the one that a request wakes.
///
/// A long answer wakes who waits for it at every piece. Ten thousand tasks are not to be woken for each: one goes on
/// with the request, and the others are woken now and then, in case that one is not polled any more.
#[derive(Default)]
pub(super) struct Driver(Mutex<Option<Waker>>);

impl Driver {
    /// The future as polled by one of those that wait for it.
    pub(super) async fn polled<T>(&self, mut future: impl Future<Output = T> + Unpin) -> T {
        poll_fn(|context| {
            self.set(Some(context.waker().clone()));
            future.poll_unpin(context)
        })
        .await
    }

    /// The request that they wait for.
    pub(super) async fn driven<T>(self: &Arc<Self>, request: impl Future<Output = T>) -> T {
        let mut request = pin!(request);
        let mut relief = interval_at(Instant::now() + RELIEF, RELIEF);
        relief.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let driver = Waker::from(Arc::clone(self));
        poll_fn(|context| {
            while relief.poll_tick(context).is_ready() {}
            request.as_mut().poll(&mut Context::from_waker(&driver))
        })
        .await
    }

    pub(super) fn forget(&self) {
        self.set(None);
    }

    fn set(&self, waker: Option<Waker>) {
        let before = std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), waker);
        // Only when unlocked: the last waker of a task may take the task with it.
        drop(before);
    }
}

impl Wake for Driver {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let waker = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
