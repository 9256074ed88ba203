//! Costs of the client next to those of its peers, on one server in a process of its own: the processor time of a small
//! call against bare reqwest that reads the same response as a `serde_json::Value`, and the time of an export to disk against
//! `curl` and against bare reqwest that writes what arrives.
//!
//! The client waits until an export is on disk, because a file under its final name is whole even after a power failure.
//! Its peers do not, so each is measured twice: followed by a sync of its file, which is the same promise, and without.
//!
//! `cargo bench --bench peers` measures each with criterion and then prints the ratios. For the ratios the peers take
//! turns, so that what else the machine does affects all of them. `SQLFLOW_PEERS_MB` sets the size of the export (default
//! 1024), `SQLFLOW_PEERS_DIR` the directory that it is written to (default: that of temporary files).
//!
//! It also prints the memory that it takes to refuse a state and a token of a gigabyte.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{Criterion, Throughput};
use sqlflow_client::{Client, Credentials, ErrorKind, Job};
use tokio::runtime::Runtime;

/// The environment variable that makes a process of this program the server.
const SERVE_VARIABLE: &str = "SQLFLOW_PEERS_SERVES";

const STATE: &str = r#"{"code":200,"data":{"jobId":"6fa5c6c4d3f24ac68bb0a5b2cbb1ea3e","jobName":"nightly-1f3a5c","userId":"auth0|5fc8","userEmail":"ann@example.com","dbVendor":"dbvoracle","createTime":"2026-11-26 09:14:03","lastExecuteTime":"2026-11-26 09:14:04","executeTime":"0min 3sec","fileNames":["etl.sql"],"status":"success","defaultDatabase":"","defaultSchema":"","sessionId":"8d3b1","showRelationType":"fdd","ignoreRecordSet":false,"ignoreFunction":false,"showConstantTable":false,"onTop":false,"parallel":true,"persist":false,"schedulable":false}}"#;

/// One object of an export, as servers write it.
const OBJECT: &str = r#"{"id":"1234","name":"ORDERS","displayName":"DB.DBO.ORDERS","type":"table","columns":[{"id":"1235","name":"ORDER_ID","coordinates":[{"x":12,"y":3,"hashCode":"5f2c"}]},{"id":"1236","name":"[TOTAL] \"net\"","coordinates":[]}]},"#;
const EXPORT_START: &str = r#"{"code":200,"data":{"mode":"global","sqlflow":{"dbobjs":["#;
const EXPORT_END: &str = r#"{}],"relationships":[]}}}"#;
/// The beginnings of a state and of a token that do not end before [`ENDLESS_BYTES`].
const ENDLESS_STATE: &str = r#"{"code":200,"data":{"jobId":"6fa5c6c4d3f24ac68bb0a5b2cbb1ea3e","subJobs":["#;
const ENDLESS_TOKEN: &str = r#"{"code":"200","userId":"ann","token":"fr3sh-t0ken","more":["#;
/// The paths under which the server sends these, and the one under which it announces their length.
const ENDLESS: &str = "/endless";
const ANNOUNCED: &str = "/endless/announced";
/// The number of objects that the server writes at once.
const OBJECTS_AT_ONCE: usize = 1000;

fn main() {
    if std::env::var(SERVE_VARIABLE).is_ok() {
        serve();
    }
    let server = Server::start();
    let peers = Peers::of(&server);
    measure_calls(&peers);
    measure_exports(&peers);
    if is_measured() {
        print_ratios(&peers);
        print_memory_of_refusals(&peers.runtime, &server);
    }
}

fn is_measured() -> bool {
    !std::env::args().any(|argument| matches!(argument.as_str(), "--test" | "--profile-time" | "--list"))
}

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// The size of a response that should be small.
const ENDLESS_BYTES: usize = 1 << 30;

