use std::collections::{BTreeMap, BTreeSet};

use super::super::fixtures::{LAYOUT_B, LAYOUT_C1, read, read_model};
use super::super::{Column, Lineage, Process, RelationType, Relationship};

fn flows(lineage: &Lineage) -> Vec<String> {
    lineage.column_flows().iter().map(ToString::to_string).collect()
}

fn names<T: ToString>(items: impl IntoIterator<Item = T>) -> Vec<String> {
    items.into_iter().map(|item| item.to_string()).collect()
}

fn column<'l>(lineage: &'l Lineage, id: &str) -> Column<'l> {
    lineage.column_by_id(id).unwrap()
}

#[test]
fn column_flows_skip_intermediate_results_and_record_sets() {
    let expected = ["sales.customers.region → sales.report.region", "sales.orders.amount → sales.report.total"];
    assert_eq!(flows(&read(LAYOUT_C1)), expected);
    assert_eq!(flows(&read(LAYOUT_B)), expected);
}

#[test]
fn object_flows_are_derived_from_column_flows() {
    let expected = ["sales.customers → sales.report", "sales.orders → sales.report"];
    assert_eq!(names(read(LAYOUT_C1).object_flows()), expected);
}

#[test]
fn downstream_mirrors_upstream() {
    let lineage = read(LAYOUT_C1);
    let total = column(&lineage, "32");
    assert_eq!(names(total.upstream()), ["sales.orders.amount"]);
    assert!(total.downstream().to_vec().is_empty());
    let amount = column(&lineage, "21");
    assert_eq!(names(amount.downstream()), ["sales.report.total"]);
    let report = lineage.object_by_id("30").unwrap();
    assert_eq!(names(report.upstream()), ["sales.customers", "sales.orders"]);
    let orders = lineage.object_by_id("20").unwrap();
    assert_eq!(names(orders.downstream()), ["sales.report"]);
}

#[test]
fn over_fdr_a_filter_is_upstream_of_every_column_of_its_result() {
    let lineage = read(LAYOUT_C1);
    let both = [RelationType::Fdd, RelationType::Fdr];
    let region = column(&lineage, "31");
    assert_eq!(names(region.upstream()), ["sales.customers.region"]);
    assert_eq!(
        names(region.upstream().over(both.clone())),
        ["sales.customers.region", "sales.orders.amount", "sales.orders.customer_id"]
    );
    let customer = column(&lineage, "22");
    assert!(customer.downstream().to_vec().is_empty());
    assert_eq!(names(customer.downstream().over(both)), ["sales.report.region", "sales.report.total"]);
}

#[test]
fn impact_includes_objects_that_only_filter_by_the_column() {
    let lineage = read(LAYOUT_C1);
    let impact = column(&lineage, "22").impact();
    assert!(impact.columns.is_empty());
    assert_eq!(names(&impact.objects), ["sales.report"]);
    assert_eq!(impact.statements.iter().map(Process::name).collect::<Vec<_>>(), ["Query Insert-1"]);
    let types: Vec<&str> = impact.relationships.iter().map(Relationship::type_text).collect();
    assert_eq!(types, ["fdr", "join"]);
    let impact = column(&lineage, "21").impact();
    assert_eq!(names(&impact.columns), ["sales.report.total"]);
}

#[test]
fn a_statement_reads_its_sources_and_writes_its_target() {
    let lineage = read(LAYOUT_C1);
    let named =
        |processes: Vec<Process<'_>>| processes.iter().map(|process| process.name().to_owned()).collect::<Vec<_>>();
    for (object, readers, writers) in [("customers", 1, 0), ("orders", 1, 0), ("report", 0, 1)] {
        let object = lineage.object(object).unwrap();
        assert_eq!(named(object.readers()), vec!["Query Insert-1"; readers], "{object}");
        assert_eq!(named(object.writers()), vec!["Query Insert-1"; writers], "{object}");
    }
}

