//! Everything that depends on a column, and what is not known about it.

use std::fmt;

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
///   Query Create View-1 at etl/report.sql:3:1
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
    /// The relationships of any type that have the column as an endpoint, including joins, without foreign keys.
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
    /// The mode of the document.
    pub(super) mode: Option<Mode>,
}

impl Impact<'_> {
    /// Returns `true` if the lineage knows everything that depends on the column: all types of relationships were
    /// requested, the server left out nothing, and every endpoint is resolved.
    ///
    /// If it is `false`, an empty list does not mean that nothing depends on the column.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.uncertain_types.is_empty() && self.unresolved.is_empty() && self.reduction().is_none()
    }

    /// Returns `true` if nothing that is known depends on the column; see [`is_complete`](Self::is_complete).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
            && self.objects.is_empty()
            && self.statements.is_empty()
            && self.relationships.is_empty()
            && self.foreign_keys.is_empty()
    }

    /// Returns a sentence about what the server left out of the document.
    fn reduction(&self) -> Option<&'static str> {
        match self.mode {
            Some(Mode::Summary) => {
                Some("the document, or a part of it, is a summary without relationships; request the full lineage")
            }
            Some(Mode::IgnoreRecordSet) => {
                Some("the server left out record sets, and filters with them; request the full lineage")
            }
            _ => None,
        }
    }
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
        let is_join = |relationship: &&Relationship<'_>| relationship.relation_type() == RelationType::Join;
        let joins: Vec<&Relationship<'_>> = self.relationships.iter().filter(is_join).collect();
        write_list(f, "joins", &joins, |f, join| write!(f, "{join}"))?;
        write_list(f, "foreign keys", &self.foreign_keys, |f, key| write!(f, "{key}"))?;
        let has_list = !joins.is_empty()
            || !self.foreign_keys.is_empty()
            || !self.columns.is_empty()
            || !self.objects.is_empty()
            || !self.statements.is_empty();
        if !has_list {
            write_list(f, "relationships", &self.relationships, |f, relationship| write!(f, "{relationship}"))?;
        }
        if self.is_empty() {
            writeln!(f, "nothing that is known depends on it")?;
        }
        if let Some(reduction) = self.reduction() {
            writeln!(f, "incomplete: {reduction}")?;
        }
        if !self.uncertain_types.is_empty() {
            let types: Vec<&str> = self.uncertain_types.iter().map(RelationType::as_str).collect();
            let types = types.join(", ");
            writeln!(
                f,
                "incomplete: {types} relationships were not requested, or it is not known that they were; filters and \
                 joins that use the column may be missing"
            )?;
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
