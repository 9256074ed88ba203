//! The generated client uses the same transport as all other calls, and returns the envelope to the caller.

use serde_json::json;
use sqlflow_client::api::{File, types};
use sqlflow_client::lineage::RelationType;
use sqlflow_client::{ErrorKind, JobId, Vendor};
use wiremock::ResponseTemplate;

use crate::TestResult;
use crate::mock::{GENERATE_TOKEN, JOBS, LINEAGE, Server, answer, failure, in_turn, page, success, token};
use crate::sent::{Fields, fields};

const GENERATE: &str = "/sqlflow/generation/sqlflow";
const IMAGE: &str = "/sqlflow/generation/sqlflow/graph/image";
const PARQUET: &str = "/sqlflow/job/download/parquet";
const UPSTREAM: &str = "/sqlflow/generation/upstream";
const UPSTREAM_GRAPH: &str = "/sqlflow/generation/sqlflow/upstreamGraph";
const ANONYMOUS: &str = "/api/anonymous/lineage";
const SYNTAX: &str = "/demo/syntax/check";

/// Starts a server that issues the token `t1` and responds to one operation.
async fn server(operation: &str, answer: ResponseTemplate) -> Server {
    let server = Server::answering(GENERATE_TOKEN, token("t1")).await;
    server.on(operation, answer).await;
    server
}

fn empty_model() -> ResponseTemplate {
    success(json!({"dbobjs": [], "relationships": []}))
}

#[tokio::test]
async fn a_post_form_operation_sends_its_form_with_user_and_token() -> TestResult {
    let server = server(GENERATE, empty_model()).await;
    let mut form = types::GenerateSqlflowRequest::new(Vendor::Oracle);
    form.sqltext = Some("select a & b from t".to_owned());
    form.ignore_record_set = Some(true);
    let client = server.client_with_secret_key();
    let lineage = client.api().generate_sqlflow(&form).await?.into_data()?;
    assert_eq!(lineage.objects().len(), 0);
    let sent = server.sent_to(GENERATE).await;
    assert_eq!((sent[0].method.as_str(), sent[0].query()), ("POST", Fields::new()));
    let expected = fields([
        ("userId", "auth0|ann"),
        ("token", "t1"),
        ("dbvendor", "dbvoracle"),
        ("sqltext", "select a & b from t"),
        ("ignoreRecordSet", "true"),
    ]);
    assert_eq!(sent[0].form(), expected);
    Ok(())
}

#[tokio::test]
async fn a_get_operation_has_its_parameters_user_and_token_in_the_query() -> TestResult {
    let server = server(PARQUET, ResponseTemplate::new(200).set_body_bytes(*b"PAR1")).await;
    let client = server.client_with_secret_key();
    client.api().download_parquet("b 1", Some(&JobId::new("j&1")), None).await?;
    let sent = server.sent_to(PARQUET).await;
    assert_eq!((sent[0].method.as_str(), sent[0].body.as_slice()), ("GET", &b""[..]));
    let expected = fields([("batchId", "b 1"), ("jobId", "j&1"), ("userId", "auth0|ann"), ("token", "t1")]);
    assert_eq!(sent[0].query(), expected);
    Ok(())
}

#[tokio::test]
async fn a_get_operation_with_a_json_response_is_read() -> TestResult {
    let server = server(UPSTREAM_GRAPH, empty_model()).await;
    let client = server.client_with_secret_key();
    let api = client.api();
    let (vendor, yes) = (Vendor::Hive, Some(true));
    let relation_types = [RelationType::Fdd, RelationType::Frd].into();
    let asking = api.get_upstream_graph(
        Some(&vendor),
        Some(2),
        yes,
        None,
        None,
        None,
        None,
        None,
        Some("s1"),
        None,
        Some(false),
        Some(&relation_types),
        None,
        None,
        None,
        None,
        None,
    );
    asking.await?.into_data()?;
    let expected = fields([
        ("dbvendor", "dbvhive"),
        ("distance", "2"),
        ("hideColumn", "true"),
        ("sessionId", "s1"),
        ("showLinkOnly", "false"),
        ("showRelationType", "fdd,frd"),
        ("userId", "auth0|ann"),
        ("token", "t1"),
    ]);
    assert_eq!(server.sent_to(UPSTREAM_GRAPH).await[0].query(), expected);
    Ok(())
}

