//! Database servers.

use std::fmt;

use crate::model::RawScope;

indexed_view! {
    /// A database server, or its stand-in (`DEFAULT_SERVER`).
    Server of RawScope in scopes
    by |server: &Self| server.name().to_owned()
}

impl<'a> Server<'a> {
    pub(super) fn scope(&self) -> Option<&'a RawScope> {
        self.raw()
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.field(|raw| raw.name).unwrap_or_default()
    }

    /// Returns the vendor of the SQL (`dbvoracle`, …).
    #[must_use]
    pub fn vendor(&self) -> Option<&'a str> {
        self.field(|raw| raw.vendor)
    }

    /// Returns `true` if the server has databases.
    #[must_use]
    pub fn supports_catalogs(&self) -> Option<bool> {
        self.raw()?.supports_catalogs
    }

    /// Returns `true` if the server has schemas.
    #[must_use]
    pub fn supports_schemas(&self) -> Option<bool> {
        self.raw()?.supports_schemas
    }
}

impl fmt::Debug for Server<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({:?})", self.name())
    }
}
