//! What of a lineage is to be drawn, and at which grain; each format has a file of its own.

mod csv;
mod dot;
mod graphml;
mod mermaid;
#[cfg(feature = "petgraph")]
mod petgraph;
mod sketch;

use std::collections::HashSet;
use std::fmt;
use std::io::{self, BufWriter, Write};

use super::graph::walk::{Label, Rules, Stops};
use super::graph::{Direction, Node, Trace, Traced, Vertex};
use super::kinds::{EffectType, RelationType};
use super::model::indices;
use super::view::{Column, Object};
use super::{Lineage, LineageInner};

/// A lineage, or what was [traced](Trace) in it, as a graph to draw or to hand on.
///
/// Made by [`Lineage::diagram`] and [`Trace::diagram`]. As it stands it shows columns of stored objects and the `fdd`
/// relationships between them, intermediate results walked through.
///
/// ```
/// # use sqlflow_lineage::Lineage;
/// # let lineage: Lineage = r#"{"dbobjs": [
/// #     {"id": "1", "name": "ORDERS", "type": "table", "columns": [{"id": "2", "name": "TOTAL"}]},
/// #     {"id": "3", "name": "REPORT", "type": "view", "columns": [{"id": "4", "name": "SUM"}]}],
/// #   "relationships": [{"id": "5", "type": "fdd", "target": {"id": "4"}, "sources": [{"id": "2"}]}]}"#.parse()?;
/// let mut everything = Vec::new();
/// lineage.diagram().write_dot(&mut everything)?;
///
/// let report = lineage.object("REPORT")?;
/// let mut what_feeds_it = Vec::new();
/// report.upstream().diagram().by_object().write_mermaid(&mut what_feeds_it)?;
/// # assert!(String::from_utf8(what_feeds_it)?.contains("n0 --> n1"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Writing
///
/// The `write_…` methods stream: the text is never held whole, only the flows are. They buffer what they write and
/// flush it, so that a [`File`](std::fs::File) needs no buffer of its own. An error of the writer is all that they can
/// fail with. The same lineage gives the same bytes.
#[derive(Clone)]
#[must_use = "draws nothing until it is written"]
pub struct Diagram<'a> {
    rules: Rules<'a>,
    part: Part<'a>,
    by_object: bool,
}

#[derive(Clone)]
enum Part<'a> {
    Whole,
    Reached { from: Vertex<'a>, depth: Option<u32> },
}

/// A flow from one vertex of a [`Diagram`] to another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Edge<'a> {
    /// Where it comes from.
    pub source: Vertex<'a>,
    /// Where it goes.
    pub target: Vertex<'a>,
    /// The type of the relationships on the way; where they differ, the one that is no `fdd` closest to the target.
    pub relation: RelationType,
    /// The effect of the relationship into the target.
    pub effect: Option<EffectType>,
}

/// An object of a diagram, with those of its columns that are shown.
#[derive(Clone, Debug)]
pub(super) struct Drawn<'a> {
    pub(super) object: Object<'a>,
    pub(super) columns: Vec<Column<'a>>,
}

/// A diagram worked out: objects by qualified name, each once, with all vertices of the edges among them.
#[derive(Debug)]
pub(super) struct Drawing<'a> {
    pub(super) objects: Vec<Drawn<'a>>,
    pub(super) edges: Vec<Edge<'a>>,
}

impl Lineage {
    /// All of the lineage, to draw.
    pub fn diagram(&self) -> Diagram<'_> {
        Diagram { rules: Rules::new(&self.inner, Direction::Upstream), part: Part::Whole, by_object: false }
    }
}

impl<'a, T: Traced<'a>> Trace<'a, T> {
    /// What this question walks over, to draw: its start, what it reaches, and the flows between.
    ///
    /// Types, depth and intermediates are as set here; all that is reached is shown, [ultimate](Self::ultimate) or
    /// not, as the ways there are what a picture is for.
    pub fn diagram(&self) -> Diagram<'a> {
        let (from, depth) = self.extent();
        let mut rules = self.rules.clone();
        rules.stops = rules.stops.without_rows();
        Diagram { rules, part: Part::Reached { from, depth }, by_object: false }
    }
}

impl<'a> Diagram<'a> {
    /// Shows relationships of these types instead of `fdd` alone; see [`Trace::over`].
    ///
    /// With `fdr` among them every column of a result is joined to all that decides its rows, which can be a great many
    /// edges; [by object](Self::by_object) they are few, and [with intermediates](Self::with_intermediates) they meet
    /// in a record set.
    pub fn over<R: Into<RelationType>>(mut self, types: impl IntoIterator<Item = R>) -> Self {
        self.rules.follow(types.into_iter().map(Into::into));
        self
    }

    /// Shows what is walked through otherwise: results inside statements, routines and record sets.
    pub fn with_intermediates(mut self) -> Self {
        self.rules.stops = Stops::Everywhere;
        self
    }

    /// Shows objects alone, and between two of them one edge of a kind, however many of their columns are joined.
    pub fn by_object(mut self) -> Self {
        self.by_object = true;
        self.rules.stops = self.rules.stops.and_rows();
        self
    }

