//! The client and its builder: where the server is, who asks, how connections are made. Does no I/O when built.

mod base_url;
mod builder;
mod jobs;
mod tls;

use std::fmt;

use ref_cast::{RefCastCustom, ref_cast_custom};

pub use self::builder::ClientBuilder;
pub use self::tls::TlsBackend;
use crate::auth::variable;
use crate::job::JobService;
use crate::{Credentials, Error, Result, api};

/// A client of one SQLFlow server.
///
/// Cheap to clone; clones share connections, the token, and the requests of their [watches](crate::job::Watch). Made by
/// [`Client::builder`] or [`Client::from_env`].
///
/// ```no_run
/// # async fn example() -> sqlflow_client::Result<()> {
/// use sqlflow_client::{Client, Credentials, Vendor};
///
/// let sqlflow = Client::builder("https://api.gudusoft.com").credentials(Credentials::from_env()?).build()?;
/// let lineage = sqlflow.submit(Vendor::Oracle).path("etl/").await?.wait().await?.lineage().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, RefCastCustom)]
#[repr(transparent)]
pub struct Client {
    service: JobService,
}

impl Client {
    /// A client of the server at `base_url`.
    ///
    /// Taken are a bare host, a host with a port, and a full base URL with a path and any number of trailing slashes.
    /// What is missing is filled in, from what the vendor documents of its deployments and, where that is silent, by
    /// our reading:
    ///
    /// | missing | filled in |
    /// |---|---|
    /// | scheme | `http` for loopback and private addresses, for port 80, and for the ports 8081 and 8165 of on-premise servers; else `https` |
    /// | path | `/gspLive_backend` in the cloud and on port 8081 (version 5), else `/api/gspLive_backend` |
    /// | path after `/api` | `/gspLive_backend` |
    ///
    /// Plain HTTP to a host that is neither this machine nor in a private network works, and is warned of once: tokens
    /// and SQL can be read by everyone on the way.
    pub fn builder(base_url: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(base_url.into())
    }

    /// A client of the server in `SQLFLOW_URL`, with the credentials of the environment.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) names the variable that is missing or wrong. See
    /// [`Credentials::from_env`].
    pub fn from_env() -> Result<Self> {
        let url = variable("SQLFLOW_URL")?
            .ok_or_else(|| Error::invalid("SQLFLOW_URL is not set: it takes the base URL of the server"))?;
        Self::builder(url).credentials(Credentials::from_env()?).build()
    }

    /// Every operation of the API, as generated from its description.
    #[must_use]
    pub fn api(&self) -> &api::Client {
        self.service.api()
    }

    /// The base URL of the server, with everything filled in.
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
