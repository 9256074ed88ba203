//! Removal of secrets from error texts. Servers and proxies repeat in their error texts what they were sent, and error
//! texts end up in logs.

use std::borrow::Cow;
use std::fmt;

use super::{ON_PREMISE_TOKEN, Secret};
use crate::Error;

/// The secrets of a request, in every spelling in which a server may repeat them: plain, form-encoded, and as in JSON.
#[derive(Clone, Default)]
pub(crate) struct Redactor(Vec<Secret>);

impl Redactor {
    /// The minimum length of a secret in bytes. Replacing shorter ones would make every text unreadable, and seeing
    /// them tells a reader little.
    const MIN_LENGTH: usize = 4;

    pub(crate) fn new(secrets: impl IntoIterator<Item = Secret>) -> Self {
        let secrets = secrets
            .into_iter()
            .filter(|secret| secret.expose().len() >= Self::MIN_LENGTH && secret.expose() != ON_PREMISE_TOKEN);
        Self(secrets.flat_map(|secret| [in_form(secret.expose()), in_json(secret.expose()), secret]).collect())
    }

    /// Returns the text without the secrets.
    pub(crate) fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut clean = Cow::Borrowed(text);
        for secret in self.0.iter().map(Secret::expose) {
            if clean.contains(secret) {
                clean = clean.replace(secret, "[REDACTED]").into();
            }
        }
        clean
    }

    /// Returns the error without the secrets. If the message contained one, the source is dropped too, since it is
    /// likely to contain it as well.
    pub(crate) fn redact_error(&self, error: Error) -> Error {
        let text = error.to_string();
        match self.redact(&text) {
            Cow::Owned(clean) => error.with_text(clean),
            Cow::Borrowed(_) => error,
        }
    }
}

/// Returns a text as a form spells it.
fn in_form(text: &str) -> Secret {
    let pair = serde_urlencoded::to_string([("", text)]).unwrap_or_default();
    pair.strip_prefix('=').unwrap_or(&pair).into()
}

/// Returns a text as a JSON string spells it, without the quotes.
fn in_json(text: &str) -> Secret {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].into()
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn a_secret_is_found_in_every_spelling() {
        let secrets = Redactor::new([Secret::from(r#"p&"ss\w"#)]);
        let text = r#"plain p&"ss\w, form p%26%22ss%5Cw, json p&\"ss\\w."#;
        assert_eq!(secrets.redact(text), "plain [REDACTED], form [REDACTED], json [REDACTED].");
    }

    #[test]
    fn the_on_premise_token_and_single_letters_are_not_redacted() {
        let secrets = Redactor::new(["token", "a"].map(Secret::from));
        assert_eq!(secrets.redact("a bad token"), "a bad token");
    }

    #[test]
    fn an_error_that_repeats_a_secret_loses_its_source() {
        let secrets = Redactor::new([Secret::from("tiger")]);
        let error = Error::new(ErrorKind::Server, "scott/tiger").caused_by(std::io::Error::other("tiger"));
        let clean = secrets.redact_error(error);
        assert_eq!(clean.to_string(), "scott/[REDACTED]");
        assert!(std::error::Error::source(&clean).is_none());
    }
}
