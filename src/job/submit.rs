//! Submitting: which files, under which name, with which options.

use std::fmt;
use std::future::IntoFuture;
use std::path::PathBuf;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::JobService;
use super::inputs::Inputs;
use super::settle::{self, NextStep};
use super::{Job, JobId, JobInfo};
use crate::api::runtime::ReadResponse;
use crate::api::{Envelope, File, FileForm, types};
use crate::lineage::RelationType;
use crate::retry::Attempts;
use crate::wire::Redactor;
use crate::{Error, ErrorKind, Result, Secret, Vendor};

/// Submits SQL as a job, made by [`Client::submit`](crate::Client::submit).
///
/// Add files and options, then await it: the result is a [`Job`] that the server has taken. Options that are not set
/// are not sent, and the server's defaults hold.
///
/// # Submitted once
/// However the network fails, there is one job and not two, as long as the server lists a job within the window in
/// which it is looked for (30 seconds unless set otherwise), and without that limit where
/// [`send_again`](crate::job::Settling::send_again) is off. The name of the job gets a short suffix of its own
/// (`nightly-7k2m9qx4tb`), and when the answer to a submit is lost, the client looks for that name in the list of jobs
/// before anything is sent again: [`Settling`](crate::job::Settling) tells when and how. With
/// [`without_suffix`](Submit::without_suffix) the name is kept as it is; then a submit whose answer is lost cannot be
/// told from earlier ones, and ends as [`SubmitUnknown`](crate::ErrorKind::SubmitUnknown) at once.
///
/// Dropped while it is under way, it leaves open whether there is a job: [`choose_name`](Submit::choose_name) gives the
/// name to look for beforehand, and a [`Batch`](crate::job::Batch) does that by itself.
///
/// # Errors
/// [`InvalidInput`](crate::ErrorKind::InvalidInput), [`Io`](crate::ErrorKind::Io) and
/// [`TooLarge`](crate::ErrorKind::TooLarge) come before anything is sent and name the file or field.
/// [`SubmitUnknown`](crate::ErrorKind::SubmitUnknown) leaves open whether there is a job:
/// [`Client::find_job`](crate::Client::find_job) finds it by [`Error::job_name`](crate::Error::job_name), now or later.
/// With all others there is no job.
#[derive(Clone)]
#[must_use = "submits when it is awaited"]
pub struct Submit {
    service: JobService,
    inputs: Inputs,
    name: Option<String>,
    suffix: bool,
    /// The name as it was told to the caller, who may look for it.
    full_name: Option<String>,
    form: types::SubmitUserJobRequest,
}

/// Submits a batch of a regular job, made by [`Client::submit_persist`](crate::Client::submit_persist).
///
/// The first batch makes the job; each later one is added with [`batch_of`](SubmitPersist::batch_of). Await it like a
/// [`Submit`], with the same errors. The first is submitted once, as that is. A later one whose answer is lost ends as
/// [`SubmitUnknown`](crate::ErrorKind::SubmitUnknown): nothing tells whether the job has it.
#[must_use = "submits when it is awaited"]
pub struct SubmitPersist {
    service: JobService,
    inputs: Inputs,
    name: Option<String>,
    suffix: bool,
    form: types::SubmitPersistJobRequest,
}

