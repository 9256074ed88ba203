//! Names of submitted jobs, and their suffix, which tells one submission from all others.
//!
//! Servers change names before they list them: they cut them, change their case, collapse blanks, replace or escape
//! special characters, or store them in another encoding. The suffix consists of ASCII letters and digits only, is
//! compared without case, and ends within the first 60 bytes of the name, so that it survives all of these.

/// The longest name in bytes. The shortest limit of a server is assumed to be 60 characters, and a character is at
/// least a byte.
const MAX_LENGTH: usize = 60;

/// The length of the suffix. It has almost 50 bits, so that among a million jobs, the chance that any two have the same
/// suffix is 1 in 2000.
const SUFFIX_LENGTH: usize = 10;

/// The letters of a suffix, without those that are easily mistaken for others.
const LETTERS: &[u8] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Returns a name that no other job has: the front of the given name, and a random suffix.
pub(crate) fn unique_name(name: &str) -> String {
    let suffix = loop {
        let suffix: String =
            (0..SUFFIX_LENGTH).map(|_| char::from(LETTERS[fastrand::usize(..LETTERS.len())])).collect();
        // A word or a number in a name that a person chose is no suffix.
        if is_suffix(&suffix) {
            break suffix;
        }
    };
    let front = name.trim();
    let fits = |(start, letter): &(usize, char)| start + letter.len_utf8() < MAX_LENGTH - SUFFIX_LENGTH;
    let front = front.char_indices().take_while(fits).map(|(_, letter)| if letter.is_control() { ' ' } else { letter });
    let front: String = front.collect();
    format!("{}-{suffix}", front.trim_end())
}

/// Returns the suffix of a name that [`unique_name`] made.
pub(crate) fn suffix(name: &str) -> Option<&str> {
    let (_, suffix) = name.trim().rsplit_once('-')?;
    is_suffix(suffix).then_some(suffix)
}

fn is_suffix(text: &str) -> bool {
    let has = |is: fn(&u8) -> bool| text.bytes().any(|letter| is(&letter));
    text.len() == SUFFIX_LENGTH
        && text.bytes().all(|letter| LETTERS.contains(&letter))
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_lowercase)
}

/// Returns `true` if a text of a server contains a suffix, in whatever case.
pub(crate) fn contains(text: &str, suffix: &str) -> bool {
    text.as_bytes().windows(suffix.len()).any(|part| part.eq_ignore_ascii_case(suffix.as_bytes()))
}

/// The relation of a listed name, which does not contain the suffix of a submission, to the name of that submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resemblance {
    /// The name was dropped, or cut before the suffix ends.
    Remnant,
    /// The name is another one. It may still be that of the submission, if the server gives jobs names of its own.
    Other,
    /// The name is that of another submission.
    Foreign,
}

impl Resemblance {
    /// Compares a listed name with the name of a submission.
    pub(crate) fn of(listed: Option<&str>, name: &str) -> Self {
        let (listed, name) = (significant(listed.unwrap_or_default()), significant(name));
        if name.starts_with(&listed) {
            return Self::Remnant;
        }
        let end = listed.len().checked_sub(SUFFIX_LENGTH).map(|start| &listed[start..]);
        if end.is_some_and(is_suffix) { Self::Foreign } else { Self::Other }
    }
}

/// Returns the ASCII letters and digits of a name in lower case: what no server changes.
fn significant(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_name_is_unique_and_ends_with_a_suffix() {
        let names: HashSet<_> = (0..10_000).map(|_| unique_name(" nightly ")).collect();
        assert_eq!(names.len(), 10_000);
        for name in &names {
            assert_eq!(name, &format!("nightly-{}", suffix(name).unwrap()));
        }
    }

    #[test]
    fn a_long_name_is_cut_before_its_suffix_and_has_sixty_bytes() {
        for long in ["ä\n".repeat(500), "x".repeat(49), "日本".repeat(30)] {
            let name = unique_name(&long);
            assert!((58..=60).contains(&name.len()), "{name:?}");
            assert!(!name.contains('\n') && suffix(&name).is_some(), "{name:?}");
        }
        assert_eq!(unique_name("a b").len(), "a b-0123456789".len());
    }

    #[test]
    fn words_and_numbers_are_no_suffixes() {
        for name in ["nightly", "nightly-department", "nightly-2026112601", "nightly-k7m2", "k7m2x9p4q1-nightly"] {
            assert_eq!(suffix(name), None, "{name}");
        }
        assert_eq!(suffix("nightly-k7m2x9p4q1 "), Some("k7m2x9p4q1"));
    }

    #[test]
    fn a_suffix_is_found_whatever_a_server_does_to_the_name() {
        let suffix = "k7m2x9p4q1";
        for listed in [
            "NIGHTLY-K7M2X9P4Q1",
            "nightly_k7m2x9p4q1",
            "Ã¤ nightly&#45;k7m2x9p4q1",
            "nightly%2Dk7m2x9p4q1.zip",
            "k7m2x9p4q1",
        ] {
            assert!(contains(listed, suffix), "{listed}");
        }
        assert!(!contains("nightly-k7m2x9p4q2", suffix) && !contains("", suffix));
    }

    #[test]
    fn a_name_without_the_suffix_is_a_remnant_another_one_or_foreign() {
        let name = "Load Sales-k7m2x9p4q1";
        for (listed, expected) in [
            (None, Resemblance::Remnant),
            (Some(" "), Resemblance::Remnant),
            (Some("load_sa"), Resemblance::Remnant),
            (Some("Load Sales-k7m2"), Resemblance::Remnant),
            (Some("job 17"), Resemblance::Other),
            (Some("Load Sales-z7m2x9p4q1"), Resemblance::Foreign),
            (Some("LOAD_SALES_Z7M2X9P4Q1"), Resemblance::Foreign),
        ] {
            assert_eq!(Resemblance::of(listed, name), expected, "{listed:?}");
        }
    }
}
