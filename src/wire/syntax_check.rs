//! The response of `checkSyntax`.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::envelope::EnvelopeData;

/// The result of a syntax check.
///
/// If the SQL has errors, the result comes with the code of a failure, so read [`Envelope::data`] before the code:
/// [`Envelope::into_data`] would return the failure instead.
///
/// [`Envelope::data`]: crate::api::Envelope::data
/// [`Envelope::into_data`]: crate::api::Envelope::into_data
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SyntaxCheck {
    /// The duration of the check as the server writes it: a number, or a text with a unit.
    pub used_time: Option<Value>,
    /// The version of the server's parser.
    #[serde(rename = "gsp.version")]
    pub parser_version: Option<String>,
    /// The errors in the SQL.
    #[serde(default, deserialize_with = "or_default")]
    pub error_infos: Vec<SyntaxError>,
    /// All other fields.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// An error in the SQL.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SyntaxError {
    /// The description of the error and its position.
    #[serde(default, deserialize_with = "or_default")]
    pub error_message: String,
    /// All other fields.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Reads a value, and treats `null` as the default.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl EnvelopeData for SyntaxCheck {}

#[cfg(test)]
mod tests {
    use super::super::Envelope;
    use super::*;

    #[test]
    fn a_syntax_check_with_errors_is_read_from_a_failure() {
        let json = r#"{"code":500,"data":{"usedTime":3,"gsp.version":"3.0","errorInfos":[{"errorMessage":"near x","line":2}]}}"#;
        let envelope: Envelope<SyntaxCheck> = serde_json::from_str(json).unwrap();
        let check = envelope.data.unwrap();
        assert_eq!(check.parser_version.as_deref(), Some("3.0"));
        assert_eq!(check.error_infos[0].error_message, "near x");
        assert_eq!(check.error_infos[0].other["line"], 2);
    }
}
