//! Lineage as OpenLineage events, which data catalogs accept.
//!
//! - `datasets` finds the objects that are read or written; `namespace` names their servers as OpenLineage does, and
//!   `names` makes names fit for URIs.
//! - `temporary` finds the tables that are walked through because they exist only while a session does.
//! - `column_lineage` finds the inputs of each output and of each of its columns.
//! - `events` decides what belongs to which event, and `event` writes the JSON of one.

mod column_lineage;
mod datasets;
mod event;
mod events;
mod names;
mod namespace;
mod temporary;

use std::collections::HashSet;
use std::fmt;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use uuid::Uuid;

pub use self::events::OpenLineageEvents;
use self::temporary::{temporary_tables, temporary_tables_except};
use super::graph::walk::{ForeignKeys, HopDetail, StopAt, WalkRules};
use super::graph::{Direction, Node, Trace, Traced};
use super::kinds::RelationType;
use super::view::{Endpoint, endpoints};
use super::{Lineage, LineageInner};

/// The types of relationships that OpenLineage can express.
const EXPRESSIBLE_TYPES: [RelationType; 7] = [
    RelationType::Fdd,
    RelationType::Fda,
    RelationType::Fdc,
    RelationType::Fddi,
    RelationType::Fdr,
    RelationType::Frd,
    RelationType::Join,
];

const PRODUCER: &str = concat!("https://crates.io/crates/sqlflow-lineage/", env!("CARGO_PKG_VERSION"));

/// Run events of [OpenLineage](https://openlineage.io) 2-0-2 for a lineage, or for a [trace](Trace) in it; created by
/// [`Lineage::openlineage`] and [`Trace::openlineage`].
///
/// ```
/// # use sqlflow_lineage::Lineage;
/// # let lineage: Lineage = r#"{"dbvendor": "dbvpostgresql", "dbobjs": [
/// #     {"id": "1", "name": "ORDERS", "type": "table", "columns": [{"id": "2", "name": "TOTAL"}]},
/// #     {"id": "3", "name": "REPORT", "type": "view", "columns": [{"id": "4", "name": "SUM"}]}],
/// #   "relationships": [{"id": "5", "type": "fdd", "target": {"id": "4"}, "sources": [{"id": "2"}]}]}"#.parse()?;
/// let mut lines = Vec::new();
/// lineage
///     .openlineage()
///     .namespace("postgres://db.example.com:5432")
///     .job_namespace("warehouse")
///     .job_name("nightly")
///     .write(&mut lines)?;
/// # let lines = String::from_utf8(lines)?;
/// # assert!(lines.contains(r#""job":{"namespace":"warehouse","name":"nightly.REPORT""#), "{lines}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Events
///
/// A reader of OpenLineage takes each input of an event as a source of each of its outputs. Therefore there is one
/// event, of type `COMPLETE`, for each object that is written: its output is that object, and its inputs are the
/// objects that feed it, through values, filters or joins. The pairs of inputs and outputs are exactly the flows
/// between objects. A single event for the whole lineage would connect every table that any statement reads with every
/// table that any statement writes, and even an event for each statement would do so if a statement writes two tables.
///
/// | | job | run |
/// |---|---|---|
/// | by default | [`job_name`](Self::job_name), a dot, and the name of the output: `nightly.sales.report` | a UUID of version 5, made of [`run_id`](Self::run_id) and the name of the job |
/// | [`per_process`](Self::per_process) | `nightly.Query%20Insert-1:sales.report` | as above |
/// | [`as_one_event`](Self::as_one_event) | `job_name` | `run_id` |
///
/// If outputs on several servers have the same name, `@` and the namespace of the output follow it in the name of the
/// job.
///
/// The last event is that of the job itself, with `job_name` and `run_id`. It says what the others do not: its inputs
/// are the objects that are read but feed nothing that is stored, such as those of a query, and its `errorMessage`
/// holds the errors that the server found in the SQL (hints are omitted) and the number of flows that
/// [could not be followed](Self::unresolved). It is omitted if there is nothing to say,
/// unless it is the only event.
///
/// # Datasets
///
/// The datasets are the stored objects, with their columns (`schema`), kind (`datasetType`, for tables and views) and
/// server (`dataSource`, if the server has a name). Several records of an object of one name are one dataset. Foreign
/// keys do not count as reading or writing, and neither do joins that only compare columns. An object is both input and
/// output of an event only if a statement really reads and writes it: `INSERT INTO t SELECT … FROM t`.
///
/// Temporary tables are not datasets. Like intermediate results, they are walked through, so that the tables that are
/// read into `#orders` feed those that are filled from it. A table is temporary if the document says so in its `type`
/// or `subType`, or if its name begins with `#` and its vendor is SQL Server, Azure SQL, Sybase, Redshift or not known.
/// A temporary table that a trace starts from is a dataset nevertheless, and the [depth](Trace::depth) of a trace does
/// not count the others.
///
/// If a document has a single record for the temporary tables of one name in several procedures, what is read into any
/// of them feeds what is filled from any of them: the document does not tell them apart.
///
/// The `columnLineage` of an output holds the nearest stored columns that each column depends on.
///
/// | relationships on the way | transformation |
/// |---|---|
/// | only `fdd`, `fda` or `fdc` | `DIRECT`: `IDENTITY`, or `AGGREGATION` or `TRANSFORMATION` if there is a function on the way |
/// | `fdr`, `frd`, `fddi`, `join` | `INDIRECT`: `FILTER`, `JOIN`, `SORT`, `GROUP_BY` or `CONDITIONAL`, if the document says so |
///
/// The columns that decide which rows exist are listed once in `dataset`, not for every column. An operator that the
/// server does not report as a function counts as `IDENTITY`. `masking` is written only if it is certain: `true` for
/// hashes.
///
/// # Names
///
/// Datasets and fields have the names of the document, without quotes and without `DEFAULT` databases and schemas.
///
/// OpenLineage allows any text as the name of a dataset, but readers build URIs of it. Therefore, the names of datasets
/// are percent-encoded (as UTF-8) where the path of a URI cannot hold a character: spaces, control characters, all that
/// is not ASCII, ``" # % < > ? [ \ ] ^ ` { | }``. A table `Order Lines` is `Order%20Lines`. Names that consist of
/// letters, digits and `-._~!$&'()*+,;=:@/` stay as they are. If another tool writes events for the same tables with
/// such characters as they are, use [`without_percent_encoding`](Self::without_percent_encoding).
///
/// In the names of jobs, the names of processes and outputs are encoded in any case, and so are their `:` and `@`. The
/// names of fields are never encoded.
#[derive(Clone)]
#[must_use = "does nothing until it is written"]
pub struct OpenLineage<'a> {
    rules: WalkRules<'a>,
    /// The flows to export, as source and target; `None` for all.
    selected_flows: Option<Arc<HashSet<(Node, Node)>>>,
    /// The endpoints that a trace could not follow, each with its relationship; `None` for all.
    met_unresolved: Option<Vec<(u32, u32)>>,
    split: EventSplit,
    percent_encodes: bool,
    namespace: Option<String>,
    job_namespace: String,
    job_name: String,
    run_id: String,
    event_time: Option<SystemTime>,
    producer: String,
}

