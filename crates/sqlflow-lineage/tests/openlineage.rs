//! Lineage as OpenLineage events, validated against the schemas that the project publishes.

mod hostile;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};
use std::{fs, io};

use jsonschema::{Registry, Validator};
use serde_json::{Value, json};
use sqlflow_lineage::RelationType::{Fdd, Fdr};
use sqlflow_lineage::{Lineage, OpenLineage};

use self::hostile::hostile;

/// The published schemas, by `$id`.
struct PublishedSchemas(BTreeMap<String, Value>);

impl PublishedSchemas {
    fn read() -> Self {
        let directory = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/openlineage"));
        let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        let schemas = files.filter(|path| path.extension().is_some_and(|it| it == "json")).map(|path| {
            let schema: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
            (schema["$id"].as_str().unwrap().to_owned(), schema)
        });
        Self(schemas.collect())
    }

    fn validator(&self, id: &str) -> Validator {
        let mut registry = Registry::new();
        for (id, schema) in &self.0 {
            registry = registry.add(id, schema).unwrap();
        }
        let registry = registry.prepare().unwrap();
        let schema = self.0.get(id).unwrap_or_else(|| panic!("{id} is not a published schema"));
        jsonschema::options().with_registry(&registry).should_validate_formats(true).build(schema).unwrap()
    }

    /// Returns every violation of the schemas by an event.
    fn violations(&self, event: &Value) -> Vec<String> {
        let errors = |id: &str, value: &Value| -> Vec<String> {
            self.validator(id).iter_errors(value).map(|error| format!("{id}: {error}")).collect()
        };
        let (id, pointer) = event["schemaURL"].as_str().unwrap().split_once('#').unwrap();
        assert!(self.0[id].pointer(pointer).is_some(), "{pointer} is not in {id}");
        let mut violations = errors(id, event);
        let datasets = ["inputs", "outputs"].iter().flat_map(|list| event[*list].as_array().unwrap());
        let parts = datasets.chain([&event["run"], &event["job"]]);
        for (name, facet) in parts.filter_map(|part| part["facets"].as_object()).flatten() {
            let (id, pointer) = facet["_schemaURL"].as_str().unwrap().split_once('#').unwrap();
            assert!(self.0[id].pointer(pointer).is_some(), "{pointer} is not in {id}");
            assert!(self.0[id]["properties"].get(name).is_some(), "{id} has no property {name}");
            violations.extend(errors(id, &json!({ name: facet })));
        }
        violations
    }
}

fn written(event: &OpenLineage<'_>) -> Value {
    let mut bytes = Vec::new();
    event.write(&mut bytes).unwrap();
    assert_eq!(bytes.iter().position(|byte| *byte == b'\n'), Some(bytes.len() - 1), "the event is not one line");
    serde_json::from_slice(&bytes).unwrap()
}

fn model(objects: &Value, relationships: &Value) -> Lineage {
    json!({ "dbvendor": "dbvpostgresql", "dbobjs": objects, "relationships": relationships })
        .to_string()
        .parse()
        .unwrap()
}

/// Returns an object whose columns have ids made from its own id: `t.a`.
fn object(id: &str, kind: &str, columns: &[&str]) -> Value {
    let columns: Vec<Value> = columns
        .iter()
        .map(|name| {
            let source = if *name == "RelationRows" { "system" } else { "" };
            json!({ "id": format!("{id}.{name}"), "name": name, "source": source })
        })
        .collect();
    json!({ "id": id, "name": id, "type": kind, "columns": columns })
}

fn flow(kind: &str, effect: &str, sources: &[(&str, &str)], target: &str) -> Value {
    let sources: Vec<Value> = sources.iter().map(|(id, clause)| json!({ "id": id, "clauseType": clause })).collect();
    json!({
        "id": format!("{kind} {target} {}", sources.len()), "type": kind, "effectType": effect,
        "target": { "id": target }, "sources": sources,
    })
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|dataset| dataset["name"].as_str().unwrap()).collect()
}

