//! Tests of the drawing: the surroundings of a table or column, and what a person can do with them.

use serde_json::{Value, json};

use crate::browser::{self, Page};
use crate::drawn::{head, row, set};
use crate::{documents, pages};

fn shop() -> pages::File {
    pages::of(&documents::shop().to_string())
}

/// Returns the left and right sides of a card.
fn sides(page: &Page, table: &str) -> (f64, f64) {
    let script =
        "const box = document.querySelector(`.card[aria-label='${arguments[0]}'] .body`).getBoundingClientRect();
                  return [box.left, box.right];";
    serde_json::from_value(page.exec_with(script, vec![table.into()])).unwrap()
}

#[test]
fn a_table_is_drawn_with_its_sources_on_the_left_and_its_targets_on_the_right() {
    browser::test(|page| {
        page.start(&shop(), "table=SALES.DAILY");
        let all = set(["table SALES.ORDERS", "view SALES.DAILY", "table REPORTING.REPORT", "view REPORTING.BOARD"]);
        assert_eq!(page.cards(), all, "a small drawing shows more than one step");
        let [orders, daily, report, board] =
            ["table SALES.ORDERS", "view SALES.DAILY", "table REPORTING.REPORT", "view REPORTING.BOARD"]
                .map(|table| sides(page, table));
        assert!(orders.1 < daily.0 && daily.1 < report.0 && report.1 < board.0, "{orders:?} {daily:?} {report:?}");
        let flows = set([
            "SALES.ORDERS.TOTAL → SALES.DAILY.DAY_TOTAL",
            "SALES.ORDERS.CUSTOMER_ID → SALES.DAILY.CUSTOMER",
            "SALES.DAILY.DAY_TOTAL → REPORTING.REPORT.SUM",
            "REPORTING.REPORT.SUM → REPORTING.BOARD.SUM",
        ]);
        assert_eq!(page.edges(".edge"), flows, "two relationships between two columns are one edge");
        assert_eq!(page.count(".edge"), 4);
        assert_eq!(page.text("#counts"), "4 tables, 4 edges");
        assert_eq!(page.texts("#status"), ["SALES.DAILY: 1 table upstream, 2 tables downstream"]);
    });
}

/// Returns a page of a table that as many others are made from, and the numbers in their names, as the document has them.
fn calendar(reports: usize) -> (pages::File, Vec<usize>) {
    let numbers: Vec<usize> = (1..=reports).map(|at| at * 7 % (reports + 1)).collect();
    let table = |id: usize, name: String| {
        let columns = json!([{"id": id.to_string(), "name": "N"}]);
        json!({"id": format!("t{id}"), "name": name, "type": "table", "columns": columns})
    };
    let flow = |at: &usize| {
        let sources = json!([{"id": "0"}]);
        json!({"id": format!("f{at}"), "type": "fdd", "target": {"id": at.to_string()}, "sources": sources})
    };
    let others = numbers.iter().map(|&at| table(at, format!("REPORT_{at}")));
    let tables: Vec<Value> = [table(0, "CALENDAR".into())].into_iter().chain(others).collect();
    let relationships: Vec<Value> = numbers.iter().map(flow).collect();
    (pages::of(&json!({"dbobjs": tables, "relationships": relationships}).to_string()), numbers)
}

#[test]
fn cards_above_each_other_are_in_the_order_of_their_names() {
    let (file, mut numbers) = calendar(12);
    assert!(!numbers.is_sorted());
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=12).collect::<Vec<_>>());
    browser::test(|page| {
        page.start(&file, "table=CALENDAR");
        let script = "const cards = [...document.querySelectorAll('.card:not(.focus)')];
                      const top = (card) => card.querySelector('.body').getBoundingClientRect().top;
                      return cards.sort((a, b) => top(a) - top(b)).map((card) => card.getAttribute('aria-label'));";
        let found: Vec<String> = serde_json::from_value(page.exec(script)).unwrap();
        let expected: Vec<String> = numbers.iter().map(|at| format!("table REPORT_{at}")).collect();
        assert_eq!(found, expected);
    });
}

