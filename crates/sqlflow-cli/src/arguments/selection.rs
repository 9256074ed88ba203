//! The part of a lineage that is printed.

use clap::Args;
use sqlflow_client::lineage::RelationType;

use super::{Format, JsonArguments, OutputArguments, PageArguments, relation_type};

/// The question that is put to a lineage. Without one, everything is printed.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Questions")]
#[group(multiple = true)]
pub(crate) struct SelectionArguments {
    /// Print everything that feeds a table or a column
    #[arg(long, value_name = "NAME", group = "question")]
    pub(crate) upstream: Option<String>,
    /// Print everything that a table or a column feeds
    #[arg(long, value_name = "NAME", group = "question")]
    pub(crate) downstream: Option<String>,
    /// Print everything that depends on a column
    #[arg(long, value_name = "NAME", group = "question")]
    pub(crate) impact: Option<String>,
    /// Print the ultimate sources of a table or a column
    #[arg(long, value_name = "NAME", group = "question")]
    pub(crate) sources: Option<String>,
    /// Print the ultimate targets of a table or a column
    #[arg(long, value_name = "NAME", group = "question")]
    pub(crate) targets: Option<String>,
    /// Follow at most this many steps
    #[arg(long, value_name = "STEPS", conflicts_with_all = ["impact", "sources", "targets"], requires = "question")]
    pub(crate) depth: Option<u32>,
    /// Print the paths, not only what is found
    #[arg(id = "show_paths", long = "paths", conflicts_with = "impact", requires = "question")]
    pub(crate) paths: bool,
}

/// The edges that are followed and drawn.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Questions")]
pub(crate) struct DiagramArguments {
    /// Keep the intermediate results of statements
    #[arg(long)]
    pub(crate) intermediates: bool,
    /// Follow foreign keys too
    #[arg(long)]
    pub(crate) foreign_keys: bool,
    /// Show objects instead of their columns
    #[arg(long)]
    pub(crate) by_object: bool,
}

/// The part of a lineage that is printed, and its form.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct AnswerArguments {
    #[command(flatten)]
    pub(crate) selection: SelectionArguments,
    #[command(flatten)]
    pub(crate) diagram: DiagramArguments,
    /// Output format; by default that of the extension of -o, or the
    /// one described above
    #[arg(long, value_name = "FORMAT", help_heading = "Output")]
    pub(crate) format: Option<Format>,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
    #[command(flatten)]
    pub(crate) json: JsonArguments,
    #[command(flatten)]
    pub(crate) page: PageArguments,
    /// Fail with exit code 7 if the result is not whole
    #[arg(long, help_heading = "Output")]
    pub(crate) strict: bool,
}

/// The relationships that a lineage that exists already is searched for.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Questions")]
pub(crate) struct FollowedArguments {
    /// Relationships to follow, such as fdd,fdr
    #[arg(long, alias = "over", value_name = "TYPES", value_delimiter = ',', value_parser = relation_type)]
    pub(crate) relation_types: Vec<RelationType>,
}
