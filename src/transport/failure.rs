//! The errors of requests that failed: below HTTP, within a response, by HTTP status, or by a body that cannot be read.

use std::io;
use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, LOCATION, RETRY_AFTER};

use crate::wire::{EnvelopeHead, Redactor, quota_in};
use crate::{Error, ErrorKind};

/// Returns the error for a failure below HTTP. The message leaves out the URL, because the URL of a GET request can
/// contain credentials.
pub(super) fn of_connection(error: reqwest::Error, base_url: &str) -> Error {
    let error = error.without_url();
    let cause = root_cause(&error);
    let (kind, text) = if error.is_builder() {
        (ErrorKind::InvalidInput, format!("cannot build the request: {cause}"))
    } else if error.is_connect() {
        let hint = "nothing was sent; check the base URL and the network";
        (ErrorKind::Connect, format!("cannot reach {base_url}: {cause} ({hint})"))
    } else if error.is_timeout() {
        (ErrorKind::Timeout, format!("{base_url} did not respond in time: {cause}"))
    } else if error.is_redirect() {
        let text = format!("{base_url} redirects too often: check that it is the base URL of a SQLFlow backend");
        (ErrorKind::Rejected, text)
    } else {
        (ErrorKind::Interrupted, format!("the connection to {base_url} broke before a response: {cause}"))
    };
    let is_untrusted = kind == ErrorKind::Connect && is_untrusted_certificate(&error);
    let error = Error::new(kind, text).caused_by(error);
    if is_untrusted { error.permanent() } else { error }
}

/// Returns `true` if the connection failed because the certificate of the server is not trusted, which a retry does not
/// change. reqwest reports this only in the causes of its error.
#[cfg(feature = "rustls")]
fn is_untrusted_certificate(error: &reqwest::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(rustls::Error::InvalidCertificate(_)) = error.downcast_ref() {
            return true;
        }
        // An I/O error exposes the error that it wraps only through `get_ref`, and that may be another I/O error.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    false
}

#[cfg(not(feature = "rustls"))]
fn is_untrusted_certificate(_: &reqwest::Error) -> bool {
    false
}

/// Returns the error for a request that cannot be built. reqwest's error is not part of our interface.
pub(crate) fn not_built(error: reqwest::Error) -> Error {
    Error::invalid(format!("cannot build the request: {}", error.without_url()))
}

/// Returns the error for a connection that broke within a response.
pub(super) fn truncated(error: reqwest::Error) -> Error {
    let error = error.without_url();
    let cause = root_cause(&error);
    Error::new(ErrorKind::Interrupted, format!("the response is truncated: {cause}")).caused_by(error)
}

/// Returns the error for a response in a compression that was not requested.
pub(super) fn unsupported_encoding(encoding: &str, secrets: &Redactor) -> Error {
    let encoding = secrets.snippet(encoding, false);
    let text = format!("the response is compressed as {encoding:?}, but only gzip was requested, which may come twice");
    Error::new(ErrorKind::Protocol, text)
}

/// Returns the error for a compressed response that is truncated or damaged.
pub(super) fn of_decompression(error: io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(network_error) => network_error,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            let text = "the response is truncated: its compressed data has no end";
            Error::new(ErrorKind::Interrupted, text).caused_by(error)
        }
        Err(error) => {
            let text = format!("cannot decompress the response: {error}");
            Error::new(ErrorKind::Interrupted, text).caused_by(error)
        }
    }
}

/// Returns the error for a response that is longer than the client may hold in memory.
pub(crate) fn response_too_large(limit: u64) -> Error {
    let text = format!(
        "the response is over the limit of {limit} bytes: raise max_response_bytes in the client builder, or export to \
         a file"
    );
    Error::new(ErrorKind::TooLarge, text)
}

/// Returns the error for a small response that grows beyond reason when it is decompressed.
pub(super) fn decompression_bomb(compressed: u64, decompressed: u64) -> Error {
    let text = format!(
        "the response was abandoned: {compressed} bytes decompressed to {decompressed} and more, which no lineage \
         does; check whether the server or a proxy in front of it sent this"
    );
    Error::new(ErrorKind::TooLarge, text)
}

/// Returns the error for a response that did not begin within the response timeout.
pub(super) fn response_timed_out(timeout: Duration) -> Error {
    let text = format!(
        "no response within {timeout:?} after the last byte was sent; if the server needs longer, raise \
         response_timeout in the client builder"
    );
    Error::new(ErrorKind::Timeout, text)
}

