//! Lists of every pair of columns or objects between which a value flows.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::super::intern::Symbol;
use super::super::kinds::EffectType;
use super::super::model::indices;
use super::super::view::{Column, Object, Process};
use super::super::{Lineage, LineageInner};
use super::walk::{ForeignKeys, HopAttributes, HopDetail, StopAt, WalkRules, nodes_of_object};
use super::{Direction, Node};

/// A flow of a value from one column to another; see [`Lineage::column_flows`].
///
/// Displayed as `source → target`, with qualified names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct ColumnFlow<'a> {
    /// The column that the value comes from.
    pub source: Column<'a>,
    /// The column that the value flows into.
    pub target: Column<'a>,
    is_foreign_key: bool,
}

impl<'a> ColumnFlow<'a> {
    /// Returns `true` if the flow is only a foreign key: a constraint, along which no value flows. Such flows are left
    /// out by default; only [`Lineage::all_column_flows`] lists them.
    #[must_use]
    pub fn is_foreign_key(&self) -> bool {
        self.is_foreign_key
    }

    /// Returns the effects of the relationships that lead into the target, each once: `insert`, `create_view`, ….
    #[must_use]
    pub fn effects(&self) -> Vec<EffectType> {
        let texts = &self.source.inner.model.texts;
        self.each_way(|way| Some(texts.get(way.effect)).filter(|effect| !effect.is_empty()).map(EffectType::from))
    }

    /// Returns the statements by which the value flows, each once, if the document names them.
    #[must_use]
    pub fn statements(&self) -> Vec<Process<'a>> {
        let inner = self.source.inner;
        let statements = self.each_way(|way| inner.ids().process(way.process));
        statements.into_iter().map(|at| Process::new(inner, at)).collect()
    }

    /// Returns the functions and expressions that the value goes through, the one closest to the target for each way
    /// that the value takes.
    #[must_use]
    pub fn functions(&self) -> Vec<&'a str> {
        let texts = &self.source.inner.model.texts;
        self.each_way(|way| Some(texts.get(way.function)).filter(|function| !function.is_empty()))
    }

    /// Returns an attribute of all ways from the source to the target, sorted and each value once.
    fn each_way<T: Ord>(&self, attribute: impl Fn(&FlowWay) -> Option<T>) -> Vec<T> {
        let inner = self.source.inner;
        let ways = inner.flow_ways.get_or_init(|| FlowWays::new(inner)).between(self.source.at, self.target.at);
        let ways = ways.iter().filter(|way| self.is_foreign_key || !way.foreign_key);
        let mut found: Vec<T> = ways.filter_map(attribute).collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

impl fmt::Display for ColumnFlow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {}", self.source, self.target)
    }
}

/// A way that values take from one column to another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct FlowWay {
    target: u32,
    source: u32,
    effect: Symbol,
    function: Symbol,
    process: Symbol,
    foreign_key: bool,
}

/// The ways of all flows of a lineage, sorted by target and source. They are found together, because to walk from the
/// target of each flow again would take quadratic time for the flows into one column.
pub(crate) struct FlowWays {
    ways: Vec<FlowWay>,
}

impl FlowWays {
    fn new(inner: &LineageInner) -> Self {
        let mut rules = WalkRules::new(inner, Direction::Upstream);
        rules.foreign_keys = ForeignKeys::Followed;
        rules.detail = HopDetail::Everything;
        let mut ways = Vec::new();
        for target in indices(&inner.model.columns).filter(|at| rules.shows(Node::Column(*at))) {
            let first = ways.len();
            ways.extend(rules.hops(Node::Column(target)).into_iter().filter_map(|hop| {
                let Node::Column(source) = hop.to else {
                    return None;
                };
                let HopAttributes { effect, function, process, foreign_key, .. } = hop.attributes;
                Some(FlowWay { target, source, effect, function, process, foreign_key })
            }));
            let mut sorted = ways.split_off(first);
            sorted.sort_unstable();
            sorted.dedup();
            ways.append(&mut sorted);
        }
        Self { ways }
    }

