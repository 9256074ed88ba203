//! The options of the direct operations: each result has those of its operation, and no others.

use super::Analysis;
use crate::api::types;
use crate::job::options::options;
use crate::lineage::RelationType;

options! {
    Analysis<types::GenerateSqlflowRequest>:
        relation_types job simple_output ignore_inner_record_set show_constant_table show_transform
        normalize_identifier treat_arguments_in_count_function_as_direct_dataflow;
        seen;
    Analysis<types::GenerateSqlflowGraphRequest>:
        relation_types job column_level hide_column ignore_function simple_output ignore_inner_record_set
        show_constant_table show_link_only show_transform normalize_identifier
        treat_arguments_in_count_function_as_direct_dataflow;
        seen;
    Analysis<types::GenerateSqlflowGraphImageRequest>:
        relation_types job column_level hide_column ignore_function simple_output ignore_inner_record_set
        show_constant_table show_link_only show_transform normalize_identifier
        treat_arguments_in_count_function_as_direct_dataflow;
        seen;
    Analysis<types::GenerateFullLineageAsJsonRequest>:
        relation_types;
        seen default_server default_database default_schema ignore_function simple_output ignore_record_set
        show_constant_table treat_arguments_in_count_function_as_direct_dataflow export_include_table
        export_include_servers;
    Analysis<types::GenerateCallLineageGraphRequest>:
        ;
        seen job session_id;
    Analysis<types::GenerateFullLineageAsCsvRequest>:
        session_id delimiter export_include_table show_constant_table
        treat_arguments_in_count_function_as_direct_dataflow;
        seen relation_types table_to_table export_include_servers ignore_function simple_output ignore_record_set;
    Analysis<types::GenerateSqlflowTableLevelLineageGraphRequest>:
        job ignore_self_lineage normalize_identifier;
        seen all_tables_in_from_clause_included_in_table_level_lineage;
    Analysis<types::GenerateErDiagramGraphRequest>:
        job session_id server database schema table default_server default_database default_schema
        normalize_identifier share;
        seen;
    Analysis<types::GenerateErDiagramGraphImageRequest>:
        job session_id server database schema table default_server default_database default_schema
        normalize_identifier;
        seen;
    Analysis<types::DownloadMetadataLineageRequest>:
        relation_types job delimiter table_to_table hide_column ignore_function simple_output ignore_record_set
        show_constant_table show_link_only show_transform normalize_identifier
        treat_arguments_in_count_function_as_direct_dataflow;
        seen;
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
