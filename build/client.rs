//! The generated client of `api.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{self, AssertUnwindSafe};

use openapiv3::{
    AdditionalProperties, OpenAPI, Operation, Parameter, ReferenceOr, RequestBody, Schema, SchemaData, SchemaKind,
    StringType, Type,
};
use proc_macro2::TokenStream;
use progenitor::{GenerationSettings, Generator, HooksMode, InterfaceStyle, TagStyle, TypeImpl};
use quote::{ToTokens, quote};

use crate::constructors::constructors;
use crate::handwritten::{self, WRITTEN_BY_HAND};
use crate::spec::{self, MULTIPART, OperationSpec};
use crate::{Result, docs, rewrite, uploads};

/// The generated code, in two files: the request types belong to a module below the transport.
pub(crate) struct GeneratedCode {
    pub(crate) client: TokenStream,
    pub(crate) types: TokenStream,
}

/// Generates the request types, the client and the multipart forms.
///
/// # Errors
/// The message of the generator, with the operations that cause it as far as they can be found.
pub(crate) fn client(openapi: &OpenAPI, operations: &[OperationSpec]) -> Result<GeneratedCode> {
    let mut settings = GenerationSettings::default();
    settings
        .with_interface(InterfaceStyle::Positional)
        .with_tag(TagStyle::Merged)
        .with_hooks(HooksMode::Expected)
        .with_inner_type(handwritten::transport().into_token_stream());
    for (component, rust_type) in WRITTEN_BY_HAND {
        settings.with_replacement(component, rust_type, std::iter::empty::<TypeImpl>());
    }
    let reduced = reduce(openapi, operations);
    let generated =
        run_progenitor(&settings, &reduced).map_err(|error| locate_faults(&settings, &reduced, operations, &error))?;
    let mut file =
        syn::parse2(generated).map_err(|error| vec![format!("cannot parse the output of progenitor: {error}")])?;
    rewrite::use_crate_runtime(&mut file);
    docs::document_client(&mut file, openapi, operations);
    let constructors = constructors(&file);
    let file_forms = operations.iter().filter_map(uploads::file_form);
    let types = take_types(&mut file);
    Ok(GeneratedCode { client: quote!(#file #(#file_forms)*), types: quote!(#(#types)* #(#constructors)*) })
}

/// Takes the items of the module of request types out of the generated file.
fn take_types(file: &mut syn::File) -> Vec<syn::Item> {
    let is_types = |item: &mut syn::Item| matches!(item, syn::Item::Mod(module) if module.ident == "types");
    let modules: Vec<_> = file.items.extract_if(.., is_types).collect();
    let contents = modules.into_iter().filter_map(|item| match item {
        syn::Item::Mod(module) => module.content,
        _ => None,
    });
    contents.flat_map(|(_, items)| items).collect()
}

/// Runs the generator. It panics on descriptions that it does not support.
fn run_progenitor(settings: &GenerationSettings, openapi: &OpenAPI) -> std::result::Result<TokenStream, String> {
    let generate = || Generator::new(settings).generate_tokens(openapi).map_err(|error| error.to_string());
    panic::catch_unwind(AssertUnwindSafe(generate)).unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().cloned();
        Err(message.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default())
    })
}

/// Returns a message for each operation that the generator rejects on its own, or else the given message.
fn locate_faults(
    settings: &GenerationSettings,
    openapi: &OpenAPI,
    operations: &[OperationSpec],
    error: &str,
) -> Vec<String> {
    let faults = operations.iter().filter(|operation| operation.has_method()).filter_map(|operation| {
        let mut alone = openapi.clone();
        alone.paths.paths.retain(|path, _| path == operation.path);
        if let Some(components) = &mut alone.components {
            components
                .schemas
                .retain(|name, _| Some(name.as_str()) == operation.request || handwritten::rust_type(name).is_some());
        }
        let error = run_progenitor(settings, &alone).err()?;
        Some(format!("{} ({}): progenitor cannot generate it: {error}", operation.endpoint(), operation.id()))
    });
    let faults: Vec<_> = faults.collect();
    if faults.is_empty() { vec![format!("progenitor cannot generate the client: {error}")] } else { faults }
}

/// Returns the description without everything that progenitor does not support or that the transport adds.
fn reduce(openapi: &OpenAPI, operations: &[OperationSpec]) -> OpenAPI {
    let by_id: BTreeMap<&str, &OperationSpec> =
        operations.iter().map(|operation| (operation.id(), operation)).collect();
    let mut openapi = openapi.clone();
    for item in openapi.paths.paths.values_mut() {
        let ReferenceOr::Item(item) = item else { continue };
        for slot in [&mut item.get, &mut item.post] {
            let Some(operation) = slot else { continue };
            let Some(spec) = operation.operation_id.as_deref().and_then(|id| by_id.get(id)) else { continue };
            if spec.has_method() {
                reduce_operation(operation, spec);
            } else {
                *slot = None;
            }
        }
    }
    openapi.paths.paths.retain(|_, item| item.as_item().is_some_and(|item| item.iter().next().is_some()));
    reduce_schemas(&mut openapi, operations);
    openapi
}

fn reduce_operation(operation: &mut Operation, spec: &OperationSpec) {
    if let Some(ReferenceOr::Item(RequestBody { content, .. })) = &mut operation.request_body {
        content.shift_remove(MULTIPART);
    }
    if spec.is_authenticated() {
        operation.parameters.retain(|parameter| {
            !matches!(parameter.as_item(), Some(Parameter::Query { parameter_data, .. })
                if spec::is_credential(&parameter_data.name))
        });
    }
}

/// Adds to the description of an option that the vendor does not document where it was seen.
fn describe_origin(property: &mut ReferenceOr<Box<Schema>>) {
    let ReferenceOr::Item(schema) = property else { return };
    let data = &mut schema.schema_data;
    if let Some(clients) = data.extensions.get(spec::SEEN_IN).and_then(serde_json::Value::as_str) {
        let description = data.description.take().unwrap_or_default();
        data.description =
            Some(format!("{description} Seen in the vendor's {clients}, and not documented by the vendor."));
    }
}

fn reduce_schemas(openapi: &mut OpenAPI, operations: &[OperationSpec]) {
    let Some(components) = &mut openapi.components else { return };
    let schemas = &mut components.schemas;
    for operation in operations {
        let Some(ReferenceOr::Item(Schema { schema_kind: SchemaKind::Type(Type::Object(object)), .. })) =
            operation.request.and_then(|name| schemas.get_mut(name))
        else {
            continue;
        };
        let is_authenticated = operation.is_authenticated();
        object
            .properties
            .retain(|name, property| !(spec::is_file(property) || is_authenticated && spec::is_credential(name)));
        object.required.retain(|name| object.properties.contains_key(name));
        for property in object.properties.values_mut() {
            describe_origin(property);
        }
        // Without this, progenitor generates a map for an object that has no properties.
        object.additional_properties = Some(AdditionalProperties::Any(false));
    }
    let requests: BTreeSet<&str> = operations.iter().filter_map(|operation| operation.request).collect();
    schemas.retain(|name, _| requests.contains(name.as_str()) || handwritten::rust_type(name).is_some());
    // Progenitor also resolves the references of replaced components, whose targets are no longer there.
    for (name, _) in WRITTEN_BY_HAND {
        if let Some(schema) = schemas.get_mut(*name) {
            *schema = ReferenceOr::Item(Schema {
                schema_data: SchemaData::default(),
                schema_kind: SchemaKind::Type(Type::String(StringType::default())),
            });
        }
    }
}
