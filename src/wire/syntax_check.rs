//! The response of `checkSyntax`.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use sqlflow_lineage::RelationType;

use super::envelope::{Envelope, EnvelopeData};
use super::{Redactor, lenient};

/// The result of a syntax check.
///
/// If the SQL has errors, the result comes with the code of a failure, so read [`Envelope::data`] before the code:
/// [`Envelope::into_data`] would return the failure instead. [`Client::check_syntax`] does that.
///
/// [`Envelope::data`]: crate::api::Envelope::data
/// [`Envelope::into_data`]: crate::api::Envelope::into_data
/// [`Client::check_syntax`]: crate::Client::check_syntax
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SyntaxCheck {
    /// The duration of the check as the server writes it: a number, or a text with a unit.
    pub used_time: Option<Value>,
    /// The version of the server's parser.
    #[serde(rename = "gsp.version", default, deserialize_with = "lenient::text")]
    pub parser_version: Option<String>,
    /// The errors in the SQL.
    #[serde(rename = "errorInfos", default, deserialize_with = "errors")]
    pub errors: Vec<SyntaxError>,
    /// All other fields.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl SyntaxCheck {
    /// Returns `true` if the SQL has no errors.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.errors.is_empty()
    }
}

/// An error in the SQL.
///
/// It is displayed as `line:column: message`, as compilers do, so that a program only has to put the name of the file
/// in front.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct SyntaxError {
    /// The description of the error, as the server writes it.
    pub message: String,
    /// The line, starting at 1: from the fields of the error, or else from its text.
    pub line: Option<u32>,
    /// The column, starting at 1: from the fields of the error, or else from its text.
    pub column: Option<u32>,
    /// All other fields.
    pub other: Map<String, Value>,
}

/// The field with the errors.
const ERRORS: &str = "errorInfos";
/// The fields in which servers write a line, the most specific first. In coordinates, `x` is the line.
const LINE_FIELDS: [&str; 4] = ["lineNo", "lineNumber", "line", "x"];
/// The fields in which servers write a column, in the same order.
const COLUMN_FIELDS: [&str; 4] = ["columnNo", "columnNumber", "column", "y"];

impl SyntaxError {
    /// Reads an error. A field that is no valid value is read as its text.
    fn from_raw(raw: &RawValue) -> Self {
        let text = |raw: &RawValue| Value::from(raw.get().trim_matches('"'));
        let value = serde_json::from_str(raw.get()).unwrap_or_else(|_| {
            let fields = serde_json::from_str::<BTreeMap<String, Box<RawValue>>>(raw.get());
            let field = |raw: &RawValue| serde_json::from_str(raw.get()).unwrap_or_else(|_| text(raw));
            fields.map_or_else(|_| text(raw), |all| all.into_iter().map(|(name, raw)| (name, field(&raw))).collect())
        });
        Self::from_value(value)
    }

    fn from_value(value: Value) -> Self {
        let Value::Object(mut fields) = value else {
            return Self { message: lenient::text_of(value).unwrap_or_default(), ..Self::default() }.located(None);
        };
        let message = fields.remove("errorMessage").and_then(lenient::text_of).unwrap_or_default();
        let line = take_position(&mut fields, LINE_FIELDS);
        let column = take_position(&mut fields, COLUMN_FIELDS);
        let in_fields = line.map(|line| (line, column)).or_else(|| first_coordinate(&fields));
        Self { message, line: None, column: None, other: fields }.located(in_fields)
    }

    /// Adds the position from the fields, and what they lack from the text.
    fn located(self, in_fields: Option<(u32, Option<u32>)>) -> Self {
        let in_text = position_in(&self.message);
        let (line, column) = match (in_fields, in_text) {
            (Some((line, Some(column))), _) => (Some(line), Some(column)),
            (Some((line, None)), Some((same, column))) if line == same => (Some(line), column),
            (Some((line, None)), _) => (Some(line), None),
            (None, Some((line, column))) => (Some(line), column),
            (None, None) => (None, None),
        };
        Self { line, column, ..self }
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (Some(line), Some(column)) => write!(f, "{line}:{column}: {}", self.message),
            (Some(line), None) => write!(f, "{line}: {}", self.message),
            (None, _) => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for SyntaxError {}

impl<'de> Deserialize<'de> for SyntaxError {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::from_value)
    }
}

