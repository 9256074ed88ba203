//! The lineage as tables for query engines: Arrow record batches and Parquet files.

mod builders;
mod chunks;
mod directory;
mod error;
mod flows;
mod keys;
mod notes;
mod parquet;
mod records;
mod relationships;
mod schema;

use std::fmt;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchReader};
use arrow_schema::{ArrowError, SchemaRef};

pub use self::error::TablesError;
pub use self::schema::TableName;

use self::builders::WordColumn;
use self::flows::FlowRows;
use self::keys::Keys;
use self::notes::NoteRows;
use self::records::{ColumnRows, ObjectRows, StatementRows};
use self::relationships::RelationshipRows;
use super::{Lineage, LineageInner};

/// The limits of batches for engines.
const BATCH: BatchLimits = BatchLimits { rows: 64 * 1024, bytes: 16 << 20 };

/// A lineage as tables, for engines that query them with SQL: DuckDB, Spark, BigQuery, Snowflake, pandas, polars.
///
/// Created by [`Lineage::tables`]. Each [table](TableName) is a series of Arrow record batches, or a Parquet file.
///
/// ```
/// use sqlflow_lineage::{Lineage, TableName};
///
/// let lineage: Lineage = r#"{"dbobjs": [
///     {"id": "1", "name": "ORDERS", "type": "table", "schema": "SALES",
///      "columns": [{"id": "2", "name": "TOTAL"}]},
///     {"id": "3", "name": "REPORT", "type": "view", "columns": [{"id": "4", "name": "SUM"}]}
/// ], "relationships": [
///     {"id": "5", "type": "fdd", "target": {"id": "4"}, "sources": [{"id": "2"}]}
/// ]}"#.parse()?;
///
/// let tables = lineage.tables().job("nightly");
/// for batch in tables.batches(TableName::Flows) {
///     assert_eq!(batch?.num_rows(), 1);
/// }
/// let mut file = Vec::new();
/// tables.write_parquet(TableName::Flows, &mut file)?;
/// assert_eq!(&file[..4], b"PAR1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Keys
///
/// A data set often holds the tables of many jobs. Every table has the column `label`, which names the job. Ids are
/// unique only within a job, so ids are joined together with `label`.
///
/// *Keys* (`key`, `object`, `source`, `target`, …) are unique without the label as long as no two jobs have the same one,
/// and one text each, as recursive queries need them:
///
/// | key of | form | example |
/// |---|---|---|
/// | a stored object | its qualified name, in lower case | `prod.sales.orders` |
/// | an object of a named server | the server before it | `//srv1/prod.sales.orders` |
/// | a routine | parentheses after it | `prod.sales.load()` |
/// | a result inside a statement | the label and the id | `@nightly/id:12` |
/// | a column | the key of its object, and its name | `prod.sales.orders.total` |
/// | a statement | the label and the id | `@nightly/statement:7` |
///
/// The key of a stored object is the same in all jobs that use the object, so the flows of all jobs together are one
/// graph. Keys follow the rules of [`Lineage::merge`]: names are the same apart from case, unless double quotes keep a
/// mixed one, quotes are not part of them, and levels that are `DEFAULT` are left out. Objects that a document keeps apart
/// stay apart: the second object of one name has `#2` at its end, and so has the second column. A dot or backslash within
/// a name is preceded by a backslash, and so is everything else that could be taken for a part of a key: a slash
/// or `@` at the start, `id:` at the start of the name of a column, `()` at the end, and `#` with a number at the end. The
/// same holds for ids, which have numbers if they repeat. Two different columns of a job therefore never have one key. A
/// table and a column can have one: the table `SALES.ORDERS`, and the column `ORDERS` of a table `SALES` without a schema.
/// In contrast to a merge, the server counts whenever the document names it.
///
/// # Names
///
/// The columns `server`, `database`, `schema`, `name` and `column_name` keep the spelling and the quotes that the server
/// wrote. A level of an object that is unknown or `DEFAULT` is null. An object or column without a name has its id in the form
/// `id:12`.
///
/// # Schemas
///
/// *Words* are texts that repeat: in Arrow, `Dictionary(Int32, Utf8)`; in Parquet, plain strings with the encoding of a
/// dictionary. *Text* is `Utf8`. Lines and columns in the SQL are `Int32` and count from 1. Every table begins with
/// `label` (words). Types with `?` can be null; a list is never null, but it can be empty.
///
/// ## objects
///
/// One row for each of [`Lineage::objects`].
///
/// | column | type | content |
/// |---|---|---|
/// | `key` | text | the key |
/// | `id` | text | the id; empty if the document gives none |
/// | `server`, `database`, `schema` | words? | the levels of the name |
/// | `name` | words | the name |
/// | `qualified_name` | text | [`Object::qualified_name`](crate::Object::qualified_name) |
/// | `kind` | words? | [`Object::kind`](crate::Object::kind): `table`, `view`, … |
/// | `is_intermediate`, `is_result_set`, `is_routine` | bool | the kinds that a database does not store as data |
/// | `package_id` | words? | the id of the package of a routine |
/// | `columns` | int32 | the number of columns |
/// | `start_line`, `start_column`, `end_line`, `end_column` | int32? | the place in the SQL |
///
/// ## columns
///
/// One row for each of [`Lineage::columns`], those of results inside statements included.
///
/// | column | type | content |
/// |---|---|---|
/// | `key` | text | the key |
/// | `id` | text | the id; empty if the document gives none |
/// | `object` | words | the key of the object |
/// | `object_id` | words | the id of the object |
/// | `server`, `database`, `schema` | words? | the levels of the name of the object |
/// | `name` | words | the name of the object |
/// | `column_name` | words | the name of the column |
/// | `qualified_name` | text | [`Column::qualified_name`](crate::Column::qualified_name) |
/// | `position` | int32 | the position in the object, from 1 |
/// | `data_type` | words? | the type in the database |
/// | `is_record_set`, `is_system` | bool | `true` for columns that the server invented |
/// | `is_primary_key`, `is_foreign_key`, `is_unique_key` | bool | `true` if the server knows that it is part of one |
///
/// ## relationships
///
/// One row for each pair of a source and a target of a relationship: nearly always one for each source. In a `call`, the
/// caller is the source and the routine that it calls is the target. A relationship without sources has a row in which
/// they are null.
///
/// | column | type | content |
/// |---|---|---|
/// | `id` | text | the id, the same in all rows of a relationship |
/// | `type`, `effect` | words? | [`fdd`, …](crate::RelationType) and [`insert`, …](crate::EffectType) |
/// | `carries_values` | bool | `true` if a value flows from the source to the target |
/// | `is_foreign_key` | bool | `true` for a constraint, along which nothing flows |
/// | `statement_id` | words? | the id of the statement |
/// | `source`, `target` | words? | the key; null if the endpoint could not be followed |
/// | `source_kind`, `target_kind` | words? | `column`, `object` or `statement` |
/// | `source_object`, `target_object` | words? | the key of the object |
/// | `source_id`, `target_id` | words? | the id that the relationship gives |
/// | `source_name`, `target_name` | words? | the qualified name, or the names that an endpoint gives that could not be followed |
/// | `source_resolution`, `target_resolution` | words? | [`id`, `parent_id`, `parent_name`, `ambiguous` or `unknown`](crate::Resolution) |
/// | `clause`, `function` | words? | the clause that the source stands in, or else the target, and the function that the value goes through |
/// | `join_type`, `condition` | words? | of a `join` |
/// | `call_sql` | words? | the SQL of a `call`, the only SQL that documents hold |
///
/// ## flows
///
/// One row for each of [`Lineage::column_flows`], ordered by the target as in the document. The columns are those of
/// stored objects, and as targets those of [result sets](crate::Object::is_result_set).
///
/// | column | type | content |
/// |---|---|---|
/// | `source`, `target` | words | the key of the column |
/// | `source_object`, `target_object` | words | the key of the object |
/// | `source_server`, `source_database`, `source_schema`, `target_…` | words? | the levels of the name of the object |
/// | `source_name`, `target_name` | words | the name of the object |
/// | `source_column`, `target_column` | words | the name of the column |
/// | `source_id`, `target_id` | words | the id of the column |
/// | `target_is_result_set` | bool | `true` if the target is the result of a query that stores nothing |
/// | `effects`, `functions` | list of words | [`ColumnFlow::effects`](crate::ColumnFlow::effects) and [`functions`](crate::ColumnFlow::functions) |
/// | `statement_ids` | list of words | the ids of [`ColumnFlow::statements`](crate::ColumnFlow::statements) |
///
/// The lists are in alphabetical order and have each value once.
///
/// ## statements
///
/// One row for each of [`Lineage::processes`].
///
/// | column | type | content |
/// |---|---|---|
/// | `key` | text | the key |
/// | `id` | text | the id |
/// | `name` | text? | the name, such as `Query Insert-1` |
/// | `kind` | words? | the kind, such as `sstinsert` |
/// | `procedure`, `procedure_id` | words? | the procedure that the statement stands in |
/// | `database`, `schema` | words? | those that the document lists it in |
/// | `document` | words? | the label of the [document](crate::Location::label) |
/// | `script` | words? | the [code](crate::Location::script) of one of several scripts |
/// | `start_line`, `start_column`, `end_line`, `end_column` | int32? | the place in the SQL |
/// | `query_hash_id` | text? | the hash of the query |
///
/// ## notes
///
/// Everything that a reader must know about the completeness of the other tables, and the messages of the server. If no row has
/// `is_incomplete`, nothing is known to be missing.
///
/// | column | type | content |
/// |---|---|---|
/// | `kind` | words | `reason`, `summary`, `record_sets_omitted`, `not_requested`, `coverage_unknown`, `unresolved_endpoint`, `ambiguous_endpoint`, `duplicate_id`, `unknown_field`, `summary_count`, `summary_busiest_table`, `warning`, or the [kind of the message](crate::Diagnostic::kind), which is `other` if it has none |
/// | `severity` | words | `error`, `warning`, `hint` or `info` |
/// | `is_incomplete` | bool | `true` if something is missing in the other tables for this reason |
/// | `message` | text | a sentence |
/// | `file`, `document`, `script` | words? | the [place](crate::Location) in the SQL |
/// | `start_line`, `start_column` | int32? | the place in the SQL |
/// | `relationship_id` | text? | the id of the relationship with the endpoint that could not be followed |
/// | `subject` | text? | the endpoint, the relation type, the field, or whatever else is counted |
/// | `count` | int64? | the number of occurrences |
///
/// # Files
///
/// [`write_parquet_directory`](Self::write_parquet_directory) writes one file for each table: `objects.parquet`,
/// `flows.parquet` and so on. The files say in their key-value metadata which version wrote them (`sqlflow.version`),
/// which table they hold (`sqlflow.table`), the version of these schemas (`sqlflow.schema`, [`SCHEMA_VERSION`]) and the
/// job (`sqlflow.job`). The pages are compressed by Snappy, which every engine reads.
///
/// The label is a column and not only the name of a directory, because files are copied and renamed. It is called `label`
/// so that it does not get in the way of a partition: in `DIR/job=nightly/flows.parquet`, engines make `job` a column, and
/// some of them refuse files that have a column of that name.
///
/// # Memory
///
/// Tables need no more memory than the lineage with its indexes, one batch and one row group. Batches have at most 65,536
/// rows.
///
/// [`SCHEMA_VERSION`]: Self::SCHEMA_VERSION
#[derive(Clone)]
#[must_use = "does nothing until batches are read or files are written"]
pub struct Tables<'a> {
    lineage: &'a Lineage,
    label: Option<String>,
    reasons: Vec<String>,
}

