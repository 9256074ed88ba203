//! The tables and their columns.

use std::fmt;
use std::sync::{Arc, LazyLock};

use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};

/// One of the [tables](crate::Tables) of a lineage.
///
/// Displayed as its name, such as `flows`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TableName {
    /// Tables, views, results inside statements and routines: the rows of [`Lineage::objects`](crate::Lineage::objects).
    Objects,
    /// The columns of all objects: the rows of [`Lineage::columns`](crate::Lineage::columns).
    Columns,
    /// One row for each pair of source and target of a relationship.
    Relationships,
    /// The pairs of columns between which a value flows: the rows of
    /// [`Lineage::column_flows`](crate::Lineage::column_flows), in the order of the targets in the document.
    Flows,
    /// The statements that make relationships: the rows of [`Lineage::processes`](crate::Lineage::processes).
    Statements,
    /// Everything that a reader must know about the completeness of the other tables, and the messages of the server.
    Notes,
}

impl TableName {
    /// All tables.
    pub const ALL: [Self; 6] =
        [Self::Objects, Self::Columns, Self::Relationships, Self::Flows, Self::Statements, Self::Notes];

    /// Returns the name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Objects => "objects",
            Self::Columns => "columns",
            Self::Relationships => "relationships",
            Self::Flows => "flows",
            Self::Statements => "statements",
            Self::Notes => "notes",
        }
    }

    /// Returns the name of the file that holds the table in a directory, such as `flows.parquet`.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Objects => "objects.parquet",
            Self::Columns => "columns.parquet",
            Self::Relationships => "relationships.parquet",
            Self::Flows => "flows.parquet",
            Self::Statements => "statements.parquet",
            Self::Notes => "notes.parquet",
        }
    }

    /// Returns the schema of the table, which does not depend on the lineage.
    ///
    /// ```
    /// use sqlflow_lineage::TableName;
    ///
    /// let schema = TableName::Flows.schema();
    /// assert!(!schema.field_with_name("source").expect("it exists").is_nullable());
    /// ```
    #[must_use]
    pub fn schema(self) -> SchemaRef {
        static SCHEMAS: LazyLock<[SchemaRef; 6]> =
            LazyLock::new(|| TableName::ALL.map(|table| Arc::new(table.build())));
        let [objects, columns, relationships, flows, statements, notes] = &*SCHEMAS;
        Arc::clone(match self {
            Self::Objects => objects,
            Self::Columns => columns,
            Self::Relationships => relationships,
            Self::Flows => flows,
            Self::Statements => statements,
            Self::Notes => notes,
        })
    }

    fn build(self) -> Schema {
        let mut fields = vec![word("label")];
        fields.extend(match self {
            Self::Objects => objects(),
            Self::Columns => columns(),
            Self::Relationships => relationships(),
            Self::Flows => flows(),
            Self::Statements => statements(),
            Self::Notes => notes(),
        });
        Schema::new(fields)
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

fn words() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

/// A column of texts that repeat.
fn word(name: &str) -> Field {
    Field::new(name, words(), false)
}

/// A column of texts that are different in most rows.
fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, false)
}

fn number(name: &str) -> Field {
    Field::new(name, DataType::Int32, false)
}

fn flag(name: &str) -> Field {
    Field::new(name, DataType::Boolean, false)
}

/// The elements of lists.
pub(super) fn element() -> FieldRef {
    Arc::new(word("element"))
}

fn list(name: &str) -> Field {
    Field::new(name, DataType::List(element()), false)
}

fn or_null(field: Field) -> Field {
    field.with_nullable(true)
}

fn names(prefix: &str) -> [Field; 4] {
    let named = |name| word(&format!("{prefix}{name}"));
    [or_null(named("server")), or_null(named("database")), or_null(named("schema")), named("name")]
}

fn span() -> [Field; 4] {
    ["start_line", "start_column", "end_line", "end_column"].map(|name| or_null(number(name)))
}

fn objects() -> Vec<Field> {
    let mut fields = vec![text("key"), text("id")];
    fields.extend(names(""));
    fields.extend([text("qualified_name"), or_null(word("kind"))]);
    fields.extend([flag("is_intermediate"), flag("is_result_set"), flag("is_routine")]);
    fields.extend([or_null(word("package_id")), number("columns")]);
    fields.extend(span());
    fields
}

fn columns() -> Vec<Field> {
    let mut fields = vec![text("key"), text("id"), word("object"), word("object_id")];
    fields.extend(names(""));
    fields.extend([word("column_name"), text("qualified_name"), number("position"), or_null(word("data_type"))]);
    fields.extend([flag("is_record_set"), flag("is_system")]);
    fields.extend([flag("is_primary_key"), flag("is_foreign_key"), flag("is_unique_key")]);
    fields
}

fn relationships() -> Vec<Field> {
    let mut fields = vec![text("id"), or_null(word("type")), or_null(word("effect"))];
    fields.extend([flag("carries_values"), flag("is_foreign_key"), or_null(word("statement_id"))]);
    for side in ["source", "target"] {
        let named = |name: &str| or_null(word(&format!("{side}{name}")));
        fields.extend(["", "_kind", "_object", "_id", "_name", "_resolution"].map(named));
    }
    fields.extend(["clause", "function", "join_type", "condition", "call_sql"].map(|name| or_null(word(name))));
    fields
}

fn flows() -> Vec<Field> {
    let mut fields = Vec::new();
    for side in ["source", "target"] {
        let named = |name: &str| word(&format!("{side}{name}"));
        fields.extend([named(""), named("_object")]);
        fields.extend(names(&format!("{side}_")));
        fields.extend([named("_column"), named("_id")]);
    }
    fields.extend([flag("target_is_result_set"), list("effects"), list("functions"), list("statement_ids")]);
    fields
}

fn statements() -> Vec<Field> {
    let mut fields = vec![text("key"), text("id"), or_null(text("name")), or_null(word("kind"))];
    fields.extend(["procedure", "procedure_id", "database", "schema"].map(|name| or_null(word(name))));
    fields.extend(["document", "script"].map(|name| or_null(word(name))));
    fields.extend(span());
    fields.push(or_null(text("query_hash_id")));
    fields
}

fn notes() -> Vec<Field> {
    let mut fields = vec![word("kind"), word("severity"), flag("is_incomplete"), text("message")];
    fields.extend(["file", "document", "script"].map(|name| or_null(word(name))));
    fields.extend([or_null(number("start_line")), or_null(number("start_column"))]);
    fields.extend([or_null(text("relationship_id")), or_null(text("subject"))]);
    fields.push(Field::new("count", DataType::Int64, true));
    fields
}
