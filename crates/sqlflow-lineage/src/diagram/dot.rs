//! Diagrams as Graphviz DOT.

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use super::label::{kind_label, printable, shorten};
use super::numbering::{VertexNumber, vertex_numbers};
use super::style::{BACKGROUND_COLOUR, EDGE_COLOUR, ObjectStyle, TEXT_COLOUR};
use super::{Diagram, DiagramContent, Edge, ShownObject};
use crate::RelationType;

const FONT: &str = "Helvetica,Arial,sans-serif";
const NODE_FONT_SIZE: u32 = 11;
/// The size of the kind below the name of an object.
const KIND_FONT_SIZE: u32 = 9;
const EDGE_FONT_SIZE: u32 = 9;
/// The colour of the lines between the columns of an object.
const COLUMN_BORDER_COLOUR: &str = "#d5dbe1";
const ARROW_SIZE: f32 = 0.6;
/// The distance between objects below each other, in inches.
const NODE_DISTANCE: f32 = 0.35;
/// The distance between objects next to each other, in inches.
const RANK_DISTANCE: f32 = 1.1;
/// The padding of a column, in points.
const CELL_PADDING: u32 = 4;
/// The horizontal and vertical margin of an object without columns, in inches.
const BOX_MARGIN: &str = "0.12,0.06";

impl Diagram<'_> {
    /// Writes the diagram as Graphviz DOT in UTF-8, which `dot -Tsvg` turns into a picture.
    ///
    /// Each object is a box with a row for each of its columns, and edges lead from column to column. An edge that is
    /// not `fdd` is dashed and labelled with its type. Tables, views, intermediate results and routines have different
    /// colours. Names of more than 80 characters are truncated; the tooltip of the object holds the whole name.
    /// Control characters are shown as their pictures (`␀`).
    ///
    /// ```
    /// # use sqlflow_lineage::Lineage;
    /// # let lineage: Lineage = r#"{"dbobjs": [{"id": "1", "name": "ORDERS", "type": "table"}]}"#.parse()?;
    /// let mut dot = Vec::new();
    /// lineage.diagram().write_dot(&mut dot)?;
    /// assert!(dot.starts_with(b"digraph lineage {\n"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the errors of the writer.
    pub fn write_dot(&self, writer: impl Write) -> io::Result<()> {
        self.write(writer, write)
    }
}

fn write(content: &DiagramContent<'_>, writer: &mut dyn Write) -> io::Result<()> {
    write_defaults(writer)?;
    for (at, shown) in content.objects.iter().enumerate() {
        write_object(at, shown, writer)?;
    }
    if let Some(note) = content.note() {
        writeln!(writer, "  graph [label={}, labelloc=b, fontsize={NODE_FONT_SIZE}];", TooltipText(&note))?;
    }
    let numbers = vertex_numbers(content);
    for edge in &content.edges {
        if let (Some(source), Some(target)) = (numbers.get(&edge.source), numbers.get(&edge.target)) {
            write_edge(*source, *target, edge, writer)?;
        }
    }
    writer.write_all(b"}\n")
}

fn write_defaults(writer: &mut dyn Write) -> io::Result<()> {
    writeln!(
        writer,
        "digraph lineage {{\n  \
         graph [charset=\"UTF-8\", rankdir=LR, nodesep={NODE_DISTANCE}, ranksep={RANK_DISTANCE}, \
         fontname=\"{FONT}\"];\n  \
         node [shape=plain, fontname=\"{FONT}\", fontsize={NODE_FONT_SIZE}, fontcolor=\"{TEXT_COLOUR}\"];\n  \
         edge [color=\"{EDGE_COLOUR}\", arrowsize={ARROW_SIZE}, fontname=\"{FONT}\", fontsize={EDGE_FONT_SIZE}, \
         fontcolor=\"{EDGE_COLOUR}\"];"
    )
}

