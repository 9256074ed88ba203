//! Exports of a job: as a lineage, as bytes, as a stream, or to a file.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use serde::Serialize;

use super::Job;
use super::download::{Download, PartialFile, Progress, ProgressCallback};
use super::drawn::DrawnLineage;
use crate::api::{Operation, operations, types};
use crate::lineage::{Lineage, ReadError, ReadErrorKind, RelationType};
use crate::retry::Attempts;
use crate::transport::{BodyMode, Response};
use crate::wire::{RelationTypes, relation_types, snippet};
use crate::{ByteStream, Error, ErrorKind, JobId, Result, Vendor};

/// A request for an export of a job, from the `export_…` methods of [`Job`], from those that download a file, and from
/// those that query the job.
///
/// Set options, then read the export [as bytes](Export::bytes), [as a stream](Export::stream) or
/// [to a file](Export::to_file), or a JSON export [as a lineage](Export::lineage). To await the request itself, or to
/// `send()` it, returns a [`Lineage`] for the full export as JSON, a [`DrawnLineage`] for the drawn one, and bytes for
/// the others. The id of the job is always sent. Options that are not set are not sent, so that the defaults of the
/// server apply.
///
/// A lineage that is read knows the relation types that were requested, and those that were not:
/// [`Lineage::coverage`].
///
/// ```no_run
/// # async fn example(job: sqlflow_client::Job) -> sqlflow_client::Result<()> {
/// use sqlflow_client::lineage::RelationType;
///
/// // Read the full lineage as data.
/// let lineage = job
///     .export_full_lineage_as_json()
///     .relation_types([RelationType::Fdd, RelationType::Fdr])
///     .send()
///     .await?;
/// println!("{} relationships", lineage.relationships().len());
///
/// // Write it to disk in constant memory.
/// let export = job.export_full_lineage_as_csv().delimiter(";");
/// let length = export.to_file("lineage.csv").await?;
/// println!("{length} bytes");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "an export is requested when it is awaited"]
pub struct Export<F> {
    job: Job,
    form: F,
    on_progress: Option<ProgressCallback>,
}

/// An export of the lineage as drawn in the web interface of SQLFlow.
///
/// Servers cut it to a summary if it has more than 1,000 relationships (by default). Its result says so: it is a
/// [`DrawnLineage`].
pub type ExportLineageAsJson = Export<types::ExportLineageAsJsonRequest>;
/// An export of the full lineage as JSON. It is never cut to a summary.
pub type ExportFullLineageAsJson = Export<types::ExportFullLineageAsJsonRequest>;
/// An export of the full lineage as CSV.
pub type ExportFullLineageAsCsv = Export<types::ExportFullLineageAsCsvRequest>;
/// An export of the lineage as drawn, as GraphML for the editor yEd.
pub type ExportLineageAsGraphml = Export<types::ExportLineageAsGraphmlRequest>;

/// A request body for an export. This trait is sealed.
pub trait ExportForm: sealed::ExportRequest {}

impl<F: sealed::ExportRequest> ExportForm for F {}

mod sealed {
    use super::{ExportSyntax, JobId, Operation, Result, Serialize};

    pub trait ExportRequest: Serialize + Clone + Send + Sync + 'static {
        const OPERATION: &'static Operation;
        const SYNTAX: ExportSyntax;
        fn set_job(&mut self, id: JobId);

        /// Checks the options before anything is sent.
        ///
        /// # Errors
        /// `InvalidInput`, which names the option.
        fn check(&self) -> Result<()> {
            Ok(())
        }
    }
}

pub(super) use self::sealed::ExportRequest;

/// The syntax of an exported file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportSyntax {
    Json,
    Csv,
    Xml,
    /// A PNG image, or one of another format.
    Image,
    /// A file of any syntax.
    Unknown,
}

impl fmt::Display for ExportSyntax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Json => "JSON",
            Self::Csv => "CSV",
            Self::Xml => "XML",
            Self::Image => "an image",
            Self::Unknown => "a file",
        })
    }
}

