//! Turns uploaded files into SQL scripts: detects and unpacks zip archives, skips files that are not SQL, and decodes
//! text. Scripts are passed on one at a time, so that at most one of them is in memory.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use zip::ZipArchive;

use super::analysis::Analyzer;
use super::upload::{StoredFile, base_name};

/// The size of the largest script that is read, since a script is held in memory.
const MAX_SCRIPT_BYTES: u64 = 128 * 1024 * 1024;
/// The maximum total size of the unpacked scripts of one archive.
const MAX_UNPACKED_BYTES: u64 = 1024 * 1024 * 1024;
const MAX_ENTRIES: usize = 50_000;
/// The maximum compression ratio. SQL hardly ever compresses better than 100:1, so a much denser entry is not worth
/// unpacking.
const MAX_COMPRESSION: u64 = 300;
/// The unpacked size below which the compression ratio is not checked.
const HARMLESS_BYTES: u64 = 16 * 1024 * 1024;
/// The maximum number of entries that a message names.
const MAX_NAMED: usize = 5;

/// The extensions of files that hold SQL. Other files in an archive are skipped.
const SQL_EXTENSIONS: [&str; 24] = [
    "sql", "ddl", "dml", "hql", "q", "txt", "btq", "bteq", "tpt", "pls", "plsql", "pks", "pkb", "pck", "prc", "proc",
    "fnc", "trg", "vw", "tab", "tsql", "psql", "mysql", "view",
];

/// One SQL script.
#[derive(Debug, PartialEq, Eq)]
struct Script {
    /// The name of the file, after the name of the archive it came from.
    name: String,
    text: String,
    /// `true` if the file was not valid text and some bytes were replaced.
    damaged: bool,
}

/// A file or an entry of an archive that gave no script, and the reason.
#[derive(Debug, PartialEq, Eq)]
struct UnreadableFile {
    name: String,
    reason: String,
}

impl fmt::Display for UnreadableFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.reason)
    }
}

/// Analyses every script in the files. The definitions of all scripts are collected first, so that the order of the
/// files does not matter for them.
pub(super) fn analyze<'f>(files: impl Iterator<Item = &'f StoredFile> + Clone, analyzer: &mut Analyzer) {
    for file in files.clone() {
        scripts(file, |script| {
            if let Ok(script) = script {
                analyzer.collect_definitions(&script.text);
            }
        });
    }
    for file in files {
        scripts(file, |script| match script {
            Ok(script) => analyzer.read(&script.name, &script.text, script.damaged),
            Err(unreadable) => analyzer.unreadable(&unreadable.name, &unreadable.to_string()),
        });
    }
}

/// Reads a file and passes each script in it, or the reason why there is none, to `each`.
fn scripts(file: &StoredFile, mut each: impl FnMut(Result<Script, UnreadableFile>)) {
    let outcome = file.open().and_then(|mut content| Ok((is_zip(&mut content)?, content)));
    match outcome {
        Ok((true, content)) => unpack(&file.name, content, &mut each),
        Ok((false, content)) => each(plain(&file.name, content)),
        Err(error) => each(Err(unreadable(&file.name, error))),
    }
}

/// Returns `true` if the content is a zip archive. The content decides, since an archive may have any name; the name
/// only helps to report a broken archive.
fn is_zip(content: &mut (impl Read + Seek)) -> io::Result<bool> {
    let mut magic = Vec::with_capacity(4);
    content.by_ref().take(4).read_to_end(&mut magic)?;
    content.seek(SeekFrom::Start(0))?;
    Ok(matches!(magic.as_slice(), [b'P', b'K', 3, 4] | [b'P', b'K', 5, 6]))
}

fn plain(name: &str, content: impl Read) -> Result<Script, UnreadableFile> {
    if extension(name).as_deref() == Some("zip") {
        return Err(unreadable(name, "not a zip archive, although its name says so"));
    }
    read_script(name.to_owned(), content)
}

fn unpack(name: &str, content: File, each: &mut impl FnMut(Result<Script, UnreadableFile>)) {
    let mut archive = match ZipArchive::new(content) {
        Ok(archive) => archive,
        Err(error) => return each(Err(unreadable(name, format_args!("broken zip archive: {error}")))),
    };
    if archive.len() > MAX_ENTRIES {
        return each(Err(unreadable(
            name,
            format_args!("the archive has {} entries; {MAX_ENTRIES} are allowed", archive.len()),
        )));
    }
    let mut totals = UnpackedTotals::default();
    let mut skipped = Vec::new();
    for index in 0..archive.len() {
        match entry(name, &mut archive, index, &mut totals) {
            ArchiveEntry::Script(outcome) => each(outcome),
            ArchiveEntry::Other(path) => skipped.push(path),
            ArchiveEntry::Nothing => {}
        }
        if let Some(reason) = totals.reason_to_stop() {
            return each(Err(unreadable(name, reason)));
        }
    }
    if !totals.any_script && !skipped.is_empty() {
        each(Err(unreadable(name, nothing_in(&skipped))));
    }
}

