//! Downloading a response into memory, to a file, or as a lineage: its retries, its progress, and its completeness.

mod partial_file;
mod write_behind;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt as _;

pub(crate) use self::partial_file::{PartialFile, parent, sync_directory_of};
use self::write_behind::WriteBehind;
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
    fn send(&self, attempts: &mut Attempts) -> impl Future<Output = Result<Box<Response>>> + Send;

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
    let mut response = response(request, &mut attempts).await?;
    attempts.succeeded();
    if R::SYNTAX == ExportSyntax::Json {
        response.watch_envelope();
    }
    Ok(response.body)
}

/// Writes the body to a file, which appears complete or not at all, and returns its length.
pub(crate) async fn to_file<R: DownloadRequest>(request: &R, path: &Path) -> Result<u64> {
    let mut file = PartialFile::next_to(path).await?;
    let mut attempts = request.transport().attempts();
    loop {
        let download = begin(request, &mut attempts).await?;
        if let Some(length) = unless_retried(request, download.write(&mut file).await, &mut attempts).await? {
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
async fn response<R: DownloadRequest>(request: &R, attempts: &mut Attempts) -> Result<Box<Response>> {
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
async fn check_beginning(response: Box<Response>, syntax: ExportSyntax) -> Result<Box<Response>> {
    let mut response = response.without_failure().await?;
    let protocol = |text: &str| Error::new(ErrorKind::Protocol, text);
    if let Some(head) = response.head.as_ref().filter(|head| !head.has_data) {
        return Err(protocol("the response is an envelope without data, but a file was expected").with_code(head.code));
    }
    let beginning = response.body.beginning().await;
    if syntax == ExportSyntax::Csv && beginning.starts_with('<') {
        let shown = response.snippet().await;
        return Err(protocol(&format!("the response is markup, but CSV was expected: {shown}")));
    }
    let expected: &[char] = match syntax {
        ExportSyntax::Json => &['{', '['],
        ExportSyntax::Csv | ExportSyntax::Parquet | ExportSyntax::Unknown => &[],
        // The first byte of PNG and JPEG is no text; GIF begins with its name.
        ExportSyntax::Image => &['\u{fffd}', 'g'],
        ExportSyntax::Xml => &['<'],
    };
    let is_expected = match syntax {
        ExportSyntax::Parquet => beginning.starts_with("par1"),
        ExportSyntax::Image => beginning.starts_with(expected),
        _ => beginning.is_empty() || expected.is_empty() || beginning.starts_with(expected),
    };
    if is_expected {
        return Ok(response);
    }
    if beginning.is_empty() {
        return Err(protocol(&format!("the response is empty, but {syntax} was expected")));
    }
    let shown = response.snippet().await;
    Err(protocol(&format!("the response is not {syntax}, although the export is: {shown}")))
}

/// Reads a lineage while its JSON arrives. The lineage knows the relation types that were requested.
async fn read_lineage(response: Box<Response>) -> Result<Lineage> {
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
    fn new(
        response: Box<Response>,
        syntax: ExportSyntax,
        attempt: u32,
        on_progress: Option<&'a ProgressCallback>,
    ) -> Self {
        let (total, limit) = (response.length(), response.limit());
        let mut body = response.body;
        match syntax {
            ExportSyntax::Json => body.watch_envelope(response.operation, response.secrets),
            // A look at its last bytes shows whether it is complete.
            ExportSyntax::Xml => body.trust_end(),
            ExportSyntax::Csv | ExportSyntax::Image | ExportSyntax::Parquet | ExportSyntax::Unknown => {}
        }
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
            self.completeness.check(&self.body, self.progress.unpacked)?;
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

    /// Appends the whole body to a file.
    ///
    /// # Errors
    /// The errors of [`next`](Self::next), and the inner one if the file cannot be written.
    async fn receive_into(&mut self, writer: &mut WriteBehind) -> Result<io::Result<()>> {
        while let Some(chunk) = self.next().await? {
            if let Err(error) = writer.append(chunk).await {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }

    /// Writes the whole body to a file, from its start, and returns the length.
    async fn write(mut self, file: &mut PartialFile) -> Result<u64> {
        file.restart().await?;
        let mut writer = WriteBehind::new(file.handle().await?);
        let received = self.receive_into(&mut writer).await;
        // Whatever failed: the next attempt must not begin before the last write of this one has ended.
        let written = writer.finish().await;
        received?.and(written).map_err(|error| file.unwritable(&error))?;
        file.sync().await?;
        Ok(self.progress.unpacked)
    }
}

/// The bytes with which every PNG image begins.
const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
/// The name of the chunk with which every PNG image ends.
const PNG_END: &[u8] = b"IEND";

/// Checks that a file ends where its syntax allows it. A proxy may truncate a response and declare it complete.
enum CompletenessCheck {
    /// The body itself looks for the end of its JSON.
    Json,
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
            ExportSyntax::Json => Self::Json,
            ExportSyntax::Xml => Self::Xml { tail: Vec::new() },
            ExportSyntax::Image => Self::Image { start: Vec::new(), tail: Vec::new() },
            ExportSyntax::Csv | ExportSyntax::Parquet | ExportSyntax::Unknown => Self::None,
        }
    }

    fn update(&mut self, chunk: &[u8]) {
        match self {
            Self::Json | Self::None => {}
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
        }
    }

    /// # Errors
    /// `Interrupted` if the end is missing.
    fn check(&self, body: &ByteStream, length: u64) -> Result<()> {
        let is_complete = match self {
            Self::None => true,
            // Images of other formats are taken as they come.
            Self::Image { start, tail } => {
                start != PNG_SIGNATURE || tail.windows(PNG_END.len()).any(|bytes| bytes == PNG_END)
            }
            Self::Json => body.has_whole_json(),
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