impl Lineage {
    /// Returns the lineage as tables for query engines: Arrow record batches and Parquet files.
    pub fn tables(&self) -> Tables<'_> {
        Tables { lineage: self, label: None, reasons: Vec::new() }
    }
}

impl<'a> Tables<'a> {
    /// The version of the schemas. It changes if a column is removed or changes its type or its meaning.
    pub const SCHEMA_VERSION: u32 = 1;

    /// Sets the label of the job, which must be unique among the jobs of a data set. The default is the
    /// [id of the job](Lineage::job_id), or else the [label of the document](Lineage::label), or else nothing.
    pub fn job(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Adds a reason for which the lineage may be less than the whole that it does not tell itself, such as a job that
    /// succeeded only in part: a row of `notes` of the kind `reason`.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reasons.push(reason.into());
        self
    }

    /// Returns the label of the job.
    fn label(&self) -> &str {
        let of_document = || self.lineage.job_id().or(self.lineage.label()).unwrap_or_default();
        self.label.as_deref().unwrap_or_else(of_document)
    }

    /// Returns the rows of a table as record batches of at most 65,536 rows, one after the other. A table without rows has
    /// no batches.
    ///
    /// ```
    /// use arrow_array::RecordBatchReader;
    /// use sqlflow_lineage::{Lineage, TableName};
    ///
    /// let lineage: Lineage = r#"{"dbobjs": []}"#.parse()?;
    /// let batches = lineage.tables().batches(TableName::Objects);
    /// assert_eq!(batches.schema(), TableName::Objects.schema());
    /// assert_eq!(batches.count(), 0);
    /// # Ok::<(), sqlflow_lineage::ReadError>(())
    /// ```
    #[must_use]
    pub fn batches(&self, table: TableName) -> TableBatches<'a> {
        self.batches_of(table, &self.keys(), BATCH)
    }

    fn keys(&self) -> Arc<Keys> {
        Arc::new(Keys::new(&self.lineage.inner, self.label().to_owned()))
    }

    fn batches_of(&self, table: TableName, keys: &Arc<Keys>, limits: BatchLimits) -> TableBatches<'a> {
        let input = TableInput { inner: &self.lineage.inner, keys: Arc::clone(keys) };
        let rows: Box<dyn RowSource + Send + 'a> = match table {
            TableName::Objects => Box::new(ObjectRows::new(input)),
            TableName::Columns => Box::new(ColumnRows::new(input)),
            TableName::Relationships => Box::new(RelationshipRows::new(input)),
            TableName::Flows => Box::new(FlowRows::new(input)),
            TableName::Statements => Box::new(StatementRows::new(input)),
            TableName::Notes => Box::new(NoteRows::new(input, self.lineage, self.reasons.clone())),
        };
        TableBatches { table, schema: table.schema(), rows, limits, is_done: false, has_failed: false }
    }
}

