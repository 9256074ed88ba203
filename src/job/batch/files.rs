//! The files of exports: formats, and the partial files that a killed run left behind.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::sync::lock;
use crate::{Error, Job, Result};

/// A format in which a [`Batch`](super::Batch) exports, with the default options of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ExportFormat {
    /// The lineage as drawn, `.json`. Servers cut it to a summary if it has more than 1,000 relationships (by default),
    /// and the file is then that summary. See [`Job::export_lineage_as_json`].
    Json,
    /// The full lineage, `.full.json`. See [`Job::export_full_lineage_as_json`].
    FullJson,
    /// The full lineage, `.csv`. See [`Job::export_full_lineage_as_csv`].
    Csv,
    /// The lineage for yEd, `.graphml`. See [`Job::export_lineage_as_graphml`].
    Graphml,
}

/// The length of the random part in the name of a partial file, `.name.a1B2c3.part`.
const RANDOM_SUFFIX_BYTES: usize = ".a1B2c3".len();

impl ExportFormat {
    const ALL: [Self; 4] = [Self::Json, Self::FullJson, Self::Csv, Self::Graphml];

    /// Returns the extension of the files, without the dot.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::FullJson => "full.json",
            Self::Csv => "csv",
            Self::Graphml => "graphml",
        }
    }

    pub(super) async fn write(self, job: &Job, path: &Path) -> Result<u64> {
        match self {
            Self::Json => job.export_lineage_as_json().to_file(path).await,
            Self::FullJson => job.export_full_lineage_as_json().to_file(path).await,
            Self::Csv => job.export_full_lineage_as_csv().to_file(path).await,
            Self::Graphml => job.export_lineage_as_graphml().to_file(path).await,
        }
    }
}

/// Writes the extension.
impl fmt::Display for ExportFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.extension())
    }
}

/// Reads the extension, in upper or lower case, such as a command line option.
///
/// ```
/// use sqlflow_client::job::ExportFormat;
///
/// assert_eq!("full.json".parse::<ExportFormat>()?, ExportFormat::FullJson);
/// # Ok::<(), sqlflow_client::Error>(())
/// ```
impl FromStr for ExportFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let format = Self::ALL.into_iter().find(|format| format.extension().eq_ignore_ascii_case(text.trim()));
        format.ok_or_else(|| {
            let known = Self::ALL.map(Self::extension).join(", ");
            Error::invalid(format!("{text:?} is not a format of exports: use one of {known}"))
        })
    }
}

/// A directory to export to, with the format of its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ExportTarget {
    pub(super) format: ExportFormat,
    pub(super) directory: PathBuf,
}

impl ExportTarget {
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.{}", self.format.extension()))
    }
}

/// Returns `true` if a file of this length exists.
pub(super) async fn exists_with_length(path: &Path, bytes: u64) -> bool {
    tokio::fs::metadata(path).await.is_ok_and(|there| there.is_file() && there.len() == bytes)
}

/// The partial files that a killed run left behind, by the path of the file that each would have become.
///
/// A run looks for them once, at its start, and deletes those of a file when it writes that file again. Everything else
/// in the directory may belong to another program.
#[derive(Debug, Default)]
pub(super) struct PartialFiles(Mutex<HashMap<PathBuf, Vec<PathBuf>>>);

impl PartialFiles {
    /// Creates the directories and lists the partial files in them. Those in a directory that the user may write and not
    /// read stay where they are. Blocks.
    pub(super) fn in_directories(export_targets: &[ExportTarget]) -> Result<Self> {
        let mut found: HashMap<PathBuf, Vec<PathBuf>> = HashMap::new();
        for (index, ExportTarget { directory, .. }) in export_targets.iter().enumerate() {
            if export_targets[..index].iter().any(|earlier| earlier.directory == *directory) {
                continue;
            }
            let failed = |error: io::Error| Error::io(format_args!("cannot export to {}", directory.display()), &error);
            fs::create_dir_all(directory).map_err(failed)?;
            let entries = match fs::read_dir(directory) {
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    tracing::warn!(
                        target: "sqlflow_client::batch",
                        directory = %directory.display(),
                        %error,
                        "cannot look for the partial files of earlier runs"
                    );
                    continue;
                }
                entries => entries.map_err(failed)?,
            };
            for entry in entries {
                let name = entry.map_err(failed)?.file_name();
                if let Some(whole) = final_name(&name) {
                    found.entry(directory.join(whole)).or_default().push(directory.join(&name));
                }
            }
        }
        Ok(Self(Mutex::new(found)))
    }

    /// Deletes the partial files of this file.
    pub(super) async fn delete(&self, file: &Path) {
        let partial_files = lock(&self.0).remove(file);
        for part in partial_files.unwrap_or_default() {
            if let Err(error) = tokio::fs::remove_file(&part).await {
                tracing::warn!(
                    target: "sqlflow_client::batch",
                    part = %part.display(),
                    %error,
                    "cannot delete the partial file of an earlier run"
                );
            }
        }
    }
}

/// Returns the name of the file that a partial file would have become.
fn final_name(part: &OsStr) -> Option<OsString> {
    let named = part.to_str()?.strip_prefix('.')?.strip_suffix(".part")?;
    let (whole, random) = named.split_at_checked(named.len().checked_sub(RANDOM_SUFFIX_BYTES)?)?;
    let is_random = random.strip_prefix('.')?.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (is_random && !whole.is_empty()).then(|| whole.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn a_format_is_read_from_its_extension() {
        for format in ExportFormat::ALL {
            assert_eq!(format.to_string().to_uppercase().parse::<ExportFormat>().unwrap(), format);
        }
        let error = "xlsx".parse::<ExportFormat>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        for shown in ["xlsx", "json, full.json, csv, graphml"] {
            assert!(error.to_string().contains(shown), "{error}");
        }
    }

    #[tokio::test]
    async fn only_the_partial_files_of_one_file_are_deleted() {
        let home = tempfile::tempdir().unwrap();
        let mine = [".a.csv.Xy12Zw.part", ".a.csv.000000.part"];
        let not =
            ["a.csv", ".a.csv.part", ".a.csv.12345.part", ".a.csv.x y_zä.part", ".b.csv.Xy12Zw.part", "..123456.part"];
        for name in mine.iter().chain(&not) {
            fs::write(home.path().join(name), "").unwrap();
        }
        let export_target = ExportTarget { format: ExportFormat::Csv, directory: home.path().to_owned() };
        let partial_files = PartialFiles::in_directories(&[export_target.clone(), export_target]).unwrap();
        partial_files.delete(&home.path().join("a.csv")).await;
        for name in mine {
            assert!(!home.path().join(name).exists(), "{name}");
        }
        for name in not {
            assert!(home.path().join(name).exists(), "{name}");
        }
    }

    #[tokio::test]
    async fn the_temporary_file_of_an_export_is_recognized_as_a_partial_file() {
        let part = tempfile::Builder::new().prefix(".a.full.json.").suffix(".part").tempfile().unwrap();
        assert_eq!(final_name(part.path().file_name().unwrap()).unwrap(), "a.full.json");
    }
}
