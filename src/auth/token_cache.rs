//! The cache of a client's token, which all tasks share and which renews the token.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{self, BoxFuture, Shared, WeakShared};
use tokio::runtime::{self, Handle};
use tokio::time::timeout;

use super::credentials::{Credentials, Proof};
use super::provider::{SecretProvider, UserSecret};
use super::token::CachedToken;
use crate::sync::{self, lock};
use crate::wire::{KnownSecrets, Secret};
use crate::{Error, ErrorKind, Result};

/// The maximum time for which a call waits for a renewal while the old token is still valid.
const RENEWAL_TIMEOUT: Duration = Duration::from_secs(10);

/// The user id and the token that are added to a request.
#[derive(Debug, Clone)]
pub(crate) struct Identity<'a> {
    pub(crate) user_id: &'a str,
    pub(crate) token: Option<Secret>,
}

/// The credentials of a client, and the token that it got for them.
#[derive(Clone)]
pub(crate) struct TokenCache {
    credentials: Credentials,
    state: Arc<Mutex<CacheState>>,
    /// The secrets that no text of the client shows.
    known: Arc<KnownSecrets>,
}

/// The state that all clones of a cache share.
///
/// Each change of it is one short critical section: no task holds the lock while it waits.
#[derive(Default)]
struct CacheState {
    token: Option<CachedToken>,
    /// The requests for a token that are in flight, as long as a task waits for them: one for each runtime. A task must
    /// not wait for a request of another runtime, since its timers and connections stop when that runtime ends.
    renewals: HashMap<Option<runtime::Id>, WeakShared<BoxFuture<'static, Result<Secret>>>>,
}

/// A request for a token, shared by all tasks that need one. Each task that is polled drives the request, so that a
/// task that is no longer polled does not block the others. The request is dropped with the last of the tasks.
type Renewal = Shared<BoxFuture<'static, Result<Secret>>>;

impl TokenCache {
    pub(crate) fn new(credentials: Credentials) -> Self {
        Self::knowing(credentials, Arc::default())
    }

    /// Creates a cache of a client that knows secrets already.
    pub(crate) fn knowing(credentials: Credentials, known: Arc<KnownSecrets>) -> Self {
        if let Proof::SecretKey(given) | Proof::Token(given) = &credentials.proof {
            known.keep([given.clone()]);
        }
        Self { credentials, state: Arc::default(), known }
    }

    /// Returns the secrets that no text of the client shows.
    pub(crate) fn known_secrets(&self) -> &Arc<KnownSecrets> {
        &self.known
    }

    /// Returns the user id of the credentials.
    pub(crate) fn user_id(&self) -> &str {
        self.credentials.user_id()
    }

    /// Returns `true` if there is no account.
    pub(crate) fn is_anonymous(&self) -> bool {
        self.credentials.is_anonymous()
    }

    /// Returns `true` if the credentials can be used to renew the token.
    pub(crate) fn renews(&self) -> bool {
        matches!(self.credentials.proof, Proof::SecretKey(_) | Proof::Provider(_))
    }

