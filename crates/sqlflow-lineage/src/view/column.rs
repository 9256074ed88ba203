//! Columns of objects.

use std::fmt;

use crate::model::{ColumnExtra, Flag, Model, NONE, RawColumn, Span};
use crate::names;

use super::coordinate::{Coordinate, coordinates};
use super::object::Object;
use super::present;

/// Returns `true` if a column stands for a record set, which its name and its source tell.
pub(crate) fn is_record_set(model: &Model, column: &RawColumn) -> bool {
    // Nearly all columns have no source.
    !column.source.is_absent()
        && model.texts.get(column.source).eq_ignore_ascii_case("system")
        && model.texts.get(column.name).eq_ignore_ascii_case("RelationRows")
}

indexed_view! {
    /// A column of an object.
    Column of RawColumn in columns
    by |column: &Self| (column.qualified_name(), column.id().to_owned())
}

impl<'a> Column<'a> {
    fn flag(&self, flag: Flag) -> Option<bool> {
        self.raw()?.flags.get(flag)
    }

    /// Returns the id, which is unique within the document; empty if the document gives none.
    #[must_use]
    pub fn id(&self) -> &'a str {
        self.field(|raw| raw.id).unwrap_or_default()
    }

    /// Returns the name as the server writes it: with quotes, or `*`, a number, or several lines of SQL.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.field(|raw| raw.name).unwrap_or_default()
    }

    /// Returns `database.schema.object.column`; see [`Object::qualified_name`]. A column without a name has the form of
    /// its id, `id:13`.
    #[must_use]
    pub fn qualified_name(&self) -> String {
        self.raw().map(|raw| names::column_name(self.inner, self.at, raw)).unwrap_or_default()
    }

    /// Returns the object that the column belongs to.
    #[must_use]
    pub fn object(&self) -> Object<'a> {
        Object::new(self.inner, self.raw().map_or(NONE, |raw| raw.object))
    }

    /// Returns the data type in the database.
    #[must_use]
    pub fn data_type(&self) -> Option<&'a str> {
        self.field(|raw| raw.data_type)
    }

    /// Returns the `source` field: `system` (or `SYSTEM`) for columns that the server invented.
    #[must_use]
    pub fn source(&self) -> Option<&'a str> {
        self.field(|raw| raw.source)
    }

    /// Returns `true` if the server invented the column; user interfaces hide such columns.
    #[must_use]
    pub fn is_system(&self) -> bool {
        self.source().is_some_and(|source| source.eq_ignore_ascii_case("system"))
    }

    /// Returns `true` if the column stands for the record set of its object: a column `RelationRows` that the server
    /// invented.
    #[must_use]
    pub fn is_record_set(&self) -> bool {
        self.raw().is_some_and(|raw| is_record_set(&self.inner.model, raw))
    }

    /// Returns `true` if user interfaces show the column, which they do unless the server says otherwise.
    #[must_use]
    pub fn ui_visible(&self) -> bool {
        self.flag(Flag::UiVisible).unwrap_or(true)
    }

    /// Returns `true` if the server knows that the column is part of the primary key.
    #[must_use]
    pub fn is_primary_key(&self) -> bool {
        self.flag(Flag::PrimaryKey).unwrap_or(false)
    }

    /// Returns `true` if the server knows that the column is part of a foreign key.
    #[must_use]
    pub fn is_foreign_key(&self) -> bool {
        self.flag(Flag::ForeignKey).unwrap_or(false)
    }

    /// Returns `true` if the server knows that the column is part of a unique key.
    #[must_use]
    pub fn is_unique_key(&self) -> bool {
        self.flag(Flag::UniqueKey).unwrap_or(false)
    }

    /// Returns the `qualifiedTable` field.
    #[must_use]
    pub fn qualified_table(&self) -> Option<&'a str> {
        let extras = &self.inner.model.column_extras;
        present(self.inner, extras.get(self.at, ColumnExtra::QualifiedTable))
    }

    /// Returns the coordinates of the column in the SQL, usually its start and its end.
    pub fn coordinates(&self) -> impl ExactSizeIterator<Item = Coordinate<'a>> + Clone + use<'a> {
        let span = self.raw().map_or_else(Span::default, |raw| raw.coordinates);
        coordinates(self.inner, span)
    }
}

impl fmt::Display for Column<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.qualified_name())
    }
}

impl fmt::Debug for Column<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Column({:?}, id {:?})", self.qualified_name(), self.id())
    }
}
