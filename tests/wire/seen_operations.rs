//! Operations and options that are in the vendor's own clients and not in its description.

use serde_json::json;
use sqlflow_client::api::{File, types};
use sqlflow_client::lineage::RelationType;
use sqlflow_client::{ErrorKind, JobId, Vendor};
use wiremock::ResponseTemplate;

use crate::TestResult;
use crate::mock::{CSV, FULL_JSON, Server, success};
use crate::sent::{Fields, fields};

/// The fields that the client adds for a server without accounts.
const USER: [(&str, &str); 2] = [("userId", "gudu|0123456789"), ("token", "token")];

/// Asserts that the only request had these fields, in addition to the user.
async fn assert_sent<const N: usize>(server: &Server, expected: [(&str, &str); N]) {
    let sent = server.only().await;
    let mut expected: Fields = fields(expected);
    expected.extend(fields(USER));
    expected.sort();
    assert_eq!((sent.form(), sent.query()), (expected, Fields::new()));
}

fn empty_model() -> ResponseTemplate {
    success(json!({"dbobjs": [], "relationships": []}))
}

fn csv() -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_string("source_db,target_db\n")
}

#[tokio::test]
async fn the_older_csv_export_of_a_job_is_called() -> TestResult {
    let server = Server::answering("/sqlflow/job/exportLineageAsCsv", csv()).await;
    let mut form = types::ExportLineageAsCsvRequest::new();
    form.job_id = Some(JobId::new("j1"));
    form.delimiter = Some(";".to_owned());
    form.table_to_table = Some(true);
    server.client().api().export_lineage_as_csv(&form).await?;
    assert_sent(&server, [("jobId", "j1"), ("delimiter", ";"), ("tableToTable", "true")]).await;
    Ok(())
}

#[tokio::test]
async fn the_older_csv_export_of_sql_is_called_with_text_and_with_a_file() -> TestResult {
    let server = Server::answering("/sqlflow/generation/sqlflow/exportLineageAsCsv", csv()).await;
    let mut form = types::GenerateLineageAsCsvRequest::new(Vendor::Oracle);
    server.client().api().upload(&form, [File::new("a.sql", "select 1")]).await?;
    form.sqltext = Some("select 1".to_owned());
    server.client().api().generate_lineage_as_csv(&form).await?;
    let sent = server.sent_to("/sqlflow/generation/sqlflow/exportLineageAsCsv").await;
    assert!(String::from_utf8_lossy(&sent[0].body).contains("filename=\"a.sql\""));
    assert_eq!(sent[1].field("sqltext").as_deref(), Some("select 1"));
    Ok(())
}

#[tokio::test]
async fn the_file_of_a_job_is_downloaded() -> TestResult {
    let file = ResponseTemplate::new(200).set_body_bytes(*b"PK");
    let server = Server::answering("/sqlflow/job/exportJobFile", file).await;
    let mut form = types::ExportJobFileRequest::new();
    form.job_id = Some(JobId::new("j1"));
    let mut body = server.client().api().export_job_file(&form).await?.into_inner();
    assert_eq!(body.try_next().await?.as_deref(), Some(&b"PK"[..]));
    assert_sent(&server, [("jobId", "j1")]).await;
    Ok(())
}

#[tokio::test]
async fn a_procedure_is_drawn_and_its_source_is_returned() -> TestResult {
    let place = [("database", "d"), ("schema", "s"), ("name", "p")];
    let server = Server::answering("/sqlflow/job/displayProcedureGraph", empty_model()).await;
    let graph = types::DisplayProcedureGraphRequest::new("d", "p", "s");
    server.client().api().display_procedure_graph(&graph).await?.into_data()?;
    assert_sent(&server, place).await;

    let server = Server::answering("/sqlflow/job/displayProcedureSource", success(json!("begin end"))).await;
    let source = types::DisplayProcedureSourceRequest::new("d", "p", "s");
    assert_eq!(server.client().api().display_procedure_source(&source).await?.into_data()?, "begin end");
    assert_sent(&server, place).await;
    Ok(())
}