/// Makes request bodies those of exports. A form with a selection has a function that checks it.
macro_rules! export_forms {
    ($($form:ident: $operation:ident, $syntax:ident $(, $check:expr)?;)+) => {
        $(impl $crate::job::export::ExportRequest for types::$form {
            const OPERATION: &'static $crate::api::Operation = &$crate::api::operations::$operation;
            const SYNTAX: $crate::job::export::ExportSyntax = $crate::job::export::ExportSyntax::$syntax;

            fn set_job(&mut self, id: $crate::JobId) {
                self.job_id = Some(id);
            }

            $(fn check(&self) -> Result<()> {
                ($check)(self)
            })?
        })+
    };
}
pub(super) use export_forms;

/// A request body for an export that is read as a lineage.
pub(super) trait LineageRequest: sealed::ExportRequest {
    /// Returns the relation types that are requested, or `None` for the default of the server.
    fn relation_types(&self) -> Option<&[RelationType]>;
    fn set_relation_types(&mut self, types: Option<RelationTypes>);
}

macro_rules! lineage_forms {
    ($($form:ident)+) => {
        $(impl $crate::job::export::LineageRequest for types::$form {
            fn relation_types(&self) -> Option<&[$crate::lineage::RelationType]> {
                self.show_relation_type.as_ref().map($crate::wire::RelationTypes::items)
            }

            fn set_relation_types(&mut self, types: Option<$crate::wire::RelationTypes>) {
                self.show_relation_type = types;
            }
        })+
    };
}

pub(super) use lineage_forms;

lineage_forms! { ExportLineageAsJsonRequest ExportFullLineageAsJsonRequest }

export_forms! {
    ExportLineageAsJsonRequest: EXPORT_LINEAGE_AS_JSON, Json, |form: &Self| {
        let (table, column) = (form.table.as_deref(), form.column.as_deref());
        check_selection(form.database.as_deref(), form.schema.as_deref(), table, column)
    };
    ExportFullLineageAsJsonRequest: EXPORT_FULL_LINEAGE_AS_JSON, Json;
    ExportFullLineageAsCsvRequest: EXPORT_FULL_LINEAGE_AS_CSV, Csv;
    ExportLineageAsGraphmlRequest: EXPORT_LINEAGE_AS_GRAPHML, Xml, |form: &Self| {
        let (table, column) = (form.table.as_deref(), form.column.as_deref());
        check_selection(form.database.as_deref(), form.schema.as_deref(), table, column)
    };
}

/// Checks that a selection names something.
///
/// # Errors
/// `InvalidInput`, which names the option.
fn check_selection(
    database: Option<&str>,
    schema: Option<&str>,
    table: Option<&str>,
    column: Option<&str>,
) -> Result<()> {
    for (option, name) in [("database", database), ("schema", schema), ("table", table), ("column", column)] {
        check_name(option, name)?;
    }
    match (table, column) {
        (None, Some(column)) => Err(Error::invalid(format!(
            "the column {column:?} is selected without its table: set the option `table` too"
        ))),
        _ => Ok(()),
    }
}

/// Checks that the value of an option is not empty, which servers would take for an option that is not set.
///
/// # Errors
/// `InvalidInput`, which names the option.
pub(super) fn check_name(option: &str, value: Option<&str>) -> Result<()> {
    if value.is_some_and(|value| value.trim().is_empty()) {
        return Err(Error::invalid(format!("the option `{option}` is empty: give a name, or leave the option out")));
    }
    Ok(())
}

impl<F: ExportForm> Export<F> {
    pub(super) fn new(job: Job, form: F) -> Self {
        Self { job, form, on_progress: None }
    }

    /// Changes the request.
    pub(super) fn with(mut self, change: impl FnOnce(&mut F)) -> Self {
        change(&mut self.form);
        self
    }

    /// Returns the same export with another request.
    pub(super) fn into_form<G: ExportForm>(self, form: impl FnOnce(F) -> G) -> Export<G> {
        Export { job: self.job, form: form(self.form), on_progress: self.on_progress }
    }

    pub(super) fn job(&self) -> &Job {
        &self.job
    }

    pub(super) fn form(&self) -> &F {
        &self.form
    }

