//! The body of a request while it is being received. Counts its bytes, and lets others read what a handler left
//! unread.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use axum::body::{Body, BodyDataStream, Bytes, to_bytes};
use axum::extract::Request;
use futures_util::stream::{Fuse, Stream, StreamExt as _};

/// The number of bytes of a body that have been received.
#[derive(Debug, Clone, Default)]
pub(super) struct ReceivedBytes(Arc<AtomicU64>);

impl ReceivedBytes {
    pub(super) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A body that is being received. A clone continues to read where another one stopped.
#[derive(Clone)]
pub(super) struct IncomingBody {
    stream: Arc<Mutex<Fuse<BodyDataStream>>>,
    received: ReceivedBytes,
}

impl IncomingBody {
    /// Counts the body of a request, and makes it readable in more than one place.
    pub(super) fn of(request: Request, received: ReceivedBytes) -> (Request, Self) {
        let (head, body) = request.into_parts();
        let incoming_body = Self { stream: Arc::new(Mutex::new(body.into_data_stream().fuse())), received };
        (Request::from_parts(head, Body::from_stream(incoming_body.clone())), incoming_body)
    }

    /// Reads until this many bytes have been received in total, or the body ends.
    pub(super) async fn receive(&mut self, bytes: u64) {
        while self.received.bytes() < bytes {
            // A body that breaks off has ended too.
            let Some(Ok(_)) = self.next().await else { return };
        }
    }

    /// Reads the body to its end and discards it.
    pub(super) async fn drain(&mut self) {
        self.receive(u64::MAX).await;
    }

    /// Reads the rest of the body, or returns `None` if it breaks off.
    pub(super) async fn rest(self) -> Option<Bytes> {
        to_bytes(Body::from_stream(self), usize::MAX).await.ok()
    }
}

impl Stream for IncomingBody {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        let chunk = ready!(stream.poll_next_unpin(context));
        if let Some(Ok(bytes)) = &chunk {
            self.received.0.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        }
        Poll::Ready(chunk)
    }
}
