//! Tests of pages about the differences between two lineages.

use serde_json::{Value, json};
use sqlflow_lineage::Lineage;

use crate::browser::{self, Page};
use crate::drawn::set;
use crate::{documents, pages};

/// Returns the document of the shop after a day of changes.
fn changed_shop() -> Value {
    let mut shop = documents::shop();
    let records = shop["dbobjs"].as_array_mut().unwrap();
    records.retain(|record| record["name"] != "ALONE");
    for record in records.iter_mut() {
        match record["name"].as_str() {
            Some("BOARD") => record["type"] = "table".into(),
            Some("REPORT") => {
                record["columns"].as_array_mut().unwrap().push(json!({ "id": "53", "name": "CUSTOMER" }));
            }
            _ => {}
        }
    }
    records.push(json!({ "id": "10", "schema": "REPORTING", "name": "<NEW>", "type": "view",
                         "columns": [{ "id": "101", "name": "SUM" }] }));
    let relationships = shop["relationships"].as_array_mut().unwrap();
    relationships.retain(|one| one["id"] != "r7");
    for (id, source, target) in [("r20", "32", "53"), ("r21", "51", "101")] {
        relationships.push(json!({ "id": id, "type": "fdd", "effectType": "insert", "processId": "p3",
                                   "target": { "id": target }, "sources": [{ "id": source }] }));
    }
    shop
}

fn changes(page: &Page) -> Vec<[String; 3]> {
    let rows = page.exec(
        "const section = document.getElementById('changes').closest('section');
         return [...section.querySelectorAll('tbody tr')].map((row) => [...row.cells].map((cell) => cell.textContent));",
    );
    serde_json::from_value(rows).unwrap()
}

#[test]
fn changes_are_listed_and_drawn_in_colour() {
    let old = pages::read(&documents::shop().to_string());
    let new = pages::read(&changed_shop().to_string());
    let diff = old.diff(&new);
    browser::test(|page| {
        let file = pages::write(&diff.page().title("Monday → Tuesday"));
        page.start(&file, "");
        assert_eq!(page.title(), "Monday → Tuesday");
        let mut listed = changes(page);
        listed.sort();
        let mut expected = [
            ["was: view", "table", "REPORTING.BOARD"],
            ["added", "view", "REPORTING.<NEW>"],
            ["removed", "table", "REPORTING.ALONE"],
            ["added", "column", "REPORTING.REPORT.CUSTOMER"],
            ["added", "flow", "SALES.DAILY.CUSTOMER → REPORTING.REPORT.CUSTOMER"],
            ["added", "flow", "REPORTING.REPORT.SUM → REPORTING.<NEW>.SUM"],
            ["removed", "flow", "SALES.CUSTOMERS.REGION → REPORTING.REPORT.REGION"],
        ]
        .map(|row| row.map(str::to_owned));
        expected.sort();
        assert_eq!(listed, expected);
        assert_eq!(page.count("#changes ~ * .tag.added"), 4);
        // The list is the one of the crate.
        assert_eq!(page.texts("#changes small"), [diff_len(&old, &new).to_string()]);

        page.start(&file, "table=REPORTING.REPORT&depth=2");
        let added =
            set(["SALES.DAILY.CUSTOMER → REPORTING.REPORT.CUSTOMER", "REPORTING.REPORT.SUM → REPORTING.<NEW>.SUM"]);
        assert_eq!(page.edges(".edge.added"), added);
        assert_eq!(page.edges(".edge.removed"), set(["SALES.CUSTOMERS.REGION → REPORTING.REPORT.REGION"]));
        let plain = page.edges(".edge:not(.added):not(.removed)");
        assert!(plain.contains("SALES.DAILY.DAY_TOTAL → REPORTING.REPORT.SUM"), "{plain:?}");
        assert_eq!(page.rows_of_class("added").len(), 2, "{:?}", page.rows_of_class("added"));
        let labels = page.exec("return [...document.querySelectorAll('.card.added .head, .card.kind .head')].map((head) => head.ariaLabel).sort();");
        assert_eq!(labels, json!(["table REPORTING.BOARD, was: view", "view REPORTING.<NEW>, added"]));
        let colour = |selector: &str| {
            page.exec_with(
                "return getComputedStyle(document.querySelector(arguments[0])).stroke;",
                vec![selector.into()],
            )
        };
        let colours = [".edge.added .line", ".edge.removed .line", ".edge.value:not(.added):not(.removed) .line"]
            .map(|selector| colour(selector).to_string());
        assert!(colours[0] != colours[1] && colours[1] != colours[2] && colours[0] != colours[2], "{colours:?}");
        // Colour is not the only sign.
        assert_ne!(
            page.value("getComputedStyle(document.querySelector('.edge.removed .line')).strokeDasharray"),
            "none"
        );
        assert!(page.is_shown("#legend .added") && page.is_shown("#legend .removed"));
        page.click_edge("SALES.CUSTOMERS.REGION → REPORTING.REPORT.REGION");
        assert_eq!(page.texts("#details .kicker .tag"), ["removed"]);
    });
}