/// What every submission takes.
macro_rules! submission {
    ($builder:ident) => {
        impl $builder {
            /// The name of the job, before its suffix. By default that of the first file or directory.
            pub fn name(mut self, name: impl Into<String>) -> Self {
                self.name = Some(name.into());
                self
            }

            /// Leaves the name as it is, without the suffix that makes it the only one of its kind.
            ///
            /// The job is submitted once all the same. But whether a submit whose answer was lost made a job can then
            /// not be found out, and it ends as [`SubmitUnknown`](crate::ErrorKind::SubmitUnknown).
            pub fn without_suffix(mut self) -> Self {
                self.suffix = false;
                self
            }

            /// Adds a file, or a directory with all below it. A directory goes as one zip; files and directories in
            /// it whose name starts with a dot are left out, and so are links to directories.
            pub fn path(mut self, path: impl Into<PathBuf>) -> Self {
                self.inputs.path(path.into());
                self
            }

            /// Adds each of some paths, as [`path`](Self::path) does.
            pub fn paths<P: Into<PathBuf>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
                paths.into_iter().for_each(|path| self.inputs.path(path.into()));
                self
            }

            /// Adds a file: SQL, or a zip of SQL.
            pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
                self.inputs.file(path.into());
                self
            }

            /// Adds a directory, as one zip.
            pub fn directory(mut self, path: impl Into<PathBuf>) -> Self {
                self.inputs.directory(path.into());
                self
            }

            /// Adds a zip that is there already.
            pub fn zip(mut self, path: impl Into<PathBuf>) -> Self {
                self.inputs.zip(path.into());
                self
            }

            /// Adds SQL from memory, under the name of a file.
            pub fn sql(mut self, name: impl Into<String>, sql: impl Into<Bytes>) -> Self {
                self.inputs.memory(File::new(name, sql));
                self
            }

            /// Host of a database to read SQL and metadata from.
            pub fn hostname(mut self, host: impl Into<String>) -> Self {
                self.form.hostname = Some(host.into());
                self
            }

            /// Port of that database.
            pub fn port(mut self, port: u16) -> Self {
                self.form.port = Some(i32::from(port));
                self
            }

            /// Account on that database.
            pub fn account(mut self, account: impl Into<String>) -> Self {
                self.form.account = Some(account.into());
                self
            }

            /// Password of that account.
            pub fn password(mut self, password: impl Into<Secret>) -> Self {
                self.form.password = Some(password.into());
                self
            }

            /// Which database to read there.
            pub fn database(mut self, database: impl Into<String>) -> Self {
                self.form.database = Some(database.into());
                self
            }

            /// What kind of source the SQL comes from.
            pub fn sql_source(mut self, source: impl Into<String>) -> Self {
                self.form.sqlsource = Some(source.into());
                self
            }

            /// Database of names that carry none.
            pub fn default_database(mut self, database: impl Into<String>) -> Self {
                self.form.default_database = Some(database.into());
                self
            }

            /// Schema of names that carry none.
            pub fn default_schema(mut self, schema: impl Into<String>) -> Self {
                self.form.default_schema = Some(schema.into());
                self
            }

            /// Keeps the job at the top of the user's list. Server default: false.
            pub fn on_top(mut self, on_top: bool) -> Self {
                self.form.on_top = Some(on_top);
                self
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

submission!(Submit);
submission!(SubmitPersist);

impl Submit {
    pub(crate) fn new(service: JobService, vendor: Vendor) -> Self {
        let form = types::SubmitUserJobRequest::new(vendor, String::new());
        Self { service, inputs: Inputs::default(), name: None, suffix: true, full_name: None, form }
    }

    /// Which relationships to find. Server default: fdd alone.
    pub fn relation_types(mut self, relation_types: impl IntoIterator<Item = RelationType>) -> Self {
        self.form.show_relation_type = Some(comma_separated(relation_types));
        self
    }

    /// Leaves function calls out of the result. Server default: true.
    pub fn ignore_function(mut self, ignore: bool) -> Self {
        self.form.ignore_function = Some(ignore);
        self
    }

    /// Leaves intermediate record sets out of the result. Server default: true.
    pub fn ignore_record_set(mut self, ignore: bool) -> Self {
        self.form.ignore_record_set = Some(ignore);
        self
    }

    /// Shows literals as the columns of a constant table. Server default: false.
    pub fn show_constant_table(mut self, show: bool) -> Self {
        self.form.show_constant_table = Some(show);
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

    /// Analyses files in parallel: faster, less exact. Server default: false.
    pub fn parallel(mut self, parallel: bool) -> Self {
        self.form.parallel = Some(parallel);
        self
    }

    /// What to extract from the database: `database` or `database/schema` each, with `*` for any. Server default:
    /// all. With [`database`](Submit::database) set, schemas of it.
    pub fn extracted_dbs_schemas<T: fmt::Display>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.form.extracted_dbs_schemas = Some(comma_separated(names));
        self
    }

    /// What of that to leave out, written likewise.
    pub fn excluded_dbs_schemas<T: fmt::Display>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.form.excluded_dbs_schemas = Some(comma_separated(names));
        self
    }

    /// Which stored procedures to extract: `database.schema.procedure` each. Server default: all.
    pub fn extracted_stored_procedures<T: fmt::Display>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.form.extracted_stored_procedures = Some(comma_separated(names));
        self
    }

    /// Which views to extract: `database.schema.view` each. Server default: all.
    pub fn extracted_views<T: fmt::Display>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.form.extracted_views = Some(comma_separated(names));
        self
    }

    /// Where catalog, schema, object type, object name, code and notes stand in an uploaded CSV: column numbers, 0
    /// for absent.
    pub fn csv_format(mut self, format: impl Into<String>) -> Self {
        self.form.csv_format = Some(format.into());
        self
    }

    /// The character around SQL code in that CSV. Server default: a double quote.
    pub fn object_code_enclose_char(mut self, character: char) -> Self {
        self.form.object_code_enclose_char = Some(character.to_string());
        self
    }

    /// The character that escapes that one. Server default: a double quote.
    pub fn object_code_escape_char(mut self, character: char) -> Self {
        self.form.object_code_escape_char = Some(character.to_string());
        self
    }

    /// Whose it is.
    pub(super) fn service(&self) -> &JobService {
        &self.service
    }

    /// The job that it made earlier. What may not be repeated of the submission is not repeated by that job's errors.
    pub(super) fn attached_to(&self, id: JobId) -> Job {
        Job { secrets: Redactor::new(self.form.password.clone()), ..self.service.job(id) }
    }

    /// Chooses the name that the job will have, suffix and all, and tells it: to be noted before the submit is awaited,
    /// and looked for with [`Client::find_job`](crate::Client::find_job) if it is dropped or its program ends on the
    /// way.
    ///
    /// It has a suffix, even after [`without_suffix`](Submit::without_suffix), and stands for one job: clones that are
    /// awaited beside it would not be told from it. A batch chooses another.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) for an empty name.
    pub fn choose_name(&mut self) -> Result<String> {
        let name = settle::unique(&name(self.name.as_deref(), &self.inputs)?);
        self.full_name = Some(name.clone());
        Ok(name)
    }

    /// Submits under a name that no other job has. One that an earlier process may have submitted is looked for first.
    pub(super) async fn run_as(self, name: String, may_be_there: bool) -> Result<Job> {
        if may_be_there {
            let settling = self.service.settling();
            let cut_off = || Error::new(ErrorKind::Interrupted, "an earlier submit was not followed to its end");
            let found = settling.find(&self.service, &name).await;
            // That the list cannot be asked tells nothing of the server that was sent the submit.
            let found = found.map_err(|error| settle::unknown(&name, cut_off().caused_by(error)))?;
            if let Some(job) = found {
                return Ok(Job { secrets: Redactor::new(self.form.password), ..job });
            }
            if !settling.sends_again() {
                return Err(settle::unknown(&name, cut_off()));
            }
        }
        self.send(name, LookedFor::ByName).await
    }

    async fn run(mut self) -> Result<Job> {
        match self.full_name.take() {
            Some(full_name) => self.send(full_name, LookedFor::ByName).await,
            None if self.suffix => {
                let name = settle::unique(&name(self.name.as_deref(), &self.inputs)?);
                self.send(name, LookedFor::ByName).await
            }
            None => {
                let name = name(self.name.as_deref(), &self.inputs)?;
                self.send(name, LookedFor::AmongOthers).await
            }
        }
    }

    async fn send(mut self, name: String, looked_for: LookedFor) -> Result<Job> {
        check(&self.form.dbvendor)?;
        self.inputs.check(self.form.hostname.is_some())?;
        self.form.job_name.clone_from(&name);
        let password = self.form.password.clone();
        Order { service: self.service, form: self.form, password, name, looked_for }.place(self.inputs).await
    }
}

