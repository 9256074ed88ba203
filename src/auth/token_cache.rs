//! The token of a client: cached, shared by all tasks, and renewed.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use serde::Deserialize;
use tokio::time::{Instant, timeout};

use super::credentials::{Credentials, Proof};
use crate::Result;
use crate::sync::lock;
use crate::wire::Secret;

/// A renewal is due this long before a token expires, or a tenth of its life before, whichever is shorter.
const RENEW_BEFORE: Duration = Duration::from_secs(300);

/// So long a renewal is waited for while the old token is still good.
const RENEWAL_PATIENCE: Duration = Duration::from_secs(10);

/// A renewal that failed is tried again after this time.
const RENEW_AGAIN: Duration = Duration::from_secs(30);

/// Who is asking, ready to be put into a request.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) user_id: String,
    pub(crate) token: Option<Secret>,
}

/// The credentials of one client with the token it holds.
#[derive(Clone)]
pub(crate) struct TokenCache {
    credentials: Credentials,
    held: Arc<Mutex<CachedToken>>,
}

/// Each change of it is one short critical section: no task holds the lock while it waits.
#[derive(Default)]
struct CachedToken {
    token: Option<Token>,
    /// The request for a token that is under way, as long as a task waits for it.
    renewal: Option<WeakShared<BoxFuture<'static, Result<Secret>>>>,
}

/// A request for a token that all tasks share that need one. Whichever of them is polled drives it, so that one that is
/// put aside holds up no other; it ends with the last of them.
type Renewal = Shared<BoxFuture<'static, Result<Secret>>>;

#[derive(Clone)]
struct Token {
    text: Secret,
    renew_at: Option<Instant>,
    expires_at: Option<Instant>,
}

impl TokenCache {
    pub(crate) fn new(credentials: Credentials) -> Self {
        Self { credentials, held: Arc::default() }
    }

    pub(crate) fn user_id(&self) -> &str {
        self.credentials.user_id()
    }

    pub(crate) fn renews(&self) -> bool {
        matches!(self.credentials.proof, Proof::SecretKey(_))
    }

    /// The secret key or token that was given, and the token that is held.
    pub(crate) fn secrets(&self) -> Vec<Secret> {
        let (Proof::SecretKey(given) | Proof::Token(given)) = &self.credentials.proof;
        let held = lock(&self.held).token.as_ref().map(|token| token.text.clone());
        held.into_iter().chain([given.clone()]).collect()
    }

    /// A token that is good for now. Tasks that need one at the same time share one request and its outcome.
    ///
    /// Dropping one of them, or all, leaves nothing behind.
    pub(crate) async fn token<F>(&self, request: impl FnOnce(String, Secret) -> F) -> Result<Secret>
    where
        F: Future<Output = Result<Secret>> + Send + 'static,
    {
        let renewal = match self.held_or_renewed(request) {
            Ok(token) => return Ok(token),
            Err(renewal) => renewal,
        };
        let Some(still_good) = lock(&self.held).alive().map(|token| token.text.clone()) else { return renewal.await };
        let renewed = timeout(RENEWAL_PATIENCE, renewal).await;
        renewed.unwrap_or_else(|_| {
            tracing::warn!("the token could not be renewed in time; the old one is still good");
            lock(&self.held).alive().into_iter().for_each(Token::postpone);
            Ok(still_good)
        })
    }

    /// The token that is good for now, or the request for one.
    fn held_or_renewed<F>(&self, request: impl FnOnce(String, Secret) -> F) -> Result<Secret, Renewal>
    where
        F: Future<Output = Result<Secret>> + Send + 'static,
    {
        let key = match &self.credentials.proof {
            Proof::Token(token) => return Ok(token.clone()),
            Proof::SecretKey(key) => key.clone(),
        };
        let mut held = lock(&self.held);
        if let Some(token) = held.token.as_ref().filter(|token| token.is_fresh()) {
            return Ok(token.text.clone());
        }
        if let Some(renewal) = held.renewal.as_ref().and_then(WeakShared::upgrade) {
            return Err(renewal);
        }
        let (request, ours) = (request(self.credentials.user_id().to_owned(), key), Arc::clone(&self.held));
        let renewal = async move {
            let outcome = request.await;
            lock(&ours).renewed(outcome)
        };
        let renewal = renewal.boxed().shared();
        held.renewal = renewal.downgrade();
        Err(renewal)
    }

