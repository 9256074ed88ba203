//! The base URL: completes every form that people write to the one that the paths of operations are appended to.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Mutex;

use reqwest::Url;

use crate::sync::lock;
use crate::{Error, Result};

const CLOUD: &str = "api.gudusoft.com";
/// The base URL of the API in the cloud.
pub(super) const CLOUD_URL: &str = "https://api.gudusoft.com/gspLive_backend";
/// The host of the web pages of the cloud, which has no API. The vendor's own clients take it for that of the API.
const CLOUD_WEB: &str = "sqlflow.gudusoft.com";
/// The port of an on-premise server of version 5, by the vendor's documentation.
const PORT_5: u16 = 8081;
/// The port of an on-premise server of version 6, by the vendor's documentation.
const PORT_6: u16 = 8165;
const BACKEND: &str = "/gspLive_backend";
const API_BACKEND: &str = "/api/gspLive_backend";

/// Completes a base URL. The result has no trailing slash.
pub(super) fn complete(text: &str) -> Result<String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Error::invalid("the base URL is empty"));
    }
    let url = parse(text)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Error::invalid("the base URL contains a user or a password: pass them as Credentials"));
    }
    for (part, name) in [(url.query(), "query"), (url.fragment(), "fragment")] {
        if part.is_some() {
            // The message leaves out the part itself, which may contain a token.
            let before = url.as_str().split(['?', '#']).next().unwrap_or_default();
            return Err(Error::invalid(format!(
                "the base URL has a {name} after {before}, so that no path can be appended to it: leave it out"
            )));
        }
    }
    if url.host_str() == Some(CLOUD_WEB) && url.port().is_none() {
        return Ok(CLOUD_URL.to_owned());
    }
    let path = match url.path().trim_end_matches('/') {
        "" if url.host_str() == Some(CLOUD) || url.port() == Some(PORT_5) => BACKEND,
        "" | "/api" => API_BACKEND,
        given => given,
    };
    Ok(format!("{}{path}", url.origin().ascii_serialization()))
}

fn parse(text: &str) -> Result<Url> {
    let unreadable = |error: &dyn std::fmt::Display| {
        // The message leaves out a text that may contain a password.
        let before = text.split(['?', '#']).next().unwrap_or_default();
        let shown = if before.contains('@') { "the base URL".to_owned() } else { format!("the base URL {before:?}") };
        Error::invalid(format!("cannot read {shown} ({error}): use a host, host:port, or http(s)://host/path"))
    };
    if text.contains("://") {
        let url = Url::parse(text).map_err(|error| unreadable(&error))?;
        return match url.scheme() {
            "http" | "https" => Ok(url),
            scheme => Err(Error::invalid(format!("the base URL has the scheme {scheme}: use http or https"))),
        };
    }
    let url = Url::parse(&format!("https://{text}")).map_err(|error| unreadable(&error))?;
    if speaks_plain_http(&url) {
        Url::parse(&format!("http://{text}")).map_err(|error| unreadable(&error))
    } else {
        Ok(url)
    }
}

/// Returns `true` if a server whose URL was given without a scheme speaks plain HTTP.
fn speaks_plain_http(url: &Url) -> bool {
    is_local(url) || matches!(url.port(), Some(80 | PORT_5 | PORT_6))
}

/// Returns `true` if requests stay on this machine or in its network, as far as the address shows.
fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    match host.trim_start_matches('[').trim_end_matches(']').parse() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_private() || address.is_link_local(),
        Ok(IpAddr::V6(address)) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

