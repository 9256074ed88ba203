//! Documents as people have them: in the encodings of their shells, compressed, one after the other in one file, and
//! spread over many files.

#[allow(dead_code, reason = "each test program uses a part")]
mod layouts;

use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use sqlflow_lineage::{Lineage, ReadError, ReadErrorKind};

use self::layouts::{LAYOUTS, SmallModel};

fn model() -> SmallModel {
    let mut model = SmallModel::default()
        .object("table", "o", "ORDERS", &["TOTAL"])
        .object("view", "r", "BERICHT_ÜBERSICHT_🙂", &["SUMME"])
        .process("p", "Query Create View-1")
        .edge("fdd", "create_view", "o.TOTAL", "r.SUMME");
    model.processes[0]["coordinate"] = "[3,1,0],[9,5,0]".into();
    model.relationships[0]["processId"] = "p".into();
    model
}

fn utf16(text: &str, encode: fn(u16) -> [u8; 2], mark: bool) -> Vec<u8> {
    let mark = if mark { "\u{feff}" } else { "" };
    mark.encode_utf16().chain(text.encode_utf16()).flat_map(encode).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Returns a document in every encoding, with the name of the encoding.
fn encodings(document: &str) -> Vec<(&'static str, Vec<u8>)> {
    let little = utf16(document, u16::to_le_bytes, true);
    vec![
        ("UTF-8", document.as_bytes().to_vec()),
        ("UTF-8 with a mark", format!("\u{feff}{document}").into_bytes()),
        ("UTF-16 with a mark", little.clone()),
        ("UTF-16 BE with a mark", utf16(document, u16::to_be_bytes, true)),
        ("UTF-16 without a mark", utf16(document, u16::to_le_bytes, false)),
        ("UTF-16 BE without a mark", utf16(document, u16::to_be_bytes, false)),
        ("gzip", gzip(document.as_bytes())),
        ("gzip of UTF-16", gzip(&little)),
        ("two members of gzip", {
            let (first, second) = document.as_bytes().split_at(document.len() / 2);
            [gzip(first), gzip(second)].concat()
        }),
    ]
}

/// Reads a document in both ways; the results must agree.
fn read(document: &[u8]) -> Result<Lineage, ReadError> {
    let slice = Lineage::from_slice(document);
    let reader = Lineage::from_reader(document);
    match (&slice, &reader) {
        (Ok(slice), Ok(reader)) => assert_eq!(slice, reader),
        (Err(slice), Err(reader)) => assert_eq!(slice.to_string(), reader.to_string()),
        _ => panic!("a slice gives {slice:?}, a reader {reader:?}"),
    }
    slice
}

#[test]
fn a_document_is_read_in_every_encoding() {
    for (layout, document) in LAYOUTS.into_iter().zip(model().documents()) {
        let expected: Lineage = document.parse().unwrap();
        for (encoding, bytes) in encodings(&document) {
            let lineage = read(&bytes).unwrap_or_else(|error| panic!("{layout}, {encoding}: {error}"));
            assert_eq!(lineage, expected, "{layout}, {encoding}");
            assert_eq!(lineage.column_flows()[0].to_string(), "ORDERS.TOTAL → BERICHT_ÜBERSICHT_🙂.SUMME");
        }
    }
}

#[test]
fn the_limit_holds_for_the_text_and_not_for_its_compressed_form() {
    let [document, ..] = model().documents();
    // A kilobyte that becomes a megabyte.
    let bomb = gzip(format!("{document}{}", " ".repeat(1 << 20)).as_bytes());
    assert!(bomb.len() < 4096);
    let limited = Lineage::reader().max_bytes(10_000);
    assert_eq!(limited.read_slice(&bomb).unwrap_err().kind(), ReadErrorKind::TooLarge);
    assert_eq!(limited.read(bomb.as_slice()).unwrap_err().kind(), ReadErrorKind::TooLarge);
    assert!(limited.read_slice(&gzip(document.as_bytes())).is_ok());
}

#[test]
fn a_compressed_document_that_is_truncated_or_damaged_is_an_error() {
    let [document, ..] = model().documents();
    let whole = gzip(document.as_bytes());
    for end in 2..whole.len() {
        let error = read(&whole[..end]).unwrap_err();
        assert_eq!(error.kind(), ReadErrorKind::Truncated, "{end}: {error}");
    }
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0xff;
    damaged[middle + 1] ^= 0xff;
    assert!(read(&damaged).is_err());
}

#[test]
fn text_that_is_not_utf16_is_malformed() {
    let mut document = utf16("{\"dbobjs\": []", u16::to_le_bytes, true);
    document.extend([0x00, 0xd8, b'}', 0]);
    let error = read(&document).unwrap_err();
    assert_eq!(error.kind(), ReadErrorKind::Malformed, "{error}");
    assert!(error.to_string().contains("neither UTF-8 nor UTF-16"), "{error}");
}

#[test]
fn a_second_document_in_one_file_is_an_error_that_says_where_it_begins() {
    for (layout, document) in LAYOUTS.into_iter().zip(model().documents()) {
        for (between, line) in [("", 1), ("\n", 2), (" ,\n", 2), ("\r\n\r\n", 3)] {
            for second in [document.as_str(), "{\"code\": 500}", "{", "{}"] {
                let error = read(format!("{document}{between}{second}").as_bytes()).unwrap_err();
                assert_eq!(error.kind(), ReadErrorKind::SeveralDocuments, "{layout}, {between:?}: {error}");
                assert_eq!(error.position().map(|at| at.line), Some(line), "{layout}, {between:?}: {error}");
            }
        }
        let error = read(format!("{document}\nError log:\n  {document}\n").as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ReadErrorKind::SeveralDocuments, "{layout}: {error}");
        assert_eq!(error.position().map(|at| at.line), Some(3), "{layout}: {error}");
    }
}

#[test]
fn a_second_document_is_found_behind_the_marks_and_the_logs_of_tools() {
    let json_log = "{\"level\": \"info\", \"at\": 7}\n".repeat(100);
    for (layout, document) in LAYOUTS.into_iter().zip(model().documents()) {
        for (between, second) in [
            ("\u{feff}", document.as_str()),
            ("\r\n\u{feff}", &document),
            ("\n\u{1e}", &document),
            ("\0", &document),
            (";", &document),
            ("\n[\n", &document),
            ("\nError log: a.sql was skipped\n\u{feff}", &document),
            (&format!("\nlog\n{json_log}"), &document),
            ("\nlog\n", document.strip_suffix('}').unwrap()),
        ] {
            let error = read(format!("{document}{between}{second}").as_bytes()).map(|_| between).unwrap_err();
            assert_eq!(error.kind(), ReadErrorKind::SeveralDocuments, "{layout}, {between:?}");
        }
        let mut with_latin_1 = format!("{document}\nlog of b").into_bytes();
        with_latin_1.extend([0xfc, b'\n']);
        with_latin_1.extend(document.bytes());
        assert_eq!(read(&with_latin_1).unwrap_err().kind(), ReadErrorKind::SeveralDocuments, "{layout}");
        let appended: Vec<u8> = [&document, &document].into_iter().flat_map(|one| gzip(one.as_bytes())).collect();
        assert_eq!(read(&appended).unwrap_err().kind(), ReadErrorKind::SeveralDocuments, "{layout}");
    }
}

#[test]
fn a_log_of_json_is_no_second_document_whatever_its_fields() {
    for (layout, document) in LAYOUTS.into_iter().zip(model().documents()) {
        let log =
            "started\n{\"mode\": \"batch\", \"error\": \"x\"}\n{\"summary\": 3, \"processes\": 4}\n{\"graph\": {}}";
        let lineage = read(format!("{document}\n{log}").as_bytes()).unwrap();
        assert_eq!(lineage.trailing_text(), Some(log), "{layout}");
    }
}

#[test]
fn looking_for_a_second_document_takes_no_quadratic_time() {
    let document = &model().documents()[0];
    for line in ["{\n", "{\"a\": [1,\n", "{\"a\": 1}\n", "[\n", "\n", "{\"a\":\n"] {
        let log = line.repeat(300_000 / line.len());
        let started = std::time::Instant::now();
        read(format!("{document}\nlog\n{log}").as_bytes()).unwrap();
        assert!(started.elapsed().as_secs() < 20, "{line:?}: {:?}", started.elapsed());
    }
}

#[test]
fn an_error_log_after_the_document_is_kept() {
    for (layout, document) in LAYOUTS.into_iter().zip(model().documents()) {
        for log in ["Error log: a.sql was skipped {line 3}", "Error log:\n{not: json}\n{\"id\": 7}", "}", "[1]"] {
            let lineage = read(format!("{document}\n{log}\n").as_bytes()).unwrap();
            assert_eq!(lineage.trailing_text(), Some(log), "{layout}");
        }
    }
}

/// A directory that is deleted in the end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("sqlflow-lineage-{name}-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        Self(directory)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_lineage_is_read_from_a_path_which_locates_its_statements() {
    let directory = Directory::new("path");
    for (layout, document) in LAYOUTS.into_iter().zip(model().documents()) {
        let path = directory.file("lineage.json.gz", &gzip(document.as_bytes()));
        let lineage = Lineage::from_path(&path).unwrap();
        assert_eq!(lineage, document.parse().unwrap(), "{layout}");
        assert_eq!(lineage.label(), path.to_str(), "{layout}");
        let statement = lineage.processes().next().unwrap();
        assert_eq!(statement.location().to_string(), format!("{}, line 3, column 1", path.display()), "{layout}");
        let named = Lineage::reader().label("nightly").read_path(&path).unwrap();
        assert_eq!(
            named.processes().next().unwrap().to_string(),
            "Query Create View-1 at nightly, line 3, column 1",
            "{layout}"
        );
    }
}

