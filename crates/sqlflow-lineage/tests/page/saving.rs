//! Tests of pictures and prints of the drawing.

use std::collections::BTreeSet;

use serde_json::json;

use crate::browser::{self, Page};
use crate::{documents, pages};

fn size_of_drawing(page: &Page) -> (f64, f64) {
    let size = page.value("[globalThis.page.drawing.size.width, globalThis.page.drawing.size.height]");
    serde_json::from_value(size).unwrap()
}

#[test]
fn a_drawing_is_saved_as_svg_that_needs_nothing_of_the_page() {
    browser::test(|page| {
        page.start(&pages::of(&documents::shop().to_string()), "table=SALES.DAILY");
        page.click("#save-svg");
        let saved = String::from_utf8(page.download("lineage of SALES.DAILY.svg")).unwrap();
        let svg = roxmltree::Document::parse(&saved).unwrap();
        let (width, height) = size_of_drawing(page);
        let root = svg.root_element();
        let number = |name: &str| root.attribute(name).unwrap().parse::<f64>().unwrap();
        assert!(root.has_tag_name(("http://www.w3.org/2000/svg", "svg")));
        assert_eq!((number("width"), number("height")), (width + 48.0, height + 48.0));
        let texts: BTreeSet<&str> =
            svg.descendants().filter(|node| node.has_tag_name("text")).filter_map(|node| node.text()).collect();
        for text in ["ORDERS", "DAILY", "REPORT", "BOARD", "TOTAL", "DAY_TOTAL", "SUM"] {
            assert!(texts.contains(text), "{text} is not in {texts:?}");
        }
        for attribute in svg.descendants().flat_map(|node| node.attributes()) {
            let (name, value) = (attribute.name(), attribute.value());
            assert!(!["class", "style", "role", "tabindex"].contains(&name) && !name.starts_with("aria-"), "{name}");
            assert!(!value.contains("var("), "{name} is {value}");
            // Only the heads of the arrows are referred to, and they are in the file.
            if let Some((_, reference)) = value.split_once("url(") {
                let id = reference.trim_matches(['"', ')']).trim_start_matches('#');
                assert!(svg.descendants().any(|node| node.attribute("id") == Some(id)), "{name} is {value}");
            }
        }
        let lines =
            svg.descendants().filter(|node| node.attribute("marker-end").is_some_and(|end| end.contains("url(")));
        assert_eq!(lines.count(), 4);
        // A picture of its own looks like the drawing: it is opened alone, and its title line has the same place.
        assert!(!saved.contains("<script"));
    });
}

#[test]
fn a_drawing_is_saved_as_png_in_twice_its_size() {
    browser::test(|page| {
        page.start(&pages::of(&documents::shop().to_string()), "table=SALES.DAILY");
        page.click("#save-png");
        let png = page.download("lineage of SALES.DAILY.png");
        assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"));
        let number = |at: usize| f64::from(u32::from_be_bytes(png[at..at + 4].try_into().unwrap()));
        let (width, height) = size_of_drawing(page);
        assert_eq!((number(16), number(20)), (2.0 * (width + 48.0), 2.0 * (height + 48.0)));
        // The browser itself tells what is in the picture.
        let data: Vec<u8> = png;
        let colours = page.exec_with(
            "const image = await createImageBitmap(new Blob([new Uint8Array(arguments[0])], { type: 'image/png' }));
             const canvas = new OffscreenCanvas(image.width, image.height).getContext('2d');
             canvas.drawImage(image, 0, 0);
             const { data } = canvas.getImageData(0, 0, image.width, image.height);
             return new Set(new Uint32Array(data.buffer)).size;",
            vec![json!(data)],
        );
        assert!(colours.as_u64().unwrap() > 20, "{colours} colours");
    });
}

#[test]
fn a_print_fits_the_paper_and_leaves_the_drawing_as_it_was() {
    browser::test(|page| {
        page.start(&pages::of(&documents::shop().to_string()), "column=SALES.DAILY.DAY_TOTAL");
        page.dark(true);
        let view = page.value("document.querySelector('.scene').getAttribute('transform')");
        assert!(page.print().starts_with(b"%PDF-"));
        assert_eq!(page.value("document.querySelector('.scene').getAttribute('transform')"), view);
        assert_eq!(page.value("document.querySelector('#canvas svg').hasAttribute('viewBox')"), false);
        // Paper is white, whatever the reader likes on a screen.
        page.media("print", &[("prefers-color-scheme", "dark")]);
        assert!(!page.is_shown(".controls") && !page.is_shown("#search"));
        for theme in ["", "dark"] {
            page.exec_with("document.documentElement.dataset.theme = arguments[0];", vec![theme.into()]);
            let ink = page.value("getComputedStyle(document.body).color");
            assert_eq!(ink, "rgb(27, 35, 48)", "theme {theme:?}");
        }
    });
}
