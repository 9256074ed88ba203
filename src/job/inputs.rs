//! The inputs of a submission: files, SQL in memory, and directories, which are zipped.
//!
//! All inputs are checked before anything is sent.

mod directory_zip;
mod members;

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use self::directory_zip::DirectoryZip;
use crate::api::File;
use crate::transport::UploadObserver;
use crate::wire::{name_on_server, refused_type};
use crate::{Error, Result};

/// The name of a job that has no input to be named after.
const DEFAULT_NAME: &str = "sqlflow-client";

/// The inputs of a submission, in the order in which they were added.
#[derive(Debug, Clone, Default)]
pub(super) struct Inputs {
    list: Vec<Input>,
    follows_links: bool,
    observer: Option<UploadObserver>,
}

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
        self.list.push(Input::Path(path));
    }

    pub(super) fn file(&mut self, path: PathBuf) {
        self.list.push(Input::File(path));
    }

    pub(super) fn directory(&mut self, path: PathBuf) {
        self.list.push(Input::Directory(path));
    }

    pub(super) fn zip(&mut self, path: PathBuf) {
        self.list.push(Input::Zip(path));
    }

    pub(super) fn memory(&mut self, file: File) {
        self.list.push(Input::Memory(file));
    }

    pub(super) fn follow_links(&mut self, follows: bool) {
        self.follows_links = follows;
    }

    pub(super) fn observe(&mut self, observer: UploadObserver) {
        self.observer = Some(observer);
    }

    pub(super) fn observer(&self) -> Option<UploadObserver> {
        self.observer.clone()
    }

    /// # Errors
    /// `InvalidInput` if there is nothing to analyze.
    pub(super) fn check(&self, reads_database: bool) -> Result<()> {
        if self.list.is_empty() && !reads_database {
            return Err(Error::invalid("there is nothing to submit: add a file, a directory or SQL"));
        }
        Ok(())
    }

    /// Returns a name for the job: the name of the first input.
    pub(super) fn name(&self) -> String {
        match self.list.first() {
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
        self.list.iter().map(name).collect()
    }

    /// Returns the files to send, in the order in which they were added. If the future is dropped, the work on them
    /// ends.
    ///
    /// # Errors
    /// `InvalidInput`, `Io` and `TooLarge`, each with the path in the message.
    pub(super) async fn into_files(self, limit: u64) -> Result<Vec<File>> {
        let cancellation = CancellationToken::new();
        let _cancelled_on_drop = cancellation.clone().drop_guard();
        let into_files = move || {
            let packing = Packing { limit, follows_links: self.follows_links, cancellation: &cancellation };
            self.list.into_iter().map(|input| input.into_file(&packing)).collect::<Result<Vec<_>>>()
        };
        let files = tokio::task::spawn_blocking(into_files).await;
        let files = files.map_err(|error| Error::io("cannot prepare the files", &error.into()))??;
        let mut names = HashSet::new();
        match files.iter().find(|file| !names.insert(file.name())) {
            None => Ok(files),
            Some(duplicate) => Err(Error::invalid(format!(
                "two files have the name \"{}\", which servers need to tell files apart: submit their directory, which \
                 keeps their paths",
                duplicate.name()
            ))),
        }
    }
}

/// The settings for packing a directory.
struct Packing<'a> {
    /// The upload limit, in bytes.
    limit: u64,
    /// `true` if links that lead out of the directory are followed.
    follows_links: bool,
    cancellation: &'a CancellationToken,
}

impl Packing<'_> {
    /// # Errors
    /// An error that nobody sees, if the submission was dropped.
    fn check_cancelled(&self) -> io::Result<()> {
        if self.cancellation.is_cancelled() { Err(io::Error::other("the submission was dropped")) } else { Ok(()) }
    }
}

impl Input {
    fn into_file(self, packing: &Packing) -> Result<File> {
        match self {
            Self::Memory(file) if file.name().trim().is_empty() => {
                Err(Error::invalid("SQL in memory has an empty file name: give one, such as query.sql"))
            }
            Self::Memory(file) => Ok(file),
            Self::File(path) => File::open(path),
            Self::Zip(path) => open_zip(&path),
            Self::Directory(path) => zip_directory(&path, packing),
            Self::Path(path) => {
                let metadata = fs::metadata(&path).map_err(|error| Error::unreadable(&path, &error))?;
                if metadata.is_dir() { zip_directory(&path, packing) } else { File::open(path) }
            }
        }
    }
}

/// Returns the name of a file or directory, even for paths such as `.`.
fn name_of(path: &Path) -> String {
    let named = path.file_name().map(ToOwned::to_owned);
    let named = named.or_else(|| path.canonicalize().ok()?.file_name().map(ToOwned::to_owned));
    named.map_or_else(|| DEFAULT_NAME.to_owned(), |name| name_on_server(&name))
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
fn zip_directory(directory: &Path, packing: &Packing) -> Result<File> {
    let metadata = fs::metadata(directory).map_err(|error| Error::unreadable(directory, &error))?;
    if !metadata.is_dir() {
        let reason = refused_type(metadata.file_type()).unwrap_or("it is a file");
        return Err(Error::invalid(format!("{} is not a directory: {reason}", directory.display())));
    }
    let zip = DirectoryZip { directory, packing }.create()?;
    Ok(File::temporary(format!("{}.zip", name_of(directory)), zip))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn files(inputs: Inputs, limit: u64) -> Result<Vec<File>> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(inputs.into_files(limit))
    }

    fn one(input: Input) -> Inputs {
        Inputs { list: vec![input], follows_links: false, observer: None }
    }

    fn contents(file: &File) -> Vec<(String, Vec<u8>)> {
        let crate::wire::FileContent::Temporary(content) = file.content() else { panic!("{file:?} is not temporary") };
        let mut zip = zip::ZipArchive::new(fs::File::open(content.path()).unwrap()).unwrap();
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
        let crate::wire::FileContent::Temporary(content) = files[0].content() else { panic!() };
        let path = content.path().to_owned();
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
        let list = vec![Input::Memory(File::new("a.sql", "1")), Input::Memory(File::new("a.sql", "2"))];
        let inputs = Inputs { list, follows_links: false, observer: None };
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
}
