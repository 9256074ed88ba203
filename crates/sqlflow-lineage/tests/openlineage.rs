//! Lineage as OpenLineage events, validated against the schemas that the project publishes.

mod hostile;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::time::{Duration, SystemTime};
use std::{fs, io};

use jsonschema::{Registry, Validator};
use serde_json::{Value, json};
use sqlflow_lineage::RelationType::{Fdd, Fdr};
use sqlflow_lineage::{EffectType, Endpoint, EndpointRole, Lineage, Object, OpenLineage};

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
}

/// The published schemas with a validator for each that was needed.
struct Validators<'s> {
    schemas: &'s PublishedSchemas,
    prepared: BTreeMap<String, Validator>,
}

impl<'s> Validators<'s> {
    fn new(schemas: &'s PublishedSchemas) -> Self {
        Self { schemas, prepared: BTreeMap::new() }
    }

    /// Returns every violation of the schemas by an event.
    fn violations(&mut self, event: &Value) -> Vec<String> {
        let Self { schemas, prepared } = self;
        let schemas = &schemas.0;
        let mut errors = |id: &str, value: &Value| -> Vec<String> {
            let validator = prepared.entry(id.to_owned()).or_insert_with(|| self.schemas.validator(id));
            validator.iter_errors(value).map(|error| format!("{id}: {error}")).collect()
        };
        let (id, pointer) = event["schemaURL"].as_str().unwrap().split_once('#').unwrap();
        assert!(schemas[id].pointer(pointer).is_some(), "{pointer} is not in {id}");
        let mut violations = errors(id, event);
        let datasets = ["inputs", "outputs"].iter().flat_map(|list| event[*list].as_array().unwrap());
        let parts = datasets.chain([&event["run"], &event["job"]]);
        for (name, facet) in parts.filter_map(|part| part["facets"].as_object()).flatten() {
            let (id, pointer) = facet["_schemaURL"].as_str().unwrap().split_once('#').unwrap();
            assert!(schemas[id].pointer(pointer).is_some(), "{pointer} is not in {id}");
            assert!(schemas[id]["properties"].get(name).is_some(), "{id} has no property {name}");
            violations.extend(errors(id, &json!({ name: facet })));
        }
        violations
    }
}

