//! The whole life of a job against the emulator, on a real connection, with real SQL.

mod batched;
mod complete;
mod downloaded;
mod exported;
mod futures;
mod listed;
mod queried;
mod runtimes;
mod submitted;
mod submitted_once;
mod unattended;
mod watched;

use sqlflow_client::emulator::{Emulator, EmulatorBuilder};
use sqlflow_client::job::Polling;
use sqlflow_client::{Client, Credentials};
use std::time::Duration;

/// Starts an emulator whose jobs end quickly, and a client that polls it often.
async fn sqlflow() -> (Client, Emulator) {
    configured(|builder| builder).await
}

async fn configured(change: impl FnOnce(EmulatorBuilder) -> EmulatorBuilder) -> (Client, Emulator) {
    let quick = Emulator::builder().time_in_create(Duration::from_millis(5)).time_in_process(Duration::from_millis(5));
    let emulator = change(quick).start().await.unwrap();
    (client_of(&emulator, Credentials::secret_key("ann", "any key")), emulator)
}

fn client_of(emulator: &Emulator, credentials: Credentials) -> Client {
    let polling = Polling::every(Duration::from_millis(5));
    Client::builder(emulator.url()).credentials(credentials).polling(polling).build().unwrap()
}

/// Returns the number of requests for an operation.
fn requests_to(emulator: &Emulator, operation: &str) -> usize {
    emulator.requests().iter().filter(|request| request.operation == Some(operation)).count()
}