    /// Returns a valid token. Tasks that need one at the same time share one request and its result.
    ///
    /// Dropping the future of one task, or of all, leaves nothing behind.
    pub(crate) async fn token<F>(&self, request: impl FnOnce(String, Secret) -> F + Send + 'static) -> Result<Secret>
    where
        F: Future<Output = Result<Secret>> + Send + 'static,
    {
        let renewal = match self.token_or_renewal(request) {
            Ok(token) => return Ok(token),
            Err(renewal) => renewal,
        };
        let Some(old) = lock(&self.state).valid_token().map(|token| token.text.clone()) else { return renewal.await };
        let renewed = timeout(RENEWAL_TIMEOUT, renewal).await;
        renewed.unwrap_or_else(|_| {
            tracing::warn!(
                target: "sqlflow_client::auth",
                "the token could not be renewed in time; the old one is still valid"
            );
            lock(&self.state).valid_token().into_iter().for_each(CachedToken::postpone);
            Ok(old)
        })
    }

    /// Returns the cached token if no renewal is due, or else the request for a new one.
    fn token_or_renewal<F>(&self, request: impl FnOnce(String, Secret) -> F + Send + 'static) -> Result<Secret, Renewal>
    where
        F: Future<Output = Result<Secret>> + Send + 'static,
    {
        if let Proof::Token(token) = &self.credentials.proof {
            return Ok(token.clone());
        }
        let mut state = lock(&self.state);
        if let Some(token) = state.token.as_ref().filter(|token| token.is_fresh()) {
            return Ok(token.text.clone());
        }
        let runtime = Handle::try_current().ok().map(|handle| handle.id());
        if let Some(renewal) = state.renewals.get(&runtime).and_then(WeakShared::upgrade) {
            return Err(renewal);
        }
        let (user_id, shared) = (self.credentials.user_id().to_owned(), Arc::clone(&self.state));
        let renewal = match &self.credentials.proof {
            Proof::SecretKey(key) => {
                let request = request(user_id.clone(), key.clone());
                async move {
                    let result = caught(&user_id, "the request for it", request).await.map(CachedToken::new);
                    lock(&shared).finish_renewal(runtime, result)
                }
                .boxed()
            }
            Proof::Provider(provider) => {
                let (provider, known) = (Arc::clone(provider), Arc::clone(&self.known));
                async move {
                    let asking = ask(&*provider, &user_id, &known);
                    let result = match caught(&user_id, "its provider", asking).await {
                        Ok(UserSecret::SecretKey(key)) => {
                            let request = request(user_id.clone(), key);
                            caught(&user_id, "the request for it", request).await.map(CachedToken::new)
                        }
                        Ok(UserSecret::Token(token)) => Ok(CachedToken::provided(token)),
                        Err(error) => Err(error),
                    };
                    lock(&shared).finish_renewal(runtime, result)
                }
                .boxed()
            }
            Proof::Token(_) | Proof::Anonymous => future::ready(Err(needs_account("the request"))).boxed(),
        };
        let renewal = renewal.shared();
        state.renewals.retain(|_, renewal| renewal.upgrade().is_some());
        state.renewals.extend(renewal.downgrade().map(|renewal| (runtime, renewal)));
        Err(renewal)
    }

    /// Removes a token that the server refused, unless a newer one is already cached.
    pub(crate) fn forget(&self, refused: &Secret) {
        let mut state = lock(&self.state);
        if state.token.as_ref().is_some_and(|token| token.text.expose() == refused.expose()) {
            state.token = None;
        }
    }
}

/// Turns a panic of a part of a renewal into an error, because all tasks that need a token wait for one renewal.
async fn caught<T>(user_id: &str, part: &str, future: impl Future<Output = Result<T>>) -> Result<T> {
    sync::caught(future).await.unwrap_or_else(|| {
        let text = format!(
            "cannot get the token of user {user_id}: {part} panicked; the panic hook of the program has printed where"
        );
        Err(Error::new(ErrorKind::Authentication, text))
    })
}

/// Asks a provider for the secret of a user.
async fn ask(provider: &dyn SecretProvider, user_id: &str, known: &KnownSecrets) -> Result<UserSecret> {
    let failed = |text: &dyn fmt::Display| {
        Error::new(ErrorKind::Authentication, format!("cannot get the secret of user {user_id}: {text}"))
    };
    let secret = provider.secret().await.map_err(|error| {
        let failure = failed(&error).caused_by_box(error);
        known.redactor().redact_error(failure)
    })?;
    if secret.text().expose().is_empty() {
        return Err(failed(&"the provider returned an empty one"));
    }
    known.remember([secret.text().clone()]);
    Ok(secret)
}

/// Returns the error of an operation that an anonymous client cannot call.
pub(crate) fn needs_account(operation: impl fmt::Display) -> Error {
    Error::invalid(format!(
        "{operation} needs an account, and this client is anonymous: set Credentials in the client builder"
    ))
}

impl CacheState {
    /// Returns the cached token if it has not expired.
    fn valid_token(&mut self) -> Option<&mut CachedToken> {
        self.token.as_mut().filter(|token| token.is_valid())
    }

    /// Stores the result of a request for a token. If the request failed, the old token is kept while it is valid.
    fn finish_renewal(&mut self, runtime: Option<runtime::Id>, result: Result<CachedToken>) -> Result<Secret> {
        self.renewals.remove(&runtime);
        match (result, self.valid_token()) {
            // The provider has no newer token yet.
            (Ok(new), Some(token)) if new.text.expose() == token.text.expose() => {
                token.postpone();
                Ok(new.text)
            }
            (Ok(new), _) => {
                let text = new.text.clone();
                self.token = Some(new);
                Ok(text)
            }
            (Err(error), Some(token)) => {
                tracing::warn!(
                    target: "sqlflow_client::auth",
                    %error,
                    "the token could not be renewed; the old one is still valid"
                );
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

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Poll;

    use tokio::time::Instant;

    use super::super::token::jwt;
    use super::*;

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
    async fn waiting_tasks_share_a_refusal_and_a_later_task_makes_another_request() {
        let cache = TokenCache::new(Credentials::secret_key("u", "wrong"));
        let requests = Arc::new(AtomicUsize::new(0));
        let all_wait = Arc::new(tokio::sync::Barrier::new(2));
        let request = || {
            let (requests, all_wait) = (Arc::clone(&requests), Arc::clone(&all_wait));
            cache.token(|_, _| async move {
                requests.fetch_add(1, Ordering::SeqCst);
                all_wait.wait().await;
                Err(Error::new(crate::ErrorKind::Authentication, "no"))
            })
        };
        let (a, b, c, _) = tokio::join!(biased; request(), request(), request(), all_wait.wait());
        assert!(a.is_err() && b.is_err() && c.is_err());
        assert_eq!(requests.load(Ordering::SeqCst), 1);
        let (d, _) = tokio::join!(request(), all_wait.wait());
        assert!(d.is_err());
        assert_eq!(requests.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn after_a_dropped_request_the_next_task_makes_another() {
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
        let request = |text: &str| {
            let text = Secret::from(text);
            cache.token(|_, _| async move { Ok(text) })
        };
        request(&long).await.unwrap();
        tokio::time::advance(Duration::from_secs(86_400 - 301)).await;
        assert_eq!(request("newer").await.unwrap().expose(), long);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(request("newer").await.unwrap().expose(), "newer");
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_renewal_keeps_a_token_that_is_still_valid() {
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
    async fn a_renewal_that_hangs_blocks_no_call_while_the_old_token_is_valid() {
        let cache = TokenCache::new(Credentials::secret_key("u", "k"));
        let long = jwt(r#"{"iat":0,"exp":3600}"#);
        let text = Secret::from(long.as_str());
        cache.token(|_, _| async move { Ok(text) }).await.unwrap();
        tokio::time::advance(Duration::from_secs(3400)).await;
        let start = Instant::now();
        let hangs = || cache.token(|_, _| std::future::pending());
        assert_eq!(hangs().await.unwrap().expose(), long);
        assert_eq!(start.elapsed(), RENEWAL_TIMEOUT);
        assert_eq!(hangs().await.unwrap().expose(), long);
        assert_eq!(start.elapsed(), RENEWAL_TIMEOUT, "the renewal is not postponed");
        assert!(
            lock(&cache.state).renewals.values().all(|renewal| renewal.upgrade().is_none()),
            "the renewal is left behind"
        );
    }

    /// Returns a provider that returns `token` at first, and then what `next` returns, and the number of requests to it.
    fn provider<S>(token: &str, next: impl Fn() -> S + Send + Sync + 'static) -> (TokenCache, Arc<AtomicUsize>)
    where
        S: Future<Output = UserSecret> + Send + 'static,
    {
        let (token, asked) = (UserSecret::Token(token.into()), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&asked);
        let secret = move || {
            let is_first = counted.fetch_add(1, Ordering::SeqCst) == 0;
            let (token, next) = (token.clone(), next());
            async move { Ok::<_, std::convert::Infallible>(if is_first { token } else { next.await }) }
        };
        (TokenCache::new(Credentials::from_fn("u", secret)), asked)
    }

    /// Returns a token that is valid for an hour from now.
    fn hourly() -> String {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        jwt(&format!(r#"{{"iat":{now},"exp":{}}}"#, now + 3600))
    }

    /// Gets the token of a cache whose provider returns tokens.
    async fn provided(cache: &TokenCache) -> String {
        let token = cache.token(|_, _| async { Err(Error::invalid("no token is requested from the server")) });
        token.await.unwrap().expose().to_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn a_provider_that_hangs_blocks_no_call_while_the_old_token_is_valid() {
        let token = hourly();
        let (cache, _) = provider(&token, std::future::pending);
        assert_eq!(provided(&cache).await, token);
        tokio::time::advance(Duration::from_secs(3400)).await;
        let start = Instant::now();
        assert_eq!(provided(&cache).await, token);
        assert_eq!(provided(&cache).await, token);
        assert_eq!(start.elapsed(), RENEWAL_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_provided_token_is_replaced_before_it_expires_and_a_provider_without_a_newer_one_is_not_asked_each_time()
    {
        let token = hourly();
        let same = token.clone();
        let (cache, asked) = provider(&token, move || {
            let same = UserSecret::Token(same.as_str().into());
            async { same }
        });
        for _ in 0..3 {
            assert_eq!(provided(&cache).await, token);
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        tokio::time::advance(Duration::from_secs(3400)).await;
        for _ in 0..3 {
            assert_eq!(provided(&cache).await, token);
        }
        assert_eq!(asked.load(Ordering::SeqCst), 2);
        let (cache, _) = provider(&token, || async { UserSecret::Token("newer".into()) });
        assert_eq!(provided(&cache).await, token);
        tokio::time::advance(Duration::from_secs(3400)).await;
        assert_eq!(provided(&cache).await, "newer");
    }

    #[tokio::test]
    async fn the_latest_secrets_of_a_provider_are_known() {
        let number = Arc::new(AtomicUsize::new(0));
        let (cache, _) = provider("hush-0", move || {
            let number = number.fetch_add(1, Ordering::SeqCst);
            async move { UserSecret::Token(format!("hush-{number}").as_str().into()) }
        });
        for _ in 0..40 {
            let token = provided(&cache).await;
            cache.forget(&Secret::from(token));
        }
        let secrets = cache.known_secrets().redactor();
        assert_eq!(secrets.redact("hush-39, hush-38, hush-x"), "[REDACTED], [REDACTED], hush-x");
    }

    #[tokio::test]
    async fn forgetting_a_refused_token_keeps_a_newer_one() {
        let cache = TokenCache::new(Credentials::secret_key("u", "k"));
        let request = |text: &'static str| cache.token(move |_, _| async move { Ok(Secret::from(text)) });
        let first = request("first").await.unwrap();
        cache.forget(&Secret::from("older"));
        assert_eq!(request("second").await.unwrap().expose(), "first");
        cache.forget(&first);
        assert_eq!(request("second").await.unwrap().expose(), "second");
    }

    /// Tests that run tasks in every order in which they can use the cache.
    ///
    /// A task changes the cache only in critical sections under one lock. Between two of them it is at one of the
    /// points where these tasks yield. The orders of their steps therefore cover everything that threads can do to the cache.
    mod in_every_order {
        use std::cell::{Cell, RefCell};
        use std::pin::Pin;
        use std::rc::Rc;
        use std::sync::atomic::AtomicU64;
        use std::task::{Context, Poll, Waker};

        use futures_util::future::poll_fn;

        use super::*;

        /// Yields once.
        async fn step() {
            let mut waited = false;
            poll_fn(|_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }).await;
        }

        /// A server whose tokens are numbers. The newest is valid until it is revoked.
        #[derive(Default)]
        struct TokenServer {
            valid: AtomicU64,
            requests: AtomicUsize,
            in_flight: AtomicUsize,
        }

        impl TokenServer {
            async fn generate(self: Arc<Self>) -> Result<Secret> {
                struct InFlight(Arc<TokenServer>);
                impl Drop for InFlight {
                    fn drop(&mut self) {
                        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
                    }
                }
                assert_eq!(self.in_flight.fetch_add(1, Ordering::SeqCst), 0, "two requests are in flight");
                let _in_flight = InFlight(Arc::clone(&self));
                self.requests.fetch_add(1, Ordering::SeqCst);
                step().await;
                Ok(Secret::from(self.valid.load(Ordering::SeqCst).to_string()))
            }
        }

        /// Does what a call does: gets a token, uses it, and renews it if the server refuses it. Returns the number of
        /// refusals.
        async fn call(cache: TokenCache, server: Arc<TokenServer>) -> u32 {
            let mut refused = 0;
            loop {
                let request = {
                    let server = Arc::clone(&server);
                    move |_, _| server.generate()
                };
                let found = cache.token_or_renewal(request);
                step().await;
                let token = match found {
                    Ok(token) => token,
                    Err(renewal) => renewal.await.unwrap(),
                };
                step().await;
                if token.expose() == server.valid.load(Ordering::SeqCst).to_string() {
                    return refused;
                }
                refused += 1;
                cache.forget(&token);
            }
        }

        type Task = Pin<Box<dyn Future<Output = ()>>>;

        /// Runs tasks in every order of their steps, and returns the number of orders.
        fn explore(tasks: impl Fn() -> (Vec<Task>, Box<dyn FnOnce()>)) -> usize {
            // The choices of one run, each with the number of tasks to choose from.
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
                    assert!(depth < 100, "the run does not end");
                    if running[task].as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
                        drop(running.remove(task));
                    }
                }
                check();
                path.truncate(depth);
                while path.last().is_some_and(|(choice, choices)| choice + 1 == *choices) {
                    path.pop();
                }
                match path.last_mut() {
                    Some(last) => last.0 += 1,
                    None => return runs,
                }
            }
            unreachable!("the number of runs is finite")
        }

        #[test]
        fn tasks_that_need_a_token_share_one_request_and_get_a_valid_token() {
            let runs = explore(|| {
                let (cache, server) =
                    (TokenCache::new(Credentials::secret_key("u", "k")), Arc::new(TokenServer::default()));
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
        fn a_token_that_is_revoked_during_calls_is_renewed_once_for_all_of_them() {
            let runs = explore(|| {
                let (cache, server) =
                    (TokenCache::new(Credentials::secret_key("u", "k")), Arc::new(TokenServer::default()));
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
                    revoking.valid.fetch_add(1, Ordering::SeqCst);
                }) as Task;
                let tasks = tasks.chain([revoke]).collect();
                (
                    tasks,
                    Box::new(move || {
                        // One token, and a second one if the first was revoked.
                        assert!(server.requests.load(Ordering::SeqCst) <= 2);
                        assert!(refusals.borrow().iter().all(|refused| *refused <= 1), "renewed more than once");
                        assert_eq!(refusals.borrow().len(), 2);
                    }),
                )
            });
            assert!(runs > 1000, "{runs}");
        }

        #[test]
        fn a_task_that_is_dropped_at_any_point_blocks_no_other() {
            let runs = explore(|| {
                let (cache, server) =
                    (TokenCache::new(Credentials::secret_key("u", "k")), Arc::new(TokenServer::default()));
                let ended = Rc::new(Cell::new(0));
                let dropped: Rc<RefCell<Option<Task>>> = Rc::default();
                let doomed = call(cache.clone(), Arc::clone(&server));
                *dropped.borrow_mut() = Some(Box::pin(doomed.map(|_| ())));
                // A task that is polled until it is dropped, one that drops it, and one that needs a token.
                let polled = Rc::clone(&dropped);
                let polling = Box::pin(poll_fn(move |context| match polled.borrow_mut().as_mut() {
                    Some(task) => task.as_mut().poll(context),
                    None => Poll::Ready(()),
                })) as Task;
                let dropping = Box::pin(async move { drop(dropped.borrow_mut().take()) }) as Task;
                let waiting = {
                    let (call, ended) = (call(cache.clone(), Arc::clone(&server)), Rc::clone(&ended));
                    Box::pin(async move {
                        assert_eq!(call.await, 0);
                        ended.set(ended.get() + 1);
                    }) as Task
                };
                let tasks = vec![polling, dropping, waiting];
                (
                    tasks,
                    Box::new(move || {
                        assert_eq!((ended.get(), server.in_flight.load(Ordering::SeqCst)), (1, 0));
                        assert!(server.requests.load(Ordering::SeqCst) <= 2);
                        assert_eq!(Arc::strong_count(&cache.state), 1, "something is left behind");
                    }),
                )
            });
            assert!(runs > 100, "{runs}");
        }
    }

    #[test]
    fn a_task_does_not_wait_for_the_request_of_another_runtime() {
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (one, other) = (runtime(), runtime());
        let cache = TokenCache::new(Credentials::secret_key("u", "k"));
        // A request that waits for a timer of a runtime that nobody drives any more.
        let mut stuck = Box::pin(cache.token(|_, _| async {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            Ok(Secret::from("never"))
        }));
        one.block_on(poll_fn(|context| {
            assert!(stuck.as_mut().poll(context).is_pending());
            Poll::Ready(())
        }));
        let token = other.block_on(async {
            let token = cache.token(|_, _| async { Ok(Secret::from("t")) });
            timeout(Duration::from_secs(30), token).await.expect("it waits for the other runtime")
        });
        assert_eq!(token.unwrap().expose(), "t");
        drop(one);
        drop(stuck);
        assert!(lock(&cache.state).renewals.values().all(|renewal| renewal.upgrade().is_none()));
    }
}