    /// Returns the request with the id of the job.
    ///
    /// # Errors
    /// `InvalidInput` for an empty job id and for options that cannot be.
    pub(super) fn checked_form(&self) -> Result<F> {
        let mut form = self.form.clone();
        form.set_job(self.job.id().checked().map_err(self.context())?);
        form.check().map_err(self.context())?;
        Ok(form)
    }

    /// Sets a function that [`bytes`](Export::bytes) and [`to_file`](Export::to_file) call with the progress of the
    /// download, each time a chunk arrives.
    ///
    /// ```no_run
    /// # async fn example(job: sqlflow_client::Job) -> sqlflow_client::Result<()> {
    /// let export = job.export_full_lineage_as_csv();
    /// export.on_progress(|progress| eprint!("\r{progress}")).to_file("lineage.csv").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_progress(mut self, callback: impl Fn(&Progress) + Send + Sync + 'static) -> Self {
        self.on_progress = Some(Arc::new(callback));
        self
    }

    /// Reads the export into memory, up to the [response limit](crate::ClientBuilder::max_response_bytes) of the
    /// client.
    ///
    /// A download that breaks off, stalls, or ends in the middle of its JSON or XML is retried from the start, within
    /// the [retry policy](crate::retry::RetryPolicy) of the client.
    ///
    /// # Errors
    /// [`JobNotFound`](ErrorKind::JobNotFound) if the server does not know the job; otherwise the errors of every API
    /// call. A failure that the server sends instead of the file is also reported as one of these errors.
    pub async fn bytes(self) -> Result<Bytes> {
        let mut attempts = self.attempts();
        loop {
            let download = self.download(&mut attempts).await?;
            if let Some(bytes) = self.unless_retried(download.bytes().await, &mut attempts).await? {
                return Ok(bytes);
            }
        }
    }

    /// Requests the export and returns its body as a stream of chunks.
    ///
    /// The request is retried within the retry policy of the client. If the body breaks off later, the stream yields an
    /// error, and it is up to the caller to export again.
    ///
    /// ```no_run
    /// # async fn example(job: sqlflow_client::Job) -> sqlflow_client::Result<()> {
    /// let mut body = job.export_full_lineage_as_csv().stream().await?;
    /// while let Some(chunk) = body.try_next().await? {
    ///     println!("{} bytes", chunk.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The errors of [`bytes`](Export::bytes). The stream yields them too.
    pub async fn stream(self) -> Result<ByteStream> {
        let mut attempts = self.attempts();
        let response = self.request(&mut attempts).await?;
        attempts.succeeded();
        Ok(response.body)
    }

    /// Writes the export to a file, and returns its length in bytes.
    ///
    /// The file appears when it is complete, or not at all: it is written to a temporary file in the same directory,
    /// synced, and then renamed. An existing file is replaced and its permissions are kept.
    ///
    /// There is no total timeout. A download that is silent for the
    /// [stall timeout](crate::ClientBuilder::stall_timeout), breaks off, or ends in the middle of its JSON or XML is
    /// retried from the start, within the [retry policy](crate::retry::RetryPolicy) of the client. A CSV file may end
    /// after any row and contain any text, so that the client cannot detect one that a proxy truncated or garbled and
    /// passed on as complete. If the process is killed, the temporary file (`.NAME.….part`) may be left behind, but
    /// never an incomplete file of the final name.
    ///
    /// # Errors
    /// [`Io`](ErrorKind::Io) if the file cannot be written, and [`InvalidInput`](ErrorKind::InvalidInput) if the path
    /// exists and is not a file; both name the path and, where possible, come before anything is sent. Otherwise the
    /// errors of [`bytes`](Export::bytes). After an error no file is left behind.
    pub async fn to_file(self, path: impl AsRef<Path>) -> Result<u64> {
        let mut file = PartialFile::next_to(path.as_ref()).await?;
        let mut attempts = self.attempts();
        loop {
            let download = self.download(&mut attempts).await?;
            if let Some(length) = self.unless_retried(file.write(download).await, &mut attempts).await? {
                file.persist().await.map_err(self.context())?;
                return Ok(length);
            }
        }
    }

    fn attempts(&self) -> Attempts {
        self.job.service().transport().attempts()
    }

    async fn download(&self, attempts: &mut Attempts) -> Result<Download<'_>> {
        let response = self.request(attempts).await?;
        Ok(Download::new(response, F::SYNTAX, attempts.number(), self.on_progress.as_ref()))
    }

    /// Returns what was read of a response, or `None` if reading failed and the export is to be requested again.
    async fn unless_retried<T>(&self, read: Result<T>, attempts: &mut Attempts) -> Result<Option<T>> {
        match read {
            Ok(read) => {
                attempts.succeeded();
                Ok(Some(read))
            }
            Err(error) => {
                attempts.after(error, F::OPERATION).await.map_err(self.context())?;
                Ok(None)
            }
        }
    }

    async fn request(&self, attempts: &mut Attempts) -> Result<Response> {
        let form = self.checked_form()?;
        loop {
            let transport = self.job.service().transport();
            let response = transport.send_form(F::OPERATION, &form, BodyMode::Stream, attempts).await;
            match check_beginning(response.map_err(self.context())?, F::SYNTAX).await {
                Ok(response) => return Ok(response),
                Err(error) => attempts.after(error, F::OPERATION).await.map_err(self.context())?,
            }
        }
    }

    /// Returns a function that adds the operation and the job to an error.
    pub(super) fn context(&self) -> impl FnOnce(Error) -> Error + use<F> {
        let id = self.job.id().clone();
        move |error| super::with_job(&id, error.in_operation(F::OPERATION.id))
    }
}

