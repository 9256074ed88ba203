//! The difference that a nightly job mails: stored objects, their columns and the flows between them.

use std::fmt::Write as _;

use serde_json::{Value, json};
use sqlflow_lineage::{DiffNoteKind, DiffSide, Lineage, Object};

fn read(document: &Value) -> Lineage {
    document.to_string().parse().unwrap()
}

fn lineage(objects: &Value, relationships: &Value) -> Lineage {
    read(&json!({"dbobjs": objects, "relationships": relationships}))
}

/// A script of views, each of which selects five columns from two tables through a result inside the statement. Ids and
/// the names of results count up through the script, as servers write them.
fn script(views: &[&str]) -> Lineage {
    let (mut id, mut objects, mut relationships) = (0, Vec::new(), Vec::new());
    let mut next = || {
        id += 1;
        id.to_string()
    };
    let columns = ["A", "B", "C", "D", "E"];
    let mut object = |name: &str, kind: &str| {
        let of: Vec<(String, &str)> = columns.iter().map(|column| (next(), *column)).collect();
        let ids: Vec<String> = of.iter().map(|(id, _)| id.clone()).collect();
        let of: Vec<Value> = of.into_iter().map(|(id, name)| json!({"id": id, "name": name})).collect();
        let schema = if kind == "select_list" { "DEFAULT" } else { "SALES" };
        objects.push(json!({"id": next(), "name": name, "schema": schema, "type": kind, "columns": of}));
        ids
    };
    let (orders, items) = (object("ORDERS", "table"), object("ITEMS", "table"));
    for (at, view) in views.iter().enumerate() {
        let result = object(&format!("RS-{}", at + 1), "select_list");
        let view = object(view, "view");
        for column in 0..columns.len() {
            let sources = [json!({"id": orders[column]}), json!({"id": items[column]})];
            relationships.push(json!({"type": "fdd", "target": {"id": result[column]}, "sources": sources}));
            relationships
                .push(json!({"type": "fdd", "target": {"id": view[column]}, "sources": [{"id": result[column]}]}));
        }
    }
    lineage(&json!(objects), &json!(relationships))
}

#[test]
fn one_unrelated_new_view_is_one_line_although_it_renumbers_the_results_of_all_others() {
    let old = script(&["REPORT", "DAILY", "WEEKLY"]);
    let new = script(&["AUDIT", "REPORT", "DAILY", "WEEKLY"]);
    let line = " view SALES.AUDIT (5 columns, fed by SALES.ITEMS, SALES.ORDERS)\n";
    assert_eq!(old.diff(&new).to_string(), format!("+{line}"));
    assert_eq!(new.diff(&old).to_string(), format!("-{line}"));
    assert!(!old.diff(&new).is_empty());
    // Programs see what the line implies.
    let diff = old.diff(&new);
    assert_eq!((diff.columns().added.len(), diff.column_flows().added.len()), (5, 10));
    assert_eq!(diff.object_flows().added.len(), 2);
    assert!(diff.columns().removed.is_empty() && diff.column_flows().removed.is_empty());
    // The full comparison has the results too.
    let full = old.diff_all(&new);
    assert!(full.objects().added.iter().any(Object::is_intermediate));
    assert!(full.relationships().added.len() > 20);
    assert!(full.to_string().lines().count() > 20, "{full}");
}

#[test]
fn an_order_of_statements_that_changed_is_no_difference() {
    let (old, new) = (script(&["REPORT", "DAILY"]), script(&["DAILY", "REPORT"]));
    assert!(old.diff(&new).is_empty());
    assert_eq!(old.diff(&new).to_string(), "");
}

fn orders(more: &[&str], kind: &str) -> Value {
    let columns = ["TOTAL", "NOTE"].iter().chain(more);
    let columns: Vec<Value> = columns.map(|name| json!({"id": format!("O{name}"), "name": name})).collect();
    json!({"id": "1", "name": "ORDERS", "type": kind, "columns": columns})
}

fn report() -> Value {
    let columns = json!([{"id": "R1", "name": "SUM"}, {"id": "R2", "name": "TEXT"}]);
    json!({"id": "2", "name": "REPORT", "type": "view", "columns": columns})
}

fn fdd(source: &str, target: &str) -> Value {
    json!({"type": "fdd", "target": {"id": target}, "sources": [{"id": source}]})
}

#[test]
fn columns_and_flows_of_objects_that_both_sides_have_are_listed() {
    let old = lineage(&json!([orders(&[], "table"), report()]), &json!([fdd("OTOTAL", "R1"), fdd("ONOTE", "R2")]));
    let new = lineage(&json!([orders(&["TAX"], "table"), report()]), &json!([fdd("OTOTAL", "R1"), fdd("OTAX", "R1")]));
    assert_eq!(
        old.diff(&new).to_string(),
        "+ column ORDERS.TAX\n- flow ORDERS.NOTE → REPORT.TEXT\n+ flow ORDERS.TAX → REPORT.SUM\n"
    );
}

