//! The results that the emulator gives without a job.

use sqlflow_client::lineage::{Coverage, RelationType};
use sqlflow_client::{ErrorKind, Lineage, Vendor};

use super::sqlflow;

const SQL: &str = "create table orders (id int, total int);
create view report as select sum(total) as amount from orders where id > 5;";

fn flows(lineage: &Lineage) -> Vec<String> {
    lineage.column_flows().iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn sql_in_memory_becomes_a_lineage() {
    let (sqlflow, _emulator) = sqlflow().await;
    let lineage = sqlflow.analyze(Vendor::PostgreSql).sql(SQL).await.unwrap();
    assert_eq!(flows(&lineage), ["orders.total → report.amount"]);
    assert_eq!(lineage.coverage(&RelationType::Fdd), Coverage::Included);
    assert_eq!(lineage.coverage(&RelationType::Fdr), Coverage::NotRequested);
}

#[tokio::test]
async fn a_file_gives_the_same_lineage_as_its_sql() {
    let (sqlflow, _emulator) = sqlflow().await;
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("etl.sql");
    std::fs::write(&path, SQL).unwrap();
    let analysis = sqlflow.analyze(Vendor::PostgreSql).path(&path);
    assert_eq!(flows(&analysis.clone().send().await.unwrap()), ["orders.total → report.amount"]);
    // This operation takes no files, so the client sends the text.
    assert_eq!(flows(&analysis.full_lineage().await.unwrap()), ["orders.total → report.amount"]);
}

#[tokio::test]
async fn a_lineage_for_impact_knows_what_filters_decide() {
    let (sqlflow, _emulator) = sqlflow().await;
    let lineage = sqlflow.analyze(Vendor::PostgreSql).sql(SQL).for_impact().await.unwrap();
    assert_eq!(lineage.coverage(&RelationType::Fdr), Coverage::Included);
    let impact = lineage.column("orders", "id").unwrap().impact().to_string();
    assert!(impact.contains("report"), "{impact}");
}

#[tokio::test]
async fn the_lineage_as_drawn_and_that_between_tables_are_read() {
    let (sqlflow, _emulator) = sqlflow().await;
    let analysis = sqlflow.analyze(Vendor::PostgreSql).sql(SQL);
    let drawn = analysis.clone().graph().show_link_only(false).await.unwrap();
    assert!(drawn.is_whole());
    assert_eq!(flows(drawn.as_drawn()), ["orders.total → report.amount"]);
    let tables = analysis.table_level().await.unwrap();
    assert!(tables.relationships().len() > 0);
}

#[tokio::test]
async fn csv_and_graphml_are_written_to_files() {
    let (sqlflow, _emulator) = sqlflow().await;
    let home = tempfile::tempdir().unwrap();
    let analysis = sqlflow.analyze(Vendor::PostgreSql).sql(SQL);
    let path = home.path().join("lineage.csv");
    let length = analysis.clone().csv().delimiter(";").to_file(&path).await.unwrap();
    let csv = std::fs::read_to_string(&path).unwrap();
    assert!(csv.starts_with("source_db;source_schema;") && csv.contains("total"), "{csv}");
    assert_eq!(csv.len() as u64, length);
    let path = home.path().join("lineage.graphml");
    let length = analysis.clone().graphml().to_file(&path).await.unwrap();
    let graphml = std::fs::read(&path).unwrap();
    assert_eq!(graphml.len() as u64, length);
    assert_eq!(analysis.graphml().await.unwrap(), graphml);
    assert!(String::from_utf8(graphml).unwrap().contains("<graphml"));
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 2, "no temporary file is left");
}

#[tokio::test]
async fn analyses_can_be_spawned_and_run_at_once() {
    let (sqlflow, _emulator) = sqlflow().await;
    let analyze = |table: &str| {
        let sql = format!("create view v as select a from {table}");
        tokio::spawn(sqlflow.analyze(Vendor::PostgreSql).sql(sql).send())
    };
    let (first, second) = tokio::join!(analyze("t"), analyze("u"));
    assert_eq!(flows(&first.unwrap().unwrap()), ["t.a → v.a"]);
    assert_eq!(flows(&second.unwrap().unwrap()), ["u.a → v.a"]);
}

#[tokio::test]
async fn a_result_that_the_server_does_not_have_says_so_and_leaves_no_file() {
    let (sqlflow, _emulator) = sqlflow().await;
    let home = tempfile::tempdir().unwrap();
    let image = sqlflow.analyze(Vendor::PostgreSql).sql(SQL).er_diagram().image();
    let error = image.to_file(home.path().join("etl.png")).await.unwrap_err();
    assert_ne!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(error.operation(), Some("generateErDiagramGraphImage"));
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}
