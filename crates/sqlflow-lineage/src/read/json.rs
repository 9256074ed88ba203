//! A JSON parser that serde drives, over a [`Window`] of the document.
//!
//! Reading lineage is little else than parsing JSON, and `serde_json` is slower at it: it reads a stream byte by byte,
//! which takes four times as long, and it checks each short string of a slice for UTF-8 on its own, which takes a third
//! longer. This parser accepts the same JSON as `serde_json`, to the same depth; tests compare the two on damaged
//! documents.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::super::error::TextPosition;
use super::window::Window;

/// The reason why the JSON cannot be read further.
#[derive(Debug)]
pub(super) enum JsonErrorKind {
    /// The text ends in the middle of a value.
    End,
    TooDeep,
    Syntax(&'static str),
    /// A visitor refused a value, in these words.
    Refused(String),
}

/// An error of the parser. It is boxed because every call of the parser returns an error or a value.
#[derive(Debug)]
pub(super) struct JsonError(Box<JsonErrorKind>);

impl JsonError {
    pub(super) fn into_kind(self) -> JsonErrorKind {
        *self.0
    }
}

impl From<JsonErrorKind> for JsonError {
    #[cold]
    fn from(kind: JsonErrorKind) -> Self {
        Self(Box::new(kind))
    }
}

impl serde::de::Error for JsonError {
    fn custom<T: fmt::Display>(words: T) -> Self {
        JsonErrorKind::Refused(words.to_string()).into()
    }
}

impl std::error::Error for JsonError {}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            JsonErrorKind::End => f.write_str("the JSON ends in the middle"),
            JsonErrorKind::TooDeep => f.write_str("the JSON is nested too deeply"),
            JsonErrorKind::Syntax(expected) => f.write_str(expected),
            JsonErrorKind::Refused(words) => f.write_str(words),
        }
    }
}

type Result<T> = std::result::Result<T, JsonError>;

fn syntax<T>(expected: &'static str) -> Result<T> {
    Err(JsonErrorKind::Syntax(expected).into())
}

/// The name of a newtype struct that stands for a list of coordinates: this parser shows its visitor the same values as
/// always, and recognizes coordinates in their usual form faster. Other formats pass through it to the value.
pub(super) const COORDINATES: &str = "$sqlflow_lineage::coordinates";

/// The name of a newtype struct that stands for a value of no interest: this parser checks the content of an array or
/// object and shows its visitor an empty one. Other formats pass through it to the value.
pub(super) const UNSEEN: &str = "$sqlflow_lineage::unseen";

/// The depth to which `serde_json` reads.
const MAX_DEPTH: u8 = 127;

pub(super) struct JsonParser<W> {
    window: W,
    /// The index of the next byte in the text of the window.
    at: usize,
    depth: u8,
    /// The last string that had escapes, without them.
    unescaped: String,
}

impl<W: Window> JsonParser<W> {
    pub(super) fn new(window: W) -> Self {
        Self { window, at: 0, depth: 0, unescaped: String::new() }
    }

