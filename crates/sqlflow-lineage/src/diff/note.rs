//! Notes on what a comparison cannot see.

use std::fmt;

use super::super::Lineage;
use super::super::kinds::Mode;
#[cfg(doc)]
use super::super::view::Column;
use super::super::view::Diagnostic;

/// A side of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DiffSide {
    /// The lineage on which the comparison was called.
    Old,
    /// The lineage that it was compared with.
    New,
}

impl DiffSide {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Old => "old",
            Self::New => "new",
        }
    }
}

/// A reason for which one side of a comparison may hold less than the SQL says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DiffNoteKind {
    /// The lineage [is a summary](Lineage::is_summary), without columns and relationships.
    Summary,
    /// The lineage lacks the [record sets](Column::is_record_set), because it has more relationships than the limit of
    /// the server: the [mode](Lineage::mode) is `ignoreRecordSet`.
    RecordSets,
    /// The lineage has [errors](Lineage::errors) that are [more than hints](Diagnostic::is_error): the server could not read
    /// all of the SQL.
    Errors,
    /// The lineage has [warnings](Lineage::warnings), which explain a partial success, in addition to its errors.
    Warnings,
    /// The lineage has [unresolved endpoints](Lineage::unresolved), through which no flow can be followed.
    Unresolved,
}

impl DiffNoteKind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Summary => "summary",
            Self::RecordSets => "record_sets",
            Self::Errors => "errors",
            Self::Warnings => "warnings",
            Self::Unresolved => "unresolved",
        }
    }
}

/// A note that a comparison may miss changes, or show changes that are none, because one side is not whole; see
/// [`Diff::notes`](super::Diff::notes).
///
/// Displayed as a sentence: `the new lineage has 2 errors, so objects and flows may be missing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct DiffNote {
    /// The side that is not whole.
    pub side: DiffSide,
    /// The reason.
    pub kind: DiffNoteKind,
    /// The number of errors, warnings or endpoints; 1 for the others.
    pub count: usize,
}

impl fmt::Display for DiffNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (side, count) = (self.side.as_str(), self.count);
        let s = if count == 1 { "" } else { "s" };
        match self.kind {
            DiffNoteKind::Summary => {
                write!(f, "the {side} lineage is a summary, which has no columns and no flows")
            }
            DiffNoteKind::RecordSets => {
                write!(f, "the {side} lineage has no record sets, so flows that depend on rows are missing")
            }
            DiffNoteKind::Errors => {
                write!(f, "the {side} lineage has {count} error{s}, so objects and flows may be missing")
            }
            DiffNoteKind::Warnings => {
                write!(f, "the {side} lineage has {count} warning{s}, so objects and flows may be missing")
            }
            DiffNoteKind::Unresolved => {
                write!(f, "the {side} lineage has {count} unresolved endpoint{s}, so flows may be missing")
            }
        }
    }
}

pub(super) fn notes(old: &Lineage, new: &Lineage) -> Vec<DiffNote> {
    let of = |side, lineage: &Lineage| {
        let counts = [
            (DiffNoteKind::Summary, usize::from(lineage.is_summary())),
            (DiffNoteKind::RecordSets, usize::from(lineage.mode() == Some(&Mode::IgnoreRecordSet))),
            (DiffNoteKind::Errors, lineage.errors().filter(Diagnostic::is_error).count()),
            (DiffNoteKind::Warnings, lineage.inner.model.count_of_own_warnings()),
            (DiffNoteKind::Unresolved, lineage.unresolved().count()),
        ];
        counts.into_iter().filter(|(_, count)| *count > 0).map(move |(kind, count)| DiffNote { side, kind, count })
    };
    of(DiffSide::Old, old).chain(of(DiffSide::New, new)).collect()
}
