//! The body of a response as a stream of bytes: stall timeout, decompression, and a look at the first bytes.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use async_compression::tokio::bufread::GzipDecoder;
use bytes::{Bytes, BytesMut};
use futures_util::future::poll_fn;
use futures_util::stream::{self, BoxStream, Stream, StreamExt as _, TryStreamExt as _};
use reqwest::header::{CONTENT_ENCODING, HeaderMap, HeaderValue};
use sync_wrapper::SyncWrapper;
use tokio::time::timeout;
use tokio_util::io::{ReaderStream, StreamReader};

use super::failure;
use crate::wire::Redactor;
use crate::{Error, Result};

/// The size of the chunks that are decompressed at once.
const DECOMPRESSED_CHUNK_BYTES: usize = 64 * 1024;
/// The decompressed size up to which the ratio is not checked.
const UNCHECKED_BYTES: u64 = 64 << 20;
/// The highest ratio of the decompressed size to the compressed size. gzip reaches 1000 on nothing but blanks; lineage
/// stays far below this.
const MAX_DECOMPRESSION_RATIO: u64 = 250;

/// The number of times that a body may be compressed: by the server, and by a proxy that does not see that.
const MAX_GZIP_LAYERS: usize = 2;

/// The body of a response, as a stream of chunks.
///
/// This is a [`Stream`] of `Result<Bytes>`. [`try_next`](ByteStream::try_next) reads it without the traits of
/// `futures`:
///
/// ```no_run
/// # async fn example(job: sqlflow_client::Job) -> sqlflow_client::Result<()> {
/// let mut csv = job.export_full_lineage_as_csv().stream().await?;
/// let mut bytes = 0;
/// while let Some(chunk) = csv.try_next().await? {
///     bytes += chunk.len();
/// }
/// # Ok(())
/// # }
/// ```
///
/// - A stream that ends with an error is incomplete. The connection broke, or it was silent for longer than the
///   [stall timeout](crate::ClientBuilder::stall_timeout) of the client. There is no timeout for the whole body.
/// - If a proxy truncates a body and reports it as complete, the stream ends without an error. Only a look at the
///   content shows that something is missing.
/// - A compressed body is decompressed: gzip, which a server may have applied twice (`Content-Encoding: gzip, gzip`). The stream ends with an error if it decompresses to more than 64 MiB
///   and to over 250 times its size, which no lineage does.
pub struct ByteStream {
    /// Chunks that were looked at and not yet taken.
    peeked: VecDeque<Bytes>,
    source: SyncWrapper<BoxStream<'static, Result<Bytes>>>,
    /// `true` if `source` has ended or failed.
    ended: bool,
    /// The error that `source` ended with during a peek, for the reader who gets that far.
    peek_error: Option<Error>,
    received: ReceivedBytes,
}

/// The number of bytes that came over the network, before decompression.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReceivedBytes(Arc<AtomicU64>);

