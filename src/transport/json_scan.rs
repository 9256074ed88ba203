//! A look at JSON that goes by: where it ends, and whether it is the envelope of a failure.
//!
//! An export may have gigabytes, and its code may be at its end. The scan reads 64 bytes at a time, and one byte at a
//! time only where the outermost object has its own fields.

use wide::u8x16;

use crate::wire::{EnvelopeHead, Redactor};

const BLOCK: usize = 64;

/// The number of bytes of a text that are kept of a field of the envelope.
const MAX_TEXT_BYTES: usize = 4096;
/// The number of bytes of a field that are kept. Only texts and containers are longer, and these are shortened.
const MAX_MEMBER_BYTES: usize = 2 * MAX_TEXT_BYTES;

/// The fields of the outermost object that say whether it is an envelope, and of which kind.
const KEYS: [&[u8]; 8] = [b"code", b"data", b"error", b"message", b"msg", b"upgrade", b"dbobjs", b"sqlflow"];

/// The state of the scan between two chunks.
#[derive(Debug, Default)]
pub(super) struct JsonScan {
    /// The number of open brackets outside strings.
    depth: u64,
    in_string: bool,
    /// `true` if the last byte was a backslash that escapes the next one.
    is_escaped: bool,
    is_closed: bool,
    outline: Outline,
}

impl JsonScan {
    /// Reads the next bytes. What follows the JSON value is ignored: some servers write text after it.
    pub(super) fn update(&mut self, chunk: &[u8]) {
        let mut blocks = chunk.chunks_exact(BLOCK);
        for block in &mut blocks {
            if self.is_closed {
                return;
            }
            let block: &[u8; BLOCK] = block.try_into().expect("the chunks have this size");
            if self.depth < 2 || !self.skip(block) {
                self.read(block);
            }
        }
        self.read(blocks.remainder());
    }

    /// Returns `true` if the value has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Returns the head of the envelope as far as it was read, or `None` if there is no code in it.
    pub(super) fn head(&self, secrets: &Redactor) -> Option<EnvelopeHead> {
        self.outline.head(secrets)
    }

    /// Reads a block within the second level or below. Returns `false`, and changes nothing, if it leaves that level.
    fn skip(&mut self, block: &[u8; BLOCK]) -> bool {
        let masks = masks_of(block);
        let (escaped, is_escaped) = escaped(masks.backslashes, self.is_escaped);
        // In a string is a byte with an odd number of quotes up to it.
        let mut in_string = masks.quotes & !escaped;
        for shift in [1, 2, 4, 8, 16, 32] {
            in_string ^= in_string << shift;
        }
        if self.in_string {
            in_string = !in_string;
        }
        let (opened, closed) = (masks.opened & !in_string, masks.closed & !in_string);
        if self.depth < 2 + u64::from(closed.count_ones()) {
            let (mut brackets, mut depth) = (opened | closed, self.depth);
            while brackets != 0 {
                if opened & brackets & brackets.wrapping_neg() != 0 {
                    depth += 1;
                } else {
                    depth -= 1;
                    if depth < 2 {
                        return false;
                    }
                }
                brackets &= brackets - 1;
            }
        }
        self.depth = self.depth + u64::from(opened.count_ones()) - u64::from(closed.count_ones());
        self.in_string = in_string >> 63 == 1;
        self.is_escaped = is_escaped;
        true
    }

    fn read(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let was = self.depth;
            match byte {
                _ if self.is_closed => return,
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = self.in_string,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.is_closed = self.depth == 0;
                }
                _ => {}
            }
            // The brackets of a value count as parts of the field, and what is between them does not.
            if was == 0 && self.depth == 1 {
                self.outline.is_object = *byte == b'{';
            } else if (was == 1 || self.depth == 1) && self.outline.is_object {
                self.outline.push(*byte, self.in_string || *byte == b'"', was == 1 && self.depth == 1, self.is_closed);
            }
        }
    }
}

/// The fields of the outermost object, with its containers emptied and its texts shortened.
#[derive(Debug, Default)]
struct Outline {
    is_object: bool,
    /// The field that is being read.
    member: Vec<u8>,
    text: TextState,
    /// The last field of each key.
    members: [Option<Box<[u8]>>; KEYS.len()],
}

/// The place within a text of a field.
#[derive(Debug, Default)]
struct TextState {
    is_open: bool,
    length: usize,
    /// The number of bytes that still belong to an escape sequence.
    escape: u8,
    is_cut: bool,
}

impl Outline {
    /// Adds a byte of the outermost object. `is_text` is `true` for the bytes of a text and its quotes, `is_flat` for
    /// those that are no bracket of a value, and `is_end` for the bracket that ends the object.
    fn push(&mut self, byte: u8, is_text: bool, is_flat: bool, is_end: bool) {
        if is_text {
            self.push_text(byte);
        } else if is_end || (is_flat && byte == b',') {
            self.keep_member();
        } else if !byte.is_ascii_whitespace() && self.member.len() < MAX_MEMBER_BYTES + MAX_TEXT_BYTES {
            self.member.push(byte);
        }
    }

