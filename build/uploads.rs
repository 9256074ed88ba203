//! The multipart forms, which progenitor cannot generate.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use crate::handwritten;
use crate::spec::OperationSpec;

/// Generates the implementations that let a request be sent together with files, if its operation takes files.
pub(crate) fn file_form(operation: &OperationSpec) -> Option<TokenStream> {
    let field = operation.file_field?;
    let request = format_ident!("{}", operation.request?);
    let constant = operation.constant();
    let component = operation.response?.component.filter(|_| !operation.returns_file());
    let response = match component {
        Some(name) => syn::parse_str(handwritten::rust_type(name)?).ok()?,
        None => handwritten::byte_stream(),
    };
    Some(quote! {
        impl FileForm for types::#request {
            type Response = #response;
        }
        impl crate::wire::MultipartForm for types::#request {
            const OPERATION: &'static Operation = &operations::#constant;
            const FILE_FIELD: &'static str = #field;
        }
    })
}
