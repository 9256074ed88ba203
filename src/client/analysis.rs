//! The entry points to analysis without a job.

use super::Client;
use crate::Vendor;
use crate::analysis::{Analyze, CheckSyntax};

impl Client {
    /// Starts an analysis of SQL without a job. Give it SQL or one file, then await it.
    ///
    /// ```no_run
    /// # async fn example(sqlflow: sqlflow_client::Client) -> sqlflow_client::Result<()> {
    /// use sqlflow_client::Vendor;
    ///
    /// let sql = "insert into report select total from orders";
    /// let lineage = sqlflow.analyze(Vendor::Snowflake).sql(sql).await?;
    /// for flow in lineage.column_flows() {
    ///     println!("{flow}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn analyze(&self, vendor: Vendor) -> Analyze {
        Analyze::new(self.service.transport().clone(), vendor)
    }

    /// Starts a check of the syntax of SQL. Errors in the SQL are part of the result, not an `Err`.
    ///
    /// ```no_run
    /// # async fn example(sqlflow: sqlflow_client::Client) -> sqlflow_client::Result<()> {
    /// use sqlflow_client::Vendor;
    ///
    /// let check = sqlflow.check_syntax(Vendor::Oracle, "selec 1").await?;
    /// for error in &check.errors {
    ///     println!("etl.sql:{error}"); // etl.sql:1:1: syntax error near: selec(1,1)
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn check_syntax(&self, vendor: Vendor, sql: impl Into<String>) -> CheckSyntax {
        CheckSyntax::new(self.service.transport().clone(), vendor, sql.into())
    }
}
