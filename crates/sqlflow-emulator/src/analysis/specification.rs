//! The specification of the analysis: what each construct of each dialect becomes, one case in a line.
//!
//! The files of this folder contain the cases:
//!
//! ```text
//! mssql | insert into t (a) select dateadd(day, s.n, s.d) from s | s.n, s.d -> t.a
//! ```
//!
//! The parts are the vendor, the script (`\n` stands for a line break), and everything that the analysis says about it,
//! separated by `; `:
//!
//! * `a, b -> t.c`: these values flow into the column, directly or through intermediate results. A column of a query
//!   without a target is written as `result.c`, and a literal is left out.
//! * `a ~> t.c`: the value decides rows or values of the column. Checked only in cases that have such a part or end
//!   with `no ~>`.
//! * `! text`: a message contains the text. A case without such a part has no message.
//! * `-`: nothing.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use super::*;

type Pairs = BTreeSet<(String, String)>;

/// Everything that the analysis says about a script, in the form of the specification.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    flows: Pairs,
    decides: Option<Pairs>,
    messages: Vec<String>,
}

fn analyze(vendor: &str, sql: &str) -> Lineage {
    let vendor = Vendor::find(vendor).unwrap_or_else(|| panic!("there is no vendor {vendor}"));
    let mut analyzer = Analyzer::new(AnalysisSettings { vendor, database: None, schema: None });
    analyzer.collect_definitions(sql);
    analyzer.read("x.sql", sql, false);
    analyzer.finish()
}

/// Returns the name of a column, or `None` if it is part of an intermediate result.
fn shown(lineage: &Lineage, index: ColumnIndex, is_read: &dyn Fn(ColumnIndex) -> bool) -> Option<String> {
    let object = lineage.object(index.object);
    let column = &lineage.column(index).name;
    match object.kind {
        ObjectKind::SelectList | ObjectKind::SelectUnion if !is_read(index) => Some(format!("result.{column}")),
        kind if kind.is_record_set()
            || matches!(kind, ObjectKind::Function | ObjectKind::ConstantTable | ObjectKind::Variable) =>
        {
            None
        }
        _ => Some(format!("{}.{column}", object.display_name)),
    }
}

/// Returns all pairs of a source and a target, where flows through intermediate results are connected. `decides` is
/// `true` for pairs with a step that is not the flow of a value.
fn pairs(lineage: &Lineage, decides: bool) -> Pairs {
    let mut incoming: HashMap<ColumnIndex, Vec<(ColumnIndex, bool)>> = HashMap::new();
    let mut read = std::collections::HashSet::new();
    for relationship in &lineage.relationships {
        if !matches!(relationship.kind, RelationshipKind::Fdd | RelationshipKind::Fdr | RelationshipKind::Frd) {
            continue;
        }
        for source in &relationship.sources {
            let value = relationship.kind == RelationshipKind::Fdd;
            read.insert(source.column);
            incoming.entry(relationship.target.column).or_default().push((source.column, value));
        }
    }
    let is_read = |column: ColumnIndex| read.contains(&column);
    let mut found = Pairs::new();
    for target in incoming.keys().copied() {
        let Some(name) = shown(lineage, target, &is_read) else { continue };
        let mut waiting = vec![(target, false)];
        let mut seen = std::collections::HashSet::new();
        while let Some((column, is_decided)) = waiting.pop() {
            for (source, value) in incoming.get(&column).into_iter().flatten() {
                let only_decides = is_decided || !value;
                match shown(lineage, *source, &is_read) {
                    Some(source) if only_decides == decides => drop(found.insert((source, name.clone()))),
                    None if seen.insert((*source, only_decides)) => waiting.push((*source, only_decides)),
                    _ => {}
                }
            }
        }
    }
    found
}

fn parse_pairs(item: &str, arrow: &str) -> Option<Pairs> {
    let (sources, target) = item.split_once(arrow)?;
    Some(sources.split(", ").map(|source| (source.trim().to_owned(), target.trim().to_owned())).collect())
}

fn expected(text: &str) -> Said {
    let mut said = Said::default();
    for item in text.split("; ").map(str::trim).filter(|item| !item.is_empty() && *item != "-") {
        if let Some(message) = item.strip_prefix("! ") {
            said.messages.push(message.to_owned());
        } else if item == "no ~>" {
            said.decides.get_or_insert_default();
        } else if let Some(pairs) = parse_pairs(item, " ~> ") {
            said.decides.get_or_insert_default().extend(pairs);
        } else if let Some(pairs) = parse_pairs(item, " -> ") {
            said.flows.extend(pairs);
        } else {
            panic!("cannot read '{item}'");
        }
    }
    said
}

/// Returns what is wrong about a case.
fn check(line: &str) -> Option<String> {
    let parts: Vec<&str> = line.split(" | ").collect();
    let &[vendor, sql, text] = parts.as_slice() else { return Some(format!("not a case: {line}")) };
    let expected = expected(text);
    let lineage = analyze(vendor, &sql.replace("\\n", "\n"));
    let mut messages = lineage.messages();
    let flows = pairs(&lineage, false);
    let decides = expected.decides.as_ref().map(|_| pairs(&lineage, true));
    let missing: Vec<&String> = expected
        .messages
        .iter()
        .filter(|wanted| match messages.iter().position(|message| message.contains(wanted.as_str())) {
            Some(at) => {
                messages.remove(at);
                false
            }
            None => true,
        })
        .collect();
    let right = flows == expected.flows && decides == expected.decides && missing.is_empty() && messages.is_empty();
    (!right).then(|| {
        let written = |pairs: &Pairs| pairs.iter().map(|(from, to)| format!("{from} -> {to}")).collect::<Vec<_>>();
        format!(
            "{line}\n    flows: {:?}\n    decides: {:?}\n    unexpected messages: {messages:?}\n    missing messages: \
             {missing:?}",
            written(&flows),
            decides.as_ref().map(written),
        )
    })
}

#[test]
fn every_construct_becomes_what_the_specification_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/analysis/specification");
    let only = std::env::var("SPECIFICATION").unwrap_or_default();
    let mut wrong = Vec::new();
    let mut cases = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        for (number, line) in std::fs::read_to_string(&path).unwrap().lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') || !line.contains(&only) {
                continue;
            }
            cases += 1;
            wrong.extend(check(line).map(|said| format!("{name}:{}: {said}", number + 1)));
        }
    }
    assert!(wrong.is_empty(), "{} of {cases} cases are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cases > 0);
}