/// Reads the errors: a list, or a single error. Other values, such as `null`, `""` or `{}`, mean that there are none.
fn errors<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SyntaxError>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(|raw| errors_in(&raw))
}

/// Reads each error by itself: one with a text that is no valid JSON must not turn bad SQL into a failure of the check.
fn errors_in(raw: &RawValue) -> Vec<SyntaxError> {
    if let Ok(errors) = serde_json::from_str::<Vec<Box<RawValue>>>(raw.get()) {
        return errors.iter().filter(|error| error.get() != "null").map(|error| SyntaxError::from_raw(error)).collect();
    }
    let is_nothing = match serde_json::from_str(raw.get()) {
        Ok(Value::Null | Value::Bool(false)) => true,
        Ok(Value::String(text)) => text.trim().is_empty(),
        Ok(Value::Number(number)) => number.as_f64() == Some(0.0),
        Ok(Value::Object(fields)) => fields.is_empty(),
        _ => false,
    };
    if is_nothing { Vec::new() } else { vec![SyntaxError::from_raw(raw)] }
}

/// Takes the first of these fields that is a position. Servers write 0 or -1 for an unknown one.
fn take_position(fields: &mut Map<String, Value>, names: [&str; 4]) -> Option<u32> {
    let position = |value: &Value| -> Option<u32> {
        let number = match value {
            Value::String(text) => text.trim().parse().ok(),
            Value::Number(number) => number.as_f64(),
            _ => None,
        };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in range")]
        number.filter(|number| *number >= 1.0 && *number <= f64::from(u32::MAX)).map(|number| number as u32)
    };
    let (name, found) = names.iter().find_map(|name| Some((*name, position(fields.get(*name)?)?)))?;
    fields.remove(name);
    Some(found)
}

/// Returns the position of the first of the coordinates that other messages of servers have. It stays where it is,
/// because the other coordinates say where the error ends.
fn first_coordinate(fields: &Map<String, Value>) -> Option<(u32, Option<u32>)> {
    let coordinates = fields.get("coordinates").or_else(|| fields.get("coordinate"))?;
    let first = coordinates.as_array().map_or(Some(coordinates), |all| all.first())?;
    let mut first = first.as_object()?.clone();
    let line = take_position(&mut first, LINE_FIELDS)?;
    Some((line, take_position(&mut first, COLUMN_FIELDS)))
}

/// Returns the line and the column that a message names: `near: x(2,5)`, or `line 3, column 7`.
fn position_in(message: &str) -> Option<(u32, Option<u32>)> {
    near_token(message).or_else(|| line_and_column(message))
}

/// Reads the notation of the parser of SQLFlow: the position follows the token that it stumbled over.
fn near_token(message: &str) -> Option<(u32, Option<u32>)> {
    let (_, token) = message.split_once("near:")?;
    // Each bracket is looked at once: a token may have many, and most of them belong to the SQL.
    let mut inside_from = None;
    for (at, byte) in token.bytes().enumerate() {
        match byte {
            b'(' => inside_from = Some(at + 1),
            b')' => {
                let Some(from) = inside_from.take() else { continue };
                let position = position_in_brackets(&token[from..at], &token[at + 1..]);
                if position.is_some() {
                    return position;
                }
            }
            _ => {}
        }
    }
    None
}

/// Reads a position from the text in two brackets and after them.
fn position_in_brackets(inside: &str, rest: &str) -> Option<(u32, Option<u32>)> {
    // A pair of numbers inside the token is followed by the rest of the token.
    if !rest.is_empty() && !rest.starts_with(|next: char| next.is_whitespace() || ",;.".contains(next)) {
        return None;
    }
    // Other values may follow, as in the coordinates of a lineage.
    let mut values = inside.split(',');
    let line = values.next()?.trim().parse().ok().filter(|line| *line > 0)?;
    Some((line, Some(values.next()?.trim().parse().ok()?)))
}

