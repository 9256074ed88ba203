//! Exports of a finished job, in every form.

use sqlflow_client::emulator::Fault;
use sqlflow_client::job::FinishedJob;
use sqlflow_client::lineage::RelationType;
use sqlflow_client::{Client, ErrorKind, Lineage, Vendor};

use super::{configured, requests_to, sqlflow};

const SQL: &str = "create view v as select t.a, count(t.b) as n from t where t.c > 1 group by t.a";

async fn done(sqlflow: &Client) -> FinishedJob {
    sqlflow.submit(Vendor::PostgreSql).sql("a.sql", SQL).await.unwrap().wait().await.unwrap()
}

#[tokio::test]
async fn an_export_has_the_same_bytes_in_memory_in_a_stream_and_in_a_file() {
    let (sqlflow, _emulator) = sqlflow().await;
    let done = done(&sqlflow).await;
    let export = || done.job().export_full_lineage_as_csv();
    let bytes = export().bytes().await.unwrap();
    let mut streamed = Vec::new();
    let mut stream = export().stream().await.unwrap();
    while let Some(piece) = stream.try_next().await.unwrap() {
        streamed.extend_from_slice(&piece);
    }
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("lineage.csv");
    let length = export().to_file(&path).await.unwrap();
    assert_eq!(bytes, streamed);
    assert_eq!(bytes, std::fs::read(&path).unwrap());
    assert_eq!(length, bytes.len() as u64);
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1, "something was left behind");
}

#[cfg(unix)]
#[tokio::test]
async fn the_permissions_of_a_file_follow_the_umask() {
    use std::os::unix::fs::PermissionsExt as _;
    let (sqlflow, _emulator) = sqlflow().await;
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("plain"), "").unwrap();
    done(&sqlflow).await.job().export_full_lineage_as_csv().to_file(home.path().join("out")).await.unwrap();
    let mode = |name| std::fs::metadata(home.path().join(name)).unwrap().permissions().mode();
    assert_eq!(mode("out"), mode("plain"));
}

#[tokio::test]
async fn diagram_and_full_lineage_have_the_same_column_relationships() {
    let (sqlflow, _emulator) = sqlflow().await;
    let done = done(&sqlflow).await;
    let flows = |lineage: &Lineage| lineage.column_flows().iter().map(ToString::to_string).collect::<Vec<_>>();
    let drawn = done.lineage().await.unwrap();
    let full = done.job().export_full_lineage_as_json().await.unwrap();
    assert_eq!(flows(&drawn), ["t.a → v.a"]);
    assert_eq!(flows(&drawn), flows(&full));
    assert_eq!(drawn.job_id(), Some(done.id().as_str()));
    assert_eq!((drawn.unknown_fields().len(), drawn.unresolved().count()), (0, 0));
}

#[tokio::test]
async fn diagram_options_take_effect() {
    let (sqlflow, _emulator) = sqlflow().await;
    let done = done(&sqlflow).await;
    let has =
        |lineage: &Lineage, wanted| lineage.relationships().any(|relationship| relationship.relation_type() == wanted);
    let plain = done.lineage().await.unwrap();
    assert!(!has(&plain, RelationType::Fdr));
    assert!(plain.objects().any(|object| object.is_intermediate()));
    let both = done.export_lineage_as_json().relation_types([RelationType::Fdd, RelationType::Fdr]).await.unwrap();
    assert!(has(&both, RelationType::Fdr));
    let simple = done.export_lineage_as_json().simple_output(true).await.unwrap();
    assert!(!simple.objects().any(|object| object.is_intermediate()));
    let counted =
        done.export_lineage_as_json().treat_arguments_in_count_function_as_direct_dataflow(true).await.unwrap();
    assert!(counted.column_flows().iter().any(|flow| flow.to_string() == "t.b → v.n"));
}

#[tokio::test]
async fn a_summary_over_the_relation_limit_is_distinguished_from_lineage() {
    let (sqlflow, _emulator) = configured(|builder| builder.relation_limit(Some(1))).await;
    let done = done(&sqlflow).await;
    let drawn = done.lineage().await.unwrap();
    assert!(drawn.is_summary());
    assert_eq!(drawn.relationships().len(), 0);
    assert!(drawn.summary().unwrap().relationships().unwrap() > 1);
    let full = done.job().export_full_lineage_as_json().await.unwrap();
    assert!(!full.is_summary() && full.relationships().len() > 1);
}

