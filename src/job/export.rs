//! Exports of a job: typed, as bytes, as a stream, to a file.

use std::fmt;
use std::future::IntoFuture;
use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, TryStreamExt as _};
use serde::Serialize;

use super::Job;
use super::download::{Download, Progress, Target, Watcher};
use super::submit::comma_separated;
use crate::api::{Operation, operations, types};
use crate::lineage::{Lineage, ReadError, ReadErrorKind, RelationType};
use crate::retry::Attempts;
use crate::transport::{BodyMode, Response};
use crate::wire::snippet;
use crate::{ByteStream, Error, ErrorKind, Result};

/// An export of a job, before it is asked for.
///
/// Set options, then take it [as bytes](Export::bytes), [as a stream](Export::stream) or
/// [to a file](Export::to_file); JSON also as a [`Lineage`]. Awaited as it is, JSON gives a lineage and the others
/// bytes. The id of the job is always sent. Options that are not set are not, and the server's defaults hold.
#[derive(Clone)]
#[must_use = "asks when it is awaited"]
pub struct Export<F> {
    job: Job,
    form: F,
    watcher: Option<Watcher>,
}

/// The lineage as drawn; a summary of it past the relation limit of the server.
pub type ExportLineageAsJson = Export<types::ExportLineageAsJsonRequest>;
/// The full lineage as JSON.
pub type ExportFullLineageAsJson = Export<types::ExportFullLineageAsJsonRequest>;
/// The full lineage as CSV.
pub type ExportFullLineageAsCsv = Export<types::ExportFullLineageAsCsvRequest>;
/// The lineage as GraphML for yEd.
pub type ExportLineageAsGraphml = Export<types::ExportLineageAsGraphmlRequest>;

/// A form that asks for an export. Implemented here alone.
pub trait ExportForm: sealed::Form {}

impl<F: sealed::Form> ExportForm for F {}

mod sealed {
    use super::{Format, Operation, Serialize};

    pub trait Form: Serialize + Clone + Send + Sync + 'static {
        const OPERATION: &'static Operation;
        const FORMAT: Format;
        fn set_job(&mut self, id: String);
    }
}

/// What an export should look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Json,
    Csv,
    Xml,
}

macro_rules! export_forms {
    ($($form:ident: $operation:ident, $format:ident;)+) => {
        $(impl sealed::Form for types::$form {
            const OPERATION: &'static Operation = &operations::$operation;
            const FORMAT: Format = Format::$format;

            fn set_job(&mut self, id: String) {
                self.job_id = Some(id);
            }
        })+
    };
}

export_forms! {
    ExportLineageAsJsonRequest: EXPORT_LINEAGE_AS_JSON, Json;
    ExportFullLineageAsJsonRequest: EXPORT_FULL_LINEAGE_AS_JSON, Json;
    ExportFullLineageAsCsvRequest: EXPORT_FULL_LINEAGE_AS_CSV, Csv;
    ExportLineageAsGraphmlRequest: EXPORT_LINEAGE_AS_GRAPHML, Xml;
}

impl<F: ExportForm> Export<F> {
    pub(super) fn new(job: Job, form: F) -> Self {
        Self { job, form, watcher: None }
    }

    /// Tells how far a download is, with each piece that comes: [`bytes`](Export::bytes) and
    /// [`to_file`](Export::to_file) do.
    pub fn on_progress(mut self, watcher: impl Fn(&Progress) + Send + Sync + 'static) -> Self {
        self.watcher = Some(Arc::new(watcher));
        self
    }

