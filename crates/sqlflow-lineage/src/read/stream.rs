//! Reading of a document that comes in chunks from an async stream.
//!
//! The parser runs on a blocking thread, because it waits for bytes and an async task must not.

use std::error::Error;
use std::future::poll_fn;
use std::io::{self, Read};
use std::pin::pin;

use futures_core::Stream;
use tokio::runtime::{Handle, TryCurrentError};
use tokio::sync::mpsc;
use tokio::task::JoinError;

use super::super::Lineage;
use super::super::error::{ReadError, ReadErrorKind};
use super::Reader;

/// The number of chunks that may wait to be parsed.
const MAX_WAITING: usize = 8;

impl Reader {
    /// Reads a document from a stream of chunks, such as the response document of an HTTP client.
    ///
    /// The document is never held whole: chunks are parsed on a blocking thread of the Tokio runtime while the next ones
    /// arrive, and the stream is polled only while few chunks wait to be parsed.
    ///
    /// Dropping the future ends the thread at its next chunk, or within 64 KiB of a long one.
    ///
    /// ```
    /// use futures_util::stream;
    /// use sqlflow_lineage::Lineage;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let chunks = [r#"{"dbobjs": [], "rel"#, r#"ationships": []}"#];
    /// let chunks = stream::iter(chunks.map(Ok::<_, std::io::Error>));
    /// let lineage = Lineage::reader().max_bytes(1 << 20).read_stream(chunks).await?;
    /// assert_eq!(lineage.objects().len(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of [`read`](Self::read). [`ReadErrorKind::Io`] reports a stream that fails, with an [`io::Error`] around
    /// its error as the source, or that there is no Tokio runtime. [`ReadErrorKind::Cancelled`] reports that the runtime
    /// shut down before the document was read, and [`ReadErrorKind::Panicked`] that reading panicked.
    pub async fn read_stream<S, B, E>(&self, stream: S) -> Result<Lineage, ReadError>
    where
        S: Stream<Item = Result<B, E>>,
        B: AsRef<[u8]> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let runtime = Handle::try_current().map_err(no_runtime)?;
        let reader = self.clone();
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        let chunks = ChunkReader { receiver, current: None, taken: 0, has_ended: false };
        let reading = runtime.spawn_blocking(move || reader.read(chunks));
        let mut stream = pin!(stream);
        loop {
            let (message, is_last) = match poll_fn(|context| stream.as_mut().poll_next(context)).await {
                Some(Ok(chunk)) => (Ok(Some(chunk)), false),
                Some(Err(error)) => (Err(io::Error::other(error)), true),
                None => (Ok(None), true),
            };
            // A reader that accepts no more has finished or failed, which its result says.
            if sender.send(message).await.is_err() || is_last {
                break;
            }
        }
        // The sender lives until now, because the thread takes its end for a dropped future.
        let read = reading.await;
        drop(sender);
        read.unwrap_or_else(|error| Err(not_finished(error)))
    }
}

impl Lineage {
    /// Reads a document from a stream of chunks, such as the response document of an HTTP client; see
    /// [`Reader::read_stream`].
    ///
    /// # Errors
    ///
    /// The errors of [`Reader::read_stream`].
    pub async fn from_stream<S, B, E>(stream: S) -> Result<Self, ReadError>
    where
        S: Stream<Item = Result<B, E>>,
        B: AsRef<[u8]> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        Reader::new().read_stream(stream).await
    }
}

fn no_runtime(error: TryCurrentError) -> ReadError {
    let text = "cannot read the document: there is no Tokio runtime to read it on; call this within one";
    ReadError::new(ReadErrorKind::Io, text).caused_by(io::Error::other(error))
}

fn not_finished(error: JoinError) -> ReadError {
    let (kind, text) = if error.is_panic() {
        (ReadErrorKind::Panicked, "the thread that read the document panicked; please report it")
    } else {
        (ReadErrorKind::Cancelled, "the Tokio runtime shut down while the document was being read")
    };
    ReadError::new(kind, text).caused_by(io::Error::other(error))
}

/// A reader over the chunks of a document; the chunk `None` is the end.
struct ChunkReader<B> {
    receiver: mpsc::Receiver<io::Result<Option<B>>>,
    current: Option<B>,
    taken: usize,
    has_ended: bool,
}

impl<B: AsRef<[u8]>> Read for ChunkReader<B> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.has_ended {
            // The future was dropped, so nothing needs the chunks that still wait.
            if self.receiver.is_closed() {
                return Err(abandoned());
            }
            if let Some(chunk) = &self.current {
                let left = chunk.as_ref().get(self.taken..).unwrap_or_default();
                let length = left.len().min(buffer.len());
                if let (Some(to), Some(from)) = (buffer.get_mut(..length), left.get(..length)) {
                    to.copy_from_slice(from);
                }
                self.taken += length;
                if length > 0 || buffer.is_empty() {
                    return Ok(length);
                }
            }
            // Nothing comes after an error either, so another call must not wait for it.
            self.has_ended = true;
            (self.current, self.taken) = (self.receiver.blocking_recv().ok_or_else(abandoned)??, 0);
            self.has_ended = self.current.is_none();
        }
        Ok(0)
    }
}

