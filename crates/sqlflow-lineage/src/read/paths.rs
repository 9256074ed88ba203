//! Documents in files.

use std::fs::File;
use std::path::Path;

use super::super::error::{ReadError, ReadErrorKind};
use super::super::{Lineage, MergeError};
use super::Reader;

impl Reader {
    /// Reads a document from a file. If no [label](Self::label) is set, the path is the label.
    ///
    /// # Errors
    ///
    /// The errors of [`read`](Self::read), which name the path, and [`ReadErrorKind::Io`] if the file cannot be opened.
    pub fn read_path(&self, path: impl AsRef<Path>) -> Result<Lineage, ReadError> {
        let path = path.as_ref();
        let mut reader = self.clone();
        reader.label.get_or_insert_with(|| path.display().to_string());
        let file = File::open(path).map_err(|error| {
            ReadError::new(ReadErrorKind::Io, format!("cannot open the file: {error}")).caused_by(error)
        });
        file.and_then(|file| reader.read(file)).map_err(|error| error.in_file(path))
    }
}

impl Lineage {
    /// Reads a document from a file: UTF-8 or UTF-16, with or without a byte order mark, or compressed by gzip. The path
    /// becomes the [label](Self::label) of the lineage.
    ///
    /// ```no_run
    /// use sqlflow_lineage::Lineage;
    ///
    /// let lineage = Lineage::from_path("lineage.json.gz")?;
    /// println!("{} objects", lineage.objects().len());
    /// # Ok::<(), sqlflow_lineage::ReadError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// See [`ReadErrorKind`]. The error names the path.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self, ReadError> {
        Reader::new().read_path(path)
    }

    /// Reads documents from files and [merges](Self::merge) them. The path of each file becomes the label of everything
    /// that comes from it.
    ///
    /// For labels of your own, read each file with [`Reader::label`] and merge the lineages.
    ///
    /// ```no_run
    /// use sqlflow_lineage::Lineage;
    ///
    /// let estate = Lineage::merge_paths(["load.json", "report.json"])?;
    /// for statement in estate.object("sales.orders")?.readers() {
    ///     println!("{statement}"); // Query Insert-1 at report.json, line 12, column 1
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The first error of [`from_path`](Self::from_path), and [`ReadErrorKind::TooMany`] if the lineages together hold
    /// more records of one kind than 32 bits can count.
    pub fn merge_paths<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Result<Self, ReadError> {
        let mut failure = None;
        // Each lineage is dropped as soon as it is merged.
        let lineages = paths.into_iter().map_while(|path| match Self::from_path(path) {
            Ok(lineage) => Some(lineage),
            Err(error) => {
                failure = Some(error);
                None
            }
        });
        let merged = Self::merge(lineages);
        match failure {
            Some(error) => Err(error),
            None => merged.map_err(|error: MergeError| ReadError::new(ReadErrorKind::TooMany, error.to_string())),
        }
    }
}
