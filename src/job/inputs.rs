//! The inputs of a submission: files, SQL in memory, and directories, which are zipped.
//!
//! All inputs are checked before anything is sent. A directory is packed into a temporary zip file, one member at a
//! time and in chunks, so that the length of the upload is known and memory use stays low.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::api::File;
use crate::{Error, ErrorKind, Result};

/// The name of a job that has no input to be named after.
const DEFAULT_NAME: &str = "sqlflow-client";

/// The inputs of a submission, in the order in which they were added.
#[derive(Debug, Clone, Default)]
pub(super) struct Inputs(Vec<Input>);

#[derive(Debug, Clone)]
enum Input {
    /// A file or a directory; which of them is found out when the input is prepared.
    Path(PathBuf),
    File(PathBuf),
    Directory(PathBuf),
    Zip(PathBuf),
    Memory(File),
}

impl Inputs {
    pub(super) fn path(&mut self, path: PathBuf) {
        self.0.push(Input::Path(path));
    }

    pub(super) fn file(&mut self, path: PathBuf) {
        self.0.push(Input::File(path));
    }

    pub(super) fn directory(&mut self, path: PathBuf) {
        self.0.push(Input::Directory(path));
    }

    pub(super) fn zip(&mut self, path: PathBuf) {
        self.0.push(Input::Zip(path));
    }

    pub(super) fn memory(&mut self, file: File) {
        self.0.push(Input::Memory(file));
    }

    /// # Errors
    /// `InvalidInput` if there is nothing to analyse.
    pub(super) fn check(&self, reads_database: bool) -> Result<()> {
        if self.0.is_empty() && !reads_database {
            return Err(Error::invalid("there is nothing to submit: add a file, a directory or SQL"));
        }
        Ok(())
    }

    /// Returns a name for the job: the name of the first input.
    pub(super) fn name(&self) -> String {
        match self.0.first() {
            None => DEFAULT_NAME.to_owned(),
            Some(Input::Memory(file)) => file.name().to_owned(),
            Some(Input::Path(path) | Input::File(path) | Input::Directory(path) | Input::Zip(path)) => name_of(path),
        }
    }

    /// Returns the names of the files to send, or `None` if some are not known before the files are prepared.
    pub(super) fn file_names(&self) -> Option<Vec<String>> {
        let name = |input: &Input| match input {
            Input::Memory(file) => Some(file.name().to_owned()),
            Input::File(path) | Input::Zip(path) => Some(name_of(path)),
            Input::Path(path) => path.is_file().then(|| name_of(path)),
            Input::Directory(_) => None,
        };
        self.0.iter().map(name).collect()
    }

    /// Returns the files to send, in the order in which they were added.
    ///
    /// # Errors
    /// `InvalidInput`, `Io` and `TooLarge`, each with the path in the message.
    pub(super) async fn into_files(self, limit: u64) -> Result<Vec<File>> {
        let into_files = move || self.0.into_iter().map(|input| input.into_file(limit)).collect::<Result<Vec<_>>>();
        let files = tokio::task::spawn_blocking(into_files).await;
        let files = files.map_err(|error| Error::io("cannot prepare the files", &error.into()))??;
        let mut names = HashSet::new();
        match files.iter().find(|file| !names.insert(file.name())) {
            None => Ok(files),
            Some(duplicate) => Err(Error::invalid(format!(
                "two files have the name {:?}, which servers need to tell files apart: submit their directory, which \
                 keeps their paths",
                duplicate.name()
            ))),
        }
    }
}

impl Input {
    fn into_file(self, limit: u64) -> Result<File> {
        match self {
            Self::Memory(file) if file.name().trim().is_empty() => {
                Err(Error::invalid("SQL in memory has an empty file name: give one, such as query.sql"))
            }
            Self::Memory(file) => Ok(file),
            Self::File(path) => File::open(path),
            Self::Zip(path) => open_zip(&path),
            Self::Directory(path) => zip_directory(&path, limit),
            Self::Path(path) => {
                let metadata = fs::metadata(&path).map_err(|error| Error::unreadable(&path, &error))?;
                if metadata.is_dir() { zip_directory(&path, limit) } else { File::open(path) }
            }
        }
    }
}

