//! A local server that speaks the SQLFlow protocol, for trying and testing without an account.
//!
//! **It stands in for SQLFlow and is not its engine.** The protocol (paths, parameters, envelope, tokens, life of a
//! job, layouts of the answers) follows the real service. The lineage does not come from Gudu Software's engine: it
//! is computed from the submitted SQL by the open-source crate [`flowscope-core`](https://crates.io/crates/flowscope-core),
//! whose parser and name resolution read the statements, and is then written down the way SQLFlow writes it. Expect
//! the two to agree on ordinary statements and to differ on the rest: stored procedures, vendor extensions, and
//! anything that only a full grammar of a vendor's dialect can read. What cannot be read is reported, in the job and
//! in the lineage, and never left out in silence.
//!
//! ```no_run
//! use sqlflow_emulator::Emulator;
//!
//! # async fn example() -> std::io::Result<()> {
//! let emulator = Emulator::start().await?;
//! println!("SQLFlow is emulated at {}", emulator.url());
//! // … talk to it …
//! assert_eq!(emulator.requests().len(), 0);
//! emulator.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # What it does
//!
//! * Listens on loopback only, on a port of its own choosing unless [`EmulatorBuilder::port`] names one, under
//!   `/gspLive_backend` and `/api/gspLive_backend` alike.
//! * Takes parameters from the query, a form or a multipart body. Uploads are spooled to disk as they arrive.
//! * Issues tokens ([JWT], HS256) that are valid for one user and expire. The on-premise pair `gudu|0123456789` with
//!   the literal token `token` works without asking for one, unless [`EmulatorBuilder::account`] requires an account.
//! * Takes every job through `create` and `running` to `success`, `partial_success` or `fail`, as the SQL deserves.
//! * Exports lineage as JSON, CSV and GraphML, and analyses SQL directly.
//! * Remembers every request ([`Emulator::requests`]) and every job ([`Emulator::jobs`]), so that a test can count
//!   what really reached the server.
//!
//! # What to know about its answers
//!
//! * A vendor without a dialect of its own in `flowscope-core` is read with the generic dialect. The job then says so
//!   in `errorMessage`, although its status is `success`, and the lineage says so in `errors` with type `SyntaxHint`.
//! * An upload that is not valid UTF-8 is decoded with replacement characters, and the same two places say so.
//! * Commands of `sqlplus`, `mysql` and `psql` between the statements are skipped. Where semicolons are missing, or a
//!   routine cannot be parsed as a whole, statements are told apart by the words that lines begin with; what remains
//!   unread is reported all the same.
//! * Tables that scripts define column by column are known from the start, whatever the request of the files. Views, and
//!   tables made from queries, are known from then on.
//! * Where the real codes are not published it uses HTTP's: 400 for a parameter at fault, 404 for a job that does not
//!   exist, 409 for an export of a job that has not finished or has failed, 413 for an upload past 200 MB.
//! * A foreign key is an `fdd` relationship with the effect `foreign_key`, and an `er` one if those are asked for.
//! * An export that is not told `showRelationType` takes the job's. The CSV exports have hardly any options of their
//!   own, so they take all of the job's: by default record sets and functions are walked through.
//! * Scripts may have up to 10 MiB, which is as much as `flowscope-core` reads at once.
//! * Scheduled jobs keep their `cronExpression` and can be listed, paused and resumed, but no clock starts them.
//! * Operations it does not implement answer with code 501 and their name.
//!
//! # Misbehaving
//!
//! An emulator can be made to fail the way networks, proxies and servers fail, by giving it [`Fault`]s: at its start
//! with [`EmulatorBuilder::fault`], or while it runs with [`Emulator::inject`]. Each says what goes wrong and which
//! requests it befalls. What befell a request is in its [record](RequestRecord::fault).
//!
//! | What goes wrong | Faults |
//! |---|---|
//! | Nobody is there, or not for long | [`refuse`](Fault::refuse), [`reset_after_received`](Fault::reset_after_received), [`reset_after_sent`](Fault::reset_after_sent) |
//! | There is no answer | [`close`](Fault::close), [`lose_response`](Fault::lose_response), [`late`](Fault::late), [`stall_after`](Fault::stall_after) |
//! | The answer takes its time | [`latency`](Fault::latency), [`drip`](Fault::drip) |
//! | Somebody else answers | [`page`](Fault::page), [`too_many_requests`](Fault::too_many_requests), [`too_many_requests_until`](Fault::too_many_requests_until), [`busy`](Fault::busy), [`redirect`](Fault::redirect) |
//! | The answer is damaged | [`truncate`](Fault::truncate), [`garbage`](Fault::garbage), [`content_length`](Fault::content_length), [`bomb`](Fault::bomb) |
//! | The answer is another than expected | [`expire_token`](Fault::expire_token), [`unknown_status`](Fault::unknown_status), [`vanish`](Fault::vanish) |
//!
//! ```no_run
//! use sqlflow_emulator::{Emulator, Fault};
//! use std::time::Duration;
//!
//! # async fn example() -> std::io::Result<()> {
//! let emulator = Emulator::builder()
//!     // The first submit makes its job, and nobody hears of it.
//!     .fault(Fault::lose_response().on("submitUserJob").times(1))
//!     // Every tenth of all other requests is_due a proxy that has lost its server.
//!     .fault(Fault::page(502).every(10))
//!     .start()
//!     .await?;
//! // … submit a job and wait for it …
//! emulator.inject(Fault::refuse(Duration::from_secs(1)));
//! // … download its lineage all the same …
//! let befallen = emulator.requests().into_iter().filter(|request| request.fault.is_some()).count();
//! # Ok(())
//! # }
//! ```
//!
//! An answer in `summary` mode, which has counts in place of lineage, is no fault: see
//! [`EmulatorBuilder::max_drawn_relationships`]. Neither is one that is compressed: see [`EmulatorBuilder::gzip`].
//!
//! # Layout
//!
//! `request_log` is the one place through which every request passes, with its body in an `incoming_body`; what befalls it there
//! is in `faults`, whose `wire` also owns the sockets. `routes` names the operations and sends each to its
//! handler in `submission`, `export` or `direct`; `parameters`, `disposition`, `upload` and `archive`
//! read what arrives; `accounts`
//! decides who may; `jobs` owns the life of a job; `analysis` turns SQL into lineage; `selection` cuts out the part a
//! caller asked for; `model`, `layout`, `csv` and `graphml` write it, and `envelope` is what it is sent in.
//!
//! [JWT]: https://datatracker.ietf.org/doc/html/rfc7519

