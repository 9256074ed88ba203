//! The list of jobs that searches share. However many submissions are settled at a time, one list is in flight.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use tokio::runtime::{Handle, Id};
use tokio::time::{Instant, sleep_until};

use crate::job::JobId;
use crate::sync::{caught, lock};
use crate::wire::{JobIndex, Submitted};
use crate::{Error, ErrorKind, Result};

/// A list of jobs, and the time at which it was requested.
#[derive(Clone)]
pub(super) struct Listing {
    pub(super) index: Arc<JobIndex>,
    /// The number of lists that were read before this one and with it.
    pub(super) number: u64,
    requested: Instant,
}

impl Listing {
    /// Returns the time after which another list has to be requested to be a newer one.
    pub(super) fn after(&self) -> Instant {
        self.requested + Duration::from_nanos(1)
    }
}

/// A request for the list. Each search that is polled drives it, and it is dropped with the last of them.
type ListRequest = BoxFuture<'static, Result<Listing>>;

/// The lists of a client, and the jobs in them that are known to be those of its submissions.
#[derive(Default)]
pub(super) struct Listings(Mutex<ListingsState>);

/// The number of entries above which a list is long, so that questions about single jobs may take less.
pub(super) const LONG_LIST: usize = 1_000;

/// The number of latest submissions whose jobs are remembered.
const MAX_TAKEN: usize = 10_000;

#[derive(Default)]
struct ListingsState {
    /// The last list that was read, while something may ask for it.
    last: Option<Listing>,
    number: u64,
    last_request: Option<Instant>,
    /// `true` if the last list that was read is a long one.
    is_long: bool,
    /// `true` if the server has found a job by its name, so that it keeps names.
    finds_names: bool,
    /// The requests in flight, one for each runtime: a search must not wait for timers and connections of another
    /// runtime, which stop when that runtime ends.
    in_flight: Vec<(Option<Id>, Instant, WeakShared<ListRequest>)>,
    holds: usize,
    /// The jobs of submissions of this client: another submission must not be taken for theirs.
    taken: HashSet<JobId>,
    /// The same, the oldest first.
    taken_in_order: VecDeque<JobId>,
    /// The submissions of this client whose outcome is not known yet.
    pending: Vec<Submitted>,
}

/// A submission whose outcome is not known yet, for as long as this lives.
pub(super) struct PendingSubmission {
    listings: Arc<Listings>,
    name: String,
}

impl Drop for PendingSubmission {
    fn drop(&mut self) {
        let mut state = lock(&self.listings.0);
        if let Some(ours) = state.pending.iter().position(|pending| pending.name == self.name) {
            state.pending.swap_remove(ours);
        }
    }
}

/// Keeps the last list, so that searches one after the other can share it.
pub(super) struct ListingHold {
    listings: Arc<Listings>,
    /// The time from which on this search, or the searches that share the hold, need a list.
    pub(super) since: Instant,
    /// The number of lists that were read before.
    pub(super) number: u64,
}

impl Listings {
    pub(super) fn hold(self: &Arc<Self>) -> ListingHold {
        let mut state = lock(&self.0);
        state.holds += 1;
        ListingHold { listings: Arc::clone(self), since: Instant::now(), number: state.number }
    }

    /// Notes that a job is that of a submission. Returns `false` if it is known to be that of one already.
    pub(super) fn take(&self, id: &JobId) -> bool {
        let mut state = lock(&self.0);
        if !state.taken.insert(id.clone()) {
            return false;
        }
        state.taken_in_order.push_back(id.clone());
        if state.taken_in_order.len() > MAX_TAKEN
            && let Some(oldest) = state.taken_in_order.pop_front()
        {
            state.taken.remove(&oldest);
        }
        true
    }

    /// Notes a submission whose outcome is not known yet.
    pub(super) fn pend(self: &Arc<Self>, submitted: &Submitted) -> PendingSubmission {
        lock(&self.0).pending.push(submitted.clone());
        PendingSubmission { listings: Arc::clone(self), name: submitted.name.clone() }
    }

    /// Returns `true` if a job without a name may be that of another submission.
    pub(super) fn has_rival(&self, submitted: &Submitted) -> bool {
        lock(&self.0).pending.iter().any(|other| other.name != submitted.name && other.is_like(submitted))
    }

    /// Returns `true` if the job is known to be that of a submission.
    pub(super) fn is_taken(&self, id: &JobId) -> bool {
        lock(&self.0).taken.contains(id)
    }

    /// Returns `true` if a list that was requested at `since` or later would have to be requested, and is long.
    pub(super) fn would_be_long(&self, since: Instant) -> bool {
        let state = lock(&self.0);
        let is_there = state.last.as_ref().is_some_and(|last| last.requested >= since);
        let comes = |(_, requested, _): &(_, Instant, _)| *requested >= since;
        state.is_long && !is_there && !state.in_flight.iter().any(comes)
    }

