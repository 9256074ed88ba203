//! An export on its way into memory or to a file: how far it is, whether it is whole, where it is put meanwhile.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tempfile::TempPath;
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};

use super::export::Format;
use crate::transport::{ReceivedBytes, Response, response_too_large};
use crate::{ByteStream, Error, ErrorKind, Result};

/// How far a download is, told to [`Export::on_progress`](super::Export::on_progress) with each piece that comes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    attempt: u32,
    received: u64,
    total: Option<u64>,
    unpacked: u64,
}

impl Progress {
    /// Which attempt it is, from 1 on. Each begins at the start.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// How many bytes came over the network.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received
    }

    /// How many will come, where the server said so.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// How many bytes they are unpacked: the same, unless the server packs its answers.
    #[must_use]
    pub fn unpacked(&self) -> u64 {
        self.unpacked
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.total {
            Some(total) => write!(f, "{} of {total} bytes", self.received),
            None => write!(f, "{} bytes", self.received),
        }
    }
}

/// Who wants to know how far a download is.
pub(super) type Watcher = Arc<dyn Fn(&Progress) + Send + Sync>;

/// One attempt at a body, piece by piece, looked at on the way.
pub(super) struct Download<'a> {
    body: ByteStream,
    received: ReceivedBytes,
    progress: Progress,
    watcher: Option<&'a Watcher>,
    ending: Ending,
    limit: u64,
}

impl<'a> Download<'a> {
    pub(super) fn new(response: Response, format: Format, attempt: u32, watcher: Option<&'a Watcher>) -> Self {
        let (total, limit, body) = (response.length(), response.limit(), response.body);
        let progress = Progress { attempt, received: 0, total, unpacked: 0 };
        Self { received: body.received(), body, progress, watcher, ending: Ending::of(format), limit }
    }

    /// The next piece. None comes at the end of a body that is whole.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>> {
        let Some(piece) = self.body.try_next().await? else {
            self.ending.check(self.progress.unpacked)?;
            return Ok(None);
        };
        self.ending.look_at(&piece);
        self.progress.received = self.received.bytes();
        self.progress.unpacked += piece.len() as u64;
        if let Some(watcher) = self.watcher {
            watcher(&self.progress);
        }
        Ok(Some(piece))
    }

    /// All of it in memory.
    pub(super) async fn bytes(mut self) -> Result<Bytes> {
        let mut whole = Vec::new();
        while let Some(piece) = self.next().await? {
            if self.progress.unpacked > self.limit {
                return Err(response_too_large(self.limit));
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.into())
    }
}

/// Whether a file ends where it should. A proxy that cuts an answer may say that it is whole.
enum Ending {
    /// The brackets of JSON, outside its texts.
    Json { depth: u64, text: bool, escaped: bool, closed: bool },
    /// The last bytes of a document.
    Xml { tail: Vec<u8> },
    /// A table may end after any row.
    Open,
}

impl Ending {
    /// More than a closing tag is long, or an only one with its namespaces.
    const TAIL: usize = 1024;

    fn of(format: Format) -> Self {
        match format {
            Format::Json => Self::Json { depth: 0, text: false, escaped: false, closed: false },
            Format::Xml => Self::Xml { tail: Vec::new() },
            Format::Csv => Self::Open,
        }
    }

    fn look_at(&mut self, piece: &[u8]) {
        match self {
            Self::Open => {}
            Self::Xml { tail } => {
                // Blanks may follow a document, as many as they like.
                let piece = piece.trim_ascii_end();
                tail.extend_from_slice(&piece[piece.len().saturating_sub(Self::TAIL)..]);
                tail.drain(..tail.len().saturating_sub(Self::TAIL));
            }
            Self::Json { depth, text, escaped, closed } => {
                for byte in piece {
                    match byte {
                        // What follows the value is no part of it: some servers write more.
                        _ if *closed => break,
                        _ if *escaped => *escaped = false,
                        b'\\' if *text => *escaped = true,
                        b'"' => *text = !*text,
                        _ if *text => {}
                        b'{' | b'[' => *depth += 1,
                        b'}' | b']' => {
                            *depth = depth.saturating_sub(1);
                            *closed = *depth == 0;
                        }
                        _ => {}
                    }
                }
            }
        }
    }

