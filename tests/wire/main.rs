//! Requests and responses on the wire: one test for each fact of the protocol, each against its own server on loopback.
//!
//! `mock` stands for a server that speaks HTTP as it should, `raw_server` for one that does not, and `sent` reads what
//! the client sent to either.

mod mock;
mod raw_server;
mod sent;

mod bad_input;
mod base_urls;
mod connections_that_break;
mod downloads_to_file;
mod envelopes;
mod exports;
mod exports_that_fail;
mod forms;
mod generated_client;
mod jobs_changed;
mod jobs_listed;
mod redirects;
mod retried;
mod tokens;
mod upload_limit;
mod uploads;
mod waiting;

/// The result of a test: errors that the test is not about are returned.
type Outcome = Result<(), Box<dyn std::error::Error>>;
