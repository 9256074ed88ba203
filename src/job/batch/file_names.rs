//! The names of the files of a key.

use crate::{Error, Result};

/// The maximum length of a name without its extension. With the additions while a file is written,
/// `.name.full.json.a1B2c3.part`, it is well below the 255 bytes that file systems allow.
const MAX_STEM_BYTES: usize = 200;
/// The number of characters of a hash, of five bits each.
const HASH_LENGTH: usize = 13;
const HASH_CHARACTERS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
/// The readable part of the name of a key in which nothing is readable.
const UNREADABLE: &str = "key";
/// The names of devices on Windows, which are devices with any extension too.
const DEVICES: [&str; 7] = ["con", "prn", "aux", "nul", "conin$", "conout$", "clock$"];

/// Returns the name of the files of a key, without an extension. It depends on nothing but the key.
///
/// A key of lower-case letters, digits, `.`, `_` and `-` is its own name if that is valid everywhere. The name of any
/// other key is its readable part and a hash of the key. Names of two keys differ even where a file system ignores case
/// or normalizes Unicode: a hash has no upper case and nothing but ASCII.
///
/// # Errors
/// `InvalidInput` for an empty key.
pub(super) fn file_stem(key: &str) -> Result<String> {
    if key.is_empty() {
        return Err(Error::invalid("the key is empty: give a key, because files are named after it"));
    }
    if is_file_stem(key) {
        return Ok(key.to_owned());
    }
    Ok(format!("{}-{}", readable_part(key), hash(key)))
}

/// Returns `true` if a key can be the name of its files.
fn is_file_stem(key: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-');
    key.len() <= MAX_STEM_BYTES
        && key.bytes().all(is_plain)
        && !key.starts_with('.')
        && !key.ends_with('.')
        // Otherwise the full lineage of `a` and the drawn lineage of `a.full` would be the same file.
        && key.rsplit_once('.').is_none_or(|(_, end)| end != "full")
        && !is_device(key)
        && !ends_with_hash(key)
}

/// Returns `true` if Windows takes a file of this name for a device, whatever its extension.
fn is_device(stem: &str) -> bool {
    let base = stem.split('.').next().unwrap_or_default().to_lowercase();
    let is_port = |name: &str| {
        let number = base.strip_prefix(name).unwrap_or_default();
        number.chars().count() == 1 && number.chars().all(|digit| digit.is_ascii_digit() || "¹²³".contains(digit))
    };
    DEVICES.contains(&base.as_str()) || is_port("com") || is_port("lpt")
}

fn ends_with_hash(key: &str) -> bool {
    key.rsplit_once('-')
        .is_some_and(|(_, end)| end.len() == HASH_LENGTH && end.bytes().all(|byte| HASH_CHARACTERS.contains(&byte)))
}

/// Returns what a person can recognize the key by: its letters, digits, `.`, `_` and `-`, with `_` in place of other
/// characters. The end of a long key is kept, because paths and qualified names differ there.
fn readable_part(key: &str) -> String {
    let mut readable = String::new();
    for letter in key.chars() {
        let is_kept = letter.is_alphanumeric() || matches!(letter, '.' | '-');
        match (is_kept, readable.chars().next_back()) {
            (true, Some('.')) if letter == '.' => {}
            (true, _) => readable.push(letter),
            // A step such as `./` or `../` says nothing.
            (false, Some('.')) if readable.len() == 1 => readable.clear(),
            (false, None | Some('_')) => {}
            (false, Some(_)) => readable.push('_'),
        }
    }
    let separators = ['.', '_', '-'];
    let max_length = MAX_STEM_BYTES - HASH_LENGTH - "_-".len();
    let mut start = readable.len().saturating_sub(max_length);
    while !readable.is_char_boundary(start) {
        start += 1;
    }
    let readable = readable[start..].trim_matches(separators);
    if readable.is_empty() {
        return UNREADABLE.to_owned();
    }
    if is_device(readable) { format!("_{readable}") } else { readable.to_owned() }
}

