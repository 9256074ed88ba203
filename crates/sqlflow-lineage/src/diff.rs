//! The differences between two lineages, by name, because ids mean nothing outside their document.

use std::collections::HashMap;
use std::fmt;

use super::names;
use super::view::{Column, Endpoint, EndpointRole, Object, Relationship};
use super::{Lineage, LineageInner};

/// The differences between two lineages; created by [`Lineage::diff`].
///
/// Displayed as one line for each change: first the objects, then the columns, then the relationships, each sorted by
/// name.
///
/// ```text
/// + table SALES.ORDERS
/// - column SALES.ITEMS.TOTAL
/// + fdd SALES.ORDERS.TOTAL → RS-1.TOTAL
/// ```
#[derive(Clone, Debug)]
pub struct Diff<'a> {
    objects: Changes<Object<'a>>,
    columns: Changes<Column<'a>>,
    relationships: Changes<Relationship<'a>>,
}

/// The records of one kind that were added or removed, each list in the order of its document.
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
}

impl<'a> Diff<'a> {
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

    /// Returns `true` if nothing was added or removed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.columns.is_empty() && self.relationships.is_empty()
    }
}

impl Lineage {
    /// Compares this lineage with a newer one by name, and returns what was added and what was removed.
    ///
    /// Names that differ only in case are equal, unless a double-quoted name has mixed case. `DEFAULT` is equal to a
    /// missing name. Records of equal name, such as the `RS-1` of several statements, are counted; it is not specified
    /// which of them a difference shows. Coordinates, data types and all other properties are not compared.
    ///
    /// Results inside statements ([`Object::is_intermediate`]) are compared by their own name only, because flat
    /// documents do not say which schema they belong to. Servers number them through a script, so a new statement at
    /// the start of a script may rename all that follow. A summary has no columns or relationships, so in a comparison
    /// with one, all of them are added or removed.
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
        let mut identities = IdentityTable::default();
        let old_identities = LineageIdentities::new(self, &mut identities);
        let new_identities = LineageIdentities::new(new, &mut identities);
        let count = identities.numbers.len();
        Diff {
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
        }
    }
}

/// The identity of a record: its name, alone or with the identities of others.
#[derive(PartialEq, Eq, Hash)]
enum Identity {
    Text(Box<str>),
    Pair(usize, usize),
    List(Box<[usize]>),
}

/// A number for each identity, so that records can be compared by number.
#[derive(Default)]
struct IdentityTable {
    numbers: HashMap<Identity, usize>,
}

impl IdentityTable {
    fn number(&mut self, identity: Identity) -> usize {
        let next = self.numbers.len();
        *self.numbers.entry(identity).or_insert(next)
    }

    fn text(&mut self, text: impl Into<Box<str>>) -> usize {
        self.number(Identity::Text(text.into()))
    }
}

/// The identities of the records of one lineage, as numbers.
struct LineageIdentities {
    objects: Vec<usize>,
    columns: Vec<usize>,
    relationships: Vec<usize>,
}

impl LineageIdentities {
    fn new(lineage: &Lineage, identities: &mut IdentityTable) -> Self {
        let inner = &*lineage.inner;
        let mut names: Vec<usize> = Vec::with_capacity(lineage.objects().len());
        for object in lineage.objects() {
            let name = identities.text(object_identity(inner, object));
            // A package comes before the objects in it.
            let package = object.package().and_then(|package| names.get(package.at as usize).copied());
            names.push(package.map_or(name, |package| identities.number(Identity::Pair(package, name))));
        }
        let objects = lineage.objects().zip(&names).map(|(object, &name)| {
            let kind = identities.text(object.kind_text());
            identities.number(Identity::Pair(name, kind))
        });
        let objects = objects.collect();
        let name_of = |object: Object<'_>| names.get(object.at as usize).copied().unwrap_or_default();
        let columns = lineage.columns().map(|column| {
            let name = identities.text(names::column_identity(column.name()));
            identities.number(Identity::Pair(name_of(column.object()), name))
        });
        let columns: Vec<usize> = columns.collect();
        let relationships = lineage.relationships().map(|relationship| {
            let mut ends: Vec<(u8, usize)> = relationship
                .endpoints()
                .map(|end| (end.role() as u8, endpoint_identity(lineage, end, &names, &columns, identities)))
                .collect();
            ends.sort_unstable();
            let kind = identities.text(relationship.type_text());
            let effect = identities.text(relationship.effect_text().unwrap_or_default());
            let ends = ends.into_iter().flat_map(|(role, name)| [usize::from(role), name]);
            let identity = [kind, effect].into_iter().chain(ends).collect();
            identities.number(Identity::List(identity))
        });
        let relationships = relationships.collect();
        Self { objects, columns, relationships }
    }
}

