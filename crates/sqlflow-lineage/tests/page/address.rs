//! Tests of addresses: a link leads back to what is shown.

use serde_json::{Value, json};

use crate::browser::{self, Page};
use crate::drawn::{row, set};
use crate::{documents, pages};

/// Returns all that an address has to bring back.
fn state(page: &Page) -> Value {
    page.exec(
        "const { state } = globalThis.page;
         return {
             ...state,
             kinds: [...state.kinds].sort(),
             depth: String(state.depth),
             cards: [...document.querySelectorAll('.card')].map((card) => card.getAttribute('aria-label')).sort(),
             edges: [...document.querySelectorAll('.edge title')].map((title) => title.textContent).sort(),
             heading: document.querySelector('#details h2').textContent,
             controls: [...document.querySelectorAll('.controls input, .controls select')]
                 .map((input) => input.type === 'checkbox' ? input.checked : input.value),
         };",
    )
}

/// Opens the address of what is shown in a new page, and fails if something else is shown there.
fn reopen(page: &Page, file: &pages::File) -> Value {
    let before = state(page);
    let fragment = page.url().fragment().unwrap_or_default().to_owned();
    page.start(file, &fragment);
    assert_eq!(state(page), before, "#{fragment}");
    assert_eq!(page.url().fragment().unwrap_or_default(), fragment);
    before
}

#[test]
fn an_address_brings_back_what_was_shown() {
    let file = pages::of(&documents::shop().to_string());
    browser::test(|page| {
        page.start(&file, "");
        assert_eq!(page.url().fragment(), None);
        page.pick_table("SALES.ORDERS");
        assert_eq!(page.url().fragment(), Some("table=SALES.ORDERS"));
        reopen(page, &file);
        page.set_depth(2);
        assert_eq!(reopen(page, &file)["depth"], "2");
        page.set_depth(9);
        assert_eq!(reopen(page, &file)["depth"], "Infinity");
        page.choose_direction("upstream");
        assert_eq!(reopen(page, &file)["direction"], "upstream");
        for switch in ["#switch-filters", "#switch-keys", "#switch-calls", "#intermediates"] {
            page.click(switch);
            reopen(page, &file);
        }
        assert_eq!(
            page.url().fragment(),
            Some("table=SALES.ORDERS&depth=all&direction=upstream&filters=1&keys=1&calls=1&intermediates=1")
        );
        page.start(&file, "column=REPORTING.BOARD.SUM&to=SALES.ORDERS.TOTAL&filters=1");
        assert_eq!(page.texts("#details h2"), ["3 steps"]);
        reopen(page, &file);
        page.start(&file, "column=REPORTING.BOARD.SUM&to=SALES.CUSTOMERS.REGION");
        assert_eq!(page.texts("#details h2"), ["No path"]);
        reopen(page, &file);
    });
}

#[test]
fn back_and_forward_lead_through_what_was_shown() {
    let file = pages::of(&documents::shop().to_string());
    browser::test(|page| {
        page.start(&file, "");
        let heading = || page.texts("#surroundings:not([hidden]) #details h2");
        page.pick_table("SALES.ORDERS");
        page.set_depth(1);
        page.set_depth(2);
        page.double_click(&row("SALES.ORDERS.TOTAL"));
        assert_eq!(heading(), ["TOTAL"]);
        page.exec("history.back();");
        page.wait_for("document.querySelector('#details h2').textContent === 'ORDERS'");
        assert_eq!(page.text("#depth-value"), "2", "other ways to draw the same are one step");
        page.exec("history.back();");
        page.wait_for("!document.getElementById('overview').hidden");
        page.exec("history.forward();");
        page.wait_for("document.querySelector('#surroundings:not([hidden]) #details h2').textContent === 'ORDERS'");
        page.exec("history.forward();");
        page.wait_for("document.querySelector('#details h2').textContent === 'TOTAL'");
        // So does a changed address.
        page.exec("location.hash = '#table=SALES.CUSTOMERS';");
        page.wait_for("document.querySelector('#details h2').textContent === 'CUSTOMERS'");
    });
}

