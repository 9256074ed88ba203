//! The bytes of an answer as they come.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::poll_fn;
use futures_util::stream::{self, BoxStream, Stream, StreamExt as _};
use sync_wrapper::SyncWrapper;
use tokio::time::timeout;

use super::failure;
use crate::{Error, Result};

/// The body of an answer, piece by piece.
///
/// A [`Stream`] of `Result<Bytes>`; [`try_next`](ByteStream::try_next) serves without its traits. It has no timeout
/// in total. One that goes silent for the stall timeout of the client ends with an error, and so does one that breaks
/// off: only a stream that ends without an error is whole.
pub struct ByteStream {
    peeked: VecDeque<Bytes>,
    rest: SyncWrapper<BoxStream<'static, Result<Bytes>>>,
    ended: bool,
    /// What ended it while it was peeked at.
    broken: Option<Error>,
}

impl ByteStream {
    pub(super) fn of(response: reqwest::Response, stall: Duration) -> Self {
        let rest = stream::unfold((response, 0_u64), move |(mut response, received)| async move {
            match timeout(stall, response.chunk()).await {
                Err(_) => Some((Err(failure::stalled(stall, received)), (response, received))),
                Ok(Err(error)) => Some((Err(failure::within_answer(error)), (response, received))),
                Ok(Ok(None)) => None,
                Ok(Ok(Some(chunk))) => {
                    let received = received + chunk.len() as u64;
                    Some((Ok(chunk), (response, received)))
                }
            }
        });
        Self { peeked: VecDeque::new(), rest: SyncWrapper::new(rest.boxed()), ended: false, broken: None }
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
