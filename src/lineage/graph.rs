//! Who flows into whom: joins by id, and walks along relationships.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::Hash;

use super::intern::Symbol;
use super::model::{EndExtra, Model, NONE, RawEnd, Role};
use super::names;
use super::view::{Column, Object};
use super::{Inner, Lineage};

/// What each id means. Ids are symbols, so each table is as long as there are symbols.
pub(super) struct Ids {
    objects: Vec<u32>,
    columns: Vec<u32>,
    processes: Vec<u32>,
    /// Few answers have arguments, so they are sorted pairs.
    arguments: Vec<(Symbol, u32)>,
}

impl Ids {
    pub(super) fn new(model: &Model) -> Self {
        let size = model.texts.len();
        let mut arguments: Vec<_> = (0..).zip(&model.arguments).map(|(at, a)| (a.id, at)).collect();
        arguments.retain(|(id, _)| !id.is_absent());
        arguments.sort_unstable();
        Self {
            objects: by_symbol(size, model.objects.iter().map(|object| object.id)),
            columns: by_symbol(size, model.columns.iter().map(|column| column.id)),
            processes: by_symbol(size, model.processes.iter().map(|process| process.id)),
            arguments,
        }
    }

    pub(super) fn object(&self, id: Symbol) -> Option<u32> {
        found(&self.objects, id)
    }

    pub(super) fn column(&self, id: Symbol) -> Option<u32> {
        found(&self.columns, id)
    }

    pub(super) fn process(&self, id: Symbol) -> Option<u32> {
        found(&self.processes, id)
    }

    pub(super) fn argument(&self, id: Symbol) -> Option<u32> {
        let at = self.arguments.partition_point(|entry| entry.0 < id);
        let entry = self.arguments.get(at)?;
        (entry.0 == id).then_some(entry.1)
    }

    pub(super) fn is_known(&self, id: Symbol) -> bool {
        self.column(id).is_some()
            || self.object(id).is_some()
            || self.process(id).is_some()
            || self.argument(id).is_some()
    }
}

/// Ids are unique in every real answer; should one not be, its first bearer has it.
fn by_symbol(size: usize, ids: impl Iterator<Item = Symbol>) -> Vec<u32> {
    let mut table = vec![NONE; size];
    for (at, id) in (0..).zip(ids) {
        if !id.is_absent()
            && let Some(place) = table.get_mut(id.index())
            && *place == NONE
        {
            *place = at;
        }
    }
    table
}

fn found(table: &[u32], id: Symbol) -> Option<u32> {
    table.get(id.index()).copied().filter(|&at| at != NONE)
}

/// A column, or an object as a whole for table-level relationships.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Node {
    Column(u32),
    Object(u32),
}

impl Node {
    fn index(self, model: &Model) -> usize {
        match self {
            Self::Column(at) => at as usize,
            Self::Object(at) => model.columns.len() + at as usize,
        }
    }
}

/// The node that an end means.
pub(super) fn node_of(model: &Model, ids: &Ids, at: u32, end: &RawEnd) -> Option<Node> {
    if let Some(column) = ids.column(end.id) {
        return Some(Node::Column(column));
    }
    let object = ids.object(end.id).or_else(|| {
        let table = model.end_extras.get(at, EndExtra::TableId);
        ids.object(table)
    });
    object.map(Node::Object)
}

/// Which way to walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Upstream,
    Downstream,
}

impl Direction {
    /// The role of the ends one comes from, and of those one goes to.
    fn roles(self) -> (Role, Role) {
        match self {
            Self::Upstream => (Role::Target, Role::Source),
            Self::Downstream => (Role::Source, Role::Target),
        }
    }
}

/// The relationships at each node, one list for those it is a target of and one for those it is a source of.
pub(super) struct Flows {
    into: Adjacency,
    out_of: Adjacency,
    /// The symbol of the relationships that carry values.
    fdd: Symbol,
}

