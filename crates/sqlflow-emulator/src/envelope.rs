//! The envelope around every response: `{"code": …, "data": …, "error": …}`, sent with HTTP status 200 for success
//! and failure.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::outgoing_body::OutgoingBody;

/// The content type of every JSON response, as the real server spells it.
pub(super) const JSON: &str = "application/json;charset=utf-8";

/// A response that reports a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    http: StatusCode,
    code: u16,
    message: String,
    textual_code: bool,
}

impl Failure {
    /// Creates a failure with HTTP status 200.
    pub(super) fn new(code: u16, message: impl Into<String>) -> Self {
        Self { http: StatusCode::OK, code, message: message.into(), textual_code: false }
    }

    /// Creates the failure for missing or wrong credentials.
    pub(super) fn denied() -> Self {
        Self::new(401, "Invalid user or token, access deny.")
    }

    /// Creates the failure for a required parameter that is missing or blank.
    pub(super) fn missing(parameter: &str) -> Self {
        Self::new(400, format!("The parameter '{parameter}' is required and must not be blank."))
    }

    /// Creates the failure for an error of the emulator itself.
    pub(super) fn internal(message: impl std::fmt::Display) -> Self {
        Self::new(500, format!("The emulator failed: {message}"))
    }

    /// Sets the HTTP status, for responses that a servlet container sends before SQLFlow is involved.
    pub(super) fn with_status(mut self, http: StatusCode) -> Self {
        self.http = http;
        self
    }

    /// Writes the code as a JSON string, as `generateToken` does.
    pub(super) fn with_textual_code(mut self) -> Self {
        self.textual_code = true;
        self
    }

    /// Makes the HTTP status that of the code, for the emulator's own paths, which are plain HTTP.
    pub(super) fn with_status_of_code(mut self) -> Self {
        self.http = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        self
    }

    /// Returns the message.
    #[cfg(test)]
    pub(super) fn message(&self) -> &str {
        &self.message
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let code = if self.textual_code { json!(self.code.to_string()) } else { json!(self.code) };
        let body = json!({ "code": code, "error": self.message });
        respond(self.http, self.code, &body)
    }
}

/// The code in an envelope, attached to the response for the request log.
#[derive(Debug, Clone, Copy)]
pub(super) struct EnvelopeCode(pub(super) u16);

/// Creates the response `{"code": 200, "data": …}`.
pub(super) fn success(data: impl Serialize) -> Response {
    Envelope::new(data).respond()
}

/// A successful response under construction.
#[derive(Debug)]
pub(super) struct Envelope<T> {
    code: u16,
    data: T,
    fields: Map<String, Value>,
}

impl<T: Serialize> Envelope<T> {
    pub(super) fn new(data: T) -> Self {
        Self { code: 200, data, fields: Map::new() }
    }

    /// Adds a field next to `data`.
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.into(), value.into());
        self
    }

    /// Adds warnings, one per line. If some of them are errors, the data is incomplete and the code is 203.
    pub(super) fn with_warnings(mut self, messages: &[String], incomplete: bool) -> Self {
        if !messages.is_empty() {
            self.fields.insert("error".into(), messages.join("\n").into());
        }
        if incomplete {
            self.code = 203;
        }
        self
    }

    pub(super) fn respond(self) -> Response {
        #[derive(Serialize)]
        struct Written<'a, T> {
            code: u16,
            #[serde(flatten)]
            fields: &'a Map<String, Value>,
            data: &'a T,
        }

        respond(StatusCode::OK, self.code, &Written { code: self.code, fields: &self.fields, data: &self.data })
    }
}

/// Creates a JSON response from any body, for the few operations that have no `data`.
pub(super) fn respond(status: StatusCode, code: u16, body: &impl Serialize) -> Response {
    let mut written = OutgoingBody::new();
    let outcome = serde_json::to_writer(&mut written, body).map_err(Failure::internal);
    let Ok(mut response) = outcome.and_then(|()| with_body(written)) else {
        return unwritten(StatusCode::INTERNAL_SERVER_ERROR);
    };
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
    response.extensions_mut().insert(EnvelopeCode(code));
    response
}

/// Creates the response for a body that cannot be written, because there is no space for its file.
fn unwritten(status: StatusCode) -> Response {
    let message = "{\"code\":500,\"error\":\"The emulator failed: the response cannot be kept on disk.\"}";
    let mut response = (status, [(header::CONTENT_TYPE, HeaderValue::from_static(JSON))], message).into_response();
    response.extensions_mut().insert(EnvelopeCode(500));
    response
}

fn with_body(written: OutgoingBody) -> Result<Response, Failure> {
    let (body, length) = written.finish().map_err(Failure::internal)?;
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    Ok(response)
}

/// Creates a response whose body is a file with a name.
pub(super) fn download(
    content_type: &'static str,
    file_name: &str,
    write: impl FnOnce(&mut OutgoingBody) -> Result<(), Failure>,
) -> Result<Response, Failure> {
    let mut written = OutgoingBody::new();
    write(&mut written)?;
    let disposition = format!("attachment; filename=\"{file_name}\"");
    let headers = [(header::CONTENT_TYPE, content_type.to_owned()), (header::CONTENT_DISPOSITION, disposition)];
    Ok((headers, with_body(written)?).into_response())
}
