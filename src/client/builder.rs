//! The builder of a client: credentials, limits, timeouts, retries, TLS and proxy.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::proxy::{self, ClientProxy};
use super::{Client, TlsBackend, base_url, tls};
use crate::auth::TokenCache;
use crate::job::{JobService, Polling, Settling};
use crate::retry::{Retries, RetryBudget, RetryPolicy};
use crate::transport::{RequestLimits, Transport};
use crate::wire::{Secret, ServerTimeZone};
use crate::{Credentials, Error, Result, api};

/// The time that the proxy in the vendor's on-premise installation gives a server to respond.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(600);
const STALL_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Shorter than the time after which servers close an idle connection (20 seconds for Tomcat): a submission on a
/// connection that is just being closed has to be settled.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);
const SMALL_RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);
const MAX_RESPONSE_BYTES: u64 = 4 << 30;
/// A list of 100,000 jobs has about 60 MB.
const MAX_LIST_BYTES: u64 = 256 << 20;
/// The limit of the API for one submission.
const MAX_UPLOAD_BYTES: u64 = 200_000_000;

/// A builder of a [`Client`], from [`Client::builder`].
///
/// Every setting has a default, so that a base URL is enough for a self-hosted server without user accounts. Building
/// sends nothing.
///
/// ```
/// use std::time::Duration;
/// use sqlflow_client::{Client, Credentials};
///
/// let sqlflow = Client::builder("sqlflow.internal:8165")
///     .credentials(Credentials::secret_key("ann", "…"))
///     .response_timeout(Duration::from_secs(1800))
///     .max_upload_bytes(500_000_000)
///     .without_proxy()
///     .build()?;
/// assert_eq!(sqlflow.base_url(), "http://sqlflow.internal:8165/api/gspLive_backend");
/// # Ok::<(), sqlflow_client::Error>(())
/// ```
///
/// A clone is a builder with the same settings, for several clients that differ in a few of them.
#[derive(Clone)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct ClientBuilder {
    base_url: String,
    credentials: Credentials,
    limits: RequestLimits,
    policy: Option<Arc<dyn RetryPolicy>>,
    /// The budget, or `None` if each client gets a new one.
    budget: Option<RetryBudget>,
    polling: Polling,
    settling: Settling,
    server_time_zone: Option<String>,
    /// The settings for connections, if one was set. They exclude `http_client`.
    connection: Option<ConnectionSettings>,
    http_client: Option<reqwest::Client>,
}

#[derive(Clone, Default)]
struct ConnectionSettings {
    tls: TlsBackend,
    root_certificates: Vec<Vec<u8>>,
    connect_timeout: Option<Duration>,
    proxy: Option<ProxyChoice>,
    user_agent: Option<String>,
}

#[derive(Clone)]
enum ProxyChoice {
    Url(String),
    None,
}

impl ClientBuilder {
    pub(super) fn new(base_url: String) -> Self {
        Self {
            base_url,
            credentials: Credentials::default(),
            limits: RequestLimits {
                response_timeout: RESPONSE_TIMEOUT,
                stall_timeout: STALL_TIMEOUT,
                small_response_timeout: SMALL_RESPONSE_TIMEOUT,
                max_response_bytes: MAX_RESPONSE_BYTES,
                max_list_bytes: MAX_LIST_BYTES,
                max_upload_bytes: MAX_UPLOAD_BYTES,
                has_silent_tls: false,
            },
            policy: Retries::default().policy,
            budget: None,
            polling: Polling::default(),
            settling: Settling::default(),
            server_time_zone: None,
            connection: None,
            http_client: None,
        }
    }

