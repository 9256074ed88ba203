//! The places in the SQL where statements stand, and that messages are about.

use std::fmt;

use super::coordinate::Coordinate;

/// A place in the SQL of a statement or a message: a line and a column in a file of SQL, or in one of the scripts that a
/// document is about.
///
/// Displayed as `load.sql:12:5` if the server names the file. Servers name it only for messages; otherwise, the
/// [label](crate::Reader::label) of the document is shown, with the number of the script if there are several:
/// `nightly, script 2, line 12, column 5`. The line is that of the SQL, not of the document.
///
/// ```
/// use sqlflow_lineage::Lineage;
///
/// let lineage = Lineage::reader().label("nightly").read_slice(br#"{"dbobjs": [], "processes": [
///     {"id": "1", "name": "Query Insert-1", "coordinate": "[12,5,0],[14,20,0]"}]}"#)?;
/// let statement = lineage.processes().next().expect("there is one");
/// assert_eq!(statement.location().to_string(), "nightly, line 12, column 5");
/// # Ok::<(), sqlflow_lineage::ReadError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location<'a> {
    file: Option<&'a str>,
    label: Option<&'a str>,
    line: Option<u32>,
    column: Option<u32>,
    script: Option<&'a str>,
}

impl<'a> Location<'a> {
    pub(super) fn new(file: Option<&'a str>, label: Option<&'a str>, coordinate: Option<Coordinate<'a>>) -> Self {
        let known = |number: i32| u32::try_from(number).ok().filter(|&number| number > 0);
        Self {
            file: file.filter(|file| !file.is_empty()),
            label: label.filter(|label| !label.is_empty()),
            line: coordinate.and_then(|at| known(at.line())),
            column: coordinate.and_then(|at| known(at.column())),
            script: coordinate.and_then(|at| at.hash_code()),
        }
    }

    /// Returns the file of SQL, if the server names it.
    #[must_use]
    pub fn file(&self) -> Option<&'a str> {
        self.file
    }

    /// Returns the [label](crate::Reader::label) of the document, which is the path of its file unless another one was
    /// set.
    #[must_use]
    pub fn label(&self) -> Option<&'a str> {
        self.label
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

    /// Returns `true` if nothing is known. Such a location is displayed as nothing.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.file.is_none() && self.label.is_none() && self.line.is_none()
    }
}

impl fmt::Display for Location<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_location(f, self.file, self.label, self.script, self.line, self.column)
    }
}

/// Writes a location, whether it borrows its lineage or not.
pub(crate) fn write_location(
    f: &mut fmt::Formatter<'_>,
    file: Option<&str>,
    label: Option<&str>,
    script: Option<&str>,
    line: Option<u32>,
    column: Option<u32>,
) -> fmt::Result {
    if let Some(file) = file {
        f.write_str(file)?;
        for number in [line, column].into_iter().map_while(|number| number) {
            write!(f, ":{number}")?;
        }
        return Ok(());
    }
    // Servers number the scripts of a job from 1, and write 0 or a hash where there is one script.
    let number = script.filter(|script| line.is_some() && script.len() <= 6 && *script != "0");
    let number = number.filter(|script| script.bytes().all(|byte| byte.is_ascii_digit()));
    let parts = [
        label.map(str::to_owned),
        number.map(|number| format!("script {number}")),
        line.map(|line| format!("line {line}")),
        column.filter(|_| line.is_some()).map(|column| format!("column {column}")),
    ];
    f.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

impl fmt::Debug for Location<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Location({self})")
    }
}
