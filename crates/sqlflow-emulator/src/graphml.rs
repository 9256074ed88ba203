//! A drawn lineage as GraphML with the labels of yEd. Owns the element and attribute names of that format.

use std::fmt::{self, Display};
use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use serde::{Serialize, Serializer};

use super::layout::{Drawing, DrawnColumn, DrawnEdge, DrawnTable};

const NAMESPACES: [(&str, &str); 4] = [
    ("xmlns", "http://graphml.graphdrawing.org/xmlns"),
    ("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance"),
    ("xmlns:y", "http://www.yworks.com/xml/graphml"),
    (
        "xsi:schemaLocation",
        "http://graphml.graphdrawing.org/xmlns http://www.yworks.com/xml/schema/graphml/1.1/ygraphml.xsd",
    ),
];

const NODE_GRAPHICS: &str = "d0";
const EDGE_GRAPHICS: &str = "d1";
const RELATION_TYPE: &str = "d2";

type Xml<'w> = Writer<&'w mut dyn io::Write>;

/// Writes a drawing: a group for each table with a node for each column, and an edge for each arrow.
pub(super) fn write(drawing: &Drawing<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    let mut xml = Writer::new_with_indent(out, b' ', 2);
    document(&mut xml, drawing)?;
    xml.into_inner().write_all(b"\n")
}

/// A drawing that is written as a JSON string with GraphML in it, without a copy of that string.
pub(super) struct GraphmlText<'a>(pub(super) &'a Drawing<'a>);

impl Serialize for GraphmlText<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Display for GraphmlText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(self.0, &mut FormatterAsWriter(f)).map_err(|_| fmt::Error)
    }
}

/// Passes text on to a formatter. The writer of XML writes whole strings, never a part of a character.
struct FormatterAsWriter<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl io::Write for FormatterAsWriter<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_str(&String::from_utf8_lossy(bytes)).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn document(xml: &mut Xml<'_>, drawing: &Drawing<'_>) -> io::Result<()> {
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), Some("no"))))?;
    parent(xml, "graphml", &NAMESPACES, |xml| {
        empty(xml, "key", &[("for", "node"), ("id", NODE_GRAPHICS), ("yfiles.type", "nodegraphics")])?;
        empty(xml, "key", &[("for", "edge"), ("id", EDGE_GRAPHICS), ("yfiles.type", "edgegraphics")])?;
        let relation_type =
            [("attr.name", "relationType"), ("attr.type", "string"), ("for", "edge"), ("id", RELATION_TYPE)];
        empty(xml, "key", &relation_type)?;
        parent(xml, "graph", &[("edgedefault", "directed"), ("id", "G")], |xml| {
            for table in drawing.tables() {
                if table.columns.is_empty() { plain_table(xml, &table) } else { group(xml, &table) }?;
            }
            drawing.edges().try_for_each(|edge| write_edge(xml, &edge))
        })
    })
}

fn plain_table(xml: &mut Xml<'_>, table: &DrawnTable<'_>) -> io::Result<()> {
    let rectangle = (table.x, table.y, table.width, table.height);
    parent(xml, "node", &[("id", &table.id)], |xml| shape(xml, &table.label.content, rectangle, "#FFCC99"))
}

fn group(xml: &mut Xml<'_>, table: &DrawnTable<'_>) -> io::Result<()> {
    parent(xml, "node", &[("id", &table.id), ("yfiles.foldertype", "group")], |xml| {
        parent(xml, "data", &[("key", NODE_GRAPHICS)], |xml| {
            parent(xml, "y:ProxyAutoBoundsNode", &[], |xml| {
                parent(xml, "y:Realizers", &[("active", "0")], |xml| {
                    parent(xml, "y:GroupNode", &[], |xml| group_node(xml, table))
                })
            })
        })?;
        let id = format!("{}:", table.id);
        parent(xml, "graph", &[("edgedefault", "directed"), ("id", &id)], |xml| {
            table.columns.iter().try_for_each(|column| write_column(xml, &column))
        })
    })
}

fn group_node(xml: &mut Xml<'_>, table: &DrawnTable<'_>) -> io::Result<()> {
    geometry(xml, (table.x, table.y, table.width, table.height))?;
    empty(xml, "y:Fill", &[("color", "#F2F2F2"), ("transparent", "false")])?;
    empty(xml, "y:BorderStyle", &[("color", "#000000"), ("type", "line"), ("width", "1.0")])?;
    let label = [
        ("alignment", "center"),
        ("autoSizePolicy", "node_width"),
        ("backgroundColor", "#FFCC99"),
        ("modelName", "internal"),
        ("modelPosition", "t"),
    ];
    text(xml, "y:NodeLabel", &label, &table.label.content)?;
    empty(xml, "y:Shape", &[("type", "rectangle")])?;
    empty(xml, "y:State", &[("closed", "false"), ("innerGraphDisplayEnabled", "false")])
}

