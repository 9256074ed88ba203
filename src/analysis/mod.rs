//! Analysis without a job: SQL goes out with one request, and its lineage comes back with the response.
//!
//! Use it for a statement, a file, an editor, or a check in CI. For a directory, many files or SQL that takes minutes,
//! [submit a job](crate::job).
//!
//! ```no_run
//! # async fn example(sqlflow: sqlflow_client::Client) -> sqlflow_client::Result<()> {
//! use sqlflow_client::Vendor;
//!
//! // The lineage of SQL in memory, as data.
//! let sql = "insert into report select sum(total) from orders";
//! let lineage = sqlflow.analyze(Vendor::Snowflake).sql(sql).await?;
//! for flow in lineage.column_flows() {
//!     println!("{flow}");
//! }
//!
//! // Everything that a change would break.
//! let lineage = sqlflow.analyze(Vendor::Oracle).path("etl.sql").for_impact().await?;
//! println!("{}", lineage.column("SALES.ORDERS", "TOTAL")?.impact());
//!
//! // Other results, each to a file that appears complete or not at all.
//! let analysis = sqlflow.analyze(Vendor::Oracle).path("etl.sql");
//! analysis.clone().csv().delimiter(";").to_file("lineage.csv").await?;
//! analysis.clone().graphml().to_file("lineage.graphml").await?;
//! analysis.image().hide_column(true).to_file("lineage.png").await?;
//!
//! // Errors in SQL are a result, not an `Err`.
//! for error in sqlflow.check_syntax(Vendor::Oracle, "selec 1").await?.errors {
//!     println!("{error}"); // 1:1: syntax error near: selec(1,1)
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # The results
//!
//! | to | call | which returns | operation |
//! |---|---|---|---|
//! | read the lineage | [`Client::analyze`] | [`Lineage`](crate::Lineage) | `generateSqlflow` |
//! | use the options of the newer full lineage | [`full_lineage`](Analysis::full_lineage) | [`Lineage`](crate::Lineage) | `generateFullLineageAsJson` |
//! | read the lineage as drawn | [`graph`](Analysis::graph) | [`DrawnLineage`](crate::job::DrawnLineage) | `generateSqlflowGraph` |
//! | get a picture of it | [`image`](Analysis::image) | PNG | `generateSqlflowGraphImage` |
//! | get CSV | [`csv`](Analysis::csv) | CSV | `generateFullLineageAsCsv` |
//! | get GraphML | [`graphml`](Analysis::graphml) | GraphML, written by the client | `generateSqlflow` |
//! | read the lineage between tables | [`table_level`](Analysis::table_level) | [`Lineage`](crate::Lineage) | `generateSqlflowTableLevelLineageGraph` |
//! | read the keys between tables | [`er_diagram`](Analysis::er_diagram) | [`Lineage`](crate::Lineage) | `generateErDiagramGraph` |
//! | get a picture of them | `er_diagram().image()` | PNG | `generateErDiagramGraphImage` |
//! | read the calls between procedures | [`call_lineage`](Analysis::call_lineage) | [`Lineage`](crate::Lineage) | `generateCallLineageGraph` |
//! | get metadata with lineage | [`metadata_lineage`](Analysis::metadata_lineage) | a file | `downloadMetadataLineage` |
//! | check syntax | [`Client::check_syntax`] | [`SyntaxCheck`] | `checkSyntax` |
//!
//! Every result can be read as [`bytes`](Analysis::bytes), as a [`stream`](Analysis::stream), or to a
//! [file](Analysis::to_file). Each has the options of its operation as methods, and an option that the operation does
//! not have does not compile. Options carry over when another result is chosen; if the new operation lacks one, the
//! request fails before anything is sent, and the error names the option.
//!
//! A lineage is whole, or an error, and it knows which relation types were requested:
//! [`Lineage::coverage`](crate::Lineage::coverage).
//!
//! [`Client::analyze`]: crate::Client::analyze
//! [`Client::check_syntax`]: crate::Client::check_syntax

mod analyze;
mod check_syntax;
mod form;
mod options;
mod source;

pub use self::analyze::{
    Analysis, Analyze, AnalyzeCallLineage, AnalyzeCsv, AnalyzeErDiagram, AnalyzeErDiagramImage, AnalyzeFullLineage,
    AnalyzeGraph, AnalyzeGraphImage, AnalyzeGraphml, AnalyzeMetadataLineage, AnalyzeTableLevel,
};
pub use self::check_syntax::CheckSyntax;
pub use self::form::{AnalysisForm, LineageForm};
pub use crate::wire::{SyntaxCheck, SyntaxError};
