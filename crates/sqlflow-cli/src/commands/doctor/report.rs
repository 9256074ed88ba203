//! The results of the checks, printed as they come.

use std::io::{IsTerminal as _, Write as _};

use serde::Serialize;

use super::Check;
use crate::arguments::JsonArguments;
use crate::exit::{Exit, Failure, Outcome};
use crate::messages::Messages;
use crate::output::Output;
use crate::progress::Progress;

/// The width of the longest name of a check.
const NAME_WIDTH: usize = 13;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Ok,
    Warning,
    Failed,
    Skipped,
}

impl State {
    /// Returns the mark of a line, and its colour.
    fn mark(self, is_unicode: bool) -> (&'static str, &'static str) {
        match (self, is_unicode) {
            (Self::Ok, true) => ("✓", "\x1b[32m"),
            (Self::Warning, true) => ("!", "\x1b[33m"),
            (Self::Failed, true) => ("✗", "\x1b[1;31m"),
            (Self::Skipped, true) => ("-", "\x1b[2m"),
            (Self::Ok, false) => ("ok  ", "\x1b[32m"),
            (Self::Warning, false) => ("warn", "\x1b[33m"),
            (Self::Failed, false) => ("FAIL", "\x1b[1;31m"),
            (Self::Skipped, false) => ("skip", "\x1b[2m"),
        }
    }
}

/// The result of a check, which is also a line of `--jsonl`.
#[derive(Debug, Serialize)]
struct CheckResult {
    check: &'static str,
    state: State,
    detail: String,
    /// The next thing to do.
    help: Option<String>,
}

/// The result of the command as one JSON object.
#[derive(Debug, Serialize)]
struct ReportObject<'a> {
    ok: bool,
    checks: &'a [CheckResult],
}

/// All results so far.
pub(super) struct Report<'a> {
    json: JsonArguments,
    messages: &'a Messages,
    output: Output,
    is_coloured: bool,
    is_unicode: bool,
    /// The width of the terminal, if it is one.
    width: Option<usize>,
    running: Option<Progress>,
    results: Vec<CheckResult>,
    /// The exit code of the first failure.
    exit: Exit,
}

impl<'a> Report<'a> {
    pub(super) fn new(json: JsonArguments, messages: &'a Messages) -> Self {
        let choice = anstream::AutoStream::choice(&std::io::stdout());
        Self {
            json,
            messages,
            output: Output::stdout(),
            is_coloured: choice != anstream::ColorChoice::Never,
            is_unicode: is_unicode(),
            width: terminal_size::terminal_size()
                .filter(|_| std::io::stdout().is_terminal())
                .map(|(terminal_size::Width(width), _)| width.into()),
            running: None,
            results: Vec::new(),
            exit: Exit::Done,
        }
    }

    /// Shows that a check is being made.
    pub(super) fn start(&mut self, check: Check) {
        self.running = Some(Progress::start(self.messages, format!("checking: {}", check.name())));
    }

    pub(super) fn ok(&mut self, check: Check, detail: impl Into<String>) -> Outcome<()> {
        self.add(check, State::Ok, detail.into(), None)
    }

    pub(super) fn warn(&mut self, check: Check, detail: String, help: &str) -> Outcome<()> {
        self.add(check, State::Warning, detail, Some(help.to_owned()))
    }

    pub(super) fn failed(&mut self, check: Check, failure: &Failure) -> Outcome<()> {
        if self.exit == Exit::Done {
            self.exit = failure.exit;
        }
        self.add(check, State::Failed, failure.message.clone(), failure.help.clone())
    }

    pub(super) fn skip(&mut self, checks: impl IntoIterator<Item = Check>, reason: &str) -> Outcome<()> {
        checks.into_iter().try_for_each(|check| self.add(check, State::Skipped, format!("skipped: {reason}"), None))
    }

    /// Adds the result for a connection that was made.
    pub(super) fn tls(&mut self, is_tls: bool) -> Outcome<()> {
        if is_tls {
            return self.ok(Check::Tls, "the certificate is valid");
        }
        self.skip([Check::Tls], "the server speaks plain HTTP")
    }

    fn add(&mut self, check: Check, state: State, detail: String, help: Option<String>) -> Outcome<()> {
        self.running = None;
        let result = CheckResult { check: check.name(), state, detail, help };
        if self.json.jsonl {
            self.output.json_line(&result)?;
        } else if !self.json.json {
            self.print(&result)?;
        }
        self.output.flush()?;
        self.results.push(result);
        Ok(())
    }

    fn print(&mut self, result: &CheckResult) -> Outcome<()> {
        let (mark, colour) = result.state.mark(self.is_unicode);
        let (colour, reset) = if self.is_coloured { (colour, "\x1b[0m") } else { ("", "") };
        let indent = mark.chars().count() + 1;
        let detail = wrapped(&result.detail, self.width, indent + NAME_WIDTH + 2);
        writeln!(self.output, "{colour}{mark}{reset} {:NAME_WIDTH$}  {detail}", result.check)?;
        if let Some(help) = &result.help {
            let help = wrapped(&format!("help: {help}"), self.width, indent);
            writeln!(self.output, "{:indent$}{help}", "")?;
        }
        Ok(())
    }

    /// Prints the object of `--json`, and returns the exit code.
    pub(super) fn finish(mut self) -> Outcome {
        if self.json.json {
            self.output.json(&ReportObject { ok: self.exit == Exit::Done, checks: &self.results })?;
        }
        self.output.finish()?;
        Ok(self.exit)
    }
}

/// Returns `true` if the terminal shows more than ASCII, by the variables that say so.
fn is_unicode() -> bool {
    if cfg!(windows) {
        return true;
    }
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default().to_uppercase();
    locale.contains("UTF-8") || locale.contains("UTF8")
}

/// Breaks a text between words for a terminal of a width. All lines after the first begin with `indent` spaces.
fn wrapped(text: &str, width: Option<usize>, indent: usize) -> String {
    let Some(room) = width.and_then(|width| width.checked_sub(indent)) else { return text.to_owned() };
    let (mut lines, mut length) = (String::new(), 0);
    for word in text.split(' ') {
        let word_length = word.chars().count();
        if length > 0 && length + 1 + word_length > room {
            lines.push('\n');
            lines.extend(std::iter::repeat_n(' ', indent));
            length = 0;
        } else if length > 0 {
            lines.push(' ');
            length += 1;
        }
        lines.push_str(word);
        length += word_length;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_on_a_terminal_only() {
        let text = "nothing listens on this port";
        assert_eq!(wrapped(text, Some(20), 4), "nothing listens\n    on this port");
        assert_eq!(wrapped(text, Some(6), 4), "nothing\n    listens\n    on\n    this\n    port");
        assert_eq!(wrapped(text, None, 4), text);
        assert_eq!(wrapped(text, Some(2), 4), text);
    }
}
