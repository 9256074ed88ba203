//! Lineage of real statements. A relationship is written as `type effect source, source -> target`.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::*;

fn analyze(vendor: &str, scripts: &[&str]) -> Lineage {
    analyze_with(AnalysisSettings { vendor: Vendor::find(vendor).unwrap(), database: None, schema: None }, scripts)
}

fn analyze_with(settings: AnalysisSettings, scripts: &[&str]) -> Lineage {
    let mut analyzer = Analyzer::new(settings);
    for script in scripts {
        analyzer.collect_definitions(script);
    }
    for (number, script) in scripts.iter().enumerate() {
        analyzer.read(&format!("{number}.sql"), script, false);
    }
    let lineage = analyzer.finish();
    assert_consistent(&lineage);
    lineage
}

/// Asserts that every id is used once and every reference is valid.
fn assert_consistent(lineage: &Lineage) {
    let mut ids = HashSet::new();
    let columns = lineage.objects.iter().flat_map(|object| object.columns.iter().map(|column| column.id));
    let all = columns
        .chain(lineage.objects.iter().map(|object| object.id))
        .chain(lineage.relationships.iter().map(|relationship| relationship.id))
        .chain(lineage.processes.iter().map(|process| process.id));
    for id in all {
        assert!(ids.insert(id), "the id {id} is given twice");
        assert!(id < lineage.next_id);
    }
    for relationship in &lineage.relationships {
        assert!(!relationship.sources.is_empty());
        for end in relationship.sources.iter().chain([&relationship.target]) {
            assert!(end.column.column < lineage.object(end.column.object).columns.len());
        }
        assert!(relationship.process.is_none_or(|process| process < lineage.processes.len()));
    }
}

fn column_name(lineage: &Lineage, index: ColumnIndex) -> String {
    format!("{}.{}", lineage.object(index.object).display_name, lineage.column(index).name)
}

fn relationships(lineage: &Lineage, kind: RelationshipKind) -> Vec<String> {
    let of_kind = lineage.relationships.iter().filter(|relationship| relationship.kind == kind);
    let written = of_kind.map(|relationship| {
        let sources: Vec<String> = relationship.sources.iter().map(|end| column_name(lineage, end.column)).collect();
        format!(
            "{} {} -> {}",
            relationship.effect.name(),
            sources.join(", "),
            column_name(lineage, relationship.target.column)
        )
    });
    written.collect()
}

fn fdd(lineage: &Lineage) -> Vec<String> {
    relationships(lineage, RelationshipKind::Fdd)
}

fn fdr(lineage: &Lineage) -> Vec<String> {
    relationships(lineage, RelationshipKind::Fdr)
}

fn processes(lineage: &Lineage) -> Vec<(&str, &str)> {
    lineage.processes.iter().map(|process| (process.name.as_str(), process.kind)).collect()
}

fn object<'a>(lineage: &'a Lineage, name: &str) -> &'a Object {
    let mut found = lineage.objects.iter().filter(|object| object.display_name == name);
    let object = found.next().unwrap_or_else(|| panic!("there is no {name}"));
    assert!(found.next().is_none(), "there are several {name}");
    object
}

#[test]
fn an_insert_pairs_its_columns_with_those_of_the_query_by_position() {
    let lineage = analyze("dbvoracle", &["insert into t (a, b) select y, x as a from s"]);
    assert_eq!(
        fdd(&lineage),
        [
            "select s.y -> INSERT-SELECT-1.y",
            "select s.x -> INSERT-SELECT-1.a",
            "insert INSERT-SELECT-1.y -> t.a",
            "insert INSERT-SELECT-1.a -> t.b",
        ]
    );
    assert_eq!(processes(&lineage), [("Query Insert-1", "sstinsert")]);
    assert_eq!(object(&lineage, "INSERT-SELECT-1").kind, ObjectKind::InsertSelect);
    assert_eq!(lineage.relationships[2].process, Some(0));
    assert_eq!(lineage.relationships[0].process, None);
}

#[test]
fn an_insert_of_values_has_literals_as_sources() {
    let lineage = analyze("dbvmysql", &["insert into t (a, b) values (1, 'x'), (2, 'y')"]);
    assert_eq!(
        fdd(&lineage),
        [
            "select SQL_CONSTANTS.1, SQL_CONSTANTS.2 -> INSERT-SELECT-1.column1",
            "select SQL_CONSTANTS.'x', SQL_CONSTANTS.'y' -> INSERT-SELECT-1.column2",
            "insert INSERT-SELECT-1.column1 -> t.a",
            "insert INSERT-SELECT-1.column2 -> t.b",
        ]
    );
}

#[test]
fn a_view_has_the_columns_of_its_query() {
    let lineage = analyze("dbvpostgresql", &["create view v as select a.id, a.n as name from public.t as a"]);
    assert_eq!(
        fdd(&lineage),
        [
            "select public.t.id -> RS-1.id",
            "select public.t.n -> RS-1.name",
            "create_view RS-1.id -> v.id",
            "create_view RS-1.name -> v.name",
        ]
    );
    assert_eq!(processes(&lineage), [("Query Create View-1", "sstcreateview")]);
    assert_eq!(object(&lineage, "v").kind, ObjectKind::View);
    assert_eq!(object(&lineage, "public.t").namespace.schema.as_deref(), Some("public"));
    assert_eq!(object(&lineage, "public.t").name, "t");
}

#[test]
fn a_view_may_name_its_columns() {
    let lineage = analyze("dbvansi", &["create view v (x, y) as select a, b from t"]);
    assert_eq!(fdd(&lineage)[2..], ["create_view RS-1.a -> v.x", "create_view RS-1.b -> v.y"]);
}