    /// # Errors
    /// `Interrupted` when the end is missing.
    fn check(&self, length: u64) -> Result<()> {
        let is_whole = match self {
            Self::Open => true,
            Self::Json { closed, .. } => *closed,
            Self::Xml { tail } => {
                let last_tag = tail.iter().rposition(|byte| *byte == b'<').map_or(&[][..], |start| &tail[start..]);
                let is_empty = || tail.ends_with(b"/>") && last_tag.starts_with(b"<graphml");
                tail.ends_with(b"graphml>") || is_empty()
            }
        };
        if is_whole {
            return Ok(());
        }
        let text = format!("the file breaks off after {length} bytes, although its server called it whole");
        Err(Error::new(ErrorKind::Interrupted, text))
    }
}

/// A file under a temporary name, beside the place where it will be.
pub(super) struct Target {
    path: PathBuf,
    /// One handle for all attempts: what is still being written of one that failed is done before the next begins.
    file: tokio::fs::File,
    temporary: TempPath,
}

impl Target {
    pub(super) async fn beside(path: &Path) -> Result<Self> {
        let path = path.to_owned();
        blocking(move || {
            let failed = |error: io::Error| unwritable(&path, &error);
            // A link stays, and what it leads to is replaced.
            let place = match fs::symlink_metadata(&path) {
                Ok(there) if there.is_symlink() => fs::canonicalize(&path).map_err(failed)?,
                _ => path.clone(),
            };
            let there = fs::metadata(&place).ok();
            if there.as_ref().is_some_and(|there| !there.is_file()) {
                return Err(Error::invalid(format!("{} is there and is no file to replace", path.display())));
            }
            let name = place
                .file_name()
                .ok_or_else(|| Error::invalid(format!("{} names no file to write", path.display())))?;
            let directory = place.parent().filter(|parent| !parent.as_os_str().is_empty());
            let mut prefix = OsString::from(".");
            prefix.push(name);
            prefix.push(".");
            let mut builder = tempfile::Builder::new();
            builder.prefix(&prefix).suffix(".part");
            let permissions = there.map(|there| there.permissions());
            #[cfg(unix)]
            if permissions.is_none() {
                // As the user's mask has it, not as for a secret.
                use std::os::unix::fs::PermissionsExt as _;
                builder.permissions(fs::Permissions::from_mode(0o666));
            }
            let file = builder.tempfile_in(directory.unwrap_or(Path::new("."))).map_err(failed)?;
            if let Some(permissions) = permissions {
                file.as_file().set_permissions(permissions).map_err(failed)?;
            }
            let (file, temporary) = file.into_parts();
            Ok(Self { path: place, file: tokio::fs::File::from_std(file), temporary })
        })
        .await
    }

    /// Writes a body into it, from the start. Gives its length.
    pub(super) async fn fill(&mut self, mut download: Download<'_>) -> Result<u64> {
        let Self { path, file, .. } = self;
        let failed = |error: io::Error| unwritable(path, &error);
        file.set_len(0).await.map_err(failed)?;
        file.rewind().await.map_err(failed)?;
        let mut length = 0;
        while let Some(piece) = download.next().await? {
            file.write_all(&piece).await.map_err(failed)?;
            length += piece.len() as u64;
        }
        // What went wrong with the last write is told by a flush, and by no sync.
        file.flush().await.map_err(failed)?;
        // Not before the bytes are safe does the name appear.
        file.sync_all().await.map_err(failed)?;
        Ok(length)
    }

    /// Gives it its name.
    pub(super) async fn appear(self) -> Result<()> {
        let Self { path, file, temporary } = self;
        drop(file);
        blocking(move || {
            let failed = |error: &io::Error| unwritable(&path, error);
            temporary.persist(&path).map_err(|error| failed(&error.error))?;
            // A name is in its directory, and there it must outlive a power cut.
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
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::io("a file operation ended early", &error.into()))?
}
