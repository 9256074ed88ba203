//! The HTTP endpoint that accepts OpenLineage events.

use std::env;
use std::error::Error as _;
use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use clap::Args;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Certificate, Client, Proxy, Response, StatusCode, Url, redirect};
use sqlflow_client::api::operations;
use sqlflow_client::retry::{Attempt, Backoff, RetryPolicy as _};
use sqlflow_client::{Error, ErrorKind, Secret};

use crate::arguments::{ServerArguments, duration};
use crate::exit::{Exit, Failure, Outcome};
use crate::messages::Messages;
use crate::settings::SecretSource;

/// The path of the API by default, as in the OpenLineage clients.
const DEFAULT_ENDPOINT: &str = "api/v1/lineage";
/// The longest pause that a server can ask for with `Retry-After`, as in the library.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(120);
/// A response is read up to this many bytes.
const MAX_READ: usize = 64 * 1024;
/// A response is shown up to this many characters.
const MAX_SHOWN: usize = 300;

/// The endpoint that events are sent to.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Endpoint")]
#[allow(clippy::doc_markdown, reason = "these comments are the text of the help")]
pub(super) struct EndpointArguments {
    /// Base URL of the data catalog [env: OPENLINEAGE_URL]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Path under the URL [env: OPENLINEAGE_ENDPOINT]
    /// [default: api/v1/lineage]
    #[arg(long, value_name = "PATH")]
    endpoint: Option<String>,
    /// File with the API key, instead of OPENLINEAGE_API_KEY
    #[arg(long, value_name = "FILE")]
    api_key_file: Option<PathBuf>,
    /// Shell command that prints the API key
    #[arg(long, value_name = "COMMAND", conflicts_with = "api_key_file")]
    api_key_command: Option<String>,
    /// Time limit of each request
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "30s")]
    timeout: Duration,
    /// Attempts to send each event
    #[arg(
        long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..), default_value_t = 6
    )]
    max_attempts: u32,
}

/// Returns the value of an environment variable, unless it is empty.
///
/// # Errors
/// It is not Unicode.
pub(super) fn variable(name: &str) -> Outcome<Option<String>> {
    match env::var_os(name).filter(|value| !value.is_empty()).map(std::ffi::OsString::into_string) {
        None => Ok(None),
        Some(Ok(value)) => Ok(Some(value)),
        Some(Err(_)) => Err(Failure::usage(format!("the environment variable {name} is not Unicode"))),
    }
}

/// An endpoint, and the client that sends events to it.
pub(super) struct Endpoint {
    client: Client,
    url: Url,
    /// The URL without its query, which may contain a token.
    shown: String,
    key: Option<Secret>,
    backoff: Backoff,
    timeout: Duration,
}

/// A response that does not accept an event, or the lack of one.
pub(super) struct Refusal {
    pub(super) status: Option<u16>,
    pub(super) failure: Failure,
    is_retryable: bool,
    retry_after: Option<Duration>,
}

impl Endpoint {
    /// Creates the client. Nothing is sent yet.
    ///
    /// # Errors
    /// There is no URL, or it cannot be used, or the API key cannot be read.
    pub(super) fn open(arguments: &EndpointArguments, server: &ServerArguments, messages: &Messages) -> Outcome<Self> {
        let base = match &arguments.url {
            Some(url) => Some(url.clone()),
            None => variable("OPENLINEAGE_URL")?,
        };
        let Some(base) = base else {
            return Err(Failure::usage("no endpoint is given").help(
                "pass --url, such as --url http://localhost:5000, or set OPENLINEAGE_URL; --dry-run needs none",
            ));
        };
        let path = match &arguments.endpoint {
            Some(path) => Some(path.clone()),
            None => variable("OPENLINEAGE_ENDPOINT")?,
        };
        let url = event_url(&base, path.as_deref().unwrap_or(DEFAULT_ENDPOINT))?;
        let source = match (&arguments.api_key_file, &arguments.api_key_command) {
            (Some(path), _) => Some(SecretSource::File(path.clone())),
            (None, Some(command)) => Some(SecretSource::Command(command.clone())),
            (None, None) => variable("OPENLINEAGE_API_KEY")?
                .is_some()
                .then(|| SecretSource::Variable("OPENLINEAGE_API_KEY".to_owned())),
        };
        let key = source.as_ref().map(SecretSource::read).transpose()?;
        let mut shown = url.clone();
        shown.set_query(None);
        let shown = shown.to_string();
        if key.is_some() && url.scheme() == "http" && is_public(&url) {
            messages.warning(format_args!("plain HTTP over a public network exposes the API key: use https ({shown})"));
        }
        let client = client(&url, key.as_ref(), source.as_ref(), server)?;
        let backoff = Backoff::new().max_attempts(arguments.max_attempts);
        Ok(Self { client, url, shown, key, backoff, timeout: arguments.timeout })
    }

