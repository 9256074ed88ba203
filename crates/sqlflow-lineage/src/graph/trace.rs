//! Upstream and downstream of one column or object, as sets and as paths.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;

use super::super::LineageInner;
use super::super::kinds::RelationType;
use super::super::view::{Column, Object};
use super::components::Components;
use super::walk::{Edge, Rules, Stops, is_stored, nodes_of_object};
use super::{Direction, Node};

/// A column or an object: what a walk comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Vertex<'a> {
    /// A column.
    Column(Column<'a>),
    /// An object as a whole.
    Object(Object<'a>),
}

impl<'a> Vertex<'a> {
    pub(crate) fn new(inner: &'a LineageInner, node: Node) -> Self {
        match node {
            Node::Column(at) => Self::Column(Column::new(inner, at)),
            Node::Object(at) => Self::Object(Object::new(inner, at)),
        }
    }

    /// The object itself, or the one that the column is of.
    #[must_use]
    pub fn object(&self) -> Object<'a> {
        match self {
            Self::Column(column) => column.object(),
            Self::Object(object) => *object,
        }
    }

    /// Its qualified name.
    #[must_use]
    pub fn qualified_name(&self) -> String {
        self.to_string()
    }

    /// Where a walk from it begins.
    pub(crate) fn nodes(self) -> Vec<Node> {
        match self {
            Self::Column(column) => vec![Node::Column(column.at)],
            Self::Object(object) => nodes_of_object(object.inner, object.at).collect(),
        }
    }

    pub(crate) fn inner(self) -> &'a LineageInner {
        match self {
            Self::Column(column) => column.inner,
            Self::Object(object) => object.inner,
        }
    }

    pub(crate) fn id(&self) -> &'a str {
        match self {
            Self::Column(column) => column.id(),
            Self::Object(object) => object.id(),
        }
    }
}

impl fmt::Display for Vertex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Column(column) => column.fmt(f),
            Self::Object(object) => object.fmt(f),
        }
    }
}

/// What can be traced: a [`Column`] or an [`Object`]. Implemented here alone.
pub trait Traced<'a>: sealed::Sealed<'a> + Copy + Eq + Hash + fmt::Display + fmt::Debug {}

impl<'a> Traced<'a> for Column<'a> {}

impl<'a> Traced<'a> for Object<'a> {}

mod sealed {
    use super::{Column, Object, Vertex};

    pub trait Sealed<'a>: Sized {
        fn into_vertex(self) -> Vertex<'a>;
        /// How a place on the way looks to somebody who asked for this.
        fn seen_at(vertex: Vertex<'a>) -> Option<Self>;
    }

    impl<'a> Sealed<'a> for Column<'a> {
        fn into_vertex(self) -> Vertex<'a> {
            Vertex::Column(self)
        }

        fn seen_at(vertex: Vertex<'a>) -> Option<Self> {
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

        fn seen_at(vertex: Vertex<'a>) -> Option<Self> {
            Some(vertex.object())
        }
    }
}

/// A question that follows the lineage from a column or an object; made by [`Column::upstream`],
/// [`Column::downstream`], [`Object::upstream`] and [`Object::downstream`].
///
/// Iterate over it for the columns or objects that it finds, each once, sorted by qualified name. As it stands it
/// follows `fdd` relationships (where values flow) as far as they go, through intermediate results and routines, and
/// gives the columns or objects that a database stores. The methods here ask for less, or for more. A cycle is walked
/// once; what feeds itself is upstream of itself.
///
/// Values that come from the rows of a table and from none of its columns, such as a count, have no source column: ask
/// their object, or ask [with intermediates](Self::with_intermediates), which shows record sets. A routine is walked
/// through as a whole, whichever of its arguments a value goes into.
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
/// let first = sum.upstream().ultimate().to_vec();
/// assert_eq!(first[0].qualified_name(), "ORDERS.TOTAL");
///
/// let paths: Vec<String> = sum.upstream().paths().map(|path| path.to_string()).collect();
/// assert_eq!(paths, ["ORDERS.TOTAL → DAILY.SUM → REPORT.SUM"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Cost
///
/// The first question about a lineage builds an index over all of it. After that a question costs in proportion to
/// what it walks over, not to the size of the lineage.
#[derive(Clone)]
#[must_use = "asks nothing until it is iterated over"]
pub struct Trace<'a, T> {
    start: Vertex<'a>,
    pub(crate) rules: Rules<'a>,
    depth: Option<u32>,
    ultimate: bool,
    finds: PhantomData<T>,
}

