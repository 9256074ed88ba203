//! The memory that an export needs, measured where Linux tells it. This program has only one test, because the memory of
//! others would be counted too.
#![cfg(target_os = "linux")]

use std::fmt::Write as _;
use std::time::Duration;

use sqlflow_emulator::Emulator;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const STATEMENTS: usize = 200;
const COLUMNS: usize = 100;

/// The on-premise user, who needs no token of its own.
const USER: &str = "userId=gudu%7C0123456789&token=token";

/// Returns the resident memory of this process and its peak since the last call, in KiB.
fn memory() -> [u64; 2] {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let value = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_matches([':', '\t', ' ', 'k', 'B']).parse::<u64>().unwrap()
    };
    let found = [value("VmRSS"), value("VmHWM")];
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    found
}

/// Returns statements whose lineage has two relationships for each column: into the record set, and out of it.
fn large_script() -> String {
    let columns = |prefix: char| (0..COLUMNS).map(|n| format!("{prefix}_column_{n}")).collect::<Vec<_>>().join(", ");
    let (into, from) = (columns('t'), columns('s'));
    let mut script = String::new();
    for number in 0..STATEMENTS {
        writeln!(script, "insert into target_{number} ({into}) select {from} from source_{number};").unwrap();
    }
    script
}

/// Sends a request for an operation on jobs, and passes each piece of the response to `read`.
async fn send(emulator: &Emulator, operation: &str, media_type: &str, body: &str, mut read: impl FnMut(&[u8])) {
    let mut stream = TcpStream::connect(emulator.addr()).await.unwrap();
    let head = format!(
        "POST /gspLive_backend/sqlflow/job/{operation} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: {media_type}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut piece = vec![0; 64 * 1024];
    loop {
        match stream.read(&mut piece).await.unwrap() {
            0 => return,
            length => read(&piece[..length]),
        }
    }
}

async fn submit(emulator: &Emulator, script: &str) {
    let field =
        |name: &str, value: &str| format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    let file = "--x\r\nContent-Disposition: form-data; name=\"sqlfiles\"; filename=\"a.sql\"\r\n\r\n";
    let fields = [("userId", "gudu|0123456789"), ("token", "token"), ("dbvendor", "dbvoracle"), ("jobName", "large")];
    let fields: String = fields.iter().map(|(name, value)| field(name, value)).collect();
    let body = format!("{fields}{file}{script}\r\n--x--\r\n");
    let mut answer = Vec::new();
    send(emulator, "submitUserJob", "multipart/form-data; boundary=x", &body, |piece| answer.extend(piece)).await;
    assert!(String::from_utf8_lossy(&answer).contains("\"jobId\""), "{}", String::from_utf8_lossy(&answer));
}

/// Polls until the only job has ended.
async fn ended(emulator: &Emulator) {
    while !matches!(emulator.jobs()[0].status.as_str(), "success" | "partial_success" | "fail") {
        tokio::task::yield_now().await;
    }
    assert_eq!(emulator.jobs()[0].status, "success");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_needs_less_memory_than_half_of_its_size() {
    let at_once = Duration::ZERO;
    let emulator = Emulator::builder().time_in_create(at_once).time_in_process(at_once).start().await.unwrap();
    submit(&emulator, &large_script()).await;
    ended(&emulator).await;
    for (operation, more) in [
        ("exportLineageAsCsv", ""),
        ("exportFullLineageAsJson", ""),
        ("exportLineageAsJson", ""),
        ("exportLineageAsJson", "&containGraphML=true"),
        ("exportLineageAsGraphml", ""),
    ] {
        memory();
        let [before, _] = memory();
        let mut bytes = 0_u64;
        let count = |piece: &[u8]| bytes += piece.len() as u64;
        send(&emulator, operation, "application/x-www-form-urlencoded", &format!("{USER}{more}"), count).await;
        let [_, peak] = memory();
        let (size, peak) = (bytes / 1024, peak.saturating_sub(before));
        println!("{operation}{more}: {size} KiB, peak {peak} KiB above {before} KiB");
        // What a CSV is made from is larger than the CSV.
        let is_small = operation == "exportLineageAsCsv";
        assert!(is_small || peak < size / 2, "{operation}{more}: {size} KiB take {peak} KiB");
        assert!(size > 1024, "{operation}{more}: {size} KiB");
    }
}
