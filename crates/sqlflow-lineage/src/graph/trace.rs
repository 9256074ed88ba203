//! Traces: everything upstream or downstream of one column or object.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;

use super::super::kinds::RelationType;
use super::super::view::{Column, Endpoint, Object, endpoints};
use super::components::Components;
use super::paths::{Paths, TraceGraph};
use super::stars::NameNumber;
use super::walk::{ExploredHop, ForeignKeys, Position, StopAt, WalkRules, is_stored};
use super::{Direction, Node, Vertex};

/// A [`Column`] or an [`Object`], which can be traced. This trait cannot be implemented outside this crate.
pub trait Traced<'a>: sealed::Sealed<'a> + Copy + Eq + Hash + fmt::Display + fmt::Debug {}

impl<'a> Traced<'a> for Column<'a> {}

impl<'a> Traced<'a> for Object<'a> {}

mod sealed {
    use super::{Column, Object, Vertex};

    pub trait Sealed<'a>: Sized {
        fn into_vertex(self) -> Vertex<'a>;
        /// Returns what a vertex stands for in a trace of this type.
        fn from_vertex(vertex: Vertex<'a>) -> Option<Self>;
    }

    impl<'a> Sealed<'a> for Column<'a> {
        fn into_vertex(self) -> Vertex<'a> {
            Vertex::Column(self)
        }

        fn from_vertex(vertex: Vertex<'a>) -> Option<Self> {
            match vertex {
                Vertex::Column(column) => Some(column),
                Vertex::Object(_) => None,
            }
        }
    }

    impl<'a> Sealed<'a> for Object<'a> {
        fn into_vertex(self) -> Vertex<'a> {
            Vertex::Object(self)
        }

        fn from_vertex(vertex: Vertex<'a>) -> Option<Self> {
            Some(vertex.object())
        }
    }
}

/// A question that follows the lineage upstream or downstream from a column or an object; created by
/// [`Column::upstream`], [`Column::downstream`], [`Object::upstream`] and [`Object::downstream`].
///
/// Iterate over it to get the columns or objects that it finds, each once, sorted by qualified name. Unless an option
/// says otherwise, it follows flows of values (`fdd`, `fda`, `fdc`) to any distance, walks through intermediate results,
/// routines and processes, and finds the columns or objects that a database stores and the
/// [result sets](Object::is_result_set) of queries. Foreign keys are not followed. A cycle is walked once; a column that
/// feeds itself is upstream of itself.
///
/// If a value passes through a column `*` of an intermediate result, it goes on to the columns of its own name. If there
/// are none, because it was renamed, it can be in any of them, and the trace goes on to all.
///
/// A value that comes from the rows of a table but from none of its columns, such as a count, has no source column. In
/// that case trace its object, or trace [with intermediates](Self::with_intermediates), which shows record sets. A
/// routine is walked through as a whole: a value that flows into one of its arguments flows into all of its results.
///
/// ```
/// # use sqlflow_lineage::Lineage;
/// # let lineage: Lineage = r#"{"dbobjs": [
/// #     {"id": "1", "name": "ORDERS", "type": "table", "columns": [{"id": "2", "name": "TOTAL"}]},
/// #     {"id": "3", "name": "DAILY", "type": "view", "columns": [{"id": "4", "name": "SUM"}]},
/// #     {"id": "5", "name": "REPORT", "type": "view", "columns": [{"id": "6", "name": "SUM"}]}],
/// #   "relationships": [
/// #     {"id": "7", "type": "fdd", "target": {"id": "4"}, "sources": [{"id": "2"}]},
/// #     {"id": "8", "type": "fdd", "target": {"id": "6"}, "sources": [{"id": "4"}]}]}"#.parse()?;
/// let sum = lineage.column("REPORT", "SUM")?;
/// let all: Vec<String> = sum.upstream().into_iter().map(|column| column.to_string()).collect();
/// assert_eq!(all, ["DAILY.SUM", "ORDERS.TOTAL"]);
///
/// let direct = sum.upstream().direct().to_vec();
/// assert_eq!(direct[0].qualified_name(), "DAILY.SUM");
/// let ultimate = sum.upstream().ultimate().to_vec();
/// assert_eq!(ultimate[0].qualified_name(), "ORDERS.TOTAL");
///
/// let paths: Vec<String> = sum.upstream().paths().map(|path| path.to_string()).collect();
/// assert_eq!(paths, ["ORDERS.TOTAL → DAILY.SUM → REPORT.SUM"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Cost
///
/// The first question about a lineage builds an index of all its relationships. The cost of every further question is
/// proportional to what it walks over, not to the size of the lineage.
#[derive(Clone)]
#[must_use = "finds nothing until it is iterated over"]
pub struct Trace<'a, T> {
    start: Vertex<'a>,
    pub(crate) rules: WalkRules<'a>,
    depth: Option<u32>,
    ultimate: bool,
    result: PhantomData<T>,
}

