//! A local server that speaks the SQLFlow protocol, to try the client and to test programs.
//!
//! Everything of the crate `sqlflow_emulator` is here, and [`EmulatorClient`], which adds a client with settings that
//! are fit for tests:
//!
//! ```
//! use sqlflow_client::emulator::{Emulator, EmulatorClient as _, Fault};
//! use sqlflow_client::Vendor;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let emulator = Emulator::builder().fault(Fault::page(502).every(2)).start().await?;
//! let sqlflow = emulator.client();
//!
//! let job = sqlflow.submit(Vendor::Oracle).sql("a.sql", "insert into t select a from s").await?;
//! job.wait().await?;
//! assert!(emulator.requests().iter().any(|request| request.fault.as_deref() == Some("502")));
//! # Ok(())
//! # }
//! ```
//!
//! # Faults and the time that they take
//!
//! A client with default settings is made for a server that is far away and busy. A submission that got a 502 may have
//! created its job, so the client [searches](crate::job::Settling) the list of jobs for 40 seconds before it sends the
//! submission again, up to six times. With a 502 on every second call, it can be the submission that fails each time:
//! that takes 3 minutes, until the error is [`SubmitUnknown`](crate::ErrorKind::SubmitUnknown).
//! [`EmulatorClient::client`] searches for one second and pauses for milliseconds, so that the same takes 5 seconds. Its
//! decisions are the same.
//!
//! The section [Faults](sqlflow_emulator#faults) of the crate lists all faults.

use std::time::Duration;

#[doc(inline)]
pub use sqlflow_emulator::*;

use crate::job::{Polling, Settling};
use crate::retry::{Backoff, RetryBudget};
use crate::{Client, ClientBuilder, Credentials};

/// The time that a client searches for the job of a submission without a response.
const SETTLING_WINDOW: Duration = Duration::from_secs(1);

/// The time for which polling survives an emulator that does not respond.
const MAX_OUTAGE: Duration = Duration::from_secs(10);

/// More failures than a test causes: what a test sees should not depend on the requests before.
const RETRY_BUDGET: u32 = 10_000;

/// A client for an [`Emulator`], with settings that are fit for tests.
pub trait EmulatorClient {
    /// Returns a client for this emulator, as the on-premise user, which needs no secret key.
    ///
    /// It searches for the job of a submission that got no response for one second instead of 40, polls every 10 to 100
    /// milliseconds, gives up polling after 10 seconds without a response, pauses for at most 50 milliseconds before it
    /// repeats a request, has more retries than a test needs, and uses no proxy.
    ///
    /// # Panics
    ///
    /// Panics if the client cannot be built, for which the settings give no reason.
    #[must_use]
    fn client(&self) -> Client {
        self.client_builder().build().unwrap_or_else(|error| panic!("no client for the emulator: {error}"))
    }

    /// Returns the builder of that client, to change its settings: other
    /// [credentials](ClientBuilder::credentials), for example, for an emulator with an
    /// [account](EmulatorBuilder::account).
    fn client_builder(&self) -> ClientBuilder;
}

impl EmulatorClient for Emulator {
    fn client_builder(&self) -> ClientBuilder {
        let backoff = Backoff::new().base_delay(Duration::from_millis(5)).max_delay(Duration::from_millis(50));
        let polling = Polling::new()
            .min_interval(Duration::from_millis(10))
            .max_interval(Duration::from_millis(100))
            .max_outage(MAX_OUTAGE);
        Client::builder(self.url())
            .credentials(Credentials::on_premise())
            .settling(Settling::new().window(SETTLING_WINDOW))
            .polling(polling)
            .retry(backoff)
            .retry_budget(RetryBudget::new(RETRY_BUDGET))
            .without_proxy()
    }
}
