//! The builder of an analysis without a job: its source, its results, and how they are read.

use std::fmt;
use std::future::IntoFuture;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::form::sealed::AnalysisRequest;
use super::form::{AnalysisForm, LineageForm, convert, fields, without_options};
use super::source::{SqlSource, SqlSources, open, read};
use crate::api::{File, Operation, operations, types};
use crate::job::download::{self, DownloadRequest, PartialFile, ProgressCallback};
use crate::job::{DrawnLineage, ExportSyntax, Progress};
use crate::lineage::Lineage;
use crate::retry::Attempts;
use crate::transport::{BodyMode, Response, Transport};
use crate::wire::{check_lists, relation_types};
use crate::{ByteStream, Error, Result, Vendor};

/// An analysis of SQL without a job, from [`Client::analyze`](crate::Client::analyze).
///
/// Give it [SQL](Self::sql) or [one file](Self::path), set options, and await it, or call `send()`. Awaiting an
/// [`Analyze`] returns the [`Lineage`]. Methods such as [`csv`](Self::csv) choose another result, which has the options
/// of its own operation; options that were set before are kept. Options that are not set are not sent, so that the
/// defaults of the server apply.
///
/// SQL that cannot be read is no `Err` where the result is a [`Lineage`]: its [errors](Lineage::errors) say what could
/// not be analyzed. Results that are files have no place for errors, so servers may refuse the request.
///
/// On an [anonymous](crate::Client::anonymous) client, an [`Analyze`] uses the operation `anonymousLineage`, which takes
/// SQL and [relation types](Analyze::relation_types), and no other options. All other results need an account.
///
/// ```no_run
/// # async fn example(sqlflow: sqlflow_client::Client) -> sqlflow_client::Result<()> {
/// use sqlflow_client::Vendor;
///
/// let analysis = sqlflow
///     .analyze(Vendor::Snowflake)
///     .sql("insert into report select sum(total) from orders");
/// for flow in analysis.clone().await?.column_flows() {
///     println!("{flow}");
/// }
/// analysis.csv().delimiter(";").to_file("lineage.csv").await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`InvalidInput`](crate::ErrorKind::InvalidInput), before anything is sent, if there is no source or more than one,
/// if the source is empty or a directory, if an option was set to an empty list, or if one was set that the operation
/// of the result does not have; [`Io`](crate::ErrorKind::Io) if the file cannot be read; otherwise the
/// [errors of every API call](crate::guide::errors).
#[derive(Clone)]
#[must_use = "an analysis is requested when it is awaited"]
pub struct Analysis<F> {
    transport: Transport,
    form: F,
    sources: SqlSources,
    /// The options that were set and that the operation does not have.
    lost: Vec<String>,
    on_progress: Option<ProgressCallback>,
}

/// An analysis that returns the whole lineage (operation `generateSqlflow`).
pub type Analyze = Analysis<types::GenerateSqlflowRequest>;
/// An analysis that returns the lineage as drawn (operation `generateSqlflowGraph`).
pub type AnalyzeGraph = Analysis<types::GenerateSqlflowGraphRequest>;
/// An analysis that returns a picture of the lineage (operation `generateSqlflowGraphImage`).
pub type AnalyzeGraphImage = Analysis<types::GenerateSqlflowGraphImageRequest>;
/// An analysis that returns the full lineage (operation `generateFullLineageAsJson`).
pub type AnalyzeFullLineage = Analysis<types::GenerateFullLineageAsJsonRequest>;
/// An analysis that returns the full lineage as CSV (operation `generateFullLineageAsCsv`).
pub type AnalyzeCsv = Analysis<types::GenerateFullLineageAsCsvRequest>;
/// An analysis that returns the lineage between tables (operation `generateSqlflowTableLevelLineageGraph`).
pub type AnalyzeTableLevel = Analysis<types::GenerateSqlflowTableLevelLineageGraphRequest>;
/// An analysis that returns the calls between procedures and functions (operation `generateCallLineageGraph`).
pub type AnalyzeCallLineage = Analysis<types::GenerateCallLineageGraphRequest>;
/// An analysis that returns an entity-relationship diagram (operation `generateErDiagramGraph`).
pub type AnalyzeErDiagram = Analysis<types::GenerateErDiagramGraphRequest>;
/// An analysis that returns a picture of an entity-relationship diagram (operation `generateErDiagramGraphImage`).
pub type AnalyzeErDiagramImage = Analysis<types::GenerateErDiagramGraphImageRequest>;
/// An analysis that returns metadata with lineage as a file (operation `downloadMetadataLineage`).
pub type AnalyzeMetadataLineage = Analysis<types::DownloadMetadataLineageRequest>;

