//! Lists of jobs: filters, the stream, and the times of jobs.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use futures_util::FutureExt as _;
use serde_json::{Value, json};
use sqlflow_client::job::{JobStream, ListJobs};
use sqlflow_client::{Error, ErrorKind, JobStatus, Vendor};
use tokio::sync::Notify;

use crate::TestResult;
use crate::mock::{JOBS, SUMMARY, Server, answer, body, failure, success};
use crate::raw_server::{CHUNKED, RawServer, chunk};
use crate::sent::fields;

fn jobs() -> Value {
    json!({"total": 3, "jobIds": ["1", "2", "3"], "jobDetails": [
        {"jobId": "1", "jobName": "nightly-a", "status": "fail", "dbVendor": "dbvoracle",
         "createTime": "2026-01-01 08:00:00"},
        {"jobId": "2", "jobName": "Nightly-b", "status": "success", "dbVendor": "dbvmysql",
         "createTime": "2026-01-02 08:00:00"},
        {"jobId": "3", "jobName": "weekly", "status": "success", "dbVendor": "dbvoracle"},
    ]})
}

/// Reads a stream to its end: the ids of its jobs, and its errors.
async fn read(mut stream: JobStream) -> (Vec<String>, Vec<Error>) {
    let (mut ids, mut errors) = (Vec::new(), Vec::new());
    loop {
        match stream.try_next().await {
            Ok(Some(job)) => ids.push(job.id.to_string()),
            Ok(None) => return (ids, errors),
            Err(error) => errors.push(error),
        }
    }
}

/// Reads the stream of a server that sends this body.
async fn streamed(text: &str) -> (Vec<String>, Vec<Error>) {
    let server = Server::answering(JOBS, body(text)).await;
    read(server.client().jobs().stream()).await
}

#[tokio::test]
async fn each_filter_keeps_the_jobs_that_pass_in_the_list_and_in_the_stream() -> TestResult {
    type Filter = Box<dyn Fn(ListJobs) -> ListJobs>;

    let server = Server::answering(JOBS, success(jobs())).await;
    let sqlflow = server.client();
    let second_day = UNIX_EPOCH + Duration::from_secs(1_767_340_800);
    let all: fn(ListJobs) -> ListJobs = |list| list;
    let cases: [(Filter, &[&str]); 7] = [
        (Box::new(all), &["1", "2", "3"]),
        (Box::new(|list| list.status([JobStatus::Success])), &["2", "3"]),
        (Box::new(|list| list.name_matching("night*")), &["1", "2"]),
        (Box::new(|list| list.vendor(Vendor::Oracle)), &["1", "3"]),
        (Box::new(move |list| list.created_after(second_day)), &["2"]),
        (Box::new(move |list| list.created_before(second_day)), &["1"]),
        (Box::new(|list| list.vendor(Vendor::Oracle).status([JobStatus::Success])), &["3"]),
    ];
    for (filter, expected) in cases {
        let list = filter(sqlflow.jobs()).await?;
        assert_eq!(list.total, Some(3));
        assert_eq!(list.jobs.iter().map(|job| job.id.as_str()).collect::<Vec<_>>(), expected);
        let sent = filter(sqlflow.jobs()).send().await?;
        assert_eq!(sent, list);
        let (ids, errors) = read(filter(sqlflow.jobs()).stream()).await;
        assert_eq!(ids, expected);
        assert!(errors.is_empty(), "{errors:?}");
    }
    // The API has no filters.
    let expected = fields([("userId", "gudu|0123456789"), ("token", "token")]);
    assert!(server.sent().await.iter().all(|sent| sent.form() == expected));
    Ok(())
}

