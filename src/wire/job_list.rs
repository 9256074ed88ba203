//! Lists of jobs: read completely for the caller, or searched without keeping the jobs that are not wanted.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::mem;
use std::slice;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use sqlflow_lineage::RelationType;

use super::envelope::{Envelope, EnvelopeData};
use super::job_name::{self, Resemblance};
use super::lenient::{number, raw_text, text_of};
use super::{JobId, JobInfo, RedactedDebug, Redactor, Vendor};
use crate::{Error, ErrorKind};

/// The list of all jobs of a user, including finished ones.
///
/// A client removes the secrets that it knows from its texts, as from those of a [`JobInfo`].
#[derive(Clone, Default, PartialEq)]
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
    /// The entries of the list that are not jobs, because they have no id. One that is no valid JSON value, such as a
    /// text with half of a character, is here as its text.
    pub unread: Vec<Value>,
    /// All other fields.
    pub other: Map<String, Value>,
    /// The warnings of the response (code 203), one per line of its error text.
    pub warnings: Vec<String>,
    /// `true` if the response was a list: it had entries, or a count.
    is_list: bool,
    /// The secrets that `Debug` does not show.
    secrets: Redactor,
}

/// Reads a list from JSON text, so that every entry is read by itself: one that cannot be read must not hide the
/// others.
impl<'de> Deserialize<'de> for JobList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct JobListVisitor;

        impl<'de> Visitor<'de> for JobListVisitor {
            type Value = JobList;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of jobs")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut list = JobList::default();
                let mut has_entries = false;
                while let Some(key) = map.next_key::<String>()? {
                    let raw: Box<RawValue> = map.next_value()?;
                    match key.as_str() {
                        "total" => {
                            list.total = count_of(&raw);
                            list.is_list |= list.total.is_some();
                        }
                        "success" => list.success = count_of(&raw),
                        "partialSuccess" => list.partial_success = count_of(&raw),
                        "fail" => list.fail = count_of(&raw),
                        "jobIds" => list.job_ids = ids_of(&raw),
                        "jobDetails" if mem::replace(&mut has_entries, true) => {
                            return Err(A::Error::duplicate_field("jobDetails"));
                        }
                        "jobDetails" => {
                            let entries: Option<Vec<Box<RawValue>>> = serde_json::from_str(raw.get())
                                .map_err(|error| A::Error::custom(format_args!("jobDetails: {error}")))?;
                            list.is_list |= entries.is_some();
                            entries.iter().flatten().for_each(|entry| list.add(entry));
                        }
                        _ => drop(list.other.insert(key, value_of(&raw))),
                    }
                }
                Ok(list)
            }
        }

        deserializer.deserialize_map(JobListVisitor)
    }
}

impl JobList {
    /// Creates a list of these entries, which a server sent without a count.
    fn of(entries: &[Box<RawValue>]) -> Self {
        let mut list = Self { is_list: true, ..Self::default() };
        for entry in entries {
            list.add(entry);
        }
        list
    }

    fn add(&mut self, entry: &RawValue) {
        match read_job(entry.get()) {
            Ok(job) => self.jobs.push(job),
            Err(_) => self.unread.push(value_of(entry)),
        }
    }

    /// Checks that this is a list, and not shorter than its own count.
    ///
    /// # Errors
    /// `Protocol` otherwise.
    pub(crate) fn check(&self) -> crate::Result<()> {
        let counted = self.total.unwrap_or_default().max(i64::try_from(self.job_ids.len()).unwrap_or(i64::MAX));
        let count = ListCount {
            listed: (self.jobs.len() + self.unread.len()) as u64,
            total: u64::try_from(counted).unwrap_or_default(),
            ids: 0,
            is_list: self.is_list,
        };
        count.check()
    }
}

/// The number of entries of a list, and the numbers that it claims.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ListCount {
    /// The number of entries.
    pub(crate) listed: u64,
    total: u64,
    ids: u64,
    /// `true` if there are entries, or a count of them.
    pub(crate) is_list: bool,
}

