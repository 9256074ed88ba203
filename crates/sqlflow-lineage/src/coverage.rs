//! The types of relationships that a lineage can hold.

use super::Lineage;
use super::kinds::RelationType;
use super::model::Model;

/// The types that a request chooses among. All others come unasked.
const ON_REQUEST: [RelationType; 4] = RelationType::DEPENDENCIES;

/// The answer to the question of whether a lineage can hold relationships of one type; returned by
/// [`Lineage::coverage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Coverage {
    /// The type was requested, or the document has relationships of it. If there are none, the SQL has none.
    Included,
    /// The type was not requested. That there are no relationships of it says nothing about the SQL.
    NotRequested,
    /// The document does not tell, and the reader was not told either.
    Unknown,
}

/// The types that were requested from the server, as far as they are known.
#[derive(Clone, Debug, Default)]
pub(super) enum RequestedTypes {
    /// A document, of which it is not known what was requested.
    #[default]
    Unknown,
    /// A document for which these types were requested.
    Known(Vec<RelationType>),
    /// A merge, or a document that says it: the coverage of each type of [`ON_REQUEST`]. That of a merge is the worst of all
    /// parts.
    Merged(Vec<(RelationType, Coverage)>),
}

impl RequestedTypes {
    /// Returns the number of bytes of memory that the types take.
    pub(super) fn heap_bytes(&self) -> usize {
        let word = |kind: &RelationType| match kind {
            RelationType::Other(word) => word.capacity(),
            _ => 0,
        };
        match self {
            Self::Unknown => 0,
            Self::Known(types) => types.capacity() * size_of::<RelationType>() + types.iter().map(word).sum::<usize>(),
            Self::Merged(parts) => {
                parts.capacity() * size_of::<(RelationType, Coverage)>()
                    + parts.iter().map(|(kind, _)| word(kind)).sum::<usize>()
            }
        }
    }
}

impl Lineage {
    /// Returns whether this lineage can hold relationships of a type, so that *there are none* and *they were not
    /// requested* can be distinguished.
    ///
    /// The types that were requested are known if the lineage was exported by a client, or if they were given to the
    /// [`Reader`](crate::Reader::requested_types). A document that has a relationship of a type holds that type. A
    /// [merged](Self::merge) lineage holds a type if all of its parts do. Documents that [`write_json`](Self::write_json) wrote
    /// tell what was known.
    ///
    /// Servers return `fdd` unless other types are requested, and `fdr`, `frd` and `join` only on request. The coverage of
    /// all other types is `Unknown` if there are none.
    ///
    /// ```
    /// use sqlflow_lineage::{Coverage, Lineage, RelationType};
    ///
    /// let document = br#"{"dbobjs": [], "relationships": []}"#;
    /// let lineage = Lineage::from_slice(document)?;
    /// assert_eq!(lineage.coverage(&RelationType::Fdr), Coverage::Unknown);
    ///
    /// let reader = Lineage::reader().requested_types([RelationType::Fdd]);
    /// let lineage = reader.read_slice(document)?;
    /// assert_eq!(lineage.coverage(&RelationType::Fdd), Coverage::Included);
    /// assert_eq!(lineage.coverage(&RelationType::Fdr), Coverage::NotRequested);
    /// # Ok::<(), sqlflow_lineage::ReadError>(())
    /// ```
    #[must_use]
    pub fn coverage(&self, relation: &RelationType) -> Coverage {
        coverage(&self.inner.model, relation)
    }
}

pub(super) fn coverage(model: &Model, relation: &RelationType) -> Coverage {
    let is_present = || {
        let symbol = model.texts.find(relation.as_str());
        symbol.is_some_and(|symbol| model.relationships.iter().any(|one| one.kind == symbol))
    };
    match &model.requested {
        RequestedTypes::Merged(parts) => match parts.iter().find(|(part, _)| part == relation) {
            Some((_, coverage)) => *coverage,
            None if is_present() => Coverage::Included,
            None => Coverage::Unknown,
        },
        RequestedTypes::Known(types) if types.contains(relation) => Coverage::Included,
        _ if is_present() => Coverage::Included,
        RequestedTypes::Known(_) if ON_REQUEST.contains(relation) => Coverage::NotRequested,
        _ => Coverage::Unknown,
    }
}

/// Returns the coverage of each type that servers return on request.
pub(super) fn coverage_on_request(model: &Model) -> [(RelationType, Coverage); 4] {
    each_on_request(|relation| coverage(model, relation))
}

fn each_on_request(coverage: impl Fn(&RelationType) -> Coverage) -> [(RelationType, Coverage); 4] {
    ON_REQUEST.map(|relation| {
        let coverage = coverage(&relation);
        (relation, coverage)
    })
}

impl Coverage {
    /// Returns the word that stands for a coverage in a document that this library wrote.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Included => "included",
            Self::NotRequested => "not_requested",
            Self::Unknown => "unknown",
        }
    }

    /// Returns the coverage of a word; that of another word is not known.
    pub(super) fn of_word(word: &str) -> Self {
        [Self::Included, Self::NotRequested].into_iter().find(|it| it.word() == word).unwrap_or(Self::Unknown)
    }
}

