//! Exports of a job: as a lineage, as bytes, as a stream, or to a file.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

use super::Job;
use super::download::{self, DownloadRequest, Progress, ProgressCallback};
use super::drawn::DrawnLineage;
use super::options::options;
use crate::api::{Operation, operations, types};
use crate::lineage::{Lineage, RelationType};
use crate::retry::Attempts;
use crate::transport::{BodyMode, Response, Transport};
use crate::wire::{RelationTypes, check_lists};
use crate::{ByteStream, Error, JobId, Result};

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
    /// A Parquet file.
    Parquet,
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
            Self::Parquet => "a Parquet file",
            Self::Unknown => "a file",
        })
    }
}

/// Makes request bodies those of exports. What is checked before anything is sent is a `selection` (database, schema,
/// table, column) or the `target` of a query (pattern of tables, column).
macro_rules! export_forms {
    (@check selection $form:ident) => {{
        let (table, column) = ($form.table.as_deref(), $form.column.as_deref());
        $crate::job::export::check_selection($form.database.as_deref(), $form.schema.as_deref(), table, column)
    }};
    (@check target $form:ident) => {
        $crate::job::queries::check_target($form.table_name_pattern.as_deref(), $form.table_column.as_deref())
    };
    ($($form:ident: $operation:ident, $syntax:ident $(, $check:ident)?;)+) => {
        $(impl $crate::job::export::ExportRequest for types::$form {
            const OPERATION: &'static $crate::api::Operation = &$crate::api::operations::$operation;
            const SYNTAX: $crate::job::export::ExportSyntax = $crate::job::export::ExportSyntax::$syntax;

            fn set_job(&mut self, id: $crate::JobId) {
                self.job_id = Some(id);
            }

            $(fn check(&self) -> $crate::Result<()> {
                let form = self;
                $crate::job::export::export_forms!(@check $check form)
            })?
        })+
    };
}
pub(super) use export_forms;

/// A request body for an export that is read as a lineage.
pub(super) trait LineageRequest: sealed::ExportRequest {
    /// Sets the relation types, or none for the default of the server.
    fn set_relation_types(&mut self, types: Option<RelationTypes>);
}

macro_rules! lineage_forms {
    ($($form:ident)+) => {
        $(impl $crate::job::export::LineageRequest for types::$form {
            fn set_relation_types(&mut self, types: Option<$crate::wire::RelationTypes>) {
                self.show_relation_type = types;
            }
        })+
    };
}

pub(super) use lineage_forms;

lineage_forms! { ExportLineageAsJsonRequest ExportFullLineageAsJsonRequest }