impl<'a, T: Traced<'a>> Trace<'a, T> {
    fn new(start: T, direction: Direction) -> Self {
        let start = start.into_vertex();
        let mut rules = WalkRules::new(start.inner(), direction);
        // An object is also reached through its record set.
        if matches!(start, Vertex::Object(_)) {
            rules.stop_at = rules.stop_at.with_record_sets();
        }
        Self { start, rules, depth: None, ultimate: false, result: PhantomData }
    }

    /// Limits the trace to results that are one step away: the nearest stored columns or objects, or the nearest of any
    /// kind [with intermediates](Self::with_intermediates).
    pub fn direct(self) -> Self {
        self.depth(1)
    }

    /// Limits the trace to results that are at most this many steps away.
    ///
    /// A step leads from one stored column to the next, however many intermediate results are in between. [With
    /// intermediates](Self::with_intermediates), each intermediate result is a step of its own.
    pub fn depth(mut self, steps: u32) -> Self {
        self.depth = Some(steps);
        self
    }

    /// Limits the trace to the columns or objects where the lineage begins (upstream) or ends (downstream).
    ///
    /// If a cycle has nothing further upstream or downstream, all of its members are included. With a
    /// [depth](Self::depth), so is everything at that depth.
    pub fn ultimate(mut self) -> Self {
        self.ultimate = true;
        self
    }

    /// Follows relationships of these types instead of only those along which values flow (`fdd`, `fda`, `fdc`).
    ///
    /// With `fdr`, a column also depends on the rows of its object: a filter decides the record set of a result, and
    /// therefore every value in it. With `call`, the routines that a routine calls are downstream of it; they are shown
    /// [with intermediates](Self::with_intermediates).
    ///
    /// ```
    /// # use sqlflow_lineage::Lineage;
    /// use sqlflow_lineage::RelationType;
    /// # let lineage: Lineage = r#"{"dbobjs": [
    /// #     {"id": "1", "name": "ORDERS", "type": "table", "columns": [
    /// #         {"id": "2", "name": "TOTAL"}, {"id": "3", "name": "STATE"}]},
    /// #     {"id": "4", "name": "REPORT", "type": "view", "columns": [
    /// #         {"id": "5", "name": "SUM"}, {"id": "6", "name": "RelationRows", "source": "system"}]}],
    /// #   "relationships": [
    /// #     {"id": "7", "type": "fdd", "target": {"id": "5"}, "sources": [{"id": "2"}]},
    /// #     {"id": "8", "type": "fdr", "target": {"id": "6"}, "sources": [{"id": "3"}]}]}"#.parse()?;
    ///
    /// // create view REPORT as select sum(TOTAL) from ORDERS where STATE = 'paid'
    /// let sum = lineage.column("REPORT", "SUM")?;
    /// let values = sum.upstream().to_vec();
    /// assert_eq!(values[0].qualified_name(), "ORDERS.TOTAL");
    ///
    /// let all = sum.upstream().over([RelationType::Fdd, RelationType::Fdr]).to_vec();
    /// assert_eq!(all[0].qualified_name(), "ORDERS.STATE");
    /// assert_eq!(all[1].qualified_name(), "ORDERS.TOTAL");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn over<R: Into<RelationType>>(mut self, types: impl IntoIterator<Item = R>) -> Self {
        self.rules.follow(types.into_iter().map(Into::into));
        self
    }

    /// Follows foreign keys that the document reports as flows (`fdd` with the effect `foreign_key`). No value flows along
    /// them, so they are not followed otherwise. Those of the type `er` are followed if that type is
    /// [requested](Self::over).
    pub fn with_foreign_keys(mut self) -> Self {
        self.rules.foreign_keys = ForeignKeys::Followed;
        self
    }

    /// Shows what is otherwise walked through: results inside statements, routines and record sets.
    ///
    /// ```
    /// # use sqlflow_lineage::Lineage;
    /// # let lineage: Lineage = r#"{"dbobjs": [
    /// #     {"id": "1", "name": "ORDERS", "type": "table", "columns": [{"id": "2", "name": "TOTAL"}]},
    /// #     {"id": "3", "name": "RS-1", "type": "select_list", "columns": [{"id": "4", "name": "SUM"}]},
    /// #     {"id": "5", "name": "REPORT", "type": "view", "columns": [{"id": "6", "name": "SUM"}]}],
    /// #   "relationships": [
    /// #     {"id": "7", "type": "fdd", "target": {"id": "4"}, "sources": [{"id": "2"}]},
    /// #     {"id": "8", "type": "fdd", "target": {"id": "6"}, "sources": [{"id": "4"}]}]}"#.parse()?;
    /// let sum = lineage.column("REPORT", "SUM")?;
    /// let mut paths = sum.upstream().with_intermediates().paths();
    /// let path = paths.next().unwrap();
    /// assert_eq!(path.to_string(), "ORDERS.TOTAL → RS-1.SUM → REPORT.SUM");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_intermediates(mut self) -> Self {
        self.rules.stop_at = StopAt::EveryNode;
        self
    }

    /// Returns the columns or objects that are found, sorted by qualified name, and by id if names are equal.
    #[must_use]
    pub fn to_vec(&self) -> Vec<T> {
        let is_column = matches!(self.start, Vertex::Column(_));
        let nodes = if self.ultimate {
            self.ultimate_nodes()
        } else {
            // Between objects, the step from a column to the record set of the same object does not count.
            self.rules.reach(self.start.nodes(), self.depth, is_column)
        };
        let mut seen = HashSet::new();
        let mut found: Vec<T> =
            nodes.into_iter().filter_map(|node| self.item(node)).filter(|item| seen.insert(*item)).collect();
        found.sort_by_cached_key(|item| {
            let vertex = item.into_vertex();
            (vertex.qualified_name(), vertex.id())
        });
        found
    }

    /// Returns the endpoints that this trace met and could not follow, because they
    /// [cannot be resolved](crate::Endpoint::resolution): whatever is behind them is missing from the result. Endpoints
    /// that may mean what the trace walked over, but are ambiguous, are among them.
    ///
    /// The list is empty if the trace is complete as far as its walk shows. Relationships of which the near endpoint
    /// means no record are not met; [`Lineage::unresolved`](crate::Lineage::unresolved) lists all.
    ///
    /// ```
    /// # use sqlflow_lineage::Lineage;
    /// let lineage: Lineage = r#"{"dbobjs": [
    ///     {"id": "1", "name": "REPORT", "type": "view", "columns": [{"id": "2", "name": "TOTAL"}]}
    /// ], "relationships": [
    ///     {"id": "3", "type": "fdd", "target": {"id": "2"},
    ///      "sources": [{"id": "404", "column": "AMOUNT", "parentName": "ORDERS"}]}
    /// ]}"#.parse()?;
    /// let trace = lineage.column("REPORT", "TOTAL")?.upstream();
    /// assert!(trace.to_vec().is_empty());
    /// assert_eq!(trace.unresolved()[0].name(), Some("AMOUNT"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn unresolved(&self) -> Vec<Endpoint<'a>> {
        endpoints(self.rules.inner, self.rules.unresolved_from(self.start, self.depth))
    }

    /// Returns the paths to the [ultimate](Self::ultimate) columns or objects, each a [`Path`](crate::Path) in the direction of the
    /// flow.
    ///
    /// There can be very many paths, so the iterator finds them one by one. No path visits a column or object twice, so
    /// there is no path for a column that is fed only by itself. With a [depth](Self::depth), a path ends at that
    /// depth. The paths of an object lead from table to table, and two of their steps may belong to different columns;
    /// trace a column to get the paths of its values.
    #[must_use]
    pub fn paths(&self) -> Paths<T> {
        let mut graph = TraceGraph::default();
        if let Some(start) = T::from_vertex(self.start) {
            graph.number((start, None));
        }
        for [near, far] in self.steps() {
            if let [Some(near), Some(far)] = [near, far].map(|position| self.placed(position)) {
                graph.connect(near, far);
            }
        }
        Paths::new(graph, self.rules.direction)
    }

    /// Returns the nodes that are reached and have nothing further. They are found column by column, so an object is
    /// ultimate even if one of its columns begins a flow and another one only passes a flow on.
    fn ultimate_nodes(&self) -> Vec<Node> {
        let mut graph = TraceGraph::default();
        for [near, far] in self.steps() {
            graph.connect(near, far);
        }
        let sinks = Components::new(&graph.next).sinks();
        let reached: HashSet<usize> = graph.next.iter().flatten().copied().collect();
        let is_ultimate = |&at: &usize| reached.contains(&at) && sinks.get(at).copied().unwrap_or(false);
        (0..graph.items.len()).filter(is_ultimate).map(|at| graph.items[at].node).collect()
    }

    /// Returns the steps from one result to the next. Between columns, they lead through tables as a whole, and a table as
    /// a whole that leads to no column is the end of none.
    fn steps(&self) -> Vec<[Position; 2]> {
        let is_result = |position: &Position| self.item(position.node).is_some();
        let (mut steps, mut through) = (Vec::new(), HashMap::<Position, Vec<Position>>::new());
        for ExploredHop { near, far, .. } in self.hops() {
            if is_result(&near) {
                steps.push([near, far]);
            } else {
                through.entry(near).or_default().push(far);
            }
        }
        let ends_of = |[near, far]: [Position; 2]| {
            let (mut open, mut met, mut ends) = (vec![far], HashSet::from([far]), Vec::new());
            while let Some(at) = open.pop() {
                if is_result(&at) {
                    ends.push([near, at]);
                } else {
                    open.extend(through.get(&at).into_iter().flatten().filter(|next| met.insert(**next)));
                }
            }
            ends
        };
        steps.into_iter().flat_map(ends_of).collect()
    }

    /// Returns the hops between the nodes that are shown, without those from a stored column to the record set of its
    /// object, which lead nowhere new.
    fn hops(&self) -> impl Iterator<Item = ExploredHop> {
        let rules = &self.rules;
        let leads_on = |hop: &ExploredHop| {
            !hop.attributes.relation.is_absent()
                || rules.object_of(hop.near.node).is_some_and(|at| !is_stored(rules.inner, at))
        };
        rules.explore(self.start.nodes(), self.depth).into_iter().filter(leads_on)
    }

    /// Returns the start and the depth of the trace.
    pub(crate) fn extent(&self) -> (Vertex<'a>, Option<u32>) {
        (self.start, self.depth)
    }

    fn item(&self, node: Node) -> Option<T> {
        T::from_vertex(Vertex::new(self.rules.inner, node)?)
    }

    /// Returns what a position stands for, with the name of the value if it is a star: a path through a star goes on to
    /// the columns of that name.
    fn placed(&self, position: Position) -> Option<(T, Option<NameNumber>)> {
        self.item(position.node).map(|item| (item, position.name))
    }
}

