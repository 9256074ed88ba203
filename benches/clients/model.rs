//! Exporting a lineage into memory, as something that a program can ask.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::derived::{Document, DrawnDocument};
use super::{FORM, Outcome, bare, operation, runtime, sdk_job, unknown};

/// Reads an export, and returns the number of its relationships.
pub(crate) fn read(client: &str, kind: &str, url: &str) -> Outcome {
    let relationships = match (client, kind) {
        ("sdk", "full") => {
            let lineage = runtime()?.block_on(sdk_job(url)?.export_full_lineage_as_json().send())?;
            let count = lineage.relationships().len();
            std::mem::forget(lineage);
            count
        }
        ("sdk", "drawn") => {
            let lineage = runtime()?.block_on(sdk_job(url)?.export_lineage_as_json().lineage())?;
            let count = lineage.relationships().len();
            std::mem::forget(lineage);
            count
        }
        ("value", "full") => {
            by_reqwest(url, kind, |value: &Value| value["data"]["relationships"].as_array().map_or(0, Vec::len))?
        }
        ("value", "drawn") => by_reqwest(url, kind, |value: &Value| {
            value["data"]["sqlflow"]["relationships"].as_array().map_or(0, Vec::len)
        })?,
        ("derived", "full") => by_reqwest(url, kind, |document: &Document| document.data.relationships.len())?,
        ("derived", "drawn") => {
            by_reqwest(url, kind, |document: &DrawnDocument| document.data.sqlflow.relationships.len())?
        }
        _ => return Err(unknown("client for this kind of export:", &format!("{client} {kind}"))),
    };
    Ok(format!("{relationships} relationships"))
}

fn by_reqwest<T: DeserializeOwned>(
    url: &str,
    kind: &str,
    count: impl FnOnce(&T) -> usize,
) -> Result<usize, Box<dyn std::error::Error>> {
    let name = if kind == "full" { "exportFullLineageAsJson" } else { "exportLineageAsJson" };
    runtime()?.block_on(async {
        let response = bare()?.post(operation(url, name)).form(&FORM).send().await?.error_for_status()?;
        let document = response.json().await?;
        let count = count(&document);
        std::mem::forget(document);
        Ok(count)
    })
}
