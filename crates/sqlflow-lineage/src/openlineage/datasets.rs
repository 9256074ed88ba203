//! The datasets of an event: the objects that are read or written, and their names.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::EXPRESSIBLE_TYPES;
use super::namespace::{namespace, server_name};
use crate::graph::Node;
use crate::graph::walk::{Hop, WalkRules, is_stored, nodes_of_object};
use crate::kinds::{EffectType, RelationType};
use crate::model::{EndpointRole, indices};
use crate::names::{NamePart, object_parts};
use crate::view::{Object, Server};
use crate::{Column, LineageInner};

/// The datasets of an event.
pub(super) struct Datasets<'a, 'e> {
    pub(super) rules: &'e WalkRules<'a>,
    selected_flows: Option<&'e HashSet<(Node, Node)>>,
    all: Vec<Dataset<'a>>,
    /// The index of the dataset of each object.
    index_of_object: HashMap<u32, usize>,
    pub(super) inputs: BTreeSet<usize>,
    pub(super) outputs: BTreeSet<usize>,
}

/// A table or another stored object. A document can have several records of it, with different spellings of its name.
pub(super) struct Dataset<'a> {
    pub(super) namespace: String,
    pub(super) name: String,
    /// The vendor of its server.
    pub(super) vendor: Option<&'a str>,
    pub(super) objects: Vec<Object<'a>>,
}

/// The objects that are read, and those that are written.
#[derive(Default)]
struct AccessedObjects {
    read: HashSet<u32>,
    written: HashSet<u32>,
}

impl<'a, 'e> Datasets<'a, 'e> {
    pub(super) fn new(
        rules: &'e WalkRules<'a>,
        selected_flows: Option<&'e HashSet<(Node, Node)>>,
        fixed_namespace: Option<&str>,
    ) -> Self {
        let inner = rules.inner;
        let mut datasets = Self {
            rules,
            selected_flows,
            all: Vec::new(),
            index_of_object: HashMap::new(),
            inputs: BTreeSet::new(),
            outputs: BTreeSet::new(),
        };
        let accessed = match selected_flows {
            Some(flows) => datasets.accessed_by_flows(flows),
            None => accessed_by_relationships(inner),
        };
        let mut objects: Vec<u32> = accessed.read.union(&accessed.written).copied().collect();
        objects.sort_unstable();
        let servers = vendors(inner);
        let mut named: BTreeMap<(String, String), Vec<u32>> = BTreeMap::new();
        for at in objects {
            let object = Object::new(inner, at);
            let default_namespace = || namespace(vendor(inner, &servers, object), object.server());
            let namespace = fixed_namespace.map_or_else(default_namespace, str::to_owned);
            named.entry((namespace, dataset_name(object))).or_default().push(at);
        }
        for (index, ((namespace, name), objects)) in named.into_iter().enumerate() {
            for &at in &objects {
                datasets.index_of_object.insert(at, index);
                if accessed.read.contains(&at) {
                    datasets.inputs.insert(index);
                }
                if accessed.written.contains(&at) {
                    datasets.outputs.insert(index);
                }
            }
            let objects: Vec<Object<'a>> = objects.into_iter().map(|at| Object::new(inner, at)).collect();
            let vendor = objects.first().and_then(|object| vendor(inner, &servers, *object));
            datasets.all.push(Dataset { namespace, name, vendor, objects });
        }
        datasets
    }

    pub(super) fn get(&self, index: usize) -> Option<&Dataset<'a>> {
        self.all.get(index)
    }

    pub(super) fn index_of_object(&self, object: u32) -> Option<usize> {
        self.index_of_object.get(&object).copied()
    }

    /// Returns the hops from a target to its sources that are part of the event.
    pub(super) fn hops(&self, target: Node) -> impl Iterator<Item = Hop> {
        let selected = self.selected_flows;
        let is_selected = move |hop: &Hop| selected.is_none_or(|flows| flows.contains(&(hop.to, target)));
        self.rules.hops(target).into_iter().filter(is_selected).filter(|hop| is_flow(self.rules.inner, hop))
    }

    fn accessed_by_flows(&self, flows: &HashSet<(Node, Node)>) -> AccessedObjects {
        let targets: HashSet<Node> = flows.iter().map(|&(_, target)| target).collect();
        let mut accessed = AccessedObjects::default();
        for target in targets {
            for hop in self.hops(target) {
                accessed.read.extend(self.rules.object_of(hop.to));
                accessed.written.extend(self.rules.object_of(target));
            }
        }
        accessed.read.retain(|&at| is_stored(self.rules.inner, at));
        accessed.written.retain(|&at| is_stored(self.rules.inner, at));
        accessed
    }
}