/// Logs a warning, once for each host, if plain HTTP exposes tokens to a public network. A host name without a dot
/// counts as part of the local network.
pub(super) fn warn_of_plain_http(base_url: &str) {
    static WARNED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let Ok(url) = Url::parse(base_url) else { return };
    let host = url.host_str().unwrap_or_default();
    let is_internal = is_local(&url) || !host.contains(['.', ':']);
    if url.scheme() == "http" && !is_internal && lock(&WARNED).insert(host.to_owned()) {
        tracing::warn!(
            target: "sqlflow_client::client",
            host,
            "plain HTTP over a public network exposes tokens and SQL: use https"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::complete;
    use crate::{Client, ErrorKind};

    /// A writer that keeps the log in memory.
    #[derive(Clone, Default)]
    struct LogBuffer(Arc<Mutex<Vec<u8>>>);

    impl Write for LogBuffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Builds clients of these servers, and returns what they log.
    fn log_of(servers: &[&str]) -> String {
        let log = LogBuffer::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, || {
            for server in servers {
                Client::builder(*server).build().unwrap();
            }
        });
        let bytes = log.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn plain_http_over_a_public_network_logs_one_warning_for_each_host() {
        // No other test uses these hosts, because the process remembers the hosts that it has warned about.
        let log = log_of(&["http://one.example.com", "http://one.example.com:9000/api", "http://203.0.113.9"]);
        let warnings: Vec<_> = log.lines().filter(|line| line.contains("WARN")).collect();
        assert_eq!(warnings.len(), 2, "{log}");
        assert!(warnings[0].contains("one.example.com") && warnings[1].contains("203.0.113.9"), "{log}");
        assert!(warnings.iter().all(|warning| warning.contains("plain HTTP")), "{log}");
        assert!(!log_of(&["http://one.example.com"]).contains("plain HTTP"));
    }

    #[test]
    fn plain_http_to_the_local_network_and_https_log_no_warning() {
        let log = log_of(&[
            "http://localhost:8165",
            "http://sqlflow.localhost",
            "http://127.0.0.1",
            "http://[::1]",
            "http://10.1.2.3",
            "http://172.16.0.1",
            "http://192.168.0.1",
            "http://[fd00::1]",
            "http://sqlflow:8165",
            "https://two.example.com",
            "two.example.com",
        ]);
        assert!(!log.contains("WARN"), "{log}");
    }

    #[test]
    fn every_form_of_a_base_url_is_completed() {
        for (text, expected) in [
            ("api.gudusoft.com", "https://api.gudusoft.com/gspLive_backend"),
            ("https://api.gudusoft.com/", "https://api.gudusoft.com/gspLive_backend"),
            ("https://api.gudusoft.com/api/gspLive_backend", "https://api.gudusoft.com/api/gspLive_backend"),
            ("https://api.gudusoft.com/gspLive_backend///", "https://api.gudusoft.com/gspLive_backend"),
            ("https://sqlflow.gudusoft.com", "https://api.gudusoft.com/gspLive_backend"),
            ("sqlflow.gudusoft.com", "https://api.gudusoft.com/gspLive_backend"),
            ("https://SQLFlow.gudusoft.com/", "https://api.gudusoft.com/gspLive_backend"),
            ("http://sqlflow.gudusoft.com:80/login", "https://api.gudusoft.com/gspLive_backend"),
            ("http://sqlflow:8165", "http://sqlflow:8165/api/gspLive_backend"),
            ("sqlflow:8165", "http://sqlflow:8165/api/gspLive_backend"),
            ("sqlflow:8081", "http://sqlflow:8081/gspLive_backend"),
            ("10.0.0.7:9000", "http://10.0.0.7:9000/api/gspLive_backend"),
            ("sqlflow.example.com:80", "http://sqlflow.example.com/api/gspLive_backend"),
            ("localhost:9000/", "http://localhost:9000/api/gspLive_backend"),
            ("[::1]:9000", "http://[::1]:9000/api/gspLive_backend"),
            ("sqlflow.example.com", "https://sqlflow.example.com/api/gspLive_backend"),
            ("https://sqlflow.example.com/api/", "https://sqlflow.example.com/api/gspLive_backend"),
            ("https://example.com/tools/sqlflow/gspLive_backend/", "https://example.com/tools/sqlflow/gspLive_backend"),
            ("  http://HOST:80/  ", "http://host/api/gspLive_backend"),
        ] {
            assert_eq!(complete(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn an_error_names_the_fault_in_an_unusable_base_url() {
        for (text, named) in [
            ("", "empty"),
            ("http://h/p?token=1", "query"),
            ("http://h/p#top", "fragment"),
            ("ftp://h", "ftp"),
            ("http://", "cannot read"),
            ("http://h:port", "cannot read"),
            ("http://u:hush@h", "user or a password"),
        ] {
            let error = complete(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text}");
            assert!(error.to_string().contains(named), "{text}: {error}");
            assert!(!error.to_string().contains("hush"), "{text}: {error}");
        }
    }

    #[test]
    fn the_error_about_an_unreadable_url_shows_no_secret() {
        for text in ["http://u:hush@h:port", "http://h:port/?token=hush", "h:port#hush"] {
            let error = complete(text).unwrap_err().to_string();
            assert!(!error.contains("hush"), "{error}");
        }
    }
}
