//! Runs of the program in a home of their own, without the settings of the person who runs the tests.

#![allow(dead_code, reason = "each test file uses a part of this")]

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

/// A directory that is the home, the configuration folder and the current directory of the program.
pub(crate) struct Home(TempDir);

/// The end of a run.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, with the folders above it.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// Returns a command that runs the program, without variables that would change the result.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sqlflow"));
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy().to_uppercase();
            if text.starts_with("SQLFLOW_") || text.ends_with("_PROXY") || text.starts_with("OPENLINEAGE_") {
                command.env_remove(&name);
            }
        }
        command.env("HOME", self.0.path()).env("APPDATA", self.0.path()).env("XDG_CONFIG_HOME", self.path("config"));
        command.env("LC_ALL", "C.UTF-8").env("NO_COLOR", "1").current_dir(self.0.path());
        command.args(arguments);
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        ended(&mut self.command(arguments))
    }
}

/// Runs a command to its end.
pub(crate) fn ended(command: &mut Command) -> Ended {
    let output = command.stdin(std::process::Stdio::null()).output().unwrap();
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Ended {
    /// Checks the exit code.
    #[track_caller]
    pub(crate) fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Checks that standard error has a text.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "'{text}' is missing in:\n{}", self.stderr);
        self
    }

    /// Checks that standard output has a text.
    #[track_caller]
    pub(crate) fn prints(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "'{text}' is missing in:\n{}", self.stdout);
        self
    }

    /// Reads standard output as one object, which a schema describes.
    #[track_caller]
    pub(crate) fn json(&self, schema: &str) -> Value {
        let value = serde_json::from_str(&self.stdout).unwrap();
        assert_valid(&read_schema(schema), &value);
        value
    }

    /// Reads standard output as lines of JSON; `part` is the definition in the schema that describes each, if it is not
    /// the whole schema.
    #[track_caller]
    pub(crate) fn json_lines(&self, schema: &str, part: Option<&str>) -> Vec<Value> {
        let mut schema = read_schema(schema);
        if let Some(part) = part {
            schema = json!({"$defs": schema["$defs"], "$ref": format!("#/$defs/{part}")});
        }
        let lines: Vec<Value> = self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(!lines.is_empty());
        for line in &lines {
            assert_valid(&schema, line);
        }
        lines
    }
}

fn read_schema(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schemas/v1/{name}.schema.json"));
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[track_caller]
fn assert_valid(schema: &Value, value: &Value) {
    let validator = jsonschema::draft202012::new(schema).unwrap();
    let errors: Vec<_> = validator.iter_errors(value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?} in {value:#}");
}
