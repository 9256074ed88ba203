//! Direct analysis: one test for each operation and for its options, as they are sent and as their results are read.

use futures_util::TryStreamExt as _;
use serde_json::{Value, json};
use sqlflow_client::analysis::Analyze;
use sqlflow_client::job::DrawnLineage;
use sqlflow_client::lineage::{Coverage, RelationType};
use sqlflow_client::{Credentials, ErrorKind, Vendor};
use wiremock::ResponseTemplate;

use crate::TestResult;
use crate::mock::{Server, answer, failure, in_turn, success};
use crate::sent::{Fields, fields};

const SQLFLOW: &str = "/sqlflow/generation/sqlflow";
const GRAPH: &str = "/sqlflow/generation/sqlflow/graph";
const IMAGE: &str = "/sqlflow/generation/sqlflow/graph/image";
const TABLES: &str = "/sqlflow/generation/sqlflow/graph/table_level_lineage";
const FULL: &str = "/sqlflow/generation/sqlflow/exportFullLineageAsJson";
const CSV: &str = "/sqlflow/generation/sqlflow/exportFullLineageAsCsv";
const CALLS: &str = "/sqlflow/generation/sqlflow/graph/call_lineage";
const ER: &str = "/sqlflow/generation/sqlflow/erdiagramSelectGraph";
const ER_IMAGE: &str = "/sqlflow/generation/sqlflow/erdiagramSelectGraph/image";
const METADATA: &str = "/sqlflow/generation/sqlflow/download/metadata_lineage";

/// The bytes of an image, with its beginning and its end.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n....IEND\xaeB`\x82";

/// Returns a model in which `ORDERS.TOTAL` feeds `REPORT.SUM`.
fn model() -> Value {
    json!({
        "dbobjs": [
            {"id": "1", "name": "ORDERS", "type": "table", "columns": [{"id": "2", "name": "TOTAL"}]},
            {"id": "5", "name": "REPORT", "type": "view", "columns": [{"id": "6", "name": "SUM"}]},
        ],
        "relationships": [{"id": "7", "type": "fdd", "target": {"id": "6"}, "sources": [{"id": "2"}]}],
    })
}

fn drawn(mode: &str) -> ResponseTemplate {
    success(json!({"mode": mode, "summary": {"relationship": 1734}, "sqlflow": model(), "graph": {}}))
}

fn png(bytes: &[u8]) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(bytes, "image/png")
}

fn csv() -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw("source_db,source_schema\nd,s\n", "text/csv")
}

fn analyze(server: &Server) -> Analyze {
    server.client().analyze(Vendor::Snowflake).sql("select 1")
}

/// Returns the fields of a request without those of every request: the user, the dialect and the SQL.
fn options(form: Fields) -> Fields {
    let always = ["dbvendor", "sqltext", "token", "userId"];
    form.into_iter().filter(|(name, _)| !always.contains(&name.as_str())).collect()
}

#[tokio::test]
async fn an_analysis_sends_its_sql_and_asks_for_every_relationship() -> TestResult {
    let server = Server::answering(SQLFLOW, success(model())).await;
    let lineage = analyze(&server).await?;
    assert_eq!(lineage.column_flows().len(), 1);
    assert_eq!(lineage.coverage(&RelationType::Fdd), Coverage::Included);
    let form = server.only().await.form();
    let value = |name: &str| form.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
    assert_eq!((value("sqltext"), value("dbvendor")), (Some("select 1"), Some("dbvsnowflake")));
    assert_eq!(options(form.clone()), fields([("returnFullRelationship", "true")]));
    Ok(())
}

