//! Diagrams as GraphML, with the graphics that yEd reads.

use std::collections::HashMap;
use std::io::{self, Write};

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::label::{printable, shorten};
use super::numbering::{VertexNumber, vertex_numbers};
use super::style::{BACKGROUND_COLOUR, EDGE_COLOUR, ObjectStyle};
use super::{Diagram, DiagramContent, Edge, ShownObject};
use crate::{Column, RelationType, Vertex};

const COLUMN_BORDER_COLOUR: &str = "#c8ced4";
const FONT_SIZE: &str = "12";
const LINE_WIDTH: &str = "1.0";

// Lengths, in the units of yEd.
const CHARACTER_WIDTH: f64 = 7.0;
const LINE_HEIGHT: f64 = 15.0;
/// The height of a column whose name is one line.
const ROW_HEIGHT: f64 = 24.0;
const TITLE_HEIGHT: f64 = 26.0;
const PADDING: f64 = 10.0;
/// The width that a label has in addition to its text.
const LABEL_MARGIN: f64 = 30.0;
const CLOSED_GROUP_HEIGHT: f64 = 50.0;
/// The distance between objects below each other.
const OBJECT_DISTANCE: f64 = 40.0;
/// The distance between objects next to each other.
const RANK_DISTANCE: f64 = 160.0;

const NAMESPACES: [(&str, &str); 4] = [
    ("xmlns", "http://graphml.graphdrawing.org/xmlns"),
    ("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance"),
    ("xmlns:y", "http://www.yworks.com/xml/graphml"),
    (
        "xsi:schemaLocation",
        "http://graphml.graphdrawing.org/xmlns http://www.yworks.com/xml/schema/graphml/1.1/ygraphml.xsd",
    ),
];

// The ids of the keys of `<data>` elements.
const NODE_GRAPHICS: &str = "d0";
const DESCRIPTION: &str = "d1";
const NAME: &str = "d2";
const KIND: &str = "d3";
const EDGE_GRAPHICS: &str = "d4";
const RELATION_TYPE: &str = "d5";
const EFFECT_TYPE: &str = "d6";

type XmlWriter<'w> = Writer<&'w mut dyn Write>;

impl Diagram<'_> {
    /// Writes the diagram as GraphML with yFiles graphics, in UTF-8. In yEd, objects are groups, columns are nodes in
    /// them, and yEd's own layouts improve on the simple one that is written.
    ///
    /// Other programs find the name of a node in `name`, its qualified name in `description`, the kind of an object in
    /// `kind`, and the words of an edge in `relationType` and `effectType`. Labels of more than 80 characters are
    /// truncated. Control characters that XML forbids are shown as their pictures (`␀`). The `desc` of the graph says how
    /// many edges could not be followed, if there are any.
    ///
    /// ```
    /// # use sqlflow_lineage::Lineage;
    /// # let lineage: Lineage = r#"{"dbobjs": [{"id": "1", "name": "ORDERS", "type": "table"}]}"#.parse()?;
    /// let mut graphml = Vec::new();
    /// lineage.diagram().with_intermediates().write_graphml(&mut graphml)?;
    /// assert!(String::from_utf8(graphml)?.contains(r#"<data key="d2">ORDERS</data>"#));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the errors of the writer.
    pub fn write_graphml(&self, writer: impl Write) -> io::Result<()> {
        self.write(writer, write)
    }
}

fn write(content: &DiagramContent<'_>, writer: &mut dyn Write) -> io::Result<()> {
    let numbers = vertex_numbers(content);
    let mut xml = Writer::new_with_indent(writer, b' ', 2);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), Some("no"))))?;
    xml.create_element("graphml").with_attributes(NAMESPACES).write_inner_content(|xml| {
        write_keys(xml)?;
        let graph = xml.create_element("graph").with_attributes([("id", "G"), ("edgedefault", "directed")]);
        graph.write_inner_content(|xml| {
            if let Some(note) = content.note() {
                write_text(xml, "desc", &[], &note)?;
            }
            for ((at, shown), rectangle) in content.objects.iter().enumerate().zip(rectangles(content, &numbers)) {
                write_object(at, shown, rectangle, xml)?;
            }
            for (at, edge) in content.edges.iter().enumerate() {
                if let (Some(source), Some(target)) = (numbers.get(&edge.source), numbers.get(&edge.target)) {
                    write_edge(at, *source, *target, edge, xml)?;
                }
            }
            Ok(())
        })?;
        Ok(())
    })?;
    xml.into_inner().write_all(b"\n")
}

