//! Conversions of the errors of the lineage crate into [`Error`].

use std::borrow::Cow;

use sqlflow_lineage::{LookupError, MergeError, ReadError, ReadErrorKind};

use super::Redactor;
use super::envelope::failure;
use super::excerpt::excerpt;
use crate::{Error, ErrorKind};

/// Converts the error of a lineage document that cannot be read.
impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        let kind = match error.kind() {
            ReadErrorKind::Failed => {
                return failure(error.code().unwrap_or_default(), error.message().unwrap_or_default());
            }
            ReadErrorKind::Truncated | ReadErrorKind::Cancelled => ErrorKind::Interrupted,
            ReadErrorKind::TooLarge => ErrorKind::TooLarge,
            ReadErrorKind::Io => ErrorKind::Io,
            _ => ErrorKind::Protocol,
        };
        Self::new(kind, format!("the lineage cannot be read: {error}")).caused_by(error)
    }
}

/// Converts the error of a lineage document from a server. Its message is searched for secrets before it is cut.
pub(crate) fn of_lineage(error: ReadError, secrets: &Redactor) -> Error {
    let message = error.message().unwrap_or_default();
    match (error.kind(), secrets.redact(message)) {
        (ReadErrorKind::Failed, clean) => failure(error.code().unwrap_or_default(), &clean),
        // Without the source, which shows the message.
        (_, Cow::Owned(clean)) => {
            let text = format!("the lineage cannot be read: {}", excerpt(&clean));
            secrets.redact_error(Error::from(error).with_text(text))
        }
        _ => secrets.redact_error(error.into()),
    }
}

/// Converts the error of a name that is unknown or ambiguous in a lineage.
impl From<LookupError> for Error {
    fn from(error: LookupError) -> Self {
        Self::new(ErrorKind::InvalidInput, error.to_string()).caused_by(error)
    }
}

/// Converts the error of lineages that are too large to merge.
impl From<MergeError> for Error {
    fn from(error: MergeError) -> Self {
        Self::new(ErrorKind::TooLarge, error.to_string()).caused_by(error)
    }
}

#[cfg(test)]
mod tests {
    use sqlflow_lineage::Lineage;

    use super::*;
    use crate::Result;

    #[test]
    fn the_question_mark_operator_converts_errors_of_the_lineage_crate() {
        fn ask(body: &str, object: &str) -> Result<String> {
            let lineage = Lineage::from_slice(body.as_bytes())?;
            Ok(lineage.column(object, "A")?.qualified_name())
        }
        let body =
            r#"{"dbobjs":[{"id":"1","name":"T","type":"table","columns":[{"id":"2","name":"A"}]}],"relationships":[]}"#;
        assert_eq!(ask(body, "t").unwrap(), "T.A");
        assert_eq!(ask(body, "u").unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(ask(&body[..40], "t").unwrap_err().kind(), ErrorKind::Interrupted);
        assert_eq!(ask(r#"{"code":401,"error":"no"}"#, "t").unwrap_err().kind(), ErrorKind::Authentication);
        assert_eq!(ask("no json", "t").unwrap_err().kind(), ErrorKind::Protocol);
    }
}
