//! One client on several runtimes.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use sqlflow_client::job::{Job, JobStatus};
use sqlflow_client::{Client, Vendor};
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;
use tokio::time::timeout;

use super::{configured, requests_to};

/// The time after which a test counts as hung.
const TOO_LONG: Duration = Duration::from_secs(60);

const LISTS: &str = "displayUserJobsSummary";
const POLLS: &str = "displayUserJobSummary";

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

async fn submit(sqlflow: &Client, jobs: usize) -> Vec<Job> {
    let submit = |_| sqlflow.submit(Vendor::PostgreSql).sql("a.sql", "create view v as select a from t").into_future();
    try_join_all((0..jobs).map(submit)).await.unwrap()
}

/// Waits for jobs on a thread with its own runtime. The receivers report that all waits have begun, and the final
/// statuses.
fn wait_elsewhere(jobs: Vec<Job>) -> (mpsc::Receiver<()>, mpsc::Receiver<Vec<JobStatus>>) {
    let (waiting, is_waiting) = mpsc::channel();
    let (done, statuses) = mpsc::channel();
    thread::spawn(move || {
        current_thread().block_on(async {
            let all_wait = async {
                for _ in 0..3 {
                    yield_now().await;
                }
                waiting.send(()).unwrap();
            };
            let waits = join_all(jobs.iter().map(|job| job.wait().into_future()));
            let (finished, ()) = tokio::join!(waits, all_wait);
            done.send(finished.into_iter().map(|job| job.unwrap().info().status.clone()).collect()).unwrap();
        });
    });
    (is_waiting, statuses)
}

#[test]
fn waits_go_on_when_another_runtime_of_their_client_ends() {
    let servers = Runtime::new().unwrap();
    let (sqlflow, emulator) =
        servers.block_on(configured(|builder| builder.time_in_process(Duration::from_millis(500))));
    let first = current_thread();
    let mut jobs = first.block_on(submit(&sqlflow, 10));
    for job in jobs.drain(..5) {
        first.spawn(job.wait().into_future());
    }
    first.block_on(async {
        while requests_to(&emulator, LISTS) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let (waiting, statuses) = wait_elsewhere(jobs);
    waiting.recv_timeout(TOO_LONG).unwrap();
    // The connections of the client end with it too.
    drop(first);
    assert_eq!(statuses.recv_timeout(TOO_LONG).unwrap(), vec![JobStatus::Success; 5]);
}

#[test]
fn a_wait_with_a_deadline_can_be_moved_to_another_runtime() {
    let servers = Runtime::new().unwrap();
    let (sqlflow, emulator) =
        servers.block_on(configured(|builder| builder.time_in_process(Duration::from_millis(200))));
    let job = servers.block_on(submit(&sqlflow, 1)).remove(0);
    let mut wait = job.wait().deadline(TOO_LONG).into_future();
    let first = current_thread();
    first.block_on(async {
        while requests_to(&emulator, POLLS) == 0 {
            assert!(timeout(Duration::from_millis(1), &mut wait).await.is_err(), "the job still runs");
        }
    });
    drop(first);
    let done = current_thread().block_on(async { timeout(TOO_LONG, wait).await }).unwrap().unwrap();
    assert_eq!(done.info().status, JobStatus::Success);
}
