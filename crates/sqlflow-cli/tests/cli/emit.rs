//! `sqlflow emit`, against a server on this machine that plays the data catalog.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread::JoinHandle;

use serde_json::Value;

use crate::environment::{Ended, ended, program};

/// A job whose id is a UUID writes two tables.
const LINEAGE: &str = r#"{"jobId": "939fdbbaf52b45139b86c0761d6036b0", "code": 200, "data": {"mode": "global",
  "sqlflow": {"dbvendor": "dbvpostgresql", "dbobjs": [
    {"id": "1", "name": "ORDERS", "type": "table", "columns": [{"id": "2", "name": "TOTAL"}]},
    {"id": "3", "name": "REPORT", "type": "table", "columns": [{"id": "4", "name": "TOTAL"}]},
    {"id": "6", "name": "YEARLY", "type": "table", "columns": [{"id": "7", "name": "TOTAL"}]}],
  "relationships": [
    {"id": "5", "type": "fdd", "effectType": "insert", "target": {"id": "4"}, "sources": [{"id": "2"}]},
    {"id": "8", "type": "fdd", "effectType": "insert", "target": {"id": "7"}, "sources": [{"id": "4"}]}]}}}"#;

const KEY: &str = "hush-hush";
const OK: &str = "HTTP/1.1 201 Created\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// A request that the catalog received.
#[derive(Debug)]
struct Received {
    line: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Received {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn event(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn job(&self) -> String {
        self.event()["job"]["name"].as_str().unwrap().to_owned()
    }
}

/// A catalog that gives each request the next of its responses, and then goes away.
struct Catalog {
    url: String,
    thread: JoinHandle<Vec<Received>>,
}

impl Catalog {
    /// An empty response closes the connection instead.
    fn start(responses: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let responses: Vec<String> = responses.iter().map(|response| (*response).to_owned()).collect();
        let thread = std::thread::spawn(move || {
            let mut received = Vec::new();
            for response in responses {
                let (request, mut stream) = next_request(&listener);
                received.push(request);
                stream.write_all(response.as_bytes()).unwrap();
            }
            received
        });
        Self { url, thread }
    }

    fn received(self) -> Vec<Received> {
        self.thread.join().unwrap()
    }
}

/// Accepts connections until one has a request.
fn next_request(listener: &TcpListener) -> (Received, TcpStream) {
    loop {
        let mut reader = BufReader::new(listener.accept().unwrap().0);
        if let Some(request) = read(&mut reader) {
            return (request, reader.into_inner());
        }
    }
}

/// Reads a request; `None` if the client has closed the connection.
fn read(reader: &mut BufReader<TcpStream>) -> Option<Received> {
    let mut line = String::new();
    if reader.read_line(&mut line).unwrap_or(0) == 0 {
        return None;
    }
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let length =
        headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    Some(Received { line: line.trim_end().to_owned(), headers, body: String::from_utf8(body).unwrap() })
}

fn response(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Connection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// A folder with a lineage, from which the program runs.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("lineage.json", LINEAGE);
        folder
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.0.path().join(name), content).unwrap();
    }

    /// Returns the program, without the settings of whoever runs the tests.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program(self.0.path());
        command.current_dir(self.0.path());
        command.args(arguments);
        command
    }

    fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
        let mut command = self.command(&[&["emit"], arguments].concat());
        let run = ended(command.envs(variables.iter().copied()));
        assert!(!run.stdout.contains(KEY) && !run.stderr.contains(KEY), "a secret is shown: {run:#?}");
        run
    }

    fn emit(&self, catalog: &Catalog, options: &[&str]) -> Ended {
        self.run(&[&["lineage.json", "--url", &catalog.url], options].concat(), &[])
    }
}

#[test]
fn each_event_is_a_post_in_the_order_of_the_dry_run() {
    let folder = Folder::new();
    let catalog = Catalog::start(&[OK, OK]);
    let run = folder.emit(&catalog, &[]);
    assert_eq!(run.code, 0, "{run:#?}");
    let expected =
        format!("sent 2 events to {}/api/v1/lineage, run 939fdbba-f52b-4513-9b86-c0761d6036b0\n", catalog.url);
    assert_eq!((run.stdout, run.stderr), (expected, String::new()));
    let received = catalog.received();
    for request in &received {
        assert_eq!(request.line, "POST /api/v1/lineage HTTP/1.1");
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.header("authorization"), None);
        assert!(request.header("user-agent").unwrap().starts_with("sqlflow-cli/"));
    }
    let dry = folder.run(&["lineage.json", "--dry-run"], &[]);
    assert_eq!(dry.code, 0, "{dry:#?}");
    let runs = |event: &Value| (event["job"].clone(), event["run"].clone());
    let printed: Vec<_> = dry.stdout.lines().map(|line| runs(&serde_json::from_str(line).unwrap())).collect();
    assert_eq!(received.iter().map(|request| runs(&request.event())).collect::<Vec<_>>(), printed);
}

