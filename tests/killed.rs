//! A batch whose process is killed repeatedly, at any point, submits nothing twice and loses nothing.
//!
//! The server is an emulator in this process, which knows a job 300 ms after its submission and cuts its name after 60
//! characters. The batch runs in a child process, which runs this test again. The moments at which it is killed are
//! random; `SQLFLOW_TEST_SEED` repeats those of an earlier run, as far as the speed of the machine allows.

#![cfg(unix)]

use std::collections::HashSet;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use sqlflow_client::emulator::Emulator;
use sqlflow_client::job::{Batch, ExportFormat, Polling, Settling, Submit};
use sqlflow_client::{Client, Credentials, Vendor};

const THIS_TEST: &str = "a_batch_that_is_killed_a_hundred_times_submits_nothing_twice_and_loses_nothing";
const SERVER: &str = "KILLED_BATCH_SERVER";
const HOME: &str = "KILLED_BATCH_HOME";

const SEED: &str = "SQLFLOW_TEST_SEED";

const PIECES: usize = 200;
const KILLS: usize = 100;
/// The maximum number of requests before a child is killed, so that each child can make progress.
const REQUESTS: usize = 18;
const SIGKILL: i32 = 9;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_is_killed_a_hundred_times_submits_nothing_twice_and_loses_nothing() {
    if let (Ok(server), Ok(home)) = (std::env::var(SERVER), std::env::var(HOME)) {
        // This is a child process that was started below.
        return run(&client(&server), Path::new(&home)).await;
    }
    let seed = std::env::var(SEED).map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("to repeat this: {SEED}={seed}");
    fastrand::seed(seed);
    let quick = Duration::from_millis(1);
    let builder = Emulator::builder().time_in_create(quick).time_in_process(quick);
    let emulator = builder.lag(Duration::from_millis(300)).max_job_name_length(60).start().await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let mut kills = 0;
    while kills < KILLS {
        let status = run_until_killed(&emulator, home.path()).await;
        assert!(status.signal() == Some(SIGKILL) || status.success(), "a child failed by itself: {status}");
        assert!(status.signal() == Some(SIGKILL), "all was done after {kills} kills: {PIECES} pieces are too few");
        kills += 1;
    }
    let status = tokio::task::spawn_blocking({
        let mut last = child(&emulator, home.path());
        move || last.wait().unwrap()
    });
    assert!(status.await.unwrap().success());
    assert_all_is_there_once(&emulator, home.path()).await;
}

/// Runs the batch to its end in this process.
async fn run(sqlflow: &Client, home: &Path) {
    let mut run = batch(sqlflow, home).run(submissions(sqlflow));
    while let Some(outcome) = run.try_next().await.unwrap() {
        assert!(outcome.is_done(), "{outcome:?}");
    }
}

fn client(server: &str) -> Client {
    Client::builder(server)
        .credentials(Credentials::secret_key("ann", "any key"))
        .polling(Polling::every(Duration::from_millis(5)))
        .settling(Settling::new().window(Duration::from_millis(700)).max_lookups(3))
        .build()
        .unwrap()
}

fn exports(home: &Path) -> PathBuf {
    home.join("exports")
}

fn batch(sqlflow: &Client, home: &Path) -> Batch {
    sqlflow
        .batch(home.join("journal"))
        .max_in_flight(8)
        .export(ExportFormat::Json, exports(home))
        .export(ExportFormat::Csv, exports(home))
}

fn submissions(sqlflow: &Client) -> impl Iterator<Item = (String, Submit)> + Send + use<> {
    let sqlflow = sqlflow.clone();
    (0..PIECES).map(move |number| {
        let sql = format!("create view v{number} as select a from t{number}");
        let name = format!("piece {number} of an estate, under a name that is longer than the server keeps");
        (format!("piece-{number}"), sqlflow.submit(Vendor::PostgreSql).name(name).sql("a.sql", sql))
    })
}

fn child(emulator: &Emulator, home: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", THIS_TEST])
        .env(SERVER, emulator.url())
        .env(HOME, home)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Runs a child until the server has received some of its requests, then kills it a moment later.
///
/// In every other run, requests for the list of jobs are not counted: a run begins with them, and would otherwise get
/// no further.
async fn run_until_killed(emulator: &Emulator, home: &Path) -> ExitStatus {
    let lists_count = fastrand::bool();
    let counted = || {
        let counts = |operation| lists_count || operation != Some("displayUserJobsSummary");
        emulator.requests().iter().filter(|request| counts(request.operation)).count()
    };
    let last = counted() + fastrand::usize(..REQUESTS);
    let mut child = child(emulator, home);
    while counted() < last && child.try_wait().unwrap().is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::sleep(Duration::from_micros(fastrand::u64(..3000))).await;
    child.kill().unwrap();
    child.wait().unwrap()
}

async fn assert_all_is_there_once(emulator: &Emulator, home: &Path) {
    let names: HashSet<_> = emulator.jobs().into_iter().map(|job| job.name).collect();
    assert_eq!((emulator.jobs().len(), names.len()), (PIECES, PIECES));
    let files: HashSet<_> = fs::read_dir(exports(home)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files.len(), 2 * PIECES, "something is missing or left behind: {files:?}");

    let sqlflow = client(&emulator.url());
    let requests = emulator.requests().len();
    let mut jobs = Vec::new();
    let mut run = batch(&sqlflow, home).run(submissions(&sqlflow));
    while let Some(outcome) = run.try_next().await.unwrap() {
        assert!(outcome.is_done() && outcome.was_done_before(), "{outcome:?}");
        jobs.push((outcome.key().to_owned(), outcome.job_id().unwrap().clone()));
    }
    assert_eq!(emulator.requests().len(), requests, "nothing was left to do");
    assert_eq!(jobs.len(), PIECES);
    for (key, id) in jobs {
        let job = sqlflow.job(id);
        let written = |extension: &str| fs::read(exports(home).join(format!("{key}.{extension}"))).unwrap();
        assert!(job.export_lineage_as_json().bytes().await.unwrap() == written("json"), "{key}.json");
        assert!(job.export_full_lineage_as_csv().bytes().await.unwrap() == written("csv"), "{key}.csv");
    }
}
