//! Directories of Parquet files that appear whole or not at all.

use std::fs::{self, File};
use std::io;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use parquet::file::metadata::ParquetMetaDataReader;
use uuid::Uuid;

use super::keys::Keys;
use super::parquet::{JOB_ENTRY, TABLE_ENTRY};
use super::{TableName, Tables, TablesError};

/// The end of the hidden name of a directory that is being written.
const PARTIAL: &str = ".tables-part";

/// The tables, those that take longest first.
const BY_WORK: [TableName; 6] = [
    TableName::Relationships,
    TableName::Columns,
    TableName::Flows,
    TableName::Objects,
    TableName::Statements,
    TableName::Notes,
];

/// The number of files that are written at a time at most: each holds a row group in memory.
const MAX_WRITERS: usize = 4;

impl Tables<'_> {
    /// Writes all tables into a directory, as `objects.parquet`, `flows.parquet` and so on.
    ///
    /// The directory appears whole or not at all. It is written under a hidden name next to its place, and then renamed.
    /// Directories with tables of an earlier run are replaced: on Linux and macOS in one step, so that there is always one
    /// under the name, except on file systems that cannot exchange two directories. Directories that a killed process left
    /// behind under a hidden name are removed by the next run.
    ///
    /// ```no_run
    /// # let lineage: sqlflow_lineage::Lineage = r#"{"dbobjs": []}"#.parse()?;
    /// lineage.tables().job("nightly").write_parquet_directory("lake/job=nightly")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// - [`TablesError::NotTables`] if the directory exists and holds anything else than files that this method wrote.
    ///   An empty directory may be used.
    /// - [`TablesError::Io`] if the parent directory is missing, if the directory is the current one or a mount point, which
    ///   cannot be replaced, or if a file cannot be written or renamed.
    /// - [`TablesError::Write`] if a table cannot be encoded.
    pub fn write_parquet_directory(&self, path: impl AsRef<Path>) -> Result<(), TablesError> {
        let path = checked_place(path.as_ref())?;
        let partial = PartialDirectory::create(&path)?;
        if let Some(permissions) = fs::metadata(&path).ok().map(|old| old.permissions()) {
            // The new directory is not readable for more people than the old one.
            fs::set_permissions(&partial.path, permissions).map_err(TablesError::io(&partial.path))?;
        }
        self.write_files(&partial.path)?;
        sync_directory(&partial.path).map_err(TablesError::io(&partial.path))?;
        partial.put_in_place(&path)
    }

    /// Returns the label of the job whose tables a directory holds; `None` if the directory does not exist, is empty or
    /// lacks a table.
    ///
    /// # Errors
    ///
    /// See [`write_parquet_directory`](Self::write_parquet_directory).
    pub fn job_of_parquet_directory(path: impl AsRef<Path>) -> Result<Option<String>, TablesError> {
        let path = path.as_ref();
        State::of(path)?;
        let is_whole = TableName::ALL.iter().all(|table| path.join(table.file_name()).is_file());
        let flows = path.join(TableName::Flows.file_name());
        Ok(is_whole.then(|| entry_of(&flows, JOB_ENTRY).unwrap_or_default()))
    }

    /// Checks that [`write_parquet_directory`](Self::write_parquet_directory) may write to a directory: it does not exist,
    /// it is empty, or it holds the tables of a lineage, and it can be replaced. Ask before long work.
    ///
    /// # Errors
    ///
    /// See [`write_parquet_directory`](Self::write_parquet_directory).
    pub fn check_parquet_directory(path: impl AsRef<Path>) -> Result<(), TablesError> {
        checked_place(path.as_ref()).map(drop)
    }

    /// Writes all files, as many at a time as there are processors.
    fn write_files(&self, directory: &Path) -> Result<(), TablesError> {
        let writers = thread::available_parallelism().map_or(1, NonZero::get).min(MAX_WRITERS);
        let keys = thread::scope(|scope| {
            if writers > 1 {
                // The flows need the index, and would wait for it while nothing else is left to do.
                scope.spawn(|| self.lineage.inner.index());
            }
            self.keys()
        });
        let next = AtomicUsize::new(0);
        let write = || {
            while let Some(table) = BY_WORK.get(next.fetch_add(1, Ordering::Relaxed)) {
                self.write_file(*table, &directory.join(table.file_name()), &keys)?;
            }
            Ok(())
        };
        thread::scope(|scope| {
            let others: Vec<_> = (1..writers).map(|_| scope.spawn(write)).collect();
            let own = write();
            let joined = others.into_iter().map(|other| other.join().unwrap_or_else(|panic| resume_unwind(panic)));
            joined.fold(own, Result::and)
        })
    }

    fn write_file(&self, table: TableName, path: &Path, keys: &Arc<Keys>) -> Result<(), TablesError> {
        let file = File::create_new(path).map_err(TablesError::io(path))?;
        self.write_parquet_with_keys(table, &file, keys)?;
        file.sync_data().map_err(TablesError::io(path))
    }
}

