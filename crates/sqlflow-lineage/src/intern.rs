//! The texts of a document, each stored once in one buffer and known by a four-byte symbol.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::model::{ArenaFull, growth};

/// A text in one [`Texts`]; the default symbol stands for a field that was absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Symbol(u32);

impl Symbol {
    pub(super) const ABSENT: Self = Self(0);

    pub(super) fn is_absent(self) -> bool {
        self == Self::ABSENT
    }

    pub(super) fn index(self) -> usize {
        self.0 as usize
    }

    /// Returns the index as the number that stands for the text in tables.
    #[cfg(feature = "arrow")]
    pub(super) fn token(self) -> u32 {
        self.0
    }

    /// Returns the symbol of an [index](Self::index).
    pub(super) fn of_index(index: usize) -> Option<Self> {
        u32::try_from(index).ok().map(Self)
    }
}

/// The texts of a document. Symbol `n` is the bytes between `ends[n - 1]` and `ends[n]`.
#[derive(Clone)]
pub(super) struct Texts {
    buffer: String,
    ends: Vec<u32>,
    /// The symbol of the empty text, if the document has one.
    empty: Symbol,
    /// The symbols of texts that are numbers, by number, or zero. Most texts are ids that count from one, for which this
    /// is smaller and much faster than a hash table.
    numbers: Vec<u32>,
    /// The symbols of all other texts.
    // The seed is random because the texts come from outside and could be chosen to collide.
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Default for Texts {
    fn default() -> Self {
        Self {
            buffer: String::new(),
            ends: vec![0],
            empty: Symbol::ABSENT,
            numbers: Vec::new(),
            table: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
        }
    }
}

impl Texts {
    /// Returns the text of a symbol; empty if the symbol is absent.
    pub(super) fn get(&self, symbol: Symbol) -> &str {
        text_at(&self.buffer, &self.ends, symbol.0)
    }

    pub(super) fn get_present(&self, symbol: Symbol) -> Option<&str> {
        (!symbol.is_absent()).then(|| self.get(symbol))
    }

    /// Returns a symbol, or the absent one if its text is empty: a field that is given and says nothing.
    pub(super) fn non_empty(&self, symbol: Symbol) -> Symbol {
        if symbol == self.empty { Symbol::ABSENT } else { symbol }
    }

    /// Returns the first of two symbols that says something.
    pub(super) fn or(&self, first: Symbol, second: Symbol) -> Symbol {
        if self.non_empty(first).is_absent() && !second.is_absent() { second } else { first }
    }

    /// Returns the number of symbols, including the absent one.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn find(&self, text: &str) -> Option<Symbol> {
        if let Some(symbol) = number_of(text).and_then(|number| self.find_number(number)) {
            return Some(symbol);
        }
        let hash = self.hasher.hash_one(text);
        self.table.find(hash, |&n| text_at(&self.buffer, &self.ends, n) == text).map(|&n| Symbol(n))
    }

    fn find_number(&self, number: usize) -> Option<Symbol> {
        self.numbers.get(number).map(|&n| Symbol(n)).filter(|symbol| !symbol.is_absent())
    }

    #[inline]
    pub(super) fn intern(&mut self, text: &str) -> Result<Symbol, ArenaFull> {
        let number = number_of(text);
        if let Some(symbol) = number.and_then(|number| self.find_number(number)) {
            return Ok(symbol);
        }
        self.intern_other(text, number)
    }

    /// Interns a text that [`Self::numbers`] does not hold, although it may be a number.
    fn intern_other(&mut self, text: &str, number: Option<usize>) -> Result<Symbol, ArenaFull> {
        let Self { buffer, ends, empty, numbers, table, hasher } = self;
        let hash = hasher.hash_one(text);
        // A number can be here too, if it was too large for the list when it first came.
        if let Some(&n) = table.find(hash, |&n| text_at(buffer, ends, n) == text) {
            return Ok(Symbol(n));
        }
        let end = u32::try_from(buffer.len() + text.len()).map_err(|_| ArenaFull("text"))?;
        let symbol = u32::try_from(ends.len()).map_err(|_| ArenaFull("texts"))?;
        if buffer.capacity() - buffer.len() < text.len() {
            buffer.reserve_exact(text.len() + growth(buffer.len()));
        }
        buffer.push_str(text);
        if ends.len() == ends.capacity() {
            ends.reserve_exact(growth(ends.len()));
        }
        ends.push(end);
        if text.is_empty() {
            *empty = Symbol(symbol);
        }
        match number.filter(|&number| number <= MAX_SPREAD * ends.len()) {
            Some(number) => {
                if numbers.len() <= number {
                    numbers.resize(number + 1, 0);
                }
                if let Some(place) = numbers.get_mut(number) {
                    *place = symbol;
                }
            }
            None => {
                table.insert_unique(hash, symbol, |&n| hasher.hash_one(text_at(buffer, ends, n)));
            }
        }
        Ok(Symbol(symbol))
    }

