//! Jobs: their state and how it changes, and the user each belongs to. Owns every job and its files.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;
use uuid::Uuid;

use super::analysis::{self, AnalysisSettings, Lineage};
use super::envelope::Failure;
use super::upload::StoredFile;
use super::{Service, archive, clock, wait_for_stop};

/// The maximum number of jobs that are analyzed at the same time. The others wait in `process`.
const PARALLEL_ANALYSES: usize = 4;

/// The state of a job at one moment, as returned by [`Emulator::jobs`](super::Emulator::jobs).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobSnapshot {
    /// The id, 32 hexadecimal digits.
    pub id: String,
    /// The name it was submitted under.
    pub name: String,
    /// The id of the user it belongs to.
    pub user_id: String,
    /// The database vendor, for example `dbvoracle`.
    pub vendor: String,
    /// The status: `create`, `process`, `success`, `partial_success` or `fail`.
    pub status: String,
    /// The `errorMessage` of the job.
    pub error_message: Option<String>,
    /// The names of the uploaded files, in the order in which they were sent.
    pub file_names: Vec<String>,
    /// The number of times it was submitted or run again: 1 after the first submission.
    pub runs: u64,
    /// The time of creation that it shows.
    pub created: SystemTime,
    /// The time that its last run took, or zero before its end.
    pub execute_time: Duration,
}

/// The times that jobs are given when they are submitted.
#[derive(Debug, Clone, Copy)]
pub(super) struct JobTimes {
    /// The minimum time in `create`.
    pub(super) in_create: Duration,
    /// The minimum time in `process`.
    pub(super) in_process: Duration,
    /// The time of creation that jobs show, if it is not that of their submission.
    pub(super) created: Option<SystemTime>,
}

impl Default for JobTimes {
    fn default() -> Self {
        Self { in_create: Duration::from_millis(100), in_process: Duration::from_millis(300), created: None }
    }
}

/// The status of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JobStatus {
    Create,
    Running,
    Success,
    PartialSuccess,
    Fail,
}

impl JobStatus {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Running => "process",
            Self::Success => "success",
            Self::PartialSuccess => "partial_success",
            Self::Fail => "fail",
        }
    }
}

/// The parameters of a submission.
#[derive(Debug, Clone)]
pub(super) struct JobRequest {
    pub(super) name: String,
    pub(super) user: String,
    pub(super) settings: AnalysisSettings,
    /// The options that a job object repeats under the same names.
    pub(super) options: JobOptions,
}

/// Options of a job that its exports and its description need.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the protocol")]
pub(super) struct JobOptions {
    pub(super) relation_types: String,
    pub(super) ignore_record_set: bool,
    pub(super) ignore_function: bool,
    pub(super) show_constant_table: bool,
    pub(super) show_transform: bool,
    pub(super) count_arguments_direct: bool,
    pub(super) on_top: bool,
    pub(super) parallel: bool,
    pub(super) persist: bool,
    pub(super) incremental: bool,
    pub(super) schedulable: bool,
    pub(super) cancel_schedule: bool,
    pub(super) cron_expression: Option<String>,
}

/// The job object of the protocol. It is written without being built as a [`Value`] first: a list has many.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the protocol")]
pub(super) struct JobObject<'a> {
    job_id: &'a str,
    job_name: &'a str,
    user_id: &'a str,
    user_email: &'a str,
    db_vendor: &'a str,
    data_source: Nothing,
    file_names: Vec<&'a str>,
    create_time: String,
    status: &'a str,
    session_id: &'a str,
    show_relation_type: &'a str,
    ignore_record_set: bool,
    ignore_function: bool,
    show_constant_table: bool,
    show_transform: bool,
    dataflow_of_aggregate_function: &'a str,
    has_metadata: bool,
    execute_time: String,
    execute_time_millis: u64,
    on_top: bool,
    parallel: bool,
    persist: bool,
    incremental: bool,
    schedulable: bool,
    cancel_schedule: bool,
    sub_jobs: [Nothing; 0],
    version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_database: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_schema: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cron_expression: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_execute_time: Option<String>,
}

/// An object without fields.
#[derive(Serialize)]
struct Nothing {}

