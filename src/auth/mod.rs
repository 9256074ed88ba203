//! Authentication: the credentials of a user, and the cache of the token that a client gets for them.

mod credentials;
mod token;
mod token_cache;

pub use self::credentials::Credentials;
pub(crate) use self::credentials::variable;
pub(crate) use self::token_cache::{Identity, TokenCache};
