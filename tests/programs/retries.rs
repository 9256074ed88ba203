//! A retry policy that treats operations differently, tested without a server, and its events.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlflow_client::api::operations;
use sqlflow_client::emulator::Fault;
use sqlflow_client::retry::{Attempt, RetryPolicy};
use sqlflow_client::{Client, Error, ErrorKind};
use tracing::Event;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use crate::{Outcome, emulated};

/// Repeats the list of jobs patiently, and everything else once.
#[derive(Debug)]
struct PatientLists;

impl RetryPolicy for PatientLists {
    fn pause(&self, failed: &Attempt<'_>) -> Option<Duration> {
        let is_list = failed.operation() == &operations::DISPLAY_USER_JOBS_SUMMARY;
        (failed.number() < if is_list { 10 } else { 2 }).then_some(Duration::from_millis(1))
    }
}

/// Counts the events about retries.
#[derive(Clone, Default)]
struct Retries(Arc<Mutex<u32>>);

impl<S: tracing::Subscriber> Layer<S> for Retries {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let is_retry = metadata.target() == "sqlflow_client::retry" && metadata.fields().field("pause").is_some();
        *self.0.lock().unwrap() += u32::from(is_retry);
    }
}

#[test]
fn the_policy_is_patient_with_lists_only() {
    let error = Error::from(ErrorKind::Busy);
    let pause = |operation, number| PatientLists.pause(&Attempt::new(operation, number, Duration::ZERO, &error));
    assert!(pause(&operations::DISPLAY_USER_JOBS_SUMMARY, 9).is_some());
    assert!(pause(&operations::EXPORT_LINEAGE_AS_JSON, 2).is_none());
}

#[tokio::test]
async fn its_retries_are_counted() -> Outcome {
    let (_, emulator) = emulated(|it| it.fault(Fault::page(502).on("displayUserJobsSummary").times(3))).await?;
    let policy: Arc<dyn RetryPolicy> = Arc::new(PatientLists);
    let sqlflow = Client::builder(emulator.url()).retry(policy).build()?;
    let retries = Retries::default();
    // For the whole process, like a program does it; the calls of the other tests are not retried.
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(retries.clone()))?;
    sqlflow.jobs().await?;
    assert_eq!(*retries.0.lock().unwrap(), 3);
    Ok(())
}