impl fmt::Debug for Tables<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tables").field("lineage", &self.lineage).field("job", &self.label()).finish()
    }
}

/// The lineage that a table is about, and the keys of its records.
struct TableInput<'a> {
    inner: &'a LineageInner,
    keys: Arc<Keys>,
}

impl TableInput<'_> {
    fn push_label(&self, column: &mut WordColumn) {
        column.push(0, |buffer| buffer.push_str(&self.keys.label));
    }
}

/// The number of rows that a batch has at most, and the number of bytes of text after which it gets no more.
#[derive(Clone, Copy)]
struct BatchLimits {
    rows: usize,
    bytes: usize,
}

/// The rows of one table, which are collected for a batch.
trait RowSource {
    /// Adds the next row to the batch. Returns `false` if there is none.
    fn add_row(&mut self) -> bool;

    /// Returns the number of rows of the batch.
    fn rows(&self) -> usize;

    /// Returns about the number of bytes of text of the batch.
    fn bytes(&self) -> usize;

    /// Returns the columns of the batch, in the order of the schema, and begins another one.
    fn finish(&mut self) -> Result<Vec<ArrayRef>, ArrowError>;
}

/// The record batches of one table; returned by [`Tables::batches`].
pub struct TableBatches<'a> {
    table: TableName,
    schema: SchemaRef,
    rows: Box<dyn RowSource + Send + 'a>,
    limits: BatchLimits,
    is_done: bool,
    has_failed: bool,
}

