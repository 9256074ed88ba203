//! As an event of OpenLineage, which catalogs of data take.
//!
//! `datasets` tells which objects are read and written and what they are called elsewhere (`namespace`), `columns` what
//! decides the columns of one of them, `event` how all that is written.

mod columns;
mod datasets;
mod event;
mod namespace;

use std::collections::HashSet;
use std::fmt;
use std::io::{self, BufWriter, Write};
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use self::datasets::Datasets;
use super::graph::walk::{Rules, Stops};
use super::graph::{Direction, Node, Trace, Traced};
use super::kinds::RelationType;
use super::{Lineage, LineageInner};

/// The types of relationships that OpenLineage has a word for.
const TYPES: [RelationType; 5] =
    [RelationType::Fdd, RelationType::Fddi, RelationType::Fdr, RelationType::Frd, RelationType::Join];

const PRODUCER: &str = concat!("https://crates.io/crates/sqlflow-lineage/", env!("CARGO_PKG_VERSION"));

/// A lineage, or what was [traced](Trace) in it, as a run event of [OpenLineage](https://openlineage.io) 2-0-2; made by
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
/// # What is in it
///
/// One `COMPLETE` event. Its inputs are the stored objects that are read, its outputs those that are written, with
/// their columns (`schema`), kind (`datasetType`: tables and views) and server (`dataSource`, if that has a name).
/// Foreign keys say nothing of what is read or written, and neither do joins of columns alone.
///
/// An output's `columnLineage` holds what decides each column, intermediate results walked through, to the nearest
/// stored column:
///
/// | relationships on the way | transformation |
/// |---|---|
/// | `fdd` alone | `DIRECT`: `IDENTITY`; `AGGREGATION` or `TRANSFORMATION` by the function on the way |
/// | `fdr`, `frd`, `fddi`, `join` | `INDIRECT`: `FILTER`, `JOIN`, `SORT`, `GROUP_BY` or `CONDITIONAL`, where the answer tells |
///
/// What decides which rows there are stands in `dataset`, once and not for every column. An operator that the server
/// does not report as a function counts as `IDENTITY`. `masking` is given where it is certain: false for `IDENTITY`,
/// true for hashes.
///
/// Names of datasets and fields are those of the answer without quotes; `DEFAULT` databases and schemas are left out.
/// What the server found wrong with the SQL is the run's `errorMessage`; its hints are left out.
#[derive(Clone)]
#[must_use = "writes nothing until it is asked to"]
pub struct OpenLineage<'a> {
    rules: Rules<'a>,
    /// Flows from source to target; all that there are, unless given.
    only: Option<HashSet<(Node, Node)>>,
    namespace: Option<String>,
    job_namespace: String,
    job_name: String,
    run_id: String,
    event_time: Option<SystemTime>,
    producer: String,
}

impl Lineage {
    /// All of the lineage, as an event of OpenLineage.
    pub fn openlineage(&self) -> OpenLineage<'_> {
        let mut rules = Rules::new(&self.inner, Direction::Upstream);
        rules.follow(TYPES);
        OpenLineage::new(rules, None)
    }
}

impl<'a, T: Traced<'a>> Trace<'a, T> {
    /// What this question walks over, as an event of OpenLineage.
    ///
    /// Types and depth are as set here: what only decides a value, such as a filter, has to be
    /// [asked for](Self::over). Of types that OpenLineage has no word for (`call`, `er`) nothing is told.
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
        rules.stops = Stops::ColumnsAndRows;
        let flows = rules.flows(from, depth);
        OpenLineage::new(rules, Some(flows))
    }
}

impl<'a> OpenLineage<'a> {
    fn new(mut rules: Rules<'a>, only: Option<HashSet<(Node, Node)>>) -> Self {
        rules.direction = Direction::Upstream;
        rules.stops = Stops::ColumnsAndRows;
        rules.detailed = true;
        let job_id = rules.inner.model.texts.get_present(rules.inner.model.job_id);
        Self {
            only,
            namespace: None,
            job_namespace: "sqlflow".to_owned(),
            job_name: job_id.map_or_else(|| "sqlflow".to_owned(), |id| format!("sqlflow-{id}")),
            run_id: job_id.and_then(run_id_of_job).unwrap_or_else(|| Uuid::new_v4().to_string()),
            event_time: None,
            producer: PRODUCER.to_owned(),
            rules,
        }
    }

    /// The namespace of all datasets.
    ///
    /// Without this it is made of the vendor and the name of the object's server, in the spelling of OpenLineage:
    /// `postgres://db.example.com:5432`. As most answers do not name their server (`oracle://default`), the same
    /// dataset has the same name everywhere only if this is set.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// The namespace of the job: `sqlflow` without this.
    pub fn job_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.job_namespace = namespace.into();
        self
    }

    /// The name of the job, the same for each of its runs. Without this it is `sqlflow-` and the id of the server's
    /// job, or `sqlflow` if the answer does not tell that, so that each analysis is a job of its own.
    pub fn job_name(mut self, name: impl Into<String>) -> Self {
        self.job_name = name.into();
        self
    }

    /// The id of the run, which has to be a UUID. Without this it is the id of the server's job, which is one, or a
    /// random one if the answer does not tell that.
    pub fn run_id(mut self, uuid: impl Into<String>) -> Self {
        self.run_id = uuid.into();
        self
    }

    /// When it happened; without this, when it is written.
    pub fn event_time(mut self, time: SystemTime) -> Self {
        self.event_time = Some(time);
        self
    }

    /// What made the event, which has to be a URI: this library in its version, without this.
    pub fn producer(mut self, uri: impl Into<String>) -> Self {
        self.producer = uri.into();
        self
    }

    /// Writes the event as a line of JSON.
    ///
    /// It streams: no more than one dataset is made at a time. What is written is buffered and flushed.
    ///
    /// # Errors
    ///
    /// Those of the writer; [`InvalidInput`](io::ErrorKind::InvalidInput) for settings that OpenLineage does not allow,
    /// before anything is written.
    pub fn write(&self, writer: impl Write) -> io::Result<()> {
        self.check()?;
        let mut writer = BufWriter::new(writer);
        let datasets = Datasets::new(&self.rules, self.only.as_ref(), self.namespace.as_deref());
        event::write(self, &datasets, &mut writer)?;
        writer.write_all(b"\n")?;
        writer.flush()
    }

    fn check(&self) -> io::Result<()> {
        let wrong = if !is_uuid(&self.run_id) {
            format!("the run id `{}` is no UUID", self.run_id)
        } else if !is_uri(&self.producer) {
            format!("the producer `{}` is no URI", self.producer)
        } else if self.job_name.is_empty() || self.job_namespace.is_empty() {
            "the job has no name or namespace".to_owned()
        } else {
            return Ok(());
        };
        Err(io::Error::new(io::ErrorKind::InvalidInput, wrong))
    }

    fn inner(&self) -> &'a LineageInner {
        self.rules.inner
    }

    /// In the years that RFC 3339 can write.
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
    // Without the length, braces, a `urn:uuid:` prefix or missing hyphens would pass too.
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

/// Reads the id of a job, which servers write as a UUID without hyphens, as a run id.
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
    fn settings_that_the_specification_does_not_allow_are_refused() {
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
