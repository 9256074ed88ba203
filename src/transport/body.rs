//! The bytes of an answer as they come.

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
use reqwest::header::{CONTENT_ENCODING, HeaderValue};
use sync_wrapper::SyncWrapper;
use tokio::time::timeout;
use tokio_util::io::{ReaderStream, StreamReader};

use super::failure;
use crate::{Error, Result};

/// How much is unpacked at once.
const UNPACKED: usize = 64 * 1024;
/// What is unpacked before the ratio is looked at.
const HARMLESS: u64 = 64 << 20;
/// How many times its size an answer may unpack to. gzip reaches 1000 on nothing but blanks; lineage stays far below
/// this.
const LARGEST_RATIO: u64 = 250;

/// The body of an answer, piece by piece.
///
/// A [`Stream`] of `Result<Bytes>`; [`try_next`](ByteStream::try_next) serves without its traits. It has no timeout
/// in total. One that goes silent for the stall timeout of the client ends with an error, and so does one that breaks
/// off: one that ends with an error is not whole. (Where a proxy cuts a body and calls it whole, only what is read of
/// it tells.) One that was sent compressed is unpacked, and ends with an error when it unpacks to a multiple of its
/// size that no lineage has (over 250 times, past 64 MiB).
pub struct ByteStream {
    peeked: VecDeque<Bytes>,
    rest: SyncWrapper<BoxStream<'static, Result<Bytes>>>,
    ended: bool,
    /// What ended it while it was peeked at.
    broken: Option<Error>,
    received: ReceivedBytes,
}

/// How many bytes came over the network, before they were unpacked.
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
    /// `Protocol` for a compression that was not asked for.
    pub(super) fn of(response: reqwest::Response, stall: Duration) -> Result<Self> {
        let is_packed = match response.headers().get(CONTENT_ENCODING).map(HeaderValue::as_bytes) {
            None | Some(b"identity" | b"") => false,
            Some(b"gzip" | b"x-gzip") => true,
            Some(other) => return Err(failure::packed_otherwise(&String::from_utf8_lossy(other))),
        };
        let received = ReceivedBytes::default();
        let pieces = pieces(response, stall, received.clone());
        let rest = if is_packed { unpacked(pieces, received.clone()).boxed() } else { pieces.boxed() };
        let (peeked, rest) = (VecDeque::new(), SyncWrapper::new(rest));
        Ok(Self { peeked, rest, ended: false, broken: None, received })
    }

    /// How much of it has come so far.
    pub(crate) fn received(&self) -> ReceivedBytes {
        self.received.clone()
    }

    /// All that is to come, if it is here in one piece already.
    pub(super) fn take_whole(&mut self) -> Option<Bytes> {
        let is_whole = self.ended && self.broken.is_none() && self.peeked.len() <= 1;
        is_whole.then(|| self.peeked.pop_front().unwrap_or_default())
    }

    /// Puts it back, to be read again.
    pub(super) fn put_back(&mut self, whole: Bytes) {
        self.peeked.push_front(whole);
    }

    /// The next piece, or none at the end.
    ///
    /// # Errors
    /// [`Interrupted`](crate::ErrorKind::Interrupted) when the connection breaks or stalls. Nothing comes after that.
    pub async fn try_next(&mut self) -> Result<Option<Bytes>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await.transpose()
    }

    /// How a text begins, in lower case, without taking it: what comes first, and more of it if it is markup.
    pub(crate) async fn beginning(&mut self) -> String {
        const ENOUGH: usize = 512;
        let (mut first, _) = self.peek(1).await;
        if without_mark(&first).starts_with(b"<") {
            (first, _) = self.peek(ENOUGH).await;
        }
        let start = without_mark(&first);
        String::from_utf8_lossy(&start[..start.len().min(ENOUGH)]).to_lowercase()
    }

    /// The first bytes without taking them: at least as many as asked for, unless the body ends before, or breaks off.
    /// Tells whether there are no more. What goes wrong is told to the one who takes them.
    pub(super) async fn peek(&mut self, wanted: usize) -> (Bytes, bool) {
        let mut length: usize = self.peeked.iter().map(Bytes::len).sum();
        while length < wanted && !self.ended {
            match self.rest.get_mut().next().await {
                Some(Ok(chunk)) => {
                    length += chunk.len();
                    self.peeked.push_back(chunk);
                }
                Some(Err(error)) => {
                    self.broken = Some(error);
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

/// The bytes as they come over the network.
fn pieces(response: reqwest::Response, stall: Duration, received: ReceivedBytes) -> impl Stream<Item = Result<Bytes>> {
    stream::unfold(response, move |mut response| {
        let received = received.clone();
        async move {
            match timeout(stall, response.chunk()).await {
                Err(_) => Some((Err(failure::stalled(stall, received.bytes())), response)),
                Ok(Err(error)) => Some((Err(failure::within_answer(error)), response)),
                Ok(Ok(None)) => None,
                Ok(Ok(Some(chunk))) => {
                    received.add(chunk.len());
                    Some((Ok(chunk), response))
                }
            }
        }
    })
}

/// The bytes that were packed by gzip.
fn unpacked(
    pieces: impl Stream<Item = Result<Bytes>> + Send + 'static,
    received: ReceivedBytes,
) -> impl Stream<Item = Result<Bytes>> {
    let mut decoder = GzipDecoder::new(StreamReader::new(pieces.map_err(io::Error::other).boxed()));
    decoder.multiple_members(true);
    let mut length = 0_u64;
    ReaderStream::with_capacity(decoder, UNPACKED).map(move |piece| {
        let piece = piece.map_err(failure::unpacking)?;
        length += piece.len() as u64;
        let packed = received.bytes();
        if length > HARMLESS && length / LARGEST_RATIO > packed {
            return Err(failure::bomb(packed, length));
        }
        Ok(piece)
    })
}

/// A text without its byte order mark and what is blank before it.
pub(super) fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text).trim_ascii_start()
}

impl Stream for ByteStream {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(chunk) = self.peeked.pop_front() {
            return Poll::Ready(Some(Ok(chunk)));
        }
        if self.ended {
            return Poll::Ready(self.broken.take().map(Err));
        }
        let next = self.rest.get_mut().poll_next_unpin(context);
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
