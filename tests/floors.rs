//! The modules of the SDK stand on floors, and a module imports only from floors below its own; the crates of the
//! workspace have walls. `CONTRIBUTING.md` draws the same map.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules of each floor, from the lowest to the highest. Modules of one floor stand in the order in which they may
/// import: `transport` imports from `retry`, and never the other way round.
const FLOORS: &[(u32, &[&str])] = &[
    (0, &["sync", "error"]),
    (1, &["wire"]),
    (2, &["retry", "auth", "transport"]),
    (3, &["api"]),
    (4, &["job", "analysis"]),
    (5, &["client", "emulator"]),
    // Pages without code.
    (6, &["guide"]),
];

/// The names that `lib.rs` re-exports, with the module that each comes from.
const RE_EXPORTS: &[(&str, &str)] = &[
    ("Error", "error"),
    ("ErrorKind", "error"),
    ("RequestOutcome", "error"),
    ("Result", "error"),
    ("JobId", "wire"),
    ("JobStatus", "wire"),
    ("Secret", "wire"),
    ("Vendor", "wire"),
    ("Credentials", "auth"),
    ("SecretFuture", "auth"),
    ("SecretProvider", "auth"),
    ("UserSecret", "auth"),
    ("ByteStream", "transport"),
    ("Job", "job"),
    ("Client", "client"),
    ("ClientBuilder", "client"),
    ("TlsBackend", "client"),
];

/// The lineage crate, which is below every floor.
const OUTSIDE: [&str; 2] = ["lineage", "Lineage"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the height of a module: floors count first, then the order within a floor.
fn height(module: &str) -> Option<usize> {
    FLOORS.iter().flat_map(|(_, modules)| *modules).position(|name| *name == module)
}

/// Returns the source files below a directory.
fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let is_source = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "rs");
    paths
        .into_iter()
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
        .filter(is_source)
        .collect()
}