const CHAIN: &str = r#"
    {"id": 1, "name": "a", "type": "table", "columns": [{"id": 11, "name": "x"}]},
    {"id": 2, "name": "b", "type": "view", "columns": [{"id": 21, "name": "x"}]},
    {"id": 3, "name": "c", "type": "table", "columns": [{"id": 31, "name": "x"}]},
    {"id": 4, "name": "RS-1", "type": "select_list", "columns": [{"id": 41, "name": "x"}]},
    {"id": 5, "name": "RS-2", "type": "select_list", "columns": [{"id": 51, "name": "x"}]}"#;

fn chain(edges: &[(&str, &str)]) -> Lineage {
    let relationships: Vec<String> = edges
        .iter()
        .enumerate()
        .map(|(at, (from, to))| {
            format!(r#"{{"id": "r{at}", "type": "fdd", "target": {{"id": {to}}}, "sources": [{{"id": {from}}}]}}"#)
        })
        .collect();
    read_model(CHAIN, &relationships.join(","))
}

#[test]
fn upstream_respects_depth_and_ultimate() {
    let lineage = chain(&[("11", "41"), ("41", "21"), ("21", "51"), ("51", "31")]);
    let last = column(&lineage, "31");
    assert_eq!(names(last.upstream()), ["a.x", "b.x"]);
    assert_eq!(names(last.upstream().direct()), ["b.x"]);
    assert_eq!(names(last.upstream().depth(2)), ["a.x", "b.x"]);
    assert!(last.upstream().depth(0).to_vec().is_empty());
    assert_eq!(names(last.upstream().ultimate()), ["a.x"]);
    assert_eq!(names(last.upstream().depth(1).ultimate()), ["b.x"]);
    assert_eq!(names(column(&lineage, "11").downstream().ultimate()), ["c.x"]);
    assert_eq!(names(last.upstream().with_intermediates()), ["RS-1.x", "RS-2.x", "a.x", "b.x"]);
    assert_eq!(names(last.upstream().with_intermediates().direct()), ["RS-2.x"]);
    assert_eq!(names(last.upstream().with_intermediates().ultimate()), ["a.x"]);
    assert_eq!(names(last.object().upstream().ultimate()), ["a"]);
}

#[test]
fn paths_lead_in_the_direction_of_flow_from_every_ultimate_source() {
    let lineage = chain(&[("11", "41"), ("41", "31"), ("11", "21"), ("21", "51"), ("51", "31")]);
    let last = column(&lineage, "31");
    assert_eq!(names(last.upstream().paths()), ["a.x → c.x", "a.x → b.x → c.x"]);
    let first = column(&lineage, "11");
    let paths: BTreeSet<String> = names(first.downstream().with_intermediates().paths()).into_iter().collect();
    assert_eq!(paths, BTreeSet::from(["a.x → RS-1.x → c.x".to_owned(), "a.x → b.x → RS-2.x → c.x".to_owned()]));
    assert_eq!(names(last.object().upstream().paths()), ["a → c", "a → b → c"]);
    assert_eq!(names(last.upstream().depth(1).paths()), ["a.x → c.x", "b.x → c.x"]);
    let path = last.upstream().paths().next().unwrap();
    assert_eq!((path.source().id(), path.target().id(), path.steps().len()), ("11", "31", 2));
}

#[test]
fn a_column_is_the_end_of_values_that_go_on_into_a_table_as_a_whole() {
    let lineage = chain(&[("11", "41"), ("41", "21"), ("21", "3")]);
    let first = column(&lineage, "11");
    assert_eq!(names(first.downstream().ultimate()), ["b.x"]);
    assert_eq!(names(first.downstream().paths()), ["a.x → b.x"]);
    assert_eq!(names(first.object().downstream().ultimate()), ["c"]);

    // A table as a whole that leads to columns again is passed through.
    let lineage = chain(&[("11", "21"), ("21", "3"), ("3", "31"), ("3", "3")]);
    let last = column(&lineage, "31");
    assert_eq!(names(last.upstream()), ["a.x", "b.x"]);
    assert_eq!(names(last.upstream().ultimate()), ["a.x"]);
    assert_eq!(names(last.upstream().paths()), ["a.x → b.x → c.x"]);
}

#[test]
fn a_cycle_is_walked_once_and_all_its_members_are_ultimate() {
    let lineage = chain(&[("11", "21"), ("21", "11"), ("21", "31")]);
    let last = column(&lineage, "31");
    assert_eq!(names(last.upstream()), ["a.x", "b.x"]);
    assert_eq!(names(last.upstream().ultimate()), ["a.x", "b.x"]);
    assert_eq!(names(last.upstream().paths()), ["a.x → b.x → c.x"]);
    assert_eq!(names(column(&lineage, "11").upstream()), ["a.x", "b.x"]);
}

#[test]
fn a_cycle_of_intermediate_results_terminates() {
    let lineage = chain(&[("11", "41"), ("41", "51"), ("51", "41"), ("51", "31")]);
    assert_eq!(flows(&lineage), ["a.x → c.x"]);
}

#[test]
fn a_long_cycle_of_intermediate_results_terminates_and_keeps_every_function() {
    let results: Vec<String> = (0..12)
        .map(|at| {
            format!(r#"{{"id": {at}, "name": "RS-{at}", "type": "select_list", "columns": [{{"id": "c{at}", "name": "x"}}]}}"#)
        })
        .collect();
    let tables = r#"{"id": 20, "name": "a", "type": "table", "columns": [{"id": "first", "name": "x"}]},
        {"id": 30, "name": "b", "type": "table", "columns": [{"id": "last", "name": "x"}]}"#;
    let steps: Vec<String> = (0..12)
        .map(|at| (format!("c{at}"), format!("c{}", (at + 1) % 12)))
        .chain([("first".to_owned(), "c0".to_owned())])
        .map(|(from, to)| {
            format!(r#"{{"id": "{from}", "type": "fdd", "target": {{"id": "{to}"}}, "sources": [{{"id": "{from}"}}]}}"#)
        })
        .collect();
    let ends: Vec<String> = (0..12)
        .map(|at| {
            format!(r#"{{"id": "e{at}", "type": "fdd", "function": "F{at:02}", "target": {{"id": "last"}}, "sources": [{{"id": "c{at}"}}]}}"#)
        })
        .collect();
    let objects = format!("{tables}, {}", results.join(","));
    let lineage = read_model(&objects, &format!("{}, {}", steps.join(","), ends.join(",")));
    let flows = lineage.column_flows();
    assert_eq!(names(flows.iter()), ["a.x → b.x"]);
    let functions: Vec<String> = (0..12).map(|at| format!("F{at:02}")).collect();
    assert_eq!(flows[0].functions(), functions);
}

#[test]
fn a_column_that_feeds_itself_is_upstream_of_itself() {
    let lineage = chain(&[("11", "41"), ("41", "11")]);
    assert_eq!(flows(&lineage), ["a.x → a.x"]);
    let own = column(&lineage, "11");
    assert_eq!(names(own.upstream()), ["a.x"]);
    assert_eq!(names(own.upstream().ultimate()), ["a.x"]);
    assert_eq!(own.upstream().paths().count(), 0);
    assert_eq!(names(own.object().upstream()), ["a"]);
}

#[test]
fn two_paths_to_one_source_are_one_flow() {
    let lineage = chain(&[("11", "41"), ("11", "51"), ("41", "31"), ("51", "31")]);
    assert_eq!(flows(&lineage), ["a.x → c.x"]);
}

#[test]
fn only_fdd_is_followed_by_default() {
    let lineage = read_model(CHAIN, r#"{"id": "r", "type": "fdr", "target": {"id": 31}, "sources": [{"id": 11}]}"#);
    assert!(flows(&lineage).is_empty());
    assert!(column(&lineage, "31").upstream().to_vec().is_empty());
    assert_eq!(names(column(&lineage, "31").upstream().over(["fdr"])), ["a.x"]);
    assert!(column(&lineage, "31").upstream().over(["no such type"]).to_vec().is_empty());
}

#[test]
fn a_relationship_between_whole_tables_connects_objects() {
    let lineage = read_model(
        CHAIN,
        r#"{"id": "r", "type": "fdd", "target": {"id": 3}, "sources": [{"id": "x", "sourceId": 1, "sourceName": "A"}]}"#,
    );
    let target = lineage.object_by_id("3").unwrap();
    assert_eq!(names(target.upstream()), ["a"]);
    assert_eq!(names(lineage.object_flows()), ["a → c"]);
    assert_eq!(lineage.unresolved().count(), 0, "the id of the table resolves");
}

#[test]
fn values_flow_through_a_routine() {
    let body = r#"{"dbobjs": {"servers": [{"name": "s", "schemas": [{"name": "hr",
        "tables": [{"id": 1, "name": "a", "type": "table", "columns": [{"id": 11, "name": "x"}]},
                   {"id": 2, "name": "b", "type": "table", "columns": [{"id": 21, "name": "x"}]}],
        "functions": [{"id": 3, "name": "f", "type": "function", "columns": [{"id": 31, "name": "r"}]}]}]}]},
        "relationships": [{"id": 4, "type": "fdd", "target": {"id": 31}, "sources": [{"id": 11}]},
                          {"id": 5, "type": "fdd", "target": {"id": 21}, "sources": [{"id": 31}]}]}"#;
    let lineage = read(body);
    assert_eq!(flows(&lineage), ["hr.a.x → hr.b.x"]);
    let b = lineage.column("b", "x").unwrap();
    assert_eq!(names(b.upstream().with_intermediates()), ["hr.a.x", "hr.f.r"]);
}

