//! Reading a body that comes piece by piece, on a thread of its own: the parser waits for bytes, and an async task must
//! not.

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

/// How many pieces may wait to be parsed.
const WAITING: usize = 8;

impl Reader {
    /// Reads an answer from a stream of its pieces, as HTTP clients give it. The body is never held whole: pieces are
    /// parsed on a blocking thread of the Tokio runtime while the next ones come, and the stream is not asked for more
    /// than a few that wait for it.
    ///
    /// Dropping the future ends the thread at its next piece, or within 64 KiB of a long one.
    ///
    /// ```
    /// use futures_util::stream;
    /// use sqlflow_lineage::Lineage;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let pieces = [r#"{"dbobjs": [], "rel"#, r#"ationships": []}"#];
    /// let pieces = stream::iter(pieces.map(Ok::<_, std::io::Error>));
    /// let lineage = Lineage::reader().max_bytes(1 << 20).read_stream(pieces).await?;
    /// assert_eq!(lineage.objects().len(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read); [`ReadErrorKind::Io`] if the stream fails, with an [`io::Error`] around its error as
    /// source, or if there is no Tokio runtime; [`ReadErrorKind::Cancelled`] if the runtime shuts down before the
    /// document is read; [`ReadErrorKind::Panicked`] if reading panics.
    pub async fn read_stream<S, B, E>(&self, stream: S) -> Result<Lineage, ReadError>
    where
        S: Stream<Item = Result<B, E>>,
        B: AsRef<[u8]> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let runtime = Handle::try_current().map_err(no_runtime)?;
        let reader = *self;
        let (sender, receiver) = mpsc::channel(WAITING);
        let pieces = Pieces { receiver, current: None, taken: 0, has_ended: false };
        let reading = runtime.spawn_blocking(move || reader.read(pieces));
        let mut stream = pin!(stream);
        loop {
            let (message, is_last) = match poll_fn(|context| stream.as_mut().poll_next(context)).await {
                Some(Ok(piece)) => (Ok(Some(piece)), false),
                Some(Err(error)) => (Err(io::Error::other(error)), true),
                None => (Ok(None), true),
            };
            // A reader that takes no more has seen enough, and says why.
            if sender.send(message).await.is_err() || is_last {
                break;
            }
        }
        // Only now may the sender go: to the thread that means that nobody waits for it.
        let read = reading.await;
        drop(sender);
        read.unwrap_or_else(|error| Err(not_finished(error)))
    }
}

impl Lineage {
    /// Reads an answer from a stream of its pieces, as HTTP clients give it; see [`Reader::read_stream`].
    ///
    /// # Errors
    ///
    /// As [`Reader::read_stream`].
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
    let text = "the document could not be read: there is no Tokio runtime to read it on";
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

/// The pieces of a body as something to read from; `None` is the end.
struct Pieces<B> {
    receiver: mpsc::Receiver<io::Result<Option<B>>>,
    current: Option<B>,
    taken: usize,
    has_ended: bool,
}

impl<B: AsRef<[u8]>> Read for Pieces<B> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.has_ended {
            // Whatever waits is of no use to anybody.
            if self.receiver.is_closed() {
                return Err(abandoned());
            }
            if let Some(piece) = &self.current {
                let left = piece.as_ref().get(self.taken..).unwrap_or_default();
                let length = left.len().min(buffer.len());
                if let (Some(to), Some(from)) = (buffer.get_mut(..length), left.get(..length)) {
                    to.copy_from_slice(from);
                }
                self.taken += length;
                if length > 0 || buffer.is_empty() {
                    return Ok(length);
                }
            }
            // Nothing comes after an error either: whoever asks again must not wait for it.
            self.has_ended = true;
            (self.current, self.taken) = (self.receiver.blocking_recv().ok_or_else(abandoned)??, 0);
            self.has_ended = self.current.is_none();
        }
        Ok(0)
    }
}

