//! An emulator in this process, and the program with an environment of its own.

use std::path::PathBuf;
use std::process::Command;

use sqlflow_client::emulator::{Emulator, EmulatorBuilder, Fault};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::environment::{Ended, ended, program};

/// A server, and a home folder for the programs that talk to it.
pub(crate) struct Server {
    pub(crate) emulator: Emulator,
    pub(crate) home: TempDir,
    // Dropped last: the emulator runs on it.
    _runtime: Runtime,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::of(Emulator::builder())
    }

    pub(crate) fn with_fault(fault: &str) -> Self {
        Self::of(Emulator::builder().fault(fault.parse::<Fault>().unwrap()))
    }

    pub(crate) fn of(builder: EmulatorBuilder) -> Self {
        let runtime = Runtime::new().unwrap();
        let emulator = runtime.block_on(builder.start()).unwrap();
        Self { emulator, home: tempfile::tempdir().unwrap(), _runtime: runtime }
    }

    /// Returns a command with the arguments, separated by blanks, and the flag for this server.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = program(self.home.path());
        command.args(arguments.split_whitespace()).arg("--server").arg(self.emulator.url());
        command
    }

    /// Runs a command, and returns its exit code, standard output and standard error.
    pub(crate) fn run(&self, arguments: &str) -> Ended {
        ended(&mut self.command(arguments))
    }

    /// Submits the SQL of the examples, and returns the id of the job once it has ended.
    pub(crate) fn finished_job(&self) -> String {
        let submitted = self.run(&format!("submit --vendor postgresql {}", sql()));
        assert_eq!(submitted.code, 0, "{submitted:?}");
        let id = submitted.stdout.trim().to_owned();
        assert_eq!(self.run(&format!("wait {id}")).code, 0);
        id
    }

    /// Writes a file in the home folder, and returns its path.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.home.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

/// The folder with the SQL of the examples.
pub(crate) fn sql() -> String {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "..", "examples", "sql"].iter().collect();
    path.to_str().unwrap().to_owned()
}
