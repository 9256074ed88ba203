//! The selection of what a picture shows, and at which level of detail. Each output format has a file of its own.

mod csv;
mod dot;
mod graphml;
mod label;
mod mermaid;
mod numbering;
#[cfg(feature = "petgraph")]
mod petgraph;
mod style;

use std::collections::HashSet;
use std::fmt;
use std::io::{self, BufWriter, Write};

#[cfg(feature = "arrow")]
pub(super) use self::csv::NameLevels;
use super::graph::walk::{ForeignKeys, HopAttributes, HopDetail, StopAt, WalkRules};
use super::graph::{Direction, Node, Trace, Traced, Vertex};
use super::kinds::{EffectType, RelationType};
use super::model::indices;
use super::view::{Column, Endpoint, Object, endpoints};
use super::{Lineage, LineageInner};

/// A graph of a lineage, or of a [trace](Trace) in it, to draw or to export.
///
/// Created by [`Lineage::diagram`] and [`Trace::diagram`]. Unless an option says otherwise, it shows the columns of
/// stored objects and of the [result sets](Object::is_result_set) of queries, and the flows of values between them
/// (`fdd`, `fda`, `fdc`). It walks through intermediate results, and leaves out foreign keys.
///
/// A picture says in a note of its own if there are relationships that it [could not follow](Self::unresolved).
///
/// ```
/// # use sqlflow_lineage::Lineage;
/// # let lineage: Lineage = r#"{"dbobjs": [
/// #     {"id": "1", "name": "ORDERS", "type": "table", "columns": [{"id": "2", "name": "TOTAL"}]},
/// #     {"id": "3", "name": "REPORT", "type": "view", "columns": [{"id": "4", "name": "SUM"}]}],
/// #   "relationships": [{"id": "5", "type": "fdd", "target": {"id": "4"}, "sources": [{"id": "2"}]}]}"#.parse()?;
/// // Everything, column by column, for Graphviz.
/// let mut dot = Vec::new();
/// lineage.diagram().write_dot(&mut dot)?;
///
/// // The tables that feed one view, for a Markdown page.
/// let report = lineage.object("REPORT")?;
/// let mut mermaid = Vec::new();
/// report.upstream().diagram().by_object().write_mermaid(&mut mermaid)?;
/// # assert!(String::from_utf8(mermaid)?.contains("n0 --> n1"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Writing
///
/// The `write_…` methods stream: they hold the edges in memory, but never the whole text. They buffer what they write
/// and flush it at the end, so a [`File`](std::fs::File) needs no buffer of its own. They fail only if the writer
/// fails. The same lineage always gives the same bytes.
#[derive(Clone)]
#[must_use = "draws nothing until it is written"]
pub struct Diagram<'a> {
    rules: WalkRules<'a>,
    selection: DiagramSelection<'a>,
    by_object: bool,
}

/// Written as `source → target (relation, effect)`, with qualified names.
impl fmt::Display for Edge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {} ({}", self.source, self.target, self.relation)?;
        if let Some(effect) = &self.effect {
            write!(f, ", {effect}")?;
        }
        f.write_str(")")
    }
}

#[derive(Clone)]
enum DiagramSelection<'a> {
    Everything,
    Reachable { from: Vertex<'a>, depth: Option<u32> },
}

/// An edge of a [`Diagram`]: a flow from one vertex to another.
///
/// ```
/// # use sqlflow_lineage::{Lineage, RelationType};
/// # let lineage: Lineage = r#"{"dbobjs": [
/// #     {"id": "1", "name": "ORDERS", "type": "table", "columns": [{"id": "2", "name": "TOTAL"}]},
/// #     {"id": "3", "name": "REPORT", "type": "view", "columns": [{"id": "4", "name": "SUM"}]}],
/// #   "relationships": [{"id": "5", "type": "fdd", "target": {"id": "4"}, "sources": [{"id": "2"}]}]}"#.parse()?;
/// let edges = lineage.diagram().edges();
/// assert_eq!(edges[0].source.qualified_name(), "ORDERS.TOTAL");
/// assert_eq!(edges[0].target.qualified_name(), "REPORT.SUM");
/// assert_eq!(edges[0].relation, RelationType::Fdd);
/// # Ok::<(), sqlflow_lineage::ReadError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Edge<'a> {
    /// The vertex that the flow comes from.
    pub source: Vertex<'a>,
    /// The vertex that the flow leads to.
    pub target: Vertex<'a>,
    /// The type of the relationships along the way. If they differ, the one closest to the target along which no value
    /// flows, or else the one closest to the target.
    pub relation: RelationType,
    /// The effect of the relationship that leads into the target.
    pub effect: Option<EffectType>,
}

