//! Files to upload: their names, contents and lengths.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tempfile::TempPath;

use crate::{Error, Result};

/// A file to upload, from disk or from memory.
///
/// A file on disk is opened when it is sent, and again for each retry; its bytes are never all in memory.
///
/// ```
/// use sqlflow_client::api::File;
///
/// let script = File::new("etl.sql", "insert into t select a from s");
/// assert_eq!(script.name(), "etl.sql");
/// ```
#[derive(Clone)]
pub struct File {
    name: String,
    content: FileContent,
}

#[derive(Clone)]
pub(crate) enum FileContent {
    Memory(Bytes),
    Disk(PathBuf),
    /// A file that is deleted when the last clone is dropped.
    Temporary(Arc<TempPath>),
}

impl File {
    /// Creates an upload of a file on disk, which keeps its own name.
    ///
    /// # Errors
    /// Returns [`Io`](crate::ErrorKind::Io) if the path cannot be read, and
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) if it is not a file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let metadata = std::fs::metadata(path).map_err(|error| Error::unreadable(path, &error))?;
        if !metadata.is_file() {
            return Err(Error::invalid(format!("{} is not a file", path.display())));
        }
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Ok(Self { name, content: FileContent::Disk(path.to_owned()) })
    }

    /// Creates an upload from memory, with the name that the file gets on the server.
    pub fn new(name: impl Into<String>, content: impl Into<Bytes>) -> Self {
        Self { name: name.into(), content: FileContent::Memory(content.into()) }
    }

    /// Creates an upload of a temporary file, which is deleted when the last clone of it is dropped.
    pub(crate) fn temporary(name: impl Into<String>, path: TempPath) -> Self {
        Self { name: name.into(), content: FileContent::Temporary(Arc::new(path)) }
    }

    /// Returns the name of the file on the server.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn content(&self) -> &FileContent {
        &self.content
    }

    /// Returns the length in bytes.
    pub(crate) async fn len(&self) -> Result<u64> {
        let path: &Path = match &self.content {
            FileContent::Memory(bytes) => return Ok(bytes.len() as u64),
            FileContent::Disk(path) => path,
            FileContent::Temporary(path) => path,
        };
        let metadata = tokio::fs::metadata(path).await;
        metadata.map(|metadata| metadata.len()).map_err(|error| Error::unreadable(path, &error))
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("File");
        debug.field("name", &self.name);
        match &self.content {
            FileContent::Memory(bytes) => debug.field("bytes", &bytes.len()),
            FileContent::Disk(path) => debug.field("path", path),
            FileContent::Temporary(path) => debug.field("temporary", path),
        };
        debug.finish()
    }
}