/// Reads `line 3, column 7`, `Line: 3, Column: 7`, `line 3:7` or `line 3`.
fn line_and_column(message: &str) -> Option<(u32, Option<u32>)> {
    let message = message.to_ascii_lowercase();
    message.match_indices("line").find_map(|(start, word)| {
        if message[..start].ends_with(|before: char| before.is_alphanumeric() || before == '_') {
            return None;
        }
        let (line, rest) = leading_number(&message[start + word.len()..])?;
        let column = match rest.strip_prefix(':') {
            Some(column) => leading_number(column).or_else(|| column_after(rest)),
            None => column_after(rest),
        };
        Some((line, column.map(|(column, _)| column)))
    })
}

/// Reads the column in the text after a line.
fn column_after(rest: &str) -> Option<(u32, &str)> {
    let rest = rest.trim_start_matches([',', ';', ':', ' ']);
    let rest = rest.strip_prefix("column").or_else(|| rest.strip_prefix("col"))?;
    leading_number(rest)
}

/// Reads a number that follows spaces and separators. Returns the text after it, too.
fn leading_number(text: &str) -> Option<(u32, &str)> {
    let text = text.trim_start_matches([' ', ':', '=', '#', '.']);
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let number = text[..end].parse().ok().filter(|number| *number > 0)?;
    Some((number, &text[end..]))
}

/// Reads the errors wherever servers put them: in the data, in place of the data, or next to the code.
impl EnvelopeData for SyntaxCheck {
    fn parse_envelope(text: &[u8], _: Option<Vec<RelationType>>) -> serde_json::Result<Envelope<Self>> {
        let mut envelope = Envelope::read_with(text, |data| match data.get().as_bytes().first() {
            Some(b'[') if data.get() != "[]" => Ok(Self { errors: errors_in(data), ..Self::default() }),
            _ => serde_json::from_str(data.get()),
        })?;
        if let Some(beside) = envelope.other.get(ERRORS) {
            let errors = errors_in(&serde_json::value::to_raw_value(beside)?);
            let found = envelope.data.as_ref().map_or(0, |check| check.errors.len());
            if found == 0 && (envelope.is_success() || !errors.is_empty()) {
                envelope.data.get_or_insert_default().errors = errors;
            }
        }
        Ok(envelope)
    }

    fn clean(&mut self, secrets: &Redactor) {
        for error in &mut self.errors {
            secrets.clean(&mut error.message);
            error.other.values_mut().for_each(|value| secrets.clean_value(value));
        }
        self.other.values_mut().for_each(|value| secrets.clean_value(value));
    }
}

