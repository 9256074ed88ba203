//! Reading and touching the drawing of a page.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::browser::Page;

/// The selector of the row of a column, by its qualified name.
pub(crate) fn row(column: &str) -> String {
    format!(".row[aria-label^='column {column}']")
}

/// The selector of the head of a card, by the kind and the qualified name of its object.
pub(crate) fn head(table: &str) -> String {
    format!(".head[aria-label^='{table}']")
}

impl Page {
    /// Returns the names of the cards, each with its kind.
    #[track_caller]
    pub(crate) fn cards(&self) -> BTreeSet<String> {
        self.labels(".card")
    }

    /// Returns the columns whose rows have a class.
    #[track_caller]
    pub(crate) fn rows_of_class(&self, class: &str) -> BTreeSet<String> {
        let rows = self.labels(&format!(".row.{class}"));
        rows.iter().map(|label| label.trim_start_matches("column ").to_owned()).collect()
    }

    #[track_caller]
    fn labels(&self, selector: &str) -> BTreeSet<String> {
        let script =
            "return [...document.querySelectorAll(arguments[0])].map((one) => one.getAttribute('aria-label'));";
        serde_json::from_value(self.exec_with(script, vec![selector.into()])).expect("labels")
    }

    /// Returns the titles of the edges that a selector matches.
    #[track_caller]
    pub(crate) fn edges(&self, selector: &str) -> BTreeSet<String> {
        self.texts(&format!("{selector} > title")).into_iter().collect()
    }

    /// Clicks the middle of an edge, by its title, with the mouse.
    #[track_caller]
    pub(crate) fn click_edge(&self, title: &str) {
        let at = self.exec_with(
            "const edges = [...document.querySelectorAll('.edge')];
             const edge = edges.find((one) => one.querySelector('title').textContent === arguments[0]);
             if (!edge) throw new Error(`no edge ${arguments[0]}`);
             const path = edge.querySelector('.reach');
             const point = path.getPointAtLength(path.getTotalLength() / 2).matrixTransform(path.getScreenCTM());
             const hit = document.elementFromPoint(point.x, point.y);
             if (!edge.contains(hit)) throw new Error(`${arguments[0]} is covered by ${hit?.outerHTML.slice(0, 200)}`);
             return [point.x, point.y];",
            vec![title.into()],
        );
        self.mouse("mousePressed", &at, 1);
        self.mouse("mouseReleased", &at, 1);
    }

    /// Double-clicks the first element that a selector matches.
    #[track_caller]
    pub(crate) fn double_click(&self, selector: &str) {
        let at = self.exec_with(
            "const box = document.querySelector(arguments[0]).getBoundingClientRect();
             return [box.x + box.width / 2, box.y + box.height / 2];",
            vec![selector.into()],
        );
        for count in [1, 2] {
            self.mouse("mousePressed", &at, count);
            self.mouse("mouseReleased", &at, count);
        }
    }

    #[track_caller]
    fn mouse(&self, kind: &str, at: &Value, count: u32) {
        let event = json!({ "type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": count });
        self.cdp("Input.dispatchMouseEvent", &event);
    }

    /// Picks a table in the overview.
    #[track_caller]
    pub(crate) fn pick_table(&self, name: &str) {
        self.exec_with(
            "[...document.querySelectorAll('#overview button.link')]
                 .find((link) => link.textContent === arguments[0]).click();",
            vec![name.into()],
        );
    }

    /// Sets the slider for the depth, as a drag does; 9 is all steps.
    #[track_caller]
    pub(crate) fn set_depth(&self, steps: u32) {
        self.exec_with(
            "const slider = document.getElementById('depth');
             slider.value = arguments[0];
             slider.dispatchEvent(new Event('input', { bubbles: true }));",
            vec![steps.into()],
        );
    }

    /// Chooses the direction: `both`, `upstream` or `downstream`.
    #[track_caller]
    pub(crate) fn choose_direction(&self, direction: &str) {
        self.exec_with(
            "const select = document.getElementById('direction');
             select.value = arguments[0];
             select.dispatchEvent(new Event('change', { bubbles: true }));",
            vec![direction.into()],
        );
    }
}

/// Returns a set of texts.
pub(crate) fn set<const N: usize>(texts: [&str; N]) -> BTreeSet<String> {
    texts.into_iter().map(str::to_owned).collect()
}
