//! The schedules of regular jobs: list, pause, resume, change.

use super::{Job, JobList, JobService, cron};
use crate::Result;
use crate::wire::{JobInfo, ScheduledJobs, operations, types, without_data};

impl Job {
    /// Pauses the schedule of the job, which was submitted with
    /// [`SubmitPersist::schedulable`](super::SubmitPersist::schedulable). A run that has begun continues.
    ///
    /// [`JobInfo::cancel_schedule`] is `true` from then on, until [`resume_schedule`](Job::resume_schedule).
    ///
    /// ```no_run
    /// # async fn example(sqlflow: sqlflow_client::Client) -> sqlflow_client::Result<()> {
    /// for info in sqlflow.scheduled_jobs().await?.jobs {
    ///     sqlflow.job(info.id).pause_schedule().await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Rejected`](crate::ErrorKind::Rejected) if the job has no schedule; otherwise the errors of
    /// [`info`](Job::info).
    pub fn pause_schedule(&self) -> impl Future<Output = Result<()>> + Send + use<> {
        let job = self.clone();
        async move {
            let form = types::PauseScheduleJobRequest::new(job.id.checked()?);
            job.in_context(job.service.api().pause_schedule_job(&form).await.and_then(|response| response.check()))
        }
    }

    /// Resumes a schedule after [`pause_schedule`](Job::pause_schedule).
    ///
    /// ```no_run
    /// # async fn example(job: sqlflow_client::Job) -> sqlflow_client::Result<()> {
    /// job.resume_schedule().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The errors of [`pause_schedule`](Job::pause_schedule).
    pub fn resume_schedule(&self) -> impl Future<Output = Result<()>> + Send + use<> {
        let job = self.clone();
        async move {
            let form = types::ResumeScheduleJobRequest::new(job.id.checked()?);
            job.in_context(job.service.api().resume_schedule_job(&form).await.and_then(|response| response.check()))
        }
    }

    /// Changes the schedule of the job to another cron expression, such as `0 1 * * *` for one o'clock every night.
    ///
    /// The vendor documents five fields: minute, hour, day of the month, month, and day of the week. Servers may also
    /// accept six or seven, as Spring and Quartz do: seconds first, and the year last.
    ///
    /// ```no_run
    /// # async fn example(job: sqlflow_client::Job) -> sqlflow_client::Result<()> {
    /// job.reschedule("30 2 * * MON-FRI").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput), before anything is sent, if the expression is neither a macro
    /// such as `@daily` nor has five to seven fields, has a value out of range, a range that ends before it begins, or
    /// a control character, or means a date that never comes, such as the 31st of February; otherwise the errors of
    /// [`pause_schedule`](Job::pause_schedule).
    pub fn reschedule(&self, cron_expression: &str) -> impl Future<Output = Result<()>> + Send + use<> {
        let (job, expression) = (self.clone(), cron_expression.trim().to_owned());
        async move {
            cron::check(&expression, "cron_expression")?;
            let form = types::UpdateScheduleJobRequest::new(expression, job.id.checked()?);
            job.in_context(job.service.api().update_schedule_job(&form).await.and_then(|response| response.check()))
        }
    }
}

impl JobService {
    /// Lists the jobs that run on a schedule.
    pub(crate) async fn scheduled_jobs(&self) -> Result<JobList> {
        let form = types::ListScheduleJobsRequest::new();
        let attempts = self.transport().attempts();
        let response = self.request::<ScheduledJobs>(&operations::LIST_SCHEDULE_JOBS, &form, attempts).await?;
        response.check()?;
        let warnings = response.warnings().map(ToOwned::to_owned).collect();
        let envelope = response.into_inner();
        if !envelope.mentions_data {
            return Err(without_data(envelope.code).in_operation(operations::LIST_SCHEDULE_JOBS.id));
        }
        // A server without schedules may send no list at all.
        let mut list = match envelope.data {
            Some(ScheduledJobs(list)) => {
                list.check().map_err(|error| error.in_operation(operations::LIST_SCHEDULE_JOBS.id))?;
                list
            }
            None => JobList::default(),
        };
        list.warnings = warnings;
        list.jobs = list.jobs.into_iter().map(|job: JobInfo| self.in_time_zone(job)).collect();
        Ok(list)
    }
}
