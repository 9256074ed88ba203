//! Coordinates in the SQL.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

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

impl<'a> Coordinate<'a> {
    fn key(&self) -> (i32, i32, Option<&'a str>) {
        (self.line(), self.column(), self.hash_code())
    }
}

impl PartialEq for Coordinate<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Coordinate<'_> {}

impl PartialOrd for Coordinate<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Coordinate<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl Hash for Coordinate<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

/// Written as `12:5`: the line and the column.
impl fmt::Display for Coordinate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line(), self.column())
    }
}

impl fmt::Debug for Coordinate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line(), self.column())?;
        match self.hash_code() {
            Some(hash) => write!(f, "#{hash}"),
            None => Ok(()),
        }
    }
}
