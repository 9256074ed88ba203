//! Runs a program, and prints its time and memory.
//!
//! The system counts the memory of the parent for a process that has just been started, so a program has to be started
//! by a small one to show a small peak.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::mem::MaybeUninit;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use super::Outcome;

/// Runs a command with its arguments. If a path is given, the time includes writing that file to disk.
pub(crate) fn run(sync: Option<&str>, command: &[&str]) -> Outcome {
    let [program, arguments @ ..] = command else { return Err("there is no command to run".into()) };
    let start = Instant::now();
    let child = Command::new(program).args(arguments).spawn().map_err(|error| format!("{program}: {error}"))?;
    let (status, usage) = wait(child.id())?;
    if let Some(path) = sync {
        File::open(path)?.sync_all()?;
    }
    let wall = start.elapsed();
    let processor = duration(usage.ru_utime) + duration(usage.ru_stime);
    // Linux counts kibibytes, macOS bytes.
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    Ok(serde_json::json!({
        "status": status,
        "wall": wall.as_secs_f64(),
        "cpu": processor.as_secs_f64(),
        "peak": usage.ru_maxrss * unit,
    })
    .to_string())
}

/// The environment variable that makes a process of this program stand in for the compiler, as `RUSTC_WRAPPER` of
/// Cargo. Its value is the file to which each compilation adds a line.
pub(crate) const COMPILER_LOG: &str = "SQLFLOW_CLIENTS_COMPILER_LOG";

/// Compiles what the arguments say, and adds the package, its version, the crate and the processor time to the log.
pub(crate) fn compile(log: &OsStr) -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match compile_logged(log, &arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{}: {error}", log.display());
            ExitCode::FAILURE
        }
    }
}

fn compile_logged(log: &OsStr, arguments: &[String]) -> io::Result<bool> {
    let [compiler, arguments @ ..] = arguments else { return Err(io::Error::other("no compiler is named")) };
    let child = Command::new(compiler).args(arguments).env_remove(COMPILER_LOG).spawn()?;
    let (status, usage) = wait(child.id())?;
    let name = arguments.iter().skip_while(|argument| *argument != "--crate-name").nth(1);
    let of_package = |name| std::env::var(name).unwrap_or_default();
    let (package, version) = (of_package("CARGO_PKG_NAME"), of_package("CARGO_PKG_VERSION"));
    let processor = (duration(usage.ru_utime) + duration(usage.ru_stime)).as_secs_f64();
    if let Some(name) = name {
        // One write, so that compilations at the same time do not mix their lines.
        let line = format!("{package} {version} {name} {processor:.3}\n");
        OpenOptions::new().create(true).append(true).open(log)?.write_all(line.as_bytes())?;
    }
    Ok(status == 0)
}

/// Waits for a child, and returns its status and the resources that it and the processes it waited for used.
///
/// The standard library waits without asking for the resources.
#[allow(unsafe_code)]
fn wait(id: u32) -> io::Result<(i32, libc::rusage)> {
    let (mut status, mut usage) = (0, MaybeUninit::zeroed());
    let id = libc::pid_t::try_from(id).map_err(io::Error::other)?;
    // SAFETY: both pointers are valid, and a `rusage` of zeros is one too.
    unsafe {
        if libc::wait4(id, &raw mut status, 0, usage.as_mut_ptr()) != id {
            return Err(io::Error::last_os_error());
        }
        Ok((status, usage.assume_init()))
    }
}

fn duration(time: libc::timeval) -> Duration {
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_usec).unwrap_or(0) * 1000)
}
