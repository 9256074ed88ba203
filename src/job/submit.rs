//! The builders of submissions: files, the name of the job, and options.

use std::fmt;
use std::future::IntoFuture;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::inputs::Inputs;
use super::listing::ListingHold;
use super::source::{CsvFormat, Database, SqlSource, check_host};
use super::submission::{Submission, SubmissionTarget};
use super::{Job, JobId, JobService};
use crate::api::{File, types};
use crate::lineage::RelationType;
use crate::transport::{UploadObserver, UploadProgress};
use crate::wire::{Submitted, check_lists, job_name};
use crate::{Error, ErrorKind, Result, Vendor};

/// A submission of SQL as a job, from [`Client::submit`](crate::Client::submit).
///
/// Add files and options, then await it. The result is a [`Job`] that the server has accepted. Options that are not set
/// are not sent, so that the defaults of the server apply.
///
/// ```no_run
/// # async fn example(sqlflow: sqlflow_client::Client) -> sqlflow_client::Result<()> {
/// use sqlflow_client::Vendor;
///
/// let job = sqlflow
///     .submit(Vendor::Snowflake)
///     .name("nightly")
///     .path("etl/")
///     .default_database("warehouse")
///     .default_schema("public")
///     .await?;
/// println!("submitted as {}", job.id());
/// # Ok(())
/// # }
/// ```
///
/// # One submission, one job
/// However the network fails, a submission creates one job and not two, provided that the server lists the job within
/// the window in which the client searches for it (40 seconds by default). With
/// [`send_again(false)`](crate::job::Settling::send_again), the condition does not apply.
///
/// To make that possible, the name of the job gets a short random suffix (`nightly-7k2m9qx4tb`). If the response to a
/// submission is lost, the client searches the list of jobs for that name before it sends anything again;
/// [`Settling`](crate::job::Settling) says when and how. With [`without_suffix`](Submit::without_suffix), the name is
/// kept as it is. A submission whose response is lost can then not be distinguished from earlier ones, and immediately
/// ends as [`SubmitUnknown`](crate::ErrorKind::SubmitUnknown).
///
/// If the future is dropped while the submission is in flight, it remains unknown whether there is a job. Call
/// [`choose_name`](Submit::choose_name) first to know the name to look for; a [`Batch`](crate::job::Batch) does that by
/// itself.
///
/// # Errors
/// [`InvalidInput`](crate::ErrorKind::InvalidInput), [`Io`](crate::ErrorKind::Io) and
/// [`TooLarge`](crate::ErrorKind::TooLarge) are reported before anything is sent, and name the file or field. After
/// [`SubmitUnknown`](crate::ErrorKind::SubmitUnknown) there may be a job:
/// [`Client::find_job`](crate::Client::find_job) finds it by [`Error::job_name`](crate::Error::job_name), now or later.
/// After all other errors there is no job.
#[derive(Clone)]
#[must_use = "a submission is sent when it is awaited"]
pub struct Submit {
    service: JobService,
    inputs: Inputs,
    name: Option<String>,
    has_suffix: bool,
    /// The name with its suffix, if the caller was given it and may look for it.
    full_name: Option<String>,
    csv_format: Option<CsvFormat>,
    form: types::SubmitUserJobRequest,
}

/// A submission of a batch of a regular job, from [`Client::submit_persist`](crate::Client::submit_persist).
///
/// The first batch creates the job; [`batch_of`](SubmitPersist::batch_of) adds each later one to it. Await it like a
/// [`Submit`]; the errors are the same. Like a [`Submit`], the first batch creates one job and not two. A later batch
/// whose response is lost ends as [`SubmitUnknown`](crate::ErrorKind::SubmitUnknown), because the API does not show
/// whether the job contains it.
///
/// The API takes no relation types for regular jobs. To ask what a change would break, export with
/// [`for_impact`](super::ExportFullLineageAsJson::for_impact).
///
/// ```no_run
/// # async fn example(sqlflow: sqlflow_client::Client) -> sqlflow_client::Result<()> {
/// use sqlflow_client::Vendor;
///
/// let job = sqlflow.submit_persist(Vendor::Oracle).path("monday/").await?;
/// sqlflow
///     .submit_persist(Vendor::Oracle)
///     .batch_of(job.id().clone())
///     .path("tuesday/")
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a submission is sent when it is awaited"]
pub struct SubmitPersist {
    service: JobService,
    inputs: Inputs,
    name: Option<String>,
    has_suffix: bool,
    form: types::SubmitPersistJobRequest,
}

