//! Runs many jobs over connections that fail, and checks that none is lost and none exists twice. The memory of the
//! client should not grow with their number. Run it with `cargo bench --features emulator --bench soak`.
//!
//! Each job is submitted and waited for, and its lineage is read and checked. One response in twenty is faulty, each in
//! one of several ways. The server is an emulator in a separate process, so that only the client is measured. It knows a
//! job 300 ms after its submission, and cuts the name of a job after 60 characters.
//! `SQLFLOW_SOAK_JOBS` sets the number of jobs, and `SQLFLOW_SOAK_SEED` selects the faulty responses. With
//! `SQLFLOW_SOAK_BATCH` set, the jobs are those of one `Batch`, with a journal and a file for each lineage.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sqlflow_client::emulator::{Emulator, Fault};
use sqlflow_client::job::{BatchOutcome, ExportFormat, JobId, Polling, Settling, Submit};
use sqlflow_client::retry::Backoff;
use sqlflow_client::{Client, Credentials, Lineage, Result, Vendor};

const IN_FLIGHT: usize = 64;
const FAULTY: f64 = 0.05;

/// The environment variable that makes a process of this program the server.
const SERVE_VARIABLE: &str = "SQLFLOW_SOAK_SERVES";

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    if std::env::var(SERVE_VARIABLE).is_ok() {
        runtime.block_on(serve());
    } else {
        runtime.block_on(soak());
    }
}

/// Runs the server: prints its URL, and then the counts of its requests for every line of input, until the input ends.
async fn serve() {
    let seed = setting("SQLFLOW_SOAK_SEED").unwrap_or(1);
    let faults = [
        Fault::close(),
        Fault::lose_response(),
        Fault::page(502),
        Fault::reset_after_sent(50),
        Fault::truncate(50),
        Fault::busy(),
        Fault::too_many_requests(Duration::ZERO),
    ];
    let share = FAULTY / f64::from(u32::try_from(faults.len()).expect("they are few"));
    let moment = Duration::from_millis(5);
    let builder = Emulator::builder().time_in_create(moment).time_in_process(moment);
    let builder = builder.lag(Duration::from_millis(300)).max_job_name_length(60);
    let builder = (seed..).zip(faults).fold(builder, |builder, (seed, fault)| builder.fault(fault.chance(share, seed)));
    let emulator = builder.start().await.expect("a port is free");
    println!("{}", emulator.url());
    let asked = || std::io::stdin().lines().next().is_some();
    while tokio::task::spawn_blocking(asked).await.expect("reading does not panic") {
        let mut counts = BTreeMap::<_, u64>::new();
        for request in emulator.requests() {
            *counts.entry(request.operation.unwrap_or("none").to_owned()).or_default() += 1;
            if let Some(fault) = request.fault {
                *counts.entry(format!("  met by {fault}")).or_default() += 1;
            }
        }
        for (what, count) in counts {
            println!("{what}: {count}");
        }
        println!();
    }
}

/// The process of the server, as its parent controls it.
struct ServerProcess {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    url: String,
}

impl ServerProcess {
    fn start() -> Self {
        let program = std::env::current_exe().expect("a program knows where it is");
        let mut command = Command::new(program);
        let pipes = command.env(SERVE_VARIABLE, "").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = pipes.spawn().expect("this program can be started again");
        let input = child.stdin.take().expect("a pipe");
        let mut output = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let url = output.next().and_then(Result::ok).expect("a server prints its URL");
        Self { child, input, output, url }
    }

    /// Returns the number of requests of each operation, and of the faults that they met.
    fn requests(&mut self) -> Vec<String> {
        writeln!(self.input).expect("the server reads its input");
        self.output.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()).collect()
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn soak() {
    let jobs = setting("SQLFLOW_SOAK_JOBS").unwrap_or(10_000);
    let mut server = ServerProcess::start();
    let client = Client::builder(&server.url)
        .credentials(Credentials::secret_key("ann", "any key"))
        .without_proxy()
        .polling(Polling::every(Duration::from_millis(50)))
        .settling(Settling::new().window(Duration::from_secs(8)).max_lookups(4))
        .retry(Backoff::new().base_delay(Duration::from_millis(5)))
        .stall_timeout(Duration::from_secs(10))
        .build()
        .expect("a client of the emulator");
    println!("{jobs} jobs, {IN_FLIGHT} in flight, {:.0} % of responses faulty\n", FAULTY * 100.0);
    let made = if std::env::var_os("SQLFLOW_SOAK_BATCH").is_some() {
        run_batch(&client, jobs).await
    } else {
        run_jobs(&client, jobs).await
    };

    let failed: Vec<_> = made.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    for error in failed.iter().take(10) {
        println!("failed: {error}");
    }
    let ids: HashSet<_> = made.iter().filter_map(|outcome| outcome.as_ref().ok()).cloned().collect();
    let (there, names) = jobs_on_the_server(&client).await;
    let twice: Vec<_> = names.iter().filter(|(_, count)| **count > 1).collect();
    for (name, count) in twice.iter().take(10) {
        println!("exists {count} times: {name}");
    }
    println!("\nrequests");
    for line in server.requests() {
        println!("  {line}");
    }
    let (lost, strange) = (ids.difference(&there).count(), there.difference(&ids).count());
    println!("\n{} jobs on the server, {} names, {} failed", there.len(), names.len(), failed.len());
    assert!(failed.is_empty(), "{} jobs failed", failed.len());
    assert!(twice.is_empty(), "{} jobs exist more than once", twice.len());
    assert_eq!(
        (there.len(), names.len(), lost, strange),
        (jobs, jobs, 0, 0),
        "jobs, names, lost, unknown to the client"
    );
}

/// The outcomes so far. Prints the speed after each tenth of the jobs.
struct Progress {
    jobs: usize,
    outcomes: Vec<Result<JobId, String>>,
    start: Instant,
    last_tenth: Instant,
}

impl Progress {
    fn of(jobs: usize) -> Self {
        let now = Instant::now();
        Self { jobs, outcomes: Vec::with_capacity(jobs), start: now, last_tenth: now }
    }

