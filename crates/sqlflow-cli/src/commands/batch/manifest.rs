//! Manifests: the list of the jobs of a batch.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sqlflow_client::job::Submit;
use sqlflow_client::{Client, Vendor};

use super::options::JobOptions;
use super::{csv_manifest, directory, toml_manifest};
use crate::exit::{Failure, Outcome};
use crate::messages::Messages;

/// A job of a manifest.
#[derive(Debug, Clone)]
pub(super) struct PlannedJob {
    pub(super) key: String,
    /// The paths, which need not start at the current directory.
    pub(super) paths: Vec<PathBuf>,
    pub(super) options: JobOptions,
    pub(super) place: Place,
}

impl PlannedJob {
    pub(super) fn submission(&self, client: &Client, vendor: Vendor) -> Submit {
        self.options.apply(client.submit(vendor).paths(&self.paths))
    }
}

/// A place in a manifest, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: Arc<Path>,
    /// The line, counted from 1.
    pub(super) line: Option<u64>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        self.line.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

impl Place {
    /// Creates the error of something at this place.
    pub(super) fn refuse(&self, problem: impl fmt::Display) -> Failure {
        Failure::usage(format!("{self}: {problem}"))
    }

    /// Creates the error of something in a job at this place.
    pub(super) fn refuse_in(&self, key: &str, problem: impl fmt::Display) -> Failure {
        self.refuse(format_args!("job '{key}': {problem}"))
    }
}

/// Reads a manifest, or the folders of a directory.
///
/// # Errors
/// It cannot be read, has no jobs, uses a key twice, or names something that does not exist.
pub(super) fn read(path: &Path, messages: &Messages) -> Outcome<Vec<PlannedJob>> {
    let file = Place { file: path.into(), line: None };
    let metadata = fs::metadata(path).map_err(|error| file.refuse(error))?;
    let jobs = if metadata.is_dir() {
        directory::read(path, messages)?
    } else {
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
        let parse = match extension.as_deref() {
            Some("toml") => toml_manifest::parse,
            Some("csv") => csv_manifest::parse,
            _ => {
                return Err(file
                    .refuse("a manifest is a .toml or .csv file")
                    .help("`sqlflow batch --help` shows both; `sqlflow lineage` reads SQL directly"));
            }
        };
        let text = fs::read_to_string(path).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => file.refuse("the file is not UTF-8"),
            _ => file.refuse(error),
        })?;
        let mut jobs = parse(text.strip_prefix('\u{feff}').unwrap_or(&text), &file)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for path in jobs.iter_mut().flat_map(|job| &mut job.paths) {
            *path = folder.join(&path);
        }
        jobs
    };
    if jobs.is_empty() {
        return Err(file.refuse("there are no jobs in this manifest"));
    }
    check(&jobs)?;
    Ok(jobs)
}

fn check(jobs: &[PlannedJob]) -> Outcome<()> {
    let mut places: HashMap<&str, &Place> = HashMap::new();
    for job in jobs {
        let PlannedJob { key, paths, place, .. } = job;
        if let Some(first) = places.insert(key, place) {
            let first = first.line.map_or_else(String::new, |line| format!(", first in line {line}"));
            return Err(place.refuse(format_args!("the key '{key}' is used twice{first}")));
        }
        if paths.is_empty() {
            return Err(place.refuse_in(key, "there are no paths").help("add paths = [\"…\"] to the job"));
        }
        for path in paths {
            let metadata = fs::metadata(path);
            let is_empty = match metadata {
                Ok(metadata) if metadata.is_dir() => !has_file(path),
                Ok(_) => false,
                Err(error) => return Err(place.refuse_in(key, format_args!("{}: {error}", path.display()))),
            };
            if is_empty {
                return Err(place.refuse_in(key, format_args!("{}: there are no files in it", path.display())));
            }
        }
    }
    Ok(())
}

/// Returns `true` if there is a file in a directory that would be submitted. What cannot be read is left to the
/// submission, which says why.
fn has_file(directory: &Path) -> bool {
    let Ok(entries) = fs::read_dir(directory) else { return true };
    entries.flatten().filter(|entry| !is_hidden(&entry.file_name())).any(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => has_file(&entry.path()),
        _ => true,
    })
}

pub(super) fn is_hidden(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}
