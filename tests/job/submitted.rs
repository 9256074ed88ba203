//! Submissions of every kind of input: files, directories, zips, SQL in memory, batches.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlflow_client::emulator::{Emulator, Fault};
use sqlflow_client::job::{JobStatus, Settling};
use sqlflow_client::lineage::RelationType;
use sqlflow_client::{Client, ErrorKind, Vendor};

use super::{configured, requests_to, sqlflow};

const INSERT: &str = "insert into report (total) select amount from sales";

#[tokio::test]
async fn sql_in_memory_passes_through_every_state_to_typed_lineage() {
    let (sqlflow, emulator) = sqlflow().await;
    let job = sqlflow.submit(Vendor::PostgreSql).name("nightly").without_suffix().sql("a.sql", INSERT).await.unwrap();
    let mut states = Vec::new();
    let mut watch = job.watch();
    while let Some(state) = watch.try_next().await.unwrap() {
        states.push(state.status().clone());
    }
    assert_eq!(states.last(), Some(&JobStatus::Success));
    assert!(!states[0].is_final(), "{states:?}");
    let lineage = job.lineage().await.unwrap();
    let flows: Vec<_> = lineage.column_flows().iter().map(ToString::to_string).collect();
    assert_eq!(flows, ["sales.amount → report.total"]);
    assert_eq!(emulator.jobs()[0].name, "nightly");
    assert_eq!(requests_to(&emulator, "generateToken"), 1);
}

#[tokio::test]
async fn the_progress_of_an_upload_ends_with_all_bytes_and_begins_again_with_each_attempt() {
    let script = format!("-- {}\n{INSERT}", "x".repeat(300_000));
    let fault = Fault::reset_after_received(100_000).on("submitUserJob").times(1);
    let emulator = Emulator::builder().fault(fault).start().await.unwrap();
    // Whether the broken attempt has created a job is found out in this time.
    let settling = Settling::new().window(Duration::from_millis(800));
    let sqlflow = Client::builder(emulator.url()).settling(settling).build().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&seen);
    let submit = sqlflow.submit(Vendor::PostgreSql).sql("a.sql", script.clone()).sql("b.sql", INSERT);
    submit.on_progress(move |progress| record.lock().unwrap().push(progress.clone())).send().await.unwrap();
    let seen = seen.lock().unwrap();
    let total = (script.len() + INSERT.len()) as u64;
    assert!(seen.iter().all(|progress| progress.total() == total && progress.sent() <= total));
    let last = seen.last().unwrap();
    assert_eq!((last.sent(), last.attempt(), last.to_string()), (total, 2, format!("{total} of {total} bytes")));
    let attempts: Vec<_> = seen.iter().map(|progress| (progress.attempt(), progress.sent())).collect();
    assert!(attempts.is_sorted(), "{attempts:?}");
    assert!(attempts.iter().filter(|(attempt, _)| *attempt == 2).count() > 3, "{attempts:?}");
    assert_eq!(emulator.jobs().len(), 1);
}

#[tokio::test]
async fn a_directory_is_one_zip_whose_files_refer_to_each_other() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("views")).unwrap();
    fs::write(home.path().join("1.sql"), "create table s (a int, b int)").unwrap();
    fs::write(home.path().join("views/2.sql"), "create view v as select * from s").unwrap();
    let (sqlflow, _emulator) = sqlflow().await;
    let done = sqlflow.submit(Vendor::PostgreSql).path(home.path()).await.unwrap().wait().await.unwrap();
    assert_eq!(done.info().file_names.len(), 1, "{:?}", done.info().file_names);
    let flows: Vec<_> = done.lineage().await.unwrap().column_flows().iter().map(ToString::to_string).collect();
    assert_eq!(flows, ["s.a → v.a", "s.b → v.b"]);
}

