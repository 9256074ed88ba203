//! The effect of each fault on the caller, observed over a socket, and on the server.

use std::fmt::Write as _;
use std::io::{ErrorKind, Read as _};
use std::time::Instant;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::{Emulator, EmulatorBuilder, RequestRecord};

const LONG: Duration = Duration::from_secs(3600);
const SUMMARIES: &str = "sqlflow/job/displayUserJobsSummary";
const SUBMIT: &str = "sqlflow/job/submitUserJob";

/// All bytes received until the connection ended.
struct ReceivedResponse {
    bytes: Vec<u8>,
    end: Result<(), ErrorKind>,
}

impl ReceivedResponse {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    fn head(&self) -> String {
        self.text().split("\r\n\r\n").next().unwrap().to_ascii_lowercase()
    }

    fn body(&self) -> &[u8] {
        let end_of_head = self.bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        &self.bytes[end_of_head..]
    }

    fn json(&self) -> Value {
        serde_json::from_slice(self.body()).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// Returns `true` if the connection was closed in order, before a byte was received.
    fn is_empty_close(&self) -> bool {
        self.bytes.is_empty() && self.end.is_ok()
    }
}

async fn read_response(mut stream: TcpStream) -> ReceivedResponse {
    let mut bytes = Vec::new();
    let end = stream.read_to_end(&mut bytes).await.map(|_| ()).map_err(|error| error.kind());
    ReceivedResponse { bytes, end }
}

async fn send(emulator: &Emulator, request: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(emulator.addr()).await.unwrap();
    stream.write_all(request).await.unwrap();
    stream
}

async fn exchange(emulator: &Emulator, request: &[u8]) -> ReceivedResponse {
    read_response(send(emulator, request).await).await
}

fn post(path: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "POST /gspLive_backend/{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn form(path: &str, headers: &str, more: &str) -> Vec<u8> {
    post(path, headers, &format!("userId=gudu%7C0123456789&token=token{more}"))
}

fn parts() -> String {
    let fields = [("userId", "gudu|0123456789"), ("token", "token"), ("jobName", "nightly"), ("dbvendor", "dbvoracle")];
    let mut body = String::new();
    for (name, value) in fields {
        write!(body, "--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").unwrap();
    }
    body + "--x\r\nContent-Disposition: form-data; name=\"sqlfiles\"; filename=\"a.sql\"\r\n\r\nselect a from t\r\n--x--\r\n"
}

fn submit() -> Vec<u8> {
    post(SUBMIT, "Content-Type: multipart/form-data; boundary=x\r\n", &parts())
}

fn list() -> Vec<u8> {
    form(SUMMARIES, "", "")
}

async fn with(fault: Fault) -> Emulator {
    start(Emulator::builder().fault(fault)).await
}

async fn start(builder: EmulatorBuilder) -> Emulator {
    builder.time_in_create(LONG).start().await.unwrap()
}

fn last(emulator: &Emulator) -> RequestRecord {
    emulator.requests().pop().unwrap()
}

/// Waits until the server has received this many requests.
async fn received(emulator: &Emulator, requests: usize) {
    while emulator.requests().len() < requests {
        tokio::task::yield_now().await;
    }
}

/// Returns the response of an emulator without faults.
async fn undisturbed(request: &[u8]) -> ReceivedResponse {
    exchange(&start(Emulator::builder()).await, request).await
}

#[tokio::test]
async fn a_response_is_delayed() {
    let emulator = with(Fault::latency(Duration::from_millis(100))).await;
    let begun = Instant::now();
    assert_eq!(exchange(&emulator, &list()).await.json()["code"], 200);
    assert!(begun.elapsed() >= Duration::from_millis(100));
    assert_eq!(last(&emulator).fault.as_deref(), Some("latency=100ms"));
}

#[tokio::test]
async fn a_submission_with_a_delayed_response_creates_its_job_at_once() {
    let emulator = with(Fault::latency(LONG)).await;
    let stream = send(&emulator, &submit()).await;
    let mut changes = emulator.service.jobs.subscribe();
    changes.wait_for(|_| !emulator.jobs().is_empty()).await.unwrap();
    assert_eq!(last(&emulator).status, None);
    drop(stream);
}

#[tokio::test]
async fn connections_are_refused_until_faults_are_cleared() {
    let emulator = with(Fault::latency(LONG)).await;
    let idle = TcpStream::connect(emulator.addr()).await.unwrap();
    let waiting = send(&emulator, &list()).await;
    received(&emulator, 1).await;

    emulator.inject(Fault::refuse(LONG));
    let refused = TcpStream::connect(emulator.addr()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    assert!(read_response(idle).await.bytes.is_empty());
    assert!(read_response(waiting).await.is_empty_close());
    assert_eq!(last(&emulator).status, None);

    for _ in 0..2 {
        emulator.clear_faults();
        assert_eq!(exchange(&emulator, &list()).await.json()["code"], 200);
        emulator.inject(Fault::refuse(LONG));
        assert!(TcpStream::connect(emulator.addr()).await.is_err());
    }
    assert_eq!(emulator.requests().len(), 3);
}

#[tokio::test]
async fn connections_are_refused_for_the_given_time() {
    let time = Duration::from_millis(100);
    let begun = Instant::now();
    let emulator = start(Emulator::builder().fault(Fault::refuse(time)).fault(Fault::page(503).times(1))).await;
    assert!(TcpStream::connect(emulator.addr()).await.is_err());
    while TcpStream::connect(emulator.addr()).await.is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(begun.elapsed() >= time);
    assert!(exchange(&emulator, &list()).await.head().starts_with("http/1.1 503"));
}

#[tokio::test]
async fn an_upload_is_reset_after_the_given_bytes() {
    let emulator = with(Fault::reset_after_received(40)).await;
    let whole = submit();
    let beginning = &whole[..whole.len() - parts().len() + 50];
    let response = exchange(&emulator, beginning).await;
    assert_eq!((response.bytes.len(), response.end), (0, Err(ErrorKind::ConnectionReset)));
    let record = last(&emulator);
    assert_eq!((record.status, record.body_bytes, emulator.jobs().len()), (None, 50, 0));

    let emulator = with(Fault::reset_after_received(1_000_000)).await;
    let response = exchange(&emulator, &whole).await;
    assert_eq!((response.bytes.len(), response.end), (0, Err(ErrorKind::ConnectionReset)));
    assert_eq!((last(&emulator).body_bytes, emulator.jobs().len()), (parts().len() as u64, 0));
}

#[tokio::test]
async fn a_response_is_reset_after_the_given_bytes() {
    for (bytes, sent) in [(0, ""), (7, r#"{"code""#), (1_000_000, "}")] {
        let emulator = with(Fault::reset_after_sent(bytes)).await;
        let response = exchange(&emulator, &submit()).await;
        assert_eq!(response.end, Err(ErrorKind::ConnectionReset));
        assert!(response.head().starts_with("http/1.1 200 ok"));
        assert!(response.text().trim_end().ends_with(sent), "{}", response.text());
        assert_eq!((last(&emulator).status, emulator.jobs().len()), (Some(200), 1));
    }
}

#[tokio::test]
async fn a_connection_is_closed_without_a_response() {
    let emulator = with(Fault::close()).await;
    assert!(exchange(&emulator, &submit()).await.is_empty_close());
    let record = last(&emulator);
    assert_eq!((record.status, record.code, record.fault.as_deref()), (None, None, Some("close")));
    assert_eq!((record.body_bytes, emulator.jobs().len()), (parts().len() as u64, 0));
}

#[tokio::test]
async fn a_submission_whose_response_is_lost_creates_its_job() {
    let emulator = with(Fault::lose_response()).await;
    assert!(exchange(&emulator, &submit()).await.is_empty_close());
    let record = last(&emulator);
    assert_eq!((record.status, record.code, record.fault.as_deref()), (None, None, Some("lose-response")));
    assert!(record.fields.contains(&"sqlfiles".to_owned()));
    assert_eq!(emulator.jobs()[0].name, "nightly");
}

#[tokio::test]
async fn the_response_to_a_chunked_upload_is_lost_without_a_reset() {
    let emulator = with(Fault::lose_response()).await;
    let head = "Content-Type: multipart/form-data; boundary=x\r\nTransfer-Encoding: chunked\r\n";
    let request = format!(
        "POST /gspLive_backend/{SUBMIT} HTTP/1.1\r\nHost: localhost\r\n{head}\r\n{:x}\r\n{}\r\n",
        parts().len(),
        parts()
    );
    let mut stream = send(&emulator, request.as_bytes()).await;
    let mut changes = emulator.service.jobs.subscribe();
    changes.wait_for(|_| !emulator.jobs().is_empty()).await.unwrap();
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    assert!(read_response(stream).await.is_empty_close());
}

#[tokio::test]
async fn a_late_submission_creates_its_job_later() {
    let emulator = with(Fault::late(Duration::from_millis(100))).await;
    let begun = Instant::now();
    assert!(exchange(&emulator, &submit()).await.is_empty_close());
    assert!(emulator.jobs().is_empty() || begun.elapsed() >= Duration::from_millis(100));
    assert_eq!(exchange(&emulator, &list()).await.json()["code"], 200, "only submissions are handled later");

    let mut changes = emulator.service.jobs.subscribe();
    changes.wait_for(|_| !emulator.jobs().is_empty()).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(100));
    while emulator.requests()[0].fields.is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(emulator.requests()[0].status, None);
}

#[tokio::test]
async fn the_page_of_a_proxy_replaces_the_response() {
    for status in [413, 502, 503, 504] {
        let emulator = with(Fault::page(status)).await;
        let response = exchange(&emulator, &submit()).await;
        assert!(response.head().starts_with(&format!("http/1.1 {status} ")), "{}", response.head());
        assert!(response.head().contains("content-type: text/html"));
        assert!(response.text().contains("<html>") && response.text().contains("nginx"));
        let record = last(&emulator);
        assert_eq!((record.status, record.code, emulator.jobs().len()), (Some(status), None, 0));
        assert_eq!(record.body_bytes, parts().len() as u64);
    }
    assert_eq!(Fault::page(42), Fault::page(502));
}

#[tokio::test]
async fn a_gateway_times_out_after_a_submission_created_its_job() {
    let emulator = with(Fault::page(504).handled()).await;
    assert!(exchange(&emulator, &submit()).await.head().starts_with("http/1.1 504"));
    let record = last(&emulator);
    assert_eq!((record.fault.as_deref(), record.code, emulator.jobs().len()), (Some("504,handled"), None, 1));
    assert!(record.fields.contains(&"jobName".to_owned()));
}

#[tokio::test]
async fn retry_after_carries_the_seconds_to_wait() {
    let emulator = with(Fault::too_many_requests(Duration::from_millis(1200))).await;
    let response = exchange(&emulator, &submit()).await;
    assert!(response.head().starts_with("http/1.1 429"));
    assert!(response.head().contains("retry-after: 2"), "{}", response.head());
    assert!(emulator.jobs().is_empty());
}

#[tokio::test]
async fn retry_after_carries_the_date_to_wait_for() {
    let emulator = with(Fault::too_many_requests_until(UNIX_EPOCH + Duration::from_millis(784_111_776_500))).await;
    let response = exchange(&emulator, &list()).await;
    assert!(
        response.text().to_lowercase().contains("retry-after: sun, 06 nov 1994 08:49:37 gmt"),
        "{}",
        response.head()
    );
}

#[tokio::test]
async fn a_busy_service_says_so_in_an_envelope() {
    let emulator = with(Fault::busy()).await;
    let response = exchange(&emulator, &submit()).await;
    assert!(response.head().starts_with("http/1.1 200"));
    let busy = json!({ "code": 500, "error": "Sorry, the service is busy. Please try again later." });
    assert_eq!(response.json(), busy);
    assert_eq!((last(&emulator).code, emulator.jobs().len()), (Some(500), 0));
}

async fn token(emulator: &Emulator) -> String {
    let response = exchange(emulator, &post("user/generateToken", "", "userId=ann&secretKey=k")).await.json();
    response["token"].as_str().unwrap().to_owned()
}

async fn code_with(emulator: &Emulator, token: &str) -> Value {
    exchange(emulator, &post(SUMMARIES, "", &format!("userId=ann&token={token}"))).await.json()["code"].clone()
}

#[tokio::test]
async fn tokens_expire_right_before_a_request() {
    let emulator = with(Fault::expire_token().times(1)).await;
    let old = token(&emulator).await;
    assert_eq!(code_with(&emulator, &old).await, 401);
    assert_eq!(code_with(&emulator, &old).await, 401);
    let new = token(&emulator).await;
    assert_eq!(code_with(&emulator, &new).await, 200);
}

#[tokio::test]
async fn tokens_expire_on_demand() {
    let emulator = start(Emulator::builder()).await;
    let old = token(&emulator).await;
    assert_eq!(code_with(&emulator, &old).await, 200);
    emulator.expire_tokens();
    assert_eq!(code_with(&emulator, &old).await, 401);
    let new = token(&emulator).await;
    assert_eq!(code_with(&emulator, &new).await, 200);
}

#[tokio::test]
async fn jobs_that_have_not_ended_have_an_unknown_status() {
    let emulator = Emulator::builder()
        .time_in_create(Duration::ZERO)
        .time_in_process(Duration::ZERO)
        .fault(Fault::unknown_status("archiving"))
        .start()
        .await
        .unwrap();
    let mut changes = emulator.service.jobs.subscribe();
    assert_eq!(exchange(&emulator, &submit()).await.json()["data"]["status"], "archiving");
    changes.wait_for(|_| emulator.jobs().iter().all(|job| job.status == "success")).await.unwrap();
    assert_eq!(exchange(&emulator, &list()).await.json()["data"]["jobDetails"][0]["status"], "success");
}

#[tokio::test]
async fn an_unknown_status_also_appears_in_lists() {
    let emulator = with(Fault::unknown_status("archiving").on("displayUserJobsSummary")).await;
    assert_eq!(exchange(&emulator, &submit()).await.json()["data"]["status"], "create");
    let response = exchange(&emulator, &list()).await;
    assert_eq!(response.json()["data"]["jobDetails"][0]["status"], "archiving");
    assert_eq!((response.json()["code"].clone(), last(&emulator).code), (json!(200), Some(200)));
    assert_eq!(emulator.jobs()[0].status, "create");
}

#[tokio::test]
async fn a_job_vanishes_before_it_is_described() {
    let emulator = with(Fault::vanish().times(1)).await;
    exchange(&emulator, &submit()).await;
    exchange(&emulator, &submit()).await;
    let [first, second] = &emulator.jobs()[..] else { panic!("there are two jobs") };
    let described =
        exchange(&emulator, &form("sqlflow/job/displayUserJobSummary", "", &format!("&jobId={}", first.id))).await;
    assert_eq!(described.json()["code"], 404);
    assert_eq!(emulator.jobs(), std::slice::from_ref(second));
}

#[tokio::test]
async fn the_latest_job_vanishes_before_a_list() {
    let emulator = with(Fault::vanish()).await;
    exchange(&emulator, &submit()).await;
    exchange(&emulator, &submit()).await;
    for left in [1, 0, 0] {
        assert_eq!(exchange(&emulator, &list()).await.json()["data"]["total"], left);
    }
}

#[tokio::test]
async fn a_truncated_response_claims_to_be_complete() {
    let emulator = with(Fault::truncate(10)).await;
    let response = exchange(&emulator, &list()).await;
    assert!(response.head().contains("content-length: 10"));
    assert_eq!((response.body().len(), response.end), (10, Ok(())));
    let emulator = with(Fault::truncate(1_000_000)).await;
    assert_eq!(exchange(&emulator, &list()).await.json()["code"], 200);
}

#[tokio::test]
async fn garbage_is_sent_with_the_same_headers() {
    let emulator = with(Fault::garbage()).await;
    let response = exchange(&emulator, &submit()).await;
    assert!(response.head().contains("content-type: application/json;charset=utf-8"));
    assert!(std::str::from_utf8(response.body()).is_err());
    let record = last(&emulator);
    assert_eq!((record.status, record.code, emulator.jobs().len()), (Some(200), None, 1));
}

#[tokio::test]
async fn a_response_drips() {
    let whole = undisturbed(&list()).await;
    let pieces = u32::try_from(whole.body().len().div_ceil(20)).unwrap();
    let emulator = with(Fault::drip(20, Duration::from_millis(20))).await;
    let begun = Instant::now();
    let response = exchange(&emulator, &list()).await;
    assert!(begun.elapsed() >= Duration::from_millis(20) * (pieces - 1), "{pieces} pieces");
    assert_eq!((response.body(), response.end), (whole.body(), Ok(())));
}

#[tokio::test]
async fn a_response_stalls_until_the_server_stops() {
    for bytes in [0, 5, 1_000_000] {
        let emulator = with(Fault::stall_after(bytes)).await;
        let mut stream = send(&emulator, &list()).await;
        let mut beginning = [0; 15];
        stream.read_exact(&mut beginning).await.unwrap();
        assert_eq!(beginning, *b"HTTP/1.1 200 OK");
        let stopping = tokio::spawn(emulator.shutdown());
        let response = read_response(stream).await;
        assert!(!response.text().ends_with("0\r\n\r\n"), "{}", response.text());
        stopping.await.unwrap();
    }
}

#[tokio::test]
async fn a_content_length_is_wrong() {
    let whole = undisturbed(&list()).await.body().to_vec();
    for difference in [10, -10] {
        let emulator = with(Fault::content_length(difference)).await;
        let response = exchange(&emulator, &list()).await;
        let claimed = (whole.len() as u64).saturating_add_signed(difference);
        assert!(response.head().contains(&format!("content-length: {claimed}")), "{}", response.head());
        let sent = if difference > 0 { &whole[..] } else { &whole[..whole.len() - 10] };
        assert_eq!((response.body(), response.end), (sent, Ok(())));
    }
}

fn unpacked(response: &ReceivedResponse) -> Vec<u8> {
    assert!(response.head().contains("content-encoding: gzip"), "{}", response.head());
    let mut content = Vec::new();
    flate2::read::GzDecoder::new(response.body()).read_to_end(&mut content).unwrap();
    content
}

#[tokio::test]
async fn a_bomb_is_small_until_it_is_unpacked() {
    let emulator = with(Fault::bomb(5_000_000)).await;
    let response = exchange(&emulator, &form(SUMMARIES, "Accept-Encoding: br, gzip\r\n", "")).await;
    assert!(response.body().len() < 20_000, "{} bytes", response.body().len());
    let content = unpacked(&response);
    assert_eq!(content.len(), 5_000_000);
    assert_eq!(serde_json::from_slice::<Value>(&content).unwrap()["code"], 200);
    assert_eq!(exchange(&emulator, &list()).await.json()["code"], 200, "a caller that does not accept gzip");
}

#[test]
fn a_bomb_unpacks_to_the_requested_length() {
    for (content, length) in [("", 0), ("{}", 1), ("{}", 2), ("{}", 1 << 20), ("{}", (1 << 20) + 2), ("{}", 3 << 20)] {
        let packed = gzip::bomb(content.as_bytes(), length).unwrap();
        let mut unpacked = String::new();
        flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut unpacked).unwrap();
        assert_eq!(unpacked.len() as u64, length.max(content.len() as u64));
        assert_eq!(unpacked.trim_end(), content);
    }
}

#[tokio::test]
async fn a_response_is_compressed_for_callers_that_accept_gzip() {
    let emulator = start(Emulator::builder().gzip(true).fault(Fault::truncate(15).skip(3))).await;
    for (accepted, compressed) in [("gzip", true), ("deflate, GZIP;q=0.5", true), ("gzip;q=0, br", false)] {
        let response = exchange(&emulator, &form(SUMMARIES, &format!("Accept-Encoding: {accepted}\r\n"), "")).await;
        let content = if compressed { unpacked(&response) } else { response.body().to_vec() };
        assert_eq!(serde_json::from_slice::<Value>(&content).unwrap()["code"], 200, "{accepted}");
        assert_eq!(last(&emulator).code, Some(200));
    }
    let response = exchange(&emulator, &form(SUMMARIES, "Accept-Encoding: *\r\n", "")).await;
    assert!(response.head().contains("content-encoding: gzip"));
    assert_eq!(response.body().len(), 15);
}

#[tokio::test]
async fn a_caller_is_redirected() {
    let emulator = with(Fault::redirect("http://127.0.0.1:9/a\n,b")).await;
    let response = exchange(&emulator, &submit()).await;
    assert!(response.head().starts_with("http/1.1 307"));
    assert!(response.head().contains("location: http://127.0.0.1:9/a,b"), "{}", response.head());
    assert!(emulator.jobs().is_empty());
}

#[tokio::test]
async fn a_fault_applies_to_the_given_number_of_requests() {
    let emulator = with(Fault::busy().on("displayUserJobsSummary").skip(1).times(2)).await;
    let mut codes = Vec::new();
    for _ in 0..5 {
        assert_eq!(exchange(&emulator, &submit()).await.json()["code"], 200);
        codes.push(exchange(&emulator, &list()).await.json()["code"].as_u64().unwrap());
    }
    assert_eq!(codes, [200, 500, 500, 200, 200]);
    emulator.inject(Fault::page(502));
    assert!(exchange(&emulator, &list()).await.head().starts_with("http/1.1 502"));
    emulator.clear_faults();
    assert_eq!(exchange(&emulator, &list()).await.json()["code"], 200);
}

#[tokio::test]
async fn a_fault_never_applies_to_a_path_that_is_not_an_operation() {
    let emulator = with(Fault::close()).await;
    assert!(exchange(&emulator, &post("sqlflow/nothing", "", "")).await.head().starts_with("http/1.1 404"));
    assert_eq!(last(&emulator).fault, None);
}

#[tokio::test]
async fn a_server_stops_while_faults_are_in_progress() {
    let emulator = start(
        Emulator::builder()
            .fault(Fault::stall_after(10).times(1))
            .fault(Fault::latency(LONG).times(1))
            .fault(Fault::drip(1, LONG).times(1))
            .fault(Fault::late(LONG).times(1)),
    )
    .await;
    let mut open = Vec::new();
    for number in 1..=3 {
        open.push(send(&emulator, &list()).await);
        received(&emulator, number).await;
    }
    assert!(exchange(&emulator, &submit()).await.is_empty_close());
    let begun = Instant::now();
    emulator.shutdown().await;
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    let dripped = read_response(open.pop().unwrap()).await;
    assert_eq!(dripped.json()["code"], 200, "the rest of a dripping response is sent at once");
    assert_eq!(read_response(open.pop().unwrap()).await.json()["code"], 200, "a delayed response is sent at once");
}

#[tokio::test]
async fn a_server_that_refuses_connections_stops() {
    let emulator = with(Fault::refuse(LONG)).await;
    let address = emulator.addr();
    let begun = Instant::now();
    emulator.shutdown().await;
    assert!(begun.elapsed() < Duration::from_secs(2));
    let successor = Emulator::builder().port(address.port()).start().await.unwrap();
    assert_eq!(exchange(&successor, &list()).await.json()["code"], 200);
}
