//! A directory whose folders are jobs.

use std::fs;
use std::path::Path;

use super::manifest::{Place, PlannedJob, is_hidden};
use super::options::JobOptions;
use crate::exit::Outcome;
use crate::messages::Messages;

/// The number of files that a message names.
const SHOWN: usize = 3;

/// Returns a job for each folder, in the order of their names. Hidden ones are left out.
///
/// # Errors
/// The directory cannot be read, has SQL beside its folders, or a folder whose name is not Unicode.
pub(super) fn read(directory: &Path, messages: &Messages) -> Outcome<Vec<PlannedJob>> {
    let place = Place { file: directory.into(), line: None };
    let (mut jobs, mut sql, mut other) = (Vec::new(), Vec::new(), Vec::new());
    for entry in fs::read_dir(directory).map_err(|error| place.refuse(error))? {
        let path = entry.map_err(|error| place.refuse(error))?.path();
        let Some(name) = path.file_name().filter(|name| !is_hidden(name)) else { continue };
        let Some(name) = name.to_str().map(str::to_owned) else {
            return Err(place
                .refuse(format_args!("the name of {} is not Unicode", path.display()))
                .help("rename it, or write a manifest, where a job has any key"));
        };
        if path.is_dir() {
            let (options, place) = (JobOptions::default(), place.clone());
            jobs.push(PlannedJob { key: name, paths: vec![path], options, place });
        } else {
            let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
            if matches!(extension.as_deref(), Some("sql" | "zip")) { sql.push(name) } else { other.push(name) }
        }
    }
    if !sql.is_empty() {
        return Err(place.refuse(format_args!("there is SQL beside the folders: {}", listed(&mut sql))).help(
            "each folder is a job: move these files into one, list them in a manifest, or use `sqlflow lineage`",
        ));
    }
    if !other.is_empty() {
        messages.warning(format_args!(
            "{place}: only folders are jobs, so that these files are left out: {}",
            listed(&mut other)
        ));
    }
    if jobs.is_empty() {
        return Err(place.refuse("there are no folders in this directory").help("each folder in it would be a job"));
    }
    jobs.sort_by(|first, second| first.key.cmp(&second.key));
    Ok(jobs)
}

/// Returns the first few names in a sentence.
fn listed(names: &mut [String]) -> String {
    names.sort();
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
