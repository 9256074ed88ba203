//! The edges that questions follow: none that is there is missed, and none that is not there is invented. Every document
//! is read in each of the layouts.

#[allow(dead_code, reason = "each test program uses a part")]
mod layouts;

use serde_json::{Value, json};
use sqlflow_lineage::RelationType::{Er, Fdd, Fdr};
use sqlflow_lineage::{Diagram, EffectType, Lineage, RelationType, Relationship, Resolution, Vertex};

use self::layouts::{SmallModel, end};

fn names<T: ToString>(items: impl IntoIterator<Item = T>) -> Vec<String> {
    items.into_iter().map(|item| item.to_string()).collect()
}

fn csv(diagram: &Diagram<'_>) -> Vec<String> {
    let mut bytes = Vec::new();
    diagram.write_csv(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap().lines().skip(1).map(str::to_owned).collect()
}

fn upstream(lineage: &Lineage, name: &str) -> Vec<String> {
    match lineage.find(name).unwrap() {
        Vertex::Column(column) => names(column.upstream()),
        Vertex::Object(object) => names(object.upstream()),
    }
}

/// Two tables that a statement reads, and one that it writes.
fn table_level() -> SmallModel {
    SmallModel::default()
        .object("table", "a", "ORDERS", &[])
        .object("table", "b", "CUSTOMERS", &[])
        .object("table", "c", "REPORT", &[])
        .process("p", "Query Insert-1")
}

fn check_table_level(layout: &str, lineage: &Lineage) {
    assert_eq!(lineage.unresolved().count(), 0, "{layout}");
    assert_eq!(names(lineage.object_flows()), ["CUSTOMERS → REPORT", "ORDERS → REPORT"], "{layout}");
    assert_eq!(upstream(lineage, "report"), ["CUSTOMERS", "ORDERS"], "{layout}");
    assert_eq!(names(lineage.object("orders").unwrap().downstream()), ["REPORT"], "{layout}");
    assert_eq!(csv(&lineage.diagram()), [",,CUSTOMERS,,,,REPORT,,fdd,insert", ",,ORDERS,,,,REPORT,,fdd,insert"]);
    assert_eq!(names(lineage.object("orders").unwrap().readers()), ["Query Insert-1"], "{layout}");
    assert_eq!(names(lineage.object("report").unwrap().writers()), ["Query Insert-1"], "{layout}");
    let mut paths = names(lineage.object("report").unwrap().upstream().with_intermediates().paths());
    paths.sort();
    assert_eq!(paths, ["CUSTOMERS → REPORT", "ORDERS → REPORT"], "a process is no step of a path");
    let mut pictures = [Vec::new(), Vec::new(), Vec::new()];
    lineage.diagram().write_dot(&mut pictures[0]).unwrap();
    lineage.diagram().write_mermaid(&mut pictures[1]).unwrap();
    lineage.diagram().with_intermediates().write_graphml(&mut pictures[2]).unwrap();
    for (picture, edge) in pictures.iter().zip(["n1 -> n2", "n1 --> n2", r#"source="n1" target="n2""#]) {
        let picture = String::from_utf8_lossy(picture);
        assert!(picture.contains(edge), "{layout}: {picture}");
    }
    let mut events = Vec::new();
    lineage.openlineage().write(&mut events).unwrap();
    let events = String::from_utf8(events).unwrap();
    for table in ["ORDERS", "CUSTOMERS", "REPORT"] {
        assert!(events.contains(&format!(r#""name":"{table}""#)), "{layout}: {events}");
    }
}

#[test]
fn values_flow_from_table_to_process_to_table() {
    let model = table_level()
        .relationship("fdd", "insert", &[table_end("a", "ORDERS")], &end("p"))
        .relationship("fdd", "insert", &[table_end("b", "CUSTOMERS")], &end("p"))
        .relationship(
            "fdd",
            "insert",
            &[json!({"id": "p", "sourceId": "p", "sourceName": "Query Insert-1"})],
            &end("c"),
        );
    for (layout, lineage) in model.lineages() {
        check_table_level(layout, &lineage);
        let into = lineage.relationships().next().unwrap().target().unwrap();
        assert_eq!(into.process().unwrap().name(), "Query Insert-1", "{layout}");
        assert!(into.object().is_none() && into.column().is_none());
    }
}

fn table_end(id: &str, name: &str) -> Value {
    json!({"id": id, "sourceId": id, "sourceName": name, "coordinates": []})
}

#[test]
fn a_column_named_table_stands_for_the_table_that_the_parent_id_means() {
    let whole = |id: &str, parent: &str| json!({"id": id, "column": "TABLE", "parentId": parent, "parentName": "X"});
    let model = table_level()
        .relationship("fdd", "insert", &[whole("901", "a"), whole("902", "b")], &whole("903", "p"))
        .relationship("fdd", "insert", &[whole("904", "p")], &whole("905", "c"));
    for (layout, lineage) in model.lineages() {
        check_table_level(layout, &lineage);
    }
    let directly =
        table_level().relationship("fdd", "insert", &[whole("901", "a"), whole("902", "b")], &whole("903", "c"));
    for (layout, lineage) in directly.lineages() {
        assert_eq!(names(lineage.object_flows()), ["CUSTOMERS → REPORT", "ORDERS → REPORT"], "{layout}");
    }
}

#[test]
fn a_table_that_has_a_column_named_table_keeps_it() {
    let whole = json!({"id": "901", "column": "TABLE", "parentId": "a"});
    let model = SmallModel::default()
        .object("table", "a", "T", &["TABLE"])
        .object("table", "b", "U", &["X"])
        .relationship("fdd", "insert", &[whole], &end("b.X"));
    for (layout, lineage) in model.lineages() {
        assert_eq!(names(lineage.column_flows()), ["T.TABLE → U.X"], "{layout}");
    }
}

/// A source of `REPORT.TOTAL` that is given by names.
fn named_source(source: Value) -> SmallModel {
    SmallModel::default()
        .object("table", "a", "SALES.ORDERS", &["AMOUNT"])
        .object("table", "b", "STAGE.ORDERS", &["AMOUNT"])
        .object("table", "d", "LINES", &["AMOUNT", "amount"])
        .object("view", "c", "REPORT", &["TOTAL"])
        .relationship("fdd", "create_view", &[source], &end("c.TOTAL"))
}

#[test]
fn an_endpoint_whose_id_stands_nowhere_is_resolved_by_its_parent_id_and_then_by_its_parent_name() {
    for (source, flow, resolution) in [
        (json!({"id": "404", "column": "amount", "parentId": "b"}), "STAGE.ORDERS.AMOUNT", Resolution::ParentId),
        (json!({"column": "\"AMOUNT\"", "parentId": "a"}), "SALES.ORDERS.AMOUNT", Resolution::ParentId),
        (
            json!({"id": "404", "column": "AMOUNT", "parentId": "405", "parentName": "sales.orders"}),
            "SALES.ORDERS.AMOUNT",
            Resolution::ParentName,
        ),
        (
            json!({"column": "AMOUNT", "parentName": "DEFAULT.STAGE.ORDERS"}),
            "STAGE.ORDERS.AMOUNT",
            Resolution::ParentName,
        ),
        (json!({"column": "amount", "parentId": "d"}), "LINES.amount", Resolution::ParentId),
    ] {
        for (layout, lineage) in named_source(source.clone()).lineages() {
            let flow = format!("{flow} → REPORT.TOTAL");
            assert_eq!(names(lineage.column_flows()), [flow], "{layout}: {source}");
            let relationship = lineage.relationships().next().unwrap();
            let end = relationship.sources().next().unwrap();
            assert_eq!(end.resolution(), resolution, "{layout}: {source}");
            assert_eq!(lineage.unresolved().count(), 0, "{layout}: {source}");
            assert!(lineage.column("report", "total").unwrap().upstream().unresolved().is_empty());
        }
    }
}

#[test]
fn an_endpoint_that_its_names_do_not_resolve_is_listed_by_every_question_and_picture() {
    for (source, resolution) in [
        (json!({"id": "404", "column": "AMOUNT", "parentName": "ORDERS"}), Resolution::Ambiguous),
        (json!({"id": "404", "column": "Amount", "parentName": "LINES"}), Resolution::Ambiguous),
        (json!({"id": "404", "column": "GONE", "parentId": "a"}), Resolution::Unknown),
        (json!({"id": "404", "column": "AMOUNT", "parentName": "NOWHERE"}), Resolution::Unknown),
        (json!({"id": "404"}), Resolution::Unknown),
        (json!({}), Resolution::Unknown),
    ] {
        for (layout, lineage) in named_source(source.clone()).lineages() {
            assert!(lineage.column_flows().is_empty(), "{layout}: {source}");
            let lost: Vec<_> = lineage.unresolved().collect();
            assert_eq!(lost.len(), 1, "{layout}: {source}");
            assert_eq!(lost[0].resolution(), resolution, "{layout}: {source}");
            let total = lineage.column("report", "total").unwrap();
            assert_eq!(total.upstream().unresolved(), lost, "{layout}: {source}");
            assert_eq!(total.object().upstream().unresolved(), lost, "{layout}: {source}");
            assert_eq!(total.upstream().diagram().unresolved(), lost, "{layout}: {source}");
            assert_eq!(lineage.diagram().unresolved(), lost, "{layout}: {source}");
            assert_eq!(lineage.diagram().over([Fdr]).unresolved(), [], "filters are complete");
            for picture in pictures(&lineage.diagram()) {
                assert!(picture.contains("1 edge is not shown"), "{layout}: {picture}");
            }
            assert_eq!(lineage.openlineage().unresolved(), lost, "{layout}: {source}");
            assert_eq!(total.upstream().openlineage().unresolved(), lost, "{layout}: {source}");
            let events: Vec<String> = lineage.openlineage().events().unwrap().collect();
            assert!(events.last().unwrap().contains("1 edge is not shown"), "{layout}: {events:?}");
        }
    }
}

fn pictures(diagram: &Diagram<'_>) -> [String; 3] {
    let mut pictures = [Vec::new(), Vec::new(), Vec::new()];
    diagram.write_dot(&mut pictures[0]).unwrap();
    diagram.write_mermaid(&mut pictures[1]).unwrap();
    diagram.write_graphml(&mut pictures[2]).unwrap();
    pictures.map(|picture| String::from_utf8(picture).unwrap())
}

#[test]
fn a_picture_that_shows_everything_has_no_note() {
    for (layout, lineage) in named_source(end("a.AMOUNT")).lineages() {
        for picture in pictures(&lineage.diagram()) {
            assert!(!picture.contains("not shown"), "{layout}: {picture}");
        }
    }
}

#[test]
fn an_id_that_several_records_have_means_the_one_that_the_names_fit() {
    let mut model = SmallModel::default()
        .object("table", "a", "ORDERS", &["AMOUNT"])
        .object("table", "b", "LINES", &["PRICE"])
        .object("view", "c", "REPORT", &["TOTAL"]);
    model.objects[1].1["columns"][0]["id"] = "a.AMOUNT".into();
    let with = |source: Value| model.clone().relationship("fdd", "create_view", &[source], &end("c.TOTAL"));
    for (source, flow) in [
        (json!({"id": "a.AMOUNT", "column": "PRICE"}), "LINES.PRICE → REPORT.TOTAL"),
        (json!({"id": "a.AMOUNT", "column": "AMOUNT", "parentId": "a"}), "ORDERS.AMOUNT → REPORT.TOTAL"),
    ] {
        for (layout, lineage) in with(source).lineages() {
            assert_eq!(names(lineage.column_flows()), [flow], "{layout}");
            assert_eq!(lineage.duplicate_ids().collect::<Vec<_>>(), ["a.AMOUNT"], "{layout}");
        }
    }
    for (layout, lineage) in with(end("a.AMOUNT")).lineages() {
        assert!(lineage.column_flows().is_empty(), "{layout}: nothing tells which of the two is meant");
        assert_eq!(lineage.unresolved().next().unwrap().resolution(), Resolution::Ambiguous, "{layout}");
    }
}

#[test]
fn a_merge_keeps_what_names_meant_in_their_own_document() {
    let named =
        named_source(json!({"column": "AMOUNT", "parentName": "LINES2"})).object("table", "e", "LINES2", &["AMOUNT"]);
    let other = SmallModel::default().object("table", "x", "OTHER.LINES2", &["AMOUNT"]);
    let stray = SmallModel::default().object("view", "v", "V", &["TOTAL"]).relationship(
        "fdd",
        "create_view",
        &[json!({"id": "404", "column": "AMOUNT", "parentName": "LINES2"})],
        &end("v.TOTAL"),
    );
    for ((layout, named), (_, other)) in named.lineages().zip(other.lineages()) {
        let both = Lineage::merge([&named, &other]).unwrap();
        assert_eq!(names(both.column_flows()), ["LINES2.AMOUNT → REPORT.TOTAL"], "{layout}");
    }
    for ((layout, named), (_, stray)) in named.lineages().zip(stray.lineages()) {
        assert_eq!(stray.unresolved().count(), 1, "{layout}");
        let both = Lineage::merge([&named, &stray]).unwrap();
        assert_eq!(both.unresolved().count(), 0, "{layout}: the other document has the record");
        assert_eq!(names(both.column_flows()), ["LINES2.AMOUNT → REPORT.TOTAL", "LINES2.AMOUNT → V.TOTAL"], "{layout}");
    }
}

#[test]
fn fda_and_fdc_carry_values_and_are_followed_by_default() {
    let model = SmallModel::default()
        .object("table", "a", "A", &["X"])
        .object("select_list", "r", "RS-1", &["X"])
        .object("table", "b", "B", &["X"])
        .edge("fda", "select", "a.X", "r.X")
        .edge("fdc", "insert", "r.X", "b.X");
    for (layout, lineage) in model.lineages() {
        assert_eq!(names(lineage.column_flows()), ["A.X → B.X"], "{layout}");
        assert_eq!(upstream(&lineage, "b.x"), ["A.X"], "{layout}");
        assert_eq!(names(lineage.object_flows()), ["A → B"], "{layout}");
        assert!(lineage.column("b", "x").unwrap().upstream().over([Fdd]).to_vec().is_empty(), "{layout}");
    }
}

#[test]
fn renames_swaps_and_the_conditions_of_a_merge_are_known_effects() {
    for (text, effect) in [
        ("merge_when", EffectType::MergeWhen),
        ("rename_table", EffectType::RenameTable),
        ("swapTable", EffectType::SwapTable),
    ] {
        let model = SmallModel::default()
            .object("table", "a", "A", &["X"])
            .object("table", "b", "B", &["X"])
            .edge("fdd", text, "a.X", "b.X");
        for (layout, lineage) in model.lineages() {
            assert_eq!(lineage.column_flows()[0].effects(), std::slice::from_ref(&effect), "{layout}");
        }
    }
}

#[test]
fn a_call_keeps_its_statement_and_its_coordinates() {
    let mut model = SmallModel::default().object("procedure", "p", "P", &[]).object("procedure", "q", "Q", &[]);
    model.relationships.push(json!({
        "id": "1", "type": "call", "callStmt": "CALL Q()", "callCoordinate": "[3,5,0],[3,13,0]",
        "caller": {"id": "p", "name": "P"}, "callees": [{"id": "q", "name": "Q"}],
    }));
    for (layout, lineage) in model.lineages() {
        assert_eq!(lineage.unknown_fields().count(), 0, "{layout}");
        let mut written = Vec::new();
        lineage.write_json(&mut written).unwrap();
        let again = Lineage::from_slice(&written).unwrap();
        let merged = Lineage::merge([&again, &lineage]).unwrap();
        for lineage in [&lineage, &again, &merged] {
            let call = lineage.relationships().last().unwrap();
            assert_eq!(call.call_statement(), Some("CALL Q()"), "{layout}");
            let lines: Vec<_> = call.call_coordinates().map(|at| (at.line(), at.column())).collect();
            assert_eq!(lines, [(3, 5), (3, 13)], "{layout}");
        }
        assert_eq!(lineage.relationships().next().unwrap().to_string(), "P → Q (call)");
    }
}

#[test]
fn a_script_of_plain_selects_has_flows_into_the_columns_of_its_results() {
    let model = SmallModel::default()
        .object("table", "e", "EMP", &["NAME", "DEPT"])
        .object("with_cte", "c", "CTE-X-1", &["NAME"])
        .object("select_list", "q", "RESULT_OF_x-1", &["NAME"])
        .object("select_list", "r", "RS-1", &["NAME", "RelationRows"])
        .object("select_union", "u", "RESULT_OF_UNION-1", &["DEPT"])
        .flow("e.NAME", "c.NAME")
        .flow("c.NAME", "r.NAME")
        .flow("e.NAME", "q.NAME")
        .flow("e.DEPT", "u.DEPT")
        .edge("fdr", "select", "e.DEPT", "r.RelationRows");
    for (layout, lineage) in model.lineages() {
        let flows = lineage.column_flows();
        assert_eq!(names(&flows), ["EMP.DEPT → RESULT_OF_UNION-1.DEPT", "EMP.NAME → RS-1.NAME"], "{layout}");
        assert!(flows.iter().all(|flow| flow.target.object().is_result_set()), "{layout}");
        let marked = names(lineage.objects().filter(sqlflow_lineage::Object::is_result_set));
        assert_eq!(marked.len(), 2, "{layout}: {marked:?}");
        assert_eq!(upstream(&lineage, "RS-1"), ["EMP"], "{layout}");
        assert_eq!(upstream(&lineage, "RS-1.NAME"), ["EMP.NAME"], "{layout}");
        assert_eq!(names(lineage.column("emp", "name").unwrap().downstream()), ["RS-1.NAME"], "{layout}");
        let expected = [",,EMP,DEPT,,,RESULT_OF_UNION-1,DEPT,fdd,select", ",,EMP,NAME,,,RS-1,NAME,fdd,select"];
        assert_eq!(csv(&lineage.diagram()), expected, "{layout}");
        assert_eq!(names(lineage.object_flows()), ["EMP → RESULT_OF_UNION-1", "EMP → RS-1"], "{layout}");
    }
}

#[test]
fn a_select_that_a_view_is_made_of_is_no_result_set() {
    let model = SmallModel::default()
        .object("table", "e", "EMP", &["NAME"])
        .object("select_list", "r", "RS-1", &["NAME"])
        .object("view", "v", "V", &["NAME"])
        .flow("e.NAME", "r.NAME")
        .edge("fdd", "create_view", "r.NAME", "v.NAME");
    for (layout, lineage) in model.lineages() {
        assert_eq!(names(lineage.column_flows()), ["EMP.NAME → V.NAME"], "{layout}");
    }
}

#[test]
fn tracing_an_intermediate_draws_the_edges_of_its_columns_only() {
    let model = SmallModel::default()
        .object("table", "e", "EMP", &["NAME", "DEPT"])
        .object("select_list", "r", "RS-1", &["NAME", "DEPT"])
        .object("view", "v", "V", &["NAME", "DEPT"])
        .flow("e.NAME", "r.NAME")
        .flow("e.DEPT", "r.DEPT")
        .edge("fdd", "create_view", "r.NAME", "v.NAME")
        .edge("fdd", "create_view", "r.DEPT", "v.DEPT");
    for (layout, lineage) in model.lineages() {
        let result = lineage.object("RS-1").unwrap();
        let expected = [",,EMP,DEPT,,,RS-1,DEPT,fdd,select", ",,EMP,NAME,,,RS-1,NAME,fdd,select"];
        assert_eq!(csv(&result.upstream().diagram()), expected, "{layout}");
        assert_eq!(csv(&result.upstream().with_intermediates().diagram()), expected, "{layout}");
        let expected = [",,RS-1,DEPT,,,V,DEPT,fdd,create_view", ",,RS-1,NAME,,,V,NAME,fdd,create_view"];
        assert_eq!(csv(&result.downstream().diagram()), expected, "{layout}");
    }
}

/// Eighty columns that pass through `RS-1.*` into `RS-2`, from there into a view.
fn star(targets: &[&str]) -> SmallModel {
    let columns: Vec<String> = (0..80).map(|number| format!("C{number}")).collect();
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let mut model = SmallModel::default()
        .object("table", "t", "T", &columns)
        .object("select_list", "r", "RS-1", &["*"])
        .object("select_list", "s", "RS-2", targets)
        .object("view", "v", "V", targets);
    let sources: Vec<Value> = columns.iter().map(|column| end(&format!("t.{column}"))).collect();
    model = model.relationship("fdd", "select", &sources, &end("r.*"));
    for target in targets {
        model = model.flow("r.*", &format!("s.{target}")).edge(
            "fdd",
            "create_view",
            &format!("s.{target}"),
            &format!("v.{target}"),
        );
    }
    model
}

#[test]
fn a_value_that_passes_through_a_star_comes_from_the_column_of_its_name() {
    for (layout, lineage) in star(&["c5", "C7"]).lineages() {
        assert_eq!(names(lineage.column_flows()), ["T.C5 → V.c5", "T.C7 → V.C7"], "{layout}");
        assert_eq!(upstream(&lineage, "v.c5"), ["T.C5"], "{layout}");
        assert_eq!(upstream(&lineage, "RS-2.c5"), ["T.C5"], "{layout}");
        assert_eq!(names(lineage.column("t", "c5").unwrap().downstream()), ["V.c5"], "{layout}");
        assert!(lineage.column("t", "c6").unwrap().downstream().to_vec().is_empty(), "{layout}");
        let shown = lineage.column("v", "c5").unwrap().upstream().with_intermediates();
        assert_eq!(names(shown.clone()), ["RS-1.*", "RS-2.c5", "T.C5"], "{layout}");
        assert_eq!(names(shown.paths()), ["T.C5 → RS-1.* → RS-2.c5 → V.c5"], "{layout}");
        assert_eq!(csv(&shown.diagram()).len(), 3, "{layout}");
        assert_eq!(names(lineage.column("v", "c5").unwrap().upstream().ultimate()), ["T.C5"], "{layout}");
    }
}

#[test]
fn a_value_that_was_renamed_after_a_star_can_come_from_any_column() {
    for (layout, lineage) in star(&["renamed", "C7"]).lineages() {
        assert_eq!(upstream(&lineage, "v.renamed").len(), 80, "{layout}");
        assert_eq!(upstream(&lineage, "v.c7"), ["T.C7"], "{layout}");
        assert_eq!(names(lineage.column("t", "c7").unwrap().downstream()), ["V.C7", "V.renamed"], "{layout}");
        assert_eq!(names(lineage.column("t", "c6").unwrap().downstream()), ["V.renamed"], "{layout}");
    }
}

#[test]
fn a_value_keeps_its_name_through_a_chain_of_stars() {
    let model = SmallModel::default()
        .object("table", "t", "T", &["A", "B"])
        .object("table", "u", "U", &["A", "C"])
        .object("select_list", "r", "RS-1", &["*"])
        .object("select_list", "s", "RS-2", &["*"])
        .object("view", "v", "V", &["A", "B", "C"])
        .relationship("fdd", "select", &[end("t.A"), end("t.B")], &end("r.*"))
        .relationship("fdd", "select", &[end("r.*"), end("u.A"), end("u.C")], &end("s.*"))
        .edge("fdd", "create_view", "s.*", "v.A")
        .edge("fdd", "create_view", "s.*", "v.B")
        .edge("fdd", "create_view", "s.*", "v.C");
    for (layout, lineage) in model.lineages() {
        let expected = ["T.A → V.A", "T.B → V.B", "U.A → V.A", "U.C → V.C"];
        assert_eq!(names(lineage.column_flows()), expected, "{layout}: A can come from both tables");
        assert_eq!(names(lineage.column("t", "b").unwrap().downstream()), ["V.B"], "{layout}");
    }
}

fn with_foreign_key() -> SmallModel {
    SmallModel::default()
        .object("table", "c", "CUSTOMERS", &["ID"])
        .object("table", "o", "ORDERS", &["CUSTOMER_ID"])
        .object("view", "v", "V", &["CUSTOMER_ID"])
        .edge("fdd", "foreign_key", "c.ID", "o.CUSTOMER_ID")
        .edge("fdd", "create_view", "o.CUSTOMER_ID", "v.CUSTOMER_ID")
}

#[test]
fn a_foreign_key_is_no_flow_unless_it_is_asked_for() {
    for (layout, lineage) in with_foreign_key().lineages() {
        assert_eq!(names(lineage.column_flows()), ["ORDERS.CUSTOMER_ID → V.CUSTOMER_ID"], "{layout}");
        assert_eq!(names(lineage.object_flows()), ["ORDERS → V"], "{layout}");
        assert_eq!(upstream(&lineage, "v.customer_id"), ["ORDERS.CUSTOMER_ID"], "{layout}");
        assert_eq!(csv(&lineage.diagram()).len(), 1, "{layout}");
        assert_eq!(lineage.relationships().filter(Relationship::is_foreign_key).count(), 1, "{layout}");

        let all = lineage.all_column_flows();
        assert_eq!(names(&all), ["CUSTOMERS.ID → ORDERS.CUSTOMER_ID", "ORDERS.CUSTOMER_ID → V.CUSTOMER_ID"]);
        assert_eq!(all.iter().map(sqlflow_lineage::ColumnFlow::is_foreign_key).collect::<Vec<_>>(), [true, false]);
        assert_eq!(all[0].effects(), [EffectType::ForeignKey], "{layout}");
        let column = lineage.column("v", "customer_id").unwrap();
        assert_eq!(names(column.upstream().with_foreign_keys()), ["CUSTOMERS.ID", "ORDERS.CUSTOMER_ID"], "{layout}");
        assert_eq!(csv(&lineage.diagram().with_foreign_keys()).len(), 2, "{layout}");
    }
}

#[test]
fn a_foreign_key_of_its_own_type_is_followed_if_the_type_is_requested() {
    let model = SmallModel::default()
        .object("table", "c", "CUSTOMERS", &["ID"])
        .object("table", "o", "ORDERS", &["CUSTOMER_ID"])
        .edge("er", "foreign_key", "c.ID", "o.CUSTOMER_ID");
    for (layout, lineage) in model.lineages() {
        assert!(lineage.column_flows().is_empty(), "{layout}");
        let column = lineage.column("orders", "customer_id").unwrap();
        assert_eq!(names(column.upstream().over(&[Er])), ["CUSTOMERS.ID"], "{layout}");
        assert_eq!(column.impact().foreign_keys.len(), 1, "{layout}");
    }
}

#[test]
fn an_impact_lists_foreign_keys_under_a_heading_of_their_own() {
    for (layout, lineage) in with_foreign_key().lineages() {
        let impact = lineage.column("customers", "id").unwrap().impact();
        assert!(impact.columns.is_empty() && impact.objects.is_empty(), "{layout}: {impact}");
        assert!(impact.relationships.is_empty() && !impact.is_empty(), "{layout}: {impact}");
        let heading = "foreign keys (1)\n  CUSTOMERS.ID → ORDERS.CUSTOMER_ID (fdd, foreign_key)\n";
        assert!(impact.to_string().contains(heading), "{layout}: {impact}");
    }
}

#[test]
fn an_impact_says_that_the_lineage_cannot_know_filters_and_joins() {
    let model = SmallModel::default()
        .object("table", "o", "ORDERS", &["STATUS", "TOTAL"])
        .object("view", "v", "V", &["TOTAL", "RelationRows"])
        .edge("fdd", "create_view", "o.TOTAL", "v.TOTAL");
    for (document, (layout, unknown)) in model.documents().into_iter().zip(model.lineages()) {
        let impact = unknown.column("orders", "status").unwrap().impact();
        assert_eq!(impact.uncertain_types, [Fdr, RelationType::Frd, RelationType::Join], "{layout}");
        assert!(!impact.is_complete(), "{layout}");
        assert!(
            impact.to_string().contains("whether fdr, frd, join relationships were requested"),
            "{layout}: {impact}"
        );

        let requested = Lineage::reader().requested_types(RelationType::DEPENDENCIES);
        let known = requested.read_slice(document.as_bytes()).unwrap();
        let impact = known.column("orders", "status").unwrap().impact();
        assert!(impact.is_complete() && impact.is_empty(), "{layout}: {impact}");
        assert_eq!(impact.to_string(), "impact of ORDERS.STATUS\nnothing that is known depends on it\n", "{layout}");
    }
}

#[test]
fn an_impact_without_record_sets_or_with_lost_edges_is_not_complete() {
    let model = named_source(json!({"id": "404", "column": "AMOUNT", "parentName": "NOWHERE"}));
    let read = |document: &str| {
        let requested = Lineage::reader().requested_types(RelationType::DEPENDENCIES);
        requested.read_slice(document.as_bytes()).unwrap()
    };
    let [_, flat, ..] = model.documents();
    let reduced = read(&flat.replace("global", "ignoreRecordSet"));
    let impact = reduced.column("sales.orders", "amount").unwrap().impact();
    assert!(!impact.is_complete() && impact.to_string().contains("record sets"), "{impact}");

    let lost = SmallModel::default().object("table", "o", "ORDERS", &["TOTAL"]).relationship(
        "fdd",
        "create_view",
        &[end("o.TOTAL")],
        &json!({"id": "404", "column": "X", "parentName": "GONE"}),
    );
    for document in lost.documents() {
        let lineage = read(&document);
        let impact = lineage.column("orders", "total").unwrap().impact();
        assert_eq!(impact.unresolved.len(), 1);
        assert!(!impact.is_complete());
        assert!(impact.to_string().contains("GONE.X (not in the document)"), "{impact}");
    }
}

fn check_inserted_sum(layout: &str, lineage: &Lineage) {
    let flows = lineage.column_flows();
    assert_eq!(names(&flows), ["ORDERS.TOTAL → REPORT.TOTAL"], "{layout}");
    assert_eq!(flows[0].effects(), [EffectType::Insert], "{layout}");
    assert_eq!(names(flows[0].statements()), ["Query Insert-1"], "{layout}");
    assert_eq!(flows[0].functions(), ["SUM"], "{layout}");
}

#[test]
fn a_flow_tells_its_effect_its_statement_and_its_function() {
    let mut model = SmallModel::default()
        .object("table", "o", "ORDERS", &["TOTAL"])
        .object("function", "f", "SUM", &["SUM"])
        .object("insert-select", "i", "INSERT-SELECT-1", &["SUM"])
        .object("table", "r", "REPORT", &["TOTAL"])
        .process("p", "Query Insert-1")
        .edge("fdd", "function", "o.TOTAL", "f.SUM")
        .flow("f.SUM", "i.SUM")
        .edge("fdd", "insert", "i.SUM", "r.TOTAL");
    model.relationships[2]["processId"] = "p".into();
    for (layout, lineage) in model.lineages() {
        check_inserted_sum(layout, &lineage);
        assert!(!lineage.column_flows()[0].is_foreign_key(), "{layout}");
    }
}

#[test]
fn an_empty_text_does_not_hide_what_another_step_of_the_flow_says() {
    let mut model = SmallModel::default()
        .object("table", "o", "ORDERS", &["TOTAL"])
        .object("insert-select", "i", "INSERT-SELECT-1", &["SUM"])
        .object("table", "r", "REPORT", &["TOTAL"])
        .process("p", "Query Insert-1")
        .edge("fdd", "insert", "o.TOTAL", "i.SUM")
        .edge("fdd", "", "i.SUM", "r.TOTAL");
    model.relationships[0]["processId"] = "p".into();
    model.relationships[0]["function"] = "SUM".into();
    model.relationships[1]["processId"] = "".into();
    model.relationships[1]["function"] = "".into();
    for (layout, lineage) in model.lineages() {
        check_inserted_sum(layout, &lineage);
        assert_eq!(csv(&lineage.diagram()), [",,ORDERS,TOTAL,,,REPORT,TOTAL,fdd,insert"], "{layout}");
        let of_intermediates = csv(&lineage.diagram().with_intermediates());
        assert_eq!(of_intermediates[0], ",,INSERT-SELECT-1,SUM,,,REPORT,TOTAL,fdd,", "{layout}");
    }
}

#[test]
fn a_field_that_is_given_and_empty_changes_no_answer() {
    let mut absent = SmallModel::default()
        .object("table", "o", "ORDERS", &["TOTAL", "TAX"])
        .object("table", "c", "CUSTOMERS", &["ID"])
        .object("insert-select", "i", "INSERT-SELECT-1", &["SUM", "RelationRows"])
        .object("table", "r", "REPORT", &["TOTAL"])
        .process("p", "Query Insert-1")
        .flow("o.TOTAL", "i.SUM")
        .edge("fdd", "insert", "i.SUM", "r.TOTAL")
        .edge("join", "join", "o.TAX", "c.ID")
        .edge("fdr", "select", "c.ID", "i.RelationRows")
        .relationship(
            "fdd",
            "insert",
            &[json!({"id": "c.ID"}), json!({"column": "TAX", "parentName": "ORDERS"})],
            &end("r"),
        );
    let mut given = absent.clone();
    for relationship in &mut absent.relationships {
        relationship.as_object_mut().unwrap().remove("effectType");
    }
    for relationship in &mut given.relationships {
        let fields = relationship.as_object_mut().unwrap();
        for field in ["effectType", "function", "processId", "condition", "joinType"] {
            fields.insert(field.into(), "".into());
        }
        let sources = fields["sources"].as_array_mut().unwrap().iter_mut();
        for end in sources {
            for field in ["id", "column", "parentId", "parentName", "clauseType", "tableId", "tableName", "columnType"]
            {
                end.as_object_mut().unwrap().entry(field).or_insert("".into());
            }
        }
    }
    let types = [Fdd, Fdr, RelationType::Join];
    let answers = |lineage: &Lineage| {
        let flows = lineage.column_flows();
        let said = flows
            .iter()
            .map(|flow| format!("{flow} {:?} {:?} {:?}", flow.effects(), flow.functions(), flow.statements()));
        let mut answers: Vec<String> = said.collect();
        answers.extend(csv(&lineage.diagram().over(types.clone())));
        answers.extend(csv(&lineage.diagram().over(types.clone()).with_intermediates()));
        answers.extend(pictures(&lineage.diagram()));
        answers.push(format!("{:?}", lineage.column("ORDERS", "TAX").unwrap().impact()));
        let events =
            lineage.openlineage().event_time(std::time::UNIX_EPOCH).run_id("939fdbba-f52b-4513-9b86-c0761d6036b0");
        for events in [events.clone(), events.clone().per_process(), events.as_one_event()] {
            let mut json = Vec::new();
            events.write(&mut json).unwrap();
            answers.push(String::from_utf8(json).unwrap());
        }
        answers.extend(lineage.unresolved().map(|end| end.to_string()));
        answers
    };
    for ((layout, absent), (_, given)) in absent.lineages().zip(given.lineages()) {
        let (expected, found) = (answers(&absent), answers(&given));
        assert!(expected.len() > 8, "{expected:?}");
        assert_eq!(found, expected, "{layout}");
    }
}

#[test]
fn an_endpoint_with_empty_fields_is_no_other_one_in_a_comparison() {
    let with = |fields: &Value| {
        let mut source = json!({"id": "lost", "sourceName": "RATES"});
        source.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        SmallModel::default().object("table", "r", "REPORT", &["TOTAL"]).relationship(
            "fdd",
            "insert",
            &[source],
            &end("r.TOTAL"),
        )
    };
    let (absent, given) = (with(&json!({})), with(&json!({"column": "", "parentName": ""})));
    for ((layout, absent), (_, given)) in absent.lineages().zip(given.lineages()) {
        let diff = absent.diff_all(&given);
        assert!(diff.is_empty(), "{layout}: {diff}");
        let (_, named) = with(&json!({"column": "RATE"})).lineages().next().unwrap();
        assert!(!absent.diff_all(&named).is_empty(), "{layout}");
    }
}

#[test]
fn an_empty_id_belongs_to_no_record() {
    let mut model = SmallModel::default()
        .object("table", "o", "ORDERS", &["TOTAL", "TAX"])
        .object("table", "r", "REPORT", &["TOTAL"])
        .process("p", "Query Insert-1")
        .relationship("fdd", "insert", &[json!({"id": "", "parentName": "ORDERS", "column": "TAX"})], &end("r.TOTAL"))
        .relationship("fdd", "insert", &[json!({"id": "", "column": "UNKNOWN"})], &end("r.TOTAL"));
    model.objects[0].1["id"] = "".into();
    model.objects[0].1["columns"][0]["id"] = "".into();
    model.processes[0]["id"] = "".into();
    model.relationships[0]["processId"] = "".into();
    for (layout, lineage) in model.lineages() {
        assert_eq!(names(lineage.column_flows()), ["ORDERS.TAX → REPORT.TOTAL"], "{layout}");
        assert!(lineage.column_flows()[0].statements().is_empty(), "{layout}");
        assert_eq!(lineage.unresolved().count(), 1, "{layout}");
        assert!(lineage.column_by_id("").is_none() && lineage.object_by_id("").is_none(), "{layout}");
        assert!(lineage.process_by_id("").is_none(), "{layout}");
    }
}

#[test]
fn an_endpoint_with_a_column_and_a_table_id_means_the_column() {
    let ends = |column: &str| json!({"id": "404", "sourceId": "o", "sourceName": "ORDERS", "column": column});
    let with = |source: Value| {
        SmallModel::default()
            .object("table", "o", "ORDERS", &["AMOUNT"])
            .object("view", "r", "REPORT", &["TOTAL"])
            .relationship("fdd", "create_view", &[source], &end("r.TOTAL"))
    };
    for (layout, lineage) in with(ends("amount")).lineages() {
        assert_eq!(names(lineage.column_flows()), ["ORDERS.AMOUNT → REPORT.TOTAL"], "{layout}");
    }
    for (layout, lineage) in with(ends("NONE")).lineages() {
        assert!(lineage.column_flows().is_empty() && lineage.object_flows().is_empty(), "{layout}");
        assert_eq!(lineage.unresolved().count(), 1, "{layout}");
    }
}

#[test]
fn an_endpoint_that_names_no_column_means_the_table_even_if_a_column_has_no_name() {
    for column in [json!(null), json!("")] {
        let mut model = SmallModel::default()
            .object("table", "o", "ORDERS", &["AMOUNT", "NOTE"])
            .object("view", "r", "REPORT", &[])
            .relationship("fdd", "create_view", &[json!({"id": "", "parentId": "o", "column": column})], &end("r"));
        model.objects[0].1["columns"][1]["name"] = Value::Null;
        for (layout, lineage) in model.lineages() {
            assert_eq!(names(lineage.object_flows()), ["ORDERS → REPORT"], "{layout}, {column}");
            assert_eq!(lineage.unresolved().count(), 0, "{layout}, {column}");
        }
    }
}

#[test]
fn an_id_that_arguments_of_two_routines_have_means_neither() {
    let mut model = SmallModel::default()
        .object("table", "o", "ORDERS", &["AMOUNT"])
        .object("procedure", "p", "P", &[])
        .object("procedure", "q", "Q", &[])
        .object("table", "r", "REPORT", &["TOTAL"])
        .flow("o.AMOUNT", "x")
        .flow("p", "r.TOTAL");
    for at in [1, 2] {
        model.objects[at].1["arguments"] = json!([{"id": "x", "name": "X", "coordinates": []}]);
    }
    for (layout, lineage) in model.lineages() {
        assert!(lineage.object_flows().is_empty(), "{layout}");
        let lost: Vec<Resolution> = lineage.unresolved().map(|end| end.resolution()).collect();
        assert_eq!(lost, [Resolution::Ambiguous], "{layout}");
        assert_eq!(lineage.duplicate_ids().collect::<Vec<_>>(), ["x"], "{layout}");
    }
    model.relationships[0]["target"]["parentId"] = "p".into();
    for (layout, lineage) in model.lineages() {
        assert_eq!(names(lineage.object_flows()), ["ORDERS → REPORT"], "{layout}");
    }
}

#[test]
fn a_result_that_is_sorted_by_its_own_column_or_feeds_itself_is_a_result_set() {
    let model = SmallModel::default()
        .object("table", "e", "EMP", &["NAME"])
        .object("select_list", "r", "RS-1", &["NAME", "RelationRows"])
        .flow("e.NAME", "r.NAME");
    let sorted = model.clone().edge("fdr", "select", "r.NAME", "r.RelationRows");
    let recursive = model.flow("r.NAME", "r.NAME");
    for (layout, lineage) in sorted.lineages() {
        assert_eq!(names(lineage.column_flows()), ["EMP.NAME → RS-1.NAME"], "{layout}");
    }
    for (layout, lineage) in recursive.lineages() {
        assert_eq!(names(lineage.column_flows()), ["EMP.NAME → RS-1.NAME", "RS-1.NAME → RS-1.NAME"], "{layout}");
    }
}

#[test]
fn an_impact_lists_the_joins_that_compare_the_column() {
    let model = SmallModel::default()
        .object("table", "o", "ORDERS", &["CUSTOMER"])
        .object("table", "c", "CUSTOMERS", &["ID"])
        .edge("join", "select", "o.CUSTOMER", "c.ID");
    for (layout, lineage) in model.lineages() {
        let impact = lineage.column("orders", "customer").unwrap().impact().to_string();
        assert!(impact.contains("joins (1)\n  ORDERS.CUSTOMER → CUSTOMERS.ID (join, select)\n"), "{layout}: {impact}");
    }
}

#[test]
fn an_endpoint_that_may_mean_what_is_asked_about_is_told_by_the_question() {
    let mut model = SmallModel::default()
        .object("table", "a", "ORDERS", &["AMOUNT"])
        .object("table", "b", "LINES", &["AMOUNT"])
        .object("table", "x", "OTHER", &["AMOUNT", "NOTE"])
        .object("view", "c", "REPORT", &["TOTAL"])
        .flow("x.NOTE", "a.AMOUNT")
        .edge("fdd", "create_view", "d", "c.TOTAL");
    for at in [0, 1] {
        model.objects[at].1["columns"][0]["id"] = "d".into();
    }
    model.relationships[0]["target"] = json!({"id": "d", "parentId": "a", "column": "AMOUNT"});
    for (layout, document) in self::layouts::LAYOUTS.into_iter().zip(model.documents()) {
        let requested = Lineage::reader().requested_types(RelationType::DEPENDENCIES);
        let lineage = requested.read_slice(document.as_bytes()).unwrap();
        let lost = |object: &str, column: &str| {
            let column = lineage.column(object, column).unwrap();
            let impact = column.impact();
            assert_eq!(impact.is_complete(), impact.unresolved.is_empty(), "{layout}");
            assert_eq!(column.downstream().unresolved(), impact.unresolved, "{layout}");
            assert_eq!(column.downstream().diagram().unresolved(), impact.unresolved, "{layout}");
            impact.unresolved.len()
        };
        assert_eq!(lost("orders", "amount"), 1, "{layout}: it may be the source");
        assert_eq!(lost("lines", "amount"), 1, "{layout}: it may be the source");
        assert_eq!(lost("other", "note"), 1, "{layout}: its value flows into what may be the source");
        assert_eq!(lost("other", "amount"), 0, "{layout}: another id");
        assert_eq!(lost("report", "total"), 0, "{layout}");
    }
}

#[test]
fn the_json_of_many_flows_into_one_column_takes_no_quadratic_time() {
    let sources: Vec<String> = (0..20_000).map(|at| format!("C{at}")).collect();
    let columns: Vec<Value> = sources.iter().map(|name| json!({"id": name, "name": name})).collect();
    let sources: Vec<Value> = sources.iter().map(|id| json!({"id": id})).collect();
    let document = json!({"dbobjs": [
        {"id": "t", "name": "T", "type": "table", "columns": columns},
        {"id": "v", "name": "V", "type": "view", "columns": [{"id": "x", "name": "X"}]},
    ], "relationships": [{"id": "r", "type": "fdd", "effectType": "create_view", "target": {"id": "x"}, "sources": sources}]});
    let lineage: Lineage = document.to_string().parse().unwrap();
    let started = std::time::Instant::now();
    let json = serde_json::to_value(lineage.column_flows()).unwrap();
    assert_eq!(json[0]["effects"], json!(["create_view"]));
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}

#[test]
fn an_impact_of_a_column_includes_what_depends_on_its_whole_table() {
    let model = SmallModel::default()
        .object("table", "a", "ORDERS", &["AMOUNT"])
        .object("table", "c", "REPORT", &[])
        .process("p", "Query Insert-1")
        .flow("a", "p")
        .flow("p", "c");
    for (layout, lineage) in model.lineages() {
        let impact = lineage.column("orders", "amount").unwrap().impact();
        assert_eq!(names(&impact.objects), ["REPORT"], "{layout}");
        assert_eq!(names(&impact.statements), ["Query Insert-1"], "{layout}");
        assert!(impact.columns.is_empty(), "{layout}");
    }
}

#[test]
fn an_impact_is_not_complete_if_the_server_did_not_read_all_of_the_sql() {
    let model = SmallModel::default().object("table", "o", "ORDERS", &["STATUS"]);
    let reader = || Lineage::reader().requested_types(RelationType::DEPENDENCIES);
    let impact_of = |extra: &str| {
        let [document, ..] = model.documents();
        let document = document.replacen('{', &format!("{{{extra}, "), 1);
        let lineage = reader().read_slice(document.as_bytes()).unwrap();
        lineage.column("orders", "status").unwrap().impact().to_owned_form()
    };
    let error = r#""errors": [{"errorMessage": "m", "errorType": "SyntaxError"}]"#;
    let hint = r#""errors": [{"errorMessage": "m", "errorType": "SyntaxHint"}], "code": 203, "error": "m""#;
    let warning = r#""code": 203, "error": "b.sql could not be read""#;
    for (extra, is_complete) in [(error, false), (warning, false), (hint, true), (r#""mode": "brandNew""#, false)] {
        let impact = impact_of(extra);
        assert_eq!(impact.is_complete, is_complete, "{extra}");
        assert_eq!(impact.reasons.is_empty(), is_complete, "{extra}: {:?}", impact.reasons);
    }
}

#[test]
fn an_impact_tells_the_statements_that_write_the_column_apart_from_those_that_read_it() {
    let mut model = SmallModel::default()
        .object("table", "s", "STAGING", &["USERS"])
        .object("table", "d", "DAILY", &["USERS", "DAY"])
        .object("view", "v", "BOARD", &["USERS"])
        .process("p", "Query Insert-1")
        .process("q", "Query Create View-1")
        .edge("fdd", "insert", "s.USERS", "d.USERS")
        .edge("fdd", "create_view", "d.USERS", "v.USERS");
    model.relationships[0]["processId"] = "p".into();
    model.relationships[1]["processId"] = "q".into();
    for (layout, lineage) in model.lineages() {
        let impact = |table, column| lineage.column(table, column).unwrap().impact();
        let users = impact("DAILY", "USERS");
        assert_eq!(names(users.writers.clone()), ["Query Insert-1"], "{layout}");
        assert_eq!(names(users.statements.clone()), ["Query Create View-1"], "{layout}");
        assert!(users.to_string().contains("statements that write it (1)\n  Query Insert-1\n"), "{users}");
        assert!(impact("STAGING", "USERS").writers.is_empty(), "{layout}");
        assert!(impact("DAILY", "DAY").writers.is_empty(), "{layout}: the statement does not write this column");
        let board = impact("BOARD", "USERS");
        assert!(board.is_empty() && board.to_string().contains("nothing that is known depends on it"), "{board}");
        assert_eq!(names(board.writers), ["Query Create View-1"], "{layout}");
    }
}

#[test]
fn what_feeds_a_column_does_not_depend_on_it() {
    let model = SmallModel::default()
        .object("table", "a", "A", &["X"])
        .object("table", "b", "B", &["X"])
        .edge("fdd", "insert", "a.X", "b.X");
    for (layout, lineage) in model.lineages() {
        let impact = lineage.column("b", "x").unwrap().impact();
        assert!(impact.is_empty(), "{layout}: {impact}");
        assert_eq!(lineage.column("a", "x").unwrap().impact().relationships.len(), 1, "{layout}");
    }
}
