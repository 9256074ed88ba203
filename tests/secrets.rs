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
    said += &failures(&token).await;
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
