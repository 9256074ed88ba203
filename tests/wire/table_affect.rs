//! Submissions of table-affect jobs: their form, and one job however the network fails.

use std::sync::{Arc, Mutex};

use serde_json::json;
use sqlflow_client::job::Settling;
use sqlflow_client::{ErrorKind, JobId};
use wiremock::{Request, ResponseTemplate};

use crate::TestResult;
use crate::mock::{JOBS, SUBMIT_TABLE_AFFECT, Server, page, state, success};
use crate::sent::{SentRequest, fields};

const USER: (&str, &str) = ("userId", "gudu|0123456789");
const TOKEN: (&str, &str) = ("token", "token");

#[tokio::test]
async fn every_option_of_submit_table_affect_sql_job_arrives_under_its_name() -> TestResult {
    let server = Server::answering(SUBMIT_TABLE_AFFECT, state("create")).await;
    let submit = server.client().submit_table_affect().name("affect").without_suffix().column_level(true);
    let job = submit.clone().sql("a.sql", "select 1").send().await?;
    assert_eq!(job.id().as_str(), "j1");
    submit.column_level(false).batch_of(JobId::new("j1")).sql("b.sql", "select 2").await?;
    let sent = server.sent().await;
    assert_eq!(sent[0].fields(), fields([USER, TOKEN, ("jobName", "affect"), ("columnLevel", "true")]));
    assert_eq!(
        (sent[0].files()[0].name.as_str(), sent[0].files()[0].file_name.as_deref()),
        ("sqlfiles", Some("a.sql"))
    );
    let later = fields([USER, TOKEN, ("jobName", "affect"), ("columnLevel", "false"), ("jobId", "j1")]);
    assert_eq!(sent[1].fields(), later);
    Ok(())
}

#[tokio::test]
async fn options_that_are_not_set_are_not_sent_with_a_table_affect_job() -> TestResult {
    let server = Server::answering(SUBMIT_TABLE_AFFECT, state("create")).await;
    server.client().submit_table_affect().without_suffix().sql("a.sql", "select 1").await?;
    assert_eq!(server.only().await.fields(), fields([USER, TOKEN, ("jobName", "a.sql")]));
    Ok(())
}

/// Responds to the first submission with the page of a gateway, and lists the job as if it had been created.
async fn losing_the_response() -> Server {
    let submitted = Arc::new(Mutex::new(None));
    let name = Arc::clone(&submitted);
    let server = Server::answering(SUBMIT_TABLE_AFFECT, move |request: &Request| {
        let sent = SentRequest::from(request.clone());
        *name.lock().unwrap() = sent.fields().into_iter().find(|(key, _)| key == "jobName").map(|(_, name)| name);
        page(502, "<html>bad gateway</html>")
    })
    .await;
    let listing = move |_: &Request| -> ResponseTemplate {
        let name = submitted.lock().unwrap().clone();
        let jobs: Vec<_> =
            name.iter().map(|name| json!({"jobId": "j7", "jobName": name, "status": "create"})).collect();
        success(json!({"total": jobs.len(), "jobDetails": jobs}))
    };
    server.on(JOBS, listing).await;
    server
}

#[tokio::test]
async fn a_table_affect_job_whose_response_was_lost_is_found_by_its_name_and_made_once() -> TestResult {
    let server = losing_the_response().await;
    let job = server.client().submit_table_affect().name("affect").sql("a.sql", "select 1").await?;
    assert_eq!(job.id().as_str(), "j7");
    let submissions = server.sent_to(SUBMIT_TABLE_AFFECT).await;
    assert_eq!(submissions.len(), 1);
    let name = submissions[0].fields().into_iter().find(|(key, _)| key == "jobName").expect("a name").1;
    assert!(name.starts_with("affect-"), "{name}");
    Ok(())
}

#[tokio::test]
async fn a_table_affect_job_that_cannot_be_found_by_a_name_ends_as_unknown() {
    let server = losing_the_response().await;
    let client = server.builder().settling(Settling::new().send_again(false)).build().unwrap();
    let shared = client.submit_table_affect().name("affect").without_suffix().sql("a.sql", "select 1");
    let batch = client.submit_table_affect().batch_of("j1").sql("a.sql", "select 1");
    for (submit, named) in [(shared, "affect"), (batch, "j1")] {
        let error = submit.send().await.expect_err("it is unknown");
        assert_eq!((error.kind(), error.operation()), (ErrorKind::SubmitUnknown, Some("submitTableAffectSqlJob")));
        assert!(error.to_string().contains(named), "{error}");
    }
    assert_eq!(server.sent_to(JOBS).await.len(), 0);
    assert_eq!(server.sent_to(SUBMIT_TABLE_AFFECT).await.len(), 2);
}

#[tokio::test]
async fn a_table_affect_job_without_files_or_with_an_empty_id_is_refused_before_anything_is_sent() {
    let server = Server::start().await;
    let submit = server.client().submit_table_affect();
    for (error, named) in [
        (submit.clone().send().await.expect_err("no files"), "nothing to submit"),
        (submit.clone().name(" ").sql("a.sql", "").send().await.expect_err("no name"), "job name is empty"),
        (submit.batch_of("").sql("a.sql", "").send().await.expect_err("no id"), "job id is empty"),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(named), "{error}");
    }
    assert!(server.sent().await.is_empty());
}