#[test]
fn an_error_of_a_file_names_its_path() {
    let directory = Directory::new("errors");
    let missing = directory.0.join("missing.json");
    let error = Lineage::from_path(&missing).unwrap_err();
    assert_eq!((error.kind(), error.path()), (ReadErrorKind::Io, Some(missing.as_path())));
    assert!(error.to_string().starts_with(&format!("cannot read {}: ", missing.display())), "{error}");
    assert!(std::error::Error::source(&error).is_some());
    let broken = directory.file("broken.json", b"{\"dbobjs\": [");
    let error = Lineage::merge_paths([&broken]).unwrap_err();
    assert_eq!((error.kind(), error.path()), (ReadErrorKind::Truncated, Some(broken.as_path())));
}

#[test]
fn many_files_are_merged_and_their_statements_know_their_file() {
    let directory = Directory::new("merged");
    for documents in LAYOUTS.into_iter().zip(model().documents()).collect::<Vec<_>>().windows(2) {
        let load = directory.file("load.json", documents[0].1.as_bytes());
        let report = directory.file("report.json", &utf16(&documents[1].1, u16::to_le_bytes, true));
        let merged = Lineage::merge_paths([&load, &report]).unwrap();
        assert_eq!(merged.objects().len(), 2, "{documents:?}");
        assert_eq!(merged.label(), None);
        let readers = merged.object("orders").unwrap().readers();
        let mut locations: Vec<String> = readers.iter().map(|statement| statement.location().to_string()).collect();
        locations.sort();
        assert_eq!(locations, [&load, &report].map(|path| format!("{}, line 3, column 1", path.display())));
        let impact = merged.column("orders", "total").unwrap().impact().to_string();
        assert!(impact.contains(&format!("Query Create View-1 at {}, line 3, column 1\n", load.display())), "{impact}");
    }
}

