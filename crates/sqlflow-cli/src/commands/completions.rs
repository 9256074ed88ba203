//! `sqlflow completions`: completion scripts for shells.

use std::io::Write as _;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::exit::{Exit, Outcome};
use crate::output::Output;

const EXAMPLES: &str = "\
Examples:
  sqlflow completions bash > ~/.local/share/bash-completion/completions/sqlflow
  sqlflow completions zsh > \"${fpath[1]}/_sqlflow\"
  sqlflow completions fish > ~/.config/fish/completions/sqlflow.fish";

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The shell
    shell: Shell,
}

/// # Errors
/// The output cannot be written.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut crate::arguments::Arguments::command(), "sqlflow", &mut script);
    let mut output = Output::stdout();
    output.write_all(&script)?;
    output.finish()?;
    Ok(Exit::Done)
}
