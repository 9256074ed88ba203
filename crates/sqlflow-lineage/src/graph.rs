//! The graph of a lineage: records joined by id, and questions that walk along relationships.
//!
//! - `ids` finds the record that an id belongs to, and `resolve` the record that names mean where the id means none.
//! - `index` finds the relationships of a column or object.
//! - `walk` goes from a column or object to the next ones, and `stars` finds the way through columns named `*`.
//! - `trace` answers upstream and downstream questions about a `vertex`, and `paths` finds the paths between; both use
//!   `components` to find where a lineage begins or ends.
//! - `flows` lists every pair between which a value flows.
//! - `access` finds readers and writers, and the `impact` of a column.

mod access;
mod components;
mod flows;
mod ids;
mod impact;
mod index;
mod paths;
mod resolve;
mod stars;
#[cfg(test)]
mod tests;
mod trace;
mod vertex;
pub(super) mod walk;

pub(super) use self::flows::FlowWays;
pub use self::flows::{ColumnFlow, ObjectFlow};
pub(super) use self::ids::{Ids, Node};
pub use self::impact::Impact;
pub(super) use self::index::Index;
pub use self::paths::{Path, Paths};
pub(super) use self::resolve::NamedEndpoints;
pub use self::resolve::Resolution;
pub use self::trace::{Trace, Traced};
pub use self::vertex::Vertex;

use super::model::EndpointRole;

/// The direction of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Upstream,
    Downstream,
}

impl Direction {
    /// Returns `true` if a walk in this direction goes to endpoints of this role. A routine is downstream of its
    /// callers.
    fn goes_to(self, role: EndpointRole) -> bool {
        match self {
            Self::Upstream => matches!(role, EndpointRole::Source | EndpointRole::Caller),
            Self::Downstream => matches!(role, EndpointRole::Target | EndpointRole::Callee),
        }
    }
}