impl SubmitPersist {
    pub(crate) fn new(service: JobService, vendor: Vendor) -> Self {
        let form = types::SubmitPersistJobRequest::new(vendor);
        Self { service, inputs: Inputs::default(), name: None, suffix: true, form }
    }

    /// Adds this batch to the job that an earlier one made: sends its id, with `incremental` true and `firstSubmit`
    /// false.
    pub fn batch_of(mut self, job: impl Into<JobId>) -> Self {
        self.form.job_id = Some(job.into().to_string());
        self.form.incremental = Some(true);
        self.form.first_submit = Some(false);
        self
    }

    /// Whether this batch is added to the job of [`batch_of`](SubmitPersist::batch_of). Server default: true.
    pub fn incremental(mut self, incremental: bool) -> Self {
        self.form.incremental = Some(incremental);
        self
    }

    /// Whether this is the first batch. Sent as true unless [`batch_of`](SubmitPersist::batch_of) says otherwise.
    pub fn first_submit(mut self, first: bool) -> Self {
        self.form.first_submit = Some(first);
        self
    }

    /// Runs by schedule. Server default: false.
    pub fn schedulable(mut self, schedulable: bool) -> Self {
        self.form.schedulable = Some(schedulable);
        self
    }

    /// When to run, as a cron expression.
    pub fn cron_expression(mut self, expression: impl Into<String>) -> Self {
        self.form.cron_expression = Some(expression.into());
        self
    }

