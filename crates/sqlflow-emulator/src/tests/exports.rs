//! Exports of the lineage of a job.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_unfinished_job_has_no_exports() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let id = server.submit(&token, &[("a.sql", INSERT.as_bytes())]).await;
    for operation in ["exportLineageAsJson", "exportFullLineageAsCsv", "exportLineageAsGraphml"] {
        let response = server.export(operation, &token, &id, &[]).await.json();
        assert_eq!(response["code"], 409);
        assert!(response["error"].as_str().unwrap().contains("has not finished"), "{response}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_export_of_a_failed_job_returns_the_reason() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on("selec 1").await;
    let response = server.export("exportFullLineageAsCsv", &token, &id, &[]).await.json();
    assert_eq!(response["code"], 409);
    assert!(response["error"].as_str().unwrap().contains("a.sql: Expected"), "{response}");
}

/// Collects the name of everything in a model that has an id, by id.
fn ids(value: &Value, found: &mut std::collections::HashMap<String, String>) {
    match value {
        Value::Object(fields) => {
            if let (Some(id), Some(name)) =
                (fields.get("id").and_then(Value::as_str), fields.get("name").and_then(Value::as_str))
            {
                found.insert(id.to_owned(), name.to_owned());
            }
            fields.values().for_each(|field| ids(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| ids(item, found)),
        _ => {}
    }
}

#[tokio::test(start_paused = true)]
async fn the_references_in_a_drawn_lineage_are_valid() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on(INSERT).await;
    let response = server.export("exportLineageAsJson", &token, &id, &[("showRelationType", "fdd,fdr")]).await.json();
    assert_eq!((&response["code"], &response["jobId"]), (&json!(200), &json!(id)));
    assert!(response["sessionId"].as_str().unwrap().contains('_'));
    let data = &response["data"];
    assert_eq!(data["mode"], "global");
    let mut known = std::collections::HashMap::new();
    ids(&data["sqlflow"]["dbobjs"], &mut known);
    let relationships = data["sqlflow"]["relationships"].as_array().unwrap();
    assert!(!relationships.is_empty());
    for relationship in relationships {
        let ends = relationship["sources"].as_array().unwrap().iter().chain([&relationship["target"]]);
        for end in ends {
            assert!(known.contains_key(end["id"].as_str().unwrap()), "{end}");
            assert!(known.contains_key(end["parentId"].as_str().unwrap()), "{end}");
            assert_eq!(end["coordinates"].as_array().unwrap().len(), 2);
        }
    }
    assert_eq!(data["summary"]["table"], 2);
    assert_eq!(data["summary"]["column"], 5);
    assert_eq!(data["summary"]["relationship"], relationships.len());
    let graph = &data["graph"];
    for edge in graph["elements"]["edges"].as_array().unwrap() {
        let [relation, kind] = graph["relationshipIdMap"][edge["id"].as_str().unwrap()].as_array().unwrap().as_slice()
        else {
            panic!("{graph}")
        };
        assert!(
            relationships.iter().any(|relationship| relationship["id"] == *relation && relationship["type"] == *kind)
        );
        for end in ["sourceId", "targetId"] {
            let element = &graph["listIdMap"][edge[end].as_str().unwrap()][0];
            assert!(known.contains_key(element.as_str().unwrap()));
        }
    }
}

fn pairs(response: &Value) -> Vec<String> {
    let relationships = response["data"]["sqlflow"]["relationships"].as_array().unwrap();
    let name = |end: &Value| {
        let table = end.get("parentName").or(end.get("sourceName")).or(end.get("targetName")).unwrap();
        end.get("column").map_or_else(
            || table.as_str().unwrap().to_owned(),
            |column| format!("{}.{}", table.as_str().unwrap(), column.as_str().unwrap()),
        )
    };
    let written = relationships.iter().map(|relationship| {
        let sources: Vec<String> = relationship["sources"].as_array().unwrap().iter().map(name).collect();
        format!(
            "{} {} -> {}",
            relationship["type"].as_str().unwrap(),
            sources.join(", "),
            name(&relationship["target"])
        )
    });
    written.collect()
}

#[tokio::test(start_paused = true)]
async fn options_hide_intermediate_results() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on(INSERT).await;
    let export = async |options: &[(&str, &str)]| {
        pairs(&server.export("exportLineageAsJson", &token, &id, options).await.json())
    };
    assert_eq!(
        export(&[]).await,
        [
            "fdd S.X -> INSERT-SELECT-1.X",
            "fdd S.Y -> UPPER.UPPER",
            "fdd UPPER.UPPER -> INSERT-SELECT-1.UPPER(Y)",
            "fdd INSERT-SELECT-1.X -> T.A",
            "fdd INSERT-SELECT-1.UPPER(Y) -> T.B",
        ]
    );
    assert_eq!(export(&[("ignoreFunction", "true")]).await[1], "fdd S.Y -> INSERT-SELECT-1.UPPER(Y)");
    assert_eq!(export(&[("simpleOutput", "true")]).await, ["fdd S.X -> T.A", "fdd S.Y -> T.B"]);
    assert_eq!(export(&[("simpleOutput", "true"), ("showRelationType", "fdr")]).await, ["fdr S.Z -> T.RelationRows"]);
    assert_eq!(
        export(&[("tableToTable", "true")]).await,
        ["fdd S -> Query Insert-1", "fdd Query Insert-1 -> T"],
        "between tables, a statement is in between"
    );
    assert_eq!(export(&[("simpleOutput", "true"), ("table", "t"), ("column", "b")]).await, ["fdd S.Y -> T.B"]);
    assert_eq!(export(&[("table", "nosuch")]).await, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_query_on_its_own_keeps_its_result() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on("select a from (select b a from t) q").await;
    let response = server.export("exportLineageAsJson", &token, &id, &[("ignoreRecordSet", "true")]).await.json();
    assert_eq!(pairs(&response), ["fdd T.B -> RS-1.A"]);
}

#[tokio::test(start_paused = true)]
async fn the_arguments_of_a_count_flow_if_requested() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on("insert into t (n) select count(y) from s").await;
    let simple = ("simpleOutput", "true");
    let export = async |options: &[(&str, &str)]| {
        pairs(&server.export("exportLineageAsJson", &token, &id, options).await.json())
    };
    assert_eq!(export(&[simple]).await, Vec::<String>::new());
    assert_eq!(export(&[simple, ("treatArgumentsInCountFunctionAsDirectDataflow", "true")]).await, ["fdd S.Y -> T.N"]);
}

#[tokio::test(start_paused = true)]
async fn constants_are_shown_on_request() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on("insert into t (a) select 1 from s").await;
    let export = async |options: &[(&str, &str)]| {
        pairs(&server.export("exportLineageAsJson", &token, &id, options).await.json())
    };
    assert_eq!(export(&[]).await, ["fdd INSERT-SELECT-1.1 -> T.A"]);
    assert_eq!(export(&[("showConstantTable", "true")]).await[0], "fdd SQL_CONSTANTS.1 -> INSERT-SELECT-1.1");
}

