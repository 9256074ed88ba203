//! Downloading a response into memory, to a file, or as a lineage: its retries, its progress, its completeness, and the
//! temporary file.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use tempfile::TempPath;
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};

use super::drawn::DrawnLineage;
use super::export::ExportSyntax;
use crate::api::Operation;
use crate::lineage::{Lineage, ReadError, ReadErrorKind};
use crate::retry::Attempts;
use crate::transport::{ReceivedBytes, Response, Transport, response_too_large};
use crate::wire::{Redactor, of_lineage};
use crate::{ByteStream, Error, ErrorKind, Result};

/// The progress of a download, passed to the function of [`Export::on_progress`](super::Export::on_progress) each time
/// a chunk arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    attempt: u32,
    received: u64,
    total: Option<u64>,
    unpacked: u64,
}

impl Progress {
    /// Returns the number of the attempt, starting at 1. Each attempt downloads the export from the start.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Returns the number of bytes received over the network.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Returns the number of bytes that the server announced, if it did.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// Returns the number of received bytes after decompression: the same as [`received`](Progress::received), unless
    /// the server compresses its responses.
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

/// A function that receives the progress of a download.
pub(crate) type ProgressCallback = Arc<dyn Fn(&Progress) + Send + Sync>;

/// A request whose response is read while it arrives, and that is sent again if the response breaks off.
pub(crate) trait DownloadRequest: Sync {
    const OPERATION: &'static Operation;
    const SYNTAX: ExportSyntax;

    fn transport(&self) -> &Transport;
    fn on_progress(&self) -> Option<&ProgressCallback>;

    /// Sends the request. Its errors are already in context.
    fn send(&self, attempts: &mut Attempts) -> impl Future<Output = Result<Response>> + Send;

    /// Adds what the request is about to an error that reading its response causes.
    fn in_context(&self, error: Error) -> Error;
}

/// Reads the body into memory, up to the limit of the client.
pub(crate) async fn bytes<R: DownloadRequest>(request: &R) -> Result<Bytes> {
    let mut attempts = request.transport().attempts();
    loop {
        let read = begin(request, &mut attempts).await?.bytes().await;
        if let Some(bytes) = unless_retried(request, read, &mut attempts).await? {
            return Ok(bytes);
        }
    }
}

/// Returns the body as a stream. What breaks off later is up to the caller.
pub(crate) async fn stream<R: DownloadRequest>(request: &R) -> Result<ByteStream> {
    let mut attempts = request.transport().attempts();
    let response = response(request, &mut attempts).await?;
    attempts.succeeded();
    Ok(response.body)
}

/// Writes the body to a file, which appears complete or not at all, and returns its length.
pub(crate) async fn to_file<R: DownloadRequest>(request: &R, path: &Path) -> Result<u64> {
    let mut file = PartialFile::next_to(path).await?;
    let mut attempts = request.transport().attempts();
    loop {
        let download = begin(request, &mut attempts).await?;
        if let Some(length) = unless_retried(request, file.write(download).await, &mut attempts).await? {
            file.persist().await.map_err(|error| request.in_context(error))?;
            return Ok(length);
        }
    }
}

/// Reads the body as a lineage, whole or not.
pub(crate) async fn drawn_lineage<R: DownloadRequest>(request: &R) -> Result<DrawnLineage> {
    let mut attempts = request.transport().attempts();
    loop {
        let read = read_lineage(response(request, &mut attempts).await?).await;
        if let Some(lineage) = unless_retried(request, read, &mut attempts).await? {
            return Ok(DrawnLineage::new(lineage));
        }
    }
}

/// Sends the request until there is a response with the expected beginning.
async fn response<R: DownloadRequest>(request: &R, attempts: &mut Attempts) -> Result<Response> {
    loop {
        match check_beginning(request.send(attempts).await?, R::SYNTAX).await {
            Ok(response) => return Ok(response),
            Err(error) => attempts.after(error, R::OPERATION).await.map_err(|error| request.in_context(error))?,
        }
    }
}

async fn begin<'a, R: DownloadRequest>(request: &'a R, attempts: &mut Attempts) -> Result<Download<'a>> {
    let response = response(request, attempts).await?;
    Ok(Download::new(response, R::SYNTAX, attempts.number(), request.on_progress()))
}

/// Returns what was read of a response, or `None` if reading failed and the request is to be sent again.
async fn unless_retried<R: DownloadRequest, T>(
    request: &R,
    read: Result<T>,
    attempts: &mut Attempts,
) -> Result<Option<T>> {
    match read {
        Ok(read) => {
            attempts.succeeded();
            Ok(Some(read))
        }
        Err(error) => {
            attempts.after(error, R::OPERATION).await.map_err(|error| request.in_context(error))?;
            Ok(None)
        }
    }
}

