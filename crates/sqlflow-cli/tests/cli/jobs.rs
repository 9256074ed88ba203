//! `submit`, `wait`, `watch`, `jobs`, `job` and `schedule`.

use std::time::Duration;

use sqlflow_client::emulator::Emulator;

use wiremock::matchers::{any, path_regex};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::environment::program;
use crate::server::{Server, sql};

#[test]
fn a_submitted_job_is_waited_for_by_its_id() {
    let server = Server::start();
    let job = server.finished_job();
    let waited = server.run(&format!("wait {job}"));
    assert_eq!((waited.code, waited.stdout), (0, format!("{job}  success\n")));
    let watched = server.run(&format!("watch {job}"));
    assert!(watched.code == 0 && watched.stdout.starts_with(&format!("{job}  success")), "{watched:?}");
}

#[test]
fn many_jobs_are_watched_at_once() {
    let server = Server::of(Emulator::builder().time_in_process(Duration::from_millis(200)));
    let jobs: Vec<String> =
        (0..6).map(|_| server.run(&format!("submit --vendor postgresql {}", sql())).stdout.trim().to_owned()).collect();
    let ran = server.run(&format!("watch --jsonl {}", jobs.join(" ")));
    assert_eq!(ran.code, 0, "{ran:?}");
    let changes: Vec<serde_json::Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for job in &jobs {
        let last = changes.iter().rfind(|change| change["job"] == job.as_str()).unwrap();
        assert_eq!((&last["status"], &last["ended"]), (&"success".into(), &true.into()), "{ran:?}");
    }
}

#[test]
fn a_wait_for_several_jobs_fails_if_one_fails() {
    let server = Server::start();
    let good = server.finished_job();
    let ran = server.run(&format!("wait {good} 00000000000000000000000000000000"));
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stdout.contains(&format!("{good}  success")), "{ran:?}");
    assert!(ran.stderr.contains("00000000000000000000000000000000"), "{ran:?}");
}

#[test]
fn jobs_are_listed_filtered_and_sorted() {
    let server = Server::start();
    for name in ["nightly-b", "nightly-a", "other"] {
        assert_eq!(server.run(&format!("submit --vendor postgresql --name {name} {}", sql())).code, 0);
    }
    let names = |arguments: &str| -> Vec<String> {
        let jobs = server.run(&format!("jobs --json {arguments}")).value();
        let names = jobs["jobs"].as_array().unwrap().iter();
        names.map(|job| job["name"].as_str().unwrap().rsplit_once('-').unwrap().0.to_owned()).collect()
    };
    assert_eq!(names("--name nightly* --sort name"), ["nightly-a", "nightly-b"]);
    assert_eq!(names("--name nightly* --sort name --reverse"), ["nightly-b", "nightly-a"]);
    assert_eq!(names("--sort name --limit 1"), ["nightly-a"]);
    assert_eq!(names("--vendor oracle").len(), 0);
    assert_eq!(names("--older-than 3650d").len(), 0);
    assert_eq!(names("--newer-than 3650d").len(), 3);
    let ids = server.run("jobs --quiet");
    assert_eq!(ids.stdout.lines().count(), 3);
    assert!(ids.stdout.lines().all(|line| !line.contains(' ')), "{ids:?}");
    let table = server.run("jobs");
    assert!(table.stdout.starts_with("JOB"), "{table:?}");
}

#[test]
fn jobs_are_deleted_only_after_a_confirmation() {
    let server = Server::start();
    let job = server.finished_job();
    let refused = server.run("job delete --status success");
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("--yes"), "{refused:?}");
    let planned = server.run("job delete --status success --dry-run");
    assert_eq!(planned.stdout, format!("{job}  would delete\n"));
    assert_eq!(server.run("jobs --quiet").stdout.trim(), job);
    let deleted = server.run("job delete --status success --yes");
    assert_eq!((deleted.code, deleted.stdout), (0, format!("{job}  deleted\n")));
    assert_eq!(server.run("jobs --quiet").stdout, "");
    let gone = server.run(&format!("job show {job}"));
    assert_eq!(gone.code, 1, "{gone:?}");
}

#[test]
fn jobs_are_shown_rerun_and_put_on_top() {
    let server = Server::start();
    let job = server.finished_job();
    let shown = server.run(&format!("job show {job}"));
    assert!(shown.stdout.contains("vendor          postgresql"), "{shown:?}");
    assert_eq!(server.run(&format!("job rerun {job}")).stdout, format!("{job}  started again\n"));
    assert_eq!(server.run(&format!("job top {job}")).stdout, format!("{job}  on top\n"));
    assert_eq!(server.run(&format!("job show {job} --json")).value()["jobs"][0]["on_top"], true);
    assert_eq!(server.run(&format!("job top --off {job} --quiet")).stdout, format!("{job}\n"));
}

#[test]
fn jobs_that_cannot_be_read_are_counted_and_an_error() {
    let server = Server::with_fault("unreadable-job,on=displayUserJobsSummary");
    let submitted = server.run(&format!("submit --vendor postgresql {}", sql()));
    assert_eq!(submitted.code, 0, "{submitted:?}");
    let listed = server.run("jobs --json");
    assert_eq!((listed.code, &listed.value()["unread"]), (1, &1.into()), "{listed:?}");
    assert_eq!(server.run("job delete --name * --yes").code, 1);
}

#[test]
fn options_that_a_persistent_job_does_not_have_are_refused() {
    let server = Server::start();
    let refused = server.run(&format!("submit --vendor postgresql --persist --relation-types fdr {}", sql()));
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("--relation-types"), "{refused:?}");
    assert!(server.emulator.jobs().is_empty());
}

