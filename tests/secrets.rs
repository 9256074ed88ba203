//! Searches every byte that the client sends and everything it prints for secrets.
//!
//! The client talks to an emulator through a wire tap. The tests also provoke all other output: `Debug` of all types
//! that hold a secret, errors with their causes, and the log of the whole process at its lowest level.

#![allow(clippy::format_push_string, reason = "what was said is gathered in one text")]

use std::fmt::Write as _;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use sqlflow_client::api::{File, types};
use sqlflow_client::emulator::Emulator;
use sqlflow_client::job::{Database, Settling};
use sqlflow_client::retry::Backoff;
use sqlflow_client::{Client, ClientBuilder, Credentials, Error, JobId, Secret, Vendor};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const SECRET_KEY: &str = "k3y-0f-the-k1ngd0m/+=";
const PASSWORD: &str = r#"p4"ss\of the d4tab4se&"#;

/// The bytes that the client sent, with one entry per connection.
#[derive(Clone, Default)]
struct WireTap(Arc<Mutex<Vec<Vec<u8>>>>);

impl WireTap {
    /// Forwards connections to a server and records everything that is sent to it.
    async fn before(&self, server: String) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let tap = self.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(tap.clone().pass(client, server.clone()));
            }
        });
        address
    }

    async fn pass(self, client: TcpStream, server: String) -> io::Result<()> {
        let connection = {
            let mut sent = self.0.lock().unwrap();
            sent.push(Vec::new());
            sent.len() - 1
        };
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = TcpStream::connect(server).await?.into_split();
        let answers = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
        let mut buffer = vec![0; 1 << 16];
        loop {
            let length = from_client.read(&mut buffer).await?;
            if length == 0 {
                break;
            }
            self.0.lock().unwrap()[connection].extend_from_slice(&buffer[..length]);
            to_server.write_all(&buffer[..length]).await?;
        }
        answers.abort();
        Ok(())
    }

    /// Returns the head and body of every request.
    fn requests(&self) -> Vec<(String, Vec<u8>)> {
        let sent = self.0.lock().unwrap().clone();
        sent.into_iter().flat_map(|bytes| requests(&bytes)).collect()
    }
}

fn requests(mut bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut requests = Vec::new();
    while let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let length = head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let body = end + 4;
        let next = body + length.unwrap_or(0_usize);
        requests.push((head, bytes[body..next].to_vec()));
        bytes = &bytes[next..];
    }
    assert!(bytes.is_empty(), "what was sent is not all requests: {:?}", String::from_utf8_lossy(bytes));
    requests
}

/// The log of the process, at its lowest level.
#[derive(Clone, Default)]
struct CapturedLog(Arc<Mutex<Vec<u8>>>);

impl CapturedLog {
    fn of_the_process() -> Self {
        let log = Self::default();
        let writer = log.clone();
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .init();
        log
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl io::Write for CapturedLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns the encodings in which a text can appear.
fn spellings(secret: &str) -> Vec<String> {
    let encoded = serde_urlencoded::to_string([("", secret)]).unwrap();
    vec![
        secret.to_owned(),
        encoded[1..].to_owned(),
        encoded[1..].replace('+', "%20"),
        base64::engine::general_purpose::STANDARD.encode(secret),
        secret.escape_debug().to_string(),
    ]
}

fn find<'a>(text: &str, secrets: &'a [String]) -> Option<&'a str> {
    secrets
        .iter()
        .flat_map(|secret| spellings(secret).into_iter().map(move |spelling| (secret, spelling)))
        .find_map(|(secret, spelling)| text.contains(&spelling).then_some(secret.as_str()))
}

fn said_by(error: &Error) -> String {
    let mut text = format!("{error} {error:#} {error:?} {error:#?}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        write!(text, " {error} {error:?}").unwrap();
        cause = error.source();
    }
    text
}

/// A placeholder for the whole request in a response, both as received and decoded.
const REQUEST: &str = "{request}";

/// Starts a server that sends the same response to every request, then closes the connection.
async fn server_responding(answer: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = vec![0; 1 << 16];
            let length = stream.read(&mut buffer).await.unwrap_or_default();
            let request = String::from_utf8_lossy(&buffer[..length]);
            let fields: Vec<(String, String)> = request
                .split("\r\n\r\n")
                .nth(1)
                .and_then(|body| serde_urlencoded::from_str(body).ok())
                .unwrap_or_default();
            // The fields come first, because errors do not show the end of a long response anyway.
            let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let repeated =
                format!("{} {}", fields.join(" "), request.rsplit("name=\"password\"").next().unwrap_or_default());
            let escaped = serde_json::Value::from(repeated.as_str()).to_string();
            let repeated = if answer.contains("\"code\"") { &escaped[1..escaped.len() - 1] } else { &repeated };
            let _ = stream.write_all(answer.replace(REQUEST, repeated).as_bytes()).await;
        }
    });
    address
}