#[tokio::test]
async fn every_option_of_an_analysis_is_sent_under_its_name() -> TestResult {
    let server = Server::answering(SQLFLOW, success(model())).await;
    let lineage = analyze(&server)
        .relation_types([RelationType::Fdd, RelationType::Join])
        .job("j7")
        .simple_output(true)
        .ignore_record_set(false)
        .show_constant_table(true)
        .show_transform(true)
        .normalize_identifier(false)
        .treat_arguments_in_count_function_as_direct_dataflow(true)
        .lineage()
        .await?;
    assert_eq!(lineage.coverage(&RelationType::Join), Coverage::Included);
    assert_eq!(lineage.coverage(&RelationType::Fdr), Coverage::NotRequested);
    let expected = fields([
        ("showRelationType", "fdd,join"),
        ("jobId", "j7"),
        ("simpleOutput", "true"),
        ("ignoreRecordSet", "false"),
        ("showConstantTable", "true"),
        ("showTransform", "true"),
        ("normalizeIdentifier", "false"),
        ("treatArgumentsInCountFunctionAsDirectDataflow", "true"),
        ("returnFullRelationship", "true"),
    ]);
    assert_eq!(options(server.only().await.form()), expected);
    Ok(())
}

#[tokio::test]
async fn a_file_is_uploaded_with_the_options_beside_it() -> TestResult {
    let home = tempfile::tempdir()?;
    let path = home.path().join("etl.sql");
    std::fs::write(&path, b"select '\xff'")?;
    let server = Server::answering(SQLFLOW, success(model())).await;
    server.client().analyze(Vendor::Oracle).path(&path).show_transform(true).await?;
    let sent = server.only().await;
    assert_eq!(options(sent.fields()), fields([("returnFullRelationship", "true"), ("showTransform", "true")]));
    assert!(!sent.fields().iter().any(|(name, _)| name == "sqltext"));
    let files = sent.files();
    assert_eq!((files.len(), files[0].name.as_str(), files[0].file_name.as_deref()), (1, "sqlfile", Some("etl.sql")));
    assert_eq!(files[0].content, b"select '\xff'");
    Ok(())
}

#[tokio::test]
async fn a_lineage_that_is_cut_is_an_error_that_says_what_to_do() -> TestResult {
    for mode in ["summary", "ignoreRecordSet", "brandNew"] {
        let server = Server::answering(SQLFLOW, drawn(mode)).await;
        let error = analyze(&server).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::IncompleteLineage);
        assert_eq!(error.operation(), Some("generateSqlflow"));
        assert!(error.to_string().contains("relation_limit"), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn a_lineage_that_breaks_off_is_requested_again() -> TestResult {
    let whole = json!({"code": 200, "data": model()}).to_string();
    let cut = ResponseTemplate::new(200).set_body_raw(&whole[..whole.len() - 9], "application/json");
    let server = Server::answering(SQLFLOW, in_turn([cut, success(model())])).await;
    let client = sqlflow_client::Client::builder(server.url()).without_proxy().build()?;
    let lineage = client.analyze(Vendor::Oracle).sql("select 1").await?;
    assert_eq!((lineage.column_flows().len(), server.sent().await.len()), (1, 2));
    Ok(())
}

#[tokio::test]
async fn the_graph_says_how_much_of_the_lineage_it_has() -> TestResult {
    let server = Server::answering(GRAPH, drawn("ignoreRecordSet")).await;
    let graph = analyze(&server)
        .graph()
        .relation_types([RelationType::Fdr])
        .job("j7")
        .column_level(true)
        .hide_column(false)
        .ignore_function(true)
        .simple_output(true)
        .ignore_record_set(true)
        .show_constant_table(true)
        .show_link_only(false)
        .show_transform(true)
        .normalize_identifier(true)
        .treat_arguments_in_count_function_as_direct_dataflow(false);
    let drawn = graph.clone().await?;
    assert!(matches!(drawn, DrawnLineage::WithoutRecordSets(_)), "{drawn:?}");
    assert_eq!(drawn.as_drawn().coverage(&RelationType::Join), Coverage::NotRequested);
    let expected = fields([
        ("showRelationType", "fdr"),
        ("jobId", "j7"),
        ("columnLevel", "true"),
        ("hideColumn", "false"),
        ("ignoreFunction", "true"),
        ("simpleOutput", "true"),
        ("ignoreRecordSet", "true"),
        ("showConstantTable", "true"),
        ("showLinkOnly", "false"),
        ("showTransform", "true"),
        ("normalizeIdentifier", "true"),
        ("treatArgumentsInCountFunctionAsDirectDataflow", "false"),
    ]);
    assert_eq!(options(server.only().await.form()), expected);
    let error = graph.lineage().await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::IncompleteLineage, Some("generateSqlflowGraph")));
    assert!(error.to_string().contains("without graph()"), "{error}");
    Ok(())
}

