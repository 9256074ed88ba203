//! Exports of a finished job, in every form.

use sqlflow_client::emulator::Fault;
use sqlflow_client::job::{DrawnLineage, FinishedJob};
use sqlflow_client::lineage::{Coverage, Endpoint, Object, Process, RelationType};
use sqlflow_client::{Client, Credentials, ErrorKind, Lineage, Vendor};

use super::{client_of, configured, requests_to, sqlflow};

const SQL: &str = "create view v as select t.a, count(t.b) as n from t where t.c > 1 group by t.a";

async fn done(sqlflow: &Client) -> FinishedJob {
    sqlflow.submit(Vendor::PostgreSql).sql("a.sql", SQL).await.unwrap().wait().await.unwrap()
}

#[tokio::test]
async fn an_export_has_the_same_bytes_in_memory_in_a_stream_and_in_a_file() {
    let (sqlflow, _emulator) = sqlflow().await;
    let done = done(&sqlflow).await;
    let export = || done.job().export_full_lineage_as_csv();
    let bytes = export().bytes().await.unwrap();
    let mut streamed = Vec::new();
    let mut stream = export().stream().await.unwrap();
    while let Some(piece) = stream.try_next().await.unwrap() {
        streamed.extend_from_slice(&piece);
    }
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("lineage.csv");
    let length = export().to_file(&path).await.unwrap();
    assert_eq!(bytes, streamed);
    assert_eq!(bytes, std::fs::read(&path).unwrap());
    assert_eq!(length, bytes.len() as u64);
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1, "something was left behind");
}

#[cfg(unix)]
#[tokio::test]
async fn the_permissions_of_a_file_follow_the_umask() {
    use std::os::unix::fs::PermissionsExt as _;
    let (sqlflow, _emulator) = sqlflow().await;
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("plain"), "").unwrap();
    done(&sqlflow).await.job().export_full_lineage_as_csv().to_file(home.path().join("out")).await.unwrap();
    let mode = |name| std::fs::metadata(home.path().join(name)).unwrap().permissions().mode();
    assert_eq!(mode("out"), mode("plain"));
}

#[tokio::test]
async fn diagram_and_full_lineage_have_the_same_column_relationships() {
    let (sqlflow, _emulator) = sqlflow().await;
    let done = done(&sqlflow).await;
    let flows = |lineage: &Lineage| lineage.column_flows().iter().map(ToString::to_string).collect::<Vec<_>>();
    let drawn = done.export_lineage_as_json().lineage().await.unwrap();
    let full = done.lineage().await.unwrap();
    assert_eq!(flows(&drawn), ["t.a → v.a"]);
    assert_eq!(flows(&drawn), flows(&full));
    assert_eq!(drawn.job_id(), Some(done.id().as_str()));
    assert_eq!((drawn.unknown_fields().len(), drawn.unresolved().count()), (0, 0));
}

#[tokio::test]
async fn diagram_options_take_effect() {
    let (sqlflow, _emulator) = sqlflow().await;
    let done = done(&sqlflow).await;
    let has =
        |lineage: &Lineage, wanted| lineage.relationships().any(|relationship| relationship.relation_type() == wanted);
    let plain = done.export_lineage_as_json().lineage().await.unwrap();
    assert!(!has(&plain, RelationType::Fdr));
    assert!(plain.objects().any(|object| object.is_intermediate()));
    let both = done.export_lineage_as_json().relation_types([RelationType::Fdd, RelationType::Fdr]);
    let both = both.lineage().await.unwrap();
    assert!(has(&both, RelationType::Fdr));
    let simple = done.export_lineage_as_json().simple_output(true).lineage().await.unwrap();
    assert!(!simple.objects().any(|object| object.is_intermediate()));
    let counted = done.export_lineage_as_json().treat_arguments_in_count_function_as_direct_dataflow(true);
    let counted = counted.lineage().await.unwrap();
    assert!(counted.column_flows().iter().any(|flow| flow.to_string() == "t.b → v.n"));
}

#[tokio::test]
async fn the_shortest_path_prints_every_flow_whatever_the_relation_limit_of_the_server() {
    let (sqlflow, emulator) = configured(|builder| builder.relation_limit(Some(1))).await;
    let done = sqlflow.submit(Vendor::PostgreSql).sql("a.sql", SQL).send().await.unwrap().wait().await.unwrap();
    for lineage in [done.lineage().await.unwrap(), done.job().lineage().await.unwrap()] {
        let flows: Vec<_> = lineage.column_flows().iter().map(ToString::to_string).collect();
        assert_eq!(flows, ["t.a → v.a"]);
    }
    assert_eq!(requests_to(&emulator, "exportLineageAsJson"), 0);
}