/// The number of times that the server writes [`OBJECTS_AT_ONCE`] objects.
fn export_blocks() -> usize {
    setting("SQLFLOW_PEERS_MB", 1024) * 1_000_000 / (OBJECT.len() * OBJECTS_AT_ONCE)
}

fn export_bytes() -> usize {
    EXPORT_START.len() + export_blocks() * OBJECTS_AT_ONCE * OBJECT.len() + EXPORT_END.len()
}

/// Runs the server: prints its address and answers each connection on a thread of its own.
fn serve() -> ! {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    println!("{}", listener.local_addr().expect("it is bound"));
    loop {
        let (stream, _) = listener.accept().expect("clients connect");
        std::thread::spawn(move || answer_all(stream));
    }
}

/// Answers every request of a connection.
fn answer_all(stream: TcpStream) -> std::io::Result<()> {
    let objects = OBJECT.repeat(OBJECTS_AT_ONCE);
    stream.set_nodelay(true)?;
    let (mut reader, mut writer) = (BufReader::new(stream.try_clone()?), stream);
    loop {
        let (mut first, mut line, mut length) = (String::new(), String::new(), 0);
        if reader.read_line(&mut first)? == 0 {
            return Ok(());
        }
        while reader.read_line(&mut line)? > 2 {
            if let Some((name, value)) = line.split_once(':') {
                length = if name.eq_ignore_ascii_case("content-length") {
                    value.trim().parse().unwrap_or(0)
                } else {
                    length
                };
            }
            line.clear();
        }
        reader.read_exact(&mut vec![0; length])?;
        let head = |length| {
            format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json;charset=utf-8\r\nContent-Length: {length}\r\n\r\n"
            )
        };
        if first.contains(ENDLESS) {
            let start = if first.contains("generateToken") { ENDLESS_TOKEN } else { ENDLESS_STATE };
            let head = head(ENDLESS_BYTES);
            let unannounced = head.replace("Content-Length", "X-Length");
            writer.write_all(if first.contains(ANNOUNCED) { &head } else { &unannounced }.as_bytes())?;
            writer.write_all(start.as_bytes())?;
            for _ in 0..ENDLESS_BYTES / objects.len() {
                writer.write_all(objects.as_bytes())?;
            }
            return Ok(());
        }
        if first.contains("displayUserJobSummary") {
            writer.write_all(format!("{}{STATE}", head(STATE.len())).as_bytes())?;
            continue;
        }
        writer.write_all(format!("{}{EXPORT_START}", head(export_bytes())).as_bytes())?;
        for _ in 0..export_blocks() {
            writer.write_all(objects.as_bytes())?;
        }
        writer.write_all(EXPORT_END.as_bytes())?;
    }
}

struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start() -> Self {
        let program = std::env::current_exe().expect("a program knows where it is");
        let mut process = Command::new(program)
            .env(SERVE_VARIABLE, "")
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program can be started again");
        let mut address = String::new();
        BufReader::new(process.stdout.take().expect("a pipe")).read_line(&mut address).expect("it prints its address");
        Self { process, address: address.trim().to_owned() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// This client and its peers. The runtime has one thread, as that of a small service has, and one more for files.
struct Peers {
    runtime: Runtime,
    job: Job,
    bare: reqwest::Client,
    state_url: String,
    export_url: String,
    directory: tempfile::TempDir,
}

impl Peers {
    fn of(server: &Server) -> Self {
        let base = format!("http://{}/api/gspLive_backend/sqlflow/job", server.address);
        let client = Client::builder(&server.address).without_proxy().build().expect("a client");
        let directory = std::env::var_os("SQLFLOW_PEERS_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
        Self {
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime"),
            job: client.job("6fa5c6c4d3f24ac68bb0a5b2cbb1ea3e"),
            bare: reqwest::Client::builder().no_proxy().build().expect("a client"),
            state_url: format!("{base}/displayUserJobSummary"),
            export_url: format!("{base}/exportLineageAsJson"),
            directory: tempfile::tempdir_in(directory).expect("a directory"),
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("export.json")
    }

    /// The same form as that of the client.
    fn form() -> [(&'static str, &'static str); 3] {
        [("jobId", "6fa5c6c4d3f24ac68bb0a5b2cbb1ea3e"), ("userId", "gudu|0123456789"), ("token", "token")]
    }

    fn call(&self) {
        let info = self.runtime.block_on(self.job.info()).expect("the job is there");
        assert!(info.status.is_final());
    }

    fn bare_call(&self) {
        let state: serde_json::Value = self.runtime.block_on(async {
            let response = self.bare.post(&self.state_url).form(&Self::form()).send().await.expect("it responds");
            response.json().await.expect("it is JSON")
        });
        assert_eq!(state["data"]["status"], "success");
    }

    fn export(&self) {
        let export = self.job.export_lineage_as_json().to_file(self.path());
        assert_eq!(self.runtime.block_on(export).expect("it is whole"), export_bytes() as u64);
    }

    fn bare_export(&self, is_synced: bool) {
        self.runtime.block_on(async {
            let mut response = self.bare.post(&self.export_url).form(&Self::form()).send().await.expect("it responds");
            let mut file = File::create(self.path()).expect("it can be written");
            while let Some(chunk) = response.chunk().await.expect("it is whole") {
                file.write_all(&chunk).expect("there is space");
            }
            if is_synced {
                file.sync_all().expect("it can be synced");
            }
        });
    }

    fn curl_export(&self, is_synced: bool) {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--data", "jobId=1", "--output"]).arg(self.path()).arg(&self.export_url);
        assert!(curl.status().expect("curl is installed").success());
        if is_synced {
            File::open(self.path()).and_then(|file| file.sync_all()).expect("it can be synced");
        }
    }
}

/// The processor time of this process, on all its threads.
struct CpuTime;

fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).expect("it is positive"),
        u32::try_from(time.tv_nsec).expect("it is small"),
    )
}

impl Measurement for CpuTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        cpu_time()
    }

    fn end(&self, start: Duration) -> Duration {
        cpu_time().saturating_sub(start)
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        value.as_secs_f64() * 1e9
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

fn measure_calls(peers: &Peers) {
    let mut criterion = Criterion::default().with_measurement(CpuTime).configure_from_args();
    let mut group = criterion.benchmark_group("processor time of a call");
    group.bench_function("sqlflow-client", |bencher| bencher.iter(|| peers.call()));
    group.bench_function("bare reqwest", |bencher| bencher.iter(|| peers.bare_call()));
    group.finish();
}

fn measure_exports(peers: &Peers) {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("export to disk");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(20))
        .throughput(Throughput::Bytes(export_bytes() as u64));
    group.bench_function("sqlflow-client", |bencher| bencher.iter(|| peers.export()));
    for (is_synced, suffix) in [(true, ", synced"), (false, "")] {
        group.bench_function(format!("bare reqwest{suffix}"), |bencher| bencher.iter(|| peers.bare_export(is_synced)));
        if has_curl() {
            group.bench_function(format!("curl{suffix}"), |bencher| bencher.iter(|| peers.curl_export(is_synced)));
        }
    }
    group.finish();
}

