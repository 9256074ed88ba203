//! Messages of the server about the SQL.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use crate::LineageInner;
use crate::error::shorten;
use crate::model::RawDiagnostic;

use super::coordinate::{Coordinate, coordinates};
use super::location::Location;
use super::present;

/// A message of the server about the SQL: an error, a warning or a hint.
#[derive(Clone, Copy)]
pub struct Diagnostic<'a> {
    pub(super) inner: &'a LineageInner,
    pub(super) raw: &'a RawDiagnostic,
}

impl<'a> Diagnostic<'a> {
    /// Returns the text of the message.
    #[must_use]
    pub fn message(&self) -> &'a str {
        present(self.inner, self.raw.message).unwrap_or_default()
    }

    /// Returns the kind: `SyntaxHint`, `SyntaxError`, `AnalyzeError`, `LinkOrphanColumn`, ….
    #[must_use]
    pub fn kind(&self) -> Option<&'a str> {
        present(self.inner, self.raw.kind)
    }

    /// Returns `true` for an error, after which something is missing from the lineage, and `false` for a hint. A message
    /// without a kind counts as an error.
    #[must_use]
    pub fn is_error(&self) -> bool {
        matches!(self.kind(), Some("SyntaxError" | "AnalyzeError") | None)
    }

    /// Returns the number of occurrences, if the server counts them.
    #[must_use]
    pub fn occurrences(&self) -> Option<i64> {
        self.raw.occurrences
    }

    /// Returns the file that the message is about.
    #[must_use]
    pub fn file(&self) -> Option<&'a str> {
        present(self.inner, self.raw.file)
    }

    /// Returns the place that the message is about: the file, or else the label of the document, with the line and column
    /// in the SQL as it was sent, or else as the server analyzed it.
    #[must_use]
    pub fn location(&self) -> Location<'a> {
        let label = self.inner.model.texts.or(self.raw.label, self.inner.model.label);
        Location::new(
            self.file(),
            present(self.inner, label),
            self.origin_coordinates().chain(self.coordinates()).next(),
        )
    }

    /// Returns the coordinates in the SQL as the server analyzed it.
    #[must_use]
    pub fn coordinates(&self) -> impl ExactSizeIterator<Item = Coordinate<'a>> + Clone + use<'a> {
        coordinates(self.inner, self.raw.coordinates)
    }

    /// Returns the coordinates in the SQL as it was sent, before the server prepared it.
    #[must_use]
    pub fn origin_coordinates(&self) -> impl ExactSizeIterator<Item = Coordinate<'a>> + Clone + use<'a> {
        coordinates(self.inner, self.raw.origin_coordinates)
    }
}

impl<'a> Diagnostic<'a> {
    fn key(&self) -> impl Ord + Hash + use<'a> {
        let coordinates: Vec<Coordinate<'a>> = self.coordinates().chain(self.origin_coordinates()).collect();
        (self.file(), coordinates, self.kind(), self.message(), self.occurrences())
    }
}

impl PartialEq for Diagnostic<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.key().cmp(&other.key()).is_eq()
    }
}

impl Eq for Diagnostic<'_> {}

impl PartialOrd for Diagnostic<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Messages are in the order of their files and coordinates.
impl Ord for Diagnostic<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl Hash for Diagnostic<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl fmt::Display for Diagnostic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(kind) = self.kind() {
            write!(f, "{kind}: ")?;
        }
        f.write_str(self.message())?;
        let location = self.location();
        if location.is_unknown() { Ok(()) } else { write!(f, " ({location})") }
    }
}

impl fmt::Debug for Diagnostic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = shorten(self.message(), 80);
        write!(f, "Diagnostic({:?}, {message:?})", self.kind().unwrap_or_default())
    }
}