#[tokio::test]
async fn files_zips_and_sql_in_memory_can_be_combined_under_any_names() {
    let home = tempfile::tempdir().unwrap();
    // Windows has no quotes in the names of files; names in memory have them everywhere.
    let odd = home.path().join("an ünïcode; name.sql");
    fs::write(&odd, INSERT).unwrap();
    let packed = home.path().join("packed.zip");
    let mut zip = zip::ZipWriter::new(fs::File::create(&packed).unwrap());
    zip.start_file("inner.sql", zip::write::SimpleFileOptions::default()).unwrap();
    std::io::Write::write_all(&mut zip, b"create view v as select total from report").unwrap();
    zip.finish().unwrap();
    let (sqlflow, _emulator) = sqlflow().await;
    let submit = sqlflow.submit(Vendor::PostgreSql).file(&odd).zip(&packed);
    let submit = submit.sql("a \"quoted\" name.sql", "create view w as select total from v");
    let done = submit.await.unwrap().wait().await.unwrap();
    assert_eq!(done.info().file_names, ["an ünïcode; name.sql", "packed.zip", "a \"quoted\" name.sql"]);
    let lineage = done.lineage().await.unwrap();
    let total = lineage.column("w", "total").unwrap();
    assert_eq!(total.upstream().direct().to_vec()[0].qualified_name(), "v.total");
}

#[tokio::test]
async fn options_arrive_and_show_in_the_job() {
    let (sqlflow, _emulator) = sqlflow().await;
    let submit = sqlflow
        .submit(Vendor::Snowflake)
        .name("with options")
        .without_suffix()
        .sql("a.sql", INSERT)
        .relation_types([RelationType::Fdd, RelationType::Fdr])
        .ignore_function(false)
        .show_transform(true)
        .default_database("WAREHOUSE")
        .default_schema("PUBLIC")
        .on_top(true);
    let info = submit.await.unwrap().wait().await.unwrap().info().clone();
    assert_eq!(info.name.as_deref(), Some("with options"));
    assert_eq!(info.db_vendor, Some(Vendor::Snowflake));
    assert_eq!(info.show_relation_type.as_deref(), Some("fdd,fdr"));
    assert_eq!((info.ignore_function, info.show_transform, info.on_top), (Some(false), Some(true), Some(true)));
    assert_eq!(info.default_schema.as_deref(), Some("PUBLIC"));
}

#[tokio::test]
async fn a_file_that_does_not_parse_makes_a_partial_success_that_says_so() {
    let (sqlflow, _emulator) = sqlflow().await;
    let submit = sqlflow.submit(Vendor::PostgreSql).sql("good.sql", INSERT).sql("bad.sql", "selekt nothing frm (");
    let done = submit.await.unwrap().wait().await.unwrap();
    assert!(done.is_partial());
    assert!(done.warnings().any(|warning| warning.contains("bad.sql")), "{:?}", done.info().error_message);
    let lineage = done.lineage().await.unwrap();
    assert!(lineage.errors().len() > 0);
    assert_eq!(lineage.column_flows().len(), 1);
}

#[tokio::test]
async fn sql_without_a_statement_that_parses_fails_the_job_with_its_reason() {
    let (sqlflow, _emulator) = sqlflow().await;
    let job = sqlflow.submit(Vendor::PostgreSql).sql("bad.sql", "selekt nothing frm (").await.unwrap();
    let error = job.wait().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::JobFailed);
    assert_eq!(error.job_id(), Some(job.id()));
    assert!(error.to_string().contains("bad.sql"), "{error}");
}

#[tokio::test]
async fn a_vendor_unknown_to_the_emulator_is_parsed_anyway_and_the_job_says_so() {
    let (sqlflow, _emulator) = sqlflow().await;
    let done = sqlflow.submit(Vendor::Netezza).sql("a.sql", INSERT).await.unwrap().wait().await.unwrap();
    assert!(!done.is_partial());
    assert!(done.warnings().any(|warning| warning.contains("generic")), "{:?}", done.info());
    assert_eq!(done.lineage().await.unwrap().column_flows().len(), 1);
}

