//! Documents that a page is hard to make of: large ones, and ones with names that break out of HTML.

#[path = "../../benches/generator/mod.rs"]
#[allow(dead_code)]
mod generator;

use serde_json::{Value, json};
use sqlflow_lineage::Lineage;

use self::generator::Layout;

/// Returns a document with this number of relationships, shaped like that of a job over a data warehouse: chains of
/// views over views, some thousands of tables for 100,000 relationships, intermediate results, filters, foreign keys,
/// statements and coordinates. It is always the same for the same number.
pub(crate) fn large(relationships: usize) -> String {
    let (document, _) = generator::document(Layout::Tree, relationships);
    String::from_utf8(document).expect("JSON is UTF-8")
}

/// Returns such a document in which a column of one table also flows into as many as 1,000 others, as the columns of a
/// calendar do, so that its surroundings are larger than any drawing.
pub(crate) fn large_with_hub(relationships: usize) -> String {
    const TABLE: &str = r#""type":"table","columns":[{"id":""#;
    const RELATIONSHIPS: &str = r#""relationships":["#;
    let from_hub = (relationships / 100).min(1_000);
    let document = large(relationships - from_hub);
    let columns = document.match_indices(TABLE).filter_map(|(at, _)| document[at + TABLE.len()..].split('"').next());
    let mut columns = columns.take(from_hub + 1);
    let hub = columns.next().expect("there are tables");
    let flow = |(at, column): (usize, &str)| {
        format!(r#"{{"id":"hub_{at}","type":"fdd","target":{{"id":"{column}"}},"sources":[{{"id":"{hub}"}}]}},"#)
    };
    let flows: String = columns.enumerate().map(flow).collect();
    document.replacen(RELATIONSHIPS, &format!("{RELATIONSHIPS}{flows}"), 1)
}

/// Returns names that have a meaning in HTML, JavaScript, JSON, CSS or URLs, or that few programs expect.
pub(crate) fn hostile_names() -> Vec<String> {
    let mut names: Vec<String> = [
        "",
        " ",
        "\n",
        "\"quoted\"",
        "it's `code`",
        "</script>",
        "</SCRIPT ><script>document.title = 'broken'</script>",
        "<!--",
        "<!--<script>",
        "-->",
        "]]>",
        "<img src=x onerror=\"document.title = 'broken'\">",
        "<svg onload=document.title='broken'>",
        "</style></textarea></title>",
        "\" onmouseover=\"document.title='broken'",
        "javascript:document.title='broken'",
        "&lt;b&gt; &amp;amp; &#60;",
        "${document.title = 'broken'}",
        "{{constructor}}",
        "back\\slash\\\\ \\u003c/script> \\",
        "line\u{2028}separator\u{2029}paragraph",
        "several\nlines\r\nof\tSQL",
        "nul\0 bell\u{7} esc\u{1b}[31m del\u{7f} nel\u{85}",
        "\u{fffe}\u{ffff}\u{feff}\u{fffd}",
        "\u{200b}zero\u{200d}width\u{2060}",
        "family 👨\u{200d}👩\u{200d}👧 🏳\u{fe0f}\u{200d}🌈",
        "𝔐𝔞𝔱𝔥 漢字 かな",
        "שלום \u{202e}abc",
        "\u{202e}elbat\u{202c} \u{2066}isolated",
        "مرحبا_total_2024",
        "e\u{301}\u{323}\u{327}",
        "Z\u{351}\u{36b}\u{343}\u{36a}\u{302}a\u{30d}\u{2e}l\u{34c}\u{342}g\u{30f}\u{309}o\u{322}",
        "__proto__",
        "constructor",
        "prototype",
        "toString",
        "hasOwnProperty",
        "length",
        "undefined",
        "null",
        "NaN",
        "0",
        "-1",
        "1e3",
        "a.b.c",
        "a/b?c=d&e#f%20g%",
        "#column=x",
        "url(data:text/css,*{display:none})",
        "*",
        "a,b;c|d",
        "=HYPERLINK(\"http://x\")",
        "Customers",
        "CUSTOMERS",
        "customers",
    ]
    .map(str::to_owned)
    .into();
    names.push("e".to_owned() + &"\u{301}".repeat(2_500));
    names.push("long_name_".repeat(500));
    names.push("m".repeat(2_500) + &"字".repeat(2_500));
    names
}

/// Returns a document in which every object and column has a name of [`hostile_names`]. Each column feeds the column of
/// the next object and a column that all of them feed, so each name is an end of an edge; schemas, statements, effects
/// and the file of an error have these names too.
pub(crate) fn hostile() -> String {
    let names = hostile_names();
    let next = |at: usize| (at + 1) % names.len();
    let objects = names.iter().enumerate().map(|(at, name)| {
        let kind = ["table", "view", "select_list"][at % 3];
        json!({
            "id": at.to_string(), "name": name, "type": kind, "schema": names[next(at)], "coordinates": [],
            "columns": [
                { "id": format!("{at}_0"), "name": name, "coordinates": [] },
                { "id": format!("{at}_1"), "name": names[next(at)], "coordinates": [] },
                { "id": format!("{at}_2"), "name": "RelationRows", "source": "system", "coordinates": [] },
            ],
        })
    });
    let processes = names.iter().enumerate().map(|(at, name)| {
        json!({ "id": format!("p{at}"), "name": name, "type": "process", "procedureName": name, "queryHashId": name })
    });
    let end = |at: usize, column: usize| {
        let name = if column == 0 { at } else { next(at) };
        json!({
            "id": format!("{at}_{column}"), "column": names[name], "parentId": at.to_string(), "parentName": names[at],
            "coordinates": [{ "x": 1, "y": 1, "hashCode": "0" }, { "x": 1, "y": 9, "hashCode": "0" }],
        })
    };
    let relationships = names.iter().enumerate().flat_map(|(at, name)| {
        let relationship = |number: usize, kind: &str, target, source| {
            json!({
                "id": format!("r{at}_{number}"), "type": kind, "effectType": name, "processId": format!("p{at}"),
                "target": target, "sources": [source],
            })
        };
        [
            relationship(0, "fdd", end(next(at), 0), end(at, 0)),
            relationship(1, "fdd", end(0, 1), end(at, 1)),
            relationship(2, "fdr", end(next(at), 1), end(at, 0)),
        ]
    });
    let errors =
        names.iter().map(|name| json!({ "errorMessage": name, "errorType": "SyntaxError", "coordinates": [] }));
    json!({
        "dbobjs": objects.chain(processes).collect::<Vec<_>>(),
        "relationships": relationships.collect::<Vec<_>>(),
        "errors": errors.collect::<Vec<_>>(),
    })
    .to_string()
}

/// Returns the document of a small shop, the records of which the tests name:
///
/// - `ORDERS.TOTAL` flows into `DAILY.DAY_TOTAL` by two statements, one of them through `RS-1`; from there into
///   `REPORT.SUM`, and from there into `BOARD.SUM`. `ORDERS.STATE` filters `RS-1`.
/// - `CUSTOMERS.REGION` flows into `REPORT.REGION`, and a foreign key leads from `CUSTOMERS.ID` to `ORDERS.CUSTOMER_ID`.
/// - `nightly` calls `run`. Nothing flows from or to `ALONE`.
pub(crate) fn shop() -> Value {
    let column = |id: &str, name: &str| json!({ "id": id, "name": name, "coordinates": [] });
    let rows = |id: &str| json!({ "id": id, "name": "RelationRows", "source": "system", "coordinates": [] });
    let object = |id: &str, schema: &str, name: &str, kind: &str, columns: Vec<Value>| json!({ "id": id, "schema": schema, "name": name, "type": kind, "columns": columns, "coordinates": [] });
    let mut orders =
        vec![column("11", "ID"), column("12", "CUSTOMER_ID"), column("13", "TOTAL"), column("14", "STATE")];
    orders.extend((1..=10).map(|at| column(&format!("1{at}n"), &format!("NOTE_{at}"))));
    let statement = |id: &str, name: &str, line: u32| {
        json!({
            "id": id, "name": name, "type": "process", "procedureName": "batchQueries", "queryHashId": id,
            "coordinates": [{ "x": line, "y": 1, "hashCode": "0" }, { "x": line + 3, "y": 9, "hashCode": "0" }],
        })
    };
    let end = |id: &str| json!({ "id": id });
    let flow = |id: &str, kind: &str, effect: &str, process: &str, source: Value, target: &str| {
        json!({
            "id": id, "type": kind, "effectType": effect, "processId": process, "target": end(target),
            "sources": [source],
        })
    };
    let mut total = flow("r1", "fdd", "select", "p1", end("13"), "41");
    total["function"] = "sum".into();
    json!({
        "dbobjs": [
            object("1", "SALES", "ORDERS", "table", orders),
            object("2", "SALES", "CUSTOMERS", "table", vec![column("21", "ID"), column("22", "REGION")]),
            object("3", "SALES", "DAILY", "view", vec![column("31", "DAY_TOTAL"), column("32", "CUSTOMER")]),
            object("4", "SALES", "RS-1", "select_list", vec![column("41", "TOTAL"), rows("42")]),
            object("5", "REPORTING", "REPORT", "table", vec![column("51", "SUM"), column("52", "REGION")]),
            object("6", "REPORTING", "BOARD", "view", vec![column("61", "SUM")]),
            object("7", "REPORTING", "ALONE", "table", vec![column("71", "TOTAL_OF_NOTHING")]),
            object("8", "SALES", "nightly", "procedure", Vec::new()),
            object("9", "SALES", "run", "procedure", Vec::new()),
            statement("p1", "Query Create View-1", 12),
            statement("p2", "Query Merge-1", 30),
            statement("p3", "Query Insert-1", 45),
        ],
        "relationships": [
            total,
            flow("r2", "fdd", "create_view", "p1", end("41"), "31"),
            flow("r3", "fdd", "merge_update", "p2", end("13"), "31"),
            flow("r4", "fdr", "select", "p1", json!({ "id": "14", "clauseType": "where" }), "42"),
            flow("r5", "fdd", "create_view", "p1", end("12"), "32"),
            flow("r6", "fdd", "insert", "p3", end("31"), "51"),
            flow("r7", "fdd", "insert", "p3", end("22"), "52"),
            flow("r8", "fdd", "create_view", "p3", end("51"), "61"),
            flow("r9", "fdd", "foreign_key", "p1", end("21"), "12"),
            { "id": "r10", "type": "call", "caller": end("8"), "callees": [end("9")] },
        ],
    })
}

#[test]
fn a_large_document_has_the_number_of_relationships_that_was_asked_for() {
    let lineage: Lineage = large(10_000).parse().unwrap();
    assert_eq!(lineage.relationships().len(), 10_000);
    assert_eq!(lineage.unresolved().count(), 0);
    let lineage: Lineage = large_with_hub(10_000).parse().unwrap();
    assert_eq!(lineage.relationships().len(), 10_000);
    assert_eq!(lineage.unresolved().count(), 0);
}

#[test]
fn a_hostile_document_keeps_every_name_and_resolves_every_endpoint() {
    let lineage: Lineage = hostile().parse().unwrap();
    let names = hostile_names();
    assert_eq!(lineage.unresolved().count(), 0);
    assert_eq!(lineage.relationships().len(), 3 * names.len());
    assert!(names.iter().any(|name| name.chars().count() >= 5_000));
    for name in names {
        assert!(lineage.objects().any(|object| object.name() == name), "no object is named {name:?}");
        assert!(lineage.columns().any(|column| column.name() == name), "no column is named {name:?}");
    }
}
