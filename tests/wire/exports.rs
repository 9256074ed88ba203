//! Exports that succeed: typed, as bytes, as a stream.

use futures_util::TryStreamExt as _;
use serde_json::{Value, json};
use sqlflow_client::job::DrawnLineage;
use sqlflow_client::lineage::{Coverage, RelationType};
use sqlflow_client::{ErrorKind, JobId};
use wiremock::ResponseTemplate;

use crate::TestResult;
use crate::mock::{CSV, FULL_JSON, GRAPHML, LINEAGE, SUMMARY, Server, answer, body, failure, page, success};
use crate::raw_server::{CHUNKED, RawServer, chunk};

const ROWS: &str = "source_db,source_schema,source_table,source_column\nd,s,ORDERS,TOTAL\n";

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

fn drawn(mode: &str) -> Value {
    json!({"jobId": "j1", "code": 200, "sessionId": "s1", "data": {"mode": mode, "sqlflow": model(), "graph": {}}})
}

fn csv() -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(ROWS, "text/csv")
}

#[tokio::test]
async fn the_diagram_lineage_is_read_into_the_model() -> TestResult {
    let server = Server::answering(LINEAGE, answer(drawn("global"))).await;
    let drawn = server.client().job("j1").export_lineage_as_json().send().await?;
    assert!(drawn.is_whole());
    let lineage = drawn.into_whole()?;
    assert_eq!(lineage.column("REPORT", "SUM")?.upstream().to_vec()[0].qualified_name(), "ORDERS.TOTAL");
    assert_eq!((lineage.job_id(), lineage.session_id(), lineage.is_summary()), (Some("j1"), Some("s1"), false));
    Ok(())
}

