//! However a submission fails, it makes at most one job, and the client never reports otherwise.

use std::fs;
use std::future::ready;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::poll_fn;
use futures_util::stream::{self, StreamExt as _};
use sqlflow_client::emulator::{Emulator, EmulatorBuilder, Fault};
use sqlflow_client::job::{Database, Job, Polling, Settling};
use sqlflow_client::retry::Backoff;
use sqlflow_client::{Client, ClientBuilder, Credentials, Error, ErrorKind, Result, Vendor};

use super::{configured, requests_to};

const INSERT: &str = "insert into report (total) select amount from sales";
const SUBMIT: &str = "submitUserJob";
const PERSIST: &str = "submitPersistJob";
const LIST: &str = "displayUserJobsSummary";
const LOOKUP: &str = "displayUserJobSummary";

/// Applies a fault to the first submission.
fn once(fault: Fault) -> Fault {
    fault.on(SUBMIT).times(1)
}

async fn emulator(fault: Fault) -> Emulator {
    configured(|builder: EmulatorBuilder| builder.fault(fault)).await.1
}

fn settling() -> Settling {
    Settling::new().window(Duration::from_millis(800)).max_lookups(3)
}

fn builder(emulator: &Emulator) -> ClientBuilder {
    Client::builder(emulator.url())
        .credentials(Credentials::secret_key("ann", "any key"))
        .polling(Polling::every(Duration::from_millis(5)))
        .settling(settling())
        .retry(Backoff::new().base_delay(Duration::from_millis(1)))
}

fn client(emulator: &Emulator) -> Client {
    builder(emulator).build().unwrap()
}

async fn submitted(client: &Client) -> Result<Job> {
    client.submit(Vendor::PostgreSql).name("nightly").sql("a.sql", INSERT).await
}

/// Asserts that this job is the only one on the server, and that it was made of the submitted SQL.
async fn assert_only_job(job: &Job, emulator: &Emulator) {
    let jobs = emulator.jobs();
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    assert_eq!((job.id().as_str(), jobs[0].runs), (jobs[0].id.as_str(), 1));
    assert!(jobs[0].name.starts_with("nightly-"), "{}", jobs[0].name);
    let lineage = job.wait().await.unwrap().lineage().await.unwrap();
    let flows: Vec<_> = lineage.column_flows().iter().map(ToString::to_string).collect();
    assert_eq!(flows, ["sales.amount → report.total"]);
}

/// Asserts that the outcome is unknown, and returns the name to look for.
fn assert_unknown(error: &Error) -> &str {
    assert_eq!((error.kind(), error.operation()), (ErrorKind::SubmitUnknown, Some(SUBMIT)), "{error}");
    let name = error.job_name().expect("a name to look for");
    assert!(error.to_string().contains(name), "{error}");
    name
}

