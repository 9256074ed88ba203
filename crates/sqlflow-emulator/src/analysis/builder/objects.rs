//! The objects of a lineage: one for each table and view, however often it is named, and the intermediate results.

use sqlparser::ast::ObjectName;

use super::super::identifier::{self, Identifier};
use super::super::{Namespace, Object, ObjectIndex, ObjectKind, SourceRange};
use super::LineageBuilder;

/// The maximum number of ranges that are recorded for one table.
const MAX_PLACES: usize = 8;

/// The name of the table that holds columns whose table is unknown.
const PSEUDO_TABLE: &str = "pseudo_table_include_orphan_column";

impl LineageBuilder {
    pub(in crate::analysis) fn object(&self, index: ObjectIndex) -> &Object {
        self.lineage.object(index)
    }

    /// Returns the table or view with this name, creating it when it is first named.
    pub(in crate::analysis) fn stored(&mut self, name: &ObjectName, kind: ObjectKind) -> ObjectIndex {
        let parts: Vec<Identifier> = identifier::parts(name).into_iter().map(|ident| self.name(ident)).collect();
        let Some((last, qualifiers)) = parts.split_last() else {
            return self.pseudo_table();
        };
        let at = SourceRange { start: parts[0].at.start, ..last.at };
        let namespace = self.namespace_of(qualifiers);
        let key = self.scoped(Self::identity(&namespace, last), last);
        if let Some(&index) = self.stored.get(&key) {
            let object = &mut self.lineage.objects[index.0];
            if object.at.len() < MAX_PLACES && !object.at.contains(&at) {
                object.at.push(at);
            }
            if kind == ObjectKind::View {
                object.kind = kind;
            }
            return index;
        }
        let joined = |part: fn(&Identifier) -> &str| parts.iter().map(part).collect::<Vec<_>>().join(".");
        let object = Object {
            id: self.id(),
            kind,
            namespace: Self::shown(namespace),
            name: last.written.clone(),
            display_name: joined(|name| &name.written),
            normal_name: joined(|name| &name.normal),
            columns: Vec::new(),
            at: vec![at],
        };
        let index = self.push(object);
        self.stored.insert(key, index);
        index
    }

    /// Returns server, database and schema from qualifiers and the defaults.
    pub(super) fn namespace_of(&self, qualifiers: &[Identifier]) -> [Option<Identifier>; 3] {
        let default = |text: &Option<String>| text.as_ref().map(|text| self.made_up_identifier(text, self.base));
        let mut named = qualifiers.iter().rev().cloned();
        let schema = if self.settings.vendor.supports_schemas() {
            // `db..t` uses the default schema.
            named.next().filter(|name| !name.key.is_empty()).or_else(|| default(&self.settings.schema))
        } else {
            None
        };
        let database = named.next().or_else(|| default(&self.settings.database));
        [named.next(), database, schema]
    }

    pub(super) fn identity(namespace: &[Option<Identifier>; 3], name: &Identifier) -> Vec<String> {
        let mut key: Vec<String> =
            namespace.iter().map(|part| part.as_ref().map(|part| part.key.clone()).unwrap_or_default()).collect();
        key.push(name.key.clone());
        key
    }

    fn shown([server, database, schema]: [Option<Identifier>; 3]) -> Namespace {
        let written = |name: Option<Identifier>| name.map(|name| name.written);
        Namespace { server: written(server), database: written(database), schema: written(schema) }
    }

    /// Adds an intermediate result.
    pub(in crate::analysis) fn intermediate(&mut self, kind: ObjectKind, name: String, at: SourceRange) -> ObjectIndex {
        let normal_name = self.made_up_identifier(&name, at).normal;
        let id = self.id();
        self.push(Object {
            id,
            kind,
            namespace: Namespace::default(),
            display_name: name.clone(),
            name,
            normal_name,
            columns: Vec::new(),
            at: vec![at],
        })
    }

    /// Adds an intermediate result that is named by a prefix and the next number.
    pub(in crate::analysis) fn numbered(&mut self, kind: ObjectKind, prefix: &str, at: SourceRange) -> ObjectIndex {
        let number = self.count(prefix);
        self.intermediate(kind, format!("{prefix}-{number}"), at)
    }

    pub(super) fn push(&mut self, object: Object) -> ObjectIndex {
        self.lineage.objects.push(object);
        ObjectIndex(self.lineage.objects.len() - 1)
    }

    pub(super) fn pseudo_table(&mut self) -> ObjectIndex {
        self.singleton(ObjectKind::PseudoTable, PSEUDO_TABLE)
    }

    pub(super) fn singleton(&mut self, kind: ObjectKind, name: &str) -> ObjectIndex {
        let key = vec![name.to_owned()];
        if let Some(&index) = self.stored.get(&key) {
            return index;
        }
        let index = self.intermediate(kind, name.to_owned(), self.base);
        self.stored.insert(key, index);
        index
    }
}
