//! The identities of records, by which two lineages are compared: names, because ids mean nothing outside their
//! document.

use std::collections::HashMap;

use super::super::names::{self, QuotedDots};
use super::super::view::{Column, Endpoint, Object};
use super::super::{Lineage, LineageInner};

/// The identity of a record: its name, alone or with the identities of others.
#[derive(PartialEq, Eq, Hash)]
enum Identity {
    Text(Box<str>),
    Unnamed(usize),
    Pair(usize, usize),
    List(Box<[usize]>),
}

/// A number for each identity, so that records can be compared by number.
pub(crate) struct IdentityTable {
    numbers: HashMap<Identity, usize>,
    /// `true` if the server is part of the identity of an object.
    with_servers: bool,
}

impl IdentityTable {
    /// Creates a table for two lineages. Servers count if one lineage has several and both name one.
    pub(crate) fn new(old: &Lineage, new: &Lineage) -> Self {
        let (old, new) = (&*old.inner, &*new.inner);
        let names_one = |inner: &LineageInner| {
            inner.model.objects.iter().any(|object| names::named_server(&inner.model, object).is_some())
        };
        let with_servers = (old.shows_servers() || new.shows_servers()) && names_one(old) && names_one(new);
        Self { numbers: HashMap::new(), with_servers }
    }

    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    fn number(&mut self, identity: Identity) -> usize {
        let next = self.numbers.len();
        *self.numbers.entry(identity).or_insert(next)
    }

    pub(super) fn pair(&mut self, first: usize, second: usize) -> usize {
        self.number(Identity::Pair(first, second))
    }

    fn text(&mut self, text: impl Into<Box<str>>) -> usize {
        self.number(Identity::Text(text.into()))
    }

    /// Returns the identity of the name of an object, whatever its package and kind.
    pub(super) fn object(&mut self, object: Object<'_>) -> usize {
        let model = &object.inner.model;
        let Some(raw) = model.objects.get(object.at as usize) else {
            return self.text("");
        };
        let name = match object.name() {
            "" => self.unnamed(object.qualified_name()),
            _ => self.text(names::identity(model, raw)),
        };
        // Flat documents do not say where a result inside a statement belongs.
        if !self.with_servers || object.is_intermediate() {
            return name;
        }
        let server = names::named_server(model, raw).map(str::to_lowercase).unwrap_or_default();
        let server = self.text(server);
        self.pair(server, name)
    }

    /// Returns the identity of a column of an object that has the identity `object`.
    pub(super) fn column(&mut self, object: usize, column: Column<'_>) -> usize {
        let name = match column.name() {
            "" => self.unnamed(column.qualified_name()),
            name => self.text(names::column_identity(name)),
        };
        self.pair(object, name)
    }

    /// Returns the identity of a record without a name: the form of its id, which is all that tells it apart.
    fn unnamed(&mut self, id_form: String) -> usize {
        let id = self.text(id_form);
        self.number(Identity::Unnamed(id))
    }
}

/// The identities of all records of one lineage.
pub(super) struct RecordIdentities {
    pub(super) objects: Vec<usize>,
    pub(super) columns: Vec<usize>,
    pub(super) relationships: Vec<usize>,
}

impl RecordIdentities {
    pub(super) fn new(lineage: &Lineage, identities: &mut IdentityTable) -> Self {
        let mut names: Vec<usize> = Vec::with_capacity(lineage.objects().len());
        for object in lineage.objects() {
            let name = identities.object(object);
            // A package comes before the objects in it.
            let package = object.package().and_then(|package| names.get(package.at as usize).copied());
            names.push(package.map_or(name, |package| identities.pair(package, name)));
        }
        let objects = lineage.objects().zip(&names).map(|(object, &name)| {
            let kind = identities.text(object.kind_text());
            identities.pair(name, kind)
        });
        let objects = objects.collect();
        let name_of = |object: Object<'_>| names.get(object.at as usize).copied().unwrap_or_default();
        let columns = lineage.columns().map(|column| identities.column(name_of(column.object()), column));
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
    if let Some(process) = end.process().filter(|process| !process.name().is_empty()) {
        return identities.text(process.name());
    }
    let tables = [Some(end.id()), end.table_id()];
    if let Some(object) = tables.into_iter().flatten().find_map(|id| lineage.object_by_id(id)) {
        return known(objects, object.at);
    }
    let dots = QuotedDots::of_document(&lineage.inner.model);
    let given = end.written_parent().map(|name| names::name_identity(name, dots));
    let parent = match (end.object(), given) {
        (Some(object), _) => Some(known(objects, object.at)),
        (None, Some(name)) => Some(identities.text(name)),
        (None, None) => None,
    };
    let own = end.written_own_name().map(|name| identities.text(names::column_identity(name)));
    match (parent, own) {
        (Some(parent), Some(own)) => identities.pair(parent, own),
        (Some(name), None) | (None, Some(name)) => name,
        (None, None) => identities.text(end.id()),
    }
}
