//! A download ends with every byte of the file, or with no file and an error.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use sqlflow_client::emulator::{Emulator, Fault};
use sqlflow_client::job::{Job, Polling, Progress};
use sqlflow_client::retry::Backoff;
use sqlflow_client::{Client, ClientBuilder, Credentials, Error, ErrorKind, Lineage, Result, Vendor};

use super::{configured, requests_to};

const CSV: &str = "exportFullLineageAsCsv";
const JSON: &str = "exportLineageAsJson";
const FULL_JSON: &str = "exportFullLineageAsJson";
const GRAPHML: &str = "exportLineageAsGraphml";

fn builder(url: &str) -> ClientBuilder {
    Client::builder(url)
        .credentials(Credentials::secret_key("ann", "any key"))
        .polling(Polling::every(Duration::from_millis(5)))
        .stall_timeout(Duration::from_millis(100))
        .retry(Backoff::new().base_delay(Duration::from_millis(1)))
}

/// Makes a job whose exports have about 10 KB each.
async fn job(emulator: &Emulator) -> Job {
    let columns: Vec<_> = (0..60).map(|number| format!("t.c{number}")).collect();
    let sql = format!("create view v as select {} from t", columns.join(", "));
    let client = builder(&emulator.url()).build().unwrap();
    client.submit(Vendor::PostgreSql).sql("a.sql", sql).await.unwrap().wait().await.unwrap().job().clone()
}

async fn started() -> (Emulator, Job) {
    let (_, emulator) = configured(|builder| builder).await;
    let job = job(&emulator).await;
    (emulator, job)
}

async fn bytes(job: &Job, operation: &str) -> Result<Bytes> {
    match operation {
        CSV => job.export_full_lineage_as_csv().bytes().await,
        JSON => job.export_lineage_as_json().bytes().await,
        FULL_JSON => job.export_full_lineage_as_json().bytes().await,
        _ => job.export_lineage_as_graphml().bytes().await,
    }
}

async fn to_file(job: &Job, operation: &str, path: &Path) -> Result<u64> {
    match operation {
        CSV => job.export_full_lineage_as_csv().to_file(path).await,
        JSON => job.export_lineage_as_json().to_file(path).await,
        FULL_JSON => job.export_full_lineage_as_json().to_file(path).await,
        _ => job.export_lineage_as_graphml().to_file(path).await,
    }
}

async fn lineage(job: &Job, operation: &str) -> Result<Lineage> {
    if operation == JSON { job.export_lineage_as_json().lineage().await } else { job.lineage().await }
}

/// Returns the names of all entries of a directory.
fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

/// Applies a fault to one export of each form, and checks that each retry returns the same as without the fault.
async fn assert_retried(fault: &Fault, operation: &str) {
    let (emulator, job) = started().await;
    let whole = bytes(&job, operation).await.unwrap();
    assert!(whole.len() > 3000, "{operation}: {}", whole.len());
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("lineage");
    std::fs::write(&path, "older").unwrap();
    let mut before = requests_to(&emulator, operation);
    let mut is_asked_twice = || {
        let now = requests_to(&emulator, operation);
        assert_eq!(now - std::mem::replace(&mut before, now), 2, "{fault} on {operation}");
    };

    emulator.inject(fault.clone().on(operation).times(1));
    assert_eq!(to_file(&job, operation, &path).await.unwrap(), whole.len() as u64, "{fault} on {operation}");
    assert!(std::fs::read(&path).unwrap() == whole, "{fault} on {operation}");
    assert_eq!(names(home.path()), ["lineage"], "{fault} on {operation}");
    is_asked_twice();

    emulator.inject(fault.clone().on(operation).times(1));
    assert!(bytes(&job, operation).await.unwrap() == whole, "{fault} on {operation}");
    is_asked_twice();

    if [JSON, FULL_JSON].contains(&operation) {
        emulator.inject(fault.clone().on(operation).times(1));
        let read = lineage(&job, operation).await.unwrap_or_else(|error| panic!("{fault} on {operation}: {error}"));
        assert_eq!(read, Lineage::from_slice(&whole).unwrap(), "{fault} on {operation}");
        is_asked_twice();
    }
}

#[tokio::test]
async fn a_stalled_download_is_retried_from_the_start() {
    for operation in [CSV, JSON, FULL_JSON, GRAPHML] {
        assert_retried(&Fault::stall_after(2000), operation).await;
    }
}

#[tokio::test]
async fn a_download_that_is_reset_or_shorter_than_its_length_is_retried_from_the_start() {
    for fault in [Fault::reset_after_sent(0), Fault::reset_after_sent(2000), Fault::content_length(10)] {
        for operation in [CSV, JSON, FULL_JSON, GRAPHML] {
            assert_retried(&fault, operation).await;
        }
    }
}