fn diff_len(old: &Lineage, new: &Lineage) -> usize {
    let diff = old.diff(new);
    let objects = diff.objects().added.len() + diff.objects().removed.len() + diff.changed_kinds().len();
    let flows = diff.column_flows().added.len() + diff.column_flows().removed.len();
    // One column is added; the others are those of objects that are in the list.
    objects + flows + 1
}

#[test]
fn a_comparison_without_changes_says_so_and_one_of_less_than_the_whole_says_that() {
    browser::test(|page| {
        let shop = pages::read(&documents::shop().to_string());
        let again = pages::read(&documents::shop().to_string());
        page.start(&pages::write(&shop.diff(&again).page()), "");
        assert!(page.text("#overview").contains("Nothing changed"));
        assert!(!page.is_shown("#incomplete"));
        page.start(&pages::write(&shop.diff(&again).page()), "table=SALES.DAILY");
        assert_eq!(page.count(".scene .added, .scene .removed"), 0);
        assert_eq!(page.count(".edge"), 4);

        let mut document = changed_shop();
        let lost = json!({ "id": "404", "column": "FEE", "parentName": "LEDGER" });
        let flow = json!({ "id": "lost", "type": "fdd", "target": { "id": "51" }, "sources": [lost] });
        document["relationships"].as_array_mut().unwrap().push(flow);
        document["errors"] = json!([{ "errorMessage": "m", "errorType": "SyntaxError", "coordinate": "[3,4]" }]);
        let new = pages::read(&document.to_string());
        let diff = shop.diff(&new);
        let notes: Vec<String> = diff.notes().iter().map(|note| format!("{note}.").to_lowercase()).collect();
        assert!(!notes.is_empty());
        page.start(&pages::write(&diff.page().reason("One more")), "");
        let reasons: Vec<String> = page.texts("#reasons li").iter().map(|text| text.to_lowercase()).collect();
        assert_eq!(reasons[0], "one more.");
        assert_eq!(reasons[1..], notes);
        assert!(page.text("#overview").contains("SyntaxError (new)"));
        let cells = page.texts("section[aria-labelledby=unresolved] td");
        assert_eq!((&*cells[0], &*cells[1], &*cells[3]), ("LEDGER.FEE", "source", "fdd (new)"));
        assert_eq!(cells[2], "REPORTING.REPORT.SUM");
    });
}

#[test]
fn a_comparison_opens_at_a_vertex_of_either_side() {
    let old = pages::read(&documents::shop().to_string());
    let new = pages::read(&changed_shop().to_string());
    let diff = old.diff(&new);
    browser::test(|page| {
        let heading = |file: pages::File| {
            page.start(&file, "");
            (page.texts("#details h2"), page.texts("#details .kicker .tag"))
        };
        let removed = diff.page().open_at(old.object("ALONE").unwrap());
        assert_eq!(heading(pages::write(&removed)), (vec!["ALONE".to_owned()], vec!["removed".to_owned()]));
        let added = diff.page().open_at(new.column("REPORT", "CUSTOMER").unwrap());
        assert_eq!(heading(pages::write(&added)), (vec!["CUSTOMER".to_owned()], vec!["added".to_owned()]));
        let both = diff.page().open_at(old.column("REPORT", "SUM").unwrap());
        assert_eq!(heading(pages::write(&both)), (vec!["SUM".to_owned()], vec![]));
        // What a comparison does not hold cannot be opened.
        let hidden = diff.page().open_at(old.object("RS-1").unwrap());
        page.start(&pages::write(&hidden), "");
        assert!(page.is_shown("#overview"));
    });
}
