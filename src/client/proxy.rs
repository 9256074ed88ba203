//! The proxy of a client: read from the builder or from the environment, and checked before anything is sent.
//!
//! reqwest reads the environment too, but it ignores a value that it cannot use, and connects directly. A proxy is a
//! decision about where requests go, so here such a value is an error. The matcher of hyper-util, which reqwest asks for
//! each request, says what can be used and which hosts are connected directly.

use std::env;
use std::ffi::OsString;
use std::fmt;

use form_urlencoded::parse;
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{Proxy, Url};

use crate::wire::Secret;
use crate::{Error, Result};

/// The variables for a scheme of the base URL. An empty one counts as unset.
const HTTP_VARIABLES: [&str; 4] = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
const HTTPS_VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const NO_PROXY_VARIABLES: [&str; 2] = ["NO_PROXY", "no_proxy"];
/// The variable that a client can set through a header `Proxy`, if the program is a CGI script.
const VARIABLE_OF_CGI: &str = "HTTP_PROXY";

/// The schemes of proxies that are built in.
const SCHEMES: &[&str] = if cfg!(feature = "socks") {
    &["http", "https", "socks4", "socks4a", "socks5", "socks5h"]
} else {
    &["http", "https"]
};
const SOCKS_SCHEMES: [&str; 4] = ["socks4", "socks4a", "socks5", "socks5h"];

/// The proxy to set up.
#[derive(Default)]
pub(super) struct ClientProxy {
    /// The proxy, or `None` to leave it to the settings of the platform.
    pub(super) proxy: Option<Proxy>,
    /// `true` if there must be no proxy, not even that of the platform.
    pub(super) is_direct: bool,
    /// The user and the password of the proxy, in every form in which a text may contain them.
    pub(super) secrets: Vec<Secret>,
}

impl ClientProxy {
    /// Reads the proxy that was passed to the builder.
    ///
    /// # Errors
    /// `InvalidInput` if it cannot be used.
    pub(super) fn given(text: &str) -> Result<Self> {
        Self::read(&"the proxy URL", text)
    }

    /// Reads the proxy of the environment for a base URL. `variable` returns the value of a variable.
    ///
    /// # Errors
    /// `InvalidInput` if the proxy that applies cannot be used.
    pub(super) fn of_environment(base_url: &str, variable: impl Fn(&str) -> Option<OsString>) -> Result<Self> {
        let set = |name: &&str| variable(name).filter(|value| !value.is_empty());
        let no_proxy = NO_PROXY_VARIABLES.iter().find_map(set).map(|hosts| hosts.to_string_lossy().into_owned());
        let no_proxy = no_proxy.unwrap_or_default();
        // Nothing but the base URL is ever connected to, so a proxy that it bypasses need not be usable.
        if !is_intercepted(base_url, "http://proxy", &no_proxy) {
            return Ok(Self { is_direct: true, ..Self::default() });
        }
        let is_cgi = variable("REQUEST_METHOD").is_some();
        let variables = if base_url.starts_with("https:") { HTTPS_VARIABLES } else { HTTP_VARIABLES };
        let mut usable = variables.into_iter().filter(|name| !(is_cgi && *name == VARIABLE_OF_CGI));
        let Some((name, value)) = usable.find_map(|name| Some((name, set(&name)?))) else { return Ok(Self::default()) };
        let source = format!("the proxy in the environment variable {name}");
        let Some(text) = value.to_str() else {
            return Err(unusable(&source, &"it is not valid UTF-8"));
        };
        Self::read(&source, text)
    }

    fn read(source: &dyn fmt::Display, text: &str) -> Result<Self> {
        let url = proxy_url(text).map_err(|fault| unusable(source, &fault))?;
        let secrets = credentials_in(&url);
        let proxy = Proxy::all(url).map_err(|error| unusable(source, &error.without_url()))?;
        Ok(Self { proxy: Some(proxy), is_direct: false, secrets })
    }
}

