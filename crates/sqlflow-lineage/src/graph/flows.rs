//! Lists of every pair of columns or objects between which a value flows.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::super::Lineage;
use super::super::view::{Column, Object};
use super::walk::{StopAt, WalkRules, is_stored, nodes_of_object};
use super::{Direction, Node};

/// A flow of a value from one column to another, both of stored objects; see [`Lineage::column_flows`].
///
/// Displayed as `source → target`, with qualified names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ColumnFlow<'a> {
    /// The column that the value comes from.
    pub source: Column<'a>,
    /// The column that the value flows into.
    pub target: Column<'a>,
}

impl fmt::Display for ColumnFlow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {}", self.source, self.target)
    }
}

/// A flow of values from one stored object to another; see [`Lineage::object_flows`].
///
/// Displayed as `source → target`, with qualified names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ObjectFlow<'a> {
    /// The object that the values come from.
    pub source: Object<'a>,
    /// The object that the values flow into.
    pub target: Object<'a>,
}

impl fmt::Display for ObjectFlow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {}", self.source, self.target)
    }
}

impl Lineage {
    /// Returns every pair of columns of stored objects between which a value flows. Intermediate results are walked
    /// through.
    ///
    /// Follows `fdd` relationships to the nearest stored column: a view over a view has its values from the inner view.
    /// Each pair is listed once. The list is sorted by the qualified names of source and target, and has no record
    /// sets.
    ///
    /// ```
    /// # use sqlflow_lineage::Lineage;
    /// # let lineage: Lineage = r#"{"dbobjs": [
    /// #     {"id": "1", "name": "ORDERS", "type": "table", "columns": [{"id": "2", "name": "TOTAL"}]},
    /// #     {"id": "3", "name": "REPORT", "type": "view", "columns": [{"id": "4", "name": "SUM"}]}],
    /// #   "relationships": [{"id": "5", "type": "fdd", "target": {"id": "4"}, "sources": [{"id": "2"}]}]}"#.parse()?;
    /// let flows = lineage.column_flows();
    /// assert_eq!(flows[0].to_string(), "ORDERS.TOTAL → REPORT.SUM");
    /// # Ok::<(), sqlflow_lineage::ReadError>(())
    /// ```
    #[must_use]
    pub fn column_flows(&self) -> Vec<ColumnFlow<'_>> {
        let inner = &*self.inner;
        let rules = WalkRules::new(inner, Direction::Upstream);
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

    /// Returns every pair of stored objects between which values flow: the lineage of tables, derived from that of
    /// their columns and from relationships between whole tables.
    ///
    /// The rules are those of [`column_flows`](Self::column_flows), except that a flow from or into a record set
    /// counts.
    #[must_use]
    pub fn object_flows(&self) -> Vec<ObjectFlow<'_>> {
        let inner = &*self.inner;
        let mut rules = WalkRules::new(inner, Direction::Upstream);
        rules.stop_at = StopAt::StoredColumnsAndRecordSets;
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

/// Returns each pair once, sorted by name and then by position. Builds each name once, because one column can be in
/// many pairs.
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