fn write_keys(xml: &mut XmlWriter<'_>) -> io::Result<()> {
    write_key(xml, NODE_GRAPHICS, "node", &[("yfiles.type", "nodegraphics")])?;
    for (id, name) in [(DESCRIPTION, "description"), (NAME, "name"), (KIND, "kind")] {
        write_key(xml, id, "node", &[("attr.name", name), ("attr.type", "string")])?;
    }
    write_key(xml, EDGE_GRAPHICS, "edge", &[("yfiles.type", "edgegraphics")])?;
    for (id, name) in [(RELATION_TYPE, "relationType"), (EFFECT_TYPE, "effectType")] {
        write_key(xml, id, "edge", &[("attr.name", name), ("attr.type", "string")])?;
    }
    Ok(())
}

fn write_key(xml: &mut XmlWriter<'_>, id: &str, element: &str, values: &[(&str, &str)]) -> io::Result<()> {
    let key = xml.create_element("key").with_attributes([("id", id), ("for", element)]);
    key.with_attributes(values.iter().copied()).write_empty()?;
    Ok(())
}

fn write_empty(xml: &mut XmlWriter<'_>, name: &str, attributes: &[(&str, &str)]) -> io::Result<()> {
    xml.create_element(name).with_attributes(attributes.iter().copied()).write_empty()?;
    Ok(())
}

fn write_text(xml: &mut XmlWriter<'_>, name: &str, attributes: &[(&str, &str)], text: &str) -> io::Result<()> {
    // The writer escapes markup, but passes on the control characters that XML forbids.
    let text: String = text.chars().map(printable).collect();
    xml.create_element(name).with_attributes(attributes.iter().copied()).write_text_content(BytesText::new(&text))?;
    Ok(())
}

fn write_data(xml: &mut XmlWriter<'_>, key: &str, text: &str) -> io::Result<()> {
    write_text(xml, "data", &[("key", key)], text)
}

