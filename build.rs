//! Generates the client of `src/api` from `swagger.yaml`.
//!
//! The description is checked first, so that a fault is reported with the operation it sits in; the generator itself
//! panics without naming one. What progenitor cannot express is left out of its input and written here instead: the
//! multipart calls. Two files come out, `api.rs` and `operations.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::{env, fs};

use openapiv3::{
    AdditionalProperties, MediaType, OpenAPI, Operation, Parameter, PathItem, ReferenceOr, RequestBody, Schema,
    SchemaData, SchemaKind, StringFormat, StringType, Type, VariantOrUnknownOrEmpty,
};
use progenitor::{GenerationSettings, Generator, HooksMode, InterfaceStyle, TagStyle, TypeImpl};
use quote::{format_ident, quote};
use syn::visit_mut::{self, VisitMut};

const SPEC: &str = "swagger.yaml";
const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data";
const JSON: &str = "application/json";
/// Says of an operation that asking twice is not as good as asking once.
const REPEATABLE: &str = "x-repeatable";
const COMPONENTS: &str = "#/components/schemas/";

/// Components that a type of the crate stands for. What only they refer to is not generated.
const WRITTEN_BY_HAND: &[(&str, &str)] = &[
    ("Envelope", "crate::wire::Envelope<::serde_json::Value>"),
    ("TokenEnvelope", "crate::wire::TokenEnvelope"),
    ("JobEnvelope", "crate::wire::Envelope<crate::wire::JobInfo>"),
    ("JobSummaryEnvelope", "crate::wire::Envelope<crate::wire::JobLookup>"),
    ("JobsEnvelope", "crate::wire::Envelope<crate::wire::JobList>"),
    ("SyntaxEnvelope", "crate::wire::Envelope<crate::wire::SyntaxCheck>"),
    ("LineageEnvelope", "crate::wire::Envelope<::sqlflow_lineage::Lineage>"),
    ("Vendor", "crate::wire::Vendor"),
    ("Password", "crate::wire::Secret"),
    ("SecretKey", "crate::wire::Secret"),
    ("Token", "crate::wire::Secret"),
    ("UserId", "::std::string::String"),
];

/// Names that the generated client needs for itself.
const RESERVED: &[&str] = &["pre", "post", "exec", "new", "baseurl", "client", "inner"];

fn main() {
    println!("cargo::rerun-if-changed={SPEC}");
    println!("cargo::rerun-if-changed=build.rs");
    if let Err(faults) = generate() {
        for fault in faults {
            println!("cargo::error={SPEC}: {fault}");
        }
        std::process::exit(1);
    }
}

fn generate() -> Result<(), Vec<String>> {
    let spec = read()?;
    let calls = calls(&spec);
    check(&spec, &calls)?;

    let out = env::var_os("OUT_DIR").ok_or_else(|| vec!["OUT_DIR is not set".to_owned()])?;
    let write = |name: &str, tokens: proc_macro2::TokenStream| {
        let file = syn::parse2(tokens).map_err(|error| vec![format!("{name} does not parse: {error}")])?;
        fs::write(Path::new(&out).join(name), prettyplease::unparse(&file))
            .map_err(|error| vec![format!("{name} cannot be written: {error}")])
    };
    let (client, types) = client(&spec, &calls)?;
    write("operations.rs", operations(&calls))?;
    write("types.rs", types)?;
    write("api.rs", client)
}

fn read() -> Result<OpenAPI, Vec<String>> {
    let text = fs::read_to_string(SPEC).map_err(|error| vec![error.to_string()])?;
    yaml_serde::from_str(&text).map_err(|error| vec![error.to_string()])
}

/// One operation, as far as generation is concerned.
struct Call<'a> {
    method: &'a str,
    path: &'a str,
    operation: &'a Operation,
    /// The component a form or a JSON body consists of.
    request: Option<&'a str>,
    media: Vec<&'a str>,
    /// Media type and component of the answer.
    answer: Option<(&'a str, Option<&'a str>)>,
    /// Names of its parameters, wherever they are sent.
    fields: Vec<&'a str>,
    /// The multipart field that takes files.
    file_field: Option<&'a str>,
}

