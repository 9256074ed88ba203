//! The endpoints whose id belongs to no record, or to several, and the records that their names mean.

use std::collections::{HashMap, HashSet};

use super::super::LineageInner;
use super::super::intern::Symbol;
use super::super::model::{EndpointExtra, EndpointRole, Model, RawEndpoint};
use super::super::names::{NamePart, QuotedDots, fold, named_server, object_parts, parts, strip_defaults};
use super::ids::{Ids, Node, nodes_by_id};

/// The name that some servers give to a column that stands for a whole table.
const WHOLE_TABLE: &str = "TABLE";

/// The number of identifiers of a name that count: a server, a database, a schema and an object, and some more for names
/// that have dots in them.
const MAX_LEVELS: usize = 8;

/// If more records than this have one id, the id says nothing.
const MAX_RECORDS_OF_ID: usize = 100;

/// The way in which an endpoint was connected with a record of the document; returned by
/// [`Endpoint::resolution`](crate::Endpoint::resolution).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Resolution {
    /// The id belongs to a record.
    Id,
    /// The id belongs to no record, or to several, but `parentId` belongs to an object that has the column.
    ParentId,
    /// The ids belong to no record, but `parentName` means exactly one object, and that object has the column.
    ParentName,
    /// The ids and names mean several records, so the endpoint cannot be followed.
    Ambiguous,
    /// The ids and names mean no record, so the endpoint cannot be followed.
    Unknown,
}

impl Resolution {
    /// Returns `true` if the endpoint is connected with a record.
    #[must_use]
    pub fn is_resolved(self) -> bool {
        matches!(self, Self::Id | Self::ParentId | Self::ParentName)
    }
}

/// The endpoints that are not resolved by their id alone.
#[derive(Default)]
pub(crate) struct NamedEndpoints {
    nodes: HashMap<u32, (Node, Resolution)>,
    ambiguous: HashSet<u32>,
}

impl LineageInner {
    /// Returns the node of an endpoint.
    pub(crate) fn node_of(&self, at: u32, end: &RawEndpoint) -> Option<Node> {
        let by_id = self.ids().node_of(&self.model, at, end);
        by_id.or_else(|| self.named_endpoints().nodes.get(&at).map(|(node, _)| *node))
    }

    pub(crate) fn resolution_of(&self, at: u32, end: &RawEndpoint) -> Resolution {
        self.node_and_resolution_of(at, end).1
    }

    /// Returns the node of an endpoint, and the way in which it was found.
    pub(crate) fn node_and_resolution_of(&self, at: u32, end: &RawEndpoint) -> (Option<Node>, Resolution) {
        let by_id = self.ids().node_of(&self.model, at, end);
        if by_id.is_some() {
            return (by_id, Resolution::Id);
        }
        let named = self.named_endpoints();
        match named.nodes.get(&at) {
            Some((node, resolution)) => (Some(*node), *resolution),
            None if named.ambiguous.contains(&at) => (None, Resolution::Ambiguous),
            None => (None, Resolution::Unknown),
        }
    }
}

impl NamedEndpoints {
    /// Returns the endpoints that mean several records.
    pub(super) fn ambiguous(&self) -> impl Iterator<Item = u32> + '_ {
        self.ambiguous.iter().copied()
    }

    /// Resolves every endpoint that its id alone does not resolve. It is called when there is one.
    pub(crate) fn new(model: &Model, ids: &Ids) -> Self {
        let mut resolver = Resolver {
            model,
            ids,
            records: nodes_by_id(model, ids.duplicates()),
            columns: HashMap::new(),
            objects: None,
        };
        let mut named = Self::default();
        for (at, end) in (0..).zip(&model.endpoints) {
            if ids.node_of(model, at, end).is_some() {
                continue;
            }
            match resolver.resolve(at, end) {
                Found::One(node, resolution) => {
                    named.nodes.insert(at, (node, resolution));
                }
                Found::Several => {
                    named.ambiguous.insert(at);
                }
                Found::Nothing => {}
            }
        }
        named
    }
}

/// The ids and names by which an endpoint may mean one of some nodes, although it may mean others too.
#[derive(Default)]
pub(super) struct PossibleMeanings {
    ids: HashSet<Symbol>,
    /// The names of the columns and of the objects, without quotes and containers, in lower case.
    columns: HashSet<String>,
    objects: HashSet<String>,
}

