//! The fields of request forms: every option has its name in the API, and options that were not set are absent.

use sqlflow_client::job::{CsvFormat, Database, Job, SqlSource};
use sqlflow_client::lineage::RelationType;
use sqlflow_client::{ErrorKind, Vendor};
use wiremock::ResponseTemplate;

use crate::TestResult;
use crate::mock::{CSV, FULL_JSON, GRAPHML, JOBS, LINEAGE, SUBMIT, SUBMIT_PERSIST, Server, body, no_jobs, state};
use crate::sent::{Fields, SentRequest, fields};

const USER: (&str, &str) = ("userId", "gudu|0123456789");
const TOKEN: (&str, &str) = ("token", "token");

fn csv() -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw("source_db\n", "text/csv")
}

fn lineage() -> ResponseTemplate {
    body(r#"{"code":200,"data":{"dbobjs":[],"relationships":[]}}"#)
}

/// Starts a server that supports every export, and creates a job on it.
async fn exports() -> (Server, Job) {
    let server = Server::start().await;
    for operation in [LINEAGE, FULL_JSON] {
        server.on(operation, lineage()).await;
    }
    server.on(CSV, csv()).await;
    server.on(GRAPHML, ResponseTemplate::new(200).set_body_raw("<graphml/>", "application/xml")).await;
    let job = server.client().job("j1");
    (server, job)
}

#[tokio::test]
async fn every_option_of_submit_user_job_arrives_under_its_name() -> TestResult {
    let server = Server::answering(SUBMIT, state("create")).await;
    let submit = server.client().submit(Vendor::Mssql).name("nightly").without_suffix().sql("a.sql", "select 1");
    submit
        .database(Database::new("db.example.com").port(1433).account("reader").password("pass word").name("sales"))
        .sql_source(SqlSource::UploadFileAndFromDatabase)
        .default_database("d")
        .default_schema("s")
        .on_top(true)
        .relation_types([RelationType::Fdd, RelationType::Frd, RelationType::Join])
        .ignore_function(false)
        .ignore_record_set(true)
        .show_constant_table(true)
        .show_transform(false)
        .treat_arguments_in_count_function_as_direct_dataflow(true)
        .parallel(true)
        .extracted_dbs_schemas(["db1/dbo", "db2/*"])
        .excluded_dbs_schemas(["db1/sys"])
        .extracted_stored_procedures(["db1.dbo.load", "db1.dbo.clean"])
        .extracted_views(["db1.dbo.v"])
        .csv_format(CsvFormat { catalog: 1, schema: 2, object_type: 3, object_name: 4, code: 5, notes: 0 })
        .object_code_enclose_char('"')
        .object_code_escape_char('\\')
        .await?;
    let expected = fields([
        USER,
        TOKEN,
        ("dbvendor", "dbvmssql"),
        ("jobName", "nightly"),
        ("hostname", "db.example.com"),
        ("port", "1433"),
        ("account", "reader"),
        ("password", "pass word"),
        ("database", "sales"),
        ("sqlsource", "uploadFileAndFromDatabase"),
        ("defaultDatabase", "d"),
        ("defaultSchema", "s"),
        ("onTop", "true"),
        ("showRelationType", "fdd,frd,join"),
        ("ignoreFunction", "false"),
        ("ignoreRecordSet", "true"),
        ("showConstantTable", "true"),
        ("showTransform", "false"),
        ("treatArgumentsInCountFunctionAsDirectDataflow", "true"),
        ("parallel", "true"),
        ("extractedDbsSchemas", "db1/dbo,db2/*"),
        ("excludedDbsSchemas", "db1/sys"),
        ("extractedStoredProcedures", "db1.dbo.load,db1.dbo.clean"),
        ("extractedViews", "db1.dbo.v"),
        ("csvFormat", "1,2,3,4,5,0"),
        ("objectCodeEncloseChar", "\""),
        ("objectCodeEscapeChar", "\\"),
    ]);
    assert_eq!(server.only().await.fields(), expected);
    Ok(())
}

#[tokio::test]
async fn only_the_set_parts_of_a_database_are_sent() -> TestResult {
    let server = Server::answering(SUBMIT, state("create")).await;
    let submit = server.client().submit(Vendor::Oracle).name("n").without_suffix();
    submit.database(Database::new("db.example.com")).send().await?;
    let expected = fields([USER, TOKEN, ("dbvendor", "dbvoracle"), ("jobName", "n"), ("hostname", "db.example.com")]);
    assert_eq!(server.only().await.fields(), expected);
    Ok(())
}

#[tokio::test]
async fn every_clone_of_a_batch_of_a_regular_job_has_its_options() -> TestResult {
    let server = Server::answering(SUBMIT_PERSIST, state("create")).await;
    let submit = server.client().submit_persist(Vendor::Oracle).name("n").without_suffix().schedulable(true);
    for _ in 0..2 {
        submit.clone().sql("a.sql", "select 1").send().await?;
    }
    let sent = server.sent().await;
    assert_eq!(sent[0].fields(), sent[1].fields());
    assert!(sent[0].fields().contains(&("schedulable".to_owned(), "true".to_owned())));
    Ok(())
}

#[tokio::test]
async fn every_kind_of_sql_source_is_sent_as_the_web_client_spells_it() -> TestResult {
    let words =
        ["uploadFile", "fromDatabase", "uploadFileAndFromDatabase", "dbt", "redshiftlog", "snowflakequeryhistory"];
    let server = Server::answering(SUBMIT, state("create")).await;
    for source in SqlSource::KNOWN {
        server.client().submit(Vendor::Oracle).sql("a.sql", "select 1").sql_source(source.clone()).await?;
    }
    server.client().submit(Vendor::Oracle).sql("a.sql", "select 1").sql_source("brandNew").await?;
    let sent = server.sent().await;
    let sources = sent.iter().flat_map(SentRequest::fields).filter(|(name, _)| name == "sqlsource");
    let sources: Vec<_> = sources.map(|(_, value)| value).collect();
    assert_eq!(sources, [&words[..], &["brandNew"]].concat());
    Ok(())
}

#[tokio::test]
async fn a_submission_for_impact_asks_for_all_dependencies_and_no_simplification() -> TestResult {
    let server = Server::answering(SUBMIT, state("create")).await;
    let submit = server.client().submit(Vendor::Oracle).without_suffix().sql("a.sql", "select 1");
    submit.for_impact().send().await?;
    let expected = fields([
        USER,
        TOKEN,
        ("dbvendor", "dbvoracle"),
        ("jobName", "a.sql"),
        ("showRelationType", "fdd,fdr,frd,join"),
        ("ignoreFunction", "false"),
        ("ignoreRecordSet", "false"),
    ]);
    assert_eq!(server.only().await.fields(), expected);
    Ok(())
}

#[tokio::test]
async fn exports_for_impact_ask_for_all_dependencies_and_no_simplification() -> TestResult {
    let (server, job) = exports().await;
    job.export_full_lineage_as_json().for_impact().send().await?;
    job.export_lineage_as_json().simple_output(true).table("t").for_impact().lineage().await?;
    let sent = server.sent().await;
    let types = ("showRelationType", "fdd,fdr,frd,join");
    assert_eq!(sent[0].form(), fields([USER, TOKEN, ("jobId", "j1"), types]));
    let expected = fields([
        USER,
        TOKEN,
        ("jobId", "j1"),
        ("table", "t"),
        types,
        ("tableToTable", "false"),
        ("simpleOutput", "false"),
        ("ignoreRecordSet", "false"),
        ("ignoreFunction", "false"),
        ("showLinkOnly", "false"),
    ]);
    assert_eq!(sent[1].form(), expected);
    Ok(())
}

#[tokio::test]
async fn options_that_are_not_set_are_not_submitted() -> TestResult {
    let server = Server::answering(SUBMIT, state("create")).await;
    server.client().submit(Vendor::Oracle).without_suffix().sql("a.sql", "select 1").await?;
    let expected = fields([USER, TOKEN, ("dbvendor", "dbvoracle"), ("jobName", "a.sql")]);
    assert_eq!(server.only().await.fields(), expected);
    Ok(())
}

#[tokio::test]
async fn every_option_of_submit_persist_job_arrives_under_its_name() -> TestResult {
    let server = Server::answering(SUBMIT_PERSIST, state("create")).await;
    let submit =
        server.client().submit_persist(Vendor::Snowflake).name("regular").without_suffix().sql("a.sql", "select 1");
    submit
        .database(Database::new("db.example.com").port(65_535).account("reader").password("pass word").name("sales"))
        .sql_source("file")
        .default_database("d")
        .default_schema("s")
        .on_top(false)
        .incremental(false)
        .first_submit(false)
        .schedulable(true)
        .cron_expression("0 0 3 * * ?")
        .extra("{\"a\": 1}")
        .await?;
    let expected = fields([
        USER,
        TOKEN,
        ("dbvendor", "dbvsnowflake"),
        ("jobName", "regular"),
        ("hostname", "db.example.com"),
        ("port", "65535"),
        ("account", "reader"),
        ("password", "pass word"),
        ("database", "sales"),
        ("sqlsource", "file"),
        ("defaultDatabase", "d"),
        ("defaultSchema", "s"),
        ("onTop", "false"),
        ("incremental", "false"),
        ("firstSubmit", "false"),
        ("schedulable", "true"),
        ("cronExpression", "0 0 3 * * ?"),
        ("extra", "{\"a\": 1}"),
    ]);
    assert_eq!(server.only().await.fields(), expected);
    Ok(())
}

#[tokio::test]
async fn the_first_batch_of_a_regular_job_is_sent_without_a_job_id() -> TestResult {
    let server = Server::answering(SUBMIT_PERSIST, state("create")).await;
    server.client().submit_persist(Vendor::Oracle).without_suffix().sql("a.sql", "select 1").await?;
    let expected = fields([USER, TOKEN, ("dbvendor", "dbvoracle"), ("jobName", "a.sql"), ("firstSubmit", "true")]);
    assert_eq!(server.only().await.fields(), expected);
    Ok(())
}

#[tokio::test]
async fn a_later_batch_names_the_first_and_is_incremental() -> TestResult {
    let server = Server::answering(SUBMIT_PERSIST, state("create")).await;
    server.client().submit_persist(Vendor::Oracle).batch_of("j1").name("n").sql("b.sql", "select 2").await?;
    let expected = fields([
        USER,
        TOKEN,
        ("dbvendor", "dbvoracle"),
        ("jobName", "n"),
        ("jobId", "j1"),
        ("incremental", "true"),
        ("firstSubmit", "false"),
    ]);
    assert_eq!(server.only().await.fields(), expected);
    Ok(())
}

#[tokio::test]
async fn an_unknown_vendor_is_sent_as_spelled() -> TestResult {
    let server = Server::answering(SUBMIT, state("create")).await;
    server.client().submit(Vendor::Other("dbvDuck".to_owned())).sql("a.sql", "select 1").await?;
    assert!(server.only().await.fields().contains(&("dbvendor".to_owned(), "dbvDuck".to_owned())));
    Ok(())
}

#[tokio::test]
async fn every_option_of_export_lineage_as_json_arrives_under_its_name() -> TestResult {
    let (server, job) = exports().await;
    let export = job.export_lineage_as_json().database("d").schema("s").table("t & u").column("ä");
    export
        .table_to_table(true)
        .relation_types([RelationType::Fdd, RelationType::Fdr, RelationType::Frd, RelationType::Join])
        .simple_output(true)
        .ignore_record_set(false)
        .ignore_function(true)
        .show_constant_table(false)
        .show_link_only(false)
        .show_transform(true)
        .treat_arguments_in_count_function_as_direct_dataflow(false)
        .lineage()
        .await?;
    let expected = fields([
        USER,
        TOKEN,
        ("jobId", "j1"),
        ("database", "d"),
        ("schema", "s"),
        ("table", "t & u"),
        ("column", "ä"),
        ("tableToTable", "true"),
        ("showRelationType", "fdd,fdr,frd,join"),
        ("simpleOutput", "true"),
        ("ignoreRecordSet", "false"),
        ("ignoreFunction", "true"),
        ("showConstantTable", "false"),
        ("showLinkOnly", "false"),
        ("showTransform", "true"),
        ("treatArgumentsInCountFunctionAsDirectDataflow", "false"),
    ]);
    assert_eq!(server.only().await.form(), expected);
    Ok(())
}

#[tokio::test]
async fn every_option_of_the_graphml_export_arrives_under_its_name() -> TestResult {
    let (server, job) = exports().await;
    let export = job.export_lineage_as_graphml().database("d").schema("s").table("t").column("c");
    export
        .table_to_table(false)
        .relation_types([RelationType::Fdd])
        .simple_output(false)
        .ignore_record_set(true)
        .ignore_function(false)
        .show_constant_table(true)
        .show_link_only(true)
        .show_transform(false)
        .treat_arguments_in_count_function_as_direct_dataflow(true)
        .await?;
    let expected = fields([
        USER,
        TOKEN,
        ("jobId", "j1"),
        ("database", "d"),
        ("schema", "s"),
        ("table", "t"),
        ("column", "c"),
        ("tableToTable", "false"),
        ("showRelationType", "fdd"),
        ("simpleOutput", "false"),
        ("ignoreRecordSet", "true"),
        ("ignoreFunction", "false"),
        ("showConstantTable", "true"),
        ("showLinkOnly", "true"),
        ("showTransform", "false"),
        ("treatArgumentsInCountFunctionAsDirectDataflow", "true"),
    ]);
    assert_eq!(server.only().await.form(), expected);
    Ok(())
}

#[tokio::test]
async fn every_option_of_the_csv_export_arrives_under_its_name() -> TestResult {
    let (server, job) = exports().await;
    job.export_full_lineage_as_csv().delimiter("|").table_to_table(true).await?;
    let expected = fields([USER, TOKEN, ("jobId", "j1"), ("delimiter", "|"), ("tableToTable", "true")]);
    assert_eq!(server.only().await.form(), expected);
    Ok(())
}

#[tokio::test]
async fn the_relation_types_of_the_full_export_arrive_comma_separated() -> TestResult {
    let (server, job) = exports().await;
    job.export_full_lineage_as_json()
        .relation_types([RelationType::Fdr, RelationType::Other("new".to_owned())])
        .await?;
    assert_eq!(server.only().await.form(), fields([USER, TOKEN, ("jobId", "j1"), ("showRelationType", "fdr,new")]));
    Ok(())
}

#[tokio::test]
async fn an_export_without_options_sends_the_job_id_and_nothing_else() -> TestResult {
    let (server, job) = exports().await;
    assert!(job.export_lineage_as_json().await?.is_whole());
    job.export_full_lineage_as_json().await?;
    job.export_full_lineage_as_csv().await?;
    job.export_lineage_as_graphml().await?;
    job.lineage().await?;
    let sent = server.sent().await;
    assert_eq!(sent.len(), 6, "five exports, and the job, whose relation types the handle does not know");
    for sent in sent {
        assert_eq!(sent.form(), fields([USER, TOKEN, ("jobId", "j1")]), "{}", sent.path());
    }
    Ok(())
}

#[tokio::test]
async fn parameters_of_a_post_are_in_the_body_and_never_in_the_url() -> TestResult {
    let (server, job) = exports().await;
    server.on(JOBS, no_jobs()).await;
    server.everywhere(state("success")).await;
    job.lineage().await?;
    job.export_full_lineage_as_csv().await?;
    job.info().await?;
    job.rerun().await?;
    job.set_on_top(true).await?;
    job.delete().await?;
    job.client().submit(Vendor::Oracle).sql("a.sql", "select 1").await?;
    job.client().submit_persist(Vendor::Oracle).sql("a.sql", "select 1").await?;
    job.client().jobs().await?;
    let sent = server.sent().await;
    assert_eq!(sent.len(), 10);
    for sent in sent {
        assert_eq!((sent.method.as_str(), sent.query()), ("POST", Fields::new()), "{}", sent.path());
        assert!(!sent.target.contains('?'), "{}", sent.target);
    }
    Ok(())
}

#[tokio::test]
async fn an_empty_job_id_is_never_sent_because_servers_take_it_for_the_latest_job() {
    let server = Server::start().await;
    for id in ["", "  "] {
        let job = server.client().job(id);
        let errors = [
            job.export_full_lineage_as_csv().await.expect_err("no id"),
            job.lineage().await.expect_err("no id"),
            job.info().await.expect_err("no id"),
            job.wait().await.expect_err("no id"),
            job.delete().await.expect_err("no id"),
            job.rerun().await.expect_err("no id"),
            job.set_on_top(true).await.expect_err("no id"),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains("job id is empty"), "{error}");
        }
    }
    assert!(server.sent().await.is_empty());
}
