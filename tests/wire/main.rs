//! Requests and responses on the wire: one test per fact of the protocol, each against its own server on the loopback
//! interface.
//!
//! `child_process` runs a test in a process of its own. `mock` is a server that follows HTTP, `raw_server` one that may
//! not, `strange_server` a raw one that keeps jobs, and `sent` reads the requests that the client sent to any of them.

#[cfg(unix)]
mod child_process;
mod mock;
mod raw_server;
mod sent;
mod strange_server;

mod analysis;
mod bad_input;
mod base_urls;
mod connections_that_break;
mod content_encodings;
mod control_characters;
mod credentials;
mod downloads_to_file;
mod envelopes;
mod exports;
mod exports_that_fail;
mod forms;
mod generated_client;
#[cfg(unix)]
mod input_files;
mod job_files;
mod job_lists;
mod job_queries;
mod jobs_changed;
mod jobs_listed;
mod proxies;
mod redirects;
mod retried;
mod schedules;
mod seen_operations;
mod small_answers;
mod strange_lists;
mod strange_names;
mod strange_states;
mod syntax_checks;
mod table_affect;
mod tokens;
mod upload_limit;
mod uploads;
mod waiting;

/// The result of a test, which passes unexpected errors on.
type TestResult = Result<(), Box<dyn std::error::Error>>;