/// Returns `true` if a body says what is wrong with SQL. Such a body is a result, whatever its code and its HTTP
/// status.
pub(crate) fn has_syntax_errors(body: &[u8]) -> bool {
    let envelope = SyntaxCheck::parse_envelope(body, None);
    envelope.is_ok_and(|envelope| envelope.data.is_some_and(|check| !check.is_ok()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn error(value: Value) -> SyntaxError {
        serde_json::from_value(value).unwrap()
    }

    fn position(message: &str) -> (Option<u32>, Option<u32>) {
        let error = error(json!({"errorMessage": message}));
        (error.line, error.column)
    }

    #[test]
    fn a_syntax_check_with_errors_is_read_from_a_failure() {
        let json = r#"{"code":500,"data":{"usedTime":3,"gsp.version":"3.0","errorInfos":[{"errorMessage":"near x","line":2,"kind":"a"}]}}"#;
        let envelope: Envelope<SyntaxCheck> = serde_json::from_str(json).unwrap();
        let check = envelope.data.unwrap();
        assert_eq!(check.parser_version.as_deref(), Some("3.0"));
        assert!(!check.is_ok());
        let error = &check.errors[0];
        assert_eq!((error.message.as_str(), error.line, error.column), ("near x", Some(2), None));
        assert_eq!(error.other["kind"], "a");
        assert_eq!(error.to_string(), "2: near x");
    }

    #[test]
    fn fields_are_read_as_numbers_texts_or_null() {
        for data in [
            json!({"usedTime": "3ms", "gsp.version": 3, "errorInfos": null}),
            json!({"usedTime": null, "gsp.version": null, "errorInfos": []}),
            json!({"usedTime": 3}),
        ] {
            let check: SyntaxCheck = serde_json::from_value(data).unwrap();
            assert!(check.is_ok());
        }
        let check: SyntaxCheck = serde_json::from_value(json!({"gsp.version": 3.1, "errorInfos": "boom"})).unwrap();
        assert_eq!(check.parser_version.as_deref(), Some("3.1"));
        assert_eq!(check.errors[0].message, "boom");
        assert_eq!(error(json!({"errorMessage": 42})).message, "42");
    }

    #[test]
    fn a_position_is_read_from_every_field_that_servers_use() {
        for fields in [
            json!({"lineNo": 3, "columnNo": 7}),
            json!({"lineNo": "3", "columnNo": " 7 "}),
            json!({"line": 3, "column": "7"}),
            json!({"x": 3, "y": 7.0}),
            json!({"lineNo": null, "lineNumber": 3, "columnNumber": 7}),
            json!({"coordinates": [{"x": 3, "y": 7, "hashCode": "0"}, {"x": 3, "y": 9, "hashCode": "0"}]}),
            json!({"coordinates": {"x": "3", "y": "7"}}),
        ] {
            let error = error(fields.clone());
            assert_eq!((error.line, error.column), (Some(3), Some(7)), "{fields}");
        }
    }

    #[test]
    fn the_fields_of_a_position_come_before_its_text() {
        let both = error(json!({"errorMessage": "near: x(2,5)", "lineNo": 3, "columnNo": 7}));
        assert_eq!(both.to_string(), "3:7: near: x(2,5)");
        let line_only = |line: u32| error(json!({"errorMessage": "near: x(2,5)", "lineNo": line})).column;
        assert_eq!((line_only(2), line_only(3)), (Some(5), None));
        assert_eq!(error(json!({"errorMessage": "near: x(2,5)", "lineNo": 0, "columnNo": -1})).line, Some(2));
    }

    #[test]
    fn a_position_is_read_from_the_text_of_an_error() {
        for (message, line, column) in [
            ("find orphan column(10500) near: ename(1,8)", 1, Some(8)),
            ("syntax error, state:1429(10101) near: select(3,1)", 3, Some(1)),
            ("near: '(9,9)'(2,5), expected a name", 2, Some(5)),
            ("near: x( 2 , 5 )", 2, Some(5)),
            ("near: x(2,5,0)", 2, Some(5)),
            ("Expected: end of statement, found: x at Line: 3, Column: 7", 3, Some(7)),
            ("error at line 3, column 7", 3, Some(7)),
            ("error at line 3 col 7", 3, Some(7)),
            ("error at line 3:7", 3, Some(7)),
            ("error at line 3: no such table", 3, None),
            ("an inline 9 view at line 3", 3, None),
        ] {
            assert_eq!(position(message), (Some(line), column), "{message}");
        }
    }

    /// A search that begins again at each bracket would not end in the time of a test.
    #[test]
    fn a_position_is_read_from_a_long_message_with_many_brackets() {
        for brackets in ["(1,", "(", ")", "(1,1)x"] {
            let message = "near: ".to_owned() + &brackets.repeat(300_000);
            assert_eq!(position(&message), (None, None), "{brackets}");
            assert_eq!(position(&format!("{message}(2,5)")), (Some(2), Some(5)), "{brackets}");
        }
    }

    #[test]
    fn a_text_without_a_position_has_none() {
        for message in ["", "near: x", "near: (2,5", "(10101)", "outline 3", "line", "line 99999999999", "near: f(a,b)"]
        {
            assert_eq!(position(message), (None, None), "{message}");
        }
        assert_eq!(error(json!({"errorMessage": "bad"})).to_string(), "bad");
    }
}