#[tokio::test]
async fn an_image_of_the_graph_keeps_the_options_that_were_set_before() -> TestResult {
    let server = Server::answering(IMAGE, png(PNG)).await;
    let image = analyze(&server).simple_output(true).graph().hide_column(true).image().column_level(false);
    assert_eq!(image.await?, PNG);
    let expected = fields([("simpleOutput", "true"), ("hideColumn", "true"), ("columnLevel", "false")]);
    assert_eq!(options(server.only().await.form()), expected);
    Ok(())
}

#[tokio::test]
async fn an_image_is_written_whole_or_not_at_all() -> TestResult {
    let home = tempfile::tempdir()?;
    let path = home.path().join("etl.png");
    let server = Server::answering(IMAGE, in_turn([png(PNG), png(&PNG[..14])])).await;
    assert_eq!(analyze(&server).image().to_file(&path).await?, PNG.len() as u64);
    assert_eq!(std::fs::read(&path)?, PNG);
    let error = analyze(&server).image().to_file(home.path().join("cut.png")).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Interrupted, Some("generateSqlflowGraphImage")));
    assert_eq!(std::fs::read_dir(home.path())?.count(), 1);
    Ok(())
}

#[tokio::test]
async fn a_failure_or_a_text_in_place_of_an_image_is_an_error() -> TestResult {
    let server = Server::answering(IMAGE, failure(500, "boom")).await;
    let error = analyze(&server).image().await.unwrap_err();
    assert!(error.kind() == ErrorKind::Server && error.to_string().contains("boom"), "{error}");
    let server = Server::answering(IMAGE, png(b"sorry")).await;
    assert_eq!(analyze(&server).image().await.unwrap_err().kind(), ErrorKind::Protocol);
    Ok(())
}

#[tokio::test]
async fn an_image_of_another_format_is_taken_as_it_comes() -> TestResult {
    for image in [b"GIF89a....".as_slice(), b"\xff\xd8\xff\xe0...."] {
        let server = Server::answering(IMAGE, png(image)).await;
        assert_eq!(analyze(&server).image().await?, image);
    }
    Ok(())
}

#[tokio::test]
async fn a_csv_is_read_as_bytes_as_a_stream_and_with_its_progress() -> TestResult {
    let server = Server::answering(CSV, csv()).await;
    let export = analyze(&server)
        .csv()
        .delimiter(";")
        .export_include_table("orders")
        .session_id("s1")
        .show_constant_table(true)
        .treat_arguments_in_count_function_as_direct_dataflow(true)
        .relation_types([RelationType::Fdd, RelationType::Join])
        .table_to_table(true)
        .export_include_servers("db1")
        .ignore_function(true)
        .ignore_record_set(false)
        .simple_output(true);
    let chunks: Vec<_> = export.clone().stream().await?.try_collect().await?;
    assert_eq!(chunks.concat(), b"source_db,source_schema\nd,s\n");
    let expected = fields([
        ("delimiter", ";"),
        ("export_include_table", "orders"),
        ("sessionId", "s1"),
        ("showConstantTable", "true"),
        ("treatArgumentsInCountFunctionAsDirectDataflow", "true"),
        ("showRelationType", "fdd,join"),
        ("tableToTable", "true"),
        ("export_include_servers", "db1"),
        ("ignoreFunction", "true"),
        ("ignoreRecordSet", "false"),
        ("simpleOutput", "true"),
    ]);
    assert_eq!(options(server.only().await.form()), expected);
    let received = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let seen = received.clone();
    let export =
        export.on_progress(move |progress| seen.store(progress.received(), std::sync::atomic::Ordering::SeqCst));
    assert_eq!(export.bytes().await?.len() as u64, received.load(std::sync::atomic::Ordering::SeqCst));
    Ok(())
}

