//! Tests of the page with a keyboard, with a screen reader, and with the colours that a reader prefers.

use fantoccini::key::Key;
use serde_json::{Value, json};

use crate::browser::{self, Page};
use crate::drawn::{head, row};
use crate::{documents, pages};

fn shop() -> pages::File {
    pages::of(&documents::shop().to_string())
}

/// Returns what has the focus, as its id or else as its name.
fn focus(page: &Page) -> String {
    let focus = page.value(
        "document.activeElement.id || document.activeElement.getAttribute('aria-label') || document.activeElement.textContent",
    );
    focus.as_str().unwrap().to_owned()
}

#[test]
fn the_tab_key_reaches_everything_and_shows_where_it_is() {
    browser::test(|page| {
        page.start(&shop(), "");
        let mut reached = Vec::new();
        for _ in 0..14 {
            page.key(Key::Tab);
            reached.push(focus(page));
            let outline = page.value(
                "document.activeElement.matches(':focus-visible') && getComputedStyle(document.activeElement).outlineStyle",
            );
            assert_eq!(outline, "solid", "{reached:?}");
        }
        assert_eq!(reached[..4], ["Data lineage", "search", "theme", "SALES.DAILY"]);
        page.pick_table("SALES.ORDERS");
        page.exec("document.getElementById('back').focus();");
        let controls = [
            "depth",
            "direction",
            "switch-filters",
            "switch-keys",
            "switch-calls",
            "intermediates",
            "zoom-out",
            "zoom-in",
            "fit",
            "save-svg",
            "save-png",
            "print",
        ];
        for control in controls {
            page.key(Key::Tab);
            assert_eq!(focus(page), control);
        }
        page.key(Key::Tab);
        assert_eq!(focus(page), "table SALES.ORDERS", "the drawing is one stop");
        page.key(Key::Tab);
        assert_eq!(page.value("document.activeElement.closest('aside').id"), "details", "{}", focus(page));
    });
}

#[test]
fn arrows_lead_through_the_drawing_along_its_edges() {
    browser::test(|page| {
        page.start(&shop(), "");
        // Nothing of this uses a mouse.
        page.type_text("/");
        page.type_text("day_total\u{e007}");
        assert_eq!(focus(page), "column SALES.DAILY.DAY_TOTAL");
        for (key, expected) in [
            (Key::Left, "column SALES.ORDERS.TOTAL"),
            (Key::Right, "column SALES.DAILY.DAY_TOTAL"),
            (Key::Right, "column REPORTING.REPORT.SUM"),
            (Key::Right, "column REPORTING.BOARD.SUM"),
            (Key::Right, "column REPORTING.BOARD.SUM"),
            (Key::Up, "Fold REPORTING.BOARD"),
            (Key::Up, "view REPORTING.BOARD"),
            (Key::Up, "view REPORTING.BOARD"),
            (Key::Left, "column REPORTING.REPORT.SUM"),
        ] {
            page.key(key);
            assert_eq!(focus(page), expected, "{key:?}");
            let is_in_view = page.value(
                "(() => {
                    const box = document.activeElement.getBoundingClientRect();
                    const frame = document.getElementById('canvas').getBoundingClientRect();
                    return box.left >= frame.left && box.right <= frame.right && box.top >= frame.top;
                })()",
            );
            assert_eq!(is_in_view, true, "{expected}");
        }
        page.key(Key::Enter);
        assert_eq!(page.texts("#details h2"), ["SUM"]);
        assert!(page.rows_of_class("picked").contains("REPORTING.REPORT.SUM"));
        assert_eq!(focus(page), "column REPORTING.REPORT.SUM", "picking does not move the focus");
        page.key(Key::Escape);
        assert_eq!(page.count(".row.picked"), 0);
        // A card folds by a key too, and the focus stays on it.
        page.key(Key::Up);
        assert_eq!(focus(page), "Fold REPORTING.REPORT");
        page.key(Key::Enter);
        assert_eq!(page.count(".card[aria-label='table REPORTING.REPORT'] .row"), 0);
        assert!(focus(page).ends_with("REPORTING.REPORT"), "{}", focus(page));
    });
}

#[test]
fn everything_has_a_role_and_a_name() {
    browser::test(|page| {
        page.start(&shop(), "column=REPORTING.REPORT.SUM");
        let pair = |role: &str, name: &str| (role.to_owned(), name.to_owned());
        assert_eq!(page.role_and_name("#search"), pair("combobox", "Search for a table or column"));
        assert_eq!(page.role_and_name("#depth"), pair("slider", "Steps"));
        assert_eq!(page.role_and_name("#switch-filters"), pair("checkbox", "Filters and joins"));
        assert_eq!(page.role_and_name("#theme"), pair("button", "Switch between light and dark"));
        assert_eq!(page.role_and_name("#zoom-in"), pair("button", "Zoom in"));
        assert_eq!(page.role_and_name("#details"), pair("complementary", "Details"));
        assert_eq!(page.role_and_name("#canvas svg").0, "group");
        assert_eq!(page.role_and_name(".card[aria-label='view SALES.DAILY']"), pair("group", "view SALES.DAILY"));
        assert_eq!(page.role_and_name(&head("view SALES.DAILY")), pair("button", "view SALES.DAILY"));
        let sum = row("REPORTING.REPORT.SUM");
        assert_eq!(page.role_and_name(&sum), pair("button", "column REPORTING.REPORT.SUM"));
        let pressed = "return document.querySelector(arguments[0]).getAttribute('aria-pressed');";
        assert_eq!(page.exec_with(pressed, vec![sum.into()]), "true");
        page.click("#search");
        page.type_text("total");
        assert_eq!(page.role_and_name("#matches"), pair("listbox", "Matches"));
        let option = page.role_and_name("#matches li");
        assert_eq!(option.0, "option");
        assert!(option.1.contains("column") && option.1.contains("TOTAL"), "{option:?}");
        // Nothing that can be pressed is without a name, and no id is there twice.
        let wrong = page.exec(
            "const wrong = [];
             const ids = [...document.querySelectorAll('[id]')].map((one) => one.id);
             wrong.push(...ids.filter((id, at) => ids.indexOf(id) !== at));
             for (const one of document.querySelectorAll('button, input, select, [role=button], a')) {
                 const name = one.getAttribute('aria-label') || one.textContent || one.closest('label')?.textContent;
                 if (!name?.trim()) wrong.push(one.outerHTML);
             }
             return wrong;",
        );
        assert_eq!(wrong, json!([]));
        assert_eq!(page.value("document.documentElement.lang"), "en");
        assert_eq!(page.count("main:not([hidden]) ~ main:not([hidden])"), 0);
    });
}