impl ReceivedBytes {
    fn add(&self, bytes: usize) -> u64 {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl ByteStream {
    /// # Errors
    /// `Protocol` for a compression that was not requested.
    pub(super) fn of(response: reqwest::Response, stall_timeout: Duration, secrets: &Redactor) -> Result<Self> {
        let layers = gzip_layers(response.headers()).map_err(|other| failure::unsupported_encoding(&other, secrets))?;
        let received = ReceivedBytes::default();
        let mut source = network_chunks(response, stall_timeout, received.clone()).boxed();
        for _ in 0..layers {
            source = decompressed(source, received.clone()).boxed();
        }
        let (peeked, source) = (VecDeque::new(), SyncWrapper::new(source));
        Ok(Self { peeked, source, ended: false, peek_error: None, received })
    }

    /// Returns the counter of the bytes received so far, which goes on counting while the body is read.
    pub(crate) fn received(&self) -> ReceivedBytes {
        self.received.clone()
    }

    /// Takes the rest of the body, if it has been received completely and is in one chunk.
    pub(super) fn take_buffered(&mut self) -> Option<Bytes> {
        let is_complete = self.ended && self.peek_error.is_none() && self.peeked.len() <= 1;
        is_complete.then(|| self.peeked.pop_front().unwrap_or_default())
    }

    /// Puts bytes in front of the rest of the body, to be read next.
    pub(super) fn unread(&mut self, bytes: Bytes) {
        self.peeked.push_front(bytes);
    }

    /// Reads the next chunk, or returns `None` at the end.
    ///
    /// # Errors
    /// [`Interrupted`](crate::ErrorKind::Interrupted) when the connection breaks or stalls. After an error the stream
    /// has ended.
    pub async fn try_next(&mut self) -> Result<Option<Bytes>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await.transpose()
    }

    /// Returns the beginning of a text in lower case, without taking it: the first chunk, or more if it is markup.
    pub(crate) async fn beginning(&mut self) -> String {
        const ENOUGH: usize = 512;
        let (mut first, _) = self.peek(1).await;
        if skip_bom_and_whitespace(&first).starts_with(b"<") {
            (first, _) = self.peek(ENOUGH).await;
        }
        let start = skip_bom_and_whitespace(&first);
        String::from_utf8_lossy(&start[..start.len().min(ENOUGH)]).to_lowercase()
    }

    /// Returns the first bytes without taking them, and `true` if the body has ended. There are at least
    /// `wanted` bytes unless the body ends before that. A failure is kept for the reader who gets that far.
    pub(super) async fn peek(&mut self, wanted: usize) -> (Bytes, bool) {
        let mut length: usize = self.peeked.iter().map(Bytes::len).sum();
        while length < wanted && !self.ended {
            match self.source.get_mut().next().await {
                Some(Ok(chunk)) => {
                    length += chunk.len();
                    self.peeked.push_back(chunk);
                }
                Some(Err(error)) => {
                    self.peek_error = Some(error);
                    self.ended = true;
                }
                None => self.ended = true,
            }
        }
        if self.peeked.len() > 1 {
            let mut joined = BytesMut::with_capacity(length);
            self.peeked.drain(..).for_each(|chunk| joined.extend_from_slice(&chunk));
            self.peeked.push_back(joined.freeze());
        }
        (self.peeked.front().cloned().unwrap_or_default(), self.ended)
    }
}

/// Returns the number of times that a body was compressed with gzip: once for each entry of the list in
/// `Content-Encoding`, which may be spread over several headers (RFC 9110, sections 5.3 and 8.4).
///
/// # Errors
/// The list, if it has an entry that is neither gzip nor identity, or too many.
fn gzip_layers(headers: &HeaderMap) -> Result<usize, String> {
    let values: Vec<_> = headers.get_all(CONTENT_ENCODING).iter().map(HeaderValue::as_bytes).collect();
    let list = values.join(&b", "[..]);
    let codings = list.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    let is = |coding: &[u8], names: &[&str]| names.iter().any(|name| coding.eq_ignore_ascii_case(name.as_bytes()));
    let mut layers = 0;
    for coding in codings.filter(|coding| !is(coding, &["", "identity"])) {
        layers += 1;
        if !is(coding, &["gzip", "x-gzip"]) || layers > MAX_GZIP_LAYERS {
            return Err(String::from_utf8_lossy(&list).into_owned());
        }
    }
    Ok(layers)
}

/// Returns the chunks of a body as they come over the network.
fn network_chunks(
    response: reqwest::Response,
    stall_timeout: Duration,
    received: ReceivedBytes,
) -> impl Stream<Item = Result<Bytes>> {
    stream::unfold(response, move |mut response| {
        let received = received.clone();
        async move {
            match timeout(stall_timeout, response.chunk()).await {
                Err(_) => Some((Err(failure::stalled(stall_timeout, received.bytes())), response)),
                Ok(Err(error)) => Some((Err(failure::truncated(error)), response)),
                Ok(Ok(None)) => None,
                Ok(Ok(Some(chunk))) => {
                    received.add(chunk.len());
                    Some((Ok(chunk), response))
                }
            }
        }
    })
}

/// Decompresses a gzip body, and fails if it grows beyond [`MAX_DECOMPRESSION_RATIO`].
fn decompressed(
    chunks: BoxStream<'static, Result<Bytes>>,
    received: ReceivedBytes,
) -> impl Stream<Item = Result<Bytes>> {
    let mut decoder = GzipDecoder::new(StreamReader::new(chunks.map_err(io::Error::other)));
    decoder.multiple_members(true);
    let mut length = 0_u64;
    ReaderStream::with_capacity(decoder, DECOMPRESSED_CHUNK_BYTES).map(move |chunk| {
        let chunk = chunk.map_err(failure::of_decompression)?;
        length += chunk.len() as u64;
        let compressed = received.bytes();
        if length > UNCHECKED_BYTES && length / MAX_DECOMPRESSION_RATIO > compressed {
            return Err(failure::decompression_bomb(compressed, length));
        }
        Ok(chunk)
    })
}

/// Returns a text without its byte order mark and leading whitespace.
pub(super) fn skip_bom_and_whitespace(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text).trim_ascii_start()
}

impl Stream for ByteStream {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(chunk) = self.peeked.pop_front() {
            return Poll::Ready(Some(Ok(chunk)));
        }
        if self.ended {
            return Poll::Ready(self.peek_error.take().map(Err));
        }
        let next = self.source.get_mut().poll_next_unpin(context);
        if matches!(next, Poll::Ready(None | Some(Err(_)))) {
            self.ended = true;
        }
        next
    }
}

impl fmt::Debug for ByteStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteStream").finish_non_exhaustive()
    }
}