impl<'a, T: Traced<'a>> Trace<'a, T> {
    fn new(start: T, direction: Direction) -> Self {
        let start = start.into_vertex();
        let mut rules = Rules::new(start.inner(), direction);
        // An object is reached through its record set too.
        if matches!(start, Vertex::Object(_)) {
            rules.stops = rules.stops.and_rows();
        }
        Self { start, rules, depth: None, ultimate: false, finds: PhantomData }
    }

    /// Only what is one step away: the nearest stored columns or objects, or whatever is nearest
    /// [with intermediates](Self::with_intermediates).
    pub fn direct(self) -> Self {
        self.depth(1)
    }

    /// Only what is at most so many steps away. A step leads from one stored column to the next, however many
    /// intermediate results are between; [with intermediates](Self::with_intermediates) each of them is one.
    pub fn depth(mut self, steps: u32) -> Self {
        self.depth = Some(steps);
        self
    }

    /// Only where the lineage begins (upstream) or ends (downstream): what is reached and has nothing further. Of a
    /// cycle with nothing further, all of it; within a [depth](Self::depth), what is as far as that reaches, too.
    pub fn ultimate(mut self) -> Self {
        self.ultimate = true;
        self
    }

    /// Follows relationships of these types instead of `fdd` alone.
    ///
    /// With `fdr` among them, a column depends on the rows of its object too: a filter decides the record set of a
    /// result, and so every value in it. With `call`, what a routine calls is downstream of it; routines are shown
    /// [with intermediates](Self::with_intermediates).
    pub fn over<R: Into<RelationType>>(mut self, types: impl IntoIterator<Item = R>) -> Self {
        self.rules.follow(types.into_iter().map(Into::into));
        self
    }

    /// Shows what is walked through otherwise: results inside statements, routines and record sets.
    pub fn with_intermediates(mut self) -> Self {
        self.rules.stops = Stops::Everywhere;
        self
    }

    /// What is found, sorted by qualified name, and by id where names are equal.
    #[must_use]
    pub fn to_vec(&self) -> Vec<T> {
        let is_column = matches!(self.start, Vertex::Column(_));
        let nodes = if self.ultimate {
            self.ultimate_nodes()
        } else {
            // The step from a column to its own object's rows is none between objects.
            self.rules.reach(self.start.nodes(), self.depth, is_column)
        };
        let mut seen = HashSet::new();
        let mut found: Vec<T> =
            nodes.into_iter().filter_map(|node| self.seen_at(node)).filter(|item| seen.insert(*item)).collect();
        found.sort_by_cached_key(|item| {
            let vertex = item.into_vertex();
            (vertex.qualified_name(), vertex.id())
        });
        found
    }

    /// The ways to the [ultimate](Self::ultimate) columns or objects, each a [`Path`] in the direction of the flow.
    ///
    /// There can be very many: they are found one by one, as the iterator is asked. A path comes to no place twice, so
    /// that nothing that feeds itself alone has one. Within a [depth](Self::depth) a path ends where that ends. The
    /// paths of an object are those between tables, of which two steps may be of different columns: ask a column for
    /// the ways of its values.
    #[must_use]
    pub fn paths(&self) -> Paths<T> {
        let mut graph = Graph::default();
        if let Some(start) = T::seen_at(self.start) {
            graph.place(start);
        }
        for edge in self.edges() {
            if let [Some(near), Some(far)] = [edge.near, edge.far].map(|node| self.seen_at(node)) {
                graph.join(near, far);
            }
        }
        Paths::new(graph, self.rules.direction)
    }

    /// What is reached and has nothing further, column by column: of an object that begins one flow and passes on
    /// another, the beginning counts.
    fn ultimate_nodes(&self) -> Vec<Node> {
        let mut graph = Graph::default();
        for edge in self.edges() {
            graph.join(edge.near, edge.far);
        }
        let ends = Components::new(&graph.next).ends();
        let reached: HashSet<usize> = graph.next.iter().flatten().copied().collect();
        let is_end = |&at: &usize| reached.contains(&at) && ends.get(at).copied().unwrap_or(false);
        (0..graph.items.len()).filter(is_end).map(|at| graph.items[at]).collect()
    }

    /// The hops between what is shown. The one from a stored column to its object's rows leads nowhere new.
    fn edges(&self) -> impl Iterator<Item = Edge> {
        let rules = &self.rules;
        let leads_on = |edge: &Edge| {
            !edge.label.relation.is_absent() || rules.object_of(edge.near).is_some_and(|at| !is_stored(rules.inner, at))
        };
        rules.explore(self.start.nodes(), self.depth).into_iter().filter(leads_on)
    }

    /// Where it starts, and how far it goes.
    pub(crate) fn extent(&self) -> (Vertex<'a>, Option<u32>) {
        (self.start, self.depth)
    }

    fn seen_at(&self, node: Node) -> Option<T> {
        T::seen_at(Vertex::new(self.rules.inner, node))
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
    /// The columns that values of this one come from; see [`Trace`] for what counts and what else can be asked.
    pub fn upstream(&self) -> Trace<'a, Self> {
        Trace::new(*self, Direction::Upstream)
    }

    /// The columns that values of this one flow into; see [`Trace`].
    pub fn downstream(&self) -> Trace<'a, Self> {
        Trace::new(*self, Direction::Downstream)
    }
}

