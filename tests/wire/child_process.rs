//! Tests that need a process of their own: for limits, a temporary directory, or to be killed.

use std::process::{Command, Output};

const CHILD: &str = "SQLFLOW_TEST_CHILD";

/// Returns `true` if this process is a child that runs one test again.
pub(crate) fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Returns a command that runs a test again, after a shell command such as `ulimit -n 64;`. The test is given as the
/// path of its module and its name.
pub(crate) fn child(module: &str, test: &str, shell: &str) -> Command {
    let module = module.split_once("::").map_or("", |(_, module)| module);
    let executable = std::env::current_exe().expect("this process has an executable");
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{shell} exec \"$0\" \"$@\"")]).arg(executable);
    command.args(["--exact", &format!("{module}::{test}"), "--nocapture"]).env(CHILD, "1");
    command
}

/// Asserts that a child succeeded and ran its test, and returns its output.
pub(crate) fn success(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("1 passed"), "{text} {output:?}");
    text
}

/// Writes the events of this process to its output.
pub(crate) fn show_events() {
    tracing_subscriber::fmt().with_writer(std::io::stdout).init();
}
