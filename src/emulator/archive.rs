//! From uploaded files to SQL scripts: recognises and unpacks zips, skips what is no SQL, decodes text. Scripts are
//! handed on one at a time, so that no more than one of them is in memory.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use zip::ZipArchive;

use super::upload::StoredFile;

/// The largest script `flowscope-core` reads.
const MAX_SCRIPT_BYTES: u64 = 10 * 1024 * 1024;
/// The most that the scripts of one archive may unpack to.
const MAX_UNPACKED_BYTES: u64 = 1024 * 1024 * 1024;
const MAX_ENTRIES: usize = 50_000;

/// The name endings under which SQL is kept. An archive may hold anything else, which is not read.
const SQL_EXTENSIONS: [&str; 24] = [
    "sql", "ddl", "dml", "hql", "q", "txt", "btq", "bteq", "tpt", "pls", "plsql", "pks", "pkb", "pck", "prc", "proc",
    "fnc", "trg", "vw", "tab", "tsql", "psql", "mysql", "view",
];

/// One SQL script.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Script {
    /// Its name, with the archive it came from.
    pub(super) name: String,
    pub(super) text: String,
    /// Whether it was not valid text and some of it was replaced.
    pub(super) damaged: bool,
}

/// Why a file or an entry gave no script.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable {
    pub(super) name: String,
    pub(super) reason: String,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.reason)
    }
}

/// Reads a file and hands each script in it, or the reason why there is none, to `each`.
pub(super) fn scripts(file: &StoredFile, mut each: impl FnMut(Result<Script, Unreadable>)) {
    let outcome = file.open().and_then(|mut content| Ok((is_zip(&mut content)?, content)));
    match outcome {
        Ok((true, content)) => unpack(&file.name, content, &mut each),
        Ok((false, content)) => each(plain(&file.name, content)),
        Err(error) => each(Err(unreadable(&file.name, error))),
    }
}

/// Decides by content, since a zip may have any name, with the name as a second opinion for archives that are broken.
fn is_zip(content: &mut (impl Read + Seek)) -> io::Result<bool> {
    let mut magic = Vec::with_capacity(4);
    content.by_ref().take(4).read_to_end(&mut magic)?;
    content.seek(SeekFrom::Start(0))?;
    Ok(matches!(magic.as_slice(), [b'P', b'K', 3, 4] | [b'P', b'K', 5, 6]))
}

fn plain(name: &str, content: impl Read) -> Result<Script, Unreadable> {
    if extension(name).as_deref() == Some("zip") {
        return Err(unreadable(name, "not a zip archive, although its name says so"));
    }
    read_script(name.to_owned(), content)
}

fn unpack(name: &str, content: File, each: &mut impl FnMut(Result<Script, Unreadable>)) {
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
    let mut unpacked = 0;
    for index in 0..archive.len() {
        let Some(outcome) = entry(name, &mut archive, index) else { continue };
        // An entry that fails may have been unpacked up to the limit before it did.
        unpacked += outcome.as_ref().map_or(MAX_SCRIPT_BYTES, |script| script.text.len() as u64);
        each(outcome);
        if unpacked > MAX_UNPACKED_BYTES {
            return each(Err(unreadable(
                name,
                format_args!("the archive unpacks to more than {MAX_UNPACKED_BYTES} bytes"),
            )));
        }
    }
}

/// Reads one entry, or nothing if it is no SQL. Entries stay in memory, so that a path in an archive leads nowhere.
fn entry(archive_name: &str, archive: &mut ZipArchive<File>, index: usize) -> Option<Result<Script, Unreadable>> {
    let broken = |error: zip::result::ZipError| {
        unreadable(archive_name, format_args!("entry {index} cannot be unpacked: {error}"))
    };
    let entry = match archive.by_index(index) {
        Ok(entry) => entry,
        Err(error) => return Some(Err(broken(error))),
    };
    let path = match entry.name() {
        Ok(path) => path.into_owned(),
        Err(error) => return Some(Err(broken(error))),
    };
    (entry.is_file() && is_sql(&path)).then(|| read_script(format!("{archive_name}/{path}"), entry))
}

fn is_sql(path: &str) -> bool {
    let base = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let system = base.starts_with('.') || path.starts_with("__MACOSX/");
    !system && extension(base).is_none_or(|extension| SQL_EXTENSIONS.contains(&extension.as_str()))
}

fn extension(name: &str) -> Option<String> {
    name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase())
}

fn read_script(name: String, content: impl Read) -> Result<Script, Unreadable> {
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

/// UTF-8 with or without a byte order mark, or UTF-16 with one. Anything else loses the bytes that make no sense.
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

fn unreadable(name: &str, reason: impl fmt::Display) -> Unreadable {
    Unreadable { name: name.to_owned(), reason: reason.to_string() }
}