#[test]
fn labels_of_ones_own_stay_through_several_merges() {
    let [document, ..] = model().documents();
    let labelled = |label: &str| Lineage::reader().label(label).read_slice(document.as_bytes()).unwrap();
    let two = Lineage::merge([labelled("a"), labelled("b")]).unwrap();
    let three = Lineage::merge([two, labelled("c")]).unwrap();
    let files: Vec<_> = three.processes().map(|statement| statement.location().label().unwrap().to_owned()).collect();
    assert_eq!(files, ["a", "b", "c"]);
}

#[test]
fn a_message_is_located_in_the_file_that_the_server_names() {
    let document = br#"{"dbobjs": [], "errors": [
        {"errorMessage": "m", "errorType": "SyntaxError", "coordinates": [{"x": 7, "y": 2, "hashCode": "0"}]},
        {"errorMessage": "n", "file": "b.sql", "originCoordinates": [{"x": 4, "y": -1}]},
        {"errorMessage": "o"}]}"#;
    let lineage = Lineage::reader().label("a.json").read_slice(document).unwrap();
    let locations: Vec<String> = lineage.errors().map(|error| error.location().to_string()).collect();
    assert_eq!(locations, ["a.json, line 7, column 2", "b.sql:4", "a.json"]);
    let unlabelled = Lineage::from_slice(document).unwrap();
    let messages: Vec<String> = unlabelled.errors().map(|error| error.to_string()).collect();
    assert_eq!(messages, ["SyntaxError: m (line 7, column 2)", "n (b.sql:4)", "o"]);
}

#[test]
fn a_reader_that_gives_one_byte_at_a_time_reads_every_encoding() {
    struct Slowly<'b>(&'b [u8]);
    impl Read for Slowly<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let count = self.0.len().min(buffer.len()).min(1);
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }
    let [document, ..] = model().documents();
    for (encoding, bytes) in encodings(&document) {
        let lineage = Lineage::from_reader(Slowly(&bytes)).unwrap_or_else(|error| panic!("{encoding}: {error}"));
        assert_eq!(lineage, document.parse().unwrap(), "{encoding}");
    }
}

#[test]
fn white_space_around_a_log_does_not_change_what_is_found_in_it() {
    let [document, ..] = model().documents();
    let truncated = r#"{"dbobjs": [{"id": "1", "name": "A"#;
    for (before, after) in [("", ""), ("", "\n   "), ("\u{a0}", ""), ("\u{b}\u{2003}", " \u{a0}\n")] {
        for log in [truncated.to_owned(), format!("Error log:\n{truncated}")] {
            let error = read(format!("{document}\n{before}{log}{after}").as_bytes()).unwrap_err();
            assert_eq!(error.kind(), ReadErrorKind::SeveralDocuments, "{before:?} {log:?} {after:?}: {error}");
        }
    }
}
