//! The documentation is written in plain English: summary lines say what an item does or is, and some phrases that
//! readers had to decode stay out of the repository.

use std::fs;
use std::path::{Path, PathBuf};

/// The words that a summary line must not begin with: it says what an item does or is, and asks no question.
const QUESTION_WORDS: [&str; 9] = ["What", "How", "Whether", "Which", "Where", "When", "Why", "Who", "Its"];

/// The phrases to avoid, in lower case, each with what to write instead. Add to them when a review finds another.
const PHRASES: &[(&str, &str)] = &[
    ("of one's own", "self-hosted, or your own"),
    ("is none told", "name the case that is not reported"),
    ("none is told", "name the case that is not reported"),
    ("is given up at", "is cancelled, or fails"),
    ("is borne", "is tolerated"),
    ("are borne", "are tolerated"),
    ("to be had", "available"),
    ("all the same when", "even when"),
    ("whom", "use a noun"),
    ("befall", "apply to"),
    ("taken are", "accepts"),
    ("left out is", "write subject, verb, object"),
    ("left out are", "write subject, verb, object"),
    ("told apart", "distinguished"),
    ("likewise", "also, or the same"),
    ("not any more)", "has been deleted"),
    ("the way of the job", "the life of the job"),
    ("answer of the server", "response"),
    ("answer of a server", "response"),
    ("lost answer", "lost response"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the files below a path whose extension is one of these.
fn files(path: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let fits = |path: &PathBuf| path.extension().is_some_and(|it| extensions.iter().any(|extension| it == *extension));
    // Fixtures are the words of others.
    let paths = paths.into_iter().filter(|path| !path.ends_with("fixtures") && !path.ends_with("target"));
    paths.flat_map(|path| if path.is_dir() { files(&path, extensions) } else { vec![path] }).filter(fits).collect()
}

fn sources() -> Vec<PathBuf> {
    let places = ["build.rs", "build", "src", "tests", "examples", "benches", "fuzz/fuzz_targets", "crates"];
    let all = places.iter().flat_map(|place| files(&root().join(place), &["rs"]));
    all.filter(|path| !path.ends_with("tests/language.rs")).collect()
}

/// Returns the first lines of all doc comments of a source file, with their line numbers.
fn summaries(text: &str) -> Vec<(usize, &str)> {
    let doc = |line: &'_ str| -> Option<usize> {
        let line = line.trim_start();
        ["///", "//!"].iter().find(|mark| line.starts_with(**mark)).map(|mark| mark.len())
    };
    let mut found = Vec::new();
    let mut is_within = false;
    for (index, line) in text.lines().enumerate() {
        let mark = doc(line);
        if let (Some(length), false) = (mark, is_within) {
            found.push((index + 1, line.trim_start()[length..].trim()));
        }
        is_within = mark.is_some();
    }
    found
}

fn begins_with_a_question_word(summary: &str) -> bool {
    let word: String = summary.chars().take_while(|letter| letter.is_alphabetic()).collect();
    QUESTION_WORDS.contains(&word.as_str()) || word == "Whose"
}

#[test]
fn no_summary_line_begins_with_a_question_word() {
    let mut found = Vec::new();
    let mut checked = 0;
    for path in sources() {
        let text = fs::read_to_string(&path).unwrap();
        for (line, summary) in summaries(&text) {
            checked += 1;
            if begins_with_a_question_word(summary) {
                found.push(format!("{}:{line}: {summary}", path.strip_prefix(root()).unwrap().display()));
            }
        }
    }
    assert!(checked > 1000, "only {checked} summary lines were found");
    assert!(found.is_empty(), "{} summary lines ask instead of saying:\n{}", found.len(), found.join("\n"));
}

#[test]
fn no_phrase_has_to_be_decoded() {
    let mut texts = sources();
    for place in ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs", "swagger.yaml"] {
        texts.extend(files(&root().join(place), &["md", "yaml"]));
    }
    texts.extend(files(&root().join("crates"), &["md"]));
    let mut found = Vec::new();
    for path in texts {
        let text = fs::read_to_string(&path).unwrap().to_lowercase();
        for (index, line) in text.lines().enumerate() {
            for (phrase, instead) in PHRASES.iter().filter(|(phrase, _)| line.contains(phrase)) {
                let place = path.strip_prefix(root()).unwrap().display();
                found.push(format!("{place}:{}: \"{phrase}\" (write: {instead})", index + 1));
            }
        }
    }
    assert!(found.is_empty(), "{} phrases to decode:\n{}", found.len(), found.join("\n"));
}

#[test]
fn a_question_in_a_summary_is_found() {
    let text = "/// Whether it is final.\n/// Its state.\nfn f() {}\n\n/// Returns it.\n/// When it is there.\nfn g() {}\n//! How it works.\n";
    let found: Vec<_> =
        summaries(text).into_iter().filter(|(_, summary)| begins_with_a_question_word(summary)).collect();
    assert_eq!(found, [(1, "Whether it is final."), (8, "How it works.")]);
}