#[tokio::test]
async fn a_get_operation_whose_token_expired_is_retried_with_only_the_new_one() -> TestResult {
    let server = Server::answering(GENERATE_TOKEN, in_turn([token("t1"), token("t2")])).await;
    let parquet = ResponseTemplate::new(200).set_body_bytes(*b"PAR1");
    server.on(PARQUET, in_turn([failure(401, "expired"), parquet])).await;
    let client = server.client_with_secret_key();
    client.api().download_parquet("b1", None, None).await?;
    let sent = server.sent_to(PARQUET).await;
    assert_eq!(sent[1].query(), fields([("batchId", "b1"), ("userId", "auth0|ann"), ("token", "t2")]));
    Ok(())
}

#[tokio::test]
async fn a_json_operation_gets_the_user_id_in_its_json() -> TestResult {
    let server = server(UPSTREAM, success(json!([]))).await;
    let mut search = types::StreamSearch::new("ORDERS");
    search.level = Some(3);
    let client = server.client_with_secret_key();
    client.api().upstream(&search).await?.into_data()?;
    let sent = server.sent_to(UPSTREAM).await;
    assert_eq!(sent[0].json(), json!({"tablename": "ORDERS", "level": 3, "userid": "auth0|ann"}));
    assert_eq!(sent[0].query(), Fields::new());
    Ok(())
}

#[tokio::test]
async fn the_anonymous_operation_sends_json_without_credentials_and_requests_no_token() -> TestResult {
    let server = server(ANONYMOUS, empty_model()).await;
    let mut body = types::AnonymousLineageRequest::new(Vendor::MySql, "select 1");
    body.show_relation_type = Some([RelationType::Fdd].into());
    let client = server.client_with_secret_key();
    client.api().anonymous_lineage(&body).await?.into_data()?;
    let sent = server.only().await;
    assert_eq!(sent.json(), json!({"sqltext": "select 1", "dbvendor": "dbvmysql", "showRelationType": "fdd"}));
    assert_eq!(sent.query(), Fields::new());
    Ok(())
}

#[tokio::test]
async fn the_anonymous_operation_over_its_limit_has_no_quota_left() {
    let limited = ResponseTemplate::new(429).insert_header("Retry-After", "3600").set_body_json(json!({
        "code": 429, "error": "rate_limit_exceeded", "message": "get a personal key",
        "upgrade": {"personal_key": {"url": "https://example.com"}},
    }));
    let server = server(ANONYMOUS, limited).await;
    let body = types::AnonymousLineageRequest::new(Vendor::MySql, "select 1");
    let error = server.client().api().anonymous_lineage(&body).await.expect_err("limited");
    assert_eq!((error.kind(), error.status()), (ErrorKind::QuotaExceeded, Some(429)));
    assert_eq!(error.retry_after().map(|wait| wait.as_secs()), Some(3600));
    assert_eq!(error.operation(), Some("anonymousLineage"));
}

#[tokio::test]
async fn a_byte_stream_operation_returns_the_bytes() -> TestResult {
    let picture: Vec<u8> = b"\x89PNG\r\n\x1a\n".iter().copied().chain(0..=255).collect();
    let png = ResponseTemplate::new(200).set_body_raw(picture.clone(), "image/png");
    let server = server(IMAGE, png).await;
    let form = types::GenerateSqlflowGraphImageRequest::new(Vendor::Oracle);
    let mut stream = server.client().api().generate_sqlflow_graph_image(&form).await?.into_inner();
    let mut received = Vec::new();
    while let Some(piece) = stream.try_next().await? {
        received.extend_from_slice(&piece);
    }
    assert_eq!(received, picture);
    Ok(())
}