#[tokio::test]
async fn a_drawn_lineage_over_the_relation_limit_is_a_summary_and_no_whole_lineage() {
    let (sqlflow, _emulator) = configured(|builder| builder.relation_limit(Some(1))).await;
    let done = done(&sqlflow).await;
    let drawn = done.export_lineage_as_json().send().await.unwrap();
    let DrawnLineage::Summary(lineage) = &drawn else { panic!("{drawn:?}") };
    assert_eq!(lineage.relationships().len(), 0);
    assert!(lineage.summary().unwrap().relationships().unwrap() > 1);
    for error in [drawn.into_whole().unwrap_err(), done.export_lineage_as_json().lineage().await.unwrap_err()] {
        assert_eq!((error.kind(), error.job_id()), (ErrorKind::IncompleteLineage, Some(done.id())), "{error:?}");
    }
}

#[tokio::test]
async fn a_drawn_lineage_that_lost_its_record_sets_says_so() {
    let (sqlflow, _emulator) = configured(|builder| builder.relation_limit(Some(1))).await;
    let submit = sqlflow.submit(Vendor::PostgreSql).sql("a.sql", "create view v as select t.a from t");
    let done = submit.send().await.unwrap().wait().await.unwrap();
    let drawn = done.export_lineage_as_json().send().await.unwrap();
    assert!(matches!(drawn, DrawnLineage::WithoutRecordSets(_)), "{drawn:?}");
    assert_eq!(drawn.as_drawn().column_flows().len(), 1);
    assert_eq!(drawn.into_whole().unwrap_err().kind(), ErrorKind::IncompleteLineage);
    assert_eq!(done.lineage().await.unwrap().relationships().len(), 2);
}

#[tokio::test]
async fn a_server_without_the_full_export_gives_the_whole_drawn_lineage_or_an_error() {
    for limit in [None, Some(1)] {
        let (sqlflow, emulator) = configured(|builder| builder.relation_limit(limit)).await;
        let done = done(&sqlflow).await;
        emulator.inject(Fault::page(404).on("exportFullLineageAsJson"));
        match (limit, done.lineage().await) {
            (None, Ok(lineage)) => assert_eq!(lineage.column_flows().len(), 1),
            (Some(_), Err(error)) => assert_eq!(error.kind(), ErrorKind::IncompleteLineage, "{error:?}"),
            (limit, outcome) => panic!("{limit:?}: {outcome:?}"),
        }
        assert_eq!(requests_to(&emulator, "exportLineageAsJson"), 1);
    }
}

/// A view whose filter uses a column that it does not return.
const FILTER: &str = "create view open_orders as select o.id from orders o where o.status = 'open'";

#[tokio::test]
async fn the_impact_of_a_column_in_a_filter_is_known_if_the_job_was_submitted_for_impact() {
    let (sqlflow, emulator) = sqlflow().await;
    let submit = sqlflow.submit(Vendor::PostgreSql).sql("a.sql", FILTER).for_impact();
    let job = submit.send().await.unwrap();
    let done = job.wait().await.unwrap();
    let restarted = client_of(&emulator, Credentials::secret_key("ann", "any key"));
    let attached = restarted.job(job.id().clone()).wait().await.unwrap();
    let found = restarted.find_job(&emulator.jobs()[0].name).await.unwrap().unwrap();
    for lineage in [
        done.lineage().await.unwrap(),
        job.lineage().await.unwrap(),
        attached.lineage().await.unwrap(),
        attached.job().lineage().await.unwrap(),
        restarted.job(job.id().clone()).lineage().await.unwrap(),
        found.lineage().await.unwrap(),
        done.export_full_lineage_as_json().for_impact().send().await.unwrap(),
        done.export_lineage_as_json().for_impact().lineage().await.unwrap(),
    ] {
        for relation_type in RelationType::DEPENDENCIES {
            assert_eq!(lineage.coverage(&relation_type), Coverage::Included, "{relation_type}");
        }
        let impact = lineage.column("orders", "status").unwrap().impact();
        let objects: Vec<_> = impact.objects.iter().map(Object::qualified_name).collect();
        assert_eq!(objects, ["open_orders"]);
        let statements: Vec<_> = impact.statements.iter().map(Process::name).collect();
        assert_eq!(statements, ["Query Create View-1"]);
    }
}

#[tokio::test]
async fn a_job_that_was_not_submitted_for_impact_says_that_filters_were_not_requested() {
    let (sqlflow, _emulator) = sqlflow().await;
    let done = sqlflow.submit(Vendor::PostgreSql).sql("a.sql", FILTER).await.unwrap().wait().await.unwrap();
    let lineage = done.lineage().await.unwrap();
    for relation_type in [RelationType::Fdr, RelationType::Frd, RelationType::Join] {
        assert_eq!(lineage.coverage(&relation_type), Coverage::NotRequested, "{relation_type}");
    }
    let asked = done.export_full_lineage_as_json().for_impact().send().await.unwrap();
    assert_eq!(asked.coverage(&RelationType::Fdr), Coverage::Included);
}

