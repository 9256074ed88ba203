//! Responses must never cause a panic: randomly damaged copies of real responses are either read or refused.

use sqlflow_client::api::{Envelope, SyntaxCheck, TokenEnvelope};
use sqlflow_client::job::{JobInfo, JobList, JobLookup};

const ENVELOPES: [&str; 6] = [
    r#"{"code":"200","userId":"ann","token":"eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjF9.x"}"#,
    r#"{"code":200,"data":{"jobId":"1","jobName":"n","status":"success","fileNames":["a.sql"],"onTop":false,"subJobs":[]}}"#,
    r#"{"code":200,"data":{"total":1,"success":1,"jobIds":["1"],"jobDetails":[{"jobId":"1","errorMessage":"x"}]}}"#,
    r#"{"code":203,"data":{},"error":"one\ntwo","sessionId":"s","jobId":"1"}"#,
    r#"{"code":500,"data":{"usedTime":3,"gsp.version":"3","errorInfos":[{"errorMessage":"near x"}]}}"#,
    r#"{"code":429,"error":"rate","message":"m","upgrade":{"personal_key":{"url":"https://x"}}}"#,
];

/// The texts that replace some bytes, or are inserted between two.
const PIECES: [&str; 20] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "null",
    "true",
    "0",
    "-1",
    "1e999",
    "99999999999999999999",
    "\"\"",
    "{}",
    "[]",
    "\\u0000",
    "\\ud800",
    "\u{feff}",
    "\u{0}",
];

/// Makes one to four changes at random places: removes, repeats, replaces or inserts bytes.
fn damaged(random: &mut fastrand::Rng, sound: &[u8]) -> Vec<u8> {
    let mut bytes = sound.to_vec();
    for _ in 0..random.usize(1..=4) {
        let place = random.usize(0..=bytes.len());
        let end = (place + random.usize(0..40)).min(bytes.len());
        let piece = PIECES[random.usize(0..PIECES.len())].bytes();
        match random.u8(0..5) {
            0 => drop(bytes.drain(place..end)),
            1 => bytes.truncate(place),
            2 => bytes.extend_from_within(place..end),
            3 => drop(bytes.splice(place..end, piece)),
            _ => drop(bytes.splice(place..place, piece)),
        }
    }
    bytes
}

#[test]
fn damaged_envelopes_are_read_or_refused() {
    let mut random = fastrand::Rng::with_seed(7);
    let (mut read, mut refused) = (0, 0);
    for _ in 0..20_000 {
        let sound = ENVELOPES[random.usize(0..ENVELOPES.len())];
        let body = damaged(&mut random, sound.as_bytes());
        let outcomes = [
            serde_json::from_slice::<Envelope<JobInfo>>(&body).map(|it| it.into_data().is_ok()),
            serde_json::from_slice::<Envelope<JobLookup>>(&body).map(|it| it.into_data().is_ok()),
            serde_json::from_slice::<Envelope<JobList>>(&body).map(|it| it.into_data().is_ok()),
            serde_json::from_slice::<Envelope<SyntaxCheck>>(&body).map(|it| it.warnings().count() > 0),
            serde_json::from_slice::<TokenEnvelope>(&body).map(|it| it.into_token().is_ok()),
        ];
        for outcome in outcomes {
            if outcome.is_ok() { read += 1 } else { refused += 1 }
        }
    }
    assert!(read > 1000 && refused > 1000, "{read} read, {refused} refused: the damage is too small or too great");
}