#[test]
fn a_drawing_that_is_too_high_has_no_gap_at_its_side() {
    let (file, _) = calendar(150);
    browser::test(|page| {
        page.start(&file, "table=CALENDAR");
        let frame = page.exec(
            "const { left, right } = document.querySelector('#canvas svg').getBoundingClientRect();
             return [left, right];",
        );
        let (left, right): (f64, f64) = serde_json::from_value(frame).unwrap();
        let (calendar, report) = (sides(page, "table CALENDAR"), sides(page, "table REPORT_75"));
        let gaps = (calendar.0 - left, right - report.1);
        assert!(calendar.1 < report.0 && gaps.0 > 0.0 && (gaps.0 - gaps.1).abs() < 2.0, "{gaps:?}");
        // The focus is in the middle of the height, and all cards are there.
        assert_eq!(page.count(".card"), 151);
        let middle = "const middle = (box) => (box.top + box.bottom) / 2;
                      return middle(document.querySelector('.card.focus .body').getBoundingClientRect())
                          - middle(document.querySelector('#canvas svg').getBoundingClientRect());";
        let distance = page.exec(middle).as_f64().unwrap();
        assert!(distance.abs() < 2.0, "{distance}");
    });
}

#[test]
fn the_slider_and_the_direction_decide_how_far_a_drawing_goes() {
    browser::test(|page| {
        page.start(&shop(), "column=SALES.DAILY.DAY_TOTAL");
        page.set_depth(1);
        let near = set(["table SALES.ORDERS", "view SALES.DAILY", "table REPORTING.REPORT"]);
        assert_eq!(page.cards(), near);
        assert_eq!(page.text("#depth-value"), "1");
        assert_eq!(page.texts("#details h2"), ["DAY_TOTAL"], "what is picked stays picked");
        page.set_depth(2);
        assert_eq!(page.cards().len(), 4);
        page.choose_direction("upstream");
        assert_eq!(page.cards(), set(["table SALES.ORDERS", "view SALES.DAILY"]));
        page.choose_direction("downstream");
        assert_eq!(page.cards(), set(["view SALES.DAILY", "table REPORTING.REPORT", "view REPORTING.BOARD"]));
        page.choose_direction("both");
        page.set_depth(9);
        assert_eq!(page.cards().len(), 4);
        assert_eq!(page.text("#depth-value"), "all");
        assert_eq!(page.value("document.getElementById('depth').getAttribute('aria-valuetext')"), "all steps");
    });
}

#[test]
fn a_click_on_a_column_marks_everything_upstream_and_downstream_and_lists_it() {
    browser::test(|page| {
        page.start(&shop(), "table=SALES.DAILY");
        page.click(&row("REPORTING.REPORT.SUM"));
        assert_eq!(page.rows_of_class("upstream"), set(["SALES.ORDERS.TOTAL", "SALES.DAILY.DAY_TOTAL"]));
        assert_eq!(page.rows_of_class("downstream"), set(["REPORTING.BOARD.SUM"]));
        assert_eq!(page.rows_of_class("picked"), set(["REPORTING.REPORT.SUM"]));
        let up = set(["SALES.ORDERS.TOTAL → SALES.DAILY.DAY_TOTAL", "SALES.DAILY.DAY_TOTAL → REPORTING.REPORT.SUM"]);
        assert_eq!(page.edges(".edge.upstream"), up);
        assert_eq!(page.edges(".edge.downstream"), set(["REPORTING.REPORT.SUM → REPORTING.BOARD.SUM"]));
        // The rest is faded.
        let opacity = |selector: &str| {
            let script = "return Number(getComputedStyle(document.querySelector(arguments[0])).opacity);";
            page.wait_for("document.getAnimations().every((one) => one.playState !== 'running')");
            page.exec_with(script, vec![selector.into()]).as_f64().unwrap()
        };
        let others = opacity(".edge:not(.upstream):not(.downstream)");
        assert!(others < 0.5, "{others}");
        assert!(opacity(".edge.upstream") > 0.9);
        assert!(opacity(".card.focus .title") > 0.9, "the head in its colour stays readable");
        // The panel lists the same.
        assert_eq!(page.texts("#details h2"), ["SUM"]);
        assert_eq!(page.texts("#details .upstream h3 small"), ["2 columns in 2 tables"]);
        assert_eq!(page.texts("#details .upstream button.link"), ["SALES.DAILY", "DAY_TOTAL", "SALES.ORDERS", "TOTAL"]);
        assert_eq!(page.texts("#details .downstream button.link"), ["REPORTING.BOARD", "SUM"]);
        assert_eq!(
            page.texts("#status"),
            ["REPORTING.REPORT.SUM: 2 columns in 2 tables upstream, 1 column in 1 table downstream"]
        );
        // A click on nothing takes the marks away.
        page.exec("document.querySelector('#canvas svg').dispatchEvent(new MouseEvent('click', { bubbles: true }));");
        assert_eq!(page.count(".scene .upstream, .scene .downstream, .highlighting, .scene .picked"), 0);
        assert!(page.text("#details").starts_with("Select a column"));
        // A column that is nowhere in the drawing is drawn when it is picked.
        page.click(&row("REPORTING.REPORT.SUM"));
        page.choose_direction("downstream");
        page.click("#details .upstream button.link");
        assert!(page.cards().contains("view SALES.DAILY"));
    });
}

