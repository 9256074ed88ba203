//! Pictures of lineage, read back with Graphviz, an XML parser and a CSV parser.

mod hostile;

use std::collections::{BTreeSet, HashMap};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs};

use roxmltree::{Document, Node};
use serde_json::json;
use sqlflow_lineage::{Diagram, Lineage, RelationType};

use self::hostile::{HOSTILE, hostile};

fn lineages() -> Vec<(String, Lineage)> {
    let fixtures = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/lineage"));
    let mut paths: Vec<_> = fs::read_dir(fixtures).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut lineages = vec![("hostile names".to_owned(), hostile())];
    for path in paths {
        lineages.push((path.display().to_string(), Lineage::from_slice(&fs::read(&path).unwrap()).unwrap()));
    }
    lineages
}

/// Returns diagrams of a lineage with every combination of options.
fn diagrams(lineage: &Lineage) -> Vec<Diagram<'_>> {
    let mut types: BTreeSet<String> = lineage.relationships().map(|r| r.type_text().to_owned()).collect();
    types.extend(["fdr", "frd", "join"].map(str::to_owned));
    let types: Vec<RelationType> = types.iter().map(|text| RelationType::from(text.as_str())).collect();
    let mut diagrams = Vec::new();
    let first = lineage.objects().next();
    let complete = [Some(lineage.diagram()), first.map(|object| object.downstream().diagram())];
    for diagram in complete.into_iter().flatten() {
        diagrams.extend([
            diagram.clone(),
            diagram.clone().by_object(),
            diagram.clone().over(types.clone()),
            diagram.clone().over(types.clone()).with_intermediates(),
            diagram.over(types.clone()).with_intermediates().by_object(),
        ]);
    }
    diagrams
}

fn text(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut bytes = Vec::new();
    write(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Returns a name with its control characters as they are shown.
fn displayed(name: &str) -> String {
    name.chars()
        .map(|c| match c {
            '\n' | '\t' | '\r' => c,
            '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap(),
            '\u{fffe}' | '\u{ffff}' => char::REPLACEMENT_CHARACTER,
            _ => c,
        })
        .collect()
}

/// Returns the picture that Graphviz makes, or `None` if Graphviz is neither installed nor required.
fn rendered(dot: &str, what: &str) -> Option<String> {
    let started =
        Command::new("dot").arg("-Tsvg").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) if env::var_os("CI_TOOLS").is_none() => {
            eprintln!("skipped: cannot run the Graphviz command dot ({error})");
            return None;
        }
        Err(error) => panic!("cannot run the Graphviz command dot, which CI_TOOLS requires: {error}"),
    };
    let mut stdin = child.stdin.take().unwrap();
    let input = dot.to_owned();
    let writing = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && !complaints.contains("rror"), "{what}: {complaints}\n{dot}");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn graphviz_draws_every_lineage_with_any_names() {
    for (what, lineage) in lineages() {
        for diagram in diagrams(&lineage) {
            let dot = text(|writer| diagram.write_dot(writer));
            let Some(svg) = rendered(&dot, &what) else {
                return;
            };
            assert_eq!(svg.matches("class=\"edge\"").count(), diagram.edges().len(), "{what}");
        }
    }
}

#[test]
fn graphviz_shows_names_unchanged() {
    let lineage = hostile();
    let Some(svg) = rendered(&text(|writer| lineage.diagram().with_intermediates().write_dot(writer)), "hostile")
    else {
        return;
    };
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    let svg = Document::parse_with_options(&svg, options).unwrap();
    let texts: BTreeSet<String> =
        svg.descendants().filter(|node| node.has_tag_name("text")).map(|node| all_text(&node)).collect();
    let fits_on_one_line = |name: &&&str| name.chars().count() <= 80 && !name.contains(['\n', '\r', '\t']);
    for name in HOSTILE.iter().filter(fits_on_one_line).filter(|name| !name.trim().is_empty()) {
        assert!(texts.contains(&displayed(name)), "{name:?} is not in {texts:#?}");
    }
    assert!(texts.contains("select case when a > 0 and b < 1"), "{texts:#?}");
    let tooltips: Vec<&str> =
        svg.descendants().filter_map(|node| node.attribute(("http://www.w3.org/1999/xlink", "title"))).collect();
    assert!(tooltips.iter().any(|tooltip| tooltip.contains("isn't it")), "{tooltips:#?}");
    assert!(tooltips.iter().any(|tooltip| tooltip.contains("back\\slash\\")), "{tooltips:#?}");
    assert!(tooltips.iter().any(|tooltip| tooltip.contains("&amp;amp;")), "{tooltips:#?}");
}

fn all_text(node: &Node<'_, '_>) -> String {
    node.descendants().filter(Node::is_text).filter_map(|node| node.text()).collect()
}

