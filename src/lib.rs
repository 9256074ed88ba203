//! A client for the REST API of SQLFlow. So far: its data lineage as typed data.

pub mod lineage;

pub use crate::lineage::Lineage;
