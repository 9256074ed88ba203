//! Lists of jobs: read whole for the caller, or searched without keeping the jobs that nobody asked for.

use serde::de::{Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::lenient::{ids, number, text};
use super::{JobId, JobInfo};

/// Every job of a user, finished ones too.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(from = "RawJobList")]
#[non_exhaustive]
pub struct JobList {
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
pub struct JobLookup {
    /// The jobs that were found: one, or none.
    pub jobs: Vec<JobInfo>,
}

impl<'de> Deserialize<'de> for JobLookup {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let is_job = value.get("jobId").is_some() && value.get("jobDetails").is_none();
        let jobs = match value {
            Value::Array(_) => Vec::deserialize(value),
            Value::Object(_) if is_job => JobInfo::deserialize(value).map(|job| vec![job]),
            _ => JobList::deserialize(value).map(|summary| summary.jobs),
        };
        let jobs = jobs.map_err(D::Error::custom)?;
        Ok(Self { jobs })
    }
}

/// The same list for one who looks for some of its jobs: the others are not read. A user may have 100,000, and a job
/// that is read is much larger than its text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobIndex {
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
pub(crate) struct JobHeader {
    #[serde(rename = "jobId")]
    pub(crate) id: JobId,
    #[serde(rename = "jobName", default, deserialize_with = "text")]
    pub(crate) name: Option<String>,
}

impl JobIndex {
    /// The jobs that are wanted, as far as they can be read.
    pub(crate) fn jobs(&self, wanted: impl Fn(&JobHeader) -> bool) -> Vec<JobInfo> {
        self.entries()
            .filter_map(|(entry, header)| Some((entry, header?)))
            .filter(|(_, header)| wanted(header))
            // One whose other fields cannot be read is there all the same.
            .map(|(entry, header)| serde_json::from_str(entry.get()).unwrap_or_else(|_| header.into()))
            .collect()
    }

    /// The job of that name, the latest if there are several.
    pub(crate) fn named(&self, name: &str) -> Option<JobInfo> {
        let named = self.jobs(|header| header.name.as_deref().map(str::trim) == Some(name.trim()));
        // The first of the latest: lists begin with the newest job, and times are whole seconds.
        named.into_iter().reduce(|one, other| if other.create_time > one.create_time { other } else { one })
    }

    /// Whether it may hold more jobs than it tells of: by its own count, as an entry that is none, or as it is no list.
    pub(crate) fn is_short(&self) -> bool {
        let told = self.entries().filter(|(_, header)| header.is_some()).count();
        let counted = self.total.and_then(|total| usize::try_from(total).ok()).unwrap_or_default();
        let named = self.job_ids.as_ref().map_or(0, Vec::len);
        let is_list = self.job_details.is_some() || self.total.is_some();
        !is_list || counted.max(named).max(self.entries().count()) > told
    }

    fn entries(&self) -> impl Iterator<Item = (&RawValue, Option<JobHeader>)> {
        let entries = self.job_details.iter().flatten();
        entries.map(|entry| (&**entry, serde_json::from_str(entry.get()).ok()))
    }
}

impl From<JobHeader> for JobInfo {
    fn from(JobHeader { id, name }: JobHeader) -> Self {
        Self { id, name, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Vendor;
    use super::*;

    #[test]
    fn an_entry_that_is_no_job_does_not_hide_the_others() {
        let list = json!({"jobDetails": [null, {"jobName": "no id"}, {"jobId": "1", "dbVendor": 5}]});
        let list: JobList = serde_json::from_value(list).unwrap();
        assert_eq!((list.jobs.len(), list.unread.len()), (1, 2));
        assert_eq!(list.jobs[0].db_vendor, Some(Vendor::Other("5".to_owned())));
    }

    #[test]
    fn a_list_is_short_that_counts_more_than_it_tells() {
        let short = |list: Value| serde_json::from_value::<JobIndex>(list).unwrap().is_short();
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
            let list: JobIndex = serde_json::from_str(&list).unwrap();
            assert_eq!(list.named("n").map(|job| job.id), Some("1".into()), "{odd}");
        }
    }

    #[test]
    fn a_job_is_found_by_its_name_and_the_latest_of_several() {
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
    fn one_job_comes_bare_or_wrapped() {
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
