//! Secrets that a program fetches itself when they are needed, for example from a vault.

use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use crate::wire::Secret;

/// The future that [`SecretProvider::secret`] returns.
pub type SecretFuture<'a> =
    Pin<Box<dyn Future<Output = Result<UserSecret, Box<dyn StdError + Send + Sync>>> + Send + 'a>>;

/// The current secret of a user, from a [`SecretProvider`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum UserSecret {
    /// A secret key, with which the client requests a token.
    SecretKey(Secret),
    /// A token, which is sent as it is.
    Token(Secret),
}

impl UserSecret {
    /// Returns the text of either.
    pub(super) fn text(&self) -> &Secret {
        match self {
            Self::SecretKey(secret) | Self::Token(secret) => secret,
        }
    }
}

/// A source of secrets that change while the program runs, for [`Credentials::provider`](crate::Credentials::provider):
/// a vault, a file that is rotated, a service that issues tokens.
///
/// The client asks for the secret when it needs a token: before its first call, shortly before a token expires, and
/// once during a call if the server refuses the token (code 401). All tasks that need a token at the same time share
/// one request. A [secret key](UserSecret::SecretKey) is used for one request for a token and then dropped, so that
/// the next request uses the key that is valid then. A [token](UserSecret::Token) is cached until its expiry, if it is
/// a JWT that has one, and otherwise until the server refuses it.
///
/// If the provider fails, the call fails with [`Authentication`](crate::ErrorKind::Authentication), and nothing is
/// sent. The error of the provider is the source of that error. While the old token is still valid, calls use it
/// instead, and wait for the provider for at most 10 seconds. Without a valid token, a call waits as long as the
/// provider does, so give requests of the provider a timeout.
///
/// A provider that panics has failed in the same way: every call that waits for it gets an error that says so, and the
/// next call asks again.
///
/// Errors never contain a secret that the provider returned.
///
/// ```
/// use sqlflow_client::{Client, Credentials, SecretFuture, SecretProvider, UserSecret};
///
/// /// Reads the secret key from a file that another program rotates.
/// #[derive(Debug)]
/// struct KeyFile(std::path::PathBuf);
///
/// impl SecretProvider for KeyFile {
///     fn secret(&self) -> SecretFuture<'_> {
///         Box::pin(async {
///             let key = std::fs::read_to_string(&self.0)?;
///             Ok(UserSecret::SecretKey(key.trim().into()))
///         })
///     }
/// }
///
/// let credentials = Credentials::provider("auth0|5fc8", KeyFile("/run/secrets/sqlflow".into()));
/// let sqlflow = Client::builder("localhost:8165").credentials(credentials).build()?;
/// # Ok::<(), sqlflow_client::Error>(())
/// ```
pub trait SecretProvider: fmt::Debug + Send + Sync + 'static {
    /// Returns the secret that is valid now.
    fn secret(&self) -> SecretFuture<'_>;
}

impl<P: SecretProvider + ?Sized> SecretProvider for Arc<P> {
    fn secret(&self) -> SecretFuture<'_> {
        (**self).secret()
    }
}

impl<P: SecretProvider + ?Sized> SecretProvider for Box<P> {
    fn secret(&self) -> SecretFuture<'_> {
        (**self).secret()
    }
}

/// A function that returns secrets.
pub(super) struct SecretFunction<F>(pub(super) F);

impl<F, S, E> SecretProvider for SecretFunction<F>
where
    F: Fn() -> S + Send + Sync + 'static,
    S: Future<Output = Result<UserSecret, E>> + Send + 'static,
    E: Into<Box<dyn StdError + Send + Sync>>,
{
    fn secret(&self) -> SecretFuture<'_> {
        let secret = (self.0)();
        Box::pin(async { secret.await.map_err(Into::into) })
    }
}

impl<F> fmt::Debug for SecretFunction<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretFunction")
    }
}
