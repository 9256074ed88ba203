//! The lineage as drawn, which may be less than the whole, and the errors that say so.

use crate::lineage::{Lineage, Mode};
use crate::{Error, ErrorKind, Result};

/// The lineage of a job as the web interface of SQLFlow draws it, from
/// [`Job::export_lineage_as_json`](super::Job::export_lineage_as_json).
///
/// Servers draw a limited number of relationships, 1,000 by default (`relation_limit` in the configuration of the
/// server). If there are more, they leave out intermediate record sets, and if there are still more, they send a
/// summary without any relationship. [`into_whole`](Self::into_whole) turns both into an error, and so does
/// [`Export::lineage`](super::Export::lineage). Match on the variants to use what a reduced lineage has.
///
/// ```no_run
/// # async fn example(job: sqlflow_client::Job) -> sqlflow_client::Result<()> {
/// use sqlflow_client::job::DrawnLineage;
///
/// match job.export_lineage_as_json().table("orders").send().await? {
///     DrawnLineage::Whole(lineage) => println!("{} relationships", lineage.relationships().len()),
///     DrawnLineage::WithoutRecordSets(_) => println!("filters and joins may be missing"),
///     DrawnLineage::Summary(lineage) => println!("only counts: {:?}", lineage.summary()),
///     _ => println!("reduced in a way that this program does not know"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use = "the lineage may be a summary without relationships"]
#[non_exhaustive]
pub enum DrawnLineage {
    /// The lineage has every relationship that was requested.
    Whole(Lineage),
    /// The lineage lacks intermediate record sets (mode [`ignoreRecordSet`](Mode::IgnoreRecordSet)): values flow
    /// directly from table to table, and the filters and joins of a statement may be missing.
    WithoutRecordSets(Lineage),
    /// The lineage is a summary (mode [`summary`](Mode::Summary)): it has counts and the names of tables, and **no**
    /// columns or relationships. Its objects may include intermediate results.
    Summary(Lineage),
    /// The lineage has a mode that this version of the library does not know, so it may lack anything.
    UnknownMode(Lineage),
}

impl DrawnLineage {
    pub(crate) fn new(lineage: Lineage) -> Self {
        match lineage.mode() {
            Some(Mode::Summary) => Self::Summary(lineage),
            Some(Mode::IgnoreRecordSet) => Self::WithoutRecordSets(lineage),
            None | Some(Mode::Global) => Self::Whole(lineage),
            Some(_) => Self::UnknownMode(lineage),
        }
    }

    /// Returns the lineage if it is whole.
    ///
    /// # Errors
    /// [`IncompleteLineage`](ErrorKind::IncompleteLineage) if it is a summary, or if it lost record sets. The message
    /// says how to get the rest.
    pub fn into_whole(self) -> Result<Lineage> {
        self.whole_or(|of_job, loss| {
            format!(
                "the drawn lineage{of_job} {loss}: read the full lineage (Job::lineage, or Analyze without `graph`), \
                 select one database, schema or table at a time, or raise relation_limit on the server"
            )
        })
    }

    /// Returns the lineage if it is whole, or else an error whose text `explain` makes of the job and the loss.
    pub(crate) fn whole_or(self, explain: impl FnOnce(&str, &str) -> String) -> Result<Lineage> {
        let (lineage, loss) = match self {
            Self::Whole(lineage) => return Ok(lineage),
            Self::WithoutRecordSets(lineage) => (lineage, "lacks record sets, and with them filters and joins"),
            Self::Summary(lineage) => (lineage, "is only a summary without relationships"),
            Self::UnknownMode(lineage) => (lineage, "has a mode that this client does not know"),
        };
        let count = lineage.summary().and_then(|summary| summary.relationships());
        let count = count.map(|count| format!(", because it has {count} relationships, more than the server returns"));
        let job = lineage.job_id();
        let of_job = job.map(|id| format!(" of job {id}")).unwrap_or_default();
        let text = explain(&of_job, &format!("{loss}{}", count.unwrap_or_default()));
        let error = Error::new(ErrorKind::IncompleteLineage, text).within_response();
        Err(job.into_iter().fold(error, Error::with_job))
    }

    /// Returns the lineage as the server drew it, whole or not.
    #[must_use]
    pub fn as_drawn(&self) -> &Lineage {
        match self {
            Self::Whole(lineage)
            | Self::WithoutRecordSets(lineage)
            | Self::Summary(lineage)
            | Self::UnknownMode(lineage) => lineage,
        }
    }

    /// Returns the lineage as the server drew it, whole or not.
    #[must_use]
    pub fn into_drawn(self) -> Lineage {
        self.as_drawn().clone()
    }

    /// Returns `true` if the lineage has every relationship that was requested.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        matches!(self, Self::Whole(_))
    }
}

#[cfg(test)]
mod tests {
    use crate::JobId;

    use super::*;

    fn drawn(mode: &str) -> DrawnLineage {
        let text = format!(
            r#"{{"code": 200, "jobId": "j7", "data": {{"mode": "{mode}", "summary": {{"relationship": 1734}},
                "sqlflow": {{"dbobjs": [], "relationships": []}}}}}}"#
        );
        DrawnLineage::new(text.parse().unwrap())
    }

    #[test]
    fn the_mode_decides_how_much_a_drawn_lineage_has() {
        assert!(matches!(drawn("global"), DrawnLineage::Whole(_)));
        assert!(matches!(drawn("ignoreRecordSet"), DrawnLineage::WithoutRecordSets(_)));
        assert!(matches!(drawn("summary"), DrawnLineage::Summary(_)));
        assert!(matches!(drawn("brandNew"), DrawnLineage::UnknownMode(_)));
        assert_eq!(drawn("brandNew").into_whole().unwrap_err().kind(), ErrorKind::IncompleteLineage);
        assert!(drawn("global").is_whole() && drawn("global").into_whole().is_ok());
        assert_eq!(drawn("summary").as_drawn(), &drawn("summary").into_drawn());
    }

    #[test]
    fn the_error_of_a_reduced_lineage_says_what_is_missing_of_which_job_and_what_to_do() {
        for (mode, loss) in [("summary", "is only a summary"), ("ignoreRecordSet", "lacks record sets")] {
            let error = drawn(mode).into_whole().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::IncompleteLineage);
            assert_eq!(error.job_id().map(JobId::as_str), Some("j7"));
            assert!(!error.is_retryable());
            let text = error.to_string();
            for part in ["job j7", loss, "1734 relationships", "Job::lineage", "schema", "relation_limit"] {
                assert!(text.contains(part), "{part}: {text}");
            }
        }
    }
}
