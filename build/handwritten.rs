//! The hand-written types of the crate that generated code refers to.

use syn::parse_quote;

/// Components of the description and the hand-written types that represent them. No code is generated for these
/// components, nor for components to which only they refer.
pub(crate) const WRITTEN_BY_HAND: &[(&str, &str)] = &[
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
    ("JobId", "crate::wire::JobId"),
    ("Names", "crate::wire::CommaSeparated<::std::string::String>"),
    ("RelationTypes", "crate::wire::CommaSeparated<::sqlflow_lineage::RelationType>"),
    ("UserId", "::std::string::String"),
];

/// Returns the hand-written type that represents a component.
pub(crate) fn rust_type(component: &str) -> Option<&'static str> {
    WRITTEN_BY_HAND.iter().find(|(name, _)| *name == component).map(|(_, rust_type)| *rust_type)
}

/// The type through which the generated client sends its requests.
pub(crate) fn transport() -> syn::Type {
    parse_quote!(crate::transport::Transport)
}

/// The type of a response that is a file.
pub(crate) fn byte_stream() -> syn::Type {
    parse_quote!(crate::transport::ByteStream)
}