#[allow(private_bounds, reason = "the types of JSON exports are public")]
impl<F: LineageRequest> Export<F> {
    /// Sets the relation types, or none for the default of the server.
    pub(super) fn relation_type_list(mut self, types: Option<RelationTypes>) -> Self {
        self.form.set_relation_types(types);
        self
    }

    /// Reads the lineage in the response, whole or not.
    pub(super) async fn read_drawn(self) -> Result<DrawnLineage> {
        let requested = self.form.relation_types().map_or_else(|| relation_types(None), <[_]>::to_vec);
        let mut attempts = self.attempts();
        loop {
            let response = self.request(&mut attempts).await?;
            let read = read_lineage(response, Some(&requested)).await;
            if let Some(lineage) = self.unless_retried(read, &mut attempts).await? {
                return Ok(DrawnLineage::new(lineage));
            }
        }
    }
}

impl Export<types::ExportLineageAsJsonRequest> {
    /// Sends the request and reads the lineage as the server drew it. This is the same as to await the export.
    ///
    /// The lineage is parsed while it arrives, so that the JSON is never completely in memory.
    ///
    /// # Errors
    /// [`Protocol`](ErrorKind::Protocol) if the response is not a lineage; otherwise the errors of
    /// [`bytes`](Export::bytes).
    pub async fn send(self) -> Result<DrawnLineage> {
        self.read_drawn().await
    }

    /// Reads the export as a whole lineage.
    ///
    /// # Errors
    /// [`IncompleteLineage`](ErrorKind::IncompleteLineage) if the server cut the lineage, as [`DrawnLineage`] explains;
    /// otherwise the errors of [`send`](Self::send).
    pub async fn lineage(self) -> Result<Lineage> {
        let context = self.context();
        self.read_drawn().await?.into_whole().map_err(context)
    }

    /// Reads the export as a whole lineage, for a server without the operation of the full export.
    pub(super) async fn lineage_in_place_of_the_full(self) -> Result<Lineage> {
        let context = self.context();
        let whole = self.read_drawn().await?.whole_or(|of_job, loss| {
            format!(
                "the server does not have the operation {}, and the drawn lineage{of_job} {loss}: upgrade the server, \
                 raise its relation_limit, or export one database, schema or table at a time with \
                 Job::export_lineage_as_json",
                operations::EXPORT_FULL_LINEAGE_AS_JSON.id
            )
        });
        whole.map_err(context)
    }