    /// Further settings, as text the server understands.
    pub fn extra(mut self, extra: impl Into<String>) -> Self {
        self.form.extra = Some(extra.into());
        self
    }

    async fn run(mut self) -> Result<Job> {
        check(&self.form.dbvendor)?;
        self.inputs.check(self.form.hostname.is_some())?;
        if let Some(id) = &self.form.job_id {
            JobId::new(id).checked()?;
        }
        self.form.first_submit.get_or_insert(true);
        let looked_for = match &self.form.job_id {
            Some(id) => LookedFor::Nowhere(JobId::new(id)),
            None if self.suffix => LookedFor::ByName,
            None => LookedFor::AmongOthers,
        };
        let name = name(self.name.as_deref(), &self.inputs)?;
        let name = if looked_for == LookedFor::ByName { settle::unique(&name) } else { name };
        self.form.job_name = Some(name.clone());
        let password = self.form.password.clone();
        Order { service: self.service, form: self.form, password, name, looked_for }.place(self.inputs).await
    }
}

/// A form on its way to becoming a job.
struct Order<F> {
    service: JobService,
    form: F,
    password: Option<Secret>,
    name: String,
    looked_for: LookedFor,
}

impl<F: FileForm<Response = Envelope<JobInfo>>> Order<F> {
    async fn place(self, inputs: Inputs) -> Result<Job> {
        let limit = self.service.transport().limits().max_upload_bytes;
        let files = inputs.into_files(limit).await?;
        let mut attempts = self.service.transport().attempts();
        tracing::debug!(name = self.name, files = files.len(), "submitting");
        loop {
            let error = match self.send(&files, &mut attempts).await {
                Ok(job) => {
                    attempts.succeeded();
                    return Ok(job);
                }
                Err(error) => error,
            };
            let next = NextStep::after(&error);
            if next == NextStep::Report {
                return Err(error);
            }
            tracing::warn!(%error, name = self.name, "whether a submit made a job is open");
            if let Some(job) = self.settle(next, &error).await? {
                attempts.succeeded();
                return Ok(job);
            }
            attempts.after_settling(error).await.map_err(|error| self.unknown(error))?;
        }
    }

    async fn send(&self, files: &[File], attempts: &mut Attempts) -> Result<Job> {
        let transport = self.service.transport();
        let response = transport.send_files(&self.form, files.to_vec(), attempts).await?;
        let answer = <F::Response as ReadResponse>::read(response).await?;
        let (info, warnings) = answer.into_data_and_warnings()?;
        Ok(Job::submitted(self.service.clone(), JobInfo { warnings, ..info }, self.password.clone()))
    }

    /// Finds out what a submit led to that failed with `error`: a job, or none, and then it may be sent again.
    async fn settle(&self, next: NextStep, error: &Error) -> Result<Option<Job>> {
        let unknown = || self.unknown(error.clone());
        if self.looked_for != LookedFor::ByName {
            return Err(unknown());
        }
        let settling = self.service.settling();
        let found = settling.find(&self.service, &self.name).await.map_err(|_| unknown())?;
        match (found, next) {
            (Some(job), _) => Ok(Some(Job { secrets: Redactor::new(self.password.clone()), ..job })),
            (None, NextStep::AskThenSend) if settling.sends_again() => Ok(None),
            (None, NextStep::AskThenReport) => Err(error.clone()),
            (None, _) => Err(unknown()),
        }
    }

    fn unknown(&self, why: Error) -> Error {
        match &self.looked_for {
            LookedFor::ByName => settle::unknown(&self.name, why),
            LookedFor::AmongOthers => settle::unknown_among_others(&self.name, why),
            LookedFor::Nowhere(id) => settle::batch_unknown(id, why),
        }
    }
}

/// How it can be found out whether a submit arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
enum LookedFor {
    /// No other job has its name.
    ByName,
    /// Others may have it.
    AmongOthers,
    /// It adds to a job.
    Nowhere(JobId),
}

fn check(vendor: &Vendor) -> Result<()> {
    if vendor.as_str().trim().is_empty() {
        return Err(Error::invalid("the vendor is empty: name the dialect of the SQL"));
    }
    Ok(())
}

fn name(given: Option<&str>, inputs: &Inputs) -> Result<String> {
    match given {
        Some(name) if name.trim().is_empty() => Err(Error::invalid(
            "the job name is empty: name the job, or leave the name out to have it named after its files",
        )),
        Some(name) => Ok(name.to_owned()),
        None => Ok(inputs.name()),
    }
}

pub(super) fn comma_separated<T: fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<_> = items.into_iter().map(|item| item.to_string()).collect();
    items.join(",")
}
