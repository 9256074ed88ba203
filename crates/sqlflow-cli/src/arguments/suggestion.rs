//! The word that was probably meant in place of one that does not exist.

/// The similarity from which a word is suggested in place of another, from 0 to 1.
const SIMILAR: f64 = 0.75;

/// Returns the word that was probably meant.
pub(crate) fn similar<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let rated = known.into_iter().map(|known| (strsim::jaro_winkler(known, word), known));
    let best = rated.filter(|(similarity, _)| *similarity >= SIMILAR).max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.map(|(_, known)| known)
}