fn object_identity(inner: &LineageInner, object: Object<'_>) -> String {
    let raw = inner.model.objects.get(object.at as usize);
    raw.map(|raw| names::identity(&inner.model, raw)).unwrap_or_default()
}

/// Returns the identity of an endpoint: that of its record, or if its id belongs to none, the names that it gives.
fn endpoint_identity(
    lineage: &Lineage,
    end: Endpoint<'_>,
    objects: &[usize],
    columns: &[usize],
    identities: &mut IdentityTable,
) -> usize {
    let known = |names: &[usize], at: u32| names.get(at as usize).copied().unwrap_or_default();
    if let Some(column) = end.column() {
        return known(columns, column.at);
    }
    let tables = [Some(end.id()), end.table_id()];
    if let Some(object) = tables.into_iter().flatten().find_map(|id| lineage.object_by_id(id)) {
        return known(objects, object.at);
    }
    let given = end.parent_name().or(end.table_name()).map(names::name_identity);
    let parent = match (end.object(), given) {
        (Some(object), _) => Some(known(objects, object.at)),
        (None, Some(name)) => Some(identities.text(name)),
        (None, None) => None,
    };
    let own = end.name().map(|name| identities.text(names::column_identity(name)));
    match (parent, own) {
        (Some(parent), Some(own)) => identities.number(Identity::Pair(parent, own)),
        (Some(name), None) | (None, Some(name)) => name,
        (None, None) => identities.text(end.id()),
    }
}

/// Returns the records of each side that have no counterpart on the other side.
fn changes<T: Copy>(
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

impl fmt::Display for Diff<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_sorted(f, &self.objects, |object| {
            let kind = if object.kind_text().is_empty() { "object" } else { object.kind_text() };
            (one_line(&object.qualified_name()), one_line(kind))
        })?;
        write_sorted(f, &self.columns, |column| (one_line(&column.qualified_name()), "column".to_owned()))?;
        write_sorted(f, &self.relationships, |relationship| {
            let kind = if relationship.type_text().is_empty() { "relationship" } else { relationship.type_text() };
            (source_and_target(relationship), one_line(kind))
        })
    }
}

/// Writes a line for each change, sorted by name. For equal names, removals come first.
fn write_sorted<T>(
    f: &mut fmt::Formatter<'_>,
    changes: &Changes<T>,
    name: impl Fn(&T) -> (String, String),
) -> fmt::Result {
    let removed = changes.removed.iter().map(|item| (name(item), '-'));
    let added = changes.added.iter().map(|item| (name(item), '+'));
    let mut lines: Vec<((String, String), char)> = removed.chain(added).collect();
    lines.sort_by(|((a, a_kind), a_sign), ((b, b_kind), b_sign)| {
        (a, *a_sign == '+', a_kind).cmp(&(b, *b_sign == '+', b_kind))
    });
    lines.iter().try_for_each(|((name, kind), sign)| writeln!(f, "{sign} {kind} {name}"))
}

/// Returns the names of the endpoints, as source and target. For a call, these are the caller and the callees.
fn source_and_target(relationship: &Relationship<'_>) -> String {
    let named = |roles: [EndpointRole; 2]| {
        let ends = relationship.endpoints().filter(|end| roles.contains(&end.role()));
        let mut names: Vec<String> = ends.map(|end| endpoint_name(&end)).collect();
        names.sort_unstable();
        names.join(", ")
    };
    let from = named([EndpointRole::Source, EndpointRole::Caller]);
    let to = named([EndpointRole::Target, EndpointRole::Callee]);
    one_line(format!("{from} → {to}").trim())
}

fn endpoint_name(end: &Endpoint<'_>) -> String {
    match (end.column(), end.object()) {
        (Some(column), _) => column.qualified_name(),
        (None, Some(object)) if end.is_resolved() => object.qualified_name(),
        (None, object) => {
            let parent = object.map(|object| object.qualified_name());
            let parent = parent.or_else(|| end.parent_name().or(end.table_name()).map(str::to_owned));
            let own = end.name().or(parent.is_none().then(|| end.id())).map(str::to_owned);
            parent.into_iter().chain(own).collect::<Vec<_>>().join(".")
        }
    }
}

