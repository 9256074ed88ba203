//! The choice of the object that an object of a further lineage is joined with.

use std::collections::{HashMap, HashSet};

use super::super::intern::Symbol;
use super::ObjectKey;

/// The objects of the merged lineage by name and server.
///
/// Objects of one name are joined if they have the same server, or if one of them has none: then the other one fits in
/// the order of the document. Objects of different servers are never joined, whatever comes between them.
#[derive(Default)]
pub(super) struct JoinTable {
    names: HashMap<ObjectKey, ObjectsOfName>,
}

/// The merged objects of one name.
#[derive(Default)]
struct ObjectsOfName {
    /// The objects of each server.
    by_server: HashMap<Symbol, Vec<u32>>,
    /// The objects that had no server when they were added. Those that were joined with one of a server since are also
    /// in `by_server`.
    without_server: Vec<u32>,
    claimed: HashSet<u32>,
}

/// The objects that the lineage which is being added has joined so far, which it keeps apart.
#[derive(Default)]
pub(super) struct JoinedByInput {
    objects: HashSet<u32>,
    /// The number of objects of each list that are not candidates any more. It only grows, which keeps many objects of
    /// one name from taking quadratic time.
    cursors: HashMap<(ObjectKey, List), usize>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum List {
    OfServer(Symbol),
    WithoutServer,
    Unclaimed,
}

impl JoinTable {
    /// Returns the object to join one of this name and server with; the absent symbol stands for no server.
    pub(super) fn find(&mut self, key: ObjectKey, server: Symbol, joined: &mut JoinedByInput) -> Option<u32> {
        let named = self.names.get_mut(&key)?;
        let ObjectsOfName { by_server, without_server, claimed } = named;
        if server.is_absent() {
            if let Some(at) = joined.next(key, List::WithoutServer, without_server, |_| true) {
                return Some(at);
            }
            // If objects of several servers have the name, nothing tells which of them is meant.
            let mut servers = by_server.iter();
            return match (servers.next(), servers.next()) {
                (Some((&server, objects)), None) => joined.next(key, List::OfServer(server), objects, |_| true),
                _ => None,
            };
        }
        let own = by_server.get(&server);
        if let Some(at) = own.and_then(|own| joined.next(key, List::OfServer(server), own, |_| true)) {
            return Some(at);
        }
        let at = joined.next(key, List::Unclaimed, without_server, |at| !claimed.contains(&at))?;
        claimed.insert(at);
        by_server.entry(server).or_default().push(at);
        Some(at)
    }

    /// Adds an object that was joined with none.
    pub(super) fn add(&mut self, key: ObjectKey, server: Symbol, at: u32, joined: &mut JoinedByInput) {
        let named = self.names.entry(key).or_default();
        if server.is_absent() {
            named.without_server.push(at);
        } else {
            named.by_server.entry(server).or_default().push(at);
        }
        joined.objects.insert(at);
    }
}

impl JoinedByInput {
    /// Returns the first object of a list that this lineage has not joined yet.
    fn next(&mut self, key: ObjectKey, list: List, objects: &[u32], fits: impl Fn(u32) -> bool) -> Option<u32> {
        let cursor = self.cursors.entry((key, list)).or_default();
        while let Some(&at) = objects.get(*cursor) {
            *cursor += 1;
            if fits(at) && self.objects.insert(at) {
                return Some(at);
            }
        }
        None
    }
}