#[tokio::test(start_paused = true)]
async fn a_lineage_above_the_limit_is_only_outlined() {
    let server = server(Emulator::builder().relation_limit(Some(1)));
    let (token, id) = server.job_on(INSERT).await;
    let data = server.export("exportLineageAsJson", &token, &id, &[]).await.json()["data"].clone();
    assert_eq!(data["mode"], "summary");
    assert_eq!(data["summary"]["relationship"], 5);
    assert!(data.get("graph").is_none() && data["sqlflow"].get("relationships").is_none());
    let tables = &data["sqlflow"]["dbobjs"]["servers"][0]["databases"][0]["schemas"][0]["tables"];
    assert_eq!(tables.as_array().unwrap().len(), 2);
    assert!(tables[0].get("columns").is_none());
    let refused = server.export("exportLineageAsGraphml", &token, &id, &[]).await.json();
    assert!(refused["error"].as_str().unwrap().starts_with("The number of relationships in this task is too large"));
    let full = server.export("exportFullLineageAsJson", &token, &id, &[]).await.json();
    assert_eq!(full["data"]["relationships"].as_array().unwrap().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn record_sets_are_left_out_of_a_lineage_that_is_then_within_the_limit() {
    let server = server(Emulator::builder().relation_limit(Some(1)));
    let (token, id) = server.job_on("create view v as select a from t").await;
    let response = server.export("exportLineageAsJson", &token, &id, &[]).await.json();
    assert_eq!(response["data"]["mode"], "ignoreRecordSet");
    assert_eq!(pairs(&response), ["fdd T.A -> V.A"]);
    assert!(!response["data"]["graph"]["elements"]["edges"].as_array().unwrap().is_empty());
    let full = server.export("exportFullLineageAsJson", &token, &id, &[]).await.json();
    assert_eq!(full["data"]["relationships"].as_array().unwrap().len(), 2);
}

/// Returns the ends of all relationships of a response as ids, sources first.
fn id_pairs(data: &Value) -> Vec<(String, String)> {
    let id = |end: &Value| end["id"].as_str().unwrap().to_owned();
    let relationships = data["sqlflow"]["relationships"].as_array().unwrap().iter();
    let pairs = relationships.flat_map(|relationship| {
        let target = id(&relationship["target"]);
        relationship["sources"].as_array().unwrap().iter().map(move |source| (id(source), target.clone()))
    });
    pairs.collect()
}

#[tokio::test(start_paused = true)]
async fn table_level_lineage_runs_from_tables_to_a_process_and_from_the_process_to_a_table() {
    let server = server(Emulator::builder());
    let sql =
        "insert into t (a, b) select x, y from s; insert into u (a) select a from t; insert into u (a) select a from u";
    let (token, id) = server.job_on(sql).await;
    let session = server.export("exportLineageAsJson", &token, &id, &[]).await.json()["sessionId"].clone();
    let user = [("userId", "ann"), ("token", token.as_str()), ("dbvendor", "dbvoracle")];
    let of = async |path: &str, more: &[(&str, &str)]| {
        let response = server.form(path, &[&user[..], more].concat()).await.json();
        assert_eq!(response["code"], 200, "{response}");
        response["data"].clone()
    };
    let latest = of("/sqlflow/job/displayUserLatestJobTableLevelLineage", &[]).await;
    assert_eq!(latest["mode"], "global");
    let mut known = std::collections::HashMap::new();
    ids(&latest["sqlflow"], &mut known);
    let processes: Vec<_> = latest["sqlflow"]["processes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|process| process["id"].as_str().unwrap())
        .collect();
    let steps = id_pairs(&latest);
    for (source, target) in &steps {
        assert!(known.contains_key(source) && known.contains_key(target), "{source} -> {target}");
        let ends = [source, target].map(|end| processes.contains(&end.as_str()));
        assert_eq!(ends.iter().filter(|is_process| **is_process).count(), 1, "{source} -> {target}");
    }
    let named: Vec<_> = steps.iter().map(|(source, target)| (known[source].as_str(), known[target].as_str())).collect();
    assert_eq!(
        named,
        [("s", "Query Insert-1"), ("Query Insert-1", "t"), ("t", "Query Insert-2"), ("Query Insert-2", "u")],
        "lineage from a table to itself is left out"
    );
    let unique: std::collections::HashSet<_> =
        latest["sqlflow"]["relationships"].as_array().unwrap().iter().map(|relationship| &relationship["id"]).collect();
    assert_eq!((unique.len(), &latest["summary"]["relationship"]), (4, &json!(4)));

    let graph = "/sqlflow/generation/sqlflow/graph/table_level_lineage";
    assert_eq!(of(graph, &[("jobId", id.as_str())]).await["sqlflow"], latest["sqlflow"]);
    assert_eq!(id_pairs(&of(graph, &[("sqltext", sql)]).await).len(), 4);
    assert_eq!(id_pairs(&of(graph, &[("sqltext", sql), ("ignoreSelfLineage", "false")]).await).len(), 6);
    let selected = "/sqlflow/generation/sqlflow/selectedgraph/table_level_lineage";
    let of_s = of(selected, &[("sessionId", session.as_str().unwrap()), ("table", "t"), ("column", "b")]).await;
    assert_eq!(id_pairs(&of_s).len(), 2, "nothing reads t.b: {of_s}");
    let missing = [("sessionId", "none")];
    assert_eq!(server.form(selected, &[&user[..], &missing].concat()).await.json()["code"], 404);
}

#[tokio::test(start_paused = true)]
async fn an_export_without_a_job_id_uses_the_latest_job() {
    let server = server(Emulator::builder());
    let (token, _) = server.job_on(INSERT).await;
    let (_, latest) = server.job_on("select 1 from u").await;
    let response = server.export("exportLineageAsJson", &token, "", &[]).await.json();
    assert_eq!(response["jobId"], latest.as_str());
}

#[tokio::test(start_paused = true)]
async fn a_partial_success_comes_with_its_warnings() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on("select a from t; selec b; selec c").await;
    let response = server.export("exportLineageAsJson", &token, &id, &[]).await.json();
    assert_eq!(response["code"], 203);
    assert_eq!(response["error"].as_str().unwrap().lines().count(), 2);
    assert_eq!(response["data"]["sqlflow"]["errors"][0]["errorType"], "SyntaxError");
    assert_eq!(response["data"]["mode"], "global");
}

#[tokio::test(start_paused = true)]
async fn a_csv_export_is_a_file() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on(INSERT).await;
    let response = server.export("exportFullLineageAsCsv", &token, &id, &[]).await;
    assert_eq!(response.headers[header::CONTENT_TYPE], "text/csv;charset=utf-8");
    assert!(response.headers[header::CONTENT_DISPOSITION].to_str().unwrap().starts_with("attachment; filename="));
    assert_eq!(
        response.body,
        "source_db,source_schema,source_table,source_column,target_db,target_schema,target_table,target_column,relation_type,effect_type\n\
         DEFAULT,DEFAULT,s,x,DEFAULT,DEFAULT,t,a,fdd,insert\n\
         DEFAULT,DEFAULT,s,y,DEFAULT,DEFAULT,t,b,fdd,insert\n"
    );
    let tables =
        server.export("exportFullLineageAsCsv", &token, &id, &[("tableToTable", "true"), ("delimiter", "|")]).await;
    assert!(tables.body.ends_with("\nDEFAULT|DEFAULT|s|DEFAULT|DEFAULT|t|fdd|insert\n"), "{}", tables.body);
}

#[tokio::test(start_paused = true)]
async fn graphml_has_a_node_for_each_column_and_an_edge_for_each_flow() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on("create view v as select \"a<b\" from t").await;
    let response = server.export("exportLineageAsGraphml", &token, &id, &[("simpleOutput", "true")]).await;
    assert!(response.headers[header::CONTENT_DISPOSITION].to_str().unwrap().contains(".graphml"));
    let xml = response.body;
    assert!(xml.starts_with("<?xml") && xml.ends_with("</graphml>\n"));
    assert_eq!(xml.matches("<y:ShapeNode>").count(), 2, "{xml}");
    assert_eq!(xml.matches("yfiles.foldertype=\"group\"").count(), 2);
    assert_eq!(xml.matches("<edge ").count(), 1);
    assert!(xml.contains(">a&lt;b</y:NodeLabel>"));
    for tag in ["node", "graph", "edge", "data", "y:ProxyAutoBoundsNode", "y:ShapeNode"] {
        let opened = xml.matches(&format!("<{tag}>")).count() + xml.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, xml.matches(&format!("</{tag}>")).count(), "{tag}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_left_most_sources_are_those_nothing_flows_into() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on("create view v as select a from t; create view w as select a b from v").await;
    let csv = server.export("leftMostSourceTableAsCsv", &token, &id, &[("tableNamePattern", "W")]).await.body;
    assert_eq!(csv.lines().nth(1), Some("DEFAULT,DEFAULT,t,a,DEFAULT,DEFAULT,w,b"));
    assert_eq!(csv.lines().count(), 2);
    let json = server.export("leftMostSourceTable", &token, &id, &[("tableColumn", "B")]).await.json();
    assert_eq!(json["data"][0]["leftMostSources"][0]["table"], "t");
    let refused = server.export("leftMostSourceTable", &token, &id, &[("tableNamePattern", "(")]).await.json();
    assert_eq!(refused["code"], 400);
}

#[tokio::test(start_paused = true)]
async fn the_pseudo_table_of_orphans_is_not_counted() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on("create view v as select c from t, u").await;
    let data = server.export("exportLineageAsJson", &token, &id, &[]).await.json()["data"].clone();
    assert_eq!((&data["summary"]["table"], &data["summary"]["column"]), (&json!(2), &json!(1)));
    let shelf = &data["sqlflow"]["dbobjs"]["servers"][0]["databases"][0]["schemas"][0];
    let others: Vec<&Value> = shelf["others"].as_array().unwrap().iter().map(|object| &object["type"]).collect();
    assert!(others.contains(&&json!("pseudoTable")), "{others:?}");
    assert_eq!(shelf["tables"].as_array().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_processes_of_a_selection_are_counted() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on("insert into t (a) select x from s; insert into u (a) select x from w").await;
    let response = server.export("exportLineageAsJson", &token, &id, &[("table", "u")]).await.json();
    assert_eq!(response["data"]["summary"]["process"], 1);
    assert_eq!(response["data"]["sqlflow"]["processes"].as_array().unwrap().len(), 1);
    let whole = server.export("exportLineageAsJson", &token, &id, &[]).await.json();
    assert_eq!(whole["data"]["summary"]["process"], 2);
}

#[tokio::test(start_paused = true)]
async fn foreign_keys_are_shown_as_such_on_request_and_are_no_sources() {
    let server = server(Emulator::builder());
    let sql = "create table d (id int primary key); create table e (d_id int references d(id));";
    let (token, id) = server.job_on(sql).await;
    let export = async |types| {
        pairs(&server.export("exportLineageAsJson", &token, &id, &[("showRelationType", types)]).await.json())
    };
    assert_eq!(export("fdd").await, ["fdd D.ID -> E.D_ID"]);
    assert_eq!(export("er").await, ["er D.ID -> E.D_ID"]);
    assert_eq!(server.export("leftMostSourceTable", &token, &id, &[]).await.json()["data"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn a_graph_without_sql_is_that_of_the_job() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on(INSERT).await;
    let fields = [("userId", "ann"), ("token", token.as_str()), ("jobId", id.as_str())];
    let response = server.form("/sqlflow/generation/sqlflow/graph", &fields).await.json();
    assert_eq!((&response["code"], &response["jobId"]), (&json!(200), &json!(id)));
    assert_eq!(response["data"]["mode"], "global");
    let with_sql = [&fields[..], &[("sqltext", "select a from other")]].concat();
    let response = server.form("/sqlflow/generation/sqlflow/graph", &with_sql).await.json();
    assert!(response.get("jobId").is_none() && response.to_string().contains("other"), "{response}");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_relationship_type_is_refused() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on(INSERT).await;
    let response = server.export("exportLineageAsJson", &token, &id, &[("showRelationType", "fdd,nope")]).await.json();
    assert_eq!(response["code"], 400);
    assert!(response["error"].as_str().unwrap().contains("'showRelationType'"), "{response}");
}
