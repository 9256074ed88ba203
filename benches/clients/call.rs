//! Many small calls, one after the other, over one connection.

use std::time::Duration;

use super::{FORM, Outcome, bare, operation, sdk_job, unknown};

/// The calls before the measured ones, which connect and fill caches.
const UNMEASURED_CALLS: u32 = 100;

/// Asks for the state of a job this many times, and returns the processor time of one call, in nanoseconds.
pub(crate) fn call(client: &str, url: &str, times: &str) -> Outcome {
    let times: u32 = times.parse()?;
    // One thread, as a small service has.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let time = match client {
        "sdk" => {
            let job = sdk_job(url)?;
            runtime.block_on(timed(times, async || {
                assert!(job.info().await.expect("the job is there").status.is_final());
            }))
        }
        "reqwest" => {
            let (bare, url) = (bare()?, operation(url, "displayUserJobSummary"));
            runtime.block_on(timed(times, async || {
                let response = bare.post(&url).form(&FORM).send().await.expect("it responds");
                let state: serde_json::Value = response.json().await.expect("it is JSON");
                assert_eq!(state["data"]["status"], "success");
            }))
        }
        other => return Err(unknown("client", other)),
    };
    Ok((time / times).as_nanos().to_string())
}

async fn timed(times: u32, call: impl AsyncFn()) -> Duration {
    for _ in 0..UNMEASURED_CALLS {
        call().await;
    }
    let start = processor_time();
    for _ in 0..times {
        call().await;
    }
    processor_time().saturating_sub(start)
}

/// Returns the processor time of this process, on all its threads.
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.try_into().expect("it is positive")
}