/// Returns the code of a file without its comments and without what follows `#[cfg(test)]`: tests may use everything.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns the names directly after `crate::` in some code: of single paths and of lists in braces.
fn imports(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (start, path) in code.match_indices("crate::") {
        // `$crate::` and `other_crate::` are other paths.
        if code[..start].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == '$') {
            continue;
        }
        let rest = &code[start + path.len()..];
        match rest.strip_prefix('{') {
            None => drop(names.insert(identifier(rest))),
            Some(list) => {
                let mut depth = 0;
                let mut expects_name = true;
                for (index, letter) in list.char_indices() {
                    match letter {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => expects_name = true,
                        _ if expects_name && !letter.is_whitespace() => {
                            names.insert(identifier(&list[index..]));
                            expects_name = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    names.remove("self");
    names
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

/// Returns every import of a source tree that runs up, or whose module is not on the map.
fn arrows_up(src: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for path in sources(src) {
        let relative = path.strip_prefix(src).unwrap();
        let first = relative.components().next().unwrap().as_os_str().to_string_lossy();
        let module = first.trim_end_matches(".rs");
        // The floor of tests is above all others.
        if module == "lib" || path.file_stem().is_some_and(|name| name == "tests") {
            continue;
        }
        let Some(from) = height(module) else {
            found.push(format!("{}: the module {module} stands on no floor: add it to the map", relative.display()));
            continue;
        };
        for name in imports(&code(&path)) {
            if OUTSIDE.contains(&name.as_str()) || name == module {
                continue;
            }
            let target =
                RE_EXPORTS.iter().find(|(export, _)| *export == name).map_or(name.as_str(), |(_, module)| module);
            match height(target) {
                None => found.push(format!("{}: `crate::{name}` is on no floor", relative.display())),
                Some(to) if to > from => {
                    found.push(format!("{}: {module} imports `crate::{name}`, which is above it", relative.display()));
                }
                Some(_) => {}
            }
        }
    }
    found
}

#[test]
fn every_import_of_the_sdk_runs_down() {
    assert_eq!(arrows_up(&root().join("src")), Vec::<String>::new());
}

#[test]
fn generated_code_imports_only_from_its_own_floor_and_below() {
    let generated = fs::read_to_string(root().join("build.rs")).unwrap();
    let build = root().join("build");
    let modules = if build.is_dir() { sources(&build) } else { Vec::new() };
    // Documentation may link up.
    let code_modules = modules.iter().filter(|path| !path.ends_with("docs.rs"));
    let all = code_modules.map(|path| fs::read_to_string(path).unwrap()).fold(generated, |all, text| all + &text);
    let highest = height("api").unwrap();
    // In the build script, `crate::` also stands for the build script itself.
    let own: Vec<_> = modules.iter().filter_map(|path| path.file_stem()?.to_str()).collect();
    for name in imports(&all).into_iter().filter(|name| !own.contains(&name.as_str()) && name != "Result") {
        let target = RE_EXPORTS.iter().find(|(export, _)| *export == name).map_or(name.as_str(), |(_, module)| module);
        assert!(height(target).is_some_and(|height| height <= highest), "the build script writes `crate::{name}`");
    }
}

#[test]
fn an_import_that_runs_up_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| fs::write(directory.path().join(path), text).unwrap();
    fs::create_dir(directory.path().join("wire")).unwrap();
    write("wire/mod.rs", "use crate::{\n    Error,\n    job::{Batch, Watch},\n    Client,\n};\n// crate::client::x\n");
    write("error.rs", "fn f() { crate::wire::envelope::failure() }\n");
    write("job.rs", "use crate::transport::Transport;\n#[cfg(test)]\nmod tests { use crate::client::Client; }\n");
    write("attic.rs", "");
    let found = arrows_up(directory.path()).join("\n");
    for arrow in ["error imports `crate::wire`", "wire imports `crate::job`", "wire imports `crate::Client`", "attic"] {
        assert!(found.contains(arrow), "{arrow} is missing in\n{found}");
    }
    assert_eq!(found.lines().count(), 4, "{found}");
}

#[test]
fn the_crates_have_walls() {
    let manifest = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    // The dependencies of a package, those of its tests included.
    let dependencies = |path: &str| -> BTreeSet<String> {
        let text = manifest(path);
        let is_list = |section: &&str| section.lines().next().is_some_and(|name| name.ends_with("dependencies]"));
        let sections = text.split("\n[").filter(is_list);
        sections.flat_map(str::lines).skip(1).map(identifier_with_dashes).filter(|name| !name.is_empty()).collect()
    };
    let lineage = dependencies("crates/sqlflow-lineage/Cargo.toml");
    let emulator = dependencies("crates/sqlflow-emulator/Cargo.toml");
    assert!(lineage.contains("serde_json") && emulator.contains("axum"), "the manifests are not read: {lineage:?}");
    for wall in ["sqlflow-client", "sqlflow-emulator", "reqwest", "hyper", "axum", "rustls", "native-tls"] {
        assert!(!lineage.contains(wall), "sqlflow-lineage depends on {wall}");
    }
    for wall in ["sqlflow-client", "sqlflow-lineage", "reqwest"] {
        assert!(!emulator.contains(wall), "sqlflow-emulator depends on {wall}");
    }
    // The command uses what any program can use, and nothing is built on it.
    let command = dependencies("crates/sqlflow-cli/Cargo.toml");
    assert!(command.contains("sqlflow-client"), "the manifest is not read: {command:?}");
    for wall in ["sqlflow-lineage", "sqlflow-emulator"] {
        assert!(!command.contains(wall), "sqlflow-cli depends on {wall} directly");
    }
    for package in ["Cargo.toml", "crates/sqlflow-lineage/Cargo.toml", "crates/sqlflow-emulator/Cargo.toml"] {
        assert!(!dependencies(package).contains("sqlflow-cli"), "{package} depends on the command");
    }
    // A runtime only behind the feature that reads an async stream.
    let text = manifest("crates/sqlflow-lineage/Cargo.toml");
    let (normal, _) = text.split_once("[dev-dependencies]").unwrap();
    let runtime = normal.lines().find(|line| line.starts_with("tokio =")).unwrap();
    assert!(runtime.contains("optional = true"), "{runtime}");
}

fn identifier_with_dashes(line: &str) -> String {
    line.chars().take_while(|letter| letter.is_alphanumeric() || "_-".contains(*letter)).collect()
}
