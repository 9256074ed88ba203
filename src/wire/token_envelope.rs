//! The response of `generateToken`.

use serde::{Deserialize, Deserializer};
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
        let error = Some(envelope.failure_text()).filter(|text| !text.is_empty());
        Ok(Self { code: envelope.code, user_id, token, error })
    }
}

impl FromResponse for TokenEnvelope {
    fn parse(text: &[u8], _: Option<Vec<RelationType>>) -> serde_json::Result<Self> {
        serde_json::from_slice(text)
    }

    fn clean(&mut self, secrets: &Redactor) {
        clean(&mut self.error, secrets);
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

#[cfg(test)]
mod tests {
    use super::*;

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
