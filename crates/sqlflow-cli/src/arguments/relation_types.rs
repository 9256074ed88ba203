//! The types of relationships.

use sqlflow_client::lineage::RelationType;

/// Reads a type of relationships.
///
/// # Errors
/// A type that does not exist.
pub(crate) fn relation_type(text: &str) -> Result<RelationType, String> {
    match RelationType::from(text.trim().to_ascii_lowercase().as_str()) {
        RelationType::Other(_) => {
            let names: Vec<_> = RelationType::KNOWN.iter().map(RelationType::as_str).collect();
            Err(format!("there is no relation type '{text}'; use {}", names.join(", ")))
        }
        known => Ok(known),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_types_that_exist_are_read() {
        assert_eq!(relation_type("FDD"), Ok(RelationType::Fdd));
        assert!(relation_type("bogus").unwrap_err().contains("fdd, "));
    }
}