    pub(super) fn window(&mut self) -> &mut W {
        &mut self.window
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Returns the position of the parser in the document.
    pub(super) fn position(&self) -> TextPosition {
        self.window.position(self.at)
    }

    /// Returns the text before and after the parser, as far as the window holds it.
    pub(super) fn around(&self) -> (&[u8], &[u8]) {
        let bytes = self.window.text().as_bytes();
        bytes.split_at_checked(self.at).unwrap_or((bytes, &[]))
    }

    /// Returns the next byte that is no white space, without consuming it.
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            let bytes = self.window.text().as_bytes();
            while let Some(&byte) = bytes.get(self.at) {
                if !matches!(byte, b' ' | b'\n' | b'\t' | b'\r') {
                    return Some(byte);
                }
                self.at += 1;
            }
            self.advance()?;
        }
    }

    /// Skips a byte order mark.
    pub(super) fn skip_mark(&mut self) {
        const MARK: char = '\u{feff}';
        if self.peek().is_some() && self.window.text().get(self.at..).is_some_and(|text| text.starts_with(MARK)) {
            self.at += MARK.len_utf8();
        }
    }

    /// Gets more text and returns the number of bytes that the window dropped at its start.
    #[cold]
    fn advance(&mut self) -> Option<usize> {
        let forgotten = self.window.advance(self.at)?;
        self.at -= forgotten;
        Some(forgotten)
    }

    fn value_start(&mut self) -> Result<u8> {
        self.peek().ok_or_else(|| JsonErrorKind::End.into())
    }

    /// Consumes the next byte.
    fn next(&mut self) -> Result<u8> {
        loop {
            if let Some(&byte) = self.window.text().as_bytes().get(self.at) {
                self.at += 1;
                return Ok(byte);
            }
            if self.advance().is_none() {
                return Err(JsonErrorKind::End.into());
            }
        }
    }

    /// Consumes a word whose first byte is known.
    fn word(&mut self, word: &'static [u8]) -> Result<()> {
        for &expected in word {
            if self.next()? != expected {
                self.at -= 1;
                return syntax("expected `true`, `false` or `null`");
            }
        }
        Ok(())
    }

    /// Consumes a string whose opening quote is next, and passes its text to `visit`.
    #[inline]
    fn string<T>(&mut self, visit: impl FnOnce(&str) -> Result<T>) -> Result<T> {
        self.at += 1;
        let mut end = self.at;
        loop {
            let bytes = self.window.text().as_bytes();
            end = end_of_plain(bytes, end);
            match bytes.get(end) {
                Some(b'"') => {
                    let start = std::mem::replace(&mut self.at, end + 1);
                    return visit(self.window.text().get(start..end).unwrap_or_default());
                }
                Some(b'\\') => {
                    self.unescape()?;
                    return visit(&self.unescaped);
                }
                Some(_) => {
                    self.at = end;
                    return control_character();
                }
                None => {
                    let Some(forgotten) = self.advance() else {
                        self.at = end;
                        return Err(JsonErrorKind::End.into());
                    };
                    end -= forgotten;
                }
            }
        }
    }

    /// Consumes the rest of a string that has escapes.
    #[cold]
    fn unescape(&mut self) -> Result<()> {
        self.unescaped.clear();
        loop {
            let text = self.window.text();
            let end = end_of_plain(text.as_bytes(), self.at);
            self.unescaped.push_str(text.get(self.at..end).unwrap_or_default());
            self.at = end;
            match self.next()? {
                b'"' => return Ok(()),
                b'\\' => {
                    let character = self.escaped()?;
                    self.unescaped.push(character);
                }
                byte if byte < b' ' => {
                    self.at -= 1;
                    return control_character();
                }
                // The window ended within the string, which continues with this byte.
                _ => self.at -= 1,
            }
        }
    }

    fn escaped(&mut self) -> Result<char> {
        Ok(match self.next()? {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.escaped_unit(),
            byte @ (b'"' | b'\\' | b'/') => char::from(byte),
            _ => {
                self.at -= 1;
                return syntax("a `\\` stands before a character that it does not escape");
            }
        })
    }

    /// Reads an escaped character; one outside the first 65,536 is written as two units.
    fn escaped_unit(&mut self) -> Result<char> {
        let mut units = [self.unit()?, 0];
        let mut len = 1;
        if (0xd800..0xdc00).contains(&units[0]) {
            if self.next()? != b'\\' || self.next()? != b'u' {
                self.at -= 1;
                return lone_surrogate();
            }
            units[1] = self.unit()?;
            len = 2;
        }
        match char::decode_utf16(units.into_iter().take(len)).next() {
            Some(Ok(character)) => Ok(character),
            _ => lone_surrogate(),
        }
    }

    fn unit(&mut self) -> Result<u16> {
        let mut unit = 0;
        for _ in 0..4 {
            let Some(digit) = char::from(self.next()?).to_digit(16) else {
                self.at -= 1;
                return syntax("expected four hexadecimal digits after `\\u`");
            };
            unit = unit << 4 | digit;
        }
        // Four digits of four bits each.
        Ok(u16::try_from(unit).unwrap_or_default())
    }

    #[inline]
    fn number<'de, V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        let rest = self.window.text().as_bytes().get(self.at..);
        if let Some(chunk) = rest.and_then(|rest| rest.first_chunk())
            && let Some((number, len)) = short_number(*chunk)
        {
            self.at += len;
            return visitor.visit_u64(number);
        }
        self.any_number(visitor)
    }

    /// Reads a number that has a sign, a fraction, an exponent or more than seven digits, or is near the end of the window.
    #[cold]
    fn any_number<'de, V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        let mut end = self.at;
        loop {
            match self.window.text().as_bytes().get(end) {
                Some(b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E') => end += 1,
                Some(_) => break,
                None => match self.advance() {
                    Some(forgotten) => end -= forgotten,
                    None => break,
                },
            }
        }
        let is_last = self.window.text().len() == end;
        let text = self.window.text().get(self.at..end).unwrap_or_default();
        let Some(number) = JsonNumber::parse(text) else {
            // If the text is truncated here, the rest could have completed the number.
            return if is_last { Err(JsonErrorKind::End.into()) } else { syntax("expected a number") };
        };
        self.at = end;
        match number {
            JsonNumber::Positive(number) => visitor.visit_u64(number),
            JsonNumber::Negative(number) => visitor.visit_i64(number),
            JsonNumber::Float(number) => visitor.visit_f64(number),
        }
    }

    /// Consumes a coordinate in its usual form, or returns `None` and consumes nothing.
    #[inline]
    fn plain_coordinate(&mut self) -> Option<PlainCoordinate<'_>> {
        // An object here would be too deep.
        if self.depth >= MAX_DEPTH {
            return None;
        }
        let (coordinate, len) = PlainCoordinate::at_start(self.window.text().get(self.at..)?)?;
        self.at += len;
        Some(coordinate)
    }

    /// Consumes the elements of an array or the members of an object without showing them to a visitor.
    fn skip_items(&mut self, close: u8) -> Result<()> {
        let mut is_first = true;
        while self.has_next(&mut is_first, close)? {
            if close == b'}' {
                self.field_name(|_| Ok(()))?;
                self.colon()?;
            }
            self.skip_value()?;
        }
        Ok(())
    }

    fn skip_value(&mut self) -> Result<()> {
        match self.value_start()? {
            b'"' => self.string(|_| Ok(())),
            b'{' => self.nested(b'}', |json| json.skip_items(b'}')),
            b'[' => self.nested(b']', |json| json.skip_items(b']')),
            b'0'..=b'9' | b'-' => self.skip_number(),
            _ => self.deserialize_any(IgnoredAny).map(drop),
        }
    }

    #[inline]
    fn skip_number(&mut self) -> Result<()> {
        let rest = self.window.text().as_bytes().get(self.at..).unwrap_or_default();
        // A number that is kept ends in the same place, whatever comes after it.
        let whole = rest.first_chunk().and_then(|chunk| short_number(*chunk)).map(|(_, len)| len);
        if let Some(len) = whole.or_else(|| short_decimal(rest)) {
            self.at += len;
            return Ok(());
        }
        self.any_number(IgnoredAny).map(drop)
    }

    /// Consumes the name of a field, and passes it to `visit`.
    #[inline]
    fn field_name<T>(&mut self, visit: impl FnOnce(&str) -> Result<T>) -> Result<T> {
        if self.value_start()? != b'"' {
            return syntax("expected the name of a field");
        }
        self.string(visit)
    }

    /// Consumes the colon after the name of a field.
    #[inline]
    fn colon(&mut self) -> Result<()> {
        if self.value_start()? != b':' {
            return syntax("expected a colon after the name of a field");
        }
        self.at += 1;
        Ok(())
    }

    /// Returns `true` if another element or member follows, and consumes the comma before it.
    #[inline]
    fn has_next(&mut self, is_first: &mut bool, close: u8) -> Result<bool> {
        let byte = self.value_start()?;
        if byte == close {
            return Ok(false);
        }
        if std::mem::take(is_first) {
            return Ok(true);
        }
        if byte != b',' {
            return syntax("expected a comma or the end of an array or object");
        }
        self.at += 1;
        if self.value_start()? == close {
            return syntax("a comma stands before the end of an array or object");
        }
        Ok(true)
    }

    /// Consumes one array or object, whose opening byte is next.
    #[inline]
    fn nested<T>(&mut self, close: u8, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.at += 1;
        if self.depth >= MAX_DEPTH {
            return Err(JsonErrorKind::TooDeep.into());
        }
        self.depth += 1;
        let value = read(self)?;
        self.depth -= 1;
        if self.value_start()? != close {
            return syntax("expected the end of an array or object");
        }
        self.at += 1;
        Ok(value)
    }
}