fn abandoned() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "nobody waits for the lineage any more")
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

    fn pieces(body: &[u8], size: usize) -> Vec<io::Result<Vec<u8>>> {
        body.chunks(size).map(|piece| Ok(piece.to_vec())).collect()
    }

    #[tokio::test]
    async fn pieces_of_any_size_make_the_same_lineage() {
        for body in FIXTURES {
            for size in [1, 7, 4096, 1 << 20] {
                let streamed = Lineage::from_stream(stream::iter(pieces(body.as_bytes(), size))).await.unwrap();
                assert_eq!(streamed, read(body));
            }
        }
    }

    #[tokio::test]
    async fn empty_pieces_are_no_end() {
        let (start, end) = LAYOUT_B.split_at(100);
        let pieces = ["", start, "", "", end, ""].map(Ok::<_, io::Error>);
        assert_eq!(Lineage::from_stream(stream::iter(pieces)).await.unwrap(), read(LAYOUT_B));
        let nothing = stream::iter([Ok::<_, io::Error>("")]);
        assert_eq!(Lineage::from_stream(nothing).await.unwrap_err().kind(), ReadErrorKind::Empty);
    }

    #[tokio::test]
    async fn text_after_the_json_is_kept() {
        let pieces = [Ok::<_, io::Error>(LAYOUT_B), Ok("\nError log:"), Ok(" none")];
        let lineage = Lineage::from_stream(stream::iter(pieces)).await.unwrap();
        assert_eq!(lineage.trailing_text(), Some("Error log: none"));
    }

    #[derive(Debug, thiserror::Error)]
    #[error("the line is down")]
    struct Down;

    #[tokio::test]
    async fn the_error_of_a_stream_is_told_with_its_cause() {
        for start in ["", "{", LAYOUT_B] {
            let error = Lineage::from_stream(stream::iter([Ok(start), Err(Down)])).await.unwrap_err();
            assert_eq!(error.kind(), ReadErrorKind::Io);
            assert!(error.to_string().contains("the line is down"), "{error}");
            let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>()).unwrap();
            assert!(cause.get_ref().and_then(|cause| cause.downcast_ref::<Down>()).is_some());
        }
    }

    #[tokio::test]
    async fn a_stream_that_ends_in_the_middle_is_cut_off() {
        let error = Lineage::from_stream(stream::iter([Ok::<_, Down>(r#"{"dbobjs": ["#)])).await.unwrap_err();
        assert_eq!(error.kind(), ReadErrorKind::Truncated);
    }

    #[tokio::test]
    async fn a_stream_past_the_limit_or_of_no_json_is_not_read_to_its_end() {
        let asked = &AtomicUsize::new(0);
        let endless = |piece: &'static str| {
            stream::repeat_with(move || {
                asked.fetch_add(1, Ordering::Relaxed);
                Ok::<_, Down>(piece)
            })
        };
        let error = Lineage::reader().max_bytes(1000).read_stream(endless("   ")).await.unwrap_err();
        assert_eq!(error.kind(), ReadErrorKind::TooLarge);
        let error = Lineage::from_stream(endless("<html>")).await.unwrap_err();
        assert_eq!(error.kind(), ReadErrorKind::NotJson);
        assert!(asked.load(Ordering::Relaxed) < 1000);
    }

    /// A stream that gives a little and then nothing.
    fn stuck() -> impl Stream<Item = Result<&'static str, Down>> {
        stream::iter([Ok("{")]).chain(stream::pending())
    }

    #[test]
    fn a_dropped_future_frees_its_thread() {
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).enable_time().build();
        runtime.unwrap().block_on(async {
            let dropped = tokio::time::timeout(Duration::from_millis(20), Lineage::from_stream(stuck())).await;
            assert!(dropped.is_err());
            // There is but one thread for both.
            let next = Lineage::from_stream(stream::iter([Ok::<_, Down>(LAYOUT_B)]));
            let next = tokio::time::timeout(Duration::from_secs(20), next).await.expect("the thread is free");
            assert_eq!(next.unwrap(), read(LAYOUT_B));
        });
    }

    #[test]
    fn a_runtime_that_ends_does_not_wait_for_a_stream() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
        let is_done = Arc::new(AtomicBool::new(false));
        let done = is_done.clone();
        runtime.spawn(async move {
            let _ = Lineage::from_stream(stuck()).await;
            done.store(true, Ordering::Relaxed);
        });
        runtime.block_on(async { tokio::time::sleep(Duration::from_millis(20)).await });
        // Would not come back if the thread waited for the stream.
        drop(runtime);
        assert!(!is_done.load(Ordering::Relaxed));
    }

    #[test]
    fn without_a_runtime_there_is_an_error_and_no_panic() {
        let mut reading = pin!(Lineage::from_stream(stuck()));
        let mut context = Context::from_waker(std::task::Waker::noop());
        let Poll::Ready(read) = Pin::new(&mut reading).poll(&mut context) else {
            panic!("it waits for nothing");
        };
        assert_eq!(read.unwrap_err().kind(), ReadErrorKind::Io);
    }

    struct PanickingPiece;

    impl AsRef<[u8]> for PanickingPiece {
        fn as_ref(&self) -> &[u8] {
            panic!("this piece cannot be read");
        }
    }

    #[tokio::test]
    async fn a_panic_of_the_reading_thread_is_an_error_of_its_own_kind() {
        let pieces = stream::iter([Ok::<_, Down>(PanickingPiece)]);
        let error = Lineage::from_stream(pieces).await.unwrap_err();
        assert_eq!(error.kind(), ReadErrorKind::Panicked);
        assert!(error.to_string().contains("please report it"), "{error}");
    }

    #[test]
    fn a_runtime_that_shut_down_cancels_reading() {
        let other = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let handle = other.handle().clone();
        other.shutdown_background();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let error = runtime.block_on(async {
            let _entered = handle.enter();
            Lineage::from_stream(stream::iter([Ok::<_, Down>(LAYOUT_B)])).await.unwrap_err()
        });
        assert_eq!(error.kind(), ReadErrorKind::Cancelled);
        assert!(error.to_string().contains("shut down"), "{error}");
    }
}