    /// Sets the credentials. The default is [`Credentials::on_premise`].
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = credentials;
        self
    }

    /// Sets the time to wait for the beginning of a response. The default is 600 seconds, which is what the proxy in
    /// the vendor's on-premise installation allows.
    ///
    /// The time begins when the request begins to be sent, or, for an upload, when its last byte was given to the
    /// connection, which may buffer some megabytes of it on a slow line.
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.limits.response_timeout = timeout;
        self
    }

    /// Sets the time for which a response may be silent between two of its bytes. The default is 30 seconds.
    ///
    /// There is no timeout for a whole export or lineage, because large ones take long. All other responses have one:
    /// [`small_response_timeout`](Self::small_response_timeout).
    pub fn stall_timeout(mut self, timeout: Duration) -> Self {
        self.limits.stall_timeout = timeout;
        self
    }

    /// Sets the time in which a small response has to arrive completely, counted from its first byte. The default is 60
    /// seconds.
    ///
    /// Small responses are those to requests for a token or the state of a job, to a submission, and to every other
    /// change. A list of jobs that is read into memory has five times as long, a stream of jobs and a lineage have no
    /// such limit, and an upload takes the time that it takes. A response that is too slow is a
    /// [`Timeout`](crate::ErrorKind::Timeout): reads are retried, and a submission is
    /// [settled](crate::job::Settling), because the server may have executed it.
    pub fn small_response_timeout(mut self, timeout: Duration) -> Self {
        self.limits.small_response_timeout = timeout;
        self
    }

    /// Sets the maximum size of a response that is read into memory, after decompression. The default is 4 GiB.
    ///
    /// Streams and downloads to a file have no limit. Lists have a limit of their own,
    /// [`max_list_bytes`](Self::max_list_bytes), and small responses, such as a token, the state of a job or the
    /// response to a submission, one of 16 MiB. A response that is over its limit is
    /// [`TooLarge`](crate::ErrorKind::TooLarge), and what exceeds the limit is neither held nor parsed.
    pub fn max_response_bytes(mut self, bytes: u64) -> Self {
        self.limits.max_response_bytes = bytes;
        self
    }

    /// Sets the maximum size of a list that is read into memory, after decompression: the list of jobs, of scheduled jobs,
    /// of syntax errors. The default is 256 MiB, which is over 400,000 jobs with short names.
    ///
    /// Watches and the search for a submission whose response was lost read lists too.
    /// [`ListJobs::stream`](crate::job::ListJobs::stream) has no limit.
    pub fn max_list_bytes(mut self, bytes: u64) -> Self {
        self.limits.max_list_bytes = bytes;
        self
    }

    /// Sets the maximum total size of the files in one request. The default is 200 MB (200,000,000 bytes), the limit of
    /// the API.
    ///
    /// A self-hosted server may be configured to accept more.
    pub fn max_upload_bytes(mut self, bytes: u64) -> Self {
        self.limits.max_upload_bytes = bytes;
        self
    }

    /// Sets the schedule by which the client polls the states of jobs.
    pub fn polling(mut self, polling: Polling) -> Self {
        self.polling = polling;
        self
    }

    /// Configures how the client settles a submission whose response was lost.
    pub fn settling(mut self, settling: Settling) -> Self {
        self.settling = settling;
        self
    }

    /// Sets the time zone in which the server writes its times: an IANA name that the system knows
    /// (`"Asia/Shanghai"`), or an offset (`"+08:00"`).
    ///
    /// [`JobInfo::created_at`](crate::job::JobInfo::created_at) and the filters of
    /// [`ListJobs`](crate::job::ListJobs) use it. Servers do not state their zone; the default, UTC, is our assumption.
    ///
    /// ```
    /// use sqlflow_client::Client;
    ///
    /// let sqlflow = Client::builder("localhost:8165").server_time_zone("+08:00").build()?;
    /// # Ok::<(), sqlflow_client::Error>(())
    /// ```
    pub fn server_time_zone(mut self, zone: impl Into<String>) -> Self {
        self.server_time_zone = Some(zone.into());
        self
    }

    /// Sets the policy for retries. The default is [`Backoff`](crate::retry::Backoff).
    ///
    /// The policy decides whether a retry is worthwhile, and when. It does not decide which calls may be retried at
    /// all: see [`RetryPolicy`].
    pub fn retry(mut self, policy: impl RetryPolicy + 'static) -> Self {
        self.policy = Some(Arc::new(policy));
        self
    }

    /// Turns retries off, so that each call makes one attempt.
    ///
    /// The client still renews a token that the server refused, and still settles a submission whose response was lost.
    pub fn without_retries(mut self) -> Self {
        self.policy = None;
        self
    }

    /// Sets the budget that limits the retries of all calls of this client. The default is a budget of its own.
    ///
    /// Clients that are given clones of one budget share it.
    pub fn retry_budget(mut self, budget: RetryBudget) -> Self {
        self.budget = Some(budget);
        self
    }

    /// Sets the timeout for connecting, including name resolution and TLS. The default is 10 seconds.
    pub fn connect_timeout(self, timeout: Duration) -> Self {
        self.set_connection(|connection| connection.connect_timeout = Some(timeout))
    }

    /// Trusts the certificates in the contents of a PEM file (or one certificate in DER), in addition to those of the
    /// platform.
    ///
    /// This is for a server whose certificate was issued by a private authority. It may be called more than once.
    ///
    /// ```no_run
    /// # fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use sqlflow_client::Client;
    ///
    /// let sqlflow = Client::builder("https://sqlflow.internal")
    ///     .root_certificate(std::fs::read("company-ca.pem")?)
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn root_certificate(self, certificate: impl Into<Vec<u8>>) -> Self {
        self.set_connection(|connection| connection.root_certificates.push(certificate.into()))
    }

    /// Sets the library that does TLS. The default is rustls, if the feature `rustls` is on.
    pub fn tls_backend(self, backend: TlsBackend) -> Self {
        self.set_connection(|connection| connection.tls = backend)
    }

    /// Sends all requests through this proxy: a URL, or a host with or without a port, which is a proxy that speaks
    /// plain HTTP. The URL may contain a user and a password, which no text of the client shows.
    ///
    /// The schemes are `http` and `https`, and with the feature `socks` also `socks4`, `socks4a`, `socks5` and
    /// `socks5h`. The default is the proxy of the environment, or else that of the platform:
    ///
    /// - The variables for an `http` base URL are `HTTP_PROXY` and then `ALL_PROXY`, those for an `https` base URL
    ///   `HTTPS_PROXY` and then `ALL_PROXY`, each also in lower case. An empty variable counts as unset.
    /// - `NO_PROXY` (or `no_proxy`) names the hosts that are connected directly. It does not affect a proxy that is set here.
    /// - In a CGI script, `HTTP_PROXY` in upper case is ignored, because a request can set it.
    ///
    /// A proxy that cannot be used is never replaced by a direct connection: [`build`](ClientBuilder::build) fails, and
    /// names this setting or the variable.
    pub fn proxy(self, url: impl Into<String>) -> Self {
        self.set_connection(|connection| connection.proxy = Some(ProxyChoice::Url(url.into())))
    }

    /// Uses no proxy, not even those of the environment.
    pub fn without_proxy(self) -> Self {
        self.set_connection(|connection| connection.proxy = Some(ProxyChoice::None))
    }

    /// Sets the `User-Agent` header. The default is `sqlflow-client/` followed by the version of this crate.
    pub fn user_agent(self, text: impl Into<String>) -> Self {
        self.set_connection(|connection| connection.user_agent = Some(text.into()))
    }

    /// Sends requests with an HTTP client (reqwest 0.13) that the caller has configured. The version in use is
    /// re-exported as [`reqwest`](crate::reqwest); a new incompatible version of reqwest is an incompatible version of
    /// this crate.
    ///
    /// It excludes the settings for connections: `connect_timeout`, `root_certificate`, `tls_backend`, `proxy`,
    /// `without_proxy` and `user_agent`. Together with one of them, [`build`](ClientBuilder::build) fails.
    ///
    /// # Caveats
    ///
    /// - The client should have no total timeout, which would end long exports, and no read timeout, which would end
    ///   long uploads.
    /// - If its TLS library does not report that a connection was cut, as the libraries of the platforms do not, a CSV
    ///   file that a server sends without its length may be incomplete.
    /// - The client decides whether redirects carry credentials to another server, and whether TLS is verified.
    pub fn http_client(mut self, client: reqwest::Client) -> Self {
        self.http_client = Some(client);
        self
    }

    /// Builds the client. This sends nothing.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) if a setting is invalid: for example a base URL with a query,
    /// an empty user id or secret key, a certificate or a proxy that cannot be used, a timeout of zero. The message names
    /// the setting, or the environment variable of the proxy.
    pub fn build(self) -> Result<Client> {
        let base_url = base_url::complete(&self.base_url)?;
        self.credentials.check()?;
        self.polling.check()?;
        self.settling.check()?;
        self.limits.check()?;
        let time_zone = self.server_time_zone.as_deref().map(ServerTimeZone::named).transpose()?.unwrap_or_default();
        let backend = self.connection.as_ref().map(|connection| connection.tls).unwrap_or_default();
        let has_silent_tls = self.http_client.is_none() && base_url.starts_with("https:") && tls::is_silent(backend);
        let (http, proxy_secrets) = match (self.http_client, self.connection) {
            (Some(_), Some(_)) => {
                return Err(Error::invalid(
                    "an HTTP client is set together with settings for connections, which would have no effect: \
                     configure them in that client",
                ));
            }
            (Some(client), None) => {
                // It may use the proxy of the environment. Whether that one can be used is not for this builder to say.
                let proxy = ClientProxy::of_environment(&base_url, proxy::variable).unwrap_or_default();
                (client, proxy.secrets)
            }
            (None, connection) => connection.unwrap_or_default().build(&base_url)?,
        };
        base_url::warn_of_plain_http(&base_url);
        let tokens = TokenCache::new(self.credentials);
        tokens.known_secrets().keep(proxy_secrets);
        let retries = Retries { policy: self.policy, budget: self.budget.unwrap_or_default() };
        let limits = RequestLimits { has_silent_tls, ..self.limits };
        let transport = Transport::new(http.clone(), base_url.clone(), tokens, limits, retries);
        let api = api::Client::new_with_client(&base_url, http, transport);
        Ok(Client { service: JobService::new(api, self.polling, self.settling, time_zone) })
    }

    fn set_connection(mut self, set: impl FnOnce(&mut ConnectionSettings)) -> Self {
        set(self.connection.get_or_insert_default());
        self
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the base URL and the proxy: before they are checked, they may contain a password.
        f.debug_struct("ClientBuilder")
            .field("credentials", &self.credentials)
            .field("limits", &self.limits)
            .field("policy", &self.policy)
            .field("budget", &self.budget)
            .field("polling", &self.polling)
            .field("settling", &self.settling)
            .finish_non_exhaustive()
    }
}

