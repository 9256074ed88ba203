//! Diagrams as CSV: a table of flows for spreadsheets and scripts.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::io::{self, Write};

use super::{Diagram, DiagramContent};
use crate::names::{
    NamePart, NamedRecord, QuotedDots, id_form, is_default, object_parts, parts, shown_server, tail_fits,
};
use crate::{Column, Object, Vertex};

const HEADER: &str = "source_db,source_schema,source_table,source_column,target_db,target_schema,target_table,\
                      target_column,relation_type,effect_type\n";

impl Diagram<'_> {
    /// Writes the diagram as CSV in UTF-8: one line for each edge, under the header of the server's own CSV exports.
    /// The format is RFC 4180, except that a line ends with a line feed only.
    ///
    /// A database or schema that is unknown or `DEFAULT` is empty, and so are the columns of a diagram
    /// [by object](Self::by_object). Names keep the spelling and the quotes that the server wrote. Where
    /// [qualified names](Object::qualified_name) begin with a server, the fields of the databases do too: `SRV2.Db1`,
    /// or `SRV2` if there is no database. The table of an object without a name is its id in the form `id:12`.
    ///
    /// A flow into the [result set](crate::Object::is_result_set) of a query has the effect `select`, and the name of the
    /// result (`RS-1`) as the target table. CSV has no place for a note about relationships that could not be followed:
    /// [`unresolved`](Self::unresolved) tells.
    ///
    /// Names that a spreadsheet takes for a formula (`=…`, `+…`, `-…`, `@…`) are not changed. If the lineage comes from
    /// scripts that you do not trust, import the file into the spreadsheet as text.
    ///
    /// ```
    /// # use sqlflow_lineage::Lineage;
    /// # let lineage: Lineage = r#"{"dbobjs": [
    /// #     {"id": "1", "name": "ORDERS", "type": "table", "columns": [{"id": "2", "name": "TOTAL"}]},
    /// #     {"id": "3", "name": "REPORT", "type": "view", "columns": [{"id": "4", "name": "SUM"}]}],
    /// #   "relationships": [{"id": "5", "type": "fdd", "target": {"id": "4"}, "sources": [{"id": "2"}]}]}"#.parse()?;
    /// let mut csv = Vec::new();
    /// lineage.diagram().write_csv(&mut csv)?;
    /// let csv = String::from_utf8(csv)?;
    /// assert_eq!(csv.lines().nth(1), Some(",,ORDERS,TOTAL,,,REPORT,SUM,fdd,"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the errors of the writer.
    pub fn write_csv(&self, writer: impl Write) -> io::Result<()> {
        self.write(writer, write)
    }
}

fn write(content: &DiagramContent<'_>, writer: &mut dyn Write) -> io::Result<()> {
    writer.write_all(HEADER.as_bytes())?;
    for edge in &content.edges {
        let effect = edge.effect.as_ref().map_or("", |effect| effect.as_str());
        let (source, target) = (VertexFields(edge.source), VertexFields(edge.target));
        writeln!(writer, "{source},{target},{},{}", CsvField(edge.relation.as_str()), CsvField(effect))?;
    }
    Ok(())
}

/// A vertex as four fields: database, schema, table, column.
struct VertexFields<'a>(Vertex<'a>);

impl fmt::Display for VertexFields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NameLevels { server, mut database, schema, table } = NameLevels::of(self.0.object());
        if let Some(server) = server {
            database = if database.is_empty() { server.to_owned() } else { format!("{server}.{database}") };
        }
        let column = match self.0 {
            Vertex::Column(column) if column.name().is_empty() => column_id(column).into(),
            Vertex::Column(column) => Cow::Borrowed(column.name()),
            Vertex::Object(_) => "".into(),
        };
        write!(f, "{},{},{},{}", CsvField(&database), CsvField(&schema), CsvField(&table), CsvField(&column))
    }
}

/// Returns the form of the id of a column without a name.
fn column_id(column: Column<'_>) -> String {
    id_form(column.inner, NamedRecord::Column(column.at))
}

/// The levels of the name of an object: each is empty if it is unknown or `DEFAULT`.
pub(crate) struct NameLevels<'a> {
    /// The server, if qualified names begin with it.
    pub(crate) server: Option<&'a str>,
    pub(crate) database: String,
    pub(crate) schema: String,
    /// The name of the object itself, or its id in the form `id:12` if it has none.
    pub(crate) table: String,
}

