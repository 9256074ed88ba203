//! The documentation of the generated code, grouped by the tags of the description.

use std::fmt::Write as _;

use openapiv3::{OpenAPI, Tag};

use crate::spec::{self, OperationSpec, snake_case};

const CLIENT_DOCS: &str = "\
A client with one method for each operation of the API.

[`sqlflow_client::Client::api`](crate::Client::api) returns it. The methods are grouped by subject, in the order of
`swagger.yaml`. Operations that take only multipart forms have no method of their own: [`upload`](Client::upload) sends
them.";

const TYPES_DOCS: &str = "The request types of the operations.";

/// Returns the list of all operations as Markdown, with a table for each tag.
pub(crate) fn operation_tables(openapi: &OpenAPI, operations: &[OperationSpec]) -> String {
    let mut text = String::new();
    for tag in &openapi.tags {
        let _ = write!(text, "\n## {}\n\n| Method | Operation |\n|---|---|\n", description(tag));
        for operation in operations_of(tag, operations) {
            let seen = operation.seen_in().map_or("", |_| " *Seen, not documented.*");
            let _ = writeln!(text, "| {} | {}{seen} |", link(operation), sentence(operation.summary()));
        }
    }
    text
}

/// Returns the documentation of the constant of an operation.
pub(crate) fn constant_docs(operation: &OperationSpec) -> Vec<syn::Attribute> {
    attributes(&format!("`{}`: {}", operation.endpoint(), sentence(operation.summary())))
}

/// Replaces the documentation that progenitor writes, and divides the methods of the client by tag.
pub(crate) fn document_client(file: &mut syn::File, openapi: &OpenAPI, operations: &[OperationSpec]) {
    let items = std::mem::take(&mut file.items);
    for mut item in items {
        match &mut item {
            syn::Item::Struct(client) if client.ident == "Client" => set_docs(&mut client.attrs, CLIENT_DOCS),
            syn::Item::Mod(types) if types.ident == "types" => document_types(types, operations),
            syn::Item::Impl(block) if block.items.iter().any(|item| is_method(item, operations)) => {
                file.items.extend(divide(block, openapi, operations).into_iter().map(syn::Item::Impl));
                continue;
            }
            _ => {}
        }
        file.items.push(item);
    }
}

/// Returns one implementation block for each tag, and one for all functions that are not operations.
fn divide(block: &mut syn::ItemImpl, openapi: &OpenAPI, operations: &[OperationSpec]) -> Vec<syn::ItemImpl> {
    let mut blocks = Vec::new();
    for tag in &openapi.tags {
        let in_tag: Vec<_> = operations_of(tag, operations).collect();
        let mut group = syn::ItemImpl { items: Vec::new(), ..block.clone() };
        for operation in &in_tag {
            let name = operation.method_name();
            let Some(index) = block.items.iter().position(|item| function_name(item).as_ref() == Some(&name)) else {
                continue;
            };
            let mut item = block.items.remove(index);
            if let syn::ImplItem::Fn(function) = &mut item {
                let docs = method_docs(operation, &function.sig);
                set_docs(&mut function.attrs, &docs);
            }
            group.items.push(item);
        }
        set_docs(&mut group.attrs, &group_docs(tag, &in_tag));
        blocks.push(group);
    }
    if !block.items.is_empty() {
        blocks.push(block.clone());
    }
    blocks
}

fn group_docs(tag: &Tag, operations: &[&OperationSpec]) -> String {
    let mut text = format!("# {}", description(tag));
    let uploads: Vec<_> = operations.iter().filter(|operation| !operation.has_method()).collect();
    if !uploads.is_empty() {
        text.push_str("\n\nThese operations take only multipart forms, which [`upload`](Client::upload) sends:\n");
    }
    for operation in uploads {
        let (endpoint, summary) = (operation.endpoint(), sentence(operation.summary()));
        let _ = write!(text, "\n- {}, `{endpoint}`: {summary}", request_link(operation, ""));
    }
    text
}

