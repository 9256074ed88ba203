//! The response of `generateToken`.

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use sqlflow_lineage::RelationType;

use super::envelope::{FromResponse, RawEnvelope, SUCCESS, clean, failure};
use super::lenient::text_of;
use super::{Redactor, Secret};
use crate::{Error, ErrorKind, Result};

/// The response of `generateToken`, which has the token next to the code and not under `data`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TokenEnvelope {
    /// The code, which servers send as a string in this response.
    pub code: i64,
    /// The id of the user that the token belongs to.
    pub user_id: Option<String>,
    /// The token, a JWT.
    pub token: Option<Secret>,
    /// The reason why there is no token.
    pub error: Option<String>,
}

impl<'de> Deserialize<'de> for TokenEnvelope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let is_wanted = |key: &str| matches!(key, "userId" | "token" | "upgrade");
        let mut envelope = RawEnvelope::<Box<RawValue>>::keeping(deserializer, is_wanted)?.envelope;
        let mut text = |name| envelope.other.remove(name).and_then(text_of);
        let (user_id, token) = (text("userId"), text("token").map(Secret::from));
        let error = Some(envelope.failure_text().to_owned()).filter(|text| !text.is_empty());
        Ok(Self { code: envelope.code, user_id, token, error })
    }
}

impl FromResponse for TokenEnvelope {
    fn parse(text: &[u8], _: Option<Vec<RelationType>>) -> serde_json::Result<Self> {
        serde_json::from_slice(text)
    }

    fn clean(&mut self, secrets: &Redactor) {
        clean(&mut self.error, &secrets.and(&Redactor::new(self.token.clone())));
    }
}

impl TokenEnvelope {
    /// Returns the token.
    ///
    /// # Errors
    /// Returns the failure that the code stands for, or [`Protocol`](ErrorKind::Protocol) for a success without a token.
    pub fn into_token(self) -> Result<Secret> {
        if !SUCCESS.contains(&self.code) {
            return Err(failure(self.code, self.error.as_deref().unwrap_or_default()));
        }
        self.token.filter(|token| !token.expose().is_empty()).ok_or_else(|| {
            Error::new(ErrorKind::Protocol, "the response to generateToken is a success without a token")
        })
    }
}

/// Returns the secrets that a response to a request for a token contains, whether it can be read or not: everything
/// under a key that is called after a token or another secret.
pub(crate) fn issued_secrets(body: &str) -> Vec<Secret> {
    let mut secrets = Vec::new();
    match serde_json::from_str(body.trim_start_matches('\u{feff}')) {
        Ok(value) => collect(&value, false, &mut secrets),
        Err(_) => secrets.extend(values_of_secret_keys(body).map(Secret::from)),
    }
    secrets
}

/// The words in the names of fields that hold a secret.
const SECRET_WORDS: [&str; 4] = ["token", "secret", "password", "jwt"];

fn is_secret_key(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| name.contains(word))
}

fn collect(value: &Value, is_secret: bool, secrets: &mut Vec<Secret>) {
    match value {
        Value::String(text) if is_secret => secrets.push(text.as_str().into()),
        Value::Array(values) => values.iter().for_each(|value| collect(value, is_secret, secrets)),
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| collect(value, is_secret || is_secret_key(name), secrets));
        }
        _ => {}
    }
}

/// Returns the values next to secret keys in a text that is not, or not only, JSON: `"token":"…"`, `token=…`.
fn values_of_secret_keys(text: &str) -> impl Iterator<Item = &str> {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    let names = text.match_indices(['=', ':']).filter_map(move |(at, _)| {
        let before = text[..at].trim_end_matches(['"', '\'', '\\', ' ']);
        let name = &before[before.rfind(|letter| !is_word(letter)).map_or(0, |last| last + 1)..];
        is_secret_key(name).then_some(at + 1)
    });
    names.filter_map(move |from| {
        let value = text[from..].trim_start_matches(|letter: char| "\"'\\ [".contains(letter));
        let end = value.find(|letter: char| "\"'\\<>&,;{}[]".contains(letter) || letter.is_whitespace());
        Some(&value[..end.unwrap_or(value.len())]).filter(|value| !value.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issued_secrets_are_found_whatever_surrounds_them() {
        let found = |body: &str| {
            issued_secrets(body).iter().map(|secret| secret.expose().to_owned()).collect::<Vec<_>>().join(" ")
        };
        for body in [
            r#"{"code":"500","error":"no","token":"fr3sh"}"#,
            r#"{"code":"500","data":{"accessToken":["fr3sh"]}}"#,
            r#"{"code":"200","token":"fr3sh"} and more"#,
            r#"{"code":["x"],"token" : "fr3sh"#,
            r#""{\"token\":\"fr3sh\"}", {"#,
            "<a href='/?user=ann&access_token=fr3sh&x=1'>",
        ] {
            assert_eq!(found(body), "fr3sh", "{body}");
        }
        assert_eq!(found("<p>502 Bad Gateway: try later</p>"), "");
    }

    #[test]
    fn a_token_is_read_next_to_a_code_that_is_a_string() {
        let read = |json| serde_json::from_str::<TokenEnvelope>(json).unwrap().into_token();
        assert_eq!(read(r#"{"code":"200","userId":"u","token":"t"}"#).unwrap().expose(), "t");
        assert_eq!(read(r#"{"code":"200","userId":12345,"token":"t"}"#).unwrap().expose(), "t");
        assert_eq!(read(r#"{"code":"401","error":"no"}"#).unwrap_err().kind(), ErrorKind::Authentication);
        assert!(read(r#"{"code":"500","message":"no such user"}"#).unwrap_err().to_string().contains("no such user"));
        assert_eq!(read(r#"{"code":"200"}"#).unwrap_err().kind(), ErrorKind::Protocol);
        assert_eq!(read(r#"{"code":"200","token":""}"#).unwrap_err().kind(), ErrorKind::Protocol);
    }
}