impl<'a, T: Traced<'a>> IntoIterator for Trace<'a, T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.to_vec().into_iter()
    }
}

impl<T> fmt::Debug for Trace<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace")
            .field("start", &self.start)
            .field("direction", &self.rules.direction)
            .field("depth", &self.depth)
            .field("ultimate", &self.ultimate)
            .finish_non_exhaustive()
    }
}

impl<'a> Column<'a> {
    /// Traces the columns that the values of this column come from; see [`Trace`] for the rules and the options.
    ///
    /// ```
    /// # use sqlflow_lineage::Lineage;
    /// # let lineage: Lineage = r#"{"dbobjs": [
    /// #     {"id": "1", "name": "ORDERS", "type": "table", "columns": [{"id": "2", "name": "TOTAL"}]},
    /// #     {"id": "3", "name": "REPORT", "type": "view", "columns": [{"id": "4", "name": "SUM"}]}],
    /// #   "relationships": [{"id": "5", "type": "fdd", "target": {"id": "4"}, "sources": [{"id": "2"}]}]}"#.parse()?;
    /// for source in lineage.column("REPORT", "SUM")?.upstream() {
    ///     assert_eq!(source.to_string(), "ORDERS.TOTAL");
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn upstream(&self) -> Trace<'a, Self> {
        Trace::new(*self, Direction::Upstream)
    }

    /// Traces the columns that the values of this column flow into; see [`Trace`].
    pub fn downstream(&self) -> Trace<'a, Self> {
        Trace::new(*self, Direction::Downstream)
    }
}

impl<'a> Object<'a> {
    /// Traces the objects that the values of this object come from; see [`Trace`] for the rules and the options.
    ///
    /// Starts from all columns of the object, including its record set, and from relationships between whole tables.
    /// Continues from the columns that were reached, not from all columns of their tables.
    pub fn upstream(&self) -> Trace<'a, Self> {
        Trace::new(*self, Direction::Upstream)
    }

    /// Traces the objects that the values of this object flow into. The rules are those of
    /// [`upstream`](Self::upstream).
    pub fn downstream(&self) -> Trace<'a, Self> {
        Trace::new(*self, Direction::Downstream)
    }
}