#[tokio::test]
async fn a_full_lineage_is_read_from_either_place_in_its_data() -> TestResult {
    for data in [model(), json!({"sqlflow": model()})] {
        let server = Server::answering(FULL, success(data)).await;
        let lineage = analyze(&server).full_lineage().relation_types([RelationType::Fdd]).await?;
        assert_eq!(lineage.column_flows().len(), 1);
        assert_eq!(options(server.only().await.form()), fields([("showRelationType", "fdd")]));
    }
    Ok(())
}

#[tokio::test]
async fn the_full_lineage_has_its_own_options() -> TestResult {
    let server = Server::answering(FULL, success(model())).await;
    let full = analyze(&server)
        .full_lineage()
        .default_server("db1")
        .default_database("d")
        .default_schema("s")
        .ignore_function(true)
        .ignore_record_set(true)
        .simple_output(true)
        .show_constant_table(true)
        .treat_arguments_in_count_function_as_direct_dataflow(true)
        .export_include_table("t")
        .export_include_servers("db1");
    full.send().await?;
    let expected = fields([
        ("defaultServer", "db1"),
        ("defaultDatabase", "d"),
        ("defaultSchema", "s"),
        ("ignoreFunction", "true"),
        ("ignoreRecordSet", "true"),
        ("simpleOutput", "true"),
        ("showConstantTable", "true"),
        ("treatArgumentsInCountFunctionAsDirectDataflow", "true"),
        ("export_include_table", "t"),
        ("export_include_servers", "db1"),
    ]);
    assert_eq!(options(server.only().await.form()), expected);
    Ok(())
}

#[tokio::test]
async fn calls_are_read_as_a_lineage() -> TestResult {
    let server = Server::answering(CALLS, success(model())).await;
    let calls = analyze(&server).call_lineage().job("j7").session_id("s1");
    assert_eq!(calls.send().await?.objects().len(), 2);
    assert_eq!(options(server.only().await.form()), fields([("jobId", "j7"), ("sessionId", "s1")]));
    Ok(())
}

#[tokio::test]
async fn a_full_lineage_for_impact_turns_off_what_simplifies_it() -> TestResult {
    let server = Server::answering(FULL, success(model())).await;
    let lineage = analyze(&server).simple_output(true).full_lineage().for_impact().await?;
    assert_eq!(lineage.coverage(&RelationType::Fdr), Coverage::Included);
    let sent = server.only().await;
    for option in ["simpleOutput", "ignoreRecordSet", "ignoreFunction"] {
        assert_eq!(sent.field(option).as_deref(), Some("false"), "{option}");
    }
    Ok(())
}

#[tokio::test]
async fn calls_are_read_for_a_file_and_for_a_session_of_a_job() -> TestResult {
    let home = tempfile::tempdir()?;
    let path = home.path().join("etl.sql");
    std::fs::write(&path, "call p()")?;
    let server = Server::answering(CALLS, success(model())).await;
    server.client().analyze(Vendor::Oracle).path(&path).call_lineage().await?;
    server.client().analyze(Vendor::Oracle).job("j7").call_lineage().session_id("s1").await?;
    let sent = server.sent_to(CALLS).await;
    assert_eq!(sent[0].field("sqltext").as_deref(), Some("call p()"));
    assert_eq!(options(sent[1].form()), fields([("jobId", "j7"), ("sessionId", "s1")]));
    assert_eq!(sent[1].field("sqltext"), None);
    Ok(())
}

#[tokio::test]
async fn a_used_up_quota_ends_an_analysis_after_one_request() -> TestResult {
    let body = json!({"code": 429, "message": "50 a day", "upgrade": {"personal_key": {"url": "https://k"}}});
    let server = Server::answering(SQLFLOW, ResponseTemplate::new(429).set_body_json(&body)).await;
    let client = sqlflow_client::Client::builder(server.url()).without_proxy().build()?;
    let error = client.analyze(Vendor::Oracle).sql("select 1").await.unwrap_err();
    assert_eq!((error.kind(), server.sent().await.len()), (ErrorKind::QuotaExceeded, 1));
    assert!(error.to_string().contains("https://k") && !error.is_retryable(), "{error}");
    Ok(())
}