    /// All of it in memory, up to the [answer limit](crate::ClientBuilder::max_response_bytes) of the client.
    ///
    /// An attempt that breaks off, stalls, or ends in the middle of its JSON or XML is made again from the start, as
    /// the client [repeats calls](crate::retry::RetryPolicy).
    ///
    /// # Errors
    /// [`JobNotFound`](ErrorKind::JobNotFound) if the server knows no such job; else as every call of the API. A
    /// failure that the server writes in place of the file is one of these errors too.
    pub async fn bytes(self) -> Result<Bytes> {
        let mut attempts = self.attempts();
        loop {
            let download = self.download(&mut attempts).await?;
            if let Some(bytes) = self.unless_again(download.bytes().await, &mut attempts).await? {
                return Ok(bytes);
            }
        }
    }

    /// Piece by piece, as it comes. It is asked for again as the client repeats calls; what breaks off later is told by
    /// the stream, and the caller's to ask for again.
    ///
    /// # Errors
    /// As [`bytes`](Export::bytes), and later from the stream.
    pub async fn stream(self) -> Result<ByteStream> {
        let mut attempts = self.attempts();
        let response = self.ask(&mut attempts).await?;
        attempts.succeeded();
        Ok(response.body)
    }

    /// To a file, which appears whole or not at all: it is written under a temporary name beside the place, synced,
    /// then renamed. A file that is there already is replaced, with its permissions kept. Gives its length in bytes.
    ///
    /// There is no timeout in total. One that goes silent for the [stall
    /// timeout](crate::ClientBuilder::stall_timeout), breaks off, or ends in the middle of its JSON or XML is made
    /// again from the start, as the client [repeats calls](crate::retry::RetryPolicy). A CSV may end after any row
    /// and hold any text, so that one which is cut off or garbled by a proxy that calls it whole is not found out. When
    /// the process is killed, the temporary file may stay (`.NAME.….part`), and never the file itself.
    ///
    /// # Errors
    /// [`Io`](ErrorKind::Io), or [`InvalidInput`](ErrorKind::InvalidInput) for what is there and no file, names the
    /// path, before anything is asked where that is possible; else as [`bytes`](Export::bytes). Nothing is left behind.
    pub async fn to_file(self, path: impl AsRef<Path>) -> Result<u64> {
        let mut target = Target::beside(path.as_ref()).await?;
        let mut attempts = self.attempts();
        loop {
            let download = self.download(&mut attempts).await?;
            if let Some(length) = self.unless_again(target.fill(download).await, &mut attempts).await? {
                target.appear().await.map_err(self.about())?;
                return Ok(length);
            }
        }
    }

    fn attempts(&self) -> Attempts {
        self.job.service().transport().attempts()
    }

    async fn download(&self, attempts: &mut Attempts) -> Result<Download<'_>> {
        let response = self.ask(attempts).await?;
        Ok(Download::new(response, F::FORMAT, attempts.number(), self.watcher.as_ref()))
    }

    /// What was taken of an answer, unless it broke off and is to be asked for again.
    async fn unless_again<T>(&self, taken: Result<T>, attempts: &mut Attempts) -> Result<Option<T>> {
        match taken {
            Ok(taken) => {
                attempts.succeeded();
                Ok(Some(taken))
            }
            Err(error) => {
                attempts.after(error, F::OPERATION.repeatable).await.map_err(self.about())?;
                Ok(None)
            }
        }
    }

    async fn ask(&self, attempts: &mut Attempts) -> Result<Response> {
        let mut form = self.form.clone();
        form.set_job(self.job.id().checked().map_err(self.about())?);
        loop {
            let transport = self.job.service().transport();
            let response = transport.send_form(F::OPERATION, &form, BodyMode::Stream, attempts).await;
            match check(response.map_err(self.about())?, F::FORMAT).await {
                Ok(response) => return Ok(response),
                Err(error) => attempts.after(error, F::OPERATION.repeatable).await.map_err(self.about())?,
            }
        }
    }

    /// What errors of this export are about.
    fn about(&self) -> impl FnOnce(Error) -> Error + use<F> {
        let id = self.job.id().clone();
        move |error| super::about(&id, error.in_operation(F::OPERATION.id))
    }

    async fn read(self) -> Result<Lineage> {
        let mut attempts = self.attempts();
        loop {
            let response = self.ask(&mut attempts).await?;
            if let Some(lineage) = self.unless_again(read(response).await, &mut attempts).await? {
                return Ok(lineage);
            }
        }
    }
}

