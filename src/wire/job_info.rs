//! The job object of the API.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::envelope::EnvelopeData;
use super::lenient::{flag, number, text, texts, values, vendor};
use super::{JobId, JobStatus, Vendor};

/// A job as its server describes it. Only the id is always present.
///
/// Texts, numbers and booleans are accepted in either spelling (`5`, `"5"`): server versions differ, and a field that
/// the program does not need must not end a wait. Fields that are not listed here are in [`other`](JobInfo::other).
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct JobInfo {
    /// The id of the job.
    #[serde(rename = "jobId")]
    pub id: JobId,
    /// The name under which the job was submitted.
    #[serde(rename = "jobName", default, deserialize_with = "text")]
    pub name: Option<String>,
    /// The state of the job.
    #[serde(default)]
    pub status: JobStatus,
    /// The reason for a failure, or the errors of a partial success.
    #[serde(default, deserialize_with = "text")]
    pub error_message: Option<String>,
    /// The dialect of the SQL.
    #[serde(default, deserialize_with = "vendor")]
    pub db_vendor: Option<Vendor>,
    /// The names of the submitted files.
    #[serde(default, deserialize_with = "texts")]
    pub file_names: Vec<String>,
    /// The time of the submission: `YYYY-MM-DD HH:MM:SS`, in a time zone that the server does not state.
    #[serde(default, deserialize_with = "text")]
    pub create_time: Option<String>,
    /// The time of the last run, in the same format.
    #[serde(default, deserialize_with = "text")]
    pub last_execute_time: Option<String>,
    /// The duration of the last run, as text: `0min 1sec`.
    #[serde(default, deserialize_with = "text")]
    pub execute_time: Option<String>,
    /// The duration of the last run, in milliseconds.
    #[serde(default, deserialize_with = "number")]
    pub execute_time_millis: Option<i64>,
    /// The id of the user that the job belongs to.
    #[serde(default, deserialize_with = "text")]
    pub user_id: Option<String>,
    /// The email address of that user.
    #[serde(default, deserialize_with = "text")]
    pub user_email: Option<String>,
    /// The id by which later requests refer to the result of the job.
    #[serde(default, deserialize_with = "text")]
    pub session_id: Option<String>,
    /// The database that the job read from.
    #[serde(default)]
    pub data_source: Option<Value>,
    /// The database of identifiers that name none.
    #[serde(default, deserialize_with = "text")]
    pub default_database: Option<String>,
    /// The schema of identifiers that name none.
    #[serde(default, deserialize_with = "text")]
    pub default_schema: Option<String>,
    /// The relationship types that the result shows, separated by commas.
    #[serde(default, deserialize_with = "text")]
    pub show_relation_type: Option<String>,
    /// `true` if intermediate record sets are left out of the result.
    #[serde(default, deserialize_with = "flag")]
    pub ignore_record_set: Option<bool>,
    /// `true` if function calls are left out of the result.
    #[serde(default, deserialize_with = "flag")]
    pub ignore_function: Option<bool>,
    /// `true` if the result shows literals.
    #[serde(default, deserialize_with = "flag")]
    pub show_constant_table: Option<bool>,
    /// `true` if the result shows the expressions that values pass through.
    #[serde(default, deserialize_with = "flag")]
    pub show_transform: Option<bool>,
    /// The lineage that an aggregate function passes on: `direct`, …
    #[serde(default, deserialize_with = "text")]
    pub dataflow_of_aggregate_function: Option<String>,
    /// `true` if database metadata was submitted with the job.
    #[serde(default, deserialize_with = "flag")]
    pub has_metadata: Option<bool>,
    /// `true` if the job is kept at the top of the list.
    #[serde(default, deserialize_with = "flag")]
    pub on_top: Option<bool>,
    /// `true` if the files are analysed in parallel.
    #[serde(default, deserialize_with = "flag")]
    pub parallel: Option<bool>,
    /// `true` if it is a regular job.
    #[serde(default, deserialize_with = "flag")]
    pub persist: Option<bool>,
    /// `true` if further batches can be added to the job.
    #[serde(default, deserialize_with = "flag")]
    pub incremental: Option<bool>,
    /// `true` if the job runs on a schedule.
    #[serde(default, deserialize_with = "flag")]
    pub schedulable: Option<bool>,
    /// `true` if the schedule of the job was cancelled.
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
    /// The warnings of the response (code 203), one per line of its error text.
    #[serde(skip)]
    pub warnings: Vec<String>,
}

impl EnvelopeData for JobInfo {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn info(value: Value) -> JobInfo {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_job_needs_only_an_id() {
        let job = info(json!({"jobId": "1"}));
        assert_eq!(job.id.as_str(), "1");
        assert_eq!(job.status, JobStatus::Other(String::new()));
        assert!(!job.status.is_final());
        assert!(serde_json::from_value::<JobInfo>(json!({"jobName": "x"})).is_err());
    }

    #[test]
    fn an_unknown_status_is_kept_as_text_and_is_not_final() {
        let job = info(json!({"jobId": "1", "status": "waiting_for_slot"}));
        assert_eq!(job.status, JobStatus::Other("waiting_for_slot".to_owned()));
        assert!(!job.status.is_final());
        assert_eq!(job.status.to_string(), "waiting_for_slot");
        assert_eq!(JobStatus::default().to_string(), "unknown");
    }

    #[test]
    fn a_field_of_an_unexpected_type_does_not_hide_the_status() {
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
    fn unknown_fields_are_kept() {
        assert_eq!(info(json!({"jobId": "1", "queuePosition": 4})).other["queuePosition"], 4);
    }
}
