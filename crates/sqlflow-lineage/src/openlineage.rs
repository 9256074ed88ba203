//! Lineage as an OpenLineage event, which data catalogs accept.
//!
//! - `datasets` finds the objects that are read or written; `namespace` names their servers as OpenLineage does.
//! - `column_lineage` finds the inputs of each column of an output.
//! - `event` writes the JSON.

mod column_lineage;
mod datasets;
mod event;
mod namespace;

use std::collections::HashSet;
use std::fmt;
use std::io::{self, BufWriter, Write};
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use self::datasets::Datasets;
use super::graph::walk::{StopAt, WalkRules};
use super::graph::{Direction, Node, Trace, Traced};
use super::kinds::RelationType;
use super::{Lineage, LineageInner};

/// The types of relationships that OpenLineage can express.
const EXPRESSIBLE_TYPES: [RelationType; 5] =
    [RelationType::Fdd, RelationType::Fddi, RelationType::Fdr, RelationType::Frd, RelationType::Join];

const PRODUCER: &str = concat!("https://crates.io/crates/sqlflow-lineage/", env!("CARGO_PKG_VERSION"));

/// A run event of [OpenLineage](https://openlineage.io) 2-0-2 for a lineage, or for a [trace](Trace) in it; created by
/// [`Lineage::openlineage`] and [`Trace::openlineage`].
///
/// ```
/// # use sqlflow_lineage::Lineage;
/// # let lineage: Lineage = r#"{"dbvendor": "dbvpostgresql", "dbobjs": [
/// #     {"id": "1", "name": "ORDERS", "type": "table", "columns": [{"id": "2", "name": "TOTAL"}]},
/// #     {"id": "3", "name": "REPORT", "type": "view", "columns": [{"id": "4", "name": "SUM"}]}],
/// #   "relationships": [{"id": "5", "type": "fdd", "target": {"id": "4"}, "sources": [{"id": "2"}]}]}"#.parse()?;
/// let mut body = Vec::new();
/// lineage
///     .openlineage()
///     .namespace("postgres://db.example.com:5432")
///     .job_namespace("warehouse")
///     .job_name("nightly")
///     .write(&mut body)?;
/// # let body = String::from_utf8(body)?;
/// # assert!(body.contains(r#""job":{"namespace":"warehouse","name":"nightly""#), "{body}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Content
///
/// There is one event, of type `COMPLETE`. Its inputs are the stored objects that are read, and its outputs are those
/// that are written, with their columns (`schema`), kind (`datasetType`, for tables and views) and server
/// (`dataSource`, if the server has a name). Foreign keys do not count as reading or writing, and neither do joins that
/// only compare columns.
///
/// The `columnLineage` of an output holds the nearest stored columns that each column depends on. Intermediate results
/// are walked through.
///
/// | relationships on the way | transformation |
/// |---|---|
/// | only `fdd` | `DIRECT`: `IDENTITY`, or `AGGREGATION` or `TRANSFORMATION` if there is a function on the way |
/// | `fdr`, `frd`, `fddi`, `join` | `INDIRECT`: `FILTER`, `JOIN`, `SORT`, `GROUP_BY` or `CONDITIONAL`, if the document says so |
///
/// The columns that decide which rows exist are listed once in `dataset`, not for every column. An operator that the
/// server does not report as a function counts as `IDENTITY`. `masking` is written only if it is certain: `false` for
/// `IDENTITY`, `true` for hashes.
///
/// Datasets and fields have the names of the document, without quotes and without `DEFAULT` databases and schemas. The
/// errors that the server found in the SQL become the `errorMessage` of the run; its hints are omitted.
#[derive(Clone)]
#[must_use = "does nothing until it is written"]
pub struct OpenLineage<'a> {
    rules: WalkRules<'a>,
    /// The flows to export, as source and target; `None` for all.
    selected_flows: Option<HashSet<(Node, Node)>>,
    namespace: Option<String>,
    job_namespace: String,
    job_name: String,
    run_id: String,
    event_time: Option<SystemTime>,
    producer: String,
}