    /// Requests everything that questions about impact need, like [`Submit::for_impact`](super::Submit::for_impact).
    ///
    /// It sets the [relation types](Self::relation_types) to all [dependencies](RelationType::DEPENDENCIES) and turns
    /// off every option that simplifies the lineage: [`table_to_table`](Self::table_to_table),
    /// [`simple_output`](Self::simple_output), [`ignore_record_set`](Self::ignore_record_set),
    /// [`ignore_function`](Self::ignore_function) and [`show_link_only`](Self::show_link_only). A later call of one of
    /// these methods changes that setting again. A selection, such as [`table`](Self::table), is kept.
    pub fn for_impact(self) -> Self {
        self.relation_types(RelationType::DEPENDENCIES)
            .table_to_table(false)
            .simple_output(false)
            .ignore_record_set(false)
            .ignore_function(false)
            .show_link_only(false)
    }
}

impl Export<types::ExportFullLineageAsJsonRequest> {
    /// Sends the request and reads the lineage. This is the same as to await the export.
    ///
    /// # Errors
    /// The errors of [`lineage`](Self::lineage).
    pub async fn send(self) -> Result<Lineage> {
        self.lineage().await
    }

    /// Reads the export as a lineage. It is parsed while it arrives, so that the JSON is never completely in memory.
    ///
    /// # Errors
    /// [`Protocol`](ErrorKind::Protocol) if the response is not a lineage;
    /// [`IncompleteLineage`](ErrorKind::IncompleteLineage) if it says that it is a summary or lost record sets, which
    /// servers are not known to do for this export; otherwise the errors of [`bytes`](Export::bytes).
    pub async fn lineage(self) -> Result<Lineage> {
        let context = self.context();
        let whole = self.read_drawn().await?.whole_or(|of_job, loss| {
            format!(
                "the full lineage{of_job} {loss}: raise relation_limit on the server, or export one database, schema or \
                 table at a time with Job::export_lineage_as_json"
            )
        });
        whole.map_err(context)
    }

    /// Requests everything that questions about impact need, like [`Submit::for_impact`](super::Submit::for_impact):
    /// sets the [relation types](Self::relation_types) to all [dependencies](RelationType::DEPENDENCIES). The options
    /// that simplify the lineage are off unless they are set, so that no documented option has to be sent for that.
    pub fn for_impact(self) -> Self {
        self.relation_types(RelationType::DEPENDENCIES)
    }
}

impl Export<types::ExportFullLineageAsCsvRequest> {
    /// Sets the delimiter between two values. Server default: a comma.
    pub fn delimiter(mut self, delimiter: impl Into<String>) -> Self {
        self.form.delimiter = Some(delimiter.into());
        self
    }
}

/// The options of both exports of the full lineage, JSON and CSV.
///
/// Apart from the relation types of JSON and `tableToTable` of CSV, the vendor's file does not have them.
macro_rules! full_options {
    ($form:ident) => {
        impl Export<types::$form> {
            /// Sets the types of relationships to export. Server default: `fdd` only.
            ///
            /// For CSV, the option was seen in the vendor's web client and is not documented.
            pub fn relation_types(mut self, relation_types: impl IntoIterator<Item = RelationType>) -> Self {
                self.form.show_relation_type = Some(relation_types.into_iter().collect());
                self
            }

            /// Sets whether only relationships between tables are exported. Server default: `false`.
            ///
            /// For JSON, the option was seen in the vendor's documentation and web client, and not in its description
            /// of the API.
            pub fn table_to_table(mut self, only: bool) -> Self {
                self.form.table_to_table = Some(only);
                self
            }

            /// Sets the dialect. Seen in the vendor's web client, and not documented.
            pub fn vendor(mut self, vendor: Vendor) -> Self {
                self.form.dbvendor = Some(vendor);
                self
            }

            /// Sets the session of an earlier response, to export its result again. Seen in the vendor's web client,
            /// and not documented.
            pub fn session_id(mut self, id: impl Into<String>) -> Self {
                self.form.session_id = Some(id.into());
                self
            }

            /// Sets whether intermediate record sets are left out. Server default: `false`. Seen in the vendor's web
            /// client, and not documented.
            pub fn ignore_record_set(mut self, ignore: bool) -> Self {
                self.form.ignore_record_set = Some(ignore);
                self
            }

            /// Sets whether function calls are left out. Server default: `false`. Seen in the vendor's web client, and
            /// not documented.
            pub fn ignore_function(mut self, ignore: bool) -> Self {
                self.form.ignore_function = Some(ignore);
                self
            }

            /// Sets whether intermediate results are left out. Server default: `false`. Seen in the vendor's web
            /// client, and not documented.
            pub fn simple_output(mut self, simple: bool) -> Self {
                self.form.simple_output = Some(simple);
                self
            }

            /// Sets whether literals are shown as the columns of a constant table. Server default: `false`. Seen in the
            /// vendor's web client, and not documented.
            pub fn show_constant_table(mut self, show: bool) -> Self {
                self.form.show_constant_table = Some(show);
                self
            }

            /// Sets whether the arguments of `COUNT` count as direct sources. Server default: `false`. Seen in the
            /// vendor's web client, and not documented.
            pub fn treat_arguments_in_count_function_as_direct_dataflow(mut self, direct: bool) -> Self {
                self.form.treat_arguments_in_count_function_as_direct_dataflow = Some(direct);
                self
            }

            /// Limits the export to these tables (`export_include_table`). Seen in the vendor's web client, and not
            /// documented.
            pub fn include_table(mut self, tables: impl Into<String>) -> Self {
                self.form.export_include_table = Some(tables.into());
                self
            }

            /// Limits the export to these servers (`export_include_servers`). Seen in the vendor's web client, and not
            /// documented.
            pub fn include_servers(mut self, servers: impl Into<String>) -> Self {
                self.form.export_include_servers = Some(servers.into());
                self
            }
        }
    };
}

