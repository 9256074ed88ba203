//! Lists of jobs that cannot be read, are refused or never come: what searches and watches make of them.

use std::io::Write as _;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::{join_all, try_join_all};
use serde_json::json;
use sqlflow_client::job::{Job as JobHandle, Polling, Settling};
use sqlflow_client::{Client, ErrorKind, Vendor};
use tokio::time::timeout;

use crate::TestResult;
use crate::strange_server::{Job, List, Settings, StrangeServer, ok, status};

async fn seven_jobs(client: &Client) -> sqlflow_client::Result<Vec<JobHandle>> {
    try_join_all((0..7).map(|index| client.submit(Vendor::Oracle).sql(format!("{index}.sql"), "select 1").send())).await
}

/// The entry of the first job with something that no JSON reader takes, by the rest of its text.
fn with_odd_first(job: &Job, odd: &str) -> String {
    let text = job.json().to_string();
    if job.id == "j0" { text.replacen('{', &format!("{{{odd},"), 1) } else { text }
}

/// Writes the entry of a job in the list, and its state.
type Entry = fn(&Job) -> (String, String);

const ODD: [fn(&Job) -> String; 4] = [
    |job| with_odd_first(job, r#""status": "create""#),
    |job| with_odd_first(job, r#""errorMessage": "\ud83d""#),
    |job| with_odd_first(job, r#""executeTimeMillis": 1e999"#),
    |job| with_odd_first(job, &format!(r#""dataSource": {}{}"#, "[".repeat(200), "]".repeat(200))),
];

#[tokio::test]
async fn a_job_whose_entry_cannot_be_read_is_asked_for_singly() -> TestResult {
    let entries: [Entry; 4] = [
        |job| (ODD[0](job), job.json().to_string()),
        |job| (ODD[1](job), job.json().to_string()),
        |job| (ODD[2](job), job.json().to_string()),
        |job| (ODD[3](job), job.json().to_string()),
    ];
    for entry in entries {
        let server = StrangeServer::start(Settings { entry, ..Settings::default() }).await?;
        let jobs = seven_jobs(&server.client()).await?;
        let finished = try_join_all(jobs.iter().map(|job| job.wait().send())).await?;
        assert_eq!(finished.len(), 7);
    }
    Ok(())
}

#[tokio::test]
async fn a_job_whose_state_can_never_be_read_troubles_its_own_watch_alone() -> TestResult {
    // A field that comes twice can be read in a state.
    let entries: [Entry; 3] =
        [|job| (ODD[1](job), ODD[1](job)), |job| (ODD[2](job), ODD[2](job)), |job| (ODD[3](job), ODD[3](job))];
    for entry in entries {
        let server = StrangeServer::start(Settings { entry, ..Settings::default() }).await?;
        let polling = Polling::every(Duration::from_millis(1)).max_outage(Duration::from_millis(200));
        let client = server.builder().polling(polling).build()?;
        let jobs = seven_jobs(&client).await?;
        let mut ends = join_all(jobs.iter().map(|job| job.watch().collect::<Vec<_>>())).await;
        let ill = jobs.iter().position(|job| job.id().as_str() == "j0").expect("it was submitted");
        let states = ends.remove(ill);
        let troubled = states.iter().any(|state| state.as_ref().is_ok_and(|state| state.poll_error().is_some()));
        assert!(troubled, "its trouble is reported: {states:?}");
        let error = states.into_iter().last().expect("it ends").expect_err("it ends with an error");
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
        for states in ends {
            assert!(states.iter().all(|state| state.as_ref().is_ok_and(|state| state.poll_error().is_none())));
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_list_that_is_refused_or_cannot_be_read_is_replaced_by_single_questions() -> TestResult {
    let lists: [fn(usize) -> List; 7] = [
        |_| List::Response(status("403 Forbidden")),
        |_| List::Response(status("404 Not Found")),
        |_| List::Response(status("400 Bad Request")),
        |_| List::Response(ok(&json!({"code": 403, "error": "not allowed"}))),
        |_| List::Response(ok(&json!({"code": 404, "error": "not found"}))),
        |_| List::Response(ok(&json!("jobs"))),
        |_| List::Response(ok(&json!({"code": 200, "data": "jobs"}))),
    ];
    for list in lists {
        let server = StrangeServer::start(Settings { list, ..Settings::default() }).await?;
        let jobs = seven_jobs(&server.client()).await?;
        let finished = try_join_all(jobs.iter().map(|job| job.wait().send())).await?;
        assert_eq!(finished.len(), 7, "{:?}", list(0));
    }
    Ok(())
}

#[tokio::test]
async fn a_search_in_lists_that_never_come_ends_with_its_window() -> TestResult {
    let list: fn(usize) -> List = |_| List::None;
    let server = StrangeServer::start(Settings { first_response: None, list, ..Settings::default() }).await?;
    let settling = Settling::new().window(Duration::from_millis(300)).max_lookups(6);
    let client = server.builder().settling(settling).build()?;
    let submission = client.submit(Vendor::Oracle).sql("a.sql", "select 1").send();
    // The former limit of each list was five minutes.
    let error = timeout(Duration::from_secs(60), submission).await?.expect_err("the list never comes");
    assert_eq!((error.kind(), server.jobs().len()), (ErrorKind::SubmitUnknown, 1));
    Ok(())
}

#[tokio::test]
async fn submissions_that_are_settled_at_a_time_share_lists() -> TestResult {
    let server = StrangeServer::start(Settings::default()).await?;
    let home = tempfile::tempdir()?;
    let client = server.client();
    let submit = |index| (format!("{index}"), client.submit(Vendor::Oracle).sql("a.sql", "select 1"));
    let submissions = || (0..60).map(submit).collect::<Vec<_>>();

    // The journal of a run that was killed before any response: sixty submissions may have been sent.
    let journal = home.path().join("journal");
    assert!(client.batch(&journal).run(Vec::<(String, _)>::new()).next().await.is_none());
    let mut file = std::fs::OpenOptions::new().append(true).open(&journal)?;
    for key in 0..60 {
        let name = format!("a.sql-k7m2x9p4{key:0>2}");
        writeln!(file, "{}", json!({"key": key.to_string(), "event": "submitting", "name": name, "at": 1}))?;
    }

    let outcomes: Vec<_> = client.batch(&journal).max_in_flight(4).run(submissions()).collect().await;
    for outcome in outcomes {
        let outcome = outcome?;
        assert!(outcome.is_done(), "{outcome:?}");
    }
    assert_eq!(server.jobs().len(), 60);
    assert!(server.lists() <= 8, "{} lists", server.lists());
    Ok(())
}
