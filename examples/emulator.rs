//! The emulator alone, for programs in any language.
//!
//! ```text
//! emulator [--port PORT] [--user ID --secret-key KEY]
//! ```
//! Prints its address and runs until it is interrupted. It takes any user id with any secret key, unless one is given.

use std::io::{Write, stdout};
use std::process::ExitCode;

use lexopt::prelude::*;
use sqlflow_client::emulator::{Emulator, EmulatorBuilder};

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = async {
        let emulator = start(lexopt::Parser::from_env(), &mut stdout()).await?;
        tokio::signal::ctrl_c().await?;
        emulator.shutdown().await;
        Outcome::Ok(())
    };
    match outcome.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn start(parser: lexopt::Parser, out: &mut impl Write) -> Outcome<Emulator> {
    let emulator = configured(parser)?.start().await?;
    writeln!(out, "{}", emulator.url())?;
    out.flush()?;
    Ok(emulator)
}

fn configured(mut parser: lexopt::Parser) -> Outcome<EmulatorBuilder> {
    let (mut builder, mut user, mut key) = (Emulator::builder(), None, None);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("port") => builder = builder.port(parser.value()?.parse()?),
            Long("user") => user = Some(parser.value()?.string()?),
            Long("secret-key") => key = Some(parser.value()?.string()?),
            other => {
                return Err(format!(
                    "{}\nusage: emulator [--port PORT] [--user ID --secret-key KEY]",
                    other.unexpected()
                )
                .into());
            }
        }
    }
    match (user, key) {
        (Some(user), Some(key)) => Ok(builder.account(user, key)),
        (None, None) => Ok(builder),
        _ => Err("--user and --secret-key go together".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_prints_an_address_that_answers() {
        let mut out = Vec::new();
        let _emulator = start(lexopt::Parser::from_args(["--port", "0"]), &mut out).await.unwrap();
        let url = String::from_utf8(out).unwrap();
        let client = sqlflow_client::Client::builder(url.trim()).build().unwrap();
        assert!(client.jobs().await.unwrap().jobs.is_empty());
    }

    #[test]
    fn a_user_without_a_key_is_refused() {
        assert!(configured(lexopt::Parser::from_args(["--user", "ann"])).is_err());
    }
}
