//! The base URL: every form that people write, completed to the one that operations are appended to.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Mutex;

use reqwest::Url;

use crate::sync::lock;
use crate::{Error, Result};

const CLOUD: &str = "api.gudusoft.com";
/// The ports of on-premise servers, by the vendor's documentation: version 5 and version 6.
const PORT_5: u16 = 8081;
const PORT_6: u16 = 8165;
const BACKEND: &str = "/gspLive_backend";
const API_BACKEND: &str = "/api/gspLive_backend";

/// The base URL that `text` means, without a trailing slash.
pub(super) fn complete(text: &str) -> Result<String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Error::invalid("the base URL is empty"));
    }
    let url = parse(text)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Error::invalid("the base URL carries a user or a password: they belong into Credentials"));
    }
    for (part, name) in [(url.query(), "query"), (url.fragment(), "fragment")] {
        if part.is_some() {
            // Not the part itself: it may hold a token.
            let before = url.as_str().split(['?', '#']).next().unwrap_or_default();
            return Err(Error::invalid(format!(
                "the base URL has a {name} after {before}, which no operation can be appended to: leave it out"
            )));
        }
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
        // Not the text itself: what cannot be read may hold a password.
        let before = text.split(['?', '#']).next().unwrap_or_default();
        let shown = if before.contains('@') { "the base URL".to_owned() } else { format!("the base URL {before:?}") };
        Error::invalid(format!("{shown} cannot be read ({error}): it takes a host, host:port, or http(s)://host/path"))
    };
    if text.contains("://") {
        let url = Url::parse(text).map_err(|error| unreadable(&error))?;
        return match url.scheme() {
            "http" | "https" => Ok(url),
            scheme => Err(Error::invalid(format!("the base URL has the scheme {scheme}: it takes http or https"))),
        };
    }
    let url = Url::parse(&format!("https://{text}")).map_err(|error| unreadable(&error))?;
    if is_plain(&url) { Url::parse(&format!("http://{text}")).map_err(|error| unreadable(&error)) } else { Ok(url) }
}

/// Whether a server given without a scheme is one that speaks plain HTTP.
fn is_plain(url: &Url) -> bool {
    is_near(url) || matches!(url.port(), Some(80 | PORT_5 | PORT_6))
}

/// Whether what is sent there stays on this machine or in its network, as far as an address tells.
fn is_near(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    match host.trim_start_matches('[').trim_end_matches(']').parse() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_private() || address.is_link_local(),
        Ok(IpAddr::V6(address)) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

/// Warns, once for each host, of a server whose tokens can be read on the way. A name without a dot is taken for one of
/// the own network.
pub(super) fn warn_of_plain_http(base_url: &str) {
    static WARNED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let Ok(url) = Url::parse(base_url) else { return };
    let host = url.host_str().unwrap_or_default();
    let is_own = is_near(&url) || !host.contains(['.', ':']);
    if url.scheme() == "http" && !is_own && lock(&WARNED).insert(host.to_owned()) {
        tracing::warn!(host, "plain HTTP over a public network: tokens and SQL can be read on the way, use https");
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::complete;
    use crate::{Client, ErrorKind};

    /// What was logged.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged while clients of these servers are built.
    fn logged(servers: &[&str]) -> String {
        let log = Log::default();
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
    fn plain_http_over_a_public_network_is_warned_of_once_for_each_host() {
        // Named here alone: whom a warning was given stays known as long as the process lives.
        let log = logged(&["http://one.example.com", "http://one.example.com:9000/api", "http://203.0.113.9"]);
        let warnings: Vec<_> = log.lines().filter(|line| line.contains("WARN")).collect();
        assert_eq!(warnings.len(), 2, "{log}");
        assert!(warnings[0].contains("one.example.com") && warnings[1].contains("203.0.113.9"), "{log}");
        assert!(warnings.iter().all(|warning| warning.contains("plain HTTP")), "{log}");
        assert!(!logged(&["http://one.example.com"]).contains("plain HTTP"));
    }

    #[test]
    fn plain_http_to_this_machine_or_its_network_and_https_are_not_warned_of() {
        let log = logged(&[
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
    fn every_form_that_people_write_is_completed() {
        for (text, expected) in [
            ("api.gudusoft.com", "https://api.gudusoft.com/gspLive_backend"),
            ("https://api.gudusoft.com/", "https://api.gudusoft.com/gspLive_backend"),
            ("https://api.gudusoft.com/api/gspLive_backend", "https://api.gudusoft.com/api/gspLive_backend"),
            ("https://api.gudusoft.com/gspLive_backend///", "https://api.gudusoft.com/gspLive_backend"),
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
    fn what_no_operation_can_be_appended_to_is_refused_by_name() {
        for (text, named) in [
            ("", "empty"),
            ("http://h/p?token=1", "query"),
            ("http://h/p#top", "fragment"),
            ("ftp://h", "ftp"),
            ("http://", "cannot be read"),
            ("http://h:port", "cannot be read"),
            ("http://u:hush@h", "user or a password"),
        ] {
            let error = complete(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text}");
            assert!(error.to_string().contains(named), "{text}: {error}");
            assert!(!error.to_string().contains("hush"), "{text}: {error}");
        }
    }

    #[test]
    fn a_secret_in_an_unreadable_url_is_not_shown() {
        for text in ["http://u:hush@h:port", "http://h:port/?token=hush", "h:port#hush"] {
            let error = complete(text).unwrap_err().to_string();
            assert!(!error.contains("hush"), "{error}");
        }
    }
}
