//! Authentication: the credentials of a user, and the cache of the token that a client gets for them.

mod credentials;
mod provider;
mod token;
mod token_cache;

pub use self::credentials::Credentials;
pub(crate) use self::credentials::variable;
pub use self::provider::{SecretFuture, SecretProvider, UserSecret};
pub(crate) use self::token_cache::{Identity, TokenCache, needs_account};