/// Returns the error for JSON that ends in the middle, although the connection reports it as complete.
pub(super) fn truncated_json(length: usize) -> Error {
    let text = format!("the response is truncated after {length} bytes, in the middle of its JSON");
    Error::new(ErrorKind::Interrupted, text)
}

/// Returns the error for a response that was silent for the stall timeout.
pub(super) fn stalled(timeout: Duration, received: u64) -> Error {
    let text = format!("the response stalled: no data for {timeout:?} after {received} bytes");
    Error::new(ErrorKind::Interrupted, text)
}

/// Returns the error for a response whose HTTP status is that of a failure. If its body is an envelope, the envelope decides.
/// `is_cut` says that `body` is only the beginning.
pub(super) fn of_status(
    status: StatusCode,
    headers: &HeaderMap,
    body: &str,
    is_cut: bool,
    secrets: &Redactor,
) -> Error {
    let body = body.strip_prefix('\u{feff}').unwrap_or(body);
    let quota = quota_in(status.as_u16(), body.as_bytes(), secrets);
    let envelope = || EnvelopeHead::of(body.as_bytes(), secrets).map(|head| head.check());
    let error = match quota.map(Err).or_else(envelope) {
        Some(Err(error)) => error,
        _ => of_status_alone(status, headers, &secrets.snippet(body, is_cut), secrets),
    };
    error.with_status(status.as_u16()).with_retry_after(retry_after(headers))
}

/// Returns the error for a response whose body is not an envelope, so that only the status decides.
fn of_status_alone(status: StatusCode, headers: &HeaderMap, snippet: &str, secrets: &Redactor) -> Error {
    let (kind, next) = match status.as_u16() {
        200..=299 => (ErrorKind::Protocol, "200 and 201 are the only success statuses of the API"),
        300..=399 => {
            let target = headers.get(LOCATION).map(|target| String::from_utf8_lossy(target.as_bytes()));
            let target = target.as_deref().unwrap_or("nowhere");
            let target = secrets.excerpt(target);
            // A redirect may repeat the query, and with it a token.
            let target = target.split(['?', '#']).next().unwrap_or_default();
            let text = format!(
                "HTTP {status}: redirected to {target}, which the client does not follow; use it as the base URL"
            );
            return Error::new(ErrorKind::Rejected, text);
        }
        401 => (ErrorKind::Authentication, "refused before the request reached the API, perhaps by a proxy"),
        403 => (ErrorKind::Rejected, "refused before the request reached the API, perhaps by a proxy"),
        407 => (ErrorKind::Rejected, "a proxy requires a user and a password: put them into the proxy URL"),
        404 => (ErrorKind::Rejected, "no such path: check that the base URL is that of a SQLFlow backend"),
        408 | 504 => (ErrorKind::Timeout, "the server did not finish in time"),
        413 => (ErrorKind::TooLarge, "the upload is larger than the server or a proxy accepts"),
        429 | 503 => (ErrorKind::Busy, "try again later"),
        400..=499 => (ErrorKind::Rejected, "correct the request"),
        _ => (ErrorKind::Server, "the server or a proxy in front of it failed"),
    };
    let detail = if snippet.is_empty() { String::new() } else { format!(": {snippet}") };
    Error::new(kind, format!("HTTP {status} ({next}){detail}"))
}

/// The number of bytes of a body that are searched for words to show.
const MAX_SHOWN_BYTES: usize = 64 * 1024;

/// Returns the error for a response that is not the expected JSON.
pub(crate) fn of_json(error: &serde_json::Error, body: &[u8], secrets: &Redactor) -> Error {
    let beginning = &body[..body.len().min(MAX_SHOWN_BYTES)];
    let shown = secrets.snippet(&String::from_utf8_lossy(beginning), beginning.len() < body.len());
    if body.trim_ascii().is_empty() {
        return Error::new(ErrorKind::Protocol, "the response is empty, but JSON was expected");
    }
    if body.trim_ascii_start().starts_with(b"<") {
        let text = format!("the response is a page (from a proxy, or a login page?), but JSON was expected: {shown}");
        return Error::new(ErrorKind::Protocol, text);
    }
    if error.is_eof() {
        return truncated_json(body.len());
    }
    let fault = if error.is_syntax() { "is not JSON" } else { "does not have the expected shape" };
    // It may repeat a text of any length.
    let error = secrets.excerpt(&error.to_string());
    Error::new(ErrorKind::Protocol, format!("the response {fault} ({error}): {shown}"))
}