#[test]
fn an_object_that_became_another_kind_is_one_changed_line() {
    let old = lineage(&json!([orders(&[], "table")]), &json!([]));
    let new = lineage(&json!([orders(&[], "view")]), &json!([]));
    let diff = old.diff(&new);
    assert_eq!(diff.to_string(), "~ view ORDERS (was table)\n");
    assert!(!diff.is_empty() && diff.objects().is_empty() && diff.columns().is_empty());
    let change = diff.changed_kinds()[0];
    assert_eq!((change.old.kind_text(), change.new.kind_text()), ("table", "view"));
    // A document that gives no kind does not say that it changed.
    let unknown =
        lineage(&json!([{"id": "1", "name": "orders", "columns": [{"name": "TOTAL"}, {"name": "NOTE"}]}]), &json!([]));
    assert!(old.diff(&unknown).is_empty() && unknown.diff(&new).is_empty());
    // Neither does one that has a record of each kind.
    let both = lineage(&json!([orders(&[], "view"), orders(&[], "table")]), &json!([]));
    assert!(old.diff(&both).is_empty() && both.diff(&new).is_empty());
}

#[test]
fn a_flow_between_whole_objects_is_listed_if_none_between_their_columns_is() {
    let objects = json!([orders(&[], "table"), report()]);
    let table_level = |source: &str, target: &str| {
        json!({"type": "fdd", "target": {"targetId": target, "targetName": "t"},
               "sources": [{"sourceId": source, "sourceName": "s"}]})
    };
    let none = lineage(&objects, &json!([]));
    let whole = lineage(&objects, &json!([table_level("1", "2")]));
    assert_eq!(none.diff(&whole).to_string(), "+ flow ORDERS → REPORT\n");
    let by_column = lineage(&objects, &json!([fdd("OTOTAL", "R1")]));
    assert_eq!(none.diff(&by_column).to_string(), "+ flow ORDERS.TOTAL → REPORT.SUM\n");
    assert_eq!(none.diff(&by_column).object_flows().added.len(), 1);
    assert_eq!(whole.diff(&by_column).to_string(), "+ flow ORDERS.TOTAL → REPORT.SUM\n");
}

#[test]
fn a_new_table_says_which_objects_it_feeds_and_names_at_most_five() {
    let old = lineage(&json!([report()]), &json!([]));
    let new = lineage(&json!([report(), orders(&[], "table")]), &json!([fdd("OTOTAL", "R1")]));
    assert_eq!(old.diff(&new).to_string(), "+ table ORDERS (2 columns, feeds REPORT)\n");

    let mut objects = vec![report()];
    let mut flows = Vec::new();
    for at in 0..8 {
        let columns = json!([{"id": format!("c{at}"), "name": "C"}]);
        objects.push(json!({"id": format!("s{at}"), "name": format!("S{at}"), "columns": columns}));
        flows.push(fdd(&format!("c{at}"), "R1"));
    }
    let new = lineage(&json!(objects), &json!(flows));
    let old = lineage(&json!(objects[1..]), &json!([]));
    assert_eq!(old.diff(&new).to_string(), "+ view REPORT (2 columns, fed by S0, S1, S2, S3, S4 and 3 more)\n");
}

#[test]
fn routines_results_inside_statements_and_record_sets_are_compared_only_in_full() {
    let old = lineage(&json!([orders(&[], "table")]), &json!([]));
    let mut table = orders(&[], "table");
    table["columns"].as_array_mut().unwrap().push(json!({"id": "9", "name": "RelationRows", "source": "system"}));
    let objects = json!([
        table,
        {"id": "7", "name": "RS-1", "type": "select_list", "columns": [{"id": "8", "name": "X"}]},
        {"id": "10", "name": "LOAD", "type": "procedure"},
    ]);
    // A flow into a result of a plain SELECT is no flow between stored objects.
    let new = lineage(&objects, &json!([fdd("OTOTAL", "8")]));
    assert_eq!(old.diff(&new).to_string(), "");
    assert!(old.diff(&new).is_empty());
    assert_eq!(old.diff_all(&new).objects().added.len(), 2);
}

#[test]
fn several_records_of_one_name_count_as_one() {
    let twice = lineage(&json!([orders(&[], "table"), orders(&[], "table")]), &json!([]));
    let once = lineage(&json!([orders(&[], "table")]), &json!([]));
    assert!(once.diff(&twice).is_empty() && twice.diff(&once).is_empty());
    let none = lineage(&json!([]), &json!([]));
    assert_eq!(none.diff(&twice).to_string(), "+ table ORDERS (2 columns)\n");
}

