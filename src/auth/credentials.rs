//! The credentials of a user.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use super::provider::{SecretFunction, SecretProvider, UserSecret};
use crate::wire::{ON_PREMISE_TOKEN, Secret};
use crate::{Error, Result};

/// The user id that the vendor's own clients send to self-hosted servers without accounts.
const ON_PREMISE_USER: &str = "gudu|0123456789";

/// The user id of a client without an account, for texts. It is never sent.
const ANONYMOUS: &str = "anonymous";

/// The credentials with which a client authenticates.
///
/// | server | credentials |
/// |---|---|
/// | the cloud, and self-hosted servers with accounts | [`Credentials::secret_key`]: the client requests a token when it needs one, caches it, and renews it shortly before it expires |
/// | the same servers, with a token that the program already has | [`Credentials::token`]: sent as it is, never renewed |
/// | the same servers, with a secret that is fetched when it is needed, or rotated | [`Credentials::provider`] or [`Credentials::from_fn`] |
/// | self-hosted servers without accounts, or that ignore tokens | [`Credentials::on_premise`], the default; [`Credentials::on_premise_as`] for another user |
/// | the cloud, without an account | [`Credentials::anonymous`], for the few operations that need none |
///
/// The client renews a token shortly before it expires, and once during a call if the server refuses it (code 401).
/// All tasks that need a token share one request. The lifetime of a token is counted from the time at which it was
/// issued, so that a local clock that is wrong by hours does no harm. If the server refuses the secret key, the call
/// fails at once.
///
/// Secrets are sent in request bodies and nowhere else. The exceptions are GET operations of [`api`](crate::api), which
/// have no request body: four of them send a token in the URL, and one the user id.
///
/// ```
/// use sqlflow_client::{Client, Credentials};
///
/// let credentials = Credentials::secret_key("auth0|5fc8", "hush-hush");
/// let sqlflow =
///     Client::builder("https://api.gudusoft.com").credentials(credentials).build()?;
/// # Ok::<(), sqlflow_client::Error>(())
/// ```
#[derive(Clone)]
pub struct Credentials {
    user_id: String,
    pub(super) proof: Proof,
}

#[derive(Clone)]
pub(super) enum Proof {
    SecretKey(Secret),
    Token(Secret),
    Provider(Arc<dyn SecretProvider>),
    Anonymous,
}

impl Credentials {
    /// Creates credentials from a user id and its secret key, which the account page of SQLFlow shows.
    pub fn secret_key(user_id: impl Into<String>, secret_key: impl Into<Secret>) -> Self {
        Self { user_id: user_id.into(), proof: Proof::SecretKey(secret_key.into()) }
    }

    /// Creates credentials from a user id and a token that was generated for it.
    pub fn token(user_id: impl Into<String>, token: impl Into<Secret>) -> Self {
        Self { user_id: user_id.into(), proof: Proof::Token(token.into()) }
    }

    /// Creates credentials without an account: the user id and the literal token that the vendor's clients send to
    /// self-hosted servers.
    #[must_use]
    pub fn on_premise() -> Self {
        Self::on_premise_as(ON_PREMISE_USER)
    }

    /// Creates credentials without an account for another user than the default of [`on_premise`](Self::on_premise).
    ///
    /// Self-hosted servers that ignore tokens still keep the jobs of each user id apart.
    ///
    /// ```
    /// use sqlflow_client::Credentials;
    ///
    /// assert_eq!(Credentials::on_premise_as("etl").user_id(), "etl");
    /// ```
    pub fn on_premise_as(user_id: impl Into<String>) -> Self {
        Self::token(user_id, ON_PREMISE_TOKEN)
    }

    /// Creates credentials from a user id and a provider of its current secret, which the client asks when it needs a
    /// token: see [`SecretProvider`].
    pub fn provider(user_id: impl Into<String>, provider: impl SecretProvider) -> Self {
        Self { user_id: user_id.into(), proof: Proof::Provider(Arc::new(provider)) }
    }

