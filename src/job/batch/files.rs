//! The files of exports: formats, names made of keys, and the partial files that a killed run left behind.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fmt::{self, Write as _};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::sync::lock;
use crate::{Error, Job, Result};

/// In what form a [`Batch`](super::Batch) exports, with the options that a server takes by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ExportFormat {
    /// The lineage as drawn, `.json`. See [`Job::export_lineage_as_json`].
    Json,
    /// The full lineage, `.full.json`. See [`Job::export_full_lineage_as_json`].
    FullJson,
    /// The full lineage, `.csv`. See [`Job::export_full_lineage_as_csv`].
    Csv,
    /// The lineage for yEd, `.graphml`. See [`Job::export_lineage_as_graphml`].
    Graphml,
}

/// The maximum length of a file name, which leaves room on common file systems for what is added while it is written.
const LONGEST: usize = 200;
/// The pattern of the name of a partial file: `.name.a1B2c3.part`.
const RANDOM: usize = ".a1B2c3".len();

impl ExportFormat {
    /// The extension of its files, without the dot.
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

/// As its extension.
impl fmt::Display for ExportFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.extension())
    }
}

/// The name of a key as a file, without an extension. No two keys have the same.
///
/// # Errors
/// `InvalidInput` for a key that is empty or too long.
pub(super) fn name_of(key: &str) -> Result<String> {
    // Else the full lineage of `a` and the drawn one of `a.full` were one file.
    let full = key.strip_suffix(".full").map(str::len);
    let mut name = String::new();
    for (at, byte) in key.bytes().enumerate() {
        let is_dot_to_hide = byte == b'.' && (at == 0 || Some(at) == full);
        if !is_dot_to_hide && (byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')) {
            name.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            let _written = write!(name, "%{byte:02X}");
        }
    }
    match name.len() {
        0 => Err(Error::invalid("the key is empty: files are named after it")),
        1..=LONGEST => Ok(name),
        length => Err(Error::invalid(format!(
            "the key that begins with {:?} is too long: as the name of a file it has {length} bytes, and {LONGEST} are \
             possible",
            key.chars().take(40).collect::<String>()
        ))),
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
pub(super) async fn is_there(path: &Path, bytes: u64) -> bool {
    tokio::fs::metadata(path).await.is_ok_and(|there| there.is_file() && there.len() == bytes)
}

/// Files that a killed run had begun to write, by the file they were to become.
///
/// Looked for once, when a run begins, and deleted where this run writes the same file again: whatever else is in the
/// directory may belong to another program.
#[derive(Debug, Default)]
pub(super) struct PartialFiles(Mutex<HashMap<PathBuf, Vec<PathBuf>>>);

impl PartialFiles {
    /// Makes the directories and looks through them. Blocks.
    pub(super) fn in_directories(export_targets: &[ExportTarget]) -> Result<Self> {
        let mut found: HashMap<PathBuf, Vec<PathBuf>> = HashMap::new();
        for (index, ExportTarget { directory, .. }) in export_targets.iter().enumerate() {
            if export_targets[..index].iter().any(|earlier| earlier.directory == *directory) {
                continue;
            }
            let failed = |error: io::Error| Error::io(format_args!("cannot export to {}", directory.display()), &error);
            fs::create_dir_all(directory).map_err(failed)?;
            for entry in fs::read_dir(directory).map_err(failed)? {
                let name = entry.map_err(failed)?.file_name();
                if let Some(whole) = whole_of(&name) {
                    found.entry(directory.join(whole)).or_default().push(directory.join(&name));
                }
            }
        }
        Ok(Self(Mutex::new(found)))
    }

    pub(super) async fn delete(&self, file: &Path) {
        let partial_files = lock(&self.0).remove(file);
        for part in partial_files.unwrap_or_default() {
            if let Err(error) = tokio::fs::remove_file(&part).await {
                tracing::warn!(part = %part.display(), %error, "what an earlier run left cannot be deleted");
            }
        }
    }
}

/// Returns the file that a partial file was to become.
fn whole_of(part: &OsStr) -> Option<OsString> {
    let named = part.to_str()?.strip_prefix('.')?.strip_suffix(".part")?;
    let (whole, random) = named.split_at_checked(named.len().checked_sub(RANDOM)?)?;
    let is_random = random.strip_prefix('.')?.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (is_random && !whole.is_empty()).then(|| whole.into())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::ErrorKind;

    #[test]
    fn keys_that_are_no_file_names_become_some() {
        for (key, name) in [
            ("nightly-2024.01_x", "nightly-2024.01_x"),
            ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"),
            (".", "%2E"),
            ("..", "%2E."),
            (".hidden", "%2Ehidden"),
            ("a/b", "a%2Fb"),
            ("a%2Fb", "a%252Fb"),
            ("C:\\x", "C%3A%5Cx"),
            ("ä", "%C3%A4"),
            ("a\0\n", "a%00%0A"),
            ("a.full", "a%2Efull"),
            (".full", "%2Efull"),
            ("a.full.json", "a.full.json"),
        ] {
            assert_eq!(name_of(key).unwrap(), name);
        }
    }

    #[test]
    fn no_two_keys_share_a_file() {
        let pieces = ["", "a", "A", ".", "full", ".full", "%", "%2E", "/", "json", ".json", "ä"];
        let mut keys: HashSet<String> = HashSet::new();
        for one in pieces {
            for two in pieces {
                keys.extend(pieces.map(|three| format!("{one}{two}{three}")));
            }
        }
        keys.remove("");
        let formats = [ExportFormat::Json, ExportFormat::FullJson, ExportFormat::Csv, ExportFormat::Graphml];
        let export_targets = formats.map(|format| ExportTarget { format, directory: PathBuf::new() });
        let mut files = HashSet::new();
        for key in &keys {
            let name = name_of(key).unwrap();
            for export_target in &export_targets {
                assert!(files.insert(export_target.file(&name)), "{key:?} has the file of another");
            }
        }
    }

    #[test]
    fn keys_that_cannot_name_a_file_are_refused() {
        for key in [String::new(), "x".repeat(LONGEST + 1), "/".repeat(LONGEST / 3 + 1)] {
            assert_eq!(name_of(&key).unwrap_err().kind(), ErrorKind::InvalidInput);
        }
        assert!(name_of(&"x".repeat(LONGEST)).is_ok());
    }

    #[tokio::test]
    async fn parts_of_one_file_are_deleted_and_nothing_else() {
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
    async fn what_an_export_leaves_when_it_is_cut_off_is_known_as_a_part() {
        let part = tempfile::Builder::new().prefix(".a.full.json.").suffix(".part").tempfile().unwrap();
        assert_eq!(whole_of(part.path().file_name().unwrap()).unwrap(), "a.full.json");
    }
}
