//! The differences between two lineages, by name, because ids mean nothing outside their document.

mod full;
mod identity;
mod implied;
mod json;
mod lines;
mod note;
mod stored;
#[cfg(test)]
mod tests;

use std::fmt;

pub use self::full::FullDiff;
pub(crate) use self::identity::IdentityTable;
use self::implied::{ImpliedChanges, Surroundings, surroundings};
use self::lines::{ChangeLine, kind_or, one_line, write_notes, write_sorted};
use self::note::notes;
pub use self::note::{DiffNote, DiffNoteKind, DiffSide};
pub(crate) use self::stored::StoredRecords;
use self::stored::{changed_kinds, changes};
use super::Lineage;
use super::graph::{ColumnFlow, ObjectFlow};
use super::view::{Column, Object};

/// The differences between what two lineages say about stored objects and the flows of values between them; created by
/// [`Lineage::diff`].
///
/// Filters and joins are not compared: a changed `WHERE` gives no difference here, but one of [`Lineage::diff_all`].
///
/// # Display
///
/// One line for each change, sorted by name: first the objects, then the objects whose kind changed, then the columns,
/// then the flows, then the [notes](Self::notes). Each line ends with a line feed, and no name breaks a line.
///
/// ```text
/// + view SALES.V (5 columns, fed by SALES.ITEMS, SALES.ORDERS)
/// ~ view SALES.REPORT (was table)
/// - column SALES.ITEMS.NOTE
/// + flow SALES.ORDERS.TOTAL → SALES.REPORT.SUM
/// note: the new lineage has 1 error, so objects and flows may be missing
/// ```
///
/// The columns of an object that was added or removed, and the flows from and to it, are counted in its line and have
/// none of their own. A flow between whole objects has a line if no flow between their columns has.
///
/// # JSON
///
/// Serialized as an object with the arrays `added`, `removed`, `changed` and `notes`, which have everything, sorted by
/// name. `implied` is `true` for what [has no line](#display). Later versions may add fields.
///
/// ```
/// use sqlflow_lineage::Lineage;
///
/// let old: Lineage = r#"{"dbobjs": [{"id": "1", "name": "T", "type": "table"}]}"#.parse()?;
/// let new: Lineage = r#"{"dbobjs": [{"id": "1", "name": "T", "type": "view"},
///     {"id": "2", "name": "V", "type": "view", "columns": [{"id": "3", "name": "C"}]}]}"#.parse()?;
/// assert_eq!(serde_json::to_value(old.diff(&new))?, serde_json::json!({
///     "added": [
///         {"record": "object", "kind": "view", "name": "V", "id": "2"},
///         {"record": "column", "object": "V", "column": "C", "name": "V.C", "id": "3", "implied": true},
///     ],
///     "removed": [],
///     "changed": [{"record": "object", "name": "T", "kind": "view", "old_kind": "table", "id": "1"}],
///     "notes": [],
/// }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A flow is `{"record": "column_flow", "source": "A.X", "target": "B.Y", "implied": false}`, or an `object_flow`. A
/// note is `{"side": "new", "kind": "errors", "count": 1, "message": "…"}`.
#[derive(Clone, Debug)]
pub struct Diff<'a> {
    #[cfg(feature = "html")]
    sides: (&'a Lineage, &'a Lineage),
    objects: Changes<Object<'a>>,
    changed_kinds: Vec<KindChange<'a>>,
    columns: Changes<Column<'a>>,
    column_flows: Changes<ColumnFlow<'a>>,
    object_flows: Changes<ObjectFlow<'a>>,
    /// For each column and each flow, `true` if it has no line of its own.
    implied_columns: Changes<bool>,
    implied_column_flows: Changes<bool>,
    implied_object_flows: Changes<bool>,
    /// For each object, the surroundings that its line shows.
    surroundings: Changes<Surroundings>,
    notes: Vec<DiffNote>,
}

/// The records of one kind that were added or removed. The lists are in the order of their document; flows are sorted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Changes<T> {
    /// The records that only the new lineage has.
    pub added: Vec<T>,
    /// The records that only the old lineage has.
    pub removed: Vec<T>,
}

impl<T> Changes<T> {
    /// Returns `true` if nothing was added or removed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }

    fn map<U>(&self, map: impl Fn(&T) -> U) -> Changes<U> {
        Changes { added: self.added.iter().map(&map).collect(), removed: self.removed.iter().map(&map).collect() }
    }