    /// Drops a token that the server no longer takes, unless a newer one is held already.
    pub(crate) fn forget(&self, refused: &Secret) {
        let mut held = lock(&self.held);
        if held.token.as_ref().is_some_and(|token| token.text.expose() == refused.expose()) {
            held.token = None;
        }
    }
}

impl CachedToken {
    /// The token that its server still takes, as far as is known.
    fn alive(&mut self) -> Option<&mut Token> {
        self.token.as_mut().filter(|token| token.is_alive())
    }

    /// Takes the outcome of a request in. A token that is still good outlives a request that failed.
    fn renewed(&mut self, outcome: Result<Secret>) -> Result<Secret> {
        self.renewal = None;
        match (outcome, self.alive()) {
            (Ok(text), _) => {
                self.token = Some(Token::new(text.clone()));
                Ok(text)
            }
            (Err(error), Some(token)) => {
                tracing::warn!(%error, "the token could not be renewed; the old one is still good");
                token.postpone();
                Ok(token.text.clone())
            }
            (Err(error), None) => Err(error),
        }
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.credentials.fmt(f)
    }
}

impl Token {
    fn new(text: Secret) -> Self {
        let life = lifetime(text.expose(), SystemTime::now());
        let after = |life: Duration| Instant::now().checked_add(life);
        let renew_at = life.and_then(|life| after(life.saturating_sub(RENEW_BEFORE.min(life / 10))));
        Self { text, renew_at, expires_at: life.and_then(after) }
    }

    /// Puts the renewal off, so that not each call waits for a server that cannot renew.
    fn postpone(&mut self) {
        self.renew_at = Instant::now().checked_add(RENEW_AGAIN).min(self.expires_at);
    }

    fn is_fresh(&self) -> bool {
        self.renew_at.is_none_or(|at| Instant::now() < at)
    }

    fn is_alive(&self) -> bool {
        self.expires_at.is_none_or(|at| Instant::now() < at)
    }
}

#[derive(Deserialize)]
struct Claims {
    exp: Option<f64>,
    iat: Option<f64>,
}

