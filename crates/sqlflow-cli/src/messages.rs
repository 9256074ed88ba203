//! Everything that is written to standard error: notes, warnings, errors and logs.

use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anstream::ColorChoice;
use serde_json::json;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::arguments::{Color, GlobalArguments, LogFormat};
use crate::exit::{Exit, Failure};
use crate::output::lineage::without_controls;

/// Writes to standard error as the global flags say.
#[derive(Debug, Clone)]
pub(crate) struct Messages {
    quiet: bool,
    verbose: u8,
    format: LogFormat,
    shows_progress: bool,
    /// The number of files that were left out of submissions.
    left_out: Arc<AtomicUsize>,
}

const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[1;33m";
const CYAN: &str = "\x1b[1;36m";
const RESET: &str = "\x1b[0m";

impl Messages {
    /// Also decides, for the whole program, whether anything is coloured.
    pub(crate) fn new(global: &GlobalArguments) -> Self {
        match global.color {
            Color::Auto => {}
            Color::Always => ColorChoice::AlwaysAnsi.write_global(),
            Color::Never => ColorChoice::Never.write_global(),
        }
        let is_json = global.log_format == LogFormat::Json;
        Self {
            quiet: global.quiet,
            verbose: global.verbose,
            format: global.log_format,
            shows_progress: !global.quiet && !is_json && global.verbose == 0 && io::stderr().is_terminal(),
            left_out: Arc::default(),
        }
    }

    /// Creates messages that a test does not look at.
    #[cfg(test)]
    pub(crate) fn silent() -> Self {
        Self { quiet: true, verbose: 0, format: LogFormat::Text, shows_progress: false, left_out: Arc::default() }
    }

    /// Returns `true` if only the essential output is wanted.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Returns `true` if progress may be drawn.
    pub(crate) fn shows_progress(&self) -> bool {
        self.shows_progress
    }

    /// Returns the number of files that were left out of submissions, each with a warning.
    pub(crate) fn left_out(&self) -> usize {
        self.left_out.load(Ordering::Relaxed)
    }

    /// Sends the log of the library to standard error, as far as `-v` asks for it.
    pub(crate) fn start_log(&self) {
        // First the client, then the embedded server too, and then the libraries for HTTP and TLS.
        let (client, emulator, others) = match self.verbose {
            0 => {
                tracing_subscriber::registry().with(LibraryWarnings(self.clone())).init();
                return;
            }
            1 => (Level::DEBUG, Level::WARN, LevelFilter::WARN),
            2 => (Level::TRACE, Level::DEBUG, LevelFilter::WARN),
            _ => (Level::TRACE, Level::TRACE, LevelFilter::DEBUG),
        };
        let targets = Targets::new()
            .with_target("sqlflow", client)
            .with_target("sqlflow_emulator", emulator)
            .with_default(others);
        let registry = tracing_subscriber::registry().with(targets);
        let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
        match self.format {
            LogFormat::Text => registry.with(layer.with_ansi(false)).init(),
            LogFormat::Json => registry.with(layer.json()).init(),
        }
    }

    /// Writes something that a person may want to know and a script does not need.
    pub(crate) fn note(&self, text: impl fmt::Display) {
        if !self.quiet {
            self.write("note", CYAN, &text.to_string(), None);
        }
    }

    /// Writes what may make the result less than it seems.
    pub(crate) fn warning(&self, text: impl fmt::Display) {
        self.write("warning", YELLOW, &text.to_string(), None);
    }

    /// Writes the error of one of several things that a command does, which goes on with the others.
    pub(crate) fn error(&self, text: impl fmt::Display) {
        self.write("error", RED, &text.to_string(), None);
    }

    /// Writes the error that ends the program.
    pub(crate) fn failure(&self, failure: &Failure) {
        if matches!(failure.exit, Exit::Interrupted | Exit::Terminated) {
            self.write("interrupted", YELLOW, &failure.message, failure.help.as_deref());
        } else {
            self.write("error", RED, &failure.message, failure.help.as_deref());
        }
    }

    fn write(&self, level: &str, color: &str, text: &str, help: Option<&str>) {
        let text = &without_controls(text);
        let mut stderr = anstream::stderr().lock();
        // There is nowhere to report that standard error cannot be written.
        let _ = match self.format {
            LogFormat::Json => {
                let mut line = json!({"level": level, "message": text});
                if let Some(help) = help {
                    line["help"] = help.into();
                }
                writeln!(stderr, "{line}")
            }
            LogFormat::Text => writeln!(stderr, "{color}{level}:{RESET} {text}").and_then(|()| match help {
                Some(help) => writeln!(stderr, "  {BOLD}help:{RESET} {help}"),
                None => Ok(()),
            }),
        };
    }
}

/// Shows those warnings of the library that say that something is less or other than it seems. Retries are not among them.
struct LibraryWarnings(Messages);

impl<S: Subscriber> Layer<S> for LibraryWarnings {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        const SHOWN: [&str; 3] = ["sqlflow_client::submit", "sqlflow_client::client", "sqlflow_client::files"];

        let metadata = event.metadata();
        if *metadata.level() > Level::WARN || !SHOWN.contains(&metadata.target()) {
            return;
        }
        let mut text = EventText::default();
        event.record(&mut text);
        if text.message == LEFT_OUT {
            self.0.left_out.fetch_add(1, Ordering::Relaxed);
        }
        self.0.warning(format_args!("{}{}", text.message, text.fields));
    }
}

/// The message of the library for a file that it does not submit.
const LEFT_OUT: &str = "left out of the submission";

/// The message of an event, and its fields in parentheses.
#[derive(Default)]
struct EventText {
    message: String,
    fields: String,
}

impl Visit for EventText {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else {
            let _ = write!(self.fields, " ({}: {value:?})", field.name());
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = write!(self.fields, " ({}: {value})", field.name());
    }
}

/// Prints what clap says about the arguments: help and versions to standard output, errors to standard error.
pub(crate) fn usage(refused: &clap::Error) -> ExitCode {
    let printed = refused.print();
    match (refused.use_stderr(), printed) {
        (true, _) => Exit::Usage.into(),
        (false, Ok(())) => Exit::Done.into(),
        (false, Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done.into(),
        (false, Err(_)) => Exit::Error.into(),
    }
}
