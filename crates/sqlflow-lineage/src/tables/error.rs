//! Errors from writing tables.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use parquet::errors::ParquetError;

/// An error from writing [tables](crate::Tables).
#[derive(Debug)]
#[non_exhaustive]
pub enum TablesError {
    /// A table could not be encoded or written.
    Write(Box<dyn Error + Send + Sync>),
    /// A file or directory could not be created, read or renamed.
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        error: io::Error,
    },
    /// The directory holds something else than the tables of a lineage, so it is not replaced.
    NotTables {
        /// The directory.
        path: PathBuf,
        /// The first thing in it, in alphabetical order, that does not belong to the tables of a lineage, or the reason.
        found: String,
    },
}

impl TablesError {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |error| Self::Io { path: path.to_owned(), error }
    }
}

impl From<ParquetError> for TablesError {
    fn from(error: ParquetError) -> Self {
        Self::Write(Box::new(error))
    }
}

impl From<arrow_schema::ArrowError> for TablesError {
    fn from(error: arrow_schema::ArrowError) -> Self {
        Self::Write(Box::new(error))
    }
}

impl fmt::Display for TablesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(_) => f.write_str("cannot write the tables of the lineage"),
            Self::Io { path, .. } => write!(f, "cannot use the directory of tables {}", path.display()),
            Self::NotTables { path, found } => write!(
                f,
                "{} is not replaced, because it is not a directory of lineage tables: {found}; choose another directory",
                path.display()
            ),
        }
    }
}

impl Error for TablesError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Write(error) => Some(&**error),
            Self::Io { error, .. } => Some(error),
            Self::NotTables { .. } => None,
        }
    }
}
