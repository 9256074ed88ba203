//! A list of jobs that is parsed while it arrives.
//!
//! The parser runs on a blocking thread, because it waits for bytes and an async task must not. Both channels are
//! bounded: a program that reads slowly slows the download down.

use std::fmt;
use std::io::{self, BufReader, Read};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};
use futures_util::future::{BoxFuture, FutureExt as _, poll_fn};
use futures_util::stream::{self, BoxStream, Stream, StreamExt as _, TryStreamExt as _};
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use sync_wrapper::SyncWrapper;
use tokio::sync::mpsc;

use super::filter::JobFilter;
use crate::api::runtime::log_warnings;
use crate::job::{JobInfo, JobService};
use crate::transport::{BodyMode, Response, retry_after};
use crate::wire::{Envelope, Operation, Redactor, operations, types};
use crate::{Error, ErrorKind, Result};

/// The number of chunks of the body that may wait to be parsed.
const MAX_WAITING_CHUNKS: usize = 8;
/// The number of jobs that may wait to be read from the stream.
const MAX_WAITING_JOBS: usize = 64;

const OPERATION: &Operation = &operations::DISPLAY_USER_JOBS_SUMMARY;

/// The jobs of a user, as a stream, from [`ListJobs::stream`](super::ListJobs::stream).
///
/// It is a [`Stream`] of results; [`try_next`](JobStream::try_next) reads it without the traits of streams. The list is
/// parsed while it arrives, and only a few jobs are in memory: a program that reads slowly slows the download down, and
/// must not pause for longer than the server keeps a connection open. To change jobs, collect their ids first, and make
/// the calls after the stream has ended.
///
/// - An entry of the list that is not a job is an error that does not end the stream, [`Protocol`](ErrorKind::Protocol).
/// - A list that breaks off is [`Interrupted`](ErrorKind::Interrupted), and one that is shorter than its own count is
///   `Protocol`, after the jobs that it contains. Such an error ends the stream.
/// - The code of a response may come after its data, so that a failure may come after jobs, and makes them unreliable.
///
/// The request is retried within the [retry policy](crate::retry::RetryPolicy) of the client. If the body breaks off
/// later, it is up to the caller to list again. Dropping the stream ends the download.
///
/// ```no_run
/// # async fn example(sqlflow: sqlflow_client::Client) -> sqlflow_client::Result<()> {
/// let mut names = Vec::new();
/// let mut jobs = sqlflow.jobs().stream();
/// while let Some(job) = jobs.try_next().await? {
///     names.extend(job.name);
/// }
/// # Ok(())
/// # }
/// ```
pub struct JobStream {
    jobs: SyncWrapper<BoxStream<'static, Result<JobInfo>>>,
    warnings: Arc<OnceLock<Vec<String>>>,
}

impl JobStream {
    pub(super) fn new(service: JobService, filter: JobFilter) -> Self {
        let warnings = Arc::default();
        let known_warnings = Arc::clone(&warnings);
        let opening = async move {
            let response = request(&service).await?;
            Ok::<_, Error>(parsed(response, service, filter, known_warnings))
        };
        Self { jobs: SyncWrapper::new(stream::once(opening).try_flatten().boxed()), warnings }
    }

    /// Returns the next job, or `None` after the last one.
    ///
    /// # Errors
    /// Those of [`JobStream`]; otherwise the errors of every API call.
    pub async fn try_next(&mut self) -> Result<Option<JobInfo>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await.transpose()
    }

    /// Returns the warnings of the response (code 203), one per line of its error text. They are known when the stream
    /// has ended.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        self.warnings.get().map_or(&[], Vec::as_slice)
    }
}

impl Stream for JobStream {
    type Item = Result<JobInfo>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.jobs.get_mut().poll_next_unpin(context)
    }
}

impl fmt::Debug for JobStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobStream").finish_non_exhaustive()
    }
}

/// Requests the list. A failure that is a whole response is an error of the request.
async fn request(service: &JobService) -> Result<Response> {
    let form = types::DisplayUserJobsSummaryRequest::new();
    let mut attempts = service.transport().attempts();
    let response = service.transport().send_form(OPERATION, &form, BodyMode::Stream, &mut attempts).await?;
    attempts.succeeded();
    response.without_failure().await.map_err(|error| error.in_operation(OPERATION.id))
}

/// A message from the parser to the stream.
enum ListMessage {
    Item(Result<Box<JobInfo>>),
    /// The parser has read everything, or has sent its last error.
    End,
}