#[test]
fn a_reader_gets_the_colours_that_they_prefer() {
    browser::test(|page| {
        page.dark(false);
        page.start(&shop(), "");
        let background = || page.value("getComputedStyle(document.body).backgroundColor").to_string();
        let light = background();
        page.dark(true);
        let dark = background();
        assert_ne!(light, dark);
        page.click("#theme");
        assert_eq!(background(), light, "the button is stronger than the preference");
        page.click("#theme");
        assert_eq!(background(), dark);
        page.dark(false);
        assert_eq!(background(), dark);
        page.click("#theme");
        assert_eq!(background(), light);
    });
}

#[test]
fn motion_is_for_those_who_do_not_mind() {
    browser::test(|page| {
        page.start(&shop(), "table=SALES.DAILY");
        let duration = || {
            page.value(
                "Math.max(...[...document.querySelectorAll('*')].map((one) => \
                     parseFloat(getComputedStyle(one).transitionDuration) + parseFloat(getComputedStyle(one).animationDuration)))",
            )
        };
        page.media("", &[("prefers-reduced-motion", "reduce")]);
        assert_eq!(duration(), 0);
        page.media("", &[("prefers-reduced-motion", "no-preference")]);
        assert!(duration().as_f64().unwrap() > 0.0);
    });
}

/// Computes the contrast of each text that is shown with what is behind it, and returns those with too little.
const LOW_CONTRAST: &str = "
    const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
    const rgba = (colour) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
        return [r, g, b, a / 255];
    };
    const luminance = (colour) => {
        const [r, g, b] = colour.map((part) => {
            const share = part / 255;
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const over = (top, below) => [0, 1, 2].map((at) => top[at] * top[3] + below[at] * (1 - top[3]));
    // Shapes of a drawing stand on the shapes that their card or row has.
    const ground = (one) => {
        const layers = [];
        for (let at = one; at; at = at.parentElement) {
            const style = getComputedStyle(at);
            layers.push(rgba(style.backgroundColor));
            for (const shape of at.querySelectorAll?.(':scope > .row-shape, :scope > .head-shape, :scope > .body') ?? []) {
                const { fill, fillOpacity } = getComputedStyle(shape);
                const colour = rgba(fill);
                layers.push([...colour.slice(0, 3), colour[3] * Number(fillOpacity)]);
            }
        }
        return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
    };
    const low = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const one = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || !one.checkVisibility() || one.closest('script, style, title, .unseen, kbd, option')) continue;
        const style = getComputedStyle(one);
        const behind = ground(one);
        const ink = over(rgba(one instanceof SVGElement ? style.fill : style.color), behind);
        const [light, dark] = [luminance(ink), luminance(behind)].sort((a, b) => b - a);
        const contrast = (light + 0.05) / (dark + 0.05);
        if (contrast < 4.5) low.push(`${walker.currentNode.data.trim().slice(0, 30)}: ${contrast.toFixed(2)} (${one.className.baseVal ?? one.className})`);
    }
    return [...new Set(low)];";

#[test]
fn texts_can_be_read_in_both_themes() {
    let mut document = documents::shop();
    document["errors"] = json!([{ "errorMessage": "m", "errorType": "SyntaxError", "coordinate": "[3,4]" }]);
    let old = pages::read(&document.to_string());
    document["dbobjs"].as_array_mut().unwrap().retain(|one| one["id"] != "6");
    let new = pages::read(&document.to_string());
    let diff = old.diff(&new);
    let files = [pages::write(&old.page()), pages::write(&diff.page())];
    browser::test(|page| {
        let mut low: Vec<(bool, &str, Value)> = Vec::new();
        for dark in [false, true] {
            page.dark(dark);
            for file in &files {
                page.start(file, "");
                low.push((dark, "the overview", page.exec(LOW_CONTRAST)));
                page.start(file, "table=REPORTING.REPORT&depth=3");
                low.push((dark, "a table", page.exec(LOW_CONTRAST)));
                page.click(&row("REPORTING.REPORT.SUM"));
                page.click("#search");
                page.type_text("total");
                low.push((dark, "a column", page.exec(LOW_CONTRAST)));
            }
        }
        low.retain(|(_, _, texts)| *texts != json!([]));
        // The check sees what nobody can read, on a page and in a drawing.
        page.exec(
            "document.querySelector('#counts').style.color = 'rgb(128 128 128 / 30%)';
             document.querySelector('.row:not(.picked) text').style.fill = getComputedStyle(document.querySelector('.body')).fill;",
        );
        assert_eq!(page.exec(LOW_CONTRAST).as_array().map(Vec::len), Some(2), "{}", page.exec(LOW_CONTRAST));
        assert!(low.is_empty(), "{low:#?}");
    });
}
