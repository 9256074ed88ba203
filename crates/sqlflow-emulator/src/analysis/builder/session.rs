//! Objects that are not tables of the database: temporary tables, which belong to a session or a routine, and paths.

use sqlparser::ast::ObjectName;

use super::super::identifier::{self, Identifier};
use super::super::{Namespace, Object, ObjectIndex, ObjectKind, SourceRange};
use super::LineageBuilder;

impl LineageBuilder {
    /// Declares that a name means a temporary table from here on: in the routine that contains the statement, or else
    /// in the session, which is the script.
    pub(in crate::analysis) fn declare_temporary(&mut self, name: &ObjectName) {
        let parts: Vec<Identifier> = identifier::parts(name).into_iter().map(|ident| self.name(ident)).collect();
        let Some((last, qualifiers)) = parts.split_last() else { return };
        let key = Self::identity(&self.namespace_of(qualifiers), last);
        let scope = self.scopes().remove(0);
        self.temporary.insert(within(&scope, &key));
    }

    /// Returns the key of a table: that of a temporary one if the name means one here.
    pub(super) fn scoped(&mut self, key: Vec<String>, name: &Identifier) -> Vec<String> {
        let bare = name.key.trim_start_matches(['[', '"']);
        // `##t` is shared by all sessions.
        let temporary = bare.starts_with('#') && !bare.starts_with("##") || bare.starts_with('@');
        if !temporary && self.temporary.is_empty() {
            return key;
        }
        let scopes = self.scopes();
        let known = scopes.iter().map(|scope| within(scope, &key)).find(|key| self.temporary.contains(key));
        if let Some(known) = known {
            return known;
        }
        if temporary {
            let own = within(&scopes[0], &key);
            self.temporary.insert(own.clone());
            return own;
        }
        key
    }

    /// Returns the scopes of temporary tables around the statement, innermost first.
    fn scopes(&self) -> Vec<Vec<String>> {
        let session = format!("\0session {}", self.base.script);
        let routine = self.routine.iter().map(|routine| vec![session.clone(), routine.to_lowercase()]);
        routine.chain(std::iter::once(vec![session.clone()])).collect()
    }

    /// Records that a statement defines a routine.
    pub(in crate::analysis) fn define_routine(&mut self, name: &ObjectName) {
        let name = identifier::parts(name).last().map(|ident| self.name(ident).key);
        self.routines.extend(name);
    }

    /// Returns `true` if a statement before this one defines the routine.
    pub(in crate::analysis) fn knows_routine(&self, name: &ObjectName) -> bool {
        identifier::parts(name).last().is_some_and(|ident| self.routines.contains(&self.name(ident).key))
    }

    /// Returns the file, folder or stage with this path. It is in no schema.
    ///
    /// `SQLFlow` has objects of the type `path`; that their name is the path is our reading.
    pub(in crate::analysis) fn path(&mut self, path: &str, at: SourceRange) -> ObjectIndex {
        let key = vec!["\0path".to_owned(), path.to_owned()];
        if let Some(&index) = self.stored.get(&key) {
            return index;
        }
        let object = Object {
            id: self.id(),
            kind: ObjectKind::Path,
            namespace: Namespace::default(),
            name: path.to_owned(),
            display_name: path.to_owned(),
            normal_name: path.to_owned(),
            columns: Vec::new(),
            at: vec![at],
        };
        let index = self.push(object);
        self.stored.insert(key, index);
        index
    }
}

fn within(scope: &[String], key: &[String]) -> Vec<String> {
    scope.iter().chain(key).cloned().collect()
}