fn write_object(at: usize, shown: &ShownObject<'_>, writer: &mut dyn Write) -> io::Result<()> {
    let style = ObjectStyle::of(shown.object);
    let (fill, border) = (style.fill_colour(), style.border_colour());
    let line = if style == ObjectStyle::Intermediate { "dashed" } else { "solid" };
    write!(writer, "  n{at} [tooltip={}, ", TooltipText(&tooltip(shown)))?;
    if shown.columns.is_empty() {
        write!(
            writer,
            "shape=box, style=\"filled,{line}\", fillcolor=\"{fill}\", color=\"{border}\", margin=\"{BOX_MARGIN}\", \
             label=<"
        )?;
        write_title(shown, writer)?;
        return writer.write_all(b">];\n");
    }
    write!(
        writer,
        "label=<<TABLE BORDER=\"1\" CELLBORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"{CELL_PADDING}\" \
         COLOR=\"{border}\" \
         BGCOLOR=\"{BACKGROUND_COLOUR}\" STYLE=\"{line}\">\n    <TR><TD BGCOLOR=\"{fill}\">"
    )?;
    write_title(shown, writer)?;
    writer.write_all(b"</TD></TR>\n")?;
    for (number, column) in shown.columns.iter().enumerate() {
        let name = shorten(column.name());
        let name = HtmlText(&name);
        write!(
            writer,
            "    <TR><TD PORT=\"c{number}\" SIDES=\"T\" BORDER=\"1\" COLOR=\"{COLUMN_BORDER_COLOUR}\" ALIGN=\"LEFT\">"
        )?;
        if column.is_record_set() {
            write!(writer, "<I>{name}</I>")?;
        } else {
            write!(writer, "{name}")?;
        }
        writer.write_all(b"</TD></TR>\n")?;
    }
    writer.write_all(b"  </TABLE>>];\n")
}

fn write_title(shown: &ShownObject<'_>, writer: &mut dyn Write) -> io::Result<()> {
    write!(writer, "<B>{}</B>", HtmlText(&shorten(&shown.object.qualified_name())))?;
    match kind_label(shown.object) {
        "" => Ok(()),
        kind => {
            let kind = shorten(kind);
            write!(writer, "<BR/><FONT POINT-SIZE=\"{KIND_FONT_SIZE}\">{}</FONT>", HtmlText(&kind))
        }
    }
}

/// Returns the name of an object, and the names of its columns that are too long to be shown.
fn tooltip(shown: &ShownObject<'_>) -> String {
    let mut text = shown.object.qualified_name();
    for column in &shown.columns {
        if shorten(column.name()) != column.name() {
            text.push_str("\n\n");
            text.push_str(column.name());
        }
    }
    text
}

fn write_edge(source: VertexNumber, target: VertexNumber, edge: &Edge<'_>, writer: &mut dyn Write) -> io::Result<()> {
    let mut tooltip = format!("{} → {}\n{}", edge.source, edge.target, edge.relation);
    if let Some(effect) = &edge.effect {
        let _ = write!(tooltip, ", {effect}");
    }
    write!(writer, "  {} -> {} [tooltip={}", NodePort(source, "e"), NodePort(target, "w"), TooltipText(&tooltip))?;
    if edge.relation != RelationType::Fdd {
        let name = shorten(edge.relation.as_str());
        write!(writer, ", style=dashed, label=<{}>", HtmlText(&name))?;
    }
    writer.write_all(b"];\n")
}

/// An endpoint of an edge, and the side of the column at which the edge ends.
struct NodePort(VertexNumber, &'static str);

impl fmt::Display for NodePort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            VertexNumber::Object(object) => write!(f, "n{object}"),
            VertexNumber::Column(object, column) => write!(f, "n{object}:c{column}:{}", self.1),
        }
    }
}

/// The text of an HTML-like label. There Graphviz drops line breaks and tabs, treats a backslash as the start of an
/// escape, and refuses an element without text.
struct HtmlText<'t>(&'t str);

