//! Queries about the lineage of a job: graphs upstream and downstream, their images, and ultimate sources.

use serde_json::json;
use sqlflow_client::job::DrawnLineage;
use sqlflow_client::lineage::{Coverage, RelationType};
use sqlflow_client::{ErrorKind, JobId, Vendor};
use wiremock::ResponseTemplate;

use crate::TestResult;
use crate::mock::{Server, answer, failure, success};
use crate::sent::{Fields, fields};

const UPSTREAM: &str = "/sqlflow/generation/sqlflow/upstreamGraph";
const DOWNSTREAM: &str = "/sqlflow/generation/sqlflow/downstreamGraph";
const UPSTREAM_IMAGE: &str = "/sqlflow/generation/sqlflow/upstreamGraph/image";
const DOWNSTREAM_IMAGE: &str = "/sqlflow/generation/sqlflow/downstreamGraph/image";
const LEFT_MOST: &str = "/sqlflow/job/leftMostSourceTable";
const LEFT_MOST_CSV: &str = "/sqlflow/job/leftMostSourceTableAsCsv";
const USER: (&str, &str) = ("userId", "gudu|0123456789");
const TOKEN: (&str, &str) = ("token", "token");
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n.....IEND\xaeB`\x82";

fn graph(mode: &str) -> ResponseTemplate {
    let model = json!({
        "dbobjs": [
            {"id": "1", "name": "ORDERS", "type": "table", "columns": [{"id": "2", "name": "TOTAL"}]},
            {"id": "5", "name": "REPORT", "type": "view", "columns": [{"id": "6", "name": "SUM"}]},
        ],
        "relationships": [{"id": "7", "type": "fdd", "target": {"id": "6"}, "sources": [{"id": "2"}]}],
    });
    answer(json!({"code": 200, "sessionId": "s1", "data": {"mode": mode, "sqlflow": model, "graph": {}}}))
}

fn image(bytes: &[u8]) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(bytes, "image/png")
}

async fn graphs() -> Server {
    let server = Server::answering(UPSTREAM, graph("global")).await;
    server.on(DOWNSTREAM, graph("global")).await;
    server.on(UPSTREAM_IMAGE, image(PNG)).await;
    server.on(DOWNSTREAM_IMAGE, image(PNG)).await;
    server
}

#[tokio::test]
async fn a_graph_is_read_into_a_lineage_that_knows_the_requested_types() -> TestResult {
    let server = graphs().await;
    let job = server.client().job("j1");
    let upstream = job.upstream_graph("sales.REPORT").relation_types([RelationType::Fdd, RelationType::Fdr]);
    let lineage = upstream.send().await?.into_whole()?;
    assert_eq!(lineage.column("REPORT", "SUM")?.upstream().to_vec()[0].qualified_name(), "ORDERS.TOTAL");
    assert_eq!(lineage.coverage(&RelationType::Fdr), Coverage::Included);
    assert_eq!(job.downstream_graph("ORDERS").lineage().await?.column_flows().len(), 1);
    assert!(job.downstream_graph("ORDERS").await?.is_whole());
    let sent = server.sent().await;
    let types = ("showRelationType", "fdd,fdr");
    assert_eq!((sent[0].method.as_str(), sent[0].query()), ("POST", Fields::new()));
    assert_eq!(sent[0].form(), fields([USER, TOKEN, ("jobId", "j1"), ("tableNamePattern", r"sales\.REPORT"), types]));
    assert_eq!(sent[1].form(), fields([USER, TOKEN, ("jobId", "j1"), ("tableNamePattern", "ORDERS")]));
    Ok(())
}

#[tokio::test]
async fn a_pattern_is_sent_as_it_is() -> TestResult {
    let server = graphs().await;
    server.on(LEFT_MOST, success(json!([]))).await;
    let job = server.client().job("j1");
    job.upstream_graph_matching("REPORT_.*").await?.into_whole()?;
    job.downstream_graph_matching("REPORT_.*").await?.into_whole()?;
    assert!(job.left_most_sources_matching("REPORT_.*").await?.is_empty());
    for sent in server.sent().await {
        assert_eq!(sent.field("tableNamePattern").as_deref(), Some("REPORT_.*"), "{}", sent.path());
    }
    Ok(())
}

/// Sets every option that graphs and their images have.
macro_rules! with_every_option {
    ($query:expr) => {
        $query
            .column("ä")
            .distance(2)
            .relation_types([RelationType::Frd, RelationType::Join])
            .hide_column(true)
            .simple_output(false)
            .ignore_record_set(true)
            .ignore_function(false)
            .show_constant_table(true)
            .show_link_only(false)
            .show_transform(true)
            .treat_arguments_in_count_function_as_direct_dataflow(false)
            .normalize_identifier(true)
            .vendor(Vendor::Oracle)
            .session_id("s1")
    };
}

fn every_option<const N: usize>(more: [(&str, &str); N]) -> Fields {
    let mut expected = fields([
        USER,
        TOKEN,
        ("jobId", "j1"),
        ("tableNamePattern", "T"),
        ("tableColumn", "ä"),
        ("distance", "2"),
        ("showRelationType", "frd,join"),
        ("hideColumn", "true"),
        ("simpleOutput", "false"),
        ("ignoreRecordSet", "true"),
        ("ignoreFunction", "false"),
        ("showConstantTable", "true"),
        ("showLinkOnly", "false"),
        ("showTransform", "true"),
        ("treatArgumentsInCountFunctionAsDirectDataflow", "false"),
        ("normalizeIdentifier", "true"),
        ("dbvendor", "dbvoracle"),
        ("sessionId", "s1"),
    ]);
    expected.extend(fields(more));
    expected.sort();
    expected
}

#[tokio::test]
async fn every_option_of_a_graph_arrives_under_its_name() -> TestResult {
    let server = graphs().await;
    let job = server.client().job("j1");
    with_every_option!(job.upstream_graph("T")).return_model(true).lineage().await?;
    with_every_option!(job.downstream_graph("T")).return_model(false).bytes().await?;
    let sent = server.sent().await;
    assert_eq!(sent[0].form(), every_option([("isReturnModel", "true")]));
    assert_eq!(sent[1].form(), every_option([("isReturnModel", "false")]));
    Ok(())
}

#[tokio::test]
async fn an_image_has_the_options_of_its_graph() -> TestResult {
    let server = graphs().await;
    let job = server.client().job("j1");
    with_every_option!(job.upstream_graph("T")).return_model(true).image().stop_at("x").await?;
    with_every_option!(job.downstream_graph("T").image()).await?;
    let sent = server.sent().await;
    assert_eq!(sent[0].form(), every_option([("isReturnModel", "true"), ("stopat", "x")]));
    assert_eq!(sent[1].form(), every_option([]));
    Ok(())
}

#[tokio::test]
async fn an_image_is_written_to_a_file() -> TestResult {
    let server = graphs().await;
    let directory = tempfile::tempdir()?;
    for (name, query) in [("up.png", true), ("down.png", false)] {
        let (path, job) = (directory.path().join(name), server.client().job("j1"));
        let length = if query {
            job.upstream_graph("T").image().to_file(&path).await?
        } else {
            job.downstream_graph("T").image().to_file(&path).await?
        };
        assert_eq!((length, std::fs::read(&path)?), (PNG.len() as u64, PNG.to_vec()));
    }
    Ok(())
}

#[tokio::test]
async fn an_image_that_breaks_off_or_is_none_leaves_nothing_behind() -> TestResult {
    for (response, kind) in [
        (image(&PNG[..12]), ErrorKind::Interrupted),
        (image(b"no image"), ErrorKind::Protocol),
        (failure(500, "no graph"), ErrorKind::Server),
    ] {
        let server = Server::answering(UPSTREAM_IMAGE, response).await;
        let directory = tempfile::tempdir()?;
        let image = server.client().job("j1").upstream_graph("T").image();
        let error = image.to_file(directory.path().join("x.png")).await.expect_err("it is no image");
        assert_eq!((error.kind(), error.job_id().map(JobId::as_str)), (kind, Some("j1")), "{error}");
        assert_eq!(std::fs::read_dir(directory.path())?.count(), 0);
    }
    Ok(())
}

#[tokio::test]
async fn a_graph_that_lost_record_sets_is_no_whole_lineage() -> TestResult {
    let server = Server::answering(UPSTREAM, graph("ignoreRecordSet")).await;
    let job = server.client().job("j1");
    assert!(matches!(job.upstream_graph("T").await?, DrawnLineage::WithoutRecordSets(_)));
    let error = job.upstream_graph("T").lineage().await.expect_err("it is not whole");
    assert_eq!(error.kind(), ErrorKind::IncompleteLineage);
    assert_eq!((error.operation(), error.job_id().map(JobId::as_str)), (Some("generateUpstreamGraph"), Some("j1")));
    assert!(error.to_string().contains("distance"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_selection_that_cannot_be_is_named_before_anything_is_sent() {
    let server = Server::start().await;
    let job = server.client().job("j1");
    let json = || job.export_lineage_as_json();
    for (error, option) in [
        (job.upstream_graph(" ").send().await.expect_err("no table"), "table"),
        (job.upstream_graph("").image().send().await.expect_err("no table"), "table"),
        (job.downstream_graph_matching("").send().await.expect_err("no table"), "table"),
        (job.downstream_graph("").image().send().await.expect_err("no table"), "table"),
        (job.upstream_graph("T").column("").send().await.expect_err("no column"), "`column`"),
        (job.upstream_graph("T").return_model(false).send().await.expect_err("no model"), "return_model"),
        (job.left_most_sources("").send().await.expect_err("no table"), "table"),
        (job.left_most_sources("T").column(" ").send().await.expect_err("no column"), "`column`"),
        (job.left_most_sources("").csv().send().await.expect_err("no table"), "table"),
        (json().column("c").send().await.expect_err("a column without a table"), "`table`"),
        (json().table("").send().await.expect_err("an empty table"), "`table`"),
        (json().table("t").column(" ").send().await.expect_err("an empty column"), "`column`"),
        (json().schema("").lineage().await.expect_err("an empty schema"), "`schema`"),
        (json().database("").bytes().await.expect_err("an empty database"), "`database`"),
        (job.export_lineage_as_graphml().column("c").send().await.expect_err("no table"), "`table`"),
        (job.export_lineage_as_graphml().table("").send().await.expect_err("no table"), "`table`"),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        assert!(error.to_string().contains(option), "{option}: {error}");
        assert_eq!(error.job_id().map(JobId::as_str), Some("j1"));
    }
    assert!(server.sent().await.is_empty());
}

#[tokio::test]
async fn ultimate_sources_are_typed_and_unknown_fields_are_kept() -> TestResult {
    let end = |table: &str, column: &str| json!({"database": "d", "schema": null, "table": table, "column": column});
    let data = json!([
        {"target": end("REPORT", "SUM"), "leftMostSources": [end("ORDERS", "TOTAL"), {"table": "T", "alias": "x"}]},
        {"hint": 1},
    ]);
    let server = Server::answering(LEFT_MOST, success(data)).await;
    let found = server.client().job("j1").left_most_sources("sales.REPORT").column("SUM").tag("mine").send().await?;
    let target = found[0].target.as_ref().expect("a target");
    assert_eq!((target.table.as_deref(), target.column.as_deref()), (Some("REPORT"), Some("SUM")));
    let sources: Vec<_> = found[0].sources.iter().map(ToString::to_string).collect();
    assert_eq!(sources, ["d.ORDERS.TOTAL", "T"]);
    assert_eq!((&found[0].sources[1].other["alias"], &found[1].other["hint"]), (&json!("x"), &json!(1)));
    let expected =
        [USER, TOKEN, ("jobId", "j1"), ("tableNamePattern", r"sales\.REPORT"), ("tableColumn", "SUM"), ("tag", "mine")];
    assert_eq!(server.only().await.form(), fields(expected));
    Ok(())
}

#[tokio::test]
async fn ultimate_sources_of_another_shape_are_an_error_with_the_job() {
    for (response, kind) in [
        (success(json!({"a": 1})), ErrorKind::Protocol),
        (answer(json!({"code": 200})), ErrorKind::Protocol),
        (failure(500, "no"), ErrorKind::Server),
        (failure(404, "no such job"), ErrorKind::JobNotFound),
    ] {
        let server = Server::answering(LEFT_MOST, response).await;
        let error = server.client().job("j1").left_most_sources("T").await.expect_err("not a list");
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!((error.operation(), error.job_id().map(JobId::as_str)), (Some("leftMostSourceTable"), Some("j1")));
    }
}

#[tokio::test]
async fn ultimate_sources_are_written_to_a_csv_file() -> TestResult {
    let rows = "source_table;target_table\nORDERS;REPORT\n";
    let csv = ResponseTemplate::new(200).set_body_raw(rows, "text/csv");
    let server = Server::answering(LEFT_MOST_CSV, csv).await;
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("sources.csv");
    let job = server.client().job("j1");
    job.left_most_sources("a.b").column("SUM").csv().delimiter(";").to_file(&path).await?;
    assert_eq!(std::fs::read_to_string(&path)?, rows);
    assert_eq!(job.left_most_sources("a.b").csv().column("SUM").delimiter(";").await?, rows);
    let expected =
        [USER, TOKEN, ("jobId", "j1"), ("tableNamePattern", r"a\.b"), ("tableColumn", "SUM"), ("delimiter", ";")];
    for sent in server.sent().await {
        assert_eq!(sent.form(), fields(expected));
    }
    Ok(())
}

#[tokio::test]
async fn queries_can_be_cloned_and_spawned() -> TestResult {
    let server = graphs().await;
    let query = server.client().job("j1").upstream_graph("T");
    let (one, two) = tokio::join!(tokio::spawn(query.clone().send()), tokio::spawn(query.into_future()));
    assert_eq!(one??, two??);
    Ok(())
}

#[tokio::test]
async fn an_empty_image_is_an_error_and_no_file() -> TestResult {
    let server = Server::answering(UPSTREAM_IMAGE, image(b"")).await;
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("orders.png");
    let error = server.client().job("j1").upstream_graph("T").image().to_file(&path).await.expect_err("it is empty");
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.to_string().contains("empty") && !path.exists(), "{error}");
    Ok(())
}
