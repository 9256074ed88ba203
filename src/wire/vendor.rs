//! The SQL dialects of the API, by the names that servers use and the names that people use.

use std::str::FromStr;

use sqlflow_lineage::open_enum;

use crate::{Error, ErrorKind};

open_enum! {
    /// A dialect of SQL, called `dbvendor` by the API.
    ///
    /// Servers learn dialects with their versions, so the set is open: a dialect that is not listed here is
    /// [`Vendor::Other`], which is sent and shown exactly as it was spelled.
    ///
    /// Parsing accepts every word with or without its prefix `dbv`, in any case, and the aliases that the vendor's own
    /// clients use: `sqlserver`, `synapse` and `fabric` for `mssql`, `postgres` for `postgresql`, `spark` for `sparksql`.
    /// Any other word parses too, as [`Vendor::Other`], so check for that to catch a typing error.
    ///
    /// ```
    /// # use sqlflow_client::Vendor;
    /// assert_eq!("dbvoracle".parse::<Vendor>()?, Vendor::Oracle);
    /// assert_eq!("SQLServer".parse::<Vendor>()?, Vendor::Mssql);
    /// assert_eq!("newdb".parse::<Vendor>()?, Vendor::Other("dbvnewdb".to_owned()));
    /// assert!("oracle 19".parse::<Vendor>().is_err());
    /// # Ok::<(), sqlflow_client::Error>(())
    /// ```
    #[derive(PartialOrd, Ord)]
    pub enum Vendor {
        /// A dialect that this version of the crate does not know, as the API spells it.
        Other(String);
        /// Microsoft Access, named by the vendor's tools.
        Access = "dbvaccess",
        /// Standard SQL.
        Ansi = "dbvansi",
        /// Amazon Athena.
        Athena = "dbvathena",
        /// Azure, named by the vendor's tools.
        Azure = "dbvazure",
        /// Azure SQL Database.
        AzureSql = "dbvazuresql",
        /// Google BigQuery.
        BigQuery = "dbvbigquery",
        /// ClickHouse, named by newer clients of the vendor.
        ClickHouse = "dbvclickhouse",
        /// Couchbase.
        Couchbase = "dbvcouchbase",
        /// Databricks, named by newer clients of the vendor.
        Databricks = "dbvdatabricks",
        /// Data Analysis Expressions, named by the vendor's tools.
        Dax = "dbvdax",
        /// IBM Db2.
        Db2 = "dbvdb2",
        /// Apache Doris, named by newer clients of the vendor.
        Doris = "dbvdoris",
        /// DuckDB, named by newer clients of the vendor.
        DuckDb = "dbvduckdb",
        /// Exasol, named by newer clients of the vendor.
        Exasol = "dbvexasol",
        /// Huawei GaussDB.
        GaussDb = "dbvgaussdb",
        /// SQL of no particular database, named by newer clients of the vendor.
        Generic = "dbvgeneric",
        /// Greenplum.
        Greenplum = "dbvgreenplum",
        /// SAP HANA.
        Hana = "dbvhana",
        /// Apache Hive.
        Hive = "dbvhive",
        /// Apache Impala.
        Impala = "dbvimpala",
        /// IBM Informix.
        Informix = "dbvinformix",
        /// Multidimensional expressions.
        Mdx = "dbvmdx",
        /// Microsoft SQL Server.
        Mssql = "dbvmssql",
        /// MySQL.
        MySql = "dbvmysql",
        /// IBM Netezza.
        Netezza = "dbvnetezza",
        /// OceanBase, named by newer clients of the vendor.
        OceanBase = "dbvoceanbase",
        /// ODBC, named by the vendor's tools.
        Odbc = "dbvodbc",
        /// Progress OpenEdge.
        OpenEdge = "dbvopenedge",
        /// Oracle.
        Oracle = "dbvoracle",
        /// PostgreSQL.
        PostgreSql = "dbvpostgresql",
        /// Power Query M, named by newer clients of the vendor.
        PowerQuery = "dbvpowerquery",
        /// Presto.
        Presto = "dbvpresto",
        /// Amazon Redshift.
        Redshift = "dbvredshift",
        /// Snowflake.
        Snowflake = "dbvsnowflake",
        /// Salesforce object query language, named by the vendor's tools.
        Soql = "dbvsoql",
        /// Spark SQL.
        SparkSql = "dbvsparksql",
        /// SAP (Sybase) ASE.
        Sybase = "dbvsybase",
        /// Teradata.
        Teradata = "dbvteradata",
        /// Trino, named by newer clients of the vendor.
        Trino = "dbvtrino",
        /// Vertica.
        Vertica = "dbvvertica",
    }
    impl Display, Serialize, Deserialize;
}