    fn add(&mut self, outcome: Result<JobId, String>) {
        self.outcomes.push(outcome);
        let (done, tenth) = (self.outcomes.len(), (self.jobs / 10).max(1));
        if done.is_multiple_of(tenth) {
            let (now, all) = (per_second(tenth, self.last_tenth), per_second(done, self.start));
            println!("{done:>8} jobs: {now:.0} a second, {all:.0} over all, {} now", memory("VmRSS"));
            self.last_tenth = Instant::now();
        }
    }

    fn finish(self) -> Vec<Result<JobId, String>> {
        println!("{:>8}       {:.1?}, {} at most", "", self.start.elapsed(), memory("VmHWM"));
        self.outcomes
    }
}

fn per_second(jobs: usize, since: Instant) -> f64 {
    f64::from(u32::try_from(jobs).unwrap_or(u32::MAX)) / since.elapsed().as_secs_f64()
}

/// Runs this many jobs. Returns the id or the error of each.
async fn run_jobs(client: &Client, jobs: usize) -> Vec<Result<JobId, String>> {
    let (next, progress) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Progress::of(jobs))));
    let workers: Vec<_> = (0..IN_FLIGHT)
        .map(|_| {
            let (client, next, progress) = (client.clone(), Arc::clone(&next), Arc::clone(&progress));
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= jobs {
                        return;
                    }
                    let outcome = run_job(&client, number).await;
                    progress.lock().expect("nothing panics in here").add(outcome);
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.expect("no worker panics");
    }
    let progress = Arc::into_inner(progress).expect("the workers have ended");
    progress.into_inner().expect("nothing panics in there").finish()
}

/// Runs this many jobs as one batch, which writes their lineages to files. Returns the id or the error of each.
async fn run_batch(client: &Client, jobs: usize) -> Vec<Result<JobId, String>> {
    let directory = tempfile::tempdir().expect("a directory");
    let batch = client.batch(directory.path().join("soak.journal")).max_in_flight(IN_FLIGHT);
    let batch = batch.export(ExportFormat::FullJson, directory.path());
    let submitting = client.clone();
    let submissions = (0..jobs).map(move |number| (number.to_string(), submission(&submitting, number)));
    let (mut run, mut progress) = (batch.run(submissions), Progress::of(jobs));
    while let Some(outcome) = run.try_next().await.expect("the journal can be written") {
        progress.add(checked(&outcome));
    }
    progress.finish()
}

/// Checks the outcome of a job of a batch and the file of its lineage. Returns its id.
fn checked(outcome: &BatchOutcome) -> Result<JobId, String> {
    let key = outcome.key();
    if let Some(error) = outcome.error() {
        return Err(format!("{key}: {error:?}"));
    }
    let number = key.parse().expect("keys are numbers");
    let [path] = outcome.files() else { return Err(format!("{key} has the files {:?}", outcome.files())) };
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    check(&Lineage::from_slice(&bytes).map_err(|error| format!("{}: {error}", path.display()))?, number)?;
    outcome.job_id().cloned().ok_or_else(|| format!("{key} has no job"))
}

fn submission(client: &Client, number: usize) -> Submit {
    let sql = format!("insert into report_{number} (total) select amount from sales_{number}");
    let name = format!("{number} under a name that is longer than the sixty characters that are kept");
    client.submit(Vendor::PostgreSql).name(name).sql("a.sql", sql)
}

fn check(lineage: &Lineage, number: usize) -> Result<(), String> {
    let flows: Vec<_> = lineage.column_flows().iter().map(ToString::to_string).collect();
    if flows == [format!("sales_{number}.amount → report_{number}.total")] {
        Ok(())
    } else {
        Err(format!("the lineage of {number} is not the expected one: {flows:?}"))
    }
}

/// Submits a job, waits for its end, and checks its lineage. Returns its id.
async fn run_job(client: &Client, number: usize) -> Result<JobId, String> {
    let of = |what: &'static str| move |error: sqlflow_client::Error| format!("{what} {number}: {error:?}");
    let job = submission(client, number).await.map_err(of("submitting"))?;
    job.wait().await.map_err(of("waiting for"))?;
    check(&job.lineage().await.map_err(of("exporting"))?, number)?;
    Ok(job.id().clone())
}

/// Returns the ids of all jobs, and the number of jobs with each name.
async fn jobs_on_the_server(client: &Client) -> (HashSet<JobId>, HashMap<String, usize>) {
    let list = client.jobs().await.expect("the jobs can be listed");
    let mut names = HashMap::new();
    for job in &list.jobs {
        let name = job.name.as_deref().unwrap_or_default();
        let name = name.split_once(' ').map_or(name, |(number, _)| number);
        *names.entry(name.to_owned()).or_default() += 1;
    }
    (list.jobs.into_iter().map(|job| job.id).collect(), names)
}

/// Reads a line of the memory statistics of this process, such as `VmHWM` for its peak.
fn memory(line: &str) -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':'));
    found.map_or_else(|| "an unknown amount of memory".to_owned(), |text| text.trim().to_owned())
}

fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}