/// An object of a diagram, with the columns that are shown of it.
#[derive(Clone, Debug)]
pub(super) struct ShownObject<'a> {
    pub(super) object: Object<'a>,
    pub(super) columns: Vec<Column<'a>>,
}

/// Everything that a diagram shows: each object once, sorted by qualified name, with all vertices of the edges.
#[derive(Debug)]
pub(super) struct DiagramContent<'a> {
    pub(super) objects: Vec<ShownObject<'a>>,
    pub(super) edges: Vec<Edge<'a>>,
    /// The number of endpoints that could not be followed.
    pub(super) unresolved: usize,
}

impl DiagramContent<'_> {
    /// Returns the note of a picture that cannot show everything.
    pub(super) fn note(&self) -> Option<String> {
        unresolved_note(self.unresolved)
    }
}

/// Returns a sentence about edges that are missing because their endpoints cannot be resolved.
pub(super) fn unresolved_note(count: usize) -> Option<String> {
    match count {
        0 => None,
        1 => Some("1 edge is not shown: the document does not say what it leads to or from".to_owned()),
        many => Some(format!("{many} edges are not shown: the document does not say what they lead to or from")),
    }
}

impl Lineage {
    /// Returns a diagram of the whole lineage.
    ///
    /// ```no_run
    /// # use sqlflow_lineage::Lineage;
    /// # let lineage: Lineage = "{}".parse()?;
    /// lineage.diagram().by_object().write_dot(std::fs::File::create("tables.dot")?)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn diagram(&self) -> Diagram<'_> {
        Diagram {
            rules: WalkRules::new(&self.inner, Direction::Upstream),
            selection: DiagramSelection::Everything,
            by_object: false,
        }
    }
}

impl<'a, T: Traced<'a>> Trace<'a, T> {
    /// Returns a diagram of what this trace walks over: its start, everything that it reaches, and the flows between.
    ///
    /// The relation types, the depth and the intermediates are those of the trace. The diagram shows everything that
    /// is reached, even if the trace is limited to [ultimate](Self::ultimate) results, because a picture is there to
    /// show the ways between.
    ///
    /// ```no_run
    /// # use sqlflow_lineage::Lineage;
    /// # let lineage: Lineage = "{}".parse()?;
    /// let report = lineage.object("sales.report")?;
    /// report.upstream().depth(2).diagram().write_dot(std::fs::File::create("report.dot")?)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn diagram(&self) -> Diagram<'a> {
        let (from, depth) = self.extent();
        let mut rules = self.rules.clone();
        rules.stop_at = rules.stop_at.without_record_sets();
        Diagram { rules, selection: DiagramSelection::Reachable { from, depth }, by_object: false }
    }
}

impl<'a> Diagram<'a> {
    /// Shows relationships of these types instead of only those along which values flow; see [`Trace::over`].
    ///
    /// With `fdr`, every column of a result is joined to everything that decides its rows, which can be a great many
    /// edges. There are few of them [by object](Self::by_object), and
    /// [with intermediates](Self::with_intermediates) they meet in a record set.
    ///
    /// ```
    /// # use sqlflow_lineage::{Lineage, RelationType};
    /// # let lineage: Lineage = r#"{"dbobjs": [
    /// #     {"id": "1", "name": "A", "type": "table", "columns": [{"id": "2", "name": "X"}]},
    /// #     {"id": "3", "name": "B", "type": "table", "columns": [{"id": "4", "name": "X"}]}],
    /// #   "relationships": [{"id": "5", "type": "join", "target": {"id": "4"}, "sources": [{"id": "2"}]}]}"#.parse()?;
    /// assert_eq!(lineage.diagram().edges().len(), 0);
    /// let with_joins = lineage.diagram().over([RelationType::Fdd, RelationType::Join]);
    /// assert_eq!(with_joins.edges().len(), 1);
    /// # Ok::<(), sqlflow_lineage::ReadError>(())
    /// ```
    pub fn over<R: Into<RelationType>>(mut self, types: impl IntoIterator<Item = R>) -> Self {
        self.rules.follow(types.into_iter().map(Into::into));
        self
    }

