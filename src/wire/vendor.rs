//! The SQL dialects of the API. Owns their names: as servers spell them, and as people do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Error, ErrorKind};

macro_rules! vendors {
    ($($(#[$meta:meta])* $variant:ident = $text:literal),+ $(,)?) => {
        /// A dialect of SQL, called `dbvendor` by the API.
        ///
        /// Servers learn dialects with their versions, so the set is open: what is not listed here is
        /// [`Vendor::Other`], sent and shown as it was spelled.
        ///
        /// Parsing takes the name with or without its `dbv`, in any case, and the two aliases of the vendor's tools:
        /// ```
        /// # use sqlflow_client::Vendor;
        /// assert_eq!("dbvoracle".parse::<Vendor>()?, Vendor::Oracle);
        /// assert_eq!("SQLServer".parse::<Vendor>()?, Vendor::Mssql);
        /// assert_eq!("dbvnew".parse::<Vendor>()?, Vendor::Other("dbvnew".to_owned()));
        /// assert!("orcale".parse::<Vendor>().is_err());
        /// # Ok::<(), sqlflow_client::Error>(())
        /// ```
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Vendor {
            $($(#[$meta])* #[doc = concat!("`", $text, "`")] $variant,)+
            /// A dialect this version of the crate does not know, as the API spells it.
            Other(String),
        }

        impl Vendor {
            /// Every dialect this version of the crate knows.
            pub const KNOWN: &'static [Vendor] = &[$(Vendor::$variant),+];

            /// The name as the API spells it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Vendor::$variant => $text,)+
                    Vendor::Other(text) => text,
                }
            }

            fn known(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Vendor::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

vendors! {
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

impl fmt::Display for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
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

impl Serialize for Vendor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Vendor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Self::known(&text).unwrap_or(Self::Other(text)))
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