#[tokio::test]
async fn an_operation_without_files_gets_the_text_of_the_file() -> TestResult {
    let home = tempfile::tempdir()?;
    let path = home.path().join("etl.sql");
    std::fs::write(&path, "\u{feff}select 'ü'")?;
    let server = Server::answering(FULL, success(model())).await;
    let full = || server.client().analyze(Vendor::Oracle).path(&path).full_lineage();
    full().await?;
    assert_eq!(server.only().await.field("sqltext").as_deref(), Some("select 'ü'"));
    std::fs::write(&path, b"select '\xfc'")?;
    let error = full().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    for part in ["etl.sql", "UTF-8", "byte 8", "generateFullLineageAsJson", "job"] {
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
    assert_eq!(server.sent().await.len(), 1);
    Ok(())
}

#[tokio::test]
async fn the_lineage_between_tables_has_its_own_options() -> TestResult {
    let server = Server::answering(TABLES, drawn("global")).await;
    let tables = analyze(&server).table_level().job("j7").ignore_self_lineage(false).normalize_identifier(false);
    let tables = tables.all_tables_in_from_clause_included_in_table_level_lineage(true);
    let lineage = tables.await?;
    assert_eq!(lineage.coverage(&RelationType::Fdr), Coverage::Unknown, "the operation takes no relation types");
    let expected = fields([
        ("jobId", "j7"),
        ("ignoreSelfLineage", "false"),
        ("normalizeIdentifier", "false"),
        ("allTablesInFromClauseIncludedInTableLevelLineage", "true"),
    ]);
    assert_eq!(options(server.only().await.form()), expected);
    Ok(())
}

#[tokio::test]
async fn an_er_diagram_is_selected_and_drawn() -> TestResult {
    let server = Server::answering(ER, drawn("global")).await;
    server.on(ER_IMAGE, png(PNG)).await;
    let diagram = analyze(&server)
        .er_diagram()
        .job("j7")
        .session_id("s1")
        .server("db1")
        .database("d")
        .schema("s")
        .table("t")
        .default_server("ds")
        .default_database("dd")
        .default_schema("dsc")
        .normalize_identifier(true);
    let expected = fields([
        ("jobId", "j7"),
        ("sessionId", "s1"),
        ("server", "db1"),
        ("database", "d"),
        ("schema", "s"),
        ("table", "t"),
        ("defaultServer", "ds"),
        ("defaultDatabase", "dd"),
        ("defaultSchema", "dsc"),
        ("normalizeIdentifier", "true"),
    ]);
    assert_eq!(diagram.clone().await?.objects().len(), 2);
    assert_eq!(diagram.clone().image().await?, PNG);
    for operation in [ER, ER_IMAGE] {
        assert_eq!(options(server.sent_to(operation).await.remove(0).form()), expected, "{operation}");
    }
    let error = diagram.share(true).image().await.unwrap_err();
    assert!(error.to_string().contains("share"), "{error}");
    Ok(())
}

#[tokio::test]
async fn metadata_with_lineage_is_downloaded() -> TestResult {
    let server = Server::answering(METADATA, csv()).await;
    let metadata = analyze(&server)
        .metadata_lineage()
        .relation_types([RelationType::Fdd])
        .job("j7")
        .delimiter(";")
        .table_to_table(true)
        .hide_column(true)
        .ignore_function(true)
        .simple_output(true)
        .ignore_record_set(true)
        .show_constant_table(true)
        .show_link_only(true)
        .show_transform(true)
        .normalize_identifier(true)
        .treat_arguments_in_count_function_as_direct_dataflow(true);
    assert!(!metadata.await?.is_empty());
    let sent = options(server.only().await.form());
    assert_eq!(sent.len(), 13, "{sent:?}");
    assert!(sent.contains(&("tableToTable".to_owned(), "true".to_owned())));
    Ok(())
}

#[tokio::test]
async fn graphml_is_written_from_the_lineage() -> TestResult {
    let server = Server::answering(SQLFLOW, success(model())).await;
    let graphml = analyze(&server).graphml().bytes().await?;
    let graphml = std::str::from_utf8(&graphml)?;
    assert!(graphml.contains("<graphml") && graphml.contains("ORDERS") && graphml.contains("SUM"), "{graphml}");
    Ok(())
}

#[tokio::test]
async fn one_source_is_needed_and_no_more() -> TestResult {
    let server = Server::answering(SQLFLOW, success(model())).await;
    let none = || server.client().analyze(Vendor::Oracle);
    for (analysis, parts) in [
        (none(), vec!["nothing to analyze", "SQL", "file"]),
        (none().sql("  \n"), vec!["empty"]),
        (none().sql("select 1").path("etl.sql"), vec!["SQL in memory", "the file etl.sql", "job"]),
        (none().path("a.sql").path("b.sql"), vec!["the file a.sql", "the file b.sql"]),
    ] {
        let error = analysis.await.unwrap_err();
        assert_eq!((error.kind(), error.operation()), (ErrorKind::InvalidInput, Some("generateSqlflow")));
        for part in parts {
            assert!(error.to_string().contains(part), "{part}: {error}");
        }
    }
    none().job("j7").await?;
    assert_eq!(server.sent().await.len(), 1, "only the job of a known id is analyzed without SQL");
    Ok(())
}

#[tokio::test]
async fn a_directory_a_missing_file_and_an_empty_id_send_nothing() -> TestResult {
    let home = tempfile::tempdir()?;
    let server = Server::answering(SQLFLOW, success(model())).await;
    let analyze = || server.client().analyze(Vendor::Oracle);
    let error = analyze().path(home.path()).await.unwrap_err();
    assert!(error.kind() == ErrorKind::InvalidInput && error.to_string().contains("submit it as a job"), "{error}");
    let error = analyze().path(home.path().join("none.sql")).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Io && error.to_string().contains("none.sql"), "{error}");
    let error = analyze().sql("select 1").job(" ").await.unwrap_err();
    assert!(error.kind() == ErrorKind::InvalidInput && error.to_string().contains("job id"), "{error}");
    let error = analyze().csv().session_id("").await.unwrap_err();
    assert!(error.kind() == ErrorKind::InvalidInput && error.to_string().contains("session id"), "{error}");
    assert_eq!(server.sent().await.len(), 0);
    Ok(())
}

