//! Suggestions for a name that nothing has.

use crate::LineageInner;

use super::{NamePart, folded, object_name};

/// The number of similar names that an error offers.
const MAX_SUGGESTIONS: usize = 5;
/// Longer names are not compared.
const MAX_COMPARED_LENGTH: usize = 64;
/// Names further apart are not similar.
const MAX_DISTANCE: usize = 2;

/// Returns the qualified names of the objects that have the same name elsewhere, or else a name that differs by a
/// letter or two. If there are none, the name may be that of a column, so those that are similar to its object.
pub(super) fn similar_objects(inner: &LineageInner, query: &[NamePart<'_>]) -> Vec<String> {
    let found = query.iter().rev().take(2).map(|part| similar_to_part(inner, *part));
    found.into_iter().find(|similar| !similar.is_empty()).unwrap_or_default()
}

fn similar_to_part(inner: &LineageInner, part: NamePart<'_>) -> Vec<String> {
    let qualified = |at: &u32| {
        let object = inner.model.objects.get(*at as usize);
        object.map(|object| object_name(inner, *at, object))
    };
    let objects = &inner.names().objects;
    let same = inner.names().ending_in(part);
    if !same.is_empty() {
        return same.iter().filter_map(qualified).take(MAX_SUGGESTIONS).collect();
    }
    similar(part.bare, objects.keys().map(AsRef::as_ref))
        .iter()
        .filter_map(|name| objects.get(name.as_str()))
        .flatten()
        .filter_map(qualified)
        .take(MAX_SUGGESTIONS)
        .collect()
}

/// Returns the names that differ from one by at most two letters, the closest first.
pub(super) fn similar<'t>(name: &str, names: impl Iterator<Item = &'t str>) -> Vec<String> {
    let name = bounded(name);
    let mut close: Vec<(usize, &str)> = names.filter_map(|other| Some((distance(&name, other)?, other))).collect();
    close.sort_unstable();
    close.dedup();
    close.into_iter().take(MAX_SUGGESTIONS).map(|(_, name)| name.to_owned()).collect()
}

/// Returns as much of a name, in lower case, as is needed to tell that it is too long.
fn bounded(name: &str) -> String {
    folded(name).take(MAX_COMPARED_LENGTH + 1).collect()
}

/// Returns the number of letters to add, leave out, change or swap, if it is small.
fn distance(query: &str, other: &str) -> Option<usize> {
    let other = bounded(other);
    let (length, other_length) = (query.chars().count(), other.chars().count());
    if length.abs_diff(other_length) > MAX_DISTANCE || length.max(other_length) > MAX_COMPARED_LENGTH {
        return None;
    }
    let distance = strsim::osa_distance(query, &other);
    // A name of three letters with two of them changed is another name.
    (distance <= MAX_DISTANCE.min(length / 2)).then_some(distance)
}

#[cfg(test)]
mod tests {
    use super::similar;

    #[test]
    fn names_that_differ_by_a_letter_or_two_are_similar() {
        let names = ["orders", "order", "customers"];
        assert_eq!(similar("ordrs", names.into_iter()), ["orders", "order"]);
        assert!(similar("xyz", names.into_iter()).is_empty());
    }

    #[test]
    fn a_name_with_two_letters_swapped_is_the_closest() {
        assert_eq!(similar("ordres", ["order", "orders"].into_iter()), ["orders", "order"]);
    }
}