/// Returns the events as they are written, after checking that each is a line and that `events` returns the same.
fn all_written(settings: &OpenLineage<'_>) -> Vec<Value> {
    let settings = settings.clone().event_time(SystemTime::UNIX_EPOCH);
    let mut bytes = Vec::new();
    settings.write(&mut bytes).unwrap();
    let lines = String::from_utf8(bytes).unwrap();
    assert!(lines.ends_with('\n'));
    assert_eq!(settings.events().unwrap().collect::<Vec<_>>(), lines.lines().collect::<Vec<_>>());
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Returns the only event.
fn written(settings: &OpenLineage<'_>) -> Value {
    let mut bytes = Vec::new();
    settings.write(&mut bytes).unwrap();
    assert_eq!(bytes.iter().position(|byte| *byte == b'\n'), Some(bytes.len() - 1), "there is not one line");
    serde_json::from_slice(&bytes).unwrap()
}

/// Returns the events, each as `job: inputs -> outputs`.
fn described(settings: &OpenLineage<'_>) -> Vec<String> {
    let lists = |event: &Value| [&event["inputs"], &event["outputs"]].map(|list| names(list).join(", "));
    let describe = |event: &Value| {
        let [inputs, outputs] = lists(event);
        format!("{}: {inputs} -> {outputs}", event["job"]["name"].as_str().unwrap())
    };
    all_written(settings).iter().map(describe).collect()
}

/// Returns the edges between datasets that a reader finds in events: each input with each output.
fn implied_edges(events: &[Value]) -> BTreeSet<(String, String)> {
    let mut edges = BTreeSet::new();
    for event in events {
        for input in names(&event["inputs"]) {
            edges.extend(names(&event["outputs"]).iter().map(|output| (input.to_owned(), (*output).to_owned())));
        }
    }
    edges
}

/// Returns the column lineage of all outputs of some events, with the transformations of each pair of columns.
fn all_columns(events: &[Value]) -> BTreeMap<[String; 3], BTreeSet<String>> {
    let mut all: BTreeMap<[String; 3], BTreeSet<String>> = BTreeMap::new();
    for output in events.iter().flat_map(|event| event["outputs"].as_array().unwrap()) {
        let facet = &output["facets"]["columnLineage"];
        let fields = facet["fields"].as_object().into_iter().flatten();
        let fields = fields.map(|(name, field)| (format!("field {name}"), &field["inputFields"]));
        for (target, inputs) in fields.chain([("rows".to_owned(), &facet["dataset"])]) {
            for input in inputs.as_array().into_iter().flatten() {
                let source = format!("{} {} {}", input["namespace"], input["name"], input["field"]);
                let output = format!("{} {}", output["namespace"], output["name"]);
                let found = all.entry([output, target.clone(), source]).or_default();
                found.extend(input["transformations"].as_array().unwrap().iter().map(Value::to_string));
            }
        }
    }
    all
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

fn in_every_form<'a>(settings: &OpenLineage<'a>) -> [OpenLineage<'a>; 4] {
    let settings = || settings.clone();
    [
        settings(),
        settings().per_process(),
        settings().as_one_event(),
        settings().without_percent_encoding().per_process(),
    ]
}

/// Returns all fixtures of lineage documents, one of each layout and more.
fn fixtures() -> Vec<Lineage> {
    let all = ["layout_a", "layout_b", "layout_c1", "layout_c2", "routines", "summary", "layout_a_as_tree"];
    all.iter().map(|name| fixture(&format!("{name}.json"))).collect()
}

#[test]
fn every_event_is_valid_by_the_published_schemas() {
    let schemas = PublishedSchemas::read();
    let mut lineages = fixtures();
    lineages.push(hostile());
    lineages.push(with_errors());
    lineages.push(on_named_servers());
    let mut validators = Validators::new(&schemas);
    for lineage in &lineages {
        for settings in in_every_form(&lineage.openlineage()) {
            for event in all_written(&settings) {
                assert_eq!(validators.violations(&event), [""; 0], "{event:#}");
            }
        }
        for object in lineage.objects().take(5) {
            for settings in [object.upstream().openlineage(), object.downstream().over([Fdd, Fdr]).openlineage()] {
                for event in all_written(&settings) {
                    assert_eq!(validators.violations(&event), [""; 0], "{event:#}");
                }
            }
        }
    }
}

#[test]
fn the_schemas_reject_invalid_events() {
    let schemas = PublishedSchemas::read();
    let lineage = fixture("layout_c1.json");
    let valid = written(&lineage.openlineage());
    let mut validators = Validators::new(&schemas);
    let mut assert_rejected = |path: &str, value: Value| {
        let mut event = valid.clone();
        *event.pointer_mut(path).unwrap() = value;
        assert_ne!(validators.violations(&event), [""; 0], "{path}");
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
    let settings = lineage.openlineage().job_name("j");
    assert_eq!(described(&settings), ["j.v: dept -> v", "j: emp -> "]);
    assert_eq!(columns(&all_written(&settings)[0], "v"), ["dept <- dept.id INDIRECT JOIN"]);
    let event = written(&settings.as_one_event());
    assert_eq!((names(&event["inputs"]), names(&event["outputs"])), (vec!["dept", "emp"], vec!["v"]));
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
    for settings in [lineage.openlineage(), lineage.openlineage().per_process()] {
        let settings = settings.job_name("j");
        assert_eq!(described(&settings), ["j.written:  -> written", "j: read -> "]);
        assert!(all_written(&settings)[0]["outputs"][0]["facets"].get("columnLineage").is_none());
    }
    let event = written(&lineage.openlineage().as_one_event());
    assert_eq!((names(&event["inputs"]), names(&event["outputs"])), (vec!["read"], vec!["written"]));
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
    let settings = c.upstream().openlineage().job_name("j");
    assert_eq!(described(&settings), ["j.b: a -> b", "j.c: b -> c"]);
    assert_eq!(columns(&all_written(&settings)[1], "c"), ["x <- b.x DIRECT IDENTITY"]);
    let event = written(&settings.as_one_event());
    assert_eq!((names(&event["inputs"]), names(&event["outputs"])), (vec!["a", "b"], vec!["b", "c"]));

    let event = written(&c.upstream().over([Fdd, Fdr]).direct().openlineage());
    assert_eq!((names(&event["inputs"]), names(&event["outputs"])), (vec!["a", "b"], vec!["c"]));
    assert_eq!(columns(&event, "c"), ["x <- b.x DIRECT IDENTITY", "* <- a.y INDIRECT FILTER"]);

    let settings = lineage.column("a", "x").unwrap().downstream().openlineage().job_name("j");
    assert_eq!(described(&settings), ["j.b: a -> b", "j.c: b -> c"]);
}

#[test]
fn a_trace_from_a_result_inside_a_statement_writes_what_it_reaches() {
    let lineage = model(
        &json!([object("t", "table", &["a"]), object("RS-1", "select_list", &["a"]), object("v", "view", &["a"])]),
        &json!(
            [flow("fdd", "select", &[("t.a", "")], "RS-1.a"), flow("fdd", "create_view", &[("RS-1.a", "")], "v.a"),]
        ),
    );
    let result = lineage.objects().find(|object| object.name() == "RS-1").unwrap();
    assert_eq!(described(&result.downstream().openlineage().job_name("j")), ["j.v:  -> v"]);
    assert_eq!(described(&result.upstream().openlineage().job_name("j")), ["j: t -> "]);
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
    assert_eq!(input["name"], "Shop.Order%20Lines");
    assert_eq!(input["facets"]["schema"]["fields"], json!([{ "name": "Total" }]));
    assert_eq!(input["facets"]["dataSource"]["name"], "db.example.com:5432");
    assert_eq!(input["facets"]["dataSource"]["uri"], "postgres://db.example.com:5432");
    let output = &event["outputs"][0];
    assert_eq!(output["namespace"], "mssql://HOST_A");
    assert_eq!(output["facets"]["dataSource"]["name"], "HOST\\A");
    assert!(output["facets"]["dataSource"].get("uri").is_none());
    assert_eq!(
        columns(&event, "Shop.Order%20Lines"),
        ["* <- Shop.Order%20Lines.* DIRECT IDENTITY", "Total <- Shop.Order%20Lines.Total DIRECT IDENTITY"]
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
    for form in 0..4 {
        let bytes = || {
            let lineage = hostile();
            let settings = &in_every_form(&lineage.openlineage())[form];
            let settings = settings.clone().run_id("939fdbba-f52b-4513-9b86-c0761d6036b0");
            let mut bytes = Vec::new();
            settings.event_time(SystemTime::UNIX_EPOCH).write(&mut bytes).unwrap();
            bytes
        };
        let first = bytes();
        assert!((0..5).all(|_| bytes() == first));
    }
}

#[test]
fn an_error_of_the_writer_is_returned() {
    let lineage = hostile();
    let mut buffer = [0; 100];
    let error = lineage.openlineage().write(&mut buffer[..]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WriteZero);
}

#[test]
fn each_output_has_an_event_of_its_own_with_only_the_inputs_that_feed_it() {
    let tables: Vec<Value> = (0..3)
        .flat_map(|at| {
            let [source, result, target] = ["s", "RS-", "t"].map(|name| format!("{name}{at}"));
            [object(&source, "table", &["a"]), object(&result, "select_list", &["a"]), object(&target, "table", &["a"])]
        })
        .collect();
    let flows: Vec<Value> = (0..3)
        .flat_map(|at| {
            [
                flow("fdd", "select", &[(&format!("s{at}.a"), "")], &format!("RS-{at}.a")),
                flow("fdd", "insert", &[(&format!("RS-{at}.a"), "")], &format!("t{at}.a")),
            ]
        })
        .collect();
    let lineage = model(&json!(tables), &json!(flows));
    let settings = lineage.openlineage().job_name("nightly");
    assert_eq!(described(&settings), ["nightly.t0: s0 -> t0", "nightly.t1: s1 -> t1", "nightly.t2: s2 -> t2"]);
    let edges = |settings: &OpenLineage<'_>| implied_edges(&all_written(settings)).len();
    assert_eq!(edges(&settings), 3);
    assert_eq!(edges(&settings.clone().per_process()), 3);
    assert_eq!(edges(&settings.as_one_event()), 9);
}

/// Returns the edges between the stored objects of a lineage by a search that shares no code with the library.
fn real_edges(lineage: &Lineage) -> BTreeSet<(String, String)> {
    let is_stored =
        |object: &Object<'_>| !object.is_intermediate() && !object.is_routine() && !object.name().starts_with('#');
    let mut objects: BTreeMap<&str, Object<'_>> = BTreeMap::new();
    for object in lineage.objects() {
        objects.insert(object.id(), object);
        objects.extend(object.columns().map(|column| (column.id(), object)));
    }
    // The sources of each column and object, by id. A comparison of stored columns is no flow.
    let mut sources: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for relationship in lineage.relationships() {
        let (targets, from): (Vec<_>, Vec<_>) =
            relationship.endpoints().partition(|end| end.role() == EndpointRole::Target);
        let is_followed = matches!(relationship.type_text(), "fdd" | "fdr" | "frd" | "fddi" | "fda" | "fdc");
        if is_followed && relationship.effect_type() != Some(EffectType::ForeignKey) {
            for target in targets {
                sources.entry(target.id()).or_default().extend(from.iter().map(Endpoint::id));
            }
        }
    }
    let sources_of = |id: &str| sources.get(id).into_iter().flatten().copied();
    let next = |id: &str| -> Vec<&str> {
        let Some(object) = objects.get(id).filter(|object| !is_stored(object)) else {
            return sources_of(id).collect();
        };
        // Relationships of a result as a whole continue those of its columns, and the other way round. What decides
        // the rows of a result decides its values.
        let mut next: Vec<&str> = sources_of(id).chain(sources_of(object.id())).collect();
        for column in object.columns() {
            if id == object.id() {
                next.extend(sources_of(column.id()));
            } else if column.is_record_set() {
                next.push(column.id());
            }
        }
        next
    };
    let mut edges = BTreeSet::new();
    for (id, target) in objects.iter().filter(|(_, object)| is_stored(object)) {
        let mut seen: HashSet<&str> = HashSet::new();
        let mut todo = next(id);
        while let Some(source) = todo.pop() {
            let Some(object) = objects.get(source).filter(|_| seen.insert(source)) else {
                continue;
            };
            if is_stored(object) {
                edges.insert((object.qualified_name(), target.qualified_name()));
            } else {
                todo.extend(next(source));
            }
        }
    }
    edges
}

#[test]
fn the_pairs_of_inputs_and_outputs_are_the_flows_between_objects_in_every_layout() {
    let mut total = 0;
    for lineage in fixtures() {
        let edges = implied_edges(&all_written(&lineage.openlineage()));
        assert_eq!(edges, real_edges(&lineage), "{lineage:?}");
        assert_eq!(edges, implied_edges(&all_written(&lineage.openlineage().per_process())));
        for flow in lineage.object_flows() {
            let is_constraint = lineage.relationships().any(|it| it.effect_type() == Some(EffectType::ForeignKey));
            let edge = (flow.source.qualified_name(), flow.target.qualified_name());
            // The result of a query is stored nowhere.
            let is_query = flow.target.is_intermediate();
            assert!(is_constraint || is_query || edges.contains(&edge), "{edge:?}");
        }
        total += edges.len();
    }
    assert!(total >= 6, "{total} edges prove little");
}

/// Returns a lineage of random values that flow between tables, through results inside statements.
fn generated(random: &mut fastrand::Rng) -> Lineage {
    let kinds = ["table", "view", "select_list", "with_cte", "function"];
    let objects: Vec<Value> = (0..random.usize(2..14))
        .map(|at| {
            let name = format!("{}o{at}", ["", "", "#"][random.usize(..3)]);
            object(&name, kinds[random.usize(..kinds.len())], &["a", "b", "RelationRows"])
        })
        .collect();
    let end = |random: &mut fastrand::Rng| {
        let object = objects[random.usize(..objects.len())]["id"].as_str().unwrap();
        // Without a column, the relationship is between whole tables.
        let column = ["", ".a", ".b", ".RelationRows"][random.usize(..4)];
        format!("{object}{column}")
    };
    let flows: Vec<Value> = (0..random.usize(1..25))
        .map(|at| {
            let sources: Vec<String> = (0..random.usize(1..4)).map(|_| end(random)).collect();
            let sources: Vec<(&str, &str)> = sources.iter().map(|source| (source.as_str(), "")).collect();
            let mut flow = flow(["fdd", "fda", "fdc", "fdr", "frd", "fddi"][at % 6], "insert", &sources, &end(random));
            flow["id"] = json!(format!("r{at}"));
            flow["processId"] = json!(["", "p1", "p2", "p3"][random.usize(..4)]);
            flow
        })
        .collect();
    sql_server(&json!(objects), &json!(flows))
}

#[test]
fn no_form_of_generated_lineages_has_an_edge_too_many_or_too_few() {
    let mut random = fastrand::Rng::with_seed(7);
    let mut total = 0;
    for _ in 0..150 {
        let lineage = generated(&mut random);
        let real = real_edges(&lineage);
        for settings in [lineage.openlineage(), lineage.openlineage().per_process()] {
            let events = all_written(&settings);
            assert_eq!(implied_edges(&events), real, "{events:#?}");
            let jobs: HashSet<&str> = events.iter().map(|event| event["job"]["name"].as_str().unwrap()).collect();
            assert_eq!(jobs.len(), events.len());
        }
        total += real.len();
    }
    assert!(total > 250, "{total} edges prove little");
}

#[test]
fn the_column_lineage_of_all_events_is_that_of_the_single_event() {
    let mut random = fastrand::Rng::with_seed(8);
    let generated = (0..100).map(|_| generated(&mut random));
    for lineage in fixtures().into_iter().chain([hostile(), on_named_servers()]).chain(generated) {
        let [outputs, processes, one, _] =
            in_every_form(&lineage.openlineage()).map(|it| all_columns(&all_written(&it)));
        assert_eq!(outputs, one);
        // The influences of one statement can be more specific than those of all together, which are never less.
        assert!(processes.keys().eq(one.keys()));
        for (pair, transformations) in &one {
            assert!(transformations.is_subset(&processes[pair]), "{pair:?}");
        }
    }
}

#[test]
fn whole_tables_that_feed_each_other_are_inputs_and_outputs() {
    let lineage = model(
        &json!([object("s", "table", &["a"]), object("t", "table", &["a"]), object("u", "table", &[])]),
        &json!([flow("fdd", "insert", &[("s", "")], "t"), flow("fdd", "insert", &[("t", "")], "u")]),
    );
    assert_eq!(described(&lineage.openlineage().job_name("j")), ["j.t: s -> t", "j.u: t -> u"]);
}

#[test]
fn tables_feed_each_other_through_the_process_between_them() {
    let process = |id: &str, name: &str| json!({ "id": id, "name": name, "type": "process" });
    let lineage = model(
        &json!([
            object("s1", "table", &["a"]),
            object("s2", "table", &["a"]),
            object("t", "table", &["a"]),
            object("u", "table", &["a"]),
            process("p1", "Query Insert-1"),
            process("p2", "Query Insert-2"),
            process("p3", "Query Select-1"),
        ]),
        &json!([
            flow("fdd", "insert", &[("s1", "")], "p1"),
            flow("fdd", "insert", &[("p1", "")], "t"),
            flow("fdd", "insert", &[("s2", ""), ("t", "")], "p2"),
            flow("fdd", "insert", &[("p2", "")], "t"),
            flow("fdd", "select", &[("u", "")], "p3"),
        ]),
    );
    let settings = lineage.openlineage().job_name("j");
    assert_eq!(described(&settings), ["j.t: s1, s2, t -> t", "j: u -> "]);
    assert_eq!(
        described(&settings.per_process()),
        ["j.Query%20Insert-1:t: s1 -> t", "j.Query%20Insert-2:t: s2, t -> t", "j: u -> "]
    );
}

#[test]
fn a_star_that_passes_through_a_temporary_table_leads_to_the_column_of_the_same_name() {
    let lineage = sql_server(
        &json!(
            [object("s", "table", &["a", "b"]), object("#tmp", "table", &["*"]), object("t", "table", &["a", "b"]),]
        ),
        &json!([
            flow("fdd", "create_table", &[("s.a", ""), ("s.b", "")], "#tmp.*"),
            flow("fdd", "insert", &[("#tmp.*", "")], "t.a"),
            flow("fdd", "insert", &[("#tmp.*", "")], "t.b"),
        ]),
    );
    assert_eq!(
        columns(&written(&lineage.openlineage()), "t"),
        ["a <- s.a DIRECT IDENTITY", "b <- s.b DIRECT IDENTITY"]
    );
}

#[test]
fn foreign_keys_are_no_flows_even_in_the_events_of_a_trace_that_follows_them() {
    let lineage = model(
        &json!([object("dept", "table", &["id"]), object("emp", "table", &["dept"]), object("v", "view", &["dept"]),]),
        &json!([
            flow("fdd", "foreign_key", &[("dept.id", "")], "emp.dept"),
            flow("fdd", "create_view", &[("emp.dept", "")], "v.dept"),
        ]),
    );
    let trace = lineage.object("v").unwrap().upstream().with_foreign_keys();
    assert_eq!(described(&trace.openlineage().job_name("j")), ["j.v: emp -> v"]);
}

#[test]
fn a_table_is_input_and_output_of_one_event_only_if_a_statement_reads_and_writes_it() {
    let lineage = model(
        &json!([
            object("t", "table", &["a"]),
            object("RS-1", "select_list", &["a"]),
            object("u", "view", &["a"]),
            object("w", "view", &["a"]),
        ]),
        &json!([
            flow("fdd", "select", &[("t.a", "")], "RS-1.a"),
            flow("fdd", "insert", &[("RS-1.a", "")], "t.a"),
            flow("fdd", "create_view", &[("t.a", "")], "u.a"),
            flow("fdd", "create_view", &[("u.a", "")], "w.a"),
        ]),
    );
    assert_eq!(described(&lineage.openlineage().job_name("j")), ["j.t: t -> t", "j.u: t -> u", "j.w: u -> w"]);
}

#[test]
fn an_event_of_a_process_has_only_what_the_process_reads_for_one_output() {
    let process = |id: &str, name: &str| json!({ "id": id, "name": name, "type": "process" });
    let by = |process: &str, mut flow: Value| {
        flow["processId"] = json!(process);
        flow
    };
    let lineage = model(
        &json!([
            object("s1", "table", &["a"]),
            object("s2", "table", &["a"]),
            object("s3", "table", &["a"]),
            object("t1", "table", &["a", "b"]),
            object("t2", "table", &["a"]),
            object("t3", "table", &["a"]),
            object("RS-1", "select_list", &["a"]),
            process("p1", "Query Insert-1"),
            process("p2", "load: a@b Insert-1"),
            process("p3", ""),
            process("p4", "Query Insert-1"),
        ]),
        &json!([
            // One process writes two outputs from different inputs.
            flow("fdd", "select", &[("s1.a", "")], "RS-1.a"),
            by("p1", flow("fdd", "insert", &[("RS-1.a", "")], "t1.a")),
            by("p1", flow("fdd", "insert", &[("s2.a", "")], "t2.a")),
            // Another one writes the same output, and one without a name, and one that no relationship names.
            by("p2", flow("fdd", "insert", &[("s3.a", "")], "t1.b")),
            by("p3", flow("fdd", "insert", &[("s3.a", "")], "t3.a")),
            flow("fdd", "insert", &[("s2.a", ""), ("s1.a", "")], "t3.a"),
            // Of two processes with one name, the events cannot be distinguished, so they are one.
            by("p4", flow("fdd", "insert", &[("s3.a", ""), ("t1.a", "")], "t2.a")),
        ]),
    );
    let settings = lineage.openlineage().job_name("j").per_process();
    assert_eq!(
        described(&settings),
        [
            "j.Query%20Insert-1:t1: s1 -> t1",
            "j.load%3A%20a%40b%20Insert-1:t1: s3 -> t1",
            "j.Query%20Insert-1:t2: s2, s3, t1 -> t2",
            "j.t3: s1, s2 -> t3",
            "j.p3:t3: s3 -> t3",
        ]
    );
    let events = all_written(&settings);
    assert_eq!(columns(&events[0], "t1"), ["a <- s1.a DIRECT IDENTITY"]);
    assert_eq!(columns(&events[1], "t1"), ["b <- s3.a DIRECT IDENTITY"]);
}

fn sql_server(objects: &Value, relationships: &Value) -> Lineage {
    json!({ "dbvendor": "dbvmssql", "dbobjs": objects, "relationships": relationships }).to_string().parse().unwrap()
}

#[test]
fn a_temporary_table_is_walked_through() {
    let named = |name: &str, mut object: Value| {
        object["name"] = json!(name);
        object
    };
    let objects = |name: &str| {
        json!([
            object("s", "table", &["a", "b"]),
            named(name, object("tmp", "table", &["a", "RelationRows"])),
            object("t", "table", &["x"]),
            object("dim", "table", &["id"]),
            object("fact", "table", &["id"]),
        ])
    };
    let relationships = json!([
        flow("fdd", "create_table", &[("s.a", "")], "tmp.a"),
        flow("fdr", "create_table", &[("s.b", "where")], "tmp.RelationRows"),
        flow("fdd", "insert", &[("tmp.a", "")], "t.x"),
        // A constraint of the temporary table, and a join with it elsewhere, feed nothing.
        flow("fdd", "foreign_key", &[("dim.id", "")], "tmp.a"),
        flow("join", "join", &[("fact.id", "")], "tmp.a"),
    ]);
    for name in ["#tmp", "##tmp", "[#tmp]", "tempdb..#tmp", "tempdb.dbo.[#tmp]"] {
        let lineage = sql_server(&objects(name), &relationships);
        let settings = lineage.openlineage().job_name("j");
        assert_eq!(described(&settings), ["j.t: s -> t", "j: fact -> "], "{name}");
        assert_eq!(columns(&all_written(&settings)[0], "t"), ["x <- s.a DIRECT IDENTITY", "* <- s.b INDIRECT FILTER"]);
        let event = written(&settings.as_one_event());
        assert_eq!((names(&event["inputs"]), names(&event["outputs"])), (vec!["fact", "s"], vec!["t"]));

        let t = lineage.object("t").unwrap();
        assert_eq!(described(&t.upstream().openlineage().job_name("j")), ["j.t: s -> t"]);
        let s = lineage.object("s").unwrap();
        assert_eq!(described(&s.downstream().openlineage().job_name("j")), ["j.t: s -> t"]);
        // What a trace starts from is shown, whatever it is.
        let tmp = lineage.objects().find(|object| object.id() == "tmp").unwrap();
        let downstream = described(&tmp.downstream().openlineage().job_name("j"));
        assert_eq!(downstream.len(), 1);
        assert!(downstream[0].contains("%23tmp -> t"), "{downstream:?}");
    }

    // Only some databases have temporary tables of such names.
    let stored = model(&objects("#tmp"), &relationships);
    assert_eq!(
        described(&stored.openlineage().job_name("j")),
        ["j.%23tmp: s -> %23tmp", "j.t: %23tmp -> t", "j: fact -> "]
    );
    for (field, kind) in [("subType", "temp_table"), ("type", "temporary table")] {
        let mut objects = objects("tmp");
        objects[1][field] = json!(kind);
        let lineage = model(&objects, &relationships);
        assert_eq!(described(&lineage.openlineage().job_name("j")), ["j.t: s -> t", "j: fact -> "], "{kind}");
    }
}

#[test]
fn a_temporary_table_that_feeds_nothing_leaves_its_sources_as_read() {
    let lineage = sql_server(
        &json!([object("s", "table", &["a"]), object("#t", "table", &["a"]), object("#u", "table", &["a"])]),
        &json!([
            flow("fdd", "create_table", &[("s.a", "")], "#t.a"),
            // Two temporary tables that feed each other end the walk nevertheless.
            flow("fdd", "insert", &[("#t.a", "")], "#u.a"),
            flow("fdd", "insert", &[("#u.a", "")], "#t.a"),
        ]),
    );
    assert_eq!(described(&lineage.openlineage().job_name("j")), ["j: s -> "]);
}

#[test]
fn relationships_that_carry_values_in_other_ways_are_direct() {
    for kind in ["fda", "fdc"] {
        let lineage = model(
            &json!([object("s", "table", &["a"]), object("t", "table", &["a"])]),
            &json!([flow(kind, "insert", &[("s.a", "")], "t.a")]),
        );
        let event = written(&lineage.openlineage());
        assert_eq!(columns(&event, "t"), ["a <- s.a DIRECT IDENTITY"]);
    }
}

#[test]
fn each_job_has_a_run_of_its_own_that_is_the_same_in_every_export() {
    let lineage = model(
        &json!([object("s", "table", &["a"]), object("t", "table", &["a"]), object("u", "table", &["a"])]),
        &json!([
            flow("fdd", "insert", &[("s.a", "")], "t.a"),
            flow("fdd", "insert", &[("s.a", "")], "u.a"),
            flow("fdd", "select", &[("t.a", "")], "nowhere"),
        ]),
    );
    let runs = |id: &str| -> Vec<String> {
        let settings = lineage.openlineage().job_name("nightly").job_namespace("etl").run_id(id);
        let events = all_written(&settings);
        assert!(events.iter().all(|event| event["job"]["namespace"] == "etl"));
        events.iter().map(|event| event["run"]["runId"].as_str().unwrap().to_owned()).collect()
    };
    let first = runs("939fdbba-f52b-4513-9b86-c0761d6036b0");
    assert_eq!(first, runs("939fdbba-f52b-4513-9b86-c0761d6036b0"));
    let second = runs("939fdbba-f52b-4513-9b86-c0761d6036b1");
    assert_eq!(first.len(), 3);
    assert_eq!(first.iter().chain(&second).collect::<HashSet<_>>().len(), 6);
    assert_eq!(first[2], "939fdbba-f52b-4513-9b86-c0761d6036b0", "the last event is that of the job itself");
}

#[test]
fn errors_are_told_once_by_the_event_of_the_job() {
    let mut document = json!({ "dbobjs": [object("s", "table", &["a"]), object("t", "table", &["a"])] });
    document["relationships"] = json!([flow("fdd", "insert", &[("s.a", "")], "t.a")]);
    document["errors"] = json!([{ "errorMessage": "near x", "errorType": "SyntaxError" }]);
    let lineage: Lineage = document.to_string().parse().unwrap();
    let settings = lineage.openlineage().job_name("j");
    assert_eq!(described(&settings), ["j.t: s -> t", "j:  -> "]);
    let events = all_written(&settings);
    assert!(events[0]["run"].get("facets").is_none());
    assert_eq!(events[1]["run"]["facets"]["errorMessage"]["message"], "near x");
    assert_eq!(written(&settings.as_one_event())["run"]["facets"]["errorMessage"]["message"], "near x");
}

#[test]
fn outputs_of_one_name_on_several_servers_have_jobs_of_their_own() {
    let server = |host: &str, id: &str| {
        let table =
            json!({ "id": id, "name": "t", "type": "table", "columns": [{ "id": format!("{id}.a"), "name": "a" }] });
        json!({ "name": host, "dbVendor": "dbvmysql", "databases": [{ "name": "shop", "tables": [table] }] })
    };
    let document = json!({
        "dbobjs": { "servers": [server("one:3306", "1"), server("two:3306", "2")] },
        "relationships": [flow("fdd", "insert", &[("1.a", "")], "2.a"), flow("fdd", "insert", &[("2.a", "")], "1.a")],
    });
    let lineage: Lineage = document.to_string().parse().unwrap();
    assert_eq!(
        described(&lineage.openlineage().job_name("j")),
        ["j.shop.t@mysql://one:3306: shop.t -> shop.t", "j.shop.t@mysql://two:3306: shop.t -> shop.t"]
    );
}

#[test]
fn readers_can_build_uris_of_any_name() {
    let uri = jsonschema::options()
        .should_validate_formats(true)
        .build(&json!({ "type": "string", "format": "uri" }))
        .unwrap();
    assert!(!uri.is_valid(&json!("http://catalog/datasets/a b")));
    let odd =
        ["Order Lines", "\"say \"\"hi\"\"\"", "a/b", "#1", "50%", "50%25", "🦀 crab", "שלום \u{202e}abc", "naïve"];
    for name in odd.iter().chain(&hostile::HOSTILE) {
        let mut target = object("t", "table", &["a b"]);
        target["name"] = json!(name);
        let lineage = model(
            &json!([object("s", "table", &["a"]), target]),
            &json!([flow("fdd", "insert", &[("s.a", "")], "t.a b")]),
        );
        let event = written(&lineage.openlineage().per_process());
        let encoded = event["outputs"][0]["name"].as_str().unwrap();
        for name in [encoded, event["job"]["name"].as_str().unwrap()] {
            let catalog = format!("http://catalog/datasets/postgres:%2F%2Fdefault/{name}");
            assert!(!name.is_empty() && uri.is_valid(&json!(catalog)), "{catalog}");
        }
        assert_eq!(event["outputs"][0]["facets"]["schema"]["fields"][0]["name"], "a b", "fields stay as they are");
        let event = written(&lineage.openlineage().without_percent_encoding());
        let plain = event["outputs"][0]["name"].as_str().unwrap();
        assert_eq!(decoded(encoded), plain);
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let mut digit = || char::from(rest.next().unwrap()).to_digit(16).unwrap();
        bytes.push(if byte == b'%' { u8::try_from(digit() * 16 + digit()).unwrap() } else { byte });
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn hostile_names_give_each_output_its_own_job_and_run() {
    let lineage = hostile();
    for settings in [lineage.openlineage(), lineage.openlineage().per_process()] {
        let events = all_written(&settings);
        let distinct = |pointer: &str| {
            events.iter().map(|event| event.pointer(pointer).unwrap().to_string()).collect::<HashSet<_>>().len()
        };
        assert!(events.len() > 10);
        assert_eq!(distinct("/job/name"), events.len());
        assert_eq!(distinct("/run/runId"), events.len());
    }
}

#[test]
fn thousands_of_outputs_have_an_event_each() {
    let count = 2_000;
    let objects: Vec<Value> =
        (0..count).flat_map(|at| ["s", "t"].map(|name| object(&format!("{name}{at}"), "table", &["a"]))).collect();
    let flows: Vec<Value> =
        (0..count).map(|at| flow("fdd", "insert", &[(&format!("s{at}.a"), "")], &format!("t{at}.a"))).collect();
    let lineage = model(&json!(objects), &json!(flows));
    assert_eq!(lineage.openlineage().events().unwrap().count(), count);
    assert_eq!(lineage.openlineage().per_process().events().unwrap().count(), count);
}

#[test]
fn settings_are_checked_before_the_first_event() {
    let lineage = hostile();
    let error = lineage.openlineage().run_id("tuesday").events().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn a_table_without_a_name_is_not_the_one_whose_name_is_its_id() {
    let lineage: Lineage = r#"{"dbobjs": [
        {"id": "7", "name": null, "type": "table", "columns": [{"id": "8", "name": "A"}]},
        {"id": "1", "name": "7", "type": "table", "columns": [{"id": "2", "name": "A"}]}
    ], "relationships": [{"id": "9", "type": "fdd", "target": {"id": "8"}, "sources": [{"id": "2"}]}]}"#
        .parse()
        .unwrap();
    let event: Value = serde_json::from_str(&lineage.openlineage().events().unwrap().next().unwrap()).unwrap();
    assert_eq!([&event["inputs"][0]["name"], &event["outputs"][0]["name"]], ["7", "id:7"]);
}
