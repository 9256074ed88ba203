//! What becomes of a request that did not get its answer: which error, and what it tells.

use std::io;
use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, LOCATION, RETRY_AFTER};

use crate::wire::{EnvelopeHead, MAX_SNIPPET, shortened, snippet};
use crate::{Error, ErrorKind};

/// A failure below HTTP. The URL is left out: that of a GET carries credentials.
pub(super) fn of_connection(error: reqwest::Error, base_url: &str) -> Error {
    let error = error.without_url();
    let cause = root_cause(&error);
    let (kind, text) = if error.is_builder() {
        (ErrorKind::InvalidInput, format!("the request cannot be built: {cause}"))
    } else if error.is_connect() {
        let hint = "check the base URL and the network; nothing was sent";
        (ErrorKind::Connect, format!("{base_url} cannot be reached: {cause} ({hint})"))
    } else if error.is_timeout() {
        (ErrorKind::Timeout, format!("{base_url} did not answer in time: {cause}"))
    } else if error.is_redirect() {
        (ErrorKind::Rejected, format!("{base_url} redirects without end: is it the base URL of a SQLFlow backend?"))
    } else {
        (ErrorKind::Interrupted, format!("the connection to {base_url} broke before the answer: {cause}"))
    };
    let is_untrusted = kind == ErrorKind::Connect && is_untrusted_certificate(&error);
    let error = Error::new(kind, text).caused_by(error);
    if is_untrusted { error.permanent() } else { error }
}

/// Returns `true` if the connection failed because the certificate of the server is not trusted: one that is not
/// trusted now is not trusted in a second either. reqwest tells it nowhere but in its causes.
#[cfg(feature = "rustls")]
fn is_untrusted_certificate(error: &reqwest::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(rustls::Error::InvalidCertificate(_)) = error.downcast_ref() {
            return true;
        }
        // An I/O error shows what it wraps only through `get_ref`, and that may be another I/O error.
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

/// A request that cannot be put together. reqwest's error is no part of our interface.
pub(crate) fn not_built(error: reqwest::Error) -> Error {
    Error::invalid(format!("the request cannot be built: {}", error.without_url()))
}

/// The connection broke, or went silent, within an answer.
pub(super) fn within_answer(error: reqwest::Error) -> Error {
    let error = error.without_url();
    let cause = root_cause(&error);
    Error::new(ErrorKind::Interrupted, format!("the answer broke off: {cause}")).caused_by(error)
}

/// An answer in a compression that was not asked for.
pub(super) fn packed_otherwise(encoding: &str) -> Error {
    let encoding = shortened(encoding, MAX_SNIPPET);
    Error::new(ErrorKind::Protocol, format!("the answer is packed as {encoding:?}, and gzip alone was asked for"))
}

/// A packed answer could not be unpacked: it broke off on the way, or is damaged.
pub(super) fn unpacking(error: io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(before) => before,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Error::new(ErrorKind::Interrupted, "the answer broke off: its compressed data has no end").caused_by(error)
        }
        Err(error) => {
            let text = format!("the answer cannot be unpacked: {error}");
            Error::new(ErrorKind::Interrupted, text).caused_by(error)
        }
    }
}

/// An answer that is longer than its caller may hold in memory.
pub(crate) fn over_limit(limit: u64) -> Error {
    let text = format!("the answer is over the limit of {limit} bytes: raise it in the builder, or export to a file");
    Error::new(ErrorKind::TooLarge, text)
}

/// A small answer that grows beyond reason when it is unpacked.
pub(super) fn bomb(packed: u64, unpacked: u64) -> Error {
    let text = format!(
        "the answer was given up: {packed} bytes unpacked to {unpacked} and more, as no lineage does; is it the server, \
         or something before it?"
    );
    Error::new(ErrorKind::TooLarge, text)
}

pub(super) fn no_answer(patience: Duration) -> Error {
    Error::new(
        ErrorKind::Timeout,
        format!(
            "no answer within {patience:?} of the last byte sent; a server that needs longer wants a longer answer timeout"
        ),
    )
}

/// JSON that ends in the middle, although the connection says it is whole.
pub(super) fn cut_off(length: usize) -> Error {
    let text = format!("the answer breaks off after {length} bytes, in the middle of its JSON");
    Error::new(ErrorKind::Interrupted, text)
}

pub(super) fn stalled(patience: Duration, received: u64) -> Error {
    Error::new(
        ErrorKind::Interrupted,
        format!("the answer stalled: nothing came for {patience:?} after {received} bytes"),
    )
}

/// An answer whose HTTP status is not 200.
pub(super) fn of_status(status: StatusCode, headers: &HeaderMap, body: &str) -> Error {
    let error = match EnvelopeHead::of(body.as_bytes()).map(|head| head.check()) {
        Some(Err(error)) => error,
        _ => bare(status, headers, body),
    };
    error.with_status(status.as_u16()).with_retry_after(retry_after(headers))
}

