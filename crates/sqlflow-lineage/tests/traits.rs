//! The traits of the public types: what a user can sort, hash, print, keep and pass on.

#[allow(dead_code, reason = "each test program uses a part")]
mod layouts;

use std::collections::{BTreeSet, HashSet};
use std::fmt::{Debug, Display};
use std::hash::Hash;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sqlflow_lineage::{
    ClauseType, Column, ColumnFlow, Coordinate, Coverage, Diagnostic, Edge, EffectType, Endpoint, Impact, Lineage,
    Mode, Object, ObjectFlow, ObjectKind, OwnedColumnFlow, OwnedCoordinate, OwnedDiagnostic, OwnedEdge, OwnedImpact,
    OwnedObjectFlow, OwnedRelationship, OwnedStatement, OwnedVertex, Path, Process, RelationType, Relationship,
    Resolution, Vertex,
};

use self::layouts::SmallModel;

fn value<T: Clone + Debug + Eq + Ord + Hash + Send + Sync>() {}
fn printed<T: Display>() {}
fn passed_on<T: Serialize>() {}
fn kept<T: DeserializeOwned + Serialize + 'static>() {}

#[test]
fn views_and_results_can_be_sorted_hashed_printed_and_passed_on() {
    value::<Column<'_>>();
    value::<Object<'_>>();
    value::<Vertex<'_>>();
    value::<Endpoint<'_>>();
    value::<Process<'_>>();
    value::<Relationship<'_>>();
    value::<Coordinate<'_>>();
    value::<Diagnostic<'_>>();
    value::<ColumnFlow<'_>>();
    value::<ObjectFlow<'_>>();
    value::<Edge<'_>>();
    value::<Path<Column<'_>>>();
    value::<Impact<'_>>();
    value::<RelationType>();
    value::<EffectType>();
    value::<ClauseType>();
    value::<ObjectKind>();
    value::<Mode>();
    value::<Coverage>();
    value::<Resolution>();

    printed::<Column<'_>>();
    printed::<Object<'_>>();
    printed::<Vertex<'_>>();
    printed::<Endpoint<'_>>();
    printed::<Process<'_>>();
    printed::<Relationship<'_>>();
    printed::<Coordinate<'_>>();
    printed::<Diagnostic<'_>>();
    printed::<ColumnFlow<'_>>();
    printed::<ObjectFlow<'_>>();
    printed::<Edge<'_>>();
    printed::<Path<Object<'_>>>();
    printed::<Impact<'_>>();
    printed::<RelationType>();

    passed_on::<Column<'_>>();
    passed_on::<Object<'_>>();
    passed_on::<Vertex<'_>>();
    passed_on::<Endpoint<'_>>();
    passed_on::<Process<'_>>();
    passed_on::<Relationship<'_>>();
    passed_on::<Coordinate<'_>>();
    passed_on::<Diagnostic<'_>>();
    passed_on::<ColumnFlow<'_>>();
    passed_on::<ObjectFlow<'_>>();
    passed_on::<Edge<'_>>();
    passed_on::<Path<Column<'_>>>();
    passed_on::<Impact<'_>>();

    kept::<RelationType>();
    kept::<EffectType>();
    kept::<ClauseType>();
    kept::<ObjectKind>();
    kept::<Mode>();
    kept::<OwnedVertex>();
    kept::<OwnedStatement>();
    kept::<OwnedCoordinate>();
    kept::<OwnedDiagnostic>();
    kept::<OwnedRelationship>();
    kept::<OwnedColumnFlow>();
    kept::<OwnedObjectFlow>();
    kept::<OwnedEdge>();
    kept::<OwnedImpact>();
}

fn lineage() -> Lineage {
    let mut model = SmallModel::default()
        .object("table", "o", "ORDERS", &["TOTAL", "STATUS"])
        .object("table", "a", "AREAS", &["NAME"])
        .object("view", "r", "REPORT", &["SUM", "AREA"])
        .process("p", "Query Create View-1")
        .edge("fdd", "create_view", "o.TOTAL", "r.SUM")
        .edge("fdd", "create_view", "a.NAME", "r.AREA");
    for relationship in &mut model.relationships {
        relationship["processId"] = "p".into();
    }
    let [_, flat, ..] = model.documents();
    flat.parse().unwrap()
}

/// Returns the upstream columns of a column, in a form that can leave the function.
fn sources_of(object: &str, column: &str) -> Vec<OwnedVertex> {
    let lineage = lineage();
    let column = lineage.column(object, column).unwrap();
    column.upstream().into_iter().map(OwnedVertex::from).collect()
}