#[tokio::test]
async fn a_stream_reads_the_same_jobs_as_the_list_whatever_the_order_of_the_fields() -> TestResult {
    let data = jobs();
    for text in [
        format!(r#"{{"code":200,"data":{data}}}"#),
        format!("\u{feff} {{\"data\":{data},\"sessionId\":\"s\",\"code\":\"200\"}}\n"),
        format!(r#"{{"data":{{"jobDetails":{},"total":"3"}},"code":203,"error":"w1\nw2"}}"#, data["jobDetails"]),
    ] {
        let (ids, errors) = streamed(&text).await;
        assert_eq!(ids, ["1", "2", "3"]);
        assert!(errors.is_empty(), "{errors:?}");
    }
    for none in [json!({"total": 0, "jobDetails": null}), json!({"jobDetails": []})] {
        let (ids, errors) = streamed(&json!({"code": 200, "data": none}).to_string()).await;
        assert!(ids.is_empty() && errors.is_empty(), "{errors:?}");
    }
    Ok(())
}

#[tokio::test]
async fn the_warnings_of_a_list_are_known_when_its_stream_has_ended() -> TestResult {
    let server = Server::answering(JOBS, answer(json!({"code": 203, "error": "a\nb", "data": jobs()}))).await;
    let mut stream = server.client().jobs().stream();
    while stream.try_next().await?.is_some() {}
    assert_eq!(stream.warnings(), ["a", "b"]);
    assert!(stream.try_next().await?.is_none());
    Ok(())
}

#[tokio::test]
async fn an_entry_that_is_not_a_job_is_an_error_that_does_not_end_the_stream() {
    let data = json!({"total": 4, "jobDetails": [{"jobId": "1"}, {"jobName": "x"}, null, {"jobId": 4}]});
    let (ids, errors) = streamed(&json!({"code": 200, "data": data}).to_string()).await;
    assert_eq!(ids, ["1", "4"]);
    assert_eq!(errors.iter().map(Error::kind).collect::<Vec<_>>(), [ErrorKind::Protocol; 2]);
    assert!(errors[0].to_string().contains("entry 2"), "{}", errors[0]);
}

#[tokio::test]
async fn a_list_that_is_shorter_than_its_own_count_is_an_error_at_its_end() {
    for data in [
        json!({"total": 2, "jobDetails": [{"jobId": "1"}]}),
        json!({"jobDetails": [{"jobId": "1"}], "jobIds": ["1", "2"]}),
    ] {
        let (ids, errors) = streamed(&json!({"code": 200, "data": data}).to_string()).await;
        assert_eq!((ids.len(), errors.len()), (1, 1));
        assert_eq!(errors[0].kind(), ErrorKind::Protocol);
        assert!(errors[0].to_string().contains("1 of 2"), "{}", errors[0]);
    }
}

#[tokio::test]
async fn a_failure_is_an_error_of_the_stream_wherever_its_code_is() {
    let server = Server::answering(JOBS, failure(500, "boom")).await;
    let (ids, errors) = read(server.client().jobs().stream()).await;
    assert_eq!((ids.len(), errors.len(), errors[0].kind()), (0, 1, ErrorKind::Server));
    // Too long for an envelope that is looked at before it is parsed.
    let long = "x".repeat(300 * 1024);
    let data = json!({"jobDetails": [{"jobId": "1", "jobName": long}]});
    let (_, errors) = streamed(&format!(r#"{{"data":{data},"error":"boom","code":500}}"#)).await;
    assert_eq!(errors.len(), 1);
    assert_eq!((errors[0].kind(), errors[0].code()), (ErrorKind::Server, Some(500)), "{}", errors[0]);
    assert_eq!(errors[0].operation(), Some("displayUserJobsSummary"));
}

#[tokio::test]
async fn a_success_without_a_list_is_an_error_of_the_stream() {
    for data in [json!(null), json!(""), json!({}), json!([]), json!("none")] {
        let (ids, errors) = streamed(&json!({"code": 200, "data": data}).to_string()).await;
        assert!(ids.is_empty());
        assert_eq!(errors.iter().map(Error::kind).collect::<Vec<_>>(), [ErrorKind::Protocol], "{data}");
    }
}

#[tokio::test]
async fn a_list_that_is_truncated_is_an_error_after_its_jobs() -> TestResult {
    let (ids, errors) = streamed(r#"{"code":200,"data":{"jobDetails":[{"jobId":"1"},{"job"#).await;
    assert_eq!(ids, ["1"]);
    assert_eq!(errors.iter().map(Error::kind).collect::<Vec<_>>(), [ErrorKind::Interrupted]);
    // A connection that breaks.
    let text = br#"{"code":200,"data":{"jobDetails":[{"jobId":"1"},"#;
    let server = RawServer::writing([CHUNKED.as_bytes(), &chunk(text)].concat()).await?;
    let (ids, errors) = read(server.client().jobs().stream()).await;
    assert_eq!(ids, ["1"]);
    assert_eq!(errors.iter().map(Error::kind).collect::<Vec<_>>(), [ErrorKind::Interrupted]);
    Ok(())
}

/// Starts a server that sends jobs without end, counts their bytes, and notifies when the client has hung up.
async fn endless(sent: &Arc<AtomicUsize>, hung_up: &Arc<Notify>, stuck: &Arc<Notify>) -> io::Result<RawServer> {
    let (sent, hung_up, stuck) = (Arc::clone(sent), Arc::clone(hung_up), Arc::clone(stuck));
    RawServer::start(move |mut connection| {
        let (sent, hung_up, stuck) = (Arc::clone(&sent), Arc::clone(&hung_up), Arc::clone(&stuck));
        async move {
            connection.request().await?;
            connection.send(CHUNKED).await?;
            connection.send(chunk(br#"{"code":200,"data":{"jobDetails":["#)).await?;
            let job = json!({"jobId": "1", "jobName": "x".repeat(10_000)}).to_string() + ",";
            let job = chunk(job.as_bytes());
            loop {
                let mut sending = std::pin::pin!(connection.send(&job));
                // A client that does not take more lets the server wait.
                if sending.as_mut().now_or_never().is_none() {
                    stuck.notify_one();
                    if sending.await.is_err() {
                        hung_up.notify_one();
                        return Ok(());
                    }
                }
                sent.fetch_add(job.len(), Ordering::SeqCst);
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_stream_that_is_not_read_stops_the_download_and_a_dropped_one_ends_it() -> TestResult {
    let (sent, hung_up, stuck) = (Arc::default(), Arc::default(), Arc::<Notify>::default());
    let server = endless(&sent, &hung_up, &stuck).await?;
    let mut jobs = server.client().jobs().stream();
    for _ in 0..2000 {
        assert!(jobs.try_next().await?.is_some());
    }
    assert!(sent.load(Ordering::SeqCst) > 15_000_000);
    // The stream is not polled now: the buffers fill, and then the server cannot send. Without backpressure it would
    // send for ever.
    stuck.notified().await;
    drop(jobs);
    hung_up.notified().await;
    Ok(())
}

#[tokio::test]
async fn times_are_read_in_the_time_zone_of_the_server() -> TestResult {
    let job = json!({"jobId": "1", "createTime": "2026-01-01 08:00:00", "lastExecuteTime": "2026-01-01 08:00:05"});
    let server = Server::answering(SUMMARY, success(job.clone())).await;
    server.on(JOBS, success(json!({"total": 1, "jobDetails": [job]}))).await;
    let midnight = Some(UNIX_EPOCH + Duration::from_secs(1_767_225_600));
    let sqlflow = server.builder().server_time_zone("Asia/Shanghai").build()?;
    let info = sqlflow.job("1").info().await?;
    assert_eq!(info.created_at(), midnight);
    assert_eq!(info.last_executed_at(), midnight.map(|time| time + Duration::from_secs(5)));
    assert_eq!(sqlflow.jobs().await?.jobs[0].created_at(), midnight);
    assert_eq!(sqlflow.jobs().stream().try_next().await?.and_then(|job| job.created_at()), midnight);
    let assumed = server.client().job("1").info().await?.created_at();
    assert_eq!(assumed, midnight.map(|time| time + Duration::from_secs(8 * 3600)));
    Ok(())
}

/// Runs a test in a thread of its own, since a runtime that hangs while it ends would hang the test.
fn in_thread(test: impl FnOnce() -> TestResult + Send + 'static) -> TestResult {
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send(test().map_err(|error| error.to_string())));
    Ok(ended.recv_timeout(Duration::from_secs(60)).map_err(|_| "it hangs")??)
}

/// A server that sends one job and then nothing.
async fn silent_after_one_job() -> io::Result<RawServer> {
    RawServer::start(|mut connection| async move {
        connection.request().await?;
        connection.send(CHUNKED).await?;
        let job = format!(r#"{{"code":200,"data":{{"jobDetails":[{{"jobId":"1","x":"{}"}},"#, "z".repeat(300_000));
        connection.send(chunk(job.as_bytes())).await?;
        connection.hold().await
    })
    .await
}

#[test]
fn a_runtime_ends_while_a_stream_is_held() -> TestResult {
    in_thread(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let held = runtime.block_on(async {
            let server = silent_after_one_job().await?;
            let mut jobs = server.client().jobs().stream();
            assert!(jobs.try_next().await?.is_some());
            Ok::<_, Box<dyn std::error::Error>>((server, jobs))
        })?;
        drop(runtime);
        drop(held);
        Ok(())
    })
}

#[test]
fn many_streams_that_are_held_leave_the_blocking_threads_to_the_program() -> TestResult {
    in_thread(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).max_blocking_threads(1).enable_all().build()?;
        runtime.block_on(async {
            let server = silent_after_one_job().await?;
            let mut held = Vec::new();
            for _ in 0..8 {
                let mut jobs = server.client().jobs().stream();
                assert!(jobs.try_next().await?.is_some());
                held.push(jobs);
            }
            tokio::task::spawn_blocking(|| ()).await?;
            Ok(())
        })
    })
}

#[tokio::test]
async fn an_entry_without_an_end_does_not_fill_the_memory() -> TestResult {
    let server = RawServer::start(|mut connection| async move {
        connection.request().await?;
        connection.send(CHUNKED).await?;
        connection.send(chunk(br#"{"code":200,"data":{"jobDetails":[{"jobId":""#)).await?;
        let part = chunk(&vec![b'a'; 1 << 20]);
        // It ends when the client hangs up.
        while connection.send(&part).await.is_ok() {}
        Ok(())
    })
    .await?;
    let (ids, errors) = read(server.client().jobs().stream()).await;
    assert_eq!((ids.len(), errors.len()), (0, 1));
    assert_eq!(errors[0].kind(), ErrorKind::Protocol);
    assert!(errors[0].to_string().contains("16 MiB"), "{}", errors[0]);
    Ok(())
}

/// Reads a list in every way: the number of its jobs, or the kind of the error, of `jobs()`, its stream, and
/// `scheduled_jobs()`.
async fn in_every_way(text: String) -> [Result<usize, ErrorKind>; 3] {
    let server = Server::answering(JOBS, body(text.clone())).await;
    server.on("/sqlflow/job/listScheduleJobs", body(text)).await;
    let sqlflow = server.client();
    let (ids, errors) = read(sqlflow.jobs().stream()).await;
    [
        sqlflow.jobs().await.map(|list| list.jobs.len()).map_err(|error| error.kind()),
        errors.first().map_or(Ok(ids.len()), |error| Err(error.kind())),
        sqlflow.scheduled_jobs().await.map(|list| list.jobs.len()).map_err(|error| error.kind()),
    ]
}

#[tokio::test]
async fn one_rule_says_what_a_complete_list_is() {
    const TWO: &str = r#"[{"jobId":"1"},{"jobId":"2"}]"#;
    let data = |data: &str| format!(r#"{{"code":200,"data":{data}}}"#);
    for text in [
        data(&format!(r#"{{"total":2.0,"jobDetails":{TWO}}}"#)),
        data(&format!(r#"{{"total":"2","jobIds":["1","2"],"jobDetails":{TWO}}}"#)),
        data(&format!(r#"{{"total":1,"jobDetails":{TWO}}}"#)),
        data(&format!(r#"{{"jobIds":"1,2,3","jobDetails":{TWO}}}"#)),
        data(&format!(r#"{{"jobId":null,"total":2,"jobDetails":{TWO}}}"#)),
    ] {
        assert_eq!(in_every_way(text.clone()).await, [Ok(2); 3], "{text}");
    }
    assert_eq!(in_every_way(data(r#"{"jobIds":"","jobDetails":[]}"#)).await, [Ok(0); 3]);
    for text in [
        data(&format!(r#"{{"total":3,"jobDetails":{TWO}}}"#)),
        data(&format!(r#"{{"total":5.0,"jobDetails":{TWO}}}"#)),
        data(&format!(r#"{{"jobIds":["1","2","3"],"jobDetails":{TWO}}}"#)),
        data(r#"{"total":3}"#),
        data("{}"),
        data(&format!(r#"{{"jobs":{TWO}}}"#)),
        data(r#"{"total":0,"jobDetails":"x"}"#),
        data(r#"{"total":1,"jobDetails":{"jobId":"1"}}"#),
        data(&format!(r#"{{"jobDetails":{TWO},"jobDetails":{TWO}}}"#)),
        format!(r#"{{"code":200,"data":{{"jobDetails":{TWO}}},"data":{{"jobDetails":{TWO}}}}}"#),
        String::new(),
        "[]".to_owned(),
    ] {
        assert_eq!(in_every_way(text.clone()).await, [Err(ErrorKind::Protocol); 3], "{text}");
    }
    for (text, kind) in
        [(r#"{"error":"boom"}"#, ErrorKind::Server), (r#"{"code":500,"error":"boom","data":{}}"#, ErrorKind::Server)]
    {
        assert_eq!(in_every_way(text.to_owned()).await, [Err(kind); 3], "{text}");
    }
}

#[tokio::test]
async fn an_entry_that_is_no_valid_value_hides_no_other_job() -> TestResult {
    let nested = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    for odd in [r#""\ud83d""#, &nested] {
        let text = format!(
            r#"{{"code":200,"data":{{"total":3,"jobDetails":[{{"jobId":"1"}},{{"jobId":"2","x":{odd}}},{{"jobId":"3"}}]}}}}"#
        );
        let server = Server::answering(JOBS, body(text.clone())).await;
        server.on("/sqlflow/job/listScheduleJobs", body(text)).await;
        let sqlflow = server.client();
        for list in [sqlflow.jobs().await?, sqlflow.scheduled_jobs().await?] {
            assert_eq!((list.jobs.len(), list.unread.len()), (2, 1));
            assert!(list.unread[0].as_str().is_some_and(|entry| entry.contains(odd)));
        }
        let (ids, errors) = read(sqlflow.jobs().stream()).await;
        assert_eq!((ids.len(), errors.len()), (2, 1));
    }
    Ok(())
}
