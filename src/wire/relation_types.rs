//! The relation types of a request, which decide what its lineage can hold.

use sqlflow_lineage::RelationType;

use super::CommaSeparated;

/// The relation types that servers return unless a request names others.
const DEFAULT: &str = "fdd";

/// The relation types in a request.
pub(crate) type RelationTypes = CommaSeparated<RelationType>;

/// Returns the relation types that a request asks for with this list, which is separated by commas. Without one, or
/// with an empty one, it asks for the default of servers.
pub(crate) fn relation_types(list: Option<&str>) -> Vec<RelationType> {
    let list = list.filter(|list| !list.trim().is_empty()).unwrap_or(DEFAULT);
    let names = list.split(',').map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty());
    names.map(|name| RelationType::from(name.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_whatever_its_case_and_spaces_and_none_means_the_default() {
        assert_eq!(relation_types(Some("FDD, fdr,")), [RelationType::Fdd, RelationType::Fdr]);
        assert_eq!(relation_types(Some("new")), [RelationType::Other("new".to_owned())]);
        assert_eq!(relation_types(None), [RelationType::Fdd]);
        assert_eq!(relation_types(Some(" ")), [RelationType::Fdd]);
    }
}