impl Export<types::ExportLineageAsJsonRequest> {
    /// Read into a model while it comes; the text is never held whole.
    ///
    /// Past the relation limit of the server (1000 by default) the answer is a
    /// [summary](Lineage::is_summary): counts, and no relationships.
    ///
    /// # Errors
    /// [`Protocol`](ErrorKind::Protocol) when the answer is no lineage; else as [`bytes`](Export::bytes).
    pub async fn lineage(self) -> Result<Lineage> {
        self.read().await
    }
}

impl Export<types::ExportFullLineageAsJsonRequest> {
    /// Read into a model while it comes; the text is never held whole.
    ///
    /// # Errors
    /// [`Protocol`](ErrorKind::Protocol) when the answer is no lineage; else as [`bytes`](Export::bytes).
    pub async fn lineage(self) -> Result<Lineage> {
        self.read().await
    }

    /// Which relationships to export. Server default: fdd alone.
    pub fn relation_types(mut self, relation_types: impl IntoIterator<Item = RelationType>) -> Self {
        self.form.show_relation_type = Some(comma_separated(relation_types));
        self
    }
}

impl Export<types::ExportFullLineageAsCsvRequest> {
    /// What stands between two values. Server default: a comma.
    pub fn delimiter(mut self, delimiter: impl Into<String>) -> Self {
        self.form.delimiter = Some(delimiter.into());
        self
    }

    /// Relationships between tables only. Server default: false.
    pub fn table_to_table(mut self, only: bool) -> Self {
        self.form.table_to_table = Some(only);
        self
    }
}

/// The options that the drawn lineage has as JSON and as GraphML alike.
macro_rules! drawing_options {
    ($form:ident) => {
        impl Export<types::$form> {
            /// Keeps only what touches this database.
            pub fn database(mut self, name: impl Into<String>) -> Self {
                self.form.database = Some(name.into());
                self
            }

            /// Keeps only what touches this schema.
            pub fn schema(mut self, name: impl Into<String>) -> Self {
                self.form.schema = Some(name.into());
                self
            }

            /// Keeps only what touches this table.
            pub fn table(mut self, name: impl Into<String>) -> Self {
                self.form.table = Some(name.into());
                self
            }

            /// Keeps only what touches this column.
            pub fn column(mut self, name: impl Into<String>) -> Self {
                self.form.column = Some(name.into());
                self
            }

            /// Relationships between tables only. Server default: false.
            pub fn table_to_table(mut self, only: bool) -> Self {
                self.form.table_to_table = Some(only);
                self
            }

            /// Which relationships to show. Server default: fdd alone.
            pub fn relation_types(mut self, relation_types: impl IntoIterator<Item = RelationType>) -> Self {
                self.form.show_relation_type = Some(comma_separated(relation_types));
                self
            }

            /// Leaves intermediate results out. Server default: false.
            pub fn simple_output(mut self, simple: bool) -> Self {
                self.form.simple_output = Some(simple);
                self
            }

            /// Leaves intermediate record sets out. Server default: false.
            pub fn ignore_record_set(mut self, ignore: bool) -> Self {
                self.form.ignore_record_set = Some(ignore);
                self
            }

            /// Leaves function calls out. Server default: false.
            pub fn ignore_function(mut self, ignore: bool) -> Self {
                self.form.ignore_function = Some(ignore);
                self
            }

            /// Shows literals as the columns of a constant table. Server default: false.
            pub fn show_constant_table(mut self, show: bool) -> Self {
                self.form.show_constant_table = Some(show);
                self
            }

            /// Shows only columns that take part in a relationship. Server default: true.
            pub fn show_link_only(mut self, only: bool) -> Self {
                self.form.show_link_only = Some(only);
                self
            }

            /// Shows the expressions that values pass through. Server default: false.
            pub fn show_transform(mut self, show: bool) -> Self {
                self.form.show_transform = Some(show);
                self
            }

            /// Counts what COUNT takes as a direct source. Server default: false.
            pub fn treat_arguments_in_count_function_as_direct_dataflow(mut self, direct: bool) -> Self {
                self.form.treat_arguments_in_count_function_as_direct_dataflow = Some(direct);
                self
            }
        }
    };
}