/// Returns a name on one line. The name of a column can be several lines of SQL.
fn one_line(name: &str) -> String {
    if !name.contains(char::is_control) {
        return name.to_owned();
    }
    name.split(|c: char| c.is_control() || c.is_whitespace())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{FIXTURES, LAYOUT_A, LAYOUT_B, LAYOUT_C1, ROUTINES, read, read_model};

    #[test]
    fn a_document_does_not_differ_from_itself_in_another_layout() {
        for body in FIXTURES {
            assert!(read(body).diff(&read(body)).is_empty());
        }
        assert_eq!(read(LAYOUT_B).diff(&read(LAYOUT_C1)).to_string(), "");
    }

    #[test]
    fn ids_and_the_case_of_names_are_not_compared() {
        let changed = LAYOUT_C1.replace(r#""id": ""#, r#""id": "1000"#).replace(r#"Id": ""#, r#"Id": "1000"#);
        assert_ne!(read(LAYOUT_C1), read(&changed));
        assert_eq!(read(LAYOUT_C1).diff(&read(&changed)).to_string(), "");
        let uppercase = LAYOUT_C1.replace(r#""name": "orders""#, r#""name": "\"ORDERS\"""#);
        assert_ne!(uppercase, LAYOUT_C1);
        assert!(read(LAYOUT_C1).diff(&read(&uppercase)).is_empty());
    }

    const OLD: &str = r#"
        {"id": "1", "name": "ORDERS", "schema": "SALES", "type": "table", "columns": [{"id": "2", "name": "TOTAL"}]},
        {"id": "3", "name": "RS-1", "type": "select_list", "columns": [{"id": "4", "name": "TOTAL"}]},
        {"id": "5", "name": "RS-1", "type": "select_list", "columns": [{"id": "6", "name": "TOTAL"}]}"#;
    const FLOWS: &str = r#"{"id": "7", "type": "fdd", "target": {"id": "4"}, "sources": [{"id": "2"}]},
        {"id": "8", "type": "fdd", "target": {"id": "6"}, "sources": [{"id": "2"}]}"#;

    #[test]
    fn each_difference_is_displayed_on_its_own_line() {
        let old = read_model(OLD, FLOWS);
        let new = OLD.replace(r#""type": "table""#, r#""type": "view""#).replace(
            "TOTAL\"}]},\n        {\"id\": \"3\"",
            "TOTAL\"}, {\"id\": \"9\", \"name\": \"a\\n  + b\"}]},\n        {\"id\": \"3\"",
        );
        let flows = FLOWS.replace(r#""type": "fdd", "target": {"id": "6"}"#, r#""type": "fdr", "target": {"id": "6"}"#);
        let new = read_model(&new, &flows);
        let diff = old.diff(&new);
        assert_eq!(
            diff.to_string(),
            "- table SALES.ORDERS\n+ view SALES.ORDERS\n+ column SALES.ORDERS.a + b\n\
             - fdd SALES.ORDERS.TOTAL → RS-1.TOTAL\n+ fdr SALES.ORDERS.TOTAL → RS-1.TOTAL\n"
        );
        assert_eq!((diff.objects().added.len(), diff.columns().removed.len()), (1, 0));
        assert_eq!(diff.relationships().added.first().map(super::Relationship::id), Some("8"));
        let back = new.diff(&old);
        assert_eq!(back.to_string().lines().count(), diff.to_string().lines().count());
        assert_eq!(back.columns().removed.len(), 1);
    }

    #[test]
    fn records_of_equal_name_are_counted() {
        let old = read_model(OLD, FLOWS);
        let (less, _) = OLD.rsplit_once(",\n").unwrap();
        let new = read_model(less, FLOWS.split_once(",\n").unwrap().0);
        assert_eq!(
            old.diff(&new).to_string(),
            "- select_list RS-1\n- column RS-1.TOTAL\n- fdd SALES.ORDERS.TOTAL → RS-1.TOTAL\n"
        );
        assert_eq!(new.diff(&old).to_string().matches('+').count(), 3);
    }

    #[test]
    fn unresolved_endpoints_and_calls_are_identified_by_name() {
        let old = read(ROUTINES);
        let new = read(&ROUTINES.replace("gone", "lost"));
        assert_eq!(old.diff(&new).to_string(), "- call hr.nightly → gone, hr.run\n+ call hr.nightly → hr.run, lost\n");
        let other = read(&ROUTINES.replace(r#""name": "pay""#, r#""name": "tax""#));
        assert_eq!(old.diff(&other).objects().added.len(), 3, "the objects of a package are identified by its name");
    }

    #[test]
    fn everything_is_added_to_an_empty_lineage() {
        let (a, b) = (read(LAYOUT_A), read(LAYOUT_B));
        let nothing = read_model("", "");
        let diff = nothing.diff(&b);
        assert_eq!(diff.objects().added.len(), b.objects().len());
        assert_eq!(diff.columns().added.len(), b.columns().len());
        assert_eq!(diff.relationships().added.len(), b.relationships().len());
        assert!(diff.objects().removed.is_empty() && !a.diff(&b).is_empty());
    }
}