/// Returns 64 bits of the hash FNV-1a of a key, which is the same on every platform and in every version.
fn hash(key: &str) -> String {
    const OFFSET_BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let hash = key.bytes().fold(OFFSET_BASIS, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME));
    let mut bits = hash ^ (hash >> 64);
    let mut characters = [0; HASH_LENGTH];
    for character in characters.iter_mut().rev() {
        // Five bits, which are always an index of the array.
        *character = HASH_CHARACTERS[(bits & 31) as usize];
        bits >>= 5;
    }
    characters.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};
    use std::path::PathBuf;

    use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};

    use super::super::files::ExportTarget;
    use super::*;
    use crate::ErrorKind;
    use crate::job::ExportFormat;

    const FORMATS: [ExportFormat; 4] =
        [ExportFormat::Json, ExportFormat::FullJson, ExportFormat::Csv, ExportFormat::Graphml];

    #[test]
    fn keys_that_are_valid_everywhere_are_their_own_names() {
        for key in ["nightly-2024.01_x", "a", "0", "-x", "_", "a.full.json", "console", "com", "com10", "x-0123456789"]
        {
            assert_eq!(file_stem(key).unwrap(), key);
        }
    }

    #[test]
    fn other_keys_have_a_readable_part_and_a_hash() {
        for (key, readable) in [
            ("etl/orders.sql", "etl_orders.sql"),
            ("/srv/ann/etl/orders.sql", "srv_ann_etl_orders.sql"),
            ("./etl/orders.sql", "etl_orders.sql"),
            ("../../etc/passwd", "etc_passwd"),
            ("C:\\etl\\Orders.sql", "C_etl_Orders.sql"),
            ("Orders", "Orders"),
            ("two  words", "two_words"),
            ("größe", "größe"),
            ("表", "表"),
            (".hidden", "hidden"),
            ("x.", "x"),
            ("a.full", "a.full"),
            ("nul", "_nul"),
            ("NUL.sql", "_NUL.sql"),
            ("com1", "_com1"),
            ("lpt².x", "_lpt².x"),
            ("nul/", "_nul"),
            ("a-0123456789abc", "a-0123456789abc"),
            (".", "key"),
            ("..", "key"),
            ("%/\0\n ", "key"),
        ] {
            let name = file_stem(key).unwrap();
            assert_eq!(name.len(), readable.len() + 1 + HASH_LENGTH, "{key}: {name}");
            assert!(name.starts_with(&format!("{readable}-")), "{key}: {name}");
            assert!(ends_with_hash(&name), "{name}");
        }
    }

    #[test]
    fn the_hash_is_the_same_in_every_version() {
        for (key, name) in [("Orders", "Orders-smpvb75nqjd1b"), ("etl/orders.sql", "etl_orders.sql-v0n5ap56rtee7")] {
            assert_eq!(file_stem(key).unwrap(), name);
        }
    }

    #[test]
    fn the_end_of_a_long_key_is_readable() {
        for key in ["x".repeat(10_000) + "/orders", "ä".repeat(10_000) + "/orders", "/".repeat(10_000) + "orders"] {
            let name = file_stem(&key).unwrap();
            assert!(name.len() <= MAX_STEM_BYTES && name.contains("orders-"), "{name}");
        }
    }

    #[test]
    fn an_empty_key_is_refused() {
        assert_eq!(file_stem("").unwrap_err().kind(), ErrorKind::InvalidInput);
    }

    /// Fails unless a file name is valid on Unix, Windows and macOS, and can be extended while the file is written.
    fn assert_valid(file: &str) {
        assert!(file.len() + "..a1B2c3.part".len() <= 255, "{file}");
        let is_forbidden = |letter: char| letter.is_control() || "<>:\"/\\|?*".contains(letter);
        assert!(!file.contains(is_forbidden), "{file}");
        assert!(!file.starts_with(['.', ' ']) && !file.ends_with(['.', ' ']), "{file}");
        assert!(!is_device(file), "{file}");
    }

    /// Returns what a file system that ignores case and normalizes Unicode may take a name for.
    fn folded(file: &str) -> [String; 3] {
        let cases = [file.to_lowercase(), file.to_uppercase().to_lowercase()];
        let [lower, twice] = cases;
        [
            ComposingNormalizerBorrowed::new_nfc().normalize(&lower).into_owned(),
            DecomposingNormalizerBorrowed::new_nfd().normalize(&twice).into_owned(),
            ComposingNormalizerBorrowed::new_nfkc().normalize(&twice).into_owned(),
        ]
    }

    #[test]
    fn no_two_keys_share_a_file_on_any_platform() {
        const PIECES: &[&str] = &[
            "a",
            "A",
            "orders",
            "Orders",
            "ORDERS",
            "ß",
            "ss",
            "ẞ",
            "ﬁ",
            "fi",
            "é",
            "e\u{301}",
            "Å",
            "Å",
            "ı",
            "i",
            "İ",
            "K",
            "k",
            "Ω",
            "Ω",
            "表",
            "\u{301}",
            "¹",
            "1",
            "²",
            "nul",
            "NUL",
            "con",
            "com",
            "lpt",
            "aux",
            ".",
            "..",
            ".full",
            ".FULL",
            ".json",
            ".csv",
            ".full.json",
            "-",
            "_",
            "/",
            "//",
            "\\",
            "%",
            "%2F",
            "%2f",
            " ",
            "  ",
            ":",
            "\0",
            "\n",
            "?",
            "*",
            "\u{200b}",
            "🦀",
            "0123456789abc",
            "-0123456789abc",
            "\u{fffd}",
            "~1",
            "'",
            "ǆ",
            "Ǆ",
        ];
        let mut random = fastrand::Rng::with_seed(12);
        let mut keys: HashSet<String> = PIECES.iter().map(|piece| (*piece).to_owned()).collect();
        for one in PIECES {
            keys.extend(PIECES.iter().map(|two| format!("{one}{two}")));
        }
        for _ in 0..20_000 {
            let length = random.usize(1..8);
            keys.insert((0..length).map(|_| PIECES[random.usize(..PIECES.len())]).collect());
        }
        for _ in 0..1_000 {
            let letter = PIECES[random.usize(..PIECES.len())];
            keys.insert(letter.repeat(random.usize(1..400)));
        }
        // The name of a key is a key too.
        let names: Vec<_> = keys.iter().map(|key| file_stem(key).unwrap()).collect();
        keys.extend(names);
        let mut files: [HashMap<String, &str>; 3] = Default::default();
        for key in &keys {
            let name = file_stem(key).unwrap();
            assert!(name.len() <= MAX_STEM_BYTES, "{name}");
            for format in FORMATS {
                let file = ExportTarget { format, directory: PathBuf::new() }.file(&name);
                let file = file.to_str().unwrap();
                assert_valid(file);
                for (files, folded) in files.iter_mut().zip(folded(file)) {
                    if let Some(other) = files.insert(folded, key) {
                        panic!("{key:?} and {other:?} share {file}");
                    }
                }
            }
        }
    }
}