fn http(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\n\r\n{body}")
}

#[tokio::test]
async fn no_secret_leaves_a_form_body() {
    let log = CapturedLog::of_the_process();
    let emulator = Emulator::builder().account("ann", SECRET_KEY).start().await.unwrap();
    let tap = WireTap::default();
    let url = tap.before(emulator.addr().to_string()).await;
    let builder = Client::builder(&url).credentials(Credentials::secret_key("ann", SECRET_KEY));
    let mut said = format!("{builder:?} {builder:#?}");
    let client = builder.build().unwrap();

    said += &Box::pin(main_job(&client)).await;
    let token = token_of(&tap);
    said += &Box::pin(failures(&token)).await;
    said += &requests_shown(&token);
    said += &format!("{client:?} {client:#?} {:?}", client.api());

    let secrets = [SECRET_KEY.to_owned(), PASSWORD.to_owned(), token.clone()];
    assert_eq!(find(&said, &secrets), None, "shown by Debug, Display or a cause");
    let log = log.text();
    assert!(log.contains("sqlflow") && log.len() > 10_000, "nothing was logged");
    assert!(log.contains("retrying after a failed attempt"), "no call was repeated");
    assert_eq!(find(&log, &secrets), None, "logged");

    let requests = tap.requests();
    let mut bodies_with_token = 0;
    for (head, body) in &requests {
        assert_eq!(find(head, &secrets), None, "sent in the head of {head}");
        let kind = head.to_lowercase();
        let is_form = kind.contains("application/x-www-form-urlencoded") || kind.contains("multipart/form-data");
        let has_secret = find(&String::from_utf8_lossy(body), &secrets).is_some();
        assert!(is_form || !has_secret, "sent outside a form: {head}");
        bodies_with_token += usize::from(has_secret);
    }
    assert!(bodies_with_token > 5 && requests.len() > 5, "the tap saw too little: {}", requests.len());
}

/// Makes the most common calls for a job. Returns everything they printed.
async fn main_job(client: &Client) -> String {
    let submit = client
        .submit(Vendor::Oracle)
        .sql("a.sql", "insert into t (a) select a from s")
        .database(Database::new("db").password(PASSWORD).account("scott"));
    let mut said = format!("{submit:?} {submit:#?}");
    let job = submit.await.unwrap();
    let database = Database::new("db").password(PASSWORD);
    said += &format!("{database:?}");
    let persist = client.submit_persist(Vendor::Oracle).sql("b.sql", "select 1").database(database);
    said += &format!("{persist:?}");
    persist.await.unwrap();
    let done = job.wait().await.unwrap();
    let export = job.export_lineage_as_json();
    said += &format!("{job:?} {done:?} {:?} {:?} {export:?}", job.wait(), job.watch());
    done.lineage().await.unwrap();
    job.export_full_lineage_as_csv().bytes().await.unwrap();
    client.jobs().await.unwrap();
    let info = job.info().await.unwrap();
    said += &format!("{info:?}");
    for error in [
        client.job(JobId::new("no-such-job")).info().await.unwrap_err(),
        client.job(JobId::new("no-such-job")).lineage().await.unwrap_err(),
        client.job(JobId::new("")).lineage().await.unwrap_err(),
        client
            .submit(Vendor::Oracle)
            .name(" ")
            .sql("a.sql", "")
            .database(Database::new("db").password(PASSWORD))
            .await
            .unwrap_err(),
    ] {
        said += &said_by(&error);
    }
    job.delete().await.unwrap();
    said
}

/// Returns a builder whose clients retry calls, and look for lost submissions, without long pauses.
fn hurried(url: &str) -> ClientBuilder {
    Client::builder(url)
        .retry(Backoff::new().max_attempts(3).base_delay(Duration::from_millis(1)))
        .settling(Settling::new().window(Duration::from_millis(500)).max_lookups(2))
}

