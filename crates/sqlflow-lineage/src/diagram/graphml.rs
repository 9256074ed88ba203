//! As GraphML with what yEd adds to it.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Write};

use super::sketch::{Look, Place, places, short, xml_character};
use super::{Diagram, Drawing, Drawn, Edge};
use crate::{Column, RelationType, Vertex};

const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:y="http://www.yworks.com/xml/graphml" xsi:schemaLocation="http://graphml.graphdrawing.org/xmlns http://www.yworks.com/xml/schema/graphml/1.1/ygraphml.xsd">
  <key id="d0" for="node" yfiles.type="nodegraphics"/>
  <key id="d1" for="node" attr.name="description" attr.type="string"/>
  <key id="d2" for="node" attr.name="name" attr.type="string"/>
  <key id="d3" for="node" attr.name="kind" attr.type="string"/>
  <key id="d4" for="edge" yfiles.type="edgegraphics"/>
  <key id="d5" for="edge" attr.name="relationType" attr.type="string"/>
  <key id="d6" for="edge" attr.name="effectType" attr.type="string"/>
  <graph id="G" edgedefault="directed">
"#;

const TAIL: &str = "  </graph>\n</graphml>\n";

impl Diagram<'_> {
    /// Writes the diagram as GraphML with yFiles graphics, in UTF-8: yEd opens it, with objects as groups and columns
    /// as nodes in them, and lays it out better than it comes.
    ///
    /// Other programs find the names of nodes in `name`, qualified in `description`, what an object is in `kind`, and
    /// the words of an edge in `relationType` and `effectType`. Labels of more than 80 characters are cut short. What
    /// XML cannot hold is shown by pictures of control characters (`␀`).
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write_graphml(&self, writer: impl Write) -> io::Result<()> {
        self.write(writer, write)
    }
}

fn write(drawing: &Drawing<'_>, writer: &mut dyn Write) -> io::Result<()> {
    let places = places(drawing);
    writer.write_all(HEAD.as_bytes())?;
    for ((at, drawn), corner) in drawing.objects.iter().enumerate().zip(corners(drawing, &places)) {
        write_object(at, drawn, corner, writer)?;
    }
    for (at, edge) in drawing.edges.iter().enumerate() {
        if let (Some(source), Some(target)) = (places.get(&edge.source), places.get(&edge.target)) {
            write_edge(at, *source, *target, edge, writer)?;
        }
    }
    writer.write_all(TAIL.as_bytes())
}

const ROW: f64 = 24.0;
const TITLE: f64 = 26.0;
const PADDING: f64 = 10.0;
const GAP: f64 = 40.0;
const BETWEEN_RANKS: f64 = 160.0;
const CHARACTER: f64 = 7.0;
/// The height of a group that is closed.
const CLOSED: f64 = 50.0;

#[derive(Clone, Copy, Debug, Default)]
struct Rectangle {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

impl fmt::Display for Rectangle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { x, y, width, height } = self;
        write!(f, r#"<y:Geometry height="{height:.1}" width="{width:.1}" x="{x:.1}" y="{y:.1}"/>"#)
    }
}

/// The size of text in a label: the width of its longest line, and the number of its lines.
fn extent(name: &str) -> (f64, f64) {
    let name = short(name);
    let longest = name.split('\n').map(|line| line.chars().count()).max().unwrap_or(0);
    // A shown name is short, and so are these.
    let [longest, lines] = [longest, name.split('\n').count()].map(|n| f64::from(u32::try_from(n).unwrap_or(0)));
    (longest * CHARACTER, lines)
}

fn row_height(name: &str) -> f64 {
    let (_, lines) = extent(name);
    (lines - 1.0).mul_add(15.0, ROW)
}

fn size(drawn: &Drawn<'_>) -> (f64, f64) {
    let names = drawn.columns.iter().map(Column::name);
    let title = drawn.object.qualified_name();
    let widest = names.clone().map(|name| extent(name).0).fold(extent(&title).0, f64::max);
    let rows: f64 = names.map(row_height).sum();
    (2.0f64.mul_add(PADDING, widest) + 30.0, 2.0f64.mul_add(PADDING, TITLE + rows))
}

/// Where each object is put: objects that feed others to the left of them, those as far from the left below each
/// other.
fn corners(drawing: &Drawing<'_>, places: &HashMap<Vertex<'_>, Place>) -> Vec<Rectangle> {
    let ranks = ranks(drawing, places);
    let mut rectangles: Vec<Rectangle> = drawing
        .objects
        .iter()
        .map(|drawn| {
            let (width, height) = size(drawn);
            Rectangle { width, height, ..Rectangle::default() }
        })
        .collect();
    let mut widths = vec![0.0f64; ranks.iter().max().map_or(0, |most| most + 1)];
    let mut heights = vec![0.0f64; widths.len()];
    for (rectangle, &rank) in rectangles.iter_mut().zip(&ranks) {
        widths[rank] = widths[rank].max(rectangle.width);
        rectangle.y = heights[rank];
        heights[rank] += rectangle.height + GAP;
    }
    let mut lefts = vec![0.0f64; widths.len()];
    for rank in 1..lefts.len() {
        lefts[rank] = lefts[rank - 1] + widths[rank - 1] + BETWEEN_RANKS;
    }
    for (rectangle, &rank) in rectangles.iter_mut().zip(&ranks) {
        rectangle.x = lefts[rank];
    }
    rectangles
}

