//! A drawn lineage as GraphML with yEd's labels.

use std::fmt::Write as _;

use super::layout::{Drawing, DrawnColumn, DrawnEdge, DrawnTable};

const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:y="http://www.yworks.com/xml/graphml" xsi:schemaLocation="http://graphml.graphdrawing.org/xmlns http://www.yworks.com/xml/schema/graphml/1.1/ygraphml.xsd">
  <key for="node" id="d0" yfiles.type="nodegraphics"/>
  <key for="edge" id="d1" yfiles.type="edgegraphics"/>
  <key attr.name="relationType" attr.type="string" for="edge" id="d2"/>
  <graph edgedefault="directed" id="G">
"#;

const TAIL: &str = "  </graph>\n</graphml>\n";

/// Writes a drawing: a group for each table with a node for each column, and an edge for each arrow.
pub(super) fn write(drawing: &Drawing) -> String {
    let mut xml = String::from(HEAD);
    for table in &drawing.tables {
        // Writing to a string cannot fail.
        let _ = if table.columns.is_empty() { plain_table(&mut xml, table) } else { group(&mut xml, table) };
    }
    for edge in &drawing.edges {
        let _ = write_edge(&mut xml, edge);
    }
    xml.push_str(TAIL);
    xml
}

fn plain_table(xml: &mut String, table: &DrawnTable) -> std::fmt::Result {
    writeln!(xml, r#"    <node id="{}">"#, escape(&table.id))?;
    shape(xml, "      ", &table.label.content, (table.x, table.y, table.width, table.height), "#FFCC99")?;
    writeln!(xml, "    </node>")
}

fn group(xml: &mut String, table: &DrawnTable) -> std::fmt::Result {
    let id = escape(&table.id);
    writeln!(xml, r#"    <node id="{id}" yfiles.foldertype="group">"#)?;
    writeln!(xml, r#"      <data key="d0"><y:ProxyAutoBoundsNode><y:Realizers active="0"><y:GroupNode>"#)?;
    geometry(xml, "        ", (table.x, table.y, table.width, table.height))?;
    writeln!(xml, r##"        <y:Fill color="#F2F2F2" transparent="false"/>"##)?;
    writeln!(xml, r##"        <y:BorderStyle color="#000000" type="line" width="1.0"/>"##)?;
    writeln!(
        xml,
        r##"        <y:NodeLabel alignment="center" autoSizePolicy="node_width" backgroundColor="#FFCC99" modelName="internal" modelPosition="t">{}</y:NodeLabel>"##,
        escape(&table.label.content)
    )?;
    writeln!(xml, r#"        <y:Shape type="rectangle"/>"#)?;
    writeln!(xml, r#"        <y:State closed="false" innerGraphDisplayEnabled="false"/>"#)?;
    writeln!(xml, "      </y:GroupNode></y:Realizers></y:ProxyAutoBoundsNode></data>")?;
    writeln!(xml, r#"      <graph edgedefault="directed" id="{id}:">"#)?;
    table.columns.iter().try_for_each(|column| write_column(xml, column))?;
    writeln!(xml, "      </graph>")?;
    writeln!(xml, "    </node>")
}

fn write_column(xml: &mut String, column: &DrawnColumn) -> std::fmt::Result {
    writeln!(xml, r#"        <node id="{}">"#, escape(&column.id))?;
    shape(xml, "          ", &column.label.content, (column.x, column.y, column.width, column.height), "#FFFFFF")?;
    writeln!(xml, "        </node>")
}

type Rectangle = (f64, f64, f64, f64);

fn shape(xml: &mut String, indent: &str, label: &str, rectangle: Rectangle, color: &str) -> std::fmt::Result {
    writeln!(xml, r#"{indent}<data key="d0"><y:ShapeNode>"#)?;
    geometry(xml, &format!("{indent}  "), rectangle)?;
    writeln!(xml, r#"{indent}  <y:Fill color="{color}" transparent="false"/>"#)?;
    writeln!(
        xml,
        r#"{indent}  <y:NodeLabel alignment="center" modelName="internal" modelPosition="c">{}</y:NodeLabel>"#,
        escape(label)
    )?;
    writeln!(xml, r#"{indent}  <y:Shape type="rectangle"/>"#)?;
    writeln!(xml, "{indent}</y:ShapeNode></data>")
}

fn geometry(xml: &mut String, indent: &str, (x, y, width, height): Rectangle) -> std::fmt::Result {
    writeln!(xml, r#"{indent}<y:Geometry height="{height}" width="{width}" x="{x}" y="{y}"/>"#)
}

fn write_edge(xml: &mut String, edge: &DrawnEdge) -> std::fmt::Result {
    let (id, source, target) = (escape(&edge.id), escape(&edge.source), escape(&edge.target));
    writeln!(xml, r#"    <edge id="{id}" source="{source}" target="{target}">"#)?;
    let style = if edge.kind == "fdd" { "line" } else { "dashed" };
    writeln!(
        xml,
        r##"      <data key="d1"><y:PolyLineEdge><y:LineStyle color="#000000" type="{style}" width="1.0"/><y:Arrows source="none" target="standard"/></y:PolyLineEdge></data>"##
    )?;
    writeln!(xml, r#"      <data key="d2">{}</data>"#, edge.kind)?;
    writeln!(xml, "    </edge>")
}

/// Escapes text for elements and attributes. Characters that XML 1.0 has no way to write are left out.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\t' | '\n' | '\r' => {
                let _ = write!(escaped, "&#{};", u32::from(character));
            }
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {}
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_a_name_is_escaped() {
        assert_eq!(escape("a<b> & \"c\" 'd'"), "a&lt;b&gt; &amp; &quot;c&quot; &apos;d&apos;");
        assert_eq!(escape("two\nlines\u{0}\u{b}"), "two&#10;lines");
        assert_eq!(escape("größe 表"), "größe 表");
    }
}