/// Returns the jobs of a response. Polling the stream receives the body as well.
fn parsed(
    response: Response,
    service: JobService,
    filter: JobFilter,
    warnings: Arc<OnceLock<Vec<String>>>,
) -> impl Stream<Item = Result<JobInfo>> + Send + 'static {
    let Response { mut body, headers, secrets, .. } = response;
    let (chunk_sender, chunks) = mpsc::channel(MAX_WAITING_CHUNKS);
    let (messages, mut received) = mpsc::channel(MAX_WAITING_JOBS);
    let parser =
        ListParser { messages, service, filter, secrets: secrets.clone(), listed: 0, counted: 0, is_list: false };
    tokio::task::spawn_blocking(move || {
        let sender = parser.messages.clone();
        let last = match parser.read(ChunkReader { chunks, current: Bytes::new(), has_ended: false, failure: None }) {
            Ok(list_warnings) => {
                log_warnings(OPERATION, list_warnings.iter().map(String::as_str));
                let _first = warnings.set(list_warnings);
                None
            }
            Err(error) => {
                Some(secrets.redact_error(error.in_operation(OPERATION.id)).with_retry_after(retry_after(&headers)))
            }
        };
        // If nobody receives it, the stream was dropped.
        let _received = last
            .map_or(Ok(()), |error| sender.blocking_send(ListMessage::Item(Err(error))))
            .and_then(|()| sender.blocking_send(ListMessage::End));
    });
    let mut receiving: Option<BoxFuture<'static, ()>> = Some(
        async move {
            loop {
                let chunk = body.try_next().await;
                let is_last = !matches!(chunk, Ok(Some(_)));
                if chunk_sender.send(chunk).await.is_err() || is_last {
                    break;
                }
            }
        }
        .boxed(),
    );
    let mut has_ended = false;
    stream::poll_fn(move |context| {
        if has_ended {
            return Poll::Ready(None);
        }
        if receiving.as_mut().is_some_and(|receiving| receiving.poll_unpin(context).is_ready()) {
            receiving = None;
        }
        received.poll_recv(context).map(|message| match message {
            Some(ListMessage::Item(item)) => Some(item.map(|job| *job)),
            Some(ListMessage::End) => {
                has_ended = true;
                None
            }
            None => {
                has_ended = true;
                let text =
                    "the list of jobs was not parsed to its end: the runtime is shutting down, or parsing panicked";
                Some(Err(Error::new(ErrorKind::Interrupted, text).in_operation(OPERATION.id)))
            }
        })
    })
}

/// Reads the chunks of a body on a blocking thread. The chunk `None` is the end.
struct ChunkReader {
    chunks: mpsc::Receiver<Result<Option<Bytes>>>,
    current: Bytes,
    has_ended: bool,
    /// The error of the body.
    failure: Option<Error>,
}

impl Read for ChunkReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() && !self.has_ended {
            match self.chunks.blocking_recv() {
                Some(Ok(Some(chunk))) => self.current = chunk,
                Some(Ok(None)) => self.has_ended = true,
                Some(Err(error)) => {
                    self.failure = Some(error);
                    self.has_ended = true;
                }
                None => return Err(io::ErrorKind::BrokenPipe.into()),
            }
        }
        if self.failure.is_some() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let length = self.current.len().min(buffer.len());
        self.current.split_to(length).copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

/// Parses a list and sends its jobs.
struct ListParser {
    messages: mpsc::Sender<ListMessage>,
    service: JobService,
    filter: JobFilter,
    secrets: Redactor,
    /// The number of entries.
    listed: u64,
    /// The highest number of entries that the list claims.
    counted: u64,
    is_list: bool,
}

impl ListParser {
    /// Reads the whole response, and returns its warnings.
    fn read(mut self, chunks: ChunkReader) -> Result<Vec<String>> {
        let mut reader = BufReader::new(chunks);
        let read = self.read_envelope(&mut reader);
        if let Some(failure) = reader.into_inner().failure {
            return Err(failure);
        }
        let mut envelope = read.map_err(|error| match error.classify() {
            serde_json::error::Category::Eof => Error::new(
                ErrorKind::Interrupted,
                format!("the list of jobs is truncated after {} of its entries", self.listed),
            ),
            _ => Error::new(ErrorKind::Protocol, format!("the response is not a list of jobs ({error})")),
        })?;
        envelope.clean_texts(&self.secrets);
        envelope.check()?;
        if !self.is_list {
            let text = "the response is a success without a list of jobs: the server sent an empty envelope";
            return Err(Error::new(ErrorKind::Protocol, text).with_code(envelope.code));
        }
        if self.counted > self.listed {
            let (listed, counted) = (self.listed, self.counted);
            let text = format!("the list of jobs is shorter than its own count: it has {listed} of {counted} jobs");
            return Err(Error::new(ErrorKind::Protocol, text));
        }
        Ok(envelope.warnings().map(ToOwned::to_owned).collect())
    }