/// Returns the response if its beginning shows the expected syntax and no failure.
async fn check_beginning(response: Response, syntax: ExportSyntax) -> Result<Response> {
    let mut response = response.without_failure().await?;
    let protocol = |text: &str| Error::new(ErrorKind::Protocol, text);
    if let Some(head) = response.head.as_ref().filter(|head| !head.has_data) {
        return Err(protocol("the response is an envelope without data, but a file was expected").with_code(head.code));
    }
    let beginning = response.body.beginning().await;
    let expected: &[char] = match syntax {
        ExportSyntax::Json => &['{', '['],
        ExportSyntax::Csv | ExportSyntax::Unknown => &[],
        // The first byte of PNG and JPEG is no text; GIF begins with its name.
        ExportSyntax::Image => &['\u{fffd}', 'g'],
        ExportSyntax::Xml => &['<'],
    };
    if beginning.is_empty() || expected.is_empty() || beginning.starts_with(expected) {
        return Ok(response);
    }
    let shown = response.snippet().await;
    Err(protocol(&format!("the response is not {syntax}, although the export is: {shown}")))
}

/// Reads a lineage while its JSON arrives. The lineage knows the relation types that were requested.
async fn read_lineage(response: Response) -> Result<Lineage> {
    let (limit, secrets) = (response.limit(), response.secrets.clone());
    let mut reader = Lineage::reader().max_bytes(limit);
    if let Some(requested) = response.relation_types() {
        reader = reader.requested_types(requested.iter().cloned());
    }
    let mut failure = None;
    let body = response.body.map_err(|error| {
        // Kept for later, because it says more than the error of the parser that lacks input.
        failure = Some(error);
        "the response was cut off"
    });
    let read = reader.read_stream(body).await;
    match failure {
        Some(error) => Err(error),
        None => read.map_err(|error| unreadable(error, &secrets)),
    }
}

fn unreadable(error: ReadError, secrets: &Redactor) -> Error {
    if error.kind() == ReadErrorKind::TooLarge {
        let text = "the lineage is over the response limit: raise max_response_bytes in the client builder";
        return Error::new(ErrorKind::TooLarge, text).caused_by(error);
    }
    of_lineage(error, secrets)
}

/// One attempt to download a body, chunk by chunk.
struct Download<'a> {
    body: ByteStream,
    received: ReceivedBytes,
    progress: Progress,
    on_progress: Option<&'a ProgressCallback>,
    completeness: CompletenessCheck,
    limit: u64,
}

impl<'a> Download<'a> {
    fn new(response: Response, syntax: ExportSyntax, attempt: u32, on_progress: Option<&'a ProgressCallback>) -> Self {
        let (total, limit, body) = (response.length(), response.limit(), response.body);
        let progress = Progress { attempt, received: 0, total, unpacked: 0 };
        let completeness = CompletenessCheck::new(syntax);
        Self { received: body.received(), body, progress, on_progress, completeness, limit }
    }

    /// Returns the next chunk, or `None` at the end of a complete body.
    ///
    /// # Errors
    /// `Interrupted` if the body ends too early, and the errors of the connection.
    async fn next(&mut self) -> Result<Option<Bytes>> {
        let Some(chunk) = self.body.try_next().await? else {
            self.completeness.check(self.progress.unpacked)?;
            return Ok(None);
        };
        self.completeness.update(&chunk);
        self.progress.received = self.received.bytes();
        self.progress.unpacked += chunk.len() as u64;
        if let Some(on_progress) = self.on_progress {
            on_progress(&self.progress);
        }
        Ok(Some(chunk))
    }

    /// Reads the whole body into memory.
    async fn bytes(mut self) -> Result<Bytes> {
        let mut body = Vec::new();
        while let Some(chunk) = self.next().await? {
            if self.progress.unpacked > self.limit {
                return Err(response_too_large(self.limit));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.into())
    }
}

/// The bytes with which every PNG image begins.
const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
/// The name of the chunk with which every PNG image ends.
const PNG_END: &[u8] = b"IEND";

/// Checks that a file ends where its syntax allows it. A proxy may truncate a response and declare it complete.
enum CompletenessCheck {
    /// The open brackets of JSON, outside its strings.
    Json { depth: u64, in_string: bool, is_escaped: bool, is_closed: bool },
    /// The last bytes of an XML document.
    Xml { tail: Vec<u8> },
    /// The first and the last bytes of an image.
    Image { start: Vec<u8>, tail: Vec<u8> },
    /// A CSV file may end after any row, and a file of an unknown syntax anywhere.
    None,
}

impl CompletenessCheck {
    /// Longer than a closing tag, and than a single empty root element with its namespaces.
    const MAX_TAIL: usize = 1024;