/// Writes the graphics of a node or an edge, inside `<data>` and the element that says what is drawn.
fn write_graphics(
    xml: &mut XmlWriter<'_>,
    key: &str,
    element: &str,
    content: impl FnOnce(&mut XmlWriter<'_>) -> io::Result<()>,
) -> io::Result<()> {
    xml.create_element("data").with_attribute(("key", key)).write_inner_content(|xml| {
        xml.create_element(element).write_inner_content(content)?;
        Ok(())
    })?;
    Ok(())
}

/// The position and size of a node.
#[derive(Clone, Copy, Debug, Default)]
struct Rectangle {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

impl Rectangle {
    fn write(self, xml: &mut XmlWriter<'_>) -> io::Result<()> {
        let [height, width, x, y] = [self.height, self.width, self.x, self.y].map(decimal);
        write_empty(xml, "y:Geometry", &[("height", &height), ("width", &width), ("x", &x), ("y", &y)])
    }
}

fn decimal(length: f64) -> String {
    format!("{length:.1}")
}

/// Returns the size of a label: the width of its longest line, and the number of its lines.
fn label_size(name: &str) -> (f64, f64) {
    let name = shorten(name);
    let longest = name.split('\n').map(|line| line.chars().count()).max().unwrap_or(0);
    // A shortened name is far from the limits of `u32`.
    let [longest, lines] = [longest, name.split('\n').count()].map(|n| f64::from(u32::try_from(n).unwrap_or(0)));
    (longest * CHARACTER_WIDTH, lines)
}

fn row_height(name: &str) -> f64 {
    let (_, lines) = label_size(name);
    (lines - 1.0).mul_add(LINE_HEIGHT, ROW_HEIGHT)
}

fn object_size(shown: &ShownObject<'_>) -> (f64, f64) {
    let names = shown.columns.iter().map(Column::name);
    let title = shown.object.qualified_name();
    let widest = names.clone().map(|name| label_size(name).0).fold(label_size(&title).0, f64::max);
    let rows: f64 = names.map(row_height).sum();
    (2.0f64.mul_add(PADDING, widest) + LABEL_MARGIN, 2.0f64.mul_add(PADDING, TITLE_HEIGHT + rows))
}

/// Returns the position of each object: to the right of the objects that feed it, and below the objects of equal rank.
fn rectangles(content: &DiagramContent<'_>, numbers: &HashMap<Vertex<'_>, VertexNumber>) -> Vec<Rectangle> {
    let ranks = ranks(content, numbers);
    let mut rectangles: Vec<Rectangle> = content
        .objects
        .iter()
        .map(|shown| {
            let (width, height) = object_size(shown);
            Rectangle { width, height, ..Rectangle::default() }
        })
        .collect();
    let mut widths = vec![0.0f64; ranks.iter().max().map_or(0, |highest| highest + 1)];
    let mut heights = vec![0.0f64; widths.len()];
    for (rectangle, &rank) in rectangles.iter_mut().zip(&ranks) {
        widths[rank] = widths[rank].max(rectangle.width);
        rectangle.y = heights[rank];
        heights[rank] += rectangle.height + OBJECT_DISTANCE;
    }
    let mut lefts = vec![0.0f64; widths.len()];
    for rank in 1..lefts.len() {
        lefts[rank] = lefts[rank - 1] + widths[rank - 1] + RANK_DISTANCE;
    }
    for (rectangle, &rank) in rectangles.iter_mut().zip(&ranks) {
        rectangle.x = lefts[rank];
    }
    rectangles
}

/// Returns the number of objects on the longest way into each object. A cycle is entered at its first object.
fn ranks(content: &DiagramContent<'_>, numbers: &HashMap<Vertex<'_>, VertexNumber>) -> Vec<usize> {
    let count = content.objects.len();
    let mut next: Vec<Vec<usize>> = vec![Vec::new(); count];
    for edge in &content.edges {
        if let (Some(source), Some(target)) = (numbers.get(&edge.source), numbers.get(&edge.target))
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

fn write_object(at: usize, shown: &ShownObject<'_>, rectangle: Rectangle, xml: &mut XmlWriter<'_>) -> io::Result<()> {
    let id = format!("n{at}");
    let name = shown.object.qualified_name();
    let node = xml.create_element("node").with_attribute(("id", &*id));
    if shown.columns.is_empty() {
        node.write_inner_content(|xml| {
            write_object_data(shown, &name, xml)?;
            write_graphics(xml, NODE_GRAPHICS, "y:ShapeNode", |xml| write_box(shown, &name, rectangle, xml))
        })?;
        return Ok(());
    }
    node.with_attribute(("yfiles.foldertype", "group")).write_inner_content(|xml| {
        write_object_data(shown, &name, xml)?;
        write_graphics(xml, NODE_GRAPHICS, "y:ProxyAutoBoundsNode", |xml| {
            xml.create_element("y:Realizers").with_attribute(("active", "0")).write_inner_content(|xml| {
                let closed = Rectangle { height: CLOSED_GROUP_HEIGHT, ..rectangle };
                write_group(shown, &name, rectangle, false, xml)?;
                write_group(shown, &name, closed, true, xml)
            })?;
            Ok(())
        })?;
        let graph_id = format!("{id}:");
        let graph = xml.create_element("graph").with_attributes([("id", &*graph_id), ("edgedefault", "directed")]);
        graph.write_inner_content(|xml| write_columns(at, shown, rectangle, xml))?;
        Ok(())
    })?;
    Ok(())
}

fn write_object_data(shown: &ShownObject<'_>, name: &str, xml: &mut XmlWriter<'_>) -> io::Result<()> {
    write_data(xml, DESCRIPTION, name)?;
    write_data(xml, NAME, name)?;
    write_data(xml, KIND, shown.object.kind_text())
}

/// Writes the graphics of an object without columns.
fn write_box(shown: &ShownObject<'_>, name: &str, rectangle: Rectangle, xml: &mut XmlWriter<'_>) -> io::Result<()> {
    let style = ObjectStyle::of(shown.object);
    rectangle.write(xml)?;
    write_fill(xml, style.fill_colour())?;
    write_object_border(xml, style)?;
    write_text(
        xml,
        "y:NodeLabel",
        &[
            ("alignment", "center"),
            ("autoSizePolicy", "content"),
            ("fontSize", FONT_SIZE),
            ("fontStyle", "bold"),
            ("modelName", "internal"),
            ("modelPosition", "c"),
        ],
        &shorten(name),
    )?;
    write_empty(xml, "y:Shape", &[("type", "roundrectangle")])
}

/// Writes the graphics of an object with columns, as an open or a closed group.
fn write_group(
    shown: &ShownObject<'_>,
    name: &str,
    rectangle: Rectangle,
    is_closed: bool,
    xml: &mut XmlWriter<'_>,
) -> io::Result<()> {
    let style = ObjectStyle::of(shown.object);
    xml.create_element("y:GroupNode").write_inner_content(|xml| {
        rectangle.write(xml)?;
        write_fill(xml, BACKGROUND_COLOUR)?;
        write_object_border(xml, style)?;
        write_text(
            xml,
            "y:NodeLabel",
            &[
                ("alignment", "center"),
                ("autoSizePolicy", "node_width"),
                ("backgroundColor", style.fill_colour()),
                ("fontSize", FONT_SIZE),
                ("fontStyle", "bold"),
                ("modelName", "internal"),
                ("modelPosition", "t"),
            ],
            &shorten(name),
        )?;
        write_empty(xml, "y:Shape", &[("type", "rectangle")])?;
        let state = [
            ("closed", if is_closed { "true" } else { "false" }),
            ("closedHeight", &decimal(CLOSED_GROUP_HEIGHT)),
            ("closedWidth", &decimal(rectangle.width)),
            ("innerGraphDisplayEnabled", "false"),
        ];
        write_empty(xml, "y:State", &state)?;
        write_insets(xml, "y:Insets", PADDING)?;
        write_insets(xml, "y:BorderInsets", 0.0)
    })?;
    Ok(())
}

/// Writes the distance between the border of a group and its content, which yEd wants as whole numbers and as decimals.
fn write_insets(xml: &mut XmlWriter<'_>, element: &str, inset: f64) -> io::Result<()> {
    let (whole, decimal) = (format!("{inset:.0}"), decimal(inset));
    let mut insets = xml.create_element(element);
    for (side, decimal_side) in [("bottom", "bottomF"), ("left", "leftF"), ("right", "rightF"), ("top", "topF")] {
        insets = insets.with_attributes([(side, &*whole), (decimal_side, &*decimal)]);
    }
    insets.write_empty()?;
    Ok(())
}

fn write_fill(xml: &mut XmlWriter<'_>, colour: &str) -> io::Result<()> {
    write_empty(xml, "y:Fill", &[("color", colour), ("transparent", "false")])
}

fn write_object_border(xml: &mut XmlWriter<'_>, style: ObjectStyle) -> io::Result<()> {
    write_border(xml, style.border_colour(), if style == ObjectStyle::Intermediate { "dashed" } else { "line" })
}

fn write_border(xml: &mut XmlWriter<'_>, colour: &str, line: &str) -> io::Result<()> {
    let attributes = [("color", colour), ("raised", "false"), ("type", line), ("width", LINE_WIDTH)];
    write_empty(xml, "y:BorderStyle", &attributes)
}

fn write_columns(at: usize, shown: &ShownObject<'_>, rectangle: Rectangle, xml: &mut XmlWriter<'_>) -> io::Result<()> {
    let mut y = rectangle.y + TITLE_HEIGHT + PADDING;
    for (number, column) in shown.columns.iter().enumerate() {
        let row = Rectangle {
            x: rectangle.x + PADDING,
            y,
            width: 2.0f64.mul_add(-PADDING, rectangle.width),
            height: row_height(column.name()),
        };
        y += row.height;
        write_column(VertexNumber::Column(at, number), *column, row, xml)?;
    }
    Ok(())
}

fn write_column(number: VertexNumber, column: Column<'_>, row: Rectangle, xml: &mut XmlWriter<'_>) -> io::Result<()> {
    xml.create_element("node").with_attribute(("id", &*node_id(number))).write_inner_content(|xml| {
        write_data(xml, DESCRIPTION, &column.qualified_name())?;
        write_data(xml, NAME, column.name())?;
        write_data(xml, KIND, "column")?;
        write_graphics(xml, NODE_GRAPHICS, "y:ShapeNode", |xml| {
            row.write(xml)?;
            write_fill(xml, BACKGROUND_COLOUR)?;
            write_border(xml, COLUMN_BORDER_COLOUR, "line")?;
            write_text(
                xml,
                "y:NodeLabel",
                &[
                    ("alignment", "left"),
                    ("autoSizePolicy", "content"),
                    ("fontSize", FONT_SIZE),
                    ("fontStyle", "plain"),
                    ("modelName", "internal"),
                    ("modelPosition", "l"),
                ],
                &shorten(column.name()),
            )?;
            write_empty(xml, "y:Shape", &[("type", "rectangle")])
        })
    })?;
    Ok(())
}

fn write_edge(
    at: usize,
    source: VertexNumber,
    target: VertexNumber,
    edge: &Edge<'_>,
    xml: &mut XmlWriter<'_>,
) -> io::Result<()> {
    let relation = edge.relation.as_str();
    let is_fdd = edge.relation == RelationType::Fdd;
    let (id, source, target) = (format!("e{at}"), node_id(source), node_id(target));
    let element = xml.create_element("edge");
    element.with_attributes([("id", &*id), ("source", &*source), ("target", &*target)]).write_inner_content(|xml| {
        write_data(xml, RELATION_TYPE, relation)?;
        write_data(xml, EFFECT_TYPE, edge.effect.as_ref().map_or("", |effect| effect.as_str()))?;
        write_graphics(xml, EDGE_GRAPHICS, "y:PolyLineEdge", |xml| {
            let line = if is_fdd { "line" } else { "dashed" };
            write_empty(xml, "y:LineStyle", &[("color", EDGE_COLOUR), ("type", line), ("width", LINE_WIDTH)])?;
            write_empty(xml, "y:Arrows", &[("source", "none"), ("target", "standard")])?;
            if !is_fdd {
                write_text(xml, "y:EdgeLabel", &[], relation)?;
            }
            write_empty(xml, "y:BendStyle", &[("smoothed", "false")])
        })
    })?;
    Ok(())
}

/// Returns the id of a node, in the form in which yEd numbers the nodes of groups.
fn node_id(number: VertexNumber) -> String {
    match number {
        VertexNumber::Object(object) => format!("n{object}"),
        VertexNumber::Column(object, column) => format!("n{object}::n{column}"),
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
    fn an_object_is_to_the_right_of_what_feeds_it_even_in_a_cycle() {
        let objects: Vec<String> =
            (0..4).map(|n| format!(r#"{{"id": "{n}", "name": "t{n}", "type": "table", "columns": []}}"#)).collect();
        let flow = |n: u32, from: u32, to: u32| {
            format!(r#"{{"id": "r{n}", "type": "fdd", "target": {{"id": "{to}"}}, "sources": [{{"id": "{from}"}}]}}"#)
        };
        let ranks = |flows: &[(u32, u32)]| {
            let flows: Vec<String> = (0..).zip(flows).map(|(n, &(from, to))| flow(n, from, to)).collect();
            let lineage = read_model(&objects.join(","), &flows.join(","));
            let content = lineage.diagram().content();
            super::ranks(&content, &vertex_numbers(&content))
        };
        assert_eq!(ranks(&[(0, 1), (1, 2), (0, 2), (0, 3)]), [0, 1, 2, 1]);
        assert_eq!(ranks(&[(3, 0), (0, 1), (1, 0), (1, 1)]), [1, 2, 0, 0]);
    }
}