/// How long a token lives from the moment it was issued. None for one without an end, or one that is no JWT. One that
/// ended before it began has no end either: servers that are set up so mean that.
///
/// Counted from `iat` where there is one, so that a local clock that is wrong does no harm.
fn lifetime(token: &str, now: SystemTime) -> Option<Duration> {
    let payload = token.split('.').nth(1)?;
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let claims: Claims = serde_json::from_slice(&payload).ok()?;
    let issued = match claims.iat {
        Some(issued) => issued,
        None => now.duration_since(UNIX_EPOCH).ok()?.as_secs_f64(),
    };
    Duration::try_from_secs_f64(claims.exp? - issued).ok().filter(|life| !life.is_zero())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::Error;

    fn jwt(claims: &str) -> String {
        format!("{}.{}.sig", URL_SAFE_NO_PAD.encode("{}"), URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn the_life_of_a_token_is_counted_from_its_issue_not_from_the_local_clock() {
        let token = jwt(r#"{"iat":1000,"exp":4600}"#);
        let far_off = UNIX_EPOCH + Duration::from_secs(9_000_000_000);
        assert_eq!(lifetime(&token, far_off), Some(Duration::from_secs(3600)));
        let token = jwt(r#"{"exp":4600}"#);
        assert_eq!(lifetime(&token, UNIX_EPOCH + Duration::from_secs(4000)), Some(Duration::from_secs(600)));
    }

    #[test]
    fn a_token_that_says_nothing_of_its_end_does_not_end() {
        for token in ["token", "", "a.b.c", "..", &jwt("{}"), &jwt("[1]"), &jwt(r#"{"exp":1e400}"#)] {
            assert_eq!(lifetime(token, SystemTime::now()), None, "{token}");
        }
        assert_eq!(lifetime(&jwt(r#"{"iat":5,"exp":1}"#), SystemTime::now()), None);
        assert_eq!(lifetime(&jwt(r#"{"iat":5,"exp":5}"#), SystemTime::now()), None);
    }

    #[tokio::test]
    async fn many_tasks_that_need_a_token_make_one_request() {
        let cache = TokenCache::new(Credentials::secret_key("u", "k"));
        let requests = Arc::new(AtomicUsize::new(0));
        let tasks = (0..50).map(|_| {
            let (cache, requests) = (cache.clone(), requests.clone());
            tokio::spawn(async move {
                let request = |_, _| async move {
                    requests.fetch_add(1, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    Ok(Secret::from("t1"))
                };
                cache.token(request).await
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            assert_eq!(task.await.unwrap().unwrap().expose(), "t1");
        }
        assert_eq!(requests.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn tasks_that_wait_share_a_refusal_and_a_later_one_asks_again() {
        let cache = TokenCache::new(Credentials::secret_key("u", "wrong"));
        let requests = Arc::new(AtomicUsize::new(0));
        let all_wait = Arc::new(tokio::sync::Barrier::new(2));
        let ask = || {
            let (requests, all_wait) = (Arc::clone(&requests), Arc::clone(&all_wait));
            cache.token(|_, _| async move {
                requests.fetch_add(1, Ordering::SeqCst);
                all_wait.wait().await;
                Err(Error::new(crate::ErrorKind::Authentication, "no"))
            })
        };
        let (a, b, c, _) = tokio::join!(biased; ask(), ask(), ask(), all_wait.wait());
        assert!(a.is_err() && b.is_err() && c.is_err());
        assert_eq!(requests.load(Ordering::SeqCst), 1);
        let (d, _) = tokio::join!(ask(), all_wait.wait());
        assert!(d.is_err());
        assert_eq!(requests.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_dropped_request_leaves_the_next_task_to_ask() {
        let cache = TokenCache::new(Credentials::secret_key("u", "k"));
        let never = cache.token(|_, _| std::future::pending());
        assert!(futures_util::FutureExt::now_or_never(never).is_none());
        let token = cache.token(|_, _| async { Ok(Secret::from("t")) }).await.unwrap();
        assert_eq!(token.expose(), "t");
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_renewed_shortly_before_it_expires() {
        let cache = TokenCache::new(Credentials::secret_key("u", "k"));
        let long = jwt(r#"{"iat":0,"exp":86400}"#);
        let ask = |text: &str| {
            let text = Secret::from(text);
            cache.token(|_, _| async move { Ok(text) })
        };
        ask(&long).await.unwrap();
        tokio::time::advance(Duration::from_secs(86_400 - 301)).await;
        assert_eq!(ask("newer").await.unwrap().expose(), long);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(ask("newer").await.unwrap().expose(), "newer");
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_that_fails_leaves_the_token_that_is_still_good() {
        let cache = TokenCache::new(Credentials::secret_key("u", "k"));
        let long = jwt(r#"{"iat":0,"exp":3600}"#);
        let text = Secret::from(long.as_str());
        cache.token(|_, _| async move { Ok(text) }).await.unwrap();
        let fails = || cache.token(|_, _| async { Err(Error::new(crate::ErrorKind::Busy, "later")) });
        tokio::time::advance(Duration::from_secs(3599)).await;
        assert_eq!(fails().await.unwrap().expose(), long);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(fails().await.unwrap_err().kind(), crate::ErrorKind::Busy);
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_that_hangs_holds_nobody_up_while_the_old_token_is_good() {
        let cache = TokenCache::new(Credentials::secret_key("u", "k"));
        let long = jwt(r#"{"iat":0,"exp":3600}"#);
        let text = Secret::from(long.as_str());
        cache.token(|_, _| async move { Ok(text) }).await.unwrap();
        tokio::time::advance(Duration::from_secs(3400)).await;
        let start = Instant::now();
        let hangs = || cache.token(|_, _| std::future::pending());
        assert_eq!(hangs().await.unwrap().expose(), long);
        assert_eq!(start.elapsed(), RENEWAL_PATIENCE);
        assert_eq!(hangs().await.unwrap().expose(), long);
        assert_eq!(start.elapsed(), RENEWAL_PATIENCE, "the renewal is not put off");
        assert!(lock(&cache.held).renewal.as_ref().and_then(WeakShared::upgrade).is_none(), "it is left behind");
    }

    #[tokio::test]
    async fn forgetting_a_refused_token_keeps_a_newer_one() {
        let cache = TokenCache::new(Credentials::secret_key("u", "k"));
        let ask = |text: &'static str| cache.token(move |_, _| async move { Ok(Secret::from(text)) });
        let first = ask("first").await.unwrap();
        cache.forget(&Secret::from("older"));
        assert_eq!(ask("second").await.unwrap().expose(), "first");
        cache.forget(&first);
        assert_eq!(ask("second").await.unwrap().expose(), "second");
    }

    /// Every order in which tasks can meet at the cache.
    ///
    /// What a task does to the cache it does in critical sections under one lock, between which it is in one of the
    /// places where these tasks give way. So the orders of their steps are all that threads can do to it.
    mod in_every_order {
        use std::cell::{Cell, RefCell};
        use std::pin::Pin;
        use std::rc::Rc;
        use std::sync::atomic::AtomicU64;
        use std::task::{Context, Poll, Waker};

        use futures_util::future::poll_fn;

        use super::*;

        /// Gives way once.
        async fn step() {
            let mut waited = false;
            poll_fn(|_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }).await;
        }

        /// A server whose tokens are numbers, of which the newest is good until it is revoked.
        #[derive(Default)]
        struct Server {
            good: AtomicU64,
            requests: AtomicUsize,
            under_way: AtomicUsize,
        }

        impl Server {
            async fn generate(self: Arc<Self>) -> Result<Secret> {
                struct UnderWay(Arc<Server>);
                impl Drop for UnderWay {
                    fn drop(&mut self) {
                        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
                    }
                }
                assert_eq!(self.under_way.fetch_add(1, Ordering::SeqCst), 0, "two requests at a time");
                let _under_way = UnderWay(Arc::clone(&self));
                self.requests.fetch_add(1, Ordering::SeqCst);
                step().await;
                Ok(Secret::from(self.good.load(Ordering::SeqCst).to_string()))
            }
        }

        /// What a call does: takes a token, uses it, and renews it once if it is refused. Tells how often it was
        /// refused.
        async fn call(cache: TokenCache, server: Arc<Server>) -> u32 {
            let mut refused = 0;
            loop {
                let request = {
                    let server = Arc::clone(&server);
                    move |_, _| server.generate()
                };
                let held = cache.held_or_renewed(request);
                step().await;
                let token = match held {
                    Ok(token) => token,
                    Err(renewal) => renewal.await.unwrap(),
                };
                step().await;
                if token.expose() == server.good.load(Ordering::SeqCst).to_string() {
                    return refused;
                }
                refused += 1;
                cache.forget(&token);
            }
        }

        type Task = Pin<Box<dyn Future<Output = ()>>>;

        /// Runs tasks in every order of their steps, and gives how many there are.
        fn explore(tasks: impl Fn() -> (Vec<Task>, Box<dyn FnOnce()>)) -> usize {
            // The choices of one run, each with how many there were to choose from.
            let mut path: Vec<(usize, usize)> = Vec::new();
            for runs in 1.. {
                let (mut running, check) = tasks();
                let mut depth = 0;
                while !running.is_empty() {
                    if depth == path.len() {
                        path.push((0, running.len()));
                    }
                    let task = path[depth].0;
                    depth += 1;
                    assert!(depth < 100, "no end");
                    if running[task].as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
                        drop(running.remove(task));
                    }
                }
                check();
                path.truncate(depth);
                while path.last().is_some_and(|(taken, of)| taken + 1 == *of) {
                    path.pop();
                }
                match path.last_mut() {
                    Some(last) => last.0 += 1,
                    None => return runs,
                }
            }
            unreachable!("the runs come to an end")
        }

        #[test]
        fn tasks_that_need_a_token_share_requests_and_end_with_a_good_one() {
            let runs = explore(|| {
                let (cache, server) = (TokenCache::new(Credentials::secret_key("u", "k")), Arc::new(Server::default()));
                let ended = Rc::new(Cell::new(0));
                let tasks = (0..3).map(|_| {
                    let (call, ended) = (call(cache.clone(), Arc::clone(&server)), Rc::clone(&ended));
                    Box::pin(async move {
                        assert_eq!(call.await, 0);
                        ended.set(ended.get() + 1);
                    }) as Task
                });
                let tasks = tasks.collect();
                (
                    tasks,
                    Box::new(move || {
                        assert_eq!((ended.get(), server.requests.load(Ordering::SeqCst)), (3, 1));
                    }),
                )
            });
            assert!(runs > 1000, "{runs}");
        }

        #[test]
        fn a_token_that_is_revoked_meanwhile_is_renewed_once_for_all() {
            let runs = explore(|| {
                let (cache, server) = (TokenCache::new(Credentials::secret_key("u", "k")), Arc::new(Server::default()));
                let refusals = Rc::new(RefCell::new(Vec::new()));
                let tasks = (0..2).map(|_| {
                    let (call, refusals) = (call(cache.clone(), Arc::clone(&server)), Rc::clone(&refusals));
                    Box::pin(async move {
                        let refused = call.await;
                        refusals.borrow_mut().push(refused);
                    }) as Task
                });
                let revoking = Arc::clone(&server);
                let revoke = Box::pin(async move {
                    revoking.good.fetch_add(1, Ordering::SeqCst);
                }) as Task;
                let tasks = tasks.chain([revoke]).collect();
                (
                    tasks,
                    Box::new(move || {
                        // One token, and one more if that was revoked.
                        assert!(server.requests.load(Ordering::SeqCst) <= 2);
                        assert!(refusals.borrow().iter().all(|refused| *refused <= 1), "renewed more than once");
                        assert_eq!(refusals.borrow().len(), 2);
                    }),
                )
            });
            assert!(runs > 1000, "{runs}");
        }

        #[test]
        fn a_task_that_is_dropped_anywhere_holds_up_no_other() {
            let runs = explore(|| {
                let (cache, server) = (TokenCache::new(Credentials::secret_key("u", "k")), Arc::new(Server::default()));
                let ended = Rc::new(Cell::new(0));
                let dropped: Rc<RefCell<Option<Task>>> = Rc::default();
                let doomed = call(cache.clone(), Arc::clone(&server));
                *dropped.borrow_mut() = Some(Box::pin(doomed.map(|_| ())));
                // One that is polled as long as it is there, one that drops it, and two that want a token.
                let polled = Rc::clone(&dropped);
                let polling = Box::pin(poll_fn(move |context| match polled.borrow_mut().as_mut() {
                    Some(task) => task.as_mut().poll(context),
                    None => Poll::Ready(()),
                })) as Task;
                let dropping = Box::pin(async move { drop(dropped.borrow_mut().take()) }) as Task;
                let wanting = {
                    let (call, ended) = (call(cache.clone(), Arc::clone(&server)), Rc::clone(&ended));
                    Box::pin(async move {
                        assert_eq!(call.await, 0);
                        ended.set(ended.get() + 1);
                    }) as Task
                };
                let tasks = vec![polling, dropping, wanting];
                (
                    tasks,
                    Box::new(move || {
                        assert_eq!((ended.get(), server.under_way.load(Ordering::SeqCst)), (1, 0));
                        assert!(server.requests.load(Ordering::SeqCst) <= 2);
                        assert_eq!(Arc::strong_count(&cache.held), 1, "something is left behind");
                    }),
                )
            });
            assert!(runs > 100, "{runs}");
        }
    }
}
