//! As a picture for Graphviz.

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use super::sketch::{Look, Place, kind_shown, places, short, visible, xml_character};
use super::{Diagram, Drawing, Drawn, Edge};
use crate::RelationType;

const HEAD: &str = r##"digraph lineage {
  graph [charset="UTF-8", rankdir=LR, nodesep=0.35, ranksep=1.1, fontname="Helvetica,Arial,sans-serif"];
  node [shape=plain, fontname="Helvetica,Arial,sans-serif", fontsize=11, fontcolor="#1f2933"];
  edge [color="#5c6b7a", arrowsize=0.6, fontname="Helvetica,Arial,sans-serif", fontsize=9, fontcolor="#5c6b7a"];
"##;

impl Diagram<'_> {
    /// Writes the diagram as Graphviz DOT, in UTF-8: `dot -Tsvg` makes a picture of it.
    ///
    /// Each object is a box with a row for each of its columns, and edges lead from column to column; an edge that is
    /// no `fdd` is dashed and says what it is. Tables, views, intermediate results and routines differ in colour.
    /// A name of more than 80 characters is cut short, and whole in the tooltip of its object. Control characters are
    /// shown by their pictures (`␀`).
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write_dot(&self, writer: impl Write) -> io::Result<()> {
        self.write(writer, write)
    }
}

fn write(drawing: &Drawing<'_>, writer: &mut dyn Write) -> io::Result<()> {
    writer.write_all(HEAD.as_bytes())?;
    for (at, drawn) in drawing.objects.iter().enumerate() {
        write_object(at, drawn, writer)?;
    }
    let places = places(drawing);
    for edge in &drawing.edges {
        if let (Some(source), Some(target)) = (places.get(&edge.source), places.get(&edge.target)) {
            write_edge(*source, *target, edge, writer)?;
        }
    }
    writer.write_all(b"}\n")
}

fn write_object(at: usize, drawn: &Drawn<'_>, writer: &mut dyn Write) -> io::Result<()> {
    let look = Look::of(drawn.object);
    let (fill, border) = (look.fill(), look.border());
    let style = if look == Look::Intermediate { "dashed" } else { "solid" };
    write!(writer, "  n{at} [tooltip={}, ", Quoted(&tooltip(drawn), NODE_BACKSLASH))?;
    if drawn.columns.is_empty() {
        write!(
            writer,
            "shape=box, style=\"filled,{style}\", fillcolor=\"{fill}\", color=\"{border}\", margin=\"0.12,0.06\", \
             label=<"
        )?;
        write_title(drawn, writer)?;
        return writer.write_all(b">];\n");
    }
    write!(
        writer,
        "label=<<TABLE BORDER=\"1\" CELLBORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"4\" COLOR=\"{border}\" \
         BGCOLOR=\"#ffffff\" STYLE=\"{style}\">\n    <TR><TD BGCOLOR=\"{fill}\">"
    )?;
    write_title(drawn, writer)?;
    writer.write_all(b"</TD></TR>\n")?;
    for (number, column) in drawn.columns.iter().enumerate() {
        let name = short(column.name());
        let name = Label(&name);
        write!(writer, "    <TR><TD PORT=\"c{number}\" SIDES=\"T\" BORDER=\"1\" COLOR=\"#d5dbe1\" ALIGN=\"LEFT\">")?;
        if column.is_record_set() {
            write!(writer, "<I>{name}</I>")?;
        } else {
            write!(writer, "{name}")?;
        }
        writer.write_all(b"</TD></TR>\n")?;
    }
    writer.write_all(b"  </TABLE>>];\n")
}

fn write_title(drawn: &Drawn<'_>, writer: &mut dyn Write) -> io::Result<()> {
    write!(writer, "<B>{}</B>", Label(&short(&drawn.object.qualified_name())))?;
    match kind_shown(drawn.object) {
        "" => Ok(()),
        kind => write!(writer, "<BR/><FONT POINT-SIZE=\"9\">{}</FONT>", Label(&short(kind))),
    }
}

/// The object, and whatever of it is too long to be shown.
fn tooltip(drawn: &Drawn<'_>) -> String {
    let mut text = drawn.object.qualified_name();
    for column in &drawn.columns {
        if short(column.name()) != column.name() {
            text.push_str("\n\n");
            text.push_str(column.name());
        }
    }
    text
}

fn write_edge(source: Place, target: Place, edge: &Edge<'_>, writer: &mut dyn Write) -> io::Result<()> {
    let mut tooltip = format!("{} → {}\n{}", edge.source, edge.target, edge.relation);
    if let Some(effect) = &edge.effect {
        let _ = write!(tooltip, ", {effect}");
    }
    write!(writer, "  {} -> {} [tooltip={}", Port(source, "e"), Port(target, "w"), Quoted(&tooltip, EDGE_BACKSLASH))?;
    if edge.relation != RelationType::Fdd {
        let name = short(edge.relation.as_str());
        write!(writer, ", style=dashed, label=<{}>", Label(&name))?;
    }
    writer.write_all(b"];\n")
}

struct Port(Place, &'static str);

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Place::Object(object) => write!(f, "n{object}"),
            Place::Column(object, column) => write!(f, "n{object}:c{column}:{}", self.1),
        }
    }
}

/// Text of an HTML-like label. Graphviz drops line breaks and tabs there, takes a backslash for the start of an
/// escape, and refuses an element without text.
struct Label<'t>(&'t str);

impl fmt::Display for Label<'_> {
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
                    // Alone in an element it is a syntax error.
                    ']' => f.write_str("&#93;")?,
                    _ => xml_character(f, character)?,
                }
            }
            if !is_one {
                f.write_str("<BR ALIGN=\"LEFT\"/>")?;
            }
        }
        Ok(())
    }
}

/// A backslash in the tooltip of an edge.
const EDGE_BACKSLASH: &str = r"\\";
/// The same of a node, where Graphviz looks for escapes twice.
const NODE_BACKSLASH: &str = r"\\";

/// Text of a tooltip, in which Graphviz knows escapes and entities, and how a backslash is written there.
struct Quoted<'t>(&'t str, &'static str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for character in self.0.chars() {
            match visible(character) {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str(self.1)?,
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
    fn edges_lead_from_column_to_column_and_are_dashed_unless_values_flow() {
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
    fn objects_alone_are_plain_boxes() {
        let lineage = read(LAYOUT_C1);
        let text = written(&lineage.diagram().by_object());
        assert!(text.contains("label=<<B>sales.customers</B>>];\n"), "{text}");
        assert!(text.contains("  n0 -> n2 ["), "{text}");
        assert!(!text.contains("<TABLE"), "{text}");
    }

    #[test]
    fn nothing_in_a_name_is_an_escape() {
        assert_eq!(
            Label("a\\N<b>&\n\"q\"").to_string(),
            "a\\\\N&lt;b&gt;&amp;<BR ALIGN=\"LEFT\"/>&quot;q&quot;<BR ALIGN=\"LEFT\"/>"
        );
        assert_eq!(Label("").to_string(), "&#160;");
        assert_eq!(Quoted("\"\\N\"\n&", EDGE_BACKSLASH).to_string(), "\"\\\"\\\\N\\\"\\n&amp;\"");
    }

    #[test]
    fn a_long_name_is_whole_in_the_tooltip() {
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
