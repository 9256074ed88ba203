//! Unusual names, and a lineage in which every object and column has one.

use sqlflow_lineage::Lineage;

/// Names that have a meaning in one of the formats, or that few programs expect.
pub(crate) const HOSTILE: [&str; 36] = [
    "",
    " ",
    "\n",
    "\t",
    "*",
    "end",
    "subgraph",
    "n0",
    "#",
    "#quot;",
    "&lt;",
    "&amp;amp;",
    "]]>",
    "]]",
    "[1,\n 2\n]",
    "<b>bold</b>",
    "<!--",
    "\"quoted\"",
    "it's",
    "\"]",
    "[x](y){z}",
    "`code`",
    "back\\slash\\",
    "\\N \\G \\l \\\"",
    "a\nb\r\nc\rd",
    "tab\there",
    "nul\0 bell\u{7} esc\u{1b}[31m del\u{7f} nel\u{85}",
    "\u{fffe}\u{ffff}\u{feff}",
    "family 👨\u{200d}👩\u{200d}👧",
    "שלום \u{202e}abc",
    "e\u{301}\u{323}\u{327}",
    "a,b;c|d",
    "1. one",
    "$$x^2$$ %% comment",
    "=HYPERLINK(\"http://x\")",
    "select case when a > 0 and b < 1\n  then \"x\" else 'y' end\nfrom \"t\" -- what a long expression this is, isn't it",
];

/// Returns a lineage of objects and columns with these names, each of which is a source and a target.
pub(crate) fn hostile() -> Lineage {
    let name = |at: usize| serde_json::to_string(HOSTILE[at % HOSTILE.len()]).unwrap();
    let mut objects = Vec::new();
    let mut relationships = Vec::new();
    for at in 0..HOSTILE.len() {
        let kind =
            ["table", "view", "select_list", "procedure"].get(at % 5).map_or_else(|| name(at), |k| format!("{k:?}"));
        objects.push(format!(
            r#"{{"id": "{at}", "name": {}, "type": {kind}, "columns": [{{"id": "{at}_0", "name": {}}},
               {{"id": "{at}_1", "name": "RelationRows", "source": "system"}}]}}"#,
            name(at),
            name(at + 1),
        ));
        let next = (at + 1) % HOSTILE.len();
        let relation = ["\"fdd\"".to_owned(), "\"fdr\"".to_owned(), name(at)][at % 3].clone();
        relationships.push(format!(
            r#"{{"id": "r{at}", "type": {relation}, "effectType": {}, "target": {{"id": "{next}_0"}},
               "sources": [{{"id": "{at}_0"}}, {{"id": "{next}_0"}}, {{"id": "{at}"}}]}}"#,
            name(at)
        ));
    }
    format!(r#"{{"dbobjs": [{}], "relationships": [{}]}}"#, objects.join(","), relationships.join(",")).parse().unwrap()
}
