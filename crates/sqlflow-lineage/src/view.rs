//! Small borrowed views of the records of a lineage, one file for each kind of record.

use super::LineageInner;
use super::intern::Symbol;

/// Defines a view that borrows a lineage and knows the index of one record.
///
/// Two views are equal if they show the same record of the same lineage. They are ordered by a key, and by the position
/// of the record in the document if the keys are equal.
macro_rules! indexed_view {
    ($(#[$meta:meta])* $view:ident of $raw:ident in $arena:ident by $key:expr) => {
        $(#[$meta])*
        #[derive(Clone, Copy)]
        pub struct $view<'a> {
            pub(crate) inner: &'a $crate::LineageInner,
            pub(crate) at: u32,
        }

        impl PartialEq for $view<'_> {
            fn eq(&self, other: &Self) -> bool {
                std::ptr::eq(self.inner, other.inner) && self.at == other.at
            }
        }

        impl Eq for $view<'_> {}

        impl std::hash::Hash for $view<'_> {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.at.hash(state);
            }
        }

        impl PartialOrd for $view<'_> {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $view<'_> {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                let key = $key;
                let same_lineage = std::ptr::from_ref(self.inner).cmp(&std::ptr::from_ref(other.inner));
                key(self).cmp(&key(other)).then(self.at.cmp(&other.at)).then(same_lineage)
            }
        }

        impl<'a> $view<'a> {
            pub(crate) fn new(inner: &'a $crate::LineageInner, at: u32) -> Self {
                Self { inner, at }
            }

            fn raw(&self) -> Option<&'a $raw> {
                self.inner.model.$arena.get(self.at as usize)
            }

            fn field(&self, field: impl FnOnce(&$raw) -> $crate::intern::Symbol) -> Option<&'a str> {
                $crate::view::present(self.inner, field(self.raw()?))
            }
        }
    };
}

mod argument;
mod column;
mod coordinate;
mod diagnostic;
mod endpoint;
mod lineage;
mod location;
mod object;
mod process;
mod relationship;
mod server;
mod summary;
mod transform;

pub use self::argument::Argument;
pub use self::column::Column;
pub(super) use self::column::is_record_set;
pub use self::coordinate::Coordinate;
pub use self::diagnostic::Diagnostic;
pub use self::endpoint::Endpoint;
pub(super) use self::endpoint::endpoints;
pub use self::location::Location;
pub(super) use self::location::write_location;
pub use self::object::Object;
pub(super) use self::object::{is_intermediate, is_routine};
pub use self::process::Process;
pub use self::relationship::Relationship;
pub use self::server::Server;
pub use self::summary::{BusiestTable, Summary};
pub use self::transform::Transform;
pub use super::model::EndpointRole;

fn present(inner: &LineageInner, symbol: Symbol) -> Option<&str> {
    inner.model.texts.get_present(symbol)
}
