//! Tests that a page gives the answers of the crate: it walks over the lineage by the same rules, written once more.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::{env, fs};

use fastrand::Rng;
use serde_json::{Value, json};
use sqlflow_lineage::{Column, Lineage, Object, RelationType, Trace};

use crate::browser::{self, Page};
use crate::{documents, pages};

/// The kinds of edges of a drawing, by the names that the scripts of the page have for them, in combinations.
const KINDS: [&[&str]; 7] =
    [&[], &["FILTER"], &["KEY"], &["FILTER", "KEY"], &["CALL"], &["OTHER"], &["FILTER", "KEY", "CALL", "OTHER"]];

/// For each column and then each object: what is upstream and downstream of it.
type Answers = Vec<[BTreeSet<usize>; 2]>;

/// The nodes upstream and downstream of every node, as the page finds them. Columns lead to columns, objects to objects.
fn answers_of_page(page: &Page, kinds: &[&str], intermediates: bool) -> Answers {
    let script = format!(
        "const [intermediates] = arguments;
         const {{ content, selector }} = globalThis.page;
         const kinds = new Set([{}]);
         const answers = [];
         for (let node = 0; node < content.firstStatement; node++) {{
             const isColumn = content.isColumn(node);
             answers.push(['upstream', 'downstream'].map((direction) => {{
                 const found = selector.walk(direction, {{ kinds, intermediates }}, isColumn).reach(node);
                 return isColumn ? [...found].filter((one) => content.isColumn(one))
                                 : [...new Set([...found].map((one) => content.objectOf(one)))];
             }}));
         }}
         return answers;",
        numbers(kinds)
    );
    serde_json::from_value(page.exec_with(&script, vec![intermediates.into()])).expect("two lists for each node")
}

/// Returns the kinds as the page numbers them.
fn numbers(kinds: &[&str]) -> String {
    let number = |kind: &&str| match *kind {
        "FILTER" => "1",
        "KEY" => "2",
        "CALL" => "3",
        "OTHER" => "4",
        kind => unreachable!("{kind} is no kind"),
    };
    kinds.iter().map(number).collect::<Vec<_>>().join(",")
}

/// The types of relationships that the page follows for some kinds.
fn types(lineage: &Lineage, kinds: &[&str]) -> Vec<RelationType> {
    let filters = [RelationType::Fdr, RelationType::Frd, RelationType::Join, RelationType::Fddi];
    let known = RelationType::VALUE_FLOWS.iter().chain(&filters).chain(&[RelationType::Er, RelationType::Call]);
    let known: BTreeSet<&str> = known.map(RelationType::as_str).collect();
    let others = lineage.relationships().map(|relationship| relationship.relation_type());
    let others: Vec<_> = others.filter(|kind| !known.contains(kind.as_str())).collect();
    let mut types = RelationType::VALUE_FLOWS.to_vec();
    for kind in kinds {
        match *kind {
            "FILTER" => types.extend(filters.clone()),
            "KEY" => types.push(RelationType::Er),
            "CALL" => types.push(RelationType::Call),
            _ => types.extend(others.clone()),
        }
    }
    types
}

fn with_options<'a, T: sqlflow_lineage::Traced<'a>>(
    trace: Trace<'a, T>,
    types: &[RelationType],
    foreign_keys: bool,
    intermediates: bool,
) -> Trace<'a, T> {
    let trace = trace.over(types.iter().cloned());
    let trace = if foreign_keys { trace.with_foreign_keys() } else { trace };
    if intermediates { trace.with_intermediates() } else { trace }
}

/// The nodes upstream and downstream of every node, as the crate finds them.
fn answers_of_crate(lineage: &Lineage, kinds: &[&str], intermediates: bool) -> Answers {
    let (types, foreign_keys) = (types(lineage, kinds), kinds.contains(&"KEY"));
    let columns: HashMap<Column<'_>, usize> = lineage.columns().zip(0..).collect();
    let objects: HashMap<Object<'_>, usize> = lineage.objects().zip(0..).collect();
    let of_columns = lineage.columns().map(|column| {
        [column.upstream(), column.downstream()].map(|trace| {
            let found = with_options(trace, &types, foreign_keys, intermediates).into_iter();
            found.map(|column| columns[&column]).collect()
        })
    });
    let of_objects = lineage.objects().map(|object| {
        [object.upstream(), object.downstream()].map(|trace| {
            let found = with_options(trace, &types, foreign_keys, intermediates).into_iter();
            found.map(|object| objects[&object]).collect()
        })
    });
    of_columns.chain(of_objects).collect()
}