/// Returns a whole number of up to seven digits and the number of its digits, or `None` for any other number.
///
/// All digits are read at once: the lengths of successive numbers vary, so that the branch predictor would guess the end
/// of a loop over digits wrong each time.
#[inline]
fn short_number(bytes: [u8; 8]) -> Option<(u64, usize)> {
    const ONES: u64 = u64::MAX / 255;
    let digits = u64::from_le_bytes(bytes) ^ (ONES * u64::from(b'0'));
    // The high bit of every byte that is above nine.
    let others = (((digits & (ONES * 0x7f)) + ONES * (0x7f - 9)) | digits) & (ONES << 7);
    let len = others.trailing_zeros() as usize / 8;
    let after = bytes.get(len)?;
    let has_leading_zero = bytes.starts_with(b"0") && len > 1;
    if len == 0 || has_leading_zero || matches!(after, b'.' | b'e' | b'E') {
        return None;
    }
    // The shift puts zeros before the digits and removes what came after them. Then neighbours are combined: digits to
    // pairs, pairs to fours, fours to the number.
    let digits = digits << (64 - 8 * len);
    let pairs = (digits * 10 + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    let number = (fours * 10_000 + (fours >> 32)) & 0xffff_ffff;
    Some((number, len))
}

/// Returns the length of a decimal number of few digits and without an exponent, or `None` for any other number and for
/// one that the text may not hold to its end.
#[inline]
fn short_decimal(bytes: &[u8]) -> Option<usize> {
    /// So short a number is always finite.
    const MAX_LENGTH: usize = 32;
    let unsigned = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let digits = |bytes: &[u8]| bytes.iter().take(MAX_LENGTH).take_while(|byte| byte.is_ascii_digit()).count();
    let whole = digits(unsigned);
    let has_leading_zero = whole > 1 && unsigned.starts_with(b"0");
    let mut after = unsigned.get(whole..)?;
    if let Some(fraction) = after.strip_prefix(b".") {
        let len = digits(fraction);
        if len == 0 {
            return None;
        }
        after = fraction.get(len..)?;
    }
    let continues = matches!(after.first()?, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    (whole > 0 && !has_leading_zero && !continues).then_some(bytes.len() - after.len())
}

/// A coordinate in the form that servers write: `{"x":1,"y":8,"hashCode":"0"}`, with its fields in any order and white
/// space between them. Two thirds of a document are coordinates, so that it pays to recognize them as a whole.
struct PlainCoordinate<'t> {
    x: u64,
    y: u64,
    hash: &'t str,
}

impl<'t> PlainCoordinate<'t> {
    /// Returns the coordinate at the start of a text, and its length. Whatever is unusual is none: a field that is missing
    /// or occurs twice, numbers that are negative or long, escapes, and the end of the text.
    #[inline]
    fn at_start(text: &'t str) -> Option<(Self, usize)> {
        Self::compact(text).or_else(|| Self::spaced(text))
    }

    /// Recognizes the fields in the usual order without white space, which takes only comparisons of whole words.
    #[inline]
    fn compact(text: &'t str) -> Option<(Self, usize)> {
        let rest = text.as_bytes().strip_prefix(b"{\"x\":")?;
        let (x, digits) = short_number(*rest.first_chunk()?)?;
        let rest = rest.get(digits..)?.strip_prefix(b",\"y\":")?;
        let (y, digits) = short_number(*rest.first_chunk()?)?;
        let rest = rest.get(digits..)?.strip_prefix(b",\"hashCode\":\"")?;
        let start = text.len() - rest.len();
        let end = start + end_of_plain(rest, 0);
        let after = text.as_bytes().get(end..)?.strip_prefix(b"\"}")?;
        let hash = text.get(start..end)?;
        Some((Self { x, y, hash }, text.len() - after.len()))
    }

    /// Recognizes the fields in any order, with white space between them.
    #[inline(never)]
    fn spaced(text: &'t str) -> Option<(Self, usize)> {
        let (mut x, mut y, mut hash) = (None, None, None);
        let mut rest = Unread(text.as_bytes());
        for before in [b'{', b',', b','] {
            rest.token(before)?;
            if x.is_none() && rest.name(b"\"x\"") {
                rest.token(b':')?;
                x = Some(rest.number()?);
            } else if y.is_none() && rest.name(b"\"y\"") {
                rest.token(b':')?;
                y = Some(rest.number()?);
            } else if hash.is_none() && rest.name(b"\"hashCode\"") {
                rest.token(b':')?;
                let (from_end, to_end) = rest.string()?;
                hash = text.get(text.len() - from_end..text.len() - to_end);
            } else {
                return None;
            }
        }
        rest.token(b'}')?;
        // White space after it belongs to the list.
        Some((Self { x: x?, y: y?, hash: hash? }, text.len() - rest.0.len()))
    }
}

/// The part of a text that was not read yet.
struct Unread<'t>(&'t [u8]);