#[test]
fn a_name_of_several_lines_of_sql_stays_on_one_line() {
    let name = "case when a\n  then 'x'\r\n end \u{2028} as\u{85}b";
    let old = lineage(&json!([orders(&[], "table")]), &json!([]));
    let new = lineage(
        &json!([orders(&[name], "ta\nble"), {"id": "3", "name": "a\nb", "type": "x\ny"}]),
        &json!([fdd(&format!("O{name}"), "OTOTAL")]),
    );
    let text = old.diff(&new).to_string();
    assert_eq!(
        text,
        "+ x y a b (0 columns)\n~ ta ble ORDERS (was table)\n+ column ORDERS.case when a then 'x' end as b\n\
         + flow ORDERS.case when a then 'x' end as b → ORDERS.TOTAL\n"
    );
}

#[test]
fn a_side_that_is_not_whole_is_noted() {
    let whole = lineage(&json!([orders(&[], "table")]), &json!([]));
    let summary = read(&json!({"code": 200, "data": {"mode": "summary", "summary": {"tables": 1}}}));
    let diff = whole.diff(&summary);
    assert_eq!(
        diff.to_string(),
        "- table ORDERS (2 columns)\nnote: the new lineage is a summary, which has no columns and no flows\n"
    );
    assert_eq!(
        diff.notes().iter().map(|note| (note.side, note.kind)).collect::<Vec<_>>(),
        [(DiffSide::New, DiffNoteKind::Summary)]
    );
    assert_eq!(summary.diff(&whole).notes()[0].side, DiffSide::Old);

    let cut = read(&json!({"data": {"mode": "ignoreRecordSet", "sqlflow": {"dbobjs": [orders(&[], "table")]}}}));
    assert_eq!(
        cut.diff(&whole).to_string(),
        "note: the old lineage has no record sets, so flows that depend on rows are missing\n"
    );

    let broken = read(&json!({"code": 203, "error": "line 1\nline 2", "data": {
        "dbobjs": [orders(&[], "table")],
        "relationships": [fdd("404", "OTOTAL")],
        "errors": [{"errorMessage": "syntax"}],
    }}));
    let diff = whole.diff(&broken);
    assert!(diff.is_empty(), "what is missing cannot be compared: {diff}");
    assert_eq!(
        diff.to_string(),
        "note: the new lineage has 1 error, so objects and flows may be missing\n\
         note: the new lineage has 2 warnings, so objects and flows may be missing\n\
         note: the new lineage has 1 unresolved endpoint, so flows may be missing\n"
    );
    assert_eq!(whole.diff_all(&broken).notes(), diff.notes());
    assert!(whole.diff(&whole).notes().is_empty());
}

/// A tree of servers, each with its tables in the schema `dbo` of the database `Db1`.
fn on_servers(servers: &[(&str, &[&str])]) -> Lineage {
    let mut id = 0;
    let mut next = || {
        id += 1;
        id.to_string()
    };
    let servers: Vec<Value> = servers
        .iter()
        .map(|(name, tables)| {
            let tables: Vec<Value> = tables
                .iter()
                .map(|table| {
                    let columns = json!([{"id": next(), "name": "C"}]);
                    json!({"id": next(), "name": table, "type": "table", "columns": columns})
                })
                .collect();
            json!({"name": name, "dbVendor": "dbvmssql", "supportsCatalogs": true, "supportsSchemas": true,
                   "databases": [{"name": "Db1", "schemas": [{"name": "dbo", "tables": tables}]}]})
        })
        .collect();
    read(&json!({"dbobjs": {"servers": servers}}))
}

#[test]
fn servers_count_if_one_side_has_several_and_both_name_one() {
    let one = on_servers(&[("SRV1", &["T"])]);
    let two = on_servers(&[("srv1", &["T"]), ("SRV2", &["T"])]);
    assert_eq!(one.diff(&two).to_string(), "+ table SRV2.Db1.dbo.T (1 column)\n");
    assert_eq!(two.diff(&one).to_string(), "- table SRV2.Db1.dbo.T (1 column)\n");
    assert_eq!(one.diff_all(&two).objects().added.len(), 1);
    // A server that was renamed is no difference, and neither is one that only one side names.
    assert!(one.diff(&on_servers(&[("SRV9", &["T"])])).is_empty());
    let unnamed = on_servers(&[("DEFAULT_SERVER", &["T"])]);
    assert!(unnamed.diff(&one).is_empty());
    assert!(unnamed.diff(&two).is_empty());
    let mixed = on_servers(&[("DEFAULT_SERVER", &["T"]), ("SRV1", &["T"])]);
    assert_eq!(one.diff(&mixed).to_string(), "+ table Db1.dbo.T (1 column)\n");
}

