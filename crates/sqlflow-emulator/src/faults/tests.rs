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
    fn is_silence(&self) -> bool {
        self.bytes.is_empty() && self.end.is_ok()
    }
}

async fn listen(mut stream: TcpStream) -> ReceivedResponse {
    let mut bytes = Vec::new();
    let end = stream.read_to_end(&mut bytes).await.map(|_| ()).map_err(|error| error.kind());
    ReceivedResponse { bytes, end }
}

async fn say(emulator: &Emulator, request: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(emulator.addr()).await.unwrap();
    stream.write_all(request).await.unwrap();
    stream
}

async fn ask(emulator: &Emulator, request: &[u8]) -> ReceivedResponse {
    listen(say(emulator, request).await).await
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
    ask(&start(Emulator::builder()).await, request).await
}

#[tokio::test]
async fn an_answer_comes_as_much_later_as_it_was_told() {
    let emulator = with(Fault::latency(Duration::from_millis(100))).await;
    let begun = Instant::now();
    assert_eq!(ask(&emulator, &list()).await.json()["code"], 200);
    assert!(begun.elapsed() >= Duration::from_millis(100));
    assert_eq!(last(&emulator).fault.as_deref(), Some("latency=100ms"));
}

#[tokio::test]
async fn a_submit_makes_its_job_long_before_its_answer_comes() {
    let emulator = with(Fault::latency(LONG)).await;
    let stream = say(&emulator, &submit()).await;
    let mut changes = emulator.service.jobs.subscribe();
    changes.wait_for(|_| !emulator.jobs().is_empty()).await.unwrap();
    assert_eq!(last(&emulator).status, None);
    drop(stream);
}