impl ListCount {
    /// Notes the field `total`, if it could be read.
    pub(crate) fn note_total(&mut self, total: Option<Value>) {
        let total = total.and_then(|total| number(total).ok().flatten());
        self.is_list |= total.is_some();
        self.total = total.and_then(|total| u64::try_from(total).ok()).unwrap_or_default();
    }

    /// Notes an entry of the field `jobIds`.
    pub(crate) fn note_id(&mut self) {
        self.ids += 1;
    }

    /// Checks that there is a list, and that it is not shorter than its own count.
    ///
    /// # Errors
    /// `Protocol` otherwise.
    pub(crate) fn check(self) -> crate::Result<()> {
        if !self.is_list {
            let text = "the response is a success without a list of jobs: the server sent an empty envelope";
            return Err(Error::new(ErrorKind::Protocol, text));
        }
        let (listed, counted) = (self.listed, self.total.max(self.ids));
        if counted > listed {
            let text = format!("the list of jobs is shorter than its own count: it has {listed} of {counted} jobs");
            return Err(Error::new(ErrorKind::Protocol, text));
        }
        Ok(())
    }
}

/// Reads a job from its JSON. An id that is a number keeps all its digits, which a number of Rust has no place for.
pub(crate) fn read_job(text: &str) -> serde_json::Result<JobInfo> {
    serde_json::from_str(text).or_else(|error| with_long_id(text).ok_or(error))
}

/// Reads a job whose id is a number that is no integer of 64 bits.
fn with_long_id(text: &str) -> Option<JobInfo> {
    let raw = serde_json::from_str::<Fields>(text).ok()?.id?.get();
    if JobId::deserialize(&serde_json::from_str::<Value>(raw).ok()?).is_ok() {
        return None;
    }
    let mut fields: Map<String, Value> = serde_json::from_str(text).ok()?;
    fields.insert("jobId".to_owned(), JobId::from_json(raw)?.as_str().into());
    JobInfo::deserialize(Value::Object(fields)).ok()
}

/// Returns a value, or its text if it cannot be read.
fn value_of(raw: &RawValue) -> Value {
    serde_json::from_str(raw.get()).unwrap_or_else(|_| raw.get().into())
}

fn count_of(raw: &RawValue) -> Option<i64> {
    number(value_of(raw)).ok().flatten()
}

/// Returns the ids of a list: an array, or a single id.
fn ids_of(raw: &RawValue) -> Vec<JobId> {
    match serde_json::from_str::<Vec<Box<RawValue>>>(raw.get()) {
        // A null becomes the text "null", so that the other entries keep their positions.
        Ok(ids) => ids.iter().map(|id| raw_text(id).unwrap_or_else(|| id.get().to_owned()).into()).collect(),
        Err(_) => raw_text(raw).filter(|id| !id.trim().is_empty()).map(JobId::from).into_iter().collect(),
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
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let jobs = read_lookup(raw.get()).map_err(D::Error::custom)?;
        Ok(Self { jobs })
    }
}

fn read_lookup(text: &str) -> serde_json::Result<Vec<JobInfo>> {
    if text.starts_with('[') {
        let entries: Vec<Box<RawValue>> = serde_json::from_str(text)?;
        return entries.iter().map(|entry| read_job(entry.get())).collect();
    }
    // Nearly always. Whether it is a list after all, or neither, is for the slower way.
    if let Ok(job) = serde_json::from_str::<JobInfo>(text)
        && !job.other.contains_key("jobDetails")
    {
        return Ok(vec![job]);
    }
    let shape: Shape = serde_json::from_str(text)?;
    match (shape.job_id, shape.job_details) {
        (Some(_), None) => read_job(text).map(|job| vec![job]),
        _ => serde_json::from_str::<JobList>(text).map(|list| list.jobs),
    }
}

/// The fields that distinguish a job from a list of jobs, even if they are `null`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    job_id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    job_details: Option<&'a RawValue>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// The jobs that run on a schedule: a list like that of all jobs, or the jobs alone.
pub(crate) struct ScheduledJobs(pub(crate) JobList);