    fn push_text(&mut self, byte: u8) {
        let text = &mut self.text;
        let is_quote = byte == b'"' && text.escape == 0;
        if is_quote {
            *text = TextState { is_open: !text.is_open, ..TextState::default() };
        } else if text.escape > 0 {
            text.escape = if byte == b'u' && text.escape == 1 { 4 } else { text.escape - 1 };
        } else if byte == b'\\' {
            text.escape = 1;
        } else if text.length >= MAX_TEXT_BYTES && byte.is_ascii() {
            // Not in the middle of a character, nor between the two halves of an escaped one.
            text.is_cut = true;
        }
        text.length += 1;
        if !text.is_cut && self.member.len() < MAX_MEMBER_BYTES + MAX_TEXT_BYTES {
            self.member.push(byte);
        }
    }

    fn keep_member(&mut self) {
        let key = self.member.strip_prefix(b"\"").and_then(|rest| rest.split(|byte| *byte == b'"').next());
        let place = key.and_then(|key| KEYS.iter().position(|known| *known == key));
        if let Some(place) = place.filter(|_| self.member.len() <= MAX_MEMBER_BYTES) {
            self.members[place] = Some(self.member.as_slice().into());
        }
        self.member.clear();
    }

    fn head(&self, secrets: &Redactor) -> Option<EnvelopeHead> {
        let members: Vec<_> = self.members.iter().flatten().map(|member| &**member).collect();
        EnvelopeHead::of(&[b"{", members.join(&b","[..]).as_slice(), b"}"].concat(), secrets)
    }
}

/// The bytes of a block that can be part of the structure, one bit for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Masks {
    quotes: u64,
    backslashes: u64,
    opened: u64,
    closed: u64,
}

/// Square brackets differ from curly ones in this bit, and only from them.
const CURLY: u8 = 0x20;

fn masks_of(block: &[u8; BLOCK]) -> Masks {
    const LANES: usize = 16;

    let mut masks = Masks { quotes: 0, backslashes: 0, opened: 0, closed: 0 };
    for (place, part) in block.chunks_exact(LANES).enumerate() {
        let part = u8x16::new(part.try_into().expect("the parts have this size"));
        let curly = part | u8x16::splat(CURLY);
        let bits = |bytes: u8x16, byte| {
            let found = bytes.cmp_eq(u8x16::splat(byte)).move_mask().cast_unsigned();
            u64::from(found) << (LANES * place)
        };
        masks.quotes |= bits(part, b'"');
        masks.backslashes |= bits(part, b'\\');
        masks.opened |= bits(curly, b'{');
        masks.closed |= bits(curly, b'}');
    }
    masks
}

