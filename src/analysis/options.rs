//! The options of the direct operations: each result has those of its operation, and no others.

use super::Analysis;
use crate::JobId;
use crate::api::types;
use crate::lineage::RelationType;

/// Writes the setter of one option.
macro_rules! option {
    (relation_types) => {
        /// Sets the types of relationships to return. Server default: `fdd` only.
        pub fn relation_types(mut self, relation_types: impl IntoIterator<Item = RelationType>) -> Self {
            self.form.show_relation_type = Some(relation_types.into_iter().collect());
            self
        }
    };
    (job) => {
        /// Sets a job whose settings the server uses. Without a source of SQL, the request is about the SQL of the job.
        ///
        /// An empty id fails before anything is sent, because servers treat it as the latest job of the user.
        pub fn job(mut self, id: impl Into<JobId>) -> Self {
            self.form.job_id = Some(id.into());
            self
        }
    };
    (column_level) => {
        /// Sets whether the result is between columns (`true`) or between tables (`false`).
        pub fn column_level(mut self, columns: bool) -> Self {
            self.form.column_level = Some(columns.to_string());
            self
        }
    };
    (simple_output) => {
        option!(flag simple_output: "Sets whether intermediate results are left out. Server default: `false`.");
    };
    (ignore_record_set) => {
        option!(flag ignore_record_set: "Sets whether intermediate record sets are left out, except the output of the \
            top level select list. Server default: `false`.");
    };
    (ignore_function) => {
        option!(flag ignore_function: "Sets whether function calls are left out. Server default: `false`.");
    };
    (show_constant_table) => {
        option!(flag show_constant_table: "Sets whether literals are shown as the columns of a constant table. Server \
            default: `false`.");
    };
    (show_transform) => {
        option!(flag show_transform: "Sets whether the expressions that values pass through are shown. Server \
            default: `false`.");
    };
    (show_link_only) => {
        option!(flag show_link_only: "Sets whether only columns that take part in a relationship are shown. Server \
            default: `true`.");
    };
    (hide_column) => {
        option!(flag hide_column: "Sets whether tables are drawn without their columns. Server default: `false`.");
    };
    (normalize_identifier) => {
        option!(flag normalize_identifier: "Sets whether identifiers are converted to the case that the dialect uses. \
            Server default: `true`.");
    };
    (treat_arguments_in_count_function_as_direct_dataflow) => {
        option!(flag treat_arguments_in_count_function_as_direct_dataflow: "Sets whether the arguments of `COUNT` \
            count as direct sources. Server default: `false`.");
    };
    (ignore_self_lineage) => {
        option!(flag ignore_self_lineage: "Sets whether lineage from a table to itself is left out. Server default: \
            `true`.");
    };
    (table_to_table) => {
        option!(flag table_to_table: "Sets whether only relationships between tables are returned. Server default: \
            `false`.");
    };
    (share) => {
        option!(flag share: "Sets whether the server creates a URL under which the result can be shared. Server \
            default: `false`.");
    };
    (delimiter) => {
        option!(text delimiter: "Sets the delimiter between two values. Server default: a comma.");
    };
    (session_id) => {
        option!(text session_id: "Sets the session of an earlier response ([`Lineage::session_id`](crate::Lineage::\
            session_id)), to ask about its SQL again. It takes the place of a source of SQL.");
    };
    (export_include_table) => {
        option!(text export_include_table: "Limits the export to these tables, in the notation of the server.");
    };
    (export_include_servers) => {
        option!(text export_include_servers: "Limits the export to these servers, in the notation of the server. Seen in \
            the vendor's web client, and not documented.");
    };
    (all_tables_in_from_clause_included_in_table_level_lineage) => {
        option!(flag all_tables_in_from_clause_included_in_table_level_lineage: "Sets whether every table of a `FROM` \
            clause is a source, also one that no column is read from. Seen in the vendor's web client, and not \
            documented.");
    };
    (default_server) => {
        option!(text default_server: "Sets the server of names that do not specify one.");
    };
    (default_database) => {
        option!(text default_database: "Sets the database of names that do not specify one.");
    };
    (default_schema) => {
        option!(text default_schema: "Sets the schema of names that do not specify one.");
    };
    (server) => {
        option!(text server: "Limits the diagram to this server.");
    };
    (database) => {
        option!(text database: "Limits the diagram to this database.");
    };
    (schema) => {
        option!(text schema: "Limits the diagram to this schema.");
    };
    (table) => {
        option!(text table: "Limits the diagram to this table.");
    };
    (flag $name:ident: $doc:literal) => {
        #[doc = $doc]
        pub fn $name(mut self, value: bool) -> Self {
            self.form.$name = Some(value);
            self
        }
    };
    (text $name:ident: $doc:literal) => {
        #[doc = $doc]
        pub fn $name(mut self, value: impl Into<String>) -> Self {
            self.form.$name = Some(value.into());
            self
        }
    };
}

