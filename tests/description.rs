//! `swagger.yaml` against the code: what the description says is what the crate does.

use std::collections::BTreeSet;

use sqlflow_client::Vendor;
use sqlflow_client::api::operations;
use sqlflow_client::job::{JobInfo, JobList};
use yaml_serde::Value;

/// The operations that take multipart forms alone, which the generator cannot express.
const MULTIPART: [&str; 4] = ["submitPersistJob", "submitTableAffectSqlJob", "submitUserJob", "submitUserSchema"];

/// The operations of the vendor's own file, and the two that are newer.
const OPERATIONS: usize = 63 + 2;

fn description() -> Value {
    yaml_serde::from_str(include_str!("../swagger.yaml")).unwrap()
}

/// Method, path and description of every operation.
fn described(description: &Value) -> Vec<(String, &str, &Value)> {
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

fn component<'a>(description: &'a Value, reference: &Value) -> &'a Value {
    let name = reference["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
    let component = &description["components"]["schemas"][name];
    assert!(component.is_mapping(), "{name} is no component");
    component
}

fn names(value: &Value) -> BTreeSet<&str> {
    value.as_mapping().into_iter().flatten().map(|(name, _)| name.as_str().unwrap()).collect()
}

#[test]
fn every_operation_is_generated_or_in_the_short_list_of_multipart_calls() {
    let description = description();
    let described = described(&description);
    assert_eq!(described.len(), OPERATIONS);
    assert_eq!(operations::ALL.len(), OPERATIONS);
    for (method, path, operation) in described {
        let id = operation["operationId"].as_str().unwrap();
        let ours = operations::ALL.iter().find(|ours| ours.id == id).unwrap();
        assert_eq!((ours.method, ours.path), (method.as_str(), path));
        assert_eq!(ours.generated, !MULTIPART.contains(&id), "{id}");
        assert!(ours.generated || ours.multipart, "{id} can not be called");
    }
}

#[test]
fn operations_have_names_of_their_own_and_promise_200_alone() {
    let description = description();
    let mut seen = BTreeSet::new();
    for (_, path, operation) in described(&description) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(seen.insert(id), "{id} twice");
        assert!(!id.contains("Using"), "{id}");
        assert_eq!(names(&operation["responses"]), BTreeSet::from(["200"]), "{path}");
    }
}

#[test]
fn no_post_takes_anything_in_its_url() {
    let description = description();
    for (method, path, operation) in described(&description) {
        let parameters = operation["parameters"].as_sequence().map_or(0, Vec::len);
        assert_eq!(parameters > 0, method == "GET", "{path}");
    }
}

#[test]
fn a_token_is_in_the_url_of_four_operations_alone() {
    let with_token = operations::ALL.iter().filter(|operation| operation.method == "GET" && operation.token);
    let with_token: BTreeSet<_> = with_token.map(|operation| operation.id).collect();
    let expected = ["downloadParquet", "downloadSubJobFile", "getDownstreamGraph", "getUpstreamGraph"];
    assert_eq!(with_token, BTreeSet::from(expected));
}

#[test]
fn requests_have_no_defaults_that_would_always_be_sent() {
    let description = description();
    for (_, path, operation) in described(&description) {
        for (_, media) in operation["requestBody"]["content"].as_mapping().into_iter().flatten() {
            let request = component(&description, &media["schema"]);
            for (name, property) in request["properties"].as_mapping().unwrap() {
                assert!(property.get("default").is_none(), "{path} {name:?}");
            }
        }
    }
}

#[test]
fn every_dialect_of_the_description_is_known() {
    let description = description();
    for name in description["components"]["schemas"]["Vendor"]["enum"].as_sequence().unwrap() {
        let vendor: Vendor = name.as_str().unwrap().parse().unwrap();
        assert!(!matches!(vendor, Vendor::Other(_)), "{vendor}");
    }
}

#[test]
fn every_field_of_a_job_that_is_described_has_a_name_in_the_code() {
    let description = description();
    for (schema, leftovers) in [
        ("Job", (|value| serde_json::from_value::<JobInfo>(value).unwrap().other) as fn(_) -> _),
        ("JobsSummary", |value| serde_json::from_value::<JobList>(value).unwrap().other),
    ] {
        let properties = names(&description["components"]["schemas"][schema]["properties"]);
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
