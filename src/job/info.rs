//! What servers tell of jobs. Owns every field of the job object and the two forms it comes in.

use std::fmt;

use serde::de::{Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use sqlflow_lineage::open_enum;

use super::JobId;
use crate::Vendor;
use crate::api::text_of;

open_enum! {
    /// The state of a job.
    ///
    /// No list of states is published, so the set is open: a state that is not listed here is
    /// [`Other`](JobStatus::Other), and the job counts as *still running*.
    pub enum JobStatus {
        /// Any other state, as the server spells it; empty if the server names none. The job still runs.
        Other(String);
        /// The job is accepted and has not begun.
        Created = "create",
        /// The job is running. Not every server reports this state.
        Running = "running",
        /// The job is finished.
        Success = "success",
        /// The job is finished, with errors in part of the SQL.
        PartialSuccess = "partial_success",
        /// The job ended without a result; [`JobInfo::error_message`] gives the reason.
        Failed = "fail",
        /// The job is deleted.
        Deleted = "delete",
    }
    impl FromIgnoringCase, Serialize;
}

impl JobStatus {
    /// Returns `true` if the state will not change any more.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Success | Self::PartialSuccess | Self::Failed | Self::Deleted)
    }

    /// Returns `true` if there is a result to export, whole or in part.
    #[must_use]
    pub fn has_result(&self) -> bool {
        matches!(self, Self::Success | Self::PartialSuccess)
    }
}

impl Default for JobStatus {
    fn default() -> Self {
        Self::Other(String::new())
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_str() {
            "" => f.pad("unknown"),
            text => f.pad(text),
        }
    }
}

impl<'de> Deserialize<'de> for JobStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(text(deserializer)?.as_deref().map_or_else(Self::default, Self::from))
    }
}

/// A job as its server describes it. Only the id is sure to be there.
///
/// Texts, numbers and booleans are taken in either spelling (`5`, `"5"`): versions differ, and a field that nobody
/// asks for must not end a wait. What is not listed here is in [`other`](JobInfo::other).
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct JobInfo {
    /// The id.
    #[serde(rename = "jobId")]
    pub id: JobId,
    /// The name it was submitted under.
    #[serde(rename = "jobName", default, deserialize_with = "text")]
    pub name: Option<String>,
    /// The state.
    #[serde(default)]
    pub status: JobStatus,
    /// Why it failed, or what went wrong in part.
    #[serde(default, deserialize_with = "text")]
    pub error_message: Option<String>,
    /// The dialect of its SQL.
    #[serde(default, deserialize_with = "vendor")]
    pub db_vendor: Option<Vendor>,
    /// The names of its files.
    #[serde(default, deserialize_with = "texts")]
    pub file_names: Vec<String>,
    /// When it was made: `YYYY-MM-DD HH:MM:SS`, in a zone that the server does not tell.
    #[serde(default, deserialize_with = "text")]
    pub create_time: Option<String>,
    /// When it last ran, likewise.
    #[serde(default, deserialize_with = "text")]
    pub last_execute_time: Option<String>,
    /// How long it ran, as text: `0min 1sec`.
    #[serde(default, deserialize_with = "text")]
    pub execute_time: Option<String>,
    /// How long it ran, in milliseconds.
    #[serde(default, deserialize_with = "number")]
    pub execute_time_millis: Option<i64>,
    /// Whose it is.
    #[serde(default, deserialize_with = "text")]
    pub user_id: Option<String>,
    /// Their address.
    #[serde(default, deserialize_with = "text")]
    pub user_email: Option<String>,
    /// Names its result in questions about it.
    #[serde(default, deserialize_with = "text")]
    pub session_id: Option<String>,
    /// The database it read from.
    #[serde(default)]
    pub data_source: Option<Value>,
    /// Database of names that carry none.
    #[serde(default, deserialize_with = "text")]
    pub default_database: Option<String>,
    /// Schema of names that carry none.
    #[serde(default, deserialize_with = "text")]
    pub default_schema: Option<String>,
    /// The relation types it shows, comma-separated.
    #[serde(default, deserialize_with = "text")]
    pub show_relation_type: Option<String>,
    /// Whether intermediate record sets are left out.
    #[serde(default, deserialize_with = "flag")]
    pub ignore_record_set: Option<bool>,
    /// Whether function calls are left out.
    #[serde(default, deserialize_with = "flag")]
    pub ignore_function: Option<bool>,
    /// Whether literals are shown.
    #[serde(default, deserialize_with = "flag")]
    pub show_constant_table: Option<bool>,
    /// Whether the expressions that values pass through are shown.
    #[serde(default, deserialize_with = "flag")]
    pub show_transform: Option<bool>,
    /// What an aggregate function passes on: `direct`, …
    #[serde(default, deserialize_with = "text")]
    pub dataflow_of_aggregate_function: Option<String>,
    /// Whether database metadata came with it.
    #[serde(default, deserialize_with = "flag")]
    pub has_metadata: Option<bool>,
    /// Whether it is kept at the top of the list.
    #[serde(default, deserialize_with = "flag")]
    pub on_top: Option<bool>,
    /// Whether its files are analysed in parallel.
    #[serde(default, deserialize_with = "flag")]
    pub parallel: Option<bool>,
    /// Whether it is a regular job.
    #[serde(default, deserialize_with = "flag")]
    pub persist: Option<bool>,
    /// Whether it takes further batches.
    #[serde(default, deserialize_with = "flag")]
    pub incremental: Option<bool>,
    /// Whether it runs by schedule.
    #[serde(default, deserialize_with = "flag")]
    pub schedulable: Option<bool>,
    /// Whether its schedule was cancelled.
    #[serde(default, deserialize_with = "flag")]
    pub cancel_schedule: Option<bool>,
    /// The batches of a regular job.
    #[serde(default, deserialize_with = "values")]
    pub sub_jobs: Vec<Value>,
    /// The version of the server.
    #[serde(default, deserialize_with = "text")]
    pub version: Option<String>,
    /// All other fields.
    #[serde(flatten)]
    pub other: Map<String, Value>,
    /// What the server had to say beside its answer (code 203), a line each.
    #[serde(skip)]
    pub warnings: Vec<String>,
}