impl PossibleMeanings {
    pub(super) fn new(model: &Model, nodes: &HashSet<Node>) -> Self {
        let mut meanings = Self::default();
        let mut objects = HashSet::new();
        for node in nodes {
            match *node {
                Node::Column(at) => {
                    if let Some(column) = model.columns.get(at as usize) {
                        meanings.ids.insert(column.id);
                        meanings.columns.insert(bare(model.texts.get(column.name)));
                        objects.insert(column.object);
                    }
                }
                Node::Object(at) => {
                    objects.insert(at);
                }
                Node::Process(at) => {
                    meanings.ids.extend(model.processes.get(at as usize).map(|process| process.id));
                }
            }
        }
        for object in objects.into_iter().filter_map(|at| model.objects.get(at as usize)) {
            meanings.ids.insert(object.id);
            meanings.objects.insert(last_part(model, model.texts.get(object.name)));
        }
        meanings.ids.remove(&Symbol::ABSENT);
        meanings
    }

    /// Returns `true` if an endpoint may mean one of the nodes.
    pub(super) fn include(&self, model: &Model, at: u32, end: &RawEndpoint) -> bool {
        if self.ids.contains(&end.id) {
            return true;
        }
        let extra = |key| model.endpoint_extras.get(at, key);
        let ids = [end.parent_id, extra(EndpointExtra::TableId)];
        let names = [end.parent_name, extra(EndpointExtra::TableName)];
        let is_object = |name: Symbol| {
            let name = model.texts.get_present(name);
            name.is_some_and(|name| self.objects.contains(&last_part(model, name)))
        };
        let fits_object = ids.iter().any(|id| self.ids.contains(id)) || names.into_iter().any(is_object);
        fits_object && (stands_for_all(model, end) || self.columns.contains(&bare(model.texts.get(end.name))))
    }
}

/// Returns the last identifier of a name without quotes, in lower case.
fn last_part(model: &Model, name: &str) -> String {
    parts(name, QuotedDots::of_document(model)).last().map(|part| fold(&part.unquoted())).unwrap_or_default()
}

enum Found {
    One(Node, Resolution),
    Several,
    Nothing,
}

struct Resolver<'m> {
    model: &'m Model,
    ids: &'m Ids,
    /// The records of each id that several records have.
    records: HashMap<Symbol, Vec<Node>>,
    /// The columns of each object that an endpoint names, by their name without quotes in lower case.
    columns: HashMap<u32, HashMap<String, Vec<u32>>>,
    /// The objects by their name, with and without database and schema; created when it is needed.
    objects: Option<ObjectNames>,
}

impl Resolver<'_> {
    fn resolve(&mut self, at: u32, end: &RawEndpoint) -> Found {
        let mut is_ambiguous = false;
        if let Some(records) = self.records.get(&end.id) {
            match self.fitting(records, end) {
                Found::Several => is_ambiguous = true,
                found @ Found::One(..) => return found,
                Found::Nothing => {}
            }
        }
        let table_id = self.model.endpoint_extras.get(at, EndpointExtra::TableId);
        for parent in [end.parent_id, table_id] {
            if self.records.contains_key(&parent) {
                is_ambiguous = true;
            } else if let Some(object) = self.ids.object(parent) {
                match self.part_of(object, end, Resolution::ParentId) {
                    Found::Several => is_ambiguous = true,
                    found @ Found::One(..) => return found,
                    Found::Nothing => {}
                }
            } else if let Some(process) = self.ids.process(parent).filter(|_| stands_for_all(self.model, end)) {
                return Found::One(Node::Process(process), Resolution::ParentId);
            }
        }
        let is_call = matches!(end.role, EndpointRole::Caller | EndpointRole::Callee);
        let own_name = if is_call { end.name } else { Symbol::ABSENT };
        let table_name = self.model.endpoint_extras.get(at, EndpointExtra::TableName);
        for name in [end.parent_name, table_name, own_name] {
            match self.object_named(name) {
                Ok(Some(object)) if is_call => return Found::One(Node::Object(object), Resolution::ParentName),
                Ok(Some(object)) => match self.part_of(object, end, Resolution::ParentName) {
                    Found::Several => is_ambiguous = true,
                    found @ Found::One(..) => return found,
                    Found::Nothing => {}
                },
                Ok(None) => {}
                Err(Several) => is_ambiguous = true,
            }
        }
        if is_ambiguous { Found::Several } else { Found::Nothing }
    }

    /// Returns the one record of an id that fits everything else that the endpoint says.
    fn fitting(&self, records: &[Node], end: &RawEndpoint) -> Found {
        if records.len() > MAX_RECORDS_OF_ID {
            return Found::Several;
        }
        let texts = &self.model.texts;
        let name = texts.get_present(end.name).filter(|name| !name.is_empty()).map(bare);
        let id_of = |object: u32| self.model.objects.get(object as usize).map_or(Symbol::ABSENT, |object| object.id);
        let is_part_of = |id: Symbol| texts.non_empty(end.parent_id).is_absent() || end.parent_id == id;
        let fits = |node: &&Node| match **node {
            Node::Column(at) => self.model.columns.get(at as usize).is_some_and(|column| {
                let is_named = name.as_ref().is_none_or(|name| *name == bare(texts.get(column.name)));
                is_named && is_part_of(id_of(column.object))
            }),
            Node::Object(at) if id_of(at) != end.id => is_part_of(id_of(at)),
            Node::Object(_) | Node::Process(_) => stands_for_all(self.model, end),
        };
        let mut fitting = records.iter().filter(fits);
        match (fitting.next(), fitting.next()) {
            (Some(node), None) => Found::One(*node, Resolution::ParentId),
            (Some(_), Some(_)) => Found::Several,
            (None, _) => Found::Nothing,
        }
    }

    /// Returns the column of an object that an endpoint names, or the object itself if it stands for all of it.
    fn part_of(&mut self, object: u32, end: &RawEndpoint, resolution: Resolution) -> Found {
        let model = self.model;
        let columns = self.columns.entry(object).or_insert_with(|| columns_by_name(model, object));
        let name = model.texts.get(end.name);
        if name.is_empty() {
            return Found::One(Node::Object(object), resolution);
        }
        let named = columns.get(&bare(name)).map(Vec::as_slice).unwrap_or_default();
        let is_exact = |at: &&u32| model.columns.get(**at as usize).is_some_and(|column| column.name == end.name);
        let exact: Vec<u32> = named.iter().filter(is_exact).copied().collect();
        match (named, exact.as_slice()) {
            ([one], _) | (_, [one]) => Found::One(Node::Column(*one), resolution),
            ([], _) if stands_for_all(model, end) => Found::One(Node::Object(object), resolution),
            ([], _) => Found::Nothing,
            _ => Found::Several,
        }
    }

    /// Returns the one object that a name means.
    fn object_named(&mut self, name: Symbol) -> Result<Option<u32>, Several> {
        let Some(name) = self.model.texts.get_present(name).filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        let model = self.model;
        self.objects.get_or_insert_with(|| ObjectNames::new(model)).find(name)
    }
}

