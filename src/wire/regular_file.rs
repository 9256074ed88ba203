//! Opening regular files, and refusing what only looks like one: pipes, sockets, devices and pseudo-files.

use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, Read as _};
use std::path::Path;

/// Opens a regular file to read it. Opening it never blocks, even if a pipe took the place of the file a moment ago.
///
/// # Errors
/// `IsADirectory` for a directory, `InvalidInput` for anything else than a regular file and for a file of size 0 that has
/// content; otherwise the errors of the operating system.
pub(crate) fn open_regular_file(path: &Path) -> io::Result<File> {
    let mut file = open(path, File::options().read(true))?;
    if file.metadata()?.len() == 0 && has_content(&mut file) {
        return Err(refused("it is a pseudo-file of size 0 that has content, so copy it to a regular file"));
    }
    Ok(file)
}

/// Opens a journal to read and write it, or creates it so that only its owner may use it.
///
/// # Errors
/// `IsADirectory` for a directory, `InvalidInput` for anything else than a regular file; otherwise the errors of the
/// operating system.
pub(crate) fn open_journal_file(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    open(path, &mut options)
}

fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    // Opening a device may have effects of its own, so the path is checked first.
    match fs::metadata(path) {
        Ok(metadata) => check(metadata.file_type())?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(options, libc::O_NONBLOCK);
    let file = options.open(path)?;
    check(file.metadata()?.file_type())?;
    Ok(file)
}

fn check(file_type: FileType) -> io::Result<()> {
    match refused_type(file_type) {
        None => Ok(()),
        Some(reason) if file_type.is_dir() => Err(io::Error::new(io::ErrorKind::IsADirectory, reason)),
        Some(reason) => Err(refused(reason)),
    }
}

fn refused(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}

/// Returns the reason why something of this type cannot be read as a file, or `None` for a regular file.
pub(crate) fn refused_type(file_type: FileType) -> Option<&'static str> {
    if file_type.is_file() {
        return None;
    }
    if file_type.is_dir() {
        return Some("it is a directory");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        if file_type.is_fifo() {
            return Some("it is a pipe");
        }
        if file_type.is_socket() {
            return Some("it is a socket");
        }
        if file_type.is_block_device() || file_type.is_char_device() {
            return Some("it is a device");
        }
    }
    Some("it is of an unknown type")
}

/// Returns `true` if there is something to read, now or later.
fn has_content(file: &mut File) -> bool {
    match file.read(&mut [0]) {
        Ok(length) => length > 0,
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn devices_sockets_and_directories_are_refused_by_what_they_are() {
        let home = tempfile::tempdir().unwrap();
        let socket = home.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let (invalid, directory) = (io::ErrorKind::InvalidInput, io::ErrorKind::IsADirectory);
        for (path, kind, reason) in [
            (Path::new("/dev/zero"), invalid, "a device"),
            (&socket, invalid, "a socket"),
            (home.path(), directory, "a directory"),
        ] {
            let error = open_regular_file(path).unwrap_err();
            assert_eq!(error.kind(), kind);
            assert!(error.to_string().contains(reason), "{error}");
        }
    }

    #[test]
    fn an_empty_file_is_a_regular_file() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("empty.sql");
        fs::write(&path, "").unwrap();
        assert!(open_regular_file(&path).is_ok());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_pseudo_file_of_size_0_is_refused() {
        let error = open_regular_file(Path::new("/proc/self/status")).unwrap_err();
        assert!(error.to_string().contains("pseudo-file"), "{error}");
    }
}