/// Returns the error for a response that contains a secret and is not the expected JSON. The message shows nothing of
/// the response.
pub(super) fn of_secret_json(error: &serde_json::Error) -> Error {
    let (line, column) = (error.line(), error.column());
    let text = format!(
        "the response is not the expected JSON, from line {line}, column {column} on; it is not shown, because it may \
         contain a secret"
    );
    Error::new(ErrorKind::Protocol, text)
}

/// Returns the delay that the server requests before the next call.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    // A date is compared with the clock of the server if the response has it: the local clock may be wrong by hours.
    let server_time = headers.get(DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
    retry_after_at(headers, server_time.unwrap_or_else(SystemTime::now))
}

fn retry_after_at(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match value.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => httpdate::parse_http_date(value).ok().map(|date| date.duration_since(now).unwrap_or_default()),
    }
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn of(status: u16, body: &str) -> Error {
        of_status(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body, false, &Redactor::default())
    }

    #[test]
    fn the_text_of_a_proxy_page_is_shown_without_its_markup() {
        let error = of(502, "<html>\n<head><title>502 Bad Gateway</title></head><body>nginx</body></html>");
        assert_eq!((error.kind(), error.status()), (ErrorKind::Server, Some(502)));
        assert!(error.to_string().ends_with(": 502 Bad Gateway nginx"), "{error}");
    }

    #[test]
    fn the_http_status_decides_the_kind_of_an_error() {
        let expected = [
            (400, ErrorKind::Rejected),
            (401, ErrorKind::Authentication),
            (403, ErrorKind::Rejected),
            (404, ErrorKind::Rejected),
            (413, ErrorKind::TooLarge),
            (429, ErrorKind::Busy),
            (500, ErrorKind::Server),
            (503, ErrorKind::Busy),
            (504, ErrorKind::Timeout),
        ];
        for (status, kind) in expected {
            assert_eq!(of(status, "").kind(), kind, "{status}");
        }
    }

    #[test]
    fn an_envelope_in_a_response_with_an_error_status_is_read() {
        let error = of(429, r#"{"code":429,"error":"rate_limit_exceeded","message":"50 calls a day"}"#);
        assert_eq!((error.kind(), error.code(), error.status()), (ErrorKind::Busy, Some(429), Some(429)));
        assert!(error.to_string().contains("50 calls a day"), "{error}");
    }

    #[test]
    fn a_redirect_names_its_target_without_the_query() {
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, HeaderValue::from_static("https://other/x?token=hush"));
        let text = of_status(StatusCode::FOUND, &headers, "", false, &Redactor::default()).to_string();
        assert!(text.contains("https://other/x,") && !text.contains("hush"), "{text}");
    }

    #[test]
    fn retry_after_is_a_number_of_seconds_or_a_date() {
        let mut headers = HeaderMap::new();
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        for (value, expected) in [
            ("7", Some(7)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("soon", None),
        ] {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(value));
            assert_eq!(retry_after_at(&headers, now), expected.map(Duration::from_secs), "{value}");
        }
    }

    #[test]
    fn a_retry_after_date_is_compared_with_the_clock_of_the_server() {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static("Sun, 06 Nov 1994 08:50:07 GMT"));
        headers.insert(DATE, HeaderValue::from_static("Sun, 06 Nov 1994 08:50:00 GMT"));
        assert_eq!(retry_after(&headers), Some(Duration::from_secs(7)));
    }

    #[test]
    fn truncated_json_is_interrupted_and_wrong_json_is_a_protocol_error() {
        let of = |body: &str| {
            of_json(&serde_json::from_str::<Vec<u8>>(body).unwrap_err(), body.as_bytes(), &Redactor::default())
        };
        assert_eq!(of("[1,2").kind(), ErrorKind::Interrupted);
        assert_eq!(of("[1,}").kind(), ErrorKind::Protocol);
        assert_eq!(of("{}").kind(), ErrorKind::Protocol);
        assert_eq!(of("").kind(), ErrorKind::Protocol);
        assert_eq!(of(" <html>Sign in</html>").kind(), ErrorKind::Protocol);
    }

    #[test]
    fn a_long_body_is_shortened_in_the_message() {
        let text = of(500, &"x".repeat(100_000)).to_string();
        assert!(text.len() < 400, "{}", text.len());
    }
}
