//! An async client for the REST API of SQLFlow: submit SQL as a job, wait for it, and read its data lineage.
//!
//! SQLFlow, by Gudu Software, analyzes SQL scripts in two dozen dialects and returns their *data lineage*: which column
//! feeds which, through every view, insert and procedure. The server is the vendor's cloud or self-hosted. This crate
//! uploads the scripts, follows the job on the server, and reads the result as typed data.
//!
//! # The main job
//!
//! ```no_run
//! use sqlflow_client::{Client, Credentials, Vendor};
//!
//! # async fn example() -> sqlflow_client::Result<()> {
//! // Reads SQLFLOW_USER_ID, and SQLFLOW_SECRET_KEY or SQLFLOW_TOKEN.
//! let sqlflow = Client::builder("https://api.gudusoft.com")
//!     .credentials(Credentials::from_env()?)
//!     .build()?;
//!
//! let job = sqlflow.submit(Vendor::Oracle).path("etl/").await?;
//! let finished = job.wait().await?;
//! for flow in finished.lineage().await?.column_flows() {
//!     println!("{flow}"); // SALES.ORDERS.TOTAL → REPORT.REVENUE.AMOUNT
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Requests are builders: add settings, then `.await` them. A [`Client`] and a [`Job`] are cheap to clone and to share
//! between tasks. The crate runs on tokio.
//!
//! # Where to go next
//!
//! The [guide] has a page for each task, which begins with a program that runs. To look something up:
//!
//! | to | see |
//! |---|---|
//! | install the crate, find an example | [`guide::getting_started`] |
//! | submit files, watch a job, attach to it after a restart, export it | [`guide::submitting`], [`guide::following`], [`guide::resuming`], [`guide::exporting`]; [`job`] |
//! | run many submissions so that a crash loses none of them, on many machines | [`job::Batch`], [`guide::many_machines`] |
//! | analyze SQL without a job, check its syntax | [`analysis`] |
//! | query lineage for what feeds a column, draw it, compare it, send it to a catalog | [`guide::lineage`], [`guide::nightly_diffs`], [`guide::openlineage`]; [`lineage`] |
//! | find out what a change of a column would break | [`guide::impact`], [`lineage::Column::impact`] |
//! | decide what to do about an error | [`guide::errors`], [`ErrorKind`] |
//! | know whether the server may have executed a failed request | [`RequestOutcome`] |
//! | change when calls are retried, see it in logs | [`guide::retries`], [`guide::tracing`]; [`retry`] |
//! | fetch secrets from a vault, act for many users | [`guide::credentials`]; [`SecretProvider`], [`Client::with_credentials`] |
//! | configure the server, timeouts, TLS or a proxy | [`guide::on_premise`]; [`ClientBuilder`] |
//! | find the method for an operation of the API, or call one that has none | [`guide::operations`], [`api`] |
//! | replace a Python script, keep up with a new server | [`guide::from_python`], [`guide::new_server_version`] |
#![cfg_attr(
    feature = "emulator",
    doc = "| try the client and test a program without an account | [`guide::testing`], [`emulator`] |"
)]
#![cfg_attr(
    not(feature = "emulator"),
    doc = "| try the client and test a program without an account | [`guide::testing`], the feature `emulator` |"
)]
//!
//! # What it promises
//!
//! [`guide::promises`] names the tests that show each of these.
//!
//! - **A submission creates one job**, however the network fails. [`job::Settling`] describes how the client finds out
//!   whether a submission whose response was lost has created a job.
//! - **A call is retried only if that can do no harm.** The table of [`RequestOutcome`] says which failures of which
//!   calls are retried.
//! - **Waiting survives network failures.** A state that cannot be polled is an [event](job::JobState::poll_error), not
//!   the end of the wait.
//! - **Secrets stay in request bodies.** They are never in a URL, in `Debug` output, in an error, or in a log. (The
//!   only exceptions are the GET operations of [`api`], which have no body: four send a token in the URL, one the user
//!   id. Three of them have methods on [`Job`], whose docs say so: [`export_metadata`](Job::export_metadata),
//!   [`sub_job_file`](Job::sub_job_file) and [`parquet`](Job::parquet).)
//! - **The body of a [`job`] call is never completely in memory** unless you ask for that. Uploads are read from disk
//!   while they are sent, exports are written to disk as they arrive, and a lineage is parsed while it arrives.
//!   (Responses to calls of [`api`] are read into memory.)
//! - **A lineage is whole, or an error.** [`Job::lineage`] returns every relationship of the types that the job was
//!   submitted with. A lineage that its server may cut is a [`job::DrawnLineage`], and every lineage knows which
//!   relation types were requested: [`Lineage::coverage`].
//! - **Dropping a future is safe.** It cancels no job, invalidates no token, and leaves no partial file behind.
//! - **Nothing is dropped silently.** A partial success, warnings and unknown fields are all available in the result.
//! - **TLS is always verified.** No setting turns that off.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `rustls` | yes | TLS by rustls, with the root certificates of the platform and the cryptography of aws-lc |
//! | `native-tls` | | TLS by the library of the platform; on Linux it needs the headers of OpenSSL |
//! | `emulator` | | a local server that speaks the protocol, to try the client and to test programs |
//! | `html` | | pages that show a lineage in a browser |
//! | `petgraph` | | lineage diagrams as graphs of petgraph 0.8 |
//! | `arrow` | | lineage as tables for query engines: record batches of arrow 60, and Parquet files |
//!
//! With `rustls`, reqwest gets its default cryptography provider, so that a program that builds its own reqwest clients
//! needs no further feature and no setup. aws-lc needs a C compiler to build, and `CMake` only on platforms that are
//! rarely used. A program that installs a cryptography provider for its process, for example for FIPS, gets that
//! provider instead.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod analysis;
pub mod api;
mod auth;
mod client;
#[cfg(feature = "emulator")]
pub mod emulator;
mod error;
pub mod guide;
pub mod job;
pub mod retry;
mod sync;
mod transport;
mod wire;

pub use crate::auth::{Credentials, SecretFuture, SecretProvider, UserSecret};
pub use crate::client::{Client, ClientBuilder, TlsBackend};
pub use crate::error::{Error, ErrorKind, RequestOutcome, Result};
pub use crate::job::Job;
pub use crate::transport::ByteStream;
pub use crate::wire::{JobId, JobStatus, Secret, Vendor};
#[doc(inline)]
pub use sqlflow_lineage as lineage;
pub use sqlflow_lineage::Lineage;
// The type that `ClientBuilder::http_client` takes has to be of the version that is used here.
#[doc(no_inline)]
pub use reqwest;

/// Compiles the code in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