fn write_column(xml: &mut Xml<'_>, column: &DrawnColumn) -> io::Result<()> {
    let rectangle = (column.x, column.y, column.width, column.height);
    parent(xml, "node", &[("id", &column.id)], |xml| shape(xml, &column.label.content, rectangle, "#FFFFFF"))
}

/// The x and y of the upper left corner, the width and the height.
type Rectangle = (f64, f64, f64, f64);

fn shape(xml: &mut Xml<'_>, label: &str, rectangle: Rectangle, color: &str) -> io::Result<()> {
    parent(xml, "data", &[("key", NODE_GRAPHICS)], |xml| {
        parent(xml, "y:ShapeNode", &[], |xml| {
            geometry(xml, rectangle)?;
            empty(xml, "y:Fill", &[("color", color), ("transparent", "false")])?;
            let attributes = [("alignment", "center"), ("modelName", "internal"), ("modelPosition", "c")];
            text(xml, "y:NodeLabel", &attributes, label)?;
            empty(xml, "y:Shape", &[("type", "rectangle")])
        })
    })
}

fn geometry(xml: &mut Xml<'_>, (x, y, width, height): Rectangle) -> io::Result<()> {
    let [height, width, x, y] = [height, width, x, y].map(|number| number.to_string());
    empty(xml, "y:Geometry", &[("height", &height), ("width", &width), ("x", &x), ("y", &y)])
}

fn write_edge(xml: &mut Xml<'_>, edge: &DrawnEdge) -> io::Result<()> {
    let attributes = [("id", edge.id.as_str()), ("source", &edge.source), ("target", &edge.target)];
    let style = if edge.kind == "fdd" { "line" } else { "dashed" };
    parent(xml, "edge", &attributes, |xml| {
        parent(xml, "data", &[("key", EDGE_GRAPHICS)], |xml| {
            parent(xml, "y:PolyLineEdge", &[], |xml| {
                empty(xml, "y:LineStyle", &[("color", "#000000"), ("type", style), ("width", "1.0")])?;
                empty(xml, "y:Arrows", &[("source", "none"), ("target", "standard")])
            })
        })?;
        text(xml, "data", &[("key", RELATION_TYPE)], edge.kind)
    })
}

fn parent<'w>(
    xml: &mut Xml<'w>,
    name: &str,
    attributes: &[(&str, &str)],
    content: impl FnOnce(&mut Xml<'w>) -> io::Result<()>,
) -> io::Result<()> {
    xml.create_element(name).with_attributes(attributes.iter().copied()).write_inner_content(content)?;
    Ok(())
}

fn empty(xml: &mut Xml<'_>, name: &str, attributes: &[(&str, &str)]) -> io::Result<()> {
    xml.create_element(name).with_attributes(attributes.iter().copied()).write_empty()?;
    Ok(())
}

fn text(xml: &mut Xml<'_>, name: &str, attributes: &[(&str, &str)], content: &str) -> io::Result<()> {
    let content: String = content.chars().filter(|character| is_writable(*character)).collect();
    let element = xml.create_element(name).with_attributes(attributes.iter().copied());
    element.write_text_content(BytesText::new(&content))?;
    Ok(())
}

/// Returns `true` for a character that XML 1.0 can write, even if only as an escape.
fn is_writable(character: char) -> bool {
    match character {
        '\t' | '\n' | '\r' => true,
        '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(content: &str) -> String {
        let mut bytes = Vec::new();
        text(&mut Writer::new(&mut bytes), "data", &[], content).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn markup_in_a_name_is_escaped() {
        for name in ["a<b> & \"c\" 'd'", "two\nlines\r", "größe 表"] {
            let xml = written(name);
            let document = roxmltree::Document::parse(&xml).unwrap();
            assert_eq!(document.root_element().text(), Some(name));
        }
        assert_eq!(written("a<b> & c"), "<data>a&lt;b&gt; &amp; c</data>");
    }

    #[test]
    fn characters_that_xml_cannot_write_are_left_out() {
        assert_eq!(written("a\u{0}\u{b}b\u{fffe}"), "<data>ab</data>");
    }
}
