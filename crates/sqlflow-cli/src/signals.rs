//! The signals that tell a program to end.

use std::io;

use crate::exit::Exit;

/// Returns a future that waits for Ctrl-C, or for the signal by which cron, service managers and containers end a program,
/// and returns the exit code for it. From now on, neither ends the process by itself.
///
/// # Errors
/// Signals cannot be received.
#[cfg(unix)]
pub(crate) fn stop_signal() -> io::Result<impl Future<Output = Exit>> {
    use tokio::signal::unix::{SignalKind, signal};

    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => Exit::Interrupted,
            _ = terminate.recv() => Exit::Terminated,
        }
    })
}

/// Returns a future that waits for Ctrl-C, or for the end of the console or of the system, and returns the exit code for
/// it. From now on, neither ends the process by itself.
///
/// # Errors
/// Signals cannot be received.
#[cfg(windows)]
pub(crate) fn stop_signal() -> io::Result<impl Future<Output = Exit>> {
    use tokio::signal::windows::{ctrl_c, ctrl_close, ctrl_shutdown};

    let (mut interrupt, mut close, mut shutdown) = (ctrl_c()?, ctrl_close()?, ctrl_shutdown()?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => Exit::Interrupted,
            _ = close.recv() => Exit::Terminated,
            _ = shutdown.recv() => Exit::Terminated,
        }
    })
}