/// Looks for a job until it exists.
async fn found(client: &Client, name: &str) -> Job {
    let looking = async {
        loop {
            if let Some(job) = client.find_job(name).await.unwrap() {
                return job;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), looking).await.expect("the job comes")
}

#[tokio::test]
async fn a_submission_whose_response_was_lost_returns_the_job_that_it_made() {
    for lost in [
        Fault::lose_response(),
        Fault::reset_after_sent(0),
        Fault::reset_after_sent(20),
        Fault::truncate(20),
        Fault::content_length(10),
        Fault::garbage(),
        Fault::stall_after(20),
        Fault::latency(Duration::from_secs(60)),
        Fault::page(502).handled(),
        Fault::page(503).handled(),
        Fault::page(504).handled(),
        Fault::page(500).handled(),
        Fault::late(Duration::from_millis(30)),
    ] {
        let emulator = emulator(once(lost.clone())).await;
        let timeout = Duration::from_millis(200);
        let client = builder(&emulator).response_timeout(timeout).stall_timeout(timeout).build().unwrap();
        let job = submitted(&client).await.unwrap_or_else(|error| panic!("{lost}: {error}"));
        assert_only_job(&job, &emulator).await;
        assert_eq!(requests_to(&emulator, SUBMIT), 1, "{lost}");
        assert!(requests_to(&emulator, LIST) > 0, "{lost}");
    }
}

#[tokio::test]
async fn a_submission_that_made_no_job_is_resent_completely_after_it_was_not_listed() {
    for lost in [Fault::close(), Fault::page(502), Fault::page(503)] {
        let emulator = emulator(once(lost.clone())).await;
        let job = submitted(&client(&emulator)).await.unwrap_or_else(|error| panic!("{lost}: {error}"));
        assert_only_job(&job, &emulator).await;
        let requests = emulator.requests();
        let order: Vec<_> = requests.iter().filter_map(|request| request.operation).take(6).collect();
        assert_eq!(order, ["generateToken", SUBMIT, LIST, LIST, LIST, SUBMIT], "{lost}");
        assert_eq!(requests[1].body_bytes, requests[5].body_bytes, "{lost}");
    }
}

#[tokio::test]
async fn where_the_list_is_long_a_submission_whose_response_was_lost_is_looked_up_by_its_name() {
    let (_, emulator) = configured(|builder: EmulatorBuilder| builder).await;
    // A long list takes its time.
    let settling = Settling::new().window(Duration::from_secs(4)).max_lookups(3);
    let client = builder(&emulator).settling(settling).build().unwrap();
    let others = stream::iter(0..1_001).map(|_| submitted(&client)).buffer_unordered(16);
    assert_eq!(others.filter(|job| ready(job.is_ok())).count().await, 1_001);
    let lost = async || {
        emulator.inject(once(Fault::lose_response()));
        let job = submitted(&client).await.unwrap();
        assert!(emulator.jobs().iter().any(|it| it.id == job.id().as_str()));
        (requests_to(&emulator, LIST), requests_to(&emulator, LOOKUP))
    };
    let (lists, lookups) = lost().await;
    assert_eq!((lists > 0, lookups), (true, 0), "the length of the list is not known before");
    emulator.inject(Fault::page(404).on(LOOKUP).times(1));
    let (more_lists, lookups) = lost().await;
    assert_eq!((more_lists > lists, lookups), (true, 1), "it is not found by its name");
    assert_eq!(lost().await, (more_lists, 2));
    assert_eq!(emulator.jobs().len(), 1_004);
    // Only listings prove that a job was not created.
    emulator.inject(once(Fault::close()));
    submitted(&client).await.unwrap();
    assert_eq!((requests_to(&emulator, LIST), emulator.jobs().len()), (more_lists + 2, 1_005));
}

#[tokio::test]
async fn a_submission_whose_response_is_lost_repeatedly_is_looked_for_each_time() {
    let emulator = emulator(Fault::close().on(SUBMIT).times(3)).await;
    let job = submitted(&client(&emulator)).await.unwrap();
    assert_only_job(&job, &emulator).await;
    assert_eq!((requests_to(&emulator, SUBMIT), requests_to(&emulator, LIST)), (4, 9));
}

#[tokio::test]
async fn a_submission_whose_response_is_always_lost_fails_with_an_unknown_outcome() {
    let emulator = emulator(Fault::close().on(SUBMIT)).await;
    let retry = Backoff::new().max_attempts(3).base_delay(Duration::from_millis(1));
    let error = submitted(&builder(&emulator).retry(retry).build().unwrap()).await.unwrap_err();
    assert_unknown(&error);
    assert!(error.to_string().contains("tried 3 times"), "{error}");
    assert_eq!((requests_to(&emulator, SUBMIT), emulator.jobs().len()), (3, 0));
}

#[tokio::test]
async fn a_submission_that_the_server_may_still_process_is_never_resent() {
    for silent in [Fault::page(504), Fault::late(Duration::from_secs(2))] {
        let emulator = emulator(once(silent.clone())).await;
        // A late job looks like a missing one unless the server reports that it stopped waiting.
        let client = builder(&emulator).settling(settling().send_again(silent == Fault::page(504))).build().unwrap();
        let error = submitted(&client).await.unwrap_err();
        assert_unknown(&error);
        assert_eq!((requests_to(&emulator, SUBMIT), requests_to(&emulator, LIST)), (1, 3), "{silent}");
        assert!(emulator.jobs().is_empty(), "{silent}");
    }
}

#[tokio::test]
async fn a_job_that_appears_after_its_submission_failed_is_found_by_its_name() {
    let emulator = emulator(once(Fault::late(Duration::from_secs(2)))).await;
    let client = builder(&emulator).settling(settling().send_again(false)).build().unwrap();
    let error = submitted(&client).await.unwrap_err();
    let job = found(&client, assert_unknown(&error)).await;
    assert_only_job(&job, &emulator).await;
    assert_eq!(requests_to(&emulator, SUBMIT), 1);
}

#[tokio::test]
async fn a_submission_refused_as_busy_is_resent_without_a_request_for_the_list() {
    for away in [Fault::too_many_requests(Duration::ZERO), Fault::busy()] {
        let emulator = emulator(away.clone().on(SUBMIT).times(2)).await;
        let job = submitted(&client(&emulator)).await.unwrap_or_else(|error| panic!("{away}: {error}"));
        assert_only_job(&job, &emulator).await;
        assert_eq!((requests_to(&emulator, SUBMIT), requests_to(&emulator, LIST)), (3, 0), "{away}");
    }
}

#[tokio::test]
async fn a_submission_that_cannot_connect_is_sent_once_the_server_is_up() {
    let emulator = emulator(Fault::refuse(Duration::from_millis(100))).await;
    let short = Duration::from_millis(20);
    let retry = Backoff::new().max_attempts(90).base_delay(short).max_delay(short);
    // On-premise credentials need no token request, so the submission itself is refused.
    let client = builder(&emulator).credentials(Credentials::on_premise()).retry(retry).build().unwrap();
    let job = submitted(&client).await.unwrap();
    assert_only_job(&job, &emulator).await;
    assert_eq!((requests_to(&emulator, SUBMIT), requests_to(&emulator, LIST)), (1, 0));
}

#[tokio::test]
async fn an_upload_that_was_reset_is_resent_completely_without_a_request_for_the_list() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("large.sql");
    // More than the buffers of the connection hold, so that the reset comes before the end is given to it.
    let statements = format!("{INSERT};\n-- {}\n", "x".repeat(8_000_000));
    fs::write(&path, &statements).unwrap();
    for in_memory in [false, true] {
        let emulator = emulator(once(Fault::reset_after_received(500_000))).await;
        let submit = client(&emulator).submit(Vendor::PostgreSql).name("nightly");
        let submit = if in_memory { submit.sql("large.sql", statements.clone()) } else { submit.file(&path) };
        let job = submit.await.unwrap();
        assert_only_job(&job, &emulator).await;
        let requests = emulator.requests();
        let bytes: Vec<_> = requests
            .iter()
            .filter(|request| request.operation == Some(SUBMIT))
            .map(|request| request.body_bytes)
            .collect();
        assert_eq!((bytes.len(), requests_to(&emulator, LIST)), (2, 0), "in memory: {in_memory}, {bytes:?}");
        assert!(bytes[0] < 8_000_000 && bytes[1] > 8_000_000, "in memory: {in_memory}, {bytes:?}");
    }
}

