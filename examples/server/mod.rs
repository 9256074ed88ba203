//! The server of the examples: the one at `SQLFLOW_URL`, or an emulator that the example starts if it is not set.

use sqlflow_client::emulator::Emulator;
use sqlflow_client::{Client, Credentials};

pub(crate) type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Creates a client, and the emulator it uses if there is one. The emulator stops when it is dropped.
pub(crate) async fn connect() -> Outcome<(Client, Option<Emulator>)> {
    if std::env::var_os("SQLFLOW_URL").is_some() {
        return Ok((Client::from_env()?, None));
    }
    let (client, emulator) = emulated().await?;
    eprintln!("SQLFLOW_URL is not set: using an emulator at {}", emulator.url());
    Ok((client, Some(emulator)))
}

/// Creates a client of a new emulator, regardless of the environment.
pub(crate) async fn emulated() -> Outcome<(Client, Emulator)> {
    let emulator = Emulator::start().await?;
    let client = Client::builder(emulator.url()).credentials(Credentials::secret_key("you", "any key")).build()?;
    Ok((client, emulator))
}

/// The folder with the SQL of the examples.
pub(crate) const SQL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/sql");

/// Prints an error with its causes, and returns the exit code.
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
