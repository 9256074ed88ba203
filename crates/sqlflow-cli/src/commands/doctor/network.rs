//! The way to a server: names, connections, proxies, TLS, and clocks.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use hyper_util::client::proxy::matcher::Matcher;
use serde_json::Value;
use sqlflow_client::api::ResponseValue;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The time for a name to be resolved, and for a connection to be made.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The host and the port of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: u16,
}

impl Target {
    /// Takes the URL of a server or of a proxy apart.
    pub(super) fn of(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let authority = rest.split(['/', '?', '#']).next()?;
        let address = authority.rsplit_once('@').map_or(authority, |(_, address)| address);
        let default = match scheme {
            "https" => 443,
            scheme if scheme.starts_with("socks") => 1080,
            _ => 80,
        };
        let (host, port) = match address.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, rest)) => (host, rest.strip_prefix(':')),
            None => address.split_once(':').map_or((address, None), |(host, port)| (host, Some(port))),
        };
        let port = port.filter(|port| !port.is_empty()).map_or(Some(default), |port| port.parse().ok())?;
        (!host.is_empty()).then(|| Self { host: host.to_owned(), port })
    }

    /// Returns the addresses of the host.
    ///
    /// # Errors
    /// The name does not exist, or no name server responds.
    pub(super) async fn resolve(&self) -> Result<Vec<SocketAddr>, String> {
        let found = timeout(TIMEOUT, tokio::net::lookup_host((self.host.as_str(), self.port))).await;
        let addresses = found.map_err(|_| format!("no answer from the name server within {TIMEOUT:?}"))?;
        let mut addresses: Vec<_> = addresses.map_err(|error| error.to_string())?.collect();
        addresses.dedup();
        if addresses.is_empty() { Err("the name has no address".to_owned()) } else { Ok(addresses) }
    }
}

/// Connects to the first address that accepts a connection, and returns the time that it took.
///
/// # Errors
/// None of them does; the error is the last one.
pub(super) async fn connect(addresses: &[SocketAddr]) -> Result<Duration, io::Error> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        let started = Instant::now();
        match timeout(TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(_)) => return Ok(started.elapsed()),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {TIMEOUT:?}")),
        }
    }
    Err(last)
}

/// Returns the next thing to do after a connection that failed.
pub(super) fn help_for(error: &io::Error, whose: &str, is_proxy: bool) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            format!("nothing listens on this port: check that the {whose} runs, and that the port is right")
        }
        io::ErrorKind::TimedOut if is_proxy => "check the address of the proxy, or use --no-proxy".to_owned(),
        io::ErrorKind::TimedOut => "a firewall may be on the way: check it, or pass --proxy URL".to_owned(),
        _ => "check the network, a VPN, and firewalls".to_owned(),
    }
}

/// Returns the next thing to do after a TLS handshake that failed, by the words of the libraries for TLS.
pub(super) fn help_for_tls(message: &str) -> String {
    let message = message.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    let help =
        if has(&["unknownissuer", "unknown issuer", "not trusted", "self-signed", "self signed", "unable to get"]) {
            "the issuer of the certificate is not trusted: pass --ca-file with its root certificate as PEM"
        } else if has(&["expired", "notvalidyet", "not valid yet"]) {
            "the certificate is not valid now: renew it on the server, or set the clock of this machine"
        } else if has(&["notvalidforname", "not valid for name", "hostname mismatch"]) {
            "the certificate is for another host: use the name that is in the certificate"
        } else if has(&["invalidcontenttype", "corrupt message", "wrong version number"]) {
            "this port speaks no TLS: use http:// in the URL, or another port"
        } else {
            "check the URL, the certificate of the server, and proxies on the way"
        };
    help.to_owned()
}

/// Returns the proxy that the environment names for a URL, without its password.
pub(super) fn proxy_of_environment(url: &str) -> Option<String> {
    let matcher = Matcher::from_env();
    let proxy = url.parse().ok().and_then(|url| matcher.intercept(&url))?;
    Some(proxy.uri().to_string().trim_end_matches('/').to_owned())
}

/// Returns the version in the data of a response: a text, or an object with a version.
pub(super) fn version_in(data: &Value) -> Option<String> {
    match data {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Object(object) => {
            ["version", "serverVersion", "sqlflowVersion"].iter().find_map(|name| version_in(object.get(*name)?))
        }
        _ => None,
    }
}

/// The difference between the clock of the server and the local one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClockDifference {
    pub(super) by: Duration,
    is_ahead: bool,
}

impl fmt::Display for ClockDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The header has whole seconds.
        if self.by <= Duration::from_secs(2) {
            return f.write_str("agrees with that of the server");
        }
        let by = humantime::format_duration(Duration::from_secs(self.by.as_secs()));
        let direction = if self.is_ahead { "ahead of" } else { "behind" };
        write!(f, "the server is {by} {direction} this machine")
    }
}

/// Compares the `Date` of a response with the local clock; `asked` is the local time of the request.
pub(super) fn clock_difference<T>(response: &ResponseValue<T>, asked: SystemTime) -> Option<ClockDifference> {
    date(response.headers().get("date")?.to_str().ok()?, asked)
}

fn date(header: &str, asked: SystemTime) -> Option<ClockDifference> {
    let server = httpdate::parse_http_date(header).ok()?;
    let local = asked + asked.elapsed().unwrap_or_default() / 2;
    Some(match server.duration_since(local) {
        Ok(by) => ClockDifference { by, is_ahead: true },
        Err(before) => ClockDifference { by: before.duration(), is_ahead: false },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        for (url, host, port) in [
            ("https://api.gudusoft.com/gspLive_backend", "api.gudusoft.com", 443),
            ("http://localhost:8165/api", "localhost", 8165),
            ("http://[::1]:8165/api", "::1", 8165),
            ("proxy:3128", "proxy", 3128),
            ("http://ann:ti:ger@proxy", "proxy", 80),
            ("socks5://proxy", "proxy", 1080),
        ] {
            assert_eq!(Target::of(url), Some(Target { host: host.to_owned(), port }), "{url}");
        }
        assert_eq!(Target::of("http://:80"), None);
    }

    #[test]
    fn clocks_are_compared_in_both_directions() {
        let now = SystemTime::now();
        let header = |time| httpdate::fmt_http_date(time);
        assert_eq!(date(&header(now), now).unwrap().to_string(), "agrees with that of the server");
        let ahead = date(&header(now + Duration::from_secs(600)), now).unwrap();
        assert!(ahead.to_string().contains("ahead of this machine"), "{ahead}");
        let behind = date(&header(now - Duration::from_secs(600)), now).unwrap();
        assert!(behind.to_string().contains("behind this machine") && behind.by > Duration::from_secs(590), "{behind}");
        assert_eq!(date("tomorrow", now), None);
    }

    #[test]
    fn the_help_for_tls_says_what_is_wrong() {
        for (message, help) in [
            ("invalid peer certificate: UnknownIssuer", "--ca-file"),
            ("invalid peer certificate: certificate expired", "clock"),
            ("certificate not valid for name \"x\"", "another host"),
            ("received corrupt message of type InvalidContentType", "http://"),
            ("broken pipe", "check the URL"),
        ] {
            assert!(help_for_tls(message).contains(help), "{message}");
        }
    }
}
