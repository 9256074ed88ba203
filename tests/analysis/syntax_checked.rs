//! Syntax checks.

use sqlflow_client::Vendor;

use super::sqlflow;

#[tokio::test]
async fn sql_without_errors_is_ok() {
    let (sqlflow, _emulator) = sqlflow().await;
    let check = sqlflow.check_syntax(Vendor::PostgreSql, "select 1").await.unwrap();
    assert!(check.is_ok());
    assert!(check.parser_version.is_some() && check.used_time.is_some());
}

#[tokio::test]
async fn each_error_has_its_position_and_none_is_an_err() {
    let (sqlflow, _emulator) = sqlflow().await;
    let check = tokio::spawn(sqlflow.check_syntax(Vendor::PostgreSql, "select 1;\nselekt 2;").send());
    let check = check.await.unwrap().unwrap();
    assert!(!check.is_ok());
    let error = &check.errors[0];
    assert_eq!((error.line, error.column), (Some(2), Some(1)), "{error:?}");
    assert_eq!(error.to_string(), format!("2:1: {}", error.message));
}