    /// Returns `true` if the server has found a job by its name.
    pub(super) fn finds_names(&self) -> bool {
        lock(&self.0).finds_names
    }

    /// Notes that the server has found a job by its name.
    pub(super) fn found_name(&self) {
        lock(&self.0).finds_names = true;
    }

    /// Returns a list that was requested at `since` or later: the last one that was read, or that is in flight, or else
    /// a new one. A new one is requested when `pause` has passed since the one before.
    ///
    /// # Errors
    /// The errors of the request.
    pub(super) async fn requested_since<F>(
        self: &Arc<Self>,
        since: Instant,
        pause: Duration,
        request: impl Fn() -> F,
    ) -> Result<Listing>
    where
        F: Future<Output = Result<JobIndex>> + Send + 'static,
    {
        loop {
            let next = self.next(since, pause, &request);
            match next {
                Next::Read(listing) => return Ok(listing),
                Next::Await(request) => return request.await,
                // One that was requested too early: another request can begin after it.
                Next::AwaitFirst(request) => drop(request.await),
                Next::Pause(until) => sleep_until(until).await,
            }
        }
    }

    fn next<F>(self: &Arc<Self>, since: Instant, pause: Duration, request: impl Fn() -> F) -> Next
    where
        F: Future<Output = Result<JobIndex>> + Send + 'static,
    {
        let (now, runtime) = (Instant::now(), Handle::try_current().ok().map(|handle| handle.id()));
        let mut state = lock(&self.0);
        if let Some(last) = state.last.as_ref().filter(|last| last.requested >= since) {
            return Next::Read(last.clone());
        }
        state.in_flight.retain(|(_, _, request)| request.upgrade().is_some_and(|request| request.peek().is_none()));
        let ours = state.in_flight.iter().find(|(id, ..)| *id == runtime);
        if let Some((requested, request)) = ours.and_then(|(_, at, request)| Some((*at, request.upgrade()?))) {
            return if requested >= since { Next::Await(request) } else { Next::AwaitFirst(request) };
        }
        if let Some(until) = state.last_request.map(|last| last + pause).filter(|until| *until > now) {
            return Next::Pause(until);
        }
        let (listings, list) = (Arc::clone(self), request());
        let request = async move {
            let index = caught(list).await.unwrap_or_else(|| Err(panicked()))?;
            Ok(lock(&listings.0).read(index, now))
        };
        let request = request.boxed().shared();
        state.last_request = Some(now);
        state.in_flight.extend(request.downgrade().map(|request| (runtime, now, request)));
        Next::Await(request)
    }
}

/// Returns the error of a list whose request panicked.
fn panicked() -> Error {
    let text = "cannot read the list of jobs: its request panicked; the panic hook of the program has printed where";
    Error::new(ErrorKind::Protocol, text)
}

/// The next thing that a search does.
enum Next {
    Read(Listing),
    Await(Shared<ListRequest>),
    AwaitFirst(Shared<ListRequest>),
    Pause(Instant),
}

impl ListingsState {
    fn read(&mut self, index: JobIndex, requested: Instant) -> Listing {
        self.number += 1;
        self.is_long = index.len() > LONG_LIST;
        let listing = Listing { index: Arc::new(index), number: self.number, requested };
        if self.holds > 0 && self.last.as_ref().is_none_or(|last| last.requested <= requested) {
            self.last = Some(listing.clone());
        }
        listing
    }
}

