//! The pages of `docs/guide`: each is in the documentation and in the index, its links lead to pages, and the tests that
//! it names exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the pages, without their index.
fn pages() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("docs/guide")).unwrap();
    let mut pages: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    pages.retain(|page| !page.ends_with("README.md"));
    pages.sort();
    assert!(pages.len() > 15, "{pages:?}");
    pages
}

/// Returns the blocks of a language in a page.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}");
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while lines.by_ref().any(|line| line == fence) {
        blocks.push(lines.by_ref().take_while(|line| *line != "```").collect::<Vec<_>>().join("\n"));
    }
    blocks
}

/// Returns the links of a page that are defined at its end, as label and target.
fn definitions(text: &str) -> Vec<(&str, &str)> {
    text.lines().filter_map(|line| line.strip_prefix('[')?.split_once("]: ")).collect()
}

#[test]
fn every_page_is_in_the_documentation_and_in_the_index() {
    let (modules, index) = (read("src/guide.rs"), read("docs/guide/README.md"));
    for page in pages() {
        let name = page.file_name().unwrap().to_str().unwrap();
        let (label, module) = (name.trim_end_matches(".md"), name.trim_end_matches(".md").replace('-', "_"));
        assert!(modules.contains(&format!("page!({module}, \"guide/{name}\");")), "{name} is not in src/guide.rs");
        assert!(index.contains(&format!("[{label}]: {name}\n")), "{name} is not in docs/guide/README.md");
    }
}

#[test]
fn every_link_between_pages_leads_to_a_page_here_and_in_the_documentation() {
    let in_documentation = read("src/guide/links.md");
    let in_documentation: BTreeSet<_> = definitions(&in_documentation).into_iter().map(|(label, _)| label).collect();
    let index = root().join("docs/guide/README.md");
    for page in pages().into_iter().chain([index]) {
        let text = fs::read_to_string(&page).unwrap();
        let defined = definitions(&text);
        for (label, target) in &defined {
            assert!(page.parent().unwrap().join(target).is_file(), "{}: {target} is no file", page.display());
            // The emulator has a module of its own.
            let is_known = in_documentation.contains(label) || *label == "emulator";
            assert!(is_known, "{}: [{label}] is not in src/guide/links.md", page.display());
            assert!(text.contains(&format!("][{label}]")), "{}: nothing links to [{label}]", page.display());
        }
        let used = text.split("][").skip(1).filter_map(|rest| rest.split_once(']')).map(|(label, _)| label);
        for label in used.filter(|label| label.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-')) {
            let is_defined = defined.iter().any(|(known, _)| *known == label);
            assert!(is_defined, "{}: [{label}] is not defined", page.display());
        }
    }
}

#[test]
fn every_test_that_shows_a_promise_exists() {
    let page = read("docs/guide/promises.md");
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| promise |"));
    let mut count = 0;
    for row in rows {
        let parts: Vec<_> = row.rsplit(" | ").next().unwrap().trim_end_matches(" |").split('`').collect();
        let [_, test, " in ", file, ..] = parts[..] else { panic!("names no test in a file: {row}") };
        // After the name of a function come its parameters.
        let is_there = read(file).contains(&format!("fn {test}("));
        assert!(is_there, "{file} has no test {test}");
        count += 1;
    }
    assert!(count > 40, "only {count} promises were found");
    let run = page.lines().find_map(|line| line.strip_prefix("cargo test --all-features ")).unwrap();
    assert!(page.contains(&format!("| `{run}")), "{run} is none of the tests");
}

#[test]
fn every_manifest_is_yaml() {
    let manifests: Vec<_> =
        pages().iter().flat_map(|page| blocks(&fs::read_to_string(page).unwrap(), "yaml")).collect();
    assert!(!manifests.is_empty());
    for manifest in manifests {
        let manifest: yaml_serde::Value = yaml_serde::from_str(&manifest).unwrap();
        assert!(manifest["kind"].is_string(), "{manifest:?}");
    }
}