impl Unread<'_> {
    #[inline]
    fn space(&mut self) {
        while let Some((b' ' | b'\n' | b'\t' | b'\r', rest)) = self.0.split_first() {
            self.0 = rest;
        }
    }

    /// Consumes one byte and the white space before it.
    #[inline]
    fn token(&mut self, byte: u8) -> Option<()> {
        self.space();
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        (*first == byte).then_some(())
    }

    /// Consumes the name of a field, in its quotes, if it is next.
    #[inline]
    fn name(&mut self, quoted: &[u8]) -> bool {
        self.space();
        let rest = self.0.strip_prefix(quoted);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    #[inline]
    fn number(&mut self) -> Option<u64> {
        self.space();
        let (number, len) = short_number(*self.0.first_chunk()?)?;
        self.0 = self.0.get(len..)?;
        Some(number)
    }

    /// Consumes a string without escapes, and returns the distances of its start and end from the end of the text.
    #[inline]
    fn string(&mut self) -> Option<(usize, usize)> {
        self.token(b'"')?;
        let start = self.0.len();
        self.0 = self.0.get(end_of_plain(self.0, 0)..)?;
        let end = self.0.len();
        // White space before the quote would be a control character, or would belong to the string.
        self.0 = self.0.strip_prefix(b"\"")?;
        Some((start, end))
    }
}