#[test]
fn a_dry_run_sends_nothing_and_needs_no_endpoint() {
    let folder = Folder::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let run = folder.run(&["lineage.json", "--dry-run", "--url", &url, "-o", "events.ndjson"], &[]);
    assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{run:#?}");
    assert!(listener.accept().is_err(), "there is a connection");
    let events = fs::read_to_string(folder.0.path().join("events.ndjson")).unwrap();
    assert_eq!(events.lines().count(), 2);
}

#[test]
fn the_settings_of_the_events_are_used() {
    let folder = Folder::new();
    let id = "0197c0de-0000-7000-8000-000000000000";
    let options = ["--namespace", "postgres://db:5432", "--job-name", "nightly", "--job-namespace", "warehouse"];
    let more = ["--run-id", id, "--producer", "https://example.com/nightly", "--one-event"];
    let run = folder.run(&[&["lineage.json", "--dry-run"], &options[..], &more].concat(), &[]);
    let event: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:#?}"));
    assert_eq!(event["job"]["name"], "nightly");
    assert_eq!(event["job"]["namespace"], "warehouse");
    assert_eq!(event["run"]["runId"], id);
    assert_eq!(event["producer"], "https://example.com/nightly");
    assert_eq!(event["outputs"][0]["namespace"], "postgres://db:5432");
    let run = folder.run(&["lineage.json", "--dry-run"], &[("OPENLINEAGE_NAMESPACE", "of the environment")]);
    assert!(run.stdout.contains(r#""job":{"namespace":"of the environment","name":"sqlflow-939fdbba"#), "{run:#?}");
    let run = folder.run(&["lineage.json", "--dry-run", "--per-process"], &[]);
    assert_eq!((run.code, run.stdout.lines().count()), (0, 2), "{run:#?}");
}

#[test]
fn the_url_the_path_and_the_key_come_from_the_environment() {
    let folder = Folder::new();
    let catalog = Catalog::start(&[OK, OK]);
    let variables = [
        ("OPENLINEAGE_URL", catalog.url.as_str()),
        ("OPENLINEAGE_ENDPOINT", "openapi/openlineage/api/v1/lineage"),
        ("OPENLINEAGE_API_KEY", KEY),
    ];
    let run = folder.run(&["lineage.json"], &variables);
    assert_eq!(run.code, 0, "{run:#?}");
    for request in catalog.received() {
        assert_eq!(request.line, "POST /openapi/openlineage/api/v1/lineage HTTP/1.1");
        assert_eq!(request.header("authorization"), Some("Bearer hush-hush"));
    }
}

#[test]
fn flags_win_over_the_environment() {
    let folder = Folder::new();
    folder.write("key", "hush-hush\n");
    let catalog = Catalog::start(&[OK, OK]);
    let arguments = ["lineage.json", "--url", &catalog.url, "--endpoint", "/lineage", "--api-key-file", "key"];
    let variables =
        [("OPENLINEAGE_URL", "http://other"), ("OPENLINEAGE_ENDPOINT", "other"), ("OPENLINEAGE_API_KEY", "other")];
    assert_eq!(folder.run(&arguments, &variables).code, 0);
    for request in catalog.received() {
        assert_eq!(request.line, "POST /lineage HTTP/1.1");
        assert_eq!(request.header("authorization"), Some("Bearer hush-hush"));
    }
}

#[cfg(unix)]
#[test]
fn the_key_comes_from_a_command() {
    let folder = Folder::new();
    let catalog = Catalog::start(&[OK, OK]);
    assert_eq!(folder.emit(&catalog, &["--api-key-command", "printf hush; echo -hush"]).code, 0);
    assert_eq!(catalog.received()[1].header("authorization"), Some("Bearer hush-hush"));
    let catalog = Catalog::start(&[]);
    let failed = folder.emit(&catalog, &["--api-key-command", "exit 3"]);
    assert_eq!(failed.code, 5, "{failed:#?}");
    assert!(failed.stderr.contains("exit status: 3"), "{failed:#?}");
}

#[test]
fn a_busy_endpoint_and_a_broken_connection_are_tried_again() {
    let folder = Folder::new();
    for failure in
        ["HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", ""]
    {
        let catalog = Catalog::start(&[failure, OK, OK]);
        let run = folder.emit(&catalog, &["--jsonl"]);
        assert_eq!(run.code, 0, "{run:#?}");
        let lines: Vec<_> = run.json_lines("emit-event", None);
        assert_eq!(lines.iter().map(|line| line["event"].clone()).collect::<Vec<_>>(), [1, 2]);
        assert_eq!((&lines[0]["attempts"], &lines[1]["attempts"]), (&2.into(), &1.into()));
        assert_eq!(lines[0]["status"], 201);
        let received = catalog.received();
        assert_eq!(received[0].body, received[1].body, "the same event is sent again");
        assert_ne!(received[1].job(), received[2].job());
    }
}

#[test]
fn a_pause_that_is_too_long_is_named_and_not_waited_for() {
    let folder = Folder::new();
    let catalog = Catalog::start(&[&response("429 Too Many Requests", "Retry-After: 3600\r\n", "")]);
    let run = folder.emit(&catalog, &[]);
    assert_eq!(run.code, 1, "{run:#?}");
    assert!(run.stderr.contains("429 Too Many Requests") && run.stderr.contains("asks to wait 1h"), "{run:#?}");
}

#[test]
fn a_web_page_is_no_endpoint() {
    let folder = Folder::new();
    let catalog = Catalog::start(&[&response("200 OK", "Content-Type: text/html\r\n", "<html>welcome</html>")]);
    let message = folder.emit(&catalog, &[]).fails(1);
    assert!(message.contains("web page") && message.contains("--endpoint"), "{message}");
    assert_eq!(catalog.received().len(), 1);
}

#[test]
fn an_event_that_is_refused_is_final_and_shows_why_without_the_key() {
    let folder = Folder::new();
    folder.write("key", KEY);
    let body = format!("{{\"error\": \"no dataset for {KEY}\",\r\n\x1b[31m\"more\": \"{}\"}}", "x".repeat(5000));
    let catalog = Catalog::start(&[OK, &response("422 Unprocessable Entity", "", &body)]);
    let run = folder.emit(&catalog, &["--api-key-file", "key", "--json"]);
    assert_eq!(run.code, 1, "{run:#?}");
    let object = run.json("emit");
    assert_eq!((&object["events"], &object["sent"], &object["failed"]), (&2.into(), &1.into(), &1.into()));
    assert_eq!(object["unsent"], 0);
    assert!(run.stderr.contains("error: event 2 of 2 was not accepted: http://127.0.0.1:"), "{run:#?}");
    assert!(run.stderr.contains("422 Unprocessable Entity: {\"error\": \"no dataset for ***\""), "{run:#?}");
    assert!(run.stderr.contains("1 event was accepted; sending it again is harmless"), "{run:#?}");
    assert!(run.stderr.len() < 900 && !run.stderr.contains('\x1b'), "{run:#?}");
    assert_eq!(catalog.received().len(), 2, "there is no retry");
}

#[test]
fn a_random_run_is_named_so_that_the_rest_can_be_sent_to_it() {
    let folder = Folder::new();
    folder.write("lineage.json", &LINEAGE.replace(r#""jobId": "939fdbbaf52b45139b86c0761d6036b0","#, ""));
    let catalog = Catalog::start(&[OK, &response("400 Bad Request", "", "")]);
    let run = folder.emit(&catalog, &[]);
    assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{run:#?}");
    let (_, id) = run.stderr.trim_end().split_once("run the command again with --run-id ").unwrap();
    let first = catalog.received().remove(0).event();
    let catalog = Catalog::start(&[OK, OK]);
    let run = folder.emit(&catalog, &["--run-id", id, "-q"]);
    assert_eq!((run.code, run.stdout.trim_end()), (0, id), "{run:#?}");
    assert_eq!(catalog.received()[0].event()["run"], first["run"]);
}

#[test]
fn a_key_that_is_refused_is_an_error_of_authentication() {
    let folder = Folder::new();
    for status in ["401 Unauthorized", "403 Forbidden"] {
        let catalog = Catalog::start(&[&response(status, "", "who are you")]);
        let run = folder.emit(&catalog, &[]);
        assert_eq!(run.code, 5, "{run:#?}");
        assert!(run.stderr.contains("who are you") && run.stderr.contains("set OPENLINEAGE_API_KEY"), "{run:#?}");
    }
}

#[test]
fn a_wrong_path_and_a_redirect_say_what_to_do() {
    let folder = Folder::new();
    let catalog = Catalog::start(&[&response("404 Not Found", "", "")]);
    let run = folder.emit(&catalog, &[]);
    assert_eq!(run.code, 1, "{run:#?}");
    assert!(run.stderr.contains("openapi/openlineage/api/v1/lineage"), "{run:#?}");
    let catalog =
        Catalog::start(&[&response("301 Moved Permanently", "Location: https://new.example.com/x?t=1\r\n", "")]);
    let run = folder.emit(&catalog, &[]);
    assert_eq!(run.code, 1, "{run:#?}");
    assert!(run.stderr.contains("has moved to https://new.example.com/x: use that as --url"), "{run:#?}");
}

#[test]
fn an_endpoint_that_is_not_there_is_unreachable() {
    let folder = Folder::new();
    let url = format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let run = folder.run(&["lineage.json", "--url", &url, "--max-attempts", "2", "--json"], &[]);
    assert_eq!(run.code, 6, "{run:#?}");
    let object = run.json("emit");
    assert_eq!((&object["sent"], &object["failed"], &object["unsent"]), (&0.into(), &1.into(), &1.into()));
    assert!(run.stderr.contains(&format!("cannot connect to {url}/api/v1/lineage")), "{run:#?}");
    assert!(run.stderr.contains("(tried 2 times)") && run.stderr.contains("no event was accepted"), "{run:#?}");
}

#[test]
fn an_endpoint_that_does_not_respond_is_a_timeout() {
    let folder = Folder::new();
    // Connections wait in the queue of the listener.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let run = folder.run(&["lineage.json", "--url", &url, "--max-attempts", "1", "--timeout", "50ms"], &[]);
    assert_eq!(run.code, 1, "{run:#?}");
    assert!(run.stderr.contains("did not respond within 50ms") && run.stderr.contains("--timeout"), "{run:#?}");
}

#[test]
fn a_key_over_plain_http_to_a_public_host_is_a_warning() {
    let folder = Folder::new();
    let catalog = Catalog::start(&[OK, OK]);
    // The proxy is the catalog, so that nothing leaves this machine.
    let arguments = ["lineage.json", "--url", "http://marquez.example.com", "--proxy", &catalog.url];
    let run = folder.run(&arguments, &[("OPENLINEAGE_API_KEY", KEY)]);
    assert_eq!(run.code, 0, "{run:#?}");
    assert!(run.stderr.contains("plain HTTP over a public network exposes the API key"), "{run:#?}");
    assert_eq!(catalog.received()[0].line, "POST http://marquez.example.com/api/v1/lineage HTTP/1.1");
}

#[test]
fn the_proxy_of_the_environment_is_used() {
    let folder = Folder::new();
    let catalog = Catalog::start(&[OK, OK]);
    let run = folder.run(&["lineage.json", "--url", "http://marquez:5000"], &[("HTTP_PROXY", &catalog.url)]);
    assert_eq!(run.code, 0, "{run:#?}");
    assert_eq!(catalog.received()[0].line, "POST http://marquez:5000/api/v1/lineage HTTP/1.1");
}

#[test]
fn a_lineage_that_is_not_whole_is_not_sent_if_strict() {
    let folder = Folder::new();
    folder.write("lineage.json", &LINEAGE.replace(r#"[{"id": "2"}]"#, r#"[{"id": "404", "column": "X"}]"#));
    let catalog = Catalog::start(&[]);
    let run = folder.emit(&catalog, &["--strict"]);
    assert_eq!((run.code, run.stdout.as_str()), (7, ""), "{run:#?}");
    assert!(run.stderr.contains("nothing was sent"), "{run:#?}");
    assert!(catalog.received().is_empty());
}

#[test]
fn wrong_arguments_are_refused() {
    let folder = Folder::new();
    for (arguments, problem) in [
        (&[][..], "FILE|JOB"),
        (&["lineage.json"], "no endpoint is given"),
        (&["lineage.json", "--url", "localhost:5000"], "http:// or https://"),
        (&["lineage.json", "--url", "http://ann:hush-hush@h"], "a user or a password"),
        (&["lineage.json", "--dry-run", "--run-id", "x"], "run id `x` is not a UUID"),
        (&["lineage.json", "--dry-run", "--producer", "x"], "producer `x` is not a URI"),
        (&["lineage.json", "--dry-run", "--job-name", ""], "job name"),
        (&["lineage.json", "--dry-run", "--json"], "--json"),
        (&["lineage.json", "--dry-run", "--per-process", "--one-event"], "--one-event"),
        (&["lineage.json", "--url", "http://h", "--max-attempts", "0"], "--max-attempts"),
        (&["lineage.json", "--url", "http://h", "--timeout", "soon"], "--timeout"),
        (&["lineage.json", "--url", "http://h", "--api-key", "x"], "--api-key"),
        (&["lineage.json", "--url", "http://h", "--api-key-file", "a", "--api-key-command", "b"], "--api-key"),
        (&["1234", "--dry-run"], "there is no file '1234', and no server"),
    ] {
        let run = folder.run(arguments, &[]);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{run:#?}");
        assert!(run.stderr.contains(problem), "{run:#?}");
    }
    let run = folder.run(&["none.json", "--dry-run"], &[]);
    assert!(run.code == 1 && run.stderr.contains("cannot read none.json"), "{run:#?}");
    let run = folder.run(&["lineage.json", "--url", "http://h", "--api-key-file", "none"], &[]);
    assert!(run.code == 5 && run.stderr.contains("the file none"), "{run:#?}");
}

#[test]
fn the_lineage_of_a_job_on_the_server_is_sent() {
    let folder = Folder::new();
    let mut server = folder.command(&["emulator"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut url = String::new();
    BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut url).unwrap();
    let url = url.trim_end();
    let sql = format!("{}/../../examples/sql", env!("CARGO_MANIFEST_DIR"));
    let submit = ["submit", &sql, "--vendor", "postgresql", "--server", url, "--quiet"];
    let submitted = Ended::of(folder.command(&submit).output().unwrap());
    let id = submitted.stdout.trim_end();
    let waited = Ended::of(folder.command(&["wait", id, "--server", url]).output().unwrap());
    assert_eq!(waited.code, 0, "{submitted:#?} {waited:#?}");

    let dry = folder.run(&[id, "--dry-run", "--server", url], &[]);
    assert_eq!(dry.code, 0, "{dry:#?}");
    let catalog = Catalog::start(&vec![OK; dry.stdout.lines().count()]);
    let run = folder.run(&[id, "--server", url, "--url", &catalog.url, "--json"], &[]);
    assert_eq!(run.code, 0, "{run:#?}");
    let object = run.json("emit");
    assert_eq!(object["run_id"].as_str().unwrap().replace('-', ""), id, "the run is that of the job");
    assert!(catalog.received().iter().all(|request| request.job().starts_with(&format!("sqlflow-{id}"))));

    let unknown = folder.run(&["939fdbbaf52b45139b86c0761d6036b0", "--dry-run", "--server", url], &[]);
    assert_eq!(unknown.code, 1, "{unknown:#?}");
    assert!(unknown.stderr.contains("939fdbbaf52b45139b86c0761d6036b0"), "{unknown:#?}");
    server.kill().unwrap();
    server.wait().unwrap();
}

#[cfg(unix)]
#[test]
fn ctrl_c_says_how_to_go_on() {
    let folder = Folder::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let id = "0197c0de-0000-7000-8000-000000000000";
    let mut command = folder.command(&["emit", "lineage.json", "--url", &url, "--run-id", id]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (_, mut first) = next_request(&listener);
    first.write_all(OK.as_bytes()).unwrap();
    drop(first);
    let second = next_request(&listener);
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let run = Ended::of(child.wait_with_output().unwrap());
    drop(second);
    assert_eq!(run.code, 130, "{run:#?}");
    assert!(run.stderr.contains("1 event was accepted; sending it again is harmless"), "{run:#?}");
    assert!(run.stderr.contains("run the same command again"), "{run:#?}");
}
