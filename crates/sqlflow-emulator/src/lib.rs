//! A local server for testing SQLFlow clients: it speaks the SQLFlow REST API and fails on demand.
//!
//! **The emulator stands in for SQLFlow and is not its engine.** The protocol (paths, parameters, envelope, tokens,
//! the states of a job, the layouts of the responses) follows the real service. The lineage does not come from Gudu
//! Software's engine: it is computed from the submitted SQL, which is parsed with the open-source crate
//! [`sqlparser`](https://crates.io/crates/sqlparser), and is written in SQLFlow's formats. Expect the two to agree on
//! ordinary statements, and to differ on vendor extensions and on procedural code that decides at run time what it does.
//! The emulator never invents a flow for SQL that it cannot read: it reports the part, with file, line and what to do, in
//! the job and in the lineage. `docs/emulator.md` in the repository tells what is read in each dialect.
//!
//! # A first test
//!
//! Start an emulator, point the client at its URL, and check what reached the server. The server listens on loopback
//! and stops when the [`Emulator`] is dropped.
//!
//! ```
//! use sqlflow_emulator::Emulator;
//!
//! # async fn call_the_client(url: &str) {}
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let emulator = Emulator::start().await?;
//! call_the_client(&emulator.url()).await;
//!
//! assert!(emulator.requests().iter().all(|request| request.code == Some(200)));
//! assert!(emulator.jobs().iter().all(|job| job.status == "success"));
//! emulator.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! * [`Emulator::builder`] sets the port, an account, the lifetime of tokens, the time a job spends in each state, and
//!   limits.
//! * [`Emulator::requests`] and [`Emulator::jobs`] return every request and every job, so that a test can count what
//!   really reached the server.
//! * [`vendors`] and [`vendor_aliases`] list the vendors that the emulator knows.
//!
//! # What the emulator does
//!
//! * It listens on 127.0.0.1 only, on a free port unless [`EmulatorBuilder::port`] names one, under both
//!   `/gspLive_backend` and `/api/gspLive_backend`.
//! * It accepts parameters in the query, in a form or in a multipart body. Uploads are written to disk as they arrive.
//! * It issues tokens ([JWT], HS256) that are valid for one user and expire. The on-premise user `gudu|0123456789` may
//!   send the literal token `token` without requesting one, unless [`EmulatorBuilder::account`] requires an account.
//! * It takes every job through `create` and `process` to `success`, `partial_success` or `fail`, depending on the SQL.
//! * It exports lineage as JSON, CSV and GraphML, and analyzes SQL directly.
//!
//! # Faults
//!
//! Give the client under test settings that are fit for tests before adding a fault. A client with default settings is
//! patient: one that cannot tell whether a submission created its job looks for it, for 40 seconds in the case of
//! `sqlflow_client`, before it sends the submission again. With a 502 on every second call, it can be the submission that
//! fails each time: then `sqlflow_client` gives up after 3 minutes. Its `emulator.client()`, of the trait
//! `sqlflow_client::emulator::EmulatorClient`, has fitting settings: it looks for one second, pauses for milliseconds,
//! and gives up after 5 seconds.
//!
//! A [`Fault`] makes the emulator fail the way networks, proxies and servers fail. Add one before the start with
//! [`EmulatorBuilder::fault`], or while the emulator runs with [`Emulator::inject`]. Each fault has a kind and
//! conditions that select requests. The [record](RequestRecord::fault) of a request names the fault that was applied.
//!
//! | What goes wrong | Faults |
//! |---|---|
//! | The server cannot be reached, or the connection breaks | [`refuse`](Fault::refuse), [`reset_after_received`](Fault::reset_after_received), [`reset_after_sent`](Fault::reset_after_sent) |
//! | There is no response | [`close`](Fault::close), [`lose_response`](Fault::lose_response), [`late`](Fault::late), [`stall_after`](Fault::stall_after) |
//! | The response is slow | [`latency`](Fault::latency), [`drip`](Fault::drip) |
//! | A proxy or an overloaded server responds | [`page`](Fault::page), [`too_many_requests`](Fault::too_many_requests), [`too_many_requests_until`](Fault::too_many_requests_until), [`busy`](Fault::busy), [`redirect`](Fault::redirect) |
//! | The response is damaged | [`truncate`](Fault::truncate), [`garbage`](Fault::garbage), [`content_length`](Fault::content_length), [`bomb`](Fault::bomb) |
//! | The response is unexpected | [`expire_token`](Fault::expire_token), [`unknown_status`](Fault::unknown_status), [`unreadable_job`](Fault::unreadable_job), [`vanish`](Fault::vanish) |
//!
//! ```no_run
//! use sqlflow_emulator::{Emulator, Fault};
//! use std::time::Duration;
//!
//! # async fn example() -> std::io::Result<()> {
//! let emulator = Emulator::builder()
//!     // The first submission creates its job, but its response is lost.
//!     .fault(Fault::lose_response().on("submitUserJob").times(1))
//!     // Every tenth of all other requests gets the error page of a proxy.
//!     .fault(Fault::page(502).every(10))
//!     .start()
//!     .await?;
//! // … submit a job and wait for it …
//! emulator.inject(Fault::refuse(Duration::from_secs(1)));
//! // … download its lineage despite that …
//! let requests = emulator.requests();
//! let failed = requests.iter().filter(|request| request.fault.is_some()).count();
//! # Ok(())
//! # }
//! ```
//!
//! Two options change responses without being faults: [`EmulatorBuilder::relation_limit`] causes responses in the modes
//! `ignoreRecordSet`, which lack intermediate record sets, and `summary`, which have counts instead of lineage;
//! [`EmulatorBuilder::gzip`] compresses responses.
//!
//! # From other languages
//!
//! Paths below `/emulator` set faults and tell what happened, so that test suites in any language can use a server that
//! `sqlflow emulator` started. They are not part of SQLFlow: they need no credentials, faults do not affect them, and they
//! are not among the [requests](Emulator::requests). Their HTTP status tells success from failure. They respond under the
//! names `localhost`, `127.0.0.1` and `[::1]` only, as the page at `/` does, so that no other site can reach them through
//! a browser.
//!
//! | Request | Effect |
//! |---|---|
//! | `POST /emulator/faults` | adds the [faults](Fault#text-form) in the body, one in each line, or as JSON: `{"fault": "…"}`, `{"faults": ["…"]}`, `["…"]` |
//! | `GET /emulator/faults`, `DELETE /emulator/faults` | lists the faults that can still apply, or removes all |
//! | `GET /emulator/requests`, `DELETE /emulator/requests` | lists what [`Emulator::requests`] returns, or forgets it |
//! | `GET /emulator/jobs`, `GET /emulator/jobs/ID` | describes all jobs, or one |
//! | `DELETE /emulator/jobs`, `DELETE /emulator/jobs/ID` | removes all jobs of all users, or one |
//! | `GET /emulator/jobs/ID/lineage.json`, `.csv`, `.graphml` | exports the lineage of a job |
//! | `PATCH /emulator/jobs/ID` | changes times of a job: `{"created": "2030-01-31T12:00:00Z", "executeTime": "2h 30m"}` |
//! | `GET /emulator/times`, `PATCH /emulator/times` | returns or changes the times of jobs to come: `{"inCreate": "1s", "inProcess": "5s", "created": null}` |
//! | `DELETE /emulator/times` | returns to the times that the emulator started with |
//! | `DELETE /emulator/tokens` | expires all tokens |
//!
//! ```sh
//! curl -d 'lose-response,on=submitUserJob,times=1' http://127.0.0.1:8165/emulator/faults
//! curl http://127.0.0.1:8165/emulator/requests
//! curl -X DELETE http://127.0.0.1:8165/emulator/faults
//! ```
//!
//! The page at `/` shows the operations, and the jobs with links to their lineage.
//!
//! # Details of the responses
//!
//! * A vendor for whose dialect there is no grammar is read with a generic one. The job then says so in
//!   `errorMessage`, although its status is `success`, and the lineage says so in `errors` with type `SyntaxHint`.
//! * An upload that is not valid UTF-8 is decoded with replacement characters, and reported in the same two places.
//! * Commands of `sqlplus`, `mysql`, `psql` and other clients between the statements are skipped; one that would run
//!   another file is reported. Where semicolons are missing, statements are separated at the words that lines begin with.
//!   In routines the statements are read, and values are followed through variables, parameters and cursors.
//! * A clause that the parser does not know is skipped and reported, rather than its statement lost.
//! * Tables that scripts define column by column are known from the start, whatever the order of the files. Views, and
//!   tables made from queries, are known in the statements after their definition.
//! * Where the codes of the real server are not published, the emulator uses those of HTTP: 400 for an invalid
//!   parameter, 404 for a job that does not exist, 409 for an export of a job that has not finished or has failed, 413
//!   for an upload of more than 200 MB.
//! * A foreign key is an `fdd` relationship with the effect `foreign_key`, and an `er` relationship if those are
//!   requested.
//! * Between tables (`tableToTable`, and the three operations for table-level lineage) a relationship of a statement is
//!   two: one from the tables to the process, and one from the process to the table. In CSV it is one, from table to
//!   table.
//! * An export without `showRelationType` uses that of the job. The CSV exports have hardly any options of their own,
//!   so they use all options of the job: by default, record sets and functions are left out, and the flows through them
//!   are connected.
//! * A script may have up to 128 MiB. Its statements are read one after the other.
//! * Scheduled jobs keep their `cronExpression` and can be listed, paused and resumed, but are never started by the
//!   clock.
//! * An operation that is not emulated responds with code 501 and its name. Among them are all operations whose answer no
//!   source describes. `generation/sqlflow/graph/call_lineage` always has code 203 and a message, since calls between
//!   routines are not read.
//! * Exports are written into a temporary file beyond 1 MiB, and sent from there.
//!
//! [JWT]: https://datatracker.ietf.org/doc/html/rfc7519