impl RequestedTypes {
    /// Creates the types of a document that tells the coverage of some of them.
    pub(super) fn of_document(told: &[(RelationType, Coverage)]) -> Self {
        let of =
            |relation: &RelationType| told.iter().find(|(told, _)| told == relation).map(|(_, coverage)| *coverage);
        Self::Merged(each_on_request(|relation| of(relation).unwrap_or(Coverage::Unknown)).to_vec())
    }

    /// Returns the coverage of each type that servers return on request, if anything is known beyond the document itself.
    pub(super) fn told(model: &Model) -> Option<[(RelationType, Coverage); 4]> {
        let is_known = !matches!(model.requested, Self::Unknown);
        is_known.then(|| coverage_on_request(model))
    }

    /// Adds a lineage to those that a merge consists of so far.
    pub(super) fn add_part(&mut self, part: &Model) {
        let mut parts = match std::mem::take(self) {
            Self::Merged(parts) => parts,
            Self::Unknown | Self::Known(_) => each_on_request(|_| Coverage::Included).to_vec(),
        };
        for (relation, worst) in &mut parts {
            *worst = (*worst).max(coverage(part, relation));
        }
        *self = Self::Merged(parts);
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{LAYOUT_C1, read};
    use super::*;
    use crate::RelationType::{Er, Fda, Fdd, Fdr, Frd, Join};

    #[test]
    fn a_type_that_the_document_has_is_included() {
        let lineage = read(LAYOUT_C1);
        let known = [Fdd, Fdr, Join].map(|kind| lineage.coverage(&kind));
        assert_eq!(known, [Coverage::Included; 3]);
        assert_eq!(lineage.coverage(&Frd), Coverage::Unknown);
        assert_eq!(lineage.coverage(&Er), Coverage::Unknown);
    }

    #[test]
    fn no_filters_differ_from_filters_that_were_not_requested() {
        let document = br#"{"dbobjs": []}"#;
        let read = |types: &[RelationType]| {
            Lineage::reader().requested_types(types.iter().cloned()).read_slice(document).unwrap()
        };
        assert_eq!(read(&[Fdd, Fdr]).coverage(&Fdr), Coverage::Included);
        assert_eq!(read(&[Fdd]).coverage(&Fdr), Coverage::NotRequested);
        assert_eq!(read(&[Fdd]).coverage(&Fda), Coverage::Unknown, "servers add this type unasked");
    }

    #[test]
    fn a_merged_lineage_holds_a_type_if_all_of_its_parts_do() {
        let document = br#"{"dbobjs": []}"#;
        let with = Lineage::reader().requested_types([Fdd, Fdr]).read_slice(document).unwrap();
        let without = Lineage::reader().requested_types([Fdd]).read_slice(document).unwrap();
        let unknown = Lineage::from_slice(document).unwrap();
        let of = |parts: &[&Lineage]| Lineage::merge(parts.iter().copied()).unwrap().coverage(&Fdr);
        assert_eq!(of(&[&with, &with]), Coverage::Included);
        assert_eq!(of(&[&with, &without, &with]), Coverage::NotRequested);
        assert_eq!(of(&[&unknown, &with]), Coverage::Unknown);
        let twice = Lineage::merge([&with, &without]).unwrap();
        assert_eq!(of(&[&twice, &with]), Coverage::NotRequested);
    }

    #[test]
    fn what_is_known_stays_known_when_a_lineage_is_written_and_read_again() {
        let document = |relationships: &str| {
            format!(
                r#"{{"dbobjs": [{{"id": "1", "name": "t", "type": "table", "columns": [{{"id": "2", "name": "c"}}]}}],
                    "relationships": [{relationships}]}}"#
            )
        };
        let filter = r#"{"id": "3", "type": "fdr", "target": {"id": "2"}, "sources": [{"id": "2"}]}"#;
        let read = |text: &str, types: &[RelationType]| {
            Lineage::reader().requested_types(types.iter().cloned()).read_slice(text.as_bytes()).unwrap()
        };
        let again = |lineage: &Lineage| {
            let mut json = Vec::new();
            lineage.write_json(&mut json).unwrap();
            let again = Lineage::from_slice(&json).unwrap();
            assert_eq!(again.unknown_fields().count(), 0);
            assert_eq!(again, *lineage);
            again
        };
        let coverages = |lineage: &Lineage| ON_REQUEST.map(|relation| lineage.coverage(&relation));
        let values = read(&document(""), &[Fdd]);
        let filters: Lineage = document(filter).parse().unwrap();
        let everything = read(&document(filter), &ON_REQUEST);
        let merged = |parts: [&Lineage; 2]| Lineage::merge(parts).unwrap();
        let (with_values, with_unknown) =
            (merged([&values, &filters]), merged([&filters, &document("").parse().unwrap()]));
        for lineage in [&values, &filters, &everything, &with_values, &with_unknown] {
            assert_eq!(coverages(&again(lineage)), coverages(lineage));
            assert_eq!(coverages(&again(&again(lineage))), coverages(lineage));
        }
        // The filters of one part do not stand for those of the other.
        assert_eq!(again(&with_values).coverage(&Fdr), Coverage::NotRequested);
        assert_eq!(again(&with_unknown).coverage(&Fdr), Coverage::Unknown);
        // Whoever reads the document may know more.
        let mut json = Vec::new();
        with_unknown.write_json(&mut json).unwrap();
        assert_eq!(read(std::str::from_utf8(&json).unwrap(), &[Fdd, Fdr]).coverage(&Fdr), Coverage::Included);
    }
}
