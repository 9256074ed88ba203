//! Jobs as a server lists them, and changes to them.

use sqlflow_client::{ErrorKind, Vendor};

use super::{requests_to, sqlflow};

#[tokio::test]
async fn every_job_of_the_user_is_listed() {
    let (sqlflow, emulator) = sqlflow().await;
    for name in ["a", "b"] {
        let submit = sqlflow
            .submit(Vendor::PostgreSql)
            .name(name)
            .without_suffix()
            .sql("a.sql", "create view v as select x from t");
        submit.await.unwrap().wait().await.unwrap();
    }
    let other = super::client_of(&emulator, sqlflow_client::Credentials::secret_key("bob", "key"));
    other.submit(Vendor::PostgreSql).name("c").sql("a.sql", "select 1").await.unwrap();
    let list = sqlflow.jobs().await.unwrap();
    let mut names: Vec<_> = list.jobs.iter().map(|job| job.name.clone().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["a", "b"]);
    assert_eq!((list.total, list.success, list.fail), (Some(2), Some(2), Some(0)));
}

#[tokio::test]
async fn a_deleted_job_is_not_found() {
    let (sqlflow, emulator) = sqlflow().await;
    let job = sqlflow.submit(Vendor::PostgreSql).sql("a.sql", "create view v as select x from t").await.unwrap();
    job.wait().await.unwrap();
    job.delete().await.unwrap();
    assert!(emulator.jobs().is_empty());
    let error = job.info().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::JobNotFound, "{error:?}");
    assert_eq!(error.job_id(), Some(job.id()));
}

#[tokio::test]
async fn a_job_runs_again_and_is_set_on_top() {
    let (sqlflow, emulator) = sqlflow().await;
    let job = sqlflow.submit(Vendor::PostgreSql).sql("a.sql", "create view v as select x from t").await.unwrap();
    job.wait().await.unwrap();
    job.set_on_top(true).await.unwrap();
    assert_eq!(job.info().await.unwrap().on_top, Some(true));
    job.rerun().await.unwrap();
    let done = job.wait().await.unwrap();
    assert_eq!(done.lineage().await.unwrap().column_flows().len(), 1);
    assert_eq!(requests_to(&emulator, "rerunJob"), 1);
}

#[tokio::test]
async fn attaching_to_a_job_by_its_id_sends_no_request() {
    let (sqlflow, emulator) = sqlflow().await;
    let submitted = sqlflow.submit(Vendor::PostgreSql).sql("a.sql", "create view v as select x from t").await.unwrap();
    let stored = serde_json::to_string(submitted.id()).unwrap();
    let before = emulator.requests().len();
    let job = sqlflow.job(serde_json::from_str::<sqlflow_client::JobId>(&stored).unwrap());
    assert_eq!(emulator.requests().len(), before);
    assert_eq!(job.wait().await.unwrap().id(), submitted.id());
}

#[tokio::test]
async fn jobs_are_streamed_and_filtered() {
    let (sqlflow, _emulator) = sqlflow().await;
    for name in ["nightly", "weekly"] {
        let submit = sqlflow.submit(Vendor::PostgreSql).name(name).sql("a.sql", "create view v as select x from t");
        submit.await.unwrap().wait().await.unwrap();
    }
    let an_hour_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    let mut jobs = sqlflow.jobs().name_matching("NIGHT*").created_after(an_hour_ago).stream();
    let job = jobs.try_next().await.unwrap().unwrap();
    assert!(job.name.unwrap().starts_with("nightly-"));
    assert!(jobs.try_next().await.unwrap().is_none());
    assert!(sqlflow.jobs().created_before(an_hour_ago).await.unwrap().jobs.is_empty());
}

#[tokio::test]
async fn the_schedule_of_a_job_is_listed_paused_resumed_and_changed() {
    let (sqlflow, _emulator) = sqlflow().await;
    let submit = sqlflow.submit_persist(Vendor::PostgreSql).sql("a.sql", "create view v as select x from t");
    let job = submit.schedulable(true).cron_expression("0 1 * * *").await.unwrap();
    let unscheduled = sqlflow.submit(Vendor::PostgreSql).sql("a.sql", "select 1").await.unwrap();
    job.pause_schedule().await.unwrap();
    let listed = sqlflow.scheduled_jobs().await.unwrap().jobs;
    assert_eq!(
        listed.iter().map(|info| (&info.id, info.cancel_schedule)).collect::<Vec<_>>(),
        [(job.id(), Some(true))]
    );
    job.resume_schedule().await.unwrap();
    job.reschedule("30 2 * * MON-FRI").await.unwrap();
    assert_eq!(job.info().await.unwrap().cancel_schedule, Some(false));
    assert_eq!(unscheduled.pause_schedule().await.unwrap_err().kind(), ErrorKind::Rejected);
}
