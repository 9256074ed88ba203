//! Database vendors: their names, the dialect that reads their SQL, and the nesting of their objects.

use super::dialect::Dialect;

/// A database vendor that the protocol knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Vendor {
    name: &'static str,
    dialect: Option<Dialect>,
    schemas: bool,
}

const fn vendor(name: &'static str, dialect: Option<Dialect>) -> Vendor {
    Vendor { name, dialect, schemas: true }
}

const fn without_schemas(name: &'static str, dialect: Option<Dialect>) -> Vendor {
    Vendor { name, dialect, schemas: false }
}

/// All vendors. Those without a dialect are read with the generic one.
static VENDORS: [Vendor; 39] = [
    vendor("dbvaccess", None),
    vendor("dbvansi", Some(Dialect::Ansi)),
    vendor("dbvathena", None),
    vendor("dbvazuresql", Some(Dialect::Mssql)),
    vendor("dbvbigquery", Some(Dialect::Bigquery)),
    vendor("dbvclickhouse", Some(Dialect::Clickhouse)),
    vendor("dbvcouchbase", None),
    vendor("dbvdatabricks", Some(Dialect::Databricks)),
    vendor("dbvdax", None),
    vendor("dbvdb2", None),
    vendor("dbvdoris", None),
    vendor("dbvduckdb", Some(Dialect::Duckdb)),
    vendor("dbvexasol", None),
    vendor("dbvgaussdb", Some(Dialect::Postgres)),
    vendor("dbvgeneric", Some(Dialect::Generic)),
    vendor("dbvgreenplum", Some(Dialect::Postgres)),
    vendor("dbvhana", None),
    without_schemas("dbvhive", Some(Dialect::Hive)),
    without_schemas("dbvimpala", None),
    vendor("dbvinformix", None),
    vendor("dbvmdx", None),
    vendor("dbvmssql", Some(Dialect::Mssql)),
    without_schemas("dbvmysql", Some(Dialect::Mysql)),
    vendor("dbvnetezza", None),
    vendor("dbvoceanbase", None),
    vendor("dbvodbc", None),
    vendor("dbvopenedge", None),
    vendor("dbvoracle", Some(Dialect::Oracle)),
    vendor("dbvpostgresql", Some(Dialect::Postgres)),
    vendor("dbvpowerquery", None),
    vendor("dbvpresto", None),
    vendor("dbvredshift", Some(Dialect::Redshift)),
    vendor("dbvsnowflake", Some(Dialect::Snowflake)),
    vendor("dbvsoql", None),
    without_schemas("dbvsparksql", Some(Dialect::Spark)),
    vendor("dbvsybase", None),
    without_schemas("dbvteradata", Some(Dialect::Teradata)),
    vendor("dbvtrino", None),
    vendor("dbvvertica", None),
];

/// Other names that the vendor's own tools accept, with the vendor's name.
const ALIASES: [(&str, &str); 6] = [
    ("sqlserver", "dbvmssql"),
    ("synapse", "dbvmssql"),
    ("fabric", "dbvmssql"),
    ("postgres", "dbvpostgresql"),
    ("azure", "dbvazuresql"),
    ("spark", "dbvsparksql"),
];

/// Returns the vendors that the emulator knows, in alphabetical order and spelled as the parameter `dbvendor` of the
/// API: `dbvaccess`, `dbvansi` and so on.
///
/// Requests may also write a vendor without the prefix `dbv`, in any case, or as an [alias](vendor_aliases). A client
/// with a list of vendors of its own can be tested against this one.
///
/// ```
/// assert!(sqlflow_emulator::vendors().any(|vendor| vendor == "dbvoracle"));
/// ```
pub fn vendors() -> impl Iterator<Item = &'static str> {
    VENDORS.iter().map(|vendor| vendor.name)
}

/// Returns the aliases that requests may use for a vendor, each with the name of the vendor as in [`vendors`]. Like
/// those names, an alias may have the prefix `dbv`.
///
/// ```
/// assert!(sqlflow_emulator::vendor_aliases().any(|pair| pair == ("sqlserver", "dbvmssql")));
/// ```
pub fn vendor_aliases() -> impl Iterator<Item = (&'static str, &'static str)> {
    ALIASES.into_iter()
}

impl Vendor {
    /// Finds a vendor by its name or an alias, with or without the prefix `dbv`.
    pub(crate) fn find(name: &str) -> Option<Self> {
        let name = name.trim().to_ascii_lowercase();
        let short = name.strip_prefix("dbv").unwrap_or(&name);
        let aliased = ALIASES.iter().find(|(alias, _)| *alias == short).map(|(_, vendor)| *vendor);
        let is_meant = |vendor: &&Vendor| match aliased {
            Some(name) => vendor.name == name,
            None => vendor.name.strip_prefix("dbv") == Some(short),
        };
        VENDORS.iter().find(is_meant).copied()
    }

    /// Returns the name, as `dbvendor` spells it.
    pub(crate) fn name(self) -> &'static str {
        self.name
    }

    /// Returns `true` if its databases contain schemas. Otherwise they contain tables.
    pub(crate) fn supports_schemas(self) -> bool {
        self.schemas
    }

    pub(super) fn dialect(self) -> Dialect {
        self.dialect.unwrap_or(Dialect::Generic)
    }

    /// Returns a message for jobs of a vendor without a dialect.
    pub(super) fn substitution(self) -> Option<String> {
        self.dialect
            .is_none()
            .then(|| format!("The emulator has no grammar for {}; the SQL was read with a generic one.", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vendor_is_found_by_all_its_names() {
        for name in ["dbvmssql", "mssql", "sqlserver", "dbvsqlserver", " DBVMSSQL "] {
            assert_eq!(Vendor::find(name).map(Vendor::name), Some("dbvmssql"), "{name}");
        }
        assert_eq!(Vendor::find("postgres").map(Vendor::name), Some("dbvpostgresql"));
        assert_eq!(Vendor::find("dbvnosuch"), None);
        assert_eq!(Vendor::find(""), None);
    }

    #[test]
    fn every_listed_vendor_and_alias_is_found() {
        for name in vendors() {
            assert_eq!(Vendor::find(name).map(Vendor::name), Some(name));
        }
        for (alias, name) in vendor_aliases() {
            assert_eq!(Vendor::find(alias).map(Vendor::name), Some(name));
        }
        assert!(vendors().is_sorted());
    }

    #[test]
    fn a_vendor_without_a_dialect_has_a_message() {
        assert!(Vendor::find("dbvnetezza").unwrap().substitution().unwrap().contains("dbvnetezza"));
        assert_eq!(Vendor::find("dbvoracle").unwrap().substitution(), None);
    }
}
