//! The response of `checkSyntax`.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// What a syntax check found. It comes with a failing code when there are errors, so read
/// [`Envelope::data`] before the code.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SyntaxCheck {
    /// How long it took, as the server puts it: a number, or text with a unit.
    pub used_time: Option<Value>,
    /// The version of the server's parser.
    #[serde(rename = "gsp.version")]
    pub parser_version: Option<String>,
    /// What is wrong with the SQL.
    #[serde(default, deserialize_with = "or_default")]
    pub error_infos: Vec<SyntaxError>,
    /// All other fields.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// One error in the SQL.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SyntaxError {
    /// What is wrong, and where.
    #[serde(default, deserialize_with = "or_default")]
    pub error_message: String,
    /// All other fields.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// `null` as the default.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::super::Envelope;
    use super::*;

    #[test]
    fn a_syntax_check_keeps_what_it_found() {
        let json = r#"{"code":500,"data":{"usedTime":3,"gsp.version":"3.0","errorInfos":[{"errorMessage":"near x","line":2}]}}"#;
        let envelope: Envelope<SyntaxCheck> = serde_json::from_str(json).unwrap();
        let check = envelope.data.unwrap();
        assert_eq!(check.parser_version.as_deref(), Some("3.0"));
        assert_eq!(check.error_infos[0].error_message, "near x");
        assert_eq!(check.error_infos[0].other["line"], 2);
    }
}