#[test]
fn a_table_created_from_a_query_is_known_afterwards() {
    let lineage = analyze("dbvsnowflake", &["create table t as select a, b from s; insert into u select * from t"]);
    assert_eq!(
        fdd(&lineage)[2..],
        [
            "create_table RS-1.a -> t.a",
            "create_table RS-1.b -> t.b",
            "select t.a -> INSERT-SELECT-1.a",
            "select t.b -> INSERT-SELECT-1.b",
            "insert INSERT-SELECT-1.a -> u.a",
            "insert INSERT-SELECT-1.b -> u.b",
        ]
    );
    assert_eq!(processes(&lineage), [("Query Create Table-1", "sstcreatetable"), ("Query Insert-1", "sstinsert")]);
}

#[test]
fn a_common_table_expression_stands_between_its_query_and_its_reader() {
    let lineage = analyze("dbvpostgresql", &["with c as (select a from t where b > 1) select a as z from c"]);
    assert_eq!(fdd(&lineage), ["select t.a -> RS-1.a", "select RS-1.a -> CTE-c-1.a", "select CTE-c-1.a -> RS-2.z"]);
    assert_eq!(
        fdr(&lineage),
        [
            "select t.b -> RS-1.RelationRows",
            "select RS-1.RelationRows -> CTE-c-1.RelationRows",
            "select CTE-c-1.RelationRows -> RS-2.RelationRows",
        ]
    );
    assert_eq!(object(&lineage, "CTE-c-1").kind, ObjectKind::WithCte);
}

#[test]
fn a_recursive_common_table_expression_reads_itself() {
    let sql = "with recursive c (n) as (select a from t union all select n + 1 from c where n < 10) select n from c";
    let lineage = analyze("dbvpostgresql", &[sql]);
    let flows = fdd(&lineage);
    assert!(flows.contains(&"select RESULT_OF_UNION-1.a -> CTE-c-1.n".to_owned()), "{flows:#?}");
    assert!(flows.contains(&"select CTE-c-1.n, SQL_CONSTANTS.1 -> RS-2.n + 1".to_owned()), "{flows:#?}");
    assert!(lineage.diagnostics.is_empty(), "{:?}", lineage.diagnostics);
}

#[test]
fn recursion_needs_no_keyword_in_oracle() {
    let lineage = analyze("dbvoracle", &["with c as (select a from t union all select a from c) select a from c"]);
    assert_eq!(lineage.objects.iter().filter(|object| object.kind.is_stored()).count(), 1);
    assert!(fdd(&lineage).contains(&"select CTE-C-1.a -> RS-2.a".to_owned()), "{:#?}", fdd(&lineage));
}

#[test]
fn existence_is_decided_by_rows_and_membership_by_values() {
    let sql = "select a from t where exists (select x from u where u.k = 1) and (b, c) in (select d, e from w)";
    let lineage = analyze("dbvpostgresql", &[sql]);
    let into_result: Vec<String> =
        fdr(&lineage).into_iter().filter(|flow| flow.ends_with("-> RS-1.RelationRows")).collect();
    assert_eq!(
        into_result,
        ["select RS-2.RelationRows, t.b, t.c, RS-3.d, RS-3.e -> RS-1.RelationRows"],
        "{:#?}",
        fdr(&lineage)
    );
}

#[test]
fn the_parts_of_a_union_match_by_position() {
    let lineage = analyze(
        "dbvmssql",
        &["create view v as select a, b from t union all select c, d from u union select e, f from w"],
    );
    let into_union: Vec<String> =
        fdd(&lineage).into_iter().filter(|flow| flow.contains("-> RESULT_OF_UNION-1")).collect();
    assert_eq!(
        into_union,
        [
            "select RS-1.a -> RESULT_OF_UNION-1.a",
            "select RS-1.b -> RESULT_OF_UNION-1.b",
            "select RS-2.c -> RESULT_OF_UNION-1.a",
            "select RS-2.d -> RESULT_OF_UNION-1.b",
            "select RS-3.e -> RESULT_OF_UNION-1.a",
            "select RS-3.f -> RESULT_OF_UNION-1.b",
        ]
    );
    assert!(fdd(&lineage).contains(&"create_view RESULT_OF_UNION-1.b -> v.b".to_owned()));
    assert_eq!(object(&lineage, "RESULT_OF_UNION-1").kind, ObjectKind::SelectUnion);
}

#[test]
fn the_rows_that_an_except_removes_only_decide_the_result() {
    let lineage = analyze("dbvpostgresql", &["select a from t except select b from u"]);
    assert!(!fdd(&lineage).iter().any(|flow| flow.contains("RS-2.b ->")));
    assert!(fdr(&lineage).contains(&"select RS-2.b -> RESULT_OF_MINUS-1.RelationRows".to_owned()));
}

#[test]
fn joins_and_filters_decide_the_rows() {
    let sql = "select o.total from orders o left join customers c on o.cid = c.id where c.zip > 3";
    let lineage = analyze("dbvoracle", &[sql]);
    assert_eq!(fdd(&lineage), ["select orders.total -> RS-1.total"]);
    assert_eq!(
        fdr(&lineage),
        ["select orders.cid, customers.id -> RS-1.RelationRows", "select customers.zip -> RS-1.RelationRows"]
    );
    let clauses: Vec<_> =
        lineage.relationships.iter().filter(|r| r.kind == RelationshipKind::Fdr).map(|r| r.sources[0].clause).collect();
    assert_eq!(clauses, [Some(Clause::JoinCondition), Some(Clause::Where)]);
    let join = lineage.relationships.iter().find(|relationship| relationship.kind == RelationshipKind::Join).unwrap();
    assert_eq!(column_name(&lineage, join.sources[0].column), "orders.cid");
    assert_eq!(column_name(&lineage, join.target.column), "customers.id");
    let condition = join.join.as_ref().unwrap();
    assert_eq!((condition.kind, condition.condition.as_str()), ("left", "o.cid = c.id"));
}