    /// Shows what is otherwise walked through: results inside statements, routines and record sets.
    pub fn with_intermediates(mut self) -> Self {
        self.rules.stop_at = StopAt::EveryNode;
        self
    }

    /// Shows foreign keys that the document reports as flows (`fdd` with the effect `foreign_key`). No value flows along
    /// them, so they are left out otherwise.
    pub fn with_foreign_keys(mut self) -> Self {
        self.rules.foreign_keys = ForeignKeys::Followed;
        self
    }

    /// Shows objects without their columns, and between two objects one edge for each relation type and effect, however
    /// many of their columns are joined.
    pub fn by_object(mut self) -> Self {
        self.by_object = true;
        self.rules.stop_at = self.rules.stop_at.with_record_sets();
        self
    }

    /// Returns the edges that the diagram shows, each once, sorted by the qualified names of source and target.
    #[must_use]
    pub fn edges(&self) -> Vec<Edge<'a>> {
        self.content().edges
    }

    /// Returns the endpoints that the diagram cannot show, although it shows relationships of their types, because they
    /// [cannot be resolved](crate::Endpoint::resolution). The relationships of these endpoints lead somewhere that is not
    /// in the document.
    ///
    /// For the diagram of a trace, these are the endpoints that the [trace](Trace::unresolved) met.
    #[must_use]
    pub fn unresolved(&self) -> Vec<Endpoint<'a>> {
        let met = match &self.selection {
            DiagramSelection::Everything => self.rules.unresolved(),
            DiagramSelection::Reachable { from, depth } => self.rules.unresolved_from(*from, *depth),
        };
        endpoints(self.rules.inner, met)
    }

    fn write(
        &self,
        writer: impl Write,
        format: impl FnOnce(&DiagramContent<'a>, &mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut writer = BufWriter::new(writer);
        format(&self.content(), &mut writer)?;
        writer.flush()
    }

    pub(super) fn content(&self) -> DiagramContent<'a> {
        let mut edges = EdgeSet::default();
        let mut vertices = VertexSet::new(self.rules.inner);
        match &self.selection {
            DiagramSelection::Everything => self.add_everything(&mut edges, &mut vertices),
            DiagramSelection::Reachable { from, depth } => {
                self.add_reachable(*from, *depth, &mut edges, &mut vertices);
            }
        }
        for &(source, target, ..) in &edges.edges {
            vertices.add(source);
            vertices.add(target);
        }
        DiagramContent {
            objects: vertices.into_objects(),
            edges: edges.into_edges(self.rules.inner),
            unresolved: self.unresolved().len(),
        }
    }

    fn add_everything(&self, edges: &mut EdgeSet, vertices: &mut VertexSet<'a>) {
        let rules = self.edge_rules();
        let model = &rules.inner.model;
        let columns = indices(&model.columns).map(Node::Column);
        let objects = indices(&model.objects).map(Node::Object);
        for target in columns.chain(objects) {
            if rules.shows(target) {
                vertices.add(self.shown_node(target));
                self.add_edges_into(&rules, target, edges, |_| true);
            }
        }
    }

    fn add_reachable(&self, from: Vertex<'a>, depth: Option<u32>, edges: &mut EdgeSet, vertices: &mut VertexSet<'a>) {
        let walked = self.rules.flows(from, depth);
        let targets: HashSet<Node> = walked.iter().map(|&(_, target)| target).collect();
        // A trace can start at an intermediate result, which is shown for that reason alone. A walk back from a target stops
        // there, and also passes through it to what is behind.
        let mut stops_at_start = self.edge_rules();
        stops_at_start.starts = from.nodes().into_iter().collect();
        for rules in [self.edge_rules(), stops_at_start] {
            for &target in &targets {
                self.add_edges_into(&rules, target, edges, |source| walked.contains(&(source, target)));
            }
        }
        match from {
            Vertex::Column(column) => vertices.add(self.shown_node(Node::Column(column.at))),
            Vertex::Object(object) => vertices.add(Node::Object(object.at)),
        }
    }

    /// Returns the rules by which the attributes of edges are collected. They always walk upstream from the target,
    /// whichever direction was walked to find what to show.
    fn edge_rules(&self) -> WalkRules<'a> {
        let mut rules = self.rules.clone();
        rules.direction = Direction::Upstream;
        rules.detail = HopDetail::Effect;
        // If everything is shown, each relationship is drawn between the endpoints that it names.
        rules.joins_levels = rules.stop_at != StopAt::EveryNode;
        rules
    }

    fn add_edges_into(&self, rules: &WalkRules<'a>, target: Node, edges: &mut EdgeSet, keep: impl Fn(Node) -> bool) {
        for hop in rules.hops(target) {
            if keep(hop.to) && !hop.attributes.relation.is_absent() {
                edges.add(self.shown_node(hop.to), self.shown_node(target), hop.attributes);
            }
        }
    }

    /// Returns the node that stands for a node at the level of detail of this diagram.
    fn shown_node(&self, node: Node) -> Node {
        if self.by_object { self.rules.object_of(node).map_or(node, Node::Object) } else { node }
    }
}

