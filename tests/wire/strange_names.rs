//! A submission whose response is lost creates one job, whatever the server does to its name.

use serde_json::{Value, json};
use sqlflow_client::{ErrorKind, RequestOutcome, Vendor};

use crate::TestResult;
use crate::strange_server::{Job, Settings, StrangeServer, ok, status};

/// Sixty characters and more, of every kind that servers change.
const NAME: &str = "Nightly  load <ä> & “Sales” / 50 % of 'EMEA': all regions, all days";

/// Returns the name that a server lists for one that was submitted.
type ListedName = fn(&str) -> Value;

fn first(name: &str, characters: usize) -> Value {
    name.chars().take(characters).collect::<String>().into()
}

fn with_each(name: &str, change: impl Fn(char) -> String) -> Value {
    name.chars().map(change).collect::<String>().into()
}

fn is_plain(letter: char) -> bool {
    letter.is_ascii_alphanumeric()
}

/// The names that a server lists, by the name that was submitted.
const MANGLED: [(&str, ListedName); 13] = [
    ("cut at 60 characters", |name| first(name, 60)),
    ("cut at 64 characters", |name| first(name, 64)),
    ("cut at 60 bytes", |name| String::from_utf8_lossy(&name.as_bytes()[..name.len().min(60)]).into()),
    ("in upper case", |name| name.to_uppercase().into()),
    ("in lower case", |name| name.to_lowercase().into()),
    ("with blanks collapsed", |name| name.split_whitespace().collect::<Vec<_>>().join(" ").into()),
    ("without blanks", |name| with_each(name, |letter| letter.to_string().trim().to_owned())),
    ("read as Latin-1", |name| name.bytes().map(char::from).collect::<String>().into()),
    ("as ASCII", |name| with_each(name, |letter| if letter.is_ascii() { letter.to_string() } else { "?".into() })),
    ("escaped for HTML", |name| {
        with_each(
            name,
            |letter| if is_plain(letter) { letter.to_string() } else { format!("&#{};", u32::from(letter)) },
        )
    }),
    ("escaped for URLs", |name| form_urlencoded::byte_serialize(name.as_bytes()).collect::<String>().into()),
    ("with special characters replaced", |name| {
        with_each(name, |letter| if is_plain(letter) { letter.to_string() } else { "_".into() })
    }),
    ("without special characters", |name| {
        with_each(name, |letter| if is_plain(letter) { letter.into() } else { String::new() })
    }),
];

#[tokio::test]
async fn a_lost_job_is_found_by_its_suffix_in_every_spelling() -> TestResult {
    for (mangled, listed_name) in MANGLED {
        let server =
            StrangeServer::start(Settings { first_response: None, listed_name, ..Settings::default() }).await?;
        for other in ["other", "Nightly  load-abcde12345"] {
            server.add(listed_name(other));
        }
        let job = server.client().submit(Vendor::Oracle).name(NAME).sql("a.sql", "select 1").await?;
        let ours: Vec<_> = server.jobs().into_iter().filter(|job| job.id.starts_with('j')).collect();
        assert_eq!(ours.len(), 1, "{mangled}: {ours:?}");
        assert_eq!(job.id().as_str(), ours[0].id, "{mangled}");
        assert!(ours[0].name.len() <= 60, "{}", ours[0].name);
        let found = server.client().find_job(&ours[0].name).await?.expect("it is found by the name that was sent");
        assert_eq!(found.id(), job.id(), "{mangled}");
    }
    Ok(())
}

#[tokio::test]
async fn a_job_whose_name_was_dropped_is_found_by_dialect_files_and_time() -> TestResult {
    let dropped: [(&str, ListedName); 4] = [
        ("null", |_| Value::Null),
        ("empty", |_| "".into()),
        ("cut at 20", |name| first(name, 20)),
        ("cut in the suffix", |name| first(name, 55)),
    ];
    for (mangled, listed_name) in dropped {
        let server =
            StrangeServer::start(Settings { first_response: None, listed_name, ..Settings::default() }).await?;
        let job = server.client().submit(Vendor::Oracle).name(NAME).sql("a.sql", "select 1").await?;
        assert_eq!((job.id().as_str(), server.jobs().len()), ("j0", 1), "{mangled}");
    }
    Ok(())
}

#[tokio::test]
async fn two_jobs_that_may_be_the_lost_one_leave_the_outcome_unknown() -> TestResult {
    let listed_name: ListedName = |_| Value::Null;
    let server = StrangeServer::start(Settings { first_response: None, listed_name, ..Settings::default() }).await?;
    let submit = |client: sqlflow_client::Client| client.submit(Vendor::Oracle).name(NAME).sql("a.sql", "select 1");
    let first = submit(server.client()).await?;
    server.become_another(Settings { listed_name, ..Settings::default() });
    let second = submit(server.client()).await?;
    assert_ne!(first.id(), second.id());
    // Another program does not know whose the two jobs are.
    let name = server.jobs()[0].name.clone();
    let error = server.client().find_job(&name).await.expect_err("neither is named");
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.to_string().contains("does not list jobs by the names"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_job_under_a_name_of_the_servers_own_leaves_the_outcome_unknown() -> TestResult {
    let listed_name: ListedName = |_| "job 17".into();
    let server = StrangeServer::start(Settings { first_response: None, listed_name, ..Settings::default() }).await?;
    let error = server.client().submit(Vendor::Oracle).sql("a.sql", "select 1").await.expect_err("it cannot be found");
    assert_eq!((error.kind(), server.jobs().len()), (ErrorKind::SubmitUnknown, 1), "{error}");
    Ok(())
}

#[tokio::test]
async fn an_empty_job_id_in_the_response_is_settled_like_a_lost_response() -> TestResult {
    let empty: [fn(&Job) -> String; 2] = [
        |_| ok(&json!({"code": 200, "data": {"jobId": "", "status": "create"}})),
        |_| ok(&json!({"code": 200, "data": {"jobId": "  ", "status": "create"}})),
    ];
    for first_response in empty {
        let first_response = Some(first_response);
        let server = StrangeServer::start(Settings { first_response, ..Settings::default() }).await?;
        let job = server.client().submit(Vendor::Oracle).sql("a.sql", "select 1").await?;
        assert_eq!((job.id().as_str(), server.jobs().len()), ("j0", 1));
    }
    Ok(())
}

#[tokio::test]
async fn a_redirect_after_a_submission_is_an_unknown_outcome_and_not_no_job() -> TestResult {
    let redirects: [fn(&Job) -> String; 3] = [
        |_| status("301 Moved Permanently\r\nLocation: /login"),
        |_| status("302 Found\r\nLocation: /login"),
        |_| status("303 See Other\r\nLocation: /result"),
    ];
    for first_response in redirects {
        let first_response = Some(first_response);
        let server = StrangeServer::start(Settings { first_response, ..Settings::default() }).await?;
        let job = server.client().submit(Vendor::Oracle).sql("a.sql", "select 1").await?;
        assert_eq!((job.id().as_str(), server.jobs().len()), ("j0", 1), "it is searched for");

        let listed_name: ListedName = |_| "job 17".into();
        let server = StrangeServer::start(Settings { first_response, listed_name, ..Settings::default() }).await?;
        let error = server.client().submit(Vendor::Oracle).sql("a.sql", "select 1").await.expect_err("not found");
        assert_eq!((error.kind(), error.request_outcome()), (ErrorKind::SubmitUnknown, RequestOutcome::Unreadable));
        assert_eq!(server.jobs().len(), 1);
    }
    Ok(())
}
