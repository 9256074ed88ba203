//! What proves who is asking: user id with secret key, token, or neither. Owns the cached token and its renewal.
//!
//! Nothing here prints a secret: they are kept by [`secrecy`], and leave it only for a form body.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio::time::{Instant, timeout};

use crate::{Error, Result};

/// The user of on-premise servers that ask for no account, as the vendor's own clients send it.
const ON_PREMISE_USER: &str = "gudu|0123456789";
/// What the vendor's clients send in place of a token to such servers.
const ON_PREMISE_TOKEN: &str = "token";

/// A renewal is due this long before a token expires, or a tenth of its life before, whichever is shorter.
const RENEW_BEFORE: Duration = Duration::from_secs(300);

/// So long a renewal is waited for while the old token is still good.
const RENEWAL_PATIENCE: Duration = Duration::from_secs(10);

/// A renewal that failed is tried again after this time.
const RENEW_AGAIN: Duration = Duration::from_secs(30);

/// How a client proves who it is.
///
/// | server | credentials |
/// |---|---|
/// | cloud, and on-premise servers with accounts | [`Credentials::secret_key`]: a token is asked for when needed, kept, and renewed shortly before it expires |
/// | the same, with a token from elsewhere | [`Credentials::token`]: sent as it is, never renewed |
/// | on-premise servers without accounts, or that ignore tokens | [`Credentials::on_premise`], the default |
///
/// A token is renewed shortly before it ends, and once in the middle of a call when the server refuses it (code 401).
/// All tasks that need one wait for one request. How long it lives is counted from when it was issued, so that a local
/// clock that is wrong by hours does no harm. A secret key that is refused is an error at once.
///
/// Secrets go into form bodies and nowhere else; the exceptions are the GET operations of [`api`](crate::api), four of
/// which take a token in the URL for want of a body, and one the user id.
#[derive(Clone)]
pub struct Credentials {
    user_id: String,
    proof: Proof,
}

#[derive(Clone)]
enum Proof {
    SecretKey(Secret),
    Token(Secret),
}

impl Credentials {
    /// A user id and its secret key, as the account page of SQLFlow shows them.
    pub fn secret_key(user_id: impl Into<String>, secret_key: impl Into<Secret>) -> Self {
        Self { user_id: user_id.into(), proof: Proof::SecretKey(secret_key.into()) }
    }

    /// A user id and a token that was made for it.
    pub fn token(user_id: impl Into<String>, token: impl Into<Secret>) -> Self {
        Self { user_id: user_id.into(), proof: Proof::Token(token.into()) }
    }

    /// No account: the user and the literal token that the vendor's clients send to on-premise servers.
    #[must_use]
    pub fn on_premise() -> Self {
        Self::token(ON_PREMISE_USER, ON_PREMISE_TOKEN)
    }

    /// From `SQLFLOW_USER_ID` with `SQLFLOW_SECRET_KEY` or `SQLFLOW_TOKEN`; without any of them,
    /// [`Credentials::on_premise`]. A variable that is empty counts as not set. With both a secret key and a token
    /// the key is used, since it can be renewed.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) names the variable that is missing or not Unicode.
    pub fn from_env() -> Result<Self> {
        Self::from_variables(variable)
    }

    fn from_variables(variable: impl Fn(&str) -> Result<Option<String>>) -> Result<Self> {
        let user_id = variable("SQLFLOW_USER_ID")?;
        let secret_key = variable("SQLFLOW_SECRET_KEY")?;
        let token = variable("SQLFLOW_TOKEN")?;
        match (user_id, secret_key, token) {
            (Some(user), Some(key), _) => Ok(Self::secret_key(user, key)),
            (Some(user), None, Some(token)) => Ok(Self::token(user, token)),
            (Some(_), None, None) => Err(Error::invalid(
                "SQLFLOW_USER_ID is set, but neither SQLFLOW_SECRET_KEY nor SQLFLOW_TOKEN: set one of them, or none of \
                 the three for a server without accounts",
            )),
            (None, None, None) => Ok(Self::on_premise()),
            (None, Some(_), _) => {
                Err(Error::invalid("SQLFLOW_SECRET_KEY is set but SQLFLOW_USER_ID is not: set both, or neither"))
            }
            (None, None, Some(_)) => {
                Err(Error::invalid("SQLFLOW_TOKEN is set but SQLFLOW_USER_ID is not: set both, or neither"))
            }
        }
    }