#[test]
fn an_aggregate_stands_between_its_argument_and_its_result() {
    let lineage = analyze("dbvoracle", &["select d, sum(x) total, count(*) n, count(y) m from t group by d"]);
    assert_eq!(
        fdd(&lineage),
        [
            "select t.d -> RS-1.d",
            "function t.x -> sum.sum",
            "select sum.sum -> RS-1.total",
            "select count.count -> RS-1.n",
            "select count.count -> RS-1.m",
        ]
    );
    assert_eq!(
        fdr(&lineage),
        ["function t.d -> sum.sum", "function t.d -> count.count", "function t.y, t.d -> count.count"]
    );
    assert_eq!(relationships(&lineage, RelationshipKind::Frd), ["function t.RelationRows -> count.count"]);
}

#[test]
fn the_condition_of_a_case_only_decides() {
    let lineage = analyze("dbvoracle", &["select case when a > 1 then b else c end x from t"]);
    assert_eq!(fdd(&lineage), ["function t.b, t.c -> case-when.case-when", "select case-when.case-when -> RS-1.x"]);
    assert_eq!(fdr(&lineage), ["function t.a -> case-when.case-when"]);
}

#[test]
fn a_merge_inserts_and_updates() {
    let sql = "merge into t using (select id, v from s) q on (t.id = q.id) \
               when matched then update set t.v = q.v \
               when not matched then insert (id, v) values (q.id, q.v)";
    let lineage = analyze("dbvsnowflake", &[sql]);
    assert_eq!(
        fdd(&lineage),
        [
            "select s.id -> RESULT_OF_Q-1.id",
            "select s.v -> RESULT_OF_Q-1.v",
            "select RESULT_OF_Q-1.v -> MERGE-UPDATE-1.v",
            "merge_update MERGE-UPDATE-1.v -> t.v",
            "select RESULT_OF_Q-1.id -> MERGE-INSERT-1.id",
            "merge_insert MERGE-INSERT-1.id -> t.id",
            "select RESULT_OF_Q-1.v -> MERGE-INSERT-1.v",
            "merge_insert MERGE-INSERT-1.v -> t.v",
        ]
    );
    assert!(fdr(&lineage).contains(&"merge t.id, RESULT_OF_Q-1.id -> MERGE-INSERT-1.RelationRows".to_owned()));
    assert_eq!(processes(&lineage), [("Query Merge-1", "sstmerge")]);
    assert_eq!(object(&lineage, "MERGE-INSERT-1").kind, ObjectKind::MergeInsert);
}

#[test]
fn an_update_changes_its_target_through_a_record_set() {
    let lineage = analyze("dbvpostgresql", &["update t set v = s.q * 2 from s where s.id = t.id"]);
    assert_eq!(fdd(&lineage), ["select s.q, SQL_CONSTANTS.2 -> UPDATE-SET-1.v", "update UPDATE-SET-1.v -> t.v"]);
    assert_eq!(
        fdr(&lineage),
        ["select s.id, t.id -> UPDATE-SET-1.RelationRows", "update UPDATE-SET-1.RelationRows -> t.RelationRows"]
    );
}

#[test]
fn an_update_by_alias_changes_the_table_behind_it() {
    let lineage = analyze("dbvmssql", &["update x set x.v = s.q from dbo.t as x join s on s.id = x.id"]);
    assert_eq!(fdd(&lineage), ["select s.q -> UPDATE-SET-1.v", "update UPDATE-SET-1.v -> dbo.t.v"]);
    assert_eq!(fdr(&lineage)[0], "select s.id, dbo.t.id -> UPDATE-SET-1.RelationRows");
    assert!(lineage.objects.iter().all(|object| object.name != "x"));
}

#[test]
fn a_statement_in_a_query_yields_its_returned_columns() {
    let sql =
        "with i as (insert into t (a) select b from s where c = 1 returning a) insert into log (z) select a from i";
    let lineage = analyze("dbvpostgresql", &[sql]);
    assert!(fdd(&lineage).contains(&"select t.a -> RS-1.a".to_owned()), "{:#?}", fdd(&lineage));
    assert!(fdd(&lineage).contains(&"select CTE-i-1.a -> INSERT-SELECT-2.a".to_owned()), "{:#?}", fdd(&lineage));
    let of_processes =
        lineage.relationships.iter().filter_map(|relationship| Some((relationship.process?, relationship)));
    let written: Vec<_> = of_processes
        .map(|(process, relationship)| (process, column_name(&lineage, relationship.target.column)))
        .collect();
    let expected = [(0, "t.a"), (0, "t.RelationRows"), (1, "log.z")];
    assert_eq!(written, expected.map(|(process, column)| (process, column.to_owned())));
    assert!(lineage.diagnostics.is_empty(), "{:?}", lineage.diagnostics);
}

#[test]
fn a_delete_is_decided_by_its_condition() {
    let lineage = analyze("dbvpostgresql", &["delete from t where t.a in (select b from s)"]);
    assert!(fdr(&lineage).contains(&"delete t.a, RS-1.b -> t.RelationRows".to_owned()), "{:#?}", fdr(&lineage));
    assert_eq!(processes(&lineage), [("Query Delete-1", "sstdelete")]);
}

