//! Everything that depends on a column, and what is not known about it.

use std::fmt;

use super::super::LineageInner;
use super::super::coverage::Coverage;
use super::super::kinds::{Mode, RelationType};
use super::super::view::{Column, Endpoint, Object, Process, Relationship};

/// Everything that depends on a column; created by [`Column::impact`].
///
/// Displayed as a report with a heading for each list that is not empty, and with everything that is not known at its
/// end.
///
/// ```text
/// impact of sales.orders.status
/// objects (1)
///   report.paid_orders (view)
/// statements (1)
///   Query Create View-1 at nightly, line 3, column 1
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Impact<'a> {
    /// The column that is asked about.
    pub column: Column<'a>,
    /// The columns whose values come from the column, at any distance (`fdd`, `fda`, `fdc`, `fddi`), sorted by qualified
    /// name.
    pub columns: Vec<Column<'a>>,
    /// The objects that depend on the column at any distance, through a value, a filter or a join (`fdd`, `fda`, `fdc`,
    /// `fddi`, `fdr`, `frd`), sorted by qualified name: stored objects, and the [result sets](Object::is_result_set) of
    /// queries. What depends on the object of the column as a whole is included, because a relationship between whole
    /// tables does not tell the columns; the object itself is not.
    pub objects: Vec<Object<'a>>,
    /// The statements that read the column, or its object as a whole, directly and would fail, sorted by name; see
    /// [`Object::readers`].
    pub statements: Vec<Process<'a>>,
    /// The statements that write the column, or that a view is defined by, sorted by name. They do not depend on its values,
    /// but those that name it fail if it is dropped or renamed.
    pub writers: Vec<Process<'a>>,
    /// The relationships that lead out of the column directly, of any type, and the joins that use it, without foreign
    /// keys. Those that lead into it do not depend on it.
    pub relationships: Vec<Relationship<'a>>,
    /// The foreign keys that have the column as an endpoint. No value flows along them, but they would have to be dropped
    /// with the column.
    pub foreign_keys: Vec<Relationship<'a>>,
    /// The endpoints that the lists above would lead to, or that may mean the column or what depends on it, but that
    /// [cannot be resolved](crate::Endpoint::resolution).
    pub unresolved: Vec<Endpoint<'a>>,
    /// The types of relationships of which the lineage [may lack](crate::Lineage::coverage) some or all: they were not
    /// requested, or it is not known that they were.
    pub uncertain_types: Vec<RelationType>,
    pub(super) reasons: Vec<String>,
}

impl Impact<'_> {
    /// Returns `true` if the lineage knows everything that depends on the column: all types of relationships were
    /// requested, the server read all of the SQL and left out nothing, and every endpoint is resolved. Otherwise,
    /// [`reasons`](Self::reasons) tells.
    ///
    /// If it is `false`, an empty list does not mean that nothing depends on the column.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.reasons.is_empty()
    }

    /// Returns the reasons why something may be missing, each a sentence for people.
    #[must_use]
    pub fn reasons(&self) -> &[String] {
        &self.reasons
    }

    /// Returns `true` if nothing that is known depends on the column; see [`is_complete`](Self::is_complete). The
    /// [writers](Self::writers) do not count.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
            && self.objects.is_empty()
            && self.statements.is_empty()
            && self.relationships.is_empty()
            && self.foreign_keys.is_empty()
    }
}

