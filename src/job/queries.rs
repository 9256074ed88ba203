//! Queries about the lineage of a job: the graph upstream or downstream of a table, and the ultimate sources.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::Job;
use super::drawn::DrawnLineage;
use super::export::{Export, bytes_of, check_name, export_forms, into_future, lineage_forms};
use super::options::options;
use crate::api::{operations, types};
use crate::lineage::Lineage;
use crate::wire::EnvelopeData;
use crate::{Error, Result};

/// A query for everything that feeds a table of a job, from [`Job::upstream_graph`].
pub type UpstreamGraph = Export<types::GenerateUpstreamGraphRequest>;
/// The graph of an [`UpstreamGraph`] as an image.
pub type UpstreamGraphImage = Export<types::GenerateUpstreamGraphImageRequest>;
/// A query for everything that a table of a job feeds, from [`Job::downstream_graph`].
pub type DownstreamGraph = Export<types::GenerateDownstreamGraphRequest>;
/// The graph of a [`DownstreamGraph`] as an image.
pub type DownstreamGraphImage = Export<types::GenerateDownstreamGraphImageRequest>;
/// A query for the ultimate sources of a table of a job, from [`Job::left_most_sources`].
pub type LeftMostSources = Export<types::LeftMostSourceTableRequest>;
/// The result of [`LeftMostSources`] as CSV.
pub type LeftMostSourcesAsCsv = Export<types::LeftMostSourceTableAsCsvRequest>;

export_forms! {
    GenerateUpstreamGraphRequest: GENERATE_UPSTREAM_GRAPH, Json, target;
    GenerateUpstreamGraphImageRequest: GENERATE_UPSTREAM_GRAPH_IMAGE, Image, target;
    GenerateDownstreamGraphRequest: GENERATE_DOWNSTREAM_GRAPH, Json, target;
    GenerateDownstreamGraphImageRequest: GENERATE_DOWNSTREAM_GRAPH_IMAGE, Image, target;
    LeftMostSourceTableRequest: LEFT_MOST_SOURCE_TABLE, Json, target;
    LeftMostSourceTableAsCsvRequest: LEFT_MOST_SOURCE_TABLE_AS_CSV, Csv, target;
}

lineage_forms! { GenerateUpstreamGraphRequest GenerateDownstreamGraphRequest }

/// Checks the selection of a query.
///
/// # Errors
/// `InvalidInput`, which names the option.
pub(super) fn check_target(pattern: Option<&str>, column: Option<&str>) -> Result<()> {
    if pattern.is_none_or(|pattern| pattern.trim().is_empty()) {
        return Err(Error::invalid(
            "the table is empty: give the name of a table, or a pattern such as `.*` to the method that takes one",
        ));
    }
    check_name("column", column)
}

