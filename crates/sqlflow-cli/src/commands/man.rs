//! `sqlflow man`: manual pages.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory as _};
use clap_mangen::Man;

use crate::exit::{Exit, Failure, Outcome};
use crate::output::Output;

const EXAMPLES: &str = "\
Examples:
  sqlflow man | man -l -
  sqlflow man --dir ~/.local/share/man/man1";

/// Print the manual page
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Write the pages of all commands to a directory
    #[arg(long, value_name = "DIRECTORY")]
    dir: Option<PathBuf>,
}

/// # Errors
/// The pages cannot be written.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let mut command = crate::arguments::Arguments::command();
    command.build();
    match &arguments.dir {
        None => {
            let mut output = Output::stdout();
            let mut page = Vec::new();
            Man::new(command).render(&mut page)?;
            output.write_all(&page)?;
            output.finish()?;
        }
        Some(directory) => {
            write_pages(&command, "sqlflow", directory).map_err(|error| Failure::io(directory.display(), &error))?;
        }
    }
    Ok(Exit::Done)
}

/// Writes the page of a command and those of its subcommands.
fn write_pages(command: &clap::Command, name: &str, directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let mut page = Vec::new();
    Man::new(command.clone()).title(name.to_uppercase()).render(&mut page)?;
    fs::write(directory.join(format!("{name}.1")), page)?;
    for subcommand in command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help") {
        write_pages(subcommand, &format!("{name}-{}", subcommand.get_name()), directory)?;
    }
    Ok(())
}
