//! The job object of the API.

use std::fmt;
use std::time::SystemTime;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use sqlflow_lineage::RelationType;

use super::envelope::{Envelope, EnvelopeData};
use super::job_list::read_job;
use super::lenient::{Dialect, Flag, Integer, Text, Texts, Values};
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
#[derive(Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct JobInfo {
    /// The id of the job.
    #[serde(rename = "jobId")]
    pub id: JobId,
    /// The name under which the job was submitted.
    #[serde(rename = "jobName")]
    pub name: Option<String>,
    /// The state of the job.
    pub status: JobStatus,
    /// The reason for a failure, or the errors of a partial success.
    pub error_message: Option<String>,
    /// The dialect of the SQL, which servers spell in several ways: `oracle` is [`Vendor::Oracle`] too.
    pub db_vendor: Option<Vendor>,
    /// The names of the submitted files.
    pub file_names: Vec<String>,
    /// The time of the submission: `YYYY-MM-DD HH:MM:SS`, in a time zone that the server does not state;
    /// [`created_at`](JobInfo::created_at) is the instant.
    pub create_time: Option<String>,
    /// The time of the last run, in the same format; [`last_executed_at`](JobInfo::last_executed_at) is the instant.
    pub last_execute_time: Option<String>,
    /// The duration of the last run, as text: `0min 1sec`.
    pub execute_time: Option<String>,
    /// The duration of the last run, in milliseconds.
    pub execute_time_millis: Option<i64>,
    /// The id of the user that the job belongs to.
    pub user_id: Option<String>,
    /// The email address of that user.
    pub user_email: Option<String>,
    /// The id by which later requests refer to the result of the job.
    pub session_id: Option<String>,
    /// The database that the job read from.
    pub data_source: Option<Value>,
    /// The database of identifiers that name none.
    pub default_database: Option<String>,
    /// The schema of identifiers that name none.
    pub default_schema: Option<String>,
    /// The relationship types that the result shows, separated by commas.
    pub show_relation_type: Option<String>,
    /// `true` if intermediate record sets are left out of the result.
    pub ignore_record_set: Option<bool>,
    /// `true` if function calls are left out of the result.
    pub ignore_function: Option<bool>,
    /// `true` if the result shows literals.
    pub show_constant_table: Option<bool>,
    /// `true` if the result shows the expressions that values pass through.
    pub show_transform: Option<bool>,
    /// The lineage that an aggregate function passes on: `direct`, …
    pub dataflow_of_aggregate_function: Option<String>,
    /// `true` if database metadata was submitted with the job.
    pub has_metadata: Option<bool>,
    /// `true` if the job is kept at the top of the list.
    pub on_top: Option<bool>,
    /// `true` if the files are analyzed in parallel.
    pub parallel: Option<bool>,
    /// `true` if it is a regular job.
    pub persist: Option<bool>,
    /// `true` if further batches can be added to the job.
    pub incremental: Option<bool>,
    /// `true` if the job runs on a schedule.
    pub schedulable: Option<bool>,
    /// `true` if the schedule of the job was cancelled.
    pub cancel_schedule: Option<bool>,
    /// The batches of a regular job.
    pub sub_jobs: Vec<Value>,
    /// The version of the server.
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

/// A value that is read as its type says.
#[derive(Deserialize)]
#[serde(transparent)]
struct Plain<T>(T);

/// Implements the reading of a job from its fields: the key, the field, and the type that reads it. A derived
/// implementation would read every field twice, because of those that it does not know.
macro_rules! read_fields {
    ($id_key:literal; $($key:literal $field:ident $reader:ty;)*) => {
        /// The key of a field.
        #[allow(non_camel_case_types, reason = "the names of the fields")]
        enum Key {
            id,
            $($field,)*
            Unknown(String),
        }

        impl Visitor<'_> for KeyVisitor {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_str<E>(self, key: &str) -> Result<Key, E> {
                Ok(match key {
                    $id_key => Key::id,
                    $($key => Key::$field,)*
                    _ => Key::Unknown(key.to_owned()),
                })
            }
        }

        impl<'de> Visitor<'de> for JobInfoVisitor {
            type Value = JobInfo;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a job, which is an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JobInfo, A::Error> {
                let mut id = None;
                $(let mut $field = None;)*
                let mut other = Map::new();
                while let Some(key) = map.next_key()? {
                    match key {
                        Key::id if id.is_some() => return Err(A::Error::duplicate_field($id_key)),
                        Key::id => id = Some(map.next_value()?),
                        $(
                            Key::$field if $field.is_some() => return Err(A::Error::duplicate_field($key)),
                            Key::$field => $field = Some(map.next_value::<$reader>()?.0),
                        )*
                        Key::Unknown(key) => drop(other.insert(key, map.next_value()?)),
                    }
                }
                Ok(JobInfo {
                    id: id.ok_or_else(|| A::Error::missing_field($id_key))?,
                    $($field: $field.unwrap_or_default(),)*
                    other,
                    warnings: Vec::new(),
                    time_zone: ServerTimeZone::default(),
                    secrets: Redactor::default(),
                })
            }
        }
    };
}

