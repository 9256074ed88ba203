//! Analysis without a job and syntax checks against the emulator, on a real connection, with real SQL.

mod analyzed;
mod syntax_checked;

use sqlflow_client::emulator::Emulator;
use sqlflow_client::{Client, Credentials};

async fn sqlflow() -> (Client, Emulator) {
    let emulator = Emulator::start().await.unwrap();
    let credentials = Credentials::secret_key("ann", "any key");
    let client = Client::builder(emulator.url()).credentials(credentials).build().unwrap();
    (client, emulator)
}
