//! Processes: the statements that make relationships.

use std::fmt;

use crate::intern::Symbol;
use crate::model::{Flag, RawProcess, ScopeKind, Span};

use super::coordinate::{Coordinate, coordinates};
use super::location::Location;
use super::present;

indexed_view! {
    /// A statement that makes relationships.
    Process of RawProcess in processes
    by |process: &Self| (process.name().to_owned(), process.id().to_owned())
}

impl<'a> Process<'a> {
    fn scope(&self, kind: ScopeKind) -> Option<&'a str> {
        let scope = self.raw()?.scope;
        present(self.inner, self.inner.model.scope_name(scope, kind))
    }

    /// Returns the id, which is unique within the document; empty if the document gives none.
    #[must_use]
    pub fn id(&self) -> &'a str {
        self.field(|raw| raw.id).unwrap_or_default()
    }

    /// Returns the name, such as `Query Insert-1`.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.field(|raw| raw.name).unwrap_or_default()
    }

    /// Returns the kind of statement, such as `sstinsert`. Flat documents do not give it.
    #[must_use]
    pub fn kind(&self) -> Option<&'a str> {
        self.field(|raw| raw.kind)
    }

    /// Returns the name of the procedure that the statement stands in, or `batchQueries`.
    #[must_use]
    pub fn procedure_name(&self) -> Option<&'a str> {
        self.field(|raw| raw.procedure_name)
    }

    /// Returns the id of the procedure that the statement stands in.
    #[must_use]
    pub fn procedure_id(&self) -> Option<&'a str> {
        self.field(|raw| raw.procedure_id)
    }

    /// Returns the hash of the query.
    #[must_use]
    pub fn query_hash_id(&self) -> Option<&'a str> {
        self.field(|raw| raw.query_hash_id)
    }

    /// Returns the database that the document lists the process in, if it does.
    #[must_use]
    pub fn database(&self) -> Option<&'a str> {
        self.scope(ScopeKind::Database)
    }

    /// Returns the schema that the document lists the process in, if it does.
    #[must_use]
    pub fn schema(&self) -> Option<&'a str> {
        self.scope(ScopeKind::Schema)
    }

    /// Returns `true` if user interfaces show the process, which they do unless the server says otherwise.
    #[must_use]
    pub fn ui_visible(&self) -> bool {
        self.raw().and_then(|raw| raw.flags.get(Flag::UiVisible)).unwrap_or(true)
    }

    /// Returns the place where the statement begins: the label of its document, the line and the column. Documents do not
    /// name the file of a statement.
    #[must_use]
    pub fn location(&self) -> Location<'a> {
        let label = self.raw().map_or(Symbol::ABSENT, |raw| raw.label);
        let label = self.inner.model.texts.or(label, self.inner.model.label);
        Location::new(None, present(self.inner, label), self.coordinates().next())
    }

    /// Returns the coordinates of the statement in the SQL, usually its start and its end.
    pub fn coordinates(&self) -> impl ExactSizeIterator<Item = Coordinate<'a>> + Clone + use<'a> {
        let span = self.raw().map_or_else(Span::default, |raw| raw.coordinates);
        coordinates(self.inner, span)
    }
}

/// Written as its name, or else its id, and its location if that is known: `Query Insert-1 at nightly, line 12, column 5`.
impl fmt::Display for Process<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            "" => write!(f, "id:{}", self.id())?,
            name => f.write_str(name)?,
        }
        let location = self.location();
        if location.is_unknown() { Ok(()) } else { write!(f, " at {location}") }
    }
}

impl fmt::Debug for Process<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Process({:?}, id {:?})", self.name(), self.id())
    }
}