impl Call<'_> {
    fn id(&self) -> &str {
        self.operation.operation_id.as_deref().unwrap_or_default()
    }

    /// How a fault names it.
    fn name(&self) -> String {
        format!("{} {} ({})", self.method.to_uppercase(), self.path, self.id())
    }

    fn generated(&self) -> bool {
        self.media.is_empty() || self.media.iter().any(|media| *media != MULTIPART)
    }

    /// Whether asking twice is as good as asking once. What is not says so in the description.
    fn repeatable(&self) -> bool {
        self.operation.extensions.get(REPEATABLE).and_then(serde_json::Value::as_bool).unwrap_or(true)
    }

    /// Whether the transport adds who is asking. An operation that takes a secret key says so itself.
    fn authenticated(&self) -> bool {
        self.fields.iter().any(|field| field.eq_ignore_ascii_case("userId")) && !self.fields.contains(&"secretKey")
    }
}

fn calls(spec: &OpenAPI) -> Vec<Call<'_>> {
    let items = spec.paths.paths.iter().filter_map(|(path, item)| Some((path, item.as_item()?)));
    items
        .flat_map(|(path, item)| item.iter().map(move |(method, operation)| (path, method, operation)))
        .map(|(path, method, operation)| {
            let body = operation.request_body.as_ref().and_then(ReferenceOr::as_item);
            let request = body.and_then(|body| body.content.values().find_map(component));
            let schema = request.and_then(|name| object(spec, name));
            let mut fields: Vec<&str> = parameters(operation).map(|data| data.name.as_str()).collect();
            fields.extend(schema.iter().flat_map(|object| object.properties.keys().map(String::as_str)));
            Call {
                method,
                path,
                operation,
                request,
                media: body.map(|body| body.content.keys().map(String::as_str).collect()).unwrap_or_default(),
                answer: answer(operation),
                fields,
                file_field: schema.and_then(|object| {
                    object.properties.iter().find(|(_, property)| is_file(property)).map(|(name, _)| name.as_str())
                }),
            }
        })
        .collect()
}

fn answer(operation: &Operation) -> Option<(&str, Option<&str>)> {
    let (_, response) = operation.responses.responses.first()?;
    let (media, schema) = response.as_item()?.content.first()?;
    Some((media, component(schema)))
}

fn parameters(operation: &Operation) -> impl Iterator<Item = &openapiv3::ParameterData> {
    operation.parameters.iter().filter_map(|parameter| match parameter.as_item()? {
        Parameter::Query { parameter_data, .. } => Some(parameter_data),
        _ => None,
    })
}

fn component(media: &MediaType) -> Option<&str> {
    match media.schema.as_ref()? {
        ReferenceOr::Reference { reference } => reference.strip_prefix(COMPONENTS),
        ReferenceOr::Item(_) => None,
    }
}

fn object<'a>(spec: &'a OpenAPI, name: &str) -> Option<&'a openapiv3::ObjectType> {
    match &spec.components.as_ref()?.schemas.get(name)?.as_item()?.schema_kind {
        SchemaKind::Type(Type::Object(object)) => Some(object),
        _ => None,
    }
}

fn is_file(property: &ReferenceOr<Box<Schema>>) -> bool {
    let binary = |schema: &Schema| match &schema.schema_kind {
        SchemaKind::Type(Type::String(text)) => {
            matches!(text.format, VariantOrUnknownOrEmpty::Item(StringFormat::Binary))
        }
        _ => false,
    };
    let Some(schema) = property.as_item() else { return false };
    match &schema.schema_kind {
        SchemaKind::Type(Type::Array(array)) => {
            array.items.as_ref().and_then(ReferenceOr::as_item).is_some_and(|item| binary(item))
        }
        _ => binary(schema),
    }
}