/// The job objects of a list, and their counts.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JobListObject<'a> {
    total: usize,
    success: usize,
    partial_success: usize,
    fail: usize,
    job_ids: Vec<&'a str>,
    job_details: Vec<JobObject<'a>>,
}

impl<'a> JobListObject<'a> {
    pub(super) fn of(jobs: &'a [Job]) -> Self {
        let count = |status| jobs.iter().filter(|job| job.status == status).count();
        Self {
            total: jobs.len(),
            success: count(JobStatus::Success),
            partial_success: count(JobStatus::PartialSuccess),
            fail: count(JobStatus::Fail),
            job_ids: jobs.iter().map(|job| job.id.as_str()).collect(),
            job_details: jobs.iter().map(Job::describe).collect(),
        }
    }
}

/// A job.
#[derive(Clone)]
pub(super) struct Job {
    pub(super) id: String,
    pub(super) request: JobRequest,
    pub(super) session: String,
    pub(super) status: JobStatus,
    pub(super) error_message: Option<String>,
    pub(super) lineage: Option<Arc<Lineage>>,
    files: Vec<Arc<StoredFile>>,
    times: JobTimes,
    created: SystemTime,
    submitted: Instant,
    executed: Option<SystemTime>,
    elapsed: Duration,
    runs: u64,
}

impl Job {
    fn is_known_to(&self, user: &str, lag: Duration) -> bool {
        self.request.user == user && self.submitted.elapsed() >= lag
    }

    /// Returns the job object of the protocol.
    pub(super) fn describe(&self) -> JobObject<'_> {
        let options = &self.request.options;
        JobObject {
            job_id: &self.id,
            job_name: &self.request.name,
            user_id: &self.request.user,
            user_email: &self.request.user,
            db_vendor: self.request.settings.vendor.name(),
            data_source: Nothing {},
            file_names: self.files.iter().map(|file| file.name.as_str()).collect(),
            create_time: clock::timestamp(self.created),
            status: self.status.name(),
            session_id: &self.session,
            show_relation_type: &options.relation_types,
            ignore_record_set: options.ignore_record_set,
            ignore_function: options.ignore_function,
            show_constant_table: options.show_constant_table,
            show_transform: options.show_transform,
            dataflow_of_aggregate_function: if options.count_arguments_direct { "direct" } else { "indirect" },
            has_metadata: false,
            execute_time: clock::execute_time(self.elapsed),
            execute_time_millis: u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX),
            on_top: options.on_top,
            parallel: options.parallel,
            persist: options.persist,
            incremental: options.incremental,
            schedulable: options.schedulable,
            cancel_schedule: options.cancel_schedule,
            sub_jobs: [],
            version: concat!("emulator ", env!("CARGO_PKG_VERSION")),
            default_database: self.request.settings.database.as_deref(),
            default_schema: self.request.settings.schema.as_deref(),
            cron_expression: options.cron_expression.as_deref(),
            error_message: self.error_message.as_deref(),
            last_execute_time: self.executed.map(clock::timestamp),
        }
    }

    /// Returns the job object in the response to a submission, which has the few fields that a new job has.
    pub(super) fn describe_as_new(&self) -> Value {
        let JobObject { job_id, job_name, user_id, db_vendor, data_source, file_names, create_time, status, .. } =
            self.describe();
        json!({
            "jobId": job_id,
            "jobName": job_name,
            "userId": user_id,
            "dbVendor": db_vendor,
            "dataSource": data_source,
            "fileNames": file_names,
            "createTime": create_time,
            "status": status,
        })
    }

    /// Returns the lineage, or fails with the reason why the job has none.
    pub(super) fn finished(&self) -> Result<&Arc<Lineage>, Failure> {
        match (self.status, &self.lineage) {
            (JobStatus::Success | JobStatus::PartialSuccess, Some(lineage)) => Ok(lineage),
            (JobStatus::Create | JobStatus::Running, _) => Err(Failure::new(
                409,
                format!(
                    "The job {} has not finished yet (status {}). Please try again later.",
                    self.id,
                    self.status.name()
                ),
            )),
            _ => {
                let reason = self.error_message.as_deref().unwrap_or("no reason is known");
                Err(Failure::new(409, format!("The job {} failed and has no lineage: {reason}", self.id)))
            }
        }
    }

    fn file_names(&self) -> Vec<String> {
        self.files.iter().map(|file| file.name.clone()).collect()
    }

    pub(super) fn set_created(&mut self, time: SystemTime) {
        self.created = time;
    }

    pub(super) fn set_elapsed(&mut self, time: Duration) {
        self.elapsed = time;
    }

    pub(super) fn snapshot(&self) -> JobSnapshot {
        JobSnapshot {
            id: self.id.clone(),
            name: self.request.name.clone(),
            user_id: self.request.user.clone(),
            vendor: self.request.settings.vendor.name().to_owned(),
            status: self.status.name().to_owned(),
            error_message: self.error_message.clone(),
            file_names: self.file_names(),
            runs: self.runs,
            created: self.created,
            execute_time: self.elapsed,
        }
    }
}