/// The way in which a lineage becomes several events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EventSplit {
    Outputs,
    ProcessesAndOutputs,
    None,
}

impl Lineage {
    /// Returns the OpenLineage events for the whole lineage.
    pub fn openlineage(&self) -> OpenLineage<'_> {
        let mut rules = WalkRules::new(&self.inner, Direction::Upstream);
        rules.follow(EXPRESSIBLE_TYPES);
        rules.hidden = temporary_tables(&self.inner).cloned();
        OpenLineage::new(rules, None)
    }
}

impl<'a, T: Traced<'a>> Trace<'a, T> {
    /// Returns the OpenLineage events for everything that this trace walks over.
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
        rules.hidden = temporary_tables_except(rules.inner, from.object().at);
        rules.foreign_keys = ForeignKeys::Skipped;
        let flows = rules.flows(from, depth);
        let met_unresolved = Some(rules.unresolved_from(from, depth));
        OpenLineage { met_unresolved, ..OpenLineage::new(rules, Some(flows)) }
    }
}

impl<'a> OpenLineage<'a> {
    fn new(mut rules: WalkRules<'a>, selected_flows: Option<HashSet<(Node, Node)>>) -> Self {
        rules.direction = Direction::Upstream;
        rules.stop_at = StopAt::StoredColumnsAndRecordSets;
        rules.detail = HopDetail::Everything;
        rules.foreign_keys = ForeignKeys::Skipped;
        let job_id = rules.inner.model.texts.get_present(rules.inner.model.job_id);
        Self {
            selected_flows: selected_flows.map(Arc::new),
            met_unresolved: None,
            split: EventSplit::Outputs,
            percent_encodes: true,
            namespace: None,
            job_namespace: "sqlflow".to_owned(),
            job_name: job_id.map_or_else(|| "sqlflow".to_owned(), |id| format!("sqlflow-{id}")),
            run_id: job_id.and_then(run_id_of_job).unwrap_or_else(|| Uuid::new_v4().to_string()),
            event_time: None,
            producer: PRODUCER.to_owned(),
            rules,
        }
    }