/// Returns `true` if requests to a URL go through this proxy, and not directly.
fn is_intercepted(url: &str, proxy: &str, no_proxy: &str) -> bool {
    let matcher = Matcher::builder().all(proxy).no(no_proxy).build();
    url.parse().is_ok_and(|url| matcher.intercept(&url).is_some())
}

/// Returns the value of an environment variable of this process.
pub(super) fn variable(name: &str) -> Option<OsString> {
    env::var_os(name)
}

/// Returns the error for a proxy that cannot be used. It does not show the URL, which may contain a password.
fn unusable(source: &dyn fmt::Display, fault: &dyn fmt::Display) -> Error {
    let schemes = SCHEMES.join(", ");
    let socks = if cfg!(feature = "socks") {
        ""
    } else {
        "; socks4, socks4a, socks5 and socks5h need the feature socks of sqlflow-client"
    };
    Error::invalid(format!(
        "cannot use {source}: {fault} (supported schemes: {schemes}{socks}); correct it, or connect directly with \
         without_proxy in the client builder"
    ))
}

/// Reads the URL of a proxy, or a host with or without a port, which speaks plain HTTP. Returns the fault of a text that
/// is neither.
fn proxy_url(text: &str) -> Result<Url, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    let url = if text.contains("://") { Url::parse(text) } else { Url::parse(&format!("http://{text}")) };
    let mut url = url.map_err(|error| error.to_string())?;
    let scheme = url.scheme();
    if !SCHEMES.contains(&scheme) {
        // What stands there may be anything, so only what looks like a scheme is shown.
        return Err(match scheme {
            _ if SOCKS_SCHEMES.contains(&scheme) => format!("the scheme {scheme} is not built in"),
            _ if scheme.len() <= 16 => format!("the scheme {scheme} is not supported"),
            _ => "its scheme is not supported".to_owned(),
        });
    }
    url.set_path("");
    url.set_query(None);
    url.set_fragment(None);
    if SOCKS_SCHEMES.contains(&url.scheme()) && url.port().is_none() {
        const SOCKS_PORT: u16 = 1080;
        url.set_port(Some(SOCKS_PORT)).map_err(|()| "it takes no port".to_owned())?;
    }
    if !is_intercepted("http://server", url.as_str(), "") {
        return Err("it has no host, or one that cannot be read".to_owned());
    }
    Ok(url)
}

/// Returns the user and the password in a proxy URL, and both together, as HTTP sends them in base64.
fn credentials_in(url: &Url) -> Vec<Secret> {
    let (user, password) = (decoded(url.username()), decoded(url.password().unwrap_or_default()));
    let both = format!("{user}:{password}");
    let parts = [both, password, user].into_iter().filter(|part| !part.is_empty() && part != ":");
    parts.map(Secret::from).collect()
}