impl Flows {
    pub(super) fn new(model: &Model, ids: &Ids) -> Self {
        Self {
            into: Adjacency::new(model, ids, Role::Target),
            out_of: Adjacency::new(model, ids, Role::Source),
            fdd: model.texts.find("fdd").unwrap_or_default(),
        }
    }

    fn at(&self, model: &Model, node: Node, direction: Direction) -> &[u32] {
        match direction {
            Direction::Upstream => self.into.of(node.index(model)),
            Direction::Downstream => self.out_of.of(node.index(model)),
        }
    }
}

/// For each node the relationships where it has one role, as one array with a start for each node.
struct Adjacency {
    starts: Vec<u32>,
    relationships: Vec<u32>,
}

impl Adjacency {
    fn new(model: &Model, ids: &Ids, role: Role) -> Self {
        let nodes = model.columns.len() + model.objects.len();
        let mut starts = vec![0_u32; nodes + 1];
        each_node(model, ids, role, |node, _| {
            if let Some(count) = starts.get_mut(node) {
                *count += 1;
            }
        });
        let mut total = 0;
        for start in &mut starts {
            total += *start;
            *start = total;
        }
        let mut relationships = vec![0; total as usize];
        // Filled from behind, so that every start ends where its list begins.
        each_node(model, ids, role, |node, relationship| {
            if let Some(start) = starts.get_mut(node) {
                *start = start.saturating_sub(1);
                if let Some(place) = relationships.get_mut(*start as usize) {
                    *place = relationship;
                }
            }
        });
        Self { starts, relationships }
    }

    fn of(&self, node: usize) -> &[u32] {
        let range = (self.starts.get(node), self.starts.get(node + 1));
        let (Some(&start), Some(&end)) = range else {
            return &[];
        };
        self.relationships.get(start as usize..end as usize).unwrap_or_default()
    }
}

fn each_node(model: &Model, ids: &Ids, role: Role, mut visit: impl FnMut(usize, u32)) {
    for (at, relationship) in (0..).zip(&model.relationships) {
        let ends = relationship.ends;
        for (end_at, end) in ends.indices().zip(ends.of(&model.ends)) {
            if end.role == role
                && let Some(node) = node_of(model, ids, end_at, end)
            {
                visit(node.index(model), at);
            }
        }
    }
}

/// Walks along value flows from some nodes and gives every node of a stored object that comes first on its path.
fn walk(inner: &Inner, from: impl IntoIterator<Item = Node>, direction: Direction) -> Vec<Node> {
    let (model, ids, flows) = (&inner.model, inner.ids(), inner.flows());
    let (_, to) = direction.roles();
    let mut todo: Vec<Node> = from.into_iter().collect();
    let mut seen = HashSet::new();
    let mut relationships_seen = HashSet::new();
    let mut reached = Vec::new();
    while let Some(node) = todo.pop() {
        for &at in flows.at(model, node, direction) {
            let Some(relationship) = model.relationships.get(at as usize) else {
                continue;
            };
            if relationship.kind != flows.fdd || !relationships_seen.insert(at) {
                continue;
            }
            let ends = relationship.ends;
            for (end_at, end) in ends.indices().zip(ends.of(&model.ends)) {
                if end.role != to {
                    continue;
                }
                let Some(next) = node_of(model, ids, end_at, end) else {
                    continue;
                };
                if !seen.insert(next) {
                    continue;
                }
                if is_stored(inner, next) {
                    reached.push(next);
                } else {
                    todo.push(next);
                }
            }
        }
    }
    reached
}

/// Whether a walk stops here: at what a database stores, and neither at a result nor at a routine.
fn is_stored(inner: &Inner, node: Node) -> bool {
    let object = match node {
        Node::Object(at) => Some(at),
        Node::Column(at) => inner.model.columns.get(at as usize).map(|column| column.object),
    };
    object.is_some_and(|at| {
        let object = Object::new(inner, at);
        !object.is_intermediate() && !object.is_routine()
    })
}