#[tokio::test]
async fn a_submission_stays_unknown_while_the_list_is_unavailable_and_is_found_later() {
    let emulator = emulator(once(Fault::lose_response())).await;
    emulator.inject(Fault::page(500).on(LIST));
    let client = client(&emulator);
    let error = submitted(&client).await.unwrap_err();
    let name = assert_unknown(&error);
    assert_eq!((requests_to(&emulator, SUBMIT), requests_to(&emulator, LIST)), (1, 3));
    emulator.clear_faults();
    let job = client.find_job(name).await.unwrap().expect("it was made");
    assert_only_job(&job, &emulator).await;
}

#[tokio::test]
async fn a_failed_request_for_the_list_is_retried_before_the_window_ends() {
    let emulator = emulator(once(Fault::lose_response())).await;
    emulator.inject(Fault::page(500).on(LIST).times(2));
    let job = submitted(&client(&emulator)).await.unwrap();
    assert_only_job(&job, &emulator).await;
    assert_eq!((requests_to(&emulator, SUBMIT), requests_to(&emulator, LIST)), (1, 3));
}

#[tokio::test]
async fn a_failed_token_request_does_not_make_a_submission_unknown() {
    for fault in [Fault::close(), Fault::page(504), Fault::page(500), Fault::latency(Duration::from_secs(60))] {
        let emulator = emulator(fault.clone().on("generateToken")).await;
        let client = builder(&emulator).response_timeout(Duration::from_millis(50)).build().unwrap();
        let error = submitted(&client).await.unwrap_err();
        let kinds = [ErrorKind::Interrupted, ErrorKind::Timeout, ErrorKind::Server];
        assert!(kinds.contains(&error.kind()) && error.job_name().is_none(), "{fault}: {error}");
        assert_eq!(error.operation(), Some("generateToken"), "{fault}");
        assert_eq!((requests_to(&emulator, SUBMIT), requests_to(&emulator, LIST)), (0, 0), "{fault}");
    }
}

