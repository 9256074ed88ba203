//! `sqlflow check`: the syntax of scripts.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use futures_util::stream::{self, StreamExt as _};
use serde::Serialize;
use serde_json::json;
use sqlflow_client::Client;
use sqlflow_client::analysis::SyntaxError;
use unicode_width::UnicodeWidthStr as _;

use super::submit::stdin;
use crate::arguments::{JsonArguments, OutputArguments, ServerArguments, VendorArgument};
use crate::connect::Connection;
use crate::exit::{Exit, Failure, Outcome};
use crate::messages::Messages;
use crate::output::Output;
use crate::output::lineage::{one_line, without_controls};
use crate::progress::Progress;
use crate::sql_text;

const EXAMPLES: &str = "\
Examples:
  sqlflow check etl/ --vendor oracle
  sqlflow check etl/ --vendor oracle --format github
  sqlflow check etl/ --vendor oracle --format sarif -o check.sarif
  git diff --name-only --diff-filter=d '*.sql' | xargs -r sqlflow check --vendor oracle";

/// The number of scripts that are checked at a time.
const AT_ONCE: usize = 4;

/// The number of characters of a line that are shown.
const MAX_EXCERPT: usize = 160;

/// Check the syntax of SQL scripts
///
/// Prints `file:line:column: message` for each error, with the line of the
/// script. The exit code is 8 if there are errors.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// SQL files, or directories of .sql files; `-` reads standard input
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    dialect: VendorArgument,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text", conflicts_with_all = ["json", "jsonl"])]
    #[arg(help_heading = "Output")]
    format: CheckFormat,
    #[command(flatten)]
    output: OutputArguments,
    #[command(flatten)]
    json: JsonArguments,
    #[command(flatten)]
    server: ServerArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CheckFormat {
    /// `file:line:column: message`, for people and editors
    Text,
    /// Annotations of GitHub Actions
    Github,
    /// SARIF 2.1.0, for code scanning
    Sarif,
}

/// A script with its errors.
struct CheckedScript {
    /// The path as it was given; `-` for standard input.
    path: PathBuf,
    sql: String,
    errors: Vec<SyntaxError>,
}

/// An error in a script.
#[derive(Debug, Serialize)]
struct FoundError<'a> {
    file: String,
    line: Option<u32>,
    column: Option<u32>,
    message: &'a str,
}

/// The result of the command as one JSON object.
#[derive(Debug, Serialize)]
struct CheckResult<'a> {
    files: usize,
    errors: Vec<FoundError<'a>>,
}

/// # Errors
/// A script cannot be read, or the check itself fails.
pub(crate) async fn run(arguments: Arguments, messages: &Messages) -> Outcome {
    let paths = sql_text::scripts(&arguments.paths, messages)?;
    let connection = Connection::open(&arguments.server, messages).await?;
    let vendor = connection.settings.vendor(arguments.dialect.vendor.as_ref(), messages)?;
    let progress = Progress::of(messages, paths.len() as u64, "scripts checked");
    let check = |path: PathBuf| {
        let (client, vendor, progress): (&Client, _, _) = (&connection.client, vendor.clone(), &progress);
        async move {
            let sql = match path.to_str() {
                Some("-") => sql_text::decode("standard input", stdin()?)?,
                _ => sql_text::read(&path)?,
            };
            let checked = match sql_text::check_not_empty(path.display(), &sql) {
                Ok(()) => client.check_syntax(vendor, sql.clone()).send().await.map(|checked| checked.errors),
                // There are no errors in nothing.
                Err(empty) => {
                    progress.suspend(|| messages.warning(empty));
                    Ok(Vec::new())
                }
            };
            progress.advance();
            let errors = checked.map_err(|error| Failure::from(error).about(path.display()))?;
            Ok::<_, Failure>(CheckedScript { path, sql, errors })
        }
    };
    let outcomes: Vec<Outcome<CheckedScript>> = stream::iter(paths).map(check).buffered(AT_ONCE).collect().await;
    drop(progress);
    let (mut scripts, mut failed) = (Vec::new(), None);
    for outcome in outcomes {
        match outcome {
            Ok(script) => scripts.push(script),
            // The errors in the other scripts are printed nevertheless.
            Err(failure) => {
                messages.error(&failure);
                failed = failed.or(Some(failure.exit));
            }
        }
    }
    let mut output = Output::open(&arguments.output)?;
    let errors = scripts.iter().flat_map(CheckedScript::found);
    match (arguments.json, arguments.format) {
        (JsonArguments { json: true, .. }, _) => {
            output.json(&CheckResult { files: scripts.len(), errors: errors.collect() })?;
        }
        (JsonArguments { jsonl: true, .. }, _) => output.json_lines(errors)?,
        (_, CheckFormat::Text) => {
            for script in &scripts {
                for error in &script.errors {
                    write!(output, "{}", script.text(error))?;
                }
            }
        }
        (_, CheckFormat::Github) => {
            for error in errors {
                writeln!(output, "{}", error.github())?;
            }
        }
        (_, CheckFormat::Sarif) => output.json(&sarif(errors))?,
    }
    output.finish()?;
    let count: usize = scripts.iter().map(|script| script.errors.len()).sum();
    let files = if scripts.len() == 1 { "1 file".to_owned() } else { format!("{} files", scripts.len()) };
    let errors = match count {
        0 => "no errors".to_owned(),
        1 => "1 error".to_owned(),
        _ => format!("{count} errors"),
    };
    messages.note(format_args!("{files} checked, {errors}"));
    Ok(failed.unwrap_or(if count == 0 { Exit::Done } else { Exit::Found }))
}