/// Fails if the page of a lineage gives other answers than the lineage itself.
fn compare(page: &Page, what: &str, lineage: &Lineage) {
    page.start(&pages::write(&lineage.page()), "");
    for kinds in KINDS {
        // Types that the lineage does not have change nothing.
        if !kinds.is_empty() && types(lineage, kinds).iter().skip(3).all(|kind| !has(lineage, kind)) {
            continue;
        }
        for intermediates in [false, true] {
            let of_page = answers_of_page(page, kinds, intermediates);
            let of_crate = answers_of_crate(lineage, kinds, intermediates);
            assert_eq!(of_page.len(), of_crate.len(), "{what}");
            for (at, (page, own)) in of_page.iter().zip(&of_crate).enumerate() {
                assert_eq!(page, own, "{what}: {} with {kinds:?}, intermediates: {intermediates}", name(lineage, at));
            }
        }
    }
    compare_hops(page, what, lineage);
}

fn has(lineage: &Lineage, kind: &RelationType) -> bool {
    *kind == RelationType::Er || lineage.relationships().any(|relationship| relationship.relation_type() == *kind)
}

fn name(lineage: &Lineage, at: usize) -> String {
    let columns = lineage.columns().len();
    let column = lineage.columns().nth(at).map(|column| format!("column {column} ({})", column.id()));
    column.unwrap_or_else(|| {
        let object = lineage.objects().nth(at - columns).unwrap();
        format!("object {object} ({})", object.id())
    })
}

/// Fails if the drawings of depth 1 have other edges than the lineage has flows.
fn compare_hops(page: &Page, what: &str, lineage: &Lineage) {
    let columns: HashMap<Column<'_>, usize> = lineage.columns().zip(0..).collect();
    let flows: BTreeSet<(usize, usize)> =
        lineage.column_flows().iter().map(|flow| (columns[&flow.source], columns[&flow.target])).collect();
    let drawn = page.exec(
        "const { content, selector } = globalThis.page;
         const drawn = { upstream: [], downstream: [] };
         for (const direction of ['upstream', 'downstream']) {
             for (let node = 0; node < content.firstObject; node++) {
                 const options = { kinds: new Set(), intermediates: false, depth: 1, direction };
                 for (const { source, target } of selector.surroundings(node, options).edges.values()) {
                     if (content.isColumn(source) && content.isColumn(target)) drawn[direction].push([source, target]);
                 }
             }
         }
         return drawn;",
    );
    let drawn: BTreeMap<String, Vec<(usize, usize)>> = serde_json::from_value(drawn).unwrap();
    // A drawing begins at any column, and a flow only at those of stored objects and results.
    let is_end = |at: usize| {
        let column = lineage.columns().nth(at).unwrap();
        let object = column.object();
        !column.is_record_set() && (object.is_result_set() || !object.is_intermediate() && !object.is_routine())
    };
    let ends: Vec<bool> = (0..columns.len()).map(is_end).collect();
    for (direction, edges) in drawn {
        let edges: BTreeSet<(usize, usize)> =
            edges.into_iter().filter(|&(source, target)| ends[source] && ends[target]).collect();
        let named = |set: &BTreeSet<(usize, usize)>, other: &BTreeSet<(usize, usize)>| -> Vec<String> {
            let difference = set.difference(other);
            difference.map(|&(from, to)| format!("{} → {}", name(lineage, from), name(lineage, to))).collect()
        };
        assert!(
            edges == flows,
            "{what}, {direction}: only drawn: {:?}, only flows: {:?}",
            named(&edges, &flows),
            named(&flows, &edges)
        );
    }
}