impl<'a> NameLevels<'a> {
    /// Returns the levels of the name of an object. A qualifier in the name is removed from the table if the database or
    /// the schema repeats it, or if it can only be the database.
    pub(crate) fn of(object: Object<'a>) -> Self {
        let model = &object.inner.model;
        let Some(raw) = model.objects.get(object.at as usize) else {
            let (database, schema, table) = (String::new(), String::new(), object.qualified_name());
            return Self { server: None, database, schema, table };
        };
        let mut table = object_parts(model, raw, false);
        let server = shown_server(object.inner, raw, &[]);
        let own = table.pop().filter(|_| !object.name().is_empty());
        let dots = QuotedDots::of_object(model, raw);
        let known = |name: Option<&str>| name.filter(|name| !is_default(name)).unwrap_or_default().to_owned();
        let (mut database, schema) = (known(object.database()), known(object.schema()));
        let has_schema = remove_suffix(&mut table, &parts(&schema, dots));
        remove_suffix(&mut table, &parts(&database, dots));
        if let Some(server) = server {
            remove_suffix(&mut table, &parts(server, QuotedDots::Literal));
        }
        if let ([only], true, true) = (table.as_slice(), has_schema, database.is_empty()) {
            only.written.clone_into(&mut database);
            table.clear();
        }
        table.extend(own);
        let table: Vec<&str> = table.iter().map(|part| part.written).collect();
        let unnamed = own.is_none().then(|| object.qualified_name());
        Self { server, database, schema, table: unnamed.unwrap_or_else(|| table.join(".")) }
    }
}

/// Removes the name of a container from the end of a qualified name. Returns `true` if the name ended with it.
fn remove_suffix(name: &mut Vec<NamePart<'_>>, container: &[NamePart<'_>]) -> bool {
    let ends = container.iter().all(|part| !part.written.is_empty()) && tail_fits(container, name);
    if ends {
        name.truncate(name.len().saturating_sub(container.len()));
    }
    ends
}

/// A field, in quotes if it needs them.
struct CsvField<'t>(&'t str);

impl fmt::Display for CsvField<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.contains([',', '"', '\n', '\r']) {
            return f.write_str(self.0);
        }
        f.write_char('"')?;
        for (at, text) in self.0.split('"').enumerate() {
            if at > 0 {
                f.write_str("\"\"")?;
            }
            f.write_str(text)?;
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
    fn each_edge_is_a_line_under_the_header_of_the_servers_exports() {
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

    /// A lineage of two tables with one column each, of which the first flows into the second.
    fn one_flow(source: &str, target: &str) -> Lineage {
        read_model(
            &format!(
                r#"{{"id": "1", "type": "table", "columns": [{{"id": "2", "name": "a"}}], {source}}},
                   {{"id": "3", "type": "table", "columns": [{{"id": "4", "name": "b"}}], {target}}}"#
            ),
            r#"{"id": "5", "type": "fdd", "target": {"id": "4"}, "sources": [{"id": "2"}]}"#,
        )
    }

    #[test]
    fn a_table_does_not_repeat_its_database_and_schema() {
        let lineage =
            one_flow(r#""name": "Sales.ORDERS", "schema": "SALES""#, r#""name": "PROD.SALES.LOG", "schema": "SALES""#);
        assert_eq!(lines(&lineage.diagram()), [",SALES,ORDERS,a,PROD,SALES,LOG,b,fdd,"]);
        let lineage = one_flow(
            r#""name": "s.t", "database": "DEFAULT", "schema": "DEFAULT""#,
            r#""name": "t", "database": "DB", "schema": "default""#,
        );
        // Only `DEFAULT` stands for no name; a schema may be called `default`.
        assert_eq!(lines(&lineage.diagram()), [",,s.t,a,DB,default,t,b,fdd,"]);
    }

    #[test]
    fn fields_with_commas_quotes_or_line_breaks_are_quoted() {
        let lineage = one_flow(r#""name": "x,y""#, r#""name": "say \"hi\"\r\nand go""#);
        assert!(written(&lineage.diagram()).ends_with("\n,,\"x,y\",a,,,\"say \"\"hi\"\"\r\nand go\",b,fdd,\n"));
    }
}