    pub(super) fn shrink(&mut self) {
        let Self { buffer, ends, numbers, table, hasher, .. } = self;
        buffer.shrink_to_fit();
        ends.shrink_to_fit();
        numbers.shrink_to_fit();
        table.shrink_to_fit(|&n| hasher.hash_one(text_at(buffer, ends, n)));
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.buffer.capacity() + (self.ends.capacity() + self.numbers.capacity()) * 4 + self.table.allocation_size()
    }
}

/// A number is in the list of numbers if it is at most this many times the number of texts, so that a few large numbers
/// cannot make the list long.
const MAX_SPREAD: usize = 4;

/// Returns the number that a text spells, if it spells it in the only way without a sign and leading zeros.
#[inline]
fn number_of(text: &str) -> Option<usize> {
    /// More digits than the ids of any document have.
    const MAX_DIGITS: usize = 9;
    let digits = text.as_bytes();
    let has_leading_zero = digits.len() > 1 && digits.starts_with(b"0");
    if digits.is_empty() || digits.len() > MAX_DIGITS || has_leading_zero {
        return None;
    }
    digits.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + usize::from(digit - b'0')))
}

fn text_at<'t>(buffer: &'t str, ends: &[u32], symbol: u32) -> &'t str {
    let symbol = symbol as usize;
    let start = symbol.checked_sub(1).and_then(|before| ends.get(before));
    match (start, ends.get(symbol)) {
        (Some(&start), Some(&end)) => buffer.get(start as usize..end as usize).unwrap_or(""),
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_occurs_twice_is_stored_once() {
        let mut texts = Texts::default();
        let first = texts.intern("RS-1").unwrap();
        let other = texts.intern("fdd").unwrap();
        assert_eq!(texts.intern("RS-1").unwrap(), first);
        assert_ne!(first, other);
        assert_eq!(texts.buffer, "RS-1fdd");
        assert_eq!(texts.find("fdd"), Some(other));
        assert_eq!(texts.find("fdr"), None);
    }

    #[test]
    fn numbers_are_found_whether_they_come_in_order_or_not() {
        let mut texts = Texts::default();
        let spellings =
            ["7", "999999999", "9999999999", "07", "0", "00", "+7", "-7", "7.0", " 7", "40", "1", "2", "3", "4"];
        let symbols = spellings.map(|text| texts.intern(text).unwrap());
        for n in 0..5000_u32 {
            texts.intern(&n.to_string()).unwrap();
        }
        for (text, symbol) in spellings.into_iter().zip(symbols) {
            assert_eq!(texts.intern(text).unwrap(), symbol);
            assert_eq!(texts.find(text), Some(symbol));
            assert_eq!(texts.get(symbol), text);
        }
        assert_eq!(texts.find("5000"), None);
        // The absent text, the six spellings of no number or none below 5,000, and the numbers.
        assert_eq!(texts.len(), 1 + 8 + 5000);
    }

    #[test]
    fn large_numbers_take_no_more_memory_than_other_texts() {
        let mut texts = Texts::default();
        for n in 0..1000 {
            texts.intern(&(999_999_999 - n * 999_983).to_string()).unwrap();
        }
        texts.shrink();
        assert!(texts.heap_bytes() < 64 * 1024, "{} bytes", texts.heap_bytes());
    }

    #[test]
    fn an_empty_text_differs_from_an_absent_one() {
        let mut texts = Texts::default();
        let empty = texts.intern("").unwrap();
        assert!(!empty.is_absent());
        assert_eq!(texts.get_present(empty), Some(""));
        assert_eq!(texts.get_present(Symbol::ABSENT), None);
        assert_eq!(texts.get(Symbol::ABSENT), "");
    }

    #[test]
    fn an_empty_text_gives_way_to_one_that_says_something() {
        let mut texts = Texts::default();
        let (absent, word, other) = (Symbol::ABSENT, texts.intern("word").unwrap(), texts.intern("other").unwrap());
        assert_eq!(texts.non_empty(absent), absent);
        let empty = texts.intern("").unwrap();
        assert_eq!([absent, empty, word].map(|symbol| texts.non_empty(symbol)), [absent, absent, word]);
        for nothing in [absent, empty] {
            assert_eq!([texts.or(nothing, word), texts.or(word, nothing), texts.or(word, other)], [word; 3]);
            assert_eq!([texts.or(nothing, empty), texts.or(empty, nothing)], [empty; 2], "a given text is kept");
        }
        assert_eq!(texts.or(absent, absent), absent);
    }
}
