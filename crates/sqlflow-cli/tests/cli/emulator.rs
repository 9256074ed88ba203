//! `sqlflow emulator`: the server, its faults, and its end.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use sqlflow_client::Client;
use sqlflow_client::emulator::Fault;

use crate::environment::Home;

/// A server that is killed at the end of a test.
struct Server {
    process: Child,
    first_line: String,
}

impl Server {
    fn start(home: &Home, arguments: &[&str]) -> Self {
        let mut command = home.command([&["emulator", "--quiet"], arguments].concat());
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut first_line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut first_line).unwrap();
        Self { process, first_line: first_line.trim_end().to_owned() }
    }

    fn client(&self) -> Client {
        Client::builder(&self.first_line).without_proxy().without_retries().build().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn the_first_line_is_the_address_alone() {
    let home = Home::new();
    let server = Server::start(&home, &[]);
    assert!(server.first_line.starts_with("http://127.0.0.1:"), "{}", server.first_line);
    assert!(server.client().jobs().await.unwrap().jobs.is_empty());
    let server = Server::start(&home, &["--json"]);
    let ended = crate::environment::Ended { code: -1, stdout: server.first_line.clone(), stderr: String::new() };
    assert!(ended.json("emulator")["url"].as_str().unwrap().starts_with("http://127.0.0.1:"));
}

#[cfg(unix)]
#[test]
fn it_ends_cleanly_when_it_is_stopped() {
    let home = Home::new();
    for signal in ["-INT", "-TERM"] {
        let mut server = Server::start(&home, &["--gzip", "--lag", "1s", "--max-job-name-length", "20"]);
        let sent = std::process::Command::new("kill").args([signal, &server.process.id().to_string()]).status();
        assert!(sent.unwrap().success());
        assert_eq!(server.process.wait().unwrap().code(), Some(0), "{signal}");
    }
}

#[test]
fn two_emulators_on_one_port_are_an_error() {
    let home = Home::new();
    let server = Server::start(&home, &[]);
    let port = server.first_line.rsplit_once(':').unwrap().1;
    let second = home.run(&["emulator", "--port", port]).with_code(1);
    assert!(second.stdout.is_empty());
    second.says(&format!("error: port {port} is in use")).says("help: ");
}

#[tokio::test]
async fn it_fails_on_demand() {
    let home = Home::new();
    let server = Server::start(&home, &["--fault", "502,on=displayUserJobsSummary,times=1"]);
    assert_eq!(server.client().jobs().await.unwrap_err().status(), Some(502));
    assert!(server.client().jobs().await.is_ok());
}

#[test]
fn a_fault_that_does_not_exist_is_refused_with_those_that_do() {
    let refused = Home::new().run(&["emulator", "--fault", "explode"]).with_code(2);
    refused.says("--fault <FAULT>").says("'explode' is not a fault").says("unreadable-job");
    Home::new().run(&["emulator", "--user", "ann"]).with_code(2).says("--secret-key-file");
    let missing = Home::new().run(&["emulator", "--user", "ann", "--secret-key-file", "none"]);
    missing.with_code(5).says("the file none: ");
}

#[test]
fn all_faults_and_conditions_are_listed() {
    let home = Home::new();
    let table = home.run(&["emulator", "--list-faults"]).with_code(0);
    let table =
        table.prints("NAME            EXAMPLE").prints("unreadable-job  unreadable-job").prints("on=submitUserJob");
    let listed = home.run(&["emulator", "--list-faults", "--json"]).with_code(0).json("faults");
    let listed = listed["faults"].as_array().unwrap();
    assert_eq!(listed.len(), Fault::kinds().len() + Fault::conditions().len());
    for fault in listed {
        let (kind, example) = (fault["kind"].as_str().unwrap(), fault["example"].as_str().unwrap());
        let text = if kind == "fault" { example.to_owned() } else { format!("close,{example}") };
        assert!(text.parse::<Fault>().is_ok() && table.stdout.contains(example), "{text}");
    }
    let lines = home.run(&["emulator", "--list-faults", "--jsonl"]).with_code(0).json_lines("faults", Some("fault"));
    assert_eq!(&lines, listed);
}
