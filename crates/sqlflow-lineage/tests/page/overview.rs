//! Tests of the overview that a page opens on, and of what it says is missing.

use serde_json::{Value, json};
use sqlflow_lineage::Lineage;

use crate::browser::{self, Page};
use crate::{documents, pages};

/// Returns the rows of the table in a section of the overview, each cell as text.
fn table(page: &Page, heading: &str) -> Vec<Vec<String>> {
    let rows = page.exec_with(
        "const section = document.getElementById(arguments[0]).closest('section');
         return [...section.querySelectorAll('tbody tr')].map((row) => [...row.cells].map((cell) => cell.textContent));",
        vec![heading.into()],
    );
    serde_json::from_value(rows).unwrap()
}

#[test]
fn a_page_opens_on_an_overview_and_draws_nothing() {
    browser::test(|page| {
        page.start(&pages::of(&documents::shop().to_string()), "");
        assert!(page.is_shown("#overview") && !page.is_shown("#surroundings") && page.is_shown("#search"));
        assert_eq!(page.count("#canvas .card"), 0);
        assert!(!page.is_shown("#incomplete") && !page.is_shown("#missing") && !page.is_shown("#failure"));
        assert_eq!(
            page.texts("#overview dl.counts > div"),
            ["tables and views6", "columns22", "relationships10", "statements3"]
        );
        let busiest = table(page, "busiest");
        assert_eq!(busiest[0][..3], ["SALES.DAILY", "3", "1"]);
        assert_eq!(page.texts("#schemas"), ["Schemas 2"]);
        assert_eq!(page.texts("#overview details summary"), ["REPORTING 3 tables", "SALES 3 tables"]);
        let tables = page.texts("#overview details:nth-of-type(2) li");
        assert_eq!(tables[0], "CUSTOMERS table, 2 columns");
        assert_eq!(page.count("#unresolved, #messages, #changes, #summary, .empty"), 0);
        assert!(page.text("footer").contains("sqlflow-lineage"));
        // A table of the overview is drawn when it is picked, and the overview comes back.
        page.pick_table("SALES.ORDERS");
        assert!(page.is_shown("#surroundings"));
        assert_eq!(page.texts("#details h2"), ["ORDERS"]);
        page.click("#back");
        assert!(page.is_shown("#overview"));
        page.click("#overview details button.link");
        page.click("#title button");
        assert!(page.is_shown("#overview"));
        assert_eq!(page.title(), "Data lineage");
    });
}

#[test]
fn relationships_without_an_edge_count_and_columns_without_a_name_are_told_apart() {
    let relationship = |sources: Value| json!({"type": "fdd", "target": {"id": "9"}, "sources": sources});
    let document = json!({
        "dbobjs": [
            {"id": "1", "name": "T", "type": "table", "columns": [{}, {"name": ""}, {"id": "9", "name": "C"}, {"id": "9"}]},
        ],
        "relationships": [relationship(json!([])), relationship(json!([])), relationship(json!([{"id": "9"}]))],
    });
    browser::test(|page| {
        page.start(&pages::of(&document.to_string()), "table=T");
        let columns: Vec<String> = page.texts(".card.focus .row text");
        assert_eq!(columns, ["id:#1", "id:#2", "C", "id:9#2"]);
        page.click("#back");
        let counts = page.texts("#overview dl.counts > div");
        assert_eq!(counts, ["tables and views1", "columns4", "relationships3"]);
    });
}

#[test]
fn what_could_not_be_followed_or_read_is_said_at_the_top_and_in_tables() {
    let mut document = documents::shop();
    document["relationships"].as_array_mut().unwrap().push(json!({
        "id": "r11", "type": "fdd", "processId": "p3", "target": { "id": "51" },
        "sources": [{ "id": "404", "column": "RATE", "parentName": "RATES" }],
    }));
    document["errors"] = json!([
        { "errorMessage": "unexpected token <here>", "errorType": "SyntaxError", "file": "load.sql", "coordinate": "[12,5]" },
        { "errorMessage": "a column has no table", "errorType": "LinkOrphanColumn", "coordinate": "[3,4]" },
    ]);
    browser::test(|page| {
        let lineage = pages::read(&document.to_string());
        let file = pages::write(&lineage.page().title("Nightly <load>").reason("The job was cut off after 100 files"));
        page.start(&file, "");
        assert_eq!(page.title(), "Nightly <load>");
        assert_eq!(page.texts("#title"), ["Nightly <load>"]);
        assert!(page.is_shown("#incomplete"));
        assert_eq!(
            page.texts("#reasons li"),
            [
                "The job was cut off after 100 files.",
                "1 error in the SQL: what could not be read is missing.",
                "1 endpoint of a relationship could not be followed: the flows through them are missing.",
            ]
        );
        assert_eq!(page.texts("#unresolved"), ["Could not be followed 1"]);
        let unresolved = table(page, "unresolved");
        assert_eq!(unresolved.len(), 1);
        assert_eq!(unresolved[0][..4], ["RATES.RATE", "source", "REPORTING.REPORT.SUM", "fdd"]);
        assert!(unresolved[0][4].contains("Query Insert-1"), "{unresolved:?}");
        let messages = table(page, "messages");
        assert_eq!(
            messages,
            [
                ["SyntaxError", "load.sql:12:5", "unexpected token <here>"],
                ["LinkOrphanColumn", "line 3, column 4", "a column has no table"],
            ]
        );
        // A page does not say where the files of its maker are.
        let labelled = Lineage::reader().label("/srv/secret/nightly.json").read_slice(document.to_string().as_bytes());
        let file = pages::write(&labelled.unwrap().page());
        assert!(!std::fs::read_to_string(&file.path).unwrap().contains("secret"));
        page.start(&file, "");
        assert_eq!(page.title(), "nightly.json");
        assert_eq!(table(page, "messages")[1][1], "nightly.json, line 3, column 4");
        // The reasons stay at the top of a drawing, and the other end is a link.
        page.click("#overview tbody button.link");
        assert!(page.is_shown("#surroundings") && page.is_shown("#incomplete"));
        assert_eq!(page.texts("#details h2"), ["SUM"]);
    });
}

