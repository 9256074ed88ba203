//! What proves who is asking: user id with secret key, token, or neither. Owns the cached token and its renewal.
//!
//! Nothing here prints a secret: they are kept by [`secrecy`], and leave it only for a form body.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::{Error, Result};

/// The user of on-premise servers that ask for no account, as the vendor's own clients send it.
const ON_PREMISE_USER: &str = "gudu|0123456789";
/// What the vendor's clients send in place of a token to such servers.
const ON_PREMISE_TOKEN: &str = "token";

/// A renewal is due this long before a token expires, or a tenth of its life before, whichever is shorter.
const RENEW_BEFORE: Duration = Duration::from_secs(300);

/// How a client proves who it is.
///
/// | server | credentials |
/// |---|---|
/// | cloud, and on-premise servers with accounts | [`Credentials::secret_key`]: a token is asked for when needed, kept, and renewed shortly before it expires |
/// | the same, with a token from elsewhere | [`Credentials::token`]: sent as it is, never renewed |
/// | on-premise servers without accounts, or that ignore tokens | [`Credentials::on_premise`], the default |
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
    held: Arc<Held>,
}

#[derive(Default)]
struct Held {
    /// How the last request for a token ended. Locked while one is under way.
    last: Mutex<Option<Result<Token>>>,
    /// How many requests for a token have ended.
    ended: AtomicU64,
}

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

    /// A token that is good for now. Tasks that need one at the same time share one request and its outcome.
    ///
    /// Dropping the future that makes the request leaves the next one to make it anew.
    pub(crate) async fn token<F>(&self, request: impl FnOnce(String, Secret) -> F) -> Result<Secret>
    where
        F: Future<Output = Result<Secret>>,
    {
        let key = match &self.credentials.proof {
            Proof::Token(token) => return Ok(token.clone()),
            Proof::SecretKey(key) => key.clone(),
        };
        let ended_before = self.held.ended.load(Ordering::SeqCst);
        let mut last = self.held.last.lock().await;
        let ended = self.held.ended.load(Ordering::SeqCst);
        match &*last {
            Some(Ok(token)) if token.is_fresh() => return Ok(token.text.clone()),
            // A request ended while this task stood in line: its outcome is this one's too.
            Some(outcome) if ended > ended_before => return outcome.clone().map(|token| token.text),
            _ => {}
        }
        let held = last.as_ref().and_then(|outcome| outcome.as_ref().ok());
        let outcome = match (request(self.credentials.user_id.clone(), key).await, held) {
            (Ok(text), _) => Ok(Token::new(text)),
            (Err(error), Some(held)) if held.is_alive() => {
                tracing::warn!(%error, "the token could not be renewed; the old one is still good");
                return Ok(held.text.clone());
            }
            (Err(error), _) => Err(error),
        };
        *last = Some(outcome.clone());
        self.held.ended.fetch_add(1, Ordering::SeqCst);
        outcome.map(|token| token.text)
    }

    /// Drops a token that the server no longer takes, unless a newer one is held already.
    pub(crate) async fn forget(&self, refused: &Secret) {
        let mut last = self.held.last.lock().await;
        if matches!(&*last, Some(Ok(token)) if token.text.expose() == refused.expose()) {
            *last = None;
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
    use std::sync::atomic::AtomicUsize;

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
        let requests = AtomicUsize::new(0);
        let ask = || {
            keyring.token(|_, _| async {
                requests.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                Err(Error::new(crate::ErrorKind::Authentication, "no"))
            })
        };
        let (a, b, c) = tokio::join!(ask(), ask(), ask());
        assert!(a.is_err() && b.is_err() && c.is_err());
        assert_eq!(requests.load(Ordering::SeqCst), 1);
        assert!(ask().await.is_err());
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
            keyring.token(|_, _| async { Ok(text) })
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
        keyring.token(|_, _| async { Ok(text) }).await.unwrap();
        let fails = || keyring.token(|_, _| async { Err(Error::new(crate::ErrorKind::Busy, "later")) });
        tokio::time::advance(Duration::from_secs(3599)).await;
        assert_eq!(fails().await.unwrap().expose(), long);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(fails().await.unwrap_err().kind(), crate::ErrorKind::Busy);
    }

    #[tokio::test]
    async fn forgetting_a_refused_token_keeps_a_newer_one() {
        let keyring = Keyring::new(Credentials::secret_key("u", "k"));
        let ask = |text: &'static str| keyring.token(move |_, _| async move { Ok(Secret::from(text)) });
        let first = ask("first").await.unwrap();
        keyring.forget(&Secret::from("older")).await;
        assert_eq!(ask("second").await.unwrap().expose(), "first");
        keyring.forget(&first).await;
        assert_eq!(ask("second").await.unwrap().expose(), "second");
    }
}
