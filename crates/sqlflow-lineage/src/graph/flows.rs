//! Every pair between which a value flows.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::super::Lineage;
use super::super::view::{Column, Object};
use super::walk::{Rules, Stops, is_stored, nodes_of_object};
use super::{Direction, Node};

/// A value flows from one column to another, both of stored objects; see [`Lineage::column_flows`].
///
/// Shown as `source → target`, with qualified names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ColumnFlow<'a> {
    /// Where the value comes from.
    pub source: Column<'a>,
    /// Where it goes.
    pub target: Column<'a>,
}

impl fmt::Display for ColumnFlow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {}", self.source, self.target)
    }
}

/// Values flow from one stored object to another; see [`Lineage::object_flows`].
///
/// Shown as `source → target`, with qualified names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ObjectFlow<'a> {
    /// Where the values come from.
    pub source: Object<'a>,
    /// Where they go.
    pub target: Object<'a>,
}

impl fmt::Display for ObjectFlow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {}", self.source, self.target)
    }
}

impl Lineage {
    /// Every pair of columns of stored objects between which a value flows, intermediate results walked through.
    ///
    /// Follows `fdd` relationships to the nearest stored column on each way: for a view over a view, the inner view.
    /// Each pair comes once, sorted by the qualified names of source and target; record sets are left out.
    #[must_use]
    pub fn column_flows(&self) -> Vec<ColumnFlow<'_>> {
        let inner = &*self.inner;
        let rules = Rules::new(inner, Direction::Upstream);
        let mut pairs = Vec::new();
        for target in self.columns().filter(|column| rules.shows(Node::Column(column.at))) {
            pairs.extend(rules.hops(Node::Column(target.at)).into_iter().filter_map(|hop| match hop.to {
                Node::Column(source) => Some((source, target.at)),
                Node::Object(_) => None,
            }));
        }
        let flow =
            |(source, target)| ColumnFlow { source: Column::new(inner, source), target: Column::new(inner, target) };
        sorted(pairs, |at| Column::new(inner, at).qualified_name()).map(flow).collect()
    }

    /// Every pair of stored objects between which values flow: the lineage of tables, derived from that of their
    /// columns and from relationships between whole tables.
    ///
    /// As [`column_flows`](Self::column_flows), but a flow from or into a record set counts.
    #[must_use]
    pub fn object_flows(&self) -> Vec<ObjectFlow<'_>> {
        let inner = &*self.inner;
        let mut rules = Rules::new(inner, Direction::Upstream);
        rules.stops = Stops::ColumnsAndRows;
        let mut pairs = Vec::new();
        for target in self.objects().filter(|object| is_stored(inner, object.at)) {
            for node in nodes_of_object(inner, target.at) {
                let sources = rules.hops(node).into_iter().filter_map(|hop| rules.object_of(hop.to));
                pairs.extend(sources.map(|source| (source, target.at)));
            }
        }
        let flow =
            |(source, target)| ObjectFlow { source: Object::new(inner, source), target: Object::new(inner, target) };
        sorted(pairs, |at| Object::new(inner, at).qualified_name()).map(flow).collect()
    }
}

/// Each pair once, by names and then by places. Each name is made once, however many pairs it is in.
pub(crate) fn sorted(mut pairs: Vec<(u32, u32)>, name: impl Fn(u32) -> String) -> impl Iterator<Item = (u32, u32)> {
    let all: HashSet<u32> = pairs.iter().flat_map(|&(source, target)| [source, target]).collect();
    let mut named: Vec<(String, u32)> = all.into_iter().map(|at| (name(at), at)).collect();
    named.sort_unstable();
    let ranks: HashMap<u32, usize> = named.iter().enumerate().map(|(rank, (_, at))| (*at, rank)).collect();
    let rank = |at: u32| ranks.get(&at).copied();
    pairs.sort_unstable_by_key(|&(source, target)| (rank(source), rank(target)));
    pairs.dedup();
    pairs.into_iter()
}