impl<'de> Deserializer<'de> for PlainCoordinate<'_> {
    type Error = JsonError;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_map(PlainFields { coordinate: self, read: 0 })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// The fields of a plain coordinate.
struct PlainFields<'t> {
    coordinate: PlainCoordinate<'t>,
    /// The number of fields whose name was read.
    read: u8,
}

impl<'de> MapAccess<'de> for PlainFields<'_> {
    type Error = JsonError;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        let name = match self.read {
            0 => "x",
            1 => "y",
            2 => "hashCode",
            _ => return Ok(None),
        };
        self.read += 1;
        seed.deserialize(name.into_deserializer()).map(Some)
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        match self.read {
            1 => seed.deserialize(self.coordinate.x.into_deserializer()),
            2 => seed.deserialize(self.coordinate.y.into_deserializer()),
            _ => seed.deserialize(self.coordinate.hash.into_deserializer()),
        }
    }
}

#[cold]
fn control_character<T>() -> Result<T> {
    syntax("a string holds a control character that is not escaped")
}

#[cold]
fn lone_surrogate<T>() -> Result<T> {
    syntax("an escape is half of a character")
}

/// Returns the index of the first quote, backslash or control character in `bytes` from `at` on, or the end. It looks at
/// eight bytes at a time.
#[inline]
fn end_of_plain(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    // The high bit of every byte that was zero. The bits above the first such byte may be wrong.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let quotes = zeros(word ^ (ONES * u64::from(b'"')));
        let backslashes = zeros(word ^ (ONES * u64::from(b'\\')));
        let controls = word.wrapping_sub(ONES * 0x20) & !word;
        let found = (quotes | backslashes | controls) & HIGHS;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(|&byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        at += 1;
    }
    at
}

enum JsonNumber {
    Positive(u64),
    Negative(i64),
    Float(f64),
}

impl JsonNumber {
    /// Returns `None` if the text is no JSON number, or is too large for a float.
    fn parse(text: &str) -> Option<Self> {
        let (is_negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
        let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
            None => (digits, None),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (mantissa, None),
        };
        let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let has_leading_zero = whole.len() > 1 && whole.starts_with('0');
        let parts = [Some(whole), fraction, exponent];
        if has_leading_zero || !parts.into_iter().flatten().all(are_digits) {
            return None;
        }
        if fraction.is_none() && exponent.is_none() {
            if !is_negative && let Ok(number) = text.parse() {
                return Some(Self::Positive(number));
            }
            // Only a float can be a negative zero.
            if is_negative && let Ok(number @ ..0) = text.parse() {
                return Some(Self::Negative(number));
            }
        }
        let number: f64 = text.parse().ok()?;
        number.is_finite().then_some(Self::Float(number))
    }
}

impl<'de, W: Window> Deserializer<'de> for &mut JsonParser<W> {
    type Error = JsonError;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.value_start()? {
            b'"' => self.string(|text| visitor.visit_str(text)),
            b'0'..=b'9' | b'-' => self.number(visitor),
            b'{' => self.nested(b'}', |json| visitor.visit_map(JsonItems::new(json))),
            b'[' => self.nested(b']', |json| visitor.visit_seq(JsonItems::new(json))),
            b't' => {
                self.word(b"true")?;
                visitor.visit_bool(true)
            }
            b'f' => {
                self.word(b"false")?;
                visitor.visit_bool(false)
            }
            b'n' => {
                self.word(b"null")?;
                visitor.visit_unit()
            }
            _ => syntax("expected a value"),
        }
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value> {
        match (name, self.value_start()?) {
            (COORDINATES, b'[') => self.nested(b']', |json| visitor.visit_seq(CoordinateItems(JsonItems::new(json)))),
            (UNSEEN, b'{') => self.nested(b'}', |json| {
                json.skip_items(b'}')?;
                visitor.visit_map(JsonItems::new(json))
            }),
            (UNSEEN, b'[') => self.nested(b']', |json| {
                json.skip_items(b']')?;
                visitor.visit_seq(JsonItems::new(json))
            }),
            _ => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// The elements of an array or the members of an object.
struct JsonItems<'j, W> {
    json: &'j mut JsonParser<W>,
    is_first: bool,
}

impl<'j, W> JsonItems<'j, W> {
    fn new(json: &'j mut JsonParser<W>) -> Self {
        Self { json, is_first: true }
    }
}

impl<'de, W: Window> SeqAccess<'de> for JsonItems<'_, W> {
    type Error = JsonError;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if !self.json.has_next(&mut self.is_first, b']')? {
            return Ok(None);
        }
        seed.deserialize(&mut *self.json).map(Some)
    }
}

