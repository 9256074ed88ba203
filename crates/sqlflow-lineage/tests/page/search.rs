//! Tests of the search field.

use fantoccini::key::Key;
use serde_json::json;

use crate::browser::{self, Page};
use crate::{documents, pages};

/// Returns the names of the matches, each with what it belongs to.
fn matches(page: &Page) -> Vec<String> {
    let names = page.texts("#matches [role=option] .match");
    let kinds = page.texts("#matches [role=option] .tag");
    kinds.iter().zip(&names).map(|(kind, name)| format!("{kind} {name}")).collect()
}

fn search(page: &Page, text: &str) -> Vec<String> {
    page.exec("document.getElementById('search').value = '';");
    page.click("#search");
    page.type_text(text);
    matches(page)
}

#[test]
fn typing_completes_and_says_how_many_match() {
    browser::test(|page| {
        page.start(&pages::of(&documents::shop().to_string()), "");
        assert_eq!(search(page, "orders"), ["table ORDERSSALES"]);
        assert_eq!(page.text("#search-status"), "1 match");
        assert_eq!(search(page, "total")[0], "column TOTALSALES.ORDERS");
        assert_eq!(page.text("#search-status"), "4 matches");
        assert_eq!(page.value("document.getElementById('search').getAttribute('aria-expanded')"), "true");
        // All words must be in the name; the words of a table and of its column together find the column.
        assert_eq!(search(page, "orders total"), ["column TOTALSALES.ORDERS"]);
        assert_eq!(search(page, "SALES daily"), ["view DAILYSALES"]);
        // A table comes before columns of the same name, and a stored table before results inside statements.
        assert_eq!(search(page, "r")[0], "table REPORTREPORTING");
        let all = search(page, "s");
        let (tables, others) = (all.iter().position(|one| one.starts_with("table")), all.len());
        assert!(tables.is_some_and(|at| at < others));
        assert_eq!(search(page, "sales.orders.state"), ["column STATESALES.ORDERS"]);

        assert!(search(page, "nowhere to be found").is_empty());
        assert_eq!(page.texts("#matches"), ["No table or column matches"]);
        assert_eq!(page.text("#search-status"), "0 matches");
        page.key(Key::Enter);
        assert!(page.is_shown("#overview"), "Enter picks nothing where nothing matches");
    });
}

#[test]
fn a_table_comes_before_columns_that_match_as_well() {
    let document = json!({ "dbobjs": [
        { "id": "1", "name": "A", "type": "table", "columns": [{ "id": "2", "name": "REGION" }] },
        { "id": "3", "name": "REGION", "type": "select_list", "columns": [{ "id": "4", "name": "CODE" }] },
        { "id": "5", "name": "REGION", "schema": "S", "type": "table", "columns": [{ "id": "6", "name": "REGION" }] },
    ], "relationships": [
        { "id": "7", "type": "fdd", "target": { "id": "2" }, "sources": [{ "id": "4" }] },
    ] });
    browser::test(|page| {
        page.start(&pages::of(&document.to_string()), "");
        let found = search(page, "region");
        assert_eq!(found, ["table REGIONS", "column REGIONA", "column REGIONS.REGION", "select list REGION"]);
    });
}

#[test]
fn keys_go_through_the_matches_pick_one_and_leave() {
    browser::test(|page| {
        page.start(&pages::of(&documents::shop().to_string()), "");
        let selected = || page.texts("#matches [aria-selected=true] .match");
        page.type_text("/");
        assert_eq!(page.value("document.activeElement.id"), "search");
        page.type_text("total");
        let all = page.texts("#matches [role=option] .match");
        assert_eq!(selected(), [all[0].clone()]);
        page.key(Key::Down);
        assert_eq!(selected(), [all[1].clone()]);
        let active = page.value(
            "document.getElementById(document.getElementById('search').getAttribute('aria-activedescendant')).ariaSelected",
        );
        assert_eq!(active, "true");
        page.key(Key::Up);
        page.key(Key::Up);
        assert_eq!(selected(), [all[all.len() - 1].clone()], "the list is gone through in a circle");
        page.key(Key::Escape);
        assert_eq!(
            page.value("[document.getElementById('search').value, document.getElementById('matches').hidden]"),
            json!(["", true])
        );
        // A slash is a character of a name too.
        page.type_text("a/b");
        assert_eq!(page.value("document.getElementById('search').value"), "a/b");
        page.key(Key::Escape);
        page.type_text("day_total");
        page.key(Key::Enter);
        assert!(page.is_shown("#surroundings"));
        assert_eq!(page.texts("#details h2"), ["DAY_TOTAL"]);
        assert_eq!(page.title(), "SALES.DAILY.DAY_TOTAL · Data lineage");
        // A match can be clicked.
        page.type_text("/");
        page.type_text("customers");
        page.click("#matches [role=option]");
        assert_eq!(page.texts("#details h2"), ["CUSTOMERS"]);
    });
}