/// Every job of every user, oldest first.
pub(super) struct JobStore {
    table: Mutex<JobTable>,
    /// Incremented whenever a job changes.
    changes: watch::Sender<u64>,
    analyses: Semaphore,
    /// The time after a submission in which the job is not known.
    lag: Duration,
    /// The times of the jobs to come.
    times: Mutex<JobTimes>,
}

#[derive(Default)]
struct JobTable {
    next: u64,
    jobs: BTreeMap<u64, Job>,
    numbers: std::collections::HashMap<String, u64>,
}

impl JobTable {
    /// Returns the jobs of a user that are known, from the oldest to the latest.
    fn known(&self, user: &str, lag: Duration) -> impl DoubleEndedIterator<Item = &Job> {
        self.jobs.values().filter(move |job| job.is_known_to(user, lag))
    }

    /// Returns the number of a job of a user that is known.
    fn number_of(&self, user: &str, id: &str, lag: Duration) -> Option<u64> {
        let number = *self.numbers.get(id)?;
        self.jobs.get(&number)?.is_known_to(user, lag).then_some(number)
    }
}

impl fmt::Debug for JobStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobStore").field("length", &self.lock().jobs.len()).finish_non_exhaustive()
    }
}

impl JobStore {
    pub(super) fn new(lag: Duration, times: JobTimes) -> Self {
        let (changes, analyses) = (watch::Sender::new(0), Semaphore::new(PARALLEL_ANALYSES));
        Self { table: Mutex::default(), changes, analyses, lag, times: Mutex::new(times) }
    }