impl CheckedScript {
    fn found(&self) -> impl Iterator<Item = FoundError<'_>> {
        self.errors.iter().map(|error| FoundError {
            file: self.path.display().to_string(),
            line: error.line,
            column: error.column,
            message: &error.message,
        })
    }

    /// Returns an error as a line that editors understand, and the line of the script below it.
    fn text(&self, error: &SyntaxError) -> String {
        let mut text = format!("{}:{}\n", one_line(&self.path.display()), one_line(error));
        let line = error.line.and_then(|number| Some((number, self.sql.lines().nth(number.checked_sub(1)? as usize)?)));
        if let Some((number, line)) = line {
            let (number, before) =
                (number.to_string(), error.column.map_or(0, |column| column.saturating_sub(1) as usize));
            // A script can be one line of any length.
            let start = before.saturating_sub(MAX_EXCERPT / 2);
            let excerpt: String = line.chars().skip(start).take(MAX_EXCERPT).collect();
            let shown = |text: &str| without_controls(&text.replace('\t', " "));
            let caret = shown(&excerpt.chars().take(before - start).collect::<String>()).width();
            let margin = " ".repeat(number.len());
            let _ = writeln!(text, "  {number} | {}", shown(&excerpt));
            if error.column.is_some() {
                let _ = writeln!(text, "  {margin} | {}^", " ".repeat(caret));
            }
        }
        text
    }
}

impl FoundError<'_> {
    fn github(&self) -> String {
        let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
        let mut place = format!("file={}", property(&self.file));
        if let Some(line) = self.line {
            let _ = write!(place, ",line={line}");
        }
        if let Some(column) = self.column {
            let _ = write!(place, ",col={column}");
        }
        format!("::error {place}::{}", data(self.message))
    }
}

/// Escapes text as GitHub's commands need it.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn sarif<'a>(errors: impl Iterator<Item = FoundError<'a>>) -> serde_json::Value {
    let results: Vec<_> = errors
        .map(|error| {
            let mut location = json!({"artifactLocation": {"uri": uri(Path::new(&error.file))}});
            if let Some(line) = error.line {
                location["region"] = json!({"startLine": line});
                if let Some(column) = error.column.filter(|column| *column > 0) {
                    location["region"]["startColumn"] = column.into();
                }
            }
            json!({
                "ruleId": "syntax",
                "level": "error",
                "message": {"text": error.message},
                "locations": [{"physicalLocation": location}],
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "sqlflow",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": [{"id": "syntax", "shortDescription": {"text": "SQL that the parser of SQLFlow refuses"}}],
            }},
            "results": results,
        }],
    })
}

/// Returns a path as a relative reference: with slashes, and percent-encoded.
fn uri(path: &Path) -> String {
    let text = path.to_string_lossy().replace('\\', "/");
    let mut uri = String::new();
    for byte in text.trim_start_matches("./").bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_as_each_format_needs_it() {
        let error = FoundError { file: "a,b.sql".into(), line: Some(2), column: None, message: "100%\nno" };
        assert_eq!(error.github(), "::error file=a%2Cb.sql,line=2::100%25%0Ano");
        assert_eq!(uri(Path::new("./etl/größe 1.sql")), "etl/gr%C3%B6%C3%9Fe%201.sql");
    }
}
