//! The operations of the description, with the facts that generation needs.

use openapiv3::{
    MediaType, ObjectType, OpenAPI, Operation, Parameter, ParameterData, ReferenceOr, Schema, SchemaKind, StringFormat,
    Type, VariantOrUnknownOrEmpty,
};
use quote::format_ident;

pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
pub(crate) const MULTIPART: &str = "multipart/form-data";
pub(crate) const JSON: &str = "application/json";
/// The extension that marks an operation as one that must not be sent twice.
pub(crate) const REPEATABLE: &str = "x-repeatable";

/// The extension that names the clients of the vendor in which an operation or an option was seen that is not in the
/// vendor's own description.
pub(crate) const SEEN_IN: &str = "x-seen-in";

/// The extension that marks an operation whose file may be a JSON object itself.
pub(crate) const MAY_BE_JSON: &str = "x-may-be-json";

const COMPONENTS: &str = "#/components/schemas/";

/// An operation of the description.
pub(crate) struct OperationSpec<'a> {
    /// The HTTP method in lower case.
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) operation: &'a Operation,
    /// The component that describes the request body.
    pub(crate) request: Option<&'a str>,
    /// The media types in which the request body can be sent.
    pub(crate) request_media: Vec<&'a str>,
    pub(crate) response: Option<ResponseSpec<'a>>,
    /// The names of all parameters, both of the query and of the request body.
    pub(crate) fields: Vec<&'a str>,
    /// The multipart field that takes files.
    pub(crate) file_field: Option<&'a str>,
}

/// The first response that an operation declares.
#[derive(Clone, Copy)]
pub(crate) struct ResponseSpec<'a> {
    pub(crate) media: &'a str,
    pub(crate) component: Option<&'a str>,
}

impl<'a> OperationSpec<'a> {
    fn new(openapi: &'a OpenAPI, path: &'a str, method: &'a str, operation: &'a Operation) -> Self {
        let body = operation.request_body.as_ref().and_then(ReferenceOr::as_item);
        let request = body.and_then(|body| body.content.values().find_map(component));
        let schema = request.and_then(|name| object(openapi, name));
        let mut fields: Vec<&str> = query_parameters(operation).map(|data| data.name.as_str()).collect();
        fields.extend(schema.iter().flat_map(|object| object.properties.keys().map(String::as_str)));
        let file_field = schema.and_then(|object| object.properties.iter().find(|(_, property)| is_file(property)));
        Self {
            method,
            path,
            operation,
            request,
            request_media: body.map(|body| body.content.keys().map(String::as_str).collect()).unwrap_or_default(),
            response: response(operation),
            fields,
            file_field: file_field.map(|(name, _)| name.as_str()),
        }
    }

    pub(crate) fn id(&self) -> &'a str {
        self.operation.operation_id.as_deref().unwrap_or_default()
    }

    /// Returns the HTTP method and the path, such as `POST /user/generateToken`.
    pub(crate) fn endpoint(&self) -> String {
        format!("{} {}", self.method.to_uppercase(), self.path)
    }

    pub(crate) fn summary(&self) -> &'a str {
        self.operation.summary.as_deref().unwrap_or_default()
    }

    /// Returns the tag under which the documentation lists the operation.
    pub(crate) fn tag(&self) -> &'a str {
        self.operation.tags.first().map(String::as_str).unwrap_or_default()
    }

    /// Returns the name of the generated method.
    pub(crate) fn method_name(&self) -> String {
        snake_case(self.id())
    }

    /// Returns the name of the constant in `operations.rs`.
    pub(crate) fn constant(&self) -> syn::Ident {
        format_ident!("{}", self.method_name().to_uppercase())
    }

    pub(crate) fn is_multipart(&self) -> bool {
        self.request_media.contains(&MULTIPART)
    }

    /// Returns `true` if progenitor generates a method for the operation.
    pub(crate) fn has_method(&self) -> bool {
        self.request_media.is_empty() || self.request_media.iter().any(|media| *media != MULTIPART)
    }

    /// Returns `true` if sending the request twice has the same effect as sending it once.
    pub(crate) fn is_repeatable(&self) -> bool {
        self.operation.extensions.get(REPEATABLE).and_then(serde_json::Value::as_bool).unwrap_or(true)
    }

    /// Returns `true` if the file that the operation returns may be a JSON object itself.
    pub(crate) fn may_be_json(&self) -> bool {
        self.operation.extensions.get(MAY_BE_JSON).and_then(serde_json::Value::as_bool).unwrap_or(false)
    }

    /// Returns the clients of the vendor in which the operation was seen, if the vendor does not document it.
    pub(crate) fn seen_in(&self) -> Option<&'a str> {
        self.operation.extensions.get(SEEN_IN)?.as_str()
    }

    /// Returns `true` if the transport adds the user ID. The caller sets it for an operation that takes a secret key.
    pub(crate) fn is_authenticated(&self) -> bool {
        self.fields.iter().any(|field| field.eq_ignore_ascii_case("userId")) && !self.fields.contains(&"secretKey")
    }

    /// Returns `true` if the transport adds the token.
    pub(crate) fn takes_token(&self) -> bool {
        self.is_authenticated() && self.fields.contains(&"token")
    }

    /// Returns `true` if the request can name the relation types to return.
    pub(crate) fn takes_relation_types(&self) -> bool {
        self.fields.contains(&"showRelationType")
    }

    pub(crate) fn returns_file(&self) -> bool {
        self.response.is_none_or(|response| response.media != JSON)
    }
}

