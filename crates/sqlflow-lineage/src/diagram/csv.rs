//! As a table of flows, for spreadsheets and scripts.

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use super::{Diagram, Drawing};
use crate::names::{NamePart, is_default, object_parts, parts, tail_fits};
use crate::{Object, Vertex};

const HEADER: &str = "source_db,source_schema,source_table,source_column,target_db,target_schema,target_table,\
                      target_column,relation_type,effect_type\n";

impl Diagram<'_> {
    /// Writes a line for each flow as CSV (RFC 4180, but lines end in a line feed alone), in UTF-8, under the header
    /// of the server's own CSV exports.
    ///
    /// A database or schema that is not known, or is `DEFAULT`, is empty, and so are the columns of a diagram
    /// [by object](Self::by_object). Names are as the server wrote them, with their quotes.
    ///
    /// Nothing is done to names that a spreadsheet would take for a formula (`=…`, `+…`, `-…`, `@…`): who hands
    /// lineage of scripts that are not trusted to people with spreadsheets has to have it imported as text.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write_csv(&self, writer: impl Write) -> io::Result<()> {
        self.write(writer, write)
    }
}

fn write(drawing: &Drawing<'_>, writer: &mut dyn Write) -> io::Result<()> {
    writer.write_all(HEADER.as_bytes())?;
    for edge in &drawing.edges {
        let effect = edge.effect.as_ref().map_or("", |effect| effect.as_str());
        let (source, target) = (End(edge.source), End(edge.target));
        writeln!(writer, "{source},{target},{},{}", Field(edge.relation.as_str()), Field(effect))?;
    }
    Ok(())
}

/// An end of a flow, as four fields.
struct End<'a>(Vertex<'a>);

impl fmt::Display for End<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [database, schema, table] = containers(self.0.object());
        let column = match self.0 {
            Vertex::Column(column) => column.name(),
            Vertex::Object(_) => "",
        };
        write!(f, "{},{},{},{}", Field(&database), Field(&schema), Field(&table), Field(column))
    }
}

/// The database, schema and table of an object. What the name says of its containers is left out of the table where
/// the other two say it, or where it can be told which of them it is.
fn containers(object: Object<'_>) -> [String; 3] {
    let model = &object.inner.model;
    let mut table =
        model.objects.get(object.at as usize).map(|raw| object_parts(model, raw, false)).unwrap_or_default();
    let own = table.pop();
    let known = |name: Option<&str>| name.filter(|name| !is_default(name)).unwrap_or_default().to_owned();
    let (mut database, schema) = (known(object.database()), known(object.schema()));
    let has_schema = take_from_end(&mut table, &schema);
    take_from_end(&mut table, &database);
    if let ([only], true, true) = (table.as_slice(), has_schema, database.is_empty()) {
        only.written.clone_into(&mut database);
        table.clear();
    }
    table.extend(own);
    let table: Vec<&str> = table.iter().map(|part| part.written).collect();
    [database, schema, table.join(".")]
}

/// Takes the name of a container off a qualified name, if it ends with that.
fn take_from_end(name: &mut Vec<NamePart<'_>>, container: &str) -> bool {
    let container = parts(container);
    let ends = container.iter().all(|part| !part.written.is_empty()) && tail_fits(&container, name);
    if ends {
        name.truncate(name.len().saturating_sub(container.len()));
    }
    ends
}

struct Field<'t>(&'t str);

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.contains([',', '"', '\n', '\r']) {
            return f.write_str(self.0);
        }
        f.write_char('"')?;
        for (at, piece) in self.0.split('"').enumerate() {
            if at > 0 {
                f.write_str("\"\"")?;
            }
            f.write_str(piece)?;
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use crate::fixtures::{LAYOUT_C1, read, read_model};
    use crate::{Diagram, Lineage};

    fn written(diagram: &Diagram<'_>) -> String {
        let mut bytes = Vec::new();
        diagram.write_csv(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    fn lines(diagram: &Diagram<'_>) -> Vec<String> {
        written(diagram).lines().skip(1).map(str::to_owned).collect()
    }

    #[test]
    fn each_flow_is_a_line_under_the_header_of_the_servers_exports() {
        let lineage = read(LAYOUT_C1);
        assert_eq!(
            written(&lineage.diagram()),
            "source_db,source_schema,source_table,source_column,target_db,target_schema,target_table,target_column,\
             relation_type,effect_type\n\
             ,sales,customers,region,,sales,report,region,fdd,insert\n\
             ,sales,orders,amount,,sales,report,total,fdd,insert\n"
        );
        assert_eq!(
            lines(&lineage.diagram().by_object()),
            [",sales,customers,,,sales,report,,fdd,insert", ",sales,orders,,,sales,report,,fdd,insert"]
        );
    }

    /// Both tables have a column, and one flows into the other.
    fn flow(source: &str, target: &str) -> Lineage {
        read_model(
            &format!(
                r#"{{"id": "1", "type": "table", "columns": [{{"id": "2", "name": "a"}}], {source}}},
                   {{"id": "3", "type": "table", "columns": [{{"id": "4", "name": "b"}}], {target}}}"#
            ),
            r#"{"id": "5", "type": "fdd", "target": {"id": "4"}, "sources": [{"id": "2"}]}"#,
        )
    }

    #[test]
    fn a_table_is_not_qualified_by_what_other_fields_say() {
        let lineage =
            flow(r#""name": "Sales.ORDERS", "schema": "SALES""#, r#""name": "PROD.SALES.LOG", "schema": "SALES""#);
        assert_eq!(lines(&lineage.diagram()), [",SALES,ORDERS,a,PROD,SALES,LOG,b,fdd,"]);
        let lineage = flow(
            r#""name": "s.t", "database": "DEFAULT", "schema": "DEFAULT""#,
            r#""name": "t", "database": "DB", "schema": "default""#,
        );
        assert_eq!(lines(&lineage.diagram()), [",,s.t,a,DB,,t,b,fdd,"]);
    }

    #[test]
    fn commas_quotes_and_line_breaks_are_quoted() {
        let lineage = flow(r#""name": "x,y""#, r#""name": "say \"hi\"\r\nand go""#);
        assert!(written(&lineage.diagram()).ends_with("\n,,\"x,y\",a,,,\"say \"\"hi\"\"\r\nand go\",b,fdd,\n"));
    }
}
