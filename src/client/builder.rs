//! The builder of a client: limits, timeouts, TLS, proxy.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Client, TlsBackend, base_url, tls};
use crate::auth::TokenCache;
use crate::job::{JobService, Polling, Settling};
use crate::retry::{Retries, RetryBudget, RetryPolicy};
use crate::transport::{Limits, Transport};
use crate::{Credentials, Error, Result, api};

/// What the proxy of the vendor's on-premise installation allows a server to think.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(600);
const STALL_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Before servers close a connection that nobody uses, which Tomcat does after 20 seconds: a submit on a connection
/// that is just being closed has to be settled.
const IDLE: Duration = Duration::from_secs(15);
const ANSWER_BYTES: u64 = 4 << 30;
/// What the API takes in one submit.
const UPLOAD_BYTES: u64 = 200_000_000;

/// Puts a [`Client`] together.
#[must_use = "a builder does nothing until build"]
pub struct ClientBuilder {
    base_url: String,
    credentials: Credentials,
    limits: Limits,
    retries: Retries,
    polling: Polling,
    settling: Settling,
    /// How connections are made, unless a client is given that makes them.
    settings: Option<Settings>,
    given: Option<reqwest::Client>,
}

#[derive(Default)]
struct Settings {
    tls: TlsBackend,
    root_certificates: Vec<Vec<u8>>,
    connect_timeout: Option<Duration>,
    proxy: Option<Proxy>,
    user_agent: Option<String>,
}

enum Proxy {
    Url(String),
    None,
}

impl ClientBuilder {
    pub(super) fn new(base_url: String) -> Self {
        Self {
            base_url,
            credentials: Credentials::default(),
            limits: Limits {
                response_timeout: ANSWER_TIMEOUT,
                stall_timeout: STALL_TIMEOUT,
                max_response_bytes: ANSWER_BYTES,
                max_upload_bytes: UPLOAD_BYTES,
            },
            retries: Retries::default(),
            polling: Polling::default(),
            settling: Settling::default(),
            settings: None,
            given: None,
        }
    }

