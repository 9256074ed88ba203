//! The constants of `operations.rs`.

use proc_macro2::TokenStream;
use quote::quote;

use crate::docs;
use crate::spec::OperationSpec;

/// Generates a constant for each operation, the list of all, and the lookup by method name.
pub(crate) fn constants(operations: &[OperationSpec]) -> TokenStream {
    let constants = operations.iter().map(constant);
    let names = operations.iter().map(OperationSpec::constant);
    let arms = operations.iter().map(|operation| {
        let (method_name, constant) = (operation.method_name(), operation.constant());
        quote!(#method_name => Some(&#constant),)
    });
    quote! {
        use super::Operation;
        #(#constants)*
        /// All operations of the API, in the order of `swagger.yaml`.
        pub const ALL: &[Operation] = &[#(#names),*];
        /// Returns the operation that a method of the generated client calls.
        pub(crate) fn of_method(name: &str) -> Option<&'static Operation> {
            match name { #(#arms)* _ => None }
        }
    }
}

fn constant(operation: &OperationSpec) -> TokenStream {
    let name = operation.constant();
    let docs = docs::constant_docs(operation);
    let (id, method, path) = (operation.id(), operation.method.to_uppercase(), operation.path);
    let (generated, multipart) = (operation.has_method(), operation.is_multipart());
    let (user_id, token) = (operation.is_authenticated(), operation.takes_token());
    let (returns_file, repeatable) = (operation.returns_file(), operation.is_repeatable());
    let (relation_types, may_be_json) = (operation.takes_relation_types(), operation.may_be_json());
    let returns_secret = path.starts_with("/user/");
    quote! {
        #(#docs)*
        pub const #name: Operation = Operation {
            id: #id, method: #method, path: #path, generated: #generated, multipart: #multipart,
            user_id: #user_id, token: #token,
            relation_types: #relation_types, returns_file: #returns_file, may_be_json: #may_be_json, returns_secret: #returns_secret,
            repeatable: #repeatable,
        };
    }
}