impl ConnectionSettings {
    /// Returns the HTTP client, and the secrets in the URL of its proxy.
    fn build(self, base_url: &str) -> Result<(reqwest::Client, Vec<Secret>)> {
        let agent = self.user_agent.unwrap_or_else(|| concat!("sqlflow-client/", env!("CARGO_PKG_VERSION")).to_owned());
        let mut builder = reqwest::Client::builder()
            .user_agent(agent)
            .connect_timeout(self.connect_timeout.unwrap_or(CONNECT_TIMEOUT))
            .pool_idle_timeout(IDLE_TIMEOUT)
            .redirect(reqwest::redirect::Policy::custom(follow_redirect))
            .referer(false);
        let ClientProxy { proxy, is_direct, secrets } = match self.proxy {
            None => ClientProxy::of_environment(base_url, proxy::variable)?,
            Some(ProxyChoice::None) => ClientProxy { is_direct: true, ..ClientProxy::default() },
            Some(ProxyChoice::Url(url)) => ClientProxy::given(&url)?,
        };
        builder = match proxy {
            Some(proxy) => builder.proxy(proxy),
            None if is_direct => builder.no_proxy(),
            None => builder,
        };
        builder = tls::configure(builder, self.tls, &self.root_certificates, base_url.starts_with("https:"))?;
        let http = builder
            .build()
            .map_err(|error| Error::invalid(format!("cannot set up the HTTP client: {}", error.without_url())))?;
        Ok((http, secrets))
    }
}

