//! Tests that `swagger.yaml` agrees with the code.

use std::collections::{BTreeMap, BTreeSet};

use sqlflow_client::Vendor;
use sqlflow_client::api::operations;
use sqlflow_client::job::{JobInfo, JobList};
use yaml_serde::Value;

/// The operations that take only multipart forms, for which no method can be generated.
const MULTIPART: [&str; 4] = ["submitPersistJob", "submitTableAffectSqlJob", "submitUserJob", "submitUserSchema"];

/// The number of operations: those in the vendor's own file, and those that were only seen in its clients.
const OPERATION_COUNT: usize = 63 + 14;

/// The version of progenitor whose output build.rs is known to rewrite as a whole.
const GENERATOR_VERSION: &str = "0.15.1";

/// Words that must not begin a summary or a description, because both become the first line of rustdoc.
const FORBIDDEN_FIRST_WORDS: [&str; 10] =
    ["What", "How", "Whether", "Which", "Where", "When", "Why", "Who", "Whose", "Its"];

fn description() -> Value {
    yaml_serde::from_str(include_str!("../swagger.yaml")).unwrap()
}

/// Returns the method, the path and the description of every operation.
fn described_operations(description: &Value) -> Vec<(String, &str, &Value)> {
    let paths = description["paths"].as_mapping().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| {
            let path = path.as_str().unwrap();
            item.as_mapping()
                .unwrap()
                .iter()
                .map(move |(method, operation)| (method.as_str().unwrap().to_uppercase(), path, operation))
        })
        .collect()
}

/// Returns the component to which a reference points.
fn component<'a>(description: &'a Value, reference: &Value) -> &'a Value {
    let name = reference["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
    let component = &description["components"]["schemas"][name];
    assert!(component.is_mapping(), "{name} is not a component");
    component
}

/// Returns the keys of a mapping, or nothing for another value.
fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_mapping().into_iter().flatten().map(|(name, _)| name.as_str().unwrap()).collect()
}

/// Collects the texts of all fields named `summary` or `description`.
fn collect_texts<'a>(value: &'a Value, texts: &mut Vec<&'a str>) {
    for item in value.as_sequence().into_iter().flatten() {
        collect_texts(item, texts);
    }
    for (name, value) in value.as_mapping().into_iter().flatten() {
        match value.as_str() {
            Some(text) if matches!(name.as_str(), Some("summary" | "description")) => texts.push(text),
            _ => collect_texts(value, texts),
        }
    }
}

#[test]
fn every_operation_has_a_generated_method_or_takes_only_a_multipart_form() {
    let description = description();
    let described = described_operations(&description);
    assert_eq!(described.len(), OPERATION_COUNT);
    assert_eq!(operations::ALL.len(), OPERATION_COUNT);
    for (method, path, operation) in described {
        let id = operation["operationId"].as_str().unwrap();
        let constant = operations::ALL.iter().find(|operation| operation.id == id).unwrap();
        assert_eq!((constant.method, constant.path), (method.as_str(), path));
        assert_eq!(constant.generated, !MULTIPART.contains(&id), "{id}");
        assert!(constant.generated || constant.multipart, "{id} cannot be called");
    }
}

#[test]
fn operation_ids_are_unique_and_every_operation_declares_only_the_response_200() {
    let description = description();
    let mut seen = BTreeSet::new();
    for (_, path, operation) in described_operations(&description) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(seen.insert(id), "{id} is declared twice");
        assert!(!id.contains("Using"), "{id} is a name that Swagger tools generate");
        assert_eq!(keys(&operation["responses"]), BTreeSet::from(["200"]), "{path}");
    }
}

#[test]
fn operations_and_options_that_the_vendor_does_not_document_say_where_they_were_seen() {
    let description = description();
    let seen = described_operations(&description).into_iter().filter(|(_, _, operation)| {
        operation.get("x-seen-in").is_some_and(|clients| !clients.as_str().unwrap().is_empty())
    });
    assert_eq!(seen.count(), 14);
    let schemas = description["components"]["schemas"].as_mapping().unwrap();
    let options = schemas.values().flat_map(|schema| schema["properties"].as_mapping().into_iter().flatten());
    let seen: BTreeSet<_> = options
        .filter(|(_, option)| option.get("x-seen-in").is_some())
        .map(|(name, _)| name.as_str().unwrap())
        .collect();
    let expected = [
        "allTablesInFromClauseIncludedInTableLevelLineage",
        "dbvendor",
        "defaultDatabase",
        "defaultSchema",
        "defaultServer",
        "export_include_servers",
        "export_include_table",
        "ignoreFunction",
        "ignoreRecordSet",
        "sessionId",
        "showConstantTable",
        "showRelationType",
        "simpleOutput",
        "tableToTable",
        "treatArgumentsInCountFunctionAsDirectDataflow",
    ];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// Returns the names of all parameters of an operation, in the query and in the request body, with their schemas.
fn parameters<'a>(description: &'a Value, operation: &'a Value) -> BTreeMap<&'a str, &'a Value> {
    let query = operation["parameters"].as_sequence().into_iter().flatten();
    let mut parameters: BTreeMap<_, _> =
        query.map(|parameter| (parameter["name"].as_str().unwrap(), &parameter["schema"])).collect();
    for (_, media) in operation["requestBody"]["content"].as_mapping().into_iter().flatten() {
        let schema = match media["schema"].get("$ref") {
            Some(_) => component(description, &media["schema"]),
            None => &media["schema"],
        };
        let properties = schema["properties"].as_mapping().into_iter().flatten();
        parameters.extend(properties.map(|(name, schema)| (name.as_str().unwrap(), schema)));
    }
    parameters
}

