//! Exporting a lineage to a file.

use std::fs::File;
use std::io::Write;

use super::{FORM, Outcome, bare, operation, runtime, sdk_job, unknown};

pub(crate) fn download(client: &str, url: &str, path: &str) -> Outcome {
    let bytes = match client {
        "sdk" => runtime()?.block_on(sdk_job(url)?.export_full_lineage_as_json().to_file(path))?,
        "reqwest" => runtime()?.block_on(by_reqwest(url, path))?,
        other => return Err(unknown("client", other)),
    };
    Ok(format!("{bytes} bytes"))
}

async fn by_reqwest(url: &str, path: &str) -> Result<u64, Box<dyn std::error::Error>> {
    let request = bare()?.post(operation(url, "exportFullLineageAsJson")).form(&FORM);
    let mut response = request.send().await?.error_for_status()?;
    let (mut file, mut bytes) = (File::create(path)?, 0);
    while let Some(chunk) = response.chunk().await? {
        file.write_all(&chunk)?;
        bytes += chunk.len() as u64;
    }
    Ok(bytes)
}
