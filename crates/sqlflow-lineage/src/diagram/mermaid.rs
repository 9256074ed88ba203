//! As a flowchart for Mermaid, which Markdown viewers draw.

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use super::sketch::{Look, Place, places, short, visible};
use super::{Diagram, Drawing, Drawn};
use crate::RelationType;

impl Diagram<'_> {
    /// Writes the diagram as a Mermaid flowchart, in UTF-8: objects are subgraphs, columns are nodes in them.
    ///
    /// An edge that is no `fdd` is dotted and says what it is. A name of more than 80 characters is cut short. Mermaid
    /// as it is usually set up draws no more than 500 edges and 50,000 characters; [`by_object`](Self::by_object)
    /// makes much of either.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write_mermaid(&self, writer: impl Write) -> io::Result<()> {
        self.write(writer, write)
    }
}

fn write(drawing: &Drawing<'_>, writer: &mut dyn Write) -> io::Result<()> {
    writer.write_all(b"flowchart LR\n")?;
    for (at, drawn) in drawing.objects.iter().enumerate() {
        write_object(at, drawn, writer)?;
    }
    let places = places(drawing);
    for edge in &drawing.edges {
        let (Some(source), Some(target)) = (places.get(&edge.source), places.get(&edge.target)) else {
            continue;
        };
        let (source, target) = (Id(*source), Id(*target));
        if edge.relation == RelationType::Fdd {
            writeln!(writer, "  {source} --> {target}")?;
        } else {
            writeln!(writer, "  {source} -.->|{}| {target}", Label(edge.relation.as_str()))?;
        }
    }
    write_looks(drawing, writer)
}

fn write_object(at: usize, drawn: &Drawn<'_>, writer: &mut dyn Write) -> io::Result<()> {
    let name = drawn.object.qualified_name();
    if drawn.columns.is_empty() {
        return writeln!(writer, "  n{at}[{}]", Label(&name));
    }
    writeln!(writer, "  subgraph n{at}[{}]", Label(&name))?;
    writeln!(writer, "    direction LR")?;
    for (number, column) in drawn.columns.iter().enumerate() {
        writeln!(writer, "    {}[{}]", Id(Place::Column(at, number)), Label(column.name()))?;
    }
    writeln!(writer, "  end")
}

/// No semicolons here: Mermaid takes some of them away again.
fn write_looks(drawing: &Drawing<'_>, writer: &mut dyn Write) -> io::Result<()> {
    for look in Look::ALL {
        let mut members = drawing.objects.iter().enumerate().filter(|(_, drawn)| Look::of(drawn.object) == look);
        let Some((first, _)) = members.next() else {
            continue;
        };
        let dashes = if look == Look::Intermediate { ",stroke-dasharray:4" } else { "" };
        writeln!(
            writer,
            "  classDef {} fill:{},stroke:{},color:#1f2933{dashes}",
            look.name(),
            look.fill(),
            look.border()
        )?;
        write!(writer, "  class n{first}")?;
        for (at, _) in members {
            write!(writer, ",n{at}")?;
        }
        writeln!(writer, " {}", look.name())?;
    }
    Ok(())
}

struct Id(Place);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Place::Object(object) => write!(f, "n{object}"),
            Place::Column(object, column) => write!(f, "n{object}c{column}"),
        }
    }
}

/// Text in quotes. Mermaid has several readers: its own grammar, Markdown, HTML and signs for icons and formulas. So
/// whatever could mean something to one of them is written by its number, which all of them leave alone.
struct Label<'t>(&'t str);

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = short(self.0);
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
    let shown = if character == '\r' { '␍' } else { visible(character) };
    write!(f, "#{};", u32::from(shown))
}

/// Whether no reader can mistake a character that stands between two others.
fn is_plain(before: char, character: char, after: Option<char>) -> bool {
    let starts_line = before == '\n';
    match character {
        _ if character.is_ascii_alphanumeric() => true,
        ' ' => !starts_line && before != ' ',
        ',' | '-' | '(' | ')' | '/' => !starts_line,
        // "1. one" is a list.
        '.' => !starts_line && !before.is_ascii_digit(),
        // "__bold__" is not, but "snake_case" is.
        '_' => before.is_alphanumeric() && after.is_some_and(char::is_alphanumeric),
        // The first two are how Mermaid marks numbers while it works; the others are not seen.
        'ﬂ' | '¶' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => {
            false
        }
        _ => {
            !character.is_ascii()
                && !character.is_whitespace()
                && visible(character) == character
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
        Label(name).to_string()
    }

    #[test]
    fn plain_names_stay_as_they_are() {
        for name in ["SALES.ORDERS", "order_id", "INSERT-SELECT-1", "sum(o.amount)", "naïve", "注文", "end", "订单🙂"]
        {
            assert_eq!(label(name), format!("\"{name}\""));
        }
    }

    #[test]
    fn what_mermaid_markdown_or_html_could_mistake_is_written_by_number() {
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
