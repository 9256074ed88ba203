//! Who flows into whom: joins by id, and questions that walk along relationships.
//!
//! `ids` tells what an id means, `index` which relationships meet at a column, `walk` how one goes from one to the
//! next. On these stand the questions: `trace` (upstream and downstream, as sets and as paths), `flows` (every pair),
//! `access` (who reads, who writes, what a dropped column breaks).

mod access;
mod components;
mod flows;
mod ids;
mod index;
#[cfg(test)]
mod tests;
mod trace;
pub(super) mod walk;

pub use self::access::Impact;
pub use self::flows::{ColumnFlow, ObjectFlow};
pub(super) use self::ids::{Ids, Node, node_of};
pub(super) use self::index::Index;
pub use self::trace::{Path, Paths, Trace, Traced, Vertex};

use super::model::EndpointRole;

/// Which way to walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Upstream,
    Downstream,
}

impl Direction {
    /// Whether one goes to the ends of a role. A routine that is called is downstream of the one that calls.
    fn goes_to(self, role: EndpointRole) -> bool {
        match self {
            Self::Upstream => matches!(role, EndpointRole::Source | EndpointRole::Caller),
            Self::Downstream => matches!(role, EndpointRole::Target | EndpointRole::Callee),
        }
    }
}