    /// The user id.
    #[must_use]
    pub fn user_id(&self) -> &str {
        &self.user_id
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.user_id.trim().is_empty() {
            return Err(Error::invalid("the user id is empty: a secret key or token belongs to one"));
        }
        match &self.proof {
            Proof::SecretKey(secret) if secret.expose().is_empty() => Err(Error::invalid(
                "the secret key is empty: use Credentials::on_premise() for a server without accounts",
            )),
            Proof::Token(token) if token.expose().is_empty() => Err(Error::invalid("the token is empty")),
            _ => Ok(()),
        }
    }
}

impl Default for Credentials {
    fn default() -> Self {
        Self::on_premise()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Credentials");
        debug.field("user_id", &self.user_id);
        match &self.proof {
            Proof::SecretKey(secret) => debug.field("secret_key", secret),
            Proof::Token(token) => debug.field("token", token),
        };
        debug.finish()
    }
}

/// The value of an environment variable; an empty one counts as not set.
pub(crate) fn variable(name: &str) -> Result<Option<String>> {
    match std::env::var(name) {
        Ok(value) if value.trim().is_empty() => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(Error::invalid(format!("{name} is not valid Unicode"))),
    }
}

/// A text that is never shown: secret key, token, password.
///
/// `Debug` writes `[REDACTED]`, and memory is wiped when it is dropped. It serializes as plain text, because that is
/// how it goes into a form: do not serialize it into anything else.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

/// Whether it is no secret at all, but the word that stands for one.
pub(crate) fn is_open(secret: &Secret) -> bool {
    secret.expose() == ON_PREMISE_TOKEN
}

/// Who is asking, ready to be put into a request.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) user_id: String,
    pub(crate) token: Option<Secret>,
}

/// The credentials of one client with the token it holds.
#[derive(Clone)]
pub(crate) struct Keyring {
    credentials: Credentials,
    held: Arc<Mutex<Held>>,
}

/// Each change of it is one short critical section: no task holds the lock while it waits.
#[derive(Default)]
struct Held {
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

impl Keyring {
    pub(crate) fn new(credentials: Credentials) -> Self {
        Self { credentials, held: Arc::default() }
    }