#[tokio::test]
async fn one_listing_alone_does_not_show_that_there_is_no_job() {
    // The server comes back just before the window ends.
    let emulator = emulator(once(Fault::close())).await;
    emulator.inject(Fault::page(500).on(LIST).times(2));
    assert_unknown(&submitted(&client(&emulator)).await.unwrap_err());
    assert_eq!((requests_to(&emulator, SUBMIT), requests_to(&emulator, LIST)), (1, 3));
}

#[tokio::test]
async fn the_job_has_the_name_that_was_chosen_before_the_submission() {
    let emulator = emulator(Fault::lose_response().on(SUBMIT)).await;
    let client = client(&emulator);
    let mut submit = client.submit(Vendor::PostgreSql).name("nightly").sql("a.sql", INSERT);
    let name = submit.choose_name().unwrap();
    assert!(name.starts_with("nightly-"), "{name}");
    let job = submit.await.unwrap();
    assert_eq!(emulator.jobs()[0].name, name);
    assert_eq!(found(&client, &name).await.id(), job.id());
}

#[tokio::test]
async fn a_lost_submission_without_a_unique_name_is_reported_as_unknown_at_once() {
    let emulator = emulator(once(Fault::lose_response())).await;
    let submit = client(&emulator).submit(Vendor::PostgreSql).name("nightly").without_suffix().sql("a.sql", INSERT);
    let error = submit.await.unwrap_err();
    assert_eq!(assert_unknown(&error), "nightly");
    assert_eq!((requests_to(&emulator, SUBMIT), requests_to(&emulator, LIST)), (1, 0));
    assert_eq!(emulator.jobs().len(), 1);
}

#[tokio::test]
async fn a_client_without_retries_looks_for_a_lost_submission_and_does_not_resend_it() {
    for builder_of in [
        |emulator: &Emulator| builder(emulator).without_retries(),
        |emulator: &Emulator| builder(emulator).settling(settling().send_again(false)),
    ] {
        let unmade = emulator(once(Fault::close())).await;
        let error = submitted(&builder_of(&unmade).build().unwrap()).await.unwrap_err();
        assert_unknown(&error);
        assert_eq!((requests_to(&unmade, SUBMIT), requests_to(&unmade, LIST)), (1, 3));
        assert!(unmade.jobs().is_empty());

        let made = emulator(once(Fault::lose_response())).await;
        let job = submitted(&builder_of(&made).build().unwrap()).await.unwrap();
        assert_only_job(&job, &made).await;
    }
}

