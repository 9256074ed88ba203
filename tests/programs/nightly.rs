//! Automation: every night, analyzes a directory, keeps the lineage, and deletes jobs of earlier nights.

use std::path::Path;
use std::time::{Duration, SystemTime};

use sqlflow_client::{Client, Vendor};

use crate::{Outcome, SQL, emulated};

async fn nightly(sqlflow: &Client, scripts: &str, csv: &Path, keep: Duration) -> Outcome<usize> {
    let job = sqlflow.submit(Vendor::PostgreSql).name("nightly").path(scripts).send().await?;
    let finished = job.wait().deadline(Duration::from_secs(3600)).await?;
    finished.warnings().for_each(|warning| eprintln!("{warning}"));
    finished.export_full_lineage_as_csv().to_file(csv).await?;
    let old = sqlflow.jobs().name_matching("nightly*").created_before(SystemTime::now() - keep).await?;
    for info in &old.jobs {
        sqlflow.job(&info.id).delete().await?;
    }
    Ok(old.jobs.len())
}

#[tokio::test]
async fn it_writes_the_lineage_and_deletes_only_old_jobs() -> Outcome {
    let (sqlflow, _emulator) = emulated(|it| it).await?;
    let home = tempfile::tempdir()?;
    let csv = home.path().join("lineage.csv");
    assert_eq!(nightly(&sqlflow, SQL, &csv, Duration::from_secs(86_400)).await?, 0);
    assert!(std::fs::read_to_string(&csv)?.contains("order_totals"));
    assert_eq!(sqlflow.jobs().await?.jobs.len(), 1);
    Ok(())
}
