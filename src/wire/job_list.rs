//! Lists of jobs: read completely for the caller, or searched without keeping the jobs that are not wanted.

use std::fmt;

use serde::de::{Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::envelope::EnvelopeData;
use super::lenient::{ids, number, text};
use super::{JobId, JobInfo, RedactedDebug, Redactor};

/// The list of all jobs of a user, including finished ones.
///
/// A client removes the secrets that it knows from its texts, as from those of a [`JobInfo`].
#[derive(Clone, Default, PartialEq, Deserialize)]
#[serde(from = "RawJobList")]
#[non_exhaustive]
pub struct JobList {
    /// The number of jobs.
    pub total: Option<i64>,
    /// The number of jobs that succeeded.
    pub success: Option<i64>,
    /// The number of jobs that succeeded in part.
    pub partial_success: Option<i64>,
    /// The number of jobs that failed.
    pub fail: Option<i64>,
    /// The ids of the jobs, if the server lists them separately.
    pub job_ids: Vec<JobId>,
    /// The jobs.
    pub jobs: Vec<JobInfo>,
    /// The entries of the list that are not jobs, because they have no id.
    pub unread: Vec<Value>,
    /// All other fields.
    pub other: Map<String, Value>,
    /// The warnings of the response (code 203), one per line of its error text.
    pub warnings: Vec<String>,
    /// The secrets that `Debug` does not show.
    secrets: Redactor,
}

/// The list as it is sent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawJobList {
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

impl From<RawJobList> for JobList {
    fn from(list: RawJobList) -> Self {
        let RawJobList { total, success, partial_success, fail, job_ids, job_details, other } = list;
        let (mut jobs, mut unread) = (Vec::new(), Vec::new());
        for entry in job_details.unwrap_or_default() {
            // An entry that is not a job must not hide the others.
            match JobInfo::deserialize(&entry) {
                Ok(job) => jobs.push(job),
                Err(_) => unread.push(entry),
            }
        }
        let (warnings, secrets) = (Vec::new(), Redactor::default());
        Self { total, success, partial_success, fail, job_ids, jobs, unread, other, warnings, secrets }
    }
}

/// The response about one job: the job itself, or a list of one job from older servers.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct JobLookup {
    /// The job that was found. Empty if there is none.
    pub jobs: Vec<JobInfo>,
}

impl<'de> Deserialize<'de> for JobLookup {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let is_job = value.get("jobId").is_some() && value.get("jobDetails").is_none();
        let jobs = match value {
            Value::Array(_) => Vec::deserialize(value),
            Value::Object(_) if is_job => JobInfo::deserialize(value).map(|job| vec![job]),
            _ => JobList::deserialize(value).map(|list| list.jobs),
        };
        let jobs = jobs.map_err(D::Error::custom)?;
        Ok(Self { jobs })
    }
}

/// The jobs that run on a schedule: a list like that of all jobs, or the jobs alone.
pub(crate) struct ScheduledJobs(pub(crate) JobList);

impl<'de> Deserialize<'de> for ScheduledJobs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let list = match Value::deserialize(deserializer)? {
            entries @ Value::Array(_) => serde_json::json!({"jobDetails": entries}),
            job if job.get("jobId").is_some() => serde_json::json!({"jobDetails": [job]}),
            list => list,
        };
        JobList::deserialize(list).map(Self).map_err(D::Error::custom)
    }
}

/// A [`JobList`] that is searched for some of its jobs: the others stay unparsed. A user may have 100,000 jobs, and a
/// parsed job is much larger than its text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobIndex {
    #[serde(default, deserialize_with = "number")]
    total: Option<i64>,
    #[serde(default)]
    job_ids: Option<Vec<IgnoredAny>>,
    #[serde(default)]
    job_details: Option<Vec<Box<RawValue>>>,
    #[serde(skip)]
    secrets: Redactor,
}

/// The fields of a job by which it is searched for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobHeader {
    #[serde(rename = "jobId")]
    pub(crate) id: JobId,
    #[serde(rename = "jobName", default, deserialize_with = "text")]
    pub(crate) name: Option<String>,
}

impl JobIndex {
    /// Returns the jobs that match, as far as they can be read.
    pub(crate) fn jobs(&self, is_match: impl Fn(&JobHeader) -> bool) -> Vec<JobInfo> {
        self.entries()
            .filter_map(|(entry, header)| Some((entry, header?)))
            .filter(|(_, header)| is_match(header))
            // A job exists even if its other fields cannot be read.
            .map(|(entry, header)| serde_json::from_str(entry.get()).unwrap_or_else(|_| header.into()))
            .map(|job: JobInfo| job.cleaned(&self.secrets))
            .collect()
    }

    /// Returns the job with a name, or the latest if there are several.
    pub(crate) fn named(&self, name: &str) -> Option<JobInfo> {
        let named = self.jobs(|header| header.name.as_deref().map(str::trim) == Some(name.trim()));
        // Of jobs with the latest time, take the first: lists begin with the newest, and times are whole seconds.
        named.into_iter().reduce(|one, other| if other.create_time > one.create_time { other } else { one })
    }

    /// Returns `true` if the list may be incomplete: it counts more jobs than it contains, it contains an entry that is
    /// not a job, or it is not a list at all.
    pub(crate) fn is_incomplete(&self) -> bool {
        let listed = self.entries().filter(|(_, header)| header.is_some()).count();
        let counted = self.total.and_then(|total| usize::try_from(total).ok()).unwrap_or_default();
        let ids = self.job_ids.as_ref().map_or(0, Vec::len);
        let is_list = self.job_details.is_some() || self.total.is_some();
        !is_list || counted.max(ids).max(self.entries().count()) > listed
    }

