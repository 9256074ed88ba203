//! The response of `generateToken`.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use super::envelope::{Envelope, FromResponse, SUCCESS, clean, failure};
use super::lenient::text_of;
use super::{Redactor, Secret};
use crate::{Error, ErrorKind, Result};

/// The answer of `generateToken`, whose token stands beside the code.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TokenEnvelope {
    /// The code inside, which this operation sends as text.
    pub code: i64,
    /// The user the token belongs to.
    pub user_id: Option<String>,
    /// The token, a JWT.
    pub token: Option<Secret>,
    /// Why there is none.
    pub error: Option<String>,
}

impl<'de> Deserialize<'de> for TokenEnvelope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut envelope: Envelope<IgnoredAny> = Envelope::deserialize(deserializer)?;
        let mut text = |name| envelope.other.remove(name).and_then(text_of);
        let (user_id, token) = (text("userId"), text("token").map(Secret::from));
        let error = Some(envelope.text()).filter(|text| !text.is_empty());
        Ok(Self { code: envelope.code, user_id, token, error })
    }
}

impl FromResponse for TokenEnvelope {
    fn clean(&mut self, secrets: &Redactor) {
        clean(&mut self.error, secrets);
    }
}

impl TokenEnvelope {
    /// The token.
    ///
    /// # Errors
    /// The failure that the code stands for, or [`Protocol`](ErrorKind::Protocol) for a success without a token.
    pub fn into_token(self) -> Result<Secret> {
        if !SUCCESS.contains(&self.code) {
            return Err(failure(self.code, self.error.as_deref().unwrap_or_default()));
        }
        self.token
            .filter(|token| !token.expose().is_empty())
            .ok_or_else(|| Error::new(ErrorKind::Protocol, "the answer to generateToken is a success without a token"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_stands_beside_a_code_that_is_text() {
        let read = |json| serde_json::from_str::<TokenEnvelope>(json).unwrap().into_token();
        assert_eq!(read(r#"{"code":"200","userId":"u","token":"t"}"#).unwrap().expose(), "t");
        assert_eq!(read(r#"{"code":"200","userId":12345,"token":"t"}"#).unwrap().expose(), "t");
        assert_eq!(read(r#"{"code":"401","error":"no"}"#).unwrap_err().kind(), ErrorKind::Authentication);
        assert!(read(r#"{"code":"500","message":"no such user"}"#).unwrap_err().to_string().contains("no such user"));
        assert_eq!(read(r#"{"code":"200"}"#).unwrap_err().kind(), ErrorKind::Protocol);
        assert_eq!(read(r#"{"code":"200","token":""}"#).unwrap_err().kind(), ErrorKind::Protocol);
    }
}