    /// Creates credentials from a user id and a function that returns its current secret, like
    /// [`provider`](Self::provider).
    ///
    /// ```
    /// use sqlflow_client::{Client, Credentials, UserSecret};
    ///
    /// let file = std::sync::Arc::new(std::path::PathBuf::from("/run/secrets/sqlflow-token"));
    /// let credentials = Credentials::from_fn("auth0|5fc8", move || {
    ///     let file = file.clone(); // The future must own what it uses.
    ///     async move {
    ///         let token = std::fs::read_to_string(&*file)?;
    ///         Ok::<_, std::io::Error>(UserSecret::Token(token.trim().into()))
    ///     }
    /// });
    /// let sqlflow = Client::builder("localhost:8165").credentials(credentials).build()?;
    /// # Ok::<(), sqlflow_client::Error>(())
    /// ```
    pub fn from_fn<F, S, E>(user_id: impl Into<String>, secret: F) -> Self
    where
        F: Fn() -> S + Send + Sync + 'static,
        S: Future<Output = Result<UserSecret, E>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>> + 'static,
    {
        Self::provider(user_id, SecretFunction(secret))
    }

    /// Creates credentials for a client without an account, like [`Client::anonymous`](crate::Client::anonymous).
    ///
    /// Operations that need a user id or a token fail before anything is sent, with
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput).
    #[must_use]
    pub fn anonymous() -> Self {
        Self { user_id: ANONYMOUS.to_owned(), proof: Proof::Anonymous }
    }

    /// Returns `true` if the credentials are those of a client without an account.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        matches!(self.proof, Proof::Anonymous)
    }

    /// Reads credentials from the environment: `SQLFLOW_USER_ID` with `SQLFLOW_SECRET_KEY` or `SQLFLOW_TOKEN`.
    ///
    /// Without any of these variables, it returns [`Credentials::on_premise`]. An empty variable counts as not set. If
    /// there is both a secret key and a token, the key is used, since the client can renew a token with it.
    ///
    /// # Errors
    /// Returns [`InvalidInput`](crate::ErrorKind::InvalidInput) with the name of the variable that is missing or not
    /// Unicode.
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

    /// Returns the user id. It is `anonymous` without an account, and is not sent then.
    #[must_use]
    pub fn user_id(&self) -> &str {
        &self.user_id
    }

    /// Checks that neither the user id nor the secret is empty.
    pub(crate) fn check(&self) -> Result<()> {
        if self.user_id.trim().is_empty() {
            return Err(Error::invalid("the user id is empty: set the one that the secret key or token belongs to"));
        }
        match &self.proof {
            Proof::SecretKey(secret) if secret.expose().is_empty() => Err(Error::invalid(
                "the secret key is empty: use Credentials::on_premise() for a server without accounts",
            )),
            Proof::Token(token) if token.expose().is_empty() => {
                Err(Error::invalid("the token is empty: use Credentials::on_premise() for a server without accounts"))
            }
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
            Proof::Provider(provider) => debug.field("provider", provider),
            Proof::Anonymous => &mut debug,
        };
        debug.finish()
    }
}

/// Returns the value of an environment variable. An empty one counts as not set.
pub(crate) fn variable(name: &str) -> Result<Option<String>> {
    match std::env::var(name) {
        Ok(value) if value.trim().is_empty() => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(Error::invalid(format!("{name} is not valid Unicode"))),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn from(pairs: &[(&str, &str)]) -> Result<Credentials> {
        let pairs: HashMap<_, _> = pairs.iter().copied().collect();
        Credentials::from_variables(|name| Ok(pairs.get(name).map(|value| (*value).to_owned())))
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
    fn without_variables_the_credentials_are_those_for_servers_without_accounts() {
        let credentials = from(&[]).unwrap();
        assert_eq!(credentials.user_id(), "gudu|0123456789");
        assert!(matches!(credentials.proof, Proof::Token(token) if token.expose() == "token"));
    }

    #[test]
    fn the_environment_prefers_a_secret_key_to_a_token() {
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
}
