//! Small programs that people write with the SDK, each in its shortest form, run against the emulator.

mod dashboard;
mod direct;
mod faults;
mod impact;
mod nightly;
mod openlineage;
mod resume;
mod retries;
mod service;
mod sqlite;

use std::time::Duration;

use sqlflow_client::emulator::{Emulator, EmulatorBuilder};
use sqlflow_client::job::Polling;
use sqlflow_client::{Client, Credentials};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const SQL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/sql");

/// Starts an emulator with quick jobs, and creates a client for it.
async fn emulated(change: impl FnOnce(EmulatorBuilder) -> EmulatorBuilder) -> Outcome<(Client, Emulator)> {
    let quick = Emulator::builder().time_in_create(Duration::ZERO).time_in_process(Duration::from_millis(20));
    let emulator = change(quick).start().await?;
    let polling = Polling::every(Duration::from_millis(5));
    let client = Client::builder(emulator.url()).credentials(Credentials::on_premise()).polling(polling).build()?;
    Ok((client, emulator))
}