/// Returns a document of many small lineages next to each other: random ones with stars, routines, results, statements
/// as endpoints, record sets, relationships between whole tables, cycles, foreign keys and calls.
fn random(seed: u64, parts: usize) -> String {
    let mut rng = Rng::with_seed(seed);
    let (mut records, mut relationships) = (Vec::new(), Vec::new());
    for part in 0..parts {
        add_part(&mut rng, part, &mut records, &mut relationships);
    }
    json!({ "dbobjs": records, "relationships": relationships }).to_string()
}

fn add_part(rng: &mut Rng, part: usize, records: &mut Vec<Value>, relationships: &mut Vec<Value>) {
    const KINDS: [&str; 9] =
        ["table", "table", "view", "select_list", "select_list", "insert-select", "with_cte", "procedure", "function"];
    const NAMES: [&str; 7] = ["x", "X", "y", "z", "*", "\"*\"", "RelationRows"];
    const TYPES: [&str; 14] =
        ["fdd", "fdd", "fdd", "fdd", "fdd", "fda", "fdc", "fdr", "frd", "join", "fddi", "er", "call", "brand-new"];
    let mut ends = Vec::new();
    let mut objects = Vec::new();
    let with_stars = rng.bool();
    for object in 0..rng.usize(2..7) {
        let id = format!("{part}_{object}");
        let mut columns = Vec::new();
        for column in 0..rng.usize(0..4) {
            let name = NAMES[rng.usize(..NAMES.len())];
            let name = if name.contains('*') && !with_stars { "w" } else { name };
            let id = format!("{id}_{column}");
            let mut value = json!({ "id": id, "name": name, "coordinates": [] });
            if name == "RelationRows" {
                value["source"] = "system".into();
            }
            columns.push(value);
            ends.push(id);
        }
        let kind = KINDS[rng.usize(..KINDS.len())];
        records.push(json!({
            "id": id, "name": format!("{kind} {id}"), "type": kind, "columns": columns, "coordinates": []
        }));
        objects.push(id);
    }
    let process = format!("{part}_process");
    records.push(json!({ "id": process, "name": "Query", "type": "process" }));
    let mut all = ends.clone();
    all.extend(objects.iter().cloned());
    all.push(process.clone());
    let end = |rng: &mut Rng| {
        // Most ends are columns.
        let from = if ends.is_empty() || rng.usize(..4) == 0 { &all } else { &ends };
        json!({ "id": from[rng.usize(..from.len())] })
    };
    for at in 0..rng.usize(1..9) {
        let kind = TYPES[rng.usize(..TYPES.len())];
        let mut value = json!({ "id": format!("{part}_r{at}"), "type": kind });
        if kind == "call" {
            let routine = |rng: &mut Rng| json!({ "id": objects[rng.usize(..objects.len())] });
            value["caller"] = routine(rng);
            value["callees"] = (0..rng.usize(1..3)).map(|_| routine(rng)).collect();
        } else {
            value["target"] = end(rng);
            value["sources"] = (0..rng.usize(1..4)).map(|_| end(rng)).collect();
        }
        if rng.usize(..6) == 0 {
            value["effectType"] = "foreign_key".into();
        }
        if rng.bool() {
            value["processId"] = process.as_str().into();
        }
        relationships.push(value);
    }
}

fn files(directory: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| (path.display().to_string(), fs::read_to_string(&path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn a_page_answers_for_the_fixtures_as_the_crate_does() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    browser::test(|page| {
        let mut all = files(&fixtures);
        all.extend(files(&fixtures.join("lineage")));
        all.extend(env::var_os("SQLFLOW_SAMPLES").map(|samples| files(Path::new(&samples))).unwrap_or_default());
        assert!(all.len() >= 8);
        for (path, document) in all {
            compare(page, &path, &pages::read(&document));
        }
    });
}

#[test]
fn a_page_answers_for_random_documents_as_the_crate_does() {
    browser::test(|page| {
        for seed in 0..4 {
            let lineage = pages::read(&random(seed, 150));
            assert_eq!(lineage.unresolved().count(), 0);
            compare(page, &format!("seed {seed}"), &lineage);
        }
    });
}

#[test]
fn a_page_answers_for_a_large_document_as_the_crate_does() {
    browser::test(|page| compare(page, "large", &pages::read(&documents::large(200))));
}