    /// Returns the URL as it may be shown.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// Sends an event, and retries what may succeed later. An event that is sent twice counts once. Returns the number
    /// of attempts, and the status of the response that accepts the event.
    pub(super) async fn post(&self, event: &str) -> (u32, Result<u16, Refusal>) {
        let start = Instant::now();
        let mut number = 1;
        loop {
            let refusal = match self.attempt(event).await {
                Ok(status) => return (number, Ok(status)),
                Err(refusal) => refusal,
            };
            match self.pause(&refusal, number, start.elapsed()) {
                Some(pause) => {
                    tracing::info!(attempt = number, ?pause, "{}: retrying", refusal.failure.message);
                    tokio::time::sleep(pause).await;
                }
                None => return (number, Err(after(refusal, number))),
            }
            number += 1;
        }
    }

    /// Returns the pause before the next attempt: that of the library, in addition to that which the server asks for.
    fn pause(&self, refusal: &Refusal, number: u32, elapsed: Duration) -> Option<Duration> {
        let requested = refusal.retry_after.unwrap_or_default();
        if !refusal.is_retryable || requested > MAX_RETRY_AFTER {
            return None;
        }
        // The policy asks for the number only, not for the operation.
        let busy = Error::from(ErrorKind::Busy);
        let failed = Attempt::new(&operations::SUBMIT_USER_JOB, number, elapsed, &busy);
        Some(requested + self.backoff.pause(&failed)?)
    }

    async fn attempt(&self, event: &str) -> Result<u16, Refusal> {
        let request = self.client.post(self.url.clone()).body(event.to_owned()).timeout(self.timeout);
        let mut response = request.send().await.map_err(|error| self.unanswered(&error))?;
        let status = response.status();
        let body = body(&mut response).await;
        if status.is_success() && is_page(response.headers(), &body) {
            let shown = &self.shown;
            let failure =
                Failure::error(format!("{shown} answered with a web page, and not as an OpenLineage endpoint"))
                    .help("check the URL and the path: --url and --endpoint");
            return Err(Refusal { failure, is_retryable: false, retry_after: None, status: Some(status.as_u16()) });
        }
        if status.is_success() {
            tracing::info!(status = status.as_u16(), "the endpoint accepted an event");
            return Ok(status.as_u16());
        }
        Err(self.refused(status, response.headers(), &body))
    }

    fn unanswered(&self, error: &reqwest::Error) -> Refusal {
        let mut source = error.source();
        let mut cause = String::new();
        while let Some(inner) = source {
            cause = inner.to_string();
            source = inner.source();
        }
        let shown = &self.shown;
        let failure = if error.is_connect() {
            Failure::new(Exit::Unreachable, format!("cannot connect to {shown}: {}", self.fit(&cause)))
                .help("check the URL, the proxy and that the catalog is running")
        } else if error.is_timeout() {
            Failure::error(format!("{shown} did not respond within {}", humantime::format_duration(self.timeout)))
                .help("raise --timeout")
        } else {
            let cause = if cause.is_empty() { "the request failed" } else { &cause };
            Failure::error(format!("the connection to {shown} broke: {}", self.fit(cause)))
        };
        Refusal { status: None, failure, is_retryable: !error.is_builder(), retry_after: None }
    }