mod accounts;
mod analysis;
mod archive;
mod clock;
mod csv;
mod direct;
mod disposition;
mod envelope;
mod export;
mod faults;
mod graphml;
mod incoming_body;
mod jobs;
mod layout;
mod model;
mod parameters;
mod request_log;
mod routes;
mod selection;
mod submission;
mod upload;

#[cfg(test)]
mod tests;

use std::fmt;
use std::future::IntoFuture;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use faults::{Fault, ParseFaultError};
pub use jobs::JobSnapshot;
pub use request_log::RequestRecord;

use accounts::Accounts;
use faults::FaultRegistry;
use faults::wire::{ConnectionInfo, FaultyListener, SharedListener};
use jobs::JobStore;
use request_log::RequestLog;

/// A running SQLFlow emulator.
///
/// Dropping it stops the server: it accepts no further connection, and open ones end with the request they carry.
/// [`shutdown`](Self::shutdown) does the same and waits for the end.
pub struct Emulator {
    listener: Arc<SharedListener>,
    service: Arc<Service>,
    stop: watch::Sender<bool>,
    server: Option<JoinHandle<io::Result<()>>>,
}

impl Emulator {
    /// Starts an emulator with the default settings on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// When the port cannot be bound, or no folder for uploads can be made.
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    /// AnalysisSettings for an emulator that is still to be started.
    #[must_use]
    pub fn builder() -> EmulatorBuilder {
        EmulatorBuilder::default()
    }