struct KeyVisitor;
struct JobInfoVisitor;

read_fields! {
    "jobId";
    "jobName" name Text;
    "status" status Plain<JobStatus>;
    "errorMessage" error_message Text;
    "dbVendor" db_vendor Dialect;
    "fileNames" file_names Texts;
    "createTime" create_time Text;
    "lastExecuteTime" last_execute_time Text;
    "executeTime" execute_time Text;
    "executeTimeMillis" execute_time_millis Integer;
    "userId" user_id Text;
    "userEmail" user_email Text;
    "sessionId" session_id Text;
    "dataSource" data_source Plain<Option<Value>>;
    "defaultDatabase" default_database Text;
    "defaultSchema" default_schema Text;
    "showRelationType" show_relation_type Text;
    "ignoreRecordSet" ignore_record_set Flag;
    "ignoreFunction" ignore_function Flag;
    "showConstantTable" show_constant_table Flag;
    "showTransform" show_transform Flag;
    "dataflowOfAggregateFunction" dataflow_of_aggregate_function Text;
    "hasMetadata" has_metadata Flag;
    "onTop" on_top Flag;
    "parallel" parallel Flag;
    "persist" persist Flag;
    "incremental" incremental Flag;
    "schedulable" schedulable Flag;
    "cancelSchedule" cancel_schedule Flag;
    "subJobs" sub_jobs Values;
    "version" version Text;
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_identifier(KeyVisitor)
    }
}

impl<'de> Deserialize<'de> for JobInfo {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(JobInfoVisitor)
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
    fn every_field_is_read_under_the_key_that_it_is_written_under() {
        let written = json!({
            "jobId": "1", "jobName": "a", "status": "fail", "errorMessage": "b", "dbVendor": "dbvoracle",
            "fileNames": ["c"], "createTime": "d", "lastExecuteTime": "e", "executeTime": "f", "executeTimeMillis": 1,
            "userId": "g", "userEmail": "h", "sessionId": "i", "dataSource": {"j": [1]}, "defaultDatabase": "k",
            "defaultSchema": "l", "showRelationType": "m", "ignoreRecordSet": true, "ignoreFunction": false,
            "showConstantTable": true, "showTransform": false, "dataflowOfAggregateFunction": "n", "hasMetadata": true,
            "onTop": false, "parallel": true, "persist": false, "incremental": true, "schedulable": false,
            "cancelSchedule": true, "subJobs": [{"o": 1}], "version": "p", "more": {"q": null}, "warnings": ["r"],
        });
        let read = info(written.clone());
        assert_eq!(serde_json::to_value(&read).unwrap(), written);
        assert_eq!(read.other.keys().collect::<Vec<_>>(), ["more", "warnings"], "all others have a field");
        let empty = serde_json::to_value(JobInfo::of("1".into())).unwrap();
        let missing = |key: &&String| !written.as_object().unwrap().contains_key(*key);
        assert_eq!(empty.as_object().unwrap().keys().find(missing), None);
    }

    #[test]
    fn a_known_field_that_comes_twice_is_an_error_and_of_another_one_the_last_counts() {
        let read = |json: &str| serde_json::from_str::<JobInfo>(json);
        let error = read(r#"{"jobId": "1", "status": "fail", "status": "success"}"#).unwrap_err();
        assert!(error.to_string().contains("duplicate field `status`"), "{error}");
        assert!(read(r#"{"jobId": "1", "jobId": "2"}"#).is_err());
        assert_eq!(read(r#"{"jobId": "1", "x": 1, "x": 2}"#).unwrap().other["x"], 2);
        assert!(read("[]").is_err() && read("null").is_err());
    }

    #[test]
    fn numbers_beyond_64_bits_and_containers_are_read_as_text_and_are_no_flags() {
        let job = info(json!({
            "jobId": "1", "jobName": u64::MAX, "executeTime": 1.5, "version": [1, {"a": "b"}], "createTime": false,
            "executeTimeMillis": u64::MAX, "onTop": u64::MAX, "persist": 1.0, "parallel": [true], "schedulable": null,
        }));
        assert_eq!(job.name.as_deref(), Some("18446744073709551615"));
        assert_eq!((job.execute_time.as_deref(), job.version.as_deref()), (Some("1.5"), Some(r#"[1,{"a":"b"}]"#)));
        assert_eq!((job.create_time.as_deref(), job.execute_time_millis), (Some("false"), Some(i64::MAX)));
        assert_eq!((job.on_top, job.persist, job.parallel, job.schedulable), (None, None, None, None));
    }

    #[test]
    fn unknown_fields_are_kept() {
        assert_eq!(info(json!({"jobId": "1", "queuePosition": 4})).other["queuePosition"], 4);
    }
}