impl<'de> Deserialize<'de> for ScheduledJobs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let read = || -> serde_json::Result<JobList> {
            if raw.get().starts_with('[') {
                return Ok(JobList::of(&serde_json::from_str::<Vec<_>>(raw.get())?));
            }
            let shape: Shape = serde_json::from_str(raw.get())?;
            let id = shape.job_id.and_then(|id| JobId::from_json(id.get()));
            // A list may have the field `jobId` too.
            let is_job = shape.job_details.is_none() && id.is_some_and(|id| !id.as_str().trim().is_empty());
            if is_job { Ok(JobList::of(slice::from_ref(&raw))) } else { serde_json::from_str(raw.get()) }
        };
        read().map(Self).map_err(D::Error::custom)
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
    /// The headers of the entries, once something is searched for: many searches share one list.
    #[serde(skip)]
    headers: OnceLock<Vec<Option<JobHeader>>>,
}

/// The fields of a job by which it is searched for. They are read even if other fields of the job cannot be read, or
/// come twice; then the first counts.
struct JobHeader {
    id: JobId,
    name: Option<String>,
}

/// A submission whose job is searched for in a list.
#[derive(Debug, Clone)]
pub(crate) struct Submitted {
    /// The name under which the job was submitted.
    pub(crate) name: String,
    /// The dialect of the submission, if it has one.
    pub(crate) vendor: Option<Vendor>,
    /// The names of its files, if they are known.
    pub(crate) files: Option<Vec<String>>,
    /// The time before which it was not sent, if that is known.
    pub(crate) since: Option<SystemTime>,
}

/// The difference between the clocks of the client and the server up to which they agree. Times are whole seconds.
const CLOCK_PRECISION: Duration = Duration::from_secs(2);

/// The difference between the clocks that is possible.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(120);

/// The same, for a job that has lost its name, where a mistake would be a second job.
const MAX_CLOCK_ERROR: Duration = Duration::from_secs(60 * 60);

/// The step of the offsets of time zones.
const ZONE_STEP: u64 = 15 * 60;

/// The largest difference between the time zone of a server and the one that is assumed.
const MAX_ZONE_DIFFERENCE: Duration = Duration::from_secs(26 * 60 * 60);

/// The facts about a listed job next to its name: `Some(true)` for a fact that agrees with those of a submission,
/// `Some(false)` for one that contradicts, `None` for one that does not tell.
#[derive(Debug, Clone, Copy)]
struct Facts([Option<bool>; 3]);

impl Facts {
    fn all_agree(self) -> bool {
        self.0.iter().all(|fact| *fact == Some(true))
    }

    fn contradict(self) -> bool {
        self.0.contains(&Some(false))
    }
}

impl Submitted {
    /// Returns `true` if a name is that of the submission without doubt, because it has the suffix.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        job_name::suffix(&self.name).is_some_and(|suffix| job_name::contains(name, suffix))
    }

    fn facts(&self, job: &JobInfo) -> Facts {
        let vendor = match (&self.vendor, &job.db_vendor) {
            (None, _) => Some(true),
            (Some(ours), Some(theirs)) => Some(ours.is_same_dialect(theirs)),
            (Some(_), None) => None,
        };
        let files = self.files.as_ref().and_then(|names| agree_in_files(names, &job.file_names));
        let time = self.since.and_then(|since| agrees_in_time(since, job));
        Facts([vendor, files, time])
    }

    /// Returns `true` if a job was created before the submission was sent, whatever is wrong with the clocks.
    fn is_later_than(&self, job: &JobInfo) -> bool {
        let error = if job.time_zone.is_assumed() { MAX_ZONE_DIFFERENCE } else { MAX_CLOCK_ERROR };
        self.since.zip(job.created_at()).is_some_and(|(since, created)| created + error < since)
    }

    /// Returns `true` if the job of one of two submissions may be taken for that of the other, where names are lost.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let is_other_dialect =
            self.vendor.as_ref().zip(other.vendor.as_ref()).is_some_and(|(a, b)| !a.is_same_dialect(b));
        let files =
            self.files.as_ref().zip(other.files.as_ref()).and_then(|(ours, theirs)| agree_in_files(ours, theirs));
        !is_other_dialect && files != Some(false)
    }
}