/// The vendor's own description is not ours to pass on, so that this compares with it only where
/// `SQLFLOW_VENDOR_DESCRIPTION` names the file.
#[test]
fn nothing_in_the_description_of_the_vendor_is_missing() {
    let Some(path) = std::env::var_os("SQLFLOW_VENDOR_DESCRIPTION") else { return };
    let theirs: Value = yaml_serde::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let ours = description();
    let operations = described_operations(&theirs);
    assert_eq!(operations.len(), 63);
    let vendors = ours["components"]["schemas"]["Vendor"]["enum"].as_sequence().unwrap();
    for (method, path, operation) in operations {
        let known = &ours["paths"][path][method.to_lowercase().as_str()];
        assert!(known.is_mapping(), "{method} {path}");
        let known = parameters(&ours, known);
        for (name, schema) in parameters(&theirs, operation) {
            assert!(known.contains_key(name), "{method} {path} lacks {name}");
            for value in schema["enum"].as_sequence().into_iter().flatten() {
                assert!(vendors.contains(value), "{method} {path}: {name} lacks {value:?}");
            }
        }
    }
}

#[test]
fn the_table_of_operations_and_methods_is_complete() {
    let table = include_str!("../docs/operations.md");
    let rows = table.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, operations::ALL.len());
    for operation in operations::ALL {
        let start = format!("| `{}` | `{} {}` | [`", operation.id, operation.method, operation.path);
        assert!(table.lines().any(|line| line.starts_with(&start)), "{operation} is missing: {start}");
    }
}

#[test]
fn only_get_operations_have_query_parameters() {
    let description = description();
    for (method, path, operation) in described_operations(&description) {
        let parameters = operation["parameters"].as_sequence().map_or(0, Vec::len);
        // The version needs none.
        assert_eq!(parameters > 0, method == "GET" && path != "/version", "{path}");
    }
}

#[test]
fn only_four_operations_have_a_token_in_the_url() {
    let with_token = operations::ALL.iter().filter(|operation| operation.method == "GET" && operation.token);
    let with_token: BTreeSet<_> = with_token.map(|operation| operation.id).collect();
    let expected = ["downloadParquet", "downloadSubJobFile", "getDownstreamGraph", "getUpstreamGraph"];
    assert_eq!(with_token, BTreeSet::from(expected));
}

#[test]
fn request_bodies_have_no_defaults_that_the_client_would_always_send() {
    let description = description();
    for (_, path, operation) in described_operations(&description) {
        for (_, media) in operation["requestBody"]["content"].as_mapping().into_iter().flatten() {
            let request = component(&description, &media["schema"]);
            for (name, property) in request["properties"].as_mapping().unwrap() {
                assert!(property.get("default").is_none(), "{path} {name:?}");
            }
        }
    }
}

#[test]
fn every_dialect_in_the_description_is_a_known_vendor() {
    let description = description();
    for name in description["components"]["schemas"]["Vendor"]["enum"].as_sequence().unwrap() {
        let vendor: Vendor = name.as_str().unwrap().parse().unwrap();
        assert!(!matches!(vendor, Vendor::Other(_)), "{vendor}");
    }
}

#[test]
fn every_described_field_of_a_job_has_a_field_in_the_code() {
    let description = description();
    for (schema, leftovers) in [
        ("Job", (|value| serde_json::from_value::<JobInfo>(value).unwrap().other) as fn(_) -> _),
        ("JobsSummary", |value| serde_json::from_value::<JobList>(value).unwrap().other),
    ] {
        let properties = keys(&description["components"]["schemas"][schema]["properties"]);
        let mut object: serde_json::Map<_, _> =
            properties.into_iter().map(|name| (name.to_owned(), serde_json::Value::Null)).collect();
        object.insert("jobId".to_owned(), "1".into());
        let mut leftovers: serde_json::Map<String, serde_json::Value> = leftovers(object.into());
        if schema == "JobsSummary" {
            leftovers.remove("jobId");
        }
        assert!(leftovers.is_empty(), "{schema}: {leftovers:?}");
    }
}

#[test]
fn summaries_and_descriptions_do_not_begin_with_a_question_word() {
    let description = description();
    let mut texts = Vec::new();
    collect_texts(&description, &mut texts);
    assert!(texts.len() > OPERATION_COUNT);
    for text in texts {
        let first_word = text.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default();
        assert!(!FORBIDDEN_FIRST_WORDS.contains(&first_word), "{text}");
    }
}

#[test]
fn the_generator_is_the_one_whose_output_was_read() {
    let lock: &str = include_str!("../Cargo.lock");
    for name in ["progenitor", "progenitor-impl"] {
        let package = format!("name = \"{name}\"\nversion = \"{GENERATOR_VERSION}\"\n");
        assert!(
            lock.contains(&package),
            "{name} is not {GENERATOR_VERSION} any more. Compare the client that it generates (`api.rs` below \
             target/debug/build/sqlflow-client-*/out) before and after: build/rewrite.rs has to find the error type, the \
             `build()` of requests and the structs, and .ci/public-api/check has to find no change. Then set \
             GENERATOR_VERSION here, and raise the minimum in Cargo.toml if older output differs."
        );
    }
}
