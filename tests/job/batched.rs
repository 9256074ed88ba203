//! Batches: a few jobs at a time, and a journal that a later run continues from.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use sqlflow_client::emulator::{Emulator, EmulatorBuilder};
use sqlflow_client::job::{Batch, BatchOutcome, Database, ExportFormat, Polling, Settling, Submit};
use sqlflow_client::{Client, Credentials, ErrorKind, Vendor};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::requests_to;

const FAILING: &str = "selekt nothing frm (";

async fn sqlflow() -> (Client, Emulator) {
    configured(|builder| builder).await
}

async fn configured(change: impl FnOnce(EmulatorBuilder) -> EmulatorBuilder) -> (Client, Emulator) {
    let (_, emulator) = super::configured(change).await;
    (client_of(&emulator, Credentials::secret_key("ann", "any key")), emulator)
}

/// Creates a client that quickly resolves submissions whose response was lost.
fn client_of(emulator: &Emulator, credentials: Credentials) -> Client {
    Client::builder(emulator.url())
        .credentials(credentials)
        .polling(Polling::every(Duration::from_millis(5)))
        .settling(Settling::new().window(Duration::from_millis(800)).max_lookups(3))
        .build()
        .unwrap()
}

/// A temporary directory for a journal and exports in two formats.
struct BatchDirectory(tempfile::TempDir);

impl BatchDirectory {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn journal(&self) -> PathBuf {
        self.0.path().join("batch.journal")
    }

    fn exports(&self) -> PathBuf {
        self.0.path().join("exports")
    }

    fn batch(&self, sqlflow: &Client) -> Batch {
        sqlflow
            .batch(self.journal())
            .export(ExportFormat::Csv, self.exports())
            .export(ExportFormat::FullJson, self.exports())
            .max_outage(Duration::from_secs(2))
    }

