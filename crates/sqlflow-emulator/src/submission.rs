//! The operations on jobs: submit, describe, delete, rerun, schedule.

use std::sync::Arc;

use axum::response::Response;
use serde_json::json;

use super::Service;
use super::analysis::{AnalysisSettings, Vendor};
use super::envelope::{Failure, success};
use super::jobs::{Job, JobListObject, JobOptions, JobRequest, JobStore};
use super::parameters::Parameters;
use super::routes::Action;
use super::upload::StoredFile;

/// Responds to `submitUserJob`.
pub(super) fn submit(service: &Arc<Service>, user: &str, parameters: &mut Parameters) -> Result<Response, Failure> {
    let name = parameters.required("jobName")?.trim().to_owned();
    let settings = settings(parameters, None)?;
    let options = JobOptions {
        ignore_record_set: parameters.flag("ignoreRecordSet", true)?,
        ignore_function: parameters.flag("ignoreFunction", true)?,
        ..job_options(parameters)?
    };
    let files = sql_files(parameters)?;
    let job = JobStore::submit(service, JobRequest { name, user: user.to_owned(), settings, options }, files);
    Ok(success(job.describe_as_new()))
}

/// Responds to `submitPersistJob`: the first submission creates a job, later ones add to it.
pub(super) fn submit_persistent(
    service: &Arc<Service>,
    user: &str,
    parameters: &mut Parameters,
) -> Result<Response, Failure> {
    let incremental = parameters.flag("incremental", true)?;
    if let Some(id) = parameters.get("jobId").map(str::to_owned) {
        service.jobs.find(user, &id)?;
        let files = sql_files(parameters)?;
        let job = JobStore::extend(service, user, &id, files, incremental)?;
        return Ok(success(job.describe_as_new()));
    }
    let settings = settings(parameters, None)?;
    let schedulable = parameters.flag("schedulable", false)?;
    let cron_expression = parameters.get("cronExpression").map(str::to_owned);
    if schedulable && cron_expression.is_none() {
        return Err(Failure::missing("cronExpression"));
    }
    let options = JobOptions {
        ignore_record_set: true,
        ignore_function: true,
        persist: true,
        incremental,
        schedulable,
        cron_expression,
        ..job_options(parameters)?
    };
    let name = parameters.get("jobName").unwrap_or_default().trim().to_owned();
    let files = sql_files(parameters)?;
    let job = JobStore::submit(service, JobRequest { name, user: user.to_owned(), settings, options }, files);
    Ok(success(job.describe_as_new()))
}

fn job_options(parameters: &Parameters) -> Result<JobOptions, Failure> {
    Ok(JobOptions {
        relation_types: parameters.relation_types("fdd")?,
        show_constant_table: parameters.flag("showConstantTable", false)?,
        show_transform: parameters.flag("showTransform", false)?,
        count_arguments_direct: parameters.flag("treatArgumentsInCountFunctionAsDirectDataflow", false)?,
        on_top: parameters.flag("onTop", false)?,
        parallel: parameters.flag("parallel", false)?,
        ..JobOptions::default()
    })
}

/// Reads the vendor, default database and default schema of a request. The vendor is required if there is no default.
pub(super) fn settings(parameters: &Parameters, default_vendor: Option<&str>) -> Result<AnalysisSettings, Failure> {
    let Some(name) = parameters.get("dbvendor").or(default_vendor) else { return Err(Failure::missing("dbvendor")) };
    let vendor = Vendor::find(name).ok_or_else(|| {
        Failure::new(400, format!("The parameter 'dbvendor' names no known database vendor: '{name}'."))
    })?;
    Ok(AnalysisSettings {
        vendor,
        database: parameters.get("defaultDatabase").map(str::to_owned),
        schema: parameters.get("defaultSchema").map(str::to_owned),
    })
}

fn sql_files(parameters: &mut Parameters) -> Result<Vec<StoredFile>, Failure> {
    let mut files = parameters.take_files("sqlfiles");
    if !files.iter().all(StoredFile::is_nothing) {
        files.retain(|file| !file.is_nothing());
    }
    match files.iter().position(|file| file.name.is_empty()) {
        Some(_) => Err(Failure::new(400, "A file in the parameter 'sqlfiles' has no name.")),
        None if files.is_empty() && parameters.get("hostname").is_some() => Err(Failure::new(
            501,
            "The SQLFlow emulator does not connect to databases; send the SQL in the parameter 'sqlfiles'.",
        )),
        None if files.is_empty() => {
            Err(Failure::new(400, "The parameter 'sqlfiles' is required: a job needs at least one file."))
        }
        None => Ok(files),
    }
}

