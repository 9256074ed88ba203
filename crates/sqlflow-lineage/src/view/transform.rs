//! Transformations of values.

use std::fmt;

use crate::LineageInner;
use crate::model::RawTransform;

use super::coordinate::{Coordinate, coordinates};
use super::present;

/// A transformation of a value on its way; servers show transformations only on request.
#[derive(Clone, Copy)]
pub struct Transform<'a> {
    pub(super) inner: &'a LineageInner,
    pub(super) raw: &'a RawTransform,
}

impl<'a> Transform<'a> {
    /// Returns the kind of transformation.
    #[must_use]
    pub fn kind(&self) -> Option<&'a str> {
        present(self.inner, self.raw.kind)
    }

    /// Returns the SQL of the transformation.
    #[must_use]
    pub fn code(&self) -> Option<&'a str> {
        present(self.inner, self.raw.code)
    }

    /// Returns the coordinates of the transformation in the SQL.
    #[must_use]
    pub fn coordinates(&self) -> impl ExactSizeIterator<Item = Coordinate<'a>> + Clone + use<'a> {
        coordinates(self.inner, self.raw.coordinates)
    }
}

impl fmt::Debug for Transform<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Transform({:?})", self.kind().unwrap_or_default())
    }
}