/// Sorted by name, then by id where names are equal; each name is made once.
fn sorted_by_name<T: Copy + Eq + Hash>(items: Vec<T>, key: impl Fn(&T) -> (String, String)) -> Vec<T> {
    let mut keyed: Vec<((String, String), T)> = items.into_iter().map(|item| (key(&item), item)).collect();
    keyed.sort_by(|a, b| a.0.cmp(&b.0));
    keyed.into_iter().map(|(_, item)| item).collect()
}

fn columns_reached<'a>(inner: &'a Inner, column: u32, direction: Direction) -> Vec<Column<'a>> {
    let columns = walk(inner, [Node::Column(column)], direction)
        .into_iter()
        .filter_map(|node| match node {
            Node::Column(at) => Some(Column::new(inner, at)),
            Node::Object(_) => None,
        })
        .filter(|column| !column.is_record_set())
        .collect();
    sorted_by_name(columns, |column: &Column<'a>| (column.qualified_name(), column.id().to_owned()))
}

fn objects_reached<'a>(inner: &'a Inner, object: u32, direction: Direction) -> Vec<Object<'a>> {
    let columns = inner.model.objects.get(object as usize).map_or(0..0, |object| object.columns.indices());
    let from = columns.map(Node::Column).chain(std::iter::once(Node::Object(object)));
    let reached: HashSet<u32> = walk(inner, from, direction)
        .into_iter()
        .filter_map(|node| match node {
            Node::Object(at) => Some(at),
            Node::Column(at) => inner.model.columns.get(at as usize).map(|column| column.object),
        })
        .collect();
    let objects = reached.into_iter().map(|at| Object::new(inner, at)).collect();
    sorted_by_name(objects, |object: &Object<'a>| (object.qualified_name(), object.id().to_owned()))
}

impl<'a> Column<'a> {
    /// The columns of stored objects (tables, views, …) that values of this one come from.
    ///
    /// Follows `fdd` relationships against their direction, through intermediate results and routines, and stops at
    /// the first stored object on each path: for a view over a view, the inner view. Record sets
    /// ([`is_record_set`](Self::is_record_set)) are left out. Sorted by qualified name; a column that feeds itself is
    /// upstream of itself.
    ///
    /// The first question builds an index over the whole lineage; after that the cost grows with the answer.
    #[must_use]
    pub fn upstream(&self) -> Vec<Column<'a>> {
        columns_reached(self.inner, self.at, Direction::Upstream)
    }

    /// The columns of stored objects (tables, views, …) that values of this one flow into; otherwise as
    /// [`upstream`](Self::upstream).
    #[must_use]
    pub fn downstream(&self) -> Vec<Column<'a>> {
        columns_reached(self.inner, self.at, Direction::Downstream)
    }
}

impl<'a> Object<'a> {
    /// The stored objects (tables, views, …) that values of this one come from.
    ///
    /// As [`Column::upstream`], from all columns of the object (its record set too) and from relationships between
    /// whole tables.
    #[must_use]
    pub fn upstream(&self) -> Vec<Object<'a>> {
        objects_reached(self.inner, self.at, Direction::Upstream)
    }

    /// The stored objects (tables, views, …) that values of this one flow into; otherwise as
    /// [`upstream`](Self::upstream).
    #[must_use]
    pub fn downstream(&self) -> Vec<Object<'a>> {
        objects_reached(self.inner, self.at, Direction::Downstream)
    }
}

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

impl Lineage {
    /// Every pair of columns of stored objects between which a value flows, intermediate results walked through.
    ///
    /// Each pair comes once, sorted by the qualified names of source and target; record sets are left out. See
    /// [`Column::upstream`] for what counts.
    #[must_use]
    pub fn column_flows(&self) -> Vec<ColumnFlow<'_>> {
        let inner = &*self.inner;
        let mut pairs: Vec<(u32, u32)> = Vec::new();
        for column in self.columns().filter(|column| is_end_of_flow(inner, column)) {
            let sources = walk(inner, [Node::Column(column.at)], Direction::Upstream);
            pairs.extend(sources.into_iter().filter_map(|node| match node {
                Node::Column(source) => Some((source, column.at)),
                Node::Object(_) => None,
            }));
        }
        pairs.retain(|&(source, _)| !Column::new(inner, source).is_record_set());
        sort_pairs(inner, &mut pairs);
        pairs
            .into_iter()
            .map(|(source, target)| ColumnFlow {
                source: Column::new(inner, source),
                target: Column::new(inner, target),
            })
            .collect()
    }
}