#[test]
fn a_star_is_resolved_by_a_table_of_an_earlier_file() {
    let files = ["create table a.t (id int primary key, n varchar(10));", "insert into zz select * from a.t;"];
    let lineage = analyze("dbvmysql", &files);
    assert_eq!(
        fdd(&lineage),
        [
            "select a.t.id -> INSERT-SELECT-1.id",
            "select a.t.n -> INSERT-SELECT-1.n",
            "insert INSERT-SELECT-1.id -> zz.id",
            "insert INSERT-SELECT-1.n -> zz.n",
        ]
    );
    let table = object(&lineage, "a.t");
    assert_eq!(table.namespace, Namespace { server: None, database: Some("a".into()), schema: None });
    assert_eq!(table.columns[0].data_type.as_deref(), Some("INT"));
    assert!(table.columns[0].primary_key && !table.columns[1].primary_key);
    assert_eq!(lineage.relationships[2].target.at.script, 1, "the column was first named in the second file");
}

#[test]
fn a_star_over_an_unknown_table_stays_a_star() {
    let lineage = analyze("dbvoracle", &["create view v as select * from t; select x from v"]);
    let flows = fdd(&lineage);
    assert!(flows.contains(&"select t.* -> RS-1.*".to_owned()), "{flows:#?}");
    assert!(flows.contains(&"create_view RS-1.* -> v.*".to_owned()), "{flows:#?}");
    assert!(flows.contains(&"select t.x -> RS-1.x".to_owned()), "{flows:#?}");
    assert!(flows.contains(&"select v.x -> RS-2.x".to_owned()), "{flows:#?}");
}

#[test]
fn a_column_belongs_to_the_table_that_is_known_to_have_it() {
    let sql = "create table t (a int, x int); create table u (b int, y int); select a, b from t, u";
    let lineage = analyze("dbvoracle", &[sql]);
    assert_eq!(fdd(&lineage), ["select t.a -> RS-1.a", "select u.b -> RS-1.b"]);
    assert!(lineage.diagnostics.is_empty());
}

#[test]
fn a_column_that_several_tables_may_have_is_an_orphan() {
    let lineage = analyze("dbvoracle", &["select c from t, u"]);
    assert_eq!(fdd(&lineage), ["select pseudo_table_include_orphan_column.c -> RS-1.c"]);
    assert_eq!(lineage.diagnostics[0].kind, DiagnosticKind::LinkOrphanColumn);
    assert!(lineage.diagnostics[0].message.contains("0.sql") && lineage.diagnostics[0].message.contains("c(1,8)"));
    assert!(!lineage.is_incomplete());
}

#[test]
fn a_correlated_subquery_sees_the_outer_tables() {
    let lineage = analyze("dbvpostgresql", &["select a.x from a where exists (select 1 from b where b.k = a.k)"]);
    assert!(fdr(&lineage).contains(&"select b.k, a.k -> RS-2.RelationRows".to_owned()), "{:#?}", fdr(&lineage));
    assert!(lineage.diagnostics.is_empty(), "{:?}", lineage.diagnostics);
}