#[tokio::test]
async fn an_option_that_the_result_does_not_have_is_never_lost_silently() -> TestResult {
    let server = Server::answering(CSV, csv()).await;
    let csv = analyze(&server).normalize_identifier(false).show_constant_table(true).job("j7").csv();
    let error = csv.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    for part in ["generateFullLineageAsCsv", "normalize_identifier", "job"] {
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
    assert!(!error.to_string().contains("show_constant_table"), "{error}");
    assert_eq!(server.sent().await.len(), 0);
    Ok(())
}

#[tokio::test]
async fn a_failure_of_the_server_names_the_operation() -> TestResult {
    let server = Server::answering(SQLFLOW, failure(400, "dbvendor is unknown")).await;
    let error = analyze(&server).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Rejected, Some("generateSqlflow")));
    let server = Server::answering(SQLFLOW, answer(json!({"code": 200}))).await;
    assert_eq!(analyze(&server).await.unwrap_err().kind(), ErrorKind::Protocol);
    Ok(())
}

#[tokio::test]
async fn debug_output_shows_no_sql() -> TestResult {
    let server = Server::start().await;
    let shown = format!("{:?}", server.client().analyze(Vendor::Oracle).sql("select secret"));
    assert!(!shown.contains("secret") && shown.contains("13 bytes"), "{shown}");
    let shown = format!("{:?}", server.client().check_syntax(Vendor::Oracle, "select secret"));
    assert!(!shown.contains("secret"), "{shown}");
    Ok(())
}

const ANONYMOUS: &str = "/api/anonymous/lineage";

