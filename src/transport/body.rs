//! The body of a response as a stream of bytes: stall timeout, decompression, and a look at the first bytes.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_compression::tokio::bufread::GzipDecoder;
use bytes::{Bytes, BytesMut};
use futures_util::future::poll_fn;
use futures_util::stream::{BoxStream, Stream, StreamExt as _, TryStreamExt as _};
use reqwest::Version;
use reqwest::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use sync_wrapper::SyncWrapper;
use tokio::time::Instant;
use tokio_util::io::{ReaderStream, StreamReader};

use super::failure;
use super::json_scan::JsonScan;
use super::page::{self, Start};
use super::response_size::Deadline;
use super::timer::ExchangeTimer;
use crate::wire::{Operation, Redactor};
use crate::{Error, ErrorKind, Result};

/// The size of the chunks that are decompressed at once.
const DECOMPRESSED_CHUNK_BYTES: usize = 64 * 1024;
/// The decompressed size up to which the ratio is not checked.
const UNCHECKED_BYTES: u64 = 64 << 20;
/// The highest ratio of the decompressed size to the compressed size. gzip reaches 1000 on nothing but blanks; lineage
/// stays far below this.
const MAX_DECOMPRESSION_RATIO: u64 = 250;

/// The number of times that a body may be compressed: by the server, and by a proxy that does not see that.
const MAX_GZIP_LAYERS: usize = 2;

/// The number of blanks, comments and declarations at the beginning of a body that are read to see what it is.
const MAX_BLANK_BYTES: usize = 1 << 20;

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
/// - An export that turns out to be the envelope of a failure, whose code may come at its end, ends with that failure.
/// - If a proxy truncates a body and reports it as complete, the stream ends without an error. Only a look at the
///   content shows that something is missing.
/// - Over TLS, a file without a length that ends with its connection is complete only if the server says so
///   (`close_notify`). The TLS library of the platform ([`TlsBackend`](crate::TlsBackend)) does not report whether it
///   did, so that such a file always ends with [`Interrupted`](crate::ErrorKind::Interrupted) there.
/// - A compressed body is decompressed: gzip, which may have been applied twice (`Content-Encoding: gzip, gzip`), by the
///   server and by a proxy. The stream ends with an error if it decompresses to more than 64 MiB
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
    /// The look at a body that may be an envelope.
    watch: Option<Box<EnvelopeWatch>>,
    /// The look at a text that a page may follow.
    page_watch: Option<PageWatch>,
    /// `true` if nothing but the end of the connection says that the body is complete, and the connection may have been
    /// cut.
    has_unproven_end: bool,
}

/// A look at the JSON that goes by.
struct EnvelopeWatch {
    scan: JsonScan,
    operation: &'static Operation,
    secrets: Redactor,
}

/// A look at the beginning of a text, which a page may follow.
struct PageWatch {
    begun: Vec<u8>,
    /// The length at which the text is looked at again.
    next_look: usize,
    is_declared: bool,
}

impl PageWatch {
    fn is_page(&self) -> bool {
        page::page_follows(&decoded(&self.begun), self.is_declared)
    }
}

/// The limits on the time in which a body is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyLimits {
    /// The time between two chunks.
    pub(super) stall_timeout: Duration,
    /// The end of the time for the whole body, if there is one.
    pub(super) deadline: Option<Deadline>,
    /// `true` if the body has to be complete, and the TLS library does not report that its connection was cut.
    pub(super) doubts_end: bool,
}