/// Returns the operations in the order of the description.
pub(crate) fn operations(openapi: &OpenAPI) -> Vec<OperationSpec<'_>> {
    let items = openapi.paths.paths.iter().filter_map(|(path, item)| Some((path, item.as_item()?)));
    let operations =
        items.flat_map(|(path, item)| item.iter().map(move |(method, operation)| (path, method, operation)));
    operations.map(|(path, method, operation)| OperationSpec::new(openapi, path, method, operation)).collect()
}

fn response(operation: &Operation) -> Option<ResponseSpec<'_>> {
    let (_, response) = operation.responses.responses.first()?;
    let (media, schema) = response.as_item()?.content.first()?;
    Some(ResponseSpec { media, component: component(schema) })
}

pub(crate) fn query_parameters(operation: &Operation) -> impl Iterator<Item = &ParameterData> {
    operation.parameters.iter().filter_map(|parameter| match parameter.as_item()? {
        Parameter::Query { parameter_data, .. } => Some(parameter_data),
        _ => None,
    })
}

pub(crate) fn path_parameters(operation: &Operation) -> impl Iterator<Item = &ParameterData> {
    operation.parameters.iter().filter_map(|parameter| match parameter.as_item()? {
        Parameter::Path { parameter_data, .. } => Some(parameter_data),
        _ => None,
    })
}

/// Returns `true` if the parameter is one that the transport adds.
pub(crate) fn is_credential(parameter: &str) -> bool {
    parameter.eq_ignore_ascii_case("userId") || parameter == "token"
}

/// Returns the name of the component to which a media type refers.
pub(crate) fn component(media: &MediaType) -> Option<&str> {
    match media.schema.as_ref()? {
        ReferenceOr::Reference { reference } => reference.strip_prefix(COMPONENTS),
        ReferenceOr::Item(_) => None,
    }
}

pub(crate) fn is_component(openapi: &OpenAPI, name: &str) -> bool {
    openapi.components.as_ref().is_some_and(|components| components.schemas.contains_key(name))
}

/// Returns the component of that name if it is an object.
pub(crate) fn object<'a>(openapi: &'a OpenAPI, name: &str) -> Option<&'a ObjectType> {
    match &openapi.components.as_ref()?.schemas.get(name)?.as_item()?.schema_kind {
        SchemaKind::Type(Type::Object(object)) => Some(object),
        _ => None,
    }
}

/// Returns `true` for a binary property and for an array of binary items.
pub(crate) fn is_file(property: &ReferenceOr<Box<Schema>>) -> bool {
    let is_binary = |schema: &Schema| match &schema.schema_kind {
        SchemaKind::Type(Type::String(string)) => {
            matches!(string.format, VariantOrUnknownOrEmpty::Item(StringFormat::Binary))
        }
        _ => false,
    };
    let Some(schema) = property.as_item() else { return false };
    match &schema.schema_kind {
        SchemaKind::Type(Type::Array(array)) => {
            array.items.as_ref().and_then(ReferenceOr::as_item).is_some_and(|item| is_binary(item))
        }
        _ => is_binary(schema),
    }
}

/// Returns the name that progenitor gives to the method of an operation or to an argument.
pub(crate) fn snake_case(camel_case: &str) -> String {
    let mut name = String::with_capacity(camel_case.len() + 8);
    for letter in camel_case.chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    name
}
