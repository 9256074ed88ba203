//! Syntax checks: errors in SQL are a result, and failures of the check are errors.

use serde_json::{Value, json};
use sqlflow_client::analysis::SyntaxCheck;
use sqlflow_client::{ErrorKind, Result, Vendor};
use wiremock::{Respond, ResponseTemplate};

use crate::TestResult;
use crate::mock::{Server, answer, body, failure, success};

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
async fn errors_in_sql_are_a_result_wherever_and_however_they_are_written() -> TestResult {
    let infos = json!([{"errorMessage": "near: selec(1,1)"}]);
    let envelope = |code: i64, error: &str| json!({"code": code, "error": error, "data": {"errorInfos": infos}});
    let status = |status: u16, value: &Value| ResponseTemplate::new(status).set_body_json(value);
    for response in [
        status(400, &envelope(400, "bad")),
        status(401, &envelope(401, "bad")),
        status(500, &envelope(500, "bad")),
        status(503, &envelope(500, "bad")),
        status(500, &json!({"data": {"errorInfos": infos}})),
        answer(envelope(401, "bad")),
        answer(envelope(429, "bad")),
        answer(envelope(500, "Sorry, the service is busy. Please try again later.")),
        answer(json!({"code": 500, "data": infos})),
        answer(json!({"code": 200, "data": infos})),
        answer(json!({"code": 500, "errorInfos": infos})),
        answer(json!({"code": 500, "data": {"usedTime": 1}, "errorInfos": infos})),
        answer(json!({"code": 500, "data": null, "error": "bad", "errorInfos": infos[0]})),
    ] {
        let check = checked(response).await?;
        let shown: Vec<_> = check.errors.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["1:1: near: selec(1,1)"]);
    }
    for odd in
        [r#"{"errorMessage":"bad \ud83d here","lineNo":1}"#, r#"{"errorMessage":"bad here","lineNo":1,"x":1e999}"#]
    {
        let text = format!(r#"{{"code":500,"error":"e","data":{{"errorInfos":[{odd},{{"errorMessage":"x"}}]}}}}"#);
        let check = checked(body(text)).await?;
        assert_eq!((check.errors.len(), check.errors[0].line), (2, Some(1)));
        assert!(check.errors[0].message.starts_with("bad"), "{:?}", check.errors);
    }
    Ok(())
}

#[tokio::test]
async fn an_empty_value_in_place_of_errors_means_that_there_are_none() -> TestResult {
    for nothing in [json!(null), json!(""), json!(" "), json!(0), json!(false), json!({}), json!([]), json!([null])] {
        let check = checked(success(json!({"usedTime": 1, "errorInfos": nothing}))).await?;
        assert!(check.is_ok(), "{nothing}: {:?}", check.errors);
        let failed = answer(json!({"code": 500, "error": "boom", "data": {"errorInfos": nothing}}));
        assert_eq!(checked(failed).await.unwrap_err().kind(), ErrorKind::Server, "{nothing}");
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