    fn refused(&self, status: StatusCode, headers: &HeaderMap, body: &str) -> Refusal {
        let mut message = format!("{} responded {status}", self.shown);
        let body = self.fit(body);
        if !body.is_empty() {
            message = format!("{message}: {body}");
        }
        let exit = match status.as_u16() {
            401 | 403 => Exit::Authentication,
            _ => Exit::Error,
        };
        let mut failure = Failure::new(exit, message);
        failure.help = match status.as_u16() {
            401 | 403 if self.key.is_some() => Some("check the API key, and that it may write lineage".to_owned()),
            401 | 403 => Some("set OPENLINEAGE_API_KEY, or pass --api-key-file or --api-key-command".to_owned()),
            404 | 405 => Some(format!(
                "check --url and --endpoint: Marquez has {DEFAULT_ENDPOINT}, DataHub \
                 openapi/openlineage/api/v1/lineage"
            )),
            300..=399 => {
                // A redirected POST becomes a GET, and the event is lost.
                let location = headers.get(LOCATION).and_then(|location| location.to_str().ok());
                let location = location.and_then(|location| location.split(['?', '#']).next()).unwrap_or("another URL");
                Some(format!("the endpoint has moved to {location}: use that as --url"))
            }
            _ => None,
        };
        Refusal {
            status: Some(status.as_u16()),
            failure,
            is_retryable: matches!(status.as_u16(), 408 | 429 | 502..=504),
            retry_after: retry_after(headers, SystemTime::now()),
        }
    }

    /// Returns a text of the server as it may be shown: short, on one line and without the API key.
    fn fit(&self, text: &str) -> String {
        let text = match &self.key {
            Some(key) => text.replace(key.expose(), "***"),
            None => text.to_owned(),
        };
        let words: Vec<_> =
            text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
        let text = words.join(" ");
        match text.char_indices().nth(MAX_SHOWN) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    }
}

/// Returns `true` if a response is a page for people, such as the start page of a catalog or the login of a proxy.
fn is_page(headers: &HeaderMap, body: &str) -> bool {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("text/html") || body.trim_start().starts_with('<')
}

/// Says how often the sending was tried, and names a pause that is too long to wait for.
fn after(mut refusal: Refusal, attempts: u32) -> Refusal {
    if attempts > 1 {
        refusal.failure.message = format!("{} (tried {attempts} times)", refusal.failure.message);
    }
    if let Some(pause) = refusal.retry_after.filter(|pause| refusal.is_retryable && *pause > MAX_RETRY_AFTER) {
        refusal.failure.help = Some(format!("the server asks to wait {}", humantime::format_duration(pause)));
    }
    refusal
}