/// Returns the name of a file or directory, even for paths such as `.`.
fn name_of(path: &Path) -> String {
    let named = path.file_name().map(ToOwned::to_owned);
    let named = named.or_else(|| path.canonicalize().ok()?.file_name().map(ToOwned::to_owned));
    named.map_or_else(|| DEFAULT_NAME.to_owned(), |name| name.to_string_lossy().into_owned())
}

fn open_zip(path: &Path) -> Result<File> {
    let file = File::open(path)?;
    let mut start = [0; 4];
    let opened = fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    match opened {
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(Error::unreadable(path, &error)),
        // A zip file starts with its first member or, if it is empty, with its end record.
        Ok(()) if start == *b"PK\x03\x04" || start == *b"PK\x05\x06" => Ok(file),
        _ => Err(Error::invalid(format!("{} is not a zip file", path.display()))),
    }
}

/// Packs a directory into one zip file.
fn zip_directory(directory: &Path, limit: u64) -> Result<File> {
    let failed = |path: &Path, error: &io::Error| match error.kind() {
        io::ErrorKind::FileTooLarge => over_limit(directory, limit),
        _ => Error::io(format_args!("cannot zip {}", path.display()), error),
    };
    let mut members = Vec::new();
    collect_members(directory, directory, &mut members)?;
    if members.is_empty() {
        return Err(Error::invalid(format!("{} contains no files to submit", directory.display())));
    }
    members.sort();
    let target = NamedTempFile::new().map_err(|error| failed(directory, &error))?;
    let mut zip = ZipWriter::new(LimitedFile { target, written: 0, limit });
    for (name, path) in &members {
        add_member(&mut zip, name, path).map_err(|error| failed(path, &error))?;
    }
    let mut written = zip.finish().map_err(|error| failed(directory, &error.into()))?;
    written.target.flush().map_err(|error| failed(directory, &error))?;
    Ok(File::temporary(format!("{}.zip", name_of(directory)), written.target.into_temp_path()))
}

/// Finds all files below a directory except hidden ones, each with its name in the zip file.
fn collect_members(root: &Path, directory: &Path, members: &mut Vec<(String, PathBuf)>) -> Result<()> {
    let failed = |error| Error::unreadable(directory, &error);
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let is_link = entry.file_type().map_err(failed)?.is_symlink();
        let metadata = fs::metadata(&path).map_err(|error| Error::unreadable(&path, &error))?;
        if metadata.is_file() {
            let relative = path.strip_prefix(root).unwrap_or(&path);
            let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
            members.push((parts.join("/"), path));
        } else if metadata.is_dir() && !is_link {
            // Links are not followed, because a link to a parent directory would never end.
            collect_members(root, &path, members)?;
        }
    }
    Ok(())
}

fn add_member(zip: &mut ZipWriter<LimitedFile>, name: &str, path: &Path) -> io::Result<()> {
    let mut file = fs::File::open(path)?;
    let is_huge = file.metadata()?.len() >= u64::from(u32::MAX);
    zip.start_file(name, SimpleFileOptions::default().large_file(is_huge))?;
    io::copy(&mut file, zip).map(drop)
}

/// A temporary file that stops at the upload limit, so that a zip file that cannot be sent does not fill the disk.
///
/// The write that exceeds the limit fails. Later ones are ignored, because `ZipWriter` writes again when it is dropped.
struct LimitedFile {
    target: NamedTempFile,
    written: u64,
    limit: u64,
}

impl io::Write for LimitedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.written > self.limit {
            return Ok(bytes.len());
        }
        let written = self.target.write(bytes)?;
        self.written += written as u64;
        if self.written > self.limit { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(written) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.target.flush()
    }
}

impl io::Seek for LimitedFile {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        self.target.seek(to)
    }
}

