//! The job object of the API.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::lenient::{flag, number, text, texts, values, vendor};
use super::{JobId, JobStatus, Vendor};

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
}
