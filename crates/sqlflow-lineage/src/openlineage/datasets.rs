//! Which objects are read and which are written, and what they are called.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::TYPES;
use super::namespace::{named, namespace};
use crate::graph::walk::{Hop, Rules, is_stored, nodes_of_object};
use crate::graph::{Node, node_of};
use crate::kinds::{EffectType, RelationType};
use crate::model::{EndpointRole, indices};
use crate::names::{NamePart, object_parts};
use crate::view::{Object, Server};
use crate::{Column, LineageInner};

/// The datasets of an event.
pub(super) struct Datasets<'a, 'e> {
    pub(super) rules: &'e Rules<'a>,
    only: Option<&'e HashSet<(Node, Node)>>,
    all: Vec<Dataset<'a>>,
    /// The dataset of each object that is one.
    places: HashMap<u32, usize>,
    pub(super) inputs: BTreeSet<usize>,
    pub(super) outputs: BTreeSet<usize>,
}

/// What an answer can have several records of, spelled in several ways.
pub(super) struct Dataset<'a> {
    pub(super) namespace: String,
    pub(super) name: String,
    /// Of its server.
    pub(super) vendor: Option<&'a str>,
    pub(super) objects: Vec<Object<'a>>,
}

/// The objects that are read, and those that are written.
#[derive(Default)]
struct Touched {
    read: HashSet<u32>,
    written: HashSet<u32>,
}

impl<'a, 'e> Datasets<'a, 'e> {
    pub(super) fn new(rules: &'e Rules<'a>, only: Option<&'e HashSet<(Node, Node)>>, given: Option<&str>) -> Self {
        let inner = rules.inner;
        let mut datasets = Self {
            rules,
            only,
            all: Vec::new(),
            places: HashMap::new(),
            inputs: BTreeSet::new(),
            outputs: BTreeSet::new(),
        };
        let touched = match only {
            Some(only) => datasets.touched_by(only),
            None => touched_at_all(inner),
        };
        let mut objects: Vec<u32> = touched.read.union(&touched.written).copied().collect();
        objects.sort_unstable();
        let servers = vendors(inner);
        let mut named: BTreeMap<(String, String), Vec<u32>> = BTreeMap::new();
        for at in objects {
            let object = Object::new(inner, at);
            let made = || namespace(vendor(inner, &servers, object), object.server());
            let namespace = given.map_or_else(made, str::to_owned);
            named.entry((namespace, dataset_name(object))).or_default().push(at);
        }
        for (place, ((namespace, name), objects)) in named.into_iter().enumerate() {
            for &at in &objects {
                datasets.places.insert(at, place);
                if touched.read.contains(&at) {
                    datasets.inputs.insert(place);
                }
                if touched.written.contains(&at) {
                    datasets.outputs.insert(place);
                }
            }
            let objects: Vec<Object<'a>> = objects.into_iter().map(|at| Object::new(inner, at)).collect();
            let vendor = objects.first().and_then(|object| vendor(inner, &servers, *object));
            datasets.all.push(Dataset { namespace, name, vendor, objects });
        }
        datasets
    }

    pub(super) fn get(&self, place: usize) -> Option<&Dataset<'a>> {
        self.all.get(place)
    }

    pub(super) fn of_object(&self, object: u32) -> Option<usize> {
        self.places.get(&object).copied()
    }

    /// The hops from a target up to its sources that are to be told of.
    pub(super) fn hops(&self, target: Node) -> impl Iterator<Item = Hop> {
        let only = self.only;
        let is_asked_for = move |hop: &Hop| only.is_none_or(|only| only.contains(&(hop.to, target)));
        self.rules.hops(target).into_iter().filter(is_asked_for).filter(|hop| is_flow(self.rules.inner, hop))
    }

    fn touched_by(&self, only: &HashSet<(Node, Node)>) -> Touched {
        let targets: HashSet<Node> = only.iter().map(|&(_, target)| target).collect();
        let mut touched = Touched::default();
        for target in targets {
            for hop in self.hops(target) {
                touched.read.extend(self.rules.object_of(hop.to));
                touched.written.extend(self.rules.object_of(target));
            }
        }
        touched.read.retain(|&at| is_stored(self.rules.inner, at));
        touched.written.retain(|&at| is_stored(self.rules.inner, at));
        touched
    }
}

/// Whether a hop makes its target. A foreign key and a join say of stored columns how they are alike, and a step from
/// a column to its own rows says nothing.
fn is_flow(inner: &LineageInner, hop: &Hop) -> bool {
    let texts = &inner.model.texts;
    let relation = RelationType::from(texts.get(hop.label.relation));
    let effect = texts.get_present(hop.label.effect);
    if !TYPES.contains(&relation) || effect == Some(EffectType::ForeignKey.as_str()) {
        return false;
    }
    // A join further up decides something that is written after it, and the effect is that of the writing.
    relation != RelationType::Join || effect.is_some_and(|effect| effect != EffectType::Join.as_str())
}

/// By single relationships, as what is read may be stored nowhere, and what is written may come from nowhere.
fn touched_at_all(inner: &LineageInner) -> Touched {
    let model = &inner.model;
    let mut touched = Touched::default();
    for relationship in &model.relationships {
        let kind = RelationType::from(model.texts.get(relationship.kind));
        let is_key = model.texts.get_present(relationship.effect) == Some(EffectType::ForeignKey.as_str());
        if is_key || !TYPES.contains(&kind) {
            continue;
        }
        for (at, end) in relationship.endpoints.indices().zip(relationship.endpoints.of(&model.endpoints)) {
            let object = match node_of(model, inner.ids(), at, end) {
                Some(Node::Column(column)) => Column::new(inner, column).object().at,
                Some(Node::Object(object)) => object,
                None => continue,
            };
            if !is_stored(inner, object) {
                continue;
            }
            match end.role {
                EndpointRole::Target if kind != RelationType::Join => touched.written.insert(object),
                _ => touched.read.insert(object),
            };
        }
    }
    touched
}

/// The vendor of each server.
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
    // A dataset without a name is none; an id is at least one of its own.
    if name.is_empty() { object.id().to_owned() } else { name }
}

impl<'a> Dataset<'a> {
    /// Its columns that are columns in the database, without quotes.
    pub(super) fn columns(&self) -> impl Iterator<Item = (String, Column<'a>)> {
        let columns = self.objects.iter().flat_map(Object::columns).filter(|column| !column.is_record_set());
        columns.map(|column| (field_name(column), column))
    }

    /// All that is written when it is.
    pub(super) fn nodes(&self) -> impl Iterator<Item = Node> {
        self.objects.iter().flat_map(|object| nodes_of_object(object.inner, object.at))
    }

    /// The name of its server, if it has one.
    pub(super) fn server(&self) -> Option<&'a str> {
        named(self.objects.first()?.server())
    }
}

pub(super) fn field_name(column: Column<'_>) -> String {
    NamePart::new(column.name()).unquoted()
}