#[test]
fn an_address_of_nothing_says_so() {
    let file = pages::of(&documents::shop().to_string());
    browser::test(|page| {
        page.start(&file, "column=SALES.ORDERS.<b>GONE</b>");
        assert_eq!(page.text("#missing"), "This lineage has no table or column named SALES.ORDERS.<b>GONE</b>.");
        assert!(page.is_shown("#overview") && page.is_shown("#missing"));
        page.exec("location.hash = '#column=SALES.ORDERS.TOTAL&to=NOWHERE';");
        page.wait_for("document.getElementById('missing').textContent.includes('NOWHERE')");
        assert_eq!(page.texts("#details h2"), ["TOTAL"], "what there is is shown");
        // The message goes with what it is about.
        page.click(&row("SALES.DAILY.DAY_TOTAL"));
        page.double_click(&row("SALES.DAILY.DAY_TOTAL"));
        assert!(!page.is_shown("#missing"));
        for fragment in ["column=", "depth=7", "nonsense", "%", "column=%E0%A4%A", "table=SALES.ORDERS&n=99"] {
            page.start(&file, fragment);
            assert!(page.is_shown("#overview"), "{fragment}");
        }
        for fragment in ["depth=-3", "depth=NaN", "depth=1e9", "direction=sideways", "filters=2", "n=0", "n=x"] {
            page.start(&file, &format!("table=SALES.ORDERS&{fragment}"));
            assert!(page.cards().contains("table SALES.ORDERS"), "{fragment}");
        }
    });
}

#[test]
fn columns_of_one_name_have_addresses_of_their_own() {
    let object = |id: &str| {
        json!({ "id": id, "name": "T", "schema": "S", "type": "table",
                "columns": [{ "id": format!("{id}1"), "name": "C" }, { "id": format!("{id}2"), "name": "C" }] })
    };
    let document = json!({ "dbobjs": [object("1"), object("2"),
        { "id": "3", "name": "U", "schema": "S", "type": "table", "columns": [{ "id": "31", "name": "OF_FIRST" }] },
        { "id": "4", "name": "V", "schema": "S", "type": "table", "columns": [{ "id": "41", "name": "OF_LAST" }] },
    ], "relationships": [
        { "id": "5", "type": "fdd", "target": { "id": "31" }, "sources": [{ "id": "11" }] },
        { "id": "6", "type": "fdd", "target": { "id": "41" }, "sources": [{ "id": "22" }] },
    ] });
    let file = pages::of(&document.to_string());
    browser::test(|page| {
        page.start(&file, "column=S.T.C");
        assert!(page.cards().contains("table S.U"));
        page.start(&file, "column=S.T.C&n=4");
        assert_eq!(page.cards(), set(["table S.T", "table S.V"]));
        reopen(page, &file);
        page.start(&file, "table=S.V");
        page.click(&row("S.T.C"));
        page.click("#details .surroundings");
        assert_eq!(page.url().fragment(), Some("column=S.T.C&n=4"));
    });
}

#[test]
fn every_name_gets_through_an_address() {
    let lineage = pages::read(&documents::hostile());
    let file = pages::write(&lineage.page());
    browser::test(|page| {
        page.start(&file, "");
        // Every node is written into an address and read from it as the browser does.
        let wrong = page.exec(
            "const page = globalThis.page;
             const wrong = [];
             let written;
             // Browsers refuse hundreds of addresses in a few seconds, and hundreds of drawings take long.
             history.pushState = (data, title, address) => { written = address; };
             page.draw = () => page.writeAddress();
             page.pickNode = () => {};
             page.drawing.focusOn = () => {};
             for (let node = 0; node < page.content.firstStatement; node++) {
                 page.focusNode(node);
                 page.state = page.freshState();
                 page.readAddress(new URL(written, location.href).hash);
                 const isShown = document.getElementById('missing').hidden && page.state.focus === node;
                 if (!isShown) wrong.push([node, page.content.qualifiedName(node), written]);
             }
             return wrong;",
        );
        assert_eq!(wrong, json!([]));
        page.start(&file, "");
        for object in lineage.objects().step_by(9) {
            let name = object.qualified_name();
            page.exec_with(
                "globalThis.page.focusNode(globalThis.page.content.objectNode(arguments[0]));",
                vec![lineage.objects().position(|one| one == object).into()],
            );
            reopen(page, &file);
            assert_eq!(page.value("globalThis.page.content.qualifiedName(globalThis.page.state.focus)"), name);
        }
    });
}
