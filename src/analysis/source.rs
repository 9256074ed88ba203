//! The source of an analysis: SQL in memory, or one file.

use std::fmt;
use std::fs;
use std::io::{self, BufRead as _};
use std::path::{Path, PathBuf};

use crate::api::File;
use crate::{Error, ErrorKind, Result};

/// The sources that a caller gave, of which an analysis takes one.
#[derive(Debug, Clone, Default)]
pub(super) struct SqlSources(Vec<SqlSource>);

/// A source of SQL.
#[derive(Clone)]
pub(super) enum SqlSource {
    Text(String),
    Path(PathBuf),
}

impl SqlSources {
    pub(super) fn add(&mut self, source: SqlSource) {
        self.0.push(source);
    }

    /// Returns the source, or `None` if there is none and the request `has_other`, such as a job.
    ///
    /// # Errors
    /// `InvalidInput` unless there is exactly one source that is not empty.
    pub(super) fn only(self, has_other: bool) -> Result<Option<SqlSource>> {
        match self.0.as_slice() {
            [] if has_other => Ok(None),
            [] => Err(Error::invalid("there is nothing to analyze: give SQL, or the path of a file")),
            [SqlSource::Text(sql)] if is_blank(sql) => {
                Err(Error::invalid("the SQL to analyze is empty: give at least one statement"))
            }
            [source] => Ok(Some(source.clone())),
            many => {
                let named: Vec<_> = many.iter().map(ToString::to_string).collect();
                Err(Error::invalid(format!(
                    "an analysis takes one source of SQL, and not {}: give one of them, or submit all of them as a job",
                    named.join(" and ")
                )))
            }
        }
    }
}

impl fmt::Display for SqlSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(sql) => write!(f, "SQL in memory ({} bytes)", sql.len()),
            Self::Path(path) => write!(f, "the file {}", path.display()),
        }
    }
}

/// Shows the length of SQL, and not the SQL.
impl fmt::Debug for SqlSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Opens a file to upload.
pub(super) async fn open(path: PathBuf) -> Result<File> {
    blocking(move || {
        check_is_no_directory(&path)?;
        check_is_not_blank(&path)?;
        File::open(&path)
    })
    .await
}

/// Reads a file for an operation that takes text only.
pub(super) async fn read(path: PathBuf, operation: &'static str, limit: u64) -> Result<String> {
    blocking(move || {
        check_is_no_directory(&path)?;
        let unreadable = |error| Error::unreadable(&path, &error);
        let length = fs::metadata(&path).map_err(unreadable)?.len();
        if length > limit {
            let text = format!("{} has {length} bytes, over the upload limit of {limit}", path.display());
            return Err(Error::new(ErrorKind::TooLarge, text));
        }
        let bytes = fs::read(&path).map_err(unreadable)?;
        let text = String::from_utf8(bytes).map_err(|error| {
            Error::invalid(format!(
                "{} is not UTF-8 (at byte {}), and {operation} takes text instead of files: save the file as UTF-8, \
                 or submit it as a job",
                path.display(),
                error.utf8_error().valid_up_to()
            ))
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        if is_blank(text) {
            return Err(empty(&path));
        }
        Ok(text.to_owned())
    })
    .await
}

/// Returns `true` if a text has nothing but whitespace and byte order marks, of which no server can make a statement.
pub(super) fn is_blank(text: &str) -> bool {
    text.chars().all(|letter| letter.is_whitespace() || letter == BYTE_ORDER_MARK)
}

const BYTE_ORDER_MARK: char = '\u{feff}';

fn empty(path: &Path) -> Error {
    Error::invalid(format!("{} is empty: give at least one statement", path.display()))
}

/// Checks that a file has more than whitespace. Files whose text begins soon are hardly read.
fn check_is_not_blank(path: &Path) -> Result<()> {
    let unreadable = |error| Error::unreadable(path, &error);
    // What is read from a pipe cannot be read again to be sent.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Ok(());
    }
    let mut file = io::BufReader::new(fs::File::open(path).map_err(unreadable)?);
    let mut mark = BYTE_ORDER_MARK.to_string().into_bytes();
    loop {
        let bytes = file.fill_buf().map_err(unreadable)?;
        if bytes.is_empty() {
            return Err(empty(path));
        }
        let is_text = |byte: &u8| {
            let is_mark = mark.first() == Some(byte);
            if is_mark {
                mark.remove(0);
            }
            !is_mark && !byte.is_ascii_whitespace()
        };
        if bytes.iter().any(is_text) {
            return Ok(());
        }
        let length = bytes.len();
        file.consume(length);
    }
}

fn check_is_no_directory(path: &Path) -> Result<()> {
    let metadata = fs::metadata(path).map_err(|error| Error::unreadable(path, &error))?;
    if metadata.is_dir() {
        return Err(Error::invalid(format!(
            "{} is a directory, and an analysis takes one file: submit it as a job",
            path.display()
        )));
    }
    Ok(())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::io("cannot read the file to analyze", &error.into()))?
}