#[test]
fn values_flow_through_the_arguments_of_a_routine() {
    let body = r#"{"dbobjs": {"servers": [{"name": "s", "schemas": [{"name": "hr",
        "tables": [{"id": 1, "name": "a", "type": "table", "columns": [{"id": 11, "name": "x"}]},
                   {"id": 2, "name": "b", "type": "table", "columns": [{"id": 21, "name": "x"}]}],
        "procedures": [{"id": 3, "name": "p", "type": "procedure", "arguments": [{"id": 31, "name": "v"}]}]}]}]},
        "relationships": [{"id": 4, "type": "fdd", "target": {"id": 31}, "sources": [{"id": 11}]},
                          {"id": 5, "type": "fdd", "target": {"id": 21}, "sources": [{"id": 31}]}]}"#;
    let lineage = read(body);
    assert_eq!(lineage.unresolved().count(), 0);
    assert_eq!(flows(&lineage), ["hr.a.x → hr.b.x"]);
    assert_eq!(names(lineage.object("b").unwrap().upstream().with_intermediates()), ["hr.a", "hr.p"]);
}

#[test]
fn a_result_that_is_fed_as_a_whole_feeds_others_by_its_columns() {
    let relationships = r#"{"id": "r", "type": "fdd", "target": {"id": 4}, "sources": [{"id": 1}]},
                           {"id": "q", "type": "fdd", "target": {"id": 31}, "sources": [{"id": 41}]}"#;
    let lineage = read_model(CHAIN, relationships);
    assert_eq!(names(lineage.object("c").unwrap().upstream()), ["a"]);
    assert_eq!(names(lineage.object("a").unwrap().downstream()), ["c"]);
    assert_eq!(names(lineage.object_flows()), ["a → c"]);
}