    /// Returns the endpoints that the events lack, although they export relationships of their types, because they
    /// [cannot be resolved](crate::Endpoint::resolution). The last event says how many there are.
    ///
    /// For the events of a trace, these are the endpoints that the [trace](Trace::unresolved) met.
    #[must_use]
    pub fn unresolved(&self) -> Vec<Endpoint<'a>> {
        let all = || self.rules.unresolved();
        endpoints(self.rules.inner, self.met_unresolved.clone().unwrap_or_else(all))
    }

    /// Creates one event for each process (statement) and each object that it writes, instead of one for each object.
    ///
    /// The job of an event has the name of the process: `nightly.Query%20Insert-1:sales.report`. Servers number their
    /// processes, so a new statement in the middle of a script can rename the jobs of those that follow it. Processes
    /// of one name are one. Relationships that do not name their process become events of the default kind.
    ///
    /// ```
    /// # use sqlflow_lineage::Lineage;
    /// # let lineage: Lineage = r#"{"dbobjs": [
    /// #     {"id": "1", "name": "ORDERS", "type": "table", "columns": [{"id": "2", "name": "TOTAL"}]},
    /// #     {"id": "3", "name": "REPORT", "type": "view", "columns": [{"id": "4", "name": "SUM"}]},
    /// #     {"id": "6", "name": "Query Insert-1", "type": "process"}],
    /// #   "relationships": [
    /// #     {"id": "5", "type": "fdd", "processId": "6", "target": {"id": "4"},
    /// #      "sources": [{"id": "2"}]}]}"#.parse()?;
    /// for event in lineage.openlineage().job_name("nightly").per_process().events()? {
    ///     assert!(event.contains(r#""name":"nightly.Query%20Insert-1:REPORT""#), "{event}");
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn per_process(mut self) -> Self {
        self.split = EventSplit::ProcessesAndOutputs;
        self
    }

    /// Creates a single event with all inputs and all outputs, which are the datasets that are read and written.
    ///
    /// Readers take each input as a source of each output, so this is right only if all of them feed each other: for
    /// the lineage of one statement, or for a job that catalogs should show as one.
    pub fn as_one_event(mut self) -> Self {
        self.split = EventSplit::None;
        self
    }

    /// Writes the names of datasets as they are, even if readers cannot build URIs of them.
    ///
    /// Use this if other tools write events for the same datasets and do not encode their names.
    pub fn without_percent_encoding(mut self) -> Self {
        self.percent_encodes = false;
        self
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

    /// Sets the name of the job, which should be the same for each of its runs. The names of the jobs of the single
    /// events begin with it.
    ///
    /// The default is `sqlflow-` and the id of the SQLFlow job, so each analysis is a separate job. If the document
    /// does not name its SQLFlow job, the default is `sqlflow`.
    pub fn job_name(mut self, name: impl Into<String>) -> Self {
        self.job_name = name.into();
        self
    }

    /// Sets the id of the run, which must be a UUID. The ids of the runs of the single events are made of it, and are
    /// the same whenever it is.
    ///
    /// The default is the id of the SQLFlow job, which is a UUID. If the document does not name its SQLFlow job, the
    /// default is a random UUID.
    pub fn run_id(mut self, uuid: impl Into<String>) -> Self {
        self.run_id = uuid.into();
        self
    }

    /// Sets the time of the events. The default is the time of writing.
    pub fn event_time(mut self, time: SystemTime) -> Self {
        self.event_time = Some(time);
        self
    }

    /// Sets the producer of the events, which must be a URI. The default is the URI of this crate and its version.
    pub fn producer(mut self, uri: impl Into<String>) -> Self {
        self.producer = uri.into();
        self
    }

    /// Writes the events, each as one line of JSON (NDJSON).
    ///
    /// Writing streams: at most the events of one output are held in memory at a time. The output is buffered, and
    /// flushed at the end.
    ///
    /// ```
    /// # use sqlflow_lineage::Lineage;
    /// use std::time::{Duration, SystemTime};
    /// # let lineage: Lineage = r#"{"dbobjs": []}"#.parse()?;
    ///
    /// let mut lines = Vec::new();
    /// lineage
    ///     .openlineage()
    ///     .run_id("0197c0de-0000-7000-8000-000000000000")
    ///     .event_time(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000))
    ///     .producer("https://example.com/nightly-export")
    ///     .write(&mut lines)?;
    /// assert!(lines.starts_with(br#"{"eventTime":"2023-11-14T22:13:20.000Z","eventType":"COMPLETE""#));
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
        let mut events = OpenLineageEvents::new(self.clone());
        while events.write_next(&mut writer)? {
            writer.write_all(b"\n")?;
        }
        writer.flush()
    }

    /// Returns the events one by one, each as JSON, to send each with a request of its own.
    ///
    /// ```
    /// # use sqlflow_lineage::Lineage;
    /// # let lineage: Lineage = r#"{"dbobjs": []}"#.parse()?;
    /// # fn post(path: &str, body: String) -> std::io::Result<()> { Ok(()) }
    /// for event in lineage.openlineage().job_name("nightly").events()? {
    ///     post("/api/v1/lineage", event)?;
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`InvalidInput`](io::ErrorKind::InvalidInput) for settings that OpenLineage does not allow; see
    /// [`write`](Self::write).
    pub fn events(self) -> io::Result<OpenLineageEvents<'a>> {
        self.check()?;
        Ok(OpenLineageEvents::new(self))
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

    /// Returns the time of the events, or the nearest time that RFC 3339 can express.
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
            .field("split", &self.split)
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
