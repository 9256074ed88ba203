//! `sqlflow inspect`: lineage files, offline.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use clap::Args;
use sqlflow_client::Lineage;
use sqlflow_client::lineage::{ReadError, ReadErrorKind, RelationType};

use crate::arguments::{AnswerArguments, DiagramArguments, FollowedArguments, Format, relation_type};
use crate::exit::{Exit, Failure, Outcome};
use crate::messages::Messages;
use crate::output::Output;
use crate::output::lineage::{LineageRequest, LineageResult, write};
use crate::output::report::{self, LineageCounts};

const EXAMPLES: &str = "\
Examples:
  sqlflow inspect lineage.json
  sqlflow inspect lineage.json --json | jq .relationships
  sqlflow inspect lineage.json --upstream sales.report.total --paths
  sqlflow inspect a.json b.json --format dot | dot -Tsvg > lineage.svg";

/// Print, query or convert lineage files, offline
///
/// Reads the JSON exports of any SQLFlow server. Several files are read as one
/// lineage. Without a question or a format, it prints counts and all flows.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Lineage files, directories of them, or patterns; `-` reads
    /// standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Write the lineage as SQLFlow JSON: the same as --format json
    #[arg(long, conflicts_with_all = ["format", "json", "jsonl", "question"], help_heading = "Output")]
    rewrite: bool,
    #[command(flatten)]
    followed: FollowedArguments,
    /// Relationships that the files were requested with
    #[arg(long, value_name = "TYPES", value_delimiter = ',', value_parser = relation_type, help_heading = "Questions")]
    requested_types: Vec<RelationType>,
    #[command(flatten)]
    answer: AnswerArguments,
}

/// # Errors
/// A file that cannot be read, a name that does not exist, output that cannot be written.
pub(crate) fn run(arguments: Arguments, messages: &Messages) -> Outcome {
    let mut request = LineageRequest::new(arguments.answer, arguments.followed.relation_types);
    if arguments.rewrite {
        request.format = Some(Format::Json);
    }
    check(&request)?;
    let lineage = read(&arguments.files, &arguments.requested_types)?;
    let result = LineageResult { lineage: &lineage, job: lineage.job_id(), reasons: &[] };
    if request.format.is_none() && !request.json.jsonl && !request.has_question() {
        let mut output = Output::open(&request.output)?;
        if request.json.json {
            output.json(&LineageCounts::of(&lineage))?;
        } else {
            report::write(&lineage, &mut output)?;
        }
        output.finish()?;
        return Ok(if request.strict { crate::output::lineage::strictness(result, messages) } else { Exit::Done });
    }
    write(result, &request, |_| Format::Csv, messages)
}

/// Checks that the flags fit each other, beyond the rules of all commands.
fn check(request: &LineageRequest) -> Outcome<()> {
    request.check()?;
    if request.is_page() && !request.relation_types.is_empty() {
        return Err(Failure::usage("a page has the relationships of all types")
            .help("leave out --relation-types: the page has switches for filters, joins and foreign keys"));
    }
    if request.selection.impact.is_some() && !request.relation_types.is_empty() {
        return Err(Failure::usage("--impact follows everything that depends on a column")
            .help("leave out --relation-types, or use --downstream"));
    }
    let draws = request.format.is_some_and(|format| !matches!(format, Format::Json | Format::Parquet));
    let DiagramArguments { intermediates, foreign_keys, .. } = request.diagram;
    if !draws && !request.has_question() && (!request.relation_types.is_empty() || intermediates || foreign_keys) {
        return Err(Failure::usage(
            "--relation-types, --intermediates and --foreign-keys need a question or a diagram",
        )
        .help("add --upstream or --downstream, or use --format table, csv, graphml, dot or mermaid"));
    }
    Ok(())
}

/// Reads files, directories and patterns as one lineage.
///
/// # Errors
/// A file that cannot be read. The message names it.
pub(crate) fn read(paths: &[PathBuf], requested_types: &[RelationType]) -> Outcome<Lineage> {
    read_files(&expanded(paths)?, requested_types, |_| {})
}

/// Reads files as one lineage, and passes each lineage to `seen` before they are merged.
///
/// # Errors
/// A file that cannot be read. The message names it.
pub(crate) fn read_files(
    files: &[PathBuf],
    requested_types: &[RelationType],
    mut seen: impl FnMut(&Lineage),
) -> Outcome<Lineage> {
    if files.iter().filter(|file| is_stdin(file)).count() > 1 {
        return Err(Failure::usage("`-` is given twice, and standard input can be read once only"));
    }
    if let [file] = files {
        let lineage = read_file(file, requested_types)?;
        seen(&lineage);
        return Ok(lineage);
    }
    let mut failed = None;
    // Each lineage is dropped as soon as it is merged.
    let lineages = files.iter().map_while(|file| match read_file(file, requested_types) {
        Ok(lineage) => {
            seen(&lineage);
            Some(lineage)
        }
        Err(error) => {
            failed = Some(error);
            None
        }
    });
    let merged = Lineage::merge(lineages);
    match failed {
        Some(error) => Err(error),
        None => merged.map_err(|error| Failure::error(error.to_string())),
    }
}