#[test]
fn a_double_click_draws_the_surroundings_of_a_column() {
    browser::test(|page| {
        page.start(&shop(), "column=SALES.DAILY.DAY_TOTAL");
        page.set_depth(1);
        page.double_click(&row("REPORTING.REPORT.SUM"));
        assert_eq!(page.cards(), set(["view SALES.DAILY", "table REPORTING.REPORT", "view REPORTING.BOARD"]));
        assert_eq!(page.url().fragment(), Some("column=REPORTING.REPORT.SUM&depth=1"));
        // The panel has a button that does the same.
        page.click(&row("SALES.DAILY.DAY_TOTAL"));
        page.click("#details .surroundings");
        assert_eq!(page.cards(), set(["table SALES.ORDERS", "view SALES.DAILY", "table REPORTING.REPORT"]));
        assert_eq!(page.count("#details .surroundings"), 0, "they are drawn");
    });
}

#[test]
fn cards_fold_unfold_and_open() {
    browser::test(|page| {
        page.start(&shop(), "column=SALES.ORDERS.TOTAL");
        let fold = ".card[aria-label='table SALES.ORDERS'] .fold";
        let rows = || page.count(".card[aria-label='table SALES.ORDERS'] .row:not(.more)");
        assert_eq!(rows(), 1, "a card shows the columns that are involved");
        assert_eq!(page.texts(".card[aria-label='table SALES.ORDERS'] .more text"), ["+ 13 more columns"]);
        page.click(".card[aria-label='table SALES.ORDERS'] .more");
        assert_eq!(rows(), 14);
        assert_eq!(page.rows_of_class("picked"), set(["SALES.ORDERS.TOTAL"]), "the marks stay");
        assert!(page.count(".edge.downstream") >= 1);
        page.click(".card[aria-label='table SALES.ORDERS'] .more");
        assert_eq!(rows(), 1);
        assert_eq!(page.role_and_name(fold), ("button".to_owned(), "Fold SALES.ORDERS".to_owned()));
        page.click(fold);
        assert_eq!(page.count(".card[aria-label='table SALES.ORDERS'] .row"), 0);
        assert_eq!(page.role_and_name(fold), ("button".to_owned(), "Unfold SALES.ORDERS".to_owned()));
        assert!(page.edges(".edge").contains("SALES.ORDERS.TOTAL → SALES.DAILY.DAY_TOTAL"));
        page.click(fold);
        assert_eq!(rows(), 1);
    });
}

#[test]
fn switches_are_there_for_what_the_lineage_has_and_add_it() {
    browser::test(|page| {
        page.start(&shop(), "column=REPORTING.REPORT.SUM");
        let labels = || page.texts("#switches label:not([hidden])");
        assert_eq!(labels(), ["Filters and joins", "Foreign keys", "Calls", "Intermediate results"]);
        assert!(!page.cards().contains("select list SALES.RS-1"));
        assert!(!page.is_shown("#legend"), "a drawing of one kind of edges needs no legend");

        page.click("#switch-filters");
        assert_eq!(page.edges(".edge.filter"), set(["SALES.ORDERS.STATE → SALES.DAILY.DAY_TOTAL"]));
        assert!(page.rows_of_class("upstream").contains("SALES.ORDERS.STATE"), "what is picked follows the switches");
        assert!(page.is_shown("#legend .filter") && !page.is_shown("#legend .key"));
        page.click("#switch-filters");
        assert_eq!(page.count(".edge.filter"), 0);

        page.click("#intermediates");
        assert!(page.cards().contains("select list SALES.RS-1"));
        assert!(page.edges(".edge.value").contains("SALES.ORDERS.TOTAL → SALES.RS-1.TOTAL"));
        assert!(page.text("#counts").contains(" objects, "), "a result inside a statement is no table");
        page.click("#intermediates");

        page.start(&shop(), "table=SALES.ORDERS");
        page.click("#switch-keys");
        assert_eq!(page.edges(".edge.key"), set(["SALES.CUSTOMERS.ID → SALES.ORDERS.CUSTOMER_ID"]));

        page.start(&shop(), "table=SALES.nightly");
        page.click("#intermediates");
        page.click("#switch-calls");
        assert_eq!(page.edges(".edge.call"), set(["SALES.nightly → SALES.run"]));

        let mut plain = documents::shop();
        let relationships = plain["relationships"].as_array_mut().unwrap();
        relationships.retain(|one| one["id"] == "r6" || one["id"] == "r8");
        plain["dbobjs"].as_array_mut().unwrap().retain(|one| !["4", "8", "9"].contains(&one["id"].as_str().unwrap()));
        page.start(&pages::of(&plain.to_string()), "column=REPORTING.REPORT.SUM");
        assert_eq!(page.count("#switches label:not([hidden])"), 0);
    });
}