/// Returns the column lineage of an output: `target <- source TYPE SUBTYPE`, sorted, and then `* <- …` for the rows.
fn columns(event: &Value, output: &str) -> Vec<String> {
    let outputs = event["outputs"].as_array().unwrap();
    let facet = &outputs.iter().find(|dataset| dataset["name"] == output).unwrap()["facets"]["columnLineage"];
    let described = |target: &str, inputs: &Value| -> Vec<String> {
        let mut lines = Vec::new();
        for input in inputs.as_array().into_iter().flatten() {
            let part = |of: &str| input[of].as_str().unwrap().to_owned();
            let kinds = input["transformations"].as_array().unwrap().iter().map(|transformation| {
                let part = |of: &str| transformation[of].as_str().unwrap_or("-").to_owned();
                format!("{} {}", part("type"), part("subtype"))
            });
            let kinds: Vec<String> = kinds.collect();
            lines.push(format!("{target} <- {}.{} {}", part("name"), part("field"), kinds.join(", ")));
        }
        lines
    };
    let fields = facet["fields"].as_object().into_iter().flatten();
    let mut all: Vec<String> = fields.flat_map(|(name, field)| described(name, &field["inputFields"])).collect();
    all.sort();
    all.extend(described("*", &facet["dataset"]));
    all
}