impl Drop for ListingHold {
    fn drop(&mut self) {
        let mut state = lock(&self.listings.0);
        state.holds -= 1;
        if state.holds == 0 {
            state.last = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;
    use tokio::time::sleep;

    use super::*;
    use crate::Vendor;

    const SECOND: Duration = Duration::from_secs(1);

    /// A server that takes a second to send its list.
    #[derive(Default)]
    struct Server {
        requests: Arc<AtomicUsize>,
        in_flight: Arc<AtomicUsize>,
    }

    impl Server {
        fn list(&self) -> impl Future<Output = Result<JobIndex>> + Send + use<> {
            let (requests, in_flight) = (Arc::clone(&self.requests), Arc::clone(&self.in_flight));
            async move {
                requests.fetch_add(1, Ordering::SeqCst);
                assert_eq!(in_flight.fetch_add(1, Ordering::SeqCst), 0, "one list is in flight");
                sleep(SECOND).await;
                in_flight.fetch_sub(1, Ordering::SeqCst);
                Ok(serde_json::from_str("{}").unwrap())
            }
        }

        fn requests(&self) -> usize {
            self.requests.load(Ordering::SeqCst)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn searches_at_the_same_time_share_a_list_and_later_ones_request_another() {
        let (server, listings): (Server, Arc<Listings>) = Default::default();
        let start = Instant::now();
        let search = |since| listings.requested_since(since, Duration::ZERO, || server.list());
        join_all((0..100).map(|_| search(start))).await;
        assert_eq!(server.requests(), 1);
        // These came too late for the list that is in flight, and share the next one.
        let early = search(start);
        let late = async {
            sleep(SECOND / 2).await;
            join_all((0..100).map(|_| search(Instant::now()))).await
        };
        let (_, late) = futures_util::future::join(early, late).await;
        assert_eq!(server.requests(), 3);
        assert!(late.into_iter().all(|listing| listing.unwrap().number == 3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_is_kept_for_searches_one_after_the_other_as_long_as_one_holds_it() {
        let (server, listings): (Server, Arc<Listings>) = Default::default();
        let hold = listings.hold();
        for _ in 0..10 {
            let listing = listings.requested_since(hold.since, Duration::ZERO, || server.list()).await.unwrap();
            assert_eq!(listing.number, hold.number + 1);
        }
        assert_eq!(server.requests(), 1);
        let since = hold.since;
        drop(hold);
        listings.requested_since(since, Duration::ZERO, || server.list()).await.unwrap();
        assert_eq!(server.requests(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn lists_are_requested_with_a_pause_in_between() {
        let (server, listings): (Server, Arc<Listings>) = Default::default();
        let start = Instant::now();
        for _ in 0..4 {
            listings.requested_since(Instant::now(), SECOND * 5, || server.list()).await.unwrap();
        }
        assert_eq!(start.elapsed(), SECOND * 16);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_is_dropped_with_the_last_search_and_a_failure_ends_only_the_searches_that_wait() {
        let (server, listings): (Server, Arc<Listings>) = Default::default();
        let search = || listings.requested_since(Instant::now(), Duration::ZERO, || server.list());
        let dropped = tokio::time::timeout(SECOND / 2, search()).await;
        assert!(dropped.is_err());
        server.in_flight.store(0, Ordering::SeqCst);
        search().await.unwrap();
        assert_eq!(server.requests(), 2);
        let refused = || async { Err(Error::from(ErrorKind::Rejected)) };
        assert!(listings.requested_since(Instant::now(), Duration::ZERO, refused).await.is_err());
        search().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_in_the_request_is_an_error_of_every_search_that_waits_and_of_no_other() {
        fn broken() -> JobIndex {
            panic!("while the list is read")
        }
        let (server, listings): (Server, Arc<Listings>) = Default::default();
        let panics = || async {
            sleep(SECOND).await;
            Ok(broken())
        };
        let search = || listings.requested_since(Instant::now(), Duration::ZERO, panics);
        let searches = join_all((0..3).map(|_| search()));
        // This one asks later, and so waits for the end of the first list before it requests another.
        let late = async {
            sleep(SECOND / 2).await;
            listings.requested_since(Instant::now(), Duration::ZERO, || server.list()).await
        };
        let (searches, late) = futures_util::future::join(searches, late).await;
        for search in searches {
            let error = search.err().expect("the request panicked");
            assert!(error.kind() == ErrorKind::Protocol && error.to_string().contains("panicked"), "{error}");
        }
        assert!(late.is_ok());
    }

    #[test]
    fn submissions_of_like_files_are_rivals_while_they_are_under_way() {
        let listings: Arc<Listings> = Arc::default();
        let submitted = |name: &str, vendor, file: &str| Submitted {
            name: name.to_owned(),
            vendor: Some(vendor),
            files: Some(vec![file.to_owned()]),
            since: None,
        };
        let ours = submitted("a", Vendor::Oracle, "x/a.sql");
        let _ours = listings.pend(&ours);
        let _others = [
            listings.pend(&submitted("b", Vendor::MySql, "a.sql")),
            listings.pend(&submitted("c", Vendor::Oracle, "b.sql")),
        ];
        assert!(!listings.has_rival(&ours));
        let rival = listings.pend(&submitted("d", Vendor::Oracle, "y/A.sql"));
        assert!(listings.has_rival(&ours));
        drop(rival);
        assert!(!listings.has_rival(&ours));
    }

    #[test]
    fn a_job_is_taken_once_and_forgotten_after_ten_thousand_others() {
        let listings = Listings::default();
        let id = |number: usize| JobId::new(number.to_string());
        assert!(listings.take(&id(0)) && !listings.take(&id(0)));
        (1..MAX_TAKEN).for_each(|number| assert!(listings.take(&id(number))));
        assert!(listings.is_taken(&id(0)));
        assert!(listings.take(&id(MAX_TAKEN)) && !listings.is_taken(&id(0)) && listings.is_taken(&id(1)));
    }
}