fn has_curl() -> bool {
    Command::new("curl").arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Prints what each peer takes, and the ratio of the client to it, as medians of rounds in which all take a turn.
fn print_ratios(peers: &Peers) {
    const CALLS: usize = 500;
    let calls = |call: &dyn Fn()| {
        let start = cpu_time();
        (0..CALLS).for_each(|_| call());
        cpu_time().saturating_sub(start).as_secs_f64() / f64::from(u32::try_from(CALLS).expect("they are few"))
    };
    let [own, bare] =
        in_turns(setting("SQLFLOW_PEERS_ROUNDS", 21), [&|| calls(&|| peers.call()), &|| calls(&|| peers.bare_call())]);
    println!(
        "call: {:.1} µs of processor time, {:.1} µs with bare reqwest: {:.2} ×",
        own * 1e6,
        bare * 1e6,
        own / bare
    );

    let timed = |export: &dyn Fn()| {
        let start = Instant::now();
        export();
        let time = start.elapsed().as_secs_f64();
        // What one peer left to be written to disk is not counted for the next.
        remove(&peers.path());
        time
    };
    let with_curl = has_curl();
    let curl = |is_synced| {
        if with_curl {
            peers.curl_export(is_synced);
        }
    };
    reset_peak_memory();
    let [own, bare_synced, curl_synced, bare, curl] = in_turns(
        setting("SQLFLOW_PEERS_ROUNDS", 7),
        [
            &|| timed(&|| peers.export()),
            &|| timed(&|| peers.bare_export(true)),
            &|| timed(&|| curl(true)),
            &|| timed(&|| peers.bare_export(false)),
            &|| timed(&|| curl(false)),
        ],
    );
    println!("export of {} MB, which is on disk at the end: {own:.2} s", export_bytes() / 1_000_000);
    for (promise, bare, curl) in [("with a sync too", bare_synced, curl_synced), ("without a sync", bare, curl)] {
        print!("  {promise}: {bare:.2} s with bare reqwest: {:.2} ×", own / bare);
        println!("{}", if with_curl { format!(", {curl:.2} s with curl: {:.2} ×", own / curl) } else { String::new() });
    }
    if let Some(peak) = peak_memory() {
        println!("peak memory of these exports: {peak}");
    }
}

/// Prints the memory that the process takes while a small response grows without an end in sight.
fn print_memory_of_refusals(runtime: &Runtime, server: &Server) {
    for (path, how) in [(ENDLESS, "without a length"), (ANNOUNCED, "with its length announced")] {
        let client = |credentials| {
            let builder = Client::builder(format!("http://{}{path}", server.address)).credentials(credentials);
            builder.without_proxy().build().expect("a client")
        };
        let anyone = client(Credentials::on_premise()).job("6fa5c6c4d3f24ac68bb0a5b2cbb1ea3e");
        let ann = client(Credentials::secret_key("ann", "any key")).job("6fa5c6c4d3f24ac68bb0a5b2cbb1ea3e");
        for (job, what) in [(&anyone, "state"), (&ann, "token")] {
            reset_peak_memory();
            let before = memory("VmRSS:").unwrap_or_default();
            let start = Instant::now();
            let error = runtime.block_on(job.info()).expect_err("no small response is that large");
            assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
            println!(
                "refusing a {what} of {} MB {how}: {:.2} s, {before} before and {} at most",
                ENDLESS_BYTES / 1_000_000,
                start.elapsed().as_secs_f64(),
                peak_memory().unwrap_or_default()
            );
        }
    }
}

fn remove(path: &Path) {
    let _ = fs::remove_file(path);
}

/// Returns the median of each measurement over this many rounds.
fn in_turns<const N: usize>(rounds: usize, measurements: [&dyn Fn() -> f64; N]) -> [f64; N] {
    let mut all: [Vec<f64>; N] = std::array::from_fn(|_| Vec::new());
    for _ in 0..rounds {
        for (results, measurement) in all.iter_mut().zip(measurements) {
            results.push(measurement());
        }
    }
    all.map(|mut results| {
        results.sort_by(f64::total_cmp);
        results[results.len() / 2]
    })
}

/// The most memory that this process has used, as Linux tells it, since the last reset.
fn peak_memory() -> Option<String> {
    memory("VmHWM:")
}

/// Lets the peak of the memory begin again, where the system can do that.
fn reset_peak_memory() {
    let _ = fs::write("/proc/self/clear_refs", "5");
}

fn memory(line: &str) -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let found = status.lines().find_map(|text| text.strip_prefix(line))?;
    Some(found.trim().to_owned())
}
