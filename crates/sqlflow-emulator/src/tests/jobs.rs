//! Submitting, describing, changing and deleting jobs.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_job_passes_through_its_states() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let id = server.submit(&token, &[("a.sql", INSERT.as_bytes())]).await;
    assert_eq!(id.len(), 32);
    assert!(id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let begun = tokio::time::Instant::now();
    assert_eq!(server.service.jobs.snapshot()[0].status, "create");
    server.until(&id, &["process"]).await;
    assert!(begun.elapsed() >= Duration::from_millis(50));
    let job = server.finished(&id).await;
    assert!(begun.elapsed() >= Duration::from_millis(150));
    assert_eq!((job.status.as_str(), job.error_message), ("success", None));
}

#[tokio::test(start_paused = true)]
async fn a_submission_returns_the_new_job() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let parts: [TestPart<'_>; 6] = [
        ("userId", None, b"ann"),
        ("token", None, token.as_bytes()),
        ("jobName", None, " nightly ".as_bytes()),
        ("dbvendor", None, b"sqlserver"),
        ("sqlfiles", Some("dir/a.sql"), b"select 1"),
        ("sqlfiles", Some("b.sql"), b"select 2"),
    ];
    let response = server.parts("/sqlflow/job/submitUserJob", &parts).await.json();
    let job = &response["data"];
    assert_eq!(job["status"], "create");
    assert_eq!(job["jobName"], "nightly");
    assert_eq!(job["dbVendor"], "dbvmssql");
    assert_eq!(job["fileNames"], json!(["a.sql", "b.sql"]));
    assert_eq!(job["dataSource"], json!({}));
    assert_eq!(job["createTime"].as_str().unwrap().len(), "2026-01-02 03:04:05".len());
}

#[tokio::test(start_paused = true)]
async fn a_summary_describes_a_finished_job() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on(INSERT).await;
    let by_id = server.export("displayUserJobSummary", &token, &id, &[]).await.json()["data"].clone();
    let fields = [("userId", "ann"), ("token", token.as_str()), ("jobName", "nightly")];
    let by_name = server.form("/sqlflow/job/displayUserJobSummary", &fields).await.json()["data"].clone();
    assert_eq!(by_id, by_name);
    let expected = json!({
        "jobId": id, "jobName": "nightly", "userId": "ann", "dbVendor": "dbvoracle", "status": "success",
        "showRelationType": "fdd", "ignoreRecordSet": true, "ignoreFunction": true, "executeTime": "0min 0sec",
        "onTop": false, "schedulable": false, "subJobs": [],
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&by_id[name], value, "{name}");
    }
    assert!(by_id["executeTimeMillis"].as_u64().unwrap() >= 100);
    assert!(by_id.get("errorMessage").is_none());
}

#[tokio::test(start_paused = true)]
async fn the_list_of_jobs_counts_them_by_outcome() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let good = server.submit(&token, &[("a.sql", b"select a from t")]).await;
    let partial = server.submit(&token, &[("a.sql", b"select a from t"), ("b.sql", b"selec")]).await;
    let bad = server.submit(&token, &[("b.sql", b"selec")]).await;
    for id in [&good, &partial, &bad] {
        server.finished(id).await;
    }
    let response =
        server.form("/sqlflow/job/displayUserJobsSummary", &[("userId", "ann"), ("token", &token)]).await.json();
    let data = &response["data"];
    assert_eq!(
        (&data["total"], &data["success"], &data["partialSuccess"], &data["fail"]),
        (&json!(3), &json!(1), &json!(1), &json!(1))
    );
    assert_eq!(data["jobIds"], json!([bad, partial, good]));
    assert_eq!(data["jobDetails"][1]["status"], "partial_success");
    assert!(data["jobDetails"][1]["errorMessage"].as_str().unwrap().starts_with("b.sql: "));
}

#[tokio::test(start_paused = true)]
async fn a_job_of_another_user_does_not_exist() {
    let server = server(Emulator::builder());
    let (_, id) = server.job_on(INSERT).await;
    let token = server.token("bob").await;
    let fields = [("userId", "bob"), ("token", token.as_str()), ("jobId", id.as_str())];
    for operation in ["displayUserJobSummary", "deleteUserJob", "rerunJob", "exportLineageAsJson"] {
        assert_eq!(server.form(&format!("/sqlflow/job/{operation}"), &fields).await.json()["code"], 404, "{operation}");
    }
    assert_eq!(server.service.jobs.snapshot().len(), 1);
}

