//! A server that does little work itself: it sends prepared bytes, and reads uploads to their end.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::{JOB, Outcome};

const STATE: &str = r#"{"jobId":"6fa5c6c4d3f24ac68bb0a5b2cbb1ea3e","jobName":"nightly-1f3a5c","userId":"auth0|5fc8","userEmail":"ann@example.com","dbVendor":"dbvoracle","createTime":"2026-11-26 09:14:03","lastExecuteTime":"2026-11-26 09:14:04","executeTime":"0min 3sec","fileNames":["etl.sql"],"status":"success","defaultDatabase":"","defaultSchema":"","sessionId":"8d3b1","showRelationType":"fdd","ignoreRecordSet":false,"ignoreFunction":false,"showConstantTable":false,"onTop":false,"parallel":true,"persist":false,"schedulable":false}"#;

/// The length up to which the body of a request is a form without files.
const MAX_FORM_BYTES: u64 = 4096;

/// A request, and the job that it is about.
struct Request {
    path: String,
    job: String,
}

/// The responses of the server, and its counts.
#[derive(Default)]
struct Server {
    /// The path of the export.
    body: Option<String>,
    /// The list of the jobs while they run, and when they have ended.
    lists: [String; 2],
    /// The time from the first question about the jobs until all of them end.
    time_to_end: Duration,
    first_question: OnceLock<Instant>,
    list_requests: AtomicUsize,
    lists_in_flight: AtomicUsize,
    most_lists_in_flight: AtomicUsize,
    state_requests: AtomicUsize,
    /// The length of the last request body.
    received: AtomicU64,
}

/// Runs the server: prints its address, and then its counts for every line of input, until the input ends.
pub(crate) fn serve(options: &[&str]) -> Outcome {
    let mut server = Server::default();
    for pair in options.chunks(2) {
        match *pair {
            ["--body", path] => server.body = Some(path.to_owned()),
            ["--jobs", count] => {
                let count = count.parse()?;
                server.lists = ["process", "success"].map(|status| list(count, status));
            }
            ["--seconds", seconds] => server.time_to_end = Duration::from_secs(seconds.parse()?),
            _ => return Err(super::unknown("option", &pair.join(" "))),
        }
    }
    let (server, listener) = (Arc::new(server), TcpListener::bind("127.0.0.1:0")?);
    println!("http://{}", listener.local_addr()?);
    let accepting = Arc::clone(&server);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let server = Arc::clone(&accepting);
            // A client that closes its connection early is measured as one that fails, not here.
            std::thread::spawn(move || server.answer_all(&stream));
        }
    });
    for line in io::stdin().lines() {
        line?;
        println!("{}", server.counts());
    }
    Ok(String::new())
}

/// Returns the id of a job in the list.
pub(crate) fn job_id(number: usize) -> String {
    format!("{number:032x}")
}

/// Returns the state of a job, in the fields that a server writes.
pub(crate) fn state(id: &str, status: &str) -> String {
    STATE.replace(JOB, id).replace(r#""status":"success""#, &format!(r#""status":"{status}""#))
}

/// Returns the response to a request, as a client receives it.
pub(crate) fn envelope(data: &str) -> String {
    format!(r#"{{"code":200,"data":{data}}}"#)
}

/// Returns the beginning of a response.
pub(crate) fn head(length: u64) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json;charset=utf-8\r\nContent-Length: {length}\r\n\r\n")
}

fn list(jobs: usize, status: &str) -> String {
    let details: Vec<_> = (0..jobs).map(|number| state(&job_id(number), status)).collect();
    envelope(&format!(r#"{{"total":{jobs},"jobDetails":[{}]}}"#, details.join(",")))
}

impl Server {
    fn counts(&self) -> String {
        serde_json::json!({
            "lists": self.list_requests.load(Ordering::SeqCst),
            "most_lists_in_flight": self.most_lists_in_flight.load(Ordering::SeqCst),
            "list_bytes": self.lists[0].len(),
            "states": self.state_requests.load(Ordering::SeqCst),
            "received": self.received.load(Ordering::SeqCst),
        })
        .to_string()
    }

    /// Answers every request of a connection.
    fn answer_all(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let (mut reader, mut writer) = (BufReader::with_capacity(1 << 18, stream), stream);
        while let Some(request) = self.receive(&mut reader, &mut writer)? {
            self.answer(&request, &mut writer)?;
        }
        Ok(())
    }

    /// Reads a request with its body. Returns `None` at the end of the connection.
    fn receive(&self, reader: &mut BufReader<&TcpStream>, writer: &mut &TcpStream) -> io::Result<Option<Request>> {
        let (mut first, mut line, mut length) = (String::new(), String::new(), 0);
        if reader.read_line(&mut first)? == 0 {
            return Ok(None);
        }
        while reader.read_line(&mut line)? > 2 {
            let header = line.to_ascii_lowercase();
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().map_err(io::Error::other)?;
            } else if header.starts_with("expect: 100-continue") {
                writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            } else if header.starts_with("transfer-encoding:") {
                return Err(io::Error::other("a body without a length"));
            }
            line.clear();
        }
        let mut form = String::new();
        let received = if length <= MAX_FORM_BYTES {
            reader.take(length).read_to_string(&mut form)? as u64
        } else {
            io::copy(&mut reader.take(length), &mut io::sink())?
        };
        self.received.store(received, Ordering::SeqCst);
        let job = form.split('&').find_map(|field| field.strip_prefix("jobId=")).unwrap_or(JOB);
        Ok(first.split(' ').nth(1).map(|path| Request { path: path.to_owned(), job: job.to_owned() }))
    }

    fn have_ended(&self) -> bool {
        self.first_question.get_or_init(Instant::now).elapsed() >= self.time_to_end
    }

    fn answer(&self, Request { path, job }: &Request, writer: &mut &TcpStream) -> io::Result<()> {
        if path.ends_with("displayUserJobsSummary") {
            return self.answer_list(writer);
        }
        if path.contains("export") {
            let file = File::open(self.body.as_deref().ok_or_else(|| io::Error::other("nothing to export"))?)?;
            let length = file.metadata()?.len();
            writer.write_all(head(length).as_bytes())?;
            return io::copy(&mut file.take(length), writer).map(drop);
        }
        let body = if path.ends_with("displayUserJobSummary") {
            self.state_requests.fetch_add(1, Ordering::SeqCst);
            let status = if self.lists[0].is_empty() || self.have_ended() { "success" } else { "process" };
            envelope(&state(job, status))
        } else {
            envelope(&format!(r#"{{"jobId":"{JOB}"}}"#))
        };
        writer.write_all(format!("{}{body}", head(body.len() as u64)).as_bytes())
    }

    fn answer_list(&self, writer: &mut &TcpStream) -> io::Result<()> {
        let in_flight = self.lists_in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_lists_in_flight.fetch_max(in_flight, Ordering::SeqCst);
        self.list_requests.fetch_add(1, Ordering::SeqCst);
        let list = &self.lists[usize::from(self.have_ended())];
        let written =
            writer.write_all(head(list.len() as u64).as_bytes()).and_then(|()| writer.write_all(list.as_bytes()));
        self.lists_in_flight.fetch_sub(1, Ordering::SeqCst);
        written
    }
}
