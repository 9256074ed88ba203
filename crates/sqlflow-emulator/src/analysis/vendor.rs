//! Database vendors: their names, the dialect that reads their SQL, and how their objects are nested.

use flowscope_core::Dialect;

/// A database vendor the protocol knows.
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

/// All of them. Those without a dialect are read with the generic one.
static VENDORS: [Vendor; 32] = [
    vendor("dbvaccess", None),
    vendor("dbvansi", Some(Dialect::Ansi)),
    vendor("dbvathena", None),
    vendor("dbvazuresql", Some(Dialect::Mssql)),
    vendor("dbvbigquery", Some(Dialect::Bigquery)),
    vendor("dbvcouchbase", None),
    vendor("dbvdatabricks", Some(Dialect::Databricks)),
    vendor("dbvdax", None),
    vendor("dbvdb2", None),
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
    vendor("dbvodbc", None),
    vendor("dbvopenedge", None),
    vendor("dbvoracle", Some(Dialect::Oracle)),
    vendor("dbvpostgresql", Some(Dialect::Postgres)),
    vendor("dbvpresto", None),
    vendor("dbvredshift", Some(Dialect::Redshift)),
    vendor("dbvsnowflake", Some(Dialect::Snowflake)),
    vendor("dbvsoql", None),
    without_schemas("dbvsparksql", Some(Dialect::Databricks)),
    vendor("dbvsybase", None),
    without_schemas("dbvteradata", None),
    vendor("dbvvertica", None),
];

/// Other names the vendor's own tools accept.
const ALIASES: [(&str, &str); 4] =
    [("sqlserver", "mssql"), ("postgres", "postgresql"), ("azure", "azuresql"), ("spark", "sparksql")];

impl Vendor {
    /// Finds a vendor by name, with or without the prefix `dbv`.
    pub(crate) fn find(name: &str) -> Option<Self> {
        let name = name.trim().to_ascii_lowercase();
        let short = name.strip_prefix("dbv").unwrap_or(&name);
        let short = ALIASES.iter().find(|(alias, _)| *alias == short).map_or(short, |(_, meant)| meant);
        VENDORS.iter().find(|vendor| vendor.name.strip_prefix("dbv") == Some(short)).copied()
    }

    /// The name, as `dbvendor` spells it.
    pub(crate) fn name(self) -> &'static str {
        self.name
    }

    /// Whether its databases hold schemas; otherwise they hold tables.
    pub(crate) fn supports_schemas(self) -> bool {
        self.schemas
    }

    pub(super) fn dialect(self) -> Dialect {
        self.dialect.unwrap_or(Dialect::Generic)
    }

    /// What to tell whoever submits SQL of a vendor that has no dialect.
    pub(super) fn substitution(self) -> Option<String> {
        self.dialect.is_none().then(|| {
            format!(
                "The emulator has no dialect for {}; the SQL was read with the generic dialect of flowscope-core.",
                self.name
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vendor_is_found_under_all_its_names() {
        for name in ["dbvmssql", "mssql", "sqlserver", "dbvsqlserver", " DBVMSSQL "] {
            assert_eq!(Vendor::find(name).map(Vendor::name), Some("dbvmssql"), "{name}");
        }
        assert_eq!(Vendor::find("postgres").map(Vendor::name), Some("dbvpostgresql"));
        assert_eq!(Vendor::find("dbvnosuch"), None);
        assert_eq!(Vendor::find(""), None);
    }

    #[test]
    fn a_vendor_without_a_dialect_says_so() {
        assert!(Vendor::find("dbvteradata").unwrap().substitution().unwrap().contains("dbvteradata"));
        assert_eq!(Vendor::find("dbvoracle").unwrap().substitution(), None);
    }
}