fn over_limit(directory: &Path, limit: u64) -> Error {
    let text = format!(
        "{} is over the upload limit of {limit} bytes even as a zip file: submit parts of it",
        directory.display()
    );
    Error::new(ErrorKind::TooLarge, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(inputs: Inputs, limit: u64) -> Result<Vec<File>> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(inputs.into_files(limit))
    }

    fn one(input: Input) -> Inputs {
        Inputs(vec![input])
    }

    fn contents(file: &File) -> Vec<(String, Vec<u8>)> {
        let crate::wire::FileContent::Temporary(path) = file.content() else { panic!("{file:?} is not temporary") };
        let mut zip = zip::ZipArchive::new(fs::File::open(path.to_path_buf()).unwrap()).unwrap();
        (0..zip.len())
            .map(|index| {
                let mut member = zip.by_index(index).unwrap();
                let mut bytes = Vec::new();
                member.read_to_end(&mut bytes).unwrap();
                (member.name().unwrap().to_string(), bytes)
            })
            .collect()
    }

    #[test]
    fn a_directory_becomes_one_zip_file_with_relative_paths_and_without_hidden_files() {
        let home = tempfile::tempdir().unwrap();
        let etl = home.path().join("etl");
        fs::create_dir_all(etl.join("views/.git")).unwrap();
        fs::write(etl.join("b.sql"), "select 2").unwrap();
        fs::write(etl.join("views/ä.sql"), "select 1").unwrap();
        fs::write(etl.join(".hidden.sql"), "no").unwrap();
        fs::write(etl.join("views/.git/c.sql"), "no").unwrap();
        let files = files(one(Input::Path(etl)), 1 << 20).unwrap();
        assert_eq!(files[0].name(), "etl.zip");
        let expected = [("b.sql".to_owned(), b"select 2".to_vec()), ("views/ä.sql".to_owned(), b"select 1".to_vec())];
        assert_eq!(contents(&files[0]), expected);
    }

    #[test]
    fn the_temporary_zip_file_is_deleted_with_its_last_handle() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("a.sql"), "select 1").unwrap();
        let files = files(one(Input::Directory(home.path().to_owned())), 1 << 20).unwrap();
        let crate::wire::FileContent::Temporary(path) = files[0].content() else { panic!() };
        let path = path.to_path_buf();
        assert!(path.exists());
        drop(files);
        assert!(!path.exists());
    }

    #[test]
    fn an_empty_directory_is_refused_and_named() {
        let home = tempfile::tempdir().unwrap();
        let error = files(one(Input::Path(home.path().to_owned())), 100).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(&home.path().display().to_string()), "{error}");
    }

    #[test]
    fn a_missing_path_is_named() {
        for input in [Input::Path("no/such".into()), Input::File("no/such".into()), Input::Directory("no/such".into())]
        {
            let error = files(one(input), 100).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Io);
            assert!(error.to_string().contains("no/such"), "{error}");
        }
    }

    #[test]
    fn a_directory_over_the_limit_is_refused_before_all_of_it_is_packed() {
        let home = tempfile::tempdir().unwrap();
        let noise: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(1 << 16).collect();
        fs::write(home.path().join("a.sql"), &noise).unwrap();
        let error = files(one(Input::Path(home.path().to_owned())), 1 << 14).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
    }

    #[test]
    fn a_file_that_is_not_a_zip_file_is_refused_and_named() {
        let home = tempfile::tempdir().unwrap();
        for content in ["select 1", ""] {
            let path = home.path().join("x.zip");
            fs::write(&path, content).unwrap();
            let error = files(one(Input::Zip(path)), 100).unwrap_err();
            assert!(error.to_string().contains("x.zip is not a zip file"), "{error}");
        }
    }

    #[test]
    fn two_files_with_the_same_name_are_refused() {
        let inputs = Inputs(vec![Input::Memory(File::new("a.sql", "1")), Input::Memory(File::new("a.sql", "2"))]);
        let error = files(inputs, 100).unwrap_err();
        assert!(error.to_string().contains("\"a.sql\""), "{error}");
    }

    #[test]
    fn a_job_is_named_after_its_first_input() {
        assert_eq!(one(Input::Path("some/etl/".into())).name(), "etl");
        assert_eq!(one(Input::Memory(File::new("q.sql", ""))).name(), "q.sql");
        assert_ne!(one(Input::Path(".".into())).name(), "");
        assert_eq!(Inputs::default().name(), "sqlflow-client");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_a_directory_is_not_followed() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("a.sql"), "select 1").unwrap();
        std::os::unix::fs::symlink(home.path(), home.path().join("round")).unwrap();
        let files = files(one(Input::Path(home.path().to_owned())), 1 << 20).unwrap();
        assert_eq!(contents(&files[0]).len(), 1);
    }
}
