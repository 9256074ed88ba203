//! Waiting for many jobs at the same time.

use super::{Outcome, runtime, sdk, server};

/// Waits for the first jobs of the server, each in a task of its own, until all have ended.
pub(crate) fn watch(url: &str, jobs: &str) -> Outcome {
    let jobs: usize = jobs.parse()?;
    let sqlflow = sdk(url)?;
    runtime()?.block_on(async {
        let wait = |number| tokio::spawn(sqlflow.job(server::job_id(number)).wait().into_future());
        let tasks: Vec<_> = (0..jobs).map(wait).collect();
        for task in tasks {
            task.await??;
        }
        Ok(format!("{jobs} jobs ended"))
    })
}
