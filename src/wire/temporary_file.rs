//! Temporary files that the next process removes if this one is killed.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The beginning of the names of the directories. No other program should use it.
const PREFIX: &str = "sqlflow-client-";
/// The length of the random end of those names.
const RANDOM_CHARACTERS: usize = 12;
/// The name of the file whose lock shows that the process lives.
const LOCK_NAME: &str = "lock";
const CONTENT_NAME: &str = "content";
/// The number of times that a directory is created. Another process can only take it for an abandoned one in the
/// moment before it is locked.
const MAX_ATTEMPTS: usize = 8;

/// A file in a directory of its own below the temporary directory of the system. Both are deleted when it is dropped.
///
/// A second file in the directory is locked for as long as the process needs the first one. The lock ends with the
/// process, however it ends, and the next process that creates a temporary file removes the directories whose lock is
/// free.
#[derive(Debug)]
pub(crate) struct TemporaryFile {
    path: PathBuf,
    /// Released before the directory is deleted, because some systems delete no file that is open.
    _lock: File,
    _directory: TempDir,
}

impl TemporaryFile {
    /// Creates a file, opened to write it, and removes those that killed processes left behind. Blocks.
    pub(crate) fn create() -> io::Result<(Self, File)> {
        Self::create_in(&std::env::temp_dir())
    }

    fn create_in(root: &Path) -> io::Result<(Self, File)> {
        let mut last_error = io::Error::other("other processes remove its directory");
        for _ in 0..MAX_ATTEMPTS {
            let mut builder = tempfile::Builder::new();
            builder.prefix(PREFIX).rand_bytes(RANDOM_CHARACTERS);
            #[cfg(unix)]
            builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
            let directory = builder.tempdir_in(root)?;
            match Self::locked(directory) {
                Ok(Some((temporary, content))) => {
                    remove_abandoned(root, temporary.path.parent().unwrap_or(root));
                    return Ok((temporary, content));
                }
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => last_error = error,
                Err(error) => return Err(error),
            }
        }
        Err(last_error)
    }

    /// Returns `None` if another process has just taken the directory for an abandoned one.
    fn locked(directory: TempDir) -> io::Result<Option<(Self, File)>> {
        let lock_path = directory.path().join(LOCK_NAME);
        let lock = File::options().write(true).create_new(true).open(&lock_path)?;
        // Where files cannot be locked, no process removes the files of another.
        if matches!(lock.try_lock(), Err(TryLockError::WouldBlock)) || !lock_path.try_exists()? {
            return Ok(None);
        }
        let path = directory.path().join(CONTENT_NAME);
        let content = File::options().read(true).write(true).create_new(true).open(&path)?;
        Ok(Some((Self { path, _lock: lock, _directory: directory }, content)))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Removes the directories of processes that are dead. What cannot be removed is left to a later process.
fn remove_abandoned(root: &Path, own: &Path) {
    let Ok(owner) = fs::symlink_metadata(own) else { return };
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let is_named = entry.file_name().to_str().is_some_and(is_directory_name);
        let path = entry.path();
        if !is_named || path == own {
            continue;
        }
        let is_ours = fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir() && have_same_owner(&found, &owner));
        if is_ours && remove_if_abandoned(&path) {
            tracing::debug!(
                target: "sqlflow_client::submit",
                path = %path.display(),
                "removed the temporary files of a process that was killed"
            );
        }
    }
}

fn is_directory_name(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|random| {
        random.len() == RANDOM_CHARACTERS && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

#[cfg(unix)]
fn have_same_owner(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    one.uid() == other.uid()
}

/// Returns `true`: elsewhere, each user has a temporary directory.
#[cfg(not(unix))]
fn have_same_owner(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    true
}

/// Removes a directory unless a process holds its lock. Returns `true` if it was removed.
fn remove_if_abandoned(directory: &Path) -> bool {
    let lock_path = directory.join(LOCK_NAME);
    // A process may be killed, or not have got further, before it creates the lock: the directory is then empty. It is
    // removed, and a process that lives creates another one.
    if !fs::symlink_metadata(&lock_path).is_ok_and(|lock| lock.is_file()) {
        return fs::remove_dir(directory).is_ok();
    }
    let Ok(lock) = File::options().write(true).open(&lock_path) else { return false };
    lock.try_lock().is_ok() && fs::remove_dir_all(directory).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(root: &Path) -> usize {
        fs::read_dir(root).unwrap().count()
    }

    #[test]
    fn a_file_and_its_directory_are_deleted_when_it_is_dropped() {
        let root = tempfile::tempdir().unwrap();
        let (temporary, content) = TemporaryFile::create_in(root.path()).unwrap();
        assert!(temporary.path().is_file());
        drop((temporary, content));
        assert_eq!(count(root.path()), 0);
    }

    #[test]
    fn files_that_are_in_use_are_kept_when_another_is_created() {
        let root = tempfile::tempdir().unwrap();
        let all: Vec<_> = (0..5).map(|_| TemporaryFile::create_in(root.path()).unwrap()).collect();
        assert!(all.iter().all(|(temporary, _)| temporary.path().is_file()));
    }

    #[test]
    fn directories_without_a_holder_of_their_lock_are_removed_and_nothing_else_is() {
        let root = tempfile::tempdir().unwrap();
        let create = |name: &str, files: &[&str]| {
            fs::create_dir(root.path().join(name)).unwrap();
            for file in files {
                fs::write(root.path().join(name).join(file), "x").unwrap();
            }
        };
        create("sqlflow-client-a1b2c3d4e5f6", &[LOCK_NAME, CONTENT_NAME]);
        create("sqlflow-client-killedbefore", &[]);
        let others = ["sqlflow-client-exports", "sqlflow-client-a1b2c3d4e5-6", "a1b2c3d4e5f6"];
        for name in others {
            create(name, &[LOCK_NAME, CONTENT_NAME]);
        }
        // The user may have created a directory of such a name, too.
        create("sqlflow-client-withoutalock", &["results.csv"]);
        fs::write(root.path().join("sqlflow-client-notadirector"), "x").unwrap();
        let (_temporary, _content) = TemporaryFile::create_in(root.path()).unwrap();
        for name in ["sqlflow-client-a1b2c3d4e5f6", "sqlflow-client-killedbefore"] {
            assert!(!root.path().join(name).exists(), "{name}");
        }
        for name in others.iter().chain(&["sqlflow-client-withoutalock", "sqlflow-client-notadirector"]) {
            assert!(root.path().join(name).exists(), "{name}");
        }
    }

    #[test]
    fn processes_that_create_files_at_the_same_time_do_not_remove_those_of_each_other() {
        let root = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let (temporary, _content) = TemporaryFile::create_in(root.path()).unwrap();
                        std::thread::yield_now();
                        assert!(temporary.path().is_file());
                    }
                });
            }
        });
        assert_eq!(count(root.path()), 0);
    }
}