full_options!(ExportFullLineageAsJsonRequest);
full_options!(ExportFullLineageAsCsvRequest);

/// The options of both exports of the lineage as drawn, JSON and GraphML.
macro_rules! drawing_options {
    ($form:ident) => {
        impl Export<types::$form> {
            /// Limits the export to what involves this database.
            pub fn database(mut self, name: impl Into<String>) -> Self {
                self.form.database = Some(name.into());
                self
            }

            /// Limits the export to what involves this schema.
            pub fn schema(mut self, name: impl Into<String>) -> Self {
                self.form.schema = Some(name.into());
                self
            }

            /// Limits the export to what involves this table.
            pub fn table(mut self, name: impl Into<String>) -> Self {
                self.form.table = Some(name.into());
                self
            }

            /// Limits the export to what involves this column of the [`table`](Self::table). A column without a
            /// table is an error.
            pub fn column(mut self, name: impl Into<String>) -> Self {
                self.form.column = Some(name.into());
                self
            }

            /// Sets whether only relationships between tables are exported. Server default: `false`.
            pub fn table_to_table(mut self, only: bool) -> Self {
                self.form.table_to_table = Some(only);
                self
            }

            /// Sets the types of relationships to show. Server default: `fdd` only.
            pub fn relation_types(mut self, relation_types: impl IntoIterator<Item = RelationType>) -> Self {
                self.form.show_relation_type = Some(relation_types.into_iter().collect());
                self
            }

            /// Sets whether intermediate results are left out. Server default: `false`.
            pub fn simple_output(mut self, simple: bool) -> Self {
                self.form.simple_output = Some(simple);
                self
            }

            /// Sets whether intermediate record sets are left out. Server default: `false`.
            pub fn ignore_record_set(mut self, ignore: bool) -> Self {
                self.form.ignore_record_set = Some(ignore);
                self
            }

            /// Sets whether function calls are left out. Server default: `false`.
            pub fn ignore_function(mut self, ignore: bool) -> Self {
                self.form.ignore_function = Some(ignore);
                self
            }

            /// Sets whether literals are shown as the columns of a constant table. Server default: `false`.
            pub fn show_constant_table(mut self, show: bool) -> Self {
                self.form.show_constant_table = Some(show);
                self
            }

            /// Sets whether only columns that take part in a relationship are shown. Server default: `true`.
            pub fn show_link_only(mut self, only: bool) -> Self {
                self.form.show_link_only = Some(only);
                self
            }

            /// Sets whether the expressions that values pass through are shown. Server default: `false`.
            pub fn show_transform(mut self, show: bool) -> Self {
                self.form.show_transform = Some(show);
                self
            }

            /// Sets whether the arguments of `COUNT` count as direct sources. Server default: `false`.
            pub fn treat_arguments_in_count_function_as_direct_dataflow(mut self, direct: bool) -> Self {
                self.form.treat_arguments_in_count_function_as_direct_dataflow = Some(direct);
                self
            }
        }
    };
}