/// Returns `true` if an endpoint means a whole table: it names no column, or the one that stands for all of them.
pub(super) fn stands_for_all(model: &Model, end: &RawEndpoint) -> bool {
    let name = model.texts.get(end.name);
    name.is_empty() || name.eq_ignore_ascii_case(WHOLE_TABLE)
}

/// Returns a name without quotes, in lower case.
fn bare(name: &str) -> String {
    fold(&NamePart::new(name).unquoted())
}

fn columns_by_name(model: &Model, object: u32) -> HashMap<String, Vec<u32>> {
    let mut columns: HashMap<String, Vec<u32>> = HashMap::new();
    for at in model.columns_of(object) {
        if let Some(column) = model.columns.get(at as usize) {
            columns.entry(bare(model.texts.get(column.name))).or_default().push(at);
        }
    }
    columns
}

/// An error that says that a name means several objects.
struct Several;

/// The objects by the ends of their qualified names: `orders`, `sales.orders` and `prod.sales.orders`.
struct ObjectNames {
    ends: HashMap<String, NamedObjects>,
    /// The rule by which the dialect reads quoted names.
    dots: QuotedDots,
}

/// The objects of one name.
#[derive(Default)]
struct NamedObjects {
    /// An object of which it is the whole name, and the number of these objects.
    whole: (u32, usize),
    /// An object of whose name it is the end, and the number of these objects.
    any: (u32, usize),
}

impl ObjectNames {
    fn new(model: &Model) -> Self {
        let mut ends: HashMap<String, NamedObjects> = HashMap::new();
        for (at, object) in (0..).zip(&model.objects) {
            let parts = object_parts(model, object, false);
            let mut end = String::new();
            for (number, part) in parts.iter().rev().take(MAX_LEVELS).enumerate() {
                let bare = fold(&part.unquoted());
                end = if number == 0 { bare } else { format!("{bare}\0{end}") };
                let named = ends.entry(end.clone()).or_default();
                named.any = (at, named.any.1 + 1);
                if number + 1 == parts.len() {
                    named.whole = (at, named.whole.1 + 1);
                }
            }
            if let Some(server) = named_server(model, object) {
                let named = ends.entry(format!("{}\0{end}", fold(server))).or_default();
                named.any = (at, named.any.1 + 1);
            }
        }
        Self { ends, dots: QuotedDots::of_document(model) }
    }

    fn find(&self, name: &str) -> Result<Option<u32>, Several> {
        let mut query = parts(name, self.dots);
        strip_defaults(&mut query);
        let key = query.iter().map(|part| fold(&part.unquoted())).collect::<Vec<_>>().join("\0");
        // The name of a result inside a statement may have dots that separate nothing.
        let found = self.ends.get(&key).or_else(|| self.ends.get(&bare(name)));
        match found {
            None => Ok(None),
            Some(NamedObjects { whole: (one, 1), .. } | NamedObjects { whole: (_, 0), any: (one, 1) }) => {
                Ok(Some(*one))
            }
            Some(_) => Err(Several),
        }
    }
}