#[tokio::test]
async fn a_full_lineage_directly_in_data_is_read_into_the_model() -> TestResult {
    let server = Server::answering(FULL_JSON, success(model())).await;
    let lineage = server.client().job("j1").export_full_lineage_as_json().await?;
    assert_eq!(lineage.column_flows().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_full_lineage_without_an_envelope_is_read_into_the_model() -> TestResult {
    let server = Server::answering(FULL_JSON, answer(model())).await;
    assert_eq!(server.client().job("j1").export_full_lineage_as_json().await?.column_flows().len(), 1);
    Ok(())
}

fn summary() -> Value {
    json!({"code": 200, "data": {
        "mode": "summary",
        "summary": {"schema": 1, "table": 3, "column": 6, "relationship": 1734},
        "sqlflow": {"dbvendor": "dbvoracle", "dbobjs": {"createdBy": "sqlflow v1.0.0"}, "relationships": []}
    }})
}

#[tokio::test]
async fn a_summary_is_distinguished_from_lineage() -> TestResult {
    let server = Server::answering(LINEAGE, answer(summary())).await;
    let drawn = server.client().job("j1").export_lineage_as_json().await?;
    let DrawnLineage::Summary(lineage) = drawn else { panic!("{drawn:?}") };
    assert_eq!(lineage.relationships().len(), 0);
    assert!(lineage.summary().is_some());
    Ok(())
}

#[tokio::test]
async fn a_lineage_that_lost_record_sets_is_distinguished_from_a_whole_one() -> TestResult {
    let server = Server::answering(LINEAGE, answer(drawn("ignoreRecordSet"))).await;
    let drawn = server.client().job("j1").export_lineage_as_json().await?;
    let DrawnLineage::WithoutRecordSets(lineage) = &drawn else { panic!("{drawn:?}") };
    assert_eq!(lineage.column_flows().len(), 1);
    assert_eq!(drawn.into_whole().expect_err("it is not whole").kind(), ErrorKind::IncompleteLineage);
    Ok(())
}

/// Responses of servers that do not have an operation: of Tomcat, of Spring, of a newer Spring that takes only other
/// methods, and of servers that report it in the envelope.
fn missing_operations() -> [ResponseTemplate; 7] {
    let json = |status: u16, text: &str| ResponseTemplate::new(status).set_body_raw(text, "application/json");
    [
        page(404, "<!doctype html><html><title>HTTP Status 404 – Not Found</title></html>"),
        json(404, r#"{"timestamp":"2022-10-04T10:45:04","status":404,"error":"Not Found","path":"/sqlflow/job/x"}"#),
        json(404, r#"{"code":404,"error":"There is nothing here."}"#),
        ResponseTemplate::new(404),
        json(405, r#"{"timestamp":1664880304,"status":405,"error":"Method Not Allowed","path":"/sqlflow/job/x"}"#),
        json(200, r#"{"code":405,"error":"Request method 'POST' not supported"}"#),
        json(200, r#"{"code":501,"error":"not implemented"}"#),
    ]
}

#[tokio::test]
async fn a_server_without_the_full_export_gives_the_whole_lineage_as_drawn() -> TestResult {
    for missing in missing_operations() {
        let server = Server::answering(FULL_JSON, missing).await;
        server.on(LINEAGE, answer(drawn("global"))).await;
        let lineage = server.client().job("j1").lineage().await?;
        assert_eq!(lineage.column_flows().len(), 1);
        let paths: Vec<_> = server.sent().await.iter().map(|sent| sent.path().to_owned()).collect();
        let exports: Vec<_> = paths.iter().filter_map(|path| path.split_once("/job/export")).collect();
        assert_eq!(exports.iter().map(|(_, name)| *name).collect::<Vec<_>>(), ["FullLineageAsJson", "LineageAsJson"]);
    }
    Ok(())
}

#[tokio::test]
async fn a_server_without_the_full_export_fails_for_a_drawn_lineage_that_is_not_whole() {
    for less in [summary(), drawn("ignoreRecordSet")] {
        let server = Server::answering(LINEAGE, answer(less)).await;
        let error = server.client().job("j1").lineage().await.expect_err("it is not whole");
        assert_eq!(error.kind(), ErrorKind::IncompleteLineage, "{error:?}");
        assert_eq!((error.job_id().map(JobId::as_str), error.operation()), (Some("j1"), Some("exportLineageAsJson")));
        let text = error.to_string();
        for part in ["exportFullLineageAsJson", "upgrade", "relation_limit", "database"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

#[tokio::test]
async fn a_full_lineage_that_says_that_it_is_not_whole_is_an_error() {
    for less in [summary(), drawn("ignoreRecordSet")] {
        let server = Server::answering(FULL_JSON, answer(less)).await;
        let job = server.client().job("j1");
        let errors = [
            job.lineage().await.expect_err("it is not whole"),
            job.export_full_lineage_as_json().send().await.expect_err("it is not whole"),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::IncompleteLineage, "{error:?}");
            assert_eq!(error.job_id().map(JobId::as_str), Some("j1"));
            assert!(error.to_string().contains("relation_limit"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_missing_job_is_not_taken_for_a_missing_operation() {
    let server = Server::answering(FULL_JSON, failure(404, "There is no job j1.")).await;
    server.on(LINEAGE, answer(drawn("global"))).await;
    let error = server.client().job("j1").lineage().await.expect_err("there is no job");
    assert_eq!(error.kind(), ErrorKind::JobNotFound, "{error:?}");
    assert!(!server.sent().await.iter().any(|sent| sent.path().ends_with(LINEAGE)));
}

#[tokio::test]
async fn a_job_that_only_the_drawn_export_can_miss_is_not_found() {
    let server = Server::answering(LINEAGE, failure(404, "There is no job j1.")).await;
    let error = server.client().job("j1").lineage().await.expect_err("there is no job");
    assert_eq!(error.kind(), ErrorKind::JobNotFound, "{error:?}");
}

#[tokio::test]
async fn a_server_without_any_export_is_a_wrong_base_url() {
    let server = Server::start().await;
    let error = server.client().job("j1").lineage().await.expect_err("there is nothing");
    assert_eq!((error.kind(), error.status()), (ErrorKind::Rejected, Some(404)), "{error:?}");
    assert!(error.to_string().contains("base URL"), "{error}");
}

#[tokio::test]
async fn the_lineage_of_a_job_has_the_relation_types_that_the_server_describes_it_with() -> TestResult {
    for (described, sent, expected) in [
        (json!("fdd,fdr"), Some("fdd,fdr"), Coverage::Included),
        (json!(""), None, Coverage::NotRequested),
        (Value::Null, None, Coverage::NotRequested),
    ] {
        let server = Server::answering(FULL_JSON, success(model())).await;
        let object = json!({"jobId": "j1", "status": "success", "showRelationType": described});
        server.on(SUMMARY, success(object)).await;
        let job = server.client().job("j1");
        for lineage in [job.lineage().await?, job.wait().await?.lineage().await?] {
            assert_eq!(lineage.coverage(&RelationType::Fdr), expected);
        }
        let exports = server.sent().await.into_iter().filter(|request| request.path().ends_with(FULL_JSON));
        let types: Vec<_> = exports.map(|request| request.field("showRelationType")).collect();
        assert_eq!(types, [sent.map(str::to_owned), sent.map(str::to_owned)]);
    }
    Ok(())
}

#[tokio::test]
async fn a_lineage_knows_which_relation_types_were_requested() -> TestResult {
    let server = Server::answering(FULL_JSON, success(model())).await;
    server.on(LINEAGE, answer(drawn("global"))).await;
    let job = server.client().job("j1");
    let both = [RelationType::Fdd, RelationType::Fdr];
    for (lineage, expected) in [
        (job.lineage().await?, Coverage::NotRequested),
        (job.export_full_lineage_as_json().await?, Coverage::NotRequested),
        (job.export_lineage_as_json().lineage().await?, Coverage::NotRequested),
        (job.export_full_lineage_as_json().relation_types(both.clone()).await?, Coverage::Included),
        (job.export_lineage_as_json().relation_types(both).lineage().await?, Coverage::Included),
        (job.export_full_lineage_as_json().for_impact().await?, Coverage::Included),
        (job.export_lineage_as_json().for_impact().lineage().await?, Coverage::Included),
    ] {
        assert_eq!(lineage.coverage(&RelationType::Fdr), expected);
        assert_eq!(lineage.coverage(&RelationType::Fdd), Coverage::Included);
    }
    Ok(())
}

#[tokio::test]
async fn a_lineage_with_code_203_keeps_its_warnings() -> TestResult {
    let partial = json!({"code": 203, "data": model(), "error": "a.sql: line 3\nb.sql: line 9"});
    let server = Server::answering(FULL_JSON, answer(partial)).await;
    let lineage = server.client().job("j1").lineage().await?;
    assert_eq!(lineage.code(), Some(203));
    assert_eq!(lineage.warnings().collect::<Vec<_>>(), ["a.sql: line 3", "b.sql: line 9"]);
    assert_eq!(lineage.column_flows().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_lineage_that_arrives_byte_by_byte_is_read() -> TestResult {
    let text = drawn("global").to_string();
    let server = RawServer::start(move |mut connection| {
        let text = text.clone();
        async move {
            connection.stream.set_nodelay(true)?;
            connection.request().await?;
            connection.send(CHUNKED).await?;
            for byte in text.bytes() {
                connection.send(chunk(&[byte])).await?;
            }
            connection.send(chunk(b"")).await
        }
    })
    .await?;
    let lineage = server.client().job("j1").export_full_lineage_as_json().await?;
    assert_eq!(lineage.column_flows().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_lineage_with_unknown_fields_is_read_and_counts_them() -> TestResult {
    let mut newer = drawn("global");
    newer["data"]["sqlflow"]["weather"] = json!("fine");
    let server = Server::answering(FULL_JSON, answer(newer)).await;
    let lineage = server.client().job("j1").lineage().await?;
    let unknown: Vec<_> = lineage.unknown_fields().map(|(path, _)| path.to_owned()).collect();
    assert_eq!(unknown.len(), 1, "{unknown:?}");
    assert!(unknown[0].ends_with("weather"), "{unknown:?}");
    Ok(())
}

#[tokio::test]
async fn json_is_returned_as_the_bytes_of_the_response() -> TestResult {
    let text = serde_json::to_string_pretty(&drawn("global"))?;
    let server = Server::answering(LINEAGE, body(text.clone())).await;
    assert_eq!(server.client().job("j1").export_lineage_as_json().bytes().await?, text);
    Ok(())
}

#[tokio::test]
async fn csv_is_returned_as_bytes() -> TestResult {
    let server = Server::answering(CSV, csv()).await;
    assert_eq!(server.client().job("j1").export_full_lineage_as_csv().await?, ROWS);
    Ok(())
}

#[tokio::test]
async fn csv_with_a_byte_order_mark_is_returned_unchanged() -> TestResult {
    let marked = format!("\u{feff}{ROWS}");
    let server = Server::answering(CSV, ResponseTemplate::new(200).set_body_string(marked.clone())).await;
    assert_eq!(server.client().job("j1").export_full_lineage_as_csv().await?, marked);
    Ok(())
}

#[tokio::test]
async fn csv_whose_first_field_begins_with_a_brace_is_still_csv() -> TestResult {
    let odd = "{source},{target}\n1,2\n";
    let server = Server::answering(CSV, ResponseTemplate::new(200).set_body_string(odd)).await;
    assert_eq!(server.client().job("j1").export_full_lineage_as_csv().await?, odd);
    Ok(())
}

#[tokio::test]
async fn graphml_is_returned_as_bytes() -> TestResult {
    let graph = "<?xml version=\"1.0\"?>\n<graphml/>";
    let server = Server::answering(GRAPHML, ResponseTemplate::new(200).set_body_raw(graph, "application/xml")).await;
    assert_eq!(server.client().job("j1").export_lineage_as_graphml().await?, graph);
    Ok(())
}

#[tokio::test]
async fn a_stream_yields_all_bytes_in_order() -> TestResult {
    let rows = "d,s,t,a column with a name of some length\n".repeat(50_000);
    let server = Server::answering(CSV, ResponseTemplate::new(200).set_body_raw(rows.clone(), "text/csv")).await;
    let stream = server.client().job("j1").export_full_lineage_as_csv().stream().await?;
    let pieces: Vec<_> = stream.try_collect().await?;
    assert!(pieces.len() > 1);
    assert_eq!(pieces.concat(), rows.as_bytes());
    Ok(())
}

#[tokio::test]
async fn a_stream_begins_before_the_response_has_ended() -> TestResult {
    let server = RawServer::start(|mut connection| async move {
        connection.request().await?;
        connection.send(CHUNKED).await?;
        connection.send(chunk(b"source_db\n")).await?;
        connection.hold().await
    })
    .await?;
    let mut stream = server.client().job("j1").export_full_lineage_as_csv().stream().await?;
    assert_eq!(stream.try_next().await?.as_deref(), Some(&b"source_db\n"[..]));
    Ok(())
}

#[tokio::test]
async fn the_response_limit_applies_to_bytes() -> TestResult {
    let server = Server::answering(CSV, csv()).await;
    let job = server.builder().max_response_bytes(10).build()?.job("j1");
    let error = job.export_full_lineage_as_csv().await.expect_err("over the limit");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(error.job_id().map(JobId::as_str), Some("j1"));
    assert!(error.to_string().contains("10 bytes"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_response_as_long_as_the_limit_is_accepted() -> TestResult {
    let server = Server::answering(CSV, csv()).await;
    let job = server.builder().max_response_bytes(ROWS.len() as u64).build()?.job("j1");
    assert_eq!(job.export_full_lineage_as_csv().await?, ROWS);
    Ok(())
}

#[tokio::test]
async fn the_response_limit_applies_to_a_lineage() -> TestResult {
    let server = Server::answering(FULL_JSON, answer(drawn("global"))).await;
    let job = server.builder().max_response_bytes(100).build()?.job("j1");
    let error = job.lineage().await.expect_err("over the limit");
    assert_eq!((error.kind(), error.operation()), (ErrorKind::TooLarge, Some("exportFullLineageAsJson")));
    Ok(())
}

#[tokio::test]
async fn the_response_limit_does_not_apply_to_streams_and_files() -> TestResult {
    let server = Server::answering(CSV, csv()).await;
    let job = server.builder().max_response_bytes(10).build()?.job("j1");
    let pieces: Vec<_> = job.export_full_lineage_as_csv().stream().await?.try_collect().await?;
    assert_eq!(pieces.concat(), ROWS.as_bytes());
    let directory = tempfile::tempdir()?;
    assert_eq!(job.export_full_lineage_as_csv().to_file(directory.path().join("x.csv")).await?, ROWS.len() as u64);
    Ok(())
}
