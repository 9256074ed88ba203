//! The hand-written types of the crate that generated code refers to.

use syn::parse_quote;

/// Components of the description and the hand-written types that represent them. No code is generated for these
/// components, nor for components to which only they refer.
pub(crate) const WRITTEN_BY_HAND: &[(&str, &str)] = &[
    ("Envelope", "crate::api::Envelope<::serde_json::Value>"),
    ("TokenEnvelope", "crate::api::TokenEnvelope"),
    ("JobEnvelope", "crate::api::Envelope<crate::job::JobInfo>"),
    ("JobSummaryEnvelope", "crate::api::Envelope<crate::job::JobSummary>"),
    ("JobsEnvelope", "crate::api::Envelope<crate::job::JobsSummary>"),
    ("SyntaxEnvelope", "crate::api::Envelope<crate::api::SyntaxCheck>"),
    ("LineageEnvelope", "crate::api::Envelope<crate::lineage::Lineage>"),
    ("Vendor", "crate::Vendor"),
    ("Password", "crate::Secret"),
    ("SecretKey", "crate::Secret"),
    ("Token", "crate::Secret"),
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
    parse_quote!(crate::ByteStream)
}
