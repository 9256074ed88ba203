//! A test for each exit code.

use std::time::Duration;

use sqlflow_client::emulator::Emulator;

use crate::environment::{Ended, program};
use crate::server::{Server, sql};

#[test]
fn an_error_of_the_server_is_1() {
    let server = Server::with_fault("400,on=submitUserJob");
    let ran = server.run(&format!("submit --vendor oracle {}", sql()));
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.starts_with("error: "), "{ran:?}");
}

#[test]
fn wrong_arguments_are_2_with_a_suggestion() {
    let server = Server::start();
    for (arguments, part) in [
        ("lineage --vendor orcale x.sql", "did you mean 'oracle'"),
        ("lineage --vendr oracle x.sql", "'--vendor'"),
        ("lineag x.sql", "'lineage'"),
        ("lineage --vendor oracle x.sql --format bogus", "graphml"),
        ("lineage --vendor oracle x.sql --relation-types bogus", "no relation type 'bogus'"),
        ("lineage --vendor oracle missing.sql", "missing.sql: No such file"),
        ("lineage x.sql", "dialect"),
        ("lineage --vendor oracle", "no SQL to submit"),
        ("lineage --vendor oracle x.sql --depth 2", "--upstream"),
        ("lineage --vendor oracle x.sql --json --format dot", "--json"),
        ("jobs --status done", "use create, process"),
        ("jobs --older-than soon", "7d"),
        ("job delete", "no job is given"),
        ("job delete 1 --status fail", "cannot be used together"),
        ("wait", "JOB"),
    ] {
        let mut command = program(server.home.path());
        command.current_dir(server.home.path()).args(arguments.split_whitespace());
        std::fs::write(server.home.path().join("x.sql"), "select 1").unwrap();
        if !arguments.contains("lineag ") {
            command.env("SQLFLOW_URL", server.emulator.url());
        }
        let ran = Ended::of(command.output().unwrap());
        assert_eq!(ran.code, 2, "{arguments}: {ran:?}");
        assert!(ran.stderr.contains(part), "{arguments}: {ran:?}");
        assert_eq!(ran.stdout, "", "{arguments}");
    }
    assert!(server.emulator.jobs().is_empty());
}

#[test]
fn no_server_is_2_with_all_ways_to_name_one() {
    let server = Server::start();
    let ran = Ended::of(program(server.home.path()).args(["jobs"]).output().unwrap());
    assert_eq!(ran.code, 2, "{ran:?}");
    for way in ["--server", "SQLFLOW_URL", "--profile", "--emulator"] {
        assert!(ran.stderr.contains(way), "{ran:?}");
    }
}

#[test]
fn a_job_that_fails_is_3() {
    let server = Server::start();
    let file = server.file("empty.sql", "-- nothing but a comment");
    let broken = server.file("broken.sql", "selekt a fro b;");
    let codes = [&file, &broken].map(|file| server.run(&format!("lineage --vendor postgresql {file}")).code);
    assert!(codes.contains(&3), "{codes:?}");
    assert_eq!(server.run(&format!("analyze --vendor postgresql {broken}")).code, 3);
}

#[test]
fn a_job_that_still_runs_is_4_and_its_id_is_printed() {
    let server = Server::of(Emulator::builder().time_in_process(Duration::from_secs(3600)));
    let ran = server.run(&format!("lineage --vendor postgresql {} --timeout 1", sql()));
    assert_eq!(ran.code, 4, "{ran:?}");
    let id = server.run("jobs --quiet").stdout.trim().to_owned();
    assert!(ran.stderr.contains(&format!("sqlflow wait {id}")), "{ran:?}");
    let waited = server.run(&format!("wait {id} --timeout 1"));
    assert_eq!((waited.code, waited.stdout), (4, format!("{id}  process\n")));
    let exported = server.run(&format!("export {id}"));
    assert_eq!(exported.code, 4, "{exported:?}");
}

#[test]
fn credentials_that_are_refused_or_missing_are_5() {
    let server = Server::of(Emulator::builder().account("ann", "right"));
    let key = server.file("key", "wrong\n");
    let refused = server.run(&format!("jobs --user-id ann --secret-key-file {key}"));
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(!refused.stderr.contains("wrong"), "{refused:?}");
    let missing = server.run("jobs --user-id ann");
    assert_eq!(missing.code, 5, "{missing:?}");
    assert!(missing.stderr.contains("SQLFLOW_SECRET_KEY"), "{missing:?}");
    let key = server.file("key", "right\n");
    assert_eq!(server.run(&format!("jobs --user-id ann --secret-key-file {key}")).code, 0);
}

#[test]
fn a_server_that_cannot_be_reached_is_6() {
    let server = Server::start();
    // The port is free again when the listener is dropped.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ran = Ended::of(program(server.home.path()).args(["jobs", "--server", &address.to_string()]).output().unwrap());
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(ran.stderr.contains("sqlflow doctor"), "{ran:?}");
}

#[test]
fn a_result_that_is_not_whole_is_7_under_strict_only() {
    let server = Server::start();
    let file = server.file("half.sql", "insert into t (a) select b from s;\nselekt broken;\n");
    let loose = server.run(&format!("lineage --vendor postgresql {file}"));
    assert_eq!(loose.code, 0, "{loose:?}");
    assert!(loose.stderr.contains("warning: "), "{loose:?}");
    for format in ["", "--json", "--format json", "--format table", "--upstream t.a"] {
        let strict = server.run(&format!("lineage --vendor postgresql {file} --strict {format}"));
        assert_eq!(strict.code, 7, "{format}: {strict:?}");
        assert_ne!(strict.stdout, "", "{format}: the result is printed nevertheless");
    }
}

#[test]
fn errors_in_sql_are_8() {
    let server = Server::start();
    let file = server.file("bad.sql", "selekt 1;");
    assert_eq!(server.run(&format!("check --vendor postgresql {file}")).code, 8);
}

/// Starts a command that waits for a job, sends it a signal, and returns its end and the id of the job.
#[cfg(unix)]
fn signalled(signal: &str) -> (Ended, String) {
    let server = Server::of(Emulator::builder().time_in_process(Duration::from_secs(3600)));
    let mut command = server.command(&format!("lineage --vendor postgresql {}", sql()));
    let child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    // The job exists once its state is asked for.
    let is_polled =
        || server.emulator.requests().iter().any(|request| request.operation == Some("displayUserJobSummary"));
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while !is_polled() && std::time::Instant::now() < deadline {
        std::thread::yield_now();
    }
    let id = server.emulator.jobs()[0].id.clone();
    let killed = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    (Ended::of(child.wait_with_output().unwrap()), id)
}

#[cfg(unix)]
#[test]
fn signals_are_130_and_143_and_the_message_says_how_to_resume() {
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let (ended, id) = signalled(signal);
        assert_eq!(ended.code, code, "{ended:?}");
        assert!(ended.stderr.contains(&format!("sqlflow wait {id}")), "{ended:?}");
    }
}

#[test]
fn an_unknown_state_is_not_invented() {
    let server = Server::with_fault("502");
    let waited = server.run("wait 0 --timeout 1s --json");
    assert_eq!((waited.code, &waited.value()["jobs"][0]["status"]), (4, &serde_json::Value::Null), "{waited:?}");
}