fn agree_in_files(ours: &[String], theirs: &[String]) -> Option<bool> {
    let names = |names: &[String]| -> BTreeSet<String> {
        let base = |name: &String| name.rsplit(['/', '\\']).next().unwrap_or_default().to_lowercase();
        names.iter().map(base).collect()
    };
    let (ours, theirs) = (names(ours), names(theirs));
    // Servers may list the files in an archive, or its name.
    let is_packed = |names: &BTreeSet<String>| names.iter().any(|name| name.rsplit('.').next() == Some("zip"));
    match ours == theirs {
        true => Some(true),
        false if theirs.is_empty() || is_packed(&ours) || is_packed(&theirs) => None,
        false if ours.is_disjoint(&theirs) => Some(false),
        // Names may be changed, too.
        false => None,
    }
}

fn agrees_in_time(since: SystemTime, job: &JobInfo) -> Option<bool> {
    let created = job.created_at()?;
    let (first, last) = (since - CLOCK_TOLERANCE, SystemTime::now() + CLOCK_TOLERANCE);
    if (first..=last).contains(&created) {
        // Shortly before, it may also be the job of somebody else.
        return (created + CLOCK_PRECISION >= since).then_some(true);
    }
    if !job.time_zone.is_assumed() {
        return Some(false);
    }
    // In another zone, the time would be some quarters of an hour earlier or later.
    let outside = first.duration_since(created).or_else(|_| created.duration_since(last)).unwrap_or_default();
    let span = last.duration_since(first).unwrap_or_default().as_secs();
    let is_near = outside.as_secs().next_multiple_of(ZONE_STEP) - outside.as_secs() <= span;
    (!is_near || outside > MAX_ZONE_DIFFERENCE).then_some(false)
}

/// The result of a search for the job of a submission.
#[derive(Debug)]
pub(crate) enum Found {
    /// The job, by its name.
    Job(Box<JobInfo>),
    /// The only job that can be the one that is searched for. The server dropped its name.
    Nameless(Box<JobInfo>),
    /// No job of the list can be that of the submission.
    Nothing,
    /// The list does not tell, for this reason.
    Unclear(String),
}

impl JobIndex {
    /// Returns the number of entries, whether they can be read or not.
    pub(crate) fn len(&self) -> usize {
        self.job_details.as_ref().map_or(0, Vec::len)
    }

    /// Returns the jobs with these ids, as far as they can be read.
    pub(crate) fn jobs(&self, wanted: &HashSet<JobId>) -> impl Iterator<Item = JobInfo> {
        self.entries()
            .filter(|(_, header)| header.is_some_and(|header| wanted.contains(&header.id)))
            .filter_map(|(entry, _)| self.read(entry))
    }

    /// Reads an entry, unless something in it cannot be read.
    fn read(&self, entry: &RawValue) -> Option<JobInfo> {
        Some(read_job(entry.get()).ok()?.cleaned(&self.secrets))
    }

    /// Returns the job with a name, or the latest if there are several.
    pub(crate) fn named(&self, name: &str) -> Option<JobInfo> {
        let exact = self.latest(|_, listed| listed.is_some_and(|listed| listed.trim() == name.trim()));
        let with_suffix = || {
            let suffix = job_name::suffix(name)?;
            self.latest(|entry, listed| job_name::contains(listed.unwrap_or_else(|| entry.get()), suffix))
        };
        exact.or_else(with_suffix)
    }

    /// Returns the latest of the jobs that match by their text and name.
    fn latest(&self, is_match: impl Fn(&RawValue, Option<&str>) -> bool) -> Option<JobInfo> {
        let matching = self.entries().filter_map(|(entry, header)| {
            let header = header?;
            // A job exists even if its other fields cannot be read.
            let info = || self.read(entry).unwrap_or_else(|| JobInfo::from(header).cleaned(&self.secrets));
            is_match(entry, header.name.as_deref()).then(info)
        });
        // Of jobs with the latest time, take the first: lists begin with the newest, and times are whole seconds.
        matching.reduce(|one, other| if other.create_time > one.create_time { other } else { one })
    }

