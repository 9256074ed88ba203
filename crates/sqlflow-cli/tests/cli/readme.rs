//! The commands in the READMEs and in the guide, run as they stand.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The mark above a block that is not run, with the reason.
const NOT_RUN: &str = "<!-- not run: ";

/// Returns the blocks of shell commands that are to be run.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    let mut is_skipped = false;
    while let Some(line) = lines.next() {
        if line == "```sh" {
            let block: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
            if !is_skipped {
                blocks.push(block.join("\n"));
            }
        }
        is_skipped = line.starts_with(NOT_RUN);
    }
    blocks
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(path, target).unwrap();
        }
    }
}

/// Runs the blocks of a page, one after the other in one directory, and returns their number.
#[cfg(unix)]
fn run(page: &Path) -> usize {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let program = PathBuf::from(env!("CARGO_BIN_EXE_sqlflow"));
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let home = tempfile::tempdir().unwrap();
    copy(&root.join("examples/sql"), &home.path().join("examples/sql"));
    let blocks = blocks(&fs::read_to_string(page).unwrap());
    for block in &blocks {
        let output = Command::new("sh")
            .args(["-euc", block])
            .current_dir(home.path())
            .env_clear()
            .env("PATH", &path)
            .env("HOME", home.path())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}: {}\n{block}\n{}",
            page.display(),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    blocks.len()
}

#[cfg(unix)]
#[test]
fn the_commands_of_the_readmes_succeed() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (readme, expected) in [(package.join("../../README.md"), 1), (package.join("README.md"), 3)] {
        let count = run(&readme);
        assert!(count >= expected, "{}: {count} blocks", readme.display());
    }
}

#[cfg(unix)]
#[test]
fn the_commands_of_the_guide_succeed() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide");
    let count: usize = fs::read_dir(guide).unwrap().map(|page| run(&page.unwrap().path())).sum();
    assert!(count >= 10, "{count} blocks");
}