#[tokio::test]
async fn a_truncated_download_that_http_declares_complete_is_retried() {
    for bytes in [50, 2000] {
        for operation in [JSON, FULL_JSON, GRAPHML] {
            assert_retried(&Fault::truncate(bytes), operation).await;
        }
    }
}

#[tokio::test]
async fn a_download_that_was_replaced_by_something_else_is_retried() {
    for fault in
        [Fault::close(), Fault::page(502), Fault::page(504), Fault::busy(), Fault::too_many_requests(Duration::ZERO)]
    {
        for operation in [CSV, JSON] {
            assert_retried(&fault, operation).await;
        }
    }
}

/// Returns a progress callback and the reports that it has received.
fn watcher() -> (Arc<Mutex<Vec<Progress>>>, impl Fn(&Progress) + Send + Sync + 'static) {
    let told = Arc::<Mutex<Vec<Progress>>>::default();
    let heard = Arc::clone(&told);
    (told, move |progress| heard.lock().unwrap().push(progress.clone()))
}

#[tokio::test]
async fn progress_reports_bytes_and_total_and_restarts_with_each_attempt() {
    let (emulator, job) = started().await;
    let length = bytes(&job, CSV).await.unwrap().len() as u64;
    emulator.inject(Fault::stall_after(2000).on(CSV).times(1));
    emulator.inject(Fault::drip(1000, Duration::from_millis(2)).on(CSV));
    let home = tempfile::tempdir().unwrap();
    let (told, watcher) = watcher();
    job.export_full_lineage_as_csv().on_progress(watcher).to_file(home.path().join("x")).await.unwrap();

    let told = told.lock().unwrap();
    let (first, second): (Vec<_>, Vec<_>) = told.iter().partition(|progress| progress.attempt() == 1);
    assert_eq!(first.last().map(|progress| (progress.received(), progress.total())), Some((2000, None)));
    assert!(second.iter().all(|progress| progress.attempt() == 2 && progress.total() == Some(length)), "{second:?}");
    assert!(second.len() > 2 && second[0].received() <= 1000, "{second:?}");
    assert!(second.is_sorted_by_key(|progress| progress.received()), "{second:?}");
    assert!(told.iter().all(|progress| progress.unpacked() == progress.received()));
    let last = second.last().unwrap();
    assert_eq!((last.received(), last.to_string()), (length, format!("{length} of {length} bytes")));
}

#[tokio::test]
async fn a_compressed_response_is_decompressed_and_its_progress_counts_network_bytes() {
    let (_, emulator) = configured(|builder| builder.gzip(true)).await;
    let job = job(&emulator).await;
    for operation in [CSV, JSON] {
        assert_whole_when_compressed(&job, operation).await;
    }
    for fault in [Fault::truncate(200), Fault::reset_after_sent(200), Fault::stall_after(200)] {
        let whole = bytes(&job, CSV).await.unwrap();
        emulator.inject(fault.clone().on(CSV).times(1));
        assert!(bytes(&job, CSV).await.unwrap() == whole, "{fault}");
    }
}

async fn assert_whole_when_compressed(job: &Job, operation: &str) {
    let (_, plain) = configured(|builder| builder).await;
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("x");
    let (told, watcher) = watcher();
    let length = match operation {
        CSV => job.export_full_lineage_as_csv().on_progress(watcher).to_file(&path).await.unwrap(),
        _ => job.export_lineage_as_json().on_progress(watcher).to_file(&path).await.unwrap(),
    };
    let last = told.lock().unwrap().last().unwrap().clone();
    assert_eq!((Some(last.received()), last.unpacked()), (last.total(), length), "{operation}");
    assert!(last.received() * 3 < length, "{operation}: {last:?}");
    assert_eq!(std::fs::metadata(&path).unwrap().len(), length);
    let expected = bytes(&self::job(&plain).await, operation).await.unwrap();
    if operation == CSV {
        assert!(std::fs::read(&path).unwrap() == expected);
    } else {
        let read = |bytes: &[u8]| Lineage::from_slice(bytes).unwrap().column_flows().len();
        assert_eq!(read(&std::fs::read(&path).unwrap()), read(&expected));
    }
}

#[tokio::test]
async fn a_decompression_bomb_is_cancelled_and_leaves_nothing_behind() {
    let (emulator, job) = started().await;
    emulator.inject(Fault::bomb(100_000_000).on(CSV).on(JSON).on(FULL_JSON));
    let home = tempfile::tempdir().unwrap();
    let errors = [
        job.export_full_lineage_as_csv().to_file(home.path().join("x.csv")).await.unwrap_err(),
        job.export_full_lineage_as_csv().bytes().await.unwrap_err(),
        job.export_lineage_as_json().lineage().await.unwrap_err(),
        job.lineage().await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!((error.kind(), error.job_id()), (ErrorKind::TooLarge, Some(job.id())), "{error}");
        assert!(error.to_string().contains("decompressed to"), "{error}");
    }
    assert_eq!(names(home.path()), [""; 0]);
    let sent = [CSV, JSON, FULL_JSON].map(|operation| requests_to(&emulator, operation));
    assert_eq!(sent, [2, 1, 1]);
}