/// Returns `true` if a hop contributes to its target. A foreign key or a join between stored columns only compares
/// them, and a step from a column to the record set of its own object contributes nothing.
fn is_flow(inner: &LineageInner, hop: &Hop) -> bool {
    let texts = &inner.model.texts;
    let relation = RelationType::from(texts.get(hop.attributes.relation));
    let effect = texts.get_present(hop.attributes.effect);
    if !EXPRESSIBLE_TYPES.contains(&relation) || effect == Some(EffectType::ForeignKey.as_str()) {
        return false;
    }
    // If something is written after a join, the hop has the effect of the writing, not that of the join.
    relation != RelationType::Join || effect.is_some_and(|effect| effect != EffectType::Join.as_str())
}

/// Returns the objects of every single relationship, because what a query reads may be stored nowhere, and what is
/// written may come from no stored object.
fn accessed_by_relationships(inner: &LineageInner) -> AccessedObjects {
    let model = &inner.model;
    let mut accessed = AccessedObjects::default();
    for relationship in &model.relationships {
        let kind = RelationType::from(model.texts.get(relationship.kind));
        let is_foreign_key = model.texts.get_present(relationship.effect) == Some(EffectType::ForeignKey.as_str());
        if is_foreign_key || !EXPRESSIBLE_TYPES.contains(&kind) {
            continue;
        }
        for (at, end) in relationship.endpoints.indices().zip(relationship.endpoints.of(&model.endpoints)) {
            let object = match inner.node_of(at, end) {
                Some(Node::Column(column)) => Column::new(inner, column).object().at,
                Some(Node::Object(object)) => object,
                Some(Node::Process(_)) | None => continue,
            };
            if !is_stored(inner, object) {
                continue;
            }
            match end.role {
                EndpointRole::Target if kind != RelationType::Join => accessed.written.insert(object),
                _ => accessed.read.insert(object),
            };
        }
    }
    accessed
}

/// Returns the vendor of each server.
fn vendors(inner: &LineageInner) -> HashMap<&str, Option<&str>> {
    let servers = indices(&inner.model.scopes).map(|at| Server::new(inner, at));
    servers.filter(|server| server.vendor().is_some()).map(|server| (server.name(), server.vendor())).collect()
}

fn vendor<'a>(
    inner: &'a LineageInner,
    servers: &HashMap<&str, Option<&'a str>>,
    object: Object<'_>,
) -> Option<&'a str> {
    let own = object.server().and_then(|server| servers.get(server).copied().flatten());
    own.or_else(|| inner.model.texts.get_present(inner.model.vendor))
}

fn dataset_name(object: Object<'_>) -> String {
    let model = &object.inner.model;
    let parts = model.objects.get(object.at as usize).map(|raw| object_parts(model, raw, false)).unwrap_or_default();
    let name = parts.iter().map(|part| part.unquoted()).collect::<Vec<_>>().join(".");
    // OpenLineage requires a name, and the id is at least unique.
    if name.is_empty() { object.id().to_owned() } else { name }
}

impl<'a> Dataset<'a> {
    /// Returns the columns that exist in the database, each with its name without quotes.
    pub(super) fn columns(&self) -> impl Iterator<Item = (String, Column<'a>)> {
        let columns = self.objects.iter().flat_map(Object::columns).filter(|column| !column.is_record_set());
        columns.map(|column| (field_name(column), column))
    }

    /// Returns the nodes that are written when this dataset is.
    pub(super) fn nodes(&self) -> impl Iterator<Item = Node> {
        self.objects.iter().flat_map(|object| nodes_of_object(object.inner, object.at))
    }

    /// Returns the name of the server, if it has one.
    pub(super) fn server(&self) -> Option<&'a str> {
        server_name(self.objects.first()?.server())
    }
}

pub(super) fn field_name(column: Column<'_>) -> String {
    NamePart::new(column.name()).unquoted()
}
