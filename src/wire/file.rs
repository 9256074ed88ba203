//! Files to upload: their names, contents and lengths.

use std::ffi::OsStr;
use std::fmt::{self, Write as _};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::regular_file::open_regular_file;
use super::temporary_file::TemporaryFile;
use crate::{Error, Result};

/// A file to upload, from disk or from memory.
///
/// A file on disk is opened when the one before it is sent, and again for each retry, so that any number of files can be
/// sent at once; its bytes are never all in memory. A file whose size changes between the beginning of the upload and the
/// time at which it is read is an error that names it, and so is one that changes between its first bytes and the rest.
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
    Temporary(Arc<TemporaryFile>),
}

impl File {
    /// Creates an upload of a file on disk, which keeps its own name. In a name that is not Unicode, the bytes that are
    /// not, and percent signs, are percent-encoded.
    ///
    /// # Errors
    /// Returns [`Io`](crate::ErrorKind::Io) if the path cannot be read, and
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) if it is not a regular file: a directory, a pipe, a socket, a
    /// device, or a file of size 0 that has content, such as those in `/proc`.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        open_regular_file(path).map_err(|error| unusable(path, &error))?;
        let name = name_on_server(path.file_name().unwrap_or(path.as_os_str()));
        Ok(Self { name, content: FileContent::Disk(path.to_owned()) })
    }

    /// Creates an upload from memory, with the name that the file gets on the server.
    pub fn new(name: impl Into<String>, content: impl Into<Bytes>) -> Self {
        Self { name: name.into(), content: FileContent::Memory(content.into()) }
    }

    /// Creates an upload of a temporary file, which is deleted when the last clone of it is dropped.
    pub(crate) fn temporary(name: impl Into<String>, file: TemporaryFile) -> Self {
        Self { name: name.into(), content: FileContent::Temporary(Arc::new(file)) }
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
            FileContent::Temporary(file) => file.path(),
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
            FileContent::Temporary(file) => debug.field("temporary", &file.path()),
        };
        debug.finish()
    }
}

/// Returns the error for a path that cannot be read, or that is not a regular file.
fn unusable(path: &Path, error: &io::Error) -> Error {
    if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::IsADirectory) {
        return Error::invalid(format!("{} is not a file: {error}", path.display()));
    }
    Error::unreadable(path, error)
}

/// Returns the name that a file has on the server: its own, if that is Unicode. Otherwise the bytes that are not Unicode
/// and percent signs are percent-encoded, so that two such names stay different.
pub(crate) fn name_on_server(name: &OsStr) -> String {
    if let Some(name) = name.to_str() {
        return name.to_owned();
    }
    let mut encoded = String::new();
    for chunk in name.as_encoded_bytes().utf8_chunks() {
        encoded.push_str(&chunk.valid().replace('%', "%25"));
        for byte in chunk.invalid() {
            // Writing to a string cannot fail.
            let _written = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    #[cfg(unix)]
    #[test]
    fn names_that_are_not_unicode_stay_different() {
        use std::os::unix::ffi::OsStrExt as _;
        for (name, expected) in [
            (&b"100%.sql"[..], "100%.sql"),
            ("größe.sql".as_bytes(), "größe.sql"),
            (b"gr\xf6\xdfe.sql", "gr%F6%DFe.sql"),
            (b"gr\xf6%DFe.sql", "gr%F6%25DFe.sql"),
            (b"\xff", "%FF"),
            (b"\xe2\x82", "%E2%82"),
        ] {
            assert_eq!(super::name_on_server(std::ffi::OsStr::from_bytes(name)), expected);
        }
    }
}