impl Analyze {
    pub(crate) fn new(transport: Transport, vendor: Vendor) -> Self {
        let form = types::GenerateSqlflowRequest::new(vendor);
        Self { transport, form, sources: SqlSources::default(), lost: Vec::new(), on_progress: None }
    }

    /// Chooses the lineage as drawn in the web interface of SQLFlow, which servers cut to a summary if it has many
    /// relationships: a [`DrawnLineage`] says so.
    pub fn graph(self) -> AnalyzeGraph {
        self.into_form()
    }

    /// Chooses a picture of the lineage, a PNG image.
    ///
    /// ```no_run
    /// # async fn example(sqlflow: sqlflow_client::Client) -> sqlflow_client::Result<()> {
    /// use sqlflow_client::Vendor;
    ///
    /// let analysis = sqlflow.analyze(Vendor::Oracle).path("etl.sql");
    /// analysis.image().hide_column(true).to_file("etl.png").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn image(self) -> AnalyzeGraphImage {
        self.into_form()
    }

    /// Chooses the full lineage of the newer operation `generateFullLineageAsJson`, which has other options. Not every
    /// server has it.
    pub fn full_lineage(self) -> AnalyzeFullLineage {
        self.into_form()
    }

    /// Chooses the full lineage as CSV.
    pub fn csv(self) -> AnalyzeCsv {
        self.into_form()
    }

    /// Chooses GraphML for the editor yEd.
    ///
    /// The API has no direct operation for GraphML, so the client reads the lineage and writes the file itself.
    pub fn graphml(self) -> AnalyzeGraphml {
        AnalyzeGraphml { analyze: self }
    }

    /// Chooses the lineage between tables.
    ///
    /// ```no_run
    /// # async fn example(sqlflow: sqlflow_client::Client) -> sqlflow_client::Result<()> {
    /// use sqlflow_client::Vendor;
    ///
    /// let analysis = sqlflow.analyze(Vendor::Oracle).path("etl.sql").table_level();
    /// let lineage = analysis.ignore_self_lineage(false).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn table_level(self) -> AnalyzeTableLevel {
        self.into_form()
    }

    /// Chooses an entity-relationship diagram: the tables, and the keys between them.
    ///
    /// The keys are relationships of the type [`er`](crate::lineage::RelationType::Er). Diagrams show values that flow
    /// unless other types are chosen:
    ///
    /// ```no_run
    /// # async fn example(sqlflow: sqlflow_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use sqlflow_client::Vendor;
    /// use sqlflow_client::lineage::RelationType;
    ///
    /// let keys = sqlflow.analyze(Vendor::Oracle).path("schema.sql").er_diagram().await?;
    /// keys.diagram().over([RelationType::Er]).write_mermaid(std::io::stdout())?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn er_diagram(self) -> AnalyzeErDiagram {
        self.into_form()
    }

    /// Chooses the calls between procedures and functions: relationships of the type
    /// [`call`](crate::lineage::RelationType::Call).
    ///
    /// The operation was seen in the vendor's web client, and is not documented. It takes SQL as text only.
    pub fn call_lineage(self) -> AnalyzeCallLineage {
        self.into_form()
    }

    /// Chooses metadata with lineage, as a file in a format of the server.
    pub fn metadata_lineage(self) -> AnalyzeMetadataLineage {
        self.into_form()
    }
}

impl AnalyzeGraph {
    /// Chooses a picture of the graph, a PNG image.
    pub fn image(self) -> AnalyzeGraphImage {
        self.into_form()
    }

