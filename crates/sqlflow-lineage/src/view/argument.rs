//! Arguments of routines.

use std::fmt;

use crate::model::{RawArgument, Span};

use super::coordinate::{Coordinate, coordinates};

indexed_view! {
    /// An argument of a routine.
    Argument of RawArgument in arguments
    by |argument: &Self| argument.name().to_owned()
}

impl<'a> Argument<'a> {
    /// Returns the id, which is unique within the document; empty if the document gives none.
    #[must_use]
    pub fn id(&self) -> &'a str {
        self.field(|raw| raw.id).unwrap_or_default()
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.field(|raw| raw.name).unwrap_or_default()
    }

    /// Returns the data type in the database.
    #[must_use]
    pub fn data_type(&self) -> Option<&'a str> {
        self.field(|raw| raw.data_type)
    }

    /// Returns the direction in which the argument is passed (`in`, `out` or both), as the server spells it.
    #[must_use]
    pub fn inout(&self) -> Option<&'a str> {
        self.field(|raw| raw.inout)
    }

    /// Returns the coordinates of the argument in the SQL.
    pub fn coordinates(&self) -> impl ExactSizeIterator<Item = Coordinate<'a>> + Clone + use<'a> {
        let span = self.raw().map_or_else(Span::default, |raw| raw.coordinates);
        coordinates(self.inner, span)
    }
}

impl fmt::Debug for Argument<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Argument({:?}, id {:?})", self.name(), self.id())
    }
}