/// Returns each relationship as the names of its ends, of which one is a process.
fn table_steps(lineage: &Lineage) -> Vec<String> {
    let name = |end: Endpoint<'_>| {
        let process = lineage.processes().find(|process| process.id() == end.id());
        process.map_or_else(|| end.table_name().unwrap().to_owned(), |process| format!("[{}]", process.name()))
    };
    let steps = lineage.relationships().flat_map(|relationship| {
        let target = name(relationship.target().unwrap());
        relationship.sources().map(move |source| format!("{} → {target}", name(source)))
    });
    steps.collect()
}

/// Returns the lineage between tables from every operation that has it.
async fn table_level_lineages(sqlflow: &Client, sql: &'static str) -> Vec<Lineage> {
    use sqlflow_client::api::types;
    let done = sqlflow.submit(Vendor::PostgreSql).sql("a.sql", sql).await.unwrap().wait().await.unwrap();
    let latest = types::DisplayUserLatestJobTableLevelLineageRequest::new();
    let mut direct = types::GenerateSqlflowTableLevelLineageGraphRequest::new(Vendor::PostgreSql);
    direct.sqltext = Some(sql.to_owned());
    let session = done.info().session_id.clone().unwrap();
    let mut selected = types::GenerateSelectedTableLevelLineageGraphRequest::new(Vendor::PostgreSql, session);
    selected.table = Some("t".to_owned());
    let api = sqlflow.api();
    vec![
        api.display_user_latest_job_table_level_lineage(&latest).await.unwrap().into_data().unwrap(),
        api.generate_sqlflow_table_level_lineage_graph(&direct).await.unwrap().into_data().unwrap(),
        api.generate_selected_table_level_lineage_graph(&selected).await.unwrap().into_data().unwrap(),
        done.export_lineage_as_json().table_to_table(true).lineage().await.unwrap(),
    ]
}

const INSERT: &str = "insert into t (a, b) select x, y from s";

#[tokio::test]
async fn table_level_operations_return_lineage_that_runs_through_processes() {
    let (sqlflow, _emulator) = sqlflow().await;
    for lineage in table_level_lineages(&sqlflow, INSERT).await {
        assert_eq!(table_steps(&lineage), ["s → [Query Insert-1]", "[Query Insert-1] → t"]);
        assert_eq!((lineage.unknown_fields().len(), lineage.unresolved().count()), (0, 0));
    }
}

#[tokio::test]
async fn flows_between_objects_are_found_at_table_level() {
    let (sqlflow, _emulator) = sqlflow().await;
    for lineage in table_level_lineages(&sqlflow, INSERT).await {
        let flows: Vec<_> = lineage.object_flows().iter().map(ToString::to_string).collect();
        assert_eq!(flows, ["s → t"]);
    }
}

#[tokio::test]
async fn lineage_from_the_generated_client_knows_which_relation_types_were_requested() {
    use sqlflow_client::api::{File, types};
    let (sqlflow, _emulator) = sqlflow().await;
    done(&sqlflow).await;
    for (relation_types, expected) in [(None, Coverage::NotRequested), (Some("fdd,fdr"), Coverage::Included)] {
        let relation_types = relation_types.map(|list| list.split(',').map(RelationType::from).collect());
        let mut form = types::GenerateSqlflowRequest::new(Vendor::PostgreSql);
        form.show_relation_type.clone_from(&relation_types);
        let upload = sqlflow.api().upload(&form, [File::new("a.sql", INSERT)]).await;
        form.sqltext = Some(INSERT.to_owned());
        let mut anonymous = types::AnonymousLineageRequest::new(Vendor::PostgreSql, INSERT);
        anonymous.show_relation_type.clone_from(&relation_types);
        for lineage in [
            upload.unwrap().into_data().unwrap(),
            sqlflow.api().generate_sqlflow(&form).await.unwrap().into_data().unwrap(),
            sqlflow.api().anonymous_lineage(&anonymous).await.unwrap().into_data().unwrap(),
        ] {
            assert_eq!(lineage.coverage(&RelationType::Fdr), expected);
        }
    }
    let latest = types::DisplayUserLatestJobTableLevelLineageRequest::new();
    let tables = sqlflow.api().display_user_latest_job_table_level_lineage(&latest).await.unwrap();
    let unknown = tables.into_data().unwrap().coverage(&RelationType::Fdr);
    assert_eq!(unknown, Coverage::Unknown, "the operation does not take relation types");
}