/// Returns the facts of each relationship in the panel.
fn steps(page: &Page) -> Vec<Vec<(String, String)>> {
    let facts = page.exec(
        "return [...document.querySelectorAll('#details .steps > li')].map((step) =>
             [...step.querySelectorAll('dt')].map((term) => [term.textContent, term.nextSibling.textContent]));",
    );
    serde_json::from_value(facts).unwrap()
}

fn facts<const N: usize>(facts: [(&str, &str); N]) -> Vec<(String, String)> {
    facts.map(|(term, value)| (term.to_owned(), value.to_owned())).into()
}

#[test]
fn an_edge_tells_each_statement_that_makes_it() {
    browser::test(|page| {
        let lineage =
            sqlflow_lineage::Lineage::reader().label("load.sql").read_slice(documents::shop().to_string().as_bytes());
        page.start(&pages::write(&lineage.unwrap().page()), "column=REPORTING.REPORT.SUM&depth=2");
        page.click_edge("SALES.DAILY.DAY_TOTAL → REPORTING.REPORT.SUM");
        assert_eq!(
            steps(page),
            [facts([
                ("Type", "fdd"),
                ("Effect", "insert"),
                ("Statement", "Query Insert-1"),
                ("Place", "load.sql, line 45, column 1"),
            ])]
        );
        assert_eq!(page.edges(".edge.picked"), set(["SALES.DAILY.DAY_TOTAL → REPORTING.REPORT.SUM"]));
        assert_eq!(page.texts("#status"), ["Edge from SALES.DAILY.DAY_TOTAL to REPORTING.REPORT.SUM"]);

        page.click_edge("SALES.ORDERS.TOTAL → SALES.DAILY.DAY_TOTAL");
        assert_eq!(page.texts("#details h3"), ["3 relationships"]);
        let mut all = steps(page);
        all.sort();
        let first = [("Statement", "Query Create View-1"), ("Place", "load.sql, line 12, column 1")];
        let mut expected = vec![
            facts([("Type", "fdd"), ("Effect", "select"), ("Function", "sum"), first[0], first[1]]),
            facts([("Type", "fdd"), ("Effect", "create view"), first[0], first[1]]),
            facts([
                ("Type", "fdd"),
                ("Effect", "merge update"),
                ("Statement", "Query Merge-1"),
                ("Place", "load.sql, line 30, column 1"),
            ]),
        ];
        expected.sort();
        assert_eq!(all, expected);

        page.click("#switch-filters");
        page.click_edge("SALES.ORDERS.STATE → SALES.DAILY.DAY_TOTAL");
        assert!(steps(page).iter().flatten().any(|fact| *fact == ("Clause".to_owned(), "where".to_owned())));
        // The ends of an edge lead on.
        page.click("#details h2 button.link");
        assert_eq!(page.texts("#details h2"), ["STATE"]);
    });
}

#[test]
fn edges_between_closed_cards_are_one_line_that_lists_them() {
    let columns = |table: usize| -> Vec<Value> {
        (0..3).map(|at| json!({ "id": format!("{table}{at}"), "name": format!("C{at}") })).collect()
    };
    let flow = |at: usize| {
        json!({ "id": format!("r{at}"), "type": "fdd", "target": { "id": format!("2{at}") },
                "sources": [{ "id": format!("1{at}") }] })
    };
    let document = json!({
        "dbobjs": [
            { "id": "1", "name": "A", "type": "table", "columns": columns(1) },
            { "id": "2", "name": "B", "type": "table", "columns": columns(2) },
        ],
        "relationships": [flow(0), flow(1), flow(2)],
    });
    browser::test(|page| {
        page.start(&pages::of(&document.to_string()), "table=A");
        assert_eq!(page.count(".edge"), 3);
        page.click(".card[aria-label='table A'] .fold");
        page.click(".card[aria-label='table B'] .fold");
        assert_eq!(page.edges(".edge"), set(["A → B (3 edges)"]));
        page.click_edge("A → B (3 edges)");
        assert_eq!(page.texts("#details .nodes li"), ["A.C0 → B.C0", "A.C1 → B.C1", "A.C2 → B.C2"]);
        page.click("#details .nodes li:nth-child(2) button");
        assert_eq!(page.texts("#details .edge-title button.link"), ["A.C1", "B.C1"]);
    });
}