fn is_end_of_flow(inner: &Inner, column: &Column<'_>) -> bool {
    is_stored(inner, Node::Column(column.at)) && !column.is_record_set()
}

/// Ranks each column once, so that a hundred thousand pairs do not make as many names twice over.
fn sort_pairs(inner: &Inner, pairs: &mut [(u32, u32)]) {
    let columns: HashSet<u32> = pairs.iter().flat_map(|&(a, b)| [a, b]).collect();
    let mut named: Vec<(String, u32)> = columns.into_iter().map(|at| (names::column_name(inner, at), at)).collect();
    named.sort_unstable();
    let ranks: HashMap<u32, usize> = named.iter().enumerate().map(|(rank, (_, at))| (*at, rank)).collect();
    let rank = |at: u32| ranks.get(&at).copied();
    pairs.sort_unstable_by_key(|&(source, target)| (rank(source), rank(target)));
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{LAYOUT_B, LAYOUT_C1, read, read_model};
    use super::super::{Column, Lineage};

    fn flows(lineage: &Lineage) -> Vec<String> {
        lineage.column_flows().iter().map(ToString::to_string).collect()
    }

    fn names<T: ToString>(items: &[T]) -> Vec<String> {
        items.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn flows_walk_through_intermediate_results_and_leave_out_record_sets() {
        let expected = ["sales.customers.region → sales.report.region", "sales.orders.amount → sales.report.total"];
        assert_eq!(flows(&read(LAYOUT_C1)), expected);
        assert_eq!(flows(&read(LAYOUT_B)), expected);
    }

    #[test]
    fn upstream_and_downstream_are_each_others_mirror() {
        let lineage = read(LAYOUT_C1);
        let total = lineage.column_by_id("32").unwrap();
        assert_eq!(names(&total.upstream()), ["sales.orders.amount"]);
        assert!(total.downstream().is_empty());
        let amount = lineage.column_by_id("21").unwrap();
        assert_eq!(names(&amount.downstream()), ["sales.report.total"]);
        let report = lineage.object_by_id("30").unwrap();
        assert_eq!(names(&report.upstream()), ["sales.customers", "sales.orders"]);
        let orders = lineage.object_by_id("20").unwrap();
        assert_eq!(names(&orders.downstream()), ["sales.report"]);
    }

    const CHAIN: &str = r#"
        {"id": 1, "name": "a", "type": "table", "columns": [{"id": 11, "name": "x"}]},
        {"id": 2, "name": "b", "type": "view", "columns": [{"id": 21, "name": "x"}]},
        {"id": 3, "name": "c", "type": "table", "columns": [{"id": 31, "name": "x"}]},
        {"id": 4, "name": "RS-1", "type": "select_list", "columns": [{"id": 41, "name": "x"}]},
        {"id": 5, "name": "RS-2", "type": "select_list", "columns": [{"id": 51, "name": "x"}]}"#;

    fn chain(edges: &[(&str, &str)]) -> Lineage {
        let relationships: Vec<String> = edges
            .iter()
            .enumerate()
            .map(|(at, (from, to))| {
                format!(r#"{{"id": "r{at}", "type": "fdd", "target": {{"id": {to}}}, "sources": [{{"id": {from}}}]}}"#)
            })
            .collect();
        read_model(CHAIN, &relationships.join(","))
    }

    #[test]
    fn a_walk_stops_at_the_first_stored_object() {
        let lineage = chain(&[("11", "21"), ("21", "31")]);
        let last = lineage.column_by_id("31").unwrap();
        assert_eq!(names(&last.upstream()), ["b.x"]);
    }

    #[test]
    fn a_cycle_of_intermediate_results_ends() {
        let lineage = chain(&[("11", "41"), ("41", "51"), ("51", "41"), ("51", "31")]);
        assert_eq!(flows(&lineage), ["a.x → c.x"]);
    }

    #[test]
    fn a_column_that_feeds_itself_is_upstream_of_itself() {
        let lineage = chain(&[("11", "41"), ("41", "11")]);
        assert_eq!(flows(&lineage), ["a.x → a.x"]);
    }

    #[test]
    fn two_paths_to_one_source_are_one_flow() {
        let lineage = chain(&[("11", "41"), ("11", "51"), ("41", "31"), ("51", "31")]);
        assert_eq!(flows(&lineage), ["a.x → c.x"]);
    }

    #[test]
    fn only_value_flows_are_walked() {
        let lineage = read_model(CHAIN, r#"{"id": "r", "type": "fdr", "target": {"id": 31}, "sources": [{"id": 11}]}"#);
        assert!(flows(&lineage).is_empty());
        assert!(lineage.column_by_id("31").unwrap().upstream().is_empty());
    }

    #[test]
    fn a_relationship_between_whole_tables_joins_objects() {
        let lineage = read_model(
            CHAIN,
            r#"{"id": "r", "type": "fdd", "target": {"id": 3}, "sources": [{"id": "x", "sourceId": 1, "sourceName": "A"}]}"#,
        );
        let target = lineage.object_by_id("3").unwrap();
        assert_eq!(names(&target.upstream()), ["a"]);
        assert_eq!(lineage.unresolved().count(), 1);
    }

    #[test]
    fn values_flow_through_a_routine() {
        let body = r#"{"dbobjs": {"servers": [{"name": "s", "schemas": [{"name": "hr",
            "tables": [{"id": 1, "name": "a", "type": "table", "columns": [{"id": 11, "name": "x"}]},
                       {"id": 2, "name": "b", "type": "table", "columns": [{"id": 21, "name": "x"}]}],
            "functions": [{"id": 3, "name": "f", "type": "function", "columns": [{"id": 31, "name": "r"}]}]}]}]},
            "relationships": [{"id": 4, "type": "fdd", "target": {"id": 31}, "sources": [{"id": 11}]},
                              {"id": 5, "type": "fdd", "target": {"id": 21}, "sources": [{"id": 31}]}]}"#;
        assert_eq!(flows(&read(body)), ["hr.a.x → hr.b.x"]);
    }

    /// A naive search over every pair agrees with the index.
    #[test]
    fn many_random_graphs_agree_with_a_naive_search() {
        let mut state = 7_u64;
        let mut random = move |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(state >> 33).unwrap() % below
        };
        let ids = ["11", "21", "31", "41", "51"];
        for _ in 0..200 {
            let edges: Vec<(&str, &str)> = (0..random(9)).map(|_| (ids[random(5)], ids[random(5)])).collect();
            let lineage = chain(&edges);
            for id in ids {
                let found: Vec<&str> = lineage.column_by_id(id).unwrap().upstream().iter().map(Column::id).collect();
                assert_eq!(found, naive_upstream(&edges, id), "{id} in {edges:?}");
            }
        }
    }

    fn naive_upstream<'e>(edges: &[(&'e str, &'e str)], of: &str) -> Vec<&'e str> {
        let mut reached: Vec<&str> = vec![];
        loop {
            let more: Vec<&str> = edges
                .iter()
                .filter(|(_, to)| *to == of || (*to > "40" && reached.contains(to)))
                .map(|(from, _)| *from)
                .filter(|from| !reached.contains(from))
                .collect();
            if more.is_empty() {
                reached.sort_unstable();
                reached.dedup();
                reached.retain(|id| *id < "40");
                return reached;
            }
            reached.extend(more);
        }
    }
}