/// Every job of a user, finished ones too.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(from = "Listed")]
#[non_exhaustive]
pub struct JobsSummary {
    /// How many there are.
    pub total: Option<i64>,
    /// How many ended well.
    pub success: Option<i64>,
    /// How many ended well in part.
    pub partial_success: Option<i64>,
    /// How many failed.
    pub fail: Option<i64>,
    /// Their ids, where the server lists them apart.
    pub job_ids: Vec<JobId>,
    /// The jobs.
    pub jobs: Vec<JobInfo>,
    /// Entries of the list that are no jobs: they have no id.
    pub unread: Vec<Value>,
    /// All other fields.
    pub other: Map<String, Value>,
    /// What the server had to say beside its answer (code 203), a line each.
    pub warnings: Vec<String>,
}

/// The same list for one who looks for some of its jobs: the others are not read. A user may have 100,000, and a job
/// that is read is much larger than its text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JobList {
    #[serde(default, deserialize_with = "number")]
    total: Option<i64>,
    #[serde(default)]
    job_ids: Option<Vec<IgnoredAny>>,
    #[serde(default)]
    job_details: Option<Vec<Box<RawValue>>>,
}

/// By what a job is looked for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Listing {
    #[serde(rename = "jobId")]
    pub(super) id: JobId,
    #[serde(rename = "jobName", default, deserialize_with = "text")]
    pub(super) name: Option<String>,
}

impl JobList {
    /// The jobs that are wanted, as far as they can be read.
    pub(super) fn jobs(&self, wanted: impl Fn(&Listing) -> bool) -> Vec<JobInfo> {
        self.entries()
            .filter_map(|(entry, listing)| Some((entry, listing?)))
            .filter(|(_, listing)| wanted(listing))
            // One whose other fields cannot be read is there all the same.
            .map(|(entry, listing)| serde_json::from_str(entry.get()).unwrap_or_else(|_| listing.into()))
            .collect()
    }

    /// The job of that name, the latest if there are several.
    pub(super) fn named(&self, name: &str) -> Option<JobInfo> {
        let named = self.jobs(|listing| listing.name.as_deref().map(str::trim) == Some(name.trim()));
        // The first of the latest: lists begin with the newest job, and times are whole seconds.
        named.into_iter().reduce(|one, other| if other.create_time > one.create_time { other } else { one })
    }

    /// Whether it may hold more jobs than it tells of: by its own count, as an entry that is none, or as it is no list.
    pub(super) fn is_short(&self) -> bool {
        let told = self.entries().filter(|(_, listing)| listing.is_some()).count();
        let counted = self.total.and_then(|total| usize::try_from(total).ok()).unwrap_or_default();
        let named = self.job_ids.as_ref().map_or(0, Vec::len);
        let is_list = self.job_details.is_some() || self.total.is_some();
        !is_list || counted.max(named).max(self.entries().count()) > told
    }

    fn entries(&self) -> impl Iterator<Item = (&RawValue, Option<Listing>)> {
        let entries = self.job_details.iter().flatten();
        entries.map(|entry| (&**entry, serde_json::from_str(entry.get()).ok()))
    }
}

