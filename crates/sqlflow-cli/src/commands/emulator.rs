//! `sqlflow emulator`: a local server, for programs in any language.

use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use sqlflow_client::emulator::{Emulator, Fault, FaultDescription};

use crate::arguments::{JsonArguments, duration};
use crate::exit::{Exit, Failure, Outcome};
use crate::messages::Messages;
use crate::output::{Output, Table, terminal_width};
use crate::signals::stop_signal;

/// The width of the table of faults with meanings of about three words in a line.
const MIN_TABLE_WIDTH: u16 = 70;

const EXAMPLES: &str = "\
Examples:
  sqlflow emulator --port 8165
  sqlflow emulator --fault lose-response,on=submitUserJob,times=1
  sqlflow emulator --fault latency=2s,chance=0.05 --fault 502,chance=0.01
  sqlflow emulator --list-faults

While it runs:
  curl -d 502,times=1 http://127.0.0.1:8165/emulator/faults
  curl http://127.0.0.1:8165/emulator/requests
A browser shows its operations and its jobs at http://127.0.0.1:8165/";

/// Run a local server that speaks the SQLFlow protocol
///
/// Prints its address alone on the first line and runs until Ctrl-C. It accepts
/// any user id with any secret key, unless an account is given. It stands in for
/// SQLFlow and is not its engine.
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
    /// Do not know a job until this time after its submission
    #[arg(long, value_name = "TIME", value_parser = duration)]
    lag: Option<Duration>,
    /// Cut longer names of jobs; 0 drops all names
    #[arg(long, value_name = "N")]
    max_job_name_length: Option<usize>,
    /// Fail on demand; may be given several times
    #[arg(long, value_name = "FAULT", value_parser = str::parse::<Fault>)]
    fault: Vec<Fault>,
    /// Print all faults and conditions
    #[arg(long)]
    list_faults: bool,
    #[command(flatten)]
    json: JsonArguments,
}

/// The result of the command: the address, while the server runs.
#[derive(Debug, Serialize)]
struct Address {
    url: String,
}

/// A line of `--list-faults`.
#[derive(Debug, Serialize)]
struct ListedFault {
    kind: &'static str,
    name: &'static str,
    example: &'static str,
    meaning: &'static str,
}

/// The result of `--list-faults` as one JSON object.
#[derive(Debug, Serialize)]
struct FaultList {
    faults: Vec<ListedFault>,
}

/// # Errors
/// The port is in use, or the output cannot be written.
pub(crate) async fn run(arguments: Arguments, messages: &Messages) -> Outcome {
    if arguments.list_faults {
        list_faults(arguments.json)?;
        return Ok(Exit::Done);
    }
    let mut builder = Emulator::builder().port(arguments.port).gzip(arguments.gzip);
    if let (Some(user), Some(file)) = (arguments.user, arguments.secret_key_file) {
        let key = crate::settings::SecretSource::File(file).read()?;
        builder = builder.account(user, key.expose());
    }
    if let Some(lag) = arguments.lag {
        builder = builder.lag(lag);
    }
    if let Some(characters) = arguments.max_job_name_length {
        builder = builder.max_job_name_length(characters);
    }
    for fault in arguments.fault {
        builder = builder.fault(fault);
    }
    let emulator = builder.start().await.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => Failure::error(format!("port {} is in use", arguments.port))
            .help("another emulator may run there: choose another --port, or --port 0 for a free one"),
        ErrorKind::PermissionDenied => Failure::error(format!("port {} needs more rights: {error}", arguments.port))
            .help("choose a --port above 1023, or --port 0 for a free one"),
        _ => Failure::io(format_args!("cannot listen on port {}", arguments.port), &error),
    })?;
    // Before anybody knows that there is a server to stop.
    let stopped = stop_signal().map_err(|error| Failure::io("cannot wait for Ctrl-C", &error))?;
    let mut output = Output::stdout();
    let address = Address { url: emulator.url() };
    if arguments.json.json || arguments.json.jsonl {
        output.json_line(&address)?;
    } else {
        writeln!(output, "{}", address.url)?;
    }
    output.finish()?;
    messages.note("the emulator runs until Ctrl-C");
    stopped.await;
    emulator.shutdown().await;
    Ok(Exit::Done)
}

/// Returns `true` on a terminal on which the columns of the table would break within words.
fn is_narrow() -> bool {
    terminal_width().is_some_and(|width| width < MIN_TABLE_WIDTH)
}

fn list_faults(json: JsonArguments) -> Outcome<()> {
    let listed = |kind| {
        move |FaultDescription { name, example, meaning, .. }: FaultDescription| ListedFault {
            kind,
            name,
            example,
            meaning,
        }
    };
    let faults: Vec<_> =
        Fault::kinds().map(listed("fault")).chain(Fault::conditions().map(listed("condition"))).collect();
    let mut output = Output::stdout();
    if json.json {
        output.json(&FaultList { faults })?;
    } else if json.jsonl {
        output.json_lines(faults)?;
    } else {
        for (kind, heading) in [
            ("fault", "A fault is one of these"),
            ("condition", "\nfollowed by any of these conditions, each after a comma"),
        ] {
            writeln!(output, "{heading}:\n")?;
            if is_narrow() {
                for fault in faults.iter().filter(|fault| fault.kind == kind) {
                    writeln!(output, "{}\n  {}", fault.example, fault.meaning)?;
                }
                continue;
            }
            let mut table = Table::new(["NAME", "EXAMPLE", "MEANING"]);
            for fault in faults.iter().filter(|fault| fault.kind == kind) {
                table.row([fault.name.to_owned(), fault.example.to_owned(), fault.meaning.to_owned()]);
            }
            write!(output, "{table}")?;
        }
    }
    output.finish()
}
