//! Accounts, the tokens they are issued, and the check of both. Owns the signing key.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use uuid::Uuid;

use super::clock;
use super::envelope::Failure;

/// The user of an on-premise server that needs no secret key, and the token it sends.
const ON_PREMISE_USER: &str = "gudu|0123456789";
const ON_PREMISE_TOKEN: &str = "token";

/// The accounts of a server.
pub(super) struct Accounts {
    required: Option<(String, String)>,
    lifetime: Duration,
    key: Mutex<SigningKey>,
}

/// As long as a block of the hash; HMAC would pad a shorter key with zeros.
type SigningKey = [u8; 64];

impl Accounts {
    pub(super) fn new(required: Option<(String, String)>, lifetime: Duration) -> Self {
        Self { required, lifetime, key: Mutex::new(new_key()) }
    }

    /// Invalidates every token issued so far.
    pub(super) fn expire(&self) {
        *self.key.lock().unwrap_or_else(PoisonError::into_inner) = new_key();
    }

    /// Issues a token to the holder of the secret key.
    pub(super) fn issue(&self, user: &str, secret_key: &str, now: SystemTime) -> Result<String, Failure> {
        if user.is_empty() || secret_key.is_empty() || !self.owns(user, secret_key) {
            return Err(Failure::denied().with_textual_code());
        }
        let issued = clock::seconds_since_epoch(now);
        let mut claims = json!({ "sub": user, "iat": issued });
        if !self.lifetime.is_zero() {
            claims["exp"] = json!(issued.saturating_add(self.lifetime.as_secs()));
        }
        Ok(self.sign(&claims))
    }

    /// Fails unless the token was issued to this user and is still valid.
    pub(super) fn check(&self, user: &str, token: &str, now: SystemTime) -> Result<(), Failure> {
        if self.required.is_none() && user == ON_PREMISE_USER && token == ON_PREMISE_TOKEN {
            return Ok(());
        }
        let claims = self.verify(token).ok_or_else(Failure::denied)?;
        let expired = claims["exp"].as_u64().is_some_and(|expiry| clock::seconds_since_epoch(now) >= expiry);
        if user.is_empty() || claims["sub"] != user || expired { Err(Failure::denied()) } else { Ok(()) }
    }

    /// Fails unless the user exists, for the operations that take a user id but no token.
    pub(super) fn knows(&self, user: &str) -> Result<(), Failure> {
        let known = self.required.as_ref().is_none_or(|(required, _)| required == user);
        if known && !user.is_empty() { Ok(()) } else { Err(Failure::denied()) }
    }

    fn owns(&self, user: &str, secret_key: &str) -> bool {
        self.required.as_ref().is_none_or(|(required, secret)| required == user && secret == secret_key)
    }

    fn sign(&self, claims: &Value) -> String {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
        let payload = URL_SAFE_NO_PAD.encode(claims.to_string());
        let signed = format!("{header}.{payload}");
        let signature = URL_SAFE_NO_PAD.encode(self.mac(&signed).finalize().into_bytes());
        format!("{signed}.{signature}")
    }

