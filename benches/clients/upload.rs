//! Submitting a job with large files.

use std::fs::File;

use reqwest::multipart::{Form, Part};
use sqlflow_client::Vendor;

use super::{FORM, Outcome, bare, operation, runtime, sdk, unknown};

pub(crate) fn upload(client: &str, url: &str, paths: &[&str]) -> Outcome {
    match client {
        "sdk" => {
            let submit = sdk(url)?.submit(Vendor::Oracle).name("nightly").paths(paths);
            Ok(runtime()?.block_on(submit.send())?.id().to_string())
        }
        "reqwest" => runtime()?.block_on(by_reqwest(url, paths)),
        other => Err(unknown("client", other)),
    }
}

async fn by_reqwest(url: &str, paths: &[&str]) -> Outcome {
    let [_, (_, user), (_, token)] = FORM;
    let form = Form::new().text("userId", user).text("token", token);
    let mut form = form.text("dbvendor", "dbvoracle").text("jobName", "nightly");
    for path in paths {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let body = reqwest::Body::from(tokio::fs::File::from_std(file));
        form = form.part("sqlfiles", Part::stream_with_length(body, length).file_name((*path).to_owned()));
    }
    let request = bare()?.post(operation(url, "submitUserJob")).multipart(form);
    Ok(request.send().await?.error_for_status()?.text().await?)
}