/// Follows redirects only on the same server, so that a form with a token goes to no other server and not over plain
/// HTTP. Follows only the statuses that repeat the request, because the others would drop the form.
fn follow_redirect(attempt: reqwest::redirect::Attempt<'_>) -> reqwest::redirect::Action {
    const MAX_REDIRECTS: usize = 5;
    let origin = attempt.previous().first().map(reqwest::Url::origin);
    if attempt.previous().len() > MAX_REDIRECTS {
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
    fn the_debug_output_shows_no_secret() {
        let builder = Client::builder("http://user:hush@h")
            .credentials(Credentials::secret_key("ann", "hush"))
            .proxy("http://a:hush@p");
        assert!(!format!("{builder:?}").contains("hush"));
        let client = Client::builder("http://h").credentials(Credentials::secret_key("ann", "hush")).build().unwrap();
        let shown = format!("{client:?} {:?}", client.api());
        assert!(shown.contains("ann") && !shown.contains("hush"), "{shown}");
    }

    #[test]
    fn a_root_certificate_that_cannot_be_read_is_invalid_input() {
        let error = Client::builder("https://h").root_certificate("not a certificate").build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("certificate"), "{error}");
    }

    #[test]
    fn the_error_about_an_invalid_proxy_url_does_not_show_it() {
        let error = Client::builder("https://h").proxy("http://user:hush@ no").build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
    }

    #[test]
    fn an_http_client_together_with_settings_for_connections_is_invalid_input() {
        let given = Client::builder("http://h").build().unwrap().api().client.clone();
        let error = Client::builder("http://h").http_client(given).user_agent("x").build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }

    #[test]
    fn a_timeout_of_zero_is_invalid_input_and_an_endless_one_is_not() {
        let zero = Client::builder("http://h").response_timeout(Duration::ZERO).build().unwrap_err();
        assert!(zero.to_string().contains("response timeout"), "{zero}");
        assert!(Client::builder("http://h").stall_timeout(Duration::ZERO).build().is_err());
        assert!(Client::builder("http://h").response_timeout(Duration::MAX).build().is_ok());
    }

    #[test]
    fn an_empty_secret_key_is_invalid_input_before_anything_is_sent() {
        let error = Client::builder("h").credentials(Credentials::secret_key("u", "")).build().unwrap_err();
        assert!(error.to_string().contains("secret key is empty"), "{error}");
    }

    #[test]
    fn an_unknown_time_zone_is_invalid_input() {
        let error = Client::builder("h").server_time_zone("Asia/Atlantis").build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("Asia/Atlantis"), "{error}");
        assert!(Client::builder("h").server_time_zone("Asia/Shanghai").build().is_ok());
    }

    #[test]
    fn a_client_can_be_shared_between_threads() {
        fn shared<T: Send + Sync + Clone + 'static>() {}
        shared::<Client>();
    }

    #[test]
    fn clients_of_one_builder_have_budgets_of_their_own_unless_they_are_given_one() {
        let budget = |client: &Client| client.service.transport().budget().clone();
        let builder = Client::builder("h");
        let (one, other) = (builder.clone().build().unwrap(), builder.build().unwrap());
        assert!(!budget(&one).is(&budget(&other)));
        let builder = Client::builder("h").retry_budget(RetryBudget::new(7));
        let (one, other) = (builder.clone().build().unwrap(), builder.build().unwrap());
        assert!(budget(&one).is(&budget(&other)));
    }

    #[test]
    fn a_client_for_another_user_shares_the_budget_and_not_the_watches() {
        let client = Client::builder("h").build().unwrap();
        let other = client.with_credentials(Credentials::on_premise_as("ann")).unwrap();
        assert!(client.service.transport().budget().is(other.service.transport().budget()));
        assert!(!Arc::ptr_eq(client.service.poll_hub(), other.service.poll_hub()));
        assert_eq!((client.base_url(), other.service.transport().user_id()), (other.base_url(), "ann"));
        let error = client.with_credentials(Credentials::secret_key("ann", "")).unwrap_err();
        assert!(error.to_string().contains("secret key is empty"), "{error}");
    }

    #[test]
    fn clones_of_a_client_share_their_watches() {
        let client = Client::builder("h").build().unwrap();
        assert!(Arc::ptr_eq(client.service.poll_hub(), client.clone().service.poll_hub()));
        assert!(!Arc::ptr_eq(client.service.poll_hub(), Client::builder("h").build().unwrap().service.poll_hub()));
    }
}