#[tokio::test]
async fn batches_are_added_to_a_regular_job() {
    let (sqlflow, emulator) = sqlflow().await;
    let first = sqlflow.submit_persist(Vendor::PostgreSql).name("daily").sql("1.sql", INSERT).await.unwrap();
    first.wait().await.unwrap();
    let second = sqlflow
        .submit_persist(Vendor::PostgreSql)
        .name("daily")
        .batch_of(first.id().clone())
        .sql("2.sql", "create view v as select total from report");
    let second = second.await.unwrap();
    assert_eq!(second.id(), first.id());
    second.wait().await.unwrap();
    assert_eq!(second.lineage().await.unwrap().column_flows().len(), 2);
    assert_eq!(emulator.jobs().len(), 1);
}

#[tokio::test]
async fn an_upload_over_the_limit_never_reaches_the_server() {
    let home = tempfile::tempdir().unwrap();
    let huge = home.path().join("huge.sql");
    fs::File::create(&huge).unwrap().set_len(200_000_001).unwrap();
    let (sqlflow, emulator) = sqlflow().await;
    let error = sqlflow.submit(Vendor::Oracle).file(&huge).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("200000001"), "{error}");
    assert!(emulator.requests().is_empty());
}

#[tokio::test]
async fn bad_input_is_named_and_never_reaches_the_server() {
    let (sqlflow, emulator) = sqlflow().await;
    let empty = tempfile::tempdir().unwrap();
    let submit = || sqlflow.submit(Vendor::Oracle);
    for (submit, kind, named) in [
        (submit(), ErrorKind::InvalidInput, "nothing to submit"),
        (submit().name("").sql("a.sql", INSERT), ErrorKind::InvalidInput, "job name is empty"),
        (submit().sql("", INSERT), ErrorKind::InvalidInput, "empty file name"),
        (submit().path("no/such/file.sql"), ErrorKind::Io, "no/such/file.sql"),
        (submit().path(empty.path()), ErrorKind::InvalidInput, "contains no files"),
        (submit().file(empty.path()), ErrorKind::InvalidInput, "is not a file"),
    ] {
        let error = submit.await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(named), "{error}");
    }
    assert!(emulator.requests().is_empty());
}

#[tokio::test]
async fn a_wrong_secret_key_fails_at_once_with_one_request() {
    let (_, emulator) = configured(|builder| builder.account("ann", "right")).await;
    let sqlflow = super::client_of(&emulator, sqlflow_client::Credentials::secret_key("ann", "wrong key"));
    let error = sqlflow.submit(Vendor::Oracle).sql("a.sql", INSERT).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert_eq!(emulator.requests().len(), 1);
    assert!(emulator.jobs().is_empty());
}

#[tokio::test]
async fn an_on_premise_server_accepts_a_job_without_a_token_request() {
    let (_, emulator) = sqlflow().await;
    let sqlflow = super::client_of(&emulator, sqlflow_client::Credentials::on_premise());
    sqlflow.submit(Vendor::PostgreSql).sql("a.sql", INSERT).await.unwrap().wait().await.unwrap();
    assert_eq!(requests_to(&emulator, "generateToken"), 0);
}

#[tokio::test]
async fn a_submission_whose_response_is_too_large_is_found_by_its_name() {
    let (sqlflow, emulator) = sqlflow().await;
    emulator.inject(Fault::bomb(100_000_000).on("submitUserJob"));
    let job = sqlflow.submit(Vendor::PostgreSql).sql("a.sql", INSERT).await.unwrap();
    assert_eq!(emulator.jobs().len(), 1);
    assert_eq!(emulator.jobs()[0].id, job.id().as_str());
    let unnamed = sqlflow.submit(Vendor::PostgreSql).without_suffix().sql("a.sql", INSERT).await.unwrap_err();
    assert_eq!((unnamed.kind(), unnamed.job_name()), (ErrorKind::SubmitUnknown, Some("a.sql")));
}
