//! The programs that `benches/measure` starts and measures, one work of one client in each process: this client, the
//! peers that are written in Rust, the server that all of them talk to, and a program that measures others.
//!
//! A client ends without freeing what it read, like a program that has done its work.

mod call;
#[path = "../../crates/sqlflow-lineage/benches/peers/mod.rs"]
mod derived;
mod disk;
#[allow(dead_code)] // Some of it is for the benchmarks of that package.
#[path = "../../crates/sqlflow-lineage/benches/generator/mod.rs"]
mod generator;
mod launch;
mod model;
mod notice;
mod prepare;
mod server;
mod upload;
mod watch;

use std::process::ExitCode;

use sqlflow_client::{Client, Job};

/// The result of a work: a line for standard output, or an error.
type Outcome = Result<String, Box<dyn std::error::Error>>;

const USAGE: &str = "\
clients prepare full|drawn|zip|sql BYTES FILE
clients serve [--body FILE] [--jobs COUNT --seconds SECONDS]
clients run [--sync FILE] COMMAND [ARGUMENT…]
clients disk sdk|reqwest URL FILE
clients model sdk|value|derived full|drawn URL
clients upload sdk|reqwest URL FILE…
clients call sdk|reqwest URL TIMES
clients watch URL JOBS
clients notice JOBS SECONDS…";

fn main() -> ExitCode {
    if let Some(log) = std::env::var_os(launch::COMPILER_LOG) {
        return launch::compile(&log);
    }
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        [] => Ok("these programs are started by benches/measure".to_owned()),
        ["prepare", kind, bytes, path] => prepare::prepare(kind, bytes, path),
        ["serve", options @ ..] => server::serve(options),
        ["run", "--sync", path, command @ ..] => launch::run(Some(*path), command),
        ["run", command @ ..] => launch::run(None, command),
        ["disk", client, url, path] => disk::download(client, url, path),
        ["model", client, kind, url] => model::read(client, kind, url),
        ["upload", client, url, paths @ ..] => upload::upload(client, url, paths),
        ["call", client, url, times] => call::call(client, url, times),
        ["watch", url, jobs] => watch::watch(url, jobs),
        ["notice", jobs, ages @ ..] => notice::notice(jobs, ages),
        _ => Err(format!("{words:?} is none of\n{USAGE}").into()),
    };
    match outcome {
        Ok(line) => {
            // A server has nothing left to say, and nobody reads it any longer.
            if !line.is_empty() {
                println!("{line}");
            }
            // Without freeing anything, and without waiting for threads.
            std::process::exit(0);
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The id of the job that the server has.
const JOB: &str = "6fa5c6c4d3f24ac68bb0a5b2cbb1ea3e";

/// The form of a request about that job, as this client sends it to a server that ignores tokens.
const FORM: [(&str, &str); 3] = [("jobId", JOB), ("userId", "gudu|0123456789"), ("token", "token")];

fn sdk(url: &str) -> sqlflow_client::Result<Client> {
    Client::builder(url).without_proxy().build()
}

fn sdk_job(url: &str) -> sqlflow_client::Result<Job> {
    Ok(sdk(url)?.job(JOB))
}

fn bare() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder().no_proxy().build()
}

/// Returns the URL of an operation on jobs.
fn operation(url: &str, name: &str) -> String {
    format!("{url}/api/gspLive_backend/sqlflow/job/{name}")
}

/// Returns the runtime that `#[tokio::main]` has.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Runtime::new()
}

fn unknown(what: &str, found: &str) -> Box<dyn std::error::Error> {
    format!("there is no {what} {found}; see\n{USAGE}").into()
}
