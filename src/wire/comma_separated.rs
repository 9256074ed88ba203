//! Lists that the API takes as one text.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::Error;

/// A list that is sent as one text, with commas between its items: `fdd,fdr`.
///
/// ```
/// use sqlflow_client::JobId;
/// use sqlflow_client::api::{CommaSeparated, types};
/// use sqlflow_client::lineage::RelationType;
///
/// let mut request = types::ExportFullLineageAsJsonRequest::new();
/// request.job_id = Some(JobId::new("c359aef4"));
/// request.show_relation_type = Some([RelationType::Fdd, RelationType::Fdr].into());
/// let names: CommaSeparated<String> = ["sales", "hr"].into();
/// assert_eq!(names.to_string(), "sales,hr");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct CommaSeparated<T>(Vec<T>);

impl<T> CommaSeparated<T> {
    /// Returns the items.
    #[must_use]
    pub fn items(&self) -> &[T] {
        &self.0
    }
}

impl<T> FromIterator<T> for CommaSeparated<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

impl<T> From<Vec<T>> for CommaSeparated<T> {
    fn from(items: Vec<T>) -> Self {
        Self(items)
    }
}

impl<T, U: Into<T>, const N: usize> From<[U; N]> for CommaSeparated<T> {
    fn from(items: [U; N]) -> Self {
        items.into_iter().map(Into::into).collect()
    }
}

impl<T> IntoIterator for CommaSeparated<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<T: fmt::Display> fmt::Display for CommaSeparated<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, item) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            write!(f, "{item}")?;
        }
        Ok(())
    }
}

impl<T: fmt::Display> Serialize for CommaSeparated<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for CommaSeparated<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        items.map(|item| item.parse().map_err(D::Error::custom)).collect()
    }
}

/// The lists of requests, each with the method that sets it.
const LISTS: [(&str, &str); 5] = [
    ("showRelationType", "relation_types"),
    ("extractedDbsSchemas", "extracted_dbs_schemas"),
    ("excludedDbsSchemas", "excluded_dbs_schemas"),
    ("extractedStoredProcedures", "extracted_stored_procedures"),
    ("extractedViews", "extracted_views"),
];

/// Checks that no list of a request was set to an empty one, which servers take for their default.
///
/// # Errors
/// `InvalidInput` that names the option.
pub(crate) fn check_lists(form: &impl Serialize) -> crate::Result<()> {
    let Ok(Value::Object(fields)) = serde_json::to_value(form) else { return Ok(()) };
    let is_empty = |list: &Value| list.as_str().is_some_and(|text| text.split(',').all(|item| item.trim().is_empty()));
    match LISTS.iter().find(|(field, _)| fields.get(*field).is_some_and(is_empty)) {
        Some((_, option)) => Err(Error::invalid(format!(
            "the list of the option {option} is empty: name at least one, or leave the option out for the default of \
             the server"
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_one_text_with_commas_and_is_read_back() {
        let list = CommaSeparated::from(["a", "b/*"]);
        let json = serde_json::to_string::<CommaSeparated<String>>(&list).unwrap();
        assert_eq!(json, "\"a,b/*\"");
        assert_eq!(serde_json::from_str::<CommaSeparated<String>>(&json).unwrap(), list);
        assert_eq!(serde_json::from_str::<CommaSeparated<String>>("\" a , b/*,\"").unwrap(), list);
        assert_eq!(CommaSeparated::<String>::default().to_string(), "");
    }
}
