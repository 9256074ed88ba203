//! The columns that each column of an output depends on, and the kind of each dependency.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use super::datasets::{Dataset, Datasets, field_name};
use crate::graph::Node;
use crate::graph::walk::{Hop, HopAttributes};
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

/// Functions whose result does not reveal their input.
const HASHES: [&str; 12] =
    ["crc32", "hash", "hashbytes", "md5", "ora_hash", "sha", "sha1", "sha2", "sha224", "sha256", "sha384", "sha512"];

/// The lineage of an output, or the part of it that one process makes.
#[derive(Default)]
pub(super) struct DatasetLineage<'a> {
    /// The indices of the datasets that the output depends on.
    pub(super) inputs: BTreeSet<usize>,
    /// The inputs of each column, in the order of the document.
    pub(super) fields: Vec<(String, InputTransformations<'a>)>,
    /// The inputs that decide which rows the output has.
    pub(super) rows: InputTransformations<'a>,
    index_of_field: HashMap<String, usize>,
}

/// The transformations of each input, by the index of its dataset and its field.
pub(super) type InputTransformations<'a> = BTreeMap<(usize, String), BTreeSet<Transformation<'a>>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Transformation<'a> {
    #[serde(rename = "type")]
    kind: TransformationType,
    #[serde(skip_serializing_if = "Option::is_none")]
    subtype: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    masking: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
enum TransformationType {
    Direct,
    Indirect,
}

/// Returns the lineage of an output.
pub(super) fn dataset_lineage<'a>(datasets: &Datasets<'a>, dataset: &Dataset<'a>) -> DatasetLineage<'a> {
    grouped_lineage(datasets, dataset, |_| ()).remove(&()).unwrap_or_default()
}

/// Returns the lineage of an output, in groups of hops that have the same key.
pub(super) fn grouped_lineage<'a, K: Ord>(
    datasets: &Datasets<'a>,
    dataset: &Dataset<'a>,
    key: impl Fn(&Hop) -> K,
) -> BTreeMap<K, DatasetLineage<'a>> {
    let inner = datasets.rules.inner;
    let mut groups: BTreeMap<K, DatasetLineage<'a>> = BTreeMap::new();
    for node in dataset.nodes() {
        let field = field(inner, node);
        for hop in datasets.hops(node) {
            let lineage = groups.entry(key(&hop)).or_default();
            let Some(input) = datasets.rules.object_of(hop.to).and_then(|at| datasets.index_of_object(at)) else {
                continue;
            };
            lineage.inputs.insert(input);
            if let Some(input_field) = self::field(inner, hop.to) {
                lineage.add(inner, field.as_deref(), (input, input_field), hop.attributes);
            }
        }
    }
    for lineage in groups.values_mut() {
        let columns = lineage.fields.iter_mut().map(|(_, inputs)| inputs);
        for inputs in columns.chain([&mut lineage.rows]) {
            inputs.values_mut().for_each(drop_unspecified_influences);
        }
    }
    groups
}

impl<'a> DatasetLineage<'a> {
    /// Adds a hop from an input to a field, or to the rows if there is no field.
    fn add(&mut self, inner: &'a LineageInner, field: Option<&str>, input: (usize, String), attributes: HopAttributes) {
        let (inputs, transformation) = match field {
            Some(field) if !attributes.through_record_set => {
                (self.inputs_of_field(field), transformation(inner, attributes))
            }
            _ => {
                let subtype = subtype_of_clause(inner, attributes);
                let kind = TransformationType::Indirect;
                (&mut self.rows, Transformation { kind, subtype, description: None, masking: None })
            }
        };
        inputs.entry(input).or_default().insert(transformation);
    }

    fn inputs_of_field(&mut self, field: &str) -> &mut InputTransformations<'a> {
        let index = if let Some(&index) = self.index_of_field.get(field) {
            index
        } else {
            self.fields.push((field.to_owned(), InputTransformations::new()));
            self.index_of_field.insert(field.to_owned(), self.fields.len() - 1);
            self.fields.len() - 1
        };
        &mut self.fields[index].1
    }
}

/// Removes influences without a subtype if there is one with a subtype, to which they add nothing.
fn drop_unspecified_influences(transformations: &mut BTreeSet<Transformation<'_>>) {
    let is_unspecified = |t: &Transformation<'_>| t.kind == TransformationType::Indirect && t.subtype.is_none();
    if transformations.iter().any(|t| t.kind == TransformationType::Indirect && t.subtype.is_some()) {
        transformations.retain(|t| !is_unspecified(t));
    }
}

/// Returns the field of a node. Record sets and whole objects are not fields.
fn field(inner: &LineageInner, node: Node) -> Option<String> {
    match node {
        Node::Column(at) => Some(Column::new(inner, at)).filter(|column| !column.is_record_set()).map(field_name),
        Node::Object(_) | Node::Process(_) => None,
    }
}

fn transformation(inner: &LineageInner, attributes: HopAttributes) -> Transformation<'_> {
    let texts = &inner.model.texts;
    let function = texts.get_present(attributes.function).filter(|name| !name.is_empty());
    let called = function.map(bare_function);
    let is_one_of = |names: &[&str]| called.as_deref().is_some_and(|called| names.contains(&called));
    let masking = is_one_of(&HASHES).then_some(true);
    if RelationType::from(texts.get(attributes.relation)).carries_values() {
        let (subtype, masking) = match function {
            None => ("IDENTITY", None),
            Some(_) if is_one_of(&AGGREGATES) => ("AGGREGATION", masking),
            Some(_) => ("TRANSFORMATION", masking),
        };
        return Transformation {
            kind: TransformationType::Direct,
            subtype: Some(subtype),
            description: function,
            masking,
        };
    }
    let conditional = is_one_of(&["case-when", "case", "if", "iif", "decode"]).then_some("CONDITIONAL");
    let subtype = subtype_of_clause(inner, attributes).or(conditional);
    Transformation { kind: TransformationType::Indirect, subtype, description: function, masking: None }
}

/// Returns the lower-case name of a function, without its package and arguments.
fn bare_function(name: &str) -> String {
    let name = name.split('(').next().unwrap_or_default().trim();
    name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase()
}

/// Returns the subtype of an influence, as far as its clause determines it.
fn subtype_of_clause(inner: &LineageInner, attributes: HopAttributes) -> Option<&'static str> {
    let texts = &inner.model.texts;
    let clause = texts.get(attributes.clause);
    match ClauseType::from(clause) {
        ClauseType::Where => Some("FILTER"),
        ClauseType::JoinCondition => Some("JOIN"),
        ClauseType::OrderBy => Some("SORT"),
        ClauseType::Other(_) if clause.eq_ignore_ascii_case("groupby") => Some("GROUP_BY"),
        ClauseType::Other(_) if clause.eq_ignore_ascii_case("having") => Some("FILTER"),
        _ if texts.get(attributes.relation) == RelationType::Join.as_str() => Some("JOIN"),
        _ => None,
    }
}