impl From<Listing> for JobInfo {
    fn from(Listing { id, name }: Listing) -> Self {
        Self { id, name, ..Self::default() }
    }
}

/// The list as it is sent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    #[serde(default, deserialize_with = "number")]
    total: Option<i64>,
    #[serde(default, deserialize_with = "number")]
    success: Option<i64>,
    #[serde(default, deserialize_with = "number")]
    partial_success: Option<i64>,
    #[serde(default, deserialize_with = "number")]
    fail: Option<i64>,
    #[serde(default, deserialize_with = "ids")]
    job_ids: Vec<JobId>,
    job_details: Option<Vec<Value>>,
    #[serde(flatten)]
    other: Map<String, Value>,
}

impl From<Listed> for JobsSummary {
    fn from(list: Listed) -> Self {
        let Listed { total, success, partial_success, fail, job_ids, job_details, other } = list;
        let (mut jobs, mut unread) = (Vec::new(), Vec::new());
        for entry in job_details.unwrap_or_default() {
            // One entry that is no job must not hide the others.
            match JobInfo::deserialize(&entry) {
                Ok(job) => jobs.push(job),
                Err(_) => unread.push(entry),
            }
        }
        Self { total, success, partial_success, fail, job_ids, jobs, unread, other, warnings: Vec::new() }
    }
}

/// The answer about one job: the job itself, or a list of one from older servers.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct JobSummary {
    /// The jobs that were found: one, or none.
    pub jobs: Vec<JobInfo>,
}

impl<'de> Deserialize<'de> for JobSummary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let is_job = value.get("jobId").is_some() && value.get("jobDetails").is_none();
        let jobs = match value {
            Value::Array(_) => Vec::deserialize(value),
            Value::Object(_) if is_job => JobInfo::deserialize(value).map(|job| vec![job]),
            _ => JobsSummary::deserialize(value).map(|summary| summary.jobs),
        };
        let jobs = jobs.map_err(D::Error::custom)?;
        Ok(Self { jobs })
    }
}

/// What may stand where a scalar is expected.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Flag(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    Other(IgnoredAny),
}

fn scalar<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Scalar>, D::Error> {
    Option::deserialize(deserializer)
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Value::deserialize(deserializer).map(text_of)
}

fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(match scalar(deserializer)? {
        Some(Scalar::Integer(number)) => Some(number),
        #[allow(clippy::cast_possible_truncation, reason = "a count that a server wrote as 3.0")]
        Some(Scalar::Float(number)) => Some(number as i64),
        Some(Scalar::Text(text)) => text.trim().parse().ok(),
        _ => None,
    })
}

fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    Ok(match scalar(deserializer)? {
        Some(Scalar::Flag(flag)) => Some(flag),
        Some(Scalar::Integer(number)) => Some(number != 0),
        Some(Scalar::Text(text)) => text.trim().to_lowercase().parse().ok(),
        _ => None,
    })
}

fn values<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Value>, D::Error> {
    Ok(match Option::<Value>::deserialize(deserializer)? {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(values)) => values,
        Some(other) => vec![other],
    })
}

fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    // A null in a list keeps its place.
    let text = |value| text_of(value).unwrap_or_else(|| Value::Null.to_string());
    Ok(values(deserializer)?.into_iter().map(text).collect())
}

fn ids<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<JobId>, D::Error> {
    Ok(texts(deserializer)?.into_iter().map(JobId::from).collect())
}