#[tokio::test]
async fn a_refused_submission_names_the_invalid_parameter() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let good: [TestPart<'_>; 5] = [
        ("userId", None, b"ann"),
        ("token", None, token.as_bytes()),
        ("jobName", None, b"n"),
        ("dbvendor", None, b"dbvoracle"),
        ("sqlfiles", Some("a.sql"), b"select 1"),
    ];
    let replaced = |index: usize, part| {
        let mut parts = good;
        parts[index] = part;
        parts
    };
    let cases: [(&str, [TestPart<'_>; 5]); 4] = [
        ("'jobName'", replaced(2, ("jobName", None, b"  "))),
        ("'dbvendor'", replaced(3, ("dbvendor", None, b""))),
        ("'dbvnosuch'", replaced(3, ("dbvendor", None, b"dbvnosuch"))),
        ("'sqlfiles'", replaced(4, ("other", None, b"select 1"))),
    ];
    for (named, parts) in cases {
        let response = server.parts("/sqlflow/job/submitUserJob", &parts).await.json();
        assert_eq!(response["code"], 400, "{response}");
        assert!(response["error"].as_str().unwrap().contains(named), "{response}");
    }
    assert!(server.service.jobs.snapshot().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_job_can_be_put_on_top_run_again_and_deleted() {
    let server = server(Emulator::builder());
    let (token, first) = server.job_on(INSERT).await;
    let second = server.submit(&token, &[("b.sql", b"select 1")]).await;
    server.finished(&second).await;
    let on_top = server.export("setJobOnTop", &token, &first, &[("onTop", "true")]).await.json();
    assert_eq!(on_top["data"]["onTop"], true);
    let listed =
        server.form("/sqlflow/job/displayUserJobsSummary", &[("userId", "ann"), ("token", &token)]).await.json();
    assert_eq!(listed["data"]["jobIds"], json!([first, second]));

    // The vendor's description of the operation has no token.
    let again = server.form("/sqlflow/job/rerunJob", &[("userId", "ann"), ("jobId", &first)]).await.json();
    assert_eq!(again["data"]["status"], "create");
    let job = server.finished(&first).await;
    assert_eq!((job.status.as_str(), job.runs), ("success", 2));

    assert_eq!(server.export("deleteUserJob", &token, &first, &[]).await.json()["code"], 200);
    assert_eq!(server.export("deleteUserJob", &token, &first, &[]).await.json()["code"], 404);
    assert_eq!(server.service.jobs.snapshot().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_later_batch_is_added_to_a_persistent_job() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let who: [TestPart<'_>; 3] =
        [("userId", None, b"ann"), ("token", None, token.as_bytes()), ("dbvendor", None, b"dbvoracle")];
    let schedule: [TestPart<'_>; 2] = [("schedulable", None, b"true"), ("cronExpression", None, b"0 0 * * *")];
    let first = [
        &who[..],
        &schedule,
        &[("jobName", None, b"p"), ("sqlfiles", Some("a.sql"), b"create table s (x int, y int)")],
    ]
    .concat();
    let response = server.parts("/sqlflow/job/submitPersistJob", &first).await.json();
    let id = response["data"]["jobId"].as_str().unwrap().to_owned();
    server.finished(&id).await;
    let more: [TestPart<'_>; 3] = [
        ("jobId", None, id.as_bytes()),
        ("incremental", None, b"true"),
        ("sqlfiles", Some("b.sql"), b"insert into t select * from s"),
    ];
    let response = server.parts("/sqlflow/job/submitPersistJob", &[&who[..], &more].concat()).await.json();
    assert_eq!(response["data"]["jobId"], id.as_str());
    let job = server.finished(&id).await;
    assert_eq!(job.file_names, ["a.sql", "b.sql"]);
    let csv = server.export("exportFullLineageAsCsv", &token, &id, &[]).await.body;
    assert!(csv.contains("s,y,DEFAULT,DEFAULT,t,y,fdd,insert"), "{csv}");

    let listed = server.form("/sqlflow/job/listScheduleJobs", &[("userId", "ann"), ("token", &token)]).await.json();
    assert_eq!(listed["data"]["jobDetails"][0]["cronExpression"], "0 0 * * *");
    let paused = server.export("pauseScheduleJob", &token, &id, &[]).await.json();
    assert_eq!(paused["data"]["cancelSchedule"], true);
    let resumed = server.export("resumeScheduleJob", &token, &id, &[]).await.json();
    assert_eq!(resumed["data"]["cancelSchedule"], false);
    let changed = server.export("updateScheduleJob", &token, &id, &[("cronExpression", "5 4 * * *")]).await.json();
    assert_eq!(changed["data"]["cronExpression"], "5 4 * * *");
}

#[tokio::test(start_paused = true)]
async fn a_job_is_not_known_during_the_lag_and_runs_all_the_same() {
    let server = server(Emulator::builder().lag(Duration::from_secs(1)));
    let token = server.token("ann").await;
    let id = server.submit(&token, &[("a.sql", INSERT.as_bytes())]).await;
    server.finished(&id).await;
    let list = async || {
        let fields = [("userId", "ann"), ("token", token.as_str())];
        server.form("/sqlflow/job/displayUserJobsSummary", &fields).await.json()["data"]["total"].clone()
    };
    let state = async || server.export("displayUserJobSummary", &token, &id, &[]).await.json()["code"].clone();
    assert_eq!((list().await, state().await), (json!(0), json!(404)));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!((list().await, state().await), (json!(1), json!(200)));
}

#[tokio::test(start_paused = true)]
async fn a_name_is_cut_to_the_maximum_length_or_dropped() {
    for (length, name) in [(3, "nig"), (0, ""), (60, "nightly")] {
        let server = server(Emulator::builder().max_job_name_length(length));
        let (token, id) = server.job_on(INSERT).await;
        let job = server.export("displayUserJobSummary", &token, &id, &[]).await.json();
        assert_eq!(job["data"]["jobName"], name);
    }
}
