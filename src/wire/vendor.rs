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
    /// Parsing accepts the name with or without its prefix `dbv`, in any case, and the two aliases that the vendor's
    /// tools use:
    /// ```
    /// # use sqlflow_client::Vendor;
    /// assert_eq!("dbvoracle".parse::<Vendor>()?, Vendor::Oracle);
    /// assert_eq!("SQLServer".parse::<Vendor>()?, Vendor::Mssql);
    /// assert_eq!("dbvnew".parse::<Vendor>()?, Vendor::Other("dbvnew".to_owned()));
    /// assert!("orcale".parse::<Vendor>().is_err());
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
        /// Couchbase.
        Couchbase = "dbvcouchbase",
        /// Data Analysis Expressions, named by the vendor's tools.
        Dax = "dbvdax",
        /// IBM Db2.
        Db2 = "dbvdb2",
        /// Huawei GaussDB.
        GaussDb = "dbvgaussdb",
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
        /// ODBC, named by the vendor's tools.
        Odbc = "dbvodbc",
        /// Progress OpenEdge.
        OpenEdge = "dbvopenedge",
        /// Oracle.
        Oracle = "dbvoracle",
        /// PostgreSQL.
        PostgreSql = "dbvpostgresql",
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
        /// Vertica.
        Vertica = "dbvvertica",
    }
    impl Display, Serialize, Deserialize;
}

impl FromStr for Vendor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let name = text.trim().to_lowercase();
        let spelled = match name.as_str() {
            "sqlserver" => "dbvmssql".to_owned(),
            "postgres" => "dbvpostgresql".to_owned(),
            _ if name.starts_with("dbv") => name,
            _ => format!("dbv{name}"),
        };
        if let Some(vendor) = Self::known(&spelled) {
            return Ok(vendor);
        }
        if text.trim().to_lowercase().starts_with("dbv") && spelled.len() > 3 {
            return Ok(Self::Other(spelled));
        }
        let names: Vec<_> = Self::KNOWN.iter().map(|vendor| &vendor.as_str()[3..]).collect();
        Err(Error::new(
            ErrorKind::InvalidInput,
            format!(
                "{text:?} is no dialect this client knows; it knows {}, and takes any name of a newer server that \
                 starts with dbv",
                names.join(", ")
            ),
        ))
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
    fn a_misspelled_name_is_an_error_that_lists_the_known_ones() {
        let error = "orcale".parse::<Vendor>().unwrap_err().to_string();
        assert!(error.contains("\"orcale\"") && error.contains("oracle, postgresql"), "{error}");
    }

    #[test]
    fn nothing_is_no_vendor() {
        assert!("".parse::<Vendor>().is_err());
        assert!("dbv".parse::<Vendor>().is_err());
    }
}