    /// The flows that it shows, each once, sorted by the qualified names of source and target.
    #[must_use]
    pub fn edges(&self) -> Vec<Edge<'a>> {
        self.draw().edges
    }

    fn write(
        &self,
        writer: impl Write,
        format: impl FnOnce(&Drawing<'a>, &mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut writer = BufWriter::new(writer);
        format(&self.draw(), &mut writer)?;
        writer.flush()
    }

    pub(super) fn draw(&self) -> Drawing<'a> {
        let mut pairs = Pairs::default();
        let mut shown = Shown::new(self.rules.inner);
        match &self.part {
            Part::Whole => self.draw_all(&mut pairs, &mut shown),
            Part::Reached { from, depth } => self.draw_reached(*from, *depth, &mut pairs, &mut shown),
        }
        for &(source, target, ..) in &pairs.labelled {
            shown.add(source);
            shown.add(target);
        }
        Drawing { objects: shown.into_objects(), edges: pairs.into_edges(self.rules.inner) }
    }

    fn draw_all(&self, pairs: &mut Pairs, shown: &mut Shown<'a>) {
        let rules = self.labelling();
        let model = &rules.inner.model;
        let columns = indices(&model.columns).map(Node::Column);
        let objects = indices(&model.objects).map(Node::Object);
        for target in columns.chain(objects) {
            if rules.shows(target) {
                shown.add(self.grain(target));
                self.draw_into(&rules, target, pairs, |_| true);
            }
        }
    }

    fn draw_reached(&self, from: Vertex<'a>, depth: Option<u32>, pairs: &mut Pairs, shown: &mut Shown<'a>) {
        let walked = self.rules.flows(from, depth);
        let targets: HashSet<Node> = walked.iter().map(|&(_, target)| target).collect();
        let rules = self.labelling();
        for target in targets {
            self.draw_into(&rules, target, pairs, |source| walked.contains(&(source, target)));
        }
        match from {
            Vertex::Column(column) => shown.add(self.grain(Node::Column(column.at))),
            Vertex::Object(object) => shown.add(Node::Object(object.at)),
        }
    }

    /// Labels are read from the target up, whichever way was walked to find what to show.
    fn labelling(&self) -> Rules<'a> {
        let mut rules = self.rules.clone();
        rules.direction = Direction::Upstream;
        rules.detailed = true;
        // Where everything is shown, each relationship is drawn between the ends that it names.
        rules.joins_levels = rules.stops != Stops::Everywhere;
        rules
    }

    fn draw_into(&self, rules: &Rules<'a>, target: Node, pairs: &mut Pairs, keep: impl Fn(Node) -> bool) {
        for hop in rules.hops(target) {
            if keep(hop.to) && !hop.label.relation.is_absent() {
                pairs.add(self.grain(hop.to), self.grain(target), hop.label);
            }
        }
    }

    fn grain(&self, node: Node) -> Node {
        if self.by_object { self.rules.object_of(node).map_or(node, Node::Object) } else { node }
    }
}

impl fmt::Debug for Diagram<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Diagram").field("by_object", &self.by_object).finish_non_exhaustive()
    }
}

/// Source, target, and what tells edges between the same two apart.
#[derive(Default)]
struct Pairs {
    labelled: HashSet<(Node, Node, Label)>,
}

impl Pairs {
    fn add(&mut self, source: Node, target: Node, label: Label) {
        let label = Label { relation: label.relation, effect: label.effect, ..Label::default() };
        self.labelled.insert((source, target, label));
    }

    fn into_edges(self, inner: &LineageInner) -> Vec<Edge<'_>> {
        let texts = &inner.model.texts;
        let mut labelled: Vec<(Node, Node, Label)> = self.labelled.into_iter().collect();
        // Names and ids may all be the same, or missing.
        labelled.sort_unstable();
        let mut edges: Vec<Edge<'_>> = labelled
            .into_iter()
            .map(|(source, target, label)| Edge {
                source: Vertex::new(inner, source),
                target: Vertex::new(inner, target),
                relation: RelationType::from(texts.get(label.relation)),
                effect: texts.get_present(label.effect).map(EffectType::from),
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

/// The nodes that a diagram has.
struct Shown<'a> {
    inner: &'a LineageInner,
    objects: HashSet<u32>,
    columns: HashSet<u32>,
}

impl<'a> Shown<'a> {
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
        }
    }

    fn into_objects(self) -> Vec<Drawn<'a>> {
        let mut objects: Vec<u32> = self.objects.iter().copied().collect();
        objects.sort_unstable();
        let mut objects: Vec<Object<'a>> = objects.into_iter().map(|at| Object::new(self.inner, at)).collect();
        objects.sort_by_cached_key(|object| (object.qualified_name(), object.id().to_owned()));
        objects
            .into_iter()
            .map(|object| Drawn {
                object,
                columns: object.columns().filter(|column| self.columns.contains(&column.at)).collect(),
            })
            .collect()
    }
}
