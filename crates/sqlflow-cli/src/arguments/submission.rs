//! The input of a submission, and the options of a job.

use std::path::PathBuf;

use clap::Args;
use sqlflow_client::job::CsvFormat;
use sqlflow_client::lineage::RelationType;

use super::{VendorArgument, relation_type};

/// The SQL to submit.
#[derive(Debug, Clone, Args)]
pub(crate) struct InputArguments {
    /// SQL files, directories or zip files; `-` reads standard input
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) dialect: VendorArgument,
    /// Name of SQL from standard input
    #[arg(long, value_name = "NAME", default_value = "stdin.sql")]
    pub(crate) stdin_name: String,
    /// Follow symbolic links that lead out of a directory
    #[arg(long)]
    pub(crate) follow_links: bool,
}

/// A database that the server reads the SQL from.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Database that the server reads")]
#[allow(clippy::struct_field_names, reason = "the fields are named as the flags are")]
pub(crate) struct DatabaseArguments {
    /// Host of the database
    #[arg(long, value_name = "HOST")]
    pub(crate) db_host: Option<String>,
    /// Port of the database
    #[arg(long, value_name = "PORT", requires = "db_host")]
    pub(crate) db_port: Option<u16>,
    /// Account in the database
    #[arg(long, value_name = "NAME", requires = "db_host")]
    pub(crate) db_account: Option<String>,
    /// File with the password [env: SQLFLOW_DB_PASSWORD]
    #[arg(long, value_name = "FILE", requires = "db_host", group = "db_secret")]
    pub(crate) db_password_file: Option<PathBuf>,
    /// Shell command that prints the password
    #[arg(long, value_name = "COMMAND", requires = "db_host", group = "db_secret")]
    pub(crate) db_password_command: Option<String>,
    /// Name of the database
    #[arg(long, value_name = "NAME", requires = "db_host")]
    pub(crate) db_name: Option<String>,
    /// Databases and schemas to read, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "db_host")]
    pub(crate) db_extract: Vec<String>,
    /// Databases and schemas to skip, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "db_host")]
    pub(crate) db_exclude: Vec<String>,
    /// Stored procedures to read, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "db_host")]
    pub(crate) db_procedures: Vec<String>,
    /// Views to read, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "db_host")]
    pub(crate) db_views: Vec<String>,
}

/// The options of a job.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Job options")]
pub(crate) struct JobArguments {
    /// Name of the job; a suffix that makes it unique is added
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Relationships to analyze, such as fdd,fdr
    #[arg(long, value_name = "TYPES", value_delimiter = ',', value_parser = relation_type)]
    pub(crate) relation_types: Vec<RelationType>,
    /// Analyze everything that questions about impact need
    #[arg(long, conflicts_with = "relation_types")]
    pub(crate) for_impact: bool,
    /// Database of names that give none
    #[arg(long, value_name = "NAME")]
    pub(crate) default_database: Option<String>,
    /// Schema of names that give none
    #[arg(long, value_name = "NAME")]
    pub(crate) default_schema: Option<String>,
    /// Leave function calls out of the result
    #[arg(long)]
    pub(crate) ignore_functions: bool,
    /// Leave intermediate record sets out of the result
    #[arg(long)]
    pub(crate) ignore_record_sets: bool,
    /// Show literals as the columns of a constant table
    #[arg(long)]
    pub(crate) show_constants: bool,
    /// Show the expressions that values pass through
    #[arg(long)]
    pub(crate) show_transforms: bool,
    /// Count the arguments of COUNT as direct sources
    #[arg(long)]
    pub(crate) count_is_direct: bool,
    /// Do not analyze the files in parallel
    #[arg(long)]
    pub(crate) no_parallel: bool,
    /// Put the job at the top of the list
    #[arg(long)]
    pub(crate) on_top: bool,
    /// Kind of source of the SQL, such as dbt or redshiftlog
    #[arg(long, value_name = "KIND")]
    pub(crate) sql_source: Option<String>,
    /// Submit under the name as it is, without a suffix
    #[arg(long, requires = "name")]
    pub(crate) exact_name: bool,
    /// Columns of a CSV file with SQL: catalog, schema, type of the
    /// object, name, code, notes; 0 for those it does not have
    #[arg(long, value_name = "N,N,N,N,N,N", value_parser = csv_columns)]
    pub(crate) csv_columns: Option<CsvFormat>,
    /// Character around the SQL in the column with the code
    #[arg(long, value_name = "CHARACTER")]
    pub(crate) csv_enclosing: Option<char>,
    /// Character that escapes the one around the SQL
    #[arg(long, value_name = "CHARACTER")]
    pub(crate) csv_escape: Option<char>,
}

/// Reads the six columns of a CSV file with SQL.
///
/// # Errors
/// Text that is not six numbers.
fn csv_columns(text: &str) -> Result<CsvFormat, String> {
    let numbers: Result<Vec<u32>, _> = text.split(',').map(|number| number.trim().parse()).collect();
    match numbers.as_deref() {
        Ok(&[catalog, schema, object_type, object_name, code, notes]) => {
            Ok(CsvFormat { catalog, schema, object_type, object_name, code, notes })
        }
        _ => Err("give six numbers, such as 1,2,3,4,5,0".into()),
    }
}
