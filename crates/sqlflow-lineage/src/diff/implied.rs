//! The changes of columns and flows that follow from an object which only one side of a comparison has.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;

use super::super::graph::{ColumnFlow, ObjectFlow};
use super::super::view::{Column, Object};
use super::stored::StoredRecords;

/// The changes that follow from the objects which only one side has.
pub(super) struct ImpliedChanges {
    /// The names of the objects that only this side has.
    objects: HashSet<usize>,
    /// The names of the objects between whose columns a flow is listed.
    listed_flows: HashSet<(usize, usize)>,
}

impl ImpliedChanges {
    pub(super) fn new(side: &StoredRecords<'_>, objects: &[Object<'_>], column_flows: &[ColumnFlow<'_>]) -> Self {
        let ends = |flow: &ColumnFlow<'_>| (side.name(flow.source.object()), side.name(flow.target.object()));
        Self {
            objects: objects.iter().map(|object| side.name(*object)).collect(),
            listed_flows: column_flows.iter().map(ends).collect(),
        }
    }

    pub(super) fn column(&self, side: &StoredRecords<'_>, column: Column<'_>) -> bool {
        self.objects.contains(&side.name(column.object()))
    }

    pub(super) fn column_flow(&self, side: &StoredRecords<'_>, flow: &ColumnFlow<'_>) -> bool {
        self.column(side, flow.source) || self.column(side, flow.target)
    }

    pub(super) fn object_flow(&self, side: &StoredRecords<'_>, flow: &ObjectFlow<'_>) -> bool {
        let ends = (side.name(flow.source), side.name(flow.target));
        self.objects.contains(&ends.0) || self.objects.contains(&ends.1) || self.listed_flows.contains(&ends)
    }
}

/// The number of columns of an object, and the objects that feed it and that it feeds.
#[derive(Clone, Debug, Default)]
pub(super) struct Surroundings {
    columns: usize,
    fed_by: BTreeSet<String>,
    feeds: BTreeSet<String>,
}

/// Returns the surroundings of each of these objects.
pub(super) fn surroundings(side: &StoredRecords<'_>, objects: &[Object<'_>]) -> Vec<Surroundings> {
    let mut found: HashMap<usize, Surroundings> =
        objects.iter().map(|object| (side.name(*object), Surroundings::default())).collect();
    if found.is_empty() {
        return Vec::new();
    }
    let mut seen = HashSet::new();
    for (name, column) in &side.columns {
        if let Some(object) = found.get_mut(&side.name(column.object()))
            && seen.insert(*name)
        {
            object.columns += 1;
        }
    }
    for (_, flow) in &side.object_flows {
        let (source, target) = (side.name(flow.source), side.name(flow.target));
        if source == target {
            continue;
        }
        if let Some(object) = found.get_mut(&target) {
            object.fed_by.insert(flow.source.qualified_name());
        }
        if let Some(object) = found.get_mut(&source) {
            object.feeds.insert(flow.target.qualified_name());
        }
    }
    objects.iter().map(|object| found.remove(&side.name(*object)).unwrap_or_default()).collect()
}

/// The number of objects that a line names before it only counts them.
const MAX_NAMED: usize = 5;

impl fmt::Display for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} column{}", self.columns, if self.columns == 1 { "" } else { "s" })?;
        for (word, names) in [("fed by", &self.fed_by), ("feeds", &self.feeds)] {
            if names.is_empty() {
                continue;
            }
            let named: Vec<&str> = names.iter().take(MAX_NAMED).map(String::as_str).collect();
            write!(f, ", {word} {}", named.join(", "))?;
            if names.len() > named.len() {
                write!(f, " and {} more", names.len() - named.len())?;
            }
        }
        Ok(())
    }
}