#[tokio::test]
async fn the_sql_between_two_tables_of_a_regular_job_is_found() -> TestResult {
    let server = Server::answering("/sqlflow/job/fetchRegularJobTableRelationSqls", success(json!([]))).await;
    let mut form = types::FetchRegularJobTableRelationSqlsRequest::new();
    form.source_table = Some("s".to_owned());
    form.target_table = Some("t".to_owned());
    server.client().api().fetch_regular_job_table_relation_sqls(&form).await?.into_data()?;
    assert_sent(&server, [("sourceTable", "s"), ("targetTable", "t")]).await;
    Ok(())
}

#[tokio::test]
async fn calls_are_drawn() -> TestResult {
    let server = Server::answering("/sqlflow/generation/sqlflow/graph/call_lineage", empty_model()).await;
    let mut form = types::GenerateCallLineageGraphRequest::new(Vendor::Mssql);
    form.sqltext = Some("exec p".to_owned());
    server.client().api().generate_call_lineage_graph(&form).await?.into_data()?;
    assert_sent(&server, [("dbvendor", "dbvmssql"), ("sqltext", "exec p")]).await;
    Ok(())
}

#[tokio::test]
async fn sql_is_formatted_and_converted() -> TestResult {
    let server = Server::answering("/sqlflow/generation/sql/format", success(json!("SELECT 1"))).await;
    let form = types::FormatSqlRequest::new(Vendor::Hive, "select 1");
    assert_eq!(server.client().api().format_sql(&form).await?.into_data()?, "SELECT 1");
    assert_sent(&server, [("dbvendor", "dbvhive"), ("sqltext", "select 1")]).await;

    let server = Server::answering("/demo/xml/toXML", success(json!("<sql/>"))).await;
    let form = types::ConvertToXmlRequest::new(Vendor::Hive, "select 1");
    assert_eq!(server.client().api().convert_to_xml(&form).await?.into_data()?, "<sql/>");
    assert_sent(&server, [("dbvendor", "dbvhive"), ("sql", "select 1")]).await;
    Ok(())
}

#[tokio::test]
async fn a_shared_graph_is_read_by_the_id_in_its_path() -> TestResult {
    let server = Server::answering("/sqlflow/graph/share/a%2Fb%3F", empty_model()).await;
    server.client().api().get_shared_graph("a/b?").await?.into_data()?;
    let sent = server.only().await;
    assert_eq!((sent.method.as_str(), sent.query()), ("GET", Fields::new()));
    Ok(())
}

#[tokio::test]
async fn a_connection_is_tested_with_its_password_in_the_form_and_in_no_error() -> TestResult {
    let refused = ResponseTemplate::new(200)
        .set_body_json(json!({"code": 400, "error": "cannot log in as scott with tiger-tiger"}));
    let server = Server::answering("/database/testConnection", refused).await;
    let mut form = types::TestConnectionRequest::new(Vendor::Oracle, "db.example.com");
    form.account = Some("scott".to_owned());
    form.password = Some("tiger-tiger".into());
    form.port = Some(1521);
    let error = server.client().api().test_connection(&form).await?.check().unwrap_err();
    assert!(error.to_string().contains("scott") && !error.to_string().contains("tiger"), "{error}");
    let expected = [
        ("dbvendor", "dbvoracle"),
        ("hostname", "db.example.com"),
        ("account", "scott"),
        ("password", "tiger-tiger"),
        ("port", "1521"),
    ];
    assert_sent(&server, expected).await;
    Ok(())
}

#[tokio::test]
async fn the_version_of_the_server_is_requested_without_credentials() -> TestResult {
    let server = Server::answering("/version", success(json!("6.1.0"))).await;
    assert_eq!(server.client().api().version().await?.into_data()?, "6.1.0");
    let sent = server.only().await;
    assert_eq!((sent.method.as_str(), sent.query()), ("GET", Fields::new()));
    Ok(())
}