mod accounts;
mod analysis;
mod archive;
mod clock;
mod control;
mod csv;
mod direct;
mod disposition;
mod envelope;
mod export;
mod faults;
mod graphml;
mod image;
mod incoming_body;
mod jobs;
mod layout;
mod model;
mod outgoing_body;
mod page;
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
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use analysis::{vendor_aliases, vendors};
pub use faults::{Fault, FaultDescription, ParseFaultError};
pub use jobs::JobSnapshot;
pub use request_log::RequestRecord;

use accounts::Accounts;
use faults::FaultRegistry;
use faults::wire::{ConnectionInfo, FaultyListener, SharedListener};
use jobs::{JobStore, JobTimes};
use request_log::RequestLog;

/// A running SQLFlow emulator.
///
/// Dropping it stops the server: it accepts no further connections, and open ones end after the current request.
/// [`shutdown`](Self::shutdown) does the same and waits until the server has stopped.
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
    /// Fails if the port cannot be bound, or if no folder for uploads can be created.
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    /// Returns a builder for an emulator with other settings.
    #[must_use]
    pub fn builder() -> EmulatorBuilder {
        EmulatorBuilder::default()
    }

    /// Returns the root of the server, for example `http://127.0.0.1:8165`, without a path and without a trailing
    /// slash.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr())
    }

    /// Returns the address that the server listens on.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.listener.address()
    }

    /// Returns all requests received so far, oldest first, including those in progress.
    ///
    /// Only the most recent 100 000 are kept.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.service.requests.snapshot()
    }

    /// Returns the current state of the jobs of all users, oldest first. Deleted jobs are not included.
    #[must_use]
    pub fn jobs(&self) -> Vec<JobSnapshot> {
        self.service.jobs.snapshot()
    }

    /// Adds a fault from now on, after all existing faults.
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
        self.service.inject(fault, None);
    }

    /// Removes all faults, and listens again if connections are refused. Faults that were already applied to a
    /// request continue.
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
        self.service.clear_faults();
    }

    /// Returns the faults that can still apply to a request, in the order in which they are tried. The number of
    /// [`times`](Fault::times) is what is left of it.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        self.service.faults.active().into_iter().map(|active| active.fault).collect()
    }

    /// Changes the time of creation that a job shows, and returns `false` if there is no such job. The order of jobs,
    /// and the [`lag`](EmulatorBuilder::lag), stay those of the submissions.
    ///
    /// ```no_run
    /// # use sqlflow_emulator::Emulator;
    /// # use std::time::{Duration, SystemTime};
    /// # fn example(emulator: &Emulator, job_id: &str) {
    /// let last_month = SystemTime::now() - Duration::from_secs(30 * 24 * 60 * 60);
    /// assert!(emulator.set_time_of_creation(job_id, last_month));
    /// // … see that the job counts as an old one …
    /// # }
    /// ```
    #[must_use = "the job may not exist"]
    pub fn set_time_of_creation(&self, job_id: &str, time: SystemTime) -> bool {
        self.service.jobs.change_any(job_id, |job| job.set_created(time)).is_ok()
    }

    /// Changes the time that a job seems to have run, `executeTime`, and returns `false` if there is no such job. Its
    /// end replaces the time if the job still runs.
    #[must_use = "the job may not exist"]
    pub fn set_execute_time(&self, job_id: &str, time: Duration) -> bool {
        self.service.jobs.change_any(job_id, |job| job.set_elapsed(time)).is_ok()
    }

    /// Invalidates every token issued so far, at once. Tokens that are issued afterwards are valid, and so is the
    /// literal token of the on-premise user, which was never issued.
    ///
    /// ```no_run
    /// # use sqlflow_emulator::Emulator;
    /// # async fn example() -> std::io::Result<()> {
    /// let emulator = Emulator::start().await?;
    /// // … log in …
    /// emulator.expire_tokens();
    /// // … see that the client logs in again …
    /// # Ok(())
    /// # }
    /// ```
    pub fn expire_tokens(&self) {
        self.service.accounts.expire();
    }

    /// Stops the server and waits until it has stopped.
    ///
    /// Requests in progress have five seconds to end; delays caused by faults are cut short. Jobs that still run are
    /// abandoned.
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

