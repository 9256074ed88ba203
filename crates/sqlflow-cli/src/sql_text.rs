//! SQL scripts that are read into memory: files, and the scripts in directories.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::exit::{Failure, Outcome};
use crate::messages::Messages;

/// Reads a script, which may be empty.
///
/// # Errors
/// The file cannot be read, or is not text in UTF-8. The message names it.
pub(crate) fn read(path: &Path) -> Outcome<String> {
    let bytes = fs::read(path).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
    decode(path.display(), bytes)
}

/// Refuses a script without SQL.
///
/// # Errors
/// It is empty.
pub(crate) fn check_not_empty(name: impl fmt::Display, sql: &str) -> Outcome<()> {
    if sql.trim().is_empty() {
        return Err(Failure::usage(format!("{name}: there is no SQL in it")));
    }
    Ok(())
}

/// Reads a script from memory, which may be empty. A byte order mark is left out.
///
/// # Errors
/// It is not text in UTF-8.
pub(crate) fn decode(name: impl fmt::Display, bytes: Vec<u8>) -> Outcome<String> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(Failure::usage(format!("{name}: the text is UTF-16, and UTF-8 is needed"))
            .help("convert it, for example with: iconv -f UTF-16 -t UTF-8"));
    }
    if bytes.contains(&0) {
        return Err(Failure::usage(format!("{name}: this is a binary file and no SQL")));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let lines = error.as_bytes()[..error.utf8_error().valid_up_to()].split(|byte| *byte == b'\n').count();
        Failure::usage(format!("{name}:{lines}: the text is not UTF-8"))
            .help("convert it, for example with: iconv -f WINDOWS-1252 -t UTF-8")
    })?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

/// Returns the files that paths stand for: a directory stands for the `.sql` files below it, in the order of their
/// names. Names that begin with a dot are left out.
///
/// # Errors
/// A path does not exist, or a directory without a script.
pub(crate) fn scripts(paths: &[PathBuf], messages: &Messages) -> Outcome<Vec<PathBuf>> {
    let mut scripts = Vec::new();
    for path in paths {
        if path.is_dir() {
            let (before, mut others) = (scripts.len(), 0);
            collect(path, &mut scripts, &mut others)?;
            if others > 0 {
                let files =
                    if others == 1 { "1 other file is".to_owned() } else { format!("{others} other files are") };
                messages.warning(format_args!(
                    "{}: {files} not checked, because the name does not end with .sql",
                    path.display()
                ));
            }
            if scripts.len() == before {
                return Err(Failure::usage(format!("{}: there is no .sql file in this directory", path.display()))
                    .help("name files with other extensions one by one"));
            }
        } else {
            scripts.push(path.clone());
        }
    }
    Ok(scripts)
}

fn collect(directory: &Path, scripts: &mut Vec<PathBuf>, others: &mut usize) -> Outcome<()> {
    let failed = |error| Failure::io(directory.display(), &error);
    let mut entries = fs::read_dir(directory).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(failed)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        // A link to a directory may lead back up.
        if entry.file_type().map_err(failed)?.is_dir() {
            collect(&path, scripts, others)?;
        } else if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("sql")) {
            scripts.push(path);
        } else {
            *others += 1;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_sql_is_named_with_the_reason() {
        let refused = |bytes: &[u8]| decode("a.sql", bytes.to_vec()).unwrap_err().message;
        assert_eq!(check_not_empty("a.sql", " \n").unwrap_err().message, "a.sql: there is no SQL in it");
        assert_eq!(refused(b"PK\x03\x04\0"), "a.sql: this is a binary file and no SQL");
        assert_eq!(refused(b"select 1;\nselect '\xe4';"), "a.sql:2: the text is not UTF-8");
        assert!(refused(b"\xff\xfes\0e\0").contains("UTF-16"));
        assert_eq!(decode("a.sql", b"\xef\xbb\xbfselect 1".to_vec()).unwrap(), "select 1");
    }

    #[test]
    fn a_directory_stands_for_the_scripts_below_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("b/c")).unwrap();
        fs::create_dir_all(folder.path().join(".git")).unwrap();
        for name in ["a.sql", "b/d.SQL", "b/c/e.sql", "b/notes.md", ".git/x.sql"] {
            fs::write(folder.path().join(name), "select 1").unwrap();
        }
        let found = scripts(&[folder.path().to_owned()], &Messages::silent()).unwrap();
        let names: Vec<_> =
            found.iter().map(|path| path.strip_prefix(folder.path()).unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["a.sql", "b/c/e.sql", "b/d.SQL"]);
    }
}