impl Iterator for TableBatches<'_> {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        // A table without some of its rows is no table.
        if self.has_failed {
            return None;
        }
        while !self.is_done && self.rows.rows() < self.limits.rows {
            // The bytes are counted now and then, because most batches have few.
            if self.rows.rows().is_multiple_of(64) && self.rows.bytes() >= self.limits.bytes {
                break;
            }
            self.is_done = !self.rows.add_row();
        }
        if self.rows.rows() == 0 {
            return None;
        }
        let columns = self.rows.finish();
        let batch = columns.and_then(|columns| RecordBatch::try_new(Arc::clone(&self.schema), columns));
        self.has_failed = batch.is_err();
        Some(batch)
    }
}

impl RecordBatchReader for TableBatches<'_> {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

impl fmt::Debug for TableBatches<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TableBatches({})", self.table)
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int32Type;
    use arrow_array::{Array, StringArray};
    use arrow_schema::DataType;

    use super::*;
    use crate::fixtures::{FIXTURES, read};

    /// Returns the cells of a column, each as a text; those that are null are empty.
    fn cells(array: &ArrayRef) -> Vec<String> {
        let each = |cell: &dyn Fn(usize) -> String| {
            (0..array.len()).map(|at| if array.is_null(at) { String::new() } else { cell(at) }).collect()
        };
        match array.data_type() {
            DataType::Utf8 => each(&|at| format!("{:?}", array.as_string::<i32>().value(at))),
            DataType::Boolean => each(&|at| array.as_boolean().value(at).to_string()),
            DataType::Dictionary(..) => {
                let words = array.as_dictionary::<Int32Type>();
                let texts: &StringArray = words.values().as_string();
                each(&|at| format!("{:?}", words.key(at).map(|key| texts.value(key))))
            }
            DataType::List(_) => each(&|at| cells(&array.as_list::<i32>().value(at)).join(",")),
            _ => each(&|at| format!("{:?}", array.slice(at, 1))),
        }
    }

    fn columns_of(tables: &Tables<'_>, table: TableName, rows: usize) -> Vec<Vec<String>> {
        let mut columns = vec![Vec::new(); table.schema().fields().len()];
        for batch in tables.batches_of(table, &tables.keys(), BatchLimits { rows, bytes: usize::MAX }) {
            for (cells_of_all, array) in columns.iter_mut().zip(batch.unwrap().columns()) {
                cells_of_all.extend(cells(array));
            }
        }
        columns
    }

    #[test]
    fn small_batches_have_the_rows_of_one_large_batch() {
        let endpoints: Lineage = r#"{"dbobjs": [
            {"id": "1", "name": "T", "type": "table", "columns": [{"id": "2", "name": "A"}, {"id": "3", "name": "B"}]},
            {"id": "4", "name": "F", "type": "function", "arguments": [{"id": "5", "name": "P"}]},
            {"id": "6", "name": "V", "type": "view", "columns": [{"id": "7", "name": "A"}, {"id": "3", "name": "B"}]}
        ], "processes": [{"id": "8", "name": "Query"}], "relationships": [
            {"id": "10", "type": "fdd", "target": {"id": "7"}, "sources": [{"id": "2"}, {"id": "5"}, {"id": "8"}, {"id": "3"}]},
            {"id": "11", "type": "fdd", "target": {"id": "7"}, "sources": []},
            {"id": "12", "type": "fdd", "sources": [{"id": "2"}, {"id": "77", "parentId": "1", "column": "A"}]},
            {"id": "13", "type": "fdd", "target": {"id": "6"}, "sources": [{"id": "1"}, {"id": "4"}, {"id": "99", "column": "X"}]},
            {"id": "14", "type": "join", "joinType": "left", "condition": "on", "target": {"id": "2"}, "sources": [{"id": "7"}]}
        ]}"#
            .parse()
            .unwrap();
        for lineage in FIXTURES.map(read).iter().chain([&endpoints]) {
            let tables = lineage.tables();
            for table in TableName::ALL {
                let expected = columns_of(&tables, table, usize::MAX);
                for rows in [1, 2, 3, 7] {
                    assert_eq!(columns_of(&tables, table, rows), expected, "{table} in batches of {rows} rows");
                }
            }
        }
    }
}