drawing_options!(ExportLineageAsJsonRequest);
drawing_options!(ExportLineageAsGraphmlRequest);

/// The output of an export that is awaited.
macro_rules! into_future {
    ($form:ty, $output:ty) => {
        impl ::std::future::IntoFuture for $crate::job::Export<$form> {
            type Output = $crate::Result<$output>;
            type IntoFuture = ::futures_util::future::BoxFuture<'static, Self::Output>;

            fn into_future(self) -> Self::IntoFuture {
                ::futures_util::FutureExt::boxed(self.send())
            }
        }
    };
}
pub(super) use into_future;

/// The methods of an export that is only read as bytes.
macro_rules! bytes_of {
    ($form:ty) => {
        impl $crate::job::Export<$form> {
            /// Sends the request and reads the file into memory, like [`bytes`](crate::job::Export::bytes).
            ///
            /// # Errors
            /// The errors of [`bytes`](crate::job::Export::bytes).
            pub async fn send(self) -> $crate::Result<::bytes::Bytes> {
                self.bytes().await
            }
        }

        $crate::job::export::into_future!($form, ::bytes::Bytes);
    };
}
pub(super) use bytes_of;

into_future!(types::ExportLineageAsJsonRequest, DrawnLineage);
into_future!(types::ExportFullLineageAsJsonRequest, Lineage);
bytes_of!(types::ExportFullLineageAsCsvRequest);
bytes_of!(types::ExportLineageAsGraphmlRequest);

impl<F: fmt::Debug> fmt::Debug for Export<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Export").field("job", &self.job).field("form", &self.form).finish_non_exhaustive()
    }
}

/// Returns the response if its beginning shows the expected syntax and no failure.
pub(crate) async fn check_beginning(response: Response, syntax: ExportSyntax) -> Result<Response> {
    let mut response = response.without_failure().await?;
    let protocol = |text: &str| Error::new(ErrorKind::Protocol, text);
    if let Some(head) = response.head.as_ref().filter(|head| !head.has_data) {
        return Err(protocol("the response is an envelope without data, but a file was expected").with_code(head.code));
    }
    let beginning = response.body.beginning().await;
    let expected: &[char] = match syntax {
        ExportSyntax::Json => &['{', '['],
        ExportSyntax::Csv | ExportSyntax::Unknown => &[],
        // The first byte of PNG and JPEG is no text; GIF begins with its name.
        ExportSyntax::Image => &['\u{fffd}', 'g'],
        ExportSyntax::Xml => &['<'],
    };
    if beginning.is_empty() || expected.is_empty() || beginning.starts_with(expected) {
        return Ok(response);
    }
    let shown = snippet(&response.secrets.redact(&beginning));
    Err(protocol(&format!("the response is not {syntax}, although the export is: {shown}")))
}

/// Reads a lineage while its JSON arrives. `requested` are the relation types that were requested, or `None` if the
/// operation takes none.
pub(crate) async fn read_lineage(response: Response, requested: Option<&[RelationType]>) -> Result<Lineage> {
    let (limit, secrets) = (response.limit(), response.secrets.clone());
    let mut failure = None;
    let body = response.body.map_err(|error| {
        // Kept for later, because it says more than the error of the parser that lacks input.
        failure = Some(error);
        "the response was cut off"
    });
    let mut reader = Lineage::reader().max_bytes(limit);
    if let Some(requested) = requested {
        reader = reader.requested_types(requested.iter().cloned());
    }
    let read = reader.read_stream(body).await;
    match failure {
        Some(error) => Err(error),
        None => read.map_err(|error| secrets.redact_error(unreadable(error))),
    }
}

fn unreadable(error: ReadError) -> Error {
    if error.kind() == ReadErrorKind::TooLarge {
        let text = "the lineage is over the response limit: raise max_response_bytes in the client builder";
        return Error::new(ErrorKind::TooLarge, text).caused_by(error);
    }
    error.into()
}