    /// Sends the request and reads the lineage as the server drew it. This is the same as to await the analysis.
    ///
    /// # Errors
    /// [`Protocol`](crate::ErrorKind::Protocol) if the response is not a lineage; otherwise the errors of
    /// [`Analysis`].
    pub async fn send(self) -> Result<DrawnLineage> {
        download::drawn_lineage(&self.prepared().await?).await
    }
}

impl AnalyzeErDiagram {
    /// Chooses a picture of the diagram, a PNG image.
    pub fn image(self) -> AnalyzeErDiagramImage {
        self.into_form()
    }
}

impl<F: AnalysisForm> Analysis<F> {
    /// Sets the SQL to analyze.
    pub fn sql(mut self, sql: impl Into<String>) -> Self {
        self.sources.add(SqlSource::Text(sql.into()));
        self
    }

    /// Sets the file to analyze. It is uploaded from disk, or read as UTF-8 for an operation that takes no files.
    ///
    /// A directory is an error; [submit it as a job](crate::Client::submit).
    pub fn path(mut self, path: impl Into<PathBuf>) -> Self {
        self.sources.add(SqlSource::Path(path.into()));
        self
    }

    /// Sets a function that [`bytes`](Self::bytes) and [`to_file`](Self::to_file) call with the progress of the
    /// download, each time a chunk arrives.
    pub fn on_progress(mut self, callback: impl Fn(&Progress) + Send + Sync + 'static) -> Self {
        self.on_progress = Some(Arc::new(callback));
        self
    }

    /// Reads the response into memory as the server sent it, up to the
    /// [response limit](crate::ClientBuilder::max_response_bytes) of the client.
    ///
    /// A download that breaks off, stalls, or ends in the middle of its JSON or PNG is retried from the start, within
    /// the [retry policy](crate::retry::RetryPolicy) of the client.
    ///
    /// # Errors
    /// The errors of [`Analysis`]. A failure that the server sends instead of the file is also reported as one of them.
    pub async fn bytes(self) -> Result<Bytes> {
        download::bytes(&self.prepared().await?).await
    }

    /// Sends the request and returns the body of the response as a stream of chunks.
    ///
    /// The request is retried within the retry policy of the client. If the body breaks off later, the stream yields an
    /// error, and it is up to the caller to analyze again.
    ///
    /// # Errors
    /// The errors of [`bytes`](Self::bytes). The stream yields them too.
    pub async fn stream(self) -> Result<ByteStream> {
        download::stream(&self.prepared().await?).await
    }

    /// Writes the response to a file, and returns its length in bytes.
    ///
    /// The file appears when it is complete, or not at all, as with [`Export::to_file`](crate::job::Export::to_file).
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io) if the file cannot be written, and
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) if the path exists and is not a file; otherwise the errors of
    /// [`bytes`](Self::bytes). After an error no file is left behind.
    pub async fn to_file(self, path: impl AsRef<Path>) -> Result<u64> {
        download::to_file(&self.prepared().await?, path.as_ref()).await
    }

    /// Changes the request.
    pub(super) fn with(mut self, change: impl FnOnce(&mut F)) -> Self {
        change(&mut self.form);
        self
    }

    /// Returns the analysis with another result.
    fn into_form<G: AnalysisForm>(self) -> Analysis<G> {
        let Self { transport, form, sources, mut lost, on_progress } = self;
        let (form, newly_lost) = convert(&form);
        lost.extend(newly_lost);
        Analysis { transport, form, sources, lost, on_progress }
    }

    /// Checks everything that can be checked before anything is sent.
    async fn prepared(self) -> Result<PreparedAnalysis<F>> {
        self.prepare().await.map_err(in_operation::<F>)
    }

    async fn prepare(self) -> Result<PreparedAnalysis<F>> {
        let Self { transport, mut form, sources, lost, on_progress } = self;
        if !lost.is_empty() {
            return Err(without_options(F::OPERATION, &lost));
        }
        check_lists(&form)?;
        let set = fields(&form);
        for (field, name) in [("jobId", "job id"), ("sessionId", "session id")] {
            if set.get(field).and_then(|id| id.as_str()).is_some_and(|id| id.trim().is_empty()) {
                return Err(Error::invalid(format!("the {name} is empty: give the one that the server returned")));
            }
        }
        let has_other = set.contains_key("jobId") || set.contains_key("sessionId");
        let limit = transport.limits().max_upload_bytes;
        let mut file = None;
        match sources.only(has_other)? {
            None => {}
            Some(SqlSource::Text(sql)) => form.set_sql(Some(sql)),
            Some(SqlSource::Path(path)) => {
                let opened = open(path.clone()).await?;
                if form.upload(opened.clone(), limit).is_some() {
                    file = Some(opened);
                } else {
                    form.set_sql(Some(read(path, F::OPERATION.id, limit).await?));
                }
            }
        }
        form.complete();
        Ok(PreparedAnalysis { transport, form, file, on_progress })
    }
}