impl<'de, W: Window> MapAccess<'de> for JsonItems<'_, W> {
    type Error = JsonError;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        if !self.json.has_next(&mut self.is_first, b'}')? {
            return Ok(None);
        }
        if self.json.value_start()? != b'"' {
            return syntax("expected the name of a field");
        }
        seed.deserialize(&mut *self.json).map(Some)
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        self.json.colon()?;
        seed.deserialize(&mut *self.json)
    }
}

/// The elements of an array that are probably coordinates.
struct CoordinateItems<'j, W>(JsonItems<'j, W>);

impl<'de, W: Window> SeqAccess<'de> for CoordinateItems<'_, W> {
    type Error = JsonError;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let JsonItems { json, is_first } = &mut self.0;
        if !json.has_next(is_first, b']')? {
            return Ok(None);
        }
        if let Some(coordinate) = json.plain_coordinate() {
            return seed.deserialize(coordinate).map(Some);
        }
        seed.deserialize(&mut **json).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::io::{self, Read};

    use serde::Deserialize;
    use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
    use serde_json::Value;

    use super::super::super::fixtures::{LAYOUT_B, LAYOUT_C2, ROUTINES};
    use super::super::window::{ReaderWindow, SliceWindow, Window};
    use super::{COORDINATES, JsonErrorKind, JsonParser, UNSEEN};

    /// Supplies a few bytes at a time, so that every token meets the end of a window.
    struct Drops<'b>(&'b [u8], usize);

    impl Read for Drops<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let n = self.0.len().min(out.len()).min(self.1);
            let (given, left) = self.0.split_at(n);
            out[..n].copy_from_slice(given);
            self.0 = left;
            Ok(n)
        }
    }

    /// Returns the first value and its length in the document, or the error.
    fn parsed(window: impl Window) -> Result<(Value, u64), String> {
        let mut json = JsonParser::new(window);
        match Value::deserialize(&mut json) {
            Ok(value) => Ok((value, json.position().offset)),
            Err(error) => Err(format!("{:?} {:?}", error.into_kind(), json.position())),
        }
    }

    /// Reads a document from memory, in drops and with `serde_json`, which must all agree.
    fn agreed(document: &[u8], drop: usize) -> Option<Value> {
        let whole = parsed(SliceWindow::new(document));
        assert_eq!(
            parsed(ReaderWindow::new(Drops(document, drop), u64::MAX)),
            whole,
            "{}",
            String::from_utf8_lossy(document)
        );
        let mut values = serde_json::Deserializer::from_slice(document).into_iter::<Value>();
        let peer = values.next().unwrap_or_else(|| serde_json::from_str(""));
        match (whole, peer) {
            (Ok((value, offset)), Ok(peer)) => {
                assert_eq!(value, peer, "{}", String::from_utf8_lossy(document));
                assert_eq!(offset, values.byte_offset() as u64);
                Some(value)
            }
            (Err(_), Err(_)) => None,
            (whole, peer) => panic!("{whole:?} but {peer:?} for {}", String::from_utf8_lossy(document)),
        }
    }

    /// Reads values through one of the names that this parser knows.
    #[derive(Clone, Copy)]
    struct Through(&'static str);

    impl<'de> DeserializeSeed<'de> for Through {
        type Value = Value;

        fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
            deserializer.deserialize_newtype_struct(self.0, self)
        }
    }

    impl<'de> Visitor<'de> for Through {
        type Value = Value;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a value")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
            let mut values = Vec::new();
            while let Some(value) = seq.next_element()? {
                values.push(value);
            }
            Ok(Value::Array(values))
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
            let mut members = serde_json::Map::new();
            while let Some((key, value)) = map.next_entry()? {
                members.insert(key, value);
            }
            Ok(Value::Object(members))
        }

        fn visit_unit<E>(self) -> Result<Value, E> {
            Ok(Value::Null)
        }

        fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
            Ok(value.into())
        }

        fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
            Ok(number.into())
        }

        fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
            Ok(number.into())
        }

        fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
            Ok(number.into())
        }

        fn visit_str<E>(self, text: &str) -> Result<Value, E> {
            Ok(text.into())
        }
    }

    fn parsed_through(name: &'static str, window: impl Window) -> Result<(Value, u64), String> {
        let mut json = JsonParser::new(window);
        match Through(name).deserialize(&mut json) {
            Ok(value) => Ok((value, json.position().offset)),
            Err(error) => Err(format!("{:?} {:?}", error.into_kind(), json.position())),
        }
    }

    /// Checks that the faster ways through the parser find the same values, the same end and the same errors.
    fn agreed_through_names(document: &[u8], drop: usize) {
        let known = parsed(SliceWindow::new(document));
        let text = String::from_utf8_lossy(document);
        let reader = || ReaderWindow::new(Drops(document, drop), u64::MAX);
        assert_eq!(parsed_through(COORDINATES, SliceWindow::new(document)), known, "{text}");
        assert_eq!(parsed_through(COORDINATES, reader()), known, "{text}");
        let unseen = known.map(|(value, end)| match value {
            Value::Array(_) => (Value::Array(Vec::new()), end),
            Value::Object(_) => (Value::Object(serde_json::Map::new()), end),
            scalar => (scalar, end),
        });
        assert_eq!(parsed_through(UNSEEN, SliceWindow::new(document)), unseen, "{text}");
        assert_eq!(parsed_through(UNSEEN, reader()), unseen, "{text}");
    }

    #[test]
    fn coordinates_in_every_form_are_read_as_the_objects_that_they_are() {
        let lists = [
            r#"[{"x":1,"y":8,"hashCode":"0"},{"x":1,"y":13,"hashCode":"0"}]"#,
            r#"[{"hashCode":"a b é","y":8,"x":1234567}]  "#,
            "[ { \"y\" : 8 ,\n\t\"hashCode\" : \"\" , \"x\" : 0 }\r\n , {\"x\":1,\"y\":8,\"hashCode\":\"0\"}\n]",
            r#"[{"x":-1,"y":-1,"hashCode":"0"},{"x":1.5,"y":1e2,"hashCode":"0"},{"x":12345678,"y":8,"hashCode":"0"}]"#,
            r#"[{"x":"1","y":null,"hashCode":0},{"x":1,"y":8,"hashCode":null},{"x":1,"y":8,"hashCode":"\u0041\"]}"}]"#,
            r#"[{"x":1,"y":8},{"x":1,"y":8,"hashCode":"0","z":[]},{},[1,8,"0"],"1",null]"#,
            r#"[{"x":1,"x":2,"y":8,"hashCode":"0"},{"x":1,"x":2,"hashCode":"0"},{"y":1,"y":2,"y":3}]"#,
            r#"[{"x":[{"x":1,"y":8,"hashCode":"0"}],"y":8,"hashCode":"0"}]"#,
            "[]",
            r#"{"x":1,"y":8,"hashCode":"0"}"#,
        ];
        for list in lists {
            let value: Value = serde_json::from_str(list).unwrap();
            assert_eq!(parsed_through(COORDINATES, SliceWindow::new(list.as_bytes())).unwrap().0, value, "{list}");
            agreed_through_names(list.as_bytes(), 7);
        }
        for broken in [
            r#"[{"x":1,"y":8,"hashCode":"0"}"#,
            r#"[{"x":1,"y":8,"hashCode":"0"},]"#,
            r#"[{"x":1,"y":8,"hashCode":"0",}]"#,
            r#"[{"x":1,"y":8,"hashCode":"0"]"#,
            r#"[{"x":1,"y":8,"hashCode":"0"#,
            r#"[{"x","y":8,"hashCode":"0","x":1}]"#,
            r#"[{"x" "y":8,"hashCode":"0","x":1}]"#,
            r#"[{"x":,"y":8,"hashCode":"0"}]"#,
            r#"[{"x":01,"y":8,"hashCode":"0"}]"#,
            r#"[{"x":1"y":8,"hashCode":"0"}]"#,
            r#"[{,"x":1,"y":8,"hashCode":"0"}]"#,
            r#"[{"x":1,"y":8,"hashCode":0"}]"#,
            "[{\"x\":1,\"y\":8,\"hashCode\":\"\n\"}]",
        ] {
            assert!(serde_json::from_str::<Value>(broken).is_err());
            agreed_through_names(broken.as_bytes(), 5);
        }
    }

    #[test]
    fn numbers_that_nobody_keeps_are_checked_like_others() {
        for number in [
            "0",
            "-0",
            "1.5",
            "-30.000149",
            "41.96875",
            "1e5",
            "1e999",
            "-",
            "01",
            "-01",
            "1.",
            ".5",
            "1.5.5",
            "1-",
            "1+2",
            "1e",
            "1.e5",
            "00",
            "0.0",
            "12345678901234567890123456789012345678901234567890",
            "1x",
            "--1",
            "1.5e-3",
            "0.123456789012345678901234567890123456789012345678901234567890",
        ] {
            for document in
                [format!("[{number}]"), format!("[{number} ,1]"), format!("{{\"a\":{number}}}"), format!("[{number}")]
            {
                agreed_through_names(document.as_bytes(), 3);
            }
        }
    }

    #[test]
    fn coordinates_are_refused_as_deep_as_everything_else() {
        for depth in [125, 126, 127] {
            let document = format!("{}{}", "[".repeat(depth), r#"{"x":1,"y":8,"hashCode":"0"}"#);
            agreed_through_names(format!("{document}{}", "]".repeat(depth)).as_bytes(), 50);
            agreed_through_names(document.as_bytes(), 50);
        }
        let mut json = JsonParser::new(SliceWindow::new(br#"[{"x":1,"y":8,"hashCode":"0"}]"#));
        json.depth = super::MAX_DEPTH - 1;
        let error = Through(COORDINATES).deserialize(&mut json).unwrap_err();
        assert!(matches!(error.into_kind(), JsonErrorKind::TooDeep));
    }

    #[test]
    fn values_are_read_as_serde_json_reads_them() {
        for sound in [
            "0",
            "-0",
            "-1",
            "18446744073709551615",
            "18446744073709551616",
            "-9223372036854775808",
            "-9223372036854775809",
            "0001",
            "1.5",
            "-1.5e-3",
            "1E+2",
            "0e0",
            "[1,2.0,{}]",
            "\"\"",
            r#""\"\\\/\b\f\n\r\t\u0041\u00e9\ud83d\ude00""#,
            "\"é 😀 and more than eight bytes\"",
            "\"\u{7f}\u{80}\u{ffff}\"",
            " [ true , false , null ] ",
            r#"{"a":{"b":[]},"a":2}"#,
        ] {
            assert_eq!(agreed(sound.as_bytes(), 1).is_some(), sound != "0001", "{sound}");
        }
    }

    #[test]
    fn whole_numbers_of_any_length_are_read() {
        for len in 1..20 {
            for digits in ["1234567890".repeat(3), "9".repeat(30), "1".to_owned() + &"0".repeat(30)] {
                let number = &digits[..len];
                let document = format!("[{number},-{number} ,{number}]");
                assert!(agreed(document.as_bytes(), 1).is_some(), "{document}");
            }
        }
    }

    #[test]
    fn whatever_serde_json_refuses_is_refused() {
        for document in [
            "",
            " ",
            "tru",
            "trug",
            "nul",
            "+1",
            "-",
            "01",
            "-01",
            "1.",
            ".5",
            "1e",
            "1e+",
            "1e999",
            "-1e999",
            "1.e1",
            "--1",
            "[1 2]",
            "[1,]",
            "[,1]",
            "[",
            "[1",
            "{,}",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            "{1:2}",
            r#"{"a" 1}"#,
            "]",
            "\"",
            "\"a",
            "\"\\",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u12g4\"",
            "\"\\ud800\"",
            "\"\\ud800\\n\"",
            "\"\\ud800\\u0041\"",
            "\"\\udc00\"",
            "\"a\nb\"",
            "\"\u{0}\"",
            "[1}",
            "{\"a\":1]",
            "'a'",
            "\u{feff}1",
        ] {
            assert_eq!(agreed(document.as_bytes(), 1), None, "{document}");
        }
    }

    #[test]
    fn arrays_are_read_to_the_same_depth_as_by_serde_json() {
        for (depth, is_read) in [(127, true), (128, false), (100_000, false)] {
            let document = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
            assert_eq!(agreed(document.as_bytes(), 1).is_some(), is_read, "{depth}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_end_the_text() {
        for (document, is_end) in [(&b"[\"a\xff\"]"[..], true), (b"[1, \xff]", true), (b"[1, 2] \xff", false)] {
            assert_eq!(agreed(document, 1).is_none(), is_end);
            let mut json = JsonParser::new(SliceWindow::new(document));
            if let Err(error) = Value::deserialize(&mut json) {
                assert!(matches!(error.into_kind(), JsonErrorKind::End));
                assert!(json.window().take_stop().is_some());
            }
        }
    }

    #[test]
    fn damaged_documents_are_read_or_refused_as_by_serde_json() {
        const FRAGMENTS: [&str; 16] =
            ["{", "}", "[", "]", ",", ":", "\"", "\\", "null", "-", "1e5", "0", "\\u00", "é", "\u{0}", " "];
        let mut random = fastrand::Rng::with_seed(5);
        let (mut read, mut refused) = (0, 0);
        let coordinates =
            r#"[{"x":12,"y":8,"hashCode":"0"},{"hashCode":"a","x":3,"y":103},{"y":7,"x":5,"hashCode":"é"}]"#;
        for sound in [LAYOUT_B, LAYOUT_C2, ROUTINES, coordinates] {
            let compact = serde_json::from_str::<Value>(sound).unwrap().to_string();
            for _ in 0..500 {
                let mut document = compact.as_bytes().to_vec();
                for _ in 0..random.usize(1..3) {
                    let at = random.usize(..document.len());
                    let end = (at + random.usize(..4)).min(document.len());
                    if random.bool() {
                        document.drain(at..end);
                    } else {
                        document.splice(at..end, FRAGMENTS[random.usize(..FRAGMENTS.len())].bytes());
                    }
                }
                if agreed(&document, random.usize(20..80)).is_some() {
                    read += 1;
                } else {
                    refused += 1;
                }
                agreed_through_names(&document, random.usize(20..80));
            }
        }
        assert!(read > 100 && refused > 300, "{read} read, {refused} refused");
    }
}