impl fmt::Debug for Diagram<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Diagram").field("by_object", &self.by_object).finish_non_exhaustive()
    }
}

/// The edges of a diagram: source, target, and the attributes that distinguish edges between the same two vertices.
#[derive(Default)]
struct EdgeSet {
    edges: HashSet<(Node, Node, HopAttributes)>,
}

impl EdgeSet {
    fn add(&mut self, source: Node, target: Node, attributes: HopAttributes) {
        let HopAttributes { relation, effect, .. } = attributes;
        self.edges.insert((source, target, HopAttributes { relation, effect, ..HopAttributes::default() }));
    }

    fn into_edges(self, inner: &LineageInner) -> Vec<Edge<'_>> {
        let texts = &inner.model.texts;
        let mut edges: Vec<(Node, Node, HopAttributes)> = self.edges.into_iter().collect();
        // The order must not depend on the names and ids below alone: they may all be equal, or missing.
        edges.sort_unstable();
        let mut edges: Vec<Edge<'_>> = edges
            .into_iter()
            .filter_map(|(source, target, attributes)| {
                Some(Edge {
                    source: Vertex::new(inner, source)?,
                    target: Vertex::new(inner, target)?,
                    relation: RelationType::from(texts.get(attributes.relation)),
                    effect: texts.get_present(attributes.effect).map(EffectType::from),
                })
            })
            .collect();
        edges.sort_by_cached_key(|edge| {
            let name = |vertex: &Vertex<'_>| (vertex.qualified_name(), vertex.id().to_owned());
            let effect = edge.effect.as_ref().map(|effect| effect.as_str().to_owned());
            (name(&edge.source), name(&edge.target), edge.relation.as_str().to_owned(), effect)
        });
        edges
    }
}

/// The vertices of a diagram.
struct VertexSet<'a> {
    inner: &'a LineageInner,
    objects: HashSet<u32>,
    columns: HashSet<u32>,
}

impl<'a> VertexSet<'a> {
    fn new(inner: &'a LineageInner) -> Self {
        Self { inner, objects: HashSet::new(), columns: HashSet::new() }
    }

    fn add(&mut self, node: Node) {
        match node {
            Node::Object(at) => {
                self.objects.insert(at);
            }
            Node::Column(at) => {
                self.columns.insert(at);
                self.objects.insert(Column::new(self.inner, at).object().at);
            }
            Node::Process(_) => {}
        }
    }

    fn into_objects(self) -> Vec<ShownObject<'a>> {
        let mut objects: Vec<u32> = self.objects.iter().copied().collect();
        objects.sort_unstable();
        let mut objects: Vec<Object<'a>> = objects.into_iter().map(|at| Object::new(self.inner, at)).collect();
        objects.sort_by_cached_key(|object| (object.qualified_name(), object.id().to_owned()));
        objects
            .into_iter()
            .map(|object| ShownObject {
                object,
                columns: object.columns().filter(|column| self.columns.contains(&column.at)).collect(),
            })
            .collect()
    }
}
