//! Diagrams as Mermaid flowcharts, which Markdown viewers draw.

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use super::label::{printable, shorten};
use super::numbering::{VertexNumber, vertex_numbers};
use super::style::{ObjectStyle, TEXT_COLOUR};
use super::{Diagram, DiagramContent, ShownObject};
use crate::RelationType;

/// The dashes of the border of an intermediate result.
const INTERMEDIATE_DASHES: &str = ",stroke-dasharray:4";

impl Diagram<'_> {
    /// Writes the diagram as a Mermaid flowchart in UTF-8: objects are subgraphs, and columns are nodes in them.
    ///
    /// An edge that is not `fdd` is dotted and labelled with its type. Names of more than 80 characters are truncated.
    /// With its default settings, Mermaid draws at most 500 edges and 50,000 characters;
    /// [`by_object`](Self::by_object) needs far fewer of both.
    ///
    /// ```
    /// # use sqlflow_lineage::Lineage;
    /// # let lineage: Lineage = r#"{"dbobjs": [
    /// #     {"id": "1", "name": "ORDERS", "type": "table", "columns": [{"id": "2", "name": "TOTAL"}]},
    /// #     {"id": "3", "name": "REPORT", "type": "view", "columns": [{"id": "4", "name": "SUM"}]}],
    /// #   "relationships": [{"id": "5", "type": "fdd", "target": {"id": "4"}, "sources": [{"id": "2"}]}]}"#.parse()?;
    /// let mut page = b"```mermaid\n".to_vec();
    /// lineage.diagram().by_object().write_mermaid(&mut page)?;
    /// page.extend(b"```\n");
    /// # assert!(String::from_utf8(page)?.starts_with("```mermaid\nflowchart LR\n  n0[\"ORDERS\"]\n"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the errors of the writer.
    pub fn write_mermaid(&self, writer: impl Write) -> io::Result<()> {
        self.write(writer, write)
    }
}

fn write(content: &DiagramContent<'_>, writer: &mut dyn Write) -> io::Result<()> {
    writer.write_all(b"flowchart LR\n")?;
    for (at, shown) in content.objects.iter().enumerate() {
        write_object(at, shown, writer)?;
    }
    if let Some(note) = content.note() {
        writeln!(writer, "  note[{}]", MermaidLabel(&note))?;
    }
    let numbers = vertex_numbers(content);
    for edge in &content.edges {
        let (Some(source), Some(target)) = (numbers.get(&edge.source), numbers.get(&edge.target)) else {
            continue;
        };
        let (source, target) = (MermaidId(*source), MermaidId(*target));
        if edge.relation == RelationType::Fdd {
            writeln!(writer, "  {source} --> {target}")?;
        } else {
            writeln!(writer, "  {source} -.->|{}| {target}", MermaidLabel(edge.relation.as_str()))?;
        }
    }
    write_styles(content, writer)
}

fn write_object(at: usize, shown: &ShownObject<'_>, writer: &mut dyn Write) -> io::Result<()> {
    let name = shown.object.qualified_name();
    if shown.columns.is_empty() {
        return writeln!(writer, "  n{at}[{}]", MermaidLabel(&name));
    }
    writeln!(writer, "  subgraph n{at}[{}]", MermaidLabel(&name))?;
    writeln!(writer, "    direction LR")?;
    for (number, column) in shown.columns.iter().enumerate() {
        writeln!(writer, "    {}[{}]", MermaidId(VertexNumber::Column(at, number)), MermaidLabel(column.name()))?;
    }
    writeln!(writer, "  end")
}

/// Writes one class for each style of object. The lines have no semicolons, because Mermaid removes some of them.
fn write_styles(content: &DiagramContent<'_>, writer: &mut dyn Write) -> io::Result<()> {
    for style in ObjectStyle::ALL {
        let mut members =
            content.objects.iter().enumerate().filter(|(_, shown)| ObjectStyle::of(shown.object) == style);
        let Some((first, _)) = members.next() else {
            continue;
        };
        let dashes = if style == ObjectStyle::Intermediate { INTERMEDIATE_DASHES } else { "" };
        writeln!(
            writer,
            "  classDef {} fill:{},stroke:{},color:{TEXT_COLOUR}{dashes}",
            style.name(),
            style.fill_colour(),
            style.border_colour()
        )?;
        write!(writer, "  class n{first}")?;
        for (at, _) in members {
            write!(writer, ",n{at}")?;
        }
        writeln!(writer, " {}", style.name())?;
    }
    Ok(())
}