    /// Searches for the job of a submission, whatever the server did to its name. `zoned` adds the time zone of the
    /// server, and `is_known` says which jobs are those of other submissions.
    pub(crate) fn search(
        &self,
        submitted: &Submitted,
        zoned: impl Fn(JobInfo) -> JobInfo,
        is_known: impl Fn(&JobId) -> bool,
    ) -> Found {
        if let Some(info) = self.named(&submitted.name) {
            return Found::Job(Box::new(zoned(info)));
        }
        let name = &submitted.name;
        if self.is_incomplete() {
            let text =
                format!("the list of jobs is shorter than its own count, so the job {name:?} may exist all the same");
            return Found::Unclear(text);
        }
        if job_name::suffix(name).is_none() {
            return Found::Nothing;
        }
        let length = |name: Option<&str>| name.map_or(0, |name| name.trim().chars().count());
        let names = || self.entries().filter_map(|(_, header)| header?.name.as_deref());
        let is_kept = |listed: &str| {
            job_name::suffix(listed).is_some()
                && listed.len() >= name.len()
                && length(Some(listed)) >= length(Some(name))
        };
        if names().any(is_kept) {
            // A server that lists such a name as it was submitted lists this one, too.
            return Found::Nothing;
        }
        let longest = names().map(|listed| length(Some(listed))).max().unwrap_or_default();
        let (mut agreeing, mut doubtful) = (Vec::new(), None);
        for (entry, header) in self.entries() {
            let Some(header) = header.filter(|header| !is_known(&header.id)) else { continue };
            let resemblance = Resemblance::of(header.name.as_deref(), name);
            if resemblance == Resemblance::Foreign {
                continue;
            }
            let info = zoned(self.read(entry).unwrap_or_else(|| JobInfo::from(header).cleaned(&self.secrets)));
            let facts = submitted.facts(&info);
            // A server that lists a longer name has not cut this one.
            let length = length(header.name.as_deref());
            let is_nameless = resemblance == Resemblance::Remnant && (length == 0 || length == longest);
            if is_nameless && facts.all_agree() {
                agreeing.push(info);
            } else if !facts.contradict() && (is_nameless || submitted.since.is_some()) {
                // Without a time, every job of another name would be doubtful.
                doubtful = Some((info.id, true));
            } else if is_nameless && !submitted.is_later_than(&info) {
                // Whatever drops names may change other things.
                doubtful.get_or_insert((info.id, false));
            }
        }
        let has_rival = agreeing.len() > 1 || matches!(doubtful, Some((_, true)));
        let id = match (agreeing.pop(), doubtful) {
            (None, None) => return Found::Nothing,
            (Some(info), _) if !has_rival => return Found::Nameless(Box::new(info)),
            (Some(info), _) => info.id,
            (None, Some((id, _))) => id,
        };
        Found::Unclear(format!(
            "the server does not list jobs by the names they were submitted with, so job {id} may be {name:?}"
        ))
    }

    /// Returns `true` if the list may be incomplete: it counts more jobs than it contains, it contains an entry that is
    /// not a job, or it is not a list at all.
    fn is_incomplete(&self) -> bool {
        let listed = self.entries().filter(|(_, header)| header.is_some()).count() as u64;
        let total = self.total.and_then(|total| u64::try_from(total).ok()).unwrap_or_default();
        let total = total.max(self.entries().count() as u64);
        let ids = self.job_ids.as_ref().map_or(0, Vec::len) as u64;
        let is_list = self.job_details.is_some() || self.total.is_some();
        ListCount { listed, total, ids, is_list }.check().is_err()
    }

    fn entries(&self) -> impl Iterator<Item = (&RawValue, Option<&JobHeader>)> {
        let entries = self.job_details.as_deref().unwrap_or_default();
        let headers = self.headers.get_or_init(|| entries.iter().map(|entry| JobHeader::of(entry)).collect());
        entries.iter().map(|entry| &**entry).zip(headers.iter().map(Option::as_ref))
    }
}

impl JobHeader {
    fn of(entry: &RawValue) -> Option<Self> {
        let Fields { id, name } = serde_json::from_str(entry.get()).ok()?;
        let id = JobId::from_json(id?.get())?;
        // A name that is no valid text is compared as it stands.
        let text = |name: &RawValue| match serde_json::from_str(name.get()) {
            Ok(value) => text_of(value),
            Err(_) => Some(name.get().to_owned()),
        };
        (!id.as_str().trim().is_empty()).then(|| Self { id, name: name.and_then(text) })
    }
}

