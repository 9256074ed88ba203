//! Files that appear under their final name complete or not at all.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempPath;
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};

use crate::{Error, Result};

/// A temporary file in the directory of the final file, which takes the final name once it is complete.
pub(crate) struct PartialFile {
    path: PathBuf,
    /// One handle for all attempts, so that a pending write of a failed attempt ends before the next attempt begins.
    file: tokio::fs::File,
    temporary: TempPath,
}

impl PartialFile {
    /// Creates the temporary file for a final `path`.
    pub(crate) async fn next_to(path: &Path) -> Result<Self> {
        let path = path.to_owned();
        blocking(move || {
            let failed = |error: io::Error| unwritable(&path, &error);
            // A link is kept, and the file that it points to is replaced.
            let target = match fs::symlink_metadata(&path) {
                Ok(existing) if existing.is_symlink() => fs::canonicalize(&path).map_err(failed)?,
                _ => path.clone(),
            };
            let existing = fs::metadata(&target).ok();
            if existing.as_ref().is_some_and(|existing| !existing.is_file()) {
                let text = format!("cannot write {}: it exists and is not a regular file", path.display());
                return Err(Error::invalid(text));
            }
            let name = target.file_name().ok_or_else(|| {
                Error::invalid(format!("cannot write {:?}: the path has no file name", path.display().to_string()))
            })?;
            let directory = target.parent().filter(|parent| !parent.as_os_str().is_empty());
            let mut prefix = OsString::from(".");
            prefix.push(name);
            prefix.push(".");
            let mut builder = tempfile::Builder::new();
            builder.prefix(&prefix).suffix(".part");
            let permissions = existing.map(|existing| existing.permissions());
            #[cfg(unix)]
            if permissions.is_none() {
                // The umask of the user applies, instead of the mode that `tempfile` chooses for secrets.
                use std::os::unix::fs::PermissionsExt as _;
                builder.permissions(fs::Permissions::from_mode(0o666));
            }
            let file = builder.tempfile_in(directory.unwrap_or(Path::new("."))).map_err(failed)?;
            if let Some(permissions) = permissions {
                file.as_file().set_permissions(permissions).map_err(failed)?;
            }
            let (file, temporary) = file.into_parts();
            Ok(Self { path: target, file: tokio::fs::File::from_std(file), temporary })
        })
        .await
    }

    /// Writes bytes from memory to the file, from its start, and returns their number.
    pub(crate) async fn write_bytes(&mut self, bytes: &[u8]) -> Result<u64> {
        self.restart().await?;
        self.append(bytes).await?;
        self.sync().await?;
        Ok(bytes.len() as u64)
    }

    /// Removes what a failed attempt has written.
    pub(super) async fn restart(&mut self) -> Result<()> {
        let Self { path, file, .. } = self;
        let failed = |error: io::Error| unwritable(path, &error);
        file.set_len(0).await.map_err(failed)?;
        file.rewind().await.map_err(failed)?;
        Ok(())
    }

    /// Appends a chunk.
    pub(super) async fn append(&mut self, chunk: &[u8]) -> Result<()> {
        self.file.write_all(chunk).await.map_err(|error| unwritable(&self.path, &error))
    }

    /// Returns another handle of the file, for a thread that appends to it.
    pub(super) async fn handle(&self) -> Result<fs::File> {
        let handle = self.file.try_clone().await.map_err(|error| self.unwritable(&error))?;
        Ok(handle.into_std().await)
    }

    /// Returns the error for a write that failed.
    pub(super) fn unwritable(&self, error: &io::Error) -> Error {
        unwritable(&self.path, error)
    }

    /// Waits until the bytes are on disk, as they have to be before the file gets its final name.
    pub(super) async fn sync(&mut self) -> Result<()> {
        let Self { path, file, .. } = self;
        let failed = |error: io::Error| unwritable(path, &error);
        // Only a flush reports an error of the last write; a sync does not.
        file.flush().await.map_err(failed)?;
        file.sync_all().await.map_err(failed)
    }

    /// Gives the file its final name.
    pub(crate) async fn persist(self) -> Result<()> {
        let Self { path, file, temporary } = self;
        drop(file);
        blocking(move || {
            let failed = |error: &io::Error| unwritable(&path, error);
            temporary.persist(&path).map_err(|error| failed(&error.error))?;
            // The name is stored in the directory, which has to survive a power failure too.
            #[cfg(unix)]
            if let Some(directory) = path.parent() {
                let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
                fs::File::open(directory).and_then(|directory| directory.sync_all()).map_err(|error| failed(&error))?;
            }
            Ok(())
        })
        .await
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Error {
    Error::io(format_args!("cannot write {}", path.display()), error)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::io("a file operation did not finish", &error.into()))?
}