/// The identifier of a node or subgraph.
struct MermaidId(VertexNumber);

impl fmt::Display for MermaidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            VertexNumber::Object(object) => write!(f, "n{object}"),
            VertexNumber::Column(object, column) => write!(f, "n{object}c{column}"),
        }
    }
}

/// The text of a label, in quotes. Mermaid reads a label several times: as its own grammar, as Markdown, as HTML, and
/// for marks of icons and formulas. A character that has a meaning in any of them is therefore written as its number,
/// which all of them leave unchanged.
struct MermaidLabel<'t>(&'t str);

impl fmt::Display for MermaidLabel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = shorten(self.0);
        f.write_char('"')?;
        if text.is_empty() {
            f.write_str("#160;")?;
        }
        let mut before = '\n';
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '\n' => f.write_str("<br/>")?,
                '\r' if characters.peek() == Some(&'\n') => {}
                '\t' => f.write_str("#160;#160;#160;#160;")?,
                _ if is_plain(before, character, characters.peek().copied()) => f.write_char(character)?,
                _ => write_number(f, character)?,
            }
            before = character;
        }
        f.write_char('"')
    }
}

fn write_number(f: &mut fmt::Formatter<'_>, character: char) -> fmt::Result {
    let shown = if character == '\r' { '␍' } else { printable(character) };
    write!(f, "#{};", u32::from(shown))
}

/// Returns `true` if a character between two others has no meaning to any of Mermaid's readers.
fn is_plain(before: char, character: char, after: Option<char>) -> bool {
    let starts_line = before == '\n';
    match character {
        _ if character.is_ascii_alphanumeric() => true,
        ' ' => !starts_line && before != ' ',
        ',' | '-' | '(' | ')' | '/' => !starts_line,
        // "1. one" starts a list.
        '.' => !starts_line && !before.is_ascii_digit(),
        // "__bold__" has a meaning in Markdown, "snake_case" has none.
        '_' => before.is_alphanumeric() && after.is_some_and(char::is_alphanumeric),
        // Mermaid marks numbers with the first two while it works; the others are invisible.
        'ﬂ' | '¶' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => {
            false
        }
        _ => {
            !character.is_ascii()
                && !character.is_whitespace()
                && printable(character) == character
                && !character.is_control()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{LAYOUT_C1, read};

    #[test]
    fn columns_are_nodes_in_the_subgraphs_of_their_objects() {
        let lineage = read(LAYOUT_C1);
        let mut bytes = Vec::new();
        lineage.diagram().over([RelationType::Fdd, RelationType::Join]).write_mermaid(&mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(
            text.starts_with("flowchart LR\n  subgraph n0[\"sales.customers\"]\n    direction LR\n    n0c0[\"id\"]\n")
        );
        assert!(text.contains("  n1c1 -.->|\"join\"| n0c0\n"), "{text}");
        assert!(text.contains("  n0c1 --> n2c0\n"), "{text}");
        assert!(text.contains("  class n0,n1,n2 table\n"), "{text}");
    }

    fn label(name: &str) -> String {
        MermaidLabel(name).to_string()
    }

    #[test]
    fn plain_names_are_written_unchanged() {
        for name in ["SALES.ORDERS", "order_id", "INSERT-SELECT-1", "sum(o.amount)", "naïve", "注文", "end", "订单🙂"]
        {
            assert_eq!(label(name), format!("\"{name}\""));
        }
    }

    #[test]
    fn characters_with_a_meaning_in_mermaid_markdown_or_html_are_written_as_numbers() {
        assert_eq!(label("say \"hi\""), "\"say #34;hi#34;\"");
        assert_eq!(label("<b>#quot;"), "\"#60;b#62;#35;quot#59;\"");
        assert_eq!(label("`x`]"), "\"#96;x#96;#93;\"");
        assert_eq!(label("1. one\n- two"), "\"1#46; one<br/>#45; two\"");
        assert_eq!(label("__init__"), "\"#95;#95;init#95;#95;\"");
        assert_eq!(label("fa:fa-user style:#x;"), "\"fa#58;fa-user style#58;#35;x#59;\"");
        assert_eq!(label("ﬂ°°1¶ß"), "\"#64258;°°1#182;ß\"");
        assert_eq!(label("a\0b\u{202e}"), "\"a#9216;b#8238;\"");
        assert_eq!(label(""), "\"#160;\"");
    }
}
