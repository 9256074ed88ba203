//! Control characters in the texts of servers act neither on a terminal nor on a log.

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::json;
use sqlflow_client::{Error, Vendor};

use crate::TestResult;
use crate::mock::{JOBS, SUMMARY as JOB, Server, answer, failure, page, success};
use crate::raw_server::RawServer;

/// Clears the screen, goes back, rings, begins a sequence of C1, reverses the line, isolates, breaks it, is invisible.
const EVIL: &str = "\u{1b}[2J\r\u{7}\u{8}\u{9b}31m\u{202e}\u{2066}\u{2028}\u{feff}\u{0}\u{7f}";

/// Returns the first character of a text that acts instead of showing something, except for line breaks if they may be
/// there.
fn acting(text: &str, with_lines: bool) -> Option<char> {
    text.chars().find(|letter| {
        let is_acting = letter.is_control() || EVIL.contains(*letter) && !letter.is_ascii_graphic();
        is_acting && !(with_lines && matches!(letter, '\n' | '\t'))
    })
}

fn assert_harmless(error: &Error) {
    let mut texts = vec![error.to_string(), format!("{error:?}")];
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        texts.extend([source.to_string(), format!("{source:?}")]);
        cause = source.source();
    }
    for text in texts {
        assert_eq!(acting(&text, false), None, "{text:?}");
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no test panics in here").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn an_error_is_one_line_whatever_the_server_says() -> TestResult {
    let line_and_evil = format!("first\nsecond {EVIL} end");
    for said in [
        failure(500, &line_and_evil),
        page(502, &format!("<p>{line_and_evil}</p>")),
        page(200, &line_and_evil),
        answer(json!({"code": 200, "data": line_and_evil})),
        answer(json!({"code": line_and_evil})),
        answer(json!([line_and_evil])),
    ] {
        let server = Server::start().await;
        server.everywhere(said).await;
        let client = server.client();
        assert_harmless(&client.jobs().await.expect_err("no list"));
        assert_harmless(&client.job("j1").info().await.expect_err("no job"));
        assert_harmless(&client.job("j1").export_full_lineage_as_json().lineage().await.expect_err("no lineage"));
        assert_harmless(&client.submit(Vendor::Oracle).sql("a.sql", "select 1").await.expect_err("no job"));
    }
    let server = Server::answering(JOBS, failure(500, "first\nsecond \u{1b}[2J")).await;
    let error = server.client().jobs().await.expect_err("it failed");
    assert!(error.to_string().starts_with(r"first\nsecond \u{1b}[2J (code 500"), "{error}");
    Ok(())
}

#[tokio::test]
async fn the_header_of_a_redirect_or_an_encoding_is_escaped() -> TestResult {
    for header in ["302 Found\r\nLocation: http://h/\u{9b}31m\u{202e}", "200 OK\r\nContent-Encoding: \u{9b}31m\u{202e}"]
    {
        let response = format!("HTTP/1.1 {header}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        let error = RawServer::writing(response).await?.client().jobs().await.expect_err("no list");
        assert!(error.to_string().contains(r"\u{202e}"), "{error}");
        assert_harmless(&error);
    }
    Ok(())
}

#[tokio::test]
async fn the_messages_about_a_job_keep_their_lines_and_nothing_else_that_acts() -> TestResult {
    let text = format!("first\r\n\tsecond {EVIL} end");
    let job = json!({"jobId": "j1", "status": format!("slow {EVIL}"), "errorMessage": text});
    let server = Server::answering(JOB, answer(json!({"code": 203, "error": text, "data": job}))).await;
    let info = server.client().job("j1").info().await?;
    let message = info.error_message.as_deref().unwrap_or_default();
    assert!(message.starts_with("first\n\tsecond \\u{1b}[2J\\r"), "{message:?}");
    for text in info.warnings.iter().map(String::as_str).chain([message]) {
        assert_eq!(acting(text, true), None, "{text:?}");
    }
    assert_eq!(info.warnings.len(), 2);
    assert_eq!(acting(&info.status.to_string(), false), None, "{:?}", info.status);
    assert_eq!(acting(&format!("{info:?}"), false), None);

    let failed = json!({"jobId": "j1", "status": "fail", "errorMessage": text});
    let server = Server::answering(JOB, success(failed)).await;
    let error = server.client().job("j1").wait().await.expect_err("it failed");
    assert!(error.to_string().contains(r"first\n\tsecond"), "{error}");
    assert_harmless(&error);

    let errors = json!({"code": 500, "data": {"errorInfos": [{"errorMessage": text}]}});
    let server = Server::start().await;
    server.everywhere(answer(errors)).await;
    let check = server.client().check_syntax(Vendor::Oracle, "select").await?;
    assert_eq!(acting(&check.errors[0].to_string(), true), None, "{check:?}");
    Ok(())
}

#[tokio::test]
async fn an_event_of_the_log_is_one_line() -> TestResult {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let text = format!("first\nERROR forged {EVIL} end");
    let server = Server::start().await;
    server.on(JOBS, answer(json!({"code": 203, "error": text, "data": {"total": 0, "jobDetails": []}}))).await;
    server.client().jobs().await?;
    let server = Server::start().await;
    server.everywhere(failure(503, &format!("service is busy {text}"))).await;
    let backoff = sqlflow_client::retry::Backoff::new().max_attempts(2).base_delay(std::time::Duration::from_millis(1));
    let error = server.builder().retry(backoff).build()?.jobs().await.expect_err("it failed");
    assert_harmless(&error);
    drop(guard);
    let log = String::from_utf8(log.0.lock().expect("no test panics in here").clone())?;
    assert!(log.contains("success with a warning") && log.contains("retrying after"), "{log}");
    assert!(log.lines().all(|line| !line.starts_with("ERROR")), "{log}");
    for line in log.lines() {
        assert_eq!(acting(line, false), None, "{line:?}");
    }
    Ok(())
}