/// The sizes of what an archive has been unpacked to so far.
#[derive(Default)]
struct UnpackedTotals {
    packed: u64,
    unpacked: u64,
    any_script: bool,
}

impl UnpackedTotals {
    fn reason_to_stop(&self) -> Option<String> {
        if self.unpacked > MAX_UNPACKED_BYTES {
            Some(format!("the archive unpacks to more than {MAX_UNPACKED_BYTES} bytes"))
        } else if self.unpacked > HARMLESS_BYTES && self.unpacked / MAX_COMPRESSION > self.packed {
            Some(format!("the archive unpacks to more than {MAX_COMPRESSION} times its size; the rest was not read"))
        } else {
            None
        }
    }
}

/// Returns a message that names some of the files in an archive without scripts.
fn nothing_in(skipped: &[String]) -> String {
    let named = skipped.iter().take(MAX_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = match skipped.len().saturating_sub(MAX_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let inner = if skipped.iter().any(|path| extension(path).as_deref() == Some("zip")) {
        "; archives in archives are not unpacked"
    } else {
        ""
    };
    format!("the archive holds no SQL; skipped: {named}{more}{inner}")
}

enum ArchiveEntry {
    Script(Result<Script, UnreadableFile>),
    /// A file that is not SQL.
    Other(String),
    /// A folder, or metadata of an operating system.
    Nothing,
}

/// Reads one entry. Entries stay in memory, so a path in an archive cannot escape a folder.
fn entry(
    archive_name: &str,
    archive: &mut ZipArchive<File>,
    index: usize,
    totals: &mut UnpackedTotals,
) -> ArchiveEntry {
    let broken = |error: zip::result::ZipError| {
        ArchiveEntry::Script(Err(unreadable(archive_name, format_args!("entry {index} cannot be unpacked: {error}"))))
    };
    let entry = match archive.by_index(index) {
        Ok(entry) => entry,
        Err(error) => return broken(error),
    };
    let path = match entry.name() {
        Ok(path) => path.into_owned(),
        Err(error) => return broken(error),
    };
    if !entry.is_file() || is_of_the_system(&path) {
        return ArchiveEntry::Nothing;
    }
    if !is_sql(&path) {
        return ArchiveEntry::Other(path);
    }
    totals.any_script = true;
    totals.packed += entry.compressed_size();
    let outcome = read_script(format!("{archive_name}/{path}"), entry);
    // An entry that fails may have been unpacked up to the limit before.
    totals.unpacked += outcome.as_ref().map_or(MAX_SCRIPT_BYTES, |script| script.text.len() as u64);
    ArchiveEntry::Script(outcome)
}

fn is_of_the_system(path: &str) -> bool {
    base_name(path).starts_with('.') || path.starts_with("__MACOSX/")
}

fn is_sql(path: &str) -> bool {
    extension(base_name(path)).is_none_or(|extension| SQL_EXTENSIONS.contains(&extension.as_str()))
}

fn extension(name: &str) -> Option<String> {
    name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase())
}

fn read_script(name: String, content: impl Read) -> Result<Script, UnreadableFile> {
    let mut bytes = Vec::new();
    if let Err(error) = content.take(MAX_SCRIPT_BYTES + 1).read_to_end(&mut bytes) {
        return Err(unreadable(&name, error));
    }
    if bytes.len() as u64 > MAX_SCRIPT_BYTES {
        return Err(unreadable(
            &name,
            format_args!("the script is larger than the {MAX_SCRIPT_BYTES} bytes the emulator reads"),
        ));
    }
    let (text, damaged) = decode(bytes);
    Ok(Script { name, text, damaged })
}

/// Decodes UTF-8 with or without a byte order mark, or UTF-16 with one. Invalid bytes are replaced.
fn decode(bytes: Vec<u8>) -> (String, bool) {
    match bytes.as_slice() {
        [0xff, 0xfe, rest @ ..] => decode_utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => decode_utf16(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => decode_utf8(rest.to_vec()),
        _ => decode_utf8(bytes),
    }
}

fn decode_utf8(bytes: Vec<u8>) -> (String, bool) {
    String::from_utf8(bytes)
        .map_or_else(|error| (String::from_utf8_lossy(error.as_bytes()).into_owned(), true), |text| (text, false))
}

fn decode_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> (String, bool) {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|pair| unit(*pair));
    let mut damaged = !rest.is_empty();
    let text = char::decode_utf16(units)
        .map(|decoded| {
            decoded.unwrap_or_else(|_| {
                damaged = true;
                char::REPLACEMENT_CHARACTER
            })
        })
        .collect();
    (text, damaged)
}

fn unreadable(name: &str, reason: impl fmt::Display) -> UnreadableFile {
    UnreadableFile { name: name.to_owned(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_without_end_is_refused() {
        let error = read_script("bomb.sql".into(), io::repeat(b' ')).unwrap_err();
        assert!(error.to_string().starts_with("bomb.sql: the script is larger than"), "{error}");
    }
}
