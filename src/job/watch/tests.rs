//! Tests of watches.

mod many_jobs;
mod one_job;
mod several_runtimes;