#[tokio::test]
async fn the_first_batch_of_a_regular_job_is_submitted_once_too() {
    for (lost, sent) in [(Fault::lose_response(), 1), (Fault::close(), 2)] {
        let emulator = emulator(lost.on(PERSIST).times(1)).await;
        let submit = client(&emulator).submit_persist(Vendor::PostgreSql).name("nightly").sql("a.sql", INSERT);
        let job = submit.await.unwrap();
        assert_only_job(&job, &emulator).await;
        assert_eq!(requests_to(&emulator, PERSIST), sent);
    }
}

#[tokio::test]
async fn a_later_batch_whose_response_was_lost_is_reported_as_unknown_at_once() {
    let emulator = emulator(Fault::lose_response().on(PERSIST).skip(1).times(1)).await;
    let client = client(&emulator);
    let first = client.submit_persist(Vendor::PostgreSql).name("nightly").sql("a.sql", INSERT).await.unwrap();
    let later = client.submit_persist(Vendor::PostgreSql).batch_of(first.id().clone()).sql("b.sql", INSERT);
    let error = later.await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::SubmitUnknown, Some(PERSIST)));
    assert_eq!((requests_to(&emulator, PERSIST), requests_to(&emulator, LIST)), (2, 0));
    assert_eq!(emulator.jobs().len(), 1);
}

#[tokio::test]
async fn the_password_of_a_recovered_submission_is_not_in_the_message_of_its_job() {
    // The message of the emulator names the file that it cannot read.
    for fault in [Fault::lose_response(), Fault::busy()] {
        let emulator = emulator(once(fault)).await;
        let database = Database::new("db").password("tiger");
        let submit =
            client(&emulator).submit(Vendor::Oracle).database(database).sql("tiger.sql", "selekt nothing frm (");
        let error = submit.await.unwrap().wait().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::JobFailed);
        let message = emulator.jobs()[0].error_message.clone().unwrap();
        assert!(message.contains("tiger"), "it proves nothing: {message}");
        assert!(!format!("{error} {error:?}").contains("tiger"), "{error}");
    }
}

/// Polls a future up to a number of times, then drops it. Returns its output if it completed.
async fn polled<T>(times: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = times;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

#[tokio::test]
async fn a_submission_dropped_at_any_point_makes_at_most_one_job_and_breaks_nothing() {
    for fault in [None, Some(Fault::lose_response()), Some(Fault::close())] {
        let (_, emulator) = configured(|builder| builder).await;
        let mut dropped = 0;
        for times in 1.. {
            assert!(times < 1000, "it never ends");
            emulator.clear_faults();
            if let Some(fault) = fault.clone() {
                emulator.inject(once(fault));
            }
            let settling = Settling::new().window(Duration::from_millis(800)).max_lookups(3);
            let client = builder(&emulator).settling(settling).build().unwrap();
            let submit = |name: &str| client.submit(Vendor::PostgreSql).name(name).sql("a.sql", INSERT).into_future();
            let ended = polled(times, submit(&format!("dropped {times}"))).await;
            submit(&format!("next {times}")).await.unwrap_or_else(|error| panic!("after {times} polls: {error}"));
            if let Some(ended) = ended {
                ended.unwrap();
                break;
            }
            dropped = times;
        }
        assert!(dropped > 3, "{dropped}");
        let names: Vec<_> = emulator.jobs().into_iter().map(|job| job.name).collect();
        let count = |name: String| names.iter().filter(|made| made.starts_with(&name)).count();
        for times in 1..=dropped + 1 {
            assert!(count(format!("dropped {times}-")) <= 1, "dropped after {times} polls: {names:?}");
            assert_eq!(count(format!("next {times}-")), 1, "after {times} polls: {names:?}");
        }
        assert_eq!(count(format!("dropped {}-", dropped + 1)), 1, "{names:?}");
    }
}