#[test]
fn a_path_leads_from_one_picked_column_to_another() {
    browser::test(|page| {
        page.start(&shop(), "column=REPORTING.BOARD.SUM");
        page.click("#details .start-path");
        assert_eq!(page.texts("#details h2"), ["from REPORTING.BOARD.SUM"]);
        assert_eq!(page.value("document.activeElement.id"), "search");
        page.type_text("orders total\u{e007}");
        // It is found in whichever direction it leads.
        assert_eq!(page.texts("#details h2"), ["3 steps"]);
        assert_eq!(
            page.texts("#details .path li"),
            ["SALES.ORDERS.TOTAL", "SALES.DAILY.DAY_TOTAL", "REPORTING.REPORT.SUM", "REPORTING.BOARD.SUM"]
        );
        assert_eq!(page.count(".edge.downstream"), 3);
        assert_eq!(page.cards().len(), 4);
        assert_eq!(page.url().fragment(), Some("column=REPORTING.BOARD.SUM&to=SALES.ORDERS.TOTAL"));

        // The other column can be picked in the drawing.
        page.start(&shop(), "column=REPORTING.REPORT.SUM");
        page.click("#details .start-path");
        page.click(&row("SALES.DAILY.DAY_TOTAL"));
        assert_eq!(page.texts("#details h2"), ["1 step"]);

        page.start(&shop(), "column=SALES.CUSTOMERS.REGION");
        page.click("#details .start-path");
        page.type_text("orders total\u{e007}");
        assert_eq!(page.texts("#details h2"), ["No path"]);
        assert_eq!(
            page.text("#details"),
            "Path\nNo path\nNothing leads from SALES.CUSTOMERS.REGION to \
            SALES.ORDERS.TOTAL, or the other way, over the relationships that are switched on."
        );
        // What is not found can be given up.
        page.click("#details button.link");
        page.click("#details .start-path");
        page.click("#details .actions button");
        assert_eq!(page.texts("#details h2"), ["REGION"]);
    });
}

#[test]
fn a_table_without_lineage_says_so() {
    browser::test(|page| {
        page.start(&shop(), "table=REPORTING.ALONE");
        assert_eq!(page.cards(), set(["table REPORTING.ALONE"]));
        assert_eq!(page.text("#counts"), "1 table, 0 edges");
        assert_eq!(page.texts("#details .upstream h3 small"), ["nothing"]);
        page.click(&head("table REPORTING.ALONE"));
        assert_eq!(page.texts("#status"), ["REPORTING.ALONE: nothing upstream, nothing downstream"]);
    });
}

#[test]
fn the_drawing_zooms_moves_and_fits() {
    browser::test(|page| {
        page.start(&shop(), "table=SALES.DAILY");
        let view = || page.value("globalThis.page.drawing.view");
        let before = view();
        page.click("#zoom-in");
        assert!(view()["scale"].as_f64() > before["scale"].as_f64());
        page.click("#zoom-out");
        page.click("#fit");
        let card = |table: &str| sides(page, table);
        let (left, right) = (card("table SALES.ORDERS").0, card("view REPORTING.BOARD").1);
        let frame: (f64, f64) = serde_json::from_value(page.value(
            "[document.getElementById('canvas').getBoundingClientRect().left, \
              document.getElementById('canvas').getBoundingClientRect().right]",
        ))
        .unwrap();
        assert!(frame.0 <= left && right <= frame.1, "{frame:?} {left} {right}");
        page.exec(
            "const svg = document.querySelector('#canvas svg');
             const event = (type, x) => new PointerEvent(type, { bubbles: true, button: 0, clientX: x, clientY: 200 });
             svg.dispatchEvent(event('pointerdown', 100));
             window.dispatchEvent(event('pointermove', 160));
             window.dispatchEvent(event('pointerup', 160));",
        );
        assert!((card("table SALES.ORDERS").0 - left - 60.0).abs() < 1.0, "a drag moves the drawing");
    });
}