    /// Returns the number of journal lines about an event.
    fn noted(&self, event: &str) -> usize {
        let event = format!(r#""event":"{event}""#);
        fs::read_to_string(self.journal()).unwrap().lines().filter(|line| line.contains(&event)).count()
    }
}

fn sql(number: usize) -> String {
    format!("create view v{number} as select a, b from t{number}")
}

fn key(number: usize) -> String {
    format!("piece-{number}")
}

fn submit(sqlflow: &Client, number: usize) -> Submit {
    sqlflow.submit(Vendor::PostgreSql).name(key(number)).sql("a.sql", sql(number))
}

fn submissions(sqlflow: &Client, count: usize) -> impl Iterator<Item = (String, Submit)> + Send + use<> {
    let sqlflow = sqlflow.clone();
    (0..count).map(move |number| (key(number), submit(&sqlflow, number)))
}

/// Returns the outcomes of a whole run, by key.
async fn outcomes<K, I>(batch: Batch, submissions: I) -> BTreeMap<String, BatchOutcome>
where
    K: Into<String>,
    I: IntoIterator<Item = (K, Submit)>,
    I::IntoIter: Send + 'static,
{
    let mut run = batch.run(submissions);
    let mut outcomes = BTreeMap::new();
    while let Some(outcome) = run.try_next().await.unwrap() {
        assert!(outcomes.insert(outcome.key().to_owned(), outcome).is_none(), "two outcomes of one key");
    }
    assert!(run.try_next().await.unwrap().is_none());
    outcomes
}

fn one(outcomes: &BTreeMap<String, BatchOutcome>) -> &BatchOutcome {
    assert_eq!(outcomes.len(), 1, "{outcomes:?}");
    outcomes.values().next().unwrap()
}

/// Asserts that every export of every key equals the one of the server, and that there are no other files.
async fn assert_exported(sqlflow: &Client, home: &BatchDirectory, outcomes: &BTreeMap<String, BatchOutcome>) {
    for (key, outcome) in outcomes {
        assert!(outcome.is_done(), "{outcome:?}");
        let job = sqlflow.job(outcome.job_id().unwrap());
        let csv = home.exports().join(format!("{key}.csv"));
        let json = home.exports().join(format!("{key}.full.json"));
        assert_eq!(outcome.files(), [csv.clone(), json.clone()]);
        assert_eq!(job.export_full_lineage_as_csv().bytes().await.unwrap(), fs::read(csv).unwrap());
        assert_eq!(job.export_full_lineage_as_json().bytes().await.unwrap(), fs::read(json).unwrap());
    }
    assert_eq!(fs::read_dir(home.exports()).unwrap().count(), 2 * outcomes.len(), "something was left behind");
}

fn assert_one_job_each(emulator: &Emulator, count: usize) {
    let names: HashSet<_> = emulator.jobs().into_iter().map(|job| job.name).collect();
    assert_eq!((emulator.jobs().len(), names.len()), (count, count), "{names:?}");
}

#[tokio::test]
async fn thirty_submissions_make_thirty_exported_jobs_within_the_maximum_in_flight() {
    let (sqlflow, emulator) = sqlflow().await;
    let home = BatchDirectory::new();
    let pulled = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&pulled);
    let given = submissions(&sqlflow, 30).inspect(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
    });
    let mut run = home.batch(&sqlflow).max_in_flight(4).run(given);
    let mut ended = BTreeMap::new();
    while let Some(outcome) = run.try_next().await.unwrap() {
        assert!(!outcome.was_done_before());
        ended.insert(outcome.key().to_owned(), outcome);
        // Only submissions that were pulled can be in flight, and each is pulled when there is room for it.
        let pulled = pulled.load(Ordering::SeqCst);
        assert!(pulled - ended.len() < 4, "{pulled} of which {} ended", ended.len());
        assert!(emulator.jobs().len() <= pulled);
    }
    assert_one_job_each(&emulator, 30);
    assert_exported(&sqlflow, &home, &ended).await;
    for (key, outcome) in &ended {
        assert!(outcome.name().unwrap().starts_with(key.as_str()), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_finished_submission_causes_no_more_requests() {
    let (sqlflow, emulator) = sqlflow().await;
    let home = BatchDirectory::new();
    let first = outcomes(home.batch(&sqlflow), submissions(&sqlflow, 5)).await;
    let requests = emulator.requests().len();
    let again = outcomes(home.batch(&sqlflow), submissions(&sqlflow, 5)).await;
    assert_eq!(emulator.requests().len(), requests);
    for (key, outcome) in &again {
        assert!(outcome.was_done_before() && outcome.is_done(), "{outcome:?}");
        assert_eq!((outcome.job_id(), outcome.files()), (first[key].job_id(), first[key].files()));
    }
}

#[tokio::test]
async fn a_run_dropped_at_any_point_can_be_continued_and_submits_nothing_twice() {
    const PIECES: usize = 4;
    for polls in 0..60 {
        let (sqlflow, emulator) = sqlflow().await;
        let home = BatchDirectory::new();
        {
            let mut run = home.batch(&sqlflow).max_in_flight(3).run(submissions(&sqlflow, PIECES));
            for _ in 0..polls {
                let next = std::pin::pin!(run.try_next());
                // The run goes as far as it can without waiting, then continues for a moment:
                // each time it stops somewhere else.
                let _waiting = tokio::time::timeout(Duration::from_millis(polls % 7), next).await;
            }
        }
        let ended = outcomes(home.batch(&sqlflow), submissions(&sqlflow, PIECES)).await;
        assert_one_job_each(&emulator, PIECES);
        assert_eq!(ended.len(), PIECES);
        assert_exported(&sqlflow, &home, &ended).await;
    }
}

#[tokio::test]
async fn a_run_dropped_after_each_outcome_can_be_continued() {
    let (sqlflow, emulator) = sqlflow().await;
    let home = BatchDirectory::new();
    for count in 0..12 {
        let mut run = home.batch(&sqlflow).max_in_flight(5).run(submissions(&sqlflow, 12));
        for _ in 0..count {
            assert!(run.try_next().await.unwrap().unwrap().is_done());
        }
    }
    let ended = outcomes(home.batch(&sqlflow), submissions(&sqlflow, 12)).await;
    assert_one_job_each(&emulator, 12);
    assert_exported(&sqlflow, &home, &ended).await;
}

#[tokio::test]
async fn missing_or_truncated_exports_are_exported_again_without_a_submission() {
    let (sqlflow, emulator) = sqlflow().await;
    let home = BatchDirectory::new();
    outcomes(home.batch(&sqlflow), submissions(&sqlflow, 3)).await;
    fs::remove_file(home.exports().join("piece-0.csv")).unwrap();
    fs::write(home.exports().join("piece-1.full.json"), "{").unwrap();
    let left = home.exports().join(".piece-1.full.json.a1B2c3.part");
    fs::write(&left, "half").unwrap();
    let exports =
        |emulator: &Emulator| emulator.requests().iter().filter(|asked| asked.path.contains("export")).count();
    let before = exports(&emulator);
    let ended = outcomes(home.batch(&sqlflow), submissions(&sqlflow, 3)).await;
    assert_eq!(exports(&emulator) - before, 2);
    assert_eq!(ended.values().map(BatchOutcome::was_done_before).collect::<Vec<_>>(), [false, false, true]);
    assert!(!left.exists());
    assert_exported(&sqlflow, &home, &ended).await;
    assert_one_job_each(&emulator, 3);
}

#[tokio::test]
async fn only_a_format_that_was_added_later_is_exported() {
    let (sqlflow, emulator) = sqlflow().await;
    let home = BatchDirectory::new();
    let csv = || sqlflow.batch(home.journal()).export(ExportFormat::Csv, home.exports());
    outcomes(csv(), submissions(&sqlflow, 2)).await;
    let none: Vec<(String, Submit)> = Vec::new();
    let added = outcomes(csv().export(ExportFormat::Graphml, home.exports()), none).await;
    assert_eq!(added.len(), 2);
    for (key, outcome) in &added {
        assert_eq!(outcome.files(), ["csv", "graphml"].map(|end| home.exports().join(format!("{key}.{end}"))));
    }
    assert_eq!(requests_to(&emulator, "submitUserJob"), 2);
    assert_eq!(requests_to(&emulator, "exportFullLineageAsCsv"), 2);
}

#[tokio::test]
async fn a_failed_job_is_reported_again_and_resubmitted_only_on_request() {
    let (sqlflow, emulator) = sqlflow().await;
    let home = BatchDirectory::new();
    let given = |sql: &str| vec![("bad", sqlflow.submit(Vendor::PostgreSql).sql("bad.sql", sql.to_owned()))];
    for run in 0..3 {
        let ended = outcomes(home.batch(&sqlflow), given(FAILING)).await;
        let error = one(&ended).error().unwrap();
        assert_eq!(error.kind(), ErrorKind::JobFailed);
        assert!(error.to_string().contains("bad.sql"), "{error}");
        assert_eq!((error.job_id(), one(&ended).was_done_before()), (one(&ended).job_id(), run > 0));
        assert_eq!(emulator.jobs().len(), 1);
    }
    let ended = outcomes(home.batch(&sqlflow).retry_failed(true), given(&sql(1))).await;
    assert_exported(&sqlflow, &home, &ended).await;
    assert_one_job_each(&emulator, 2);
    assert!(one(&outcomes(home.batch(&sqlflow).retry_failed(true), given(FAILING)).await).was_done_before());
    assert_eq!(emulator.jobs().len(), 2);
}

#[tokio::test]
async fn a_deleted_job_is_reported_and_resubmitted_only_on_request() {
    let (sqlflow, emulator) = sqlflow().await;
    let home = BatchDirectory::new();
    let first = outcomes(home.batch(&sqlflow), submissions(&sqlflow, 1)).await;
    sqlflow.job(one(&first).job_id().unwrap()).delete().await.unwrap();
    fs::remove_dir_all(home.exports()).unwrap();
    let text = fs::read_to_string(home.journal()).unwrap();
    let lines: Vec<_> = text.lines().take(3).collect();
    // This is the state after a crash before the end of the job.
    fs::write(home.journal(), lines.join("\n") + "\n").unwrap();
    for _ in 0..2 {
        let ended = outcomes(home.batch(&sqlflow), submissions(&sqlflow, 1)).await;
        assert_eq!(one(&ended).error().unwrap().kind(), ErrorKind::JobNotFound);
    }
    assert!(emulator.jobs().is_empty());
    let ended = outcomes(home.batch(&sqlflow).retry_failed(true), submissions(&sqlflow, 1)).await;
    assert_ne!(one(&ended).job_id(), one(&first).job_id());
    assert_exported(&sqlflow, &home, &ended).await;
}

#[tokio::test]
async fn a_submission_of_an_earlier_run_is_finished_even_if_it_is_not_passed_again() {
    let (sqlflow, emulator) = configured(|builder| builder.time_in_process(Duration::from_millis(300))).await;
    let home = BatchDirectory::new();
    let mut run = home.batch(&sqlflow).run(submissions(&sqlflow, 3));
    let submitted = async {
        while home.journal().metadata().is_err() || home.noted("submitted") < 3 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        outcome = run.try_next() => panic!("{outcome:?} ended too early"),
        () = submitted => {}
    }
    drop(run);
    let ended = outcomes(home.batch(&sqlflow), [("piece-1", submit(&sqlflow, 1))]).await;
    assert_eq!(ended.keys().collect::<Vec<_>>(), ["piece-0", "piece-1", "piece-2"]);
    assert_exported(&sqlflow, &home, &ended).await;
    assert_one_job_each(&emulator, 3);
}

#[tokio::test]
async fn a_submission_with_an_unknown_outcome_is_looked_for_by_its_name() {
    let (sqlflow, emulator) = sqlflow().await;
    let home = BatchDirectory::new();
    outcomes(sqlflow.batch(home.journal()), submissions(&sqlflow, 2)).await;
    let submitting: Vec<_> = fs::read_to_string(home.journal())
        .unwrap()
        .lines()
        .filter(|line| line.starts_with(r#"{"journal"#) || line.contains("submitting"))
        .map(|line| format!("{line}\n"))
        .collect();
    let never_sent = r#"{"key":"never sent","event":"submitting","name":"never sent 0","at":1}"#;
    let journal = format!("{}{never_sent}\n", submitting.concat());
    fs::write(home.journal(), &journal).unwrap();
    // One is submitted again, one is not, and one run was killed before it was sent.
    let ended = outcomes(home.batch(&sqlflow), submissions(&sqlflow, 1)).await;
    assert!(ended["piece-0"].is_done() && ended["piece-1"].is_done(), "{ended:?}");
    let error = ended["never sent"].error().unwrap();
    assert!(error.to_string().contains("give its submission"), "{error}");
    assert_eq!(emulator.jobs().len(), 2);
    let ended = outcomes(home.batch(&sqlflow), [("never sent", submit(&sqlflow, 7))]).await;
    assert_eq!(one(&ended).name(), Some("never sent 0"));
    assert_one_job_each(&emulator, 3);
    assert_eq!(emulator.jobs()[2].name, "never sent 0");
}

#[tokio::test]
async fn an_invalid_submission_fails_alone_and_is_retried_by_the_next_run() {
    let (sqlflow, emulator) = sqlflow().await;
    let home = BatchDirectory::new();
    let missing = home.0.path().join("later.sql");
    let given = || {
        let wrong = sqlflow.submit(Vendor::PostgreSql).file(&missing);
        submissions(&sqlflow, 2).chain([("wrong".to_owned(), wrong)]).collect::<Vec<_>>()
    };
    let ended = outcomes(home.batch(&sqlflow), given()).await;
    assert_eq!(ended["wrong"].error().unwrap().kind(), ErrorKind::Io);
    assert_eq!((ended["wrong"].is_done(), ended["piece-1"].is_done()), (false, true));
    assert_eq!(home.noted("refused"), 1);
    fs::write(&missing, sql(9)).unwrap();
    let ended = outcomes(home.batch(&sqlflow), given()).await;
    assert!(ended["wrong"].is_done());
    assert_one_job_each(&emulator, 3);
}

#[tokio::test]
async fn a_duplicate_key_is_submitted_once() {
    let (sqlflow, emulator) = sqlflow().await;
    let home = BatchDirectory::new();
    let mut run = home.batch(&sqlflow).run(vec![("a", submit(&sqlflow, 1)), ("a", submit(&sqlflow, 2))]);
    let mut ended = Vec::new();
    while let Some(outcome) = run.try_next().await.unwrap() {
        ended.push(outcome.error().map(sqlflow_client::Error::kind));
    }
    ended.sort_by_key(Option::is_some);
    assert_eq!(ended, [None, Some(ErrorKind::InvalidInput)]);
    assert_eq!(emulator.jobs().len(), 1);
}

#[tokio::test]
async fn keys_of_any_kind_name_files_inside_the_directory() {
    let (sqlflow, _emulator) = sqlflow().await;
    let home = BatchDirectory::new();
    let long = "x".repeat(300);
    let keys = ["../up", "a/b", ".hidden", "ünï", "a b", "x.full", "x", "%2e", "con:1", "nul", "x.", &long];
    let given: Vec<_> =
        keys.iter().enumerate().map(|(number, key)| ((*key).to_owned(), submit(&sqlflow, number))).collect();
    let batch = sqlflow
        .batch(home.journal())
        .export(ExportFormat::Json, home.exports())
        .export(ExportFormat::FullJson, home.exports());
    let ended = outcomes(batch, given).await;
    let files: HashSet<_> = ended.values().flat_map(BatchOutcome::files).collect();
    assert_eq!(files.len(), 2 * keys.len());
    assert_eq!(fs::read_dir(home.exports()).unwrap().count(), 2 * keys.len());
    assert!(files.iter().all(|file| file.parent() == Some(&home.exports())), "{files:?}");
    let bad = vec![(String::new(), submit(&sqlflow, 0))];
    for outcome in outcomes(home.batch(&sqlflow), bad).await.values().filter(|outcome| !outcome.is_done()) {
        assert_eq!(outcome.error().unwrap().kind(), ErrorKind::InvalidInput);
    }
}

#[tokio::test]
async fn keys_that_differ_only_in_case_have_files_that_differ_in_more() {
    let (sqlflow, _emulator) = sqlflow().await;
    let home = BatchDirectory::new();
    let keys = ["orders", "Orders", "ORDERS"];
    let given: Vec<_> = keys.iter().enumerate().map(|(number, key)| (*key, submit(&sqlflow, number))).collect();
    let ended = outcomes(home.batch(&sqlflow), given).await;
    let name = |file: &PathBuf| file.file_name().unwrap().to_str().unwrap().to_lowercase();
    let folded: HashSet<_> = ended.values().flat_map(BatchOutcome::files).map(name).collect();
    assert_eq!(folded.len(), 2 * keys.len(), "{folded:?}");
    for (number, key) in keys.iter().enumerate() {
        let csv = fs::read_to_string(&ended[*key].files()[0]).unwrap();
        assert!(csv.to_lowercase().contains(&format!("v{number}")), "{key}: {csv}");
    }
}

#[tokio::test]
async fn the_file_of_a_path_is_readable_and_found_again_whatever_the_other_keys_are() {
    let (sqlflow, emulator) = sqlflow().await;
    let home = BatchDirectory::new();
    let given = |keys: &[&'static str]| {
        keys.iter().enumerate().map(|(number, key)| (*key, submit(&sqlflow, number))).collect::<Vec<_>>()
    };
    let first = outcomes(home.batch(&sqlflow), given(&["/srv/ann/etl/orders.sql"])).await;
    let files = one(&first).files();
    let name = files[0].file_name().unwrap().to_str().unwrap();
    assert!(
        name.starts_with("srv_ann_etl_orders.sql-") && name.rsplit_once('.').is_some_and(|(_, end)| end == "csv"),
        "{name}"
    );
    let requests = emulator.requests().len();
    let again = outcomes(home.batch(&sqlflow), given(&["/srv/ann/etl/orders.sql"])).await;
    assert!(one(&again).was_done_before());
    assert_eq!((one(&again).files(), emulator.requests().len()), (files, requests));
    let more = outcomes(home.batch(&sqlflow), given(&["/srv/ann/etl/orders.sql", "/srv/ann/ETL/orders.sql"])).await;
    assert_eq!(more["/srv/ann/etl/orders.sql"].files(), files);
    assert!(more["/srv/ann/etl/orders.sql"].was_done_before() && more["/srv/ann/ETL/orders.sql"].is_done());
}

#[cfg(unix)]
#[tokio::test]
async fn a_pipe_or_a_device_is_no_journal_and_a_new_journal_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let (sqlflow, emulator) = sqlflow().await;
    let home = BatchDirectory::new();
    let pipe = home.0.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for (path, named) in [(pipe, "a pipe"), ("/dev/null".into(), "a device")] {
        let error = sqlflow.batch(&path).run(submissions(&sqlflow, 1)).try_next().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(named), "{error}");
    }
    assert!(emulator.requests().is_empty());
    outcomes(home.batch(&sqlflow), submissions(&sqlflow, 1)).await;
    assert_eq!(fs::metadata(home.journal()).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn no_secret_reaches_the_journal() {
    const KEY: &str = "k3y-of-the-kingdom";
    const PASSWORD: &str = "pa55word-of-the-database";
    let (_, emulator) = configured(|builder| builder.account("ann", KEY)).await;
    let sqlflow = client_of(&emulator, Credentials::secret_key("ann", KEY));
    let home = BatchDirectory::new();
    let submit = || sqlflow.submit(Vendor::PostgreSql).database(Database::new("db").password(PASSWORD));
    let with_password = |sql: String| submit().sql("a.sql", sql);
    // A failure repeats the name of its file, which is the password here.
    let telling = submit().name("telling").sql(PASSWORD, FAILING);
    let given = vec![("good", with_password(sql(1))), ("bad", with_password(FAILING.into())), ("telling", telling)];
    let ended = outcomes(home.batch(&sqlflow), given).await;
    assert!(ended["good"].is_done() && !ended["telling"].is_done());
    let journal = fs::read_to_string(home.journal()).unwrap();
    assert!(journal.contains("ann") && journal.contains("failed"), "{journal}");
    for secret in [KEY, PASSWORD, "eyJ", "create view"] {
        assert!(!journal.contains(secret), "{journal}");
    }
}

#[tokio::test]
async fn a_batch_waits_for_a_server_that_is_down_for_a_while() {
    let (_, emulator) = sqlflow().await;
    let port = emulator.addr().port();
    let sqlflow = client_of(&emulator, Credentials::on_premise());
    emulator.shutdown().await;
    let home = BatchDirectory::new();
    let later = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let quick = Emulator::builder().port(port).time_in_create(Duration::ZERO).time_in_process(Duration::ZERO);
        quick.start().await.unwrap()
    };
    let batch = home.batch(&sqlflow).max_outage(Duration::from_secs(30));
    let (ended, emulator) = tokio::join!(outcomes(batch, submissions(&sqlflow, 3)), later);
    assert_exported(&sqlflow, &home, &ended).await;
    assert_one_job_each(&emulator, 3);
}

#[tokio::test]
async fn a_server_that_stays_down_ends_the_run_after_the_maximum_outage_and_loses_no_job() {
    let (_, emulator) = sqlflow().await;
    let sqlflow = client_of(&emulator, Credentials::on_premise());
    emulator.shutdown().await;
    let home = BatchDirectory::new();
    let ended = outcomes(home.batch(&sqlflow).max_outage(Duration::ZERO), submissions(&sqlflow, 3)).await;
    assert_eq!(ended.len(), 3);
    assert!(ended.values().all(|outcome| outcome.error().unwrap().kind() == ErrorKind::Connect), "{ended:?}");
    assert_eq!(home.noted("refused"), 3);
}

/// Forwards connections to the emulator, and withholds the response to the first submission.
async fn server_without_first_response(emulator: &Emulator, then_closes: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = emulator.addr();
    let was_submitted = Arc::new(AtomicBool::new(false));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = TcpStream::connect(server).await.unwrap().into_split();
            let is_kept_back = Arc::new(AtomicBool::new(false));
            let (was_submitted, keeps_back) = (Arc::clone(&was_submitted), Arc::clone(&is_kept_back));
            tokio::spawn(async move {
                let mut bytes = vec![0; 1 << 16];
                while let Ok(length @ 1..) = from_client.read(&mut bytes).await {
                    let submits = bytes[..length].windows(13).any(|window| window == b"submitUserJob");
                    if submits && !was_submitted.swap(true, Ordering::SeqCst) {
                        keeps_back.store(true, Ordering::SeqCst);
                    }
                    to_server.write_all(&bytes[..length]).await.unwrap();
                }
            });
            tokio::spawn(async move {
                let mut bytes = vec![0; 1 << 16];
                while let Ok(length @ 1..) = from_server.read(&mut bytes).await {
                    match (is_kept_back.load(Ordering::SeqCst), then_closes) {
                        (false, _) => to_client.write_all(&bytes[..length]).await.unwrap(),
                        (true, true) => return,
                        (true, false) => {}
                    }
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn a_submission_whose_response_was_lost_makes_one_job() {
    for then_closes in [true, false] {
        let (_, emulator) = sqlflow().await;
        let sqlflow = Client::builder(server_without_first_response(&emulator, then_closes).await)
            .polling(Polling::every(Duration::from_millis(5)))
            .settling(Settling::new().window(Duration::from_millis(800)).max_lookups(3))
            .response_timeout(Duration::from_millis(500))
            .build()
            .unwrap();
        let home = BatchDirectory::new();
        let ended = outcomes(home.batch(&sqlflow), submissions(&sqlflow, 2)).await;
        assert_exported(&sqlflow, &home, &ended).await;
        assert_one_job_each(&emulator, 2);
    }
}

#[tokio::test]
async fn a_run_whose_journal_cannot_be_written_ends_before_anything_is_submitted() {
    let (sqlflow, emulator) = sqlflow().await;
    let home = BatchDirectory::new();
    let error = |batch: Batch| {
        let given = submissions(&sqlflow, 1);
        async move {
            let mut run = batch.run(given);
            let error = run.try_next().await.unwrap_err();
            assert!(run.try_next().await.unwrap().is_none(), "an error is the end");
            error
        }
    };
    assert_eq!(error(sqlflow.batch(home.0.path())).await.kind(), ErrorKind::Io);
    assert_eq!(error(home.batch(&sqlflow).max_in_flight(0)).await.kind(), ErrorKind::InvalidInput);
    fs::write(home.0.path().join("file"), "").unwrap();
    let in_file = home.0.path().join("file/exports");
    assert_eq!(error(home.batch(&sqlflow).export(ExportFormat::Csv, in_file)).await.kind(), ErrorKind::Io);
    let mut other = home.batch(&sqlflow).run(submissions(&sqlflow, 0));
    other.try_next().await.unwrap();
    fs::write(home.journal(), "select 1").unwrap();
    assert_eq!(error(home.batch(&sqlflow)).await.kind(), ErrorKind::InvalidInput);
    assert!(emulator.requests().is_empty());
}

#[tokio::test]
async fn only_one_run_at_a_time_can_use_the_journal() {
    let (sqlflow, emulator) = sqlflow().await;
    let home = BatchDirectory::new();
    let mut one = home.batch(&sqlflow).max_in_flight(1).run(submissions(&sqlflow, 3));
    one.try_next().await.unwrap();
    let mut other = home.batch(&sqlflow).run(submissions(&sqlflow, 3));
    let error = other.try_next().await.unwrap_err();
    assert!(error.kind() == ErrorKind::Io && error.to_string().contains("in use"), "{error}");
    while one.try_next().await.unwrap().is_some() {}
    // The end of the run unlocks the journal, although the file still exists.
    outcomes(home.batch(&sqlflow), submissions(&sqlflow, 3)).await;
    assert_one_job_each(&emulator, 3);
}

#[tokio::test]
async fn a_submission_for_another_server_is_refused() {
    let (sqlflow, emulator) = sqlflow().await;
    let (elsewhere, other) = configured(|builder| builder).await;
    let home = BatchDirectory::new();
    let ended = outcomes(home.batch(&sqlflow), [("a", submit(&elsewhere, 1))]).await;
    assert_eq!(one(&ended).error().unwrap().kind(), ErrorKind::InvalidInput);
    assert!(emulator.jobs().is_empty() && other.jobs().is_empty());
}

#[tokio::test]
async fn a_run_can_be_moved_to_another_task() {
    fn moves<T: Send + Sync + 'static>(_: &T) {}
    let (sqlflow, _emulator) = sqlflow().await;
    let run = sqlflow.batch(Path::new("never.opened")).run(submissions(&sqlflow, 1));
    moves(&run);
    drop(run);
    assert!(!Path::new("never.opened").exists(), "nothing happens until it is polled");
}
