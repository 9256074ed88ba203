//! Lineage as CSV: a line for each source of each relationship.

use super::analysis::{ColumnIndex, Lineage};
use super::envelope::Failure;
use super::model::{column_of, namespace_part};
use super::selection::{LineageView, unquoted};

const COLUMNS: [&str; 10] = [
    "source_db",
    "source_schema",
    "source_table",
    "source_column",
    "target_db",
    "target_schema",
    "target_table",
    "target_column",
    "relation_type",
    "effect_type",
];

const TABLES: [&str; 8] = [
    "source_db",
    "source_schema",
    "source_table",
    "target_db",
    "target_schema",
    "target_table",
    "relation_type",
    "effect_type",
];

/// Returns the separator that a caller requested.
pub(super) fn delimiter(asked: Option<&str>) -> Result<u8, Failure> {
    match asked.map(str::as_bytes) {
        None => Ok(b','),
        Some([one]) if !matches!(one, b'"' | b'\r' | b'\n') => Ok(*one),
        Some(b"\\t") => Ok(b'\t'),
        Some(_) => Err(Failure::new(400, "The parameter 'delimiter' must be a single ASCII character.")),
    }
}

/// Writes the selected part of a lineage.
pub(super) fn write(view: &LineageView<'_>, delimiter: u8) -> Result<String, Failure> {
    let mut lines = Vec::new();
    for relationship in &view.relationships {
        for source in &relationship.sources {
            let mut line = end(view.lineage, source.column, view.table_level);
            line.extend(end(view.lineage, relationship.target.column, view.table_level));
            line.extend([relationship.kind.name().to_owned(), relationship.effect.name().to_owned()]);
            lines.push(line);
        }
    }
    let header: &[&str] = if view.table_level { &TABLES } else { &COLUMNS };
    table(header, &lines, delimiter)
}

/// Writes pairs of columns, sources first.
pub(super) fn write_pairs(
    lineage: &Lineage,
    pairs: &[(ColumnIndex, ColumnIndex)],
    delimiter: u8,
) -> Result<String, Failure> {
    let lines: Vec<Vec<String>> = pairs
        .iter()
        .map(|(source, target)| [end(lineage, *source, false), end(lineage, *target, false)].concat())
        .collect();
    table(&COLUMNS[..8], &lines, delimiter)
}

fn end(lineage: &Lineage, index: ColumnIndex, table_level: bool) -> Vec<String> {
    let (object, column) = column_of(lineage, index);
    let mut line = vec![
        unquoted(namespace_part(object.namespace.database.as_ref())),
        unquoted(namespace_part(object.namespace.schema.as_ref())),
        unquoted(&object.name),
    ];
    if !table_level {
        line.push(unquoted(&column.name));
    }
    line
}

fn table(header: &[&str], lines: &[Vec<String>], delimiter: u8) -> Result<String, Failure> {
    let mut writer = ::csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
    writer.write_record(header).map_err(Failure::internal)?;
    for line in lines {
        writer.write_record(line).map_err(Failure::internal)?;
    }
    let bytes = writer.into_inner().map_err(Failure::internal)?;
    String::from_utf8(bytes).map_err(Failure::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_separator_in_a_name_is_quoted() {
        let line = vec!["a,b".to_owned(), "say \"hi\"".to_owned()];
        assert_eq!(table(&["x", "y"], &[line], b',').unwrap(), "x,y\n\"a,b\",\"say \"\"hi\"\"\"\n");
    }

    #[test]
    fn a_separator_of_several_characters_is_refused() {
        assert_eq!(delimiter(Some("|")), Ok(b'|'));
        assert_eq!(delimiter(None), Ok(b','));
        assert_eq!(delimiter(Some("\\t")), Ok(b'\t'));
        for wrong in ["||", "\"", "→", "\n"] {
            assert!(delimiter(Some(wrong)).is_err(), "{wrong:?}");
        }
    }
}