    /// Returns the times of the jobs to come.
    pub(super) fn times(&self) -> JobTimes {
        *self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the times of the jobs to come.
    pub(super) fn set_times(&self, times: JobTimes) {
        *self.times.lock().unwrap_or_else(PoisonError::into_inner) = times;
    }

    /// Adds a job and starts it.
    pub(super) fn submit(service: &Arc<Service>, mut request: JobRequest, files: Vec<StoredFile>) -> Job {
        let now = SystemTime::now();
        let jobs = &service.jobs;
        let times = jobs.times();
        let mut table = jobs.lock();
        let number = table.next;
        table.next += 1;
        let id = Uuid::new_v4().simple().to_string();
        if request.name.is_empty() {
            request.name.clone_from(&id);
        }
        request.name = request.name.chars().take(service.settings.max_job_name_length).collect();
        let job = Job {
            session: session_id(now),
            id: id.clone(),
            request,
            status: JobStatus::Create,
            error_message: None,
            lineage: None,
            files: files.into_iter().map(Arc::new).collect(),
            times,
            created: times.created.unwrap_or(now),
            submitted: Instant::now(),
            executed: None,
            elapsed: Duration::ZERO,
            runs: 1,
        };
        table.numbers.insert(id, number);
        table.jobs.insert(number, job.clone());
        drop(table);
        jobs.changed();
        start(service, job.clone());
        job
    }

    /// Adds files to a job, or replaces its files, and runs it again.
    pub(super) fn extend(
        service: &Arc<Service>,
        user: &str,
        id: &str,
        files: Vec<StoredFile>,
        append: bool,
    ) -> Result<Job, Failure> {
        let job = service.jobs.change(user, id, |job| {
            if !append {
                job.files.clear();
            }
            job.files.extend(files.into_iter().map(Arc::new));
            job.request.options.incremental = append;
            job.restart();
        })?;
        start(service, job.clone());
        Ok(job)
    }

    /// Runs a job again with the files it has.
    pub(super) fn rerun(service: &Arc<Service>, user: &str, id: &str) -> Result<Job, Failure> {
        let job = service.jobs.change(user, id, Job::restart)?;
        start(service, job.clone());
        Ok(job)
    }

    /// Finds a job by its id. A job of another user does not exist.
    pub(super) fn find(&self, user: &str, id: &str) -> Result<Job, Failure> {
        let table = self.lock();
        let number = table.number_of(user, id, self.lag);
        number.and_then(|number| table.jobs.get(&number)).cloned().ok_or_else(|| no_such_job(id))
    }

    /// Finds the latest job with this name.
    pub(super) fn find_by_name(&self, user: &str, name: &str) -> Result<Job, Failure> {
        let table = self.lock();
        let job = table.known(user, self.lag).rev().find(|job| job.request.name == name);
        job.cloned().ok_or_else(|| Failure::new(404, format!("There is no job named '{name}'.")))
    }

    /// Finds a job by the session of its responses.
    pub(super) fn of_session(&self, user: &str, session: &str) -> Result<Job, Failure> {
        let table = self.lock();
        let job = table.known(user, self.lag).rev().find(|job| job.session == session);
        job.cloned().ok_or_else(|| Failure::new(404, format!("There is no session '{session}'.")))
    }

    /// Returns the latest job of a user.
    pub(super) fn latest(&self, user: &str) -> Result<Job, Failure> {
        let table = self.lock();
        let job = table.known(user, self.lag).next_back();
        job.cloned().ok_or_else(|| Failure::new(404, "The user has no job."))
    }

    /// Returns all jobs of a user: first those on top, then the others, each from the latest to the oldest.
    pub(super) fn of_user(&self, user: &str) -> Vec<Job> {
        let table = self.lock();
        let mut jobs: Vec<Job> = table.known(user, self.lag).rev().cloned().collect();
        jobs.sort_by_key(|job| !job.request.options.on_top);
        jobs
    }

    pub(super) fn delete(&self, user: &str, id: &str) -> Result<(), Failure> {
        let mut table = self.lock();
        let number = table.number_of(user, id, self.lag).ok_or_else(|| no_such_job(id))?;
        table.jobs.remove(&number);
        table.numbers.remove(id);
        drop(table);
        self.changed();
        Ok(())
    }

    /// Changes a job of this user on request, and returns the changed job.
    pub(super) fn change(&self, user: &str, id: &str, change: impl FnOnce(&mut Job)) -> Result<Job, Failure> {
        self.change_known(user, id, self.lag, change)
    }

    /// Changes a job that is known after a lag.
    fn change_known(&self, user: &str, id: &str, lag: Duration, change: impl FnOnce(&mut Job)) -> Result<Job, Failure> {
        let mut table = self.lock();
        let number = table.number_of(user, id, lag);
        let job = number.and_then(|number| table.jobs.get_mut(&number)).ok_or_else(|| no_such_job(id))?;
        change(job);
        let changed = job.clone();
        drop(table);
        self.changed();
        Ok(changed)
    }

    /// Finds a job of any user, for the emulator's own paths.
    pub(super) fn find_any(&self, id: &str) -> Result<Job, Failure> {
        let table = self.lock();
        let number = table.numbers.get(id);
        number.and_then(|number| table.jobs.get(number)).cloned().ok_or_else(|| no_such_job(id))
    }

    /// Changes a job of any user, for the emulator's own paths.
    pub(super) fn change_any(&self, id: &str, change: impl FnOnce(&mut Job)) -> Result<Job, Failure> {
        let user = self.find_any(id)?.request.user;
        self.change_known(&user, id, Duration::ZERO, change)
    }

    /// Deletes a job of any user, for the emulator's own paths.
    pub(super) fn delete_any(&self, id: &str) -> Result<(), Failure> {
        let mut table = self.lock();
        let number = table.numbers.remove(id).ok_or_else(|| no_such_job(id))?;
        table.jobs.remove(&number);
        drop(table);
        self.changed();
        Ok(())
    }

    /// Deletes all jobs of all users, for the emulator's own paths. Those that run are abandoned.
    pub(super) fn delete_all(&self) {
        let mut table = self.lock();
        table.jobs.clear();
        table.numbers.clear();
        drop(table);
        self.changed();
    }

    /// Returns the jobs of all users, from the oldest to the latest.
    pub(super) fn all(&self) -> Vec<Job> {
        self.lock().jobs.values().cloned().collect()
    }

    pub(super) fn snapshot(&self) -> Vec<JobSnapshot> {
        self.lock().jobs.values().map(Job::snapshot).collect()
    }

    /// Returns a receiver that is notified of each change of any job.
    #[cfg(test)]
    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn changed(&self) {
        self.changes.send_modify(|version| *version += 1);
    }

    fn lock(&self) -> MutexGuard<'_, JobTable> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Job {
    fn restart(&mut self) {
        self.runs += 1;
        self.status = JobStatus::Create;
        self.error_message = None;
        self.lineage = None;
    }
}

/// Creates a session id as the real server writes it: 64 hexadecimal digits and the time in milliseconds.
fn session_id(now: SystemTime) -> String {
    let [first, second] = [Uuid::new_v4(), Uuid::new_v4()].map(Uuid::simple);
    format!("{first}{second}_{}", clock::millis_since_epoch(now))
}

fn no_such_job(id: &str) -> Failure {
    Failure::new(404, format!("The job '{id}' does not exist."))
}

/// Takes a job through its states, unless the server stops first.
fn start(service: &Arc<Service>, job: Job) {
    let service = Arc::clone(service);
    tokio::spawn(async move {
        let stopped = service.stopped.clone();
        tokio::select! {
            () = run(&service, &job) => {}
            () = wait_for_stop(stopped) => {}
        }
    });
}

async fn run(service: &Service, job: &Job) {
    tokio::time::sleep(job.times.in_create).await;
    // An error means that the job has been deleted or restarted; the new run has its own task.
    if job.advance(service, |job| job.status = JobStatus::Running).is_err() {
        return;
    }
    let begun = tokio::time::Instant::now();
    let (files, settings) = (job.files.clone(), job.request.settings.clone());
    let analysis = async {
        // The semaphore is never closed, and without a permit the job would merely not wait for the others.
        let _turn = service.jobs.analyses.acquire().await;
        analyze(files, settings).await
    };
    let (outcome, ()) = tokio::join!(analysis, tokio::time::sleep(job.times.in_process));
    let _superseded = job.advance(service, |job| job.conclude(outcome, begun.elapsed()));
}

impl Job {
    /// Changes the job if this run of it is still the current one.
    fn advance(&self, service: &Service, change: impl FnOnce(&mut Self)) -> Result<(), ()> {
        let mut current = false;
        // The server itself knows the job from the beginning.
        let changed = service.jobs.change_known(&self.request.user, &self.id, Duration::ZERO, |job| {
            current = job.runs == self.runs;
            if current {
                change(job);
            }
        });
        if current && changed.is_ok() { Ok(()) } else { Err(()) }
    }