#[tokio::test]
async fn a_failed_download_leaves_the_older_file_unchanged() {
    let (emulator, job) = started().await;
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("lineage.json");
    std::fs::write(&path, "older").unwrap();
    for (fault, kind, tried) in [
        (Fault::stall_after(2000), ErrorKind::Interrupted, 3),
        (Fault::reset_after_sent(2000), ErrorKind::Interrupted, 3),
        (Fault::truncate(2000), ErrorKind::Interrupted, 3),
        (Fault::page(502), ErrorKind::Server, 3),
        (Fault::page(500), ErrorKind::Server, 1),
        (Fault::garbage(), ErrorKind::Protocol, 1),
        (Fault::vanish(), ErrorKind::JobNotFound, 1),
    ] {
        emulator.clear_faults();
        emulator.inject(fault.clone().on(JSON));
        let retry = Backoff::new().max_attempts(3).base_delay(Duration::from_millis(1));
        let client = builder(&emulator.url()).retry(retry).build().unwrap();
        let export = client.job(job.id().clone()).export_lineage_as_json();
        let error = export.to_file(&path).await.unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (kind, tried), "{fault}: {error}");
        assert_eq!((error.operation(), error.job_id()), (Some(JSON), Some(job.id())), "{fault}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "older", "{fault}");
        assert_eq!(names(home.path()), ["lineage.json"], "{fault}");
    }
}

#[tokio::test]
async fn a_response_over_the_limit_is_not_held_in_memory() {
    let (emulator, done) = started().await;
    job(&emulator).await;
    job(&emulator).await;
    let client = builder(&emulator.url()).max_response_bytes(1000).build().unwrap();
    let job = client.job(done.id().clone());
    let too_large = |error: Error| {
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
        assert!(error.to_string().contains("limit"), "{error}");
        assert!(error.attempts() <= 1, "{error}");
    };
    too_large(client.jobs().await.unwrap_err());
    too_large(client.find_job("a.sql").await.unwrap_err());
    for operation in [CSV, JSON, FULL_JSON, GRAPHML] {
        too_large(bytes(&job, operation).await.unwrap_err());
    }
    too_large(job.lineage().await.unwrap_err());
    too_large(job.export_lineage_as_json().lineage().await.unwrap_err());
    let home = tempfile::tempdir().unwrap();
    assert!(job.export_full_lineage_as_csv().to_file(home.path().join("x.csv")).await.unwrap() > 1000);
}

#[cfg(unix)]
mod in_a_child_process {
    use std::fs;
    use std::io::{BufRead as _, BufReader};
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    use std::os::unix::process::CommandExt as _;
    use std::process::{Command, Stdio};

    use super::*;

    /// The server to download from, the job, and the target path of the child process.
    const PLACE: [&str; 3] = ["SQLFLOW_TEST_URL", "SQLFLOW_TEST_JOB", "SQLFLOW_TEST_PATH"];

    /// The download of the child process. It runs as the first of the tests below, which detects by its environment
    /// that it is the child.
    async fn download() {
        tracing_subscriber::fmt().with_writer(std::io::stdout).init();
        let [url, job, path] = PLACE.map(|name| std::env::var(name).unwrap());
        let client = builder(&url).build().unwrap();
        let export = client.job(job).export_full_lineage_as_csv().on_progress(|_| println!("some came"));
        match export.to_file(path).await {
            Ok(length) => println!("{length} bytes came"),
            Err(error) => println!("{:?}: {error}", error.kind()),
        }
    }

    /// Returns the command for the child process, which runs after a shell command.
    fn process(first: &str, job: &Job, path: &Path) -> Command {
        process_of(&std::env::current_exe().unwrap(), first, job, path)
    }