    /// Returns these changes, each with the other value at its place.
    fn with<'t, U>(&'t self, other: &'t Changes<U>) -> Changes<(&'t T, &'t U)> {
        Changes {
            added: self.added.iter().zip(&other.added).collect(),
            removed: self.removed.iter().zip(&other.removed).collect(),
        }
    }
}

impl<T> Changes<(&T, &bool)> {
    /// Removes the changes that are implied by others.
    fn listed(mut self) -> Self {
        self.added.retain(|(_, is_implied)| !**is_implied);
        self.removed.retain(|(_, is_implied)| !**is_implied);
        self
    }
}

/// An object that both lineages have, as objects of different kinds: a table became a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct KindChange<'a> {
    /// The object in the old lineage.
    pub old: Object<'a>,
    /// The object in the new lineage.
    pub new: Object<'a>,
}

impl<'a> Diff<'a> {
    /// Returns the lineages that were compared, the old one first.
    #[cfg(feature = "html")]
    pub(crate) fn sides(&self) -> (&'a Lineage, &'a Lineage) {
        self.sides
    }

    /// Returns the stored objects that were added or removed.
    #[must_use]
    pub fn objects(&self) -> &Changes<Object<'a>> {
        &self.objects
    }

    /// Returns the stored objects whose kind changed, in the order of the new document. An object of which one lineage
    /// gives no kind did not change.
    #[must_use]
    pub fn changed_kinds(&self) -> &[KindChange<'a>] {
        &self.changed_kinds
    }

    /// Returns the changes of the columns of stored objects, including those of objects that were added or removed.
    #[must_use]
    pub fn columns(&self) -> &Changes<Column<'a>> {
        &self.columns
    }

    /// Returns the changes of flows between columns of stored objects, including those of objects that were added or
    /// removed; see [`Lineage::column_flows`].
    #[must_use]
    pub fn column_flows(&self) -> &Changes<ColumnFlow<'a>> {
        &self.column_flows
    }

    /// Returns the changes of flows between stored objects, including those of objects that were added or removed; see
    /// [`Lineage::object_flows`].
    ///
    /// These are the pairs of objects between which there was no flow of any kind before, or there is none any more.
    #[must_use]
    pub fn object_flows(&self) -> &Changes<ObjectFlow<'a>> {
        &self.object_flows
    }

    /// Returns the reasons for which one side may hold less than the SQL says: it is a summary, lacks record sets, or has
    /// errors, warnings or unresolved endpoints. Such a side can hide a change, or make one appear that is none.
    #[must_use]
    pub fn notes(&self) -> &[DiffNote] {
        &self.notes
    }

    /// Returns `true` if nothing changed. The [notes](Self::notes) do not count.
    ///
    /// This is what decides the exit code of a nightly job: 0 if it is `true`.
    ///
    /// ```
    /// use std::process::ExitCode;
    ///
    /// use sqlflow_lineage::Lineage;
    ///
    /// fn report(last_night: &Lineage, tonight: &Lineage) -> ExitCode {
    ///     let diff = last_night.diff(tonight);
    ///     print!("{diff}");
    ///     ExitCode::from(u8::from(!diff.is_empty()))
    /// }
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
            && self.changed_kinds.is_empty()
            && self.columns.is_empty()
            && self.column_flows.is_empty()
            && self.object_flows.is_empty()
    }
}