#[test]
fn an_owned_form_outlives_its_lineage() {
    let sources = sources_of("report", "sum");
    assert_eq!(sources[0].to_string(), "ORDERS.TOTAL");
    assert_eq!((sources[0].kind.as_str(), sources[0].id.as_str()), ("column", "o.TOTAL"));
}

#[test]
fn the_json_of_views_is_that_of_their_owned_forms() {
    let lineage = lineage();
    let total = json!({"name": "ORDERS.TOTAL", "kind": "column", "id": "o.TOTAL"});
    let sum = json!({"name": "REPORT.SUM", "kind": "column", "id": "r.SUM"});
    let statement = json!({"name": "Query Create View-1", "id": "p"});
    assert_eq!(json_of(&lineage.object("orders").unwrap()), json!({"name": "ORDERS", "kind": "table", "id": "o"}));
    assert_eq!(json_of(&lineage.column("orders", "total").unwrap()), total);
    let flow = lineage.column_flows()[1];
    let expected = json!({
        "source": total, "target": sum, "effects": ["create_view"], "statements": [statement], "functions": [],
        "is_foreign_key": false,
    });
    assert_eq!(json_of(&flow), expected);
    assert_eq!(serde_json::from_value::<OwnedColumnFlow>(expected).unwrap(), flow.to_owned_form());
    let edge = json!({"source": total, "target": sum, "relation": "fdd", "effect": "create_view"});
    assert_eq!(json_of(&lineage.diagram().edges()[1]), edge);
    let path = lineage.column("report", "sum").unwrap().upstream().paths().next().unwrap();
    assert_eq!(json_of(&path), json!([total, sum]));
    let impact = json_of(&lineage.column("orders", "total").unwrap().impact());
    assert_eq!(impact["is_complete"], false);
    assert_eq!(impact["columns"], json!([sum]));
    assert_eq!(impact["relationships"][0]["type"], "fdd");
    assert_eq!(impact["uncertain_types"], json!(["fdr", "frd", "join"]));
    assert_eq!(serde_json::from_value::<OwnedImpact>(impact).unwrap().statements[0].name, "Query Create View-1");
}

fn json_of(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap()
}

#[test]
fn views_are_ordered_by_name_and_results_by_their_views() {
    let lineage = lineage();
    let objects: BTreeSet<_> = lineage.objects().collect();
    let names: Vec<_> = objects.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["AREAS", "ORDERS", "REPORT"]);
    let flows = lineage.column_flows();
    assert!(flows.is_sorted());
    assert_eq!(flows.iter().collect::<HashSet<_>>().len(), flows.len(), "no flow is listed twice");
    assert!(lineage.object_flows().is_sorted());
    assert!(lineage.diagram().edges().is_sorted());
}

#[test]
fn a_column_or_an_object_becomes_a_vertex_and_back() {
    let lineage = lineage();
    let (column, object) = (lineage.column("orders", "total").unwrap(), lineage.object("orders").unwrap());
    assert_eq!(Vertex::from(column).column(), Some(column));
    assert_eq!(Column::try_from(Vertex::from(column)), Ok(column));
    assert_eq!(Object::try_from(Vertex::from(object)), Ok(object));
    assert_eq!(Column::try_from(Vertex::from(object)), Err(Vertex::Object(object)));
    assert_eq!(Object::try_from(Vertex::from(column)), Err(Vertex::Column(column)));
}

#[test]
fn relation_types_are_taken_by_reference() {
    let lineage = lineage();
    let types = [RelationType::Fdd, RelationType::Fdr];
    let column = lineage.column("report", "sum").unwrap();
    assert_eq!(column.upstream().over(&types).to_vec(), column.upstream().over(["fdd", "fdr"]).to_vec());
    assert_eq!(lineage.diagram().over(&types).edges(), lineage.diagram().over(types).edges());
}

#[test]
fn relationships_statements_edges_and_coordinates_can_be_read_by_a_person() {
    let lineage = lineage();
    let relationship = lineage.relationships().next().unwrap();
    assert_eq!(relationship.to_string(), "ORDERS.TOTAL → REPORT.SUM (fdd, create_view)");
    assert_eq!(lineage.processes().next().unwrap().to_string(), "Query Create View-1");
    assert_eq!(lineage.diagram().edges()[1].to_string(), "ORDERS.TOTAL → REPORT.SUM (fdd, create_view)");
}