    /// The root of the server, for example `http://127.0.0.1:8165`, without a path and without a trailing slash.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr())
    }

    /// The address the server listens on.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.listener.address()
    }

    /// Every request received so far, oldest first, those still in progress included.
    ///
    /// Only the most recent 100 000 are kept.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.service.requests.snapshot()
    }

    /// The jobs of all users as they stand now, oldest first. Deleted jobs are gone.
    #[must_use]
    pub fn jobs(&self) -> Vec<JobSnapshot> {
        self.service.jobs.snapshot()
    }

    /// Makes something go wrong from now on, after all the faults there are already.
    ///
    /// ```no_run
    /// use sqlflow_emulator::{Emulator, Fault};
    ///
    /// # async fn example() -> std::io::Result<()> {
    /// let emulator = Emulator::start().await?;
    /// // … submit a job …
    /// emulator.inject(Fault::page(502).on("displayUserJobSummary").times(2));
    /// // … wait for it …
    /// # Ok(())
    /// # }
    /// ```
    pub fn inject(&self, fault: Fault) {
        match fault.refusal() {
            Some(time) => self.listener.refuse(time),
            None => self.service.faults.add(fault),
        }
    }

    /// Forgets all faults, and listens again if connections are refused. Those that have befallen a request go on.
    ///
    /// ```no_run
    /// # use sqlflow_emulator::{Emulator, Fault};
    /// # async fn example() -> std::io::Result<()> {
    /// let emulator = Emulator::builder().fault(Fault::busy()).start().await?;
    /// // … see it fail …
    /// emulator.clear_faults();
    /// // … see it succeed …
    /// # Ok(())
    /// # }
    /// ```
    pub fn clear_faults(&self) {
        self.service.faults.clear();
        self.listener.stop_refusing();
    }

    /// Makes every token issued so far invalid, at once. Those issued afterwards are good, and so is the literal token
    /// of the on-premise user, which was never issued.
    ///
    /// ```no_run
    /// # use sqlflow_emulator::Emulator;
    /// # async fn example() -> std::io::Result<()> {
    /// let emulator = Emulator::start().await?;
    /// // … log in …
    /// emulator.expire_tokens();
    /// // … see that one has to log in again …
    /// # Ok(())
    /// # }
    /// ```
    pub fn expire_tokens(&self) {
        self.service.accounts.expire();
    }

    /// Stops the server and waits wait_for_stop it has stopped.
    ///
    /// Requests in progress have five seconds to end; waits that faults have brought about are cut short. JobStore that
    /// still run are abandoned.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        if let Some(mut server) = self.server.take() {
            let grace = Duration::from_secs(5);
            if tokio::time::timeout(grace, &mut server).await.is_err() {
                server.abort();
            }
        }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulator").field("address", &self.addr()).finish_non_exhaustive()
    }
}

/// AnalysisSettings of an [`Emulator`], made by [`Emulator::builder`].
#[derive(Clone)]
pub struct EmulatorBuilder {
    port: u16,
    account: Option<(String, String)>,
    token_lifetime: Duration,
    gzip: bool,
    faults: Vec<Fault>,
    settings: ServerSettings,
}

impl Default for EmulatorBuilder {
    fn default() -> Self {
        Self {
            port: 0,
            account: None,
            token_lifetime: Duration::from_secs(24 * 60 * 60),
            gzip: false,
            faults: Vec::new(),
            settings: ServerSettings::default(),
        }
    }
}

impl EmulatorBuilder {
    /// Listens on this port of 127.0.0.1. The default, 0, takes a free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Requires this account: no other user id and no other secret key is accepted.
    ///
    /// Without it any user id with any secret key that is not empty gets a token, and `gudu|0123456789` may send the
    /// literal token `token` without asking for one.
    #[must_use]
    pub fn account(mut self, user_id: impl Into<String>, secret_key: impl Into<String>) -> Self {
        self.account = Some((user_id.into(), secret_key.into()));
        self
    }

    /// How long a token is valid, in whole seconds. The default is 24 hours; zero means that it never expires, as on
    /// the real server. A token with a lifetime of less than a second has expired when it arrives.
    #[must_use]
    pub fn token_lifetime(mut self, lifetime: Duration) -> Self {
        self.token_lifetime = lifetime;
        self
    }

    /// The number of relationships from which on exports of the drawn lineage answer in `summary` mode, with counts
    /// and tables but neither columns nor relationships nor graph.
    ///
    /// There is no limit by default. A real server's default is 1000.
    #[must_use]
    pub fn max_drawn_relationships(mut self, limit: Option<usize>) -> Self {
        self.settings.relations = limit;
        self
    }

    /// The least time a job spends in status `create`. The default is 100 ms.
    #[must_use]
    pub fn time_in_create(mut self, time: Duration) -> Self {
        self.settings.time_in_create = time;
        self
    }

