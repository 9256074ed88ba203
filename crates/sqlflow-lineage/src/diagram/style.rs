//! The colours of the pictures: those of text and edges, and those of each style of object.

use crate::{Object, ObjectKind};

pub(super) const TEXT_COLOUR: &str = "#1f2933";
pub(super) const EDGE_COLOUR: &str = "#5c6b7a";
pub(super) const BACKGROUND_COLOUR: &str = "#ffffff";

/// The appearance of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ObjectStyle {
    Table,
    View,
    Intermediate,
    Routine,
}

impl ObjectStyle {
    pub(super) const ALL: [Self; 4] = [Self::Table, Self::View, Self::Intermediate, Self::Routine];

    pub(super) fn of(object: Object<'_>) -> Self {
        if object.is_routine() {
            Self::Routine
        } else if object.is_intermediate() {
            Self::Intermediate
        } else if object.kind() == ObjectKind::View {
            Self::View
        } else {
            Self::Table
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::View => "view",
            Self::Intermediate => "intermediate",
            Self::Routine => "routine",
        }
    }

    pub(super) fn fill_colour(self) -> &'static str {
        match self {
            Self::Table => "#d6e6f5",
            Self::View => "#d9f0dd",
            Self::Intermediate => "#ededed",
            Self::Routine => "#f8e6c8",
        }
    }

    pub(super) fn border_colour(self) -> &'static str {
        match self {
            Self::Table => "#4a7ba6",
            Self::View => "#4f9460",
            Self::Intermediate => "#8c8c8c",
            Self::Routine => "#b3812f",
        }
    }
}
