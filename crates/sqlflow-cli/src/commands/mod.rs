//! One module for each command: its arguments, and what it does.

pub(crate) mod analyze;
pub(crate) mod batch;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod emit;
pub(crate) mod emulator;
pub(crate) mod export;
pub(crate) mod inspect;
pub(crate) mod job;
pub(crate) mod jobs;
pub(crate) mod lineage;
pub(crate) mod man;
pub(crate) mod merge;
pub(crate) mod schedule;
pub(crate) mod submit;
pub(crate) mod wait;
pub(crate) mod watch;

use std::sync::{Arc, Mutex};

use sqlflow_client::JobId;

use crate::arguments::Command;
use crate::exit::{Exit, Failure, Outcome};
use crate::messages::Messages;
use crate::signals::stop_signal;

/// Runs a command.
///
/// # Errors
/// Those of the command.
pub(crate) fn run(command: Command, messages: &Messages) -> Outcome {
    match command {
        // These need no server, and neither a runtime nor a handler for Ctrl-C.
        Command::Inspect(arguments) => inspect::run(arguments, messages),
        Command::Diff(arguments) => diff::run(arguments, messages),
        Command::Merge(arguments) => merge::run(arguments, messages),
        Command::Config(command) => config::run(command),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Man(arguments) => man::run(&arguments),
        command => {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()
                .map_err(|error| Failure::io("cannot start a runtime", &error))?;
            let outcome = runtime.block_on(until_interrupted(command, messages));
            // A blocking read of standard input may never return.
            runtime.shutdown_background();
            outcome
        }
    }
}

/// Runs a command that talks to a server, until it ends or is told to.
async fn until_interrupted(command: Command, messages: &Messages) -> Outcome {
    // For a server, Ctrl-C is the normal end.
    if let Command::Emulator(arguments) = command {
        return emulator::run(arguments, messages).await;
    }
    let stopped = stop_signal().map_err(|error| Failure::io("cannot wait for Ctrl-C", &error))?;
    let resumption = Resumption::default();
    tokio::select! {
        exit = stopped => Err(resumption.interrupted(exit)),
        outcome = online(command, messages, &resumption) => outcome,
    }
}

async fn online(command: Command, messages: &Messages, resumption: &Resumption) -> Outcome {
    match command {
        Command::Lineage(arguments) => Box::pin(lineage::run(arguments, messages, resumption)).await,
        Command::Analyze(arguments) => analyze::run(arguments, messages).await,
        Command::Submit(arguments) => submit::run(arguments, messages, resumption).await,
        Command::Watch(arguments) => watch::run(arguments, messages, resumption).await,
        Command::Wait(arguments) => wait::run(arguments, messages, resumption).await,
        Command::Export(arguments) => Box::pin(export::run(arguments, messages)).await,
        Command::Jobs(arguments) => jobs::run(arguments, messages).await,
        Command::Job(command) => job::run(command, messages).await,
        Command::Schedule(command) => schedule::run(command, messages).await,
        Command::Batch(arguments) => batch::run(arguments, messages, resumption).await,
        Command::Check(arguments) => check::run(arguments, messages).await,
        Command::Emit(arguments) => emit::run(arguments, messages, resumption).await,
        Command::Doctor(arguments) => doctor::run(arguments, messages).await,
        Command::Emulator(_)
        | Command::Inspect(_)
        | Command::Diff(_)
        | Command::Merge(_)
        | Command::Config(_)
        | Command::Completions(_)
        | Command::Man(_) => unreachable!("it is run elsewhere"),
    }
}

/// The command with which a person continues after an interruption, as far as it is known by then.
#[derive(Debug, Clone, Default)]
pub(crate) struct Resumption(Arc<Mutex<Option<String>>>);

impl Resumption {
    /// Sets the command.
    pub(crate) fn set(&self, command: impl Into<String>) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(command.into());
    }

    /// Says that the jobs go on without this program.
    pub(crate) fn jobs<'a>(&self, ids: impl IntoIterator<Item = &'a JobId>) {
        let ids: Vec<_> = ids.into_iter().map(JobId::as_str).collect();
        self.set(format!("the job goes on: sqlflow wait {}", ids.join(" ")));
    }

    /// Says that there is nothing to continue any more.
    pub(crate) fn clear(&self) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = None;
    }

    fn interrupted(&self, exit: Exit) -> Failure {
        let command = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        let signal = if exit == Exit::Interrupted { "Ctrl-C" } else { "SIGTERM" };
        let failure = Failure::new(exit, format!("stopped by {signal}"));
        match command {
            Some(command) => failure.help(command),
            None => failure,
        }
    }
}