/// Returns the regular expression that matches a name and nothing else.
fn literal_pattern(name: &str) -> String {
    let mut pattern = String::with_capacity(name.len());
    for letter in name.trim().chars() {
        if r"\.+*?()|[]{}^$".contains(letter) {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern
}

options! {
    UpstreamGraph:
        target_column distance relation_types hide_column simple_output ignore_record_set ignore_function
        show_constant_table show_link_only show_transform treat_arguments_in_count_function_as_direct_dataflow
        normalize_identifier vendor session_id;
        seen;
    UpstreamGraphImage:
        target_column distance relation_types hide_column simple_output ignore_record_set ignore_function
        show_constant_table show_link_only show_transform treat_arguments_in_count_function_as_direct_dataflow
        normalize_identifier vendor session_id;
        seen;
    DownstreamGraph:
        target_column distance relation_types hide_column simple_output ignore_record_set ignore_function
        show_constant_table show_link_only show_transform treat_arguments_in_count_function_as_direct_dataflow
        normalize_identifier vendor session_id;
        seen;
    DownstreamGraphImage:
        target_column distance relation_types hide_column simple_output ignore_record_set ignore_function
        show_constant_table show_link_only show_transform treat_arguments_in_count_function_as_direct_dataflow
        normalize_identifier vendor session_id;
        seen;
    LeftMostSources:
        target_column tag;
        seen;
    LeftMostSourcesAsCsv:
        target_column delimiter;
        seen;
}

/// The methods of a graph, and those of its image.
macro_rules! graph {
    ($graph:ident, $image:ident) => {
        impl Export<types::$graph> {
            /// Sends the query and reads the graph, which may be less than the whole:
            /// [`DrawnLineage`](crate::job::DrawnLineage). This is the same as to await it.
            ///
            /// # Errors
            /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for an empty table or column, and after
            /// [`return_model(false)`](Self::return_model), before anything is sent;
            /// [`Protocol`](crate::ErrorKind::Protocol) if the response is not a lineage; otherwise the errors of
            /// [`bytes`](Export::bytes).
            pub async fn send(self) -> Result<DrawnLineage> {
                if self.form().is_return_model == Some(false) {
                    let text = "return_model(false) leaves out the lineage: read the drawing with `bytes` or `to_file`";
                    return Err((self.context())(Error::invalid(text)));
                }
                self.read_drawn().await
            }

            /// Sends the query and reads the graph as a whole lineage.
            ///
            /// # Errors
            /// [`IncompleteLineage`](crate::ErrorKind::IncompleteLineage) if the server cut the lineage, as
            /// [`DrawnLineage`](crate::job::DrawnLineage) explains; otherwise the errors of [`send`](Self::send).
            pub async fn lineage(self) -> Result<Lineage> {
                let context = self.context();
                let whole = self.send().await?.whole_or(|of_job, loss| {
                    format!(
                        "the graph{of_job} {loss}: lower its distance, select a column, or raise relation_limit on the \
                         server"
                    )
                });
                whole.map_err(context)
            }

            /// Sets whether the response contains the lineage in addition to the drawing. Server default: `true`.
            ///
            /// Without it, the drawing can be read with [`bytes`](Export::bytes) or [`to_file`](Export::to_file), and
            /// not as a lineage.
            pub fn return_model(self, returned: bool) -> Self {
                self.with(|form| form.is_return_model = Some(returned))
            }

            /// Returns the same query for the graph as an image (PNG).
            ///
            /// ```no_run
            /// # async fn example(job: sqlflow_client::Job) -> sqlflow_client::Result<()> {
            /// job.upstream_graph("orders").image().to_file("orders.png").await?;
            /// # Ok(())
            /// # }
            /// ```
            pub fn image(self) -> Export<types::$image> {
                // Every field by name: one that only one of the two has does not compile.
                self.into_form(|graph| {
                    let types::$graph {
                        dbvendor,
                        distance,
                        hide_column,
                        ignore_function,
                        ignore_record_set,
                        is_return_model,
                        job_id,
                        normalize_identifier,
                        session_id,
                        show_constant_table,
                        show_link_only,
                        show_relation_type,
                        show_transform,
                        simple_output,
                        table_column,
                        table_name_pattern,
                        treat_arguments_in_count_function_as_direct_dataflow,
                    } = graph;
                    types::$image {
                        dbvendor,
                        distance,
                        hide_column,
                        ignore_function,
                        ignore_record_set,
                        is_return_model,
                        job_id,
                        normalize_identifier,
                        session_id,
                        show_constant_table,
                        show_link_only,
                        show_relation_type,
                        show_transform,
                        simple_output,
                        table_column,
                        table_name_pattern,
                        treat_arguments_in_count_function_as_direct_dataflow,
                        stopat: None,
                    }
                })
            }
        }

        into_future!(types::$graph, DrawnLineage);
        bytes_of!(types::$image);

        impl Export<types::$image> {
            /// Sets the point at which to stop, as text that the server understands.
            pub fn stop_at(self, point: impl Into<String>) -> Self {
                self.with(|form| form.stopat = Some(point.into()))
            }
        }
    };
}

graph!(GenerateUpstreamGraphRequest, GenerateUpstreamGraphImageRequest);
graph!(GenerateDownstreamGraphRequest, GenerateDownstreamGraphImageRequest);

impl Export<types::LeftMostSourceTableRequest> {
    /// Sends the query and reads the sources. This is the same as to await it.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for an empty table or column, before anything is sent;
    /// otherwise the [errors of every API call](crate::guide::errors).
    pub async fn send(self) -> Result<Vec<UltimateSources>> {
        let form = self.checked_form()?;
        let service = self.job().service();
        let attempts = service.transport().attempts();
        let response = service.request(&operations::LEFT_MOST_SOURCE_TABLE, &form, attempts).await;
        response.and_then(crate::api::ResponseValue::into_data).map_err(self.context())
    }

    /// Returns the same query for the sources as CSV.
    ///
    /// ```no_run
    /// # async fn example(job: sqlflow_client::Job) -> sqlflow_client::Result<()> {
    /// job.left_most_sources("report").csv().to_file("sources.csv").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn csv(self) -> LeftMostSourcesAsCsv {
        self.into_form(|query| {
            let mut csv = types::LeftMostSourceTableAsCsvRequest::new();
            csv.table_column = query.table_column;
            csv.table_name_pattern = query.table_name_pattern;
            csv
        })
    }
}

into_future!(types::LeftMostSourceTableRequest, Vec<UltimateSources>);
bytes_of!(types::LeftMostSourceTableAsCsvRequest);

/// The ultimate sources of one column, which no other column of the job feeds. Returned by [`LeftMostSources`].
///
/// The vendor does not document the response, so every field may be absent, and fields of other names are in
/// [`other`](UltimateSources::other).
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct UltimateSources {
    /// The column that is fed.
    #[serde(default)]
    pub target: Option<SourceColumn>,
    /// The columns that ultimately feed it.
    #[serde(rename = "leftMostSources", default, deserialize_with = "or_default")]
    pub sources: Vec<SourceColumn>,
    /// All other fields.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A column, or a table, by the names that the server uses for it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct SourceColumn {
    /// The name of the database.
    #[serde(default)]
    pub database: Option<String>,
    /// The name of the schema.
    #[serde(default)]
    pub schema: Option<String>,
    /// The name of the table.
    #[serde(default)]
    pub table: Option<String>,
    /// The name of the column.
    #[serde(default)]
    pub column: Option<String>,
    /// All other fields.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Writes the names with dots between them, without those that are absent or empty.
impl std::fmt::Display for SourceColumn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = [&self.database, &self.schema, &self.table, &self.column].into_iter().flatten();
        let names: Vec<_> = names.filter(|name| !name.is_empty()).map(String::as_str).collect();
        f.pad(&names.join("."))
    }
}