#[test]
fn callees_are_downstream_of_their_caller() {
    let body = r#"{"dbobjs": {"servers": [{"name": "s", "schemas": [{"name": "hr", "procedures": [
        {"id": 1, "name": "p", "type": "procedure"}, {"id": 2, "name": "q", "type": "procedure"}]}]}]},
        "relationships": [{"id": 3, "type": "call", "caller": {"id": 1}, "callees": [{"id": 2}]}]}"#;
    let lineage = read(body);
    let called = lineage.object("p").unwrap().downstream().over([RelationType::Call]).with_intermediates();
    assert_eq!(names(called), ["hr.q"]);
}

#[test]
fn an_object_that_begins_one_flow_and_passes_on_another_is_ultimate() {
    let lineage = read_model(
        r#"{"id": 1, "name": "a", "type": "table", "columns": [{"id": 11, "name": "x"}, {"id": 12, "name": "w"}]},
           {"id": 2, "name": "b", "type": "table", "columns": [{"id": 21, "name": "z"}]},
           {"id": 3, "name": "c", "type": "table", "columns": [{"id": 31, "name": "x"}, {"id": 32, "name": "y"}]}"#,
        r#"{"id": 4, "type": "fdd", "target": {"id": 31}, "sources": [{"id": 11}]},
           {"id": 5, "type": "fdd", "target": {"id": 12}, "sources": [{"id": 21}]},
           {"id": 6, "type": "fdd", "target": {"id": 32}, "sources": [{"id": 12}]}"#,
    );
    assert_eq!(names(lineage.object("c").unwrap().upstream().ultimate()), ["a", "b"]);
}

