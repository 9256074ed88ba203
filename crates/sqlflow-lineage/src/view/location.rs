//! The places in the SQL where statements stand, and that messages are about.

use std::fmt;

use super::coordinate::Coordinate;

/// A place in the SQL of a statement or a message: the file, or the label of the document, with a line and a column.
///
/// Displayed as `etl/load.json:12:5`, or as `line 12, column 5` if the file is not known.
///
/// ```
/// use sqlflow_lineage::Lineage;
///
/// let lineage = Lineage::reader().label("load.sql").read_slice(br#"{"dbobjs": [], "processes": [
///     {"id": "1", "name": "Query Insert-1", "coordinate": "[12,5,0],[14,20,0]"}]}"#)?;
/// let statement = lineage.processes().next().expect("there is one");
/// assert_eq!(statement.location().to_string(), "load.sql:12:5");
/// # Ok::<(), sqlflow_lineage::ReadError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location<'a> {
    file: Option<&'a str>,
    line: Option<u32>,
    column: Option<u32>,
    script: Option<&'a str>,
}

impl<'a> Location<'a> {
    pub(super) fn new(file: Option<&'a str>, coordinate: Option<Coordinate<'a>>) -> Self {
        let known = |number: i32| u32::try_from(number).ok().filter(|&number| number > 0);
        Self {
            file: file.filter(|file| !file.is_empty()),
            line: coordinate.and_then(|at| known(at.line())),
            column: coordinate.and_then(|at| known(at.column())),
            script: coordinate.and_then(|at| at.hash_code()),
        }
    }

    /// Returns the file that the server names, or else the [label](crate::Reader::label) of the document.
    #[must_use]
    pub fn file(&self) -> Option<&'a str> {
        self.file
    }

    /// Returns the line, counted from 1.
    #[must_use]
    pub fn line(&self) -> Option<u32> {
        self.line
    }

    /// Returns the column in the line, counted from 1.
    #[must_use]
    pub fn column(&self) -> Option<u32> {
        self.column
    }

    /// Returns the code that tells which of several scripts is meant; see [`Coordinate::hash_code`].
    #[must_use]
    pub fn script(&self) -> Option<&'a str> {
        self.script
    }

    /// Returns `true` if neither the file nor the line is known. Such a location is displayed as nothing.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.file.is_none() && self.line.is_none()
    }
}

impl fmt::Display for Location<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.file, self.line, self.column) {
            (Some(file), Some(line), Some(column)) => write!(f, "{file}:{line}:{column}"),
            (Some(file), Some(line), None) => write!(f, "{file}:{line}"),
            (Some(file), None, _) => f.write_str(file),
            (None, Some(line), Some(column)) => write!(f, "line {line}, column {column}"),
            (None, Some(line), None) => write!(f, "line {line}"),
            (None, None, _) => Ok(()),
        }
    }
}

impl fmt::Debug for Location<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Location({self})")
    }
}