/// Reads a value, and treats `null` as the default.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl EnvelopeData for Vec<UltimateSources> {}

/// Queries about the lineage of a job.
impl Job {
    /// Starts a query for everything that feeds a table, directly and through other tables.
    ///
    /// The name may be qualified, such as `sales.orders`. [`upstream_graph_matching`](Job::upstream_graph_matching)
    /// takes a regular expression.
    ///
    /// ```no_run
    /// # async fn example(job: sqlflow_client::Job) -> sqlflow_client::Result<()> {
    /// let graph = job.upstream_graph("sales.orders").column("total").distance(3);
    /// for flow in graph.send().await?.into_whole()?.column_flows() {
    ///     println!("{flow}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn upstream_graph(&self, table: impl AsRef<str>) -> UpstreamGraph {
        self.upstream_graph_matching(literal_pattern(table.as_ref()))
    }

    /// Starts a query for everything that feeds the tables whose names match a regular expression of the server, such
    /// as `report_.*`.
    pub fn upstream_graph_matching(&self, pattern: impl Into<String>) -> UpstreamGraph {
        let query = Export::new(self.clone(), types::GenerateUpstreamGraphRequest::new());
        query.with(|form| form.table_name_pattern = Some(pattern.into()))
    }

    /// Starts a query for everything that a table feeds, directly and through other tables.
    ///
    /// The name may be qualified, such as `sales.orders`.
    /// [`downstream_graph_matching`](Job::downstream_graph_matching) takes a regular expression.
    ///
    /// ```no_run
    /// # async fn example(job: sqlflow_client::Job) -> sqlflow_client::Result<()> {
    /// let lineage = job.downstream_graph("sales.orders").lineage().await?;
    /// println!("{} relationships", lineage.relationships().len());
    /// # Ok(())
    /// # }
    /// ```
    pub fn downstream_graph(&self, table: impl AsRef<str>) -> DownstreamGraph {
        self.downstream_graph_matching(literal_pattern(table.as_ref()))
    }

    /// Starts a query for everything that is fed by the tables whose names match a regular expression of the server,
    /// such as `report_.*`.
    pub fn downstream_graph_matching(&self, pattern: impl Into<String>) -> DownstreamGraph {
        let query = Export::new(self.clone(), types::GenerateDownstreamGraphRequest::new());
        query.with(|form| form.table_name_pattern = Some(pattern.into()))
    }

    /// Starts a query for the ultimate sources of a table: the columns that feed it and that no other column feeds.
    ///
    /// An empty result may also mean that the job has no such table; [`Lineage::object`] suggests similar names.
    ///
    /// The name may be qualified, such as `sales.orders`.
    /// [`left_most_sources_matching`](Job::left_most_sources_matching) takes a regular expression.
    ///
    /// ```no_run
    /// # async fn example(job: sqlflow_client::Job) -> sqlflow_client::Result<()> {
    /// for found in job.left_most_sources("report").send().await? {
    ///     for source in found.sources {
    ///         println!("{source}");
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn left_most_sources(&self, table: impl AsRef<str>) -> LeftMostSources {
        self.left_most_sources_matching(literal_pattern(table.as_ref()))
    }

    /// Starts a query for the ultimate sources of the tables whose names match a regular expression of the server, such
    /// as `report_.*`.
    pub fn left_most_sources_matching(&self, pattern: impl Into<String>) -> LeftMostSources {
        let query = Export::new(self.clone(), types::LeftMostSourceTableRequest::new());
        query.with(|form| form.table_name_pattern = Some(pattern.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_name_becomes_a_pattern_that_matches_only_itself() {
        assert_eq!(literal_pattern(" sales.ORDERS "), r"sales\.ORDERS");
        assert_eq!(literal_pattern(r"[dbo].t$1(x)\{a}|b?*+^"), r"\[dbo\]\.t\$1\(x\)\\\{a\}\|b\?\*\+\^");
        assert_eq!(literal_pattern("ä b_c-d"), "ä b_c-d");
    }

    #[test]
    fn unknown_fields_and_absent_ones_are_no_error() {
        let text = r#"{"leftMostSources": null, "hint": 1, "target": {"table": "T", "alias": "x"}}"#;
        let found: UltimateSources = serde_json::from_str(text).unwrap();
        let target = found.target.unwrap();
        assert_eq!((target.to_string().as_str(), &target.other["alias"]), ("T", &Value::from("x")));
        assert_eq!((found.sources.len(), &found.other["hint"]), (0, &Value::from(1)));
        assert_eq!(serde_json::from_str::<UltimateSources>("{}").unwrap(), UltimateSources::default());
    }
}