/// Every path into the clique is a dead end, and there are too many of them to try them all.
#[test]
fn paths_terminate_despite_a_huge_number_of_dead_ends() {
    const SIZE: usize = 40;
    let tables: Vec<String> = (0..=SIZE)
        .map(|at| {
            format!(
                r#"{{"id": "t{at}", "name": "t{at}", "type": "table", "columns": [{{"id": "{at}", "name": "x"}}]}}"#
            )
        })
        .collect();
    let flow = |from: usize, to: usize| {
        format!(
            r#"{{"id": "{from}-{to}", "type": "fdd", "target": {{"id": "{to}"}}, "sources": [{{"id": "{from}"}}]}}"#
        )
    };
    let pairs = (0..SIZE).flat_map(|from| (0..SIZE).map(move |to| (from, to))).filter(|(from, to)| from != to);
    let flows: Vec<String> = pairs.chain([(0, SIZE)]).map(|(from, to)| flow(from, to)).collect();
    let lineage = read_model(&tables.join(","), &flows.join(","));
    let paths = column(&lineage, "0").downstream().paths();
    assert_eq!(names(paths), ["t0.x → t40.x"]);
}

#[test]
fn a_statement_that_only_joins_by_a_column_reads_its_table() {
    let lineage = read(
        r#"{"dbobjs": [{"id": 1, "name": "s", "type": "table", "columns": [{"id": 11, "name": "k"}]},
                       {"id": 2, "name": "u", "type": "table", "columns": [{"id": 21, "name": "k"}]},
                       {"id": 9, "name": "Query-1", "type": "process"}],
            "relationships": [{"id": 3, "type": "join", "processId": 9, "target": {"id": 21}, "sources": [{"id": 11}]}]}"#,
    );
    for name in ["s", "u"] {
        assert_eq!(lineage.object(name).unwrap().readers().len(), 1, "{name}");
        assert!(lineage.object(name).unwrap().writers().is_empty(), "{name}");
    }
}