#[tokio::test]
async fn an_anonymous_client_reads_lineage_by_the_operation_without_credentials() -> TestResult {
    let server = Server::answering(ANONYMOUS, success(model())).await;
    let sqlflow = server.builder().credentials(Credentials::anonymous()).build()?;
    let lineage = sqlflow.analyze(Vendor::Oracle).sql("select 1").for_impact().send().await?;
    assert_eq!(lineage.coverage(&RelationType::Fdr), Coverage::Included);
    let sent = server.only().await;
    let expected = json!({"sqltext": "select 1", "dbvendor": "dbvoracle", "showRelationType": "fdd,fdr,frd,join"});
    assert_eq!(sent.json(), expected);
    Ok(())
}

#[tokio::test]
async fn an_anonymous_client_refuses_options_and_results_that_need_an_account() -> TestResult {
    let server = Server::start().await;
    let sqlflow = server.builder().credentials(Credentials::anonymous()).build()?;
    let analysis = sqlflow.analyze(Vendor::Oracle).sql("select 1");
    let option = analysis.clone().show_transform(true).send().await.unwrap_err();
    let csv = analysis.csv().send().await.unwrap_err();
    for (error, part) in [(option, "show_transform"), (csv, "account")] {
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(part), "{error}");
    }
    assert_eq!(server.sent().await.len(), 0);
    Ok(())
}

#[tokio::test]
async fn an_anonymous_client_without_calls_left_makes_one_request() -> TestResult {
    let body = json!({"code": 429, "error": "rate_limit_exceeded", "upgrade": {"personal_key": {"url": "https://k"}}});
    let server = Server::answering(ANONYMOUS, ResponseTemplate::new(429).set_body_json(body)).await;
    let sqlflow = server.builder().credentials(Credentials::anonymous()).build()?;
    for text in ["wait for the next day", "not sent, this client asks again in 10 min"] {
        let error = sqlflow.analyze(Vendor::Oracle).sql("select 1").send().await.unwrap_err();
        assert_eq!((error.kind(), error.operation()), (ErrorKind::QuotaExceeded, Some("anonymousLineage")));
        assert!(error.to_string().contains("https://k") && error.to_string().contains(text), "{error}");
    }
    assert_eq!(server.sent().await.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_batch_without_an_account_ends_before_its_journal_is_created() -> TestResult {
    let server = Server::start().await;
    let sqlflow = server.builder().credentials(Credentials::anonymous()).build()?;
    let directory = tempfile::tempdir()?;
    let journal = directory.path().join("batch.journal");
    let submit = sqlflow.submit(Vendor::Oracle).sql("a.sql", "select 1");
    let error = sqlflow.batch(&journal).run([("a", submit)]).try_next().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("a batch needs an account"), "{error}");
    assert!(!journal.exists());
    Ok(())
}

#[tokio::test]
async fn a_source_without_a_statement_is_not_sent() -> TestResult {
    let server = Server::start().await;
    let sqlflow = server.client();
    for sql in ["", " \n", "\u{feff}", "\u{feff}\n\u{a0}"] {
        let error = sqlflow.analyze(Vendor::Oracle).sql(sql).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{sql:?}: {error}");
    }
    let home = tempfile::tempdir()?;
    let long = " \n".repeat(50_000);
    for (index, text) in ["", " \n\t", "\u{feff}", "\u{feff}\r\n", &long].into_iter().enumerate() {
        let path = home.path().join(format!("{index}.sql"));
        std::fs::write(&path, text)?;
        let name = path.display().to_string();
        let analysis = sqlflow.analyze(Vendor::Oracle).path(&path);
        for error in [
            analysis.clone().await.unwrap_err(),
            analysis.clone().csv().await.unwrap_err(),
            analysis.clone().full_lineage().await.unwrap_err(),
            analysis.call_lineage().await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text:?}: {error}");
            assert!(error.to_string().contains(&name), "{error}");
        }
    }
    assert!(server.sent().await.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_lineage_whose_relationships_are_not_a_list_is_an_error_and_not_an_empty_one() {
    let server = Server::start().await;
    server.everywhere(success(json!({"dbobjs": {}, "relationships": "none"}))).await;
    let sqlflow = server.client();
    for error in [
        sqlflow.analyze(Vendor::Oracle).sql("select 1").await.unwrap_err(),
        sqlflow.job("j1").export_full_lineage_as_json().await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
        assert!(error.to_string().contains("relationships"), "{error}");
    }
}
