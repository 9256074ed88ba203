//! What to submit: files, SQL from memory, directories that are zipped on the way.
//!
//! All is checked before anything is sent. A directory is packed into a temporary file, one file at a time and in
//! pieces, so that the upload has a known length and memory stays small.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::api::File;
use crate::{Error, ErrorKind, Result};

/// What a job is called that has no files to be named after.
const UNNAMED: &str = "sqlflow-client";

#[derive(Debug, Clone, Default)]
pub(super) struct Inputs(Vec<Input>);

#[derive(Debug, Clone)]
enum Input {
    /// A file or a directory, as it turns out.
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
    /// `InvalidInput` when there is nothing to analyse.
    pub(super) fn check(&self, reads_database: bool) -> Result<()> {
        if self.0.is_empty() && !reads_database {
            return Err(Error::invalid("there is nothing to submit: add a file, a directory or SQL"));
        }
        Ok(())
    }

    /// A name for the job: that of the first input.
    pub(super) fn name(&self) -> String {
        match self.0.first() {
            None => UNNAMED.to_owned(),
            Some(Input::Memory(file)) => file.name().to_owned(),
            Some(Input::Path(path) | Input::File(path) | Input::Directory(path) | Input::Zip(path)) => name_of(path),
        }
    }

    /// The files to send, in the order they were added.
    ///
    /// # Errors
    /// `InvalidInput`, `Io` and `TooLarge`, naming the path.
    pub(super) async fn into_files(self, limit: u64) -> Result<Vec<File>> {
        let into_files = move || self.0.into_iter().map(|input| input.into_file(limit)).collect::<Result<Vec<_>>>();
        let files = tokio::task::spawn_blocking(into_files).await;
        let files = files.map_err(|error| Error::io("cannot prepare the files", &error.into()))??;
        let mut names = HashSet::new();
        match files.iter().find(|file| !names.insert(file.name())) {
            None => Ok(files),
            Some(twice) => Err(Error::invalid(format!(
                "two files are called {:?}, and a server tells them apart by name: submit their directory, which keeps \
                 their paths",
                twice.name()
            ))),
        }
    }
}

impl Input {
    fn into_file(self, limit: u64) -> Result<File> {
        match self {
            Self::Memory(file) if file.name().trim().is_empty() => {
                Err(Error::invalid("SQL from memory has an empty file name: name it, like query.sql"))
            }
            Self::Memory(file) => Ok(file),
            Self::File(path) => File::open(path),
            Self::Zip(path) => zip_at(&path),
            Self::Directory(path) => packed(&path, limit),
            Self::Path(path) => {
                let metadata = fs::metadata(&path).map_err(|error| Error::unreadable(&path, &error))?;
                if metadata.is_dir() { packed(&path, limit) } else { File::open(path) }
            }
        }
    }
}

/// The name of a file or directory, of `.` and the like too.
fn name_of(path: &Path) -> String {
    let named = path.file_name().map(ToOwned::to_owned);
    let named = named.or_else(|| path.canonicalize().ok()?.file_name().map(ToOwned::to_owned));
    named.map_or_else(|| UNNAMED.to_owned(), |name| name.to_string_lossy().into_owned())
}

fn zip_at(path: &Path) -> Result<File> {
    let file = File::open(path)?;
    let mut start = [0; 4];
    let opened = fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    match opened {
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(Error::unreadable(path, &error)),
        // A zip starts with its first file, or with its end when it is empty.
        Ok(()) if start == *b"PK\x03\x04" || start == *b"PK\x05\x06" => Ok(file),
        _ => Err(Error::invalid(format!("{} is no zip", path.display()))),
    }
}

/// A directory as one zip.
fn packed(directory: &Path, limit: u64) -> Result<File> {
    let failed = |path: &Path, error: &io::Error| match error.kind() {
        io::ErrorKind::FileTooLarge => over_limit(directory, limit),
        _ => Error::io(format_args!("cannot zip {}", path.display()), error),
    };
    let mut members = Vec::new();
    collect(directory, directory, &mut members)?;
    if members.is_empty() {
        return Err(Error::invalid(format!("{} holds no files to submit", directory.display())));
    }
    members.sort();
    let target = NamedTempFile::new().map_err(|error| failed(directory, &error))?;
    let mut zip = ZipWriter::new(Metered { target, written: 0, limit });
    for (name, path) in &members {
        pack(&mut zip, name, path).map_err(|error| failed(path, &error))?;
    }
    let mut written = zip.finish().map_err(|error| failed(directory, &error.into()))?;
    written.target.flush().map_err(|error| failed(directory, &error))?;
    Ok(File::temporary(format!("{}.zip", name_of(directory)), written.target.into_temp_path()))
}

/// Every file below a directory with its name in the zip, hidden ones left out.
fn collect(root: &Path, directory: &Path, members: &mut Vec<(String, PathBuf)>) -> Result<()> {
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
            // A link may lead back up, and round for ever.
            collect(root, &path, members)?;
        }
    }
    Ok(())
}

fn pack(zip: &mut ZipWriter<Metered>, name: &str, path: &Path) -> io::Result<()> {
    let mut file = fs::File::open(path)?;
    let is_huge = file.metadata()?.len() >= u64::from(u32::MAX);
    zip.start_file(name, SimpleFileOptions::default().large_file(is_huge))?;
    io::copy(&mut file, zip).map(drop)
}

/// A temporary file that stops at the upload limit, instead of filling the disk with what cannot be sent.
///
/// Past the limit it says so once and then takes everything in silence: a zip is closed when it is dropped.
struct Metered {
    target: NamedTempFile,
    written: u64,
    limit: u64,
}

impl io::Write for Metered {
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

impl io::Seek for Metered {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        self.target.seek(to)
    }
}

fn over_limit(directory: &Path, limit: u64) -> Error {
    let text =
        format!("{} is over the upload limit of {limit} bytes even as a zip: submit parts of it", directory.display());
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
        let crate::wire::FileContent::Temporary(path) = file.content() else { panic!("{file:?} is no zip of ours") };
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
    fn a_directory_becomes_one_zip_with_its_paths_and_without_hidden_files() {
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
    fn the_temporary_zip_is_deleted_with_its_last_handle() {
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
    fn an_empty_directory_is_refused_by_name() {
        let home = tempfile::tempdir().unwrap();
        let error = files(one(Input::Path(home.path().to_owned())), 100).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(&home.path().display().to_string()), "{error}");
    }

    #[test]
    fn a_path_that_is_not_there_is_named() {
        for input in [Input::Path("no/such".into()), Input::File("no/such".into()), Input::Directory("no/such".into())]
        {
            let error = files(one(input), 100).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Io);
            assert!(error.to_string().contains("no/such"), "{error}");
        }
    }

    #[test]
    fn a_directory_over_the_limit_is_refused_before_it_is_all_packed() {
        let home = tempfile::tempdir().unwrap();
        let noise: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(1 << 16).collect();
        fs::write(home.path().join("a.sql"), &noise).unwrap();
        let error = files(one(Input::Path(home.path().to_owned())), 1 << 14).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
    }

    #[test]
    fn a_zip_that_is_none_is_refused_by_name() {
        let home = tempfile::tempdir().unwrap();
        for content in ["select 1", ""] {
            let path = home.path().join("x.zip");
            fs::write(&path, content).unwrap();
            let error = files(one(Input::Zip(path)), 100).unwrap_err();
            assert!(error.to_string().contains("x.zip is no zip"), "{error}");
        }
    }

    #[test]
    fn two_files_of_one_name_are_refused() {
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