/// Returns the URL that events are sent to.
fn event_url(base: &str, path: &str) -> Outcome<Url> {
    // A text that cannot be read may contain a password.
    let shown = || base.split(['?', '#']).next().filter(|text| !text.contains('@')).unwrap_or("the URL").to_owned();
    let unusable = |reason: &str| {
        Failure::usage(format!("cannot send to {}: {reason}", shown())).help("use a URL such as http://localhost:5000")
    };
    let base = base.trim();
    let mut url = Url::parse(base).map_err(|error| unusable(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(unusable("it does not begin with http:// or https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Failure::usage("the URL of the endpoint contains a user or a password")
            .help("set OPENLINEAGE_API_KEY, or pass --api-key-file or --api-key-command"));
    }
    if url.fragment().is_some() {
        return Err(unusable("it has a fragment (#)"));
    }
    let path = format!("{}/{}", url.path().trim_end_matches('/'), path.trim().trim_start_matches('/'));
    url.set_path(&path);
    Ok(url)
}

/// Creates the client, with the same TLS as the library.
fn client(url: &Url, key: Option<&Secret>, source: Option<&SecretSource>, server: &ServerArguments) -> Outcome<Client> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let (Some(key), Some(source)) = (key, source) {
        let mut value = HeaderValue::try_from(format!("Bearer {}", key.expose())).map_err(|_| {
            Failure::new(Exit::Authentication, format!("{source}: an API key cannot contain line breaks"))
        })?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    let mut builder = Client::builder()
        .default_headers(headers)
        .redirect(redirect::Policy::none())
        .user_agent(concat!("sqlflow-cli/", env!("CARGO_PKG_VERSION")));
    if server.no_proxy {
        builder = builder.no_proxy();
    } else if let Some(proxy) = &server.proxy {
        let proxy = Proxy::all(proxy)
            .map_err(|error| Failure::usage(format!("--proxy cannot be used: {}", error.without_url())))?;
        builder = builder.proxy(proxy);
    }
    if url.scheme() == "http" {
        // A machine without root certificates, for example a small container, can still use plain HTTP.
        builder = builder.tls_certs_only([]);
    } else if let Some(path) = &server.ca_file {
        let failed = |error: String| Failure::usage(format!("{}: {error}", path.display()));
        let pem = fs::read(path).map_err(|error| failed(error.to_string()))?;
        let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| failed(error.to_string()))?;
        if certificates.is_empty() {
            return Err(failed("there is no certificate in this file".to_owned()));
        }
        builder = builder.tls_certs_merge(certificates);
    }
    builder.build().map_err(|error| {
        let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        Failure::error(format!("cannot set up HTTP: {cause}"))
    })
}

/// Returns `true` if requests leave this machine and its network, as far as the address shows. The rule is that of the
/// library: a host name without a dot counts as part of the local network.
fn is_public(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    match host.trim_start_matches('[').trim_end_matches(']').parse() {
        Ok(IpAddr::V4(address)) => !(address.is_loopback() || address.is_private() || address.is_link_local()),
        Ok(IpAddr::V6(address)) => {
            !(address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local())
        }
        Err(_) => host.contains('.') && !host.ends_with(".localhost"),
    }
}

/// Reads the beginning of a response. What cannot be read is missing, because it only explains a status.
async fn body(response: &mut Response) -> String {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MAX_READ {
            break;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Returns the pause that a server asks for, in seconds or as a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    Some(httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_appended_to_the_url() {
        for (base, path, expected) in [
            ("http://localhost:5000", DEFAULT_ENDPOINT, "http://localhost:5000/api/v1/lineage"),
            ("http://localhost:5000/", "/api/v1/lineage", "http://localhost:5000/api/v1/lineage"),
            ("https://h/tools/marquez", "lineage", "https://h/tools/marquez/lineage"),
            ("https://h/?code=x", "lineage", "https://h/lineage?code=x"),
        ] {
            assert_eq!(event_url(base, path).unwrap().as_str(), expected);
        }
    }

    #[test]
    fn the_error_about_an_unusable_url_shows_no_secret() {
        for base in ["http://u:hush@h", "h?hush", "ftp://u:hush@h", "http://h/#hush", "", "localhost:5000"] {
            let error = event_url(base, "x").unwrap_err();
            assert!(error.exit == Exit::Usage && !error.message.contains("hush"), "{base}: {error}");
        }
    }

    #[test]
    fn a_page_for_people_is_recognized() {
        for (media_type, body, expected) in [
            ("text/html; charset=utf-8", "", true),
            ("Text/HTML", "ok", true),
            ("text/plain", "\n<!DOCTYPE HTML><p>Hello", true),
            ("application/json", "{}", false),
            ("text/plain", "", false),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media_type))]);
            assert_eq!(is_page(&headers, body), expected, "{media_type} {body}");
        }
    }

    #[test]
    fn hosts_with_a_dot_are_public() {
        let is_public = |url: &str| super::is_public(&Url::parse(url).unwrap());
        for local in ["http://localhost", "http://marquez:5000", "http://10.0.0.1", "http://[::1]", "http://127.0.0.1"]
        {
            assert!(!is_public(local), "{local}");
        }
        assert!(is_public("http://marquez.example.com") && is_public("http://8.8.8.8"));
    }

    #[test]
    fn a_retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777 - 9);
        for (text, pause) in [("7", Some(7)), ("Sun, 06 Nov 1994 08:49:37 GMT", Some(9)), ("soon", None)] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
            assert_eq!(retry_after(&headers, now), pause.map(Duration::from_secs), "{text}");
        }
    }
}
