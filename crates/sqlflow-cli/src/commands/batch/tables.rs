//! The tables of the jobs of a batch: one directory for each job, which together are one data set.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sqlflow_client::Client;
use sqlflow_client::job::BatchOutcome;
use sqlflow_client::lineage::Tables;

use super::outcome::{KnownResult, limit_of_state};
use crate::exit::{Failure, Outcome};
use crate::output::parquet::{failed, write_directory};

/// The number of bytes that the name of a directory may have, on all common file systems.
const MAX_NAME_BYTES: usize = 255;

/// The value of a partition that stands for none.
const NO_VALUE: &str = "__HIVE_DEFAULT_PARTITION__";

/// The characters that Hive escapes in the values of partitions, in addition to control characters, and those that file
/// systems refuse.
const SPECIAL: &str = " \"#%'*/:=?\\{[]^<>|\u{7f}";

/// The tables of a job.
pub(super) struct WrittenTables {
    pub(super) directory: PathBuf,
    /// The result of the job, if it was read to write them now.
    pub(super) known: Option<KnownResult>,
}

/// Checks that a key can be the name of a directory.
///
/// # Errors
/// It is too long.
pub(super) fn check(key: &str) -> Outcome<()> {
    let name = partition(key);
    if name.len() <= MAX_NAME_BYTES {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "job '{key}': its directory would have a name of {} bytes, and {MAX_NAME_BYTES} are possible",
        name.len()
    ))
    .help("give the job a shorter key, in a manifest"))
}

/// Writes the tables of a job that is done, unless an earlier run of this journal did.
///
/// # Errors
/// The lineage cannot be read, or the directory cannot be written or is not ours.
pub(super) async fn write(client: &Client, outcome: &BatchOutcome, out: &Path) -> Outcome<WrittenTables> {
    let key = outcome.key().to_owned();
    check(&key)?;
    let directory = out.join(partition(&key));
    match Tables::job_of_parquet_directory(&directory).map_err(|error| failed(&error))? {
        Some(job) if job == key && outcome.was_done_before() => return Ok(WrittenTables { directory, known: None }),
        // Those of an earlier job with this key, which is another one in this journal.
        Some(job) if job == key => {}
        // Some file systems do not tell names in upper case from those in lower case.
        Some(job) => {
            return Err(Failure::usage(format!("{} holds the tables of the job '{job}'", directory.display()))
                .help("choose another directory, or keys that differ in more than their case"));
        }
        None => {}
    }
    // The file of the export does not tell which relationships were requested; the server does.
    let id = outcome.job_id().ok_or_else(|| Failure::error(format!("the id of the job '{key}' is not known")))?;
    let lineage = client.job(id.clone()).lineage().await?;
    let limit = limit_of_state(client, outcome).await;
    let (shared, reasons, place) = (lineage.clone(), Vec::from_iter(limit.clone()), directory.clone());
    blocking(move || {
        if let Some(parent) = place.parent() {
            let cannot = |error| Failure::io(format_args!("cannot create {}", parent.display()), &error);
            std::fs::create_dir_all(parent).map_err(cannot)?;
        }
        write_directory(&shared, &key, &reasons, &place)
    })
    .await?;
    Ok(WrittenTables { directory, known: Some(KnownResult { lineage, limit }) })
}

/// Does work that takes long on another thread, so that other jobs go on.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Outcome<T> + Send + 'static) -> Outcome<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => Err(Failure::error(format!("cannot write the tables: {error}"))),
    }
}

/// Returns the name of the directory of a job as Hive writes partitions, so that engines read the key as it is.
///
/// Letters that are not ASCII stay, because Spark takes each escape for one character. A space is escaped because names
/// must not end with one everywhere.
fn partition(key: &str) -> String {
    let mut name = String::from("job=");
    for (at, character) in key.char_indices() {
        let is_special = SPECIAL.contains(character) || character < ' ';
        // A name that ends with a dot is another one on Windows.
        let is_last_dot = character == '.' && at + 1 == key.len();
        if is_special || is_last_dot || (key == NO_VALUE && at == 0) {
            // A string takes every text.
            let _ = write!(name, "%{:02X}", u32::from(character));
        } else {
            name.push(character);
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_escaped_as_hive_escapes_the_values_of_partitions() {
        for (key, name) in [
            ("orders", "job=orders"),
            ("etl/a b.sql", "job=etl%2Fa%20b.sql"),
            ("x=1:2%", "job=x%3D1%3A2%25"),
            ("größe-🦀", "job=größe-🦀"),
            ("..", "job=.%2E"),
            ("a\nb\u{7f}", "job=a%0Ab%7F"),
            ("__HIVE_DEFAULT_PARTITION__", "job=%5F_HIVE_DEFAULT_PARTITION__"),
        ] {
            assert_eq!(partition(key), name);
        }
        assert!(check(&"k".repeat(251)).is_ok());
        let error = check(&"/".repeat(84)).unwrap_err();
        assert!(error.message.contains("256 bytes"), "{error}");
    }
}