/// What the generator cannot express, or would express wrongly.
fn check(spec: &OpenAPI, calls: &[Call]) -> Result<(), Vec<String>> {
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    for call in calls {
        let mut fault = |text: String| faults.push(format!("{}: {text}", call.name()));
        if call.id().is_empty() {
            fault("has no operationId".to_owned());
        }
        if RESERVED.contains(&call.id()) {
            fault("its operationId is a name the generated client needs".to_owned());
        }
        if !seen.insert(call.id()) {
            fault("its operationId is not the only one of that name".to_owned());
        }
        if call.operation.extensions.get(REPEATABLE).is_some_and(|value| !value.is_boolean()) {
            fault(format!("{REPEATABLE} is neither true nor false"));
        }
        check_request(spec, call, &mut fault);
        check_answer(call, &mut fault);
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

fn check_request(spec: &OpenAPI, call: &Call, fault: &mut impl FnMut(String)) {
    if call.operation.parameters.len() != parameters(call.operation).count() {
        fault("has a parameter that is not a query parameter written in place".to_owned());
    }
    if call.method == "post" && !call.operation.parameters.is_empty() {
        fault("is a POST with query parameters: they belong into the form, out of URLs".to_owned());
    }
    let Some(body) = &call.operation.request_body else { return };
    let Some(body) = body.as_item() else {
        return fault("its request body is a reference; write it in place".to_owned());
    };
    let components: BTreeSet<_> = body.content.values().map(component).collect();
    if components.len() != 1 || components.contains(&None) {
        return fault("its request body must be one component, the same for every media type".to_owned());
    }
    if let Some(media) = call.media.iter().find(|media| ![FORM, MULTIPART, JSON].contains(*media)) {
        fault(format!("cannot send {media}"));
    }
    if call.media.contains(&JSON) && call.media.len() > 1 {
        fault("cannot take JSON beside a form".to_owned());
    }
    let Some(schema) = call.request.and_then(|name| object(spec, name)) else {
        return fault("its request body is not an object among the components".to_owned());
    };
    if call.media.contains(&MULTIPART) != call.file_field.is_some() {
        fault("a multipart form must have a file (format: binary), and only such a form can".to_owned());
    }
    for (name, property) in &schema.properties {
        let Some(property_schema) = property.as_item() else { continue };
        if property_schema.schema_data.default.is_some() {
            fault(format!("{name} has a default, which would always be sent; describe it instead"));
        }
        if !matches!(property_schema.schema_kind, SchemaKind::Type(_)) {
            fault(format!("{name} is neither a plain type nor a component"));
        }
        if matches!(property_schema.schema_kind, SchemaKind::Type(Type::Array(_))) && !is_file(property) {
            fault(format!("{name} is an array, which a form cannot carry; use comma-separated text"));
        }
    }
}

fn check_answer(call: &Call, fault: &mut impl FnMut(String)) {
    let responses = &call.operation.responses;
    if responses.default.is_some() || !responses.responses.keys().map(ToString::to_string).eq(["200"]) {
        fault("must declare the answer 200 and no other".to_owned());
    }
    match call.answer {
        None => fault("its answer has no media type".to_owned()),
        Some((JSON, None)) => fault("its JSON answer must be a component".to_owned()),
        Some((JSON, Some(name))) if written_by_hand(name).is_none() => {
            fault(format!("its answer {name} has no type: name one in build.rs"));
        }
        Some(_) => {}
    }
}

fn written_by_hand(component: &str) -> Option<&'static str> {
    WRITTEN_BY_HAND.iter().find(|(name, _)| *name == component).map(|(_, rust)| *rust)
}

/// The list of all operations, and by name each that the crate itself calls.
fn operations(calls: &[Call]) -> proc_macro2::TokenStream {
    let constants = calls.iter().map(|call| {
        let name = constant(call.id());
        let (id, method, path) = (call.id(), call.method.to_uppercase(), call.path);
        let docs = format!("`{method} {path}`: {}", call.operation.summary.as_deref().unwrap_or_default());
        let (generated, multipart) = (call.generated(), call.media.contains(&MULTIPART));
        let user_id = call.authenticated();
        let token = user_id && call.fields.contains(&"token");
        let answers_with_file = call.answer.is_none_or(|(media, _)| media != JSON);
        let repeatable = call.repeatable();
        let answers_with_secret = call.path.starts_with("/user/");
        quote! {
            #[doc = #docs]
            pub const #name: Operation = Operation {
                id: #id, method: #method, path: #path, generated: #generated, multipart: #multipart,
                user_id: #user_id, token: #token,
                answers_with_file: #answers_with_file, answers_with_secret: #answers_with_secret,
                repeatable: #repeatable,
            };
        }
    });
    let names = calls.iter().map(|call| constant(call.id()));
    let methods = calls.iter().map(|call| {
        let (name, method) = (constant(call.id()), snake(call.id()));
        quote!(#method => Some(&#name),)
    });
    quote! {
        use super::Operation;
        #(#constants)*
        /// Every operation of the API, in the order of `swagger.yaml`.
        pub const ALL: &[Operation] = &[#(#names),*];
        /// The operation behind a method of the generated client.
        pub(crate) fn of_method(name: &str) -> Option<&'static Operation> {
            match name { #(#methods)* _ => None }
        }
    }
}

/// Generates the client and, apart from it, the request types: these belong to a module below the transport.
fn client(spec: &OpenAPI, calls: &[Call]) -> Result<(proc_macro2::TokenStream, proc_macro2::TokenStream), Vec<String>> {
    let mut settings = GenerationSettings::default();
    settings
        .with_interface(InterfaceStyle::Positional)
        .with_tag(TagStyle::Merged)
        .with_hooks(HooksMode::Expected)
        .with_inner_type(quote!(crate::transport::Transport));
    for (name, rust) in WRITTEN_BY_HAND {
        settings.with_replacement(name, rust, std::iter::empty::<TypeImpl>());
    }
    let expressible = expressible(spec, calls);
    let generated = tokens(&settings, &expressible).map_err(|error| blame(&settings, &expressible, calls, &error))?;
    let mut file = syn::parse2(generated).map_err(|error| vec![format!("generated code: {error}")])?;
    OnOurRuntime.visit_file_mut(&mut file);
    let constructors = constructors(&file);
    let uploads = calls.iter().filter_map(upload);
    let types = request_types(&mut file);
    Ok((quote!(#file #(#uploads)*), quote!(#(#types)* #(#constructors)*)))
}

/// Takes the module of the request types out of the generated file.
fn request_types(file: &mut syn::File) -> Vec<syn::Item> {
    let is_types = |item: &mut syn::Item| matches!(item, syn::Item::Mod(module) if module.ident == "types");
    let modules = file.items.extract_if(.., is_types).collect::<Vec<_>>();
    let modules =
        modules.into_iter().filter_map(|item| if let syn::Item::Mod(module) = item { module.content } else { None });
    modules.flat_map(|(_, items)| items).collect()
}

/// What the generator makes of a description. It panics where it can go no further.
fn tokens(settings: &GenerationSettings, spec: &OpenAPI) -> Result<proc_macro2::TokenStream, String> {
    let generate = || Generator::new(settings).generate_tokens(spec).map_err(|error| error.to_string());
    panic::catch_unwind(AssertUnwindSafe(generate)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default())
    })
}

/// Which operations the generator fails on: those it fails on alone.
fn blame(settings: &GenerationSettings, spec: &OpenAPI, calls: &[Call], error: &str) -> Vec<String> {
    let faults = calls.iter().filter(|call| call.generated()).filter_map(|call| {
        let mut alone = spec.clone();
        alone.paths.paths.retain(|path, _| path == call.path);
        if let Some(components) = &mut alone.components {
            components.schemas.retain(|name, _| Some(name.as_str()) == call.request || written_by_hand(name).is_some());
        }
        let error = tokens(settings, &alone).err()?;
        Some(format!("{}: {error}", call.name()))
    });
    let faults: Vec<_> = faults.collect();
    if faults.is_empty() { vec![error.to_owned()] } else { faults }
}

/// `new` for each request, with what it cannot do without: the generator gives plain structs with many options.
fn constructors(file: &syn::File) -> Vec<proc_macro2::TokenStream> {
    let types = file.items.iter().filter_map(|item| match item {
        syn::Item::Mod(module) => module.content.as_ref(),
        _ => None,
    });
    let structs = types.flat_map(|(_, items)| items).filter_map(|item| match item {
        syn::Item::Struct(item) if matches!(item.fields, syn::Fields::Named(_)) => Some(item),
        _ => None,
    });
    structs.map(constructor).collect()
}

fn is_bool(kind: &syn::Type) -> bool {
    matches!(kind, syn::Type::Path(path) if path.path.is_ident("bool"))
}

fn constructor(item: &syn::ItemStruct) -> proc_macro2::TokenStream {
    let name = &item.ident;
    let is_optional = |field: &&syn::Field| match &field.ty {
        syn::Type::Path(path) => path.path.segments.last().is_some_and(|segment| segment.ident == "Option"),
        _ => false,
    };
    let (optional, required): (Vec<_>, Vec<_>) = item.fields.iter().partition(is_optional);
    let arguments = required.iter().map(|field| {
        let (name, kind) = (&field.ident, &field.ty);
        if is_bool(kind) { quote!(#name: bool) } else { quote!(#name: impl Into<#kind>) }
    });
    let set = required.iter().map(|field| {
        let name = &field.ident;
        if is_bool(&field.ty) { quote!(#name) } else { quote!(#name: #name.into()) }
    });
    let unset = optional.iter().map(|field| &field.ident);
    quote! {
        impl #name {
            /// With what the operation requires, and nothing else.
            #[must_use]
            pub fn new(#(#arguments),*) -> Self {
                Self { #(#set,)* #(#unset: None,)* }
            }
        }
    }
}

/// The description as far as progenitor can express it, without what the transport adds.
fn expressible(spec: &OpenAPI, calls: &[Call]) -> OpenAPI {
    let ours: BTreeMap<&str, &Call> = calls.iter().map(|call| (call.id(), call)).collect();
    let mut spec = spec.clone();
    for item in spec.paths.paths.values_mut() {
        let ReferenceOr::Item(item) = item else { continue };
        for slot in [&mut item.get, &mut item.post] {
            let Some(call) = slot.as_ref().and_then(|operation| ours.get(operation.operation_id.as_deref()?)) else {
                continue;
            };
            if !call.generated() {
                *slot = None;
                continue;
            }
            let Some(operation) = slot else { continue };
            if let Some(ReferenceOr::Item(RequestBody { content, .. })) = &mut operation.request_body {
                content.shift_remove(MULTIPART);
            }
            if call.authenticated() {
                operation.parameters.retain(|parameter| {
                    !matches!(parameter.as_item(), Some(Parameter::Query { parameter_data, .. })
                        if is_credential(&parameter_data.name))
                });
            }
        }
    }
    spec.paths.paths.retain(|_, item| item.as_item().is_some_and(|item: &PathItem| item.iter().next().is_some()));
    let schemas = spec.components.as_mut().map(|components| &mut components.schemas).expect("checked");
    for call in calls.iter().filter(|call| call.request.is_some()) {
        let name = call.request.expect("filtered");
        let Some(ReferenceOr::Item(Schema { schema_kind: SchemaKind::Type(Type::Object(object)), .. })) =
            schemas.get_mut(name)
        else {
            continue;
        };
        object.properties.retain(|name, property| !(is_file(property) || call.authenticated() && is_credential(name)));
        object.required.retain(|name| object.properties.contains_key(name));
        // An object without properties would become a map.
        object.additional_properties = Some(AdditionalProperties::Any(false));
    }
    let requests: BTreeSet<&str> = calls.iter().filter_map(|call| call.request).collect();
    schemas.retain(|name, _| requests.contains(name.as_str()) || written_by_hand(name).is_some());
    // The generator looks at replaced components too, and would follow them to those just dropped.
    for (name, _) in WRITTEN_BY_HAND {
        if let Some(schema) = schemas.get_mut(*name) {
            *schema = ReferenceOr::Item(Schema {
                schema_data: SchemaData::default(),
                schema_kind: SchemaKind::Type(Type::String(StringType::default())),
            });
        }
    }
    spec
}

fn is_credential(name: &str) -> bool {
    name.eq_ignore_ascii_case("userId") || name == "token"
}

/// Puts the generated client on `crate::api::runtime` instead of `progenitor_client`, whose error prints whole bodies
/// and URLs and would make a 0.x crate part of our interface.
struct OnOurRuntime;

impl VisitMut for OnOurRuntime {
    fn visit_file_mut(&mut self, file: &mut syn::File) {
        file.items.retain(|item| {
            !is_use_of_progenitor(item) && !matches!(item, syn::Item::Mod(item) if item.ident == "prelude")
        });
        visit_mut::visit_file_mut(self, file);
    }

    fn visit_path_mut(&mut self, path: &mut syn::Path) {
        visit_mut::visit_path_mut(self, path);
        if path.segments.first().is_some_and(|segment| segment.ident == "progenitor_client") {
            path.segments[0].ident = format_ident!("runtime");
        }
        // `Error<()>` has no parameter with us.
        if path.segments.len() == 1 && path.segments[0].ident == "Error" {
            path.segments[0].arguments = syn::PathArguments::None;
        }
        // A variant there, a function with us.
        if path.segments.last().is_some_and(|segment| segment.ident == "UnexpectedResponse") {
            *path = syn::parse_quote!(runtime::unexpected);
        }
    }

    fn visit_expr_mut(&mut self, expr: &mut syn::Expr) {
        visit_mut::visit_expr_mut(self, expr);
        // `….build()?` would need our error to be made of any reqwest error, in public.
        if let syn::Expr::Try(attempt) = expr
            && let syn::Expr::MethodCall(call) = &*attempt.expr
            && call.method == "build"
        {
            *expr = syn::parse_quote!(#call.map_err(runtime::not_built)?);
        }
    }

    fn visit_item_struct_mut(&mut self, item: &mut syn::ItemStruct) {
        visit_mut::visit_item_struct_mut(self, item);
        // What the derive prints of an HTTP client is not ours to know.
        if item.ident == "Client" {
            item.attrs.retain(|attribute| !attribute.path().is_ident("derive"));
            item.attrs.push(syn::parse_quote!(#[derive(Clone)]));
        } else {
            // Servers learn options.
            item.attrs.push(syn::parse_quote!(#[non_exhaustive]));
        }
    }

    fn visit_item_impl_mut(&mut self, item: &mut syn::ItemImpl) {
        visit_mut::visit_item_impl_mut(self, item);
        // `new` makes an HTTP client of its own, with a timeout that ends long exports.
        item.items.retain(|item| !matches!(item, syn::ImplItem::Fn(function) if function.sig.ident == "new"));
        for item in &mut item.items {
            if let syn::ImplItem::Fn(function) = item
                && function.sig.ident == "new_with_client"
            {
                function.vis = syn::parse_quote!(pub(crate));
            }
        }
    }
}

fn is_use_of_progenitor(item: &syn::Item) -> bool {
    matches!(item, syn::Item::Use(syn::ItemUse { tree: syn::UseTree::Path(path), .. })
        if path.ident == "progenitor_client")
}

/// What makes a form one that files can be sent with.
fn upload(call: &Call) -> Option<proc_macro2::TokenStream> {
    let field = call.file_field?;
    let request = format_ident!("{}", call.request?);
    let operation = constant(call.id());
    let answer: syn::Type = match call.answer? {
        (JSON, Some(name)) => syn::parse_str(written_by_hand(name)?).ok()?,
        _ => syn::parse_quote!(crate::transport::ByteStream),
    };
    Some(quote! {
        impl FileForm for types::#request {
            type Response = #answer;
        }
        impl crate::wire::MultipartForm for types::#request {
            const OPERATION: &'static Operation = &operations::#operation;
            const FILE_FIELD: &'static str = #field;
        }
    })
}

fn constant(id: &str) -> syn::Ident {
    format_ident!("{}", snake(id).to_uppercase())
}

/// The name the generator gives a method: words are told apart by their capitals.
fn snake(id: &str) -> String {
    let mut name = String::with_capacity(id.len() + 8);
    for letter in id.chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    name
}