/// Makes calls to servers that fail in every way, some of which repeat the request. Returns everything that was
/// printed.
async fn failures(token: &str) -> String {
    let mut said = String::new();
    let envelope = format!(r#"{{"code":500,"error":"cannot serve {REQUEST}"}}"#);
    for answer in [
        http("200 OK", &envelope),
        http("500 Internal Server Error", &envelope),
        http("502 Bad Gateway", &format!("<html><body>{REQUEST}</body></html>")),
        http("200 OK", &format!("<html>{REQUEST}</html>")),
        http("200 OK", &format!(r#"{{"code":200,"data":"{REQUEST}"}}"#)),
        http("302 Found\r\nlocation: http://elsewhere.invalid/", ""),
        "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"code\":".to_owned(),
        http("200 OK", REQUEST),
        "no HTTP at all".to_owned(),
        String::new(),
    ] {
        let url = server_responding(answer).await;
        for credentials in [Credentials::token("ann", token), Credentials::secret_key("ann", SECRET_KEY)] {
            let builder = hurried(&url).credentials(credentials).stall_timeout(Duration::from_secs(5));
            let client = builder.build().unwrap();
            for error in every_kind_of_call(&client).await {
                said += &said_by(&error);
            }
        }
    }
    // Nothing listens on this port: it was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    let client = hurried(&url).credentials(Credentials::token("ann", token)).build().unwrap();
    for error in every_kind_of_call(&client).await {
        said += &said_by(&error);
        said += &panic_message(error);
    }
    said
}

/// Returns the panic message of a program that unwraps an error.
fn panic_message(error: Error) -> String {
    let unwrapped = |failed: Result<(), Error>| failed.unwrap();
    let panic = std::panic::catch_unwind(AssertUnwindSafe(|| unwrapped(Err(error)))).unwrap_err();
    panic.downcast_ref::<String>().expect("a message").clone()
}

async fn every_kind_of_call(client: &Client) -> Vec<Error> {
    let submit =
        client.submit(Vendor::Oracle).sql("a.sql", "select 1").database(Database::new("db").password(PASSWORD));
    let api = client.api();
    let form = types::GenerateTokenRequest::new(SECRET_KEY, "ann");
    vec![
        submit.await.unwrap_err(),
        client.jobs().await.unwrap_err(),
        client.job("1").info().await.unwrap_err(),
        client.job("1").lineage().await.unwrap_err(),
        client.job("1").export_full_lineage_as_json().lineage().await.unwrap_err(),
        // These carry a token in their URL because they have no body.
        client.job("1").export_metadata().bytes().await.err().unwrap_or_else(nothing),
        client.job("1").parquet("1").bytes().await.err().unwrap_or_else(nothing),
        client.job("1").sub_job_file("1", "a.sql").bytes().await.err().unwrap_or_else(nothing),
        api.download_parquet("1", None, None).await.err().unwrap_or_else(nothing),
        api.download_sub_job_file("1", "a.sql", None, None).await.err().unwrap_or_else(nothing),
        api.generate_token(&form)
            .await
            .map(|answer| answer.into_inner().into_token())
            .and_then(|token| token.map(drop))
            .err()
            .unwrap_or_else(nothing),
    ]
}

/// Replaces the error of a call that succeeded.
fn nothing() -> Error {
    "".parse::<Vendor>().unwrap_err()
}

#[tokio::test]
async fn a_failed_job_that_repeats_the_password_does_not_show_it() {
    let info = r#"{"code":200,"data":{"jobId":"1","status":"fail","errorMessage":"ORA-01017: scott/tiger refused"}}"#;
    let client = Client::builder(server_responding(http("200 OK", info)).await).build().unwrap();
    let job = client
        .submit(Vendor::Oracle)
        .sql("a.sql", "select 1")
        .database(Database::new("db").password("tiger"))
        .await
        .unwrap();
    let error = job.wait().await.unwrap_err();
    assert!(error.to_string().contains("ORA-01017") && !error.to_string().contains("tiger"), "{error}");
}

#[tokio::test]
async fn a_failed_job_that_repeats_the_token_does_not_show_it() {
    let info = r#"{"code":200,"data":{"jobId":"1","status":"fail","errorMessage":"cannot serve token=hush-t0ken"}}"#;
    let url = server_responding(http("200 OK", info)).await;
    let client = Client::builder(url).credentials(Credentials::token("ann", "hush-t0ken")).build().unwrap();
    let error = client.job("1").wait().await.unwrap_err();
    assert!(error.to_string().contains("cannot serve") && !said_by(&error).contains("hush"), "{error}");
}

#[tokio::test]
async fn a_new_token_in_a_malformed_response_is_not_shown() {
    for answer in
        [r#"{"code":"200","token":"fr3sh-t0ken"} and more"#, r#"{"code":["fr3sh-t0ken"],"token":"fr3sh-t0ken"}"#]
    {
        let url = server_responding(http("200 OK", answer)).await;
        let client = Client::builder(url).credentials(Credentials::secret_key("ann", SECRET_KEY)).build().unwrap();
        let error = client.jobs().await.unwrap_err();
        assert!(!said_by(&error).contains("fr3sh"), "{error:?}");
    }
}

#[tokio::test]
async fn data_that_looks_like_a_secret_is_never_changed() {
    let info = r#"{"code":200,"data":{"jobId":"analytics-1","jobName":"analytics nightly","status":"create"}}"#;
    let client = Client::builder(server_responding(http("200 OK", info)).await).build().unwrap();
    let job = client
        .submit(Vendor::Oracle)
        .sql("a.sql", "select 1")
        .database(Database::new("db").password("analytics"))
        .await
        .unwrap();
    assert_eq!(job.id().as_str(), "analytics-1");
    assert_eq!(job.info().await.unwrap().name.as_deref(), Some("analytics nightly"));
}

/// Returns the `Debug` output of the requests that hold secrets.
fn requests_shown(token: &str) -> String {
    let mut submit = types::SubmitUserJobRequest::new(Vendor::Oracle, "n");
    submit.password = Some(PASSWORD.into());
    let mut persist = types::SubmitPersistJobRequest::new(Vendor::Oracle);
    persist.password = Some(PASSWORD.into());
    let key = types::GenerateTokenRequest::new(SECRET_KEY, "ann");
    let secrets = [Secret::from(token), Secret::from(PASSWORD)];
    let credentials = [Credentials::token("ann", token), Credentials::secret_key("ann", SECRET_KEY)];
    let answer: sqlflow_client::api::TokenEnvelope =
        serde_json::from_value(serde_json::json!({"code": "200", "token": token})).unwrap();
    let file = File::new("a.sql", "select 1");
    format!("{submit:?} {persist:?} {key:?} {secrets:?} {credentials:?} {credentials:#?} {answer:?} {file:?}")
}

/// Returns the token that was sent.
fn token_of(tap: &WireTap) -> String {
    let requests = tap.requests();
    let forms = requests.iter().filter(|(head, _)| head.to_lowercase().contains("x-www-form-urlencoded"));
    let mut fields = forms.flat_map(|(_, body)| serde_urlencoded::from_bytes::<Vec<(String, String)>>(body).unwrap());
    fields.find(|(name, _)| name == "token").unwrap().1
}

/// A secret that every spelling changes, and of which every spelling but base64 keeps the first word.
const HUSHED: &str = "hush-t0ken=of&ann\"s/+d\\b<c>%";
const HUSHED_BEGINNING: &str = "hush";

/// Returns a secret in every spelling in which a server may repeat it, each with a name. Those of JSON are parts of JSON
/// already.
fn all_spellings(secret: &str) -> Vec<(&'static str, String)> {
    let percent = |keep: &str, upper: bool| -> String {
        let encode = |byte: u8| match char::from(byte) {
            letter if letter.is_ascii_alphanumeric() || keep.contains(letter) => letter.to_string(),
            _ if upper => format!("%{byte:02X}"),
            _ => format!("%{byte:02x}"),
        };
        secret.bytes().map(encode).collect()
    };
    let entities = |spell: &dyn Fn(char) -> String| -> String {
        secret.chars().map(|letter| if letter.is_ascii_punctuation() { spell(letter) } else { letter.into() }).collect()
    };
    let json = serde_json::Value::from(secret).to_string();
    let json = json[1..json.len() - 1].to_owned();
    let named = |letter: char| match letter {
        '&' => "&amp;".to_owned(),
        '"' => "&quot;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '=' => "&equals;".to_owned(),
        '/' => "&sol;".to_owned(),
        '\\' => "&bsol;".to_owned(),
        '%' => "&percnt;".to_owned(),
        other => other.to_string(),
    };
    let engine = &base64::engine::general_purpose::STANDARD;
    vec![
        ("plain", secret.to_owned()),
        ("form", serde_urlencoded::to_string([("", secret)]).unwrap()[1..].to_owned()),
        ("percent", percent("-", true)),
        ("percent in lower case", percent("-", false)),
        ("percent in part", percent("-=&+/", true)),
        ("percent twice", percent("-", true).replace('%', "%25")),
        ("named entities", entities(&named)),
        ("decimal entities", entities(&|letter| format!("&#{};", u32::from(letter)))),
        ("hexadecimal entities", entities(&|letter| format!("&#x{:X};", u32::from(letter)))),
        ("entities twice", entities(&named).replace('&', "&amp;")),
        ("json", json.clone()),
        ("json with escapes", entities(&|letter| format!("\\u{:04x}", u32::from(letter)))),
        ("json with upper case", entities(&|letter| format!("\\u{:04X}", u32::from(letter)))),
        ("debug", format!("{secret:?}").trim_matches('"').to_owned()),
        ("base64", engine.encode(secret)),
        ("base64 of user and password", engine.encode(format!("ann:{secret}"))),
        ("base64 for URLs", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(format!("a:{secret}"))),
    ]
}

/// A response that repeats a secret, and the call that receives it.
struct Place {
    name: &'static str,
    /// The response, with [`SPELLED`] in place of the secret: in a JSON body within a string.
    response: &'static str,
}

const SPELLED: &str = "{spelled}";

const fn place(name: &'static str, response: &'static str) -> Place {
    Place { name, response }
}

/// Every place of a response from which a text reaches a person or a log.
const PLACES: &[Place] = &[
    place("error", r#"200 OK||{"code":500,"error":"bad {spelled}!"}"#),
    place("message", r#"200 OK||{"code":400,"error":"x","message":"bad {spelled}!"}"#),
    place("error that is an object", r#"200 OK||{"code":500,"error":{"text":"bad {spelled}!"}}"#),
    place("upgrade", r#"200 OK||{"code":429,"error":"x","upgrade":{"key":{"url":"https://h/?{spelled}"}}}"#),
    place(
        "upgrade with a status",
        r#"429 Too Many Requests||{"error":"x","upgrade":{"key":{"url":"https://h/{spelled}"}}}"#,
    ),
    place("error with a status", r#"500 Internal Server Error||{"code":500,"error":"bad {spelled}!"}"#),
    place("busy", r#"200 OK||{"code":500,"error":"service is busy {spelled}"}"#),
    place("unauthorised", r#"401 Unauthorized||{"code":401,"error":"no {spelled}"}"#),
    place("page of a proxy", "502 Bad Gateway||<html><title>Bad</title><p>{spelled}</p></html>"),
    place("text of a proxy", "503 Service Unavailable||sorry: {spelled}"),
    place("proxy without a password", "407 Proxy Authentication Required||Basic {spelled}"),
    place("page", "200 OK||<html>{spelled}</html>"),
    place("no JSON", "200 OK||{spelled} and more"),
    place("unexpected JSON", r#"200 OK||{"code":200,"data":"bad {spelled}"}"#),
    place("unexpected list", r#"200 OK||["{spelled}"]"#),
    place("unexpected code", r#"200 OK||{"code":"{spelled}"}"#),
    place("redirect", "302 Found|location: http://elsewhere.invalid/x/{spelled}/y|"),
    place("encoding", "200 OK|content-encoding: {spelled}|"),
    place("failed job", r#"200 OK||{"code":200,"data":{"jobId":"1","status":"fail","errorMessage":"ORA: {spelled}"}}"#),
    place(
        "partial job",
        r#"200 OK||{"code":203,"error":"w {spelled}\nx","data":{"jobId":"1","status":"partial_success","errorMessage":"a\nb {spelled}","detail":{"why":["{spelled}"]},"dataSource":{"password":"{spelled}"},"subJobs":[{"errorMessage":"{spelled}"}],"version":"{spelled}"}}"#,
    ),
    place("unknown state", r#"200 OK||{"code":200,"data":{"jobId":"1","status":"x {spelled}"}}"#),
    place(
        "names",
        r#"200 OK||{"code":200,"data":{"jobId":"1","status":"success","jobName":"{spelled}","fileNames":["{spelled}"],"createTime":"{spelled}","sessionId":"{spelled}"}}"#,
    ),
    place(
        "list of jobs",
        r#"200 OK||{"code":203,"error":"w {spelled}","data":{"total":2,"jobDetails":[{"jobId":"1","status":"fail","errorMessage":"{spelled}"},{"no":"{spelled}"}],"more":"{spelled}"}}"#,
    ),
    place("syntax errors", r#"200 OK||{"code":500,"data":{"errorInfos":[{"errorMessage":"at {spelled}"}]}}"#),
];

/// The response that a server sends to everything but a submission.
type CurrentResponse = Arc<Mutex<String>>;

/// Starts a server that sends the current response to everything, but takes submissions.
async fn server_sending(current: CurrentResponse) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let current = Arc::clone(&current);
            tokio::spawn(async move {
                let mut request = Vec::new();
                loop {
                    let read = stream.read_buf(&mut request).await.unwrap_or_default();
                    let text = String::from_utf8_lossy(&request).to_lowercase();
                    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
                    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
                    let is_whole = text.contains("\r\n\r\n")
                        && if head.contains("chunked") {
                            body.ends_with("0\r\n\r\n")
                        } else {
                            body.len() >= length.unwrap_or(0_usize)
                        };
                    if read == 0 || is_whole {
                        break;
                    }
                }
                let target = String::from_utf8_lossy(&request);
                let is_submission = target.lines().next().unwrap_or_default().contains("submitUserJob");
                let taken = http("200 OK", r#"{"code":200,"data":{"jobId":"1","status":"create"}}"#);
                let response = if is_submission { taken } else { current.lock().unwrap().clone() };
                let _ = stream.write_all(response.as_bytes()).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    address
}

/// Returns the response of a place, with spellings of a secret in it.
fn response_with(place: &Place, spellings: &[(&str, String)], padding: usize) -> String {
    let [status, header, body] = place.response.splitn(3, '|').collect::<Vec<_>>()[..] else {
        panic!("{}", place.name)
    };
    let is_json = body.starts_with("{\"") || body.starts_with('[');
    let in_body = |(name, spelled): &(&str, String)| {
        if !is_json || name.starts_with("json") {
            return spelled.clone();
        }
        let quoted = serde_json::Value::from(spelled.as_str()).to_string();
        quoted[1..quoted.len() - 1].to_owned()
    };
    let joined = spellings.iter().map(in_body).collect::<Vec<_>>().join(" ");
    let body = body.replace(SPELLED, &format!("{}{joined}", "x".repeat(padding)));
    let in_header = spellings.iter().map(|(_, spelled)| spelled.as_str()).collect::<Vec<_>>().join(" ");
    let header = if header.is_empty() { String::new() } else { format!("{}\r\n", header.replace(SPELLED, &in_header)) };
    format!("HTTP/1.1 {status}\r\n{header}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

/// Makes every kind of call that shows a text of the server, and returns everything that was shown.
async fn everything_shown(client: &Client) -> String {
    let shown_info = |info: &sqlflow_client::job::JobInfo| {
        format!(
            "{info:?} {info:#?} {} {:?} {:?} {:?} {:?} {:?} {:?}",
            info.status, info.error_message, info.warnings, info.other, info.data_source, info.sub_jobs, info.version
        )
    };
    let submit = client.submit(Vendor::Oracle).sql("a.sql", "select 1").database(Database::new("db").password(HUSHED));
    let job = submit.await.unwrap();
    let mut said = String::new();
    match job.info().await {
        Ok(info) => said += &shown_info(&info),
        Err(error) => said += &said_by(&error),
    }
    let mut states = job.watch();
    // A state that does not change is yielded once.
    while let Ok(next) = tokio::time::timeout(Duration::from_millis(20), states.try_next()).await {
        match next {
            Ok(Some(state)) => said += &format!("{state} {state:?} {} {}", state.status(), shown_info(state.info())),
            Ok(None) => break,
            Err(error) => {
                said += &said_by(&error);
                break;
            }
        }
    }
    match job.wait().deadline(Duration::from_millis(20)).await {
        Ok(done) => {
            said += &format!("{done:?} {:?}", done.warnings().collect::<Vec<_>>());
            said += &shown_info(done.info());
        }
        Err(error) => said += &said_by(&error),
    }
    match client.jobs().await {
        Ok(list) => said += &format!("{list:?} {:?}", list.jobs.iter().map(shown_info).collect::<Vec<_>>()),
        Err(error) => said += &said_by(&error),
    }
    let mut jobs = client.jobs().stream();
    loop {
        match jobs.try_next().await {
            Ok(Some(info)) => said += &shown_info(&info),
            Ok(None) => break,
            Err(error) => {
                said += &said_by(&error);
                break;
            }
        }
    }
    match client.check_syntax(Vendor::Oracle, "select 1").await {
        Ok(check) => said += &format!("{check:?} {}", check.errors.iter().map(ToString::to_string).collect::<String>()),
        Err(error) => said += &said_by(&error),
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("lineage.json");
    for error in [
        job.lineage().await.err(),
        job.export_lineage_as_json().lineage().await.err(),
        job.export_full_lineage_as_json().to_file(&path).await.err(),
        job.export_full_lineage_as_csv().bytes().await.err(),
        job.delete().await.err(),
        client.find_job("x").await.err(),
    ] {
        said += &error.as_ref().map(said_by).unwrap_or_default();
    }
    let mut batch = client.batch(directory.path().join("journal")).run([(
        "a".to_owned(),
        client.submit(Vendor::Oracle).sql("a.sql", "select 1").database(Database::new("db").password(HUSHED)),
    )]);
    let outcome = tokio::time::timeout(Duration::from_millis(50), batch.try_next()).await;
    said += &format!("{outcome:?}");
    drop(batch);
    said + &std::fs::read_to_string(directory.path().join("journal")).unwrap_or_default()
}

/// Returns a client that talks to a server without pauses.
fn impatient(url: &str) -> ClientBuilder {
    Client::builder(url)
        .without_proxy()
        .without_retries()
        .polling(sqlflow_client::job::Polling::every(Duration::from_millis(1)).max_outage(Duration::from_millis(5)))
        .settling(Settling::new().window(Duration::from_millis(5)).max_lookups(2))
}

/// The log of this thread while the guard lives.
fn log_of_this_thread() -> (CapturedLog, tracing::subscriber::DefaultGuard) {
    let log = CapturedLog::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    (log, tracing::subscriber::set_default(subscriber))
}

/// Checks that nothing of a secret is in a text.
fn assert_hushed(said: &str, spellings: &[(&str, String)], context: &str) {
    let spelled = spellings.iter().find_map(|(_, spelled)| said.find(spelled));
    let at = said.find(HUSHED_BEGINNING).or(spelled);
    let around =
        at.map(|at| said[..at].chars().rev().take(200).collect::<Vec<_>>().into_iter().rev().collect::<String>());
    assert!(at.is_none(), "{context}: {}", around.unwrap_or_default());
}

#[tokio::test]
async fn no_text_of_a_server_shows_a_secret_in_any_spelling() {
    let (log, _guard) = log_of_this_thread();
    let current = CurrentResponse::default();
    let client = impatient(&server_sending(Arc::clone(&current)).await).build().unwrap();
    let all = all_spellings(HUSHED);
    // Few at once, so that none is beyond the end of an excerpt.
    for spellings in all.chunks(3) {
        for place in PLACES {
            *current.lock().unwrap() = response_with(place, spellings, 0);
            let context = format!("{}, {}", place.name, spellings[0].0);
            let said = everything_shown(&client).await;
            assert!(said.contains("[REDACTED]"), "{context}: {said}");
            assert_hushed(&said, spellings, &context);
        }
    }
    let log = log.text();
    assert!(log.contains("[REDACTED]"), "no warning was logged");
    assert_hushed(&log, &all, "the log");
}

#[tokio::test]
async fn no_kind_of_secret_is_shown() {
    let current = CurrentResponse::default();
    let url = server_sending(Arc::clone(&current)).await;
    let provider = || async { Ok::<_, io::Error>(sqlflow_client::UserSecret::Token(HUSHED.into())) };
    // The proxy takes the place of the server, and repeats its own password.
    let encoded = &serde_urlencoded::to_string([("", HUSHED)]).unwrap()[1..];
    let proxy = url.replace("http://", &format!("http://pr0xy-ann:{encoded}@"));
    let clients = [
        impatient(&url).credentials(Credentials::token("ann", HUSHED)),
        impatient(&url).credentials(Credentials::secret_key("ann", HUSHED)),
        impatient(&url).credentials(Credentials::from_fn("ann", provider)),
        Client::builder("http://sqlflow.invalid").proxy(proxy).without_retries(),
    ]
    .map(|builder| builder.build().unwrap());
    for spelling in all_spellings(HUSHED) {
        let spelling = [spelling];
        *current.lock().unwrap() = response_with(&PLACES[0], &spelling, 0);
        for client in &clients {
            let error = client.jobs().await.unwrap_err();
            assert!(error.to_string().contains("[REDACTED]!"), "{spelling:?}: {error}");
            assert_hushed(&said_by(&error), &spelling, spelling[0].0);
        }
    }
}

#[tokio::test]
async fn the_user_and_the_basic_form_of_a_proxy_are_not_shown() {
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("pr0xy-ann:{HUSHED}"));
    let page = format!("<p>pr0xy-ann is refused: {basic}</p>");
    let url = server_responding(http("407 Proxy Authentication Required", &page)).await;
    let encoded = &serde_urlencoded::to_string([("", HUSHED)]).unwrap()[1..];
    let proxy = url.replace("http://", &format!("http://pr0xy-ann:{encoded}@"));
    let client = Client::builder("http://sqlflow.invalid").proxy(proxy).without_retries().build().unwrap();
    let error = client.jobs().await.unwrap_err();
    assert!(error.to_string().ends_with(": [REDACTED] is refused: [REDACTED]"), "{error}");
}

#[tokio::test]
async fn a_secret_at_the_limit_of_an_excerpt_is_not_shown_in_part() {
    const LIMITS: [usize; 4] = [200, 1000, 1024, 16 * 1024];
    const CUT: [&str; 5] = ["error", "error with a status", "page of a proxy", "no JSON", "failed job"];
    const SPELLINGS: [&str; 6] = ["plain", "percent", "percent twice", "named entities", "json with escapes", "base64"];
    let current = CurrentResponse::default();
    let builder = impatient(&server_sending(Arc::clone(&current)).await).credentials(Credentials::token("ann", HUSHED));
    let job = builder.build().unwrap().job("1");
    for spelling in all_spellings(HUSHED).into_iter().filter(|(name, _)| SPELLINGS.contains(name)) {
        let beginning = spelling.1[..8].to_owned();
        let spelling = [spelling];
        for place in PLACES.iter().filter(|place| CUT.contains(&place.name)) {
            for padding in LIMITS.into_iter().flat_map(|limit| (limit - 72..limit).step_by(9)) {
                *current.lock().unwrap() = response_with(place, &spelling, padding);
                let said = match job.wait().without_deadline().await {
                    Ok(done) => format!("{done:?}"),
                    Err(error) => said_by(&error),
                };
                let is_shown = said.contains("hus") || said.contains(&beginning);
                assert!(!is_shown, "{}, {spelling:?} after {padding}: {said}", place.name);
            }
        }
    }
}

#[tokio::test]
async fn a_new_token_in_a_failing_response_is_not_shown() {
    for (status, answer) in [
        ("200 OK", r#"{"code":"500","error":"cannot store hush-t0ken","token":"hush-t0ken"}"#),
        ("200 OK", r#"{"code":"401","error":"no: hush-t0ken","token":"hush-t0ken"}"#),
        ("200 OK", r#"{"code":"500","message":"{\"token\":\"hush-t0ken\"}","data":{"access_token":"hush-t0ken"}}"#),
        ("500 Internal Server Error", r#"{"code":"500","error":"cannot store hush-t0ken","token":"hush-t0ken"}"#),
        ("500 Internal Server Error", r#"{"token":"hush-t0ken","error":"cannot st"#),
        ("502 Bad Gateway", "<p>token=hush-t0ken&user=ann</p>"),
        ("302 Found\r\nlocation: /hush-t0ken", r#"{"token":"hush-t0ken"}"#),
    ] {
        let url = server_responding(http(status, answer)).await;
        let client = impatient(&url).credentials(Credentials::secret_key("ann", SECRET_KEY)).build().unwrap();
        let error = client.jobs().await.unwrap_err();
        assert!(!said_by(&error).contains("hush"), "{status} {answer}: {error:?}");
        let form = types::GenerateTokenRequest::new(SECRET_KEY, "ann");
        let said = match client.api().generate_token(&form).await {
            Ok(answer) => format!("{answer:?} ") + &format!("{:?}", answer.into_inner().into_token()),
            Err(error) => said_by(&error),
        };
        assert!(!said.contains("hush"), "{status} {answer}: {said}");
    }
}

#[tokio::test]
async fn a_web_token_that_the_client_does_not_know_is_not_shown() {
    let error = r#"{"code":500,"error":"stale eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl for ann"}"#;
    let client = impatient(&server_responding(http("200 OK", error)).await).build().unwrap();
    let error = client.jobs().await.unwrap_err().to_string();
    assert!(error.contains("stale [REDACTED] for ann"), "{error}");
}

#[tokio::test]
async fn short_secrets_do_not_turn_texts_into_stars() {
    let error = r#"{"code":500,"error":"an abacus is a big bag"}"#;
    let url = server_responding(http("200 OK", error)).await;
    for secret in ["a", "ab", "bag"] {
        let client = impatient(&url).credentials(Credentials::token("ann", secret)).build().unwrap();
        let error = client.jobs().await.unwrap_err().to_string();
        assert!(error.contains("an abacus is a big bag"), "{error}");
    }
}