    pub(crate) fn user_id(&self) -> &str {
        &self.credentials.user_id
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
        let (request, ours) = (request(self.credentials.user_id.clone(), key), Arc::clone(&self.held));
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

fn lock(held: &Mutex<Held>) -> MutexGuard<'_, Held> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Held {
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

impl fmt::Debug for Keyring {
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
    use std::collections::HashMap;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn from(pairs: &[(&str, &str)]) -> Result<Credentials> {
        let pairs: HashMap<_, _> = pairs.iter().copied().collect();
        Credentials::from_variables(|name| Ok(pairs.get(name).map(|value| (*value).to_owned())))
    }

    fn jwt(claims: &str) -> String {
        format!("{}.{}.sig", URL_SAFE_NO_PAD.encode("{}"), URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn debug_shows_the_user_and_no_secret() {
        let shown = format!("{:?}", Credentials::secret_key("ann", "hush-hush"));
        assert!(shown.contains("ann") && !shown.contains("hush"), "{shown}");
        let shown = format!("{:?}", Credentials::token("ann", "hush-hush"));
        assert!(!shown.contains("hush"), "{shown}");
    }

    #[test]
    fn a_secret_key_without_a_user_id_names_the_missing_variable() {
        let error = from(&[("SQLFLOW_SECRET_KEY", "k")]).unwrap_err();
        assert!(error.to_string().contains("SQLFLOW_USER_ID"), "{error}");
        let error = from(&[("SQLFLOW_TOKEN", "t")]).unwrap_err();
        assert!(error.to_string().contains("SQLFLOW_USER_ID"), "{error}");
        let error = from(&[("SQLFLOW_USER_ID", "u")]).unwrap_err();
        assert!(error.to_string().contains("SQLFLOW_SECRET_KEY"), "{error}");
    }

    #[test]
    fn an_empty_environment_means_on_premise() {
        let credentials = from(&[]).unwrap();
        assert_eq!(credentials.user_id(), "gudu|0123456789");
        assert!(matches!(credentials.proof, Proof::Token(token) if token.expose() == "token"));
    }

    #[test]
    fn a_secret_key_is_preferred_to_a_token() {
        let all = [("SQLFLOW_USER_ID", "u"), ("SQLFLOW_SECRET_KEY", "k"), ("SQLFLOW_TOKEN", "t")];
        assert!(matches!(from(&all).unwrap().proof, Proof::SecretKey(_)));
        assert!(matches!(from(&[all[0], all[2]]).unwrap().proof, Proof::Token(_)));
    }

    #[test]
    fn an_empty_user_id_or_secret_is_refused() {
        assert!(Credentials::secret_key(" ", "k").check().is_err());
        assert!(Credentials::secret_key("u", "").check().is_err());
        assert!(Credentials::token("u", "").check().is_err());
        assert!(Credentials::on_premise().check().is_ok());
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
        let keyring = Keyring::new(Credentials::secret_key("u", "k"));
        let requests = Arc::new(AtomicUsize::new(0));
        let tasks = (0..50).map(|_| {
            let (keyring, requests) = (keyring.clone(), requests.clone());
            tokio::spawn(async move {
                let request = |_, _| async move {
                    requests.fetch_add(1, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    Ok(Secret::from("t1"))
                };
                keyring.token(request).await
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            assert_eq!(task.await.unwrap().unwrap().expose(), "t1");
        }
        assert_eq!(requests.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn tasks_that_wait_share_a_refusal_and_a_later_one_asks_again() {
        let keyring = Keyring::new(Credentials::secret_key("u", "wrong"));
        let requests = Arc::new(AtomicUsize::new(0));
        let all_wait = Arc::new(tokio::sync::Barrier::new(2));
        let ask = || {
            let (requests, all_wait) = (Arc::clone(&requests), Arc::clone(&all_wait));
            keyring.token(|_, _| async move {
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
        let keyring = Keyring::new(Credentials::secret_key("u", "k"));
        let never = keyring.token(|_, _| std::future::pending());
        assert!(futures_util::FutureExt::now_or_never(never).is_none());
        let token = keyring.token(|_, _| async { Ok(Secret::from("t")) }).await.unwrap();
        assert_eq!(token.expose(), "t");
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_renewed_shortly_before_it_expires() {
        let keyring = Keyring::new(Credentials::secret_key("u", "k"));
        let long = jwt(r#"{"iat":0,"exp":86400}"#);
        let ask = |text: &str| {
            let text = Secret::from(text);
            keyring.token(|_, _| async move { Ok(text) })
        };
        ask(&long).await.unwrap();
        tokio::time::advance(Duration::from_secs(86_400 - 301)).await;
        assert_eq!(ask("newer").await.unwrap().expose(), long);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(ask("newer").await.unwrap().expose(), "newer");
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_that_fails_leaves_the_token_that_is_still_good() {
        let keyring = Keyring::new(Credentials::secret_key("u", "k"));
        let long = jwt(r#"{"iat":0,"exp":3600}"#);
        let text = Secret::from(long.as_str());
        keyring.token(|_, _| async move { Ok(text) }).await.unwrap();
        let fails = || keyring.token(|_, _| async { Err(Error::new(crate::ErrorKind::Busy, "later")) });
        tokio::time::advance(Duration::from_secs(3599)).await;
        assert_eq!(fails().await.unwrap().expose(), long);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(fails().await.unwrap_err().kind(), crate::ErrorKind::Busy);
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_that_hangs_holds_nobody_up_while_the_old_token_is_good() {
        let keyring = Keyring::new(Credentials::secret_key("u", "k"));
        let long = jwt(r#"{"iat":0,"exp":3600}"#);
        let text = Secret::from(long.as_str());
        keyring.token(|_, _| async move { Ok(text) }).await.unwrap();
        tokio::time::advance(Duration::from_secs(3400)).await;
        let start = Instant::now();
        let hangs = || keyring.token(|_, _| std::future::pending());
        assert_eq!(hangs().await.unwrap().expose(), long);
        assert_eq!(start.elapsed(), RENEWAL_PATIENCE);
        assert_eq!(hangs().await.unwrap().expose(), long);
        assert_eq!(start.elapsed(), RENEWAL_PATIENCE, "the renewal is not put off");
        assert!(lock(&keyring.held).renewal.as_ref().and_then(WeakShared::upgrade).is_none(), "it is left behind");
    }

    #[tokio::test]
    async fn forgetting_a_refused_token_keeps_a_newer_one() {
        let keyring = Keyring::new(Credentials::secret_key("u", "k"));
        let ask = |text: &'static str| keyring.token(move |_, _| async move { Ok(Secret::from(text)) });
        let first = ask("first").await.unwrap();
        keyring.forget(&Secret::from("older"));
        assert_eq!(ask("second").await.unwrap().expose(), "first");
        keyring.forget(&first);
        assert_eq!(ask("second").await.unwrap().expose(), "second");
    }

    /// Every order in which tasks can meet at the keyring.
    ///
    /// What a task does to the keyring it does in critical sections under one lock, between which it is in one of the
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
        async fn call(keyring: Keyring, server: Arc<Server>) -> u32 {
            let mut refused = 0;
            loop {
                let request = {
                    let server = Arc::clone(&server);
                    move |_, _| server.generate()
                };
                let held = keyring.held_or_renewed(request);
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
                keyring.forget(&token);
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
                let (keyring, server) = (Keyring::new(Credentials::secret_key("u", "k")), Arc::new(Server::default()));
                let ended = Rc::new(Cell::new(0));
                let tasks = (0..3).map(|_| {
                    let (call, ended) = (call(keyring.clone(), Arc::clone(&server)), Rc::clone(&ended));
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
                let (keyring, server) = (Keyring::new(Credentials::secret_key("u", "k")), Arc::new(Server::default()));
                let refusals = Rc::new(RefCell::new(Vec::new()));
                let tasks = (0..2).map(|_| {
                    let (call, refusals) = (call(keyring.clone(), Arc::clone(&server)), Rc::clone(&refusals));
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
                let (keyring, server) = (Keyring::new(Credentials::secret_key("u", "k")), Arc::new(Server::default()));
                let ended = Rc::new(Cell::new(0));
                let dropped: Rc<RefCell<Option<Task>>> = Rc::default();
                let doomed = call(keyring.clone(), Arc::clone(&server));
                *dropped.borrow_mut() = Some(Box::pin(doomed.map(|_| ())));
                // One that is polled as long as it is there, one that drops it, and two that want a token.
                let polled = Rc::clone(&dropped);
                let polling = Box::pin(poll_fn(move |context| match polled.borrow_mut().as_mut() {
                    Some(task) => task.as_mut().poll(context),
                    None => Poll::Ready(()),
                })) as Task;
                let dropping = Box::pin(async move { drop(dropped.borrow_mut().take()) }) as Task;
                let wanting = {
                    let (call, ended) = (call(keyring.clone(), Arc::clone(&server)), Rc::clone(&ended));
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
                        assert_eq!(Arc::strong_count(&keyring.held), 1, "something is left behind");
                    }),
                )
            });
            assert!(runs > 100, "{runs}");
        }
    }
}