    fn verify(&self, token: &str) -> Option<Value> {
        let (signed, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        self.mac(signed).verify_slice(&signature).ok()?;
        let (_, payload) = signed.split_once('.')?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
    }

    fn mac(&self, signed: &str) -> Hmac<Sha256> {
        let key = *self.key.lock().unwrap_or_else(PoisonError::into_inner);
        <Hmac<Sha256> as KeyInit>::new(&key.into()).chain_update(signed)
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

fn new_key() -> SigningKey {
    let mut key = [0; 64];
    for part in key.as_chunks_mut().0 {
        *part = Uuid::new_v4().into_bytes();
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn open() -> Accounts {
        Accounts::new(None, DAY)
    }

    #[test]
    fn a_token_is_valid_until_it_expires() {
        let now = SystemTime::now();
        let accounts = open();
        let token = accounts.issue("ann", "s3cret", now).unwrap();
        assert_eq!(accounts.check("ann", &token, now), Ok(()));
        assert_eq!(accounts.check("ann", &token, now + DAY - Duration::from_secs(1)), Ok(()));
        assert_eq!(accounts.check("ann", &token, now + DAY), Err(Failure::denied()));
    }

    #[test]
    fn a_token_with_a_lifetime_of_zero_never_expires() {
        let now = SystemTime::now();
        let accounts = Accounts::new(None, Duration::ZERO);
        let token = accounts.issue("ann", "s3cret", now).unwrap();
        assert_eq!(accounts.check("ann", &token, now + 400 * DAY), Ok(()));
    }

    #[test]
    fn new_tokens_are_valid_after_old_ones_were_expired() {
        let now = SystemTime::now();
        let accounts = open();
        let old = accounts.issue("ann", "s3cret", now).unwrap();
        accounts.expire();
        assert_eq!(accounts.check("ann", &old, now), Err(Failure::denied()));
        let new = accounts.issue("ann", "s3cret", now).unwrap();
        assert_eq!(accounts.check("ann", &new, now), Ok(()));
        assert_eq!(accounts.check(ON_PREMISE_USER, ON_PREMISE_TOKEN, now), Ok(()));
    }

    #[test]
    fn a_token_of_another_user_is_refused() {
        let now = SystemTime::now();
        let accounts = open();
        let token = accounts.issue("ann", "s3cret", now).unwrap();
        assert_eq!(accounts.check("bob", &token, now), Err(Failure::denied()));
    }

    #[test]
    fn a_token_of_another_server_is_refused() {
        let now = SystemTime::now();
        let token = open().issue("ann", "s3cret", now).unwrap();
        assert_eq!(open().check("ann", &token, now), Err(Failure::denied()));
    }

    #[test]
    fn a_token_with_changed_claims_is_refused() {
        let now = SystemTime::now();
        let accounts = open();
        let token = accounts.issue("ann", "s3cret", now).unwrap();
        let parts: Vec<&str> = token.split('.').collect();
        let forged = URL_SAFE_NO_PAD.encode(json!({ "sub": "bob", "iat": 0 }).to_string());
        let forged = format!("{}.{forged}.{}", parts[0], parts[2]);
        assert_eq!(accounts.check("bob", &forged, now), Err(Failure::denied()));
        for garbage in ["", ".", "..", "a.b.c", "token"] {
            assert_eq!(accounts.check("bob", garbage, now), Err(Failure::denied()));
        }
    }

    #[test]
    fn an_empty_secret_key_gets_no_token() {
        assert!(open().issue("ann", "", SystemTime::now()).is_err());
        assert!(open().issue("", "s3cret", SystemTime::now()).is_err());
    }

    #[test]
    fn the_on_premise_user_needs_no_issued_token() {
        let now = SystemTime::now();
        assert_eq!(open().check(ON_PREMISE_USER, ON_PREMISE_TOKEN, now), Ok(()));
        assert_eq!(open().check("ann", ON_PREMISE_TOKEN, now), Err(Failure::denied()));
    }

    #[test]
    fn a_required_account_excludes_all_others() {
        let now = SystemTime::now();
        let accounts = Accounts::new(Some(("ann".into(), "s3cret".into())), DAY);
        assert!(accounts.issue("ann", "s3cret", now).is_ok());
        assert!(accounts.issue("ann", "other", now).is_err());
        assert!(accounts.issue("bob", "s3cret", now).is_err());
        assert_eq!(accounts.check(ON_PREMISE_USER, ON_PREMISE_TOKEN, now), Err(Failure::denied()));
        assert_eq!(accounts.knows("bob"), Err(Failure::denied()));
    }

    #[test]
    fn no_secret_is_printed() {
        let accounts = Accounts::new(Some(("ann".into(), "s3cret".into())), DAY);
        assert!(!format!("{accounts:?}").contains("s3cret"));
    }
}
