//! The record that an id belongs to.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::super::intern::{Symbol, Texts};
use super::super::model::{EndpointExtra, Model, NONE, RawEndpoint};
use super::resolve::stands_for_all;

/// The records of all ids. Ids are symbols, so each table has an entry for every symbol.
pub(crate) struct Ids {
    objects: Vec<u32>,
    columns: Vec<u32>,
    processes: Vec<u32>,
    /// The arguments of routines, each with its routine. Few documents have any, so they are sorted pairs.
    arguments: Vec<(Symbol, u32)>,
    /// The ids that several records have. Engines write none, but people who put documents together do.
    duplicates: HashSet<Symbol>,
}

impl Ids {
    pub(crate) fn new(model: &Model) -> Self {
        let size = model.texts.len();
        let mut arguments = Vec::with_capacity(model.arguments.len());
        for (routine, object) in (0..).zip(&model.objects) {
            arguments.extend(object.arguments.of(&model.arguments).iter().map(|argument| (argument.id, routine)));
        }
        arguments.retain(|(id, _)| !model.texts.non_empty(*id).is_absent());
        arguments.sort_unstable();
        let mut duplicates = HashSet::new();
        let objects = by_symbol(&model.texts, model.objects.iter().map(|object| object.id), &mut duplicates);
        let columns = by_symbol(&model.texts, model.columns.iter().map(|column| column.id), &mut duplicates);
        let processes = by_symbol(&model.texts, model.processes.iter().map(|process| process.id), &mut duplicates);
        let tables = [&objects, &columns, &processes];
        let records_of =
            |at: usize| tables.iter().filter(|table| table.get(at).is_some_and(|&record| record != NONE)).count();
        for at in 0..size {
            if records_of(at) > 1 {
                duplicates.extend(Symbol::of_index(at));
            }
        }
        arguments.dedup();
        for routines_of_id in arguments.chunk_by(|(a, _), (b, _)| a == b) {
            if let [(id, _), others @ ..] = routines_of_id
                && (!others.is_empty() || records_of(id.index()) > 0)
            {
                duplicates.insert(*id);
            }
        }
        Self { objects, columns, processes, arguments, duplicates }
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

    /// Returns the ids that several records have.
    pub(crate) fn duplicates(&self) -> &HashSet<Symbol> {
        &self.duplicates
    }

    /// Returns the routine that an argument belongs to.
    fn routine_of_argument(&self, id: Symbol) -> Option<u32> {
        let at = self.arguments.partition_point(|entry| entry.0 < id);
        self.arguments.get(at).filter(|entry| entry.0 == id).map(|entry| entry.1)
    }

    /// Returns the node that has an id. For the argument of a routine, it is the routine.
    fn node(&self, id: Symbol) -> Option<Node> {
        let column = || self.column(id).map(Node::Column);
        let object = || self.object(id).map(Node::Object);
        let process = || self.process(id).map(Node::Process);
        let routine = || self.routine_of_argument(id).map(Node::Object);
        column().or_else(object).or_else(process).or_else(routine)
    }

    /// Returns the node of an endpoint by the id that it gives, unless several records have that id.
    pub(super) fn node_of(&self, model: &Model, at: u32, end: &RawEndpoint) -> Option<Node> {
        let table = || stands_for_all(model, end).then(|| model.endpoint_extras.get(at, EndpointExtra::TableId));
        self.node_of_id(end.id).or_else(|| self.node_of_id(table()?))
    }

    /// Returns the node that has an id, unless several records have it.
    pub(crate) fn node_of_id(&self, id: Symbol) -> Option<Node> {
        if self.is_duplicate(id) { None } else { self.node(id) }
    }

    fn is_duplicate(&self, id: Symbol) -> bool {
        !self.duplicates.is_empty() && self.duplicates.contains(&id)
    }
}

/// Returns the first record of each id, and adds the ids that several records have. An empty text is no id.
fn by_symbol(texts: &Texts, ids: impl Iterator<Item = Symbol>, duplicates: &mut HashSet<Symbol>) -> Vec<u32> {
    let mut table = vec![NONE; texts.len()];
    for (at, id) in (0..).zip(ids) {
        if texts.non_empty(id).is_absent() {
            continue;
        }
        match table.get_mut(id.index()) {
            Some(entry) if *entry == NONE => *entry = at,
            _ => {
                duplicates.insert(id);
            }
        }
    }
    table
}

fn found(table: &[u32], id: Symbol) -> Option<u32> {
    table.get(id.index()).copied().filter(|&at| at != NONE)
}

/// Returns the columns, objects and processes of each of some ids, and the routines of arguments with these ids.
pub(super) fn nodes_by_id(model: &Model, ids: &HashSet<Symbol>) -> HashMap<Symbol, Vec<Node>> {
    let columns = (0..).zip(&model.columns).map(|(at, column)| (column.id, Node::Column(at)));
    let objects = (0..).zip(&model.objects).map(|(at, object)| (object.id, Node::Object(at)));
    let processes = (0..).zip(&model.processes).map(|(at, process)| (process.id, Node::Process(at)));
    let arguments = (0..).zip(&model.objects).flat_map(|(at, object)| {
        let ids: BTreeSet<Symbol> = object.arguments.of(&model.arguments).iter().map(|argument| argument.id).collect();
        ids.into_iter().filter(move |id| *id != object.id).map(move |id| (id, Node::Object(at)))
    });
    let mut nodes: HashMap<Symbol, Vec<Node>> = HashMap::new();
    for (id, node) in columns.chain(objects).chain(processes).chain(arguments).filter(|(id, _)| ids.contains(id)) {
        nodes.entry(id).or_default().push(node);
    }
    nodes
}

/// A node of the graph: a column, an object as a whole for relationships between tables, or a process for
/// relationships that lead from a table to a statement and from the statement to another table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Node {
    Column(u32),
    Object(u32),
    Process(u32),
}

impl Node {
    pub(crate) fn index(self, model: &Model) -> usize {
        match self {
            Self::Column(at) => at as usize,
            Self::Object(at) => model.columns.len() + at as usize,
            Self::Process(at) => model.columns.len() + model.objects.len() + at as usize,
        }
    }

    /// Returns the number of nodes of a model.
    pub(super) fn count(model: &Model) -> usize {
        model.columns.len() + model.objects.len() + model.processes.len()
    }
}
