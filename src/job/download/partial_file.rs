//! Files that appear under their final name complete or not at all.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};
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
        blocking(move || Self::create(&path)).await
    }

    fn create(path: &Path) -> Result<Self> {
        let failed = |error: io::Error| unwritable(path, &error);
        let target = target_of(path).map_err(failed)?;
        let existing = fs::metadata(&target).ok();
        if existing.as_ref().is_some_and(|existing| !existing.is_file()) {
            let text = format!("cannot write {}: it exists and is not a regular file", path.display());
            return Err(Error::invalid(text));
        }
        let name = target
            .file_name()
            .ok_or_else(|| Error::invalid(format!("cannot write \"{}\": the path has no file name", path.display())))?;
        let mode = existing.is_none().then_some(NEW_FILE_MODE);
        let temporary = match temporary_in(parent(&target), name, mode) {
            // The name may be as long as the file system allows.
            Err(error) if error.kind() == io::ErrorKind::InvalidFilename => {
                temporary_in(parent(&target), OsStr::new(SHORT_NAME), mode)
            }
            created => created,
        };
        let temporary = temporary.map_err(failed)?;
        if let Some(existing) = existing {
            take_over(temporary.as_file(), &existing).map_err(failed)?;
        }
        let (file, temporary) = temporary.into_parts();
        Ok(Self { path: target, file: tokio::fs::File::from_std(file), temporary })
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
            temporary.persist(&path).map_err(|error| unwritable(&path, &error.error))?;
            sync_directory_of(&path);
            Ok(())
        })
        .await
    }
}

/// The permissions of a new file, of which the umask of the user removes some.
const NEW_FILE_MODE: u32 = 0o666;
/// The name in place of one that is too long to become part of the name of a temporary file.
const SHORT_NAME: &str = "sqlflow-client";
/// The maximum number of links that lead to a file, as on most systems.
const MAX_LINKS: usize = 40;

/// Creates a file `.name.a1B2c3.part`.
fn temporary_in(directory: &Path, name: &OsStr, mode: Option<u32>) -> io::Result<NamedTempFile> {
    let mut prefix = OsString::from(".");
    prefix.push(name);
    prefix.push(".");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(".part");
    #[cfg(unix)]
    if let Some(mode) = mode {
        // Otherwise `tempfile` chooses the mode, which is one for secrets.
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    }
    #[cfg(not(unix))]
    let _unused = mode;
    builder.tempfile_in(directory)
}

/// Returns the file to write: a link is kept, and the file that it points to is replaced or created.
fn target_of(path: &Path) -> io::Result<PathBuf> {
    if !fs::symlink_metadata(path).is_ok_and(|existing| existing.is_symlink()) {
        return Ok(path.to_owned());
    }
    match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        canonical => return canonical,
    }
    let mut target = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::read_link(&target) {
            Ok(next) => target = parent(&target).join(next),
            Err(_) => return Ok(target),
        }
    }
    Err(io::Error::other("too many links lead to it"))
}

/// Gives a new file the permissions of the one that it will replace and, where permitted, its owner and group.
#[cfg(unix)]
fn take_over(file: &fs::File, existing: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};

    const SET_ID_BITS: u32 = 0o6000;
    const ALL_BITS: u32 = 0o7777;
    let created = file.metadata()?;
    let (owner, group) = (existing.uid(), existing.gid());
    let mut mode = existing.mode() & ALL_BITS;
    if (created.uid(), created.gid()) != (owner, group) {
        // Only root may change the owner, and others may change the group to one of their own.
        if fchown(file, Some(owner), Some(group)).is_err() {
            let _refused = fchown(file, None, Some(group));
        }
        // Nobody may run what this process writes with the rights of another user.
        mode &= !SET_ID_BITS;
        if file.metadata()?.gid() != group {
            // What the old group was permitted is not meant for another one, unless it is permitted to everyone.
            mode &= !0o070 | (mode & 0o007) << 3;
        }
    }
    file.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn take_over(file: &fs::File, existing: &fs::Metadata) -> io::Result<()> {
    file.set_permissions(existing.permissions())
}

