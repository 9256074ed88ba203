//! Runs the emulator as a server, for programs in any language.
//!
//! ```text
//! emulator [--port PORT] [--user ID --secret-key KEY] [--gzip] [--fault FAULT]...
//! ```
//! Prints its address and runs until it is interrupted. It accepts any user id with any secret key, unless an account is
//! given.
//!
//! With `--gzip` it compresses responses for callers that accept gzip. Each `--fault` adds a fault:
//!
//! ```text
//! emulator --fault lose-response,on=submitUserJob,times=1 --fault latency=2s,chance=0.05
//! ```
//! `--fault list`, or any other invalid fault, prints all faults and conditions. The documentation of
//! `sqlflow_client::emulator::Fault` describes them.

use std::io::{Write, stdout};
use std::process::ExitCode;

use lexopt::prelude::*;
use sqlflow_client::emulator::{Emulator, EmulatorBuilder};

const USAGE: &str = "usage: emulator [--port PORT] [--user ID --secret-key KEY] [--gzip] [--fault FAULT]...";

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
            Long("gzip") => builder = builder.gzip(true),
            Long("fault") => builder = builder.fault(parser.value()?.string()?.parse()?),
            other => return Err(format!("{}\n{USAGE}", other.unexpected()).into()),
        }
    }
    match (user, key) {
        (Some(user), Some(key)) => Ok(builder.account(user, key)),
        (None, None) => Ok(builder),
        _ => Err("--user and --secret-key must be given together".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_prints_the_address_of_a_running_emulator() {
        let mut out = Vec::new();
        let _emulator = start(lexopt::Parser::from_args(["--port", "0"]), &mut out).await.unwrap();
        let url = String::from_utf8(out).unwrap();
        let client = sqlflow_client::Client::builder(url.trim()).build().unwrap();
        assert!(client.jobs().await.unwrap().jobs.is_empty());
    }

    #[tokio::test]
    async fn faults_apply_in_the_order_in_which_they_were_given() {
        let arguments = ["--gzip", "--fault", "403,times=1", "--fault", "latency=1ms,on=displayUserJobsSummary"];
        let emulator = start(lexopt::Parser::from_args(arguments), &mut Vec::new()).await.unwrap();
        let client = sqlflow_client::Client::builder(emulator.url()).build().unwrap();
        assert!(client.jobs().await.is_err());
        assert!(client.jobs().await.unwrap().jobs.is_empty());
        let faults: Vec<_> = emulator.requests().into_iter().map(|request| request.fault).collect();
        assert_eq!(faults, [Some("403".to_owned()), Some("latency=1ms".to_owned())]);
    }

    #[test]
    fn an_invalid_fault_is_refused_with_a_list_of_valid_ones() {
        let refused = configured(lexopt::Parser::from_args(["--fault", "list"])).unwrap_err().to_string();
        assert!(refused.starts_with("'list' is not a fault") && refused.contains("lose-response"), "{refused}");
    }

    #[test]
    fn a_user_without_a_key_is_refused() {
        assert!(configured(lexopt::Parser::from_args(["--user", "ann"])).is_err());
    }
}