impl Lineage {
    /// Compares this lineage with a newer one, and returns what was added, removed or changed: stored objects, their
    /// columns, and the flows between them.
    ///
    /// Records are compared by name. Names that differ only in case are equal, unless a double-quoted name has mixed
    /// case, and `DEFAULT` is equal to a missing name. Servers count if the objects of one lineage belong to several
    /// and both lineages name one; `DEFAULT_SERVER` is equal to a missing name.
    ///
    /// Results inside statements ([`Object::is_intermediate`]), routines and record sets are not compared, so a new
    /// statement that renumbers the results of others changes nothing about them: flows are compared by the names of
    /// their first and last column. Several records of one name count as one. [`diff_all`](Self::diff_all) compares
    /// every record.
    ///
    /// ```
    /// use sqlflow_lineage::Lineage;
    ///
    /// let old: Lineage = r#"{"dbobjs": [{"id": "1", "name": "ORDERS", "type": "table"}]}"#.parse()?;
    /// let new: Lineage = r#"{"dbobjs": [{"id": "7", "name": "orders", "type": "table",
    ///     "columns": [{"id": "8", "name": "TOTAL"}]}]}"#.parse()?;
    /// let diff = old.diff(&new);
    /// assert_eq!(diff.to_string(), "+ column orders.TOTAL\n");
    /// assert_eq!(diff.columns().added[0].name(), "TOTAL");
    /// assert!(diff.objects().is_empty());
    /// # Ok::<(), sqlflow_lineage::ReadError>(())
    /// ```
    #[must_use]
    pub fn diff<'a>(&'a self, new: &'a Self) -> Diff<'a> {
        let mut identities = IdentityTable::new(self, new);
        let old = StoredRecords::new(self, &mut identities);
        let new = StoredRecords::new(new, &mut identities);
        let objects = changes(&old.objects, &new.objects);
        let columns = changes(&old.columns, &new.columns);
        let column_flows = changes(&old.column_flows, &new.column_flows);
        let object_flows = changes(&old.object_flows, &new.object_flows);
        let added = ImpliedChanges::new(&new, &objects.added, &column_flows.added);
        let removed = ImpliedChanges::new(&old, &objects.removed, &column_flows.removed);
        Diff {
            #[cfg(feature = "html")]
            sides: (old.lineage, new.lineage),
            implied_columns: Changes {
                added: columns.added.iter().map(|column| added.column(&new, *column)).collect(),
                removed: columns.removed.iter().map(|column| removed.column(&old, *column)).collect(),
            },
            implied_column_flows: Changes {
                added: column_flows.added.iter().map(|flow| added.column_flow(&new, flow)).collect(),
                removed: column_flows.removed.iter().map(|flow| removed.column_flow(&old, flow)).collect(),
            },
            implied_object_flows: Changes {
                added: object_flows.added.iter().map(|flow| added.object_flow(&new, flow)).collect(),
                removed: object_flows.removed.iter().map(|flow| removed.object_flow(&old, flow)).collect(),
            },
            surroundings: Changes {
                added: surroundings(&new, &objects.added),
                removed: surroundings(&old, &objects.removed),
            },
            changed_kinds: changed_kinds(&old, &new),
            notes: notes(old.lineage, new.lineage),
            objects,
            columns,
            column_flows,
            object_flows,
        }
    }
}

impl fmt::Display for Diff<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_sorted(
            f,
            self.objects.with(&self.surroundings).map(|(object, surroundings)| {
                ChangeLine::new(kind_or(object.kind_text(), "object"), &object.qualified_name())
                    .with_detail(&surroundings.to_string())
            }),
        )?;
        let kind_line = |change: &KindChange<'_>| {
            let name = change.new.qualified_name();
            let [name, kind, old] = [&name, change.new.kind_text(), change.old.kind_text()].map(one_line);
            format!("{name}\0~ {kind} {name} (was {old})")
        };
        let mut changed: Vec<String> = self.changed_kinds.iter().map(kind_line).collect();
        changed.sort_unstable();
        changed.iter().filter_map(|line| line.split_once('\0')).try_for_each(|(_, line)| writeln!(f, "{line}"))?;
        let columns = self.columns.with(&self.implied_columns).listed();
        write_sorted(f, columns.map(|(column, _)| ChangeLine::new("column", &column.qualified_name())))?;
        let column_flows = self.column_flows.with(&self.implied_column_flows).listed();
        let column_flows = column_flows.map(|(flow, _)| ChangeLine::new("flow", &column_flow_text(flow)));
        let object_flows = self.object_flows.with(&self.implied_object_flows).listed();
        let object_flows = object_flows.map(|(flow, _)| ChangeLine::new("flow", &object_flow_text(flow)));
        write_sorted(
            f,
            Changes {
                added: column_flows.added.into_iter().chain(object_flows.added).collect(),
                removed: column_flows.removed.into_iter().chain(object_flows.removed).collect(),
            },
        )?;
        write_notes(f, &self.notes)
    }
}

fn column_flow_text(flow: &ColumnFlow<'_>) -> String {
    format!("{} → {}", flow.source.qualified_name(), flow.target.qualified_name())
}

fn object_flow_text(flow: &ObjectFlow<'_>) -> String {
    format!("{} → {}", flow.source.qualified_name(), flow.target.qualified_name())
}