/// Returns the place of a directory that may be written: a link is kept, and the directory behind it is replaced.
fn checked_place(path: &Path) -> Result<PathBuf, TablesError> {
    let place = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    State::of(&place)?;
    check_place(&place).map_err(TablesError::io(&place))?;
    Ok(place)
}

/// Checks that a directory can be put in a place, under the name of another that is moved away.
fn check_place(place: &Path) -> io::Result<()> {
    let refused = |what: &str| {
        let message = format!("it is {what}, which cannot be replaced; name a directory inside of it");
        Err(io::Error::new(io::ErrorKind::InvalidInput, message))
    };
    let parent = fs::metadata(parent(place))?;
    if std::env::current_dir().and_then(fs::canonicalize).is_ok_and(|current| current == place) {
        return refused("the current directory");
    }
    if fs::metadata(place).is_ok_and(|own| is_on_another_device(&own, &parent)) {
        return refused("a mount point");
    }
    Ok(())
}

#[cfg(unix)]
fn is_on_another_device(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    one.dev() != other.dev()
}

#[cfg(not(unix))]
fn is_on_another_device(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    false
}

/// The state of the place of a directory.
#[derive(Clone, Copy)]
enum State {
    Missing,
    Empty,
    Tables,
}

impl State {
    /// Returns the state of a place, unless it holds something that is not ours.
    fn of(path: &Path) -> Result<Self, TablesError> {
        let not_tables = |found: String| TablesError::NotTables { path: path.to_owned(), found };
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(path).is_err() => {
                return Ok(Self::Missing);
            }
            Err(error) if fs::metadata(path).is_ok_and(|it| !it.is_dir()) => {
                return Err(not_tables(format!("it is not a directory ({error})")));
            }
            Err(error) => return Err(TablesError::io(path)(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            names.push(entry.map_err(TablesError::io(path))?.file_name());
        }
        names.sort_unstable();
        for name in &names {
            let table = TableName::ALL.into_iter().find(|table| name == table.file_name());
            let shown = name.to_string_lossy();
            let Some(table) = table else {
                return Err(not_tables(format!("it holds {shown:?}")));
            };
            if !holds_table(&path.join(name), table) {
                return Err(not_tables(format!("its file {shown:?} was not written as the table {table}")));
            }
        }
        Ok(if names.is_empty() { Self::Empty } else { Self::Tables })
    }
}

/// Returns `true` if a file says that it was written as a table.
fn holds_table(path: &Path, table: TableName) -> bool {
    if !fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file()) {
        return false;
    }
    entry_of(path, TABLE_ENTRY).is_some_and(|value| value == table.as_str())
}

/// Returns a value of the metadata of a Parquet file. Only the end of the file is read.
fn entry_of(path: &Path, key: &str) -> Option<String> {
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&File::open(path).ok()?).ok()?;
    let entries = metadata.file_metadata().key_value_metadata()?;
    entries.iter().find(|entry| entry.key == key)?.value.clone()
}

/// A directory under a hidden name, which is removed unless it is put in its place.
struct PartialDirectory {
    path: PathBuf,
    /// Says that a process is still writing.
    _lock: Lock,
}

impl PartialDirectory {
    fn create(place: &Path) -> Result<Self, TablesError> {
        let parent = parent(place);
        let prefix = partial_prefix(place)?;
        remove_abandoned(parent, &prefix);
        let path = parent.join(format!("{prefix}{}{PARTIAL}", Uuid::new_v4().simple()));
        fs::create_dir(&path).map_err(TablesError::io(place))?;
        let lock = Lock::of(&path).map_err(TablesError::io(&path))?;
        Ok(Self { path, _lock: lock })
    }

