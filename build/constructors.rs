//! A function `new` for each request type.

use proc_macro2::TokenStream;
use quote::quote;

/// Generates the constructors. Without them, a caller would have to list dozens of optional fields.
pub(crate) fn constructors(file: &syn::File) -> Vec<TokenStream> {
    let modules = file.items.iter().filter_map(|item| match item {
        syn::Item::Mod(module) => module.content.as_ref(),
        _ => None,
    });
    let structs = modules.flat_map(|(_, items)| items).filter_map(|item| match item {
        syn::Item::Struct(item) if matches!(item.fields, syn::Fields::Named(_)) => Some(item),
        _ => None,
    });
    structs.map(constructor).collect()
}

fn constructor(item: &syn::ItemStruct) -> TokenStream {
    let name = &item.ident;
    let (optional, required): (Vec<_>, Vec<_>) = item.fields.iter().partition(|field| is_option(&field.ty));
    let arguments = required.iter().map(|field| {
        let (name, ty) = (&field.ident, &field.ty);
        if is_bool(ty) { quote!(#name: bool) } else { quote!(#name: impl Into<#ty>) }
    });
    let assignments = required.iter().map(|field| {
        let name = &field.ident;
        if is_bool(&field.ty) { quote!(#name) } else { quote!(#name: #name.into()) }
    });
    let optional = optional.iter().map(|field| &field.ident);
    let docs = if required.is_empty() {
        " Creates a request without any of its optional fields."
    } else {
        " Creates a request from its required fields, without any of its optional fields."
    };
    quote! {
        impl #name {
            #[doc = #docs]
            #[must_use]
            pub fn new(#(#arguments),*) -> Self {
                Self { #(#assignments,)* #(#optional: None,)* }
            }
        }
    }
}

fn is_bool(ty: &syn::Type) -> bool {
    matches!(ty, syn::Type::Path(path) if path.path.is_ident("bool"))
}

fn is_option(ty: &syn::Type) -> bool {
    match ty {
        syn::Type::Path(path) => path.path.segments.last().is_some_and(|segment| segment.ident == "Option"),
        _ => false,
    }
}