fn vendor<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vendor>, D::Error> {
    Ok(text(deserializer)?.and_then(|text| Vendor::deserialize(Value::String(text)).ok()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn info(value: Value) -> JobInfo {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn an_id_is_all_that_a_job_needs() {
        let job = info(json!({"jobId": "1"}));
        assert_eq!(job.id.as_str(), "1");
        assert_eq!(job.status, JobStatus::Other(String::new()));
        assert!(!job.status.is_final());
        assert!(serde_json::from_value::<JobInfo>(json!({"jobName": "x"})).is_err());
    }

    #[test]
    fn an_unknown_status_is_kept_as_text_and_still_running() {
        let job = info(json!({"jobId": "1", "status": "waiting_for_slot"}));
        assert_eq!(job.status, JobStatus::Other("waiting_for_slot".to_owned()));
        assert!(!job.status.is_final());
        assert_eq!(job.status.to_string(), "waiting_for_slot");
        assert_eq!(JobStatus::default().to_string(), "unknown");
    }

    #[test]
    fn a_known_status_is_known_in_any_case() {
        assert_eq!(JobStatus::from("SUCCESS"), JobStatus::Success);
        assert_eq!(JobStatus::from("Partial_Success"), JobStatus::PartialSuccess);
    }

    #[test]
    fn an_entry_that_is_no_job_does_not_hide_the_others() {
        let list = json!({"jobDetails": [null, {"jobName": "no id"}, {"jobId": "1", "dbVendor": 5}]});
        let list: JobsSummary = serde_json::from_value(list).unwrap();
        assert_eq!((list.jobs.len(), list.unread.len()), (1, 2));
        assert_eq!(list.jobs[0].db_vendor, Some(Vendor::Other("5".to_owned())));
    }

    #[test]
    fn a_list_is_short_that_counts_more_than_it_tells() {
        let short = |list: Value| serde_json::from_value::<JobList>(list).unwrap().is_short();
        let job = json!({"jobId": "1", "jobName": "n"});
        assert!(!short(json!({"total": 1, "jobIds": ["1"], "jobDetails": [job]})));
        assert!(!short(json!({"total": 0, "jobDetails": null})));
        assert!(short(json!({"total": null, "jobDetails": null})));
        assert!(short(json!({"jobs": [job]})));
        assert!(!short(json!({"jobDetails": [job, job]})));
        assert!(short(json!({"total": 2, "jobDetails": [job]})));
        assert!(short(json!({"jobIds": ["1", "2"], "jobDetails": [job]})));
        assert!(short(json!({"total": "5"})));
        assert!(short(json!({"jobDetails": [job, {"jobName": "no id"}]})));
    }

    #[test]
    fn a_job_whose_other_fields_cannot_be_read_is_found_all_the_same() {
        for odd in [r#""status": "create", "status": "fail""#, r#""errorMessage": "\ud83d""#, r#""onTop": 1e999"#] {
            let list = format!(r#"{{"total": 1, "jobDetails": [{{"jobId": "1", "jobName": "n", {odd}}}]}}"#);
            let list: JobList = serde_json::from_str(&list).unwrap();
            assert_eq!(list.named("n").map(|job| job.id), Some("1".into()), "{odd}");
        }
    }

    #[test]
    fn a_job_is_found_by_its_name_and_the_latest_of_several() {
        let list: JobList = serde_json::from_value(json!({"jobDetails": [
            {"jobId": "1", "jobName": "n", "createTime": "2026-01-01 00:00:00"},
            {"jobId": 2, "jobName": " n ", "createTime": "2026-01-02 00:00:00"},
            {"jobId": "3", "jobName": "n", "createTime": "2026-01-02 00:00:00"},
            {"jobId": "4", "jobName": "m", "createTime": "2026-01-03 00:00:00"}, null,
        ]}))
        .unwrap();
        assert_eq!(list.named("n").unwrap().id.as_str(), "2");
        assert!(list.named("x").is_none());
        assert_eq!(list.jobs(|listing| listing.id.as_str() > "2").len(), 2);
    }

    #[test]
    fn every_known_status_survives_the_way_to_json_and_back() {
        for text in ["create", "running", "success", "partial_success", "fail", "delete", "queued"] {
            let status: JobStatus = serde_json::from_value(json!(text)).unwrap();
            assert_eq!(serde_json::to_value(&status).unwrap(), json!(text));
        }
    }

    #[test]
    fn a_field_of_another_type_does_not_hide_the_status() {
        let job = info(json!({
            "jobId": "1", "status": "success", "executeTimeMillis": "12", "onTop": "TRUE", "parallel": 1,
            "fileNames": "a.sql", "jobName": 7, "subJobs": null, "persist": {}, "dbVendor": null,
        }));
        assert_eq!(job.status, JobStatus::Success);
        assert_eq!((job.execute_time_millis, job.on_top, job.parallel), (Some(12), Some(true), Some(true)));
        assert_eq!((job.file_names, job.name.as_deref()), (vec!["a.sql".to_owned()], Some("7")));
        assert_eq!((job.persist, job.db_vendor), (None, None));
    }

    #[test]
    fn fields_without_a_name_here_are_kept() {
        assert_eq!(info(json!({"jobId": "1", "queuePosition": 4})).other["queuePosition"], 4);
    }

    #[test]
    fn one_job_comes_bare_or_wrapped() {
        let bare: JobSummary = serde_json::from_value(json!({"jobId": "1", "status": "success"})).unwrap();
        let wrapped: JobSummary = serde_json::from_value(json!({
            "total": 1, "success": 1, "partialSuccess": 0, "fail": 0, "jobIds": ["1"],
            "jobDetails": [{"jobId": "1", "status": "success"}],
        }))
        .unwrap();
        assert_eq!(bare, wrapped);
        for none in [json!({"total": 0, "jobDetails": null}), json!({}), json!([])] {
            assert!(serde_json::from_value::<JobSummary>(none).unwrap().jobs.is_empty());
        }
        assert!(serde_json::from_value::<JobSummary>(json!("gone")).is_err());
    }
}
