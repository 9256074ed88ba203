//! A scanner that cuts a list of jobs into its entries while the list arrives.
//!
//! It is given the bytes of the response as they come, and never waits for more. It follows the structure of the
//! envelope and of its data, and keeps the text of one entry, key or field at a time; all other values are skipped.

use std::mem;

use bytes::{Buf as _, Bytes};
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use crate::wire::{Envelope, ListCount, Redactor};
use crate::{Error, ErrorKind, Result};

/// The length up to which an entry, a key or a field of the envelope is kept.
const MAX_TOKEN_BYTES: usize = 16 << 20;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The fields of the envelope that say whether the response is a success.
const ENVELOPE_FIELDS: [&str; 5] = ["code", "error", "message", "msg", "upgrade"];

/// A list of jobs, as far as it has been read.
#[derive(Debug, Default)]
pub(super) struct ListScanner {
    level: Level,
    expected: Expected,
    /// The last key of the object at the current level.
    key: String,
    token: Token,
    /// The text of the token, if it is kept.
    text: Vec<u8>,
    /// The fields of the envelope, with `null` in place of its data.
    envelope: Map<String, Value>,
    has_entries: bool,
    count: ListCount,
    /// The number of bytes that were read.
    position: u64,
}

/// The object or array that is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Level {
    #[default]
    Envelope,
    Data,
    /// The array `jobDetails`.
    Entries,
    /// The array `jobIds`.
    Ids,
}

/// The next element of the text, apart from whitespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// The envelope, after some bytes of a byte order mark.
    Open {
        mark: usize,
    },
    Key {
        may_close: bool,
    },
    Colon,
    Value {
        may_close: bool,
    },
    /// The rest of a key or a value.
    Rest(Role),
    CommaOrClose,
    End,
}

impl Default for Expected {
    fn default() -> Self {
        Self::Open { mark: 0 }
    }
}

/// The role of a key or a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Key,
    /// A field of the envelope that is kept.
    Field,
    Total,
    Entry,
    /// A value in place of the entries.
    Entries,
    Skipped,
}

/// The state within a key or a value.
#[derive(Debug, Default)]
struct Token {
    depth: usize,
    is_in_string: bool,
    is_escaped: bool,
}

impl Token {
    /// Reads up to the end of the token. Returns the number of its bytes, and `true` if it has ended.
    fn read(&mut self, bytes: &[u8]) -> (usize, bool) {
        for (index, byte) in bytes.iter().enumerate() {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' if self.is_in_string => self.is_escaped = true,
                b'"' => {
                    self.is_in_string = !self.is_in_string;
                    if !self.is_in_string && self.depth == 0 {
                        return (index + 1, true);
                    }
                }
                _ if self.is_in_string => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth > 0 => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return (index + 1, true);
                    }
                }
                // The end of a number or a word belongs to what follows.
                b'}' | b']' | b',' if self.depth == 0 => return (index, true),
                byte if self.depth == 0 && is_whitespace(*byte) => return (index, true),
                _ => {}
            }
        }
        (bytes.len(), false)
    }
}

