//! Which server the examples talk to: that of `SQLFLOW_URL`, or an emulator of their own when it is not set.

use sqlflow_client::emulator::Emulator;
use sqlflow_client::{Client, Credentials};

pub(crate) type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A client, with the emulator it talks to if there is one. The emulator ends when it is dropped.
pub(crate) async fn connect() -> Outcome<(Client, Option<Emulator>)> {
    if std::env::var_os("SQLFLOW_URL").is_some() {
        return Ok((Client::from_env()?, None));
    }
    let (client, emulator) = emulated().await?;
    eprintln!("SQLFLOW_URL is not set: using an emulator at {}", emulator.url());
    Ok((client, Some(emulator)))
}

/// A client of an emulator, whatever the environment says.
pub(crate) async fn emulated() -> Outcome<(Client, Emulator)> {
    let emulator = Emulator::start().await?;
    let client = Client::builder(emulator.url()).credentials(Credentials::secret_key("you", "any key")).build()?;
    Ok((client, emulator))
}

/// The SQL that comes with the examples.
pub(crate) const SQL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/sql");

/// Tells what failed, with its causes.
pub(crate) fn report(outcome: Outcome) -> std::process::ExitCode {
    let Err(error) = outcome else { return std::process::ExitCode::SUCCESS };
    eprintln!("error: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("  caused by: {error}");
        cause = error.source();
    }
    std::process::ExitCode::FAILURE
}