/// Decodes the percent-encoding of a part of a URL.
fn decoded(part: &str) -> String {
    // A form reads `+` as a blank and ends a pair at `&`, unlike this part of a URL.
    let pair = part.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    parse(pair.as_bytes()).next().map(|(text, _)| text.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn in_environment(https: bool, variables: &[(&str, &str)]) -> Result<ClientProxy> {
        let value = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
        ClientProxy::of_environment(
            if https { "https://sqlflow.internal/api" } else { "http://sqlflow.internal" },
            value,
        )
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_an_error_that_names_its_origin_and_no_credentials() {
        for text in [
            "htp://ann:hush@proxy:3128",
            "ftp://ann:hush@proxy:3128",
            "tcp://ann:hush@proxy:3128",
            "unix:///run/ann:hush",
            "file:///ann:hush",
            "http://ann:hush@proxy:port",
            "http://ann:hush@",
            "http://",
            "http://ann:hush@pro xy",
            "http://ann:hush@a\"b:1",
            "ann:hush@proxy:port",
            "://hush",
            "hush-that-is-no-scheme-but-a-token://proxy",
            " ",
        ] {
            for name in HTTPS_VARIABLES {
                let error = in_environment(true, &[(name, text)]).err().expect(text).to_string();
                assert!(error.contains(name) && error.contains("http, https"), "{error}");
                assert!(error.contains("without_proxy") && !error.contains("hush"), "{error}");
            }
            let error = ClientProxy::given(text).err().expect(text);
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            let text = error.to_string();
            assert!(text.contains("the proxy URL") && text.contains("http, https") && !text.contains("hush"), "{text}");
        }
    }

    #[test]
    fn socks_is_a_scheme_only_if_it_is_built_in() {
        for scheme in SOCKS_SCHEMES {
            let read = ClientProxy::given(&format!("{scheme}://ann:hush@proxy"));
            assert_eq!(read.is_ok(), cfg!(feature = "socks"), "{scheme}");
            if let Err(error) = read {
                assert!(error.to_string().contains("feature socks"), "{error}");
            }
        }
    }

    #[test]
    fn the_first_variable_that_applies_decides_and_an_empty_one_is_unset() {
        let is_set = |https, variables: &[(&str, &str)]| in_environment(https, variables).map(|it| it.proxy.is_some());
        assert!(is_set(false, &[("HTTP_PROXY", ""), ("http_proxy", "p:1")]).unwrap());
        assert!(is_set(false, &[("HTTP_PROXY", "p:1"), ("ALL_PROXY", "ftp://p")]).unwrap());
        assert!(!is_set(false, &[("HTTPS_PROXY", "ftp://p")]).unwrap(), "it is for another scheme");
        assert!(!is_set(true, &[("HTTP_PROXY", "ftp://p")]).unwrap(), "it is for another scheme");
        assert!(is_set(true, &[("HTTPS_PROXY", "ftp://p"), ("ALL_PROXY", "p:1")]).is_err());
        assert!(is_set(true, &[("all_proxy", "ftp://p")]).is_err());
        assert!(!is_set(true, &[]).unwrap());
    }

    #[test]
    fn a_proxy_that_no_proxy_bypasses_need_not_be_usable() {
        for (no_proxy, is_bypassed) in
            [("sqlflow.internal", true), ("a, .internal", true), ("*", true), ("internal.example", false), ("", false)]
        {
            for name in NO_PROXY_VARIABLES {
                let read = in_environment(true, &[("HTTPS_PROXY", "ftp://p"), (name, no_proxy)]);
                assert_eq!(read.is_ok_and(|it| it.is_direct), is_bypassed, "{name}={no_proxy}");
            }
        }
    }

    #[test]
    fn a_cgi_script_takes_no_proxy_from_the_header_of_a_request() {
        let cgi = ("REQUEST_METHOD", "GET");
        assert!(in_environment(false, &[cgi, ("HTTP_PROXY", "evil:1")]).unwrap().proxy.is_none());
        assert!(in_environment(false, &[cgi, ("http_proxy", "p:1")]).unwrap().proxy.is_some());
        assert!(in_environment(true, &[cgi, ("HTTPS_PROXY", "ftp://p")]).is_err());
    }

    #[test]
    fn the_credentials_of_a_proxy_are_secrets_as_they_are_sent() {
        let read = ClientProxy::given("http://ann+b:h%40u%26s=h%2B@proxy").unwrap();
        let secrets: Vec<_> = read.secrets.iter().map(Secret::expose).collect();
        assert_eq!(secrets, ["ann+b:h@u&s=h+", "h@u&s=h+", "ann+b"]);
        assert!(ClientProxy::given("http://proxy").unwrap().secrets.is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_no_text_is_an_error() {
        use std::os::unix::ffi::OsStringExt as _;
        let value = |name: &str| (name == "HTTP_PROXY").then(|| OsString::from_vec(vec![0xff]));
        assert!(ClientProxy::of_environment("http://h", value).is_err());
    }
}
