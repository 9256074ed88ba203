//! `sqlflow doctor`: each failure is found, with what to do about it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;

use serde_json::Value;
use sqlflow_client::emulator::{Emulator, Fault};

use crate::environment::Home;

/// Returns the states of the checks, and their names.
fn states(checks: &Value) -> Vec<(&str, &str)> {
    let checks = checks["checks"].as_array().unwrap();
    checks.iter().map(|check| (check["check"].as_str().unwrap(), check["state"].as_str().unwrap())).collect()
}

fn state<'a>(checks: &'a Value, name: &str) -> &'a str {
    states(checks).into_iter().find(|(check, _)| *check == name).unwrap().1
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_well() {
    let (home, emulator) = (Home::new(), Emulator::builder().account("ann", "hush").start().await.unwrap());
    home.write("key", "hush");
    let url = emulator.url();
    let arguments = ["doctor", "--server", &url, "--user-id", "ann", "--secret-key-file", "key"];
    let text = home.run(&arguments).with_code(0);
    let text = text
        .prints("✓ server         http://127.0.0.1:")
        .prints("user ann (flag --user-id), secret key from the file key");
    let text = text.prints("✓ account        the server accepts the credentials").prints("✓ version        emulator ");
    text.prints("✓ clock          agrees with that of the server").prints("- tls            skipped: ");
    let object = home.run(&[&arguments[..], &["--json"]].concat()).with_code(0).json("doctor");
    assert_eq!(object["ok"], true);
    assert!(states(&object).iter().all(|(check, state)| *state == "ok" || *check == "tls"), "{object:#}");
    let lines = home.run(&[&arguments[..], &["--jsonl"]].concat()).with_code(0).json_lines("doctor", Some("check"));
    assert_eq!(lines.len(), 11);
}

#[test]
fn the_embedded_emulator_is_well() {
    let object = Home::new().run(&["doctor", "--emulator", "--json"]).with_code(0).json("doctor");
    assert_eq!((&object["ok"], state(&object, "account")), (&true.into(), "ok"));
}

#[test]
fn a_port_where_nothing_listens_is_named_and_later_checks_are_skipped() {
    let ended = Home::new().run(&["doctor", "--server", "http://127.0.0.1:9"]).with_code(6);
    let ended = ended.prints("✗ connection     port 9 of 127.0.0.1: ").prints("  help: nothing listens on this port");
    ended.prints("- account        skipped: there is no connection").prints("✓ directory ");
}

#[test]
fn a_name_that_does_not_exist_is_named() {
    let ended = Home::new().run(&["doctor", "--server", "http://nowhere.invalid:8165", "--json"]).with_code(6);
    let object = ended.json("doctor");
    assert_eq!((state(&object, "name"), state(&object, "connection")), ("failed", "skipped"));
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_are_refused_are_named_with_where_they_come_from() {
    let (home, emulator) = (Home::new(), Emulator::builder().account("ann", "hush").start().await.unwrap());
    let url = emulator.url();
    home.write("key", "other");
    let refused = home.run(&["doctor", "--server", &url, "--user-id", "ann", "--secret-key-file", "key"]).with_code(5);
    let refused =
        refused.prints("✗ account ").prints("help: check the user id, from flag --user-id").prints("✓ connection ");
    assert!(!refused.stdout.contains("other"), "{}", refused.stdout);
    let none = home.run(&["doctor", "--server", &url]).with_code(5);
    none.prints("help: this server has accounts: pass --user-id and a secret key");
    let missing = home.run(&["doctor", "--server", &url, "--user-id", "ann"]).with_code(5);
    missing
        .prints("✗ credentials    there is no secret key for the user ann")
        .prints("✓ connection ")
        .prints("✓ clock ");
    let anonymous = home.run(&["doctor", "--server", &url, "--anonymous"]).with_code(0);
    anonymous.prints("- account        skipped: calls without an account");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_speaks_no_tls_is_found() {
    let emulator = Emulator::start().await.unwrap();
    let url = emulator.url().replace("http:", "https:");
    let ended = Home::new().run(&["doctor", "--server", &url]).with_code(6);
    ended.prints("✗ tls ").prints("help: this port speaks no TLS: use http:// in the URL");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_respond_is_found() {
    let emulator = Emulator::builder().fault(Fault::close()).start().await.unwrap();
    let url = emulator.url();
    let ended = Home::new().run(&["doctor", "--server", &url]).with_code(1);
    ended.prints("✗ account ").prints("help: something on the way closes connections");
}

#[test]
fn what_is_wrong_with_the_configuration_comes_first() {
    let home = Home::new();
    let config = home.write("config/sqlflow/config.toml", "[profiles.a]\nsevrer = \"x\"\n");
    let broken = home.run(&["doctor"]).with_code(2);
    broken.prints(&format!("✗ configuration  {}:2:1: unknown field `sevrer`", config.display())).prints("✓ directory ");
    std::fs::remove_file(config).unwrap();
    home.run(&["doctor"]).with_code(2).prints("✗ server         no server is given").prints("help: pass --server URL");
    let odd = home.run(&["doctor", "--server", "ftp://x"]).with_code(2);
    odd.prints("✗ server ").prints("help: correct the value, which comes from: flag --server");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_is_shown_without_its_password_and_is_what_is_connected_to() {
    let (home, emulator) = (Home::new(), Emulator::start().await.unwrap());
    let proxy = emulator.url().replace("http://", "http://ann:tiger@");
    let ended = home.run(&["doctor", "--server", "http://sqlflow.invalid", "--proxy", &proxy]);
    let ended = ended.prints("✓ proxy          http://…@127.0.0.1:").prints("of the proxy in ");
    assert!(!ended.stdout.contains("tiger"));
    let mut command = home.command(["doctor", "--server", "http://sqlflow.invalid"]);
    let ended = crate::environment::ended(command.env("HTTP_PROXY", "http://127.0.0.1:9")).with_code(6);
    ended.prints("✓ proxy          http://127.0.0.1:9 (environment)").prints("✗ connection ");
}

/// Starts a server whose clock is wrong, and returns its URL. It gives every request the same response.
fn server_of_another_time() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let body = r#"{"code":200,"data":{"version":"6.4.1","total":0,"jobDetails":[]}}"#;
    let head =
        "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Type: application/json\r\nConnection: close";
    let response = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = BufReader::new(stream.try_clone().unwrap());
            let mut length = 0;
            loop {
                let mut line = String::new();
                // The check of the connection sends nothing.
                if request.read_line(&mut line).unwrap_or(0) == 0 {
                    break;
                }
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line == "\r\n" {
                    request.read_exact(&mut vec![0; length]).unwrap();
                    stream.write_all(response.as_bytes()).unwrap();
                    break;
                }
            }
        }
    });
    url
}

#[test]
fn a_clock_that_is_wrong_is_a_warning_and_a_version_is_shown() {
    let ended = Home::new().run(&["doctor", "--server", &server_of_another_time()]).with_code(0);
    let ended = ended.prints("✓ version        6.4.1").prints("! clock          the server is ");
    ended.prints("behind this machine").prints("  help: set the clock of this machine or of the server");
}

#[test]
fn marks_are_ascii_where_the_terminal_shows_no_more() {
    let home = Home::new();
    let ended = crate::environment::ended(home.command(["doctor"]).env("LC_ALL", "C")).with_code(2);
    assert!(ended.prints("FAIL server ").stdout.is_ascii());
}
