//! The datasets of the events: the objects that are read or written, and their names.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::names::percent_encoded;
use super::namespace::{namespace, server_name};
use super::{EXPRESSIBLE_TYPES, OpenLineage};
use crate::graph::Node;
use crate::graph::walk::{Hop, WalkRules, nodes_of_object};
use crate::intern::Symbol;
use crate::kinds::{EffectType, RelationType};
use crate::model::{EndpointRole, indices};
use crate::names::{NamePart, object_parts};
use crate::view::{Object, Server};
use crate::{Column, LineageInner};

/// The datasets of all events.
pub(super) struct Datasets<'a> {
    pub(super) rules: WalkRules<'a>,
    selected_flows: Option<Arc<HashSet<(Node, Node)>>>,
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
    /// The ids of the processes of the relationships that lead right into it.
    pub(super) writers: BTreeSet<Symbol>,
}

/// The objects that are read, and those that are written, with the ids of the processes that write them.
#[derive(Default)]
struct AccessedObjects {
    read: HashSet<u32>,
    written: HashMap<u32, BTreeSet<Symbol>>,
}

impl<'a> Datasets<'a> {
    /// Finds the datasets of the events that `settings` describe.
    pub(super) fn new(settings: &OpenLineage<'a>) -> Self {
        let inner = settings.rules.inner;
        let mut datasets = Self {
            rules: settings.rules.clone(),
            selected_flows: settings.selected_flows.clone(),
            all: Vec::new(),
            index_of_object: HashMap::new(),
            inputs: BTreeSet::new(),
            outputs: BTreeSet::new(),
        };
        let mut accessed = match &settings.selected_flows {
            Some(flows) => datasets.accessed_by_flows(flows),
            None => accessed_by_relationships(&settings.rules),
        };
        let mut objects: Vec<u32> = accessed.read.iter().chain(accessed.written.keys()).copied().collect();
        objects.sort_unstable();
        objects.dedup();
        let servers = vendors(inner);
        let mut named: BTreeMap<(String, String), Vec<u32>> = BTreeMap::new();
        for at in objects {
            let object = Object::new(inner, at);
            let default_namespace = || namespace(vendor(inner, &servers, object), object.server());
            let namespace = settings.namespace.clone().unwrap_or_else(default_namespace);
            let mut name = dataset_name(object);
            if settings.percent_encodes
                && let Cow::Owned(encoded) = percent_encoded(&name)
            {
                name = encoded;
            }
            named.entry((namespace, name)).or_default().push(at);
        }
        for (index, ((namespace, name), objects)) in named.into_iter().enumerate() {
            let mut writers = BTreeSet::new();
            for &at in &objects {
                datasets.index_of_object.insert(at, index);
                if accessed.read.contains(&at) {
                    datasets.inputs.insert(index);
                }
                if let Some(mut processes) = accessed.written.remove(&at) {
                    datasets.outputs.insert(index);
                    writers.append(&mut processes);
                }
            }
            let objects: Vec<Object<'a>> = objects.into_iter().map(|at| Object::new(inner, at)).collect();
            let vendor = objects.first().and_then(|object| vendor(inner, &servers, *object));
            datasets.all.push(Dataset { namespace, name, vendor, objects, writers });
        }
        datasets
    }

