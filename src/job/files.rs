//! The files of a job that are not its lineage: metadata, the files of its batches, and Parquet.

use serde::Serialize;

use super::export::{Export, ExportRequest, ExportSyntax, bytes_of, check_name, export_forms};
use super::{Job, with_job};
use crate::api::{Operation, operations, types};
use crate::{JobId, Result};

/// A download of the file `metadata.json` of a job, from [`Job::export_metadata`].
pub type ExportMetadata = Export<MetadataQuery>;
/// A download of the database metadata that a job read, from [`Job::export_database_metadata`].
pub type ExportDatabaseMetadata = Export<types::ExportDatabaseMetadataRequest>;
/// A download of one file of a batch, from [`Job::sub_job_file`].
pub type SubJobFile = Export<SubJobFileQuery>;
/// A download of the Parquet file of a batch, from [`Job::parquet`].
pub type Parquet = Export<ParquetQuery>;

/// The query of `exportMetadata`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MetadataQuery {
    job_id: Option<JobId>,
}

/// The query of `downloadSubJobFile`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SubJobFileQuery {
    job_id: Option<JobId>,
    batch_id: String,
    file_name: String,
}

/// The query of `downloadParquet`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ParquetQuery {
    job_id: Option<JobId>,
    batch_id: String,
}

export_forms! {
    ExportDatabaseMetadataRequest: EXPORT_DATABASE_METADATA, Unknown;
}

impl ExportRequest for MetadataQuery {
    const OPERATION: &'static Operation = &operations::EXPORT_METADATA;
    const SYNTAX: ExportSyntax = ExportSyntax::Unknown;

    fn set_job(&mut self, id: JobId) {
        self.job_id = Some(id);
    }
}

impl ExportRequest for SubJobFileQuery {
    const OPERATION: &'static Operation = &operations::DOWNLOAD_SUB_JOB_FILE;
    const SYNTAX: ExportSyntax = ExportSyntax::Unknown;

    fn set_job(&mut self, id: JobId) {
        self.job_id = Some(id);
    }

    fn check(&self) -> Result<()> {
        check_name("batch_id", Some(&self.batch_id))?;
        check_name("file_name", Some(&self.file_name))
    }
}

impl ExportRequest for ParquetQuery {
    const OPERATION: &'static Operation = &operations::DOWNLOAD_PARQUET;
    const SYNTAX: ExportSyntax = ExportSyntax::Parquet;

    fn set_job(&mut self, id: JobId) {
        self.job_id = Some(id);
    }

    fn check(&self) -> Result<()> {
        check_name("batch_id", Some(&self.batch_id))
    }
}

bytes_of!(MetadataQuery);
bytes_of!(types::ExportDatabaseMetadataRequest);
bytes_of!(SubJobFileQuery);
bytes_of!(ParquetQuery);

impl Export<types::ExportDatabaseMetadataRequest> {
    /// Sets whether the file contains the source code of the queries. It is not sent unless this method is called.
    pub fn query_source(self, contained: bool) -> Self {
        self.with(|form| form.display_query_source = Some(contained))
    }
}

/// The files of a job that are not its lineage. Their formats are up to the server, so they are read as bytes, or
/// written to disk like every [`Export`]: complete, or not at all.
impl Job {
    /// Starts a download of the file `metadata.json` of the job.
    ///
    /// The API has no request body for this operation, so the user id is sent in the URL, where proxies may log it.
    ///
    /// ```no_run
    /// # async fn example(job: sqlflow_client::Job) -> sqlflow_client::Result<()> {
    /// job.export_metadata().to_file("metadata.json").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn export_metadata(&self) -> ExportMetadata {
        Export::new(self.clone(), MetadataQuery { job_id: None })
    }

    /// Starts a download of the database metadata that the job read: tables, views and their columns.
    ///
    /// ```no_run
    /// # async fn example(job: sqlflow_client::Job) -> sqlflow_client::Result<()> {
    /// job.export_database_metadata().to_file("database.json").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn export_database_metadata(&self) -> ExportDatabaseMetadata {
        Export::new(self.clone(), types::ExportDatabaseMetadataRequest::new())
    }

    /// Starts a download of one file of a batch of the job.
    ///
    /// The API has no request body for this operation, so the user id and the token are sent in the URL, where proxies
    /// may log them.
    ///
    /// ```no_run
    /// # async fn example(job: sqlflow_client::Job) -> sqlflow_client::Result<()> {
    /// job.sub_job_file("1", "etl.sql").to_file("etl.sql").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The errors of [`Export::bytes`], and [`InvalidInput`](crate::ErrorKind::InvalidInput) for an empty batch id or
    /// file name, before anything is sent.
    pub fn sub_job_file(&self, batch_id: impl Into<String>, file_name: impl Into<String>) -> SubJobFile {
        let query = SubJobFileQuery { job_id: None, batch_id: batch_id.into(), file_name: file_name.into() };
        Export::new(self.clone(), query)
    }

    /// Starts a download of the Parquet file of a batch of the job, which
    /// [`generate_parquet`](Job::generate_parquet) writes on the server.
    ///
    /// The API has no request body for this operation, so the user id and the token are sent in the URL, where proxies
    /// may log them.
    ///
    /// ```no_run
    /// # async fn example(job: sqlflow_client::Job) -> sqlflow_client::Result<()> {
    /// job.generate_parquet("1").await?;
    /// job.parquet("1").to_file("lineage.parquet").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The errors of [`Export::bytes`], and [`InvalidInput`](crate::ErrorKind::InvalidInput) for an empty batch id,
    /// before anything is sent.
    pub fn parquet(&self, batch_id: impl Into<String>) -> Parquet {
        Export::new(self.clone(), ParquetQuery { job_id: None, batch_id: batch_id.into() })
    }

    /// Writes a batch of the job to a Parquet file on the server, to download with [`parquet`](Job::parquet).
    ///
    /// The call is not retried if the server may have executed it, because it changes something there.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for an empty batch id, before anything is sent; otherwise the
    /// errors of [`info`](Job::info).
    pub fn generate_parquet(&self, batch_id: &str) -> impl Future<Output = Result<()>> + Send + use<> {
        let (job, batch_id) = (self.clone(), batch_id.to_owned());
        async move {
            let generating = async {
                check_name("batch_id", Some(&batch_id))?;
                let mut form = types::GenerateParquetRequest::new(batch_id);
                form.job_id = Some(job.id().checked()?);
                job.service().api().generate_parquet(&form).await.and_then(|response| response.check())
            };
            let operation = operations::GENERATE_PARQUET.id;
            generating.await.map_err(|error| with_job(job.id(), error.in_operation(operation)))
        }
    }
}