fn read_file(file: &Path, requested_types: &[RelationType]) -> Outcome<Lineage> {
    let mut reader = Lineage::reader();
    if !requested_types.is_empty() {
        reader = reader.requested_types(requested_types);
    }
    if is_stdin(file) {
        let read = reader.label("-").read(io::stdin().lock());
        return read.map_err(|error| unreadable(&error, format!("cannot read standard input: {error}")));
    }
    reader.read_path(file).map_err(|error| {
        let message = match error.kind() {
            ReadErrorKind::NotJson if is_binary(file) => {
                format!("cannot read {}: it is a binary file, and not lineage as JSON", file.display())
            }
            _ => error.to_string(),
        };
        unreadable(&error, message)
    })
}

fn unreadable(error: &ReadError, message: String) -> Failure {
    let failure = Failure::error(message);
    match error.kind() {
        ReadErrorKind::Empty
        | ReadErrorKind::NotJson
        | ReadErrorKind::NotLineage
        | ReadErrorKind::Malformed
        | ReadErrorKind::Truncated => failure.help(
            "expected a lineage as JSON, in UTF-8, UTF-16 or gzip: sqlflow export JOB --format json -o FILE writes it",
        ),
        _ => failure,
    }
}

/// Returns `true` if a file begins with bytes that no text has.
fn is_binary(file: &Path) -> bool {
    let mut head = Vec::new();
    let is_read = File::open(file).and_then(|file| file.take(512).read_to_end(&mut head)).is_ok();
    is_read && head.iter().any(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace())
}

/// Returns `true` for `-`, which stands for standard input.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Returns `true` if a text is a pattern, and not the name of a file that exists.
pub(crate) fn is_pattern(path: &Path) -> bool {
    path.to_str().is_some_and(|text| text.contains(['*', '?', '['])) && !path.exists()
}

/// Returns the files that paths, directories and patterns stand for, each directory in the order of its names.
///
/// # Errors
/// A directory or a pattern without a file.
pub(crate) fn expanded(paths: &[PathBuf]) -> Outcome<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(lineages_in(path)?);
            continue;
        }
        match path.to_str().filter(|_| is_pattern(path)) {
            None => files.push(path.clone()),
            Some(pattern) => files.extend(matching(pattern)?),
        }
    }
    Ok(files)
}

fn lineages_in(directory: &Path) -> Outcome<Vec<PathBuf>> {
    let mut files = Vec::new();
    collect_lineages(directory, &mut files)?;
    if files.is_empty() {
        return Err(Failure::usage(format!("{}: there is no .json file in this directory", directory.display())));
    }
    files.sort();
    Ok(files)
}

fn collect_lineages(directory: &Path, files: &mut Vec<PathBuf>) -> Outcome<()> {
    let failed = |error: &io::Error| Failure::io(directory.display(), error);
    for entry in std::fs::read_dir(directory).map_err(|error| failed(&error))? {
        let entry = entry.map_err(|error| failed(&error))?;
        let name = entry.file_name().to_string_lossy().to_lowercase();
        if name.starts_with('.') {
            continue;
        }
        // A link to a directory may lead back up. A link that leads nowhere is an error when it is read.
        if entry.file_type().map_err(|error| failed(&error))?.is_dir() {
            collect_lineages(&entry.path(), files)?;
        } else if [".json", ".json.gz"].iter().any(|ending| name.ends_with(ending)) {
            files.push(entry.path());
        }
    }
    Ok(())
}

fn matching(pattern: &str) -> Outcome<Vec<PathBuf>> {
    let found = glob::glob(pattern).map_err(|error| Failure::usage(format!("{pattern}: {error}")))?;
    let files: Result<Vec<_>, _> = found.collect();
    let files = files.map_err(|error| Failure::error(error.to_string()))?;
    if files.is_empty() {
        return Err(Failure::usage(format!("{pattern}: no file matches")));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_and_patterns_stand_for_their_files_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.json", "a.json", "notes.txt", "c.JSON.gz"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let names = |path: &Path| {
            let files = expanded(&[path.to_owned()]).unwrap();
            files.iter().map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(folder.path()), ["a.json", "b.json", "c.JSON.gz"]);
        assert_eq!(names(&folder.path().join("*.json")), ["a.json", "b.json"]);
        let none = expanded(&[folder.path().join("x*")]).unwrap_err();
        assert!(none.message.contains("no file matches"), "{none}");
    }
}