    fn new(syntax: ExportSyntax) -> Self {
        match syntax {
            ExportSyntax::Json => Self::Json { depth: 0, in_string: false, is_escaped: false, is_closed: false },
            ExportSyntax::Xml => Self::Xml { tail: Vec::new() },
            ExportSyntax::Image => Self::Image { start: Vec::new(), tail: Vec::new() },
            ExportSyntax::Csv | ExportSyntax::Unknown => Self::None,
        }
    }

    fn update(&mut self, chunk: &[u8]) {
        match self {
            Self::None => {}
            Self::Image { start, tail } => {
                let missing = PNG_SIGNATURE.len() - start.len();
                start.extend_from_slice(&chunk[..missing.min(chunk.len())]);
                tail.extend_from_slice(&chunk[chunk.len().saturating_sub(Self::MAX_TAIL)..]);
                tail.drain(..tail.len().saturating_sub(Self::MAX_TAIL));
            }
            Self::Xml { tail } => {
                // Any amount of whitespace may follow a document.
                let chunk = chunk.trim_ascii_end();
                tail.extend_from_slice(&chunk[chunk.len().saturating_sub(Self::MAX_TAIL)..]);
                tail.drain(..tail.len().saturating_sub(Self::MAX_TAIL));
            }
            Self::Json { depth, in_string, is_escaped, is_closed } => {
                for byte in chunk {
                    match byte {
                        // Some servers write text after the JSON value.
                        _ if *is_closed => break,
                        _ if *is_escaped => *is_escaped = false,
                        b'\\' if *in_string => *is_escaped = true,
                        b'"' => *in_string = !*in_string,
                        _ if *in_string => {}
                        b'{' | b'[' => *depth += 1,
                        b'}' | b']' => {
                            *depth = depth.saturating_sub(1);
                            *is_closed = *depth == 0;
                        }
                        _ => {}
                    }
                }
            }
        }
    }

    /// # Errors
    /// `Interrupted` if the end is missing.
    fn check(&self, length: u64) -> Result<()> {
        let is_complete = match self {
            Self::None => true,
            // Images of other formats are taken as they come.
            Self::Image { start, tail } => {
                start != PNG_SIGNATURE || tail.windows(PNG_END.len()).any(|bytes| bytes == PNG_END)
            }
            Self::Json { is_closed, .. } => *is_closed,
            Self::Xml { tail } => {
                let last_tag = tail.iter().rposition(|byte| *byte == b'<').map_or(&[][..], |start| &tail[start..]);
                let is_empty = || tail.ends_with(b"/>") && last_tag.starts_with(b"<graphml");
                tail.ends_with(b"graphml>") || is_empty()
            }
        };
        if is_complete {
            return Ok(());
        }
        let text = format!("the export breaks off after {length} bytes, although the server sent it as complete");
        Err(Error::new(ErrorKind::Interrupted, text))
    }
}

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

    /// Writes a download to the file, from its start, and returns the length.
    async fn write(&mut self, mut download: Download<'_>) -> Result<u64> {
        self.restart().await?;
        let Self { path, file, .. } = self;
        let failed = |error: io::Error| unwritable(path, &error);
        let mut length = 0;
        while let Some(chunk) = download.next().await? {
            file.write_all(&chunk).await.map_err(failed)?;
            length += chunk.len() as u64;
        }
        self.sync().await?;
        Ok(length)
    }

    /// Writes bytes from memory to the file, from its start, and returns their number.
    pub(crate) async fn write_bytes(&mut self, bytes: &[u8]) -> Result<u64> {
        self.restart().await?;
        self.file.write_all(bytes).await.map_err(|error| unwritable(&self.path, &error))?;
        self.sync().await?;
        Ok(bytes.len() as u64)
    }

    /// Removes what a failed attempt has written.
    async fn restart(&mut self) -> Result<()> {
        let Self { path, file, .. } = self;
        let failed = |error: io::Error| unwritable(path, &error);
        file.set_len(0).await.map_err(failed)?;
        file.rewind().await.map_err(failed)?;
        Ok(())
    }

    /// Waits until the bytes are on disk, as they have to be before the file gets its final name.
    async fn sync(&mut self) -> Result<()> {
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