impl<'a> Object<'a> {
    /// The objects that values of this one come from; see [`Trace`] for what counts and what else can be asked.
    ///
    /// Starts from all columns of the object, its record set too, and from relationships between whole tables; goes
    /// on from the columns that were reached, not from the whole of their tables.
    pub fn upstream(&self) -> Trace<'a, Self> {
        Trace::new(*self, Direction::Upstream)
    }

    /// The objects that values of this one flow into; otherwise as [`upstream`](Self::upstream).
    pub fn downstream(&self) -> Trace<'a, Self> {
        Trace::new(*self, Direction::Downstream)
    }
}

/// Items and the edges between them, as numbers.
struct Graph<T> {
    items: Vec<T>,
    next: Vec<Vec<usize>>,
    places: HashMap<T, usize>,
}

impl<T> Default for Graph<T> {
    fn default() -> Self {
        Self { items: Vec::new(), next: Vec::new(), places: HashMap::new() }
    }
}

impl<T: Copy + Eq + Hash> Graph<T> {
    fn place(&mut self, item: T) -> usize {
        *self.places.entry(item).or_insert_with(|| {
            self.items.push(item);
            self.next.push(Vec::new());
            self.items.len() - 1
        })
    }

    fn join(&mut self, near: T, far: T) {
        let (near, far) = (self.place(near), self.place(far));
        self.next[near].push(far);
    }
}

/// A way along which values flow: from its first column or object to its last. Shown with arrows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Path<T> {
    steps: Vec<T>,
}

impl<T: Copy> Path<T> {
    /// Where it begins.
    #[must_use]
    pub fn source(&self) -> T {
        self.steps[0]
    }

    /// Where it ends.
    #[must_use]
    pub fn target(&self) -> T {
        self.steps[self.steps.len() - 1]
    }

    /// All that is on it, the source first and the target last.
    #[must_use]
    pub fn steps(&self) -> &[T] {
        &self.steps
    }
}

impl<T: fmt::Display> fmt::Display for Path<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.steps.iter().enumerate() {
            if at > 0 {
                f.write_str(" → ")?;
            }
            write!(f, "{step}")?;
        }
        Ok(())
    }
}

/// An iterator over the paths of a [`Trace`].
pub struct Paths<T> {
    items: Vec<T>,
    next: Vec<Vec<usize>>,
    ends: Vec<bool>,
    direction: Direction,
    /// The places of the way that is being followed, each with how many of its edges were taken.
    way: Vec<(usize, usize)>,
    on_way: Vec<bool>,
    /// Where there are cycles, a way can lead into a corner from which no end is left to reach.
    has_cycles: bool,
}

impl<T: Copy + Eq + Hash> Paths<T> {
    fn new(graph: Graph<T>, direction: Direction) -> Self {
        let Graph { items, mut next, .. } = graph;
        for next in &mut next {
            next.sort_unstable();
            next.dedup();
        }
        let mut on_way = vec![false; items.len()];
        let mut way = Vec::new();
        if let Some(start) = on_way.first_mut() {
            *start = true;
            way.push((0, 0));
        }
        let components = Components::new(&next);
        let (ends, has_cycles) = (components.ends(), components.has_cycles());
        Self { items, next, ends, direction, way, on_way, has_cycles }
    }

    fn path(&self) -> Path<T> {
        let mut steps: Vec<T> = self.way.iter().map(|&(place, _)| self.items[place]).collect();
        if self.direction == Direction::Upstream {
            steps.reverse();
        }
        Path { steps }
    }

    /// Whether an end can be reached from a place without crossing the way.
    fn leads_to_an_end(&self, place: usize) -> bool {
        let mut seen = HashSet::from([place]);
        let mut todo = vec![place];
        while let Some(place) = todo.pop() {
            if self.ends[place] {
                return true;
            }
            todo.extend(self.next[place].iter().filter(|&&to| !self.on_way[to] && seen.insert(to)));
        }
        false
    }
}

impl<T: Copy + Eq + Hash> Iterator for Paths<T> {
    type Item = Path<T>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some((place, taken)) = self.way.last_mut() {
            let place = *place;
            let Some(&to) = self.next[place].get(*taken) else {
                self.on_way[place] = false;
                self.way.pop();
                continue;
            };
            *taken += 1;
            if self.on_way[to] || (self.has_cycles && !self.leads_to_an_end(to)) {
                continue;
            }
            self.on_way[to] = true;
            self.way.push((to, 0));
            if self.ends[to] && self.next[to].iter().all(|&further| self.on_way[further]) {
                return Some(self.path());
            }
        }
        None
    }
}

impl<T> fmt::Debug for Paths<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Paths").field("places", &self.items.len()).finish_non_exhaustive()
    }
}