#[test]
fn programs_get_everything_as_sorted_json() {
    let old = lineage(&json!([orders(&[], "table"), report()]), &json!([fdd("ONOTE", "R2")]));
    let view = json!({"id": "3", "name": "V", "type": "view", "columns": [{"id": "4", "name": "X"}]});
    let new =
        lineage(&json!([view, report(), orders(&["TAX"], "view")]), &json!([fdd("OTOTAL", "4"), fdd("OTAX", "R1")]));
    let json = serde_json::to_value(old.diff(&new)).unwrap();
    assert_eq!(
        json,
        json!({
            "added": [
                {"record": "object", "kind": "view", "name": "V", "id": "3"},
                {"record": "column", "object": "ORDERS", "column": "TAX", "name": "ORDERS.TAX", "id": "OTAX",
                 "implied": false},
                {"record": "column", "object": "V", "column": "X", "name": "V.X", "id": "4", "implied": true},
                {"record": "column_flow", "source": "ORDERS.TAX", "target": "REPORT.SUM", "implied": false},
                {"record": "column_flow", "source": "ORDERS.TOTAL", "target": "V.X", "implied": true},
                {"record": "object_flow", "source": "ORDERS", "target": "V", "implied": true},
            ],
            "removed": [
                {"record": "column_flow", "source": "ORDERS.NOTE", "target": "REPORT.TEXT", "implied": false},
            ],
            "changed": [{"record": "object", "name": "ORDERS", "kind": "view", "old_kind": "table", "id": "1"}],
            "notes": [],
        })
    );
    let full = serde_json::to_value(old.diff_all(&new)).unwrap();
    assert_eq!(
        full["removed"][1],
        json!({"record": "relationship", "kind": "fdd", "effect": null, "id": "",
               "sources": ["ORDERS.NOTE"], "targets": ["REPORT.TEXT"]})
    );
    let summary = read(&json!({"data": {"mode": "summary", "summary": {"tables": 1}}}));
    let notes = serde_json::to_value(summary.diff(&summary)).unwrap()["notes"].clone();
    assert_eq!(
        notes[1],
        json!({"side": "new", "kind": "summary", "count": 1,
               "message": "the new lineage is a summary, which has no columns and no flows"})
    );
}

#[test]
fn thousands_of_objects_of_one_name_are_compared_in_linear_time() {
    let mut document = String::from(r#"{"dbobjs": ["#);
    for at in 0..20_000 {
        let comma = if at > 0 { "," } else { "" };
        write!(
            document,
            r#"{comma}{{"id": "{at}", "name": "T", "type": "k{at}", "columns": [{{"id": "c{at}", "name": "C"}}]}}"#
        )
        .unwrap();
    }
    document.push_str("]}");
    let (old, new): (Lineage, Lineage) = (document.parse().unwrap(), document.replace("\"k", "\"l").parse().unwrap());
    assert_eq!(old.diff(&new).to_string(), "~ l0 T (was k0)\n");
    assert_eq!(old.diff(&lineage(&json!([]), &json!([]))).to_string(), "- k0 T (1 column)\n");
    assert!(!old.diff_all(&new).is_empty());
}

#[test]
fn objects_and_columns_without_a_name_are_told_apart_by_their_ids() {
    let column = |id: &str| json!({"id": id, "name": null});
    let objects = json!([
        {"id": "1", "name": null, "type": "table", "columns": [column("2"), column("3")]},
        {"id": "5", "name": "", "type": "table", "columns": [column("6")]},
    ]);
    let unnamed = lineage(&objects, &json!([fdd("2", "6")]));
    let kept = lineage(&json!([objects[0]]), &json!([]));
    assert!(unnamed.diff(&unnamed).is_empty());
    let lost = unnamed.diff(&kept);
    assert_eq!(lost.objects().removed.len(), 1);
    assert_eq!(lost.column_flows().removed.len(), 1);
    assert_eq!(unnamed.diff(&lineage(&json!([]), &json!([]))).columns().removed.len(), 3);
}

#[test]
fn processes_that_were_renumbered_are_no_difference() {
    let with_process = |id: &str| {
        let objects = json!([
            {"id": "1", "name": "A", "type": "table"},
            {"id": "2", "name": "B", "type": "table"},
            {"id": id, "name": "Query Insert-1", "type": "process"},
        ]);
        lineage(&objects, &json!([fdd("1", id), fdd(id, "2")]))
    };
    assert!(with_process("3").diff_all(&with_process("4")).is_empty());
}
