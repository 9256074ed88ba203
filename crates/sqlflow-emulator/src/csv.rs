//! Lineage as CSV: a line for each source of each relationship.

use std::io::Write;

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
pub(super) fn write(view: &LineageView<'_>, delimiter: u8, out: &mut impl Write) -> Result<(), Failure> {
    let lines = view.relationships.iter().flat_map(|relationship| {
        relationship.sources.iter().map(|source| {
            let mut line = end(view.lineage, source.column, view.table_level);
            line.extend(end(view.lineage, relationship.target.column, view.table_level));
            line.extend([relationship.kind.name().to_owned(), relationship.effect.name().to_owned()]);
            line
        })
    });
    let header: &[&str] = if view.table_level { &TABLES } else { &COLUMNS };
    table(header, lines, delimiter, out)
}

/// Writes pairs of columns, sources first.
pub(super) fn write_pairs(
    lineage: &Lineage,
    pairs: &[(ColumnIndex, ColumnIndex)],
    delimiter: u8,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let lines =
        pairs.iter().map(|(source, target)| [end(lineage, *source, false), end(lineage, *target, false)].concat());
    table(&COLUMNS[..8], lines, delimiter, out)
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

fn table(
    header: &[&str],
    lines: impl Iterator<Item = Vec<String>>,
    delimiter: u8,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let mut writer = ::csv::WriterBuilder::new().delimiter(delimiter).from_writer(out);
    writer.write_record(header).map_err(Failure::internal)?;
    for line in lines {
        writer.write_record(line).map_err(Failure::internal)?;
    }
    writer.flush().map_err(Failure::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_separator_in_a_name_is_quoted() {
        let line = vec!["a,b".to_owned(), "say \"hi\"".to_owned()];
        let mut written = Vec::new();
        table(&["x", "y"], std::iter::once(line), b',', &mut written).unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), "x,y\n\"a,b\",\"say \"\"hi\"\"\"\n");
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