/// The other names that the vendor's clients use for dialects, without the prefix `dbv`.
const ALIASES: [(&str, Vendor); 5] = [
    ("fabric", Vendor::Mssql),
    ("postgres", Vendor::PostgreSql),
    ("spark", Vendor::SparkSql),
    ("sqlserver", Vendor::Mssql),
    ("synapse", Vendor::Mssql),
];

impl FromStr for Vendor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let name = text.trim().to_lowercase();
        let word = name.strip_prefix("dbv").unwrap_or(&name);
        if word.is_empty() || !word.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '-')) {
            let names: Vec<_> = Self::KNOWN.iter().map(|vendor| &vendor.as_str()[3..]).collect();
            let text = format!("{text:?} is not the name of a dialect: use one word, such as {}", names.join(", "));
            return Err(Error::new(ErrorKind::InvalidInput, text));
        }
        if let Some((_, vendor)) = ALIASES.iter().find(|(alias, _)| *alias == word) {
            return Ok(vendor.clone());
        }
        let spelled = format!("dbv{word}");
        Ok(Self::known(&spelled).unwrap_or(Self::Other(spelled)))
    }
}

impl Vendor {
    /// Returns the known dialect that this is another spelling of, or else the dialect as it is spelled.
    pub(crate) fn recognized(self) -> Self {
        match &self {
            Self::Other(spelled) => {
                spelled.parse().ok().filter(|parsed| !matches!(parsed, Self::Other(_))).unwrap_or(self)
            }
            _ => self,
        }
    }

    /// Returns `true` if both are spellings of one dialect.
    pub(crate) fn is_same_dialect(&self, other: &Self) -> bool {
        let parsed = |vendor: &Self| vendor.as_str().parse().unwrap_or_else(|_| vendor.clone());
        self == other || parsed(self) == parsed(other)
    }
}

#[cfg(test)]
mod tests {
    use super::Vendor;

    #[test]
    fn every_known_name_survives_the_way_to_json_and_back() {
        for vendor in Vendor::KNOWN {
            let json = serde_json::to_string(vendor).unwrap();
            assert_eq!(serde_json::from_str::<Vendor>(&json).unwrap(), *vendor);
            assert_eq!(vendor.as_str()[3..].parse::<Vendor>().unwrap(), *vendor);
        }
    }

    #[test]
    fn an_unknown_name_of_a_server_is_kept_as_spelled() {
        let vendor: Vendor = serde_json::from_str("\"dbvDuck\"").unwrap();
        assert_eq!(vendor, Vendor::Other("dbvDuck".to_owned()));
        assert_eq!(serde_json::to_string(&vendor).unwrap(), "\"dbvDuck\"");
    }

    #[test]
    fn any_word_is_a_dialect_with_or_without_its_prefix() {
        for (text, spelled) in [
            ("newdb", "dbvnewdb"),
            ("dbvNewDB", "dbvnewdb"),
            ("Trino", "dbvtrino"),
            ("spark", "dbvsparksql"),
            ("dbvspark", "dbvsparksql"),
            ("Synapse", "dbvmssql"),
            ("fabric", "dbvmssql"),
            ("postgres", "dbvpostgresql"),
            ("azure", "dbvazure"),
        ] {
            assert_eq!(text.parse::<Vendor>().unwrap().as_str(), spelled, "{text}");
        }
    }

    #[test]
    fn spellings_of_one_dialect_are_the_same() {
        for text in ["oracle", "ORACLE", "DBVORACLE", " dbvOracle "] {
            let written = Vendor::Other(text.to_owned());
            assert!(written.is_same_dialect(&Vendor::Oracle) && Vendor::Oracle.is_same_dialect(&written), "{text}");
            assert_eq!(written.recognized(), Vendor::Oracle);
        }
        let new = Vendor::Other("dbvNewDB".to_owned());
        assert!(new.is_same_dialect(&Vendor::Other("newdb".to_owned())) && !new.is_same_dialect(&Vendor::Oracle));
        assert_eq!(new.clone().recognized(), new);
        let odd = Vendor::Other("oracle 19".to_owned());
        assert!(odd.is_same_dialect(&odd) && !odd.is_same_dialect(&Vendor::Oracle));
    }

    #[test]
    fn a_text_that_is_no_word_is_an_error_that_lists_the_known_ones() {
        for text in ["oracle 19", "-- select", "a;b", "pl/sql"] {
            let error = text.parse::<Vendor>().unwrap_err().to_string();
            assert!(error.contains(text) && error.contains("oracle, postgresql"), "{error}");
        }
    }

    #[test]
    fn nothing_is_no_vendor() {
        assert!("".parse::<Vendor>().is_err());
        assert!("dbv".parse::<Vendor>().is_err());
    }
}