export_forms! {
    ExportLineageAsJsonRequest: EXPORT_LINEAGE_AS_JSON, Json, selection;
    ExportFullLineageAsJsonRequest: EXPORT_FULL_LINEAGE_AS_JSON, Json;
    ExportFullLineageAsCsvRequest: EXPORT_FULL_LINEAGE_AS_CSV, Csv;
    ExportLineageAsGraphmlRequest: EXPORT_LINEAGE_AS_GRAPHML, Xml, selection;
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
    /// `InvalidInput` for an empty job id and for a selection that is impossible.
    pub(super) fn checked_form(&self) -> Result<F> {
        let mut form = self.form.clone();
        form.set_job(self.job.id().checked().map_err(self.context())?);
        form.check().and_then(|()| check_lists(&form)).map_err(self.context())?;
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
    /// [`JobNotFound`](crate::ErrorKind::JobNotFound) if the server does not know the job; otherwise the
    /// [errors of every API call](crate::guide::errors). A failure that the server sends instead of the file is also
    /// reported as one of these errors.
    pub async fn bytes(self) -> Result<Bytes> {
        download::bytes(&self).await
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
        download::stream(&self).await
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
    /// A failure in the place of the file is an error, and no file, however large it is and however it begins: an
    /// envelope whose code comes after megabytes of text or data, an HTML page after blanks, comments, a declaration or
    /// a line of text. CSV without a length that ends with its TLS connection is complete only if the server ended that
    /// connection properly; the TLS library of the platform does not report that, so that with it such a file is always
    /// [`Interrupted`](crate::ErrorKind::Interrupted).
    ///
    /// The next bytes are received while the last ones are written. A few megabytes are in memory at a time.
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io) if the file cannot be written, and [`InvalidInput`](crate::ErrorKind::InvalidInput) if the path
    /// exists and is not a file; both name the path and, where possible, come before anything is sent. Otherwise the
    /// errors of [`bytes`](Export::bytes). After an error no file is left behind.
    pub async fn to_file(self, path: impl AsRef<Path>) -> Result<u64> {
        download::to_file(&self, path.as_ref()).await
    }

    /// Returns a function that adds the operation and the job to an error.
    pub(super) fn context(&self) -> impl FnOnce(Error) -> Error + use<F> {
        let id = self.job.id().clone();
        move |error| super::with_job(&id, error.in_operation(F::OPERATION.id))
    }
}

impl<F: ExportForm> DownloadRequest for Export<F> {
    const OPERATION: &'static Operation = F::OPERATION;
    const SYNTAX: ExportSyntax = F::SYNTAX;

    fn transport(&self) -> &Transport {
        self.job.service().transport()
    }

    fn on_progress(&self) -> Option<&ProgressCallback> {
        self.on_progress.as_ref()
    }

    async fn send(&self, attempts: &mut Attempts) -> Result<Box<Response>> {
        let form = self.checked_form()?;
        let sent = self.transport().send_form(F::OPERATION, &form, BodyMode::Stream, attempts).await;
        sent.map_err(self.context())
    }

    fn in_context(&self, error: Error) -> Error {
        self.context()(error)
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
        download::drawn_lineage(&self).await
    }
}

impl Export<types::ExportLineageAsJsonRequest> {
    /// Sends the request and reads the lineage as the server drew it. This is the same as to await the export.
    ///
    /// The lineage is parsed while it arrives, so that the JSON is never completely in memory.
    ///
    /// # Errors
    /// [`Protocol`](crate::ErrorKind::Protocol) if the response is not a lineage; otherwise the errors of
    /// [`bytes`](Export::bytes).
    pub async fn send(self) -> Result<DrawnLineage> {
        self.read_drawn().await
    }

    /// Reads the export as a whole lineage.
    ///
    /// # Errors
    /// [`IncompleteLineage`](crate::ErrorKind::IncompleteLineage) if the server cut the lineage, as [`DrawnLineage`] explains;
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
    /// [`Protocol`](crate::ErrorKind::Protocol) if the response is not a lineage;
    /// [`IncompleteLineage`](crate::ErrorKind::IncompleteLineage) if it says that it is a summary or lost record sets, which
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

// Apart from the relation types of JSON and `tableToTable` of CSV, the vendor's file does not have the options of the
// full exports.
options! {
    Export<types::ExportFullLineageAsJsonRequest>:
        relation_types;
        seen table_to_table vendor session_id simple_output ignore_record_set ignore_function show_constant_table
        treat_arguments_in_count_function_as_direct_dataflow export_include_table export_include_servers;
    Export<types::ExportFullLineageAsCsvRequest>:
        delimiter table_to_table;
        seen relation_types vendor session_id simple_output ignore_record_set ignore_function show_constant_table
        treat_arguments_in_count_function_as_direct_dataflow export_include_table export_include_servers;
    Export<types::ExportLineageAsJsonRequest>:
        database schema table column table_to_table relation_types simple_output ignore_record_set ignore_function
        show_constant_table show_link_only show_transform treat_arguments_in_count_function_as_direct_dataflow;
        seen;
    Export<types::ExportLineageAsGraphmlRequest>:
        database schema table column table_to_table relation_types simple_output ignore_record_set ignore_function
        show_constant_table show_link_only show_transform treat_arguments_in_count_function_as_direct_dataflow;
        seen;
}

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
