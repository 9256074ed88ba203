//! The client and its builder: the server, the credentials and the settings for connections. Building does no I/O.

mod analysis;
mod base_url;
mod builder;
mod jobs;
mod proxy;
mod tls;

use std::fmt;

use ref_cast::{RefCastCustom, ref_cast_custom};

pub use self::builder::ClientBuilder;
pub use self::tls::TlsBackend;
use crate::auth::variable;
use crate::job::JobService;
use crate::{Credentials, Error, Result, api};

/// A client for one SQLFlow server, from [`Client::builder`] or [`Client::from_env`].
///
/// It is cheap to clone. Clones share connections, the token, the retry budget, and the requests that their
/// [watches](crate::job::Watch) make.
///
/// ```no_run
/// # async fn example() -> sqlflow_client::Result<()> {
/// use sqlflow_client::{Client, Credentials, Vendor};
///
/// let sqlflow = Client::builder("https://api.gudusoft.com")
///     .credentials(Credentials::from_env()?)
///     .build()?;
/// let job = sqlflow.submit(Vendor::Oracle).path("etl/").await?;
/// let lineage = job.wait().await?.lineage().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, RefCastCustom)]
#[repr(transparent)]
pub struct Client {
    service: JobService,
}

impl Client {
    /// Returns a builder of a client for the server at `base_url`.
    ///
    /// Accepts a bare host, a host with a port, or a full base URL with a path and any number of trailing slashes:
    ///
    /// ```
    /// use sqlflow_client::Client;
    ///
    /// let sqlflow = Client::builder("localhost:8165").build()?;
    /// assert_eq!(sqlflow.base_url(), "http://localhost:8165/api/gspLive_backend");
    /// # Ok::<(), sqlflow_client::Error>(())
    /// ```
    ///
    /// Missing parts are filled in from the vendor's documentation of its deployments and, where that is silent, by our
    /// reading:
    ///
    /// | missing part | filled in |
    /// |---|---|
    /// | the host of the API, in the web address of the cloud (`sqlflow.gudusoft.com`) | `api.gudusoft.com` |
    /// | scheme | `http` for loopback and private addresses, for port 80, and for the ports 8081 and 8165 of on-premise servers; `https` for all others |
    /// | path | `/gspLive_backend` in the cloud and on port 8081 (version 5); `/api/gspLive_backend` on all others |
    /// | path after `/api` | `/gspLive_backend` |
    ///
    /// Plain HTTP to a host that is neither this machine nor in a private network works, but logs a warning, once for
    /// each host: anyone on the way can read tokens and SQL.
    pub fn builder(base_url: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(base_url.into())
    }

    /// Creates a client from environment variables: the base URL in `SQLFLOW_URL`, and the variables of
    /// [`Credentials::from_env`].
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) if a variable is missing or invalid. The message names it.
    pub fn from_env() -> Result<Self> {
        let url = variable("SQLFLOW_URL")?
            .ok_or_else(|| Error::invalid("SQLFLOW_URL is not set: set it to the base URL of the server"))?;
        Self::builder(url).credentials(Credentials::from_env()?).build()
    }

    /// Creates a client of the vendor's cloud without an account, with [`Credentials::anonymous`].
    ///
    /// It can call the operations that need no account, of which the cloud allows some 50 calls a day. All others fail
    /// with [`InvalidInput`](crate::ErrorKind::InvalidInput) before anything is sent.
    ///
    /// ```
    /// use sqlflow_client::Client;
    ///
    /// let sqlflow = Client::anonymous()?;
    /// assert_eq!(sqlflow.base_url(), "https://api.gudusoft.com/gspLive_backend");
    /// # Ok::<(), sqlflow_client::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) if TLS cannot be set up, for example on a machine without root
    /// certificates.
    pub fn anonymous() -> Result<Self> {
        Self::builder(base_url::CLOUD_URL).credentials(Credentials::anonymous()).build()
    }

    /// Returns a client of the same server for another user.
    ///
    /// Both clients share their connections, limits, retry policy and retry budget. The new one has its own token, and
    /// its own polls of jobs. This is for programs that act for many users. It sends nothing. Keep one client per user,
    /// in a map perhaps: a client that is created for each request also fetches a token for each request.
    ///
    /// ```
    /// use sqlflow_client::{Client, Credentials};
    ///
    /// let sqlflow = Client::builder("localhost:8165").build()?;
    /// let ann = sqlflow.with_credentials(Credentials::secret_key("ann", "hush-hush"))?;
    /// let bob = sqlflow.with_credentials(Credentials::secret_key("bob", "hush-too"))?;
    /// # Ok::<(), sqlflow_client::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) if the user id or the secret is empty.
    pub fn with_credentials(&self, credentials: Credentials) -> Result<Self> {
        credentials.check()?;
        let (transport, http) = (self.service.transport().with_credentials(credentials), self.api().client.clone());
        let api = api::Client::new_with_client(self.base_url(), http, transport);
        Ok(Self { service: self.service.with_api(api) })
    }

    /// Returns the generated client with every operation of the API, for those that have no method here.
    #[must_use]
    pub fn api(&self) -> &api::Client {
        self.service.api()
    }

    /// Returns the base URL of the server, with all missing parts filled in.
    #[must_use]
    pub fn base_url(&self) -> &str {
        self.service.base_url()
    }

    #[ref_cast_custom]
    fn from_service(service: &JobService) -> &Self;
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("transport", self.service.transport())
            .field("polling", &self.service.polling())
            .field("settling", &self.service.settling())
            .finish_non_exhaustive()
    }
}