#[tokio::test]
async fn the_options_of_the_direct_full_export_are_sent() -> TestResult {
    let path = "/sqlflow/generation/sqlflow/exportFullLineageAsJson";
    let server = Server::answering(path, empty_model()).await;
    let mut form = types::GenerateFullLineageAsJsonRequest::new(Vendor::Oracle, "select 1");
    form.default_server = Some("sv".to_owned());
    form.default_database = Some("d".to_owned());
    form.default_schema = Some("s".to_owned());
    form.ignore_record_set = Some(true);
    form.ignore_function = Some(true);
    form.simple_output = Some(true);
    form.show_constant_table = Some(true);
    form.treat_arguments_in_count_function_as_direct_dataflow = Some(true);
    form.export_include_table = Some("t".to_owned());
    form.export_include_servers = Some("sv".to_owned());
    server.client().api().generate_full_lineage_as_json(&form).await?.into_data()?;
    let expected = [
        ("dbvendor", "dbvoracle"),
        ("sqltext", "select 1"),
        ("defaultServer", "sv"),
        ("defaultDatabase", "d"),
        ("defaultSchema", "s"),
        ("ignoreRecordSet", "true"),
        ("ignoreFunction", "true"),
        ("simpleOutput", "true"),
        ("showConstantTable", "true"),
        ("treatArgumentsInCountFunctionAsDirectDataflow", "true"),
        ("export_include_table", "t"),
        ("export_include_servers", "sv"),
    ];
    assert_sent(&server, expected).await;
    Ok(())
}

#[tokio::test]
async fn the_defaults_of_the_anonymous_operation_are_sent_in_its_json() -> TestResult {
    let server = Server::answering("/api/anonymous/lineage", empty_model()).await;
    let mut body = types::AnonymousLineageRequest::new(Vendor::Oracle, "select 1");
    body.default_server = Some("sv".to_owned());
    body.default_database = Some("d".to_owned());
    body.default_schema = Some("s".to_owned());
    server.client().api().anonymous_lineage(&body).await?.into_data()?;
    let expected = json!({
        "sqltext": "select 1", "dbvendor": "dbvoracle",
        "defaultServer": "sv", "defaultDatabase": "d", "defaultSchema": "s",
    });
    assert_eq!(server.only().await.json(), expected);
    Ok(())
}

#[tokio::test]
async fn the_options_of_the_direct_csv_are_sent() -> TestResult {
    let path = "/sqlflow/generation/sqlflow/exportFullLineageAsCsv";
    let server = Server::answering(path, csv()).await;
    let mut form = types::GenerateFullLineageAsCsvRequest::new(Vendor::Oracle);
    form.sqltext = Some("select 1".to_owned());
    form.ignore_record_set = Some(true);
    form.ignore_function = Some(false);
    form.simple_output = Some(true);
    form.export_include_servers = Some("sv".to_owned());
    form.table_to_table = Some(true);
    form.show_relation_type = Some([RelationType::Fdd, RelationType::Join].into());
    server.client().api().generate_full_lineage_as_csv(&form).await?;
    let expected = [
        ("dbvendor", "dbvoracle"),
        ("sqltext", "select 1"),
        ("ignoreRecordSet", "true"),
        ("ignoreFunction", "false"),
        ("simpleOutput", "true"),
        ("export_include_servers", "sv"),
        ("tableToTable", "true"),
        ("showRelationType", "fdd,join"),
    ];
    assert_sent(&server, expected).await;
    Ok(())
}

#[tokio::test]
async fn the_table_level_operations_take_every_table_of_a_from_clause() -> TestResult {
    let path = "/sqlflow/generation/sqlflow/graph/table_level_lineage";
    let server = Server::answering(path, empty_model()).await;
    let mut form = types::GenerateSqlflowTableLevelLineageGraphRequest::new(Vendor::Oracle);
    form.sqltext = Some("select 1".to_owned());
    form.all_tables_in_from_clause_included_in_table_level_lineage = Some(true);
    server.client().api().generate_sqlflow_table_level_lineage_graph(&form).await?.into_data()?;
    let option = ("allTablesInFromClauseIncludedInTableLevelLineage", "true");
    assert_sent(&server, [("dbvendor", "dbvoracle"), ("sqltext", "select 1"), option]).await;

    let path = "/sqlflow/generation/sqlflow/selectedgraph/table_level_lineage";
    let server = Server::answering(path, empty_model()).await;
    let mut form = types::GenerateSelectedTableLevelLineageGraphRequest::new(Vendor::Oracle, "s1");
    form.all_tables_in_from_clause_included_in_table_level_lineage = Some(true);
    server.client().api().generate_selected_table_level_lineage_graph(&form).await?.into_data()?;
    assert_sent(&server, [("dbvendor", "dbvoracle"), ("sessionId", "s1"), option]).await;
    Ok(())
}