#[tokio::test]
async fn an_export_of_a_missing_job_is_an_error_in_every_form() {
    let (sqlflow, _emulator) = sqlflow().await;
    let job = sqlflow.job("0123456789abcdef0123456789abcdef");
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("out");
    for error in [
        job.lineage().await.unwrap_err(),
        job.export_full_lineage_as_json().await.unwrap_err(),
        job.export_full_lineage_as_csv().bytes().await.unwrap_err(),
        job.export_lineage_as_graphml().stream().await.unwrap_err(),
        job.export_full_lineage_as_csv().to_file(&path).await.unwrap_err(),
    ] {
        assert_eq!(error.job_id(), Some(job.id()));
        assert_eq!((error.kind(), error.code()), (ErrorKind::JobNotFound, Some(404)), "{error:?}");
        assert!(error.operation().is_some_and(|operation| operation.starts_with("export")), "{error:?}");
    }
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "something was left behind");
}

#[tokio::test]
async fn an_empty_job_id_is_refused_instead_of_meaning_the_latest_job() {
    let (sqlflow, emulator) = sqlflow().await;
    done(&sqlflow).await;
    let before = emulator.requests().len();
    let error = sqlflow.job("").lineage().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(emulator.requests().len(), before);
}

#[tokio::test]
async fn direct_analysis_goes_through_the_generated_client() {
    use sqlflow_client::api::{File, types};
    let (sqlflow, _emulator) = sqlflow().await;
    let mut form = types::GenerateSqlflowRequest::new(Vendor::PostgreSql);
    form.sqltext = Some(SQL.to_owned());
    let from_text = sqlflow.api().generate_sqlflow(&form).await.unwrap().into_data().unwrap();
    let form = types::GenerateSqlflowRequest::new(Vendor::PostgreSql);
    let from_file = sqlflow.api().upload(&form, [File::new("a.sql", SQL)]).await.unwrap().into_data().unwrap();
    assert_eq!(from_text.column_flows().len(), 1);
    assert_eq!(from_text, from_file);

    let form = types::AnonymousLineageRequest::new(Vendor::PostgreSql, SQL);
    let anonymous = sqlflow.api().anonymous_lineage(&form).await.unwrap().into_data().unwrap();
    assert_eq!(anonymous.column_flows().len(), 1);

    let form = types::CheckSyntaxRequest::new(Vendor::PostgreSql, "selekt");
    let check = sqlflow.api().check_syntax(&form).await.unwrap().into_inner();
    assert!(!check.is_success());
    assert!(!check.data.unwrap().error_infos.is_empty());
}

#[tokio::test]
async fn an_operation_that_the_emulator_does_not_implement_says_so() {
    let (sqlflow, _emulator) = sqlflow().await;
    let form = sqlflow_client::api::types::DisplayUserSchemaSummaryRequest::new();
    let error = sqlflow.api().display_user_schema_summary(&form).await.unwrap().into_data().unwrap_err();
    assert!(error.to_string().contains("displayUserSchemaSummary"), "{error}");
}

#[tokio::test]
async fn a_document_with_trailing_spaces_is_complete() {
    let (sqlflow, emulator) = sqlflow().await;
    let done = done(&sqlflow).await;
    let plain = done.export_lineage_as_graphml().bytes().await.unwrap();
    emulator.inject(Fault::bomb(1_000_000));
    let padded = done.export_lineage_as_graphml().bytes().await.unwrap();
    assert_eq!(padded.len(), 1_000_000);
    assert_eq!(padded.trim_ascii_end(), plain.trim_ascii_end());
    assert_eq!(requests_to(&emulator, "exportLineageAsGraphml"), 2);
}

#[cfg(unix)]
#[tokio::test]
async fn a_replaced_file_keeps_its_permissions_and_links_to_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let (sqlflow, _emulator) = sqlflow().await;
    let home = tempfile::tempdir().unwrap();
    let (file, link) = (home.path().join("private.csv"), home.path().join("link.csv"));
    std::fs::write(&file, "old").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    done(&sqlflow).await.export_full_lineage_as_csv().to_file(&link).await.unwrap();
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(std::fs::read_to_string(&file).unwrap().starts_with("source_db"));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[cfg(unix)]
#[tokio::test]
async fn only_regular_files_are_replaced() {
    let (sqlflow, emulator) = sqlflow().await;
    let done = done(&sqlflow).await;
    let before = emulator.requests().len();
    let error = done.export_full_lineage_as_csv().to_file("/dev/null").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("/dev/null"), "{error}");
    assert_eq!(emulator.requests().len(), before);
}
