//! The credentials of a user.

use std::fmt;

use crate::wire::{ON_PREMISE_TOKEN, Secret};
use crate::{Error, Result};

/// The user of on-premise servers that ask for no account, as the vendor's own clients send it.
const ON_PREMISE_USER: &str = "gudu|0123456789";

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
/// Redactor go into form bodies and nowhere else; the exceptions are the GET operations of [`api`](crate::api), four of
/// which take a token in the URL for want of a body, and one the user id.
#[derive(Clone)]
pub struct Credentials {
    user_id: String,
    pub(super) proof: Proof,
}

#[derive(Clone)]
pub(super) enum Proof {
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
}