/// Syncs the directory of a file that is complete under its final name, so that the name survives a power failure too.
///
/// A failure is only a warning, because the file is there: the directory may be one that the user may not read, or on a
/// file system that syncs no directories.
pub(crate) fn sync_directory_of(path: &Path) {
    // On other systems a directory cannot be opened, and does not need to be synced.
    #[cfg(unix)]
    if let Err(error) = fs::File::open(parent(path)).and_then(|directory| directory.sync_all()) {
        tracing::warn!(
            target: "sqlflow_client::files",
            path = %path.display(),
            %error,
            "the file is complete, but its directory cannot be synced: a power failure may undo its creation"
        );
    }
    #[cfg(not(unix))]
    let _unused = path;
}

/// Returns the directory of a file.
pub(crate) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn unwritable(path: &Path, error: &io::Error) -> Error {
    Error::io(format_args!("cannot write {}", path.display()), error)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::io("a file operation did not finish", &error.into()))?
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    use super::*;

    async fn write(path: &Path, text: &str) -> Result<()> {
        let mut file = PartialFile::next_to(path).await?;
        file.write_bytes(text.as_bytes()).await?;
        file.persist().await
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn a_name_as_long_as_the_file_system_allows_is_written_twice() {
        let home = tempfile::tempdir().unwrap();
        for name in ["x".repeat(255), "ä".repeat(127), "y".repeat(243), "z".repeat(242)] {
            let path = home.path().join(&name);
            for text in ["one", "two"] {
                write(&path, text).await.unwrap();
                assert_eq!(fs::read_to_string(&path).unwrap(), text);
            }
            assert_eq!(names(home.path()), [name]);
            fs::remove_file(path).unwrap();
        }
        let path = home.path().join("x".repeat(256));
        let error = write(&path, "").await.unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Io);
        assert_eq!(names(home.path()), [""; 0]);
    }

    #[tokio::test]
    async fn a_link_that_leads_nowhere_stays_and_its_target_is_created() {
        let home = tempfile::tempdir().unwrap();
        let other = home.path().join("other");
        fs::create_dir(&other).unwrap();
        symlink("second", home.path().join("first")).unwrap();
        symlink("other/target.csv", home.path().join("second")).unwrap();
        symlink(other.join("absolute.csv"), home.path().join("absolute")).unwrap();
        for (link, target) in [("first", "target.csv"), ("absolute", "absolute.csv")] {
            for text in ["one", "two"] {
                write(&home.path().join(link), text).await.unwrap();
                assert_eq!(fs::read_to_string(other.join(target)).unwrap(), text);
                assert!(home.path().join(link).is_symlink());
            }
        }
        assert_eq!(names(home.path()), ["absolute", "first", "other", "second"]);
        assert_eq!(names(&other), ["absolute.csv", "target.csv"]);
    }

    #[tokio::test]
    async fn links_in_a_circle_or_into_a_missing_directory_are_an_error_that_names_the_path() {
        let home = tempfile::tempdir().unwrap();
        symlink("round", home.path().join("round")).unwrap();
        symlink("no/such/directory.csv", home.path().join("lost")).unwrap();
        for name in ["round", "lost"] {
            let error = write(&home.path().join(name), "").await.unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Io);
            assert!(error.to_string().contains(name), "{error}");
        }
        assert_eq!(names(home.path()), ["lost", "round"]);
    }

    #[tokio::test]
    async fn an_existing_file_keeps_its_permissions() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("x.csv");
        fs::write(&path, "older").unwrap();
        for mode in [0o600, 0o640, 0o666, 0o444] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            write(&path, "newer").await.unwrap();
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, mode);
        }
    }

    #[tokio::test]
    async fn root_keeps_owner_and_group_of_a_file_and_gives_it_no_set_id_bits() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("x.csv");
        for (mode, expected) in [(0o640, 0o640), (0o6755, 0o755), (0o4711, 0o711), (0o2771, 0o771)] {
            fs::write(&path, "older").unwrap();
            if std::os::unix::fs::chown(&path, Some(1234), Some(2345)).is_err() {
                // Only root can set the stage. What others are refused is shown by a download in a child process.
                return;
            }
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            write(&path, "newer").await.unwrap();
            let written = fs::metadata(&path).unwrap();
            assert_eq!((written.uid(), written.gid(), written.mode() & 0o7777), (1234, 2345, expected));
            fs::remove_file(&path).unwrap();
        }
    }
}