#[tokio::test]
async fn the_options_of_the_full_exports_of_a_job_are_sent() -> TestResult {
    let options = [
        ("jobId", "j1"),
        ("showRelationType", "fdd,fdr"),
        ("tableToTable", "true"),
        ("dbvendor", "dbvhive"),
        ("sessionId", "s1"),
        ("ignoreRecordSet", "true"),
        ("ignoreFunction", "false"),
        ("simpleOutput", "true"),
        ("showConstantTable", "true"),
        ("treatArgumentsInCountFunctionAsDirectDataflow", "true"),
        ("export_include_table", "t"),
        ("export_include_servers", "sv"),
    ];
    macro_rules! with_options {
        ($export:expr) => {
            $export
                .relation_types([RelationType::Fdd, RelationType::Fdr])
                .table_to_table(true)
                .vendor(Vendor::Hive)
                .session_id("s1")
                .ignore_record_set(true)
                .ignore_function(false)
                .simple_output(true)
                .show_constant_table(true)
                .treat_arguments_in_count_function_as_direct_dataflow(true)
                .export_include_table("t")
                .export_include_servers("sv")
        };
    }
    let server = Server::answering(FULL_JSON, empty_model()).await;
    with_options!(server.client().job("j1").export_full_lineage_as_json()).send().await?;
    assert_sent(&server, options).await;
    let server = Server::answering(CSV, csv()).await;
    with_options!(server.client().job("j1").export_full_lineage_as_csv()).send().await?;
    assert_sent(&server, options).await;
    Ok(())
}

#[tokio::test]
async fn a_used_up_quota_ends_a_call_after_one_request_and_a_busy_server_does_not() -> TestResult {
    let body = json!({
        "code": 429, "error": "rate_limit_exceeded", "message": "50 calls a day",
        "upgrade": {"personal_key": {"url": "https://key.example"}, "self_hosted": {"url": "https://host.example"}},
    });
    let without_code = json!({"error": "rate_limit_exceeded", "upgrade": {}});
    for body in [body, without_code] {
        let quota = ResponseTemplate::new(429).set_body_json(body.clone()).insert_header("Retry-After", "1");
        let server = Server::answering("/api/anonymous/lineage", quota).await;
        let request = types::AnonymousLineageRequest::new(Vendor::Oracle, "select 1");
        let error = server.client().api().anonymous_lineage(&request).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::QuotaExceeded, Some(429)), "{error}");
        assert_eq!(server.sent_to("/api/anonymous/lineage").await.len(), 1);
        let text = error.to_string();
        assert!(body.get("code").is_none() || text.contains("self hosted: https://host.example"), "{text}");
    }
    Ok(())
}

#[tokio::test]
async fn http_201_and_an_envelope_without_a_code_are_successes() -> TestResult {
    let created = ResponseTemplate::new(201).set_body_json(json!({"code": 200, "data": "6.1.0"}));
    let server = Server::answering("/version", created).await;
    assert_eq!(server.client().api().version().await?.into_data()?, "6.1.0");

    let without_code = ResponseTemplate::new(200).set_body_json(json!({"data": "6.1.0"}));
    let server = Server::answering("/version", without_code).await;
    assert_eq!(server.client().api().version().await?.into_data()?, "6.1.0");

    let token = ResponseTemplate::new(201).set_body_json(json!({"userId": "auth0|ann", "token": "t1"}));
    let server = Server::answering("/user/generateToken", token).await;
    server.on(FULL_JSON, empty_model()).await;
    server.client_with_secret_key().job("j1").export_full_lineage_as_json().send().await?;
    assert_eq!(server.sent_to(FULL_JSON).await[0].field("token").as_deref(), Some("t1"));
    Ok(())
}