/// Responds to `displayUserJobSummary`.
pub(super) fn describe(service: &Service, user: &str, parameters: &Parameters) -> Result<Response, Failure> {
    Ok(success(named(service, user, parameters)?.describe()))
}

/// Finds the job by `jobId` or `jobName`.
fn named(service: &Service, user: &str, parameters: &Parameters) -> Result<Job, Failure> {
    match (parameters.get("jobId"), parameters.get("jobName")) {
        (Some(id), _) => service.jobs.find(user, id),
        (None, Some(name)) => service.jobs.find_by_name(user, name.trim()),
        (None, None) => Err(Failure::new(400, "One of the parameters 'jobId' and 'jobName' is required.")),
    }
}

/// Responds to `displayUserJobsSummary`.
pub(super) fn describe_all(service: &Service, user: &str) -> Response {
    success(JobListObject::of(&service.jobs.of_user(user)))
}

/// Responds to `deleteUserJob`.
pub(super) fn delete(service: &Service, user: &str, parameters: &Parameters) -> Result<Response, Failure> {
    let id = parameters.required("jobId")?;
    service.jobs.delete(user, id)?;
    Ok(success(json!({ "jobId": id, "status": "delete" })))
}

/// Deletes the job that a request is about, if there is one. For the list of jobs, deletes the latest.
pub(super) fn vanish(service: &Service, action: Action, parameters: &Parameters) {
    let user = parameters.get("userId").unwrap_or_default();
    let meant = match action {
        Action::DescribeJobs => service.jobs.latest(user),
        _ => named(service, user, parameters),
    };
    // There is nothing to delete if the job does not exist.
    let _gone = meant.and_then(|job| service.jobs.delete(user, &job.id));
}

/// Responds to `rerunJob`.
pub(super) fn rerun(service: &Arc<Service>, user: &str, parameters: &Parameters) -> Result<Response, Failure> {
    let id = named(service, user, parameters)?.id;
    Ok(success(JobStore::rerun(service, user, &id)?.describe()))
}

/// Responds to `setJobOnTop`.
pub(super) fn set_on_top(service: &Service, user: &str, parameters: &Parameters) -> Result<Response, Failure> {
    let id = parameters.required("jobId")?;
    parameters.required("onTop")?;
    let on_top = parameters.flag("onTop", false)?;
    Ok(success(service.jobs.change(user, id, |job| job.request.options.on_top = on_top)?.describe()))
}

/// Responds to `listScheduleJobs`.
pub(super) fn list_schedules(service: &Service, user: &str) -> Response {
    let jobs: Vec<Job> = service.jobs.of_user(user).into_iter().filter(|job| job.request.options.schedulable).collect();
    success(JobListObject::of(&jobs))
}

/// Responds to `pauseScheduleJob` and `resumeScheduleJob`.
pub(super) fn cancel_schedule(
    service: &Service,
    user: &str,
    parameters: &Parameters,
    cancel: bool,
) -> Result<Response, Failure> {
    let id = scheduled(service, user, parameters)?;
    Ok(success(service.jobs.change(user, &id, |job| job.request.options.cancel_schedule = cancel)?.describe()))
}

/// Responds to `updateScheduleJob`.
pub(super) fn update_schedule(service: &Service, user: &str, parameters: &Parameters) -> Result<Response, Failure> {
    let id = scheduled(service, user, parameters)?;
    let cron_expression = parameters.required("cronExpression")?.to_owned();
    let change = |job: &mut Job| job.request.options.cron_expression = Some(cron_expression);
    Ok(success(service.jobs.change(user, &id, change)?.describe()))
}

fn scheduled(service: &Service, user: &str, parameters: &Parameters) -> Result<String, Failure> {
    let job = service.jobs.find(user, parameters.required("jobId")?)?;
    if job.request.options.schedulable {
        Ok(job.id)
    } else {
        Err(Failure::new(400, format!("The job '{}' has no schedule.", job.id)))
    }
}