impl BodyLimits {
    /// Returns the end of a wait for a chunk that begins now, or `None` if the clock cannot express it.
    fn end_of_wait(&self) -> Option<Instant> {
        let end = Instant::now().checked_add(self.stall_timeout);
        let deadline = self.deadline.map(|deadline| deadline.end());
        end.into_iter().chain(deadline).min()
    }
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
    pub(super) fn of(
        response: reqwest::Response,
        headers: &HeaderMap,
        limits: BodyLimits,
        timer: ExchangeTimer,
        secrets: &Redactor,
    ) -> Result<Self> {
        let has_length = headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING);
        let ends_with_connection = !has_length && response.version() < Version::HTTP_2;
        let layers = gzip_layers(headers).map_err(|other| failure::unsupported_encoding(&other, secrets))?;
        let received = ReceivedBytes::default();
        // Compressed data has an end of its own.
        let has_unproven_end = limits.doubts_end && ends_with_connection && layers == 0;
        let mut source = NetworkChunks::new(response.bytes_stream(), limits, timer, received.clone()).boxed();
        for _ in 0..layers {
            source = decompressed(source, received.clone()).boxed();
        }
        let (peeked, source) = (VecDeque::new(), SyncWrapper::new(source));
        Ok(Self {
            peeked,
            source,
            ended: false,
            peek_error: None,
            received,
            watch: None,
            page_watch: None,
            has_unproven_end,
        })
    }

    /// Takes the end of the connection for the end of the body, because the reader knows whether the body is complete.
    pub(crate) fn trust_end(&mut self) {
        self.has_unproven_end = false;
    }

    /// Looks for the end of the JSON in the rest of the body, and for the code of a failure in its outermost object,
    /// which becomes an error of the stream.
    pub(crate) fn watch_envelope(&mut self, operation: &'static Operation, secrets: Redactor) {
        self.watch = Some(Box::new(EnvelopeWatch { scan: JsonScan::default(), operation, secrets }));
    }

    /// Returns `true` if the body is watched and its JSON has ended.
    pub(crate) fn has_whole_json(&self) -> bool {
        self.watch.as_ref().is_some_and(|watch| watch.scan.is_closed())
    }

    /// Returns the next chunk, or the failure of an envelope that ends in it.
    fn watched(&mut self, chunk: Bytes) -> Result<Bytes> {
        self.look_for_page(&chunk)?;
        let Some(watch) = &mut self.watch else { return Ok(chunk) };
        if !watch.scan.is_closed() {
            watch.scan.update(&chunk);
            let head = if watch.scan.is_closed() { watch.scan.head(&watch.secrets) } else { None };
            if let Some(Err(error)) = head.map(|head| head.check()) {
                return Err(watch.secrets.redact_error(error).in_operation(watch.operation.id));
            }
        }
        Ok(chunk)
    }

    /// Looks for a page in the first bytes of a text.
    fn look_for_page(&mut self, chunk: &[u8]) -> Result<()> {
        let Some(watch) = &mut self.page_watch else { return Ok(()) };
        watch.begun.extend_from_slice(&chunk[..chunk.len().min(page::TEXT_BEFORE_PAGE)]);
        if watch.begun.len() < watch.next_look {
            return Ok(());
        }
        watch.next_look = watch.begun.len() * 2;
        let is_page = watch.is_page();
        if watch.begun.len() >= page::TEXT_BEFORE_PAGE {
            self.page_watch = None;
        }
        if is_page { Err(page::error()) } else { Ok(()) }
    }

    /// Returns the error of a body that has ended and is not what it seemed to be.
    fn error_at_end(&mut self) -> Option<Error> {
        if self.page_watch.take().is_some_and(|watch| watch.is_page()) {
            return Some(page::error());
        }
        mem::take(&mut self.has_unproven_end).then(|| unproven_end(self.received.bytes()))
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

    /// Returns the beginning of a text in lower case, without taking it and without the blanks before it.
    pub(crate) async fn beginning(&mut self) -> String {
        const ENOUGH: usize = 512;
        let (first, _) = self.first_text(1).await;
        let start = skip_bom_and_whitespace(&first);
        String::from_utf8_lossy(&start[..start.len().min(ENOUGH)]).to_lowercase()
    }

    /// Returns `true` if the body is an HTML page. `is_declared` is `true` if the response says so. If `may_follow_text`
    /// is set, the page may follow a text; if that shows later, the stream ends with an error.
    pub(super) async fn is_page(&mut self, is_declared: bool, may_follow_text: bool) -> bool {
        let mut wanted = 1;
        loop {
            let (first, ended) = self.peek(wanted).await;
            let text = decoded(&first);
            match page::start_of(&text) {
                Start::Page => return true,
                Start::Unknown if !ended && first.len() < MAX_BLANK_BYTES => wanted = (first.len() * 2).max(512),
                Start::Text(start) if may_follow_text => {
                    // What has not arrived yet is looked at when it goes by, so that nobody waits for it.
                    if !ended && first.len() < page::TEXT_BEFORE_PAGE {
                        self.page_watch = Some(PageWatch { begun: Vec::new(), next_look: 512, is_declared });
                    }
                    return page::page_follows(&text[start..], is_declared);
                }
                Start::Unknown | Start::Markup(_) | Start::Text(_) => return false,
            }
        }
    }

    /// Returns the first bytes without taking them: as many as are wanted, and more if they are blank.
    async fn first_text(&mut self, wanted: usize) -> (Bytes, bool) {
        let mut wanted = wanted;
        loop {
            let (first, ended) = self.peek(wanted).await;
            if ended || first.len() >= MAX_BLANK_BYTES || !skip_bom_and_whitespace(&first).is_empty() {
                return (first, ended);
            }
            wanted = first.len() * 2;
        }
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
    if !headers.contains_key(CONTENT_ENCODING) {
        return Ok(0);
    }
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

/// The chunks of a body as they come over the network, each within its time.
struct NetworkChunks<S> {
    chunks: S,
    limits: BodyLimits,
    received: ReceivedBytes,
    timer: ExchangeTimer,
    /// The end of the time for the chunk that is waited for, if one is.
    wait: Option<Wait>,
}

/// The end of the wait for a chunk: `None` if the clock cannot express it.
#[derive(Clone, Copy)]
struct Wait(Option<Instant>);

impl<S> NetworkChunks<S> {
    fn new(chunks: S, limits: BodyLimits, timer: ExchangeTimer, received: ReceivedBytes) -> Self {
        Self { chunks, limits, received, timer, wait: None }
    }

    /// Waits for the end of the time for the next chunk.
    fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Wait(end) = *self.wait.get_or_insert_with(|| Wait(self.limits.end_of_wait()));
        self.timer.poll_end(context, || end)
    }

    /// Returns the error of a chunk that did not come in its time.
    fn late(&self) -> Error {
        let BodyLimits { stall_timeout, deadline, .. } = self.limits;
        let received = self.received.bytes();
        let missed = deadline.filter(|deadline| deadline.left().is_zero());
        missed.map_or_else(|| failure::stalled(stall_timeout, received), |deadline| deadline.missed(received))
    }
}

impl<S: Stream<Item = reqwest::Result<Bytes>> + Unpin> Stream for NetworkChunks<S> {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Poll::Ready(chunk) = self.chunks.poll_next_unpin(context) else {
            ready!(self.poll_late(context));
            self.wait = None;
            return Poll::Ready(Some(Err(self.late())));
        };
        self.wait = None;
        Poll::Ready(chunk.map(|chunk| {
            let chunk = chunk.map_err(failure::truncated)?;
            self.received.add(chunk.len());
            Ok(chunk)
        }))
    }
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

/// Returns UTF-16 as ASCII, as far as it is that, and any other text as it is.
fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    match text.strip_prefix(b"\xff\xfe").or_else(|| text.strip_prefix(b"\xfe\xff")) {
        None => text.into(),
        Some(text) => text.iter().copied().filter(|byte| *byte != 0).collect::<Vec<_>>().into(),
    }
}

/// Returns the error for a file whose end may be missing.
fn unproven_end(received: u64) -> Error {
    let text = format!(
        "the response may be truncated after {received} bytes: it has no length, and the TLS library of the platform \
         does not report whether the server ended it; let the server or its proxy send a length, or use rustls"
    );
    Error::new(ErrorKind::Interrupted, text)
}

/// Returns a text without its byte order mark and leading whitespace.
pub(super) fn skip_bom_and_whitespace(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text).trim_ascii_start()
}

impl Stream for ByteStream {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = if let Some(chunk) = self.peeked.pop_front() {
            Some(self.watched(chunk))
        } else if self.ended {
            self.peek_error.take().map(Err)
        } else {
            ready!(self.source.get_mut().poll_next_unpin(context))
                .map(|chunk| chunk.and_then(|chunk| self.watched(chunk)))
        };
        let next = match next {
            None => self.error_at_end().map(Err),
            next => next,
        };
        if !matches!(next, Some(Ok(_))) {
            self.ended = true;
            self.has_unproven_end = false;
            self.peek_error = None;
            self.peeked.clear();
        }
        Poll::Ready(next)
    }
}

impl fmt::Debug for ByteStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteStream").finish_non_exhaustive()
    }
}
