//! The request types of the direct operations, and the conversion between them.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::api::{File, Operation, operations, types};
use crate::job::ExportSyntax;
use crate::transport::Payload;
use crate::{Error, Result};

/// The name of the field with the SQL.
const SQL: &str = "sqltext";
/// The name of the field with the dialect, which every operation has.
const VENDOR: &str = "dbvendor";

/// A request body for an analysis. This trait is sealed.
pub trait AnalysisForm: sealed::AnalysisRequest {}

impl<F: sealed::AnalysisRequest> AnalysisForm for F {}

/// A request body for an analysis that is read as a lineage. This trait is sealed.
pub trait LineageForm: sealed::LineageRequest {}

impl<F: sealed::LineageRequest> LineageForm for F {}

pub(super) mod sealed {
    use super::{BoxFuture, DeserializeOwned, ExportSyntax, File, Operation, Payload, Result, Serialize};

    pub trait AnalysisRequest: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
        const OPERATION: &'static Operation;
        const SYNTAX: ExportSyntax;
        /// `true` if the request body is JSON and not a form.
        const IS_JSON: bool = false;

        fn set_sql(&mut self, sql: Option<String>);

        /// Returns the request with a file, or `None` if the operation takes text only.
        fn upload(&self, file: File, limit: u64) -> Option<BoxFuture<'_, Result<Payload>>>;

        /// Sets what is always requested.
        fn complete(&mut self) {}

        /// Unsets options that only confirm the default of servers, before another operation is chosen that does not
        /// simplify lineage at all.
        fn unset_defaults(&mut self) {}
    }

    pub trait LineageRequest: AnalysisRequest {
        /// Advice for a lineage that is not whole.
        const ADVICE: &'static str;
    }
}

macro_rules! form {
    ($form:ident: $operation:ident, $syntax:ident, $takes:ident $(, $complete:ident)?) => {
        impl sealed::AnalysisRequest for types::$form {
            const OPERATION: &'static Operation = &operations::$operation;
            const SYNTAX: ExportSyntax = ExportSyntax::$syntax;

            form!(@$takes);
            $(form!(@$complete);)?
        }
    };
    (@file) => {
        fn set_sql(&mut self, sql: Option<String>) {
            self.sqltext = sql;
        }

        fn upload(&self, file: File, limit: u64) -> Option<BoxFuture<'_, Result<Payload>>> {
            Some(Payload::with_files(self, vec![file], limit).boxed())
        }
    };
    (@text) => {
        fn set_sql(&mut self, sql: Option<String>) {
            self.sqltext = sql.unwrap_or_default();
        }

        fn upload(&self, _: File, _: u64) -> Option<BoxFuture<'_, Result<Payload>>> {
            None
        }
    };
    (@optional_text) => {
        fn set_sql(&mut self, sql: Option<String>) {
            self.sqltext = sql;
        }

        fn upload(&self, _: File, _: u64) -> Option<BoxFuture<'_, Result<Payload>>> {
            None
        }
    };
    (@json) => {
        const IS_JSON: bool = true;
    };
    (@whole) => {
        fn complete(&mut self) {
            self.return_full_relationship = Some(true);
        }

        fn unset_defaults(&mut self) {
            for option in [&mut self.simple_output, &mut self.ignore_record_set] {
                *option = option.filter(|simplified| *simplified);
            }
        }
    };
}

form! { GenerateSqlflowRequest: GENERATE_SQLFLOW, Json, file, whole }
form! { GenerateSqlflowGraphRequest: GENERATE_SQLFLOW_GRAPH, Json, file }
form! { GenerateSqlflowGraphImageRequest: GENERATE_SQLFLOW_GRAPH_IMAGE, Image, file }
form! { GenerateFullLineageAsJsonRequest: GENERATE_FULL_LINEAGE_AS_JSON, Json, text }
form! { GenerateFullLineageAsCsvRequest: GENERATE_FULL_LINEAGE_AS_CSV, Csv, file }
form! {
    GenerateSqlflowTableLevelLineageGraphRequest: GENERATE_SQLFLOW_TABLE_LEVEL_LINEAGE_GRAPH, Json, file
}
form! { AnonymousLineageRequest: ANONYMOUS_LINEAGE, Json, text, json }
form! { GenerateCallLineageGraphRequest: GENERATE_CALL_LINEAGE_GRAPH, Json, optional_text }
form! { GenerateErDiagramGraphRequest: GENERATE_ER_DIAGRAM_GRAPH, Json, file }
form! { GenerateErDiagramGraphImageRequest: GENERATE_ER_DIAGRAM_GRAPH_IMAGE, Image, file }
form! { DownloadMetadataLineageRequest: DOWNLOAD_METADATA_LINEAGE, Unknown, file }

