//! Tables as Parquet files.

use std::io::Write;
use std::sync::Arc;

use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowWriterOptions, compute_leaves};
use parquet::basic::Compression;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use super::chunks::ChunkEncoder;
use super::keys::Keys;
use super::{BatchLimits, TableName, Tables, TablesError};

/// The limits of a row group, which is a batch. Several files are written at the same time.
const GROUP: BatchLimits = BatchLimits { rows: 128 * 1024, bytes: 16 << 20 };

/// The key of the metadata that says which table a file holds.
pub(super) const TABLE_ENTRY: &str = "sqlflow.table";
/// The key of the metadata that says which job a file is about.
pub(super) const JOB_ENTRY: &str = "sqlflow.job";

impl Tables<'_> {
    /// Writes a table as a Parquet file. The writer gets large blocks and needs no buffer of its own.
    ///
    /// # Errors
    ///
    /// [`TablesError::Write`] if the writer fails, or if a text is longer than 2 GiB.
    pub fn write_parquet(&self, table: TableName, writer: impl Write + Send) -> Result<(), TablesError> {
        self.write_parquet_with_keys(table, writer, &self.keys())
    }

    pub(super) fn write_parquet_with_keys(
        &self,
        table: TableName,
        writer: impl Write + Send,
        keys: &Arc<Keys>,
    ) -> Result<(), TablesError> {
        // Engines get plain strings: the types of Arrow would make dictionaries of them, which cannot be compared between
        // files.
        let options = ArrowWriterOptions::new().with_properties(self.properties(table)).with_skip_arrow_metadata(true);
        let schema = table.schema();
        let writer = ArrowWriter::try_new_with_options(writer, Arc::clone(&schema), options)?;
        let (mut file, others) = writer.into_serialized_writer()?;
        let mut encoder = ChunkEncoder::new();
        for (at, batch) in self.batches_of(table, keys, GROUP).enumerate() {
            let batch = batch?;
            let parquet_columns = file.schema_descr().columns().to_vec();
            let properties = Arc::clone(file.properties());
            let mut group = file.next_row_group()?;
            let columns = parquet_columns.iter().zip(schema.fields()).zip(batch.columns());
            for (((column, field), array), mut other) in columns.zip(others.create_column_writers(at)?) {
                let has_statistics = properties.statistics_enabled(column.path()) != EnabledStatistics::None;
                if let Some((bytes, close)) = encoder.encode(column, array, has_statistics)? {
                    group.append_column(&bytes, close)?;
                    continue;
                }
                for leaf in compute_leaves(field, array)? {
                    other.write(&leaf)?;
                }
                other.close()?.append_to_row_group(&mut group)?;
            }
            group.close()?;
        }
        file.close()?;
        Ok(())
    }

    fn properties(&self, table: TableName) -> WriterProperties {
        let entry = |key: &str, value: &str| KeyValue::new(key.to_owned(), value.to_owned());
        let entries = vec![
            entry(TABLE_ENTRY, table.as_str()),
            entry("sqlflow.version", concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"))),
            entry("sqlflow.schema", &Self::SCHEMA_VERSION.to_string()),
            entry(JOB_ENTRY, self.label()),
        ];
        let properties = WriterProperties::builder()
            .set_created_by(concat!(env!("CARGO_PKG_NAME"), " version ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_key_value_metadata(Some(entries))
            .set_compression(Compression::SNAPPY)
            .set_offset_index_disabled(true)
            .set_statistics_enabled(EnabledStatistics::None);
        with_columns(properties, table).build()
    }
}

/// Sets the columns that have statistics, because queries ask for single values of them and their rows are sorted or
/// clustered by them, and the columns that have no dictionary, because each row is different.
fn with_columns(mut properties: WriterPropertiesBuilder, table: TableName) -> WriterPropertiesBuilder {
    let (unique, clustered): (&[&str], &[&str]) = match table {
        TableName::Objects => (&["key", "id", "qualified_name"], &["label", "database", "schema", "name"]),
        TableName::Columns => (&["key", "id", "qualified_name"], &["label", "object", "database", "schema", "name"]),
        TableName::Relationships => (&["id"], &["label", "target_object"]),
        TableName::Flows => (&[], &["label", "target_object", "target_database", "target_schema", "target_name"]),
        TableName::Statements => (&["key", "id", "name", "query_hash_id"], &["label"]),
        TableName::Notes => (&["message", "relationship_id", "subject"], &["label"]),
    };
    for column in unique {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(*column), false);
    }
    for column in clustered {
        properties = properties.set_column_statistics_enabled(ColumnPath::from(*column), EnabledStatistics::Chunk);
    }
    properties
}