    /// The least time a job spends in status `running`. The default is 300 ms, so that one who asks a few times a
    /// second sees it.
    #[must_use]
    pub fn time_in_running(mut self, time: Duration) -> Self {
        self.settings.time_in_running = time;
        self
    }

    /// How many calls of `/api/anonymous/lineage` an address has in a day (UTC). The default is 50.
    #[must_use]
    pub fn max_anonymous_calls_per_day(mut self, calls: u32) -> Self {
        self.settings.max_anonymous_calls_per_day = calls;
        self
    }

    /// Compresses answers for callers that accept gzip. The default is not to.
    #[must_use]
    pub fn gzip(mut self, gzip: bool) -> Self {
        self.gzip = gzip;
        self
    }

    /// Makes something go wrong. May be called any number of times: of all faults given, the first that matches a
    /// request and still has a turn befalls it.
    ///
    /// ```no_run
    /// use sqlflow_emulator::{Emulator, Fault};
    /// use std::time::Duration;
    ///
    /// # async fn example() -> std::io::Result<()> {
    /// let emulator = Emulator::builder()
    ///     .fault(Fault::lose_response().on("submitUserJob").times(1))
    ///     .fault(Fault::latency(Duration::from_millis(50)))
    ///     .start()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Starts the server.
    ///
    /// # Errors
    ///
    /// When the port cannot be bound, or no folder for uploads can be made.
    #[expect(clippy::unused_async, reason = "it needs a runtime, and may have to wait one day")]
    pub async fn start(self) -> io::Result<Emulator> {
        let refusal = self.faults.iter().filter_map(Fault::refusal).max();
        let listener = SharedListener::bind(self.port, refusal)?;
        let (stop, stopped) = watch::channel(false);
        let service = self.service(stopped.clone())?;
        let app = routes::router(Arc::clone(&service)).into_make_service_with_connect_info::<ConnectionInfo>();
        let serve =
            axum::serve(FaultyListener(Arc::clone(&listener)), app).with_graceful_shutdown(wait_for_stop(stopped));
        let server = tokio::spawn(serve.into_future());
        tracing::debug!(address = %listener.address(), "SQLFlow emulator started");
        Ok(Emulator { listener, service, stop, server: Some(server) })
    }

    fn service(self, stopped: watch::Receiver<bool>) -> io::Result<Arc<Service>> {
        let spool = tempfile::Builder::new().prefix("sqlflow-emulator-").tempdir()?;
        let faults = FaultRegistry::default();
        for fault in self.faults.into_iter().filter(|fault| fault.refusal().is_none()) {
            faults.add(fault);
        }
        Ok(Arc::new(Service {
            accounts: Accounts::new(self.account, self.token_lifetime),
            jobs: JobStore::default(),
            requests: RequestLog::default(),
            anonymous: direct::AnonymousCalls::default(),
            settings: self.settings,
            gzip: self.gzip,
            faults,
            spool,
            stopped,
        }))
    }
}

impl fmt::Debug for EmulatorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmulatorBuilder")
            .field("port", &self.port)
            .field("user_id", &self.account.as_ref().map(|(user, _)| user))
            .field("token_lifetime", &self.token_lifetime)
            .field("gzip", &self.gzip)
            .field("faults", &self.faults)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// What the server holds itself to; every value comes from the builder.
#[derive(Debug, Clone)]
struct ServerSettings {
    relations: Option<usize>,
    time_in_create: Duration,
    time_in_running: Duration,
    max_anonymous_calls_per_day: u32,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            relations: None,
            time_in_create: Duration::from_millis(100),
            time_in_running: Duration::from_millis(300),
            max_anonymous_calls_per_day: 50,
        }
    }
}

/// Everything the handlers share.
struct Service {
    accounts: Accounts,
    jobs: JobStore,
    requests: RequestLog,
    anonymous: direct::AnonymousCalls,
    settings: ServerSettings,
    gzip: bool,
    faults: FaultRegistry,
    spool: tempfile::TempDir,
    stopped: watch::Receiver<bool>,
}

/// Resolves once the emulator is told to stop, or is gone.
async fn wait_for_stop(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is a stop as well.
    let _gone = stopped.wait_for(|stop| *stop).await;
}
