//! Submitting: which files, under which name, with which options.

use std::fmt;
use std::future::IntoFuture;
use std::path::PathBuf;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::inputs::Inputs;
use super::{Job, JobId, JobInfo};
use crate::api::{Envelope, File, FileForm, types};
use crate::lineage::RelationType;
use crate::{Client, Error, Result, Secret, Vendor};

/// Submits SQL as a job, made by [`Client::submit`](crate::Client::submit).
///
/// Add files and options, then await it: the result is a [`Job`] that the server has taken. Options that are not set
/// are not sent, and the server's defaults hold.
///
/// # Errors
/// [`InvalidInput`](crate::ErrorKind::InvalidInput), [`Io`](crate::ErrorKind::Io) and
/// [`TooLarge`](crate::ErrorKind::TooLarge) come before anything is sent and name the file or field.
/// With these, with [`Connect`](crate::ErrorKind::Connect), [`Authentication`](crate::ErrorKind::Authentication),
/// [`Rejected`](crate::ErrorKind::Rejected) and [`Busy`](crate::ErrorKind::Busy) there is no job. All others leave it
/// open: look for its name in [`Client::jobs`](crate::Client::jobs) before submitting again.
#[must_use = "submits when it is awaited"]
pub struct Submit {
    client: Client,
    inputs: Inputs,
    name: Option<String>,
    form: types::SubmitUserJobRequest,
}

/// Submits a batch of a regular job, made by [`Client::submit_persist`](crate::Client::submit_persist).
///
/// The first batch makes the job; each later one is added with [`batch_of`](SubmitPersist::batch_of). Await it like a
/// [`Submit`], with the same errors.
#[must_use = "submits when it is awaited"]
pub struct SubmitPersist {
    client: Client,
    inputs: Inputs,
    name: Option<String>,
    form: types::SubmitPersistJobRequest,
}

/// What every submission takes.
macro_rules! submission {
    ($builder:ident) => {
        impl $builder {
            /// The name of the job. By default that of the first file or directory.
            pub fn name(mut self, name: impl Into<String>) -> Self {
                self.name = Some(name.into());
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
    pub(super) fn new(client: Client, vendor: Vendor) -> Self {
        let form = types::SubmitUserJobRequest::new(vendor, String::new());
        Self { client, inputs: Inputs::default(), name: None, form }
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

    async fn run(mut self) -> Result<Job> {
        check(&self.form.dbvendor)?;
        self.inputs.check(self.form.hostname.is_some())?;
        self.form.job_name = name(self.name, &self.inputs)?;
        send(self.client, &self.form, self.form.password.clone(), self.inputs).await
    }
}

impl SubmitPersist {
    pub(super) fn new(client: Client, vendor: Vendor) -> Self {
        let form = types::SubmitPersistJobRequest::new(vendor);
        Self { client, inputs: Inputs::default(), name: None, form }
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
        self.form.job_name = Some(name(self.name, &self.inputs)?);
        send(self.client, &self.form, self.form.password.clone(), self.inputs).await
    }
}

async fn send<F>(client: Client, form: &F, password: Option<Secret>, inputs: Inputs) -> Result<Job>
where
    F: FileForm<Answer = Envelope<JobInfo>>,
{
    let limit = client.transport().limits().upload_bytes;
    let files = inputs.into_files(limit).await?;
    let (info, warnings) = client.api().upload(form, files).await?.into_data_and_warnings()?;
    Ok(Job::submitted(client, JobInfo { warnings, ..info }, password))
}

fn check(vendor: &Vendor) -> Result<()> {
    if vendor.as_str().trim().is_empty() {
        return Err(Error::invalid("the vendor is empty: name the dialect of the SQL"));
    }
    Ok(())
}

fn name(given: Option<String>, inputs: &Inputs) -> Result<String> {
    match given {
        Some(name) if name.trim().is_empty() => Err(Error::invalid(
            "the job name is empty: name the job, or leave the name out to have it named after its files",
        )),
        Some(name) => Ok(name),
        None => Ok(inputs.name()),
    }
}

pub(super) fn comma_separated<T: fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<_> = items.into_iter().map(|item| item.to_string()).collect();
    items.join(",")
}
