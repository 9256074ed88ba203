//! The check of the description for everything that progenitor cannot express, or would express incorrectly.

use std::collections::{BTreeMap, BTreeSet};

use openapiv3::{OpenAPI, ReferenceOr, Schema, SchemaKind, Type};

use crate::spec::{self, FORM, JSON, MAY_BE_JSON, MULTIPART, OperationSpec, REPEATABLE, SEEN_IN};
use crate::{Result, handwritten};

/// Names of functions that the generated client has for its own use.
const RESERVED_NAMES: &[&str] = &["pre", "post", "exec", "new", "baseurl", "client", "inner"];

/// Collects the faults of one operation.
struct FaultList<'a> {
    operation: &'a OperationSpec<'a>,
    faults: &'a mut Vec<String>,
}

impl FaultList<'_> {
    fn add(&mut self, fault: impl AsRef<str>) {
        let (endpoint, id) = (self.operation.endpoint(), self.operation.id());
        let name = if id.is_empty() { endpoint } else { format!("{endpoint} ({id})") };
        self.faults.push(format!("{name}: {}", fault.as_ref()));
    }
}

/// Checks all operations.
///
/// # Errors
/// All faults, each with the operation, what is wrong, and what to do.
pub(crate) fn check(openapi: &OpenAPI, operations: &[OperationSpec]) -> Result<()> {
    let mut faults = Vec::new();
    let mut endpoints = BTreeMap::new();
    for operation in operations {
        let mut list = FaultList { operation, faults: &mut faults };
        let id = operation.id();
        if id.is_empty() {
            list.add("the operation has no operationId; add a unique one");
        } else if let Some(endpoint) = endpoints.insert(id, operation.endpoint()) {
            list.add(format!("the operationId is already used by {endpoint}; choose a unique one"));
        }
        if RESERVED_NAMES.contains(&id) {
            list.add("the generated client uses this operationId itself; choose another one");
        }
        check_documentation(openapi, operation, &mut list);
        check_request(openapi, operation, &mut list);
        check_response(openapi, operation, &mut list);
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

fn check_documentation(openapi: &OpenAPI, operation: &OperationSpec, faults: &mut FaultList) {
    if operation.summary().is_empty() {
        faults.add("the operation has no summary; add one, because it becomes the documentation of the method");
    }
    let is_declared = openapi.tags.iter().any(|tag| tag.name == operation.tag() && tag.description.is_some());
    if operation.operation.tags.len() != 1 || !is_declared {
        faults.add("the operation must have exactly one tag; declare the tag with a description under `tags`");
    }
    if operation.operation.extensions.get(SEEN_IN).is_some_and(|value| !value.is_string()) {
        faults.add(format!("{SEEN_IN} is not a text; name the clients in which the operation was seen"));
    }
    for name in [REPEATABLE, MAY_BE_JSON] {
        if operation.operation.extensions.get(name).is_some_and(|value| !value.is_boolean()) {
            faults.add(format!("{name} is not a boolean; write true or false"));
        }
    }
}

fn check_request(openapi: &OpenAPI, operation: &OperationSpec, faults: &mut FaultList) {
    let parameters = &operation.operation.parameters;
    let query = spec::query_parameters(operation.operation).count();
    if parameters.len() != query + spec::path_parameters(operation.operation).count() {
        faults.add("a parameter is not an inline query or path parameter; declare it in place with `in: query`");
    }
    if operation.method == "post" && query > 0 {
        faults.add("a POST operation has query parameters; move them to the request body to keep them out of URLs");
    }
    let Some(body) = &operation.operation.request_body else { return };
    let Some(body) = body.as_item() else {
        return faults.add("the request body is a reference; declare it in place");
    };
    let components: BTreeSet<_> = body.content.values().map(spec::component).collect();
    if components.len() != 1 || components.contains(&None) {
        return faults.add("the request body must refer to one component; use the same for every media type");
    }
    if let Some(media) = operation.request_media.iter().find(|media| ![FORM, MULTIPART, JSON].contains(*media)) {
        faults.add(format!("the media type {media} of the request body is not supported; use a form or JSON"));
    }
    if operation.request_media.contains(&JSON) && operation.request_media.len() > 1 {
        faults.add("the request body is declared both as JSON and as a form; choose one of them");
    }
    let Some(name) = operation.request else { return };
    let Some(schema) = spec::object(openapi, name) else {
        return faults.add(format!("the request body refers to {name}, which is not an object in components.schemas"));
    };
    if operation.is_multipart() && operation.file_field.is_none() {
        faults.add("the multipart form has no file; add a property with `format: binary` or use an urlencoded form");
    }
    if !operation.is_multipart() && operation.file_field.is_some() {
        faults.add(format!("the request body has a file but cannot be sent as {MULTIPART}; add that media type"));
    }
    for (name, property) in &schema.properties {
        check_property(name, property, faults);
    }
}

fn check_property(name: &str, property: &ReferenceOr<Box<Schema>>, faults: &mut FaultList) {
    let Some(schema) = property.as_item() else { return };
    if schema.schema_data.default.is_some() {
        faults.add(format!("{name} has a default, which would always be sent; state it in the description instead"));
    }
    match &schema.schema_kind {
        SchemaKind::Type(Type::Array(_)) if !spec::is_file(property) => {
            faults.add(format!("{name} is an array, which a form cannot contain; use a comma-separated string"));
        }
        SchemaKind::Type(_) => {}
        // A reference with a description of its own.
        SchemaKind::AllOf { all_of } if matches!(all_of.as_slice(), [ReferenceOr::Reference { .. }]) => {}
        _ => faults.add(format!("{name} has a composite schema; use a plain type or refer to a component")),
    }
}

fn check_response(openapi: &OpenAPI, operation: &OperationSpec, faults: &mut FaultList) {
    let responses = &operation.operation.responses;
    let mut statuses: Vec<_> = responses.responses.keys().map(ToString::to_string).collect();
    statuses.extend(responses.default.iter().map(|_| "default".to_owned()));
    if statuses != ["200"] {
        let statuses = if statuses.is_empty() { "none".to_owned() } else { statuses.join(", ") };
        return faults.add(format!(
            "the declared responses are {statuses}; declare 200 only, because the client handles all other statuses itself"
        ));
    }
    let Some(response) = operation.response else {
        return faults.add("the response has no media type; add its `content`");
    };
    match response.component {
        Some(name) if !spec::is_component(openapi, name) => faults.add(format!(
            "the response refers to {name}, which does not exist; add it to components.schemas or correct the reference"
        )),
        Some(name) if response.media == JSON && handwritten::rust_type(name).is_none() => faults.add(format!(
            "the response component {name} has no Rust type; add one to WRITTEN_BY_HAND in build/handwritten.rs"
        )),
        None if response.media == JSON => {
            faults.add("the JSON response must refer to a component; declare its schema in components.schemas");
        }
        _ => {}
    }
}