    fn process_of(executable: &Path, first: &str, job: &Job, path: &Path) -> Command {
        let mut command = Command::new("sh");
        let test = concat!(module_path!(), "::a_full_disk_is_reported_with_the_path_and_leaves_nothing_behind");
        let test = test.split_once("::").unwrap().1;
        command.args(["-c", &format!("{first} exec \"$0\" \"$@\"")]).arg(executable);
        command.args(["--exact", test, "--nocapture"]);
        let url = job.client().base_url();
        command.envs(PLACE.into_iter().zip([url.as_ref(), job.id().as_str().as_ref(), path.as_os_str()]));
        command
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_full_disk_is_reported_with_the_path_and_leaves_nothing_behind() {
        if std::env::var_os(PLACE[0]).is_some() {
            return download().await;
        }
        let (emulator, job) = started().await;
        // The first two downloads arrive in one piece, so that the last write fails; the others arrive in many pieces.
        emulator.inject(Fault::drip(100, Duration::from_millis(1)).on(CSV).skip(2));
        for older in [None, Some("older"), None, Some("older")] {
            let home = tempfile::tempdir().unwrap();
            let path = home.path().join("x.csv");
            if let Some(older) = older {
                std::fs::write(&path, older).unwrap();
            }
            // A file size limit of the process ends a write as a full disk does.
            let output = process("trap '' XFSZ; ulimit -f 2;", &job, &path).output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(said.contains("Io: ") && said.contains(&path.display().to_string()), "{said} {output:?}");
            assert_eq!(names(home.path()).len(), older.iter().len(), "{said}");
            assert_eq!(std::fs::read_to_string(&path).ok().as_deref(), older);
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_process_that_is_killed_during_a_download_leaves_no_incomplete_file() {
        let (emulator, job) = started().await;
        emulator.inject(Fault::drip(10, Duration::from_millis(20)).on(CSV));
        for older in [None, Some("older")] {
            let home = tempfile::tempdir().unwrap();
            let path = home.path().join("x.csv");
            if let Some(older) = older {
                std::fs::write(&path, older).unwrap();
            }
            let mut child = process("", &job, &path).stdout(Stdio::piped()).spawn().unwrap();
            let lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let came = lines.map_while(std::io::Result::ok).filter(|line| line.contains("some came")).take(3).count();
            child.kill().unwrap();
            child.wait().unwrap();
            assert_eq!(came, 3);
            assert_eq!(std::fs::read_to_string(&path).ok().as_deref(), older);
            let left = names(home.path()).into_iter().filter(|name| name != "x.csv");
            let parts: Vec<_> = left.collect();
            assert!(parts.iter().all(|name| name.starts_with(".x.csv.")), "{parts:?}");
        }
    }

    /// The ids of a user and a group without rights.
    const NOBODY: u32 = 65534;

    /// Downloads to a file as a user without rights, and returns what the process said. Only root can do that; for
    /// others, it downloads as the user of this process.
    fn download_without_rights(job: &Job, path: &Path) -> String {
        let home = tempfile::tempdir().unwrap();
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
        // The user may not be permitted to reach the executable in its place.
        let executable = home.path().join("test");
        fs::copy(std::env::current_exe().unwrap(), &executable).unwrap();
        let mut command = process_of(&executable, "", job, path);
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        let output = command.current_dir(home.path()).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }

    fn is_root() -> bool {
        tempfile::tempfile().unwrap().metadata().unwrap().uid() == 0
    }

    /// Creates a directory that everyone may use.
    fn public_directory() -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o777)).unwrap();
        home
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_file_in_a_directory_that_may_be_written_and_not_read_is_complete() {
        let (_emulator, job) = started().await;
        let home = public_directory();
        let path = home.path().join("x.csv");
        if is_root() {
            std::os::unix::fs::chown(home.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o300)).unwrap();
        for _ in 0..2 {
            let said = download_without_rights(&job, &path);
            assert!(said.contains("bytes came"), "{said}");
            assert!(said.contains("WARN") && said.contains("its directory cannot be synced"), "{said}");
        }
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(fs::read(&path).unwrap(), job.export_full_lineage_as_csv().bytes().await.unwrap());
        assert_eq!(names(home.path()), ["x.csv"]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_file_of_another_owner_is_replaced_without_set_id_bits_and_rights_of_its_group() {
        if !is_root() {
            // Nobody else can create the file of another owner.
            return;
        }
        let (_emulator, job) = started().await;
        for (group, mode, expected) in [
            (0, 0o640, 0o600),
            (0, 0o664, 0o644),
            (0, 0o6755, 0o755),
            (NOBODY, 0o640, 0o640),
            (NOBODY, 0o4770, 0o770),
            (NOBODY, 0o2775, 0o775),
        ] {
            let home = public_directory();
            let path = home.path().join("x.csv");
            fs::write(&path, "older").unwrap();
            std::os::unix::fs::chown(&path, Some(0), Some(group)).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let said = download_without_rights(&job, &path);
            assert!(said.contains("bytes came"), "{said}");
            let written = fs::metadata(&path).unwrap();
            assert_eq!((written.uid(), written.gid()), (NOBODY, NOBODY));
            assert_eq!(written.mode() & 0o7777, expected, "{group} {mode:o}");
        }
    }
}