/// A submission of SQL as a job that finds the SQL that affects source tables, from
/// [`Client::submit_table_affect`](crate::Client::submit_table_affect).
///
/// Add files, then await it like a [`Submit`]; the errors are the same. Like a [`Submit`], it creates one job and not
/// two. A later batch for an existing job ([`batch_of`](SubmitTableAffect::batch_of)) whose response is lost ends as
/// [`SubmitUnknown`](crate::ErrorKind::SubmitUnknown).
///
/// ```no_run
/// # async fn example(sqlflow: sqlflow_client::Client) -> sqlflow_client::Result<()> {
/// let job = sqlflow.submit_table_affect().path("etl/").column_level(true).await?;
/// println!("submitted as {}", job.id());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a submission is sent when it is awaited"]
pub struct SubmitTableAffect {
    service: JobService,
    inputs: Inputs,
    name: Option<String>,
    has_suffix: bool,
    form: types::SubmitTableAffectSqlJobRequest,
}

/// The methods that all submissions have.
macro_rules! submission {
    ($builder:ident) => {
        impl $builder {
            /// Sets the name of the job, without its suffix. The default is the name of the first file or directory.
            pub fn name(mut self, name: impl Into<String>) -> Self {
                self.name = Some(name.into());
                self
            }

            /// Leaves the name as it is, without the suffix that makes it unique.
            ///
            /// The job is still submitted only once. But if the response is lost, the client can then not find out
            /// whether the submission created a job, and it ends as
            /// [`SubmitUnknown`](crate::ErrorKind::SubmitUnknown).
            pub fn without_suffix(mut self) -> Self {
                self.has_suffix = false;
                self
            }

            /// Adds a file, or a directory with everything below it. A directory is sent as one zip file, without
            /// files and directories whose name starts with a dot.
            ///
            /// Links in a directory that lead out of it are left out unless [`follow_links`](Self::follow_links) is
            /// set, and so are pipes, sockets, devices and pseudo-files such as those in `/proc`; a warning names each
            /// (see [`guide::tracing`](crate::guide::tracing)). Given as a path themselves, these special files are an
            /// error, and a link is followed. In a file name that is not Unicode, the bytes that are not, and percent
            /// signs, are percent-encoded.
            pub fn path(mut self, path: impl Into<PathBuf>) -> Self {
                self.inputs.path(path.into());
                self
            }

            /// Sets whether links in directories are followed wherever they lead. By default, only links to files in
            /// the same directory are.
            ///
            /// Each directory is sent once, however many links lead to it, so that links in a circle do no harm. A link
            /// that leads nowhere is then an error.
            pub fn follow_links(mut self, follow: bool) -> Self {
                self.inputs.follow_links(follow);
                self
            }

            /// Adds several paths, each as [`path`](Self::path) does.
            pub fn paths<P: Into<PathBuf>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
                paths.into_iter().for_each(|path| self.inputs.path(path.into()));
                self
            }

            /// Adds a file of SQL, or a zip file of SQL files.
            pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
                self.inputs.file(path.into());
                self
            }

            /// Adds a directory, which is sent as one zip file.
            pub fn directory(mut self, path: impl Into<PathBuf>) -> Self {
                self.inputs.directory(path.into());
                self
            }

            /// Adds an existing zip file.
            pub fn zip(mut self, path: impl Into<PathBuf>) -> Self {
                self.inputs.zip(path.into());
                self
            }

            /// Adds SQL in memory, as a file of the given name.
            pub fn sql(mut self, name: impl Into<String>, sql: impl Into<Bytes>) -> Self {
                self.inputs.memory(File::new(name, sql));
                self
            }

            /// Sets a function that is called with the progress of the upload, each time a chunk of a file is sent.
            ///
            /// An attempt that fails is followed by another, which begins again with the first byte; the function is
            /// then called with the number of that [attempt](super::UploadProgress::attempt).
            pub fn on_progress(mut self, callback: impl Fn(&UploadProgress) + Send + Sync + 'static) -> Self {
                self.inputs.observe(UploadObserver::new(callback));
                self
            }

            /// Sends the submission. This is the same as to await it.
            ///
            /// # Errors
            /// The errors of [`Submit`].
            pub async fn send(self) -> Result<Job> {
                self.run().await
            }
        }

        impl IntoFuture for $builder {
            type Output = Result<Job>;
            type IntoFuture = BoxFuture<'static, Self::Output>;

            fn into_future(self) -> Self::IntoFuture {
                self.run().boxed()
            }
        }

        impl fmt::Debug for $builder {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($builder))
                    .field("name", &self.name)
                    .field("inputs", &self.inputs)
                    .field("form", &self.form)
                    .finish_non_exhaustive()
            }
        }
    };
}