    /// Who asks. By default [`Credentials::on_premise`].
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = credentials;
        self
    }

    /// How long to wait for an answer after the last byte of an upload was given to the connection, which may hold some
    /// megabytes of it back on a slow line, or, of a request without files, from
    /// when it begins to be sent. By default 600 seconds, which is what the proxy of the vendor's on-premise
    /// installation allows.
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.limits.response_timeout = timeout;
        self
    }

    /// How long an answer may go silent between two of its bytes. By default 30 seconds. There is no timeout in
    /// total: large exports take their time.
    pub fn stall_timeout(mut self, timeout: Duration) -> Self {
        self.limits.stall_timeout = timeout;
        self
    }

    /// How many bytes of an answer are read into memory, after decompression. By default 4 GiB. Streams and files
    /// are not limited.
    pub fn max_response_bytes(mut self, bytes: u64) -> Self {
        self.limits.max_response_bytes = bytes;
        self
    }

    /// How many bytes of files are sent in one request. By default 200 MB (200,000,000), the limit of the API; a
    /// server of one's own may be set up for more.
    pub fn max_upload_bytes(mut self, bytes: u64) -> Self {
        self.limits.max_upload_bytes = bytes;
        self
    }

    /// How often jobs of this client are asked for their state.
    pub fn polling(mut self, polling: Polling) -> Self {
        self.polling = polling;
        self
    }

    /// How the outcome of a submit is found out whose answer was lost.
    pub fn settling(mut self, settling: Settling) -> Self {
        self.settling = settling;
        self
    }

    /// When calls that failed are made again. By default [`Backoff`](crate::retry::Backoff). What is repeated at all is
    /// no policy: see [`RetryPolicy`].
    pub fn retry(mut self, policy: impl RetryPolicy + 'static) -> Self {
        self.retries.policy = Some(Arc::new(policy));
        self
    }

    /// Makes each call once. (A refused token is renewed all the same, and the outcome of a submit found out.)
    pub fn without_retries(mut self) -> Self {
        self.retries.policy = None;
        self
    }

    /// What repeated calls are paid from, for all calls of this client and of others that are given a clone. By default
    /// one of its own.
    pub fn retry_budget(mut self, budget: RetryBudget) -> Self {
        self.retries.budget = budget;
        self
    }

    /// How long connecting may take, names and TLS included. By default 10 seconds.
    pub fn connect_timeout(self, timeout: Duration) -> Self {
        self.own(|settings| settings.connect_timeout = Some(timeout))
    }

    /// Trusts the certificates in a PEM file (or one in DER) beside those of the platform, for a server whose
    /// certificate was issued by an authority of one's own. May be called more than once.
    pub fn root_certificate(self, certificate: impl Into<Vec<u8>>) -> Self {
        self.own(|settings| settings.root_certificates.push(certificate.into()))
    }

    /// Which library does TLS. By default rustls, where the feature is on.
    pub fn tls_backend(self, backend: TlsBackend) -> Self {
        self.own(|settings| settings.tls = backend)
    }

    /// Sends everything through a proxy. By default those of the environment (`HTTPS_PROXY`, `NO_PROXY`, …) and the
    /// platform are used.
    pub fn proxy(self, url: impl Into<String>) -> Self {
        self.own(|settings| settings.proxy = Some(Proxy::Url(url.into())))
    }

    /// Uses no proxy, whatever the environment says.
    pub fn without_proxy(self) -> Self {
        self.own(|settings| settings.proxy = Some(Proxy::None))
    }

    /// What the client calls itself. By default `sqlflow-client/` and its version.
    pub fn user_agent(self, text: impl Into<String>) -> Self {
        self.own(|settings| settings.user_agent = Some(text.into()))
    }

    /// Makes requests with a client that the caller has set up (reqwest 0.13). It takes the place of all settings of
    /// connections here, which cannot be made beside it.
    ///
    /// It should have no total timeout, which would end long exports, and no read timeout, which would end long
    /// uploads. Whether redirects carry credentials elsewhere, and whether TLS is verified, is then its choice too. A
    /// program whose only TLS is the rustls of this crate has to install a cryptography provider before it builds such
    /// a client, or reqwest panics.
    pub fn http_client(mut self, client: reqwest::Client) -> Self {
        self.given = Some(client);
        self
    }

    /// The client.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) names what is wrong: a base URL with a query, an empty user
    /// id or secret, a certificate or a proxy that cannot be read.
    pub fn build(self) -> Result<Client> {
        let base_url = base_url::complete(&self.base_url)?;
        self.credentials.check()?;
        self.polling.check()?;
        self.settling.check()?;
        self.limits.check()?;
        let http = match (self.given, self.settings) {
            (Some(_), Some(_)) => {
                return Err(Error::invalid(
                    "an HTTP client is given, and settings of connections beside it, which it would not heed: make \
                     them in that client",
                ));
            }
            (Some(client), None) => client,
            (None, settings) => settings.unwrap_or_default().build(base_url.starts_with("https:"))?,
        };
        base_url::warn_of_plain_http(&base_url);
        let tokens = TokenCache::new(self.credentials);
        let transport = Transport::new(http.clone(), base_url.clone(), tokens, self.limits, self.retries);
        let api = api::Client::new_with_client(&base_url, http, transport);
        Ok(Client { service: JobService::new(api, self.polling, self.settling) })
    }

    fn own(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(self.settings.get_or_insert_default());
        self
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the base URL nor the proxy: before they are checked they may hold a password.
        f.debug_struct("ClientBuilder")
            .field("credentials", &self.credentials)
            .field("limits", &self.limits)
            .field("retries", &self.retries)
            .field("polling", &self.polling)
            .field("settling", &self.settling)
            .finish_non_exhaustive()
    }
}