fn abandoned() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the future that waited for the lineage was dropped")
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::task::{Context, Poll};
    use std::time::Duration;

    use futures_util::{StreamExt as _, stream};

    use super::super::super::fixtures::{FIXTURES, LAYOUT_B, read};
    use super::*;

    fn chunks(document: &[u8], size: usize) -> Vec<io::Result<Vec<u8>>> {
        document.chunks(size).map(|chunk| Ok(chunk.to_vec())).collect()
    }

    #[tokio::test]
    async fn the_size_of_the_chunks_does_not_change_the_lineage() {
        for document in FIXTURES {
            for size in [1, 7, 4096, 1 << 20] {
                let streamed = Lineage::from_stream(stream::iter(chunks(document.as_bytes(), size))).await.unwrap();
                assert_eq!(streamed, read(document));
            }
        }
    }

    #[tokio::test]
    async fn empty_chunks_do_not_end_the_document() {
        let (start, end) = LAYOUT_B.split_at(100);
        let chunks = ["", start, "", "", end, ""].map(Ok::<_, io::Error>);
        assert_eq!(Lineage::from_stream(stream::iter(chunks)).await.unwrap(), read(LAYOUT_B));
        let nothing = stream::iter([Ok::<_, io::Error>("")]);
        assert_eq!(Lineage::from_stream(nothing).await.unwrap_err().kind(), ReadErrorKind::Empty);
    }

    #[tokio::test]
    async fn text_after_the_json_is_kept() {
        let chunks = [Ok::<_, io::Error>(LAYOUT_B), Ok("\nError log:"), Ok(" none")];
        let lineage = Lineage::from_stream(stream::iter(chunks)).await.unwrap();
        assert_eq!(lineage.trailing_text(), Some("Error log: none"));
    }

    #[derive(Debug, thiserror::Error)]
    #[error("connection reset")]
    struct ConnectionReset;

    #[tokio::test]
    async fn the_error_of_the_stream_is_the_source_of_the_read_error() {
        for start in ["", "{", LAYOUT_B] {
            let error = Lineage::from_stream(stream::iter([Ok(start), Err(ConnectionReset)])).await.unwrap_err();
            assert_eq!(error.kind(), ReadErrorKind::Io);
            assert!(error.to_string().contains("connection reset"), "{error}");
            let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>()).unwrap();
            assert!(cause.get_ref().and_then(|cause| cause.downcast_ref::<ConnectionReset>()).is_some());
        }
    }

    #[tokio::test]
    async fn a_stream_that_ends_in_the_middle_is_truncated() {
        let error =
            Lineage::from_stream(stream::iter([Ok::<_, ConnectionReset>(r#"{"dbobjs": ["#)])).await.unwrap_err();
        assert_eq!(error.kind(), ReadErrorKind::Truncated);
    }

    #[tokio::test]
    async fn a_stream_that_is_too_long_or_not_json_is_not_read_to_its_end() {
        let polled = &AtomicUsize::new(0);
        let endless = |chunk: &'static str| {
            stream::repeat_with(move || {
                polled.fetch_add(1, Ordering::Relaxed);
                Ok::<_, ConnectionReset>(chunk)
            })
        };
        let error = Lineage::reader().max_bytes(1000).read_stream(endless("   ")).await.unwrap_err();
        assert_eq!(error.kind(), ReadErrorKind::TooLarge);
        let error = Lineage::from_stream(endless("<html>")).await.unwrap_err();
        assert_eq!(error.kind(), ReadErrorKind::NotJson);
        assert!(polled.load(Ordering::Relaxed) < 1000);
    }

    /// Returns a stream that yields one chunk and then stays pending.
    fn stuck() -> impl Stream<Item = Result<&'static str, ConnectionReset>> {
        stream::iter([Ok("{")]).chain(stream::pending())
    }

    #[test]
    fn dropping_the_future_frees_its_thread() {
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).enable_time().build();
        runtime.unwrap().block_on(async {
            let dropped = tokio::time::timeout(Duration::from_millis(20), Lineage::from_stream(stuck())).await;
            assert!(dropped.is_err());
            // Both readings share one thread.
            let next = Lineage::from_stream(stream::iter([Ok::<_, ConnectionReset>(LAYOUT_B)]));
            let next = tokio::time::timeout(Duration::from_secs(20), next).await.expect("the thread is free");
            assert_eq!(next.unwrap(), read(LAYOUT_B));
        });
    }

    #[test]
    fn shutting_down_the_runtime_does_not_wait_for_the_stream() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
        let is_done = Arc::new(AtomicBool::new(false));
        let done = is_done.clone();
        runtime.spawn(async move {
            let _ = Lineage::from_stream(stuck()).await;
            done.store(true, Ordering::Relaxed);
        });
        runtime.block_on(async { tokio::time::sleep(Duration::from_millis(20)).await });
        // This would not return if the thread waited for the stream.
        drop(runtime);
        assert!(!is_done.load(Ordering::Relaxed));
    }

    #[test]
    fn reading_without_a_runtime_is_an_error_and_no_panic() {
        let mut reading = pin!(Lineage::from_stream(stuck()));
        let mut context = Context::from_waker(std::task::Waker::noop());
        let Poll::Ready(read) = Pin::new(&mut reading).poll(&mut context) else {
            panic!("it waits for nothing");
        };
        assert_eq!(read.unwrap_err().kind(), ReadErrorKind::Io);
    }
}