/// The options of submissions whose SQL has a dialect.
macro_rules! source_options {
    ($builder:ident) => {
        impl $builder {
            /// Sets a database from which the server reads SQL and metadata, in addition to the files or instead of
            /// them.
            pub fn database(mut self, database: Database) -> Self {
                let Database { host, port, account, password, name } = database;
                self.form.hostname = Some(host);
                self.form.port = port.map(i32::from);
                self.form.account = account;
                self.form.password = password;
                self.form.database = name;
                self
            }

            /// Sets the kind of source that the SQL comes from: a [`SqlSource`], or its name.
            pub fn sql_source(mut self, source: impl Into<SqlSource>) -> Self {
                self.form.sqlsource = Some(source.into().to_string());
                self
            }

            /// Sets the database of identifiers that name none.
            pub fn default_database(mut self, database: impl Into<String>) -> Self {
                self.form.default_database = Some(database.into());
                self
            }

            /// Sets the schema of identifiers that name none.
            pub fn default_schema(mut self, schema: impl Into<String>) -> Self {
                self.form.default_schema = Some(schema.into());
                self
            }

            /// Sets whether the job is kept at the top of the user's list. Server default: `false`.
            pub fn on_top(mut self, on_top: bool) -> Self {
                self.form.on_top = Some(on_top);
                self
            }
        }
    };
}

source_options!(Submit);
source_options!(SubmitPersist);
submission!(Submit);
submission!(SubmitPersist);
submission!(SubmitTableAffect);

impl Submit {
    pub(crate) fn new(service: JobService, vendor: Vendor) -> Self {
        let form = types::SubmitUserJobRequest::new(vendor, String::new());
        Self {
            service,
            inputs: Inputs::default(),
            name: None,
            has_suffix: true,
            full_name: None,
            csv_format: None,
            form,
        }
    }

    /// Requests everything that questions about impact need: all
    /// [dependencies](RelationType::DEPENDENCIES) (`fdd`, `fdr`, `frd`, `join`), with record sets and functions.
    ///
    /// By default, servers return values that flow (`fdd`) and nothing else. A lineage of that kind does not know that
    /// a view filters or joins by a column, so that the [impact](crate::lineage::Column::impact) of that column would
    /// lack the view. The [lineage](Job::lineage) of a job that was submitted with this method has these relation types
    /// without further options.
    ///
    /// ```no_run
    /// # async fn example(sqlflow: sqlflow_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use sqlflow_client::Vendor;
    ///
    /// let job = sqlflow.submit(Vendor::Oracle).path("etl/").for_impact().send().await?;
    /// let lineage = job.wait().await?.lineage().await?;
    /// for object in lineage.column("sales.orders", "status")?.impact().objects {
    ///     println!("{object}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// It calls [`relation_types`](Submit::relation_types), [`ignore_record_set`](Submit::ignore_record_set) and
    /// [`ignore_function`](Submit::ignore_function); a later call of one of them changes that setting again.
    pub fn for_impact(self) -> Self {
        self.relation_types(RelationType::DEPENDENCIES).ignore_record_set(false).ignore_function(false)
    }

    /// Sets the types of relationships to find. Server default: `fdd` only. An empty list is an error of the
    /// submission.
    ///
    /// [`Job::lineage`] of the submitted job requests the same types.
    pub fn relation_types(mut self, relation_types: impl IntoIterator<Item = RelationType>) -> Self {
        self.form.show_relation_type = Some(relation_types.into_iter().collect());
        self
    }

    /// Sets whether function calls are left out of the result. Server default: `true`.
    pub fn ignore_function(mut self, ignore: bool) -> Self {
        self.form.ignore_function = Some(ignore);
        self
    }

