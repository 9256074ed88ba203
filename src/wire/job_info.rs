//! The job object of the API.

use std::fmt;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sqlflow_lineage::RelationType;

use super::envelope::{Envelope, EnvelopeData};
use super::job_list::read_job;
use super::lenient::{flag, number, text, texts, values, vendor};
use super::{JobId, JobStatus, RedactedDebug, Redactor, ServerTimeZone, Vendor};

/// A job as its server describes it. Only the id is always present.
///
/// Texts, numbers and booleans are accepted in either spelling (`5`, `"5"`): server versions differ, and a field that
/// the program does not need must not end a wait. Fields that are not listed here are in [`other`](JobInfo::other).
///
/// A client removes the secrets that it knows, among them the passwords of its submissions, from the messages and the
/// further fields that a server sends, in every spelling. It escapes their control characters, but keeps line breaks and
/// tabs. What identifies something (ids, names, files, times) stays as the server sent it; `Debug` shows no secret in
/// these either.
#[derive(Clone, PartialEq, Deserialize, Serialize)]
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
    /// The dialect of the SQL, which servers spell in several ways: `oracle` is [`Vendor::Oracle`] too.
    #[serde(default, deserialize_with = "vendor")]
    pub db_vendor: Option<Vendor>,
    /// The names of the submitted files.
    #[serde(default, deserialize_with = "texts")]
    pub file_names: Vec<String>,
    /// The time of the submission: `YYYY-MM-DD HH:MM:SS`, in a time zone that the server does not state;
    /// [`created_at`](JobInfo::created_at) is the instant.
    #[serde(default, deserialize_with = "text")]
    pub create_time: Option<String>,
    /// The time of the last run, in the same format; [`last_executed_at`](JobInfo::last_executed_at) is the instant.
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
    /// The zone of the times, as the client was configured.
    #[serde(skip)]
    pub(crate) time_zone: ServerTimeZone,
    /// The secrets that `Debug` does not show.
    #[serde(skip)]
    pub(crate) secrets: Redactor,
}

impl JobInfo {
    /// Creates the description of a job of which nothing but the id is known.
    pub(crate) fn of(id: JobId) -> Self {
        Self {
            id,
            name: None,
            status: JobStatus::default(),
            error_message: None,
            db_vendor: None,
            file_names: Vec::new(),
            create_time: None,
            last_execute_time: None,
            execute_time: None,
            execute_time_millis: None,
            user_id: None,
            user_email: None,
            session_id: None,
            data_source: None,
            default_database: None,
            default_schema: None,
            show_relation_type: None,
            ignore_record_set: None,
            ignore_function: None,
            show_constant_table: None,
            show_transform: None,
            dataflow_of_aggregate_function: None,
            has_metadata: None,
            on_top: None,
            parallel: None,
            persist: None,
            incremental: None,
            schedulable: None,
            cancel_schedule: None,
            sub_jobs: Vec::new(),
            version: None,
            other: Map::new(),
            warnings: Vec::new(),
            time_zone: ServerTimeZone::default(),
            secrets: Redactor::default(),
        }
    }

    /// Returns the time of the submission as an instant, or `None` if the server gives no time, or one that cannot be
    /// read.
    ///
    /// Servers do not state their time zone. It is assumed to be UTC, unless
    /// [`ClientBuilder::server_time_zone`](crate::ClientBuilder::server_time_zone) says otherwise; a description that
    /// was not read by a client is always taken as UTC. If the clocks of the zone show a time twice, the earlier
    /// instant is returned.
    ///
    /// ```no_run
    /// # async fn example(job: sqlflow_client::Job) -> Result<(), Box<dyn std::error::Error>> {
    /// if let Some(created_at) = job.info().await?.created_at() {
    ///     println!("submitted {:?} ago", created_at.elapsed()?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn created_at(&self) -> Option<SystemTime> {
        self.instant(self.create_time.as_deref())
    }

    /// Returns the time of the last run as an instant, which is read like that of [`created_at`](JobInfo::created_at).
    #[must_use]
    pub fn last_executed_at(&self) -> Option<SystemTime> {
        self.instant(self.last_execute_time.as_deref())
    }

    fn instant(&self, text: Option<&str>) -> Option<SystemTime> {
        self.time_zone.instant(text?)
    }
}

impl JobInfo {
    /// Returns the description without secrets and control characters in its messages.
    pub(crate) fn cleaned(mut self, secrets: &Redactor) -> Self {
        self.clean(secrets);
        self
    }
}

impl EnvelopeData for JobInfo {
    fn parse_envelope(text: &[u8], _: Option<Vec<RelationType>>) -> serde_json::Result<Envelope<Self>> {
        Envelope::read_with(text, |data| read_job(data.get()))
    }

    fn clean(&mut self, secrets: &Redactor) {
        let texts = [
            &mut self.error_message,
            &mut self.execute_time,
            &mut self.dataflow_of_aggregate_function,
            &mut self.version,
        ];
        texts.into_iter().flatten().for_each(|text| secrets.clean(text));
        self.warnings.iter_mut().for_each(|warning| secrets.clean(warning));
        if let JobStatus::Other(word) = &mut self.status {
            secrets.clean(word);
        }
        if let Some(Vendor::Other(word)) = &mut self.db_vendor {
            secrets.clean(word);
        }
        self.data_source.iter_mut().chain(&mut self.sub_jobs).for_each(|value| secrets.clean_value(value));
        secrets.clean_fields(&mut self.other);
        self.secrets = self.secrets.and(secrets);
    }
}

/// Shows no secret that the client knew when it received the description.
impl fmt::Debug for JobInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("JobInfo");
        macro_rules! fields {
            ($($field:ident)*) => {
                $( debug.field(stringify!($field), &RedactedDebug(&self.$field, &self.secrets)); )*
            };
        }
        fields! {
            id name status error_message db_vendor file_names create_time last_execute_time execute_time
            execute_time_millis user_id user_email session_id data_source default_database default_schema
            show_relation_type ignore_record_set ignore_function show_constant_table show_transform
            dataflow_of_aggregate_function has_metadata on_top parallel persist incremental schedulable cancel_schedule
            sub_jobs version other warnings time_zone
        }
        debug.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
    fn times_are_instants_or_nothing() {
        let job = info(json!({"jobId": "1", "createTime": "1970-01-01 00:00:07", "lastExecuteTime": "soon"}));
        assert_eq!(job.created_at(), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(7)));
        assert_eq!(job.last_executed_at(), None);
        let abroad = JobInfo { time_zone: ServerTimeZone::named("-01:00").unwrap(), ..job };
        assert_eq!(abroad.created_at(), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(3607)));
        assert_eq!(JobInfo::of("1".into()).created_at(), None);
    }

    #[test]
    fn unknown_fields_are_kept() {
        assert_eq!(info(json!({"jobId": "1", "queuePosition": 4})).other["queuePosition"], 4);
    }
}