/// How many objects are on the longest way into each one; a cycle is entered where its first object stands.
fn ranks(drawing: &Drawing<'_>, places: &HashMap<Vertex<'_>, Place>) -> Vec<usize> {
    let count = drawing.objects.len();
    let mut next: Vec<Vec<usize>> = vec![Vec::new(); count];
    for edge in &drawing.edges {
        if let (Some(source), Some(target)) = (places.get(&edge.source), places.get(&edge.target))
            && source.object() != target.object()
        {
            next[source.object()].push(target.object());
        }
    }
    let mut waiting_for = vec![0usize; count];
    for targets in &mut next {
        targets.sort_unstable();
        targets.dedup();
        for &target in &*targets {
            waiting_for[target] += 1;
        }
    }
    let mut ranks = vec![0; count];
    let mut done = vec![false; count];
    let mut ready: Vec<usize> = Vec::new();
    for first in (0..count).filter(|&at| waiting_for[at] == 0).collect::<Vec<_>>().into_iter().chain(0..count) {
        ready.push(first);
        while let Some(at) = ready.pop() {
            if std::mem::replace(&mut done[at], true) {
                continue;
            }
            for &target in &next[at] {
                if done[target] {
                    continue;
                }
                ranks[target] = ranks[target].max(ranks[at] + 1);
                waiting_for[target] -= 1;
                if waiting_for[target] == 0 {
                    ready.push(target);
                }
            }
        }
    }
    ranks
}