/// The two fields of a header, with values that are not read yet.
struct Fields<'a> {
    id: Option<&'a RawValue>,
    name: Option<&'a RawValue>,
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;

        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a job")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Fields { id: None, name: None };
                // A key that is no valid text ends the map. It is none of the two.
                while let Some(key) = map.next_key::<&RawValue>()? {
                    let field = match key.get() {
                        r#""jobId""# => &mut fields.id,
                        r#""jobName""# => &mut fields.name,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    let value = map.next_value()?;
                    field.get_or_insert(value);
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(FieldsVisitor)
    }
}

impl From<&JobHeader> for JobInfo {
    fn from(header: &JobHeader) -> Self {
        Self { name: header.name.clone(), ..Self::of(header.id.clone()) }
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
            .finish_non_exhaustive()
    }
}

impl EnvelopeData for JobLookup {
    fn parse_envelope(text: &[u8], _: Option<Vec<RelationType>>) -> serde_json::Result<Envelope<Self>> {
        Envelope::read_with(text, |data| read_lookup(data.get()).map(|jobs| Self { jobs }))
    }

    fn of_data(data: &str) -> Option<Self> {
        Some(Self { jobs: read_lookup(data).ok()? })
    }

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
    fn an_entry_that_is_no_valid_value_is_kept_as_text_and_does_not_hide_the_others() {
        let nested = format!(r#"{{"jobId": "3", "dataSource": {}{}}}"#, "[".repeat(5000), "]".repeat(5000));
        let surrogate = r#"{"jobId": "2", "errorMessage": "\ud83d"}"#;
        let text =
            format!(r#"{{"total": 4, "jobDetails": [{{"jobId": "1"}}, {surrogate}, {nested}, {{"jobId": "4"}}]}}"#);
        let scheduled = serde_json::from_str::<ScheduledJobs>(&text).unwrap().0;
        for list in [serde_json::from_str::<JobList>(&text).unwrap(), scheduled] {
            let ids: Vec<_> = list.jobs.iter().map(|job| job.id.as_str()).collect();
            assert_eq!((ids, &list.unread), (vec!["1", "4"], &vec![json!(surrogate), json!(nested)]));
            list.check().unwrap();
        }
        let bare = format!(r#"[{{"jobId": "1"}}, {surrogate}]"#);
        let bare = serde_json::from_str::<ScheduledJobs>(&bare).unwrap().0;
        assert_eq!((bare.jobs.len(), bare.unread.len()), (1, 1));
    }

    #[test]
    fn an_id_that_is_a_number_keeps_its_digits() {
        const LONG: &str = "123456789012345678901234";
        let job = format!(r#"{{"jobId": {LONG}, "jobName": "n"}}"#);
        let list = format!(r#"{{"total": 1, "jobIds": [{LONG}, 7, "x"], "jobDetails": [{job}]}}"#);
        let read: JobList = serde_json::from_str(&list).unwrap();
        assert_eq!(read.job_ids, [LONG, "7", "x"].map(JobId::from));
        let index: JobIndex = serde_json::from_str(&list).unwrap();
        let lookup: JobLookup = serde_json::from_str(&job).unwrap();
        let wrapped: JobLookup = serde_json::from_str(&list).unwrap();
        let scheduled: ScheduledJobs = serde_json::from_str(&job).unwrap();
        for found in
            [&read.jobs[0], &index.named("n").unwrap(), &lookup.jobs[0], &wrapped.jobs[0], &scheduled.0.jobs[0]]
        {
            assert_eq!((found.id.as_str(), found.name.as_deref()), (LONG, Some("n")));
        }
        assert!(JobId::deserialize(&json!(1e23)).is_err(), "its digits are lost");
        // The fields of other jobs are still checked.
        assert!(read_job(r#"{"jobId": 1, "status": "fail", "status": "success"}"#).is_err());
    }

    #[test]
    fn a_wrapper_with_a_field_for_an_id_is_a_list_of_scheduled_jobs() {
        for id in [json!(null), json!(""), json!(" "), json!("j0"), json!(true)] {
            let list = json!({"jobId": id, "total": 2, "jobDetails": [{"jobId": "1"}, {"jobId": "2"}]});
            let list = serde_json::from_value::<ScheduledJobs>(list).unwrap().0;
            assert_eq!(list.jobs.len(), 2, "{id}");
            list.check().unwrap();
        }
        for no_list in [json!({"jobId": null}), json!({"jobId": ""}), json!({})] {
            assert!(serde_json::from_value::<ScheduledJobs>(no_list).unwrap().0.check().is_err());
        }
        let bare = serde_json::from_value::<ScheduledJobs>(json!({"jobId": 5})).unwrap().0;
        assert_eq!(bare.jobs[0].id.as_str(), "5");
        bare.check().unwrap();
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
    fn a_job_is_found_by_name_even_if_its_other_fields_cannot_be_read_but_has_no_state_then() {
        let nested = format!(r#""dataSource": {}{}"#, "[".repeat(200), "]".repeat(200));
        for odd in [
            r#""status": "create", "status": "fail""#,
            r#""errorMessage": "\ud83d""#,
            r#""\ud83d": 1"#,
            r#""onTop": 1e999"#,
            &nested,
        ] {
            let list = format!(r#"{{"total": 1, "jobDetails": [{{"jobId": "1", "jobName": "n", {odd}}}]}}"#);
            let list: JobIndex = serde_json::from_str(&list).unwrap();
            assert_eq!(list.named("n").map(|job| job.id), Some("1".into()), "{odd}");
            assert_eq!(list.jobs(&["1".into()].into()).next(), None, "{odd}");
            assert!(!list.is_incomplete(), "{odd}");
        }
    }

    const NAME: &str = "nightly load-k7m2x9p4q1";

    /// Searches for a submission that was sent a minute ago.
    fn search(jobs: &Value, is_known: impl Fn(&JobId) -> bool) -> Found {
        let list: JobIndex = serde_json::from_value(json!({"jobDetails": jobs})).unwrap();
        let submitted = Submitted {
            name: NAME.to_owned(),
            vendor: Some(Vendor::Oracle),
            files: Some(vec!["a.sql".to_owned(), "b.sql".to_owned()]),
            since: Some(SystemTime::now() - Duration::from_secs(60)),
        };
        list.search(&submitted, |info| info, is_known)
    }

    fn seconds_ago(seconds: i64) -> Value {
        let time = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(seconds);
        json!(time.strftime("%Y-%m-%d %H:%M:%S").to_string())
    }

    /// A job that agrees in everything but the name.
    fn agreeing(id: &str, name: &Value) -> Value {
        json!({"jobId": id, "jobName": name, "dbVendor": "dbvoracle", "fileNames": ["A.SQL", "b.sql"],
            "createTime": seconds_ago(30)})
    }

    #[test]
    fn a_job_is_found_by_its_suffix_whatever_the_server_did_to_the_name() {
        for listed in ["NIGHTLY LOAD-K7M2X9P4Q1", "nightly_load_k7m2x9p4q1", "nightly%20load-k7m2x9p4q1.zip"] {
            let found =
                search(&json!([{"jobId": "1", "jobName": "other"}, {"jobId": "2", "jobName": listed}]), |_| false);
            assert!(matches!(&found, Found::Job(job) if job.id.as_str() == "2"), "{listed}: {found:?}");
        }
        let surrogate = r#"{"jobDetails": [{"jobId": "2", "jobName": "\ud83d-k7m2x9p4q1"}]}"#;
        let list: JobIndex = serde_json::from_str(surrogate).unwrap();
        assert_eq!(list.named(NAME).map(|job| job.id), Some("2".into()));
    }

    #[test]
    fn a_job_without_its_name_is_found_by_dialect_files_and_time() {
        for name in [json!(null), json!(""), json!("night"), json!("nightly load-k7m2x")] {
            let found = search(&json!([agreeing("1", &name)]), |_| false);
            assert!(matches!(&found, Found::Nameless(job) if job.id.as_str() == "1"), "{name}: {found:?}");
        }
        let known = search(&json!([agreeing("1", &json!(null))]), |id| id.as_str() == "1");
        assert!(matches!(known, Found::Nothing), "the job of another submission: {known:?}");
    }

    #[test]
    fn a_list_that_does_not_tell_is_unclear_and_never_nothing() {
        let without = |field: &str| {
            let mut job = agreeing("1", &json!(null));
            job.as_object_mut().unwrap().remove(field);
            job
        };
        let mut elsewhere = agreeing("1", &json!(""));
        elsewhere["createTime"] = seconds_ago(30 - 8 * 3600);
        for jobs in [
            json!([agreeing("1", &json!(null)), agreeing("2", &json!(null))]),
            json!([agreeing("1", &json!("job 17"))]),
            json!([without("dbVendor")]),
            json!([without("fileNames")]),
            json!([without("createTime")]),
            json!([elsewhere]),
            json!([{"jobName": "no id"}]),
            json!([{"jobId": "1", "jobName": "job 17"}]),
            json!([{"jobId": "1"}, {"jobId": "2", "jobName": "x"}]),
            json!([{"jobId": "1", "jobName": "nightly load"}, {"jobId": "2", "jobName": "nightly load of 2001"}]),
            json!([with("createTime", seconds_ago(30 - 8 * 3600), &json!("R&amp;D nightly"))]),
        ] {
            let found = search(&jobs, |_| false);
            assert!(matches!(found, Found::Unclear(_)), "{jobs}: {found:?}");
        }
    }

    fn with(field: &str, value: Value, name: &Value) -> Value {
        let mut job = agreeing("1", name);
        job[field] = value;
        job
    }

    #[test]
    fn a_job_that_lost_its_name_is_doubtful_even_if_something_contradicts() {
        for (field, value) in [
            ("dbVendor", json!("dbvmysql")),
            ("fileNames", json!(["??.sql"])),
            ("createTime", seconds_ago(9 * 60)),
            ("createTime", seconds_ago(24 * 3600)),
        ] {
            let found = search(&json!([with(field, value, &json!(null))]), |_| false);
            assert!(matches!(found, Found::Unclear(_)), "{field}: {found:?}");
        }
    }

    #[test]
    fn the_only_job_to_which_everything_applies_is_found_among_others_that_lost_their_names() {
        let others = with("fileNames", json!(["c.sql"]), &json!(null));
        let found = search(&json!([others, agreeing("2", &json!(null))]), |_| false);
        assert!(matches!(&found, Found::Nameless(job) if job.id.as_str() == "2"), "{found:?}");
        let earlier = with("createTime", seconds_ago(90), &json!(null));
        let found = search(&json!([earlier, agreeing("2", &json!(null))]), |_| false);
        assert!(matches!(found, Found::Unclear(_)), "the clocks may differ: {found:?}");
    }

    #[test]
    fn a_server_that_keeps_names_lists_this_one_too() {
        let kept = json!({"jobId": "7", "jobName": "another load-z7m2x9p4q1"});
        for job in [agreeing("1", &json!(null)), agreeing("1", &json!("job 17"))] {
            let found = search(&json!([kept, job]), |_| false);
            assert!(matches!(found, Found::Nothing), "{found:?}");
        }
    }

    #[test]
    fn jobs_that_cannot_be_that_of_the_submission_are_nothing() {
        let named = json!("job 17");
        for jobs in [
            json!([]),
            json!([agreeing("1", &json!("nightly load-z7m2x9p4q1"))]),
            json!([with("dbVendor", json!("dbvmysql"), &named)]),
            json!([with("fileNames", json!(["c.sql"]), &named)]),
            json!([with("createTime", seconds_ago(9 * 60), &named)]),
            json!([with("createTime", seconds_ago(48 * 3600), &json!(null))]),
        ] {
            let found = search(&jobs, |_| false);
            assert!(matches!(found, Found::Nothing), "{jobs}: {found:?}");
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
        assert_eq!(list.jobs(&["3".into(), "4".into(), "9".into()].into()).count(), 2);
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