macro_rules! lineages {
    ($($form:ident: $advice:literal;)+) => {
        $(impl sealed::LineageRequest for types::$form {
            const ADVICE: &'static str = $advice;
        })+
    };
}

lineages! {
    GenerateSqlflowRequest: "raise relation_limit on the server, or analyze fewer statements at a time";
    GenerateFullLineageAsJsonRequest: "raise relation_limit on the server, or analyze fewer statements at a time";
    GenerateSqlflowGraphRequest: "analyze without graph(), which returns all relationships, raise relation_limit on \
        the server, or analyze fewer statements at a time";
    GenerateSqlflowTableLevelLineageGraphRequest: "raise relation_limit on the server, or analyze fewer statements \
        at a time";
    AnonymousLineageRequest: "use an account, or analyze fewer statements at a time";
    GenerateCallLineageGraphRequest: "raise relation_limit on the server, or analyze fewer statements at a time";
    GenerateErDiagramGraphRequest: "raise relation_limit on the server, or select one schema or table";
}

/// Returns the fields of a form that are set, except the SQL.
pub(super) fn fields(form: &impl Serialize) -> Map<String, Value> {
    let Ok(Value::Object(mut fields)) = serde_json::to_value(form) else { return Map::new() };
    fields.remove(SQL);
    fields
}

/// Converts a form into that of another operation. Returns the options that the other operation does not have, too.
pub(super) fn convert<G: sealed::AnalysisRequest>(form: &impl Serialize) -> (G, Vec<String>) {
    let set = fields(form);
    let (mut kept, options): (Map<_, _>, Map<_, _>) = set.into_iter().partition(|(name, _)| name == VENDOR);
    // Some operations require it. It is set when the request is sent.
    kept.insert(SQL.to_owned(), Value::from(""));
    let required = kept.clone();
    let mut lost = Vec::new();
    for (name, value) in options {
        let mut alone = required.clone();
        alone.insert(name.clone(), value.clone());
        // The request types refuse fields that they do not have.
        if serde_json::from_value::<G>(Value::Object(alone)).is_ok() {
            kept.insert(name, value);
        } else {
            lost.push(name);
        }
    }
    let mut converted: G = serde_json::from_value(Value::Object(kept)).expect("each option was read alone");
    converted.set_sql(None);
    (converted, lost)
}

/// Returns the error for options that were set for one operation and do not exist in another.
pub(super) fn without_options(operation: &Operation, lost: &[String]) -> Error {
    let names: Vec<_> = lost.iter().map(|name| setter(name)).collect();
    let text = format!(
        "the operation {operation} does not have the option {}, which was set before: leave it out for this result",
        names.join(", ")
    );
    Error::invalid(text)
}

/// Returns the name of the method that sets a field.
fn setter(field: &str) -> String {
    match field {
        "showRelationType" => "relation_types".to_owned(),
        "jobId" => "job".to_owned(),
        _ => field.chars().fold(String::new(), |mut name, letter| {
            if letter.is_ascii_uppercase() {
                name.push('_');
            }
            name.push(letter.to_ascii_lowercase());
            name
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_named_like_the_method_that_sets_it() {
        assert_eq!(setter("normalizeIdentifier"), "normalize_identifier");
        assert_eq!(setter("showRelationType"), "relation_types");
        assert_eq!(setter("export_include_table"), "export_include_table");
    }
}