#[tokio::test]
async fn nobody_listens_while_connections_are_refused() {
    let emulator = with(Fault::latency(LONG)).await;
    let idle = TcpStream::connect(emulator.addr()).await.unwrap();
    let waiting = say(&emulator, &list()).await;
    received(&emulator, 1).await;

    emulator.inject(Fault::refuse(LONG));
    let refused = TcpStream::connect(emulator.addr()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    assert!(listen(idle).await.bytes.is_empty());
    assert!(listen(waiting).await.is_silence());
    assert_eq!(last(&emulator).status, None);

    for _ in 0..2 {
        emulator.clear_faults();
        assert_eq!(ask(&emulator, &list()).await.json()["code"], 200);
        emulator.inject(Fault::refuse(LONG));
        assert!(TcpStream::connect(emulator.addr()).await.is_err());
    }
    assert_eq!(emulator.requests().len(), 3);
}

#[tokio::test]
async fn connections_are_refused_for_as_long_as_it_was_told() {
    let time = Duration::from_millis(100);
    let begun = Instant::now();
    let emulator = start(Emulator::builder().fault(Fault::refuse(time)).fault(Fault::page(503).times(1))).await;
    assert!(TcpStream::connect(emulator.addr()).await.is_err());
    while TcpStream::connect(emulator.addr()).await.is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(begun.elapsed() >= time);
    assert!(ask(&emulator, &list()).await.head().starts_with("http/1.1 503"));
}

#[tokio::test]
async fn an_upload_is_reset_after_so_many_bytes() {
    let emulator = with(Fault::reset_after_received(40)).await;
    let whole = submit();
    let beginning = &whole[..whole.len() - parts().len() + 50];
    let heard = ask(&emulator, beginning).await;
    assert_eq!((heard.bytes.len(), heard.end), (0, Err(ErrorKind::ConnectionReset)));
    let record = last(&emulator);
    assert_eq!((record.status, record.body_bytes, emulator.jobs().len()), (None, 50, 0));

    let emulator = with(Fault::reset_after_received(1_000_000)).await;
    let heard = ask(&emulator, &whole).await;
    assert_eq!((heard.bytes.len(), heard.end), (0, Err(ErrorKind::ConnectionReset)));
    assert_eq!((last(&emulator).body_bytes, emulator.jobs().len()), (parts().len() as u64, 0));
}

#[tokio::test]
async fn an_answer_is_reset_after_so_many_bytes() {
    for (bytes, sent) in [(0, ""), (7, r#"{"code""#), (1_000_000, "}")] {
        let emulator = with(Fault::reset_after_sent(bytes)).await;
        let heard = ask(&emulator, &submit()).await;
        assert_eq!(heard.end, Err(ErrorKind::ConnectionReset));
        assert!(heard.head().starts_with("http/1.1 200 ok"));
        assert!(heard.text().trim_end().ends_with(sent), "{}", heard.text());
        assert_eq!((last(&emulator).status, emulator.jobs().len()), (Some(200), 1));
    }
}

#[tokio::test]
async fn a_connection_is_closed_without_an_answer() {
    let emulator = with(Fault::close()).await;
    assert!(ask(&emulator, &submit()).await.is_silence());
    let record = last(&emulator);
    assert_eq!((record.status, record.code, record.fault.as_deref()), (None, None, Some("close")));
    assert_eq!((record.body_bytes, emulator.jobs().len()), (parts().len() as u64, 0));
}

#[tokio::test]
async fn a_submit_whose_answer_is_lost_makes_its_job() {
    let emulator = with(Fault::lose_response()).await;
    assert!(ask(&emulator, &submit()).await.is_silence());
    let record = last(&emulator);
    assert_eq!((record.status, record.code, record.fault.as_deref()), (None, None, Some("lose-response")));
    assert!(record.fields.contains(&"sqlfiles".to_owned()));
    assert_eq!(emulator.jobs()[0].name, "nightly");
}

#[tokio::test]
async fn an_answer_to_an_upload_in_chunks_is_lost_without_a_reset() {
    let emulator = with(Fault::lose_response()).await;
    let head = "Content-Type: multipart/form-data; boundary=x\r\nTransfer-Encoding: chunked\r\n";
    let request = format!(
        "POST /gspLive_backend/{SUBMIT} HTTP/1.1\r\nHost: localhost\r\n{head}\r\n{:x}\r\n{}\r\n",
        parts().len(),
        parts()
    );
    let mut stream = say(&emulator, request.as_bytes()).await;
    let mut changes = emulator.service.jobs.subscribe();
    changes.wait_for(|_| !emulator.jobs().is_empty()).await.unwrap();
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    assert!(listen(stream).await.is_silence());
}

#[tokio::test]
async fn a_late_submit_makes_its_job_later() {
    let emulator = with(Fault::late(Duration::from_millis(100))).await;
    let begun = Instant::now();
    assert!(ask(&emulator, &submit()).await.is_silence());
    assert!(emulator.jobs().is_empty() || begun.elapsed() >= Duration::from_millis(100));
    assert_eq!(ask(&emulator, &list()).await.json()["code"], 200, "only submits are late");

    let mut changes = emulator.service.jobs.subscribe();
    changes.wait_for(|_| !emulator.jobs().is_empty()).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(100));
    while emulator.requests()[0].fields.is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(emulator.requests()[0].status, None);
}

#[tokio::test]
async fn a_page_of_a_proxy_takes_the_place_of_the_answer() {
    for status in [413, 502, 503, 504] {
        let emulator = with(Fault::page(status)).await;
        let heard = ask(&emulator, &submit()).await;
        assert!(heard.head().starts_with(&format!("http/1.1 {status} ")), "{}", heard.head());
        assert!(heard.head().contains("content-type: text/html"));
        assert!(heard.text().contains("<html>") && heard.text().contains("nginx"));
        let record = last(&emulator);
        assert_eq!((record.status, record.code, emulator.jobs().len()), (Some(status), None, 0));
        assert_eq!(record.body_bytes, parts().len() as u64);
    }
    assert_eq!(Fault::page(42), Fault::page(502));
}

#[tokio::test]
async fn a_gateway_gives_up_on_a_submit_that_made_its_job() {
    let emulator = with(Fault::page(504).handled()).await;
    assert!(ask(&emulator, &submit()).await.head().starts_with("http/1.1 504"));
    let record = last(&emulator);
    assert_eq!((record.fault.as_deref(), record.code, emulator.jobs().len()), (Some("504,handled"), None, 1));
    assert!(record.fields.contains(&"jobName".to_owned()));
}

#[tokio::test]
async fn a_caller_is_told_how_long_to_wait() {
    let emulator = with(Fault::too_many_requests(Duration::from_millis(1200))).await;
    let heard = ask(&emulator, &submit()).await;
    assert!(heard.head().starts_with("http/1.1 429"));
    assert!(heard.head().contains("retry-after: 2"), "{}", heard.head());
    assert!(emulator.jobs().is_empty());
}

#[tokio::test]
async fn a_caller_is_told_until_when_to_wait() {
    let emulator = with(Fault::too_many_requests_until(UNIX_EPOCH + Duration::from_millis(784_111_776_500))).await;
    let heard = ask(&emulator, &list()).await;
    assert!(heard.text().to_lowercase().contains("retry-after: sun, 06 nov 1994 08:49:37 gmt"), "{}", heard.head());
}

#[tokio::test]
async fn a_busy_service_says_so_in_an_envelope() {
    let emulator = with(Fault::busy()).await;
    let heard = ask(&emulator, &submit()).await;
    assert!(heard.head().starts_with("http/1.1 200"));
    let busy = json!({ "code": 500, "error": "Sorry, the service is busy. Please try again later." });
    assert_eq!(heard.json(), busy);
    assert_eq!((last(&emulator).code, emulator.jobs().len()), (Some(500), 0));
}

async fn token(emulator: &Emulator) -> String {
    let answer = ask(emulator, &post("user/generateToken", "", "userId=ann&secretKey=k")).await.json();
    answer["token"].as_str().unwrap().to_owned()
}

async fn code_with(emulator: &Emulator, token: &str) -> Value {
    ask(emulator, &post(SUMMARIES, "", &format!("userId=ann&token={token}"))).await.json()["code"].clone()
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
async fn tokens_expire_at_will() {
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
        .time_in_running(Duration::ZERO)
        .fault(Fault::unknown_status("archiving"))
        .start()
        .await
        .unwrap();
    let mut changes = emulator.service.jobs.subscribe();
    assert_eq!(ask(&emulator, &submit()).await.json()["data"]["status"], "archiving");
    changes.wait_for(|_| emulator.jobs().iter().all(|job| job.status == "success")).await.unwrap();
    assert_eq!(ask(&emulator, &list()).await.json()["data"]["jobDetails"][0]["status"], "success");
}

#[tokio::test]
async fn an_unknown_status_is_in_lists_too() {
    let emulator = with(Fault::unknown_status("archiving").on("displayUserJobsSummary")).await;
    assert_eq!(ask(&emulator, &submit()).await.json()["data"]["status"], "create");
    let heard = ask(&emulator, &list()).await;
    assert_eq!(heard.json()["data"]["jobDetails"][0]["status"], "archiving");
    assert_eq!((heard.json()["code"].clone(), last(&emulator).code), (json!(200), Some(200)));
    assert_eq!(emulator.jobs()[0].status, "create");
}

#[tokio::test]
async fn a_job_vanishes_before_it_is_asked_for() {
    let emulator = with(Fault::vanish().times(1)).await;
    ask(&emulator, &submit()).await;
    ask(&emulator, &submit()).await;
    let [first, second] = &emulator.jobs()[..] else { panic!("there are two jobs") };
    let asked = ask(&emulator, &form("sqlflow/job/displayUserJobSummary", "", &format!("&jobId={}", first.id))).await;
    assert_eq!(asked.json()["code"], 404);
    assert_eq!(emulator.jobs(), std::slice::from_ref(second));
}

#[tokio::test]
async fn the_latest_job_vanishes_before_a_list() {
    let emulator = with(Fault::vanish()).await;
    ask(&emulator, &submit()).await;
    ask(&emulator, &submit()).await;
    for left in [1, 0, 0] {
        assert_eq!(ask(&emulator, &list()).await.json()["data"]["total"], left);
    }
}

#[tokio::test]
async fn a_truncated_answer_claims_to_be_whole() {
    let emulator = with(Fault::truncate(10)).await;
    let heard = ask(&emulator, &list()).await;
    assert!(heard.head().contains("content-length: 10"));
    assert_eq!((heard.body().len(), heard.end), (10, Ok(())));
    let emulator = with(Fault::truncate(1_000_000)).await;
    assert_eq!(ask(&emulator, &list()).await.json()["code"], 200);
}

#[tokio::test]
async fn garbage_comes_under_the_same_headers() {
    let emulator = with(Fault::garbage()).await;
    let heard = ask(&emulator, &submit()).await;
    assert!(heard.head().contains("content-type: application/json;charset=utf-8"));
    assert!(std::str::from_utf8(heard.body()).is_err());
    let record = last(&emulator);
    assert_eq!((record.status, record.code, emulator.jobs().len()), (Some(200), None, 1));
}

#[tokio::test]
async fn an_answer_drips() {
    let whole = undisturbed(&list()).await;
    let pieces = u32::try_from(whole.body().len().div_ceil(20)).unwrap();
    let emulator = with(Fault::drip(20, Duration::from_millis(20))).await;
    let begun = Instant::now();
    let heard = ask(&emulator, &list()).await;
    assert!(begun.elapsed() >= Duration::from_millis(20) * (pieces - 1), "{pieces} pieces");
    assert_eq!((heard.body(), heard.end), (whole.body(), Ok(())));
}

#[tokio::test]
async fn an_answer_stalls_until_the_server_stops() {
    for bytes in [0, 5, 1_000_000] {
        let emulator = with(Fault::stall_after(bytes)).await;
        let mut stream = say(&emulator, &list()).await;
        let mut beginning = [0; 15];
        stream.read_exact(&mut beginning).await.unwrap();
        assert_eq!(beginning, *b"HTTP/1.1 200 OK");
        let stopping = tokio::spawn(emulator.shutdown());
        let heard = listen(stream).await;
        assert!(!heard.text().ends_with("0\r\n\r\n"), "{}", heard.text());
        stopping.await.unwrap();
    }
}

#[tokio::test]
async fn a_content_length_is_off() {
    let whole = undisturbed(&list()).await.body().to_vec();
    for difference in [10, -10] {
        let emulator = with(Fault::content_length(difference)).await;
        let heard = ask(&emulator, &list()).await;
        let claimed = (whole.len() as u64).saturating_add_signed(difference);
        assert!(heard.head().contains(&format!("content-length: {claimed}")), "{}", heard.head());
        let sent = if difference > 0 { &whole[..] } else { &whole[..whole.len() - 10] };
        assert_eq!((heard.body(), heard.end), (sent, Ok(())));
    }
}

fn unpacked(heard: &ReceivedResponse) -> Vec<u8> {
    assert!(heard.head().contains("content-encoding: gzip"), "{}", heard.head());
    let mut content = Vec::new();
    flate2::read::GzDecoder::new(heard.body()).read_to_end(&mut content).unwrap();
    content
}

#[tokio::test]
async fn a_bomb_is_small_until_it_is_unpacked() {
    let emulator = with(Fault::bomb(5_000_000)).await;
    let heard = ask(&emulator, &form(SUMMARIES, "Accept-Encoding: br, gzip\r\n", "")).await;
    assert!(heard.body().len() < 20_000, "{} bytes", heard.body().len());
    let content = unpacked(&heard);
    assert_eq!(content.len(), 5_000_000);
    assert_eq!(serde_json::from_slice::<Value>(&content).unwrap()["code"], 200);
    assert_eq!(ask(&emulator, &list()).await.json()["code"], 200, "a caller that does not accept gzip");
}

#[test]
fn a_bomb_has_the_length_asked_for() {
    for (content, length) in [("", 0), ("{}", 1), ("{}", 2), ("{}", 1 << 20), ("{}", (1 << 20) + 2), ("{}", 3 << 20)] {
        let packed = gzip::bomb(content.as_bytes(), length).unwrap();
        let mut unpacked = String::new();
        flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut unpacked).unwrap();
        assert_eq!(unpacked.len() as u64, length.max(content.len() as u64));
        assert_eq!(unpacked.trim_end(), content);
    }
}

#[tokio::test]
async fn an_answer_is_compressed_for_those_who_accept_it() {
    let emulator = start(Emulator::builder().gzip(true).fault(Fault::truncate(15).skip(3))).await;
    for (accepted, compressed) in [("gzip", true), ("deflate, GZIP;q=0.5", true), ("gzip;q=0, br", false)] {
        let heard = ask(&emulator, &form(SUMMARIES, &format!("Accept-Encoding: {accepted}\r\n"), "")).await;
        let content = if compressed { unpacked(&heard) } else { heard.body().to_vec() };
        assert_eq!(serde_json::from_slice::<Value>(&content).unwrap()["code"], 200, "{accepted}");
        assert_eq!(last(&emulator).code, Some(200));
    }
    let heard = ask(&emulator, &form(SUMMARIES, "Accept-Encoding: *\r\n", "")).await;
    assert!(heard.head().contains("content-encoding: gzip"));
    assert_eq!(heard.body().len(), 15);
}

#[tokio::test]
async fn a_caller_is_sent_elsewhere() {
    let emulator = with(Fault::redirect("http://127.0.0.1:9/a\n,b")).await;
    let heard = ask(&emulator, &submit()).await;
    assert!(heard.head().starts_with("http/1.1 307"));
    assert!(heard.head().contains("location: http://127.0.0.1:9/a,b"), "{}", heard.head());
    assert!(emulator.jobs().is_empty());
}

#[tokio::test]
async fn a_fault_befalls_as_many_requests_as_it_was_told() {
    let emulator = with(Fault::busy().on("displayUserJobsSummary").skip(1).times(2)).await;
    let mut codes = Vec::new();
    for _ in 0..5 {
        assert_eq!(ask(&emulator, &submit()).await.json()["code"], 200);
        codes.push(ask(&emulator, &list()).await.json()["code"].as_u64().unwrap());
    }
    assert_eq!(codes, [200, 500, 500, 200, 200]);
    emulator.inject(Fault::page(502));
    assert!(ask(&emulator, &list()).await.head().starts_with("http/1.1 502"));
    emulator.clear_faults();
    assert_eq!(ask(&emulator, &list()).await.json()["code"], 200);
}

#[tokio::test]
async fn a_path_that_is_no_operation_is_spared() {
    let emulator = with(Fault::close()).await;
    assert!(ask(&emulator, &post("sqlflow/nothing", "", "")).await.head().starts_with("http/1.1 404"));
    assert_eq!(last(&emulator).fault, None);
}

#[tokio::test]
async fn a_server_stops_in_the_middle_of_faults() {
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
        open.push(say(&emulator, &list()).await);
        received(&emulator, number).await;
    }
    assert!(ask(&emulator, &submit()).await.is_silence());
    let begun = Instant::now();
    emulator.shutdown().await;
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    let dripped = listen(open.pop().unwrap()).await;
    assert_eq!(dripped.json()["code"], 200, "what was dripping comes at once");
    assert_eq!(listen(open.pop().unwrap()).await.json()["code"], 200, "what was late comes at once");
}

#[tokio::test]
async fn a_server_that_refuses_connections_stops() {
    let emulator = with(Fault::refuse(LONG)).await;
    let address = emulator.addr();
    let begun = Instant::now();
    emulator.shutdown().await;
    assert!(begun.elapsed() < Duration::from_secs(2));
    let successor = Emulator::builder().port(address.port()).start().await.unwrap();
    assert_eq!(ask(&successor, &list()).await.json()["code"], 200);
}