fn fixture(name: &str) -> Lineage {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/lineage")).join(name);
    Lineage::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn every_event_is_valid_by_the_published_schemas() {
    let schemas = PublishedSchemas::read();
    let all = ["layout_a", "layout_b", "layout_c1", "layout_c2", "routines", "summary", "layout_a_as_tree"];
    let mut lineages: Vec<Lineage> = all.iter().map(|name| fixture(&format!("{name}.json"))).collect();
    lineages.push(hostile());
    lineages.push(with_errors());
    lineages.push(on_named_servers());
    for lineage in &lineages {
        let event = written(&lineage.openlineage());
        assert_eq!(schemas.violations(&event), [""; 0], "{event:#}");
        for object in lineage.objects().take(5) {
            for event in [object.upstream().openlineage(), object.downstream().over([Fdd, Fdr]).openlineage()] {
                assert_eq!(schemas.violations(&written(&event)), [""; 0]);
            }
        }
    }
}

#[test]
fn the_schemas_reject_invalid_events() {
    let schemas = PublishedSchemas::read();
    let lineage = fixture("layout_c1.json");
    let valid = written(&lineage.openlineage());
    let assert_rejected = |path: &str, value: Value| {
        let mut event = valid.clone();
        *event.pointer_mut(path).unwrap() = value;
        assert_ne!(schemas.violations(&event), [""; 0], "{path}");
    };
    assert_rejected("/run/runId", json!("no uuid"));
    assert_rejected("/eventTime", json!("yesterday"));
    assert_rejected("/producer", json!("not a uri"));
    assert_rejected("/eventType", json!("DONE"));
    assert_rejected("/outputs/0/facets/schema/_producer", Value::Null);
    assert_rejected("/outputs/0/facets/columnLineage/fields/region/inputFields/0/field", Value::Null);
    assert_rejected("/outputs/0/facets/columnLineage/dataset/0/transformations/0/type", Value::Null);
}

#[test]
fn values_are_the_lineage_of_columns_and_filters_and_joins_that_of_rows() {
    for name in ["layout_b.json", "layout_c1.json", "layout_c2.json"] {
        let event = written(&fixture(name).openlineage());
        assert_eq!(names(&event["inputs"]), ["sales.customers", "sales.orders"]);
        assert_eq!(names(&event["outputs"]), ["sales.report"]);
        assert_eq!(
            columns(&event, "sales.report"),
            [
                "region <- sales.customers.region DIRECT IDENTITY",
                "total <- sales.orders.amount DIRECT AGGREGATION",
                "* <- sales.orders.amount INDIRECT FILTER",
                "* <- sales.orders.customer_id INDIRECT JOIN",
            ]
        );
        let sum = &event["outputs"][0]["facets"]["columnLineage"]["fields"]["total"]["inputFields"][0];
        assert_eq!(sum["transformations"][0]["description"], "sum");
        assert_eq!(sum["transformations"][0].get("masking"), None);
        assert_eq!(event["inputs"][1]["facets"]["schema"]["fields"][0], json!({ "name": "amount", "type": "number" }));
        assert_eq!(event["outputs"][0]["facets"]["datasetType"]["datasetType"], "TABLE");
    }
}

#[test]
fn one_column_can_be_both_the_value_and_the_condition_of_another() {
    let lineage = model(
        &json!([
            object("t", "table", &["a", "b", "c", "RelationRows"]),
            object("case-when", "function", &["case-when"]),
            object("md5", "function", &["md5"]),
            object("v", "view", &["x", "hash", "n"]),
        ]),
        &json!([
            flow("fdd", "function", &[("t.a", "")], "case-when.case-when"),
            flow("fdr", "function", &[("t.a", ""), ("t.b", "")], "case-when.case-when"),
            flow("fdd", "create_view", &[("case-when.case-when", "")], "v.x"),
            flow("fdd", "function", &[("t.c", "")], "md5.md5"),
            flow("fdd", "create_view", &[("md5.md5", "")], "v.hash"),
            flow("frd", "create_view", &[("t.RelationRows", "")], "v.n"),
        ]),
    );
    let event = written(&lineage.openlineage());
    assert_eq!(
        columns(&event, "v"),
        [
            "hash <- t.c DIRECT TRANSFORMATION",
            "x <- t.a DIRECT TRANSFORMATION, INDIRECT CONDITIONAL",
            "x <- t.b INDIRECT CONDITIONAL"
        ]
    );
    let facet = &event["outputs"][0]["facets"]["columnLineage"];
    assert_eq!(facet["fields"]["hash"]["inputFields"][0]["transformations"][0]["masking"], true);
    assert!(facet["fields"].get("n").is_none(), "a record set is not a field");
    assert_eq!(names(&event["inputs"]), ["t"]);
}

#[test]
fn columns_that_decide_the_rows_are_listed_once_with_their_clause() {
    let lineage = model(
        &json!([
            object("t", "table", &["a", "b"]),
            object("RS-1", "select_list", &["a", "RelationRows"]),
            object("u", "table", &["x", "RelationRows"]),
        ]),
        &json!([
            flow("fdd", "select", &[("t.a", "")], "RS-1.a"),
            flow("fdr", "select", &[("t.b", "where"), ("t.a", "orderby")], "RS-1.RelationRows"),
            flow("fdd", "insert", &[("RS-1.a", "")], "u.x"),
            flow("fdr", "insert", &[("RS-1.RelationRows", "")], "u.RelationRows"),
        ]),
    );
    assert_eq!(
        columns(&written(&lineage.openlineage()), "u"),
        ["x <- t.a DIRECT IDENTITY", "* <- t.a INDIRECT SORT", "* <- t.b INDIRECT FILTER"]
    );
}

#[test]
fn foreign_keys_and_joins_write_nothing_but_a_join_before_a_write_decides_it() {
    let lineage = model(
        &json!([
            object("dept", "table", &["id"]),
            object("emp", "table", &["dept", "name"]),
            object("RS-1", "select_list", &["dept"]),
            object("v", "view", &["dept"]),
        ]),
        &json!([
            flow("fdd", "foreign_key", &[("dept.id", "")], "emp.dept"),
            flow("join", "join", &[("emp.dept", "")], "dept.id"),
            flow("fdd", "create_view", &[("RS-1.dept", "")], "v.dept"),
            flow("join", "join", &[("dept.id", "")], "RS-1.dept"),
        ]),
    );
    let event = written(&lineage.openlineage());
    assert_eq!(names(&event["outputs"]), ["v"]);
    assert_eq!(names(&event["inputs"]), ["dept", "emp"]);
    assert_eq!(columns(&event, "v"), ["dept <- dept.id INDIRECT JOIN"]);
}

#[test]
fn a_query_that_stores_nothing_has_inputs_and_a_write_of_constants_has_outputs() {
    let lineage = model(
        &json!([
            object("read", "table", &["a"]),
            object("RS-1", "select_list", &["a"]),
            object("SQL_CONSTANTS", "constantTable", &["1"]),
            object("written", "table", &["b"]),
        ]),
        &json!([
            flow("fdd", "select", &[("read.a", "")], "RS-1.a"),
            flow("fdd", "insert", &[("SQL_CONSTANTS.1", "")], "written.b"),
        ]),
    );
    let event = written(&lineage.openlineage());
    assert_eq!((names(&event["inputs"]), names(&event["outputs"])), (vec!["read"], vec!["written"]));
    assert!(event["outputs"][0]["facets"].get("columnLineage").is_none());
}

#[test]
fn the_event_of_a_trace_has_only_what_the_trace_reaches() {
    let lineage = model(
        &json!([
            object("a", "table", &["x", "y"]),
            object("b", "view", &["x"]),
            object("c", "view", &["x", "RelationRows"]),
            object("other", "view", &["y"]),
        ]),
        &json!([
            flow("fdd", "create_view", &[("a.x", "")], "b.x"),
            flow("fdd", "create_view", &[("b.x", "")], "c.x"),
            flow("fdr", "create_view", &[("a.y", "where")], "c.RelationRows"),
            flow("fdd", "create_view", &[("a.y", "")], "other.y"),
        ]),
    );
    let c = lineage.object("c").unwrap();
    let event = written(&c.upstream().openlineage());
    assert_eq!((names(&event["inputs"]), names(&event["outputs"])), (vec!["a", "b"], vec!["b", "c"]));
    assert_eq!(columns(&event, "c"), ["x <- b.x DIRECT IDENTITY"]);

    let event = written(&c.upstream().over([Fdd, Fdr]).direct().openlineage());
    assert_eq!((names(&event["inputs"]), names(&event["outputs"])), (vec!["a", "b"], vec!["c"]));
    assert_eq!(columns(&event, "c"), ["x <- b.x DIRECT IDENTITY", "* <- a.y INDIRECT FILTER"]);

    let event = written(&lineage.column("a", "x").unwrap().downstream().openlineage());
    assert_eq!((names(&event["inputs"]), names(&event["outputs"])), (vec!["a", "b"], vec!["b", "c"]));
}

fn on_named_servers() -> Lineage {
    let tables = |prefix: &str| {
        json!([{ "id": format!("{prefix}1"), "name": "\"Order Lines\"", "type": "table",
                 "columns": [{ "id": format!("{prefix}2"), "name": "[Total]" }, { "id": format!("{prefix}3"), "name": "*" }] }])
    };
    let server = |name: &str, vendor: &str, prefix: &str| {
        json!({ "name": name, "dbVendor": vendor, "databases": [
            { "name": "Shop", "schemas": [{ "name": "DEFAULT", "tables": tables(prefix) }] }] })
    };
    let servers = [server("db.example.com:5432", "dbvpostgresql", "p"), server("HOST\\A", "dbvmssql", "m")];
    json!({
        "dbobjs": { "servers": servers },
        "relationships": [flow("fdd", "insert", &[("p2", "")], "m2"), flow("fdd", "insert", &[("p3", "")], "m3")],
    })
    .to_string()
    .parse()
    .unwrap()
}

#[test]
fn datasets_are_named_after_their_server_and_without_quotes() {
    let lineage = on_named_servers();
    let event = written(&lineage.openlineage());
    let input = &event["inputs"][0];
    assert_eq!(input["namespace"], "postgres://db.example.com:5432");
    assert_eq!(input["name"], "Shop.Order Lines");
    assert_eq!(input["facets"]["schema"]["fields"], json!([{ "name": "Total" }]));
    assert_eq!(input["facets"]["dataSource"]["name"], "db.example.com:5432");
    assert_eq!(input["facets"]["dataSource"]["uri"], "postgres://db.example.com:5432");
    let output = &event["outputs"][0];
    assert_eq!(output["namespace"], "mssql://HOST_A");
    assert_eq!(output["facets"]["dataSource"]["name"], "HOST\\A");
    assert!(output["facets"]["dataSource"].get("uri").is_none());
    assert_eq!(
        columns(&event, "Shop.Order Lines"),
        ["* <- Shop.Order Lines.* DIRECT IDENTITY", "Total <- Shop.Order Lines.Total DIRECT IDENTITY"]
    );
    let event = written(&lineage.openlineage().namespace("warehouse"));
    assert_eq!(
        (&event["inputs"][0]["namespace"], &event["outputs"][0]["namespace"]),
        (&json!("warehouse"), &json!("warehouse"))
    );
    assert_eq!(event["inputs"].as_array().unwrap().len(), 1, "objects of the same name are one dataset");
}

fn with_errors() -> Lineage {
    json!({ "code": 200, "jobId": "939fdbbaf52b45139b86c0761d6036b0", "data": { "dbobjs": [], "relationships": [], "errors": [
        { "errorMessage": "near x", "errorType": "SyntaxError" },
        { "errorMessage": "only a hint", "errorType": "SyntaxHint" },
        { "errorMessage": "no such table", "errorType": "AnalyzeError" }] } })
    .to_string()
    .parse()
    .unwrap()
}

#[test]
fn errors_are_part_of_the_run_and_hints_are_not() {
    let event = written(&with_errors().openlineage());
    assert_eq!(event["run"]["facets"]["errorMessage"]["message"], "near x\nno such table");
    assert_eq!(event["eventType"], "COMPLETE");
    let event = written(&fixture("layout_c1.json").openlineage());
    assert!(event["run"].get("facets").is_none(), "{event:#}");
}

#[test]
fn the_run_is_that_of_the_sqlflow_job_by_default() {
    let lineage = with_errors();
    let event = written(&lineage.openlineage());
    assert_eq!(event["run"]["runId"], "939fdbba-f52b-4513-9b86-c0761d6036b0");
    assert_eq!(event["job"]["namespace"], "sqlflow");
    assert_eq!(event["job"]["name"], "sqlflow-939fdbbaf52b45139b86c0761d6036b0");
    assert_eq!(event["job"]["facets"]["jobType"]["processingType"], "BATCH");
    assert!(event["producer"].as_str().unwrap().starts_with("https://crates.io/crates/sqlflow-lineage/"));

    let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
    let customised = lineage
        .openlineage()
        .job_namespace("etl")
        .job_name("nightly")
        .run_id("00000000-0000-4000-8000-000000000000")
        .event_time(time)
        .producer("https://example.com/etl");
    let event = written(&customised);
    assert_eq!(event["job"]["namespace"], "etl");
    assert_eq!(event["job"]["name"], "nightly");
    assert_eq!(event["run"]["runId"], "00000000-0000-4000-8000-000000000000");
    assert_eq!(event["eventTime"], "2023-11-14T22:13:20.123Z");
    assert_eq!(event["producer"], "https://example.com/etl");
    assert_eq!(event["job"]["facets"]["jobType"]["_producer"], "https://example.com/etl");
}

#[test]
fn a_time_outside_rfc_3339_becomes_the_nearest_time_within() {
    let lineage = with_errors();
    let at = |time| written(&lineage.openlineage().event_time(time))["eventTime"].as_str().unwrap().to_owned();
    assert_eq!(at(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01T00:00:00.000Z");
    assert_eq!(at(SystemTime::UNIX_EPOCH + Duration::from_secs(300_000_000_001)), "9999-12-31T23:59:59.000Z");
}

#[test]
fn the_same_event_always_gives_the_same_bytes() {
    let bytes = || {
        let lineage = hostile();
        let mut bytes = Vec::new();
        lineage
            .openlineage()
            .run_id("939fdbba-f52b-4513-9b86-c0761d6036b0")
            .event_time(SystemTime::UNIX_EPOCH)
            .write(&mut bytes)
            .unwrap();
        bytes
    };
    let first = bytes();
    assert!((0..5).all(|_| bytes() == first));
}

#[test]
fn an_error_of_the_writer_is_returned() {
    let lineage = hostile();
    let mut buffer = [0; 100];
    let error = lineage.openlineage().write(&mut buffer[..]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WriteZero);
}