fn method_docs(operation: &OperationSpec, signature: &syn::Signature) -> String {
    let mut text = format!("{}\n\n`{}`", sentence(operation.summary()), operation.endpoint());
    if let Some(description) = &operation.operation.description {
        let _ = write!(text, "\n\n{description}");
    }
    if let Some(clients) = operation.seen_in() {
        let _ = write!(text, "\n\n*Seen in {clients}, and not documented by the vendor.*");
    }
    if operation.is_multipart() {
        text.push_str("\n\nTo send a file instead of text, pass the request to [`upload`](Client::upload).");
    }
    let parameters: Vec<_> = spec::path_parameters(operation.operation)
        .chain(spec::query_parameters(operation.operation))
        .map(|parameter| (snake_case(&parameter.name), parameter.description.as_deref().unwrap_or_default()))
        .filter(|(name, _)| arguments(signature).any(|argument| argument == name))
        .collect();
    if !parameters.is_empty() {
        text.push_str("\n\n# Arguments\n");
    }
    for (name, description) in parameters {
        let _ = write!(text, "\n- `{name}`: {description}");
    }
    text
}

fn arguments(signature: &syn::Signature) -> impl Iterator<Item = &syn::Ident> {
    signature.inputs.iter().filter_map(|input| match input {
        syn::FnArg::Typed(argument) => match &*argument.pat {
            syn::Pat::Ident(pattern) => Some(&pattern.ident),
            _ => None,
        },
        syn::FnArg::Receiver(_) => None,
    })
}

/// Links each request type to the methods that send it.
fn document_types(types: &mut syn::ItemMod, operations: &[OperationSpec]) {
    set_docs(&mut types.attrs, TYPES_DOCS);
    for item in types.content.iter_mut().flat_map(|(_, items)| items) {
        let syn::Item::Struct(request) = item else { continue };
        let senders = operations.iter().filter(|operation| operation.request.is_some_and(|name| request.ident == name));
        let mut links: Vec<String> = Vec::new();
        let mut takes_files = false;
        for operation in senders {
            if operation.has_method() {
                let name = operation.method_name();
                links.push(format!("[`Client::{name}`](super::Client::{name})"));
            }
            takes_files |= operation.is_multipart();
        }
        if takes_files {
            links.push("[`Client::upload`](super::Client::upload)".to_owned());
        }
        if !links.is_empty() {
            request.attrs.extend(attributes(&format!("\nSent by {}.", links.join(" and "))));
        }
    }
}

fn operations_of<'a>(tag: &'a Tag, operations: &'a [OperationSpec<'a>]) -> impl Iterator<Item = &'a OperationSpec<'a>> {
    operations.iter().filter(|operation| operation.tag() == tag.name)
}

fn link(operation: &OperationSpec) -> String {
    if operation.has_method() {
        let name = operation.method_name();
        format!("[`{name}`](Client::{name})")
    } else {
        request_link(operation, "[`upload`](Client::upload) of ")
    }
}

fn request_link(operation: &OperationSpec, before: &str) -> String {
    let request = operation.request.unwrap_or_default();
    format!("{before}[`{request}`](types::{request})")
}

fn description(tag: &Tag) -> &str {
    tag.description.as_deref().unwrap_or(&tag.name)
}

fn sentence(summary: &str) -> String {
    if summary.ends_with('.') { summary.to_owned() } else { format!("{summary}.") }
}

fn is_method(item: &syn::ImplItem, operations: &[OperationSpec]) -> bool {
    function_name(item).is_some_and(|name| operations.iter().any(|operation| operation.method_name() == name))
}

fn function_name(item: &syn::ImplItem) -> Option<String> {
    match item {
        syn::ImplItem::Fn(function) => Some(function.sig.ident.to_string()),
        _ => None,
    }
}

fn set_docs(attributes_of_item: &mut Vec<syn::Attribute>, text: &str) {
    attributes_of_item.retain(|attribute| !attribute.path().is_ident("doc"));
    attributes_of_item.splice(0..0, attributes(text));
}

/// Returns a documentation comment, with one attribute for each line so that it is printed as `///`.
fn attributes(text: &str) -> Vec<syn::Attribute> {
    let lines = text.lines().map(|line| if line.is_empty() { String::new() } else { format!(" {line}") });
    lines.map(|line| syn::parse_quote!(#[doc = #line])).collect()
}
