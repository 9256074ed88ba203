//! The comparison of every record, with the results inside statements and the relationships.

use std::fmt;

use super::super::Lineage;
use super::super::view::{Column, Endpoint, EndpointRole, Object, Relationship};
use super::Changes;
use super::identity::{IdentityTable, RecordIdentities};
use super::lines::{ChangeLine, kind_or, one_line, write_notes, write_sorted};
use super::note::{DiffNote, notes};

/// The differences between all records of two lineages; created by [`Lineage::diff_all`].
///
/// Displayed as one line for each change: first the objects, then the columns, then the relationships, each sorted by
/// name; then the [notes](Self::notes).
///
/// ```text
/// + table SALES.ORDERS
/// - column SALES.ITEMS.TOTAL
/// + fdd SALES.ORDERS.TOTAL → RS-1.TOTAL
/// ```
///
/// Serialized like [`Diff`](super::Diff), with records of the kinds `object`, `column` and `relationship`.
#[derive(Clone, Debug)]
pub struct FullDiff<'a> {
    objects: Changes<Object<'a>>,
    columns: Changes<Column<'a>>,
    relationships: Changes<Relationship<'a>>,
    notes: Vec<DiffNote>,
}

impl<'a> FullDiff<'a> {
    /// Returns the changes of objects of every kind. An object whose kind changed, such as a table that became a view,
    /// is both removed and added.
    #[must_use]
    pub fn objects(&self) -> &Changes<Object<'a>> {
        &self.objects
    }

    /// Returns the changes of columns, including those of objects that were added or removed. The kind of their object
    /// is not compared.
    #[must_use]
    pub fn columns(&self) -> &Changes<Column<'a>> {
        &self.columns
    }

    /// Returns the changes of relationships. A relationship is identified by its type, its effect and the names of its
    /// endpoints.
    #[must_use]
    pub fn relationships(&self) -> &Changes<Relationship<'a>> {
        &self.relationships
    }

    /// Returns the reasons for which one side may hold less than the SQL says.
    #[must_use]
    pub fn notes(&self) -> &[DiffNote] {
        &self.notes
    }

    /// Returns `true` if nothing was added or removed. The [notes](Self::notes) do not count.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.columns.is_empty() && self.relationships.is_empty()
    }
}

impl Lineage {
    /// Compares every record of this lineage with those of a newer one by name, and returns what was added and what was
    /// removed. [`diff`](Self::diff) compares what a database stores, and the flows.
    ///
    /// Names are compared as by [`diff`](Self::diff). Records of equal name, such as the `RS-1` of several statements,
    /// are counted; it is not specified which of them a difference shows. Coordinates, data types and all other
    /// properties are not compared.
    ///
    /// Results inside statements ([`Object::is_intermediate`]) are compared by their own name only, because flat
    /// documents do not say which schema they belong to. Servers number them through a script, so a new statement at
    /// the start of a script may rename all that follow.
    ///
    /// ```
    /// use sqlflow_lineage::Lineage;
    ///
    /// let old: Lineage = r#"{"dbobjs": [{"id": "1", "name": "ORDERS", "type": "table"}]}"#.parse()?;
    /// let new: Lineage = r#"{"dbobjs": [{"id": "7", "name": "orders", "type": "table"},
    ///     {"id": "8", "name": "RS-1", "type": "select_list"}]}"#.parse()?;
    /// assert_eq!(old.diff_all(&new).to_string(), "+ select_list RS-1\n");
    /// assert!(old.diff(&new).is_empty());
    /// # Ok::<(), sqlflow_lineage::ReadError>(())
    /// ```
    #[must_use]
    pub fn diff_all<'a>(&'a self, new: &'a Self) -> FullDiff<'a> {
        let mut identities = IdentityTable::new(self, new);
        let old_identities = RecordIdentities::new(self, &mut identities);
        let new_identities = RecordIdentities::new(new, &mut identities);
        let count = identities.len();
        FullDiff {
            objects: changes(
                count,
                (&old_identities.objects, self.objects()),
                (&new_identities.objects, new.objects()),
            ),
            columns: changes(
                count,
                (&old_identities.columns, self.columns()),
                (&new_identities.columns, new.columns()),
            ),
            relationships: changes(
                count,
                (&old_identities.relationships, self.relationships()),
                (&new_identities.relationships, new.relationships()),
            ),
            notes: notes(self, new),
        }
    }
}

/// Returns the records of each side that have no counterpart on the other side.
fn changes<T>(
    count: usize,
    (old, old_items): (&[usize], impl Iterator<Item = T>),
    (new, new_items): (&[usize], impl Iterator<Item = T>),
) -> Changes<T> {
    let mut left = vec![0_u32; count];
    for &name in old {
        if let Some(left) = left.get_mut(name) {
            *left += 1;
        }
    }
    let mut take_counterpart = |name: usize| match left.get_mut(name) {
        Some(left) if *left > 0 => {
            *left -= 1;
            true
        }
        _ => false,
    };
    let added = new.iter().zip(new_items).filter(|(name, _)| !take_counterpart(**name)).map(|(_, item)| item).collect();
    let removed =
        old.iter().zip(old_items).filter(|(name, _)| take_counterpart(**name)).map(|(_, item)| item).collect();
    Changes { added, removed }
}

impl fmt::Display for FullDiff<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_sorted(
            f,
            self.objects.map(|object| ChangeLine::new(kind_or(object.kind_text(), "object"), &object.qualified_name())),
        )?;
        write_sorted(f, self.columns.map(|column| ChangeLine::new("column", &column.qualified_name())))?;
        write_sorted(
            f,
            self.relationships.map(|relationship| {
                ChangeLine::new(kind_or(relationship.type_text(), "relationship"), &source_and_target(*relationship))
            }),
        )?;
        write_notes(f, &self.notes)
    }
}

/// Returns the names of the endpoints, as source and target. For a call, these are the caller and the callees.
fn source_and_target(relationship: Relationship<'_>) -> String {
    let [from, to] = sources_and_targets(relationship).map(|names| names.join(", "));
    one_line(format!("{from} → {to}").trim()).into_owned()
}

/// Returns the names of the sources or the caller, and those of the target or the callees, each sorted.
pub(super) fn sources_and_targets(relationship: Relationship<'_>) -> [Vec<String>; 2] {
    let roles = [[EndpointRole::Source, EndpointRole::Caller], [EndpointRole::Target, EndpointRole::Callee]];
    roles.map(|roles| {
        let ends = relationship.endpoints().filter(|end| roles.contains(&end.role()));
        let mut names: Vec<String> = ends.map(|end| endpoint_name(&end)).collect();
        names.sort_unstable();
        names
    })
}

fn endpoint_name(end: &Endpoint<'_>) -> String {
    match (end.column(), end.object()) {
        (Some(column), _) => column.qualified_name(),
        (None, Some(object)) if end.is_resolved() => object.qualified_name(),
        (None, object) => {
            let parent = object.map(|object| object.qualified_name());
            let parent = parent.or_else(|| end.written_parent().map(str::to_owned));
            let own = end.written_own_name().or(parent.is_none().then(|| end.id())).map(str::to_owned);
            parent.into_iter().chain(own).collect::<Vec<_>>().join(".")
        }
    }
}
