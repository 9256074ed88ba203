//! What decides the columns of a dataset that is written, and how.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use super::datasets::{Dataset, Datasets, field_name};
use crate::graph::Node;
use crate::graph::walk::{Hop, Label};
use crate::kinds::{ClauseType, RelationType};
use crate::{Column, LineageInner};

const AGGREGATES: [&str; 24] = [
    "any_value",
    "approx_count_distinct",
    "array_agg",
    "avg",
    "bool_and",
    "bool_or",
    "collect_list",
    "collect_set",
    "count",
    "count_big",
    "group_concat",
    "json_agg",
    "listagg",
    "max",
    "median",
    "min",
    "percentile_cont",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "string_agg",
    "sum",
    "var_pop",
    "variance",
];

/// Functions that give none of the original away.
const HASHES: [&str; 12] =
    ["crc32", "hash", "hashbytes", "md5", "ora_hash", "sha", "sha1", "sha2", "sha224", "sha256", "sha384", "sha512"];

/// What decides a dataset.
#[derive(Default)]
pub(super) struct Decided<'a> {
    /// Each column with what decides its values, in the order of the answer.
    pub(super) fields: Vec<(String, Inputs<'a>)>,
    /// What decides which rows there are.
    pub(super) rows: Inputs<'a>,
}

/// By dataset and field, how each is transformed.
pub(super) type Inputs<'a> = BTreeMap<(usize, String), BTreeSet<Transformation<'a>>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Transformation<'a> {
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    subtype: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    masking: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
enum Kind {
    Direct,
    Indirect,
}

pub(super) fn decided<'a>(datasets: &Datasets<'a, '_>, dataset: &Dataset<'a>) -> Decided<'a> {
    let inner = datasets.rules.inner;
    let mut decided = Decided::default();
    let mut places: HashMap<String, usize> = HashMap::new();
    for node in dataset.nodes() {
        let field = field(inner, node);
        for hop in datasets.hops(node) {
            let Some(input) = input(datasets, &hop) else {
                continue;
            };
            let inputs = match &field {
                Some(field) if !hop.label.by_rows => {
                    let place = *places.entry(field.clone()).or_insert_with(|| {
                        decided.fields.push((field.clone(), Inputs::new()));
                        decided.fields.len() - 1
                    });
                    &mut decided.fields[place].1
                }
                _ => &mut decided.rows,
            };
            let transformation = if field.is_some() && !hop.label.by_rows {
                transformation(inner, hop.label)
            } else {
                Transformation {
                    kind: Kind::Indirect,
                    subtype: clause(inner, hop.label),
                    description: None,
                    masking: None,
                }
            };
            inputs.entry(input).or_default().insert(transformation);
        }
    }
    for inputs in decided.fields.iter_mut().map(|(_, inputs)| inputs).chain([&mut decided.rows]) {
        inputs.values_mut().for_each(leave_out_the_vague);
    }
    decided
}

/// An influence of no known kind says nothing beside one of a known kind.
fn leave_out_the_vague(transformations: &mut BTreeSet<Transformation<'_>>) {
    let is_vague = |t: &Transformation<'_>| t.kind == Kind::Indirect && t.subtype.is_none();
    if transformations.iter().any(|t| t.kind == Kind::Indirect && t.subtype.is_some()) {
        transformations.retain(|t| !is_vague(t));
    }
}

/// The field that a node is; record sets and whole objects are none.
fn field(inner: &LineageInner, node: Node) -> Option<String> {
    match node {
        Node::Column(at) => Some(Column::new(inner, at)).filter(|column| !column.is_record_set()).map(field_name),
        Node::Object(_) => None,
    }
}

fn input(datasets: &Datasets<'_, '_>, hop: &Hop) -> Option<(usize, String)> {
    let field = field(datasets.rules.inner, hop.to)?;
    Some((datasets.of_object(datasets.rules.object_of(hop.to)?)?, field))
}

fn transformation(inner: &LineageInner, label: Label) -> Transformation<'_> {
    let texts = &inner.model.texts;
    let function = texts.get_present(label.function).filter(|name| !name.is_empty());
    let called = function.map(bare_function);
    let is_one_of = |names: &[&str]| called.as_deref().is_some_and(|called| names.contains(&called));
    let masking = is_one_of(&HASHES).then_some(true);
    if texts.get(label.relation) == RelationType::Fdd.as_str() {
        let (subtype, masking) = match function {
            None => ("IDENTITY", Some(false)),
            Some(_) if is_one_of(&AGGREGATES) => ("AGGREGATION", masking),
            Some(_) => ("TRANSFORMATION", masking),
        };
        return Transformation { kind: Kind::Direct, subtype: Some(subtype), description: function, masking };
    }
    let conditional = is_one_of(&["case-when", "case", "if", "iif", "decode"]).then_some("CONDITIONAL");
    let subtype = clause(inner, label).or(conditional);
    Transformation { kind: Kind::Indirect, subtype, description: function, masking: None }
}

/// A function's name without its package, arguments and case.
fn bare_function(name: &str) -> String {
    let name = name.split('(').next().unwrap_or_default().trim();
    name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase()
}

/// The kind of influence, as far as the clause it is in tells.
fn clause(inner: &LineageInner, label: Label) -> Option<&'static str> {
    let texts = &inner.model.texts;
    let clause = texts.get(label.clause);
    match ClauseType::from(clause) {
        ClauseType::Where => Some("FILTER"),
        ClauseType::JoinCondition => Some("JOIN"),
        ClauseType::OrderBy => Some("SORT"),
        ClauseType::Other(_) if clause.eq_ignore_ascii_case("groupby") => Some("GROUP_BY"),
        ClauseType::Other(_) if clause.eq_ignore_ascii_case("having") => Some("FILTER"),
        _ if texts.get(label.relation) == RelationType::Join.as_str() => Some("JOIN"),
        _ => None,
    }
}