    pub(super) fn get(&self, index: usize) -> Option<&Dataset<'a>> {
        self.all.get(index)
    }

    pub(super) fn index_of_object(&self, object: u32) -> Option<usize> {
        self.index_of_object.get(&object).copied()
    }

    /// Returns the hops from a target to its sources that are part of the events.
    pub(super) fn hops(&self, target: Node) -> impl Iterator<Item = Hop> {
        let selected = self.selected_flows.as_ref();
        let is_selected = move |hop: &Hop| selected.is_none_or(|flows| flows.contains(&(hop.to, target)));
        self.rules.hops(target).into_iter().filter(is_selected).filter(|hop| is_flow(self.rules.inner, hop))
    }

    /// Returns the names of the outputs that several namespaces have.
    pub(super) fn shared_output_names(&self) -> HashSet<String> {
        let mut seen = HashSet::new();
        let names = self.outputs.iter().filter_map(|&index| self.get(index)).map(|dataset| dataset.name.as_str());
        names.filter(|name| !seen.insert(*name)).map(str::to_owned).collect()
    }

    fn accessed_by_flows(&self, flows: &HashSet<(Node, Node)>) -> AccessedObjects {
        let targets: HashSet<Node> = flows.iter().map(|&(_, target)| target).collect();
        let mut accessed = AccessedObjects::default();
        for target in targets {
            for hop in self.hops(target) {
                accessed.read.extend(self.rules.object_of(hop.to));
                let written = self.rules.object_of(target);
                accessed.written.extend(written.map(|object| (object, BTreeSet::new())));
            }
        }
        // A trace that starts from a result inside a statement has flows whose source is no dataset.
        for &(source, target) in flows {
            if !self.rules.shows(source) {
                let written = self.rules.object_of(target);
                accessed.written.extend(written.map(|object| (object, BTreeSet::new())));
            }
        }
        accessed.read.retain(|&at| self.rules.keeps(at));
        accessed.written.retain(|&at, _| self.rules.keeps(at));
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
fn accessed_by_relationships(rules: &WalkRules<'_>) -> AccessedObjects {
    let (inner, model) = (rules.inner, &rules.inner.model);
    let mut accessed = AccessedObjects::default();
    for relationship in &model.relationships {
        let kind = RelationType::from(model.texts.get(relationship.kind));
        let is_foreign_key = model.texts.get_present(relationship.effect) == Some(EffectType::ForeignKey.as_str());
        if is_foreign_key || !EXPRESSIBLE_TYPES.contains(&kind) {
            continue;
        }
        for (at, end) in relationship.endpoints.indices().zip(relationship.endpoints.of(&model.endpoints)) {
            let object = inner.node_of(at, end).and_then(|node| rules.object_of(node));
            let Some(object) = object.filter(|&object| rules.keeps(object)) else {
                continue;
            };
            if end.role == EndpointRole::Target && kind != RelationType::Join {
                accessed.written.entry(object).or_default().insert(model.texts.non_empty(relationship.process_id));
            } else {
                accessed.read.insert(object);
            }
        }
    }
    accessed
}

/// Returns the vendor of each server.
pub(super) fn vendors(inner: &LineageInner) -> HashMap<&str, Option<&str>> {
    let servers = indices(&inner.model.scopes).map(|at| Server::new(inner, at));
    servers.filter(|server| server.vendor().is_some()).map(|server| (server.name(), server.vendor())).collect()
}

pub(super) fn vendor<'a>(
    inner: &'a LineageInner,
    servers: &HashMap<&str, Option<&'a str>>,
    object: Object<'_>,
) -> Option<&'a str> {
    let own = object.server().and_then(|server| servers.get(server).copied().flatten());
    own.or_else(|| inner.model.texts.get_present(inner.model.vendor))
}

/// Returns the last identifier of the name of an object, without quotes.
pub(super) fn own_name(object: Object<'_>) -> Option<String> {
    name_parts(object).last().map(|part| part.unquoted())
}

fn name_parts(object: Object<'_>) -> Vec<NamePart<'_>> {
    let model = &object.inner.model;
    model.objects.get(object.at as usize).map(|raw| object_parts(model, raw, false)).unwrap_or_default()
}

fn dataset_name(object: Object<'_>) -> String {
    let name = name_parts(object).iter().map(|part| part.unquoted()).collect::<Vec<_>>().join(".");
    // OpenLineage requires a name. An id could be the name of another object.
    if name.is_empty() { object.qualified_name() } else { name }
}

impl<'a> Dataset<'a> {
    /// Returns the name without quotes, of which no character is encoded.
    pub(super) fn written_name(&self) -> String {
        self.objects.first().map(|object| dataset_name(*object)).unwrap_or_default()
    }

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