fn write_object(at: usize, drawn: &Drawn<'_>, rectangle: Rectangle, writer: &mut dyn Write) -> io::Result<()> {
    let object = drawn.object;
    let look = Look::of(object);
    let (fill, border) = (look.fill(), look.border());
    let line = if look == Look::Intermediate { "dashed" } else { "line" };
    let name = object.qualified_name();
    let data = format!(
        "      <data key=\"d1\">{0}</data>\n      <data key=\"d2\">{0}</data>\n      <data key=\"d3\">{1}</data>\n",
        Text(&name),
        Text(object.kind_text())
    );
    let label = short(&name);
    let label = Text(&label);
    let border = format!(r#"<y:BorderStyle color="{border}" raised="false" type="{line}" width="1.0"/>"#);
    if drawn.columns.is_empty() {
        return write!(
            writer,
            r#"    <node id="n{at}">
{data}      <data key="d0">
        <y:ShapeNode>
          {rectangle}
          <y:Fill color="{fill}" transparent="false"/>
          {border}
          <y:NodeLabel alignment="center" autoSizePolicy="content" fontSize="12" fontStyle="bold" modelName="internal" modelPosition="c">{label}</y:NodeLabel>
          <y:Shape type="roundrectangle"/>
        </y:ShapeNode>
      </data>
    </node>
"#
        );
    }
    write!(
        writer,
        r#"    <node id="n{at}" yfiles.foldertype="group">
{data}      <data key="d0">
        <y:ProxyAutoBoundsNode>
          <y:Realizers active="0">
"#
    )?;
    // As it is when open, and when closed.
    for (is_closed, rectangle) in [(false, rectangle), (true, Rectangle { height: CLOSED, ..rectangle })] {
        write!(
            writer,
            r##"            <y:GroupNode>
              {rectangle}
              <y:Fill color="#ffffff" transparent="false"/>
              {border}
              <y:NodeLabel alignment="center" autoSizePolicy="node_width" backgroundColor="{fill}" fontSize="12" fontStyle="bold" modelName="internal" modelPosition="t">{label}</y:NodeLabel>
              <y:Shape type="rectangle"/>
              <y:State closed="{is_closed}" closedHeight="{CLOSED:.1}" closedWidth="{width:.1}" innerGraphDisplayEnabled="false"/>
              <y:Insets bottom="10" bottomF="10.0" left="10" leftF="10.0" right="10" rightF="10.0" top="10" topF="10.0"/>
              <y:BorderInsets bottom="0" bottomF="0.0" left="0" leftF="0.0" right="0" rightF="0.0" top="0" topF="0.0"/>
            </y:GroupNode>
"##,
            width = rectangle.width
        )?;
    }
    write!(
        writer,
        r#"          </y:Realizers>
        </y:ProxyAutoBoundsNode>
      </data>
      <graph id="n{at}:" edgedefault="directed">
"#
    )?;
    let mut y = rectangle.y + TITLE + PADDING;
    for (number, column) in drawn.columns.iter().enumerate() {
        let row = Rectangle {
            x: rectangle.x + PADDING,
            y,
            width: 2.0f64.mul_add(-PADDING, rectangle.width),
            height: row_height(column.name()),
        };
        y += row.height;
        write_column(Id(Place::Column(at, number)), column.name(), &column.qualified_name(), row, writer)?;
    }
    writer.write_all(b"      </graph>\n    </node>\n")
}

fn write_column(id: Id, name: &str, qualified: &str, row: Rectangle, writer: &mut dyn Write) -> io::Result<()> {
    write!(
        writer,
        r##"        <node id="{id}">
          <data key="d1">{}</data>
          <data key="d2">{}</data>
          <data key="d3">column</data>
          <data key="d0">
            <y:ShapeNode>
              {row}
              <y:Fill color="#ffffff" transparent="false"/>
              <y:BorderStyle color="#c8ced4" raised="false" type="line" width="1.0"/>
              <y:NodeLabel alignment="left" autoSizePolicy="content" fontSize="12" fontStyle="plain" modelName="internal" modelPosition="l">{}</y:NodeLabel>
              <y:Shape type="rectangle"/>
            </y:ShapeNode>
          </data>
        </node>
"##,
        Text(qualified),
        Text(name),
        Text(&short(name))
    )
}

fn write_edge(at: usize, source: Place, target: Place, edge: &Edge<'_>, writer: &mut dyn Write) -> io::Result<()> {
    let relation = Text(edge.relation.as_str());
    let is_plain = edge.relation == RelationType::Fdd;
    let line = if is_plain { "line" } else { "dashed" };
    write!(
        writer,
        r##"    <edge id="e{at}" source="{}" target="{}">
      <data key="d5">{relation}</data>
      <data key="d6">{}</data>
      <data key="d4">
        <y:PolyLineEdge>
          <y:LineStyle color="#5c6b7a" type="{line}" width="1.0"/>
          <y:Arrows source="none" target="standard"/>
"##,
        Id(source),
        Id(target),
        Text(edge.effect.as_ref().map_or("", |effect| effect.as_str())),
    )?;
    if !is_plain {
        writeln!(writer, "          <y:EdgeLabel>{relation}</y:EdgeLabel>")?;
    }
    writer.write_all(
        b"          <y:BendStyle smoothed=\"false\"/>\n        </y:PolyLineEdge>\n      </data>\n    </edge>\n",
    )
}

/// As yEd numbers nodes in groups.
#[derive(Clone, Copy)]
struct Id(Place);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Place::Object(object) => write!(f, "n{object}"),
            Place::Column(object, column) => write!(f, "n{object}::n{column}"),
        }
    }
}

struct Text<'t>(&'t str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| xml_character(f, character))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{LAYOUT_C1, read, read_model};

    #[test]
    fn columns_are_nodes_in_the_groups_of_their_objects() {
        let lineage = read(LAYOUT_C1);
        let mut bytes = Vec::new();
        lineage.diagram().write_graphml(&mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text.matches("yfiles.foldertype=\"group\"").count(), 3);
        assert!(
            text.contains("<node id=\"n1::n0\">\n          <data key=\"d1\">sales.orders.amount</data>\n"),
            "{text}"
        );
        assert!(text.contains("source=\"n1::n0\" target=\"n2::n1\">\n      <data key=\"d5\">fdd</data>\n"), "{text}");
        assert!(text.ends_with("</graphml>\n"));
    }

    #[test]
    fn what_feeds_stands_left_of_what_it_feeds_even_in_a_cycle() {
        let objects: Vec<String> =
            (0..4).map(|n| format!(r#"{{"id": "{n}", "name": "t{n}", "type": "table", "columns": []}}"#)).collect();
        let flow = |n: u32, from: u32, to: u32| {
            format!(r#"{{"id": "r{n}", "type": "fdd", "target": {{"id": "{to}"}}, "sources": [{{"id": "{from}"}}]}}"#)
        };
        let ranks = |flows: &[(u32, u32)]| {
            let flows: Vec<String> = (0..).zip(flows).map(|(n, &(from, to))| flow(n, from, to)).collect();
            let lineage = read_model(&objects.join(","), &flows.join(","));
            let drawing = lineage.diagram().draw();
            super::ranks(&drawing, &places(&drawing))
        };
        assert_eq!(ranks(&[(0, 1), (1, 2), (0, 2), (0, 3)]), [0, 1, 2, 1]);
        assert_eq!(ranks(&[(3, 0), (0, 1), (1, 0), (1, 1)]), [1, 2, 0, 0]);
    }
}