impl Lineage {
    /// Returns an OpenLineage event for the whole lineage.
    pub fn openlineage(&self) -> OpenLineage<'_> {
        let mut rules = WalkRules::new(&self.inner, Direction::Upstream);
        rules.follow(EXPRESSIBLE_TYPES);
        OpenLineage::new(rules, None)
    }
}

impl<'a, T: Traced<'a>> Trace<'a, T> {
    /// Returns an OpenLineage event for everything that this trace walks over.
    ///
    /// The relation types and the depth are those of the trace. Columns that only decide a value, such as a filter, are
    /// included only if their relation types are [followed](Self::over). Relationships of types that OpenLineage cannot
    /// express (`call`, `er`) are omitted.
    ///
    /// ```no_run
    /// # use sqlflow_lineage::{Lineage, RelationType::{Fdd, Fdr, Frd}};
    /// # let lineage: Lineage = "{}".parse()?;
    /// let report = lineage.object("REPORT")?;
    /// report.upstream().over([Fdd, Fdr, Frd]).openlineage().write(std::io::stdout())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn openlineage(&self) -> OpenLineage<'a> {
        let (from, depth) = self.extent();
        let mut rules = self.rules.clone();
        rules.stop_at = StopAt::StoredColumnsAndRecordSets;
        let flows = rules.flows(from, depth);
        OpenLineage::new(rules, Some(flows))
    }
}

impl<'a> OpenLineage<'a> {
    fn new(mut rules: WalkRules<'a>, selected_flows: Option<HashSet<(Node, Node)>>) -> Self {
        rules.direction = Direction::Upstream;
        rules.stop_at = StopAt::StoredColumnsAndRecordSets;
        rules.detailed = true;
        let job_id = rules.inner.model.texts.get_present(rules.inner.model.job_id);
        Self {
            selected_flows,
            namespace: None,
            job_namespace: "sqlflow".to_owned(),
            job_name: job_id.map_or_else(|| "sqlflow".to_owned(), |id| format!("sqlflow-{id}")),
            run_id: job_id.and_then(run_id_of_job).unwrap_or_else(|| Uuid::new_v4().to_string()),
            event_time: None,
            producer: PRODUCER.to_owned(),
            rules,
        }
    }

    /// Sets the namespace of all datasets.
    ///
    /// By default, it consists of the vendor and the server of each object, in the spelling of OpenLineage:
    /// `postgres://db.example.com:5432`. Most documents do not name their server, which gives a namespace such as
    /// `oracle://default`. Set the namespace so that a dataset has the same name here as in events of other tools.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// Sets the namespace of the job. The default is `sqlflow`.
    pub fn job_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.job_namespace = namespace.into();
        self
    }

    /// Sets the name of the job, which should be the same for each of its runs.
    ///
    /// The default is `sqlflow-` and the id of the SQLFlow job, so each analysis is a separate job. If the document
    /// does not name its SQLFlow job, the default is `sqlflow`.
    pub fn job_name(mut self, name: impl Into<String>) -> Self {
        self.job_name = name.into();
        self
    }

    /// Sets the id of the run, which must be a UUID.
    ///
    /// The default is the id of the SQLFlow job, which is a UUID. If the document does not name its SQLFlow job, the
    /// default is a random UUID.
    pub fn run_id(mut self, uuid: impl Into<String>) -> Self {
        self.run_id = uuid.into();
        self
    }

    /// Sets the time of the event. The default is the time of writing.
    pub fn event_time(mut self, time: SystemTime) -> Self {
        self.event_time = Some(time);
        self
    }

    /// Sets the producer of the event, which must be a URI. The default is the URI of this crate and its version.
    pub fn producer(mut self, uri: impl Into<String>) -> Self {
        self.producer = uri.into();
        self
    }

    /// Writes the event as one line of JSON.
    ///
    /// Writing streams: at most one dataset is held in memory at a time. The output is buffered, and flushed at the
    /// end.
    ///
    /// ```
    /// # use sqlflow_lineage::Lineage;
    /// use std::time::{Duration, SystemTime};
    /// # let lineage: Lineage = r#"{"dbobjs": []}"#.parse()?;
    ///
    /// let mut line = Vec::new();
    /// lineage
    ///     .openlineage()
    ///     .run_id("0197c0de-0000-7000-8000-000000000000")
    ///     .event_time(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000))
    ///     .producer("https://example.com/nightly-export")
    ///     .write(&mut line)?;
    /// assert!(line.starts_with(br#"{"eventTime":"2023-11-14T22:13:20.000Z","eventType":"COMPLETE""#));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the errors of the writer. Returns [`InvalidInput`](io::ErrorKind::InvalidInput), before anything is
    /// written, for settings that OpenLineage does not allow: a run id that is not a UUID, a producer that is not a
    /// URI, or an empty job name or namespace.
    pub fn write(&self, writer: impl Write) -> io::Result<()> {
        self.check()?;
        let mut writer = BufWriter::new(writer);
        let datasets = Datasets::new(&self.rules, self.selected_flows.as_ref(), self.namespace.as_deref());
        event::write(self, &datasets, &mut writer)?;
        writer.write_all(b"\n")?;
        writer.flush()
    }

    fn check(&self) -> io::Result<()> {
        let problem = if !is_uuid(&self.run_id) {
            format!("run id `{}` is not a UUID", self.run_id)
        } else if !is_uri(&self.producer) {
            format!("producer `{}` is not a URI", self.producer)
        } else if self.job_name.is_empty() || self.job_namespace.is_empty() {
            "the job name or the job namespace is empty".to_owned()
        } else {
            return Ok(());
        };
        Err(io::Error::new(io::ErrorKind::InvalidInput, problem))
    }

    fn inner(&self) -> &'a LineageInner {
        self.rules.inner
    }

    /// Returns the time of the event, or the nearest time that RFC 3339 can express.
    fn time(&self) -> SystemTime {
        const LATEST: Duration = Duration::from_secs(253_402_300_799);
        let time = self.event_time.unwrap_or_else(SystemTime::now);
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        SystemTime::UNIX_EPOCH + since.min(LATEST)
    }
}