    fn read_envelope(&mut self, mut reader: impl Read) -> serde_json::Result<Envelope<IgnoredAny>> {
        const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
        let mut first = Vec::with_capacity(BYTE_ORDER_MARK.len());
        reader.by_ref().take(BYTE_ORDER_MARK.len() as u64).read_to_end(&mut first).map_err(serde_json::Error::io)?;
        let first = first.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&first);
        let mut deserializer = serde_json::Deserializer::from_reader(Read::chain(first, reader));
        let mut fields = deserializer.deserialize_map(EnvelopeVisitor(self))?;
        deserializer.end()?;
        // HTTP has already said that it is a success.
        fields.entry("code").or_insert_with(|| 200.into());
        serde_json::from_value(Value::Object(fields))
    }

    /// Sends an entry of the list, unless it does not match the filter. Returns `false` if the stream was dropped.
    fn send(&mut self, entry: &RawValue) -> bool {
        self.listed += 1;
        let item = match serde_json::from_str::<JobInfo>(entry.get()) {
            Ok(job) => {
                let job = self.service.in_time_zone(job.cleaned(&self.secrets));
                if !self.filter.matches(&job) {
                    return !self.messages.is_closed();
                }
                Ok(Box::new(job))
            }
            Err(error) => {
                let (number, shown) = (self.listed, self.secrets.excerpt(entry.get()));
                let text = format!("entry {number} of the list is not a job ({error}): {shown}");
                Err(self.secrets.redact_error(Error::new(ErrorKind::Protocol, text).in_operation(OPERATION.id)))
            }
        };
        self.messages.blocking_send(ListMessage::Item(item)).is_ok()
    }
}

/// Reads an envelope: sends the jobs in its data, and returns its other fields.
struct EnvelopeVisitor<'a>(&'a mut ListParser);

impl<'de> Visitor<'de> for EnvelopeVisitor<'_> {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an envelope: an object with the field `data`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if key == "data" {
                map.next_value_seed(DataSeed(self.0))?;
            } else {
                fields.insert(key, map.next_value()?);
            }
        }
        Ok(fields)
    }
}

/// Implements the methods of a visitor for values that mean that there is no list, whose code decides what they mean.
macro_rules! ignore_scalars {
    () => {
        fn visit_unit<E>(self) -> Result<(), E> {
            Ok(())
        }

        fn visit_bool<E>(self, _: bool) -> Result<(), E> {
            Ok(())
        }

        fn visit_i64<E>(self, _: i64) -> Result<(), E> {
            Ok(())
        }

        fn visit_u64<E>(self, _: u64) -> Result<(), E> {
            Ok(())
        }

        fn visit_f64<E>(self, _: f64) -> Result<(), E> {
            Ok(())
        }

        fn visit_str<E>(self, _: &str) -> Result<(), E> {
            Ok(())
        }
    };
}

/// Reads the data of an envelope.
struct DataSeed<'a>(&'a mut ListParser);

impl<'de> DeserializeSeed<'de> for DataSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for DataSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of jobs")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let parser = self.0;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "total" => {
                    let total = map.next_value::<Value>()?;
                    let total = total.as_u64().or_else(|| total.as_str()?.trim().parse().ok());
                    parser.is_list |= total.is_some();
                    parser.counted = parser.counted.max(total.unwrap_or_default());
                }
                "jobIds" => map.next_value_seed(EntriesSeed { parser: &mut *parser, is_jobs: false })?,
                "jobDetails" => map.next_value_seed(EntriesSeed { parser: &mut *parser, is_jobs: true })?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while entries.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    ignore_scalars!();
}

/// Reads the entries of an array: sends them if they are jobs, and counts them if they are ids.
struct EntriesSeed<'a> {
    parser: &'a mut ListParser,
    is_jobs: bool,
}

impl<'de> DeserializeSeed<'de> for EntriesSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for EntriesSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the entries of a list of jobs")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        if !self.is_jobs {
            let mut ids = 0;
            while entries.next_element::<IgnoredAny>()?.is_some() {
                ids += 1;
            }
            self.parser.counted = self.parser.counted.max(ids);
            return Ok(());
        }
        self.parser.is_list = true;
        while let Some(entry) = entries.next_element::<Box<RawValue>>()? {
            if !self.parser.send(&entry) {
                return Err(A::Error::custom("the stream of jobs was dropped"));
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }

    ignore_scalars!();
}