macro_rules! options {
    ($($form:ident: $($option:ident)+;)+) => {
        $(impl Analysis<types::$form> {
            $(option!($option);)+
        })+
    };
}

options! {
    GenerateSqlflowRequest:
        relation_types job simple_output ignore_record_set show_constant_table show_transform normalize_identifier
        treat_arguments_in_count_function_as_direct_dataflow;
    GenerateSqlflowGraphRequest:
        relation_types job column_level hide_column ignore_function simple_output ignore_record_set
        show_constant_table show_link_only show_transform normalize_identifier
        treat_arguments_in_count_function_as_direct_dataflow;
    GenerateSqlflowGraphImageRequest:
        relation_types job column_level hide_column ignore_function simple_output ignore_record_set
        show_constant_table show_link_only show_transform normalize_identifier
        treat_arguments_in_count_function_as_direct_dataflow;
    GenerateFullLineageAsJsonRequest:
        relation_types default_server default_database default_schema ignore_function simple_output ignore_record_set
        show_constant_table treat_arguments_in_count_function_as_direct_dataflow export_include_table
        export_include_servers;
    GenerateCallLineageGraphRequest: job session_id;
    GenerateFullLineageAsCsvRequest:
        relation_types session_id delimiter table_to_table export_include_table export_include_servers ignore_function
        simple_output ignore_record_set show_constant_table
        treat_arguments_in_count_function_as_direct_dataflow;
    GenerateSqlflowTableLevelLineageGraphRequest:
        job ignore_self_lineage normalize_identifier all_tables_in_from_clause_included_in_table_level_lineage;
    GenerateErDiagramGraphRequest:
        job session_id server database schema table default_server default_database default_schema
        normalize_identifier share;
    GenerateErDiagramGraphImageRequest:
        job session_id server database schema table default_server default_database default_schema
        normalize_identifier;
    DownloadMetadataLineageRequest:
        relation_types job delimiter table_to_table hide_column ignore_function simple_output ignore_record_set
        show_constant_table show_link_only show_transform normalize_identifier
        treat_arguments_in_count_function_as_direct_dataflow;
}

impl Analysis<types::GenerateSqlflowRequest> {
    /// Requests everything that questions about impact need, like
    /// [`Submit::for_impact`](crate::job::Submit::for_impact).
    ///
    /// It sets the [relation types](Self::relation_types) to all [dependencies](RelationType::DEPENDENCIES), and turns
    /// off [`simple_output`](Self::simple_output) and [`ignore_record_set`](Self::ignore_record_set), which simplify
    /// the lineage. A later call of one of these methods changes that setting again.
    ///
    /// ```no_run
    /// # async fn example(sqlflow: sqlflow_client::Client) -> sqlflow_client::Result<()> {
    /// use sqlflow_client::Vendor;
    ///
    /// let lineage = sqlflow.analyze(Vendor::Oracle).path("etl.sql").for_impact().await?;
    /// println!("{}", lineage.column("SALES.ORDERS", "TOTAL")?.impact());
    /// # Ok(())
    /// # }
    /// ```
    pub fn for_impact(self) -> Self {
        self.relation_types(RelationType::DEPENDENCIES).simple_output(false).ignore_record_set(false)
    }
}

impl Analysis<types::GenerateSqlflowGraphRequest> {
    /// Requests everything that questions about impact need: sets the [relation types](Self::relation_types) to all
    /// [dependencies](RelationType::DEPENDENCIES), and turns off every option that simplifies the lineage.
    ///
    /// A later call of one of these methods changes that setting again.
    pub fn for_impact(self) -> Self {
        self.relation_types(RelationType::DEPENDENCIES)
            .simple_output(false)
            .ignore_record_set(false)
            .ignore_function(false)
            .hide_column(false)
            .show_link_only(false)
    }
}

impl Analysis<types::GenerateFullLineageAsJsonRequest> {
    /// Requests everything that questions about impact need: sets the [relation types](Self::relation_types) to all
    /// [dependencies](RelationType::DEPENDENCIES), and turns off every option that simplifies the lineage.
    ///
    /// A later call of one of these methods changes that setting again.
    pub fn for_impact(self) -> Self {
        self.relation_types(RelationType::DEPENDENCIES)
            .simple_output(false)
            .ignore_record_set(false)
            .ignore_function(false)
    }
}
