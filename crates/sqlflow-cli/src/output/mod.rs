//! Everything that is written to standard output or to a file.

mod csv;
mod file;
pub(crate) mod lineage;
pub(crate) mod page;
pub(crate) mod parquet;
mod pipe;
pub(crate) mod report;
mod table;

use std::io::{self, BufWriter, IsTerminal as _, Write};

use serde::Serialize;

pub(crate) use self::csv::csv_line;
use self::file::OutputFile;
use self::pipe::Pipe;
pub(crate) use self::table::{Table, terminal_width};
use crate::arguments::OutputArguments;
use crate::exit::Outcome;

/// The place that a result is written to: standard output, or a file that appears when it is complete.
pub(crate) enum Output {
    Stdout(BufWriter<Pipe<io::StdoutLock<'static>>>),
    File(OutputFile),
}

impl Output {
    /// Opens the file of the arguments, or standard output.
    ///
    /// # Errors
    /// The file cannot be created.
    pub(crate) fn open(arguments: &OutputArguments) -> Outcome<Self> {
        match &arguments.output {
            Some(path) if path.as_os_str() != "-" => OutputFile::create(path).map(Self::File),
            _ => Ok(Self::stdout()),
        }
    }

    /// Checks that there is a place for the file of the arguments, before long work.
    ///
    /// # Errors
    /// The directory of the file does not exist, or there is a directory in its place.
    pub(crate) fn check(arguments: &OutputArguments) -> Outcome<()> {
        match &arguments.output {
            Some(path) if path.as_os_str() != "-" => OutputFile::check(path),
            _ => Ok(()),
        }
    }

    pub(crate) fn stdout() -> Self {
        Self::Stdout(BufWriter::new(Pipe::new(io::stdout().lock())))
    }

    /// Returns `true` if a person reads the output as it is.
    pub(crate) fn is_terminal(&self) -> bool {
        match self {
            Self::Stdout(_) => io::stdout().is_terminal(),
            Self::File(_) => false,
        }
    }

    /// Returns `true` if the output may be coloured: it is a terminal, or `--color always` was given.
    pub(crate) fn is_coloured(&self) -> bool {
        match self {
            Self::Stdout(_) => anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never,
            Self::File(_) => false,
        }
    }

    /// Returns `true` if nobody reads the output any more.
    pub(crate) fn reader_left(&self) -> bool {
        match self {
            Self::Stdout(stdout) => stdout.get_ref().reader_left(),
            Self::File(file) => file.reader_left(),
        }
    }

    /// Writes a value as JSON, indented.
    ///
    /// # Errors
    /// The output cannot be written.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Outcome<()> {
        serde_json::to_writer_pretty(&mut *self, value)?;
        Ok(writeln!(self)?)
    }

    /// Writes values as JSON, one on each line.
    ///
    /// # Errors
    /// The output cannot be written.
    pub(crate) fn json_lines<T: Serialize>(&mut self, values: impl IntoIterator<Item = T>) -> Outcome<()> {
        for value in values {
            self.json_line(&value)?;
        }
        Ok(())
    }

    /// Writes a value as JSON on one line.
    ///
    /// # Errors
    /// The output cannot be written.
    pub(crate) fn json_line(&mut self, value: &impl Serialize) -> Outcome<()> {
        serde_json::to_writer(&mut *self, value)?;
        Ok(writeln!(self)?)
    }

    /// Makes everything that was written visible: a file gets its name.
    ///
    /// # Errors
    /// The output cannot be written.
    pub(crate) fn finish(self) -> Outcome<()> {
        match self {
            Self::Stdout(mut stdout) => Ok(stdout.flush()?),
            Self::File(file) => file.finish(),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(stdout) => stdout.write(bytes),
            Self::File(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.flush(),
            Self::File(file) => file.flush(),
        }
    }
}
