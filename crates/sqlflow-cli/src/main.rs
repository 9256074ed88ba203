//! The command `sqlflow`: data lineage of SQL scripts from the shell, from cron and from CI.
//!
//! | module | owns |
//! |---|---|
//! | [`arguments`] | the command line: commands, flags, help |
//! | [`settings`] | where the server, the credentials and the defaults come from: flags, environment, profiles |
//! | [`connect`] | the client, or the embedded emulator, that the settings describe |
//! | [`commands`] | one module for each command |
//! | [`output`] | everything that is written to standard output or to a file |
//! | [`exit`] | exit codes, and the error that carries one |
//! | [`messages`] | everything that is written to standard error: notes, warnings, errors, logs |
//! | [`progress`] | bars and spinners on a terminal |
//! | [`signals`] | Ctrl-C and SIGTERM |
//! | [`sql_text`] | SQL scripts that are read into memory |

#![allow(clippy::doc_markdown, reason = "the doc comments of arguments are printed as help, where backticks are noise")]
#![allow(clippy::struct_excessive_bools, reason = "each flag of the command line is a bool")]

mod arguments;
mod commands;
mod connect;
mod exit;
mod messages;
mod output;
mod progress;
mod settings;
mod signals;
mod sql_text;

use std::process::ExitCode;

use clap::Parser as _;

use crate::arguments::Arguments;
use crate::messages::Messages;

fn main() -> ExitCode {
    let Arguments { global, command } = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(refused) => return messages::usage(&refused),
    };
    let messages = Messages::new(&global);
    messages.start_log();
    let outcome = commands::run(command, &messages);
    exit::code(outcome, &messages).into()
}