/// The intermediate objects of real engines: type, name, effect of the relationship into it, and of the one out of it.
const INTERMEDIATES: [(&str, &str, &str, &str); 11] = [
    ("select_list", "RS-1", "select", "create_view"),
    ("select_list", "RESULT_OF_O-1", "select", "create_view"),
    ("insert-select", "INSERT-SELECT-1", "select", "insert"),
    ("with_cte", "CTE-TOP-1", "select", "select"),
    ("select_union", "RESULT_OF_UNION-1", "select", "create_view"),
    ("function", "case-when", "function", "select"),
    ("merge-insert", "MERGE-INSERT-1", "merge", "merge_insert"),
    ("merge-update", "MERGE-UPDATE-1", "merge", "merge_update"),
    ("variable", "CUR", "cursor", "insert"),
    ("pseudoTable", "pseudo_table_include_orphan_column", "select", "select"),
    ("constantTable", "SQL_CONSTANTS", "select", "insert"),
];

#[test]
fn every_kind_of_intermediate_object_is_walked_through() {
    for (kind, name, effect_in, effect_out) in INTERMEDIATES {
        let lineage = read_model(
            &format!(
                r#"{{"id": 1, "name": "a", "type": "table", "columns": [{{"id": 11, "name": "x"}}]}},
                   {{"id": 2, "name": "{name}", "type": "{kind}", "columns": [{{"id": 21, "name": "x"}}]}},
                   {{"id": 3, "name": "v", "type": "view", "columns": [{{"id": 31, "name": "x"}}]}}"#
            ),
            &format!(
                r#"{{"id": 4, "type": "fdd", "effectType": "{effect_in}", "target": {{"id": 21}}, "sources": [{{"id": 11}}]}},
                   {{"id": 5, "type": "fdd", "effectType": "{effect_out}", "target": {{"id": 31}}, "sources": [{{"id": 21}}]}}"#
            ),
        );
        assert_eq!(flows(&lineage), ["a.x → v.x"], "{name}");
        let intermediate = lineage.object_by_id("2").unwrap();
        assert!(intermediate.is_intermediate(), "{name}");
        assert_eq!(names(intermediate.downstream()), ["v"], "{name}");
    }
}

#[test]
fn columns_of_a_routine_that_flow_into_a_star_together_keep_their_names() {
    let lineage = read_model(
        r#"{"id": 1, "name": "a", "type": "table", "columns": [{"id": 11, "name": "i"}]},
           {"id": 2, "name": "RS-1", "type": "insert-select", "columns": [{"id": 21, "name": "x"}, {"id": 22, "name": "y"}]},
           {"id": 3, "name": "RS-2", "type": "with_cte", "columns": [{"id": 31, "name": "*"}]},
           {"id": 4, "name": "v", "type": "view", "columns": [{"id": 41, "name": "x"}, {"id": 42, "name": "y"}]}"#,
        r#"{"id": 5, "type": "fdd", "target": {"id": 2}, "sources": [{"id": 11}]},
           {"id": 6, "type": "fdd", "target": {"id": 31}, "sources": [{"id": 21}, {"id": 22}]},
           {"id": 7, "type": "fdd", "target": {"id": 41}, "sources": [{"id": 31}]},
           {"id": 8, "type": "fdd", "target": {"id": 42}, "sources": [{"id": 31}]}"#,
    );
    assert_eq!(names(column(&lineage, "11").downstream()), ["v.x", "v.y"]);
    assert_eq!(names(column(&lineage, "42").upstream()), ["a.i"]);
}

#[test]
fn a_diagram_shows_the_edges_between_the_selected_objects() {
    let lineage = chain(&[("11", "41"), ("41", "21"), ("21", "31")]);
    let edges = |diagram: super::super::Diagram<'_>| {
        names(diagram.edges().into_iter().map(|edge| format!("{} {} {}", edge.source, edge.relation, edge.target)))
    };
    assert_eq!(edges(lineage.diagram()), ["a.x fdd b.x", "b.x fdd c.x"]);
    assert_eq!(edges(lineage.diagram().by_object()), ["a fdd b", "b fdd c"]);
    assert_eq!(edges(lineage.diagram().with_intermediates()), ["RS-1.x fdd b.x", "a.x fdd RS-1.x", "b.x fdd c.x"]);
    let a = lineage.object("a").unwrap();
    assert_eq!(edges(a.downstream().direct().diagram()), ["a.x fdd b.x"]);
    assert!(edges(a.upstream().diagram()).is_empty());
}