impl Settings {
    fn build(self, https: bool) -> Result<reqwest::Client> {
        let agent = self.user_agent.unwrap_or_else(|| concat!("sqlflow-client/", env!("CARGO_PKG_VERSION")).to_owned());
        let mut builder = reqwest::Client::builder()
            .user_agent(agent)
            .connect_timeout(self.connect_timeout.unwrap_or(CONNECT_TIMEOUT))
            .pool_idle_timeout(IDLE)
            .redirect(reqwest::redirect::Policy::custom(follow))
            .referer(false);
        builder =
            match self.proxy {
                None => builder,
                Some(Proxy::None) => builder.no_proxy(),
                Some(Proxy::Url(url)) => builder.proxy(reqwest::Proxy::all(url).map_err(|error| {
                    Error::invalid(format!("the proxy URL cannot be read: {}", error.without_url()))
                })?),
            };
        builder = tls::configure(builder, self.tls, &self.root_certificates, https)?;
        builder
            .build()
            .map_err(|error| Error::invalid(format!("the HTTP client cannot be set up: {}", error.without_url())))
    }
}

/// Redirects are followed on the same server alone: a form that carries a token goes nowhere else, nor over plain HTTP.
/// And only those that repeat the request: the others would ask the new place without the form.
fn follow(attempt: reqwest::redirect::Attempt<'_>) -> reqwest::redirect::Action {
    const MOST: usize = 5;
    let origin = attempt.previous().first().map(reqwest::Url::origin);
    if attempt.previous().len() > MOST {
        attempt.error("too many redirects")
    } else if origin == Some(attempt.url().origin()) && matches!(attempt.status().as_u16(), 307 | 308) {
        attempt.follow()
    } else {
        attempt.stop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn debug_shows_no_secret() {
        let builder = Client::builder("http://user:hush@h")
            .credentials(Credentials::secret_key("ann", "hush"))
            .proxy("http://a:hush@p");
        assert!(!format!("{builder:?}").contains("hush"));
        let client = Client::builder("http://h").credentials(Credentials::secret_key("ann", "hush")).build().unwrap();
        let shown = format!("{client:?} {:?}", client.api());
        assert!(shown.contains("ann") && !shown.contains("hush"), "{shown}");
    }

    #[test]
    fn a_certificate_that_is_none_is_refused() {
        let error = Client::builder("https://h").root_certificate("not a certificate").build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("certificate"), "{error}");
    }

    #[test]
    fn a_proxy_that_is_no_url_is_refused_without_being_shown() {
        let error = Client::builder("https://h").proxy("http://user:hush@ no").build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
    }

    #[test]
    fn a_given_client_and_settings_it_would_not_heed_are_refused_together() {
        let given = Client::builder("http://h").build().unwrap().api().client.clone();
        let error = Client::builder("http://h").http_client(given).user_agent("x").build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }

    #[test]
    fn timeouts_of_no_time_are_refused_and_endless_ones_are_not() {
        let zero = Client::builder("http://h").response_timeout(Duration::ZERO).build().unwrap_err();
        assert!(zero.to_string().contains("answer timeout"), "{zero}");
        assert!(Client::builder("http://h").stall_timeout(Duration::ZERO).build().is_err());
        assert!(Client::builder("http://h").response_timeout(Duration::MAX).build().is_ok());
    }

    #[test]
    fn an_empty_secret_key_is_refused_before_anything_is_sent() {
        let error = Client::builder("h").credentials(Credentials::secret_key("u", "")).build().unwrap_err();
        assert!(error.to_string().contains("secret key is empty"), "{error}");
    }

    #[test]
    fn a_client_is_shared_between_threads() {
        fn shared<T: Send + Sync + Clone + 'static>() {}
        shared::<Client>();
    }

    #[test]
    fn clones_share_their_watches() {
        let client = Client::builder("h").build().unwrap();
        assert!(Arc::ptr_eq(client.service.poll_hub(), client.clone().service.poll_hub()));
        assert!(!Arc::ptr_eq(client.service.poll_hub(), Client::builder("h").build().unwrap().service.poll_hub()));
    }
}