    fn conclude(&mut self, outcome: Result<Lineage, String>, elapsed: Duration) {
        self.executed = Some(SystemTime::now());
        self.elapsed = elapsed;
        match outcome {
            Err(message) => {
                self.status = JobStatus::Fail;
                self.error_message = Some(message);
            }
            Ok(lineage) => {
                let messages = lineage.headlines();
                self.error_message = (!messages.is_empty()).then(|| messages.join("\n"));
                self.status = outcome_of(&lineage);
                if self.status == JobStatus::Fail && self.error_message.is_none() {
                    self.error_message = Some("The files contain no SQL statement.".into());
                }
                self.lineage = (self.status != JobStatus::Fail).then(|| Arc::new(lineage));
            }
        }
    }
}

fn outcome_of(lineage: &Lineage) -> JobStatus {
    match (lineage.statements, lineage.is_incomplete()) {
        (0, _) => JobStatus::Fail,
        (_, true) => JobStatus::PartialSuccess,
        (_, false) => JobStatus::Success,
    }
}

/// Reads all files of a job, off the threads that serve requests.
async fn analyze(files: Vec<Arc<StoredFile>>, settings: AnalysisSettings) -> Result<Lineage, String> {
    analysis::run_off_thread(settings, move |analyzer| archive::analyze(files.iter().map(Arc::as_ref), analyzer)).await
}
