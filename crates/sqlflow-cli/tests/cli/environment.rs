//! Runs of the program in a home of their own, without the settings of the person who runs the tests.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A directory that is the home, the configuration folder and the current directory of the program.
pub(crate) struct Home(TempDir);

/// The end of a run.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code; -1 after a signal.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Returns the program, in a home of its own and without the settings of the person who runs the tests.
pub(crate) fn program(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sqlflow"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy().to_uppercase();
        let is_setting = ["SQLFLOW_", "OPENLINEAGE_", "CLICOLOR", "NO_COLOR"].iter().any(|it| text.starts_with(it));
        if is_setting || text.ends_with("_PROXY") {
            command.env_remove(&name);
        }
    }
    command.env("HOME", home).env("APPDATA", home).env("XDG_CONFIG_HOME", home.join("config"));
    command.env("LC_ALL", "C.UTF-8");
    command
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
        let mut command = program(self.0.path());
        command.env("NO_COLOR", "1").current_dir(self.0.path());
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
    Ended::of(command.stdin(Stdio::null()).output().unwrap())
}

/// Runs a command to its end with this text on standard input.
pub(crate) fn ended_with_input(command: Command, input: &str) -> Ended {
    Ended::of(assert_cmd::Command::from_std(command).write_stdin(input).output().unwrap())
}

impl Ended {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the output is UTF-8");
        let code = output.status.code().unwrap_or(-1);
        Self { code, stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Checks the exit code, and returns standard output.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> String {
        self.with_code(code).stdout
    }

    /// Checks that the program prints no result and ends with this code, and returns its messages.
    #[track_caller]
    pub(crate) fn fails(self, code: i32) -> String {
        assert_eq!((self.code, self.stdout.as_str()), (code, ""), "{self:#?}");
        self.stderr
    }

    /// Reads standard output as JSON.
    #[track_caller]
    pub(crate) fn value(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// Checks the exit code.
    #[track_caller]
    pub(crate) fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
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
        let value = self.value();
        assert_fits(schema, &value);
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

/// Checks a value against the schema of this name.
#[track_caller]
pub(crate) fn assert_fits(schema: &str, value: &Value) {
    assert_valid(&read_schema(schema), value);
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