#[tokio::test]
async fn an_upload_sends_the_form_with_the_file_as_multipart() -> TestResult {
    let server = server(GENERATE, empty_model()).await;
    let form = types::GenerateSqlflowRequest::new(Vendor::Oracle);
    let client = server.client_with_secret_key();
    let uploading = client.api().upload(&form, [File::new("ä b.sql", "select 1")]);
    uploading.await?.into_data()?;
    let sent = server.sent_to(GENERATE).await;
    assert_eq!(sent[0].fields(), fields([("userId", "auth0|ann"), ("token", "t1"), ("dbvendor", "dbvoracle")]));
    let files = sent[0].files();
    assert_eq!((files[0].name.as_str(), files[0].file_name.as_deref()), ("sqlfile", Some("ä b.sql")));
    assert_eq!(files[0].content, b"select 1");
    assert_eq!(sent[0].query(), Fields::new());
    Ok(())
}

#[tokio::test]
async fn an_upload_whose_response_is_bytes_returns_a_stream() -> TestResult {
    let server = server(IMAGE, ResponseTemplate::new(200).set_body_raw(*b"PNG", "image/png")).await;
    let form = types::GenerateSqlflowGraphImageRequest::new(Vendor::Oracle);
    let client = server.client();
    let mut stream = client.api().upload(&form, [File::new("a.sql", "select 1")]).await?.into_inner();
    assert_eq!(stream.try_next().await?.as_deref(), Some(&b"PNG"[..]));
    Ok(())
}

#[tokio::test]
async fn a_failing_envelope_stays_ok_and_its_data_is_the_error() -> TestResult {
    let server = server(JOBS, failure(500, "no")).await;
    let client = server.client();
    let answered = client.api().display_user_jobs_summary(&types::DisplayUserJobsSummaryRequest::new()).await?;
    assert_eq!((answered.code, answered.error.as_deref(), answered.is_success()), (500, Some("no"), false));
    let error = answered.into_data().expect_err("it failed");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Server, Some(500)));
    Ok(())
}

#[tokio::test]
async fn a_failing_envelope_of_an_upload_stays_ok() -> TestResult {
    let server = server(GENERATE, failure(400, "no")).await;
    let form = types::GenerateSqlflowRequest::new(Vendor::Oracle);
    let answered = server.client().api().upload(&form, [File::new("a.sql", "select 1")]).await?.into_inner();
    assert_eq!(answered.into_data().expect_err("it failed").kind(), ErrorKind::Rejected);
    Ok(())
}

#[tokio::test]
async fn a_syntax_check_returns_its_findings_with_its_failing_code() -> TestResult {
    let found = json!({
        "code": 500,
        "data": {"usedTime": "3ms", "gsp.version": "3.1", "errorInfos": [{"errorMessage": "near x"}]},
    });
    let server = server(SYNTAX, answer(found)).await;
    let client = server.client_with_secret_key();
    let form = types::CheckSyntaxRequest::new(Vendor::Oracle, "selec 1");
    let check = client.api().check_syntax(&form).await?.into_inner().data.ok_or("what it found")?;
    assert_eq!(check.parser_version.as_deref(), Some("3.1"));
    assert_eq!(check.used_time, Some(json!("3ms")));
    assert_eq!(check.errors[0].message, "near x");
    let sent = server.sent_to(SYNTAX).await;
    let expected = [("userId", "auth0|ann"), ("token", "t1"), ("dbvendor", "dbvoracle"), ("sql", "selec 1")];
    assert_eq!(sent[0].form(), fields(expected));
    Ok(())
}

#[tokio::test]
async fn code_401_is_returned_as_an_error() {
    let server = server(JOBS, failure(401, "no")).await;
    let asking = types::DisplayUserJobsSummaryRequest::new();
    let error = server.client().api().display_user_jobs_summary(&asking).await.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Authentication);
}