    /// Sets whether intermediate record sets are left out of the result. Server default: `true`.
    pub fn ignore_record_set(mut self, ignore: bool) -> Self {
        self.form.ignore_record_set = Some(ignore);
        self
    }

    /// Sets whether literals are shown as the columns of a constant table. Server default: `false`.
    pub fn show_constant_table(mut self, show: bool) -> Self {
        self.form.show_constant_table = Some(show);
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

    /// Sets whether files are analyzed in parallel, which is faster and less exact. Server default: `false`.
    pub fn parallel(mut self, parallel: bool) -> Self {
        self.form.parallel = Some(parallel);
        self
    }

    /// Sets what to extract from the [`database`](Submit::database): each entry is `database` or `database/schema`,
    /// with `*` for any. If the database has a [name](Database::name), the entries are schemas of that database. Server
    /// default: everything.
    ///
    /// ```no_run
    /// # fn example(sqlflow: sqlflow_client::Client) {
    /// use sqlflow_client::Vendor;
    /// use sqlflow_client::job::Database;
    ///
    /// let submit = sqlflow
    ///     .submit(Vendor::Oracle)
    ///     .database(Database::new("db.example.com").account("reader").password("…"))
    ///     .extracted_dbs_schemas(["sales/*", "hr/public"])
    ///     .excluded_dbs_schemas(["sales/scratch"]);
    /// # }
    /// ```
    pub fn extracted_dbs_schemas<T: fmt::Display>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.form.extracted_dbs_schemas = Some(names.into_iter().map(|name| name.to_string()).collect());
        self
    }