/// Returns the bytes that a backslash escapes, and whether the block escapes the first byte of the next one.
/// `is_escaped` is `true` if the first byte of this block is escaped.
fn escaped(backslashes: u64, is_escaped: bool) -> (u64, bool) {
    const EVEN: u64 = 0x5555_5555_5555_5555;

    let first = u64::from(is_escaped);
    if backslashes == 0 {
        return (first, false);
    }
    // Every second backslash of a row is escaped, so that a row of odd length escapes the byte after it.
    let backslashes = backslashes & !first;
    let follows = (backslashes << 1) | first;
    let odd_starts = backslashes & !EVEN & !follows;
    let (rows, overflows) = odd_starts.overflowing_add(backslashes);
    ((EVEN ^ (rows << 1)) & follows, overflows)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The end of the first JSON value, byte by byte.
    fn end_of(text: &[u8]) -> Option<usize> {
        let (mut depth, mut in_string, mut is_escaped) = (0_u64, false, false);
        for (at, byte) in text.iter().enumerate() {
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = in_string,
                b'"' => in_string = !in_string,
                _ if in_string => {}
                b'{' | b'[' => depth += 1,
                b'}' | b']' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return Some(at);
                    }
                }
                _ => {}
            }
        }
        None
    }

    fn scan(text: &[u8], chunk: usize) -> JsonScan {
        let mut scan = JsonScan::default();
        text.chunks(chunk).for_each(|chunk| scan.update(chunk));
        scan
    }

    /// Returns JSON with much that looks like structure in its strings.
    fn random_json(random: &mut fastrand::Rng, depth: usize, text: &mut String) {
        match random.u8(..if depth == 0 { 2 } else { 5 }) {
            0 => text.push_str(&random.u32(..).to_string()),
            1 => {
                text.push('"');
                for _ in 0..random.usize(..40) {
                    let parts = ["{", "}", "[", "]", ",", "é", "x", "code", r"\\", r#"\""#, r"\u00e9", "\u{1f600}"];
                    text.push_str(random.choice(parts).expect("there are some"));
                }
                text.push('"');
            }
            kind => {
                text.push(if kind == 2 { '[' } else { '{' });
                for place in 0..random.usize(..6) {
                    text.push_str(if place > 0 { ", " } else { "" });
                    if kind != 2 {
                        text.extend(["\"k", &place.to_string(), "\":"]);
                    }
                    random_json(random, depth - 1, text);
                }
                text.push(if kind == 2 { ']' } else { '}' });
            }
        }
    }

    #[test]
    fn json_ends_where_a_reader_of_single_bytes_finds_its_end() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..2_000 {
            let mut text = String::from("{\"data\":");
            random_json(&mut random, 7, &mut text);
            text.push('}');
            let end = end_of(text.as_bytes()).expect("it ends");
            assert_eq!(end, text.len() - 1);
            let chunk = random.usize(1..200);
            assert!(scan(text.as_bytes(), chunk).is_closed(), "{text}");
            assert!(!scan(&text.as_bytes()[..end], chunk).is_closed(), "{text}");
            let cut = random.usize(..=text.len());
            assert!(!scan(&text.as_bytes()[..cut.min(end)], text.len()).is_closed(), "{text}");
        }
    }

    #[test]
    fn rows_of_backslashes_escape_across_blocks() {
        for length in 0..300 {
            let text = format!(r#"{{"a":{{"b":"{}{}"}},"c":[]}}"#, "\\\\".repeat(length), r#"\"]}"#);
            for chunk in [1, 63, 64, 65, 1000] {
                assert!(scan(text.as_bytes(), chunk).is_closed(), "{length}");
                assert!(!scan(&text.as_bytes()[..text.len() - 1], chunk).is_closed(), "{length}");
            }
        }
    }

    #[test]
    fn the_masks_have_the_bits_of_their_bytes() {
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..1_000 {
            let block: [u8; BLOCK] = std::array::from_fn(|_| {
                if random.bool() { random.u8(..) } else { *random.choice(b"\"\\{}[]\x02\xdb\x5c\xdc").expect("some") }
            });
            let mask = |wanted: &[u8]| {
                (0..BLOCK).filter(|at| wanted.contains(&block[*at])).fold(0, |mask, at| mask | (1_u64 << at))
            };
            let expected =
                Masks { quotes: mask(b"\""), backslashes: mask(b"\\"), opened: mask(b"{["), closed: mask(b"}]") };
            assert_eq!(masks_of(&block), expected);
        }
    }

    fn code_and_text(json: &str, chunk: usize) -> Option<(i64, String)> {
        let head = scan(json.as_bytes(), chunk).head(&Redactor::default())?;
        Some((head.code, head.check().err().map(|error| error.to_string()).unwrap_or_default()))
    }

    #[test]
    fn the_code_and_the_text_of_an_envelope_of_any_size_are_found() {
        let long = r#"relationship \" \\ \ud83d\ude00 é, {"#.repeat(3_000);
        let data = r#"{"code":200,"error":"not this one","list":[{"code":201}]},"#.repeat(3_000);
        for chunk in [1, 64, 1000, 1 << 20] {
            for json in [
                format!(r#"{{"error":"{long}", "code": 500}}"#),
                format!(r#"{{"data":[{data}0], "code" : "500", "message":"relationship"}} and more"#),
                format!(r#"{{"code":500,"msg":"relationship","other":"{long}","data":[{data}0]}}"#),
            ] {
                let (code, text) = code_and_text(&json, chunk).expect("an envelope");
                assert!(code == 500 && text.contains("relationship"), "{code}: {text}");
            }
            assert_eq!(code_and_text(&format!(r#"{{"data":[{data}0]}}"#), chunk), None);
            assert_eq!(code_and_text(&format!(r#"[{data}{{"code":500}}]"#), chunk), None);
            assert_eq!(code_and_text(r#"{"data":{"code":500},"code":200}"#, chunk), Some((200, String::new())));
        }
    }

    #[test]
    fn a_scan_keeps_little_of_what_it_reads() {
        let long = "x".repeat(1 << 20);
        let json = format!(
            r#"{{"{long}":1,"error":"{long}","data":{{"a":"{long}"}},"n":{},"code":500}}"#,
            "1".repeat(1 << 20)
        );
        let scan = scan(json.as_bytes(), 1 << 16);
        assert!(scan.is_closed() && scan.head(&Redactor::default()).is_some_and(|head| head.code == 500));
        let kept: usize = scan.outline.members.iter().flatten().map(|member| member.len()).sum();
        assert!(kept < 8 * MAX_MEMBER_BYTES && scan.outline.member.capacity() < 64 * 1024);
    }
}
