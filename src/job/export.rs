//! Exports of a job: typed, as bytes, as a stream, to a file.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::future::IntoFuture;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, TryStreamExt as _};
use serde::Serialize;
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt as _;

use super::Job;
use super::submit::comma_separated;
use crate::api::{Operation, operations, types};
use crate::lineage::{Lineage, ReadError, ReadErrorKind, RelationType};
use crate::transport::Response;
use crate::transport::failure::snippet;
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
}

/// The lineage as drawn; a summary of it past the relation limit of the server.
pub type ExportLineageAsJson = Export<types::ExportLineageAsJsonRequest>;
/// The full lineage as JSON.
pub type ExportFullJson = Export<types::ExportFullLineageAsJsonRequest>;
/// The full lineage as CSV.
pub type ExportCsv = Export<types::ExportFullLineageAsCsvRequest>;
/// The lineage as GraphML for yEd.
pub type ExportGraphml = Export<types::ExportLineageAsGraphmlRequest>;

/// A form that asks for an export. Implemented here alone.
pub trait ExportForm: sealed::Form {}

impl<F: sealed::Form> ExportForm for F {}

mod sealed {
    use super::{Format, Operation, Serialize};

    pub trait Form: Serialize + Send + Sync + 'static {
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
        Self { job, form }
    }

    /// All of it in memory, up to the [answer limit](crate::ClientBuilder::answer_limit) of the client.
    ///
    /// # Errors
    /// As every call of the API. A failure that the server writes in place of the file is one of these errors too.
    pub async fn bytes(self) -> Result<Bytes> {
        let about = self.about();
        let response = self.ask().await?;
        response.bytes().await.map_err(about)
    }

    /// Piece by piece, as it comes.
    ///
    /// # Errors
    /// As [`bytes`](Export::bytes), and later from the stream.
    pub async fn stream(self) -> Result<ByteStream> {
        Ok(self.ask().await?.body)
    }

    /// To a file, which appears whole or not at all: it is written under a temporary name beside the place, then
    /// renamed. A file that is there already is replaced, with its permissions kept. Gives its length in bytes.
    ///
    /// # Errors
    /// [`Io`](ErrorKind::Io), or [`InvalidInput`](ErrorKind::InvalidInput) for what is there and no file, names the path, before anything is asked where that is possible; else as
    /// [`bytes`](Export::bytes). Nothing is left behind.
    pub async fn to_file(self, path: impl AsRef<Path>) -> Result<u64> {
        let about = self.about();
        let target = Target::beside(path.as_ref()).await?;
        let mut body = self.ask().await?.body;
        target.fill(&mut body).await.map_err(about)
    }

    async fn ask(mut self) -> Result<Response> {
        let about = self.about();
        self.form.set_job(self.job.id().checked()?);
        let asking = async {
            let response = self.job.client().transport().send_form(F::OPERATION, &self.form).await?;
            check(response, F::FORMAT).await
        };
        asking.await.map_err(about)
    }

    /// What errors of this export are about.
    fn about(&self) -> impl FnOnce(Error) -> Error + use<F> {
        let id = self.job.id().clone();
        move |error| error.in_operation(F::OPERATION.id).with_job(&id)
    }

    async fn read(self) -> Result<Lineage> {
        let about = self.about();
        let response = self.ask().await?;
        read(response).await.map_err(about)
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
        f.debug_struct("Export").field("job", &self.job).field("form", &self.form).finish()
    }
}

/// Whether the answer is what was asked for, as far as its beginning tells.
async fn check(response: Response, format: Format) -> Result<Response> {
    let mut response = response.without_failure().await?;
    let protocol = |text: &str| Error::new(ErrorKind::Protocol, text);
    if let Some(verdict) = response.verdict.as_ref().filter(|verdict| !verdict.has_data) {
        return Err(protocol("an envelope without data came in place of the file").with_code(verdict.code));
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
    let shown = snippet(&response.secrets.removed_from(&beginning));
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
        None => read.map_err(|error| secrets.kept_out_of(unreadable(error))),
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

/// A file under a temporary name, beside the place where it will be.
struct Target {
    path: PathBuf,
    file: NamedTempFile,
}

impl Target {
    async fn beside(path: &Path) -> Result<Self> {
        let path = path.to_owned();
        blocking(move || {
            let failed = |error: io::Error| Error::io(format_args!("cannot write {}", path.display()), &error);
            // A link stays, and what it leads to is replaced.
            let place = match fs::symlink_metadata(&path) {
                Ok(there) if there.is_symlink() => fs::canonicalize(&path).map_err(failed)?,
                _ => path.clone(),
            };
            let there = fs::metadata(&place).ok();
            if there.as_ref().is_some_and(|there| !there.is_file()) {
                return Err(Error::invalid(format!("{} is there and is no file to replace", path.display())));
            }
            let name = place
                .file_name()
                .ok_or_else(|| Error::invalid(format!("{} names no file to write", path.display())))?;
            let directory = place.parent().filter(|parent| !parent.as_os_str().is_empty());
            let mut prefix = OsString::from(".");
            prefix.push(name);
            prefix.push(".");
            let mut builder = tempfile::Builder::new();
            builder.prefix(&prefix).suffix(".part");
            let permissions = there.map(|there| there.permissions());
            #[cfg(unix)]
            if permissions.is_none() {
                // As the user's mask has it, not as for a secret.
                use std::os::unix::fs::PermissionsExt as _;
                builder.permissions(fs::Permissions::from_mode(0o666));
            }
            let file = builder.tempfile_in(directory.unwrap_or(Path::new("."))).map_err(failed)?;
            if let Some(permissions) = permissions {
                file.as_file().set_permissions(permissions).map_err(failed)?;
            }
            Ok(Self { path: place, file })
        })
        .await
    }

    async fn fill(self, body: &mut ByteStream) -> Result<u64> {
        let Self { path, file } = self;
        let failed = |error: io::Error| Error::io(format_args!("cannot write {}", path.display()), &error);
        let (file, temporary) = file.into_parts();
        let mut file = tokio::fs::File::from_std(file);
        let mut length = 0;
        while let Some(piece) = body.try_next().await? {
            file.write_all(&piece).await.map_err(failed)?;
            length += piece.len() as u64;
        }
        // Not before the bytes are safe does the name appear.
        file.sync_all().await.map_err(failed)?;
        drop(file);
        let target = path.clone();
        let renamed = blocking(move || Ok(temporary.persist(target).map_err(|error| error.error))).await?;
        renamed.map_err(failed)?;
        Ok(length)
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::io("a file operation ended early", &error.into()))?
}