impl<F: LineageForm> Analysis<F> {
    /// Reads the whole lineage. It is parsed while it arrives, so that the JSON is never completely in memory.
    ///
    /// ```no_run
    /// # async fn example(sqlflow: sqlflow_client::Client) -> sqlflow_client::Result<()> {
    /// use sqlflow_client::Vendor;
    ///
    /// let lineage = sqlflow.analyze(Vendor::Oracle).path("etl.sql").lineage().await?;
    /// println!("{} relationships", lineage.relationships().len());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`IncompleteLineage`](crate::ErrorKind::IncompleteLineage) if the server cut the lineage to a summary or left
    /// out record sets; [`QuotaExceeded`](crate::ErrorKind::QuotaExceeded) if an [anonymous](crate::Client::anonymous)
    /// client has no calls left for the day; [`Protocol`](crate::ErrorKind::Protocol) if the response is not a lineage;
    /// otherwise the errors of [`Analysis`].
    pub async fn lineage(mut self) -> Result<Lineage> {
        if self.transport.is_anonymous() && F::OPERATION == &operations::GENERATE_SQLFLOW {
            self.form.unset_defaults();
            return self.into_form::<types::AnonymousLineageRequest>().read_whole().await;
        }
        self.read_whole().await
    }

    async fn read_whole(self) -> Result<Lineage> {
        let drawn = download::drawn_lineage(&self.prepared().await?).await?;
        drawn.whole_or(|of_job, loss| format!("the lineage{of_job} {loss}: {}", F::ADVICE)).map_err(in_operation::<F>)
    }
}

/// A checked analysis that can be sent any number of times.
struct PreparedAnalysis<F> {
    transport: Transport,
    form: F,
    file: Option<File>,
    on_progress: Option<ProgressCallback>,
}

impl<F: AnalysisRequest> DownloadRequest for PreparedAnalysis<F> {
    const OPERATION: &'static Operation = F::OPERATION;
    const SYNTAX: ExportSyntax = F::SYNTAX;

    fn transport(&self) -> &Transport {
        &self.transport
    }

    fn on_progress(&self) -> Option<&ProgressCallback> {
        self.on_progress.as_ref()
    }

    async fn send(&self, attempts: &mut Attempts) -> Result<Box<Response>> {
        let limit = self.transport.limits().max_upload_bytes;
        let sent = match self.file.clone().and_then(|file| self.form.upload(file, limit)) {
            Some(payload) => {
                let payload = payload.await.map_err(in_operation::<F>)?;
                self.transport.send_in(F::OPERATION, payload, BodyMode::Stream, attempts).await
            }
            None if F::IS_JSON => self.transport.send_json(F::OPERATION, &self.form, BodyMode::Stream, attempts).await,
            None => self.transport.send_form(F::OPERATION, &self.form, BodyMode::Stream, attempts).await,
        };
        sent.map_err(in_operation::<F>)
    }

    fn in_context(&self, error: Error) -> Error {
        in_operation::<F>(error)
    }
}

/// Adds the operation to an error that does not name one.
fn in_operation<F: AnalysisRequest>(error: Error) -> Error {
    if error.operation().is_some() { error } else { error.in_operation(F::OPERATION.id) }
}