    /// Sets what to leave out of the extraction, with entries in the format of
    /// [`extracted_dbs_schemas`](Submit::extracted_dbs_schemas).
    pub fn excluded_dbs_schemas<T: fmt::Display>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.form.excluded_dbs_schemas = Some(names.into_iter().map(|name| name.to_string()).collect());
        self
    }

    /// Sets the stored procedures to extract, each as `database.schema.procedure`. Server default: all.
    pub fn extracted_stored_procedures<T: fmt::Display>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.form.extracted_stored_procedures = Some(names.into_iter().map(|name| name.to_string()).collect());
        self
    }

    /// Sets the views to extract, each as `database.schema.view`. Server default: all.
    pub fn extracted_views<T: fmt::Display>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.form.extracted_views = Some(names.into_iter().map(|name| name.to_string()).collect());
        self
    }

    /// Sets the columns of an uploaded CSV file that contains SQL.
    ///
    /// ```no_run
    /// # async fn example(sqlflow: sqlflow_client::Client) -> sqlflow_client::Result<()> {
    /// use sqlflow_client::Vendor;
    /// use sqlflow_client::job::CsvFormat;
    ///
    /// let format = CsvFormat { schema: 1, object_name: 2, code: 3, ..CsvFormat::default() };
    /// let submit = sqlflow.submit(Vendor::Oracle).file("code.csv").csv_format(format);
    /// let job = submit.await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A format without a column for the code is an error of the submission.
    pub fn csv_format(mut self, format: CsvFormat) -> Self {
        self.csv_format = Some(format);
        self
    }

    /// Sets the character that encloses SQL code in that CSV file. Server default: a double quote.
    pub fn object_code_enclose_char(mut self, character: char) -> Self {
        self.form.object_code_enclose_char = Some(character.to_string());
        self
    }

    /// Sets the character that escapes the enclosing character. Server default: a double quote.
    pub fn object_code_escape_char(mut self, character: char) -> Self {
        self.form.object_code_escape_char = Some(character.to_string());
        self
    }

    /// Returns the services of the client that the submission belongs to.
    pub(super) fn service(&self) -> &JobService {
        &self.service
    }

    /// Returns the job that an earlier run created from this submission. Errors of that job do not show the secrets of
    /// the submission.
    pub(super) fn attached_to(&self, id: JobId) -> Job {
        let form = &self.form;
        self.service.job(id).of_late().with_submission(form.show_relation_type.clone(), form.password.clone())
    }

    /// Chooses and returns the full name of the job, including its suffix.
    ///
    /// Store the name before you await the submission. If the future is dropped or the program ends while the
    /// submission is in flight, [`Client::find_job`](crate::Client::find_job) finds the job by that name.
    ///
    /// The name has a suffix even after [`without_suffix`](Submit::without_suffix). It stands for one job: do not await
    /// several clones of the submission, because the client could not tell their jobs apart. A
    /// [`Batch`](crate::job::Batch) chooses a name of its own.
    ///
    /// ```no_run
    /// # async fn example(sqlflow: sqlflow_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use sqlflow_client::Vendor;
    ///
    /// let mut submit = sqlflow.submit(Vendor::Oracle).path("etl/");
    /// std::fs::write("job-name", submit.choose_name()?)?;
    /// let job = submit.await?;
    ///
    /// // After a crash:
    /// let job = sqlflow.find_job(std::fs::read_to_string("job-name")?).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) for an empty name.
    pub fn choose_name(&mut self) -> Result<String> {
        let name = job_name::unique_name(&base_name(self.name.as_deref(), &self.inputs)?);
        self.full_name = Some(name.clone());
        Ok(name)
    }

    /// Submits under a name that no other job has. If it may have been submitted earlier, searches for that job first.
    pub(super) async fn run_as(self, name: String, earlier: Option<EarlierSubmission>) -> Result<Job> {
        if let Some(earlier) = earlier {
            let settling = self.service.settling();
            let unknown = |error| SubmissionTarget::UniqueName.unknown(&name, error);
            let interrupted =
                || Error::new(ErrorKind::Interrupted, "an earlier submission was cut off before its response");
            let submitted = Submitted {
                name: name.clone(),
                vendor: Some(self.form.dbvendor.clone()),
                files: self.inputs.file_names(),
                since: earlier.since,
            };
            let _pending = self.service.pend(&submitted);
            let found = settling.find(&self.service, &submitted, &earlier.hold).await;
            // A search that fails says nothing about the outcome of the earlier submission.
            let found = found.map_err(|error| unknown(interrupted().caused_by(error)))?;
            if let Some(job) = found {
                return Ok(job.with_submission(self.form.show_relation_type, self.form.password));
            }
            if !settling.sends_again() {
                return Err(unknown(interrupted()));
            }
        }
        self.submit_as(name, SubmissionTarget::UniqueName).await
    }

    async fn run(mut self) -> Result<Job> {
        match self.full_name.take() {
            Some(full_name) => self.submit_as(full_name, SubmissionTarget::UniqueName).await,
            None if self.has_suffix => {
                let name = job_name::unique_name(&base_name(self.name.as_deref(), &self.inputs)?);
                self.submit_as(name, SubmissionTarget::UniqueName).await
            }
            None => {
                let name = base_name(self.name.as_deref(), &self.inputs)?;
                self.submit_as(name, SubmissionTarget::SharedName).await
            }
        }
    }

    async fn submit_as(mut self, name: String, target: SubmissionTarget) -> Result<Job> {
        check_vendor(&self.form.dbvendor)?;
        check_host(self.form.hostname.as_deref())?;
        check_lists(&self.form)?;
        self.inputs.check(self.form.hostname.is_some())?;
        if let Some(format) = self.csv_format {
            format.check()?;
            self.form.csv_format = Some(format.to_string());
        }
        self.form.job_name.clone_from(&name);
        let (password, relation_types) = (self.form.password.clone(), self.form.show_relation_type.clone());
        let vendor = Some(self.form.dbvendor.clone());
        let (service, form) = (self.service, self.form);
        let submission = Submission { service, form, password, relation_types, name, vendor, target };
        submission.run(self.inputs).await
    }
}

/// A submission that an earlier process, or an earlier try, may have sent.
#[derive(Clone)]
pub(super) struct EarlierSubmission {
    /// The time before which it was not sent, if that is known.
    pub(super) since: Option<SystemTime>,
    /// The list of jobs in which it is searched for, and the time at which the search begins.
    pub(super) hold: Arc<ListingHold>,
}

impl SubmitPersist {
    pub(crate) fn new(service: JobService, vendor: Vendor) -> Self {
        let form = types::SubmitPersistJobRequest::new(vendor);
        Self { service, inputs: Inputs::default(), name: None, has_suffix: true, form }
    }

