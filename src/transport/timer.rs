//! The timer of one exchange: of the wait for a response, and of each wait for a part of its body.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// Wakes the task that waits, at the end of its wait.
///
/// A timer is registered with the runtime when a wait begins and removed when it ends, which costs more than to read a
/// small response. So there is one for all waits of an exchange. It stays where it is while the ends of the waits move
/// away from it, and is moved when it goes off too early.
#[derive(Debug)]
pub(super) struct ExchangeTimer {
    /// `None` until there is something to wait for.
    sleep: Option<Pin<Box<Sleep>>>,
    /// The time after which the timer goes off for the first time. With that of the shortest wait, the timer need not
    /// be moved for any of them.
    shortest_wait: Duration,
}

impl ExchangeTimer {
    pub(super) fn new(shortest_wait: Duration) -> Self {
        Self { sleep: None, shortest_wait }
    }

    /// Waits for the end of a wait, which may move while it is waited for. There is none if the clock cannot express
    /// it.
    pub(super) fn poll_end(&mut self, context: &mut Context<'_>, end: impl Fn() -> Option<Instant>) -> Poll<()> {
        let Some(mut current) = end() else { return Poll::Pending };
        let timer = self.sleep.get_or_insert_with(|| Box::pin(sleep(self.shortest_wait)));
        if current < timer.deadline() {
            timer.as_mut().reset(current);
        }
        loop {
            ready!(timer.as_mut().poll(context));
            let Some(moved) = end() else { return Poll::Pending };
            current = moved;
            if current <= Instant::now() {
                return Poll::Ready(());
            }
            timer.as_mut().reset(current);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::poll_fn;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Waits until a time after the start, and returns the time after the start at which that ended.
    async fn waited(timer: &mut ExchangeTimer, start: Instant, end: Duration) -> Duration {
        poll_fn(|context| timer.poll_end(context, || Some(start + end))).await;
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn every_wait_ends_at_its_own_end_wherever_the_timer_was_before() {
        for shortest_wait in [SECOND, 30 * SECOND, 1000 * SECOND, Duration::MAX] {
            let start = Instant::now();
            let mut timer = ExchangeTimer::new(shortest_wait);
            for end in [60 * SECOND, 600 * SECOND, 601 * SECOND, 601 * SECOND, 5000 * SECOND] {
                let waited = waited(&mut timer, start, end).await;
                assert!(waited >= end && waited < end + SECOND / 100, "{waited:?} instead of {end:?}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_lasts_longer_if_its_end_moves_away_meanwhile() {
        let start = Instant::now();
        let mut timer = ExchangeTimer::new(SECOND);
        let looked = Cell::new(0);
        // The end is 10, 20 and 30 seconds after the start when it is looked at, and stays there.
        let end = || {
            looked.set(looked.get() + 1);
            Some(start + 10 * SECOND * looked.get().min(3))
        };
        poll_fn(|context| timer.poll_end(context, end)).await;
        assert_eq!(start.elapsed().as_secs(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_without_an_end_does_not_end() {
        let mut timer = ExchangeTimer::new(SECOND);
        let endless = poll_fn(|context| timer.poll_end(context, || None));
        assert!(tokio::time::timeout(1_000_000 * SECOND, endless).await.is_err());
    }
}