#[test]
fn quotes_distinguish_objects_where_the_dialect_says_so() {
    let lineage = analyze(
        "dbvoracle",
        &[r#"insert into "T" ("a") select "My Col" from Orders; insert into t (B) select c from ORDERS"#],
    );
    let tables: Vec<&str> =
        lineage.objects.iter().filter(|object| object.kind.is_stored()).map(|o| o.name.as_str()).collect();
    assert_eq!(tables, ["\"T\"", "Orders"], "T and \"T\" are the same in Oracle, and so are Orders and ORDERS");
    assert_eq!(object(&lineage, "Orders").normal_name, "ORDERS");
    assert_eq!(object(&lineage, "Orders").columns[0].name, "\"My Col\"");
    assert_eq!(object(&lineage, "Orders").columns[0].normal_name, "My Col");

    let lineage = analyze("dbvoracle", &[r#"select a from "orders" union select a from orders"#]);
    assert_eq!(lineage.objects.iter().filter(|object| object.kind.is_stored()).count(), 2);
}

#[test]
fn qualifiers_decide_the_namespace_of_a_table() {
    let lineage = analyze("dbvmssql", &["select a from srv.db.dbo.t; select a from [db].[dbo].[u]; select a from w"]);
    let place = |name: &str| object(&lineage, name).namespace.clone();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(place("srv.db.dbo.t"), Namespace { server: text("srv"), database: text("db"), schema: text("dbo") });
    assert_eq!(place("[db].[dbo].[u]"), Namespace { server: None, database: text("[db]"), schema: text("[dbo]") });
    assert_eq!(place("w"), Namespace::default());
}

#[test]
fn a_default_schema_makes_two_spellings_one_table() {
    let settings = AnalysisSettings {
        vendor: Vendor::find("dbvpostgresql").unwrap(),
        database: None,
        schema: Some("public".into()),
    };
    let lineage = analyze_with(settings, &["select a from t; select b from public.t"]);
    assert_eq!(object(&lineage, "t").columns.len(), 2);
    assert_eq!(object(&lineage, "t").namespace.schema.as_deref(), Some("public"));
}

#[test]
fn identifiers_have_their_positions_in_the_script() {
    let lineage =
        analyze("dbvoracle", &["-- ä comment\ninsert into t (a)\n  select s.col\n  from s;\nselect\n z from u"]);
    let at = |range: SourceRange| (range.start, range.end);
    assert_eq!(at(object(&lineage, "t").at[0]), ((2, 13), (2, 14)));
    assert_eq!(at(object(&lineage, "t").columns[0].at), ((2, 16), (2, 17)));
    assert_eq!(at(object(&lineage, "s").columns[0].at), ((3, 12), (3, 15)));
    assert_eq!(at(object(&lineage, "u").at[0]), ((6, 9), (6, 10)));
    assert_eq!(at(lineage.relationships[0].sources[0].at), ((3, 10), (3, 15)));
    assert_eq!(at(lineage.processes[0].at), ((2, 1), (4, 9)));
}

#[test]
fn a_syntax_error_does_not_affect_the_other_file() {
    let lineage = analyze("dbvmysql", &["insert into t select a from s", "select 1;\nselec bogus from x"]);
    assert_eq!(lineage.statements, 2);
    assert!(lineage.is_incomplete());
    let diagnostic = &lineage.diagnostics[0];
    assert_eq!((diagnostic.kind, diagnostic.file.as_str()), (DiagnosticKind::SyntaxError, "1.sql"));
    assert_eq!(diagnostic.at.unwrap().start, (2, 1));
    assert!(diagnostic.message.starts_with("1.sql: Expected"), "{}", diagnostic.message);
    assert!(diagnostic.message.ends_with("line 2, column 1"), "{}", diagnostic.message);
    assert!(fdd(&lineage).contains(&"insert INSERT-SELECT-1.a -> t.a".to_owned()));
}

#[test]
fn the_statements_of_a_procedure_are_named_after_it() {
    let sql = "create procedure load_t as begin insert into t (a) select b from s; end";
    let lineage = analyze("dbvmssql", &[sql]);
    assert_eq!(processes(&lineage), [("load_t Insert-1", "sstinsert")]);
    assert!(fdd(&lineage).contains(&"insert INSERT-SELECT-1.b -> t.a".to_owned()));
}

#[test]
fn a_foreign_key_leads_from_the_table_it_refers_to() {
    let sql = "create table d (id int primary key); create table e (x int, d_id int references d(id), foreign key (x) references d)";
    let lineage = analyze("dbvpostgresql", &[sql]);
    assert_eq!(fdd(&lineage), ["foreign_key d.id -> e.x", "foreign_key d.id -> e.d_id"]);
    assert!(object(&lineage, "e").columns[1].foreign_key);
}

#[test]
fn use_names_the_database_for_the_rest_of_the_script() {
    let lineage = analyze("dbvmysql", &["use shop; select a from t", "select a from u"]);
    assert_eq!(object(&lineage, "t").namespace.database.as_deref(), Some("shop"));
    assert_eq!(object(&lineage, "u").namespace.database, None);
}

#[test]
fn a_vendor_without_a_dialect_is_read_and_reported() {
    let lineage = analyze("dbvnetezza", &["insert into t select a from s"]);
    assert_eq!(lineage.diagnostics[0].kind, DiagnosticKind::SyntaxHint);
    assert!(!lineage.is_incomplete());
    assert_eq!(lineage.statements, 1);
}

#[test]
fn deep_nesting_does_not_overflow_the_stack() {
    let chain = format!("select {} from t", vec!["a"; 9_000].join(" + "));
    let nested = format!("select {}a{} from t", "(".repeat(3000), ")".repeat(3000));
    let unions = vec!["select a from t"; 2000].join(" union all ");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let settings = AnalysisSettings { vendor: Vendor::find("dbvoracle").unwrap(), database: None, schema: None };
    let read = move |analyzer: &mut Analyzer| {
        for sql in [chain, nested, unions] {
            analyzer.read("x.sql", &sql, false);
        }
    };
    let lineage = runtime.block_on(run_off_thread(settings, read)).unwrap();
    assert!(lineage.statements >= 2, "{} {:?}", lineage.statements, lineage.diagnostics);
}

#[test]
fn a_panic_in_the_analysis_is_an_error() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let settings = AnalysisSettings { vendor: Vendor::find("dbvoracle").unwrap(), database: None, schema: None };
    let outcome = runtime.block_on(run_off_thread(settings, |_| panic!("out of {}", "luck")));
    assert_eq!(outcome.unwrap_err(), "The analysis panicked: out of luck");
}

#[tokio::test]
async fn an_analysis_that_nobody_waits_for_ends_early() {
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let (go_on, may_go_on) = std::sync::mpsc::channel();
    let (end, ended) = tokio::sync::oneshot::channel();
    let settings = AnalysisSettings { vendor: Vendor::find("dbvoracle").unwrap(), database: None, schema: None };
    let waiting = tokio::spawn(run_off_thread(settings, move |analyzer| {
        begun.send(()).unwrap();
        may_go_on.recv().unwrap();
        analyzer.read("a.sql", "select a from t", false);
        end.send(analyzer.builder.is_abandoned()).unwrap();
    }));
    has_begun.await.unwrap();
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    go_on.send(()).unwrap();
    assert!(ended.await.unwrap());
}

#[test]
fn omissions_are_reported() {
    let said = |vendor, sql: &str| {
        let lineage = analyze(vendor, &[sql]);
        let diagnostic = lineage.diagnostics.first().unwrap_or_else(|| panic!("nothing was said about {sql}"));
        (diagnostic.kind, diagnostic.message.clone())
    };
    let (kind, message) = said("dbvsnowflake", "call p(1)");
    assert_eq!(kind, DiagnosticKind::SyntaxHint);
    let expected = "0.sql: what routine p does is not analyzed in the statement at line 1, column 1; upload its definition \
                    before this script";
    assert_eq!(message, expected);
    let (kind, message) = said("dbvbigquery", "from t |> join u on t.a = u.a |> select b");
    assert_eq!(kind, DiagnosticKind::AnalyzeError);
    assert!(message.starts_with("0.sql: the pipe operator JOIN"), "{message}");
    let (kind, message) = said("dbvpostgresql", "create trigger g after insert on t for each row execute function f()");
    assert_eq!(kind, DiagnosticKind::AnalyzeError);
    assert!(message.starts_with("0.sql: what trigger g does is not analyzed"), "{message}");
}

#[test]
fn a_query_that_another_server_runs_is_a_source_of_its_own() {
    for call in ["openquery(srv, 'select x from r')", "openrowset('SQLNCLI', 'Server=b;', 'select x from r')"] {
        let lineage = analyze("dbvmssql", &[&format!("insert into t (a) select q.x from {call} as q")]);
        assert!(lineage.diagnostics.is_empty(), "{:?}", lineage.diagnostics);
        assert_eq!(object(&lineage, call).kind, ObjectKind::Table);
        assert_eq!(fdd(&lineage)[0], format!("select {call}.x -> INSERT-SELECT-1.x"));
    }
}

#[test]
fn temporary_tables_of_two_routines_or_two_scripts_are_different_tables() {
    let count = |lineage: &Lineage, name: &str| lineage.objects.iter().filter(|object| object.name == name).count();
    let routine =
        |name: &str| format!("create procedure {name} as begin select a into #t from {name}_s; select a from #t; end;");
    let lineage = analyze("dbvmssql", &[&format!("{}\ngo\n{}", routine("p"), routine("q"))]);
    assert_eq!(count(&lineage, "#t"), 2);
    let session = "select a into #t from s;\ngo\ncreate procedure p as begin select a from #t; end;";
    assert_eq!(count(&analyze("dbvmssql", &[session, session]), "#t"), 2);
    let shared = "select a into ##t from s;";
    assert_eq!(count(&analyze("dbvmssql", &[shared, shared]), "##t"), 1);
    let declared = "create temporary table x (a int); insert into x select b from s;";
    assert_eq!(count(&analyze("dbvpostgresql", &[declared, declared]), "x"), 2);
}

#[test]
fn files_and_stages_are_paths_outside_of_every_schema() {
    let lineage = analyze("dbvsnowflake", &["copy into db.sc.t from @stage/x.csv"]);
    let path = object(&lineage, "@stage/x.csv");
    assert_eq!((path.kind.name(), &path.namespace), ("path", &Namespace::default()));
    assert_eq!(processes(&lineage), [("Query Copy-1", "sstcopy")]);
}

#[test]
fn client_commands_are_skipped() {
    let oracle = "PROMPT it's loading\ncreate view v as select a from s\n/\ninsert into t (a) select a from v;\nexit\n";
    let lineage = analyze("dbvoracle", &[oracle]);
    assert!(lineage.diagnostics.is_empty(), "{:?}", lineage.diagnostics);
    assert_eq!(processes(&lineage), [("Query Create View-1", "sstcreateview"), ("Query Insert-1", "sstinsert")]);
    assert_eq!(lineage.processes[1].at.start, (4, 1));

    let mysql = "DELIMITER //\ninsert into t (a) select b from s//\nDELIMITER ;\ninsert into u (a) select b from s;";
    let lineage = analyze("dbvmysql", &[mysql]);
    assert!(lineage.diagnostics.is_empty(), "{:?}", lineage.diagnostics);
    assert_eq!(processes(&lineage).len(), 2);
}

#[test]
fn a_batch_without_semicolons_is_read_completely() {
    let lineage = analyze("dbvmssql", &["insert into t(a) select b from s\n\ninsert into u(a) select c from s2"]);
    assert!(lineage.diagnostics.is_empty(), "{:?}", lineage.diagnostics);
    assert!(fdd(&lineage).contains(&"insert INSERT-SELECT-1.b -> t.a".to_owned()), "{:#?}", fdd(&lineage));
    assert!(fdd(&lineage).contains(&"insert INSERT-SELECT-2.c -> u.a".to_owned()), "{:#?}", fdd(&lineage));
    assert_eq!(lineage.processes[1].at.start, (3, 1));
}

#[test]
fn the_statements_in_a_routine_without_a_grammar_are_read() {
    let sql = "create or replace procedure p (x in number) is\nbegin\n  insert into t (a) select b from s;\n  update t set a = 1;\nend;\n/\ninsert into u (a) select a from t;";
    let lineage = analyze("dbvoracle", &[sql]);
    assert!(!lineage.is_incomplete(), "{:?}", lineage.diagnostics);
    for flow in ["insert INSERT-SELECT-1.b -> t.a", "insert INSERT-SELECT-2.a -> u.a"] {
        assert!(fdd(&lineage).contains(&flow.to_owned()), "{:#?}", fdd(&lineage));
    }
}

#[test]
fn a_script_of_comments_is_skipped() {
    let lineage = analyze("dbvoracle", &["-- nothing\n/* here */\n", "select a from t"]);
    assert_eq!((lineage.statements, lineage.diagnostics.len()), (1, 0));
    assert_eq!(lineage.objects[0].at[0].script, 1);
}

#[test]
fn a_table_is_known_before_the_file_that_defines_it_is_read() {
    let files = ["create view v as select * from s", "-- later\ncreate table s (x int, y int)"];
    let lineage = analyze("dbvoracle", &files);
    assert_eq!(
        fdd(&lineage),
        ["select s.x -> RS-1.x", "select s.y -> RS-1.y", "create_view RS-1.x -> v.x", "create_view RS-1.y -> v.y"]
    );
    let definition = object(&lineage, "s").columns[0].at;
    assert_eq!((definition.script, definition.start), (1, (2, 17)));
}

#[test]
fn the_columns_of_a_table_function_come_from_its_arguments() {
    let cases = [
        (
            "dbvsnowflake",
            "create view v as select e.a, f.value v from t e, lateral flatten(input=>e.arr) f",
            "t.arr -> flatten.value",
            "flatten.value -> RS-1.v",
        ),
        (
            "dbvbigquery",
            "create view v as select item.sku from shop.orders o, UNNEST(o.items) AS item",
            "shop.orders.items -> unnest.item",
            "unnest.item -> RS-1.sku",
        ),
        (
            "dbvbigquery",
            "create view v as select item from shop.orders o, UNNEST(o.items) AS item",
            "shop.orders.items -> unnest.item",
            "unnest.item -> RS-1.item",
        ),
        (
            "dbvbigquery",
            "create view v as select item.sku from shop.orders, orders.items as item",
            "shop.orders.items -> unnest.item",
            "unnest.item -> RS-1.sku",
        ),
        (
            "dbvmssql",
            "create view v as select y.value from x cross apply string_split(x.tags, ',') y",
            "x.tags, SQL_CONSTANTS.',' -> string_split.value",
            "string_split.value -> RS-1.value",
        ),
        (
            "dbvmysql",
            "create view v as select jt.n from x, json_table(x.doc, '$[*]' columns (n int path '$.n')) jt",
            "x.doc -> json_table.n",
            "json_table.n -> RS-1.n",
        ),
    ];
    for (vendor, sql, into_function, out_of_it) in cases {
        let lineage = analyze(vendor, &[sql]);
        let flows = fdd(&lineage);
        assert!(flows.contains(&format!("function {into_function}")), "{sql}: {flows:#?} {:?}", lineage.diagnostics);
        assert!(flows.contains(&format!("select {out_of_it}")), "{sql}: {flows:#?}");
        let tables = lineage.objects.iter().filter(|object| object.kind == ObjectKind::Table).count();
        assert_eq!(tables, 1, "{sql}");
    }
}

#[test]
fn a_column_that_is_read_later_is_attributed_to_the_statement_that_created_its_table() {
    let lineage = analyze("dbvoracle", &["create table t as select * from s1; create table t2 as select a from t;"]);
    let late =
        lineage.relationships.iter().find(|relationship| column_name(&lineage, relationship.target.column) == "t.a");
    let late = late.unwrap_or_else(|| panic!("{:#?}", fdd(&lineage)));
    assert_eq!((late.effect, late.process), (Effect::CreateTable, Some(0)));
    let step =
        lineage.relationships.iter().find(|relationship| column_name(&lineage, relationship.target.column) == "RS-1.a");
    assert_eq!(step.map(|step| (step.effect, step.process)), Some((Effect::Select, None)));
}

#[test]
fn a_star_keeps_the_columns_next_to_it() {
    let sql = "create view v as select a.*, b.x from a join b on a.k = b.k; create view w as select * from v";
    let flows = fdd(&analyze("dbvoracle", &[sql]));
    for flow in ["select v.* -> RS-2.*", "select v.x -> RS-2.x", "create_view RS-2.x -> w.x"] {
        assert!(flows.contains(&flow.to_owned()), "{flow}: {flows:#?}");
    }
    assert!(!flows.iter().any(|flow| flow.contains("v.k")), "{flows:#?}");
}

#[test]
fn a_column_of_a_join_by_name_belongs_to_both_tables() {
    let lineage = analyze("dbvpostgresql", &["select id, c.z from a join b using (id) join c on c.y = b.y"]);
    assert_eq!(fdd(&lineage), ["select a.id, b.id -> RS-1.id", "select c.z -> RS-1.z"]);
    assert!(fdr(&lineage).contains(&"select a.id, b.id -> RS-1.RelationRows".to_owned()), "{:#?}", fdr(&lineage));
    assert!(lineage.diagnostics.is_empty(), "{:?}", lineage.diagnostics);

    let tables = "create table a (id int, x int); create table b (id int, y int);";
    let lineage = analyze("dbvpostgresql", &[tables, "select id, x from a natural join b"]);
    assert_eq!(fdd(&lineage), ["select a.id, b.id -> RS-1.id", "select a.x -> RS-1.x"]);
}

#[test]
fn a_merge_into_an_unknown_table_names_its_columns_after_the_values() {
    let sql = "merge into t using s on t.id = s.id when not matched then insert values (s.id, s.v || 'x')";
    let flows = fdd(&analyze("dbvsnowflake", &[sql]));
    assert!(flows.contains(&"merge_insert MERGE-INSERT-1.id -> t.id".to_owned()), "{flows:#?}");
    assert!(flows.contains(&"merge_insert MERGE-INSERT-1.s.v || 'x' -> t.s.v || 'x'".to_owned()), "{flows:#?}");

    let sql = "merge into d.t using d.s on t.id = s.id when not matched then insert row";
    let flows = fdd(&analyze("dbvbigquery", &[sql]));
    assert_eq!(flows[..2], ["select d.s.* -> MERGE-INSERT-1.*", "merge_insert MERGE-INSERT-1.* -> d.t.*"]);
}

#[test]
fn arguments_that_choose_a_value_only_decide_it() {
    let cases = [
        ("dbvsnowflake", "iff(a = 1, b, c)", "t.b, t.c", "t.a"),
        ("dbvoracle", "decode(d, 1, e, g, f, h)", "t.e, t.f, t.h", "t.d, t.g"),
        ("dbvoracle", "nvl2(i, j, k)", "t.j, t.k", "t.i"),
        ("dbvmysql", "if(a > 1, b, c)", "t.b, t.c", "t.a"),
        ("dbvmssql", "iif(a > 1, b, c)", "t.b, t.c", "t.a"),
        ("dbvpostgresql", "nullif(a, b)", "t.a", "t.b"),
    ];
    for (vendor, expression, values, deciding) in cases {
        let lineage = analyze(vendor, &[&format!("select {expression} x from t")]);
        let into_function = |flows: Vec<String>| {
            let mut flows = flows.into_iter().filter(|flow| flow.starts_with("function "));
            flows.next().unwrap_or_default().split(" -> ").next().unwrap_or_default().replace("function ", "")
        };
        assert_eq!(into_function(fdd(&lineage)), values, "{expression}");
        assert_eq!(into_function(fdr(&lineage)), deciding, "{expression}");
    }
}

#[test]
fn an_empty_schema_is_the_default_one() {
    let lineage = analyze("dbvmssql", &["select a from db2..y"]);
    let expected = Namespace { server: None, database: Some("db2".into()), schema: None };
    assert_eq!(lineage.objects.iter().find(|object| object.name == "y").unwrap().namespace, expected);
}

#[test]
fn a_renamed_table_is_a_new_one() {
    let lineage = analyze("dbvpostgresql", &["create table t (a int); alter table t rename to u"]);
    assert_eq!(fdd(&lineage), ["create_table t.a -> u.a"]);
}

#[test]
fn a_foreign_key_is_a_relation_between_entities_too() {
    let lineage = analyze("dbvpostgresql", &["create table e (d_id int references d(id))"]);
    assert_eq!(relationships(&lineage, RelationshipKind::Er), ["foreign_key d.id -> e.d_id"]);
}

#[test]
fn a_clause_without_a_name_in_the_protocol_is_unknown() {
    let lineage =
        analyze("dbvoracle", &["select d, sum(x) from t where y = 1 group by d having max(z) > 1 order by d"]);
    let ends = lineage.relationships.iter().filter(|relationship| relationship.kind == RelationshipKind::Fdr);
    let clauses: HashSet<&str> = ends.filter_map(|relationship| Some(relationship.sources[0].clause?.name())).collect();
    assert_eq!(clauses, HashSet::from(["unknown", "where", "orderby"]));
}

#[test]
fn an_expression_ends_with_its_closing_parenthesis() {
    let lineage = analyze("dbvoracle", &["select\n  sum(upper(x)), count(*) from t"]);
    let at = |name: &str| object(&lineage, name).at[0];
    assert_eq!((at("sum").start, at("sum").end), ((2, 3), (2, 16)));
    assert_eq!((at("upper").start, at("upper").end), ((2, 7), (2, 15)));
    assert_eq!((at("count").start, at("count").end), ((2, 18), (2, 26)));
    assert_eq!(object(&lineage, "RS-1").columns[0].at.end, (2, 16));
}

#[test]
fn values_that_use_each_other_twice_take_no_more_room_than_their_number() {
    let mut sql = "create table t as select a as x0".to_owned();
    for number in 1..200 {
        let before = number - 1;
        write!(sql, ", case when x{before} > 0 then 1 end + x{before} + x{before} as x{number}").unwrap();
    }
    let lineage = analyze("dbvsnowflake", &[&format!("{sql} from s")]);
    let ends: usize = lineage.relationships.iter().map(|relationship| relationship.sources.len()).sum();
    assert!(ends < 200 * 210, "{ends} endpoints");
}

/// Returns the namespace and the name of each stored object as `database.schema.name`, sorted.
fn stored_names(lineage: &Lineage) -> Vec<String> {
    let stored = lineage.objects.iter().filter(|object| object.kind.is_stored());
    let mut names: Vec<String> = stored
        .map(|object| {
            let Namespace { database, schema, .. } = &object.namespace;
            let words = database.iter().chain(schema).chain([&object.name]);
            words.map(String::as_str).collect::<Vec<_>>().join(".")
        })
        .collect();
    names.sort();
    names
}

#[test]
fn tables_belong_to_the_database_that_use_names_before_them() {
    let sql =
        "insert into u select y from v; use a; insert into t select x from s; use b; insert into s select y from q";
    for vendor in ["dbvhive", "dbvmysql", "dbvmssql", "dbvsnowflake", "dbvdatabricks", "dbvteradata", "dbvsparksql"] {
        let lineage = analyze(vendor, &[sql]);
        assert_eq!(stored_names(&lineage), ["a.s", "a.t", "b.q", "b.s", "u", "v"], "{vendor}");
        assert!(!lineage.is_incomplete(), "{vendor}");
    }
    let lineage = analyze("dbvmssql", &[&sql.replace("; ", "\ngo\n").replace("use a", "USE [a]")]);
    assert_eq!(stored_names(&lineage), ["[a].s", "[a].t", "b.q", "b.s", "u", "v"]);
}

#[test]
fn use_names_a_schema_alone_or_with_its_database() {
    let sql =
        "use database d; use schema x.y; insert into t select a from s; use schema z; insert into t select a from s";
    let lineage = analyze("dbvsnowflake", &[sql]);
    assert_eq!(stored_names(&lineage), ["x.y.s", "x.y.t", "x.z.s", "x.z.t"]);
    let lineage = analyze("dbvsnowflake", &["use x.y; use warehouse w; use role r; insert into t select a from s"]);
    assert_eq!(stored_names(&lineage), ["x.y.s", "x.y.t"]);
    let lineage = analyze("dbvdatabricks", &["use catalog c; use schema d; insert into t select a from s"]);
    assert_eq!(lineage.messages(), Vec::<String>::new());
}

#[test]
fn a_column_that_is_defined_after_use_belongs_to_the_table_of_that_database() {
    let sql = "use a; create table t (x int); use b; create table t (y int); insert into t select y2 from s; \
               insert into a.t select x2 from a.s";
    let lineage = analyze("dbvmysql", &[sql]);
    assert_eq!(fdd(&lineage).last().map(String::as_str), Some("insert INSERT-SELECT-2.x2 -> t.x"));
}

#[test]
fn use_needs_no_separator_in_t_sql() {
    let sql = "use a\ninsert into t select x from s\nuse b\ninsert into s select y from q";
    let lineage = analyze("dbvmssql", &[sql]);
    assert_eq!(stored_names(&lineage), ["a.s", "a.t", "b.q", "b.s"]);
}
