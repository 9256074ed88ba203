//! Queries about a finished job that the emulator answers.

use sqlflow_client::job::FinishedJob;
use sqlflow_client::{Client, ErrorKind, Vendor};

use super::sqlflow;

const SQL: &str = "create view v as select a + b as total from t; create view w as select total from v";

async fn done(sqlflow: &Client) -> FinishedJob {
    sqlflow.submit(Vendor::PostgreSql).sql("a.sql", SQL).await.unwrap().wait().await.unwrap()
}

#[tokio::test]
async fn the_ultimate_sources_of_a_table_skip_what_is_in_between() {
    let (sqlflow, _emulator) = sqlflow().await;
    let done = done(&sqlflow).await;
    let found = done.job().left_most_sources("w").send().await.unwrap();
    assert_eq!(found.len(), 1);
    assert!(found[0].target.as_ref().unwrap().to_string().ends_with("w.total"), "{found:?}");
    let mut sources: Vec<_> =
        found[0].sources.iter().map(|source| (source.table.as_deref(), source.column.as_deref())).collect();
    sources.sort_unstable();
    assert_eq!(sources, [(Some("t"), Some("a")), (Some("t"), Some("b"))]);
}

#[tokio::test]
async fn a_plain_name_is_no_pattern_and_a_pattern_is() {
    let (sqlflow, _emulator) = sqlflow().await;
    let done = done(&sqlflow).await;
    assert!(done.job().left_most_sources(".").await.unwrap().is_empty());
    assert_eq!(done.job().left_most_sources_matching(".").await.unwrap().len(), 2);
    assert!(done.job().left_most_sources("w").column("other").await.unwrap().is_empty());
    let error = done.job().left_most_sources_matching("(").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected);
    assert!(error.to_string().contains("tableNamePattern"), "{error}");
}

#[tokio::test]
async fn the_ultimate_sources_as_csv_are_the_same_in_memory_and_in_a_file() {
    let (sqlflow, _emulator) = sqlflow().await;
    let done = done(&sqlflow).await;
    let csv = || done.job().left_most_sources("w").csv().delimiter(";");
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("sources.csv");
    let length = csv().to_file(&path).await.unwrap();
    let bytes = csv().await.unwrap();
    assert_eq!((length, std::fs::read(&path).unwrap()), (bytes.len() as u64, bytes.to_vec()));
    assert_eq!(String::from_utf8(bytes.to_vec()).unwrap().lines().count(), 3, "a header and two sources");
}