fn is_whitespace(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

impl ListScanner {
    /// Returns the number of entries that have been read.
    pub(super) fn listed(&self) -> u64 {
        self.count.listed
    }

    /// Reads up to the end of the next entry, and takes what it has read from `bytes`. Returns the text of the entry,
    /// or `None` if it needs more bytes.
    ///
    /// # Errors
    /// `Protocol` for a text that is not a list of jobs, or has an entry, key or field without an end.
    pub(super) fn next_entry(&mut self, bytes: &mut Bytes) -> Result<Option<Vec<u8>>> {
        while let Some(&byte) = bytes.first() {
            if let Expected::Rest(role) = self.expected {
                if let Some(entry) = self.read_token(role, bytes)? {
                    return Ok(Some(entry));
                }
            } else if is_whitespace(byte) || self.read_sign(byte)? {
                self.position += 1;
                bytes.advance(1);
            }
        }
        Ok(None)
    }

    /// Reads a part of a key or a value. Returns the text of an entry that has ended.
    fn read_token(&mut self, role: Role, bytes: &mut Bytes) -> Result<Option<Vec<u8>>> {
        let (length, has_ended) = self.token.read(bytes);
        let part = bytes.split_to(length);
        self.position += length as u64;
        if role != Role::Skipped {
            if self.text.len() + part.len() > MAX_TOKEN_BYTES {
                return Err(self.without_end(role));
            }
            self.text.extend_from_slice(&part);
        }
        if !has_ended {
            return Ok(None);
        }
        self.expected = if role == Role::Key { Expected::Colon } else { Expected::CommaOrClose };
        let text = mem::take(&mut self.text);
        match role {
            Role::Key => self.key = serde_json::from_slice(&text).map_err(|error| self.unreadable(&error))?,
            Role::Field => {
                let value = serde_json::from_slice(&text).map_err(|error| self.unreadable(&error))?;
                self.envelope.insert(mem::take(&mut self.key), value);
            }
            Role::Total => self.count.note_total(serde_json::from_slice(&text).ok()),
            Role::Entry => {
                self.count.listed += 1;
                return Ok(Some(text));
            }
            Role::Entries if text != b"null" => return Err(not_a_list(&"`jobDetails` is not an array")),
            Role::Entries | Role::Skipped => {}
        }
        Ok(None)
    }

    /// Reads a sign between keys and values. Returns `false` if it is the first byte of a key or a value.
    fn read_sign(&mut self, sign: u8) -> Result<bool> {
        let is_array = matches!(self.level, Level::Entries | Level::Ids);
        let close = if is_array { b']' } else { b'}' };
        match self.expected {
            Expected::Open { mark } if BYTE_ORDER_MARK.get(mark) == Some(&sign) => {
                self.expected = Expected::Open { mark: mark + 1 };
            }
            Expected::Open { .. } if sign == b'{' => self.expected = Expected::Key { may_close: true },
            Expected::Key { .. } if sign == b'"' => {
                self.begin(Role::Key);
                return Ok(false);
            }
            Expected::Key { may_close: true } | Expected::Value { may_close: true } | Expected::CommaOrClose
                if sign == close =>
            {
                (self.level, self.expected) = match self.level {
                    Level::Envelope => (Level::Envelope, Expected::End),
                    Level::Data => (Level::Envelope, Expected::CommaOrClose),
                    Level::Entries | Level::Ids => (Level::Data, Expected::CommaOrClose),
                };
            }
            Expected::Colon if sign == b':' => self.expected = Expected::Value { may_close: false },
            Expected::CommaOrClose if sign == b',' && is_array => self.expected = Expected::Value { may_close: false },
            Expected::CommaOrClose if sign == b',' => self.expected = Expected::Key { may_close: false },
            Expected::Value { .. } if !matches!(sign, b',' | b':' | b'}' | b']') => return self.begin_value(sign),
            _ => {
                let (sign, position) = (char::from(sign), self.position);
                return Err(not_a_list(&format_args!("there is an unexpected {sign:?} at byte {position}")));
            }
        }
        Ok(true)
    }

    /// Begins a value. Returns `true` if it is an object or an array whose content is read, so that its first byte is
    /// done with.
    fn begin_value(&mut self, sign: u8) -> Result<bool> {
        let key = mem::take(&mut self.key);
        match self.level {
            Level::Envelope if key == "data" => {
                if self.envelope.insert(key, Value::Null).is_some() {
                    return Err(not_a_list(&"the field `data` comes twice"));
                }
                if sign == b'{' {
                    return Ok(self.open(Level::Data));
                }
                self.begin(Role::Skipped);
            }
            Level::Envelope if ENVELOPE_FIELDS.contains(&key.as_str()) => {
                self.begin(Role::Field);
                self.key = key;
            }
            Level::Envelope => {
                // The name says that there is another field. The names of all would have no limit.
                self.envelope.insert("other".to_owned(), Value::Null);
                self.begin(Role::Skipped);
            }
            Level::Data if key == "total" => {
                self.begin(Role::Total);
                self.key = key;
            }
            Level::Data if key == "jobIds" && sign == b'[' => return Ok(self.open(Level::Ids)),
            Level::Data if key == "jobDetails" => {
                if mem::replace(&mut self.has_entries, true) {
                    return Err(not_a_list(&"the field `jobDetails` comes twice"));
                }
                if sign == b'[' {
                    self.count.is_list = true;
                    return Ok(self.open(Level::Entries));
                }
                self.begin(Role::Entries);
                self.key = key;
            }
            Level::Data => self.begin(Role::Skipped),
            Level::Entries => self.begin(Role::Entry),
            Level::Ids => {
                self.count.note_id();
                self.begin(Role::Skipped);
            }
        }
        Ok(false)
    }

    fn begin(&mut self, role: Role) {
        self.token = Token::default();
        self.expected = Expected::Rest(role);
    }

    /// Opens an object or an array whose content is read.
    fn open(&mut self, level: Level) -> bool {
        let is_array = level != Level::Data;
        self.level = level;
        self.expected = if is_array { Expected::Value { may_close: true } } else { Expected::Key { may_close: true } };
        true
    }

    /// Returns the envelope of a response that has ended, without its data.
    ///
    /// # Errors
    /// `Interrupted` if the response is truncated, `Protocol` if it is not a success with a complete list, and otherwise
    /// the failure that the code stands for.
    pub(super) fn finish(self, secrets: &Redactor) -> Result<Envelope<IgnoredAny>> {
        match self.expected {
            Expected::End => {}
            Expected::Open { .. } => {
                return Err(Error::new(ErrorKind::Protocol, "the response is empty, but a list of jobs was expected"));
            }
            _ => {
                let text = format!("the list of jobs is truncated after {} of its entries", self.count.listed);
                return Err(Error::new(ErrorKind::Interrupted, text));
            }
        }
        let mut envelope: Envelope<IgnoredAny> =
            serde_json::from_value(Value::Object(self.envelope)).map_err(|error| not_a_list(&error))?;
        envelope.clean_texts(secrets);
        envelope.check()?;
        self.count.check().map_err(|error| error.with_code(envelope.code))?;
        Ok(envelope)
    }

    fn without_end(&self, role: Role) -> Error {
        let (limit, number) = (MAX_TOKEN_BYTES >> 20, self.count.listed + 1);
        let what = match role {
            Role::Entry => format!("entry {number} of the list of jobs"),
            Role::Key => "the name of a field of the list of jobs".to_owned(),
            _ => format!("the field {:?} of the list of jobs", self.key),
        };
        Error::new(ErrorKind::Protocol, format!("{what} is longer than {limit} MiB, which no job is"))
    }

    fn unreadable(&self, error: &serde_json::Error) -> Error {
        not_a_list(&format_args!("{error}, before byte {}", self.position))
    }
}

fn not_a_list(fault: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Protocol, format!("the response is not a list of jobs ({fault})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scans a text in parts of this length.
    fn scan(text: &[u8], length: usize) -> (Vec<String>, Result<i64>) {
        let mut scanner = ListScanner::default();
        let mut entries = Vec::new();
        for part in text.chunks(length) {
            let mut part = Bytes::copy_from_slice(part);
            loop {
                match scanner.next_entry(&mut part) {
                    Ok(Some(entry)) => entries.push(String::from_utf8(entry).unwrap()),
                    Ok(None) => break,
                    Err(error) => return (entries, Err(error)),
                }
            }
        }
        (entries, scanner.finish(&Redactor::default()).map(|envelope| envelope.code))
    }

    #[test]
    fn a_list_is_cut_into_its_entries_however_its_bytes_arrive() {
        let text = "\u{feff} {\"x\":[{\"data\":1},\"]}\\\"\"], \"data\" : {\"total\":\"4\", \"y\":-1.5e3 ,\"jobIds\":[\"1\", 2,\
             [3],{}],\"jobDetails\":[{\"jobId\":\"a\\\\\",\"n\":[[\"}\\\"]\"]]} , null,5,\"\u{fc},]\"]} ,\"code\":203}\n";
        for length in [1, 2, 3, 7, 1000] {
            let (entries, code) = scan(text.as_bytes(), length);
            assert_eq!(
                entries,
                ["{\"jobId\":\"a\\\\\",\"n\":[[\"}\\\"]\"]]}", "null", "5", "\"\u{fc},]\""],
                "{length}"
            );
            assert_eq!(code.unwrap(), 203);
        }
    }

    #[test]
    fn a_text_that_is_no_list_is_an_error() {
        for (text, kind) in [
            ("", ErrorKind::Protocol),
            ("[]", ErrorKind::Protocol),
            ("null", ErrorKind::Protocol),
            ("{", ErrorKind::Interrupted),
            (r#"{"data":{"jobDetails":[{"a":"#, ErrorKind::Interrupted),
            (r#"{"data":{"jobDetails":[]}"#, ErrorKind::Interrupted),
            (r#"{"data":{"jobDetails":[]}}{"#, ErrorKind::Protocol),
            (r#"{"data":{"jobDetails":[,]}}"#, ErrorKind::Protocol),
            (r#"{"data":{"jobDetails":[1 2]}}"#, ErrorKind::Protocol),
            (r#"{"data":{"jobDetails":[1}}"#, ErrorKind::Protocol),
            (r#"{"data":{"jobDetails":[],}}"#, ErrorKind::Protocol),
            (r#"{"data":{"jobDetails":"x","total":0}}"#, ErrorKind::Protocol),
            (r#"{"data":{"jobDetails":{},"total":0}}"#, ErrorKind::Protocol),
            (r#"{"data":{"jobDetails":[],"jobDetails":[]}}"#, ErrorKind::Protocol),
            (r#"{"data":{"jobDetails":[]},"data":{"jobDetails":[]}}"#, ErrorKind::Protocol),
            (r#"{"data":{"jobDetails":[]},"code":tru}"#, ErrorKind::Protocol),
            (r#"{"data":{"total":1.0}}"#, ErrorKind::Protocol),
            (r#"{"data":{"jobs":[1]}}"#, ErrorKind::Protocol),
            (r#"{"error":"boom"}"#, ErrorKind::Server),
        ] {
            for length in [1, 1000] {
                let error = scan(text.as_bytes(), length).1.expect_err(text);
                assert_eq!(error.kind(), kind, "{text}: {error}");
            }
        }
    }

    #[test]
    fn an_entry_a_key_or_a_field_without_an_end_is_an_error_and_other_values_are_not_kept() {
        let unit = Bytes::from(vec![b'a'; 1 << 20]);
        for (start, named) in [
            (r#"{"data":{"jobDetails":[1,{"jobId":""#, Some("entry 2")),
            (r#"{"data":{""#, Some("the name of a field")),
            (r#"{"error":""#, Some("the field \"error\"")),
            (r#"{"data":{"total":""#, Some("the field \"total\"")),
            (r#"{"data":{"x":""#, None),
        ] {
            let mut scanner = ListScanner::default();
            let mut start = Bytes::copy_from_slice(start.as_bytes());
            while scanner.next_entry(&mut start).unwrap().is_some() {}
            let failed = (0..20).find_map(|_| scanner.next_entry(&mut unit.clone()).err());
            match (failed, named) {
                (Some(error), Some(named)) => {
                    assert_eq!(error.kind(), ErrorKind::Protocol);
                    assert!(error.to_string().contains(named), "{error}");
                }
                (None, None) => assert!(scanner.text.capacity() == 0),
                (failed, named) => panic!("{failed:?} {named:?}"),
            }
        }
    }
}