#[tokio::test]
async fn an_export_of_a_missing_job_is_an_error_in_every_form() {
    let (sqlflow, _emulator) = sqlflow().await;
    let job = sqlflow.job("0123456789abcdef0123456789abcdef");
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("out");
    for error in [
        job.export_lineage_as_json().lineage().await.unwrap_err(),
        job.export_full_lineage_as_json().await.unwrap_err(),
        job.export_full_lineage_as_csv().bytes().await.unwrap_err(),
        job.export_lineage_as_graphml().stream().await.unwrap_err(),
        job.export_full_lineage_as_csv().to_file(&path).await.unwrap_err(),
    ] {
        assert_eq!(error.job_id(), Some(job.id()));
        assert_eq!((error.kind(), error.code()), (ErrorKind::JobNotFound, Some(404)), "{error:?}");
        assert!(error.operation().is_some_and(|operation| operation.starts_with("export")), "{error:?}");
    }
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "something was left behind");
    let error = job.lineage().await.unwrap_err();
    assert_eq!((error.kind(), error.job_id()), (ErrorKind::JobNotFound, Some(job.id())), "{error:?}");
}

#[tokio::test]
async fn an_empty_job_id_is_refused_instead_of_meaning_the_latest_job() {
    let (sqlflow, emulator) = sqlflow().await;
    done(&sqlflow).await;
    let before = emulator.requests().len();
    let error = sqlflow.job("").lineage().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(emulator.requests().len(), before);
}

#[tokio::test]
async fn direct_analysis_goes_through_the_generated_client() {
    use sqlflow_client::api::{File, types};
    let (sqlflow, _emulator) = sqlflow().await;
    let mut form = types::GenerateSqlflowRequest::new(Vendor::PostgreSql);
    form.sqltext = Some(SQL.to_owned());
    let from_text = sqlflow.api().generate_sqlflow(&form).await.unwrap().into_data().unwrap();
    let form = types::GenerateSqlflowRequest::new(Vendor::PostgreSql);
    let from_file = sqlflow.api().upload(&form, [File::new("a.sql", SQL)]).await.unwrap().into_data().unwrap();
    assert_eq!(from_text.column_flows().len(), 1);
    assert_eq!(from_text, from_file);

    let form = types::AnonymousLineageRequest::new(Vendor::PostgreSql, SQL);
    let anonymous = sqlflow.api().anonymous_lineage(&form).await.unwrap().into_data().unwrap();
    assert_eq!(anonymous.column_flows().len(), 1);

    let form = types::CheckSyntaxRequest::new(Vendor::PostgreSql, "selekt");
    let check = sqlflow.api().check_syntax(&form).await.unwrap().into_inner();
    assert!(!check.is_success());
    assert!(!check.data.unwrap().errors.is_empty());
}

#[tokio::test]
async fn an_operation_that_the_emulator_does_not_implement_says_so() {
    let (sqlflow, _emulator) = sqlflow().await;
    let form = sqlflow_client::api::types::DisplayUserSchemaSummaryRequest::new();
    let error = sqlflow.api().display_user_schema_summary(&form).await.unwrap().into_data().unwrap_err();
    assert!(error.to_string().contains("displayUserSchemaSummary"), "{error}");
}

#[tokio::test]
async fn a_document_with_trailing_spaces_is_complete() {
    let (sqlflow, emulator) = sqlflow().await;
    let done = done(&sqlflow).await;
    let plain = done.export_lineage_as_graphml().bytes().await.unwrap();
    emulator.inject(Fault::bomb(1_000_000));
    let padded = done.export_lineage_as_graphml().bytes().await.unwrap();
    assert_eq!(padded.len(), 1_000_000);
    assert_eq!(padded.trim_ascii_end(), plain.trim_ascii_end());
    assert_eq!(requests_to(&emulator, "exportLineageAsGraphml"), 2);
}

#[cfg(unix)]
#[tokio::test]
async fn a_replaced_file_keeps_its_permissions_and_links_to_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let (sqlflow, _emulator) = sqlflow().await;
    let home = tempfile::tempdir().unwrap();
    let (file, link) = (home.path().join("private.csv"), home.path().join("link.csv"));
    std::fs::write(&file, "old").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    done(&sqlflow).await.export_full_lineage_as_csv().to_file(&link).await.unwrap();
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(std::fs::read_to_string(&file).unwrap().starts_with("source_db"));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[cfg(unix)]
#[tokio::test]
async fn only_regular_files_are_replaced() {
    let (sqlflow, emulator) = sqlflow().await;
    let done = done(&sqlflow).await;
    let before = emulator.requests().len();
    let error = done.export_full_lineage_as_csv().to_file("/dev/null").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("/dev/null"), "{error}");
    assert_eq!(emulator.requests().len(), before);
}