    fn between(&self, source: u32, target: u32) -> &[FlowWay] {
        let from = self.ways.partition_point(|way| (way.target, way.source) < (target, source));
        let to = self.ways.partition_point(|way| (way.target, way.source) <= (target, source));
        self.ways.get(from..to).unwrap_or_default()
    }
}

/// A flow of values from one stored object to another; see [`Lineage::object_flows`].
///
/// Displayed as `source → target`, with qualified names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// Returns every pair of columns between which a value flows. The columns are those of stored objects, and as targets
    /// those of the [result sets](Object::is_result_set) of queries. Intermediate results are walked through.
    ///
    /// Follows `fdd`, `fda` and `fdc` relationships to the nearest such column: a view over a view has its values from the
    /// inner view. Foreign keys are no flows. Each pair is listed once. The list is sorted by the qualified names of source
    /// and target, and has no record sets.
    ///
    /// Flows through endpoints that [cannot be resolved](Self::unresolved) are missing.
    ///
    /// ```
    /// # use sqlflow_lineage::Lineage;
    /// # let lineage: Lineage = r#"{"dbobjs": [
    /// #     {"id": "1", "name": "ORDERS", "type": "table", "columns": [{"id": "2", "name": "TOTAL"}]},
    /// #     {"id": "3", "name": "REPORT", "type": "view", "columns": [{"id": "4", "name": "SUM"}]}],
    /// #   "relationships": [{"id": "5", "type": "fdd", "effectType": "create_view",
    /// #     "target": {"id": "4"}, "sources": [{"id": "2"}]}]}"#.parse()?;
    /// let flows = lineage.column_flows();
    /// assert_eq!(flows[0].to_string(), "ORDERS.TOTAL → REPORT.SUM");
    /// assert_eq!(flows[0].effects()[0].as_str(), "create_view");
    /// # Ok::<(), sqlflow_lineage::ReadError>(())
    /// ```
    #[must_use]
    pub fn column_flows(&self) -> Vec<ColumnFlow<'_>> {
        self.flows_between_columns(ForeignKeys::Skipped)
    }

    /// Returns the [flows](Self::column_flows) together with the foreign keys, which
    /// [are marked](ColumnFlow::is_foreign_key).
    #[must_use]
    pub fn all_column_flows(&self) -> Vec<ColumnFlow<'_>> {
        self.flows_between_columns(ForeignKeys::Followed)
    }

    fn flows_between_columns(&self, foreign_keys: ForeignKeys) -> Vec<ColumnFlow<'_>> {
        let inner = &*self.inner;
        let mut rules = WalkRules::new(inner, Direction::Upstream);
        rules.foreign_keys = foreign_keys;
        let with_foreign_keys = foreign_keys == ForeignKeys::Followed;
        let mut pairs = Vec::new();
        let mut values = HashSet::new();
        for target in self.columns().filter(|column| rules.shows(Node::Column(column.at))) {
            for hop in rules.hops(Node::Column(target.at)) {
                let Node::Column(source) = hop.to else {
                    continue;
                };
                pairs.push((source, target.at));
                if with_foreign_keys && !hop.attributes.foreign_key {
                    values.insert((source, target.at));
                }
            }
        }
        let flow = |(source, target)| ColumnFlow {
            source: Column::new(inner, source),
            target: Column::new(inner, target),
            is_foreign_key: with_foreign_keys && !values.contains(&(source, target)),
        };
        sorted(pairs, |at| Column::new(inner, at).qualified_name()).map(flow).collect()
    }

    /// Returns every pair of objects between which values flow: the lineage of tables, derived from that of their columns,
    /// from relationships between whole tables, and from those that lead from a table to a statement and from there to
    /// another table.
    ///
    /// The rules are those of [`column_flows`](Self::column_flows), except that a flow from or into a record set
    /// counts.
    #[must_use]
    pub fn object_flows(&self) -> Vec<ObjectFlow<'_>> {
        let inner = &*self.inner;
        let mut rules = WalkRules::new(inner, Direction::Upstream);
        rules.stop_at = StopAt::StoredColumnsAndRecordSets;
        let mut pairs = Vec::new();
        for target in self.objects().filter(|object| rules.shows(Node::Object(object.at))) {
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