#[test]
fn an_edge_has_the_relation_and_the_effect_of_its_relationship() {
    let lineage = read(LAYOUT_C1);
    let diagram = lineage.diagram().over([RelationType::Fdd, RelationType::Fdr]);
    let edges: Vec<String> = diagram
        .edges()
        .iter()
        .map(|edge| format!("{} {} {:?} {}", edge.source, edge.relation, edge.effect.as_ref().unwrap(), edge.target))
        .collect();
    assert_eq!(
        edges,
        [
            "sales.customers.region fdd Insert sales.report.region",
            "sales.orders.amount fdr Insert sales.report.region",
            "sales.orders.amount fdd Insert sales.report.total",
            "sales.orders.amount fdr Insert sales.report.total",
            "sales.orders.customer_id fdr Insert sales.report.region",
            "sales.orders.customer_id fdr Insert sales.report.total",
        ]
    );
}

#[test]
fn upstream_agrees_with_a_naive_search_on_random_graphs_at_every_depth() {
    let mut random = fastrand::Rng::with_seed(7);
    let ids = ["11", "21", "31", "41", "51"];
    for _ in 0..500 {
        let edges: Vec<(&str, &str)> =
            (0..random.usize(..9)).map(|_| (ids[random.usize(..5)], ids[random.usize(..5)])).collect();
        let lineage = chain(&edges);
        for id in ids {
            let column = column(&lineage, id);
            for depth in 0..4 {
                let found: BTreeSet<&str> = column.upstream().depth(depth).to_vec().iter().map(Column::id).collect();
                assert_eq!(found, naive_upstream(&edges, id, depth), "{depth} from {id} in {edges:?}");
            }
            let found: BTreeSet<&str> = column.upstream().to_vec().iter().map(Column::id).collect();
            let all = naive_upstream(&edges, id, 10);
            assert_eq!(found, all, "{id} in {edges:?}");
            let ultimate: BTreeSet<&str> = column.upstream().ultimate().to_vec().iter().map(Column::id).collect();
            let expected: BTreeSet<&str> = all
                .iter()
                .filter(|one| {
                    naive_upstream(&edges, one, 10).iter().all(|up| naive_upstream(&edges, up, 10).contains(*one))
                })
                .copied()
                .collect();
            assert_eq!(ultimate, expected, "{id} in {edges:?}");
        }
    }
}

/// Returns the columns of stored objects, and of results that feed nothing but themselves, that are at most `depth` steps
/// upstream, by relaxing every edge until nothing changes.
fn naive_upstream<'e>(edges: &[(&'e str, &'e str)], of: &str, depth: u32) -> BTreeSet<&'e str> {
    let is_fed = |id: &str| edges.iter().any(|(from, to)| *to == id && *from != id);
    let feeds_itself_at_most = |id: &str| edges.iter().all(|(from, to)| *from != id || *to == id);
    let is_stored = |id: &str| id < "40" || (is_fed(id) && feeds_itself_at_most(id));
    let mut cost: BTreeMap<&str, u32> = BTreeMap::new();
    loop {
        let before = cost.clone();
        for (from, to) in edges {
            let near = if *to == of { Some(0) } else { None }.into_iter().chain(cost.get(to).copied()).min();
            if let Some(near) = near {
                let far = near + u32::from(is_stored(from));
                let known = cost.entry(from).or_insert(far);
                *known = far.min(*known);
            }
        }
        if cost == before {
            return cost.into_iter().filter(|(id, cost)| is_stored(id) && *cost <= depth).map(|(id, _)| id).collect();
        }
    }
}
