//! Tables for people.

use std::fmt;
use std::io::{self, IsTerminal as _};

use comfy_table::{ColumnConstraint, ContentArrangement};
use unicode_width::UnicodeWidthStr as _;

use super::lineage::without_controls;

/// The blanks between two columns.
const GAP: usize = 2;

/// Returns the width of standard output, if it is a terminal.
pub(crate) fn terminal_width() -> Option<u16> {
    let size = terminal_size::terminal_size().filter(|_| io::stdout().is_terminal());
    size.map(|(terminal_size::Width(width), _)| width)
}

/// A table without lines, in the width of the terminal. If the terminal is much too narrow, each row becomes a paragraph.
#[derive(Debug)]
pub(crate) struct Table {
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    /// The width to fit into; none if the output is no terminal.
    width: Option<u16>,
    keeps_first: bool,
}

impl Table {
    pub(crate) fn new<const COLUMNS: usize>(header: [&'static str; COLUMNS]) -> Self {
        Self { header: header.to_vec(), rows: Vec::new(), width: terminal_width(), keeps_first: false }
    }

    /// Keeps the first column in one piece, so that an id can be copied.
    pub(crate) fn keep_first(mut self) -> Self {
        self.keeps_first = true;
        self
    }

    /// Adds a row.
    pub(crate) fn row<const COLUMNS: usize>(&mut self, cells: [String; COLUMNS]) {
        self.rows.push(cells.into_iter().map(|cell| without_controls(&cell)).collect());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns the width without any line breaks in cells.
    fn natural_width(&self) -> usize {
        let column = |at: usize| {
            let cells = self.rows.iter().map(|row| row[at].width());
            cells.chain([self.header[at].width()]).max().unwrap_or_default() + GAP
        };
        (0..self.header.len()).map(column).sum()
    }

    fn write_paragraphs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title_width = self.header.iter().skip(1).map(|title| title.width()).max().unwrap_or_default();
        for row in &self.rows {
            writeln!(f, "{}", row[0])?;
            for (title, cell) in self.header.iter().zip(row).skip(1).filter(|(_, cell)| !cell.is_empty()) {
                writeln!(f, "  {:<title_width$}  {cell}", title.to_lowercase())?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        if let Some(width) = self.width {
            if self.natural_width() > usize::from(width) * 3 / 2 {
                return self.write_paragraphs(f);
            }
            table.set_width(width).set_content_arrangement(ContentArrangement::Dynamic);
        }
        table.set_header(self.header.iter().copied());
        table.add_rows(&self.rows);
        for (at, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, 2));
            if at == 0 && self.keeps_first {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        for line in table.lines() {
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(width: Option<u16>) -> String {
        let mut table = Table { width, ..Table::new(["JOB", "NAME", "STATUS"]) }.keep_first();
        table.row(["c48f0447df974cc7bb90b6296d1fd80a".into(), "a name of some length".into(), "success".into()]);
        table.to_string()
    }

    #[test]
    fn a_wide_table_is_not_wrapped_for_a_program() {
        let wide = "JOB                               NAME                   STATUS\n\
                    c48f0447df974cc7bb90b6296d1fd80a  a name of some length  success\n";
        assert_eq!(table(None), wide);
        assert_eq!(table(Some(100)), wide);
    }

    #[test]
    fn an_id_stays_in_one_piece() {
        let narrow = table(Some(56));
        assert!(narrow.contains("c48f0447df974cc7bb90b6296d1fd80a"), "{narrow}");
        assert!(narrow.lines().all(|line| line.width() <= 56), "{narrow}");
    }

    #[test]
    fn rows_are_paragraphs_where_a_table_has_no_room() {
        let expected = "c48f0447df974cc7bb90b6296d1fd80a\n  name    a name of some length\n  status  success\n";
        assert_eq!(table(Some(40)), expected);
    }
}
