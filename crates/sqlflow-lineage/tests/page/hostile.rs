//! Tests with names that break out of HTML, JavaScript, JSON, CSS or URLs if they can.

use std::collections::BTreeSet;

use serde_json::json;

use crate::browser::{self, Page};
use crate::{documents, pages};

/// Returns a name as the page shows it: with pictures for the characters that have none.
fn shown(name: &str) -> String {
    let picture = |character: char| match u32::from(character) {
        code @ 0..0x20 => char::from_u32(0x2400 + code).unwrap(),
        0x7f => '␡',
        0xfffe | 0xffff => '\u{fffd}',
        _ => character,
    };
    name.chars().map(picture).collect()
}

/// Fails if a part of the page is wider than the page, or if one of the names did more than being shown.
#[track_caller]
fn is_unharmed(page: &Page, place: &str) {
    let title = page.title();
    assert!(!title.contains("broken") || title.contains("document.title"), "{place}: {title}");
    assert_eq!(
        page.value("[document.documentElement.scrollWidth <= innerWidth, document.body.scrollWidth <= innerWidth]"),
        json!([true, true]),
        "{place} is wider than the page"
    );
    assert_eq!(page.count("img, iframe, b, script:not([id]) ~ script ~ script ~ script"), 0, "{place}");
    assert_eq!(page.take_errors(), Vec::<String>::new(), "{place}");
}

#[test]
fn every_name_is_shown_as_it_is() {
    let lineage = pages::read(&documents::hostile());
    let names: Vec<String> = documents::hostile_names();
    let shown: BTreeSet<String> = names.iter().filter(|name| !name.is_empty()).map(|name| shown(name)).collect();
    browser::test(|page| {
        for title in [&names[6], &names[11], &names[names.len() - 1]] {
            page.start(&pages::write(&lineage.page().title(title.as_str())), "");
            assert_eq!(page.value("document.querySelector('#title .name').textContent"), **title);
            assert_eq!(page.title(), title.split_whitespace().collect::<Vec<_>>().join(" "));
            is_unharmed(page, "the overview");
        }
        // The lists of schemas and of messages.
        page.exec("document.querySelectorAll('#overview details').forEach((details) => { details.open = true; });");
        page.wait_for("document.querySelectorAll('#overview .tables li').length > 30");
        let more = "#overview .table button.more";
        page.click(more);
        is_unharmed(page, "the open overview");
        let texts = |selector: &str| -> BTreeSet<String> {
            let texts = page.exec_with(
                "return [...document.querySelectorAll(arguments[0])].map((one) => one.textContent);",
                vec![selector.into()],
            );
            serde_json::from_value(texts).unwrap()
        };
        let messages = texts("#messages ~ * tbody td:last-child");
        assert!(shown.is_subset(&messages), "{:?}", shown.difference(&messages));

        // Each card and row has the name as its title, and the panel as its heading.
        let wrong = page.exec_with(
            "const page = globalThis.page;
             history.pushState = history.replaceState = () => {};
             const wrong = [];
             for (let node = 0; node < page.content.firstStatement; node += 5) {
                 page.state.ownDepth = true;
                 page.state.depth = 1;
                 page.state.direction = 'upstream';
                 page.focusNode(node);
                 const name = printable(page.content.qualifiedName(node));
                 const own = printable(page.content.ownName(node));
                 const shape = page.drawing.rowOrHead(node);
                 if (shape.querySelector('title').textContent !== name) wrong.push(['title', node, name]);
                 if (!shape.getAttribute('aria-label').includes(name)) wrong.push(['label', node, name]);
                 if (document.querySelector('#details h2').textContent !== own) wrong.push(['heading', node, own]);
                 const text = shape.querySelector('text');
                 if (text.getComputedTextLength() > 300) wrong.push(['length', node, text.textContent]);
                 // A letter with hundreds of marks on it would cover the rows above.
                 if (/\\p{M}{5}/u.test(text.textContent)) wrong.push(['marks', node, text.textContent]);
             }
             return wrong;
             function printable(text) {
                 return text.replace(/[\\u0000-\\u001f]/g, (one) => String.fromCodePoint(0x2400 + one.codePointAt(0)))
                     .replace(/\\u007f/g, '\\u2421').replace(/[\\ufffe\\uffff]/g, '\\ufffd');
             }",
            Vec::new(),
        );
        assert_eq!(wrong, json!([]));
        is_unharmed(page, "the drawing");
    });
}

#[test]
fn hostile_names_are_found_and_their_drawing_is_saved() {
    let lineage = pages::read(&documents::hostile());
    browser::test(|page| {
        page.start(&pages::write(&lineage.page().title("names")), "");
        let names = documents::hostile_names();
        for name in names.iter().filter(|name| name.trim().chars().count() > 3 && name.len() < 100) {
            page.exec_with(
                "const input = document.getElementById('search');
                 input.focus();
                 input.value = arguments[0].replaceAll('\\n', ' ');
                 input.dispatchEvent(new Event('input'));",
                vec![name.as_str().into()],
            );
            let found = page.texts("#matches .match bdi:first-child");
            let wanted = shown(name).trim().to_owned();
            assert!(
                found.iter().any(|text| text.trim() == wanted) || name.contains(['\n', '\r']),
                "{name:?}: {found:?}"
            );
        }
        is_unharmed(page, "the matches");
        page.exec("globalThis.page.focusNode(globalThis.page.content.objectNode(0));");
        page.set_depth(1);
        page.click("#save-svg");
        let name: String = serde_json::from_value(page.value("globalThis.page.fileName()")).unwrap();
        let saved = String::from_utf8(page.download(&format!("{name}.svg"))).unwrap();
        let svg = roxmltree::Document::parse(&saved).unwrap();
        let titles: BTreeSet<&str> =
            svg.descendants().filter(|node| node.has_tag_name("title")).filter_map(|node| node.text()).collect();
        assert!(titles.iter().any(|title| title.contains("</script>")), "{titles:?}");
        is_unharmed(page, "the saved drawing");
    });
}

#[test]
fn a_hostile_address_does_nothing() {
    let file = pages::of(&documents::shop().to_string());
    browser::test(|page| {
        let names: Vec<String> = documents::hostile_names().into_iter().filter(|name| !name.is_empty()).collect();
        for name in names.iter().step_by(12) {
            let fragment = url::form_urlencoded::Serializer::new(String::new()).append_pair("column", name).finish();
            page.start(&file, &fragment);
            assert_eq!(page.value("document.querySelector('#missing .name').textContent"), shown(name));
        }
        let messages = page.exec_with(
            "const messages = [];
             for (const name of arguments[0]) {
                 const changed = new Promise((resolve) => { addEventListener('hashchange', resolve, { once: true }); });
                 location.hash = new URLSearchParams({ column: name, to: name, depth: name, direction: name });
                 await changed;
                 messages.push(document.querySelector('#missing .name').textContent);
             }
             return messages;",
            vec![json!(names)],
        );
        assert_eq!(messages, json!(names.iter().map(|name| shown(name)).collect::<Vec<_>>()));
        is_unharmed(page, "the message");
    });
}