#[test]
fn graphml_is_well_formed_and_its_edges_connect_its_nodes() {
    for (what, lineage) in lineages() {
        for diagram in diagrams(&lineage) {
            let xml = text(|writer| diagram.write_graphml(writer));
            let document = Document::parse(&xml).unwrap_or_else(|error| panic!("{what}: {error}\n{xml}"));
            let keys: BTreeSet<&str> = tagged(&document, "key").filter_map(|key| key.attribute("id")).collect();
            assert!(tagged(&document, "data").all(|data| keys.contains(data.attribute("key").unwrap())));
            let nodes = names_by_id(&document);
            assert_eq!(nodes.len(), tagged(&document, "node").count(), "ids are unique");
            let ids: BTreeSet<&str> = document.descendants().filter_map(|node| node.attribute("id")).collect();
            let identified = document.descendants().filter(|node| node.attribute("id").is_some()).count();
            assert_eq!(ids.len(), identified, "ids are unique over nodes, edges, graphs and keys");

            let expected: Vec<(String, String)> = diagram
                .edges()
                .iter()
                .map(|edge| (displayed(&edge.source.qualified_name()), displayed(&edge.target.qualified_name())))
                .collect();
            let drawn: Vec<(String, String)> = tagged(&document, "edge")
                .map(|edge| {
                    let [source, target] = ["source", "target"].map(|end| nodes[edge.attribute(end).unwrap()].clone());
                    (source, target)
                })
                .collect();
            assert_eq!(drawn, expected, "{what}");
        }
    }
}

#[test]
fn objects_do_not_overlap_in_graphml() {
    for (what, lineage) in lineages() {
        let xml = text(|writer| lineage.diagram().with_intermediates().write_graphml(writer));
        let document = Document::parse(&xml).unwrap();
        let rectangles: Vec<[f64; 4]> = tagged(&document, "node")
            .filter(|node| node.parent_element().and_then(|graph| graph.attribute("id")) == Some("G"))
            .filter_map(|node| {
                node.descendants().find(|inner| inner.has_tag_name(("http://www.yworks.com/xml/graphml", "Geometry")))
            })
            .map(|geometry| ["x", "y", "width", "height"].map(|of| geometry.attribute(of).unwrap().parse().unwrap()))
            .collect();
        for (at, [x, y, width, height]) in rectangles.iter().enumerate() {
            for [other_x, other_y, ..] in &rectangles[at + 1..] {
                let overlaps = (*x..x + width).contains(other_x) && (*y..y + height).contains(other_y);
                assert!(!overlaps, "{what}: {rectangles:?}");
            }
        }
    }
}

fn tagged<'d>(document: &'d Document<'d>, tag: &'static str) -> impl Iterator<Item = Node<'d, 'd>> {
    document.descendants().filter(move |node| node.has_tag_name(("http://graphml.graphdrawing.org/xmlns", tag)))
}

fn names_by_id<'d>(document: &'d Document<'d>) -> HashMap<&'d str, String> {
    tagged(document, "node")
        .map(|node| {
            let name = node.children().find(|data| data.attribute("key") == Some("d1")).unwrap();
            (node.attribute("id").unwrap(), all_text(&name))
        })
        .collect()
}

/// Parses CSV into records of fields.
fn records(csv: &str) -> Vec<Vec<String>> {
    let mut records = vec![vec![String::new()]];
    let mut is_quoted = false;
    let mut characters = csv.chars().peekable();
    while let Some(character) = characters.next() {
        let record = records.last_mut().unwrap();
        match character {
            '"' if is_quoted && characters.peek() == Some(&'"') => {
                characters.next();
                record.last_mut().unwrap().push('"');
            }
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => record.push(String::new()),
            '\n' if !is_quoted => records.push(vec![String::new()]),
            _ => record.last_mut().unwrap().push(character),
        }
    }
    assert_eq!(records.pop(), Some(vec![String::new()]), "the last line ends");
    records
}

#[test]
fn csv_has_every_name_unchanged() {
    for (what, lineage) in lineages() {
        for diagram in diagrams(&lineage) {
            let records = records(&text(|writer| diagram.write_csv(writer)));
            let edges = diagram.edges();
            assert_eq!(records.len(), edges.len() + 1, "{what}");
            assert!(records.iter().all(|record| record.len() == 10), "{what}: {records:?}");
            for (record, edge) in records[1..].iter().zip(edges) {
                let parts = record[4..8].iter().filter(|part| !part.is_empty());
                let name: Vec<&str> = parts.map(String::as_str).collect();
                let name = name.join(".");
                let expected = edge.target.qualified_name();
                assert_eq!(name, expected.trim_matches('.'), "{what}");
                assert_eq!(record[8], edge.relation.as_str());
            }
        }
    }
}