#[tokio::test]
async fn a_failure_of_http_is_an_error_that_names_the_operation() {
    let server = server(GENERATE, page(502, "<html>502 Bad Gateway</html>")).await;
    let form = types::GenerateSqlflowRequest::new(Vendor::Oracle);
    let client = server.client();
    let plain = client.api().generate_sqlflow(&form).await.expect_err("bad gateway");
    let upload = client.api().upload(&form, [File::new("a.sql", "1")]).await.expect_err("bad gateway");
    for error in [plain, upload] {
        assert_eq!((error.kind(), error.status()), (ErrorKind::Server, Some(502)));
        assert_eq!(error.operation(), Some("generateSqlflow"));
    }
}

#[tokio::test]
async fn an_unknown_http_success_status_is_an_error() {
    let server = server(GENERATE, ResponseTemplate::new(204)).await;
    let form = types::GenerateSqlflowRequest::new(Vendor::Oracle);
    let error = server.client().api().generate_sqlflow(&form).await.expect_err("no content");
    assert_eq!((error.kind(), error.status()), (ErrorKind::Protocol, Some(204)));
}

#[tokio::test]
async fn the_headers_of_a_response_are_available() -> TestResult {
    let disposition = "attachment; filename=lineage.json";
    let file = empty_model().insert_header("Content-Disposition", disposition);
    let server = server(LINEAGE, file).await;
    let mut form = types::ExportLineageAsJsonRequest::new();
    form.job_id = Some(JobId::new("j1"));
    let answered = server.client().api().export_lineage_as_json(&form).await?;
    let header = answered.headers().get("content-disposition").and_then(|value| value.to_str().ok());
    assert_eq!(header, Some(disposition));
    Ok(())
}

#[tokio::test]
async fn a_request_has_no_headers_that_the_api_does_not_define() -> TestResult {
    let server = server(JOBS, success(json!({}))).await;
    let client = server.client();
    client.api().display_user_jobs_summary(&types::DisplayUserJobsSummaryRequest::new()).await?;
    let sent = server.only().await;
    let mut names: Vec<_> = sent.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "accept-encoding", "content-length", "content-type", "host", "user-agent"]);
    Ok(())
}

#[tokio::test]
async fn a_secret_key_is_made_with_the_user_id_alone() -> TestResult {
    let server = server("/user/generateSecretKey", success(json!("new"))).await;
    let client = server.client_with_secret_key();
    client.api().generate_secret_key(&types::GenerateSecretKeyRequest::new()).await?.into_data()?;
    assert_eq!(server.only().await.form(), fields([("userId", "auth0|ann")]));
    Ok(())
}

#[tokio::test]
async fn a_token_can_be_requested_explicitly() -> TestResult {
    let server = server(JOBS, success(json!({}))).await;
    let form = types::GenerateTokenRequest::new("key", "bob");
    let answered = server.client().api().generate_token(&form).await?.into_inner();
    assert_eq!(answered.into_token()?.expose(), "t1");
    assert_eq!(server.only().await.form(), fields([("userId", "bob"), ("secretKey", "key")]));
    Ok(())
}

#[tokio::test]
async fn an_envelope_in_place_of_a_file_is_an_error() -> TestResult {
    let failed = || failure(500, "no picture today");
    let server = server(PARQUET, failed()).await;
    server.on(IMAGE, failed()).await;
    let client = server.client();
    let image = types::GenerateSqlflowGraphImageRequest::new(Vendor::Oracle);
    for error in [
        client.api().download_parquet("b", None, None).await.map(drop).expect_err("no file"),
        client.api().generate_sqlflow_graph_image(&image).await.map(drop).expect_err("no file"),
        client.api().upload(&image, [File::new("a.sql", "select 1")]).await.map(drop).expect_err("no file"),
    ] {
        assert_eq!((error.kind(), error.code()), (ErrorKind::Server, Some(500)), "{error:?}");
        assert!(error.to_string().contains("no picture today"), "{error}");
    }
    Ok(())
}
