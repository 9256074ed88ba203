//! An async client for the REST API of SQLFlow: submit SQL as a job, follow it, and read its data lineage as typed
//! data.
//!
//! SQLFlow, by Gudu Software, reads SQL scripts of two dozen dialects and answers with *data lineage*: which column
//! feeds which, through every view, insert and procedure.
//!
//! ```no_run
//! use sqlflow_client::{Client, Credentials, Vendor};
//!
//! # async fn example() -> sqlflow_client::Result<()> {
//! let sqlflow = Client::builder("https://api.gudusoft.com").credentials(Credentials::from_env()?).build()?;
//!
//! let done = sqlflow.submit(Vendor::Oracle).path("etl/").await?.wait().await?;
//! let lineage = done.lineage().await?;
//! for flow in lineage.column_flows() {
//!     println!("{flow}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Where to go next
//!
//! | to | see |
//! |---|---|
//! | say where the server is and who asks | [`Client`], [`Credentials`] |
//! | submit files, follow a job, pick it up again, export it | [`job`] |
//! | run many submissions that a crash does not lose | [`job::Batch`] |
//! | ask what feeds what, draw it, compare it | [`lineage`] |
//! | decide when calls are made again | [`retry`] |
//! | call an operation that has no method of its own | [`api`] |
//! | know what to do about a failure | [`ErrorKind`] |
#![cfg_attr(feature = "emulator", doc = "| try and test without an account | [`emulator`] |")]
#![cfg_attr(not(feature = "emulator"), doc = "| try and test without an account | the feature `emulator` |")]
//!
//! # What it promises
//!
//! - **A job is submitted once**, however the network fails: [`job::Settling`] tells how a lost answer is settled.
//! - **Reads are repeated, changes only where that can do no harm**: the rule is a table in [`retry::RetryPolicy`].
//! - **Waiting survives**: a state that cannot be asked for is an [event](job::JobState::poll_error), not the end.
//! - **Secrets stay in form bodies**: never in a URL (but for the GET operations of [`api`] that leave no choice: four
//!   with a token, one with the user id), in `Debug`, in an error, or in a log.
//! - **A body of a [`job`] is never all in memory** unless it is asked for: uploads are read from disk while they are
//!   sent, exports are written to disk as they come, and a lineage is read into its model while it arrives. (Answers to
//!   calls of [`api`] are read whole.)
//! - **Dropping a future is safe**: it cancels no job, spoils no token, and leaves no half-written file behind.
//! - **Nothing is dropped in silence**: a summary in place of a lineage, a partial success, warnings and unknown
//!   fields can all be asked for.
//! - **TLS is verified**, always. There is no switch to turn it off.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `rustls` | yes | TLS by rustls, with the roots of the platform and the cryptography of ring |
//! | `native-tls` | | TLS by the library of the platform; on Linux it needs the headers of OpenSSL |
//! | `emulator` | | a local server that speaks the protocol, to try and to test with |
//! | `petgraph` | | diagrams of lineage as graphs of petgraph 0.8 |
//!
//! ring was chosen for what it costs to build: a C compiler and nothing more, on every platform. A program that
//! installs a cryptography provider for its process gets that one instead. This crate brings no provider to reqwest
//! itself: where nothing else does (reqwest's default features do), a program that builds reqwest clients of its own
//! has to install one first, or reqwest panics.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod api;
mod auth;
mod client;
mod error;
pub mod job;
pub mod retry;
mod sync;
mod transport;
mod wire;

pub use crate::auth::Credentials;
pub use crate::client::{Client, ClientBuilder, TlsBackend};
pub use crate::error::{Error, ErrorKind, RequestOutcome, Result};
pub use crate::job::Job;
pub use crate::transport::ByteStream;
pub use crate::wire::{JobId, JobStatus, Secret, Vendor};
#[cfg(feature = "emulator")]
#[doc(inline)]
pub use sqlflow_emulator as emulator;
#[doc(inline)]
pub use sqlflow_lineage as lineage;
pub use sqlflow_lineage::Lineage;

/// The code in the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