impl fmt::Display for HtmlText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("&#160;");
        }
        let mut lines = self.0.split('\n').peekable();
        let is_one = !self.0.contains('\n');
        while let Some(line) = lines.next() {
            let line = if lines.peek().is_some() { line.strip_suffix('\r').unwrap_or(line) } else { line };
            for character in line.chars() {
                match character {
                    '\\' => f.write_str("\\\\")?,
                    '\t' => f.write_str("&#160;&#160;&#160; ")?,
                    '\r' => f.write_char('␍')?,
                    // A bracket that is the only text of an element is a syntax error.
                    ']' => f.write_str("&#93;")?,
                    '&' => f.write_str("&amp;")?,
                    '<' => f.write_str("&lt;")?,
                    '>' => f.write_str("&gt;")?,
                    '"' => f.write_str("&quot;")?,
                    _ => f.write_char(printable(character))?,
                }
            }
            if !is_one {
                f.write_str("<BR ALIGN=\"LEFT\"/>")?;
            }
        }
        Ok(())
    }
}

/// The text of a tooltip, in quotes. Graphviz replaces escapes and entities in it.
struct TooltipText<'t>(&'t str);

impl fmt::Display for TooltipText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for character in self.0.chars() {
            match printable(character) {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '&' => f.write_str("&amp;")?,
                '\n' => f.write_str("\\n")?,
                '\r' => {}
                shown => f.write_char(shown)?,
            }
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{LAYOUT_C1, read};

    fn written(diagram: &Diagram<'_>) -> String {
        let mut bytes = Vec::new();
        diagram.write_dot(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn edges_lead_from_column_to_column_and_are_dashed_unless_they_are_fdd() {
        let lineage = read(LAYOUT_C1);
        let text = written(&lineage.diagram().over([RelationType::Fdd, RelationType::Join]));
        assert!(
            text.contains("<TD PORT=\"c1\" SIDES=\"T\" BORDER=\"1\" COLOR=\"#d5dbe1\" ALIGN=\"LEFT\">customer_id</TD>")
        );
        assert!(
            text.contains(
                "  n1:c0:e -> n2:c1:w [tooltip=\"sales.orders.amount → sales.report.total\\nfdd, insert\"];\n"
            )
        );
        assert!(
            text.contains("  n1:c1:e -> n0:c0:w [") && text.contains("join\", style=dashed, label=<join>];\n"),
            "{text}"
        );
    }

    #[test]
    fn objects_without_columns_are_plain_boxes() {
        let lineage = read(LAYOUT_C1);
        let text = written(&lineage.diagram().by_object());
        assert!(text.contains("label=<<B>sales.customers</B>>];\n"), "{text}");
        assert!(text.contains("  n0 -> n2 ["), "{text}");
        assert!(!text.contains("<TABLE"), "{text}");
    }

    #[test]
    fn a_name_is_escaped_in_labels_and_tooltips() {
        assert_eq!(
            HtmlText("a\\N<b>&\n\"q\"").to_string(),
            "a\\\\N&lt;b&gt;&amp;<BR ALIGN=\"LEFT\"/>&quot;q&quot;<BR ALIGN=\"LEFT\"/>"
        );
        assert_eq!(HtmlText("").to_string(), "&#160;");
        assert_eq!(TooltipText("\"\\N\"\n&").to_string(), "\"\\\"\\\\N\\\"\\n&amp;\"");
    }

    #[test]
    fn a_truncated_name_is_complete_in_the_tooltip() {
        let long = "x".repeat(100);
        let lineage = crate::fixtures::read_model(
            &format!(r#"{{"id": "1", "name": "t", "type": "table", "columns": [{{"id": "2", "name": "{long}"}}]}}"#),
            "",
        );
        let text = written(&lineage.diagram());
        assert!(text.contains(&format!("tooltip=\"t\\n\\n{long}\"")), "{text}");
        assert!(text.contains(&format!(">{}…</TD>", &long[..79])), "{text}");
    }
}
