//! Pages about subjects that belong to no single type.

#[doc = include_str!("../docs/operations.md")]
pub mod operations {}

#[doc = include_str!("../docs/tracing.md")]
pub mod tracing {}
