//! The record that an id belongs to.

use super::super::intern::Symbol;
use super::super::model::{EndpointExtra, Model, NONE, RawEndpoint};

/// The records of all ids. Ids are symbols, so each table has an entry for every symbol.
pub(crate) struct Ids {
    objects: Vec<u32>,
    columns: Vec<u32>,
    processes: Vec<u32>,
    /// The arguments of routines, each with its routine. Few documents have any, so they are sorted pairs.
    arguments: Vec<(Symbol, u32)>,
}

impl Ids {
    pub(crate) fn new(model: &Model) -> Self {
        let size = model.texts.len();
        let mut arguments = Vec::with_capacity(model.arguments.len());
        for (routine, object) in (0..).zip(&model.objects) {
            arguments.extend(object.arguments.of(&model.arguments).iter().map(|argument| (argument.id, routine)));
        }
        arguments.retain(|(id, _)| !id.is_absent());
        arguments.sort_unstable();
        Self {
            objects: by_symbol(size, model.objects.iter().map(|object| object.id)),
            columns: by_symbol(size, model.columns.iter().map(|column| column.id)),
            processes: by_symbol(size, model.processes.iter().map(|process| process.id)),
            arguments,
        }
    }

    pub(crate) fn object(&self, id: Symbol) -> Option<u32> {
        found(&self.objects, id)
    }

    pub(crate) fn column(&self, id: Symbol) -> Option<u32> {
        found(&self.columns, id)
    }

    pub(crate) fn process(&self, id: Symbol) -> Option<u32> {
        found(&self.processes, id)
    }

    /// Returns the routine that an argument belongs to.
    fn routine_of_argument(&self, id: Symbol) -> Option<u32> {
        let at = self.arguments.partition_point(|entry| entry.0 < id);
        self.arguments.get(at).filter(|entry| entry.0 == id).map(|entry| entry.1)
    }

    pub(crate) fn is_known(&self, id: Symbol) -> bool {
        self.column(id).is_some()
            || self.object(id).is_some()
            || self.process(id).is_some()
            || self.routine_of_argument(id).is_some()
    }
}

/// Returns the first record of each id. In every real document, ids are unique.
fn by_symbol(size: usize, ids: impl Iterator<Item = Symbol>) -> Vec<u32> {
    let mut table = vec![NONE; size];
    for (at, id) in (0..).zip(ids) {
        if !id.is_absent()
            && let Some(entry) = table.get_mut(id.index())
            && *entry == NONE
        {
            *entry = at;
        }
    }
    table
}

fn found(table: &[u32], id: Symbol) -> Option<u32> {
    table.get(id.index()).copied().filter(|&at| at != NONE)
}

/// A node of the graph: a column, or an object as a whole for relationships between tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Node {
    Column(u32),
    Object(u32),
}

impl Node {
    pub(super) fn index(self, model: &Model) -> usize {
        match self {
            Self::Column(at) => at as usize,
            Self::Object(at) => model.columns.len() + at as usize,
        }
    }
}

/// Returns the node of an endpoint. For the argument of a routine, it is the routine.
pub(crate) fn node_of(model: &Model, ids: &Ids, at: u32, end: &RawEndpoint) -> Option<Node> {
    if let Some(column) = ids.column(end.id) {
        return Some(Node::Column(column));
    }
    let object = ids.object(end.id).or_else(|| {
        let table = model.endpoint_extras.get(at, EndpointExtra::TableId);
        ids.object(table)
    });
    let object = object.or_else(|| ids.routine_of_argument(end.id));
    object.map(Node::Object)
}