    fn put_in_place(self, place: &Path) -> Result<(), TablesError> {
        let failed = TablesError::io(place);
        // Something else may have been put there while the tables were written.
        match State::of(place)? {
            // Renaming replaces an empty directory, on Windows after it was removed.
            State::Empty if cfg!(windows) => fs::remove_dir(place).and_then(|()| fs::rename(&self.path, place)),
            State::Missing | State::Empty => fs::rename(&self.path, place),
            // Dropping this removes the old directory, which has the hidden name then.
            State::Tables => exchange(&self.path, place),
        }
        .map_err(failed)?;
        // A file system that cannot write a directory through has renamed it nevertheless.
        let _ = sync_directory(parent(place));
        Ok(())
    }
}

impl Drop for PartialDirectory {
    fn drop(&mut self) {
        // Nothing is left here after a rename. Whatever cannot be removed is removed by the next run.
        remove(&self.path);
    }
}

fn parent(place: &Path) -> &Path {
    place.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Returns the beginning of the hidden names of directories that are written for a place.
fn partial_prefix(place: &Path) -> Result<String, TablesError> {
    let Some(name) = place.file_name() else {
        let error = io::Error::new(io::ErrorKind::InvalidInput, "the path does not end in the name of a directory");
        return Err(TablesError::io(place)(error));
    };
    // Long names leave no room for more: a hash takes their place.
    let name = Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_encoded_bytes()).simple().to_string();
    Ok(format!(".{name}."))
}

/// Removes the tables of a directory, and the directory if nothing else is in it. It is hidden and in nobody's way if that
/// cannot be done.
fn remove(path: &Path) {
    for table in TableName::ALL {
        let _ = fs::remove_file(path.join(table.file_name()));
    }
    let _ = fs::remove_dir(path);
}

/// Removes the directories that killed processes left behind.
fn remove_abandoned(parent: &Path, prefix: &str) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_partial = name.to_str().is_some_and(|name| name.starts_with(prefix) && name.ends_with(PARTIAL));
        if is_partial && Lock::is_free(&entry.path()) {
            remove(&entry.path());
        }
    }
}

/// A lock on a directory that is held as long as a process writes to it, and that ends with the process.
#[cfg(unix)]
struct Lock {
    _directory: File,
}

#[cfg(unix)]
impl Lock {
    fn of(path: &Path) -> io::Result<Self> {
        let directory = File::open(path)?;
        // On a file system without locks, two runs at the same time could remove each other's work, which both would
        // report.
        let _ = rustix::fs::flock(&directory, rustix::fs::FlockOperation::NonBlockingLockExclusive);
        Ok(Self { _directory: directory })
    }

    fn is_free(path: &Path) -> bool {
        let lock = |directory| rustix::fs::flock(&directory, rustix::fs::FlockOperation::NonBlockingLockExclusive);
        File::open(path).is_ok_and(|directory| lock(directory).is_ok())
    }
}

#[cfg(not(unix))]
struct Lock;

#[cfg(not(unix))]
impl Lock {
    #[expect(clippy::unnecessary_wraps, reason = "other systems can fail")]
    fn of(_: &Path) -> io::Result<Self> {
        Ok(Self)
    }

    /// Returns `true` if a directory is so old that nobody writes to it any more.
    fn is_free(path: &Path) -> bool {
        const DAY: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);
        let modified = fs::metadata(path).and_then(|metadata| metadata.modified());
        modified.is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > DAY))
    }
}

/// Exchanges two directories, in one step if the system can.
fn exchange(new: &Path, old: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        if renameat_with(CWD, new, CWD, old, RenameFlags::EXCHANGE).is_ok() {
            return Ok(());
        }
    }
    // If this process is killed between the two steps, the old tables stay under this name, which no run removes.
    let aside = new.with_extension("tables-old");
    fs::rename(old, &aside)?;
    if let Err(error) = fs::rename(new, old) {
        fs::rename(&aside, old)?;
        return Err(error);
    }
    fs::rename(&aside, new)
}

/// Writes the entries of a directory through to the disk.
fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}
