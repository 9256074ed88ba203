//! A token, and the time until which it can be used.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use tokio::time::Instant;

use crate::wire::Secret;

/// The time before the expiry of a token at which a renewal is due, unless a tenth of its lifetime is shorter.
const RENEW_BEFORE: Duration = Duration::from_secs(300);

/// The time after a failed renewal during which the old token is used without another attempt.
const RENEWAL_DELAY: Duration = Duration::from_secs(30);

/// A token that a server issued.
#[derive(Clone)]
pub(super) struct CachedToken {
    pub(super) text: Secret,
    renew_at: Option<Instant>,
    expires_at: Option<Instant>,
}

impl CachedToken {
    pub(super) fn new(text: Secret) -> Self {
        let lifetime = lifetime(text.expose(), SystemTime::now());
        Self::living(text, lifetime)
    }

    /// Creates a token that a provider returned, which may have been issued long ago.
    pub(super) fn provided(text: Secret) -> Self {
        let lifetime = remaining_lifetime(text.expose(), SystemTime::now());
        Self::living(text, lifetime)
    }

    fn living(text: Secret, lifetime: Option<Duration>) -> Self {
        let after = |time: Duration| Instant::now().checked_add(time);
        let renew_at = lifetime.and_then(|life| after(life.saturating_sub(RENEW_BEFORE.min(life / 10))));
        Self { text, renew_at, expires_at: lifetime.and_then(after) }
    }

    /// Postpones the renewal, so that not every call waits for a server that cannot renew.
    pub(super) fn postpone(&mut self) {
        self.renew_at = Instant::now().checked_add(RENEWAL_DELAY).min(self.expires_at);
    }

    /// Returns `true` if no renewal is due.
    pub(super) fn is_fresh(&self) -> bool {
        self.renew_at.is_none_or(|at| Instant::now() < at)
    }

    /// Returns `true` if the token has not expired.
    pub(super) fn is_valid(&self) -> bool {
        self.expires_at.is_none_or(|at| Instant::now() < at)
    }
}

/// The claims of a JWT that its lifetime follows from.
#[derive(Deserialize)]
struct Claims {
    exp: Option<f64>,
    iat: Option<f64>,
}

/// Returns the time between the issue and the expiry of a token, or `None` for a token that does not expire or is not
/// a JWT. A token whose expiry is not after its issue does not expire either: servers that are configured to issue
/// tokens without an expiry write it so.
///
/// The time is counted from `iat` if it is present, so that a local clock that is wrong does no harm.
fn lifetime(token: &str, now: SystemTime) -> Option<Duration> {
    let claims = claims(token)?;
    let issued = match claims.iat {
        Some(issued) => issued,
        None => now.duration_since(UNIX_EPOCH).ok()?.as_secs_f64(),
    };
    Duration::try_from_secs_f64(claims.exp? - issued).ok().filter(|life| !life.is_zero())
}

/// Returns the time until a token expires by the local clock, or `None` for a token that does not expire or is not a
/// JWT. A token that has expired by the local clock, which may be wrong, counts as one that does not expire: the server
/// refuses it if it has.
///
/// A clock that is slow by hours would promise more time than the token has from its issue.
fn remaining_lifetime(token: &str, now: SystemTime) -> Option<Duration> {
    let lifetime = lifetime(token, now)?;
    let now = now.duration_since(UNIX_EPOCH).ok()?.as_secs_f64();
    let remaining = Duration::try_from_secs_f64(claims(token)?.exp? - now).ok().filter(|life| !life.is_zero())?;
    Some(remaining.min(lifetime))
}

fn claims(token: &str) -> Option<Claims> {
    let payload = token.split('.').nth(1)?;
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&payload).ok()
}

/// Returns a JWT with these claims.
#[cfg(test)]
pub(super) fn jwt(claims: &str) -> String {
    format!("{}.{}.sig", URL_SAFE_NO_PAD.encode("{}"), URL_SAFE_NO_PAD.encode(claims))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lifetime_of_a_token_is_counted_from_its_issue_and_not_from_the_local_clock() {
        let token = jwt(r#"{"iat":1000,"exp":4600}"#);
        let wrong_clock = UNIX_EPOCH + Duration::from_secs(9_000_000_000);
        assert_eq!(lifetime(&token, wrong_clock), Some(Duration::from_secs(3600)));
        let token = jwt(r#"{"exp":4600}"#);
        assert_eq!(lifetime(&token, UNIX_EPOCH + Duration::from_secs(4000)), Some(Duration::from_secs(600)));
    }

    #[test]
    fn the_lifetime_of_a_token_from_a_provider_ends_at_its_expiry() {
        let token = jwt(r#"{"iat":1000,"exp":4600}"#);
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(remaining_lifetime(&token, at(4000)), Some(Duration::from_secs(600)));
        assert_eq!(remaining_lifetime(&token, at(10)), Some(Duration::from_secs(3600)), "the clock is slow");
        assert_eq!(remaining_lifetime(&token, at(5000)), None, "the clock may be fast");
        assert_eq!(remaining_lifetime("opaque", at(5000)), None);
    }

    #[test]
    fn a_token_without_a_valid_expiry_does_not_expire() {
        for token in ["token", "", "a.b.c", "..", &jwt("{}"), &jwt("[1]"), &jwt(r#"{"exp":1e400}"#)] {
            assert_eq!(lifetime(token, SystemTime::now()), None, "{token}");
        }
        assert_eq!(lifetime(&jwt(r#"{"iat":5,"exp":1}"#), SystemTime::now()), None);
        assert_eq!(lifetime(&jwt(r#"{"iat":5,"exp":5}"#), SystemTime::now()), None);
    }
}