    /// Adds this batch to the job that an earlier batch created: sends the id of the job, with `incremental` true and
    /// `firstSubmit` false.
    pub fn batch_of(mut self, job: impl Into<JobId>) -> Self {
        self.form.job_id = Some(job.into());
        self.form.incremental = Some(true);
        self.form.first_submit = Some(false);
        self
    }

    /// Sets whether this batch is added to the job of [`batch_of`](SubmitPersist::batch_of). Server default: `true`.
    pub fn incremental(mut self, incremental: bool) -> Self {
        self.form.incremental = Some(incremental);
        self
    }

    /// Sets whether this is the first batch. `true` is sent unless this method or
    /// [`batch_of`](SubmitPersist::batch_of) says otherwise.
    pub fn first_submit(mut self, first: bool) -> Self {
        self.form.first_submit = Some(first);
        self
    }

    /// Sets whether the job runs on a schedule. Server default: `false`.
    pub fn schedulable(mut self, schedulable: bool) -> Self {
        self.form.schedulable = Some(schedulable);
        self
    }

    /// Sets the schedule, as a cron expression of five to seven fields, or a macro of Spring such as `@daily`. One that
    /// no server accepts, or whose date never comes, is an error of the submission.
    pub fn cron_expression(mut self, expression: impl Into<String>) -> Self {
        self.form.cron_expression = Some(expression.into());
        self
    }

    /// Sets further settings, as text that the server understands.
    pub fn extra(mut self, extra: impl Into<String>) -> Self {
        self.form.extra = Some(extra.into());
        self
    }

    async fn run(mut self) -> Result<Job> {
        check_vendor(&self.form.dbvendor)?;
        check_host(self.form.hostname.as_deref())?;
        check_lists(&self.form)?;
        self.inputs.check(self.form.hostname.is_some())?;
        if let Some(id) = &self.form.job_id {
            id.checked()?;
        }
        self.form.cron_expression.as_deref().map_or(Ok(()), |text| super::cron::check(text, "cron_expression"))?;
        self.form.first_submit.get_or_insert(true);
        let target = SubmissionTarget::of(self.form.job_id.as_ref(), self.has_suffix);
        let name = target.name(base_name(self.name.as_deref(), &self.inputs)?);
        self.form.job_name = Some(name.clone());
        let (password, vendor) = (self.form.password.clone(), Some(self.form.dbvendor.clone()));
        let (service, form) = (self.service, self.form);
        let submission = Submission { service, form, password, relation_types: None, name, vendor, target };
        submission.run(self.inputs).await
    }
}

impl SubmitTableAffect {
    pub(crate) fn new(service: JobService) -> Self {
        let form = types::SubmitTableAffectSqlJobRequest::new();
        Self { service, inputs: Inputs::default(), name: None, has_suffix: true, form }
    }

    /// Sets whether the result is between columns (`true`) or between tables (`false`). It is not sent unless this
    /// method is called, so that the server decides.
    pub fn column_level(mut self, columns: bool) -> Self {
        self.form.column_level = Some(columns);
        self
    }

    /// Adds the files to the job that an earlier submission created.
    pub fn batch_of(mut self, job: impl Into<JobId>) -> Self {
        self.form.job_id = Some(job.into());
        self
    }

    async fn run(mut self) -> Result<Job> {
        self.inputs.check(false)?;
        if let Some(id) = &self.form.job_id {
            id.checked()?;
        }
        let target = SubmissionTarget::of(self.form.job_id.as_ref(), self.has_suffix);
        let name = target.name(base_name(self.name.as_deref(), &self.inputs)?);
        self.form.job_name = Some(name.clone());
        let (service, form) = (self.service, self.form);
        let submission = Submission { service, form, password: None, relation_types: None, name, vendor: None, target };
        submission.run(self.inputs).await
    }
}

fn check_vendor(vendor: &Vendor) -> Result<()> {
    if vendor.as_str().trim().is_empty() {
        return Err(Error::invalid("the vendor is empty: give the dialect of the SQL"));
    }
    Ok(())
}

fn base_name(given: Option<&str>, inputs: &Inputs) -> Result<String> {
    match given {
        Some(name) if name.trim().is_empty() => Err(Error::invalid(
            "the job name is empty: give one, or leave it out so that the job is named after its files",
        )),
        Some(name) => Ok(name.to_owned()),
        None => Ok(inputs.name()),
    }
}
