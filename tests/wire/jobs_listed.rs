//! Descriptions of jobs from servers, in both forms.

use serde_json::json;
use sqlflow_client::job::JobStatus;
use sqlflow_client::{ErrorKind, JobId, Vendor};

use crate::TestResult;
use crate::mock::{JOBS, SUMMARY, Server, answer, failure, success};
use crate::sent::fields;

const USER: (&str, &str) = ("userId", "gudu|0123456789");
const TOKEN: (&str, &str) = ("token", "token");

#[tokio::test]
async fn a_job_is_requested_by_its_id() -> TestResult {
    let server = Server::answering(SUMMARY, success(json!({"jobId": "j1"}))).await;
    server.client().job("j1").info().await?;
    assert_eq!(server.only().await.form(), fields([USER, TOKEN, ("jobId", "j1")]));
    Ok(())
}

#[tokio::test]
async fn attaching_to_a_job_sends_nothing() {
    let server = Server::start().await;
    let job = server.client_with_secret_key().job("j1");
    assert_eq!(job.id().as_str(), "j1");
    assert!(server.sent().await.is_empty());
}

#[tokio::test]
async fn a_job_without_a_wrapper_is_read() -> TestResult {
    let bare = json!({"jobId": "j1", "jobName": "nightly", "status": "success", "dbVendor": "dbvoracle"});
    let server = Server::answering(SUMMARY, success(bare)).await;
    let info = server.client().job("j1").info().await?;
    assert_eq!((info.name.as_deref(), info.status), (Some("nightly"), JobStatus::Success));
    assert_eq!(info.db_vendor, Some(Vendor::Oracle));
    Ok(())
}

#[tokio::test]
async fn a_job_in_a_wrapper_is_read() -> TestResult {
    let wrapped = json!({
        "total": 1, "success": 1, "partialSuccess": 0, "fail": 0, "jobIds": ["j1"],
        "jobDetails": [{"jobId": "j1", "jobName": "nightly", "status": "success"}],
    });
    let server = Server::answering(SUMMARY, success(wrapped)).await;
    let info = server.client().job("j1").info().await?;
    assert_eq!((info.name.as_deref(), info.status), (Some("nightly"), JobStatus::Success));
    Ok(())
}

#[tokio::test]
async fn every_field_of_a_job_is_read() -> TestResult {
    let job = json!({
        "jobId": "j1", "jobName": "n", "userId": "ann", "userEmail": "ann@example.com", "dbVendor": "dbvmssql",
        "dataSource": {"type": "file"}, "defaultDatabase": "d", "defaultSchema": "s", "fileNames": ["a.sql", "b.sql"],
        "createTime": "2026-01-02 03:04:05", "lastExecuteTime": "2026-01-02 03:04:06", "status": "partial_success",
        "errorMessage": "b.sql", "sessionId": "s1", "showRelationType": "fdd,fdr", "ignoreRecordSet": true,
        "ignoreFunction": false, "showConstantTable": true, "showTransform": false,
        "dataflowOfAggregateFunction": "direct", "hasMetadata": false, "executeTime": "0min 1sec",
        "executeTimeMillis": 1234, "onTop": true, "parallel": false, "persist": true, "incremental": false,
        "schedulable": true, "cancelSchedule": false, "subJobs": [{"batchId": "b1"}], "version": "6.1",
    });
    let server = Server::answering(SUMMARY, success(job.clone())).await;
    let info = server.client().job("j1").info().await?;
    assert!(info.other.is_empty(), "{:?}", info.other);
    // Written again, it equals the original: no field was lost, misread or misspelled.
    assert_eq!(serde_json::to_value(&info)?, job);
    Ok(())
}

#[tokio::test]
async fn unknown_fields_of_a_job_are_kept() -> TestResult {
    let server = Server::answering(SUMMARY, success(json!({"jobId": "j1", "queuePosition": 4}))).await;
    assert_eq!(server.client().job("j1").info().await?.other["queuePosition"], 4);
    Ok(())
}

#[tokio::test]
async fn a_job_with_an_id_that_is_a_number_is_read() -> TestResult {
    let server = Server::answering(SUMMARY, success(json!({"jobId": 17, "status": "success"}))).await;
    assert_eq!(server.client().job("17").info().await?.status, JobStatus::Success);
    Ok(())
}

