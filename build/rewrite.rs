//! The rewrite of progenitor's output.

use quote::format_ident;
use syn::visit_mut::{self, VisitMut};

/// Makes the generated client use `crate::api::runtime` instead of `progenitor_client`.
///
/// The error type of `progenitor_client` prints whole bodies and URLs, and it would make a 0.x crate part of the public
/// API of this crate.
pub(crate) fn use_crate_runtime(file: &mut syn::File) {
    RuntimeRewriter.visit_file_mut(file);
}

struct RuntimeRewriter;

impl VisitMut for RuntimeRewriter {
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
        // The error type of progenitor is `Error<()>`; the one of this crate is not generic.
        if path.segments.len() == 1 && path.segments[0].ident == "Error" {
            path.segments[0].arguments = syn::PathArguments::None;
        }
        // The error type of this crate has a function instead of this variant.
        if path.segments.last().is_some_and(|segment| segment.ident == "UnexpectedResponse") {
            *path = syn::parse_quote!(runtime::unexpected);
        }
    }

    fn visit_expr_mut(&mut self, expr: &mut syn::Expr) {
        visit_mut::visit_expr_mut(self, expr);
        // `….build()?` would require a public conversion from every reqwest error.
        if let syn::Expr::Try(attempt) = expr
            && let syn::Expr::MethodCall(call) = &*attempt.expr
            && call.method == "build"
        {
            *expr = syn::parse_quote!(#call.map_err(runtime::not_built)?);
        }
    }

    fn visit_item_struct_mut(&mut self, item: &mut syn::ItemStruct) {
        visit_mut::visit_item_struct_mut(self, item);
        if item.ident == "Client" {
            // A derived `Debug` would print the internals of the HTTP client.
            item.attrs.retain(|attribute| !attribute.path().is_ident("derive"));
            item.attrs.push(syn::parse_quote!(#[derive(Clone)]));
        } else {
            // Newer servers have more options.
            item.attrs.push(syn::parse_quote!(#[non_exhaustive]));
        }
    }

    fn visit_item_impl_mut(&mut self, item: &mut syn::ItemImpl) {
        visit_mut::visit_item_impl_mut(self, item);
        // `new` creates its own HTTP client, with a timeout that aborts long exports.
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
