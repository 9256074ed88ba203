//! `DuckDB`, pandas and polars, run by Python.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::{Value, json};

const GUIDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/tables.md");
const QUERIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tables/queries.py");

/// A block of the guide, and the names that take the place of the one in it.
pub(crate) struct Question {
    pub(crate) heading: &'static str,
    pub(crate) replaces: Option<&'static str>,
    pub(crate) names: Vec<String>,
}

impl Question {
    pub(crate) fn about(heading: &'static str, replaces: &'static str, names: &[String]) -> Self {
        Self { heading, replaces: Some(replaces), names: names.to_vec() }
    }

    pub(crate) fn of(heading: &'static str) -> Self {
        Self { heading, replaces: None, names: Vec::new() }
    }
}

/// The rows of an answer.
pub(crate) type Rows = Vec<Vec<Value>>;

#[derive(Deserialize)]
pub(crate) struct Answers {
    /// For each question, the rows for each name.
    #[serde(rename = "answers")]
    pub(crate) rows: Vec<Vec<Rows>>,
    /// The values of the variables of the Python blocks.
    pub(crate) python: Vec<Value>,
    pub(crate) files: Vec<FileReading>,
    /// The headings of all blocks of SQL in the guide.
    pub(crate) headings: BTreeSet<String>,
}

/// A Parquet file as different libraries read it.
#[derive(Deserialize)]
pub(crate) struct FileReading {
    pub(crate) path: String,
    pub(crate) rows: Value,
    pub(crate) leaves: Vec<Leaf>,
    pub(crate) compressions: Vec<String>,
}

/// A column of a Parquet file that holds values.
#[derive(Debug, Deserialize)]
pub(crate) struct Leaf {
    pub(crate) path: String,
    pub(crate) physical: String,
    pub(crate) logical: String,
    pub(crate) repetitions: u32,
}

fn python() -> OsString {
    env::var_os("SQLFLOW_PYTHON").unwrap_or_else(|| "python3".into())
}

/// Returns `true` if Python has what the guide uses. If it has not, the test says so, and fails where it is required.
pub(crate) fn is_installed() -> bool {
    let output = Command::new(python()).args(["-c", "import duckdb, pandas, polars, pyarrow"]).output();
    let problem = match output {
        Ok(output) if output.status.success() => return true,
        Ok(output) => String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned(),
        Err(error) => error.to_string(),
    };
    let what = format!("cannot import duckdb, pandas, polars and pyarrow in {}: {problem}", python().display());
    assert!(
        env::var_os("CI_TOOLS").is_none(),
        "{what}; CI_TOOLS requires them, so set SQLFLOW_PYTHON to a Python that has them"
    );
    eprintln!("skipped: {what}");
    false
}

/// Asks questions about the tables below a directory, in one session of `DuckDB`.
pub(crate) fn ask(directory: &Path, questions: &[Question]) -> Vec<Vec<Rows>> {
    run(directory, questions, &[], false).rows
}

/// Asks questions, runs Python blocks of the guide, each given with a variable, and reads all files if `files`.
pub(crate) fn run(directory: &Path, questions: &[Question], python_blocks: &[(&str, &str)], files: bool) -> Answers {
    let questions = questions
        .iter()
        .map(|question| json!({"heading": question.heading, "replaces": question.replaces, "names": question.names}));
    let blocks = python_blocks.iter().map(|(heading, variable)| json!({"heading": heading, "variable": variable}));
    let request = json!({
        "guide": GUIDE,
        "questions": questions.collect::<Vec<_>>(),
        "python": blocks.collect::<Vec<_>>(),
        "files": files,
    });
    let mut child = Command::new(python())
        .arg(QUERIES)
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(request.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Returns the rows as a set of texts, each with the cells of the row separated by tabs.
pub(crate) fn set(rows: &Rows) -> BTreeSet<String> {
    rows.iter().map(|row| row.iter().map(text).collect::<Vec<_>>().join("\t")).collect()
}

fn text(cell: &Value) -> String {
    match cell {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(" → "),
        other => other.to_string(),
    }
}