drawing_options!(ExportLineageAsJsonRequest);
drawing_options!(ExportLineageAsGraphmlRequest);

/// What awaiting an export gives.
macro_rules! awaited {
    ($form:ident, $output:ty, $method:ident) => {
        impl IntoFuture for Export<types::$form> {
            type Output = Result<$output>;
            type IntoFuture = BoxFuture<'static, Self::Output>;

            fn into_future(self) -> Self::IntoFuture {
                self.$method().boxed()
            }
        }
    };
}

awaited!(ExportLineageAsJsonRequest, Lineage, lineage);
awaited!(ExportFullLineageAsJsonRequest, Lineage, lineage);
awaited!(ExportFullLineageAsCsvRequest, Bytes, bytes);
awaited!(ExportLineageAsGraphmlRequest, Bytes, bytes);

impl<F: fmt::Debug> fmt::Debug for Export<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Export").field("job", &self.job).field("form", &self.form).finish_non_exhaustive()
    }
}

/// Whether the answer is what was asked for, as far as its beginning tells.
async fn check(response: Response, format: Format) -> Result<Response> {
    let mut response = response.without_failure().await?;
    let protocol = |text: &str| Error::new(ErrorKind::Protocol, text);
    if let Some(head) = response.head.as_ref().filter(|head| !head.has_data) {
        return Err(protocol("an envelope without data came in place of the file").with_code(head.code));
    }
    let beginning = response.body.beginning().await;
    let expected: &[char] = match format {
        Format::Json => &['{', '['],
        Format::Csv => &[],
        Format::Xml => &['<'],
    };
    if beginning.is_empty() || expected.is_empty() || beginning.starts_with(expected) {
        return Ok(response);
    }
    let shown = snippet(&response.secrets.redact(&beginning));
    Err(protocol(&format!("what came in place of the file is no {format:?}: {shown}")))
}

/// Reads a lineage as its text comes.
async fn read(response: Response) -> Result<Lineage> {
    let (limit, secrets) = (response.limit(), response.secrets.clone());
    let mut broken = None;
    let body = response.body.map_err(|error| {
        // Kept aside, as it says more than an error that a text could not be read.
        broken = Some(error);
        "the body broke off"
    });
    let read = Lineage::reader().max_bytes(limit).read_stream(body).await;
    match broken {
        Some(error) => Err(error),
        None => read.map_err(|error| secrets.redact_error(unreadable(error))),
    }
}

fn unreadable(error: ReadError) -> Error {
    if error.kind() == ReadErrorKind::TooLarge {
        let text = "the lineage is over the answer limit of the client: raise it in the builder";
        return Error::new(ErrorKind::TooLarge, text).caused_by(error);
    }
    match ended_early(&error) {
        Some(true) => {
            Error::new(ErrorKind::Protocol, "reading the lineage ended in a panic; please report it").caused_by(error)
        }
        Some(false) => {
            Error::new(ErrorKind::Interrupted, "the runtime ended while the lineage was read").caused_by(error)
        }
        None => error.into(),
    }
}

/// Whether the thread that read a lineage ended in a panic, if it ended early.
fn ended_early(error: &ReadError) -> Option<bool> {
    let cause = std::error::Error::source(error)?.downcast_ref::<io::Error>()?;
    let ended = cause.get_ref()?.downcast_ref::<tokio::task::JoinError>()?;
    Some(ended.is_panic())
}