impl fmt::Debug for OpenLineage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenLineage")
            .field("namespace", &self.namespace)
            .field("job_namespace", &self.job_namespace)
            .field("job_name", &self.job_name)
            .field("run_id", &self.run_id)
            .finish_non_exhaustive()
    }
}

fn is_uuid(text: &str) -> bool {
    // `Uuid` also accepts braces, a `urn:uuid:` prefix, and no hyphens; OpenLineage does not.
    text.len() == 36 && Uuid::try_parse(text).is_ok()
}

fn is_uri(text: &str) -> bool {
    let has_scheme = text.split_once(':').is_some_and(|(scheme, rest)| {
        !rest.is_empty()
            && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    });
    has_scheme && text.chars().all(|c| c.is_ascii_graphic() && !"\"<>\\^`{|}".contains(c))
}

/// Converts the id of a SQLFlow job, which is a UUID without hyphens, into a run id.
fn run_id_of_job(id: &str) -> Option<String> {
    if id.len() == 32 { Uuid::try_parse(id).ok().map(|id| id.to_string()) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_id_that_is_a_uuid_without_hyphens_becomes_the_run_id() {
        assert_eq!(run_id_of_job("939FDBBAF52b45139b86c0761d6036b0").unwrap(), "939fdbba-f52b-4513-9b86-c0761d6036b0");
        for other in ["", "1", "+39fdbbaf52b45139b86c0761d6036b0", "939fdbbaf52b45139b86c0761d6036b01"] {
            assert_eq!(run_id_of_job(other), None, "{other}");
        }
    }

    #[test]
    fn settings_that_openlineage_does_not_allow_are_invalid_input() {
        let lineage: Lineage = r#"{"dbobjs": []}"#.parse().unwrap();
        let event = || lineage.openlineage();
        for wrong in [
            event().run_id("tuesday"),
            event().run_id("939fdbba-f52b-4513-9b86-c0761d6036bx"),
            event().producer("my tool"),
            event().producer("http://x y"),
            event().job_name(""),
        ] {
            let mut out = Vec::new();
            assert_eq!(wrong.write(&mut out).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{wrong:?}");
            assert!(out.is_empty());
        }
        event().run_id("939FDBBA-f52b-4513-9b86-c0761d6036b0").producer("urn:x").write(io::sink()).unwrap();
    }
}
