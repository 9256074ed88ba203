//! Futures that survive the end of the runtime on which they were polled.

use std::pin::pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, poll_fn};
use tokio::runtime::{Handle, Id};
use tokio::time::{Instant, sleep_until};

/// Returns the id of the runtime that polls, if there is one.
pub(super) fn current_runtime() -> Option<Id> {
    Handle::try_current().ok().map(|handle| handle.id())
}

/// A future that is replaced by a new one when it is polled on another runtime than before.
///
/// Timers and connections belong to the runtime on which they were created: on another one they panic or stall once
/// their own has ended. The future must lose nothing when it is dropped.
pub(super) struct RuntimeBound<T>(Option<(Option<Id>, BoxFuture<'static, T>)>);

impl<T> RuntimeBound<T> {
    pub(super) fn new() -> Self {
        Self(None)
    }

    /// Polls the future, which `create` creates if there is none on this runtime.
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
        create: impl FnOnce() -> BoxFuture<'static, T>,
    ) -> Poll<T> {
        let runtime = current_runtime();
        if self.0.as_ref().is_some_and(|(created_on, _)| *created_on != runtime) {
            self.0 = None;
        }
        let (_, future) = self.0.get_or_insert_with(|| (runtime, create()));
        let output = ready!(future.poll_unpin(context));
        self.0 = None;
        Poll::Ready(output)
    }
}

/// Returns the output of the future, or `None` if it takes longer than `limit`, whichever runtimes poll it.
pub(in crate::job) async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    let deadline = Instant::now().checked_add(limit);
    let mut timer = RuntimeBound::new();
    let mut future = pin!(future);
    poll_fn(|context| {
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return Poll::Ready(Some(output));
        }
        let Some(deadline) = deadline else { return Poll::Pending };
        timer.poll(context, || sleep_until(deadline).boxed()).map(|()| None)
    })
    .await
}