fn bare(status: StatusCode, headers: &HeaderMap, body: &str) -> Error {
    let (kind, next) = match status.as_u16() {
        200..=299 => (ErrorKind::Protocol, "the API promises 200 and no other success"),
        300..=399 => {
            let target = headers.get(LOCATION).and_then(|target| target.to_str().ok()).unwrap_or("nowhere");
            // A redirect may repeat the query, and with it a token.
            let target = target.split(['?', '#']).next().unwrap_or_default();
            let text = format!("HTTP {status}: redirected to {target}, which is not followed; use it as the base URL");
            return Error::new(ErrorKind::Rejected, text);
        }
        401 => (ErrorKind::Authentication, "refused before the API was asked, perhaps by a proxy"),
        403 => (ErrorKind::Rejected, "refused before the API was asked, perhaps by a proxy"),
        407 => (ErrorKind::Rejected, "a proxy asks for a user and a password: put them into its URL"),
        404 => (ErrorKind::Rejected, "no such path: is the base URL that of a SQLFlow backend?"),
        408 | 504 => (ErrorKind::Timeout, "the server did not finish in time"),
        413 => (ErrorKind::TooLarge, "the upload is larger than the server or a proxy takes"),
        429 | 503 => (ErrorKind::Busy, "try again later"),
        400..=499 => (ErrorKind::Rejected, "correct the request"),
        _ => (ErrorKind::Server, "the server or a proxy before it failed"),
    };
    let snippet = snippet(body);
    let said = if snippet.is_empty() { String::new() } else { format!(": {snippet}") };
    Error::new(kind, format!("HTTP {status} ({next}){said}"))
}

/// An answer that should be JSON and is not.
pub(crate) fn of_json(error: &serde_json::Error, body: &str) -> Error {
    let shown = snippet(body);
    if body.trim().is_empty() {
        return Error::new(ErrorKind::Protocol, "the answer is empty, where JSON was promised");
    }
    if body.trim_start().starts_with('<') {
        let text = format!("the answer is a page, where JSON was promised (a proxy or a login page?): {shown}");
        return Error::new(ErrorKind::Protocol, text);
    }
    if error.is_eof() {
        return cut_off(body.len());
    }
    let what = if error.is_syntax() { "no JSON" } else { "not of the expected shape" };
    Error::new(ErrorKind::Protocol, format!("the answer is {what} ({error}): {shown}"))
}

/// An answer with a secret in it that is not the JSON it should be: nothing of it is shown.
pub(super) fn of_secret_json(error: &serde_json::Error) -> Error {
    let place = format!("line {}, column {}", error.line(), error.column());
    Error::new(
        ErrorKind::Protocol,
        format!("the answer is not the JSON it should be, from {place} on; it is not shown"),
    )
}

/// How long the server asks to wait before the next call.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    // By the clock of the server, where it tells it: the local one may be wrong by hours.
    let told = headers.get(DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
    retry_after_at(headers, told.unwrap_or_else(SystemTime::now))
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
        of_status(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body)
    }

    #[test]
    fn a_page_of_a_proxy_is_shown_in_few_words() {
        let error = of(502, "<html>\n<head><title>502 Bad Gateway</title></head><body>nginx</body></html>");
        assert_eq!((error.kind(), error.status()), (ErrorKind::Server, Some(502)));
        assert!(error.to_string().ends_with(": 502 Bad Gateway nginx"), "{error}");
    }

    #[test]
    fn statuses_decide_what_to_do_next() {
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
    fn an_envelope_beside_a_bad_status_is_heard() {
        let error = of(429, r#"{"code":429,"error":"rate_limit_exceeded","message":"50 calls a day"}"#);
        assert_eq!((error.kind(), error.code(), error.status()), (ErrorKind::Busy, Some(429), Some(429)));
        assert!(error.to_string().contains("50 calls a day"), "{error}");
    }

    #[test]
    fn a_redirect_names_its_target_without_the_query() {
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, HeaderValue::from_static("https://other/x?token=hush"));
        let text = of_status(StatusCode::FOUND, &headers, "").to_string();
        assert!(text.contains("https://other/x,") && !text.contains("hush"), "{text}");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
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
    fn a_date_is_reckoned_by_the_clock_of_the_server() {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static("Sun, 06 Nov 1994 08:50:07 GMT"));
        headers.insert(DATE, HeaderValue::from_static("Sun, 06 Nov 1994 08:50:00 GMT"));
        assert_eq!(retry_after(&headers), Some(Duration::from_secs(7)));
    }

    #[test]
    fn json_that_is_cut_off_is_told_from_json_that_is_wrong() {
        let of = |body: &str| of_json(&serde_json::from_str::<Vec<u8>>(body).unwrap_err(), body);
        assert_eq!(of("[1,2").kind(), ErrorKind::Interrupted);
        assert_eq!(of("[1,}").kind(), ErrorKind::Protocol);
        assert_eq!(of("{}").kind(), ErrorKind::Protocol);
        assert_eq!(of("").kind(), ErrorKind::Protocol);
        assert_eq!(of(" <html>Sign in</html>").kind(), ErrorKind::Protocol);
    }

    #[test]
    fn a_long_body_is_never_shown_whole() {
        let text = of(500, &"x".repeat(100_000)).to_string();
        assert!(text.len() < 400, "{}", text.len());
    }
}
