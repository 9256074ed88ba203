//! `sqlflow emulator`: a local server, for programs in any language.

use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;

use clap::Args;
use sqlflow_client::emulator::{Emulator, Fault};

use crate::arguments::JsonArguments;
use crate::exit::{Exit, Failure, Outcome};
use crate::messages::Messages;
use crate::output::Output;

const EXAMPLES: &str = "\
Examples:
  sqlflow emulator --port 8165
  sqlflow emulator --fault lose-response,on=submitUserJob,times=1
  sqlflow emulator --fault latency=2s,chance=0.05 --fault 502,chance=0.01
  sqlflow emulator --list-faults";

/// Run a local server that speaks the SQLFlow protocol
///
/// Prints its address and runs until Ctrl-C. It accepts any user id with any
/// secret key, unless an account is given. It stands in for SQLFlow and is not
/// its engine.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Port to listen on; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
    /// Accept only this user
    #[arg(long, value_name = "ID", requires = "secret_key_file")]
    user: Option<String>,
    /// File with the secret key of the user
    #[arg(long, value_name = "FILE", requires = "user")]
    secret_key_file: Option<PathBuf>,
    /// Compress responses for callers that accept gzip
    #[arg(long)]
    gzip: bool,
    /// Fail on demand; may be given several times
    #[arg(long, value_name = "FAULT", value_parser = str::parse::<Fault>)]
    fault: Vec<Fault>,
    /// Print all faults and conditions
    #[arg(long)]
    list_faults: bool,
    #[command(flatten)]
    json: JsonArguments,
}

/// # Errors
/// The port is in use, or the output cannot be written.
pub(crate) async fn run(arguments: Arguments, messages: &Messages) -> Outcome {
    let _ = messages;
    let mut builder = Emulator::builder().port(arguments.port).gzip(arguments.gzip);
    if let (Some(user), Some(file)) = (arguments.user, arguments.secret_key_file) {
        let key = crate::settings::SecretSource::File(file).read()?;
        builder = builder.account(user, key.expose());
    }
    for fault in arguments.fault {
        builder = builder.fault(fault);
    }
    let emulator = builder.start().await.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => Failure::error(format!("port {} is in use", arguments.port))
            .help("choose another --port, or --port 0 for a free one"),
        _ => Failure::io(format_args!("cannot listen on port {}", arguments.port), &error),
    })?;
    let mut output = Output::stdout();
    let url = emulator.url();
    if arguments.json.json || arguments.json.jsonl {
        output.json_line(&serde_json::json!({"url": url}))?;
    } else {
        writeln!(output, "{url}")?;
    }
    output.finish()?;
    std::future::pending::<()>().await;
    Ok(Exit::Done)
}