/// The settings of an [`Emulator`], created by [`Emulator::builder`].
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
    /// Sets the port of 127.0.0.1 to listen on. The default, 0, selects a free port.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Requires this account: no other user id and no other secret key is accepted.
    ///
    /// Without it, any user id with any non-empty secret key gets a token, and `gudu|0123456789` may send the literal
    /// token `token` without requesting one.
    #[must_use]
    pub fn account(mut self, user_id: impl Into<String>, secret_key: impl Into<String>) -> Self {
        self.account = Some((user_id.into(), secret_key.into()));
        self
    }

    /// Sets the time for which a token is valid, in whole seconds. The default is 24 hours. Zero means that tokens
    /// never expire, as on the real server. A token with a lifetime of less than a second has already expired when it
    /// arrives.
    #[must_use]
    pub fn token_lifetime(mut self, lifetime: Duration) -> Self {
        self.token_lifetime = lifetime;
        self
    }

    /// Sets the maximum number of relationships up to which lineage is drawn. Beyond it, exports of the drawn lineage
    /// leave out record sets (mode `ignoreRecordSet`). If there are still too many relationships, they respond in
    /// `summary` mode, with counts and tables but neither columns nor relationships nor graph.
    ///
    /// There is no limit by default. Real servers call this setting `relation_limit`; their default is 1000.
    #[must_use]
    pub fn relation_limit(mut self, limit: Option<usize>) -> Self {
        self.settings.relations = limit;
        self
    }

    /// Sets the minimum time that a job spends in status `create`. The default is 100 ms.
    #[must_use]
    pub fn time_in_create(mut self, time: Duration) -> Self {
        self.settings.times.in_create = time;
        self
    }

    /// Sets the minimum time that a job spends in status `process`. The default is 300 ms, so that a caller that
    /// polls a few times a second sees it.
    #[must_use]
    pub fn time_in_process(mut self, time: Duration) -> Self {
        self.settings.times.in_process = time;
        self
    }

    /// Sets the time of creation that all jobs show. By default it is the time of their submission.
    /// [`Emulator::set_time_of_creation`] changes it for a single job.
    #[must_use]
    pub fn time_of_creation(mut self, time: SystemTime) -> Self {
        self.settings.times.created = Some(time);
        self
    }

    /// Sets the time after a submission in which the server does not know the job: lists lack it, and a request about it
    /// says that there is no such job, as on a server that reads from a replica. By default there is none.
    #[must_use]
    pub fn lag(mut self, lag: Duration) -> Self {
        self.settings.lag = lag;
        self
    }

    /// Sets the maximum number of characters in the name of a job. Longer names are cut when the job is submitted, and
    /// 0 drops names altogether. By default there is no maximum.
    #[must_use]
    pub fn max_job_name_length(mut self, characters: usize) -> Self {
        self.settings.max_job_name_length = characters;
        self
    }

    /// Sets the maximum number of calls of `/api/anonymous/lineage` per address and day (UTC). The default is 50.
    #[must_use]
    pub fn max_anonymous_calls_per_day(mut self, calls: u32) -> Self {
        self.settings.max_anonymous_calls_per_day = calls;
        self
    }

    /// Compresses responses for callers that accept gzip. Off by default.
    #[must_use]
    pub fn gzip(mut self, gzip: bool) -> Self {
        self.gzip = gzip;
        self
    }

    /// Adds a fault. Can be called any number of times: the first of all faults that matches a request and is due
    /// applies to it.
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
    /// Fails if the port cannot be bound, or if no folder for uploads can be created.
    #[expect(clippy::unused_async, reason = "starting needs a runtime, and may have to await something in the future")]
    pub async fn start(self) -> io::Result<Emulator> {
        let refusal = self.faults.iter().filter_map(Fault::refusal).max();
        let listener = SharedListener::bind(self.port, refusal)?;
        let (stop, stopped) = watch::channel(false);
        let service = self.service(stopped.clone(), Arc::downgrade(&listener))?;
        let app = routes::router(Arc::clone(&service)).into_make_service_with_connect_info::<ConnectionInfo>();
        let serve =
            axum::serve(FaultyListener(Arc::clone(&listener)), app).with_graceful_shutdown(wait_for_stop(stopped));
        let server = tokio::spawn(serve.into_future());
        tracing::debug!(address = %listener.address(), "SQLFlow emulator started");
        Ok(Emulator { listener, service, stop, server: Some(server) })
    }

    fn service(self, stopped: watch::Receiver<bool>, listener: Weak<SharedListener>) -> io::Result<Arc<Service>> {
        let spool = tempfile::Builder::new().prefix("sqlflow-emulator-").tempdir()?;
        let faults = FaultRegistry::default();
        for fault in self.faults.into_iter().filter(|fault| fault.refusal().is_none()) {
            faults.add(fault);
        }
        Ok(Arc::new(Service {
            accounts: Accounts::new(self.account, self.token_lifetime),
            jobs: JobStore::new(self.settings.lag, self.settings.times),
            requests: RequestLog::default(),
            anonymous: direct::AnonymousCalls::default(),
            settings: self.settings,
            gzip: self.gzip,
            faults,
            spool,
            stopped,
            listener,
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

/// The settings that the handlers need; every value comes from the builder.
#[derive(Debug, Clone)]
struct ServerSettings {
    relations: Option<usize>,
    times: JobTimes,
    lag: Duration,
    max_job_name_length: usize,
    max_anonymous_calls_per_day: u32,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            relations: None,
            times: JobTimes::default(),
            lag: Duration::ZERO,
            max_job_name_length: usize::MAX,
            max_anonymous_calls_per_day: 50,
        }
    }
}

/// The state that all handlers share.
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
    /// Gone when the emulator has stopped.
    listener: Weak<SharedListener>,
}

impl Service {
    /// Adds a fault. Where it refuses connections, it ends all that are open except this one.
    fn inject(&self, fault: Fault, except: Option<&ConnectionInfo>) {
        match (fault.refusal(), self.listener.upgrade()) {
            (None, _) => self.faults.add(fault),
            (Some(time), Some(listener)) => listener.refuse(time, except),
            // There is nothing to refuse once the server has stopped.
            (Some(_), None) => {}
        }
    }

    /// Removes all faults, and listens again if connections are refused.
    fn clear_faults(&self) {
        self.faults.clear();
        if let Some(listener) = self.listener.upgrade() {
            listener.stop_refusing();
        }
    }
}

/// Waits until the emulator is stopped or dropped.
async fn wait_for_stop(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is a stop as well.
    let _gone = stopped.wait_for(|stop| *stop).await;
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