/// Returns the reasons why an impact may lack something, given the coverage of each type that matters and the number of
/// endpoints that could not be followed.
pub(super) fn reasons(
    inner: &LineageInner,
    dependencies: &[(RelationType, Coverage)],
    unresolved: usize,
) -> Vec<String> {
    let model = &inner.model;
    let mut reasons = Vec::new();
    match &model.mode {
        None | Some(Mode::Global) => {}
        Some(Mode::Summary) => reasons.push(
            "the document, or a part of it, is a summary without relationships; request the full lineage".to_owned(),
        ),
        Some(Mode::IgnoreRecordSet) => {
            reasons.push("the server left out record sets, and filters with them; request the full lineage".to_owned());
        }
        Some(Mode::Other(mode)) => {
            reasons.push(format!("the document has the mode `{mode}`, of which it is not known what it leaves out"));
        }
    }
    let types_with = |wanted: Coverage| {
        let types = dependencies.iter().filter(|(_, coverage)| *coverage == wanted);
        types.map(|(relation, _)| relation.to_string()).collect::<Vec<_>>().join(", ")
    };
    let not_requested = types_with(Coverage::NotRequested);
    if !not_requested.is_empty() {
        reasons.push(format!(
            "{not_requested} relationships were not requested, so filters and joins that use the column may be missing; \
             export the lineage again with all of fdd, fdr, frd and join"
        ));
    }
    let unknown = types_with(Coverage::Unknown);
    if !unknown.is_empty() {
        reasons.push(format!(
            "the document does not tell whether {unknown} relationships were requested, so filters and joins that use \
             the column may be missing; if they were, say so when it is read"
        ));
    }
    match unread(inner) {
        0 => {}
        1 => {
            reasons.push("the server reported a problem with the SQL, so a part of it may be missing".to_owned());
        }
        count => {
            reasons.push(format!("the server reported {count} problems with the SQL, so parts of it may be missing"));
        }
    }
    match unresolved {
        0 => {}
        1 => reasons.push("1 edge could not be followed".to_owned()),
        count => reasons.push(format!("{count} edges could not be followed")),
    }
    reasons
}

/// Returns the number of errors and warnings about SQL that the server did not read. Hints do not count, and neither do
/// the warnings that repeat a message.
fn unread(inner: &LineageInner) -> usize {
    let model = &inner.model;
    let is_error = |kind: Option<&str>| kind.is_none_or(|kind| kind.ends_with("Error"));
    let errors = model.diagnostics.iter().filter(|message| is_error(model.texts.get_present(message.kind))).count();
    errors + model.count_of_own_warnings()
}

impl fmt::Display for Impact<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "impact of {}", self.column)?;
        write_list(f, "columns", &self.columns, |f, column| write!(f, "{column}"))?;
        write_list(f, "objects", &self.objects, |f, object| match object.kind_text() {
            "" => write!(f, "{object}"),
            kind => write!(f, "{object} ({kind})"),
        })?;
        write_list(f, "statements", &self.statements, |f, statement| write!(f, "{statement}"))?;
        write_list(f, "statements that write it", &self.writers, |f, statement| write!(f, "{statement}"))?;
        let is_join = |relationship: &&Relationship<'_>| relationship.relation_type() == RelationType::Join;
        let joins: Vec<&Relationship<'_>> = self.relationships.iter().filter(is_join).collect();
        write_list(f, "joins", &joins, |f, join| write!(f, "{join}"))?;
        write_list(f, "foreign keys", &self.foreign_keys, |f, key| write!(f, "{key}"))?;
        // The other relationships are the first steps to what the lists name, and are listed only if there is no list.
        let is_named =
            [self.columns.len(), self.objects.len(), self.statements.len(), joins.len(), self.foreign_keys.len()];
        if is_named.iter().all(|count| *count == 0) {
            write_list(f, "relationships", &self.relationships, |f, relationship| write!(f, "{relationship}"))?;
        }
        if self.is_empty() {
            writeln!(f, "nothing that is known depends on it")?;
        }
        for reason in &self.reasons {
            writeln!(f, "incomplete: {reason}")?;
        }
        write_list(f, "edges that could not be followed", &self.unresolved, |f, end| write!(f, "{end}"))
    }
}

fn write_list<T>(
    f: &mut fmt::Formatter<'_>,
    heading: &str,
    items: &[T],
    write: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    if items.is_empty() {
        return Ok(());
    }
    writeln!(f, "{heading} ({})", items.len())?;
    for item in items {
        f.write_str("  ")?;
        write(f, item)?;
        f.write_str("\n")?;
    }
    Ok(())
}
