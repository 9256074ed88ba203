//! The filters of a list of jobs.

use std::time::SystemTime;

use crate::Vendor;
use crate::job::{JobInfo, JobStatus};

/// The conditions that a job of a list has to meet.
#[derive(Debug, Clone, Default)]
pub(super) struct JobFilter {
    pub(super) statuses: Option<Vec<JobStatus>>,
    pub(super) vendor: Option<Vendor>,
    pub(super) created_after: Option<SystemTime>,
    pub(super) created_before: Option<SystemTime>,
    /// The pattern of names, in lower case.
    name_pattern: Option<Vec<char>>,
}

impl JobFilter {
    pub(super) fn set_name_pattern(&mut self, pattern: &str) {
        self.name_pattern = Some(pattern.to_lowercase().chars().collect());
    }

    /// Returns `true` if a job meets all conditions.
    pub(super) fn matches(&self, job: &JobInfo) -> bool {
        let is_dialect = |vendor: &Vendor| job.db_vendor.as_ref().is_some_and(|other| other.is_same_dialect(vendor));
        let is_named = |pattern| job.name.as_deref().is_some_and(|name| matches_glob(pattern, name));
        self.statuses.as_ref().is_none_or(|statuses| statuses.contains(&job.status))
            && self.vendor.as_ref().is_none_or(is_dialect)
            && self.name_pattern.as_ref().is_none_or(|pattern| is_named(pattern))
            && self.created_after.is_none_or(|time| job.created_at().is_some_and(|created| created >= time))
            && self.created_before.is_none_or(|time| job.created_at().is_some_and(|created| created < time))
    }
}

/// Returns `true` if a name matches a pattern in lower case.
fn matches_glob(pattern: &[char], name: &str) -> bool {
    let name: Vec<char> = name.to_lowercase().chars().collect();
    let (mut at, mut name_at) = (0, 0);
    // The last `*`, and the end of the text that it stands for so far: it takes one more character after each mismatch.
    let mut star: Option<(usize, usize)> = None;
    while name_at < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, name_at));
                at += 1;
            }
            Some(&sign) if sign == '?' || sign == name[name_at] => (at, name_at) = (at + 1, name_at + 1),
            _ => match &mut star {
                Some((star_at, taken)) => {
                    *taken += 1;
                    (at, name_at) = (*star_at + 1, *taken);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|sign| *sign == '*')
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn job(value: serde_json::Value) -> JobInfo {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_name_pattern_knows_stars_and_question_marks_and_no_case() {
        let matches = |pattern: &str, name: &str| {
            let mut filter = JobFilter::default();
            filter.set_name_pattern(pattern);
            filter.matches(&job(json!({"jobId": "1", "jobName": name})))
        };
        for (pattern, name) in [
            ("night*", "Nightly-7k2m"),
            ("NIGHT*", "night"),
            ("*", ""),
            ("*", "x"),
            ("*ly*-7?2m", "nightly-ly-7k2m"),
            ("a*b*c", "a-b-b-c"),
            ("É?", "éx"),
            ("**x", "x"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("night", "nightly"), ("night?", "night"), ("", "x"), ("*x", "xy"), ("a*b", "a"), ("a.c", "abc")]
        {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn a_job_without_a_name_or_a_readable_time_does_not_match() {
        let anonymous = job(json!({"jobId": "1", "createTime": "yesterday"}));
        assert!(JobFilter::default().matches(&anonymous));
        let mut named = JobFilter::default();
        named.set_name_pattern("*");
        let after = JobFilter { created_after: Some(SystemTime::UNIX_EPOCH), ..JobFilter::default() };
        let before = JobFilter { created_before: Some(SystemTime::now()), ..JobFilter::default() };
        for filter in [named, after, before] {
            assert!(!filter.matches(&anonymous), "{filter:?}");
        }
    }

    #[test]
    fn the_limits_of_time_include_the_first_second_and_not_the_last() {
        let at = |seconds| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        let job = job(json!({"jobId": "1", "createTime": "1970-01-01 00:01:00"}));
        let is_between = |from, to| {
            JobFilter { created_after: at(from), created_before: at(to), ..JobFilter::default() }.matches(&job)
        };
        assert!(is_between(60, 61));
        assert!(!is_between(61, 70));
        assert!(!is_between(50, 60));
    }

    #[test]
    fn statuses_and_vendor_filter_together() {
        let job = job(json!({"jobId": "1", "status": "fail", "dbVendor": "dbvoracle"}));
        let filter = |statuses: &[JobStatus], vendor| {
            JobFilter { statuses: Some(statuses.to_vec()), vendor: Some(vendor), ..JobFilter::default() }.matches(&job)
        };
        assert!(filter(&[JobStatus::Success, JobStatus::Failed], Vendor::Oracle));
        assert!(!filter(&[JobStatus::Success], Vendor::Oracle));
        assert!(!filter(&[JobStatus::Failed], Vendor::MySql));
        assert!(!filter(&[], Vendor::Oracle));
    }

    #[test]
    fn a_dialect_matches_in_every_spelling() {
        let matches = |listed: &str, vendor: &Vendor| {
            let filter = JobFilter { vendor: Some(vendor.clone()), ..JobFilter::default() };
            filter.matches(&job(json!({"jobId": "1", "dbVendor": listed})))
        };
        for (listed, vendor) in [
            ("oracle", Vendor::Oracle),
            ("DBVORACLE", Vendor::Oracle),
            ("sqlserver", Vendor::Mssql),
            ("dbvsqlserver", Vendor::Mssql),
            ("spark", Vendor::SparkSql),
            ("dbvoracle", Vendor::Other("ORACLE".to_owned())),
            ("dbvNewDB", Vendor::Other("newdb".to_owned())),
        ] {
            assert!(matches(listed, &vendor), "{listed}");
            assert!(!matches(listed, &Vendor::MySql), "{listed}");
        }
    }
}
