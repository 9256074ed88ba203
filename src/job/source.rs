//! The sources of a submission other than files of SQL: a database to read, and the format of a CSV file of SQL.

use std::fmt;

use sqlflow_lineage::open_enum;

use crate::{Error, Result, Secret};

/// A database from which the server reads SQL and metadata, for [`Submit::database`](super::Submit::database).
///
/// ```no_run
/// # async fn example(sqlflow: sqlflow_client::Client) -> sqlflow_client::Result<()> {
/// use sqlflow_client::Vendor;
/// use sqlflow_client::job::Database;
///
/// let database = Database::new("db.example.com").port(1521).account("reader").password("…");
/// let job = sqlflow.submit(Vendor::Oracle).database(database.name("ORCL")).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a database is read by a submission that is given it"]
pub struct Database {
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) account: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) name: Option<String>,
}

impl Database {
    /// Creates the description of a database on this host. The server must be able to reach it.
    pub fn new(host: impl Into<String>) -> Self {
        Self { host: host.into(), port: None, account: None, password: None, name: None }
    }

    /// Sets the port. By default, the server uses that of the dialect.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Sets the account with which the server logs in.
    pub fn account(mut self, account: impl Into<String>) -> Self {
        self.account = Some(account.into());
        self
    }

    /// Sets the password of the account. It is sent as it is, inside the request body.
    pub fn password(mut self, password: impl Into<Secret>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// Sets the name of the database to read on the host.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }
}

/// Checks the host of a database.
///
/// # Errors
/// `InvalidInput` for an empty one.
pub(super) fn check_host(host: Option<&str>) -> Result<()> {
    if host.is_some_and(|host| host.trim().is_empty()) {
        return Err(Error::invalid("the host of the database is empty: give its name or address"));
    }
    Ok(())
}

/// The columns of an uploaded CSV file that contains SQL, for [`Submit::csv_format`](super::Submit::csv_format).
///
/// Each field is the number of a column, starting at 1; 0 means that the file does not have it. The column of the SQL
/// code is required.
///
/// ```
/// use sqlflow_client::job::CsvFormat;
///
/// let format = CsvFormat { schema: 1, object_name: 2, code: 3, ..CsvFormat::default() };
/// assert_eq!(format.to_string(), "0,1,0,2,3,0");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_structs, reason = "the API defines six columns, and callers write the struct as a literal")]
pub struct CsvFormat {
    /// The column of the catalog.
    pub catalog: u32,
    /// The column of the schema.
    pub schema: u32,
    /// The column of the type of the object.
    pub object_type: u32,
    /// The column of the name of the object.
    pub object_name: u32,
    /// The column of the SQL code.
    pub code: u32,
    /// The column of the notes.
    pub notes: u32,
}

impl CsvFormat {
    /// Checks that there is SQL to read.
    ///
    /// # Errors
    /// `InvalidInput` if no column contains the code.
    pub(super) fn check(self) -> Result<()> {
        if self.code == 0 {
            return Err(Error::invalid(
                "csv_format has no column with the SQL code: set `code` to the number of that column, starting at 1",
            ));
        }
        Ok(())
    }
}

/// Writes the six numbers as they are sent.
impl fmt::Display for CsvFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { catalog, schema, object_type, object_name, code, notes } = self;
        f.pad(&format!("{catalog},{schema},{object_type},{object_name},{code},{notes}"))
    }
}

open_enum! {
    /// A kind of source that the SQL of a job comes from, called `sqlsource` by the API.
    ///
    /// The vendor does not document the words. Those listed here are what its web client sends; any other is
    /// [`SqlSource::Other`], which is sent as it is spelled.
    ///
    /// ```
    /// use sqlflow_client::job::SqlSource;
    ///
    /// assert_eq!(SqlSource::from("dbt"), SqlSource::Dbt);
    /// assert_eq!(SqlSource::from("new").as_str(), "new");
    /// ```
    pub enum SqlSource {
        /// A source that this version does not know, as the API spells it.
        Other(String);
        /// Uploaded files.
        UploadFile = "uploadFile",
        /// A database.
        FromDatabase = "fromDatabase",
        /// Uploaded files and a database.
        UploadFileAndFromDatabase = "uploadFileAndFromDatabase",
        /// A dbt project.
        Dbt = "dbt",
        /// The query log of Amazon Redshift.
        RedshiftLog = "redshiftlog",
        /// The query history of Snowflake.
        SnowflakeQueryHistory = "snowflakequeryhistory",
    }
    impl From, Display, Serialize, Deserialize;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_does_not_show_its_password() {
        let database = Database::new("db").port(1).account("scott").password("tiger").name("ORCL");
        let shown = format!("{database:?}");
        assert!(shown.contains("scott") && !shown.contains("tiger"), "{shown}");
    }
}
