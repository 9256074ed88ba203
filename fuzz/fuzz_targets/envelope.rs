//! Reads any bytes as the response of an operation: they are read or refused, without a panic or a hang. Errors stay
//! short, and a job that was read stays the same after a round trip through JSON.
//!
//! ```text
//! mkdir -p fuzz/corpus/envelope && cd fuzz/corpus/envelope
//! echo '{"code":200,"data":{"jobId":"1","status":"success","fileNames":["a.sql"]}}' > job
//! echo '{"code":203,"data":{"total":1,"jobDetails":[{"jobId":"1","onTop":"true"}]},"error":"one"}' > list
//! echo '{"code":500,"data":{"usedTime":3,"errorInfos":[{"errorMessage":"near x"}]}}' > syntax
//! echo '{"code":"200","userId":"ann","token":"x.y.z"}' > token
//! cd - && cargo +nightly fuzz run -s none envelope fuzz/corpus/envelope -- \
//!     -dict=fuzz/envelope.dict -max_len=4096 -timeout=10 -runs=2000000
//! ```
//! There is no unsafe code to check, so the fuzzer runs without a sanitizer, which is faster.

#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlflow_client::api::{Envelope, SyntaxCheck, TokenEnvelope};
use sqlflow_client::job::{JobInfo, JobLookup, JobList};
use sqlflow_client::{Error, ErrorKind};

fuzz_target!(|body: &[u8]| {
    if let Some(job) = read::<JobInfo>(body) {
        survives(&job);
    }
    for job in read::<JobLookup>(body).into_iter().flat_map(|found| found.jobs) {
        survives(&job);
    }
    if let Some(list) = read::<JobList>(body) {
        list.jobs.iter().for_each(survives);
        assert!(list.unread.len() + list.jobs.len() <= body.len(), "entries out of nothing");
    }
    if let Some(check) = read::<SyntaxCheck>(body) {
        assert!(!format!("{check:?}").is_empty());
    }
    if let Ok(token) = serde_json::from_slice::<TokenEnvelope>(body) {
        assert!(!format!("{token:?}").is_empty());
        if let Err(error) = token.into_token() {
            is_short(&error);
        }
    }
});

/// Reads a response as the client does.
fn read<T: DeserializeOwned + Debug + Clone>(body: &[u8]) -> Option<T> {
    let envelope: Envelope<T> = serde_json::from_slice(body).ok()?;
    assert!(!format!("{envelope:?}").is_empty());
    assert!(envelope.is_success() || envelope.warnings().next().is_none(), "a failure has no warnings");
    let verdict = envelope.check();
    assert_eq!(verdict.is_ok(), envelope.is_success());
    match envelope.into_data() {
        Ok(data) => {
            assert!(verdict.is_ok(), "data of a failure");
            Some(data)
        }
        Err(error) => {
            is_short(&error);
            assert!(verdict.is_err() || error.kind() == ErrorKind::Protocol, "{error}");
            None
        }
    }
}

/// Asserts that an error quotes a server in a few lines at most, however long the response was.
fn is_short(error: &Error) {
    let text = error.to_string();
    assert!(!text.is_empty() && text.chars().count() < 1200, "{text}");
    assert!(!format!("{error:?}").is_empty());
}

fn survives(job: &JobInfo) {
    assert!(!format!("{job:?}").is_empty() && (!job.status.is_final() || !job.status.to_string().is_empty()));
    let written = serde_json::to_vec(job).expect("a job is no more than JSON");
    let again: JobInfo = serde_json::from_slice(&written).expect("what was written can be read");
    let mut kept = job.other.values().chain(&job.data_source).chain(&job.sub_jobs);
    assert!(again == *job || !kept.all(is_exact), "what was written is read as another job: {again:?} {job:?}");
}

/// Returns `true` if the value contains no fraction: `serde_json` reads fractions fast, and may be off by the
/// last digit.
fn is_exact(value: &Value) -> bool {
    match value {
        Value::Number(number) => !number.is_f64(),
        Value::Array(values) => values.iter().all(is_exact),
        Value::Object(fields) => fields.values().all(is_exact),
        _ => true,
    }
}