    fn entries(&self) -> impl Iterator<Item = (&RawValue, Option<JobHeader>)> {
        let entries = self.job_details.iter().flatten();
        entries.map(|entry| (&**entry, serde_json::from_str(entry.get()).ok()))
    }
}

impl From<JobHeader> for JobInfo {
    fn from(JobHeader { id, name }: JobHeader) -> Self {
        Self { name, ..Self::of(id) }
    }
}

impl EnvelopeData for JobList {
    fn clean(&mut self, secrets: &Redactor) {
        self.jobs.iter_mut().for_each(|job| job.clean(secrets));
        self.unread.iter_mut().for_each(|entry| secrets.clean_value(entry));
        secrets.clean_fields(&mut self.other);
        self.secrets = self.secrets.and(secrets);
    }
}

impl fmt::Debug for JobList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value| RedactedDebug(value, &self.secrets);
        f.debug_struct("JobList")
            .field("total", &self.total)
            .field("success", &self.success)
            .field("partial_success", &self.partial_success)
            .field("fail", &self.fail)
            .field("job_ids", &shown(&self.job_ids))
            .field("jobs", &self.jobs)
            .field("unread", &shown(&self.unread))
            .field("other", &shown(&self.other))
            .field("warnings", &shown(&self.warnings))
            .finish()
    }
}

impl EnvelopeData for JobLookup {
    fn clean(&mut self, secrets: &Redactor) {
        self.jobs.iter_mut().for_each(|job| job.clean(secrets));
    }
}

impl EnvelopeData for JobIndex {
    fn clean(&mut self, secrets: &Redactor) {
        // For the jobs that are searched for, when they are parsed.
        self.secrets = secrets.clone();
    }
}

impl EnvelopeData for ScheduledJobs {
    fn clean(&mut self, secrets: &Redactor) {
        self.0.clean(secrets);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Vendor;
    use super::*;

    #[test]
    fn an_entry_that_is_not_a_job_does_not_hide_the_others() {
        let list = json!({"jobDetails": [null, {"jobName": "no id"}, {"jobId": "1", "dbVendor": 5}]});
        let list: JobList = serde_json::from_value(list).unwrap();
        assert_eq!((list.jobs.len(), list.unread.len()), (1, 2));
        assert_eq!(list.jobs[0].db_vendor, Some(Vendor::Other("5".to_owned())));
    }

    #[test]
    fn a_list_that_counts_more_jobs_than_it_contains_is_incomplete() {
        let is_incomplete = |list: Value| serde_json::from_value::<JobIndex>(list).unwrap().is_incomplete();
        let job = json!({"jobId": "1", "jobName": "n"});
        assert!(!is_incomplete(json!({"total": 1, "jobIds": ["1"], "jobDetails": [job]})));
        assert!(!is_incomplete(json!({"total": 0, "jobDetails": null})));
        assert!(is_incomplete(json!({"total": null, "jobDetails": null})));
        assert!(is_incomplete(json!({"jobs": [job]})));
        assert!(!is_incomplete(json!({"jobDetails": [job, job]})));
        assert!(is_incomplete(json!({"total": 2, "jobDetails": [job]})));
        assert!(is_incomplete(json!({"jobIds": ["1", "2"], "jobDetails": [job]})));
        assert!(is_incomplete(json!({"total": "5"})));
        assert!(is_incomplete(json!({"jobDetails": [job, {"jobName": "no id"}]})));
    }

    #[test]
    fn a_job_is_found_even_if_its_other_fields_cannot_be_read() {
        for odd in [r#""status": "create", "status": "fail""#, r#""errorMessage": "\ud83d""#, r#""onTop": 1e999"#] {
            let list = format!(r#"{{"total": 1, "jobDetails": [{{"jobId": "1", "jobName": "n", {odd}}}]}}"#);
            let list: JobIndex = serde_json::from_str(&list).unwrap();
            assert_eq!(list.named("n").map(|job| job.id), Some("1".into()), "{odd}");
        }
    }

    #[test]
    fn a_search_by_name_returns_the_latest_of_several_jobs() {
        let list: JobIndex = serde_json::from_value(json!({"jobDetails": [
            {"jobId": "1", "jobName": "n", "createTime": "2026-01-01 00:00:00"},
            {"jobId": 2, "jobName": " n ", "createTime": "2026-01-02 00:00:00"},
            {"jobId": "3", "jobName": "n", "createTime": "2026-01-02 00:00:00"},
            {"jobId": "4", "jobName": "m", "createTime": "2026-01-03 00:00:00"}, null,
        ]}))
        .unwrap();
        assert_eq!(list.named("n").unwrap().id.as_str(), "2");
        assert!(list.named("x").is_none());
        assert_eq!(list.jobs(|header| header.id.as_str() > "2").len(), 2);
    }

    #[test]
    fn a_lookup_accepts_a_bare_job_or_a_list_of_one() {
        let bare: JobLookup = serde_json::from_value(json!({"jobId": "1", "status": "success"})).unwrap();
        let wrapped: JobLookup = serde_json::from_value(json!({
            "total": 1, "success": 1, "partialSuccess": 0, "fail": 0, "jobIds": ["1"],
            "jobDetails": [{"jobId": "1", "status": "success"}],
        }))
        .unwrap();
        assert_eq!(bare, wrapped);
        for none in [json!({"total": 0, "jobDetails": null}), json!({}), json!([])] {
            assert!(serde_json::from_value::<JobLookup>(none).unwrap().jobs.is_empty());
        }
        assert!(serde_json::from_value::<JobLookup>(json!("gone")).is_err());
    }
}
