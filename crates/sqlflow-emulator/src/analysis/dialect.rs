//! Dialects of SQL: the grammar that parses each, and the lexical rules in which they differ.

use sqlparser::dialect as grammars;
use sqlparser::dialect::Dialect as Grammar;

/// A dialect that `sqlparser` has a grammar for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// The union of what the other grammars accept without contradiction.
    Generic,
    Ansi,
    Bigquery,
    Clickhouse,
    Databricks,
    Duckdb,
    Hive,
    Mssql,
    Mysql,
    Oracle,
    Postgres,
    Redshift,
    Snowflake,
    Spark,
    Teradata,
}

impl Dialect {
    /// Returns the grammar of the parser.
    pub(super) fn grammar(self) -> &'static dyn Grammar {
        match self {
            Self::Generic => &grammars::GenericDialect {},
            Self::Ansi => &grammars::AnsiDialect {},
            Self::Bigquery => &grammars::BigQueryDialect {},
            Self::Clickhouse => &grammars::ClickHouseDialect {},
            Self::Databricks => &grammars::DatabricksDialect {},
            Self::Duckdb => &grammars::DuckDbDialect {},
            Self::Hive => &grammars::HiveDialect {},
            Self::Mssql => &grammars::MsSqlDialect {},
            Self::Mysql => &grammars::MySqlDialect {},
            Self::Oracle => &grammars::OracleDialect {},
            Self::Postgres => &grammars::PostgreSqlDialect {},
            Self::Redshift => &grammars::RedshiftSqlDialect {},
            Self::Snowflake => &grammars::SnowflakeDialect {},
            Self::Spark => &grammars::SparkSqlDialect {},
            Self::Teradata => &grammars::TeradataDialect {},
        }
    }

    /// Returns the dialects whose grammars also know statements of this one.
    pub(super) fn related(self) -> &'static [Self] {
        match self {
            Self::Oracle | Self::Mssql | Self::Teradata => &[Self::Snowflake, Self::Generic],
            Self::Hive => &[Self::Spark, Self::Databricks, Self::Snowflake, Self::Generic],
            Self::Spark => &[Self::Databricks, Self::Hive, Self::Snowflake, Self::Generic],
            Self::Databricks => &[Self::Spark, Self::Hive, Self::Snowflake, Self::Generic],
            Self::Redshift => &[Self::Postgres, Self::Generic],
            Self::Mysql => &[Self::Hive],
            Self::Ansi => &[Self::Generic, Self::Hive],
            Self::Generic => &[Self::Snowflake, Self::Hive],
            _ => &[Self::Generic],
        }
    }

    /// Returns `true` if a backslash in quotes escapes the next character.
    pub(super) fn has_backslash_escapes(self) -> bool {
        matches!(
            self,
            Self::Mysql
                | Self::Bigquery
                | Self::Snowflake
                | Self::Databricks
                | Self::Spark
                | Self::Hive
                | Self::Clickhouse
        )
    }

    /// Returns `true` if `#` begins a comment.
    pub(super) fn has_hash_comments(self) -> bool {
        matches!(self, Self::Mysql | Self::Bigquery | Self::Clickhouse)
    }

    /// Returns `true` if text between two equal tags such as `$$` is a string.
    pub(super) fn has_dollar_quotes(self) -> bool {
        matches!(
            self,
            Self::Postgres
                | Self::Redshift
                | Self::Snowflake
                | Self::Duckdb
                | Self::Generic
                | Self::Databricks
                | Self::Clickhouse
        )
    }

    /// Returns `true` if a comment may contain another one.
    pub(super) fn has_nested_comments(self) -> bool {
        self.grammar().supports_nested_comments()
    }

    /// Returns `true` if the name that a select list gives to a value may be used in its later items.
    pub(super) fn allows_aliases_in_select(self) -> bool {
        matches!(
            self,
            Self::Snowflake
                | Self::Redshift
                | Self::Databricks
                | Self::Spark
                | Self::Teradata
                | Self::Clickhouse
                | Self::Duckdb
        )
    }

    /// Returns `true` if the names of a select list may be used in WHERE.
    pub(super) fn allows_aliases_in_where(self) -> bool {
        matches!(self, Self::Snowflake | Self::Teradata | Self::Clickhouse | Self::Duckdb)
    }

    /// Returns `true` if the names of a select list may be used in HAVING and QUALIFY.
    pub(super) fn allows_aliases_in_having(self) -> bool {
        self.allows_aliases_in_select() || matches!(self, Self::Bigquery | Self::Mysql | Self::Hive | Self::Generic)
    }

    /// Returns `true` if names may be quoted with brackets.
    pub(super) fn has_bracket_quotes(self) -> bool {
        self == Self::Mssql
    }
}
