//! A file that appears complete or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::pipe::Pipe;
use crate::exit::{Failure, Outcome};

/// A file that is written under another name first.
pub(crate) struct OutputFile {
    path: PathBuf,
    writer: Writer,
}

enum Writer {
    Partial(BufWriter<NamedTempFile>),
    /// A pipe or a device, which is not replaced by a file.
    Special(BufWriter<Pipe<File>>),
}

impl OutputFile {
    /// # Errors
    /// The directory of the file does not exist, or there is a directory in its place.
    pub(super) fn check(path: &Path) -> Outcome<()> {
        let target = target_of(path);
        if target.is_dir() {
            return Err(is_directory(path));
        }
        let folder = folder_of(&target);
        if folder.is_dir() {
            return Ok(());
        }
        let (path, folder) = (path.display(), folder.display());
        Err(Failure::usage(format!("cannot write {path}: there is no directory {folder}")))
    }

    /// # Errors
    /// The file cannot be created.
    pub(super) fn create(path: &Path) -> Outcome<Self> {
        let failed = |error| Failure::io(format_args!("cannot write {}", path.display()), &error);
        let target = target_of(path);
        let path = target.as_path();
        let metadata = fs::metadata(path).ok();
        if metadata.as_ref().is_some_and(fs::Metadata::is_dir) {
            return Err(is_directory(path));
        }
        let writer = if metadata.is_some_and(|metadata| !metadata.is_file()) {
            Writer::Special(BufWriter::new(Pipe::new(OpenOptions::new().write(true).open(path).map_err(failed)?)))
        } else {
            let partial = partial_file(folder_of(path)).map_err(failed)?;
            // The new file is not readable for more people than the old one.
            if let Some(permissions) = fs::metadata(path).ok().map(|old| old.permissions()) {
                partial.as_file().set_permissions(permissions).map_err(failed)?;
            }
            Writer::Partial(BufWriter::new(partial))
        };
        Ok(Self { path: path.to_owned(), writer })
    }

    /// Returns `true` if this is a pipe that nobody reads any more.
    pub(super) fn reader_left(&self) -> bool {
        matches!(&self.writer, Writer::Special(writer) if writer.get_ref().reader_left())
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// The rest cannot be written, or the file cannot be renamed.
    pub(super) fn finish(self) -> Outcome<()> {
        let failed = |error| Failure::io(format_args!("cannot write {}", self.path.display()), &error);
        match self.writer {
            Writer::Special(mut writer) => writer.flush().map_err(failed),
            Writer::Partial(writer) => {
                let file = writer.into_inner().map_err(|error| failed(error.into_error()))?;
                file.as_file().sync_data().map_err(failed)?;
                file.persist(&self.path).map_err(|error| failed(error.error))?;
                Ok(())
            }
        }
    }
}

/// Returns the file that is written for a path: a link is kept, and the file behind it is replaced.
fn target_of(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| behind_links(path))
}

fn folder_of(target: &Path) -> &Path {
    target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn is_directory(path: &Path) -> Failure {
    Failure::usage(format!("cannot write {}: it is a directory", path.display()))
}

/// Returns the path that symbolic links lead to, of a file that does not exist yet.
fn behind_links(path: &Path) -> PathBuf {
    let mut behind = path.to_owned();
    // More links in a row are a circle, as for Linux. The links of a pipe, such as /dev/stdout, lead to no path.
    for _ in 0..40 {
        match fs::read_link(&behind) {
            Ok(next) => behind = behind.parent().unwrap_or(Path::new("")).join(next),
            Err(_) if fs::metadata(path).is_ok() => break,
            Err(_) => return behind,
        }
    }
    path.to_owned()
}

/// Creates a file with the permissions of any new file, where those of temporary files are the owner's alone.
fn partial_file(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".sqlflow-").suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.writer {
            Writer::Partial(writer) => writer.write(bytes),
            Writer::Special(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.writer {
            Writer::Partial(writer) => writer.flush(),
            Writer::Special(writer) => writer.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_when_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lineage.csv");
        fs::write(&path, "yesterday").unwrap();
        let mut file = OutputFile::create(&path).unwrap();
        file.write_all(b"today").unwrap();
        file.flush().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "yesterday");
        file.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "today");
        drop(OutputFile::create(&path).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_and_the_permissions_of_a_file_stay() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};

        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real.csv"), folder.path().join("link.csv"));
        fs::write(&real, "yesterday").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o600)).unwrap();
        symlink(&real, &link).unwrap();
        let mut file = OutputFile::create(&link).unwrap();
        file.write_all(b"today").unwrap();
        file.finish().unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "today");
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o600);
        let dangling = folder.path().join("dangling.csv");
        symlink("new.csv", &dangling).unwrap();
        OutputFile::create(&dangling).unwrap().finish().unwrap();
        assert!(dangling.is_symlink() && folder.path().join("new.csv").is_file());
    }

    #[test]
    fn a_directory_that_is_missing_or_in_the_way_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("none").join("lineage.csv");
        assert!(OutputFile::create(&missing).err().unwrap().message.contains("lineage.csv"));
        assert!(OutputFile::create(folder.path()).err().unwrap().message.contains("is a directory"));
    }
}