/// Opens the page of a document, and returns the reasons at its top and its empty state.
fn gaps(page: &Page, document: &Value) -> (Vec<String>, Vec<String>) {
    page.start(&pages::of(&document.to_string()), "");
    assert!(page.is_shown("#overview"));
    (page.texts("#reasons li"), page.texts(".empty p"))
}

#[test]
fn an_incomplete_or_empty_lineage_says_why() {
    let fixture = include_str!("../fixtures/lineage/summary.json");
    browser::test(|page| {
        let (reasons, empty) = gaps(page, &fixture.parse().unwrap());
        assert_eq!(reasons, ["This is a summary: the server left out columns and relationships."]);
        assert!(empty.is_empty());
        assert_eq!(page.texts("#summary ~ ul li")[..2], ["1 schema", "3 tables"]);
        assert_eq!(page.texts("#summary ~ ol li"), ["sales.report"]);

        let mut document = json!({ "data": { "mode": "ignoreRecordSet", "sqlflow": documents::shop() } });
        let (reasons, _) = gaps(page, &document);
        assert_eq!(reasons, ["The server left out record sets, and with them filters and joins."]);

        document = json!({ "dbobjs": [], "relationships": [] });
        let (reasons, empty) = gaps(page, &document);
        assert!(reasons.is_empty());
        assert!(empty[0].starts_with("The document holds no tables, views or columns"), "{empty:?}");

        document["errors"] = json!([{ "errorMessage": "m", "errorType": "SyntaxError" }]);
        let (reasons, empty) = gaps(page, &document);
        assert_eq!(reasons, ["1 error in the SQL: what could not be read is missing."]);
        assert_eq!(empty, ["The document holds no tables or views, and 1 message about the SQL: see below."]);
        assert_eq!(table(page, "messages"), [["SyntaxError", "", "m"]]);

        document = json!({ "dbobjs": [
            { "id": "1", "name": "RS-1", "type": "select_list", "columns": [{ "id": "2", "name": "N" }] },
            { "id": "3", "name": "f", "type": "function", "columns": [{ "id": "4", "name": "N" }] },
        ], "relationships": [{ "id": "5", "type": "fdd", "target": { "id": "2" }, "sources": [{ "id": "4" }] }] });
        let (_, empty) = gaps(page, &document);
        assert!(empty[0].starts_with("The SQL stores nothing: its queries only return results."), "{empty:?}");

        document =
            json!({ "dbobjs": [{ "id": "1", "name": "T", "type": "table", "columns": [] }], "relationships": [] });
        let (_, empty) = gaps(page, &document);
        assert!(empty.is_empty());
        assert!(page.text("#overview").contains("No value flows from or to a table."));
    });
}

#[test]
fn long_lists_show_their_beginning_and_more_if_asked() {
    let errors: Vec<Value> =
        (0..30).map(|at| json!({ "errorMessage": format!("message {at}"), "errorType": "SyntaxHint" })).collect();
    let objects: Vec<Value> = (0..300)
        .map(|at| json!({ "id": at.to_string(), "schema": format!("S{}", at % 2), "name": format!("T{at:03}"), "type": "table" }))
        .collect();
    browser::test(|page| {
        page.start(&pages::of(&json!({ "dbobjs": objects, "relationships": [], "errors": errors }).to_string()), "");
        assert_eq!(table(page, "messages").len(), 12);
        page.click("#overview .table button.more");
        assert_eq!(table(page, "messages").len(), 30);
        assert!(!page.is_shown("#overview .table button.more"));
        assert_eq!(page.count("#overview details li"), 0, "many tables are listed when their schema is opened");
        page.click("#overview details summary");
        page.wait_for("document.querySelectorAll('#overview details li').length === 150");
    });
}

#[test]
fn a_page_opens_at_what_its_maker_wants() {
    let lineage: Lineage = pages::read(&documents::shop().to_string());
    browser::test(|page| {
        let file = pages::write(&lineage.page().open_at(lineage.column("DAILY", "DAY_TOTAL").unwrap()));
        page.start(&file, "");
        assert!(page.is_shown("#surroundings"));
        assert_eq!(page.texts("#details h2"), ["DAY_TOTAL"]);
        // An address that says something else is right.
        page.start(&file, "table=SALES.CUSTOMERS");
        assert_eq!(page.texts("#details h2"), ["CUSTOMERS"]);
        page.start(&pages::write(&lineage.page().open_at(lineage.object("REPORT").unwrap())), "");
        assert_eq!(page.texts("#details h2"), ["REPORT"]);
    });
}
