//! Syntax checks: errors in SQL are a result, and failures of the check are errors.

use serde_json::json;
use sqlflow_client::analysis::SyntaxCheck;
use sqlflow_client::{ErrorKind, Result, Vendor};
use wiremock::{Respond, ResponseTemplate};

use crate::TestResult;
use crate::mock::{Server, answer, failure, success};

const CHECK: &str = "/demo/syntax/check";

async fn checked(response: impl Respond + 'static) -> Result<SyntaxCheck> {
    let server = Server::answering(CHECK, response).await;
    server.client().check_syntax(Vendor::Oracle, "selec 1").await
}

#[tokio::test]
async fn a_check_sends_the_dialect_and_the_sql() -> TestResult {
    let server = Server::answering(CHECK, success(json!({"usedTime": "2ms", "gsp.version": "3.1"}))).await;
    let check = server.client().check_syntax(Vendor::Oracle, "select 1 from dual").send().await?;
    assert!(check.is_ok());
    let sent = server.only().await;
    assert_eq!(sent.field("dbvendor").as_deref(), Some("dbvoracle"));
    assert_eq!(sent.field("sql").as_deref(), Some("select 1 from dual"));
    Ok(())
}

#[tokio::test]
async fn errors_in_sql_are_a_result_whatever_the_code() -> TestResult {
    for code in [json!(200), json!(400), json!(500), json!("509")] {
        let infos = json!([{"errorMessage": "syntax error near: selec(1,1)"}, {"errorMessage": "x", "lineNo": "2"}]);
        let check = checked(answer(json!({"code": code, "error": "bad", "data": {"errorInfos": infos}}))).await?;
        assert!(!check.is_ok());
        let shown: Vec<_> = check.errors.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["1:1: syntax error near: selec(1,1)", "2: x"], "{code}");
    }
    Ok(())
}

#[tokio::test]
async fn a_failure_without_errors_in_the_sql_is_one_of_the_check() {
    for (response, kind) in [
        (failure(500, "boom"), ErrorKind::Server),
        (answer(json!({"code": 500, "error": "boom", "data": {"errorInfos": null}})), ErrorKind::Server),
        (answer(json!({"code": 400, "error": "dbvendor", "data": {"errorInfos": []}})), ErrorKind::Rejected),
        (failure(401, "access deny"), ErrorKind::Authentication),
        (failure(500, "Sorry, the service is busy. Please try again later."), ErrorKind::Busy),
        (answer(json!({"code": 200})), ErrorKind::Protocol),
        (ResponseTemplate::new(502), ErrorKind::Server),
    ] {
        let error = checked(response).await.unwrap_err();
        assert_eq!((error.kind(), error.operation()), (kind, Some("checkSyntax")), "{error}");
    }
}

#[tokio::test]
async fn empty_sql_is_not_sent() {
    let server = Server::start().await;
    for sql in ["", " \n", "\u{feff}", "\u{feff} \n"] {
        let error = server.client().check_syntax(Vendor::Oracle, sql).await.unwrap_err();
        assert_eq!((error.kind(), error.operation()), (ErrorKind::InvalidInput, Some("checkSyntax")));
    }
    assert_eq!(server.sent().await.len(), 0);
}