#[test]
fn mermaid_is_well_formed_with_any_names() {
    for (what, lineage) in lineages() {
        for diagram in diagrams(&lineage) {
            let mermaid = text(|writer| diagram.write_mermaid(writer));
            let links = mermaid.lines().filter(|line| line.contains("-->") || line.contains("-.->")).count();
            assert_eq!(links, diagram.edges().len(), "{what}");
            let opened = mermaid.lines().filter(|line| line.starts_with("  subgraph ")).count();
            assert_eq!(opened, mermaid.lines().filter(|line| *line == "  end").count(), "{what}");
            for line in mermaid.lines() {
                assert!(matches!(line.matches('"').count(), 0 | 2), "{what}: {line}");
                assert!(!line.chars().any(char::is_control), "{what}: {line:?}");
            }
        }
    }
}

#[test]
fn mermaid_shows_names_unchanged() {
    let lineage = hostile();
    let mermaid = text(|writer| lineage.diagram().with_intermediates().write_mermaid(writer));
    let labels: BTreeSet<String> = mermaid.lines().filter_map(|line| line.split('"').nth(1)).map(decoded).collect();
    let is_unchanged = |name: &&&str| name.chars().count() <= 80 && !name.is_empty() && !name.contains(['\r', '\t']);
    for name in HOSTILE.iter().filter(is_unchanged) {
        assert!(labels.contains(&displayed(name)), "{name:?} is not in {labels:#?}");
    }
}

/// Returns a label with its numbers replaced by the characters that they stand for.
fn decoded(label: &str) -> String {
    let mut parts = label.split('#');
    let mut text = parts.next().unwrap().replace("<br/>", "\n");
    for part in parts {
        let (number, rest) = part.split_once(';').unwrap();
        text.push(char::from_u32(number.parse().unwrap()).unwrap());
        text.push_str(&rest.replace("<br/>", "\n"));
    }
    text
}

#[test]
fn the_same_lineage_always_gives_the_same_bytes() {
    // Objects without ids and names differ only in their position.
    let objects: Vec<String> =
        (0..20).map(|at| format!(r#"{{"columns": [{{"id": "{at}", "name": "c{at}"}}]}}"#)).collect();
    let flows: Vec<String> = (0..19)
        .map(|at| format!(r#"{{"type": "fdd", "target": {{"id": "{}"}}, "sources": [{{"id": "{at}"}}]}}"#, at + 1))
        .collect();
    let nameless = format!(r#"{{"dbobjs": [{}], "relationships": [{}]}}"#, objects.join(","), flows.join(","));
    for lineage in [hostile(), nameless.parse().unwrap()] {
        for diagram in diagrams(&lineage) {
            let all = || {
                text(|writer| diagram.write_dot(writer))
                    + &text(|writer| diagram.write_mermaid(writer))
                    + &text(|writer| diagram.write_csv(writer))
                    + &text(|writer| diagram.write_graphml(writer))
            };
            assert_eq!(all(), all());
        }
    }
}

#[test]
fn an_error_of_the_writer_is_returned() {
    struct FullDisk;

    impl std::io::Write for FullDisk {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let lineage = hostile();
    let diagram = lineage.diagram();
    for result in [
        diagram.write_dot(FullDisk),
        diagram.write_mermaid(FullDisk),
        diagram.write_csv(FullDisk),
        diagram.write_graphml(FullDisk),
    ] {
        assert_eq!(result.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    }
}

#[test]
fn a_picture_of_many_functions_of_one_result_takes_no_quadratic_time() {
    let count = 5_000;
    let object = |id: String, kind: &str| json!({"id": id, "name": id, "type": kind, "columns": [{"id": format!("{id}.c"), "name": "c"}]});
    let flow = |source: String, target: String| json!({"type": "fdd", "target": {"id": target + ".c"}, "sources": [{"id": source + ".c"}]});
    let mut objects = vec![object("t".to_owned(), "table"), object("v".to_owned(), "view")];
    let mut relationships = vec![flow("t".to_owned(), format!("r{count}"))];
    for at in 0..=count {
        objects.push(object(format!("f{at}"), "function"));
        objects.push(object(format!("r{at}"), "select_list"));
        relationships.push(flow(format!("f{at}"), "v".to_owned()));
        relationships.push(flow("r0".to_owned(), format!("f{at}")));
        relationships.push(flow(format!("r{}", at + 1), format!("r{at}")));
    }
    let document = json!({"dbobjs": objects, "relationships": relationships}).to_string();
    let lineage: Lineage = document.parse().unwrap();
    let started = std::time::Instant::now();
    assert_eq!(lineage.diagram().edges().len(), 1);
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}