/// An analysis whose lineage the client writes as GraphML, from [`Analysis::graphml`].
///
/// Await it for the bytes, or write it [to a file](Self::to_file). The diagram shows the requested relation types, with
/// the intermediate results that the lineage has. To choose what it shows, read the lineage and use
/// [`Lineage::diagram`].
///
/// ```no_run
/// # async fn example(sqlflow: sqlflow_client::Client) -> sqlflow_client::Result<()> {
/// use sqlflow_client::Vendor;
///
/// let analysis = sqlflow.analyze(Vendor::Oracle).path("etl.sql");
/// analysis.graphml().to_file("etl.graphml").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "an analysis is requested when it is awaited"]
pub struct AnalyzeGraphml {
    analyze: Analyze,
}

impl AnalyzeGraphml {
    /// Sends the request and returns the GraphML. This is the same as to await the analysis.
    ///
    /// # Errors
    /// The errors of [`Analysis::lineage`].
    pub async fn send(self) -> Result<Bytes> {
        let requested = self.analyze.form.show_relation_type.clone();
        let relation_types = requested.map_or_else(|| relation_types(None), |types| types.into_iter().collect());
        let lineage = self.analyze.lineage().await?;
        let write = move || {
            let mut graphml = Vec::new();
            let written = lineage.diagram().over(relation_types).with_intermediates().write_graphml(&mut graphml);
            written.map(|()| graphml.into()).map_err(|error| Error::io("cannot write the GraphML", &error))
        };
        let written = tokio::task::spawn_blocking(write).await;
        written.map_err(|error| Error::io("cannot write the GraphML", &error.into()))?
    }

    /// Sends the request and returns the GraphML, like [`send`](Self::send).
    ///
    /// # Errors
    /// The errors of [`Analysis::lineage`].
    pub async fn bytes(self) -> Result<Bytes> {
        self.send().await
    }

    /// Writes the GraphML to a file, and returns its length in bytes. The file appears when it is complete, or not at
    /// all.
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io) if the file cannot be written, and
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) if the path exists and is not a file; otherwise the errors of
    /// [`Analysis::lineage`].
    pub async fn to_file(self, path: impl AsRef<Path>) -> Result<u64> {
        let mut file = PartialFile::next_to(path.as_ref()).await?;
        let length = file.write_bytes(&self.send().await?).await?;
        file.persist().await?;
        Ok(length)
    }
}

macro_rules! into_future {
    ($($request:ty => $output:ty;)+) => {
        $(impl IntoFuture for $request {
            type Output = Result<$output>;
            type IntoFuture = BoxFuture<'static, Self::Output>;

            fn into_future(self) -> Self::IntoFuture {
                self.send().boxed()
            }
        })+
    };
}

/// The results that are sent like `lineage`.
macro_rules! lineages {
    ($($request:ident)+) => {
        $(impl $request {
            /// Sends the request and reads the whole lineage. This is the same as to await the analysis.
            ///
            /// # Errors
            /// The errors of [`lineage`](Self::lineage).
            pub async fn send(self) -> Result<Lineage> {
                self.lineage().await
            }
        })+

        into_future! { $($request => Lineage;)+ }
    };
}

/// The results that are sent like `bytes`.
macro_rules! files {
    ($($request:ident)+) => {
        $(impl $request {
            /// Sends the request and reads the file into memory, like [`bytes`](Self::bytes).
            ///
            /// # Errors
            /// The errors of [`bytes`](Self::bytes).
            pub async fn send(self) -> Result<Bytes> {
                self.bytes().await
            }
        })+

        into_future! { $($request => Bytes;)+ }
    };
}

lineages! { Analyze AnalyzeFullLineage AnalyzeTableLevel AnalyzeCallLineage AnalyzeErDiagram }
files! { AnalyzeGraphImage AnalyzeCsv AnalyzeErDiagramImage AnalyzeMetadataLineage }
into_future! { AnalyzeGraph => DrawnLineage; AnalyzeGraphml => Bytes; }

impl<F: fmt::Debug> fmt::Debug for Analysis<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Analysis");
        debug.field("form", &self.form).field("sources", &self.sources).finish_non_exhaustive()
    }
}