#[test]
fn one_job_that_is_gone_does_not_hide_the_others() {
    let server = Server::start();
    let job = server.finished_job();
    let shown = server.run(&format!("job show {job} 0 --json"));
    assert_eq!((shown.code, &shown.value()["jobs"][0]["job"]), (1, &job.as_str().into()), "{shown:?}");
    assert_eq!(server.run(&format!("wait --quiet {job}")).stdout, format!("{job}\n"));
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let server = Server::start();
    let file = server.file("load.sql", "insert into t (a) select b from s;");
    let mut command = server.command(&format!("submit --vendor postgresql {file}"));
    let submitted = command.args(["--name", "a\u{1b}]0;b\u{7}"]).output().unwrap();
    if submitted.status.success() {
        let listed = server.run("jobs");
        assert!(!listed.stdout.contains(['\u{1b}', '\u{7}']), "{listed:?}");
    }
    let bad = server.file("bad.sql", "selekt '\u{1b}[31m';");
    let checked = server.run(&format!("check --vendor postgresql {bad}"));
    assert!(checked.code == 8 && !checked.stdout.contains('\u{1b}'), "{checked:?}");
}

#[test]
fn schedules_are_listed_paused_resumed_and_changed() {
    let server = Server::start();
    let submitted = server
        .command(&format!("submit --vendor postgresql {}", sql()))
        .args(["--cron", "0 0 3 * * ?"])
        .output()
        .unwrap();
    let job = String::from_utf8(submitted.stdout).unwrap().trim().to_owned();
    assert_eq!(server.run("schedule list --quiet").stdout.trim(), job);
    assert_eq!(server.run(&format!("schedule pause {job}")).stdout, format!("{job}  paused\n"));
    assert_eq!(server.run(&format!("schedule resume {job}")).stdout, format!("{job}  resumed\n"));
    assert_eq!(server.run(&format!("schedule set {job} @daily")).stdout, format!("{job}  scheduled\n"));
    let refused = server.run(&format!("schedule set {job} nonsense"));
    assert_eq!(refused.code, 2, "{refused:?}");
}

#[test]
fn a_lost_response_makes_one_job() {
    let server = Server::with_fault("lose-response,on=submitUserJob,times=1");
    let submitted = server.run(&format!("submit --vendor postgresql {}", sql()));
    assert_eq!(submitted.code, 0, "{submitted:?}");
    assert_eq!(server.emulator.jobs().len(), 1);
}

#[test]
fn every_option_of_a_job_reaches_the_server() {
    let home = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mock = runtime.block_on(async {
        let mock = MockServer::start().await;
        let answer = |body| ResponseTemplate::new(200).set_body_raw(body, "application/json");
        let job = answer(r#"{"code": 200, "data": {"jobId": "42", "status": "create"}}"#);
        Mock::given(path_regex("submitUserJob$")).respond_with(job).mount(&mock).await;
        Mock::given(any()).respond_with(answer(r#"{"code": 200, "token": "t"}"#)).mount(&mock).await;
        mock
    });
    let password = home.path().join("password");
    std::fs::write(&password, "tiger\n").unwrap();
    let flags = "--name nightly --exact-name --relation-types fdd,join --default-database ORCL \
                 --default-schema SCOTT --ignore-functions --ignore-record-sets --show-constants --show-transforms \
                 --count-is-direct --no-parallel --on-top --sql-source dbt --db-host db.example.com --db-port 1521 \
                 --db-account scott --db-name ORCL --db-extract SALES/ORDERS --db-exclude SYS --db-views V \
                 --db-procedures P --csv-columns 1,2,3,4,5,0 --csv-enclosing | --csv-escape ^";
    let output = program(home.path())
        .args(["submit", "--vendor", "oracle", &sql(), "--server", &mock.uri(), "--db-password-file"])
        .arg(&password)
        .args(flags.split_whitespace())
        .output()
        .unwrap();
    assert_eq!((output.status.code(), output.stdout), (Some(0), b"42\n".to_vec()), "{:?}", output.stderr);
    let requests = runtime.block_on(mock.received_requests()).unwrap();
    let request = requests.iter().find(|request| request.url.path().ends_with("submitUserJob")).unwrap();
    let body = String::from_utf8_lossy(&request.body);
    for (name, value) in [
        ("jobName", "nightly"),
        ("dbvendor", "dbvoracle"),
        ("showRelationType", "fdd,join"),
        ("defaultDatabase", "ORCL"),
        ("defaultSchema", "SCOTT"),
        ("ignoreFunction", "true"),
        ("ignoreRecordSet", "true"),
        ("showConstantTable", "true"),
        ("showTransform", "true"),
        ("treatArgumentsInCountFunctionAsDirectDataflow", "true"),
        ("parallel", "false"),
        ("onTop", "true"),
        ("sqlsource", "dbt"),
        ("hostname", "db.example.com"),
        ("port", "1521"),
        ("account", "scott"),
        ("password", "tiger"),
        ("database", "ORCL"),
        ("extractedDbsSchemas", "SALES/ORDERS"),
        ("excludedDbsSchemas", "SYS"),
        ("extractedViews", "V"),
        ("extractedStoredProcedures", "P"),
        ("csvFormat", "1,2,3,4,5,0"),
        ("objectCodeEncloseChar", "|"),
        ("objectCodeEscapeChar", "^"),
    ] {
        let part = format!("name=\"{name}\"\r\n\r\n{value}\r\n");
        assert!(body.contains(&part), "{name}: {body}");
    }
}
