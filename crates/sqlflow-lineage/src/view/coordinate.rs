//! Coordinates in the SQL.

use std::fmt;

use crate::LineageInner;
use crate::model::{RawCoordinate, Span};

pub(super) fn coordinates(inner: &LineageInner, span: Span) -> impl ExactSizeIterator<Item = Coordinate<'_>> + Clone {
    span.of(&inner.model.coordinates).iter().map(|raw| Coordinate { inner, raw })
}

/// A line and column in the SQL.
#[derive(Clone, Copy)]
pub struct Coordinate<'a> {
    inner: &'a LineageInner,
    raw: &'a RawCoordinate,
}

impl<'a> Coordinate<'a> {
    /// Returns the line, counted from 1; −1 if the server does not know it.
    #[must_use]
    pub fn line(&self) -> i32 {
        self.raw.x
    }

    /// Returns the column, counted from 1; −1 if the server does not know it.
    #[must_use]
    pub fn column(&self) -> i32 {
        self.raw.y
    }

    /// Returns the code that tells which of several scripts is meant: `0`, a small number or 32 hexadecimal digits.
    ///
    /// The coordinates of [`Diagnostic::origin_coordinates`](crate::Diagnostic::origin_coordinates) have none.
    #[must_use]
    pub fn hash_code(&self) -> Option<&'a str> {
        self.inner.model.texts.get_present(self.raw.hash)
    }
}

impl PartialEq for Coordinate<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.line(), self.column(), self.hash_code()) == (other.line(), other.column(), other.hash_code())
    }
}

impl Eq for Coordinate<'_> {}

impl fmt::Debug for Coordinate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line(), self.column())?;
        match self.hash_code() {
            Some(hash) => write!(f, "#{hash}"),
            None => Ok(()),
        }
    }
}
