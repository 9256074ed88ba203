//! What a request carries that no error may repeat. Servers and proxies put into their error texts what they were
//! sent, and error texts end up in logs.

use std::borrow::Cow;
use std::fmt;

use super::{ON_PREMISE_TOKEN, Secret};
use crate::Error;

/// Redactor in the spellings they may come back in: as they are, as a form spells them, as JSON does.
#[derive(Clone, Default)]
pub(crate) struct Redactor(Vec<Secret>);

impl Redactor {
    /// Shorter ones would turn every text into noise, and tell little to one who reads it.
    const SHORTEST: usize = 4;

    pub(crate) fn new(secrets: impl IntoIterator<Item = Secret>) -> Self {
        let secrets = secrets
            .into_iter()
            .filter(|secret| secret.expose().len() >= Self::SHORTEST && secret.expose() != ON_PREMISE_TOKEN);
        Self(secrets.flat_map(|secret| [in_form(secret.expose()), in_json(secret.expose()), secret]).collect())
    }

    /// The text without them.
    pub(crate) fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut clean = Cow::Borrowed(text);
        for secret in self.0.iter().map(Secret::expose) {
            if clean.contains(secret) {
                clean = clean.replace(secret, "[REDACTED]").into();
            }
        }
        clean
    }

    /// An error that does not repeat them. One whose text did loses its cause too, which is likely to.
    pub(crate) fn redact_error(&self, error: Error) -> Error {
        let text = error.to_string();
        match self.redact(&text) {
            Cow::Owned(clean) => error.with_text(clean),
            Cow::Borrowed(_) => error,
        }
    }
}

fn in_form(text: &str) -> Secret {
    let pair = serde_urlencoded::to_string([("", text)]).unwrap_or_default();
    pair.strip_prefix('=').unwrap_or(&pair).into()
}

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
    fn the_open_token_and_single_letters_are_left_in_texts() {
        let secrets = Redactor::new(["token", "a"].map(Secret::from));
        assert_eq!(secrets.redact("a bad token"), "a bad token");
    }

    #[test]
    fn an_error_that_repeats_a_secret_loses_its_cause() {
        let secrets = Redactor::new([Secret::from("tiger")]);
        let error = Error::new(ErrorKind::Server, "scott/tiger").caused_by(std::io::Error::other("tiger"));
        let clean = secrets.redact_error(error);
        assert_eq!(clean.to_string(), "scott/[REDACTED]");
        assert!(std::error::Error::source(&clean).is_none());
    }
}