#[tokio::test]
async fn a_deleted_job_is_not_found_with_every_form_of_empty_response() {
    for data in [
        json!(null),
        json!(""),
        json!({}),
        json!({"total": 0, "jobDetails": []}),
        json!({"total": 0, "jobIds": null, "jobDetails": null}),
    ] {
        let server = Server::answering(SUMMARY, success(data.clone())).await;
        let error = server.client().job("j1").info().await.expect_err("it is gone");
        assert_eq!(error.kind(), ErrorKind::JobNotFound, "{data}: {error}");
        assert_eq!(error.job_id().map(JobId::as_str), Some("j1"));
        assert!(error.to_string().contains("j1"), "{error}");
    }
}

#[tokio::test]
async fn a_response_about_another_job_is_not_taken_for_this_one() {
    let server = Server::answering(SUMMARY, success(json!({"jobId": "latest", "status": "success"}))).await;
    assert_eq!(server.client().job("j1").info().await.expect_err("another").kind(), ErrorKind::JobNotFound);
}

#[tokio::test]
async fn a_response_about_several_jobs_yields_the_requested_one() -> TestResult {
    let several = json!({"jobDetails": [{"jobId": "j0", "status": "fail"}, {"jobId": "j1", "status": "success"}]});
    let server = Server::answering(SUMMARY, success(several)).await;
    assert_eq!(server.client().job("j1").info().await?.status, JobStatus::Success);
    Ok(())
}

#[tokio::test]
async fn a_failure_about_a_job_names_it() {
    let server = Server::answering(SUMMARY, failure(500, "database is down")).await;
    let error = server.client().job("j1").info().await.expect_err("it failed");
    assert_eq!(error.kind(), ErrorKind::Server);
    assert_eq!(error.job_id().map(JobId::as_str), Some("j1"));
}

#[tokio::test]
async fn a_list_holds_every_job_with_its_state_and_the_counts() -> TestResult {
    let list = json!({
        "total": 3, "success": 1, "partialSuccess": 1, "fail": 1, "jobIds": ["a", "b", "c"],
        "jobDetails": [
            {"jobId": "a", "status": "success"},
            {"jobId": "b", "status": "partial_success"},
            {"jobId": "c", "status": "fail", "errorMessage": "no"},
        ],
    });
    let server = Server::answering(JOBS, success(list)).await;
    let jobs = server.client().jobs().await?;
    assert_eq!((jobs.total, jobs.success, jobs.partial_success, jobs.fail), (Some(3), Some(1), Some(1), Some(1)));
    assert_eq!(jobs.job_ids.iter().map(JobId::as_str).collect::<Vec<_>>(), ["a", "b", "c"]);
    let states: Vec<_> = jobs.jobs.into_iter().map(|job| job.status).collect();
    assert_eq!(states, [JobStatus::Success, JobStatus::PartialSuccess, JobStatus::Failed]);
    assert_eq!(server.only().await.form(), fields([USER, TOKEN]));
    Ok(())
}

#[tokio::test]
async fn an_empty_list_is_not_an_error() -> TestResult {
    let server = Server::answering(JOBS, success(json!({"total": 0, "jobIds": null, "jobDetails": null}))).await;
    assert!(server.client().jobs().await?.jobs.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_list_of_an_older_server_with_text_in_place_of_numbers_is_read() -> TestResult {
    let old = answer(json!({"code": "200", "data": {"total": "1", "jobDetails": [{"jobId": "a", "onTop": "true"}]}}));
    let server = Server::answering(JOBS, old).await;
    let jobs = server.client().jobs().await?;
    assert_eq!((jobs.total, jobs.jobs[0].on_top), (Some(1), Some(true)));
    Ok(())
}

#[tokio::test]
async fn warnings_next_to_a_job_or_a_list_are_kept() -> TestResult {
    let warned = |data| answer(json!({"code": 203, "data": data, "error": "one\ntwo"}));
    let server = Server::answering(SUMMARY, warned(json!({"jobId": "j1", "status": "success"}))).await;
    server.on(JOBS, warned(json!({"jobDetails": []}))).await;
    let client = server.client();
    assert_eq!(client.job("j1").info().await?.warnings, ["one", "two"]);
    assert_eq!(client.jobs().await?.warnings, ["one", "two"]);
    let done = client.job("j1").wait().await?;
    assert_eq!(done.warnings().collect::<Vec<_>>(), ["one", "two"]);
    Ok(())
}

#[tokio::test]
async fn an_envelope_without_data_is_not_taken_for_a_deleted_job() {
    let server = Server::answering(SUMMARY, answer(json!({"code": 200}))).await;
    let error = server.client().job("j1").info().await.expect_err("it holds nothing");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Protocol, Some(200)));
}
